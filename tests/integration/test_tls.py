#!/usr/bin/env python3
"""Getting in: TLS both ways, everything that must be refused, and what the
user is told. Each refusal comes within the deadline and leaves no mount."""

import base64
import os
import socket
import ssl
import sys
import threading
import time
import warnings

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import certificates
import tap
from command import run, wait_until
from imapserver import Server
from mount import BINARY, Mount, is_mounted, mount_fails

TIMEOUT = 3
# For what is done before and after, on a machine that does more beside it.
SLACK = 10 * tap.PATIENCE
HOSTS = ['localhost', '127.0.0.1']


class Place:
    """A CA, a certificate of it, and a server that uses it."""

    def __init__(self, case, tls='implicit', certificate=None, hosts=HOSTS,
                 start=True, **named):
        self.case = case
        self.authority = certificates.Authority(case.path('ca'))
        self.pair = certificate or self.authority.issue('server', hosts)
        self.server = Server(tls=tls, certificate=self.pair, **named).start()
        case.defer(self.server.stop)
        self.options = {'tls': tls, 'timeout': TIMEOUT,
                        'ca_file': self.authority.certificate}

    def url(self, host='localhost', **named):
        return self.server.url(host, **named)

    def mounts(self, options=None, **named):
        mount = Mount(self.case, self.url(), {**self.options,
                                              **(options or {})}, **named)
        body = self.server.mailboxes[0].get(2).body
        result = run('cat', mount.path('INBOX/2.eml'), check=True)
        self.case.expect(result.out == body, 'wrong bytes')
        mount.unmount()

    def refuses(self, words, options=None, url=None, **named):
        """It fails, and the message holds one of words (each a tuple of
        alternatives)."""
        failure = mount_fails(self.case, url or self.url(),
                              {**self.options, **(options or {})}, **named)
        says(self.case, failure, *words)
        self.case.expect(failure.seconds <= TIMEOUT + SLACK,
                         f'only after {failure.seconds:.1f} s')
        self.case.expect(not self.logins_in_clear(),
                         'the password went over the line in clear')
        return failure

    def logins_in_clear(self):
        encrypted = {c.number for c in self.server.connections if c.encrypted}
        return [c for c in self.server.commands
                if c.name in ('LOGIN', 'AUTHENTICATE')
                and c.connection not in encrypted]


def says(case, failure, *words):
    text = failure.message.lower()
    for alternatives in words:
        if isinstance(alternatives, str):
            alternatives = (alternatives,)
        case.expect(any(word.lower() in text for word in alternatives),
                    f'does not name {" or ".join(alternatives)}:',
                    failure.message)
    case.expect('secret' not in text.replace('your secret', ''),
                'the message shows the password')


def self_signed(case):
    pem, key = case.path('self.pem'), case.path('self.key')
    run('openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
        'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', key, '-out', pem,
        '-days', '30', '-subj', '/CN=localhost', '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1', check=True)
    return pem, key


# What must work

@tap.test
def test_implicit_tls_mounts(case):
    Place(case).mounts()


@tap.test
def test_starttls_mounts(case):
    place = Place(case, 'starttls')
    place.mounts()
    case.expect(not place.logins_in_clear(), 'logged in before TLS')
    connections = {c.connection for c in place.server.commands
                   if c.name == 'STARTTLS'}
    case.expect(len(connections) == len(place.server.connections),
                'a connection without STARTTLS')


@tap.test
def test_starttls_by_scheme_alone_mounts(case):
    place = Place(case, 'starttls')
    del place.options['tls']
    place.mounts()


