#!/usr/bin/env python3
"""Changes that meet at the worst moment: one is under way, refused or cut when
the next is asked for. Whatever comes of it, no message is lost, and none is
doubled."""

import contextlib
import os
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import wait_until
from imapserver import CAPABILITIES
from place import PATIENT, Place
from writing import crlf, message, small_disk


def strip_code(line, command):
    """Does it, and does not tell what has come of it."""
    line.send(re.sub(rb'\[COPYUID[^]]*\] ', b'', line.default(command)))


@tap.test(limit=120)
def test_copy_of_which_the_server_does_not_tell_is_made_once(case):
    place = Place(case, CAPABILITIES)
    body = place.inbox.get(2).body
    place.server.hooks['UID COPY'] = strip_code
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv failed')
    place.wait()
    place.expect_soon(lambda: place.uids() == [1, 3], place.uids())
    case.expect(place.has('Other') == [body], place.uids('Other'))
    case.expect(place.ls('Other') == {'two.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_source_removed_after_a_copy_that_was_not_made(case):
    place = Place(case, writeback=None)
    left = [1]

    def cut(line, command):
        if left:
            left.clear()
            line.close()
        return False

    place.server.hooks['UID COPY'] = cut
    bodies = place.has()
    copied = place.sh('cp INBOX/2.eml Other/two.eml && rm INBOX/2.eml')
    place.wait()
    place.expect_soon(
        lambda: place.has('Other') == [bodies[1]], place.uids('Other'))
    case.expect((2 in place.uids()) != copied.ok, place.uids(), copied)


@tap.test(limit=120)
def test_replaced_message_stays_when_the_move_is_given_up(case):
    place = Place(case)
    body = place.inbox.get(2).body
    place.server.find('Other').store(body, 1795339800)
    place.expect_soon(lambda: place.ls('Other') == {'1.eml'}, 'it is not told')
    case.expect(place.sh('mv Other/1.eml Other/x.eml').clean, 'mv failed')
    case.expect(place.sh('cat Other/x.eml INBOX/2.eml').out == 2 * body, 'cat')
    gate = []
    place.server.hooks['UID MOVE'] = lambda line, command: (
        gate.append(command), line.hang())
    case.expect(place.sh('mv INBOX/2.eml Other/z.eml').clean, 'mv failed')
    place.expect_soon(lambda: gate, 'nothing was sent')
    with subprocess.Popen(
            ['mv', '-f', place.path('Other/z.eml'), place.path('Other/x.eml')],
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as moving:
        with contextlib.suppress(subprocess.TimeoutExpired):
            moving.wait(1.5)
        moving.send_signal(signal.SIGINT)
        moving.wait(PATIENT)
    place.server.hooks['UID MOVE'] = lambda line, command: line.line(
        f'{command.tag} NO [OVERQUOTA] no')
    place.server.drop_connections()
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(2 in place.uids(), place.uids())
    case.expect(place.has('Other') == [body], 'what was to be replaced is gone')
    case.expect('x.eml' in place.ls('Other'), place.ls('Other'))


def go_away(place):
    """The server lets nobody in any more."""
    place.server.hooks['greeting'] = lambda line, *_: line.close()
    place.server.drop_connections()
    place.expect_soon(lambda: 'is shown as it was' in place.mount.messages(),
                      'it is not away')


def come_back(place):
    del place.server.hooks['greeting']


for way, is_killed in (('', False), ('_and_killed', True)):
    @tap.test(limit=120, arguments=(is_killed,),
              name=f'replaced_on_its_way_by_a_move_that_is_refused{way}')
    def replaced_on_its_way(case, kills):
        """It goes on to where it was shown, and not to where it came from."""
        place = Place(case, folders=('Other', 'Third'))
        bodies = place.has()
        place.server.find('Third').store(bodies[1], 1795339800)
        place.expect_soon(lambda: place.ls('Third') == {'1.eml'}, 'not told')
        case.expect(place.sh('cat INBOX/2.eml Third/1.eml').clean, 'cat')
        go_away(place)
        result = place.sh('mv INBOX/2.eml Other/x.eml && '
                          'mv -f Third/1.eml Other/x.eml')
        case.expect(result.clean, result)
        case.expect(place.ls('Other') == {'x.eml'} and
                    place.ls('INBOX') == {'1.eml', '3.eml'}, place.ls('Other'))
        place.server.hooks['UID MOVE'] = lambda line, command: (
            line.mailbox.name == 'Third' and
            (line.line(f'{command.tag} NO [NOPERM] no') or True))
        if kills:
            data = place.kill()
            come_back(place)
            place.start(data=data)
        else:
            come_back(place)
        place.expect_soon(lambda: 'not moved' in place.mount.messages(),
                          'it is not refused')
        place.expect_soon(lambda: place.wait().ok, 'it does not end')
        case.expect(place.has('Other') == [bodies[1]] and
                    place.has('Third') == [bodies[1]] and
                    place.uids() == [1, 3], place.uids(), place.uids('Other'))
        case.expect(place.ls('Other') == {'x.eml'} and
                    place.ls('Third') == {'1.eml'}, place.ls('Other'))


@tap.test(limit=120)
def test_moved_back_under_the_name_of_another_message_is_refused(case):
    """It would not be called so."""
    place = Place(case)
    go_away(place)
    case.expect(place.sh('mv INBOX/2.eml Other/x.eml').clean, 'mv')
    result = place.sh('mv Other/x.eml INBOX/99.eml')
    case.expect(not result.ok, result)
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))
    case.expect(place.sh('mv Other/x.eml INBOX/2.eml').clean, 'mv')
    case.expect(place.ls('INBOX') == {'1.eml', '2.eml', '3.eml'},
                place.ls('INBOX'))


REMOVED_AND_KILLED = r"""
import contextlib, os, sys, threading, time
large = os.open('Other/large.eml', os.O_WRONLY | os.O_CREAT)
os.write(large, b'Subject: x\n\n')
for _ in range(200):
    os.write(large, b'x\n' * 50000)
os.write(large, b'\0')  # which is seen at the end of it all
closing = threading.Thread(target=os.close, args=(large,))
closing.start()
time.sleep(0.05)
while os.path.exists('Other/x.eml'):
    with contextlib.suppress(OSError):  # it may just be tried to store it
        os.unlink('Other/x.eml')
os.kill(int(sys.argv[1]), 9)
closing.join()
"""


@tap.test(limit=120)
def test_removed_before_it_is_stored_is_not_stored_after_kill(case):
    """Killed as soon as the program is told, while there is much to write."""
    place = Place(case, timeout=20, writeback=None)
    go_away(place)
    case.expect(place.put('Other/x.eml', message(7)).clean, 'it fails')
    result = place.sh(f'python3 - {place.mount.pid}',
                      REMOVED_AND_KILLED.encode())
    case.expect(result.ok, result)
    data = place.killed()
    come_back(place)
    place.start(data=data)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(crlf(message(7)) not in place.has('Other'), 'it is stored')


@tap.test(limit=120)
def test_scratch_file_under_a_move_that_is_refused(case):
    place = Place(case)
    case.expect(place.put('Other/.x.part', b'precious').clean, 'no scratch')
    place.server.hooks['UID MOVE'] = lambda line, command: line.line(
        f'{command.tag} NO [OVERQUOTA] no')
    place.sh('mv -f INBOX/2.eml Other/.x.part')
    place.wait()
    case.expect(place.uids() == [1, 2, 3], place.uids())
    kept = place.sh('cat Other/.x.part .imapfs/lost+found/.x.part')
    case.expect(b'precious' in kept.out, kept, kept.out)


@tap.test(limit=120)
def test_removed_and_written_anew_when_the_disk_is_full(case):
    place = Place(case, state_dir=small_disk(case, '8m'))
    body = place.inbox.get(2).body
    case.expect(place.sh('mv INBOX/2.eml INBOX/two.eml').clean, 'mv')
    big = case.path('big')
    with open(big, 'wb') as file:
        file.write(message(2, body='x' * 20 * 1024 * 1024))
    result = place.sh(f'rm INBOX/two.eml && cp {big} INBOX/two.eml')
    case.expect('No space' in result.err, result)
    place.wait()
    case.expect(place.uids() == [1, 2, 3], place.uids())
    case.expect(place.sh('cat INBOX/two.eml').out == body,
                'what was removed does not show again', place.ls('INBOX'))
    case.expect(place.ls('INBOX') == {'1.eml', 'two.eml', '3.eml'},
                place.ls('INBOX'))


@tap.test(limit=120)
def test_message_whose_writer_is_killed_is_what_it_was(case):
    """Also in the kernel's own copy."""
    place = Place(case)
    body = place.inbox.get(2).body
    case.expect(place.sh('cat INBOX/2.eml').out == body, 'other octets')
    with place.program('fd = os.open(sys.argv[1], os.O_RDWR)\n'
                       'os.read(fd, 100000)\n'
                       'os.pwrite(fd, b"Subject: another", 0)\n'
                       'os.kill(os.getpid(), 9)\n', 'INBOX/2.eml') as writer:
        writer.wait(PATIENT)
    place.expect_soon(lambda: place.lost() == {'2.eml'}, place.lost())
    case.expect(place.sh('cat INBOX/2.eml').out == body, 'it is changed')
    case.expect(place.sh('head -c 16 .imapfs/lost+found/2.eml').out ==
                b'Subject: another', 'what was written is not kept')


@tap.test(limit=120)
def test_removed_and_made_anew_but_never_opened(case):
    """As by a tar --xattrs that is killed then."""
    place = Place(case)
    case.expect(place.sh('mv INBOX/2.eml INBOX/two.eml').clean, 'mv')
    make = ("python3 -c 'import os; os.unlink(\"INBOX/two.eml\");"
            " os.mknod(\"INBOX/two.eml\")'")
    case.expect(place.sh(make).clean, make)
    case.expect(wait_until(lambda: place.uids() == [1, 3], PATIENT),
                'it is never deleted', place.uids())


@tap.test(limit=120)
def test_one_message_id_twice_and_a_line_that_is_cut(case):
    """As a list and a copy to oneself bring it: two messages, one Message-ID.
    Of the two, the server has but one when the line goes."""
    place = Place(case, writeback=None)
    one = message(1, extra='X-By: list\n')
    other = message(1, extra='X-By: hand, and longer\n')
    left = [2]

    def cut(line, command):
        if left[0] > 0:
            left[0] -= 1
            if left[0] == 1:
                line._append(command, list(command.arguments))
                return True  # the answer is lost
            line.close()
        return False

    place.server.hooks['APPEND'] = cut
    for name, data in (('a.eml', one), ('b.eml', other)):
        case.expect(place.put(f'Other/{name}', data).clean, 'it fails')
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has('Other') == sorted((crlf(one), crlf(other))),
                place.has('Other'))
    case.expect(place.sh('cat Other/a.eml').out == crlf(one) and
                place.sh('cat Other/b.eml').out == crlf(other),
                'the names are wrong')


