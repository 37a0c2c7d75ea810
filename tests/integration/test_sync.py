#!/usr/bin/env python3
"""A mailbox is listed once; after that, what has changed is all that is asked
for, by whatever means the server has."""

import glob
import os
import re
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import run, wait_until
from mailstore import Mailbox, Message, make_message, simple_mailbox
from mount import Mount
from rows import (SERVERS, Behind, Held, Scan, change, cut_line, fetches,
                  listed, names, rows_of, stale, tagged)
from scene import Scene

PATIENT = 20 * tap.PATIENCE


class Mounts:
    """Mounts one after the other, of the same account and the same data."""

    def __init__(self, case, mailboxes=None, **named):
        self.scene = Scene(case, mailboxes, **named)
        self.data = case.path('data')
        os.makedirs(self.data, exist_ok=True)
        self.scene.start(data=self.data)

    def again(self, **options):
        """Returns a mark: what the new mount asks for comes after it."""
        self.scene.mount.unmount()
        self.scene.options.update(options)
        mark = self.scene.server.mark()
        self.scene.start(data=self.data)
        return mark


# ---- what has changed, within a mount

for server in SERVERS:
    @tap.test(name=f'changes_are_all_that_is_fetched_{server}',
              arguments=(server,))
    def changed(case, kind):
        scene = Scene(case, [simple_mailbox(count=200, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.start()
        listed(case, scene)
        mark = scene.server.mark()
        change(scene.inbox)
        cut_line(scene)
        listed(case, scene)
        wait_until(lambda: fetches(scene, mark, True) or kind == 'qresync')
        rows = fetches(scene, mark)
        case.expect(len(rows) == 1 and rows_of(rows[0], scene.inbox)
                    == set(range(201, 211)), [str(c) for c in rows])
        flags = [c.text for c in fetches(scene, mark, True)]
        if kind == 'plain':
            # Once each interval, for this server tells of no change: also
            # before the line is cut.
            case.expect(flags[-1:] == ['1:210 (UID FLAGS)'] and set(flags) <=
                        {'1:200 (UID FLAGS)', '1:210 (UID FLAGS)'}, flags)
        elif kind == 'condstore':
            case.expect(flags == ['1:200 (UID FLAGS) (CHANGEDSINCE 10)'], flags)
        else:
            case.expect(not flags, flags)

    @tap.test(name=f'mailbox_that_never_rests_is_listed_{server}',
              arguments=(server,))
    def restless(case, kind):
        """Each search is followed by news, before its OK."""
        scene = Scene(case, [simple_mailbox(count=50, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.server.tells = True
        scene.start()
        listed(case, scene)

        def search(line, command):
            found, ok, tag = line.default(command).rpartition(
                command.tag.encode() + b' OK')
            scene.inbox.add(Message(scene.inbox.uidnext,
                                    make_message(scene.inbox.uidnext, 500)))
            line.send(found + line.news() + ok + tag)

        scene.server.hooks['UID SEARCH'] = search
        for _ in range(3):
            # The count does not come out: it has to search.
            scene.inbox.remove(scene.inbox.present[0].uid)
            scene.inbox.modseq = 1
            cut_line(scene)
            there = {m.uid for m in scene.inbox.present}
            result = run('ls', '-f', scene.path('INBOX'))
            uids = {int(name[:-4]) for name in names(result)
                    if name.endswith('.eml')}
            case.expect(result.clean and there <= uids, result,
                        sorted(there - uids))
        case.expect(scene.server.saw('UID SEARCH*'), 'it never searched')

    @tap.test(name=f'changes_are_seen_on_a_line_that_stays_{server}',
              arguments=(server,))
    def changed_told(case, kind):
        scene = Scene(case, [simple_mailbox(count=100, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.server.tells = True
        scene.start()
        listed(case, scene)
        for _ in range(2):
            mark = scene.server.mark()
            change(scene.inbox)
            scene.inbox.messages = [m for m in scene.inbox.messages
                                    if m.uid not in range(11, 21)]
            for uid in range(11, 21):
                scene.inbox.messages.insert(0, Message(uid, b'x\r\n',
                                                       expunged=True))
            stale()
            listed(case, scene)
            rows = fetches(scene, mark)
            case.expect(rows and not any(row.text.startswith('1:*')
                                         for row in rows),
                        [str(c) for c in rows])
        case.expect(not scene.server.errors, scene.server.errors)

    @tap.test(name=f'nothing_changed_fetches_no_row_{server}',
              arguments=(server,))
    def unchanged(case, kind):
        scene = Scene(case, [simple_mailbox(count=200, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.start()
        listed(case, scene)
        cut_line(scene)
        mark = scene.server.mark()
        listed(case, scene)
        case.expect(not fetches(scene, mark),
                    [str(c) for c in fetches(scene, mark)])
        asked = scene.server.names_since(mark)
        if kind != 'plain':
            case.expect('UID SEARCH' not in asked and 'UID FETCH' not in asked,
                        asked)

    @tap.test(name=f'flags_refetch_no_row_{server}', arguments=(server,))
    def flagged(case, kind):
        scene = Scene(case, [simple_mailbox(count=50, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.start()
        listed(case, scene)
        scene.inbox.set_flags(7, '\\Flagged')
        cut_line(scene)
        mark = scene.server.mark()
        listed(case, scene)
        case.expect(not fetches(scene, mark),
                    [str(c) for c in fetches(scene, mark)])


    @tap.test(name=f'what_is_told_behind_the_answer_is_listed_{server}',
              arguments=(server,))
    def behind(case, kind):
        """Something has come, and then as much has gone as has come."""
        scene = Scene(case, [simple_mailbox(count=5, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        inbox = scene.inbox
        scene.start()
        listed(case, scene)
        answers = Behind(scene)
        for gone in ((), (1,)):
            def change_it(gone=gone):
                inbox.remove(*gone)
                inbox.store(make_message(inbox.uidnext, 500), 1795339800)

            answers.told, answers.deed = None, change_it
            stale()
            case.expect(wait_until(lambda: run('ls', scene.path('INBOX')).clean
                                   and answers.told, PATIENT), 'never asked')
            case.expect(wait_until(answers.next, PATIENT)
                        and answers.next() == 'UID SEARCH',
                        f'not looked for, but {answers.next()}')
            case.expect(wait_until(
                lambda: set(names(run('ls', scene.path('INBOX'))))
                == {f'{m.uid}.eml' for m in inbox.present}, PATIENT),
                'it does not show')


# ---- a mailbox that stays selected

def asked_since(scene, mark):
    """From which mod-sequences on it was asked for changes."""
    return [int(found[1]) for found in
            (re.search(r'CHANGEDSINCE (\d+)', c.text)
             for c in fetches(scene, mark, True)) if found]


def ask_again(case, scene, mark):
    """Lists once more, and waits until the changes are asked for."""
    before = len(asked_since(scene, mark))
    stale()
    listed(case, scene)
    case.expect(wait_until(lambda: len(asked_since(scene, mark)) > before,
                           PATIENT), 'never asked')


for server in ('condstore', 'qresync'):
    @tap.test(name=f'changes_are_not_asked_for_for_ever_{server}',
              arguments=(server,))
    def moves_on(case, kind):
        """Each is told twice at the most, while the mailbox stays selected; and
        the next mount goes on from there."""
        mounts = Mounts(case, [simple_mailbox(count=50, size=500)], timeout=10,
                        capabilities=SERVERS[kind],
                        options={'poll': 1, 'connections': 1})
        scene = mounts.scene
        listed(case, scene)
        begun, mark = scene.inbox.modseq, scene.server.mark()
        for uid in range(1, 4):
            scene.inbox.set_flags(uid, '\\Seen')
            ask_again(case, scene, mark)
        asked = asked_since(scene, mark)
        case.note(begun, asked)
        case.expect(asked[:2] == [begun, begun], asked)
        case.expect(asked == sorted(asked) and asked[-1] >= begun + 1, asked)
        case.expect(not scene.server.saw('EXAMINE *', mark), 'selected again')
        scene.inbox.set_flags(9, '\\Flagged')
        mark = mounts.again()
        listed(case, scene)
        word = {'condstore': 'CHANGEDSINCE', 'qresync': r'QRESYNC \(\d+'}[kind]

        def went_on():
            return [int(found[1]) for found in
                    (re.search(word + r' (\d+)', c.text)
                     for c in scene.server.since(mark)[0]) if found]

        case.expect(wait_until(went_on, PATIENT)
                    and went_on()[0] in (begun + 2, begun + 3), went_on())

    @tap.test(name=f'change_that_is_told_late_is_listed_{server}',
              arguments=(server,))
    def told_late(case, kind):
        """A server that goes through the messages: the first changes behind it,
        and then one before it, which it tells."""
        scene = Scene(case, [simple_mailbox(count=5, size=500)], timeout=10,
                      capabilities=SERVERS[kind],
                      options={'poll': 1, 'connections': 1, 'xattr': None})
        scene.start()
        listed(case, scene)
        mark = scene.server.mark()
        file = scene.file(1)
        late = []

        def go_through(line, command):
            if 'CHANGEDSINCE' not in command.text or late:
                return False
            late.append(command)
            scene.inbox.set_flags(1, '\\Flagged')
            first = scene.inbox.get(1)
            modseq, first.modseq = first.modseq, 1
            scene.inbox.set_flags(2, '\\Seen')
            line.send(line.default(command))
            first.modseq = modseq
            return True

        scene.server.hooks['UID FETCH'] = go_through
        ask_again(case, scene, mark)
        ask_again(case, scene, mark)
        case.expect(wait_until(lambda: b'Flagged' in os.getxattr(
            file, 'user.imap.flags'), PATIENT), asked_since(scene, mark))


# ---- servers that contradict themselves

@tap.test
def test_message_the_line_does_not_know_yet_is_read(case):
    """Neither sent nor found, but behind that the server sees what is new."""
    scene = Scene(case, [simple_mailbox(count=3)], timeout=10)
    scene.start()
    listed(case, scene)
    asked = []

    def fetch(line, command):
        if 'BODY.PEEK[]' not in command.text or asked:
            return False
        asked.append(command)
        line.send(tagged(command))
        return True

    def search(line, command):
        if len(asked) != 1:
            return False
        asked.append(command)
        with scene.server.changing:
            scene.inbox.store(make_message(4), 1795339800)
        line.line(f'* ESEARCH (TAG "{command.tag}") UID\r\n* 4 EXISTS')
        line.send(tagged(command))
        return True

    scene.server.hooks.update({'UID FETCH': fetch, 'UID SEARCH': search})
    case.expect(scene.cat(2), 'it passes for gone')
    case.expect(len(asked) == 2, [str(c) for c in asked])


@tap.test
def test_vanished_that_is_there_is_listed(case):
    """QRESYNC names a message that exists: its count tells."""
    scene = Scene(case, [simple_mailbox(count=50)], timeout=10,
                  capabilities=SERVERS['qresync'], options={'poll': 1})
    scene.start()
    listed(case, scene)
    scene.inbox.modseq += 1
    scene.inbox.vanished.append((scene.inbox.modseq, 9))
    cut_line(scene)
    listed(case, scene)


@tap.test
def test_expunge_that_changes_no_modseq_is_seen(case):
    for kind in ('condstore', 'qresync'):
        scene = Scene(case, [simple_mailbox(count=50)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.start()
        listed(case, scene)
        scene.inbox.get(9).expunged = True
        cut_line(scene)
        listed(case, scene)


@tap.test
def test_modseq_going_backwards_is_not_believed(case):
    scene = Scene(case, [simple_mailbox(count=50)], timeout=10,
                  capabilities=SERVERS['condstore'], options={'poll': 1})
    scene.inbox.modseq = 1000
    scene.start()
    listed(case, scene)
    mark = scene.server.mark()
    change(scene.inbox)
    scene.inbox.modseq = 500
    cut_line(scene)
    listed(case, scene)
    case.expect(scene.server.saw('UID SEARCH *', mark), 'no search')
    case.expect(not scene.server.saw('*CHANGEDSINCE*', mark), 'it was asked')


@tap.test
def test_refused_changes_are_found_otherwise(case):
    scene = Scene(case, [simple_mailbox(count=50)], timeout=10,
                  capabilities=SERVERS['condstore'], options={'poll': 1})
    scene.start()
    listed(case, scene)

    def refuse(line, command):
        if 'CHANGEDSINCE' not in command.text:
            return False
        line.send(tagged(command, 'BAD what'))
        return True

    scene.server.hooks['UID FETCH'] = refuse
    change(scene.inbox)
    cut_line(scene)
    listed(case, scene)


@tap.test
def test_mailbox_that_changes_all_the_time_is_listed(case):
    """Each new message is gone, and another one there, when it is fetched."""
    for kind in ('plain', 'condstore'):
        scene = Scene(case, [simple_mailbox(count=50, size=500)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})
        scene.server.tells = True
        scene.start()
        listed(case, scene)
        turns = []

        def arrive():
            uid = scene.inbox.uidnext
            scene.inbox.add(Message(uid, make_message(uid, 500)))
            return uid

        def replace(line, command):
            if len(turns) < 8 and command.text.partition(' ')[2] != '(UID FLAGS)':
                turns.append(command)
                scene.inbox.remove(scene.inbox.uidnext - 1)
                # Also to "51:*": it is told of, and not among the rows.
                rows = line.default(command)
                arrive()
                line.send(line.news() + rows)
                return True
            return False

        arrive()
        scene.server.hooks['UID FETCH'] = replace
        cut_line(scene)
        listed(case, scene)
        case.expect(len(turns) > 3, kind, *map(str, turns))


# ---- after a mount

for server in SERVERS:
    @tap.test(name=f'remount_with_nothing_changed_fetches_no_row_{server}',
              arguments=(server,))
    def remount_unchanged(case, kind):
        mounts = Mounts(case, [simple_mailbox(count=200, size=500)],
                        timeout=10, names='subject', capabilities=SERVERS[kind])
        scene = mounts.scene
        before = names(run('ls', scene.path('INBOX'), check=True))
        mark = mounts.again()
        case.expect(names(run('ls', scene.path('INBOX'), check=True)) == before,
                    'other names')
        asked = [c for c in scene.server.since(mark)[0]
                 if c.name in ('UID FETCH', 'UID SEARCH')]
        case.expect(not fetches(scene, mark), [str(c) for c in asked])
        if kind != 'plain':
            case.expect(not asked, [str(c) for c in asked])
        case.note(scene.server.octets_since(mark), 'octets')

    @tap.test(name=f'remount_fetches_what_changed_{server}',
              arguments=(server,))
    def remount_changed(case, kind):
        mounts = Mounts(case, [simple_mailbox(count=200, size=500)],
                        timeout=10, capabilities=SERVERS[kind])
        scene = mounts.scene
        listed(case, scene)
        change(scene.inbox)
        mark = mounts.again()
        listed(case, scene)
        rows = fetches(scene, mark)
        case.expect(len(rows) == 1 and rows_of(rows[0], scene.inbox)
                    == set(range(201, 211)), [str(c) for c in rows])
        mark = mounts.again()
        listed(case, scene)
        case.expect(not fetches(scene, mark),
                    [str(c) for c in fetches(scene, mark)])


@tap.test
def test_remount_continues_the_first_sync(case):
    """Killed in the middle: what was written is not fetched again."""
    mounts = Mounts(case, [simple_mailbox(count=3000, size=300)], timeout=10,
                    capabilities=SERVERS['qresync'])
    scene = mounts.scene
    held = Held(scene, 2500)
    scan = Scan(case, scene.path('INBOX'))
    assert scan.sees(2500)
    scan.process.kill()
    os.kill(scene.mount.pid, signal.SIGTERM)
    scene.mount.wait_ended()
    held.let_go.set()
    scene.server.behave()
    mark = scene.server.mark()
    scene.start(data=mounts.data)
    listed(case, scene)
    rows = fetches(scene, mark)
    case.expect(len(rows) == 1 and rows_of(rows[0], scene.inbox)
                == set(range(2501, 3001)), [str(c) for c in rows])


@tap.test
def test_remount_with_subjects_fetches_headers(case):
    mounts = Mounts(case, [simple_mailbox(count=100, size=500)], timeout=10,
                    names='uid', capabilities=SERVERS['qresync'])
    scene = mounts.scene
    listed(case, scene)
    mark = mounts.again(names='subject')
    found = names(run('ls', scene.path('INBOX'), check=True))
    case.expect(len(found) == 100 and all('_report-number-' in name
                                          for name in found), found[:3])
    case.expect(len(fetches(scene, mark)) == 1, 'not one FETCH')
    mark = mounts.again(names='uid')
    found = names(run('ls', scene.path('INBOX'), check=True))
    case.expect('7.eml' in found and len(found) == 100, found[:3])
    case.expect(not fetches(scene, mark), 'rows again')
    mounts.again(names='subject')
    mark = mounts.again(names='subject', date='sent')
    found = names(run('ls', scene.path('INBOX'), check=True))
    case.expect(len(found) == 100 and all(name.startswith('2026-11-22_0930_')
                                          for name in found), found[:3])
    case.expect(not fetches(scene, mark), 'rows again')


@tap.test
def test_remount_of_a_replaced_mailbox_shows_the_new_one(case):
    for look in (False, True):
        mounts = Mounts(case, timeout=5, capabilities=SERVERS['qresync'])
        scene = mounts.scene
        listed(case, scene)
        scene.server.mailboxes[0] = Mailbox(
            'INBOX', [Message(3, make_message(3, 999, seed=2))],
            uidvalidity=77)
        mounts.again()
        if look:
            scene.stat(3)
            result = run('cat', scene.file(3))
            case.expect(result.out in (b'', scene.inbox.get(3).body),
                        'the old message')
        case.expect(wait_until(lambda: scene.listing() and scene.cat(3)),
                    'still the old one')


@tap.test
def test_remount_without_a_line_shows_what_is_known(case):
    """Once the mailboxes are listed, the line fails for the rest."""
    mounts = Mounts(case, timeout=2)
    scene = mounts.scene
    listed(case, scene)
    mounts.again()
    run('ls', scene.mount.mountpoint, check=True)
    scene.server.hooks['EXAMINE'] = lambda line, command: line.close()
    listed(case, scene)


# ---- a real server

BASIC = ('IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ NAMESPACE '
         'UIDPLUS ESEARCH UNSELECT CHILDREN LIST-EXTENDED')
DOVECOTS = {'plain': BASIC, 'condstore': BASIC + ' CONDSTORE', 'all': None}


def change_dovecot(server):
    with dovecot.Client(server) as client:
        client.open('Box', readonly=False)
        for uid in range(31, 41):
            client.imap.uid('STORE', str(uid), '+FLAGS', f'(Changed{uid}x)')
        client.imap.uid('STORE', '11:20', '+FLAGS', '(\\Deleted)')
        client.imap.expunge()
        for number in range(10):
            client.imap.append('Box', None, None, make_message(number, 500))


def lists_dovecot(case, mount, server):
    result = run('ls', '-f', mount.path('Box'))
    case.expect(result.clean, result)
    uids = {int(u) for u in re.findall(r'(\d+)\.eml$', result.out.decode(),
                                       re.M)}
    with dovecot.Client(server) as client:
        flags = client.flags('Box')
    case.expect(uids == set(flags), 'wrong list', sorted(uids ^ set(flags)))


def index_has(data, words):
    """Whether the index on disk holds all these texts."""
    content = b''
    for path in glob.glob(data + '/cache/**/index.db*', recursive=True):
        with open(path, 'rb') as file:
            content += file.read()
    return [word for word in words if word.encode() not in content] == []


for server in DOVECOTS:
    @tap.test(name=f'dovecot_changes_are_seen_{server}', arguments=(server,))
    def on_dovecot(case, kind):
        box = dovecot.start_sample(
            case, capability=DOVECOTS[kind],
            prepare=lambda new: new.generate(flat='Box', messages=60, seed=4))
        data = case.path('data')
        os.makedirs(data)

        def mount():
            return Mount(case, box.url, {'ca_file': box.ca_file, 'poll': 1,
                                         'timeout': 20 * tap.PATIENCE},
                         password=dovecot.password(box), data=data)

        first = mount()
        lists_dovecot(case, first, box)
        first.unmount()
        change_dovecot(box)
        second = mount()
        lists_dovecot(case, second, box)
        # Flags may come after the listing.
        wanted = [f'Changed{uid}x' for uid in range(31, 41)]
        case.expect(wait_until(lambda: index_has(data, wanted), PATIENT),
                    'the flags have not come')
        with dovecot.Client(box) as client:
            client.expunge('Box', 5)
            client.imap.append('Box', None, None, make_message(99, 500))
        stale()
        lists_dovecot(case, second, box)
        second.unmount()
        lists_dovecot(case, mount(), box)


# ---- single messages of a folder that was never listed


@tap.test
def test_message_that_came_after_the_selection_is_found(case):
    """The server shows on a connection what it has told there."""
    scene = Scene(case, [simple_mailbox(), simple_mailbox('Other', 3)],
                  timeout=10)
    scene.server.tells = True
    other = scene.server.find('Other')

    def fetch(line, asked):
        hidden = {str(m.uid) for m in other.present} - {
            str(uid) for uid in line.told}
        if line.mailbox is not other or asked.arguments[0] not in hidden:
            return False
        line.line(f'{asked.tag} OK there is none')
        return True

    scene.server.hooks['UID FETCH'] = fetch
    scene.start()
    case.expect(scene.cat(1, 'Other'), 'the first cannot be read')
    for uid in (4, 5):
        with scene.server.changing:
            other.add(Message(uid, make_message(uid)))
        case.expect(scene.cat(uid, 'Other'), uid, 'is not found',
                    [str(one) for one in scene.server.saw('*')])
    case.expect(not scene.stat(6, 'Other'), 'there is none')
    case.expect(not scene.server.errors, scene.server.errors)


if __name__ == '__main__':
    tap.main(jobs=6)
