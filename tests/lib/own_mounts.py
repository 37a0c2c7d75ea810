#!/usr/bin/env python3
"""A mount namespace of a test's own. The FUSE mounts of other tests do not stay
in it: such a copy would hold them after they were unmounted, and their daemons
with them.

As a program: runs the command that its arguments are in such a namespace.
"""

import codecs
import ctypes
import os
import sys

CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 0x4000, 0x40000
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name, *arguments):
    if getattr(_libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f'{name}: {os.strerror(number)}')


def _fuse_mounts():
    with open('/proc/self/mounts', 'rb') as mounts:
        for line in mounts:
            _, place, kind = line.split()[:3]
            if kind.startswith(b'fuse.'):
                yield codecs.escape_decode(place)[0]


def enter():
    """Takes the calling process there. Raises OSError."""
    _call('unshare', CLONE_NEWNS)
    _call('mount', b'none', b'/', None, MS_REC | MS_PRIVATE, None)
    for place in list(_fuse_mounts()):
        # Unlike umount(8), it does not look at what may not answer.
        _libc.umount2(place, MNT_DETACH | UMOUNT_NOFOLLOW)


def prefix():
    """What runs the rest of its line there."""
    return [sys.executable, os.path.abspath(__file__)]


if __name__ == '__main__':
    enter()
    os.execvp(sys.argv[1], sys.argv[1:])
