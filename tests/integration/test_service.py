#!/usr/bin/env python3
"""As a service: what the service manager is told, signals, and the journal."""

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import run, wait_until
from namespace import enter_own_namespace
from notify import Manager, abstract_name, monotonic_us
from scene import Scene

USER, OLD, NEW = 'alice', 'old-secret', 'new-secret'


def start(case, manager=None, *, environment=None, **named):
    """A mount whose password is in the file that is returned."""
    scene = Scene(case, timeout=10, account=(USER, OLD),
                  options={'poll': 1, 'connections': 2})
    file = case.path('password')
    write_password(file, OLD)
    scene.options['password_file'] = file
    environment = dict(environment or {})
    if manager:
        environment['NOTIFY_SOCKET'] = manager.address
    scene.start(password=None, environment=environment, **named)
    is_ready(case, manager)
    return scene, file


def is_ready(case, manager):
    """What is said of the start is not taken for an answer to what follows."""
    if manager and manager.hears():
        case.expect(manager.wait(lambda m: m.count('READY')),
                    manager.messages)


def write_password(file, password):
    with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              'w') as out:
        out.write(password + '\n')


def says(mount, pattern, limit=20):
    return wait_until(lambda: re.search(pattern, mount.messages()),
                      limit * tap.PATIENCE)


# ---- the service manager

for name in (None, abstract_name()):
    @tap.test(name='manager_is_told_' + ('at_an_abstract_address' if name
                                         else 'at_a_path'), arguments=(name,))
    def manager_is_told(case, name):
        manager = Manager(case, name)
        scene, _ = start(case, manager)
        case.expect(manager.wait(lambda m: m.said('READY') == ['1']),
                    manager.messages)
        states = manager.said('STATUS')
        case.expect(states == ['Logging in at 127.0.0.1',
                               'Online: alice at 127.0.0.1'], states)
        scene.mount.terminate()
        case.expect(manager.wait(lambda m: m.said('STOPPING') == ['1']),
                    manager.messages)
        kinds = [next(iter(message)) for message in manager.messages]
        case.expect(kinds.index('READY') < kinds.index('STOPPING'), kinds)


@tap.test
def test_ready_is_said_when_it_is_mounted(case):
    """And not while the server has not let us in."""
    manager = Manager(case)
    asked, go_on = threading.Event(), threading.Event()
    scene = Scene(case, timeout=20 * tap.PATIENCE)

    def login(line, command):
        asked.set()
        go_on.wait(40 * tap.PATIENCE)
        line.send(line.default(command))

    for word in ('LOGIN', 'AUTHENTICATE'):
        scene.server.hooks[word] = login
    seen = []

    def look():
        asked.wait(20 * tap.PATIENCE)
        seen.append(list(manager.messages))
        go_on.set()

    looker = threading.Thread(target=look)
    looker.start()
    scene.start(environment={'NOTIFY_SOCKET': manager.address})
    looker.join()
    case.expect(not any('READY' in message for message in seen[0]), seen)
    case.expect(manager.wait(lambda m: m.count('READY')), manager.messages)


@tap.test
def test_status_follows_the_line(case):
    manager = Manager(case)
    scene, _ = start(case, manager)
    assert scene.listing()
    scene.server.stop()
    with open(os.devnull, 'w') as nowhere:
        subprocess.run(['ls', scene.path('INBOX')], stdout=nowhere,
                       stderr=nowhere, timeout=60 * tap.PATIENCE)
    case.expect(manager.wait(lambda m: any(
        text.startswith('Offline: ') for text in m.said('STATUS'))),
        manager.messages)


@tap.test
def test_status_says_that_the_login_is_refused(case):
    manager = Manager(case)
    scene, _ = start(case, manager)
    assert scene.listing()
    scene.server.account = (USER, NEW)
    scene.server.drop_connections()
    case.expect(manager.wait(lambda m: any(
        text.startswith('Login refused: ') for text in m.said('STATUS'))),
        manager.messages)
    case.expect(OLD not in repr(manager.messages), 'a secret')


