#!/usr/bin/env python3
"""The line is cut, silent and back at random while programs list and read what
is cached and what is not. tests/bench/soak-network does the same for longer."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
import trouble

SECONDS = 120


@tap.test(limit=300)
def test_line_that_comes_and_goes_hangs_nothing(case):
    seed = int(os.environ.get('IMAPFS_NETWORK_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_NETWORK_SEED={seed}')
    server = dovecot.start_sample(case, prepare=trouble.prepare)
    dovecot.open_all(server)
    one = trouble.Trouble(case, server, seed)
    one.start()
    one.use(SECONDS)
    one.disturb(SECONDS)
    one.restore()
    one.judge()
    one.mount.unmount()


if __name__ == '__main__':
    tap.main()
