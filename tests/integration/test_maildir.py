#!/usr/bin/env python3
"""Folders as Maildirs: names that tell flags, and what renaming, delivering and
removing there does to the messages on the server."""

import errno
import os
import re
import signal
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import run, wait_until
from maildir import Box, letters, numbered, renamed, renamer, times
from proxy import Proxy
from writing import crlf, message


def fails(case, number, function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        case.expect(error.errno == number, 'errno', error)
        return
    case.expect(False, function, arguments, 'does not fail')


# ---- names ----

@tap.test
def test_names_tell_flags_sizes_and_stay(case):
    box = Box(case, {'INBOX': [
        (message(1), ''), (message(2), '\\Seen'),
        (message(3), '\\Answered \\Flagged \\Seen $Forwarded'),
        (message(4), 'work'), (message(5), '\\Draft \\Seen')],
        'Other': [(message(6), '\\Seen')]})
    found = {word: box.find(f'number {word}') for word in range(1, 6)}
    told = {word: (os.path.basename(os.path.dirname(path)), letters(path))
            for word, path in found.items()}
    case.expect(told == {1: ('new', ''), 2: ('cur', 'S'), 3: ('cur', 'FPRS'),
                         4: ('cur', 'a'), 5: ('cur', 'DS')}, told)
    for word, path in found.items():
        size = int(re.search(r',S=(\d+)', path)[1])
        case.expect(os.stat(path).st_size == size ==
                    len(crlf(message(word))), path, 'has another size')
        case.expect(os.stat(path).st_ino ==
                    os.stat(box.path('INBOX', f'{word}.eml')).st_ino,
                    path, 'is another file')
        case.expect(stat.S_ISREG(os.stat(path).st_mode), path)
    case.expect(':' not in os.path.basename(found[1]), found[1])
    bases = [name.partition(':2,')[0] for folder in ('INBOX', 'Other')
             for name in box.list(folder)]
    case.expect(len(set(bases)) == 6, 'not unique', bases)
    before = {folder: box.list(folder) for folder in ('INBOX', 'Other')}
    case.expect('.imapfs' not in os.listdir(box.path()) and
                'maildir' not in os.listdir(box.path('.imapfs')), 'is listed')
    box.again()
    after = {folder: box.list(folder) for folder in ('INBOX', 'Other')}
    case.expect(before == after, 'other names:', before, after)
    case.expect(set(os.listdir(box.maildir('INBOX'))) == {'cur', 'new', 'tmp'},
                os.listdir(box.maildir('INBOX')))
    case.expect(b'maildir/' in
                open(box.path('.imapfs', 'README'), 'rb').read(), 'README')


@tap.test
def test_rename_in_cur_sets_flags_and_moves_that_time_alone(case):
    box = Box(case, {'INBOX': [*numbered(3), (message(4), '\\Seen'),
                               (message(5), 'work')]})
    path = box.find('number 4')
    box.list()
    before = times(box)
    path = renamed(path, 'FRS')
    case.expect(os.path.exists(path) and path in box.find('number 4'),
                box.list())
    after = times(box)
    case.expect([name for name in before if before[name] != after[name]] ==
                ['cur'], 'times move of', before, after)
    box.wait()
    case.expect(wait_until(lambda: box.stored()[3].flags == {
        '\\Seen', '\\Flagged', '\\Answered'}, 10), box.stored()[3])
    case.expect(times(box) == after, 'it moves once more:', times(box), after)
    path = renamed(path, 'aS')
    box.wait()
    case.expect(box.stored()[3].flags == {'\\Seen', 'work'}, box.stored()[3])
    path = renamed(path, '')
    box.wait()
    case.expect(box.stored()[3].flags == set(), box.stored()[3])
    case.expect('/cur/' in box.find('number 4'), 'back in new')
    box.again()
    case.expect(box.find('number 4') == path, box.list())
    box.expect_same()


@tap.test
def test_rename_from_new_to_cur_stays_and_may_tell_nothing(case):
    box = Box(case, {'INBOX': numbered(4)})
    case.expect(set(box.list().values()) == {'new'}, box.list())
    before = times(box)
    seen = renamed(box.find('number 1'), 'S')
    old = renamed(box.find('number 2'), '')
    after = times(box)
    case.expect({name for name in before if before[name] != after[name]} ==
                {'cur', 'new'}, before, after)
    box.wait()
    case.expect([one.flags for one in box.stored()] ==
                [{'\\Seen'}, set(), set(), set()], box.stored())
    box.again()
    case.expect(sorted(box.list('INBOX', 'cur')) ==
                sorted(map(os.path.basename, (seen, old))), box.list())
    back = renamed(seen, '')
    case.expect(box.find('number 1') == back, box.list())
    box.expect_same()


# ---- delivering ----

def deliver(case, kind, name, flags, link):
    box = Box(case, {'INBOX': numbered(2), 'Other': []})
    body = message(77)
    box.list()
    before = times(box)
    path = box.deliver(body, name, kind, link=link)
    case.expect(os.path.exists(path), name, 'is not in', box.list())
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == [], 'tmp is full')
    found = [one for one in box.stored() if one.body == crlf(body)]
    case.expect(len(found) == 1 and found[0].flags == flags, box.stored())
    with open(path, 'rb') as file:
        case.expect(file.read() == crlf(body), 'other octets')
    case.expect(len(os.listdir(box.path('INBOX'))) == 3,
                os.listdir(box.path('INBOX')))
    box.list()
    after = times(box)
    case.expect([name for name in ('cur', 'new')
                 if before[name] != after[name]] == [kind], before, after)
    box.again()
    case.expect(os.path.exists(path), name, 'is gone with the mount:',
                box.list())
    box.expect_same()


