#!/usr/bin/env python3
"""Programs that read a whole directory, and large messages: what that costs in
octets and commands, and that the octets are right whatever the server does."""

import hashlib
import os
import re
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import tap
from command import run, wait_until
from imapserver import CAPABILITIES
from scene import Scene

KB = 1024
MB = 1 << 20
COUNT = 300


def scene_of(case, count=COUNT, size=700, **named):
    named.setdefault('timeout', 20)
    scene = Scene(case, [mailstore.simple_mailbox(count=count, size=size)],
                  **named)
    scene.start()
    assert scene.listing(), 'ls failed'
    return scene


def fetches(scene, mark=(0, 0)):
    """Commands that fetch bodies whole."""
    return [c for c in scene.server.since(mark)[0]
            if c.name == 'UID FETCH' and 'BODY.PEEK[]' in c.text.upper()
            and '<' not in c.text]


def batches(scene, mark=(0, 0)):
    return [c for c in fetches(scene, mark)
            if re.search(r'[:,]', c.text.split()[0])]


def read_all(case, scene, *, order=None, expect=None):
    """One process opens the messages in that order; they must be right."""
    uids = order or [m.uid for m in scene.inbox.present]
    reader = (
        'import hashlib, sys\n'
        'for path in sys.argv[1:]:\n'
        '    try:\n'
        '        with open(path, "rb") as f:\n'
        '            print(hashlib.md5(f.read()).hexdigest())\n'
        '    except OSError as error:\n'
        '        print(error.errno)\n')
    result = run('python3', '-c', reader, *(scene.file(uid) for uid in uids),
                 limit=120 * tap.PATIENCE)
    got = dict(zip(uids, result.out.decode().split()))
    for uid in uids:
        wanted = (expect or {}).get(uid) or hashlib.md5(
            scene.inbox.get(uid).body).hexdigest()
        case.expect(got.get(uid) in (wanted if isinstance(wanted, tuple)
                                     else (wanted,)),
                    f'message {uid}: {got.get(uid)}, not {wanted}')
    return got


def each_once(case, scene):
    """Every body has come, and none twice."""
    for message in scene.inbox.present:
        sent = scene.server.bodies_sent['INBOX', message.uid]
        case.expect(sent == len(message.body),
                    f'{sent} octets of message {message.uid}, which has '
                    f'{len(message.body)}')


SCANS = {
    'grep': ['grep', '-r', 'no such word', '{}'],
    'tar': ['sh', '-c', 'tar -cf - -C "$0" . | cat > /dev/null', '{}'],
    'cp': ['cp', '-r', '{}', '{copy}'],
    'rsync': ['rsync', '-a', '{}', '{copy}'],
    'rg': ['rg', '-j4', 'no such word', '{}'],
}

for program, words in SCANS.items():
    for naming in ('uid', 'subject'):
        @tap.test(name=f'scan_by_{program}_{naming}_fetches_each_once',
                  arguments=(words, naming))
        def scan_once(case, arguments, names):
            scene = scene_of(case, names=names)
            arguments = [w.replace('{copy}', case.path('copy')).replace(
                '{}', scene.path('INBOX')) for w in arguments]
            mark = scene.server.mark()
            result = run(*arguments, limit=120 * tap.PATIENCE)
            case.expect(not result.err, result)
            each_once(case, scene)
            used = fetches(scene, mark)
            case.expect(len(used) <= COUNT // 6, f'{len(used)} commands:',
                        *used[:20])
            mark = scene.server.mark()
            run(*arguments, limit=120 * tap.PATIENCE)
            case.expect(not fetches(scene, mark), *fetches(scene, mark))
            each_once(case, scene)
            case.expect(not scene.server.errors, scene.server.errors)


@tap.test
def test_scan_by_name_of_mail_without_order_is_batched(case):
    """Dates and subjects that have nothing to do with UIDs."""
    scene = Scene(case, [mailstore.simple_mailbox(count=COUNT, size=700)],
                  names='subject', timeout=20)
    for message in scene.inbox.messages:
        message.time = 1795339800 + 3600 * (message.uid * 7919 % 10007)
    scene.start()
    assert scene.listing()
    mark = scene.server.mark()
    result = run('sh', '-c', 'cat "$0"/*.eml | wc -c', scene.path('INBOX'),
                 limit=120 * tap.PATIENCE)
    case.expect(int(result.out) == sum(len(m.body) for m in
                                       scene.inbox.messages), result)
    each_once(case, scene)
    case.expect(len(fetches(scene, mark)) <= COUNT // 4,
                len(fetches(scene, mark)), *fetches(scene, mark)[:30])


