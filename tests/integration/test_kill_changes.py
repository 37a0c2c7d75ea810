#!/usr/bin/env python3
"""The daemon killed at random moments while messages are moved, removed,
flagged, added and edited; and the line cut. Whatever was under way, every
message is there exactly once when all that was left is done.
tests/bench/soak-kill-changes does the same more often, and kills the server,
too, which does not always end so yet."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from desk import NO_MOVE, PLAIN, Desk
from filing import Filing, deeds_of, moments

FOLDERS = ('INBOX', 'Other', 'Third')
KILLS = int(os.environ.get('IMAPFS_KILLS', 3 if tap.SANITIZED else 8))
MESSAGES = 60


def begin(case, capability=None, rtt_ms=5, **options):
    seed = int(os.environ.get('IMAPFS_KILL_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_KILL_SEED={seed}')
    desk = Desk(case, {name: 1 for name in FOLDERS}, capability=capability,
                rtt_ms=rtt_ms, **options)
    return random.Random(seed), desk, Filing(desk, FOLDERS, MESSAGES)


def check(case, filing, when):
    said = filing.settle()
    wrong = filing.wrong()
    case.expect(not wrong, f'after {when}:', *wrong, 'said:', said,
                filing.desk.said()[-3000:])
    return not wrong


def kill_at_random(case, **named):
    source, desk, filing = begin(case, **named)
    for number in range(KILLS):
        filing.kill_daemon(source.getrandbits(32), moments(source, 0.05, 2))
        desk.start()
        if not check(case, filing, f'kill {number + 1}'):
            break
    desk.agree(*FOLDERS)
    case.note(f'{KILLS} kills, {filing.asked} changes asked for')


for way, named in (('all', {'rtt_ms': 20}), ('writeback', {'writeback': None}),
                   ('no_move', {'capability': NO_MOVE}),
                   ('plain', {'capability': PLAIN, 'writeback': None}),
                   ('sync', {'rtt_ms': None, 'sync': None})):
    tap.test(limit=500, name=f'killed_daemon_loses_and_doubles_nothing_{way}')(
        lambda case, named=named: kill_at_random(case, **named))


def disturb_at_random(case, rounds, cuts, kills, **named):
    source, desk, filing = begin(case, **named)
    for number in range(rounds):
        filing.disturb(source.getrandbits(32), moments(source, 1, 2),
                       deeds_of(filing, source, cuts, kills))
        if not check(case, filing, f'round {number + 1}'):
            break
    desk.agree(*FOLDERS)
    case.note(f'{rounds} rounds, {filing.asked} changes asked for')


for way, named in (('all', {}), ('writeback', {'writeback': None}),
                   ('plain', {'capability': PLAIN})):
    tap.test(limit=300, name=f'cut_line_loses_and_doubles_nothing_{way}')(
        lambda case, named=named: disturb_at_random(case, 2, 5, 0, **named))


if __name__ == '__main__':
    tap.main(jobs=6)
