"""Running programs that must come back: nothing here waits for ever, not even
for a process that hangs in the kernel on a mount."""

import contextlib
import dataclasses
import os
import signal
import subprocess
import time

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

    @property
    def ok(self):
        return self.status == 0

    @property
    def clean(self):
        """Success, and not a word of complaint."""
        return self.status == 0 and not self.err

    def __str__(self):
        return (f'{self.arguments} → {self.status} after {self.seconds:.2f} s, '
                f'{len(self.out)} octets out, stderr: {self.err.strip()!r}')


def run(*arguments, limit=30 * PATIENCE, check=False, **named):
    """Runs a program. Raises Stuck when it does not end in limit seconds."""
    arguments = [os.fspath(argument) for argument in arguments]
    started = time.monotonic()
    environment = dict(os.environ, LC_ALL='C.UTF-8')
    environment.update(named.pop('env', {}))
    process = subprocess.Popen(
        arguments, stdin=named.pop('stdin', subprocess.DEVNULL),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
        start_new_session=True, **named)
    try:
        out, err = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise Stuck(f'{arguments} still runs after {limit} s') from None
    result = Result(arguments, process.returncode, out,
                    err.decode(errors='replace'), time.monotonic() - started)
    if check and not result.ok:
        raise AssertionError(str(result))
    return result


def wait_until(condition, limit=10 * PATIENCE, step=0.02):
    """The first true value of condition(), or the last one at the limit."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(step)
