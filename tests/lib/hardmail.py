"""Messages that are hard to take apart, more than three hundred of them: deep,
broken, in every encoding and many character sets, with names of every kind.

The same ones each time. Each is a pair of a title and octets with CRLF.
"""

import base64
import binascii
import quopri
import random
import re

WORDS = ('Grüße aus Köln', 'naïve café', 'Привет, мир', '日本語のテキスト',
         '한국어 문장', 'Ελληνικά', 'plain text', 'שלום', '€ 100 “quoted”')


def crlf(text):
    if isinstance(text, str):
        text = text.encode()
    return text.replace(b'\r\n', b'\n').replace(b'\n', b'\r\n')


def header(title, *fields):
    return crlf('From: Alice <alice@example.org>\nTo: bob@example.org\n'
                f'Subject: {title}\nDate: Mon, 2 Mar 2026 10:00:00 +0000\n'
                f'Message-ID: <{abs(binascii.crc32(title.encode()))}.'
                f'{len(title)}@hard>\nMIME-Version: 1.0\n'
                + ''.join(field + '\n' for field in fields))


def multipart(boundary, parts, *, preamble=b'', epilogue=b'', close=True):
    out = preamble
    for part in parts:
        out += b'--' + boundary.encode() + b'\r\n' + part + b'\r\n'
    if close:
        out += b'--' + boundary.encode() + b'--\r\n'
    return out + epilogue


def part(kind, body, *fields):
    return crlf(f'Content-Type: {kind}\n'
                + ''.join(field + '\n' for field in fields) + '\n') + body


def encoded(body, encoding):
    if encoding == 'base64':
        return crlf(base64.encodebytes(body)).rstrip(b'\r\n')
    if encoding == 'quoted-printable':
        return crlf(quopri.encodestring(body))
    if encoding in ('uuencode', 'x-uuencode', 'x-uue'):
        lines = b''.join(binascii.b2a_uu(body[i:i + 45])
                         for i in range(0, len(body), 45))
        return crlf(b'begin 644 data\n' + lines + b'`\nend\n')
    return body


def mixed(title, parts, kind='mixed', boundary='=_b', **named):
    return (title, header(title, f'Content-Type: multipart/{kind}; '
                                 f'boundary="{boundary}"')
            + b'\r\n' + multipart(boundary, parts, **named))


TEXT = part('text/plain; charset=utf-8', b'A text.\r\n')


def encodings(rng):
    """Every transfer encoding, of contents of every kind."""
    contents = {
        'empty': b'', 'one': b'x', 'short': b'Hello.\r\n',
        'binary': bytes(rng.randrange(1, 256) for _ in range(700)),
        'long-line': b'y' * 3000 + b'\r\n',
        'text': crlf(''.join(word + '\n' for word in WORDS)),
        'dots': b'.\r\n..\r\nFrom here\r\n--\r\n-- \r\n',
        'spaces': b'trailing \t \r\n   \r\n',
    }
    for encoding in ('7bit', '8bit', 'binary', 'base64', 'quoted-printable',
                     'x-uuencode', 'BASE64', 'Quoted-Printable', 'x-unknown',
                     ''):
        for name, body in contents.items():
            field = f'Content-Transfer-Encoding: {encoding}'
            yield mixed(f'{encoding or "none"} of {name}', [
                TEXT,
                part('application/octet-stream; name="a.bin"',
                     encoded(body, encoding.lower()), field)])


def broken_encodings(rng):
    good = encoded(b'The quick brown fox. ' * 20, 'base64')
    bodies = {
        'cut': good[:101], 'one octet': good[:1], 'padding inside':
        good[:40] + b'==' + good[40:], 'garbage':
        good[:50] + b'!#$%&*()' + good[50:], 'spaces':
        good.replace(b'A', b' A '), 'no ends of lines':
        good.replace(b'\r\n', b''), 'trailing text':
        good + b'\r\n==\r\nA mailing list appended this.\r\n',
        'eight bit': good[:30] + 'ü'.encode() + good[30:],
        'two streams': encoded(b'one', 'base64') + encoded(b'two', 'base64'),
    }
    for name, body in bodies.items():
        yield mixed(f'base64, {name}', [
            TEXT, part('image/png; name="p.png"', body,
                       'Content-Transfer-Encoding: base64')])
    for name, body in {
            'lone =': b'a=\r\nb= \r\nc=', 'bad hex': b'=zz=4=Q1',
            'lower case': b'=c3=bc', 'underscore': b'a_b', 'long': b'=41' * 500,
            'nothing': b'', 'soft at end': b'abc=\r\n'}.items():
        yield mixed(f'quoted-printable, {name}', [
            TEXT, part('application/x-q; name="q"', body,
                       'Content-Transfer-Encoding: quoted-printable')])
    for name, body in {
            'no end': b'begin 644 x\r\n#0V%T\r\n', 'no begin': b'#0V%T\r\n`\r\n',
            'text before': b'Hello\r\nbegin 644 x\r\n#0V%T\r\n`\r\nend\r\n',
            'empty': b'begin 644 x\r\n`\r\nend\r\n'}.items():
        yield mixed(f'uuencode, {name}', [
            TEXT, part('application/x-u; name="u"', body,
                       'Content-Transfer-Encoding: x-uuencode')])


