#!/usr/bin/env python3
"""The hidden directory: what `events` tells of what another client does, and
whether what `status` says is true."""

import email
import errno
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import stalls
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, Message, make_message, simple_mailbox
from mount import BINARY, Mount
from proxy import Proxy
from scene import Scene

AT_ONCE = 2.0 * tap.PATIENCE  # test_interrupt.py measures it alone
HIDDEN = '.imapfs'
CONTENT = ['.', '..', 'README', 'events', 'flags', 'lost+found', 'status',
           'wait']


class Events:
    """A program that reads events: cat, from when it has begun to wait."""

    def __init__(self, case, mount):
        self.events = []
        self.process = subprocess.Popen(
            ['cat', mount.path(HIDDEN, 'events')], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        case.defer(self.stop)
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()
        assert wait_until(lambda: status(mount)['pending']['event_readers']
                          > 0, 20 * tap.PATIENCE), 'cat does not read'

    def _read(self):
        for line in self.process.stdout:
            self.events.append(json.loads(line))

    def stop(self):
        self.process.kill()
        self.process.wait(20 * tap.PATIENCE)
        self.thread.join(10)
        self.process.stdout.close()
        self.process.stderr.close()

    def find(self, kind, **wanted):
        return [event for event in list(self.events) if event['kind'] == kind
                and all(event.get(key) == value
                        for key, value in wanted.items())]

    def expect(self, case, kind, limit=20, **wanted):
        found = wait_until(lambda: self.find(kind, **wanted),
                           limit * tap.PATIENCE)
        case.expect(found, f'no event {kind} {wanted} among', self.events[-20:])
        return found[0] if found else {}


def status(mount):
    with open(mount.path(HIDDEN, 'status')) as file:
        return json.load(file)


def names(path):
    return sorted(run('ls', '-a', path, check=True).out.decode().split())


def scripted(case, mailboxes=None, capabilities=None, background=False,
             **options):
    more = {'capabilities': capabilities} if capabilities else {}
    scene = Scene(case, mailboxes, timeout=10, names=options.pop('names', 'uid'),
                  options={'poll': 1, **options}, **more)
    scene.start(background=background)
    return scene


def real(case, names='subject', **more):
    server = dovecot.start_sample(case, messages=40)
    dovecot.open_all(server)
    mount = Mount(case, server.url, {'ca_file': server.ca_file, 'poll': 1,
                                     'names': names, **more},
                  password=dovecot.password(server))
    return server, mount


# ---- the directory

@tap.test
def test_directory_is_found_and_not_listed(case):
    scene = scripted(case)
    top = scene.mount.mountpoint
    case.expect(names(top) == ['.', '..', 'INBOX'], names(top))
    case.expect(names(scene.path(HIDDEN)) == CONTENT,
                names(scene.path(HIDDEN)))
    for name, mode, kind in (('', 0o500, 'directory'),
                             ('events', 0o400, 'regular empty file'),
                             ('status', 0o400, 'regular empty file')):
        said = run('stat', '-c', '%a %u %F', scene.path(HIDDEN, name),
                   check=True).out.decode().strip()
        case.expect(said == f'{mode:o} {os.getuid()} {kind}', name, said)
    for path in (scene.path(HIDDEN, 'nothing'), scene.path('INBOX', HIDDEN)):
        case.expect(not os.path.exists(path), path)
    # None of these may come across a file that never ends.
    for tool in (['find', top], ['grep', '-r', 'nowhere', top],
                 ['rsync', '-a', top + '/', case.path('copy')],
                 ['tar', '-cf', case.path('tar'), '-C', top, '.']):
        result = run(*tool, limit=30)
        case.expect(result.status in (0, 1) and not result.err, result)
        case.expect(HIDDEN.encode() not in result.out, result)
    case.expect(not os.path.exists(case.path('copy', HIDDEN)))
    for flags in (os.O_WRONLY, os.O_RDWR, os.O_WRONLY | os.O_TRUNC):
        try:
            os.close(os.open(scene.path(HIDDEN, 'status'), flags))
            case.expect(False, 'it could be opened for writing')
        except OSError as error:
            case.expect(error.errno in (errno.EROFS, errno.EACCES), error)


@tap.test
def test_directory_with_xattr_has_none(case):
    scene = scripted(case, xattr=None)
    case.expect(os.listxattr(scene.path(HIDDEN, 'status')) == [])
    try:
        os.getxattr(scene.path(HIDDEN, 'status'), 'user.imap.uid')
        case.expect(False, 'it has a UID')
    except OSError as error:
        case.expect(error.errno == errno.ENODATA, error)


@tap.test
def test_mailbox_of_that_name_has_another(case):
    scene = scripted(case, [simple_mailbox(), simple_mailbox(HIDDEN, 2)])
    top = scene.mount.mountpoint
    case.expect(names(top) == ['%2Eimapfs', '.', '..', 'INBOX'], names(top))
    case.expect('2.eml' in names(scene.path('%2Eimapfs')))
    case.expect(names(scene.path(HIDDEN)) == CONTENT)


# ---- status

@tap.test
def test_status_is_true(case):
    server, mount = real(case)
    began = time.time()
    first = status(mount)
    case.expect(re.fullmatch(r'\d+\.\d+\.\d+', first['version']), first)
    case.expect(first['mountpoint'] == mount.mountpoint, first['mountpoint'])
    case.expect(first['account'] == {
        'user': server.user, 'host': 'localhost', 'port': server.tls_port,
        'tls': 'implicit'}, first['account'])
    case.expect(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z',
                             first['since']), first['since'])
    case.expect(first['mailboxes'] == [], first['mailboxes'])
    case.expect(first['line'] == 'online', first['line'])
    # Dovecot has NOTIFY.
    case.expect(wait_until(lambda: status(mount)['push'] == 'all',
                           20 * tap.PATIENCE),
                status(mount)['push'])
    listening = [c for c in status(mount)['connections'] if c['listens']]
    case.expect(len(listening) == 1 and listening[0]['users'] == 0, listening)
    case.expect(first['pending']['operations'] == 0, first['pending'])

    listed = [n for n in names(mount.path('INBOX')) if n.endswith('.eml')]
    second = status(mount)
    case.expect(second['traffic']['bytes_received'] >
                first['traffic']['bytes_received'], second['traffic'])
    case.expect(second['traffic']['round_trips'] >
                first['traffic']['round_trips'], second['traffic'])
    inbox = [m for m in second['mailboxes'] if m['name'] == 'INBOX']
    with dovecot.Client(server) as client:
        count = client.open('INBOX')
        validity = int(client.imap.response('UIDVALIDITY')[1][0])
    case.expect(len(inbox) == 1 and inbox[0]['complete']
                and not inbox[0]['failing']
                and inbox[0]['messages'] == count == len(listed)
                and inbox[0]['uidvalidity'] == validity, inbox, count)
    case.expect(abs(time.mktime(time.strptime(
        inbox[0]['synchronised'][:19], '%Y-%m-%dT%H:%M:%S')) - time.timezone
        - began) < 60, inbox)
    ready = [c for c in second['connections'] if c['state'] == 'ready'
             and c.get('mailbox') == 'INBOX']
    case.expect(ready and ready[0]['encrypted'] and ready[0]['number'] > 0
                and 0 < ready[0]['round_trip_ms'] < 5000
                and ready[0]['commands'] > 0, second['connections'])
    case.expect(sum(c['bytes_received'] for c in second['connections'])
                <= second['traffic']['bytes_received'])
    case.expect('UIDPLUS' in second['capabilities']
                and 'CONDSTORE' in second['capabilities_in_use']
                and set(second['capabilities_in_use'])
                <= set(second['capabilities']), second['capabilities_in_use'])

    path = mount.path('INBOX', listed[0])
    size = len(run('cat', path, check=True).out)
    third = status(mount)
    case.expect(third['traffic']['bytes_received'] >=
                second['traffic']['bytes_received'] + size,
                'the message is not in the octets received')
    case.expect(third['cache']['memory_bytes'] + third['cache']['disk_bytes']
                >= size, third['cache'])
    # The kernel has the octets, too: only this asks for them again.
    run('dd', 'if=' + path, 'of=/dev/null', 'bs=1M', 'iflag=direct',
        check=True)
    fourth = status(mount)
    case.expect(fourth['cache']['hits'] > third['cache']['hits'],
                third['cache'], fourth['cache'])
    case.expect(fourth['cache']['messages_known'] == count, fourth['cache'])


