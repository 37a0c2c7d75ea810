"""The sample server and its mail are what the other tests take them for."""

import hashlib
import imaplib
import os
import pathlib
import re
import ssl
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]
                       / "examples"))

import certificates
import sample_mail
import sample_store
from sample_server import SampleServer, ServerError

MESSAGES = 150


def wire_name(folder):
    """The folder's name in modified UTF-7, quoted."""
    octets = folder.replace("&", "&-").encode("utf-7") \
        if folder.isascii() else re.sub(
            r"[^\x20-\x7e]+|&", lambda run: "&-" if run[0] == "&" else
            "&" + run[0].encode("utf-7")[1:].decode().rstrip("-")
            .replace("/", ",") + "-", folder).encode()
    return '"' + octets.decode() + '"'


def connect(server, ca_file=None):
    context = ssl.create_default_context(cafile=ca_file or server.ca_file)
    return imaplib.IMAP4_SSL("localhost", server.tls_port,
                             ssl_context=context)


def login(server):
    client = connect(server)
    client.login(server.user, server.users[server.user])
    return client


def digests(root):
    """Everything that a store's files say, dates included."""
    return {path.relative_to(root).as_posix(): (
        hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime)
        for folder in sample_store.folders(root)
        for path in sample_store.files(root, folder)}


def generate_same_seed_same_mailbox(directory):
    roots = [directory / name for name in ("one", "two", "other")]
    for root, seed in zip(roots, (7, 7, 8)):
        sample_mail.generate(root, messages=60, seed=seed)
    one, two, other = map(digests, roots)
    assert len(one) == 60, len(one)
    assert one == two
    assert one != other


def generate_total_bytes_is_kept(directory):
    sample_mail.generate(directory / "mail", messages=500, flat="Big",
                         total_bytes=5_000_000)
    total = sum(path.stat().st_size for path
                in sample_store.files(directory / "mail", "Big"))
    assert 4_700_000 < total < 5_300_000, total


def generate_has_no_octet_that_the_server_changes(directory):
    root = directory / "mail"
    sample_mail.generate(root, messages=MESSAGES)
    for folder in sample_store.folders(root):
        for path in sample_store.files(root, folder):
            octets = path.read_bytes()
            assert b"\0" not in octets, path
            assert octets.count(b"\n") == octets.count(b"\r\n"), path


def fetch_every_folder_is_the_store(directory):
    fetched = 0
    with SampleServer(directory) as server:
        server.generate(messages=MESSAGES)
        client = login(server)
        for folder in sample_store.folders(server.mail_root()):
            status, count = client.select(wire_name(folder), readonly=True)
            assert status == "OK", (folder, count)
            if int(count[0]) > 0:
                fetched += compare(client, folder, server.stored(folder))
        client.logout()
    assert fetched == MESSAGES, fetched


def compare(client, folder, stored):
    _, answers = client.uid("FETCH", "1:*",
                            "(RFC822.SIZE INTERNALDATE BODY.PEEK[])")
    seen = set()
    for head, body in (item for item in answers if isinstance(item, tuple)):
        uid = int(re.search(rb"UID (\d+)", head)[1])
        date = time.mktime(imaplib.Internaldate2tuple(head))
        assert body == stored[uid].read_bytes(), (folder, uid)
        assert b"RFC822.SIZE %d " % len(body) in head, (folder, uid, head)
        assert date == stored[uid].stat().st_mtime, (folder, uid, head)
        seen.add(uid)
    assert seen == set(stored), folder
    return len(seen)


def login_every_way_is_accepted(directory):
    with SampleServer(directory, users={"me": "a:b {c}\"d"},
                      mechanisms="plain login external") as server:
        login(server).logout()
        clear = imaplib.IMAP4(server.host, server.starttls_port)
        context = ssl.create_default_context(cafile=server.ca_file)
        clear.starttls(context)
        clear.login("me", "a:b {c}\"d")
        clear.logout()
        context.load_cert_chain(*server.authority.issue("me", client=True))
        client = imaplib.IMAP4_SSL("localhost", server.tls_port,
                                   ssl_context=context)
        client.authenticate("EXTERNAL", lambda _: b"me")
        client.logout()


def login_in_clear_is_refused(directory):
    with SampleServer(directory) as server:
        client = imaplib.IMAP4(server.other_host, server.starttls_port)
        assert "LOGINDISABLED" in client.capabilities, client.capabilities
        try:
            client.login(server.user, server.users[server.user])
        except imaplib.IMAP4.error:
            return
        raise AssertionError("logged in without TLS")


def connect_expired_certificate_is_refused(directory):
    authority = certificates.Authority(directory / "ca")
    old = authority.issue("old", ["localhost"], start="20200101000000Z",
                          end="20200201000000Z")
    with SampleServer(directory / "server", certificate=old) as server:
        try:
            connect(server, authority.certificate)
        except ssl.SSLCertVerificationError as error:
            assert "expired" in str(error), error
            return
        raise AssertionError("an expired certificate was accepted")


def settings_and_capability_are_used(directory):
    with SampleServer(directory, capability="IMAP4rev1 XSAMPLE",
                      settings={"imap_max_line_length": "64k"}) as server:
        client = login(server)
        assert client.capability()[1] == [b"IMAP4rev1 XSAMPLE"] * 2 \
            or b"XSAMPLE" in client.capability()[1][0]
        client.logout()


def start_bad_setting_says_what_is_wrong(directory):
    server = SampleServer(directory, settings={"nonsense": "1"})
    try:
        server.start()
    except ServerError as error:
        assert "nonsense" in str(error), error
    else:
        raise AssertionError("started")
    finally:
        server.remove()


def restart_keeps_ports_and_mail(directory):
    server = SampleServer(directory)
    server.generate(messages=20)
    server.start()
    before = server.url, server.starttls_url
    server.stop()
    assert not server.running()
    server.start()
    try:
        assert (server.url, server.starttls_url) == before
        login(server).logout()
    finally:
        server.remove()


TESTS = [
    generate_same_seed_same_mailbox,
    generate_total_bytes_is_kept,
    generate_has_no_octet_that_the_server_changes,
    fetch_every_folder_is_the_store,
    login_every_way_is_accepted,
    login_in_clear_is_refused,
    connect_expired_certificate_is_refused,
    settings_and_capability_are_used,
    start_bad_setting_says_what_is_wrong,
    restart_keeps_ports_and_mail,
]


def main():
    failed = 0
    print(f"1..{len(TESTS)}", flush=True)
    for number, test in enumerate(TESTS, 1):
        with tempfile.TemporaryDirectory(prefix="imapfs-test-") as directory:
            os.chmod(directory, 0o711)
            try:
                test(pathlib.Path(directory))
                print(f"ok {number} - {test.__name__}", flush=True)
            except Exception:
                failed += 1
                print(f"not ok {number} - {test.__name__}")
                for line in traceback.format_exc().splitlines():
                    print(f"# {line}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
