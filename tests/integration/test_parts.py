#!/usr/bin/env python3
"""The views parts and text: what they hold, what they cost, and that they
agree with the mailbox."""

import contextlib
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import dovecot
import hardmail
import parts
import tap
from command import run, wait_until
from mount import Mount
from proxy import Proxy
from tap import PATIENCE

KB = 1024
MB = 1 << 20


class Bench:
    """A Dovecot whose folder Hard holds the messages, and a mount of it."""

    def __init__(self, case, messages, *, capability=None, **options):
        self.case = case
        self.server = dovecot.start_sample(case, messages=5,
                                           capability=capability)
        self.client = dovecot.Client(self.server)
        case.defer(lambda: contextlib.suppress(Exception)
                   or self.client.imap.shutdown())
        self.client.imap.create('Hard')
        self.add(*messages)
        self.proxy = Proxy(self.server.tls_port, case)
        self.url = self.server.url.replace(f':{self.server.tls_port}/',
                                           f':{self.proxy.port}/')
        self.options = {'ca_file': self.server.ca_file, 'names': 'uid',
                        'timeout': 30 * PATIENCE, 'compress': 'off', **options}
        self.mount = None
        self.start()

    def add(self, *bodies):
        for body in bodies:
            status, answer = self.client.imap.append('Hard', None, None, body)
            assert status == 'OK', (answer, body[:300])

    def start(self):
        self.mount = Mount(self.case, self.url, self.options,
                           password=dovecot.password(self.server))

    def path(self, *names):
        return self.mount.path(*names)

    def parts(self, uid, *names):
        return self.path('.imapfs', 'parts', 'Hard', f'{uid}.eml', *names)

    def text(self, uid):
        return self.path('.imapfs', 'text', 'Hard', f'{uid}.eml.txt')

    def received(self, function):
        """What it returns, and the octets that came for it."""
        before = self.proxy.counts()['to_client']
        result = function()
        return result, self.proxy.counts()['to_client'] - before

    def soon(self, condition, what, limit=15):
        self.case.expect(wait_until(condition, limit * PATIENCE, 0.1), what)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


# ---- the corpus

# What a server's structure says of a broken message is that server's idea.
# Of these Dovecot 2.3 has another one than GMime, and it does not show.
DIFFERENT = (
    'names: no quotes, spaces',
    'text behind the boundary',
    'mutated 15: ', 'mutated 23: ', 'mutated 33: ', 'mutated 37: ',
    'mutated 40: ', 'mutated 50: ',
)


def compare_all(case, bench, messages):
    wrong = []
    for uid, (title, body) in enumerate(messages, 1):
        try:
            problem = parts.compare(bench.parts(uid), body)
        except (OSError, AssertionError) as error:
            problem = repr(error)
        if problem:
            wrong.append(f'{uid} {title}: {problem}')
    return wrong


@tap.test(limit=300)
def test_corpus_is_what_gmime_makes_of_it(case):
    messages = hardmail.corpus()
    bench = Bench(case, [body for _title, body in messages])
    for line in compare_all(case, bench, messages):
        case.expect(False, line)
    bench.mount.unmount()


@tap.test(limit=400)
def test_corpus_by_structure_is_what_gmime_makes_of_it(case):
    """The same messages, so large that each is asked for part by part."""
    messages = [(title, hardmail.with_filler(body, 40 * KB))
                for title, body in hardmail.corpus()]
    bench = Bench(case, [body for _title, body in messages])
    for line in compare_all(case, bench, messages):
        if not any(line.split(' ', 1)[1].startswith(title)
                   for title in DIFFERENT):
            case.expect(False, line)
    bench.mount.unmount()


if __name__ == '__main__':
    tap.main(jobs=4)
