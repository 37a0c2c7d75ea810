#!/usr/bin/env python3
"""COMPRESS=DEFLATE with a real Dovecot: the same octets, fewer on the line."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from dovecot import (copied_digests, mounted_path, password, start_sample,
                     stored_digests)
from mount import Mount
from proxy import Proxy

PLUGIN = 'mail_plugins = $mail_plugins imap_zlib'


def start(case, compress, plugin=True, rate_mbit=None, **named):
    """rate_mbit: through a line of that capacity."""
    server = start_sample(case, messages=400,
                          extra='protocol imap {\n  %s\n}' % PLUGIN
                          if plugin else '')
    url = server.url
    if rate_mbit is not None:
        proxy = Proxy(server.tls_port, case, rate_mbit=rate_mbit)
        url = f'imaps://{server.user}@localhost:{proxy.port}/'
    mount = Mount(case, url, {
        'ca_file': server.ca_file, 'compress': compress, 'timeout': 20,
        'connections': 1, **named}, password=password(server),
        arguments=['--trace'])
    return server, mount


def copies(case, server, mount):
    """Copies a large folder, which must be what the server has."""
    folder = 'INBOX'
    target = case.path('copy')
    run('cp', '-r', mount.path(mounted_path(folder)), target, check=True)
    case.expect(copied_digests(target) == stored_digests(server, folder),
                'wrong bytes')


def asks(mount):
    return mount.messages().count('COMPRESS DEFLATE')


@tap.test
def compress_on_every_octet_is_right(case):
    server, mount = start(case, 'on')
    copies(case, server, mount)
    case.expect(asks(mount) == 1, 'COMPRESS was asked for',
                asks(mount), 'times')
    case.expect('COMPRESS=DEFLATE' in mount.messages(), 'not announced')
    mount.unmount()


@tap.test
def compress_off_is_never_asked_for(case):
    server, mount = start(case, 'off')
    copies(case, server, mount)
    case.expect(asks(mount) == 0, 'COMPRESS was asked for')
    mount.unmount()


@tap.test
def compress_on_without_the_extension_goes_on_in_clear(case):
    server, mount = start(case, 'on', plugin=False)
    copies(case, server, mount)
    case.expect(asks(mount) == 0, 'COMPRESS was asked for')
    mount.unmount()


@tap.test
def compress_auto_on_slow_line_is_asked_for(case):
    # Slower than what a sanitized program reads, or one that has a small part of
    # the machine, or it is not the line's fault.
    server, mount = start(case, 'auto', rate_mbit=5)
    copies(case, server, mount)
    case.expect(asks(mount) == 1, 'COMPRESS was asked for', asks(mount),
                'times')
    mount.unmount()


if __name__ == '__main__':
    tap.main()