@tap.test
def test_scan_with_threads_out_of_turn_is_batched(case):
    scene = scene_of(case)
    order = list(range(1, COUNT + 1))
    for first in range(0, COUNT - 8, 8):
        order[first:first + 12] = order[first + 4:first + 12] \
            + order[first:first + 4]
    mark = scene.server.mark()
    read_all(case, scene, order=order)
    each_once(case, scene)
    case.expect(len(fetches(scene, mark)) <= COUNT // 6,
                len(fetches(scene, mark)))


@tap.test
def test_scan_of_half_filled_cache_fetches_what_is_missing(case):
    scene = scene_of(case)
    order = list(range(1, COUNT + 1))
    for uid in order[40:COUNT:40]:
        assert scene.cat(uid)
    mark = scene.server.mark()
    read_all(case, scene)
    each_once(case, scene)
    case.expect(len(fetches(scene, mark)) <= COUNT // 6,
                len(fetches(scene, mark)))


@tap.test
def test_scan_that_stops_fetches_little_more(case):
    scene = scene_of(case, count=1000, size=500)
    read_all(case, scene, order=[1, 2, 3])
    wait_until(lambda: False, 1, 0.5)
    case.expect(len(scene.server.bodies_sent) <= 3 + 64,
                len(scene.server.bodies_sent))


@tap.test
def test_scan_does_not_delay_a_single_message(case):
    """A message far from the scan is not left to its turn in a batch."""
    scene = scene_of(case, options={'connections': 2}, count=1000, size=900)
    held = []

    def hold(connection, command):
        if not re.search(r'[:,]', command.text.split()[0]):
            return False
        held.append(command)
        connection.hang()

    read_all(case, scene, order=[1, 2, 3])
    scene.server.hooks['UID FETCH'] = hold
    scan = subprocess.Popen(['sh', '-c', 'cat "$0"/* > /dev/null',
                             scene.path('INBOX')], stderr=subprocess.DEVNULL)
    assert wait_until(lambda: held, 20 * tap.PATIENCE)
    uid = 900
    case.expect(scene.cat(uid), 'cat failed')
    scan.kill()
    scene.server.behave()
    scan.wait()


@tap.test
def test_scan_of_wrong_sizes_is_right(case):
    scene = Scene(case, [mailstore.simple_mailbox(count=60, size=3000)],
                  timeout=20)
    for message in scene.inbox.messages:
        lie = (50, -50, -1, MB, 0, 0)[message.uid % 6]
        message.announced = len(message.body) + lie
    scene.start()
    assert scene.listing()
    read_all(case, scene)
    for message in scene.inbox.messages:
        size = int(run('stat', '-c', '%s', scene.file(message.uid)).out)
        case.expect(size == len(message.body), f'{message.uid}: {size}')
    case.expect(not scene.server.errors, scene.server.errors)


@tap.test
def test_scan_past_expunged_messages_reads_the_others(case):
    scene = scene_of(case, count=100)
    gone = (2, 30, 31, 77, 100)
    for uid in gone:
        scene.inbox.get(uid).expunged = True
    read_all(case, scene, order=list(range(1, 101)),
             expect={uid: ('2',) for uid in gone})
    case.expect(run('ls', scene.path('INBOX')).ok)


@tap.test
def test_scan_past_stand_ins_reads_the_others(case):
    """For a message that is gone the server sends something else."""
    scene = scene_of(case, count=60)
    gone = (5, 17, 40)

    def stand_in(connection, command):
        if 'BODY.PEEK' not in command.text.upper():
            return False

        def line(sequence, message, items):
            body = b'x' * 129 if message.uid in gone else None
            return mailstore.fetch_line(sequence, message, items, body=body)
        connection.send(connection.fetch(command, line)
                        + f'{command.tag} OK done\r\n'.encode())
        for uid in gone:
            scene.inbox.get(uid)
        return True

    def search(connection, command):
        for uid in gone:
            scene.inbox.get(uid).expunged = True
        return False

    scene.server.hooks = {'UID FETCH': stand_in, 'UID SEARCH': search}
    read_all(case, scene, order=list(range(1, 61)),
             expect={uid: ('2',) for uid in gone})


