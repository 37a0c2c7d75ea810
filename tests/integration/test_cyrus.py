#!/usr/bin/env python3
"""Cyrus: many extensions, folders with tricky names, and messages that are
served for a while after they were expunged."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import cyrus
import debian
import dovecot
import elsewhere
import mailstore
import tap
import commands
from command import run, wait_until
from commands import imapfs, marks
from mount import BINARY, Mount

root = None


def setup():
    global root
    directory = tempfile.mkdtemp(prefix='imapfs-cyrus-')
    os.chmod(directory, 0o711)
    try:
        root = debian.unpack(directory, cyrus.PACKAGES)
        os.chmod(root, 0o755)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return lambda: shutil.rmtree(directory, ignore_errors=True)


# As the server has them, and where they are in a mount.
FOLDERS = {'INBOX': 'INBOX', 'Projects': 'Projects',
           'Projects/Äpfel & Birnen': 'Projects/Äpfel & Birnen',
           '受信トレイ': '受信トレイ', 'a.b': 'a.b', 'Empty': 'Empty'}


class Place:
    def __init__(self, case, **options):
        self.case = case
        directory = tempfile.mkdtemp(prefix='imapfs-cyrus-')
        os.chmod(directory, 0o711)
        case.defer(shutil.rmtree, directory, True)
        self.server = cyrus.Cyrus(case, root, directory)
        self.other = self.server.client()
        for folder in FOLDERS:
            name = '"' + dovecot.encode_name(folder) + '"'
            if folder != 'INBOX':
                assert self.other.create(name)[0] == 'OK', folder
            if folder != 'Empty':
                for number in range(1, 9):
                    body = mailstore.make_message(number, 900 * number)
                    flags = '\\Seen' if number % 2 else None
                    assert self.other.append(name, flags, None,
                                             body)[0] == 'OK'
        self.mount = Mount(case, self.server.url,
                           {'tls': 'off', 'timeout': 15, **options})

    def stored(self, folder):
        """{UID: octets}, as another client gets them."""
        status, count = self.other.select(
            '"' + dovecot.encode_name(folder) + '"', readonly=True)
        assert status == 'OK'
        found = {}
        for item in ([] if count == [b'0'] else
                     self.other.uid('FETCH', '1:*', '(UID BODY.PEEK[])')[1]):
            if isinstance(item, tuple):
                found[int(item[0].split(b'UID ')[1].split()[0])] = item[1]
        return found

    def flags(self):
        self.other.select('INBOX', readonly=True)
        return self.other.uid('FETCH', '1:*', '(FLAGS)')


@tap.test
def test_every_folder_is_read(case):
    for names in ('subject', 'uid'):
        one = Place(case, names=names)
        before = one.flags()
        copy = case.path(f'copy-{names}')
        os.mkdir(copy)
        for folder, path in FOLDERS.items():
            target = os.path.join(copy, folder.replace('/', '_'))
            result = run('cp', '-r', one.mount.path(path), target, limit=60)
            case.expect(result.clean, result)
            wanted = one.stored(folder)
            copied = dovecot.copied_digests(target)
            case.expect(copied == {uid: hashlib.sha256(body).hexdigest()
                                   for uid, body in wanted.items()},
                        f'{folder}: {sorted(copied)}, not {sorted(wanted)}')
        case.expect(one.flags() == before, 'flags changed')
        case.expect(run('rsync', '-a', one.mount.path('Projects'),
                        copy).clean, 'rsync failed')
        one.mount.unmount()


@tap.test
def test_expunged_after_listing_is_gone_or_whole(case):
    """Cyrus may serve the true bytes until its other sessions are told."""
    one = Place(case, names='uid')
    stored = one.stored('INBOX')
    assert run('ls', '-l', one.mount.path('INBOX')).clean
    one.other.select('INBOX')
    for uid in (3, 5):
        one.other.uid('STORE', str(uid), '+FLAGS', '(\\Deleted)')
    one.other.expunge()
    for uid in (3, 5):
        result = run('cat', one.mount.path(f'INBOX/{uid}.eml'))
        case.note(result)
        if result.ok:
            case.expect(result.out == stored[uid], 'wrong bytes')
        else:
            case.expect('No such file' in result.err
                        or 'Stale' in result.err, result)
    result = run('cat', one.mount.path('INBOX/6.eml'))
    case.expect(result.out == stored[6], 'its neighbour is wrong')


@tap.test
def test_what_is_written_is_stored(case):
    """New, edited, replaced and copied; and directories."""
    place = Place(case)
    folder = place.mount.path('Empty')
    data = (b'From: a@example.org\nMessage-ID: <w@example.org>\n'
            b'Date: Mon, 1 Jan 2024 10:00:00 +0000\nSubject: x\n\nbody\n')

    def bodies(*parts):
        found = {}
        for name in os.listdir(os.path.join(folder, *parts)):
            with open(os.path.join(folder, *parts, name), 'rb') as file:
                found[name] = file.read()
        return found

    with open(os.path.join(folder, 'w.eml'), 'wb') as file:
        file.write(data)
    wanted = data.replace(b'\n', b'\r\n')
    case.expect(bodies() == {'w.eml': wanted}, bodies())
    with open(os.path.join(folder, 'w.eml'), 'ab') as file:
        file.write(b'more\n')
    wanted += b'more\r\n'
    case.expect(bodies() == {'w.eml': wanted}, bodies())
    os.mkdir(os.path.join(folder, 'Neu ü'))
    run('cp', os.path.join(folder, 'w.eml'),
        os.path.join(folder, 'Neu ü', 'c.eml'), check=True)
    case.expect(bodies('Neu ü') == {'c.eml': wanted}, bodies('Neu ü'))
    os.rename(os.path.join(folder, 'Neu ü'), os.path.join(folder, 'Andere'))
    case.expect(bodies('Andere') == {'c.eml': wanted}, bodies('Andere'))
    os.unlink(os.path.join(folder, 'Andere', 'c.eml'))
    os.rmdir(os.path.join(folder, 'Andere'))
    os.unlink(os.path.join(folder, 'w.eml'))
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE,
        check=True)
    case.expect(os.listdir(folder) == [], os.listdir(folder))


@tap.test
def test_renamed_folders_keep_what_they_hold(case):
    """Who has a folder selected that is renamed is told by Cyrus that all of
    its messages were expunged."""
    place = Place(case)
    before = place.mount.path('before')
    os.makedirs(before + '/child')
    for number in range(3):
        for folder in (before, before + '/child'):
            with open(f'{folder}/given-{number}.eml', 'wb') as file:
                file.write(mailstore.make_message(number, 600))

    def shown(folder):
        return {(name, os.stat(os.path.join(place.mount.path(*parts), name)
                               ).st_ino)
                for parts in ((folder,), (folder, 'child'))
                for name in os.listdir(place.mount.path(*parts))}

    def is_selected(folder):
        os.listdir(place.mount.path(folder))
        with open(place.mount.path('.imapfs/status')) as status:
            return any(connection.get('mailbox') == folder for connection
                       in json.load(status)['connections'])

    old = 'before'
    wanted = shown(old)
    assert len(wanted) == 7, wanted
    for turn in range(6):
        new = f'after-{turn}'
        # What is used is, for a while; the connections may have other work.
        wait_until(lambda name=old: is_selected(name), 2)
        os.rename(place.mount.path(old), place.mount.path(new))
        found = shown(new)
        case.expect(found == wanted, turn, sorted(found ^ wanted))
        old = new


def listing(path):
    """What a directory holds; and whether the kernel knows by then that it is
    not there any more: it ends listings then, as of any removed directory."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        names = sorted(os.listdir(fd))
        return names, os.readlink(f'/proc/self/fd/{fd}').endswith('(deleted)')
    finally:
        os.close(fd)