@tap.test
def test_busy_manager_is_not_waited_for(case):
    """Its queue is full: mail is there all the same, and it hears of it."""
    manager = Manager(case, deaf=True)
    case.expect(manager.fill() > 0)
    scene, _ = start(case, manager)
    case.expect(scene.listing(), 'nothing is served')
    manager.hear()
    case.expect(manager.wait(lambda m: m.said('READY') == ['1']),
                manager.messages[-5:])


@tap.test
def test_manager_that_is_gone_is_no_reason_to_fail(case):
    scene, _ = start(case, environment={
        'NOTIFY_SOCKET': case.path('nobody')})
    case.expect(scene.listing())
    scene.mount.terminate()


@tap.test
def test_commands_cannot_speak_in_our_name(case):
    manager = Manager(case)
    scene = Scene(case, timeout=10)
    seen = case.path('seen')
    scene.options['password_command'] = f'env > {seen}; echo secret'
    scene.start(password=None, environment={'NOTIFY_SOCKET': manager.address})
    with open(seen) as file:
        case.expect('NOTIFY_SOCKET' not in file.read())


# ---- SIGHUP

def reload(case, scene, manager):
    """Returns what was said until it was done, and when it was begun."""
    before, ready = len(manager.messages), manager.count('READY')
    begun = monotonic_us()
    os.kill(scene.mount.pid, signal.SIGHUP)
    case.expect(manager.wait(lambda m: m.count('READY') > ready),
                manager.messages)
    return manager.messages[before:], begun


@tap.test
def test_hangup_takes_the_new_password(case):
    manager = Manager(case)
    scene, file = start(case, manager)
    assert scene.listing() and scene.cat(1)
    # A login that is under way would be refused, and rightly said to be.
    assert wait_until(lambda: are_all_logged_in(scene), 20 * tap.PATIENCE)
    scene.server.account = (USER, NEW)
    write_password(file, NEW)
    mark = scene.server.mark()
    said, begun = reload(case, scene, manager)
    case.expect('RELOADING' in said[0] and
                begun <= int(said[0]['MONOTONIC_USEC']) <= monotonic_us(),
                said)
    case.expect(says(scene.mount, 'Reloaded: logged in'),
                scene.mount.messages())
    # The end of a line may be read late.
    case.expect(wait_until(
        lambda: {'LOGOUT', 'AUTHENTICATE'} <=
        set(scene.server.names_since(mark)), 20 * tap.PATIENCE),
        scene.server.names_since(mark))
    names = scene.server.names_since(mark)
    case.expect('BAD' not in names and scene.listing() and scene.cat(2))
    case.expect('efused' not in scene.mount.messages(),
                scene.mount.messages())


@tap.test
def test_hangup_ends_nothing_that_is_open(case):
    """A file that is being read is read on, to its end."""
    manager = Manager(case)
    scene, _ = start(case, manager)
    assert scene.listing()
    body = scene.inbox.get(1).body
    with open(scene.file(1), 'rb', buffering=0) as file:
        first = file.read(10)
        reload(case, scene, manager)
        case.expect(first + file.read() == body, 'other octets')


@tap.test
def test_hangup_without_new_credentials_goes_on_with_the_old(case):
    manager = Manager(case)
    scene, file = start(case, manager)
    os.unlink(file)
    reload(case, scene, manager)
    case.expect(says(scene.mount, 'going on with what was known'),
                scene.mount.messages())
    case.expect(scene.listing() and scene.cat(1))


@tap.test
def test_hangup_without_the_server_says_so(case):
    manager = Manager(case)
    scene, _ = start(case, manager)
    scene.server.stop()
    reload(case, scene, manager)
    case.expect(says(scene.mount, 'Reloaded, but there is no connection'),
                scene.mount.messages())
    case.expect(manager.wait(
        lambda m: m.said('STATUS')[-1].startswith('Offline: ')),
        manager.messages)


def write_configuration(case, scene, **keys):
    path = case.path('imapfs.conf')
    keys = {'url': scene.server.url(), **scene.options, **keys}
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
              'w') as file:
        file.write('[home]\n' + ''.join(
            f'{key} = {value}\n' for key, value in keys.items()))
    return path


