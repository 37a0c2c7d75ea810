#!/usr/bin/env python3
"""Names, attributes and freshness on the scripted server: what is in the mount
is what the server has, under names that cannot be confused."""

import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run, wait_until
from mount import Mount, MountFailed
from mailstore import Mailbox, Message, make_message, simple_mailbox
from scene import Scene


def names_in(path):
    return sorted(os.listdir(path))


# Names

@tap.test
def test_mailbox_name_wins_over_message(case):
    """A child mailbox called 3.eml, and message 3: both are reachable."""
    scene = Scene(case, [simple_mailbox(count=4), Mailbox('INBOX/3.eml')])
    scene.start()
    case.expect(names_in(scene.path('INBOX')) ==
                ['1.eml', '2.eml', '3.eml', '4.eml', 'message.3.eml'],
                names_in(scene.path('INBOX')))
    case.expect(os.path.isdir(scene.path('INBOX/3.eml')), 'not a directory')
    with open(scene.path('INBOX/message.3.eml'), 'rb') as file:
        case.expect(file.read() == scene.inbox.get(3).body, 'wrong bytes')


@tap.test
def test_only_the_right_name_opens_a_message(case):
    scene = Scene(case, names='subject')
    scene.start()
    listed = [n for n in names_in(scene.path('INBOX')) if '.3.' in n]
    case.expect(len(listed) == 1, listed)
    case.expect(os.path.exists(scene.path('INBOX', listed[0])), listed)
    case.expect(os.path.exists(scene.path('INBOX/3.eml')), '3.eml')
    for wrong in (listed[0].replace('report', 'rapport'), '03.eml', '3.EML',
                  '-3.eml', 'x.3.eml', '4294967296.eml', '99.eml', '3.eml~',
                  listed[0] + '.eml', '0.eml'):
        case.expect(not os.path.exists(scene.path('INBOX', wrong)), wrong)


@tap.test
def test_date_sent_names_and_dates_by_the_date_field(case):
    body = make_message(1).replace(b'22 Nov 2026 09:30:01', b'5 Jan 2020 07:08:09')
    scene = Scene(case, [Mailbox('INBOX', [Message(1, body)])],
                  names='subject', options={'date': 'sent'})
    scene.start()
    name = names_in(scene.path('INBOX'))[0]
    case.expect(name.startswith('2020-01-05_0708_'), name)
    case.expect(os.stat(scene.path('INBOX', name)).st_mtime == 1578208089,
                os.stat(scene.path('INBOX', name)))


@tap.test
def test_hostile_mailbox_names_stay_below_the_mount(case):
    names = ['..', '.', '../etc', 'a//b', '/lead', 'trail/', 'x/../y', '%2F',
             '.imapfs', 'q' * 300, 'a\u202eb']
    scene = Scene(case, [simple_mailbox(), *(Mailbox(n) for n in names)])
    scene.start()
    result = run('find', scene.mount.mountpoint, check=True).out.decode()
    for line in result.splitlines():
        case.expect(line.startswith(scene.mount.mountpoint), line)
        parts = line[len(scene.mount.mountpoint):].split('/')[1:]
        case.expect('..' not in parts and '.' not in parts and
                    '.imapfs' not in parts and '\u202e' not in line, line)
    case.expect('%252F' in result and '%2E%2E' in result, result)


# Attributes

@tap.test
def test_owner_and_mode_are_as_asked(case):
    scene = Scene(case, options={'uid': 12, 'gid': 34, 'umask': '027'})
    scene.start()
    assert scene.listing()
    file, folder = os.stat(scene.file(1)), os.stat(scene.path('INBOX'))
    case.expect((file.st_uid, file.st_gid, oct(file.st_mode)) ==
                (12, 34, '0o100640'), file)
    case.expect((folder.st_uid, folder.st_gid, oct(folder.st_mode)) ==
                (12, 34, '0o40750'), folder)
    case.expect(file.st_mtime == scene.inbox.get(1).time, file)
    case.expect(file.st_blocks * 512 >= file.st_size, file)


@tap.test
def test_nothing_can_be_written(case):
    scene = Scene(case, options={'ro': None})
    scene.start()
    for command in (f'echo x > {scene.file(1)}', f'rm -f {scene.file(1)}',
                    f'mkdir {scene.path("New")}', f'touch {scene.file(1)}',
                    f'mv {scene.file(1)} {scene.file(9)}',
                    f'echo x > {scene.path("INBOX/new.eml")}'):
        result = run('sh', '-c', command)
        case.expect(result.status != 0 and 'Read-only' in result.err, result)
    case.expect(scene.listing() and scene.cat(1), 'reading')


