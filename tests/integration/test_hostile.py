#!/usr/bin/env python3
"""A server that hangs, lies, babbles and hangs up. Whatever it does, each
request has an answer within the deadline, no listing is short, no byte is
wrong, and when the server behaves again the same mount works again."""

import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import certificates
import mailstore
import tap
from command import wait_until
from mount import MountFailed
from scene import Scene

LISTING = ('UID FETCH', 'UID SEARCH')
# The timeout where there is nothing that takes until then.
PATIENT = 20 * tap.PATIENCE


def is_body(command):
    return 'BODY.PEEK[]' in command.text.upper().replace('BODY[]',
                                                         'BODY.PEEK[]')


def on_body(act):
    """A hook for UID FETCH that leaves all but bodies alone."""
    return lambda line, command: (act(line, command) if is_body(command)
                                  else False)


def but_for_bodies(act):
    """The contrary: what looks like a part of a body would pass for it."""
    return lambda line, command: (False if is_body(command)
                                  else act(line, command))


# Ways to misbehave in the place of an answer

def hang(line, *_):
    line.hang()


def close(line, *_):
    line.close()


def bye(line, *_):
    line.send(b'* BYE going down for maintenance\r\n')
    line.close()


def dribble(line, *_):
    line.dribble()


def endless(line, *_):
    line.endless()


def garbage(line, *_):
    noise = random.Random(1)
    line.send(b'\x00\xff)))) (((("\\ garbage\r\n* * *\r\n*\r\n'
              + noise.randbytes(3000) + b'\r\n')
    line.hang()


def deep_nesting(line, *_):
    line.send(b'* 1 FETCH (X ' + b'(' * 200000 + b'\r\n')
    line.hang()


def deep_nesting_in_endless_line(line, *_):
    line.send(b'* 1 FETCH (X ')
    line.endless(start=b'(', piece=b'(' * 65536)


def huge_literal(line, *_):
    line.send(b'* LIST () "/" {99999999999999}\r\n' + b'x' * 100000)
    line.hang()


def huge_body(line, command, uid=3):
    line.send(b'* 3 FETCH (UID %d BODY[] {99999999999999}\r\n' % uid
              + b'x' * 100000)
    line.hang()


def wrong_tag(line, command):
    reply = line.default(command)
    head, tagged, rest = reply.rpartition(command.tag.encode() + b' OK')
    line.send(head + b'ZZZ999 OK' + rest)
    line.hang()


def refuse(line, command):
    line.send(f'{command.tag} NO refused\r\n'.encode())


