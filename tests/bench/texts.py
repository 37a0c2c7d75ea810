"""The commands that fetch the texts of a folder and nothing else, as a client
would send them that knew beforehand what is in each message: the limit for the
view of texts."""

import email.parser
import email.policy

UIDS_MAX = 1000  # of a command: lines have a limit


def _sections(part, number, found):
    """The sections of all that is text in the part, whose own is number."""
    kind = part.get_content_maintype()
    if part.is_multipart() and kind == 'multipart':
        for index, child in enumerate(part.get_payload(), 1):
            _sections(child, number + [index], found)
    elif part.is_multipart():  # a message
        name = '.'.join(map(str, number))
        found.append(name + '.HEADER')
        for child in part.get_payload():
            _sections(child, number + (
                [] if child.get_content_maintype() == 'multipart' else [1]),
                found)
    elif kind == 'text':
        found.append('.'.join(map(str, number or [1])))


def sections(octets):
    parser = email.parser.BytesParser(policy=email.policy.compat32)
    found = []
    _sections(parser.parsebytes(octets), [], found)
    return tuple(found)


def script(stored):
    """stored: {UID: path}. The lines, each with its tag."""
    alike = {}
    for uid, path in sorted(stored.items()):
        alike.setdefault(sections(path.read_bytes()), []).append(uid)
    lines = ['t0 UID FETCH 1:* (UID BODYSTRUCTURE BODY.PEEK[HEADER])']
    for names, uids in alike.items():
        items = ' '.join(f'BODY.PEEK[{name}]' for name in names)
        for first in range(0, len(uids) if names else 0, UIDS_MAX):
            some = ','.join(map(str, uids[first:first + UIDS_MAX]))
            lines.append(f't{len(lines)} UID FETCH {some} (UID {items})')
    return lines
