#!/usr/bin/env python3
"""The files of examples/ do what they say: each runs against a real Dovecot, a
real mount, and the real programs that it calls."""

import contextlib
import datetime
import http.server
import json
import os
import re
import subprocess
import sys
import threading
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + '/../..')
sys.path[:0] = [HERE + '/../lib', ROOT + '/examples']

import dovecot
import mount as mounting
import tap
from command import run, wait_until
from desk import Desk
from namespace import enter_own_namespace, show_as
from notify import Manager

SCRIPTS = ROOT + '/examples/scripts'
UNITS = ROOT + '/examples/systemd'


class Place(Desk):
    """A desk with the scripts and imapfs on the PATH."""

    def __init__(self, case, folders=None, **options):
        self.bin = case.path('bin')
        os.mkdir(self.bin)
        os.symlink(os.path.realpath(mounting.BINARY), self.bin + '/imapfs')
        super().__init__(case, folders, **options)
        self.environment = {
            'PATH': f'{self.bin}:{SCRIPTS}:{os.environ["PATH"]}',
            'HOME': case.directory, 'XDG_CACHE_HOME': case.path('cache')}

    def script(self, name, *arguments, **more):
        return run(os.path.join(SCRIPTS, name), *arguments,
                   limit=120 * tap.PATIENCE,
                   env={**self.environment, **more})

    def program(self, name, text):
        """A stand-in for a program of the desktop."""
        path = os.path.join(self.bin, name)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), 'w') as file:
            file.write('#!/bin/sh\n' + text)

    def deliver(self, subject, folder='INBOX', date=None, body='Hello.'):
        message = (f'From: Bob Example <bob@example.org>\r\n'
                   f'Subject: {subject}\r\n'
                   f'Message-ID: <{abs(hash(subject))}@example.org>\r\n\r\n'
                   f'{body}\r\n')
        status, _ = self.client.imap.append(
            '"' + dovecot.encode_name(folder) + '"', None,
            f'"{date:%d-%b-%Y %H:%M:%S +0000}"' if date else None,
            message.encode())
        assert status == 'OK'

    def all_bodies(self):
        return sorted(digest for folder in dovecot.folders(self.server)
                      for digest in self.bodies(folder).values())


def digests(directory):
    return sorted(dovecot.digest(os.path.join(where, name))
                  for where, _, names in os.walk(directory) for name in names
                  if name.endswith('.eml'))


# ---- backup

@tap.test(limit=120)
def test_backup_by_rsync_is_complete_and_follows(case):
    place = Place(case)
    target = case.path('backup')
    for attempt in ('first', 'again', 'after a change'):
        result = place.script('backup', 'rsync', place.mount.mountpoint,
                              target)
        case.expect(result.clean, attempt, result)
        case.expect(digests(target) == place.all_bodies(), attempt, 'differs')
        if attempt == 'again':
            os.unlink(place.path('INBOX', place.names()[0]))
            place.deliver('After the backup')
            place.soon(lambda: any('after-the-backup' in name
                                   for name in place.names()), 'not there')


@tap.test(limit=180)
def test_backup_by_restic_reads_only_what_is_new(case):
    place = Place(case)
    secrets = {'RESTIC_PASSWORD': 'backup-secret'}
    repository, restored = case.path('restic'), case.path('restored')
    run('restic', '--repo', repository, 'init', check=True,
        limit=60 * tap.PATIENCE, env={**place.environment, **secrets})
    first = place.script('backup', 'restic', place.mount.mountpoint,
                         repository, **secrets)
    case.expect(first.ok, first, first.out.decode())
    place.mount.unmount(30)
    place.mount = mounting.Mount(
        case, place.url, place.options, data=place.data,
        password=dovecot.password(place.server),
        mountpoint=place.mount.mountpoint)
    again = place.script('backup', 'restic', place.mount.mountpoint,
                         repository, **secrets)
    files = re.search(r'Files:\s+(\d+) new,\s+(\d+) changed',
                      again.out.decode())
    case.expect(again.ok and files and files[1] == files[2] == '0', again,
                again.out.decode())
    restore = run('restic', '--repo', repository, 'restore', 'latest',
                  '--target', restored, limit=120 * tap.PATIENCE,
                  env={**place.environment, **secrets})
    case.expect(restore.ok and digests(restored) == place.all_bodies(),
                restore)


