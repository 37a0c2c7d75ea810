#!/usr/bin/env python3
"""While the server is away, and when it comes back as another one: what was
known is served at once, the rest fails in time and with the right errno, and
what has changed is noticed."""

import errno
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import certificates
import dovecot
import stalls
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, Message, make_message, simple_mailbox
from mount import Mount, mount_fails
from proxy import Proxy
from scene import Scene

# Seconds, of programs that begin on a machine that does more: whoever waited for
# the server would be served after its timeout.
AT_ONCE = 1.5 if not tap.SANITIZED else 2
SOON = 20 * tap.PATIENCE


class Line:
    """A scripted server behind a line that can be taken away."""

    def __init__(self, case, *, timeout=8, mailboxes=None, **options):
        self.case = case
        mailboxes = mailboxes or [simple_mailbox(count=8),
                                  simple_mailbox('Other', count=3)]
        scene = Scene(case, mailboxes, timeout=timeout)
        self.scene, self.server = scene, scene.server
        self.proxy = Proxy(self.server.port, case)
        self.port = self.proxy.port
        self.data = case.path('data')
        os.makedirs(self.data, exist_ok=True)
        self.options = {'timeout': timeout, 'names': 'uid', 'tls': 'off',
                        'poll': 1, **options}
        self.limit = timeout + 2 * tap.PATIENCE
        self.mount = None

    @property
    def url(self):
        return f'imap://alice@127.0.0.1:{self.port}/'

    def start(self, **named):
        self.mount = Mount(self.case, self.url, self.options, data=self.data,
                           **named)
        self.scene.mount = self.mount
        return self.mount

    def gone(self):
        """Connections are reset, and new ones refused."""
        self.proxy.stop()

    def back(self):
        self.proxy = Proxy(self.server.port, self.case, port=self.port)

    def ls(self, folder='INBOX', limit=None):
        return run('ls', '-f', self.mount.path(folder),
                   limit=limit or self.limit + 5)

    def cat(self, uid, folder='INBOX', limit=None):
        return run('cat', self.mount.path(folder, f'{uid}.eml'),
                   limit=limit or self.limit + 5)

    def body(self, uid, folder='INBOX'):
        return self.server.find(folder).get(uid).body

    def shows(self, folder='INBOX'):
        """Whether ls says what the server has."""
        result = self.ls(folder)
        found = {int(uid) for uid in re.findall(r'(\d+)\.eml$',
                                                result.out.decode(), re.M)}
        return result.clean and found == {
            m.uid for m in self.server.find(folder).present}

    def add(self, uid, folder='INBOX'):
        self.server.find(folder).add(Message(uid, make_message(uid, 700)))

    def served_at_once(self, uids, folder='INBOX'):
        """What is known, as it was."""
        for result in (self.ls(folder), *(self.cat(uid, folder)
                                          for uid in uids)):
            self.case.expect(result.clean and result.taken < AT_ONCE,
                             'not served at once:', result)
        for uid in uids:
            self.case.expect(self.cat(uid, folder).out
                             == self.body(uid, folder), 'wrong bytes')

    def fails(self, result, *errnos):
        words = [os.strerror(number) for number in errnos]
        self.case.expect(not result.ok and any(w in result.err for w in words),
                         'not the right error:', result)
        self.case.expect(result.taken < self.limit, 'too late:', result)

    def said(self, *words):
        return wait_until(lambda: all(word in self.mount.messages()
                                      for word in words), SOON)

    def expect_said(self, *words):
        self.case.expect(self.said(*words), 'it did not say', words, ':',
                         self.mount.messages()[-1500:])


# ---- away

@tap.test
def test_refused_connection_leaves_what_is_known(case):
    line = Line(case)
    line.start()
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.gone()
    line.fails(line.cat(4), errno.EHOSTUNREACH, errno.ENETDOWN)
    line.fails(line.ls('Other'), errno.EHOSTUNREACH, errno.ENETDOWN)
    time.sleep(1.2)  # what is known has grown old
    line.served_at_once([3])
    stat = run('stat', line.mount.path('INBOX/5.eml'), limit=line.limit)
    case.expect(stat.clean and stat.taken < AT_ONCE, stat)
    line.expect_said('Connection refused', 'is shown as it was')
    line.add(20)
    line.back()
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live again')
    case.expect(line.cat(4).out == line.body(4), 'wrong bytes')
    line.expect_said('can be reached again')