@tap.test
def test_second_mount_at_the_same_place_is_refused(case):
    scene = Scene(case)
    scene.start()
    try:
        Mount(case, scene.server.url(), dict(scene.options),
              mountpoint=scene.mount.mountpoint, background=True)
        case.expect(False, 'mounted twice')
    except MountFailed as failed:
        case.expect('already' in failed.message, failed.message)
    case.expect(scene.listing(), 'the first one is gone')


@tap.test
def test_statfs_answers(case):
    scene = Scene(case)
    scene.start()
    assert scene.listing()
    found = os.statvfs(scene.mount.mountpoint)
    case.expect(found.f_bavail > 0 and found.f_namemax == 255 and
                found.f_blocks > found.f_bavail, found)


@tap.test
def test_read_only_whatever_mount_passes(case):
    """mount(8) begins its options with rw."""
    scene = Scene(case, options={'rw': None, 'ro': None, 'max_read': 65536})
    scene.start()
    result = run('mkdir', scene.path('New'))
    case.expect('Read-only' in result.err, result)
    case.expect(scene.listing() and scene.cat(1), 'reading')


@tap.test
def test_allow_other_heeds_umask(case):
    """Other users are let in by the kernel; the mode bits still count."""
    if os.geteuid() != 0:
        raise tap.Skip('only root can be another user, too')
    scene = Scene(case, options={'allow_other': None})
    scene.start()
    for folder in (case.directory, os.path.dirname(scene.mount.mountpoint)):
        os.chmod(folder, 0o755)
    result = run('setpriv', '--reuid=65534', '--regid=65534',
                 '--clear-groups', 'cat', scene.file(1))
    case.expect(not result.ok and 'ermission denied' in result.err, result)
    case.expect(scene.cat(1), 'cat as the owner')


# Freshness

@tap.test
def test_changes_show_after_poll(case):
    """New mail, mail that went, new and renamed folders: with poll=1 all of it
    shows to who looks after a second."""
    scene = Scene(case, [simple_mailbox(), Mailbox('Old')],
                  options={'poll': 1})
    scene.start()
    assert scene.listing() and scene.listing('Old')
    scene.inbox.messages.append(Message(9, make_message(9)))
    scene.inbox.messages = [m for m in scene.inbox.messages if m.uid != 2]
    scene.server.mailboxes[1].name = 'New'
    time.sleep(1.2)  # poll is what is tested
    case.expect(names_in(scene.path('INBOX')) ==
                ['1.eml', '3.eml', '4.eml', '5.eml', '9.eml'],
                names_in(scene.path('INBOX')))
    case.expect(names_in(scene.mount.mountpoint) == ['INBOX', 'New'],
                names_in(scene.mount.mountpoint))


@tap.test
def test_new_folder_is_found_by_name_after_poll(case):
    """Nobody lists anything: the look-up alone has to find it."""
    scene = Scene(case, options={'poll': 1})
    scene.start()
    case.expect(not os.path.exists(scene.path('Late')), 'is there already')
    scene.server.mailboxes.append(simple_mailbox('Late', 2))
    case.expect(wait_until(lambda: os.path.exists(scene.path('Late/1.eml'))),
                'not found')


@tap.test
def test_refresh_fetches_only_what_is_new(case):
    scene = Scene(case, [simple_mailbox(count=50)], options={'poll': 1})
    scene.start()
    assert scene.listing()
    mark = scene.server.mark()
    scene.inbox.messages.append(Message(77, make_message(77)))
    time.sleep(1.2)  # poll is what is tested
    assert scene.listing()
    # Flags are read again: this server cannot tell which have changed.
    fetches = [c.text for c in scene.server.since(mark)[0]
               if c.name == 'UID FETCH' and '(UID FLAGS)' not in c.text]
    case.expect(len(fetches) == 1 and fetches[0].startswith('77 '), fetches)


@tap.test
def test_replaced_mailbox_shows_the_new_one(case):
    """UIDVALIDITY changed: other messages under the same UIDs."""
    scene = Scene(case, options={'poll': 1, 'connections': 1})
    scene.start()
    assert scene.listing() and scene.cat(3)
    old = os.stat(scene.file(3)).st_ino
    scene.server.mailboxes[0] = Mailbox(
        'INBOX', [Message(3, make_message(3, 999, seed=2))], uidvalidity=77)
    scene.server.drop_connections()
    time.sleep(1.2)  # poll is what is tested
    case.expect(wait_until(lambda: scene.listing() and scene.cat(3)),
                'still the old one')
    case.expect(os.stat(scene.file(3)).st_ino != old, 'the same inode')


