#!/usr/bin/env python3
"""The times of the directories of a Maildir, by which programs know where to
look: they move when a name there does, and at no other time."""

import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from maildir import Box, numbered, renamed, times
from proxy import Proxy
from writing import message


@tap.test
def test_moving_moves_the_times_that_it_must(case):
    box = Box(case, {'INBOX': [(message(1), '\\Seen'), *numbered(2, 2)],
                     'Other': numbered(2, 8)})
    paths = {kind: box.find(f'number {number}')
             for kind, number in (('cur', 1), ('new', 2))}
    for folder in ('INBOX', 'Other'):
        box.list(folder)
    for kind, path in paths.items():
        before = times(box), times(box, 'Other')
        os.rename(path, box.maildir('Other', kind, os.path.basename(path)))
        box.wait()
        box.soon(lambda: len(box.stored('Other')) == (3 if kind == 'cur' else 4),
                 'not moved')
        box.list('Other')
        after = times(box), times(box, 'Other')
        for one, other, folder in zip(before, after, ('INBOX', 'Other')):
            case.expect([name for name in ('cur', 'new')
                         if one[name] != other[name]] == [kind], folder,
                        kind, one, other)
    box.expect_same('Other')


@tap.test
def test_time_moves_of_where_a_message_comes_and_goes(case):
    box = Box(case, {'INBOX': numbered(2)})
    path = box.deliver(message(9), '9.R9.host:2,S', 'cur')
    box.wait()
    box.list()
    before = times(box)

    def moved():
        now = times(box)
        return [name for name in ('cur', 'new') if now[name] != before[name]]
    # What a program had put into cur, and now marks as unread.
    os.rename(path, box.maildir('INBOX', 'new', '9.R9.host'))
    case.expect(moved() == ['cur', 'new'], moved())
    case.expect(box.list()['9.R9.host'] == 'new', box.list())
    box.wait()
    # What a program has moved there, and another client deletes.
    old = renamed(box.find('number 1'), '')
    box.wait()
    case.expect(old == box.find('number 1') and '/cur/' in old, box.list())
    before = times(box)
    box.client.open('INBOX', readonly=False)
    box.client.imap.uid('STORE', '1', '+FLAGS', '(\\Deleted)')
    box.client.imap.uid('EXPUNGE', '1')
    box.soon(lambda: not os.path.exists(old), 'it is still there')
    case.expect(moved() == ['cur'], moved())
    box.expect_same()


class Unused(Box):
    """Behind a slow line; a folder is in use for no time at all after its last
    use."""

    def start(self, **named):
        to = int(re.search(r':(\d+)/', self.url)[1])
        line = Proxy(to, self.case, rtt_ms=200)
        self.url = self.url.replace(f':{to}/', f':{line.port}/')
        return super().start(environment={'IMAPFS_KEEP_MS': '1'}, **named)


@tap.test
def test_times_are_right_after_a_while_without_use(case):
    """Who looks once an hour finds what has come in that hour: of a folder that
    nobody has kept up, the server is asked before its times are told."""
    box = Unused(case, {'INBOX': numbered(2)}, options={'poll': 1},
                 capability='IMAP4rev1 UIDPLUS MOVE QRESYNC')
    new = box.maildir('INBOX', 'new')

    def is_told(number):
        os.listdir(new)
        before = os.stat(new).st_mtime_ns
        time.sleep(1.5)
        box.append(message(number))
        return os.stat(new).st_mtime_ns != before
    case.expect(any(is_told(number) for number in range(10, 16)),
                'the time is what it was, each time')
    case.expect(os.path.exists(box.find('number 10')), box.list())


if __name__ == '__main__':
    tap.main()
