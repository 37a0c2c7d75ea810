"""What the sample server has in its store, read from its files.

The store is Maildir in LAYOUT=fs, names in UTF-8: a folder is a directory with
`cur` and `new`, its children lie beside those. Messages are stored with CRLF, so
a file's octets are what the server serves as BODY[]. The server writes the UID
of each file into `dovecot-uidlist` when it opens the folder.
"""

import os
import pathlib

INBOX = "INBOX"
PARTS = ("cur", "new", "tmp")


def folder_path(root, folder):
    """The directory of @folder ("INBOX", "Archive/2024")."""
    return pathlib.Path(root) if folder == INBOX \
        else pathlib.Path(root) / folder


def folders(root):
    """The names of all folders that can hold messages, sorted."""
    root = pathlib.Path(root)
    found = []
    for parent, names, _ in os.walk(root):
        if "cur" in names:
            relative = pathlib.Path(parent).relative_to(root).as_posix()
            found.append(INBOX if relative == "." else relative)
        names[:] = [name for name in names if name not in PARTS]
    return sorted(found)


def files(root, folder):
    """Every message file of @folder, in `cur` and `new`."""
    return [pathlib.Path(entry.path)
            for part in ("cur", "new")
            if (folder_path(root, folder) / part).is_dir()
            for entry in os.scandir(folder_path(root, folder) / part)]


def unique_name(name):
    """A file's name without its flags."""
    return name.split(":2,", 1)[0]


def flags(path):
    """The flag letters of a message file: "FS", "" for one in `new`."""
    return path.name.partition(":2,")[2]


def messages(root, folder):
    """{UID: path} of @folder; {} if the server has not opened it yet."""
    try:
        lines = (folder_path(root, folder) / "dovecot-uidlist").read_bytes()
    except FileNotFoundError:
        return {}
    by_name = {unique_name(path.name): path for path in files(root, folder)}
    found = {}
    for line in lines.splitlines()[1:]:
        uid, _, rest = line.partition(b" ")
        name = unique_name(os.fsdecode(rest.partition(b":")[2]))
        if name in by_name:
            found[int(uid)] = by_name[name]
    return found


def uid_validity(root, folder):
    """The UIDVALIDITY of @folder; None if the server has not opened it."""
    try:
        line = (folder_path(root, folder) / "dovecot-uidlist").read_text(
            errors="replace").splitlines()[0]
    except FileNotFoundError:
        return None
    return next(int(word[1:]) for word in line.split() if word[0] == "V")
