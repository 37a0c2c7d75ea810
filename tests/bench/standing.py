"""What a mount costs that nobody uses, and how soon one is there: groups of
measurements like those of measure.py.

Nobody uses it: its processor time, its wake-ups and its octets over a minute,
after some folders were listed, which it then follows. Soon there: from the
command to the end of the first listing of a folder that an earlier mount has
listed; also with the cache out of the machine's memory, and without a server."""

import contextlib
import os
import time

import dovecot
import mount as mounting
from candidates import Account
from measure import BIG, SIDE, _await_silence

IDLE_SECONDS = 60
FOLDERS = 5  # that were listed before
# What Dovecot offers here, without NOTIFY and with.
WITHOUT_NOTIFY = ('IMAP4rev1 SASL-IR ID ENABLE IDLE UNSELECT CHILDREN NAMESPACE '
                  'LIST-EXTENDED LIST-STATUS ESEARCH LITERAL+ SPECIAL-USE '
                  'CONDSTORE QRESYNC UIDPLUS MOVE')
PUSH = {'all': None, 'one': WITHOUT_NOTIFY}


def _tasks(pids):
    for pid in pids:
        with contextlib.suppress(OSError):
            for task in os.listdir(f'/proc/{pid}/task'):
                yield f'/proc/{pid}/task/{task}'


def _used(pids):
    """(Nanoseconds of a processor, wake-ups) of these processes so far."""
    nanoseconds = wakes = 0
    for task in _tasks(pids):
        with contextlib.suppress(OSError):
            with open(task + '/schedstat') as file:
                nanoseconds += int(file.read().split()[0])
            with open(task + '/status') as lines:
                wakes += sum(int(line.split()[1]) for line in lines
                             if line.startswith('voluntary_ctxt_switches'))
    return nanoseconds, wakes


def idle(round_, first):
    """With a server that tells of all folders, and with one that tells of one
    only."""
    ground = round_.ground
    for push, capability in PUSH.items():
        _restart(ground, capability)
        with Account(ground) as account:
            mount = account.start()
            for number in range(FOLDERS):
                ground.tool('ls -l', mount.path(f'{SIDE}/{number}'))
            _await_silence(ground)
            # What follows upon use is over then.
            time.sleep(10)
            _idle(round_, push, mount)
    _restart(ground, None)


def _restart(ground, capability):
    if ground.server.capability != capability:
        ground.server.stop()
        ground.server.capability = capability
        ground.server.start()
        dovecot.open_all(ground.server)


def _idle(round_, push, mount):
    line = round_.ground.line
    octets = line.counts()
    pids = mounting.daemon_pids(mount.mountpoint)
    before = _used(pids)
    # The time is what is being measured.
    time.sleep(IDLE_SECONDS)
    after = _used(pids)
    octets = {key: value - octets[key] for key, value in line.counts().items()}
    round_.add(f'idle CPU {push}', (after[0] - before[0]) / 1e9)
    round_.add(f'idle wakes {push}', after[1] - before[1])
    round_.add(f'idle octets {push}', octets['to_client'] + octets['to_server'])


def start(round_, first):
    """Of a folder that is known."""
    with Account(round_.ground) as account:
        _time(round_, account, 'first')
        for what, prepare, options in (
                ('known', None, {}),
                ('known, cold', _forget_files, {}),
                ('known, no server', None, {'offline_ok': None}),
                ('known, silent line', None, {'offline_ok': None})):
            account.unmount()
            if prepare is not None:
                prepare(account)
            account.options = options
            with _away(round_, what):
                _time(round_, account, what)


def _time(round_, account, what):
    ground = round_.ground
    began = time.monotonic()
    mount = account.start()
    round_.add(f'mounted {what}', mount.returned - began)
    round_.add(f'listed {what}', ground.tool('ls -f', mount.path(BIG), began))
    round_.add(f'stats {what}', ground.tool('ls -l', mount.path(BIG)))


def _forget_files(account):
    """The account's files, and the program, leave the machine's memory; what
    the server and the tools need does not."""
    os.sync()
    paths = [os.environ['IMAPFS_BINARY']]
    for parent, _, names in os.walk(account.directory):
        paths += [os.path.join(parent, name) for name in names]
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(fd)


@contextlib.contextmanager
def _away(round_, what):
    ground = round_.ground
    if what.endswith('no server'):
        ground.server.stop()
        try:
            yield
        finally:
            ground.server.start()
    elif what.endswith('silent line'):
        round_.line.hold()
        try:
            yield
        finally:
            round_.line.resume()
    else:
        yield


GROUPS = {'idle': idle, 'start': start}
