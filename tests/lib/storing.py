"""A scripted server that is written to through a mount: what a program is told,
what the server has afterwards, and what was kept."""

import os

import tap
from command import wait_until
from imapserver import CAPABILITIES
from mailstore import Mailbox, simple_mailbox
from scene import Scene
from writing import crlf, message

PATIENT = 20 * tap.PATIENCE


def scene(case, capabilities=CAPABILITIES, timeout=20, data=None, **named):
    made = Scene(case, [simple_mailbox(count=2), Mailbox('Other')],
                 timeout=timeout * tap.PATIENCE, names='subject',
                 capabilities=capabilities, **named)
    made.start(data=data)
    os.makedirs(case.path('source'), exist_ok=True)
    return made


def put(case, place, data=None, name='x.eml', folder='Other'):
    """Writes a file as programs do; the errno of close, 0 for success."""
    fd = os.open(place.path(folder, name),
                 os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    failed = 0
    try:
        os.write(fd, data or message())
    except OSError as error:
        failed = error.errno
    try:
        os.close(fd)
    except OSError as error:
        failed = failed or error.errno
    return failed


def bodies(place, folder='Other'):
    return [one.body for one in place.server.find(folder).present]


def comes(case, place, data, folder='Other'):
    case.expect(wait_until(lambda: len(bodies(place, folder)) > 0, PATIENT),
                'it never comes')
    case.expect(bodies(place, folder) == [crlf(data)],
                'the server has', bodies(place, folder))


def lost(place):
    return set(os.listdir(place.path('.imapfs/lost+found')))
