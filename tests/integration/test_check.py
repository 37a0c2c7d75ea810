#!/usr/bin/env python3
"""`imapfs --check`: what it says of servers as they are, that it says what is
wrong and what to do, and that its exit status is that of a mount."""

import os
import socket
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import commands
import dovecot
import mailstore
import tap
from commands import imapfs, marks
from desk import NO_MOVE, PLAIN
from imapserver import CAPABILITIES, Closed, Server
from mount import Mount, MountFailed
from terminal import Terminal

NOT_TRIED = ('–', 'not tried')


class Place:
    """A Dovecot, and what is needed to get in."""

    def __init__(self, case, messages=40, **named):
        self.case = case
        self.server = dovecot.start_sample(case, messages=messages, **named)
        self.password = dovecot.password(self.server)
        self.file = commands.password_file(case, self.password)

    def options(self, **more):
        all_options = {'ca_file': self.server.ca_file,
                       'password_file': self.file, **more}
        return {key: value for key, value in all_options.items()
                if value is not False}

    def check(self, url=None, environment=None, **options):
        result = imapfs(self.case, '--check', url or self.server.url,
                        options=self.options(**options),
                        **(environment or {}))
        self.case.expect(self.password not in result.out.decode()
                         and self.password not in result.err, 'the password')
        self.case.expect(not result.err, result)
        return result

    def agrees(self, result, url=None, **options):
        """A mount with the same options does as the check has said."""
        try:
            mount = Mount(self.case, url or self.server.url,
                          self.options(**options), password=None)
            mount.unmount()
            status = 0
        except MountFailed as failure:
            status = failure.status
        self.case.expect(result.status == status,
                         f'a mount ends with {status}, the check said:\n',
                         result.out.decode())


def free_port():
    with socket.create_server(('127.0.0.1', 0)) as free:
        return free.getsockname()[1]


def expect_line(case, result, name, mark, *words):
    found = marks(result).get(name)
    case.expect(found is not None and found[0] == mark
                and all(word in found[1] for word in words),
                f'{name}: {found}, and not {mark} {words}, in:\n',
                result.out.decode())


# ---- when all is well

@tap.test(limit=120)
def test_good_account_is_reported_whole(case):
    place = Place(case)
    dovecot.open_all(place.server)
    with dovecot.Client(place.server) as client:
        before = {folder: client.flags(folder)
                  for folder in dovecot.folders(place.server)}
    result = place.check()
    case.note(result.out.decode())
    case.expect(result.status == 0, result)
    for name in ('Password', 'FUSE', 'State', 'Cache', 'Host', 'Connection',
                 'TLS', 'Login', 'Folders', 'Push', 'Writing'):
        case.expect(marks(result).get(name, ('',))[0] == '✓',
                    name, marks(result).get(name))
    expect_line(case, result, 'TLS', '✓', 'TLSv1.', 'localhost', 'valid until',
                'sample authority')
    expect_line(case, result, 'Login', '✓', 'me', 'SCRAM-SHA-256')
    expect_line(case, result, 'Folders', '✓', '40 messages')
    expect_line(case, result, 'Push', '✓', 'NOTIFY')
    expect_line(case, result, 'Round trip', ' ', 'ms')
    expect_line(case, result, 'Throughput', ' ', '/s')
    expect_line(case, result, 'Software', ' ', 'Dovecot')
    expect_line(case, result, 'rm', ' ', 'for good')
    expect_line(case, result, 'UIDPLUS', '✓')
    text = result.out.decode()
    for folder, use in (('Entwürfe', 'drafts'), ('Trash', 'trash')):
        case.expect(any(line.split()[:2] == [folder, use]
                        for line in text.splitlines()), folder, text)
    case.expect(text.endswith('A mount would work.\n'), text)
    with dovecot.Client(place.server) as client:
        after = {folder: client.flags(folder) for folder in before}
    case.expect(before == after, 'flags have changed')
    for kept in ('cache', 'state'):
        case.expect(not os.path.exists(case.path('data', kept)),
                    f'it has made {kept}')
    place.agrees(result)


