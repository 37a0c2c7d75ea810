#!/usr/bin/env python3
"""`imapfs --status`: that it says how the mount is, at once and while it
changes, and leaves the terminal as it was. And what -v and -q say."""

import json
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import commands
import tap
from command import run, wait_until
from commands import imapfs, marks
from desk import Desk
from imapserver import CAPABILITIES
from mailstore import Mailbox, make_message, simple_mailbox
from mount import is_mounted
from scene import Scene
from terminal import Terminal


def status(case, mountpoint):
    result = imapfs(case, '--status', mountpoint)
    case.expect(result.clean, result)
    return result


def says(case, mountpoint, name, mark, *words, limit=20):
    """Waits until it does."""
    def is_said():
        found = marks(status(case, mountpoint)).get(name)
        return found is not None and found[0] == mark \
            and all(word in found[1] for word in words)

    case.expect(wait_until(is_said, limit * tap.PATIENCE, 0.2),
                f'{name} is not {mark} {words}:\n',
                status(case, mountpoint).out.decode())


# ---- once

@tap.test(limit=120)
def test_live_mount_is_told_whole(case):
    desk = Desk(case, folders={'INBOX': 20, 'Other': 5})
    os.listdir(desk.path('INBOX'))
    os.listdir(desk.path('Other'))
    top = desk.mount.mountpoint
    says(case, top, 'Push', '✓', 'all folders')
    result = status(case, top)
    case.note(result.out.decode())
    text = result.out.decode()
    case.expect(re.match(rf'imapfs [\d.]+ at {re.escape(top)}\n', text), text)
    says(case, top, 'Account', ' ', 'me at localhost, port', 'TLS')
    says(case, top, 'Line', '✓', 'there since', 'round trip')
    says(case, top, 'Pending', '✓', 'nothing')
    says(case, top, 'Known', ' ', '25 messages')
    says(case, top, 'Cache', ' ', 'of at most')
    for folder, count in (('INBOX', 20), ('Other', 5)):
        case.expect(re.search(rf'^  {folder} +{count}  up to date$', text,
                              re.MULTILINE), folder, text)
    desk.mount.unmount()


@tap.test(limit=120)
def test_pending_changes_and_lost_line_are_told(case):
    desk = Desk(case, rtt_ms=1, timeout=3 * tap.PATIENCE)
    name = desk.names()[0]
    desk.go_offline()
    # Whoever waits for something newer finds out.
    run('cat', desk.path('Other', '1.eml'), limit=60 * tap.PATIENCE)
    os.unlink(desk.path('INBOX', name))
    top = desk.mount.mountpoint
    says(case, top, 'Line', '✗', 'away since', limit=60)
    says(case, top, 'Push', '–', 'without the line')
    says(case, top, 'Pending', '!', '1 change to send')
    desk.go_online()
    says(case, top, 'Line', '✓', 'there since', limit=60)
    says(case, top, 'Pending', '✓', limit=60)


@tap.test(limit=120)
def test_what_was_refused_is_told_until_it_was_asked_for(case):
    scene = Scene(case, timeout=10, names='uid', options={'poll': 1},
                  capabilities=CAPABILITIES + ' UIDPLUS')
    scene.server.hooks['UID STORE'] = lambda line, command: line.send(
        command.tag.encode() + b' NO nobody may\r\n')
    scene.start()
    os.unlink(scene.path('INBOX', '2.eml'))
    top = scene.mount.mountpoint
    says(case, top, 'Refused', '✗', 'nobody may')
    case.expect('Last messages' in status(case, top).out.decode())
    case.expect(run(commands.BINARY, '--wait', top).status == 1)
    case.expect('Refused' not in marks(status(case, top)),
                status(case, top).out.decode())


