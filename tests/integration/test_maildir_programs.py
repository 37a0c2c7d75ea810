#!/usr/bin/env python3
"""Mail programs that know Maildirs, in one of the mount: the server has in the
end what it has when the same is done in a Maildir of plain files that mbsync
keeps."""

import getpass
import hashlib
import os
import re
import shlex
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import sample_server
import tap
from command import run
from maildir import Box, Mirror, digest, letters, numbered, renamed
from tools import Terminal, need
from writing import crlf, message

FOLDERS = {'INBOX': [*numbered(6), (message(7), '\\Seen'),
                     (message(8), '\\Seen \\Answered')],
           'Other': [(message(9), '\\Seen')], 'Drafts': []}


def shell(case, root, command, home, check=True, **environment):
    result = run('bash', '-ec', command, cwd=root, limit=60 * tap.PATIENCE,
                 env={'HOME': home, 'R': root, 'XDG_RUNTIME_DIR': home,
                      'LC_ALL': 'C.UTF-8', **environment})
    if check:
        case.expect(result.ok, result, result.err)
    return result


def drafts(place):
    """Of what programs write themselves: flags, subject and text."""
    return sorted((tuple(sorted(one.flags)),
                   re.search(rb'(?im)^subject: (.*?)\r?$', one.body)[1],
                   one.body.partition(b'\r\n\r\n')[2].strip())
                  for one in place.stored('Drafts'))


def compare(case, work, folders=None):
    """Does work(root) with both, and compares what the servers have."""
    folders = folders or FOLDERS
    box = Box(case, folders)
    mirror = Mirror(case, folders)
    work(box.root)
    work(mirror.root)
    names = [name for name in folders if name != 'Drafts']
    here, there = box.state(*names), mirror.state(*names)
    case.expect(here == there, 'by the mount', here, '\nby mbsync', there)
    if 'Drafts' in folders:
        case.expect(drafts(box) == drafts(mirror), drafts(box),
                    drafts(mirror))
    for name in folders:
        box.expect_same(name)
    return box, here


# ---- mblaze ----

MBLAZE = '''
pick() { mlist $R/INBOX | mpick -t "subject == \\"number $1\\""; }
minc -q $R/INBOX >/dev/null || minc $R/INBOX >/dev/null
[ $(mlist $R/INBOX | wc -l) = 8 ]
mlist $R/INBOX | mscan -f %s | grep -q "number 3"
mshow $(pick 1) | grep -q body
pick 1 | mflag -S >/dev/null
pick 2 | mflag -SF >/dev/null
pick 8 | mflag -r -P >/dev/null
pick 3 | mrefile $R/Other
rm $(pick 4)
printf 'From: a@b\\nSubject: draft\\n\\ntext\\n' | mdeliver -c -XDS $R/Drafts \\
    >/dev/null
[ -z "$(ls $R/INBOX/new)" ]
'''


@tap.test(limit=120)
def test_mblaze(case):
    need('mlist', 'mdeliver', 'mbsync')

    def work(root):
        shell(case, root, MBLAZE, case.directory,
              MAILSEQ=case.path('seq'), MBLAZE_PAGER='cat')
    _, state = compare(case, work)
    case.expect(len(state['INBOX']) == 6 and len(state['Other']) == 2, state)


# ---- mutt and neomutt ----

MUTT = '''
set folder="{root}" spoolfile="+INBOX" mbox_type=Maildir
set postponed="+Drafts" record="" header_cache="" tmpdir="{home}"
set realname=Alice from=alice@example.org hostname=example.org
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no
set mark_old=no wait_key=no autoedit=yes fast_reply=yes postpone=yes
set abort_unmodified=no editor="sh -c 'echo text >> $0'" timeout=1
set sort=date pager_index_lines=0 delete_untag=yes resolve=no
'''


