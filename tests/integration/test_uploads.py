#!/usr/bin/env python3
"""Uploads that go wrong: servers that refuse, lines that are cut at the worst
moment, a daemon that is killed. The error is right, the octets are kept, and
whatever happens the server has the message once in the end."""

import errno
import os
import random
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import stalls
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from scene import Scene
from storing import PATIENT, bodies, comes, lost, put, scene
from writing import Place, crlf, message, small_disk

# ---- refusals ----

REFUSALS = {
    'NO [TRYCREATE] no': errno.ENOENT,
    'NO [NONEXISTENT] no': errno.ENOENT,
    'NO [ALREADYEXISTS] no': errno.EEXIST,
    'NO [NOPERM] no': errno.EACCES,
    'NO [OVERQUOTA] no': errno.EDQUOT,
    'NO [TOOBIG] no': errno.EFBIG,
    'NO [INUSE] no': errno.EBUSY,
    'NO [LIMIT] no': errno.EBUSY,
    'NO [UNAVAILABLE] no': errno.EBUSY,
    'NO [READ-ONLY] no': errno.EROFS,
    'NO [CANNOT] no': errno.EINVAL,
    'NO no': errno.EIO,
    'BAD no': errno.EIO,
}


@tap.test
def test_refusal_is_the_errno_and_the_octets_are_kept(case):
    place = scene(case)
    for number, (answer, expected) in enumerate(REFUSALS.items()):
        place.server.hooks['APPEND'] = (
            lambda line, command, answer=answer:
            line.send(f'{command.tag} {answer}\r\n'.encode()))
        data = message(number)
        got = put(case, place, data, f'x{number}.eml')
        case.expect(got == expected, answer, 'is',
                    errno.errorcode.get(got, got))
        kept = place.path('.imapfs/lost+found', f'x{number}.eml')
        with open(kept, 'rb') as file:
            case.expect(file.read() == data, 'other octets are kept')
        case.expect(os.listdir(place.path('Other')) == [],
                    os.listdir(place.path('Other')))
    case.expect(bodies(place) == [], bodies(place))
    # What was lost can be stored all the same, and then is lost no more.
    place.server.hooks.clear()
    os.rename(place.path('.imapfs/lost+found/x3.eml'),
              place.path('Other/again.eml'))
    case.expect(bodies(place) == [crlf(message(3))], bodies(place))
    case.expect('x3.eml' not in lost(place), lost(place))


@tap.test
def test_lost_files_are_there_after_the_next_mount(case):
    place = scene(case)
    place.server.hooks['APPEND'] = lambda line, command: line.send(
        f'{command.tag} NO [OVERQUOTA] full\r\n'.encode())
    case.expect(put(case, place) == errno.EDQUOT, 'it was stored')
    data = place.mount.data
    place.mount.unmount()
    place.start(data=data)
    case.expect(lost(place) == {'x.eml'}, lost(place))
    case.expect(place.server.saw('APPEND*').__len__() == 1,
                'it was tried again')
    with open(place.path('.imapfs/lost+found/x.eml'), 'rb') as file:
        case.expect(file.read() == message(), 'other octets')


@tap.test
def test_too_large_is_known_before_it_is_sent(case):
    place = scene(case, CAPABILITIES + ' APPENDLIMIT=1000')
    place.server.append_limit = 1000
    case.expect(put(case, place, message(body='x' * 2000)) == errno.EFBIG,
                'it is not EFBIG')
    case.expect(not place.server.saw('APPEND*'), 'it was sent')


@tap.test
def test_full_disk_is_enospc_and_loses_nothing(case):
    place = scene(case, options={'state_dir': small_disk(case, '12m')})
    big = message(body='x' * 30 * 1024 * 1024)
    try:
        with open(place.path('Other/big.eml'), 'wb', buffering=0) as file:
            while big:
                big = big[file.write(big):]
        case.expect(False, 'it had room')
    except OSError as error:
        case.expect(error.errno == errno.ENOSPC, error)
    # What there is of it is of the size that it says, and no more.
    part = place.path('.imapfs/lost+found/big.eml')
    with open(part, 'rb') as file:
        data = file.read()
    case.expect(os.stat(part).st_size == len(data) < 12 * 1024 * 1024,
                os.stat(part).st_size, len(data))
    case.expect(data == message(body='x' * 30 * 1024 * 1024)[:len(data)],
                'other octets')
    os.unlink(part)
    case.expect(wait_until(lambda: put(case, place) == 0, PATIENT),
                'there is no room again')
    comes(case, place, message())


# ---- what may be done, and how much room there is ----


