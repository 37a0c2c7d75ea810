#!/usr/bin/env python3
"""A server that carries out what a cut line has brought only when the client
has looked for it, and has sent it again. Whatever it was, the message is there
once in the end; and what others have put there stays."""

import os
import sqlite3
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import wait_until
from imapserver import CAPABILITIES
from mailstore import Message, in_set, parse_set
from place import ABLE, PATIENT, Place
from writing import crlf, message

# There are three looks, in equal distances: what is late comes before the last.
QUICK = {'IMAPFS_SETTLE_MS': '700',
         'IMAPFS_LATE_MS': str(2000 * min(tap.PATIENCE, 2))}
WRITEBACK = {'writeback': None}


class Late(Place):
    """The first `command` is cut; it is carried out when `until` says so, which
    is asked after each answer to a command."""

    def __init__(self, case, capabilities=CAPABILITIES, settle_ms=None,
                 **named):
        self.begin = dict(QUICK)
        if settle_ms:
            self.begin['IMAPFS_SETTLE_MS'] = str(settle_ms)
        super().__init__(case, capabilities, **named)
        self.cut = None
        self.done = False

    def start(self, **named):
        return super().start(environment=self.begin, **named)

    def be_late(self, command, until, times=1):
        """until: called with the commands answered since the cut; TRUE:
        now."""
        left = [times]
        self.late = []
        self.answered = []

        def cut(line, asked):
            if left[0] == 0:
                return False
            left[0] -= 1
            self.late.append((line, asked, line.mailbox, line.examined))
            line.close()
            return True

        def other(line, asked):
            # Before the answer comes, nothing is late yet.
            if asked.name != command or left[0] == 0:
                line.send(line.default(asked))
                line._after(asked)
                if self.late:
                    self.answered.append(asked)
                self.be_due(until)
                return True
            return False

        self.server.hooks[command] = cut
        self.server.hooks['*'] = other

    def be_due(self, until):
        if self.late and until(self.answered):
            late, self.late = self.late, []
            for line, asked, mailbox, examined in late:
                line.mailbox, line.examined = mailbox, examined
                with self.server.changing:
                    getattr(line, '_do_' + asked.name.lower().replace(
                        ' ', '_'))(asked)
            self.done = True

    @staticmethod
    def forget_cache(data):
        """What is known of the server; not what is still to be done."""
        for path, _, files in os.walk(data):
            for name in files:
                if name.startswith('index.db'):
                    os.unlink(os.path.join(path, name))

    def settles(self, folder, expected):
        """It has come late, --wait ends, and then the folder holds that."""
        self.expect_soon(lambda: self.done, 'it was never late:',
                         [str(c) for c in self.server.commands[-20:]])
        self.expect_soon(lambda: self.wait().ok, 'it is never settled')
        # What came after the first look is found by the next one.
        self.expect_soon(lambda: self.has(folder) == sorted(expected),
                         'the server has', self.has(folder),
                         self.mount.messages()[-2000:])


def seen(name, times=1, text=''):
    return lambda commands: len([c for c in commands if c.name == name
                                 and text in c.text]) >= times


def written(place, data, name='Other/x.eml'):
    place.case.expect(place.put(name, data).clean, 'it fails')


@tap.test(limit=120)
def test_append_late_by_one_search_is_made_once(case):
    place = Late(case, settle_ms=5000, **WRITEBACK)
    place.be_late('APPEND', seen('UID SEARCH', text='Message-ID'))
    written(place, message())
    place.settles('Other', [crlf(message())])
    case.expect(len(place.server.saw('APPEND*')) == 1,
                'it was sent again', place.server.saw('APPEND*'))
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_append_later_than_its_repetition_is_made_once(case):
    place = Late(case, **WRITEBACK)
    place.be_late('APPEND', seen('APPEND'))
    written(place, message())
    place.settles('Other', [crlf(message())])
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))
    case.expect('twice' in place.mount.messages(),
                'it is not told', place.mount.messages()[-1000:])


