#!/usr/bin/env python3
"""The lines of imapfs.conf(5) that say where a password or a token is: each is
taken from the page, with what is to be done before it, and logs in. gpg and
systemd-creds are real; what needs a desktop or a browser has a stand-in that
keeps what it is given."""

import base64
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from mistakes import Scene
from mount import BINARY
from namespace import enter_own_namespace
from tap import PATIENCE

DOCUMENTS = os.environ.get('IMAPFS_DOCUMENTS', os.path.join(
    os.path.dirname(os.path.abspath(BINARY)), 'fs/manual'))
# What puts something in, and what gets it out again.
STORES = {'secret-tool': 'store', 'pass': 'insert'}
HELPERS = ('oama', 'mailctl', 'pizauth', 'mutt_oauth2.py', 'oauth2-token')


def recipes():
    """What is to be done before, and the line, of each."""
    page = run('man', '-l', os.path.join(DOCUMENTS, 'imapfs.conf.5'),
               check=True, env={'MANWIDTH': '400', 'MANROFFOPT': '-c'})
    text = re.sub(r'.\x08', '', page.out.decode()).replace('‐', '-')
    section = text[text.index('\nPASSWORDS AND TOKENS\n'):
                   text.index('\nFILES\n')]
    return re.findall(r'^ +# (.*)\n +(\w+ = .*)$', section, re.M)


class Place(Scene):
    def __init__(self, case):
        super().__init__(case)
        # systemd-creds makes a key for this machine.
        enter_own_namespace(case)
        os.mkdir(case.path('keys'))
        run('mount', '--bind', case.path('keys'), '/var/lib/systemd',
            check=True)
        self.bin = case.path('bin')
        os.mkdir(self.bin)
        for name, verb in STORES.items():
            self.program(name, f'case $1 in {verb}) cat > {self.bin}/kept.{name} '
                         f';; *) cat {self.bin}/kept.{name} ;; esac')
        for name in HELPERS:
            self.program(name, 'case $1 in authorize|server) ;; *) echo secret '
                         ';; esac')
        os.mkdir(case.path('gnupg'), 0o700)
        case.defer(lambda: run('gpgconf', '--kill', 'all', env=self.all()))
        run('gpg', '--batch', '--passphrase', '', '--quick-gen-key',
            'alice@example.org', env=self.all(), check=True,
            limit=120 * PATIENCE)

    def all(self):
        return {**self.environment(), 'GNUPGHOME': self.case.path('gnupg'),
                'PATH': f'{self.bin}:{os.environ["PATH"]}'}

    def program(self, name, text):
        with open(os.open(f'{self.bin}/{name}', os.O_WRONLY | os.O_CREAT,
                          0o755), 'w') as file:
            file.write('#!/bin/sh\n' + text + '\n')


@tap.test(limit=300)
def test_recipes_of_the_manual_log_in(case):
    if os.geteuid() != 0:
        raise tap.Skip('systemd-creds is for root')
    place = Place(case)
    place.server.capabilities = 'IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2'

    def judge(line, command):
        sent = base64.b64decode(command.text.split()[1])
        good = sent in (b'\0alice\0secret',
                        b'user=alice\1auth=Bearer secret\1\1')
        line.authenticated = good
        line.line(f'{command.tag} {"OK in" if good else "NO no"}')

    place.server.hooks['AUTHENTICATE'] = judge
    found = recipes()
    case.expect(len(found) >= 10, found)
    for before, line in found:
        # Nothing of the machine's own is to be written to.
        before, line = (text.replace('/etc/', case.directory + '/')
                        for text in (before, line))
        done = run('sh', '-c', f'echo secret | {{ {before}; }}',
                   env=place.all(), limit=60 * PATIENCE)
        if 'no encryption key available' in done.err:
            # It wants a disk, or a TPM.
            case.note(before, done.err)
            continue
        if not before.startswith('a file of yours'):
            case.expect(done.ok, before, done)
        place.configure('[home]', f'url = {place.url()}', line,
                        f'ca_file = {place.authority.certificate}')
        told = run(BINARY, '--check', 'home', env=place.all(),
                   limit=60 * PATIENCE)
        case.expect(told.ok, line, told, told.out.decode())


if __name__ == '__main__':
    tap.main()