@tap.test(limit=120)
def test_what_is_no_mount_is_one_sentence(case):
    for path in (case.path(), '/nothing/there', '/etc/passwd', '/proc'):
        for words in (['--status', path], ['--status', path, '--watch']):
            result = imapfs(case, *words)
            case.expect(result.status == 1 and not result.out
                        and result.err == f'imapfs: {path} is no mount of '
                                          'imapfs\n', result)
    os.makedirs(case.path('like', '.imapfs'))
    for text in ('', '[]', '{"version": 3}', '{"version": {}}', 'nonsense'):
        with open(case.path('like', '.imapfs', 'status'), 'w') as file:
            file.write(text)
        result = imapfs(case, '--status', case.path('like'))
        case.expect(result.status in (0, 1), text, result)
        if text != '{"version": 3}':
            case.expect('is no mount of imapfs' in result.err, text, result)


@tap.test(limit=120)
def test_file_that_is_odd_does_no_harm(case):
    """A file that has the names of ours, and other types."""
    scene = Scene(case, timeout=10, names='uid')
    scene.start()
    with open(scene.path('.imapfs', 'status')) as file:
        good = json.load(file)
    os.makedirs(case.path('odd', '.imapfs'))
    for other in (None, 7, 'text', [], [3], {}, {'name': []}, True, [[]]):
        for member in good:
            if member == 'version':
                continue
            with open(case.path('odd', '.imapfs', 'status'), 'w') as file:
                json.dump({**good, member: other}, file)
            result = imapfs(case, '--status', case.path('odd'))
            case.expect(result.clean, member, other, result)


@tap.test(limit=120)
def test_push_that_is_not_there_yet_is_no_lack_of_the_server(case):
    """Who mounts and looks at once is not told that the server cannot."""
    scene = Scene(case, timeout=10, names='uid')
    scene.start()
    with open(scene.path('.imapfs', 'status')) as file:
        good = json.load(file)
    os.makedirs(case.path('odd', '.imapfs'))
    for words, allowed, mark, text in (
            (['IDLE'], 4, '–', 'not yet'), (['NOTIFY'], 4, '–', 'not yet'),
            (['IDLE'], 1, '!', 'polled'), (['MOVE'], 4, '!', 'by itself')):
        with open(case.path('odd', '.imapfs', 'status'), 'w') as file:
            json.dump({**good, 'line': 'online', 'push': 'none',
                       'connections_allowed': allowed,
                       'capabilities': words}, file)
        says(case, case.path('odd'), 'Push', mark, text)


@tap.test(limit=120)
def test_push_that_is_offered_and_refused_is_told_so(case):
    """And a directory that is no mailbox is not said to have no messages."""
    mailboxes = [simple_mailbox(), Mailbox('Top', attributes=('\\Noselect',)),
                 Mailbox('Top/Below')]
    scene = Scene(case, mailboxes, timeout=10, names='uid',
                  capabilities=CAPABILITIES + ' IDLE')
    scene.server.hooks['IDLE'] = lambda line, command: line.line(
        f'{command.tag} NO nobody may')
    scene.start()
    for folder in 'INBOX', 'Top', 'Top/Below':
        case.expect(run('ls', scene.path(folder)).clean, folder)
    top = scene.mount.mountpoint
    says(case, top, 'Push', '!', 'nobody may', 'polled')
    text = status(case, top).out.decode()
    case.expect('  Top/Below' in text and not re.search('^  Top ', text, re.M),
                text)


# ---- for as long as one looks

@tap.test(limit=120)
def test_watch_without_a_terminal_writes_what_is_new(case):
    desk = Desk(case)
    os.listdir(desk.path('INBOX'))
    top = desk.mount.mountpoint
    says(case, top, 'Push', '✓', 'all folders')
    output = open(case.path('watched'), 'w+')
    case.defer(output.close)
    process = commands.start(case, '--status', top, '--watch', output=output)

    def written():
        with open(case.path('watched')) as file:
            return file.read()

    case.expect(wait_until(lambda: 'up to date' in written(),
                           20 * tap.PATIENCE), written())
    desk.client.imap.append('INBOX', None, None, make_message(1, 2000))
    case.expect(wait_until(lambda: re.search(r'INBOX +21 ', written()),
                           20 * tap.PATIENCE), written())
    case.expect('\x1b' not in written() and '\r' not in written(), written())
    blocks = written().count('imapfs ')
    case.expect(2 <= blocks <= 8, blocks, written())
    process.send_signal(signal.SIGINT)
    case.expect(process.wait(10 * tap.PATIENCE) == 0, process.returncode)


