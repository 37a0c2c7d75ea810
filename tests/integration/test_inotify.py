#!/usr/bin/env python3
"""Who watches the mount with inotify hears of what comes and goes on the
server; and nobody else can change anything, or waits for those who announce."""

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
from command import Stuck, run, wait_until
from mailstore import Mailbox, Message, make_message, simple_mailbox
from scene import Scene

ANNOUNCER = 'imapfs-announce'
SOON = 20 * tap.PATIENCE
ARRIVAL = ['CREATE', 'OPEN', 'CLOSE_WRITE,CLOSE']


def start(case, mailboxes=None, *, options=None, arguments=(), names='uid',
          **server):
    scene = Scene(case, mailboxes, timeout=10, names=names,
                  options={'poll': 1, **(options or {})}, **server)
    scene.start(arguments=arguments)
    return scene


def add(mailbox, *uids, size=600):
    for uid in uids:
        mailbox.add(Message(uid, make_message(uid, size)))


def announcer(mount):
    for pid in mounting.daemon_pids(mount.mountpoint):
        with contextlib.suppress(OSError):
            with open(f'/proc/{pid}/comm') as file:
                if file.read().strip() == ANNOUNCER:
                    return pid
    raise AssertionError('nobody announces')


class Watch:
    """inotifywait -m on some directories of a mount."""

    def __init__(self, case, *paths, arguments=()):
        self.paths = paths
        self.output = case.path(f'events-{time.monotonic_ns()}')
        self.errors = self.output + '.err'
        with open(self.output, 'wb') as out, open(self.errors, 'wb') as err:
            self.process = subprocess.Popen(
                ['inotifywait', '-m', '--format', '%w|%e|%f', *arguments,
                 *paths], stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        case.defer(self._end)
        if not wait_until(self._is_set_up, SOON):
            raise Stuck('inotifywait does not set up its watches: '
                        + self._said())

    def _said(self):
        with open(self.errors) as file:
            return file.read()

    def _is_set_up(self):
        if self.process.poll() is not None:
            raise tap.Skip('inotifywait does not run: ' + self._said())
        return 'Watches established' in self._said()

    def _end(self):
        self.process.kill()
        self.process.wait()

    def events(self):
        """(directory, event, name), in their order."""
        with open(self.output, errors='replace') as file:
            text = file.read()
        return [tuple(line.split('|')) for line in
                text[:text.rfind('\n') + 1].splitlines()]

    def of(self, name):
        return [event for _, event, found in self.events() if found == name]

    def names(self, event):
        return [name for _, found, name in self.events() if found == event]


def hears(case, watch, name, events):
    begin = time.monotonic()
    case.expect(wait_until(lambda: watch.of(name) == list(events),
                           SOON),
                f'of {name}:', watch.of(name), 'and not', events,
                'in', watch.events()[-20:])
    case.note(f'{name}: {" ".join(events)} after '
              f'{time.monotonic() - begin:.2f} s')


def listed(path):
    return sorted(run('ls', path, check=True).out.decode().split())


def requests_of(mount, pid):
    """What libfuse has said (-d) of a process's requests."""
    return re.findall(r'opcode: (\w+) \(\d+\)[^\n]*pid: %d\n' % pid,
                      mount.messages())


# ---- what is announced

for naming in ('uid', 'subject'):
    @tap.test(name=f'arrival_and_expunge_are_heard_of_{naming}',
              arguments=(naming,))
    def arrival(case, naming):
        scene = start(case, names=naming)
        before = listed(scene.path('INBOX'))
        watch = Watch(case, scene.path('INBOX'))
        add(scene.inbox, 9)
        case.expect(wait_until(lambda: watch.names('CREATE'), SOON), 'nothing')
        new, = set(listed(scene.path('INBOX'))) - set(before)
        hears(case, watch, new, ARRIVAL)
        with open(scene.path('INBOX', new), 'rb') as file:
            case.expect(file.read() == scene.inbox.get(9).body, 'wrong bytes')
        gone = next(n for n in before if re.search(r'(^|\.)2\.eml$', n))
        scene.inbox.remove(2)
        case.expect(wait_until(lambda: 'DELETE' in watch.of(gone), SOON),
                    watch.events())
        case.expect(listed(scene.path('INBOX')) == sorted(
            {*before, new} - {gone}), listed(scene.path('INBOX')))
        case.expect(not os.path.exists(scene.file(2)))
        case.expect({name for _, event, name in watch.events()
                     if event in ('CREATE', 'DELETE')} == {new, gone},
                    watch.events())


@tap.test
def test_folder_that_nobody_listed_is_heard_of(case):
    """Who watches it asks for nothing else."""
    scene = start(case, [simple_mailbox(), simple_mailbox('Other', 2)])
    watch = Watch(case, scene.path('Other'))
    case.expect(wait_until(lambda: scene.server.saw('UID FETCH*') or
                           scene.server.saw('FETCH*'), SOON),
                'it is not listed for those who watch')
    wait_until(lambda: len(listed(scene.path('Other'))) == 2, SOON)
    add(scene.server.find('Other'), 3)
    hears(case, watch, '3.eml', ARRIVAL)


@tap.test
def test_folders_made_and_deleted_are_heard_of(case):
    scene = start(case, [simple_mailbox(), simple_mailbox('Old', 2)])
    top = scene.mount.mountpoint
    case.expect(listed(top) == ['INBOX', 'Old'])
    listed(scene.path('Old'))
    watch = Watch(case, top)
    scene.server.mailboxes[1:] = [simple_mailbox('New', 3),
                                  simple_mailbox('INBOX/Below', 1)]
    hears(case, watch, 'Old', ['DELETE,ISDIR'])
    hears(case, watch, 'New', ['CREATE,ISDIR'])
    case.expect(listed(top) == ['INBOX', 'New'], listed(top))
    case.expect(len(listed(scene.path('New'))) == 3)
    case.expect(not os.path.exists(scene.path('Old')))
    case.expect(len(listed(scene.path('INBOX', 'Below'))) == 1)


@tap.test
def test_recursive_watch_follows_new_folders(case):
    scene = start(case, [simple_mailbox()])
    watch = Watch(case, scene.mount.mountpoint, arguments=['-r'])
    scene.server.mailboxes.append(simple_mailbox('New', 2))
    # And inotifywait looks into it at once.
    case.expect(wait_until(lambda: 'CREATE,ISDIR' in watch.of('New'), SOON),
                watch.events())
    listed(scene.path('New'))
    add(scene.server.find('New'), 3)
    hears(case, watch, '3.eml', ARRIVAL)


@tap.test
def test_moved_message_leaves_and_arrives(case):
    scene = start(case, [simple_mailbox(), simple_mailbox('Done', 1)])
    folders = [scene.path('INBOX'), scene.path('Done')]
    for folder in folders:
        listed(folder)
    watch = Watch(case, *folders)
    scene.inbox.remove(3)
    add(scene.server.find('Done'), 2)
    hears(case, watch, '2.eml', ARRIVAL)
    case.expect(wait_until(lambda: 'DELETE' in watch.of('3.eml'), SOON))


@tap.test
def test_watch_that_begins_between_changes_misses_nothing(case):
    """What was found out about watchers a moment ago holds for no other."""
    scene = start(case)
    listed(scene.path('INBOX'))
    other = Watch(case, scene.mount.mountpoint)
    for uid in range(20, 30):
        add(scene.inbox, uid)
        case.expect(wait_until(lambda u=uid: f'{u}.eml' in listed(
            scene.path('INBOX')), SOON))
        watch = Watch(case, scene.path('INBOX'))
        add(scene.inbox, 100 + uid)
        hears(case, watch, f'{100 + uid}.eml', ARRIVAL)
        watch._end()
    other._end()


# ---- what is not

@tap.test
def test_unwatched_folders_cost_nothing(case):
    scene = start(case, [simple_mailbox(), simple_mailbox('Other', 2)],
                  arguments=['-d'])
    for folder in ('INBOX', 'Other'):
        listed(scene.path(folder))
    watch = Watch(case, scene.path('Other'))
    pid = announcer(scene.mount)
    add(scene.inbox, *range(10, 20))
    scene.inbox.remove(2)
    wanted = sorted(f'{m.uid}.eml' for m in scene.inbox.present)
    case.expect(wait_until(lambda: listed(scene.path('INBOX')) == wanted, SOON))
    # The next is announced after whatever there was of these.
    add(scene.server.find('Other'), 3)
    hears(case, watch, '3.eml', ARRIVAL)
    asked = requests_of(scene.mount, pid)
    case.expect('CREATE' in asked, 'this test counts what is not there')
    case.expect(asked.count('CREATE') == 1 and 'UNLINK' not in asked, asked)


@tap.test
def test_read_only_mount_announces_nothing_and_goes_on(case):
    scene = start(case, options={'ro': None})
    listed(scene.path('INBOX'))
    watch = Watch(case, scene.path('INBOX'))
    add(scene.inbox, 9)
    case.expect(wait_until(lambda: '9.eml' in listed(scene.path('INBOX')), SOON))
    case.expect(not watch.names('CREATE'), watch.events())


# ---- a process that does not announce

for name, number in (('stopped', signal.SIGSTOP), ('killed', signal.SIGKILL)):
    @tap.test(name=f'arrival_shows_while_the_announcer_is_{name}',
              arguments=(number,))
    def without(case, number):
        scene = start(case)
        listed(scene.path('INBOX'))
        watch = Watch(case, scene.path('INBOX'))
        add(scene.inbox, 9)
        hears(case, watch, '9.eml', ARRIVAL)
        pid = announcer(scene.mount)
        os.kill(pid, number)
        for uid in (10, 11):
            mark = scene.server.mark()
            add(scene.inbox, uid)
            # The synchronisation that brings it.
            case.expect(wait_until(lambda m=mark: [
                c for c in scene.server.since(m)[0]
                if c.name == 'UID FETCH'], SOON), 'it is not fetched')
            begin = time.monotonic()
            case.expect(wait_until(lambda u=uid: f'{u}.eml' in listed(
                scene.path('INBOX')), SOON),
                f'{uid} does not show')
            case.expect(run('cat', scene.file(uid)).ok)
            case.note(f'{uid} shows after {time.monotonic() - begin:.2f} s')
        if number == signal.SIGSTOP:
            # What was looked up meanwhile can be announced all the same.
            os.kill(pid, signal.SIGCONT)
            for uid in (10, 11):
                case.expect(wait_until(lambda u=uid: 'CREATE' in watch.of(
                    f'{u}.eml'), SOON), uid, watch.events())
            add(scene.inbox, 12)
            hears(case, watch, '12.eml', ARRIVAL)
        scene.mount.terminate()


@tap.test
def test_stopped_announcer_does_not_outlive_its_mount(case):
    scene = start(case)
    listed(scene.path('INBOX'))
    pid = announcer(scene.mount)
    os.kill(pid, signal.SIGSTOP)
    scene.mount.unmount()
    case.expect(not os.path.exists(f'/proc/{pid}'), 'it is still there')


# ---- many

@tap.test(limit=120)
def test_burst_is_heard_of_as_a_whole(case):
    count = 500 if tap.SANITIZED else 2000
    scene = start(case)
    listed(scene.path('INBOX'))
    watch = Watch(case, scene.path('INBOX'))
    begin = time.monotonic()
    add(scene.inbox, *range(1000, 1000 + count), size=300)
    wanted = sorted(f'{m.uid}.eml' for m in scene.inbox.present)
    case.expect(wait_until(lambda: listed(scene.path('INBOX')) == wanted,
                           40 * tap.PATIENCE), 'the listing is not right')
    case.note(f'listed after {time.monotonic() - begin:.1f} s')

    def all_heard():
        return (watch.names('Q_OVERFLOW') or
                len(set(watch.names('CREATE'))) == count)

    case.expect(wait_until(all_heard, 40 * tap.PATIENCE),
                len(watch.names('CREATE')), 'of', count)
    case.note(f'all heard of after {time.monotonic() - begin:.1f} s')
    case.expect(len(watch.names('CREATE')) == count, 'not once each')
    scene.inbox.remove(*range(1000, 1000 + count))
    case.expect(wait_until(lambda: len(set(watch.names('DELETE'))) == count,
                           40 * tap.PATIENCE), 'not all deleted',
                len(watch.names('DELETE')))
    case.expect(len(listed(scene.path('INBOX'))) == 5)


WORKER = """
end=$(($(date +%s) + SECONDS_EACH))
while [ $(date +%s) -lt $end ]; do
    touch new-$1; mkdir .new-$1; rm no-$1.eml; mv no-$1.eml 2.eml
    ls -l; ls -f
    for i in 1 7 $1 $(($1 + 140)) $(($1 + 190)) $(($1 + 290)); do
        stat $i.eml; cat $i.eml; rm -f no-$i.eml
    done
done > ../../out.$1 2>&1
"""


@tap.test(limit=240)
def test_announcing_survives_all_that_can_be_in_its_way(case):
    """Creates, look-ups and listings by many while hundreds of changes are
    announced, and the server is slow at times."""
    seconds = 20
    scene = start(case, [simple_mailbox(count=40, size=300)])
    inbox = scene.path('INBOX')
    listed(inbox)
    watch = Watch(case, inbox)
    script = WORKER.replace('SECONDS_EACH', str(seconds)).replace(
        '../../out', case.path('out'))
    workers = [subprocess.Popen(['sh', '-c', script, 'sh', str(number)],
                                cwd=inbox, start_new_session=True)
               for number in range(8)]
    for worker in workers:
        case.defer(kill_group, worker)
    stop = threading.Event()
    numbers = iter(range(100, 100_000))

    def change():
        while not stop.wait(0.02):
            for _ in range(3):
                uid = next(numbers)
                add(scene.inbox, uid, size=300)
                if uid % 2:
                    scene.inbox.remove(scene.inbox.present[uid % 30].uid)
            scene.server.delay = (0, 0, 0.03, 0.2)[uid // 300 % 4]

    changer = threading.Thread(target=change)
    changer.start()
    try:
        for worker in workers:
            worker.wait((seconds + 90) * tap.PATIENCE)
    finally:
        stop.set()
        changer.join()
    scene.server.delay = 0
    wanted = sorted(f'{m.uid}.eml' for m in scene.inbox.present)

    def shows():
        # The last listing may have failed, as said below.
        result = run('ls', inbox)
        return result.ok and sorted(result.out.decode().split()) == wanted

    case.expect(wait_until(shows, 20 * tap.PATIENCE),
                'the last state does not show')
    last = next(numbers)
    add(scene.inbox, last)
    hears(case, watch, f'{last}.eml', ARRIVAL)
    heard = set(watch.names('CREATE'))
    came = {f'{uid}.eml' for uid in range(100, last + 1)}
    case.note(f'{len(came)} came, {len(heard)} were heard of')
    case.expect(heard <= came, 'what was not there:', heard - came)
    # The others went before anybody could be told.
    missed = {f'{m.uid}.eml' for m in scene.inbox.present} & came - heard
    case.expect(not missed, 'there, and not heard of:', sorted(missed)[:10])
    with open(case.path('out.0'), errors='replace') as file:
        said = re.findall(
            r'^(?:touch|mkdir|rm|mv|ls|stat|cat): .*$', file.read(), re.M)
    # Some is deleted while it is listed or read; and the server, changed in
    # the middle of an answer, at times contradicts itself.
    odd = [line for line in said if line.split(': ')[-1] not in (
        'Invalid argument', 'Operation not permitted',
        'No such file or directory', 'Stale file handle', 'File exists', 'Input/output error')]
    case.expect(said and not odd, len(odd), 'of', len(said), odd[:10])
    scene.mount.terminate()


def kill_group(process):
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# ---- nothing else can be changed

CHANGES = (
    'echo x > 1.eml', 'echo x >> 1.eml', 'echo x > new.eml', ': > 1.eml',
    'touch 1.eml', 'touch new.eml', 'touch -d 2020-01-01 1.eml', 'rm -f 1.eml',
    'mkdir New', 'rmdir Below', 'mv 1.eml 9.eml', 'mv 1.eml 2.eml',
    'mv Below Other', 'cp 1.eml 9.eml', 'cp -p /etc/passwd new.eml',
    'chmod 600 1.eml', 'chmod 700 .', 'chown 1 1.eml', 'ln 1.eml 9.eml',
    'ln -s 1.eml link', 'mkfifo pipe', 'truncate -s 0 1.eml',
    'setfattr -n user.x -v 1 1.eml', 'setfattr -x user.x 1.eml',
    'mknod node c 1 3', 'dd if=/dev/zero of=1.eml count=1 conv=notrunc',
)


@tap.test
def test_every_change_of_a_read_only_mount_is_refused(case):
    for options in ({'ro': None}, {'ro': None, 'xattr': None},
                    {'ro': None, 'allow_other': None}):
        if 'allow_other' in options and os.geteuid() != 0:
            continue
        scene = start(case, [simple_mailbox(), simple_mailbox('INBOX/Below')],
                      options=options)
        scene.listing()
        before = listed(scene.path('INBOX'))
        for change in CHANGES:
            result = run('sh', '-c', change, cwd=scene.path('INBOX'))
            case.expect(result.status != 0 and 'Read-only' in result.err,
                        options, result)
        case.expect(listed(scene.path('INBOX')) == before)
        case.expect(scene.cat(1) and scene.listing())
        for flags in (os.O_RDONLY | os.O_TRUNC, os.O_RDWR,
                      os.O_WRONLY | os.O_CREAT):
            try:
                os.close(os.open(scene.file(1), flags))
                case.expect(False, 'opened with', flags)
            except OSError as error:
                case.expect(error.errno == 30, error)
        # With default_permissions the kernel goes by the mode bits alone.
        if 'allow_other' not in options:
            case.expect(not os.access(scene.file(1), os.W_OK), options)
        case.expect(os.access(scene.file(1), os.R_OK))
        scene.mount.unmount()


@tap.test
def test_every_change_by_another_user_is_refused(case):
    if os.geteuid() != 0:
        raise tap.Skip('only root can be another user, too')
    scene = start(case, [simple_mailbox(), simple_mailbox('INBOX/Below')],
                  options={'allow_other': None, 'umask': '022'})
    for folder in (case.directory, os.path.dirname(scene.mount.mountpoint)):
        os.chmod(folder, 0o755)
    scene.listing()
    for change in CHANGES:
        result = run('setpriv', '--reuid=65534', '--regid=65534',
                     '--clear-groups', 'sh', '-c', change,
                     cwd=scene.path('INBOX'))
        case.expect(result.status != 0 and re.search(
            'Read-only|ermission denied|not permitted', result.err), result)
    case.expect(scene.cat(1))


@tap.test
def test_directory_below_the_mount_is_left_alone(case):
    """A mount that has ended while something was to be announced: its path
    leads to what lies below."""
    scene = start(case, arguments=['-d'])
    inbox = scene.path('INBOX')
    listed(inbox)
    watch = Watch(case, inbox)
    pid = announcer(scene.mount)
    os.kill(pid, signal.SIGSTOP)
    # Keeps it alive though it is mounted nowhere.
    held = os.open(inbox, os.O_RDONLY | os.O_DIRECTORY)
    add(scene.inbox, 9)
    scene.inbox.remove(2)
    case.expect(wait_until(lambda: '9.eml' in os.listdir(held), SOON))
    run('fusermount3', '-uz', scene.mount.mountpoint, check=True)
    os.makedirs(inbox)
    with open(inbox + '/2.eml', 'w') as file:
        file.write('mine')
    before = scene.mount.messages().count('could not be announced')
    os.kill(pid, signal.SIGCONT)
    case.expect(wait_until(lambda: scene.mount.messages().count(
        'could not be announced') >= before + 2, SOON), 'nothing was tried')
    case.expect(os.listdir(inbox) == ['2.eml'], os.listdir(inbox))
    case.expect(not watch.names('CREATE'), watch.events())
    os.close(held)
    watch._end()
    scene.mount.wait_ended()


if __name__ == '__main__':
    tap.main()
