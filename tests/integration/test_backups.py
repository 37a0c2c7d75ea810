#!/usr/bin/env python3
"""Backups of the mount, twice, and restored onto the mailbox that goes on
living: what is the same is not touched, what was lost comes back, with its
date and its flags."""

import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from tools import Workshop, need
from writing import crlf, message

DATE = Workshop.DATE
FLAGS = '\\Flagged work'
KEPT = ('INBOX', 'Sub')


class Kept(Workshop):
    """Two folders of messages with flags, and where backups of them go."""

    def __init__(self, case, **named):
        self.bodies = [message(i, body=f'{i} ' + 'x' * 100 * i)
                       for i in range(6)]
        super().__init__(case, {folder: self.bodies for folder in KEPT}, FLAGS,
                         **named)
        self.before = self.state(*KEPT)
        self.environment = {
            'B': case.path('backup'), 'RESTIC_PASSWORD': 'x',
            'RESTIC_REPOSITORY': case.path('restic'),
            'RESTIC_CACHE_DIR': case.path('restic-cache'),
            'BORG_REPO': case.path('borg'), 'BORG_BASE_DIR': case.path('base'),
            'BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK': 'yes',
            'BORG_RELOCATED_REPO_ACCESS_IS_OK': 'yes'}
        os.mkdir(case.path('backup'))

    def shell(self, command, check=True, **named):
        return super().shell(command, check, env=self.environment, **named)

    def lose_some(self):
        """What a restore is for: two messages go, one gets other flags, one
        folder is emptied."""
        self.shell(f'rm INBOX/{self.name(2)} INBOX/{self.name(5)} Sub/*')
        os.setxattr(self.path('INBOX', self.name(3)), 'user.imap.flags',
                    b'\\Seen')
        self.wait()

    def expect_untouched(self, restore):
        """What is all there is left as it is."""
        self.shell(restore)
        self.expect_state(self.before, f'{restore} of the same')

    def expect_restored(self, restore, dates=True, flags=True):
        self.lose_some()
        self.shell(restore)
        self.wait()
        for folder in KEPT:
            stored = self.expect_stored(self.bodies, folder, restore)
            for one in stored:
                number = [crlf(body) for body in self.bodies].index(one.body)
                self.case.expect(not flags or one.flags == set(FLAGS.split()),
                                 restore, one.uid, one.flags)
                self.case.expect(one.date == DATE + number if dates
                                 else one.date == 1700000000,
                                 restore, one.uid, one.date)
        kept = {1, 3, 4, 6}  # of those, nothing was sent
        self.case.expect(kept <= {one.uid for one in self.stored()},
                         self.stored())
        self.expect_unchanged_files('INBOX', self.bodies)
        self.case.expect(self.lost() == set(), self.lost())

    def again(self):
        """Mounted anew, at the same place."""
        mount = self.mount
        mount.unmount(limit=30)
        self.start(data=mount.data, mountpoint=mount.mountpoint)


# ---- one after another ----


@tap.test(limit=120)
def test_cp(case):
    place = Kept(case)
    place.shell('cp -a ./. $B/')
    place.expect_untouched('cp -a $B/. ./')
    place.expect_restored('cp -a $B/. ./')


@tap.test
def test_tar(case):
    need('tar')
    place = Kept(case)
    place.shell('tar --xattrs -cf $B/x.tar .')
    place.expect_untouched('tar --xattrs -xf $B/x.tar')
    place.expect_untouched('tar --xattrs --overwrite -xf $B/x.tar')
    place.expect_restored('tar --xattrs -xf $B/x.tar')


@tap.test
def test_tar_without_flags(case):
    need('tar')
    place = Kept(case)
    place.shell('tar -cf $B/x.tar .')
    place.expect_untouched('tar -xf $B/x.tar')
    place.expect_untouched('tar --skip-old-files -xf $B/x.tar')
    place.expect_restored('tar -xf $B/x.tar', flags=False)
    place.shell('tar --compare -f $B/x.tar')


@tap.test
def test_tar_listed_incremental_sees_what_is_new(case):
    need('tar')
    place = Kept(case)
    place.shell('tar -cf $B/0.tar -g $B/snar .')
    second = place.shell('tar -cvf $B/1.tar -g $B/snar .')
    case.expect(b'.eml' not in second.out, 'the second takes', second.out)
    place.name(place.append(message(9), date=time.time() + 9))
    third = place.shell('tar -cvf $B/2.tar -g $B/snar .')
    case.expect(third.out.count(b'.eml') == 1, 'the third takes', third.out)


