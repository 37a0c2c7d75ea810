"""A scripted IMAP server on loopback.

By default it is a correct, small IMAP4rev1 server. Each test then makes it
misbehave: hooks take the place of the answer to a command (or of the greeting,
or of the handshake), limits cut the line after so many octets. It keeps a log
of every command and counts flights, the times that the client had to wait for
the network.

With CONDSTORE and QRESYNC among its capabilities it tells what has changed
(RFC 7162), if the mailboxes were changed by their methods. How clients change
them is in mailwriter.

One thread a connection; the server lives in the test's process. So a test must
never touch the mount itself while holding Python's lock: other programs do.
"""

import base64
import collections
import contextlib
import dataclasses
import fnmatch
import re
import select
import socket
import ssl
import threading
import time

import mailstore
import mailwriter
import ports

CAPABILITIES = ('IMAP4rev1 LITERAL+ SASL-IR ID ENABLE NAMESPACE UIDPLUS '
                'ESEARCH LIST-EXTENDED LIST-STATUS UNSELECT AUTH=PLAIN')


class Closed(Exception):
    """This connection is over."""


@dataclasses.dataclass
class Command:
    connection: int  # number of the connection, from 1
    tag: str
    name: str  # upper case; "UID FETCH" is one name
    arguments: list  # words; literals and quoted strings undone
    text: str  # the arguments as they came, literals in place
    time: float
    sent_before: int  # answers sent on the connection when it was read
    flight: int
    literals: list  # octets; the last of an APPEND is its message
    answered: bool = False  # by the hook "literal"

    def __str__(self):
        return f'{self.connection}: {self.tag} {self.name} {self.text}'


def tokenize(text):
    """Words, quoted strings and parenthesised lists (one word each)."""
    words = []
    pattern = re.compile(r'"((?:[^"\\]|\\.)*)"|(\((?:[^()"]|"[^"]*"|\([^()]*\))*\)'
                         r')|([^\s"()]+(?:\[[^]]*\]\S*)?)')
    for quoted, group, atom in pattern.findall(text):
        if group or atom:
            words.append(group or atom)
        else:
            words.append(re.sub(r'\\(.)', r'\1', quoted))
    return words