@tap.test
def test_octets_of_the_status_are_those_on_the_line(case):
    server = dovecot.start_sample(
        case, messages=100, extra='protocol imap {\n  mail_plugins = '
        '$mail_plugins imap_zlib\n}')
    taken = {}
    for compress in ('on', 'off'):
        proxy = Proxy(server.tls_port, case)
        mount = Mount(case, f'imaps://{server.user}@localhost:{proxy.port}/',
                      {'ca_file': server.ca_file, 'compress': compress},
                      password=dovecot.password(server))
        run('cp', '-r', mount.path('INBOX'), case.path('copy-' + compress),
            check=True)
        said = status(mount)
        counted = proxy.counts()
        for ours, theirs in (('bytes_received', 'to_client'),
                             ('bytes_sent', 'to_server')):
            octets = said['traffic'][ours]
            # TLS adds some to each record, and its handshakes.
            case.expect(counted[theirs] * 0.5 - 20000 < octets
                        < counted[theirs], compress, ours, octets, counted)
        taken[compress] = said['traffic']['bytes_received']
        case.expect(all(c['compressed'] == (compress == 'on')
                        for c in said['connections']
                        if c['state'] == 'ready'), said['connections'])
        case.expect(('COMPRESS=DEFLATE' in said['capabilities_in_use'])
                    == (compress == 'on'), said['capabilities_in_use'])
    case.expect(taken['on'] < taken['off'] * 0.8, taken)


