"""A scripted server, a mount of it, and what must be true of every answer:
within the deadline, complete or an error, the right bytes or none."""

import concurrent.futures
import os
import re
import shutil
import time

from command import Result, Stuck, run, wait_until
from imapserver import Server
from mount import Mount, MountFailed
from tap import PATIENCE, SANITIZED

MARGIN = 5 if SANITIZED else 2  # seconds
STALLED = 0.5  # the same


class Scene:
    def __init__(self, case, mailboxes=None, *, timeout=2, names='uid',
                 options=None, **server):
        self.case = case
        self.timeout = timeout
        self.deadline = timeout + MARGIN
        self.server = Server(mailboxes, **server).start()
        case.defer(self.server.stop)
        self.options = {'timeout': timeout, 'names': names,
                        'tls': self.server.tls}
        self.options.update(options or {})
        self.mount = None

    def start(self, **named):
        """Tried again if our own server, which does nothing wrong, was kept
        from answering in time."""
        for left in (2, 1, 0):
            try:
                self.mount = Mount(self.case, self.server.url(), self.options,
                                   limit=self.deadline + 5, **named)
                break
            except MountFailed as failure:
                wrong = self.server.hooks or self.server.close_after
                if wrong or left == 0 or failure.lost < STALLED:
                    raise
                self.case.note('again:', failure)
        return self.mount

    @property
    def inbox(self):
        return self.server.mailboxes[0]

    def path(self, *parts):
        return self.mount.path(*parts)

    def file(self, uid, folder='INBOX'):
        return self.path(folder, f'{uid}.eml')

    # One answer each, judged. All return whether the program succeeded.

    def _run(self, *arguments, limit):
        """As run(), but a program that is stuck is a failure to go on from."""
        try:
            return run(*arguments, limit=limit)
        except Stuck as stuck:
            self.case.expect(False, stuck)
            return Result(list(arguments), -9, b'', str(stuck), limit)

    def listing(self, folder='INBOX', option='-la'):
        """ls: all messages and child mailboxes, or a failure that shows."""
        result = self._run('ls', option, self.path(folder), limit=self.deadline + 1)
        self._in_time(result)
        if result.clean:
            self._is_complete(result, result.out.decode(), folder)
        else:
            self.case.expect(result.status != 0 or result.err, result)
        return result.clean

    def find(self, folder='INBOX'):
        result = self._run('find', self.path(folder), '-type', 'f',
                     limit=3 * self.deadline)
        if result.ok:
            self._is_complete(result, result.out.decode(), folder)
        return result.ok

    def rsync(self, folder='INBOX'):
        mailbox = self.server.find(folder)
        target = self.case.path(f'rsync-{time.monotonic_ns()}')
        result = self._run('rsync', '-a', self.path(folder) + '/', target,
                     limit=(4 + len(mailbox.present)) * self.deadline)
        if result.ok:
            copied = {}
            for name in os.listdir(target):
                number = re.search(r'(\d+)\.eml$', name)
                if number:
                    with open(os.path.join(target, name), 'rb') as file:
                        copied[int(number[1])] = file.read()
            self.case.expect(
                copied == {m.uid: m.body for m in mailbox.present},
                'rsync succeeded with other than all the mail:',
                {uid: len(body) for uid, body in copied.items()})
        shutil.rmtree(target, ignore_errors=True)
        return result.ok

    def stat(self, uid, folder='INBOX'):
        result = self._run('stat', '-c', '%s', self.file(uid, folder),
                     limit=self.deadline + 1)
        self._in_time(result)
        return result.ok

    def cat(self, uid, folder='INBOX', limit=None):
        """cat: every octet right, or a failure; what came before it is a
        beginning of the message."""
        result = self._run('cat', self.file(uid, folder),
                     limit=limit or self.deadline + 1)
        if limit is None:
            self._in_time(result)
        body = self.server.find(folder).get(uid).body
        if result.ok:
            self.case.expect(result.out == body, 'wrong bytes:',
                             f'{len(result.out)} octets for {len(body)}:',
                             result.out[:200])
        else:
            self.case.expect(body.startswith(result.out),
                             'wrong bytes before the failure:',
                             result.out[:200])
        self._no_dead_mount(result)
        return result.ok

    def _in_time(self, result):
        if result.status != -9:
            self.case.expect(result.taken <= self.deadline, 'too late:',
                             result)
        self._no_dead_mount(result)

    def _no_dead_mount(self, result):
        for words in ('Transport endpoint', 'Resource temporarily'):
            self.case.expect(words not in result.err, result)

    def _is_complete(self, result, text, folder):
        mailbox = self.server.find(folder)
        listed = {int(uid) for uid in re.findall(r'(\d+)\.eml$', text, re.M)}
        wanted = {m.uid for m in mailbox.present}
        self.case.expect(listed == wanted,
                         f'short or wrong listing reported as success: '
                         f'{sorted(listed)}', result)

    # All of them

    def probe(self, uid=3, folder='INBOX', fails=()):
        """Asks everything at once while the server misbehaves. fails: which of
        ls, stat, cat, find, rsync cannot possibly succeed."""
        # Separate programs, so that one blocked in the kernel stops none.
        calls = {'ls': lambda: self.listing(folder),
                 'stat': lambda: self.stat(uid, folder),
                 'cat': lambda: self.cat(uid, folder),
                 'find': lambda: self.find(folder),
                 'rsync': lambda: self.rsync(folder)}
        results = {}
        for group in (('ls', 'stat', 'cat'), ('find', 'rsync')):
            with concurrent.futures.ThreadPoolExecutor(3) as pool:
                futures = {name: pool.submit(calls[name]) for name in group}
            results.update((n, f.result()) for n, f in futures.items())
        for name in fails:
            self.case.expect(not results[name],
                             f'{name} succeeded, which cannot be right')
        self.case.expect(self.mount.is_alive(), 'the daemon is gone:',
                         self.mount.messages()[-3000:])
        return results

    def heal(self, uids=(1, 3), folder='INBOX', limit=20):
        """The server behaves again: all must work soon."""
        self.server.behave()
        started = time.monotonic()
        self._soon(lambda: self.listing(folder), 'ls', limit)
        for uid in uids:
            self._soon(lambda: self.cat(uid, folder), f'cat {uid}', limit)
        self.case.note(f'works again after {time.monotonic() - started:.1f} s')
        self.case.expect(not self.server.complaints, self.server.complaints)
        self.case.expect(not self.server.errors, 'the scripted server failed:',
                         self.server.errors)

    def _soon(self, call, name, limit):
        self.case.expect(wait_until(call, limit * PATIENCE, 0.25),
                         f'{name} still fails when the server behaves again:',
                         self.mount.messages()[-2000:])
