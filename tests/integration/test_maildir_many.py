#!/usr/bin/env python3
"""Ten thousand messages in a Maildir of the mount, and each program that knows
Maildirs at work in it: the server has in the end what it has where the same is
done in a Maildir of plain files that mbsync keeps."""

import getpass
import os
import re
import shlex
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import sample_server
import tap
from command import run, wait_until
from mailprograms import (Aerc, Mutt, Synced, dovecot_config, drafts,
                          notmuch_config, place, shell)
from maildir import digest, letters, renamed
from manymail import LOT, PROGRAMS, TAKEN, Pair, lots, message_ids, names
from tools import need

FLAGGED, MOVED, DELETED = LOT.values()
DRAFT = b'From: a@b\nMessage-ID: <d@x>\nSubject: draft\n\ntext\n'
BY_HAND = 'IMAPFS_LOTS' in os.environ  # tests/bench/maildir-many
# Of what a program does with so many.
LIMIT = 1200 if BY_HAND else 300


def home_of(case, program, root):
    home = case.path(program + place(root))
    os.makedirs(home)
    return home


# ---- mblaze ----

MBLAZE = '''
pick() { mpick -t "subject =~ \\"lot mblaze $1\\"" <$HOME/lot; }
minc -q $R/INBOX >/dev/null || minc $R/INBOX >/dev/null
mlist $R/INBOX >$HOME/all
[ $(wc -l <$HOME/all) = $N ]
mpick -t 'subject =~ "lot mblaze"' <$HOME/all >$HOME/lot
mshow $(pick flagging | head -n 1) | grep -q body
pick flagging | mflag -SF >/dev/null
pick moving | mrefile $R/Other
rm $(pick deleting)
printf 'From: a@b\\nSubject: draft\\n\\ntext\\n' | mdeliver -c -XDS $R/Drafts \\
    >/dev/null
[ -z "$(ls $R/INBOX/new)" ]
'''


def work_mblaze(case, root, count):
    home = home_of(case, 'mblaze', root)
    shell(case, root, MBLAZE, home, limit=LIMIT, N=str(count),
          MAILSEQ=home + '/seq', MBLAZE_PAGER='cat')


# ---- mutt and neomutt ----

def work_mutt(case, root, count, program='mutt'):
    terminal = Mutt(case, program, root, LIMIT)

    def shows(text):
        terminal.press('\f')  # draws all of it again
        terminal.shows(text, limit=LIMIT)

    def tag(kind):
        terminal.press('\x14~A\n')
        terminal.press(f'T~s "lot {program} {kind}"\n')
        shows(f'Tag:{LOT[kind]} '.encode())
    terminal.shows(f'Msgs:{count}'.encode(), limit=LIMIT)
    tag('flagging')
    terminal.press(';F')
    tag('moving')
    terminal.press(';s=Other\n')
    shows(f'Del:{MOVED} '.encode())
    tag('deleting')
    terminal.press(';d')
    shows(f'Del:{MOVED + DELETED} '.encode())
    terminal.press(f'/~s "lot {program} flagging 7\\\\."\n')
    terminal.press('\n')
    terminal.shows(b'body', limit=LIMIT)
    terminal.press('i')
    terminal.save_draft()
    terminal.leave()


def work_neomutt(case, root, count):
    work_mutt(case, root, count, 'neomutt')


# ---- aerc ----

def subject(path):
    with open(path, 'rb') as file:
        return re.search(rb'(?m)^Subject: (.*?)\r?$', file.read())[1].decode()


def runs(paths):
    """Where aerc lists them when it does not sort, which is by their bases, the
    last at the top: pairs of the first and the last, each a place and the
    subject there."""
    folder = os.path.dirname(os.path.dirname(paths[0]))
    wanted = {os.path.basename(path).partition(':')[0] for path in paths}
    found = []
    for place, name in enumerate(sorted(
            os.listdir(folder + '/cur'), reverse=True,
            key=lambda name: name.partition(':')[0])):
        if name.partition(':')[0] in wanted:
            this = (place, subject(f'{folder}/cur/{name}'))
            if found and found[-1][1][0] == place - 1:
                found[-1][1] = this
            else:
                found.append([this, this])
    return found


