#!/usr/bin/env python3
"""What another client changes on the server shows in the mount: within a second
where the server tells of it, within the poll interval where it does not; also
where the kernel had cached the old state."""

import collections
import contextlib
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import stalls
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Message, make_message, simple_mailbox
from mount import Mount
from proxy import Proxy
from scene import Scene

BASIC = ('IMAP4rev1 SASL-IR ID ENABLE UNSELECT CHILDREN NAMESPACE UIDPLUS '
         'LIST-EXTENDED ESEARCH MOVE LITERAL+ SPECIAL-USE CONDSTORE QRESYNC')

# A second, and half of one for a machine that does other things as well.
SOON = 1.5 * tap.PATIENCE
# Dovecot lets a second pass before it tells that a folder was renamed or
# deleted: it might be about to come back.
FOLDERS_SOON = SOON + 1.5

# How a server tells, what it announces, and the poll interval of the mount.
Way = collections.namedtuple('Way', 'name capability poll')
NOTIFY = Way('notify', None, 60)
IDLE = Way('idle', BASIC + ' IDLE', 3)
POLLS = Way('polls', BASIC, 2)
WAYS = (NOTIFY, IDLE, POLLS)


class Place:
    """A Dovecot, a mount of it, and another client."""

    def __init__(self, case, way, arguments=('-d',), messages=40, rtt_ms=None,
                 environment=None, **options):
        self.case = case
        self.way = way
        self.server = dovecot.start_sample(
            case, capability=way.capability,
            settings=options.pop('settings', None),
            prepare=lambda new: (
                new.generate(flat='INBOX', messages=messages, seed=4),
                new.generate(flat='Other', messages=5, seed=5)))
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(OSError) or
                   self.client.imap.shutdown())
        self.witness = None
        url = self.server.url
        if rtt_ms is not None:
            self.proxy = Proxy(self.server.tls_port, case, rtt_ms=rtt_ms)
            url = url.replace(f':{self.server.tls_port}/',
                              f':{self.proxy.port}/')
            assert url != self.server.url
        self.mount = Mount(
            case, url,
            {'ca_file': self.server.ca_file, 'poll': way.poll, 'names': 'uid',
             'xattr': None, 'timeout': 20 * tap.PATIENCE, **options},
            password=dovecot.password(self.server), arguments=arguments,
            environment=environment)

    def path(self, *parts):
        return self.mount.path(*parts)

    def names(self, *parts):
        return set(os.listdir(self.path(*parts)))

    def uids(self, folder='INBOX'):
        return {int(name.split('.')[0]) for name in self.names(folder)
                if name.endswith('.eml')}

    def is_there(self, *parts):
        return os.path.exists(self.path(*parts))

    def look(self, *folders):
        """Has the kernel know what there is."""
        for folder in ('', *folders):
            for entry in os.scandir(self.path(folder)):
                entry.stat()
            os.stat(self.path(folder))

    def watched(self, what):
        """Waits until the server is listened to."""
        words = f'the server tells of {what}'
        assert wait_until(lambda: words in self.mount.messages(),
                          10 * tap.PATIENCE), self.mount.messages()[-2000:]

    def said(self):
        """By imapfs, less what libfuse says of each request."""
        return '\n'.join(line for line in self.mount.messages().splitlines()
                         if 'unique:' not in line)

    def ok(self, answer):
        assert answer[0] == 'OK', answer
        self.answered = time.monotonic()
        return answer[1]

    def append(self, folder='INBOX', number=7):
        body = make_message(number, 900)
        self.ok(self.client.imap.append(folder, None, None, body))
        code = self.client.imap.untagged_responses['APPENDUID'][-1]
        return int(code.split()[1]), body

    def listed(self):
        """The folders, by a client that has known them as long as the mount.
        Dovecot (2.3) makes its index of them anew at times; whoever had the old
        one open is then shown what was, until the next change."""
        if self.witness is None:
            self.witness = dovecot.Client(self.server)
        return {line.decode().rsplit(' ', 1)[1]
                for line in self.witness.imap.list()[1]}

    def shows_folders(self, what, condition, limit, *present, absent=()):
        """The same of folders. False: Dovecot itself does not show it."""

        def is_old():
            listed = self.listed()
            self.case.note(f'{what}: Dovecot lists', sorted(listed))
            return set(present) - listed or set(absent) & listed

        shown = self.shows(what, condition, limit, is_old)
        self.listed()
        return shown

    def shows(self, what, condition, limit, is_excused=lambda: False):
        """What the other client did last shows within the limit. False: it
        does not, and need not."""
        clock = stalls.Clock(self.answered)
        shown = wait_until(condition, limit + 10 * tap.PATIENCE, 0.005)
        seconds = clock.seconds()
        if not shown and is_excused():
            return False
        self.case.expect(shown, 'never shown:', what, self.said()[-4000:])
        self.case.expect(seconds <= limit,
                         f'too late: {what} after {seconds:.2f} s, '
                         f'limit {limit:.2f}')
        self.case.note(f'{self.way.name}: {what} after {seconds:.2f} s')
        return True

    def limits(self):
        """For messages of INBOX, of other folders, and for folders."""
        late = self.way.poll + SOON
        return {NOTIFY: (SOON, SOON, FOLDERS_SOON),
                IDLE: (SOON, late, late),
                POLLS: (late, late, late)}[self.way]


