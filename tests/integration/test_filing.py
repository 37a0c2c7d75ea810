#!/usr/bin/env python3
"""Messages removed, moved and flagged in the mount: what another client then
finds on the server, and what the mount shows meanwhile and afterwards."""

import errno
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import run
from desk import NO_MOVE, PLAIN, Desk
from mount import BINARY

WAYS = {'all': None, 'no-move': NO_MOVE, 'plain': PLAIN}


def flag(desk, uid, flags, folder='INBOX'):
    desk.client.open(folder, readonly=False)
    desk.client.imap.uid('STORE', str(uid), '+FLAGS', f'({flags})')


def get_flags(path):
    return set(os.getxattr(path, 'user.imap.flags').decode().split())


# ---- removing ----

def remove_some(case, capability):
    desk = Desk(case, capability=capability)
    flag(desk, 3, '\\Deleted')
    names = desk.by_uid()
    before = desk.bodies()
    desk.do('rm', *(desk.path('INBOX', names[uid]) for uid in (1, 5, 6, 20)))
    case.expect(set(desk.by_uid()) == set(before) - {1, 5, 6, 20},
                'what was removed still shows')
    desk.wait()
    for uid in (1, 5, 6, 20):
        del before[uid]
    case.expect(desk.bodies() == before, 'the server has other messages')
    case.expect('\\Deleted' in desk.flags()[3],
                'the mark of another client is gone')
    desk.agree('INBOX')
    case.expect(os.stat(desk.path('INBOX')).st_mtime > time.time() - 60,
                'the time of the folder has not moved')


for way, announced in WAYS.items():
    tap.test(limit=120, name=f'rm_removes_those_messages_alone_{way}')(
        lambda case, announced=announced: remove_some(case, announced))


@tap.test(limit=120)
def test_rm_rf_of_all_messages_leaves_the_folder_empty(case):
    desk = Desk(case, {'INBOX': 3, 'Other': 40})
    run('sh', '-c', f'rm -f {desk.path("Other")}/*')
    case.expect(os.listdir(desk.path('Other')) == [], 'not empty')
    desk.wait()
    case.expect(desk.bodies('Other') == {}, 'the server still has some')


@tap.test(limit=120)
def test_rm_to_trash_moves_and_removes_what_is_there(case):
    desk = Desk(case, {'INBOX': 4, 'Trash': 2}, delete='trash')
    body = desk.bodies()[2]
    desk.do('rm', desk.path('INBOX', desk.by_uid()[2]))
    desk.wait()
    case.expect(set(desk.bodies()) == {1, 3, 4}, desk.bodies())
    case.expect(body in desk.bodies('Trash').values(), 'it is not in the trash')
    desk.agree('INBOX', 'Trash')
    desk.do('rm', desk.path('Trash', desk.names('Trash')[0]))
    desk.wait()
    case.expect(len(desk.bodies('Trash')) == 2, desk.bodies('Trash'))


@tap.test(limit=120)
def test_rm_that_marks_hides_what_is_marked(case):
    desk = Desk(case, delete='mark')
    desk.do('rm', desk.path('INBOX', desk.by_uid()[2]))
    desk.wait()
    case.expect(desk.flags()[2] >= {'\\Deleted'}, desk.flags()[2])
    case.expect(2 not in desk.by_uid(), 'it shows')
    desk.client.open('INBOX', readonly=False)
    desk.client.imap.uid('STORE', '2', '-FLAGS', '(\\Deleted)')
    desk.soon(lambda: 2 in desk.by_uid(), 'it does not come back')


# ---- moving ----