DELIVERIES = {
    'new_by_link': ('new', '1700000000.R1.host', set(), True),
    'new_by_rename': ('new', '1700000000.R2.host', set(), False),
    'cur_with_flags_by_link': ('cur', '1700000000.R3.host:2,FS',
                               {'\\Seen', '\\Flagged'}, True),
    'cur_with_flags_by_rename': ('cur', '1700000000.R4.host,U=7:2,RS',
                                 {'\\Seen', '\\Answered'}, False),
    'cur_without_flags': ('cur', '1700000000.R5.host:2,', set(), False),
    'new_with_empty_flags': ('new', '1700000000.R6.host:2,', set(), False),
}
for way, arguments in DELIVERIES.items():
    tap.test(name='deliver_to_' + way, arguments=arguments)(deliver)


@tap.test
def test_delivery_of_a_name_that_is_there_is_eexist(case):
    box = Box(case, {'INBOX': []})
    box.deliver(message(1), '1.R1.host:2,S', 'cur')
    for kind, name in (('cur', '1.R1.host:2,S'), ('cur', '1.R1.host:2,F'),
                       ('new', '1.R1.host')):
        with open(box.maildir('INBOX', 'tmp', name), 'wb') as file:
            file.write(message(2))
        fails(case, errno.EEXIST, os.link,
              box.maildir('INBOX', 'tmp', name),
              box.maildir('INBOX', kind, name))
        os.unlink(box.maildir('INBOX', 'tmp', name))
    case.expect(len(box.stored()) == 1, box.stored())


@tap.test
def test_name_from_another_account_is_no_other_message(case):
    """There, the same mailbox and UID are another message's."""
    box = Box(case, {'INBOX': numbered(3)})
    base = os.path.basename(box.find('number 2'))
    seconds, rest = base.split('.', 1)
    theirs = f'{int(seconds) + 77}.{rest}'
    box.deliver(message(5), theirs + ':2,S', 'cur')
    with open(box.maildir('INBOX', 'cur', theirs + ':2,S'), 'rb') as file:
        case.expect(file.read() == crlf(message(5)), 'another message')
    with open(box.maildir('INBOX', 'new', base), 'rb') as file:
        case.expect(file.read() == crlf(message(2)), 'it is lost')
    for name in (base, theirs):
        fails(case, errno.EEXIST, box.deliver, message(6), name + ':2,F',
              'cur')
        os.unlink(box.maildir('INBOX', 'tmp', name + ':2,F'))
    box.again()
    case.expect({base, theirs + ':2,S'} < set(box.list()), box.list())
    box.expect_same()


