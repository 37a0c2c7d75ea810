"""Running programs that must come back: nothing here waits for ever, not even
for a process that hangs in the kernel on a mount."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import time

import stalls
from tap import PATIENCE


class Stuck(Exception):
    """A program did not end within its limit."""


@dataclasses.dataclass
class Result:
    arguments: list
    status: int
    out: bytes
    err: str
    seconds: float
    lost: float = 0.0  # of these; see stalls

    @property
    def ok(self):
        return self.status == 0

    @property
    def taken(self):
        """Seconds, less what the machine kept it from going on."""
        return self.seconds - self.lost

    @property
    def clean(self):
        """Success, and not a word of complaint."""
        return self.status == 0 and not self.err

    def __str__(self):
        return (f'{self.arguments} → {self.status} after {self.seconds:.2f} s, '
                f'of which {self.lost:.2f} s were lost, '
                f'{len(self.out)} octets out, stderr: {self.err.strip()!r}')


def _more(began, limit):
    """For how long, after the limit, the end of what began then is awaited, for
    what was lost."""
    return min(stalls.lost(began, time.monotonic()), 2 * limit)


def _communicate(process, began, limit):
    try:
        return process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        return process.communicate(timeout=_more(began, limit))


def run(*arguments, limit=30 * PATIENCE, check=False, **named):
    """Runs a program. Raises Stuck when it does not end in limit seconds, and
    those that were lost meanwhile."""
    arguments = [os.fspath(argument) for argument in arguments]
    started = time.monotonic()
    environment = dict(os.environ, LC_ALL='C.UTF-8')
    environment.update(named.pop('env', {}))
    process = subprocess.Popen(
        arguments, stdin=named.pop('stdin', subprocess.DEVNULL),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        start_new_session=True, **named)
    try:
        out, err = _communicate(process, started, limit)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise Stuck(f'{arguments} still runs after {limit} s') from None
    ended = time.monotonic()
    result = Result(arguments, process.returncode, out,
                    err.decode(errors='replace'), ended - started,
                    stalls.lost(started, ended))
    if check and not result.ok:
        raise AssertionError(str(result))
    return result


def wait_until(condition, limit=20 * PATIENCE, step=0.02):
    """The first true value of condition(), or the last one at the limit, to
    which is added what was lost meanwhile."""
    began = time.monotonic()
    while True:
        value = condition()
        over = time.monotonic() - began - limit
        if value or (over > 0 and over > _more(began, limit)):
            return value
        time.sleep(step)


def is_waiting(pid):
    """Whether the program waits for an answer of a file system."""
    with contextlib.suppress(OSError):
        with open(f'/proc/{pid}/wchan') as file:
            name = file.read()
        return 'fuse' in name or 'request_wait' in name
    return False
