"""The views of messages that are hard to take apart, on a server whose ideas
of them are its own: what servers agree on is tested on Dovecot."""

import os

import hardmail
import parts

KB = 1024


def messages():
    """So large that each is asked for part by part."""
    return [(title, hardmail.with_filler(body, 40 * KB))
            for title, body in hardmail.corpus()
            if title.startswith(hardmail.SERVERS_DIFFER)]


def check(case, mount, folder, stored):
    """What is below .imapfs of folder, which holds {UID: (title, octets)}."""
    views = mount.path('.imapfs')
    listed = {int(name[:-4]) for name in os.listdir(mount.path(folder))}
    case.expect(listed == set(stored), sorted(listed ^ set(stored)))
    for uid, (title, body) in stored.items():
        try:
            problem = parts.compare(
                f'{views}/parts/{folder}/{uid}.eml', body)
        except (OSError, AssertionError) as error:
            problem = repr(error)
        case.expect(not problem, f'{uid} {title}: {problem}')
    check_texts(case, f'{views}/text/{folder}', stored)
    check_index(case, f'{views}/index/{folder}.tsv', stored)
    check_searches(case, f'{views}/search/{folder}', stored)


def check_texts(case, directory, stored):
    """Each text of a message is in its text."""
    for uid, (title, body) in stored.items():
        with open(f'{directory}/{uid}.eml.txt', 'rb') as file:
            text = file.read()
        for leaf in parts.expected(body):
            if leaf.type.startswith('text/'):
                content = leaf.content.replace(b'\r\n', b'\n')
                case.expect(content in text, f'{uid} {title}: {content[:60]!r}'
                            f' is not in the text {text[-200:]!r}')


def check_index(case, path, stored):
    with open(path, encoding='utf-8') as file:
        rows = [line.split('\t') for line in file.read().splitlines()]
    found = {int(row[0]): int(row[2]) for row in rows}
    case.expect(found == {uid: len(body)
                          for uid, (_title, body) in stored.items()}, found)


def check_searches(case, directory, stored):
    def found(query):
        return {int(name[:-4])
                for name in os.listdir(f'{directory}/{query}')}

    def titled(word):
        return {uid for uid, (title, _body) in stored.items()
                if word in title}

    named = titled('names: RFC 2231')
    case.expect(named and found('subject:"RFC 2231"') >= named,
                found('subject:"RFC 2231"'), named)
    sizes = sorted(len(body) for _title, body in stored.values())
    limit = sizes[-1] // KB - 1
    larger = {uid for uid, (_title, body) in stored.items()
              if len(body) > limit * KB}
    case.expect(found(f'larger:{limit}K') == larger, limit,
                found(f'larger:{limit}K'), larger)
