#!/usr/bin/env python3
"""Changes that a server refuses, does by halves, or answers by hanging up: the
mount shows again what was before, and says why. No message is lost, and none is
doubled. Each response code is in test_codes."""

import errno
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import simple_mailbox
from mount import BINARY
from scene import Scene

ABLE = CAPABILITIES + ' MOVE'


class Desk(Scene):
    def __init__(self, case, capability=ABLE, timeout=5, **options):
        super().__init__(
            case, [simple_mailbox('INBOX', 6), simple_mailbox('Other', 3)],
            capabilities=capability, timeout=timeout * tap.PATIENCE,
            options={'xattr': None, 'poll': 2, **options})
        self.start()
        self.run = lambda *words: run(*words, limit=60 * tap.PATIENCE)

    def refuse(self, command, code):
        text = f'NO [{code}] no' if code else 'NO just no'
        self.server.hooks[command] = lambda one, asked: one.line(
            f'{asked.tag} {text}')

    def names(self, folder='INBOX'):
        # Not by Python's own calls: the server lives in this process.
        return set(self.run('ls', '-f', self.path(folder)).out.decode().split()
                   ) - {'.', '..'}

    def uids(self, folder='INBOX'):
        return sorted(m.uid for m in self.server.find(folder).present)

    def fails(self, number, *words):
        result = self.run(*words)
        wanted = os.strerror(number)
        self.case.expect(not result.ok and wanted in result.err,
                         f'wanted: {wanted};', result)

    def settled(self, *words):
        """--wait tells of what was refused; and again it tells nothing."""
        result = self.run(BINARY, '--wait', self.mount.mountpoint)
        self.case.expect(not result.ok, 'nothing was refused', result)
        for word in words:
            self.case.expect(word in result.err, word, 'is not in', result)
        again = self.run(BINARY, '--wait', self.mount.mountpoint)
        self.case.expect(again.clean, again)


def mv(desk, uid=2, name='two.eml'):
    return ('mv', desk.file(uid), desk.path('Other', name))


def flag(desk, uid=2):
    return ('setfattr', '-n', 'user.imap.flags', '-v', '+\\Flagged',
            desk.file(uid))


@tap.test(limit=120)
def test_refused_in_the_background_is_undone_and_told(case):
    desk = Desk(case)
    desk.names('Other')
    desk.refuse('UID MOVE', 'OVERQUOTA')
    desk.refuse('UID STORE', 'NOPERM')
    for words in (mv(desk), ('rm', desk.file(3)), flag(desk, 4)):
        result = desk.run(*words)
        case.expect(result.clean, result)
    desk.settled('not moved', 'not deleted', 'flags')
    case.expect(desk.names() == {f'{uid}.eml' for uid in range(1, 7)},
                desk.names())
    case.expect(desk.names('Other') == {'1.eml', '2.eml', '3.eml'},
                desk.names('Other'))
    shown = desk.run('getfattr', '--only-values', '-n', 'user.imap.flags',
                     desk.file(4))
    case.expect(b'Flagged' not in shown.out, shown, shown.out)
    case.expect('not moved' in desk.mount.messages(), 'the log has nothing')
    desk.server.behave()
    case.expect(desk.run(*mv(desk)).clean, 'it cannot be moved afterwards')
    result = desk.run(BINARY, '--wait', desk.mount.mountpoint)
    case.expect(result.clean, result)
    case.expect(desk.uids('Other') == [1, 2, 3, 4], desk.uids('Other'))


@tap.test(limit=120)
def test_fsync_of_a_folder_tells_of_a_refusal_once(case):
    desk = Desk(case)
    desk.names('Other')
    desk.refuse('UID MOVE', 'OVERQUOTA')
    case.expect(desk.run(*mv(desk)).clean, 'mv failed')
    desk.fails(errno.EDQUOT, 'sync', desk.path('Other'))
    result = desk.run('sync', desk.path('Other'))
    case.expect(result.clean, result)


