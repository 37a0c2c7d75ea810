#!/usr/bin/env python3
"""The programs that people use on files, on messages: what each of them means
is what another client then finds on the server, and nothing else."""

import os
import re
import signal
import stat
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from tools import Workshop, need
from writing import crlf, message

DATE = Workshop.DATE


# ---- out of the mount, and within it ----


@tap.test
def test_mv_out_takes_it_from_the_server(case):
    place = Workshop(case, {'INBOX': [message(i) for i in range(4)]})
    for options in ('', '-f', '-n'):
        uid = place.stored()[0].uid
        place.shell(f'mv {options} INBOX/{place.name(uid)} $S/{uid}.out')
        with open(f'{place.source}/{uid}.out', 'rb') as file:
            case.expect(file.read() == crlf(message(uid - 1)), 'other octets')
        case.expect(os.stat(f'{place.source}/{uid}.out').st_mtime ==
                    DATE + uid - 1, 'another time')
        place.settled([message(i) for i in range(uid, 4)])


@tap.test
def test_mv_out_and_in_again_keeps_octets_and_date(case):
    body = message(1)
    place = Workshop(case, {'INBOX': [body]})
    name = place.name(1)
    place.shell(f'mv INBOX/{name} $S/ && mv $S/{name} INBOX/')
    stored = place.settled([body])
    case.expect(stored[0].date == DATE, stored)


@tap.test
def test_cp_within_sends_no_message_over_the_line(case):
    body = message(1, body='x' * 75 + ('\n' + 'y' * 75) * 40000)
    place = Workshop(case, {'INBOX': [body], 'Other': []}, '\\Flagged work',
                     counted=True)
    place.wait()
    place.octets()
    place.shell(f'cp INBOX/{place.name(1)} Other/one.eml &&'
                f' cp -p INBOX/{place.name(1)} Other/two.eml &&'
                f' cp -a INBOX/{place.name(1)} Other/three.eml')
    octets = place.octets()
    case.note(f'{octets} octets for three copies of {len(body)}')
    case.expect(octets < len(body) / 10, octets, 'octets')
    stored = place.expect_stored([body] * 3, 'Other')
    for one in stored:
        case.expect(one.flags == {'\\Flagged', 'work'} and one.date == DATE,
                    one.flags, one.date)
    place.expect_listed(['one.eml', 'two.eml', 'three.eml'], 'Other')
    place.expect_file('Other/two.eml', body)


@tap.test
def test_cp_a_of_a_folder_keeps_flags_and_dates(case):
    bodies = [message(i) for i in range(6)]
    place = Workshop(case, {'From': bodies}, '\\Answered work')
    place.shell('mkdir From/Sub && cp -a From To')
    stored = place.settled(bodies, 'To')
    case.expect([(one.flags, one.date) for one in stored] ==
                [({'\\Answered', 'work'}, DATE + i) for i in range(6)], stored)
    case.expect(place.names('To') == place.names('From'), place.names('To'))
    case.expect('To/Sub' in place.folders(), place.folders())
    place.settled(bodies, 'From')


@tap.test
def test_cp_a_into_and_out_of_the_mount(case):
    bodies = [message(i) for i in range(5)]
    place = Workshop(case)
    place.sources([crlf(body) for body in bodies])
    place.shell('mkdir Saved && cp -a $S/. Saved/ && cp -a Saved $S/copy &&'
                'rm -r $S/copy/.source 2>/dev/null; cd $S && '
                'for m in m*.eml; do cmp $m copy/$m && '
                'test $(stat -c %Y $m) = $(stat -c %Y copy/$m) || exit 1; done')
    stored = place.settled(bodies, 'Saved')
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(5)], stored)


@tap.test
def test_mv_of_directories_over_the_tree(case):
    bodies = [message(i) for i in range(3)]
    place = Workshop(case, {'A': bodies, 'A/B': bodies[:1], 'C': []})
    place.shell('mv A C/D && mv C/D/B B && mv -T C/D A && test ! -e C/D')
    place.settled(bodies, 'A')
    place.settled(bodies[:1], 'B')
    case.expect(set(place.folders()) >= {'A', 'B', 'C'} and
                not {'A/B', 'C/D', 'C/D/B'} & set(place.folders()),
                place.folders())
    place.fails('mv A A/E', 'subdirectory')
    place.fails('mv -T A B', 'not empty', 'exists')
    place.settled(bodies, 'A')
    place.settled(bodies[:1], 'B')


