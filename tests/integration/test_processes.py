#!/usr/bin/env python3
"""The processes of a mount: none outlives it, none is missed if it is killed,
and a daemon that is killed leaves no dead mount behind."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import mount as mounting
import tap
from command import is_waiting, run, wait_until
from namespace import enter_own_namespace
from scene import Scene

GUARD, ANNOUNCER = 'imapfs-guard', 'imapfs-announce'
SOON = 20 * tap.PATIENCE  # seconds, on a machine that does more beside it
PROBE = os.environ.get('IMAPFS_HELPER_PROBE', os.path.join(
    HERE, '../../build/tests/integration/helper-probe'))
SUPERVISOR_PROBE = os.environ.get('IMAPFS_SUPERVISOR_PROBE', os.path.join(
    HERE, '../../build/tests/integration/supervisor-probe'))
NOBODY = ('setpriv', '--reuid=65534', '--regid=65534', '--clear-groups')


def state_of(pid):
    """Name and state of a process; (None, None) when it is gone."""
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/stat', errors='replace') as file:
            text = file.read()
        name = text[text.index('(') + 1:text.rindex(')')]
        return name, text[text.rindex(')') + 2]
    return None, None


def processes(mount):
    """Name -> process id of all that belongs to a mount and lives."""
    found = {}
    for pid in mounting.daemon_pids(mount.mountpoint):
        name, state = state_of(pid)
        if name is not None and state not in 'ZX':
            found[name] = pid
    return found


def helpers(case, mount, options=(GUARD, ANNOUNCER)):
    found = {name: pid for name, pid in processes(mount).items()
             if name in (GUARD, ANNOUNCER)}
    case.expect(sorted(found) == sorted(options), 'helpers:', found)
    return found


def is_gone(pid):
    return state_of(pid)[1] in (None, 'Z', 'X')


def nothing_is_left(case, mount, pids=()):
    case.expect(wait_until(lambda: not processes(mount) and
                           all(is_gone(pid) for pid in pids),
                           SOON),
                'still there:', processes(mount),
                [(pid, state_of(pid)) for pid in pids])
    case.expect(not mounting.is_mounted(mount.mountpoint), 'a dead mount')


def killed(case, mount, pids):
    """After kill -9 of the daemon; it is a child of this test at most."""
    begin = time.monotonic()
    os.kill(mount.pid, signal.SIGKILL)
    gone = wait_until(lambda: not mounting.is_mounted(mount.mountpoint), SOON)
    case.expect(gone, f'a dead mount after {SOON} s')
    case.note(f'unmounted after {time.monotonic() - begin:.2f} s')
    mount.process.wait(SOON)
    nothing_is_left(case, mount, pids)
    # That is what was asked for, and no crash.
    mount.process.returncode = 0


def start(case, mailboxes=None, *, options=None, **named):
    scene = Scene(case, mailboxes, timeout=10,
                  options={'poll': 1, **(options or {})})
    return scene, scene.start(**named)


# ---- the daemon's death

for background in (False, True):
    @tap.test(name='killed_daemon_leaves_nothing'
              + ('_in_the_background' if background else ''),
              arguments=(background,))
    def killed_daemon(case, background):
        scene, mount = start(case, background=background)
        pids = helpers(case, mount).values()
        assert scene.listing() and scene.cat(1)
        killed(case, mount, pids)


def reader(path):
    return subprocess.Popen(['cat', path], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, start_new_session=True)


@tap.test
def test_killed_daemon_frees_those_who_wait_for_the_server(case):
    """One in the middle of a message, one that opens, one that looks up, one
    that lists."""
    big = mailstore.Message(7, mailstore.make_message(7, 20_000_000))
    inbox = mailstore.simple_mailbox()
    inbox.add(big)
    scene, mount = start(case, [inbox, mailstore.simple_mailbox('Other', 3)])
    pids = helpers(case, mount).values()
    assert scene.listing()
    # Nothing is fetched ahead.
    scene.server.hooks['UID FETCH'] = lambda line, command: (
        line.send(line.default(command)) if command.text.startswith('7 ')
        else line.hang())
    with open(scene.file(7), 'rb') as file:
        case.expect(file.read(100_000) == big.body[:100_000])
        scene.server.hooks['*'] = lambda line, *_: line.hang()
        waiting = [reader(scene.file(2)), reader(scene.file(99, 'Other')),
                   subprocess.Popen(
                       ['sh', '-c', 'tail -c 100 "$0"', scene.file(7)],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                       start_new_session=True)]
        for process in waiting:
            case.defer(process.kill)
        case.expect(wait_until(
            lambda: all(state_of(p.pid)[1] in ('S', 'D') for p in waiting),
            SOON))
        killed(case, mount, pids)
        for process in waiting:
            _, err = process.communicate(timeout=SOON)
            case.expect(process.returncode != 0 and err, process.args,
                        process.returncode, err)
        with case_expects_error(case):
            os.pread(file.fileno(), 1000, 15_000_000)


@contextlib.contextmanager
def case_expects_error(case):
    try:
        yield
    except OSError as error:
        case.note('as it should be:', error)
        return
    case.expect(False, 'no error')


def catch_notifier(case, scene, as_user=()):
    """A look-up that waits for the server holds the directory; the daemon's
    notifier waits for that in the kernel, where it cannot be killed, and keeps
    the connection open: nothing of it ends by itself. Returns who looks up."""
    asked, go_on = threading.Event(), threading.Event()

    # The search tells that message 1 is gone; what is new is never listed.
    def search(line, command):
        asked.set()
        go_on.wait(2 * SOON)
        line.send(line.default(command))
        line.server.hooks['UID FETCH'] = lambda line, *_: line.hang()

    scene.inbox.messages.remove(scene.inbox.get(1))
    scene.inbox.messages.append(
        mailstore.Message(9, mailstore.make_message(9)))
    scene.server.hooks['UID SEARCH'] = search
    case.expect(asked.wait(SOON), 'the server was not asked')
    lookers = []

    def one_waits():
        lookers.append(subprocess.Popen(
            [*as_user, 'stat', scene.file(50)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL))
        wait_until(lambda: lookers[-1].poll() is not None or
                   is_waiting(lookers[-1].pid), SOON)
        # Not just for something that is answered.
        with contextlib.suppress(subprocess.TimeoutExpired):
            lookers[-1].wait(0.3)
        return is_waiting(lookers[-1].pid)

    case.expect(wait_until(one_waits, SOON), 'nobody waits')
    go_on.set()
    daemon = scene.mount.pid
    case.expect(wait_until(lambda: any(
        state_of(task) == ('imapfs-notifier', 'D')
        for task in os.listdir(f'/proc/{daemon}/task')), SOON),
        'no notification waits in the kernel')
    return lookers


@tap.test
def test_killed_daemon_is_cleaned_up_while_its_notifier_is_caught(case):
    scene, mount = start(case)
    pids = helpers(case, mount).values()
    assert scene.listing() and scene.cat(1)
    lookers = catch_notifier(case, scene)
    killed(case, mount, pids)
    for looker in lookers:
        case.expect(looker.wait(SOON) != 0, 'a message that is not there is')


@tap.test
def test_killed_daemon_of_a_detached_mount_frees_those_who_wait(case):
    """The mount is in no list any more, and in use; nobody could find out what
    to abort."""
    enter_own_namespace(case)
    scene, mount = start(case)
    pids = helpers(case, mount).values()
    assert scene.listing() and scene.cat(1)
    lookers = catch_notifier(case, scene)
    run('fusermount3', '-uz', mount.mountpoint, check=True)
    case.expect(lookers[-1].poll() is None, 'nothing is tested')
    os.kill(mount.process.pid, signal.SIGKILL)
    for looker in lookers:
        case.expect(looker.wait(SOON) != 0,
                    'a message that is not there is')
    mount.process.wait(SOON)
    mount.process.returncode = 0
    nothing_is_left(case, mount, pids)


@tap.test
def test_stuck_helper_is_waited_for_a_second(case):
    """It asks a daemon that has taken its question and then is stopped: nothing
    ends that but the answer."""
    asked = threading.Event()
    scene, mount = start(case, [mailstore.simple_mailbox(),
                                mailstore.simple_mailbox('Other')])
    scene.server.hooks['EXAMINE'] = lambda line, *_: asked.set() or line.hang()
    daemon = mount.pid
    probe = subprocess.Popen([PROBE, mount.path('Other', '1.eml')],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    case.defer(probe.kill)
    case.expect(asked.wait(SOON), 'the server was not asked')
    os.kill(daemon, signal.SIGSTOP)
    case.defer(os.kill, daemon, signal.SIGCONT)
    out, _ = probe.communicate(b'\n', timeout=2 * SOON)
    words, milliseconds = out.split()
    case.expect(probe.returncode == 0 and
                900 < int(milliseconds) < 1000 + 1000 * SOON, out)
    os.kill(daemon, signal.SIGCONT)


@tap.test
def test_mount_over_another_is_left_alone(case):
    """What is mounted on top of ours is somebody else's."""
    if os.geteuid() != 0:
        raise tap.Skip('only root can mount')
    scene, mount = start(case)
    assert scene.listing()
    run('mount', '-t', 'tmpfs', 'none', mount.mountpoint, check=True)
    case.defer(run, 'umount', '-l', mount.mountpoint)
    run('touch', mount.path('theirs'), check=True)
    pids = helpers(case, mount)
    os.kill(mount.process.pid, signal.SIGKILL)
    mount.process.wait(SOON)
    mount.process.returncode = 0
    case.expect(wait_until(lambda: all(map(is_gone, pids.values())),
                           SOON))
    case.expect(os.path.exists(mount.path('theirs')), 'theirs is gone')
    run('umount', mount.mountpoint, check=True)
    run('umount', '-l', mount.mountpoint)


