"""Messages that can be told apart by what searches ask for, and searches: as
people write them, and as another client sends them."""

import email.message
import email.policy
import imaplib
import os
import re
import time

ATTACHED = b'%PDF-1.4 made up\n'

# from, subject, body, flags, date, attachment, more header fields
LETTERS = [
    ('Alice Example <alice@example.org>', 'q3 report', 'the numbers are in',
     '', '2024-01-15', True, {}),
    ('Alice Example <alice@example.org>', 'lunch', 'at noon, the usual place',
     '\\Seen', '2024-02-01', False, {}),
    ('Bob "the \\"builder\\"" <bob@example.net>', 'q3 report draft',
     'not yet ready', '\\Flagged', '2024-02-29', False, {}),
    ('José García <jose@example.es>', 'Grüße aus Köln', 'Der Käse ist da.',
     '\\Seen work', '2024-03-31', False, {}),
    ('田中 <tanaka@example.jp>', '会議の議事録', '議事録を添付します。',
     'work urgent', '2024-04-01', True, {}),
    ('Иван <ivan@example.ru>', 'Счёт за март', 'Сумма: 100 рублей',
     '\\Answered \\Seen', '2023-12-31', False, {}),
    ('list@example.org', '(parentheses) and {5} braces', 'a "quoted" word',
     '', '2025-06-01', False, {'List-Id': '<debian.example.org>'}),
    ('dots@example.org', 'OR NOT "AND"', 'back\\slash', '\\Draft',
     '2025-06-02', False, {'X-Spam': 'yes'}),
    ('big@example.org', 'large one', 'x' * 200_000, '\\Seen', '2025-06-03',
     False, {}),
    ('percent@example.org', '100% of */%', 'star * and percent %',
     '$Forwarded', '2025-06-04', False, {'Message-ID': '<unique@example.org>'}),
]

# What people write, and keys for another client; a string in it that is not
# ASCII comes last, behind them.
QUERIES = [
    ('from:alice', 'FROM alice'),
    ('from:ALICE', 'FROM alice'),
    ('from:alice@example.org', 'FROM alice@example.org'),
    ('from:alice subject:"q3 report"', 'FROM alice SUBJECT "q3 report"'),
    ('subject:report', 'SUBJECT report'),
    ('subject:report -from:alice', 'SUBJECT report NOT FROM alice'),
    ('from:alice OR from:bob', 'OR FROM alice FROM bob'),
    ('from:alice OR from:bob is:unread', 'OR FROM alice FROM bob UNSEEN'),
    ('(from:alice is:read) OR is:flagged', 'OR (FROM alice SEEN) FLAGGED'),
    ('-(from:alice OR from:bob)', 'NOT OR FROM alice FROM bob'),
    ('NOT from:alice', 'NOT FROM alice'),
    ('to:me', 'TO me'),
    ('cc:carol', 'CC carol'),
    ('bcc:nobody', 'BCC nobody'),
    ('body:noon', 'BODY noon'),
    ('text:noon', 'TEXT noon'),
    ('noon', 'TEXT noon'),
    ('"usual place"', 'TEXT "usual place"'),
    ('usual place', 'TEXT usual TEXT place'),
    ('is:unread', 'UNSEEN'),
    ('is:read', 'SEEN'),
    ('is:flagged', 'FLAGGED'),
    ('is:unflagged', 'UNFLAGGED'),
    ('is:answered', 'ANSWERED'),
    ('is:unanswered', 'UNANSWERED'),
    ('is:draft', 'DRAFT'),
    ('is:forwarded', 'KEYWORD $Forwarded'),
    ('-is:read -is:flagged', 'NOT SEEN NOT FLAGGED'),
    ('tag:work', 'KEYWORD work'),
    ('-tag:work', 'UNKEYWORD work'),
    ('tag:work tag:urgent', 'KEYWORD work KEYWORD urgent'),
    ('keyword:nosuch', 'KEYWORD nosuch'),
    ('since:2024-01-01', 'SINCE 1-Jan-2024'),
    ('before:2024-02-29', 'BEFORE 29-Feb-2024'),
    ('on:2024-02-29', 'ON 29-Feb-2024'),
    ('on:2024', 'SINCE 1-Jan-2024 BEFORE 1-Jan-2025'),
    ('since:2024-02 before:2024-04', 'SINCE 1-Feb-2024 BEFORE 1-Apr-2024'),
    ('sentsince:2025', 'SENTSINCE 1-Jan-2025'),
    ('larger:100K', 'LARGER 102400'),
    ('smaller:1K', 'SMALLER 1024'),
    ('has:attachment', 'HEADER Content-Type multipart/mixed'),
    ('-has:attachment', 'NOT HEADER Content-Type multipart/mixed'),
    ('id:unique@example.org', 'HEADER Message-ID unique@example.org'),
    ('list:debian', 'HEADER List-Id debian'),
    ('header:X-Spam=yes', 'HEADER X-Spam yes'),
    ('header:X-Spam=', 'HEADER X-Spam ""'),
    ('subject:"(parentheses)"', 'SUBJECT "(parentheses)"'),
    ('subject:{5}', 'SUBJECT "{5"'),
    ('subject:"OR NOT"', 'SUBJECT "OR NOT"'),
    ('body:"\\"quoted\\""', 'BODY "\\"quoted\\""'),
    ('body:"back\\\\slash"', 'BODY "back\\\\slash"'),
    ('subject:"100% of *%2F%25"', 'SUBJECT "100% of */%"'),
    ('from:José', 'FROM', 'José'),
    ('from:GARCÍA', 'FROM', 'garcía'),
    ('subject:Grüße is:read', 'SEEN SUBJECT', 'Grüße'),
    ('body:Käse', 'BODY', 'Käse'),
    ('会議', 'TEXT', '会議'),
    ('subject:議事録 tag:work', 'KEYWORD work SUBJECT', '議事録'),
    ('from:иван', 'FROM', 'Иван'),
    ('рублей', 'TEXT', 'рублей'),
    ('raw:UNSEEN FROM "alice"', 'UNSEEN FROM alice'),
    ('raw:OR (FROM alice SEEN) FLAGGED', 'OR (FROM alice SEEN) FLAGGED'),
    ('raw:UID 1:5', 'UID 1:5'),
    ('is:read raw:NOT KEYWORD work', 'SEEN NOT KEYWORD work'),
]

