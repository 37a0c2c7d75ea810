#!/usr/bin/env python3
"""All views beside the mailbox that they show: after many changes from both
sides, and at the moment of one."""

import errno
import json
import os
import random
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import run, wait_until
from desk import Desk
from maildir import FLAGS
from mailstore import simple_mailbox
from mount import Mount
from scene import Scene
from tap import PATIENCE

FOLDERS = ('INBOX', 'Other')
CHANGES = 1000
ROUNDS = 25
COMPARED_EVERY = 5


def view(desk, name, *parts):
    return desk.path('.imapfs', name, *parts)


def rows(desk, folder):
    with open(view(desk, 'index', folder + '.jsonl')) as file:
        return {row['name']: row for row in map(json.loads, file)}


def maildir(desk, folder):
    """{inode: letters} of its messages, and whether one of them is in "new"
    with any, or in "cur" under a name of another kind."""
    found, wrong = {}, []
    for kind in ('cur', 'new'):
        for entry in os.scandir(view(desk, 'maildir', folder, kind)):
            _, mark, letters = entry.name.partition(':2,')
            if entry.inode() in found or bool(mark) != (kind == 'cur'):
                wrong.append(entry.path)
            found[entry.inode()] = letters
    return found, wrong


def letters_of(flags):
    return ''.join(sorted(letter for letter, flag in FLAGS.items()
                          if flag in flags))


def maildir_disagreements(desk, folder, flags):
    found, wrong = maildir(desk, folder)
    for uid, is_set in flags.items():
        try:
            inode = os.stat(desk.path(folder, f'{uid}.eml')).st_ino
        except FileNotFoundError:
            wrong.append(uid)
            continue
        letters = re.sub('[a-z]', '', found.pop(inode, 'nowhere'))
        if letters != letters_of(is_set):
            wrong.append((uid, letters, is_set))
    return [('maildir', *wrong[:9], *found)] if wrong or found else []


def disagreements(desk, folder):
    """Names that are in one view and not in another; and flags and subjects
    that are not those of the server."""
    names = set(desk.names(folder))
    found = {
        'text': {name.removesuffix('.txt')
                 for name in os.listdir(view(desk, 'text', folder))},
        'parts': set(os.listdir(view(desk, 'parts', folder))),
        'search': set(os.listdir(view(desk, 'search', folder, 'raw:ALL'))),
        'index': set(rows(desk, folder)),
    }
    wrong = [(which, sorted(names ^ there)[:9])
             for which, there in found.items() if there != names]
    flags = {uid: set(is_set) - {'\\Recent'}
             for uid, is_set in desk.flags(folder).items()}
    wrong += [(name, row['flags'], flags.get(row['uid']))
              for name, row in rows(desk, folder).items()
              if set(row['flags']) - {'\\Recent'} != flags.get(row['uid'])]
    return wrong + maildir_disagreements(desk, folder, flags)


