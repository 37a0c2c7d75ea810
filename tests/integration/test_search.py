#!/usr/bin/env python3
"""Searches as directories: what the server finds, under the names and numbers
that it has in its folder; what becomes of what is removed and moved there."""

import errno
import hashlib
import json
import os
import random
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mailstore
import seeking
import tap
from command import run
from desk import Desk
from imapserver import CAPABILITIES
from scene import Scene
from tap import PATIENCE


def desk_with_letters(case, folders=None, **named):
    desk = Desk(case, folders or {'INBOX': 30, 'Other': 10}, **named)
    seeking.deliver(desk.client)
    return desk


def search(desk, *parts):
    return desk.path('.imapfs/search', *parts)


def refused(case, call, *arguments, why=errno.EINVAL):
    try:
        result = call(*arguments)
    except OSError as error:
        case.expect(error.errno == why, arguments, error)
        return
    case.expect(False, arguments, 'was not refused:', result)


def status(desk):
    with open(desk.path('.imapfs/status')) as file:
        return file.read()


@tap.test(limit=240)
def test_results_are_those_of_another_client(case):
    desk = desk_with_letters(case)
    names = seeking.listed(desk.path('INBOX'))
    found_something = 0
    for query, *keys in seeking.QUERIES:
        wanted = seeking.found_by(desk.client, 'INBOX', query, *keys)
        found = seeking.listed(search(desk, 'INBOX', query))
        found_something += bool(wanted)
        case.expect(seeking.uids(found) == wanted, query, keys,
                    sorted(seeking.uids(found)), sorted(wanted))
        case.expect(found.items() <= names.items(),
                    query, 'other names or numbers:', found)
    case.expect(len(seeking.QUERIES) >= 50 and found_something >= 40,
                found_something, 'of', len(seeking.QUERIES))


@tap.test(limit=120)
def test_content_and_attributes_are_those_of_the_folder(case):
    desk = desk_with_letters(case)
    directory = search(desk, 'INBOX', 'from:alice')
    for name in os.listdir(directory):
        here, there = directory + '/' + name, desk.path('INBOX', name)
        with open(here, 'rb') as one, open(there, 'rb') as other:
            case.expect(one.read() == other.read(), name)
        one, other = os.stat(here), os.stat(there)
        case.expect((one.st_ino, one.st_size, one.st_mtime) ==
                    (other.st_ino, other.st_size, other.st_mtime), one, other)
        case.expect(os.getxattr(here, 'user.imap.uid') ==
                    os.getxattr(there, 'user.imap.uid'), name)
    uid = seeking.uids(os.listdir(directory)).pop()
    case.expect(os.path.exists(f'{directory}/{uid}.eml'), 'no UID.eml')
    case.expect(not os.path.exists(directory + '/nosuch.99999.eml'), 'what?')


@tap.test(limit=120)
def test_hostile_queries_are_refused_and_harmless(case):
    desk = desk_with_letters(case)
    for query in seeking.HOSTILE:
        name = query.encode('utf-8' if query != '\xff' else 'latin-1')
        refused(case, os.listdir, os.fsencode(search(desk, 'INBOX')) + b'/'
                + name)
    refused(case, os.listdir, search(desk, 'INBOX', 'a"' * 100))
    refused(case, os.listdir, search(desk, 'INBOX', 'a' * 100_000),
            why=errno.ENAMETOOLONG)
    for name in ('.git', '.hidden'):
        refused(case, os.listdir, search(desk, 'INBOX', name),
                why=errno.ENOENT)
    refused(case, os.listdir, search(desk, 'NoSuch', 'a'), why=errno.ENOENT)
    refused(case, os.listdir, search(desk, 'INBOX', 'in:Other'))
    # The server does not understand it.
    refused(case, os.listdir, search(desk, 'INBOX', 'raw:NOSUCHKEY'))
    said = desk.said()
    for words in ('a quotation mark is missing', 'there is no key nosuch:',
                  'a date is', 'nothing to search for'):
        case.expect(words in said, words, 'is not in the log')
    refused(case, os.listdir, search(desk, 'INBOX', 'nosuch:key'))
    desk.soon(lambda: 'there is no key nosuch:' in status(desk),
              'the reason is not in the status')
    case.expect(len(desk.names()) == 40, 'something has changed')
    desk.agree('INBOX')