@tap.test
def test_status_is_read_by_everything(case):
    scene = scripted(case, [simple_mailbox(f'Box{n}', 2) for n in range(80)]
                     + [simple_mailbox()])
    for number in range(80):
        names(scene.path(f'Box{number}'))
    path = scene.path(HIDDEN, 'status')
    whole = run('cat', path, check=True).out
    case.expect(len(whole) > 16384, 'this test is about several reads')
    for tool in (['cat', path], ['jq', '.', path],
                 ['dd', 'if=' + path, 'bs=100'], ['tail', '-c', '+1', path],
                 ['head', '-c', '1000000', path],
                 [sys.executable, '-c', 'import sys; '
                  'sys.stdout.write(open(sys.argv[1]).read())', path],
                 ['sed', '', path], ['grep', '', path]):
        result = run(*tool, check=True)
        parsed = json.loads(result.out)
        case.expect(len(parsed['mailboxes']) == 80, tool)
    run('cp', path, case.path('copy'), check=True)
    with open(case.path('copy')) as file:
        json.load(file)
    # What is read in pieces is one text, whatever happens meanwhile.
    with open(path, 'rb', buffering=0) as file:
        pieces = file.read(1000)
        names(scene.path('INBOX'))
        while piece := file.read(1000):
            pieces += piece
        case.expect(len(json.loads(pieces)['mailboxes']) == 80)
        file.seek(0)
        case.expect(file.read(1000) == pieces[:1000], 'another text')


@tap.test
def test_status_tells_no_secret(case):
    server, mount = real(case)
    names(mount.path('INBOX'))
    reader = Events(case, mount)
    with dovecot.Client(server) as client:
        client.imap.append('INBOX', None, None, make_message(1))
    reader.expect(case, 'new')
    text = run('cat', mount.path(HIDDEN, 'status'), check=True).out.decode()
    text += json.dumps(reader.events)
    case.expect(dovecot.password(server) not in text, 'the password is there')
    case.expect('password' not in text.lower(), text)