@tap.test(limit=120)
def test_append_without_message_id_is_made_once(case):
    place = Late(case, **WRITEBACK)
    data = b'Subject: x\n\nbody\n'
    place.be_late('APPEND', seen('APPEND'))
    written(place, data)
    place.settles('Other', [crlf(data)])


def left_by_a_kill(case):
    """The daemon is killed when it has sent it again, and not looked yet.
    Returns the place, where another mount may be started, and its data."""
    place = Late(case, **WRITEBACK)
    place.begin['IMAPFS_LATE_MS'] = '600000'
    place.mount.unmount()
    place.start()
    place.ls('Other')
    held = []
    place.be_late('APPEND', lambda commands: held)
    written(place, message())
    place.expect_soon(lambda: place.has('Other'), 'it is not sent again')
    place.expect_soon(lambda: place.sh('cat .imapfs/status').out.replace(
        b' ', b'').count(b'"uploads":0'), 'it does not end')
    data = place.kill()
    held.append(1)
    place.be_due(lambda commands: held)
    case.expect(len(place.has('Other')) == 2, place.has('Other'))
    place.begin['IMAPFS_LATE_MS'] = '500'
    return place, data


@tap.test(limit=120)
def test_late_append_is_found_by_the_next_mount(case):
    place, data = left_by_a_kill(case)
    place.start(data=data)
    place.settles('Other', [crlf(message())])


@tap.test(limit=120)
def test_what_was_expected_long_ago_deletes_nothing(case):
    """Another client may have copied it since."""
    place, data = left_by_a_kill(case)
    for path, _, files in os.walk(data):
        if 'journal.db' in files:
            journal = sqlite3.connect(os.path.join(path, 'journal.db'))
            changed = journal.execute(
                'UPDATE changes SET name = name - 100000 WHERE kind = 5')
            case.expect(changed.rowcount == 1, changed.rowcount)
            journal.commit()
            journal.close()
    place.start(data=data)
    place.settles('Other', 2 * [crlf(message())])


@tap.test(limit=120)
def test_edit_whose_append_is_late_stands_in_one_state(case):
    place = Late(case, **WRITEBACK)
    bodies = place.has()
    place.be_late('APPEND', seen('APPEND'))
    case.expect(place.sh('echo more >> INBOX/2.eml').clean, 'it fails')
    place.settles('INBOX', [bodies[0], bodies[1] + b'more\r\n', bodies[2]])


@tap.test(limit=120)
def test_edited_again_before_the_late_append_comes(case):
    place = Late(case, **WRITEBACK)
    bodies = place.has()
    place.be_late('APPEND', lambda commands: place.uids() == [1, 3, 5])
    case.expect(place.sh('mv INBOX/2.eml INBOX/two.eml').clean, 'mv')
    case.expect(place.sh('echo one >> INBOX/two.eml').clean, 'it fails')
    place.expect_soon(lambda: bodies[1] + b'one\r\n' in place.has(), 'not sent')
    case.expect(place.sh('echo two >> INBOX/two.eml').clean, 'it fails')
    place.settles('INBOX', [bodies[0], bodies[1] + b'one\r\ntwo\r\n',
                            bodies[2]])


@tap.test(limit=120)
def test_late_append_is_not_taken_for_the_next_edit(case):
    """It has the Message-ID of that, and comes when its line is cut."""
    place = Late(case, **WRITEBACK)
    bodies = place.has()
    held = []
    place.be_late('APPEND', lambda commands: held)
    case.expect(place.sh('echo one >> INBOX/2.eml').clean, 'it fails')
    place.expect_soon(lambda: place.uids() == [1, 3, 4], 'it is not replaced')

    def cut(line, asked):
        place.server.hooks['APPEND'] = lambda line, asked: False
        held.append(1)
        place.be_due(lambda commands: True)
        line.close()

    place.server.hooks['APPEND'] = cut
    case.expect(place.sh('echo two >> INBOX/4.eml').clean, 'it fails')
    place.settles('INBOX', [bodies[0], bodies[1] + b'one\r\ntwo\r\n',
                            bodies[2]])


