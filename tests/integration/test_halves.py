#!/usr/bin/env python3
"""Changes of which the server, or we, have done but a half: what is there is
found out, and finished or undone. No message is lost, and none is doubled."""

import contextlib
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from imapserver import CAPABILITIES
from place import Place
from writing import crlf, message

PLAIN = CAPABILITIES.replace(' UIDPLUS', '')


def refuse(place, answer, folder='INBOX', first=None):
    """No flag is set there. first: what happens before."""

    def hook(line, command):
        if line.mailbox.name != folder and folder != '*':
            return False
        if first is not None:
            first()
        line.line(f'{command.tag} {answer}')
        return True

    place.server.hooks['UID STORE'] = hook


def read_events(events, told=b''):
    with contextlib.suppress(BlockingIOError):
        return told + os.read(events, 65536)
    return told


# ---- a copy whose original cannot be deleted

@tap.test(limit=120)
def test_copy_goes_again_if_the_original_cannot_be_deleted(case):
    for answer in ('NO [NOPERM] no', 'NO no'):
        place = Place(case, CAPABILITIES)
        bodies = place.has()
        inode = place.sh('stat -c %i INBOX/2.eml').out
        events = os.open(place.path('.imapfs/events'),
                         os.O_RDONLY | os.O_NONBLOCK)
        refuse(place, answer)
        case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
        result = place.wait()
        case.expect('not moved to Other' in result.err, answer, result)
        place.expect_soon(lambda: place.wait().ok, 'it does not end')
        case.expect(place.has() == bodies and place.has('Other') == [],
                    answer, place.uids(), place.uids('Other'))
        case.expect(place.ls('INBOX') == {'1.eml', '2.eml', '3.eml'} and
                    place.ls('Other') == set(), answer, place.ls('INBOX'),
                    place.ls('Other'))
        case.expect(place.sh('cat INBOX/2.eml').out in bodies and
                    place.sh('stat -c %i INBOX/2.eml').out == inode,
                    'it is another file')
        case.expect(b'not moved to Other' in read_events(events), 'no event')
        os.close(events)
        place.server.hooks.clear()
        case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
        case.expect(place.wait().clean, 'it is refused for ever')
        case.expect(place.uids() == [1, 3] and len(place.has('Other')) == 1 and
                    place.ls('Other') == {'two.eml'}, place.uids(),
                    place.ls('Other'))
        place.mount.unmount(limit=30)


@tap.test(limit=120)
def test_copy_stays_if_the_original_has_gone_meanwhile(case):
    place = Place(case, CAPABILITIES)
    body = place.inbox.get(2).body
    refuse(place, 'NO [NOPERM] no', first=lambda: place.inbox.remove(2))
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.uids() == [1, 3] and place.has('Other') == [body],
                place.uids(), place.uids('Other'))
    case.expect(place.ls('Other') == {'two.eml'} and
                place.ls('INBOX') == {'1.eml', '3.eml'}, place.ls('Other'),
                place.ls('INBOX'))


@tap.test(limit=120)
def test_both_stay_if_neither_can_be_deleted(case):
    place = Place(case, CAPABILITIES)
    bodies = place.has()
    refuse(place, 'NO [NOPERM] no', '*')
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    said = []

    def is_settled():
        said.append(place.wait())
        return said[-1].ok

    place.expect_soon(is_settled, 'it does not end')
    text = ' '.join(one.err for one in said)
    case.expect('not moved to Other' in text and
                'of Other was not deleted' in text, text)
    case.expect(place.has() == bodies and place.has('Other') == [bodies[1]],
                place.uids(), place.uids('Other'))
    case.expect(len(place.ls('INBOX')) == 3 and len(place.ls('Other')) == 1,
                place.ls('INBOX'), place.ls('Other'))


# ---- a move that the server has done by halves

