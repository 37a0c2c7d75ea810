"""How the scripted server changes what it serves: flags, expunging, copying,
moving, appending; mailboxes; quota and rights.

A mix-in of imapserver.Connection. What a command needs a capability for is BAD
without it. Each change is made by the mailbox's own methods, so that who asks
with CONDSTORE or QRESYNC hears of it.
"""

import calendar
import re
import time

import mailstore

DATE = re.compile(r' ?(\d+)-(\w+)-(\d+) (\d+):(\d+):(\d+) ([+-])(\d\d)(\d\d)')


class Refused(Exception):
    """The text of the tagged answer, "NO [CODE] why"."""


def parse_date(text):
    day, month, year, hour, minute, second, sign, east, more = (
        DATE.fullmatch(text).groups())
    seconds = calendar.timegm((
        int(year), mailstore.MONTHS.index(month) + 1, int(day), int(hour),
        int(minute), int(second)))
    offset = (int(east) * 60 + int(more)) * 60
    return seconds - (offset if sign == '+' else -offset)


def parse_flags(text):
    return tuple(text.strip('()').split())


class Writer:
    # What may be done

    def _need(self, capability):
        if not self.has(capability):
            raise Refused(f'BAD no {capability} here')

    def _need_writable(self):
        if self.mailbox is None:
            raise Refused('BAD nothing is selected')
        if self.examined or self.mailbox.read_only:
            raise Refused('NO [READ-ONLY] it is not to be changed')

    def _need_right(self, mailbox, letter):
        if letter not in mailbox.rights:
            raise Refused(f'NO [NOPERM] no right "{letter}"')

    def _target(self, name, octets):
        """The mailbox that is to take so many octets more."""
        server = self.server
        mailbox = server.find(name)
        if mailbox is None or not mailbox.selectable:
            raise Refused('NO [TRYCREATE] no such mailbox')
        if mailbox.read_only:
            raise Refused('NO [READ-ONLY] it is not to be changed')
        self._need_right(mailbox, 'i')
        if (server.quota is not None
                and server.used() + octets > server.quota):
            raise Refused('NO [OVERQUOTA] there is no room')
        return mailbox

    def _chosen(self, text):
        """The messages of the selected mailbox in a set of UIDs."""
        present = self.mailbox.present
        ranges = mailstore.parse_set(
            text, max((m.uid for m in present), default=0))
        return [m for m in present if mailstore.in_set(m.uid, ranges)]

    # What the client is told of its own changes, whatever server.tells

    def _gone(self, uids):
        uids = [uid for uid in self.told if uid in uids]
        if not uids:
            return b''
        if 'QRESYNC' in self.enabled:
            out = f'* VANISHED {mailstore.compact(uids)}\r\n'
        else:
            out = ''.join(f'* {sequence} EXPUNGE\r\n' for sequence, uid
                          in reversed(list(enumerate(self.told, 1)))
                          if uid in uids)
        self.told = [uid for uid in self.told if uid not in uids]
        return out.encode()

    def _come(self, mailbox, uids):
        if mailbox is not self.mailbox:
            return b''
        self.told += [uid for uid in uids if uid not in self.told]
        return f'* {len(self.told)} EXISTS\r\n'.encode()

    # Messages

    def _do_uid_store(self, command):
        self._need_writable()
        match = re.fullmatch(
            r'(\S+) (?:\(UNCHANGEDSINCE (\d+)\) )?([+-]?)FLAGS(\.SILENT)? (.*)',
            command.text, re.I)
        uids, since, sign, silent, flags = match.groups()
        flags = parse_flags(flags)
        if since is not None:
            self._need('CONDSTORE')
        out, modified = [], []
        for message in self._chosen(uids):
            if since is not None and message.modseq > int(since):
                modified.append(message.uid)
                continue
            self.mailbox.set_flags(message.uid, *self._new_flags(
                message.flags, sign, flags))
            items = ('' if silent else 'FLAGS ') + (
                'MODSEQ' if self.has('CONDSTORE') else '')
            if items and message.uid in self.told:
                out.append(mailstore.fetch_line(
                    self.told.index(message.uid) + 1, message, items))
        code = f'[MODIFIED {mailstore.compact(modified)}] ' if modified else ''
        return b''.join(out) + self._tagged(command, f'OK {code}done')

    def _new_flags(self, old, sign, flags):
        """A flag that the mailbox does not keep is passed over in silence."""
        kept = {f.lower() for f in self.mailbox.permanent}
        flags = tuple(f for f in flags if f.lower() in kept or
                      ('\\*' in kept and not f.startswith('\\')))
        named = {f.lower() for f in flags}
        if sign == '':
            return flags
        rest = tuple(f for f in old if f.lower() not in named)
        return rest if sign == '-' else rest + flags

    def _expunge(self, messages):
        uids = [m.uid for m in messages if '\\deleted' in
                (f.lower() for f in m.flags)]
        self.mailbox.remove(*uids)
        return self._gone(uids)

    def _do_expunge(self, command):
        self._need_writable()
        return self._expunge(self.mailbox.present) + self._tagged(command)

    def _do_uid_expunge(self, command):
        self._need('UIDPLUS')
        self._need_writable()
        return (self._expunge(self._chosen(command.arguments[0]))
                + self._tagged(command))

    def _copy(self, command):
        """The messages, the mailbox, "[COPYUID …] " or nothing, and what is
        told of those that came."""
        if self.mailbox is None:
            raise Refused('BAD nothing is selected')
        messages = self._chosen(command.arguments[0])
        mailbox = self._target(command.arguments[1],
                               sum(len(m.body) for m in messages))
        copies = [mailbox.store(m.body, m.time, m.flags,
                                m.email_id or f'M{m.uid}') for m in messages]
        code = ''
        if messages and self.has('UIDPLUS'):
            code = (f'[COPYUID {mailbox.uidvalidity} '
                    f'{mailstore.compact([m.uid for m in messages])} '
                    f'{mailstore.compact([m.uid for m in copies])}] ')
        return messages, code, self._come(mailbox, [m.uid for m in copies])

    def _do_uid_copy(self, command):
        _, code, come = self._copy(command)
        return come + self._tagged(command, f'OK {code}done')

    def _do_uid_move(self, command):
        self._need('MOVE')
        self._need_writable()
        messages, code, come = self._copy(command)
        uids = [m.uid for m in messages]
        self.mailbox.remove(*uids)
        told = f'* OK {code}moved\r\n'.encode() if code else b''
        return told + come + self._gone(uids) + self._tagged(command)

    def _append(self, command, words):
        name = words.pop(0)
        flags, when = (), int(time.time())
        if words and words[0].startswith('('):
            flags = parse_flags(words.pop(0))
        if words and DATE.fullmatch(words[0]):
            when = parse_date(words.pop(0))
        body = command.literals[-1]
        limit = self.server.append_limit
        if limit is not None and len(body) > limit:
            raise Refused('NO [TOOBIG] it is too big')
        mailbox = self._target(name, len(body))
        message = mailbox.store(body, when, flags)
        code = (f'[APPENDUID {mailbox.uidvalidity} {message.uid}] '
                if self.has('UIDPLUS') else '')
        return code, self._come(mailbox, [message.uid])

    def _do_append(self, command):
        code, come = self._append(command, list(command.arguments))
        return come + self._tagged(command, f'OK {code}done')

    def _do_uid_replace(self, command):
        self._need('REPLACE')
        self._need_writable()
        uid = int(command.arguments[0])
        if not self._chosen(str(uid)):
            raise Refused('NO [NONEXISTENT] no such message')
        code, come = self._append(command, command.arguments[1:])
        self.mailbox.remove(uid)
        told = f'* OK {code}replaced\r\n'.encode() if code else b''
        return told + come + self._gone([uid]) + self._tagged(command)

    # Mailboxes

    def _existing(self, name):
        mailbox = self.server.find(name)
        if mailbox is None:
            raise Refused('NO [NONEXISTENT] no such mailbox')
        return mailbox

    def _children(self, name):
        start = name + self.server.delimiter
        return [m for m in self.server.mailboxes if m.name.startswith(start)]

    def _make(self, name):
        """With those above it, which hold no messages."""
        server = self.server
        parent = name.rpartition(server.delimiter)[0]
        if parent and server.find(parent) is None:
            self._make(parent).attributes = ('\\Noselect',)
        server.last_uidvalidity += 1
        mailbox = mailstore.Mailbox(name, uidvalidity=server.last_uidvalidity)
        server.mailboxes.append(mailbox)
        return mailbox

    def _do_create(self, command):
        name = command.arguments[0]
        name = name.removesuffix(self.server.delimiter)
        existing = self.server.find(name)
        if existing is not None and existing.selectable:
            raise Refused('NO [ALREADYEXISTS] it is there')
        if existing is not None:
            existing.attributes = ()
        else:
            self._make(name)
        return self._tagged(command)

    def _do_delete(self, command):
        mailbox = self._existing(command.arguments[0])
        self._need_right(mailbox, 'x')
        if mailbox.name.upper() == 'INBOX':
            raise Refused('NO [CANNOT] not the INBOX')
        if not self._children(mailbox.name):
            self.server.mailboxes.remove(mailbox)
        elif mailbox.selectable:
            mailbox.attributes = ('\\Noselect',)
            mailbox.messages.clear()
        else:
            raise Refused('NO [HASCHILDREN] there are some below it')
        return self._tagged(command)

    def _do_rename(self, command):
        old, new = command.arguments[:2]
        mailbox = self._existing(old)
        self._need_right(mailbox, 'x')
        if self.server.find(new) is not None:
            raise Refused('NO [ALREADYEXISTS] the new one is there')
        if new.startswith(old + self.server.delimiter):
            raise Refused('NO [CANNOT] not below itself')
        if mailbox.name.upper() == 'INBOX':
            taken, mailbox.messages = mailbox.messages, []
            self._make(new).messages = taken
            return self._tagged(command)
        children = self._children(mailbox.name)
        parent = new.rpartition(self.server.delimiter)[0]
        if parent and self.server.find(parent) is None:
            self._make(parent).attributes = ('\\Noselect',)
        mailbox.name = new
        for child in children:
            child.name = new + child.name[len(old):]
        return self._tagged(command)

    def _do_subscribe(self, command):
        self.server.subscribed.add(self._existing(command.arguments[0]).name)
        return self._tagged(command)

    def _do_unsubscribe(self, command):
        self.server.subscribed.discard(command.arguments[0])
        return self._tagged(command)

    # Quota and rights

    def _do_getquotaroot(self, command):
        self._need('QUOTA')
        mailbox = self._existing(command.arguments[0])
        out = f'* QUOTAROOT "{mailbox.name}" "all"\r\n'
        if self.server.quota is not None:
            out += (f'* QUOTA "all" (STORAGE {self.server.used() // 1024} '
                    f'{self.server.quota // 1024})\r\n')
        return out.encode() + self._tagged(command)

    def _do_myrights(self, command):
        self._need('ACL')
        mailbox = self._existing(command.arguments[0])
        return (f'* MYRIGHTS "{mailbox.name}" {mailbox.rights}\r\n'.encode()
                + self._tagged(command))
