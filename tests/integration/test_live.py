#!/usr/bin/env python3
"""What another client changes on the server shows in the mount: within a second
where the server tells of it, within the poll interval where it does not; also
where the kernel had cached the old state."""

import collections
import contextlib
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import wait_until
from mailstore import make_message
from mount import Mount

BASIC = ('IMAP4rev1 SASL-IR ID ENABLE UNSELECT CHILDREN NAMESPACE UIDPLUS '
         'LIST-EXTENDED ESEARCH MOVE LITERAL+ SPECIAL-USE CONDSTORE QRESYNC')

# A second, and half of one for a machine that does other things as well.
SOON = 1.5 * tap.PATIENCE
# Dovecot lets a second pass before it tells that a folder was renamed or
# deleted: it might be about to come back.
FOLDERS_SOON = SOON + 1.5

# How a server tells, what it announces, and the poll interval of the mount.
Way = collections.namedtuple('Way', 'name capability poll')
NOTIFY = Way('notify', None, 60)
IDLE = Way('idle', BASIC + ' IDLE', 3)
POLLS = Way('polls', BASIC, 2)
WAYS = (NOTIFY, IDLE, POLLS)


class Place:
    """A Dovecot, a mount of it, and another client."""

    def __init__(self, case, way, arguments=('-d',), messages=40, **options):
        self.case = case
        self.way = way
        self.server = dovecot.start_sample(
            case, capability=way.capability,
            prepare=lambda new: (
                new.generate(flat='INBOX', messages=messages, seed=4),
                new.generate(flat='Other', messages=5, seed=5)))
        self.mount = Mount(
            case, self.server.url,
            {'ca_file': self.server.ca_file, 'poll': way.poll, 'names': 'uid',
             'xattr': None, 'timeout': 20 * tap.PATIENCE, **options},
            password=dovecot.password(self.server), arguments=arguments)
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(OSError) or
                   self.client.imap.shutdown())

    def path(self, *parts):
        return self.mount.path(*parts)

    def names(self, *parts):
        return set(os.listdir(self.path(*parts)))

    def uids(self, folder='INBOX'):
        return {int(name.split('.')[0]) for name in self.names(folder)
                if name.endswith('.eml')}

    def is_there(self, *parts):
        return os.path.exists(self.path(*parts))

    def look(self, *folders):
        """Has the kernel know what there is."""
        for folder in ('', *folders):
            for entry in os.scandir(self.path(folder)):
                entry.stat()
            os.stat(self.path(folder))

    def watched(self, what):
        """Waits until the server is listened to."""
        words = f'the server tells of {what}'
        assert wait_until(lambda: words in self.mount.messages(),
                          10 * tap.PATIENCE), self.mount.messages()[-2000:]

    def ok(self, answer):
        assert answer[0] == 'OK', answer
        self.answered = time.monotonic()
        return answer[1]

    def append(self, folder='INBOX', number=7):
        body = make_message(number, 900)
        self.ok(self.client.imap.append(folder, None, None, body))
        code = self.client.imap.untagged_responses['APPENDUID'][-1]
        return int(code.split()[1]), body

    def shows(self, what, condition, limit):
        """What the other client did last shows within the limit."""
        begin = self.answered
        shown = wait_until(condition, limit + 10 * tap.PATIENCE, 0.005)
        seconds = time.monotonic() - begin
        self.case.expect(shown, 'never shown:', what)
        self.case.expect(seconds <= limit,
                         f'too late: {what} after {seconds:.2f} s, '
                         f'limit {limit:.2f}')
        self.case.note(f'{self.way.name}: {what} after {seconds:.2f} s')

    def limits(self):
        """For messages of INBOX, of other folders, and for folders."""
        late = self.way.poll + SOON
        return {NOTIFY: (SOON, SOON, FOLDERS_SOON),
                IDLE: (SOON, late, late),
                POLLS: (late, late, late)}[self.way]


def modified(path):
    return os.stat(path).st_mtime_ns