@tap.test
def test_status_keeps_the_last_errors(case):
    scene = scripted(case)
    reader = Events(case, scene.mount)
    scene.server.hooks['UID FETCH'] = scene.server.hooks['UID SEARCH'] = \
        lambda line, command: line.send(
            f'{command.tag} NO out of order\r\n'.encode()) or True
    run('ls', scene.path('INBOX'))
    errors = wait_until(lambda: status(scene.mount)['last_errors'],
                        20 * tap.PATIENCE)
    case.expect(errors and re.match(r'INBOX .*out of order', errors[-1]['text']),
                errors)
    case.expect(len(errors) <= 20)
    reader.expect(case, 'error')


@tap.test
def test_nothing_is_pending_when_all_is_done(case):
    _, mount = real(case)
    os.makedirs(mount.path('Kept'))
    name = names(mount.path('INBOX'))[2]
    run('cp', mount.path('INBOX', name), mount.path('Kept/copy.eml'),
        check=True)
    run('mv', mount.path('INBOX', name), mount.path('Kept'), check=True)
    run('rm', mount.path('Kept/copy.eml'), check=True)
    run(BINARY, '--wait', mount.mountpoint, check=True)
    case.expect(wait_until(lambda: not any(status(mount)['pending'].values()),
                           30 * tap.PATIENCE), status(mount)['pending'])


@tap.test
def test_status_shows_who_waits(case):
    scene = scripted(case)
    names(scene.path('INBOX'))
    scene.server.hooks['UID FETCH'] = lambda line, command: line.hang()
    waiting = subprocess.Popen(['cat', scene.file(3)], stderr=subprocess.DEVNULL)
    case.defer(waiting.wait, 30)
    case.defer(waiting.kill)
    case.expect(wait_until(lambda: status(scene.mount)['pending']['operations']
                           == 1, 20 * tap.PATIENCE),
                status(scene.mount)['pending'])
    pending = status(scene.mount)['pending']
    case.expect(pending['needs'] >= 1, pending)
    waiting.send_signal(signal.SIGINT)
    waiting.wait(20 * tap.PATIENCE)
    case.expect(wait_until(lambda: status(scene.mount)['pending']['operations']
                           == 0, 20 * tap.PATIENCE),
                status(scene.mount)['pending'])
    case.expect(wait_until(lambda: status(scene.mount)['pending']['needs']
                           == 0, 20 * tap.PATIENCE),
                status(scene.mount)['pending'])
    Events(case, scene.mount)
    pending = status(scene.mount)['pending']
    case.expect(pending['operations'] == 0 and pending['event_readers'] == 1,
                pending)


# ---- events

@tap.test
def test_events_wait_longer_than_any_server(case):
    """Nothing happens for longer than the time-out, and nobody asks."""
    scene = scripted(case, poll=60, timeout=3)
    names(scene.path('INBOX'))
    reader = Events(case, scene.mount)
    case.expect(not wait_until(lambda: reader.process.poll() is not None, 6),
                'the reader has ended')


for naming in ('subject', 'uid'):
    @tap.test(name=f'events_tell_what_another_client_does_{naming}',
              arguments=(naming,))
    def changes(case, names_option):
        tell_changes(case, names_option)


