#!/usr/bin/env python3
"""Messages that are moved again before the server has been told of the first
move: each is in the end where it was put last, once, as it was called and
flagged last."""

import contextlib
import errno
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import run, wait_until
from maildir import FLAGS, Box
from proxy import Proxy
from writing import crlf, message

FOLDERS = ('INBOX', 'Other', 'Third')
SOON = 20 * tap.PATIENCE


class Away(Box):
    """Behind a line that can be taken away; eight messages in INBOX, seen."""

    proxy = None

    def __init__(self, case, **named):
        super().__init__(case, {'INBOX': [
            (message(number), '\\Seen') for number in range(1, 9)],
            'Other': [], 'Third': []}, **named)
        self.known = {number: os.path.basename(self.find(f'number {number}'))
                      for number in range(1, 9)}
        self.plain = {number: name for name in os.listdir(self.path('INBOX'))
                      for number in range(1, 9) if f'.{number}.eml' in name}
        self.put = {}  # number: (folder, letters), by move()
        for folder in FOLDERS:
            self.list(folder)
            os.listdir(self.path(folder))

    def start(self, **named):
        if self.proxy is None:
            self.to = int(re.search(r':(\d+)/', self.url)[1])
            self.proxy = Proxy(self.to, self.case)
            self.url = self.url.replace(f':{self.to}/', f':{self.proxy.port}/')
            self.options['poll'] = 1
        return super().start(**named)

    def gone(self):
        self.proxy.stop()
        self.case.expect(wait_until(
            lambda: 'is shown as it was' in self.mount.messages(), SOON),
            self.mount.messages())

    def back(self):
        self.proxy = Proxy(self.to, self.case, port=self.proxy.port)

    def come_back(self):
        """The line is there again, and known to be."""
        self.back()
        self.case.expect(wait_until(
            lambda: 'can be reached again' in self.mount.messages(), SOON),
            'the server is away')

    def move(self, number, source, target, letters='S', base=None):
        """In the Maildirs."""
        old = self.known[number]
        new = f"{base or old.partition(':2,')[0]}:2,{letters}"
        os.rename(self.maildir(source, 'cur', old),
                  self.maildir(target, 'cur', new))
        self.known[number] = new
        self.put[number] = (target, letters)
        self.case.expect(new in os.listdir(self.maildir(target, 'cur')), new,
                         'is not in', target, self.list(target))
        if source != target:
            self.case.expect(new not in os.listdir(self.maildir(source, 'cur')),
                             new, 'is still in', source)

    def move_plain(self, number, source, target):
        os.rename(self.path(source, self.plain[number]),
                  self.path(target, self.plain[number]))

    def take_name(self, number, folder):
        inode = os.stat(self.path(folder, self.plain[number])).st_ino
        self.known[number] = next(
            entry.name for entry in os.scandir(self.maildir(folder, 'cur'))
            if entry.inode() == inode)


def kill(box):
    os.kill(box.mount.pid, signal.SIGKILL)
    wait_until(lambda: not box.mount.is_alive(), SOON)
    if mounting.is_mounted(box.mount.mountpoint):
        run('fusermount3', '-uz', box.mount.mountpoint)
    box.mount.process.returncode = 0


def move_all(box):
    box.move(1, 'INBOX', 'Other')
    box.move(1, 'Other', 'Third')
    box.move(2, 'INBOX', 'Other')
    box.move(2, 'Other', 'INBOX')
    box.move(3, 'INBOX', 'Other')
    box.move(3, 'Other', 'Other', 'FS', '3.R3.host')
    box.move_plain(4, 'INBOX', 'Other')
    box.take_name(4, 'Other')
    box.move(4, 'Other', 'Third', 'FRS')
    box.move(5, 'INBOX', 'Other')
    os.unlink(box.maildir('Other', 'cur', box.known.pop(5)))
    box.move(6, 'INBOX', 'Other', 'S')
    box.move(6, 'Other', 'Third', 'S')
    box.move(6, 'Third', 'INBOX', 'RS', '6.R6.host')
    box.move_plain(7, 'INBOX', 'Other')
    box.move_plain(7, 'Other', 'Third')
    box.take_name(7, 'Third')
    box.move_plain(8, 'INBOX', 'Other')
    box.take_name(8, 'Other')
    box.move(8, 'Other', 'INBOX', 'FS')
    box.move(8, 'INBOX', 'INBOX', 'F')


EXPECTED = {'INBOX': {2: 'S', 6: 'RS', 8: 'F'}, 'Other': {3: 'FS'},
            'Third': {1: 'S', 4: 'FRS', 7: 'S'}}


def expect(box, expected=EXPECTED):
    for folder, messages in expected.items():
        def stored():
            return {int(re.search(rb'number (\d)', one.body)[1]):
                    ''.join(sorted(letter for letter, flag in FLAGS.items()
                                   if flag in one.flags))
                    for one in box.stored(folder)}
        box.case.expect(wait_until(lambda: stored() == messages, SOON),
                        'in', folder, stored(), 'and not', messages,
                        box.mount.messages()[-2000:])
        box.case.expect(len(box.stored(folder)) == len(messages),
                        box.stored(folder))
        box.expect_same(folder)
        names = {box.known[number] for number in messages}
        box.case.expect(set(box.list(folder)) == names, folder, 'shows',
                        box.list(folder), 'and not', names)