@tap.test(limit=180)
def test_backup_by_borg_can_be_restored(case):
    place = Place(case)
    secrets = {'BORG_PASSPHRASE': 'backup-secret',
               'BORG_BASE_DIR': case.path('borg-home')}
    repository, restored = case.path('borg'), case.path('restored')
    environment = {**place.environment, **secrets}
    run('borg', 'init', '--encryption=repokey', repository, check=True,
        limit=120 * tap.PATIENCE, env=environment)
    result = place.script('backup', 'borg', place.mount.mountpoint, repository,
                          **secrets)
    case.expect(result.ok, result)
    names = run('borg', 'list', '--short', repository, check=True,
                limit=60 * tap.PATIENCE, env=environment).out.decode().split()
    os.mkdir(restored)
    run('borg', 'extract', f'{repository}::{names[-1]}', check=True,
        limit=60 * tap.PATIENCE, env=environment, cwd=restored)
    case.expect(digests(restored) == place.all_bodies(), 'differs')


@tap.test(limit=90)
def test_backup_of_an_unmounted_directory_is_refused(case):
    """What was backed up before stays."""
    place = Place(case)
    target = case.path('backup')
    case.expect(place.script('backup', 'rsync', place.mount.mountpoint,
                             target).ok)
    before = digests(target)
    place.mount.unmount(30)
    result = place.script('backup', 'rsync', place.mount.mountpoint, target)
    case.expect(result.status == 1 and 'no mount of imapfs' in result.err,
                result)
    case.expect(before and digests(target) == before, 'the backup was emptied')


@tap.test(limit=90)
def test_backup_waits_for_what_was_changed(case):
    """What was moved just now is moved at the server, and in the backup."""
    place = Place(case, rtt_ms=100)
    name = place.names()[0]
    os.rename(place.path('INBOX', name), place.path('Other', name))
    result = place.script('backup', 'rsync', place.mount.mountpoint,
                          case.path('backup'))
    case.expect(result.clean, result)
    case.expect(len(place.ids('Other')) == 6, place.ids('Other'))
    case.expect(os.path.exists(case.path('backup', 'Other', name)), 'not there')


# ---- new mail, searching, filing

@tap.test(limit=90)
def test_notifier_tells_of_new_mail(case):
    place = Place(case)
    told = case.path('told')
    place.program('notify-send', f'printf "%s|" "$@" >>{told}; echo >>{told}')
    notifier = subprocess.Popen(
        [SCRIPTS + '/notify', place.mount.mountpoint],
        env={**os.environ, **place.environment}, stdin=subprocess.DEVNULL,
        start_new_session=True)
    case.defer(notifier.wait, 20 * tap.PATIENCE)

    def readers():
        with open(place.path('.imapfs/status')) as file:
            return json.load(file)['pending']['event_readers']

    place.soon(readers, 'nobody reads events')
    place.names()
    place.deliver('Lunch; rm -rf "$HOME" `true`')

    def said():
        with contextlib.suppress(FileNotFoundError):
            with open(told) as file:
                return file.read()

    place.soon(said, 'nothing was told', limit=30)
    case.expect('|Bob Example <bob@example.org>|'
                'Lunch; rm -rf "$HOME" `true`|' in (said() or ''), said())
    run('fusermount3', '-uz', place.mount.mountpoint, check=True)
    case.expect(notifier.wait(20 * tap.PATIENCE) == 0, 'it has not ended well')


@tap.test(limit=90)
def test_search_and_file_moves_what_it_finds(case):
    place = Place(case)
    for number in range(3):
        place.deliver(f'Invoice {number}', body=f'Invoice 471{number}\r\nend')
    place.deliver('Not this one', body='Invoice 4712, and more')
    place.soon(lambda: len(place.names()) == 24, 'not all there')
    words = ('^invoice 471[0-9]$', place.path('INBOX'), place.path('Paid'))
    shown = place.script('search-and-file', '-n', *words)
    case.expect(shown.clean and len(shown.out.splitlines()) == 3, shown,
                shown.out)
    case.expect(len(place.names()) == 24, 'something was moved')
    result = place.script('search-and-file', *words)
    case.expect(result.clean, result)
    place.wait()
    case.expect(len(place.ids('Paid')) == 3 and len(place.ids()) == 21,
                place.ids('Paid'))
    again = place.script('search-and-file', *words)
    case.expect(again.clean, again)


@tap.test(limit=120)
def test_old_mail_is_moved_to_its_year(case):
    place = Place(case, {'INBOX': 0, 'Other': 3})
    now = datetime.datetime.now(datetime.timezone.utc)
    years = [now.year - age for age in (2, 3, 3)]
    for number, year in enumerate(years):
        place.deliver(f'Old {number}',
                      date=datetime.datetime(year, 6, 1 + number, 12))
    place.deliver('New', date=now)
    place.soon(lambda: len(place.names()) == 4, 'not all there')
    result = place.script('archive-old', place.mount.mountpoint)
    case.expect(result.clean, result)
    for year in set(years):
        found = os.listdir(place.path('Archive', str(year)))
        case.expect(len(found) == years.count(year), year, found)
        case.expect(len(place.ids(f'Archive/{year}')) == years.count(year))
    case.expect(len(place.names()) == 1 and 'new' in place.names()[0])