@tap.test(limit=120)
def test_refused_replacement_leaves_both(case):
    desk = Desk(case, timeout=60)
    desk.names('Other')
    case.expect(desk.run(*mv(desk, 3, 'x.eml')).clean, 'mv failed')
    case.expect(desk.run(BINARY, '--wait', desk.mount.mountpoint).clean,
                'it was not moved')
    body = desk.server.find('Other').get(4).body
    desk.server.find('INBOX').store(body, 1795339800)
    case.expect(wait_until(lambda: '7.eml' in desk.names(), 70 * tap.PATIENCE),
                desk.names())
    looked = threading.Event()
    case.defer(looked.set)
    desk.server.hooks['UID MOVE'] = lambda one, asked: (
        looked.wait(60 * tap.PATIENCE), one.line(f'{asked.tag} NO [OVERQUOTA] no'))
    replace = ('mv', '-f', desk.file(7), desk.path('Other/x.eml'))
    case.expect(desk.run(*replace).clean, 'mv onto the same failed')
    case.expect('7.eml' not in desk.names(), 'it shows twice')
    looked.set()
    desk.settled('not moved')
    case.expect(7 in desk.uids() and 4 in desk.uids('Other'),
                desk.uids(), desk.uids('Other'))
    case.expect('7.eml' in desk.names(), desk.names())
    case.expect(desk.run('cat', desk.path('Other/4.eml')).out == body,
                'the old one does not show')
    desk.server.behave()
    case.expect(desk.run('mv', desk.file(7), desk.path('Other/y.eml')).clean,
                'mv failed')
    case.expect(desk.run(BINARY, '--wait', desk.mount.mountpoint).clean,
                'it was not moved')
    case.expect(desk.uids('Other') == [1, 2, 3, 4, 5], desk.uids('Other'))


def cut_after(desk, command, does_it):
    """The connection ends instead of an answer; the server has done it, or
    not. Once."""

    def hook(one, asked):
        del desk.server.hooks[command]
        if does_it:
            one.default(asked)
        one.close()

    desk.server.hooks[command] = hook


def cut_each(case, capability, commands):
    for does_it in (True, False):
        desk = Desk(case, capability)
        desk.names('Other')
        there = 3
        for uid, command in enumerate(commands, 1):
            cut_after(desk, command, does_it)
            name = f'moved-{uid}.eml'
            case.expect(desk.run(*mv(desk, uid, name)).clean, command)
            result = desk.run(BINARY, '--wait', desk.mount.mountpoint)
            wait_until(lambda: desk.run(
                BINARY, '--wait', desk.mount.mountpoint).ok, 30 * tap.PATIENCE)
            there += 1
            case.expect(uid not in desk.uids(), f'{command}: it is here still')
            case.expect(len(desk.uids('Other')) == there,
                        f'{command}, done: {does_it}: there are '
                        f'{len(desk.uids("Other"))} and not {there}', result)
            case.expect(name in desk.names('Other'), command, name,
                        desk.names('Other'))
        desk.mount.unmount(limit=30)


@tap.test(limit=240)
def test_line_cut_in_a_move_moves_once(case):
    cut_each(case, ABLE, ('UID MOVE',))


@tap.test(limit=300)
def test_line_cut_in_a_copy_or_what_follows_moves_once(case):
    cut_each(case, CAPABILITIES, ('UID COPY', 'UID STORE', 'UID EXPUNGE'))


@tap.test(limit=300)
def test_line_cut_without_uidplus_moves_once(case):
    cut_each(case, CAPABILITIES.replace(' UIDPLUS', ''),
             ('UID COPY', 'UID STORE', 'EXPUNGE'))


@tap.test(limit=120)
def test_marks_of_others_come_back_after_a_line_that_was_cut(case):
    desk = Desk(case, CAPABILITIES.replace(' UIDPLUS', ''))
    for uid in (4, 5):
        desk.server.find('INBOX').get(uid).flags += ('\\Deleted',)
    cut_after(desk, 'EXPUNGE', False)
    case.expect(desk.run('rm', desk.file(1)).clean, 'rm failed')
    case.expect(wait_until(lambda: desk.uids() == [2, 3, 4, 5, 6],
                           30 * tap.PATIENCE), desk.uids())
    case.expect(wait_until(
        lambda: [m.uid for m in desk.server.find('INBOX').present
                 if '\\Deleted' in m.flags] == [4, 5], 30 * tap.PATIENCE),
        'marks of others are gone',
        [(m.uid, m.flags) for m in desk.server.find('INBOX').present])