@tap.test(limit=120)
def test_copy_is_found_beside_one_with_that_uid_elsewhere(case):
    """The server ends in the middle of a move: the copy is there, and so is
    the original. Another move, to another folder, it has done."""
    place = Place(case, folders=('Other', 'Third'))
    bodies = place.has()

    def hook(line, command):
        folder = command.arguments[1].strip('"')
        with place.server.changing:
            if folder == 'Third':
                line._do_uid_move(command)
            else:
                line._do_uid_copy(command)
        done.add(folder)
        if len(done) == 2:
            place.server.hooks.clear()
            place.server.drop_connections()

    done = set()
    place.server.hooks['UID MOVE'] = hook
    case.expect(place.sh('mv INBOX/2.eml Third/b.eml;'
                         'mv INBOX/1.eml Other/a.eml').clean, 'mv')
    place.expect_soon(lambda: place.wait().ok and len(done) == 2,
                      'it does not end', done)
    case.expect(place.uids() == [3] and place.has('Other') == [bodies[0]] and
                place.has('Third') == [bodies[1]], place.uids(),
                place.uids('Other'), place.uids('Third'))
    case.expect(place.ls('Other') == {'a.eml'} and
                place.ls('Third') == {'b.eml'}, place.ls('Other'),
                place.ls('Third'))


@tap.test(limit=120)
def test_copy_is_found_in_a_folder_that_was_not_read_before(case):
    place = Place(case, listed=False)
    body = place.inbox.get(2).body

    def hook(line, command):
        with place.server.changing:
            line._do_uid_copy(command)
        del place.server.hooks['UID MOVE']
        line.close()

    place.server.hooks['UID MOVE'] = hook
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    place.expect_soon(lambda: place.wait().ok and place.uids() == [1, 3],
                      'it does not end', place.uids())
    case.expect(place.has('Other') == [body], place.uids('Other'))
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_copy_is_not_made_again_while_its_folder_cannot_be_read(case):
    place = Place(case, CAPABILITIES)
    body = place.inbox.get(2).body
    left = [30]

    def cut(line, command):
        there = (line.mailbox is not None and line.mailbox.name == 'Other' or
                 'Other' in command.text)
        if not there or left[0] == 0:
            return False
        left[0] -= 1
        return line.close()

    def copy(line, command):
        line.default(command)
        place.server.hooks['*'] = cut
        for name in ('SELECT', 'EXAMINE', 'UID SEARCH', 'UID FETCH', 'NOOP'):
            place.server.hooks[name] = cut
        del place.server.hooks['UID COPY']
        line.close()

    place.server.hooks['UID COPY'] = copy
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    place.expect_soon(lambda: place.wait().ok and left[0] == 0,
                      'it does not end', left)
    case.expect(place.uids() == [1, 3] and place.has('Other') == [body],
                place.uids(), place.uids('Other'))
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_older_message_is_not_taken_for_the_copy_and_deleted(case):
    """The server says so."""
    place = Place(case, CAPABILITIES)
    other = place.server.find('Other')
    older = other.store(crlf(message(7)), 1795339800)
    place.expect_soon(lambda: place.ls('Other') == {'1.eml'}, 'it is not told')
    bodies = place.has()
    place.server.hooks['UID COPY'] = lambda line, command: line.send(
        line.default(command).replace(b' 2 2]', b' 2 1]'))
    refuse(place, 'NO [NOPERM] no')
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    said = place.wait()
    case.expect('not moved to Other' in said.err, said)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has() == bodies and older.body in place.has('Other'),
                place.uids(), place.uids('Other'))


@tap.test(limit=120)
def test_copy_to_a_folder_that_is_replaced_just_before(case):
    """The number of the copy means nothing in the folder that was known."""
    for killed in (False, True):
        place = Place(case, CAPABILITIES)
        body = place.inbox.get(2).body
        asked = []

        def copy(line, command):
            with place.server.changing:
                place.server.find('Other').uidvalidity += 1
                line.send(line.default(command))
            place.server.hooks.pop('UID COPY')

        def hang(line, command):
            asked.append(command)
            return line.hang() if killed else False

        place.server.hooks.update({'UID COPY': copy, 'UID STORE': hang})
        case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
        if killed:
            place.expect_soon(lambda: asked, 'it is not deleted')
            data = place.kill()
            place.server.behave()
            place.start(data=data)
        place.expect_soon(lambda: place.wait().ok, 'it does not end')
        case.expect(place.uids() == [1, 3] and place.has('Other') == [body],
                    killed, place.uids(), place.uids('Other'))
        place.expect_soon(lambda: place.ls('Other') == {'1.eml'},
                          place.ls('Other'))
        place.mount.unmount(limit=30)


