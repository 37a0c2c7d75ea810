"""Courier's real imapd without installing it.

Its packages conflict with Dovecot's, so they are unpacked into a folder, and
the login, which needs daemons at fixed paths, is done by the scripted server:
after a correct one it hands the line to an imapd process of its own, as
Courier's imaplogin does.
"""

import os
import select
import subprocess

import mailstore
from debian import library_path
from imapserver import Closed, Server

PACKAGES = ['courier-imap', 'courier-base', 'courier-authlib',
            'libcourier-unicode4', 'libgamin0', 'libidn12', 'libpcre3']
CAPABILITIES = ('IMAP4rev1 UIDPLUS CHILDREN NAMESPACE '
                'THREAD=ORDEREDSUBJECT THREAD=REFERENCES SORT QUOTA')


class Courier:
    """Mail in a Maildir++ below directory, served on server.port."""

    def __init__(self, case, root, directory, **server):
        self.home = directory
        self.maildir = os.path.join(directory, 'Maildir')
        self.program = os.path.join(root, 'usr/bin/imapd')
        self.libraries = library_path(root)
        self.make_folder(None)
        self.server = Server([], capabilities=CAPABILITIES + ' AUTH=PLAIN',
                             **server)
        for name in ('LOGIN', 'AUTHENTICATE'):
            self.server.hooks[name] = self._log_in
        self.server.start()
        case.defer(self.server.stop)

    def make_folder(self, name):
        """name is as Courier has it: "Sub.Folder"; None for INBOX."""
        path = self.path(name)
        for part in ('cur', 'new', 'tmp'):
            os.makedirs(os.path.join(path, part))
        if name:
            with open(os.path.join(path, 'maildirfolder'), 'w'):
                pass

    def path(self, name):
        return self.maildir if not name else f'{self.maildir}/.{name}'

    def add(self, name, number, body, flags=''):
        """Stores a message, lines ended by LF as Courier keeps them."""
        file = (f'{self.path(name)}/cur/{1700000000 + number}.M{number}P1'
                f'.host,S={len(body)}:2,{flags}')
        with open(file, 'wb') as out:
            out.write(body.replace(b'\r\n', b'\n'))
        os.utime(file, (1700000000 + number,) * 2)
        return file

    def _log_in(self, line, command):
        reply = line.default(command)
        if not line.authenticated:
            line.send(reply)
            return
        process = subprocess.Popen(
            [self.program, 'Maildir'], cwd=self.home,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, bufsize=0,
            env={'AUTHENTICATED': 'alice', 'IMAPLOGINTAG': command.tag,
                 'HOME': self.home, 'TCPREMOTEIP': '127.0.0.1',
                 'TCPREMOTEPORT': '1', 'PROTOCOL': 'IMAP',
                 'IMAP_CAPABILITY': CAPABILITIES, 'IMAP_USELOCKS': '0',
                 'PATH': os.environ.get('PATH', ''),
                 'LD_LIBRARY_PATH': self.libraries})
        try:
            self._relay(line, process)
        finally:
            process.stdin.close()
            process.stdout.close()
            process.terminate()
            process.wait()

    @staticmethod
    def _relay(line, process):
        """Until either side ends."""
        while True:
            if line.buffer:
                process.stdin.write(line.buffer)
                line.buffer = b''
            ready, _, _ = select.select([line.socket, process.stdout], [], [])
            if process.stdout in ready:
                data = os.read(process.stdout.fileno(), 65536)
                if not data:
                    raise Closed
                line.send(data)
            if line.socket in ready:
                line._receive()


def sample_messages(count):
    """Ordinary messages, and some whose like breaks other programs."""
    bodies = [mailstore.make_message(number, 900 + 400 * number)
              for number in range(1, count + 1)]
    bodies[1] = (b'Subject: =?iso-8859-1?Q?Gr=FC=DFe?=\r\n'
                 b'From: "quote\\" (odd" <a@example.org>\r\n\r\nkurz\r\n')
    bodies[2] = b'Subject:\r\n\r\n'
    bodies[3] = b'From: x@example.org\r\n\r\n' + b'long line ' * 20000 + b'\r\n'
    # As long as what Courier makes up for a message that is gone.
    bodies[4] = (b'Subject: short\r\n\r\n').ljust(127, b'x') + b'\r\n'
    return bodies
