"""Counts what tests/run did, and prints the output of what failed.

The argument is its directory of results: `steps` has a line "STATUS NAME" for
each step, NAME.log its output. A step test-X ran the suites of a build, and
left meson's testlog.json there; lint and sample print TAP; a fuzz-X is one test;
of the others only a failure counts. What failed beside the others and passed
alone (see again.py) is in `passed-again`.

Every TAP line is one test case. Meson's own count would not do: it knows a
program that crashed after its last line only as a program, not as a case.
"""

import json
import os
import pathlib
import re
import sys

BUILDS = {"test-gcc": "build", "test-sanitize": "build-sanitize"}
SHOWN_MAX = 20000
LINE = re.compile(r"(?P<failed>not )?ok\b\s*(?P<number>\d+)?\s*-?\s*"
                  r"(?P<name>.*?)\s*(?:#\s*(?P<directive>skip|todo)\S*\s*"
                  r"(?P<reason>.*))?$", re.IGNORECASE)
PLAN = re.compile(r"1\.\.(\d+)(?:\s*#\s*skip\S*\s*(.*))?", re.IGNORECASE)


class Count:
    def __init__(self):
        self.passed = 0
        self.failed = []
        self.skipped = []
        self.outputs = []

    def output(self, name, text):
        if len(text) > SHOWN_MAX:
            text = "[...]\n" + text[-SHOWN_MAX:]
        self.outputs.append(f"---- {name}\n{text.rstrip()}\n")


def failed_cases(output):
    """Of a program that prints TAP: (name, what it said) of those that failed."""
    found = []
    said = None
    for line in output.splitlines():
        case = LINE.match(line)
        if case:
            said = [line] if case["failed"] else None
            if case["failed"]:
                found.append((case["name"] or case["number"], said))
        elif said is not None:
            said.append(line)
    return found


def count_tap(count, title, output, ended):
    """Counts one program. @ended: how, if not as it should have; else ""."""
    failed, cases, plan, skipped = [], 0, None, []
    for line in output.splitlines():
        case, planned = LINE.match(line), PLAN.match(line)
        if planned:
            plan = int(planned[1])
            if planned[2] is not None and plan == 0:
                skipped.append(f"{title}: {planned[2]}")
        elif line.startswith("Bail out!"):
            ended = ended or line
        elif case:
            cases += 1
            name = f"{title}: {case['name'] or case['number']}"
            directive = (case["directive"] or "").lower()
            if directive == "skip":
                skipped.append(f"{name}: {case['reason']}")
            elif case["failed"]:
                failed.append(name)
            else:
                count.passed += 1

    if ended and not failed:
        failed.append(f"{title}: {ended}")
    elif plan is None and not cases:
        failed.append(f"{title}: printed no test case")
    elif plan is None or plan != cases:
        failed.append(f"{title}: planned {plan} cases, ran {cases}")
    count.failed += failed
    count.skipped += skipped
    return bool(failed)


def tests(path):
    """The programs of a testlog.json, as meson describes them."""
    lines = path.read_text(errors="replace").splitlines() \
        if path.exists() else []
    return [json.loads(line) for line in lines]


def program(label, test):
    return f"{label}, {test['name']}"


def count_test(count, label, test):
    """Counts one program."""
    title = program(label, test)
    output = test["stdout"] or ""
    errors = test.get("stderr") or ""
    if test["result"] == "SKIP" and "1..0" not in output:
        reason = (errors or output).strip() or "no reason given"
        count.skipped.append(f"{title}: {reason}")
        return
    ended = "" if test["result"] in ("OK", "SKIP") else \
        f"{test['result']}, exit status {test['returncode']}"
    if count_tap(count, title, output, ended):
        said = ["\n".join(lines) for _, lines in failed_cases(output)]
        count.output(title, "\n".join(said or [output]) + "\n" + errors)


def count_meson(count, label, path):
    """Counts every program of a testlog.json. FALSE if there was none."""
    found = tests(path)
    for test in found:
        count_test(count, label, test)
    return bool(found)


def count_step(count, results, status, name):
    log = (results / f"{name}.log").read_text(errors="replace")
    before = len(count.failed)
    if name in BUILDS:
        logs = results.parent / BUILDS[name] / "meson-logs"
        ran = count_meson(count, name, logs / "testlog.json")
        if len(count.failed) == before and (status != 0 or not ran):
            count.failed.append(f"{name}: exit status {status}"
                                + ("" if ran else ", no test ran"))
            count.output(name, log)
    elif name in ("lint", "sample"):
        ended = f"exit status {status}" if status != 0 else ""
        if count_tap(count, name, log, ended):
            count.output(name, log)
    elif status != 0:
        count.failed.append(f"{name}: exit status {status}")
        count.output(name, log)
    elif name.startswith("fuzz-"):
        count.passed += 1


def take_back(count, path):
    """Those that failed, and passed when they were run again."""
    names = path.read_text().splitlines() if path.exists() else []
    passed = [name for name in count.failed if name in names]
    count.failed = [name for name in count.failed if name not in names]
    count.passed += len(passed)
    return passed


def main():
    results = pathlib.Path(sys.argv[1])
    count = Count()
    for line in (results / "steps").read_text().splitlines():
        status, name = line.split(" ", 1)
        count_step(count, results, int(status), name)

    passed_again = take_back(count, results / "passed-again")

    if count.skipped and os.environ.get("CI"):
        count.failed += [f"{name} (skipped)" for name in count.skipped]
    print()
    for text in count.outputs:
        print(text)
    for name in count.skipped:
        print(f"skipped: {name}")
    for name in passed_again:
        print(f"passed alone, failed beside the others: {name}")
    for name in count.failed:
        print(f"failed: {name}")
    print(f"{count.passed} passed, {len(count.failed)} failed")
    return 1 if count.failed or count.passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
