#!/usr/bin/env python3
"""REPLACE (RFC 8508), by a server that offers it: an edit in place and an
atomic save are one command, nothing is ever there twice, and what the server
refuses or a line cuts ends as it does without it."""

import errno
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mount import BINARY
from storing import PATIENT, bodies, lost, put, scene
from writing import crlf, message

ABLE = CAPABILITIES + ' REPLACE'
LONG_WAY = ('APPEND*', 'UID STORE*', 'UID EXPUNGE*')


class Edit:
    """A message x.eml in Other, which is about to be written over."""

    def __init__(self, case, capabilities=ABLE):
        self.case = case
        self.place = scene(case, capabilities)
        self.server = self.place.server
        self.old = message(1, body='old')
        case.expect(put(case, self.place, self.old) == 0, 'it cannot be stored')
        self.begin()

    def begin(self):
        self.mark = self.server.mark()
        self.inode = os.stat(self.path).st_ino

    @property
    def path(self):
        return self.place.path('Other/x.eml')

    def saw(self, pattern):
        return self.server.saw(pattern, self.mark)

    def write(self, data):
        return put(self.case, self.place, data)

    def save(self, data):
        """As editors and rsync do; the errno."""
        name = self.place.path('Other/.x.eml.Ab12Cd')
        with open(name, 'wb') as file:
            file.write(data)
        try:
            os.rename(name, self.path)
        except OSError as error:
            return error.errno
        return 0

    def settled(self):
        result = run(BINARY, '--wait', self.place.mount.mountpoint,
                     limit=3 * PATIENT)
        self.case.expect(result.clean, result)

    def is_only(self, data):
        """The mount and the server have that message, and no other."""
        self.case.expect(
            wait_until(lambda: bodies(self.place) == [crlf(data)], PATIENT),
            'the server has', bodies(self.place))
        self.settled()
        self.case.expect(bodies(self.place) == [crlf(data)],
                         'the server has', bodies(self.place))
        self.case.expect(os.listdir(self.place.path('Other')) == ['x.eml'],
                         os.listdir(self.place.path('Other')))
        with open(self.path, 'rb') as file:
            self.case.expect(file.read() == crlf(data), 'other octets')
        self.case.expect(lost(self.place) == set(), lost(self.place))

    def was_one_command(self):
        self.case.expect(len(self.saw('UID REPLACE*')) == 1,
                         self.saw('UID REPLACE*'))
        for pattern in LONG_WAY:
            self.case.expect(not self.saw(pattern), self.saw(pattern))

    def refuse(self, answer, times=1000):
        left = [times]

        def hook(line, command):
            if left[0] == 0:
                return False
            left[0] -= 1
            return line.send(f'{command.tag} {answer}\r\n'.encode())

        self.server.hooks['UID REPLACE'] = hook

    def cut(self, stores):
        """Instead of the first answer the line ends; the server has done it,
        or not."""

        def hook(line, command):
            del self.server.hooks['UID REPLACE']
            if stores:
                line.default(command)
            line.close()

        self.server.hooks['UID REPLACE'] = hook


@tap.test
def test_edit_in_place_is_one_command(case):
    edit = Edit(case)
    with open(edit.path, 'ab') as file:
        file.write(b'more\n')
    case.expect(os.stat(edit.path).st_ino == edit.inode,
                'it has another inode number')
    edit.is_only(edit.old + b'more\n')
    edit.was_one_command()
    # It is the one that replaced it that is replaced next.
    edit.begin()
    with open(edit.path, 'ab') as file:
        file.write(b'again\n')
    edit.is_only(edit.old + b'more\nagain\n')
    edit.was_one_command()


@tap.test
def test_large_edit_is_one_command(case):
    edit = Edit(case)
    new = message(1, body='x' * 70 + '\n' + 'y' * 300000)
    case.expect(edit.write(new) == 0, 'it fails')
    edit.is_only(new)
    edit.was_one_command()


@tap.test
def test_atomic_save_is_one_command(case):
    edit = Edit(case)
    new = message(1, body='new')
    case.expect(edit.save(new) == 0, 'it fails')
    edit.is_only(new)
    edit.was_one_command()


@tap.test
def test_same_octets_send_nothing(case):
    edit = Edit(case)
    case.expect(edit.write(edit.old) == 0, 'it fails')
    edit.is_only(edit.old)
    case.expect(not edit.saw('UID REPLACE*'), edit.saw('UID REPLACE*'))


@tap.test
def test_flags_and_what_others_marked_stay(case):
    edit = Edit(case)
    mailbox = edit.server.find('Other')
    other = mailbox.store(crlf(message(2)), 1795339800, ('\\Deleted',))
    mailbox.set_flags(mailbox.present[0].uid, '\\Flagged', 'work')
    edit.settled()
    new = message(1, body='new')
    case.expect(edit.write(new) == 0, 'it fails')
    edit.settled()
    case.expect(sorted(bodies(edit.place)) ==
                sorted([crlf(new), other.body]), bodies(edit.place))
    case.expect(other in mailbox.present and '\\Deleted' in other.flags,
                'a mark of others is gone')
    stored = next(m for m in mailbox.present if m.body == crlf(new))
    case.expect(set(stored.flags) == {'\\Flagged', 'work'}, stored.flags)
    edit.was_one_command()


@tap.test
def test_without_uidplus_it_is_found(case):
    edit = Edit(case, ABLE.replace(' UIDPLUS', ''))
    new = message(1, body='new')
    case.expect(edit.write(new) == 0, 'it fails')
    edit.is_only(new)
    edit.was_one_command()


