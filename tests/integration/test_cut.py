#!/usr/bin/env python3
"""Connections that were cut while nobody used them: nobody fails for that, nor
is shown what was known before."""

import os
import re
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, Message, make_message, simple_mailbox
from scene import Scene

SERVERS = {
    'plain': CAPABILITIES,
    'condstore': CAPABILITIES + ' CONDSTORE',
    'qresync': CAPABILITIES + ' CONDSTORE QRESYNC',
}


def stale():
    """Lets what is known grow old: poll is a second."""
    time.sleep(1.2)


def change(mailbox):
    """One new, one gone, one with other flags."""
    mailbox.add(Message(mailbox.uidnext, make_message(61, 500)))
    mailbox.remove(11)
    mailbox.set_flags(31, '\\Seen')


def listed(case, scene):
    result = run('ls', '-f', scene.path('INBOX'))
    uids = {int(u) for u in re.findall(r'(\d+)\.eml$', result.out.decode(),
                                       re.M)}
    case.expect(result.clean and
                uids == {m.uid for m in scene.inbox.present}, result,
                'wrong list', sorted(uids))


def names(result):
    return result.out.decode().split()


def four_connections(case, kind, is_cut):
    """A mount with four open connections, one for each folder. They are cut by
    commands for which is_cut(connection, command), as dead ones are by being
    used; new connections are not."""
    folders = [Mailbox(name, [Message(uid, make_message(uid, 500))
                              for uid in range(1, 61)])
               for name in ('INBOX', 'B', 'C', 'D')]
    scene = Scene(case, folders, timeout=20 * tap.PATIENCE,
                  capabilities=SERVERS[kind],
                  options={'poll': 1, 'connections': 4})
    together = threading.Barrier(4)

    def examine(line, command):
        together.wait(30 * tap.PATIENCE)
        return False

    def answer(line, command):
        if line.number <= 4 and is_cut(line, command):
            line.close()
        return False

    scene.start()
    case.expect(run('ls', scene.path()).clean, 'no list')
    scene.server.hooks['EXAMINE'] = examine
    lists = [subprocess.Popen(['ls', '-f', scene.path(folder.name)],
                              stdout=subprocess.DEVNULL) for folder in folders]
    case.expect([process.wait() for process in lists] == 4 * [0], 'no lists')
    case.expect(len(scene.server.connections) == 4, 'not four connections')
    scene.server.hooks = {'*': answer}
    return scene


def is_about_inbox(line, command):
    return (command.arguments[:1] == ['INBOX'] or
            line.mailbox is line.server.mailboxes[0])


for server in SERVERS:
    @tap.test(name=f'dead_connections_show_no_old_listing_{server}',
              arguments=(server,))
    def dead_lists(case, kind):
        scene = four_connections(case, kind, is_about_inbox)
        change(scene.inbox)
        stale()
        listed(case, scene)
        case.expect('showing what was known' not in scene.mount.messages(),
                    scene.mount.messages())


@tap.test
def test_dead_connections_show_no_old_list_of_mailboxes(case):
    scene = four_connections(case, 'plain',
                             lambda line, command: command.name == 'LIST')
    scene.server.mailboxes.append(Mailbox('New', []))
    stale()
    result = run('ls', scene.path())
    case.expect(result.clean and 'New' in names(result), result)


@tap.test
def test_dead_connections_fail_nobody_who_reads(case):
    for size in (500, 3 << 20):
        scene = four_connections(case, 'plain', is_about_inbox)
        scene.inbox.add(Message(61, make_message(61, size)))
        stale()
        case.expect(scene.cat(61), 'not read')
        # What it was found by is used up.
        for line in scene.server.connections:
            line.number = 1
        case.expect(scene.cat(3), 'not read')


@tap.test
def test_listing_is_fresh_as_soon_as_the_line_is_there(case):
    """Every attempt is cut, new connections too: what was known is shown. From
    the next connection on it is as fresh as ever."""
    scene = Scene(case, [simple_mailbox(count=20)], timeout=20 * tap.PATIENCE,
                  options={'poll': 1})
    scene.start()
    listed(case, scene)
    scene.server.hooks['EXAMINE'] = lambda line, _: line.close()
    scene.server.drop_connections()
    scene.inbox.remove(3)
    stale()
    result = run('ls', '-f', scene.path('INBOX'))
    case.expect(result.clean and '3.eml' in names(result), result)
    scene.server.hooks = {}
    # The list of mailboxes is asked for on a connection that lasts: a new one,
    # or one that was made right before and had asked for nothing yet.
    mark = scene.server.mark()
    stale()
    case.expect(run('ls', scene.path()).clean, 'no list')
    assert wait_until(lambda: scene.server.saw('LIST*', mark),
                      20 * tap.PATIENCE)
    listed(case, scene)


if __name__ == '__main__':
    tap.main()
