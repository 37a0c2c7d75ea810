#!/usr/bin/env python3
"""Folders that are in use are kept true by asking for them at intervals, and
those that have not changed by one command for all of them."""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, Message, make_message
from scene import Scene

PLAIN = CAPABILITIES.replace(' LIST-STATUS', '').replace(' LIST-EXTENDED', '')
FOLDERS = ('INBOX', 'odd*name', 'B', 'C', 'D')


def start(case, capabilities):
    """All folders in use; the kernel has everything."""
    folders = [Mailbox(name, [Message(uid, make_message(uid, 300))
                              for uid in range(1, 4)]) for name in FOLDERS]
    scene = Scene(case, folders, timeout=10, capabilities=capabilities,
                  options={'poll': 1})
    scene.start()
    for name in FOLDERS:
        result = run('ls', '-f', scene.path(name))
        case.expect(result.clean and result.out.count(b'.eml') == 3, result)
    return scene


def asked(scene, mark, name):
    return [c for c in scene.server.since(mark)[0] if c.name == name]


def round_of(scene, mark, name, number=1):
    """Waits until that many commands of a name have come."""
    assert wait_until(lambda: len(asked(scene, mark, name)) >= number,
                      10 * tap.PATIENCE), [str(c) for c in
                                           scene.server.since(mark)[0]]


def shows(case, scene, name, uid):
    """Nobody asks for the folder but the poll: what shows is the time."""
    path = scene.path(name, f'{uid}.eml')
    case.expect(wait_until(lambda: os.path.exists(path), 10 * tap.PATIENCE),
                'not shown in', name)


def is_status(command):
    return 'RETURN (STATUS' in command.text


@tap.test
def test_one_command_asks_for_all_that_are_in_use(case):
    scene = start(case, CAPABILITIES + ' CONDSTORE')
    mark = scene.server.mark()
    case.expect(wait_until(lambda: sum(map(is_status, asked(
        scene, mark, 'LIST'))) >= 3, 10 * tap.PATIENCE), 'no LIST with STATUS')
    commands = scene.server.since(mark)[0]
    # A name that would be a pattern is asked for alone, and no other is; nor is
    # that, where a connection has it selected.
    last = {c.connection: c.arguments[0] for c in scene.server.since((0, 0))[0]
            if c.name == 'EXAMINE'}
    alone = {c.arguments[0] for c in asked(scene, mark, 'STATUS')}
    case.expect(alone == {'odd*name'} or
                (not alone and 'odd*name' in last.values()), last,
                [str(c) for c in commands])
    selected = {c.connection: c for c in commands if c.name == 'EXAMINE'}
    case.expect(not selected, 'folders that have not changed are selected',
                [str(c) for c in commands])

    mark = scene.server.mark()
    scene.server.find('C').add(Message(4, make_message(4, 300)))
    scene.server.find('odd*name').add(Message(4, make_message(4, 300)))
    shows(case, scene, 'C', 4)
    shows(case, scene, 'odd*name', 4)
    case.expect(not scene.server.saw('EXAMINE B*', mark) and
                not scene.server.saw('EXAMINE INBOX*', mark),
                [str(c) for c in scene.server.since(mark)[0]])


@tap.test
def test_selected_mailbox_is_not_asked_for_by_status(case):
    """On one connection, the folder that was used last stays selected."""
    scene = Scene(case, [Mailbox(name, [Message(1, make_message(1, 300))])
                         for name in ('INBOX', 'B', 'C')], timeout=10,
                  capabilities=CAPABILITIES + ' CONDSTORE',
                  options={'poll': 1, 'connections': 1})
    scene.start()
    for name in ('INBOX', 'B', 'C'):
        case.expect(run('ls', scene.path(name)).clean)
    mark = scene.server.mark()
    wait_until(lambda: sum(map(is_status, asked(scene, mark, 'LIST'))) >= 3,
               10 * tap.PATIENCE)
    selected = None
    for command in scene.server.since((0, 0))[0]:
        if command.name == 'EXAMINE':
            selected = command.arguments[0]
        elif command.name == 'LIST' and is_status(command):
            names = re.match(r'"" \((.*?)\) RETURN', command.text)[1].split()
            case.expect(names and selected not in
                        [name.strip('"') for name in names],
                        selected, str(command))
    scene.server.find('C').add(Message(2, make_message(2, 300)))
    scene.server.find('B').add(Message(2, make_message(2, 300)))
    for name in 'BC':
        shows(case, scene, name, 2)


@tap.test
def test_selected_mailbox_is_looked_at_before_it_is_left(case):
    """Else it would be selected again, though nothing has changed there."""
    scene = Scene(case, [Mailbox(name, [Message(1, make_message(1, 300))])
                         for name in ('INBOX', 'B', 'C')], timeout=10,
                  capabilities=CAPABILITIES + ' CONDSTORE',
                  options={'poll': 1, 'connections': 1})
    scene.start()
    for name in ('INBOX', 'B', 'C'):
        case.expect(run('ls', scene.path(name)).clean)
    for uid, name in enumerate('BCB', 2):
        mark = scene.server.mark()
        scene.server.find(name).add(Message(uid, make_message(uid, 300)))
        assert wait_until(lambda: scene.server.saw(f'EXAMINE {name}', mark),
                          10 * tap.PATIENCE), name
        round_of(scene, scene.server.mark(), 'LIST', 2)
        examined = {c.arguments[0] for c in asked(scene, mark, 'EXAMINE')}
        case.expect(examined == {name}, name,
                    [str(c) for c in scene.server.since(mark)[0]])


@tap.test
def test_without_list_status_each_is_asked_for(case):
    scene = start(case, PLAIN + ' CONDSTORE')
    mark = scene.server.mark()
    round_of(scene, mark, 'STATUS', 8)
    case.expect({c.arguments[0] for c in asked(scene, mark, 'STATUS')}
                <= set(FOLDERS), 'others are asked for')
    scene.server.find('D').add(Message(4, make_message(4, 300)))
    shows(case, scene, 'D', 4)
    case.expect(not asked(scene, mark, 'EXAMINE') or
                not scene.server.saw('EXAMINE B*', mark),
                'folders that have not changed are selected')


@tap.test
def test_without_mod_sequences_flags_are_asked_for(case):
    """The number of messages tells nothing of flags."""
    scene = start(case, CAPABILITIES)
    mark = scene.server.mark()
    round_of(scene, mark, 'UID FETCH', 5)
    case.expect(not asked(scene, mark, 'STATUS') and
                not any(map(is_status, asked(scene, mark, 'LIST'))),
                [str(c) for c in scene.server.since(mark)[0]])


@tap.test
def test_refused_status_is_done_without(case):
    scene = start(case, PLAIN + ' CONDSTORE')
    scene.server.hooks['STATUS'] = lambda line, command: line.send(
        f'{command.tag} NO not today\r\n'.encode())
    for name in FOLDERS:
        scene.server.find(name).add(Message(4, make_message(4, 300)))
    for name in FOLDERS:
        shows(case, scene, name, 4)


if __name__ == '__main__':
    tap.main()
