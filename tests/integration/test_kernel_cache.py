#!/usr/bin/env python3
"""What the kernel may answer by itself, and that it never does so with what has
changed on the server meanwhile."""

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import Stuck, run, wait_until
from scene import Scene

SOON = 20 * tap.PATIENCE


def start(case, mailboxes=None, **options):
    arguments = options.pop('arguments', ())
    names = options.pop('names', 'uid')
    scene = Scene(case, mailboxes, names=names,
                  timeout=options.pop('timeout', 10),
                  options={'poll': 1, **options})
    scene.start(arguments=arguments)
    return scene


def add(mailbox, uid):
    mailbox.messages.append(
        mailstore.Message(uid, mailstore.make_message(uid)))


def remove(mailbox, uid):
    mailbox.messages.remove(mailbox.get(uid))


def listed(path):
    return sorted(run('ls', path, check=True).out.decode().split())


def is_there(path):
    return run('stat', '-c', '%s', path).ok


def shows(case, condition, what):
    begin = time.monotonic()
    case.expect(wait_until(condition, SOON), 'never: ' + what)
    case.note(f'{what} after {time.monotonic() - begin:.2f} s')


@contextlib.contextmanager
def stopped(mount):
    """The daemon does nothing: the kernel is alone."""
    pid = mount.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@tap.test
def test_known_names_and_attributes_need_no_daemon(case):
    # The folder's own name is believed for the poll interval alone.
    scene = start(case, poll=60)
    run('ls', '-l', scene.path('INBOX'), check=True)
    with stopped(scene.mount):
        sizes = run('stat', '-c', '%s', *(scene.file(uid) for uid in (1, 5)),
                    check=True).out.split()
    case.expect(sizes == [str(scene.inbox.get(uid).size).encode()
                          for uid in (1, 5)], sizes)


@tap.test
def test_messages_outlive_the_poll_interval(case):
    """What is kept up is believed on, also when it was checked many times."""
    scene = start(case)
    run('ls', '-l', scene.path('INBOX'), check=True)
    checks = len(scene.server.commands)
    wait_until(lambda: len(scene.server.commands) > checks + 6, SOON)
    directory = os.open(scene.path('INBOX'), os.O_PATH)
    with stopped(scene.mount):
        # By a descriptor, for the folder's name has to be asked for again.
        run('stat', '-c', '%s', f'/proc/{os.getpid()}/fd/{directory}/3.eml',
            check=True)
    os.close(directory)


@tap.test
def test_unchanged_listing_is_read_once(case):
    scene = start(case, [mailstore.simple_mailbox(count=300, size=300)],
                  arguments=['-d'], poll=60)

    def reads():
        return scene.mount.messages().count('READDIRPLUS')

    first = listed(scene.path('INBOX'))
    before = reads()
    assert before > 0, 'this test counts what is not there'
    case.expect(listed(scene.path('INBOX')) == first)
    case.expect(reads() == before, f'{before} reads, then {reads()}')


# Opens it, reads a part of it, and then waits for a line before it goes on, or
# is killed.
SLOW_READER = """
import os, sys
with os.scandir(sys.argv[1]) as entries:
    next(entries)
    print('begun', flush=True)
    sys.stdin.readline()
    print(len(list(entries)), flush=True)
"""