def cut_copy(place, hook):
    """The copy is not made, and of another one that has come to Other instead,
    of that size, the octets are asked for: hook(line, command), if it is so."""
    other = place.server.find('Other')
    body = place.inbox.get(2).body

    def copy(line, command):
        place.server.hooks.pop('UID COPY')
        other.store(body.replace(b'e', b'o'), 1795339800)
        line.close()

    place.server.hooks.update({'UID COPY': copy, 'UID FETCH': lambda *both: (
        both[0].mailbox is other and 'BODY' in both[1].text and hook(*both))})
    place.case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    return place.wait()


@tap.test(limit=120)
def test_what_may_be_the_copy_is_removed_while_it_is_compared(case):
    place = Place(case, CAPABILITIES)
    body = place.inbox.get(2).body
    said = cut_copy(place, lambda *_: bool(
        place.server.find('Other').remove(1)))
    case.expect(said.clean, said)
    case.expect(place.uids() == [1, 3] and place.has('Other') == [body],
                place.uids(), place.uids('Other'))
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_what_may_be_the_copy_cannot_be_compared(case):
    place = Place(case, CAPABILITIES)
    said = cut_copy(place, lambda line, command: line.line(
        f'{command.tag} NO no'))
    case.expect('does not let us see' in said.err, said)
    case.expect(place.wait().ok, 'it does not end')
    case.expect(place.uids() == [1, 2, 3] and
                place.ls('INBOX') == {'1.eml', '2.eml', '3.eml'} and
                place.ls('Other') == {'1.eml'}, place.uids(),
                place.ls('INBOX'), place.ls('Other'))


# ---- a message of which nobody knows yet whether it is stored

def lose_answer(place):
    """Of the next message that is stored."""

    def hook(line, command):
        del place.server.hooks['APPEND']
        line.default(command)
        line.close()

    place.server.hooks['APPEND'] = hook


@tap.test(limit=120)
def test_older_message_is_not_taken_for_what_was_stored(case):
    """The server says so."""
    place = Place(case, CAPABILITIES)
    body = place.inbox.get(1).body
    place.server.hooks['APPEND'] = lambda line, command: line.send(
        line.default(command).replace(b' 4]', b' 1]'))
    case.expect(place.put('INBOX/x.eml', message(8)).clean, 'it fails')
    case.expect(place.wait().clean, 'it does not end')
    case.expect(place.ls('INBOX') == {'1.eml', '2.eml', '3.eml', 'x.eml'},
                place.ls('INBOX'))
    case.expect(place.sh('cat INBOX/x.eml').out == crlf(message(8)) and
                place.sh('cat INBOX/1.eml').out == body, 'another one')


@tap.test(limit=120)
def test_message_that_may_be_what_is_looked_for_is_not_moved_away(case):
    place = Place(case)
    searches = []

    def hook(line, command):
        if 'HEADER' not in command.arguments:
            return False
        searches.append(command)
        return line.close()

    place.server.hooks['UID SEARCH'] = hook
    lose_answer(place)
    case.expect(not place.put('Other/x.eml', message()).ok, 'it is stored')
    place.expect_soon(lambda: searches and '1.eml' in place.ls('Other'),
                      'it is not looked for', searches, place.ls('Other'))
    moved = place.sh('mv Other/1.eml INBOX/moved.eml')
    case.expect('busy' in moved.err, moved)
    place.sh('timeout 3 sync INBOX')
    place.server.hooks.clear()
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has('Other') == [crlf(message())] and
                len(place.has()) == 3, len(place.has('Other')),
                len(place.has()))
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_message_that_cannot_be_seen_now_is_not_taken_for_gone(case):
    """What the server has stored and the mount has not read yet is replaced,
    while every connection ends as soon as it is asked for anything else."""
    place = Place(case)
    case.expect(place.wait().ok, 'it is never settled')

    def cut(line, command):
        if command.name in ('SELECT', 'EXAMINE', 'STATUS', 'LIST', 'NOOP',
                            'UID FETCH', 'UID SEARCH', 'IDLE'):
            return line.close()
        return False

    place.server.hooks['*'] = cut
    case.expect(place.put('Other/x.eml', message()).ok, 'it is not stored')
    place.sh('cat > Other/.x.tmp; mv -f Other/.x.tmp Other/x.eml',
             message(body='newer'))
    place.server.hooks.clear()
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has('Other') == [crlf(message(body='newer'))],
                place.has('Other'))
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