def modified(path):
    return os.stat(path).st_mtime_ns


def change_folders(place, elsewhere, folders):
    imap = place.client.imap
    place.listed()
    place.look('INBOX', 'Other')
    place.ok(imap.create('Fresh'))
    if not place.shows_folders('folder made', lambda: place.is_there('Fresh'),
                               elsewhere, 'Fresh'):
        return
    place.case.expect('Fresh' in place.names(''), 'ls does not find it')
    place.look('Fresh')
    place.append('Fresh')
    place.shows('append in it', lambda: place.uids('Fresh') == {1}, elsewhere)
    place.look('Fresh')
    place.ok(imap.rename('Fresh', 'Fresher'))
    if not place.shows_folders('folder renamed, by ls',
                               lambda: 'Fresher' in place.names(''), folders,
                               'Fresher'):
        return
    place.shows('folder renamed, by stat',
                lambda: not place.is_there('Fresh', '1.eml') and
                not place.is_there('Fresh'), folders)
    place.case.expect(place.uids('Fresher') == {1}, 'its mail')
    place.look('Fresher')
    place.ok(imap.delete('Fresher'))
    if place.shows_folders('folder deleted, by stat',
                           lambda: not place.is_there('Fresher'), folders,
                           absent=['Fresher']):
        place.case.expect('Fresher' not in place.names(''), 'ls finds it')


for one in WAYS:
    @tap.test(name=f'changes_elsewhere_show_{one.name}', arguments=(one,),
              limit=200)
    def changes(case, way):
        place = Place(case, way)
        imap = place.client.imap
        soon, elsewhere, folders = place.limits()
        inbox = place.path('INBOX')
        place.look('INBOX', 'Other')
        if way != POLLS:
            place.watched('all mailboxes' if way == NOTIFY else 'INBOX')

        def other_time(before):
            return lambda: modified(inbox) != before

        # Whoever asks first, asks the kernel: once by each way to ask.
        place.look('INBOX', 'Other')
        before = modified(inbox)
        uid, body = place.append()
        place.shows('append, by ls', lambda: uid in place.uids(), soon)
        place.shows('append, by the time of the folder', other_time(before),
                    soon)
        place.look('INBOX')
        before = modified(inbox)
        uid, body = place.append(number=8)
        place.shows('append, by stat',
                    lambda: place.is_there('INBOX', f'{uid}.eml'), soon)
        place.shows('append, by the time then', other_time(before), soon)
        with open(place.path('INBOX', f'{uid}.eml'), 'rb') as file:
            case.expect(file.read() == body, 'wrong bytes')
        place.look('INBOX')
        before = modified(inbox)
        uid, body = place.append(number=9)
        place.shows('append, by the time of the folder alone',
                    other_time(before), soon)
        case.expect(uid in place.uids(), 'the time moved before the listing')

        place.client.open('INBOX', readonly=False)
        place.look('INBOX')
        before = modified(inbox)
        place.ok(imap.uid('STORE', '3', '+FLAGS', '(\\Flagged $Later)'))

        def flags():
            return os.getxattr(place.path('INBOX', '3.eml'),
                               'user.imap.flags').decode().split()

        place.shows('flags', lambda: {'\\Flagged', '$Later'} <= set(flags()),
                    soon)
        case.expect(modified(inbox) == before, 'flags moved the time')

        place.look('INBOX')
        imap.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
        before = modified(inbox)
        place.ok(imap.uid('EXPUNGE', '2'))
        place.shows('expunge, by stat',
                    lambda: not place.is_there('INBOX', '2.eml'), soon)
        case.expect(2 not in place.uids(), 'ls shows it')
        case.expect(modified(inbox) != before, 'the time of the folder stays')
        place.look('INBOX')
        imap.uid('STORE', '4', '+FLAGS', '(\\Deleted)')
        place.ok(imap.uid('EXPUNGE', '4'))
        place.shows('expunge, by ls', lambda: 4 not in place.uids(), soon)
        place.shows('expunge, by stat then',
                    lambda: not place.is_there('INBOX', '4.eml'), soon)

        place.look('INBOX', 'Other')
        place.ok(imap.uid('MOVE', '5', 'Other'))
        place.shows('move away',
                    lambda: not place.is_there('INBOX', '5.eml'), soon)
        place.shows('move to', lambda: 6 in place.uids('Other'), elsewhere)

        change_folders(place, elsewhere, folders)
        clock = stalls.Clock()
        place.mount.unmount()
        took = clock.seconds()
        case.expect(took < 2 * tap.PATIENCE, 'unmounting took', took)


