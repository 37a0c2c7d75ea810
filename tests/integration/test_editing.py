#!/usr/bin/env python3
"""Messages that are there already: edited, written over, replaced, copied.
Afterwards another client sees the new one and not the old one, and whatever is
another message is not touched."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from mount import BINARY
from writing import Place, crlf, message

DATE = 1500000000


def need(program):
    if shutil.which(program) is None:
        raise tap.Skip(f'{program} is not installed')


def settled(place, bodies, folder='INBOX'):
    """Deletions are sent a moment later."""
    wanted = sorted(crlf(body) for body in bodies)
    place.case.expect(
        wait_until(lambda: sorted(one.body for one in place.stored(folder)) ==
                   wanted, 15 * tap.PATIENCE),
        f'{folder} holds', [one.body for one in place.stored(folder)])
    return place.stored(folder)


class Old(Place):
    """With one message in the INBOX, old.eml."""

    def __init__(self, case, body=None, **named):
        super().__init__(case, **named)
        self.body = body or message(1, body='old', subject='old')
        self.uid = self.append(self.body, flags='\\Flagged', date=DATE)
        self.name = self.listed()
        self.other = None

    def listed(self):
        assert wait_until(lambda: len(self.names('INBOX')) == 1,
                          10 * tap.PATIENCE)
        return next(iter(self.names('INBOX')))

    def expect_same(self):
        """The one message is what it was."""
        stored = self.expect_stored([self.body])
        self.case.expect([one.uid for one in stored] == [self.uid] and
                         stored[0].flags == {'\\Flagged'}, stored)
        self.expect_file(f'INBOX/{self.name}', self.body)

    def expect_new(self, body):
        stored = settled(self, [body])
        self.case.expect([one.uid for one in stored] != [self.uid], stored)
        self.case.expect(stored[0].flags == {'\\Flagged'}, stored)
        self.expect_listed([self.name])
        self.expect_file(f'INBOX/{self.name}', body)


# ---- edited in place ----


@tap.test
def test_append_to_a_message(case):
    place = Old(case)
    place.shell(f'echo more >> INBOX/{place.name}')
    place.expect_new(place.body + b'more\n')


@tap.test
def test_append_with_crlf(case):
    place = Old(case)
    place.shell(f'printf "more\\r\\n" >> INBOX/{place.name};'
                f'printf "again\\n" >> INBOX/{place.name}')
    place.expect_new(place.body + b'more\nagain\n')


@tap.test
def test_write_over_by_shell(case):
    place = Old(case)
    new = message(1, body='new')
    place.write_source('new', new)
    place.shell(f'cat $S/new > INBOX/{place.name}')
    place.expect_new(new)


@tap.test
def test_cp_over_the_same_message(case):
    place = Old(case)
    new = message(1, body='a longer new body')
    place.write_source('new', new)
    place.shell(f'cp $S/new INBOX/{place.name}')
    place.expect_new(new)


@tap.test
def test_cp_over_another_message_is_refused(case):
    place = Old(case)
    place.write_source('new', message(2))
    result = place.shell(f'cp $S/new INBOX/{place.name}', check=False)
    case.expect('File exists' in result.err, result)
    place.expect_same()
    case.expect(place.lost() == {place.name}, place.lost())
    with open(place.path('.imapfs/lost+found', place.name), 'rb') as file:
        case.expect(file.read() == message(2), 'other octets are kept')


@tap.test
def test_nothing_is_written_over_what_nothing_tells_apart(case):
    """Neither has a Message-ID, nor a From and a Date."""
    place = Old(case, crlf(b'Subject: old\n\nold\n'))
    place.write_source('new', b'Subject: new\n\nnew\n')
    result = place.shell(f'cp $S/new INBOX/{place.name}', check=False)
    case.expect('File exists' in result.err, result)
    place.expect_same()
    place.shell(f'echo more >> INBOX/{place.name}')
    place.expect_new(crlf(b'Subject: old\n\nold\nmore\n'))


@tap.test
def test_cp_of_the_same_octets_changes_nothing(case):
    place = Old(case)
    place.write_source('lf', place.body)
    place.write_source('crlf', crlf(place.body))
    place.shell(f'cp $S/lf INBOX/{place.name}; cp $S/crlf INBOX/{place.name};'
                f'cat $S/lf > INBOX/{place.name}')
    place.expect_same()
    case.expect(place.lost() == set(), place.lost())


@tap.test
def test_touch_changes_nothing(case):
    place = Old(case)
    place.shell(f'touch INBOX/{place.name}; chmod 644 INBOX/{place.name};'
                f'touch -d 2001-01-01 INBOX/{place.name}')
    place.expect_same()


@tap.test
def test_sed_i(case):
    need('sed')
    place = Old(case)
    place.shell(f'sed -i s/old/changed/ INBOX/{place.name}')
    place.expect_new(place.body.replace(b'old', b'changed'))


@tap.test
def test_vim(case):
    vim = next(filter(shutil.which, ('vim', 'vim.tiny', 'vi')), None)
    if vim is None:
        raise tap.Skip('vim is not installed')
    place = Old(case)
    place.shell(f"{vim} -N -u NONE -i NONE -es -c '%s/old/changed/e' -c 'wq' "
                f'INBOX/{place.name} < /dev/null')
    place.expect_new(place.body.replace(b'old', b'changed'))


@tap.test
def test_python_edits(case):
    place = Old(case)
    with open(place.path('INBOX', place.name), 'r+b') as file:
        data = file.read()
        at = data.index(b'\r\n\r\nold') + 4
        file.seek(at)
        file.write(b'new')
    place.expect_new(place.body[:-4] + b'new\n')


@tap.test
def test_more_after_fsync_is_one_message(case):
    place = Place(case)
    with open(place.path('INBOX/x.eml'), 'wb', buffering=0) as file:
        file.write(message())
        os.fsync(file.fileno())
        place.expect_stored([message()])
        file.write(b'more\n')
    settled(place, [message() + b'more\n'])
    place.expect_listed(['x.eml'])
    place.expect_file('INBOX/x.eml', message() + b'more\n')


@tap.test
def test_edit_that_is_no_message_is_refused(case):
    place = Old(case)
    place.write_source('nonsense', b'nonsense\n')
    result = place.shell(f'cp $S/nonsense INBOX/{place.name}', check=False)
    case.expect('Invalid argument' in result.err, result)
    place.expect_same()
    case.expect(place.lost() == {place.name}, place.lost())


# ---- replaced ----


@tap.test
def test_rsync_of_a_changed_message(case):
    need('rsync')
    place = Place(case)
    place.write_source('x.eml', message(1), DATE)
    place.shell('rsync -a $S/x.eml INBOX/')
    place.expect_stored([message(1)])
    place.write_source('x.eml', message(1, body='another, longer'), DATE + 9)
    place.shell('rsync -a $S/x.eml INBOX/')
    settled(place, [message(1, body='another, longer')])
    place.expect_listed(['x.eml'])
    place.write_source('x.eml', message(2), DATE + 20)
    result = place.shell('rsync -a $S/x.eml INBOX/', check=False)
    case.expect('File exists' in result.err, result)
    settled(place, [message(1, body='another, longer')])


@tap.test
def test_rename_onto_the_same_and_another(case):
    place = Old(case)
    place.write_source('same', message(1, body='new'))
    place.write_source('another', message(2))
    result = place.shell(f'cp $S/another INBOX/.a && mv -f INBOX/.a '
                         f'INBOX/{place.name}', check=False)
    case.expect('File exists' in result.err, result)
    case.expect(place.names('INBOX') == {'.a', place.name},
                place.names('INBOX'))
    place.shell('rm INBOX/.a')
    place.expect_same()
    place.shell(f'cp $S/same INBOX/.s && mv -f INBOX/.s INBOX/{place.name}')
    place.expect_new(message(1, body='new'))


@tap.test
def test_rename_noreplace(case):
    place = Old(case)
    place.write_source('same', message(1, body='new'))
    place.shell(f'cp $S/same INBOX/.s; mv -n INBOX/.s INBOX/{place.name}',
                check=False)
    place.shell('rm INBOX/.s')
    place.expect_same()


@tap.test
def test_tar_x_over_what_is_there(case):
    need('tar')
    place = Place(case, mailboxes=['Saved'])
    for i in range(4):
        place.write_source(f'n{i}.eml', crlf(message(i)), DATE + i)
    run('tar', '-cf', case.path('x.tar'), '-C', place.source, '.', check=True)
    place.shell(f'tar -xf {case.path("x.tar")} -C Saved')
    before = place.stored('Saved')
    place.shell(f'tar -xf {case.path("x.tar")} -C Saved')
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE,
        check=True)
    stored = place.expect_stored([message(i) for i in range(4)], 'Saved')
    case.expect([one.uid for one in stored] == [one.uid for one in before],
                'it was stored anew', stored)
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(4)], stored)
    place.expect_listed([f'n{i}.eml' for i in range(4)], 'Saved')


@tap.test
def test_what_was_removed_stays_if_the_new_one_is_refused(case):
    place = Old(case)
    place.write_source(place.name, b'nonsense\n')
    result = place.shell(f'mv -f $S/{place.name} INBOX/', check=False)
    case.expect('Invalid argument' in result.err, result)
    case.expect(wait_until(lambda: place.names('INBOX') == {place.name},
                           10 * tap.PATIENCE), place.names('INBOX'))
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE)
    place.expect_same()


@tap.test
def test_mv_f_from_elsewhere(case):
    place = Place(case)
    for body in ('first', 'second'):
        place.write_source('x.eml', message(1, body=body), DATE)
        place.shell('mv -f $S/x.eml INBOX/')
    settled(place, [message(1, body='second')])
    place.expect_listed(['x.eml'])
    place.expect_file('INBOX/x.eml', message(1, body='second'))


@tap.test
def test_removed_right_after_it_was_written(case):
    place = Place(case)
    place.write_source('x.eml', message(1))
    place.shell('cp $S/x.eml INBOX/ && rm INBOX/x.eml')
    settled(place, [])
    place.expect_listed([])


@tap.test
def test_moved_right_after_it_was_written(case):
    place = Place(case, mailboxes=['Other'])
    place.write_source('x.eml', message(1))
    place.shell('cp $S/x.eml INBOX/ && mv INBOX/x.eml Other/y.eml')
    settled(place, [message(1)], 'Other')
    settled(place, [])
    place.expect_listed(['y.eml'], 'Other')
    place.expect_file('Other/y.eml', message(1))


# ---- copied within the mount ----


@tap.test
def test_cp_within_is_a_copy(case):
    place = Old(case, mailboxes=['Other'])
    sent = place.mount.messages().count('opcode: READ (')
    place.shell(f'cp INBOX/{place.name} Other/copy.eml')
    stored = place.expect_stored([place.body], 'Other')
    case.expect(stored[0].flags == {'\\Flagged'} and stored[0].date == DATE,
                stored)
    place.expect_same()
    place.expect_listed(['copy.eml'], 'Other')
    place.expect_file('Other/copy.eml', place.body)
    case.expect('COPY_FILE_RANGE' in place.mount.messages(), sent)


@tap.test
def test_cp_a_of_a_folder(case):
    place = Place(case, mailboxes=['From'])
    bodies = [message(i) for i in range(8)]
    for i, body in enumerate(bodies):
        place.append(body, 'From', date=DATE + i)
    place.shell('cp -a From To')
    stored = place.expect_stored(bodies, 'To')
    case.expect(sorted(one.date for one in stored) ==
                [DATE + i for i in range(8)], stored)
    place.expect_stored(bodies, 'From')


@tap.test
def test_python_copy_within(case):
    place = Old(case, mailboxes=['Other'])
    shutil.copy(place.path('INBOX', place.name), place.path('Other/c.eml'))
    place.expect_stored([place.body], 'Other')


@tap.test
def test_copy_in_place_twice(case):
    place = Old(case)
    place.shell(f'cp INBOX/{place.name} INBOX/second.eml && '
                'cp INBOX/second.eml INBOX/third.eml')
    place.expect_stored([place.body] * 3)
    place.expect_listed([place.name, 'second.eml', 'third.eml'])


# ---- with the other options ----


@tap.test
def test_names_uid(case):
    place = Place(case, options={'names': 'uid'})
    place.write_source('x.eml', message(1))
    place.shell('cp $S/x.eml INBOX/x.eml')
    place.expect_stored([message(1)])
    place.expect_listed(['x.eml'])
    uid = place.append(message(2, body='old'))
    case.expect(wait_until(lambda: f'{uid}.eml' in place.names('INBOX'),
                           10 * tap.PATIENCE), place.names('INBOX'))
    place.shell(f'echo more >> INBOX/{uid}.eml')
    stored = settled(place, [message(1), message(2, body='old') + b'more\n'])
    place.expect_listed(['x.eml', f'{stored[-1].uid}.eml'])


@tap.test
def test_writeback(case):
    place = Place(case, options={'writeback': None}, mailboxes=['Many'])
    bodies = [message(i) for i in range(200)]
    for i, body in enumerate(bodies):
        place.write_source(f'm{i}.eml', body)
    place.shell('cp $S/*.eml Many/')
    run(BINARY, '--wait', place.mount.mountpoint, limit=60 * tap.PATIENCE,
        check=True)
    place.expect_stored(bodies, 'Many')
    place.expect_listed([f'm{i}.eml' for i in range(200)], 'Many')


@tap.test
def test_writeback_is_done_before_the_end(case):
    place = Place(case, options={'writeback': None}, mailboxes=['Many'])
    bodies = [message(i) for i in range(100)]
    for i, body in enumerate(bodies):
        place.write_source(f'm{i}.eml', body)
    place.shell('cp $S/*.eml Many/')
    place.mount.terminate(limit=30)
    place.expect_stored(bodies, 'Many')


@tap.test
def test_watchers_see_a_new_file_once(case):
    need('inotifywait')
    place = Place(case)
    place.names('INBOX')
    watch = subprocess.Popen(
        ['inotifywait', '-m', '-e', 'create', '-e', 'delete', '--format',
         '%e %f', place.path('INBOX')], stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    case.defer(watch.wait)
    case.defer(watch.terminate)
    while 'established' not in watch.stderr.readline():
        pass
    place.write_source('x.eml', message(1))
    place.shell('cp $S/x.eml INBOX/')
    uid = place.append(message(2, subject='later'))
    seen = [watch.stdout.readline().strip()]
    while not seen[-1].endswith(f'.{uid}.eml') and len(seen) < 10:
        seen.append(watch.stdout.readline().strip())
    case.expect(seen[:-1] == ['CREATE x.eml'], seen)


@tap.test
def test_names_stay_after_the_next_mount(case):
    place = Place(case)
    for i in range(3):
        place.write_source(f'n{i}.eml', message(i))
    place.shell('cp $S/*.eml INBOX/; echo more >> INBOX/n1.eml')
    bodies = [message(0), message(1) + b'more\n', message(2)]
    settled(place, bodies)
    data = place.mount.data
    place.mount.unmount()
    place.start(data=data)
    place.expect_listed(['n0.eml', 'n1.eml', 'n2.eml'])
    for i, body in enumerate(bodies):
        place.expect_file(f'INBOX/n{i}.eml', body)


@tap.test
def test_read_only_mount(case):
    place = Old(case, options={'ro': None})
    for command in (f'echo x >> INBOX/{place.name}', 'touch INBOX/x.eml',
                    'mkdir New', f'rm INBOX/{place.name}'):
        result = place.shell(command, check=False)
        case.expect('Read-only' in result.err, result)
    place.expect_same()
    case.expect(not os.path.exists(place.path('.imapfs/lost+found')),
                'a read-only mount has lost+found')


if __name__ == '__main__':
    tap.main(jobs=4)
