"""The measurements, a group each. Every function takes one round of samples,
which the caller repeats; figures are keyed (what, round-trip time)."""

import contextlib
import itertools
import os
import subprocess
import time

import dovecot
import sample_store
import texts
from candidates import Account, bare, local_copy, memory
from ground import SIDE_FOLDERS, SIDE_MESSAGES, SINGLES

MANY, BIG, LARGE, SIDE, TINY = 'Many', 'Big', 'Large', 'Side', 'Tiny'
ATTACHED = 'Attached'
MBSYNC = {  # (FSync, COMPRESS)
    'mbsync as installed': (True, True),
    'mbsync as installed, uncompressed': (True, False),
    'mbsync FSync no': (False, True),
    'mbsync FSync no, uncompressed': (False, False),
}
SAMPLES = 15  # of a single access, beside a scan and without one
APART = 12  # so far from each other messages are not taken for a scan


def mail_of(groups, messages, listed, tiny):
    """What ground.make_mail() has to make for these groups."""
    mail = {}
    if {'scan', 'busy', 'views'} & groups:
        mail[MANY] = {'messages': messages, 'total_bytes': 14600 * messages,
                      'seed': 2}
    if {'list', 'memory', 'start'} & groups:
        mail[BIG] = {'messages': listed, 'size_mean': 600, 'seed': 3}
    if 'large' in groups:
        mail[LARGE] = {'messages': 1, 'kind': 'large'}
    if 'views' in groups:
        mail[ATTACHED] = {'messages': 3, 'kind': 'attached'}
    if {'single', 'busy'} & groups:
        mail[SIDE] = {'messages': SINGLES, 'seed': 4}
    if {'busy', 'idle'} & groups:
        for number in range(SIDE_FOLDERS):
            mail[f'Side/{number}'] = {'messages': SIDE_MESSAGES,
                                      'seed': 100 + number}
    if 'million' in groups:
        mail[TINY] = {'messages': tiny, 'kind': 'tiny'}
    return mail


class Round:
    """One round of samples on one ground."""

    def __init__(self, ground, figures, rtt):
        self.ground = ground
        self.figures = figures
        self.rtt = rtt
        self.line = ground.line
        self.line.set_rtt(rtt)

    def add(self, what, value):
        self.figures.add((what, self.rtt), value)

    def wants(self, what):
        """Whether it is worth trying: not after it was given up once."""
        return not self.figures.gave_up((what, self.rtt))

    def wire(self, what, folder, fetch):
        result = self.ground.wire(folder, fetch)
        self.add(what, result['seconds'])
        self.add(what + ' set-up', result['setup'])
        self.add(what + ' octets', result['octets'])

    def tool(self, what, name, directory, started=None):
        """Seconds of a tool, with the octets that it cost."""
        seconds, cost = self.ground.on_line(
            lambda: self.ground.tool(name, directory, started))
        self.add(what, seconds)
        self.add(what + ' octets', cost['to_client'])


def scan(round_, first):
    """Everything read once: from the server, from the cache, without either.
    first: also what does not depend on the line."""
    ground = round_.ground
    round_.wire('W bodies', MANY, 'bodies')
    for what, (fsync, compress) in MBSYNC.items():
        if round_.wants(what):
            round_.add(what, ground.mbsync(MANY, fsync, compress))
    for name in ('tar', 'rg'):
        if round_.wants(f'{name} cold'):
            _scan_mount(round_, name)
    if first:
        with bare(ground, MANY) as directory:
            round_.tool('rg bare first', 'rg', directory)
            round_.tool('rg bare', 'rg', directory)
        for place, parent in (('tmpfs', '/dev/shm'),
                              ('disk', ground.directory)):
            with local_copy(ground, MANY, parent) as directory:
                for name in ('tar', 'rg'):
                    round_.tool(f'{name} {place}', name, directory)


def _scan_mount(round_, name):
    with Account(round_.ground) as account:
        folder = account.start().path(MANY)
        round_.tool(f'{name} cold', name, folder)
        if not round_.wants(f'{name} cold'):
            return
        round_.tool(f'{name} again', name, folder)
        folder = account.start().path(MANY)
        round_.tool(f'{name} remount', name, folder)
        round_.tool(f'{name} remount again', name, folder)


def listing(round_, first):
    """A folder listed: the first time, again, after a remount, after changes
    made meanwhile."""
    ground = round_.ground
    round_.wire('W headers', BIG, 'headers')
    round_.wire('W plain', BIG, 'plain')
    for names in ('subject', 'uid'):
        for name in ('ls -f', 'ls -l'):
            what = f'{name} {names}'
            if not round_.wants(what):
                continue
            with Account(ground, names=names) as account:
                folder = account.start().path(BIG)
                round_.tool(what, name, folder)
                round_.tool(what + ' again', name, folder)
                _list_afresh(round_, what, name, folder)
                if round_.wants(what) and what == 'ls -f subject':
                    _check_listing(ground, account.mount, BIG)
                    _list_remounted(round_, account, what)
    if first:
        with local_copy(ground, BIG, ground.directory) as directory:
            round_.tool('ls -l disk first', 'ls -l', directory)
            round_.tool('ls -l disk', 'ls -l', directory)


