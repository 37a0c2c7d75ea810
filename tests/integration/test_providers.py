#!/usr/bin/env python3
"""Providers that are known by name: their hosts, here all on this machine, and
what is said when they refuse a login in their own words."""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from mistakes import Scene
from mount import BINARY
from nameserver import NameServer, address
from netns import Space

APP = 'use an app password instead of that of the account, made at '

# Provider and user, host, what it says to a password, the sentence's end.
REFUSALS = [
    ('gmail:me@gmail.com', 'imap.gmail.com',
     'NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)',
     APP + 'https://myaccount.google.com/apppasswords, or give '
     'token_command=COMMAND'),
    ('me@gmail.com', 'imap.gmail.com',
     'NO [ALERT] Application-specific password required: '
     'https://support.google.com/accounts/answer/185833 (Failure)',
     APP + 'https://myaccount.google.com/apppasswords, or give '
     'token_command=COMMAND'),
    ('icloud:me', 'imap.mail.me.com',
     'NO [AUTHENTICATIONFAILED] Authentication Failed',
     APP + 'https://account.apple.com, under App-Specific Passwords'),
    ('me@yahoo.com', 'imap.mail.yahoo.com',
     'NO [AUTHENTICATIONFAILED] LOGIN Invalid credentials',
     APP + 'https://login.yahoo.com/account/security'),
    ('me@fastmail.com', 'imap.fastmail.com',
     'NO [AUTHENTICATIONFAILED] Incorrect username or password',
     APP + 'https://app.fastmail.com/settings/security/integrations'),
    ('me@mailbox.org', 'imap.mailbox.org',
     'NO [AUTHENTICATIONFAILED] Authentication failed.',
     'check the user, which is the whole address; with two factors an app '
     'password is needed'),
    ('me@gmx.de', 'imap.gmx.net', 'NO authentication failed',
     'switch on POP3 and IMAP in the settings of the account at gmx.net'),
    ('me@web.de', 'imap.web.de', 'NO [AUTHENTICATIONFAILED] auth failed',
     'switch on POP3 and IMAP in the settings of the account at web.de'),
]


class Providers(Scene):
    """All of them, in a network of their own."""

    def __init__(self, case):
        if os.geteuid() != 0 or not shutil.which('nsenter'):
            raise tap.Skip('a network namespace needs root, and nsenter')
        space = Space(case)
        # Who has only loopback asks for no addresses.
        space.ip('address', 'add', '10.99.9.9/32', 'dev', 'lo')
        space.enter()
        hosts = sorted({host for _, host, _, _ in REFUSALS}
                       | {'outlook.office365.com'})
        super().__init__(case, hosts=hosts, port=993)
        self.names = NameServer(case, {host: [address('127.0.0.1')]
                                       for host in hosts})

    def tells(self, expected, **named):
        self.says(expected, self.words(**named), prefix=self.names.prefix())


@tap.test
def test_refused_login_says_what_the_provider_wants(case):
    scene = Providers(case)
    for account, host, answer, remedy in REFUSALS:
        def refuse(line, command, answer=answer):
            if command.name == 'AUTHENTICATE' and ' ' not in command.text:
                line.send(b'+ \r\n')
                line.read_line()
            line.line(f'{command.tag} {answer}')

        scene.server.hooks = {'AUTHENTICATE': refuse, 'LOGIN': refuse}
        scene.tells(f'{host} refuses the login of …; {remedy}', url=account)


@tap.test
def test_refused_token_says_what_the_provider_wants(case):
    scene = Providers(case)
    scene.server.capabilities = 'IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2'

    def refuse(line, command):
        line.line(f'{command.tag} NO AUTHENTICATE failed.')

    scene.server.hooks = {'AUTHENTICATE': refuse}
    for account in ('outlook:me@outlook.com', 'me@hotmail.com'):
        scene.says('outlook.office365.com refuses the login of …: AUTHENTICATE '
                   'failed; see whether token_command gets a new one for this '
                   'user, with the scope '
                   'https://outlook.office.com/IMAP.AccessAsUser.All, and '
                   'switch IMAP on in the settings of Outlook.com, under POP '
                   'and IMAP',
                   scene.words({'token_command': 'echo x'}, password=False,
                               url=account), prefix=scene.names.prefix())


@tap.test
def test_provider_brings_its_limits(case):
    printed = run(BINARY, '--print-config', 'gmail:me@gmail.com',
                  check=True).out.decode().splitlines()
    for line in ('# server: imap.gmail.com, port 993, TLS from the start',
                 'username = me@gmail.com', 'delete = trash',
                 'max_download = 2400M', 'max_upload = 480M', 'all_mail = no'):
        case.expect(line in printed, line, printed)
    printed = run(BINARY, '--print-config', 'gmail:me@gmail.com', '-o',
                  'max_download=none,delete=expunge,all_mail',
                  check=True).out.decode()
    for line in ('delete = expunge', 'max_download = none', 'all_mail = yes'):
        case.expect(line + '\n' in printed, line, printed)
    printed = run(BINARY, '--print-config', 'yahoo:me@yahoo.com',
                  check=True).out.decode()
    case.expect('connections = 2\n' in printed, printed)
    for name in ('outlook', 'icloud', 'yahoo', 'fastmail', 'mailbox'):
        printed = run(BINARY, '--print-config', f'{name}:me@example.org', '-o',
                      'token_command=x', check=True).out.decode()
        case.expect('delete = trash\n' in printed, name, printed)
    lacking = run(BINARY, '--print-config', 'outlook:me@outlook.com')
    case.expect(b'delete = trash\n' in lacking.out, 'not shown', lacking)
    case.expect('needs an access token' in lacking.err and
                lacking.status == 1, lacking)


if __name__ == '__main__':
    tap.main(jobs=2)