def far_away(case, way):
    """A second and two round trips; ls and stat ask the kernel, which has it
    all."""
    place = Place(case, way, rtt_ms=100)
    place.look('INBOX', 'Other')
    place.watched('all mailboxes' if way == NOTIFY else 'INBOX')
    place.look('INBOX')
    uid, _ = place.append()
    place.shows('far away, append', lambda: uid in place.uids(), SOON + 0.2)
    place.look('INBOX')
    place.client.open('INBOX', readonly=False)
    place.client.imap.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
    place.ok(place.client.imap.uid('EXPUNGE', '2'))
    place.shows('far away, expunge',
                lambda: not place.is_there('INBOX', '2.eml'), SOON + 0.2)


for one in (NOTIFY, IDLE):
    tap.test(name=f'far_away_changes_show_{one.name}',
             arguments=(one,))(far_away)


@tap.test
def test_folders_of_all_names_are_told_of(case):
    """Dovecot tells of them by other names than it lists."""
    place = Place(case, NOTIFY)
    folders = ('Entwürfe', 'Kunz & Söhne', 'Q&A', '会议', 'R&-D')
    wire = {folder: f'"{dovecot.encode_name(folder)}"' for folder in folders}
    for folder in folders:
        place.ok(place.client.imap.create(wire[folder]))
        place.append(wire[folder])
    place.look()
    place.watched('all mailboxes')
    # The list was asked for with the mount, perhaps before they were made.
    place.shows('folders', lambda: set(folders) <= place.names(''),
                FOLDERS_SOON + 20 * tap.PATIENCE)
    place.look(*folders)
    for folder in folders:
        uid, _ = place.append(wire[folder], 8)
        place.shows(f'append in {folder}',
                    lambda f=folder, u=uid: u in place.uids(f), SOON)


@tap.test
def test_idle_follows_who_works_elsewhere(case):
    place = Place(case, Way('idle', BASIC + ' IDLE', 60))
    place.look('INBOX')
    place.watched('INBOX')
    place.look('Other')
    assert wait_until(lambda: place.uids('Other') and
                      'the server tells of Other' in place.mount.messages(),
                      30 * tap.PATIENCE, 0.2), 'it stays at INBOX'
    place.look('Other')
    uid, _ = place.append('Other')
    place.shows('append there', lambda: uid in place.uids('Other'), SOON)
    os.rename(place.path('Other'), place.path('Moved'))
    assert wait_until(lambda: place.uids('Moved') and
                      'the server tells of Moved' in place.mount.messages(),
                      30 * tap.PATIENCE, 0.2), 'it stays at a former name'


def heard(place, folder):
    return place.mount.messages().count(f'hears of {folder} while')