for one in WAYS:
    @tap.test(name=f'changes_elsewhere_show_{one.name}', arguments=(one,),
              limit=100)
    def changes(case, way):
        place = Place(case, way)
        imap = place.client.imap
        soon, elsewhere, folders = place.limits()
        inbox = place.path('INBOX')
        place.look('INBOX', 'Other')
        if way != POLLS:
            place.watched('all mailboxes' if way == NOTIFY else 'INBOX')

        def other_time(before):
            return lambda: modified(inbox) != before

        # Whoever asks first, asks the kernel: once by each way to ask.
        place.look('INBOX', 'Other')
        before = modified(inbox)
        uid, body = place.append()
        place.shows('append, by ls', lambda: uid in place.uids(), soon)
        place.shows('append, by the time of the folder', other_time(before),
                    soon)
        place.look('INBOX')
        before = modified(inbox)
        uid, body = place.append(number=8)
        place.shows('append, by stat',
                    lambda: place.is_there('INBOX', f'{uid}.eml'), soon)
        place.shows('append, by the time then', other_time(before), soon)
        with open(place.path('INBOX', f'{uid}.eml'), 'rb') as file:
            case.expect(file.read() == body, 'wrong bytes')
        place.look('INBOX')
        before = modified(inbox)
        uid, body = place.append(number=9)
        place.shows('append, by the time of the folder alone',
                    other_time(before), soon)
        case.expect(uid in place.uids(), 'the time moved before the listing')

        place.client.open('INBOX', readonly=False)
        place.look('INBOX')
        before = modified(inbox)
        place.ok(imap.uid('STORE', '3', '+FLAGS', '(\\Flagged $Later)'))

        def flags():
            return os.getxattr(place.path('INBOX', '3.eml'),
                               'user.imap.flags').decode().split()

        place.shows('flags', lambda: {'\\Flagged', '$Later'} <= set(flags()),
                    soon)
        case.expect(modified(inbox) == before, 'flags moved the time')

        place.look('INBOX')
        imap.uid('STORE', '2', '+FLAGS', '(\\Deleted)')
        before = modified(inbox)
        place.ok(imap.uid('EXPUNGE', '2'))
        place.shows('expunge, by stat',
                    lambda: not place.is_there('INBOX', '2.eml'), soon)
        case.expect(2 not in place.uids(), 'ls shows it')
        case.expect(modified(inbox) != before, 'the time of the folder stays')
        place.look('INBOX')
        imap.uid('STORE', '4', '+FLAGS', '(\\Deleted)')
        place.ok(imap.uid('EXPUNGE', '4'))
        place.shows('expunge, by ls', lambda: 4 not in place.uids(), soon)
        place.shows('expunge, by stat then',
                    lambda: not place.is_there('INBOX', '4.eml'), soon)

        place.look('INBOX', 'Other')
        place.ok(imap.uid('MOVE', '5', 'Other'))
        place.shows('move away',
                    lambda: not place.is_there('INBOX', '5.eml'), soon)
        place.shows('move to', lambda: 6 in place.uids('Other'), elsewhere)

        place.look('INBOX', 'Other')
        place.ok(imap.create('Fresh'))
        place.shows('folder made', lambda: place.is_there('Fresh'), elsewhere)
        case.expect('Fresh' in place.names(''), 'ls does not find it')
        place.look('Fresh')
        place.append('Fresh')
        place.shows('append in it', lambda: place.uids('Fresh') == {1},
                    elsewhere)
        place.look('Fresh')
        place.ok(imap.rename('Fresh', 'Fresher'))
        place.shows('folder renamed, by ls',
                    lambda: 'Fresher' in place.names(''), folders)
        place.shows('folder renamed, by stat',
                    lambda: not place.is_there('Fresh', '1.eml') and
                    not place.is_there('Fresh'), folders)
        case.expect(place.uids('Fresher') == {1}, 'its mail')
        place.look('Fresher')
        place.ok(imap.delete('Fresher'))
        place.shows('folder deleted, by stat',
                    lambda: not place.is_there('Fresher'), folders)
        case.expect('Fresher' not in place.names(''), 'ls finds it')
        begin = time.monotonic()
        place.mount.unmount()
        case.expect(time.monotonic() - begin < 2 * tap.PATIENCE,
                    'unmounting took', time.monotonic() - begin)


if __name__ == '__main__':
    tap.main(jobs=3)
