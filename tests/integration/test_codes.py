#!/usr/bin/env python3
"""A server refuses each kind of change with each response code: whoever waits
for the change gets the right errno, and of what is sent later the log, the
status and --wait tell, once. Afterwards the mount shows what was before, and
what was written is kept."""

import collections
import contextlib
import errno
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from mount import BINARY
from scene import Scene
from writing import crlf, message

ABLE = CAPABILITIES + ' MOVE'
PATIENT = 60 * tap.PATIENCE
# What a server may answer, and what a program is told.
ANSWERS = {
    'NO [NONEXISTENT] no': errno.ENOENT,
    'NO [TRYCREATE] no': errno.ENOENT,
    'NO [ALREADYEXISTS] no': errno.EEXIST,
    'NO [NOPERM] no': errno.EACCES,
    'NO [AUTHORIZATIONFAILED] no': errno.EACCES,
    'NO [PRIVACYREQUIRED] no': errno.EACCES,
    'NO [OVERQUOTA] no': errno.EDQUOT,
    'NO [TOOBIG] no': errno.EFBIG,
    'NO [INUSE] no': errno.EBUSY,
    'NO [LIMIT] no': errno.EBUSY,
    'NO [UNAVAILABLE] no': errno.EBUSY,
    'NO [HASCHILDREN] no': errno.ENOTEMPTY,
    'NO [READ-ONLY] no': errno.EROFS,
    'NO [CANNOT] no': errno.EINVAL,
    'NO [CORRUPTION] no': errno.EIO,
    'NO no': errno.EIO,
    'BAD no': errno.EIO,
}
NEW = message(901, body='new')


class Desk(Scene):
    """INBOX with six messages; Other with three, of which 1.eml is edited;
    Empty, which is removed, and Old with a message, which is renamed."""

    def __init__(self, case, capabilities=ABLE, **options):
        super().__init__(
            case, [simple_mailbox('INBOX', 6), simple_mailbox('Other', 3),
                   Mailbox('Empty'), simple_mailbox('Old', 1)],
            capabilities=capabilities, timeout=10 * tap.PATIENCE,
            options={'xattr': None, **options})
        self.start()
        self.before = self.everything()

    def everything(self):
        """{path: octets} as the mount shows it; None: a directory."""
        found = {}
        for folder, folders, names in os.walk(self.mount.mountpoint):
            for name in folders:
                found[os.path.relpath(os.path.join(folder, name),
                                      self.mount.mountpoint)] = None
            for name in names:
                path = os.path.join(folder, name)
                with open(path, 'rb') as file:
                    found[os.path.relpath(path, self.mount.mountpoint)] = (
                        file.read())
        return found

    def on_server(self):
        return {mailbox.name: [(m.uid, m.body, m.flags)
                               for m in mailbox.present]
                for mailbox in self.server.mailboxes}

    def flags(self, name):
        return os.getxattr(self.path('INBOX', name), 'user.imap.flags')

    def lost(self):
        """{name: octets} of what was kept; which is then removed."""
        folder = self.path('.imapfs/lost+found')
        found = {}
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), 'rb') as file:
                found[name] = file.read()
            os.unlink(os.path.join(folder, name))
        return found

    def refuse(self, command, answer):
        self.server.hooks[command] = lambda line, asked: line.send(
            f'{asked.tag} {answer}\r\n'.encode())

    def wait(self):
        """The lines of --wait, and whether it has succeeded."""
        result = run(BINARY, '--wait', self.mount.mountpoint, limit=PATIENT)
        lines = (result.err + result.out.decode()).splitlines()
        return [line for line in lines if line.strip()], result.ok

    def status_errors(self):
        with open(self.path('.imapfs/status')) as file:
            return json.dumps(json.load(file))


# ---- what programs do; each raises OSError ----


def delete(desk):
    os.unlink(desk.file(2))


def move(desk):
    os.rename(desk.file(3), desk.path('Other/moved.eml'))


def flag(desk):
    os.setxattr(desk.file(4), 'user.imap.flags', b'+\\Flagged')


@contextlib.contextmanager
def opened(path, flags):
    """Closes, and raises what that does."""
    fd = os.open(path, flags, 0o600)
    try:
        yield fd
    except BaseException:
        with contextlib.suppress(OSError):
            os.close(fd)
        raise
    os.close(fd)


