"""A name server that knows a few records, for whoever is in its network."""

import os
import socket
import struct
import threading

import own_mounts

A, SRV = 1, 33
NO_SUCH_NAME = 3


def wire_name(name):
    labels = [label.encode() for label in name.split('.') if label]
    return b''.join(bytes([len(one)]) + one for one in labels) + b'\0'


def address(text):
    return A, socket.inet_aton(text)


def service(port, target, priority=0):
    return SRV, struct.pack('>HHH', priority, 1, port) + wire_name(target)


class NameServer:
    """records: name → list of what address() and service() return. Listens on
    port 53 of the loopback of the namespace that it is made in. Who asked
    instead_of, another one, asks this one from now on."""

    def __init__(self, case, records, at='127.0.0.1', instead_of=None):
        self.records = records
        self.asked = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((at, 53))
        case.defer(self.socket.close)
        self.resolv_conf = (instead_of.resolv_conf if instead_of
                            else case.path('resolv.conf'))
        with open(self.resolv_conf, 'w') as file:
            file.write(f'nameserver {at}\noptions timeout:2\n')
        threading.Thread(target=self._serve, daemon=True).start()

    def prefix(self):
        """A command that has the rest of its line ask this server."""
        return [*own_mounts.prefix(), 'sh', '-c',
                f'mount --bind {self.resolv_conf} '
                f'{os.path.realpath("/etc/resolv.conf")} && exec "$@"', 'sh']

    def _serve(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(4096)
                self.socket.sendto(self._answer(question), sender)
            except OSError:
                return

    def _answer(self, question):
        end, labels = 12, []
        while question[end]:
            labels.append(question[end + 1:end + 1 + question[end]].decode())
            end += 1 + question[end]
        kind = struct.unpack('>H', question[end + 1:end + 3])[0]
        name = '.'.join(labels).lower()
        self.asked.append((name, kind))
        known = self.records.get(name)
        answers = [b'\xc0\x0c' + struct.pack('>HHIH', one, 1, 60, len(data))
                   + data for one, data in known or [] if one == kind]
        flags = 0x8180 | (NO_SUCH_NAME if known is None else 0)
        return (question[:2] + struct.pack('>HHHHH', flags, 1, len(answers),
                                           0, 0)
                + question[12:end + 5] + b''.join(answers))