# ---- proper ends

def end_unmount(mount):
    run('fusermount3', '-u', mount.mountpoint, check=True)


def end_lazily(mount):
    run('fusermount3', '-uz', mount.mountpoint, check=True)


def end_terminate(mount):
    os.kill(mount.pid, signal.SIGTERM)


def end_interrupt(mount):
    """As a terminal does for Ctrl-C: the whole process group."""
    os.killpg(mount.process.pid, signal.SIGINT)


for how in (end_unmount, end_lazily, end_terminate, end_interrupt):
    for background in (False, True):
        if background and how is end_interrupt:
            continue
        @tap.test(name=how.__name__ + ('_in_the_background' if background
                                       else '') + '_leaves_no_process',
                  arguments=(how, background))
        def proper_end(case, how, background):
            scene, mount = start(case, background=background)
            pids = [*helpers(case, mount).values(), mount.pid]
            assert scene.listing()
            how(mount)
            mount.wait_ended()
            nothing_is_left(case, mount, pids)


@tap.test
def test_failed_login_leaves_no_process(case):
    scene = Scene(case, options={'poll': 1})
    scene.server.hooks['LOGIN'] = scene.server.hooks['AUTHENTICATE'] = (
        lambda line, command: line.send(
            f'{command.tag} NO [AUTHENTICATIONFAILED] no\r\n'.encode()))
    for background in (False, True):
        failure = mounting.mount_fails(case, scene.server.url(), scene.options,
                                       background=background)
        left = [line for line in run('ps', '-eo', 'args').out.decode()
                .splitlines() if scene.server.url() in line]
        case.expect(not left, failure.message, left)