def work_aerc(case, root, count):
    """It reads the folder's listing for each message whose header it wants, and
    wants all headers to sort by date or to seek: so it sorts by nothing, which
    it does unless told, and messages are chosen by their places."""
    for name in os.listdir(f'{root}/INBOX/new'):
        renamed(f'{root}/INBOX/new/{name}', letters(name))  # they come last
    lot = lots(root, 'aerc')
    to_read = [path for path in lot['flagging']
               if subject(path) == 'lot aerc flagging 7.']
    others, kept = len(names(root, 'Other')), len(names(root, 'Drafts'))
    before = sum('F' in letters(name) for name in names(root, 'INBOX'))
    terminal = Aerc(case, root, LIMIT, sort='')

    def until(condition, what):
        if not wait_until(condition, LIMIT * tap.PATIENCE):
            there = {folder: len(names(root, folder))
                     for folder in ('INBOX', 'Other', 'Drafts')}
            raise AssertionError(f'{what}: aerc does not do it; there were '
                                 f'{count} and {others}, and are {there}, '
                                 f'below {root}:\n' + terminal.text())

    def select(place, text):
        """Before it has the whole listing, it selects nothing."""
        def is_selected():
            terminal.command(f'select {place}')
            return wait_until(lambda: text in terminal.text(), 5)
        until(is_selected, f'select {place}, {text}')

    def state():
        return [sorted(names(root, folder)) for folder in ('INBOX', 'Other')]

    def order(text, condition):
        """What it does with headers alone, it fetches them for, and has to be
        told again then; also if that was too short to be seen."""
        def is_fetching():
            return 'Fetching missing message headers' in terminal.text()

        def is_done():
            before = state()
            terminal.command(text)
            if wait_until(lambda: is_fetching() or condition(), 5):
                wait_until(lambda: not is_fetching(), LIMIT * tap.PATIENCE)
                return condition()
            if not wait_until(lambda: state() != before, 60 * tap.PATIENCE, 1):
                return False
            return wait_until(condition, LIMIT * tap.PATIENCE)
        until(is_done, text)

    def do(kind, text, condition):
        """Run by run, the last first: the places of others stay."""
        done = 0
        for first, last in reversed(runs(lot[kind])):
            select(*first)
            terminal.command('mark -v')
            select(*last)
            done += last[0] - first[0] + 1
            order(text, lambda: condition(done))
            terminal.command('unmark -a')
    terminal.shows(f'/{count}')
    do('flagging', 'flag -x Flagged', lambda done: before + done == sum(
        'F' in letters(name) for name in names(root, 'INBOX')))
    do('moving', 'mv Other',
       lambda done: len(names(root, 'Other')) == others + done)
    do('deleting', 'delete',
       lambda done: len(names(root, 'INBOX')) == count - MOVED - done)
    select(*runs(to_read)[0][0])
    terminal.command('view')
    terminal.shows('body')
    terminal.command('close')
    terminal.compose()
    terminal.command('postpone')
    until(lambda: len(names(root, 'Drafts')) == kept + 1, 'postpone')
    terminal.leave()


# ---- notmuch ----

NOTMUCH = '''
export NOTMUCH_CONFIG=$C
lot() { notmuch search --output=files "subject:\\"lot notmuch $1\\""; }
notmuch new --quiet
[ "$(notmuch count --output=files '*')" -ge $N ]
[ "$(notmuch count 'subject:"lot notmuch flagging"')" = $FLAGGED ]
notmuch show 'subject:"lot notmuch flagging 7"' | grep -q body
notmuch tag -unread +flagged -- 'subject:"lot notmuch flagging"'
rm $(lot deleting)
lot moving | while read file; do
    mv $file $R/Other/cur/$(basename $file | sed 's/,U=[0-9]*//')
done
notmuch new --quiet
[ "$(notmuch count folder:Other 'subject:"lot notmuch"')" = $MOVED ]
[ "$(notmuch count 'subject:"lot notmuch"')" = $((FLAGGED + MOVED)) ]
printf 'From: a@b\\nMessage-ID: <d@x>\\nSubject: draft\\n\\ntext\\n' |
    notmuch insert --folder=Drafts +draft -unread -inbox
'''


