#!/usr/bin/env python3
"""The main job on a real Dovecot: the sample mailbox, a folder of 10,000
messages and one message of 200 MB, read by the tools that people use, and
compared with what lies in the server's store."""

import imaplib
import os
import re
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import tap
from command import run, wait_until
from memory import in_memory
from mount import Mount, mount_fails

MANY = 1000 if tap.SANITIZED else 10000
MANY_BYTES = 15000 * MANY
HUGE_BYTES = 200 * 1000 * 1000
MEMORY_LIMIT = 60 * 1000 * 1000
SCRATCH = ['Scratch/expunged', 'Scratch/outlived', 'Scratch/deleted',
           'Scratch/flagged']
GONE = ('No such file', 'Stale file handle')

server = None


class Shared:
    """What all tests of this file use; started before they fork."""

    def __init__(self):
        self.stack = []
        self.directory = tempfile.mkdtemp(prefix='imapfs-shared-')
        self.defer(shutil.rmtree, self.directory, True)

    def defer(self, *call):
        self.stack.append(call)

    def end(self):
        for function, *arguments in reversed(self.stack):
            function(*arguments)


def huge_message():
    head = (b'From: Big <big@example.org>\r\nSubject: huge\r\n'
            b'Date: Sun, 22 Nov 2026 09:30:00 +0000\r\n\r\n')
    block = b''.join(b'%07d of a very long message ' % number + b'x' * 60
                     + b'\r\n' for number in range(10000))
    whole = head + block * (HUGE_BYTES // len(block) + 1)
    return whole[:HUGE_BYTES - 2] + b'\r\n'


def prepare(new):
    new.generate(flat='Many', messages=MANY, total_bytes=MANY_BYTES, seed=2)
    for seed, folder in enumerate(SCRATCH, 3):
        new.generate(flat=folder, messages=20, seed=seed)
    cur = new.mail_root() / 'Huge' / 'cur'
    for part in ('cur', 'new', 'tmp'):
        (cur.parent / part).mkdir(parents=True)
    body = huge_message()
    (cur / f'1.M1P1.sample,S={len(body)},W={len(body)}:2,').write_bytes(body)
    shutil.chown(cur.parent.parent, new._owner.pw_uid, new._owner.pw_gid)
    new.generate(flat='Single', messages=1, seed=9)


def setup():
    global server
    shared = Shared()
    try:
        server = dovecot.start_sample(shared, messages=400, prepare=prepare,
                                      directory=shared.directory,
                                      settings={'mail_max_userip_connections':
                                                100})
        dovecot.open_all(server)
    except BaseException:
        shared.end()
        raise
    return shared.end


def options(**more):
    return {'ca_file': server.ca_file, 'timeout': 30 * tap.PATIENCE, **more}


def mount_of(case, url=None, **more):
    return Mount(case, url or server.url, options(**more),
                 password=dovecot.password(server))


def sample_folders():
    """The sample mailbox proper."""
    return [folder for folder in dovecot.folders(server)
            if folder.split('/')[0] not in ('Many', 'Huge', 'Scratch',
                                            'Single')]


def top_folders():
    return sorted({folder.split('/')[0] for folder in sample_folders()})


def all_flags(folders):
    with dovecot.Client(server) as client:
        return {folder: client.flags(folder) for folder in folders}


def check_copy(case, directory, folders, where):
    for folder in folders:
        wanted = dovecot.stored_digests(server, folder)
        copied = dovecot.copied_digests(
            os.path.join(directory, dovecot.mounted_path(folder)))
        if copied != wanted:
            wrong = [uid for uid in wanted if copied.get(uid) != wanted[uid]]
            case.expect(False, f'{where}, {folder}: {len(copied)} files for '
                        f'{len(wanted)} messages; missing or wrong: '
                        f'{wrong[:10]}; too many: '
                        f'{sorted(set(copied) - set(wanted))[:10]}')


def tool(case, *arguments, limit=120, statuses=(0,)):
    """A program that must succeed without a word on stderr."""
    result = run(*arguments, limit=limit * tap.PATIENCE)
    case.note(f'{arguments[0]}: {result.seconds:.1f} s')
    case.expect(result.status in statuses and not result.err, result)
    return result


def use_every_tool(case, mount, folders):
    """find, ls -l, grep -r, cp -r, tar, rsync -a over top-level folders."""
    tops = sorted({dovecot.mounted_path(folder).split('/')[0]
                   for folder in folders})
    paths = [mount.path(top) for top in tops]
    count = sum(len(server.stored(folder)) for folder in folders)

    found = tool(case, 'find', *paths, '-type', 'f', '-print0')
    case.expect(found.out.count(b'\0') == count,
                f'find: {found.out.count(0)} files, not {count}')
    listed = tool(case, 'ls', '-lR', *paths)
    case.expect(len(re.findall(rb'^-rw-------', listed.out, re.M)) == count,
                'ls -l: not all messages, or not as -rw-------')

    copy = case.path('cp')
    os.mkdir(copy)
    tool(case, 'cp', '-r', *paths, copy)
    check_copy(case, copy, folders, 'cp -r')

    hits = tool(case, 'grep', '-rLaZ', '^no line is like this$', *paths,
                statuses=(0, 1))  # 1: no line was found
    case.expect(hits.out.count(b'\0') == count,
                f'grep -r read {hits.out.count(0)} files, not {count}')
    archive = case.path('mail.tar')
    tool(case, 'tar', '-cf', archive, '-C', mount.mountpoint, *tops)
    unpacked = case.path('tar')
    os.mkdir(unpacked)
    tool(case, 'tar', '-xf', archive, '-C', unpacked)
    check_copy(case, unpacked, folders, 'tar')

    target = case.path('rsync')
    tool(case, 'rsync', '-a', *paths, target)
    check_copy(case, target, folders, 'rsync -a')
    again = tool(case, 'rsync', '-ai', *paths, target)
    case.expect(again.out == b'', 'the second rsync -a changed things:',
                again.out.decode()[:1000])


# The sample mailbox

for naming in ('subject', 'uid'):
    @tap.test(name=f'sample_every_tool_reads_what_is_stored_{naming}',
              limit=150, arguments=(naming,))
    def sample_tools(case, names):
        folders = sample_folders()
        before = all_flags(folders)
        case.expect(any('\\Seen' not in flags for messages in before.values()
                        for flags in messages.values()),
                    'every message was read before')
        mount = mount_of(case, names=names)
        use_every_tool(case, mount, folders)
        case.expect(all_flags(folders) == before, 'reading changed flags')
        mount.unmount()


@tap.test(limit=120)
def test_sample_over_starttls_is_what_is_stored(case):
    mount = mount_of(case, server.starttls_url)
    tops = [mount.path(dovecot.mounted_path(top)) for top in top_folders()]
    os.mkdir(case.path('cp'))
    tool(case, 'cp', '-r', *tops, case.path('cp'))
    check_copy(case, case.path('cp'), sample_folders(), 'cp -r')
    mount.terminate()


@tap.test
def test_root_lists_every_folder(case):
    mount = mount_of(case)
    found = tool(case, 'find', mount.mountpoint, '-mindepth', '1', '-type',
                 'd', '-printf', '%P\\0')
    shown = {path.decode() for path in found.out.split(b'\0') if path}
    wanted = set()
    for folder in dovecot.folders(server):
        parts = dovecot.mounted_path(folder).split('/')
        wanted |= {'/'.join(parts[:end + 1]) for end in range(len(parts))}
    # What other tests delete meanwhile is of no interest.
    shown = {path for path in shown if not path.startswith('Scratch')}
    wanted = {path for path in wanted if not path.startswith('Scratch')}
    case.expect(shown == wanted, f'missing {wanted - shown}, '
                f'too many {shown - wanted}')


def names_and_inodes(mount, tops):
    out = run('find', *(mount.path(top) for top in tops), '-printf',
              '%P %i\\n', check=True, limit=120).out.decode()
    lines = out.splitlines()
    assert len(lines) == len(set(lines)), 'a name twice'
    return sorted(lines)


def forget(mount):
    """Makes the kernel ask the daemon again, where we may. Of this mount alone:
    other tests are about what it keeps of theirs."""
    if os.geteuid() == 0:
        run('mount', '-i', '-o', 'remount', mount.mountpoint, check=True)


@tap.test(limit=120)
def test_names_and_inodes_stay(case):
    tops = [dovecot.mounted_path(top) for top in top_folders()]
    mount = mount_of(case)
    first = names_and_inodes(mount, tops)
    inodes = [line.rsplit(' ', 1)[1] for line in first]
    case.expect(len(inodes) == len(set(inodes)), 'an inode number twice')
    case.expect(names_and_inodes(mount, tops) == first, 'another listing')
    forget(mount)
    case.expect(names_and_inodes(mount, tops) == first,
                'another listing after the kernel forgot')
    mount.unmount()
    mount = mount_of(case)
    again = names_and_inodes(mount, tops)
    case.expect([line.rsplit(' ', 1)[0] for line in again]
                == [line.rsplit(' ', 1)[0] for line in first],
                'other names after a remount')
    for line in first:
        name = os.path.basename(line.rsplit(' ', 1)[0])
        if name.endswith('.eml'):
            case.expect(re.match(r'\d{4}-\d\d-\d\d_\d{4}_', name)
                        and len(name.encode()) <= 120
                        and not re.search(r'[\s\x00-\x1f\x7f`$&;|<>*?\'"\\]',
                                          name), f'bad name {name!r}')


@tap.test
def test_flags_that_change_keep_names(case):
    folder = 'Scratch/flagged'
    mount = mount_of(case)
    before = names_and_inodes(mount, [folder])
    with dovecot.Client(server) as client:
        client.open(folder, readonly=False)
        client.imap.uid('STORE', '1:*', '+FLAGS', '(\\Seen \\Flagged)')
        client.imap.uid('STORE', '1:5', '-FLAGS', '(\\Seen)')
    forget(mount)
    case.expect(names_and_inodes(mount, [folder]) == before, 'other names')


# Much

@tap.test(limit=280)
def test_many_every_tool_reads_what_is_stored(case):
    in_memory(case)
    before = all_flags(['Many'])
    mount = mount_of(case)
    use_every_tool(case, mount, ['Many'])
    peak = mount.peak_memory()
    case.note(f'{peak / 1e6:.0f} MB at most')
    if not tap.SANITIZED:
        case.expect(peak < MEMORY_LIMIT, f'memory: {peak / 1e6:.0f} MB')
    case.expect(all_flags(['Many']) == before, 'reading changed flags')
    mount.unmount()


def check_memory(case, work):
    mount = mount_of(case)
    work(mount)
    peak = mount.peak_memory()
    case.note(f'{peak / 1e6:.0f} MB at most')
    case.expect(peak < MEMORY_LIMIT, f'memory: {peak / 1e6:.0f} MB')
    mount.unmount()


def measured(function):
    """A test of memory: sanitizers use memory of their own."""
    return function if tap.SANITIZED else tap.test(limit=120)(function)


@measured
def test_memory_reading_200_MB_is_bounded(case):
    def work(mount):
        result = tool(case, 'sha256sum', mount.path('Huge/1.eml'))
        wanted = dovecot.stored_digests(server, 'Huge')[1]
        case.expect(result.out.split()[0].decode() == wanted, 'wrong bytes')

    check_memory(case, work)


@tap.test(limit=120)
def test_huge_message_is_read_whole(case):
    mount = mount_of(case)
    listed = tool(case, 'ls', '-l', mount.path('Huge'))
    case.expect(str(HUGE_BYTES).encode() in listed.out, listed.out)
    tool(case, 'cp', mount.path('Huge/1.eml'), case.path('copy'))
    case.expect(dovecot.digest(case.path('copy'))
                == dovecot.stored_digests(server, 'Huge')[1], 'wrong bytes')
    tail = tool(case, 'tail', '-c', '1000', mount.path('Huge/1.eml'))
    with open(case.path('copy'), 'rb') as file:
        file.seek(-1000, os.SEEK_END)
        case.expect(tail.out == file.read(), 'wrong end')


# Changes made elsewhere

@tap.test
def test_expunged_after_listing_is_gone(case):
    folder = 'Scratch/expunged'
    mount = mount_of(case, names='uid')
    tool(case, 'ls', '-l', mount.path(folder))
    stored = dovecot.stored_digests(server, folder)
    with dovecot.Client(server) as client:
        client.expunge(folder, 7)
    result = run('cat', mount.path(folder, '7.eml'))
    case.expect(not result.ok and not result.out
                and any(word in result.err for word in GONE), result)
    run('cp', '-r', mount.path(folder), case.path('copy'))
    copied = dovecot.copied_digests(case.path('copy'))
    case.expect(all(stored[uid] == copied[uid] for uid in copied),
                'wrong bytes')
    case.expect(len(copied) == len(stored) - 1,
                f'{len(copied)} of {len(stored) - 1} others were copied')
    case.expect(mount.is_alive(), 'the daemon is gone')


@tap.test
def test_open_file_outlives_its_message(case):
    """What was opened is read to its end, or fails with ESTALE."""
    folder = 'Scratch/outlived'
    stored = dovecot.stored_digests(server, folder)
    mount = mount_of(case, names='uid')
    path = mount.path(folder, '9.eml')
    with open(case.path('wait'), 'w'):
        pass
    fifo = case.path('fifo')
    os.mkfifo(fifo)
    import subprocess
    reader = subprocess.Popen(
        ['sh', '-c', 'exec 3< "$1"; echo open; read go < "$2"; '
         'sha256sum <&3', 'sh', path, fifo],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert reader.stdout.readline() == b'open\n'
    with dovecot.Client(server) as client:
        client.expunge(folder, 9)
    with open(fifo, 'w') as go:
        go.write('go\n')
    out, err = reader.communicate(timeout=30)
    if reader.returncode == 0:
        case.expect(out.split()[0].decode() == stored[9], 'wrong bytes')
    else:
        case.expect(b'Stale' in err, err)


@tap.test
def test_folder_deleted_meanwhile_is_error(case):
    folder = 'Scratch/deleted'
    mount = mount_of(case, names='uid')
    tool(case, 'ls', '-l', mount.path(folder))
    tool(case, 'cat', mount.path(folder, '20.eml'))
    with dovecot.Client(server) as client:
        client.delete_folder(folder)
    result = run('cat', mount.path(folder, '2.eml'))
    case.expect(not result.ok and not result.out
                and any(word in result.err for word in GONE), result)
    tool(case, 'ls', '-l', mount.path('INBOX'))
    case.expect(mount.is_alive(), 'the daemon is gone')


# Another server each

def small(case, **named):
    return dovecot.start_sample(case, messages=20, **named)


def mounts_well(case, one, **more):
    settings = {'ca_file': one.ca_file, 'timeout': 20, **more}
    mount = Mount(case, one.url, settings,
                  password=None if 'client_cert' in more
                  else dovecot.password(one))
    copy = case.path(f'copy-{os.path.basename(mount.home)}')
    tool(case, 'cp', '-r', mount.path('INBOX'), copy)
    case.expect(dovecot.copied_digests(copy)
                == dovecot.stored_digests(one, 'INBOX'), 'wrong bytes')
    return mount


for words in ('plain', 'login', 'scram-sha-1', 'scram-sha-256',
              'plain login scram-sha-1 scram-sha-256'):
    @tap.test(name='mechanism_' + words.replace(' ', '_'), arguments=(words,))
    def mechanism(case, mechanisms):
        one = small(case, mechanisms=mechanisms)
        mount = mounts_well(case, one)
        mount.unmount()
        case.expect(any(f'method={word}' in one.log().lower()
                        for word in mechanisms.split()[-1:]), one.log()[-500:])


@tap.test
def test_client_certificate_instead_of_password(case):
    one = small(case, mechanisms='external')
    certificate, key = one.authority.issue(one.user, client=True)
    mounts_well(case, one, client_cert=certificate, client_key=key)


@tap.test
def test_server_without_extensions_is_read(case):
    one = small(case, capability='IMAP4rev1 AUTH=PLAIN', settings={})
    mounts_well(case, one)
    mounts_well(case, one, names='uid')


@tap.test
def test_server_restarted_meanwhile_is_read_again(case):
    one = small(case)
    dovecot.open_all(one)
    mount = mounts_well(case, one)
    folder = next(f for f in dovecot.folders(one)
                  if not f.startswith('INBOX') and one.stored(f))
    path = mount.path(dovecot.mounted_path(folder))
    one.stop()
    wait_until(lambda: not dovecot.has_connections(one))
    result = run('ls', path, limit=30 * tap.PATIENCE)
    case.expect(not result.clean, 'listed a folder without its server')
    case.expect('Transport endpoint' not in result.err, result)
    one.start()
    case.expect(wait_until(lambda: run('ls', path, limit=30).clean,
                           30 * tap.PATIENCE, 0.25), 'still fails')
    copy = case.path('after')
    tool(case, 'cp', '-r', path, copy)
    case.expect(dovecot.copied_digests(copy)
                == dovecot.stored_digests(one, folder), 'wrong bytes')


@tap.test
def test_other_clients_see_no_difference(case):
    """An account looks the same after a mount has read all of it."""
    one = small(case)
    dovecot.open_all(one)
    before = sorted(str(path) for path in one.mail_root().rglob('*:2,*'))
    mount = Mount(case, one.url, {'ca_file': one.ca_file},
                  password=dovecot.password(one))
    tool(case, 'grep', '-rc', 'e', mount.mountpoint)
    mount.unmount()
    after = sorted(str(path) for path in one.mail_root().rglob('*:2,*'))
    case.expect(before == after, 'files of the store changed names (flags)')


if __name__ == '__main__':
    tap.main(setup, jobs=3)
