"""A service manager's end of sd_notify(3): a socket that notes what is said."""

import contextlib
import os
import socket
import threading
import time

from command import wait_until
from tap import PATIENCE


class Manager:
    """name: None for a path; else that of an abstract socket. deaf: nothing is
    read before hear()."""

    def __init__(self, case, name=None, deaf=False):
        self.address = ('@' + name) if name else case.path('notify')
        self.messages = []  # of {name: value}, as they came
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind('\0' + name if name else self.address)
        self.socket.settimeout(0.1)
        self.closing = threading.Event()
        self.thread = threading.Thread(target=self._read, daemon=True)
        case.defer(self.close)
        if not deaf:
            self.hear()

    def hear(self):
        self.thread.start()

    def hears(self):
        return self.thread.is_alive()

    def close(self):
        self.closing.set()
        if self.thread.is_alive():
            self.thread.join(5)
        self.socket.close()

    def _read(self):
        while not self.closing.is_set():
            with contextlib.suppress(TimeoutError):
                text = self.socket.recv(65536).decode()
                self.messages.append(dict(
                    line.split('=', 1) for line in text.splitlines()))

    def fill(self):
        """Until it takes no more, as a manager that is busy. Returns how many
        messages that were."""
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        sender.setblocking(False)
        count = 0
        with contextlib.suppress(BlockingIOError), contextlib.closing(sender):
            while True:
                sender.sendto(b'FILL=1', self.socket.getsockname())
                count += 1
        return count

    def said(self, name):
        """All values of it, in their order."""
        return [message[name] for message in list(self.messages)
                if name in message]

    def count(self, name):
        return len(self.said(name))

    def wait(self, condition, limit=20):
        """condition: of this. Returns its last value."""
        return wait_until(lambda: condition(self), limit * PATIENCE)


def monotonic_us():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def abstract_name():
    return f'imapfs-test/{os.getpid()}-{time.monotonic_ns()}'