# ---- removing ----


@tap.test
def test_rm_rf_of_a_tree(case):
    bodies = [message(i) for i in range(30)]
    place = Workshop(case, {'Old': bodies, 'Old/A': bodies, 'Old/A/B': bodies,
                            'Stays': bodies[:2]})
    place.append(message(99))
    place.shell('touch Old/A/.x && rm -rf Old')
    case.expect(set(place.folders()) == {'INBOX', 'Stays'}, place.folders())
    place.settled(bodies[:2], 'Stays')
    place.settled([message(99)])
    place.fails('rm -rf INBOX', 'cannot remove')
    case.expect('INBOX' in place.folders(), place.folders())


@tap.test(limit=120)
def test_find_delete_takes_what_it_finds(case):
    bodies = [message(i, subject='old' if i % 3 else 'young')
              for i in range(20)]
    place = Workshop(case, {'INBOX': bodies, 'Sub': bodies})
    place.shell("find . -name '*_old.*.eml' -delete")
    kept = [body for i, body in enumerate(bodies) if i % 3 == 0]
    place.settled(kept)
    place.settled(kept, 'Sub')
    place.shell(f'find . -type f -newermt @{DATE + 8} -exec rm {{}} +')
    place.settled(kept[:3])
    place.shell('find Sub -depth -delete')
    case.expect('Sub' not in place.folders(), place.folders())


# ---- written by one program after another ----


@tap.test
def test_install_dd_tee_and_cat_store_one_each(case):
    bodies = [message(i) for i in range(5)]
    place = Workshop(case)
    place.sources(bodies)
    place.shell('install -m 600 $S/m0.eml INBOX/ &&'
                'install -p -D $S/m1.eml INBOX/m1.eml &&'
                'dd if=$S/m2.eml of=INBOX/m2.eml bs=7 status=none &&'
                'tee INBOX/m3.eml < $S/m3.eml > /dev/null &&'
                'cat $S/m4.eml > INBOX/m4.eml')
    stored = place.settled(bodies)
    case.expect({one.body: one.date for one in stored}
                [crlf(bodies[1])] == DATE + 1, stored)
    place.expect_listed([f'm{i}.eml' for i in range(5)])
    place.shell('dd if=$S/m2.eml of=INBOX/m5.eml bs=1M conv=fsync status=none')
    place.settled(bodies + [bodies[2]])
    # What was given to two files is two messages.
    place.shell('tee INBOX/a.eml INBOX/b.eml < $S/m0.eml > /dev/null')
    place.settled(bodies + [bodies[2], bodies[0], bodies[0]])


@tap.test
def test_installing_over_what_is_there_is_one_message(case):
    place = Workshop(case)
    for number in range(3):
        place.write_source('x.eml', message(1, body=f'turn {number}'))
        place.shell('install -m 644 $S/x.eml INBOX/')
        place.settled([message(1, body=f'turn {number}')])
    place.shell('cp --remove-destination $S/x.eml INBOX/ &&'
                'cp -f $S/x.eml INBOX/ && cp -u $S/x.eml INBOX/')
    before = place.state()
    place.shell('cp -b $S/x.eml INBOX/')
    place.settled([message(1, body='turn 2')] * len(place.stored()))
    case.expect(set(before['INBOX']) <= set(place.state()['INBOX']),
                'the one that was there is another')


@tap.test
def test_shell_writes_over_and_behind(case):
    place = Workshop(case, {'INBOX': [message(1)]}, '\\Flagged')
    name = place.name(1)
    place.write_source('new', message(1, body='new'))
    place.shell(f'cat $S/new > INBOX/{name}; echo more >> INBOX/{name};'
                f'printf end >> INBOX/{name}')
    # All other lines end in CRLF: the last one is meant to have no end.
    stored = place.settled([message(1, body='new') + b'more\nend'])
    case.expect(stored[0].flags == {'\\Flagged'}, stored)
    place.expect_listed([name])