def work_notmuch(case, root, count):
    home = home_of(case, 'notmuch', root)
    shell(case, root, NOTMUCH, home, limit=LIMIT, N=str(count),
          C=notmuch_config(case, root, 'nm' + place(root)),
          FLAGGED=str(FLAGGED), MOVED=str(MOVED))


# ---- mu ----

def work_mu(case, root, count):
    """By its server, as mu4e does."""
    home = home_of(case, 'mu', root)

    def mu(*words, **named):
        result = run('mu', words[0], f'--muhome={home}', *words[1:],
                     limit=LIMIT * tap.PATIENCE, env={'HOME': home}, **named)
        case.expect(result.ok, words, result, result.err, result.out[-1000:])
        return result

    def found(query):
        return len(mu('find', '--fields', 'l', query).out.splitlines())
    mu('init', f'--maildir={root}')
    mu('index', '--lazy-check')
    case.expect(found('subject:"lot mu flagging"') == FLAGGED, 'not indexed')
    draft = f'{root}/Drafts/cur/1700000000.{os.getpid()}.mu:2,DS'
    orders = [f'(move :msgid "{one}" :flags "+F-N")'
              for one in message_ids('mu', 'flagging')]
    orders += [f'(move :msgid "{one}" :maildir "/Other" :rename t)'
               for one in message_ids('mu', 'moving')]
    orders += [f'(remove :docid {one})' for one in documents(mu, 'deleting')]
    with open(draft, 'wb') as file:
        file.write(DRAFT)
    orders.append(f'(add :path "{draft}")')
    with open(home + '/orders', 'w') as file:
        file.write('\n'.join([*orders, '(quit)', '']))
    with open(home + '/orders') as file:
        result = mu('server', stdin=file)
    case.expect(b':error ' not in result.out, result.out[-2000:])
    mu('index', '--lazy-check')
    case.expect(found('maildir:/Other subject:"lot mu"') == MOVED and
                found('subject:"lot mu"') == FLAGGED + MOVED, 'not there')


def documents(mu, kind):
    """The numbers of messages in the database, which its server tells."""
    query = (f'(find :query "subject:\\"lot mu {kind}\\"" :sortfield :date '
             ':maxnum 1000)\n')
    with tempfile.TemporaryFile() as file:
        file.write(query.encode() + b'(quit)\n')
        file.seek(0)
        found = re.findall(rb':docid (\d+)', mu('server', stdin=file).out)
    return [number.decode() for number in found]


# ---- mbsync ----

def work_mbsync(case, root, count):
    """The mount is a store; the mirror is what mbsync keeps."""
    where, synced = root, None
    if place(root) == '-m':
        synced = Synced(case, root)
        synced.sync()
        where = synced.plain
    found = lots(where, 'mbsync')
    for path in found['flagging']:
        renamed(path, 'F' + letters(path).replace('F', ''))
    for path in found['moving']:
        name = os.path.basename(path)
        base = name.partition(':2,')[0].partition(',U=')[0]
        os.rename(path, f'{where}/Other/cur/{base}:2,{letters(path)}')
    for path in found['deleting']:
        os.unlink(path)
    with open(f'{where}/Drafts/cur/1700000000.R9.host:2,DS', 'wb') as file:
        file.write(DRAFT)
    if synced:
        synced.sync()


# ---- one that files most of them ----