@tap.test
def test_names_with_wrong_flags_are_refused_or_put_right(case):
    box = Box(case, {'INBOX': [(message(1), '\\Seen')]})
    path = box.find('number 1')
    for wrong in ('SX', 'Sz'):
        fails(case, errno.EINVAL, renamed, path, wrong)
    with open(box.maildir('INBOX', 'tmp', 'x'), 'wb') as file:
        file.write(message(2))
    for wrong in ('9.h:2,SZ', '9.h:2,Q', '.hidden:2,S'):
        fails(case, errno.EINVAL, os.rename, box.maildir('INBOX', 'tmp', 'x'),
              box.maildir('INBOX', 'cur', wrong))
    unordered = renamed(path, 'SFS')
    case.expect(os.path.exists(unordered), 'not found as it was called')
    case.expect(letters(box.find('number 1')) == 'FS', box.list())
    box.wait()
    case.expect(box.stored()[0].flags == {'\\Seen', '\\Flagged'},
                box.stored())
    case.expect(len(box.stored()) == 1, box.stored())
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == ['x'], 'tmp')


@tap.test
def test_letters_of_keywords_are_taken_along(case):
    """Those of another folder, and those of another Maildir, which mean
    nothing here, but keep no message out."""
    box = Box(case, {'INBOX': [(message(1), '\\Seen work')], 'Other': []})
    box.list()
    for number, link in ((2, True), (3, False)):
        box.deliver(message(number), f'{number}.R.host:2,Sa', 'cur', 'Other',
                    link)
        box.deliver(message(number + 2), f'{number + 2}.R.host:2,Fz', 'cur',
                    'Other', link)
    with open(box.maildir('Other', 'cur', '6.R.host:2,az'), 'wb') as file:
        file.write(message(6))
    there = {one.body: one.flags for one in box.stored('Other')}
    seen, flagged = {'\\Seen', 'work'}, {'\\Flagged'}
    case.expect(there == {
        crlf(message(2)): seen, crlf(message(3)): seen,
        crlf(message(4)): flagged, crlf(message(5)): flagged,
        crlf(message(6)): {'work'}}, there)
    case.expect(sorted(box.list('Other')) == [
        '2.R.host:2,Sa', '3.R.host:2,Sa', '4.R.host:2,F', '5.R.host:2,F',
        '6.R.host:2,a'], box.list('Other'))
    box.expect_same('Other')


@tap.test
def test_file_made_in_cur_is_a_message_when_it_is_closed(case):
    box = Box(case, {'INBOX': []})
    for kind, name, flags in (('cur', '4.R4.host:2,FS',
                               {'\\Seen', '\\Flagged'}),
                              ('new', '5.R5.host', set())):
        path = box.maildir('INBOX', kind, name)
        with open(path, 'wb') as file:
            file.write(message(4))
            file.flush()
            case.expect(os.path.exists(path), path, 'is not there yet')
        found = box.stored()
        case.expect(found[-1].body == crlf(message(4)) and
                    found[-1].flags == flags, found)
        case.expect(os.path.exists(path), box.list())
        case.expect(open(path, 'rb').read() == crlf(message(4)), 'octets')
    for kind, name, number in (('cur', '4.R4.host:2,S', errno.EEXIST),
                               ('cur', '6.R6.host:2,Z', errno.EINVAL),
                               ('new', '.6', errno.EINVAL)):
        fails(case, number, open, box.maildir('INBOX', kind, name), 'xb')
    case.expect(len(box.stored()) == 2, box.stored())
    box.expect_same()


# ---- moving and removing ----