@tap.test(limit=120)
def test_locale_without_utf8_gets_ascii(case):
    place = Place(case)
    result = place.check(environment={'LC_ALL': 'C'})
    case.expect(result.status == 0 and result.out.isascii(), result.out)
    case.expect(b'\n+ Login' in result.out, result.out)


def _colours(case, place, name, environment):
    terminal = Terminal(
        case, [commands.BINARY, '--check', place.server.url, '-o',
               commands.options_text(place.options())],
        width=100 + len(name), height=80,
        environment={**commands.environment(case), **environment})
    terminal.wait_for('after 0', name)
    return terminal


@tap.test(limit=120)
def test_terminal_gets_colours_unless_it_wants_none(case):
    place = Place(case)
    coloured = _colours(case, place, 'coloured', {}).coloured()
    case.expect('\x1b[32m✓' in coloured, coloured)
    for name, environment in (('NO_COLOR', {'NO_COLOR': '1'}),
                              ('dumb one', {'TERM': 'dumb'})):
        plain = _colours(case, place, name, environment).coloured()
        case.expect('\x1b[' not in plain and '✓ Login' in plain, name, plain)


@tap.test(limit=120)
def test_narrow_terminal_breaks_lines(case):
    place = Place(case, messages=20)
    terminal = Terminal(
        case, [commands.BINARY, '--check', place.server.url, '-o',
               commands.options_text(place.options())],
        width=40, height=200, environment=commands.environment(case))
    text = terminal.wait_for('after 0', 'the report')
    case.note(text)
    lines = text.splitlines()
    case.expect('✓ Login' in lines and '    me, by SCRAM-SHA-256' in lines,
                text)
    # A line that the terminal has broken begins with what is in the middle.
    start = lines.index('✓ Login')
    case.expect(all(line[:1] in ('', ' ', '✓', '✗', '!', '–')
                    or line in ('What to expect', 'What the server offers',
                                'Folders', 'A mount would work.', 'after 0')
                    for line in lines[start:]), text)


@tap.test(limit=120)
def test_mounted_account_is_noticed(case):
    place = Place(case)
    data = case.path('shared')
    Mount(case, place.server.url, place.options(), password=None, data=data)
    result = imapfs(case, '--check', place.server.url,
                    options=place.options(), data=data)
    expect_line(case, result, 'State', '!', 'mounted already')
    case.expect(result.status == 0, result)


# ---- what servers lack

@tap.test(limit=120)
def test_poor_server_says_what_it_lacks(case):
    poor = 'IMAP4rev1 SASL-IR UNSELECT CHILDREN NAMESPACE'
    place = Place(case, capability=poor)
    result = place.check(poll=7)
    case.expect(result.status == 0, result)
    expect_line(case, result, 'Push', '!', 'within 7 seconds', 'IDLE')
    expect_line(case, result, 'rm', ' ', 'UIDPLUS')
    for name in ('QRESYNC', 'CONDSTORE', 'NOTIFY', 'IDLE', 'UIDPLUS', 'MOVE',
                 'QUOTA', 'ACL', 'APPENDLIMIT'):
        expect_line(case, result, name, '–')


@tap.test(limit=120)
def test_idle_is_tried(case):
    place = Place(case, capability=NO_MOVE)
    result = place.check()
    expect_line(case, result, 'Push', '✓', 'IDLE', '3 folders', '60 seconds')
    result = place.check(connections=1)
    expect_line(case, result, 'Push', '!', 'connections=1')


@tap.test(limit=120)
def test_announced_notify_that_is_refused_is_told(case):
    place = Place(case, capability=PLAIN + ' NOTIFY',
                  settings={'mailbox_list_index': 'no'})
    result = place.check()
    case.expect(result.status == 0, result)
    text = result.out.decode()
    # By its own account Dovecot cannot without that index; newer ones can.
    case.expect('! Push          the server announces NOTIFY, but refuses'
                in text or '✓ Push          NOTIFY' in text, text)
    case.expect('✓ Push' in text, text)


@tap.test(limit=120)
def test_deleting_is_told_as_it_will_be(case):
    place = Place(case)
    for options, words in (({'delete': 'trash'}, ('Trash', 'delete=trash')),
                           ({'delete': 'mark'}, ('hides',)),
                           ({'delete': 'expunge'}, ('for good',)),
                           ({'ro': None}, ('refused',))):
        expect_line(case, place.check(**options), 'rm', ' ', *words)


