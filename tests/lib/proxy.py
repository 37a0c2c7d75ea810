"""A line between a client and a server at 127.0.0.1: with a latency and a
capacity, counted, cut or silent. The program is tests/bench/delay-proxy.c."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile

import ports

PROGRAM = os.environ.get('IMAPFS_DELAY_PROXY', os.path.join(
    os.path.dirname(os.path.abspath(__file__)),
    '../../build/tests/bench/delay-proxy'))


class Proxy:
    """Listens at `port` and passes on to to_port, until stop() or until this
    process ends. case, if given, stops it. port: which, 0: any that stays
    the test's own when this is stopped."""

    def __init__(self, to_port, case=None, rtt_ms=0, rate_mbit=0,
                 program=PROGRAM, port=0):
        self._directory = tempfile.mkdtemp(prefix='imapfs-proxy-')
        self._control = None
        self._process = None
        if case is not None:
            case.defer(self.stop)
        try:
            self._start(program, to_port, rtt_ms, rate_mbit, port)
        except BaseException:
            self.stop()
            raise

    def _start(self, program, to_port, rtt_ms, rate_mbit, port):
        path = self._directory + '/control'
        self._process = subprocess.Popen(
            [program, '--to', str(to_port), '--rtt', str(rtt_ms),
             '--rate', str(rate_mbit), '--control', path,
             '--listen', str(port or ports.reserve())],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f'{program} did not start')
        self.port = int(line)
        self._control = socket.socket(socket.AF_UNIX)
        self._control.settimeout(10)
        self._control.connect(path)
        self._answers = self._control.makefile('r')

    def _ask(self, line):
        self._control.sendall(line.encode() + b'\n')
        answer = self._answers.readline().strip()
        if not answer or answer.startswith('unknown'):
            raise RuntimeError(f'the proxy says {answer!r} to {line!r}')
        return answer

    def counts(self):
        """connections: how many were made; open: how many are; turns: how
        often a client spoke after it had heard the server; to_server,
        to_client: octets delivered. All since the start or reset()."""
        return json.loads(self._ask('stats'))

    def reset(self):
        self._ask('reset')

    def set_rtt(self, milliseconds):
        self._ask(f'rtt {milliseconds}')

    def set_rate(self, mbit):
        """0: no limit."""
        self._ask(f'rate {mbit}')

    def cut(self):
        """Resets every connection; new ones are possible at once."""
        self._ask('cut')

    def hold(self):
        """Moves nothing more until resume(), and closes nothing."""
        self._ask('hold')

    def resume(self):
        self._ask('resume')

    def stop(self):
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            self._process.wait()
            self._process.stdout.close()
            self._process = None
        shutil.rmtree(self._directory, ignore_errors=True)