def hears(place, folder, before=0):
    assert wait_until(lambda: heard(place, folder) > before,
                      20 * tap.PATIENCE, 0.1), place.said()[-3000:]


@tap.test(limit=120)
def test_idle_connections_tell_of_other_folders(case):
    """The listener has INBOX; of those that serve requests all but one hear of
    another folder while nobody uses them, and again after they were used for
    something else."""
    place = Place(case, Way('idle', BASIC + ' IDLE', 60), connections=4)
    os.mkdir(place.path('Third'))
    place.append('Third')
    place.look('INBOX')
    place.watched('INBOX')
    place.look('Other', 'Third')
    for folder in ('Other', 'Third'):
        hears(place, folder)
    for number in range(3):
        for folder in ('Other', 'Third', 'INBOX'):
            place.look(folder)
            uid, _ = place.append(folder, number)
            place.shows(f'append in {folder}',
                        lambda f=folder, u=uid: u in place.uids(f), SOON)
    place.look('Other')
    before = modified(place.path('Other'))
    place.client.open('Other', readonly=False)
    place.client.imap.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
    place.ok(place.client.imap.uid('EXPUNGE', '2'))
    place.shows('expunge, by stat',
                lambda: not place.is_there('Other', '2.eml'), SOON)
    place.shows('expunge, by the time of the folder',
                lambda: modified(place.path('Other')) != before, SOON)

    # All of them are used for something else, and come back.
    count = {folder: heard(place, folder) for folder in ('Other', 'Third')}
    case.expect(run('cp', '-r', place.path('INBOX'), case.path('copy')).clean)
    place.look('Other', 'Third')
    for folder in count:
        hears(place, folder, count[folder] - 1)
        place.look(folder)
        uid, _ = place.append(folder, 5)
        place.shows(f'append in {folder} after a scan',
                    lambda f=folder, u=uid: u in place.uids(f), SOON)
    case.expect('going on with connections' not in place.said(), place.said())


@tap.test
def test_folder_that_falls_silent_is_selected_again(case):
    """With one connection besides the listener, requests take it away from the
    folder that it hears of; it goes back, and what happened meanwhile shows.
    """
    place = Place(case, Way('idle', BASIC + ' IDLE', 60), connections=2)
    place.look('INBOX')
    place.watched('INBOX')
    place.look('Other')
    hears(place, 'Other')
    before = heard(place, 'Other')
    # Nobody has it selected when this comes.
    case.expect(run('cat', place.path('INBOX', '7.eml')).clean, 'not read')
    uid, _ = place.append('Other', 1)
    hears(place, 'Other', before)
    place.shows('append in Other', lambda: uid in place.uids('Other'),
                10 * tap.PATIENCE)


def renewed(case, way):
    """Many times a second, and nothing is missed in between."""
    place = Place(case, way, environment={'IMAPFS_RENEWAL_MS': '30'})
    place.look('INBOX')
    place.watched('all mailboxes' if way == NOTIFY else 'INBOX')
    for number in range(8):
        uid, _ = place.append(number=number)
        place.shows('append', lambda u=uid: u in place.uids(), SOON)
    case.expect(way == NOTIFY or wait_until(lambda: begun(place) > 8),
                'it was not renewed')


for one in (NOTIFY, Way('idle', BASIC + ' IDLE', 60)):
    tap.test(name=f'renewal_misses_nothing_{one.name}',
             arguments=(one,))(renewed)


@tap.test(limit=120)
def test_notify_outlives_the_log_that_dovecot_watches(case):
    """Dovecot hears of changes by the log of its list, and when that has grown
    too long goes on listening to the old one."""
    place = Place(case, NOTIFY)
    place.look('INBOX', 'Other')
    place.watched('all mailboxes')
    log = place.server.mail_root() / 'dovecot.list.index.log'
    number = os.stat(log).st_ino
    place.client.open('Other', readonly=False)
    stores = 0
    while os.stat(log).st_ino == number and stores < 3000:
        stores += 1
        place.ok(place.client.imap.uid('STORE', '1', '+-'[stores % 2] + 'FLAGS',
                                       '(\\Seen)'))
    assert stores < 3000, 'the log goes on'
    case.note(f'another log after {stores} changes')
    # What Dovecot does not tell is looked for 3 seconds after what it has told.
    for number in range(4):
        place.look('Other')
        uid, _ = place.append('Other', number)
        place.shows('append', lambda u=uid: u in place.uids('Other'), SOON + 3)


