#!/usr/bin/env python3
"""Accounts of a configuration file, mounted by name (test_all.py mounts all of
them); and accounts by their address, whose domain knows the server."""

import os
import shutil
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import ports
import tap
from command import run, wait_until
from imapserver import Server
from mailstore import simple_mailbox
from mistakes import Scene
from mount import BINARY, is_mounted
from nameserver import NameServer, address
from nameserver import service as service_record
from netns import Space

NAMES = ('work', 'home')
USER = 'alice@example.test'


class Accounts(Scene):
    """Two that are right, on servers of their own."""

    def __init__(self, case):
        super().__init__(case)
        other = Server([simple_mailbox(), simple_mailbox('Holidays')],
                       tls='implicit', account=('alice', 'secret'),
                       certificate=self.authority.issue(
                           'other', ['localhost'])).start()
        case.defer(other.stop)
        self.servers = (self.server, other)
        self.groups = {
            name: [f'url = {server.url("localhost")}',
                   f'ca_file = {self.authority.certificate}',
                   f'password_file = {self.password_file}',
                   f'timeout = {20 * tap.PATIENCE}']
            for name, server in zip(NAMES, self.servers)}
        self.write_groups()
        for name in ('', *NAMES):
            case.defer(self.unmount, name)

    def write_groups(self):
        lines = []
        for name, options in self.groups.items():
            lines += [f'[{name}]', *options, '']
        self.configure(*lines)

    def at(self, *parts):
        return os.path.join(self.mountpoint, *parts)

    def unmount(self, name=''):
        path = self.at(name).rstrip('/')
        if is_mounted(path):
            run('fusermount3', '-uz', path)

    def imapfs(self, *words):
        return run(BINARY, *words, limit=60 * tap.PATIENCE,
                   env=self.environment())

    def shows(self, name, folder):
        result = run('ls', self.at(name))
        return result.ok and folder in result.out.decode().split()


@tap.test
def test_account_by_its_name_and_the_only_one_without(case):
    scene = Accounts(case)
    result = scene.imapfs('home', scene.mountpoint)
    case.expect(result.ok and scene.shows('', 'Holidays'), result)
    run('fusermount3', '-u', scene.mountpoint, check=True)
    del scene.groups['work']
    scene.write_groups()
    result = scene.imapfs('-o', 'names=uid', scene.mountpoint)
    case.expect(result.ok and scene.shows('', 'Holidays'), result)
    case.expect('1.eml' in run('ls', scene.at('INBOX')).out.decode().split(),
                'the command line does not count')
    run('fusermount3', '-u', scene.mountpoint, check=True)


@tap.test
def test_all_of_nothing_says_what_to_do(case):
    scene = Accounts(case)
    scene.says('--all takes the mountpoint and nothing else: imapfs --all '
               'MOUNTPOINT', ['--all', 'work', scene.mountpoint])
    scene.groups.clear()
    scene.write_groups()
    scene.says('{conf} names no account; add a group [NAME] with a url',
               ['--all', scene.mountpoint])
    os.unlink(scene.conf)
    scene.says('there is no file {conf} with accounts; make it, or name '
               'another one with --config FILE', ['--all', scene.mountpoint])


class Domain(Scene):
    """example.test, which says that its mail is at a host."""

    def __init__(self, case, host, service='_imaps', account=USER):
        if os.geteuid() != 0 or not shutil.which('nsenter'):
            raise tap.Skip('a network namespace needs root, and nsenter')
        space = Space(case)
        # Who has only loopback asks for no addresses.
        space.ip('address', 'add', '10.99.9.9/32', 'dev', 'lo')
        space.enter()
        super().__init__(case, hosts=[host], account=(account, 'secret'))
        self.names = NameServer(case, {
            f'{service}._tcp.example.test': [service_record(
                self.server.port, host)],
            host: [address('127.0.0.1')]})
        self.arguments = self.words(url=USER)

    def mount(self, *options):
        """Mounts it where nobody else sees it. Returns the process."""
        process = subprocess.Popen(
            [*self.names.prefix(), BINARY, '-f', *options,
             *self.arguments[:-1], self.mountpoint],
            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **self.environment()})
        self.case.defer(process.wait)
        self.case.defer(process.kill)

        def is_mounted_there():
            # Mounts of its own are to be seen nowhere else.
            with open(f'/proc/{process.pid}/mountinfo') as file:
                return self.mountpoint in file.read()

        self.case.expect(wait_until(lambda: process.poll() is not None or
                                    is_mounted_there(), 40 * tap.PATIENCE),
                         'nothing was mounted')
        return process

    def mount_and_end(self, *options):
        """Mounts it, and unmounts it. Returns what was said."""
        process = self.mount(*options)
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=40 * tap.PATIENCE)
        self.case.expect(process.returncode == 0, said)
        return said

    def move(self, *where):
        """The server is elsewhere from now on, and has another folder."""
        self.server.stop()
        moved = Server([simple_mailbox(), simple_mailbox('Moved')],
                       tls='implicit', account=self.server.account,
                       certificate=self.certificate).start(*where)
        self.case.defer(moved.stop)
        return moved

    def finds(self, process, name):
        """Whether the mount comes to show a folder of that name."""
        top = f'/proc/{process.pid}/root{self.mountpoint}'
        return wait_until(lambda: run('ls', top, limit=40 * tap.PATIENCE)
                          .out.decode().split().count(name), 60 * tap.PATIENCE)