def mutt_work(case, program, root):
    home = case.path(program + ('-m' if '.imapfs' in root else '-p'))
    os.makedirs(home)
    with open(home + '/rc', 'w') as file:
        file.write(MUTT.format(root=root, home=home))
    terminal = Terminal(case, program, '-n', '-F', home + '/rc', HOME=home)
    terminal.shows(b'number 8')

    def at(number, keys, *shown):
        terminal.press(f'/~s "number {number}"\n')
        terminal.press(keys)
        if shown:
            terminal.shows(*shown)
    at(1, 'F')
    at(2, 's=Other\n', b'save', b'Save', b'D')
    at(3, 'd')
    at(4, '\n', b'body')
    terminal.press('i')
    terminal.press('m')
    terminal.shows(b'To:')
    terminal.press('bob@example.org\n')
    terminal.shows(b'Subject:')
    terminal.press('draft\n')
    terminal.shows(b'Compose', b'Send')
    terminal.press('q')
    terminal.shows(b'postponed', b'Postpone')
    terminal.press('$')
    terminal.press('q')
    terminal.ends()


def with_mutt(case, program):
    need(program, 'mbsync')
    _, state = compare(case, lambda root: mutt_work(case, program, root))
    flags = sorted(flags for flags, _ in state['INBOX'])
    case.expect(len(state['INBOX']) == 6 and len(state['Other']) == 2 and
                any('\\Flagged' in one for one in flags), state)


for name in ('mutt', 'neomutt'):
    tap.test(limit=180, name=name, arguments=(name,))(with_mutt)


# ---- aerc ----

@tap.test(limit=120)
def test_aerc_reads_flags_moves_and_deletes(case):
    need('aerc')
    box = Box(case, FOLDERS)
    home = case.path('aerc')
    config = home + '/.config/aerc'
    os.makedirs(config)
    with open(config + '/accounts.conf', 'w') as file:
        file.write(f'[mount]\nsource = maildir://{box.root}\n'
                   'default = INBOX\nfrom = Alice <alice@example.org>\n'
                   'postpone = Drafts\n')
    os.chmod(config + '/accounts.conf', 0o600)
    terminal = Terminal(case, 'aerc', HOME=home, EDITOR='true',
                        XDG_CONFIG_HOME=home + '/.config',
                        XDG_CACHE_HOME=home + '/.cache',
                        XDG_DATA_HOME=home + '/.local/share',
                        XDG_RUNTIME_DIR=home)
    terminal.shows(b'number')
    before = set(box.list())
    terminal.press(':select 0\n')
    terminal.press(':flag -t\n')
    box.soon(lambda: any('F' in letters(name) for name in box.list()),
             'nothing is flagged')
    terminal.press(':read\n')
    box.soon(lambda: any(letters(name) == 'FS' or name not in before
                         for name in box.list()), 'nothing is read')
    terminal.press(':mv Other\n')
    box.soon(lambda: len(box.list('Other')) == 2, 'nothing is moved')
    terminal.press(':select 0\n')
    terminal.press(':delete\n')
    box.soon(lambda: len(box.list()) == 6, 'nothing is deleted')
    terminal.press(':quit\n')
    terminal.ends()
    box.wait()
    case.expect(len(box.stored()) == 6 and len(box.stored('Other')) == 2,
                box.stored())
    for folder in ('INBOX', 'Other'):
        box.expect_same(folder)


# ---- notmuch ----

def notmuch_config(case, root, name):
    database = case.path(name)
    os.makedirs(database)
    config = case.path(name + '.conf')
    with open(config, 'w') as file:
        file.write(f'[database]\npath={database}\nmail_root={root}\n'
                   '[user]\nname=Alice\nprimary_email=alice@example.org\n'
                   '[new]\ntags=new\n[maildir]\nsynchronize_flags=true\n')
    return config