# ---- the helpers' deaths

@tap.test
def test_mount_goes_on_without_its_helpers(case):
    scene, mount = start(case)
    for uid, name in enumerate((GUARD, ANNOUNCER), 50):
        pid = helpers(case, mount)[name] if name == GUARD else (
            processes(mount)[name])
        os.kill(pid, signal.SIGKILL)
        case.expect(wait_until(lambda p=pid: state_of(p) == (None, None),
                               SOON),
                    name, 'is not reaped')
        case.expect(scene.listing() and scene.cat(2))
        scene.inbox.messages.append(mailstore.Message(
            uid, mailstore.make_message(uid)))
        wanted = len(scene.inbox.present)
        case.expect(wait_until(lambda w=wanted: len(os.listdir(
            scene.path('INBOX'))) == w, SOON), 'what is new does not show')
    case.expect(list(processes(mount)) == ['imapfs'], processes(mount))
    mount.terminate()


@tap.test
def test_asking_the_helpers_to_end_is_asking_the_daemon(case):
    """killall, or a service manager, means them all; they end with it."""
    scene, mount = start(case)
    pids = helpers(case, mount)
    os.kill(pids[GUARD], signal.SIGUSR1)  # that is how it is told of a death
    for pid in pids.values():
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGINT)
        os.kill(pid, signal.SIGHUP)
    case.expect(scene.listing() and scene.cat(2))
    case.expect(helpers(case, mount) == pids)
    mount.terminate()
    nothing_is_left(case, mount, pids.values())


