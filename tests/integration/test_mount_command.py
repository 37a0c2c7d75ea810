#!/usr/bin/env python3
"""mount(8), umount(8) and lines of /etc/fstab, as they are: as root and as an
ordinary user, who may mount what the line lets him.

mount(8) looks for imapfs where programs are installed, whatever PATH says; so
it is shown there, to this test alone."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import mount as mounting
import tap
from command import run, wait_until
from namespace import enter_own_namespace, show_as
from scene import Scene

NOBODY = 65534
AS_NOBODY = ('setpriv', f'--reuid={NOBODY}', f'--regid={NOBODY}',
             '--clear-groups')
# All that mount(8) leaves in, or takes out and acts upon.
GENERIC = ('defaults,noauto,nofail,_netdev,x-systemd.automount,'
           'x-systemd.idle-timeout=60,x-gvfs-hide,relatime,nosuid,nodev')


class Place:
    """A server, and where to mount it; owned by user."""

    def __init__(self, case, user=0):
        enter_own_namespace(case)
        show_as(case, os.path.realpath(mounting.BINARY),
                '/usr/local/bin/imapfs')
        self.case = case
        self.scene = Scene(case, timeout=10, names='uid')
        os.chmod(case.directory, 0o755)
        self.mountpoint = case.path('mnt')
        self.password = case.path('password')
        with open(os.open(self.password, os.O_WRONLY | os.O_CREAT, 0o600),
                  'w') as file:
            file.write('secret\n')
        os.mkdir(self.mountpoint)
        for path in (self.mountpoint, self.password):
            os.chown(path, user, user)
        self.options = (f'tls=off,names=uid,password_file={self.password},'
                        'cache_dir=none,state_dir=none')
        case.defer(self.end)

    def end(self):
        run('umount', '-l', self.mountpoint)
        wait_until(lambda: not mounting.daemon_pids(self.mountpoint),
                   10 * tap.PATIENCE)

    def write_fstab(self, more):
        fstab = self.case.path('fstab')
        with open(fstab, 'w') as file:
            file.write(f'{self.scene.server.url()} {self.mountpoint} '
                       f'fuse.imapfs {more},{self.options} 0 0\n')
        show_as(self.case, fstab, '/etc/fstab')

    def is_there(self, *prefix):
        listed = run(*prefix, 'ls', self.mountpoint + '/INBOX')
        self.case.expect(len(listed.out.split()) == 5, listed)
        found = run('findmnt', '-no', 'FSTYPE,OPTIONS', self.mountpoint)
        self.case.expect(found.out.decode().startswith('fuse.imapfs '),
                         found.out)
        return found.out.decode()

    def is_gone(self):
        self.case.expect(wait_until(
            lambda: not mounting.is_mounted(self.mountpoint)), 'mounted')
        self.case.expect(wait_until(
            lambda: not mounting.daemon_pids(self.mountpoint),
            20 * tap.PATIENCE), 'the daemon has not ended')


def do(case, *words):
    result = run(*words, limit=60 * tap.PATIENCE)
    case.expect(result.clean, result)


@tap.test
def test_mount_takes_what_mount_has(case):
    place = Place(case)
    do(case, 'mount', '-t', 'fuse.imapfs', '-o', f'{GENERIC},{place.options}',
       place.scene.server.url(), place.mountpoint)
    options = place.is_there()
    case.expect('nosuid' in options and 'nodev' in options and
                'rw' in options, options)
    do(case, 'umount', place.mountpoint)
    place.is_gone()


@tap.test
def test_mount_read_only_is_read_only(case):
    place = Place(case)
    do(case, 'mount', '-r', '-t', 'fuse.imapfs', '-o', place.options,
       place.scene.server.url(), place.mountpoint)
    case.expect(' ro,' in place.is_there(), 'writable')
    made = run('mkdir', place.mountpoint + '/New')
    case.expect('Read-only file system' in made.err, made)
    do(case, 'umount', place.mountpoint)


@tap.test
def test_line_of_fstab_mounts(case):
    place = Place(case)
    place.write_fstab(GENERIC)
    do(case, 'mount', place.mountpoint)
    place.is_there()
    do(case, 'umount', place.mountpoint)
    place.is_gone()


@tap.test
def test_noauto_is_left_alone_and_auto_is_mounted(case):
    """As at the start of the machine: mount -a."""
    place = Place(case)
    place.write_fstab('noauto,_netdev')
    do(case, 'mount', '-a', '-t', 'fuse.imapfs')
    case.expect(not mounting.is_mounted(place.mountpoint), 'noauto is mounted')
    run('umount', '/etc/fstab', check=True)
    place.write_fstab('auto,_netdev')
    do(case, 'mount', '-a', '-t', 'fuse.imapfs')
    place.is_there()


@tap.test
def test_user_mounts_and_unmounts_what_the_line_lets_him(case):
    place = Place(case, NOBODY)
    refused = run(*AS_NOBODY, 'mount', place.mountpoint)
    case.expect(not refused.ok, refused)
    place.write_fstab(GENERIC + ',user')
    do(case, *AS_NOBODY, 'mount', place.mountpoint)
    options = place.is_there(*AS_NOBODY)
    case.expect(f'user_id={NOBODY}' in options, options)
    owner = run(*AS_NOBODY, 'stat', '-c', '%u', place.mountpoint + '/INBOX')
    case.expect(owner.out.decode().strip() == str(NOBODY), owner)
    do(case, *AS_NOBODY, 'umount', place.mountpoint)
    place.is_gone()


@tap.test
def test_mount_that_fails_says_why(case):
    place = Place(case)
    place.scene.server.account = ('alice', 'another')
    result = run('mount', '-t', 'fuse.imapfs', '-o', place.options,
                 place.scene.server.url(), place.mountpoint,
                 limit=60 * tap.PATIENCE)
    case.expect(result.status == 1 and result.err.startswith('imapfs: ') and
                len(result.err.splitlines()) == 1, result)
    case.expect(not mounting.is_mounted(place.mountpoint), 'mounted')


@tap.test
def test_option_that_nobody_knows_is_refused(case):
    place = Place(case)
    result = run('mount', '-t', 'fuse.imapfs', '-o',
                 place.options + ',no_such_thing',
                 place.scene.server.url(), place.mountpoint)
    case.expect(not result.ok and 'no_such_thing' in result.err, result)


@tap.test
def test_automount_unit_is_made_of_the_line(case):
    """By systemd's own generator, which reads /etc/fstab."""
    generator = '/usr/lib/systemd/system-generators/systemd-fstab-generator'
    if not os.path.exists(generator):
        raise tap.Skip('systemd is not installed')
    place = Place(case)
    place.write_fstab(GENERIC)
    units = case.path('units')
    os.mkdir(units)
    done = subprocess.run(
        [generator, units, units, units], stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60, env={
            **os.environ, 'SYSTEMD_PROC_CMDLINE': '', 'SYSTEMD_IN_INITRD': '0',
            'SYSTEMD_LOG_TARGET': 'console'})
    case.expect(done.returncode == 0, done)
    made = sorted(os.listdir(units))
    automount = [name for name in made if name.endswith('.automount')]
    case.expect(automount, made)
    for name in automount:
        with open(os.path.join(units, name)) as file:
            text = file.read()
        case.expect(f'Where={place.mountpoint}' in text and
                    'TimeoutIdleSec=1min' in text, text)
    with open(os.path.join(units, automount[0].replace('automount', 'mount'))
              ) as file:
        text = file.read()
    case.expect('Type=fuse.imapfs' in text and '_netdev' in text, text)


if __name__ == '__main__':
    tap.main(jobs=2)
