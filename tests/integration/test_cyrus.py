#!/usr/bin/env python3
"""Cyrus: many extensions, folders with tricky names, and messages that are
served for a while after they were expunged."""

import contextlib
import hashlib
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import cyrus
import debian
import dovecot
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
    # Another UIDVALIDITY, if the clock has gone on: then given names are lost.

    def is_there():
        with contextlib.suppress(OSError):
            return list(bodies('Andere').values()) == [wanted]
        return False

    case.expect(wait_until(is_there, 15 * tap.PATIENCE), 'it is not there')
    moved = bodies('Andere')
    os.unlink(os.path.join(folder, 'Andere', *moved))
    os.rmdir(os.path.join(folder, 'Andere'))
    os.unlink(os.path.join(folder, 'w.eml'))
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE,
        check=True)
    case.expect(os.listdir(folder) == [], os.listdir(folder))


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
