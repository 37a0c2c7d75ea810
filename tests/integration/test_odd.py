#!/usr/bin/env python3
"""Servers that are odd, slow, busy or changed meanwhile, but not wrong: all
mail is listed and read, none is mistaken for other mail."""

import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run, wait_until
from scene import Scene

# The server is never silent for so long: nothing is to time out.
PATIENT = 5 * tap.PATIENCE


def tagged(command, text='OK done'):
    return f'{command.tag} {text}\r\n'.encode()


def reads_all(case, scene, folder='INBOX'):
    case.expect(scene.listing(folder), 'ls failed')
    case.expect(scene.rsync(folder), 'rsync failed')
    case.expect(not scene.server.errors, scene.server.errors)


# Ways to write a listing

def descending(line, command):
    pieces = []
    line.fetch(command, lambda *a: pieces.append(
        mailstore.fetch_line(*a)) or b'')
    line.send(b''.join(reversed(pieces)) + tagged(command))


def twice(line, command):
    line.send(line.fetch(command) * 2 + tagged(command))


def with_chatter(line, command):
    def one(sequence, message, items):
        return (b'* OK [ALERT] be patient\r\n* 3 FETCH (FLAGS (\\Seen))\r\n'
                b'* STATUS Other (MESSAGES 1)\r\n* XODD (a "b" {3}\r\n(((\r\n'
                b'* %d RECENT\r\n' % sequence
                + mailstore.fetch_line(sequence, message, items)
                + b'* OK still here\r\n').replace(b'(((\r\n', b'((( c)\r\n')

    line.send(line.fetch(command, one) + tagged(command))


def with_unknown_items(line, command):
    def one(*arguments):
        whole = mailstore.fetch_line(*arguments)
        return whole.replace(
            b'FETCH (', b'FETCH (X-GM-LABELS (\\Inbox "a ]b") X-LIST ((NIL) '
            b'(1 2)) MODSEQ (12345) X-LITERAL {2}\r\n)( EMAILID (M1-2) ', 1)

    line.send(line.fetch(command, one) + tagged(command))


def uid_last(line, command):
    def one(sequence, message, items):
        whole = mailstore.fetch_line(sequence, message, items)
        uid = b'UID %d' % message.uid
        return whole.replace(b'(' + uid + b' ', b'(', 1)[:-3] + (
            b' ' + uid + b')\r\n')

    line.send(line.fetch(command, one) + tagged(command))


def sloppy(line, command):
    """Lower case, single-digit days, spaces at the end."""

    def one(*arguments):
        whole = mailstore.fetch_line(*arguments)
        return re.sub(rb'INTERNALDATE " ', b'INTERNALDATE "', whole).replace(
            b'FETCH (UID', b'Fetch (uid', 1).replace(b')\r\n', b') \r\n')

    reply = line.fetch(command, one)
    if 'BODY' not in command.text.upper():
        reply = reply.replace(b'RFC822.SIZE', b'rfc822.size')
    line.send(reply + tagged(command, 'OK'))


def in_pieces(line, command):
    whole = line.fetch(command) + tagged(command)
    for start in range(0, len(whole), 7):
        line.send(whole[start:start + 7])


for naming in ('uid', 'subject'):
    for act in (descending, twice, with_chatter, with_unknown_items, uid_last,
                sloppy, in_pieces):
        @tap.test(name=f'fetch_{act.__name__}_is_read_{naming}',
                  arguments=(act, naming))
        def odd_fetch(case, how, names):
            mailbox = mailstore.simple_mailbox(size=500)
            mailbox.messages[2].time = 1793525400  # the first of a month
            scene = Scene(case, [mailbox], names=names, timeout=PATIENT)
            scene.server.hooks['UID FETCH'] = how
            scene.start()
            reads_all(case, scene)


@tap.test
def test_sparse_and_large_uids_are_read(case):
    mailbox = mailstore.simple_mailbox(count=5)
    for message, uid in zip(mailbox.messages,
                            (7, 1000, 2147483648, 4294967290, 4294967295)):
        message.uid = uid
    mailbox.uidvalidity = 4294967295
    for names in ('uid', 'subject'):
        scene = Scene(case, [mailbox], names=names, timeout=PATIENT)
        scene.start()
        reads_all(case, scene)