@tap.test(limit=180)
def test_written_again_after_the_next_mount_is_one_message(case):
    place = Place(case)
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    case.expect(not place.put('Other/x.eml', message()).ok, 'it is stored')
    data = place.kill()
    place.server.hooks['UID SEARCH'] = lambda line, command: line.close()
    place.start(data=data)
    status = place.sh('cat .imapfs/status').out
    case.expect(b'"uploads":1' in status.replace(b' ', b''), status[-400:])
    with subprocess.Popen(
            ['bash', '-c', 'cat > Other/x.eml'], cwd=place.mount.mountpoint,
            stdin=subprocess.PIPE) as writer:
        writer.stdin.write(message())
        writer.stdin.close()
        place.expect_soon(lambda: place.server.saw('UID SEARCH*'), 'no search')
        place.server.hooks.clear()
        writer.wait(PATIENT)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has('Other') == [crlf(message())], place.has('Other'))
    case.expect(place.ls('Other') == {'x.eml'}, place.ls('Other'))


@tap.test(limit=180)
def test_replacement_goes_on_with_the_next_mount(case):
    place = Place(case)
    case.expect(place.put('Other/x.eml', message(1)).clean, 'it fails')
    case.expect(place.wait().ok, 'it does not end')
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    newer = message(1, body='newer')
    case.expect(not place.put('Other/x.eml', newer).ok, 'it is stored')
    data = place.kill()
    place.server.hooks.clear()
    place.start(data=data)
    place.expect_soon(lambda: place.has('Other') == [crlf(newer)],
                      place.has('Other'), place.lost())
    case.expect(place.lost() == set(), place.lost())


