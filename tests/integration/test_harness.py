#!/usr/bin/env python3
"""The scripted server itself, driven by Python's own IMAP client: what the
other tests prove is worth no more than this server, and than the clock that
judges how long they take."""

import imaplib
import os
import socket
import ssl
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import certificates
import mailstore
import stalls
import tap
from command import run, wait_until
from imapserver import Server

PATIENT = 60


def started(case, *arguments, **named):
    server = Server(*arguments, **named).start()
    case.defer(server.stop)
    return server


def logged_in(server):
    client = imaplib.IMAP4('127.0.0.1', server.port, timeout=PATIENT)
    client.login('alice', 'secret')
    return client


@tap.test
def test_session_of_a_correct_client_is_served(case):
    folder = mailstore.simple_mailbox('Folder', 3)
    server = started(case, [mailstore.simple_mailbox(), folder])
    client = logged_in(server)
    kind, lines = client.list()
    assert kind == 'OK' and len(lines) == 2, lines
    kind, (count,) = client.select('Folder', readonly=True)
    assert (kind, count) == ('OK', b'3')
    kind, data = client.uid('FETCH', '1:*', '(UID RFC822.SIZE INTERNALDATE '
                            'FLAGS BODY.PEEK[HEADER.FIELDS (Subject From)])')
    assert kind == 'OK' and len([d for d in data if type(d) is tuple]) == 3
    assert b'Subject: Report number 1' in data[0][1], data
    assert b'Message-ID' not in data[0][1], data
    kind, data = client.uid('FETCH', '2', '(BODY.PEEK[])')
    assert data[0][1] == folder.get(2).body
    kind, data = client.uid('FETCH', '2', '(BODY.PEEK[]<10.20>)')
    assert data[0][1] == folder.get(2).body[10:30]
    assert client.uid('SEARCH', 'UID', '2:9') == ('OK', [b'2 3'])
    assert client.status('INBOX', '(MESSAGES UIDNEXT)')[0] == 'OK'
    assert not server.complaints
    client.uid('FETCH', '2', '(BODY[])')
    assert server.complaints
    client.logout()
    assert server.commands[-1].name == 'LOGOUT'
    assert not server.errors, server.errors


@tap.test
def test_changes_of_a_correct_client_are_made(case):
    server = started(case)
    server.capabilities += ' MOVE CONDSTORE QUOTA ACL'
    inbox = server.find('INBOX')
    bodies = {m.uid: m.body for m in inbox.messages}
    client = logged_in(server)
    assert client.create('Work/Old')[0] == 'OK'
    assert client.create('Work/Old')[0] == 'NO'
    client.select()
    assert client.uid('STORE', '1:2', '+FLAGS.SILENT', '(\\Deleted)')[0] == 'OK'
    assert client.uid('EXPUNGE', '2')[0] == 'OK'
    assert [m.uid for m in inbox.present] == [1, 3, 4, 5]
    assert client.uid('SEARCH', 'DELETED') == ('OK', [b'1'])
    assert client.uid('SEARCH', 'HEADER', 'Message-ID',
                      '"<4.1@example.org>"') == ('OK', [b'4'])
    assert client.uid('COPY', '3:4', 'Work/Old')[0] == 'OK'
    assert client.uid('MOVE', '5', 'Work/Old')[0] == 'OK'
    old = server.find('Work/Old')
    assert [m.body for m in old.present] == [bodies[3], bodies[4], bodies[5]]
    kind, (text,) = client.append('Work/Old', '(\\Seen new)',
                                  '" 7-Feb-1994 21:52:25 -0800"', b'A: b\r\n\r\n')
    assert kind == 'OK' and b'[APPENDUID %d 4]' % old.uidvalidity in text, text
    message = old.get(4)
    assert message.body == b'A: b\r\n\r\n'
    assert message.flags == ('\\Seen', 'new') and message.time == 760686745
    assert client.append('Nowhere', None, None, b'A: b\r\n\r\n')[0] == 'NO'
    server.quota = 100
    assert client.append('INBOX', None, None, b'A: b\r\n\r\n')[0] == 'NO'
    assert client.rename('Work', 'Done')[0] == 'OK'
    assert server.find('Done/Old') is old
    assert client.getquotaroot('Done/Old')[0] == 'OK'
    assert client.myrights('Done/Old')[0] == 'OK'
    assert client.delete('Done/Old')[0] == 'OK'
    assert server.find('Done/Old') is None
    # A mailbox that was selected to be changed is expunged when it is closed.
    client.close()
    assert [m.uid for m in inbox.present] == [3, 4]
    client.select(readonly=True)
    assert client.uid('STORE', '3', '+FLAGS', '(\\Deleted)')[0] == 'NO'
    client.logout()
    assert not server.errors, server.errors


