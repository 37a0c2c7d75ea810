#!/usr/bin/env python3
"""What becomes of what was stored here: it is read without the server, if that
has kept it as it was; and it has the name and the flags that it had."""

import errno
import os
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from house import BINARY
from imapserver import CAPABILITIES
from mount import BINARY
from storing import PATIENT, bodies, put, scene
from writing import crlf, message

OBJECTID = CAPABILITIES + ' OBJECTID'


# ---- in the cache ----

def read(place, name, folder='Other'):
    return run('cat', place.path(folder, name)).out


def sent(place, uid):
    """Octets of the message that the server has sent."""
    return place.server.bodies_sent['Other', uid]


def big(number):
    """Larger than a block of the cache, and no multiple of it."""
    return message(number, body='line of text\n' * 50000)


def store(case, place, body=None):
    """Writes a message and reads it; its UID, and what was written."""
    uid = len(bodies(place)) + 1
    body = body or message(uid)
    case.expect(put(case, place, body, f'n{uid}.eml') == 0, 'it fails')
    case.expect(read(place, f'n{uid}.eml') == crlf(body), uid, 'wrong octets')
    return uid, body


def store_first(case, place):
    """The server is seen to keep what it is given: the first is read back. When
    that is over, what is read is not fetched any more."""
    case.expect(os.listdir(place.path('Other')) == [], 'not empty')
    store(case, place)
    case.expect(wait_until(lambda: sent(place, 1) > 0, PATIENT),
                'it is not read back')
    case.expect(wait_until(lambda: sent(place, store(case, place)[0]) == 0,
                           PATIENT), 'it is fetched')


def stored_is_cached(case, capabilities):
    data = case.path('data')
    os.makedirs(data)
    place = scene(case, capabilities, data=data)
    store_first(case, place)
    stored = [store(case, place), store(case, place, big(100))]
    case.expect([sent(place, uid) for uid, _ in stored] == [0, 0],
                place.server.bodies_sent)
    os.listdir(place.path('Other'))
    place.mount.unmount()
    place.start(data=data)
    for uid, body in stored:
        case.expect(read(place, f'n{uid}.eml') == crlf(body), 'wrong octets')
        case.expect(sent(place, uid) == 0, uid, 'is fetched', sent(place, uid))


@tap.test
def test_what_was_stored_is_not_fetched(case):
    stored_is_cached(case, CAPABILITIES)


@tap.test
def test_what_was_stored_is_not_fetched_with_identities(case):
    stored_is_cached(case, OBJECTID)


def changing(place, change):
    """The server makes another message of what it stores."""
    def hook(line, command):
        command.literals[-1] = change(command.literals[-1])
        return False

    place.server.hooks['APPEND'] = hook


@tap.test
def test_what_the_server_has_changed_is_read_as_it_is_there(case):
    """Of the same size, from the first on."""
    place = scene(case)
    os.listdir(place.path('Other'))
    changing(place, lambda body: body.replace(b'body', b'BODY'))
    for uid in (1, 2):
        case.expect(put(case, place, message(uid), f'n{uid}.eml') == 0,
                    'it fails')
        want = crlf(message(uid)).replace(b'body', b'BODY')
        case.expect(b'BODY' in want, want)
        case.expect(read(place, f'n{uid}.eml') == want, 'wrong octets')


@tap.test
def test_server_that_has_changed_one_is_not_relied_on_later(case):
    """Nor is what was put aside before that was seen, in another mount."""
    data = case.path('data')
    os.makedirs(data)
    place = scene(case, data=data)
    os.listdir(place.path('Other'))
    changing(place, lambda body: body.replace(b'body', b'BODY'))
    case.expect(put(case, place, message(1), 'n1.eml') == 0, 'it fails')
    case.expect(wait_until(lambda: sent(place, 1) > 0, PATIENT),
                'it is not read back')
    case.expect(put(case, place, message(2), 'n2.eml') == 0, 'it fails')
    place.mount.unmount()
    place.server.hooks.clear()
    place.start(data=data)
    os.listdir(place.path('Other'))
    store(case, place)
    for _ in range(3):
        # Each is fetched; one after another, or the first is read back.
        uid, _ = store(case, place)
        case.expect(sent(place, uid) > 0, uid, 'is believed')
    for uid in (1, 2):
        case.expect(read(place, f'n{uid}.eml') ==
                    crlf(message(uid)).replace(b'body', b'BODY'),
                    uid, 'wrong octets')


@tap.test
def test_one_message_that_the_server_has_changed_is_read_as_it_is_there(case):
    """Of another size, of those that it keeps otherwise."""
    place = scene(case)
    store_first(case, place)
    changing(place, lambda body: b'X-Seen-By: me\r\n' + body)
    for body in (message(101), big(102)):
        name = f'n{len(bodies(place)) + 1}.eml'
        case.expect(put(case, place, body, name) == 0, 'it fails')
        case.expect(read(place, name) == b'X-Seen-By: me\r\n' + crlf(body),
                    'wrong octets')


