#!/usr/bin/env python3
"""Searches amid other things: mail that comes and goes while what they find is
listed or moved, folders that fail, people who give up, or read on meanwhile."""

import contextlib
import os
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import seeking
import tap
from command import run, wait_until
from desk import Desk
from imapserver import CAPABILITIES
from scene import Scene
from tap import PATIENCE


def is_of_people(command):
    """Not one by which the mount finds out what there is."""
    return command.name == 'UID SEARCH' and '(' in command.text.replace(
        'RETURN (ALL)', '')


def answer(line, command):
    """All messages, whatever the keys are."""
    if not is_of_people(command):
        return False
    uids = ','.join(str(message.uid) for message in line.mailbox.present)
    line.line(f'* ESEARCH (TAG "{command.tag}") UID ALL {uids}\r\n'
              f'{command.tag} OK found')
    return True


class Gate:
    """Of a scene: no search of people's is answered before it is opened."""

    def __init__(self, scene):
        self.opened = threading.Event()
        self.reached = threading.Event()
        scene.server.hooks['UID SEARCH'] = self

    def __call__(self, line, command):
        if is_of_people(command):
            self.reached.set()
            self.opened.wait(60 * PATIENCE)
        return answer(line, command)


def scene_of(case, *names, count=3, **named):
    """The server is slow, and never too slow for the mount."""
    scene = Scene(case, [mailstore.simple_mailbox(name=name, count=count)
                         for name in names], timeout=60 * PATIENCE, **named)
    scene.server.hooks['UID SEARCH'] = answer
    return scene