@tap.test
def test_minimal_server_is_read(case):
    """IMAP4rev1 and nothing more; no UIDNEXT, other namespace."""
    scene = Scene(case, [mailstore.simple_mailbox(),
                         mailstore.simple_mailbox('INBOX.Sub', 2)],
                  timeout=PATIENT, capabilities='IMAP4rev1')
    scene.server.delimiter = '.'
    scene.server.hooks['EXAMINE'] = lambda line, command: line.send(
        re.sub(rb'\* OK \[UIDNEXT[^\n]*\n', b'', line.default(command)))
    scene.start()
    reads_all(case, scene)
    case.expect(run('ls', scene.path('INBOX/Sub')).clean, 'no Sub')
    optional = {'ENABLE', 'ID', 'NAMESPACE', 'UNSELECT'}
    case.expect(not optional & {c.name for c in scene.server.commands},
                'commands that were not offered')
    case.expect(not scene.server.saw('* RETURN *'), 'RETURN not offered')


@tap.test
def test_arrival_during_listing_is_complete(case):
    scene = Scene(case, timeout=PATIENT)

    def arrive(line, command):
        if len(line.mailbox.messages) == 5:
            line.mailbox.messages.append(mailstore.Message(
                6, mailstore.make_message(6)))
            line.send(b'* 6 EXISTS\r\n')
        return False

    scene.server.hooks['UID FETCH'] = arrive
    scene.start()
    reads_all(case, scene)


@tap.test
def test_expunge_during_listing_is_complete(case):
    scene = Scene(case, timeout=PATIENT)

    def expunge(line, command):
        reply = line.fetch(command)
        if not line.mailbox.get(2).expunged:
            line.mailbox.get(2).expunged = True
            reply += b'* 2 EXPUNGE\r\n'
        line.send(reply + tagged(command))

    scene.server.hooks['UID FETCH'] = expunge
    scene.start()
    # It may be shown already when the server tells that it is gone.
    listed = set(run('ls', scene.path('INBOX'), check=True).out.decode()
                 .split())
    case.expect(listed - {'2.eml'} == {'1.eml', '3.eml', '4.eml', '5.eml'},
                listed)
    reads_all(case, scene)


@tap.test
def test_slow_but_steady_is_no_timeout(case):
    """timeout bounds silence, not the whole."""
    scene = Scene(case, timeout=4)

    def slow(line, command):
        whole = line.default(command)
        step = len(whole) // 10 + 1
        for start in range(0, len(whole), step):
            line.send(whole[start:start + step])
            time.sleep(0.5)

    scene.server.hooks['UID FETCH'] = slow
    scene.start()
    scene.deadline = 15 * tap.PATIENCE
    case.expect(scene.listing(), 'ls failed')
    case.expect(scene.cat(3), 'cat failed')


def limit_by_bye(line):
    if line.number > 1:
        line.send(b'* BYE too many connections\r\n')
        line.close()
    return False


def limit_by_silence(line):
    if line.number > 1:
        line.hang()
    return False


for deed in (limit_by_bye, limit_by_silence):
    @tap.test(name='one_connection_' + deed.__name__ + '_serves_all',
              arguments=(deed,))
    def limited(case, act):
        """The server lets us have but one connection, and several programs
        read several folders."""
        folders = ['INBOX', 'A', 'B', 'C']
        scene = Scene(case, [mailstore.simple_mailbox(name, 20)
                             for name in folders], timeout=4)
        scene.server.hooks['greeting'] = act
        scene.start()
        copies = [subprocess.Popen(
            ['cp', '-r', scene.path(name), case.path('copy-' + name)],
            stderr=subprocess.PIPE) for name in folders]
        for name, copy in zip(folders, copies):
            _, err = copy.communicate(timeout=60 * tap.PATIENCE)
            case.expect(copy.returncode == 0 and not err, name, err[:500])
            case.expect(len(os.listdir(case.path('copy-' + name))) == 20,
                        f'{name} is not complete')