# ---- logging in

class TokenServer(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length'])).decode()
        self.server.asked.append(dict(urllib.parse.parse_qsl(body)))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"access_token": "token-4711", "expires_in": 60}')

    def log_message(self, *unused):
        pass


@tap.test
def test_token_is_fetched_by_the_refresh_token(case):
    server = http.server.HTTPServer(('127.0.0.1', 0), TokenServer)
    server.asked = []
    case.defer(server.server_close)
    thread = threading.Thread(target=server.handle_request)
    thread.start()
    file = case.path('oauth2.json')
    with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as out:
        json.dump({'token_uri': f'http://127.0.0.1:{server.server_port}/token',
                   'client_id': 'a b&c', 'refresh_token': 'r=1&2'}, out)
    result = run(SCRIPTS + '/oauth2-token', file, limit=60)
    thread.join(20)
    case.expect(result.clean and result.out == b'token-4711\n', result,
                result.out)
    case.expect(server.asked == [{'grant_type': 'refresh_token',
                                  'client_id': 'a b&c',
                                  'refresh_token': 'r=1&2'}], server.asked)
    os.chmod(file, 0o644)
    result = run(SCRIPTS + '/oauth2-token', file)
    case.expect(result.status == 1 and 'chmod 600' in result.err, result)


@tap.test
def test_configuration_is_accepted(case):
    file = case.path('imapfs.conf')
    with open(ROOT + '/examples/conf/imapfs.conf') as example:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as out:
            out.write(example.read())
    result = run(mounting.BINARY, '--config', file, '--print-config')
    case.expect(result.clean, result)
    for words in ('[home]', '[gmail]', '[archive]', 'delete', 'trash', '5G'):
        case.expect(words in result.out.decode(), words, result.out.decode())


# ---- the machine's own