def charsets():
    for name, codec, words in (
            ('utf-8', 'utf-8', WORDS), ('iso-8859-1', 'latin-1', WORDS[:2]),
            ('ISO-8859-15', 'iso8859-15', ('€ café',)),
            ('windows-1252', 'cp1252', ('“quoted” €',)),
            ('windows-1251', 'cp1251', WORDS[2:3]),
            ('koi8-r', 'koi8-r', WORDS[2:3]),
            ('iso-8859-5', 'iso8859-5', WORDS[2:3]),
            ('iso-8859-7', 'iso8859-7', WORDS[5:6]),
            ('iso-8859-8', 'iso8859-8', WORDS[7:8]),
            ('iso-2022-jp', 'iso2022-jp', WORDS[3:4]),
            ('shift_jis', 'shift_jis', WORDS[3:4]),
            ('euc-jp', 'euc-jp', WORDS[3:4]), ('euc-kr', 'euc-kr', WORDS[4:5]),
            ('gb2312', 'gb2312', ('中文',)), ('gb18030', 'gb18030', ('中文',)),
            ('big5', 'big5', ('中文',)),
            ('utf-16', 'utf-16', WORDS[:3]), ('utf-7', 'utf-7', WORDS[:1])):
        body = ''.join(word + '\r\n' for word in words).encode(codec)
        # What has a NUL can only be sent encoded.
        for encoding in (('base64',) if codec == 'utf-16' else
                         ('8bit', 'base64', 'quoted-printable')):
            yield mixed(f'text in {name}, {encoding}', [
                part(f'text/plain; charset={name}', encoded(body, encoding),
                     f'Content-Transfer-Encoding: {encoding}'),
                part(f'text/x-more; charset="{name}"; name="more.txt"',
                     encoded(body, encoding),
                     f'Content-Transfer-Encoding: {encoding}')])


def wrong_charsets():
    for name, charset, body in (
            ('unknown set', 'x-unknown', 'Grüße'.encode()),
            ('unknown set, latin', 'unknown-8bit', 'Grüße'.encode('latin-1')),
            ('ascii that is utf-8', 'us-ascii', 'Grüße'.encode()),
            ('ascii that is latin', 'us-ascii', 'Grüße'.encode('latin-1')),
            ('utf-8 that is latin', 'utf-8', 'Grüße, '.encode('latin-1')),
            ('latin that is utf-8', 'iso-8859-1', 'Grüße'.encode()),
            ('empty name', '""', 'Grüße'.encode()),
            ('long name', 'x' * 300, b'text'),
            ('name with quotes', '"ut\\"f-8"', b'text'),
            ('locale tricks', 'ISO-8859-1//TRANSLIT', b'text \xe9')):
        yield mixed(f'charset: {name}', [
            part(f'text/plain; charset={charset}', body,
                 'Content-Transfer-Encoding: 8bit'),
            part('application/octet-stream', b'rest')])
    yield mixed('no charset', [part('text/plain', 'Grüße'.encode())])


