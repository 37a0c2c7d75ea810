#!/usr/bin/env python3
"""The daemon killed at random moments of the first synchronisation and of a
scan: what it mounts afterwards, from what it left, is what the server has.
tests/bench/soak-kill does the same more often."""

import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import killing
import tap
from mount import Mount

FOLDER = 'Many'
MESSAGES = 300 if tap.SANITIZED else 1500
CACHES = (1, 1, 2, 3, 3)  # kills with each; 10 in all


def mount(case, server, cache, names):
    return Mount(case, server.url, {'ca_file': server.ca_file, 'names': names},
                 password=dovecot.password(server), background=True,
                 environment={'XDG_CACHE_HOME': cache + '/cache',
                              'XDG_STATE_HOME': cache + '/state'})


@tap.test(limit=240)
def test_killed_daemon_leaves_a_cache_that_serves_what_the_server_has(case):
    seed = int(os.environ.get('IMAPFS_KILL_SEED', random.getrandbits(32)))
    source = random.Random(seed)
    case.note(f'IMAPFS_KILL_SEED={seed}')
    server = dovecot.start_sample(
        case, prepare=lambda new: new.generate(flat=FOLDER, messages=MESSAGES,
                                               seed=2))
    dovecot.open_all(server)
    undisturbed = mount(case, server, case.path('undisturbed'), 'subject')
    span = killing.duration(undisturbed, FOLDER)
    undisturbed.unmount()

    hits = 0
    for number, kills in enumerate(CACHES):
        cache = case.path(f'cache-{number}')
        names = source.choice(('subject', 'uid'))
        for _ in range(kills):
            hits += killing.kill_while_reading(
                mount(case, server, cache, names), FOLDER,
                source.uniform(0, span))
        again = mount(case, server, cache, names)
        wrong = killing.difference(again, server, FOLDER)
        case.expect(not wrong, f'after {kills} kills, names={names}: {wrong}')
        again.unmount()
    case.note(f'{hits} of {sum(CACHES)} kills hit a reader, {span:.2f} s each')


if __name__ == '__main__':
    tap.main()
