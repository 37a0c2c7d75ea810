"""A private Cyrus, from packages that are not installed: they conflict with
Dovecot's. Every process runs as one ordinary user, as in the sample server."""

import grp
import imaplib
import os
import pwd
import subprocess

import ports
from command import run, wait_until
from debian import library_path
from tap import PATIENCE

PACKAGES = ['cyrus-imapd', 'cyrus-common', 'libxapian30', 'libical3',
            'libzephyr4', 'libpq5', 'libwrap0', 'libjansson4', 'libicu72',
            'libsasl2-modules', 'libsasl2-modules-db', 'sasl2-bin']

CONFIGURATION = '''\
configdirectory: {home}/conf
proc_path: {home}/proc
mboxname_lockpath: {home}/lock
defaultpartition: default
partition-default: {home}/spool
sievedir: {home}/sieve
cyrus_user: {user}
cyrus_group: {group}
servername: localhost
admins: admin
allowplaintext: yes
altnamespace: yes
unixhierarchysep: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {home}/sasldb2
sasl_mech_list: PLAIN
'''

SERVICES = '''\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{programs}/imapd -C {home}/imapd.conf" listen="127.0.0.1:{port}" \
proto="tcp4" prefork=1
}}
EVENTS {{
}}
'''


class Cyrus:
    """On 127.0.0.1:port, in clear. The account is alice, secret."""

    def __init__(self, case, root, directory):
        self.home = directory
        self.programs = os.path.join(root, 'usr/lib/cyrus/bin')
        self.environment = dict(os.environ,
                                LD_LIBRARY_PATH=library_path(root))
        account = pwd.getpwnam('mail') if os.geteuid() == 0 \
            else pwd.getpwuid(os.geteuid())
        self.port = ports.reserve()
        self._configure(account)
        for user in ('alice', 'admin'):
            # The password is read from the standard input.
            subprocess.run(
                [os.path.join(root, 'usr/sbin/saslpasswd2'), '-p', '-c', '-f',
                 directory + '/sasldb2', '-u', 'localhost', user],
                input=b'secret\n', env=self.environment, check=True)
        if os.geteuid() == 0:
            run('chown', '-R', f'{account.pw_uid}:{account.pw_gid}', directory,
                check=True)
        self._start(case)

    def _configure(self, account):
        for name in ('conf', 'spool', 'proc', 'lock', 'sieve'):
            os.makedirs(os.path.join(self.home, name))
        values = {'home': self.home, 'programs': self.programs,
                  'port': self.port, 'user': account.pw_name,
                  'group': grp.getgrgid(account.pw_gid).gr_name}
        for name, text in (('imapd.conf', CONFIGURATION),
                           ('cyrus.conf', SERVICES)):
            with open(os.path.join(self.home, name), 'w') as file:
                file.write(text.format(**values))

    def _start(self, case):
        self.process = subprocess.Popen(
            [self.programs + '/master', '-C', self.home + '/imapd.conf',
             '-M', self.home + '/cyrus.conf', '-p', self.home + '/pid'],
            env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        case.defer(self.process.wait, 20)
        case.defer(self.process.terminate)

        def answers():
            try:
                return self.client('admin')
            except (OSError, imaplib.IMAP4.error):
                return None

        admin = wait_until(answers, 60 * PATIENCE, 0.1)
        assert admin, 'Cyrus does not answer'
        assert admin.create('user/alice')[0] == 'OK'
        admin.logout()

    def client(self, user='alice'):
        client = imaplib.IMAP4('127.0.0.1', self.port, timeout=20)
        client.login(user, 'secret')
        return client

    @property
    def url(self):
        return f'imap://alice@127.0.0.1:{self.port}/'
