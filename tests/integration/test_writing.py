#!/usr/bin/env python3
"""What programs write into the mount is stored on the server: exactly the
messages that are meant, once, with their bytes, dates and flags. Each program
is the real one, and what it has done is read by another client."""

import os
import shutil
import signal
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from writing import Place, crlf, message

DATE = 1500000000


def need(program):
    if shutil.which(program) is None:
        raise tap.Skip(f'{program} is not installed')


# ---- new messages ----


@tap.test
def test_cp_in(case):
    place = Place(case)
    place.write_source('x.eml', message(date=1700000000), DATE)
    place.shell('cp $S/x.eml INBOX/')
    stored = place.expect_stored([message()])
    case.expect(stored[0].flags == {'\\Seen'}, stored)
    # Not the file's time, which cp does not set, but the message's.
    case.expect(stored[0].date == 1700000000, stored)
    place.expect_listed(['x.eml'])
    place.expect_file('INBOX/x.eml', message())


@tap.test
def test_cp_p_keeps_the_date(case):
    place = Place(case)
    place.write_source('x.eml', message(), DATE)
    place.shell('cp -p $S/x.eml INBOX/')
    stored = place.expect_stored([message()])
    case.expect(stored[0].date == DATE, stored)
    case.expect(int(os.stat(place.path('INBOX/x.eml')).st_mtime) == DATE,
                'the file has another time')


@tap.test
def test_mv_in(case):
    place = Place(case)
    path = place.write_source('x.eml', message(), DATE)
    place.shell('mv $S/x.eml INBOX/')
    stored = place.expect_stored([message()])
    case.expect(stored[0].date == DATE, stored)
    case.expect(not os.path.exists(path), 'the source is still there')


@tap.test
def test_many_with_one_command(case):
    place = Place(case, mailboxes=['Many'])
    bodies = [message(i, date=1600000000 + i) for i in range(60)]
    for i, body in enumerate(bodies):
        place.write_source(f'm{i}.eml', body)
    place.shell('cp $S/*.eml Many/')
    place.expect_stored(bodies, 'Many')
    place.expect_listed([f'm{i}.eml' for i in range(60)], 'Many')
    for i, body in enumerate(bodies):
        place.expect_file(f'Many/m{i}.eml', body)


@tap.test
def test_four_writers_and_another_client(case):
    place = Place(case, mailboxes=['Busy'])
    bodies = [message(i) for i in range(100)]
    for i, body in enumerate(bodies):
        place.write_source(f'{i % 4}/w{i}.eml', body)
    writers = [subprocess.Popen(['cp', '-r', f'{place.source}/{i}/.',
                                 place.path('Busy')]) for i in range(4)]
    for writer in writers:
        case.defer(writer.wait)
        case.defer(writer.kill)
    others = [message(1000 + i) for i in range(20)]
    for body in others:
        place.append(body, 'Busy')
    for writer in writers:
        case.expect(writer.wait(60 * tap.PATIENCE) == 0, 'cp fails')
    place.expect_stored(bodies + others, 'Busy')
    case.expect(wait_until(lambda: len(place.names('Busy')) == 120,
                           20 * tap.PATIENCE), len(place.names('Busy')))
    case.expect({f'w{i}.eml' for i in range(100)} <= place.names('Busy'),
                place.names('Busy'))


@tap.test
def test_echo_into_new(case):
    place = Place(case)
    place.shell('printf "Subject: x\\n\\nbody\\n" > INBOX/new.eml')
    place.expect_stored([b'Subject: x\n\nbody\n'])


@tap.test
def test_subshell_is_one_message(case):
    place = Place(case)
    place.shell('(printf "Subject: x\\n\\n"; sleep 0.3; printf "body\\n";'
                ' sleep 0.3; printf "more\\n") > INBOX/new.eml')
    case.expect(wait_until(lambda: len(place.stored()) > 0,
                           10 * tap.PATIENCE), 'nothing was stored')
    place.expect_stored([b'Subject: x\n\nbody\nmore\n'])


@tap.test
def test_tar_x_keeps_dates(case):
    need('tar')
    place = Place(case, mailboxes=['Saved'])
    for i in range(5):
        place.write_source(f'm{i}.eml', message(i), DATE + i)
    run('tar', '-cf', case.path('x.tar'), '-C', place.source, '.', check=True)
    place.shell(f'tar -xf {case.path("x.tar")} -C Saved')
    stored = place.expect_stored([message(i) for i in range(5)], 'Saved')
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(5)], stored)


@tap.test
def test_rsync_in_twice(case):
    need('rsync')
    place = Place(case, mailboxes=['Synced'])
    for i in range(5):
        place.write_source(f'm{i}.eml', crlf(message(i)), DATE + i)
    place.shell('rsync -a $S/ Synced/')
    stored = place.expect_stored([message(i) for i in range(5)], 'Synced')
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(5)], stored)
    again = place.shell('rsync -a --delete --itemize-changes $S/ Synced/')
    case.expect(b'>f' not in again.out, 'the second run transfers', again.out)
    after = place.expect_stored([message(i) for i in range(5)], 'Synced')
    case.expect([one.uid for one in after] == [one.uid for one in stored],
                'the second run has stored anew', after)