def move_some(case, capability):
    desk = Desk(case, capability=capability)
    flag(desk, 3, '\\Deleted')
    flag(desk, 1, '\\Deleted', 'Other')
    names = desk.by_uid()
    here = desk.bodies()
    there = desk.bodies('Other')
    flags = desk.flags()[7]
    inode = os.stat(desk.path('INBOX', names[7])).st_ino
    desk.do('mv', desk.path('INBOX', names[7]), desk.path('Other/letter.eml'))
    desk.do('mv', *(desk.path('INBOX', names[uid]) for uid in (8, 2)),
            desk.path('Other'))
    wanted = {names[8], names[2], 'letter.eml'}
    case.expect(wanted <= set(desk.names('Other')), desk.names('Other'))
    case.expect(not {7, 8, 2} & set(desk.by_uid()), 'they show twice')
    case.expect(dovecot.digest(desk.path('Other/letter.eml')) == here[7],
                'other octets on the way')
    desk.wait()
    moved = {here.pop(uid) for uid in (7, 8, 2)}
    case.expect(desk.bodies() == here, 'INBOX is not what it should be')
    case.expect(sorted(desk.bodies('Other').values())
                == sorted([*there.values(), *moved]), 'nor is Other')
    case.expect('\\Deleted' in desk.flags()[3] and
                '\\Deleted' in desk.flags('Other')[1],
                'marks of another client are gone')
    case.expect(wanted <= set(desk.names('Other')), desk.names('Other'))
    case.expect(os.stat(desk.path('Other/letter.eml')).st_ino == inode,
                'another inode')
    new = next(uid for uid, body in desk.bodies('Other').items()
               if body == dovecot.digest(desk.path('Other/letter.eml')))
    case.expect(desk.flags('Other')[new] - {'\\Deleted'} == flags,
                'other flags')
    case.expect(os.stat(desk.path('Other', f'{new}.eml')).st_ino == inode,
                'UID.eml is another file')
    desk.agree('INBOX', 'Other')
    desk.mount.unmount()
    desk.start()
    case.expect(wanted <= set(desk.names('Other')),
                'names are lost with the mount:', desk.names('Other'))
    desk.agree('INBOX', 'Other')


for way, announced in WAYS.items():
    tap.test(limit=120, name=f'mv_moves_and_keeps_name_and_inode_{way}')(
        lambda case, announced=announced: move_some(case, announced))


@tap.test(limit=120)
def test_mv_within_a_folder_is_a_name_of_ours_alone(case):
    desk = Desk(case)
    names = desk.by_uid()
    bodies = desk.bodies()
    desk.do('mv', desk.path('INBOX', names[4]), desk.path('INBOX/lunch.eml'))
    case.expect('lunch.eml' in desk.names() and names[4] not in desk.names(),
                desk.names())
    case.expect(os.path.exists(desk.path('INBOX/4.eml')), 'no 4.eml')
    desk.do('mv', desk.path('INBOX/lunch.eml'), desk.path('INBOX/dinner.eml'))
    case.expect(not os.path.exists(desk.path('INBOX/lunch.eml')), 'old name')
    desk.wait()
    case.expect(desk.bodies() == bodies, 'the server was told')
    desk.mount.unmount()
    desk.start()
    case.expect(dovecot.digest(desk.path('INBOX/dinner.eml')) == bodies[4],
                'the name is lost')


@tap.test(limit=120)
def test_mv_there_and_back_and_on_ends_where_it_was_sent(case):
    desk = Desk(case, {'INBOX': 8, 'Other': 2, 'Third': 1})
    names = desk.by_uid()
    bodies = desk.bodies()
    inbox, other, third = (desk.path(f) for f in ('INBOX', 'Other', 'Third'))
    for name in names.values():
        os.rename(f'{inbox}/{name}', f'{other}/{name}')
    os.rename(f'{other}/{names[1]}', f'{inbox}/{names[1]}')
    os.rename(f'{other}/{names[2]}', f'{third}/two.eml')
    os.unlink(f'{other}/{names[3]}')
    desk.wait()
    os.rename(f'{other}/{names[4]}', f'{third}/four.eml')
    os.rename(f'{third}/two.eml', f'{inbox}/two.eml')
    desk.wait()
    case.expect(sorted(desk.bodies().values()) == sorted([bodies[1], bodies[2]]),
                'INBOX', desk.bodies())
    case.expect(bodies[4] in desk.bodies('Third').values(), 'Third')
    case.expect(set(desk.names()) >= {'two.eml'}, desk.names())
    everywhere = [body for folder in ('INBOX', 'Other', 'Third')
                  for body in desk.bodies(folder).values()]
    case.expect(bodies[3] not in everywhere, 'the removed one is there')
    for uid in (1, 2, 4, 5, 6, 7, 8):
        case.expect(everywhere.count(bodies[uid]) == 1,
                    f'message {uid} is there {everywhere.count(bodies[uid])} '
                    'times')
    desk.agree('INBOX', 'Other', 'Third')


