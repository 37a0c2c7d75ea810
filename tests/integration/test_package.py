#!/usr/bin/env python3
"""From a checkout to a mount, as others get there: by the README's commands, by
meson dist, and by a Debian package on a fresh Debian."""

import glob
import os
import re
import shutil
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + '/../..')
sys.path[:0] = [HERE + '/../lib', ROOT + '/examples']

import dovecot
import mount as mounting
import tap
from command import run, wait_until
from namespace import enter_own_namespace
from readme import blocks

GIT = ('git', '-c', f'safe.directory={ROOT}', '-C', ROOT)
# What is where, below the prefix, after an installation.
INSTALLED = (
    'bin/imapfs', 'share/man/man1/imapfs.1', 'share/man/man5/imapfs.conf.5',
    'share/bash-completion/completions/imapfs',
    'share/fish/vendor_completions.d/imapfs.fish',
    'lib/systemd/user/imapfs@.service', 'lib/systemd/user/imapfs.service',
)


def check_out(case):
    """What is committed, without a build."""
    if not run(*GIT, 'rev-parse').ok:
        raise tap.Skip('this is no clone of the repository')
    tree = case.path('checkout')
    os.mkdir(tree)
    archive = case.path('checkout.tar')
    run(*GIT, 'archive', '-o', archive, 'HEAD', check=True,
        limit=60 * tap.PATIENCE)
    with tarfile.open(archive) as tar:
        tar.extractall(tree)
    return tree


def is_free_of_here(case, folder):
    """Nothing of what is installed names where it was built."""
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            if os.path.islink(path) or name == 'imapfs' and 'bin' in where:
                continue
            with open(path, 'rb') as file:
                case.expect(case.directory.encode() not in file.read(), path)


@tap.test(limit=900, alone=True)
def test_readme_installs(case):
    """Its block of commands, in a /usr/local of the test's own. What it asks
    apt-get for is there already, or this would not run."""
    enter_own_namespace(case)
    tree = check_out(case)
    run('mount', '-t', 'tmpfs', 'none', '/usr/local', check=True)
    stand_ins = case.path('bin')
    os.mkdir(stand_ins)
    for name, text in (
            ('sudo', 'exec "$@"'),
            ('apt-get', f'. {tree}/examples/packages.sh; shift\n'
             '[ -z "$(missing_packages "$@")" ]')):
        with open(os.open(f'{stand_ins}/{name}', os.O_WRONLY | os.O_CREAT,
                          0o755), 'w') as file:
            file.write(f'#!/bin/bash\n{text}\n')
    (block,) = [block for block in blocks(tree + '/README.md')
                if block.heading == 'Install' and block.language == 'sh']
    result = run('bash', '-e', '-c', block.text, cwd=tree, limit=800, env={
        'PATH': f'{stand_ins}:{os.environ["PATH"]}', 'HOME': case.directory})
    if not case.expect(result.ok, result, result.out.decode()[-3000:]):
        return
    for name in INSTALLED:
        case.expect(os.path.exists('/usr/local/' + name), name)
    is_free_of_here(case, '/usr/local')
    for name in ('imapfs@.service', 'imapfs.service'):
        with open('/usr/local/lib/systemd/user/' + name) as file:
            case.expect('ExecStart=/usr/local/bin/imapfs -f' in file.read())
    found = run('man', '-w', 'imapfs.conf', env={'MANPATH': ''},
                cwd=case.directory)
    case.expect(found.out.decode().startswith('/usr/local/'), found, found.out)
    mount_it(case, '', case.path('mnt'))


def mount_it(case, root, mountpoint):
    """The installed program, by the README's mount, below root."""
    server = dovecot.start_sample(case, 30)
    os.makedirs(root + mountpoint, exist_ok=True)
    files = {'password': dovecot.password(server) + '\n'}
    with open(server.ca_file) as file:
        files['ca.pem'] = file.read()
    home = '/root' if root else case.directory
    for name, text in files.items():
        with open(os.open(f'{root}{home}/{name}', os.O_WRONLY | os.O_CREAT,
                          0o600), 'w') as file:
            file.write(text)
    command = ['imapfs', '-o',
               f'ro,ca_file={home}/ca.pem,password_file={home}/password',
               server.url, mountpoint]
    if root:
        command = ['chroot', root, *command]
    case.defer(wait_until, lambda: not mounting.daemon_pids(mountpoint), 30)
    case.defer(run, 'umount', '-l', root + mountpoint)
    result = run(*command, limit=60 * tap.PATIENCE, env={
        'PATH': '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME': home})
    case.expect(result.clean, result)
    found = [name for _, _, names in os.walk(root + mountpoint)
             for name in names if name.endswith('.eml')]
    case.expect(len(found) == 30, f'{len(found)} messages')


