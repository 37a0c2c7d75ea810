#!/usr/bin/env python3
"""What can be wrong when one begins: each ends in one sentence that names what
failed, why, and what to do; the sentences are compared, and the status is 1."""

import contextlib
import os
import shutil
import socket
import sys
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from mistakes import HOSTS, Scene
from mount import BINARY, Mount
from writing import small_disk

USAGE = 'usage: imapfs [options] URL|NAME MOUNTPOINT'
NOBODY = 65534


# What stands on the command line. Rows: words ("@" is the mount point, "%" a
# URL), and the sentence.
COMMAND_LINES = [
    ([], USAGE + " (see 'imapfs --help')"),
    (['%'], 'the MOUNTPOINT is missing; ' + USAGE),
    (['@'], 'the URL is missing, and there is no file {conf} that names an '
            'account; ' + USAGE),
    (['%', '@', '@'], 'too many arguments; ' + USAGE),
    (['@', '%'], 'the URL comes first, then the mountpoint; ' + USAGE),
    (['%', '@', '--readonly'],
     "unknown option '--readonly'; 'imapfs --help' lists them all"),
    (['%', '@', '--print-confg'],
     "unknown option '--print-confg'; did you mean '--print-config'?"),
    (['%', '@', '--delete=trash'],
     "unknown option '--delete'; did you mean '-o delete=...'?"),
    (['--check', '-o', 'ro'],
     'nothing follows --check; write --check ACCOUNT'),
    (['--status'], 'nothing follows --status; write --status MOUNTPOINT'),
    (['-o'], 'nothing follows -o; write -o A,B=C,...'),
    (['%', '@', '-o', 'timout=5'],
     "unknown option 'timout'; did you mean 'timeout'?"),
    (['%', '@', '-o', 'kernel_cache'],
     "unknown option 'kernel_cache'; 'imapfs --help' lists them all, and a "
     "comma inside a value is written '\\,'"),
    (['%', '@', '-o', 'timeout=0'],
     "option 'timeout=0': a number from 1 to 3600 is needed"),
    (['%', '@', '-o', 'names=UID'],
     "option 'names=UID': write one of subject|uid"),
    (['%', '@', '-o', 'xattr=maybe'],
     "option 'xattr' takes no value but yes or no"),
    (['%', '@', '-o', 'new_flags=\\\\Seen+\\\\Sean'],
     "option 'new_flags=\\Seen+\\Sean': write flags with + between, such as "
     '\\Seen+\\Flagged, or none'),
    (['%', '@', '-o', 'timeout'],
     "option 'timeout' needs a value: timeout=SECONDS"),
    (['%', '@', '-o', 'cache_size=5'],
     "option 'cache_size=5': a number of octets is needed, such as 500M or 2G, "
     'at least 1M'),
    (['%', '@', '-o', 'password=secret'],
     "option 'password' is refused: a password given here would show in the "
     'list of processes; use password_file=FILE or password_command=COMMAND, '
     'or wait to be asked'),
    (['imaps://alice:secret@localhost/', '@'],
     'the URL holds a password, which everybody on this machine could read in '
     'the list of processes; leave it out and use -o password_file=FILE, or '
     'type it when asked'),
    (['http://localhost/', '@'],
     'the URL does not begin with imaps:// or imap://; write '
     'imaps://USER@HOST/'),
    (['imaps://localhost/INBOX', '@'],
     'the URL names a mailbox, but the whole account is mounted; end it after '
     'HOST/'),
    (['imaps://localhost:70000/', '@'],
     'the port in the URL is not a number from 1 to 65535'),
    (['gmial:alice@gmail.com', '@'],
     "no provider 'gmial' is known; did you mean 'gmail'?"),
    (['gmail:', '@'], 'the user is missing; write gmail:USER'),
    (['alice@outlook.com', '@'],
     'auth=xoauth2 needs an access token; Outlook.com takes no passwords: give '
     'token_command=COMMAND, and switch IMAP on in its settings, under POP and '
     'IMAP'),
    (['%', '@', '-o', 'auth=oauthbearer'],
     'auth=oauthbearer needs an access token; give token_command=COMMAND'),
    (['work', '@'],
     "'work' is no URL, and there is no file {conf} that could have an account "
     'of that name; write imaps://USER@HOST/'),
    (['%', '@', '-o', 'password_file=/p,password_command=p'],
     'password_command and password_file are both given; choose one'),
    (['%', '@', '-o', 'token_command=t,auth=plain'],
     'token_command is of no use to auth=plain; leave out one of the two'),
    (['%', '@', '-o', 'ca_file=/nowhere/ca.pem'],
     "ca_file: cannot read '/nowhere/ca.pem': No such file or directory; check "
     'the path'),
    (['%', '@', '-o', 'client_key=/etc/passwd'],
     'client_key is of no use without its certificate; add client_cert=FILE'),
    (['%', '@', '-o', 'fingerprint=abc'],
     "option 'fingerprint=abc': the certificate's SHA-256 is needed, 64 hex "
     "digits with or without colons, as 'openssl x509 -fingerprint -sha256' "
     'prints it'),
    (['--print-config'],
     'there is no file {conf}; make it, or name another one with --config '
     'FILE'),
    (['--config=/nowhere/conf', 'work', '@'],
     "cannot read the configuration file '/nowhere/conf': No such file or "
     'directory; name another one with --config FILE'),
]


