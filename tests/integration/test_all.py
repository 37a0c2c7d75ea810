#!/usr/bin/env python3
"""Several accounts in one mount (--all): each is a directory that is as its
account alone would be, and what befalls one leaves the others alone."""

import contextlib
import errno
import fcntl
import glob
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import ports
import tap
from command import run, wait_until
from house import NAMES, STUCK, House, dovecot_house
from mailstore import make_message, Message
from mount import BINARY, is_mounted
from notify import Manager
from terminal import Terminal
from writing import message


# ---- the mount


@tap.test
def test_accounts_are_directories_of_one_mount(case):
    house = House(case)
    result = house.mount()
    case.expect(result.clean, result)
    case.expect(is_mounted(house.mountpoint), 'the top is not mounted')
    for name in NAMES:
        case.expect(not is_mounted(house.at(name)), f'{name} is a mount')
    case.expect(len(house.daemons()) == 1, house.daemons())
    case.expect(house.names() == list(NAMES), house.names())
    case.expect('Holidays' in house.names('home'), 'not home')
    case.expect('Holidays' not in house.names('work'), 'not work')
    for name, server in zip(NAMES, house.servers):
        case.expect(run('cat', house.at(name, 'INBOX/2.eml')).out ==
                    server.mailboxes[0].get(2).body, f'wrong bytes in {name}')
    case.expect(not os.path.exists(house.at('else')), 'there is more')
    again = house.mount()
    case.expect(again.status == 1 and again.err.count('imapfs: ') == 1 and
                'mounted there already' in again.err, again)
    house.unmount()


@tap.test
def test_what_goes_through_all_files_sees_all_of_them_once(case):
    house = House(case)
    house.mount()
    found = run('find', house.mountpoint, '-xdev', '-name', '*.eml',
                '-printf', '%D %i %P\n')
    case.expect(found.clean, found)
    lines = [line.split() for line in found.out.decode().splitlines()]
    paths = {path for _, _, path in lines}
    expected = {f'work/INBOX/{mail.uid}.eml'
                for mail in house.servers[0].mailboxes[0].messages}
    expected |= {f'home/{mailbox.name}/{mail.uid}.eml'
                 for mailbox in house.servers[1].mailboxes
                 for mail in mailbox.messages}
    case.expect(paths == expected, paths ^ expected)
    case.expect(len({device for device, _, _ in lines}) == 1,
                'several file systems')
    case.expect(len({inode for _, inode, _ in lines}) == len(lines),
                'inode numbers are not distinct')
    text = b'^Subject:'
    found = run('grep', '-rlE', text.decode(), house.mountpoint)
    case.expect(found.clean and len(found.out.split()) == len(lines), found)
    # The number that a listing has, and that of the file.
    for name in NAMES:
        inbox = house.at(name, 'INBOX')
        with os.scandir(inbox) as entries:
            for entry in entries:
                case.expect(entry.inode() == os.stat(entry.path).st_ino,
                            entry.path)
        case.expect(os.stat(inbox + '/../..').st_ino ==
                    os.stat(house.mountpoint).st_ino, '.. leads elsewhere')
    house.unmount()


@tap.test
def test_inode_numbers_are_the_same_in_the_next_mount(case):
    """And with another account before them."""
    house = House(case)

    def numbers():
        return {(name, entry): os.stat(house.at(name, 'INBOX', entry)).st_ino
                for name in NAMES for entry in house.names(name, 'INBOX')}

    house.mount()
    before = numbers()
    house.unmount()
    house.groups = {'aaa': dict(house.groups['work']), **house.groups}
    house.groups['aaa'].update(cache_dir=case.path('c'),
                               state_dir=case.path('s'))
    house.write_groups()
    result = house.mount()
    case.expect(result.clean, result)
    case.expect(house.names()[0] == 'aaa', house.names())
    case.expect(numbers() == before, 'they have changed')
    house.unmount()


