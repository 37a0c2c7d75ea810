#!/usr/bin/env python3
"""What tests/run makes of tests that failed: which are run again, and what is
counted and said of them. Meson is a script here that passes or fails."""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [TESTS + '/lib', TESTS + '/../examples']

import tap
from command import run

LATE = ('1..2\nok 1 - quick\nnot ok 2 - slow\n# failed: it is not there\n', 1)
NAME = 'test-gcc, imapfs:integration / sync: slow'
MESON = '''#!/bin/sh
echo "$IMAPFS_TEST_ONLY $*" >>"$ASKED"
cp "$ANSWER" "$3/meson-logs/again.json"
'''


class Run:
    """One that is over but for what is run again, and the report."""

    def __init__(self, case, *programs):
        self.results = case.path('build-results')
        self.asked = case.path('asked')
        self.answer = case.path('answer')
        self.bin = case.path('bin')
        for folder in (self.results, self.bin, case.path('build/meson-logs')):
            os.makedirs(folder)
        open(self.asked, 'w').close()
        with open(self.results + '/steps', 'w') as file:
            file.write('1 test-gcc\n')
        with open(self.bin + '/meson', 'w') as file:
            file.write(MESON)
            os.chmod(file.name, 0o755)
        self.write(case.path('build/meson-logs/testlog.json'), programs)

    @staticmethod
    def write(path, programs):
        with open(path, 'w') as file:
            for output, status in programs:
                file.write(json.dumps({
                    'name': 'imapfs:integration / sync', 'stdout': output,
                    'result': 'FAIL' if status else 'OK',
                    'returncode': status}) + '\n')

    def ends(self, *again):
        """Once more, with that answer; returns what is reported, and what was
        run again."""
        self.write(self.answer, again)
        environment = {**os.environ, 'ASKED': self.asked, 'CI': 'true',
                       'ANSWER': self.answer,
                       'PATH': self.bin + ':' + os.environ['PATH']}
        for name in ('again', 'report'):
            log = self.results + f'/{name}.log'
            if name == 'report':
                open(self.results + '/test-gcc.log', 'w').close()
            result = run(sys.executable, f'{TESTS}/{name}.py', self.results,
                         env=environment)
            with open(log, 'wb') as file:
                file.write(result.out)
        with open(self.asked) as file:
            return result, file.read()


def says(case, result, *lines):
    said = result.out.decode().splitlines()
    case.expect(set(lines) <= set(said), said, result.err)
    case.expect(said[-1] == lines[-1], said[-1])


@tap.test
def test_what_passes_alone_has_passed_and_is_named(case):
    result, asked = Run(case, LATE).ends(('1..1\nok 1 - slow\n', 0))
    case.expect(asked.startswith('slow test ') and
                asked.endswith('--suite integration sync\n'), asked)
    case.expect(result.ok, result)
    says(case, result, '# failed: it is not there',
         f'passed alone, failed beside the others: {NAME}',
         '2 passed, 0 failed')


@tap.test
def test_what_fails_again_has_failed(case):
    result, asked = Run(case, LATE).ends(('1..1\nnot ok 1 - slow\n', 1))
    case.expect(asked and not result.ok, asked, result)
    says(case, result, f'failed: {NAME}', '1 passed, 1 failed')


@tap.test
def test_what_is_skipped_or_missing_then_has_failed(case):
    for number, again in enumerate((('1..1\nok 1 - slow # SKIP no\n', 0),
                                    ('1..0\n', 0), ('1..1\n', 0))):
        part = tap.Case(sys.stdout)
        case.defer(part.close)
        result, asked = Run(part, LATE).ends(again)
        case.expect(asked and not result.ok, number, asked, result)
        says(case, result, f'failed: {NAME}', '1 passed, 1 failed')


@tap.test
def test_what_no_haste_can_explain_is_not_run_again(case):
    for word in ('ERROR: AddressSanitizer: heap-use-after-free',
                 'fs/need.c:3:1: runtime error: null pointer',
                 'the daemon is gone: ', 'ended by signal 11',
                 'GLib-CRITICAL **: 10:00:00: g_source_remove',
                 'failed: wrong bytes: 3 octets for 4',
                 "failed: too much: [('<1@work>', 'ab')] too little: []"):
        part = tap.Case(sys.stdout)
        case.defer(part.close)
        output = LATE[0] + f'# {word}\n'
        result, asked = Run(part, (output, 1)).ends(('1..1\nok 1 - slow\n', 0))
        case.expect(not asked and not result.ok, word, asked, result)
        says(case, result, f'failed: {NAME}', '1 passed, 1 failed')


@tap.test
def test_program_that_ended_early_is_not_run_again(case):
    result, asked = Run(case, ('1..3\nok 1 - quick\nnot ok 2 - slow\n', 1)).ends(
        ('1..1\nok 1 - slow\n', 0))
    case.expect(not asked and not result.ok, asked, result)


@tap.test
def test_many_failures_are_no_accident(case):
    many = '1..6\n' + ''.join(f'not ok {n} - slow{n}\n' for n in range(1, 7))
    result, asked = Run(case, (many, 1)).ends((many.replace('not ', ''), 0))
    case.expect(not asked and not result.ok, asked, result)
    says(case, result, '0 passed, 6 failed')


tap.main()