def rename_fails(source, target, number, case):
    try:
        os.rename(source, target)
    except OSError as error:
        case.expect(error.errno == number, f'{error}')
    else:
        case.expect(False, f'{source} was renamed to {target}')


@tap.test(limit=120)
def test_mv_onto_another_message_is_refused(case):
    desk = Desk(case)
    here, there = desk.by_uid(), desk.by_uid('Other')
    before = desk.bodies(), desk.bodies('Other')
    source = desk.path('INBOX', here[1])
    target = desk.path('Other', there[2])
    rename_fails(source, target, errno.EEXIST, case)
    rename_fails(source, desk.path('INBOX', here[2]), errno.EEXIST, case)
    for option in ('-f', '-n', '--no-clobber', '-u'):
        run('mv', option, source, target)
    result = run('mv', '-f', source, target)
    case.expect(not result.ok and 'exists' in result.err, result)
    result = run('mv', '--exchange', source, target)
    case.expect(not result.ok, result)
    rename_fails(source, desk.path('letter.eml'), errno.EACCES, case)
    desk.wait()
    case.expect((desk.bodies(), desk.bodies('Other')) == before,
                'the server was told')
    desk.agree('INBOX', 'Other')


@tap.test(limit=120)
def test_mv_onto_the_same_message_replaces_it(case):
    desk = Desk(case)
    desk.client.open('INBOX')
    desk.client.imap.uid('COPY', '3', 'Other')
    body = desk.bodies()[3]
    desk.soon(lambda: len(desk.names('Other')) == 6, 'no copy')
    copy = desk.by_uid('Other')[6]
    os.rename(desk.path('INBOX', desk.by_uid()[3]), desk.path('Other', copy))
    case.expect(len(desk.names('Other')) == 6, desk.names('Other'))
    desk.wait()
    case.expect(list(desk.bodies('Other').values()).count(body) == 1,
                'it is there twice, or gone')
    case.expect(body not in desk.bodies().values(), 'it is here still')
    case.expect(copy in desk.names('Other'), desk.names('Other'))


@tap.test(limit=120)
def test_mv_with_names_by_uid_comes_under_the_new_uid(case):
    desk = Desk(case, names='uid')
    body = desk.bodies()[2]
    there = desk.bodies('Other')
    desk.do('mv', desk.path('INBOX/2.eml'), desk.path('Other/2.eml'))
    desk.wait()
    case.expect({**desk.bodies('Other')} == {**there, 6: body},
                'the server', desk.bodies('Other'))
    case.expect(set(desk.by_uid('Other')) == {1, 2, 3, 4, 5, 6},
                desk.names('Other'))
    case.expect(dovecot.digest(desk.path('Other/2.eml')) == there[2],
                '2.eml was replaced')
    case.expect(dovecot.digest(desk.path('Other/6.eml')) == body, '6.eml')
    desk.do('mv', desk.path('INBOX/19.eml'), desk.path('Other'))
    desk.wait()
    case.expect(not os.path.exists(desk.path('Other/19.eml')),
                'the old UID is its name')
    desk.agree('INBOX', 'Other')