def names():
    for name in ('plain.pdf', 'two words.pdf', 'slash/in/name.pdf',
                 '../../etc/passwd', '..', '.', '.hidden', 'tab\there.txt',
                 'C:\\\\Windows\\\\evil.exe', 'x' * 300 + '.pdf', 'trailing.',
                 'ünïcödé.pdf', 'Отчёт.pdf', 'quote\\"inside.pdf', ' spaces ',
                 'a;b=c.txt', 'header.txt', 'body.txt', 'body.html', 'no-dot',
                 'star*name.pdf', 'percent%20name.pdf', "it's.pdf", '-rf',
                 '\u202egpj.exe', 'a\u200bb.txt', 'ｆｕｌｌ.txt'):
        yield mixed(f'name {name[:30]!r}'.encode('ascii', 'replace').decode(), [
            TEXT, part(f'application/pdf; name="{name}"', b'PDF',
                       f'Content-Disposition: attachment; filename="{name}"')])
    for name, fields in (
            ('RFC 2231', "filename*=utf-8''na%C3%AFve%20file.pdf"),
            ('RFC 2231, pieces', "filename*0=\"long-\";\n filename*1=\"name\";\n"
                                 ' filename*2=".pdf"'),
            ('RFC 2231, encoded pieces', "filename*0*=utf-8''%E2%82%AC%20;\n "
                                         'filename*1*=100;\n filename*2=".pdf"'),
            ('RFC 2231, out of order', 'filename*1="b.pdf";\n filename*0="a-"'),
            ('RFC 2231, a piece is missing', 'filename*0="a-";\n '
                                             'filename*2="c.pdf"'),
            ('RFC 2231, language', "filename*=iso-8859-1'de'Gr%FC%DFe.pdf"),
            ('RFC 2231, unknown set', "filename*=x-none''a%FFb.pdf"),
            ('RFC 2231, bad percent', "filename*=utf-8''a%zz%.pdf"),
            ('RFC 2231 with a slash', "filename*=utf-8''..%2F..%2Fx.pdf"),
            ('RFC 2231 with a NUL', "filename*=utf-8''a%00b.pdf"),
            ('RFC 2231 with a line', "filename*=utf-8''a%0D%0Ab.pdf"),
            ('both forms', "filename=\"a.pdf\";\n filename*=utf-8''b.pdf"),
            ('RFC 2047', 'filename="=?utf-8?q?na=C3=AFve.pdf?="'),
            ('RFC 2047, base64', 'filename="=?iso-8859-1?b?R3L832U=?=.pdf"'),
            ('RFC 2047, two words', 'filename="=?utf-8?q?one?=\n '
                                    '=?utf-8?q?two.pdf?="'),
            ('no quotes', 'filename=report.pdf'),
            ('no quotes, spaces', 'filename=my report.pdf'),
            ('empty', 'filename=""'), ('no value', 'filename='),
            ('no end of quotes', 'filename="abc.pdf')):
        yield mixed(f'names: {name}', [
            TEXT, part('application/pdf', b'PDF',
                       f'Content-Disposition: attachment; {fields}')])
    yield mixed('the same name many times', [
        part('image/png; name="image001.png"', b'PNG %d' % i)
        for i in range(40)])
    yield mixed('names that differ in nothing one sees', [
        part(f'image/png; name="{name}"', name.encode())
        for name in ('a.png', 'A.png', 'a.png ', 'a\u200b.png', 'a.png')])


def nested():
    for depth in (1, 2, 5, 10, 20, 30):
        inner = (header(f'innermost {depth}', 'Content-Type: text/plain')
                 + b'\r\nThe end.\r\n')
        for level in range(depth):
            inner = (header(f'level {level}',
                            'Content-Type: multipart/mixed; '
                            f'boundary="l{level}"') + b'\r\n'
                     + multipart(f'l{level}', [
                         TEXT, part('message/rfc822', inner)]))
        yield f'messages, {depth} deep', inner
        inner = TEXT
        for level in range(depth):
            inner = part(f'multipart/mixed; boundary="m{level}"',
                         multipart(f'm{level}', [inner, part(
                             f'text/x-{level}', b'level %d' % level)]))
        yield (f'multiparts, {depth} deep',
               header(f'multiparts {depth}') + inner)
    leaf = header('forwarded', 'Content-Type: text/html') + b'\r\n<p>Hi</p>\r\n'
    yield mixed('a message with a name', [
        TEXT, part('message/rfc822; name="letter.eml"', leaf),
        part('message/rfc822', leaf,
             'Content-Disposition: attachment; filename="a/b.eml"')])
    yield ('only a message', header('only a message',
                                    'Content-Type: message/rfc822')
           + b'\r\n' + leaf)
    yield mixed('a digest', [b'\r\n' + leaf, b'\r\n' + leaf], kind='digest')
    yield mixed('a message in base64', [
        part('message/rfc822', encoded(leaf, 'base64'),
             'Content-Transfer-Encoding: base64')])
    yield mixed('an empty message', [part('message/rfc822', b'')])
    yield mixed('a message without a body', [
        part('message/rfc822', header('no body', 'Content-Type: text/plain'))])
    yield mixed('a report', [
        TEXT, part('message/delivery-status',
                   b'Reporting-MTA: dns; x\r\n\r\nAction: failed\r\n'),
        part('text/rfc822-headers', leaf.split(b'\r\n\r\n')[0] + b'\r\n')],
        kind='report')


