#!/usr/bin/env python3
"""What a server does to folders and messages while we change them, folders that
can only be read, disks and accounts that are full, and hostile names: clear
errors, what was written is kept, and no message is lost or doubled."""

import errno
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from dovecot import encode_name
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from mount import BINARY
from scene import Scene
from storing import PATIENT, bodies, lost, put
from writing import Place, crlf, message, small_disk

ABLE = CAPABILITIES + ' MOVE'


class Desk(Scene):
    def __init__(self, case, *more, capabilities=ABLE, **options):
        super().__init__(
            case, [simple_mailbox('INBOX', 5), simple_mailbox('Other', 3),
                   *more], capabilities=capabilities,
            timeout=20 * tap.PATIENCE, options={'xattr': None, **options})
        self.start()
        for folder in ('INBOX', 'Other'):
            os.listdir(self.path(folder))

    def everything(self):
        """Octets of all messages, sorted; told once, however often it is."""
        return sorted(message.body for mailbox in self.server.mailboxes
                      for message in mailbox.present)

    def wait(self):
        """What --wait says of refusals; it is asked until it is content."""
        said = []

        def is_content():
            result = run(BINARY, '--wait', self.mount.mountpoint,
                         limit=3 * PATIENT)
            said.append(result.err)
            return result.ok

        self.case.expect(wait_until(is_content, PATIENT, 0.1),
                         'it is never content:', said[-1:])
        return '\n'.join(dict.fromkeys(text for text in said if text))

    def remove_mailbox(self, name):
        self.server.mailboxes.remove(self.server.find(name))

    def before(self, command, deed):
        """When the command first comes, deed() is done before the answer."""

        def hook(line, asked):
            del self.server.hooks[command]
            with self.server.changing:
                deed()
            return False

        self.server.hooks[command] = hook