@tap.test(limit=120)
def test_moved_on_before_the_late_append_comes(case):
    place = Late(case, ABLE, folders=('Other', 'Third'), **WRITEBACK)
    place.be_late('APPEND', seen('UID MOVE'))
    written(place, message())
    place.expect_soon(lambda: place.has('Other'), 'not sent')
    case.expect(place.sh('mv Other/x.eml Third/').clean, 'it fails')
    place.settles('Other', [])
    case.expect(place.has('Third') == [crlf(message())], place.has('Third'))


@tap.test(limit=120)
def test_copy_of_a_file_that_is_late_is_made_once(case):
    place = Late(case, **WRITEBACK)
    body = place.inbox.get(2).body
    place.be_late('UID COPY', seen('UID COPY'))
    place.sh('cp INBOX/2.eml Other/two.eml')
    place.settles('Other', [body])
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


for way, name in ((ABLE, 'UID MOVE'), (CAPABILITIES, 'UID COPY')):
    @tap.test(limit=120, arguments=(way, name),
              name=f'move_by_{name[4:].lower()}_later_than_its_repetition')
    def late_move(case, capabilities, command):
        place = Late(case, capabilities)
        bodies = place.has()
        two = place.inbox.get(2)

        def carry_out(commands):
            if not seen(command)(commands):
                return False
            two.expunged = False  # both have begun before either has ended
            return True

        place.be_late(command, carry_out)
        case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
        place.settles('Other', [bodies[1]])
        case.expect(place.has() == [bodies[0], bodies[2]], place.uids())
        case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_moved_on_before_the_late_move_comes(case):
    """Some also before it is sent again. What comes late, comes to the folder
    that they were not to stay in."""
    count = 8
    place = Late(case, ABLE, folders=('Other', 'Third'), timeout=20,
                 messages=count + 1, settle_ms=100)
    bodies = place.has()

    def carry_out(commands):
        if not seen('UID MOVE')(commands):
            return False
        for one in place.inbox.messages:
            if in_set(one.uid, parse_set(place.late[0][1].arguments[0], count)):
                one.expunged = False  # both had begun before either ended
        return True

    place.be_late('UID MOVE', carry_out)
    cut = place.server.hooks['UID MOVE']
    place.server.hooks['UID MOVE'] = lambda line, asked: (
        'Other' in asked.text and cut(line, asked))
    # After one, there is a while in which others gather.
    at_once = ('import os\n'
               f'os.rename("INBOX/{count + 1}.eml", "Third/first.eml")\n'
               f'for n in range(1, {count + 1}):'
               ' os.rename(f"INBOX/{n}.eml", f"Other/m{n}.eml")')
    case.expect(place.sh(f"python3 -c '{at_once}'").clean, 'mv')
    place.expect_soon(lambda: place.late, 'nothing is cut')
    # The moments are what is being tried.
    result = place.sh(f'for n in {{1..{count}}}; do sleep 0.08; '
                      'mv Other/m$n.eml Third/t$n.eml & done; wait')
    case.expect(result.clean, result)
    place.settles('Third', bodies)
    place.expect_soon(lambda: not place.has('Other'), place.uids('Other'),
                      place.mount.messages()[-2000:])
    case.expect(place.has() == [], place.uids())
    case.expect({f't{n}.eml' for n in range(1, count + 1)} <=
                place.ls('Third') and place.ls('Other') == set(),
                place.ls('Third'))


@tap.test(limit=120)
def test_late_move_keeps_the_name(case):
    """It is made while it is being sent again, and that finds nothing."""
    place = Late(case, ABLE)
    bodies = place.has()
    place.be_late('UID MOVE', lambda commands: False)

    def again(line, asked):
        if not place.late:
            return False
        place.be_due(lambda commands: True)
        return False

    def first(line, asked):
        place.server.hooks['UID MOVE'] = again
        return cut(line, asked)

    cut = place.server.hooks['UID MOVE']
    place.server.hooks['UID MOVE'] = first
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    place.settles('Other', [bodies[1]])
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_late_expunge_spares_what_others_have_marked(case):
    """Without UIDPLUS it takes whatever is marked at that moment."""
    place = Late(case, CAPABILITIES.replace(' UIDPLUS', ''), settle_ms=5000)
    place.inbox.get(3).flags += ('\\Deleted',)
    place.be_late('EXPUNGE', seen('UID STORE', text='3 +FLAGS'))
    case.expect(place.sh('rm INBOX/1.eml').clean, 'rm')
    place.expect_soon(lambda: place.answered, 'the line is not cut')
    late = threading.Timer(3, place.be_due, (lambda commands: True,))
    case.defer(late.cancel)
    late.start()
    place.expect_soon(lambda: place.done and place.wait().ok,
                      'it is never settled')
    place.expect_soon(lambda: '\\Deleted' in str(
        [m.flags for m in place.inbox.present if m.uid == 3]),
        'the mark is gone, or the message', place.uids())
    case.expect(place.uids() == [2, 3], place.uids())