@tap.test(limit=120)
def test_gmail_is_asked_in_its_own_words(case):
    mailboxes = [mailstore.simple_mailbox(count=5), mailstore.Mailbox(
        '[Gmail]/All Mail', attributes=('\\All',))]
    mailboxes[1].messages = mailstore.simple_mailbox(count=7).messages
    scene = Scene(case, mailboxes, timeout=20,
                  capabilities=CAPABILITIES + ' X-GM-EXT-1')

    def find(line, command):
        found = '2 4' if 'X-GM-RAW' in command.text else '5'
        if 'RETURN' in command.text:
            found = found.replace(' ', ',')
            line.send(f'* ESEARCH (TAG "{command.tag}") UID ALL {found}\r\n'
                      f'{command.tag} OK found\r\n'.encode())
        else:
            line.send(f'* SEARCH {found}\r\n{command.tag} OK found\r\n'
                      .encode())

    def fetch(_line, command):
        command.text = command.text.replace(' X-GM-MSGID', '')
        return False  # and the server does the rest

    scene.server.hooks['UID SEARCH'] = find
    scene.server.hooks['UID FETCH'] = fetch
    scene.start()
    for query, keys in (
            ('gmail:has:drive', 'X-GM-RAW has:drive'),
            ('has:attachment from:alice', 'X-GM-RAW has:attachment FROM alice'),
            ('gmail:"from:a OR \\"b c\\""', 'X-GM-RAW'),
            ('label:work', 'X-GM-LABELS'), ('is:unread', 'UNSEEN')):
        mark = len(scene.server.commands)
        found = os.listdir(scene.path('.imapfs/search/INBOX', query))
        wanted = {'2.eml', '4.eml'} if 'RAW' in keys else {'5.eml'}
        case.expect(set(found) == wanted, query, found)
        sent = [command.text for command in scene.server.commands[mark:]
                if command.name == 'UID SEARCH']
        case.expect(len(sent) == 1 and keys in sent[0], query, sent)
    # All of Gmail is in one folder, beside junk and trash.
    mark = len(scene.server.commands)
    os.listdir(scene.path('.imapfs/search/all', 'gmail:is:starred'))
    sent = [command for command in scene.server.commands[mark:]
            if command.name == 'UID SEARCH']
    case.expect(len(sent) == 1, 'searched', [str(one) for one in sent])


@tap.test(limit=120)
def test_gmail_keys_are_refused_elsewhere(case):
    desk = Desk(case, {'INBOX': 3})
    refused(case, os.listdir, search(desk, 'INBOX', 'gmail:is:starred'),
            why=errno.EOPNOTSUPP)
    case.expect('gmail' in desk.said().lower(), desk.said())


@tap.test(limit=120)
def test_listing_again_searches_again(case):
    desk = desk_with_letters(case)
    directory = search(desk, 'INBOX', 'from:alice is:unread')
    before = set(os.listdir(directory))
    case.expect(len(before) == 1, before)
    desk.client.open('INBOX', readonly=False)
    uid = seeking.uids(before).pop()
    desk.client.imap.uid('STORE', str(uid), '+FLAGS', '(\\Seen)')
    case.expect(os.listdir(directory) == [], 'what is read is still there')
    desk.client.imap.uid('STORE', str(uid), '-FLAGS', '(\\Seen)')
    seeking.deliver(desk.client)
    now = set(os.listdir(directory))
    case.expect(before < now and len(now) == 2, before, now)
    for name in now:
        case.expect(os.path.getsize(directory + '/' + name) > 0, name)
    desk.client.expunge('INBOX', uid)
    case.expect(set(os.listdir(directory)) == now - before, 'what is gone')
    desk.soon(lambda: not os.path.exists(f'{directory}/{before.pop()}')
              if before else True, 'what is gone can be looked up')