@tap.test
def test_top_cannot_be_changed(case):
    house = House(case)
    house.mount()
    for words in (['mkdir', house.at('new')], ['touch', house.at('file')],
                  ['rmdir', house.at('work')],
                  ['mv', house.at('work'), house.at('other')],
                  ['ln', '-s', 'x', house.at('link')]):
        result = run(*words)
        case.expect(result.status != 0 and
                    'not permitted' in result.err, result)
    case.expect(house.names() == list(NAMES), house.names())
    attributes = os.stat(house.mountpoint)
    case.expect(stat.S_IMODE(attributes.st_mode) == 0o500, attributes)
    case.expect(run('df', house.mountpoint).clean)
    house.unmount()


@tap.test
def test_top_belongs_to_the_owner_of_the_accounts(case):
    house = House(case, uid=12, gid=34, umask='027')
    for uid, expected in ((12, (12, 34, 0o550)), (13, (12, 34, 0o555))):
        house.groups['home']['uid'] = uid
        house.write_groups()
        result = house.mount()
        case.expect(result.clean, result)
        attributes = os.stat(house.mountpoint)
        found = (attributes.st_uid, attributes.st_gid,
                 stat.S_IMODE(attributes.st_mode))
        case.expect(found == expected, found, 'instead of', expected)
        case.expect(os.stat(house.at('work')).st_uid == 12 and
                    os.stat(house.at('home')).st_uid == uid, 'other owners')
        house.unmount()


@tap.test
def test_what_is_asked_of_the_top_is_still_asked_of_accounts(case):
    """The kernel remembers what is not handled, for all of the mount."""
    house = House(case, xattr='yes')
    del house.groups['work']['xattr']
    house.write_groups()
    house.mount()
    house.names('home/INBOX'), house.names('home/Holidays')

    def attribute(*parts):
        return run('getfattr', '--only-values', '-n', 'user.imap.uid',
                   house.at(*parts))

    case.expect('No such attribute' in attribute().err, attribute())
    case.expect(run('getfattr', '-d', house.mountpoint).clean)
    for words in (('-x', 'user.xdg.tags'), ('-n', 'user.xdg.tags', '-v', 'x')):
        case.expect(run('setfattr', *words, house.mountpoint).status == 1)
        result = run('setfattr', *words, house.at('work/INBOX/2.eml'))
        case.expect('not supported' in result.err, result)
    result = attribute('work/INBOX/2.eml')
    case.expect('not supported' in result.err, result)
    result = run('getfattr', '-d', house.at('work/INBOX/2.eml'))
    case.expect(attribute('home/INBOX/2.eml').out == b'2',
                attribute('home/INBOX/2.eml'))
    result = run('sync', house.mountpoint)
    case.expect(result.clean, result)
    for command in 'UID MOVE', 'UID COPY':
        house.servers[1].hooks[command] = lambda line, asked: line.line(
            f'{asked.tag} NO [OVERQUOTA] no')
    result = run('mv', house.at('home/INBOX/2.eml'),
                 house.at('home/Holidays/two.eml'))
    case.expect(result.clean, result)
    result = run('sync', house.at('home/Holidays'), limit=STUCK)
    case.expect(os.strerror(errno.EDQUOT) in result.err, result)
    house.servers[1].behave()
    house.unmount()


@tap.test
def test_daemon_may_have_many_files_open_and_programs_are_as_before(case):
    house = House(case)
    told = case.path('told')
    for options in house.groups.values():
        del options['password_file']
        options['password_command'] = f'ulimit -Sn >> {told}; echo secret'
    house.write_groups()
    limits = []

    def said():
        with open(told) as file:
            return file.read().split()

    for words in ('--all', house.mountpoint), ('work', house.mountpoint):
        result = run('prlimit', '--nofile=300:2000', BINARY, *words,
                     limit=STUCK, env=house.environment())
        case.expect(result.clean, result)
        for pid in house.daemons():
            with open(f'/proc/{pid}/limits') as file:
                case.expect(re.search(r'open files +2000 +2000 ', file.read()),
                            words)
            # Which runs the command again.
            os.kill(pid, signal.SIGHUP)
        limits += ['300'] * 2 * len(house.groups if '--all' in words else [0])
        case.expect(wait_until(lambda: said() == limits, STUCK), said())
        house.unmount()


