"""What all candidates run on: one directory, one server with its mail, one
line to it, and the tools, each timed in the same way."""

import contextlib
import json
import math
import os
import pathlib
import select
import shutil
import signal
import subprocess
import tempfile
import time

import hardmail
import mailstore
import sample_store
from proxy import Proxy
from sample_server import SampleServer

SIDE_FOLDERS = 40
SIDE_MESSAGES = 5
SINGLES = 700
LARGE_BYTES = 50_000_000
# An attachment of a message that has a very large one, too.
ATTACHED = bytes(range(1, 251)) * 40
ATTACHED_BESIDE = 22_000_000
# For COMPRESS=DEFLATE, as most installations of Dovecot have it.
ZLIB = 'protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}\n'


def attached(number):
    """A message of 30 MB: a text, a small attachment, a large one."""
    parts = [hardmail.part(
        f'application/pdf; name="{name}"', hardmail.encoded(octets, 'base64'),
        'Content-Transfer-Encoding: base64',
        f'Content-Disposition: attachment; filename="{name}"')
        for name, octets in (('small.pdf', ATTACHED),
                             ('large.pdf', b'x' * ATTACHED_BESIDE))]
    return hardmail.mixed(f'Attached {number}', [hardmail.TEXT, *parts])[1]


def wait_at_most(process, seconds):
    """The exit status, as soon as there is one; None if there is none yet.
    Popen.wait() with a limit looks only every 50 ms."""
    handle = os.pidfd_open(process.pid)
    try:
        ready = select.select([handle], [], [], seconds)[0]
    finally:
        os.close(handle)
    return process.wait() if ready else None