@tap.test
def test_rename_to_another_folder_moves_with_the_new_flags(case):
    box = Box(case, {'INBOX': [(message(1), '\\Seen work'), *numbered(3, 2)],
                     'Other': [(message(9), 'play \\Seen')]})
    box.list('Other')
    path = box.find('number 1')
    case.expect(letters(path) in ('Sa', 'Sb'), path)
    moved = renamed(path, 'F' + letters(path), folder=box.maildir('Other'))
    case.expect(box.find('number 1', 'Other') == moved, box.list('Other'))
    back = renamed(box.find('number 2'), 'S', folder=box.maildir('Other'))
    case.expect(not os.path.exists(path), 'it is in both')
    box.wait()
    other = {one.body: one.flags for one in box.stored('Other')}
    case.expect(other == {
        crlf(message(1)): {'\\Seen', '\\Flagged', 'work'},
        crlf(message(2)): {'\\Seen'},
        crlf(message(9)): {'\\Seen', 'play'}}, other)
    case.expect(len(box.stored()) == 2, box.stored())
    case.expect(os.path.exists(moved), 'another name', box.list('Other'))
    box.again()
    case.expect(os.path.exists(moved), 'another name', box.list('Other'))
    renamed(back, 'S', folder=box.maildir('INBOX'))
    os.rename(box.find('number 9', 'Other'), box.path('INBOX', 'nine.eml'))
    os.rename(box.path('INBOX', 'nine.eml'),
              box.maildir('Other', 'cur', 'nine.host:2,S'))
    box.wait()
    case.expect(os.path.exists(box.maildir('Other', 'cur', 'nine.host:2,S')),
                box.list('Other'))
    for folder in ('INBOX', 'Other'):
        box.expect_same(folder)
    case.expect(len(box.stored()) == 3, box.stored())


@tap.test
def test_unlink_deletes_that_message_alone(case):
    box = Box(case, {'INBOX': [*numbered(3), (message(4), '\\Seen')]})
    before = times(box)
    os.unlink(box.find('number 4'))
    after = times(box)
    case.expect([name for name in before if before[name] != after[name]] ==
                ['cur'], before, after)
    os.unlink(box.find('number 2'))
    box.wait()
    case.expect([one.body for one in box.stored()] ==
                [crlf(message(1)), crlf(message(3))], box.stored())
    box.expect_same()


# ---- what others do ----

@tap.test
def test_flags_of_another_client_show_while_the_directory_is_open(case):
    box = Box(case, {'INBOX': [(message(n), '\\Seen') for n in range(1, 30)]})
    before = box.find('number 5')
    held = os.open(box.maildir('INBOX', 'cur'), os.O_RDONLY)
    first = next(iter(os.scandir(held)))
    moment = times(box)
    box.client.open('INBOX', readonly=False)
    box.client.imap.uid('STORE', '5', '+FLAGS', '(\\Flagged)')
    box.client.imap.uid('STORE', '6', '-FLAGS', '(\\Seen)')
    box.soon(lambda: letters(box.find('number 5')) == 'FS', 'not seen')
    box.soon(lambda: '/new/' in box.find('number 6'), 'not unseen')
    case.expect(not os.path.exists(before), 'both names are there')

    def bases():
        return [name.partition(':2,')[0] for name in os.listdir(held)]
    box.soon(lambda: len(bases()) == 28, 'one is still listed there')
    bases = bases()
    case.expect(len(set(bases)) == len(bases) == 28, bases)
    case.expect(first.name.partition(':2,')[0] in bases, first)
    os.close(held)
    now = times(box)
    case.expect({name for name in now if now[name] != moment[name]} ==
                {'cur', 'new'}, moment, now)
    fails(case, errno.ENOENT, os.rename, before, before + 'T')
    box.expect_same()


@tap.test
def test_kernel_asks_for_what_has_changed_alone(case):
    box = Box(case, {'INBOX': [(message(n), '\\Seen') for n in range(1, 9)]})
    cur = box.maildir('INBOX', 'cur')

    def asked(word, function, *arguments):
        before = box.mount.messages().count(f'opcode: {word} ')
        function(*arguments)
        return box.mount.messages().count(f'opcode: {word} ') - before
    path = box.find('number 3')
    box.wait()
    case.expect(asked('LOOKUP', os.stat, path) == 1, 'for each directory')
    os.listdir(cur)
    case.expect(asked('READDIRPLUS', os.listdir, cur) == 0, 'it is not kept')
    path = renamed(path, 'FS')
    case.expect(os.path.basename(path) in os.listdir(cur), os.listdir(cur))
    box.wait()
    os.listdir(cur)
    case.expect(asked('READDIRPLUS', os.listdir, cur) == 0, 'not kept then')
    box.client.open('INBOX', readonly=False)
    box.client.imap.uid('STORE', '3', '+FLAGS', '(\\Answered)')
    name = os.path.basename(path).replace(':2,FS', ':2,FRS')
    box.soon(lambda: name in os.listdir(cur), 'not answered')
    box.deliver(message(20), '20.R20.host:2,S', 'cur')
    case.expect('20.R20.host:2,S' in os.listdir(cur), os.listdir(cur))
    with open(box.maildir('INBOX', 'cur', '21.R21.host:2,'), 'wb') as file:
        file.write(message(21))
    case.expect('21.R21.host:2,' in os.listdir(cur), os.listdir(cur))
    os.rename(f'{cur}/21.R21.host:2,', f'{cur}/22.R22.host:2,')
    found = os.listdir(cur)
    case.expect('22.R22.host:2,' in found and '21.R21.host:2,' not in found,
                found)
    box.expect_same()