def start_configured(case, manager, **named):
    """A mount of what the configuration file, which is returned, has."""
    scene = Scene(case, timeout=10, account=(USER, OLD),
                  options={'poll': 1, 'connections': 2})
    path = write_configuration(case, scene, password_command=f'echo {OLD}')
    scene.mount = mounting.Mount(
        case, 'home', arguments=('--config', os.path.basename(path)),
        password=None, environment={'NOTIFY_SOCKET': manager.address},
        cwd=case.directory, **named)
    is_ready(case, manager)
    return scene


def are_all_logged_in(scene):
    with open(scene.path('.imapfs/status')) as file:
        return all(connection['state'] == 'ready'
                   for connection in json.load(file)['connections'])


for background in (False, True):
    @tap.test(name='hangup_reads_the_configuration_again_in_the_' + (
        'background' if background else 'foreground'), arguments=(background,))
    def hangup_reads_configuration(case, background):
        """Another source of the password; also by relative paths, from where
        the daemon is not any more."""
        manager = Manager(case)
        scene = start_configured(case, manager, background=background)
        assert scene.listing()
        assert wait_until(lambda: are_all_logged_in(scene), 20 * tap.PATIENCE)
        write_password(case.path('elsewhere'), NEW)
        write_configuration(case, scene, password_file='elsewhere',
                            names='subject', cache_size='5M')
        scene.server.account = (USER, NEW)
        mark = scene.server.mark()
        os.kill(scene.mount.pid, signal.SIGHUP)
        case.expect(wait_until(
            lambda: {'LOGOUT', 'AUTHENTICATE'} <=
            set(scene.server.names_since(mark)), 20 * tap.PATIENCE),
            scene.server.names_since(mark))
        case.expect(scene.listing() and scene.cat(1))
        with open(scene.path('.imapfs/status')) as file:
            said = file.read()
        case.expect('only for the next mount: names, cache_size' in said and
                    'the login' not in said, said)


@tap.test
def test_hangup_with_a_mistake_in_the_configuration_changes_nothing(case):
    manager = Manager(case)
    scene = start_configured(case, manager)
    write_configuration(case, scene, pasword_command='echo no')
    reload(case, scene, manager)
    case.expect(says(scene.mount, 'imapfs.conf:.*pasword_command.*going on'),
                scene.mount.messages())
    case.expect(scene.listing() and scene.cat(1))


@tap.test
def test_hangups_one_after_another_are_all_served(case):
    manager = Manager(case)
    scene, _ = start(case, manager)
    for _ in range(5):
        os.kill(scene.mount.pid, signal.SIGHUP)
    case.expect(manager.wait(lambda m: m.count('READY') > 1),
                manager.messages)
    case.expect(manager.wait(lambda m: m.count('READY') - 1
                             == m.count('RELOADING')), manager.messages)
    case.expect(scene.listing())


@tap.test
def test_hangup_of_the_background_reloads(case):
    scene, _ = start(case, background=True)
    mark = scene.server.mark()
    os.kill(scene.mount.pid, signal.SIGHUP)
    case.expect(wait_until(lambda: 'LOGOUT' in scene.server.names_since(mark),
                           20 * tap.PATIENCE), scene.server.names_since(mark))
    case.expect(scene.mount.is_alive() and scene.listing())


@tap.test
def test_lost_terminal_ends_what_is_in_its_foreground(case):
    """As ever: a window that is closed takes its programs with it."""
    scene, _ = start(case)
    mountpoint = case.path('on-a-terminal')
    os.mkdir(mountpoint)
    options = ','.join(key if value is None else f'{key}={value}'
                       for key, value in scene.options.items())
    command = [mounting.BINARY, '-f', '-o', options +
               ',cache_dir=none,state_dir=none', scene.server.url(),
               mountpoint]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    case.defer(run, 'fusermount3', '-uz', mountpoint)
    case.expect(wait_until(lambda: mounting.is_mounted(mountpoint),
                           20 * tap.PATIENCE), 'not mounted')
    os.close(terminal)
    case.expect(wait_until(lambda: not mounting.is_mounted(mountpoint),
                           20 * tap.PATIENCE), 'still mounted')
    _, status = os.waitpid(pid, 0)
    case.expect(not os.WIFSIGNALED(status), status)


# ---- SIGUSR1

