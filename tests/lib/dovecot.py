"""A real Dovecot with sample mail, and what it holds, read from its files and
by Python's IMAP client: the truth that a mount is compared with."""

import base64
import contextlib
import hashlib
import imaplib
import os
import re
import shutil
import signal
import ssl
import tempfile

import ports
import sample_store
from command import wait_until
from sample_server import SampleServer, is_listening
from tap import PATIENCE


def start_sample(case, messages=None, directory=None, prepare=None, **named):
    """Starts a server, which ends with the case. messages: how many of the
    sample mailbox; prepare(server) may add more before the start."""
    directory = directory or tempfile.mkdtemp(prefix='imapfs-dovecot-')
    case.defer(shutil.rmtree, directory, True)
    # The server of root's tests runs as another user.
    os.chmod(directory, 0o711)
    server = SampleServer(directory + '/d', **named,
                          ports=(ports.reserve(), ports.reserve()))
    if messages is not None:
        server.generate(messages=messages)
    if prepare:
        prepare(server)
    case.defer(server.remove)
    case.defer(server.stop)
    server.start()
    return server


def password(server):
    return server.users[server.user]


def encode_name(name):
    """Modified UTF-7 (RFC 3501, section 5.1.3)."""

    def encode(match):
        data = base64.b64encode(match[0].encode('utf-16-be')).rstrip(b'=')
        return '&' + data.decode().replace('/', ',') + '-'

    return re.sub(r'[^\x20-\x7e]+', encode, name.replace('&', '&-'))


class Client:
    """Another client of the same account."""

    def __init__(self, server):
        context = ssl.create_default_context(cafile=str(server.ca_file))
        self.imap = imaplib.IMAP4_SSL(server.host, server.tls_port,
                                      ssl_context=context, timeout=60)
        self.imap.login(server.user, password(server))

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.imap.logout()

    def open(self, folder, readonly=True):
        name = '"' + encode_name(folder).replace('"', '\\"') + '"'
        status, answer = self.imap.select(name, readonly=readonly)
        assert status == 'OK', (folder, answer)
        return int(answer[0])

    def flags(self, folder):
        """{UID: set of flags}, less \\Recent, which no client can keep."""
        if self.open(folder) == 0:
            return {}
        found = {}
        for line in self.imap.uid('FETCH', '1:*', '(FLAGS)')[1]:
            text = line.decode()
            uid = int(re.search(r'UID (\d+)', text)[1])
            words = re.search(r'FLAGS \(([^)]*)\)', text)[1].split()
            found[uid] = set(words) - {'\\Recent'}
        return found

    def expunge(self, folder, uid):
        self.open(folder, readonly=False)
        assert self.imap.uid('STORE', str(uid), '+FLAGS',
                             '(\\Deleted)')[0] == 'OK'
        assert self.imap.expunge()[0] == 'OK'

    def has_folder(self, folder):
        return self.imap.list('""', f'"{encode_name(folder)}"')[1] != [None]

    def delete_folder(self, folder, is_noticed=lambda: True):
        """Dovecot makes it again if another session just looks at it: then it
        is deleted once more, until that is noticed where it has to be."""
        name = '"' + encode_name(folder) + '"'
        assert self.imap.delete(name)[0] == 'OK'

        def is_gone():
            if self.has_folder(folder):
                self.imap.delete(name)
                return False
            return is_noticed()

        wait_until(is_gone, 20 * PATIENCE, 0.2)


def folders(server):
    return sample_store.folders(server.mail_root())


def _descendants(pid):
    parents = {}
    for name in os.listdir('/proc'):
        if name.isdigit():
            with contextlib.suppress(OSError):
                with open(f'/proc/{name}/stat') as file:
                    fields = file.read().rpartition(')')[2].split()
                parents[int(name)] = int(fields[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def kill(server):
    """Ends all its processes at once (SIGKILL); start() starts it again."""
    # It must make no more of them: those would hold its ports.
    os.kill(server.pid, signal.SIGSTOP)
    for pid in _descendants(server.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    server.stop()
    assert wait_until(lambda: not any(
        is_listening(server.host, port)
        for port in (server.tls_port, server.starttls_port)), 20 * PATIENCE)
    # Whose owners are gone; the next server would respect them for minutes.
    for folder, _, names in os.walk(server.mail_root()):
        for name in names:
            if name.endswith('.lock'):
                os.unlink(os.path.join(folder, name))


def has_connections(server):
    """Whether a process of the server, which may outlive its master for a
    moment, still holds a connection."""
    with open('/proc/net/tcp') as lines:
        next(lines)
        fields = [line.split() for line in lines]
    return any(int(field[1].split(':')[1], 16) == server.tls_port
               and field[3] == '01' for field in fields)


def open_all(server):
    """Has the server give every message its UID."""
    with Client(server) as client:
        for folder in folders(server):
            client.open(folder)


def mounted_path(folder):
    """Where a folder of the sample is in a mount."""
    return '/'.join(re.sub(r'%(?=[0-9A-Fa-f]{2})', '%25', part)
                    for part in folder.split('/'))


def digest(path):
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def stored_digests(server, folder):
    """{UID: SHA-256} of the server's own files."""
    return {uid: digest(path)
            for uid, path in server.stored(folder).items()}


def copied_digests(directory):
    """The same of a copy of the mount; names end in the UID."""
    found = {}
    for entry in os.scandir(directory):
        number = re.search(r'(?:^|\.)(\d+)\.eml$', entry.name)
        if number and entry.is_file(follow_symlinks=False):
            found[int(number[1])] = digest(entry.path)
    return found
