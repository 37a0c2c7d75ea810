#!/usr/bin/env python3
"""The session with the kernel, on the synthetic file system of
session-probe.c. Prints TAP. Whoever may block is a process or thread of its
own, so that a broken promise is a failed test and not a hang."""

import contextlib
import ctypes
import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

PROBE = sys.argv[1]
OWN_MOUNTS = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../lib/own_mounts.py")
PATIENCE = 60  # seconds until what must happen counts as missing
AT_ONCE = 0.2  # seconds in which an interrupted process must be gone


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("never happened: " + what)
        time.sleep(0.005)


def is_mounted(path):
    with open("/proc/self/mountinfo", encoding="utf-8") as mounts:
        return any(line.split()[4] == path for line in mounts)


class Probe:
    def __init__(self, mountpoint, *options):
        self.mountpoint = mountpoint
        self.process = subprocess.Popen(
            [PROBE, mountpoint, *options],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, bufsize=1)
        first = self.process.stdout.readline().strip()
        if first != "mounted":
            self.process.wait(PATIENCE)
            raise AssertionError(self.process.stderr.read())

    def path(self, name=""):
        return os.path.join(self.mountpoint, name)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        return self.process.stdout.readline().strip()

    def counts(self):
        return [int(word) for word in self.say("counts").split()]

    def await_waiting(self, number):
        wait_until(lambda: self.counts()[0] == number,
                   "%d waiting requests" % number)

    def ended(self, how, status=0):
        # Not communicate(), which misses what readline() has read ahead.
        watchdog = threading.Timer(PATIENCE, self.process.kill)
        watchdog.start()
        output = self.process.stdout.read()
        errors = self.process.stderr.read()
        self.process.wait()
        watchdog.cancel()
        assert self.process.returncode == status, errors
        assert output.split() == [how], output
        assert not is_mounted(self.mountpoint)
        return errors


@contextlib.contextmanager
def directory():
    path = os.path.realpath(tempfile.mkdtemp(prefix="imapfs-session-"))
    try:
        yield path
    finally:
        while is_mounted(path):
            subprocess.run(["fusermount3", "-uz", path], check=True)
        os.rmdir(path)


@contextlib.contextmanager
def probe(*options):
    with directory() as path:
        served = Probe(path, *options)
        try:
            yield served
            if served.process.poll() is None:
                served.process.terminate()
                served.ended("signal")
        finally:
            # Closing its descriptor frees everyone who still waits.
            served.process.kill()
            served.process.wait()


