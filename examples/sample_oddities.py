"""Messages that have broken other programs: one of each in the sample INBOX."""

import base64

from sample_mime import (CRLF, attachment, encoded_word, fields, header_text,
                         multipart, text_part)

FROM = ("From", b"Odd One <odd@example.org>")
TEXT = text_part("An odd message. The text does not matter.")


def subject(value, *more):
    return fields(FROM, ("Subject", value), *more)


def multiline(*lines):
    return CRLF.join(lines)


ESCAPES = b"\x1b[2J\x1b]0;owned\x07 \x1b[31mred\x1b[0m bell \x07"
BIDI = "invoice \u202egpj.exe\u202c \u2066isolated\u2069 \u200fend"
NESTED = fields(FROM, ("Subject", b"The inner one")) + TEXT

# (name, the message without Message-ID, Date and the like)
ODDITIES = [
    ("empty-subject", subject(b"") + TEXT),
    ("no-subject", fields(FROM) + TEXT),
    ("blank-subject", subject(b"   \t ") + TEXT),
    ("long-subject", subject(b"long " * 200) + TEXT),
    ("long-folded-subject", subject(
        multiline(*[b" all of this is one subject line"] * 320)) + TEXT),
    ("long-encoded-subject",
     subject(header_text("Очень длинная тема письма " * 40)) + TEXT),
    ("emoji", subject(header_text("🎉 It is done 🎉 👩‍🚀🏳️‍🌈 1️⃣")) + TEXT),
    ("right-to-left", subject(header_text("שלום עולם — تحية طيبة 2025")) + TEXT),
    ("bidi-controls", subject(header_text(BIDI)) + TEXT),
    ("terminal-escapes", subject(ESCAPES) + TEXT),
    ("encoded-escapes", subject(
        encoded_word("line\nbreak\x1b[31m\ttab\x7f", "utf-8", "B")) + TEXT),
    ("path-up", subject(b"../../../etc/passwd") + TEXT),
    ("path-absolute", subject(b"/etc/shadow") + TEXT),
    ("encoded-slash", subject(encoded_word("a/b\\c", "utf-8", "Q")) + TEXT),
    ("dots", subject(b"..") + TEXT),
    ("shell", subject(b"$(reboot); `id` | tee *?[a-z] & 'x' \"y\" -rf") + TEXT),
    ("percent", subject(b"100%2Fnever%00 and %s%n") + TEXT),
    ("zero-width", subject(header_text("in\u200bvis\u2060ible\ufeff")) + TEXT),
    ("combining", subject(header_text("e\u0301\u0302\u0303" * 20)) + TEXT),
    ("raw-utf8", subject("Grüße ohne Kodierung — 你好".encode()) + TEXT),
    ("raw-latin1", subject("Grüße à la carte".encode("latin-1")) + TEXT),
    ("unknown-charset", subject(b"=?x-unknown-9?Q?caf=E9_au_lait?=") + TEXT),
    ("wrong-charset", subject(b"=?utf-8?Q?caf=E9_=C3=28?=") + TEXT),
    ("broken-encoded-word", subject(b"=?utf-8?B?####?= and =?utf-8?Q?") + TEXT),
    ("split-character", subject(
        b"=?utf-8?B?" + base64.b64encode("日".encode()[:2]) + b"?=" + CRLF
        + b" =?utf-8?B?" + base64.b64encode("日".encode()[2:]) + b"?=") + TEXT),
    ("jis-subject", subject(header_text("会議の件", "iso-2022-jp")) + TEXT),
    ("only-replies", subject(b"Re: RE: Fwd: AW: re:") + TEXT),
    ("no-from", fields(("Subject", b"From nobody")) + TEXT),
    ("empty-from", fields(("From", b""), ("Subject", b"Empty From")) + TEXT),
    ("null-from", fields(("From", b"<>"), ("Subject", b"Bounce")) + TEXT),
    ("group-from", fields(
        ("From", b"Undisclosed recipients:;"), ("Subject", b"A group")) + TEXT),
    ("two-from", fields(
        FROM, ("From", b"second@example.org"), ("Subject", b"Twice")) + TEXT),
    ("from-with-escapes", fields(
        ("From", b'"\x1b[31m/../\\"x" <../x@example.org>'),
        ("Subject", b"Escapes in the sender")) + TEXT),
    ("no-date", subject(b"No Date field") + TEXT),
    ("bad-date", subject(b"Bad Date", ("Date", b"yesterday, 25:61")) + TEXT),
    ("header-only", subject(b"Nothing but a header") + CRLF),
    ("no-blank-line", subject(b"The header never ends")),
    ("no-final-newline", subject(b"No newline at the end") + CRLF
     + b"The last line stops here"),
    ("long-line", subject(b"One long line") + CRLF + b"x" * 20000 + CRLF),
    ("bare-cr", subject(b"Bare CR inside") + CRLF + b"one\rtwo\r\rthree" + CRLF),
    ("binary-8bit", subject(b"All octets but NUL and LF") + CRLF
     + bytes(set(range(1, 256)) - {10, 13}) + CRLF),
    ("dot-lines", subject(b"Lines of dots") + CRLF + b".\r\n..\r\n.\r\n"),
    ("from-line", subject(b"From lines") + CRLF + b"From here\r\n>From\r\n"),
    ("imap-lookalike", subject(b"* 1 FETCH (UID 7) {5}") + CRLF
     + b")\r\na1 OK FETCH completed\r\n* BYE {10}\r\n"),
    ("nested-message", subject(b"Fwd: The inner one") + multipart(
        "mixed", [TEXT, fields(("Content-Type", b"message/rfc822")) + CRLF
                  + NESTED], "outer")),
    ("unclosed-multipart", subject(b"Boundary missing") + multipart(
        "mixed", [TEXT], "gone").removesuffix(b"--gone--" + CRLF)),
    ("tricky-attachment-names", subject(b"Look at these files") + multipart(
        "mixed", [TEXT,
                  attachment("../../.bashrc", "text/plain", b"x\r\n"),
                  attachment("Übersicht – 2025.txt", "text/plain", b"y\r\n"),
                  attachment("", "application/octet-stream", b"")], "names")),
    ("many-recipients", subject(b"To everybody", (
        "To", multiline(*[b" person%d@example.org," % n for n in range(300)])
        + CRLF + b" last@example.org")) + TEXT),
    ("duplicate", subject(b"The same subject") + TEXT),
    ("duplicate", subject(b"The same subject") + TEXT),
    ("duplicate", subject(b"The same subject") + TEXT),
]
