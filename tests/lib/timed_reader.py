#!/usr/bin/env python3
"""Uses a mount without end, one thing after another, and prints for each what
it was and how long it took, as JSON, a line each. Ends at SIGTERM, between two
of them; a process of its own, for what hangs must be killable.

    timed_reader.py KIND SEED PAUSE FOLDER [FILE...]

KIND is list (the folder), find (all below it, by the program of that name),
read (one of the files) or stat (likewise). Between two of them it rests for up
to PAUSE seconds."""

import errno
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time

stopped = False


def stop(*_):
    global stopped
    stopped = True


def list_folder(path):
    return sorted(name for name in os.listdir(path) if name.endswith('.eml'))


def find_files(path):
    """The program's exit status is what counts, its words are the reason."""
    done = subprocess.run(['find', path, '-name', '*.eml', '-printf', '%P\\n'],
                          capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return sorted(done.stdout.splitlines())
    known = [number for number in errno.errorcode
             if os.strerror(number) in done.stderr]
    raise OSError(known[0] if known else 0, done.stderr)


def read_file(path):
    """By the daemon, not from the kernel's pages."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        digest = hashlib.sha256()
        while piece := os.read(fd, 128 * 1024):
            digest.update(piece)
        return digest.hexdigest()
    finally:
        os.close(fd)


def stat_file(path):
    return os.stat(path).st_size


ACTIONS = {'list': list_folder, 'find': find_files, 'read': read_file, 'stat': stat_file}


def main():
    kind, seed, pause, folder, *names = sys.argv[1:]
    source = random.Random(seed)
    signal.signal(signal.SIGTERM, stop)
    action = ACTIONS[kind]
    while not stopped:
        path = folder
        if names:
            path = os.path.join(folder, source.choice(names))
        record = {'kind': kind, 'path': path, 'began': time.monotonic()}
        try:
            record['result'] = action(path)
        except OSError as error:
            record['errno'] = error.errno
        record['ended'] = time.monotonic()
        print(json.dumps(record), flush=True)
        time.sleep(source.uniform(0, float(pause)))


if __name__ == '__main__':
    main()
