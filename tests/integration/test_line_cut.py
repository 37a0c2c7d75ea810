#!/usr/bin/env python3
"""The line is cut in the midst of a session: log in, list, read. Nothing that is
shown is short or wrong, and the same server is mounted again afterwards."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from mount import MountFailed
from scene import Scene


def cut_points(source, said, half, step):
    """After each octet around the ends of lines, half of these, and here and
    there between them: wherever else the parser may be cut, its own tests know
    octet by octet."""
    ends = [i for i in range(len(said)) if said[i:i + 2] == b'\r\n']
    points = {i + beside for i in ends[half::2] for beside in (0, 1, 2)}
    points.update(range(source.randint(1, step), len(said), step))
    return sorted(points - {0, len(said)})


def cut_line(case, names, half, step):
    seed = int(os.environ.get('IMAPFS_CUT_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_CUT_SEED={seed}')
    mailboxes = [mailstore.simple_mailbox(count=3, size=300),
                 mailstore.simple_mailbox('Folder', 1)]
    scene = Scene(case, mailboxes, timeout=1, names=names)
    # How soon an answer comes is measured elsewhere: of so many, one comes
    # late on a machine that has more to do.
    scene.deadline += 3
    scene.server.recording = []
    scene.start()
    assert scene.listing() and scene.cat(2)
    scene.mount.unmount()
    said = b''.join(data for number, data in scene.server.recording
                    if number == 1)
    points = cut_points(random.Random(seed), said, half, step)
    case.note(f'{len(points)} points of {len(said)} octets')
    scene.server.recording = None
    for count, point in enumerate(points):
        cut_after(case, scene, point, count % 10 == 0)


def cut_after(case, scene, point, heals):
    scene.server.close_after = point
    try:
        scene.start()
    except MountFailed as failure:
        case.expect(failure.taken <= scene.deadline, point, failure)
        case.expect(0 < failure.status < 125, point, failure)
        scene.server.behave()
        return
    before_this = case.failures
    if scene.listing():
        scene.cat(2)
    case.expect(scene.mount.is_alive(), 'the daemon is gone')
    if heals:
        scene.heal(uids=(2,))
    else:
        scene.server.behave()
    try:
        scene.mount.unmount()
    except AssertionError as error:
        case.expect(False, error)
    case.expect(case.failures == before_this, f'cut after {point} octets;',
                'imapfs said:', scene.mount.messages()[-3000:])


# With sanitizers fewer, for the sake of time.
WIDER = 4 if tap.SANITIZED else 1

for naming, stride in (('uid', 10), ('subject', 16)):
    for half in (0, 1):
        tap.test(name=f'line_cut_anywhere_{naming}_{half + 1}', limit=300,
                 arguments=(naming, half, stride * WIDER))(cut_line)


if __name__ == '__main__':
    tap.main(jobs=8)
