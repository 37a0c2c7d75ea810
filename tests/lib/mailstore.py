"""The mail that the scripted server serves, and how it answers about it."""

import dataclasses
import random
import re
import time

MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split()


def make_message(number, size=2000, seed=1):
    """A message of exactly size octets, the same for the same arguments."""
    rng = random.Random(f'{seed}-{number}-{size}')
    head = (f'Return-Path: <sender{number}@example.org>\r\n'
            f'Date: Sun, 22 Nov 2026 09:30:{number % 60:02d} +0000\r\n'
            f'From: Sender {number} <sender{number}@example.org>\r\n'
            f'To: me@example.org\r\n'
            f'Subject: Report number {number}\r\n'
            f'Message-ID: <{number}.{seed}@example.org>\r\n'
            'MIME-Version: 1.0\r\n'
            'Content-Type: text/plain; charset=utf-8\r\n\r\n').encode()
    line = bytes(rng.choices(b'abcdefghijklmnopqrstuvwxyz     ', k=70))
    body = bytearray()
    count = 0
    while len(head) + len(body) < size:
        count += 1
        body += b'%08d ' % count + line + b'\r\n'
    whole = head + bytes(body)
    return whole[:max(size - 2, 0)] + b'\r\n'


@dataclasses.dataclass
class Message:
    uid: int
    body: bytes
    time: int = 1795339800  # seconds since the epoch: 2026-11-22 09:30 UTC
    flags: tuple = ()
    announced: int = None  # the RFC822.SIZE that it claims; None: the truth
    expunged: bool = False  # gone, and the client was not told yet
    modseq: int = 1
    email_id: str = None  # the same for the same content; None: by UID

    @property
    def size(self):
        return len(self.body) if self.announced is None else self.announced

    def date(self):
        t = time.gmtime(self.time)
        return (f'{t.tm_mday:2d}-{MONTHS[t.tm_mon - 1]}-{t.tm_year} '
                f'{t.tm_hour:02d}:{t.tm_min:02d}:{t.tm_sec:02d} +0000')


@dataclasses.dataclass
class Mailbox:
    name: str  # as on the wire
    messages: list = dataclasses.field(default_factory=list)
    uidvalidity: int = 1700000000
    attributes: tuple = ()
    modseq: int = 10  # goes up with every change made by the methods below
    vanished: list = dataclasses.field(default_factory=list)  # (modseq, UID)
    read_only: bool = False  # whoever selects it
    permanent: tuple = ('\\Answered', '\\Flagged', '\\Deleted', '\\Seen',
                        '\\Draft', '\\*')
    rights: str = 'lrswipkxtea'

    # Changes as another client makes them. Others may look in the midst of it:
    # what they would take for told, moves last.

    def add(self, message):
        message.modseq = self.modseq + 1
        self.messages.append(message)
        self.modseq += 1

    def store(self, body, when, flags=(), email_id=None):
        """A new message with the next UID."""
        message = Message(self.uidnext, body, when, tuple(flags),
                          email_id=email_id)
        self.add(message)
        return message

    def remove(self, *uids):
        for uid in uids:
            self.get(uid).expunged = True
            self.vanished.append((self.modseq + 1, uid))
            self.modseq += 1

    def set_flags(self, uid, *flags):
        message = self.get(uid)
        message.flags, message.modseq = flags, self.modseq + 1
        self.modseq += 1

    @property
    def present(self):
        return [m for m in self.messages if not m.expunged]

    @property
    def uidnext(self):
        return max((m.uid for m in self.messages), default=0) + 1

    @property
    def selectable(self):
        return not any(a.lower() in ('\\noselect', '\\nonexistent')
                       for a in self.attributes)

    def get(self, uid):
        return next(m for m in self.messages if m.uid == uid)


def simple_mailbox(name='INBOX', count=5, size=2000, first=1):
    return Mailbox(name, [
        Message(uid, make_message(uid, size + 37 * uid),
                1795339800 + 3600 * uid)
        for uid in range(first, first + count)])


def parse_set(text, highest):
    """A sequence set as a list of ranges."""
    ranges = []
    for part in text.split(','):
        ends = [highest if end == '*' else int(end)
                for end in part.split(':')]
        ranges.append((min(ends), max(ends)))
    return ranges