@tap.test
def test_rsync_lf_twice_stores_once(case):
    need('rsync')
    place = Place(case, mailboxes=['Synced'])
    for i in range(3):
        place.write_source(f'm{i}.eml', message(i), DATE + i)
    place.shell('rsync -a $S/ Synced/')
    stored = place.expect_stored([message(i) for i in range(3)], 'Synced')
    place.shell('rsync -a $S/ Synced/')
    after = place.expect_stored([message(i) for i in range(3)], 'Synced')
    case.expect([one.uid for one in after] == [one.uid for one in stored],
                'the second run has stored anew', after)


@tap.test
def test_rsync_inplace(case):
    need('rsync')
    place = Place(case)
    place.write_source('x.eml', crlf(message()), DATE)
    place.shell('rsync -a --inplace $S/x.eml INBOX/')
    place.expect_stored([message()])


@tap.test
def test_python_shutil(case):
    place = Place(case)
    path = place.write_source('x.eml', message(), DATE)
    shutil.copy2(path, place.path('INBOX/x.eml'))
    place.expect_stored([message()])


@tap.test
def test_touch_makes_nothing(case):
    place = Place(case)
    place.shell('touch INBOX/x.eml')
    place.expect_stored([])
    place.expect_listed(['x.eml'])
    place.shell('rm INBOX/x.eml')
    place.expect_listed([])


@tap.test
def test_maildir_names_bring_flags(case):
    place = Place(case)
    place.write_source('1.a.host:2,FS', message(1))
    place.write_source('2.b.host:2,', message(2))
    place.shell('cp "$S"/*:2,* INBOX/')
    flags = {one.body: one.flags
             for one in place.expect_stored([message(1), message(2)])}
    case.expect(flags.get(crlf(message(1))) == {'\\Flagged', '\\Seen'}, flags)
    case.expect(flags.get(crlf(message(2))) == set(), flags)


@tap.test
def test_maildir_delivery_by_link(case):
    place = Place(case)
    place.write_source('x', message())
    place.shell('cp $S/x INBOX/.u1 && ln INBOX/.u1 INBOX/u1.eml &&'
                ' rm INBOX/.u1')
    place.expect_stored([message()])
    place.expect_listed(['u1.eml'])


@tap.test
def test_maildir_delivery_by_rename(case):
    place = Place(case)
    place.write_source('x', message())
    place.shell('cp $S/x INBOX/.u1 && mv INBOX/.u1 INBOX/u1.eml')
    place.expect_stored([message()])
    place.expect_listed(['u1.eml'])


@tap.test
def test_new_flags(case):
    place = Place(case, options={'new_flags': '\\\\Flagged+work'})
    place.write_source('x.eml', message())
    place.shell('cp $S/x.eml INBOX/')
    stored = place.expect_stored([message()])
    case.expect(stored[0].flags == {'\\Flagged', 'work'}, stored)


@tap.test
def test_message_is_never_taken_for_commands(case):
    """Dovecot refuses a flag that it does not know before it reads on."""
    place = Place(case)
    data = b'X: y\nx CREATE Injected\n\nx CREATE Injected\n'
    file = os.open(place.path('INBOX/x.eml'), os.O_CREAT | os.O_WRONLY)
    os.write(file, data)
    os.setxattr(file, 'user.imap.flags', rb'\Seen \Unheard work')
    os.close(file)
    case.expect('Injected' not in place.folders(), place.folders())
    stored = place.expect_stored([data])
    case.expect(stored and stored[0].flags == {'\\Seen', 'work'}, stored)


@tap.test
def test_large_message(case):
    place = Place(case)
    data = message(body='x' * 70 + '\n' + ('y' * 76 + '\n') * 200000)
    place.write_source('x.eml', data)
    place.shell('cp $S/x.eml INBOX/')
    place.expect_stored([data])
    place.expect_file('INBOX/x.eml', data)


# ---- what is no message ----


@tap.test
def test_what_is_no_message_is_refused(case):
    place = Place(case)
    place.write_source('text.eml', b'just text\n')
    place.write_source('nul.eml', message() + b'\0')
    for name in ('text.eml', 'nul.eml'):
        result = place.shell(f'cp $S/{name} INBOX/', check=False)
        case.expect('Invalid argument' in result.err, result)
    place.expect_stored([])
    place.expect_listed([])
    case.expect(place.lost() == {'text.eml', 'nul.eml'}, place.lost())
    with open(place.path('.imapfs/lost+found/text.eml'), 'rb') as file:
        case.expect(file.read() == b'just text\n', 'other octets')
    place.shell('rm .imapfs/lost+found/nul.eml')
    case.expect(place.lost() == {'text.eml'}, place.lost())


