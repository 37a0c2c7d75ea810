"""A certificate authority for tests and examples, made with openssl(1).

`openssl ca` and not `openssl x509` signs, because only it takes both ends of
the validity: an expired certificate is one of the things to be tried. It runs in the
authority's directory, with bare file names, for its own limit on a path is low.
"""

import pathlib
import subprocess

CONFIGURATION = """\
[ca]
default_ca = sample

[sample]
dir = .
database = $dir/index.txt
new_certs_dir = $dir
certificate = $dir/ca.pem
private_key = $dir/ca.key
default_md = sha256
default_days = 3650
policy = policy
rand_serial = yes
unique_subject = no

[policy]
commonName = supplied

[req]
distinguished_name = subject
prompt = no

[subject]
CN = {name}

[authority]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""

EXTENSIONS = """\
[leaf]
basicConstraints = CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
{names}
"""


def openssl(*arguments, directory=None):
    """Runs openssl; raises RuntimeError with what it said if it fails."""
    done = subprocess.run(["openssl", *map(str, arguments)], cwd=directory,
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    if done.returncode != 0:
        raise RuntimeError(f"openssl {arguments[0]}: {done.stderr.strip()}")
    return done.stdout


def fingerprint(certificate):
    """The SHA-256 fingerprint, as 64 lower-case hex digits."""
    line = openssl("x509", "-in", certificate, "-noout", "-fingerprint",
                   "-sha256")
    return line.split("=", 1)[1].strip().replace(":", "").lower()


class Authority:
    """A CA in a directory of its own; `certificate` is the path to trust."""

    def __init__(self, directory, name="imapfs sample authority"):
        self.directory = pathlib.Path(directory).absolute()
        self.certificate = self.directory / "ca.pem"
        if self.certificate.exists():
            return

        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.directory / "index.txt").touch()
        (self.directory / "ca.cnf").write_text(CONFIGURATION.format(name=name))
        self._make_key("ca.key")
        self._run("req", "-x509", "-new", "-config", "ca.cnf", "-extensions",
                  "authority", "-days", "3650", "-key", "ca.key",
                  "-out", "ca.pem")

    def issue(self, name, hosts=(), client=False, start="", end=""):
        """Signs a certificate with the common name @name.

        @hosts: DNS names and addresses it is valid for. @start, @end: as in
        "20200131000000Z"; default now and ten years later. Returns the paths
        of the certificate and of its key, named after @name.
        """
        validity = ["-startdate", start] if start else []
        validity += ["-enddate", end] if end else []
        names = ",".join(("IP:" if host.replace(".", "").isdigit()
                          or ":" in host else "DNS:") + host
                         for host in hosts)
        extensions = self.directory / f"{name}.cnf"
        extensions.write_text(EXTENSIONS.format(
            usage="clientAuth" if client else "serverAuth",
            names=f"subjectAltName = {names}" if names else ""))

        self._make_key(f"{name}.key")
        self._run("req", "-new", "-config", "ca.cnf", "-key", f"{name}.key",
                  "-subj", f"/CN={name}", "-out", f"{name}.csr")
        self._run("ca", "-batch", "-notext", "-config", "ca.cnf",
                  "-extfile", f"{name}.cnf", "-extensions", "leaf",
                  "-in", f"{name}.csr", "-out", f"{name}.pem", *validity)
        extensions.unlink()
        (self.directory / f"{name}.csr").unlink()
        return self.directory / f"{name}.pem", self.directory / f"{name}.key"

    def _make_key(self, name):
        (self.directory / name).touch(mode=0o600)
        self._run("ecparam", "-name", "prime256v1", "-genkey", "-noout",
                  "-out", name)

    def _run(self, *arguments):
        openssl(*arguments, directory=self.directory)