@tap.test
def test_background_returns_zero_and_is_mounted(case):
    place = Place(case)
    mount = Mount(case, place.url(), place.options, background=True)
    result = run('cat', mount.path('INBOX/2.eml'), check=True)
    case.expect(result.out == place.server.mailboxes[0].get(2).body,
                'wrong bytes')
    for fd in ('0', '1', '2'):
        target = os.readlink(f'/proc/{mount.pid}/fd/{fd}')
        case.expect(target == '/dev/null', f'fd {fd} is {target}')
    mount.terminate()
    # Another connection may just be in the making.
    case.expect(wait_until(lambda: place.server.saw('LOGOUT*')),
                place.server.commands[-1])


@tap.test
def test_self_signed_with_its_fingerprint_mounts(case):
    pair = self_signed(case)
    place = Place(case, certificate=pair)
    del place.options['ca_file']
    print_of_it = certificates.fingerprint(pair[0])
    place.mounts({'fingerprint': print_of_it})
    colons = ':'.join(print_of_it[i:i + 2].upper() for i in range(0, 64, 2))
    place.mounts({'fingerprint': colons})


@tap.test
def test_tls_12_mounts_and_older_is_refused(case):
    place = Place(case)
    place.server.tls_context.maximum_version = ssl.TLSVersion.TLSv1_2
    place.mounts()
    place = Place(case)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        place.server.tls_context.minimum_version = ssl.TLSVersion.TLSv1
        place.server.tls_context.maximum_version = ssl.TLSVersion.TLSv1_1
    place.server.tls_context.set_ciphers('ALL:@SECLEVEL=0')
    place.refuses(['tls'])


@tap.test
def test_server_name_and_protocol_are_announced(case):
    place = Place(case)
    seen = []
    place.server.tls_context.sni_callback = (
        lambda line, name, context: seen.append(name))
    protocols = []
    place.server.hooks['LOGIN'] = place.server.hooks['AUTHENTICATE'] = (
        lambda line, command: protocols.append(
            line.socket.selected_alpn_protocol()) or False)
    place.mounts()
    case.expect(set(seen) == {'localhost'}, f'SNI: {seen}')
    case.expect(set(protocols) == {'imap'}, f'ALPN: {protocols}')


@tap.test
def test_password_command_mounts(case):
    place = Place(case)
    place.mounts({'password_command': 'echo secret'}, password=None)


@tap.test
def test_login_command_where_no_mechanism_is_offered_mounts(case):
    place = Place(case)
    place.server.capabilities = 'IMAP4rev1'
    place.mounts()
    case.expect(place.server.saw('LOGIN *'), 'no LOGIN')


@tap.test
def test_password_with_every_character_is_sent_whole(case):
    odd = 'a"b\\c {5} %$&{3+} ä€ )('
    place = Place(case, account=('alice', odd))
    place.mounts(password=odd)
    place.server.capabilities = 'IMAP4rev1'
    place.mounts(password=odd)


# What must not

@tap.test
def test_unknown_authority_is_refused(case):
    place = Place(case)
    other = certificates.Authority(case.path('other-ca'), 'another authority')
    place.refuses(['certificate'], {'ca_file': other.certificate})


@tap.test
def test_self_signed_is_refused(case):
    place = Place(case, certificate=self_signed(case))
    place.refuses(['certificate', ('self-signed', 'self signed')])


@tap.test
def test_wrong_host_name_is_refused(case):
    place = Place(case, hosts=['mail.example.org'])
    place.refuses(['certificate', ('host', 'name'), 'localhost'])


@tap.test
def test_wrong_address_is_refused(case):
    place = Place(case, hosts=['localhost'])
    place.refuses(['certificate', '127.0.0.1'], url=place.url('127.0.0.1'))


@tap.test
def test_expired_certificate_is_refused(case):
    place = Place(case)
    place.server.tls_context.load_cert_chain(*place.authority.issue(
        'old', HOSTS, start='20200101000000Z', end='20200201000000Z'))
    place.refuses(['certificate', 'expired'])


@tap.test
def test_certificate_of_the_future_is_refused(case):
    place = Place(case)
    place.server.tls_context.load_cert_chain(*place.authority.issue(
        'young', HOSTS, start='20450101000000Z', end='20460201000000Z'))
    place.refuses(['certificate', ('not yet valid', 'not valid before')])


