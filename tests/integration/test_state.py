#!/usr/bin/env python3
"""What outlives a mount: inode numbers, whatever happens to the cache; and what
becomes of a mount when its cache or its state cannot be used."""

import contextlib
import glob
import os
import re
import shutil
import signal
import sqlite3
import stat
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from dovecot import Client, password, start_sample
from mailstore import Mailbox, Message, make_message, simple_mailbox
from mount import Mount, mount_fails
from scene import Scene

MAILBOXES = ('INBOX', 'INBOX/Receipts', 'Archive/2025/January', 'Entwürfe')


def new_scene(case, options=None, names=MAILBOXES):
    return Scene(case, [simple_mailbox(name, 3) for name in names],
                 options=options)


def inodes(mount):
    """{path: inode} of all directories and messages, as stat tells them."""
    found = {}
    for folder, _, files in os.walk(mount.mountpoint):
        for path in (folder, *(os.path.join(folder, name) for name in files)):
            name = os.path.relpath(path, mount.mountpoint)
            found[name] = os.lstat(path).st_ino
    return found


def account_directory(case, kind):
    found = glob.glob(case.path('kept', kind, 'imapfs', '*'))
    assert len(found) == 1, found
    return found[0]


def start(case, scene, **named):
    return scene.start(data=case.path('kept'), **named)


def kill(mount):
    """As the kernel does when memory is short."""
    os.kill(mount.pid, signal.SIGKILL)
    assert wait_until(lambda: not mount.is_alive())
    run('fusermount3', '-uz', mount.mountpoint)
    mount.process.wait(10 * tap.PATIENCE)
    mount.process.returncode = 0  # no crash: it was us


# The same numbers