# ---- changes


@tap.test(limit=120)
def test_files_are_copied_and_moved_between_accounts(case):
    house = dovecot_house(case)
    result = house.mount()
    case.expect(result.clean, result)
    source, target = house.at('work/INBOX/1.eml'), house.at('home/INBOX')
    with open(source, 'rb') as file:
        body = file.read()
    # By one account, then from one to the other, where programs copy.
    os.mkdir(house.at('home/Filed'))
    os.rename(target + '/1.eml', house.at('home/Filed/mine.eml'))
    try:
        os.rename(source, target + '/theirs.eml')
        case.expect(False, 'renamed across accounts')
    except OSError as error:
        case.expect(error.errno == 18, error)
    try:
        os.link(source, target + '/theirs.eml')
        case.expect(False, 'linked across accounts')
    except OSError as error:
        case.expect(error.errno == 18, error)
    result = run('mv', source, target + '/theirs.eml')
    case.expect(result.clean, result)
    case.expect(not os.path.exists(source), 'it is still there')
    with open(target + '/theirs.eml', 'rb') as file:
        case.expect(file.read() == body, 'other bytes')
    result = run('cp', house.at('work/INBOX/2.eml'), target + '/copy.eml')
    case.expect(result.clean, result)
    # copy_file_range falls back to reading and writing.
    result = run('cp', '-r', house.at('home/Filed'), house.at('work/Copied'))
    case.expect(result.clean, result)
    case.expect(run('cmp', house.at('home/Filed/mine.eml'),
                    house.at('work/Copied/mine.eml')).clean, 'other bytes')
    result = house.imapfs('--wait', house.mountpoint)
    case.expect(result.clean, result)
    house.unmount()
    result = house.mount()
    case.expect(result.clean, result)
    case.expect({'theirs.eml', 'copy.eml'} <= set(house.names('home/INBOX')),
                house.names('home/INBOX'))
    case.expect('mine.eml' in house.names('work/Copied'))
    house.unmount()


@tap.test(limit=120)
def test_end_sends_what_was_changed_in_each(case):
    house = dovecot_house(case)
    house.start()
    for name in NAMES:
        with open(house.at(name, 'INBOX/new.eml'), 'wb') as file:
            file.write(message(body='in ' + name))
        os.unlink(house.at(name, 'INBOX/2.eml'))
    run('fusermount3', '-u', house.mountpoint, check=True)
    case.expect(house.ends() == 0, house.said())
    case.expect('left to the next mount' not in house.said(), house.said())
    # A mount of its own, which has nothing of what was kept, tells.
    for options in house.groups.values():
        options.update(cache_dir='none', state_dir='none')
    house.write_groups()
    house.start()
    for name in NAMES:
        bodies = [open(path, 'rb').read()
                  for path in glob.glob(house.at(name, 'INBOX/*.eml'))]
        case.expect(sum(b'in ' + name.encode() in body
                        for body in bodies) == 1, name)
        case.expect(not os.path.exists(house.at(name, 'INBOX/2.eml')), name)
    case.expect(house.ends(signal.SIGTERM) == 0)


@tap.test
def test_read_only_account_is_so_beside_another(case):
    house = dovecot_house(case)
    house.groups['work']['ro'] = 'yes'
    house.write_groups()
    result = house.mount()
    case.expect(result.clean, result)
    for name, refused in zip(NAMES, (True, False)):
        result = run('rm', '-f', house.at(name, 'INBOX/1.eml'))
        case.expect((result.status != 0) == refused, name, result)
        case.expect(not refused or 'Read-only' in result.err, result)
    house.unmount()


# ---- what comes from the servers