# ---- flags ----

@tap.test(limit=120)
def test_flags_are_set_by_attributes(case):
    desk = Desk(case)
    path = desk.path('INBOX', desk.by_uid()[2])

    def put(value, name='user.imap.flags'):
        os.setxattr(path, name, value.encode())

    put('\\Seen \\Flagged')
    case.expect(get_flags(path) == {'\\Seen', '\\Flagged'}, get_flags(path))
    put('+\\Answered work')
    put('-\\Flagged')
    put('+urgent,later', 'user.xdg.tags')
    wanted = {'\\Seen', '\\Answered', 'work', 'urgent', 'later'}
    case.expect(get_flags(path) == wanted, get_flags(path))
    desk.wait()
    case.expect(desk.flags()[2] == wanted, desk.flags()[2])
    case.expect(get_flags(path) == wanted, get_flags(path))
    put('urgent', 'user.xdg.tags')
    os.rename(path, desk.path('Other/flagged.eml'))
    path = desk.path('Other/flagged.eml')
    put('+\\Flagged')
    wanted = {'\\Seen', '\\Answered', 'urgent', '\\Flagged'}
    case.expect(get_flags(path) == wanted, get_flags(path))
    desk.wait()
    case.expect(desk.flags('Other')[6] == wanted, desk.flags('Other'))
    os.removexattr(path, 'user.xdg.tags')
    desk.wait()
    case.expect(desk.flags('Other')[6] == wanted - {'urgent'},
                desk.flags('Other'))
    for value in ('+\\Recent', '+a(b', '+a"b', '+\\'):
        try:
            put(value)
        except OSError as error:
            case.expect(error.errno == errno.EINVAL, value, error)
        else:
            case.expect(False, f'{value} was taken')


@tap.test(limit=120)
def test_flags_are_files_too(case):
    desk = Desk(case)
    name = desk.by_uid()[2]
    tree = desk.path('.imapfs/flags')
    path = f'{tree}/INBOX/{name}'

    def read():
        with open(path) as file:
            return set(file.read().split())

    case.expect(sorted(os.listdir(tree)) == sorted(
        os.listdir(desk.mount.mountpoint)), os.listdir(tree))
    case.expect(name in os.listdir(f'{tree}/INBOX'), 'not listed')
    before = desk.flags()[2]
    case.expect(read() == before, read(), before)
    desk.do('sh', '-c', f"echo '+\\Flagged work' > '{path}'")
    case.expect(read() == before | {'\\Flagged', 'work'}, read())
    desk.do('sh', '-c', f"echo '\\Seen' > '{path}'")
    desk.wait()
    case.expect(desk.flags()[2] == {'\\Seen'} == read(), desk.flags()[2])
    result = run('sh', '-c', f"echo '+(' > '{path}'")
    case.expect(not result.ok, result)
    for command in (f'rm "{path}"', f'touch {tree}/INBOX/new.eml',
                    f'mkdir {tree}/New', f'mv "{path}" {tree}/INBOX/a.eml',
                    f'mv "{path}" {desk.path("Other")}/a.eml'):
        result = run('sh', '-c', command)
        case.expect(not result.ok, result)
    desk.wait()
    desk.agree('INBOX', 'Other')


@tap.test(limit=120)
def test_what_is_read_whole_is_marked_if_that_is_asked_for(case):
    desk = Desk(case, mark_seen=None)
    uid = next(uid for uid, flags in desk.flags().items()
               if '\\Seen' not in flags)
    desk.do('cat', desk.path('INBOX', desk.by_uid()[uid]))
    desk.wait()
    case.expect('\\Seen' in desk.flags()[uid], desk.flags()[uid])


# ---- modes, and the end of a mount ----

