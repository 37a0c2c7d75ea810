#!/usr/bin/env python3
"""The README's commands, taken from the README and run in its order, by somebody
who has nothing but the README. What differs from a reader's machine is in
as_here() and Machine, and nowhere else."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + '/../..')
sys.path[:0] = [HERE + '/../lib', ROOT + '/examples']

import dovecot
import mount as mounting
import tap
from command import run, wait_until
from namespace import enter_own_namespace, show_as
from readme import blocks

URL = 'imaps://alice@imap.example.org/'
# What is done elsewhere: test_readme_build, test_quickstart.
NOT_HERE = ('Install',)


def as_here(text, server):
    """The reader's server is a private one: another host and port, and a
    certificate authority that no system knows. All else is as it is written."""
    here = f'imaps://alice@localhost:{server.tls_port}/'
    text = text.replace(f'url = {URL}',
                        f'url = {here}\nca_file = {server.ca_file}')
    return text.replace(URL, f'{here} -o ca_file={server.ca_file}')


MAIL = (
    ('alice', 'Quarterly report', 'It is attached.'),
    ('shop', 'Receipt', 'Thank you.'),
    ('shop', 'Invoice', 'This is invoice 4711'),
    ('news', 'Newsletter', 'News.'),
)


class Machine:
    """A home directory, the reader's mail at a server, and stand-ins for what
    a desktop has: a keyring, notifications, a service manager."""

    def __init__(self, case):
        self.case = case
        enter_own_namespace(case)
        show_as(case, os.path.realpath(mounting.BINARY),
                '/usr/local/bin/imapfs')
        self.server = dovecot.start_sample(
            case, prepare=lambda new: new.generate(messages=120),
            users={'alice': None})
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(Exception)
                   or self.client.imap.shutdown())
        for number, (who, subject, body) in enumerate(MAIL):
            self.deliver(f'{who}@example.org', subject, body, number)
        self.home, self.bin = case.path('home'), case.path('bin')
        os.makedirs(self.home + '/Documents')
        os.mkdir(self.bin)
        self.told = case.path('told')
        secret = dovecot.password(self.server)
        self.program('secret-tool', f'[ "$*" = "lookup mail home" ] && '
                     f'echo {secret}')
        self.program('notify-send', f'echo "$*" >>{self.told}')
        self.program('systemctl', f'echo "$*" >>{case.path("systemctl")}')
        self.environment = {
            'PATH': f'/usr/local/bin:{self.bin}:{os.environ["PATH"]}',
            'HOME': self.home, 'LC_ALL': 'C.UTF-8', 'TERM': 'dumb',
            'USER': 'alice', 'RESTIC_PASSWORD': 'backup',
            'BORG_PASSPHRASE': 'backup'}
        for name in ('ASAN_OPTIONS', 'UBSAN_OPTIONS'):
            if name in os.environ:
                self.environment[name] = os.environ[name]
        case.defer(self.end)

    def program(self, name, text):
        with open(os.open(f'{self.bin}/{name}', os.O_WRONLY | os.O_CREAT,
                          0o755), 'w') as file:
            file.write('#!/bin/sh\n' + text + '\n')

    def deliver(self, sender, subject, body, number):
        message = (f'From: {sender}\r\nSubject: {subject}\r\n'
                   f'Message-ID: <readme-{number}@example.org>\r\n\r\n'
                   f'{body}\r\n')
        assert self.client.imap.append('INBOX', None, None,
                                       message.encode())[0] == 'OK'

    def end(self):
        for place in ('mail',):
            run('umount', '-l', os.path.join(self.home, place))
        wait_until(lambda: not mounting.daemon_pids(self.home + '/mail'),
                   30 * tap.PATIENCE)

    def shell(self, text, limit=120):
        """As typed at a terminal, where the password is asked for. Returns
        exit status and what was seen."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.chdir(self.home)
            os.execvpe('bash', ['bash', '--norc', '-e', '-o', 'pipefail',
                                '-c', text], self.environment)
        seen, answered = '', 0
        end = time.monotonic() + limit * tap.PATIENCE
        while True:
            if not select.select([terminal], [], [],
                                 max(0, end - time.monotonic()))[0]:
                os.kill(pid, signal.SIGKILL)
                break
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # its last process has closed it
                break
            if not piece:
                break
            seen += piece.decode(errors='replace')
            while seen.count('Password for ') > answered:
                answered += 1
                os.write(terminal, dovecot.password(self.server).encode()
                         + b'\n')
        # Closed first, it would hang up on who is about to end.
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        os.close(terminal)
        return status, seen

    def write(self, text):
        """A file, whose path is in its first line."""
        path = text.split('\n', 1)[0].removeprefix('# ').replace(
            '~', self.home, 1)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
            file.write(text)

    def background(self, text, number):
        """Runs what does not end by itself, and has mail come meanwhile."""
        process = subprocess.Popen(
            ['bash', '-c', text], env=self.environment, cwd=self.home,
            stdin=subprocess.DEVNULL, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        subject = f'Told of {number}'
        begun = time.monotonic()
        sent = 0

        def is_told():
            # Whether it has begun to watch, nothing tells: so more mail comes.
            nonlocal sent
            if time.monotonic() - begun > 2 * sent:
                sent += 1
                self.deliver('bob@example.org', f'{subject}', 'Hello.',
                             f'{number}-{sent}')
            with contextlib.suppress(FileNotFoundError):
                with open(self.told) as file:
                    said = file.read()
                return subject in said or f'told-of-{number}' in said

        self.case.expect(wait_until(is_told, 60 * tap.PATIENCE, 0.1),
                         'nothing was told by', text)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@tap.test(limit=400, alone=True)
def test_commands_of_the_readme_work(case):
    machine = Machine(case)
    environment = machine.environment
    run('restic', '--repo', machine.home + '/backup/restic', 'init',
        env=environment, check=True, limit=60 * tap.PATIENCE)
    run('borg', 'init', '-e', 'repokey', '--make-parent-dirs',
        machine.home + '/backup/borg', env=environment, check=True,
        limit=60 * tap.PATIENCE)
    n_run = 0
    for number, block in enumerate(blocks()):
        if block.heading in NOT_HERE or block.language not in ('sh', 'ini'):
            continue
        text = as_here(block.text, machine.server)
        if block.language == 'ini':
            machine.write(text)
        elif block.manner == 'until-unmounted':
            machine.background(text, number)
        else:
            status, seen = machine.shell(text)
            if not case.expect(status == 0, f'"{block.heading}" ended with '
                               f'{status}:\n{block.text}', seen[-3000:]):
                return
        n_run += 1
    case.expect(n_run > 14, f'only {n_run} blocks were found')
    check_outcome(case, machine)


def check_outcome(case, machine):
    """What the commands were for has come about."""
    mail = machine.home + '/mail'
    case.expect(mounting.is_mounted(mail), 'nothing is mounted at the end')
    client = machine.client
    client.imap.noop()

    def count(folder, *words):
        client.open(folder)
        return len(client.imap.search(None, *words)[1][0].split())

    case.expect(count('INBOX', 'SUBJECT', 'Newsletter') == 0 and
                count('Trash', 'SUBJECT', 'Newsletter') == 1, 'rm')
    case.expect(count('Receipts', 'SUBJECT', 'Receipt') >= 1 and
                count('Receipts', 'SUBJECT', 'Invoice') >= 1, 'Receipts')
    case.expect(count('Drafts', 'TEXT', '"Today at one"') == 1, 'Drafts')
    case.expect({'\\Flagged', 'todo'} <= client.flags('INBOX')[2], 'flags',
                client.flags('INBOX'))
    case.expect(count('Restored', 'ALL') > 20, 'Restored')
    case.expect(count('Trash', 'SUBJECT', 'Newsletter', 'FLAGGED', 'SEEN') == 1,
                'notmuch')
    with open(case.path('systemctl')) as file:
        case.expect('--user enable --now imapfs@home' in file.read())


@tap.test
def test_blocks_of_the_readme_are_run_or_said_not_to_be(case):
    """A block of commands that is not marked so is not noticed here."""
    for block in blocks():
        case.expect(block.language in ('sh', 'text', 'ini', 'json'),
                    block.heading, block.language)
        looks_so = re.search(r'^(imapfs|mkdir|cp|mv|rm|ls|find|grep|rg) ',
                             block.text, re.M)
        case.expect(block.language == 'sh' or not looks_so or
                    'quickstart' in block.text, block.heading, block.text)


@tap.test
def test_readme_names_what_there_is(case):
    with open(ROOT + '/README.md') as file:
        text = file.read()
    for target in re.findall(r'\]\(([^)#:]+)\)', text):
        case.expect(os.path.exists(os.path.join(ROOT, target)), target)
    told = run(mounting.BINARY, '--help', check=True).out.decode()
    section = text[text.index('## Options'):text.index('## What is kept')]
    for name in re.findall(r'^\| `(\w+)', section, re.M):
        case.expect(re.search(rf'^  {name}\b', told, re.M), name)
    folders = re.findall(r'^\| `((?:fs|tests|examples)/[\w/]*)`', text, re.M)
    case.expect(len(folders) > 15, folders)
    for folder in folders:
        case.expect(os.path.isdir(os.path.join(ROOT, folder)), folder)
    for folder in ('fs', 'examples'):
        for name in os.listdir(os.path.join(ROOT, folder)):
            case.expect(not os.path.isdir(f'{ROOT}/{folder}/{name}') or
                        name.startswith('__') or f'`{folder}/{name}' in text,
                        folder, name)
    with open(ROOT + '/examples/packages.sh') as file:
        packages = file.read()
    wanted = set(re.search(r'packages_build=\(([^)]*)\)', packages)[1].split()
                 + re.search(r'packages_mount=\(([^)]*)\)',
                             packages)[1].split())
    named = set(re.search(r'apt-get install (.*)', text)[1].split())
    case.expect(named == wanted, named ^ wanted)


if __name__ == '__main__':
    tap.main(jobs=1)