@tap.test
def test_lines_of_fstab_mount(case):
    enter_own_namespace(case)
    show_as(case, os.path.realpath(mounting.BINARY), '/usr/local/bin/imapfs')
    server = dovecot.start_sample(case, 20)
    password = case.path('password')
    with open(os.open(password, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
        file.write(dovecot.password(server) + '\n')
    with open(ROOT + '/examples/fstab/fstab') as file:
        text = file.read()
    lines = [line for line in text.splitlines()
             if line and not line.startswith('#')]
    case.expect(len(lines) == 3, lines)
    for number, line in enumerate(lines):
        place = case.path(f'mnt-{number}')
        os.mkdir(place)
        fields = line.split()
        fields[:2] = [server.url, place]
        # What is this server's, not the reader's.
        fields[3] = re.sub(r'password_file=[^,]*',
                           f'password_file={password}', fields[3]) + (
            f',ca_file={server.ca_file},cache_dir=none,state_dir=none')
        fstab = case.path(f'fstab-{number}')
        with open(fstab, 'w') as file:
            file.write(' '.join(fields) + '\n')
        show_as(case, fstab, '/etc/fstab')
        case.defer(run, 'umount', '-l', place)
        result = run('mount', place, limit=60 * tap.PATIENCE)
        case.expect(result.clean, line, result)
        case.expect(len(digests(place)) == 20, line)
        run('umount', place, check=True, limit=60 * tap.PATIENCE)
        run('umount', '/etc/fstab', check=True)


@tap.test
def test_units_are_good(case):
    """With what they run where they look for it."""
    units, home = case.path('units'), case.path('home')
    os.makedirs(home + '/.local/bin')
    os.mkdir(units)
    for name in ('backup', 'notify'):
        os.symlink(os.path.join(SCRIPTS, name), f'{home}/.local/bin/{name}')
    wanted = []
    for name in sorted(os.listdir(UNITS)):
        if not re.search(r'\.(service|timer)(\.in)?$', name):
            continue
        with open(os.path.join(UNITS, name)) as file:
            text = file.read()
        text = text.replace('@bindir@/imapfs', os.path.realpath(
            mounting.BINARY)).replace('%h', home)
        name = name.removesuffix('.in')
        with open(os.path.join(units, name), 'w') as file:
            file.write(text)
        wanted.append(name.replace('@.', '@home.'))
    case.expect(len(wanted) == 5, wanted)
    result = run('systemd-analyze', '--user', '--man=no', 'verify',
                 *(os.path.join(units, name) for name in wanted),
                 limit=60 * tap.PATIENCE, env={
                     'SYSTEMD_UNIT_PATH': units + ':', 'HOME': home,
                     'XDG_RUNTIME_DIR': case.directory})
    case.expect(result.clean, result)
    bad = os.path.join(units, 'bad@.service')
    with open(os.path.join(units, 'imapfs@.service')) as file:
        text = file.read().replace('Type=notify', 'Type=notfy')
    with open(bad, 'w') as file:
        file.write(text)
    result = run('systemd-analyze', '--user', '--man=no', 'verify',
                 bad.replace('@.', '@home.'), limit=60 * tap.PATIENCE, env={
                     'SYSTEMD_UNIT_PATH': units + ':', 'HOME': home,
                     'XDG_RUNTIME_DIR': case.directory})
    case.expect(not result.clean, 'nothing is found', result)


class Unit:
    """The commands of a unit that mounts, in their order, as a manager runs
    them. conf: the configuration; credentials: {name: password}."""

    def __init__(self, case, name, conf, credentials):
        self.case = case
        self.manager = Manager(case)
        self.home = case.path('home')
        os.makedirs(self.home + '/.config/imapfs')
        folder = case.path('credentials')
        os.mkdir(folder)
        for of, password in credentials.items():
            self.write(os.path.join(folder, of), password + '\n')
        self.write(self.home + '/.config/imapfs/imapfs.conf', conf)
        with open(os.path.join(UNITS, name)) as file:
            self.text = file.read().replace(
                '@bindir@/imapfs', os.path.realpath(mounting.BINARY)).replace(
                    '%h', self.home).replace('%i', 'home')
        run(*self.command('ExecStartPre'), check=True)
        self.process = subprocess.Popen(
            self.command('ExecStart'), stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={'HOME': self.home, 'PATH': os.environ['PATH'],
                 'LC_ALL': 'C.UTF-8', 'NOTIFY_SOCKET': self.manager.address,
                 'CREDENTIALS_DIRECTORY': folder})
        case.defer(self.process.wait, 30 * tap.PATIENCE)
        case.defer(self.process.terminate)
        self.is_ready(1)

    def write(self, path, text):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
            file.write(text)

    def command(self, key):
        (words,) = re.findall(rf'^{key}=(.*)', self.text, re.M)
        return words.split()

    def is_ready(self, times):
        self.case.expect(
            self.manager.wait(lambda m: m.count('READY') == times),
            self.manager.messages)

    def reload(self):
        run(*(word.replace('$MAINPID', str(self.process.pid))
              for word in self.command('ExecReload')), check=True)
        self.is_ready(2)

    def stop(self):
        self.process.terminate()
        self.case.expect(self.process.wait(30 * tap.PATIENCE) == 0)


@tap.test(limit=90)
def test_unit_runs_what_mounts(case):
    server = dovecot.start_sample(case, 20)
    unit = Unit(case, 'imapfs@.service.in',
                f'[home]\nurl = {server.url}\nca_file = {server.ca_file}\n',
                {'imapfs.password': dovecot.password(server)})
    case.expect(len(digests(unit.home + '/Mail/home')) == 20)
    unit.reload()
    unit.stop()


@tap.test(limit=90)
def test_unit_of_all_accounts_mounts_each(case):
    """With a credential of its own for each."""
    server = dovecot.start_sample(case, users={'one': None, 'two': None},
                                  prepare=lambda new: [
        new.generate(user=user, flat='INBOX', messages=3)
        for user in ('one', 'two')])
    conf = ''.join(
        f'[{name}]\nca_file = {server.ca_file}\n'
        f'url = imaps://{user}@{server.host}:{server.tls_port}/\n'
        for name, user in (('home', 'one'), ('work', 'two')))
    unit = Unit(case, 'imapfs.service.in', conf,
                {'home': server.users['one'], 'work': server.users['two']})
    case.expect(sorted(os.listdir(unit.home + '/Mail')) == ['home', 'work'])
    for name in ('home', 'work'):
        case.expect(len(digests(f'{unit.home}/Mail/{name}/INBOX')) == 3, name)
    unit.reload()
    unit.stop()


@tap.test
def test_every_example_is_tested(case):
    """Or is one of those that others are made of."""
    with open(__file__) as file:
        text = file.read()
    for folder in ('scripts', 'conf', 'fstab'):
        for name in os.listdir(os.path.join(ROOT, 'examples', folder)):
            case.expect(f"'{name}'" in text or f'{folder}/{name}' in text or
                        f'/{name}' in text, folder, name)


if __name__ == '__main__':
    tap.main(jobs=3)
