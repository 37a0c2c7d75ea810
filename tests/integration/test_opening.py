#!/usr/bin/env python3
"""A mount of an account that another one is about to leave: it waits for that,
and nothing else does."""

import contextlib
import fcntl
import glob
import os
import re
import signal
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import is_waiting, run, wait_until
from house import NAMES, STUCK, House
from mount import BINARY, Mount, is_mounted
from place import Place

WAITING = 'which is ending; waiting for that'


class Holder:
    """Has an account's state directory, as a mount that is ending: for as long
    as it likes."""

    def __init__(self, case, directory):
        os.makedirs(directory, 0o700, exist_ok=True)
        os.chmod(directory, 0o700)
        self.fd = os.open(os.path.join(directory, 'lock'),
                          os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        case.defer(self.leave)
        fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(self.fd, 0)
        os.pwrite(self.fd, f'{os.getpid()} ending\n'.encode(), 0)

    def leave(self):
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None


def start_behind(case, place, *words):
    """Another mount of the place's account, which will have to wait; the
    process, and where it is to be."""
    first = place.mount
    mountpoint = case.path('second')
    os.mkdir(mountpoint)
    command = [first.command[0], *words,
               *(word for word in first.command[1:-1]
                 if word not in ('-d', '-f')), mountpoint]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=first.environment,
        start_new_session=True)
    os.set_blocking(process.stdout.fileno(), False)

    def end():
        if is_mounted(mountpoint):
            run('fusermount3', '-uz', mountpoint)
        for pid in {process.pid, *mounting.daemon_pids(mountpoint)}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    case.defer(end)
    return process, mountpoint


def heard(process):
    """What it has said, so far: once more each time."""
    said = bytearray()

    def more():
        said.extend(process.stdout.read() or b'')
        return said.decode()

    return more


def inodes(folder):
    return {entry.name: entry.inode() for entry in os.scandir(folder)}


@tap.test(limit=120)
def test_mount_waits_for_one_that_sends_its_changes(case):
    """And finds what that has kept: the same inode numbers, and no change that
    is made twice."""
    place = Place(case, timeout=60, messages=4)
    before = inodes(place.path('INBOX'))
    go_on, asked = threading.Event(), threading.Event()
    case.defer(go_on.set)

    def slow(*_):
        asked.set()
        go_on.wait(4 * STUCK)
        return False

    place.server.hooks['UID MOVE'] = slow
    case.expect(place.sh('mv INBOX/2.eml Other').clean)
    run('fusermount3', '-u', place.mount.mountpoint, check=True)
    case.expect(asked.wait(STUCK), 'nothing is sent at the end')
    process, mountpoint = start_behind(case, place)
    said = heard(process)
    case.expect(wait_until(lambda: WAITING in said(), STUCK), said())
    case.expect(not is_mounted(mountpoint) and process.poll() is None, said())
    go_on.set()
    case.expect(process.wait(STUCK) == 0, said())
    case.expect('keeps nothing' not in said(), said())
    after = inodes(mountpoint + '/INBOX')
    case.expect(set(before) - set(after) == {'2.eml'}, after)
    case.expect(all(before[name] == after[name] for name in after), after)
    # Whichever of them has it done, where the machine is slow.
    place.expect_soon(lambda: place.uids() == [1, 3, 4] and
                      len(place.uids('Other')) == 1, place.uids('Other'))
    place.mount.wait_ended()
    run('fusermount3', '-u', mountpoint, check=True)
    case.expect(wait_until(
        lambda: not mounting.daemon_pids(mountpoint), STUCK), 'it goes on')


@tap.test
def test_second_mount_at_the_same_place_says_that_alone(case):
    """And not that it would keep nothing."""
    first = Place(case).mount
    again = run(*(word for word in first.command if word not in ('-d', '-f')),
                env=first.environment, limit=STUCK)
    case.expect(again.status == 1 and again.err ==
                f'imapfs: cannot mount at {first.mountpoint}: a mailbox is '
                'mounted there already; unmount it first with fusermount3 '
                '-u\n', again)


@tap.test
def test_interrupt_ends_who_waits_and_says_for_whom(case):
    """At once, at the terminal, and so that the shell sees it."""
    place = Place(case)
    place.mount.unmount()
    (state,) = glob.glob(place.mount.data + '/state/imapfs/*')
    Holder(case, state)
    for words in ((), ('-f',)):
        process, mountpoint = start_behind(case, place, *words)
        said = heard(process)
        case.expect(wait_until(lambda: WAITING in said(), STUCK), said())
        os.killpg(process.pid, signal.SIGINT)
        try:
            case.expect(process.wait(STUCK) == -signal.SIGINT, words, said())
        except subprocess.TimeoutExpired:
            case.expect(False, 'it goes on', words, said())
        case.expect(re.search(
            'imapfs: interrupted before it was mounted; '
            rf'{re.escape(state)} is in use by process {os.getpid()}, '
            'which is ending\n', said()), said())
        case.expect(wait_until(
            lambda: not mounting.daemon_pids(mountpoint), STUCK),
            'processes are left')
        case.expect(not is_mounted(mountpoint), 'it is mounted')
        os.rmdir(mountpoint)