@tap.test
def test_wrong_fingerprint_is_refused(case):
    place = Place(case)
    del place.options['ca_file']
    place.refuses(['fingerprint'], {'fingerprint': '00' * 32})
    asked = len(place.server.connections)
    place.refuses([('fingerprint',)], {'fingerprint': 'nonsense'})
    case.expect(len(place.server.connections) == asked, 'it asked the server')


@tap.test
def test_missing_ca_file_is_refused(case):
    Place(case).refuses(['/nowhere/ca.pem'], {'ca_file': '/nowhere/ca.pem'})


@tap.test
def test_certificate_problem_over_starttls_is_refused(case):
    place = Place(case, 'starttls', hosts=['mail.example.org'])
    place.refuses(['certificate', 'localhost'])


@tap.test
def test_server_down_is_refused(case):
    place = Place(case)
    place.server.stop()
    place.refuses([('refused', 'connect'), 'localhost'])


@tap.test
def test_unknown_host_is_refused(case):
    place = Place(case)
    # Where there is no name server at all, that is what it says.
    failure = mount_fails(case, place.url('no-such-host.invalid'),
                          place.options)
    says(case, failure, 'no-such-host.invalid')


@tap.test
def test_server_without_tls_is_refused(case):
    place = Place(case, 'off')
    place.refuses(['tls'], {'tls': 'implicit'},
                  url=place.url().replace('imap:', 'imaps:'))


@tap.test
def test_silent_server_is_refused_in_time(case):
    with socket.create_server(('127.0.0.1', 0)) as listener:
        port = listener.getsockname()[1]
        for tls in ('implicit', 'starttls', 'off'):
            scheme = 'imaps' if tls == 'implicit' else 'imap'
            failure = mount_fails(
                case, f'{scheme}://alice@localhost:{port}/',
                {'tls': tls, 'timeout': TIMEOUT})
            case.expect(TIMEOUT - 1 <= failure.seconds
                        <= TIMEOUT + SLACK, failure)


# STARTTLS and those who attack it

@tap.test
def test_starttls_stripped_is_refused(case):
    """The line between takes STARTTLS out of the capabilities."""
    place = Place(case, 'off')
    place.refuses(['STARTTLS'], {'tls': 'starttls'})


@tap.test
def test_starttls_stripped_from_greeting_is_refused(case):
    place = Place(case, 'off')
    place.server.greeting = (b'* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello\r\n')
    place.refuses(['STARTTLS'], {'tls': 'starttls'})


@tap.test
def test_starttls_answered_no_is_refused(case):
    for answer in ('NO', 'BAD'):
        place = Place(case, 'starttls')
        place.server.hooks['STARTTLS'] = lambda line, command: line.line(
            f'{command.tag} {answer} TLS is out of order')
        place.refuses(['STARTTLS'])


@tap.test
def test_bytes_after_starttls_ok_are_refused(case):
    """In the same segment as the OK: they would count as said inside TLS."""
    for extra in (b'* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n',
                  b'* OK [ALERT] your password is 1234\r\n',
                  b'X', b'\r\n', b'* PREAUTH hello\r\n'):
        place = Place(case, 'starttls')

        def inject(line, command):
            line.send(f'{command.tag} OK begin TLS\r\n'.encode() + extra)
            line.handshake()

        place.server.hooks['STARTTLS'] = inject
        place.refuses([('STARTTLS', 'injected')])
        case.expect(not place.server.saw('LOGIN*')
                    and not place.server.saw('AUTHENTICATE*'),
                    f'it logged in after {extra}')


