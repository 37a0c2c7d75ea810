#!/usr/bin/env python3
"""Messages that were listed under a name that they do not keep, while they were
being moved: who has seen it can go by it after the server has answered."""

import errno
import os
import signal
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from mount import BINARY
from scene import Scene

PATIENT = 30 * tap.PATIENCE
COUNT = 8
FOLDERS = ('INBOX', 'Other', 'Third')
NEW = b'Subject: new\r\nMessage-ID: <new@example.org>\r\n\r\nnew\r\n'


class Moving(Scene):
    """Eight messages in INBOX, which can be moved to Other while the server
    does not answer. There, they get other UIDs. same: they are there, too."""

    def __init__(self, case, names, same=False):
        other = simple_mailbox('Other', count=3 * COUNT)
        other.remove(*range(COUNT + 1 if same else 1, 3 * COUNT + 1))
        super().__init__(
            case, [simple_mailbox(count=COUNT), other, Mailbox('Third')],
            timeout=PATIENT, names=names,
            capabilities=CAPABILITIES + ' MOVE UIDPLUS',
            options={'xattr': None})
        self.start()
        self.listed = sorted([os.listdir(self.path(folder))
                              for folder in FOLDERS][0])

    def in_maildir(self, *names):
        return self.path('.imapfs', 'maildir', *names)

    def hold(self):
        self.free = threading.Event()
        self.case.defer(self.free.set)
        self.server.hooks['UID MOVE'] = (
            lambda line, command: self.free.wait(PATIENT) and False)

    def names(self, folder='Other'):
        """{name: inode number}, as a listing tells."""
        return {entry.name: entry.inode()
                for entry in os.scandir(self.path(folder))}

    def wait(self):
        result = run(BINARY, '--wait', self.mount.mountpoint, limit=PATIENT)
        self.case.expect(result.clean, result)

    def on_server(self, folder='Other'):
        return sorted(one.body for one in self.server.find(folder).present)


def move_by_uid(moving):
    """"UID.eml" is no name that could be given."""
    for name in moving.listed:
        number = int(name.rsplit('.', 2)[-2])
        os.rename(moving.path('INBOX', name),
                  moving.path('Other', f'{100 + number}.eml'))


def move_in_maildir(moving):
    for kind in ('cur', 'new'):
        for name in os.listdir(moving.in_maildir('INBOX', kind)):
            os.rename(moving.in_maildir('INBOX', kind, name),
                      moving.in_maildir('Other', kind, name))


def move_and_land(case, names, move):
    """The names that were seen in between, which are no more."""
    moving = Moving(case, names)
    moving.hold()
    move(moving)
    seen = moving.names()
    case.expect(len(seen) == COUNT, 'there are', seen)
    moving.free.set()
    moving.wait()
    present = moving.names()
    case.expect(not set(present) & set(seen), 'names stay:', present)
    case.expect(sorted(present.values()) == sorted(seen.values()),
                'other inode numbers', seen, present)
    return moving, seen