# ---- a message that is being written

@tap.test(limit=120)
def test_message_that_is_being_edited_cannot_be_renamed(case):
    place = Place(case)
    bodies = place.has()
    case.expect(place.sh('mv INBOX/2.eml INBOX/b.eml').clean, 'mv')
    with place.program('fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)\n'
                       'os.write(fd, b"more\\r\\n")\n'
                       'print("written", flush=True)\n'
                       'sys.stdin.readline()\n'
                       'os.close(fd)\n'
                       'print("closed", flush=True)\n',
                       'INBOX/b.eml', stdin=-1) as editor:
        case.expect(editor.stdout.readline() == b'written\n', 'not written')
        for name in ('Other/two.eml', 'INBOX/two.eml'):
            result = place.sh(f'mv INBOX/b.eml {name}')
            case.expect('busy' in result.err, name, result)
        editor.stdin.write(b'\n')
        editor.stdin.flush()
        case.expect(editor.stdout.readline() == b'closed\n', 'not closed')
    moved = place.sh('mv INBOX/b.eml Other/two.eml')
    case.expect(moved.clean, moved)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has() == sorted((bodies[0], bodies[2])) and
                place.has('Other') == [bodies[1] + b'more\r\n'],
                place.uids(), place.uids('Other'))


@tap.test(limit=120)
def test_temporary_file_written_anew_while_it_waits_stays_one(case):
    """Saved twice by way of a temporary file, while the line is cut."""
    place = Place(case)
    bodies = place.has()
    case.expect(place.sh('mv INBOX/2.eml INBOX/b.eml').clean, 'mv')
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    first, second = bodies[1] + b'one\r\n', bodies[1] + b'another\r\n'
    save = 'cat > INBOX/.b.tmp; mv INBOX/.b.tmp INBOX/b.eml'
    for data in (first, second):
        case.expect(not place.sh(save, data).ok, 'it is stored', data[-9:])
    place.server.hooks.clear()
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has() == sorted((bodies[0], bodies[2], first)),
                place.uids())
    case.expect(place.sh('cat INBOX/b.eml').out == first and
                place.sh('cat INBOX/.b.tmp').out == second,
                'the mount shows what is not so', place.ls('INBOX'))
    case.expect(place.sh('mv INBOX/.b.tmp INBOX/b.eml').clean, 'mv')
    case.expect(place.wait().ok and place.has() == sorted(
        (bodies[0], bodies[2], second)), place.uids())


@tap.test(limit=120)
def test_read_only_mount_shows_what_was_not_deleted_yet(case):
    """The daemon is killed between the removal of a file and the end of what is
    written in its place."""
    place = Place(case)
    body = place.inbox.get(2).body
    case.expect(place.sh('mv INBOX/2.eml INBOX/two.eml').clean, 'mv')
    place.server.hooks['UID MOVE'] = lambda line, command: line.hang()
    with place.program('os.unlink(sys.argv[1])\n'
                       'fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n'
                       'os.write(fd, b"Subject: ")\n'
                       'os.rename(sys.argv[2], sys.argv[3])\n'
                       'print("written", flush=True)\n'
                       'time.sleep(600)\n', 'INBOX/two.eml',
                       'INBOX/3.eml', 'Other/three.eml') as editor:
        case.expect(editor.stdout.readline() == b'written\n', 'not written')
        data = place.kill()
    place.server.hooks.clear()
    place.options['ro'] = None
    place.start(data=data)
    about = place.sh('cat .imapfs/README').out.decode()
    case.expect('cannot be written to' in about and 'write to it' not in about
                and 'lost+found' not in about, about)
    case.expect(place.ls('INBOX') == {'1.eml', 'two.eml', '3.eml'} and
                place.ls('Other') == set(), place.ls('INBOX'),
                place.ls('Other'))
    case.expect(place.sh('cat INBOX/two.eml').out == body, 'it is another')
    case.expect(place.wait().ok and not place.server.find('Other').present,
                'it changes something')
    place.mount.unmount(limit=30)
    del place.options['ro']
    place.start(data=data)
    place.expect_soon(lambda: place.wait().ok and
                      place.ls('Other') == {'three.eml'}, 'it is forgotten',
                      place.ls('Other'))
    case.expect(place.ls('INBOX') == {'1.eml', 'two.eml'} and
                place.uids() == [1, 2], place.ls('INBOX'))