@tap.test
def test_capabilities_before_starttls_are_forgotten(case):
    place = Place(case, 'starttls')
    place.server.capabilities = 'IMAP4rev1'
    place.server.greeting = (b'* OK [CAPABILITY IMAP4rev1 STARTTLS SASL-IR '
                             b'AUTH=PLAIN LITERAL+] hello\r\n')
    place.mounts()
    case.expect(not place.server.saw('AUTHENTICATE*'),
                'it used a mechanism that was offered in clear only')


@tap.test
def test_preauth_in_clear_is_refused(case):
    place = Place(case, 'starttls')
    place.server.greeting = b'* PREAUTH welcome, no TLS needed\r\n'
    place.refuses([('PREAUTH', 'already logged in', 'pre-authenticated')])
    case.expect(not place.server.saw('LIST*'), 'it went on in clear')


@tap.test
def test_early_ok_to_starttls_is_refused(case):
    """A tagged OK in the greeting's segment, before STARTTLS was sent."""
    place = Place(case, 'starttls')

    def greeting(line):
        line.send(b'* OK [CAPABILITY IMAP4rev1 STARTTLS] hello\r\n' + b''.join(
            b'%s%0*d OK go\r\n' % (prefix, width, number)
            for prefix in (b'a', b'A') for width in (1, 3, 4)
            for number in range(1, 4)))

    place.server.hooks['greeting'] = greeting
    place.refuses([])


# Logging in

@tap.test
def test_wrong_password_is_refused(case):
    place = Place(case)
    place.refuses(['wrong user or password'], password='mistaken')
    case.expect(len(place.server.saw('AUTHENTICATE*') +
                    place.server.saw('LOGIN *')) == 1, 'it tried again')


@tap.test
def test_wrong_password_on_dovecot_is_refused(case):
    from dovecot import start_sample
    server = start_sample(case, messages=10)
    started = time.monotonic()
    failure = mount_fails(case, server.url, {'ca_file': server.ca_file,
                                             'timeout': 10}, password='wrong')
    case.note(f'after {time.monotonic() - started:.1f} s')
    says(case, failure, ('authentication failed', 'authenticationfailed'))


@tap.test
def test_login_disabled_is_refused(case):
    place = Place(case)
    place.server.capabilities = 'IMAP4rev1 LOGINDISABLED'
    place.refuses([('LOGINDISABLED', 'disabled', 'no way of logging in')])
    case.expect(not place.server.saw('LOGIN*'), 'it tried LOGIN')


@tap.test
def test_mechanism_that_is_not_offered_is_refused(case):
    place = Place(case)
    place.refuses(['SCRAM-SHA-256', 'PLAIN'], {'auth': 'SCRAM-SHA-256'})


@tap.test
def test_scram_server_that_proves_nothing_is_refused(case):
    """It says OK without having shown that it knows the password."""
    place = Place(case)
    place.server.capabilities = 'IMAP4rev1 SASL-IR AUTH=SCRAM-SHA-256'
    place.server.hooks['AUTHENTICATE'] = lambda line, command: line.line(
        f'{command.tag} OK of course')
    place.refuses([])


@tap.test
def test_password_in_clear_to_other_hosts_is_refused(case):
    """On loopback tls=off is enough; elsewhere the password stays here."""
    address = own_address()
    if address is None:
        raise tap.Skip('this machine has no address but loopback')
    with socket.create_server((address, 0)) as listener:
        port = listener.getsockname()[1]
        def serve():
            line, _ = listener.accept()
            with line:
                line.sendall(b'* OK hello\r\n')
                while command := line.recv(1000):
                    heard.append(command)
                    line.sendall(b'* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR'
                                 b'\r\n%s OK done\r\n' % command.split()[0])

        heard = []
        threading.Thread(target=serve, daemon=True).start()
        failure = mount_fails(case, f'imap://alice@{address}:{port}/',
                              {'tls': 'off', 'timeout': TIMEOUT})
        case.expect(b'LOGIN' not in b''.join(heard)
                    and b'PLAIN' not in b''.join(heard), heard)
        says(case, failure, ('clear', 'encrypt'))