# What is done with a message goes by its octets; by renaming, as programs do.
FILER = '''
import hashlib, os, re, sys
root = sys.argv[1]
for kind in ('new', 'cur'):
    folder = f'{root}/INBOX/{kind}'
    for name in os.listdir(folder):
        with open(f'{folder}/{name}', 'rb') as file:
            body = file.read().replace(b'\\r\\n', b'\\n')
        body = re.sub(b'\\nX-TUID: [^\\n]*', b'', body)  # mbsync's own
        lot = int.from_bytes(hashlib.sha256(body).digest()[:4], 'big') % 12
        base, _, letters = name.partition(':2,')
        letters = ''.join(sorted({*letters, 'FS'[lot % 2]}))
        if lot == 0:
            os.unlink(f'{folder}/{name}')
        elif lot < 4:
            base = base.partition(',U=')[0]
            os.rename(f'{folder}/{name}',
                      f'{root}/Other/cur/{base}:2,{letters}')
        elif lot < 9:
            os.rename(f'{folder}/{name}',
                      f'{root}/INBOX/cur/{base}:2,{letters}')
'''


def work_filer(case, root, count):
    result = run(sys.executable, '-c', FILER, root, limit=3 * LIMIT)
    case.expect(result.ok, result, result.err)


# ---- doveadm import ----

def import_all(case, box):
    """Its result has every message of the mount, and the mount is as before."""
    home = home_of(case, 'dovecot', box.root)
    is_root = os.geteuid() == 0
    # Dovecot refuses to touch the mail of root.
    owner = sample_server.MAIL if is_root else getpass.getuser()
    if is_root:
        shutil.chown(home, owner)
        box.options.update(allow_other=None, uid=owner)
        box.again()
    config = dovecot_config(home, owner, owner if is_root else os.getgid())
    source = (f'maildir:{box.root}:LAYOUT=fs:UTF-8:INBOX={box.root}/INBOX:'
              f'CONTROL={home}/control:INDEX={home}/index')
    shell(case, box.root, f'doveadm -c {config} import {shlex.quote(source)} '
          '"" all', home, limit=LIMIT, USER='root')
    found = []
    for folder in ('', '/Other'):
        for part in ('cur', 'new'):
            for entry in os.scandir(f'{home}/mail{folder}/{part}'):
                with open(entry.path, 'rb') as file:
                    found.append(digest(file.read()))
    wanted = [digest(path.read_bytes()) for folder in ('INBOX', 'Other')
              for path in box.server.stored(folder).values()]
    case.expect(sorted(found) == sorted(wanted), len(found), 'of', len(wanted))


# ---- all of them ----

WORKS = {'mblaze': work_mblaze, 'mutt': work_mutt, 'neomutt': work_neomutt,
         'aerc': work_aerc, 'notmuch': work_notmuch, 'mu': work_mu,
         'mbsync': work_mbsync}


def work_in_both(case, pair, program, work, count):
    took = []
    for root in pair.roots:
        began = time.monotonic()
        work(case, root, count)
        took.append(time.monotonic() - began)
    case.note(f'{program}: {took[0]:.1f} s, in plain files {took[1]:.1f} s')


@tap.test(limit=7200 if BY_HAND else 960)
def test_programs_leave_the_server_as_in_plain_files(case):
    need('mlist', 'mutt', 'neomutt', 'aerc', 'notmuch', 'mu', 'mbsync',
         'doveadm')
    began = time.monotonic()
    pair = Pair(case)
    count = pair.count
    case.note(f'two servers: {time.monotonic() - began:.1f} s')
    for program in PROGRAMS:
        work_in_both(case, pair, program, WORKS[program], count)
        count -= TAKEN
        left = len(names(pair.box.root, 'INBOX'))
        case.expect(left == count, program, 'leaves', left, 'not', count)
    pair.expect_same('INBOX', 'Other')
    here, there = drafts(pair.box), drafts(pair.mirror)
    case.expect(here == there and len(here) == len(PROGRAMS), here, there)
    work_in_both(case, pair, 'all others', work_filer, count)
    pair.expect_same('INBOX', 'Other')
    began = time.monotonic()
    import_all(case, pair.box)
    case.note(f'imported: {time.monotonic() - began:.1f} s')
    pair.expect_same('INBOX', 'Other')


if __name__ == '__main__':
    tap.main()
