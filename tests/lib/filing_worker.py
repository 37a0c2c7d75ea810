#!/usr/bin/env python3
"""Moves, removes, flags, adds and edits messages at random, in the folders of a
mount: a program of its own, for it may hang in the kernel when the daemon goes.

    filing_worker.py ROOT SEED SECONDS FOLDER,FOLDER...

What it is about to do is on its output, and then what has become of it:

    begin KIND KEY FOLDER DIGEST
    done | failed ERRNO

KEY is the message's Message-ID, FOLDER where it is to be then, DIGEST that of
the octets that it is to have; "-" for what stays. It takes only messages whose
name has "work-" in it. It ends after so many seconds, or with the mount."""

import contextlib
import errno
import hashlib
import os
import random
import re
import sys
import time

MOUNT_IS_GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.ENODEV)
PAUSE = 0.02  # seconds, after a failure


def make(key, number):
    return (f'From: Worker <worker@example.org>\r\nMessage-ID: {key}\r\n'
            f'Date: Sun, 22 Nov 2026 09:30:{number % 60:02d} +0000\r\n'
            f'Subject: work {number}\r\n\r\nNumber {number}.\r\n').encode()


def key_of(body):
    found = re.search(rb'^Message-ID: *(\S+)', body, re.M)
    return found[1].decode() if found else None


def digest(body):
    return hashlib.sha256(body).hexdigest()


class Worker:
    def __init__(self, root, seed, folders):
        self.root = root
        self.seed = seed
        self.folders = folders
        self.source = random.Random(seed)
        self.turn = 0

    def path(self, folder, name):
        return f'{self.root}/{folder}/{name}'

    def new_name(self):
        return f'work-{self.seed}-{self.turn}.eml'

    def say(self, *words):
        print(*words, flush=True)

    def choose(self):
        """A message: folder, name, octets. None: there is none yet."""
        folder = self.source.choice(self.folders)
        names = sorted(name for name in os.listdir(f'{self.root}/{folder}')
                       if 'work-' in name and name.endswith('.eml'))
        if not names:
            return None
        name = self.source.choice(names)
        with open(self.path(folder, name), 'rb') as file:
            body = file.read()
        # It may be there already, and be written only now.
        return (folder, name, body) if key_of(body) else None

    # What it does with a message; each says what first.

    def remove(self, folder, name, body):
        self.say('begin', 'remove', key_of(body), '-', '-')
        os.unlink(self.path(folder, name))

    def move(self, folder, name, body):
        target = self.source.choice([f for f in self.folders if f != folder])
        self.say('begin', 'move', key_of(body), target, '-')
        os.rename(self.path(folder, name), self.path(target, self.new_name()))

    def flag(self, folder, name, body):
        self.say('begin', 'flag', key_of(body), '-', '-')
        os.setxattr(self.path(folder, name), 'user.imap.flags', b'+work')

    def add(self, *_):
        folder = self.source.choice(self.folders)
        key = f'<{self.seed}.{self.turn}@work>'
        body = make(key, self.turn)
        self.say('begin', 'add', key, folder, digest(body))
        self.write(self.path(folder, self.new_name()), body, os.O_EXCL)

    def _edited(self, kind, body):
        body += f'Edited {self.seed} {self.turn}.\r\n'.encode()
        self.say('begin', kind, key_of(body), '-', digest(body))
        return body

    def edit(self, folder, name, body):
        """In place."""
        new = self._edited('edit', body)
        fd = os.open(self.path(folder, name), os.O_WRONLY | os.O_APPEND)
        self.close_after(fd, new[len(body):])

    def save(self, folder, name, body):
        """By a temporary file that takes its place."""
        new = self._edited('save', body)
        temporary = self.path(folder, f'.{name}.Ab12Cd')
        # An earlier attempt may have left it.
        self.write(temporary, new, os.O_TRUNC)
        os.rename(temporary, self.path(folder, name))

    def anew(self, folder, name, body):
        """Removed, and made again."""
        new = self._edited('anew', body)
        os.unlink(self.path(folder, name))
        self.write(self.path(folder, name), new, os.O_EXCL)

    def write(self, path, body, flags=0):
        self.close_after(os.open(path, os.O_WRONLY | os.O_CREAT | flags,
                                 0o600), body)

    @staticmethod
    def close_after(fd, body):
        try:
            os.write(fd, body)
        except OSError:
            with contextlib.suppress(OSError):
                os.close(fd)
            raise
        os.close(fd)

    def sync(self):
        fd = os.open(f'{self.root}/{self.source.choice(self.folders)}',
                     os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    KINDS = ((remove, 6), (move, 40), (flag, 10), (add, 14), (edit, 12),
             (save, 10), (anew, 8))

    def step(self):
        self.turn += 1
        chosen = self.choose()
        if chosen is None:
            return
        kinds, weights = zip(*self.KINDS)
        kind, = self.source.choices(kinds, weights)
        try:
            kind(self, *chosen)
        except OSError as error:
            self.say('failed', error.errno)
            raise
        self.say('done')
        if self.source.random() < 0.02:
            self.sync()

    def work(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.step()
            except OSError as error:
                if error.errno in MOUNT_IS_GONE or not os.path.isdir(
                        f'{self.root}/{self.folders[0]}'):
                    return
                time.sleep(PAUSE)


if __name__ == '__main__':
    Worker(sys.argv[1], int(sys.argv[2]), sys.argv[4].split(',')).work(
        float(sys.argv[3]))