def own_address():
    for line in run('hostname', '-I').out.decode().split():
        if '.' in line:
            return line
    return None


@tap.test
def test_password_in_url_is_refused_unread(case):
    place = Place(case)
    url = place.url().replace('alice@', 'alice:secret@')
    place.refuses(['password', ('password_file', 'password_command')], url=url)
    case.expect(not place.server.connections, 'it connected')


@tap.test
def test_password_file_that_others_read_is_refused(case):
    place = Place(case)
    path = case.path('open-password')
    with open(path, 'w') as file:
        file.write('secret\n')
    for mode in (0o644, 0o640, 0o604):
        os.chmod(path, mode)
        place.refuses([path, ('0600', '600')], {'password_file': path})
    os.chmod(path, 0o400)
    place.mounts({'password_file': path})
    place.refuses(['/nowhere'], {'password_file': '/nowhere'})


@tap.test
def test_password_command_that_fails_is_refused(case):
    place = Place(case)
    place.refuses(['password_command', '3'],
                  {'password_command': 'exit 3'}, password=None)


@tap.test
def test_no_password_and_no_terminal_is_refused(case):
    Place(case).refuses([('password',)], password=None)


@tap.test
def test_secret_is_in_no_log_and_no_listing(case):
    """Neither in --trace, nor on the command line, nor in the environment."""
    place = Place(case)
    mount = Mount(case, place.url(), place.options, arguments=['--trace'])
    run('ls', mount.path('INBOX'), check=True)
    for name in ('cmdline', 'environ'):
        with open(f'/proc/{mount.pid}/{name}', 'rb') as file:
            case.expect(b'secret' not in file.read(), f'in {name}')
    mount.unmount()
    said = mount.messages()
    for hidden in (b'secret', b'\0alice\0secret'):
        case.expect(hidden.decode() not in said and
                    base64.b64encode(hidden).decode() not in said,
                    'the trace shows the password')
    case.expect('UID FETCH' in said, 'no trace:', said[:2000])


# The mount point

@tap.test
def test_bad_mount_points_are_refused(case):
    place = Place(case)
    with open(case.path('file'), 'w'):
        pass
    for path in (case.path('missing'), case.path('file')):
        result = run(BINARY, '-o', f'ca_file={place.options["ca_file"]},'
                     'password_command=echo secret', place.url(), path)
        case.expect(result.status != 0 and path in result.err
                    and result.err.startswith('imapfs: ')
                    and result.err.count('\n') == 1, result)
        case.expect(not is_mounted(path), 'mounted')


@tap.test
def test_usage_errors_are_one_sentence(case):
    for arguments, words in (
            ([], ['url']),
            (['imaps://alice@localhost/'], ['mount']),
            (['http://localhost/', case.directory],
             ['imaps://']),
            (['-o', 'names=nonsense', 'imaps://a@localhost/', case.directory],
             ['names', 'nonsense']),
            (['-o', 'timeout=-1', 'imaps://a@localhost/', case.directory],
             ['timeout']),
            (['-o', 'nosuchoption=1', 'imaps://a@localhost/', case.directory],
             ['nosuchoption']),
            (['--nonsense', 'imaps://a@localhost/', case.directory],
             ['nonsense'])):
        result = run(BINARY, *arguments)
        case.expect(result.status not in (0, 126, 127)
                    and 0 < result.status < 128, result)
        case.expect(result.err.startswith('imapfs: ')
                    and all(word in result.err.lower() for word in words), result)
    result = run(BINARY, '--version', check=True)
    case.expect(result.out.startswith(b'imapfs '), result.out)
    result = run(BINARY, '--help', check=True)
    for option in (b'names=', b'password_file=', b'fingerprint=', b'timeout='):
        case.expect(option in result.out, f'--help lacks {option}')


if __name__ == '__main__':
    tap.main(jobs=6)
