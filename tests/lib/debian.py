"""Debian packages that are used without being installed."""

import os
import re

from command import run
from tap import Skip


def with_missing(packages):
    """The packages, and what they depend on that is not installed here."""
    result = run('apt-get', '-s', '-qq', '-y', '--no-install-recommends',
                 'install', *packages, limit=120)
    found = re.findall(r'^Inst (\S+)', result.out.decode(), re.M)
    return sorted({*packages, *found})


def unpack(directory, packages):
    """Downloads Debian packages and unpacks them; returns where."""
    packages = with_missing(packages)
    deb, root = directory + '/deb', directory + '/root'
    os.makedirs(deb)
    os.makedirs(root)
    download = ('apt-get', '-qq', 'download', *packages)
    result = run(*download, cwd=deb, limit=120)
    if not result.ok:
        # A machine may have no lists of packages, or old ones.
        run(*([] if os.geteuid() == 0 else ['sudo', '-n']),
            'apt-get', '-qq', 'update', limit=120)
        result = run(*download, cwd=deb, limit=120)
    if not result.ok:
        raise Skip('apt-get download failed: ' + result.err.strip()[-200:])
    for name in sorted(os.listdir(deb)):
        run('dpkg', '-x', os.path.join(deb, name), root, check=True)
    return root


def library_path(root):
    folders = {where for where, _, names in os.walk(root)
               if any('.so' in name for name in names)}
    return ':'.join(sorted(folders))