@tap.test
def test_replaced_mailbox_of_the_same_uidvalidity_is_noticed(case):
    """Some servers keep UIDVALIDITY: a UIDNEXT that went back tells."""
    scene = Scene(case, options={'poll': 1, 'connections': 1})
    scene.start()
    assert scene.listing() and scene.cat(3)
    scene.server.mailboxes[0] = Mailbox(
        'INBOX', [Message(3, make_message(3, 2000, seed=2))])
    scene.server.drop_connections()
    time.sleep(1.2)  # poll is what is tested
    case.expect(wait_until(lambda: scene.listing() and scene.cat(3)),
                'still the old one')


@tap.test
def test_replaced_mailbox_is_noticed_by_who_only_reads(case):
    """Nobody lists: a known name is opened after UIDVALIDITY stayed and UIDNEXT
    went back. The new message must not show under the old name."""
    scene = Scene(case, options={'connections': 1})
    scene.start()
    assert scene.listing()
    name = scene.file(2)
    old = scene.inbox.get(2).body
    scene.server.mailboxes[0] = Mailbox(
        'INBOX', [Message(2, make_message(2, len(old), seed=2))])
    scene.server.drop_connections()
    result = run('cat', name)
    case.expect(not result.ok or result.out == scene.inbox.get(2).body, result)
    case.expect(not result.ok or
                sorted(names_in(scene.path('INBOX'))) == ['2.eml'], result)
    case.expect(wait_until(
        lambda: run('cat', scene.file(2)).out == scene.inbox.get(2).body),
        'the new one is not there')


