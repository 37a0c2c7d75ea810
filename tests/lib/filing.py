"""Moving, removing and flagging at random while the daemon is killed, and what
must be true afterwards: every message exactly once, where the work says or
where it was."""

import contextlib
import os
import signal
import subprocess
import sys

import mount as mounting
from command import run, wait_until

# A program of its own: it may hang in the kernel when the daemon goes. What it
# is about to do, and what it has done, is on its output.
WORKER = r'''
import hashlib, os, random, sys
root, seed, folders = sys.argv[1], int(sys.argv[2]), sys.argv[3].split(',')
source = random.Random(seed)
for turn in range(100000):
    here, there = source.sample(folders, 2)
    names = sorted(n for n in os.listdir(f'{root}/{here}') if n.endswith('.eml'))
    if not names:
        continue
    name = source.choice(names)
    path = f'{root}/{here}/{name}'
    kind = source.random()
    body = open(path, 'rb').read()
    digest = hashlib.sha256(body).hexdigest()
    if kind < 0.1:
        print('remove', digest, flush=True)
        os.unlink(path)
    elif kind < 0.8:
        print('move', digest, flush=True)
        os.rename(path, f'{root}/{there}/{seed}-{turn}.eml')
    else:
        os.setxattr(path, 'user.imap.flags', b'+work')
    if source.random() < 0.02:
        folder = os.open(f'{root}/{here}', os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
'''


class Filing:
    """The truth about a server's messages while work goes on: which there
    were, and which may be gone."""

    def __init__(self, desk, folders):
        self.desk = desk
        self.folders = folders
        self.all = self.everywhere()
        self.removed = set()

    def everywhere(self):
        return sorted(body for folder in self.folders
                      for body in self.desk.bodies(folder).values())

    def work_and_kill(self, seed, seconds):
        """Returns how many changes were asked for before the kill."""
        mount = self.desk.mount
        pid = mount.pid
        with subprocess.Popen(
                [sys.executable, '-c', WORKER, mount.mountpoint, str(seed),
                 ','.join(self.folders)], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True) as worker:
            # The moment is what is being tried: there is nothing to wait for.
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(seconds)
            os.kill(pid, signal.SIGKILL)
            try:
                out = worker.communicate(timeout=60)[0].decode()
            except subprocess.TimeoutExpired:
                os.killpg(worker.pid, signal.SIGKILL)
                out = worker.communicate()[0].decode()
        wait_until(lambda: not mount.is_alive(), 20)
        if mounting.is_mounted(mount.mountpoint):
            run('fusermount3', '-uz', mount.mountpoint)
        # It is the test that has ended it.
        mount.process.returncode = 0
        lines = [line.split() for line in out.splitlines()]
        self.removed |= {line[1] for line in lines if line[0] == 'remove'}
        return len(lines)

    def wrong(self):
        """What is not as it must be, now that all is done: a sentence; ''."""
        found = self.everywhere()
        doubled = {body for body in found
                   if found.count(body) > self.all.count(body)}
        lost = {body for body in self.all
                if found.count(body) < self.all.count(body)} - self.removed
        if doubled or lost:
            return f'{len(doubled)} doubled {sorted(doubled)}, ' \
                   f'{len(lost)} lost {sorted(lost)}'
        return ''