@tap.test
def test_command_lines(case):
    scene = Scene(case)
    for words, sentence in COMMAND_LINES:
        words = [{'@': scene.mountpoint, '%': scene.url()}.get(word, word)
                 for word in words]
        scene.says(sentence, words)
    case.expect(not scene.server.connections, 'it connected')


# The configuration file. Rows: its lines below [work], and the sentence.
CONFIGURATIONS = [
    (['url = {url}', 'timout = 5'],
     "{conf}:3: unknown option 'timout'; did you mean 'timeout'?"),
    (['ulr = {url}'], "{conf}:2: unknown option 'ulr'; did you mean 'url'?"),
    (['url = {url}', 'timeout = soon'],
     "{conf}:3: option 'timeout=soon': a number from 1 to 3600 is needed"),
    (['url = {url}', '# the password', 'password = secret'],
     "{conf}:4: 'password' is refused: no password belongs in this file; use "
     'password_file or password_command'),
    (['url = {url}', 'secret'],
     '{conf}:3: this line is neither [ACCOUNT], nor NAME = VALUE, nor a '
     'comment after #'),
    (['url = {url}', 'ro = yes', 'ro = no'],
     "{conf}:4: 'ro' was given in line 3 already; leave out one of the two"),
    (['url = imap.example.org'],
     '{conf}:2: the URL names no server; write imaps://USER@HOST/, '
     'PROVIDER:USER or USER@DOMAIN'),
    (['timeout = 5'],
     "{conf}: the account 'work' has no url; write url = imaps://USER@HOST/ "
     'below [work]'),
    (['url = {url}', '[my home]'],
     "{conf}:3: the account's name is none; write letters, digits and any of "
     '- _ . + @, without blanks, at most 64 octets'),
]


@tap.test
def test_configuration_files(case):
    scene = Scene(case)
    for lines, sentence in CONFIGURATIONS:
        scene.configure('[work]', *(line.format(url=scene.url())
                                    for line in lines))
        scene.says(sentence, ['work', scene.mountpoint])
    scene.configure('[work]', 'url = ' + scene.url(), '[home]',
                    'url = gmail:me')
    scene.says("{conf} has no account 'wrok'; did you mean 'work'?",
               ['wrok', scene.mountpoint])
    scene.says('the NAME is missing, for {conf} has several accounts '
               '(work, home); write imapfs NAME MOUNTPOINT, or imapfs --all '
               'MOUNTPOINT',
               [scene.mountpoint])
    os.chmod(scene.conf, 0o666)
    scene.says("'{conf}' can be written by others (mode 0666), who could have "
               "any command run; run: chmod go-w '{conf}'",
               ['work', scene.mountpoint])
    case.expect(not scene.server.connections, 'it connected')


