#!/usr/bin/env python3
"""The views parts and text: what they hold, what they cost, and that they
agree with the mailbox."""

import contextlib
import imaplib
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import hardmail
import mailstore
import parts
import tap
from command import run, wait_until
from desk import Desk
from mount import Mount
from proxy import Proxy
from scene import Scene
from tap import PATIENCE

KB = 1024
MB = 1 << 20


class Bench:
    """A Dovecot whose folder Hard holds the messages, and a mount of it."""

    def __init__(self, case, messages, *, capability=None, arguments=(),
                 **options):
        self.case = case
        self.arguments = arguments
        self.server = dovecot.start_sample(case, messages=5,
                                           capability=capability)
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(Exception)
                   or self.client.imap.shutdown())
        self.client.imap.create('Hard')
        self.add(*messages)
        self.proxy = Proxy(self.server.tls_port, case)
        self.url = self.server.url.replace(f':{self.server.tls_port}/',
                                           f':{self.proxy.port}/')
        self.options = {'ca_file': self.server.ca_file, 'names': 'uid',
                        'timeout': 30 * PATIENCE, 'compress': 'off', **options}
        self.mount = None
        self.start()

    def add(self, *bodies):
        for body in bodies:
            status, answer = self.client.imap.append('Hard', None, None, body)
            assert status == 'OK', (answer, body[:300])

    def start(self):
        self.mount = Mount(self.case, self.url, self.options,
                           password=dovecot.password(self.server),
                           arguments=self.arguments)

    def path(self, *names):
        return self.mount.path(*names)

    def parts(self, uid, *names):
        return self.path('.imapfs', 'parts', 'Hard', f'{uid}.eml', *names)

    def text(self, uid):
        return self.path('.imapfs', 'text', 'Hard', f'{uid}.eml.txt')

    def received(self, function):
        """What it returns, and the octets that came meanwhile: for it, and
        what the server says on its own."""
        before = self.proxy.counts()['to_client']
        result = function()
        return result, self.proxy.counts()['to_client'] - before

    def fetches(self, function):
        """What it returns, and the commands that fetched anything of a
        message for it."""
        before = len(self.mount.messages())
        result = function()
        said = self.mount.messages()[before:]
        return result, [
            command for command in re.findall(r'UID FETCH ([^\r\n]*)', said)
            if 'PEEK[' in command or 'BINARY' in command
            or 'BODYSTRUCTURE' in command]

    def soon(self, condition, what, limit=15):
        self.case.expect(wait_until(condition, limit * PATIENCE, 0.1), what)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


# ---- the corpus

def compare_all(case, bench, messages):
    wrong = []
    for uid, (title, body) in enumerate(messages, 1):
        try:
            problem = parts.compare(bench.parts(uid), body)
        except (OSError, AssertionError) as error:
            problem = repr(error)
        if problem:
            wrong.append(f'{uid} {title}: {problem}')
    return wrong


def expect_all(case, bench, messages):
    wrong = compare_all(case, bench, messages)
    case.expect(not wrong, *wrong, bench.mount.messages()[-2000:])
    bench.mount.unmount()


@tap.test(limit=300)
def test_corpus_is_what_gmime_makes_of_it(case):
    messages = hardmail.corpus()
    bench = Bench(case, [body for _title, body in messages])
    expect_all(case, bench, messages)


@tap.test(limit=400)
def test_corpus_by_structure_is_what_gmime_makes_of_it(case):
    """The same messages, so large that each is asked for part by part."""
    messages = [(title, hardmail.with_filler(body, 40 * KB))
                for title, body in hardmail.corpus()]
    bench = Bench(case, [body for _title, body in messages])
    expect_all(case, bench, messages)


# ---- what it costs

PDF = bytes(range(1, 251)) * 40  # 10,000 octets


def attachment(name, octets):
    return hardmail.part(
        f'application/pdf; name="{name}"', hardmail.encoded(octets, 'base64'),
        'Content-Transfer-Encoding: base64',
        f'Content-Disposition: attachment; filename="{name}"')


