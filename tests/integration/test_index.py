#!/usr/bin/env python3
"""Folders as tables: a line for each message, the same as the folder and the
server say, fetched once, and kept."""

import email
import email.header
import email.policy
import hashlib
import json
import os
import random
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import hardmail
import seeking
import tap
from command import run
from desk import Desk
from tap import PATIENCE

COLUMNS = ('uid', 'name', 'size', 'date', 'flags', 'from', 'to', 'subject',
           'message_id', 'attachments')


def table(desk, folder='INBOX', kind='tsv'):
    return desk.path('.imapfs/index', f'{folder}.{kind}')


def rows(desk, folder='INBOX'):
    with open(table(desk, folder), encoding='utf-8', newline='\n') as file:
        lines = file.read().split('\n')
    assert lines.pop() == '', 'no end of the last line'
    found = [dict(zip(COLUMNS, line.split('\t'), strict=True))
             for line in lines]
    return {int(row['uid']): row for row in found}


def structures(client, folder):
    """{UID: whether another client would say that there are attachments}"""
    client.open(folder)
    found = {}
    for part in client.imap.uid('FETCH', '1:*', '(BODY.PEEK[])')[1]:
        if isinstance(part, tuple):
            uid = int(re.search(rb'UID (\d+)', part[0])[1])
            found[uid] = email.message_from_bytes(
                part[1], policy=email.policy.compat32)
    return found


def text_of(field):
    return str(email.header.make_header(email.header.decode_header(field)))


@tap.test(limit=120)
def test_table_says_what_folder_and_server_say(case):
    desk = Desk(case, {'INBOX': 120, 'Other': 10})
    seeking.deliver(desk.client)
    flags = desk.flags()
    names = desk.by_uid()
    messages = structures(desk.client, 'INBOX')
    found = rows(desk)
    case.expect(set(found) == set(names) == set(messages), 'other messages')
    case.expect(list(found) == sorted(found), 'not in the order of UIDs')
    for uid, row in found.items():
        status = os.stat(desk.path('INBOX', names[uid]))
        case.expect(row['name'] == names[uid], row)
        case.expect(int(row['size']) == status.st_size, row, status.st_size)
        case.expect(set(row['flags'].split()) - {'\\Recent'} == flags[uid],
                    row, flags[uid])
        wanted = messages[uid]['Message-ID']
        case.expect(row['message_id'] == (wanted or '').strip(), row, wanted)
    first = max(found) - len(seeking.LETTERS) + 1
    for uid, letter in enumerate(seeking.LETTERS, first):
        sender, subject, _, _, date, attached, _ = letter
        row = found[uid]
        case.expect(row['subject'] == subject, row, subject)
        case.expect(row['date'] == f'{date}T12:00:00Z', row, date)
        case.expect(row['to'] == 'me@example.org', row)
        case.expect(row['attachments'] == ('yes' if attached else 'no'), row)
        case.expect(sender.split('<')[-1].strip('>') in row['from'], row)
        case.expect(text_of(messages[uid]['From']) == row['from'], row)
    with open(table(desk, kind='jsonl'), encoding='utf-8') as file:
        others = [json.loads(line) for line in file]
    for other in others:
        row = found[other['uid']]
        case.expect(other['flags'] == row['flags'].split(), other, row)
        case.expect(str(other['size']) == row['size'], other, row)
        case.expect({True: 'yes', False: 'no', None: ''}
                    [other['attachments']] == row['attachments'], other, row)
        for name in ('name', 'date', 'from', 'to', 'subject', 'message_id'):
            case.expect(other[name] == row[name], other, row)
    case.expect(len(others) == len(found), 'other lines')


@tap.test(limit=120)
def test_unread_from_somebody_is_one_awk(case):
    desk = Desk(case)
    seeking.deliver(desk.client)
    out = run('awk', '-F\t', '$5 !~ /Seen/ && $6 ~ /alice@example/ {print $2}',
              table(desk), limit=60 * PATIENCE, check=True).out.decode()
    wanted = {name for name in os.listdir(
        desk.path('.imapfs/search/INBOX/from:alice@example is:unread'))}
    case.expect(set(out.split()) == wanted and wanted, out, wanted)
    out = run('jq', '-r', 'select(.attachments) | .uid',
              table(desk, kind='jsonl'), limit=60 * PATIENCE,
              check=True).out.decode()
    case.expect(len(out.split()) >= 2, out)


