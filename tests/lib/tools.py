"""Programs as people have them, run in a mount of a Dovecot that is written
to; and whether the server saw anything of what they did."""

import contextlib
import fcntl
import hashlib
import os
import pty
import shutil
import subprocess
import termios

import dovecot
import tap
from command import run, wait_until
from mount import BINARY
from proxy import Proxy
from writing import Place, crlf


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            raise tap.Skip(f'{program} is not installed')


class Workshop(Place):
    """folders: {name: messages}, in the order of their UIDs; each is dated
    DATE and its number, and flagged as flags says. counted: what crosses the
    line can be asked for. rtt_ms: its latency."""

    DATE = 1500000000

    def __init__(self, case, folders=None, flags='', counted=False, rtt_ms=0,
                 **named):
        folders = folders or {}
        start = {key: named.pop(key) for key in ('background', 'data')
                 if key in named}
        super().__init__(case, mailboxes=[name for name in folders
                                          if name != 'INBOX'],
                         mounted=False, **named)
        for name, bodies in folders.items():
            for number, body in enumerate(bodies):
                self.append(body, name, flags, self.DATE + number)
        self.line = None
        if counted or rtt_ms:
            self.line = Proxy(self.server.tls_port, case, rtt_ms=rtt_ms)
            self.url = self.url.replace(f':{self.server.tls_port}/',
                                        f':{self.line.port}/')
        self.start(**start)
        for name in folders:  # the first listing is no news
            os.listdir(self.path(name))

    def name(self, uid, folder='INBOX'):
        """What the message is called there, as soon as it is seen."""
        found = wait_until(lambda: [name for name in self.names(folder)
                                    if name.endswith(f'.{uid}.eml')],
                           20 * tap.PATIENCE)
        assert len(found) == 1, (uid, self.names(folder))
        return found[0]

    def state(self, *folders):
        """All that the server has: {folder: [(UID, flags, date, digest)]}."""
        return {folder: [(one.uid, tuple(sorted(one.flags)), one.date,
                          hashlib.sha256(one.body).hexdigest())
                         for one in self.stored(folder)]
                for folder in folders or ('INBOX',)}

    def expect_state(self, wanted, why):
        """Now that the server has been told all: the same, in every bit."""
        self.wait()
        found = self.state(*wanted)
        self.case.expect(found == wanted, why, '\nthe server has', found,
                         '\nand should have', wanted)

    def wait(self):
        result = run(BINARY, '--wait', self.mount.mountpoint,
                     limit=60 * tap.PATIENCE)
        self.case.expect(result.clean, result)

    def settled(self, bodies, folder='INBOX', why=''):
        """Exactly these, once the server has been told all; as stored."""
        self.wait()
        return self.expect_stored(bodies, folder, why)

    def fails(self, command, *words):
        """It must, and say one of these."""
        result = self.shell(command, check=False)
        self.case.expect(not result.ok and
                         any(word in result.err for word in words), result)
        return result

    def octets(self):
        """Both ways, since the last time."""
        counts = self.line.counts()
        self.line.reset()
        return counts['to_server'] + counts['to_client']

    def sources(self, bodies, date=DATE, suffix='.eml'):
        """m0.eml and so on, below $S."""
        for number, body in enumerate(bodies):
            self.write_source(f'm{number}{suffix}', body, date + number)

    def expect_unchanged_files(self, folder, bodies):
        """The mount shows these octets, whatever the names."""
        found = sorted(dovecot.digest(self.path(folder, name))
                       for name in self.names(folder))
        self.case.expect(
            found == sorted(hashlib.sha256(crlf(body)).hexdigest()
                            for body in bodies),
            f'{folder} reads otherwise:', self.names(folder))


class Terminal:
    """A program that wants one, and the keys that are pressed there."""

    def __init__(self, case, *command, cwd=None, **environment):
        self.case = case
        master, slave = pty.openpty()
        self.master = master
        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env=dict(os.environ, TERM='xterm', LC_ALL='C.UTF-8',
                     LINES='24', COLUMNS='80', **environment))
        os.close(slave)
        os.set_blocking(master, False)
        self.shown = b''
        case.defer(self._end)

    def _end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def _look(self):
        with contextlib.suppress(OSError):
            while piece := os.read(self.master, 65536):
                self.shown += piece
        return self.shown

    def shows(self, *texts, limit=20):
        """Waits until it has shown one of them since the last keys, and
        returns that."""
        found = wait_until(lambda: [text for text in texts
                                    if text in self._look()],
                           limit * tap.PATIENCE)
        self.case.expect(found, 'it never shows', texts, 'but',
                         self.shown[-2000:])
        return found[0] if found else b''

    def until(self, condition, limit=20, step=0.2):
        """Waits until it has done something, and takes what it shows: it would
        wait for that."""
        return wait_until(lambda: self._look() is not None and condition(),
                          limit * tap.PATIENCE, step)

    def press(self, keys):
        self.shown = b''
        os.write(self.master, keys.encode())

    def ends(self, status=0, limit=30):
        wait_until(lambda: self._look() is None or
                   self.process.poll() is not None, limit * tap.PATIENCE)
        self.case.expect(self.process.poll() == status, 'it ends with',
                         self.process.poll(), self.shown[-2000:])
