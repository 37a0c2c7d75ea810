#!/usr/bin/env python3
"""Ten thousand messages in a Maildir of the mount, filed by a program: the
server has in the end what a Maildir of plain files has where the same is done."""

import os
import pathlib
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import sample_mail
import tap
from command import run
from maildir import FLAGS, Box, digest, letters

# Keywords have other letters in the plain files.
SYSTEM = {letter: flag for letter, flag in FLAGS.items() if letter != 'P'}
# What is done with a message goes by its octets; by renaming, as programs do.
FILER = '''
import hashlib, os, sys
root = sys.argv[1]
for kind in ('new', 'cur'):
    folder = f'{root}/Many/{kind}'
    for name in os.listdir(folder):
        with open(f'{folder}/{name}', 'rb') as file:
            body = file.read().replace(b'\\r\\n', b'\\n')
        lot = int.from_bytes(hashlib.sha256(body).digest()[:4], 'big') % 12
        base, _, letters = name.partition(':2,')
        letters = ''.join(sorted({*letters, 'FS'[lot % 2]}))
        if lot == 0:
            os.unlink(f'{folder}/{name}')
        elif lot < 4:
            os.rename(f'{folder}/{name}',
                      f'{root}/Other/cur/{base}:2,{letters}')
        elif lot < 9:
            os.rename(f'{folder}/{name}',
                      f'{root}/Many/cur/{base}:2,{letters}')
'''


def on_server(box, folder):
    """Sorted [(flags, digest)], from the server's own files."""
    box.client.open(folder)
    flags = box.client.flags(folder)
    return sorted((sorted(flags[uid] & set(SYSTEM.values())),
                   digest(open(path, 'rb').read()))
                  for uid, path in box.server.stored(folder).items())


def in_maildir(root, folder):
    found = []
    for kind in ('cur', 'new'):
        for entry in os.scandir(f'{root}/{folder}/{kind}'):
            with open(entry.path, 'rb') as file:
                found.append((sorted(SYSTEM[letter]
                                     for letter in letters(entry.name)
                                     if letter in SYSTEM),
                              digest(file.read())))
    return sorted(found)


@tap.test(limit=500, alone=True)
def test_ten_thousand_messages_are_filed_as_in_plain_files(case):
    mail = {'flat': 'Many', 'messages': 10000, 'total_bytes': 30000000,
            'seed': 5}
    box = Box(case, {'INBOX': [], 'Many': None, 'Other': []},
              prepare=lambda server: server.generate(**mail))
    plain = case.path('plain')
    sample_mail.generate(pathlib.Path(plain), **mail)
    for kind in ('cur', 'new', 'tmp'):
        os.makedirs(f'{plain}/Other/{kind}')
    for root in (box.root, plain):
        result = run(sys.executable, '-c', FILER, root,
                     limit=300 * tap.PATIENCE)
        case.expect(result.ok, result, result.err)
        case.note(f'{result.seconds:.1f} s')
    box.wait()
    for folder in ('Many', 'Other'):
        here, there = on_server(box, folder), in_maildir(plain, folder)
        case.expect(here == there, folder, len(here), len(there), 'differ')
        case.expect(in_maildir(box.root, folder) == there, folder,
                    'shows other messages')
    shutil.rmtree(plain)  # the clean-up has little time


if __name__ == '__main__':
    tap.main()