def without_eight_bits(body):
    header, end, rest = body.partition(b'\r\n\r\n')
    return bytes(octet if octet < 128 else ord('X') for octet in header) + (
        end + rest)


@tap.test
def test_header_that_the_server_has_changed_is_read_as_it_is_there(case):
    """Cyrus writes an X for each octet that is not ASCII: of the same size, and
    all other messages it keeps."""
    place = scene(case)
    store_first(case, place)
    changing(place, without_eight_bits)
    body = message(101, subject='gr\u00fc\u00dfe', body='gr\u00fc\u00dfe')
    name = f'n{len(bodies(place)) + 1}.eml'
    case.expect(put(case, place, body, name) == 0, 'it fails')
    case.expect(read(place, name) == bodies(place)[-1] != crlf(body),
                'wrong octets')


# ---- names and flags ----

def flags(place, uid):
    return set(place.server.find('Other').get(uid).flags)


def mv(case, place, body):
    """From elsewhere: mv removes what is there, and writes it anew."""
    source = case.path('source/new.eml')
    with open(source, 'wb') as file:
        file.write(body)
    result = run('mv', '-f', source, place.path('Other/x.eml'),
                 limit=PATIENT)
    case.expect(result.clean, result)


def moved_onto(case, body):
    """The flags of what takes the place of a message that is flagged."""
    place = scene(case, options={'new_flags': '\\Seen'})
    case.expect(put(case, place, message(1)) == 0, 'it fails')
    place.server.find('Other').set_flags(1, '\\Flagged', 'work')
    wait(case, place)
    mv(case, place, body)
    wait(case, place)
    case.expect([one.uid for one in place.server.find('Other').present] == [2],
                place.server.find('Other').present)
    return flags(place, 2)


def wait(case, place):
    result = run(BINARY, '--wait', place.mount.mountpoint, limit=3 * PATIENT)
    case.expect(result.clean, result)


@tap.test
def test_same_message_that_is_moved_onto_it_has_its_flags(case):
    got = moved_onto(case, message(1, body='edited'))
    case.expect(got == {'\\Flagged', 'work'}, got)


@tap.test
def test_other_message_that_is_moved_onto_it_keeps_its_own(case):
    got = moved_onto(case, message(2))
    case.expect(got == {'\\Seen'}, got)


@tap.test
def test_other_message_keeps_its_own_also_if_the_next_mount_stores_it(case):
    place = scene(case, options={'new_flags': '\\Seen'})
    other = place.server.find('Other')
    other.store(crlf(message(1)), 1700000000)
    other.set_flags(1, '\\Flagged', 'work')
    name = os.listdir(place.path('Other'))[0]

    def cut(line, command):
        """What it takes the place of cannot be looked at."""
        if 'BODY' not in command.text:
            return False
        line.close()
        return True
    place.server.hooks['UID FETCH'] = cut
    os.unlink(place.path('Other', name))
    case.expect(put(case, place, message(2), name) != 0, 'it is stored')
    data = place.mount.data
    place.mount.terminate()
    place.server.hooks.clear()
    place.start(data=data)
    wait(case, place)
    case.expect([one.uid for one in other.present] == [2], other.present)
    case.expect(flags(place, 2) == {'\\Seen'}, flags(place, 2))


@tap.test
def test_name_on_the_way_is_one_that_it_had(case):
    """"UID.eml" cannot be given: until the server has answered, it is the name
    that the message had."""
    place = scene(case)
    name = sorted(os.listdir(place.path('INBOX')))[0]
    case.expect(os.listdir(place.path('Other')) == [], 'not empty')
    free = threading.Event()
    case.defer(free.set)
    place.server.hooks['UID MOVE'] = place.server.hooks['UID COPY'] = (
        lambda line, command: free.wait(PATIENT) and False)
    os.rename(place.path('INBOX', name), place.path('Other/99.eml'))
    case.expect(os.listdir(place.path('Other')) == [name],
                os.listdir(place.path('Other')))
    free.set()
    wait(case, place)
    stem = name.rsplit('.', 2)[0]
    case.expect(os.listdir(place.path('Other')) == [f'{stem}.1.eml'],
                os.listdir(place.path('Other')))


# ---- what is told ----

@tap.test
def test_what_is_no_message_is_told_by_wait(case):
    place = scene(case)
    case.expect(put(case, place, b'no header\n') == errno.EINVAL, 'no EINVAL')
    for words in (['--status'], ['--wait']):
        result = run(BINARY, *words, place.mount.mountpoint, limit=PATIENT)
        case.expect('Other/x.eml cannot be stored: it is no message'
                    in result.out.decode() + result.err, result)
    wait(case, place)


if __name__ == '__main__':
    tap.main(jobs=4)
