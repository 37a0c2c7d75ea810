#!/usr/bin/env python3
"""Ctrl-C on a program that waits for a silent server ends it at once."""

import os
import shutil
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import stalls
import tap
from command import run, wait_until
from mailstore import simple_mailbox
from mount import Mount
from proxy import Proxy
from scene import Scene

# On a machine that does more; else they would wait for the timeout of 30 s.
AT_ONCE = 1.0 if not tap.SANITIZED else 2.0
STUCK = 20 * tap.PATIENCE


def interrupt(case, scene, pattern, *arguments):
    mark = scene.server.mark()
    process = subprocess.Popen(arguments, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
    case.defer(process.stdout.close)
    case.defer(process.stderr.close)
    assert wait_until(lambda: scene.server.saw(pattern, mark), STUCK), \
        f'{arguments} asked the server nothing'
    time.sleep(0.1)  # asks nothing of anybody: it must still be waiting then
    assert process.poll() is None, 'it did not wait'
    clock = stalls.Clock()
    process.send_signal(signal.SIGINT)
    process.wait(STUCK)
    took = clock.seconds()
    case.note(f'{arguments[0]} ended {took * 1000:.0f} ms after SIGINT')
    case.expect(process.returncode == -signal.SIGINT, process.returncode)
    case.expect(took <= AT_ONCE, f'{arguments[0]} took {took:.2f} s to end')


@tap.test(alone=True)
def test_cat_waiting_for_open_ends_at_once(case):
    scene = Scene(case, timeout=30)
    scene.start()
    assert scene.listing()
    scene.server.hooks['UID FETCH'] = lambda line, command: line.hang()
    interrupt(case, scene, 'UID FETCH 3 *', 'cat', scene.file(3))
    interrupt(case, scene, 'UID FETCH 2 *', 'cat', scene.file(2))
    scene.heal()


@tap.test(alone=True)
def test_timers_are_not_waited_for_but_ctrl_c_is(case):
    scene = Scene(case, timeout=30)
    scene.start()
    assert scene.listing()
    scene.server.hooks['UID FETCH'] = lambda line, command: line.hang()
    interrupt(case, scene, 'UID FETCH 3 *', sys.executable, '-c',
              'import os, signal, sys\n'
              'signal.signal(signal.SIGINT, signal.SIG_DFL)\n'
              'signal.signal(signal.SIGALRM, lambda *_: None)\n'
              'signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)\n'
              'os.open(sys.argv[1], os.O_RDONLY)\n', scene.file(3))
    scene.heal()


@tap.test(alone=True)
def test_cat_in_the_middle_of_a_body_ends_at_once(case):
    scene = Scene(case, timeout=30)
    scene.inbox.get(3).body *= 1000
    scene.start()
    assert scene.listing()

    def cut(line, command):
        line.send(line.default(command)[:1500000])
        line.hang()

    scene.server.hooks['UID FETCH'] = cut
    interrupt(case, scene, 'UID FETCH 3 *', 'cat', scene.file(3))
    scene.heal()


@tap.test(alone=True)
def test_ls_waiting_for_listing_ends_at_once(case):
    scene = Scene(case, timeout=30)
    scene.start()
    scene.server.hooks['UID FETCH'] = lambda line, command: line.hang()
    scene.server.hooks['UID SEARCH'] = lambda line, command: line.hang()
    interrupt(case, scene, 'UID *', 'ls', scene.path('INBOX'))
    scene.heal()


@tap.test(alone=True)
def test_cached_read_is_served_while_another_waits(case):
    """One program that waits for the server holds up no other."""
    scene = Scene(case, timeout=30)
    scene.start()
    assert scene.listing() and scene.cat(5)
    scene.server.hooks['UID FETCH'] = lambda line, command: line.hang()
    waiting = subprocess.Popen(['cat', scene.file(3)],
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    case.defer(waiting.wait, STUCK)
    case.defer(waiting.kill)
    assert wait_until(lambda: scene.server.saw('UID FETCH 3 *'), STUCK)
    clock = stalls.Clock()
    case.expect(scene.cat(5) and scene.listing(), 'cat or ls failed')
    took = clock.seconds()
    case.expect(took < 5 * tap.PATIENCE, f'cat and ls took {took:.2f} s')


@tap.test(alone=True)
def test_look_up_in_folder_that_is_being_listed_is_served(case):
    """READDIR that waits for the server does not block look-ups in the same
    folder (the mend of libfuse's INIT reply)."""
    scene = Scene(case, timeout=6)
    scene.start()
    scene.server.hooks['UID FETCH'] = lambda line, command: (
        line.hang() if ':' in command.text.split()[0] else False)
    listing = subprocess.Popen(['ls', scene.path('INBOX')],
                               stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    case.defer(listing.wait, 20)
    case.defer(listing.kill)
    assert wait_until(lambda: scene.server.saw('UID FETCH *:*'), STUCK)
    look = subprocess.Popen(['stat', scene.file(3)],
                            stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL)
    clock = stalls.Clock()
    # Succeeds or fails in time; Ctrl-C works on it in any case.
    time.sleep(0.3)
    if look.poll() is None:
        look.send_signal(signal.SIGINT)
    look.wait(STUCK)
    took = clock.seconds()
    case.expect(took < 0.3 + AT_ONCE + 0.3, f'stat took {took:.2f} s to end')


def is_blocked(process):
    """Whether it waits inside a system call for the file system."""
    if process.poll() is not None:
        return True
    with open(f'/proc/{process.pid}/wchan') as file:
        where = file.read()
    return any(word in where for word in ('fuse', 'request_wait', 'folio'))


def end_blocked(case, *arguments):
    """Returns whether it was blocked; if so, it has to end at once."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    case.defer(process.wait)
    case.defer(process.kill)
    assert wait_until(lambda: is_blocked(process), STUCK), 'it does not wait'
    time.sleep(0.3)  # asks nothing of anybody: it must still be waiting then
    if process.poll() is not None:
        case.note(f'{arguments} is answered from what is known')
        return False
    clock = stalls.Clock()
    process.send_signal(signal.SIGINT)
    process.wait(STUCK)
    took = clock.seconds()
    case.note(f'{arguments[0]} ended {took * 1000:.0f} ms after SIGINT')
    case.expect(process.returncode == -signal.SIGINT, process.returncode)
    case.expect(took <= AT_ONCE, f'{arguments} took {took:.2f} s to end')
    return True


@tap.test(alone=True)
def test_whatever_waits_for_a_black_hole_ends_at_once(case):
    """The line takes everything, and nothing comes back."""
    mailboxes = [simple_mailbox(count=5), simple_mailbox('Other', count=3)]
    mailboxes[0].get(3).body *= 5000  # read in ranges
    scene = Scene(case, mailboxes, timeout=30, options={'xattr': None})
    proxy = Proxy(scene.server.port, case)
    scene.mount = Mount(case, f'imap://alice@127.0.0.1:{proxy.port}/',
                        scene.options)
    assert run('ls', scene.path('INBOX')).clean
    assert run('head', '-c', '100', scene.file(3)).ok
    proxy.hold()
    blocked = {
        'look-up': ('stat', scene.path('Other/2.eml')),
        'opendir': ('ls', '-f', scene.path('Other')),
        'open': ('cat', scene.file(2)),
        'read': ('tail', '-c', '1000', scene.file(3)),
    }
    for name, arguments in blocked.items():
        case.expect(end_blocked(case, *arguments), f'{name} did not wait')
    for arguments in (('stat', '-f', scene.mount.mountpoint),
                      ('stat', scene.path('No/such')),
                      ('stat', scene.file(2)), ('stat', scene.path('INBOX')),
                      ('getfattr', '-n', 'user.imap.uid', scene.file(2)),
                      ('getfattr', '-d', scene.file(2))):
        if arguments[0] == 'getfattr' and not shutil.which('getfattr'):
            arguments = (sys.executable, '-c', 'import os, sys; '
                         'os.getxattr(sys.argv[1], "user.imap.uid"); '
                         'os.listxattr(sys.argv[1])', scene.file(2))
        end_blocked(case, *arguments)
    proxy.resume()


if __name__ == '__main__':
    tap.main(jobs=1)
