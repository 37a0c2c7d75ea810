"""Work on a mount while the daemon is killed, the line cut and the server
killed, and what must be true afterwards: every message exactly once, where the
work says and with the octets that it says. What a program was told is done is
done; what was under way is as it was before, or as it was to be."""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import time

import dovecot
import mount as mounting
from command import run, wait_until
from filing_worker import digest, key_of, make
from tap import PATIENCE

WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      'filing_worker.py')


class Truth:
    """What may be true of one message."""

    def __init__(self, folder, octets):
        self.folders = {folder}
        self.digests = {octets}
        self.may_be_gone = False
        self.may_be_there = True

    def begin(self, kind, folder, octets):
        if folder != '-':
            self.folders.add(folder)
        if octets != '-':
            self.digests.add(octets)
        if kind in ('remove', 'anew'):
            self.may_be_gone = True

    def done(self, kind, folder, octets):
        if folder != '-':
            self.folders = {folder}
        if octets != '-':
            self.digests = {octets}
        self.may_be_gone = kind == 'remove'
        self.may_be_there = kind != 'remove'


class Filing:
    def __init__(self, desk, folders, messages):
        """messages: how many there are at first."""
        self.desk = desk
        self.folders = folders
        self.truths = {}
        self.doubled = self.lost = self.other = 0
        self.asked = self.failed = 0
        self.output = desk.case.path('worker-output')
        for number in range(messages):
            key = f'<{number}@work>'
            folder = folders[number % len(folders)]
            body = make(key, number)
            desk.client.imap.append(folder, None, None, body)
            self.truths[key] = Truth(folder, digest(body))
        desk.wait()

    # Work, and what happens meanwhile

    def _work(self, seed, seconds):
        """A worker that has begun."""
        with open(self.output, 'wb') as out:
            worker = subprocess.Popen(
                [sys.executable, WORKER, self.desk.mount.mountpoint, str(seed),
                 str(seconds), ','.join(self.folders)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                start_new_session=True)
        self.desk.case.expect(
            wait_until(lambda: os.path.getsize(self.output) > 0,
                       30 * PATIENCE, 0.005), 'the worker does not begin')
        return worker

    def _finish(self, worker, limit=60):
        """It ends, and what it has said is known."""
        try:
            worker.wait(limit * PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait()
            self.desk.case.expect(False, 'the worker hangs')
        with open(self.output) as said:
            self._take(said.read().splitlines())

    def _take(self, lines):
        begun = None
        for line in lines:
            word, *rest = line.split()
            if word == 'begin':
                begun = rest
                kind, key, folder, octets = begun
                self.asked += 1
                if kind == 'add':
                    truth = self.truths[key] = Truth(folder, octets)
                    truth.may_be_gone = True
                else:
                    self.truths[key].begin(kind, folder, octets)
            elif word == 'failed':
                self.failed += 1
            elif word != 'done':
                self.desk.case.expect(False, 'the worker says', lines[-20:])
                return
            else:
                kind, key, folder, octets = begun
                self.truths[key].done(kind, folder, octets)

    def kill_daemon(self, seed, seconds, deeds=()):
        """Works so long, then kills the daemon. deeds: what else happens, in
        equal distances."""
        mount = self.desk.mount
        pid = mount.pid
        worker = self._work(seed, seconds + 60)
        self._do(deeds, seconds)
        os.kill(pid, signal.SIGKILL)
        self._finish(worker)
        wait_until(lambda: not mount.is_alive(), 20 * PATIENCE)
        if mounting.is_mounted(mount.mountpoint):
            run('fusermount3', '-uz', mount.mountpoint)
        # It is the test that has ended it.
        mount.process.returncode = 0

    def disturb(self, seed, seconds, deeds):
        """Works so long, while deeds happen; the daemon lives."""
        worker = self._work(seed, seconds)
        self._do(deeds, seconds)
        self._finish(worker)

    @staticmethod
    def _do(deeds, seconds):
        # The moments are what is being tried: there is nothing to wait for.
        for deed in deeds:
            time.sleep(seconds / (len(deeds) + 1))
            deed()
        time.sleep(seconds / (len(deeds) + 1))

    def cut_line(self):
        self.desk.proxy.cut()

    def kill_server(self):
        with contextlib.suppress(OSError):
            self.desk.client.imap.shutdown()
        dovecot.kill(self.desk.server)
        self.desk.server.start()
        self.desk.client = dovecot.Client(self.desk.server)

    # The verdict

    def settle(self, limit=60):
        """Until all that can be done is done; what was said meanwhile."""
        said = []

        def is_settled():
            result = self.desk.settle()
            said.append(result.err)
            return result.ok

        self.desk.case.expect(wait_until(is_settled, limit * PATIENCE, 0.2),
                              'it is never settled:', said[-1:])
        return sorted(set(said) - {''})

    def _on_server(self):
        """[(key, folder, digest)]"""
        found = []
        for folder in self.folders:
            if self.desk.client.open(folder) == 0:
                continue
            for part in self.desk.client.imap.uid('FETCH', '1:*',
                                                  '(BODY.PEEK[])')[1]:
                if isinstance(part, tuple) and b'@work>' in part[1]:
                    found.append((key_of(part[1]), folder,
                                  hashlib.sha256(part[1]).hexdigest()))
        return found

    def wrong(self):
        """What is not as it must be, now that all is done: sentences."""
        found = {}
        for key, folder, octets in self._on_server():
            found.setdefault(key, []).append((folder, octets))
        said = []
        for key, truth in self.truths.items():
            there = found.pop(key, [])
            if len(there) > 1:
                self.doubled += 1
                said.append(f'{key} is there {len(there)} times: {there}')
            elif not there and not truth.may_be_gone:
                self.lost += 1
                said.append(f'{key} is lost: {vars(truth)}')
            elif there and not self._is_right(truth, *there[0]):
                self.other += 1
                said.append(f'{key} is {there[0]}, not {vars(truth)}')
            self._know(truth, there)
        return said + [f'{key} was never made' for key in found]

    @staticmethod
    def _is_right(truth, folder, octets):
        return (truth.may_be_there and folder in truth.folders
                and octets in truth.digests)

    @staticmethod
    def _know(truth, there):
        """From now on that is what must be."""
        truth.may_be_there, truth.may_be_gone = bool(there), not there
        if there:
            truth.folders, truth.digests = {there[0][0]}, {there[0][1]}


def moments(source, least, most):
    """A length of work, in seconds: short ones are as likely as long ones."""
    return least * (most / least) ** source.random()


def deeds_of(filing, source, cuts, kills):
    """So many of each, in any order."""
    deeds = [filing.cut_line] * cuts + [filing.kill_server] * kills
    random.Random(source.random()).shuffle(deeds)
    return deeds