NOTMUCH = '''
export NOTMUCH_CONFIG=$C
notmuch new --quiet
[ "$(notmuch count '*')" = 9 ]
[ "$(notmuch count tag:unread)" = 6 ]
notmuch show subject:number id:m3@example.org | grep -q body
notmuch tag -unread +flagged -- id:m3@example.org
notmuch tag +replied -- id:m7@example.org
rm $(notmuch search --output=files id:m4@example.org)
file=$(notmuch search --output=files id:m8@example.org)
mv $file $R/Other/cur/$(basename $file | sed 's/,U=[0-9]*//')  # mbsync wants it
notmuch new --quiet
[ "$(notmuch count '*')" = 8 ]
printf 'From: a@b\\nMessage-ID: <d@x>\\nSubject: draft\\n\\ntext\\n' |
    notmuch insert --folder=Drafts +draft -unread -inbox
[ "$(notmuch count folder:Drafts)" = 1 ]
'''


@tap.test(limit=180)
def test_notmuch(case):
    need('notmuch', 'mbsync')
    configs = {}

    def work(root):
        config = notmuch_config(case, root, f'nm{len(configs)}')
        configs[root] = config
        shell(case, root, NOTMUCH, case.directory, C=config)
    box, _ = compare(case, work)
    # What another client does is found.
    box.client.open('INBOX', readonly=False)
    box.client.imap.uid('STORE', '1', '+FLAGS', '(\\Seen)')
    box.append(message(11))
    box.soon(lambda: len(box.list()) == 7, 'it has not come')
    box.soon(lambda: letters(box.find('<m1@example')) == 'S', 'not seen')
    config = configs[box.root]
    result = shell(case, box.root, 'export NOTMUCH_CONFIG=$C; '
                   'notmuch new --quiet; notmuch count tag:unread; '
                   'notmuch count "*"', case.directory, C=config)
    case.expect(result.out.split() == [b'4', b'10'], result)


def scanned(case, root, config):
    """Directories that a notmuch new reads the files of."""
    trace = case.path('trace')
    shell(case, root, 'export NOTMUCH_CONFIG=$C; strace -f -y -o $T '
          '-e trace=getdents64 notmuch new --quiet', case.directory, C=config,
          T=trace)
    with open(trace) as file:
        found = re.findall(r'getdents64\(\d+<([^>]*)>', file.read())
    return {os.path.relpath(path, root) for path in found
            if path.startswith(root)}


@tap.test(limit=180)
def test_notmuch_goes_through_one_directory_after_one_change(case):
    need('notmuch', 'strace')
    box = Box(case, FOLDERS)
    if not run('strace', '-o', '/dev/null', 'true').ok:
        raise tap.Skip('strace cannot trace here')
    config = notmuch_config(case, box.root, 'nm')
    # It remembers nothing of empty ones, and does not trust a time that is the
    # present second.
    with_mail = {'INBOX/cur', 'INBOX/new', 'Other/cur'}
    box.soon(lambda: not with_mail & scanned(case, box.root, config),
             'it reads unchanged ones')
    renamed(box.find('number 7'), 'FS')
    box.wait()
    found = scanned(case, box.root, config)
    case.expect(found & with_mail == {'INBOX/cur'}, found)


# ---- mu ----

@tap.test(limit=120)
def test_mu_indexes_and_sees_what_has_changed(case):
    need('mu')
    box = Box(case, FOLDERS)
    home = case.path('mu')
    os.mkdir(home)

    def mu(*words):
        return run('mu', words[0], f'--muhome={home}', *words[1:],
                   limit=60 * tap.PATIENCE,
                   env={'HOME': home, 'LC_ALL': 'C.UTF-8'})

    def count(query):
        result = mu('find', '--fields', 'l', query)
        return len(result.out.splitlines()) if result.ok else 0
    case.expect(mu('init', f'--maildir={box.root}').ok, 'init')
    result = mu('index', '--lazy-check')
    case.expect(result.ok, result, result.err)
    case.expect(count('') == 9, count(''))
    case.expect(count('flag:unread') == 6 and count('flag:replied') == 1,
                'flags', count('flag:unread'))
    path = mu('find', '--fields', 'l',
              'subject:"number 7"').out.decode().strip()
    case.expect(b'body' in open(path, 'rb').read(), path)
    renamed(path, 'FS')
    os.unlink(box.find('number 4'))
    box.append(message(12), flags='\\Flagged')
    box.soon(lambda: len(box.list()) == 8, 'it has not come')
    box.wait()
    result = mu('index', '--lazy-check')
    case.expect(result.ok, result, result.err)
    case.expect(count('flag:flagged') == 2 and count('') == 9,
                count('flag:flagged'), count(''))
    box.expect_same()