def tell_changes(case, naming):
    server, mount = real(case, naming)
    before = set(names(mount.path('INBOX')))
    reader = Events(case, mount)
    # A connection may come meanwhile: the one that listens.
    case.expect(all(event['kind'] == 'connection' for event in reader.events),
                reader.events)
    with dovecot.Client(server) as client:
        client.imap.append('INBOX', '(\\Flagged)', None,
                           'From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\n'
                           'Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an alle\r\n'
                           '\r\nhello\r\n'.encode())
        new = reader.expect(case, 'new', mailbox='INBOX')
        case.expect(new.get('from') == 'Jürgen <j@example.org>' and
                    new.get('subject') == 'Grüße an alle' and
                    new.get('flags') == ['\\Flagged'], new)
        after = set(names(mount.path('INBOX')))
        case.expect({new.get('name')} == after - before, new, after - before)
        case.expect(new.get('name', '').endswith(f'{new.get("uid")}.eml'), new)
        case.expect(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z',
                                 new.get('time', '')), new)
        uid = new['uid']

        client.open('INBOX', readonly=False)
        client.imap.uid('STORE', str(uid), '+FLAGS', '(\\Seen $Later)')
        flags = reader.expect(case, 'flags', uid=uid, mailbox='INBOX')
        case.expect(flags.get('flags') == ['$Later', '\\Flagged', '\\Seen'],
                    flags)
        case.expect(flags.get('name') == new['name'], flags)

        client.expunge('INBOX', uid)
        gone = reader.expect(case, 'expunged', uid=uid, mailbox='INBOX')
        case.expect(gone.get('name') == new['name'], gone)

        client.imap.create('"Neu/' + dovecot.encode_name('Größe') + '"')
        reader.expect(case, 'mailbox', mailbox='Neu/Größe', action='created')
        gone = {'mailbox': 'Neu/Größe', 'action': 'deleted'}
        client.delete_folder('Neu/Größe',
                             lambda: reader.find('mailbox', **gone))
        case.expect(not client.has_folder('Neu/Größe'), 'it comes back')
        reader.expect(case, 'mailbox', **gone)
    case.expect(not reader.find('error'), reader.find('error'))
    case.expect(len(reader.find('new')) == 1 and
                len(reader.find('expunged')) == 1, reader.events)


@tap.test
def test_header_that_does_not_come_holds_no_event_for_long(case):
    scene = scripted(case)
    names(scene.path('INBOX'))
    reader = Events(case, scene.mount)
    asked = []

    def hang(line, command):
        if 'BODY.PEEK[]<0.' not in command.text:
            return False
        asked.append(command.text)
        line.hang()
        return True

    scene.server.hooks['UID FETCH'] = hang
    for uid in range(50, 300):
        scene.inbox.messages.append(Message(uid, make_message(uid)))
    case.expect(wait_until(lambda: len(reader.find('new')) == 250,
                           40 * tap.PATIENCE),
                len(reader.find('new')))
    case.expect(1 <= len(asked) <= 16, f'{len(asked)} headers at a time')
    case.expect([event['uid'] for event in reader.find('new')] ==
                list(range(50, 300)), 'another order')


@tap.test
def test_first_listing_is_no_news(case):
    server, mount = real(case)
    reader = Events(case, mount)
    for folder in dovecot.folders(server):
        names(mount.path(dovecot.mounted_path(folder)))
    with dovecot.Client(server) as client:
        client.imap.append('INBOX', None, None, make_message(1))
    reader.expect(case, 'new', mailbox='INBOX')
    case.expect(len(reader.find('new')) == 1, reader.find('new'))
    case.expect(not reader.find('mailbox'), reader.find('mailbox'))


@tap.test
def test_inbox_is_heard_of_without_being_looked_at(case):
    server, mount = real(case)
    reader = Events(case, mount)
    assert wait_until(lambda: any(
        m['name'] == 'INBOX' and m['complete']
        for m in status(mount)['mailboxes']), 20 * tap.PATIENCE), \
        'INBOX is not listed'
    with dovecot.Client(server) as client:
        client.imap.append('INBOX', None, None, make_message(1))
    reader.expect(case, 'new', mailbox='INBOX')
    case.expect(len(reader.find('new')) == 1, reader.events)
    # And of nothing else that nobody asked for.
    case.expect([m['name'] for m in status(mount)['mailboxes']] == ['INBOX'],
                status(mount)['mailboxes'])