@tap.test
def test_listing_is_whole_while_others_rename_it(case):
    place = Place(case, poll=1)
    path = place.mount.path('a.b')
    wanted = sorted(os.listdir(path))
    ended = threading.Event()

    def rename():
        try:
            for _ in range(15):
                for old, new in (('a.b', 'away'), ('away', 'a.b')):
                    place.other.rename(old, new)
                    place.other.status(new, '(MESSAGES)')
        finally:
            ended.set()

    renaming = threading.Thread(target=rename)
    renaming.start()
    case.defer(renaming.join)
    wrong = []
    while not ended.is_set():
        with contextlib.suppress(OSError):
            names, is_removed = listing(path)
            if names != wanted and not is_removed:
                wrong.append(names)
    case.expect(not wrong, len(wrong), 'listings, such as', wrong[:3])

    def is_back():
        with contextlib.suppress(OSError):
            return sorted(os.listdir(path)) == wanted
        return False

    case.expect(wait_until(is_back, 20 * tap.PATIENCE), 'it is not back')


@tap.test
def test_views_are_what_the_messages_hold(case):
    place = Place(case, names='uid')
    stored = {}
    for title, body in elsewhere.messages():
        # It takes no NUL.
        if b'\0' not in body:
            status, answer = place.other.append('Empty', None, None, body)
            assert status == 'OK', (title, answer)
            stored[len(stored) + 1] = title, body
    assert len(stored) > 40, len(stored)
    elsewhere.check(case, place.mount, 'Empty', stored)


@tap.test
def test_check_reports_it(case):
    place = Place(case)
    result = imapfs(case, '--check', place.server.url, options={
        'tls': 'off', 'password_file': commands.password_file(case, 'secret')})
    case.note(result.out.decode())
    case.expect(result.status == 0 and not result.err, result)
    found = marks(result)
    case.expect(found['Login'] == ('✓', 'alice, by PLAIN'), found['Login'])
    case.expect(found['Writing'] == ('✓', 'INBOX may be changed'),
                found['Writing'])
    case.expect('Cyrus' in found['Software'][1], found['Software'])
    case.expect(found['Quota'][0] == ' ', found['Quota'])
    case.expect('40 messages' in found['Folders'][1], found['Folders'])
    for name in ('IDLE', 'UIDPLUS', 'ACL', 'QUOTA'):
        case.expect(found[name][0] == '✓', name, found[name])
    text = result.out.decode()
    for folder in FOLDERS.values():
        case.expect(f'\n  {folder} ' in text, folder, text)


if __name__ == '__main__':
    tap.main(setup, jobs=2)