# ---- mbsync ----

MBSYNC = '''
MaildirStore mount
Path {root}/
Inbox {root}/INBOX
SubFolders Verbatim

MaildirStore plain
Path {plain}/
Inbox {plain}/INBOX
SubFolders Verbatim

Channel all
Far :mount:
Near :plain:
Patterns *
Create Both
Expunge Both
SyncState {state}/
'''


@tap.test(limit=240)
def test_mbsync_has_the_mount_as_a_store(case):
    need('mbsync')
    box = Box(case, FOLDERS)
    plain = case.path('plain')
    state = case.path('state')
    os.mkdir(plain)
    os.mkdir(state)
    config = case.path('rc')
    with open(config, 'w') as file:
        file.write(MBSYNC.format(root=box.root, plain=plain, state=state))

    def sync():
        result = run('mbsync', '-c', config, '-a', limit=90 * tap.PATIENCE)
        case.expect(result.ok, result, result.err)

    def local(folder='INBOX'):
        return {os.path.join(plain, folder, kind, name)
                for kind in ('cur', 'new')
                for name in os.listdir(os.path.join(plain, folder, kind))}

    def one(number, folder='INBOX'):
        text = f'Subject: number {number}\n'.encode()
        return next(path for path in local(folder)
                    if text in open(path, 'rb').read().replace(b'\r', b''))
    before = box.state('INBOX', 'Other')
    sync()
    case.expect(len(local()) == 8 and len(local('Other')) == 1, local())
    case.expect(box.state('INBOX', 'Other') == before, 'reading is not touching')
    renamed(one(1), 'FS')
    os.unlink(one(2))
    with open(os.path.join(plain, 'INBOX', 'new', '9.R9.host'), 'wb') as file:
        file.write(message(20))
    os.unlink(box.find('number 3'))
    box.append(message(21))
    renamed(box.find('number 4'), 'S')
    box.soon(lambda: len(box.list()) == 8, 'it has not come')
    sync()
    box.wait()
    stored = {digest(one.body): one.flags for one in box.stored()}
    wanted = {digest(message(number)): flags for number, flags in {
        1: {'\\Seen', '\\Flagged'}, 4: {'\\Seen'}, 5: set(), 6: set(),
        7: {'\\Seen'}, 8: {'\\Seen', '\\Answered'}, 20: set(),
        21: set()}.items()}
    case.expect(stored == wanted, stored)
    case.expect(len(local()) == 8 and letters(one(4)) == 'S', local())
    box.again()
    sync()
    case.expect(len(box.stored()) == 8 and len(local()) == 8,
                'another sync doubles', len(box.stored()), len(local()))
    box.expect_same()


# ---- many messages ----

# What is done with a message goes by its octets; by renaming, as programs do.
FILER = '''
import hashlib, os, re, sys
root = sys.argv[1]
for kind in ('new', 'cur'):
    folder = f'{root}/Many/{kind}'
    for name in os.listdir(folder):
        with open(f'{folder}/{name}', 'rb') as file:
            body = file.read().replace(b'\\r\\n', b'\\n')
        lot = int.from_bytes(hashlib.sha256(body).digest()[:4], 'big') % 12
        base, _, letters = name.partition(':2,')
        elsewhere = re.sub(',U=[0-9]+', '', base)
        letters = ''.join(sorted({*letters, 'FS'[lot % 2]}))
        if lot == 0:
            os.unlink(f'{folder}/{name}')
        elif lot < 4:
            os.rename(f'{folder}/{name}',
                      f'{root}/Other/cur/{elsewhere}:2,{letters}')
        elif lot < 9:
            os.rename(f'{folder}/{name}',
                      f'{root}/Many/cur/{base}:2,{letters}')
'''