def start_as_nobody(case, **named):
    """A mount by an ordinary user, with fusermount3."""
    enter_own_namespace(case)
    program = case.path('as-nobody')
    data, mountpoint = case.path('data'), case.path('mnt')
    with open(os.open(program, os.O_WRONLY | os.O_CREAT, 0o755), 'w') as file:
        file.write(f'#!/bin/sh\nexec {" ".join(NOBODY)} {mounting.BINARY} '
                   '"$@"\n')
    os.chmod(case.directory, 0o755)
    for path in (data, mountpoint):
        os.mkdir(path)
        os.chown(path, 65534, 65534)
    mounting.BINARY = program  # this test is a process of its own
    scene = Scene(case, timeout=10, options={
        'poll': 1, 'password_command': 'echo secret'}, **named)
    return scene, scene.start(password=None, data=data, mountpoint=mountpoint)


def as_nobody(*arguments, **named):
    return run(*NOBODY, *arguments, **named)


@tap.test
def test_killed_daemon_of_an_ordinary_user_leaves_nothing(case):
    scene, mount = start_as_nobody(case)
    pids = helpers(case, mount)
    case.expect(len(as_nobody('ls', scene.path('INBOX'), check=True)
                    .out.split()) == 5)
    killed(case, mount, pids.values())


@tap.test
def test_ordinary_user_s_mount_is_aborted_while_its_notifier_is_caught(case):
    """Unmounting alone would leave those who wait."""
    scene, mount = start_as_nobody(case)
    pids = helpers(case, mount).values()
    for command in (['ls', scene.path('INBOX')], ['cat', scene.file(1)]):
        as_nobody(*command, check=True)
    lookers = catch_notifier(case, scene, NOBODY)
    killed(case, mount, pids)
    for looker in lookers:
        case.expect(looker.wait(SOON) != 0, 'a message that is not there is')


@tap.test
def test_ordinary_user_hears_of_arrivals(case):
    scene, mount = start_as_nobody(case)
    as_nobody('ls', scene.path('INBOX'), check=True)
    with open(case.path('heard'), 'wb') as heard:
        watch = subprocess.Popen(
            [*NOBODY, 'inotifywait', '-m', '-q', '--format', '%e %f',
             scene.path('INBOX')], stdin=subprocess.DEVNULL, stdout=heard)
    case.defer(watch.wait)
    case.defer(watch.kill)

    def said():
        with open(case.path('heard')) as file:
            return file.read()

    numbers = iter(range(20, 1000))

    def arrives():
        """Until it watches: it does not tell."""
        scene.inbox.messages.append(mailstore.Message(
            uid := next(numbers), mailstore.make_message(uid)))
        return wait_until(lambda: f'CREATE {uid}.eml' in said(), 3)

    case.expect(wait_until(arrives, SOON), said())
    mount.terminate()


@tap.test
def test_read_only_mount_has_nobody_to_announce(case):
    scene, mount = start(case, options={'ro': None})
    helpers(case, mount, (GUARD,))
    name = os.path.basename(scene.file(1))
    for command in (f'touch {name}', 'mkdir New', f'rm -f {name}',
                    f'mv {name} 2.eml', 'echo x > new.eml', f'chmod 600 {name}',
                    f'ln {name} 9.eml'):
        result = run('sh', '-c', f'cd {scene.path("INBOX")} && {command}')
        case.expect(result.status != 0 and 'Read-only' in result.err, result)
    mount.unmount()
    nothing_is_left(case, mount)