@tap.test
def test_lines_put_behind_one_by_one_are_all_there(case):
    place = Workshop(case, {'INBOX': [message(1)]})
    name = place.name(1)
    place.shell(f'for i in $(seq 25); do echo line $i >> INBOX/{name}; done;'
                f'exec 3>> INBOX/{name}; for i in $(seq 5); do'
                f' printf "part %s\n" $i >&3; done; exec 3>&-;'
                f'cat $S/none 2>/dev/null >> INBOX/{name}', check=False)
    body = message(1) + b''.join(
        f'{word} {i}\n'.encode() for word, count in (('line', 25), ('part', 5))
        for i in range(1, count + 1))
    place.expect_file(f'INBOX/{name}', body)
    place.settled([body])


@tap.test
def test_rsync_inplace_of_a_changed_message(case):
    need('rsync')
    place = Workshop(case)
    for number, body in enumerate(('a' * 3000, 'b' * 2000, 'c' * 4000)):
        place.write_source('x.eml', crlf(message(1, body=body)), DATE + number)
        place.shell('rsync -a --inplace --no-whole-file $S/x.eml INBOX/')
        place.settled([message(1, body=body)])
    place.shell('rsync -a --append-verify $S/x.eml INBOX/')
    place.settled([message(1, body='c' * 4000)])


@tap.test
def test_truncate_of_a_message_is_refused_or_one_edit(case):
    place = Workshop(case, {'INBOX': [message(1)]})
    before = place.state()
    name = place.name(1)
    size = len(crlf(message(1)))
    place.shell(f'truncate -s {size} INBOX/{name}')
    place.expect_state(before, 'nothing was changed')
    place.shell(f'truncate -s -{len("body") + 2} INBOX/{name}')
    place.settled([message(1, body='')[:-1]])
    place.expect_listed([name])
    # Nothing is left of it that would be a message.
    place.shell(f'truncate -s 0 INBOX/{name}', check=False)
    place.settled([message(1, body='')[:-1]])
    place.shell('truncate -s 1000 INBOX/hole.eml && rm INBOX/hole.eml')
    place.settled([message(1, body='')[:-1]])


# ---- what a mailbox has no place for ----


@tap.test
def test_links_pipes_and_clones_are_refused(case):
    place = Workshop(case, {'INBOX': [message(1)], 'Other': []})
    before = place.state('INBOX', 'Other')
    name = place.name(1)
    place.fails(f'ln INBOX/{name} Other/x.eml', 'not permitted')
    place.fails(f'ln -s ../INBOX/{name} Other/x.eml', 'not permitted')
    place.fails('ln -s /etc/passwd INBOX/passwd', 'not permitted')
    place.fails(f'cp -l INBOX/{name} Other/x.eml', 'not permitted')
    place.fails(f'cp -s $PWD/INBOX/{name} Other/x.eml', 'not permitted')
    place.fails('mkfifo INBOX/pipe.eml', 'not permitted')
    place.fails('mknod INBOX/null.eml c 1 3', 'not permitted')
    place.fails(f'cp --reflink=always INBOX/{name} Other/x.eml', 'clone')
    place.fails('cp $S/../source INBOX/x', 'omitting')
    place.shell('rm -f Other/x.eml')
    place.expect_state(before, 'nothing was made')
    place.expect_listed([], 'Other')
    place.shell(f'cp --reflink=auto --sparse=always INBOX/{name} Other/x.eml')
    place.settled([message(1)], 'Other')


@tap.test
def test_attributes_of_what_is_stored_stay(case):
    place = Workshop(case, {'INBOX': [message(1)]}, '\\Flagged')
    before = place.state()
    path = f'INBOX/{place.name(1)}'
    seen = os.stat(place.path(path))
    place.shell(f'touch {path}; touch -d 2001-01-01 {path}; chmod 640 {path};'
                f'chmod -R u+w INBOX; chown root {path}; touch -a {path};'
                f'touch -r {path} INBOX; touch INBOX; chmod 755 INBOX')
    place.expect_state(before, 'the server has another message')
    after = os.stat(place.path(path))
    case.expect((seen.st_mtime, seen.st_ctime, seen.st_mode, seen.st_ino) ==
                (after.st_mtime, after.st_ctime, after.st_mode, after.st_ino),
                seen, after)