def fails(case, number, call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        case.expect(error.errno == number, call, arguments, error)
    else:
        case.expect(False, call, arguments, 'does not fail')


def use_all(case, names, move):
    moving, seen = move_and_land(case, names, move)
    other = moving.on_server()
    paths = {name: moving.path('Other', name) for name in seen}
    bodies = {}
    for name, path in paths.items():
        case.expect(os.stat(path).st_ino == seen[name], path, 'is another')
        with open(path, 'rb') as file:
            bodies[name] = file.read()
    case.expect(sorted(bodies.values()) == other, 'wrong octets')
    case.expect(not set(moving.names()) & set(seen), 'they are listed')

    moved, removed, dated, flagged, edited, taken, stored, renamed = seen
    os.rename(paths[moved], moving.path('Third/moved.eml'))
    fails(case, errno.ENOENT, os.stat, paths[moved])
    os.rename(paths[renamed], moving.path('Other/renamed.eml'))
    fails(case, errno.ENOENT, os.stat, paths[renamed])
    os.unlink(paths[removed])
    fails(case, errno.ENOENT, os.unlink, paths[removed])
    case.expect(len(moving.names()) == COUNT - 2, moving.names())
    os.utime(paths[dated])
    os.setxattr(paths[flagged], 'user.imap.flags', b'+\\Flagged')
    with open(moving.path('.imapfs/flags/Other', flagged), 'w') as file:
        file.write('+\\Seen')
    with open(paths[edited], 'ab') as file:
        file.write(b'edited\r\n')
    moving.wait()
    case.expect(moving.on_server('Third') == [bodies[moved]], 'Third')
    want = sorted([*(body for name, body in bodies.items()
                     if name not in (moved, removed, edited)),
                   bodies[edited] + b'edited\r\n'])
    case.expect(moving.on_server() == want, 'Other')
    case.expect([one.body for one in moving.server.find('Other').present
                 if {'\\Flagged', '\\Seen'} <= set(one.flags)] ==
                [bodies[flagged]], 'flags')

    # What something else is called by now, is that.
    os.rename(moving.path('Third/moved.eml'), paths[taken])
    case.expect(os.stat(paths[taken]).st_ino == seen[moved], 'not taken')
    case.expect(taken in moving.names(), moving.names())
    os.unlink(paths[taken])
    fails(case, errno.ENOENT, os.unlink, paths[taken])
    with open(moving.path('Other/.new'), 'wb') as file:
        file.write(NEW)
    os.rename(moving.path('Other/.new'), paths[stored])
    moving.wait()
    case.expect(moving.on_server() == sorted([*want, NEW]), 'not stored')
    os.unlink(paths[stored])
    fails(case, errno.ENOENT, os.unlink, paths[stored])
    moving.wait()
    case.expect(moving.on_server() == want, 'the wrong one was removed')


for way, names, move in (('uid', 'uid', move_by_uid),
                         ('subject', 'subject', move_by_uid),
                         ('maildir', 'subject', move_in_maildir),
                         ('maildir_uid', 'uid', move_in_maildir)):
    tap.test(limit=120, name='what_was_listed_can_be_used_' + way,
             arguments=(names, move))(use_all)


@tap.test(limit=120)
def test_name_that_nobody_has_seen_is_free_at_once(case):
    moving = Moving(case, 'subject')
    move_by_uid(moving)
    moving.wait()
    for name in moving.listed:
        fails(case, errno.ENOENT, os.stat, moving.path('Other', name))
    with open(moving.path('Other', moving.listed[0]), 'xb') as file:
        file.write(NEW)
    case.expect(len(moving.on_server()) == COUNT + 1, moving.on_server())


@tap.test(limit=120)
def test_name_of_another_is_left_to_it(case):
    """Which is the same message, there already, by the same UID."""
    moving = Moving(case, 'subject', same=True)
    before = moving.names()
    moving.hold()
    move_by_uid(moving)
    seen = moving.names()
    case.expect(len(seen) == 2 * COUNT, seen)
    case.expect(before.items() <= seen.items(), 'other names', seen)
    moving.free.set()
    moving.wait()
    case.expect(before.items() <= moving.names().items(), moving.names())
    for name, number in seen.items():
        case.expect(os.stat(moving.path('Other', name)).st_ino == number,
                    name, 'is another')


@tap.test(limit=120)
def test_name_that_was_made_up_does_not_stay(case):
    """Who moves all that is listed has given it to nothing."""
    moving, seen = move_and_land(case, 'uid', move_by_uid)
    for name in seen:
        os.rename(moving.path('Other', name), moving.path('Third', name))
    for name, number in seen.items():
        case.expect(os.stat(moving.path('Third', name)).st_ino == number,
                    name, 'is another')
    moving.wait()
    case.expect(set(moving.names('Third')) ==
                {f'{uid}.eml' for uid in range(1, COUNT + 1)},
                moving.names('Third'))
    for name, number in seen.items():
        case.expect(os.stat(moving.path('Third', name)).st_ino == number,
                    name, 'is another')
        fails(case, errno.ENOENT, os.stat, moving.path('Other', name))


def kill(moving):
    os.kill(moving.mount.pid, signal.SIGKILL)
    wait_until(lambda: not moving.mount.is_alive(), PATIENT)
    if mounting.is_mounted(moving.mount.mountpoint):
        run('fusermount3', '-uz', moving.mount.mountpoint)
    moving.mount.process.returncode = 0


@tap.test(limit=120)
def test_next_mount_calls_it_as_that_which_was_killed(case):
    def cut(line, command):
        line.close()
        return True

    def bases():
        return {name.partition(':2,')[0] for kind in ('cur', 'new')
                for name in os.listdir(moving.in_maildir('Other', kind))}

    moving = Moving(case, 'uid')
    # What is known of the messages is on the disk then.
    moving.mount.unmount()
    moving.start(data=moving.mount.data)
    moving.server.hooks['UID MOVE'] = cut
    move_by_uid(moving)
    seen, in_maildir = moving.names(), bases()
    case.expect(len(seen) == COUNT and len(in_maildir) == COUNT, seen)
    kill(moving)
    moving.start(data=moving.mount.data)
    case.expect(moving.names() == seen, 'names are', moving.names())
    case.expect(bases() == in_maildir, 'bases are', bases())
    moving.server.hooks.clear()
    moving.wait()
    case.expect(len(moving.on_server()) == COUNT, moving.on_server())
    case.expect(bases() == in_maildir, 'bases are', bases())
    for name, number in seen.items():
        case.expect(os.stat(moving.path('Other', name)).st_ino == number,
                    name, 'is another')


@tap.test(limit=120)
def test_programs_that_have_listed_go_on(case):
    """Each lists first, and is given the names one by one."""
    moving = Moving(case, 'uid')
    moving.hold()
    move_by_uid(moving)
    seen = sorted(moving.names())
    listing = os.scandir(moving.path('Other'))
    first = next(listing)
    moving.free.set()
    case.expect(wait_until(lambda: not set(moving.names()) & set(seen),
                           PATIENT), moving.names())
    names = [first.name, *(entry.name for entry in listing)]
    case.expect(len(names) == COUNT, 'listed', names)
    result = run('tar', '-cf', case.path('all.tar'), '-C',
                 moving.path('Other'), *names, limit=PATIENT)
    case.expect(result.clean, result)
    result = run('rm', *(moving.path('Other', name) for name in seen),
                 limit=PATIENT)
    case.expect(result.clean, result)
    moving.wait()
    case.expect(moving.on_server() == [], moving.on_server())


if __name__ == '__main__':
    tap.main(jobs=4)
