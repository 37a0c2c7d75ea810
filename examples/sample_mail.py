"""Writes a realistic mailbox as a store of the sample server.

Everything follows from the seed: the same arguments give the same octets, names
and dates. Files hold CRLF line ends, so that a file is what BODY[] will be; the
server takes INTERNALDATE from a file's modification time and UIDs in the order
of the file names.
"""

import os
import random

import sample_store
from sample_kinds import Writer
from sample_oddities import ODDITIES

DAY = 86400
END = 1768478400  # 2026-01-15 12:00 UTC: the sample's "today"
ODD_DATES = [86400, 441763200, 946684799, 946684800, 1078012800, 1711846799]
KEYWORDS = ["$Forwarded", "NonJunk", "todo"]

# (folder, share of the messages, kinds, languages, days: oldest and newest)
MIXED = ("conversation", "conversation", "conversation", "attachment",
         "alternative", "invitation", "receipt", "newsletter")
EVERY = ("en", "en", "en", "de", "fr", "ru", "ja", "zh", "ar", "el", "hi",
         "ko", "pl", "he")
FOLDERS = [
    ("INBOX", 30, MIXED, EVERY, 400, 0),
    ("INBOX/Receipts", 6, ("receipt",), ("en", "de", "ja"), 700, 3),
    ("INBOX/Travel 2025", 4, ("attachment", "invitation"), ("fr", "en"), 300, 30),
    ("Projects/Apollo", 8, ("conversation", "attachment"), ("en", "de"), 500, 1),
    ("Projects/Apollo/Launch", 4, ("conversation",), ("en", "ru"), 90, 1),
    ("Projects/Research & Development", 4, ("attachment",), ("en",), 600, 9),
    ("Archive/2024", 8, MIXED, EVERY, 744, 380),
    ("Archive/2025", 8, MIXED, EVERY, 379, 15),
    ("Lists/harbour-dev", 10, ("list",), ("en",), 200, 0),
    ("Lists/announce & news", 3, ("newsletter",), ("en", "de", "fr"), 300, 2),
    ("Entwürfe", 2, ("conversation",), ("de",), 20, 0),
    ("Отправленные", 5, ("conversation", "attachment"), ("ru", "en"), 400, 0),
    ("受信トレイ", 4, ("conversation", "invitation"), ("ja",), 400, 0),
    ("Ελληνικά/नमस्ते", 2, ("alternative",), ("el", "hi"), 100, 0),
    ("To do", 2, ("conversation",), ("en", "pl"), 60, 0),
    ("50%2F50 shares", 1, ("receipt",), ("en",), 60, 0),
    ("Trash", 2, ("newsletter",), ("en",), 30, 0),
    ("Empty", 0, (), (), 0, 0),
]


def add_arguments(parser):
    """The options that all programs with a sample mailbox share."""
    parser.add_argument("--messages", type=int, default=400, metavar="N")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size-mean", type=int, metavar="OCTETS",
                        help="mean size of a message")
    parser.add_argument("--total-bytes", type=int, metavar="OCTETS",
                        help="size of all messages together, about")
    parser.add_argument("--flat", metavar="NAME",
                        help="put all messages into this one folder")


def options(arguments):
    """The arguments for generate() from parsed ones."""
    return {"messages": arguments.messages, "seed": arguments.seed,
            "size_mean": arguments.size_mean,
            "total_bytes": arguments.total_bytes, "flat": arguments.flat}


def generate(root, messages=400, seed=1, size_mean=None, total_bytes=None,
             flat=None):
    """Writes @messages messages below @root; returns {folder: number}.

    A folder that has messages already is an error (FileExistsError).
    """
    source = random.Random(seed)
    if size_mean is not None:
        total_bytes = size_mean * messages
    sizes = Sizes(source, messages, total_bytes)
    plan = plan_folders(messages, flat)
    writer = Writer(source)
    made = {}
    for folder, count, kinds, languages, oldest, newest in plan:
        store = Folder(root, folder)
        odd = ODDITIES[:count // 2] if folder in ("INBOX", flat) else []
        dates = sorted(END - source.randrange(newest * DAY, oldest * DAY + DAY)
                       for _ in range(count))
        for index, date in enumerate(dates):
            if index < len(odd):
                octets = writer.odd(odd[index], date)
            else:
                octets = writer.message(folder, source.choice(kinds),
                                        source.choice(languages), date,
                                        sizes.next())
            sizes.used(len(octets))
            if source.random() < 0.02:
                date = source.choice(ODD_DATES)
            store.add(octets, date, source)
        made[folder] = count
    return made


def plan_folders(messages, flat):
    if flat is not None:
        return [(flat, messages, MIXED, EVERY, 700, 0)]
    shares = sum(folder[1] for folder in FOLDERS)
    plan = [(name, messages * share // shares, *rest)
            for name, share, *rest in FOLDERS]
    rest = messages - sum(folder[1] for folder in plan)
    name, count, *others = plan[0]
    plan[0] = (name, count + rest, *others)
    return plan


class Sizes:
    """A size for each message, few of them large, that make up the total.

    What a message turned out larger or smaller the next ones make good.
    """

    def __init__(self, source, messages, total_bytes):
        self._total = total_bytes
        self._draws = [source.lognormvariate(0, 1) for _ in range(messages)]
        self._scale = (total_bytes or 0) / sum(self._draws or [1])
        self._planned = 0
        self._written = 0

    def next(self):
        """The size to aim at; None when no total was asked for."""
        planned = self._planned + self._draws[-1] * self._scale
        return None if self._total is None \
            else max(0, int(planned - self._written))

    def used(self, octets):
        self._planned += self._draws.pop() * self._scale
        self._written += octets


class Folder:
    """One folder being filled."""

    def __init__(self, root, name):
        self.path = sample_store.folder_path(root, name)
        if sample_store.files(root, name):
            raise FileExistsError(f"{self.path} has messages already")
        for part in sample_store.PARTS:
            (self.path / part).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self.path / "dovecot-keywords").write_text("".join(
            f"{number} {keyword}\n" for number, keyword
            in enumerate(KEYWORDS)))
        self._drafts = name == "Entwürfe"
        self._number = 0

    def add(self, octets, date, source):
        """Stores a message with the INTERNALDATE @date and random flags.

        S= and W= in a name are its sizes: the server need not read the file.
        """
        self._number += 1
        name = (f"{END + self._number}.M{self._number:06d}P1.sample"
                f",S={len(octets)},W={len(octets)}")
        if source.random() < 0.12:
            path = self.path / "new" / name
        else:
            path = self.path / "cur" / f"{name}:2,{self._flags(source)}"
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, octets)
        finally:
            os.close(handle)
        os.utime(path, (date, date))

    def _flags(self, source):
        chances = [("D", 1.0 if self._drafts else 0.0), ("F", 0.06),
                   ("R", 0.15), ("S", 0.8), ("a", 0.04), ("b", 0.1),
                   ("c", 0.03)]
        return "".join(letter for letter, chance in chances
                       if source.random() < chance)
