"""A small test runner that prints TAP.

Each test runs in a process of its own, forked from the runner: servers, threads
and time limits of one cannot reach another, a test that hangs is killed, and
several run at a time. What a file's tests share is started before the fork, by
the function given to main().
"""

import argparse
import contextlib
import dataclasses
import os
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback

import stalls

SANITIZED = os.environ.get('IMAPFS_SANITIZED') == '1'

# Sanitized programs are slower by this much, at most.
PATIENCE = 4 if SANITIZED else 1


class Skip(Exception):
    """The test cannot run here; the text says why."""


class TimeLimit(Exception):
    """The test took too long."""


@dataclasses.dataclass
class Test:
    name: str
    run: object
    limit: float  # seconds
    alone: bool  # nothing else runs at the same time


_tests = []


def test(function=None, *, name=None, limit=120, alone=False, arguments=()):
    """Registers a test, a function of one Case and perhaps more arguments."""

    def register(run):
        title = name or run.__name__.removeprefix('test_')
        call = run if not arguments else lambda case: run(case, *arguments)
        _tests.append(Test(title, call, limit * PATIENCE, alone))
        return run

    return register(function) if function else register


class Case:
    """What one test has: a folder, a stack of things to clean up, notes."""

    def __init__(self, output):
        self._output = output
        self._stack = contextlib.ExitStack()
        self.directory = tempfile.mkdtemp(prefix='imapfs-test-')
        self._stack.callback(shutil.rmtree, self.directory, True)
        self._failures = 0

    def defer(self, function, *arguments, **named):
        """Calls function at the end, last registered first."""
        self._stack.callback(function, *arguments, **named)

    def note(self, *words):
        for line in ' '.join(str(word) for word in words).splitlines():
            print('# ' + line, file=self._output, flush=True)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def expect(self, condition, *words):
        """Notes a failure and goes on; the test then fails at its end."""
        if not condition:
            self._failures += 1
            self.note('failed:', *words)
        return bool(condition)

    def close(self):
        self._stack.close()

    @property
    def failures(self):
        return self._failures


def parallel(function, items, workers=8):
    """Calls function for each item, some at a time. Raises what the first of
    them raised."""
    import concurrent.futures
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, items))


def _on_alarm(_signal, _frame):
    raise TimeLimit('the time limit of this test is over')


def _run_child(one, output):
    """In the forked process: status 0 passed, 1 failed, 77 skipped."""
    signal.signal(signal.SIGALRM, _on_alarm)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    stalls.watch()
    case = Case(output)
    status = 1
    try:
        signal.setitimer(signal.ITIMER_REAL, one.limit)
        one.run(case)
        status = 1 if case.failures else 0
    except Skip as reason:
        print('SKIP ' + str(reason), file=output, flush=True)
        status = 77
    except BaseException:
        case.note(traceback.format_exc())
    finally:
        # The clean-up unmounts, and so has a limit of its own. What a long
        # test has made, a whole Debian, takes a while to remove.
        signal.setitimer(signal.ITIMER_REAL,
                         max(30 * PATIENCE, one.limit / 4))
        try:
            case.close()
        except BaseException:
            case.note('clean-up: ' + traceback.format_exc())
            status = 1
        signal.setitimer(signal.ITIMER_REAL, 0)
    status = 1 if status == 0 and case.failures else status
    output.flush()
    return status


class _Child:
    def __init__(self, number, one):
        self.number = number
        self.test = one
        self.text = b''
        reading, writing = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reading)
            os.setpgid(0, 0)
            with os.fdopen(writing, 'w', errors='backslashreplace') as output:
                status = _run_child(one, output)
            os._exit(status)
        os.close(writing)
        self.output = reading
        self.started = time.monotonic()
        # The child ends itself; this is for one that cannot.
        self.deadline = self.started + one.limit + 60 * PATIENCE

    def read(self):
        """Returns whether the child has closed its output."""
        piece = os.read(self.output, 65536)
        self.text += piece
        return not piece

    def finish(self):
        os.close(self.output)
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def kill(self):
        self.text += b'# killed: it did not end by itself\n'
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def _report(child, status, results):
    lines = child.text.decode(errors='replace').splitlines()
    skips = [line[5:] for line in lines if line.startswith('SKIP ')]
    notes = [line for line in lines if not line.startswith('SKIP ')]
    took = time.monotonic() - child.started
    verdict = 'ok' if status in (0, 77) else 'not ok'
    suffix = ' # SKIP ' + ' '.join(skips) if status == 77 else ''
    if status < 0:
        notes.append(f'# ended by signal {-status}')
    if not suffix:
        notes.append(f'# took {took:.1f} s')
    text = [f'{verdict} {child.number} - {child.test.name}{suffix}'] + notes
    results[child.number] = status
    return '\n'.join(text)


def _run_all(tests, jobs):
    # Those that want the machine for themselves come last.
    waiting = list(enumerate(sorted(tests, key=lambda one: one.alone), 1))
    running = {}
    results = {}
    reports = {}  # not printed yet: TAP wants them in order
    printed = 0
    while waiting or running:
        while waiting and len(running) < jobs and not (
                running and (waiting[0][1].alone or
                             any(c.test.alone for c in running.values()))):
            child = _Child(*waiting.pop(0))
            running[child.output] = child
        ready, _, _ = select.select(list(running), [], [], 1)
        for output in ready:
            child = running[output]
            if child.read():
                del running[output]
                reports[child.number] = _report(child, child.finish(), results)
        while printed + 1 in reports:
            printed += 1
            print(reports.pop(printed), flush=True)
        for child in running.values():
            if time.monotonic() > child.deadline:
                child.kill()
                child.deadline += 10
    return results


def main(setup=None, jobs=4):
    """Runs the registered tests and exits. setup(), if given, returns a
    function that ends what it started."""
    parser = argparse.ArgumentParser()
    parser.add_argument('-k', metavar='NAME', action='append', default=[],
                        help='only tests whose name contains NAME')
    parser.add_argument('-j', metavar='N', type=int,
                        default=int(os.environ.get('IMAPFS_TEST_JOBS', jobs)))
    parser.add_argument('-l', action='store_true', help='list the tests')
    options = parser.parse_args()
    tests = [one for one in _tests
             if not options.k or any(key in one.name for key in options.k)]
    only = os.environ.get('IMAPFS_TEST_ONLY', '').splitlines()
    tests = [one for one in tests if not only or one.name in only]
    if options.l:
        print('\n'.join(one.name for one in tests))
        sys.exit(0)
    print(f'1..{len(tests)}', flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    teardown = None
    try:
        teardown = setup() if setup and tests else None
        results = _run_all(tests, max(1, options.j))
    except Skip as reason:
        for number, one in enumerate(tests, 1):
            print(f'ok {number} - {one.name} # SKIP {reason}')
        sys.exit(0)
    finally:
        if teardown:
            teardown()
    sys.exit(1 if any(s not in (0, 77) for s in results.values()) else 0)