@tap.test
def test_rights_are_in_the_modes_and_refuse_at_once(case):
    place = Scene(case, [simple_mailbox(count=2), Mailbox('Other')],
                  timeout=20 * tap.PATIENCE, names='uid',
                  capabilities=CAPABILITIES + ' ACL')
    place.server.find('Other').rights = 'lr'
    place.server.find('INBOX').rights = 'lrsi'
    place.start()
    listed = threading.Event()
    # Until the answer is there, the modes show as if all were allowed.
    place.server.hooks['MYRIGHTS'] = lambda *_: listed.wait(PATIENT) and False
    os.makedirs(case.path('source'), exist_ok=True)

    def mode(*parts):
        return os.stat(place.path(*parts)).st_mode & 0o777

    for folder in ('INBOX', 'Other'):
        os.listdir(place.path(folder))
        mode(folder)
    os.stat(place.path('INBOX', '1.eml'))
    listed.set()
    case.expect(wait_until(lambda: mode('Other') == 0o500, PATIENT),
                oct(mode('Other')))
    case.expect(wait_until(lambda: mode('INBOX') == 0o700 and
                           mode('INBOX', '1.eml') == 0o400, PATIENT),
                oct(mode('INBOX')), oct(mode('INBOX', '1.eml')))
    for command in ('echo x > Other/x.eml', 'cp INBOX/1.eml Other/c.eml',
                    'echo x >> INBOX/1.eml'):
        result = run('sh', '-c', command, cwd=place.mount.mountpoint)
        case.expect('ermission denied' in result.err, result)
    case.expect(not place.server.saw('APPEND*') and
                not place.server.saw('UID COPY*'), 'it was sent')
    case.expect(put(case, place, folder='INBOX') == 0, 'it fails')


@tap.test
def test_df_shows_the_quota(case):
    place = Scene(case, [simple_mailbox(count=2), Mailbox('Other')],
                  timeout=20 * tap.PATIENCE,
                  capabilities=CAPABILITIES + ' QUOTA')
    place.server.quota = 10 * 1024 * 1024
    place.start()
    for path in (place.mount.mountpoint, place.path('Other')):
        found = os.statvfs(path)
        case.expect(found.f_blocks * found.f_frsize == 10 * 1024 * 1024, found)
        case.expect(0 < found.f_bavail < found.f_blocks, found)
    big = message(body='x' * 11 * 1024 * 1024)
    case.expect(put(case, place, big) == errno.EDQUOT, 'it is not EDQUOT')
    case.expect(lost(place) == {'x.eml'}, lost(place))


# ---- lines that are cut ----


def cut_before_answer(place, stores, times=1):
    """The server has, or has not, stored the message when the line goes."""
    left = [times]

    def hook(line, command):
        if left[0] == 0:
            return False
        left[0] -= 1
        if stores:
            line._append(command, list(command.arguments))
        line.close()
        return True

    place.server.hooks['APPEND'] = hook


def with_cut(case, stores, capabilities=CAPABILITIES, data=None):
    place = scene(case, capabilities)
    data = data or message()
    cut_before_answer(place, stores)
    got = put(case, place, data)
    case.expect(got in (0, errno.ENETDOWN, errno.ETIMEDOUT), 'errno', got)
    comes(case, place, data)
    # It is not tried again, nor found a second time.
    case.expect(wait_until(
        lambda: os.listdir(place.path('Other')) == ['x.eml'], PATIENT),
        os.listdir(place.path('Other')))

    # Until it is found, it shows as it was written.
    def is_stored():
        with open(place.path('Other/x.eml'), 'rb') as file:
            return file.read() == crlf(data)

    case.expect(wait_until(is_stored, PATIENT), 'other octets')
    comes(case, place, data)
    case.expect(lost(place) == set(), lost(place))


@tap.test
def test_cut_before_the_answer_stored(case):
    with_cut(case, True)


@tap.test
def test_cut_before_the_answer_not_stored(case):
    with_cut(case, False)


@tap.test
def test_cut_stored_without_message_id(case):
    with_cut(case, True, data=b'Subject: x\n\nbody\n')


@tap.test
def test_cut_not_stored_without_message_id(case):
    with_cut(case, False, data=b'Subject: x\n\nbody\n')


@tap.test
def test_without_uidplus(case):
    place = scene(case, CAPABILITIES.replace('UIDPLUS ', ''))
    for number in range(3):
        case.expect(put(case, place, message(number), f'n{number}.eml') == 0,
                    'it fails')
    case.expect(bodies(place) == [crlf(message(i)) for i in range(3)],
                bodies(place))
    case.expect(set(os.listdir(place.path('Other'))) ==
                {f'n{i}.eml' for i in range(3)},
                os.listdir(place.path('Other')))