# ---- what is others' ----


def with_another(case, change):
    """Something like the late message comes, by another hand: change() makes it
    of the message that was stored."""
    place = Late(case, **WRITEBACK)
    other = place.server.find('Other')
    place.be_late('APPEND', lambda commands: False)
    written(place, message())
    place.expect_soon(lambda: other.present, 'it is not sent again')
    ours = other.present[0]
    theirs = Message(other.uidnext, ours.body, ours.time, ours.flags)
    change(place, theirs)
    other.add(theirs)
    place.done = True
    place.settles('Other', sorted((ours.body, theirs.body)))


@tap.test(limit=120)
def test_anothers_of_another_date_stays(case):
    with_another(case, lambda place, theirs: setattr(
        theirs, 'time', theirs.time + 60))


@tap.test(limit=120)
def test_anothers_that_is_flagged_stays(case):
    with_another(case, lambda place, theirs: setattr(
        theirs, 'flags', ('\\Flagged', *theirs.flags)))


@tap.test(limit=120)
def test_anothers_of_other_octets_stays(case):
    with_another(case, lambda place, theirs: setattr(
        theirs, 'body', theirs.body.replace(b'body', b'bodx')))


@tap.test(limit=120)
def test_what_was_there_before_stays(case):
    """The same octets, twice: as a program has written them."""
    place = Late(case, **WRITEBACK)
    written(place, message(), 'Other/before.eml')
    place.wait()
    place.be_late('APPEND', seen('APPEND'))
    written(place, message())
    place.settles('Other', 2 * [crlf(message())])
    case.expect(place.ls('Other') == {'before.eml', 'x.eml'},
                place.ls('Other'))


@tap.test(limit=120)
def test_copies_that_programs_write_meanwhile_stay(case):
    place = Late(case, **WRITEBACK)
    place.be_late('APPEND', seen('APPEND', 3))
    written(place, message())
    place.expect_soon(lambda: place.has('Other'), 'it is not sent again')
    for name in ('y.eml', 'z.eml'):
        written(place, message(), f'Other/{name}')
    place.settles('Other', 3 * [crlf(message())])
    case.expect(place.ls('Other') == {'x.eml', 'y.eml', 'z.eml'},
                place.ls('Other'))


@tap.test(limit=120)
def test_ours_that_another_client_has_moved_there_and_back_stays(case):
    place = Late(case, **WRITEBACK)
    other = place.server.find('Other')
    place.be_late('APPEND', lambda commands: False)
    written(place, message())
    place.expect_soon(lambda: other.present, 'it is not sent again')
    ours = other.present[0]
    with place.server.changing:
        other.remove(ours.uid)
        other.store(ours.body, ours.time, ours.flags)
    place.done = True
    place.settles('Other', [ours.body])


@tap.test(limit=120)
def test_ours_that_was_moved_there_and_back_stays(case):
    place = Late(case, ABLE, **WRITEBACK)
    other = place.server.find('Other')
    place.be_late('APPEND', lambda commands: False)
    written(place, message())
    place.expect_soon(lambda: other.present, 'it is not sent again')
    case.expect(place.sh('mv Other/x.eml INBOX/ && mv INBOX/x.eml Other/')
                .clean, 'mv')
    place.done = True
    place.settles('Other', [crlf(message())])