@tap.test
def test_two_programs_that_rename_the_same_message_leave_one(case):
    box = Box(case, {'INBOX': [(message(1), '\\Seen'), *numbered(5, 2)]})
    name = os.path.basename(box.find('number 1')).partition(':2,')[0]
    both = [subprocess.Popen(renamer(box.maildir('INBOX', 'cur'), name, letter),
                             stdout=subprocess.PIPE, text=True)
            for letter in 'FR']
    for one in both:
        out = one.communicate(timeout=100 * tap.PATIENCE)[0]
        case.expect(one.returncode == 0, 'it ends with', out)
    box.wait()
    case.expect(len(box.stored()) == 6, box.stored())
    box.expect_same()


# ---- what is on its way ----

def kill(case, box, then=lambda: None):
    os.kill(box.mount.pid, signal.SIGKILL)
    wait_until(lambda: not box.mount.is_alive(), 20 * tap.PATIENCE)
    if mounting.is_mounted(box.mount.mountpoint):
        run('fusermount3', '-uz', box.mount.mountpoint)
    box.mount.process.returncode = 0
    then()
    box.start()


@tap.test(limit=120)
def test_link_that_the_server_is_not_waited_for_shows_both_names(case):
    """mutt compares them, and takes what is not there for a failure."""
    box = Box(case, {'INBOX': numbered(1)}, options={'writeback': None})
    line = Proxy(int(re.search(r':(\d+)/', box.url)[1]), case)
    box.mount.unmount()
    box.url = re.sub(r':\d+/', f':{line.port}/', box.url)
    box.start()
    box.list()
    line.hold()
    names = [f'{number}.R{number}.host' for number in range(5, 9)]
    for number, name in enumerate(names, 5):
        temporary = box.maildir('INBOX', 'tmp', name)
        final = box.maildir('INBOX', 'new', name)
        with open(temporary, 'xb') as file:
            file.write(message(number))
        os.link(temporary, final)
        case.expect(os.path.samestat(os.lstat(temporary), os.lstat(final)),
                    'two files')
        if number < 8:
            os.unlink(temporary)
            fails(case, errno.ENOENT, os.lstat, temporary)
            fails(case, errno.ENOENT, os.unlink, temporary)
        case.expect(name in box.list('INBOX', 'new'), name, box.list())
        with open(final, 'rb') as file:
            case.expect(message(number) == file.read(), 'other octets')
    line.resume()
    box.wait()
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == names[3:], 'tmp')
    os.unlink(box.maildir('INBOX', 'tmp', names[3]))
    case.expect([one.body for one in box.stored()[1:]] ==
                [crlf(message(number)) for number in range(5, 9)],
                box.stored())
    case.expect(set(names) < set(box.list('INBOX', 'new')), box.list())
    box.expect_same()
    line.hold()
    box.deliver(message(9), '9.R9.host')
    kill(case, box, line.resume)
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == [] ==
                os.listdir(box.path('.imapfs', 'lost+found')), 'lost')
    box.wait()
    case.expect(len(box.stored()) == 6, box.stored())
    case.expect(box.find('number 9') ==
                box.maildir('INBOX', 'new', '9.R9.host'), box.list())


