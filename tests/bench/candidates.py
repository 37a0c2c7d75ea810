"""The candidates that are file systems: imapfs, the bare one, local copies."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time

import mount as mounting
import sample_store
from command import run, wait_until
from ground import wait_at_most

SAMPLE_OF_TEXT = 1 << 20


def memory(pid):
    """{VmRSS, VmHWM} of a process in megabytes (10^6 octets)."""
    found = {}
    with open(f'/proc/{pid}/status') as lines:
        for line in lines:
            name, _, value = line.partition(':')
            if name in ('VmRSS', 'VmHWM'):
                found[name] = int(value.split()[0]) * 1024 / 1e6
    return found


class _Imapfs(mounting.Mount):
    """As users mount, waiting for the command and for nothing else."""

    def _start(self, limit):
        self.pids = []
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=self.environment, start_new_session=True)
            self.case.defer(self._clean_up)
            status = wait_at_most(self.process, limit)
        self.returned = time.monotonic()
        if status != 0:
            raise mounting.MountFailed(status, self.messages(), limit)


class Account:
    """Mounts that share a cache, which is empty at first and goes with it."""

    def __init__(self, ground, **options):
        self.ground = ground
        self.options = options
        self.directory = tempfile.mkdtemp(prefix='account-',
                                          dir=ground.directory)
        self.mount = None
        self._stack = contextlib.ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.unmount()
        shutil.rmtree(self.directory, ignore_errors=True)

    # The interface that a mount wants of a test.

    def defer(self, function, *arguments):
        self._stack.callback(function, *arguments)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def expect(self, condition, *words):
        return self.ground.expect(condition, *words)

    def start(self):
        """Mounts; self.mount.returned is when the command came back."""
        self.unmount()
        ground = self.ground
        tls = ground.transport == 'tls'
        options = dict(
            self.options, password_file=ground.server.password_file,
            **({'ca_file': ground.server.ca_file} if tls else {'tls': 'off'}))
        url = (f'{"imaps" if tls else "imap"}://{ground.server.user}'
               f'@localhost:{ground.line.port}/')
        self.mount = _Imapfs(
            self, url, options, password=None, background=True, limit=60,
            environment={'XDG_CACHE_HOME': self.path('cache'),
                         'XDG_STATE_HOME': self.path('state'),
                         # Not what users have, and not free.
                         'G_DEBUG': ''})
        return self.mount

    def unmount(self):
        mount, self.mount = self.mount, None
        # Also after a mount that failed.
        with self._stack.pop_all():
            if mount is None:
                return
            # Busy while the server still finishes with a tool given up.
            if wait_until(lambda: run('fusermount3', '-u',
                                      mount.mountpoint).ok, 5, 0.1):
                wait_until(lambda: not mount.is_alive(), 30)


@contextlib.contextmanager
def bare(ground, folder):
    """The bare file system with as many files of the same sizes."""
    directory = tempfile.mkdtemp(prefix='bare-', dir=ground.directory)
    mountpoint = directory + '/mnt'
    os.mkdir(mountpoint)
    files = sample_store.files(ground.server.mail_root(), folder)
    with open(directory + '/list', 'w') as names, \
            open(directory + '/text', 'wb') as text:
        for number, path in enumerate(files, 1):
            names.write(f'{path.stat().st_size} '
                        f'2026-11-22_0930_alice-example_subject.{number}.eml\n')
            if text.tell() < SAMPLE_OF_TEXT:
                text.write(path.read_bytes())
    process = subprocess.Popen(
        [ground.program('bare-fs'), directory + '/list', directory + '/text',
         mountpoint], stdin=subprocess.DEVNULL)
    try:
        if not wait_until(lambda: mounting.is_mounted(mountpoint)
                          or process.poll() is not None, 20) \
                or process.poll() is not None:
            raise RuntimeError('bare-fs does not mount')
        yield mountpoint
    finally:
        process.terminate()
        process.wait(20)
        if mounting.is_mounted(mountpoint):
            run('fusermount3', '-uz', mountpoint)
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def local_copy(ground, folder, parent):
    """The messages of a folder as plain files below parent."""
    directory = tempfile.mkdtemp(prefix='imapfs-bench-copy-', dir=parent)
    try:
        for number, path in enumerate(
                sample_store.files(ground.server.mail_root(), folder), 1):
            shutil.copyfile(path, f'{directory}/2026-11-22_0930_alice-example_'
                                  f'subject.{number}.eml')
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
