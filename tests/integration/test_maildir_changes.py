#!/usr/bin/env python3
"""Many changes in Maildirs, one upon the other and none waited for, while
another client changes other messages: each message is in the end where it was
put last, once, with the flags that its name had."""

import hashlib
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from maildir import FLAGS, Box
from writing import crlf, message

FOLDERS = ('INBOX', 'Other', 'Third')
LETTERS = 'DFRS'


class Known:
    """A message as it should be."""

    def __init__(self, body, folder, letters, path):
        self.body = body
        self.folder = folder
        self.letters = letters
        self.path = path
        self.inode = None  # of one whose path is to be found by that


class Changes:
    def __init__(self, case, seed, count):
        self.case = case
        self.random = random.Random(seed)
        self.count = count
        self.delivered = 0
        self.done = []
        self.box = Box(case, {folder: [
            (message(10000 + 100 * place + number), '\\Seen')
            for number in range(count)]
            for place, folder in enumerate(FOLDERS)})
        self.known = [
            Known(open(self.box.maildir(folder, 'cur', name), 'rb').read(),
                  folder, 'S', self.box.maildir(folder, 'cur', name))
            for folder in FOLDERS for name in self.box.list(folder, 'cur')]
        # The first half are this side's, the others the other client's.
        self.random.shuffle(self.known)
        half = len(self.known) // 2
        self.theirs = self.known[half:]
        self.known = self.known[:half]

    def did(self, *what):
        self.done.append(' '.join(
            word.removeprefix(self.box.root) for word in what))

    def some(self):
        one = self.random.choice(self.known)
        self.find(one)
        return one

    def some_letters(self):
        return ''.join(letter for letter in LETTERS
                       if self.random.random() < 0.4)

    def rename(self, one, folder, letters, base=None):
        old = os.path.basename(one.path)
        base = base or old.partition(':2,')[0]
        new = self.box.maildir(folder, 'cur', f'{base}:2,{letters}')
        self.did('rename', one.path, new)
        os.rename(one.path, new)
        one.path, one.folder, one.letters = new, folder, letters
        one.inode = None

    def flag(self):
        one = self.some()
        self.rename(one, one.folder, self.some_letters())

    def move(self):
        self.rename(self.some(), self.random.choice(FOLDERS),
                    self.some_letters())

    def call_otherwise(self):
        one = self.some()
        self.delivered += 1
        self.rename(one, one.folder, one.letters, f'7.c{self.delivered}.host')

    def move_in_folders(self):
        """As one does who does not know of Maildirs."""
        one = self.some()
        self.delivered += 1
        folder = self.random.choice(FOLDERS)
        name = f'by-hand-{self.delivered}.eml'
        one.inode = os.stat(one.path).st_ino
        # Of one that has just been moved here, the name is another when the
        # server has said its UID, which may be between looking and renaming.
        entry = next(entry for entry in os.scandir(self.box.path(one.folder))
                     if entry.inode() == one.inode)
        self.did('by hand', one.path, entry.path, folder, name)
        os.rename(entry.path, self.box.path(folder, name))
        one.folder = folder

    def find(self, one):
        """What it is called then is not for programs to say, until one does."""
        if one.inode is not None:
            one.path = next(
                self.box.maildir(one.folder, kind, entry.name)
                for kind in ('cur', 'new')
                for entry in os.scandir(self.box.maildir(one.folder, kind))
                if entry.inode() == one.inode)

    def deliver(self):
        self.delivered += 1
        body = message(20000 + self.delivered)
        folder = self.random.choice(FOLDERS)
        kind = self.random.choice(('cur', 'new'))
        letters = self.some_letters() if kind == 'cur' else ''
        name = f'8.d{self.delivered}.host'
        self.did('deliver', folder, kind, name, letters)
        path = self.box.deliver(
            body, name + (f':2,{letters}' if kind == 'cur' else ''), kind,
            folder, link=self.random.random() < 0.5)
        self.known.append(Known(crlf(body), folder, letters, path))

    def delete(self):
        if len(self.known) > self.count // 2:
            one = self.some()
            self.did('unlink', one.path)
            os.unlink(one.path)
            self.known.remove(one)

    def of_another(self):
        """One of the others, by another client."""
        one = self.random.choice(self.theirs)
        self.box.client.open(one.folder, readonly=False)
        uid = os.path.basename(one.path).partition('U')[2].partition('.')[0]
        what = self.random.randrange(4)
        if what == 0 and len(self.theirs) > self.count // 2:
            self.box.client.imap.uid('STORE', uid, '+FLAGS', '(\\Deleted)')
            self.box.client.imap.uid('EXPUNGE', uid)
            self.theirs.remove(one)
        else:
            one.letters = self.some_letters()
            self.box.client.imap.uid('STORE', uid, 'FLAGS', '({})'.format(
                ' '.join(FLAGS[letter] for letter in one.letters)))

    def expected(self, folder):
        return sorted((one.letters, hashlib.sha256(one.body).hexdigest())
                      for one in self.known + self.theirs
                      if one.folder == folder)

    def expect(self):
        self.box.wait()
        for folder in FOLDERS:
            stored = sorted(
                (''.join(sorted(letter for letter, flag in FLAGS.items()
                                if flag in one.flags)),
                 hashlib.sha256(one.body).hexdigest())
                for one in self.box.stored(folder))
            self.case.expect(stored == self.expected(folder), folder,
                             'on the server', stored, 'expected',
                             self.expected(folder))
            self.box.expect_same(folder)
        for one in self.known:
            self.find(one)
            self.case.expect(os.path.exists(one.path), one.path,
                             'has another name in', self.box.list(one.folder))


def change(case, seed, count, turns):
    changes = Changes(case, seed, count)
    actions = ([changes.flag] * 4 + [changes.move] * 4 +
               [changes.deliver] * 2 + [changes.delete] * 2 +
               [changes.call_otherwise] + [changes.move_in_folders] +
               [changes.of_another] * 2)
    for turn in range(turns):
        action = changes.random.choice(actions)
        try:
            action()
        except OSError as error:
            case.expect(False, f'turn {turn}: {action.__name__}: {error}',
                        '\nthere are', [changes.box.list(folder)
                                        for folder in FOLDERS],
                        '\nafter', '\n'.join(changes.done))
            return
    changes.expect()
    for one in changes.known:
        one.inode = None
    changes.box.again()
    changes.expect()


for seed in range(2):
    tap.test(limit=240, name=f'changes_upon_changes_leave_each_once_{seed}',
             arguments=(seed, 10, 150))(change)


if __name__ == '__main__':
    tap.main()