def large_message(title='large', size=30 * MB):
    return hardmail.mixed(title, [
        hardmail.part('text/plain; charset=utf-8', 'Grüße\r\n'.encode(),
                      'Content-Transfer-Encoding: 8bit'),
        attachment('small.pdf', PDF),
        attachment('large.pdf', b'x' * (size * 3 // 4)),
    ])[1]


@tap.test(limit=180)
def test_attachment_is_fetched_alone(case):
    bench = Bench(case, [large_message()], arguments=['--trace'])
    os.listdir(bench.path('Hard'))
    (names, fetches), octets = bench.received(lambda: bench.fetches(
        lambda: os.listdir(bench.parts(1))))
    case.expect(sorted(names) == ['body.txt', 'header.txt', 'large.pdf',
                                  'small.pdf'], names)
    case.expect(not any('[2]' in fetch or '[3]' in fetch
                        for fetch in fetches), fetches)
    # Beside what was asked for, connections may be opened: some 4 KB each.
    case.expect(octets < 32 * KB, f'{octets} octets for the structure')
    (content, fetches), octets = bench.received(lambda: bench.fetches(
        lambda: read(bench.parts(1, 'small.pdf'))))
    case.expect(content == PDF, f'{len(content)} octets of the attachment')
    case.expect(octets < 32 * KB, f'{octets} octets for one of 10,000')
    # Its end shows that what the server decodes can be believed.
    case.expect(len(fetches) == 2 and fetches[1] == '1 (UID BINARY.PEEK[2])'
                and re.fullmatch(r'1 \(UID BODY\.PEEK\[2\]<\d+\.256>\)',
                                 fetches[0]), fetches)
    again, fetches = bench.fetches(
        lambda: (read(bench.parts(1, 'small.pdf')),
                 os.stat(bench.parts(1, 'small.pdf')).st_size))
    case.expect(again == (PDF, len(PDF)) and fetches == [], fetches)
    text, fetches = bench.fetches(lambda: read(bench.parts(1, 'body.txt')))
    case.expect(text == 'Grüße\r\n'.encode()
                and fetches == ['1 (UID BODY.PEEK[1])'], (text, fetches))


@tap.test(limit=180)
def test_attachment_without_binary_is_decoded_here(case):
    bench = Bench(case, [large_message(size=2 * MB)],
                  capability='IMAP4rev1 SASL-IR ID ENABLE IDLE UIDPLUS')
    content, octets = bench.received(
        lambda: read(bench.parts(1, 'small.pdf')))
    case.expect(content == PDF, f'{len(content)} octets of the attachment')
    case.expect(octets < 48 * KB, f'{octets} octets for one of 10,000')
    size = os.stat(bench.parts(1, 'large.pdf')).st_size
    case.expect(size == 2 * MB * 3 // 4, f'{size} octets by stat')
    content = read(bench.parts(1, 'large.pdf'))
    case.expect(content == b'x' * (2 * MB * 3 // 4), f'{len(content)} octets')


@tap.test(limit=180)
def test_sizes_are_right_before_the_first_read(case):
    bench = Bench(case, [large_message(size=2 * MB)], arguments=['--trace'])
    os.listdir(bench.parts(1))
    sizes = {'small.pdf': len(PDF), 'large.pdf': 2 * MB * 3 // 4}
    found, fetches = bench.fetches(lambda: {
        name: os.stat(bench.parts(1, name)).st_size for name in sizes})
    case.expect(found == sizes, found)
    # Dovecot 2.3 is wrong about the first: that has to be fetched.
    case.expect('1 (UID BINARY.SIZE[3])' in fetches
                and '1 (UID BINARY.PEEK[3])' not in fetches, fetches)
    case.expect(os.stat(bench.parts(1, 'body.txt')).st_size
                == len('Grüße\r\n'.encode()), 'body.txt')
    result = run('sh', '-c', 'tar -cf - "$0" | tar -xOf - | wc -c', 'small.pdf',
                 cwd=bench.parts(1))
    case.expect(result.out.strip() == b'%d' % len(PDF), result)
    copy = case.path('copy')
    result = run('cp', bench.parts(1, 'small.pdf'), copy)
    case.expect(result.clean and read(copy) == PDF, result)


@tap.test(limit=180)
def test_text_is_fetched_alone(case):
    count = 60
    body = 'Das Wörterbuch.\r\n'.encode()
    messages = [hardmail.mixed(f'message {i}', [
        hardmail.part('text/plain; charset=utf-8',
                      hardmail.encoded(body, 'base64'),
                      'Content-Transfer-Encoding: base64'),
        attachment('a.pdf', b'%d' % i * 20000)])[1] for i in range(count)]
    bench = Bench(case, messages, arguments=['--trace'])
    os.listdir(bench.path('Hard'))
    commands = bench.proxy.counts()['turns']
    result, octets = bench.received(
        lambda: run('grep', '-rc', 'Wörterbuch',
                    bench.path('.imapfs', 'text', 'Hard'), limit=60 * PATIENCE))
    commands = bench.proxy.counts()['turns'] - commands
    found = result.out.decode().split()
    case.expect(len(found) == count and all(line.endswith('.eml.txt:1')
                                            for line in found), found[:3])
    case.expect(octets < count * 1500, f'{octets} octets for {count} texts')
    case.expect(commands < count / 2, f'{commands} round trips')
    case.note(f'{octets} octets, {commands} round trips, {count} texts')
    again, fetches = bench.fetches(
        lambda: run('grep', '-rc', 'Wörterbuch',
                    bench.path('.imapfs', 'text', 'Hard'), limit=60 * PATIENCE))
    case.expect(again.out == result.out and fetches == [],
                f'fetched for the same once more: {fetches}')


@tap.test(limit=120)
def test_scan_of_texts_sends_no_reads(case):
    """Each text is given to the kernel while it is opened, and its size when
    it is looked up."""
    count = 120
    messages = [hardmail.mixed(f'message {i}', [
        hardmail.part('text/plain', b'text %d\r\n' % i)])[1]
        for i in range(count)]
    bench = Bench(case, messages, arguments=('-d',))
    folder = bench.path('.imapfs', 'text', 'Hard')
    os.listdir(folder)
    before = len(bench.mount.messages())
    result = run('sh', '-c', 'cd "$0" && cat $(seq -f %.0f.eml.txt '
                 f'{count} -1 1)', folder, limit=60 * PATIENCE)
    said = bench.mount.messages()[before:]
    sent = {kind: len(re.findall(rf'opcode: {kind} ', said))
            for kind in ('OPEN', 'READ', 'GETATTR')}
    case.expect(all(f'\ntext {i}\n' in result.out.decode()
                    for i in range(count)), 'a text is missing')
    case.expect(sent['OPEN'] == count and sent['READ'] == 0, sent)
    case.expect(sent['GETATTR'] < count / 2, sent)


@tap.test(limit=120)
def test_texts_in_the_order_of_names_are_fetched_together(case):
    """As a shell's "*" and rsync go, where the dates are in no order."""
    count = 200
    bench = Bench(case, [], names='subject')
    for i in range(count):
        date = time.time() - i * 7919 % count * 86400
        status, answer = bench.client.imap.append(
            'Hard', None, imaplib.Time2Internaldate(date),
            hardmail.mixed(f'message {i}', [
                hardmail.part('text/plain', b'text %d\r\n' % i)])[1])
        assert status == 'OK', answer
    folder = bench.path('.imapfs', 'text', 'Hard')
    bench.soon(lambda: len(os.listdir(folder)) == count, 'they do not come')
    trips = bench.proxy.counts()['turns']
    result = run('sh', '-c', 'cd "$0" && cat *', folder,
                 limit=60 * PATIENCE)
    trips = bench.proxy.counts()['turns'] - trips
    case.expect(all(f'\ntext {i}\n' in result.out.decode()
                    for i in range(count)), 'a text is missing')
    case.expect(trips < count / 4, f'{trips} round trips')
    case.note(f'{trips} round trips for {count} texts')


# ---- what it shows

@tap.test(limit=120)
def test_text_is_headers_and_texts_with_lf(case):
    inner = (hardmail.header('=?utf-8?q?innere_Gr=C3=BC=C3=9Fe?=',
                             'Content-Type: text/html; charset=iso-8859-1')
             + b'\r\n<p>\xfcber</p>\r\n')
    message = hardmail.mixed('=?iso-8859-1?q?=C4u=DFeres?=', [
        hardmail.part('text/plain; charset=utf-8',
                      hardmail.encoded('Zeile ä\r\nZwei'.encode(), 'base64'),
                      'Content-Transfer-Encoding: base64'),
        attachment('a.pdf', b'not text'),
        hardmail.part('message/rfc822', inner)])[1]
    messages = [message, hardmail.with_filler(message, 40 * KB)]
    bench = Bench(case, messages)
    for uid in (1, 2):
        text = read(bench.text(uid)).decode()
        case.expect(os.stat(bench.text(uid)).st_size == len(text.encode()),
                    'stat after read')
        case.expect('\r' not in text, 'there is a CR')
        case.expect('not text' not in text, 'there is an attachment')
        for line in ('Subject: Äußeres\n', '\n\nZeile ä\nZwei\n',
                     'Subject: innere Grüße\n', '<p>über</p>\n'):
            case.expect(line in text, f'{line!r} is not in {text[-900:]!r}')
    # A message that is there as a whole has the same text.
    first = read(bench.text(1))
    bench.add(message)
    bench.soon(lambda: os.path.exists(bench.path('Hard', '3.eml')), 'arrival')
    read(bench.path('Hard', '3.eml'))
    case.expect(read(bench.text(3)) == first, 'another text of the whole')


@tap.test(limit=120)
def test_views_are_hidden_and_described(case):
    bench = Bench(case, [large_message(size=KB)])
    listed = os.listdir(bench.path('.imapfs'))
    case.expect('parts' not in listed and 'text' not in listed, listed)
    about = read(bench.path('.imapfs', 'README')).decode()
    case.expect('parts/' in about and 'text/' in about, about)
    case.expect('Hard' in os.listdir(bench.path('.imapfs', 'parts')), 'parts')
    case.expect(os.listdir(bench.path('.imapfs', 'text', 'Hard'))
                == ['1.eml.txt'], 'text')
    for path in (bench.text(9), bench.parts(9), bench.parts(1, 'none'),
                 bench.path('.imapfs', 'parts', 'None'),
                 bench.path('.imapfs', 'text', 'Hard', '1.eml')):
        case.expect(not os.path.exists(path), f'{path} is there')
    for arguments in (['touch', bench.parts(1, 'new')],
                      ['rm', '-f', bench.parts(1, 'small.pdf')],
                      ['mkdir', bench.path('.imapfs', 'text', 'new')],
                      ['sh', '-c', 'echo x > "$0"', bench.text(1)],
                      ['mv', bench.text(1), bench.path('Hard', 'x.eml')]):
        result = run(*arguments)
        case.expect(not result.ok, f'{arguments} succeeds')
    target = bench.path('Hard', 'copied.eml')
    result = run('cp', bench.parts(1, 'header.txt'), target)
    case.expect(not result.ok or read(target) != read(
        bench.path('Hard', '1.eml')), 'a part is copied as its message')


def disagreement(bench, folder):
    names = set(os.listdir(bench.path(folder)))
    text = {name.removesuffix('.txt') for name in
            os.listdir(bench.path('.imapfs', 'text', folder))}
    shown = set(os.listdir(bench.path('.imapfs', 'parts', folder)))
    return sorted(names ^ text) + sorted(names ^ shown)


@tap.test(limit=240)
def test_views_agree_after_changes_from_both_sides(case):
    messages = hardmail.corpus()[:40]
    bench = Bench(case, [body for _title, body in messages], names='uid')
    for path, _directories, _files in os.walk(bench.path('.imapfs', 'parts')):
        pass
    for step in range(6):
        gone, moved = f'{3 * step + 1}.eml', f'{3 * step + 2}.eml'
        os.remove(bench.path('Hard', gone))
        os.rename(bench.path('Hard', moved),
                  bench.path('INBOX', f'moved-{step}.eml'))
        case.expect(not os.path.exists(
            bench.path('.imapfs', 'text', 'Hard', gone + '.txt')), gone)
        case.expect(read(bench.path('.imapfs', 'parts', 'INBOX',
                                    f'moved-{step}.eml', 'header.txt')),
                    'no header of what was moved')
        bench.client.expunge('Hard', 3 * step + 3)
        bench.add(hardmail.corpus()[50 + step][1])
    gone = {f'{uid}.eml' for uid in range(1, 19)}
    bench.soon(lambda: len(os.listdir(bench.path('Hard'))) == 28 and
               not gone & set(os.listdir(bench.path('Hard'))),
               'the mailbox is not what it should be')
    for folder in ('Hard', 'INBOX'):
        bench.soon(lambda: not disagreement(bench, folder),
                   f'{folder}: {disagreement(bench, folder)}')
    for name in os.listdir(bench.path('Hard')):
        problem = parts.compare(
            bench.path('.imapfs', 'parts', 'Hard', name),
            read(bench.path('Hard', name)))
        case.expect(problem == '', f'{name}: {problem}')
    bench.mount.unmount()


@tap.test
def test_what_was_written_or_moved_a_moment_ago_is_read(case):
    """The server has said OK, and what it has is not listed yet: that is waited
    for, as it is where a message is read itself."""
    desk = Desk(case, {'INBOX': 3, 'Other': 3}, rtt_ms=60)

    def part(folder, name):
        return read(desk.path('.imapfs', 'parts', folder, name, 'body.txt'))

    def text(folder, name):
        return read(desk.path('.imapfs', 'text', folder, name + '.txt'))

    for word in (b'hello', b'world', b'longer than that'):
        with open(desk.path('INBOX', 'letter.eml'), 'wb') as file:
            file.write(b'Message-ID: <a@letter>\r\nSubject: a letter\r\n\r\n'
                       + word + b'\r\n')
        found = part('INBOX', 'letter.eml'), text('INBOX', 'letter.eml')
        case.expect(found[0] == word + b'\r\n', 'part:', found[0])
        case.expect(found[1].endswith(b'a letter\n\n' + word + b'\n'),
                    'text:', found[1])
    os.rename(desk.path('INBOX', 'letter.eml'),
              desk.path('Other', 'letter.eml'))
    case.expect(text('Other', 'letter.eml') == found[1], 'moved: another text')
    case.expect(part('Other', 'letter.eml') == found[0], 'moved: another part')


def as_told(line, command, message, lies):
    """Of a message of one part the structure is right; lies: what comes for
    that part, by the beginning of the item that asks for it."""
    head, _, encoded = message.body.partition(b'\r\n\r\n')
    head += b'\r\n\r\n'
    item = next((item for item in ('BODYSTRUCTURE', *lies)
                 if item in command.text), None)
    if item is None:
        return False
    if item == 'BODYSTRUCTURE':
        what = (b'RFC822.SIZE %d BODYSTRUCTURE ("application" "octet-stream" '
                b'NIL NIL NIL "base64" %d) BODY[HEADER] {%d}\r\n%s' % (
                    len(message.body), len(encoded), len(head), head))
    else:
        lie = encoded if lies[item] is None else lies[item]
        what = b'%s[1] {%d}\r\n%s' % (item.partition('.')[0].encode(),
                                      len(lie), lie)
        asked = re.search(r'<(\d+)\.(\d+)>', command.text)
        if asked:
            begin, length = int(asked[1]), int(asked[2])
            piece = encoded[begin:begin + length]
            what = b'BODY[1]<%d> {%d}\r\n%s' % (begin, len(piece), piece)
    line.send(b'* 1 FETCH (UID %d %s)\r\n' % (message.uid, what)
              + f'{command.tag} OK done\r\n'.encode())
    return True


@tap.test
def test_part_that_cannot_be_what_was_told_is_not_shown(case):
    """Some servers do not decode, and some send nothing, or a text of theirs,
    in place of what they do not have just now."""
    octets = bytes(range(256)) * 200
    fake = b'This message is no longer available on the server.\r\n'
    for lies in ({'BINARY.PEEK': None, 'BODY.PEEK[1]': None},
                 {'BINARY.PEEK': b'', 'BODY.PEEK[1]': None},
                 {'BINARY.PEEK': octets[:-1], 'BODY.PEEK[1]': None},
                 {'BODY.PEEK[1]': b''}, {'BODY.PEEK[1]': fake}):
        message = mailstore.Message(
            1, b'Subject: a part\r\nContent-Type: application/octet-stream\r\n'
            b'Content-Transfer-Encoding: base64\r\n\r\n'
            + hardmail.encoded(octets, 'base64'))
        scene = Scene(case, [mailstore.Mailbox('INBOX', [message])],
                      timeout=10 * PATIENCE, capabilities='IMAP4rev1 BINARY'
                      if 'BINARY.PEEK' in lies else 'IMAP4rev1')
        scene.server.hooks['UID FETCH'] = (
            lambda line, command, message=message, lies=lies:
            as_told(line, command, message, lies))
        scene.start()
        directory = scene.path('.imapfs', 'parts', 'INBOX', '1.eml')
        name, = set(os.listdir(directory)) - {'header.txt'}
        found = read(os.path.join(directory, name))
        case.expect(found == octets, lies.keys(), len(found), found[:60])


def with_long_texts(line, command, octets, count):
    """As if each message had count texts of so many octets; they come
    shorter."""
    section = re.search(r'BODY\.PEEK\[(\d+)\]', command.text)
    if not section and 'BODYSTRUCTURE' not in command.text:
        return False
    asked = mailstore.parse_set(command.text.partition(' ')[0], 0)
    for number, message in enumerate(line.mailbox.present, 1):
        part = b'("text" "plain" NIL NIL NIL "7bit" %d 1)' % octets
        head = message.body.partition(b'\r\n\r\n')[0] + b'\r\n\r\n'
        what = (b'RFC822.SIZE %d BODYSTRUCTURE (%s "mixed" ("boundary" "b")) '
                b'BODY[HEADER] {%d}\r\n%s'
                % (message.size, part * count, len(head), head))
        if section:
            what = b'BODY[%b] "text %b"' % ((section[1].encode(),) * 2)
        if mailstore.in_set(message.uid, asked):
            line.send(b'* %d FETCH (UID %d %s)\r\n'
                      % (number, message.uid, what))
    line.line(f'{command.tag} OK done')
    return True


def scene_of_long_texts(case, messages, octets, count):
    letters = [mailstore.Message(
        uid, b'Subject: long\r\nContent-Type: multipart/mixed; boundary=b'
        b'\r\n\r\nbody\r\n', announced=octets * count)
        for uid in range(1, messages + 1)]
    scene = Scene(case, [mailstore.Mailbox('INBOX', letters)],
                  timeout=10 * PATIENCE)
    scene.server.hooks['UID FETCH'] = (
        lambda line, command: with_long_texts(line, command, octets, count))
    scene.start()
    return scene


@tap.test
def test_texts_of_one_message_are_bounded(case):
    """They are in memory, all of them; what is beyond 64 MB is left out, and
    said to be."""
    scene = scene_of_long_texts(case, 1, 15 * MB, 8)
    found = read(scene.path('.imapfs', 'text', 'INBOX', '1.eml.txt'))
    case.expect(found.count(b'text') == 4 + found.count(b'too long')
                and found.count(b'too long') == 4, found)


@tap.test
def test_texts_that_are_fetched_ahead_are_bounded(case):
    """Of each message one is in memory until the other has come, which may be
    after those of all others."""
    scene = scene_of_long_texts(case, 30, 5 * MB, 2)
    os.listdir(scene.path('.imapfs', 'text', 'INBOX'))
    result = run('cat', *(scene.path('.imapfs', 'text', 'INBOX',
                                     f'{uid}.eml.txt') for uid in range(1, 31)),
                 limit=60 * PATIENCE)
    case.expect(result.out.count(b'text 1') == result.out.count(b'text 2')
                == 30, result)
    counts = [sum(mailstore.in_set(uid, mailstore.parse_set(
        command.text.partition(' ')[0], 0)) for uid in range(1, 31))
        for command in scene.server.commands
        if 'BODY.PEEK[1]' in command.text]
    case.note(f'messages in a command: {counts}')
    case.expect(max(counts) <= 3, '10 MB each:', counts)


if __name__ == '__main__':
    tap.main(jobs=4)
