#!/usr/bin/env python3
"""`imapfs --fetch`: that all is there afterwards, without the server; that
nothing comes twice; that it ends when it is told to, and says what is wrong
before it begins."""

import glob
import json
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import commands
import dovecot
import tap
from command import run, wait_until
from commands import imapfs
from mount import Mount, is_mounted
from proxy import Proxy
from terminal import Terminal

# What lists and replies may take beside the messages.
BESIDE = 600_000


class Place:
    """A Dovecot with a folder of many messages, behind a line that counts."""

    def __init__(self, case, messages=300, octets=3_000_000, rate_mbit=0):
        self.case = case
        self.server = dovecot.start_sample(
            case, messages=40, prepare=lambda server: server.generate(
                flat='Many', messages=messages, total_bytes=octets, seed=9))
        dovecot.open_all(self.server)
        self.password = dovecot.password(self.server)
        self.file = commands.password_file(case, self.password)
        self.proxy = Proxy(self.server.tls_port, case, rate_mbit=rate_mbit)
        self.url = self.server.url.replace(f':{self.server.tls_port}/',
                                           f':{self.proxy.port}/')
        self.data = case.path('data')

    def options(self, **more):
        return {'ca_file': self.server.ca_file, 'password_file': self.file,
                'timeout': 10 * tap.PATIENCE, 'compress': 'off', **more}

    def mount(self, **options):
        return Mount(self.case, self.url, self.options(**options),
                     password=None, data=self.data)

    def fetch(self, target=None, *folders, options=None):
        result = imapfs(self.case, '--fetch', target or self.url, *folders,
                        options=options, data=self.data, limit=120)
        self.case.expect(self.password not in result.out.decode()
                         and self.password not in result.err, 'the password')
        return result

    def total(self, folders=None):
        return sum(os.path.getsize(path)
                   for folder in folders or dovecot.folders(self.server)
                   for path in self.server.stored(folder).values())

    def received(self):
        return self.proxy.counts()['to_client']

    def all_is_there(self, mount, folders=None):
        """Every octet, while the line is cut."""
        self.proxy.hold()
        for folder in folders or dovecot.folders(self.server):
            stored = dovecot.stored_digests(self.server, folder)
            path = mount.path(dovecot.mounted_path(folder))
            for uid, digest in stored.items():
                self.case.expect(
                    dovecot.digest(os.path.join(path, f'{uid}.eml')) == digest,
                    folder, uid)
        self.proxy.resume()


def nothing_is_left(case):
    left = glob.glob(case.path('tmp/imapfs-fetch-*'))
    case.expect(not any(is_mounted(path) for path in left), left)


@tap.test(limit=150)
def test_mount_has_all_afterwards_and_nothing_comes_twice(case):
    place = Place(case)
    mount = place.mount()
    result = place.fetch(mount.mountpoint)
    case.expect(result.status == 0 and not result.err, result)
    case.expect(b'All 340 messages' in result.out, result)
    before = place.received()
    case.expect(before < place.total() + BESIDE,
                f'{before} octets for {place.total()}')
    again = place.fetch(mount.mountpoint)
    case.expect(again.status == 0 and b'All 340' in again.out
                and b'Fetched' not in again.out, again)
    case.expect(place.received() - before < 100_000,
                f'{place.received() - before} octets for nothing')
    place.all_is_there(mount)


@tap.test(limit=150)
def test_folders_are_fetched_alone(case):
    place = Place(case)
    mount = place.mount()
    result = place.fetch(mount.mountpoint, 'Many', mount.path('Archive'))
    case.expect(result.status == 0, result)
    count = int(re.search(rb'All ([0-9]+) messages', result.out)[1])
    expected = sum(len(place.server.stored(folder))
                   for folder in dovecot.folders(place.server)
                   if folder == 'Many' or folder.startswith('Archive'))
    case.expect(count == expected, f'{count}, and not {expected}', result)
    case.expect(place.received() < place.total() - 100_000
                or place.total() < 400_000, place.received())
    place.all_is_there(mount, ['Many'])


@tap.test(limit=150)
def test_account_is_mounted_privately(case):
    place = Place(case)
    result = place.fetch(options=place.options())
    case.expect(result.status == 0 and b'All 340' in result.out, result)
    nothing_is_left(case)
    before = place.received()
    again = place.fetch(options=place.options())
    case.expect(again.status == 0 and b'Fetched' not in again.out, again)
    case.expect(place.received() - before < 100_000, 'fetched again')
    # What was fetched so is what a mount finds, also without the server.
    mount = place.mount()
    os.listdir(mount.path('Many'))
    place.all_is_there(mount)


@tap.test(limit=150)
def test_account_that_is_mounted_is_fetched_there(case):
    place = Place(case)
    mount = place.mount()
    result = place.fetch(options=place.options())
    case.expect(result.status == 0, result)
    case.expect(f'mounted at {mount.mountpoint}'.encode() in result.out,
                result)
    place.all_is_there(mount, ['INBOX'])


