"""Ports that are a test's own until it ends.

A server that is ended and started again, or a port where nobody is to listen,
would else be found taken: other tests run beside, and the kernel gives whoever
asks for any port the same ones, to those who connect, too. These lie below
those that the kernel gives."""

import random
import socket

FIRST, LAST = 20000, 31999

# Its names are taken back by the kernel when the process ends, however it does.
_held = []


def reserve():
    """A port of 127.0.0.1 that no other test is given meanwhile."""
    for port in random.sample(range(FIRST, LAST + 1), 2000):
        claim = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            claim.bind(f'\0imapfs-test-port-{port}')
            # By somebody who knows nothing of this.
            socket.create_server(('127.0.0.1', port)).close()
        except OSError:
            claim.close()
            continue
        _held.append(claim)
        return port
    raise RuntimeError('there is no free port')