def in_set(number, ranges):
    return any(low <= number <= high for low, high in ranges)


def compact(numbers):
    """Numbers as a sequence set."""
    ranges = []
    for number in sorted(numbers):
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ','.join(str(a) if a == b else f'{a}:{b}' for a, b in ranges)


ITEM = re.compile(
    r'(?P<body>BODY(?P<peek>\.PEEK)?\[(?P<section>[^]]*)\]'
    r'(?:<(?P<offset>\d+)\.(?P<length>\d+)>)?)|(?P<word>[A-Z0-9.-]+)', re.I)


def _section(body, section):
    """What BODY[section] holds, and the section as the server echoes it."""
    name, _, rest = section.partition(' ')
    name = name.upper()
    head, separator, text = body.partition(b'\r\n\r\n')
    if name == '':
        return body
    if name == 'TEXT':
        return text
    if name == 'HEADER':
        return head + separator
    if name in ('HEADER.FIELDS', 'HEADER.FIELDS.NOT'):
        wanted = {w.lower() for w in re.findall(r'[^\s()"]+', rest)}
        fields = re.findall(rb'[^\r\n]+\r\n(?:[ \t][^\r\n]*\r\n)*',
                            head + b'\r\n')
        invert = name.endswith('NOT')
        return b''.join(
            f for f in fields
            if (f.partition(b':')[0].decode('latin-1').lower() in wanted)
            != invert) + b'\r\n'
    raise ValueError(section)


def fetch_line(sequence, message, items, with_uid=True, body=None):
    """One untagged FETCH for the items as the client wrote them."""
    body = message.body if body is None else body
    parts = []
    if with_uid:
        parts.append(b'UID %d' % message.uid)
    for item in ITEM.finditer(items):
        word = (item['word'] or '').upper()
        if item['body']:
            data = _section(body, item['section'])
            label = f'BODY[{item["section"]}]'
            if item['offset'] is not None:
                start = int(item['offset'])
                data = data[start:start + int(item['length'])]
                label += f'<{start}>'
            parts.append(label.encode() + b' {%d}\r\n' % len(data) + data)
        elif word == 'RFC822.SIZE':
            parts.append(b'RFC822.SIZE %d' % message.size)
        elif word == 'INTERNALDATE':
            parts.append(f'INTERNALDATE "{message.date()}"'.encode())
        elif word == 'FLAGS':
            parts.append(b'FLAGS (' + ' '.join(message.flags).encode() + b')')
        elif word == 'MODSEQ':
            parts.append(b'MODSEQ (%d)' % message.modseq)
        elif word == 'EMAILID':
            name = message.email_id or f'M{message.uid}'
            parts.append(f'EMAILID ({name})'.encode())
        elif word != 'UID':
            raise ValueError(word)
    return b'* %d FETCH (' % sequence + b' '.join(parts) + b')\r\n'


def body_octets(message, items):
    """How many octets of the body fetching these items brings."""
    octets = 0
    for item in ITEM.finditer(items):
        if item['body'] and not item['section']:
            data = message.body
            if item['offset'] is not None:
                start = int(item['offset'])
                data = data[start:start + int(item['length'])]
            octets += len(data)
    return octets


def matches(message, words):
    """Whether a message is what the words of a SEARCH say, UIDs left out."""
    words = list(words)
    flags = {f.lower() for f in message.flags}
    while words:
        word = words.pop(0).upper()
        if word == 'UID':
            words.pop(0)
        elif word in ('DELETED', 'SEEN', 'FLAGGED', 'ANSWERED', 'DRAFT'):
            if '\\' + word.lower() not in flags:
                return False
        elif word in ('UNDELETED', 'UNSEEN', 'UNFLAGGED'):
            if '\\' + word[2:].lower() in flags:
                return False
        elif word == 'HEADER':
            field, text = words.pop(0), words.pop(0)
            head = _section(message.body, f'HEADER.FIELDS ({field})')
            if text.lower().encode() not in head.lower():
                return False
        elif word != 'ALL':
            raise ValueError(word)
    return True


def sets_seen(items):
    """Whether fetching these items marks messages as read."""
    return any((item['body'] and not item['peek']) or
               (item['word'] or '').upper() in ('RFC822', 'RFC822.TEXT')
               for item in ITEM.finditer(items))