@tap.test(limit=120)
def test_watch_ends_with_the_mount(case):
    desk = Desk(case)
    output = open(case.path('watched'), 'w+')
    case.defer(output.close)
    process = commands.start(case, '--status', desk.mount.mountpoint,
                             '--watch', output=output)
    case.expect(wait_until(lambda: os.path.getsize(case.path('watched')) > 0,
                           20 * tap.PATIENCE), 'it shows nothing')
    desk.mount.terminate(limit=30)
    case.expect(process.wait(20 * tap.PATIENCE) == 1, process.returncode)
    case.expect(not is_mounted(desk.mount.mountpoint))


def _watch(case, width):
    desk = Desk(case)
    os.listdir(desk.path('INBOX'))
    top = desk.mount.mountpoint
    says(case, top, 'Push', '✓', 'all folders')
    terminal = Terminal(case, [commands.BINARY, '--status', top, '--watch'],
                        width=width, height=40,
                        environment=commands.environment(case))
    terminal.wait_for(lambda screen: re.search(r'INBOX +20 ', screen),
                      'the status')
    case.note(terminal.text())
    case.expect(terminal.format('#{alternate_on} #{cursor_flag}') == '1 0',
                'it draws over what was there')
    return desk, terminal


def _ends(case, terminal):
    terminal.press('C-c')
    text = terminal.wait_for('after 0', 'the end')
    case.expect(text.splitlines()[0] == 'before>'
                and re.match(r'^(\^C)?after 0$', text.splitlines()[1]), text)
    case.expect(terminal.format('#{alternate_on} #{cursor_flag}') == '0 1',
                'the terminal is not as it was')


@tap.test(limit=120)
def test_watch_at_80_columns_follows(case):
    desk, terminal = _watch(case, 80)
    lines = terminal.lines()
    case.expect(any(line.startswith('✓ Line          there since')
                    for line in lines), terminal.text())
    case.expect('\x1b[32m✓' in terminal.coloured(), 'no colour')
    desk.client.imap.append('INBOX', None, None, make_message(1, 2000))
    terminal.wait_for(lambda screen: re.search(r'INBOX +21 ', screen),
                      'the new message')
    terminal.resize(50, 30)
    terminal.wait_for('✓ Line\n    there since', 'the narrower status')
    _ends(case, terminal)


@tap.test(limit=120)
def test_watch_at_40_columns_fits(case):
    _desk, terminal = _watch(case, 40)
    lines = terminal.lines()
    case.expect('✓ Line' in lines and '  Account' in lines, terminal.text())
    case.expect(all(line[:1] in ('', ' ', '✓', '!') for line in lines[1:]
                    if line != 'Folders that were used'), terminal.text())
    _ends(case, terminal)


# ---- more and less of the log

@tap.test(limit=120)
def test_verbose_and_quiet(case):
    desk = Desk(case)
    desk.mount.unmount()
    desk.start(arguments=('-v',))
    os.listdir(desk.path('INBOX'))
    case.expect(wait_until(lambda: 'the server tells of all' in desk.said(),
                           20 * tap.PATIENCE), desk.said())
    case.expect(re.search(r'imapfs: connection 1 to localhost \(127.0.0.1\): '
                          r'TLSv1.\d, SCRAM-SHA-256', desk.said()),
                desk.said())
    # A second one has something to say, unless it may not.
    for arguments, is_told in ((), True), (('-q',), False):
        first = desk.mount
        second = desk.start(arguments=arguments)
        os.listdir(second.path())  # whoever serves has said it
        case.expect(('keeps nothing' in second.messages()) == is_told,
                    arguments, second.messages())
        second.unmount()
        desk.mount = first


if __name__ == '__main__':
    tap.main()