@tap.test(limit=120)
def test_moved_twice_at_once(case):
    box = Away(case)
    move_all(box)
    expect(box)


@tap.test(limit=120)
def test_moved_twice_without_a_line(case):
    box = Away(case)
    box.gone()
    move_all(box)
    box.back()
    expect(box)


@tap.test(limit=120)
def test_moved_twice_without_a_line_and_killed(case):
    box = Away(case)
    box.gone()
    move_all(box)
    kill(box)
    box.back()
    box.start()
    expect(box)


@tap.test(limit=120)
def test_moved_again_while_the_server_does_not_answer(case):
    """What is refused then stays where it was, and what is not is done."""
    box = Away(case, options={'timeout': 5 * tap.PATIENCE})
    box.proxy.hold()
    for number in range(1, 5):
        box.move(number, 'INBOX', 'Other')
    for number, (target, letters) in enumerate(
            [('Third', 'S'), ('INBOX', 'S'), ('Other', 'FS'), ('Third', 'F')],
            1):
        # It may be refused; and what is not, may not be shown in time.
        with contextlib.suppress(OSError):
            box.move(number, 'Other', target, letters)
    box.proxy.cut()
    box.proxy.resume()
    expect(box, {folder: {number: letters
                          for number, (place, letters) in box.put.items()
                          if place == folder} |
                 ({number: 'S' for number in range(5, 9)}
                  if folder == 'INBOX' else {}) for folder in FOLDERS})


def goes(path):
    """It may just be tried to store it."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    return not os.path.exists(path)


@tap.test(limit=120)
def test_delivery_that_failed_without_a_line_may_be_taken_back(case):
    """Who is told that it failed removes the file, and tries again later under
    another name: that is one message then."""
    box = Away(case)
    box.gone()
    first = box.maildir('Other', 'tmp', '1.R1.host')
    second = box.path('Other', 'letter.eml')
    for path, number in (first, 11), (second, 12):
        with contextlib.suppress(OSError), open(path, 'wb') as file:
            file.write(message(number))
    try:
        os.link(first, box.maildir('Other', 'new', '1.R1.host'))
        case.expect(False, 'link does not fail')
    except OSError as error:
        case.expect(error.errno in (errno.ENETDOWN, errno.EHOSTUNREACH,
                                    errno.ETIMEDOUT), error)
    for path in first, second:
        case.expect(wait_until(lambda: goes(path), SOON), path, 'stays')
    case.expect(os.listdir(box.path('.imapfs', 'lost+found')) == [], 'lost')
    box.come_back()
    box.deliver(message(11), '2.R2.host', 'new', 'Other')
    box.wait()
    case.expect([one.body for one in box.stored('Other')] ==
                [crlf(message(11))], box.stored('Other'))
    case.expect(box.list('Other') == {'2.R2.host': 'new'}, box.list('Other'))
    box.again()
    box.expect_same('Other')


@tap.test(limit=120)
def test_link_that_is_removed_again_leaves_what_it_was_made_of(case):
    box = Away(case, options={'writeback': None})
    box.gone()
    first = box.maildir('Other', 'tmp', '1.R1.host')
    second = box.maildir('Other', 'new', '1.R1.host')
    with open(first, 'xb') as file:
        file.write(message(11))
    os.link(first, second)
    case.expect(wait_until(lambda: goes(second), SOON), 'it stays')
    case.expect(os.listdir(box.maildir('Other', 'tmp')) == ['1.R1.host'],
                'what it was made of is gone')
    with open(first, 'rb') as file:
        case.expect(file.read() == message(11), 'it has other octets')
    os.link(first, second)
    os.unlink(first)
    box.come_back()
    box.wait()
    case.expect([one.body for one in box.stored('Other')] ==
                [crlf(message(11))], box.stored('Other'))
    case.expect(box.list('Other') == {'1.R1.host': 'new'}, box.list('Other'))


@tap.test(limit=120)
def test_removed_after_it_was_replaced_without_a_line_is_not_there(case):
    """What it has replaced must not come back."""
    box = Away(case, options={'writeback': None})
    box.gone()
    path = box.path('INBOX', box.plain[1])
    with open(box.path('INBOX', '.new.tmp'), 'xb') as file:
        file.write(message(1, body='edited'))
    os.rename(box.path('INBOX', '.new.tmp'), path)
    with contextlib.suppress(OSError):
        os.unlink(path)
        case.expect(not os.path.exists(path), 'it is there after it was removed')
    box.come_back()
    case.expect(wait_until(lambda: goes(path), SOON), 'it stays')
    box.wait()
    case.expect(not any(b'number 1' in one.body for one in box.stored('INBOX')),
                box.stored('INBOX'))


if __name__ == '__main__':
    tap.main()