@tap.test(limit=120)
def test_all_searches_every_folder(case):
    desk = desk_with_letters(case)
    seeking.deliver(desk.client, 'Other')
    found = seeking.listed(search(desk, 'all', 'from:alice subject:lunch'))
    case.expect(len(found) == 2, found)
    inodes = {seeking.listed(desk.path(folder))[name]
              for folder in ('INBOX', 'Other')
              for name in os.listdir(search(desk, folder,
                                            'from:alice subject:lunch'))}
    case.expect(set(found.values()) == inodes, found, inodes)
    alone = os.listdir(search(desk, 'all', 'subject:lunch in:Other'))
    case.expect(alone == os.listdir(search(desk, 'Other', 'subject:lunch')),
                alone)
    refused(case, os.listdir, search(desk, 'all', 'a in:NoSuch'))
    case.expect('there is no folder NoSuch' in desk.said(), 'no reason')
    desk.client.imap.create('all')
    desk.soon(lambda: os.path.isdir(desk.path('all')), 'no new folder')
    listed = sorted(os.listdir(search(desk)))
    case.expect(listed == ['INBOX', 'Other', 'all'], listed)
    case.expect(os.listdir(search(desk, 'all', 'subject:lunch in:all')) == [],
                'the folder "all" is not what is searched')


@tap.test(limit=120)
def test_same_names_of_two_folders_are_told_apart(case):
    desk = Desk(case, {'INBOX': 3, 'Other': 3}, names='uid')
    directory = search(desk, 'all', 'raw:UID 1:2')
    found = seeking.listed(directory)
    case.expect(len(found) == 4, found)
    # In one folder a number is enough.
    case.expect(set(os.listdir(search(desk, 'INBOX', 'raw:UID 1:2')))
                == {'1.eml', '2.eml'}, 'other names in one folder')
    wanted = {number for folder in ('INBOX', 'Other')
              for name, number in seeking.listed(desk.path(folder)).items()
              if name in ('1.eml', '2.eml')}
    case.expect(set(found.values()) == wanted, found, wanted)
    for name, number in found.items():
        case.expect(os.stat(directory + '/' + name).st_ino == number, name)
    other = next(name for name in found if 'in-other' in name)
    desk.do('rm', directory + '/' + other)
    case.expect(len(os.listdir(directory)) == 3, 'it is still found')
    desk.wait()
    case.expect(sorted(map(len, (desk.bodies(), desk.bodies('Other'))))
                == [2, 3], 'nothing, or too much, was removed')


@tap.test(limit=120)
def test_copy_under_the_same_name_is_told_apart(case):
    desk = Desk(case, {'INBOX': 3, 'Zoo': 5})
    name = next(name for name in os.listdir(desk.path('INBOX'))
                if name.endswith('.1.eml'))
    desk.do('cp', desk.path('INBOX', name), desk.path('Zoo', name))
    desk.wait()
    case.expect(name in os.listdir(desk.path('Zoo')), 'the copy has no name')
    listed = os.listdir(search(desk, 'all', 'raw:ALL'))
    case.expect(len(listed) == len(set(listed)) == 9, sorted(listed))
    inodes = {os.stat(search(desk, 'all', 'raw:ALL', each)).st_ino
              for each in listed}
    case.expect(len(inodes) == 9, 'two names are one message')


@tap.test(limit=120)
def test_what_is_moved_out_or_removed_is_so_in_its_folder(case):
    desk = desk_with_letters(case)
    directory = search(desk, 'INBOX', 'from:alice')
    case.expect(len(os.listdir(desk.path('INBOX'))) == 40, 'to begin with')
    moved, removed = sorted(os.listdir(directory))
    bodies = desk.bodies()
    with open(directory + '/' + moved, 'rb') as file:
        body = hashlib.sha256(file.read()).hexdigest()
    inode = os.stat(directory + '/' + moved).st_ino
    os.stat(desk.path('INBOX', moved))
    desk.do('mv', directory + '/' + moved, desk.path('Other/kept.eml'))
    case.expect(os.stat(desk.path('Other/kept.eml')).st_ino == inode,
                'another inode')
    desk.do('rm', directory + '/' + removed)
    case.expect(os.listdir(directory) == [], os.listdir(directory))
    desk.soon(lambda: len(os.listdir(desk.path('INBOX'))) == 38 and
              not os.path.exists(desk.path('INBOX', moved)) and
              not os.path.exists(desk.path('INBOX', removed)),
              'they still show in the folder')
    desk.wait()
    gone = seeking.uids([moved, removed])
    case.expect(set(desk.bodies()) == set(bodies) - gone, 'INBOX')
    case.expect(body in desk.bodies('Other').values(), 'Other')
    desk.agree('INBOX', 'Other')