@tap.test
def test_cut_in_the_literal(case):
    place = scene(case)
    data = message(body='x' * 60000)
    place.server.hooks['literal'] = lambda line, text, size: line.close()
    got = put(case, place, data)
    case.expect(got != 0, 'it succeeds')
    place.server.hooks.clear()
    comes(case, place, data)


@tap.test
def test_writing_again_makes_no_second_message(case):
    place = scene(case)
    cut_before_answer(place, True)
    got = put(case, place)
    case.expect(got != 0, 'it succeeds')
    case.expect(put(case, place) == 0, 'writing it again fails')
    comes(case, place, message())
    case.expect(os.listdir(place.path('Other')) == ['x.eml'],
                os.listdir(place.path('Other')))


@tap.test
def test_writing_something_else_replaces_what_was_pending(case):
    place = scene(case)
    cut_before_answer(place, True)
    case.expect(put(case, place) != 0, 'it succeeds')
    case.expect(put(case, place, message(body='newer')) == 0, 'it fails')
    case.expect(wait_until(lambda: bodies(place) ==
                           [crlf(message(body='newer'))], PATIENT),
                bodies(place))


@tap.test
def test_silent_server_ends_in_time_and_the_message_is_stored_once(case):
    place = scene(case, timeout=2)
    place.server.hooks['APPEND'] = lambda line, command: line.hang()
    clock = stalls.Clock()
    got = put(case, place)
    seconds = clock.seconds()
    case.expect(got in (errno.ETIMEDOUT, errno.ENETDOWN), 'errno', got)
    case.expect(seconds < place.deadline + 3, f'{seconds} s')
    place.server.hooks.clear()
    comes(case, place, message())


@tap.test
def test_unmounted_while_pending_goes_on_with_the_next_mount(case):
    for stores in (True, False):
        place = scene(case)
        cut_before_answer(place, stores, times=99 if not stores else 1)
        case.expect(put(case, place) != 0, 'it succeeds')
        if stores:
            place.server.hooks['UID SEARCH'] = (
                lambda line, command: line.close())
        data = place.mount.data
        place.mount.terminate()
        place.server.hooks.clear()
        place.start(data=data)
        comes(case, place, message())
        case.expect(wait_until(lambda: os.listdir(place.path('Other')) ==
                               ['x.eml'], PATIENT),
                    os.listdir(place.path('Other')))
        case.expect(lost(place) == set(), lost(place))


@tap.test
def test_written_over_and_unmounted_goes_on_with_the_next_mount(case):
    place = scene(case)
    case.expect(put(case, place) == 0, 'it cannot be stored')
    cut_before_answer(place, False, times=99)
    new = message(body='new')
    case.expect(put(case, place, new) != 0, 'it succeeds')
    data = place.mount.data
    place.mount.terminate()
    place.server.hooks.clear()
    place.start(data=data)
    case.expect(wait_until(lambda: bodies(place) == [crlf(new)], PATIENT),
                bodies(place))
    case.expect(lost(place) == set(), lost(place))


@tap.test
def test_writeback_without_the_server(case):
    place = scene(case, options={'writeback': None})
    os.listdir(place.path('Other'))
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    for number in range(4):
        case.expect(put(case, place, message(number), f'n{number}.eml') == 0,
                    'it fails')
    case.expect(set(os.listdir(place.path('Other'))) ==
                {f'n{i}.eml' for i in range(4)},
                os.listdir(place.path('Other')))
    place.server.hooks.clear()
    wanted = sorted(crlf(message(i)) for i in range(4))
    case.expect(wait_until(lambda: sorted(bodies(place)) == wanted,
                           2 * PATIENT), bodies(place))
    case.expect(set(os.listdir(place.path('Other'))) ==
                {f'n{i}.eml' for i in range(4)},
                os.listdir(place.path('Other')))


@tap.test
def test_copy_that_is_cut_is_made_once(case):
    for stores in (True, False):
        place = scene(case)
        os.listdir(place.path('INBOX'))
        left = [1]

        def hook(line, command):
            if not left:
                return False
            left.clear()
            if stores:
                line._copy(command)
            line.close()
            return True

        place.server.hooks['UID COPY'] = hook
        name = os.listdir(place.path('INBOX'))[0]
        uid = int(name.split('.')[-2])
        run('cp', place.path('INBOX', name), place.path('Other/c.eml'))
        body = place.inbox.get(uid).body
        case.expect(wait_until(lambda: bodies(place) == [body], PATIENT),
                    len(bodies(place)), 'copies')
        case.expect(wait_until(lambda: os.listdir(place.path('Other')) ==
                               ['c.eml'], PATIENT),
                    os.listdir(place.path('Other')))
        case.expect(not left, 'it was not asked for')
        case.expect(bodies(place) == [body], len(bodies(place)), 'copies')