def scripted(case, mailboxes=None, **named):
    server = Server(mailboxes, **named)
    case.defer(server.stop)
    return server


def check_scripted(case, server, **options):
    server.start()
    return imapfs(case, '--check', server.url(),
                  options={'tls': 'off', 'timeout': 5 * tap.PATIENCE,
                           'password_file':
                               commands.password_file(case, 'secret'),
                           **options})


@tap.test(limit=120)
def test_quota_and_limit_are_told(case):
    server = scripted(case,
                      capabilities=CAPABILITIES + ' QUOTA APPENDLIMIT=35000000')
    server.quota = 10_000_000
    result = check_scripted(case, server)
    case.expect(result.status == 0, result)
    expect_line(case, result, 'Quota', ' ', 'of 10 MB')
    expect_line(case, result, 'Message size', ' ', '35 MB')
    expect_line(case, result, 'APPENDLIMIT', '✓')
    expect_line(case, result, 'TLS', '–', 'off')
    case.expect('Fetching' not in result.out.decode(), result)
    result = check_scripted(case, server, max_download='5G', max_upload='2M')
    expect_line(case, result, 'Fetching', ' ', '5.4 GB a day')
    expect_line(case, result, 'Sending', ' ', '2.1 MB a day')


@tap.test(limit=120)
def test_trash_that_nobody_marks_is_a_warning(case):
    result = check_scripted(case, scripted(case), delete='trash')
    expect_line(case, result, 'rm', '!', 'delete=expunge')


@tap.test(limit=120)
def test_empty_account_is_no_failure(case):
    result = check_scripted(case, scripted(case, [mailstore.Mailbox('INBOX')]))
    case.expect(result.status == 0, result)
    expect_line(case, result, 'Folders', '✓', '0 messages')
    expect_line(case, result, 'Throughput', ' ', 'no mail')


@tap.test(limit=120)
def test_what_the_server_says_does_not_command_the_terminal(case):
    server = scripted(case, capabilities=CAPABILITIES + ' ID')
    evil = 'Evil\x1b]0;x\x07\u202e'.encode()
    server.hooks['ID'] = lambda line, command: line.send(
        b'* ID ("name" {%d}\r\n%s)\r\n%s OK\r\n'
        % (len(evil), evil, command.tag.encode()))
    result = check_scripted(case, server)
    expect_line(case, result, 'Software', ' ', 'Evil')
    case.expect(not any(character in result.out.decode()
                        for character in '\x1b\x07\u202e'), result.out)


@tap.test(limit=120)
def test_refused_list_is_a_failure(case):
    server = scripted(case)
    server.hooks['LIST'] = lambda line, command: line.send(
        command.tag.encode() + b' NO not today\r\n')
    result = check_scripted(case, server)
    case.expect(result.status == 1, result)
    expect_line(case, result, 'Folders', '✗', 'cannot be listed: ', 'not today',
                'ask who runs the server')


@tap.test(limit=120)
def test_mail_that_is_not_found_is_told(case):
    server = scripted(case)
    server.hooks['UID SEARCH'] = lambda line, command: line.send(
        command.tag.encode() + b' OK nothing\r\n')
    result = check_scripted(case, server)
    expect_line(case, result, 'Throughput', ' ', 'not measured', 'INBOX')


def hang_up(_line, _command):
    raise Closed


@tap.test(limit=120)
def test_line_that_breaks_meanwhile_ends_it(case):
    for command, name in (('LIST', 'Folders'), ('NOOP', 'Round trip'),
                          ('UID FETCH', 'Throughput'), ('EXAMINE', 'Push')):
        server = scripted(case, capabilities=CAPABILITIES + ' IDLE')
        server.hooks[command] = hang_up
        result = check_scripted(case, server)
        case.expect(result.status == 1, command, result)
        expect_line(case, result, name, '✗')
        case.expect('would not work' in result.out.decode(), result)


# ---- what is wrong