def cat(path):
    return subprocess.Popen(["cat", path], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def run_cat(path):
    """Its output and complaint; a cat that blocks is an error."""
    process = cat(path)
    try:
        return [text.decode() for text in process.communicate(timeout=PATIENCE)]
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError("cat %s blocks" % path) from None


def assert_reads(served, name):
    assert run_cat(served.path(name)) == [name, ""], name


def assert_dies_of(signal_number, kind):
    """A cat that waits is gone at once, and the file can be read later. The
    machine may be busy with other things: one try of some must do."""
    times = []
    with probe() as served:
        for attempt in range(10):
            name = "%s-%d" % (kind, attempt)
            process = cat(served.path(name))
            wait_until(lambda n=name: served.say("need " + n) == "1",
                       name + " waits")
            begin = time.monotonic()
            process.send_signal(signal_number)
            process.communicate(timeout=PATIENCE)
            times.append(time.monotonic() - begin)
            assert process.returncode == -signal_number

            served.say("meet " + name)
            assert_reads(served, name)
            if times[-1] < AT_ONCE:
                break
        assert min(times) < AT_ONCE, times
        wait_until(lambda: served.counts()[0] == 0, "nobody waits")
        _, opened, _ = served.counts()
        wait_until(lambda: served.counts()[2] == opened, "all is released")


def serves(path, name):
    assert run_cat(os.path.join(path, name)) == [name, ""], name


def end_of_a_detached_mount_leaves_the_next_one():
    """Somebody has it in use, so that it does not end when it is detached."""
    with directory() as path:
        first = Probe(path)
        held = open(os.path.join(path, "plain-held"), "rb")
        try:
            subprocess.run(["fusermount3", "-uz", path], check=True)
            second = Probe(path)
            try:
                serves(path, "plain-second")
                first.process.terminate()
                assert first.process.wait(PATIENCE) == 0
                serves(path, "plain-again")
                second.process.terminate()
                second.ended("signal")
            finally:
                second.process.kill()
                second.process.wait()
        finally:
            first.process.kill()
            first.process.wait()
            held.close()


def end_of_a_covered_mount_leaves_what_covers_it():
    if os.geteuid() != 0:
        return
    with directory() as path:
        served = Probe(path)
        try:
            subprocess.run(["mount", "-t", "tmpfs", "over", path], check=True)
            with open(os.path.join(path, "file"), "x", encoding="utf-8"):
                pass
            served.process.terminate()
            assert served.process.wait(PATIENCE) == 0
            assert os.listdir(path) == ["file"], os.listdir(path)
        finally:
            served.process.kill()
            served.process.wait()
            while is_mounted(path):
                subprocess.run(["umount", "-l", path], check=True)


def interrupt_of_lookup_ends_the_process():
    assert_dies_of(signal.SIGINT, "lookup")


def interrupt_of_open_ends_the_process():
    assert_dies_of(signal.SIGINT, "open")


def interrupt_of_read_ends_the_process():
    assert_dies_of(signal.SIGINT, "read")


def interrupt_of_direct_read_ends_the_process():
    assert_dies_of(signal.SIGINT, "direct")


def kill_in_lookup_ends_the_process():
    assert_dies_of(signal.SIGKILL, "lookup")


def kill_in_open_ends_the_process():
    assert_dies_of(signal.SIGKILL, "open")


def kill_in_direct_read_ends_the_process():
    assert_dies_of(signal.SIGKILL, "direct")


# Catches both signals. Python itself would call open again.
CATCHES = """
import ctypes, os, signal, sys
for number in signal.SIGINT, signal.SIGUSR1:
    signal.signal(number, lambda *_: None)
    signal.siginterrupt(number, True)
libc = ctypes.CDLL(None, use_errno=True)
result = libc.open(sys.argv[1].encode(), os.O_RDONLY)
print(result, ctypes.get_errno() if result < 0 else 0)
"""


def catches(path):
    return subprocess.Popen([sys.executable, "-c", CATCHES, path],
                            stdout=subprocess.PIPE, text=True)


def interrupted_open_is_eintr_for_who_is_asked_to_end():
    with probe() as served:
        process = catches(served.path("open-1"))
        served.await_waiting(1)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=PATIENCE)
        assert output.split() == ["-1", str(errno.EINTR)], output
        # The need went on without it: nobody is there to be woken.
        assert served.say("need open-1") == "0"
        served.say("meet open-1")
        assert_reads(served, "open-1")
        assert served.counts()[1] == 1


def open_goes_on_for_who_gets_another_signal():
    """As Go's run time sends its own threads, all the time."""
    with probe() as served:
        process = catches(served.path("open-1"))
        served.await_waiting(1)
        for _ in range(3):
            process.send_signal(signal.SIGUSR1)
            time.sleep(0.1)
        assert process.poll() is None
        served.say("meet open-1")
        output, _ = process.communicate(timeout=PATIENCE)
        assert output.split()[1] == "0", output


def needs_met_and_progress_end_in_the_answer():
    with probe() as served:
        process = cat(served.path("open-1"))
        served.await_waiting(1)
        for _ in range(2000):  # progress alone is never too much
            served.say("progress open-1")
        served.await_waiting(1)
        served.say("meet open-1")
        assert process.communicate(timeout=PATIENCE)[0] == b"open-1"
        assert_reads(served, "timed-1")


def failed_need_is_its_errno():
    with probe() as served:
        for kind in "lookup", "open", "direct":
            process = cat(served.path(kind + "-1"))
            served.await_waiting(1)
            served.say("fail %s-1" % kind)
            complaint = process.communicate(timeout=PATIENCE)[1].decode()
            assert os.strerror(errno.ETIMEDOUT) in complaint, complaint


def failed_need_is_seen_by_who_asks_for_it():
    with probe() as served:
        process = cat(served.path("seen-1"))
        served.await_waiting(1)
        served.say("fail seen-1")
        complaint = process.communicate(timeout=PATIENCE)[1].decode()
        assert os.strerror(errno.ENODATA) in complaint, complaint


def request_without_an_end_is_eio():
    with probe() as served:
        complaint = run_cat(served.path("greedy-1"))[1]
        assert os.strerror(errno.EIO) in complaint, complaint


def two_hundred_lookups_wait_at_once():
    number = 200
    sizes = {}

    def look_up(served, i):
        # Once in a hundred runs the kernel has another signal for a thread.
        while i not in sizes:
            try:
                sizes[i] = os.stat(served.path("lookup-%d" % i)).st_size
            except InterruptedError:
                continue
            except OSError as error:
                sizes[i] = error

    with probe() as served:
        threads = [threading.Thread(target=look_up, args=(served, i),
                                    daemon=True) for i in range(number)]
        for thread in threads:
            thread.start()
        served.await_waiting(number)
        assert_reads(served, "plain-1")
        for i in reversed(range(number)):
            served.say("meet lookup-%d" % i)
        for thread in threads:
            thread.join(PATIENCE)
        wrong = {i: sizes.get(i) for i in range(number)
                 if sizes.get(i) != len("lookup-%d" % i)}
        assert not wrong, wrong