@tap.test(limit=120)
def test_marks_of_others_come_back_though_the_server_is_busy(case):
    desk = Desk(case, CAPABILITIES.replace(' UIDPLUS', ''))
    inbox = desk.server.find('INBOX')
    for uid in (4, 5):
        inbox.get(uid).flags += ('\\Deleted',)
    left = ['INUSE', 'LIMIT']

    def refuse(one, asked):
        if not left or not asked.text.startswith('4:5 +'):
            return False
        one.line(f'{asked.tag} NO [{left.pop()}] not now')
        return True

    desk.server.hooks['UID STORE'] = refuse
    case.expect(desk.run('rm', desk.file(1)).clean, 'rm failed')
    case.expect(wait_until(lambda: not left and [
        m.uid for m in inbox.present if '\\Deleted' in m.flags] == [4, 5],
        60 * tap.PATIENCE), 'marks of others are gone', left,
        [(m.uid, m.flags) for m in inbox.present])


@tap.test(limit=120)
def test_what_was_replaced_goes_though_the_server_is_busy(case):
    desk = Desk(case, CAPABILITIES)
    left = ['INUSE', 'UNAVAILABLE', 'INUSE']

    def refuse(one, asked):
        if not left:
            return False
        one.line(f'{asked.tag} NO [{left.pop()}] not now')
        return True

    desk.server.hooks['UID STORE'] = refuse
    result = desk.run('sh', '-c', f'echo more >> {desk.file(2)}')
    case.expect(result.clean, result)
    case.expect(wait_until(lambda: not left and
                           desk.uids() == [1, 3, 4, 5, 6, 7],
                           60 * tap.PATIENCE), left, desk.uids())
    result = desk.run(BINARY, '--wait', desk.mount.mountpoint)
    case.expect(result.clean, result)


@tap.test(limit=120)
def test_flags_of_a_copy_that_goes_again_are_those_of_the_original(case):
    desk = Desk(case, CAPABILITIES, timeout=60)
    desk.names('Other')
    asked_for, flagged = threading.Event(), threading.Event()

    def refuse(one, asked):
        if one.mailbox.name != 'INBOX':
            return False
        asked_for.set()
        flagged.wait(60 * tap.PATIENCE)
        one.line(f'{asked.tag} NO [NOPERM] no')
        return True

    desk.server.hooks['UID EXPUNGE'] = refuse
    case.expect(desk.run(*mv(desk)).clean, 'mv failed')
    case.expect(asked_for.wait(20 * tap.PATIENCE), 'it is not expunged')
    result = desk.run('setfattr', '-n', 'user.imap.flags', '-v',
                      '+\\Flagged', desk.path('Other/two.eml'))
    case.expect(result.clean, result)
    case.expect(wait_until(lambda: any(
        '\\Flagged' in m.flags for m in desk.server.find('Other').present),
        20 * tap.PATIENCE), 'the copy is not flagged')
    flagged.set()
    desk.settled('not moved')
    case.expect(wait_until(lambda: desk.uids('Other') == [1, 2, 3],
                           30 * tap.PATIENCE), desk.uids('Other'))
    case.expect(wait_until(lambda: '\\Flagged' in
                           desk.server.find('INBOX').get(2).flags,
                           30 * tap.PATIENCE),
                desk.server.find('INBOX').get(2).flags)


@tap.test(limit=120)
def test_flags_that_a_copy_lacks_stay_with_the_original(case):
    """The server has copied the message without them."""
    desk = Desk(case, CAPABILITIES, timeout=60)
    desk.names('Other')
    other = desk.server.find('Other')
    two = desk.server.find('INBOX').get(2)
    case.expect(desk.run(*flag(desk)).clean, 'it is not flagged')
    case.expect(wait_until(lambda: '\\Flagged' in two.flags,
                           20 * tap.PATIENCE), two.flags)
    read = []

    def copy(one, asked):
        answer = one.default(asked)
        other.present[-1].flags = ()
        one.send(answer)

    def refuse(one, asked):
        if one.mailbox.name != 'INBOX':
            return False
        read.append(wait_until(lambda: not desk.run(
            'getfattr', '--only-values', '-n', 'user.imap.flags',
            desk.path('Other/two.eml')).out.strip(), 30 * tap.PATIENCE))
        one.line(f'{asked.tag} NO [NOPERM] no')
        return True

    desk.server.hooks.update({'UID COPY': copy, 'UID EXPUNGE': refuse})
    case.expect(desk.run(*mv(desk)).clean, 'mv failed')
    desk.settled('not moved')
    case.expect(wait_until(lambda: desk.uids('Other') == [1, 2, 3],
                           30 * tap.PATIENCE), desk.uids('Other'))
    case.expect(read and read[0], 'the flags of the copy are not read')
    result = desk.run(BINARY, '--wait', desk.mount.mountpoint)
    case.expect(result.clean, result)
    case.expect('\\Flagged' in two.flags, two.flags)


