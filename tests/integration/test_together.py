#!/usr/bin/env python3
"""Four processes that move, delete, add and edit messages in the same folders
while another client does so, too: afterwards the mount and the server agree,
and every message is there as often as arithmetic says."""

import collections
import contextlib
import hashlib
import os
import random
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import wait_until
from desk import NO_MOVE, PLAIN, Desk
from filing_worker import digest, key_of, make

FOLDERS = ('INBOX', 'Other', 'Third')
TURNS = 40 if tap.SANITIZED else 80
OURS = 90

# Each of the four takes messages that any of them may take, and says what has
# become of it. "anew" is left out: between removing and making, the name is
# free for others.
WORKER = r'''
import errno, hashlib, os, sys
sys.path.insert(0, sys.argv[4])
from filing_worker import Worker
worker = Worker(sys.argv[1], int(sys.argv[2]), sys.argv[3].split(','))
worker.KINDS = tuple(
    (kind, weight) for kind, weight in Worker.KINDS
    if kind.__name__ in ('remove', 'move', 'flag', 'add'))
for turn in range(int(sys.argv[5])):
    try:
        worker.step()
    except OSError as error:
        # Another of us was quicker, or is just at it; or it is not stored yet.
        if error.errno not in (errno.ENOENT, errno.EEXIST, errno.EBUSY,
                               errno.ESTALE, errno.EOPNOTSUPP):
            raise
'''


class Theirs:
    """Another client: it moves, deletes and adds messages of its own."""

    def __init__(self, desk, source):
        self.source = source
        self.client = dovecot.Client(desk.server)
        self.added = {}
        self.gone = set()
        self.number = 0

    def add(self, folder):
        self.number += 1
        key = f'<{self.number}@theirs>'
        body = make(key, self.number).replace(b'Subject: work',
                                              b'Subject: theirs')
        assert self.client.imap.append(folder, None, None, body)[0] == 'OK'
        self.added[key] = digest(body)

    def own(self):
        return self.client.imap.uid(
            'SEARCH', 'HEADER', 'Message-ID', '@theirs')[1][0].split()

    def key(self, uid):
        answer = self.client.imap.uid('FETCH', uid, '(BODY.PEEK[])')[1]
        return key_of(next(part[1] for part in answer
                           if isinstance(part, tuple)))

    def turn(self):
        here, there = self.source.sample(FOLDERS, 2)
        self.add(here)
        self.client.open(here, readonly=False)
        uids = self.own()
        uid = self.source.choice(uids)
        if self.source.random() < 0.4:
            self.gone.add(self.key(uid))
            imap = self.client.imap
            assert imap.uid('STORE', uid, '+FLAGS', '(\\Deleted)')[0] == 'OK'
            assert imap.uid('EXPUNGE', uid)[0] == 'OK'
        else:
            assert self.client.imap.uid('MOVE', uid, there)[0] == 'OK'

    def finish(self):
        """Where only all that is marked can be expunged, a mark is taken away
        for a moment: what was to be expunged then has it, and is still there."""
        for folder in FOLDERS:
            self.client.open(folder, readonly=False)
            for uid in self.client.imap.uid(
                    'SEARCH', 'DELETED', 'HEADER', 'Message-ID',
                    '@theirs')[1][0].split():
                if self.key(uid) in self.gone:
                    self.client.imap.uid('EXPUNGE', uid)

    def left(self):
        return {key: octets for key, octets in self.added.items()
                if key not in self.gone}


def arithmetic(case, before, outputs):
    """{key: digest} of what must be left of ours."""
    left = dict(before)
    removed = []
    for text in outputs:
        begun = None
        for line in text.splitlines():
            word, *rest = line.split()
            if word == 'begin':
                begun = rest
            elif word == 'done':
                kind, key, _, octets = begun
                if kind == 'remove':
                    removed.append(key)
                elif kind == 'add':
                    left[key] = octets
    for key in removed:
        case.expect(left.pop(key, None) is not None, key, 'was removed twice')
    return left


def on_server(desk):
    found = collections.Counter()
    for folder in FOLDERS:
        if desk.client.open(folder) == 0:
            continue
        for part in desk.client.imap.uid('FETCH', '1:*', '(BODY.PEEK[])')[1]:
            if isinstance(part, tuple) and key_of(part[1]).endswith(
                    ('@work>', '@theirs>')):
                found[key_of(part[1]),
                      hashlib.sha256(part[1]).hexdigest()] += 1
    return found


def in_mount(desk):
    found = collections.Counter()
    for folder in FOLDERS:
        for name in desk.names(folder):
            with contextlib.suppress(FileNotFoundError):
                with open(desk.path(folder, name), 'rb') as file:
                    body = file.read()
                if b'@work>' in body or b'@theirs>' in body:
                    found[key_of(body),
                          hashlib.sha256(body).hexdigest()] += 1
    return found


def together(case, **options):
    seed = int(os.environ.get('IMAPFS_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_SEED={seed}')
    source = random.Random(seed)
    desk = Desk(case, {folder: 1 for folder in FOLDERS}, **options)
    before = {}
    for number in range(OURS):
        key = f'<{number}@work>'
        body = make(key, number)
        desk.client.imap.append(FOLDERS[number % 3], None, None, body)
        before[key] = digest(body)
    desk.wait()
    workers = [subprocess.Popen(
        [sys.executable, '-c', WORKER, desk.mount.mountpoint,
         str(source.getrandbits(32)), ','.join(FOLDERS), HERE + '/../lib',
         str(TURNS)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(4)]
    for worker in workers:
        case.defer(worker.wait)
        case.defer(worker.kill)
    theirs = Theirs(desk, source)
    while any(worker.poll() is None for worker in workers):
        theirs.turn()
        # Not so fast that no folder stays as it is while it is read once.
        time.sleep(source.uniform(0, 0.2))
    outputs = []
    for worker in workers:
        out, err = worker.communicate(timeout=200 * tap.PATIENCE)
        case.expect(worker.returncode == 0, err.decode()[-2000:])
        outputs.append(out.decode())
    desk.wait(limit=120)
    theirs.finish()
    wanted = collections.Counter(arithmetic(case, before, outputs).items())
    wanted.update(theirs.left().items())
    found = on_server(desk)
    case.expect(found == wanted, 'too much:', sorted(found - wanted),
                'too little:', sorted(wanted - found))
    # What the other one did last may show a moment later.
    case.expect(wait_until(lambda: in_mount(desk) == found, 15 * tap.PATIENCE,
                           0.2), 'the mount shows', in_mount(desk) - found,
                'and not', found - in_mount(desk))
    desk.agree(*FOLDERS)
    case.note(f'{sum(out.count("done") for out in outputs)} changes by four, '
              f'{theirs.number} messages and as many changes by another; '
              f'{sum(found.values())} messages are left')


for way, named in (('all', {}), ('writeback', {'writeback': None}),
                   ('sync', {'sync': None}), ('no_move', {
                       'capability': NO_MOVE, 'writeback': None}),
                   ('plain', {'capability': PLAIN})):
    tap.test(limit=300, name=f'four_and_another_agree_{way}')(
        lambda case, named=named: together(case, **named))


if __name__ == '__main__':
    tap.main(jobs=3)