@tap.test(limit=120)
def test_with_sync_what_is_removed_is_gone_before_it_is_written_anew(case):
    place = Place(case, sync=None)
    body = place.inbox.get(2).body
    case.expect(place.sh('mv INBOX/2.eml INBOX/b.eml').clean, 'mv')
    place.server.hooks['APPEND'] = lambda line, command: line.line(
        f'{command.tag} NO [OVERQUOTA] there is no room')
    with place.program('os.unlink(sys.argv[1])\n'
                       'print("removed", flush=True)\n'
                       'time.sleep(600)\n', 'INBOX/b.eml') as remover:
        case.expect(remover.stdout.readline() == b'removed\n', 'rm')
        case.expect(place.uids() == [1, 3], 'it is not gone', place.uids())
        result = place.put('INBOX/b.eml', body + b'more\r\n')
    case.expect('quota' in result.err, result)
    case.expect(place.ls('INBOX') == {'1.eml', '3.eml'}, place.ls('INBOX'))
    kept = place.sh('cat .imapfs/lost+found/b.eml')
    case.expect(kept.out == body + b'more\r\n', kept)


@tap.test(limit=120)
def test_with_sync_the_older_message_goes_when_there_is_a_line_again(case):
    place = Place(case, sync=None)
    case.expect(place.put('Other/x.eml', message()).clean, 'it is not stored')
    case.expect(place.wait().ok, 'it is never settled')
    left = [6]

    def cut(line, command):
        if left[0] == 0:
            return False
        left[0] -= 1
        return line.close()

    place.server.hooks['SELECT'] = cut
    place.sh('cat > Other/.x.tmp; mv -f Other/.x.tmp Other/x.eml',
             message(body='newer'))
    place.expect_soon(lambda: left[0] == 0 and place.wait().ok,
                      'it does not end', left)
    case.expect(place.has('Other') == [crlf(message(body='newer'))],
                place.has('Other'))


# ---- marks of others

def with_marks(case, count=2500):
    """All but the first ten are marked by others, so that they make many
    ranges."""
    place = Place(case, PLAIN, timeout=20, messages=count)
    marked = [uid for uid in range(11, count + 1) if uid % 10]
    for uid in marked:
        place.inbox.get(uid).flags += ('\\Deleted',)
    return place, marked


def marks(place):
    return [m.uid for m in place.inbox.present if '\\Deleted' in m.flags]


@tap.test(limit=180)
def test_more_marks_of_others_than_a_command_can_name(case):
    place, marked = with_marks(case)
    case.expect(place.sh('rm INBOX/3.eml INBOX/20.eml').clean, 'rm')
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    uids = place.uids()
    case.expect(len(uids) == 2498 and not {3, 20} & set(uids), len(uids))
    case.expect(marks(place) == marked, len(marks(place)), len(marked))


@tap.test(limit=180)
def test_many_marks_of_others_come_back_after_a_kill(case):
    place, marked = with_marks(case)
    asked = []
    place.server.hooks['EXPUNGE'] = lambda line, command: (
        asked.append(command), line.hang())
    case.expect(place.sh('rm INBOX/3.eml').clean, 'rm')
    place.expect_soon(lambda: asked, 'no EXPUNGE')
    case.expect(marks(place) == [3], len(marks(place)))
    data = place.kill()
    place.server.hooks.clear()
    place.start(data=data)
    place.expect_soon(lambda: place.wait().ok and marks(place) == marked,
                      'they do not come back', len(marks(place)), place.wait(),
                      place.mount.messages()[-3000:])
    case.expect(3 not in place.uids() and len(place.uids()) == 2499,
                len(place.uids()))


@tap.test(limit=120)
def test_mount_to_read_counts_changes_and_not_marks(case):
    place = Place(case, PLAIN)
    place.inbox.get(3).flags += ('\\Deleted',)
    asked = []
    place.server.hooks['EXPUNGE'] = lambda line, command: (
        asked.append(command), line.hang())
    case.expect(place.sh('rm INBOX/1.eml').clean, 'rm')
    place.expect_soon(lambda: asked, 'no EXPUNGE')
    data = place.kill()
    place.server.behave()
    place.options['ro'] = None
    place.start(data=data)
    place.expect_soon(lambda: 'earlier mount wait' in place.mount.messages(),
                      'it is not told')
    case.expect(' 1 changes of an earlier mount wait' in
                ' ' + place.mount.messages(), place.mount.messages()[-1000:])
    del place.options['ro']
    place.mount.unmount()
    place.start(data=data)
    place.expect_soon(lambda: place.wait().ok and marks(place) == [3] and
                      place.uids() == [2, 3], 'it is not made', place.uids())


