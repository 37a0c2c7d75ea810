"""Mounts of a test's own: what it mounts, nobody else sees, and it ends with
the test's process and those that it has started."""

import os

import own_mounts
from command import run
from tap import Skip


def enter_own_namespace(case):
    """/dev/fuse for all users, and fusectl, as a usual system has them."""
    if os.geteuid() != 0:
        raise Skip('only root can be another user, too')
    try:
        own_mounts.enter()
    except OSError as reason:
        raise Skip(f'no mount namespace of its own: {reason}') from None
    device = case.path('fuse')
    os.mknod(device, 0o020666, os.stat('/dev/fuse').st_rdev)
    os.chmod(device, 0o666)
    run('mount', '--bind', device, '/dev/fuse', check=True)
    if not os.listdir('/sys/fs/fuse/connections'):
        run('mount', '-t', 'fusectl', 'none', '/sys/fs/fuse/connections',
            check=True)


def show_as(case, path, name):
    """From here on, path is what is found at name, a file of the machine's,
    which is empty there if it does not exist."""
    folder, file = os.path.split(name)
    if not os.path.exists(name):
        run('mount', '-t', 'tmpfs', 'none', folder, check=True)
        with open(os.open(name, os.O_WRONLY | os.O_CREAT, 0o755), 'w'):
            pass
    run('mount', '--bind', path, name, check=True)
