"""Ten thousand messages and more on two servers that hold the same: one is
mounted, of the other mbsync keeps a Maildir of plain files. Each program has a
lot of its own among them, to flag, to move and to delete."""

import os
import pathlib
import re
import shutil

import dovecot
import sample_mail
import tap
from maildir import FLAGS, Box, Mirror, digest
from memory import in_memory
from writing import crlf, message

# In the order in which they go to work.
PROGRAMS = ('mblaze', 'mutt', 'neomutt', 'aerc', 'notmuch', 'mu', 'mbsync')
# By hand (tests/bench/maildir-many), lots are larger.
TIMES = int(os.environ.get('IMAPFS_LOTS', '1'))
LOT = {'flagging': 100 * TIMES, 'moving': 60 * TIMES, 'deleting': 20 * TIMES}
SAMPLE = 9400
FIRST_DATE = 1770000000  # newer than those of the sample
FOLDERS = {'INBOX': [], 'Other': None, 'Drafts': []}
TAKEN = LOT['moving'] + LOT['deleting']  # out of INBOX, by each


def message_ids(program, kind):
    first = PROGRAMS.index(program) * sum(LOT.values())
    for other, count in LOT.items():
        if other == kind:
            return [f'm{number}@example.org'
                    for number in range(first, first + count)]
        first += count
    raise KeyError(kind)


def _own_mail():
    number = 0
    for program in PROGRAMS:
        for kind, count in LOT.items():
            for one in range(count):
                yield number, crlf(message(
                    number, subject=f'lot {program} {kind} {one}.',
                    date=FIRST_DATE + number))
                number += 1


def _passes_through_mbsync(path):
    """It drops what has no end of its header, and CRs that no LF follows."""
    body = path.read_bytes()
    return b'\r\n\r\n' in body and not re.search(rb'\r(?!\n)', body)


def _generate(root):
    """Returns how many there are."""
    sample_mail.generate(root, flat='INBOX', messages=SAMPLE,
                         total_bytes=3000 * SAMPLE, seed=5)
    count = SAMPLE
    for path in sorted(root.glob('*/*.sample,*')):
        if not _passes_through_mbsync(path):
            path.unlink()
            count -= 1
    for number, body in _own_mail():
        date = FIRST_DATE + number
        path = root / 'cur' / (f'{date}.M{number}P2.own,S={len(body)},'
                               f'W={len(body)}:2,{"S" * (number % 2)}')
        path.write_bytes(body)
        os.utime(path, (date, date))
        count += 1
    return count


class Pair:
    """box and mirror; roots are where programs work."""

    def __init__(self, case):
        self.case = case
        in_memory(case)
        mail = pathlib.Path(case.path('mail'))
        self.count = _generate(mail)
        self.box = Box(case, FOLDERS, server=self._server('a', mail))
        self.mirror = Mirror(case, FOLDERS, server=self._server('b', mail))
        self.roots = (self.box.root, self.mirror.root)

    def _server(self, name, mail):
        def copy(source, target):
            if '.sample,' in source or '.own,' in source:
                os.link(source, target)
            else:
                shutil.copy2(source, target)

        def prepare(server):
            shutil.copytree(mail, server.mail_root(), copy_function=copy)
            # Which gives the rest to the server's user, too.
            server.generate(flat='Other', messages=0)
        os.mkdir(self.case.path(name))
        return dovecot.start_sample(self.case, prepare=prepare,
                                    directory=self.case.path(name))

    def expect_same(self, *folders):
        self.box.wait()
        self.mirror.push()
        for folder in folders:
            here, there = (_on_server(place, folder)
                           for place in (self.box, self.mirror))
            self.case.expect(
                here == there, folder, len(here), 'by the mount,', len(there),
                'by mbsync;', sorted(set(here) - set(there))[:9],
                sorted(set(there) - set(here))[:9])


def _on_server(place, folder):
    """Sorted [(flags, digest, subject)], from the server's own files."""
    place.client.open(folder)
    flags = place.client.flags(folder)
    return sorted((tuple(sorted(flags[uid] & set(FLAGS.values()))),
                   digest(body), _lot_of(body))
                  for uid, body in _bodies(place.server, folder))


def _bodies(server, folder):
    for uid, path in server.stored(folder).items():
        yield uid, path.read_bytes()


def _lot_of(body):
    """To tell in a failure what it is about."""
    found = re.search(rb'(?m)^Subject: lot (.*?)\r?$', body)
    return found[1].decode() if found else ''


def lots(root, program):
    """{kind: paths} of the messages of the program in the INBOX there."""
    found = {kind: [] for kind in LOT}
    for part in ('cur', 'new'):
        for entry in os.scandir(f'{root}/INBOX/{part}'):
            with open(entry.path, 'rb') as file:
                head = file.read(400).replace(b'\r', b'')
            for kind, paths in found.items():
                if f'\nSubject: lot {program} {kind} '.encode() in head:
                    paths.append(entry.path)
    assert {kind: len(paths) for kind, paths in found.items()} == LOT, found
    return found


def names(root, folder):
    return [name for part in ('cur', 'new')
            for name in os.listdir(f'{root}/{folder}/{part}')]
