#!/usr/bin/env python3
"""The first listing of a mailbox: it is shown as it comes, whole or as an error,
and goes on where it was cut. Nobody waits for all of it who looks up one."""

import json
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
from mailstore import Message, make_message, simple_mailbox
from rows import (PATIENT, SERVERS, Held, Scan, change, cut_line, fetches,
                  listed, rows_of, stale, tagged)
from scene import Scene


# ---- the first synchronisation

@tap.test
def test_cut_first_sync_is_continued(case):
    """Half of the rows have come when the line is cut: they are not asked for
    again."""
    for kind in SERVERS:
        scene = Scene(case, [simple_mailbox(count=400, size=400)], timeout=10,
                      capabilities=SERVERS[kind])
        cut = []

        def half(line, command):
            if cut or '1:* ' not in command.text:
                return False
            cut.append(command)
            whole = line.fetch(command)
            middle = whole.index(b'* 201 FETCH')
            line.send(whole[:middle])
            line.close()
            return True

        scene.server.hooks['UID FETCH'] = half
        scene.start()
        mark = scene.server.mark()
        listed(case, scene)
        rows = fetches(scene, mark)[1:]
        case.expect(cut and len(rows) == 1 and
                    rows_of(rows[0], scene.inbox) == set(range(201, 401)),
                    kind, [str(c) for c in rows])


for naming in ('uid', 'subject'):
    @tap.test(name=f'listing_streams_while_the_first_sync_runs_{naming}',
              arguments=(naming,))
    def streams(case, naming):
        scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=30,
                      names=naming)
        held = Held(scene, 150)
        scene.start()
        scan = Scan(case, scene.path('INBOX'))
        case.expect(scan.sees(150), f'{len(scan.names)} entries')
        case.expect(scan.process.poll() is None and len(scan.names) == 150,
                    'it ended before the listing did', len(scan.names))
        held.let_go.set()
        status, said = scan.end()
        case.expect(status == 0 and len(scan.names) == 300, status, said,
                    len(scan.names))
        case.expect(len(set(scan.names)) == 300, 'an entry twice')
        listed(case, scene)


@tap.test
def test_streaming_listing_fails_with_the_sync(case):
    scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=30)
    held = Held(scene, 150, rest=lambda line, command: line.send(
        tagged(command, 'NO [UNAVAILABLE] not now')))
    scene.start()
    scan = Scan(case, scene.path('INBOX'))
    assert scan.sees(150)
    scene.server.hooks['UID SEARCH'] = lambda line, command: line.send(
        tagged(command, 'NO [UNAVAILABLE] not now'))
    held.let_go.set()
    status, said = scan.end()
    case.expect(status != 0 and len(scan.names) == 150, status,
                len(scan.names), said)
    scene.heal(uids=())


@tap.test
def test_message_that_comes_late_fails_the_listing(case):
    """The numbers said that nothing was missing; then something comes."""
    mailbox = simple_mailbox(count=300, size=400)
    late = mailbox.messages.pop(50)
    scene = Scene(case, [mailbox], timeout=30)

    def rest(line, command):
        mailbox.messages.insert(50, late)
        items = command.text.partition(' ')[2][1:-1]
        line.send(mailstore.fetch_line(151, late, items))
        whole = line.fetch(command)
        line.send(whole[whole.index(b'* 152 FETCH'):] + b'* 300 EXISTS\r\n'
                  + tagged(command))

    held = Held(scene, 150, rest)
    scene.start()
    scan = Scan(case, scene.path('INBOX'))
    assert scan.sees(150)
    held.let_go.set()
    status, said = scan.end()
    case.expect(status != 0, 'a short list passed for complete',
                len(scan.names))
    scene.heal(uids=(51, 3))
    # Nor does the kernel keep the part that it has a copy of.
    for _ in range(2):
        listed(case, scene)


@tap.test
def test_descending_listing_is_complete(case):
    for kind in SERVERS:
        scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=10,
                      capabilities=SERVERS[kind], options={'poll': 1})

        def descending(line, command):
            pieces = []
            line.fetch(command, lambda *a: pieces.append(
                mailstore.fetch_line(*a)) or b'')
            line.send(b''.join(reversed(pieces)) + tagged(command))

        scene.server.hooks['UID FETCH'] = descending
        scene.start()
        listed(case, scene)
        change(scene.inbox)
        cut_line(scene)
        listed(case, scene)


@tap.test
def test_cut_in_descending_rows_leaves_none_out(case):
    """The newest of two came first, and then the line was cut; one message has
    gone, so that the number alone tells nothing."""
    scene = Scene(case, [simple_mailbox(count=50, size=500)], timeout=10,
                  capabilities=SERVERS['condstore'], options={'poll': 1})
    scene.start()
    listed(case, scene)
    cut = []

    def newest(line, command):
        if cut or 'INTERNALDATE' not in command.text:
            return False
        cut.append(command)
        pieces = []
        line.fetch(command,
                   lambda *a: pieces.append(mailstore.fetch_line(*a)) or b'')
        line.send(pieces[-1])
        line.close()
        return True

    scene.server.hooks['UID FETCH'] = newest
    for uid in (51, 52):
        scene.inbox.add(Message(uid, make_message(uid, 500)))
    scene.inbox.remove(5)
    scene.server.drop_connections()
    stale()
    listed(case, scene)
    case.expect(cut, 'the line was not cut')