@tap.test
def test_address_finds_the_server_that_its_domain_names(case):
    scene = Domain(case, 'mail.example.test')
    scene.mount_and_end()
    case.expect(('_imaps._tcp.example.test', 33) in scene.names.asked,
                scene.names.asked)


@tap.test
def test_server_that_cannot_be_reached_makes_way_for_the_next(case):
    scene = Domain(case, 'mail.example.test')
    port = ports.reserve()
    good = service_record(scene.server.port, 'mail.example.test', priority=20)
    scene.names.records['_imaps._tcp.example.test'] = [
        good, service_record(port, 'mail.example.test', priority=10)]
    scene.names.records['_imap._tcp.example.test'] = [
        service_record(993, 'gone.example.test', priority=5)]
    said = scene.mount_and_end('-v')
    case.expect('no such host: gone.example.test; check its spelling; trying '
                'mail.example.test' in said, said)
    case.expect(f'port {port}: Connection refused' in said, said)
    case.expect(scene.server.connections, 'the good one was not tried')
    report = run(*scene.names.prefix(), BINARY, '--check', USER,
                 *scene.arguments[:2], limit=60 * tap.PATIENCE, env=scene.environment())
    text = report.out.decode()
    case.expect(report.ok and 'gone.example.test and others' in text and
                'no such host' in text and
                'mail.example.test is tried instead' in text, report)
    scene.names.records['_imaps._tcp.example.test'].remove(good)
    scene.says('no such host: gone.example.test, and no other server of the '
               'account does better; check its spelling',
               scene.arguments, prefix=scene.names.prefix())


@tap.test(limit=120)
def test_mount_finds_its_server_at_another_address(case):
    """Of which another name server knows: as after a move to another
    network."""
    scene = Domain(case, 'mail.example.test')
    process = scene.mount('-v')
    case.expect(scene.finds(process, 'INBOX'), 'nothing is there')
    scene.move(scene.server.port, '127.0.0.2')
    elsewhere = NameServer(case, {
        **scene.names.records, 'mail.example.test': [address('127.0.0.2')]},
        at='127.0.0.3', instead_of=scene.names)
    case.expect(scene.finds(process, 'Moved'), elsewhere.asked)


@tap.test(limit=120)
def test_mount_finds_another_server_of_its_domain(case):
    scene = Domain(case, 'mail.example.test')
    process = scene.mount('-v')
    case.expect(scene.finds(process, 'INBOX'), 'nothing is there')
    moved = scene.move()
    case.expect(moved.port != scene.server.port, 'nothing is tested')
    scene.names.records['_imaps._tcp.example.test'] = [
        service_record(moved.port, 'mail.example.test')]
    case.expect(scene.finds(process, 'Moved'), scene.names.asked)


@tap.test
def test_mount_of_an_address_is_found_by_it(case):
    scene = Domain(case, 'mail.example.test')
    options = scene.arguments[1]
    done = run(*scene.names.prefix(), 'sh', '-ec',
               f'{BINARY} -o {options} {USER} {scene.mountpoint}\n'
               f'{BINARY} --fetch {USER} -o {options}\n'
               f'fusermount3 -u {scene.mountpoint}', limit=60 * tap.PATIENCE,
               env=scene.environment())
    case.expect(done.ok and f'mounted at {scene.mountpoint}, and fetched there'
                in done.out.decode(), done, done.out)


@tap.test
def test_without_name_servers_the_server_of_the_last_login_will_do(case):
    scene = Domain(case, 'mail.example.test')
    scene.mount_and_end()
    scene.names.socket.close()
    scene.server.stop()
    said = scene.mount_and_end('-o', 'offline_ok', '-o', 'timeout=6', '-v')
    case.expect('mounting what is in the cache' in said, said)


@tap.test
def test_domain_that_is_taken_for_the_server_names_it(case):
    scene = Domain(case, 'mail.example.test')
    scene.names.records['example.test'] = []
    scene.says('…example.test…; by what example.test says of itself, its mail '
               'is at imaps://alice@mail.example.test:{port}/',
               scene.words(url='imaps://alice@example.test/'),
               prefix=scene.names.prefix())


@tap.test
def test_address_whose_domain_names_a_host_elsewhere_is_refused(case):
    scene = Domain(case, 'mail.evil.test')
    scene.says('example.test says that its mail is in another domain, which '
               'anybody on the way could say; if you know that it is right, '
               f'write imaps://alice%40example.test@mail.evil.test:'
               '{port}/', scene.arguments, prefix=scene.names.prefix())
    case.expect(not scene.server.connections, 'it connected')


@tap.test
def test_address_whose_domain_names_nothing_is_refused(case):
    scene = Domain(case, 'mail.example.test', service='_pop3s')
    scene.says('example.test does not say where its mail is (it has no SRV '
               "record _imaps._tcp or _imap._tcp); write the server's URL, "
               'such as imaps://alice%40example.test@imap.example.test/',
               scene.arguments, prefix=scene.names.prefix())
    scene.says('mail.example.test does not …, such as '
               'imaps://alice%40example.test@mail.example.test/',
               scene.words(url='alice@example.test@mail.example.test'),
               prefix=scene.names.prefix())


if __name__ == '__main__':
    tap.main(jobs=3)
