"""The fenced blocks of the README: what is in them is run by tests."""

import os

README = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      '../../README.md')


class Block:
    def __init__(self, heading, language, manner, text):
        self.heading, self.language = heading, language
        self.manner, self.text = manner, text


def blocks(path=README):
    """Every fenced block, with the heading that it stands below."""
    found, heading, fence = [], '', None
    with open(path) as file:
        for line in file:
            if fence is not None and line.startswith('```'):
                found.append(Block(heading, *fence, ''.join(text)))
                fence = None
            elif fence is not None:
                text.append(line)
            elif line.startswith('```'):
                words = line[3:].split()
                fence = (words[0], ' '.join(words[1:]))
                text = []
            elif line.startswith('#'):
                heading = line.strip('# \n')
    return found