@tap.test
def test_listing_is_kept_again_after_one_that_was_given_up(case):
    """The kernel cannot go on with a copy in the making of which it has lost a
    part: so nothing may take that from it."""
    count = 2000
    scene = start(case, [mailstore.simple_mailbox(count=count, size=300)],
                  arguments=['-d'])
    inbox = scene.path('INBOX')

    def reads():
        return scene.mount.messages().count('READDIR')

    def begin():
        reader = subprocess.Popen(
            [sys.executable, '-c', SLOW_READER, inbox], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        case.defer(reader.communicate)
        case.expect(reader.stdout.readline() == 'begun\n')
        return reader

    def changed(uid):
        add(scene.inbox, uid)
        shows(case, lambda: is_there(scene.file(uid)), 'the new message')

    def kept(what):
        def is_kept():
            before = reads()
            listed(inbox)
            return reads() == before
        shows(case, is_kept, 'a listing that the kernel has kept, ' + what)
    kept('at first')
    changed(count + 1)
    slow = begin()
    changed(count + 2)
    slow.kill()
    slow.wait()
    kept('after one that was killed')
    changed(count + 3)
    slow = begin()
    changed(count + 4)
    slow.stdin.write('\n')
    slow.stdin.flush()
    case.expect(int(slow.stdout.readline()) > count, 'not all of it')
    slow.wait()
    kept('after a slow one')


for naming in ('uid', 'subject'):
    @tap.test(name=f'changes_elsewhere_show_in_stat_ls_and_cat_{naming}',
              arguments=(naming,))
    def changes(case, names):
        scene = start(case, names=names)
        inbox = scene.path('INBOX')
        old = listed(inbox)
        gone = [scene.file(2), os.path.join(
            inbox, next(n for n in old if n.endswith(('.2.eml', '2.eml'))))]
        for path in gone:
            run('cat', path, check=True)
        changed = run('stat', '-c', '%Y', inbox, check=True).out
        wait_until(lambda: int(time.time()) > int(changed), 3)

        remove(scene.inbox, 2)
        add(scene.inbox, 9)
        for path in gone:
            shows(case, lambda p=path: not is_there(p), 'gone in stat')
            case.expect(not run('cat', path).ok, 'cat still finds', path)
        shows(case, lambda: is_there(scene.file(9)), 'new in stat')
        new = listed(inbox)
        case.expect(len(new) == len(old), new)
        case.expect(any(n.endswith('9.eml') for n in new) and
                    os.path.basename(gone[1]) not in new, new)
        case.expect(run('cat', scene.file(9), check=True).out ==
                    scene.inbox.get(9).body, 'wrong bytes')
        shows(case, lambda: run('stat', '-c', '%Y', inbox,
                                check=True).out != changed,
              'another time of the folder')


@tap.test
def test_listing_without_a_look_up_shows_changes(case):
    """ls asks for nothing but to open the directory."""
    scene = start(case)
    inbox = scene.path('INBOX')
    for uid in range(10, 13):
        before = listed(inbox)
        case.expect(listed(inbox) == before)
        add(scene.inbox, uid)
        remove(scene.inbox, uid - 9)
        shows(case, lambda b=before: listed(inbox) != b, 'another listing')
        wanted = sorted(f'{m.uid}.eml' for m in scene.inbox.present)
        shows(case, lambda w=wanted: listed(inbox) == w, 'the right one')


@tap.test
def test_open_directory_read_again_shows_changes(case):
    scene = start(case)
    script = """
import ctypes, os, sys
libc = ctypes.CDLL(None)
libc.opendir.restype = libc.readdir.restype = ctypes.c_void_p
handle = ctypes.c_void_p(libc.opendir(sys.argv[1].encode()))
for line in sys.stdin:
    libc.rewinddir(handle)
    names = []
    while entry := libc.readdir(handle):
        names.append(ctypes.string_at(entry + 19).decode())
    print(' '.join(sorted(names)), flush=True)
"""
    reader = subprocess.Popen(
        [sys.executable, '-c', script, scene.path('INBOX')], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    case.defer(reader.communicate)

    def read():
        reader.stdin.write('\n')
        reader.stdin.flush()
        return reader.stdout.readline().split()

    case.expect('2.eml' in read())
    for uid in (20, 21):
        add(scene.inbox, uid)
        shows(case, lambda u=uid: f'{u}.eml' in read(),
              'new in the open directory')
    remove(scene.inbox, 2)
    shows(case, lambda: '2.eml' not in read(), 'gone from the open directory')


@tap.test
def test_listing_a_folder_does_not_move_its_time(case):
    """tar looks before it reads and after, and complains of a change."""
    scene = start(case)
    begin = int(time.time())
    wait_until(lambda: int(time.time()) > begin + 1, 5)

    def times():
        return run('stat', '-c', '%Y %Z', scene.path('INBOX'), check=True).out

    before = times()
    wait_until(lambda: listed(scene.path('INBOX')) and
               len(scene.server.saw('UID SEARCH*')) > 1, SOON)
    case.expect(times() == before, before, times())


@tap.test
def test_folders_made_and_deleted_elsewhere_show(case):
    scene = start(case, [mailstore.simple_mailbox(),
                         mailstore.simple_mailbox('Old', 2)])
    top = scene.mount.mountpoint
    case.expect(listed(top) == ['INBOX', 'Old'])
    listed(scene.path('Old'))
    run('cat', scene.file(1, 'Old'), check=True)
    scene.server.mailboxes[1:] = [mailstore.simple_mailbox('New', 3)]
    shows(case, lambda: not is_there(scene.path('Old')), 'the folder is gone')
    shows(case, lambda: not is_there(scene.file(1, 'Old')), 'and its mail')
    case.expect(listed(top) == ['INBOX', 'New'], listed(top))
    case.expect(len(listed(scene.path('New'))) == 3)


def made_again(case, meanwhile):
    """With the UIDVALIDITY of the one before, as some servers do; perhaps
    between the list that lacks it, and the synchronisation that was to be."""
    def folder(seed, count):
        return mailstore.Mailbox('Again', [
            mailstore.Message(uid, mailstore.make_message(uid, 700, seed=seed))
            for uid in range(1, count + 1)])

    scene = start(case, [mailstore.simple_mailbox(), folder(1, 4)])
    top = scene.mount.mountpoint
    case.expect(len(listed(scene.path('Again'))) == 4)
    run('cat', scene.file(2, 'Again'), check=True)
    other = folder(2, 2)
    asked = threading.Event()

    def examine(line, command):
        if meanwhile and scene.server.saw('LIST*', mark) and not asked.is_set():
            scene.server.mailboxes.append(other)
            asked.set()
        return False

    scene.server.hooks['EXAMINE'] = examine
    mark = scene.server.mark()
    del scene.server.mailboxes[1:]
    scene.server.drop_connections()
    shows(case, lambda: listed(top) == ['INBOX'], 'the folder is gone')
    if meanwhile:
        case.expect(asked.wait(SOON), 'nothing is tested')
    else:
        scene.server.mailboxes.append(other)
    shows(case, lambda: listed(top) == ['Again', 'INBOX'], 'there is another')
    shows(case, lambda: run('cat', scene.file(2, 'Again')).out ==
          other.get(2).body, 'its own message')


for one in (False, True):
    tap.test(name='folder_made_again_shows_its_own_mail'
             + ('_when_it_was_being_asked_for' if one else ''),
             arguments=(one,))(made_again)


@tap.test
def test_replaced_mailbox_shows_its_new_mail(case):
    scene = start(case)
    run('cat', scene.file(3), check=True)
    listed(scene.path('INBOX'))
    other = mailstore.Mailbox('INBOX', [
        mailstore.Message(uid, mailstore.make_message(uid, 700, seed=2))
        for uid in (3, 4)], uidvalidity=1700000001)
    scene.server.mailboxes[0] = other
    scene.server.drop_connections()
    shows(case, lambda: run('cat', scene.file(3)).out == other.get(3).body,
          'the other message')
    case.expect(listed(scene.path('INBOX')) == ['3.eml', '4.eml'])
    size = run('stat', '-c', '%s', scene.file(4), check=True).out
    case.expect(int(size) == 700, size)


@tap.test
def test_folder_made_again_with_the_same_uidvalidity_shows_its_new_mail(case):
    """Not all servers give another one (mailutils, WildDuck)."""
    scene = start(case, [mailstore.simple_mailbox(),
                         mailstore.simple_mailbox('Work', 2)])
    listed(scene.path('Work'))
    run('cat', scene.file(1, 'Work'), check=True)
    size = scene.server.find('Work').get(1).size
    del scene.server.mailboxes[1]
    shows(case, lambda: not is_there(scene.path('Work')), 'the folder is gone')
    other = mailstore.Mailbox('Work', [
        mailstore.Message(1, mailstore.make_message(1, size, seed=2))])
    scene.server.mailboxes.append(other)
    scene.server.drop_connections()
    shows(case, lambda: is_there(scene.file(1, 'Work')), 'it is back')
    found = []
    shows(case, lambda: found.append(run('cat', scene.file(1, 'Work')).out) or
          found[-1], 'and can be read')
    case.expect(found[-1] == other.get(1).body, 'the old message')


@tap.test
def test_many_changes_at_once_show(case):
    scene = start(case, [mailstore.Mailbox('INBOX', [
        mailstore.Message(uid, mailstore.make_message(uid, 300))
        for uid in range(1, 3001)])])
    inbox = scene.path('INBOX')
    case.expect(len(listed(inbox)) == 3000)
    run('ls', '-l', inbox, check=True)
    scene.inbox.messages[:] = scene.inbox.messages[2900:]
    for uid in range(4000, 4010):
        add(scene.inbox, uid)
    shows(case, lambda: not is_there(scene.file(1)), 'the first is gone')
    shows(case, lambda: not is_there(scene.file(2900)), 'and the last')
    case.expect(len(listed(inbox)) == 110, len(listed(inbox)))


@tap.test
def test_dead_line_leaves_what_was_known(case):
    scene = start(case)
    before = listed(scene.path('INBOX'))
    scene.server.hooks['*'] = lambda line, *_: line.close()
    scene.server.drop_connections()
    mark = scene.server.mark()
    wait_until(lambda: len(scene.server.since(mark)[0]) > 1, SOON)
    case.expect(is_there(scene.file(1)), 'what was known is gone')
    scene.server.behave()
    remove(scene.inbox, 1)
    shows(case, lambda: not is_there(scene.file(1)), 'the line is back: gone')
    case.expect(listed(scene.path('INBOX')) == before[1:])


def notifier_waits(pid):
    for task in os.listdir(f'/proc/{pid}/task'):
        with open(f'/proc/{pid}/task/{task}/stat') as file:
            _, name, state = re.split(r'[()]', file.read())
        if name == 'imapfs-notifier':
            return state.split()[0] == 'D'
    return False


@tap.test
def test_dead_line_is_said_once(case):
    """However often what is in use is asked for."""
    scene = start(case)
    listed(scene.path('INBOX'))
    attempts = []
    scene.server.hooks['greeting'] = lambda line: attempts.append(
        time.monotonic()) or line.close()
    scene.server.drop_connections()
    case.expect(wait_until(lambda: attempts and
                           attempts[-1] - attempts[0] > 4, SOON))
    said = scene.mount.messages().splitlines()
    for words in ('cannot be listed', 'showing what was known'):
        lines = [line for line in said if words in line]
        # Of the list of mailboxes, and of the mailbox.
        case.expect(0 < len(lines) <= 2, lines)


def operations(mount):
    """How many requests wait for something."""
    status = run('cat', mount.path('.imapfs/status'), check=True)
    return json.loads(status.out)['pending']['operations']


@tap.test
def test_termination_ends_while_notifications_wait(case):
    """A look-up that the server leaves without an answer holds the directory,
    a notification waits for it, and SIGTERM comes."""
    scene = start(case, timeout=60 * tap.PATIENCE)
    listed(scene.path('INBOX'))
    run('cat', scene.file(1), check=True)
    asked, go_on = threading.Event(), threading.Event()

    # The search tells that message 1 is gone; what is new is never listed.
    def search(line, command):
        asked.set()
        go_on.wait(60 * tap.PATIENCE)
        line.send(line.default(command))
        line.server.hooks['UID FETCH'] = lambda line, *_: line.hang()

    remove(scene.inbox, 1)
    add(scene.inbox, 9)
    scene.server.hooks['UID SEARCH'] = search
    case.expect(asked.wait(SOON), 'the server was not asked')
    lookers = []

    def one_waits():
        looker = subprocess.Popen(
            ['stat', scene.file(50)], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        lookers.append(looker)
        wait_until(lambda: looker.poll() is not None or
                   operations(scene.mount) > 0, SOON)
        return looker.poll() is None

    case.expect(wait_until(one_waits, SOON), 'nobody waits')
    go_on.set()
    case.expect(wait_until(lambda: notifier_waits(scene.mount.pid), SOON),
                'no notification waits in the kernel')
    begin = time.monotonic()
    scene.mount.terminate(limit=5)
    case.note(f'ended after {time.monotonic() - begin:.2f} s')
    for looker in lookers:
        case.expect(looker.wait(SOON) != 0, 'a message that is not there is')


@tap.test
def test_look_ups_and_listings_survive_constant_change(case):
    scene = start(case, [mailstore.simple_mailbox(count=40, size=300)])
    inbox = scene.path('INBOX')
    script = f"""
end=$(($(date +%s) + 5))
while [ $(date +%s) -lt $end ]; do
    ls -l {inbox} > {case.path('out')}.$$
    for i in 1 7 $1 $(($1 + 40)) $(($1 + 90)); do
        stat {inbox}/$i.eml; cat {inbox}/$i.eml
    done
done > {case.path('out')}.$$ 2>&1
"""
    workers = [subprocess.Popen(['sh', '-c', script, 'sh', str(number)],
                                start_new_session=True)
               for number in range(12)]
    rng = random.Random(5)
    uid = 100
    while any(worker.poll() is None for worker in workers[:1]):
        for _ in range(5):
            uid += 1
            add(scene.inbox, uid)
            scene.inbox.messages.remove(rng.choice(scene.inbox.messages))
        scene.server.delay = rng.choice((0, 0.03, 0.2))
        time.sleep(0.01)
    for worker in workers:
        try:
            worker.wait(90 * tap.PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(worker.pid, signal.SIGKILL)
            raise Stuck('a worker is stuck') from None
    scene.server.delay = 0
    wanted = sorted(f'{m.uid}.eml' for m in scene.inbox.present)
    case.note(f'{uid - 100} came and went')
    # A listing that turned out to be wrong fails for some seconds; what ends
    # without an error is complete.
    shows(case, lambda: run('ls', inbox).ok and listed(inbox) == wanted,
          'the last state')
    for number in (*range(1, 12), *range(uid - 60, uid + 1)):
        present = f'{number}.eml' in wanted
        case.expect(is_there(scene.file(number)) == present, number, present)


ATTRIBUTES = ('import os, sys\n'
              'path = sys.argv[1]\n'
              'for name in sys.argv[2:]:\n'
              '    try:\n'
              '        print(os.getxattr(path, name).decode())\n'
              '    except OSError as error:\n'
              '        print(error.errno)\n'
              'print(*sorted(os.listxattr(path)))\n')


@tap.test
def test_cached_message_is_read_while_many_wait(case):
    """Readers that wait for the server are no reason to keep others waiting."""
    large = mailstore.Mailbox('INBOX', [
        mailstore.Message(uid, mailstore.make_message(uid, 1_200_000))
        for uid in range(1, 18)])
    scene = start(case, [large], poll=60, timeout=60 * tap.PATIENCE)
    go_on = threading.Event()
    case.defer(go_on.set)

    def slow(line, command):
        go_on.wait(60 * tap.PATIENCE)
        line.default(command)

    run('cat', scene.file(1), check=True)
    run('ls', '-l', scene.path('INBOX'), check=True)
    # As large as these, they are opened without a wait once the size is known.
    run('head', '-qc0', *(scene.file(uid) for uid in range(2, 18)), check=True)
    scene.server.hooks['UID FETCH'] = slow
    readers = [subprocess.Popen(['cat', scene.file(uid)],
                                stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)
               for uid in range(2, 18)]
    for reader in readers:
        case.defer(reader.wait)
        case.defer(reader.kill)

    case.expect(wait_until(lambda: operations(scene.mount) >= len(readers),
                           20 * tap.PATIENCE), operations(scene.mount),
                'are asked for')
    # Out of the kernel's cache: the daemon is to be asked.
    run('dd', 'if=' + scene.file(1), 'iflag=nocache', 'count=0', check=True)
    result = run('cat', scene.file(1), limit=20 * tap.PATIENCE)
    case.expect(result.clean and result.out == large.get(1).body, result)
    case.expect(all(reader.poll() is None for reader in readers),
                'not all have waited')
    go_on.set()


def attributes(path, *names):
    return run(sys.executable, '-c', ATTRIBUTES, path, *names,
               check=True).out.decode().splitlines()


@tap.test
def test_xattr_only_with_the_option(case):
    scene = start(case)
    result = run(sys.executable, '-c', ATTRIBUTES, scene.file(1),
                 'user.imap.uid')
    case.expect('95' in result.out.decode().split(), result)  # EOPNOTSUPP
    scene = start(case, xattr=None)
    said = attributes(scene.file(3), 'user.imap.uid', 'user.imap.uidvalidity',
                      'user.imap.emailid', 'user.nonsense')
    case.expect(said[:4] == ['3', '1700000000', '61', '61'], said)
    case.expect(attributes(scene.path('INBOX'), 'user.imap.uid') ==
                ['61', ''], 'a directory has attributes')


if __name__ == '__main__':
    tap.main(jobs=6)
