"""The kinds of message in the sample mailbox: what people and shops send."""

import collections

from sample_mime import (CRLF, address, attachment, fields, format_date,
                         header_text, multipart, text_part)
from sample_texts import (EMOJI_SUBJECTS, LANGUAGES, LISTS, NEWSLETTERS, SHOPS)

ME = ("Me Myself", "me@localhost")
ZONES = ["+0000", "+0100", "+0900", "-0500", "+0530", "-0330"]
REPLIES = {"en": "Re: ", "de": "AW: ", "pl": "Odp: ", "zh": "回复："}
POOL_OCTETS = 4 << 20
TEXT_OCTETS_MAX = 6000
BIG_OCTETS = (300 << 10, 3 << 20)
BIG_CHANCE = 0.04  # of the attachments, when sizes are not given

Thread = collections.namedtuple("Thread", "subject language references")


class Writer:
    """Writes messages, one after another; remembers the threads."""

    def __init__(self, source):
        self._source = source
        self._pool = source.randbytes(POOL_OCTETS)
        self._threads = collections.defaultdict(list)
        self._number = 0

    def message(self, folder, kind, language_code, date, size):
        """The octets of one message of about @size octets (None: any)."""
        language = LANGUAGES[language_code]
        self._number += 1
        if size is not None and size > TEXT_OCTETS_MAX:
            kind = "attachment"  # nobody writes that much
        body = getattr(self, "_" + kind)
        head, content = body(folder, language, date, size)
        return self._envelope(date) + head + content

    def odd(self, oddity, date):
        """One of sample_oddities.ODDITIES."""
        name, octets = oddity
        self._number += 1
        extra = () if b"\r\nDate:" in octets or name == "no-date" \
            else (("Date", format_date(date)),)
        return fields(("Message-ID", self._message_id()), *extra) + octets

    # The kinds: each returns its header fields and its content

    def _conversation(self, folder, language, date, size):
        thread = self._thread(folder, language)
        charset, encoding = self._source.choice(thread.language.forms)
        text = self._text(thread.language, size or self._any_size())
        if len(thread.references) > 1:
            quoted = self._text(thread.language, 300).split("\n")
            text = "\n".join("> " + line[:70] for line in quoted) \
                + "\n\n" + text
        return (self._people(thread.language, charset)
                + self._threading(thread, charset)
                + fields(("Date", self._date(date))),
                text_part(text, charset, encoding))

    def _list(self, folder, language, date, size):
        head, content = self._conversation(folder, language, date, size)
        host = LISTS.get(folder, "general.lists.example")
        return fields(
            ("List-Id", f"<{host}>".encode()),
            ("List-Post", f"<mailto:post@{host}>".encode()),
            ("Precedence", b"list")) + head, content

    def _alternative(self, folder, language, date, size):
        charset, encoding = self._source.choice(language.forms)
        text = self._text(language, (size or self._any_size()) // 3)
        page = "<html><body>" + "".join(
            f"<p>{line}</p>\n" for line in text.split("\n")) + "</body></html>"
        return (self._header(language, charset, date),
                multipart("alternative", [
                    text_part(text, charset, encoding),
                    text_part(page, charset, encoding, "html")],
                    self._boundary()))

    def _attachment(self, folder, language, date, size):
        charset, encoding = self._source.choice(language.forms)
        text = text_part(self._text(language, 600), charset, encoding)
        if size is None:
            big = self._source.random() < BIG_CHANCE
            length = self._source.randrange(*BIG_OCTETS) if big \
                else self._source.randrange(500, 60000)
        else:
            length = max(100, (size - 1500) * 57 // 78)
        return (self._header(language, charset, date),
                multipart("mixed", [text, self._file(language, length)],
                          self._boundary()))

    def _newsletter(self, folder, language, date, size):
        name, spec, subject = self._source.choice(NEWSLETTERS)
        issue = self._source.randrange(1, 400)
        rows = "\n".join(
            f'<tr><td style="padding:8px 12px"><a href="https://news.example/'
            f'{self._token()}/{self._token()}">{sentence}</a></td></tr>'
            for sentence in self._text(language, (size or 9000) // 2)
            .split("\n"))
        return fields(
            ("From", address(name, spec)),
            ("To", b"me@localhost"),
            ("Subject", header_text(f"{subject} #{issue}", form="Q")),
            ("Date", self._date(date)),
            ("List-Unsubscribe", f"<https://news.example/{self._token()}>"
             .encode()),
            ("List-Id", f"{issue} <letters.news.example>".encode()),
        ), multipart("alternative", [
            text_part(f"{subject}\n\nhttps://news.example/{self._token()}",
                      encoding="quoted-printable"),
            text_part(f"<html><table>\n{rows}\n</table></html>",
                      encoding="quoted-printable", subtype="html")],
            self._boundary())

    def _receipt(self, folder, language, date, size):
        name, spec, currency = self._source.choice(SHOPS)
        order = self._source.randrange(10**6, 10**7)
        lines = [f"{self._source.randrange(1, 9)} x item "
                 f"{self._source.randrange(10**4):05d}: "
                 f"{self._source.randrange(100, 9999) / 100:.2f} {currency}"
                 for _ in range(max(1, (size or 900) // 35))]
        return fields(
            ("From", address(name, spec)),
            ("To", b"me@localhost"),
            ("Subject", header_text(f"Receipt for order {order}")),
            ("Date", self._date(date)),
        ), text_part("\n".join(["Thank you for your order.", *lines]))

    def _invitation(self, folder, language, date, size):
        charset, encoding = "utf-8", "quoted-printable"
        subject = self._source.choice(language.subjects)
        start = format_date(date + 7 * 86400).decode()
        calendar = "\n".join([
            "BEGIN:VCALENDAR", "VERSION:2.0", "METHOD:REQUEST",
            "BEGIN:VEVENT", f"UID:{self._token()}@calendar.example",
            f"X-SAMPLE-START:{start}", f"SUMMARY:{subject}",
            f"ORGANIZER:mailto:{language.people[0][1]}",
            "END:VEVENT", "END:VCALENDAR"])
        text = self._text(language, (size or 1200) // 2)
        return (self._header(language, charset, date, subject),
                multipart("alternative", [
                    text_part(text, charset, encoding),
                    text_part(calendar, charset, "base64", "calendar",
                              "; method=REQUEST")],
                    self._boundary()))

    # Pieces of them

    def _envelope(self, date):
        """What the way through the servers leaves on top."""
        return fields(
            ("Return-Path", b"<bounce@example.org>"),
            ("Received", f"from mx{self._number % 7}.example.org by localhost "
             f"with ESMTPS id {self._token()};\r\n\t".encode()
             + format_date(date)),
            ("Message-ID", self._message_id()),
            ("MIME-Version", b"1.0"))

    def _header(self, language, charset, date, subject=None):
        if subject is None:
            subject = self._source.choice(language.subjects)
            if self._source.random() < 0.05:
                subject = self._source.choice(EMOJI_SUBJECTS)
        return self._people(language, charset) + fields(
            ("Subject", header_text(subject, charset,
                                    self._source.choice("BQ"))),
            ("Date", self._date(date)))

    def _people(self, language, charset):
        sender = self._source.choice(language.people)
        pairs = [("From", address(*sender, charset, self._source.choice("QB"))),
                 ("To", address(*ME))]
        if self._source.random() < 0.2:
            other = self._source.choice(language.people)
            pairs.append(("Cc", address(*other, charset)))
        return fields(*pairs)

    def _thread(self, folder, language):
        """A thread of the folder, or a new one; this message joins it."""
        threads = self._threads[folder]
        if threads and self._source.random() < 0.6:
            thread = threads[-self._source.randrange(1, 1 + min(
                4, len(threads)))]
        else:
            thread = Thread(self._source.choice(language.subjects), language,
                            [])
            threads.append(thread)
        thread.references.append(self._message_id())
        return thread

    def _threading(self, thread, charset):
        if len(thread.references) == 1:
            return fields(("Subject", header_text(thread.subject, charset)))
        prefix = REPLIES.get(thread.language.code, "Re: ")
        return fields(
            ("Subject", header_text(prefix + thread.subject, charset)),
            ("In-Reply-To", thread.references[-2]),
            ("References", (CRLF + b" ").join(thread.references[:-1])))

    def _file(self, language, length):
        start = self._source.randrange(POOL_OCTETS // 2)
        data = self._pool[start:start + length]
        while len(data) < length:
            data += self._pool[:length - len(data)]
        name = self._source.choice(language.subjects).split()[0]
        kind = self._source.choice(["pdf", "png", "txt", "zip"])
        if kind == "pdf":
            data = b"%PDF-1.7\n1 0 obj\n" + data + b"\nendobj\n%%EOF\n"
        elif kind == "png":
            data = b"\x89PNG\r\n\x1a\n" + data
        elif kind == "txt":
            text = (self._text(language, 2000) + "\n").encode()
            return attachment(f"{name}.txt", "text/plain; charset=utf-8",
                              (text * (length // len(text) + 1))[:length])
        types = {"pdf": "application/pdf", "png": "image/png",
                 "zip": "application/zip"}
        return attachment(f"{name}.{kind}", types[kind], data)

    def _text(self, language, octets):
        """Paragraphs of the language, about @octets long in UTF-8."""
        paragraphs, length = [], 0
        while not paragraphs or length < octets:
            paragraphs.append(" ".join(self._source.choices(
                language.sentences, k=self._source.randrange(1, 6))))
            length += len(paragraphs[-1].encode()) + 1
        return "\n".join(paragraphs)

    def _any_size(self):
        return min(TEXT_OCTETS_MAX, int(self._source.lognormvariate(7, 0.8)))

    def _date(self, date):
        return format_date(date - self._source.randrange(0, 90),
                           self._source.choice(ZONES))

    def _message_id(self):
        return f"<sample.{self._number}@mail.example.org>".encode()

    def _boundary(self):
        return f"=_part_{self._number}_{self._token()}"

    def _token(self):
        return f"{self._source.getrandbits(64):016x}"
