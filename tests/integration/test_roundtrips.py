#!/usr/bin/env python3
"""What reading costs, counted in commands and flights on the scripted server.
A flight is one wait for the network, however many commands it carried."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run, wait_until
from scene import Scene

HOUSEKEEPING = {'NOOP', 'IDLE', 'STATUS', 'CHECK'}
OPENING = {'CAPABILITY', 'LOGIN', 'AUTHENTICATE', 'ID', 'ENABLE', 'NAMESPACE'}


def working(commands):
    return [c for c in commands if c.name not in HOUSEKEEPING]


# The login of a second connection, made ready where round trips are long, is
# not what these tests count.
ONE = {'connections': 1}


def settled(scene):
    """A mount with one connection whose INBOX was listed and is quiet."""
    scene.start()
    assert scene.listing(), 'ls failed'
    return scene.server.mark()


def names_written(names):
    return ', '.join(str(command) for command in names)


for naming in ('uid', 'subject'):
    @tap.test(name=f'open_uncached_is_one_command_and_one_flight_{naming}',
              arguments=(naming,))
    def open_once(case, names):
        scene = Scene(case, names=names, options=ONE, timeout=10)
        mark = settled(scene)
        assert scene.cat(3), 'cat failed'
        commands, flights = scene.server.since(mark)
        commands = working(commands)
        case.expect(len(commands) == 1 and flights == 1,
                    f'{flights} flights: {names_written(commands)}')
        case.expect(commands[0].name == 'UID FETCH' and
                    commands[0].text.startswith('3 ') and
                    'BODY.PEEK[]' in commands[0].text.upper(), commands[0])


@tap.test
def test_open_by_listed_name_is_one_flight(case):
    scene = Scene(case, names='subject', options=ONE, timeout=10)
    scene.start()
    listed = run('ls', scene.path('INBOX'), check=True).out.decode().split()
    name = next(n for n in listed if n.endswith('.3.eml'))
    case.note(name)
    case.expect('sender-3' in name and 'report-number-3' in name
                and name.startswith('2026-11-22_'), name)
    mark = scene.server.mark()
    result = run('cat', scene.path('INBOX', name), check=True)
    case.expect(result.out == scene.inbox.get(3).body, 'wrong bytes')
    commands, flights = scene.server.since(mark)
    case.expect(len(working(commands)) == 1 and flights == 1,
                flights, names_written(commands))


@tap.test
def test_read_again_costs_nothing(case):
    scene = Scene(case, options=ONE, timeout=10)
    settled(scene)
    assert scene.cat(3)
    mark = scene.server.mark()
    assert scene.cat(3)
    run('tail', '-c', '100', scene.file(3), check=True)
    run('stat', scene.file(3), check=True)
    commands, _ = scene.server.since(mark)
    case.expect(not working(commands), names_written(commands))


@tap.test
def test_list_again_costs_no_fetch_of_all(case):
    scene = Scene(case, options=ONE, timeout=10)
    mark = settled(scene)
    assert scene.listing()
    commands = [c for c in scene.server.since(mark)[0]
                if c.name == 'UID FETCH']
    case.expect(not commands, names_written(commands))


for naming in ('uid', 'subject'):
    @tap.test(name=f'listing_is_one_streamed_fetch_{naming}',
              arguments=(naming,))
    def list_once(case, names):
        scene = Scene(case, [mailstore.simple_mailbox(count=1500, size=300)],
                      options=ONE,
                      names=names, timeout=20)
        scene.start()
        run('ls', scene.mount.mountpoint, check=True)
        mark = scene.server.mark()
        assert scene.listing(), 'ls failed'
        commands, flights = scene.server.since(mark)
        fetches = [c for c in commands if c.name == 'UID FETCH']
        case.expect(len(fetches) == 1, names_written(fetches))
        case.expect(fetches and ':' in fetches[0].text.split()[0],
                    'no range:', fetches[:1])
        case.expect(flights == 1, f'{flights} flights:',
                    names_written(commands))
        if names == 'uid':
            case.expect('HEADER' not in fetches[0].text.upper(),
                        'a listing by UID fetched headers:', fetches[0])


@tap.test
def test_whole_session_only_reads(case):
    scene = Scene(case, [mailstore.simple_mailbox(),
                         mailstore.simple_mailbox('Folder', 3)],
                  names='subject', timeout=10)
    scene.start()
    run('grep', '-r', 'abc', scene.mount.mountpoint)
    for folder in ('INBOX', 'Folder'):
        assert scene.listing(folder) and scene.find(folder)
        assert scene.rsync(folder)
    scene.mount.unmount()
    reading = {'CAPABILITY', 'NOOP', 'LOGOUT', 'ID', 'LOGIN', 'AUTHENTICATE',
               'ENABLE', 'NAMESPACE', 'LIST', 'EXAMINE', 'STATUS', 'UID FETCH',
               'UID SEARCH', 'UNSELECT', 'CLOSE', 'IDLE'}
    names = {command.name for command in scene.server.commands}
    case.expect(names <= reading, names - reading)
    case.expect(not scene.server.complaints, scene.server.complaints)
    for connection in scene.server.connections:
        def mine(number=connection.number):
            return [c.name for c in scene.server.commands
                    if c.connection == number]
        # One that is being opened has nothing to end.
        case.expect(wait_until(lambda: mine()[-1:] == ['LOGOUT'] or
                               set(mine()) <= OPENING),
                    'a connection ended without LOGOUT:', mine())


@tap.test
def test_concurrent_opens_are_pipelined(case):
    """Several programs read; the server sees the later commands before it has
    answered the first."""
    scene = Scene(case, options=ONE, timeout=20)
    settled(scene)
    mark = scene.server.mark()

    def first(line, _command):
        """Is answered when all have come."""
        scene.server.hooks.clear()
        wait_until(lambda: line._drain(0.05) or
                   len(scene.server.saw('UID FETCH*', mark)) +
                   line.buffer.count(b'UID FETCH') >= 4, 15)
        return False

    scene.server.hooks['UID FETCH'] = first
    readers = [subprocess.Popen(['cat', scene.file(uid)],
                                stdout=subprocess.PIPE) for uid in (1, 2, 3, 4)]
    for uid, reader in zip((1, 2, 3, 4), readers):
        out, _ = reader.communicate(timeout=30 * tap.PATIENCE)
        case.expect(out == scene.inbox.get(uid).body, f'wrong bytes of {uid}')
    commands, flights = scene.server.since(mark)
    fetches = [c for c in commands if c.name == 'UID FETCH']
    case.expect(len({c.connection for c in fetches}) == 1,
                names_written(fetches))
    case.expect(flights <= 2, f'{flights} flights for four messages:',
                *(f'{c} (after {c.sent_before} answers)' for c in fetches))


@tap.test
def test_same_message_opened_twice_is_fetched_once(case):
    scene = Scene(case, timeout=20)
    mark = settled(scene)
    scene.server.delay = 0.5
    readers = [subprocess.Popen(['cat', scene.file(3)],
                                stdout=subprocess.PIPE) for _ in range(3)]
    for reader in readers:
        out, _ = reader.communicate(timeout=30 * tap.PATIENCE)
        case.expect(out == scene.inbox.get(3).body, 'wrong bytes')
    fetches = [c for c in scene.server.since(mark)[0] if c.name == 'UID FETCH']
    case.expect(len(fetches) == 1, names_written(fetches))


@tap.test
def test_log_in_costs_few_flights(case):
    """Greeting and login: what depends on an answer waits, nothing else."""
    scene = Scene(case, timeout=20)
    scene.start()
    wait_until(lambda: scene.server.saw('LIST*'))
    first = [c for c in scene.server.commands if c.connection == 1]
    flights = scene.server.connections[0].flights
    case.note(f'{flights} flights: {names_written(first)}')
    case.expect(flights <= 6, f'{flights} flights: {names_written(first)}')


@tap.test
def test_unmount_logs_out(case):
    for way in ('unmount', 'terminate'):
        scene = Scene(case, options=ONE)
        settled(scene)
        getattr(scene.mount, way)()
        # It may be read when the client has gone.
        case.expect(wait_until(
            lambda: scene.server.commands[-1].name == 'LOGOUT'), way,
            scene.server.commands[-1])


if __name__ == '__main__':
    tap.main(jobs=6)
