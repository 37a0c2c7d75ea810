#!/usr/bin/env python3
"""Courier, whose imapd differs most from Dovecot's: its namespace, its sizes,
and the message that it makes up when one was expunged."""

import hashlib
import imaplib
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import courier
import debian
import dovecot
import elsewhere
import tap
import commands
from command import run
from commands import imapfs, marks
from mount import BINARY, Mount

root = None


def setup():
    global root
    directory = tempfile.mkdtemp(prefix='imapfs-courier-')
    try:
        root = debian.unpack(directory, courier.PACKAGES)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return lambda: shutil.rmtree(directory, ignore_errors=True)


FOLDERS = {None: 'INBOX', 'Sub': 'INBOX/Sub', 'Sub.Deep': 'INBOX/Sub/Deep',
           'Äpfel': 'INBOX/Äpfel', 'Empty': 'INBOX/Empty'}


class Place:
    """A server with mail, which has a UID each, and a mount of it."""

    def __init__(self, case, **options):
        self.case = case
        self.place = courier.Courier(case, root, case.directory)
        self.bodies = courier.sample_messages(12)
        self.files = {}
        for folder in FOLDERS:
            if folder:
                self.place.make_folder(folder)
            if folder != 'Empty':
                for number, body in enumerate(self.bodies, 1):
                    self.files[folder, number] = self.place.add(
                        folder, number, body, 'S' if number % 3 else '')
        self.open_all()
        self.mount = Mount(case, self.place.server.url(),
                           {'tls': 'off', 'timeout': 15, **options})

    def open_all(self):
        """Under EXAMINE Courier gives UIDs that it does not keep."""
        client = imaplib.IMAP4('127.0.0.1', self.place.server.port, timeout=30)
        client.login('alice', 'secret')
        for folder in FOLDERS:
            name = 'INBOX' + ('.' + folder if folder else '')
            name = dovecot.encode_name(name)
            assert client.select(f'"{name}"')[0] == 'OK', name
        client.logout()

    def expunge(self, folder, number):
        # As another process of Courier does it.
        os.unlink(self.files[folder, number])


@tap.test
def test_every_folder_is_read(case):
    one = Place(case)
    before = sorted(os.listdir(one.place.maildir + '/cur'))
    result = run('cp', '-r', one.mount.path('INBOX'), case.path('copy'),
                 limit=60)
    case.expect(result.clean, result)

    wanted = {number: hashlib.sha256(body).hexdigest()
              for number, body in enumerate(one.bodies, 1)}
    for folder, path in FOLDERS.items():
        copied = dovecot.copied_digests(
            os.path.join(case.path('copy'), path[6:]))
        case.expect(copied == (wanted if folder != 'Empty' else {}),
                    f'{path}: missing or wrong: '
                    f'{[n for n in wanted if copied.get(n) != wanted[n]]}')
    case.expect(sorted(os.listdir(one.place.maildir + '/cur')) == before,
                'flags changed')
    one.mount.unmount()


@tap.test
def test_expunged_after_listing_is_gone(case):
    """Courier then serves a message of 129 octets that it made up."""
    one = Place(case, names='uid')
    assert run('ls', '-l', one.mount.path('INBOX')).clean
    for number in (5, 2):
        one.expunge(None, number)
        result = run('cat', one.mount.path(f'INBOX/{number}.eml'))
        case.expect(not result.ok and result.out == b'', result,
                    result.out[:200])
        case.expect('No such file' in result.err or 'Stale' in result.err,
                    result)
    result = run('cat', one.mount.path('INBOX/6.eml'))
    case.expect(result.out == one.bodies[5], 'its neighbour is wrong')


@tap.test
def test_copy_while_messages_vanish_has_no_fake(case):
    one = Place(case)
    assert run('ls', '-l', one.mount.path('INBOX/Sub')).clean
    for number in (1, 4, 12):
        one.expunge('Sub', number)
    result = run('cp', '-r', one.mount.path('INBOX/Sub'), case.path('copy'))
    case.note(result)

    copied = dovecot.copied_digests(case.path('copy'))
    for number, digest in copied.items():
        body = one.bodies[number - 1]
        case.expect(digest == hashlib.sha256(body).hexdigest(),
                    f'message {number} has wrong bytes')
    case.expect(set(copied) >= {2, 3, 5, 6, 7, 8, 9, 10, 11}, sorted(copied))
    case.expect(not {1, 4, 12} & set(copied), 'a fake was copied')


@tap.test
def test_what_is_written_is_stored(case):
    """New, edited, replaced and copied; and directories."""
    place = Place(case)
    folder = place.mount.path('INBOX/Empty')
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
    # With another UIDVALIDITY, and so without the name that it was given.
    case.expect(list(bodies('Andere').values()) == [wanted], bodies('Andere'))
    for name in os.listdir(os.path.join(folder, 'Andere')):
        os.unlink(os.path.join(folder, 'Andere', name))
    os.rmdir(os.path.join(folder, 'Andere'))
    os.unlink(os.path.join(folder, 'w.eml'))
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE,
        check=True)
    case.expect(os.listdir(folder) == [], os.listdir(folder))


@tap.test
def test_views_are_what_the_messages_hold(case):
    one = Place(case, names='uid')
    stored = dict(enumerate(elsewhere.messages(), 1))
    for uid, (_title, body) in stored.items():
        one.place.add('Empty', uid, body)
    one.open_all()
    elsewhere.check(case, one.mount, 'INBOX/Empty', stored)


@tap.test
def test_check_reports_it(case):
    place = Place(case)
    place.mount.unmount()
    before = sorted(os.listdir(place.place.maildir + '/cur'))
    result = imapfs(case, '--check', place.place.server.url(), options={
        'tls': 'off', 'password_file': commands.password_file(case, 'secret')})
    case.note(result.out.decode())
    case.expect(result.status == 0 and not result.err, result)
    found = marks(result)
    case.expect('48 messages' in found['Folders'][1], found['Folders'])
    case.expect(found['MOVE'][0] == '–' and found['UIDPLUS'][0] == '✓',
                found['MOVE'], found['UIDPLUS'])
    case.expect(found['Quota'] == (' ', 'none'), found['Quota'])
    case.expect('/s' in found['Throughput'][1], found['Throughput'])
    text = result.out.decode()
    for folder in FOLDERS.values():
        case.expect(f'\n  {folder} ' in text, folder, text)
    case.expect(sorted(os.listdir(place.place.maildir + '/cur')) == before,
                'flags have changed')


if __name__ == '__main__':
    tap.main(setup, jobs=2)