@tap.test(limit=120)
def test_wrong_password_is_told_at_the_login(case):
    place = Place(case)
    options = {'password_file': commands.password_file(case, 'wr0ng-one')}
    result = place.check(**options)
    expect_line(case, result, 'TLS', '✓')
    expect_line(case, result, 'Login', '✗', 'refuses the login',
                'check the user name')
    case.expect('wr0ng' not in result.out.decode(), 'the password')
    case.expect('would not work' in result.out.decode(), result)
    place.agrees(result, **options)


@tap.test(limit=120)
def test_unknown_certificate_is_told_with_its_fingerprint(case):
    place = Place(case)
    result = place.check(ca_file=False)
    expect_line(case, result, 'Connection', '✓')
    expect_line(case, result, 'TLS', '✗', '-o fingerprint=')
    case.expect(marks(result)['Login'] == NOT_TRIED, result)
    place.agrees(result, ca_file=False)
    # And that one lets us in.
    fingerprint = marks(result)['TLS'][1].split('fingerprint=')[1]
    good = place.check(ca_file=False, fingerprint=fingerprint)
    case.expect(good.status == 0, good)
    expect_line(case, good, 'TLS', '✓', 'for its fingerprint')


@tap.test(limit=120)
def test_places_that_are_wrong_fail_where_they_are(case):
    place = Place(case)
    server = place.server
    closed = free_port()
    wrong = (
        (f'imaps://me@localhost:{closed}/', 'Connection',
         ('Connection refused', 'check host and port')),
        ('imaps://me@nothing.invalid/', 'Host', ('nothing.invalid', 'check')),
        (f'imaps://me@localhost:{server.starttls_port}/', 'TLS', ('imap://',)),
        (f'imap://me@localhost:{server.tls_port}/', 'Greeting', ('imaps://',)),
    )
    for url, name, words in wrong:
        result = place.check(url, timeout=4)
        case.expect(result.status == 1, result)
        expect_line(case, result, name, '✗', *words)
        case.expect(marks(result)['Login'] == NOT_TRIED, result)
        case.expect(result.out.decode().count('✗') == 1, result)
        place.agrees(result, url, timeout=4)


@tap.test(limit=120)
def test_password_that_cannot_be_had_is_told(case):
    place = Place(case)
    for options, words in (
            ({'password_file': '/nothing/there'}, ('No such file',)),
            ({'password_file': False, 'password_command': 'false'},
             ('password_command', 'exit status 1'))):
        result = place.check(**options)
        case.expect(result.status == 1, result)
        expect_line(case, result, 'Password', '✗', *words)
        place.agrees(result, **options)


@tap.test(limit=120)
def test_damaged_state_is_told(case):
    place = Place(case)
    state = case.path('state-dir')
    Mount(case, place.server.url, place.options(state_dir=state),
          password=None).unmount()
    path = os.path.join(state, os.listdir(state)[0], 'state.db')
    with open(path, 'r+b') as file:
        file.write(b'no database at all' * 100)
    result = place.check(state_dir=state)
    case.expect(result.status == 1, result)
    expect_line(case, result, 'State', '✗', 'state.db', 'state_dir')
    place.agrees(result, state_dir=state)


@tap.test(limit=120)
def test_mistakes_on_the_command_line_are_sentences(case):
    for words, said in (
            (['--check', '/no/url'], 'imaps://USER@HOST/'),
            (['--check', 'imaps://me@localhost/', '/mnt'], 'no mountpoint'),
            (['--check', 'imaps://me@localhost/', '-o', 'timout=3'],
             'timeout'),
            (['--check', '-o', 'timout=3', 'imaps://me@localhost/'],
             'timeout'),
            (['--check', '-o', 'ro'], 'nothing follows --check'),
            (['--status', ''], 'MOUNTPOINT right behind it'),
            (['--watch'], '--status'),
            (['--status', '/mnt', '--check', 'imaps://h/'], 'choose one'),
            (['-q', '-v', 'imaps://h/', '/mnt'], 'choose one')):
        result = imapfs(case, *words)
        lines = result.err.splitlines()
        case.expect(result.status == 1 and not result.out
                    and len(lines) == 1 and said in lines[0], words, result)


if __name__ == '__main__':
    tap.main()
