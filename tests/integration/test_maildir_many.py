#!/usr/bin/env python3
"""Ten thousand messages in a Maildir of the mount, filed by a program: the
server has in the end what it has when the same is done in a Maildir of plain
files that mbsync keeps."""

import hashlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from maildir import FLAGS, Box, Mirror, digest
from tools import need

# What is done with a message goes by its octets; by renaming, as programs do.
FILER = '''
import hashlib, os, re, sys
root = sys.argv[1]
for kind in ('new', 'cur'):
    folder = f'{root}/Many/{kind}'
    for name in os.listdir(folder):
        with open(f'{folder}/{name}', 'rb') as file:
            body = file.read().replace(b'\\r\\n', b'\\n')
        lot = int.from_bytes(hashlib.sha256(body).digest()[:4], 'big') % 12
        base, _, letters = name.partition(':2,')
        elsewhere = re.sub(',U=[0-9]+', '', base)
        letters = ''.join(sorted({*letters, 'FS'[lot % 2]}))
        if lot == 0:
            os.unlink(f'{folder}/{name}')
        elif lot < 4:
            os.rename(f'{folder}/{name}',
                      f'{root}/Other/cur/{elsewhere}:2,{letters}')
        elif lot < 9:
            os.rename(f'{folder}/{name}',
                      f'{root}/Many/cur/{base}:2,{letters}')
'''


def quick_state(place, folders):
    """{folder: sorted [(flags, digest)]}, from the server's own files."""
    state = {}
    for folder in folders:
        place.client.open(folder)
        flags = place.client.flags(folder)
        state[folder] = sorted(
            (sorted(flags[uid] & set(FLAGS.values())),
             digest(open(path, 'rb').read()))
            for uid, path in place.server.stored(folder).items())
    return state


@tap.test(limit=500, alone=True)
def test_ten_thousand_messages_are_filed_as_mbsync_does(case):
    need('mbsync')
    count = 1000 if tap.SANITIZED else 10000
    folders = {'INBOX': [], 'Many': None, 'Other': []}

    def prepare(server):
        server.generate(flat='Many', messages=count, total_bytes=count * 3000,
                        seed=5)
    box = Box(case, folders, prepare=prepare)
    mirror = Mirror(case, folders, prepare=prepare)
    for place in (box, mirror):
        result = run(sys.executable, '-c', FILER, place.root,
                     limit=300 * tap.PATIENCE)
        case.expect(result.ok, result, result.err)
        case.note(f'{result.seconds:.1f} s')
    box.wait()
    mirror.push()
    here = quick_state(box, ('Many', 'Other'))
    there = quick_state(mirror, ('Many', 'Other'))
    case.expect(sum(map(len, here.values())) < count, 'nothing was removed')
    for folder in here:
        case.expect(here[folder] == there[folder], folder, len(here[folder]),
                    len(there[folder]), 'differ')


if __name__ == '__main__':
    tap.main()
