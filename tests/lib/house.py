"""A mount of several accounts (--all), and the servers that they are at."""

import contextlib
import json
import os
import signal
import subprocess

import dovecot
import mount as mounting
import tap
from command import run, wait_until
from imapserver import Server
from mailstore import simple_mailbox
from mistakes import Scene
from mount import BINARY, is_mounted

NAMES = ('work', 'home')
STUCK = 30 * tap.PATIENCE


class House(Scene):
    """A configuration file with accounts; servers(house): those of NAMES, as
    (URL, its authority, a file with the password)."""

    def __init__(self, case, places=None, **options):
        super().__init__(case)
        self.places = places or self.two_servers()
        self.groups = {
            name: {'url': url, 'ca_file': authority,
                   'password_file': password, 'timeout': 20 * tap.PATIENCE,
                   'names': 'uid', **options}
            for name, (url, authority, password) in zip(NAMES, self.places)}
        self.process = None
        self.log = case.path('log')
        self.write_groups()
        case.defer(self.end)

    def two_servers(self):
        other = Server([simple_mailbox(), simple_mailbox('Holidays')],
                       tls='implicit', account=('alice', 'secret'),
                       certificate=self.authority.issue(
                           'other', ['localhost'])).start()
        self.case.defer(other.stop)
        self.servers = (self.server, other)
        return [(server.url('localhost'), self.authority.certificate,
                 self.password_file) for server in self.servers]

    def write_groups(self):
        lines = []
        for name, options in self.groups.items():
            lines += [f'[{name}]', *(f'{key} = {value}'
                                     for key, value in options.items()), '']
        self.configure(*lines)

    def at(self, *parts):
        return os.path.join(self.mountpoint, *parts)

    def imapfs(self, *words):
        return run(BINARY, *words, limit=60 * tap.PATIENCE,
                   env=self.environment())

    def mount(self, *words):
        return self.imapfs(*words, '--all', self.mountpoint)

    def start(self, *words, environment=None):
        """In the foreground; waits until all have been decided about."""
        with open(self.log, 'ab') as log:
            self.process = subprocess.Popen(
                [BINARY, '-f', *words, '--all', self.mountpoint],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, **self.environment(),
                     **(environment or {})})
        self.case.expect(wait_until(
            lambda: self.process.poll() is not None or
            is_mounted(self.mountpoint), STUCK), 'not mounted', self.said())

    def said(self):
        with open(self.log) as log:
            return log.read()

    def ends(self, number=None):
        """Its exit status, after that signal."""
        if number is not None:
            self.process.send_signal(number)
        try:
            return self.process.wait(STUCK)
        except subprocess.TimeoutExpired:
            return None

    def end(self):
        if is_mounted(self.mountpoint):
            run('fusermount3', '-uz', self.mountpoint)
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        pids = mounting.daemon_pids(self.mountpoint)
        if not wait_until(lambda: not mounting.daemon_pids(self.mountpoint),
                          STUCK):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def unmount(self):
        run('fusermount3', '-u', self.mountpoint, check=True)
        self.case.expect(wait_until(
            lambda: not mounting.daemon_pids(self.mountpoint), STUCK),
            'the daemon goes on')

    def daemons(self):
        """Without their helpers."""
        found = []
        for pid in mounting.daemon_pids(self.mountpoint):
            with contextlib.suppress(OSError):
                with open(f'/proc/{pid}/comm') as file:
                    if file.read().strip() == 'imapfs':
                        found.append(pid)
        return found

    def names(self, *parts):
        result = run('ls', '-U', self.at(*parts))
        self.case.expect(result.clean, result)
        return result.out.decode().split()

    def top_status(self):
        with open(self.at('.imapfs', 'status')) as file:
            return json.load(file)

    def status(self, name):
        with open(self.at(name, '.imapfs', 'status')) as file:
            return json.load(file)


def dovecot_house(case, **options):
    """Two users of one real server, which can be written to."""
    server = dovecot.start_sample(case, users={'one': None, 'two': None},
                                  prepare=lambda new: [
        new.generate(user=user, flat='INBOX', messages=4, seed=seed)
        for seed, user in enumerate(('one', 'two'))])
    places = []
    for user in server.users:
        path = case.path('password-' + user)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
            file.write(server.users[user])
        places.append((f'imaps://{user}@{server.host}:{server.tls_port}/',
                       server.ca_file, path))
    house = House(case, places, **options)
    house.dovecot = server
    return house