class Connection(mailwriter.Writer):
    def __init__(self, server, raw, number):
        self.server = server
        self.socket = raw
        self.number = number
        self.buffer = b''
        self.mailbox = None
        self.examined = False
        self.told = []  # the UIDs that the client knows to be there
        self.enabled = set()
        self.authenticated = False
        self.encrypted = False
        self.sent = 0  # octets
        self.answers = 0
        self.flights = 0
        self.lock = threading.Lock()

    # Octets out

    def send(self, data):
        """Sends, up to the limit of the connection; beyond it, closes."""
        limit = self.server.close_after
        if limit is not None and self.sent + len(data) >= limit:
            with contextlib.suppress(OSError):
                self.socket.sendall(data[:max(limit - self.sent, 0)])
            self.sent = limit
            raise Closed
        self.sent += len(data)
        try:
            self.socket.sendall(data)
        except (OSError, ValueError):
            raise Closed from None
        self.server.record(self, data)

    def line(self, text):
        self.send(text.encode() + b'\r\n')

    # Ways to misbehave, for hooks

    def close(self, *_):
        raise Closed

    def hang(self, *_):
        """Says nothing until the server behaves again or the client leaves."""
        generation = self.server.generation
        while generation == self.server.generation:
            self._pause(0.05)
        raise Closed

    def dribble(self, *_, text='* OK still here', every=1.0):
        generation = self.server.generation
        while generation == self.server.generation:
            self.line(text)
            end = time.monotonic() + every
            while (time.monotonic() < end
                   and generation == self.server.generation):
                self._pause(0.05)
        raise Closed

    def endless(self, *_, piece=b'x' * 65536, start=b'* OK '):
        """One line without an end."""
        generation = self.server.generation
        self.send(start)
        while generation == self.server.generation:
            self.send(piece)
        raise Closed

    def _pause(self, seconds):
        """Waits, and logs the commands that come; nothing answers them."""
        if self.server.closing:
            raise Closed
        readable, _, _ = select.select([self.socket], [], [], seconds)
        if readable:
            self._receive()
            while self._has_command():
                self._next_command()

    # Octets in

    def _receive(self):
        try:
            data = self.socket.recv(65536)
        except (OSError, ValueError):
            raise Closed from None
        if not data:
            raise Closed
        self.buffer += data

    def _drain(self, patience=0.0):
        """Reads what the client has sent by now, or sends within patience."""
        end = time.monotonic() + patience
        while True:
            pending = (self.socket.pending()
                       if isinstance(self.socket, ssl.SSLSocket) else 0)
            left = max(0.0, end - time.monotonic())
            if not pending and not select.select([self.socket], [], [],
                                                 left)[0]:
                return
            self._receive()

    def read_line(self):
        while b'\n' not in self.buffer:
            self._receive()
        line, _, self.buffer = self.buffer.partition(b'\n')
        return line.rstrip(b'\r')

    def _read_octets(self, count):
        while len(self.buffer) < count:
            self._receive()
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def _has_command(self):
        return b'\n' in self.buffer

    def _read_command(self):
        """One command with its literals."""
        line = self.read_line()
        pieces, literals, answered = [], [], False
        while True:
            literal = re.search(rb'~?\{(\d+)(\+?)\}$', line)
            if not literal:
                break
            answered = self._hook('literal', line, int(literal[1]))
            if not literal[2]:
                if answered:
                    break
                self.line('+ go on')
                self._begin_flight()
            data = self._read_octets(int(literal[1]))
            literals.append(data)
            pieces.append(line[:literal.start()])
            pieces.append(self._quoted(b''.join(pieces), data))
            line = self.read_line()
        text = (b''.join(pieces) + line).decode('utf-8', 'surrogateescape')
        words = text.split(' ', 2) + ['', '']
        tag, name, rest = words[0], words[1].upper(), words[2]
        if name == 'UID':
            second, _, rest = rest.partition(' ')
            name = 'UID ' + second.upper()
        return Command(self.number, tag, name, tokenize(rest), rest,
                       time.monotonic(), self.answers, self.flights, literals,
                       answered)

    @staticmethod
    def _quoted(before, data):
        """A literal as a quoted string; a message as no more than its size."""
        words = before.split()
        if (words[1].upper() == b'APPEND' and len(words) > 2) or (
                b' '.join(words[1:3]).upper() == b'UID REPLACE'
                and len(words) > 4):
            return b'{%d}' % len(data)
        quoted = data.replace(b'\\', b'\\\\').replace(b'"', b'\\"')
        return b'"' + quoted + b'"'

    def _begin_flight(self):
        self.flights += 1

    # The session

    def serve(self):
        server = self.server
        self._hook('connect')
        if server.tls == 'implicit':
            self.handshake()
        if not self._hook('greeting'):
            self.send(server.greeting)
        while True:
            while not self._has_command():
                self._receive()
            self._begin_flight()
            queue = []
            while self._has_command():
                while self._has_command():
                    queue.append(self._next_command())
                # What is pipelined joins this flight.
                self._drain(server.delay)
            for command in queue:
                self._answer(command)

    def _next_command(self):
        command = self._read_command()
        self.server.log_command(command)
        return command

    def handshake(self):
        if self._hook('tls'):
            return
        context = self.server.tls_context
        try:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        except (OSError, ValueError) as error:
            self.server.tls_errors.append(str(error))
            raise Closed from None
        self.encrypted = True

    def _hook(self, stage, *arguments):
        hook = self.server.hooks.get(stage)
        if hook is None:
            return False
        return hook(self, *arguments) is not False

    def _answer(self, command):
        if not (command.answered or self._hook(command.name, command) or
                self._hook('*', command)):
            self.send(self.default(command))
            self._after(command)
        self.answers += 1

    def _after(self, command):
        if command.name == 'LOGOUT':
            raise Closed
        if command.name == 'STARTTLS' and self.server.tls == 'starttls':
            self.handshake()
            self.authenticated = False

    # Correct answers

    def default(self, command):
        """What a correct server would send, the tagged line included."""
        method = getattr(self, '_do_' + command.name.lower().replace(' ', '_'),
                         None)
        if method is None:
            return self._tagged(command, 'BAD unknown command')
        open_to_all = ('CAPABILITY', 'NOOP', 'LOGOUT', 'ID', 'LOGIN',
                       'STARTTLS', 'AUTHENTICATE')
        if not self.authenticated and command.name not in open_to_all:
            return self._tagged(command, 'BAD log in first')
        try:
            with self.server.changing:
                return method(command)
        except mailwriter.Refused as refusal:
            return self._tagged(command, str(refusal))
        except (ValueError, IndexError, KeyError) as error:
            return self._tagged(command, f'BAD not understood: {error!r}')

    def _tagged(self, command, text='OK done'):
        return f'{command.tag} {text}\r\n'.encode()

    def capabilities(self):
        words = self.server.capabilities
        if self.server.tls == 'starttls' and not self.encrypted:
            words += ' STARTTLS LOGINDISABLED'
            words = words.replace(' AUTH=PLAIN', '')
        return words

    def _do_capability(self, command):
        return (f'* CAPABILITY {self.capabilities()}\r\n'.encode()
                + self._tagged(command))

    def _do_noop(self, command):
        return self.news() + self._tagged(command)

    def news(self):
        """What has come and gone since the client was last told; nothing
        unless server.tells."""
        if self.mailbox is None or not self.server.tells:
            return b''
        present = [m.uid for m in self.mailbox.present]
        gone = set(self.told) - set(present)
        out = []
        if gone and 'QRESYNC' in self.enabled:
            out.append(f'* VANISHED {mailstore.compact(gone)}\r\n')
        elif gone:
            out += [f'* {sequence} EXPUNGE\r\n'
                    for sequence, uid in reversed(list(enumerate(self.told, 1)))
                    if uid in gone]
        if set(present) - set(self.told):
            out.append(f'* {len(present)} EXISTS\r\n')
        self.told = present
        return ''.join(out).encode()

    def _do_starttls(self, command):
        if self.server.tls != 'starttls' or self.encrypted:
            return self._tagged(command, 'BAD not now')
        return self._tagged(command, 'OK begin TLS now')

    def _do_logout(self, command):
        return b'* BYE bye\r\n' + self._tagged(command)

    def _do_id(self, command):
        return b'* ID ("name" "scripted")\r\n' + self._tagged(command)

    def _check_login(self, command, user, password):
        if (user, password) != self.server.account:
            return self._tagged(command, 'NO [AUTHENTICATIONFAILED] '
                                'wrong user or password')
        self.authenticated = True
        return self._tagged(
            command, f'OK [CAPABILITY {self.capabilities()}] welcome')

    def _do_login(self, command):
        return self._check_login(command, *command.arguments[:2])

    def _do_authenticate(self, command):
        if command.arguments[0].upper() != 'PLAIN':
            return self._tagged(command, 'NO [CANNOT] no such mechanism')
        if len(command.arguments) > 1:
            answer = command.arguments[1]
        else:
            self.send(b'+ \r\n')
            answer = self.read_line().decode()
            self._begin_flight()
        if answer == '*':
            return self._tagged(command, 'BAD cancelled')
        _, user, password = base64.b64decode(answer).decode().split('\0')
        return self._check_login(command, user, password)

    def has(self, capability):
        return capability in self.server.capabilities.split()

    def _do_enable(self, command):
        names = [word.upper() for word in command.arguments
                 if word.upper() in ('CONDSTORE', 'QRESYNC')
                 and self.has(word.upper())]
        self.enabled |= set(names)
        return (' '.join(['* ENABLED', *names]).encode() + b'\r\n'
                + self._tagged(command))

    def _do_namespace(self, command):
        return (b'* NAMESPACE (("" "%s")) NIL NIL\r\n'
                % self.server.delimiter.encode() + self._tagged(command))

    def _do_list(self, command):
        words = list(command.arguments)
        if words[0].startswith('('):
            words.pop(0)
        reference, patterns = words[0], words[1]
        patterns = (tokenize(patterns[1:-1]) if patterns.startswith('(')
                    else [patterns])
        if patterns == ['']:
            return (b'* LIST (\\Noselect) "%s" ""\r\n'
                    % self.server.delimiter.encode() + self._tagged(command))
        wants_status = 'STATUS' in [w.upper() for w in words[2:]] or any(
            'STATUS' in w.upper() for w in words[2:])
        out = []
        for mailbox in self.server.mailboxes:
            if not any(self._matches(mailbox.name, reference + p)
                       for p in patterns):
                continue
            out.append(self.list_line(mailbox))
            if wants_status and mailbox.selectable:
                items = re.search(r'STATUS\s*\(([^)]*)\)', command.text, re.I)
                out.append(self._status(mailbox, items[1]))
        return b''.join(out) + self._tagged(command)

    def _matches(self, name, pattern):
        if pattern.upper() == 'INBOX':
            return name.upper() == 'INBOX'
        expression = ''.join(
            '.*' if c == '*' else f'[^{re.escape(self.server.delimiter)}]*'
            if c == '%' else re.escape(c) for c in pattern)
        return re.fullmatch(expression, name) is not None

    def list_line(self, mailbox):
        delimiter = self.server.delimiter
        children = any(other.name.startswith(mailbox.name + delimiter)
                       for other in self.server.mailboxes)
        words = [*mailbox.attributes,
                 '\\HasChildren' if children else '\\HasNoChildren']
        return (f'* LIST ({" ".join(words)}) "{delimiter}" '
                f'"{self._escaped(mailbox)}"\r\n'
                .encode('utf-8', 'surrogateescape'))

    @staticmethod
    def _escaped(mailbox):
        return mailbox.name.replace('\\', '\\\\').replace('"', '\\"')

    def _status(self, mailbox, items):
        values = {'MESSAGES': len(mailbox.present), 'RECENT': 0,
                  'UIDNEXT': mailbox.uidnext,
                  'UIDVALIDITY': mailbox.uidvalidity,
                  'UNSEEN': sum('\\Seen' not in m.flags
                                 for m in mailbox.present),
                  'SIZE': sum(m.size for m in mailbox.present)}
        if self.has('CONDSTORE') or self.has('QRESYNC'):
            values['HIGHESTMODSEQ'] = mailbox.modseq
        text = ' '.join(f'{item.upper()} {values[item.upper()]}'
                        for item in items.split())
        return (f'* STATUS "{self._escaped(mailbox)}" ({text})\r\n'
                .encode('utf-8', 'surrogateescape'))

    def _do_status(self, command):
        mailbox = self.server.find(command.arguments[0])
        if mailbox is None or not mailbox.selectable:
            return self._tagged(command, 'NO [NONEXISTENT] no such mailbox')
        return (self._status(mailbox, command.arguments[1][1:-1])
                + self._tagged(command))

    def _do_examine(self, command):
        return self._select(command, True)

    def _do_select(self, command):
        return self._select(command, False)

    def _select(self, command, examined):
        self.mailbox = None
        mailbox = self.server.find(command.arguments[0])
        if mailbox is None or not mailbox.selectable:
            return self._tagged(command, 'NO [NONEXISTENT] no such mailbox')
        self.mailbox = mailbox
        self.examined = examined
        read_only = examined or mailbox.read_only
        self.told = [m.uid for m in mailbox.present]
        permanent = '' if read_only else ' '.join(mailbox.permanent)
        text = (f'* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n'
                f'* OK [PERMANENTFLAGS ({permanent})] these\r\n'
                f'* {len(mailbox.present)} EXISTS\r\n* 0 RECENT\r\n'
                f'* OK [UIDVALIDITY {mailbox.uidvalidity}] valid\r\n'
                f'* OK [UIDNEXT {mailbox.uidnext}] next\r\n')
        if self.has('CONDSTORE') or self.has('QRESYNC'):
            text += f'* OK [HIGHESTMODSEQ {mailbox.modseq}] highest\r\n'
        code = 'READ-ONLY' if read_only else 'READ-WRITE'
        return (text.encode() + self._changes(command)
                + self._tagged(command, f'OK [{code}] there you are'))

    def _changes(self, command):
        """What a selection with QRESYNC tells of the time since."""
        known = re.search(r'\(QRESYNC \((\d+) (\d+)', command.text)
        if not known:
            return b''
        if 'QRESYNC' not in self.enabled:
            raise ValueError('QRESYNC was not enabled')
        if int(known[1]) != self.mailbox.uidvalidity:
            return b''
        return (self.vanished_since(int(known[2]), True)
                + b''.join(mailstore.fetch_line(sequence, message,
                                                'FLAGS MODSEQ')
                           for sequence, message
                           in enumerate(self.mailbox.present, 1)
                           if message.modseq > int(known[2])))

    def vanished_since(self, modseq, earlier):
        gone = [uid for when, uid in self.mailbox.vanished if when > modseq]
        if not gone:
            return b''
        word = 'VANISHED (EARLIER)' if earlier else 'VANISHED'
        return f'* {word} {mailstore.compact(gone)}\r\n'.encode()

    def _do_close(self, command):
        """Of a mailbox that was selected, what is marked goes."""
        if not self.examined and not self.mailbox.read_only:
            self._expunge(self.mailbox.present)
        return self._do_unselect(command)

    def _do_unselect(self, command):
        self.mailbox = None
        return self._tagged(command)

    def _do_uid_fetch(self, command):
        if self.mailbox is None:
            return self._tagged(command, 'BAD no mailbox is selected')
        return self.fetch(command) + self._tagged(command)

    def fetch(self, command, line=mailstore.fetch_line):
        """The untagged lines of a UID FETCH; line() makes one of them."""
        uids, _, items = command.text.partition(' ')
        items = items.strip()
        since, vanished = 0, b''
        modifier = re.search(r' \(CHANGEDSINCE (\d+)( VANISHED)?\)$', items)
        if modifier:
            if not self.has('CONDSTORE') and not self.has('QRESYNC'):
                raise ValueError('no CONDSTORE')
            since = int(modifier[1])
            items = items[:modifier.start()]
            if modifier[2]:
                vanished = self.vanished_since(since, True)
        items = items[1:-1] if items.startswith('(') else items
        items += ' MODSEQ' if modifier else ''
        present = self.mailbox.present
        ranges = mailstore.parse_set(
            uids, max((m.uid for m in present), default=0))
        if mailstore.sets_seen(items):
            self.server.complaints.append(f'sets \\Seen: {command}')
        for message in present:
            if mailstore.in_set(message.uid, ranges):
                self.server.count_body(self.mailbox, message, items)
        return vanished + b''.join(
            line(sequence, message, items)
            for sequence, message in enumerate(present, 1)
            if mailstore.in_set(message.uid, ranges)
            and (not modifier or message.modseq > since))

    def _do_uid_search(self, command):
        present = self.mailbox.present
        words = command.arguments
        extended = None
        if words and words[0].upper() == 'RETURN':
            extended = words[1][1:-1].upper().split() or ['ALL']
            words = words[2:]
        if words and words[0].upper() == 'CHARSET':
            words = words[2:]
        ranges = [(0, 1 << 64)]
        for index, word in enumerate(words):
            if word.upper() == 'UID':
                highest = max((m.uid for m in present), default=0)
                ranges = mailstore.parse_set(words[index + 1], highest)
        found = [m.uid for m in present if mailstore.in_set(m.uid, ranges)
                 and mailstore.matches(m, words)]
        if extended is None:
            text = ''.join(f' {uid}' for uid in found)
            return f'* SEARCH{text}\r\n'.encode() + self._tagged(command)
        parts = [f'* ESEARCH (TAG "{command.tag}") UID']
        if found and 'ALL' in extended:
            parts.append('ALL ' + mailstore.compact(found))
        if 'COUNT' in extended:
            parts.append(f'COUNT {len(found)}')
        if found and 'MIN' in extended:
            parts.append(f'MIN {found[0]}')
        if found and 'MAX' in extended:
            parts.append(f'MAX {found[-1]}')
        return ' '.join(parts).encode() + b'\r\n' + self._tagged(command)