@tap.test
def test_events_tell_of_lost_and_regained_connections(case):
    server = dovecot.start_sample(case, messages=10)
    proxy = Proxy(server.tls_port, case)
    mount = Mount(case, f'imaps://{server.user}@localhost:{proxy.port}/',
                  {'ca_file': server.ca_file, 'poll': 1},
                  password=dovecot.password(server))
    names(mount.path('INBOX'))
    reader = Events(case, mount)
    server.stop()
    proxy.cut()
    lost = reader.expect(case, 'connection', action='lost')
    case.expect(lost.get('connection', 0) > 0 and lost.get('text'), lost)
    reader.expect(case, 'connection', action='refused', limit=15)
    case.expect(wait_until(lambda: 'connection_error' in status(mount),
                           20 * tap.PATIENCE),
                status(mount))
    server.start()
    reader.expect(case, 'connection', action='opened', limit=20)
    case.expect(wait_until(lambda: 'connection_error' not in status(mount),
                           20 * tap.PATIENCE), status(mount))


def wait_for_polls(scene, *folders):
    """Returns when all these have just been polled, so that none is for a
    while: a move between the polls of two takes as long as the next is away."""
    mark = scene.server.mark()
    sets = {f'1:{len(folder.messages)}' for folder in folders}

    def all_polled():
        last = {command.text.split()[0]: command.time for command in
                scene.server.saw('UID FETCH * (UID FLAGS)', mark)}
        return sets <= last.keys() and \
            max(last.values()) - min(last.values()) < 0.4

    assert wait_until(all_polled, 20 * tap.PATIENCE), 'they are not polled'


@tap.test
def test_message_moved_elsewhere_is_one_event(case):
    """Where the server names contents; without, it goes and comes."""
    for capabilities, kind in ((CAPABILITIES + ' OBJECTID', 'moved'),
                               (CAPABILITIES, 'expunged')):
        inbox = simple_mailbox()
        message = inbox.get(2)
        message.email_id = 'M0001'
        scene = scripted(case, [inbox, simple_mailbox('Archive', 2)],
                         capabilities)
        names(scene.path('INBOX'))
        names(scene.path('Archive'))
        reader = Events(case, scene.mount)
        copy = Message(9, message.body)
        copy.email_id = message.email_id
        archive = scene.server.find('Archive')
        wait_for_polls(scene, scene.inbox, archive)
        with scene.server.changing:
            scene.inbox.messages.remove(message)
            archive.messages.append(copy)
        if kind == 'moved':
            moved = reader.expect(case, 'moved')
            case.expect((moved.get('mailbox'), moved.get('uid'),
                         moved.get('name')) == ('Archive', 9, '9.eml'), moved)
            case.expect((moved.get('old_mailbox'), moved.get('old_uid'),
                         moved.get('old_name')) == ('INBOX', 2, '2.eml'), moved)
            case.expect(not reader.find('new') and not reader.find('expunged'),
                        reader.events)
        else:
            reader.expect(case, 'expunged', mailbox='INBOX', uid=2)
            reader.expect(case, 'new', mailbox='Archive', uid=9)
            case.expect(not reader.find('moved'), reader.events)
        scene.mount.terminate()


