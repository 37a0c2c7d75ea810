"""How long the machine kept programs from going on: a processor that others
had, a disk that did not answer. Where a promise is a time, that does not count:
the test would tell of the machine. On one that has nothing else to do, it is
next to nothing.

A thread of this process wants to run at each STEP, and notes how late it was.
What programs waited for the disk, the kernel counts, of all of them together;
where it does not, nothing is known of that."""

import bisect
import contextlib
import os
import threading
import time

STEP = 0.1  # seconds
LATE = 0.01  # so much is nothing
DISK = '/proc/pressure/io'


class _Pulse:
    def __init__(self):
        self.pid = os.getpid()
        self.late = 0.0
        self.disk = None
        with contextlib.suppress(OSError):
            self.disk = os.open(DISK, os.O_RDONLY | os.O_CLOEXEC)
        self.times = [time.monotonic()]
        self.lost = [self.waited()]  # seconds, by these times
        threading.Thread(target=self.run, daemon=True).start()

    def waited(self):
        """For the disk: seconds, since the start of the machine."""
        with contextlib.suppress(OSError, TypeError, ValueError):
            line = os.pread(self.disk, 200, 0).partition(b'\n')[0]
            return int(line.partition(b'total=')[2]) / 1e6
        return 0.0

    def run(self):
        while True:
            time.sleep(STEP)
            now = time.monotonic()
            self.late += self.lateness(now)
            self.lost.append(self.late + self.waited())
            self.times.append(now)  # last: who looks takes both

    def lateness(self, now):
        late = now - self.times[-1] - STEP
        return late if late > LATE else 0.0

    def lost_by(self, index):
        if index < len(self.times):
            return self.lost[index]
        return self.late + self.lateness(time.monotonic()) + self.waited()


_pulse = None


def watch():
    """From now on. Each test does, which is a process of its own."""
    global _pulse
    if _pulse is None or _pulse.pid != os.getpid():
        _pulse = _Pulse()


def lost(began, ended):
    """Seconds, of those between two times of time.monotonic(). What was before
    watch() was called is not known: 0."""
    if _pulse is None or _pulse.pid != os.getpid():
        return 0.0
    first = max(bisect.bisect_right(_pulse.times, began) - 1, 0)
    last = bisect.bisect_left(_pulse.times, ended)
    return min(max(_pulse.lost_by(last) - _pulse.lost[first], 0.0),
               ended - began)


class Clock:
    """Runs from when it is made, or from began."""

    def __init__(self, began=None):
        self.began = time.monotonic() if began is None else began

    def seconds(self):
        """Less what was lost."""
        now = time.monotonic()
        return now - self.began - lost(self.began, now)