@tap.test
def test_inodes_are_the_same_after_remount(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    case.expect(len(set(before.values())) == len(before) >= 19, before)
    scene.mount.unmount()
    scene.server.mailboxes.reverse()
    after = inodes(start(case, scene))
    case.expect(after == before, before, after)
    case.expect(scene.mount.messages() == '', scene.mount.messages())


@tap.test
def test_inodes_are_the_same_for_background_mount_right_after(case):
    """Who mounts again while the old daemon still logs out gets the state."""
    scene = new_scene(case)
    before = inodes(start(case, scene, background=True))
    slow = scene.mount

    def log_out_slowly(line, command):
        wait_until(lambda: False, 2)
        return False

    scene.server.hooks['LOGOUT'] = log_out_slowly
    run('fusermount3', '-u', slow.mountpoint, check=True)
    after = inodes(start(case, scene, background=True))
    case.expect(after == before, before, after)
    said = scene.mount.messages()
    # Where the machine is slow, it says for whom it waits.
    case.expect(re.fullmatch(
        r'(imapfs: \S+ is in use by process \d+, which is ending; .*\n)?'
        r'imapfs: \S+/\.imapfs, which is not listed, .*\n', said), said)


@tap.test
def test_inodes_are_the_same_without_the_cache(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    scene.mount.unmount()
    shutil.rmtree(case.path('kept', 'cache'))
    case.expect(inodes(start(case, scene)) == before, 'differ')
    scene.mount.unmount()
    scene.options['cache_dir'] = 'none'
    case.expect(inodes(start(case, scene)) == before, 'differ without cache')


@tap.test
def test_inodes_stay_when_mailboxes_come_and_go(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    scene.mount.unmount()
    lost = scene.server.find('INBOX/Receipts')
    scene.server.mailboxes.remove(lost)
    scene.server.mailboxes[:0] = [simple_mailbox('A', 3),
                                  simple_mailbox('Archive', 3)]
    meanwhile = inodes(start(case, scene))
    for path, inode in meanwhile.items():
        case.expect(before.get(path, inode) == inode, path)
    new = {i for path, i in meanwhile.items() if path not in before}
    case.expect(not new & set(before.values()), 'used again')
    scene.mount.unmount()
    scene.server.mailboxes.append(lost)
    after = inodes(start(case, scene))
    case.expect(after == {**before, **meanwhile}, before, meanwhile, after)


@tap.test
def test_inodes_are_the_same_after_kill(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    kill(scene.mount)
    scene.server.mailboxes.insert(0, simple_mailbox('A', 3))
    between = inodes(start(case, scene))
    case.expect({p: i for p, i in between.items() if p in before} == before,
                before, between)
    kill(scene.mount)
    case.expect(inodes(start(case, scene)) == between, 'after the second')


@tap.test
def test_inodes_differ_without_state(case):
    """The counterpart: it is state_dir that keeps them."""
    scene = new_scene(case, options={'state_dir': 'none'})
    before = inodes(start(case, scene))
    scene.mount.unmount()
    case.expect(not os.path.exists(case.path('kept', 'state')), 'was made')
    case.expect(not os.path.exists(case.path('kept', 'cache')), 'was made')
    scene.server.mailboxes.insert(0, simple_mailbox('A', 3))
    case.expect(inodes(start(case, scene)) != before, 'the same')


@tap.test
def test_cache_of_another_state_is_not_used(case):
    """Numbers begin anew with the state, and would name other mailboxes."""
    scene = new_scene(case)
    before = inodes(start(case, scene))
    scene.mount.unmount()
    mark = account_directory(case, 'cache') + '/stale'
    with open(mark, 'wb'):
        pass
    shutil.rmtree(case.path('kept', 'state'))
    scene.server.mailboxes[:] = [
        Mailbox('A', [Message(1, make_message(1, seed=5))]),
        simple_mailbox('INBOX', 3)]
    start(case, scene)
    case.expect(not os.path.exists(mark), 'the old cache is still there')
    case.expect(scene.listing('A') and scene.cat(1, 'A'), 'A')
    case.expect(scene.listing() and scene.cat(1), 'INBOX')
    case.expect(before, 'nothing listed')


@tap.test
def test_cache_is_not_used_with_an_older_copy_of_the_state(case):
    """A backup of the state that is put back gives numbers again that the cache
    has for other mailboxes; some servers give all the same UIDVALIDITY."""
    scene = new_scene(case)
    assert inodes(start(case, scene))
    scene.mount.unmount()
    kept, backup = case.path('kept', 'state'), case.path('backup')
    shutil.copytree(kept, backup)
    scene.server.mailboxes.append(
        Mailbox('Lost', [Message(1, make_message(1, seed=5))]))
    start(case, scene)
    assert scene.listing('Lost') and scene.cat(1, 'Lost')
    scene.mount.unmount()
    shutil.rmtree(kept)
    os.rename(backup, kept)
    scene.server.mailboxes[-1] = Mailbox(
        'Other', [Message(1, make_message(1, seed=6))])
    start(case, scene)
    case.expect(scene.listing('Other') and scene.cat(1, 'Other'), 'Other')
    case.expect(scene.listing() and scene.cat(1), 'INBOX')


@tap.test
def test_cache_is_kept_by_a_mount_that_does_not_use_it(case):
    scene = new_scene(case)
    start(case, scene)
    assert scene.listing() and scene.cat(1)
    scene.mount.unmount()
    scene.server.mailboxes.append(simple_mailbox('New', 3))
    scene.options['cache_dir'] = 'none'
    assert inodes(start(case, scene))
    scene.mount.unmount()
    del scene.options['cache_dir']
    start(case, scene)
    mark = scene.server.mark()
    case.expect(scene.cat(1), 'cat')
    case.expect(not scene.server.saw('*BODY*', mark), 'fetched again')


@tap.test
def test_dovecot_inodes_are_the_same_after_remount(case):
    server = start_sample(case, messages=60)
    options = {'ca_file': server.ca_file}

    def look(**named):
        mount = Mount(case, server.url, options, password=password(server),
                      data=case.path('kept'), **named)
        found = inodes(mount)
        return mount, found

    mount, before = look(background=True)
    mount.unmount()
    with Client(server) as client:
        assert client.imap.create('"AAA"')[0] == 'OK'
    mount, after = look()
    case.expect(set(after) - set(before) == {'AAA'}, set(after) ^ set(before))
    case.expect({p: i for p, i in after.items() if p in before} == before,
                'other inodes')


# Whose it is

@tap.test
def test_all_that_is_kept_is_owner_only(case):
    scene = new_scene(case)
    before = os.umask(0)
    try:
        start(case, scene)
    finally:
        os.umask(before)
    assert inodes(scene.mount) and scene.cat(1)
    for mounted in (True, False):
        for kind in ('cache', 'state'):
            case.expect(stat.S_IMODE(os.stat(case.path('kept', kind)).st_mode)
                        == 0o700, kind)
            for folder, folders, files in os.walk(case.path('kept', kind)):
                for name in folders + files:
                    with contextlib.suppress(FileNotFoundError):
                        mode = os.lstat(os.path.join(folder, name)).st_mode
                        case.expect(mode & 0o077 == 0, folder, name, oct(mode))
        case.expect(os.path.exists(account_directory(case, 'state')
                                   + '/state.db'), 'no state.db')
        if mounted:
            scene.mount.unmount()
    name = f'alice@127.0.0.1_{scene.server.port}'
    case.expect(os.path.basename(account_directory(case, 'cache')) == name,
                account_directory(case, 'cache'))


@tap.test
def test_accounts_share_the_directories_of_options(case):
    for number in range(2):
        scene = new_scene(case, options={'cache_dir': case.path('c'),
                                         'state_dir': case.path('s')})
        scene.start()
        case.expect(scene.listing() and scene.mount.messages() == '',
                    scene.mount.messages())
    for path in ('c', 's'):
        case.expect(len(os.listdir(case.path(path))) == 2,
                    os.listdir(case.path(path)))


@tap.test
def test_second_mount_of_the_account_works_and_warns(case):
    scene = new_scene(case)
    first = start(case, scene)
    before = inodes(first)
    second = start(case, scene)
    said = second.messages().splitlines()
    case.expect(len(said) == 1 and f'process {first.pid}' in said[0]
                and 'cache_dir' in said[0] and 'state_dir' in said[0], said)
    case.expect(scene.listing() and scene.cat(1), 'the second')
    case.expect(inodes(first) == before, 'the first')
    second.unmount()
    # In the background, the message is on the terminal, too.
    third = start(case, scene, background=True)
    case.expect(f'process {first.pid}' in third.messages(), third.messages())
    case.expect(scene.listing(), 'the third')
    third.unmount()
    scene.options.update(cache_dir=case.path('c'), state_dir=case.path('s'))
    fourth = start(case, scene)
    case.expect(fourth.messages() == '' and scene.listing(), 'the fourth')
    fourth.unmount()
    first.unmount()


# What cannot be used

def state_file(case):
    return account_directory(case, 'state') + '/state.db'


def assert_refused(case, scene, *words, **named):
    failure = mount_fails(case, scene.server.url(), scene.options,
                          data=case.path('kept'), **named)
    for word in words:
        case.expect(word in failure.message, word, failure.message)
    case.expect(failure.status == 1, failure.status)


@tap.test
def test_damaged_state_is_refused_with_the_remedy(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    scene.mount.unmount()
    path = state_file(case)
    with open(path, 'r+b') as file:
        good = file.read()
        file.seek(0)
        file.write(b'\x5a' * len(good))
    assert_refused(case, scene, path, 'move', 'inode number')
    assert_refused(case, scene, path, 'move', background=True)
    with open(path, 'rb') as file:
        case.expect(file.read() == b'\x5a' * len(good), 'was written to')
    os.rename(path, path + '.old')
    start(case, scene)
    case.expect(scene.listing(), 'after the remedy')
    scene.mount.unmount()
    os.rename(path + '.old', path)
    with open(path, 'wb') as file:
        file.write(good)
    case.expect(inodes(start(case, scene)) == before, 'the old one, mended')


@tap.test
def test_state_of_a_newer_version_is_refused(case):
    scene = new_scene(case)
    start(case, scene).unmount()
    for change in ("UPDATE meta SET value = 99 WHERE key = 'stem_version'",
                   'PRAGMA user_version = 99'):
        database = sqlite3.connect(state_file(case))
        database.execute(change)
        database.commit()
        database.close()
        assert_refused(case, scene, 'version of imapfs', state_file(case))


@tap.test
def test_state_directory_that_cannot_be_made_is_refused(case):
    scene = new_scene(case)
    with open(case.path('file'), 'wb'):
        pass
    scene.options['state_dir'] = case.path('file')
    assert_refused(case, scene, case.path('file'), 'state_dir=none')
    scene.options['state_dir'] = 'none'
    start(case, scene)
    case.expect(scene.listing() and scene.mount.messages() == '',
                scene.mount.messages())


@tap.test
def test_same_directory_for_cache_and_state_is_refused(case):
    scene = new_scene(case, options={'cache_dir': case.path('x'),
                                     'state_dir': case.path('y/../x')})
    assert_refused(case, scene, 'cache_dir', 'state_dir')


@tap.test
def test_cache_directory_that_cannot_be_made_is_a_message(case):
    scene = new_scene(case)
    with open(case.path('file'), 'wb'):
        pass
    scene.options['cache_dir'] = case.path('file')
    before = inodes(start(case, scene))
    said = scene.mount.messages().splitlines()
    case.expect(len(said) == 1 and case.path('file') in said[0], said)
    case.expect(scene.cat(1), 'cat')
    scene.mount.unmount()
    case.expect(inodes(start(case, scene)) == before, 'inodes')


@tap.test
def test_damaged_cache_is_no_reason_to_refuse(case):
    scene = new_scene(case)
    before = inodes(start(case, scene))
    assert scene.cat(1) and scene.cat(2)
    scene.mount.unmount()
    for folder, _, files in os.walk(account_directory(case, 'cache')):
        for name in set(files) - {'state-id'}:
            with open(os.path.join(folder, name), 'r+b') as file:
                size = len(file.read())
                file.seek(0)
                file.write(b'\x5a' * size)
    case.expect(inodes(start(case, scene)) == before, 'inodes')
    case.expect(all(scene.cat(uid) for uid in (1, 2, 3)), 'cat')


@tap.test
def test_foreign_cache_index_is_no_reason_to_refuse(case):
    """The directory is ours, what lies in it is not."""
    scene = new_scene(case)
    start(case, scene).unmount()
    for name in ('index.db', 'blocks.db'):
        with open(account_directory(case, 'cache') + '/' + name, 'wb') as file:
            file.write(b'somebody else was here\n' * 500)
    start(case, scene)
    case.expect(scene.listing() and scene.cat(1), 'reading')


if __name__ == '__main__':
    tap.main()