def cut_then(act):
    """Half of the correct answer, cut inside a line; then act."""

    def hook(line, command):
        reply = line.default(command)
        line.send(reply[:len(reply) * 2 // 3])
        act(line, command)

    return hook


def half_then_no(line, command):
    lines = line.default(command).splitlines(keepends=True)
    line.send(b''.join(lines[:len(lines) // 3]))
    line.send(f'{command.tag} NO something went wrong\r\n'.encode())


def half_then_ok(line, command):
    """Messages left out of a listing that claims to be whole."""
    if command.name != 'UID FETCH':
        return False

    def every_other(sequence, message, items):
        return (mailstore.fetch_line(sequence, message, items)
                if message.uid % 2 else b'')

    line.send(line.fetch(command, every_other)
              + f'{command.tag} OK done\r\n'.encode())
    return True


def early_answers(line, command):
    """Answers commands that were not sent yet: their tags are guessable."""
    line.send(line.default(command))
    number = re.search(r'\d+$', command.tag)
    if number:
        prefix, width = command.tag[:number.start()], len(number[0])
        line.send(b''.join(
            f'{prefix}{int(number[0]) + ahead:0{width}d} OK done\r\n'.encode()
            for ahead in range(1, 6)))
    line.hang()


ANYTHING_GOES = ()
NO_LISTING = ('ls', 'find', 'rsync')
NO_BODY = ('cat', 'rsync')

# Before the mount: (name, stages, act)
BEFORE = [
    ('hang_before_greeting', ['greeting'], hang),
    ('close_before_greeting', ['greeting'], close),
    ('bye_greeting', ['greeting'], bye),
    ('dribble_before_greeting_answer', ['CAPABILITY', 'AUTHENTICATE', 'LOGIN'],
     dribble),
    ('garbage_greeting', ['greeting'], garbage),
    ('endless_greeting', ['greeting'], endless),
    ('hang_at_capability', ['CAPABILITY'], hang),
    ('hang_at_login', ['AUTHENTICATE', 'LOGIN'], hang),
    ('close_at_login', ['AUTHENTICATE', 'LOGIN'], close),
    ('bye_at_login', ['AUTHENTICATE', 'LOGIN'], bye),
    ('wrong_tag_at_login', ['AUTHENTICATE', 'LOGIN'], wrong_tag),
    ('garbage_at_login', ['AUTHENTICATE', 'LOGIN'], garbage),
    ('early_answers_at_login', ['AUTHENTICATE', 'LOGIN'], early_answers),
    ('hang_after_login', ['ID', 'ENABLE', 'NAMESPACE', 'LIST', 'EXAMINE',
                          'UID FETCH', 'UID SEARCH', 'STATUS', 'NOOP'], hang),
    ('dribble_after_login', ['ID', 'ENABLE', 'NAMESPACE', 'LIST', 'EXAMINE',
                             'UID FETCH', 'UID SEARCH', 'STATUS', 'NOOP'],
     dribble),
    ('hang_at_list', ['LIST'], hang),
    ('refused_list', ['LIST'], refuse),
    ('list_cut_and_closed', ['LIST'], cut_then(close)),
    ('list_cut_and_hanging', ['LIST'], cut_then(hang)),
    ('deep_nesting_at_list', ['LIST'], deep_nesting),
    ('huge_literal_at_list', ['LIST'], huge_literal),
    ('bye_at_list', ['LIST'], bye),
]

# On a mount that was well, before INBOX was looked at.
MOUNTED = [
    ('everything_hangs', ['*'], hang, NO_LISTING + NO_BODY),
    ('everything_closes', ['*'], close, NO_LISTING + NO_BODY),
    ('everything_dribbles', ['*'], dribble, NO_LISTING + NO_BODY),
    ('everything_is_garbage', ['*'], garbage, NO_LISTING + NO_BODY),
    ('bye_to_everything', ['*'], bye, NO_LISTING + NO_BODY),
    ('everything_is_refused', ['*'], refuse, NO_LISTING + NO_BODY),
    ('hang_at_examine', ['EXAMINE'], hang, NO_LISTING + NO_BODY),
    ('refused_examine', ['EXAMINE'], refuse, NO_LISTING + NO_BODY),
    ('examine_cut_and_closed', ['EXAMINE'], cut_then(close),
     NO_LISTING + NO_BODY),
    ('hang_at_fetch', LISTING, hang, NO_LISTING + NO_BODY),
    ('refused_fetch', LISTING, refuse, NO_LISTING + NO_BODY),
    ('listing_cut_and_closed', LISTING, cut_then(close), NO_LISTING),
    ('listing_cut_and_hanging', LISTING, cut_then(hang), NO_LISTING),
    ('listing_cut_and_dribbling', LISTING, but_for_bodies(cut_then(dribble)),
     NO_LISTING),
    ('listing_half_then_no', LISTING, half_then_no, NO_LISTING),
    ('listing_half_then_ok', LISTING, half_then_ok, NO_LISTING),
    ('listing_wrong_tag', LISTING, wrong_tag, NO_LISTING),
    ('listing_endless_line', LISTING, endless, NO_LISTING + NO_BODY),
    ('listing_deep_nesting', LISTING, deep_nesting, NO_LISTING + NO_BODY),
    ('listing_deep_nesting_in_endless_line', LISTING,
     deep_nesting_in_endless_line, NO_LISTING + NO_BODY),
    ('listing_early_answers', LISTING, early_answers, ANYTHING_GOES),
]

# On a listed mailbox; the bodies alone are affected.
LISTED = [
    ('body_hangs', hang),
    ('body_closes', close),
    ('body_dribbles', dribble),
    ('body_bye', bye),
    ('body_refused', refuse),
    ('body_garbage', garbage),
    ('body_huge_literal', huge_body),
    ('body_cut_and_hanging', cut_then(hang)),
    ('body_cut_and_closed', cut_then(close)),
]


def before(case, stages, act):
    scene = Scene(case)
    for stage in stages:
        scene.server.hooks[stage] = act
    try:
        scene.start()
    except MountFailed as failure:
        # More than one stage may have had its own deadline.
        case.expect(failure.taken <= scene.deadline, 'too late:', failure)
        case.expect(0 < failure.status < 125, failure)
        case.expect(re.match(r'imapfs: .+\n\Z', failure.message),
                    f'not one sentence: {failure.message!r}')
        case.note(failure)
        return
    scene.probe()
    scene.heal()


def mounted(case, stages, act, fails):
    scene = Scene(case)
    scene.start()
    for stage in stages:
        scene.server.hooks[stage] = act
    # So that those connections misbehave, too, that only wait for work.
    scene.probe(fails=fails)
    scene.heal()


def listed(case, act):
    scene = Scene(case)
    scene.start()
    case.expect(wait_until(scene.listing), 'the listing before failed')
    scene.server.hooks['UID FETCH'] = on_body(act)
    results = scene.probe(fails=NO_BODY)
    case.expect(results['ls'], 'what was listed does not list again')
    scene.heal()


for row in BEFORE:
    tap.test(name='before_mount_' + row[0], arguments=row[1:])(before)
for row in MOUNTED:
    tap.test(name='mounted_' + row[0], arguments=row[1:], limit=90)(mounted)
for row in LISTED:
    tap.test(name='listed_' + row[0], arguments=row[1:], limit=90)(listed)


# TLS is the first stage of all.

def before_tls(case, act):
    authority = certificates.Authority(case.path('ca'))
    scene = Scene(case, tls='implicit', options={'ca_file': authority.certificate},
                  certificate=authority.issue('server', ['127.0.0.1']))
    scene.server.hooks['tls'] = act
    try:
        scene.start()
    except MountFailed as failure:
        case.expect(failure.taken <= scene.deadline, failure)
        case.expect(re.match(r'imapfs: .+\n\Z', failure.message), failure)
        case.note(failure)
    else:
        case.expect(False, 'mounted without TLS')


for word, deed in (('hang', hang), ('close', close), ('garbage', garbage)):
    tap.test(name=f'before_mount_{word}_in_tls_handshake',
             arguments=(deed,))(before_tls)


@tap.test
def test_second_connection_hangs_answers_in_time(case):
    """The first hangs up in mid-session; the next one accepts and is silent."""
    scene = Scene(case)
    scene.start()
    assert scene.listing()
    scene.server.hooks['greeting'] = hang
    scene.server.hooks['UID FETCH'] = close
    scene.deadline += scene.timeout
    case.expect(not scene.cat(3), 'cat cannot have succeeded')
    scene.heal()


@tap.test
def test_server_gone_answers_in_time(case):
    scene = Scene(case)
    scene.start()
    assert scene.listing() and scene.cat(5)
    scene.server.stop()
    case.expect(not scene.cat(3), 'cat cannot have succeeded')
    case.expect(scene.cat(5), 'what was read before is not read again')
    case.expect(scene.mount.is_alive(), 'the daemon is gone')


@tap.test
def test_folder_cannot_be_selected_is_error_alone(case):
    """One folder that is refused does not harm its neighbours."""
    scene = Scene(case, [mailstore.simple_mailbox(),
                         mailstore.simple_mailbox('Broken', 2)],
                  timeout=PATIENT)
    scene.start()

    def refuse_broken(line, command):
        if command.arguments[0] != 'Broken':
            return False
        line.send(f'{command.tag} NO [SERVERBUG] index is broken\r\n'.encode())
        return True

    for name in ('EXAMINE', 'SELECT', 'STATUS'):
        scene.server.hooks[name] = refuse_broken
    case.expect(not scene.listing('Broken'), 'an empty folder was shown')
    case.expect(not scene.find('Broken') and not scene.rsync('Broken'),
                'find or rsync saw no error')
    case.expect(scene.listing() and scene.cat(3), 'INBOX suffers')
    scene.heal(uids=(1,), folder='Broken')


# Lies about one message

def other_message(line, command):
    """The body of the next message in place of the one asked for."""
    present = line.mailbox.present
    uid = int(re.match(r'\d+', command.text)[0])
    index = [m.uid for m in present].index(uid) + 1
    message = present[index % len(present)]
    items = command.text.partition(' ')[2].strip('()')
    line.send(mailstore.fetch_line(index + 1, message, items)
              + f'{command.tag} OK done\r\n'.encode())


def other_message_without_uid(line, command):
    message = line.mailbox.present[-1]
    line.send(b'* %d FETCH (BODY[] {%d}\r\n' % (5, len(message.body))
              + message.body + b')\r\n'
              + f'{command.tag} OK done\r\n'.encode())


def nothing(line, command):
    line.send(f'{command.tag} OK done\r\n'.encode())


def nil_body(line, command):
    uid = int(re.match(r'\d+', command.text)[0])
    line.send(b'* 3 FETCH (UID %d BODY[] NIL)\r\n' % uid
              + f'{command.tag} OK done\r\n'.encode())


for word, deed in (('another_message', other_message),
                   ('another_message_without_uid', other_message_without_uid),
                   ('no_fetch_line', nothing),
                   ('nil', nil_body)):
    tap.test(name=f'listed_body_is_{word}', arguments=(deed,))(listed)


FAKE = (b'From: System Administrator <root@localhost>\r\n'
        b'Subject: message unavailable\r\n\r\n'
        b'This message is no longer available on the server.\r\n')
assert len(FAKE) == 129


def fake_of_courier(line, command):
    uid = int(re.match(r'\d+', command.text)[0])
    message = line.mailbox.get(uid)
    if not message.expunged:
        return False
    fake = mailstore.Message(uid, FAKE, message.time)
    items = command.text.partition(' ')[2].strip('()')
    line.send(mailstore.fetch_line(3, fake, items)
              + f'{command.tag} OK FETCH completed.\r\n'.encode())
    return True


def empty_of_mailutils(line, command):
    uid = int(re.match(r'\d+', command.text)[0])
    if not line.mailbox.get(uid).expunged:
        return False
    line.send(b'* 3 FETCH (UID %d BODY[] "")\r\n' % uid
              + f'{command.tag} OK done\r\n'.encode())
    return True


def none_of_wildduck(line, command):
    return False  # a correct server, too, has no line for what is gone


@tap.test(name='listed_then_expunged_courier', arguments=(fake_of_courier,))
@tap.test(name='listed_then_expunged_mailutils',
          arguments=(empty_of_mailutils,))
@tap.test(name='listed_then_expunged_wildduck', arguments=(none_of_wildduck,))
def expunged_between_listing_and_open(case, act):
    """The message is gone; the server says so only when it is asked."""
    for size in (2000, 129 - 37 * 3):  # the second has the fake's very size
        scene = Scene(case, [mailstore.simple_mailbox(size=size)],
                      timeout=PATIENT)
        scene.start()
        assert scene.listing()
        scene.server.hooks['UID FETCH'] = on_body(act)
        scene.inbox.get(3).expunged = True
        result = tap_cat(scene, 3)
        case.expect(result.status != 0 and result.out == b'',
                    'the fake was served:', result, result.out[:100])
        case.expect('No such file' in result.err or 'Stale' in result.err,
                    'another error than ENOENT or ESTALE:', result)
        case.expect(scene.cat(2), 'its neighbour suffers')


def tap_cat(scene, uid):
    return scene.mount.run('cat', scene.file(uid), limit=scene.deadline)


# Odd, but not wrong

def uid_last_with_chatter(line, command):
    uid = int(re.match(r'\d+', command.text)[0])
    message = line.mailbox.get(uid)
    line.send(b'* OK [ALERT] chatter\r\n* 2 FETCH (FLAGS (\\Seen))\r\n'
              b'* 3 FETCH (FLAGS () BODY[] {%d}\r\n' % len(message.body)
              + message.body + b' X-ODD ("a" (b NIL)) RFC822.SIZE %d UID %d)\r\n'
              % (message.size, uid) + b'* 5 EXISTS\r\n'
              + f'{command.tag} OK done\r\n'.encode())


@tap.test
def test_listed_body_uid_comes_last_is_read(case):
    scene = Scene(case, timeout=PATIENT)
    scene.start()
    assert scene.listing()
    scene.server.hooks['UID FETCH'] = on_body(uid_last_with_chatter)
    case.expect(scene.cat(3), 'cat failed')


@tap.test
def test_mailbox_names_that_are_tricks_stay_inside(case):
    names = ['..', '.', 'a/../../b', '../../../etc/passwd', 'tab\there',
             'esc\x1b[31mred', 'percent%2e%2e', 'quote"back\\slash', '&Jjo-',
             '&broken', 'x' * 400, ' space ', '-rf', 'new&AAo-line']
    scene = Scene(case, [mailstore.simple_mailbox()] + [
        mailstore.simple_mailbox(name, 1) for name in names], timeout=PATIENT)
    scene.server.delimiter = '^'
    scene.start()
    result = scene.mount.run('find', scene.mount.mountpoint, '-print0',
                             '-type', 'f', limit=60)
    case.expect(result.clean, result)
    found = [path for path in result.out.split(b'\0') if path]
    messages = [path for path in found if path.endswith(b'/1.eml')]
    case.note(*(repr(path) for path in messages))
    case.expect(len(messages) == len(names) + 1, len(messages))
    for path in found:
        tail = path[len(os.fsencode(scene.mount.mountpoint)):]
        case.expect(not re.search(rb'[\x00-\x1f\x7f]', tail), tail)
    result = scene.mount.run('cat', *messages, limit=60)
    case.expect(result.clean, result)
    case.expect(result.out == mailstore.simple_mailbox(count=1).get(1).body
                * len(messages), 'wrong bytes')


if __name__ == '__main__':
    tap.main(jobs=8)