@tap.test(limit=150)
def test_interrupt_ends_it_and_the_rest_comes_later(case):
    place = Place(case, messages=900, octets=12_000_000, rate_mbit=20)
    mount = place.mount()
    needs = _pending(mount)['needs']
    process = commands.start(case, '--fetch', mount.mountpoint,
                             data=place.data)
    case.expect(wait_until(lambda: place.received() > 3_000_000,
                           60 * tap.PATIENCE), 'nothing comes')
    process.send_signal(signal.SIGINT)
    process.wait(30 * tap.PATIENCE)
    said = process.stdout.read().decode()
    case.expect(process.returncode == -signal.SIGINT, process.returncode)
    case.expect('Stopped after' in said and 'they stay' in said, said)
    case.expect(wait_until(lambda: _is_idle(mount, needs),
                           30 * tap.PATIENCE, 0.2),
                'the daemon goes on', _pending(mount))
    place.proxy.set_rate(0)
    result = place.fetch(mount.mountpoint)
    case.expect(result.status == 0 and b'Fetched' in result.out, result)
    # What was on its way at that moment may come twice.
    case.expect(place.received() < place.total() + BESIDE + 2_000_000,
                f'{place.received()} octets for {place.total()}')
    place.all_is_there(mount, ['Many'])


def _pending(mount):
    with open(mount.path('.imapfs', 'status')) as file:
        return json.load(file)['pending']


def _is_idle(mount, needs):
    pending = _pending(mount)
    return pending['needs'] <= needs and pending['unwritten_bytes'] == 0


@tap.test(limit=150)
def test_interrupted_private_mount_goes(case):
    place = Place(case, messages=900, octets=12_000_000, rate_mbit=20)
    process = commands.start(case, '--fetch', place.url,
                             options=place.options(), data=place.data)
    case.expect(wait_until(lambda: place.received() > 2_000_000,
                           60 * tap.PATIENCE), 'nothing comes')
    process.send_signal(signal.SIGTERM)
    process.wait(30 * tap.PATIENCE)
    case.expect(process.returncode == -signal.SIGTERM, process.returncode)
    nothing_is_left(case)
    place.proxy.set_rate(0)
    result = place.fetch(options=place.options())
    case.expect(result.status == 0 and b'Fetched' in result.out, result)
    case.expect(place.received() < place.total() + BESIDE + 3_000_000,
                f'{place.received()} octets for {place.total()}')


@tap.test(limit=150)
def test_cache_that_is_too_small_is_told_before(case):
    place = Place(case, messages=200, octets=6_000_000)
    mount = place.mount(cache_size='3M')
    result = place.fetch(mount.mountpoint)
    case.expect(result.status == 1 and 'larger cache_size' in result.err
                and 'nothing was fetched' in result.err, result)
    case.expect(place.received() < BESIDE, place.received())
    small = place.fetch(mount.mountpoint, 'INBOX')
    case.expect(small.status == 0, small)


@tap.test(limit=150)
def test_mount_that_keeps_nothing_is_refused(case):
    place = Place(case, messages=20, octets=100_000)
    mount = place.mount(cache_dir='none')
    for result in (place.fetch(mount.mountpoint),
                   place.fetch(options=place.options(cache_dir='none'))):
        case.expect(result.status == 1 and 'keeps nothing' in result.err,
                    result)


@tap.test(limit=150)
def test_nothing_is_marked_as_read(case):
    place = Place(case, messages=20, octets=6_000_000)
    with dovecot.Client(place.server) as client:
        before = client.flags('Many')
    mount = place.mount(mark_seen=None)
    case.expect(place.fetch(mount.mountpoint).status == 0)
    case.expect(imapfs(case, '--wait', mount.mountpoint).status == 0)
    with dovecot.Client(place.server) as client:
        case.expect(client.flags('Many') == before, 'flags have changed')
    # Who reads as people do, does mark; who leaves no trace, does not.
    sizes = {uid: os.path.getsize(mount.path('Many', f'{uid}.eml'))
             for uid, flags in before.items() if '\\Seen' not in flags}
    one, other = sorted(sizes, key=sizes.get)[-2:]
    case.expect(sizes[one] > 300_000, 'no large one is unread', sizes)
    for uid, flags in ((one, []), (other, ['iflag=noatime'])):
        run('dd', f'if={mount.path("Many", f"{uid}.eml")}', 'of=/dev/null',
            'bs=1M', *flags, check=True)
    case.expect(imapfs(case, '--wait', mount.mountpoint).status == 0)
    with dovecot.Client(place.server) as client:
        after = client.flags('Many')
    case.expect('\\Seen' in after[one], 'reading does not mark')
    case.expect(after[other] == before[other], 'O_NOATIME marks')