@tap.test
def test_sources_of_the_password(case):
    scene = Scene(case)
    missing = scene.home + '/missing'
    opened = scene.write('opened', 'secret\n', 0o644)
    empty = scene.write('empty', '', 0o600)
    netrc = scene.write('netrc', 'machine other login x password secret\n',
                        0o600)
    rows = [
        ({'password_file': missing},
         f"password_file '{missing}': No such file or directory; check the "
         'path, or use password_command=COMMAND'),
        ({'password_file': opened},
         f"password_file '{opened}' is open to others (mode 0644); run: chmod "
         f"600 '{opened}'"),
        ({'password_file': empty},
         'password_file: the first line is empty, and should be the secret'),
        ({'password_command': 'exit 3'},
         'password_command failed with exit status 3; run it in a terminal to '
         'see why'),
        ({'password_command': 'true'},
         'password_command: the first line is empty, and should be the '
         'secret'),
        ({'token_command': 'kill -9 $$'},
         'token_command was ended by signal 9 (Killed); run it in a terminal '
         'to see why'),
        ({'netrc': netrc},
         f"netrc '{netrc}' has no password of alice at localhost; add: machine "
         'localhost login NAME password SECRET'),
        ({'credential': 'work'},
         "credential 'work' cannot be had, for $CREDENTIALS_DIRECTORY is not "
         'set, as in a systemd unit with LoadCredential=; use '
         'password_file=FILE elsewhere'),
        ({}, 'there is no terminal to ask for the password at; use '
             'password_file=FILE or password_command=COMMAND'),
    ]
    for options, sentence in rows:
        scene.says(sentence, scene.words(options, password=False))
    case.expect(not scene.server.connections, 'it connected')


@tap.test
def test_servers_that_cannot_be_reached(case):
    scene = Scene(case)
    # Where there is no name server at all, that is what it says.
    scene.says('…no-such-host.invalid…; check …',
               scene.words({'timeout': 5}, scene.url('no-such-host.invalid')))
    with socket.create_server(('127.0.0.1', 0)) as unused:
        closed = unused.getsockname()[1]
    scene.says(f'cannot connect to localhost port {closed}: …refused…; check '
               'host and port',
               scene.words(url=scene.url(port=closed)))
    with socket.create_server(('127.0.0.1', 0)) as silent:
        port = silent.getsockname()[1]
        scene.says('localhost did not answer for 2 seconds (connecting); check '
                   'host and port, and the network, or wait longer with -o '
                   'timeout=SECONDS',
                   scene.words({'timeout': 2}, scene.url(port=port)))


@tap.test
def test_addresses_whose_server_cannot_be_found(case):
    if os.geteuid() != 0 or not shutil.which('unshare'):
        raise tap.Skip('a network namespace needs root')
    scene = Scene(case)
    words = scene.words(url='alice@mail.example')
    scene.says('cannot ask where the mail of mail.example is (…); try again '
               "later, or write the server's URL, such as "
               'imaps://alice%40mail.example@imap.mail.example/', words,
               prefix=['unshare', '--net', '--'])
    result = run('unshare', '--net', '--', BINARY, '--check',
                 'alice@mail.example', env=scene.environment())
    case.expect(result.status == 1 and not result.err and
                'cannot ask where the mail of mail.example is' in
                result.out.decode(), result)


def serve_once(answer):
    """A server of another kind: says answer to whatever comes. Its port."""
    listener = socket.create_server(('127.0.0.1', 0))

    def serve():
        line, _ = listener.accept()
        with line:
            line.sendall(answer)
            while line.recv(1000):
                line.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()[1]


@tap.test
def test_wrong_kinds_of_server(case):
    plain = Scene(case, tls='off')
    plain.says('localhost port {port} does not speak TLS; …',
               plain.words(url=plain.url(scheme='imaps')))
    plain.says('localhost does not offer STARTTLS, or somebody on the way has '
               'removed it; try imaps:// (port 993)',
               plain.words(url=plain.url(scheme='imap')))
    plain.server.greeting = b'* BYE too many connections\r\n'
    plain.says('localhost hangs up: too many connections; try again later, or '
               'check host and port',
               plain.words({'tls': 'off', 'ca_file': None}))
    port = serve_once(b'220 mail.example.org ESMTP\r\n')
    plain.says('localhost: the server sent "220 mail.example.org ESMTP": this '
               'is not IMAP; check host and port',
               plain.words(url=plain.url(scheme='imap', port=port)))


