"""What was measured, and how it compares with what must hold."""

import dataclasses
import json
import math
import re
import statistics

WITHOUT_LIMIT = ('W:', 'mbsync')  # and still in the short table
MARKS = {True: 'ok', False: 'FAILS', None: ''}


class Figures:
    """Samples under keys; what is read back is their median."""

    def __init__(self):
        self.samples = {}

    def add(self, key, value):
        """value: math.inf for what was given up."""
        self.samples.setdefault(key, []).append(value)

    def gave_up(self, key):
        return math.inf in self.samples.get(key, [])

    def get(self, key):
        values = self.samples.get(key)
        return statistics.median(values) if values else None

    def most(self, key):
        return max(self.samples[key]) if self.samples.get(key) else None


@dataclasses.dataclass
class Row:
    group: str
    rtt: float  # milliseconds; None where it does not matter
    what: str
    figure: float  # None: could not be measured
    unit: str  # 's', 'octets', 'MB' or ''
    basis: float = None  # what the figure is divided by
    basis_text: str = ''
    limit: float = None  # of the ratio; None: shown, not judged

    @property
    def ratio(self):
        if self.figure is None or not self.basis:
            return None
        return self.figure / self.basis

    @property
    def holds(self):
        """None where nothing is to be judged."""
        if self.limit is None:
            return None
        return self.ratio is not None and self.ratio <= self.limit


def write(value, unit):
    if value is None:
        return '?'
    if math.isinf(value):
        return 'gave up'
    if unit == 's':
        return f'{value:.3f} s' if value < 10 else f'{value:.1f} s'
    if unit == 'octets':
        return f'{value / 1e6:.1f} MB' if value >= 1e6 else \
            f'{value / 1e3:.1f} kB' if value >= 1e4 else f'{value:.0f} B'
    if unit == 'MB':
        return f'{value:.1f} MB'
    return f'{value:g}'


def _cells(row):
    ratio = row.ratio
    return [
        '' if row.rtt is None else f'{row.rtt:g}', row.what,
        write(row.figure, row.unit), row.basis_text,
        '' if ratio is None else 'inf' if math.isinf(ratio)
        else f'{ratio:.2f}' if ratio < 100 else f'{ratio:.0f}',
        '' if row.limit is None else f'{row.limit:g}', MARKS[row.holds],
    ]


HEADINGS = ['rtt', 'what', 'figure', 'divided by', 'ratio', 'limit', '']
RIGHT = {0, 2, 4, 5}


def table(rows):
    cells = [HEADINGS] + [_cells(row) for row in rows]
    widths = [max(len(line[i]) for line in cells)
              for i in range(len(HEADINGS))]
    lines = []
    for line in cells:
        lines.append('  '.join(
            cell.rjust(width) if i in RIGHT else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths))).rstrip())
    lines.insert(1, '  '.join('-' * width for width in widths))
    return '\n'.join(lines)


def markdown(rows, rtts):
    """What is judged, with the wire and mbsync: one line a figure, a column
    for each round-trip time. The ratio stands in brackets; what is over its
    limit is bold."""
    lines = {}
    for row in rows:
        basis = re.sub(r' \d+\.\d{3}', '', row.basis_text)
        key = (row.what, basis, row.limit if basis else None)
        lines.setdefault(key, {})[row.rtt] = row
    for key in [key for key in lines
                if key[2] is None and not key[0].startswith(WITHOUT_LIMIT)]:
        del lines[key]
    columns = [f'{rtt:g} ms' for rtt in rtts]
    text = ['| ' + ' | '.join(['', *columns, 'ratio to', 'limit']) + ' |',
            '|---' + '|--:' * len(columns) + '|---|--:|']
    for (what, basis, limit), cells in lines.items():
        found = [cells.get(rtt) for rtt in rtts]
        if None in cells:  # the same at any
            found = [cells[None]] + [None] * (len(rtts) - 1)
        text.append('| ' + ' | '.join(
            [what, *map(_brief, found), basis,
             '' if limit is None else f'{limit:g}']) + ' |')
    return '\n'.join(text)


def _brief(row):
    if row is None:
        return ''
    text = write(row.figure, row.unit)
    if row.ratio is not None and not math.isinf(row.ratio):
        text += f' ({row.ratio:.2f})'
    return f'**{text}**' if row.holds is False else text


def save(path, about, rows, figures):
    with open(path, 'w') as file:
        json.dump({
            'about': about,
            'rows': [dict(dataclasses.asdict(row), ratio=row.ratio,
                          holds=row.holds) for row in rows],
            'samples': {' '.join(map(str, key)): values
                        for key, values in figures.samples.items()},
        }, file, indent=1)
        file.write('\n')