class Changes:
    """Random ones, with the same seed each time."""

    def __init__(self, desk):
        self.desk, self.source, self.n = desk, random.Random(11), 0
        self.client = desk.client

    def here(self, count):
        """By programs, on the mount."""
        folder, other = self.source.sample(FOLDERS, 2)
        names = self.source.sample(self.desk.names(folder), count)
        for name in names:
            self.n += 1
            path = self.desk.path(folder, name)
            kind = self.source.randrange(6)
            try:
                if kind > 3:
                    self.in_maildir(folder, other, os.stat(path).st_ino)
                elif kind == 0:
                    os.remove(path)
                elif kind == 1:
                    os.rename(path, self.desk.path(other,
                                                   f'moved-{self.n}.eml'))
                elif kind == 2:
                    flags = view(self.desk, 'flags', folder, name)
                    # Not to be made, if it is gone.
                    with open(os.open(flags, os.O_WRONLY), 'w') as file:
                        file.write(self.source.choice(('+', '-'))
                                   + self.source.choice(('\\Seen', 'work')))
                else:
                    with open(self.desk.path(folder, f'new-{self.n}.eml'),
                              'xb') as file:
                        file.write(self.message())
            except OSError as error:
                # The other client was quicker.
                assert error.errno in (2, 116), error

    def in_maildir(self, folder, other, inode):
        """As a mail program does: flags it, files it, deletes it."""
        to = self.source.choice((folder, other, None))
        letter = self.source.choice('FRS')
        for part in ('cur', 'new'):
            for entry in os.scandir(view(self.desk, 'maildir', folder, part)):
                if entry.inode() != inode:
                    continue
                if to is None:
                    os.unlink(entry.path)
                    return
                base, _, letters = entry.name.partition(':2,')
                letters = ''.join(sorted(set(letters) ^ {letter}))
                os.rename(entry.path, view(self.desk, 'maildir', to, 'cur',
                                           f'{base}:2,{letters}'))
                return

    def message(self):
        return (f'From: a@example.org\r\nSubject: change {self.n}\r\n'
                f'Message-ID: <change-{self.n}@example.org>\r\n\r\n'
                f'Text {self.n}.\r\n').encode()

    def there(self, count):
        """By another client, of many messages at a time."""
        folder, other = self.source.sample(FOLDERS, 2)
        imap = self.client.imap
        self.client.open(folder, readonly=False)
        uids = imap.uid('SEARCH', 'ALL')[1][0].split()
        chosen = self.source.sample(uids, min(count, len(uids) // 2))
        self.n += len(chosen)
        some = b','.join(chosen).decode()
        kind = self.source.randrange(4)
        if kind == 0:
            imap.uid('STORE', some, '+FLAGS', '(\\Deleted)')
            imap.uid('EXPUNGE', some)
        elif kind == 1:
            imap.uid('MOVE', some, other)
        elif kind == 2:
            imap.uid('STORE', some, self.source.choice(('+', '-')) + 'FLAGS',
                     self.source.choice(('(\\Flagged)', '(\\Seen)')))
        else:
            imap.uid('COPY', some, other)


@tap.test(limit=480)
def test_views_agree_after_a_thousand_changes_from_both_sides(case):
    desk = Desk(case, {'INBOX': 450, 'Other': 350})
    changes = Changes(desk)
    for folder in FOLDERS:
        case.expect(not disagreements(desk, folder), 'in the beginning')
    for number in range(ROUNDS):
        changes.here(CHANGES // ROUNDS // 2)
        changes.there(CHANGES // ROUNDS // 2)
        if number % COMPARED_EVERY < COMPARED_EVERY - 1:
            continue
        desk.settle()
        for folder in FOLDERS:
            desk.soon(lambda: not disagreements(desk, folder),
                      f'after {changes.n} changes in {folder}: '
                      f'{disagreements(desk, folder)[:5]}')
    case.expect(changes.n >= 0.9 * CHANGES, f'only {changes.n} changes')
    for folder in FOLDERS:
        desk.agree(folder)
        for name in random.Random(3).sample(desk.names(folder), 5):
            with open(desk.path(folder, name), 'rb') as file:
                sender = re.search(rb'(?mi)^Message-ID: *(\S+)', file.read())
            for path in (view(desk, 'text', folder, name + '.txt'),
                         view(desk, 'parts', folder, name, 'header.txt')):
                with open(path, 'rb') as file:
                    case.expect(sender is None or sender[1] in file.read(),
                                f'{path} is of another message')


@tap.test(limit=120)
def test_what_goes_from_the_mailbox_is_gone_from_all_views(case):
    desk = Desk(case)
    for uid, name in list(desk.by_uid().items())[:8]:
        paths = [view(desk, 'text', 'INBOX', name + '.txt'),
                 view(desk, 'parts', 'INBOX', name),
                 view(desk, 'parts', 'INBOX', name, 'header.txt'),
                 view(desk, 'search', 'INBOX', 'raw:ALL', name)]
        for path in paths:
            os.stat(path)
        if uid % 2:
            os.remove(desk.path('INBOX', name))
        else:
            desk.client.expunge('INBOX', uid)
            desk.soon(lambda: not os.path.exists(desk.path('INBOX', name)),
                      'it is still in the mailbox')
        there = [path for path in paths if os.path.exists(path)]
        case.expect(not there, uid, 'is gone, and there are', there)
        case.expect(name not in rows(desk, 'INBOX'), 'the table has it')


@tap.test(limit=120)
def test_text_of_an_edited_message_is_the_new_one(case):
    """Though it is as long as the old one, and another program has that open:
    so the kernel has its octets."""
    desk = Desk(case, {'INBOX': 2, 'Other': 1})
    letter = (b'From: a@example.org\r\nSubject: lunch\r\n'
              b'Message-ID: <lunch@example.org>\r\n\r\nAt noon.\r\n')
    desk.client.imap.append('INBOX', None, None, letter)
    desk.soon(lambda: len(desk.names()) == 3, 'it does not come')
    with open(desk.path('Other/here.eml'), 'xb') as file:
        file.write(letter)
    for path in (desk.by_uid()[3], '../Other/here.eml'):
        path = os.path.normpath(os.path.join('INBOX', path))
        text = view(desk, 'text', path + '.txt')
        desk.wait()
        with open(text) as before:
            case.expect('At noon.' in before.read(), path)
            with open(desk.path(path), 'r+b') as file:
                file.seek(letter.index(b'noon'))
                file.write(b'nine')
            desk.wait()
            # First without its name: a look-up may have the kernel forget.
            for opened in (f'/proc/self/fd/{before.fileno()}', text):
                with open(opened) as file:
                    got = file.read()
                case.expect('At nine.' in got, opened, got)


@tap.test(limit=120)
def test_look_up_of_a_text_does_not_wait_for_the_server(case):
    """The kernel lets nobody else look up the name meanwhile."""
    desk = Desk(case, {'INBOX': 3, 'Other': 1}, rtt_ms=1)
    name = desk.names()[0]
    path = view(desk, 'text', 'INBOX', name + '.txt')
    node = os.stat(desk.path('INBOX', name)).st_ino | 0x010 << 52
    desk.proxy.hold()
    reader = subprocess.Popen(['cat', path], stdout=subprocess.DEVNULL)
    try:
        desk.soon(lambda: f'nodeid: {node},' in desk.said(),
                  'it is not read')
        os.close(os.open(path, os.O_PATH))
        case.expect(reader.poll() is None, 'it has not waited')
    finally:
        desk.proxy.resume()
        case.expect(reader.wait(60 * PATIENCE) == 0, 'it was not read')


@tap.test(limit=120)
def test_folder_that_goes_is_gone_from_all_views(case):
    desk = Desk(case, {'INBOX': 3, 'Mine': 2, 'Theirs': 2})

    def shown(folder):
        return [path for path in (
            desk.path(folder), view(desk, 'text', folder),
            view(desk, 'parts', folder), view(desk, 'index', folder + '.tsv'),
            view(desk, 'search', folder), view(desk, 'maildir', folder),
            view(desk, 'maildir', folder, 'cur')) if os.path.exists(path)]

    for folder in ('Mine', 'Theirs'):
        case.expect(len(shown(folder)) == 7, shown(folder))
        os.listdir(view(desk, 'text', folder))
    desk.do('mv', desk.path('Mine'), desk.path('Renamed'))
    desk.soon(lambda: not shown('Mine') and len(shown('Renamed')) == 7,
              f'renamed: {shown("Mine")} {shown("Renamed")}')
    case.expect(len(os.listdir(view(desk, 'text', 'Renamed'))) == 2, 'texts')
    case.expect(run('rm', '-r', desk.path('Renamed'),
                    limit=30 * PATIENCE).clean, 'rm -r')
    desk.soon(lambda: not shown('Renamed'), f'removed: {shown("Renamed")}')
    desk.client.imap.delete('Theirs')
    desk.soon(lambda: not os.path.exists(desk.path('Theirs')),
              'it is still there', limit=90)
    desk.soon(lambda: not shown('Theirs'), shown('Theirs'))


def errno_of(function, *arguments, **named):
    try:
        function(*arguments, **named)
    except OSError as error:
        return error.errno
    return 0


def listing(path):
    """None: there is no such directory."""
    try:
        return os.listdir(path)
    except OSError:
        return None


@tap.test(limit=120)
def test_folder_that_is_no_mailbox_any_longer_is_no_maildir(case):
    """To a program that mirrors it, an empty one would say that all is to be
    removed. So it is none though the kernel believes the name still."""
    top, child = simple_mailbox('Top', 3), simple_mailbox('Top/Child', 2)
    scene = Scene(case, [simple_mailbox(), top, child], timeout=20 * PATIENCE,
                  options={'poll': 2})
    scene.start()
    path = scene.path('.imapfs/maildir/Top')
    kinds = [os.path.join(path, kind) for kind in ('new', 'cur', 'tmp')]

    def counts(found):
        return [None if one is None else len(one) for one in found]

    def soon(condition, what):
        case.expect(wait_until(condition, 20 * PATIENCE, 0.05), what)

    def is_there():
        return (counts(map(listing, kinds)) == [3, 0, 0] and
                len(listing(scene.path('Top'))) == 4 and
                set(listing(path)) == {'Child', 'new', 'cur', 'tmp'})

    case.expect(is_there() and is_there(), listing(path))
    held = os.open(kinds[0], os.O_RDONLY)
    try:
        top.attributes = ('\\Noselect',)
        found = [listing(kinds[0])]
        soon(lambda: found.append(listing(kinds[0])) or found[-1] is None,
             f'it stays: {found[-1]}')
        case.expect(set(counts(found)) == {3, None}, counts(found))
        case.expect(listing(held) is None, 'what is open is empty')
        case.expect(errno_of(os.stat, 'any', dir_fd=held) == errno.ESTALE,
                    'it is looked up', errno_of(os.stat, 'any', dir_fd=held))
    finally:
        os.close(held)
    case.expect(counts(map(listing, kinds)) == [None] * 3, listing(path))
    case.expect(listing(path) == ['Child'], 'in its place:', listing(path))
    case.expect(listing(scene.path('Top')) == ['Child'], 'in the folder:',
                listing(scene.path('Top')))
    case.expect(len(listing(path + '/Child/new') or ()) == 2, 'Child')
    top.attributes = ()
    soon(is_there, 'it does not come back')


@tap.test(limit=120)
def test_views_are_named_once_after_mounting(case):
    desk = Desk(case, {'INBOX': 3}, background=True)
    said = desk.said()
    case.expect(said.count('in other forms') == 1, said)
    with open(desk.path('.imapfs/README')) as file:
        about = file.read()
    named = re.search(r'in other forms: ([^.]*)\.', said)[1].split(', ')
    case.expect({'text', 'parts', 'index', 'search', 'searches', 'special'}
                <= set(named), named)
    for name in named:
        case.expect(os.path.isdir(desk.path('.imapfs', name)), name)
        case.expect(f'\n\n{name}/\n' in about, name, 'is not in', about)
    desk.mount.unmount()
    quiet = Mount(case, desk.url, desk.options,
                  password=dovecot.password(desk.server), arguments=('-q',),
                  background=True)
    case.expect(quiet.messages() == '', quiet.messages())


@tap.test(limit=120)
def test_views_are_in_no_listing(case):
    desk = Desk(case)
    result = run('find', desk.mount.mountpoint, limit=30 * PATIENCE)
    case.expect(result.clean and b'.imapfs' not in result.out, result)
    result = run('ls', '-a', desk.path('.imapfs'))
    for name in (b'text', b'parts', b'index', b'search', b'special'):
        case.expect(name not in result.out.split(), result)
    copy = case.path('copy')
    result = run('rsync', '-a', '--delete', desk.mount.mountpoint + '/', copy,
                 limit=60 * PATIENCE)
    case.expect(result.clean and sorted(os.listdir(copy)) == sorted(FOLDERS),
                result, os.listdir(copy))
    result = run('grep', '-rl', '', desk.path('.imapfs'),
                 '--exclude=events', limit=30 * PATIENCE)
    case.expect(b'.txt' not in result.out, result)


if __name__ == '__main__':
    tap.main(jobs=2)