@tap.test(limit=120)
def test_copy_stays_if_the_mark_of_its_original_does(case):
    """The original may go with the next EXPUNGE of anybody."""
    place = Place(case, CAPABILITIES)
    body = place.server.find('INBOX').present[1].body
    place.server.hooks['UID EXPUNGE'] = lambda line, command: (
        line.mailbox.name == 'INBOX' and
        (line.line(f'{command.tag} NO [NOPERM] no') or True))
    place.server.hooks['UID STORE'] = lambda line, command: (
        '-FLAGS' in repr(command) and (line.close() or True))
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv')
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    marked = [one.flags for one in place.server.find('INBOX').present
              if one.uid == 2]
    case.expect(body in place.has('Other') or
                '\\Deleted' not in str(marked), marked, place.has('Other'))


@tap.test(limit=120)
def test_files_beside_a_maildir_are_lost_with_its_folder(case):
    place = Place(case, CAPABILITIES)
    case.expect(place.sh('echo kept > .imapfs/maildir/Other/my-list;'
                         ': > .imapfs/maildir/Other/my-mark').clean, 'echo')
    data = place.mount.data
    place.mount.unmount()
    place.start(data=data)
    case.expect(place.sh('rmdir Other').clean, 'rmdir')
    case.expect(place.lost() == {'my-list'}, place.lost())
    case.expect(place.sh('cat .imapfs/lost+found/my-list').out == b'kept\n',
                'it has other octets')
    place.mount.unmount()
    place.start(data=data)
    case.expect(place.lost() == {'my-list'}, place.lost())


@tap.test(limit=120)
def test_two_that_stay_have_names_of_their_own_in_the_maildir(case):
    """The newer has gone by the name of the older, which cannot be deleted."""
    place = Place(case, CAPABILITIES)
    bodies = place.has()
    name = place.sh('cd .imapfs/maildir; ls INBOX/new/*U2.*').out.decode()
    refuse(place, 'NO [NOPERM] no')
    case.expect(place.sh(f'cat INBOX/2.eml; cd .imapfs/maildir; '
                         f'echo more >> {name.strip()}').ok, 'echo')
    place.expect_soon(lambda: 'not deleted' in place.mount.messages(),
                      'nothing is refused', place.mount.messages()[-2000:])
    case.expect(len(place.has()) == 4, place.uids())
    files = place.sh('find .imapfs/maildir/INBOX -type f').out.decode().split()
    bases = {os.path.basename(file).partition(':2,')[0] for file in files}
    case.expect(len(files) == 4 and len(bases) == 4, files)
    case.expect(sorted(place.sh(f'cat {file}').out for file in files) ==
                sorted([*bodies, bodies[1] + b'more\r\n']), 'other octets')
    case.expect(place.sh(f'cat .imapfs/maildir/{name.strip()}').out ==
                bodies[1], 'the older has lost its name')


@tap.test(limit=120)
def test_name_in_a_maildir_is_none_in_the_folder_after_a_kill(case):
    place = Place(case, CAPABILITIES)
    hung = []
    place.server.hooks['UID EXPUNGE'] = lambda line, command: (
        hung.append(command), line.hang())
    case.expect(place.sh(
        'cd .imapfs/maildir; f=$(find INBOX -type f | head -1);'
        'mv "$f" Other/cur/17.mine.host:2,S').clean, 'mv')
    place.expect_soon(lambda: hung, 'it is not copied')
    data = place.kill()
    place.server.behave()
    place.start(data=data)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(len(place.uids()) == 2 and len(place.uids('Other')) == 1,
                place.uids(), place.uids('Other'))
    result = place.sh('ls Other .imapfs/maildir/Other/cur')
    case.expect(result.clean and b'17.mine.host:2,S' in result.out, result)


if __name__ == '__main__':
    tap.main(jobs=4)