@tap.test
def test_git_and_the_like_store_nothing(case):
    need('git')
    place = Workshop(case, {'INBOX': [message(1)]})
    before = place.state()
    folders = place.folders()
    place.fails('git init -q INBOX', 'not permitted')
    place.fails('git init -q .', 'not permitted')
    for command in ('mkdir .notmuch', 'mkdir INBOX/.git', 'mkdir -p .Trash-0',
                    'mkdir INBOX/.Trash-0'):
        place.fails(command, 'not permitted')
    for name in ('Makefile', 'a.txt', 'thumbs.db', 'desktop.ini', 'x.EML.bak'):
        place.fails(f'cp /etc/hostname INBOX/{name}', 'Invalid argument')
    place.shell('cp /etc/hostname INBOX/.directory; touch INBOX/.nobackup')
    place.expect_state(before, 'something was stored')
    case.expect(place.folders() == folders, place.folders())


@tap.test
def test_gio_trash_refuses_and_loses_nothing(case):
    need('gio')
    place = Workshop(case, {'INBOX': [message(1), message(2)]})
    before = place.state()
    result = place.shell(f'mkdir $S/home && HOME=$S/home XDG_DATA_HOME='
                         f' gio trash INBOX/{place.name(1)}', check=False)
    case.expect(not result.ok and 'trash directory' in result.err, result)
    place.expect_state(before, 'the trash took something')
    case.expect(len(place.names('INBOX')) == 2, place.names('INBOX'))
    case.expect(not any('Trash' in name for name in place.folders()),
                place.folders())


@tap.test
def test_gio_copies_and_moves(case):
    need('gio')
    place = Workshop(case, {'Other': []})
    place.sources([message(1), message(2)])
    place.shell('gio copy $S/m0.eml INBOX/a.eml &&'
                'gio move $S/m1.eml INBOX/b.eml &&'
                'gio copy INBOX/a.eml Other/a.eml &&'
                'gio move INBOX/b.eml Other/b.eml &&'
                'gio remove INBOX/a.eml')
    place.settled([])
    place.settled([message(1), message(2)], 'Other')
    place.expect_listed(['a.eml', 'b.eml'], 'Other')


@tap.test
def test_unzip_and_zip(case):
    need('zip', 'unzip')
    bodies = [message(i) for i in range(4)]
    place = Workshop(case)
    place.sources([crlf(body) for body in bodies])
    run('zip', '-qrX', case.path('x.zip'), '.', cwd=place.source, check=True)
    place.shell(f'mkdir Zip && unzip -q {case.path("x.zip")} -d Zip')
    stored = place.settled(bodies, 'Zip')
    before = place.state('Zip')
    place.shell(f'zip -qr {case.path("y.zip")} Zip &&'
                f'unzip -q -o {case.path("y.zip")}')
    place.expect_state(before, 'the same was stored again')
    # It sets the time when the message is stored already, with its own.
    case.expect({one.date for one in stored} == {1700000000}, stored)


@tap.test
def test_zip_into_the_mount_is_no_message(case):
    need('zip')
    place = Workshop(case, {'INBOX': [message(1)]})
    before = place.state()
    result = place.shell('zip -q INBOX/x.zip INBOX/*.eml', check=False)
    case.expect(not result.ok, result)
    place.expect_state(before, 'something was stored')
    case.expect(not any('.zip' in name for name in place.names('INBOX')),
                place.names('INBOX'))


# ---- programs that are stopped ----


@tap.test
def test_ctrl_c_on_a_large_cp_stores_nothing(case):
    """cp is stopped by its terminal's group, in the middle of much."""
    place = Workshop(case, {'Big': []})
    place.write_source('x.eml', message(1, body=('y' * 76 + '\n') * 1500000))
    copying = subprocess.Popen(
        ['cp', f'{place.source}/x.eml', place.path('Big/x.eml')],
        start_new_session=True, stderr=subprocess.DEVNULL)
    case.defer(copying.wait)
    case.defer(copying.kill)
    path = place.path('Big/x.eml')
    case.expect(wait_until(lambda: os.path.exists(path) and
                           os.stat(path).st_size > 1000000,
                           20 * tap.PATIENCE), 'nothing was written')
    os.killpg(copying.pid, signal.SIGINT)
    case.expect(copying.wait(20 * tap.PATIENCE) == -signal.SIGINT,
                'it had ended before:', copying.returncode)
    case.expect(wait_until(lambda: place.lost() == {'x.eml'}, 20),
                place.lost())
    place.expect_listed([], 'Big')
    place.settled([], 'Big')
    place.shell('rm .imapfs/lost+found/x.eml')
    case.expect(place.lost() == set(), place.lost())