@tap.test
def test_folder_made_just_before_notify_is_sent_again_shows(case):
    """Dovecot gathers what it tells for half a second, and forgets it if it is
    asked anew in between, three seconds after it has told anything. Nor
    does it hear of what happens just then."""
    place = Place(case, NOTIFY)
    place.look('INBOX')
    place.watched('all mailboxes')
    place.listed()
    for number, delay in enumerate((2.65, 2.85)):
        place.look('INBOX')
        uid, _ = place.append(number=number)
        place.shows('append', lambda u=uid: u in place.uids(), SOON)
        time.sleep(delay)  # the moment is what is being tried
        place.ok(place.client.imap.create(f'Fresh{number}'))
        if not place.shows_folders(
                'folder made', lambda n=number: f'Fresh{n}' in place.names(''),
                FOLDERS_SOON + 5, f'Fresh{number}'):
            return


def begun(place):
    return place.mount.messages().count('the server tells of')


def cut(case, way):
    """What happened while nothing was told is looked for when it is again; no
    program has to ask for that."""
    place = Place(case, way, rtt_ms=0)
    imap = place.client.imap
    place.look('INBOX', 'Other')
    place.watched('all mailboxes' if way == NOTIFY else 'INBOX')
    place.look('INBOX', 'Other')
    place.client.open('INBOX', readonly=False)
    before = begun(place)
    clock = stalls.Clock()
    place.proxy.cut()
    imap.uid('STORE', '2:3', '+FLAGS', '(\\Deleted)')
    place.ok(imap.uid('EXPUNGE', '2:3'))
    place.ok(imap.uid('MOVE', '5', 'Other'))
    assert wait_until(lambda: begun(place) > before, 10 * tap.PATIENCE), \
        place.said()
    took = clock.seconds()
    case.note(f'told again after {took:.2f} s')
    case.expect(took < 5 * tap.PATIENCE, 'that is late')
    place.answered = time.monotonic()
    place.shows('expunge while it was cut',
                lambda: not place.is_there('INBOX', '2.eml'), SOON)
    place.shows('move while it was cut', lambda: 6 in place.uids('Other'),
                SOON)


for one in (NOTIFY, Way('idle', BASIC + ' IDLE', 60)):
    tap.test(name=f'changes_while_the_line_was_cut_show_{one.name}',
             arguments=(one,))(cut)


@tap.test
def test_server_restarted_is_listened_to_again(case):
    place = Place(case, NOTIFY)
    place.look('INBOX')
    place.watched('all mailboxes')
    before = begun(place)
    place.server.stop()
    place.server.start()
    assert wait_until(lambda: begun(place) > before, 20 * tap.PATIENCE), \
        place.mount.messages()[-2000:]
    place.client = dovecot.Client(place.server)
    place.look('INBOX')
    uid, _ = place.append()
    place.shows('append after it', lambda: uid in place.uids(), SOON)


@tap.test
def test_folder_made_again_at_once_shows_its_own_mail(case):
    """So soon that its name never goes from the list. Where it is selected,
    Dovecot may not notice either."""
    place = Place(case, NOTIFY)
    place.look('INBOX', 'Other')
    place.watched('all mailboxes')
    for number in range(3):
        newest = max(place.uids('Other'))
        with open(place.path('Other', f'{newest}.eml'), 'rb') as file:
            file.read()
        place.client.imap.delete('Other')
        place.ok(place.client.imap.create('Other'))
        uid, body = place.append('Other', number)

        def is_shown(body=body):
            # While its files go, Dovecot may say "Internal error".
            with contextlib.suppress(OSError):
                return (place.uids('Other') == {1} and
                        run('cat', place.path('Other', '1.eml')).out == body)

        place.shows('the other folder', is_shown, SOON)


@tap.test
def test_one_connection_is_for_requests(case):
    place = Place(case, Way('notify', None, 2), connections=1)
    place.look('INBOX')
    uid, _ = place.append()
    place.shows('append', lambda: uid in place.uids(), 2 + SOON)
    case.expect(begun(place) == 0, 'it was listened to')


