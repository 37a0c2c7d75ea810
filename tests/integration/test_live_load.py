#!/usr/bin/env python3
"""Another client makes 10,000 changes in a minute, while four programs scan the
mount. Then mount and server agree exactly, nothing hangs, and imapfs has
not grown."""

import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import wait_until
from mailstore import make_message
from mount import Mount

ROUNDS = 50
# In each round: appended, flagged and unflagged, expunged (which takes a flag
# first), moved.
APPENDS, FLAGS, EXPUNGES, MOVES = 50, 35, 25, 30
CHANGES = ROUNDS * (APPENDS + 2 * FLAGS + 2 * EXPUNGES + MOVES)
SECONDS = 50  # for all rounds

# What imapfs may have more of at the end: the blocks that it keeps in memory,
# and what the allocator and SQLite do with their own.
GROWTH = 12 * 1024 * 1024

# What a program may say of a message that goes while it looks at it.
GONE = re.compile(r'No such file or directory|Stale file handle')

SCANS = {
    'find': 'find "$1" -type f -size +0 >/dev/null',
    'ls': 'ls -lU "$1/INBOX" >/dev/null; ls -l "$1/Other" >/dev/null',
    'cat': 'cat "$1"/INBOX/*7.eml >/dev/null',
    'getfattr': 'getfattr --absolute-names -d "$1"/INBOX/*3.eml "$1"/Other/*1.eml >/dev/null',
}


class Scan:
    """A program that is run again and again until it is told to stop."""

    def __init__(self, case, mount, name):
        self.name = name
        self.log = case.path('scan-' + name)
        self.flag = case.path('stop')
        script = (f'n=0; while [ ! -e "$2" ]; do {SCANS[name]}; '
                  'n=$((n + 1)); done; echo "rounds $n" >&2')
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                ['bash', '-c', script, 'scan', mount.mountpoint, self.flag],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=dict(os.environ, LC_ALL='C.UTF-8'),
                start_new_session=True)
        case.defer(self.kill)

    def kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def check(self, case):
        ended = wait_until(lambda: self.process.poll() is not None,
                           15 * tap.PATIENCE)
        case.expect(ended, self.name, 'hangs')
        with open(self.log, errors='replace') as file:
            lines = file.read().splitlines()
        wrong = [line for line in lines
                 if not GONE.search(line) and not line.startswith('rounds ')]
        case.expect(not wrong, self.name, 'says', wrong[:5])
        case.note(self.name, lines[-1] if lines else 'says nothing')


def resident(pid):
    with open(f'/proc/{pid}/status') as lines:
        return next(int(line.split()[1]) * 1024 for line in lines
                    if line.startswith('VmRSS:'))


class Changes:
    """What the other client does."""

    def __init__(self, server):
        self.imap = dovecot.Client(server).imap
        self.imap.select('INBOX')
        self.present = [int(uid) for uid in
                        self.imap.uid('SEARCH', 'ALL')[1][0].split()]
        self.made = 0
        self.bodies = [make_message(number, 300) for number in range(20)]

    def take(self, count):
        uids, self.present = self.present[:count], self.present[count:]
        return ','.join(map(str, uids))

    def uid(self, *words):
        answer = self.imap.uid(*words)
        assert answer[0] == 'OK', answer

    def round(self, number):
        for i in range(APPENDS):
            answer = self.imap.append('INBOX', None, None,
                                      self.bodies[i % len(self.bodies)])
            assert answer[0] == 'OK', answer
            code = self.imap.untagged_responses['APPENDUID'][-1].split()
            self.present.append(int(code[1]))
        some = ','.join(map(str, self.present[-FLAGS:]))
        self.uid('STORE', some, '+FLAGS', f'(\\Seen Round{number % 9})')
        self.uid('STORE', some, '-FLAGS', '(\\Seen)')
        gone = self.take(EXPUNGES)
        self.uid('STORE', gone, '+FLAGS', '(\\Deleted)')
        self.uid('EXPUNGE', gone)
        self.uid('MOVE', self.take(MOVES), 'Other')
        self.made += APPENDS + 2 * FLAGS + 2 * EXPUNGES + MOVES


def on_server(server, folder):
    """{UID: (size, flags)}."""
    found = {}
    with dovecot.Client(server) as client:
        client.open(folder)
        for line in client.imap.uid('FETCH', '1:*', '(FLAGS RFC822.SIZE)')[1]:
            text = line.decode()
            uid = int(re.search(r'UID (\d+)', text)[1])
            size = int(re.search(r'RFC822.SIZE (\d+)', text)[1])
            flags = set(re.search(r'FLAGS \(([^)]*)\)', text)[1].split())
            found[uid] = (size, frozenset(flags - {'\\Recent'}))
    return found


def in_mount(mount, folder):
    found = {}
    for name in os.listdir(mount.path(folder)):
        path = mount.path(folder, name)
        flags = os.getxattr(path, 'user.imap.flags').decode().split()
        found[int(name.split('.')[0])] = (os.stat(path).st_size,
                                          frozenset(flags))
    return found


def agrees(mount, wanted):
    try:
        return all(in_mount(mount, folder) == wanted[folder]
                   for folder in wanted)
    except OSError:
        return False


@tap.test(limit=300)
def test_thousands_of_changes_while_programs_scan(case):
    server = dovecot.start_sample(
        case, prepare=lambda new: (
            new.generate(flat='INBOX', messages=500, total_bytes=2000000,
                         seed=4),
            new.generate(flat='Other', messages=100, total_bytes=400000,
                         seed=5)))
    mount = Mount(case, server.url,
                  {'ca_file': server.ca_file, 'names': 'uid', 'xattr': None,
                   'timeout': 20 * tap.PATIENCE},
                  password=dovecot.password(server))
    scans = [Scan(case, mount, name) for name in SCANS]
    changes = Changes(server)
    begin = time.monotonic()
    for number in range(ROUNDS):
        changes.round(number)
        if number == ROUNDS // 5:
            before = resident(mount.pid)
        # Their time is part of what is tested: spread over it.
        rest = begin + (number + 1) * SECONDS / ROUNDS - time.monotonic()
        if rest > 0:
            time.sleep(rest)
    took = time.monotonic() - begin
    case.expect(changes.made == CHANGES == 10000, changes.made)
    # A machine that does more beside it gives the other client less.
    case.expect(took < 4 * SECONDS * tap.PATIENCE,
                f'the changes took {took:.1f} s')
    answered = time.monotonic()

    wanted = {folder: on_server(server, folder)
              for folder in ('INBOX', 'Other')}
    shown = wait_until(lambda: agrees(mount, wanted), 20 * tap.PATIENCE, 0.1)
    case.note(f'{changes.made} changes in {took:.1f} s, all shown '
              f'{time.monotonic() - answered:.1f} s after the last')
    for folder in wanted:
        got = in_mount(mount, folder) if not shown else wanted[folder]
        case.expect(got == wanted[folder], folder, 'differs:',
                    sorted(set(got.items()) ^ set(wanted[folder].items()))[:9])
    after = resident(mount.pid)
    with open(case.path('stop'), 'w'):
        pass
    for scan in scans:
        scan.check(case)
    case.note(f'resident: {before >> 10} kB after a fifth, {after >> 10} kB '
              'at the end')
    if not tap.SANITIZED:
        case.expect(after - before <= GROWTH, 'grew by', after - before)
    case.note(mount.messages()[-3000:])
    mount.unmount()


if __name__ == '__main__':
    tap.main(jobs=1)