@tap.test(limit=120)
def test_what_is_being_stored_can_be_neither_removed_nor_moved(case):
    place = Place(case)
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    place.sh('echo more >> INBOX/2.eml')
    for command in ('rm INBOX/2.eml', 'mv INBOX/2.eml Other/'):
        result = place.sh(command)
        case.expect('busy' in result.err, result)
    body = place.inbox.get(2).body + b'more\r\n'
    place.server.hooks.clear()
    place.expect_soon(lambda: body in place.has(), place.uids())
    place.expect_soon(lambda: len(place.has()) == 3, place.uids())


@tap.test(limit=120)
def test_copied_right_after_it_was_moved(case):
    place = Place(case)
    bodies = place.has()
    hold = []

    def slowly(line, command):
        hold.append(1)
        wait_until(lambda: len(hold) > 1, 3)
        return False

    place.server.hooks['UID MOVE'] = slowly
    result = place.sh('mv INBOX/2.eml Other/two.eml; '
                      'cp Other/two.eml INBOX/copy.eml')
    hold.append(1)
    case.expect(result.clean, result)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has() == bodies and place.has('Other') == [bodies[1]],
                place.uids(), place.uids('Other'))


@tap.test(limit=120)
def test_edited_right_after_it_was_moved(case):
    place = Place(case)
    body = place.inbox.get(2).body
    result = place.sh('mv INBOX/2.eml Other/two.eml; echo more >> Other/two.eml')
    case.expect(result.clean, result)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.uids() == [1, 3], place.uids())
    case.expect(place.has('Other') == [body + b'more\r\n'],
                place.uids('Other'))