@tap.test(limit=120)
def test_nothing_is_renamed_or_made_in_a_search(case):
    desk = desk_with_letters(case)
    directory = search(desk, 'INBOX', 'from:alice')
    other = search(desk, 'INBOX', 'is:flagged')
    name = os.listdir(directory)[0]
    here = directory + '/' + name
    for target in (directory + '/new.eml', other + '/' + name,
                   search(desk, '.new.eml')):
        refused(case, os.rename, here, target, why=errno.EACCES)
        refused(case, os.rename, desk.path('INBOX', name), target,
                why=errno.EACCES)
    refused(case, open, directory + '/new.eml', 'xb', why=errno.EACCES)
    refused(case, os.rmdir, directory, why=errno.EACCES)
    refused(case, os.mkdir, search(desk, 'new'), why=errno.EACCES)
    case.expect(name in os.listdir(directory), 'it is gone')
    desk.agree('INBOX')


@tap.test(limit=480)
def test_views_agree_after_changes_from_both_sides(case):
    desk = desk_with_letters(case, {'INBOX': 60, 'Other': 30})
    source = random.Random(7)
    queries = [('is:flagged', 'FLAGGED'), ('-is:read', 'UNSEEN'),
               ('from:alice OR tag:work', 'OR FROM alice KEYWORD work')]
    for turn in range(25):
        folder = source.choice(['INBOX', 'Other'])
        query, keys = source.choice(queries)
        names = os.listdir(search(desk, folder, query))
        kind = source.randrange(5)
        if kind == 0 and names:
            desk.do('rm', search(desk, folder, query, source.choice(names)))
        elif kind == 1 and names:
            desk.do('mv', search(desk, folder, query, source.choice(names)),
                    desk.path('Other' if folder == 'INBOX' else 'INBOX',
                              f'moved-{turn}.eml'))
        elif kind == 2:
            desk.client.open(folder, readonly=False)
            desk.client.imap.uid('STORE', f'{source.randrange(1, 30)}:*',
                                 source.choice(['+FLAGS', '-FLAGS']),
                                 source.choice(['(\\Flagged)', '(\\Seen)',
                                                '(work)']))
        elif kind == 3 and (have := list(desk.bodies(folder))):
            desk.client.expunge(folder, source.choice(have))
        else:
            seeking.deliver(desk.client, folder)
        desk.wait()
        for one in ('INBOX', 'Other'):
            wanted = seeking.found_by(desk.client, one, query, keys)
            found = seeking.listed(search(desk, one, query))
            numbers = {os.getxattr(search(desk, one, query, name),
                                   'user.imap.uid') for name in found}
            case.expect(numbers == {b'%d' % uid for uid in wanted},
                        turn, kind, one, query, numbers, wanted)
            names = desk.names(one)
            case.expect(set(found) <= set(names), 'other names', found)
    desk.agree('INBOX', 'Other')


@tap.test(limit=300)
def test_folder_that_was_never_listed_is_not_listed_for_a_search(case):
    desk = desk_with_letters(case, {'INBOX': 5, 'Big': 4000}, rtt_ms=20)
    # What listens logs in when the mount has rested for a moment.
    desk.soon(lambda: json.loads(status(desk))['push'] == 'all',
              'nothing listens', limit=30)
    desk.proxy.reset()
    found = os.listdir(search(desk, 'Big', 'raw:UID 100:110,3000'))
    counts = desk.proxy.counts()
    case.note(f'{len(found)} found, {counts}')
    case.expect(len(found) == 12, found)
    case.expect(counts['to_client'] < 30_000, counts)
    # One that logs in meanwhile, to be there, has its own.
    case.expect(counts['turns'] <= 6 + 5 * counts['connections'], counts)
    desk.proxy.reset()
    for name in found:
        os.stat(search(desk, 'Big', 'raw:UID 100:110,3000', name))
    logins = counts['connections']
    counts = desk.proxy.counts()
    logins += counts['connections']
    case.expect(counts['to_client'] < 1000 + 8000 * logins, counts)
    wanted = seeking.listed(desk.path('Big'))
    case.expect(len(wanted) == 4000 and set(found) <= set(wanted),
                'other names')