@tap.test(limit=120)
def test_tools_read_the_same(case):
    desk = Desk(case, {'INBOX': 600, 'Other': 3})
    path = table(desk)
    with open(path, 'rb') as file:
        whole = file.read()
    digest = hashlib.sha256(whole).hexdigest()
    copy = case.path('copy')
    run('cp', path, copy, check=True)
    for command in (['cat', path], ['cat', copy], ['head', '-c', '10000000', path],
                    ['tail', '-n', '+1', path], ['dd', f'if={path}', 'bs=777']):
        out = run(*command, limit=60 * PATIENCE, check=True).out
        case.expect(hashlib.sha256(out).hexdigest() == digest, command,
                    len(out), 'octets')
    lines = whole.count(b'\n')
    case.expect(lines == 600, lines)
    for command, wanted in ((['wc', '-l', path], str(lines)),
                            (['grep', '-c', '', path], str(lines)),
                            (['sed', '-n', '$=', path], str(lines))):
        out = run(*command, check=True).out.decode().split()
        case.expect(out[0] == wanted, command, out)
    case.expect(run('tail', '-n', '2', path, check=True).out
                == b'\n'.join(whole.split(b'\n')[-3:]), 'tail')
    source = random.Random(3)
    with open(path, 'rb', buffering=0) as file:
        for _ in range(60):
            at = source.randrange(len(whole) + 1000)
            got = os.pread(file.fileno(), source.randrange(1, 5000), at)
            case.expect(whole[at:at + len(got)] == got and
                        (got or at >= len(whole)), at, len(got))
    case.expect(os.stat(path).st_size == 0, 'it has a size')


def costs_nothing(desk, wanted):
    desk.proxy.reset()
    desk.case.expect(rows(desk) == wanted, 'another table')
    return desk.proxy.counts()['to_client'] < 2000


@tap.test(limit=120)
def test_index_is_fetched_once(case):
    desk = Desk(case, {'INBOX': 1000, 'Other': 3}, rtt_ms=20)
    os.listdir(desk.path('INBOX'))
    desk.proxy.reset()
    first = rows(desk)
    counts = desk.proxy.counts()
    case.note(f'first: {counts}, {counts["to_client"] / 1000:.0f} octets each')
    case.expect(counts['to_client'] < 1000 * 1100, counts)
    case.expect(counts['to_server'] < 3000, counts)
    # What was fetched is on its way to the disk.
    desk.soon(lambda: costs_nothing(desk, first), 'it is fetched again')
    desk.mount.unmount()
    desk.start()
    seeking.deliver(desk.client)
    desk.proxy.reset()
    now = rows(desk)
    counts = desk.proxy.counts()
    case.note(f'ten more, after another mount: {counts}')
    case.expect(len(now) == 1010 and first.items() <= now.items(), len(now))
    case.expect(counts['to_client'] < 40_000, counts)


@tap.test(limit=120)
def test_index_agrees_after_changes_from_both_sides(case):
    desk = Desk(case)
    before = rows(desk)
    names = desk.by_uid()
    desk.client.expunge('INBOX', 3)
    desk.do('rm', desk.path('INBOX', names[4]))
    desk.do('mv', desk.path('INBOX', names[5]), desk.path('Other/five.eml'))
    now = rows(desk)
    case.expect(not {4, 5} & set(now), 'what the user has taken away shows')
    desk.soon(lambda: set(rows(desk)) == set(before) - {3, 4, 5},
              'what another client has removed shows')
    with open(desk.path('.imapfs/flags/INBOX', names[6]), 'w') as file:
        file.write('+\\Flagged')
    case.expect('\\Flagged' in rows(desk)[6]['flags'], rows(desk)[6])
    desk.wait()
    case.expect(set(rows(desk)) == set(desk.bodies()), 'INBOX')
    other = rows(desk, 'Other')
    case.expect(set(other) == set(desk.bodies('Other')), 'Other')
    case.expect('five.eml' in {row['name'] for row in other.values()}, other)
    moved = next(row for row in other.values() if row['name'] == 'five.eml')
    case.expect(moved['subject'] == before[5]['subject'], moved, before[5])


@tap.test(limit=120)
def test_tables_of_folders_are_found(case):
    desk = Desk(case, {'INBOX': 3, 'Archive/2025': 4})
    top = desk.path('.imapfs/index')
    listed = set(os.listdir(top))
    case.expect(listed >= {'INBOX.tsv', 'INBOX.jsonl', 'Archive'} and
                'INBOX' not in listed, listed)
    case.expect(set(os.listdir(top + '/Archive')) == {'2025.tsv', '2025.jsonl'},
                os.listdir(top + '/Archive'))
    case.expect(len(rows(desk, 'Archive/2025')) == 4, 'other lines')
    case.expect(not os.path.exists(top + '/NoSuch.tsv'), 'NoSuch.tsv')
    result = run('touch', top + '/new.tsv')
    case.expect(not result.ok, result)


@tap.test(limit=120)
def test_tables_of_folders_with_long_names_differ(case):
    long = 'long-' * 50  # 250 octets, and no room for ".jsonl"
    folders = {'INBOX': 1, long: 2, long + 'abcd1': 3, long + 'abcd2': 4}
    desk = Desk(case, folders)
    top = desk.path('.imapfs/index')
    found = {'tsv': [], 'jsonl': []}
    for name in os.listdir(top):
        with open(os.path.join(top, name), 'rb') as file:
            found[name.rpartition('.')[2]].append(len(file.readlines()))
    case.expect({kind: sorted(counts) for kind, counts in found.items()} ==
                {'tsv': [1, 2, 3, 4], 'jsonl': [1, 2, 3, 4]}, found,
                os.listdir(top))


