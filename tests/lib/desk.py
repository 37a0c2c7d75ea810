"""A Dovecot, a mount of it that may change what is there, and another client
that looks at what has become of it."""

import contextlib
import email
import hashlib
import os
import re

import dovecot
from command import run, wait_until
from mount import BINARY, Mount
from proxy import Proxy
from tap import PATIENCE

# What Dovecot announces, with and without what makes changing safe.
PLAIN = ('IMAP4rev1 SASL-IR ID ENABLE IDLE UNSELECT CHILDREN NAMESPACE '
         'LIST-EXTENDED ESEARCH LITERAL+ SPECIAL-USE CONDSTORE QRESYNC')
NO_MOVE = PLAIN + ' UIDPLUS'


class Desk:
    """options: of the mount; folders: {name: number of messages}."""

    def __init__(self, case, folders=None, *, capability=None, rtt_ms=None,
                 settings=None, background=False, data=None, names='subject',
                 **options):
        self.case = case
        folders = folders or {'INBOX': 20, 'Other': 5}
        self.server = dovecot.start_sample(
            case, capability=capability, settings=settings,
            prepare=lambda new: [
                new.generate(flat=name, messages=count, seed=4 + number)
                for number, (name, count) in enumerate(folders.items())])
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(Exception)
                   or self.client.imap.shutdown())
        for name in folders:
            self.client.open(name)
        self.url = self.server.url
        self.proxy = None
        if rtt_ms is not None:
            self.proxy = Proxy(self.server.tls_port, case, rtt_ms=rtt_ms)
            self.url = self.url.replace(f':{self.server.tls_port}/',
                                        f':{self.proxy.port}/')
        self.options = {'ca_file': self.server.ca_file, 'names': names,
                        'xattr': None, 'timeout': 20 * PATIENCE, **options}
        self.data = data or case.path('desk-data')
        self.background = background
        self.mount = None
        self.start()

    def start(self, arguments=tuple(os.environ.get('IMAPFS_DESK', '-d').split()), **more):
        self.mount = Mount(
            self.case, self.url, {**self.options, **more},
            password=dovecot.password(self.server), data=self.data,
            arguments=() if self.background else arguments,
            background=self.background)
        return self.mount

    def path(self, *parts):
        return self.mount.path(*parts)

    def names(self, folder='INBOX'):
        return sorted(name for name in os.listdir(self.path(folder))
                      if name.endswith('.eml'))

    def by_uid(self, folder='INBOX'):
        return {int(re.search(r'(\d+)\.eml$', name)[1]): name
                for name in self.names(folder)}

    def wait(self, limit=60):
        """imapfs --wait; must succeed."""
        result = run(BINARY, '--wait', self.mount.mountpoint,
                     limit=limit * PATIENCE)
        self.case.expect(result.clean, result)
        return result

    def settle(self, limit=90):
        """The same, and something may have been refused."""
        return run(BINARY, '--wait', self.mount.mountpoint,
                   limit=limit * PATIENCE)

    def do(self, *arguments, limit=60):
        result = run(*arguments, limit=limit * PATIENCE)
        self.case.expect(result.clean, result)
        return result

    def go_offline(self):
        self._port = self.proxy.port
        self.proxy.stop()

    def go_online(self):
        self.proxy = Proxy(self.server.tls_port, self.case, port=self._port)

    # What the server has, as another client sees it.

    def flags(self, folder='INBOX'):
        self.client.imap.noop()
        return self.client.flags(folder)

    def ids(self, folder='INBOX'):
        """The Message-IDs there, sorted: each message of the sample has its
        own within its folder."""
        if self.client.open(folder) == 0:
            return []
        answer = self.client.imap.uid(
            'FETCH', '1:*', '(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])')[1]
        return sorted(email.message_from_bytes(part[1])['Message-ID'] or ''
                      for part in answer if isinstance(part, tuple))

    def bodies(self, folder='INBOX'):
        """{UID: digest}, by another client."""
        if self.client.open(folder) == 0:
            return {}
        found = {}
        for part in self.client.imap.uid('FETCH', '1:*', '(BODY.PEEK[])')[1]:
            if isinstance(part, tuple):
                uid = int(re.search(rb'UID (\d+)', part[0])[1])
                found[uid] = hashlib.sha256(part[1]).hexdigest()
        return found

    def soon(self, condition, what, limit=15):
        self.case.expect(wait_until(condition, limit * PATIENCE, 0.1), what)

    def agree(self, *folders):
        """Mount and server hold the same octets, message by message."""
        for folder in folders:
            there = sorted(self.bodies(folder).values())
            names = {name: dovecot.digest(self.path(folder, name))
                     for name in self.names(folder)}
            here = sorted(names.values())
            self.case.expect(here == there,
                             f'{folder}: {len(here)} messages in the mount, '
                             f'{len(there)} on the server, or others:',
                             [one for one in names.items()
                              if one[1] not in there])

    def said(self):
        return self.mount.messages()
