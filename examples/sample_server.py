#!/usr/bin/env python3
"""A private Dovecot on loopback, for the quickstart, tests and benchmarks.

It needs no rights and touches no other Dovecot of the machine: every process
runs as one ordinary user, with configuration, mail and log in a directory of
its own. Dovecot refuses to serve mail as root, so for root that user is MAIL.

    server = SampleServer(directory)
    server.generate(messages=400)
    server.start()
    ... server.url, server.password_file, server.ca_file ...
    server.stop()

or `with SampleServer(directory) as server:`. On the command line (see --help)
it stays in the background until `stop`. What others need to know is in
`sample.json` in the directory.
"""

import argparse
import base64
import contextlib
import grp
import json
import os
import pathlib
import pwd
import secrets
import select
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True

import certificates
import sample_mail
import sample_store

MAIL = "mail"
READY_SECONDS = 30
STOP_SECONDS = 10

CONFIGURATION = """\
protocols = imap
listen = {host}
base_dir = "{run}/base"
state_dir = "{run}/base"
log_path = "{home}/log"
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
default_vsz_limit = 1 G
auth_mechanisms = {mechanisms}
auth_failure_delay = 0
auth_cache_size = 0
disable_plaintext_auth = yes
ssl = required
ssl_cert = <{home}/server.pem
ssl_key = <{home}/server.key
mail_location = maildir:%h:UTF-8:LAYOUT=fs
mail_fsync = never
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Entwürfe {{
    special_use = \\Drafts
  }}
  mailbox Отправленные {{
    special_use = \\Sent
  }}
  mailbox Trash {{
    special_use = \\Trash
  }}
}}
passdb {{
  driver = passwd-file
  args = "{home}/users"
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = {host} {other_host}
    port = {starttls_port}
  }}
  inet_listener imaps {{
    address = {host}
    port = {tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth-worker {{
  user = {user}
}}
"""

CLIENT_CERTIFICATES = """\
ssl_ca = <{home}/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_username_from_cert = yes
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}
"""


class ServerError(Exception):
    """The sample server cannot do what was asked; the text says why."""