@tap.test
def test_refused_connection_is_done_without(case):
    """The server lets us have one; nothing fails for that."""
    server_settings = {'mail_max_userip_connections': 2}
    place = Place(case, Way('notify', None, 2), settings=server_settings)
    for _ in range(3):
        place.look('INBOX', 'Other')
    uid, _ = place.append()
    place.shows('append', lambda: uid in place.uids(), 2 + SOON)
    words = 'going on with connections: 1;'
    wait_until(lambda: words in place.said(), 10 * tap.PATIENCE)
    case.expect(place.said().count(words) == 1 and begun(place) == 0,
                place.said())


# ---- servers that say one thing and do another

def odd(case, words, **hooks):
    scene = Scene(case, [simple_mailbox(count=20, size=300)], timeout=3,
                  capabilities=CAPABILITIES + words, options={'poll': 2})
    scene.server.tells = True
    scene.server.hooks.update(hooks)
    scene.start()
    for _ in range(2):
        scene.listing()
    return scene


def shows_new(case, scene, limit):
    uid = scene.inbox.uidnext
    scene.inbox.add(Message(uid, make_message(uid, 300)))
    clock = stalls.Clock()
    shown = wait_until(lambda: f'{uid}.eml' in run(
        'ls', scene.path('INBOX')).out.decode().split(), limit + 10, 0.05)
    seconds = clock.seconds()
    case.expect(shown and seconds <= limit * tap.PATIENCE,
                f'shown after {seconds:.2f} s, limit {limit}')
    case.note(f'after {seconds:.2f} s')


def idle(line, command):
    """Says that it will tell, and never does."""
    line.send(b'+ idling\r\n')
    assert line.read_line() == b'DONE'
    line.send(f'{command.tag} OK\r\n'.encode())


@tap.test
def test_idle_that_never_tells_is_polled(case):
    scene = odd(case, ' IDLE', IDLE=idle)
    case.expect(wait_until(lambda: scene.server.saw('IDLE*')), 'no IDLE')
    shows_new(case, scene, 2 + SOON)
    case.expect(len(scene.server.saw('IDLE*')) == 1, 'more than one IDLE')


@tap.test
def test_idle_that_never_begins_is_done_without(case):
    scene = odd(case, ' IDLE', IDLE=lambda line, command: line.hang())
    for _ in range(3):
        shows_new(case, scene, 2 + SOON)
        case.expect(scene.cat(1) and scene.listing(), 'something fails')
    case.expect(len(scene.server.saw('IDLE*')) <= 4, 'it loops')


@tap.test
def test_refused_idle_is_done_without(case):
    scene = odd(case, ' IDLE', IDLE=lambda line, command: line.send(
        f'{command.tag} NO not now\r\n'.encode()))
    for _ in range(3):
        shows_new(case, scene, 2 + SOON)
    case.expect(len(scene.server.saw('IDLE*')) == 1, 'it loops')


@tap.test
def test_flood_of_unknown_names_costs_little(case):
    names = 30000

    def notify(line, command):
        line.send(f'{command.tag} OK\r\n'.encode())
        line.send(b''.join(b'* STATUS "No such %d" (UIDNEXT 7)\r\n' % number
                           for number in range(names)))

    scene = odd(case, ' NOTIFY', NOTIFY=notify)
    case.expect(wait_until(lambda: scene.server.saw('NOTIFY*')), 'no NOTIFY')
    begin = time.monotonic()
    before = len(scene.server.saw('LIST*'))
    while time.monotonic() < begin + 4:
        case.expect(scene.listing(), 'a listing fails')
    lists = len(scene.server.saw('LIST*')) - before
    # Of the polls, two; for the names, one and the one behind it. A listing
    # that takes its time leaves time for more polls.
    took = time.monotonic() - begin
    case.expect(lists <= 4 + took / 2, f'{lists} lists in {took:.1f} s')
    case.expect(scene.mount.peak_memory() < 60e6 or tap.SANITIZED,
                scene.mount.peak_memory())


if __name__ == '__main__':
    tap.main(jobs=5)
