#!/usr/bin/env python3
"""What a provider lets one do: so much over the line in a day, and mailboxes
that are but views of others."""

import errno
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run, wait_until
from imapserver import CAPABILITIES, Server
from mailstore import Mailbox, Message, make_message, simple_mailbox
from mount import Mount

SIZE = 400_000
COUNT = 8


def serve(case, **named):
    messages = [Message(uid, make_message(uid, SIZE))
                for uid in range(1, COUNT + 1)]
    server = Server([Mailbox('INBOX', messages), simple_mailbox('Other')],
                    **named).start()
    case.defer(server.stop)
    return server


def mount(case, server, data, **options):
    return Mount(case, server.url('127.0.0.1'),
                 {'tls': 'off', 'timeout': 20 * tap.PATIENCE,
                  'connections': 1, 'names': 'uid', **options},
                 data=case.path(data))


def read(mounted, uid):
    """The message, or the name of the error."""
    result = run('cat', mounted.path(f'INBOX/{uid}.eml'))
    if result.ok:
        return result.out
    for name in ('EBUSY', 'EIO', 'EDQUOT'):
        if os.strerror(getattr(errno, name)) in result.err:
            return name
    return result.err


@tap.test
def test_download_of_a_day_ends_at_its_limit(case):
    server = serve(case)
    mounted = mount(case, server, 'data', max_download='1M')
    bodies = {m.uid: m.body for m in server.mailboxes[0].messages}
    run('ls', mounted.path('Other'), check=True)
    got = []
    # In an order that nobody takes for a scan.
    for uid in (5, 2, 8, 1, 7, 3):
        answer = read(mounted, uid)
        if answer == 'EBUSY':
            break
        case.expect(answer == bodies[uid], f'{uid}: {answer[:100]}')
        got.append(uid)
    case.expect(2 <= len(got) <= 4, f'read {got} of a megabyte')
    case.expect(read(mounted, 4) == 'EBUSY', 'there is more')
    served = sum(server.bodies_sent.values())
    for uid in got:
        case.expect(read(mounted, uid) == bodies[uid],
                    f'{uid} is not served from the cache')
    run('ls', '-l', mounted.path('INBOX'), check=True)
    case.expect(sum(server.bodies_sent.values()) == served, 'it was fetched')
    case.expect("max_download of 1M is used up" in mounted.messages(),
                mounted.messages())
    status = json.loads(run('cat', mounted.path('.imapfs/status'),
                            check=True).out)
    case.expect(status['today']['received'] >= 1 << 20 and
                status['today']['max_download'] == 1 << 20 and
                'max_upload' not in status['today'], status['today'])
    case.expect(any('is used up' in one['text']
                    for one in status['last_errors']), status['last_errors'])
    case.expect(mounted.messages().count('is used up: until') == 1,
                'told more than once')
    mounted.unmount()

    # Another mount goes on counting; without a limit there is none.
    mounted = mount(case, server, 'data', max_download='1M')
    case.expect(read(mounted, 4) == 'EBUSY', 'the next mount began anew')
    case.expect(read(mounted, got[0]) == bodies[got[0]], 'nor the cache')
    mounted.unmount()
    mounted = mount(case, server, 'data', max_download='none')
    case.expect(read(mounted, 4) == bodies[4], 'none is a limit')
    mounted.unmount()


@tap.test
def test_folder_never_listed_is_not_fetched_beyond_the_limit(case):
    server = serve(case)
    mounted = mount(case, server, 'data', max_download='1M', names='subject')
    for uid in (5, 2, 8, 1):
        read(mounted, uid)
    result = run('ls', mounted.path('Other'))
    case.expect(result.status != 0 and
                os.strerror(errno.EBUSY) in result.err, result)
    run('ls', mounted.path('INBOX'), check=True)
    mounted.unmount()


def store(mounted, number, size=SIZE):
    """None, or the errno of the close."""
    data = make_message(number, size, seed=7)
    name = mounted.path(f'Other/letter{number}.eml')
    script = ('import os, sys\n'
              'file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)\n'
              'data = sys.stdin.buffer.read()\n'
              'while data:\n'
              '    data = data[os.write(file, data):]\n'
              'try:\n'
              '    os.close(file)\n'
              'except OSError as error:\n'
              '    print(error.errno)\n')
    reading, writing = os.pipe()
    import threading

    def feed():
        with os.fdopen(writing, 'wb') as pipe:
            pipe.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    result = run(sys.executable, '-c', script, name, stdin=reading)
    os.close(reading)
    feeder.join()
    if result.err:
        raise AssertionError(str(result))
    return int(result.out) if result.out.strip() else None


@tap.test
def test_upload_of_a_day_waits_beyond_its_limit(case):
    server = serve(case)
    other = server.mailboxes[1]
    before = len(other.present)
    mounted = mount(case, server, 'data', max_upload='1M')
    errors = [store(mounted, number) for number in (1, 2, 3)]
    case.expect(errors == [None, None, errno.EDQUOT], errors)
    case.expect(store(mounted, 4, 1_500_000) == errno.EFBIG,
                'larger than a day takes')
    case.expect(len(other.present) == before + 2, 'more was sent')
    listed = run('ls', mounted.path('Other'), check=True).out
    case.expect(b'letter3.eml' in listed, listed)
    run('cp', mounted.path('INBOX/2.eml'), mounted.path('Other/copy.eml'),
        check=True)
    mounted.terminate(30)
    case.expect(len(other.present) in (before + 2, before + 3),
                'more was sent at the end')

    mounted = mount(case, server, 'data')
    wanted = make_message(3, SIZE, seed=7)
    case.expect(wait_until(
        lambda: any(m.body == wanted for m in other.present),
        30 * tap.PATIENCE), 'what waited was not sent by the next mount')
    case.expect(sum(m.body == wanted for m in other.present) == 1, 'twice')
    mounted.unmount()


VIEWS = (('[Gmail]', ('\\Noselect',)), ('[Gmail]/All Mail', ('\\All',)),
         ('[Gmail]/Important', ('\\Important',)),
         ('[Gmail]/Starred', ('\\Flagged',)),
         ('[Gmail]/Sent Mail', ('\\Sent',)), ('Work', ()))


@tap.test
def test_views_of_gmail_are_hidden_unless_asked_for(case):
    mailboxes = [simple_mailbox()]
    for name, attributes in VIEWS:
        mailboxes.append(Mailbox(name, attributes=attributes))
    for capabilities, options, shown in (
            (CAPABILITIES + ' X-GM-EXT-1', {}, {'Sent Mail'}),
            (CAPABILITIES + ' X-GM-EXT-1', {'all_mail': None},
             {'Sent Mail', 'All Mail', 'Important', 'Starred'}),
            # Elsewhere these may hold what is nowhere else.
            (CAPABILITIES, {},
             {'Sent Mail', 'All Mail', 'Important', 'Starred'})):
        server = Server(mailboxes, capabilities=capabilities).start()
        case.defer(server.stop)
        mounted = mount(case, server, f'data{server.port}', **options)
        listed = run('ls', mounted.path('[Gmail]'), check=True).out.decode()
        case.expect(set(listed.splitlines()) == shown, listed)
        listed = run('ls', mounted.mountpoint, check=True).out.decode()
        case.expect(set(listed.split()) == {'INBOX', '[Gmail]', 'Work'}, listed)
        mounted.unmount()


if __name__ == '__main__':
    tap.main(jobs=3)