@tap.test(limit=120)
def test_kill_between_link_and_unlink_leaves_it_once(case):
    box = Box(case, {'INBOX': numbered(1)})
    temporary = box.maildir('INBOX', 'tmp', '5.R5.host')
    with open(temporary, 'wb') as file:
        file.write(message(5))
    os.link(temporary, box.maildir('INBOX', 'new', '5.R5.host'))
    case.expect(os.path.exists(temporary), 'link has removed it')
    kill(case, box)
    case.expect(box.find('number 5') ==
                box.maildir('INBOX', 'new', '5.R5.host'), box.list())
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == [], 'in tmp')
    case.expect(os.listdir(box.path('.imapfs', 'lost+found')) == [], 'lost')
    case.expect(len(box.stored()) == 2, box.stored())
    box.expect_same()


@tap.test(limit=120)
def test_what_is_left_in_tmp_is_found_with_what_was_lost(case):
    box = Box(case, {'INBOX': []})
    path = box.maildir('INBOX', 'tmp', '6.R6.host:2,S')
    with open(path, 'wb') as file:
        file.write(message(6))
        file.flush()
        os.fsync(file.fileno())
    case.expect(os.listdir(box.maildir('INBOX', 'tmp')) == ['6.R6.host:2,S'],
                'it became something else')
    case.expect(box.stored() == [], 'it was stored', box.stored())
    kill(case, box)
    with open(box.path('.imapfs', 'lost+found', '6.R6.host:2,S'), 'rb') as file:
        case.expect(file.read() == message(6), 'other octets')
    os.rename(box.path('.imapfs', 'lost+found', '6.R6.host:2,S'),
              box.maildir('INBOX', 'cur', '6.R6.host:2,S'))
    case.expect([one.flags for one in box.stored()] == [{'\\Seen'}],
                box.stored())


@tap.test(limit=120)
def test_files_beside_the_messages_are_kept(case):
    box = Box(case)
    path = box.maildir('INBOX', '.uidvalidity')
    for text in (b'1\n', b'2\n7\n'):
        with open(path + '.lock', 'wb') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.rename(path + '.lock', path)
    with open(box.maildir('INBOX', 'maildirfolder'), 'wb'):
        pass
    box.again()
    kill(case, box)
    case.expect(set(os.listdir(box.maildir('INBOX'))) ==
                {'cur', 'new', 'tmp', '.uidvalidity', 'maildirfolder'},
                os.listdir(box.maildir('INBOX')))
    with open(path, 'rb') as file:
        case.expect(file.read() == b'2\n7\n', 'other octets')
    os.unlink(path)
    box.again()
    case.expect(not os.path.exists(path), 'it is back')
    case.expect(os.listdir(box.path('INBOX')) == [], 'it is mail')


# ---- folders ----

def make_and_remove(case, plus_plus):
    box = Box(case, {'INBOX': [], 'Other': numbered(1)}, options={
        'maildir_layout': 'maildir++' if plus_plus else 'fs'})
    new = '.Work' if plus_plus else 'Work'
    below = '.Work.Next' if plus_plus else 'Work/Next'
    for folder in (new, below):
        os.mkdir(box.maildir(folder))
        for inner in ('cur', 'new', 'tmp'):
            os.mkdir(box.maildir(folder, inner))
            fails(case, errno.EEXIST, os.mkdir, box.maildir(folder, inner))
    case.expect({'Work', 'Work/Next'} <= set(box.folders()), box.folders())
    box.deliver(message(3), '3.R3.host:2,S', 'cur', below)
    case.expect(len(box.stored('Work/Next')) == 1, 'not delivered')
    moved = '.Done' if plus_plus else 'Done'
    os.rename(box.maildir(below), box.maildir(moved))
    case.expect(set(box.folders()) == {'INBOX', 'Other', 'Work', 'Done'},
                box.folders())
    case.expect(len(box.stored('Done')) == 1, 'not moved')
    result = run('rm', '-r', box.maildir(moved), box.maildir(new))
    case.expect(result.clean, result)
    case.expect(set(box.folders()) == {'INBOX', 'Other'}, box.folders())
    fails(case, errno.ENOTEMPTY, os.rmdir,
          box.maildir('.Other' if plus_plus else 'Other', 'new'))


