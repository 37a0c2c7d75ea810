#!/usr/bin/env python3
"""Small messages go to the kernel's page cache while they are opened: what that
saves, and that it neither blocks nor shows anything wrong."""

import collections
import hashlib
import mmap
import os
import random
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from mailstore import Mailbox, Message, make_message, simple_mailbox
from scene import Scene

LARGE = 300_000  # more than a block


def requests(scene, mark=0):
    """How many there were of each kind, and where the log ends now."""
    with open(scene.mount.log, 'rb') as log:
        log.seek(mark)
        text = log.read()
    kinds = re.findall(rb'opcode: (\w+) ', text)
    return collections.Counter(k.decode() for k in kinds), mark + len(text)


@tap.test
def test_scan_sends_no_reads(case):
    scene = Scene(case, [simple_mailbox(count=40, size=3000)], timeout=10)
    scene.start(arguments=('-d',))
    run('ls', '-l', scene.path('INBOX'), check=True)
    _, mark = requests(scene)
    result = run('tar', 'c', '-C', scene.path('INBOX'), '.', check=True)
    case.expect(all(m.body in result.out for m in scene.inbox.present),
                'wrong bytes')
    sent, mark = requests(scene, mark)
    case.expect(sent['OPEN'] == 40 and sent['READ'] == 0 and
                sent['GETATTR'] <= 3, sent)
    run('tar', 'c', '-C', scene.path('INBOX'), '.', check=True)
    sent, _ = requests(scene, mark)
    case.expect(sent['OPEN'] == 40 and sent['READ'] == 0, sent)


@tap.test
def test_what_the_kernel_dropped_is_read_again(case):
    scene = Scene(case, [simple_mailbox(count=1, size=3000)], timeout=10)
    scene.start(arguments=('-d',))
    assert scene.cat(1)
    with open(scene.file(1), 'rb') as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    _, mark = requests(scene)
    case.expect(scene.cat(1), 'wrong bytes')
    sent, _ = requests(scene, mark)
    case.expect(sent['READ'] == 1, sent)


@tap.test
def test_large_messages_are_read(case):
    box = Mailbox('INBOX', [Message(1, make_message(1, LARGE))])
    scene = Scene(case, [box], timeout=10)
    scene.start(arguments=('-d',))
    case.expect(scene.cat(1), 'wrong bytes')
    case.expect(requests(scene)[0]['READ'] > 0, requests(scene)[0])


@tap.test
def test_message_after_a_remount_is_given_too(case):
    scene = Scene(case, [simple_mailbox(count=5, size=3000)], timeout=10)
    data = case.path('data')
    os.makedirs(data)
    for _ in range(2):
        scene.start(data=data, arguments=('-d',))
        for uid in range(1, 6):
            case.expect(scene.cat(uid), f'wrong bytes of {uid}')
        sent, _ = requests(scene)
        case.expect(sent['READ'] == 0, sent)
        scene.mount.unmount()


def _reader(scene, seed, until):
    """In a process of its own: reads at random, and makes the kernel forget.
    Returns what was wrong."""
    chance = random.Random(seed)
    right = {m.uid: hashlib.sha256(m.body).digest()
             for m in scene.inbox.present}
    wrong = 0
    while time.monotonic() < until:
        uid = chance.choice(list(right))
        with open(scene.file(uid), 'rb', buffering=0) as file:
            if chance.random() < 0.3:
                with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as view:
                    data = bytes(view)
            else:
                data = file.read()
                if chance.random() < 0.5:
                    os.posix_fadvise(file.fileno(), 0, 0,
                                     os.POSIX_FADV_DONTNEED)
                    file.seek(0)
                    data = file.read()
        wrong += hashlib.sha256(data).digest() != right[uid]
    return wrong


@tap.test(limit=90)
def test_many_readers_of_the_same_files_never_block(case):
    """While one of them opens a file, others have it open and read it anew: the
    kernel's page is locked then, and who gives it would wait for itself."""
    scene = Scene(case, [simple_mailbox(count=60, size=9000)], timeout=10)
    scene.start()
    run('ls', '-f', scene.path('INBOX'), check=True)
    until = time.monotonic() + 5
    children = []
    for seed in range(8):
        child = os.fork()
        if child == 0:
            signal.alarm(60 * tap.PATIENCE)
            os._exit(min(_reader(scene, seed, until), 100))
        children.append(child)
    for child in children:
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        case.expect(status == 0, 'wrong' if status > 0 else 'stuck', status)


if __name__ == '__main__':
    tap.main()