def house_with_one_held(case):
    """Its first account, work, cannot be opened yet."""
    house = House(case)
    state = case.path('state')
    house.groups['work']['state_dir'] = state
    house.write_groups()
    holder = Holder(case, os.path.join(
        state, f'alice@localhost_{house.server.port}'))
    return house, holder


@tap.test(limit=120)
def test_account_that_waits_leaves_the_others_served(case):
    house, holder = house_with_one_held(case)
    house.start()
    case.expect(house.names() == list(NAMES), house.names())
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    # What is known of it is told, and the rest waits.
    case.expect(run('ls', '-ld', house.at('work')).clean)
    case.expect(run('stat', house.at('work')).clean)
    case.expect(not house.top_status()['accounts'][0]['served'], 'it waited')
    case.expect(wait_until(lambda: WAITING in house.said(), STUCK),
                house.said())
    case.expect(f'imapfs: work: {case.path("state")}' in house.said(),
                house.said())
    served = {each['name']: (each['served'], each.get('error', ''))
              for each in house.top_status()['accounts']}
    case.expect(served['home'] == (True, '') and not served['work'][0] and
                f'process {os.getpid()}, which is ending' in served['work'][1],
                served)
    waiting = [subprocess.Popen(
        ['ls', house.at('work')], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)]
    for process in waiting:
        case.defer(process.wait)
        case.defer(process.kill)
    # Each can be interrupted.
    case.expect(wait_until(lambda: all(
        is_waiting(process.pid) for process in waiting), STUCK),
        'they do not wait')
    waiting[0].send_signal(signal.SIGINT)
    case.expect(waiting[0].wait(STUCK) == -signal.SIGINT)
    case.expect(run('cat', house.at('home/INBOX/1.eml')).clean)
    holder.leave()
    out, err = waiting[1].communicate(timeout=STUCK)
    case.expect(waiting[1].returncode == 0 and 'INBOX' in out, out, err)
    case.expect('keeps nothing' not in house.said(), house.said())
    case.expect(house.top_status()['accounts'][0]['served'], 'not served')
    # It hears of what others do, and its numbers are in its own state.
    case.expect(os.path.exists(glob.glob(case.path('state/*/state.db'))[0]))
    case.expect(house.ends(signal.SIGTERM) == 0, house.said())


LOOKS = '''
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: print('signal', flush=True))
os.stat(sys.argv[1])
'''


@tap.test(limit=120)
def test_signal_that_a_program_goes_on_after_is_no_error_while_it_waits(case):
    """As with any other wait: and one that is to end it still does."""
    house, holder = house_with_one_held(case)
    house.start()
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    waiting = [subprocess.Popen(
        [sys.executable, '-c', LOOKS, house.at(f'work/{name}')],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True) for name in ('other', 'INBOX')]
    for process in waiting:
        case.defer(process.wait)
        case.defer(process.kill)
    case.expect(wait_until(lambda: all(
        is_waiting(process.pid) for process in waiting), STUCK),
        'they do not wait')
    for process in waiting:
        process.send_signal(signal.SIGUSR1)
    # By then the kernel has told of it.
    case.expect(run('cat', house.at('home/INBOX/1.eml')).clean)
    case.expect(all(is_waiting(process.pid) for process in waiting),
                [process.poll() for process in waiting])
    waiting[0].kill()
    case.expect(waiting[0].wait(STUCK) == -signal.SIGKILL)
    holder.leave()
    out, err = waiting[1].communicate(timeout=STUCK)
    case.expect(waiting[1].returncode == 0 and out == 'signal\n', out, err)
    case.expect(house.ends(signal.SIGTERM) == 0, house.said())


@tap.test(limit=120)
def test_end_does_not_wait_for_an_account_that_waits(case):
    house, _ = house_with_one_held(case)
    house.start()
    case.expect('Holidays' in house.names('home'), 'the other is not there')
    process = subprocess.Popen(
        ['ls', house.at('work')], stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    case.defer(process.wait)
    case.defer(process.kill)
    case.expect(wait_until(lambda: is_waiting(process.pid), STUCK),
                'it does not wait')
    case.expect(house.ends(signal.SIGTERM) == 0, house.said())
    case.expect(not is_mounted(house.mountpoint), 'it is mounted')
    _, err = process.communicate(timeout=STUCK)
    case.expect(process.returncode != 0 and
                'Transport endpoint' not in err, err)


@tap.test
def test_interrupt_ends_all_that_wait(case):
    house, _ = house_with_one_held(case)
    del house.groups['home']
    house.write_groups()
    process = subprocess.Popen(
        [BINARY, '--all', house.mountpoint], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True, env={**os.environ, **house.environment()})
    os.set_blocking(process.stdout.fileno(), False)
    case.defer(process.wait)
    case.defer(process.kill)
    said = heard(process)
    case.expect(wait_until(lambda: WAITING in said(), STUCK), said())
    os.killpg(process.pid, signal.SIGINT)
    case.expect(process.wait(STUCK) == -signal.SIGINT, said())
    case.expect('imapfs: interrupted before it was mounted; work: ' in said(),
                said())
    case.expect(not is_mounted(house.mountpoint), 'it is mounted')


if __name__ == '__main__':
    tap.main(jobs=3)
