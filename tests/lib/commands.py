"""Running what is no mount: --check, --fetch, --status."""

import os
import subprocess

from command import run
from mount import BINARY
from tap import PATIENCE

ESCAPE = b'\x1b'


def environment(case, data=None, **more):
    """As a mount has it that was made with data. G_DEBUG is not for children
    that other programs are."""
    data = data or case.path('data')
    os.makedirs(data, exist_ok=True)
    os.makedirs(case.path('tmp'), exist_ok=True)
    return {'HOME': data, 'XDG_CACHE_HOME': data + '/cache',
            'XDG_STATE_HOME': data + '/state', 'G_DEBUG': 'fatal-warnings',
            'TMPDIR': case.path('tmp'), 'LC_ALL': 'C.UTF-8', **more}


def options_text(options):
    return ','.join(key if value is None else f'{key}={value}'
                    for key, value in options.items())


def password_file(case, password):
    path = case.path('password-' + str(abs(hash(password))))
    with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), 'w') as file:
        file.write(password + '\n')
    return path


def imapfs(case, *words, options=None, limit=60, data=None, **more):
    """Runs it, without a terminal, and whatever it says is text."""
    arguments = [BINARY, *words]
    if options:
        arguments += ['-o', options_text(options)]
    result = run(*arguments, limit=limit * PATIENCE,
                 env=environment(case, data, **more))
    for text in (result.out, result.err.encode()):
        case.expect(ESCAPE not in text, 'an escape sequence:', result)
        case.expect(b'Sanitizer' not in text and b'runtime error' not in text,
                    text.decode(errors='replace')[-4000:])
    case.expect(result.status >= 0, result)
    return result


def start(case, *words, options=None, data=None, output=subprocess.PIPE,
          **more):
    """The same, and does not wait. Ended with the case."""
    arguments = [BINARY, *words]
    if options:
        arguments += ['-o', options_text(options)]
    process = subprocess.Popen(
        arguments, stdin=subprocess.DEVNULL, stdout=output,
        stderr=subprocess.STDOUT, start_new_session=True,
        env={**os.environ, **environment(case, data, **more)})

    def end():
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(30 * PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    case.defer(end)
    return process


def marks(result):
    """{name: (mark, text)} of a report's lines; the last of a name wins."""
    found = {}
    for line in result.out.decode().splitlines():
        mark, name, text = line[:1], line[2:16].strip(), line[16:].strip()
        if name and mark in '✓✗!– +X-':
            found[name] = (mark, text)
    return found