@tap.test
def test_black_hole_leaves_what_is_known(case):
    """Only the first who waits finds out by waiting, and not for long."""
    line = Line(case, timeout=6)
    line.start()
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.proxy.hold()
    time.sleep(1.2)
    first = line.ls()
    case.expect(first.clean and first.taken < 4.5, first)
    line.fails(line.cat(4), errno.ETIMEDOUT)
    line.served_at_once([3])
    line.add(20)
    line.proxy.resume()
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live again')


@tap.test
def test_line_comes_back_unasked(case):
    """The kernel answers from what it has; still what is new shows soon, for
    what is in use is brought up to date."""
    line = Line(case, poll=3600)
    line.start()
    case.expect(line.shows(), 'first reading failed')
    line.gone()
    time.sleep(2)
    line.add(20)
    mark = line.server.mark()
    line.back()
    case.expect(wait_until(lambda: line.server.saw('EXAMINE INBOX*', mark)
                           or line.server.saw('EXAMINE "INBOX*', mark), SOON),
                'nothing was asked')
    case.expect(wait_until(line.shows, SOON, 0.05),
                'the kernel still has the old list')


@tap.test
def test_attempts_nobody_asks_for_become_rare(case):
    line = Line(case, poll=3600)
    line.start()
    case.expect(line.shows(), 'first reading failed')
    line.server.hooks['greeting'] = lambda one, *_: one.close()
    line.server.drop_connections()
    before = len(line.server.connections)
    time.sleep(8)
    attempts = len(line.server.connections) - before
    case.note(f'{attempts} attempts in 8 s')
    case.expect(attempts <= 7, f'{attempts} attempts')
    case.expect(wait_until(
        lambda: len(line.server.connections) - before >= 2, SOON), 'too few')
    line.server.behave()
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live again')


@tap.test
def test_server_that_hangs_up_is_not_stormed(case):
    """It lets us in, and hangs up as soon as a mailbox is selected."""
    line = Line(case, poll=3600)
    line.start()
    case.expect(line.shows(), 'first reading failed')
    line.server.hooks['EXAMINE'] = lambda one, *_: one.close()
    before = len(line.server.connections)
    line.server.drop_connections()
    time.sleep(8)
    made = len(line.server.connections) - before
    case.note(f'{made} connections in 8 s')
    case.expect(made <= 30, f'{made} connections')
    line.server.behave()
    line.add(20)
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live again')