@tap.test(limit=120)
def test_copied_while_it_is_being_edited(case):
    place = Place(case)
    body = place.inbox.get(2).body
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    place.sh('echo more >> INBOX/2.eml')
    place.server.hooks.clear()
    case.expect(place.sh('cp INBOX/2.eml Other/two.eml').clean, 'cp failed')
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(crlf(place.has('Other')[0]) == body + b'more\r\n',
                place.has('Other'))


@tap.test(limit=120)
def test_octets_written_and_not_stored_survive_the_end_of_the_mount(case):
    place = Place(case)
    with place.program('fd = os.open(sys.argv[1], os.O_RDWR)\n'
                       'os.write(fd, b"Subject: edited")\n'
                       'print("written", flush=True)\n'
                       'time.sleep(600)\n', 'INBOX/2.eml') as editor:
        case.expect(editor.stdout.readline() == b'written\n', 'not written')
        data = place.mount.data
        place.mount.terminate(limit=30)
    place.start(data=data)
    kept = place.sh('cat .imapfs/lost+found/*')
    case.expect(b'Subject: edited' in kept.out, kept)
    case.expect(place.uids() == [1, 2, 3], place.uids())


@tap.test(limit=120)
def test_edit_is_stored_whatever_the_message_is_called(case):
    """Programs make backups by giving messages such names."""
    place = Place(case)
    bodies = place.has()
    names = ('1.eml~', '2.eml.bak', 'a letter')
    for uid, name in enumerate(names, 1):
        result = place.sh(f'mv INBOX/{uid}.eml "INBOX/{name}" && '
                          f'echo more >> "INBOX/{name}"')
        case.expect(result.clean, result)
    case.expect(place.wait().clean, 'it does not end')
    case.expect(place.has() == sorted(b + b'more\r\n' for b in bodies),
                place.uids())
    case.expect(place.sh('ls INBOX').out.decode().splitlines() ==
                sorted(names), place.sh('ls INBOX'))
    case.expect(place.lost() == set(), place.lost())


@tap.test(limit=120)
def test_message_removed_for_a_temporary_file_is_deleted(case):
    place = Place(case)
    case.expect(place.sh('mv INBOX/2.eml INBOX/2.eml~ && rm INBOX/2.eml~ && '
                         'echo a backup > INBOX/2.eml~').clean, 'it fails')
    case.expect(place.wait().clean, 'it does not end')
    case.expect(place.uids() == [1, 3], place.uids())
    case.expect(place.sh('cat INBOX/2.eml~').out == b'a backup\n', 'octets')


@tap.test(limit=120)
def test_mapped_message_that_was_opened_to_append_is_not_appended(case):
    place = Place(case)
    body = place.inbox.get(2).body
    with place.program('import mmap\n'
                       'fd = os.open(sys.argv[1], os.O_RDWR | os.O_APPEND)\n'
                       'there = mmap.mmap(fd, 0)\n'
                       'there[:7] = b"X-Path:"\n'
                       'there.flush()\n', 'INBOX/2.eml') as writer:
        case.expect(writer.wait(PATIENT) == 0, 'it fails')
    case.expect(place.wait().clean, 'it does not end')
    case.expect(b'X-Path:' + body[7:] in place.has() and
                len(place.has()) == 3, [len(one) for one in place.has()])