class SampleServer:
    """One server in @directory; a directory that was used before goes on.

    users: {name: password}, None for a random one. The first is `user`.
    mechanisms: as in auth_mechanisms; "external" also asks for client
      certificates (of `authority.issue(user, client=True)`).
    capability: replaces what the server advertises ("+X" adds to it).
    settings: {name: value} of further settings; extra: text at the end.
    certificate: (certificate, key) files instead of one for @names.
    ports: of TLS and of STARTTLS, if it is not to choose them.
    """

    host = "127.0.0.1"
    # Dovecot takes a client at its own address for a local one and lets it log
    # in without TLS. At this address, STARTTLS port only, it does not.
    other_host = "127.0.0.2"

    def __init__(self, directory, users=None, capability=None, settings=None,
                 extra="", certificate=None,
                 names=("localhost", host, other_host),
                 mechanisms="plain login scram-sha-1 scram-sha-256",
                 ports=(None, None)):
        self.directory = pathlib.Path(directory).absolute()
        self._make_directory()
        self._owner = pwd.getpwnam(MAIL) if os.geteuid() == 0 \
            else pwd.getpwuid(os.geteuid())
        self._state_file = self.directory / "sample.json"
        self._process = None
        state = read_state(self.directory)

        self.home = pathlib.Path(state.get("home") or self._choose_home())
        self.run = state.get("run")
        self.pid = state.get("pid")
        self.tls_port = state.get("tls_port") or ports[0]
        self.starttls_port = state.get("starttls_port") or ports[1]
        self.users = {name: password or secrets.token_hex(8) for name, password
                      in (users or state.get("users") or {"me": None}).items()}
        self.user = next(iter(self.users))
        self.mechanisms = mechanisms
        self.capability = capability
        self.settings = dict(settings or {})
        self.extra = extra
        self.authority = certificates.Authority(self.directory / "tls")
        self.ca_file = self.authority.certificate
        self.password_file = self.directory / "password"
        self.log_file = self.home / "log"
        self._certificate = certificate or self.authority.issue(
            "server", names)
        self._write_state()

    # What a client needs

    @property
    def url(self):
        return f"imaps://{self.user}@localhost:{self.tls_port}/"

    @property
    def starttls_url(self):
        return f"imap://{self.user}@localhost:{self.starttls_port}/"

    def mail_root(self, user=None):
        """Where the mail of @user lies: a Maildir, its folders inside it."""
        return self.home / "mail" / (user or self.user)

    def generate(self, user=None, **options):
        """Writes sample mail: sample_mail.generate(), and what it returns."""
        root = self.mail_root(user)
        made = sample_mail.generate(root, **options)
        if sample_store.INBOX in made:
            self._give_away(self.home / "mail")
        else:  # what is there already may be much
            for folder in made:
                self._give_away_folder(root, folder)
        return made

    def stored(self, folder, user=None):
        """{UID: path} of the messages of @folder as the server has them.

        A folder that the server has not opened yet has no UIDs: {}.
        """
        return sample_store.messages(self.mail_root(user), folder)

    # Life

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *unused):
        self.remove()

    def running(self):
        return is_server(self.pid, self.home)

    def start(self, detached=False):
        """Starts it and returns when it answers on both ports.

        A server that is not @detached belongs to the caller's process group,
        so that whatever ends a test ends its server too.
        """
        if self.running():
            raise ServerError(f"already running, process {self.pid}")
        for attempt in range(5):
            self._choose_ports(again=attempt > 0)
            self._write_configuration()
            self._launch(detached)
            try:
                self._wait_until_ready()
                break
            except ServerError as error:
                self.stop()
                if attempt == 4 or "in use" not in str(error):
                    raise
        self._write_state()

    def stop(self):
        """Ends it, and waits until it is gone. Harmless if it does not run."""
        if self.running():
            stop_process(self.pid)
            self._wait_until_silent()
        if self._process is not None:
            self._process.wait()
            self._process = None
        self.pid = None
        self._remove_run_directory()
        if self.directory.exists():
            self._write_state()

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            return self.log_file.read_text(errors="replace")
        return ""

    def remove(self):
        """Stops it and removes what lies outside @directory."""
        self.stop()
        if self.directory not in self.home.parents:
            shutil.rmtree(self.home, ignore_errors=True)

    def _remove_run_directory(self):
        if self.run is not None:
            shutil.rmtree(self.run, ignore_errors=True)
            self.run = None

    # Its directory

    def _make_directory(self):
        if not self.directory.is_dir():
            mode = 0o711 if os.geteuid() == 0 else 0o700
            self.directory.mkdir(parents=True, mode=mode)

    def _choose_home(self):
        """@directory/server, unless the server's user cannot get there."""
        home = self.directory / "server"
        if os.geteuid() == 0 and not all(
                parent.stat().st_mode & stat.S_IXOTH
                for parent in home.parents):
            return tempfile.mkdtemp(prefix="imapfs-sample-", dir="/var/tmp")
        return home

    def _give_away_folder(self, root, folder):
        path = sample_store.folder_path(root, folder)
        self._give_away(path)
        if os.geteuid() == 0:
            for parent in path.parents:
                if parent == self.home:
                    break
                os.chown(parent, self._owner.pw_uid, self._owner.pw_gid)

    def _give_away(self, path):
        if os.geteuid() != 0:
            return
        uid, gid = self._owner.pw_uid, self._owner.pw_gid
        os.chown(path, uid, gid)
        for parent, folders, files in os.walk(path):
            for name in folders + files:
                os.chown(os.path.join(parent, name), uid, gid)

    def _choose_ports(self, again):
        """Keeps the ports over a restart: mounts go on with them."""
        if self.tls_port and not again and not any(
                is_listening(self.host, port)
                for port in (self.tls_port, self.starttls_port)):
            return
        with socket.create_server((self.host, 0)) as first, \
                socket.create_server((self.host, 0)) as second:
            self.tls_port = first.getsockname()[1]
            self.starttls_port = second.getsockname()[1]

    def _write_configuration(self):
        (self.home / "mail" / self.user).mkdir(parents=True, exist_ok=True)
        self._remove_run_directory()
        self.run = make_short_directory()
        os.mkdir(os.path.join(self.run, "base"), mode=0o755)
        certificate, key = self._certificate
        for source, name in ((certificate, "server.pem"), (key, "server.key"),
                             (self.ca_file, "ca.pem")):
            write_private(self.home / name, pathlib.Path(source).read_text())
        write_private(self.home / "users", "".join(
            name + ":{PLAIN.b64}"
            + base64.b64encode(password.encode()).decode() + "\n"
            for name, password in self.users.items()))

        values = {
            "home": self.home, "run": self.run,
            "host": self.host, "other_host": self.other_host,
            "user": self._owner.pw_name,
            "group": grp.getgrgid(self._owner.pw_gid).gr_name,
            "uid": self._owner.pw_uid, "gid": self._owner.pw_gid,
            "mechanisms": self.mechanisms,
            "tls_port": self.tls_port, "starttls_port": self.starttls_port,
        }
        text = CONFIGURATION.format(**values)
        if "external" in self.mechanisms.lower().split():
            text += CLIENT_CERTIFICATES.format(**values)
        if self.capability is not None:
            text += f"imap_capability = {self.capability}\n"
        text += "".join(f"{name} = {value}\n"
                        for name, value in self.settings.items())
        write_private(self.home / "dovecot.conf", text + self.extra + "\n")
        with contextlib.suppress(FileNotFoundError):
            self.log_file.unlink()
        self._give_away(self.home)
        self._give_away(self.run)

    def _write_state(self):
        write_private(self.password_file, self.users[self.user] + "\n")
        write_private(self._state_file, json.dumps({
            "host": self.host,
            "tls_port": self.tls_port,
            "starttls_port": self.starttls_port,
            "url": self.url,
            "starttls_url": self.starttls_url,
            "user": self.user,
            "users": self.users,
            "password_file": str(self.password_file),
            "ca_file": str(self.ca_file),
            "mail_root": str(self.mail_root()),
            "log": str(self.log_file),
            "home": str(self.home),
            "run": self.run,
            "pid": self.pid,
        }, indent=2, ensure_ascii=False) + "\n")

    # Its process

    def _launch(self, detached):
        program = shutil.which("dovecot", path=os.environ.get("PATH", "")
                               + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            raise ServerError("dovecot is not installed")
        identity = {} if os.geteuid() != 0 else {
            "user": self._owner.pw_uid, "group": self._owner.pw_gid,
            "extra_groups": []}
        with open(self.directory / "output", "wb") as output:
            self._process = subprocess.Popen(
                [program, "-F", "-c", str(self.home / "dovecot.conf")],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=self.home, umask=0o077, start_new_session=detached,
                **identity)
        self.pid = self._process.pid
        self._write_state()

    def _wait_until_silent(self):
        """Its children may live a moment longer, and answer on its ports."""
        deadline = time.monotonic() + STOP_SECONDS
        while any(is_listening(self.host, port)
                  for port in (self.tls_port, self.starttls_port)) \
                and time.monotonic() < deadline:
            time.sleep(0.02)

    def _wait_until_ready(self):
        deadline = time.monotonic() + READY_SECONDS
        while not (greets(self.host, self.starttls_port)
                   and greets(self.host, self.tls_port, tls=True)):
            ended = self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                output = (self.directory / "output").read_text(
                    errors="replace")
                raise ServerError(
                    ("the server ended" if ended else
                     f"the server did not answer in {READY_SECONDS} s")
                    + f":\n{output}{self.log()}")
            time.sleep(0.02)


def read_state(directory):
    """What `sample.json` in @directory says; {} without one."""
    with contextlib.suppress(FileNotFoundError):
        return json.loads((pathlib.Path(directory)
                           / "sample.json").read_text())
    return {}


def make_short_directory():
    """For sockets: the path of one is limited to 107 octets."""
    parent = os.environ.get("XDG_RUNTIME_DIR", "")
    if os.geteuid() == 0 or len(parent) > 50 \
            or not os.access(parent, os.W_OK | os.X_OK):
        parent = "/tmp"
    return tempfile.mkdtemp(prefix="imapfs-", dir=parent)


def write_private(path, text):
    """Writes a file that nobody else may read at any moment."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600),
              "w", encoding="utf-8") as file:
        file.write(text)


def is_listening(host, port):
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


def greets(host, port, tls=False):
    """TRUE if an IMAP server says OK there."""
    try:
        with socket.create_connection((host, port), timeout=5) as connection:
            if tls:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = context.wrap_socket(connection)
            with connection:
                return connection.recv(4096).startswith(b"* OK")
    except OSError:
        return False


def is_server(pid, home):
    """TRUE if @pid is the server of @home, and not a later process."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError, TypeError):
        arguments = pathlib.Path(f"/proc/{pid:d}/cmdline").read_bytes()
        return os.fsencode(f"{home}/dovecot.conf") in arguments.split(b"\0")
    return False


def stop_process(pid):
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            for number in (signal.SIGTERM, signal.SIGKILL):
                signal.pidfd_send_signal(handle, number)
                if select.select([handle], [], [], STOP_SECONDS)[0]:
                    return
        finally:
            os.close(handle)


def main():
    parser = argparse.ArgumentParser(
        description="Runs a private IMAP server with sample mail. The exit "
        "status of stop and status is 3 if it does not run.")
    parser.add_argument("action", choices=["start", "stop", "status", "get"])
    parser.add_argument("key", nargs="?", help="for get: a key of sample.json")
    parser.add_argument("--directory", required=True)
    sample_mail.add_arguments(parser)
    arguments = parser.parse_args()
    state = read_state(arguments.directory)
    running = is_server(state.get("pid"), state.get("home"))

    if arguments.action == "get":
        print(state[arguments.key])
    elif arguments.action == "status":
        return 0 if running else 3
    elif arguments.action == "stop":
        if running:
            stop_process(state["pid"])
        if state.get("run"):
            shutil.rmtree(state["run"], ignore_errors=True)
        return 0 if running else 3
    elif not running:
        server = SampleServer(arguments.directory)
        if not sample_store.folders(server.mail_root()):
            server.generate(**sample_mail.options(arguments))
        server.start(detached=True)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ServerError, RuntimeError) as error:
        sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {error}")