@tap.test
def test_retries_do_not_add_up(case):
    """A line that is silent, is cut, and is silent again: all of that is one
    silence for who waits."""
    line = Line(case, timeout=4)
    line.start()
    case.expect(line.shows(), 'first reading failed')
    line.proxy.hold()
    import subprocess
    clock = stalls.Clock()
    reader = subprocess.Popen(['cat', line.mount.path('INBOX/4.eml')],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    case.defer(reader.wait)
    case.defer(reader.kill)
    time.sleep(3)
    line.proxy.cut()
    reader.wait(60)
    took = clock.seconds()
    case.note(f'{took:.1f} s')
    case.expect(reader.returncode != 0 and took < line.limit, took)


# ---- mounted without a server

@tap.test
def test_offline_mount_shows_the_cache(case):
    line = Line(case)
    line.start()
    case.expect(line.shows() and line.shows('Other') and line.cat(3).clean,
                'first reading failed')
    inodes = run('ls', '-i', line.mount.path('INBOX')).out
    line.mount.unmount()
    line.gone()
    mount_fails(case, line.url, line.options, data=line.data)
    line.options['offline_ok'] = None
    line.start()
    line.served_at_once([3])
    case.expect(line.shows('Other'), 'another list')
    case.expect(run('ls', '-i', line.mount.path('INBOX')).out == inodes,
                'other inode numbers')
    line.fails(line.cat(4), errno.EHOSTUNREACH, errno.ENETDOWN)
    line.expect_said('Connection refused', 'what is in the cache')
    line.add(20)
    line.back()
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live')
    case.expect(line.cat(4).out == line.body(4), 'wrong bytes')


@tap.test
def test_offline_mount_in_a_black_hole_begins_soon(case):
    line = Line(case, timeout=3)
    line.start()
    case.expect(line.shows(), 'first reading failed')
    line.mount.unmount()
    line.proxy.hold()
    line.options['offline_ok'] = None
    line.start()
    case.expect(line.mount.taken < line.limit, line.mount.taken)
    line.served_at_once([])
    line.proxy.resume()
    line.add(20)
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live')


@tap.test
def test_offline_mount_without_a_cache_fails_until_the_server_is_there(case):
    line = Line(case, offline_ok=None)
    line.gone()
    line.start()
    line.fails(line.ls(''), errno.EHOSTUNREACH)
    line.expect_said('nothing is in the cache')
    line.back()
    case.expect(wait_until(line.shows, SOON, 0.1), 'not live')


@tap.test
def test_offline_ok_is_no_excuse_for_a_wrong_password(case):
    line = Line(case, offline_ok=None)
    failure = mount_fails(case, line.url, line.options, password='wrong')
    case.expect('refuses the login' in failure.message, failure.message)


# ---- the login is refused

def command(case, name, text):
    """A command that prints the first line of a file, and counts its runs."""
    path = case.path(name)
    with open(path, 'w') as file:
        file.write(text + '\n')
    return path, f'echo x >> {path}.runs; head -n 1 {path}'


def runs(path):
    with open(path + '.runs') as file:
        return len(file.readlines())


@tap.test
def test_password_that_was_changed_is_obtained_again(case):
    path, words = command(case, 'word', 'secret')
    line = Line(case, password_command=words)
    line.start(password=None)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.server.account = ('alice', 'other')
    with open(path, 'w') as file:
        file.write('other\n')
    line.server.drop_connections()
    case.expect(wait_until(lambda: line.cat(4).out == line.body(4), SOON, 0.1),
                'not live again')
    case.expect(runs(path) == 2, f'the command was run {runs(path)} times')
    case.expect('other' not in line.mount.messages().replace('otherwise', ''),
                'the password is in the log')


@tap.test
def test_wrong_password_is_not_repeated(case):
    path, words = command(case, 'word', 'secret')
    # With several, two may be logging in when the first is refused.
    line = Line(case, password_command=words, connections=1)
    line.start(password=None)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.server.account = ('alice', 'other')
    mark = line.server.mark()
    line.server.drop_connections()
    line.fails(line.cat(4), errno.EACCES)
    time.sleep(1.2)
    line.served_at_once([3])
    line.fails(line.cat(4), errno.EACCES)
    line.fails(line.ls('Other'), errno.EACCES)
    logins = line.server.saw('AUTHENTICATE *', mark)
    case.expect(len(logins) == 1 and runs(path) == 2,
                f'{len(logins)} logins, {runs(path)} runs')
    line.expect_said('refuses the login', 'still the same',
                     'in 15 minutes, or at the next mount')


@tap.test
def test_new_password_that_is_wrong_too_is_tried_once(case):
    path, words = command(case, 'word', 'secret')
    line = Line(case, password_command=words)
    line.start(password=None)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.server.account = ('alice', 'other')
    with open(path, 'w') as file:
        file.write('another\n')
    mark = line.server.mark()
    line.server.drop_connections()
    for uid in (4, 4, 5, 6, 4, 5, 6):
        line.fails(line.cat(uid), errno.EACCES)
    line.served_at_once([3])
    tried = [login.text for login in line.server.saw('AUTHENTICATE *', mark)]
    # The one before, by one connection, and seldom by a second: the first was
    # refused before it was known that all others were lost. Then the new one.
    case.expect(1 <= tried.count(tried[0]) <= 2 and runs(path) == 2 and
                len(tried) == tried.count(tried[0]) + 1, tried,
                f'{runs(path)} runs')
    case.expect('going on with connections' not in line.mount.messages(),
                'taken for a limit:', line.mount.messages()[-1500:])


@tap.test
def test_command_that_fails_leaves_the_reason(case):
    line = Line(case, password_command='test ! -e failing && echo secret',
                timeout=4)
    line.start(password=None, cwd=case.directory)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    # The command runs where it ran first.
    with open(case.path('failing'), 'w'):
        pass
    line.server.account = ('alice', 'other')
    line.server.drop_connections()
    line.fails(line.cat(4), errno.EACCES)
    line.served_at_once([3])
    line.expect_said('password_command failed with exit status 1')


@tap.test
def test_typed_or_unchanged_password_file_is_not_repeated(case):
    line = Line(case, connections=1)
    line.start()
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.server.account = ('alice', 'other')
    mark = line.server.mark()
    line.server.drop_connections()
    line.fails(line.cat(4), errno.EACCES)
    line.fails(line.cat(5), errno.EACCES)
    line.served_at_once([3])
    case.expect(len(line.server.saw('AUTHENTICATE *', mark)) == 1, 'repeated')


@tap.test
def test_command_that_takes_its_time_holds_up_nobody(case):
    """What is cached is served while it runs, and what waits goes on."""
    path, words = command(case, 'word', 'secret')
    line = Line(case, timeout=30 * tap.PATIENCE, password_command=(
        f'while test -e {path}.slow; do sleep 0.1; done; {words}'))
    line.start(password=None)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.server.account = ('alice', 'other')
    with open(path, 'w') as file:
        file.write('other\n')
    with open(path + '.slow', 'w'):
        pass
    line.server.drop_connections()
    import subprocess
    reader = subprocess.Popen(['cat', line.mount.path('INBOX/4.eml')],
                              stdout=subprocess.PIPE)
    case.defer(reader.stdout.close)
    case.defer(reader.wait)
    case.defer(reader.kill)
    line.expect_said('trying once more')
    time.sleep(0.2)
    line.served_at_once([3])
    case.expect(reader.poll() is None, 'the command had ended before')
    os.unlink(path + '.slow')
    out, _ = reader.communicate(timeout=60)
    case.expect(out == line.body(4), 'who waited did not get it')


@tap.test
def test_expired_token_is_obtained_again(case):
    path, words = command(case, 'token', 'token-1')
    line = Line(case, token_command=words)
    line.server.capabilities = CAPABILITIES.replace('AUTH=PLAIN',
                                                    'AUTH=XOAUTH2')
    valid = ['token-1']

    def check(one, told):
        import base64
        answer = base64.b64decode(told.arguments[1]).decode()
        if f'Bearer {valid[0]}\1' not in answer:
            one.send(b'+ eyJzdGF0dXMiOiI0MDEifQ==\r\n')
            one.read_line()
            one.line(f'{told.tag} NO [AUTHENTICATIONFAILED] expired')
            return True
        one.authenticated = True
        one.line(f'{told.tag} OK welcome')
        return True

    line.server.hooks['AUTHENTICATE'] = check
    line.start(password=None)
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    valid[0] = 'token-2'
    with open(path, 'w') as file:
        file.write('token-2\n')
    line.server.drop_connections()
    case.expect(wait_until(lambda: line.cat(4).out == line.body(4), SOON, 0.1),
                'not live again')
    case.expect(runs(path) == 2, f'the command was run {runs(path)} times')


# ---- another one came back

@tap.test
def test_other_uidvalidity_after_a_cut_shows_no_old_message(case):
    line = Line(case)
    line.start()
    case.expect(line.shows() and line.cat(3).clean, 'first reading failed')
    line.gone()
    inbox = line.server.find('INBOX')
    inbox.uidvalidity += 1
    for message in inbox.messages:
        message.body = make_message(message.uid + 500, 900)
    line.back()
    case.expect(wait_until(lambda: line.cat(3).out == line.body(3), SOON, 0.1),
                'the old message is shown:', line.cat(3))
    case.expect(line.shows(), 'wrong list')
    case.expect(line.cat(5).out == line.body(5), 'wrong bytes')


@tap.test
def test_folder_made_again_while_away_shows_no_old_message(case):
    line = Line(case)
    line.start()
    case.expect(line.shows('Other') and line.cat(2, 'Other').clean,
                'first reading failed')
    line.gone()
    server = line.server
    server.mailboxes.remove(server.find('Other'))
    again = simple_mailbox('Other', count=2)
    again.uidvalidity += 7
    for message in again.messages:
        message.body = make_message(message.uid + 500, 900)
    server.mailboxes.append(again)
    line.back()
    case.expect(wait_until(lambda: line.cat(2, 'Other').out
                           == line.body(2, 'Other'), SOON, 0.1),
                'the old message is shown:', line.cat(2, 'Other'))
    case.expect(line.shows('Other'), 'wrong list')


@tap.test
def test_folder_deleted_while_away_is_gone(case):
    line = Line(case)
    line.start()
    case.expect(line.shows('Other'), 'first reading failed')
    line.gone()
    line.server.mailboxes.remove(line.server.find('Other'))
    line.back()
    case.expect(wait_until(lambda: 'No such file' in line.ls('Other').err, SOON,
                           0.1), 'still there:', line.ls('Other'))
    case.expect(line.shows(), 'INBOX is gone, too')


@tap.test
def test_other_certificate_is_refused_and_said(case):
    """Whoever answers there now is not our server: it is not asked, nothing is
    read but what is known, and the log says why."""
    one = dovecot.start_sample(case, messages=60)
    dovecot.open_all(one)
    proxy = Proxy(one.tls_port, case)
    mount = Mount(case, f'imaps://{one.user}@localhost:{proxy.port}/',
                  {'ca_file': one.ca_file, 'poll': 1, 'timeout': 4,
                   'names': 'uid'}, password=dovecot.password(one))
    uids = sorted(one.stored('INBOX'))
    first = mount.path(f'INBOX/{uids[0]}.eml')
    case.expect(run('cat', first).clean and run('ls', mount.path('INBOX')).clean,
                'first reading failed')
    trusted = one._certificate
    one.stop()
    proxy.cut()
    stranger = certificates.Authority(case.path('stranger'))
    one._certificate = stranger.issue('server', ('localhost', one.host))
    one.start()
    time.sleep(1.2)
    again = run('cat', first, limit=20)
    listing = run('ls', mount.path('INBOX'), limit=20)
    case.expect(again.clean and listing.clean, again, listing)
    folder = next(f for f in dovecot.folders(one)
                  if f != 'INBOX' and one.stored(f))
    path = mount.path(dovecot.mounted_path(folder))
    results = []

    def is_refused():
        # It may be told first that the server has gone, if that is all that is
        # known yet.
        results.append(run('ls', path, limit=20))
        return results[-1].ok or os.strerror(errno.EIO) in results[-1].err

    case.expect(wait_until(is_refused, SOON, 0.1) and not results[-1].ok,
                results[-1])
    case.expect('certificate' in mount.messages(), mount.messages())
    one.stop()
    proxy.cut()
    one._certificate = trusted
    one.start()
    case.expect(wait_until(lambda: run('ls', path, limit=20).clean, SOON, 0.1),
                'not live again')
    mount.unmount()


@tap.test
def test_connection_limit_is_lived_with(case):
    """Two connections at most; six programs at once."""
    line = Line(case, connections=6, timeout=6)
    open_lines = set()

    def limit(one, *_):
        alive = {c for c in open_lines if c.socket.fileno() >= 0}
        if len(alive) >= 2:
            one.send(b'* BYE [LIMIT] too many connections\r\n')
            one.close()
        open_lines.add(one)
        return False

    line.server.hooks['greeting'] = limit
    line.start()
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(
            lambda n: line.cat(n % 3 + 1, 'Other' if n % 2 else 'INBOX',
                               limit=30), range(12)))
    for result in results:
        case.expect(result.clean, result)
    case.expect(line.shows() and line.shows('Other'), 'wrong list')


if __name__ == '__main__':
    tap.main(jobs=4)