def hold(place, command, seconds):
    """What `command` asks for is made, and its answer comes after so long, or
    when something is deleted in Other."""
    other = place.server.find('Other')

    def held(line, asked):
        answer = line.default(asked)
        there = len(other.present)
        wait_until(lambda: len(other.present) < there, seconds)
        line.send(answer)

    place.server.hooks[command] = held


@tap.test(limit=120)
def test_copy_that_is_being_made_beside_it_stays(case):
    """It is there, and nobody has told us which it is."""
    place = Late(case, timeout=20, **WRITEBACK)
    other = place.server.find('Other')
    place.inbox.store(crlf(message()), 1700000000, ('\\Seen',))
    place.expect_soon(lambda: '4.eml' in place.ls('INBOX'), 'it is not there')
    place.be_late('APPEND', lambda commands: False)
    hold(place, 'UID COPY', 5)
    written(place, message())
    place.expect_soon(lambda: other.present, 'it is not sent again')
    case.expect(other.present[0].time == 1700000000 and
                other.present[0].flags == ('\\Seen',), other.present[0])
    case.expect(place.sh('cp INBOX/4.eml Other/y.eml').clean, 'cp')
    case.expect(place.server.saw('UID COPY*'), 'the server has not copied it')
    place.done = True
    place.settles('Other', 2 * [crlf(message())])
    case.expect(place.ls('Other') == {'x.eml', 'y.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_older_copy_stays_and_is_told(case):
    """Another mount may have stored it, and take ours for its copy."""
    place = Late(case, **WRITEBACK)
    place.be_late('APPEND', lambda commands: False)
    cut = place.server.hooks['APPEND']

    def first(line, asked):
        place.server.hooks['APPEND'] = again
        return cut(line, asked)

    def again(line, asked):
        place.be_due(lambda commands: True)
        return False

    place.server.hooks['APPEND'] = first
    written(place, message())
    place.settles('Other', 2 * [crlf(message())])
    case.expect('1 stays' in place.mount.messages(),
                'it is not told', place.mount.messages()[-1000:])


@tap.test(limit=120)
def test_the_one_of_two_that_the_user_keeps_stays(case):
    """He has deleted the other, which was the first."""
    place = Late(case, **WRITEBACK)
    place.mount.unmount()
    place.begin['IMAPFS_LATE_MS'] = str(5000 * min(tap.PATIENCE, 3))
    place.start()
    place.ls('Other')
    other = place.server.find('Other')
    place.be_late('APPEND', lambda commands: other.present)
    written(place, message())
    place.expect_soon(lambda: '2.eml' in place.ls('Other'), 'it is not there')
    # It is being stored until the end of it is on the disk.
    place.expect_soon(lambda: place.sh('rm Other/x.eml').clean, 'rm')
    place.settles('Other', [crlf(message())])
    case.expect(place.ls('Other') == {'2.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_copy_that_is_the_last_before_it_is_deleted_stays(case):
    """The line is cut when it has been marked; another client takes the
    message itself."""
    place = Late(case, **WRITEBACK)
    other = place.server.find('Other')
    place.be_late('APPEND', seen('APPEND'))

    def cut(line, asked):
        del place.server.hooks['UID STORE']
        line.default(asked)
        with place.server.changing:
            other.remove(1)
        line.close()

    place.server.hooks['UID STORE'] = cut
    written(place, message())
    place.expect_soon(lambda: place.uids('Other') == [2], 'it is not deleted')
    place.settles('Other', [crlf(message())])
    place.expect_soon(lambda: '\\Deleted' not in other.present[0].flags,
                      'it is marked')


# ---- servers that do not let us look ----


@tap.test(limit=180)
def test_server_that_hangs_up_each_time_ends_a_move(case):
    place = Late(case, ABLE, settle_ms=100)

    def hang_up(line, asked):
        if asked.arguments and asked.arguments[0] == 'Other':
            line.close()
        return False

    place.server.hooks.update({
        'UID MOVE': lambda line, asked: line.close(), 'EXAMINE': hang_up,
        'SELECT': hang_up, 'STATUS': hang_up})
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    case.expect(wait_until(lambda: 'not moved' in place.mount.messages(),
                           4 * PATIENT), 'it is never given up')
    case.expect('2.eml' in place.ls('INBOX'), place.ls('INBOX'))
    place.server.behave()
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.uids() == [1, 2, 3], place.uids())


@tap.test(limit=120)
def test_list_that_is_cut_each_time_lets_no_wait_end_well(case):
    """The line is not away: logins succeed."""
    place = Late(case)
    place.server.hooks['LIST'] = lambda line, asked: line.close()
    result = place.wait()
    case.expect(not result.ok and 'folders' in str(result.err), result)
    place.server.behave()
    place.expect_soon(lambda: place.wait().ok, 'it never ends well')


@tap.test(limit=120)
def test_search_that_is_refused_is_made_again(case):
    """Whether it is stored is not known: nobody is told that it is not."""
    place = Late(case, **WRITEBACK)
    left = [2]

    def store(line, command):
        line._append(command, list(command.arguments))
        line.close()

    def refuse(line, command):
        if left[0] == 0:
            return False
        left[0] -= 1
        line.line(f'{command.tag} NO [UNAVAILABLE] too many connections')
        return True

    place.server.hooks['APPEND'] = store
    place.server.hooks['UID SEARCH'] = refuse
    written(place, message())
    place.expect_soon(lambda: left[0] == 0, 'it is not looked for again')
    place.done = True
    place.settles('Other', [crlf(message())])
    case.expect(place.lost() == set(), place.lost())
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_old_message_goes_when_the_server_has_time_again(case):
    """The next mount does not know of it, and is not let look at once."""
    place = Late(case, **WRITEBACK)
    bodies = place.has()

    def store(line, asked):
        line._append(asked, list(asked.arguments))
        line.close()

    left = [2]

    def refuse(line, asked):
        if left[0] == 0 or not (asked.text.startswith('2 ') or
                                ':' in asked.text.split()[0]):
            return False
        left[0] -= 1
        line.line(f'{asked.tag} NO [UNAVAILABLE] not now')
        return True

    place.server.hooks['APPEND'] = store
    place.server.hooks['UID SEARCH'] = lambda line, asked: line.close()
    case.expect(place.sh('echo more >> INBOX/2.eml').clean, 'it fails')
    place.expect_soon(lambda: place.server.saw('UID SEARCH*'), 'no search')
    data = place.kill()
    place.forget_cache(data)
    place.server.hooks = {'UID FETCH': refuse}
    place.start(data=data)
    place.expect_soon(lambda: left[0] == 0, 'it was not refused', left)
    place.done = True
    place.settles('INBOX', [bodies[0], bodies[1] + b'more\r\n', bodies[2]])


@tap.test(limit=120)
def test_state_of_the_message_by_another_client_is_not_taken_for_ours(case):
    place = Late(case, **WRITEBACK)
    bodies = place.has()
    theirs = bodies[1] + b'theirs\r\n'

    def cut(line, asked):
        del place.server.hooks['APPEND']
        place.inbox.store(theirs, 1795339800 + 60)
        line.close()

    place.server.hooks['APPEND'] = cut
    case.expect(place.sh('echo ours >> INBOX/2.eml').clean, 'it fails')
    place.done = True
    place.settles('INBOX', [bodies[0], bodies[1] + b'ours\r\n', theirs,
                            bodies[2]])


@tap.test(limit=120)
def test_refusal_after_an_unanswered_attempt_is_looked_into(case):
    """The first has filled the mailbox, so the second is over quota."""
    place = Late(case, **WRITEBACK)
    place.be_late('APPEND', lambda commands: False)
    cut = place.server.hooks['APPEND']

    def first(line, asked):
        place.server.hooks['APPEND'] = full
        return cut(line, asked)

    def full(line, asked):
        place.be_due(lambda commands: True)
        line.line(f'{asked.tag} NO [OVERQUOTA] full')
        return True

    place.server.hooks['APPEND'] = first
    written(place, message())
    place.settles('Other', [crlf(message())])
    case.expect(place.lost() == set(), place.lost())
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


if __name__ == '__main__':
    tap.main(jobs=8)
