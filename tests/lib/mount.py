"""Starting and ending imapfs. Whatever happens, nothing stays mounted."""

import contextlib
import glob
import os
import re
import signal
import subprocess
import time

import stalls
from command import Stuck, run, wait_until
from tap import PATIENCE

BINARY = os.environ.get('IMAPFS_BINARY', os.path.join(
    os.path.dirname(os.path.abspath(__file__)), '../../build/imapfs'))


class MountFailed(Exception):
    """imapfs ended before it had mounted. The text is what it said; lost: of
    the seconds, see stalls."""

    def __init__(self, status, message, seconds, lost=0.0):
        super().__init__(f'exit status {status} after {seconds:.1f} s: '
                         f'{message.strip()}')
        self.status = status
        self.message = message
        self.seconds = seconds
        self.lost = lost
        self.taken = seconds - lost


def is_mounted(path):
    """Whether path is a mount point, without touching what is mounted."""
    wanted = os.path.realpath(os.path.dirname(path))
    wanted = os.path.join(wanted, os.path.basename(path)).encode()
    with open('/proc/self/mountinfo', 'rb') as lines:
        for line in lines:
            found = re.sub(rb'\\([0-7]{3})',
                           lambda m: bytes([int(m.group(1), 8)]),
                           line.split(b' ')[4])
            if found == wanted:
                return True
    return False


def daemon_pids(mountpoint):
    """The processes whose command line names this mount point."""
    found = []
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            with open(f'/proc/{name}/cmdline', 'rb') as file:
                words = file.read().split(b'\0')
            if os.fsencode(mountpoint) in words and b'imapfs' in words[0]:
                found.append(int(name))
    return found


def peak_memory(pid):
    """Highest resident size so far, in octets."""
    with open(f'/proc/{pid}/status') as lines:
        for line in lines:
            if line.startswith('VmHWM:'):
                return int(line.split()[1]) * 1024
    raise AssertionError(f'process {pid} is gone')


