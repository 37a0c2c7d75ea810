#!/usr/bin/env python3
"""A server whose RFC822.SIZE lies: every tool gets the exact bytes."""

import hashlib
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run
from scene import Scene

MMAP = ('import mmap, sys; f = open(sys.argv[1], "rb"); '
        'm = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ); '
        'sys.stdout.buffer.write(m[:])')
READ = ('import os, sys; fd = os.open(sys.argv[1], os.O_RDONLY); '
        'size = os.fstat(fd).st_size; data = b""\n'
        'while piece := os.read(fd, 10000): data += piece\n'
        'assert len(data) == size, (len(data), size)\n'
        'sys.stdout.buffer.write(data)')


def digest(body):
    return hashlib.md5(body).hexdigest().encode()


# Each with a message of its own that nobody opened before: (command, what it
# must print). {} is the file, {copy} a path to write to.
TOOLS = [
    (['cat', '{}'], bytes),
    (['cp', '{}', '{copy}'], None),
    (['cp', '--preserve=all', '--sparse=never', '{}', '{copy}'], None),
    (['rsync', '-a', '{}', '{copy}'], None),
    (['install', '{}', '{copy}'], None),
    (['sh', '-c', 'tar -cf - "$(basename "$0")" | tar -xOf -', '{}'], bytes),
    (['md5sum', '{}'], digest),
    (['wc', '-c', '{}'], lambda body: b'%d ' % len(body)),
    (['tail', '-c', '100', '{}'], lambda body: body[-100:]),
    (['dd', 'bs=4k', 'if={}', 'status=none'], bytes),
    (['grep', '-c', '', '{}'], lambda body: b'%d\n' % body.count(b'\n')),
    (['python3', '-c', READ, '{}'], bytes),
    (['python3', '-c', MMAP, '{}'], bytes),
    (['sh', '-c', 'head -c 10 "$0" > /dev/null; stat -c %s "$0"', '{}'],
     lambda body: b'%d\n' % len(body)),
]


def check_tool(case, scene, tool, expected, message):
    path = scene.file(message.uid)
    copy = case.path(f'copy-{message.uid}')
    arguments = [word.replace('{copy}', copy).replace('{}', path)
                 for word in tool]
    # What the kernel believes before the file is opened is the lie.
    size = int(run('stat', '-c', '%s', path, check=True).out)
    case.expect(size == message.size, f'stat before open: {size}')
    result = run(*arguments, limit=60, cwd=scene.path('INBOX'))
    if not case.expect(result.clean, result):
        return
    out = result.out
    if expected is None:
        with open(copy, 'rb') as file:
            out, expected = file.read(), bytes
    wanted = expected(message.body)
    right = out == wanted if expected is bytes else out.startswith(wanted)
    case.expect(right, f'{tool[:2]}: {len(out)} octets {out[:60]}, '
                f'not {len(wanted)} octets {wanted[:60]}')


def lies(case, base, lie):
    # Far enough from each other that none of them is fetched ahead.
    mailbox = mailstore.simple_mailbox(count=10 * len(TOOLS) + 1, size=300)
    opened = mailbox.messages[3::10][:len(TOOLS)]
    for message in opened:
        message.body = mailstore.make_message(message.uid, base + message.uid)
    for message in mailbox.messages:
        message.announced = max(len(message.body) + lie, 0)
    scene = Scene(case, [mailbox], timeout=20)
    scene.start()
    assert scene.listing(), 'ls failed'
    for (tool, expected), message in zip(TOOLS, opened):
        check_tool(case, scene, tool, expected, message)
    # What was opened is known from now on.
    for message in opened:
        size = int(run('stat', '-c', '%s', scene.file(message.uid)).out)
        case.expect(size == len(message.body),
                    f'stat after open: {size}, not {len(message.body)}')
    case.expect(scene.rsync(), 'rsync of the folder failed')
    case.expect(not scene.server.errors, scene.server.errors)


MB = 1 << 20
for size, lie in ((6000, 50), (6000, -50), (6000, MB), (2 * MB, MB),
                  (2 * MB, -MB), (2 * MB, 50), (2 * MB, -50), (6000, -6000),
                  (0, 0)):
    tap.test(name=f'size_of_{size}_lies_by_{lie}', limit=120,
             arguments=(size, lie))(lies)


@tap.test
def test_negative_size_is_survived(case):
    """Some servers say RFC822.SIZE -1."""
    scene = Scene(case, timeout=10)
    for message in scene.inbox.messages:
        message.announced = -1
    scene.start()
    assert scene.listing(), 'ls failed'
    case.expect(scene.cat(2), 'cat failed')
    size = int(run('stat', '-c', '%s', scene.file(2), check=True).out)
    case.expect(size == len(scene.inbox.get(2).body), size)


@tap.test
def test_attributes_are_those_of_a_read_only_file(case):
    scene = Scene(case, names='subject', timeout=10, options={'ro': None})
    scene.start()
    listed = run('ls', scene.path('INBOX'), check=True).out.decode().split()
    name = next(n for n in listed if re.search(r'\.2\.eml$', n))
    message = scene.inbox.get(2)
    for path in (scene.path('INBOX', name), scene.file(2)):
        out = run('stat', '-c', '%a %s %Y %F', path, check=True).out
        case.expect(out.decode().strip() ==
                    f'400 {message.size} {message.time} regular file', out)
    out = run('stat', '-c', '%a %F', scene.path('INBOX'), check=True).out
    case.expect(out.decode().strip() == '500 directory', out)
    for arguments in (['touch', scene.path('INBOX', 'new.eml')],
                      ['rm', '-f', scene.file(2)],
                      ['mkdir', scene.path('new')],
                      ['sh', '-c', 'echo x > "$0"', scene.file(2)],
                      ['mv', scene.file(2), scene.path('INBOX', '9.eml')]):
        result = run(*arguments)
        case.expect(not result.ok and 'Read-only' in result.err, result)
    for name in ('99.eml', '0.eml', '02.eml', '2.EML', 'x.2.eml', 'nosuch'):
        result = run('stat', scene.path('INBOX', name))
        case.expect('No such file' in result.err, result)
    result = run('df', scene.mount.mountpoint)
    case.expect(result.clean, result)


if __name__ == '__main__':
    tap.main(jobs=4)