@tap.test(limit=120)
def test_without_a_cache_it_is_all_the_same(case):
    desk = Desk(case, {'INBOX': 700, 'Other': 3}, cache_dir='none')
    first = rows(desk)
    case.expect(len(first) == 700 and rows(desk) == first, len(first))
    case.expect(run('head', '-n', '1', table(desk), check=True).out.startswith(
        b'1\t'), 'head')


def read_beside(desk, disturb):
    """The table, read while something happens after its beginning; None if
    reading it failed."""
    with open(table(desk), 'rb', buffering=0) as file:
        text = os.read(file.fileno(), 1000)
        disturb()
        try:
            while piece := os.read(file.fileno(), 100_000):
                text += piece
        except OSError:
            return None
    return text


@tap.test(limit=120)
def test_table_is_complete_or_fails_when_the_line_is_cut(case):
    desk = Desk(case, {'INBOX': 1500, 'Other': 3}, rtt_ms=30, timeout=5)
    os.listdir(desk.path('INBOX'))
    text = read_beside(desk, desk.proxy.cut)
    case.note('failed' if text is None else 'went on')
    if text is None:
        def again():
            nonlocal text
            text = read_beside(desk, lambda: None)
            return text is not None

        desk.soon(again, 'it does not come back', limit=60)
    lines = text.decode().splitlines()
    case.expect(len(lines) == 1500, len(lines))
    case.expect(all(line.split('\t')[9] for line in lines),
                'fields are missing')


@tap.test(limit=120)
def test_message_of_very_many_parts_is_in_the_table(case):
    """Its structure is more than is read of one answer. It is the only one that
    is not told of: not the next, and none of the next window, which is asked
    for on the same connection."""
    desk = Desk(case, {'INBOX': 3, 'Other': 230})
    os.listdir(desk.path('INBOX'))
    last = max(desk.by_uid())
    for body in (hardmail.mixed('of very many parts', [
            hardmail.part('text/plain', b'a')] * 7000)[1],
            hardmail.mixed('behind it', [hardmail.TEXT])[1]):
        status, answer = desk.client.imap.append('INBOX', None, None, body)
        assert status == 'OK', answer
    desk.client.open('Other')
    status, answer = desk.client.imap.uid('COPY', '1:230', 'INBOX')
    assert status == 'OK', answer
    desk.soon(lambda: len(desk.names('INBOX')) == 235, 'they do not come')
    found = rows(desk)
    case.expect(len(found) == 235, list(found))
    case.expect([found[last + i]['subject'] for i in (1, 2)]
                == ['of very many parts', 'behind it'], found)
    unknown = [uid for uid, row in found.items() if not row['attachments']]
    case.expect(unknown == [last + 1], 'not told of:', unknown)
    case.expect(found[last + 2]['attachments'] == 'no', found[last + 2])
    case.expect(rows(desk) == found, 'other lines the second time')


@tap.test(limit=120)
def test_messages_of_very_long_fields_are_listed_like_others(case):
    """Fields are asked for with those of others, and are longer than what is
    kept of one answer."""
    desk = Desk(case, {'INBOX': 20, 'Other': 3})
    last = max(desk.by_uid())
    many = b',\r\n '.join(b'user%d@example.com' % i for i in range(100000))
    headers = [b'From: a@example.com\r\nTo: ' + many + b'\r\nSubject: to many',
               b'From: a@example.com\r\nSubject: long' + b' word' * 400000,
               b'From: a@example.com\r\nSubject: behind them']
    for header in headers:
        status, answer = desk.client.imap.append(
            'INBOX', None, None, header + b'\r\n\r\nbody\r\n')
        assert status == 'OK', answer
    desk.soon(lambda: len(desk.names('INBOX')) == 23, 'they do not come')
    found = rows(desk)
    case.expect(len(found) == 23, list(found))
    case.expect([found[last + i]['subject'][:9] for i in (1, 2, 3)]
                == ['to many', 'long word', 'behind th'], found)
    case.expect(found[last + 1]['to'].startswith('user0@'), found[last + 1])
    names = {word: name for name in desk.names('INBOX')
             for word in ('to-many', 'long-word', 'behind-them')
             if f'_a_{word}' in name}
    case.expect(len(names) == 3, names)
    # A sanitizer's realloc makes GMime take as much longer as a field is long.
    for name, header in zip((names['to-many'], names['long-word']),
                            headers if not tap.SANITIZED else ()):
        with open(desk.path('.imapfs', 'parts', 'INBOX', name, 'header.txt'),
                  'rb') as file:
            case.expect(file.read() == header.replace(b'\r\n ', b' ')
                        .replace(b'\r\n', b'\n') + b'\n',
                        'another header of', name)


if __name__ == '__main__':
    tap.main()