def start_listing(case, *parts):
    """ls in the background."""
    process = subprocess.Popen(['ls', '-U', os.path.join(*parts)],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end():
        if process.poll() is None:
            process.kill()
        process.wait()
        with contextlib.suppress(ValueError):
            process.communicate()

    case.defer(end)
    return process


def list_search(scene, *parts):
    return run('ls', '-U', scene.path('.imapfs/search', *parts),
               limit=60 * PATIENCE)


def searched(scene):
    return sum(map(is_of_people, list(scene.server.commands)))


# ---- names ----

@tap.test(limit=120)
def test_names_of_all_folders_mean_what_they_meant_until_the_end(case):
    desk = Desk(case, {'INBOX': 4, 'Other': 4, 'Third': 3}, names='uid')
    directory = desk.path('.imapfs/search/all/raw:UID 1:2')
    names = sorted(os.listdir(directory))
    case.expect(len(names) == 6 and all('in-' in name for name in names), names)
    desk.do('rm', *(f'{directory}/{name}' for name in names[:4]))
    desk.do('mv', *(f'{directory}/{name}' for name in names[4:]),
            desk.path('Other'))
    desk.wait()
    counts = [len(desk.bodies(folder)) for folder in ('INBOX', 'Other', 'Third')]
    case.expect(counts == [2, 4, 1], counts)
    # A number alone is whose it can only be.
    directory = desk.path('.imapfs/search/all/raw:UID 3:4')
    case.expect(os.path.exists(directory + '/4.eml') is False and
                os.path.exists(directory + '/3.eml') is False,
                'one of several was taken')


@tap.test(limit=120)
def test_second_of_a_name_keeps_it_when_the_first_has_gone(case):
    desk = Desk(case, {'INBOX': 3, 'Zoo': 5})
    name = next(name for name in os.listdir(desk.path('INBOX'))
                if name.endswith('.1.eml'))
    desk.do('cp', desk.path('INBOX', name), desk.path('Zoo', name))
    desk.wait()
    directory = desk.path('.imapfs/search/all/raw:ALL')
    names = [one for one in os.listdir(directory) if one.startswith(name[:-6])]
    case.expect(len(names) == 2, names)
    desk.do('rm', *(f'{directory}/{one}' for one in names))
    desk.wait()
    case.expect((len(desk.bodies()), len(desk.bodies('Zoo'))) == (2, 5),
                desk.bodies(), desk.bodies('Zoo'))


@tap.test(limit=120)
def test_folder_called_all_is_not_shown_twice(case):
    scene = scene_of(case, 'INBOX', 'all')
    scene.start()
    result = run('ls', scene.path('.imapfs/search'))
    case.expect(result.out.split() == [b'INBOX', b'all'], result.out)
    result = list_search(scene, 'all', 'in:all')
    case.expect(len(result.out.split()) == 3, result)


@tap.test(limit=120)
def test_server_is_not_asked_for_what_cannot_be_mail(case):
    scene = scene_of(case, 'INBOX')
    scene.start()
    case.expect(list_search(scene, 'INBOX', 'raw:ALL').clean, 'to begin with')
    before = searched(scene)
    for name in ('desktop.ini', 'Thumbs.db', 'cur', '.git'):
        result = run('stat', scene.path('.imapfs/search/INBOX/raw:ALL', name))
        case.expect('No such file' in result.err, result)
    case.expect(searched(scene) == before, 'it was asked')
    run('stat', scene.path('.imapfs/search/INBOX/raw:ALL/notes.99.eml'))
    case.expect(searched(scene) == before + 1, 'it was not asked for mail')


# ---- while a search is under way ----

@tap.test(limit=120)
def test_nobody_waits_behind_a_slow_search(case):
    scene = scene_of(case, 'INBOX', 'Other', 'Third')
    gate = Gate(scene)
    scene.start()
    case.expect(scene.listing(), 'to begin with')
    slow = [start_listing(case, scene.path('.imapfs/search'), *parts)
            for parts in (('INBOX', 'raw:ALL'), ('all', 'raw:ALL'),
                          ('all', 'raw:1:*'), ('Third', 'raw:1:*'))]
    case.expect(gate.reached.wait(30 * PATIENCE), 'nothing is searched')
    for folder in ('INBOX', 'Other'):
        result = run('cat', scene.file(3, folder), limit=30 * PATIENCE)
        case.expect(result.clean, folder, result.err)
        result = run('ls', scene.path(folder), limit=30 * PATIENCE)
        case.expect(result.clean, folder, result.err)
    case.expect([one.poll() for one in slow] == 4 * [None], 'they are over')
    gate.opened.set()
    for one, count in zip(slow, (3, 9, 9, 3)):
        out, err = one.communicate(timeout=60 * PATIENCE)
        case.expect(one.returncode == 0 and len(out.split()) == count,
                    count, out, err)


@tap.test(limit=120)
def test_search_that_nobody_waits_for_any_more_ends(case):
    names = ['INBOX'] + [f'Folder {i}' for i in range(20)]
    scene = scene_of(case, *names)
    gate = Gate(scene)
    scene.start()
    given_up = start_listing(case, scene.path('.imapfs/search/all/raw:ALL'))
    case.expect(gate.reached.wait(30 * PATIENCE), 'nothing is searched')
    given_up.terminate()
    given_up.wait(30 * PATIENCE)
    gate.opened.set()
    # Another one begins when the first has left what it had begun.
    result = list_search(scene, 'all', 'raw:1:*')
    case.expect(result.clean and len(result.out.split()) == 63, result)
    case.note(f'{searched(scene)} searches')
    case.expect(searched(scene) < 2 * len(names) - 10,
                'the first has gone on:', searched(scene))
    case.expect('cannot be run' not in scene.mount.messages(),
                scene.mount.messages())


@tap.test(limit=120)
def test_nobody_waits_behind_a_search_that_was_left(case):
    """The first answer comes when nobody wants it, or is a refusal: the second
    search goes on."""
    names = ['INBOX', 'Other', 'Third', 'Fourth']
    for refused in (False, True):
        scene = scene_of(case, *names)
        first, second = threading.Event(), threading.Event()
        begun = []

        def search(line, command, refused=refused, gates=(first, second),
                   begun=begun):
            if not is_of_people(command):
                return False
            begun.append(line.mailbox.name)
            is_first = len(begun) == 1
            gates[0 if is_first else 1].wait(60 * PATIENCE)
            if is_first and refused:
                line.line(f'{command.tag} NO no search')
                return True
            return answer(line, command)

        scene.server.hooks['UID SEARCH'] = search
        scene.start()
        case.defer(second.set)
        case.defer(first.set)
        found = scene.path('.imapfs/search/all/raw:ALL')
        slow = start_listing(case, found)
        case.expect(wait_until(lambda b=begun: len(b) == 2, 30 * PATIENCE),
                    begun)
        if not refused:
            slow.terminate()
            slow.wait(30 * PATIENCE)
        first.set()
        # Twice: by the second, the first answer has been seen.
        for folder in begun[:2] * 2:
            result = run('cat', scene.file(3, folder), limit=30 * PATIENCE)
            case.expect(result.clean, folder, result.err)
        if refused:
            second.set()
            slow.communicate(timeout=60 * PATIENCE)
            case.expect(slow.returncode != 0, 'it is not said')
            case.expect(len(begun) == 2, 'it goes on', begun)
            continue
        # Who asks for the same meanwhile gets all of it.
        again = start_listing(case, found)
        second.set()
        out, err = again.communicate(timeout=60 * PATIENCE)
        case.expect(again.returncode == 0 and len(out.split()) == 12, out, err)


@tap.test(limit=120)
def test_message_that_came_while_the_folder_is_listed_is_found(case):
    """What is being listed was so before it came, and the server does not tell
    of it there."""
    scene = scene_of(case, 'INBOX')
    reached, opened = threading.Event(), threading.Event()

    def fetch(line, command):
        rows = line.default(command)
        if not reached.is_set():
            reached.set()
            opened.wait(60 * PATIENCE)
        line.send(rows)

    scene.server.hooks['UID FETCH'] = fetch
    scene.start(arguments=('--trace',))
    case.defer(opened.set)
    listing = start_listing(case, scene.path('INBOX'))
    case.expect(reached.wait(30 * PATIENCE), 'it is not listed')
    scene.inbox.store(mailstore.make_message(4), 1795339800)
    search = start_listing(case, scene.path('.imapfs/search/INBOX/raw:ALL'))
    case.expect(wait_until(lambda: 'OK found' in scene.mount.messages(),
                           30 * PATIENCE), 'nothing is searched')
    opened.set()
    listing.communicate(timeout=60 * PATIENCE)
    out, err = search.communicate(timeout=60 * PATIENCE)
    case.expect(search.returncode == 0 and
                sorted(out.split()) == [b'%d.eml' % uid for uid in (1, 2, 3, 4)],
                out, err)


@tap.test(limit=120)
def test_folder_that_fails_is_named(case):
    scene = scene_of(case, 'INBOX', 'Good', 'Broken')

    def find(line, command):
        if line.mailbox.name != 'Broken':
            return answer(line, command)
        line.line(f'{command.tag} NO [SERVERBUG] cannot read the index')
        return True

    scene.server.hooks['UID SEARCH'] = find
    scene.start()
    result = list_search(scene, 'all', 'raw:ALL')
    case.expect(not result.ok and not result.out, result)
    case.expect('in Broken: cannot read the index' in scene.mount.messages(),
                scene.mount.messages())
    result = list_search(scene, 'Good', 'raw:ALL')
    case.expect(result.clean and len(result.out.split()) == 3, result)


@tap.test(limit=240)
def test_listing_goes_on_while_the_same_is_searched_again(case):
    desk = Desk(case, {'INBOX': 900, 'Other': 3})
    directory = desk.path('.imapfs/search/INBOX/raw:ALL')
    desk.client.open('INBOX', readonly=False)
    before = {entry.inode(): entry.name for entry in os.scandir(directory)}
    listed, turns, gone = [], 0, set()
    with os.scandir(directory) as entries:
        for entry in entries:
            listed.append(entry)
            if len(listed) % 200 or len(listed) > 800:
                continue
            # Of those before and of those after; and a new one.
            for uid in (turns + 1, 880 - turns):
                desk.client.expunge('INBOX', uid)
                gone.add(uid)
            seeking.deliver(desk.client)
            case.expect(len(os.listdir(directory)) ==
                        900 - len(gone) + 10 * (turns + 1), 'the other one')
            turns += 1
    names = [entry.name for entry in listed]
    case.expect(turns == 4 and len(names) == len(set(names)), turns,
                len(names), 'twice the same')
    # What was there all the time is in it, under its name.
    stayed = {inode: name for inode, name in before.items()
              if not seeking.uids([name]) & gone}
    seen = {entry.inode(): entry.name for entry in listed}
    case.expect(stayed.items() <= seen.items(),
                len(stayed.items() - seen.items()), 'are missing')


@tap.test(limit=120)
def test_more_than_there_is_is_not_asked_for(case):
    scene = scene_of(case, 'INBOX', 'Other')

    def find(line, command):
        if not is_of_people(command):
            return False
        line.line(f'* ESEARCH (TAG "{command.tag}") UID ALL 1:4000000\r\n'
                  f'{command.tag} OK found')
        return True

    scene.server.hooks['UID SEARCH'] = find
    scene.start()
    result = list_search(scene, 'Other', 'raw:ALL')
    case.expect('Input/output error' in result.err, result)
    case.expect('finds more messages than there can be'
                in scene.mount.messages(), scene.mount.messages())
    case.expect(len(scene.server.commands) < 100, len(scene.server.commands))
    # What is a few too many may be there, and else is passed over.
    scene.server.hooks['UID SEARCH'] = lambda line, command: (
        is_of_people(command) and not line.line(
            f'* ESEARCH (TAG "{command.tag}") UID ALL 1:50\r\n'
            f'{command.tag} OK found'))
    result = list_search(scene, 'Other', 'raw:ALL')
    case.expect(result.clean and len(result.out.split()) == 3, result)


@tap.test(limit=120)
def test_first_listing_after_a_search_has_what_came_before_it(case):
    scene = scene_of(case, 'INBOX', 'Other', capabilities=CAPABILITIES
                     + ' CONDSTORE QRESYNC')
    scene.start()
    case.expect(list_search(scene, 'Other', 'raw:ALL').clean, 'to begin with')
    other = scene.server.find('Other')
    other.store(mailstore.make_message(4), 1795339800)
    asked = []

    def find(line, command):
        """As Dovecot does: it searches, and then sees what has come."""
        if is_of_people(command) or line.mailbox is not other or asked:
            return answer(line, command)
        asked.append(command)
        line.line(f'* ESEARCH (TAG "{command.tag}") UID ALL 1:3\r\n'
                  f'* 4 EXISTS\r\n{command.tag} OK found')
        return True

    scene.server.hooks['UID SEARCH'] = find
    result = run('ls', scene.path('Other'), limit=60 * PATIENCE)
    case.expect(asked, 'it was not searched')
    case.expect(result.clean and len(result.out.split()) == 4, result)


# ---- links at the top ----

@tap.test(limit=120)
def test_link_to_a_search_is_copied_and_not_removed(case):
    desk = Desk(case, {'INBOX': 3}, searches=None)
    os.mkdir(desk.path('.imapfs/searches/raw:ALL'))
    link = desk.path('raw:ALL')
    for attempt in range(2):
        result = desk.do('rsync', '-ai', '--delete', desk.path() + '/',
                         case.path('copy'))
        case.expect(attempt == 0 or b'eml' not in result.out, result.out)
    case.expect(os.path.islink(case.path('copy/raw:ALL')) and
                len(os.listdir(case.path('copy/INBOX'))) == 3, 'the copy')
    for words in (('rm', link), ('mv', '-T', link, desk.path('another'))):
        result = run(*words)
        case.expect('Permission denied' in result.err, result)
    case.expect(len(os.listdir(link)) == 4, 'the search')


if __name__ == '__main__':
    tap.main()