def boundaries():
    a, b = TEXT, part('text/html', b'<p>A text.</p>\r\n')
    for name, message in {
            'not closed': mixed('x', [a, b], close=False),
            'with preamble': mixed('x', [a, b], preamble=b'Preamble.\r\n'),
            'with epilogue': mixed('x', [a, b], epilogue=b'Epilogue.\r\n'),
            'with spaces': mixed('x', [a, b], boundary='a b c'),
            'with quotes': mixed('x', [a, b], boundary="a'()+_,-./:=?c"),
            'of 70': mixed('x', [a, b], boundary='b' * 70),
            'of 200': mixed('x', [a, b], boundary='b' * 200),
            'prefix of another': mixed('x', [part(
                'multipart/mixed; boundary="bb"', multipart('bb', [a, b])), b],
                boundary='b'),
            'same inside': mixed('x', [part(
                'multipart/mixed; boundary="=_b"', multipart('=_b', [a])), b]),
            'no parts': mixed('x', []),
            'one empty part': mixed('x', [b'']),
            'empty parts': mixed('x', [b'\r\n', b'\r\n', b'\r\n']),
            'only header of a part': mixed('x', [b'Content-Type: text/html\r\n',
                                                 a]),
    }.items():
        yield f'boundary {name}', message[1]
    whole = mixed('x', [a, b])[1]
    yield 'boundary that never comes', whole.replace(b'--=_b', b'--other')
    yield 'boundary missing in the header', whole.replace(
        b'; boundary="=_b"', b'')
    yield 'boundary empty', whole.replace(b'"=_b"', b'""')
    yield 'boundary with trailing spaces', whole.replace(
        b'--=_b\r\n', b'--=_b \t\r\n')
    yield 'boundary inside a line', whole.replace(
        b'A text.', b'A --=_b text.')
    yield 'text behind the boundary', whole.replace(b'--=_b--', b'--=_b-- x')
    for cut in (1, 20, 60, 120):
        yield f'cut {cut} before the end', whole[:-cut]
    for kind in ('alternative', 'related', 'signed', 'encrypted', 'parallel',
                 'x-unknown', 'form-data'):
        yield mixed(f'multipart/{kind}', [a, b, part(
            'application/octet-stream', b'x' * 100)], kind=kind)


def oddities(rng):
    yield mixed('1000 parts', [part('text/x-n', b'%d' % i)
                               for i in range(1000)])
    yield mixed('TNEF', [TEXT, part(
        'application/ms-tnef; name="winmail.dat"',
        encoded(b'\x78\x9f\x3e\x22' + bytes(rng.randrange(256)
                                            for _ in range(500)), 'base64'),
        'Content-Transfer-Encoding: base64')])
    for name, fields, body in (
            ('no header fields', '', b'Just a body.\r\n'),
            ('no type', 'X-Nothing: here', b'Just a body.\r\n'),
            ('empty type', 'Content-Type:', b'A body.\r\n'),
            ('type without subtype', 'Content-Type: text', b'A body.\r\n'),
            ('type of garbage', 'Content-Type: ;;;=', b'A body.\r\n'),
            ('two types', 'Content-Type: text/html\nContent-Type: text/plain',
             b'A body.\r\n'),
            ('long type', 'Content-Type: text/' + 'x' * 900, b'A body.\r\n'),
            ('upper case', 'CONTENT-TYPE: TEXT/PLAIN; CHARSET=UTF-8',
             'Grüße\r\n'.encode()),
            ('comments', 'Content-Type: text/plain (a (nested) comment); '
                         'charset=utf-8 (more)', 'Grüße\r\n'.encode()),
            ('folded', 'Content-Type:\n text/plain;\n\tcharset=utf-8',
             'Grüße\r\n'.encode()),
            ('external', 'Content-Type: message/external-body; '
                         'access-type=URL', b'Content-Type: a/b\r\n\r\n'),
            ('partial', 'Content-Type: message/partial; id=x; number=1',
             b'Subject: a\r\n\r\nb\r\n'),
            ('image alone', 'Content-Type: image/png; name=a.png', b'PNG'),
            ('no body', 'Content-Type: text/plain', b''),
            ('HTML alone', 'Content-Type: text/html', b'<p>Hi</p>\r\n')):
        yield name, header(name, *([fields] if fields else [])) + b'\r\n' + body
    yield 'nothing but a body', b'\r\nNo header at all.\r\n'
    yield mixed('no text', [part('image/png; name="a.png"', b'PNG')])
    yield mixed('two texts', [TEXT, part('text/plain', b'The second.\r\n'),
                              part('text/html', b'<b>one</b>'),
                              part('text/html', b'<b>two</b>')])
    yield mixed('an attached text', [part(
        'text/plain; name="notes.txt"', b'Notes.\r\n',
        'Content-Disposition: attachment')])
    yield mixed('long header', [part('text/plain', b'x', *[
        f'X-Field-{i}: ' + 'v' * 200 for i in range(200)])])


