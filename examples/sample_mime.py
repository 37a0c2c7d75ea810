"""Writes MIME messages octet by octet.

Not with the email package: it would refuse or mend the broken messages that the
sample needs, and takes a minute for ten thousand.
"""

import base64
import binascii
import textwrap
import time

CRLF = b"\r\n"
ENCODED_WORD_MAX = 75
DAYS = "Mon Tue Wed Thu Fri Sat Sun".split()
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


def encode(text, charset):
    """@text in @charset, or in UTF-8 where that cannot hold it."""
    try:
        return text.encode(charset), charset
    except UnicodeEncodeError:
        return text.encode("utf-8"), "utf-8"


def encoded_word(text, charset, form):
    octets = text.encode(charset)
    if form == "B":
        payload = base64.b64encode(octets)
    else:
        payload = b"".join(
            b"_" if octet == 0x20
            else bytes([octet]) if chr(octet).isalnum() and octet < 0x80
            else b"=%02X" % octet for octet in octets)
    return b"=?%s?%s?%s?=" % (charset.encode(), form.encode(), payload)


def header_text(text, charset="utf-8", form="B"):
    """@text for a header field: as it is if ASCII, else RFC 2047, folded."""
    if text.isascii():
        return text.encode()
    charset = encode(text, charset)[1]
    words, start = [], 0
    while start < len(text):
        end = min(len(text), start + 40)
        while len(encoded_word(text[start:end], charset, form)) \
                > ENCODED_WORD_MAX:
            end -= 1
        words.append(encoded_word(text[start:end], charset, form))
        start = end
    return (CRLF + b" ").join(words)


def address(name, spec, charset="utf-8", form="Q"):
    """A mailbox: `Name <spec>`."""
    if not name:
        return spec.encode()
    if name.isascii():
        quoted = f'"{name}"' if any(c in name for c in ".,&()") else name
        return f"{quoted} <{spec}>".encode()
    return header_text(name, charset, form) + f" <{spec}>".encode()


def wrap(text):
    """Lines of at most 76 columns, also where no spaces are (CRLF)."""
    width = 76 if text.isascii() or " " in text[:60] else 36
    return "\r\n".join(
        "\r\n".join(textwrap.wrap(line, width)) for line in text.split("\n"))


def encode_body(octets, encoding):
    """Octets with CRLF line ends in a transfer encoding."""
    if encoding == "base64":
        return base64.encodebytes(octets).replace(b"\n", CRLF)
    if encoding == "quoted-printable":
        lines = octets.replace(CRLF, b"\n")
        return binascii.b2a_qp(lines, istext=True).replace(b"\n", CRLF)
    return octets


def fields(*pairs):
    return b"".join(name.encode() + b": " + value + CRLF
                    for name, value in pairs)


def text_part(text, charset="utf-8", encoding="8bit", subtype="plain",
              parameters=""):
    """A part of text, its header included."""
    octets, charset = encode(wrap(text) if subtype == "plain"
                             else text.replace("\n", "\r\n"), charset)
    if charset == "utf-8" and encoding == "7bit":
        encoding = "8bit"
    return fields(
        ("Content-Type",
         f"text/{subtype}; charset={charset}{parameters}".encode()),
        ("Content-Transfer-Encoding", encoding.encode()),
    ) + CRLF + encode_body(octets + CRLF, encoding)


def attachment(name, content_type, octets):
    """A file, its name in RFC 2231 where it is not ASCII."""
    if name.isascii():
        parameter = f'filename="{name}"'
    else:
        parameter = "filename*=utf-8''" + "".join(
            f"%{octet:02X}" for octet in name.encode())
    return fields(
        ("Content-Type", content_type.encode()),
        ("Content-Disposition", f"attachment;\r\n {parameter}".encode()),
        ("Content-Transfer-Encoding", b"base64"),
    ) + CRLF + encode_body(octets, "base64")


def multipart(subtype, parts, boundary):
    """A multipart of @parts, its header included."""
    mark = boundary.encode()
    return fields(
        ("Content-Type",
         f'multipart/{subtype};\r\n boundary="{boundary}"'.encode()),
    ) + CRLF + b"".join(b"--" + mark + CRLF + part + CRLF for part in parts) \
        + b"--" + mark + b"--" + CRLF


def format_date(seconds, zone="+0000"):
    """RFC 5322, in English whatever the locale."""
    offset = int(zone[1:3]) * 3600 + int(zone[3:]) * 60
    moment = time.gmtime(seconds + (offset if zone[0] == "+" else -offset))
    return (f"{DAYS[moment.tm_wday]}, {moment.tm_mday} "
            f"{MONTHS[moment.tm_mon - 1]} "
            f"{time.strftime('%Y %H:%M:%S', moment)} {zone}").encode()