@tap.test
def test_starttls_to_a_port_of_tls(case):
    scene = Scene(case)
    # Which of two deadlines is first is chance.
    scene.says('localhost did not answer for 5 seconds…',
               scene.words({'timeout': 5}, scene.url(scheme='imap')))


@tap.test
def test_certificates(case):
    scene = Scene(case, hosts=['mail.example.org'])
    trusted = 'pass -o fingerprint=…'
    scene.says('the certificate is for mail.example.org, not for localhost; '
               f'use the name that it has, or {trusted} if you trust this very '
               'certificate', scene.words())
    scene.says('the certificate of localhost is signed by an authority this '
               'machine does not know; if it is your own, pass -o '
               'ca_file=FILE or -o fingerprint=…',
               scene.words({'ca_file': None}))
    scene.server.tls_context.load_cert_chain(*scene.authority.issue(
        'old', HOSTS, start='20200101000000Z', end='20200201000000Z'))
    scene.says('the certificate of localhost expired on 2020-02-01; it must be '
               'renewed on the server, unless the clock here is wrong',
               scene.words())
    scene.says('the certificate of localhost has not the fingerprint that you '
               'gave but …; if the server has a new certificate, pass that '
               'one', scene.words({'ca_file': None, 'fingerprint': '00' * 32}))


@tap.test
def test_logins(case):
    scene = Scene(case)
    wrong = scene.write('wrong', 'mistaken\n', 0o600)
    scene.says('localhost refuses the login of alice: wrong user or password; '
               'check the user name and the password or token', scene.words({'password_file': wrong}))
    scene.says('localhost does not offer SCRAM-SHA-256; leave auth= out or '
               'choose what it offers: PLAIN…',
               scene.words({'auth': 'scram-sha-256'}))
    scene.says('localhost takes no access token (it offers PLAIN…); use -o '
               'password_file=FILE instead of token_command=',
               scene.words({'token_command': 'echo x'}, password=False))
    scene.server.capabilities = 'IMAP4rev1 LOGINDISABLED'
    scene.says('localhost offers no way of logging in with a password (it '
               'offers nothing); if it wants OAuth2, pass -o '
               'token_command=COMMAND', scene.words())


@tap.test
def test_token_that_has_expired(case):
    scene = Scene(case)
    scene.server.capabilities = 'IMAP4rev1 SASL-IR AUTH=XOAUTH2'

    def refuse(line, command):
        line.send(b'+ eyJzdGF0dXMiOiI0MDEifQ==\r\n')
        line.read_line()
        line.line(f'{command.tag} NO [AUTHENTICATIONFAILED] expired')

    scene.server.hooks['AUTHENTICATE'] = refuse
    scene.says('localhost refuses the login of alice: expired; see whether '
               'token_command gets a new one for this user',
               scene.words({'token_command': 'echo x'}, password=False))


# Where it is to be mounted

@tap.test
def test_mount_points(case):
    scene = Scene(case)
    file = scene.write('file', '')
    full = os.path.dirname(scene.conf)
    scene.configure()
    for path, sentence in (
            (case.path('missing'),
             "mountpoint '{path}' does not exist; create it with mkdir"),
            (file, "mountpoint '{path}' is not a directory; take an empty "
                   'directory'),
            (full, "mountpoint '{path}' is not empty, and what is in it would "
                   'be hidden; take an empty directory, or add -o nonempty'),
            (file + '/x', "mountpoint '{path}' cannot be looked at: Not a "
                          'directory; take a directory of your own')):
        scene.says(sentence.replace('{path}', path),
                   scene.words(mountpoint=path))
    case.expect(not scene.server.connections, 'it connected')


@tap.test
def test_mount_point_that_is_not_empty_can_be_hidden(case):
    scene = Scene(case)
    scene.write('file', '')
    mount = Mount(case, scene.url(),
                  {'ca_file': scene.authority.certificate, 'nonempty': None},
                  mountpoint=scene.home)
    listed = run('ls', scene.home, check=True).out
    case.expect(b'INBOX' in listed and b'file' not in listed, listed)
    mount.unmount()


@tap.test
def test_full_disk(case):
    scene = Scene(case)
    disk = small_disk(case, '64k')
    with open(disk + '/rest', 'wb', buffering=0) as rest:
        with contextlib.suppress(OSError):
            while rest.write(bytes(4096)):
                pass
    scene.says('…/state.db: …full; make room on that disk',
               scene.words({'state_dir': disk + '/state'}))