@tap.test(limit=120)
def test_with_sync_the_server_has_it_when_the_program_ends(case):
    desk = Desk(case, sync=None)
    names = desk.by_uid()
    desk.do('rm', desk.path('INBOX', names[1]))
    case.expect(1 not in desk.bodies(), 'it was not removed')
    desk.do('mv', desk.path('INBOX', names[2]), desk.path('Other'))
    case.expect(2 not in desk.bodies() and len(desk.bodies('Other')) == 6,
                'it was not moved')
    os.setxattr(desk.path('INBOX', names[3]), 'user.imap.flags', b'+work')
    case.expect('work' in desk.flags()[3], 'it was not flagged')
    desk.agree('INBOX', 'Other')


@tap.test(limit=180)
def test_end_of_the_mount_sends_what_is_pending(case):
    desk = Desk(case, rtt_ms=50)
    for end in ('unmount', 'terminate'):
        names = desk.by_uid()
        uids = sorted(names)[:4]
        desk.do('rm', *(desk.path('INBOX', names[uid]) for uid in uids[:2]))
        desk.do('mv', *(desk.path('INBOX', names[uid]) for uid in uids[2:]),
                desk.path('Other'))
        getattr(desk.mount, end)(limit=30)
        case.expect(not set(uids) & set(desk.bodies()), end, uids)
        desk.start()
        desk.agree('INBOX', 'Other')


@tap.test(limit=180)
def test_fsync_of_the_folder_waits_for_the_server(case):
    desk = Desk(case, rtt_ms=100)
    names = desk.by_uid()
    desk.do('mv', desk.path('INBOX', names[2]), desk.path('Other'))
    folder = os.open(desk.path('Other'), os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)
    case.expect(2 not in desk.bodies() and len(desk.bodies('Other')) == 6,
                'it is not there')


@tap.test(limit=240)
def test_without_the_line_changes_wait_and_are_made_later(case):
    desk = Desk(case, rtt_ms=0, timeout=6)
    bodies = desk.bodies()
    names = desk.by_uid()
    os.listdir(desk.path('Other'))
    desk.go_offline()
    desk.do('rm', desk.path('INBOX', names[1]))
    desk.do('mv', desk.path('INBOX', names[2]), desk.path('Other/two.eml'))
    os.setxattr(desk.path('INBOX', names[3]), 'user.imap.flags', b'+work')
    case.expect({1, 2} & set(desk.by_uid()) == set(), desk.names())
    case.expect('two.eml' in desk.names('Other'), desk.names('Other'))
    result = run(BINARY, '--wait', desk.mount.mountpoint, limit=60)
    case.expect(not result.ok and 'still to be made' in result.err, result)
    case.expect(desk.bodies() == bodies, 'the server was told')
    desk.mount.unmount(limit=40)
    desk.start(offline_ok=None)
    case.expect({1, 2} & set(desk.by_uid()) == set(), desk.names())
    case.expect('two.eml' in desk.names('Other'), desk.names('Other'))
    desk.go_online()
    desk.soon(lambda: {1, 2} & set(desk.bodies()) == set() and
              'work' in desk.flags()[3], 'they were not made', limit=40)
    desk.wait()
    case.expect(bodies[2] in desk.bodies('Other').values(), 'it is lost')
    case.expect('two.eml' in desk.names('Other'), desk.names('Other'))
    desk.agree('INBOX', 'Other')


@tap.test(limit=240)
def test_wait_is_well_only_if_the_server_has_answered(case):
    desk = Desk(case, rtt_ms=0, timeout=6)
    names = desk.by_uid()
    desk.wait()
    desk.go_offline()
    # Nothing has to be sent, and what is known is served as it is.
    for _ in range(2):
        result = desk.settle()
        case.expect(not result.ok and len(result.err.splitlines()) == 1, result)
        case.expect(desk.by_uid() == names, desk.names())
    desk.do('rm', desk.path('INBOX', names[1]))
    result = desk.settle()
    case.expect(not result.ok and '1 change is still to be made' in result.err,
                result)
    desk.go_online()
    desk.soon(lambda: desk.settle().clean, 'it never ends well', limit=40)
    case.expect(1 not in desk.bodies(), 'the change was not made')


