"""A daemon that is killed while it works, and what must be true afterwards."""

import contextlib
import os
import signal
import subprocess
import time

import dovecot
import mount as mounting
from command import run, wait_until


def read_all(folder):
    """Lists and reads a folder in the background."""
    return subprocess.Popen(
        ['sh', '-c', 'ls -f "$0"; tar c -C "$0" . | cat', folder],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True)


def duration(mount, folder):
    """Seconds that an undisturbed reading takes."""
    started = time.monotonic()
    reader = read_all(mount.path(folder))
    reader.wait(120)
    return time.monotonic() - started


def kill_while_reading(mount, folder, seconds):
    """Kills the daemon so many seconds after a reader began. Returns whether
    the reader was still at it. Nothing stays mounted."""
    pid = mount.pid
    reader = read_all(mount.path(folder))
    try:
        # The moment is what is being tried: there is nothing to wait for.
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(seconds)
        reading = reader.poll() is None
        os.kill(pid, signal.SIGKILL)
        reader.wait(30)
    finally:
        if reader.poll() is None:
            os.killpg(reader.pid, signal.SIGKILL)
            reader.wait()
    wait_until(lambda: not mount.is_alive())
    if mounting.is_mounted(mount.mountpoint):
        run('fusermount3', '-uz', mount.mountpoint)
    return reading


def difference(mount, server, folder):
    """What a mount of folder has that the server has not, or the other way
    round: a sentence, or '' when all names and octets are the same."""
    wanted = dovecot.stored_digests(server, folder)
    found = dovecot.copied_digests(mount.path(folder))
    missing, strange = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    if missing or strange:
        return f'not listed: {sorted(missing)}, not there: {sorted(strange)}'
    wrong = sorted(uid for uid in wanted if wanted[uid] != found[uid])
    return f'wrong octets in {wrong}' if wrong else ''