@tap.test(limit=120)
def test_search_costs_its_own_round_trip(case):
    desk = desk_with_letters(case, rtt_ms=20)
    os.listdir(desk.path('INBOX'))
    os.listdir(search(desk, 'INBOX', 'from:alice'))

    def cost():
        desk.proxy.reset()
        os.listdir(search(desk, 'INBOX', 'from:alice'))
        return desk.proxy.counts()

    # Beside it, others may have something to say.
    counts = min((cost() for _ in range(5)), key=lambda each: each['turns'])
    case.note(counts)
    case.expect(counts['to_client'] < 1500 and counts['to_server'] < 1000,
                counts)
    case.expect(counts['turns'] <= 2, counts)


@tap.test(limit=120)
def test_without_the_server_the_last_result_shows(case):
    desk = desk_with_letters(case, rtt_ms=1, timeout=3)
    directory = search(desk, 'INBOX', 'from:alice')
    before = sorted(os.listdir(directory))
    desk.go_offline()
    desk.soon(lambda: sorted(os.listdir(directory)) == before,
              'nothing shows', limit=30)
    result = run('ls', search(desk, 'INBOX', 'from:bob'), limit=60 * PATIENCE)
    case.expect(not result.ok, 'a search without a server has found')
    desk.go_online()
    desk.soon(lambda: run('ls', search(desk, 'INBOX', 'from:bob'),
                          limit=60 * PATIENCE).clean, 'it does not come back',
              limit=60)


# ---- searches that are kept ----

def kept(desk, *parts):
    return desk.path('.imapfs/searches', *parts)


def write(path, text):
    with open(path, 'w') as file:
        file.write(text)


@tap.test(limit=120)
def test_searches_are_kept_changed_and_forgotten(case):
    desk = desk_with_letters(case)
    case.expect(os.listdir(kept(desk)) == [], 'to begin with')
    os.mkdir(kept(desk, 'from:alice'))
    os.mkdir(kept(desk, 'unread'))
    with open(kept(desk, 'unread/query')) as file:
        case.expect(file.read() == 'unread\n', 'its query is not its name')
    run('sh', '-c', f'echo "is:unread in:INBOX" > "{kept(desk, "unread/query")}"',
        check=True)
    with open(kept(desk, 'unread/query')) as file:
        case.expect(file.read() == 'is:unread in:INBOX\n', 'the query')
    inodes = {}
    for attempt in ('first', 'after another mount'):
        case.expect(sorted(os.listdir(kept(desk))) == ['from:alice', 'unread'],
                    attempt, os.listdir(kept(desk)))
        for name, scope, query in (('from:alice', 'all', 'from:alice'),
                                   ('unread', 'INBOX', 'is:unread')):
            found = seeking.listed(kept(desk, name))
            inodes.setdefault(name, os.stat(kept(desk, name)).st_ino)
            case.expect(found.pop('query', None) is not None, 'no query')
            case.expect(found and found == seeking.listed(search(desk, scope,
                                                                 query)),
                        attempt, name, found)
            case.expect(os.stat(kept(desk, name)).st_ino == inodes[name],
                        'another inode')
        desk.mount.unmount()
        desk.start()
    os.rmdir(kept(desk, 'unread'))
    case.expect(os.listdir(kept(desk)) == ['from:alice'], 'it is not forgotten')
    refused(case, os.listdir, kept(desk, 'unread'), why=errno.ENOENT)
    case.expect(len(desk.bodies()) == 40, 'mail went with it')
    os.mkdir(kept(desk, 'unread'))
    case.expect(os.stat(kept(desk, 'unread')).st_ino != inodes['unread'],
                'the number is used again')


@tap.test(limit=120)
def test_kept_searches_that_are_none_are_refused(case):
    desk = desk_with_letters(case)
    refused(case, os.mkdir, kept(desk, 'nosuch:key'))
    refused(case, os.mkdir, kept(desk, '.git'), why=errno.EPERM)
    os.mkdir(kept(desk, 'mine'))
    refused(case, os.mkdir, kept(desk, 'mine'), why=errno.EEXIST)
    refused(case, os.mkdir, kept(desk, 'mine/below'), why=errno.EACCES)
    query = kept(desk, 'mine/query')
    for text, why in (('from:', errno.EINVAL), ('a\0b', errno.EINVAL),
                      ('x' * 100_000, errno.EFBIG), ('(', errno.EINVAL)):
        refused(case, write, query, text, why=why)
    write(query, 'from:alice\r\n\tis:unread\n')
    with open(query) as file:
        case.expect(file.read() == 'from:alice   is:unread\n', 'the query')
    case.expect(len(os.listdir(kept(desk, 'mine'))) == 2, 'what is found')
    refused(case, os.remove, query, why=errno.EACCES)
    refused(case, os.rename, query, kept(desk, 'mine/other'), why=errno.EACCES)
    refused(case, os.rmdir, kept(desk, 'nosuch'), why=errno.ENOENT)
    write(query, 'in:NoSuch')
    refused(case, os.listdir, kept(desk, 'mine'))
    case.expect('what to look for is missing' in desk.said(), 'no reason')