@tap.test
def test_changes_of_each_server_show_and_wake_who_watches(case):
    house = House(case, poll=1)
    result = house.mount()
    case.expect(result.clean, result)
    for name, server in zip(NAMES, house.servers):
        inbox = house.at(name, 'INBOX')
        house.names(name, 'INBOX')
        events = case.path('events-' + name)
        with open(events, 'wb') as out:
            watch = subprocess.Popen(
                ['inotifywait', '-m', '--format', '%e %f', inbox],
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT)
        case.defer(watch.wait)
        case.defer(watch.kill)

        def seen(text, path=events):
            with open(path) as file:
                return text in file.read()

        case.expect(wait_until(lambda: seen('Watches established'), STUCK))
        server.mailboxes[0].add(Message(77, make_message(77, 700)))
        case.expect(wait_until(lambda: seen('CREATE 77.eml'), STUCK),
                    f'{name}: nobody was woken', open(events).read())
        case.expect('77.eml' in house.names(name, 'INBOX'))
        server.mailboxes[0].remove(1)
        case.expect(wait_until(lambda: seen('DELETE 1.eml'), STUCK),
                    f'{name}: nobody was woken', open(events).read())
        case.expect('1.eml' not in house.names(name, 'INBOX'))
        watch.kill()
    house.unmount()


@tap.test
def test_what_is_cached_is_told_of_a_moved_message(case):
    """By its number in the kernel, which the account knows as another one."""
    house = dovecot_house(case)
    result = house.mount()
    case.expect(result.clean, result)
    os.mkdir(house.at('home/Filed'))
    path = house.at('home/Filed/x.eml')
    os.rename(house.at('home/INBOX/3.eml'), path)
    result = house.imapfs('--wait', house.mountpoint)
    case.expect(result.clean, result)
    house.names('home/INBOX')
    house.names('home/Filed')

    def is_missing():
        query = bytearray(250 * 8)
        struct.pack_into('Q', query, 0, os.stat(path).st_ino)
        with open(house.at('home/.imapfs/status'), 'rb') as file:
            fcntl.ioctl(file, 3 << 30 | len(query) << 16 | 0x696d, query)
        return struct.unpack_from('Q', query)[0] != 0

    case.expect(is_missing(), 'it is said to be there')
    case.expect(run('cat', path).clean)
    case.expect(wait_until(lambda: not is_missing(), STUCK), 'it is not kept')
    house.unmount()


# ---- one that fails


@tap.test
def test_account_that_fails_leaves_the_others(case):
    house = House(case)
    house.groups['work']['url'] = f'imaps://alice@localhost:{ports.reserve()}/'
    house.write_groups()
    result = house.mount()
    case.expect(result.status == 1 and result.err.count('\n') == 1 and
                result.err.startswith('imapfs: work: ') and
                'localhost port' in result.err, result)
    case.expect(house.names() == list(NAMES), house.names())
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    result = run('ls', house.at('work'))
    case.expect(result.status != 0, result)
    house.unmount()


@tap.test
def test_account_with_a_wrong_password_comes_back(case):
    house = House(case)
    wrong = house.write('wrong', 'other\n', 0o600)
    house.groups['work']['password_file'] = wrong
    house.write_groups()
    house.start()
    case.expect(wait_until(lambda: 'work: ' in house.said(), STUCK),
                house.said())
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    result = run('ls', house.at('work'))
    case.expect('Permission denied' in result.err, result)
    result = house.imapfs('--status', house.mountpoint)
    case.expect('home:\n' in result.out.decode(), result)
    house.write('wrong', 'secret\n', 0o600)
    house.process.send_signal(signal.SIGHUP)
    case.expect(wait_until(lambda: run('ls', house.at('work')).ok, STUCK),
                house.said())
    case.expect('INBOX' in house.names('work'))
    for account in ('work', 'home'):
        case.expect(wait_until(
            lambda a=account: f'\nimapfs: {a}: Reloaded: logged in'
            in '\n' + house.said(), STUCK), account, house.said())
    case.expect(house.ends(signal.SIGTERM) == 0)