@tap.test
def test_scan_whose_batches_are_refused_goes_on_one_by_one(case):
    scene = scene_of(case, count=100)

    def refuse(connection, command):
        if not re.search(r'[:,]', command.text.split()[0]):
            return False
        connection.line(f'{command.tag} NO not so many at once')

    scene.server.hooks['UID FETCH'] = refuse
    read_all(case, scene)
    refused = batches(scene)
    case.expect(1 <= len(refused) <= 12, len(refused))


@tap.test
def test_scan_whose_line_is_cut_goes_on(case):
    scene = scene_of(case, count=200, size=3000)
    cuts = []

    def cut(connection, command):
        if len(cuts) >= 2 or not re.search(r'[:,]', command.text.split()[0]):
            return False
        cuts.append(command)
        data = connection.default(command)
        connection.send(data[:len(data) * 2 // 3])
        connection.close()

    scene.server.hooks['UID FETCH'] = cut
    read_all(case, scene)
    case.expect(len(cuts) == 2, cuts)


def uid_at_the_end(connection, command):
    """Whose octets they are some servers say last."""
    if 'BODY.PEEK' not in command.text.upper():
        return False

    def line(sequence, message, items):
        data = mailstore.fetch_line(sequence, message, items, with_uid=False)
        return data[:-3] + b' UID %d)\r\n' % message.uid
    connection.send(connection.fetch(command, line)
                    + f'{command.tag} OK done\r\n'.encode())
    return True


@tap.test
def test_scan_with_uid_at_the_end_is_right(case):
    scene = scene_of(case, count=100)
    scene.server.hooks['UID FETCH'] = uid_at_the_end
    read_all(case, scene)
    each_once(case, scene)


@tap.test
def test_scan_from_the_end_over_a_wide_gap_ends(case):
    """UIDs may lie billions apart."""
    scene = Scene(case, [mailstore.simple_mailbox(count=40, size=700)],
                  timeout=20)
    for message in scene.inbox.messages[20:]:
        message.uid += 4_000_000_000
    scene.start()
    assert scene.listing()
    read_all(case, scene, order=[m.uid for m in
                                 reversed(scene.inbox.messages)])


@tap.test
def test_scan_whose_line_is_cut_is_recognised_again(case):
    """What was under way in many commands is not fetched one by one."""
    scene = Scene(case, [mailstore.simple_mailbox(count=1500, size=300)],
                  timeout=20)
    for message in scene.inbox.messages:
        message.uid *= 2  # so that a window is many commands
    scene.start()
    assert scene.listing()
    cuts = []

    def cut(connection, command):
        if not cuts and command.text.count(',') > 150:
            cuts.append(command)
            connection.close()
        return False

    scene.server.hooks['UID FETCH'] = cut
    read_all(case, scene)
    case.expect(len(cuts) == 1, cuts)
    alone = len(fetches(scene)) - len(batches(scene))
    case.expect(alone < 50, f'{alone} messages were fetched alone')


@tap.test
def test_scan_of_many_wrong_sizes_sends_no_long_lines(case):
    scene = Scene(case, [mailstore.simple_mailbox(count=1500, size=300)],
                  timeout=20)
    for message in scene.inbox.messages:
        message.uid = 3_000_000_000 + 2 * message.uid
        message.announced = len(message.body) + 50

    def late(connection, command):
        connection._pause(0.5)  # the connection that is to ask
        return False

    scene.start()
    assert scene.listing()
    scene.server.hooks['AUTHENTICATE'] = late
    read_all(case, scene)
    longest = max(len(c.text) for c in scene.server.commands)
    case.expect(longest < 8000, f'a line of {longest} octets')


@tap.test
def test_scan_with_little_memory_fetches_each_once(case):
    scene = scene_of(case, count=120, size=100_000,
                     options={'cache_dir': 'none', 'cache_size': '4M'})
    read_all(case, scene)
    each_once(case, scene)


@tap.test
def test_messages_with_empty_identity_are_themselves(case):
    """A server whose EMAILID says nothing."""
    mailbox = mailstore.simple_mailbox(count=6)
    for message in mailbox.messages:
        message.body = mailstore.make_message(message.uid, 3000)
        message.email_id = '""'
    scene = Scene(case, [mailbox], timeout=20, capabilities=CAPABILITIES
                  + ' OBJECTID')
    scene.start()
    assert scene.listing()
    read_all(case, scene)


@tap.test
def test_flag_change_does_not_fetch_again(case):
    scene = scene_of(case, count=40, options={'poll': 1})
    read_all(case, scene)
    for message in scene.inbox.messages:
        message.flags = ('\\Seen',)
    assert wait_until(lambda: scene.listing() and len(
        scene.server.saw('NOOP*')) + len(scene.server.saw('EXAMINE*')) > 1)
    read_all(case, scene)
    each_once(case, scene)


# Large messages

def large(case, size=20 * MB, **named):
    mailbox = mailstore.simple_mailbox(count=3)
    mailbox.messages[1].body = mailstore.make_message(2, size)
    named.setdefault('timeout', 20)
    scene = Scene(case, [mailbox], **named)
    return scene, mailbox.messages[1]


def sent(scene, uid=2):
    return scene.server.bodies_sent['INBOX', uid]


@tap.test
def test_head_of_large_message_transfers_little(case):
    scene, message = large(case, 50 * MB, options={'connections': 1})
    scene.start()
    assert scene.listing()
    mark = scene.server.mark()
    result = run('head', '-c', '1000', scene.file(2))
    case.expect(result.out == message.body[:1000], result)
    case.expect(sent(scene) <= 256 * KB, sent(scene))
    case.expect(scene.server.since(mark)[1] == 1, *scene.server.since(mark)[0])
    case.expect(run('head', '-c', '1000', scene.file(2)).out
                == message.body[:1000])
    case.expect(sent(scene) <= 256 * KB, sent(scene))


@tap.test(limit=240)
def test_large_message_is_read_whole_once(case):
    scene, message = large(case, 50 * MB + 12345)
    scene.start()
    assert scene.listing()
    mark = scene.server.mark()
    result = run('sha256sum', scene.file(2), limit=120 * tap.PATIENCE)
    case.expect(result.out.decode().split()[0]
                == hashlib.sha256(message.body).hexdigest(), result)
    case.expect(sent(scene) <= len(message.body) + 1,
                sent(scene) - len(message.body))
    flights = scene.server.since(mark)[1]
    case.expect(flights <= 14, f'{flights} flights')


@tap.test
def test_parts_of_large_message_are_right(case):
    scene, message = large(case, 20 * MB + 7)
    scene.start()
    assert scene.listing()
    for skip, count in ((10 * MB - 3, 10), (20 * MB, 7), (256 * KB - 1, 2),
                        (128 * KB - 1, 2), (0, 1)):
        result = run('dd', f'if={scene.file(2)}', 'iflag=skip_bytes,count_bytes',
                     f'skip={skip}', f'count={count}', 'status=none')
        case.expect(result.out == message.body[skip:skip + count],
                    f'{skip}: {result}')
    case.expect(sent(scene) <= 6 * MB, sent(scene))
    case.expect(run('md5sum', scene.file(2), limit=60 * tap.PATIENCE).out.split()[0].decode()
                == hashlib.md5(message.body).hexdigest())
    case.expect(sent(scene) <= len(message.body) + 256 * KB,
                sent(scene) - len(message.body))


@tap.test
def test_large_message_with_two_readers_is_read_once(case):
    scene, message = large(case, 20 * MB)
    scene.start()
    assert scene.listing()
    readers = [subprocess.Popen(['md5sum', scene.file(2)],
                                stdout=subprocess.PIPE) for _ in range(2)]
    for reader in readers:
        out, _ = reader.communicate(timeout=60 * tap.PATIENCE)
        case.expect(out.split()[0].decode()
                    == hashlib.md5(message.body).hexdigest(), out)
    case.expect(sent(scene) <= len(message.body) + 256 * KB,
                sent(scene) - len(message.body))


@tap.test
def test_large_message_whose_line_is_cut_is_right(case):
    scene, message = large(case, 20 * MB)
    scene.start()
    assert scene.listing()
    cuts = []

    def cut(connection, command):
        if len(cuts) >= 1 or '.8388608>' not in command.text:
            return False
        cuts.append(command)
        data = connection.default(command)
        connection.send(data[:len(data) // 2])
        connection.close()

    scene.server.hooks['UID FETCH'] = cut
    case.expect(run('md5sum', scene.file(2), limit=60 * tap.PATIENCE).out.split()[0].decode()
                == hashlib.md5(message.body).hexdigest())
    case.expect(len(cuts) == 1, *scene.server.commands)


@tap.test
def test_large_message_with_little_memory_is_read_once(case):
    scene, message = large(case, 30 * MB, options={'cache_dir': 'none',
                                                   'cache_size': '8M'})
    scene.start()
    assert scene.listing()
    case.expect(run('md5sum', scene.file(2), limit=60 * tap.PATIENCE).out.split()[0].decode()
                == hashlib.md5(message.body).hexdigest())
    case.expect(sent(scene) <= len(message.body) + MB,
                sent(scene) - len(message.body))


@tap.test
def test_large_message_of_wrong_size_with_little_memory_is_right(case):
    scene, message = large(case, 10 * MB, options={'cache_dir': 'none',
                                                   'cache_size': '2M'})
    message.announced = len(message.body) + 50
    scene.start()
    assert scene.listing()
    case.expect(scene.cat(2, limit=60 * tap.PATIENCE))
    case.expect(scene.cat(2, limit=60 * tap.PATIENCE))


@tap.test
def test_large_messages_of_wrong_size_with_uid_at_the_end_are_right(case):
    """All of one has come, and the server is being asked whether it exists,
    when the next comes on the same line."""
    scene, _ = large(case, 3 * MB, options={'connections': 1})
    for message in scene.inbox.messages:
        message.body = mailstore.make_message(message.uid, 3 * MB)
        message.announced = len(message.body) + 50
    scene.start()
    assert scene.listing()
    scene.server.hooks['UID FETCH'] = uid_at_the_end
    scene.server.delay = 0.3  # so that they come together
    readers = [(m, subprocess.Popen(['md5sum', scene.file(m.uid)],
                                    stdout=subprocess.PIPE))
               for m in scene.inbox.messages]
    for message, reader in readers:
        out, _ = reader.communicate(timeout=60 * tap.PATIENCE)
        case.expect(out.split()[0:1] ==
                    [hashlib.md5(message.body).hexdigest().encode()],
                    f'{message.uid}: {out}')


@tap.test(limit=240)
def test_large_message_whose_line_is_cut_twice_is_right(case):
    """Each time something else is under way, and at no time nothing."""
    scene, message = large(case, 50 * MB)
    scene.start()
    assert scene.listing()
    cuts = []
    seen = set()

    def cut(connection, data):
        cuts.append(connection)
        connection.send(data[:len(data) // 2])
        connection._pause(0.5)  # the reader waits for the rest
        connection.close()

    def hook(connection, command):
        start = re.search(r'<(\d+)\.\d+>', command.text)
        start = int(start[1]) if start else 0
        if not 4 * MB <= start < 50 * MB - 1:
            return False
        data = connection.default(command)
        if not cuts:
            seen.update(int(n) for c in scene.server.commands
                        for n in re.findall(r'<(\d+)\.\d+>', c.text)
                        if int(n) < 50 * MB - 1)
            cut(connection, data)
        if start not in seen and len(cuts) == 1:
            cut(connection, data)
        if start == max(seen) and len(cuts) == 1:
            # Its end comes after more has been asked for.
            connection.send(data[:-200])
            wait_until(lambda: connection._drain(0.05) or
                       b'FETCH' in connection.buffer)
            data = data[-200:]
        connection.send(data)
        return True

    scene.server.hooks['UID FETCH'] = hook
    # The kernel asks again for what it fails to read ahead; not for this.
    result = run('dd', f'if={scene.file(2)}', 'iflag=direct', 'bs=1M',
                 'status=none', limit=120 * tap.PATIENCE)
    case.expect(result.out == message.body, result.err,
                scene.mount.messages()[-500:])
    case.expect(len(cuts) == 2, len(cuts))


@tap.test(limit=240)
def test_head_of_large_message_does_not_wait_for_another_reader(case):
    """Whose reading never ends."""
    scene, message = large(case, 50 * MB, options={'cache_dir': 'none',
                                                   'cache_size': '8M'})
    scene.start()
    assert scene.listing()
    streaming = threading.Event()
    asked = []

    def hook(connection, command):
        start = re.search(r'<(\d+)\.\d+>', command.text)
        if start and start[1] == '0' and streaming.is_set():
            asked.append(command)
        elif asked:
            connection.hang()
        elif (start and 30 * MB <= int(start[1]) < 50 * MB - 1
              and not streaming.is_set()):
            streaming.set()
            wait_until(lambda: connection._drain(0.05) or
                       b'<0.' in connection.buffer, 20 * tap.PATIENCE)
        return False

    scene.server.hooks['UID FETCH'] = hook
    reader = subprocess.Popen(['dd', f'if={scene.file(2)}', 'bs=1M', 'skip=10',
                               'of=/dev/null', 'status=none'])
    case.defer(reader.wait)
    case.defer(reader.kill)
    assert streaming.wait(100 * tap.PATIENCE)
    result = run('head', '-c', '1000', scene.file(2))
    case.expect(result.out == message.body[:1000], result)
    case.expect(asked, 'the beginning was there already')


def parts_that(change):
    """A server that does something to partial fetches, beyond the first."""
    def hook(connection, command):
        partial = re.search(r'BODY\.PEEK\[\]<(\d+)\.(\d+)>', command.text)
        if partial is None:
            return False
        return change(connection, command, int(partial[1]), int(partial[2]))
    return hook


def shorter(connection, command, start, length):
    if start < 256 * KB or length == 2:
        return False
    data = connection.mailbox.get(2).body[start:start + length - 1]
    connection.send(b'* 2 FETCH (UID 2 BODY[]<%d> {%d}\r\n%s)\r\n' %
                    (start, len(data), data))
    connection.line(f'{command.tag} OK done')


def refused(connection, command, start, length):
    connection.line(f'{command.tag} BAD no parts here')


def whole(connection, command, start, length):
    data = connection.mailbox.get(2).body
    connection.send(b'* 2 FETCH (UID 2 BODY[] {%d}\r\n%s)\r\n' %
                    (len(data), data))
    connection.line(f'{command.tag} OK done')


def nil(connection, command, start, length):
    connection.line('* 2 FETCH (UID 2 BODY[]<%d> NIL)' % start)
    connection.line(f'{command.tag} OK done')


for change in (shorter, refused, whole, nil):
    @tap.test(name=f'large_message_whose_parts_are_{change.__name__}_is_right',
              arguments=(change,))
    def odd_parts(case, misbehave):
        scene, message = large(case, 4 * MB)
        scene.start()
        assert scene.listing()
        scene.server.hooks['UID FETCH'] = parts_that(misbehave)
        case.expect(run('md5sum', scene.file(2), limit=60 * tap.PATIENCE)
                    .out.split()[0:1] ==
                    [hashlib.md5(message.body).hexdigest().encode()],
                    scene.mount.messages()[-500:])


@tap.test
def test_abandoned_large_message_is_not_fetched_to_its_end(case):
    """Its size lies, so all of it would have to come before it is opened."""
    # With one connection, another is made only when that was given up.
    scene, message = large(case, 30 * MB, options={'connections': 1})
    message.announced = 20 * MB
    scene.start()
    assert scene.listing()
    started = []

    def slowly(connection, command):
        if '<' in command.text or 'BODY.PEEK[]' not in command.text:
            return False
        data = connection.default(command)
        started.append(0)
        for at in range(0, len(data), MB):
            connection.send(data[at:at + MB])
            started[-1] = at
            if len(started) == 1:
                connection._pause(0.5)

    scene.server.hooks['UID FETCH'] = slowly
    reader = subprocess.Popen(['cat', scene.file(2)],
                              stdout=subprocess.DEVNULL)
    assert wait_until(lambda: started and started[0] > MB, 20 * tap.PATIENCE)
    reader.kill()
    reader.wait()
    case.expect(wait_until(lambda: sum(
        c.number > 1 for c in scene.server.connections) or
        scene.cat(1), 20 * tap.PATIENCE))
    case.expect(started[0] < 20 * MB, started)
    case.expect(scene.cat(2, limit=60 * tap.PATIENCE))


@tap.test
def test_large_message_that_is_gone_is_no_such_file(case):
    scene, message = large(case, 4 * MB)
    scene.start()
    assert scene.listing()
    message.expunged = True
    result = run('cat', scene.file(2))
    case.expect('No such file' in result.err, result)


if __name__ == '__main__':
    tap.main(jobs=4)