@tap.test(limit=120)
def test_dist_has_what_is_committed(case):
    if not run(*GIT, 'rev-parse').ok:
        raise tap.Skip('this is no clone of the repository')
    build = case.path('build')
    run('meson', 'setup', build, ROOT, '-Dtests=disabled', check=True,
        limit=100 * tap.PATIENCE)
    result = run('meson', 'dist', '-C', build, '--no-tests', '--allow-dirty',
                 limit=100 * tap.PATIENCE)
    case.expect(result.ok, result, result.out.decode()[-2000:])
    (archive,) = glob.glob(build + '/meson-dist/imapfs-*.tar.xz')
    with tarfile.open(archive) as tar:
        names = {name.partition('/')[2] for name in tar.getnames()
                 if not tar.getmember(name).isdir()}
    committed = set(run(*GIT, 'ls-tree', '-r', '--name-only', '-z', 'HEAD',
                        check=True).out.decode().split('\0')) - {''}
    case.expect(names == committed, names ^ committed)


# ---- a Debian package

def fresh_debian(case):
    """The smallest Debian 12 there is, in a directory; None without a mirror."""
    if not shutil.which('debootstrap'):
        raise tap.Skip('debootstrap is not installed')
    root = case.path('debian')
    result = run('debootstrap', '--variant=minbase', 'bookworm', root,
                 limit=400)
    if not result.ok:
        case.note('no fresh Debian, for debootstrap fails:',
                  result.out.decode()[-500:], result.err[-500:])
        return None
    run('mount', '-t', 'proc', 'proc', root + '/proc', check=True)
    os.mknod(root + '/dev/fuse', 0o020666, os.stat('/dev/fuse').st_rdev)
    shutil.copy('/etc/resolv.conf', root + '/etc/resolv.conf')
    return root


def install(case, root, package):
    """As a user does: apt-get fetches what it depends on."""
    shutil.copy(package, root + '/opt/imapfs.deb')
    for words in (('update',), ('install', '-y', '--no-install-recommends',
                                '/opt/imapfs.deb')):
        result = run('chroot', root, 'apt-get', '-q', *words, limit=300, env={
            'DEBIAN_FRONTEND': 'noninteractive', 'HOME': '/root',
            'PATH': '/usr/sbin:/usr/bin:/sbin:/bin', 'LC_ALL': 'C'})
        if not case.expect(result.ok, result, result.out.decode()[-2000:]):
            return False
    return True


@tap.test(limit=1400, alone=True)
def test_debian_package_installs_and_mounts(case):
    enter_own_namespace(case)
    for program in ('dpkg-buildpackage', 'dh'):
        if not shutil.which(program):
            raise tap.Skip(f'{program} is not installed')
    if not run(*GIT, 'rev-parse').ok:
        raise tap.Skip('this is no clone of the repository')
    built = case.path('built')
    result = run(ROOT + '/examples/packaging/build-deb', built, limit=900,
                 env={'HOME': case.directory})
    if not case.expect(result.ok, result, result.out.decode()[-3000:],
                       result.err[-2000:]):
        return
    case.expect(glob.glob(built + '/imapfs_*.dsc') and
                glob.glob(built + '/imapfs_*.orig.tar.gz') and
                glob.glob(built + '/imapfs_*.debian.tar.xz'),
                os.listdir(built))
    (package,) = glob.glob(built + '/imapfs_*.deb')
    names = run('dpkg-deb', '--fsys-tarfile', package, check=True).out
    listed = subprocess.run(['tar', '-t'], input=names, capture_output=True,
                            check=True).stdout.decode().split()
    for name in INSTALLED:
        case.expect(any(re.fullmatch(rf'\./usr/{re.escape(name)}(\.gz)?', one)
                        for one in listed), name)
    root = fresh_debian(case)
    if root is None:
        root = case.path('unpacked')
        run('dpkg-deb', '-x', package, root, check=True)
        run('mount', '-t', 'tmpfs', 'none', '/usr/local', check=True)
        os.mkdir('/usr/local/bin')
        shutil.copy(root + '/usr/bin/imapfs', '/usr/local/bin/imapfs')
        mount_it(case, '', case.path('mnt'))
    elif install(case, root, package):
        mount_it(case, root, '/mnt')


if __name__ == '__main__':
    tap.main(jobs=1)