@tap.test
def test_replaced_while_it_is_selected_anew_sends_nothing_to_the_new_one(case):
    """A FETCH that waits behind the EXAMINE which finds the mailbox replaced
    would fetch the new mailbox's message for the old name."""
    scene = Scene(case, options={'connections': 1, 'poll': 1})
    scene.start()
    assert scene.listing()
    name = scene.file(2)
    started, lines = [], []

    def disagree(line, command):
        """SEARCH finds more than EXISTS says: the client selects anew."""
        line.send(b'* SEARCH 1 2 3 4 5 6\r\n' + command.tag.encode()
                  + b' OK done\r\n')

    def replace(line, command):
        scene.server.hooks = {}
        scene.server.mailboxes[0] = Mailbox(
            'INBOX', [Message(2, make_message(2, seed=2))], uidvalidity=99)
        lines.append(line.number)
        started.append(subprocess.Popen(['cat', name], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
        time.sleep(0.5)  # so that its FETCH waits behind this EXAMINE
        return False

    # What is in use is asked for every poll interval.
    scene.server.hooks = {'UID SEARCH': disagree, 'EXAMINE': replace}
    assert wait_until(lambda: started), 'was not selected anew'
    started[0].communicate(timeout=20 * tap.PATIENCE)
    names = [c.name for c in scene.server.commands if c.connection == lines[0]]
    case.expect(names[-1] == 'EXAMINE', names)


# Complete or an error

@tap.test
def test_refused_namespace_is_no_short_root(case):
    """rsync --delete would delete what a server refuses to list for a
    moment."""
    scene = Scene(case, [simple_mailbox(), simple_mailbox('Shared/Team', 2)],
                  options={'poll': 1})
    scene.server.hooks['NAMESPACE'] = lambda line, command: line.send(
        b'* NAMESPACE (("" "/")) NIL (("Shared/" "/"))\r\n'
        + command.tag.encode() + b' OK done\r\n')
    scene.start()
    case.expect('Shared' in names_in(scene.mount.mountpoint), 'not listed')

    def refuse_shared(line, command):
        if 'Shared' not in command.text:
            return False
        line.send(command.tag.encode() + b' NO [UNAVAILABLE] later\r\n')
        return True

    scene.server.hooks['LIST'] = refuse_shared
    time.sleep(1.2)  # poll is what is tested
    result = run('ls', scene.mount.mountpoint)
    case.expect(result.status != 0, result)
    del scene.server.hooks['LIST']
    case.expect(wait_until(
        lambda: 'Shared' in run('ls', scene.mount.mountpoint).out.decode()),
        'did not come back')


@tap.test
def test_forbidden_namespace_is_left_out(case):
    """A server that offers a namespace and never lets us list it."""
    scene = Scene(case)
    scene.server.hooks['NAMESPACE'] = lambda line, command: line.send(
        b'* NAMESPACE (("" "/")) (("Others/" "/")) NIL\r\n'
        + command.tag.encode() + b' OK done\r\n')
    scene.server.hooks['LIST'] = lambda line, command: (
        line.send(command.tag.encode() + b' NO [NOPERM] not for you\r\n') or True
        if 'Others' in command.text else False)
    scene.start()
    case.expect(names_in(scene.mount.mountpoint) == ['INBOX'], 'root')


@tap.test
def test_fetch_refused_once_for_an_expunge_is_tried_again(case):
    scene = Scene(case)
    refused = []

    def refuse_once(line, command):
        if refused or ':' not in command.text:
            return False
        refused.append(command)
        line.send(command.tag.encode() + b' NO [EXPUNGEISSUED] look again\r\n')
        return True

    scene.start()
    scene.server.hooks['UID FETCH'] = refuse_once
    case.expect(scene.listing(), 'ls failed')


@tap.test
def test_silent_server_with_known_folder_is_served_in_time(case):
    """Logins succeed, LIST and EXAMINE hang: who lists what was listed before
    gets it after the time-outs, not never."""
    scene = Scene(case, timeout=2, options={'poll': 1})
    scene.start()
    assert scene.listing()
    time.sleep(1.2)  # poll is what is tested
    scene.server.hooks['*'] = lambda line, command: (
        False if command.name in ('CAPABILITY', 'LOGIN', 'AUTHENTICATE', 'ID',
                                  'NAMESPACE') else line.hang())
    scene.server.drop_connections()
    result = run('ls', scene.path('INBOX'), limit=12 * tap.PATIENCE)
    case.expect(result.ok and len(result.out.split()) == 5, result)


@tap.test
def test_listing_without_end_is_an_error(case):
    """EXISTS says 2, and rows never stop coming."""
    scene = Scene(case, [simple_mailbox(count=2)], timeout=2)
    scene.start()

    def endless(line, command):
        row = ('* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 9 INTERNALDATE '
               '"22-Nov-2026 09:30:00 +0000")\r\n').encode() * 1000
        while True:
            line.send(row)

    scene.server.hooks['UID FETCH'] = endless
    result = run('ls', scene.path('INBOX'), limit=15 * tap.PATIENCE)
    case.expect(result.status != 0, result)
    case.expect(scene.mount.peak_memory() < 100e6 or tap.SANITIZED,
                scene.mount.peak_memory())


# Sizes

@tap.test
def test_interrupted_open_still_corrects_the_size(case):
    """Ctrl-C during the open of a message whose size was a lie: the next one
    who reads must not get a file that is cut."""
    scene = Scene(case, [Mailbox('INBOX', [
        Message(1, make_message(1, 5000), announced=100)])], timeout=10)
    scene.start()
    assert scene.listing()
    gone = threading.Event()

    def when_gone(line, command):
        if 'BODY.PEEK[]' in command.text:
            gone.wait(5)
        return False

    scene.server.hooks['UID FETCH'] = when_gone
    mark = scene.server.mark()
    reader = subprocess.Popen(['cat', scene.file(1)],
                              stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL)
    assert wait_until(lambda: scene.server.saw('UID FETCH 1 *BODY.PEEK*'))
    reader.kill()
    reader.wait()
    gone.set()
    assert wait_until(lambda: scene.server.saw('UID SEARCH *UID 1', mark))
    time.sleep(0.3)  # the transfer ends without anybody waiting for it
    case.expect(scene.cat(1), 'cat failed')


@tap.test
def test_size_once_known_is_not_taken_back(case):
    """A message flickers: gone from one answer, then there again with its old
    lie of a size. Its body is in the store, and is not cut."""
    scene = Scene(case, [Mailbox('INBOX', [
        Message(1, make_message(1, 30000), announced=100),
        Message(2, make_message(2))])], options={'poll': 1})
    scene.start()
    assert scene.listing() and scene.cat(1)
    lost = scene.inbox.messages.pop(0)
    time.sleep(1.2)  # poll is what is tested
    assert scene.listing()
    scene.inbox.messages.insert(0, lost)
    time.sleep(1.2)
    assert scene.listing()
    case.expect(scene.cat(1), 'cat failed')
    case.expect(os.stat(scene.file(1)).st_size == 30000, 'stat')


@tap.test
def test_line_cut_at_the_confirming_search_is_tried_again(case):
    scene = Scene(case, [Mailbox('INBOX', [
        Message(1, make_message(1, 5000), announced=100)])])
    scene.start()
    assert scene.listing()
    cut = []

    def cut_once(line, command):
        if cut:
            return False
        cut.append(command)
        line.close()
        return True

    scene.server.hooks['UID SEARCH'] = cut_once
    case.expect(scene.cat(1) and cut, 'cat failed')


@tap.test
def test_body_of_the_size_of_couriers_stand_in_is_asked_about(case):
    scene = Scene(case, [Mailbox('INBOX', [Message(1, make_message(1, 129))])])
    scene.start()
    assert scene.listing()
    mark = scene.server.mark()
    case.expect(scene.cat(1), 'cat failed')
    case.expect('UID SEARCH' in scene.server.names_since(mark),
                scene.server.names_since(mark))


if __name__ == '__main__':
    tap.main()