@tap.test
def test_unlinked_before_is_not_replaced_by_it(case):
    edit = Edit(case)
    new = message(1, body='new')
    os.unlink(edit.path)
    case.expect(edit.write(new) == 0, 'it fails')
    edit.is_only(new)
    case.expect(not edit.saw('UID REPLACE*'), edit.saw('UID REPLACE*'))


@tap.test
def test_unknown_command_is_stored_the_long_way_and_not_tried_again(case):
    edit = Edit(case)
    edit.refuse('BAD unknown command')
    for body in ('new', 'newer'):
        case.expect(edit.write(message(1, body=body)) == 0, 'it fails')
        edit.is_only(message(1, body=body))
    case.expect(len(edit.saw('UID REPLACE*')) == 1, edit.saw('UID REPLACE*'))
    case.expect(len(edit.saw('APPEND*')) == 2, edit.saw('APPEND*'))


@tap.test
def test_refused_without_a_reason_is_stored_the_long_way(case):
    for answer in ('NO not now', 'NO [CANNOT] not here'):
        edit = Edit(case)
        edit.refuse(answer, times=1)
        for body in ('new', 'newer'):
            case.expect(edit.write(message(1, body=body)) == 0, 'it fails')
            edit.is_only(message(1, body=body))
        case.expect(len(edit.saw('APPEND*')) == 1, edit.saw('APPEND*'))
        case.expect(len(edit.saw('UID REPLACE*')) == 2,
                    edit.saw('UID REPLACE*'))


@tap.test
def test_refused_for_want_of_room_or_rights_is_the_errno(case):
    edit = Edit(case)
    for answer, number in (('NO [OVERQUOTA] full', errno.EDQUOT),
                           ('NO [TOOBIG] too big', errno.EFBIG),
                           ('NO [NOPERM] no', errno.EACCES),
                           ('NO [READ-ONLY] no', errno.EROFS),
                           ('NO [INUSE] busy', errno.EBUSY)):
        edit.refuse(answer)
        new = message(1, body=answer)
        got = edit.write(new)
        case.expect(got == number, answer, errno.errorcode.get(got, got))
        case.expect(bodies(edit.place) == [crlf(edit.old)],
                    bodies(edit.place))
        case.expect(not edit.saw('APPEND*'), 'it was sent again')
        with open(edit.path, 'rb') as file:
            case.expect(file.read() == crlf(edit.old), 'the old one is gone')
        case.expect(lost(edit.place) == {'x.eml'}, lost(edit.place))
        kept = edit.place.path('.imapfs/lost+found/x.eml')
        with open(kept, 'rb') as file:
            case.expect(file.read() == new, 'other octets are kept')
        os.unlink(kept)


@tap.test
def test_expunged_meanwhile_is_stored_all_the_same(case):
    edit = Edit(case)
    mailbox = edit.server.find('Other')

    def hook(line, command):
        del edit.server.hooks['UID REPLACE']
        mailbox.remove(mailbox.present[0].uid)
        return False

    edit.server.hooks['UID REPLACE'] = hook
    new = message(1, body='new')
    case.expect(edit.write(new) == 0, 'it fails')
    edit.is_only(new)
    case.expect(len(edit.saw('APPEND*')) == 1, edit.saw('APPEND*'))


def cut_once(case, stores, way, capabilities=ABLE):
    edit = Edit(case, capabilities)
    edit.cut(stores)
    new = message(1, body='new')
    got = way(edit, new)
    case.expect(got in (0, errno.ENETDOWN, errno.ETIMEDOUT), 'errno', got)
    edit.is_only(new)


for stored in (True, False):
    for word, way in (('in_place', Edit.write), ('atomic', Edit.save)):
        tap.test(name=f'cut_before_the_answer_{word}_'
                 f'{"stored" if stored else "not_stored"}')(
            lambda case, stored=stored, way=way: cut_once(case, stored, way))
    tap.test(name=f'cut_without_uidplus_'
             f'{"stored" if stored else "not_stored"}')(
        lambda case, stored=stored: cut_once(
            case, stored, Edit.write, ABLE.replace(' UIDPLUS', '')))


@tap.test
def test_unmounted_while_pending_goes_on_with_the_next_mount(case):
    for stores in (True, False):
        edit = Edit(case)
        edit.cut(stores)
        edit.server.hooks['UID SEARCH'] = lambda line, command: line.close()
        new = message(1, body='new')
        case.expect(edit.write(new) != 0, 'it succeeds')
        data = edit.place.mount.data
        edit.place.mount.terminate()
        edit.server.hooks.clear()
        edit.place.start(data=data)
        edit.is_only(new)


@tap.test
def test_another_mailbox_of_the_name_loses_nothing(case):
    """What has the number of the old message now is another one."""
    edit = Edit(case)
    mailbox = edit.server.find('Other')
    stranger = crlf(message(7, body='a stranger'))
    new = message(1, body='new')
    file = os.open(edit.path, os.O_WRONLY | os.O_TRUNC)
    os.write(file, new)
    uid = mailbox.present[0].uid
    mailbox.uidvalidity += 1
    mailbox.get(uid).body = stranger
    edit.server.drop_connections()
    try:
        os.close(file)
    except OSError as error:
        case.note(error)
    case.expect(stranger in bodies(edit.place), bodies(edit.place))
    found = wait_until(lambda: crlf(new) in bodies(edit.place) or
                       lost(edit.place) == {'x.eml'}, PATIENT)
    case.expect(found, bodies(edit.place), lost(edit.place))
    case.expect(stranger in bodies(edit.place), bodies(edit.place))


if __name__ == '__main__':
    tap.main(jobs=4)
