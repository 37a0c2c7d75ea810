"""Two network namespaces of a test's own, with a router between them that is a
third: a line that can be cut anywhere, or made to swallow everything, without
either end being told. Nothing in them reaches the outside, and they end with
the processes in them."""

import os
import shutil
import subprocess

from command import run
from tap import Skip

CLIENT, SERVER = '10.99.1.2', '10.99.2.2'
CLIENT_GATE, SERVER_GATE = '10.99.1.1', '10.99.2.1'
LINK = 'uplink'  # of either end


class Space:
    """A namespace, held by a process that does nothing."""

    def __init__(self, case):
        self.process = subprocess.Popen(
            ['unshare', '--net', 'sh', '-c', 'echo ready; exec sleep 3600'],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        case.defer(self.process.wait)
        case.defer(self.process.kill)
        case.defer(self.process.stdout.close)
        if self.process.stdout.readline() != b'ready\n':
            raise Skip('no network namespace can be made here')
        self.ip('link', 'set', 'lo', 'up')

    def words(self, *arguments):
        """A command line that runs in it."""
        return ['nsenter', '--net', '--target', str(self.process.pid), '--',
                *arguments]

    def run(self, *arguments, **named):
        return run(*self.words(*arguments), **named)

    def ip(self, *arguments):
        self.run('ip', *arguments, check=True)

    def enter(self):
        """Takes the calling thread, and what it starts, into it."""
        import ctypes
        with open(f'/proc/{self.process.pid}/ns/net') as space:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(space.fileno(), 0x40000000) != 0:
                raise OSError(ctypes.get_errno(), 'setns')


class Network:
    def __init__(self, case):
        if os.geteuid() != 0:
            raise Skip('network namespaces need root')
        for program in ('ip', 'unshare', 'nsenter'):
            if shutil.which(program) is None:
                raise Skip(f'there is no {program}')
        self.client, self.router, self.server = (Space(case) for _ in range(3))
        tried = self.router.run('ip', 'link', 'add', 'trial0', 'type',
                                'veth', 'peer', 'name', 'trial1')
        if not tried.ok:
            raise Skip(f'no pair of links can be made here: {tried}')
        self._connect(self.client, CLIENT, CLIENT_GATE, 'left')
        self._connect(self.server, SERVER, SERVER_GATE, 'right')
        self.router.run('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward',
                        check=True)

    def _connect(self, space, address, gate, router_name):
        self.router.ip('link', 'add', router_name, 'type', 'veth', 'peer',
                       'name', LINK, 'netns', str(space.process.pid))
        self.router.ip('addr', 'add', gate + '/24', 'dev', router_name)
        self.router.ip('link', 'set', router_name, 'up')
        space.ip('addr', 'add', address + '/24', 'dev', LINK)
        space.ip('link', 'set', LINK, 'up')
        space.ip('route', 'add', 'default', 'via', gate)

    # The router swallows what goes to the server; nobody is told.

    def swallow(self):
        self.router.ip('route', 'add', 'blackhole', SERVER + '/32')
        self.router.ip('route', 'add', 'blackhole', CLIENT + '/32')

    def pass_again(self):
        self.router.ip('route', 'del', 'blackhole', SERVER + '/32')
        self.router.ip('route', 'del', 'blackhole', CLIENT + '/32')

    # The server's link goes down; the client's stays up.

    def take_down(self):
        self.router.ip('link', 'set', 'right', 'down')

    def bring_up(self):
        self.router.ip('link', 'set', 'right', 'up')

    # The client's own: the kernel tells of it.

    def unplug(self):
        self.client.ip('link', 'set', LINK, 'down')

    def plug_in(self):
        self.client.ip('link', 'set', LINK, 'up')
        self.client.ip('route', 'replace', 'default', 'via', CLIENT_GATE)

    def established(self, port):
        """The client's connections to a port of the server."""
        out = self.client.run('cat', '/proc/net/tcp', check=True).out.decode()
        lines = [line.split() for line in out.splitlines()[1:]]
        return [fields for fields in lines
                if int(fields[2].split(':')[1], 16) == port
                and fields[3] == '01']