@tap.test
def test_rsync(case):
    need('rsync')
    place = Kept(case)
    place.shell('rsync -aX --delete ./ $B/')
    again = place.shell('rsync -aXi --delete ./ $B/')
    case.expect(b'.eml' not in again.out, 'the second transfers', again.out)
    for options in ('-aX --delete', '-aX --checksum', '-aX --ignore-times'):
        place.expect_untouched(f'rsync {options} $B/ ./')
    place.name(place.append(message(77), 'Sub'), 'Sub')
    place.expect_restored('rsync -aX --delete $B/ ./')


@tap.test
def test_rsync_deletes_what_is_not_in_the_source(case):
    need('rsync')
    place = Kept(case)
    place.shell('rsync -a ./ $B/ && rm $B/INBOX/*.1.eml && rm -r $B/Sub && '
                'rsync -a --delete --delete-after $B/ ./')
    case.expect(set(place.folders()) == {'INBOX'}, place.folders())
    stored = place.settled(place.bodies[1:])
    case.expect([one.uid for one in stored] == [2, 3, 4, 5, 6], stored)


@tap.test
def test_rsync_of_sources_with_lf_twice(case):
    """The sizes differ, so they are sent to the mount, and not on."""
    need('rsync')
    place = Workshop(case, {'Synced': []})
    bodies = [message(i) for i in range(4)]
    place.sources(bodies)
    place.shell('rsync -a --delete $S/ Synced/')
    before = place.state('Synced')
    case.expect([one[2] for one in before['Synced']] ==
                [DATE + i for i in range(4)], before)
    for options in ('', '--checksum', '--size-only', '--inplace', '-u'):
        place.shell(f'rsync -a {options} --delete $S/ Synced/')
        place.expect_state(before, f'rsync {options}')
    place.expect_listed([f'm{i}.eml' for i in range(4)], 'Synced')


@tap.test
def test_rsync_by_copies_of_what_was_there(case):
    need('rsync')
    place = Kept(case)
    place.shell('rsync -a ./ $B/')
    for options in ('--backup', '--delay-updates', '--partial-dir=.part',
                    '--temp-dir=/tmp', '--fuzzy'):
        place.shell(f'rsync -a {options} $B/ ./', check=False)
        place.expect_state(place.before, f'rsync {options}')


# ---- restic ----


@tap.test(limit=120)
def test_restic(case):
    need('restic')
    place = Kept(case)
    place.shell('restic init -q && restic backup -q .')
    again = place.shell('restic backup -v .').out
    case.expect(b'0 new,     0 changed,    12 unmodified' in again, again)
    os.setxattr(place.path('INBOX', place.name(1)), 'user.imap.flags',
                b'+\\Answered')
    place.wait()
    again = place.shell('restic backup -v .').out
    case.expect(b'0 new,     0 changed,    12 unmodified' in again,
                'flags make it read again:', again)
    os.setxattr(place.path('INBOX', place.name(1)), 'user.imap.flags',
                b'-\\Answered')
    place.wait()
    place.again()
    again = place.shell('restic backup -v .').out
    case.expect(b'0 new,     0 changed,    12 unmodified' in again,
                'a new mount makes it read again:', again)
    place.shell('restic backup -q --force .')
    restore = 'restic restore -q latest --target .'
    place.expect_untouched(restore)
    # It sets the time when the message is stored already, with its own.
    place.lose_some()
    place.shell(restore)
    place.wait()
    for folder in KEPT:
        for one in place.expect_stored(place.bodies, folder):
            case.expect(one.flags == set(FLAGS.split()), folder, one)
    case.expect({1, 3, 4, 6} <= {one.uid for one in place.stored()},
                place.stored())
    case.expect(place.lost() == set(), place.lost())


# ---- borg ----


@tap.test(limit=120)
def test_borg(case):
    need('borg')
    place = Kept(case)
    place.shell('borg init -e none && borg create ::a .')
    again = place.shell('borg create --list ::b .', check=False).err
    # The youngest is read once more, lest it was just being written.
    case.expect(again.count('\nU ') + again.startswith('U ') >= 10, again)
    place.again()
    again = place.shell('borg create --list ::c .', check=False).err
    case.expect(again.count('\nU ') + again.startswith('U ') >= 10,
                'a new mount makes it read again:', again)
    place.expect_untouched('borg extract ::a')
    place.expect_restored('borg extract ::c')


if __name__ == '__main__':
    tap.main(jobs=4)