@tap.test(limit=120)
def test_server_that_does_nothing_and_says_ok_is_found_out(case):
    desk = Desk(case)
    desk.names('Other')
    desk.server.hooks['UID MOVE'] = lambda one, asked: one.line(
        f'{asked.tag} OK done')
    case.expect(desk.run(*mv(desk)).clean, 'mv failed')
    desk.settled('not moved')
    case.expect(desk.uids() == [1, 2, 3, 4, 5, 6], desk.uids())
    case.expect('2.eml' in desk.names(), desk.names())


for refused in 'STORE', 'MOVE':
    @tap.test(arguments=(refused,),
              name=f'maildir_rename_whose_{refused.lower()}_is_refused')
    def rename_by_half(case, command):
        """With -o sync, rename tells what has happened: all of it or
        nothing."""
        desk = Desk(case, sync=None)
        maildir = desk.path('.imapfs', 'maildir')

        def listed():
            return set(desk.run(
                'find', maildir, '-name', '*U5.*', '-printf', '%P\n'
            ).out.decode().split())

        desk.inbox.set_flags(5, '\\Seen')
        case.expect(wait_until(lambda: any(
            name.endswith(':2,S') for name in listed()), 20 * tap.PATIENCE),
            listed())
        old = listed().pop()
        new = old.replace('INBOX', 'Other').replace(':2,S', ':2,F')
        desk.refuse(f'UID {command}', 'NOPERM')
        desk.fails(errno.EACCES, 'mv', f'{maildir}/{old}', f'{maildir}/{new}')
        case.expect(wait_until(lambda: listed() == {old}, 20 * tap.PATIENCE),
                    listed())
        case.expect(desk.uids() == [1, 2, 3, 4, 5, 6] and wait_until(
            lambda: desk.inbox.get(5).flags == ('\\Seen',), 20 * tap.PATIENCE),
            desk.uids(), desk.inbox.get(5).flags)
        desk.server.hooks.clear()
        moved = desk.run('mv', f'{maildir}/{old}', f'{maildir}/{new}')
        case.expect(moved.clean and listed() == {new}, moved, listed())
        case.expect(desk.uids('Other') == [1, 2, 3, 4] and
                    desk.server.find('Other').get(4).flags == ('\\Flagged',),
                    desk.server.find('Other').get(4))


@tap.test
def test_refused_move_in_a_maildir_shows_in_the_times_of_both(case):
    """Programs that go by times have seen the message where it is not."""
    desk = Desk(case, timeout=60)
    answered = threading.Event()
    case.defer(answered.set)

    def refuse(one, asked):
        answered.wait(60 * tap.PATIENCE)
        one.line(f'{asked.tag} NO [OVERQUOTA] no')
    desk.server.hooks['UID MOVE'] = refuse

    def place(*parts):
        return desk.path('.imapfs', 'maildir', *parts)

    def listed(folder):
        return set(desk.run('ls', '-f', place(folder, 'cur')).out.decode()
                   .split())

    def times():
        return {folder: desk.run('stat', '-c', '%.9Y',
                                 place(folder, 'cur')).out
                for folder in ('INBOX', 'Other')}
    name = desk.run('ls', place('INBOX', 'new')).out.decode().split()[0]
    desk.run('mv', place('INBOX', 'new', name),
             place('INBOX', 'cur', name + ':2,'))
    name += ':2,'
    listed('Other')
    moved = desk.run('mv', place('INBOX', 'cur', name), place('Other', 'cur'))
    case.expect(moved.clean, moved)
    case.expect(name in listed('Other') and name not in listed('INBOX'),
                'it was not moved')
    before = times()
    answered.set()
    desk.settled('not moved')
    after = times()
    case.expect(name in listed('INBOX') and name not in listed('Other'),
                listed('INBOX'), listed('Other'))
    case.expect(all(before[folder] != after[folder] for folder in before),
                before, after)


if __name__ == '__main__':
    tap.main()
