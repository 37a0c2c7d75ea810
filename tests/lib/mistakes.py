"""A place where everything is right, so that one thing at a time can be made
wrong: a server with its authority, a password, a home with a configuration
file, a mount point. And what imapfs says of it: one sentence."""

import os
import re
import time

import certificates
from command import run
from imapserver import Server
from mount import BINARY, is_mounted
from tap import PATIENCE

HOSTS = ['localhost', '127.0.0.1']


class Scene:
    def __init__(self, case, tls='implicit', hosts=HOSTS,
                 account=('alice', 'secret'), port=0):
        self.case = case
        self.home = case.path('home')
        self.mountpoint = case.path('mnt')
        self.conf = self.home + '/.config/imapfs/imapfs.conf'
        os.makedirs(os.path.dirname(self.conf))
        os.makedirs(self.mountpoint)
        self.authority = certificates.Authority(case.path('ca'))
        self.certificate = self.authority.issue('server', hosts)
        self.server = Server(tls=tls, account=account,
                             certificate=self.certificate).start(port)
        case.defer(self.server.stop)
        self.password_file = self.write('password', 'secret\n', 0o600)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.home, name)
        with open(path, 'w') as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def configure(self, *lines, mode=0o600):
        self.write(self.conf, '\n'.join(lines) + '\n', mode)

    def url(self, host='localhost', scheme=None, port=None):
        url = self.server.url(host)
        if scheme:
            url = scheme + url[url.index(':'):]
        if port:
            url = re.sub(r':\d+/', f':{port}/', url)
        return url

    def words(self, options=None, url=None, mountpoint=None, password=True):
        """A command line that works, unless options say otherwise."""
        chosen = {'ca_file': self.authority.certificate,
                  'timeout': 20 * PATIENCE}
        if password:
            chosen['password_file'] = self.password_file
        chosen.update(options or {})
        text = ','.join(key if value is True else f'{key}={value}'
                        for key, value in chosen.items() if value is not None)
        return ['-o', text, url or self.url(), mountpoint or self.mountpoint]

    def environment(self):
        return {'HOME': self.home, 'XDG_CONFIG_HOME': self.home + '/.config',
                'XDG_CACHE_HOME': self.home + '/.cache',
                'XDG_STATE_HOME': self.home + '/.state',
                'CREDENTIALS_DIRECTORY': ''}

    def run(self, words, prefix=(), environment=None):
        """In the foreground, so that a mount that is made ends with us."""
        result = run(*prefix, BINARY, '-f', *words, limit=50 * PATIENCE,
                     env={**self.environment(), **(environment or {})})
        self.case.expect(not is_mounted(self.mountpoint), 'it left a mount')
        return result

    def says(self, expected, words, status=1, **named):
        """The sentence on standard error; "…" stands for anything in it."""
        began = time.monotonic()
        result = self.run(words, **named)
        values = {'home': self.home, 'conf': self.conf,
                  'mnt': self.mountpoint, 'port': self.server.port,
                  'url': self.url()}
        expected = 'imapfs: ' + expected.format(**values)
        pattern = '.*'.join(re.escape(part) for part in expected.split('…'))
        said = result.err.removesuffix('\n')
        self.case.note(said)
        self.case.expect(re.fullmatch(pattern, said) is not None,
                         f'expected: {expected}\n     got: {said}')
        self.case.expect(result.status == status, f'status {result.status}')
        self.case.expect('secret' not in said.replace('your secret', '')
                         .replace('the secret', ''), 'shows a secret')
        self.case.expect(not result.out, result.out)
        return time.monotonic() - began