# ---- the daemon killed ----

EDITS = r'''
import os, sys
folder = sys.argv[1]
for number in range(40):
    try:
        with open(f"{folder}/e{number}.eml", "ab") as file:
            file.write(b"more\n")
    except OSError:
        sys.exit(0)
    print(number, flush=True)
'''

WORKLOAD = r'''
import os, sys
folder = sys.argv[1]
for number in range(400):
    data = open(f"{sys.argv[2]}/{number}", "rb").read()
    try:
        with open(f"{folder}/k{number}.eml", "wb") as file:
            file.write(data)
    except OSError:
        sys.exit(0)
    print(number, flush=True)
'''


def kill_once(case, place, source, seconds, work=WORKLOAD):
    """Uploads until the daemon is killed; returns how many were said to be
    stored."""
    writer = subprocess.Popen(
        [sys.executable, '-c', work, place.path('Kept'), source],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        # The moment is what is being tried: there is nothing to wait for.
        try:
            writer.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        os.kill(place.mount.pid, signal.SIGKILL)
        out = writer.communicate(timeout=30 * tap.PATIENCE)[0]
    finally:
        writer.kill()
        writer.wait()
    wait_until(lambda: not place.mount.is_alive())
    if mounting.is_mounted(place.mount.mountpoint):
        run('fusermount3', '-uz', place.mount.mountpoint)
    return len(out.split())


@tap.test(limit=240)
def test_killed_daemon_loses_and_doubles_nothing(case):
    seed = int(os.environ.get('IMAPFS_KILL_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_KILL_SEED={seed}')
    chance = random.Random(seed)
    source = case.path('numbered')
    os.makedirs(source)
    for number in range(400):
        with open(f'{source}/{number}', 'wb') as file:
            file.write(message(number))
    for round_ in range(5):
        place = Place(case, mailboxes=['Kept'], background=True)
        said = kill_once(case, place, source, chance.uniform(0.05, 0.8))
        place.start(data=place.mount.data, background=True)
        place.names('Kept')

        def numbers():
            return sorted(int(one.body.split(b'<m')[1].split(b'@')[0])
                          for one in place.stored('Kept'))

        def is_whole():
            found = numbers()
            return found in (list(range(said)), list(range(said + 1)))

        case.expect(wait_until(is_whole, PATIENT), f'round {round_}: said '
                    f'{said}, the server has', numbers(), 'lost', place.lost())
        # The last one is there, and may not have been found yet.
        case.expect(wait_until(
            lambda: set(place.names('Kept')) ==
            {f'k{i}.eml' for i in numbers()}, PATIENT),
            f'round {round_}:', sorted(place.names('Kept')))
        place.mount.unmount()


@tap.test(limit=240)
def test_killed_daemon_edits_each_message_once(case):
    seed = int(os.environ.get('IMAPFS_KILL_SEED', random.getrandbits(32)))
    case.note(f'IMAPFS_KILL_SEED={seed}')
    chance = random.Random(seed)
    for round_ in range(4):
        place = Place(case, mailboxes=['Kept'], background=True)
        for number in range(40):
            with open(place.path(f'Kept/e{number}.eml'), 'wb') as file:
                file.write(message(number))
        said = kill_once(case, place, '', chance.uniform(0.05, 0.6), EDITS)
        place.start(data=place.mount.data, background=True)
        place.names('Kept')

        def is_right():
            found = {}
            for one in place.stored('Kept'):
                number = int(one.body.split(b'<m')[1].split(b'@')[0])
                found.setdefault(number, []).append(one.body)
            new = [crlf(message(i) + b'more\n') for i in range(40)]
            old = [crlf(message(i)) for i in range(40)]
            return sorted(found) == list(range(40)) and all(
                found[i] == [new[i]] if i < said else
                found[i] == [old[i]] if i > said else
                found[i] in ([old[i]], [new[i]]) for i in range(40))

        case.expect(wait_until(is_right, PATIENT), f'round {round_}: said '
                    f'{said}, the server has',
                    [one.body[-60:] for one in place.stored('Kept')])
        case.expect(wait_until(
            lambda: set(place.names('Kept')) ==
            {f'e{i}.eml' for i in range(40)}, PATIENT),
            f'round {round_}:', sorted(place.names('Kept')))
        place.mount.unmount(limit=30)


if __name__ == '__main__':
    tap.main(jobs=4)
