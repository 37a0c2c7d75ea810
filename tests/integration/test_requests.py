#!/usr/bin/env python3
"""The requests that change mailboxes, one by one, on real servers: Dovecot,
Cyrus and Courier. What they claim to have done is checked by another client."""

import imaplib
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import courier
import cyrus
import debian
import dovecot
import mailstore
import mailwriter
import tap

PROBE = os.environ.get('IMAPFS_REQUEST_PROBE') or os.path.join(
    os.path.dirname(os.environ['IMAPFS_BINARY']),
    'tests/integration/request-probe')
DATE = 760686745  # 1994-02-08 05:52:25 UTC

roots = {}


def setup():
    directory = tempfile.mkdtemp(prefix='imapfs-requests-')
    os.chmod(directory, 0o711)
    try:
        for name, packages in (('cyrus', cyrus.PACKAGES),
                               ('courier', courier.PACKAGES)):
            os.mkdir(f'{directory}/{name}')
            roots[name] = debian.unpack(f'{directory}/{name}', packages)
            os.chmod(roots[name], 0o755)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return lambda: shutil.rmtree(directory, ignore_errors=True)


class Probe:
    """One connection of ours."""

    def __init__(self, case, *arguments):
        self.process = subprocess.Popen(
            [PROBE, *map(str, arguments)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)
        case.defer(self.close)
        assert self._answer() == 'open'

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.kill()
        self.process.wait()

    def _answer(self):
        line = self.process.stdout.readline().rstrip('\n')
        kind, _, text = line.partition(' ')
        if kind == 'OK':
            return text
        assert kind == 'ERROR', line
        raise Refusal(text)

    def ask(self, *words):
        def escape(word):
            return ''.join(c if 32 <= ord(c) < 127 and c != '\\' else
                           ''.join(f'\\{octet:03o}' for octet in c.encode())
                           for c in str(word))

        self.process.stdin.write('\t'.join(map(escape, words)) + '\n')
        self.process.stdin.flush()
        return self._answer()

    def refused(self, *words):
        """The errno and the text of a refusal."""
        try:
            answer = self.ask(*words)
        except Refusal as refusal:
            name, _, text = str(refusal).partition(' ')
            return name, text
        raise AssertionError(f'{words} was not refused: {answer}')


class Refusal(Exception):
    pass


class Site:
    """A server, our connection, and another client's."""

    prefix = ''  # of mailboxes
    has_move = has_modseq = True

    def __init__(self, case):
        self.case = case
        self.start()
        self.other = self.client()
        case.defer(self.other.shutdown)

    def name(self, *parts):
        return self.prefix + self.delimiter.join(
            dovecot.encode_name(part) for part in parts)

    def append(self, mailbox, body, flags='-', date='-'):
        path = self.case.path('message')
        with open(path, 'wb') as file:
            file.write(body)
        return self.probe.ask('append', mailbox, path, flags, date)

    def open(self, mailbox, readonly=True):
        kind, answer = self.other.select(f'"{mailbox}"', readonly=readonly)
        assert kind == 'OK', (mailbox, answer)

    def uids(self, mailbox):
        self.open(mailbox)
        return [int(uid) for uid in
                self.other.uid('SEARCH', 'ALL')[1][0].split()]

    def message(self, mailbox, uid):
        """Octets, flags less \\Recent, and the date as the server has it."""
        self.open(mailbox)
        data = self.other.uid('FETCH', str(uid),
                              '(FLAGS INTERNALDATE BODY.PEEK[])')[1]
        text = b' '.join(part if isinstance(part, bytes) else part[0]
                         for part in data).decode()
        body = next(part[1] for part in data if isinstance(part, tuple))
        flags = set(re.search(r'FLAGS \(([^)]*)\)', text)[1].split())
        date = re.search(r'INTERNALDATE "([^"]*)"', text)[1]
        return body, flags - {'\\Recent'}, mailwriter.parse_date(date)

    def mailboxes(self):
        found = []
        for line in self.other.list()[1]:
            found.append(line.decode().rpartition('" ')[2].strip('"'))
        return found


class Dovecot(Site):
    delimiter = '/'

    def __init__(self, case, probe_options=(), **options):
        self.options = options
        self.probe_options = probe_options
        super().__init__(case)

    def start(self):
        self.server = dovecot.start_sample(self.case, messages=0,
                                           **self.options)
        self.probe = Probe(self.case, self.server.host, self.server.tls_port,
                           self.server.user, dovecot.password(self.server),
                           self.server.ca_file, *self.probe_options)

    def client(self):
        context = ssl.create_default_context(cafile=str(self.server.ca_file))
        client = imaplib.IMAP4_SSL(self.server.host, self.server.tls_port,
                                   ssl_context=context, timeout=60)
        client.login(self.server.user, dovecot.password(self.server))
        return client


class Cyrus(Site):
    delimiter = '/'

    def start(self):
        directory = tempfile.mkdtemp(prefix='imapfs-cyrus-')
        self.case.defer(shutil.rmtree, directory, True)
        os.chmod(directory, 0o755)
        self.server = cyrus.Cyrus(self.case, roots['cyrus'], directory)
        self.probe = Probe(self.case, '127.0.0.1', self.server.port, 'alice',
                           'secret')

    def client(self):
        return self.server.client()


class Courier(Site):
    prefix = 'INBOX.'
    delimiter = '.'
    has_move = has_modseq = False

    def start(self):
        self.place = courier.Courier(self.case, roots['courier'],
                                     self.case.directory)
        self.probe = Probe(self.case, '127.0.0.1', self.place.server.port,
                           'alice', 'secret')

    def client(self):
        client = imaplib.IMAP4('127.0.0.1', self.place.server.port, timeout=60)
        client.login('alice', 'secret')
        return client


def on_each(function, *sites):
    title = function.__name__.removeprefix('test_')
    for site in sites or (Dovecot, Cyrus, Courier):
        tap.test(name=f'{title}_{site.__name__.lower()}', limit=120,
                 arguments=(site,))(function)


# ---- names

# First, for Courier takes two seconds for each name.
NAMES = ['Work', 'a b', 'Äpfel', '日本語', '✉ 📬', 'a{5}', '50%', 'a*b',
         'quote"d', 'back\\slash', "it's & more", 'x' * 100]


def test_mailboxes_of_all_names_are_made_and_deleted(case, site):
    place = site(case)
    ask = place.probe.ask
    for plain in NAMES:
        name = place.name(plain)
        try:
            ask('create', name)
        except Refusal as refusal:
            # Each server has some that it does not like.
            case.note(f'{plain}: {refusal}')
            assert ask('list', name) == 'none', plain
            continue
        ask('subscribe', name)
        assert ask('list', name).rpartition(' ')[0] == name, plain
        place.append(name, mailstore.make_message(1))
        assert ask('select', name) == 'writable'
        assert place.probe.refused('create', name)[0] in ('EEXIST', 'EIO')
        ask('select', 'INBOX')
        ask('unsubscribe', name)
        ask('delete', name)
        assert ask('list', name) == 'none', plain
    name, text = place.probe.refused('delete', place.name('Nowhere'))
    assert name in ('ENOENT', 'EIO'), text
    for odd in ('a\r\nb', 'a\nx LOGOUT'):
        name, text = place.probe.refused('create', place.prefix + odd)
        assert name == 'EINVAL' and 'was not sent' in text, text
    ask('select', 'INBOX')


on_each(test_mailboxes_of_all_names_are_made_and_deleted)


# ---- uploads

def test_appended_message_is_what_was_sent(case, site):
    place = site(case)
    large = mailstore.make_message(2, 3_000_000)
    for number, body in enumerate((mailstore.make_message(1), large,
                                   mailstore.make_message(3, 4096),
                                   mailstore.make_message(4, 65536),
                                   mailstore.make_message(5, 65538)), 1):
        flags = '\\Seen \\Flagged' if number % 2 else '-'
        answer = place.append('INBOX', body, flags, DATE + number)
        uidvalidity, uid = map(int, answer.split())
        stored, found, date = place.message('INBOX', uid)
        assert stored == body, f'{number}: {len(stored)} octets'
        assert found == ({'\\Seen', '\\Flagged'} if number % 2 else set())
        assert date == DATE + number, date
        status = place.other.status('INBOX', '(UIDVALIDITY)')[1][0].decode()
        assert f'UIDVALIDITY {uidvalidity}' in status, status
    assert place.uids('INBOX') == [1, 2, 3, 4, 5]


on_each(test_appended_message_is_what_was_sent)


def test_refused_upload_leaves_the_line_as_it_was(case, site):
    place = site(case)
    body = mailstore.make_message(1, 200_000)
    path = case.path('message')
    with open(path, 'wb') as file:
        file.write(body)
    name, text = place.probe.refused('append', place.name('Nowhere'), path,
                                     '-', '-')
    assert name == 'ENOENT', (name, text)
    place.append('INBOX', body)
    assert len(place.uids('INBOX')) == 1


on_each(test_refused_upload_leaves_the_line_as_it_was)


@tap.test
def test_message_goes_over_a_compressed_line(case):
    plugin = 'mail_plugins = $mail_plugins imap_zlib'
    place = Dovecot(case, ['compress'],
                    extra='protocol imap {\n' + plugin + '\n}')
    for number, size in enumerate((2000, 64_010, 3_000_000), 1):
        body = mailstore.make_message(number, size)
        _, uid = place.append('INBOX', body).split()
        assert place.message('INBOX', int(uid))[0] == body


def test_eight_bit_message_is_stored(case, site):
    """What Cyrus makes of its header is Cyrus's own."""
    place = site(case)
    head = 'Subject: Grüße\r\nMessage-ID: <8@example.org>\r\n'
    kind = 'Content-Type: text/plain; charset=utf-8\r\n\r\n'
    text = ('Täglich grüßt ' * 9 + '\r\n').encode() + b'\xff\xfe\r\n'
    body = (head + kind).encode() + text
    _, uid = place.append('INBOX', body).split()
    stored = place.message('INBOX', int(uid))[0]
    assert stored.endswith(text), stored
    if site is not Cyrus:
        assert stored == body, stored


on_each(test_eight_bit_message_is_stored)


# ---- flags and expunging

def filled(case, site, count=6):
    place = site(case)
    for number in range(1, count + 1):
        place.append('INBOX', mailstore.make_message(number))
    assert place.uids('INBOX') == list(range(1, count + 1))
    assert place.probe.ask('select', 'INBOX') == 'writable'
    return place


def test_flags_are_set_cleared_and_replaced(case, site):
    place = filled(case, site)
    ask = place.probe.ask
    ask('store', '+', '1:3,5', '\\Seen \\Flagged')
    ask('store', '-', '2:3', '\\Flagged')
    ask('store', '=', '5', '\\Answered')
    flags = {uid: place.message('INBOX', uid)[1] for uid in range(1, 7)}
    assert flags == {1: {'\\Seen', '\\Flagged'}, 2: {'\\Seen'}, 3: {'\\Seen'},
                     4: set(), 5: {'\\Answered'}, 6: set()}, flags
    # Those that are not there are passed over.
    ask('store', '+', '6,99:100', '\\Draft')
    assert place.message('INBOX', 6)[1] == {'\\Draft'}


on_each(test_flags_are_set_cleared_and_replaced)


def test_keyword_is_kept_or_refused(case, site):
    place = filled(case, site, 1)
    try:
        place.probe.ask('store', '+', '1', 'work')
    except Refusal as refusal:
        assert site is Courier and str(refusal).startswith('EINVAL'), refusal
        assert place.message('INBOX', 1)[1] == set()
        return
    assert place.message('INBOX', 1)[1] == {'work'}
    # In another session as well.
    place.other.close()
    assert place.message('INBOX', 1)[1] == {'work'}


on_each(test_keyword_is_kept_or_refused)


def test_unchangedsince_leaves_what_another_has_changed(case, site):
    place = filled(case, site)
    place.open('INBOX')
    answer = place.other.uid('FETCH', '1:*', '(MODSEQ)')[1]
    highest = max(int(re.search(rb'MODSEQ \((\d+)\)', line)[1])
                  for line in answer)
    place.open('INBOX', readonly=False)
    place.other.uid('STORE', '2,4', '+FLAGS', '(\\Answered)')
    left = place.probe.ask('store', '+', '1:5', '\\Seen', highest)
    assert left == '2,4', left
    flags = {uid: place.message('INBOX', uid)[1] for uid in range(1, 6)}
    assert [uid for uid in flags if '\\Seen' in flags[uid]] == [1, 3, 5], flags


on_each(test_unchangedsince_leaves_what_another_has_changed, Dovecot, Cyrus)


def test_expunge_takes_only_what_is_named(case, site):
    place = filled(case, site)
    place.open('INBOX', readonly=False)
    place.other.uid('STORE', '2,5', '+FLAGS', '(\\Deleted)')
    place.other.select('INBOX', readonly=True)
    ask = place.probe.ask
    ask('store', '+', '3:4', '\\Deleted')
    ask('expunge', '3:4,6')
    assert place.uids('INBOX') == [1, 2, 5, 6]
    assert '\\Deleted' in place.message('INBOX', 2)[1]
    assert '\\Deleted' in place.message('INBOX', 5)[1]
    assert ask('find-deleted') == '2,5'
    ask('expunge-everything')
    assert place.uids('INBOX') == [1, 6]


on_each(test_expunge_takes_only_what_is_named)


def test_examined_mailbox_is_never_changed(case, site):
    place = filled(case, site, 2)
    assert place.probe.ask('examine', 'INBOX') == 'read-only'
    for words in (('store', '+', '1', '\\Deleted'), ('expunge', '1'),
                  ('expunge-everything',),
                  *[('move', '1', 'INBOX')] * site.has_move):
        name, text = place.probe.refused(*words)
        assert name == 'EROFS' and 'was not sent' in text, text
    assert place.uids('INBOX') == [1, 2]
    assert place.message('INBOX', 1)[1] == set()


on_each(test_examined_mailbox_is_never_changed)


# ---- copying and moving

def pairs_of(answer):
    """UIDVALIDITY and {old: new}."""
    uidvalidity, *pairs = answer.split()
    return int(uidvalidity), dict(map(int, pair.split('>')) for pair in pairs)


def test_copies_are_where_they_are_said_to_be(case, site):
    place = filled(case, site)
    target = place.name('Täglich neu')
    place.probe.ask('create', target)
    place.append(target, mailstore.make_message(77))
    place.probe.ask('store', '+', '2', '\\Flagged')
    _, pairs = pairs_of(place.probe.ask('copy', '2:3,5,99', target))
    assert list(pairs) == [2, 3, 5], pairs
    for old, new in pairs.items():
        assert place.message(target, new)[0] == mailstore.make_message(old)
    assert place.message(target, pairs[2])[1] == {'\\Flagged'}
    assert len(place.uids(target)) == 4
    assert place.uids('INBOX') == [1, 2, 3, 4, 5, 6]
    # Of a mailbox that is merely examined as well.
    place.probe.ask('examine', 'INBOX')
    _, pairs = pairs_of(place.probe.ask('copy', '1', target))
    assert place.message(target, pairs[1])[0] == mailstore.make_message(1)
    name, text = place.probe.refused('copy', '1', place.name('Nowhere'))
    assert name == 'ENOENT', text


on_each(test_copies_are_where_they_are_said_to_be)


def test_moved_messages_are_where_they_are_said_to_be(case, site):
    place = filled(case, site)
    target = place.name('Work')
    place.probe.ask('create', target)
    if not site.has_move:
        name, text = place.probe.refused('move', '1', target)
        assert name == 'EOPNOTSUPP', text
        return
    place.open('INBOX', readonly=False)
    place.other.uid('STORE', '2,6', '+FLAGS', '(\\Deleted)')
    place.other.select('INBOX', readonly=True)
    _, pairs = pairs_of(place.probe.ask('move', '1,3:5', target))
    assert list(pairs) == [1, 3, 4, 5], pairs
    for old, new in pairs.items():
        assert place.message(target, new)[0] == mailstore.make_message(old)
    assert place.uids('INBOX') == [2, 6]
    assert '\\Deleted' in place.message('INBOX', 2)[1]
    name, text = place.probe.refused('move', '2', place.name('Nowhere'))
    assert name == 'ENOENT', text
    assert place.uids('INBOX') == [2, 6]


on_each(test_moved_messages_are_where_they_are_said_to_be)


def test_thousand_messages_move_by_one_command(case, site):
    place = site(case)
    body = b'Subject: one of many\r\n\r\nx\r\n'
    for _ in range(1000):
        place.append('INBOX', body)
    place.probe.ask('create', place.name('Work'))
    place.probe.ask('select', 'INBOX')
    _, pairs = pairs_of(place.probe.ask('move', '1:1000', place.name('Work')))
    assert len(pairs) == 1000
    assert place.uids('INBOX') == []
    assert len(place.uids(place.name('Work'))) == 1000


on_each(test_thousand_messages_move_by_one_command, Dovecot)


# ---- mailboxes

def test_mailbox_is_renamed_with_its_children(case, site):
    place = site(case)
    ask = place.probe.ask
    ask('create', place.name('A'))
    ask('create', place.name('A', 'B'))
    place.append(place.name('A', 'B'), mailstore.make_message(1))
    ask('create', place.name('C'))
    ask('rename', place.name('A'), place.name('Z'))
    assert ask('list', place.name('A')) == 'none'
    assert ask('list', place.name('A', 'B')) == 'none'
    assert ask('list', place.name('Z', 'B')) != 'none'
    assert place.message(place.name('Z', 'B'), 1)[0] == \
        mailstore.make_message(1)
    assert place.probe.refused('rename', place.name('Z'),
                               place.name('C'))[0] in ('EEXIST', 'EIO')
    # Courier says OK to renaming nothing, or ends: only LIST tells.
    try:
        ask('rename', place.name('Nowhere'), place.name('Somewhere'))
    except Refusal as refusal:
        assert str(refusal).split()[0] in (
            ('ENETDOWN', 'EIO') if site is Courier else ('ENOENT',)), refusal
    assert place.name('Somewhere') not in place.mailboxes()


on_each(test_mailbox_is_renamed_with_its_children)


# ---- searching

def test_message_is_found_by_its_message_id(case, site):
    place = filled(case, site, 4)
    ask = place.probe.ask
    assert ask('find', 1, 'Message-ID', '<3.1@example.org>') == '3'
    assert ask('find', 3, 'Message-ID', '<3.1@example.org>') == '3'
    assert ask('find', 4, 'Message-ID', '<3.1@example.org>') == ''
    assert ask('find', 99, 'Message-ID', '<4.1@example.org>') == ''
    # What came a moment ago as well.
    place.append('INBOX', mailstore.make_message(9))
    assert ask('find', 1, 'Message-ID', '<9.1@example.org>') == '5'


on_each(test_message_is_found_by_its_message_id)


# ---- quota and rights

QUOTA = '''
plugin {
  quota = maildir:all
  quota_rule = *:storage=1M
  quota_grace = 0
  acl = vfile
}
protocol imap {
  mail_plugins = quota imap_quota acl imap_acl
}
'''


@tap.test(limit=120)
def test_quota_and_rights_of_dovecot(case):
    place = Dovecot(case, extra=QUOTA)
    place.append('INBOX', mailstore.make_message(1, 500_000))
    used, limit = map(int, place.probe.ask('quota', 'INBOX').split())
    assert limit == 1024 * 1024 and 480_000 < used < 520_000, (used, limit)
    path = case.path('message')
    with open(path, 'wb') as file:
        file.write(mailstore.make_message(2, 700_000))
    name, text = place.probe.refused('append', 'INBOX', path, '-', '-')
    assert name == 'EDQUOT', text
    place.probe.ask('select', 'INBOX')
    place.probe.ask('create', 'Work')
    place.append('INBOX', mailstore.make_message(3, 300_000))
    assert place.probe.refused('copy', '1', 'Work')[0] == 'EDQUOT'
    assert place.uids('INBOX') == [1, 2] and place.uids('Work') == []
    assert place.probe.ask('rights', 'INBOX') == '0x7ff'


@tap.test(limit=120)
def test_quota_and_rights_of_cyrus(case):
    place = Cyrus(case)
    admin = place.server.client('admin')
    assert admin.setquota('user/alice', '(STORAGE 1024)')[0] == 'OK'
    place.append('INBOX', mailstore.make_message(1, 500_000))
    used, limit = map(int, place.probe.ask('quota', 'INBOX').split())
    assert limit == 1024 * 1024 and 480_000 < used < 520_000, (used, limit)
    path = case.path('message')
    with open(path, 'wb') as file:
        file.write(mailstore.make_message(2, 700_000))
    name, text = place.probe.refused('append', 'INBOX', path, '-', '-')
    assert name == 'EDQUOT', text
    assert int(place.probe.ask('rights', 'INBOX'), 16) & 0x1f == 0x1f
    assert admin.setacl('user/alice', 'alice', 'lrs')[0] == 'OK'
    place.probe.ask('examine', 'INBOX')
    rights = place.probe.ask('rights', 'INBOX')
    # The owner keeps some whatever is set.
    assert int(rights, 16) & 0x33f == 7, rights
    refusal = place.probe.refused('append', 'INBOX', path, '-', '-')
    assert refusal[0] == 'EACCES', refusal
    admin.logout()


if __name__ == '__main__':
    tap.main(setup, jobs=4)