def errno_of(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0


# ---- folders that go ----


@tap.test
def test_target_deleted_meanwhile_moves_nothing(case):
    for capabilities, command in ((ABLE, 'UID MOVE'),
                                  (CAPABILITIES, 'UID COPY')):
        desk = Desk(case, Mailbox('Gone'), capabilities=capabilities)
        before = desk.everything()
        desk.before(command, lambda: desk.remove_mailbox('Gone'))
        os.rename(desk.file(2), desk.path('Gone/two.eml'))
        said = desk.wait()
        case.expect('not moved' in said, said)
        case.expect(desk.everything() == before, 'it is not what it was')
        case.expect('2.eml' in os.listdir(desk.path('INBOX')),
                    os.listdir(desk.path('INBOX')))


@tap.test
def test_folder_deleted_while_it_is_written_to_keeps_the_octets(case):
    desk = Desk(case, Mailbox('Gone'))
    desk.before('APPEND', lambda: desk.remove_mailbox('Gone'))
    got = put(case, desk, folder='Gone')
    case.expect(got == errno.ENOENT, errno.errorcode.get(got, got))
    case.expect(lost(desk) == {'x.eml'}, lost(desk))
    with open(desk.path('.imapfs/lost+found/x.eml'), 'rb') as file:
        case.expect(file.read() == message(), 'other octets are kept')
    # It can be stored somewhere else.
    os.rename(desk.path('.imapfs/lost+found/x.eml'),
              desk.path('Other/saved.eml'))
    case.expect(crlf(message()) in bodies(desk), 'it cannot be stored')


@tap.test
def test_folder_deleted_while_an_upload_waits_keeps_the_octets(case):
    desk = Desk(case, Mailbox('Gone'), writeback=None)

    def cut(line, asked):
        with desk.server.changing:
            if desk.server.find('Gone') is not None:
                desk.remove_mailbox('Gone')
        line.close()

    desk.server.hooks['APPEND'] = cut
    case.expect(put(case, desk, folder='Gone') == 0, 'it fails')
    case.expect(wait_until(lambda: lost(desk) == {'x.eml'}, 3 * PATIENT),
                lost(desk), desk.mount.messages()[-2000:])
    said = desk.wait()
    case.expect('x.eml' in said, said)
    with open(desk.path('.imapfs/lost+found/x.eml'), 'rb') as file:
        case.expect(file.read() == message(), 'other octets are kept')


@tap.test
def test_source_deleted_meanwhile_is_told(case):
    desk = Desk(case, simple_mailbox('Gone', 2))
    os.listdir(desk.path('Gone'))
    before = [m.body for name in ('INBOX', 'Other')
              for m in desk.server.find(name).present]
    both = threading.Event()

    def cut(line, asked):
        """When both are waiting, the folder goes with the line: nothing comes
        between."""
        with desk.server.changing:
            if both.is_set() and desk.server.find('Gone'):
                desk.remove_mailbox('Gone')
                desk.server.behave()
        line.close()

    for command in ('UID MOVE', 'UID STORE'):
        desk.server.hooks[command] = cut
    os.rename(desk.file(1, 'Gone'), desk.path('Other/one.eml'))
    os.unlink(desk.file(2, 'Gone'))
    both.set()
    case.expect(wait_until(lambda: not desk.server.find('Gone'), PATIENT),
                'it is not sent')
    said = desk.wait()
    case.expect('not moved' in said, said)
    case.expect(desk.everything() == sorted(before), 'others are not there')
    case.expect(not os.path.exists(desk.path('Other/one.eml')),
                'it shows where it is not')


@tap.test
def test_target_that_cannot_be_read_for_a_while_gets_the_message(case):
    """Without MOVE it is read first; it contradicts itself while others are
    just changing it."""
    desk = Desk(case, capabilities=CAPABILITIES)
    left = [5]

    def search(line, asked):
        if left[0] == 0 or line.mailbox.name != 'Other':
            return False
        left[0] -= 1
        return line.send(f'* ESEARCH (TAG "{asked.tag}") UID ALL 1\r\n'
                         f'{asked.tag} OK done\r\n'.encode())

    desk.server.hooks['UID SEARCH'] = search
    os.rename(desk.file(2), desk.path('Other/two.eml'))
    case.expect(wait_until(lambda: len(bodies(desk)) == 4, PATIENT),
                'it is not moved', desk.mount.messages()[-1000:])
    said = desk.wait()
    case.expect('not moved' not in said, said)
    case.expect(left[0] == 0 and len(bodies(desk)) == 4 and
                len(bodies(desk, 'INBOX')) == 4, left, len(bodies(desk)))
    case.expect('two.eml' in os.listdir(desk.path('Other')),
                os.listdir(desk.path('Other')))


# ---- folders that are renamed ----


@tap.test
def test_target_renamed_meanwhile_loses_nothing(case):
    desk = Desk(case, Mailbox('Old'))
    before = desk.everything()
    desk.before('UID MOVE', lambda: setattr(desk.server.find('Old'), 'name',
                                            'New'))
    os.rename(desk.file(2), desk.path('Old/two.eml'))
    said = desk.wait()
    case.expect('not moved' in said, said)
    case.expect(desk.everything() == before, 'it is not what it was')


@tap.test
def test_folder_renamed_while_it_is_written_to_keeps_the_octets(case):
    desk = Desk(case, simple_mailbox('Old', 2))
    os.listdir(desk.path('Old'))
    before = desk.everything()
    desk.before('APPEND', lambda: setattr(desk.server.find('Old'), 'name',
                                          'New'))
    with open(desk.file(1, 'Old'), 'rb') as file:
        data = file.read()
    got = put(case, desk, data + b'more\r\n', '1.eml', 'Old')
    case.expect(got == errno.ENOENT, errno.errorcode.get(got, got))
    case.expect(desk.everything() == before, 'it is not what it was')
    case.expect(lost(desk) == {'1.eml'}, lost(desk))


@tap.test
def test_source_renamed_while_changes_wait_loses_nothing(case):
    desk = Desk(case, simple_mailbox('Old', 3))
    os.listdir(desk.path('Old'))
    before = desk.everything()
    for command in ('UID MOVE', 'UID STORE'):
        desk.server.hooks[command] = lambda line, asked: line.close()
    os.rename(desk.file(1, 'Old'), desk.path('Other/one.eml'))
    os.setxattr(desk.file(2, 'Old'), 'user.imap.flags', b'+\\Flagged')
    case.expect(wait_until(lambda: desk.server.saw('UID MOVE*'), PATIENT),
                'it is not sent')
    with desk.server.changing:
        desk.server.find('Old').name = 'New'
    desk.server.behave()
    said = desk.wait()
    case.expect(desk.everything() == before, 'it is not what it was')
    where = [mailbox.name for mailbox in desk.server.mailboxes
             for one in mailbox.present
             if b'number 1\r' in one.body and mailbox.name in ('New', 'Other')]
    case.expect(where.count('New') + where.count('Other') == 2, where, said)


# ---- messages that go ----


@tap.test
def test_expunged_meanwhile_is_told_and_takes_nothing_along(case):
    desk = Desk(case)
    mailbox = desk.server.find('INBOX')
    others = [m.body for m in mailbox.present if m.uid in (3, 4, 5)]
    theirs = desk.server.find('Other').present
    for command, uid, change in (
            ('UID MOVE', 1, lambda: os.rename(desk.file(1),
                                              desk.path('Other/one.eml'))),
            ('UID STORE', 2, lambda: os.unlink(desk.file(2)))):
        desk.before(command, lambda uid=uid: mailbox.remove(uid))
        change()
        desk.wait()
    case.expect([m.body for m in mailbox.present] == others, 'others went')
    case.expect(desk.server.find('Other').present == theirs, 'something came')
    case.expect(set(os.listdir(desk.path('INBOX'))) ==
                {'3.eml', '4.eml', '5.eml'}, os.listdir(desk.path('INBOX')))
    case.expect(not os.path.exists(desk.path('Other/one.eml')),
                'it shows where it is not')


@tap.test
def test_expunged_while_it_is_edited_is_stored_as_a_new_one(case):
    desk = Desk(case)
    with open(desk.file(2), 'rb') as file:
        new = file.read() + b'more\r\n'
    desk.before('APPEND', lambda: desk.server.find('INBOX').remove(2))
    case.expect(put(case, desk, new, '2.eml', 'INBOX') == 0, 'it fails')
    desk.wait()
    case.expect(bodies(desk, 'INBOX').count(new) == 1, 'it is not there once')
    case.expect(len(bodies(desk, 'INBOX')) == 5, len(bodies(desk, 'INBOX')))


@tap.test
def test_expunged_while_it_is_copied_copies_nothing(case):
    desk = Desk(case)
    desk.before('UID COPY', lambda: desk.server.find('INBOX').remove(2))
    result = run('cp', desk.file(2), desk.path('Other/c.eml'))
    desk.wait()
    case.expect(not result.ok, 'cp succeeds')
    case.expect(len(bodies(desk)) == 3, len(bodies(desk)))
    case.expect('c.eml' not in os.listdir(desk.path('Other')),
                os.listdir(desk.path('Other')))


# ---- folders that can only be read ----


def changes(desk, folder):
    """Each kind of change in the folder, as (name, function)."""
    path = desk.file(1, folder)
    return (('rm', lambda: os.unlink(path)),
            ('mv away', lambda: os.rename(path, desk.path('INBOX/away.eml'))),
            ('mv there', lambda: os.rename(desk.file(2),
                                           desk.path(folder, 'new.eml'))),
            ('flag', lambda: os.setxattr(path, 'user.imap.flags',
                                         b'+\\Flagged')))


@tap.test
def test_read_only_by_the_server_is_an_error_and_changes_nothing(case):
    for sync in (True, False):
        desk = Desk(case, **({'sync': None} if sync else {}))
        desk.server.find('Other').read_only = True
        before = desk.everything()
        for name, change in changes(desk, 'Other'):
            got = errno_of(change)
            case.expect(got in ((errno.EROFS, errno.EACCES) if sync else
                                (0, errno.EROFS, errno.EACCES)), name,
                        errno.errorcode.get(got, got))
            said = desk.wait() if not sync else ''
            case.expect(sync or got != 0 or 'not' in said, name, said)
            case.expect(desk.everything() == before, name, 'changed something')
        # At once, or, if the server has not said so yet, when it is closed.
        closed = []
        got = errno_of(lambda: closed.append(put(case, desk)))
        case.expect((got or closed[0]) in (errno.EROFS, errno.EACCES), got,
                    closed)
        case.expect(lost(desk) == ({'x.eml'} if closed else set()),
                    lost(desk))
        case.expect(desk.everything() == before, 'it is stored')
        case.expect(set(os.listdir(desk.path('Other'))) ==
                    {'1.eml', '2.eml', '3.eml'},
                    os.listdir(desk.path('Other')))
        flags = {m.flags for m in desk.server.find('Other').present}
        case.expect(flags == {()}, flags)


@tap.test
def test_rights_that_were_taken_away_are_an_error_and_change_nothing(case):
    desk = Desk(case, capabilities=ABLE + ' ACL', sync=None)
    desk.server.find('Other').rights = 'lr'
    desk.server.hooks.update({
        command: lambda line, asked: line.send(
            f'{asked.tag} NO [NOPERM] no\r\n'.encode())
        for command in ('UID STORE', 'UID EXPUNGE')})
    before = desk.everything()
    for name, change in changes(desk, 'Other'):
        if name == 'mv away':  # the scripted server does not mind
            continue
        got = errno_of(change)
        case.expect(got == errno.EACCES, name, errno.errorcode.get(got, got))
        case.expect(desk.everything() == before, name, 'changed something')


def shared(rights):
    mailbox = simple_mailbox('Shared', 3)
    mailbox.rights = rights
    return mailbox


@tap.test
def test_read_only_by_rights_is_an_error_before_anything_is_sent(case):
    desk = Desk(case, shared('lr'), capabilities=ABLE + ' ACL', mark_seen=None)
    before = desk.everything()
    for name, change in changes(desk, 'Shared'):
        got = errno_of(change)
        case.expect(got == errno.EACCES, name, errno.errorcode.get(got, got))
        case.expect(desk.everything() == before, name, 'changed something')
    new = desk.path('.imapfs/maildir/Shared/new')
    name = os.listdir(new)[0]
    got = errno_of(os.rename, f'{new}/{name}', f'{new}/../cur/{name}:2,F')
    case.expect(got == errno.EACCES, name, errno.errorcode.get(got, got))
    # To read is allowed, and to mark what was read is not even tried.
    case.expect(run('cat', desk.file(1, 'Shared')).ok, 'cannot be read')
    desk.wait()
    for command in ('UID STORE', 'UID MOVE', 'UID COPY', 'UID EXPUNGE'):
        case.expect(not desk.server.saw(command), command, 'was sent')


@tap.test
def test_right_to_some_flags_is_no_right_to_others(case):
    desk = Desk(case, shared('lrs'), capabilities=ABLE + ' ACL')
    path = desk.file(1, 'Shared')
    for flags, wanted in (('+\\Flagged', errno.EACCES), ('+\\Seen', 0),
                          ('+work', errno.EACCES),
                          ('\\Answered', errno.EACCES)):
        got = errno_of(lambda flags=flags: os.setxattr(
            path, 'user.imap.flags', flags.encode()))
        case.expect(got == wanted, flags, errno.errorcode.get(got, got))
    desk.wait()
    found = desk.server.find('Shared').present[0].flags
    case.expect(found == ('\\Seen',), found)


@tap.test
def test_right_that_was_given_is_seen_by_who_needs_it(case):
    """What was told once is not believed for minutes, if it is a refusal."""
    desk = Desk(case, shared('lr'), capabilities=ABLE + ' ACL')
    shared_folder = desk.server.find('Shared')
    steps = (('s', lambda path: os.setxattr(path, 'user.imap.flags',
                                            b'+\\Seen')),
             ('wi', lambda path: os.rename(
                 desk.file(2), desk.path('Shared/moved.eml'))),
             ('te', os.unlink))
    path = desk.file(1, 'Shared')
    for letters, change in steps:
        got = errno_of(lambda change=change: change(path))
        case.expect(got == errno.EACCES, letters, errno.errorcode.get(got, got))
        shared_folder.rights += letters
        got = [0]

        def is_allowed(change=change, got=got):
            got[0] = errno_of(lambda: change(path))
            return got[0] == 0
        case.expect(wait_until(is_allowed, PATIENT), letters,
                    errno.errorcode.get(got[0], got[0]))
    got = errno_of(lambda: put(case, desk, folder='Shared'))
    case.expect(got == 0, errno.errorcode.get(got, got))
    desk.wait()
    case.expect([one.uid for one in shared_folder.present] == [2, 3, 4, 5],
                shared_folder.present)


# ---- no room ----


@tap.test
def test_over_quota_of_dovecot_is_edquot_and_kept(case):
    extra = ('protocol imap {\n  mail_plugins = $mail_plugins quota imap_quota'
             '\n}\nplugin {\n  quota = maildir:User quota\n'
             '  quota_rule = *:storage=60K\n  quota_grace = 0\n}')
    place = Place(case, mailboxes=['Full'], mounted=False, extra=extra)
    place.start(arguments=('-d',))
    stored, got = [], 0
    for number in range(20):
        data = message(number, body='x' * 60 + '\n' + 'y' * 9000)
        got = put(case, place, data, f'n{number}.eml', 'Full')
        if got != 0:
            break
        stored.append(data)
    case.expect(got == errno.EDQUOT, errno.errorcode.get(got, got))
    case.expect(stored, 'none was stored')
    place.expect_stored(stored, 'Full')
    case.expect(place.lost() == {f'n{number}.eml'}, place.lost())
    found = os.statvfs(place.path('Full'))
    case.expect(found.f_bavail * found.f_frsize < 20000, found)
    # Room is made, and what was lost is stored.
    os.unlink(place.path('Full/n0.eml'))
    run(BINARY, '--wait', place.mount.mountpoint, limit=PATIENT)
    os.rename(place.path(f'.imapfs/lost+found/n{number}.eml'),
              place.path(f'Full/n{number}.eml'))
    place.expect_stored(stored[1:] + [data], 'Full')


@tap.test
def test_full_disk_of_the_cache_hinders_nothing(case):
    small = small_disk(case, '3m')
    desk = Desk(case, cache_dir=small)
    with open(small + '/filler', 'wb') as filler:
        errno_of(filler.write, b'x' * 4 * 1024 * 1024)
        errno_of(filler.flush)
    big = message(7, body='x' * 70 + '\n' + 'y' * 2_000_000)
    for number in range(3):
        case.expect(put(case, desk, message(number), f'n{number}.eml') == 0,
                    'it fails')
    case.expect(put(case, desk, big, 'big.eml') == 0, 'it fails')
    os.rename(desk.file(1), desk.path('Other/one.eml'))
    os.unlink(desk.file(2))
    desk.wait()
    case.expect(len(bodies(desk)) == 8 and crlf(big) in bodies(desk),
                len(bodies(desk)))
    case.expect(len(bodies(desk, 'INBOX')) == 3, len(bodies(desk, 'INBOX')))
    with open(desk.path('Other/big.eml'), 'rb') as file:
        case.expect(file.read() == crlf(big), 'other octets')


def comes_back(desk, times=1, with_mail=(), attributes=()):
    """DELETE says OK, and the mailbox is there again, that many times: as with
    Dovecot, when another session looks at it meanwhile."""
    left = [times]

    def hook(line, asked):
        if left[0] == 0:
            return False
        left[0] -= 1
        with desk.server.changing:
            desk.remove_mailbox('Back')
            desk.server.mailboxes.append(Mailbox(
                'Back', list(with_mail), 900 + left[0], attributes))
        line.line(f'{asked.tag} OK done')
        return True

    desk.server.hooks['DELETE'] = hook


@tap.test
def test_folder_that_is_there_again_is_removed_again(case):
    for times, wanted in ((1, 0), (2, 0), (9, errno.EIO)):
        desk = Desk(case, Mailbox('Back'))
        os.listdir(desk.path('Back'))
        comes_back(desk, times)
        mark = desk.server.mark()
        got = errno_of(os.rmdir, desk.path('Back'))
        case.expect(got == wanted, times, errno.errorcode.get(got, got))
        case.expect(len(desk.server.saw('DELETE*', mark)) == min(times + 1, 4),
                    times, [str(one) for one in desk.server.saw('*', mark)])
        there = 'Back' in os.listdir(desk.mount.mountpoint)
        case.expect(there == (wanted != 0) ==
                    (desk.server.find('Back') is not None), times, there)


@tap.test
def test_folder_that_is_there_again_with_mail_stays(case):
    desk = Desk(case, Mailbox('Back'))
    os.listdir(desk.path('Back'))
    comes_back(desk, with_mail=simple_mailbox('Back', 1).messages)
    got = errno_of(os.rmdir, desk.path('Back'))
    case.expect(got == errno.ENOTEMPTY, errno.errorcode.get(got, got))
    case.expect(len(bodies(desk, 'Back')) == 1, 'its message is gone')


@tap.test
def test_folder_that_mail_comes_to_after_the_counting_stays(case):
    desk = Desk(case, Mailbox('Back'))
    os.listdir(desk.path('Back'))
    back = desk.server.find('Back')

    def hook(line, asked):
        if line.mailbox is not back or back.present:
            return False
        line.send(line.default(asked))
        with desk.server.changing:
            back.store(crlf(message(1)), 1700000000)
        return True

    desk.server.hooks['UID SEARCH'] = hook
    got = errno_of(os.rmdir, desk.path('Back'))
    case.expect(got == errno.ENOTEMPTY, errno.errorcode.get(got, got))
    case.expect(len(bodies(desk, 'Back')) == 1, 'its message is gone')


@tap.test
def test_folder_whose_messages_the_server_does_not_count_stays(case):
    """It may say so by NO; or by nothing, where many can be asked for at
    once."""
    for capabilities in (CAPABILITIES.replace(' LIST-STATUS', ''),
                         CAPABILITIES):
        desk = Desk(case, Mailbox('Back'), capabilities=capabilities)
        os.listdir(desk.path('Back'))
        back = desk.server.find('Back')

        def hook(line, asked, back=back):
            with desk.server.changing:
                back.store(crlf(message(1)), 1700000000)
            word = 'NO' if asked.name == 'STATUS' else 'OK'
            line.send(f'{asked.tag} {word} not now\r\n'.encode())
            return True

        desk.server.hooks['STATUS'] = hook
        desk.server.hooks['LIST'] = lambda line, asked, hook=hook: (
            'Back' in asked.text and 'STATUS' in asked.text and
            hook(line, asked))
        got = errno_of(os.rmdir, desk.path('Back'))
        case.expect(got == errno.EBUSY, errno.errorcode.get(got, got))
        case.expect(desk.server.find('Back') is back and back.present,
                    'it is gone, with its message')
        desk.server.hooks.clear()
        desk.mount.unmount()


@tap.test
def test_folder_of_which_a_directory_is_left_is_removed_again(case):
    desk = Desk(case, Mailbox('Back'))
    comes_back(desk, 2, attributes=('\\Noselect',))
    got = errno_of(os.rmdir, desk.path('Back'))
    case.expect(got == 0, errno.errorcode.get(got, got))
    case.expect(desk.server.find('Back') is None, 'it is there')
    case.expect('Back' not in os.listdir(desk.mount.mountpoint), 'it shows')


@tap.test
def test_folder_that_is_merely_listed_longer_is_removed(case):
    desk = Desk(case, Mailbox('Back'))
    left = [2]

    def hook(line, asked):
        if left[0] > 0 and desk.server.find('Back') is None:
            left[0] -= 1
            line.send(line.list_line(Mailbox('Back')))
        return False

    desk.server.hooks['LIST'] = hook
    got = errno_of(os.rmdir, desk.path('Back'))
    case.expect(got == 0, errno.errorcode.get(got, got))
    case.expect(left == [0], [str(one) for one in desk.server.saw('*')])
    case.expect('Back' not in os.listdir(desk.mount.mountpoint), 'it shows')


# ---- names ----

FROM_SERVER = ('..', 'x/../y', '%2F', '%2e', 'q' * 300, 'a\u202eb', '&2D3c5w-',
               'a b', 'tab\tbed', 'star*', 'quote"d', 'back\\slash', 'x{5}')
# Shown, for something is below them; the server has none of that name.
ABOVE = ('x', 'x/%2E%2E')


@tap.test
def test_hostile_names_of_the_server_can_be_written_to(case):
    desk = Desk(case, *(Mailbox(name) for name in FROM_SERVER))
    folders = sorted(
        os.path.relpath(folder, desk.mount.mountpoint)
        for folder, _, _ in os.walk(desk.mount.mountpoint)
        if folder != desk.mount.mountpoint)
    written = {}
    for number, folder in enumerate(folders):
        data = message(number, body=f'for folder {number}')
        if folder in ABOVE:
            case.expect(errno_of(put, case, desk, data, 'here.eml', folder) ==
                        errno.EACCES, folder, 'can be written to')
        elif put(case, desk, data, 'here.eml', folder) == 0:
            written[folder] = crlf(data)
    for name in FROM_SERVER:
        there = bodies(desk, name)
        case.expect(len(there) == 1 and list(written.values()).count(
            there[0]) == 1, repr(name), 'holds', there)
    case.expect(len(written) == len(FROM_SERVER) + 2, sorted(written))
    for folder, data in written.items():
        with open(desk.path(folder, 'here.eml'), 'rb') as file:
            case.expect(file.read() == data, folder, 'shows another one')
        os.unlink(desk.path(folder, 'here.eml'))
    desk.wait()
    for folder in written:
        if folder not in ('INBOX', 'Other'):
            got = errno_of(os.rmdir, desk.path(folder))
            case.expect(got == 0, folder, errno.errorcode.get(got, got))
    names = {mailbox.name for mailbox in desk.server.mailboxes}
    case.expect(names & set(FROM_SERVER) == set(), names)
    case.expect(not desk.server.errors, desk.server.errors)


# What is refused, with which errno; 0: it is made, and shows so.
TO_SERVER = (
    ('cr\rlf', errno.EPERM), ('lf\nlf', errno.EPERM),
    ('a\r\nx1 DELETE INBOX', errno.EPERM), ('%0D%0A', errno.EINVAL),
    ('q' * 256, errno.ENAMETOOLONG), ('.git', errno.EPERM),
    ('.Trash-0', errno.EPERM), ('..hidden', errno.EPERM),
    ('a%2Fb', errno.EINVAL), ('%2F', errno.EINVAL),
    ('Other', errno.EEXIST), ('INBOX', errno.EEXIST),
    ('bad\udcff', errno.EPERM), ('per%cent', errno.EINVAL),
    ('📧', 0), ('Entwürfe', 0), ('a b', 0), ('quote"d', 0), ('back\\slash', 0),
    ('ampers&nd', 0), ('x{5}', 0), ('100%', 0), ('%zz', 0), ('q' * 255, 0),
)


@tap.test
def test_hostile_names_are_made_exactly_or_refused(case):
    desk = Desk(case)
    for name, number in TO_SERVER:
        mark = desk.server.mark()
        got = errno_of(os.mkdir, desk.path(name))
        case.expect(got == number, repr(name), errno.errorcode.get(got, got))
        created = desk.server.saw('CREATE*', mark)
        case.expect(bool(created) == (number == 0), repr(name),
                    [str(one) for one in created])
        if number != 0:
            continue
        case.expect(name in os.listdir(desk.mount.mountpoint), repr(name),
                    os.listdir(desk.mount.mountpoint))
        case.expect(desk.server.find(encode_name(name)) is not None,
                    repr(name), [m.name for m in desk.server.mailboxes])
        case.expect(put(case, desk, message(3), 'x.eml', name) == 0,
                    repr(name), 'cannot be written to')
        os.unlink(desk.path(name, 'x.eml'))
        desk.wait()
        got = errno_of(os.rmdir, desk.path(name))
        case.expect(got == 0, repr(name), errno.errorcode.get(got, got))
    case.expect({mailbox.name for mailbox in desk.server.mailboxes} ==
                {'INBOX', 'Other'}, desk.server.mailboxes)
    case.expect(not desk.server.errors, desk.server.errors)


if __name__ == '__main__':
    tap.main(jobs=4)