class Mount:
    """One mount. options is a dict for -o; None as a value gives a bare word.

    With password, a file with mode 0600 holds it and password_file names it.
    Cache and state are the mount's own, unless data names a directory for
    them: a mount that is to find what an earlier one kept names the same.
    prefix: a command that runs the rest of its line.
    background=True runs imapfs as users do; otherwise it stays in the
    foreground, a child of the test.
    """

    def __init__(self, case, url, options=None, *, password='secret',
                 background=False, arguments=(), limit=20, mountpoint=None,
                 environment=None, data=None, cwd=None, prefix=()):
        self.case = case
        self.home = case.path(f'home-{time.monotonic_ns()}')
        self.data = data or self.home
        self.mountpoint = mountpoint or self.home + '-mnt'
        self.background = background
        self.cwd = cwd
        self.process = None
        self.status = None
        os.makedirs(self.home)
        with contextlib.suppress(FileExistsError):  # perhaps a dead mount
            os.makedirs(self.mountpoint)
        options = dict(options or {})
        if password is not None:
            options.setdefault('password_file', self._password_file(password))
        words = ','.join(key if value is None else f'{key}={value}'
                         for key, value in options.items())
        self.command = [*prefix, BINARY, *([] if background else ['-f']),
                        *arguments, *(['-o', words] if words else []),
                        url, self.mountpoint]
        self.environment = dict(
            os.environ, HOME=self.home, G_DEBUG='fatal-warnings',
            XDG_CACHE_HOME=self.data + '/cache',
            XDG_STATE_HOME=self.data + '/state', LC_ALL='C.UTF-8')
        self._sanitizers_write_to(self.home + '/sanitizer')
        self.environment.update(environment or {})
        self.log = self.home + '/stderr'
        self._start(limit * PATIENCE)

    def _password_file(self, password):
        path = self.home + '/password'
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
            file.write(password + '\n')
        return path

    def _sanitizers_write_to(self, path):
        # A daemon in the background has no stderr that we could read.
        for name, defaults in (('ASAN_OPTIONS', 'detect_leaks=1'),
                               ('UBSAN_OPTIONS', 'halt_on_error=1:'
                                                 'print_stacktrace=1')):
            self.environment[name] = ':'.join(
                [os.environ.get(name, defaults), f'log_path={path}'])

    def _start(self, limit):
        self.case.defer(self._clean_up)
        started = time.monotonic()
        with open(self.log, 'wb') as log:
            # A session of its own: no terminal, so nothing is asked there.
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True, cwd=self.cwd)

        def settled():
            if self.process.poll() is not None:
                return True
            return not self.background and is_mounted(self.mountpoint)

        if not wait_until(settled, limit):
            raise Stuck(f'{self.command} neither mounts nor ends in {limit} s; '
                        f'it said: {self.messages()!r}')
        ended = time.monotonic()
        self.seconds = ended - started
        lost = stalls.lost(started, ended)
        self.taken = self.seconds - lost
        status = self.process.poll()
        if self.background and status == 0:
            if not is_mounted(self.mountpoint):
                raise AssertionError('exit status 0, but nothing is mounted')
            self.pids = daemon_pids(self.mountpoint)
        elif status is not None:
            self.status = status
            raise MountFailed(status, self.messages(), self.seconds, lost)
        else:
            self.pids = [self.process.pid]

    def messages(self):
        with open(self.log, errors='replace') as file:
            return file.read()

    def path(self, *parts):
        return os.path.join(self.mountpoint, *parts)

    def run(self, *arguments, **named):
        return run(*arguments, **named)

    @property
    def pid(self):
        """The daemon: the process that holds /dev/fuse, whoever started it."""
        for pid in self.pids + daemon_pids(self.mountpoint):
            with contextlib.suppress(OSError):
                for fd in os.listdir(f'/proc/{pid}/fd'):
                    with contextlib.suppress(OSError):
                        if os.readlink(f'/proc/{pid}/fd/{fd}') == '/dev/fuse':
                            return pid
        raise AssertionError('the daemon is gone; it said: ' + self.messages())

    def is_alive(self):
        if self.background:
            return bool(daemon_pids(self.mountpoint))
        return self.process.poll() is None

    def peak_memory(self):
        return peak_memory(self.pid)

    def unmount(self, limit=30):
        """Ends it as a user does, and checks that the daemon goes in peace."""
        run('fusermount3', '-u', self.mountpoint, check=True)
        self.wait_ended(limit)

    def terminate(self, limit=30):
        os.kill(self.pid, signal.SIGTERM)
        self.wait_ended(limit)

    def wait_ended(self, limit=30):
        limit *= PATIENCE
        if not wait_until(lambda: not self.is_alive(), limit):
            raise Stuck(f'the daemon still runs after {limit} s')
        if is_mounted(self.mountpoint):
            raise AssertionError('the daemon ended and left its mount')
        if not self.background and self.process.returncode != 0:
            raise AssertionError(
                f'the daemon ended with {self.process.returncode}: '
                + self.messages()[-4000:])

    def _clean_up(self):
        alive = self.is_alive()
        if is_mounted(self.mountpoint):
            run('fusermount3', '-uz', self.mountpoint, limit=20)
        # A test with a mount namespace of its own may hold the mount, too.
        if alive and not wait_until(lambda: not self.is_alive(), 20 * PATIENCE):
            self.case.expect(False, 'the daemon outlived its mount; killed')
            for pid in {self.process.pid, *daemon_pids(self.mountpoint)}:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not self.background or self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(5)
        self._check_end()

    def _check_end(self):
        """No crash, whatever the test was about."""
        status = self.process.returncode
        self.case.expect(status is None or status >= 0,
                         f'imapfs was ended by signal {-(status or 0)}:',
                         self.messages()[-3000:])
        said = self.messages()
        for path in glob.glob(self.home + '/sanitizer.*'):
            with open(path, errors='replace') as file:
                said += file.read()
        for word in ('AddressSanitizer', 'LeakSanitizer', 'runtime error:',
                     'CRITICAL **', 'WARNING **'):
            self.case.expect(word not in said, 'imapfs said:', said[:6000])


def mount_fails(case, url, options=None, **named):
    """Runs imapfs, which must fail; returns what it said and how long it took.
    One sentence on stderr, an exit status that is no crash, no mount."""
    mountpoint = case.path(f'no-mount-{time.monotonic_ns()}')
    try:
        mount = Mount(case, url, options, mountpoint=mountpoint, **named)
    except MountFailed as failure:
        case.expect(not is_mounted(mountpoint), 'it left a mount behind')
        case.expect(0 < failure.status < 125,
                    f'exit status {failure.status}: {failure.message}')
        lines = failure.message.strip().splitlines()
        case.expect(len(lines) == 1 and lines[0].startswith('imapfs: '),
                    f'not one sentence of imapfs: {failure.message!r}')
        case.note(f'{failure.seconds:.1f} s: {failure.message.strip()}')
        return failure
    raise AssertionError(f'it mounted: {mount.command}')
