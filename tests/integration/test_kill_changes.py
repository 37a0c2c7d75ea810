#!/usr/bin/env python3
"""The daemon killed at random moments while messages are moved, removed and
flagged; the line cut, and the server killed. Whatever was under way, every
message is there exactly once when the next mount has done what was left.
tests/bench/soak-kill-changes does the same more often."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from desk import NO_MOVE, PLAIN, Desk
from filing import Filing

FOLDERS = ('INBOX', 'Other', 'Third')
KILLS = int(os.environ.get('IMAPFS_KILLS', 4 if tap.SANITIZED else 10))


def kill_at_random(case, capability, rtt_ms, **options):
    seed = int(os.environ.get('IMAPFS_KILL_SEED', random.getrandbits(32)))
    source = random.Random(seed)
    case.note(f'IMAPFS_KILL_SEED={seed}')
    desk = Desk(case, {'INBOX': 120, 'Other': 60, 'Third': 20},
                capability=capability, rtt_ms=rtt_ms, **options)
    filing = Filing(desk, FOLDERS)
    asked = 0
    for number in range(KILLS):
        asked += filing.work_and_kill(source.getrandbits(32),
                                      source.uniform(0.05, 2.5))
        desk.start()
        result = desk.settle()
        wrong = filing.wrong()
        case.expect(not wrong, f'after kill {number + 1}: {wrong}', result,
                    desk.said()[-3000:])
        desk.agree(*FOLDERS)
        if wrong:
            break
    case.note(f'{KILLS} kills, {asked} changes asked for')


for way, announced, rtt_ms in (('all', None, 20), ('no_move', NO_MOVE, 10),
                               ('plain', PLAIN, 5), ('near', None, None)):
    tap.test(limit=500, name=f'killed_daemon_loses_and_doubles_nothing_{way}')(
        lambda case, announced=announced, rtt_ms=rtt_ms:
        kill_at_random(case, announced, rtt_ms))


if __name__ == '__main__':
    tap.main(jobs=2)