class Ground:
    """Everything that is started ends with close()."""

    def __init__(self, build, directory=None, transport='tls', rate=0,
                 patience=120, say=print):
        self.build = pathlib.Path(build).absolute()
        self.transport = transport
        self.patience = patience
        self.say = say
        self.complaints = []
        self._stack = contextlib.ExitStack()
        self._kept = directory is not None
        self.directory = os.path.abspath(directory) if directory else \
            tempfile.mkdtemp(prefix='imapfs-bench-')
        if not self._kept:
            self.defer(shutil.rmtree, self.directory, True)
        os.makedirs(self.directory, exist_ok=True)
        os.chmod(self.directory, 0o711)
        try:
            self.server = SampleServer(
                os.path.join(self.directory, 'server'), extra=ZLIB,
                settings={'mail_max_userip_connections': 200})
            self.defer(self.server.stop)
            self.rate = rate
        except BaseException:
            self.close()
            raise

    # The interface that tests/lib/mount.py wants of a test.

    def defer(self, function, *arguments, **named):
        self._stack.callback(function, *arguments, **named)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def expect(self, condition, *words):
        if not condition:
            text = ' '.join(str(word) for word in words)
            self.complaints.append(text)
            self.say('! ' + text)
        return bool(condition)

    def close(self):
        self._stack.close()

    def program(self, name):
        return str(self.build / 'tests/bench' / name)

    # Mail

    def make_mail(self, wanted):
        """wanted: {folder: arguments of generate()}. What a kept directory
        has already is not made again."""
        record = self.path('mail.json')
        made = {}
        if os.path.exists(record):
            made = json.loads(pathlib.Path(record).read_text())
        for folder, arguments in wanted.items():
            if made.get(folder) == arguments:
                continue
            if arguments['messages'] > 100:
                self.say(f'making {arguments["messages"]} messages: {folder}')
            shutil.rmtree(self.folder(folder), ignore_errors=True)
            for child in [n for n in made if n.startswith(folder + '/')]:
                del made[child]
            self._make(folder, **arguments)
            made[folder] = arguments
            pathlib.Path(record).write_text(json.dumps(made))
        self.server._give_away(self.server.home)

    def _make(self, folder, messages, kind='sample', **named):
        if kind == 'sample':
            self.server.generate(flat=folder, messages=messages, **named)
            return
        cur = self.folder(folder) / 'cur'
        for part in sample_store.PARTS:
            (cur.parent / part).mkdir(parents=True)
        if kind == 'large':
            self._store(cur, 1, mailstore.make_message(1, LARGE_BYTES))
            return
        if kind == 'attached':
            for number in range(1, messages + 1):
                self._store(cur, number, attached(number))
            return
        # Tiny ones: a thousand different files, each under many names.
        for number in range(1, messages + 1):
            body = mailstore.make_message(number % 1000, 400)
            name = f'{number:08d}.M1P1.sample,S={len(body)},W={len(body)}:2,S'
            first = cur / f'{number % 1000:08d}.M1P1.sample,S=400,W=400:2,S'
            if 1000 <= number and first.exists():
                os.link(first, cur / name)
            else:
                (cur / name).write_bytes(body)

    @staticmethod
    def _store(cur, number, body):
        name = f'{number}.M1P1.sample,S={len(body)},W={len(body)}:2,S'
        (cur / name).write_bytes(body)

    def folder(self, name):
        return sample_store.folder_path(self.server.mail_root(), name)

    def start(self):
        self.server.start()
        port = self.server.tls_port if self.transport == 'tls' \
            else self.server.starttls_port
        self.line = Proxy(port, case=self, rate_mbit=self.rate,
                          program=self.program('delay-proxy'))

    def warm_up(self, mail):
        """The server builds its index of a folder when it is first asked, and
        reads its files from the disk: none of the candidates should pay."""
        self.say('warming up the server')
        self.line.set_rtt(0)
        for folder, arguments in mail.items():
            for what in ('headers', 'plain', 'bodies'):
                if what != 'bodies' or arguments.get('kind') != 'tiny':
                    self.wire(folder, what)

    # Candidates that are a single program

    def wire(self, folder, what):
        """{seconds, setup, octets} of one streamed FETCH."""
        security = ['--ca', str(self.server.ca_file)] \
            if self.transport == 'tls' else ['--plain']
        done = subprocess.run(
            [self.program('wire'), '--port', str(self.line.port),
             '--user', self.server.user,
             '--password-file', str(self.server.password_file),
             '--mailbox', folder, '--fetch', what, *security],
            stdout=subprocess.PIPE, check=True, timeout=600)
        return json.loads(done.stdout)

    def mbsync(self, folder, fsync, compress):
        """Seconds of pulling a folder into an empty Maildir."""
        target = tempfile.mkdtemp(prefix='mbsync-', dir=self.directory)
        os.makedirs(target + '/mail')
        try:
            return self._mbsync_into(target, folder, fsync, compress)
        finally:
            shutil.rmtree(target, ignore_errors=True)

    def _mbsync_into(self, target, folder, fsync, compress):
        tls = self.transport == 'tls'
        lines = [
            'IMAPAccount a', 'Host localhost', f'Port {self.line.port}',
            f'User {self.server.user}',
            f'PassCmd "cat {self.server.password_file}"',
            f'SSLType {"IMAPS" if tls else "None"}',
            *([f'CertificateFile {self.server.ca_file}'] if tls else []),
            'AuthMechs LOGIN',
            *([] if compress else ['DisableExtension COMPRESS=DEFLATE']), '',
            'IMAPStore far', 'Account a', '',
            'MaildirStore near', f'Path {target}/mail/',
            f'Inbox {target}/mail/INBOX', 'SubFolders Verbatim', '',
            'Channel c', f'Far :far:{folder}', f'Near :near:{folder}',
            'Create Near', 'Sync Pull', 'Expunge None', 'SyncState *', '',
        ]
        if not fsync:
            lines[:0] = ['FSync no', '']
        pathlib.Path(target, 'rc').write_text('\n'.join(lines))
        with open(target + '/log', 'w') as log:
            seconds = self.timed(['mbsync', '-q', '-c', target + '/rc', 'c'],
                                 env=dict(os.environ, HOME=target), stderr=log)
        pulled = len(sample_store.files(target + '/mail', folder))
        wanted = len(sample_store.files(self.server.mail_root(), folder))
        # It skips a message that has no header.
        self.expect(math.isinf(seconds) or pulled >= 0.99 * wanted,
                    f'mbsync pulled {pulled} of {wanted} messages:',
                    pathlib.Path(target, 'log').read_text()[-300:])
        return seconds

    # Timing

    def timed(self, command, statuses=(0,), started=None, **named):
        """Seconds until command ended; infinite when it took longer than the
        patience or failed. started: when to count from, if not from now."""
        started = started or time.monotonic()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **named)
        try:
            status = wait_at_most(process, self.patience)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        seconds = time.monotonic() - started
        if status is None:
            self.say(f'gave up after {self.patience} s: {command}')
            os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            return math.inf
        if not self.expect(status in statuses, f'exit status {status}:',
                           command):
            return math.inf
        return seconds

    def tool(self, name, directory, started=None):
        """Seconds of a tool over a directory. Its output goes through a pipe:
        some tools do less when they see /dev/null."""
        # Found in some of the messages, whatever their number.
        script = {'tar': 'tar c -C "$0" .', 'cat': 'cat "$0"',
                  'rg': 'rg -c meeting "$0"',
                  'ls -f': 'LC_ALL=C ls -f "$0"',
                  'ls -l': 'LC_ALL=C ls -l "$0"'}[name]
        return self.timed(
            ['bash', '-o', 'pipefail', '-c', script + ' | cat >/dev/null',
             directory], (0, 1) if name == 'rg' else (0,), started)

    @staticmethod
    def forget_entries():
        """The kernel forgets the names and attributes that it was told, as far
        as it may be asked to: by root. Says whether it did."""
        with contextlib.suppress(OSError):
            os.sync()
            pathlib.Path('/proc/sys/vm/drop_caches').write_text('2')
            return True
        return False

    def on_line(self, call):
        """What call() returns, and what it cost on the line."""
        before = self.line.counts()
        result = call()
        after = self.line.counts()
        return result, {key: after[key] - before[key] for key in after}