class Server:
    """Listens from start() to stop().

    tls: 'off', 'implicit' or 'starttls', with a certificate (pem, key).
    hooks: stage → function(connection, command). Stages are 'connect', 'tls',
    'greeting', a command's name, '*', and 'literal', which is called with the
    line and the size instead, before the "+". A hook that returns False leaves
    the answer to the server. quota and append_limit: what messages are refused
    beyond; that there is a limit is told by QUOTA and APPENDLIMIT=… among the
    capabilities. close_after: octets after which each connection is
    closed. tells: whether clients are told by NOOP what has come and gone, or
    have to find out. delay: seconds to wait for further commands before answering.
    """

    def __init__(self, mailboxes=None, *, tls='off', certificate=None,
                 account=('alice', 'secret'), capabilities=CAPABILITIES):
        self.mailboxes = (mailboxes if mailboxes is not None
                          else [mailstore.simple_mailbox()])
        self.tls = tls
        self.account = account
        self.capabilities = capabilities
        self.greeting = b'* OK scripted server ready\r\n'
        self.delimiter = '/'
        self.hooks = {}
        self.close_after = None
        self.tells = False
        self.quota = None  # octets, of all mailboxes
        self.append_limit = None  # octets
        self.subscribed = set()
        self.last_uidvalidity = 1800000000
        self.changing = threading.RLock()
        self.delay = 0.0
        self.generation = 0
        self.closing = False
        self.commands = []
        self.complaints = []
        self.tls_errors = []
        self.errors = []
        self.recording = None
        # Octets of bodies, by mailbox and UID; headers do not count.
        self.bodies_sent = collections.Counter()
        self.connections = []
        self._lock = threading.Lock()
        self.tls_context = None
        if certificate:
            self.tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls_context.load_cert_chain(*certificate)
            self.tls_context.set_alpn_protocols(['imap'])

    def start(self, port=0, address='127.0.0.1'):
        self._listener = socket.create_server(
            (address, port or ports.reserve()), backlog=64)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self):
        self.closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop_connections()

    def _accept(self):
        while not self.closing:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                connection = Connection(self, raw, len(self.connections) + 1)
                self.connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,),
                             daemon=True).start()

    def _serve(self, connection):
        try:
            connection.serve()
        except Closed:
            pass
        except Exception as error:
            self.errors.append(f'connection {connection.number}: {error!r}')
        finally:
            with contextlib.suppress(OSError):
                # Orderly, so that the client gets what was sent before.
                connection.socket.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):
                connection.socket.close()

    def drop_connections(self):
        # Not those that come instead.
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_RDWR)

    def behave(self):
        """Forgets all misbehaviour, and lets go of what hangs."""
        self.hooks = {}
        self.close_after = None
        self.delay = 0.0
        self.generation += 1

    def url(self, host='127.0.0.1', user='alice', path='/'):
        scheme = 'imaps' if self.tls == 'implicit' else 'imap'
        return f'{scheme}://{user}@{host}:{self.port}{path}'

    def used(self):
        """Octets in all mailboxes."""
        return sum(len(message.body) for mailbox in self.mailboxes
                   for message in mailbox.present)

    def find(self, name):
        for mailbox in self.mailboxes:
            if mailbox.name == name or (
                    name.upper() == 'INBOX' == mailbox.name.upper()):
                return mailbox
        return None

    # What happened

    def log_command(self, command):
        with self._lock:
            self.commands.append(command)

    def count_body(self, mailbox, message, items):
        octets = mailstore.body_octets(message, items)
        if octets:
            with self._lock:
                self.bodies_sent[mailbox.name, message.uid] += octets

    def record(self, connection, data):
        if self.recording is not None:
            with self._lock:
                self.recording.append((connection.number, data))

    def mark(self):
        """A point in the log, for since()."""
        with self._lock:
            return (len(self.commands),
                    sum(c.flights for c in self.connections),
                    sum(c.sent for c in self.connections))

    def octets_since(self, mark):
        """How many octets were sent since mark, on all connections; of one,
        its sent tells."""
        return sum(c.sent for c in self.connections) - mark[2]

    def since(self, mark):
        """Commands and number of flights since mark."""
        with self._lock:
            return (self.commands[mark[0]:],
                    sum(c.flights for c in self.connections) - mark[1])

    def names_since(self, mark):
        return [command.name for command in self.since(mark)[0]]

    def saw(self, pattern, mark=(0, 0)):
        """Commands whose name and arguments match a shell pattern."""
        return [c for c in self.since(mark)[0]
                if fnmatch.fnmatch(f'{c.name} {c.text}', pattern)]