@tap.test
def test_poll_select_and_epoll_wake(case):
    # One more connection would be an event, too.
    scene = scripted(case, connections=1)
    names(scene.path('INBOX'))
    path = scene.path(HIDDEN, 'events')
    fds = [os.open(path, os.O_RDONLY | os.O_NONBLOCK) for _ in range(3)]
    for fd in fds:
        case.defer(os.close, fd)
        try:
            os.read(fd, 100)
            case.expect(False, 'there is something already')
        except BlockingIOError:
            pass
    poll = select.poll()
    poll.register(fds[0], select.POLLIN)
    epoll = select.epoll()
    case.defer(epoll.close)
    epoll.register(fds[1], select.EPOLLIN)
    case.expect(poll.poll(0) == [] and epoll.poll(0) == []
                and select.select([fds[2]], [], [], 0) == ([], [], []))
    uid = 50
    for _ in range(3):
        woken = {}

        def wait(key, call):
            clock = stalls.Clock()
            woken[key] = (call(), clock.seconds())

        waiters = [threading.Thread(target=wait, args=each) for each in (
            ('poll', lambda: poll.poll(15000)),
            ('epoll', lambda: epoll.poll(15)),
            ('select', lambda: select.select([fds[2]], [], [], 15)[0]))]
        for waiter in waiters:
            waiter.start()
        uid += 1
        scene.inbox.messages.append(Message(uid, make_message(uid)))
        for waiter in waiters:
            waiter.join(20)
        case.expect(woken['poll'][0] == [(fds[0], select.POLLIN)], woken)
        case.expect(woken['epoll'][0] == [(fds[1], select.EPOLLIN)], woken)
        case.expect(woken['select'][0] == [fds[2]], woken)
        case.expect(max(took for _, took in woken.values()) < 8 * tap.PATIENCE,
                    woken)
        for fd in fds:
            event = json.loads(os.read(fd, 65536).splitlines()[0])
            case.expect(event['kind'] == 'new' and event['uid'] == uid, event)
        case.expect(poll.poll(0) == [], 'ready with nothing to read')
    # Mail is always ready, as it was without any of this.
    with open(scene.file(1), 'rb') as mail:
        case.expect(select.select([mail], [], [], 0)[0] == [mail])


@tap.test
def test_recipe_of_the_manual_works(case):
    scene = scripted(case)
    names(scene.path('INBOX'))
    script = ('select(.kind == "new" and .mailbox == "INBOX") | '
              '.from + "\\t" + .subject')
    program = subprocess.Popen(
        ['sh', '-c', f"jq --unbuffered -r '{script}' \"$1\" | "
         'while IFS=$(printf "\\t") read -r from subject; '
         'do echo "$subject from $from"; done', 'sh',
         scene.path(HIDDEN, 'events')],
        stdout=subprocess.PIPE, start_new_session=True, text=True)
    case.defer(program.stdout.close)
    case.defer(program.wait, 10)
    case.defer(os.killpg, program.pid, signal.SIGKILL)
    assert wait_until(lambda: status(scene.mount)['pending']['event_readers'],
                      20 * tap.PATIENCE), 'jq does not read'
    message = Message(70, make_message(70))
    scene.inbox.messages.append(message)
    wanted = email.message_from_bytes(message.body)
    case.expect(program.stdout.readline() ==
                f'{wanted["Subject"]} from {wanted["From"]}\n', wanted)


@tap.test
def test_line_longer_than_the_buffer_is_continued(case):
    # One more connection would be an event, too.
    scene = scripted(case, connections=1)
    names(scene.path('INBOX'))
    fd = os.open(scene.path(HIDDEN, 'events'), os.O_RDONLY)
    case.defer(os.close, fd)
    scene.inbox.messages.append(Message(60, make_message(60)))
    line = b''
    while not line.endswith(b'\n'):
        piece = os.read(fd, 7)
        case.expect(0 < len(piece) <= 7, piece)
        line += piece
    case.expect(json.loads(line)['uid'] == 60, line)


@tap.test(alone=True)
def test_reader_is_ended_by_interrupt(case):
    scene = scripted(case)
    reader = Events(case, scene.mount)
    clock = stalls.Clock()
    reader.process.send_signal(signal.SIGINT)
    reader.process.wait(20 * tap.PATIENCE)
    took = clock.seconds()
    case.expect(reader.process.returncode == -signal.SIGINT)
    case.expect(took <= AT_ONCE, f'it took {took:.2f} s')
    case.expect(wait_until(lambda: status(scene.mount)['pending']
                           ['event_readers'] == 0, 20 * tap.PATIENCE),
                status(scene.mount))


