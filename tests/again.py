"""Runs once more, alone, what failed beside everything else.

The suites run beside each other, and beside builds and fuzzers, on a machine
that others may keep busy, too: a test then waits in vain for what comes later
than ever. What fails again has failed. What passes is counted as passed, and
named as such beside what it said at first.

More than a few are no accident, nor is a crash, nor what a sanitizer reports,
nor are wrong octets, or a message that is there too often or not at all: those
are not run again.

The argument is the directory of results of tests/run; what passed is left there
in `passed-again`, a line each, as report.py names it.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import report

CASES_MAX = 5
SECONDS_MAX = 300  # for each program
NO_ACCIDENT = re.compile(
    r"Sanitizer|runtime error:|ended by signal|the daemon is gone|"
    r"core dumped|-(CRITICAL|ERROR) \*\*|Assertion `|"
    r"wrong bytes|too much: |too little: |other than all the mail")


class Failure:
    """A program, and which of its cases failed."""

    def __init__(self, label, test):
        self.label = label
        self.test = test
        self.count = report.Count()
        report.count_test(self.count, label, test)
        title = report.program(label, test) + ": "
        self.cases = [name.removeprefix(title) for name in self.count.failed]

    def is_accident(self):
        """TRUE if only cases failed, each of which may have come too late."""
        ran = {name for name, _ in report.failed_cases(self.test["stdout"])}
        return (set(self.cases) <= ran
                and not NO_ACCIDENT.search("\n".join(self.count.outputs)))

    def run_again(self, root):
        """Whether it passes."""
        build = root / report.BUILDS[self.label]
        suites, _, name = self.test["name"].partition(" / ")
        suite = suites.partition(":")[2].split("+")[0]
        subprocess.run(
            ["meson", "test", "-C", build, "--no-rebuild", "--logbase", "again",
             "--num-processes", "1", "--suite", suite, name],
            env=dict(os.environ, IMAPFS_TEST_ONLY="\n".join(self.cases)),
            timeout=SECONDS_MAX, check=False)
        log = build / "meson-logs" / "again.json"
        again = report.Count()
        return (report.count_meson(again, self.label, log)
                and not again.failed and not again.skipped
                and again.passed >= len(self.cases))


def failures(root):
    for label, build in report.BUILDS.items():
        for test in report.tests(root / build / "meson-logs" / "testlog.json"):
            failure = Failure(label, test)
            if failure.cases:
                yield failure


def main():
    results = pathlib.Path(sys.argv[1])
    root = results.parent
    found = list(failures(root))
    n_cases = sum(len(failure.cases) for failure in found)
    print(f"{n_cases} cases failed")
    if n_cases > CASES_MAX:
        return
    for failure in found:
        if not failure.is_accident():
            print("not run again:", *failure.count.failed, sep="\n  ")
            continue
        try:
            passes = failure.run_again(root)
        except subprocess.TimeoutExpired as late:
            passes = False
            print(late)
        print("passed" if passes else "failed again",
              *failure.count.failed, sep="\n  ")
        if passes:
            with (results / "passed-again").open("a") as names:
                names.writelines(f"{name}\n" for name in failure.count.failed)


if __name__ == "__main__":
    main()