@tap.test(limit=120)
def test_edit_with_a_hole_is_neither_stored_nor_forgotten(case):
    place = Place(case)
    old = place.inbox.get(2).body
    new = old.replace(b'Report', b'Letter')
    half = len(new) // 2
    write = ('dd of=INBOX/2.eml bs=1 status=none conv=notrunc '
             f'oflag=seek_bytes seek={half}')
    first = place.sh(f': > INBOX/2.eml; exec 3<>INBOX/2.eml; '
                     f'truncate -s 0 /proc/self/fd/3; {write}',
                     data=new[half:])
    place.sh('exec 3<>INBOX/2.eml; dd of=/proc/self/fd/3 bs=1 status=none '
             'conv=notrunc', data=new[:half])
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(new in place.has() and old not in place.has() and
                len(place.has()) == 3, first, place.uids())


@tap.test(limit=120)
def test_end_of_the_mount_does_not_wait_for_a_file_with_a_hole(case):
    place = Place(case)
    body = place.inbox.get(2).body
    case.expect(place.sh('mv INBOX/2.eml INBOX/two.eml').clean, 'mv failed')
    place.sh('rm INBOX/two.eml && dd of=INBOX/two.eml bs=1 seek=99 status=none',
             b'a part')
    left = place.wait()
    case.expect('1 change is still to be made' in left.err, left)
    data = place.mount.data
    place.mount.unmount(limit=12)  # less than it would wait
    place.start(data=data)
    case.expect(place.sh('cat INBOX/two.eml').out == body, 'it is not back')
    case.expect(place.sh('cat .imapfs/lost+found/two.eml').out.endswith(
        b'a part'), place.lost())
    case.expect(place.uids() == [1, 2, 3], place.uids())


def replace_inbox_at(place, command):
    """At the moment that the command comes: all lines are cut then, so that no
    other is carried out between. Returns a list that then has the octets of all."""
    replaced = []

    def replace(line, asked):
        with place.server.changing:
            if not replaced:
                replaced.append(replace_inbox(place))
            place.server.hooks.clear()
            place.server.drop_connections()
        line.close()

    place.server.hooks[command] = replace
    return replaced


def replace_inbox(place):
    """As a server whose indexes were lost: the same UIDs are others now."""
    inbox = place.inbox
    with place.server.changing:
        bodies = [one.body for one in inbox.present]
        for one, body in zip(inbox.present, reversed(bodies)):
            one.body = body
        inbox.uidvalidity += 1
    return sorted(bodies)


@tap.test(limit=180)
def test_mailbox_replaced_while_changes_wait(case):
    for command, words in (('UID MOVE', 'mv INBOX/1.eml Other/one.eml'),
                           ('UID STORE', 'rm INBOX/1.eml')):
        place = Place(case)
        replaced = replace_inbox_at(place, command)
        case.expect(place.sh(words).clean, words)
        place.expect_soon(lambda: replaced, 'not sent')
        place.expect_soon(lambda: 'not' in place.wait().err or
                          place.wait().ok, 'it does not end')
        place.expect_soon(lambda: place.wait().ok, 'it does not end')
        case.expect(place.has() == replaced[0] and place.has('Other') == [],
                    words, place.uids(), place.uids('Other'))
        place.expect_soon(lambda: place.ls('INBOX') ==
                          {'1.eml', '2.eml', '3.eml'}, place.ls('INBOX'))
        case.expect(place.ls('Other') == set(), place.ls('Other'))


@tap.test(limit=180)
def test_edit_of_a_mailbox_that_was_replaced_meanwhile(case):
    """It has the old state of the message, of that Message-ID: what was written
    is not that, and is kept, if only with what was lost."""
    place = Place(case)
    place.server.hooks['APPEND'] = lambda line, command: line.close()
    edited = place.inbox.get(1).body + b'more\r\n'
    place.sh('echo more >> INBOX/1.eml')
    bodies = replace_inbox(place)
    place.server.hooks.clear()
    place.server.drop_connections()
    place.lost()  # so that the kernel has a listing that must not stay
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    kept = place.sh('cat .imapfs/lost+found/*').out
    case.expect(edited in place.has() or edited == crlf(kept),
                place.uids(), place.lost())
    case.expect(set(bodies) <= set(place.has()), 'one is lost')