def long_broken_encodings():
    """Parts so long that a server may be asked to decode them."""
    good = encoded(b'The quick brown fox. ' * 600, 'base64')
    for name, body in {
            'good': good, 'one octet less': good[:-1],
            'cut': good[:-101], 'padding inside': good[:40] + b'==' + good[40:],
            'padding in place of digits': good[:40] + b'==' + good[42:],
            'a line end less': good[:78].rstrip() + good[78:],
            'garbage': good[:50] + b'!#$%&*()' + good[50:],
            'trailing text': good + b'\r\n==\r\nA list appended this.\r\n',
            'empty lines behind': good + b'\r\n' * 4}.items():
        yield mixed(f'long base64, {name}', [
            TEXT, part('image/png; name="p.png"', body,
                       'Content-Transfer-Encoding: base64')])


def without_parts():
    """Multiparts in which there is nothing, in other things."""
    empty = part('multipart/alternative; boundary="in"', multipart('in', []))
    for name, message in {
            'in a multipart': part(
                'message/rfc822', mixed('x', [TEXT, empty])[1]),
            'in a message': part(
                'message/rfc822', mixed('x', [], boundary='in')[1]),
            'alone': empty}.items():
        yield mixed(f'no parts, {name}', [TEXT, message])
    yield mixed('no parts, but an empty text', [
        TEXT, part('message/rfc822', part('text/plain', b''))])


# What servers have ideas of their own of: how titles begin.
SERVERS_DIFFER = (
    'base64, ', 'long base64, ', 'names: RFC 2231', 'boundary no parts',
    'boundary one empty', 'boundary empty parts', 'boundary missing',
    'boundary that never', 'boundary text behind', 'no parts, ', 'no type',
    'type of garbage', 'only a message', 'a digest', 'a message in base64',
    'an empty message', 'a message without a body',
    'messages, 2 deep', 'messages, 5 deep', 'text in utf-8, ')


def mutated(messages, rng, count=60):
    """Some of the others, with a piece cut out, doubled, or overwritten."""
    for number in range(count):
        title, body = rng.choice(messages)
        body = bytearray(body[:20000])
        for _ in range(rng.randrange(1, 4)):
            start = rng.randrange(len(body))
            end = min(len(body), start + rng.randrange(1, 80))
            what = rng.randrange(3)
            if what == 0:
                del body[start:end]
            elif what == 1:
                body[start:start] = body[start:end]
            else:
                body[start:end] = bytes(rng.randrange(32, 127)
                                        for _ in range(end - start))
        yield f'mutated {number}: {title}', bytes(body)


def corpus():
    rng = random.Random(7)
    messages = [*encodings(rng), *broken_encodings(rng), *charsets(),
                *wrong_charsets(), *names(), *nested(), *boundaries(),
                *oddities(rng)]
    messages += mutated(messages, rng)
    messages += [*long_broken_encodings(), *without_parts()]
    assert len(messages) >= 300, len(messages)
    # As a client's APPEND would send them: no CR or LF stands alone.
    return [(title, re.sub(rb'\r\n|\r|\n', b'\r\n', body))
            for title, body in messages]


def with_filler(body, octets):
    """The same message with so much more header."""
    line = b'X-Filler: ' + b'f' * 60 + b'\r\n'
    return line * (octets // len(line) + 1) + body