# ---- look-ups

def operations(mount):
    """How many requests wait for something."""
    with open(mount.path('.imapfs', 'status')) as file:
        return json.load(file)['pending']['operations']


@tap.test
def test_look_up_needs_no_listing(case):
    scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=10,
                  names='subject')
    scene.start()
    run('ls', scene.mount.mountpoint, check=True)
    mark = scene.server.mark()
    case.expect(scene.stat(77), 'stat failed')
    name = '2026-11-25_1530_sender-78_report-number-78.78.eml'
    case.expect(run('stat', scene.path('INBOX', name)).ok, 'stat by name')
    case.expect(not run('stat', scene.path('INBOX', 'x.78.eml')).ok, 'x')
    case.expect(not scene.stat(999), 'a message that is not there')
    asked = [c.text.split()[0] for c in fetches(scene, mark)]
    # That there is none is believed when it was told what had come before.
    case.expect(asked in (['77', '78', '999'], ['77', '78', '999', '999']),
                asked)
    case.expect(not scene.server.saw('UID SEARCH*', mark), 'a search')
    mark = scene.server.mark()
    case.expect(scene.stat(77) and not scene.stat(999), 'again')
    case.expect(not fetches(scene, mark), 'it was asked again')


@tap.test
def test_look_up_is_remembered_however_long_the_poll(case):
    scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=10,
                  options={'poll': 4295})
    scene.start()
    mark = scene.server.mark()
    case.expect(not scene.stat(999), 'there is none')
    time.sleep(0.2)
    case.expect(not scene.stat(999), 'there is none')
    case.expect(len(fetches(scene, mark)) == 1,
                [str(c) for c in fetches(scene, mark)])


@tap.test
def test_look_up_of_no_message_name_asks_nothing(case):
    scene = Scene(case)
    scene.start()
    run('ls', scene.mount.mountpoint, check=True)
    mark = scene.server.mark()
    for name in ('.git', 'a.txt', '0.eml', 'x.eml'):
        case.expect(not run('stat', scene.path('INBOX', name)).ok, name)
    case.expect(not scene.server.saw('EXAMINE*', mark),
                scene.server.names_since(mark))


@tap.test
def test_listing_after_a_look_up_is_complete(case):
    for kind in SERVERS:
        scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=10,
                      capabilities=SERVERS[kind])
        scene.start()
        case.expect(scene.stat(200), 'stat failed')
        listed(case, scene)


@tap.test
def test_look_ups_are_pipelined(case):
    scene = Scene(case, [simple_mailbox(count=30)], timeout=60 * tap.PATIENCE,
                  options={'connections': 1})
    scene.start()
    case.expect(scene.stat(1), 'stat failed')
    mark = scene.server.mark()
    # So long, what is sent without waiting for an answer has come, too.
    scene.server.delay = 0.3
    all_wait = threading.Event()
    scene.server.hooks['UID FETCH'] = (
        lambda line, command: all_wait.wait(60) and False)
    readers = [subprocess.Popen(['stat', scene.file(uid)],
                                stdout=subprocess.DEVNULL)
               for uid in range(2, 10)]
    case.expect(wait_until(lambda: operations(scene.mount) == len(readers),
                           PATIENT), operations(scene.mount), 'wait')
    all_wait.set()
    for reader in readers:
        case.expect(reader.wait(30 * tap.PATIENCE) == 0, 'stat failed')
    _, flights = scene.server.since(mark)
    case.expect(flights <= 3, f'{flights} flights for eight look-ups')


@tap.test
def test_look_up_stops_no_streaming(case):
    """The message's number comes from another connection."""
    scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=20)
    more = threading.Event()

    def rest(line, command):
        whole = line.fetch(command)
        first = whole.index(b'* 151 FETCH')
        second = whole.index(b'* 251 FETCH')
        line.send(whole[first:second])
        assert more.wait(60)
        line.send(whole[second:] + tagged(command))

    held = Held(scene, 150, rest)
    scene.start()
    scan = Scan(case, scene.path('INBOX'))
    assert scan.sees(150)
    case.expect(scene.stat(200), 'a message that has not come')
    held.let_go.set()
    case.expect(scan.sees(250), f'{len(scan.names)} entries')
    more.set()
    status, said = scan.end()
    case.expect(status == 0 and len(scan.names) == 300, status, said,
                len(scan.names))


@tap.test
def test_look_up_while_the_first_sync_runs(case):
    scene = Scene(case, [simple_mailbox(count=300, size=400)], timeout=20)
    held = Held(scene, 150)
    scene.start()
    scan = Scan(case, scene.path('INBOX'))
    assert scan.sees(150)
    mark = scene.server.mark()
    case.expect(scene.stat(100), 'a message that has come')
    case.expect(not fetches(scene, mark), 'it was asked for')
    case.expect(scene.stat(250), 'a message that has not come')
    held.let_go.set()
    status, said = scan.end()
    case.expect(status == 0 and len(scan.names) == 300, status, said,
                len(scan.names))


if __name__ == '__main__':
    tap.main(jobs=6)
