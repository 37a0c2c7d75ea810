"""What the parts of a message should be, by GMime's own parse of the whole of
it and by Python's character sets; and what a mount shows of it."""

import codecs
import os
import re
import subprocess

ORACLE = os.environ.get('IMAPFS_PARTS_ORACLE', os.path.join(
    os.path.dirname(os.path.abspath(__file__)),
    '../../build/tests/integration/parts-oracle'))

# Where mail names a set and uses its superset.
SUPERSETS = {'iso-8859-1': 'cp1252', 'latin-1': 'cp1252', 'gb2312': 'gbk',
             'shift_jis': 'cp932', 'euc-kr': 'cp949', 'big5': 'cp950',
             'iso-8859-9': 'cp1254'}
KNOWN = {'utf-8', 'utf-7', 'utf-16', 'iso-8859-1', 'iso-8859-5', 'iso-8859-7',
         'iso-8859-8', 'iso-8859-15', 'windows-1251', 'windows-1252',
         'koi8-r', 'iso-2022-jp', 'shift_jis', 'euc-jp', 'euc-kr', 'gb2312',
         'gb18030', 'big5'}


def to_utf8(octets, charset):
    name = charset.lower()
    if name in KNOWN:
        text = codecs.decode(octets, SUPERSETS.get(name, name), 'replace')
        if name == 'utf-16':  # iconv takes the mark away, as Python does
            text = text.removeprefix('\ufeff')
        return text.encode()
    try:
        return octets.decode('utf-8').encode()
    except UnicodeDecodeError:
        return octets.decode('cp1252', 'replace').encode()


class Leaf:
    def __init__(self, line, octets):
        words = line.decode().split(' ')
        self.message, self.type = words[0], words[1].lower()
        self.charset = '' if words[2] == '-' else bytes.fromhex(
            words[2]).decode('utf-8', 'replace')
        self.attachment = words[3] == '1'
        self.name = None if words[4] == '-' else bytes.fromhex(words[4])
        self.octets = octets
        if self.type.startswith('text/') and octets:
            self.content = to_utf8(octets, self.charset)
        else:
            self.content = octets


def expected(body):
    """The leaves of the message."""
    result = subprocess.run([ORACLE], input=body, capture_output=True,
                            check=True, timeout=60)
    out, leaves = result.stdout, []
    while out:
        line, out = out.split(b'\n', 1)
        length = int(line.rsplit(b' ', 1)[1])
        leaves.append(Leaf(line, out[:length]))
        out = out[length:]
    return leaves


def shown(directory):
    """{path below: content} of all files."""
    found = {}
    for path, _directories, files in os.walk(directory, onerror=raise_it):
        for name in files:
            full = os.path.join(path, name)
            size = os.stat(full).st_size
            with open(full, 'rb') as file:
                content = file.read()
            assert size == len(content), (full, size, len(content))
            found[os.path.relpath(full, directory)] = content
    return found


def raise_it(error):
    raise error


def compare(directory, body):
    """What is wrong with what the mount shows of the message; '' if nothing
    is."""
    found = shown(directory)
    leaves = expected(body)
    headers = [path for path in found
               if os.path.basename(path) == 'header.txt']
    contents = [content for path, content in found.items()
                if path not in headers]
    if 'header.txt' not in headers:
        return 'there is no header.txt'
    wanted = [leaf.content for leaf in leaves]
    if sorted(contents) != sorted(wanted):
        return (f'{len(contents)} parts {[c[:60] for c in contents[:5]]}, not '
                f'{len(wanted)} {[c[:60] for c in wanted[:5]]}')
    by_message = {}
    for leaf in leaves:
        by_message.setdefault(leaf.message, []).append(leaf)
    by_directory = {}
    for path in found:
        if path not in headers:
            by_directory.setdefault(os.path.dirname(path), []).append(path)
    there = sorted(sorted(found[p] for p in paths)
                   for paths in by_directory.values())
    meant = sorted(sorted(leaf.content for leaf in group)
                   for group in by_message.values())
    if there != meant:
        return 'parts are in other directories than their messages'
    for leaf in leaves:
        # Plain names are what the sender wrote.
        if (leaf.name and len(leaf.name) < 200
                and leaf.name not in (b'header.txt', b'body.txt', b'body.html')
                and re.fullmatch(rb'[\w][\w \-]*\.\w+', leaf.name)
                and not leaf.type.startswith('text/')
                and not any(os.path.basename(path).encode() == leaf.name
                            and found[path] == leaf.content for path in found)
                and sum(other.name == leaf.name for other in leaves) == 1):
            return f'nothing is named {leaf.name!r}: {sorted(found)[:9]}'
    return ''
