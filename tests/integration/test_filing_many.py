#!/usr/bin/env python3
"""A thousand messages moved, removed and flagged over a line with a latency, in
three seconds until the server has it."""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from desk import Desk

def timed(desk, *command, limit=3.0):
    began = time.monotonic()
    desk.do(*command, limit=30)
    desk.wait()
    seconds = time.monotonic() - began
    desk.case.note(f'{seconds:.2f} s: {os.path.basename(command[-1])[:60]}')
    desk.case.expect(seconds <= limit * tap.PATIENCE,
                     f'{seconds:.2f} s, more than {limit}')


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


if __name__ == '__main__':
    tap.main()