@tap.test
def test_other_names_are_refused(case):
    place = Place(case)
    place.write_source('notes.txt', b'x\n')
    result = place.shell('cp $S/notes.txt INBOX/', check=False)
    case.expect('Invalid argument' in result.err, result)
    result = place.shell('mkdir .Trash-0', check=False)
    case.expect('not permitted' in result.err, result)
    result = place.shell('cp $S/notes.txt x.eml', check=False)
    case.expect('Permission denied' in result.err, result)
    case.expect(place.lost() == set(), place.lost())


@tap.test
def test_scratch_files_stay_here(case):
    place = Place(case)
    for name in ('.x.swp', 'x.eml~', '4913', 'sedAb12Cd', 'x.part'):
        place.shell(f'echo scratch > "INBOX/{name}" && '
                    f'test "$(cat "INBOX/{name}")" = scratch')
    case.expect(len(place.names('INBOX')) == 5, place.names('INBOX'))
    place.expect_stored([])
    place.shell('mv INBOX/x.part INBOX/y.part; rm INBOX/*.part INBOX/.x.swp')
    place.expect_listed(['x.eml~', '4913', 'sedAb12Cd'])


@tap.test
def test_scratch_survives_as_lost(case):
    place = Place(case)
    place.shell('echo one > INBOX/x.part; : > INBOX/y.part')
    data = place.mount.data
    place.mount.unmount()
    place.start(data=data)
    place.expect_listed([])
    case.expect(place.lost() == {'x.part'}, place.lost())
    place.shell('test "$(cat .imapfs/lost+found/x.part)" = one')


@tap.test
def test_killed_cp_stores_nothing(case):
    place = Place(case)
    read, write = os.pipe()
    writer = subprocess.Popen(['cp', '/dev/stdin', place.path('INBOX/x.eml')],
                              stdin=read, start_new_session=True)
    case.defer(writer.wait)
    case.defer(writer.kill)
    os.close(read)
    os.write(write, message())
    path = place.path('INBOX/x.eml')
    case.expect(wait_until(lambda: os.path.exists(path) and
                           os.stat(path).st_size > 0, 20 * tap.PATIENCE),
                'nothing was written')
    writer.send_signal(signal.SIGINT)
    writer.wait(20 * tap.PATIENCE)
    os.close(write)
    case.expect(wait_until(lambda: place.lost() == {'x.eml'},
                           20 * tap.PATIENCE),
                place.lost())
    place.expect_stored([])
    place.expect_listed([])


@tap.test
def test_file_with_a_hole_is_not_stored(case):
    place = Place(case)
    with open(place.path('INBOX/x.eml'), 'wb', buffering=0) as file:
        file.seek(100)
        file.write(b'later\n')
    place.expect_stored([])
    place.expect_listed(['x.eml'])
    data = message(body='z' * 200)
    with open(place.path('INBOX/x.eml'), 'r+b', buffering=0) as file:
        file.write(data)
    place.expect_stored([data])


# ---- directories ----


@tap.test
def test_mkdir_rmdir_and_mv_of_directories(case):
    place = Place(case)
    place.shell('mkdir New "New/Ünter" && touch New/.x && rm New/.x')
    case.expect(place.folders().get('New') is True, place.folders())
    case.expect(place.folders().get('New/&ANw-nter') is True, place.folders())
    place.write_source('x.eml', message())
    place.shell('cp $S/x.eml New/Ünter/')
    inode = os.stat(place.path('New/Ünter')).st_ino
    place.shell('mv New Other && test -d Other/Ünter && test ! -e New')
    case.expect('New' not in place.folders(), place.folders())
    place.expect_stored([message()], 'Other/Ünter')
    place.expect_file('Other/Ünter/x.eml', message())
    case.expect(os.stat(place.path('Other/Ünter')).st_ino == inode,
                'it has another inode')
    for command in ('rmdir Other', 'rmdir Other/Ünter', 'rmdir INBOX',
                    'mv INBOX Inbox2', 'mkdir Other'):
        case.expect(not place.shell(command, check=False).ok, command)
    place.expect_stored([message()], 'Other/Ünter')


@tap.test
def test_rmdir_of_what_is_empty(case):
    place = Place(case, mailboxes=['Empty', 'Full'])
    place.append(message(), 'Full')
    place.shell('rmdir Empty')
    case.expect('Empty' not in place.folders(), place.folders())
    result = place.shell('rmdir Full', check=False)
    case.expect('not empty' in result.err, result)
    place.expect_stored([message()], 'Full')


@tap.test
def test_hostile_directory_names(case):
    place = Place(case)
    place.shell('mkdir 📧 "x y" "q\\"q"')
    case.expect(place.names() >= {'📧', 'x y', 'q"q'}, place.names())
    for name in ('$\'a\\nb\'', 'x' * 255 + 'y', '.git', 'a%2Fb', '"$(printf "\\377")"'):
        case.expect(not place.shell(f'mkdir {name}', check=False).ok, name)


if __name__ == '__main__':
    tap.main(jobs=4)
