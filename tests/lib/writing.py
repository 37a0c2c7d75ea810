"""A Dovecot, a mount of it that is written to, and what the server holds then,
as another client sees it."""

import contextlib
import email.utils
import hashlib
import imaplib
import os
import re
import time

import dovecot
import tap
from command import run, wait_until
from mount import Mount


def message(number=1, body='body', subject=None, date=1700000000, extra=''):
    """A small message, with LF as programs write it."""
    return (f'From: Alice <alice@example.org>\n'
            f'Message-ID: <m{number}@example.org>\n'
            f'Date: {email.utils.formatdate(date)}\n'
            f'Subject: {subject or f"number {number}"}\n{extra}'
            f'\n{body}\n').encode()


def crlf(data):
    return re.sub(rb'(?<!\r)\n', b'\r\n', data)


def small_disk(case, size):
    """A directory on a disk of that size."""
    if os.geteuid() != 0:
        raise tap.Skip('only root can mount a small disk')
    path = case.path('small')
    os.mkdir(path)
    run('mount', '-t', 'tmpfs', '-o', f'size={size},mode=700', 'tmpfs', path,
        check=True)
    case.defer(run, 'umount', '-l', path)
    return path


class Stored:
    """One message as the server has it."""

    def __init__(self, uid, flags, date, body):
        self.uid = uid
        self.flags = flags
        self.date = date  # seconds since the epoch
        self.body = body

    def __repr__(self):
        return f'<{self.uid} {sorted(self.flags)} {self.date} {self.body!r}>'


class Place:
    def __init__(self, case, prepare=None, mailboxes=(), url=None, **named):
        self.case = case
        self.server = named.pop('server', None) or dovecot.start_sample(
            case, prepare=prepare, capability=named.pop('capability', None),
            settings=named.pop('settings', None))
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(OSError) or
                   self.client.imap.shutdown())
        self.client.open('INBOX')  # made by who asks first
        for name in mailboxes:
            self.create(name)
        self.source = case.path('source')
        os.makedirs(self.source, exist_ok=True)
        self.options = {'ca_file': self.server.ca_file, 'xattr': None,
                        'timeout': 20 * tap.PATIENCE,
                        **named.pop('options', {})}
        self.url = url or self.server.url
        self.mount = None
        if named.pop('mounted', True):
            self.start(**named)

    def start(self, **named):
        if not named.get('background'):
            named.setdefault('arguments', ('-d',))
        self.mount = Mount(self.case, self.url, self.options,
                           password=dovecot.password(self.server), **named)
        return self.mount

    # Another client.

    def create(self, name):
        assert self.client.imap.create(
            '"' + dovecot.encode_name(name) + '"')[0] == 'OK', name

    def append(self, data, folder='INBOX', flags='', date=1600000000):
        status, answer = self.client.imap.append(
            '"' + dovecot.encode_name(folder) + '"', f'({flags})',
            imaplib.Time2Internaldate(date), crlf(data))
        assert status == 'OK', answer
        return int(re.search(rb'APPENDUID \d+ (\d+)', answer[0])[1])

    def stored(self, folder='INBOX'):
        """The messages, by UID."""
        if self.client.open(folder) == 0:
            return []
        answer = self.client.imap.uid(
            'FETCH', '1:*', '(FLAGS INTERNALDATE BODY.PEEK[])')[1]
        found = []
        for part in answer:
            if not isinstance(part, tuple):
                continue
            head = part[0].decode()
            flags = set(re.search(r'FLAGS \(([^)]*)\)', head)[1].split())
            date = re.search(r'INTERNALDATE "([^"]*)"', head)[1]
            found.append(Stored(
                int(re.search(r'UID (\d+)', head)[1]), flags - {'\\Recent'},
                email.utils.mktime_tz(email.utils.parsedate_tz(
                    date.replace('-', ' ', 2))), part[1]))
        return sorted(found, key=lambda one: one.uid)

    def folders(self):
        """{name: is it subscribed}."""
        def names(lines):
            return {re.search(rb'"?([^"]*)"?$', line)[1].decode().strip()
                    for line in lines if line}
        subscribed = names(self.client.imap.lsub()[1])
        return {name: name in subscribed
                for name in names(self.client.imap.list()[1])}

    # Programs.

    def path(self, *parts):
        return self.mount.path(*parts)

    def write_source(self, name, data, date=None):
        path = os.path.join(self.source, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as file:
            file.write(data)
        if date is not None:
            os.utime(path, (date, date))
        return path

    def shell(self, command, check=True, limit=60, **named):
        """Runs it in the mount, with $S the sources."""
        result = run('bash', '-c', command, cwd=self.mount.mountpoint,
                     env={'S': self.source, **named.pop('env', {})},
                     limit=limit * tap.PATIENCE, **named)
        if check:
            self.case.expect(result.clean, result)
        return result

    def names(self, *parts):
        return set(os.listdir(self.path(*parts)))

    # What must be so.

    def expect_stored(self, bodies, folder='INBOX', why=''):
        """Exactly these messages, in the order of UIDs."""
        found = [one.body for one in self.stored(folder)]
        self.case.expect(
            sorted(found) == sorted(crlf(body) for body in bodies), why,
            f'{folder} holds', found)
        return self.stored(folder)

    def expect_listed(self, names, folder='INBOX'):
        """The mount lists these, and what it lists can be read."""
        self.case.expect(self.names(folder) == set(names),
                         f'{folder} lists', self.names(folder))

    def expect_file(self, path, body):
        with open(self.path(path), 'rb') as file:
            data = file.read()
        self.case.expect(data == crlf(body), path, 'reads', data)
        size = os.stat(self.path(path)).st_size
        self.case.expect(size == len(crlf(body)), path, 'has the size', size)

    def lost(self):
        return self.names('.imapfs/lost+found')
