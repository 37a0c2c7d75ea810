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
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import sample_server
import tap
from command import run, wait_until
from maildir import Box, Mirror, digest, letters, renamed, sample
from mailprograms import (Aerc, Mutt, Synced, dovecot_config, drafts,
                          notmuch_config, shell)
from tools import need
from writing import crlf, message


def mail(number):
    return message(number, date=2000000000 + 60 * number)


FOLDERS = {'INBOX': [*((mail(number), '') for number in range(1, 7)),
                     (mail(7), '\\Seen'), (mail(8), '\\Seen \\Answered')],
           'Other': [(mail(9), '\\Seen')], 'Drafts': []}


def compare(case, work):
    """Does work(root, number of messages in INBOX) with both, which have the mail
    of the quickstart and FOLDERS, and compares what the servers have."""
    made = {}
    box = Box(case, FOLDERS, prepare=sample(made))
    mirror = Mirror(case, FOLDERS, prepare=sample(made))
    count = made['INBOX'] + len(FOLDERS['INBOX'])
    work(box.root, count)
    work(mirror.root, count)
    # Names with a slash are not for everybody.
    names = [name for name in {**made, **FOLDERS}
             if name != 'Drafts' and '%' not in name]
    here, there = box.state(*names), mirror.state(*names)
    for name in names:
        case.expect(here[name] == there[name], name, 'by the mount',
                    sorted(set(here[name]) - set(there[name])), 'by mbsync',
                    sorted(set(there[name]) - set(here[name])))
    case.expect(drafts(box) == drafts(mirror), drafts(box), drafts(mirror))
    for name in FOLDERS:
        box.expect_same(name)
    return box, here['INBOX'], count


# ---- mblaze ----

MBLAZE = '''
pick() { mlist $R/INBOX | mpick -t "subject == \\"number $1\\""; }
minc -q $R/INBOX >/dev/null || minc $R/INBOX >/dev/null
[ $(mlist $R/INBOX | wc -l) = $N ]
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

    def work(root, count):
        shell(case, root, MBLAZE, case.directory, N=str(count),
              MAILSEQ=case.path('seq'), MBLAZE_PAGER='cat')
    _, inbox, count = compare(case, work)
    case.expect(len(inbox) == count - 2, len(inbox), count)


# ---- mutt and neomutt ----

def mutt_work(case, program, root):
    terminal = Mutt(case, program, root)
    terminal.press('l~s "number [1-8]"\n')
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
    terminal.save_draft()
    terminal.leave()


def with_mutt(case, program):
    need(program, 'mbsync')
    box, inbox, count = compare(
        case, lambda root, _: mutt_work(case, program, root))
    case.expect(len(inbox) == count - 2, len(inbox), count)
    case.expect(any('\\Flagged' in flags and key == digest(mail(1))
                    for flags, key in inbox), 'not flagged')


for name in ('mutt', 'neomutt'):
    tap.test(limit=180, name=name, arguments=(name,))(with_mutt)


# ---- aerc ----

def aerc_work(case, root):
    terminal = Aerc(case, root)

    def names(folder):
        return [f'{kind}/{name}' for kind in ('cur', 'new')
                for name in os.listdir(f'{root}/{folder}/{kind}')]

    def command(text, done):
        before = {folder: names(folder) for folder in FOLDERS}
        terminal.command(text)
        case.expect(wait_until(lambda: done(before), 20 * tap.PATIENCE), text,
                    'does nothing', terminal.text())

    def has_changed(before):
        return names('INBOX') != before['INBOX']
    # The newest message is the first one.
    terminal.shows('number')
    terminal.command('select 0')
    command('flag -t', has_changed)
    command('mv Other', lambda before:
            len(names('Other')) == len(before['Other']) + 1)
    terminal.command('select 0')
    command('delete', lambda before:
            len(names('INBOX')) == len(before['INBOX']) - 1)
    terminal.command('select 0')
    command('read', has_changed)
    terminal.command('view')
    terminal.shows('body')
    terminal.command('close')
    terminal.compose()
    command('postpone', lambda before: len(names('Drafts')) == 1)
    terminal.leave()


@tap.test(limit=180)
def test_aerc(case):
    need('aerc', 'mbsync')
    _, inbox, count = compare(case, lambda root, _: aerc_work(case, root))
    case.expect(len(inbox) == count - 2, len(inbox), count)


# ---- notmuch ----

NOTMUCH = '''
export NOTMUCH_CONFIG=$C
notmuch new --quiet
[ "$(notmuch count from:alice@example.org subject:number)" = 9 ]
[ "$(notmuch count tag:unread from:alice@example.org subject:number)" = 6 ]
notmuch show subject:number id:m3@example.org | grep -q body
notmuch tag -unread +flagged -- id:m3@example.org
notmuch tag +replied -- id:m7@example.org
rm $(notmuch search --output=files id:m4@example.org)
file=$(notmuch search --output=files id:m8@example.org)
mv $file $R/Other/cur/$(basename $file | sed 's/,U=[0-9]*//')  # mbsync wants it
notmuch new --quiet
[ "$(notmuch count from:alice@example.org subject:number)" = 8 ]
printf 'From: a@b\\nMessage-ID: <d@x>\\nSubject: draft\\n\\ntext\\n' |
    notmuch insert --folder=Drafts +draft -unread -inbox