def quick_state(place, folders):
    """{folder: sorted [(flags, digest)]}, from the server's own files."""
    state = {}
    for folder in folders:
        place.client.open(folder)
        flags = place.client.flags(folder)
        state[folder] = sorted(
            (sorted(flags[uid] - {'\\Recent'}),
             digest(open(path, 'rb').read()))
            for uid, path in place.server.stored(folder).items())
    return state


@tap.test(limit=500, alone=True)
def test_ten_thousand_messages_are_filed_as_mbsync_does(case):
    need('mbsync')
    count = 1000 if tap.SANITIZED else 10000
    folders = {'INBOX': [], 'Many': None, 'Other': []}

    def prepare(server):
        server.generate(flat='Many', messages=count, total_bytes=count * 3000,
                        seed=5)
    box = Box(case, folders, prepare=prepare)
    mirror = Mirror(case, folders, prepare=prepare)
    for place in (box, mirror):
        result = run(sys.executable, '-c', FILER, place.root,
                     limit=300 * tap.PATIENCE)
        case.expect(result.ok, result, result.err)
        case.note(f'{result.seconds:.1f} s')
    box.wait()
    mirror.push()
    here = quick_state(box, ('Many', 'Other'))
    there = quick_state(mirror, ('Many', 'Other'))
    case.expect(sum(map(len, here.values())) < count, 'nothing was removed')
    for folder in here:
        case.expect(here[folder] == there[folder], folder, len(here[folder]),
                    len(there[folder]), 'differ')


# ---- dovecot ----

@tap.test(limit=120)
def test_doveadm_imports_all_of_it(case):
    need('doveadm')
    # Dovecot refuses to touch the mail of root.
    is_root = os.geteuid() == 0
    owner = sample_server.MAIL if is_root else getpass.getuser()
    box = Box(case, {'INBOX': [*numbered(3), (message(4), '\\Seen work')],
                     'Other': [(message(9), '\\Flagged')]},
              options={'allow_other': None, 'uid': owner} if is_root else {})
    home = case.path('dovecot')
    os.mkdir(home)
    if is_root:
        os.chmod(case.directory, 0o711)
        shutil.chown(home, owner)
    with open(home + '/dovecot.conf', 'w') as file:
        file.write(f'''
base_dir = {home}/run
log_path = /dev/stderr
ssl = no
mail_location = maildir:{home}/mail:LAYOUT=fs
first_valid_uid = 0
mail_uid = {owner}
mail_gid = {owner if is_root else os.getgid()}
first_valid_uid = 1
stats_writer_socket_path =
''')
    before = box.state('INBOX', 'Other')
    source = (f'maildir:{box.root}:LAYOUT=fs:INBOX={box.root}/INBOX:'
              f'CONTROL={home}/control:INDEX={home}/index')
    result = shell(case, box.root,
                   f'doveadm -c {home}/dovecot.conf import '
                   f'{shlex.quote(source)} "" all', home, USER='root')
    digests = set()
    for directory, _, names in os.walk(home + '/mail'):
        if os.path.basename(directory) in ('cur', 'new'):
            for name in names:
                with open(os.path.join(directory, name), 'rb') as file:
                    digests.add(hashlib.sha256(
                        crlf(file.read())).hexdigest())
    case.expect(digests == {digest for folder in before.values()
                            for _, digest in folder}, len(digests), result)
    case.expect({name for _, _, names in os.walk(home + '/mail')
                 for name in names if name.endswith(':2,F')}, 'no flags')
    case.expect(box.state('INBOX', 'Other') == before, 'it has changed mail')


if __name__ == '__main__':
    tap.main()
