#!/usr/bin/env python3
"""Programs that go through all files on their own: nothing is fetched for
them."""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run
from desk import Desk
from scene import Scene


def program(case, name, like):
    """A program of that name, which does what another does."""
    path = case.path(name)
    shutil.copy(shutil.which(like), path)
    return path


def scene_of(case, **options):
    scene = Scene(case, [mailstore.simple_mailbox(count=30)], timeout=10,
                  options=options)
    scene.start(arguments=('-d',))
    return scene


def fetched(scene, mark):
    return [c for c in scene.server.since(mark)[0]
            if c.name == 'UID FETCH' and 'BODY.PEEK[]' in c.text.upper()]


def denied(result):
    return result.status != 0 and 'Permission denied' in result.err


@tap.test(limit=90)
def test_crawler_lists_and_reads_what_is_cached_alone(case):
    scene = scene_of(case)
    look, read = program(case, 'tracker-ls', 'ls'), \
        program(case, 'tumblerd', 'cat')
    mark = scene.server.mark()
    listed = run(look, '-l', scene.path('INBOX'), check=True).out.decode()
    case.expect(listed.count('.eml') == 30, listed)
    result = run(read, *(scene.file(uid) for uid in range(1, 31)))
    case.expect(denied(result) and not result.out, result)
    case.expect(not fetched(scene, mark), fetched(scene, mark))
    told = scene.mount.messages().count('goes through all files')
    case.expect(told == 1, told, 'lines for one process')
    case.expect(scene.cat(3), 'a person cannot read')
    mark = scene.server.mark()
    result = run(read, scene.file(3))
    case.expect(result.clean and result.out == scene.inbox.get(3).body, result)
    case.expect(denied(run(read, scene.file(4))), 'it read another')
    case.expect(not fetched(scene, mark), fetched(scene, mark))
    told = scene.mount.messages().count('goes through all files')
    case.expect(told == 2, told, 'lines for two processes')


@tap.test(limit=90)
def test_crawler_that_a_shell_becomes_is_one(case):
    """The shell has just opened a message itself; the process is the same."""
    scene = scene_of(case)
    assert scene.cat(3)
    mark = scene.server.mark()
    result = run('sh', '-c', 'read -r line <"$1"; exec "$0" "$2"',
                 program(case, 'tumblerd', 'cat'), scene.file(3), scene.file(4))
    case.expect(denied(result), result)
    case.expect(not fetched(scene, mark), fetched(scene, mark))


@tap.test(limit=90)
def test_crawler_is_kept_out_of_the_views(case):
    scene = scene_of(case)
    run('ls', scene.path('INBOX'), check=True)
    look = program(case, 'tracker-ls', 'ls')
    result = run(look, scene.path('.imapfs/search/all/is:read'))
    case.expect(denied(result), result)


@tap.test(limit=90)
def test_what_a_crawler_has_read_nobody_has_seen(case):
    desk = Desk(case, {'INBOX': 3, 'Other': 1}, mark_seen=None)
    desk.client.open('INBOX', readonly=False)
    desk.client.imap.uid('STORE', '1:3', '-FLAGS', '(\\Seen)')
    desk.soon(lambda: all('\\Seen' not in flags
                          for flags in desk.flags().values()), desk.flags())
    read = program(case, 'tumblerd', 'cat')
    names = desk.by_uid()
    # Who leaves no trace has it fetched.
    for uid in (1, 2, 3):
        desk.do('dd', 'iflag=noatime', 'of=/dev/null', 'status=none',
                'if=' + desk.path('INBOX', names[uid]))
    desk.do(read, *(desk.path('INBOX', names[uid]) for uid in (1, 2, 3)))
    desk.do('cat', desk.path('INBOX', names[2]))
    desk.wait()
    seen = [uid for uid, flags in desk.flags().items() if '\\Seen' in flags]
    case.expect(seen == [2], seen)


@tap.test(limit=90)
def test_crawlers_can_be_allowed(case):
    scene = scene_of(case, crawlers='allow')
    read = program(case, 'tumblerd', 'cat')
    result = run(read, scene.file(3))
    case.expect(result.clean and result.out == scene.inbox.get(3).body, result)


@tap.test(limit=90)
def test_crawlers_can_be_named(case):
    scene = scene_of(case, crawlers='nobody+my*')
    case.expect(denied(run(program(case, 'mycat', 'cat'), scene.file(3))),
                'mycat can read')
    result = run(program(case, 'tumblerd', 'cat'), scene.file(3))
    case.expect(result.clean, result)


if __name__ == '__main__':
    tap.main()
