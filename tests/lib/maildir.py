"""A Dovecot and its folders as Maildirs in a mount, and the same mail in a
Maildir of plain files that mbsync keeps, to compare with."""

import hashlib
import os
import re
import sys

import dovecot
import tap
from command import run, wait_until
from mount import BINARY
from writing import Place, crlf, message

FLAGS = {'D': '\\Draft', 'F': '\\Flagged', 'P': '$Forwarded',
         'R': '\\Answered', 'S': '\\Seen', 'T': '\\Deleted'}

# Renames a message as a mail program does, and says what became of it.
RENAMER = r'''
import os, sys
folder, word, letter, turns = sys.argv[1], sys.argv[2], sys.argv[3], 40
done = lost = 0
for turn in range(turns):
    names = [n for n in os.listdir(folder) if word in n]
    if len(names) != 1:
        print('names', names)
        sys.exit(1)
    base, _, letters = names[0].partition(':2,')
    new = set(letters) ^ {letter}
    try:
        os.rename(folder + '/' + names[0],
                  folder + '/' + base + ':2,' + ''.join(sorted(new)))
        done += 1
    except FileNotFoundError:
        lost += 1
print(done, lost)
'''


def new_ones(folders):
    return [name for name, messages in folders.items()
            if name != 'INBOX' and messages is not None]


def fill(place, folders):
    for name, messages in folders.items():
        for number, (body, flags) in enumerate(messages or ()):
            place.append(body, name, flags, 1500000000 + number)


class Box(Place):
    """folders: {name: [(body, flags)]}; None for one that is there. Its Maildirs are below root."""

    def __init__(self, case, folders=None, whole=False, **named):
        folders = folders or {'INBOX': [], 'Other': []}
        options = {'layout': 'maildir'} if whole else {}
        options.update(named.pop('options', {}))
        background = named.pop('background', False)
        super().__init__(case, mailboxes=new_ones(folders), options=options,
                         mounted=False, **named)
        fill(self, folders)
        self.whole = whole
        self.start(background=background)

    def start(self, **named):
        """Always at the same place, with what the mount before has kept."""
        return super().start(data=self.case.path('box-data'),
                             mountpoint=self.case.path('box'), **named)

    def again(self):
        self.mount.unmount()
        self.start()

    @property
    def root(self):
        return self.path() if self.whole else self.path('.imapfs', 'maildir')

    def maildir(self, *names):
        return os.path.join(self.root, *names)

    def list(self, folder='INBOX', *kinds):
        """{name: 'cur' or 'new'}."""
        return {name: kind for kind in kinds or ('cur', 'new')
                for name in os.listdir(self.maildir(folder, kind))}

    def find(self, word, folder='INBOX'):
        """The path of the one message that holds the word."""
        found = []
        for name, kind in self.list(folder).items():
            path = self.maildir(folder, kind, name)
            with open(path, 'rb') as file:
                if word.encode() in file.read():
                    found.append(path)
        assert len(found) == 1, (word, found)
        return found[0]

    def deliver(self, data, name, kind='new', folder='INBOX', link=True):
        """As programs do; the path of the message."""
        temporary = self.maildir(folder, 'tmp', name)
        final = self.maildir(folder, kind, name)
        with open(temporary, 'xb') as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if link:
            os.link(temporary, final)
            os.unlink(temporary)
        else:
            os.rename(temporary, final)
        return final

    def wait(self):
        result = run(BINARY, '--wait', self.mount.mountpoint,
                     limit=60 * tap.PATIENCE)
        self.case.expect(result.clean, result)

    def state(self, *folders):
        """{folder: sorted [(flags, digest)]} on the server."""
        self.wait()
        return server_state(self, folders)

    def expect_same(self, folder='INBOX'):
        """Mount and server agree in all messages, their flags and octets."""
        self.wait()
        stored = sorted(
            (''.join(sorted(letter for letter, flag in FLAGS.items()
                            if flag in one.flags)),
             hashlib.sha256(one.body).hexdigest())
            for one in self.stored(folder))

        def shown():
            try:
                return sorted(
                    (re.sub('[a-z]', '', name.partition(':2,')[2]),
                     dovecot.digest(self.maildir(folder, kind, name)))
                    for name, kind in self.list(folder).items())
            except FileNotFoundError:  # it has just got another name
                return None
        self.case.expect(wait_until(lambda: shown() == stored,
                                    20 * tap.PATIENCE),
                         folder, 'shows', shown(), 'and has', stored)

    def soon(self, condition, what):
        def holds():
            try:
                return condition()
            except (FileNotFoundError, AssertionError):
                return False  # it is just being called otherwise
        self.case.expect(wait_until(holds, 20 * tap.PATIENCE), what)


def digest(body):
    """Of the octets, but for a field that mbsync adds to what it stores, and one
    in which mutt counts the octets of its own ends of lines."""
    header, gap, text = crlf(body).partition(b'\r\n\r\n')
    header = re.sub(rb'\r\n(X-TUID|Content-Length): [^\r]*', b'', header)
    return hashlib.sha256(header + gap + text).hexdigest()


def sample(made):
    """To prepare a server with the mail of the quickstart; made gets what it
    has: {folder: number}."""
    return lambda server: made.update(server.generate(messages=120))


def server_state(place, folders):
    """Flags beside those that mbsync knows do not count."""
    return {folder: sorted(
        (tuple(sorted(one.flags & set(FLAGS.values()))), digest(one.body))
        for one in place.stored(folder)) for folder in folders}


def numbered(count, first=1):
    """Messages that are called "number 1" and so on, without flags."""
    return [(message(number), '') for number in range(first, first + count)]


def times(box, folder='INBOX'):
    return {name: os.stat(box.maildir(folder, name)).st_mtime_ns
            for name in ('', 'cur', 'new', 'tmp')}


def letters(path):
    return os.path.basename(path).partition(':2,')[2]


def renamed(path, new_letters, kind='cur', folder=None):
    """Renames the message, as programs do to flag it; the new path."""
    base = os.path.basename(path).partition(':2,')[0]
    folder = folder or os.path.dirname(os.path.dirname(path))
    new = os.path.join(folder, kind, f'{base}:2,{new_letters}')
    os.rename(path, new)
    return new


def renamer(path, word, letter):
    return [sys.executable, '-c', RENAMER, path, word, letter]


class Mirror(Place):
    """The same, in a Maildir of plain files at root; push brings what was done
    there to the server."""

    def __init__(self, case, folders, **named):
        super().__init__(case, mailboxes=new_ones(folders), mounted=False,
                         **named)
        fill(self, folders)
        self.root = case.path('mirror')
        os.mkdir(self.root)
        self.config = case.path('mbsyncrc')
        with open(self.config, 'w') as file:
            file.write(f'''
IMAPAccount there
Host localhost
Port {self.server.tls_port}
User {self.server.user}
Pass {dovecot.password(self.server)}
SSLType IMAPS
CertificateFile {self.server.ca_file}

IMAPStore far
Account there

MaildirStore near
Path {self.root}/
Inbox {self.root}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Both
Expunge Both
SyncState *
''')
        self.push()

    def push(self):
        result = run('mbsync', '-c', self.config, '-a',
                     limit=300 * tap.PATIENCE)
        self.case.expect(result.ok, result)

    def state(self, *folders):
        self.push()
        return server_state(self, folders)