[ "$(notmuch count folder:Drafts)" = 1 ]
'''


@tap.test(limit=180)
def test_notmuch(case):
    need('notmuch', 'mbsync')
    configs = {}

    def work(root, _):
        config = notmuch_config(case, root, f'nm{len(configs)}')
        configs[root] = config
        shell(case, root, NOTMUCH, case.directory, C=config)
    box, inbox, count = compare(case, work)
    case.expect(len(inbox) == count - 2, len(inbox), count)
    # What another client does is found.
    box.client.open('INBOX', readonly=False)
    uid = next(one.uid for one in box.stored() if one.body == crlf(mail(1)))
    box.client.open('INBOX', readonly=False)
    box.client.imap.uid('STORE', str(uid), '+FLAGS', '(\\Seen)')
    box.append(mail(11))
    box.soon(lambda: len(box.list()) == count - 1, 'it has not come')
    box.soon(lambda: letters(box.find('<m1@example')) == 'S', 'not seen')
    config = configs[box.root]
    result = shell(case, box.root, 'export NOTMUCH_CONFIG=$C; '
                   'notmuch new --quiet; W="subject:number from:alice"; '
                   'notmuch count tag:unread $W; notmuch count $W',
                   case.directory, C=config)
    case.expect(result.out.split() == [b'4', b'9'], result)


def scanned(case, root, command, **environment):
    """Directories that the command reads the files of."""
    trace = case.path('trace')
    shell(case, root, 'strace -f -y -o $T -e trace=getdents64 ' + command,
          case.directory, T=trace, **environment)
    with open(trace) as file:
        found = re.findall(r'getdents64\(\d+<([^>]*)>', file.read())
    return {os.path.relpath(path, root) for path in found
            if path.startswith(root)}


WITH_MAIL = {'INBOX/cur', 'INBOX/new', 'Other/cur'}


def expect_one_scanned(case, box, scan):
    """After one change, by this side and by another client."""
    if not run('strace', '-o', '/dev/null', 'true').ok:
        raise tap.Skip('strace cannot trace here')

    def settle():
        # They do not trust a time that is the present second.
        box.soon(lambda: not WITH_MAIL & scan(), 'it reads unchanged ones')
        second = int(time.time())
        wait_until(lambda: int(time.time()) > second)
    settle()
    renamed(box.find('number 7'), 'FS')
    box.wait()
    found = scan() & WITH_MAIL
    case.expect(found == {'INBOX/cur'}, 'by renaming:', found)
    settle()
    box.client.open('Other', readonly=False)
    box.client.imap.uid('STORE', '1', '+FLAGS', '(\\Flagged)')
    box.soon(lambda: letters(box.find('number 9', 'Other')) == 'FS',
             'not flagged')
    found = scan() & WITH_MAIL
    case.expect(found == {'Other/cur'}, 'by another client:', found)


@tap.test(limit=180)
def test_notmuch_goes_through_one_directory_after_one_change(case):
    need('notmuch', 'strace')
    box = Box(case, FOLDERS)
    config = notmuch_config(case, box.root, 'nm')
    # It remembers nothing of directories that are empty.
    expect_one_scanned(case, box, lambda: scanned(
        case, box.root, 'notmuch new --quiet', NOTMUCH_CONFIG=config))


# ---- mu ----

@tap.test(limit=120)
def test_mu_indexes_and_sees_what_has_changed(case):
    need('mu')
    made = {}
    box = Box(case, FOLDERS, prepare=sample(made))
    more = sum(made.values())
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
    case.expect(count('') == 9 + more, count(''), more)
    ours = 'from:alice@example.org subject:number'
    case.expect(count(ours + ' flag:unread') == 6 and
                count(ours + ' flag:replied') == 1, 'flags')
    path = mu('find', '--fields', 'l',
              'subject:"number 7"').out.decode().strip()
    case.expect(b'body' in open(path, 'rb').read(), path)
    renamed(path, 'FS')
    os.unlink(box.find('number 4'))
    before = len(box.list())
    box.append(mail(12), flags='\\Flagged')
    box.soon(lambda: len(box.list()) == before + 1, 'it has not come')
    box.wait()
    result = mu('index', '--lazy-check')
    case.expect(result.ok, result, result.err)
    case.expect(count(ours + ' flag:flagged') == 2 and count(ours) == 9,
                count(ours), count(''))
    box.expect_same()


@tap.test(limit=180)
def test_mu_goes_through_one_directory_after_one_change(case):
    need('mu', 'strace')
    box = Box(case, FOLDERS)
    home = case.path('mu')
    os.mkdir(home)
    result = run('mu', 'init', f'--muhome={home}', f'--maildir={box.root}',
                 env={'HOME': home})
    case.expect(result.ok, result)
    expect_one_scanned(case, box, lambda: scanned(
        case, box.root, f'mu index --lazy-check --muhome={home}'))


# ---- mbsync ----

@tap.test(limit=240)
def test_mbsync_has_the_mount_as_a_store(case):
    need('mbsync')
    made = {}
    box = Box(case, FOLDERS, prepare=sample(made))
    count = made['INBOX'] + 8
    synced = Synced(case, box.root)
    plain, sync = synced.plain, synced.sync

    def local(folder='INBOX'):
        return {os.path.join(plain, folder, kind, name)
                for kind in ('cur', 'new')
                for name in os.listdir(os.path.join(plain, folder, kind))}

    def one(number, folder='INBOX'):
        text = f'Subject: number {number}\n'.encode()
        return next(path for path in local(folder)
                    if text in open(path, 'rb').read().replace(b'\r', b''))
    names = [name for name in {**made, **FOLDERS} if '%' not in name]
    before = box.state(*names)
    sync()
    case.expect(len(local()) == count and len(local('Other')) == 1, local())
    case.expect(box.state(*names) == before, 'reading is not touching')
    renamed(one(1), 'FS')
    os.unlink(one(2))
    with open(os.path.join(plain, 'INBOX', 'new', '9.R9.host'), 'wb') as file:
        file.write(mail(20))
    os.unlink(box.find('number 3'))
    box.append(mail(21))
    renamed(box.find('number 4'), 'S')
    box.soon(lambda: len(box.list()) == count, 'it has not come')
    sync()
    ours = {digest(mail(number)): flags for number, flags in {
        1: ('\\Flagged', '\\Seen'), 4: ('\\Seen',), 5: (), 6: (),
        7: ('\\Seen',), 8: ('\\Answered', '\\Seen'), 20: (),
        21: ()}.items()}
    gone = {digest(mail(number)) for number in (2, 3)}
    wanted = sorted([(flags, key) for flags, key in before['INBOX']
                     if key not in ours and key not in gone] +
                    [(flags, key) for key, flags in ours.items()])
    after = box.state(*names)
    case.expect(after['INBOX'] == wanted, set(after['INBOX']) ^ set(wanted))
    case.expect(len(local()) == count and letters(one(4)) == 'S', local())
    box.again()
    sync()
    case.expect(box.state(*names) == after and len(local()) == count,
                'another sync doubles', len(box.stored()), len(local()))
    box.expect_same()


# ---- dovecot ----

@tap.test(limit=120)
def test_doveadm_imports_all_of_it(case):
    need('doveadm')
    # Dovecot refuses to touch the mail of root.
    is_root = os.geteuid() == 0
    owner = sample_server.MAIL if is_root else getpass.getuser()
    made = {}
    box = Box(case, FOLDERS, prepare=sample(made),
              options={'allow_other': None, 'uid': owner} if is_root else {})
    home = case.path('dovecot')
    os.mkdir(home)
    if is_root:
        os.chmod(case.directory, 0o711)
        shutil.chown(home, owner)
    config = dovecot_config(home, owner, owner if is_root else os.getgid())
    names = [name for name in {**made, **FOLDERS} if '%' not in name]
    before = box.state(*names)
    source = (f'maildir:{box.root}:LAYOUT=fs:UTF-8:INBOX={box.root}/INBOX:'
              f'CONTROL={home}/control:INDEX={home}/index')
    result = shell(case, box.root,
                   f'doveadm -c {config} import '
                   f'{shlex.quote(source)} "" all', home, USER='root')
    digests = set()
    for directory, _, files in os.walk(home + '/mail'):
        if os.path.basename(directory) in ('cur', 'new'):
            for name in files:
                with open(os.path.join(directory, name), 'rb') as file:
                    digests.add(digest(file.read()))
    wanted = {key for folder in before.values() for _, key in folder}
    case.expect(digests >= wanted, [
        name for name in names
        if not {key for _, key in before[name]} <= digests], result)
    case.expect({name for _, _, files in os.walk(home + '/mail')
                 for name in files if name.endswith(':2,F')}, 'no flags')
    after = box.state(*names)
    for name in names:
        case.expect(after[name] == before[name], 'it has changed mail in', name,
                    len(after[name]), len(before[name]), 'from',
                    sorted(set(before[name]) - set(after[name])), 'to',
                    sorted(set(after[name]) - set(before[name])))


if __name__ == '__main__':
    tap.main()