@tap.test
def test_status_is_logged_when_asked_for(case):
    scene, _ = start(case)
    assert scene.listing()
    os.kill(scene.mount.pid, signal.SIGUSR1)
    for pattern in ('Status: Online: alice at 127.0.0.1',
                    f'Status: mounted at {scene.mount.mountpoint} since 20',
                    r'Status: connections: [12] of \d',
                    'Status: not on the server yet: 0 changes, 0 uploads',
                    'Status: messages known: [1-9]'):
        case.expect(says(scene.mount, pattern), pattern,
                    scene.mount.messages())
    with open(scene.path('.imapfs/status')) as file:
        case.expect('Status: ' not in file.read(),
                    'the answer counts as an error')


# ---- the journal

class Journal:
    """What systemd's journal has under /run, in a mount namespace of our own:
    its socket, and what its standard error looks like to a service."""

    FOLDER = '/run/systemd/journal'

    def __init__(self, case):
        enter_own_namespace(case)
        os.makedirs(self.FOLDER, exist_ok=True)
        run('mount', '-t', 'tmpfs', 'none', self.FOLDER, check=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.FOLDER + '/socket')
        self.socket.settimeout(0.1)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.FOLDER + '/stdout')
        self.listener.listen()
        self.entries = []

    def stderr(self):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(self.FOLDER + '/stdout')
        return stream

    def read(self):
        try:
            while True:
                self.entries.append(dict(
                    line.split('=', 1) for line
                    in self.socket.recv(65536).decode().splitlines()
                    if '=' in line))
        except TimeoutError:
            return self.entries


for background in (False, True):
    @tap.test(name='journal_has_fields_from_the_' + (
        'background' if background else 'foreground'), arguments=(background,))
    def journal_has_fields(case, background):
        journal = Journal(case)
        scene = Scene(case, timeout=10)
        mountpoint, password = case.path('mnt'), case.path('password')
        os.mkdir(mountpoint)
        write_password(password, 'secret')
        options = ','.join(f'{key}={value}' for key, value in {
            **scene.options, 'password_file': password, 'cache_dir': 'none',
            'state_dir': 'none'}.items())
        process = subprocess.Popen(
            [mounting.BINARY, *([] if background else ['-f']), '-o', options,
             scene.server.url(), mountpoint], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=journal.stderr())
        case.defer(process.wait, 20 * tap.PATIENCE)
        case.defer(run, 'fusermount3', '-uz', mountpoint)
        case.expect(wait_until(lambda: mounting.is_mounted(mountpoint) and
                               not background or process.poll() == 0,
                               20 * tap.PATIENCE), 'not mounted')
        daemon = mounting.daemon_pids(mountpoint)[0] if background \
            else process.pid
        entries = []

        def is_told():
            os.kill(daemon, signal.SIGUSR1)
            entries[:] = [entry for entry in journal.read()
                          if entry.get('MESSAGE', '').startswith('Status: ')]
            return entries

        case.expect(wait_until(is_told, 20 * tap.PATIENCE), journal.entries)
        wanted = {'PRIORITY': '5', 'SYSLOG_IDENTIFIER': 'imapfs',
                  'IMAPFS_ACCOUNT': 'alice@127.0.0.1',
                  'IMAPFS_MOUNTPOINT': mountpoint}
        for entry in entries:
            case.expect(wanted.items() <= entry.items(), entry)


@tap.test
def test_journal_is_told_of_a_dead_mount_that_is_covered(case):
    journal = Journal(case)
    scene = Scene(case, timeout=10)
    mount = mounting.Mount(case, scene.server.url(), scene.options)
    run('mount', '-t', 'tmpfs', 'none', mount.mountpoint, check=True)
    case.defer(run, 'umount', '-l', mount.mountpoint)
    case.expect(not journal.read(), journal.entries)
    os.kill(mount.process.pid, signal.SIGKILL)
    mount.process.wait(20 * tap.PATIENCE)
    mount.process.returncode = 0
    case.expect(wait_until(journal.read, 20 * tap.PATIENCE), 'nothing is said')
    (entry,) = journal.entries
    case.expect(f'its mount at {mount.mountpoint} stays, dead, for another one '
                'is mounted over it' in entry['MESSAGE'] and
                entry['SYSLOG_IDENTIFIER'] == 'imapfs', entry)


if __name__ == '__main__':
    tap.main(jobs=3)