@tap.test(limit=120)
def test_folder_of_maildir_plus_plus_needs_none_above_it(case):
    """mbsync and aerc make what is to be Deep/Down/Here by that name alone,
    and rename to such ones."""
    box = Box(case, {'INBOX': [], 'Other': numbered(1)},
              options={'maildir_layout': 'maildir++'})
    new = box.maildir('.Deep.Dö%2Ewn.Here')
    os.mkdir(new)
    fails(case, errno.EEXIST, os.mkdir, new)
    for inner in ('cur', 'new', 'tmp'):
        os.mkdir(os.path.join(new, inner))
    box.deliver(message(3), '3.R3.host:2,S', 'cur', os.path.basename(new))
    case.expect(len(box.stored('Deep/Dö.wn/Here')) == 1, box.folders())
    os.rename(box.maildir('.Other'), box.maildir('.Deep.Up.There'))
    case.expect(len(box.stored('Deep/Up/There')) == 1, box.folders())
    case.expect('Other' not in box.folders(), box.folders())
    box.again()
    case.expect(os.listdir(new + '/cur') == ['3.R3.host:2,S'],
                os.listdir(box.maildir()))
    for wrong, number in (('.Deep..x', errno.EINVAL),
                          ('.New.%2Ex', errno.EPERM)):
        fails(case, number, os.mkdir, box.maildir(wrong))
    case.expect(not any('x' in name for name in box.folders()), box.folders())


tap.test(limit=120, name='folders_are_made_and_removed_as_programs_do',
         arguments=(False,))(make_and_remove)
tap.test(limit=120, name='folders_of_maildir_plus_plus_likewise',
         arguments=(True,))(make_and_remove)


@tap.test
def test_folder_that_holds_no_messages_gets_no_cur(case):
    box = Box(case, {'INBOX': [], 'Deep/Sub': []})
    case.expect(os.listdir(box.maildir('Deep')) == ['Sub'],
                os.listdir(box.maildir('Deep')))
    for inner in ('cur', 'new', 'tmp'):
        fails(case, errno.EACCES, os.mkdir, box.maildir('Deep', inner))
    case.expect(os.listdir(box.maildir('Deep')) == ['Sub'],
                os.listdir(box.maildir('Deep')))


@tap.test
def test_maildir_plus_plus_has_all_at_the_top(case):
    box = Box(case, {'INBOX': numbered(1), 'A': [], 'A/B.c': numbered(1, 2)},
              options={'maildir_layout': 'maildir++'})
    case.expect(set(os.listdir(box.maildir())) == {
        'cur', 'new', 'tmp', '.A', '.A.B%2Ec'},
        os.listdir(box.maildir()))
    case.expect(len(os.listdir(box.maildir('new'))) == 1, 'INBOX')
    case.expect(len(os.listdir(box.maildir('.A.B%2Ec', 'new'))) == 1, 'below')
    box.mount.unmount()
    box.options['maildir_layout'] = 'fs'
    box.start()
    case.expect(set(os.listdir(box.maildir('A'))) == {
        'cur', 'new', 'tmp', 'B.c'}, os.listdir(box.maildir('A')))


@tap.test
def test_the_whole_mount_may_be_that(case):
    box = Box(case, {'INBOX': numbered(2), 'Other': []}, whole=True)
    case.expect(set(os.listdir(box.path())) == {'INBOX', 'Other'},
                os.listdir(box.path()))
    case.expect(os.path.samefile(box.path('.imapfs', 'maildir'), box.path()),
                'no link')
    path = renamed(box.find('number 1'), 'S')
    box.deliver(message(8), '8.R8.host', folder='Other')
    box.append(message(9))
    box.soon(lambda: len(box.list()) == 3, 'what comes is not seen')
    os.mkdir(box.path('Made'))
    box.create('Theirs')
    box.soon(lambda: 'Theirs' in os.listdir(box.path()), 'no new folder')
    case.expect('Made' in box.folders(), box.folders())
    case.expect(os.listdir(box.path('.imapfs', 'text', 'INBOX')) != [],
                'no text')
    for folder in ('INBOX', 'Other'):
        box.wait()
        box.expect_same(folder)
    box.options['ro'] = None
    box.again()
    case.expect(os.path.exists(path), box.list())
    fails(case, errno.EROFS, os.unlink, path)
    case.expect(set(box.list().values()) == {'cur'} and len(box.list()) == 3,
                'programs would have to rename in "new"', box.list())