@tap.test(limit=120)
def test_mail_is_moved_and_removed_in_kept_searches(case):
    desk = desk_with_letters(case)
    os.mkdir(kept(desk, 'from:alice'))
    names = sorted(set(os.listdir(kept(desk, 'from:alice'))) - {'query'})
    desk.do('mv', kept(desk, 'from:alice', names[0]), desk.path('Other'))
    desk.do('rm', kept(desk, 'from:alice', names[1]))
    desk.wait()
    case.expect(set(os.listdir(kept(desk, 'from:alice')))
                == {'query', names[0]}, os.listdir(kept(desk, 'from:alice')))
    desk.agree('INBOX', 'Other')


@tap.test(limit=120)
def test_kept_searches_show_at_the_top(case):
    desk = desk_with_letters(case, searches=None)
    case.expect(sorted(os.listdir(desk.path())) == ['INBOX', 'Other'],
                os.listdir(desk.path()))
    os.mkdir(kept(desk, 'from:alice'))
    os.mkdir(kept(desk, 'Other'))
    desk.soon(lambda: sorted(os.listdir(desk.path()))
              == ['INBOX', 'Other', 'from:alice'], os.listdir(desk.path()))
    link = desk.path('from:alice')
    case.expect(os.readlink(link) == '.imapfs/searches/from:alice', 'the link')
    case.expect(sorted(os.listdir(link))
                == sorted(os.listdir(kept(desk, 'from:alice'))), 'its content')
    case.expect(not os.path.islink(desk.path('Other')), 'a folder is hidden')
    case.expect(sorted(os.listdir(desk.path('.imapfs/flags')))
                == ['INBOX', 'Other'], 'a link has flags')
    found = run('find', desk.path(), '-type', 'f', check=True).out.decode()
    case.expect('searches' not in found and found.count('.eml') == 50,
                found.count('.eml'))
    os.rmdir(kept(desk, 'from:alice'))
    desk.soon(lambda: sorted(os.listdir(desk.path())) == ['INBOX', 'Other'],
              'it is still there')
    case.expect(not os.path.lexists(link), 'the link')


@tap.test(limit=120)
def test_read_only_mount_keeps_no_searches(case):
    desk = desk_with_letters(case, ro=None)
    refused(case, os.mkdir, kept(desk, 'from:alice'), why=errno.EROFS)
    with open(desk.path('.imapfs/README')) as file:
        about = file.read()
    case.expect('\nsearches/\n' in about and 'mkdir' not in about and
                'write to it' not in about, about)
    case.expect(len(os.listdir(search(desk, 'INBOX', 'from:alice'))) == 2,
                'nothing is found')


# ---- special folders ----

@tap.test(limit=120)
def test_special_folders_are_links(case):
    desk = Desk(case, {'INBOX': 3, 'Trash': 2, 'Sent': 1, 'Archive': 4})
    special = desk.path('.imapfs/special')
    case.expect(sorted(os.listdir(special)) == ['Archive', 'Sent', 'Trash'],
                os.listdir(special))
    case.expect(os.readlink(special + '/Trash') == '../../Trash',
                os.readlink(special + '/Trash'))
    case.expect(os.path.samefile(special + '/Trash', desk.path('Trash')),
                'it leads elsewhere')
    case.expect(sorted(os.listdir(special + '/Sent')) == desk.names('Sent'),
                'other messages')
    case.expect(not os.path.lexists(special + '/Junk'), 'there is no Junk')
    # Marked by nobody: it goes by its name, if only one bears it.
    desk.client.imap.create('Archives')
    desk.soon(lambda: not os.path.lexists(special + '/Archive'),
              'two of them', limit=90)


if __name__ == '__main__':
    tap.main()
