"""What a client asks a scripted server for to list a mailbox, and what it then
shows."""

import re
import subprocess
import sys
import threading
import time

import mailstore
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Message, make_message
from tap import PATIENCE

PATIENT = 20 * PATIENCE

SERVERS = {
    'plain': CAPABILITIES,
    'condstore': CAPABILITIES + ' CONDSTORE',
    'qresync': CAPABILITIES + ' CONDSTORE QRESYNC',
}


def tagged(command, text='OK done'):
    return f'{command.tag} {text}\r\n'.encode()


def fetches(scene, mark, flags=False):
    """The UID FETCHes of rows, or of flags alone, since mark."""
    return [c for c in scene.server.since(mark)[0] if c.name == 'UID FETCH'
            and 'BODY.PEEK[]' not in c.text
            and c.text.partition(' ')[2].startswith('(UID FLAGS)') == flags]


def rows_of(fetch, mailbox):
    ranges = mailstore.parse_set(fetch.text.split()[0], 1 << 32)
    return {m.uid for m in mailbox.messages
            if mailstore.in_set(m.uid, ranges)}


def names(result):
    return sorted(result.out.decode().split())


def stale():
    """Lets what is known grow old: poll is what is tested."""
    time.sleep(1.2)


SESSION = ('CAPABILITY', 'LOGIN', 'AUTHENTICATE', 'ID', 'ENABLE', 'NAMESPACE')


def cut_line(scene):
    """Cuts the line, and lets what is known grow old. While there is none, what
    was known is shown: so it is there again at the end."""
    seen = len(scene.server.connections)
    scene.server.drop_connections()
    stale()
    wait_until(lambda: any(
        c.connection > seen and c.name not in SESSION
        for c in scene.server.since((0, 0))[0]), PATIENT)


def listed(case, scene, directory='INBOX'):
    result = run('ls', '-f', scene.path(directory))
    case.expect(result.clean, result)
    uids = {int(u) for u in re.findall(r'(\d+)\.eml$', result.out.decode(),
                                       re.M)}
    case.expect(uids == {m.uid for m in scene.server.find(directory).present},
                'wrong list', sorted(uids))


def change(mailbox):
    """10 new, 10 gone, 10 with other flags."""
    first = mailbox.uidnext
    for uid in range(first, first + 10):
        mailbox.add(Message(uid, make_message(uid, 500)))
    mailbox.remove(*range(11, 21))
    for uid in range(31, 41):
        mailbox.set_flags(uid, '\\Seen', '$Later')


class Held:
    """Answers the FETCH of everything up to a message, and the rest when it is
    let go; or says what then is to be said."""

    def __init__(self, scene, count, rest=None):
        self.count = count
        self.rest = rest
        self.let_go = threading.Event()
        self.asked = threading.Event()
        scene.server.hooks['UID FETCH'] = self

    def __call__(self, line, command):
        if '1:* ' not in command.text or self.asked.is_set():
            return False
        self.asked.set()
        whole = line.fetch(command)
        middle = whole.index(b'* %d FETCH' % (self.count + 1))
        line.send(whole[:middle])
        assert self.let_go.wait(3 * PATIENT)
        if self.rest:
            self.rest(line, command)
        else:
            line.send(whole[middle:] + tagged(command))
        return True


class Behind:
    """Answers what is sent together with a NOOP by what the client was told
    before, and tells what is new at the end of it, as Dovecot does: behind the
    search, or the new rows. When the client next asks, deed() was done right
    before."""

    COMMANDS = ('NOOP', 'UID SEARCH', 'UID FETCH')

    def __init__(self, scene):
        self.server = scene.server
        self.server.tells = True
        self.deed = None
        self.told = None  # the number of commands when it was told
        for name in self.COMMANDS:
            self.server.hooks[name] = self

    def __call__(self, line, command):
        if line.mailbox is None:
            return False
        with self.server.changing:
            if self.deed is not None:
                self.deed()
                self.deed = None
            answer = (b'' if command.name == 'NOOP'
                      else self._of_old(line, command))
            if command.name != 'NOOP' and '(UID FLAGS)' not in command.text:
                news = line.news()
                if news:
                    self.told = len(self.server.commands)
                answer += news
        line.send(answer + tagged(command))
        return True

    def next(self):
        """What was asked for after that; nothing: None."""
        return next((c.name for c in self.server.commands[self.told:]
                     if c.name in self.COMMANDS[1:]), None)

    @staticmethod
    def _of_old(line, command):
        """Its answer without the tagged line."""
        mailbox = line.mailbox
        real = [(m, m.expunged) for m in mailbox.messages]
        vanished = mailbox.vanished
        for message, _ in real:
            message.expunged = message.uid not in line.told
        mailbox.vanished = [one for one in vanished if one[1] not in line.told]
        whole = line.default(command)
        mailbox.vanished = vanished
        for message, expunged in real:
            message.expunged = expunged
        return whole[:whole.rstrip().rfind(b'\n') + 1]


SCAN = '''
import os, sys
for entry in os.scandir(sys.argv[1]):
    print(entry.name, flush=True)
'''


class Scan:
    """A program that lists a directory, and says every name as it has it."""

    def __init__(self, case, path):
        self.process = subprocess.Popen(
            [sys.executable, '-c', SCAN, path], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        case.defer(self.process.kill)
        self.names = []
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        for line in self.process.stdout:
            self.names.append(line.decode().strip())

    def sees(self, count):
        return wait_until(lambda: len(self.names) >= count, PATIENT)

    def end(self):
        status = self.process.wait(PATIENT)
        self.thread.join(PATIENT)
        return status, self.process.stderr.read().decode()