@tap.test
def test_hook_before_a_literal_may_refuse_it(case):
    server = started(case)
    client = logged_in(server)

    def refuse(connection, line, size):
        assert size == 8
        connection.line(line.split()[0].decode() + ' NO [OVERQUOTA] full')

    server.hooks['literal'] = refuse
    assert client.append('INBOX', None, None, b'A: b\r\n\r\n')[0] == 'NO'
    server.behave()
    assert client.append('INBOX', None, None, b'A: b\r\n\r\n')[0] == 'OK'
    assert len(server.find('INBOX').present) == 6
    assert not server.errors, server.errors


@tap.test
def test_wrong_password_is_refused(case):
    server = started(case)
    client = imaplib.IMAP4('127.0.0.1', server.port, timeout=PATIENT)
    try:
        client.login('alice', 'wrong')
    except imaplib.IMAP4.error as error:
        assert 'AUTHENTICATIONFAILED' in str(error)
    else:
        raise AssertionError('logged in')


def ask(server, *pieces):
    """Sends pieces, waiting for an answer after each."""
    with socket.create_connection(('127.0.0.1', server.port), PATIENT) as line:
        line.settimeout(PATIENT)
        line.recv(1000)
        for piece in pieces:
            line.sendall(piece)
            wanted = piece.rsplit(b'\r\n', 2)[-2].split(b' ')[0]
            got = b''
            while b'\r\n' + wanted + b' ' not in b'\r\n' + got:
                data = line.recv(65536)
                if not data:
                    return got
                got += data
        return got


@tap.test
def test_flights_pipelined_commands_are_one(case):
    server = started(case)
    login = b'a LOGIN alice secret\r\n'
    mark = server.mark()
    ask(server, login, b'b EXAMINE INBOX\r\nc NOOP\r\nd NOOP\r\n')
    assert server.since(mark)[1] == 2, server.since(mark)
    mark = server.mark()
    ask(server, login, b'b EXAMINE INBOX\r\n', b'c NOOP\r\n', b'd NOOP\r\n')
    assert server.since(mark)[1] == 4, server.since(mark)


@tap.test
def test_close_after_every_octet_sends_exactly_that_many(case):
    server = started(case)
    for limit in range(0, 200):
        server.close_after = limit
        with socket.create_connection(('127.0.0.1', server.port), PATIENT) as line:
            line.sendall(b'a LOGIN alice secret\r\nb EXAMINE INBOX\r\n')
            got = b''
            try:
                while data := line.recv(65536):
                    got += data
            except ConnectionResetError:
                pass
            assert len(got) <= limit, (limit, got)
            if limit < 40:
                assert len(got) == limit, (limit, got)


@tap.test
def test_tls_both_ways_is_served(case):
    authority = certificates.Authority(case.path('ca'))
    pair = authority.issue('server', ['localhost'])
    context = ssl.create_default_context(cafile=authority.certificate)
    server = started(case, tls='implicit', certificate=pair)
    client = imaplib.IMAP4_SSL('localhost', server.port, ssl_context=context,
                               timeout=PATIENT)
    client.login('alice', 'secret')
    client.logout()
    server = started(case, tls='starttls', certificate=pair)
    client = imaplib.IMAP4('localhost', server.port, timeout=PATIENT)
    client.starttls(context)
    client.login('alice', 'secret')
    client.logout()
    expired = authority.issue('expired', ['localhost'],
                              start='20200101000000Z', end='20200201000000Z')
    server = started(case, tls='implicit', certificate=expired)
    try:
        imaplib.IMAP4_SSL('localhost', server.port, ssl_context=context,
                          timeout=PATIENT)
    except ssl.SSLCertVerificationError as error:
        assert 'expired' in str(error)
    else:
        raise AssertionError('an expired certificate was taken')


@tap.test
def test_time_in_which_nothing_could_run_is_not_counted(case):
    clock = stalls.Clock()
    began = time.monotonic()
    run('sh', '-c', 'kill -STOP $0; sleep 1; kill -CONT $0', str(os.getpid()))
    took = time.monotonic() - began
    counted = clock.seconds()
    assert took >= 1 and 0 <= counted <= took - 0.7, (took, counted)
    assert not wait_until(lambda: False, 0.3)
    assert wait_until(lambda: clock.seconds() > counted + 0.2)


if __name__ == '__main__':
    tap.main()