def upload(desk):
    with opened(desk.path('Other/new.eml'),
                os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
        os.write(fd, NEW)


def edit(desk):
    with opened(desk.file(1, 'Other'), os.O_WRONLY | os.O_APPEND) as fd:
        os.write(fd, b'more\r\n')


def save(desk):
    """As rsync and sed do."""
    name = desk.path('Other/.1.eml.Ab12Cd')
    with open(name, 'wb') as file:
        file.write(desk.before['Other/1.eml'] + b'more\r\n')
    try:
        os.rename(name, desk.file(1, 'Other'))
    finally:
        with contextlib.suppress(OSError):
            os.unlink(name)


def copy(desk):
    source = os.open(desk.file(5), os.O_RDONLY)
    try:
        size = os.fstat(source).st_size
        with opened(desk.path('Other/copy.eml'),
                    os.O_WRONLY | os.O_CREAT | os.O_EXCL) as fd:
            os.copy_file_range(source, fd, size, 0, 0)
    finally:
        os.close(source)


def make(desk):
    os.mkdir(desk.path('Made'))


def remove(desk):
    os.rmdir(desk.path('Empty'))


def rename(desk):
    os.rename(desk.path('Old'), desk.path('Other/New'))


Kind = collections.namedtuple('Kind', 'command do kept')
# What is kept in lost+found: nothing, or under that name.
WAITED_FOR = (
    Kind('APPEND', upload, 'new.eml'),
    Kind('APPEND', edit, '1.eml'),
    Kind('APPEND', save, None),
    Kind('UID COPY', copy, 'copy.eml'),
    Kind('CREATE', make, None),
    Kind('DELETE', remove, None),
    Kind('RENAME', rename, None),
)
SENT_LATER = (
    Kind('UID MOVE', move, None),
    Kind('UID STORE', delete, None),
    Kind('UID EXPUNGE', delete, None),
    Kind('UID STORE', flag, None),
)


def kept_octets(desk, kind):
    return {upload: NEW, copy: desk.before['INBOX/5.eml'],
            edit: desk.before['Other/1.eml'] + b'more\r\n'}.get(kind.do)


def is_as_before(desk, on_server, what):
    case = desk.case
    case.expect(desk.on_server() == on_server, what, 'the server has',
                {name: [(uid, flags) for uid, _, flags in messages]
                 for name, messages in desk.on_server().items()})
    shown = desk.everything()
    wrong = {path for path in shown.keys() | desk.before.keys()
             if shown.get(path, 0) != desk.before.get(path, 0)}
    case.expect(not wrong, what, 'the mount shows something else:', wrong)
    case.expect(b'Flagged' not in desk.flags('4.eml'), what, 'it is flagged')


def refused(desk, kind, answer):
    """What the program is told: an errno; 0: nothing."""
    desk.refuse(kind.command, answer)
    try:
        kind.do(desk)
    except OSError as error:
        return error.errno
    return 0


def check_kept(desk, kind, what):
    wanted = {} if kind.kept is None else {kind.kept: kept_octets(desk, kind)}
    kept = desk.lost()
    desk.case.expect(kept == wanted, what, 'kept:', {
        name: len(octets) for name, octets in kept.items()})


def refuse_each(case, kinds, answers, **options):
    desk = Desk(case, **options)
    on_server = desk.on_server()
    for answer in answers:
        for kind in kinds:
            what = f'{kind.command}, {kind.do.__name__}, {answer}:'
            got = refused(desk, kind, answer)
            case.expect(got == ANSWERS[answer], what,
                        errno.errorcode.get(got, got))
            desk.server.behave()
            is_as_before(desk, on_server, what)
            check_kept(desk, kind, what)
    case.expect(desk.mount.is_alive(), desk.mount.messages()[-2000:])
    # All that can be done when the server does not refuse it.
    for kind in kinds:
        if kind.do is not delete or kind.command == 'UID STORE':
            kind.do(desk)
    case.expect(desk.on_server() != on_server, 'nothing was done')


def parts(sequence, count):
    return [list(sequence)[i::count] for i in range(count)]


for number, some in enumerate(parts(ANSWERS, 3), 1):
    tap.test(limit=300, name=f'who_waits_gets_the_errno_{number}')(
        lambda case, some=some: refuse_each(case, WAITED_FOR, some))
    tap.test(limit=300, name=f'with_sync_who_changes_gets_the_errno_{number}')(
        lambda case, some=some: refuse_each(case, SENT_LATER, some, sync=None))


# ---- what is sent later ----

LATER = {'UID MOVE': 'moved', 'UID EXPUNGE': 'deleted', 'APPEND': 'stored'}


def refuse_later(case, answers):
    desk = Desk(case, writeback=None)
    on_server = desk.on_server()
    for answer in answers:
        for command in LATER:
            desk.refuse(command, answer)
        for do in (move, delete, upload):
            do(desk)
        lines, succeeded = desk.wait()
        case.expect(not succeeded, answer, 'nothing was refused')
        for word in LATER.values():
            told = [line for line in lines if word in line]
            case.expect(len(told) == 1, answer, f'"{word}" is told by', lines)
            case.expect(told and told[0] in desk.status_errors(), answer,
                        'the status has not', told)
        case.expect(desk.wait() == ([], True), answer, 'it is told again')
        desk.server.behave()
        is_as_before(desk, on_server, answer)
        case.expect(desk.lost() == {'new.eml': NEW}, answer, 'is not kept')
    for do in (move, delete, upload):
        do(desk)
    case.expect(desk.wait() == ([], True), 'it is refused for ever')
    case.expect([uid for uid, _, _ in desk.on_server()['INBOX']] ==
                [1, 4, 5, 6] and len(desk.on_server()['Other']) == 5,
                desk.on_server())


for number, some in enumerate(parts(ANSWERS, 4), 1):
    tap.test(limit=300, name=f'what_is_sent_later_is_undone_and_told_{number}')(
        lambda case, some=some: refuse_later(case, some))


@tap.test
def test_mark_that_is_read_meanwhile_is_taken_away(case):
    """A poll reads the flags between the mark and the EXPUNGE that is
    refused: that does not make it the mark of somebody else."""
    scene = Scene(case, [simple_mailbox('INBOX', 6)], timeout=10 * tap.PATIENCE,
                  capabilities=ABLE + ' CONDSTORE',
                  options={'xattr': None, 'poll': 1, 'connections': 1})
    scene.start()
    assert scene.listing()
    marked = []

    def hold(line, command):
        marked.append(command)
        # It goes on when the poll has asked for what has changed.
        while len(marked) == 1 and b'CHANGEDSINCE' not in line.buffer:
            line._receive()
        return False

    scene.server.hooks['UID STORE'] = hold
    scene.server.hooks['UID EXPUNGE'] = lambda line, asked: line.send(
        f'{asked.tag} NO [CANNOT] no\r\n'.encode())
    os.unlink(scene.file(2))
    result = run(BINARY, '--wait', scene.mount.mountpoint, limit=PATIENT)
    case.expect(not result.ok and 'deleted' in result.err + result.out.decode(),
                result)
    case.expect(len(marked) == 2, [str(command) for command in marked])
    case.expect(scene.inbox.get(2).flags == (), scene.inbox.get(2).flags)
    case.expect(b'Deleted' not in os.getxattr(scene.file(2),
                                              'user.imap.flags'), 'is shown')


@tap.test(limit=120)
def test_flags_refused_later_are_undone_and_told(case):
    desk = Desk(case)
    on_server = desk.on_server()
    for answer in ('NO [NOPERM] no', 'NO [READ-ONLY] no', 'BAD no'):
        desk.refuse('UID STORE', answer)
        flag(desk)
        lines, succeeded = desk.wait()
        case.expect(not succeeded and len(lines) == 1 and 'flags' in lines[0],
                    lines)
        desk.server.behave()
        is_as_before(desk, on_server, answer)


@tap.test(limit=120)
def test_events_tell_of_what_was_refused_later(case):
    desk = Desk(case)
    events = os.open(desk.path('.imapfs/events'), os.O_RDONLY | os.O_NONBLOCK)
    desk.refuse('UID MOVE', 'NO [OVERQUOTA] there is no room')
    move(desk)
    desk.wait()
    told = bytearray()

    def is_told():
        with contextlib.suppress(BlockingIOError):
            told.extend(os.read(events, 65536))
        return b'not moved' in told and b'there is no room' in told

    case.expect(wait_until(is_told, PATIENT), bytes(told))
    os.close(events)


@tap.test(limit=120)
def test_copy_that_is_refused_moves_nothing(case):
    desk = Desk(case, CAPABILITIES, sync=None)
    on_server = desk.on_server()
    for answer, number in ANSWERS.items():
        got = refused(desk, Kind('UID COPY', move, None), answer)
        case.expect(got == number, answer, errno.errorcode.get(got, got))
        desk.server.behave()
        is_as_before(desk, on_server, answer)


@tap.test(limit=120)
def test_subscriptions_that_are_refused_are_nobodys_loss(case):
    desk = Desk(case)
    for command in ('SUBSCRIBE', 'UNSUBSCRIBE'):
        desk.refuse(command, 'NO [NOPERM] no')
    for do in (make, rename, remove):
        do(desk)
    case.expect({mailbox.name for mailbox in desk.server.mailboxes} ==
                {'INBOX', 'Other', 'Other/New', 'Made'},
                [mailbox.name for mailbox in desk.server.mailboxes])


if __name__ == '__main__':
    tap.main(jobs=4)