@tap.test(limit=150)
def test_what_is_no_mount_or_no_folder_is_told(case):
    place = Place(case, messages=20, octets=100_000)
    result = imapfs(case, '--fetch', case.path())
    case.expect(result.status == 1 and 'is no mount of imapfs' in result.err
                and len(result.err.splitlines()) == 1, result)
    mount = place.mount()
    inside = mount.path('INBOX')
    for words in (['--fetch', inside], ['--wait', inside],
                  ['--status', inside]):
        result = imapfs(case, *words)
        case.expect(result.status == 1 and result.err ==
                    f'imapfs: {inside} is no mount of imapfs, but lies in the '
                    f'one at {mount.mountpoint}; name that\n', words, result)
    result = place.fetch(mount.mountpoint, 'INBOX', 'Nowhere')
    case.expect(result.status == 1 and 'Nowhere' in result.err, result)
    result = place.fetch(mount.mountpoint, options={'ro': None})
    case.expect(result.status == 1 and '-o is of no use' in result.err, result)
    wrong = place.options(password_file=commands.password_file(case, 'wr0ng'))
    result = place.fetch(place.url.replace('me@', 'other@'), options=wrong)
    case.expect(result.status == 1 and 'refuses the login' in result.err
                and len(result.err.splitlines()) == 1, result)
    nothing_is_left(case)


@tap.test(limit=150)
def test_line_that_goes_ends_it(case):
    place = Place(case, messages=900, octets=12_000_000, rate_mbit=20)
    mount = place.mount(timeout=3)
    process = commands.start(case, '--fetch', mount.mountpoint,
                             data=place.data)
    case.expect(wait_until(lambda: place.received() > 2_000_000,
                           60 * tap.PATIENCE), 'nothing comes')
    place.proxy.stop()
    process.wait(60 * tap.PATIENCE)
    said = process.stdout.read().decode()
    case.expect(process.returncode == 1, process.returncode, said)
    case.expect(re.search('unreachable|down|timed out|No route', said)
                and 'run this again' in said, said)


# ---- the bar

def _bar(case, width, shape):
    """What the terminal shows when a line of that shape is on it."""
    place = Place(case, messages=900, octets=12_000_000, rate_mbit=16)
    mount = place.mount()
    terminal = Terminal(case, [commands.BINARY, '--fetch', mount.mountpoint],
                        width=width, height=12,
                        environment=commands.environment(case, place.data))
    wait_until(lambda: place.received() > 1_500_000, 60 * tap.PATIENCE)
    text = terminal.wait_for(
        lambda screen: any(re.match(shape, line)
                           for line in screen.splitlines()), 'the bar')
    case.note(text)
    case.expect(text.startswith('before>\n'), text)
    return place, terminal, text.splitlines()[1:]


@tap.test(limit=150)
def test_bar_on_a_terminal_of_80_columns(case):
    shape = (r'^\[#+\.+\] +\d+ %  [\d,]+ of [\d,]+, [\d.]+ [kM]B, '
             r'[\d.]+ [kM]B/s, [\d:]+ (s|min) left$')
    place, terminal, lines = _bar(case, 80, shape)
    case.expect(len(lines) == 1, lines)
    place.proxy.set_rate(0)
    text = terminal.wait_for('after 0', 'the end')
    case.note(text)
    lines = text.splitlines()
    case.expect(lines[1].startswith('Fetched ')
                and lines[2].startswith('All 940 messages')
                and lines[3] == 'after 0' and not any(lines[4:]), text)


@tap.test(limit=150)
def test_bar_on_a_terminal_of_40_columns(case):
    shape = r'^[\d,]+/[\d,]+ [\d.]+ [kM]B [\d.]+ [kM]B/s [\d:]+ (s|min)$'
    place, terminal, lines = _bar(case, 40, shape)
    case.expect(len(lines) == 2 and re.match(r'^\[#+\.+\] +\d+ %$', lines[0])
                and re.match(shape, lines[1]), lines)
    terminal.press('C-c')
    text = terminal.wait_for('after 130', 'the end')
    case.note(text)
    case.expect('Stopped after' in text and '[#' not in text, text)
    place.proxy.set_rate(0)


@tap.test(limit=150)
def test_lines_without_a_terminal(case):
    place = Place(case, messages=900, octets=12_000_000, rate_mbit=10)
    mount = place.mount()
    process = commands.start(case, '--fetch', mount.mountpoint,
                             data=place.data)
    first = process.stdout.readline().decode()
    case.expect(re.match(r'^(Looking|[\d,]+ of [\d,]+ messages, [\d.]+ [kM]B '
                         r'of [\d.]+ MB, [\d.]+ [kM]B/s, .* left)', first),
                first)
    place.proxy.set_rate(0)
    rest = process.stdout.read().decode()
    process.wait(60 * tap.PATIENCE)
    case.expect(process.returncode == 0 and 'All 940' in rest
                and '\r' not in first + rest and '\x1b' not in first + rest,
                first, rest)


if __name__ == '__main__':
    tap.main()