# ---- other clients ----

@tap.test(limit=180)
def test_what_others_have_removed_meanwhile_is_told(case):
    desk = Desk(case, rtt_ms=0, timeout=6)
    names = desk.by_uid()
    os.listdir(desk.path('Other'))
    desk.go_offline()
    desk.do('mv', desk.path('INBOX', names[2]), desk.path('Other/two.eml'))
    desk.do('rm', desk.path('INBOX', names[3]))
    desk.client.expunge('INBOX', 2)
    desk.client.expunge('INBOX', 3)
    desk.go_online()
    desk.soon(lambda: 'two.eml' not in desk.names('Other'),
              'what is gone still shows', limit=40)
    result = run(BINARY, '--wait', desk.mount.mountpoint, limit=60)
    case.expect(not result.ok and 'not moved' in result.err, result)
    desk.wait()
    case.expect('not moved' in desk.said(), 'the log says nothing')
    desk.agree('INBOX', 'Other')


@tap.test(limit=300)
def test_many_at_once_agree_in_the_end(case):
    folders = ('INBOX', 'Other', 'Third', 'Theirs')
    desk = Desk(case, {'INBOX': 150, 'Other': 100, 'Third': 50, 'Theirs': 40})
    before = [body for folder in folders
              for body in desk.bodies(folder).values()]
    work = '''
import os, random, sys, time
root, seed = sys.argv[1], int(sys.argv[2])
source = random.Random(seed)
removed = 0
end = time.monotonic() + 60
for turn in range(120):
    here, there = source.sample(['INBOX', 'Other', 'Third'], 2)
    names = [n for n in os.listdir(f'{root}/{here}') if n.endswith('.eml')]
    if not names or time.monotonic() > end:
        continue
    name = source.choice(names)
    try:
        if source.random() < 0.25:
            os.unlink(f'{root}/{here}/{name}')
            removed += 1
        else:
            os.rename(f'{root}/{here}/{name}', f'{root}/{there}/{seed}-{turn}.eml')
    except (FileNotFoundError, FileExistsError):
        pass
print(removed)
'''
    workers = [subprocess.Popen([sys.executable, '-c', work,
                                 desk.mount.mountpoint, str(seed)],
                                stdout=subprocess.PIPE)
               for seed in range(4)]
    # What they take, they take from a folder of their own: nobody else wants
    # the same of the same message, and numbers add up.
    theirs = 0
    with dovecot.Client(desk.server) as other:
        for turn in range(36):
            other.open('Theirs', readonly=False)
            uids = other.imap.uid('SEARCH', 'ALL')[1][0].split()
            first, last = uids[0].decode(), uids[-1].decode()
            if turn % 3 == 0:
                other.imap.uid('MOVE', first, 'INBOX')
            elif turn % 3 == 1:
                other.imap.uid('COPY', first, 'Third')
                theirs += 1
            else:
                other.imap.uid('STORE', last, '+FLAGS', '(\\Deleted)')
                other.imap.uid('EXPUNGE', last)
                theirs -= 1
    outputs = [worker.communicate(timeout=200 * tap.PATIENCE)[0]
               for worker in workers]
    if not case.expect(all(outputs), 'a listing failed'):
        case.note(desk.mount.messages()[-20000:])
    removed = sum(int(output) for output in outputs)
    desk.wait(limit=120)
    case.note(f'{removed} removed, {theirs} by others')
    desk.agree(*folders)
    after = [body for folder in folders
             for body in desk.bodies(folder).values()]
    case.expect(set(after) <= set(before), 'messages nobody knows')
    case.expect(len(after) == len(before) - removed + theirs,
                f'{len(after)} messages are left of {len(before)}')


if __name__ == '__main__':
    tap.main()
