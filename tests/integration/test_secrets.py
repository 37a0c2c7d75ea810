#!/usr/bin/env python3
"""The password, in all forms in which it goes about, is nowhere that anybody
could find it: one is given that occurs nowhere else, and looked for in what
every process shows of itself, in what is said and logged, in the mount's own
files and in all that is kept on disk."""

import base64
import contextlib
import glob
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import certificates
import tap
from command import run, wait_until
from imapserver import CAPABILITIES, Server
from mailstore import simple_mailbox
from mount import BINARY, Mount, daemon_pids
from namespace import enter_own_namespace

MARKER = 'Zq7-marker-X9k'
USER = 'alice'


def forms(secret):
    """The octets to look for."""
    raw = secret.encode()
    whole = [raw, raw[::-1], raw.hex().encode(), raw.hex().upper().encode()]
    for text in (raw, b'\0alice\0' + raw,
                 b'user=alice\1auth=Bearer ' + raw + b'\1\1'):
        # What surrounds it does not matter: whole groups of it alone.
        for start in range(3):
            coded = base64.b64encode(b'.' * start + raw)
            whole.append(coded[4 * ((start + 2) // 3):-4])
        whole.append(base64.b64encode(text))
    return whole


class Search:
    def __init__(self, case, secret=MARKER):
        self.case = case
        self.forms = forms(secret)
        self.looked_at = 0

    def octets(self, data, where):
        self.looked_at += 1
        for form in self.forms:
            if form in data:
                at = data.index(form)
                self.case.expect(False, f'the password is in {where}:',
                                 data[max(at - 60, 0):at + 60])
                return

    def file(self, path):
        try:
            with open(path, 'rb') as file:
                self.octets(file.read(), path)
        except OSError as error:
            self.case.note(f'{path}: {error}')

    def tree(self, directory, besides=()):
        for path in glob.glob(directory + '/**', recursive=True,
                              include_hidden=True):
            if os.path.isfile(path) and path not in besides:
                self.file(path)

    def processes(self, pids):
        for pid in pids:
            for name in ('cmdline', 'environ', 'comm', 'status'):
                self.file(f'/proc/{pid}/{name}')


def family(pid):
    """The process, and those that it has started."""
    found = [pid]
    for task in glob.glob(f'/proc/{pid}/task/*/children'):
        with contextlib.suppress(OSError):  # the thread has ended
            with open(task) as file:
                for child in file.read().split():
                    found += family(int(child))
    return found


def serve(case, capabilities=CAPABILITIES):
    authority = certificates.Authority(case.path('ca'))
    server = Server([simple_mailbox()], tls='implicit',
                    certificate=authority.issue('server', ['localhost']),
                    account=(USER, MARKER), capabilities=capabilities).start()
    case.defer(server.stop)
    return server, {'ca_file': authority.certificate,
                    'timeout': 10 * tap.PATIENCE, 'xattr': None}


def use(mounted):
    """Reads and changes, so that something is said and kept."""
    run('cat', mounted.path('INBOX/2.eml'), check=True)
    run('sh', '-c', 'printf "From: a@example.org\nSubject: x\n\nbody\n" > '
        f'{mounted.path("INBOX")}/new.eml', check=True)
    run('rm', mounted.path('INBOX/1.eml'), check=True)
    run(BINARY, '--wait', mounted.mountpoint, check=True)


def opened(pid, name):
    with contextlib.suppress(OSError):
        for fd in os.listdir(f'/proc/{pid}/fd'):
            if os.readlink(f'/proc/{pid}/fd/{fd}').endswith(name):
                return True
    return False


def check_mount(case, mounted, search, besides=()):
    events = subprocess.Popen(['cat', mounted.path('.imapfs/events')],
                              stdout=subprocess.PIPE)
    case.defer(events.stdout.close)
    case.expect(wait_until(lambda: opened(events.pid, '/events'),
                           20 * tap.PATIENCE), 'the events are not read')
    use(mounted)
    pids = family(mounted.pid)
    case.expect(len(pids) >= 2, f'where are the helpers? {pids}')
    search.processes({*pids, *daemon_pids(mounted.mountpoint)})
    search.octets(run('cat', mounted.path('.imapfs/status'), check=True).out,
                  'status')
    run('fusermount3', '-uz', mounted.mountpoint, check=True)
    told = events.stdout.read()
    case.expect(b'"kind"' in told, 'no events')
    search.octets(told, 'events')
    events.wait()
    mounted.wait_ended(20)
    search.octets(mounted.messages().encode(), 'what it said')
    search.tree(mounted.data, besides)
    case.note(f'looked at {search.looked_at} things')


WAYS = [
    ('plain', CAPABILITIES, {}),
    ('plain_without_initial_response',
     CAPABILITIES.replace('SASL-IR ', ''), {}),
    ('login_command', 'IMAP4rev1 UIDPLUS UNSELECT', {}),
]


def mounts_and_shows_nothing(case, capabilities, options):
    server, usual = serve(case, capabilities)
    mounted = Mount(case, server.url('localhost'), {**usual, **options},
                    password=MARKER, arguments=['-d', '--trace'])
    check_mount(case, mounted, Search(case), [mounted.home + '/password'])
    said = mounted.messages()
    case.expect('UID FETCH' in said and 'left out' in said,
                'no trace:', said[:2000])


for _name, _capabilities, _options in WAYS:
    tap.test(mounts_and_shows_nothing, name=f'trace_{_name}_shows_no_password',
             arguments=(_capabilities, _options))


@tap.test
def test_trace_shows_no_token(case):
    server, usual = serve(case, CAPABILITIES.replace('AUTH=PLAIN',
                                                     'AUTH=XOAUTH2'))

    def accept(line, command):
        line.authenticated = True
        line.line(f'{command.tag} OK welcome')

    server.hooks['AUTHENTICATE'] = accept
    token = case.path('token')
    with open(token, 'w') as file:
        file.write(MARKER + '\n')
    mounted = Mount(case, server.url('localhost'),
                    {**usual, 'token_command': f'cat {token}'}, password=None,
                    arguments=['-d', '--trace'])
    check_mount(case, mounted, Search(case))


def while_it_runs(case, gate, pid, search):
    """Looks at the processes while the command waits at gate, a FIFO, and lets
    it go on."""
    def find():
        with contextlib.suppress(OSError):
            return os.open(gate, os.O_WRONLY | os.O_NONBLOCK)

    fd = wait_until(find, 30 * tap.PATIENCE)
    case.expect(fd, 'the command was not run')
    pids = family(pid)
    case.expect(len(pids) > 1, 'the command is not to be seen')
    search.processes(pids)
    if fd:
        os.write(fd, b'go on\n')
        os.close(fd)


@tap.test
def test_command_that_holds_the_password_does_not_show_it(case):
    """Neither at the start nor when it is run again, be it from a file or from
    our own command line."""
    server, usual = serve(case)
    gate = case.path('gate')
    os.mkfifo(gate)
    os.makedirs(case.path('mnt'))
    options = ','.join([
        f'ca_file={usual["ca_file"]}', 'timeout=60',
        f'password_command=read x < {gate}; echo {MARKER}',
        f'cache_dir={case.path("c")}', f'state_dir={case.path("s")}'])
    process = subprocess.Popen(
        [BINARY, '-f', '-o', options, server.url('localhost'),
         case.path('mnt')], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    case.defer(process.wait)
    case.defer(lambda: run('fusermount3', '-uz', case.path('mnt')))
    case.defer(process.terminate)
    search = Search(case)
    while_it_runs(case, gate, process.pid, search)
    case.expect(wait_until(lambda: os.path.ismount(case.path('mnt')),
                           30 * tap.PATIENCE), 'not mounted')
    process.send_signal(signal.SIGHUP)
    while_it_runs(case, gate, process.pid, search)
    with open(f'/proc/{process.pid}/cmdline') as file:
        words = file.read()
    case.expect('password_command=***' in words and
                server.url('localhost') in words, words)


class Journal:
    """What goes to the system's log, in a mount namespace of the test's own."""

    FOLDER = '/run/systemd/journal'

    def __init__(self, case):
        enter_own_namespace(case)
        os.makedirs(self.FOLDER, exist_ok=True)
        run('mount', '-t', 'tmpfs', 'none', self.FOLDER, check=True)
        self.text = b''
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.FOLDER + '/socket')
        case.defer(self.socket.close)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with contextlib.suppress(OSError):
            while True:
                self.text += self.socket.recv(65536) + b'\n'


@tap.test
def test_background_and_its_log_show_no_password(case):
    """From a configuration file, as most people will have it."""
    journal = Journal(case)
    server, usual = serve(case)
    home = case.path('conf-home')
    os.makedirs(home + '/imapfs')
    secret = case.path('stored')
    with open(secret, 'w') as file:
        file.write(MARKER + '\n')
    conf = home + '/imapfs/imapfs.conf'
    with open(os.open(conf, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
        file.write(f'[work]\nurl = {server.url("localhost")}\n'
                   f'ca_file = {usual["ca_file"]}\nxattr = yes\n'
                   f'password_command = printf %s Zq7-marker; cat {secret} | '
                   'tail -c 5\n')
    mounted = Mount(case, 'work', {}, password=None, background=True,
                    environment={'XDG_CONFIG_HOME': home})
    search = Search(case)
    printed = run(BINARY, '--print-config', env={'XDG_CONFIG_HOME': home},
                  check=True).out
    case.expect(b'password_command = ***' in printed, printed)
    search.octets(printed, '--print-config')
    server.greeting = f'* BYE {MARKER} is not welcome\r\n'.encode()
    server.drop_connections()
    run('ls', mounted.path('INBOX'))
    server.greeting = b'* OK hello\r\n'
    os.kill(mounted.pid, signal.SIGHUP)  # the password again
    os.kill(mounted.pid, signal.SIGUSR1)  # the status
    case.expect(wait_until(lambda: b'Reloaded: ' in journal.text and
                           b'Status: ' in journal.text, 20 * tap.PATIENCE),
                journal.text)
    check_mount(case, mounted, search)
    search.octets(journal.text, 'the journal')


@tap.test
def test_server_that_repeats_the_password_is_not_quoted(case):
    server, usual = serve(case, 'IMAP4rev1 UIDPLUS UNSELECT')
    server.hooks['LOGIN'] = lambda line, command: line.line(
        f'{command.tag} NO [AUTHENTICATIONFAILED] {MARKER} is not the password')
    path = case.path('password')
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
        file.write(MARKER + '\n')
    options = ','.join([f'ca_file={usual["ca_file"]}', f'password_file={path}',
                        'timeout=10', f'cache_dir={case.path("c")}',
                        f'state_dir={case.path("s")}'])
    os.makedirs(case.path('mnt'))
    result = run(BINARY, '-f', '-d', '--trace', '-o', options,
                 server.url('localhost'), case.path('mnt'),
                 limit=30 * tap.PATIENCE)
    case.expect(result.status == 1 and 'refuses the login' in result.err,
                result)
    Search(case).octets(result.err.encode() + result.out, 'what it said')


def crash_leaves_no_core(case):
    server, usual = serve(case)
    place = case.path('cwd')
    os.makedirs(place)
    # Whatever the user allows.
    resource.setrlimit(resource.RLIMIT_CORE,
                       (resource.getrlimit(resource.RLIMIT_CORE)[1],) * 2)
    mounted = Mount(case, server.url('localhost'), usual, password=MARKER,
                    cwd=place)
    use(mounted)
    for pid in family(mounted.pid):
        with open(f'/proc/{pid}/limits') as file:
            limit = re.search(r'Max core file size +(\S+) +(\S+)', file.read())
        case.expect(limit.groups() == ('0', '0'), f'{pid}: {limit[0]}')
    daemon = mounted.pid
    os.kill(daemon, signal.SIGABRT)
    _, status = os.waitpid(mounted.process.pid, 0)
    mounted.process.returncode = 0  # as was wanted
    case.expect(os.WIFSIGNALED(status) and not os.WCOREDUMP(status), status)
    case.expect(wait_until(lambda: not os.path.ismount(mounted.mountpoint),
                           20 * tap.PATIENCE), 'it left its mount')
    case.expect(not os.listdir(place), os.listdir(place))
    Search(case).tree(mounted.data, [mounted.home + '/password'])


# The sanitizers' check for leaks has to look into the process.
if not tap.SANITIZED:
    tap.test(crash_leaves_no_core)


if __name__ == '__main__':
    tap.main(jobs=4)