def lookups_pass_a_waiting_lookup_and_readdir():
    """FUSE_PARALLEL_DIROPS is in force."""
    with probe() as served:
        lister = subprocess.Popen(["ls", "-f", served.path("d")],
                                  stdout=subprocess.PIPE)
        served.await_waiting(1)
        looker = cat(served.path("d/lookup-1"))
        served.await_waiting(2)
        for i in range(10):
            name = "plain-%d" % i
            assert run_cat(served.path("d/" + name)) == [name, ""]
        assert lister.poll() is None and looker.poll() is None
        served.say("meet readdir")
        served.say("meet lookup-1")
        assert lister.communicate(timeout=PATIENCE)[0] == b".\n"
        assert looker.communicate(timeout=PATIENCE)[0] == b"lookup-1"


def wakings(pid):
    """How often its threads have gone to sleep, and their processor time."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task),
                  encoding="utf-8") as status:
            total += sum(int(line.split()[1]) for line in status
                         if "_ctxt_switches" in line)
    with open("/proc/%d/stat" % pid, encoding="utf-8") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return total, words[11:13]


def idle_session_does_nothing():
    """Looking for more requests ends with the requests."""
    with probe() as served:
        for i in range(300):
            os.stat(served.path("plain-%d" % i))
        for i in range(40):  # where looking does not pay
            assert_reads(served, "timed-%d" % i)
        pid = served.process.pid
        before = []

        def is_asleep():
            before.append(wakings(pid))
            time.sleep(0.3)
            return before[-1] == wakings(pid)

        wait_until(is_asleep, "it sleeps")


def unmount_from_outside_ends_the_program():
    with probe() as served:
        assert_reads(served, "plain-1")
        subprocess.run(["fusermount3", "-u", served.mountpoint], check=True)
        served.ended("unmounted")


def unmount_before_the_first_request_is_an_end_too():
    """Whoever looks for the mount in the kernel's list may be that quick;
    some of these are."""
    libc = ctypes.CDLL(None, use_errno=True)
    with directory() as path:
        for _ in range(150):
            process = subprocess.Popen(
                [PROBE, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True)
            while libc.umount2(os.fsencode(path), 0) != 0:
                assert process.poll() is None, process.stderr.read()
            output, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, errors
            assert output.split() == ["mounted", "unmounted"], output


def unmount_while_requests_wait_lets_them_finish():
    with probe() as served:
        process = cat(served.path("open-1"))
        served.await_waiting(1)
        busy = subprocess.run(["fusermount3", "-u", served.mountpoint],
                              stderr=subprocess.DEVNULL, check=False)
        assert busy.returncode != 0
        subprocess.run(["fusermount3", "-uz", served.mountpoint], check=True)
        served.say("meet open-1")
        assert process.communicate(timeout=PATIENCE)[0] == b"open-1"
        served.ended("unmounted")


def termination_while_requests_wait_fails_them():
    with probe() as served:
        waiting = [cat(served.path(name))
                   for name in ("lookup-1", "open-1", "direct-1")]
        # The kernel asks again when reading ahead failed, and then finds
        # nobody: some error it is, but which one cannot be said.
        buffered = cat(served.path("read-1"))
        served.await_waiting(4)
        served.process.terminate()
        served.ended("signal")
        for process in waiting:
            complaint = process.communicate(timeout=PATIENCE)[1].decode()
            assert os.strerror(errno.EIO) in complaint, complaint
        buffered.communicate(timeout=PATIENCE)
        assert buffered.returncode == 1


def connection_cut_by_the_kernel_leaves_no_mount():
    if os.geteuid() != 0:
        return "needs root"
    script = """
        control=/sys/fs/fuse/connections
        [ -e $control/$1 ] || mount -t fusectl none $control || exit
        echo 1 > $control/$1/abort
    """
    with probe() as served:
        number = os.minor(os.stat(served.mountpoint).st_dev)
        subprocess.run([OWN_MOUNTS, "sh", "-c", script, "sh",
                        str(number)], check=True)
        served.ended("unmounted")
    return None


def dead_mount_is_removed_first():
    with directory() as path:
        for _ in range(2):
            dead = Probe(path)
            dead.process.kill()
            dead.process.communicate()
            try:
                os.stat(path)
                raise AssertionError("the mount is not dead")
            except OSError as error:
                assert error.errno == errno.ENOTCONN
        served = Probe(path)
        try:
            assert_reads(served, "plain-1")
            served.process.terminate()
            served.ended("signal")
        finally:
            served.process.kill()
            served.process.wait()


def complaint_of(*arguments, **options):
    done = subprocess.run([PROBE, *arguments], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=PATIENCE, check=False, **options)
    assert done.stdout == "", done.stdout
    assert done.stderr.count("\n") == 1, done.stderr
    return done.returncode, done.stderr.strip()


def wrong_mountpoint_is_named():
    with directory() as path:
        missing = os.path.join(path, "missing")
        status, text = complaint_of(missing)
        assert status == 3
        assert missing + ": No such file or directory; create it" in text, text
        status, text = complaint_of("/etc/passwd")
        assert status == 3
        assert "/etc/passwd: it is not a directory" in text, text


def unknown_option_is_named():
    with directory() as path:
        status, text = complaint_of(path, "nonsense=1")
        assert status == 2
        assert text.endswith("does not know the option nonsense=1"), text
        status, text = complaint_of(path, "max_read=many")
        assert status == 2
        assert "max_read=many" in text, text


def refusal_of_fusermount_comes_with_a_remedy():
    """As an ordinary user, in a namespace with a /dev/fuse of its own."""
    if os.geteuid() != 0:
        return "needs root"
    if not shutil.which("setpriv"):
        return "needs setpriv"
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]

    def refusal(preparation, path, *options):
        script = preparation + ' && exec "$@"'
        done = subprocess.run(
            [OWN_MOUNTS, "sh", "-c", script, "sh", *user,
             os.path.join(spare, "session-probe"), path, *options],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
        assert done.returncode == 3, done
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    with directory() as path, tempfile.TemporaryDirectory() as spare:
        os.chown(path, 65534, 65534)
        os.chmod(spare, 0o755)
        shutil.copy(PROBE, spare)  # where it is everyone may run it
        node = os.path.join(spare, "fuse")
        os.mknod(node, 0o20600, os.makedev(10, 229))
        own = "chmod %s {0} && mount --bind {0} /dev/fuse".format(node)

        text = refusal(own % "600", path)
        assert "/dev/fuse cannot be opened: Permission denied; " in text, text
        text = refusal(own % "666", "/usr")
        assert "/usr: the directory is not writable; " in text, text
        text = refusal(own % "666" + " && mount --bind /dev/null "
                       "/etc/fuse.conf", path, "allow_other")
        assert "user_allow_other in /etc/fuse.conf; " in text, text
        text = refusal(own % "666" + " && mount --bind /etc/passwd "
                       "$(readlink -f $(which fusermount3))", path)
        assert "install the package fuse3" in text, text
    return None


TESTS = [
    interrupt_of_lookup_ends_the_process,
    interrupt_of_open_ends_the_process,
    interrupt_of_read_ends_the_process,
    interrupt_of_direct_read_ends_the_process,
    kill_in_lookup_ends_the_process,
    kill_in_open_ends_the_process,
    kill_in_direct_read_ends_the_process,
    interrupted_open_is_eintr_for_who_is_asked_to_end,
    open_goes_on_for_who_gets_another_signal,
    needs_met_and_progress_end_in_the_answer,
    failed_need_is_its_errno,
    failed_need_is_seen_by_who_asks_for_it,
    request_without_an_end_is_eio,
    two_hundred_lookups_wait_at_once,
    lookups_pass_a_waiting_lookup_and_readdir,
    idle_session_does_nothing,
    unmount_from_outside_ends_the_program,
    unmount_before_the_first_request_is_an_end_too,
    unmount_while_requests_wait_lets_them_finish,
    termination_while_requests_wait_fails_them,
    connection_cut_by_the_kernel_leaves_no_mount,
    end_of_a_detached_mount_leaves_the_next_one,
    end_of_a_covered_mount_leaves_what_covers_it,
    dead_mount_is_removed_first,
    wrong_mountpoint_is_named,
    unknown_option_is_named,
    refusal_of_fusermount_comes_with_a_remedy,
]


def main():
    for needed in ("/dev/fuse", shutil.which("fusermount3") or "fusermount3"):
        if not os.path.exists(needed):
            print("1..0 # SKIP %s is missing" % needed)
            return 0

    print("1..%d" % len(TESTS), flush=True)
    failed = 0
    for number, test in enumerate(TESTS, 1):
        name = test.__name__
        try:
            reason = test()
            note = " # SKIP " + reason if reason else ""
            print("ok %d - %s%s" % (number, name, note), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print("not ok %d - %s" % (number, name))
            where = traceback.extract_tb(error.__traceback__)[-1]
            print("# line %d: %s" % (where.lineno, where.line))
            for line in ("%s: %s" % (type(error).__name__, error)).split("\n"):
                print("# " + line, flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