def _list_afresh(round_, what, name, folder):
    """All is cached by imapfs and nothing by the kernel: the cost of FUSE."""
    if round_.ground.forget_entries():
        round_.tool(what + ' afresh', name, folder)


def _check_listing(ground, mount, folder):
    listed = sum(name.endswith('.eml')
                 for name in os.listdir(mount.path(folder)))
    stored = len(sample_store.files(ground.server.mail_root(), folder))
    ground.expect(listed == stored,
                  f'{listed} of {stored} messages of {folder} listed')


def _list_remounted(round_, account, what):
    ground = round_.ground
    for change, title in ((False, ' remount'), (True, ' changed')):
        account.unmount()
        if change:
            change_folder(ground)
        before = ground.line.counts()['to_client']
        mount = account.start()
        folder = mount.path(BIG)
        round_.tool(what + title, 'ls -f', folder, mount.returned)
        round_.add(what + title + ' octets and mounting',
                   ground.line.counts()['to_client'] - before)
        _list_afresh(round_, what + title, 'ls -f', folder)
        _check_listing(ground, mount, BIG)


def change_folder(ground, count=10):
    """As another client: new messages, expunged ones, changed flags."""
    with dovecot.Client(ground.server) as client:
        client.open(BIG, readonly=False)
        uids = sorted(ground.server.stored(BIG))
        chosen = [uids[i * len(uids) // (2 * count)] for i in range(2 * count)]
        gone, flagged = (','.join(map(str, chosen[i::2])) for i in (0, 1))
        imap = client.imap
        imap.uid('STORE', flagged, 'FLAGS', '(\\Flagged)')
        imap.uid('STORE', gone, '+FLAGS', '(\\Deleted)')
        imap.uid('EXPUNGE', gone)
        for number in range(count):
            imap.append(BIG, '', None,
                        f'From: New <new@example.org>\r\nSubject: new {number}'
                        '\r\n\r\nHello\r\n'.encode())


def single(round_, first):
    """One message, once its folder was listed: read, and read again."""
    ground = round_.ground
    with Account(ground) as account:
        names = iter(_apart(account.start().path(SIDE)))
        ground.timed(['cat', next(names)], stdout=subprocess.DEVNULL)
        # A second connection may be logging in still.
        _await_silence(ground)
        for name in itertools.islice(names, 5):
            seconds, cost = ground.on_line(lambda: _cat(ground, name))
            round_.add('cat', seconds)
            round_.add('cat turns', cost['turns'])
            seconds, cost = ground.on_line(lambda: _cat(ground, name))
            round_.add('cat again', seconds)
            round_.add('cat again octets',
                       cost['to_client'] + cost['to_server'])


def _cat(ground, path):
    return ground.timed(['cat', path], stdout=subprocess.DEVNULL)


def _listed(folder):
    return [os.path.join(folder, name) for name in sorted(os.listdir(folder))
            if name.endswith('.eml')]


def _apart(folder):
    """Messages that lie so far apart, and are not the first, that nobody takes
    them for the beginning of a scan."""
    by_uid = sorted(_listed(folder), key=lambda path: int(path.split('.')[-2]))
    return by_uid[APART // 2::APART]


def busy(round_, first):
    """Single accesses, alone and beside a long scan of another folder and of
    the same one."""
    ground = round_.ground
    with Account(ground) as account:
        mount = account.start()
        side = _apart(mount.path(SIDE))
        same = list(reversed(_listed(mount.path(MANY))))[1:40 * APART:APART]
        _cat(ground, side.pop())
        folders = iter(range(SIDE_FOLDERS))
        for _ in range(SAMPLES):
            round_.add('cat alone', _cat(ground, side.pop()))
            round_.add('ls alone', _list_next(ground, mount, folders))
        with _loops():
            for _ in range(SAMPLES):
                round_.add('cat beside loops', _cat(ground, side.pop()))
        with _scanning(ground, mount.path(MANY)) as running:
            for _ in range(SAMPLES):
                samples = {'cat beside': lambda: _cat(ground, side.pop()),
                           'cat beside, same folder':
                               lambda: _cat(ground, same.pop()),
                           'ls beside':
                               lambda: _list_next(ground, mount, folders)}
                for what, call in samples.items():
                    if running():
                        round_.add(what, call())


@contextlib.contextmanager
def _loops():
    """As many programs that only compute as a scan keeps busy: what a single
    access takes beside them is the machine's doing."""
    loops = [subprocess.Popen(['sh', '-c', 'while :; do :; done'])
             for _ in range(2 * os.cpu_count())]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def _list_next(ground, mount, folders):
    return ground.tool('ls -f', mount.path(f'Side/{next(folders)}'))


@contextlib.contextmanager
def _scanning(ground, folder):
    process = subprocess.Popen(
        ['bash', '-c', 'tar c -C "$0" . | cat >/dev/null', folder],
        stdin=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + ground.patience
    try:
        # The scan has begun when much has come.
        before = ground.line.counts()['to_client']
        while process.poll() is None and time.monotonic() < end and \
                ground.line.counts()['to_client'] < before + 500_000:
            time.sleep(0.005)
        yield lambda: process.poll() is None and time.monotonic() < end
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait()


def memory_use(round_, first, folder=BIG, prefix=''):
    """Resident size after listing a folder, and after reading all of it."""
    ground = round_.ground
    with Account(ground) as account:
        mount = account.start()
        round_.add(prefix + 'RSS mounted', memory(mount.pid)['VmRSS'])
        steps = ('ls -l',) if prefix else ('ls -l', 'tar')
        for name in steps:
            round_.tool(f'{prefix}memory {name}', name, mount.path(folder))
            used = memory(mount.pid)
            round_.add(f'{prefix}RSS after {name}', used['VmRSS'])
            round_.add(f'{prefix}HWM after {name}', used['VmHWM'])
        _check_listing(ground, mount, folder)


def million(round_, first):
    memory_use(round_, first, TINY, 'million ')


def large(round_, first):
    """A message of 50 MB: its beginning, and all of it."""
    ground = round_.ground
    uid = max(ground.server.stored(LARGE))
    round_.wire('W large', LARGE, str(uid))
    with Account(ground) as account:
        name = _listed(account.start().path(LARGE))[0]

        def head():
            seconds = ground.timed(['head', '-c', '1000', name],
                                   stdout=subprocess.DEVNULL)
            _await_silence(ground)
            return seconds

        seconds, cost = ground.on_line(head)
        round_.add('head', seconds)
        round_.add('head octets', cost['to_client'])
    with Account(ground) as account:
        mount = account.start()
        name = _listed(mount.path(LARGE))[0]
        command = ['bash', '-c', 'cat "$0" | cat >/dev/null', name]
        round_.add('stream', ground.timed(command))
        round_.add('stream HWM', memory(mount.pid)['VmHWM'])
        round_.add('stream again', ground.timed(command))


def views(round_, first):
    """The same mail as text, as a table, as a search, each in a folder that was
    listed and of which nothing else is known."""
    ground = round_.ground
    script = '@' + _script_of_texts(ground, MANY)
    round_.wire('W texts', MANY, script)
    round_.wire('W table', MANY, 'fields')
    with Account(ground) as account:
        mount = account.start()
        os.listdir(mount.path(MANY))
        _await_silence(ground)
        folder = mount.path('.imapfs/text', MANY)
        round_.tool('rg text', 'rg', folder)
        round_.tool('rg text again', 'rg', folder)
    with Account(ground) as account:
        mount = account.start()
        os.listdir(mount.path(MANY))
        _await_silence(ground)
        table = mount.path('.imapfs/index', MANY + '.tsv')
        round_.tool('table', 'cat', table)
        round_.tool('table again', 'cat', table)
        _await_silence(ground)
        for number in range(5):
            _costs(round_, 'search', lambda: ground.tool(
                'ls -f', mount.path('.imapfs/search', MANY,
                                    f'subject:meeting larger:{number + 1}')))
        _parts_alone(round_, mount)


def _parts_alone(round_, mount):
    """Of messages of 30 MB: what they hold, a small attachment, the text."""
    ground = round_.ground
    os.listdir(mount.path(ATTACHED))
    for name in _listed(mount.path(ATTACHED)):
        uid = name.split('.')[-2]
        parts = mount.path('.imapfs/parts', ATTACHED, f'{uid}.eml')
        _costs(round_, 'parts', lambda: ground.tool('ls -f', parts))
        _costs(round_, 'attachment', lambda: _cat(ground, parts + '/small.pdf'))
        _costs(round_, 'text', lambda: _cat(ground, mount.path(
            '.imapfs/text', ATTACHED, f'{uid}.eml.txt')))


def _costs(round_, what, call):
    """Adds what call() takes, in seconds, which it returns, and on the line."""
    _await_silence(round_.ground)
    seconds, cost = round_.ground.on_line(call)
    round_.add(what, seconds)
    round_.add(what + ' turns', cost['turns'])
    round_.add(what + ' octets', cost['to_client'])


def _script_of_texts(ground, folder):
    """The file of commands; the server's index of what is in the messages is
    warm then, too."""
    path = ground.path('texts')
    if not os.path.exists(path + '.made'):
        with open(path, 'w') as file:
            file.writelines(line + '\n' for line in
                            texts.script(ground.server.stored(folder)))
        ground.wire(folder, '@' + path)
        with open(path + '.made', 'w'):
            ground.defer(os.remove, path + '.made')
    return path


def _await_silence(ground):
    """What was asked for and is not needed any more still comes."""
    last = -1
    end = time.monotonic() + ground.patience
    while time.monotonic() < end:
        count = ground.line.counts()['to_client']
        if count == last:
            return
        last = count
        time.sleep(0.3)


GROUPS = {'scan': scan, 'list': listing, 'single': single, 'busy': busy,
          'memory': memory_use, 'large': large, 'views': views,
          'million': million}
# Where the round-trip time does not matter.
ONCE = {'memory', 'million', 'idle'}
