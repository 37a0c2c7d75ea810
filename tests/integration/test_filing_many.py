#!/usr/bin/env python3
"""A thousand messages moved, removed and flagged over a line with a latency, in
three seconds until the server has it."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import stalls
import tap
from desk import Desk


# A machine that does more, as its load tells, takes longer by what it gives to
# others: so many times, at most.
BUSY = 3  # programs that want to run
SLOWER = 5
# For all of a thousand messages, beside those of the polls meanwhile.
TURNS = 60


def timed(desk, *command, limit=3.0, patience=60):
    """Within the limit, and, on any machine, in few turns of the line."""
    desk.proxy.reset()
    clock = stalls.Clock()
    desk.do(*command, limit=patience)
    desk.wait()
    seconds = clock.seconds()
    turns, load = desk.proxy.counts()['turns'], os.getloadavg()[0]
    desk.case.note(f'{seconds:.2f} s, {turns} turns, load {load:.0f}: '
                   f'{os.path.basename(command[-1])[:60]}')
    limit *= tap.PATIENCE * (1 if load < BUSY else SLOWER)
    desk.case.expect(seconds <= limit, f'{seconds:.2f} s, more than {limit}')
    desk.case.expect(turns <= TURNS, turns, 'turns')


@tap.test(limit=300)
def test_a_thousand_messages_take_three_seconds(case):
    desk = Desk(case, {'INBOX': 1000, 'Other': 2}, rtt_ms=100, timeout=30)
    bodies = desk.bodies()
    names = desk.names()
    inbox, other = desk.path('INBOX'), desk.path('Other')
    os.listdir(other)
    desk.wait()
    with open(case.path('flag.sh'), 'w') as script:
        script.write('import os, sys\n'
                     'for name in os.listdir(sys.argv[1]):\n'
                     '    os.setxattr(sys.argv[1] + "/" + name,\n'
                     '                "user.imap.flags", b"+\\\\Flagged")\n')
    timed(desk, sys.executable, case.path('flag.sh'), inbox)
    case.expect(all('\\Flagged' in flags for flags in desk.flags().values()),
                'not all are flagged')
    timed(desk, 'sh', '-c', f'mv {inbox}/* {other}')
    case.expect(desk.bodies() == {}, 'INBOX is not empty')
    case.expect(sorted(desk.bodies('Other').values())[:1000] and
                set(bodies.values()) <= set(desk.bodies('Other').values()) and
                len(desk.bodies('Other')) == 1002, 'Other lacks some')
    case.expect(set(names) <= set(desk.names('Other')), 'names are lost')
    timed(desk, 'sh', '-c', f'rm {other}/*')
    case.expect(desk.bodies('Other') == {}, 'Other is not empty')
    desk.agree('INBOX', 'Other')


@tap.test(limit=300)
def test_one_by_one_they_do_not_wait_for_one_another(case):
    """Each move is looked up where it goes, and what came there before has to
    be known then: a command for each message would be one wait for each."""
    desk = Desk(case, {'INBOX': 150, 'Other': 0, 'Third': 150}, rtt_ms=100,
                timeout=30)
    for name in ('Other', 'Third'):
        os.listdir(desk.path(name))
    desk.client.open('Third', readonly=False)
    desk.client.imap.uid('MOVE', '1:*', 'Other')
    desk.soon(lambda: len(desk.names('Other')) == 150, 'they do not come')
    desk.client.open('Other', readonly=False)
    desk.client.imap.uid('MOVE', '1:*', 'Third')
    desk.soon(lambda: len(desk.names('Other')) == 0, 'they do not go')
    inbox, other = desk.path('INBOX'), desk.path('Other')
    timed(desk, 'sh', '-c', f'for file in {inbox}/*; do mv "$file" {other}/ &&'
          ' sleep 0.01; done', limit=20, patience=200)
    case.expect(len(desk.bodies('Other')) == 150, 'Other lacks some')
    desk.agree('INBOX', 'Other')


if __name__ == '__main__':
    tap.main()
