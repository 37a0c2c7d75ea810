#!/usr/bin/env python3
"""The README's first command, as a user runs it: as root and as an ordinary
user, whose /dev/fuse may have to be one of its own in a private mount
namespace."""

import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(HERE + '/../..')
sys.path[:0] = [HERE + '/../lib', ROOT + '/examples']

import tap
from command import run
from mount import BINARY, is_mounted

OWN_MOUNTS = HERE + '/../lib/own_mounts.py'
ORDINARY = 65534  # nobody, wherever there is a password file


def prepare(case):
    """A checkout of its own, as it is after the build."""
    tree = case.path('checkout')
    shutil.copytree(ROOT + '/examples', tree + '/examples')
    os.makedirs(tree + '/build')
    shutil.copy(BINARY, tree + '/build/imapfs')
    for folder in (os.path.dirname(tree), tree):
        os.chmod(folder, 0o777)
    return tree


def clean_up(tree):
    subprocess.run([tree + '/examples/quickstart', 'stop'],
                   stdin=subprocess.DEVNULL, capture_output=True, timeout=60)


@tap.test(limit=120, alone=True)
def test_quickstart_mounts_and_stops(case):
    tree = prepare(case)
    quickstart = tree + '/examples/quickstart'
    case.defer(clean_up, tree)
    for attempt in ('first', 'again'):
        result = run(quickstart, '--no-build', '--messages', '60', limit=60)
        case.expect(result.ok and 'Things to try' in result.out.decode(),
                    attempt, result)
        case.expect(is_mounted(tree + '/mail'), attempt, 'not mounted')
    found = run('find', tree + '/mail', '-name', '*.eml', check=True)
    case.expect(len(found.out.splitlines()) == 60, found)
    case.expect(run('grep', '-rl', 'Subject', tree + '/mail').ok, 'grep')
    result = run(quickstart, 'stop', limit=60)
    case.expect(result.ok, result)
    case.expect(not is_mounted(tree + '/mail'), 'still mounted')
    result = run(quickstart, 'status')
    case.expect('does not run' in result.out.decode() and
                'Not mounted' in result.out.decode(), result)


# What an ordinary user's shell does; $1 is the checkout.
SCRIPT = '''
set -e
cd "$1"
export HOME="$1/home" XDG_RUNTIME_DIR=
mkdir "$HOME"
./examples/quickstart --no-build --messages 40 </dev/null
find mail -name '*.eml' | wc -l | sed 's/^/messages: /'
cat mail/INBOX/*.eml | wc -c | sed 's/^/octets: /'
stat -c 'mode: %a %u' mail/INBOX
./examples/quickstart stop
'''


@tap.test(limit=120, alone=True)
def test_quickstart_works_for_ordinary_user(case):
    tree = prepare(case)
    command = ['bash', '-c', SCRIPT, 'user', tree]
    if os.geteuid() == 0:
        case.defer(clean_up, tree)
        node = case.path('fuse')
        command = [OWN_MOUNTS, 'bash', '-c',
                   f'mknod -m 0666 {node} c 10 229 && '
                   f'mount --bind {node} /dev/fuse && '
                   f'exec setpriv --reuid={ORDINARY} --regid={ORDINARY} '
                   '--clear-groups "$@"', 'root', *command]
    result = run(*command, limit=100)
    case.expect(result.ok, result)
    for said in ('messages: 40', 'mode: 700', 'Stopped the server'):
        case.expect(said in result.out.decode(), said, result)


if __name__ == '__main__':
    tap.main(jobs=1)