@tap.test(alone=True)
def test_reader_is_ended_by_the_end_of_the_mount(case):
    for end, background in (('signal', False), ('lazy', False), ('lazy', True)):
        scene = scripted(case, background=background)
        reader = Events(case, scene.mount)
        polled = os.open(scene.path(HIDDEN, 'events'), os.O_RDONLY)
        poll = select.poll()
        poll.register(polled, select.POLLIN)
        case.expect(poll.poll(0) == [])
        clock = stalls.Clock()
        if end == 'signal':
            os.kill(scene.mount.pid, signal.SIGTERM)
        else:
            busy = run('fusermount3', '-u', scene.mount.mountpoint)
            case.expect(not busy.ok, 'it was not in use')
            case.expect(reader.process.poll() is None, 'it has ended')
            run('fusermount3', '-uz', scene.mount.mountpoint, check=True)
        case.expect(poll.poll(20000), 'whoever polls was not woken')
        reader.process.wait(20 * tap.PATIENCE)
        took = clock.seconds()
        case.expect(reader.process.returncode == 0, end,
                    reader.process.returncode, reader.process.stderr.read())
        case.expect(took < 5 * tap.PATIENCE, f'{end}: {took:.2f} s')
        os.close(polled)
        scene.mount.wait_ended()


@tap.test(alone=True)
def test_reader_that_comes_after_the_end_is_ended(case):
    """Who has found the directory before the mount was taken away."""
    scene = scripted(case)
    # The first reader ends when that was noticed.
    script = ('cd "$1/.imapfs" && { cat events >/dev/null & } && '
              'fusermount3 -uz "$1" && wait && exec cat events')
    result = run('sh', '-c', script, 'sh', scene.mount.mountpoint,
                 limit=20 * tap.PATIENCE)
    case.expect(result.clean, result)
    scene.mount.wait_ended()


@tap.test(limit=120)
def test_slow_reader_loses_and_is_told(case):
    """Two floods of flags, each larger than the queue."""
    count = 6000
    mailbox = Mailbox('INBOX', [Message(uid, make_message(uid, 300))
                                for uid in range(1, count + 1)])
    scene = scripted(case, [mailbox], CAPABILITIES + ' CONDSTORE')
    run('ls', '-f', scene.path('INBOX'), check=True)
    reader = os.open(scene.path(HIDDEN, 'events'), os.O_RDONLY)
    case.defer(os.close, reader)
    quick = Events(case, scene.mount)
    for number in range(2):
        with scene.server.changing:
            mailbox.modseq += 1
            for message in mailbox.messages:
                message.flags = [f'$Word{number}']
                message.modseq = mailbox.modseq
        begin = time.monotonic()
        case.expect(wait_until(lambda n=number: len(quick.find(
            'flags', flags=[f'$Word{n}'])) == count, 40 * tap.PATIENCE, 0.2),
            f'{len(quick.find("flags"))} events of flags')
        case.note(f'{count} changes told after '
                  f'{time.monotonic() - begin:.2f} s')
        case.expect(run('stat', scene.file(1)).ok)
    text = b''
    # Not of a connection that was lost, which may be told of before.
    while not re.search(rb'"lost" *:', text):
        piece = os.read(reader, 1 << 20)
        case.expect(piece, 'an end')
        text += piece
    events = [json.loads(line) for line in text.splitlines()]
    lost = [event for event in events if event.get('lost')]
    case.expect(len(lost) == 1 and lost[0]['kind'] == 'error', lost)
    told = sum(event['kind'] == 'flags' for event in events)
    # A connection may have come or gone meanwhile, and that be lost, too.
    others = sum(event['kind'] != 'flags' for event in list(quick.events))
    case.expect(2 * count <= told + lost[0]['lost'] <= 2 * count + others,
                told, lost[0]['lost'], 2 * count, others)


if __name__ == '__main__':
    tap.main(jobs=3)