@tap.test(limit=180)
def test_folder_removed_elsewhere_while_changes_wait(case):
    place = Place(case)
    bodies = place.has()
    data = message(7)
    gone = []

    def remove(line, command):
        with place.server.changing:
            gone.append(place.server.find('Other'))
            place.server.mailboxes.remove(gone[0])
        line.close()

    place.server.hooks['UID MOVE'] = remove
    case.expect(place.sh('mv INBOX/1.eml Other/one.eml').clean, 'mv failed')
    place.expect_soon(lambda: gone, 'nothing was sent')
    place.server.hooks.clear()
    result = place.put('Other/x.eml', data)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(place.has() == bodies, place.uids())
    place.expect_soon(lambda: place.ls('INBOX') ==
                      {'1.eml', '2.eml', '3.eml'}, place.ls('INBOX'))
    case.expect(not result.ok, result)
    case.expect('x.eml' not in place.lost() or place.sh(
        'cat .imapfs/lost+found/x.eml').out == data, 'other octets')


@tap.test(limit=180)
def test_there_and_back_and_round_while_the_line_is_cut(case):
    place = Place(case)
    bodies = place.has()
    left = [3]

    def cut(line, command):
        if left[0] == 0:
            return False
        left[0] -= 1
        if left[0] == 1:
            line.default(command)
        line.close()
        return True

    place.server.hooks['UID MOVE'] = cut
    for words in ('mv INBOX/1.eml Other/a.eml', 'mv Other/a.eml INBOX/b.eml',
                  'mv INBOX/b.eml Other/c.eml', 'mv INBOX/2.eml INBOX/1st.eml',
                  'mv INBOX/3.eml Other/3rd.eml', 'mv Other/3rd.eml Other/d.eml',
                  'mv INBOX/1st.eml Other/e.eml', 'mv Other/e.eml INBOX/f.eml'):
        result = place.sh(words)
        case.expect(result.clean, result)
    place.expect_soon(lambda: place.wait().ok, 'it does not end')
    case.expect(sorted(place.has() + place.has('Other')) == bodies,
                place.uids(), place.uids('Other'))
    case.expect(place.ls('Other') == {'c.eml', 'd.eml'} and
                place.ls('INBOX') == {'f.eml'},
                place.ls('INBOX'), place.ls('Other'))
    for name, number in (('Other/c.eml', 1), ('INBOX/f.eml', 2),
                         ('Other/d.eml', 3)):
        case.expect(f'Report number {number}\r'.encode() in
                    place.sh(f'cat {name}').out, name, 'is another')


@tap.test(limit=120)
def test_name_of_a_message_that_was_removed_by_a_mark(case):
    place = Place(case, delete='mark')
    case.expect(place.put('Other/x.eml', message(1)).clean, 'it fails')
    case.expect(place.sh('rm Other/x.eml').clean, 'rm failed')
    case.expect(place.wait().ok, 'it does not end')
    result = place.put('Other/x.eml', message(2))
    case.expect(result.clean, result)
    case.expect(place.wait().ok, 'it does not end')
    case.expect(place.sh('cat Other/x.eml').out == crlf(message(2)),
                'another message')
    case.expect(place.has('Other') == sorted(map(crlf, (
        message(1), message(2)))), place.uids('Other'))


@tap.test(limit=120)
def test_search_that_finds_every_uid_there_can_be(case):
    place = Place(case, CAPABILITIES.replace(' UIDPLUS', ''))

    def all_of_them(line, command):
        if 'DELETED' not in command.text:
            return False
        line.line(f'* ESEARCH (TAG "{command.tag}") UID ALL 1:4294967295')
        line.line(f'{command.tag} OK done')
        return True

    place.server.hooks['UID SEARCH'] = all_of_them
    case.expect(place.sh('rm INBOX/2.eml').clean, 'rm failed')
    refused = place.wait()
    case.expect('not deleted' in refused.err, refused)
    case.expect(place.uids() == [1, 2, 3] and not place.server.saw('EXPUNGE*'),
                place.uids())


@tap.test(limit=120)
def test_temporary_file_after_fsync_is_there_with_its_name(case):
    place = Place(case)
    with place.program('fd = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n'
                       'os.write(fd, b"swapped out")\n'
                       'os.fsync(fd)\n'
                       'print("written", flush=True)\n'
                       'time.sleep(600)\n', 'INBOX/.2.eml.swp') as editor:
        case.expect(editor.stdout.readline() == b'written\n', 'not written')
        data = place.kill()
    place.start(data=data)
    kept = place.sh('cat .imapfs/lost+found/.2.eml.swp')
    case.expect(kept.out == b'swapped out', kept)


