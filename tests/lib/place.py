"""A mount of a scripted server with two folders, touched by programs of their
own: the server lives in the process of the test."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from mount import BINARY
from scene import Scene

PATIENT = 30 * tap.PATIENCE
ABLE = CAPABILITIES + ' MOVE'


class Place(Scene):
    """messages: in INBOX; the folders beside it are empty. listed: whether they
    have been, so that the mount knows what is there."""

    def __init__(self, case, capabilities=ABLE, timeout=20, messages=3,
                 folders=('Other',), listed=True, **options):
        super().__init__(
            case, [simple_mailbox(count=messages), *map(Mailbox, folders)],
            timeout=timeout * tap.PATIENCE, capabilities=capabilities,
            options={'poll': 2, **options})
        self.start(arguments=('-d',))
        for folder in ('INBOX', *(folders if listed else ())):
            self.ls(folder)

    def sh(self, command, data=b'', limit=60):
        with tempfile.TemporaryFile() as source:
            source.write(data)
            source.seek(0)
            return run('bash', '-c', command, cwd=self.mount.mountpoint,
                       stdin=source, limit=limit * tap.PATIENCE)

    def ls(self, folder):
        return set(self.sh(f'ls {folder}').out.decode().split())

    def lost(self):
        return self.ls('.imapfs/lost+found')

    def put(self, name, data):
        """By a program that looks at what close says, as a shell does not."""
        return self.sh(f'cp /dev/stdin {name}', data)

    def has(self, folder='INBOX'):
        return sorted(one.body for one in self.server.find(folder).present)

    def uids(self, folder='INBOX'):
        return [one.uid for one in self.server.find(folder).present]

    def wait(self):
        return run(BINARY, '--wait', self.mount.mountpoint,
                   limit=60 * tap.PATIENCE)

    def expect_soon(self, condition, *words):
        self.case.expect(wait_until(condition, PATIENT), *words)

    @contextlib.contextmanager
    def program(self, code, *names, **named):
        """A program of its own that has files open, until the end of it."""
        with subprocess.Popen(
                [sys.executable, '-c', 'import os, sys, time\n' + code,
                 *map(self.path, names)],
                **{'stdin': subprocess.DEVNULL, 'stdout': subprocess.PIPE,
                   **named}) as process:
            self.case.defer(process.kill)
            yield process
            process.kill()

    def kill(self):
        """As kill -9 of the daemon; returns where its data is."""
        os.kill(self.mount.pid, signal.SIGKILL)
        return self.killed()

    def killed(self):
        """The same, when a program has done that."""
        data = self.mount.data
        wait_until(lambda: not self.mount.is_alive(), PATIENT)
        self.mount.process.returncode = 0
        run('fusermount3', '-uz', self.mount.mountpoint)
        return data
