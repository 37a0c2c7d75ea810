"""A line that is cut, silent and back at random, a mount that is used all the
while, and what must be true of every answer."""

import bisect
import contextlib
import errno
import json
import os
import random
import subprocess
import sys
import time

import dovecot
import stalls
from command import run, wait_until
from mount import Mount
from proxy import Proxy
from tap import PATIENCE

READER = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                      'timed_reader.py')
# What a program may see while the line is gone; nothing of these for what is
# cached.
ERRNOS = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETDOWN}
CACHED, FRESH, LISTED = 'Cached', 'Fresh', 'Listed'
TIMEOUT = 3
MARGIN = 2 * PATIENCE
LIVE_AGAIN = 5 * PATIENCE
STUCK = 60 * PATIENCE


def prepare(server):
    """Mail for it."""
    server.generate(flat=CACHED, messages=40, seed=1)
    server.generate(flat=FRESH, messages=1500, total_bytes=60_000_000, seed=2)
    server.generate(flat=LISTED, messages=400, seed=3)


class Reader:
    """One timed_reader, and what it has said."""

    def __init__(self, output, kind, seed, pause, folder, names=()):
        self.output = output
        with open(output, 'wb') as out:
            self.process = subprocess.Popen(
                [sys.executable, READER, kind, str(seed), str(pause), folder,
                 *names],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def stop(self, limit):
        """Whether it has ended by itself."""
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(limit)
            return True
        return False

    def kill(self):
        self.process.kill()
        self.process.wait()

    def records(self):
        with open(self.output) as lines:
            return [json.loads(line) for line in lines if line.endswith('\n')]


class Trouble:
    """expect(condition, words...) notes failures, as a Case's does."""

    def __init__(self, case, server, seed):
        self.case = case
        self.server = server
        self.source = random.Random(seed)
        self.proxy = Proxy(server.tls_port, case)
        self.mount = None
        self.readers = []
        self.moved = []  # when octets had moved, by time.monotonic()
        self.deeds = []  # (time, what)
        self.wanted = {folder: dovecot.stored_digests(server, folder)
                       for folder in (CACHED, FRESH, LISTED)}

    def start(self):
        server = self.server
        self.mount = Mount(
            self.case, f'imaps://{server.user}@localhost:{self.proxy.port}/',
            {'ca_file': server.ca_file, 'names': 'uid', 'timeout': TIMEOUT,
             'poll': 1}, password=dovecot.password(server))
        found = dovecot.copied_digests(self.mount.path(CACHED))
        self.case.expect(found == self.wanted[CACHED], 'first reading failed')
        for folder in (FRESH, LISTED):
            run('ls', self.mount.path(folder), check=True)

    def use(self, seconds):
        """For as long."""
        names = {folder: [f'{uid}.eml' for uid in self.wanted[folder]]
                 for folder in self.wanted}
        # What is fetched is cached: those that fetch must not come to an end.
        rest = 0.4 * max(1, seconds / 150)
        plan = [('read', 0.05, CACHED), ('read', 0.05, CACHED),
                ('stat', 0.05, CACHED), ('list', 0.05, CACHED),
                ('read', rest, FRESH), ('read', rest, FRESH),
                ('list', 0.1, FRESH), ('list', 0.1, LISTED),
                ('find', 0.2, '')]
        for number, (kind, pause, folder) in enumerate(plan):
            reader = Reader(self.case.path(f'reader-{number}'), kind,
                            self.source.getrandbits(32), pause,
                            self.mount.path(folder),
                            names[folder] if kind in ('read', 'stat') else ())
            self.case.defer(reader.kill)
            self.readers.append(reader)

    # The line

    def _watch(self, seconds):
        """Notes when octets move, as long."""
        end = time.monotonic() + seconds
        last = None
        while time.monotonic() < end:
            counts = self.proxy.counts()
            total = counts['to_server'] + counts['to_client']
            if total != last:
                self.moved.append(time.monotonic())
            last = total
            time.sleep(0.02)

    def _do(self, what):
        self.deeds.append((time.monotonic(), what))
        getattr(self.proxy, what)()

    def disturb(self, seconds):
        """The line is cut, silent for a while, or both, again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._watch(self.source.uniform(0.1, 4))
            deed = self.source.choice(('cut', 'hold', 'hold', 'hold and cut'))
            if deed == 'cut':
                self._do('cut')
                continue
            self._do('hold')
            # Some are longer than the timeout.
            self._watch(self.source.uniform(0.2, 2.5 * TIMEOUT))
            if deed == 'hold and cut':
                self._do('cut')
                self._watch(self.source.uniform(0, TIMEOUT))
            self._do('resume')

    def restore(self):
        """After one more outage, in which mail arrives, all is live again."""
        self._do('hold')
        with dovecot.Client(self.server) as client:
            client.imap.append(LISTED, None, None,
                               b'Subject: news\r\n\r\nhello\r\n')
        self._watch(self.source.uniform(0.5, 2 * TIMEOUT))
        self._do('resume')
        started = time.monotonic()
        count = len(self.wanted[LISTED]) + 1

        def is_live():
            listing = run('ls', self.mount.path(LISTED), limit=60)
            return listing.clean and listing.out.count(b'.eml') == count

        live = wait_until(is_live, LIVE_AGAIN, 0.05)
        self.case.expect(live, 'not live again', LIVE_AGAIN, 's after the line')
        uid = self.source.choice(list(self.wanted[FRESH]))
        fresh = run('sha256sum', self.mount.path(FRESH, f'{uid}.eml'), limit=60)
        self.case.expect(fresh.out.split()[:1]
                         == [self.wanted[FRESH][uid].encode()], fresh)
        self.case.note(f'live again after {time.monotonic() - started:.2f} s')

    # The verdict

    def _silence(self, record):
        """The longest time within a call in which no octet moved, although the
        machine let programs go on."""
        first = bisect.bisect_left(self.moved, record['began'])
        last = bisect.bisect_right(self.moved, record['ended'])
        times = [record['began'], *self.moved[first:last], record['ended']]
        return max(after - before - stalls.lost(before, after)
                   for before, after in zip(times, times[1:]))

    def _judge_error(self, record, folder):
        number = record['errno']
        name = errno.errorcode.get(number, number)
        self.case.expect(number in ERRNOS, f'{name} from', record)
        self.case.expect(folder != CACHED, f'{name} of what is cached:', record)

    def _judge_result(self, record, folder):
        wanted = self.wanted.get(folder)
        result = record['result']
        if record['kind'] == 'read':
            uid = int(os.path.basename(record['path']).split('.')[0])
            self.case.expect(result == wanted[uid], 'wrong octets:', record)
        elif record['kind'] == 'list':
            found = {int(name.split('.')[0]) for name in result}
            # One may have arrived at the end.
            self.case.expect(found >= wanted.keys()
                             and len(found) <= len(wanted) + 1,
                             f'a listing of {len(found)} for {len(wanted)}')
        elif record['kind'] == 'find':
            every = {f'{folder}/{uid}.eml' for folder in self.wanted
                     for uid in self.wanted[folder]}
            self.case.expect(every <= set(result), 'find missed',
                             len(every - set(result)))

    def judge(self):
        for reader in self.readers:
            self.case.expect(reader.stop(STUCK), 'a reader hangs:',
                             reader.output)
        failed = done = 0
        longest = 0
        for reader in self.readers:
            for record in reader.records():
                folder = os.path.relpath(record['path'],
                                         self.mount.mountpoint).split('/')[0]
                silence = self._silence(record)
                longest = max(longest, silence)
                # A program that asks for much may be silent more than once.
                self.case.expect(silence <= TIMEOUT + MARGIN
                                 or record['kind'] == 'find',
                                 f'{silence:.1f} s of silence:', record['kind'],
                                 record['path'], record.get('errno'))
                done += 1
                if 'errno' in record:
                    failed += 1
                    self._judge_error(record, folder)
                else:
                    self._judge_result(record, folder)
        self.case.note(f'{len(self.deeds)} deeds, {done} calls, {failed} '
                       f'failed, longest silence {longest:.2f} s')
        self.case.expect(failed > 0, 'the line was never missed')
        self.case.expect(self.mount.is_alive(), 'the daemon is gone')