@tap.test
def test_account_without_a_password_has_a_directory_that_says_so(case):
    house = House(case)
    house.groups['work']['password_file'] = case.path('missing')
    house.write_groups()
    result = house.mount()
    case.expect(result.status == 1 and
                result.err.startswith('imapfs: work: '), result)
    reason = result.err.removeprefix('imapfs: work: ').strip()
    case.expect(house.names() == list(NAMES), house.names())
    for words in (['ls', house.at('work')], ['cat', house.at('work/INBOX/x')],
                  ['touch', house.at('work/new.eml')]):
        result = run(*words)
        case.expect('Permission denied' in result.err, result)
    served = {each['name']: each['served']
              for each in house.top_status()['accounts']}
    case.expect(served == {'work': False, 'home': True}, served)
    result = house.imapfs('--status', house.mountpoint)
    text = result.out.decode()
    case.expect(result.status == 1 and f'work:\n{reason}\n' in text and
                'home:\nimapfs ' in text, result, text)
    result = house.imapfs('--wait', house.mountpoint)
    case.expect(result.status == 1 and reason in result.err, result)
    house.unmount()


@tap.test
def test_all_that_fail_make_no_mount(case):
    house = House(case)
    for options in house.groups.values():
        options['url'] = f'imaps://alice@localhost:{ports.reserve()}/'
    house.write_groups()
    result = house.mount()
    case.expect(result.status == 1 and result.err.count('\n') == 2 and
                'imapfs: work: ' in result.err and
                'imapfs: home: ' in result.err, result)
    case.expect(not is_mounted(house.mountpoint), 'it is mounted')