@tap.test
def test_mount_point_that_is_taken(case):
    scene = Scene(case)
    mount = Mount(case, scene.url(),
                  {'ca_file': scene.authority.certificate})
    scene.says(f'cannot mount at {mount.mountpoint}: a mailbox is mounted '
               'there already; unmount it first with fusermount3 -u',
               scene.words(mountpoint=mount.mountpoint))
    mount.unmount()


def own_devices(*devices):
    """A prefix that gives a program a /dev of its own, as long as it runs."""
    if os.geteuid() != 0 or not shutil.which('unshare'):
        raise tap.Skip('a mount namespace needs root')
    made = ' && '.join(f'mknod -m 666 /dev/{name} c {number}'
                       for name, number in (('null', '1 3'),
                                            ('urandom', '1 9'), *devices))
    return ['unshare', '--mount', '--', 'sh', '-c',
            f'mount -t tmpfs none /dev && {made} && exec "$@"', 'sh']


def as_nobody(scene):
    """A prefix that gives up being root, to whom everything is allowed."""
    if not shutil.which('setpriv'):
        raise tap.Skip('there is no setpriv')
    prefix = [*own_devices(('fuse', '10 229')), 'setpriv',
              f'--reuid={NOBODY}', f'--regid={NOBODY}', '--clear-groups']
    if run(*prefix, BINARY, '--version').status != 0:
        raise tap.Skip('other users cannot reach the program')
    os.chmod(scene.authority.certificate, 0o644)
    os.chmod(os.path.dirname(scene.authority.certificate), 0o755)
    for path in (scene.case.directory, scene.home):
        os.chmod(path, 0o755)
    os.chown(scene.password_file, NOBODY, NOBODY)
    for name in ('.cache', '.state'):
        os.makedirs(scene.home + '/' + name)
        os.chown(scene.home + '/' + name, NOBODY, NOBODY)
    return prefix


@tap.test
def test_mount_point_of_another_user(case):
    scene = Scene(case)
    prefix = as_nobody(scene)
    scene.says('cannot mount at {mnt}: the directory is not writable; take a '
               'directory of your own', scene.words(), prefix=prefix)
    os.chmod(scene.mountpoint, 0o1777)
    scene.says('cannot mount at {mnt}: the directory is not yours; take a '
               'directory of your own', scene.words(), prefix=prefix)
    os.chmod(scene.mountpoint, 0o700)
    scene.says("mountpoint '{mnt}/inner' cannot be looked at: Permission "
               'denied; take a directory of your own',
               scene.words(mountpoint=scene.mountpoint + '/inner'),
               prefix=prefix)


@tap.test
def test_other_users_not_let_in_by_the_machine(case):
    scene = Scene(case)
    prefix = as_nobody(scene)
    with open('/etc/fuse.conf') as file:
        if any(line.strip() == 'user_allow_other' for line in file):
            raise tap.Skip('/etc/fuse.conf has user_allow_other')
    os.chown(scene.mountpoint, NOBODY, NOBODY)
    scene.says('cannot mount at {mnt}: allow_other needs user_allow_other in '
               '/etc/fuse.conf; add that line there, or leave the option out',
               scene.words({'allow_other': True}), prefix=prefix)


@tap.test(alone=True)
def test_machine_without_fuse(case):
    scene = Scene(case)
    scene.says('cannot mount at {mnt}: /dev/fuse is missing; load the kernel '
               'module (modprobe fuse), or give the container that device',
               scene.words(), prefix=own_devices())


# What is kept on disk

@tap.test
def test_places_for_what_is_kept(case):
    scene = Scene(case)
    file = scene.write('file', '')
    both = case.path('both')
    scene.says(f"…{file}…; name another place for what must be kept with -o "
               'state_dir=DIR, or do without it with -o state_dir=none',
               scene.words({'state_dir': file}))
    scene.says('cache_dir and state_dir are the same; write two different '
               'directories',
               scene.words({'state_dir': both, 'cache_dir': both}))


if __name__ == '__main__':
    tap.main(jobs=4)