@tap.test
def test_links_to_special_folders_lead_to_their_maildirs(case):
    box = Box(case, {'INBOX': [], 'Trash': numbered(1), 'INBOX/Sent': [],
                     'Archive': []}, whole=True)
    special = box.path('.imapfs', 'special')
    for plus_plus, targets in (
            (False, {'Trash': 'Trash', 'Sent': 'INBOX/Sent',
                     'Archive': 'Archive'}),
            (True, {'Trash': '.Trash', 'Sent': '.INBOX.Sent',
                    'Archive': '.Archive'})):
        found = {name: os.readlink(f'{special}/{name}')
                 for name in os.listdir(special)}
        case.expect(found == {name: '../../' + target
                              for name, target in targets.items()}, found)
        case.expect(set(os.listdir(special + '/Trash')) ==
                    {'cur', 'new', 'tmp'}, os.listdir(special + '/Trash'))
        case.expect(len(os.listdir(special + '/Trash/new')) == 1, 'no message')
        box.mount.unmount()
        box.options['maildir_layout'] = 'maildir++'
        box.start()


@tap.test
def test_message_is_found_beside_a_file_that_is_called_by_its_uid(case):
    box = Box(case, {'INBOX': numbered(3)})
    with open(box.path('INBOX', '5.eml'), 'xb') as file:
        file.write(message(6))
        file.flush()
        box.append(message(4))
        box.append(message(5))
        box.soon(lambda: len(box.list()) == 5, box.list())
        path = renamed(box.find('number 5'), 'FS')
        case.expect(box.find('number 5') == path, box.list())
    box.wait()
    flags = {one.body: one.flags for one in box.stored()}
    case.expect(flags[crlf(message(5))] == {'\\Flagged', '\\Seen'} and
                flags[crlf(message(6))] == {'\\Seen'}, flags)
    box.expect_same()


@tap.test
def test_message_that_is_edited_is_not_moved(case):
    box = Box(case, {'INBOX': [(message(1), '\\Seen')], 'Other': []})
    path = box.find('number 1')
    target = box.maildir('Other', 'cur', os.path.basename(path))
    with open(path, 'ab') as file:
        file.write(b'more\r\n')
        file.flush()
        fails(case, errno.EBUSY, os.rename, path, target)
    os.rename(box.find('number 1'), target)
    box.wait()
    case.expect([len(box.stored(name)) for name in ('INBOX', 'Other')] == [0, 1],
                box.stored('INBOX'), box.stored('Other'))


@tap.test
def test_what_is_edited_keeps_its_name(case):
    """By editors that write to the file itself, each time it is saved."""
    box = Box(case, {'INBOX': [
        (message(1), '\\Seen \\Flagged'), (message(2), ''),
        (message(3), '\\Seen')]})
    own = box.maildir('INBOX', 'cur', '7.R7.host:2,S')
    os.rename(box.find('number 3'), own)
    paths = {number: box.find(f'number {number}') for number in (1, 2, 3)}
    case.expect(paths[3] == own, paths)
    expected = {number: crlf(message(number)) for number in paths}
    for word in (b'one', b'two', b'three'):
        for number, path in paths.items():
            with open(path, 'rb+') as file:
                case.expect(file.read() == expected[number], 'other octets')
                file.write(word + b'\r\n')
            expected[number] += word + b'\r\n'
            case.expect(os.path.exists(path), path, 'is not in', box.list())
    box.wait()
    case.expect({one.body for one in box.stored()} == set(expected.values()) and
                len(box.stored()) == 3, box.stored())
    box.again()
    for number, path in paths.items():
        case.expect(open(path, 'rb').read() == expected[number], box.list())
    case.expect(sorted(box.list().values()) == ['cur', 'cur', 'new'],
                box.list())
    box.expect_same()


if __name__ == '__main__':
    tap.main()