# What nobody should be able to do anything with but be refused.
HOSTILE = [
    'from:"a', 'a" LOGOUT "', ')', '(', '(((((((((', 'from:', 'since:now',
    'larger:huge', 'nosuch:key', 'a\rb', 'a\nx LOGOUT', 'tag:a b"', 'is:gone',
    'raw:', 'raw:)', 'raw:{5}', 'raw:{5+}', 'raw:"', 'raw:ü', '-', 'OR', '\xff',
    'a\x01', 'header:=', 'header:{3}=x', 'tag:)', 'tag:{3}', '()',
    'since:2024-02-30', 'raw:(', '"', '\u202etxt"',
]


def make(sender, subject, body, date, attached, fields):
    message = email.message.EmailMessage(policy=email.policy.SMTP)
    message['From'] = sender
    message['To'] = 'me@example.org'
    message['Cc'] = 'Carol <carol@example.org>' if attached else 'x@example.org'
    message['Date'] = f'{date}T12:00:00+00:00' and time.strftime(
        '%a, %d %b %Y 12:00:00 +0000', time.strptime(date, '%Y-%m-%d'))
    message['Subject'] = subject
    message.set_content(body)
    if attached:
        message.add_attachment(ATTACHED, maintype='application',
                               subtype='pdf', filename='report.pdf')
    for name, value in fields.items():
        message[name] = value
    return bytes(message)


def deliver(client, folder='INBOX'):
    """Puts the letters there."""
    for sender, subject, body, flags, date, attached, fields in LETTERS:
        when = imaplib.Time2Internaldate(
            time.mktime(time.strptime(date + ' 12', '%Y-%m-%d %H')))
        status = client.imap.append(
            folder, f'({flags})', when,
            make(sender, subject, body, date, attached, fields))
        assert status[0] == 'OK', status


def found_by(client, folder, query, keys, text=None):
    """The UIDs that another client finds."""
    client.open(folder)
    words = ['CHARSET', 'UTF-8'] if text else []
    if text:
        client.imap.literal = text.encode()
    status, answer = client.imap.uid('SEARCH', *words, keys)
    assert status == 'OK', (query, answer)
    return {int(uid) for line in answer if line for uid in line.split()}


def uids(names):
    return {int(re.search(r'(\d+)\.eml$', name)[1]) for name in names}


def listed(directory):
    """{name: inode number}, without asking for more than the names."""
    with os.scandir(directory) as entries:
        return {entry.name: entry.inode() for entry in entries}