@tap.test
def test_ctrl_c_on_cp_of_many_stores_whole_ones(case):
    bodies = [message(i, body='z' * 20000) for i in range(300)]
    place = Workshop(case, {'Many': []})
    place.sources(bodies)
    copying = subprocess.Popen(
        ['cp', '-r', f'{place.source}/.', place.path('Many')],
        start_new_session=True, stderr=subprocess.DEVNULL)
    case.defer(copying.wait)
    case.defer(copying.kill)
    case.expect(wait_until(lambda: len(place.names('Many')) > 5,
                           20 * tap.PATIENCE), 'nothing was written')
    os.killpg(copying.pid, signal.SIGINT)
    copying.wait(20 * tap.PATIENCE)

    def messages():
        """But for one that was made, and not written to when it was stopped."""
        names = place.names('Many')
        empty = [name for name in names
                 if os.path.getsize(place.path('Many', name)) == 0]
        return set(names) - set(empty[:1])

    def is_over():
        """The kernel may close the last one when the program has ended."""
        place.wait()
        return len(messages()) == len(place.stored('Many'))

    wait_until(is_over, 20 * tap.PATIENCE)
    stored = place.stored('Many')
    case.expect(0 < len(stored) < 300, len(stored))
    case.expect({one.body for one in stored} <= {crlf(b) for b in bodies} and
                len({one.body for one in stored}) == len(stored),
                'a part was stored, or one twice')
    listed = messages()
    case.expect(len(listed) == len(stored), sorted(listed), len(stored))
    # Begun again, it ends as if it had never been stopped.
    place.shell('cp -r $S/. Many/')
    place.settled(bodies, 'Many')


@tap.test
def test_tar_x_that_is_stopped_and_begun_again(case):
    bodies = [message(i, body='z' * 20000) for i in range(300)]
    place = Workshop(case, {'Many': []})
    place.sources(bodies)
    run('tar', '-cf', case.path('x.tar'), '-C', place.source, '.', check=True)
    work = ['tar', '-xf', case.path('x.tar'), '-C', place.path('Many')]
    one = subprocess.Popen(work, start_new_session=True,
                           stderr=subprocess.DEVNULL)
    case.defer(one.wait)
    case.defer(one.kill)
    case.expect(wait_until(lambda: len(place.names('Many')) > 5,
                           20 * tap.PATIENCE), 'nothing was written')
    os.killpg(one.pid, signal.SIGTERM)
    one.wait(20 * tap.PATIENCE)
    run(*work, check=True, limit=60 * tap.PATIENCE)
    stored = place.settled(bodies, 'Many')
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(300)], 'other dates')


TICKING = r'''
import os, signal, sys
folder = sys.argv[1]
ticks = []
signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
for number in range(3):
    fd = os.open(f'{folder}/t{number}.eml', os.O_WRONLY | os.O_CREAT)
    os.write(fd, open(f'{sys.argv[2]}/m{number}.eml', 'rb').read())
    os.close(fd)
    os.stat(f'{folder}/t{number}.eml')
os.mkdir(f'{folder}/Made')
os.rename(f'{folder}/Made', f'{folder}/Renamed')
os.rename(f'{folder}/t0.eml', f'{folder}/Renamed/t0.eml')
os.unlink(f'{folder}/t1.eml')
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(ticks))
'''


@tap.test
def test_timers_of_a_program_end_nothing(case):
    """Of a local file nobody expects EINTR: programs with a timer, and all
    that are written in Go, would see errors where there are none."""
    place = Workshop(case, {'Other': []}, rtt_ms=60)
    place.sources([message(i) for i in range(3)])
    result = run(sys.executable, '-c', TICKING, place.path('Other'),
                 place.source, limit=60 * tap.PATIENCE)
    case.expect(result.clean and int(result.out) > 3, result)
    place.settled([message(2)], 'Other')
    place.settled([message(0)], 'Other/Renamed')


if __name__ == '__main__':
    tap.main(jobs=4)