@tap.test
def test_silent_server_does_not_keep_the_others(case):
    house = House(case)
    silent = socket.create_server(('127.0.0.1', 0))
    case.defer(silent.close)
    port = silent.getsockname()[1]
    house.groups['work'].update(url=f'imaps://alice@localhost:{port}/',
                                timeout=4 * tap.PATIENCE)
    house.write_groups()
    house.start()
    # Before the other has failed, and while somebody waits for it.
    waiting = subprocess.Popen(['ls', house.at('work')],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    case.defer(waiting.wait)
    case.defer(waiting.kill)
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    case.expect(run('cat', house.at('home/INBOX/1.eml')).clean)
    _, err = waiting.communicate(timeout=STUCK)
    case.expect(waiting.returncode != 0 and err, err)
    case.expect(wait_until(lambda: 'work: ' in house.said(), STUCK),
                house.said())
    case.expect(house.ends(signal.SIGTERM) == 0)


@tap.test
def test_who_waits_for_a_silent_server_gets_what_is_cached(case):
    """As soon as it is served without: its login takes as long as it likes."""
    house = House(case, offline_ok='yes')
    house.mount()
    house.names('work')
    house.unmount()
    go_on = threading.Event()
    case.defer(go_on.set)

    def silent(line, *_):
        go_on.wait(4 * STUCK)
        line.close()

    house.servers[0].hooks['greeting'] = silent
    house.groups['work']['timeout'] = 4 * STUCK
    house.write_groups()
    house.start()
    result = run('ls', house.at('work'), limit=STUCK)
    case.expect(result.clean and b'INBOX' in result.out, result)
    case.expect(house.ends(signal.SIGTERM) == 0, house.said())


@tap.test
def test_passwords_are_asked_for_one_after_the_other(case):
    house = House(case)
    for options in house.groups.values():
        del options['password_file']
    house.write_groups()
    terminal = Terminal(case, [BINARY, '--all', house.mountpoint],
                        environment=house.environment())
    for count in (1, 2):
        terminal.wait_for(
            lambda screen: screen.count('Password for alice at localhost:')
            == count, 'a question')
        terminal.press('secret', 'Enter')
    terminal.wait_for('after 0', 'the end')
    case.expect('secret' not in terminal.text(), terminal.text())
    case.expect('Holidays' in house.names('home') and
                'INBOX' in house.names('work'))
    house.unmount()


@tap.test
def test_mistakes_are_said(case):
    house = House(case)
    house.groups['work']['max_read'] = 65536
    house.write_groups()
    result = house.mount()
    case.expect(result.status == 1 and
                'work has the option max_read and home has not' in result.err,
                result)
    del house.groups['work']['max_read']
    house.write_groups()
    os.mkdir(house.at('there'))
    result = house.mount()
    case.expect(result.status == 1 and 'is not empty' in result.err, result)
    os.rmdir(house.at('there'))
    house.groups['work']['connections'] = 'many'
    house.write_groups()
    result = house.mount()
    case.expect(result.status == 1 and
                result.err.startswith('imapfs: work: '), result)
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    house.unmount()


# ---- the end, signals, the commands


@tap.test
def test_foreground_ends_by_a_signal(case):
    house = House(case)
    house.start()
    case.expect('INBOX' in house.names('work') and
                'INBOX' in house.names('home'))
    case.expect(house.ends(signal.SIGINT) == 0, house.said())
    case.expect(not is_mounted(house.mountpoint), 'it is mounted')


@tap.test
def test_end_does_not_wait_for_who_has_files_open(case):
    house = House(case)
    house.start()
    files = [os.open(house.at(name, 'INBOX/1.eml'), os.O_RDONLY)
             for name in NAMES]
    for file in files:
        case.defer(os.close, file)
    events = subprocess.Popen(['cat', house.at('work/.imapfs/events')],
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    case.defer(events.wait)
    case.defer(events.kill)
    case.expect(house.ends(signal.SIGTERM) == 0, house.said())
    case.expect(not is_mounted(house.mountpoint), 'it is mounted')
    # Whoever still has something open is told at once.
    case.expect(events.wait(STUCK) is not None)
    for file in files:
        try:
            os.getxattr(file, 'user.imap.uid')
            case.expect(False, 'somebody answers')
        except OSError as error:
            case.note(error)


@tap.test
def test_killed_daemon_leaves_no_mount(case):
    house = House(case)
    house.mount()
    case.expect('INBOX' in house.names('work'))
    for pid in house.daemons():
        os.kill(pid, signal.SIGKILL)
    case.expect(wait_until(lambda: not is_mounted(house.mountpoint), STUCK),
                'the mount is still there')
    case.expect(wait_until(
        lambda: not mounting.daemon_pids(house.mountpoint), STUCK),
        'processes are left')
    result = house.mount()
    case.expect(result.clean and 'INBOX' in house.names('work'), result)
    house.unmount()


@tap.test
def test_signals_and_the_service_manager_know_all_accounts(case):
    house = House(case)
    manager = Manager(case)
    house.start(environment={'NOTIFY_SOCKET': manager.address})
    case.expect(manager.wait(lambda m: m.said('READY') == ['1']),
                manager.messages)
    case.expect(manager.wait(lambda m: m.said('STATUS')[-1:] == [
        'work: Online: alice at localhost; home: Online: alice at localhost']),
        manager.messages)
    house.process.send_signal(signal.SIGUSR1)
    for name in NAMES:
        case.expect(wait_until(
            lambda: re.search(rf'^imapfs: {name}: Status: Online', house.said(),
                              re.MULTILINE), STUCK), house.said())
    house.process.send_signal(signal.SIGHUP)
    case.expect(manager.wait(lambda m: m.said('READY') == ['1', '1']),
                manager.messages)
    case.expect(manager.said('RELOADING') == ['1'], manager.messages)
    for name in NAMES:
        case.expect(f'{name}: Reloaded' in house.said(), house.said())
    case.expect(house.ends(signal.SIGTERM) == 0)
    case.expect(manager.said('STOPPING') == ['1'], manager.messages)


@tap.test(limit=120)
def test_commands_take_the_top_and_one_account(case):
    house = House(case)
    house.mount()
    for name in NAMES:
        house.names(name, 'INBOX')
    result = house.imapfs('--status', house.mountpoint)
    text = result.out.decode()
    case.expect(result.clean and
                re.search(rf'^work:\nimapfs \S+ at {house.at("work")}\n', text,
                          re.MULTILINE) and
                re.search(rf'^home:\nimapfs \S+ at {house.at("home")}\n', text,
                          re.MULTILINE), result, text)
    result = house.imapfs('--status', house.at('home'))
    case.expect(result.clean and b'work' not in result.out, result)
    case.expect(house.imapfs('--wait', house.mountpoint).clean)
    case.expect(house.imapfs('--wait', house.at('home')).clean)
    result = house.imapfs('--fetch', house.mountpoint, 'INBOX')
    case.expect(result.status == 1 and 'ACCOUNT/FOLDER' in result.err, result)
    result = house.imapfs('--fetch', house.mountpoint, 'home/Holidays')
    case.expect(result.clean and b'home:\n' in result.out and
                b'work:' not in result.out, result)
    result = house.imapfs('--fetch', house.mountpoint)
    case.expect(result.clean and b'work:\n' in result.out and
                b'home:\n' in result.out, result)
    # By its name, it is found in the mount.
    result = house.imapfs('--fetch', 'work')
    case.expect(result.clean and house.at('work') in result.out.decode(),
                result)
    for name in NAMES:
        state = house.status(name)
        case.expect(state['mountpoint'] == house.at(name), state)
        case.expect(state['pending']['changes'] == 0, state)
    house.unmount()


@tap.test
def test_events_and_errors_of_an_account_are_its_own(case):
    house = House(case, poll=1)
    house.mount()
    for name in NAMES:
        house.names(name, 'INBOX')
    events = {}
    for name in NAMES:
        events[name] = os.open(house.at(name, '.imapfs/events'),
                               os.O_RDONLY | os.O_NONBLOCK)
        case.defer(os.close, events[name])
    house.servers[0].mailboxes[0].add(Message(55, make_message(55, 700)))
    text = {name: b'' for name in NAMES}

    def read():
        for name, descriptor in events.items():
            with contextlib.suppress(BlockingIOError):
                text[name] += os.read(descriptor, 65536)
        return b'55.eml' in text['work']

    case.expect(wait_until(read, STUCK), text)
    case.expect(b'55.eml' not in text['home'], text)
    house.servers[0].stop()

    def errors(name):
        return house.status(name)['last_errors']

    run('cat', house.at('work/INBOX/55.eml'), limit=60 * tap.PATIENCE)
    case.expect(wait_until(lambda: errors('work'), STUCK), 'no error')
    case.expect(not errors('home'), errors('home'))
    case.expect(run('ls', house.at('home/INBOX')).clean)


@tap.test(limit=120)
def test_load_on_one_account_leaves_the_other_quick(case):
    """Look-ups of what is not known keep one busy, whose server is slow."""
    house = House(case)
    go_on = threading.Event()
    case.defer(go_on.set)

    def slow(line, command):
        go_on.wait(STUCK)
        return False

    house.mount()
    house.names('home', 'INBOX')
    house.names('work', 'INBOX')
    house.servers[0].hooks['UID FETCH'] = slow
    waiting = [subprocess.Popen(['cat', house.at(f'work/INBOX/{n}.eml')],
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
               for n in (1, 2, 3) * 20]
    for process in waiting:
        case.defer(process.wait)
        case.defer(process.kill)
    result = run('cat', house.at('home/INBOX/1.eml'))
    case.expect(result.clean, result)
    case.expect(all(process.poll() is None for process in waiting[:3]),
                'nothing has waited')
    go_on.set()
    for process in waiting:
        process.wait(STUCK)
    house.unmount()


# ---- interrupts


@tap.test
def test_interrupt_reaches_the_account(case):
    house = House(case)
    go_on = threading.Event()
    asked = threading.Event()
    case.defer(go_on.set)

    def slow(line, command):
        asked.set()
        go_on.wait(STUCK)
        return False

    house.mount()
    house.names('work', 'INBOX')
    house.servers[0].hooks['UID FETCH'] = slow
    process = subprocess.Popen(['cat', house.at('work/INBOX/1.eml')],
                               stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    case.defer(process.kill)
    case.expect(asked.wait(STUCK), 'nothing was asked')
    process.send_signal(signal.SIGINT)
    try:
        case.expect(process.wait(STUCK) == -signal.SIGINT, process.returncode)
    except subprocess.TimeoutExpired:
        case.expect(False, 'it cannot be interrupted')
    go_on.set()


if __name__ == '__main__':
    tap.main(jobs=3)