@tap.test(limit=120)
def test_opened_large_message_that_is_deleted_elsewhere_is_stale(case):
    body = message(9, body='0123456789' * 1024 * 1024)
    place = Place(case)
    place.inbox.store(crlf(body), 1795339800)
    place.expect_soon(lambda: place.ls('INBOX') >= {'4.eml'}, 'it is not told')
    with place.program('fd = os.open(sys.argv[1], os.O_RDONLY)\n'
                       'print(os.fstat(fd).st_size, flush=True)\n'
                       'sys.stdin.readline()\n'
                       'try:\n'
                       '    print(os.pread(fd, 4096, 9000000)[:20])\n'
                       'except OSError as error:\n'
                       '    print(error.strerror)\n',
                       'INBOX/4.eml', stdin=subprocess.PIPE) as reader:
        case.expect(int(reader.stdout.readline()) == len(crlf(body)), 'size')
        place.inbox.remove(4)
        out = reader.communicate(b'\n', PATIENT)[0]
    case.expect(b'Stale' in out, out)


@tap.test(limit=120)
def test_folder_removed_elsewhere_while_a_copy_into_it_is_open(case):
    place = Place(case)
    body = place.inbox.get(2).body
    with place.program('source = os.open(sys.argv[1], os.O_RDONLY)\n'
                       'fd = os.open(sys.argv[2], os.O_CREAT | os.O_RDWR)\n'
                       'print(os.copy_file_range(source, fd, 1 << 20),'
                       ' flush=True)\n'
                       'sys.stdin.readline()\n'
                       'try:\n'
                       '    os.close(fd)\n'
                       'except OSError as error:\n'
                       '    print(error.strerror)\n', 'INBOX/2.eml',
                       'Other/two.eml', stdin=subprocess.PIPE) as writer:
        case.expect(int(writer.stdout.readline()) == len(body), 'size')
        with place.server.changing:
            place.server.mailboxes.remove(place.server.find('Other'))
        place.expect_soon(lambda: not place.sh('stat Other').ok, 'it is there')
        out = writer.communicate(b'\n', PATIENT)[0]
    case.expect(out == b'No such file or directory\n', out)
    case.expect(place.sh('cat .imapfs/lost+found/two.eml').out == body,
                place.lost())


@tap.test(limit=120)
def test_moved_message_is_not_fetched_again(case):
    place = Place(case)
    body = place.inbox.get(2).body
    case.expect(place.sh('cat INBOX/2.eml').out == body, 'other octets')
    case.expect(place.sh('mv INBOX/2.eml Other/two.eml').clean, 'mv failed')
    case.expect(place.wait().ok, 'it does not end')
    mark = place.server.mark()
    # Past the kernel's own copy, which the inode number keeps.
    read = place.sh('dd if=Other/two.eml iflag=direct bs=64k status=none')
    case.expect(read.out == body, 'other octets', read)
    case.expect(not place.server.saw('UID FETCH*BODY*', mark),
                [str(one) for one in place.server.since(mark)[0]])


@tap.test(limit=120)
def test_read_only_mailbox_shows_in_its_mode(case):
    place = Place(case)
    place.server.find('Other').read_only = True
    place.sh('mv INBOX/2.eml Other/two.eml')
    place.wait()
    case.expect(place.uids() == [1, 2, 3], place.uids())
    place.server.find('INBOX').read_only = True
    place.server.drop_connections()
    place.sh('rm INBOX/2.eml')
    place.wait()
    place.expect_soon(
        lambda: place.sh('stat -c %a INBOX').out.strip() == b'500',
        place.sh('stat -c %a INBOX').out)
    # And nothing is sent any more to find out.
    mark = place.server.mark()
    for command in ('rm INBOX/3.eml', 'cp INBOX/1.eml INBOX/copy.eml',
                    'mv INBOX/1.eml Other/', 'echo x >> INBOX/3.eml',
                    "echo 'Subject: x' > INBOX/new.eml"):
        result = place.sh(command)
        case.expect('Read-only file system' in result.err, result)
    for sent in ('UID COPY*', 'UID MOVE*', 'UID STORE*', 'APPEND*'):
        case.expect(not place.server.saw(sent, mark), sent)


if __name__ == '__main__':
    tap.main()
