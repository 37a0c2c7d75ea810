"""The rows of the table: each figure, what it is compared with, its limit."""

from figures import Row
from ground import ATTACHED, LARGE_BYTES
from measure import MBSYNC

RANGE_LIMIT = 256 * 1024
LISTING_LIMIT = 20_000  # octets
SEARCH_LIMIT = 10_000
STRUCTURE_LIMIT = 4_000  # of one message, with its header
IDLE_CPU_LIMIT = 0.1  # seconds of a minute
IDLE_WAKES_LIMIT = 60
CHANGES_LIMIT = 10_000  # more, for 10 new, 10 expunged, 10 flags


class Rows:
    def __init__(self, figures, rtts):
        self.figures = figures
        self.rtts = rtts
        self.rows = []
        self.group = ''

    def get(self, what, rtt):
        return self.figures.get((what, rtt))

    def has(self, what, rtt):
        return (what, rtt) in self.figures.samples

    def row(self, rtt, what, figure, unit, basis=None, basis_text='',
            limit=None):
        if figure is not None:
            self.rows.append(Row(self.group, rtt, what, figure, unit, basis,
                                 basis_text, limit))

    def sum_row(self, rtt, what, key, limit, parts, constant=0,
                constant_text=''):
        """key in relation to a sum. parts: {letter: key}."""
        values = {name: self.get(part, rtt) for name, part in parts.items()}
        if not self.has(key, rtt) or None in values.values():
            return
        text = ' + '.join(f'{name} {value:.3f}'
                          for name, value in values.items())
        if constant:
            text = constant_text + ' + ' + text
        self.row(rtt, what, self.get(key, rtt), 's',
                 sum(values.values()) + constant, text, limit)

    def octets(self, rtt, what, key, basis=None, text='', limit=None):
        self.row(rtt, what, self.get(key, rtt), 'octets', basis, text, limit)

    # Groups

    def scan(self):
        first = self.rtts[0]
        for rtt in self.rtts:
            wire = self.get('W bodies', rtt)
            self.row(rtt, 'W: wire, all bodies', wire, 's')
            self.row(rtt, 'wire with connecting', _plus(
                wire, self.get('W bodies set-up', rtt)), 's')
            for what in MBSYNC:
                self.row(rtt, what, self.get(what, rtt), 's', wire, 'W')
            for name in ('tar', 'rg'):
                self._scan_tool(rtt, name)
        self.row(None, 'rg, second', self.get('rg again', first), 's',
                 self.get('rg bare', first), 'bare FUSE, second', 1.3)
        for place in ('tmpfs', 'disk'):
            for name in ('tar', 'rg'):
                self.row(None, f'{name}, plain files on {place}',
                         self.get(f'{name} {place}', first), 's')

    def _scan_tool(self, rtt, name):
        whole = self.get('W bodies octets', rtt)
        for kind, key in (('F: again', 'again'), ('F: remounted', 'remount')):
            # A cost of FUSE that was spent on the line is none.
            received = self.get(f'{name} {key} octets', rtt)
            cached = received is not None and received < 0.05 * whole
            self.sum_row(rtt, f'{name} cold ({kind})', f'{name} cold',
                         1.5 if cached else None,
                         {'W': 'W bodies', 'F': f'{name} {key}'})
        if not self.has(f'{name} again', rtt):
            self.row(rtt, f'{name} cold', self.get(f'{name} cold', rtt), 's',
                     self.get('W bodies', rtt), 'W', 1.5)
        # It compresses, unless it is told not to.
        installed, uncompressed = list(MBSYNC)[:2]
        for rival, limit in ((installed, 0.2), (uncompressed, None)):
            if self.has(rival, rtt):
                self.row(rtt, f'{name} cold', self.get(f'{name} cold', rtt),
                         's', self.get(rival, rtt), rival, limit)
        self.octets(rtt, f'{name} cold, received', f'{name} cold octets',
                    whole, "the wire's")
        for key in ('again', 'remount'):
            self.octets(rtt, f'{name} {key}, received',
                        f'{name} {key} octets', whole, "the wire's")

    def list(self):
        for rtt in self.rtts:
            for wire, names in (('W headers', 'subject'), ('W plain', 'uid')):
                self.row(rtt, f'W: wire, what names={names} needs',
                         self.get(wire, rtt), 's')
                for name in ('ls -f', 'ls -l'):
                    key = f'{name} {names}'
                    self.sum_row(rtt, f'{name}, names={names}', key, 2,
                                 {'W': wire, 'F': self._fuse(key, rtt)})
                key = f'ls -l {names} again'
                self.row(rtt, f'ls -l again, names={names}',
                         self.get(key, rtt), 's',
                         self.get('ls -l disk', self.rtts[0]),
                         'plain files, ls -l again', 2)
            self._remounted(rtt, 'nothing changed', ' remount', 4,
                            LISTING_LIMIT)
            # What changed costs a round trip and its own octets.
            self._remounted(rtt, '10 new, 10 gone, 10 flags', ' changed', 5,
                            LISTING_LIMIT + CHANGES_LIMIT)

    def _fuse(self, key, rtt):
        """What FUSE itself costs: with nothing known to the kernel if that was
        measured, which takes root."""
        return key + (' afresh' if self.has(key + ' afresh', rtt) else ' again')

    def _remounted(self, rtt, title, key, trips, octets):
        key = 'ls -f subject' + key
        self.sum_row(rtt, f'ls -f remounted, {title}', key, 1,
                     {'F': self._fuse(key, rtt)}, trips * rtt / 1000 + 0.5,
                     f'{trips} round trips + 0.5 s')
        self.octets(rtt, f'ls -f remounted, {title}, received',
                    key + ' octets', octets, f'{octets // 1000} kB', 1)
        self.octets(rtt, f'mount and ls -f, {title}, received',
                    key + ' octets and mounting')

    def single(self):
        for rtt in self.rtts:
            self.row(rtt, 'cat, uncached', self.get('cat', rtt), 's',
                     rtt / 1000, 'one round trip')
            self.row(rtt, 'cat, uncached, round trips',
                     self.get('cat turns', rtt), '', 1, '1', 1)
            self.row(rtt, 'cat again', self.get('cat again', rtt), 's')
            self.octets(rtt, 'cat again, both ways', 'cat again octets', 1,
                        'nothing', 0)

    def busy(self):
        for rtt in self.rtts:
            allowed = rtt / 1000 + 0.05
            for alone in ('cat alone', 'ls alone'):
                self.row(rtt, alone, self.get(alone, rtt), 's')
            for alone, beside, title in (
                    ('cat alone', 'cat beside loops',
                     'cat beside busy loops, no scan'),
                    ('cat alone', 'cat beside', 'cat beside a scan'),
                    ('cat alone', 'cat beside, same folder',
                     'cat in a folder being scanned'),
                    ('ls alone', 'ls beside', 'ls beside a scan')):
                usual = self.get(alone, rtt)
                if usual is None or not self.has(beside, rtt):
                    continue
                worst = self.figures.most((beside, rtt))
                self.row(rtt, f'{title}, median later by',
                         max(0, self.get(beside, rtt) - usual), 's', allowed,
                         'round trip + 50 ms')
                self.row(rtt, f'{title}, at worst later by',
                         max(0, worst - usual), 's', allowed,
                         'round trip + 50 ms',
                         None if 'loops' in beside else 1)

    def memory(self, prefix='', limit=40):
        rtt = self.rtts[0]
        self.row(None, 'RSS, mounted',
                 self.get(prefix + 'RSS mounted', rtt), 'MB')
        for name in ('ls -l', 'tar'):
            for kind in ('RSS', 'HWM'):
                self.row(None, f'{kind} after {name}',
                         self.get(f'{prefix}{kind} after {name}', rtt), 'MB',
                         limit, f'{limit} MB', 1 if kind == 'RSS' else None)
            self.row(None, f'time of {name}',
                     self.get(f'{prefix}memory {name}', rtt), 's')

    def million(self):
        self.memory('million ', 100)

    def idle(self):
        rtt = self.rtts[0]
        for push, which in (('all', 'all folders'), ('one', 'one folder')):
            title = f'a minute unused, server tells of {which}'
            self.row(None, f'{title}: processor',
                     self.get(f'idle CPU {push}', rtt), 's', IDLE_CPU_LIMIT,
                     f'{IDLE_CPU_LIMIT} s', 1)
            self.row(None, f'{title}: wake-ups',
                     self.get(f'idle wakes {push}', rtt), '', IDLE_WAKES_LIMIT,
                     f'{IDLE_WAKES_LIMIT}', 1)
            self.row(None, f'{title}: both ways',
                     self.get(f'idle octets {push}', rtt), 'octets')

    def start(self):
        for rtt in self.rtts:
            for what in ('first', 'known', 'known, cold', 'known, no server',
                         'known, silent line'):
                for key, title in (('mounted', 'mount'),
                                   ('listed', 'mount and ls -f')):
                    self.row(rtt, f'{title}, {what}',
                             self.get(f'{key} {what}', rtt), 's')

    def views(self):
        for rtt in self.rtts:
            wire = self.get('W texts octets', rtt)
            self.row(rtt, 'W: wire, the texts alone', self.get('W texts', rtt),
                     's')
            self.sum_row(rtt, 'rg of the texts, cold', 'rg text', 2,
                         {'W': 'W texts', 'F': 'rg text again'})
            self.octets(rtt, 'rg of the texts, cold, received',
                        'rg text octets', wire, "the wire's", 1.1)
            self.octets(rtt, 'rg of the texts again, received',
                        'rg text again octets', wire, "the wire's", 0.01)
            self.row(rtt, 'W: wire, what a table needs',
                     self.get('W table', rtt), 's')
            self.sum_row(rtt, 'cat of a table, cold', 'table', 2,
                         {'W': 'W table', 'F': 'table again'})
            self.octets(rtt, 'cat of a table, cold, received', 'table octets',
                        self.get('W table octets', rtt), "the wire's", 1.1)
            self.row(rtt, 'ls of a search', self.get('search', rtt), 's')
            self.row(rtt, 'ls of a search, round trips',
                     self.get('search turns', rtt), '', 1, '1', 1)
            self.octets(rtt, 'ls of a search, received', 'search octets',
                        SEARCH_LIMIT, f'{SEARCH_LIMIT // 1000} kB', 1)
            self._alone(rtt)

    def _alone(self, rtt):
        """Of a message of 30 MB."""
        for what, key, octets, turns in (
                ('ls of the parts of 30 MB', 'parts', STRUCTURE_LIMIT, 2),
                ('cat of an attachment of 10 kB', 'attachment',
                 1.2 * len(ATTACHED), 1),
                ('cat of the text of 30 MB', 'text', STRUCTURE_LIMIT, 2)):
            self.row(rtt, what, self.get(key, rtt), 's')
            self.octets(rtt, what + ', received', key + ' octets', octets,
                        f'{octets / 1000:g} kB', 1)
            self.row(rtt, what + ', round trips',
                     self.get(key + ' turns', rtt), '', turns, f'{turns}', 1)

    def large(self):
        for rtt in self.rtts:
            self.row(rtt, 'head -c 1000 of 50 MB', self.get('head', rtt), 's')
            self.octets(rtt, 'head -c 1000 of 50 MB, received', 'head octets',
                        RANGE_LIMIT, '256 KiB', 1)
            self.sum_row(rtt, f'cat of {LARGE_BYTES // 10**6} MB', 'stream',
                         1.5, {'W': 'W large', 'F': 'stream again'})
            self.row(rtt, 'HWM after it', self.get('stream HWM', rtt), 'MB')


def _plus(a, b):
    return None if a is None or b is None else a + b


def rows_of(figures, rtts, group):
    rows = Rows(figures, rtts)
    rows.group = group
    getattr(rows, group)()
    return rows.rows