@tap.test
def test_folder_taken_for_a_deleted_one_is_selected_on_a_new_connection(case):
    """Dovecot, for whom has selected the one that was there before."""
    scene = Scene(case, timeout=10)
    mistaken = []

    def refuse(line, command):
        if line.number not in mistaken and mistaken:
            return False
        mistaken.append(line.number)
        line.send(f'{command.tag} NO Mailbox was deleted under us.\r\n'.encode())
        return True

    scene.server.hooks['EXAMINE'] = refuse
    scene.start()
    case.expect(scene.listing() and scene.cat(1))
    case.expect(mistaken, 'nothing was refused')


@tap.test
def test_folder_replaced_meanwhile_is_not_mixed(case):
    """UIDVALIDITY changes: the same UIDs are other messages."""
    scene = Scene(case, timeout=4)
    scene.start()
    # Not the first, lest the others be fetched ahead.
    assert scene.listing() and scene.cat(5)
    old = {m.uid: m.body for m in scene.inbox.messages}
    for message in scene.inbox.messages:
        message.body = mailstore.make_message(message.uid, 3000, seed=2)
    scene.inbox.uidvalidity += 1
    new = {m.uid: m.body for m in scene.inbox.messages}
    scene.server.drop_connections()
    for uid in (5, 2, 3):
        result = run('cat', scene.file(uid))
        allowed = ([old[uid], new[uid]] if uid == 5  # it was read before
                   else [new[uid]])
        case.expect(result.out in allowed if result.ok else not result.out,
                    f'{uid}: neither the old nor the new message', result)
    case.expect(wait_until(lambda: scene.listing() and scene.cat(1)
                           and scene.cat(2)), 'it cannot be read')
    # When it has been seen once, all of it is new.
    names = run('ls', scene.path('INBOX'))
    case.note(names)
    result = run('cat', scene.file(3))
    case.expect(result.ok and result.out == new[3], 'not the new message:',
                result, result.out[:100])


@tap.test
def test_many_mailboxes_are_listed(case):
    names = [f'Folder {number:04d}/Sub' for number in range(1500)]
    scene = Scene(case, [mailstore.simple_mailbox()] + [
        mailstore.Mailbox(name) for name in names], timeout=2 * PATIENT)
    scene.start()
    result = run('find', scene.mount.mountpoint, '-maxdepth', '2', '-mindepth',
                 '2', '-name', 'Sub', limit=60 * tap.PATIENCE)
    case.expect(result.clean and result.out.count(b'\n') == 1500, result)


@tap.test
def test_many_programs_at_once_are_served(case):
    scene = Scene(case, [mailstore.simple_mailbox(count=200)], timeout=20)
    scene.start()
    assert scene.listing()
    readers = [subprocess.Popen(['cat', scene.file(uid)],
                                stdout=subprocess.PIPE)
               for uid in range(1, 201)]
    for uid, reader in enumerate(readers, 1):
        out, _ = reader.communicate(timeout=40 * tap.PATIENCE)
        case.expect(reader.returncode == 0
                    and out == scene.inbox.get(uid).body, f'{uid} is wrong')


@tap.test
def test_reader_that_leaves_harms_no_other(case):
    """Two programs read one large message that comes slowly; one is ended."""
    scene = Scene(case, timeout=PATIENT)
    scene.inbox.get(3).body *= 2000  # 4 MB
    body = scene.inbox.get(3).body

    def slow(line, command):
        whole = line.default(command)
        for start in range(0, len(whole), 200000):
            line.send(whole[start:start + 200000])
            time.sleep(0.1)

    scene.start()
    assert scene.listing()
    scene.server.hooks['UID FETCH'] = slow
    first, second = (subprocess.Popen(['cat', scene.file(3)],
                                      stdout=subprocess.PIPE)
                     for _ in range(2))
    case.expect(len(first.stdout.read(100000)) == 100000, 'no beginning')
    first.terminate()
    first.communicate(timeout=10 * tap.PATIENCE)
    out, _ = second.communicate(timeout=30 * tap.PATIENCE)
    case.expect(second.returncode == 0 and out == body,
                f'{len(out)} octets for {len(body)}')


if __name__ == '__main__':
    tap.main(jobs=6)