@tap.test
def test_helpers_hold_nothing_of_the_daemons(case):
    scene, mount = start(case)
    assert scene.listing()
    for name, pid in helpers(case, mount).items():
        held = {}
        for fd in os.listdir(f'/proc/{pid}/fd'):
            with contextlib.suppress(OSError):
                held[fd] = os.readlink(f'/proc/{pid}/fd/{fd}')
        others = [target for target in held.values() if target != '/dev/null'
                  and target != 'anon_inode:[signalfd]'
                  and not re.fullmatch(r'/sys/fs/fuse/connections/\d+/abort',
                                       target)]
        case.expect(len(others) == 1 and others[0].startswith('socket:'),
                    name, held)
        case.expect(os.readlink(f'/proc/{pid}/cwd') == '/', name)


@tap.test
def test_dead_mount_is_replaced(case):
    """One that nobody supervised."""
    scene, mount = start(case)
    os.kill(helpers(case, mount)[GUARD], signal.SIGKILL)
    os.kill(mount.pid, signal.SIGKILL)
    mount.process.wait(SOON)
    mount.process.returncode = 0
    case.expect(mounting.is_mounted(mount.mountpoint), 'nothing is tested')
    again = mounting.Mount(case, scene.server.url(), scene.options,
                           mountpoint=mount.mountpoint, background=True)
    scene.mount = again
    case.expect(scene.listing() and scene.cat(1))
    again.unmount()


@tap.test
def test_mount_that_does_not_answer_is_replaced(case):
    """Nobody is left to abort it, and a thread of the daemon's is caught."""
    scene, mount = start(case)
    assert scene.listing() and scene.cat(1)
    lookers = catch_notifier(case, scene)
    for pid in [*helpers(case, mount).values(), mount.pid]:
        os.kill(pid, signal.SIGKILL)
    case.expect(wait_until(lambda: state_of(mount.process.pid)[1] == 'Z',
                           SOON))
    case.expect(mounting.is_mounted(mount.mountpoint) and
                lookers[-1].poll() is None, 'nothing is tested')
    # As new; an abort is still to come if this test fails.
    scene.server.behave()
    begin = time.monotonic()
    again = mounting.Mount(case, scene.server.url(), scene.options,
                           mountpoint=mount.mountpoint, background=True)
    case.note(f'mounted after {time.monotonic() - begin:.1f} s')
    for looker in lookers:
        case.expect(looker.wait(SOON) != 0, 'a message that is not there is')
    mount.process.wait(SOON)
    mount.process.returncode = 0
    scene.mount = again
    case.expect(scene.listing() and scene.cat(2))
    again.unmount()


@tap.test(arguments=(False,), name='killed_daemons_take_no_other_mount_along')
@tap.test(arguments=(True,),
          name='killed_daemons_take_no_other_mount_along_without_fusectl')
def killed_daemons(case, without):
    """Beside mounts that come and go, and get the numbers of theirs. Some of
    theirs are unmounted before their supervisors look."""
    enter_own_namespace(case)
    if without:
        run('umount', '/sys/fs/fuse/connections', check=True)
    directory = case.path('mounts')
    os.mkdir(directory)
    result = run(SUPERVISOR_PROBE, directory, '80', limit=60 * tap.PATIENCE)
    case.note(result.out.decode().strip())
    case.expect(result.status == 0, result.err)


ROUNDS = 40

for number in range(4):
    @tap.test(name=f'mounts_that_come_and_go_leave_others_alone_{number}',
              limit=360)
    def come_and_go(case):
        """The kernel gives the numbers of a mount that went to the next one,
        which belongs to another of these tests."""
        scene = Scene(case, timeout=5)
        for _ in range(ROUNDS):
            scene.start()
            # Which is served when the daemon and the kernel have agreed.
            os.stat(scene.mount.mountpoint)
            assert scene.mount.is_alive(), 'it was unmounted'
            scene.mount.unmount()


if __name__ == '__main__':
    tap.main()
