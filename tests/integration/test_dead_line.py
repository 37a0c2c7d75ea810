#!/usr/bin/env python3
"""A line that is dead without anybody saying so. A proxy on this machine would
still acknowledge what it is sent, so both ends are in network namespaces, with
a router between them."""

import errno
import os
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import netns
import tap
from command import run, wait_until
from mount import Mount
from sample_server import SampleServer

SOON = 5 * tap.PATIENCE  # seconds

# A message that is not fetched because the first is read.
FAR = 150


class FarServer(SampleServer):
    host = netns.SERVER


class Far:
    """A Dovecot beyond a router. The test itself is at the server's end."""

    def __init__(self, case):
        self.case = case
        self.network = netns.Network(case)
        self.network.server.enter()
        directory = tempfile.mkdtemp(prefix='imapfs-far-')
        case.defer(shutil.rmtree, directory, True)
        os.chmod(directory, 0o711)
        self.server = FarServer(directory + '/d',
                                names=('localhost', netns.SERVER))
        self.server.generate(flat='INBOX', messages=300, total_bytes=6000000)
        case.defer(self.server.remove)
        case.defer(self.server.stop)
        self.server.start()
        dovecot.open_all(self.server)
        self.uids = sorted(self.server.stored('INBOX'))
        self.mount = None

    def start(self, **options):
        server = self.server
        self.mount = Mount(
            self.case,
            f'imaps://{server.user}@{netns.SERVER}:{server.tls_port}/',
            {'ca_file': server.ca_file, 'names': 'uid', **options},
            password=dovecot.password(server), limit=40,
            prefix=self.network.client.words())

    def connections(self):
        return len(self.network.established(self.server.tls_port))

    def shows(self, extra=0):
        result = run('ls', self.mount.path('INBOX'), limit=60)
        return result.clean and result.out.count(b'.eml') == \
            len(self.uids) + extra

    def cat(self, index):
        return run('cat', self.mount.path(f'INBOX/{self.uids[index]}.eml'),
                   limit=60)

    def append(self):
        with dovecot.Client(self.server) as client:
            client.imap.append('INBOX', None, None,
                               b'Subject: while you were out\r\n\r\nhello\r\n')

    def fails_in_time(self, result, timeout):
        words = [os.strerror(number) for number in (
            errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETDOWN)]
        self.case.note(f'{result.seconds:.1f} s: {result.err.strip()}')
        self.case.expect(not result.ok and any(w in result.err for w in words),
                         result)
        self.case.expect(result.taken < timeout + SOON,
                         'too late:', result)

    def noticed(self, limit):
        started = time.monotonic()
        gone = wait_until(lambda: self.connections() == 0, limit)
        self.case.note(f'noticed after {time.monotonic() - started:.1f} s')
        self.case.expect(gone, f'{self.connections()} connections are taken '
                         f'for good after {limit} s')

    def live_again(self, extra):
        self.case.expect(wait_until(lambda: self.shows(extra), SOON, 0.1),
                         'not live again:', self.mount.messages()[-1500:])
        for index in (5, 6):
            self.case.expect(self.cat(index).ok, 'cat failed')


@tap.test(limit=90)
def test_silence_is_noticed_while_in_use(case):
    """Half a minute at the default timeout; here a fifth of that."""
    far = Far(case)
    far.start(timeout=6, poll=1)
    case.expect(far.shows() and far.cat(0).ok, 'first reading failed')
    case.expect(far.connections() > 0, 'there is no connection')
    far.network.swallow()
    far.fails_in_time(far.cat(FAR), 6)
    far.noticed(6)
    case.expect(far.shows() and far.cat(0).ok, 'what is known is not served')
    far.append()
    far.network.pass_again()
    far.live_again(1)


@tap.test(limit=90)
def test_silence_is_noticed_while_idle(case):
    """Three minutes at the default timeout; here a tenth of that."""
    far = Far(case)
    far.start(timeout=3, poll=3600)
    case.expect(far.shows() and far.cat(0).ok, 'first reading failed')
    case.expect(far.connections() > 0, 'there is no connection')
    time.sleep(2)  # nothing is under way any more
    far.network.swallow()
    far.noticed(18)
    far.append()
    far.network.pass_again()
    far.live_again(1)


@tap.test(limit=90)
def test_link_of_the_server_that_goes_down_is_noticed(case):
    far = Far(case)
    far.start(timeout=6, poll=1)
    case.expect(far.shows() and far.cat(0).ok, 'first reading failed')
    far.network.take_down()
    far.fails_in_time(far.cat(FAR), 6)
    far.noticed(6)
    far.append()
    far.network.bring_up()
    far.live_again(1)


@tap.test(limit=90)
def test_change_of_network_is_noticed_at_once(case):
    """Although nothing is in use, and the timeout is long."""
    far = Far(case)
    far.start(timeout=60, poll=3600)
    case.expect(far.shows() and far.cat(0).ok, 'first reading failed')
    far.network.unplug()
    far.noticed(8)
    far.append()
    far.network.plug_in()
    started = time.monotonic()
    case.expect(wait_until(lambda: far.connections() > 0, SOON),
                'no connection was made')
    case.note(f'connected after {time.monotonic() - started:.1f} s')
    far.live_again(1)


@tap.test(limit=90)
def test_change_of_network_that_does_no_harm_is_none(case):
    """A connection that still works is kept."""
    far = Far(case)
    far.start(timeout=30, poll=3600)
    case.expect(far.shows() and far.cat(0).ok, 'first reading failed')
    before = far.network.established(far.server.tls_port)
    far.network.client.ip('addr', 'add', '10.99.7.7/24', 'dev',
                         netns.LINK)
    far.network.client.ip('addr', 'del', '10.99.7.7/24', 'dev',
                         netns.LINK)
    time.sleep(6)  # longer than a probe may take
    case.expect(far.network.established(far.server.tls_port)[0][1]
                == before[0][1], 'another connection')
    case.expect(far.shows() and far.cat(1).ok, 'reading failed')


if __name__ == '__main__':
    tap.main(jobs=3)
