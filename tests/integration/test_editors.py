#!/usr/bin/env python3
"""Editors, each with the swap files, locks and backups that it makes beside a
message: on the server there is the message as it was saved, once, and no other
file."""

import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import wait_until
from tools import Terminal, Workshop, need
from writing import crlf, message

DATE = Workshop.DATE
DRAFT = (b'From: Me <me@example.org>\nTo: You <you@example.org>\n'
         b'Subject: Lunch\nMessage-ID: <draft@example.org>\n'
         b'Date: Tue, 14 Nov 2023 22:13:20 -0000\n\nDear you,\nold\n')


class Desk(Workshop):
    """One flagged message, DRAFT."""

    def __init__(self, case, draft=DRAFT, **named):
        super().__init__(case, {'INBOX': [draft]}, '\\Draft \\Flagged',
                         **named)
        self.listed = self.name(1)
        self.file = self.path('INBOX', self.listed)

    def expect_edited(self, body, why, others=()):
        """One message is there, the new one, under its name."""
        stored = self.settled([body], why=why)
        self.case.expect(stored[0].flags == {'\\Draft', '\\Flagged'}, why,
                         stored)
        self.expect_listed([self.listed, *others])
        self.expect_file(f'INBOX/{self.listed}', body)
        self.case.expect(self.lost() == set(), self.lost())


def vim():
    found = next(filter(shutil.which, ('vim.basic', 'vim', 'vim.tiny')), None)
    if found is None:
        raise tap.Skip('vim is not installed')
    return found


def edited(word):
    return DRAFT.replace(b'old', word)


# ---- vim ----


@tap.test
def test_vim_with_its_kinds_of_backups(case):
    place = Desk(case)
    before = 'old'
    for number, setting in enumerate((
            'backup backupcopy=auto', 'backup backupcopy=yes',
            'nobackup nowritebackup', 'backupcopy=no', 'backupcopy=breaksymlink',
            'backupcopy=yes', 'nofsync', 'swapsync=')):
        word = f'turn{number}'
        place.shell(f"{vim()} -N -u NONE -i NONE -es -c 'set {setting}'"
                    f" -c '%s/{before}/{word}/' -c wq {place.file}"
                    ' < /dev/null; rm -f INBOX/*~')
        place.expect_edited(edited(word.encode()), f'set {setting}')
        before = word


@tap.test
def test_vim_on_a_terminal_with_its_swap_file(case):
    place = Desk(case)
    terminal = Terminal(case, vim(), '-N', '-u', 'NONE', '-i', 'NONE', '-c',
                        'set updatecount=1 updatetime=50', place.file,
                        cwd=place.mount.mountpoint)
    terminal.shows(b'Dear you')
    terminal.press('Gonew line\x1b')
    swap = f'.{place.listed}.swp'
    case.expect(wait_until(lambda: swap in place.names('INBOX'),
                           20 * tap.PATIENCE), place.names('INBOX'))
    place.settled([DRAFT], why='the swap file')
    terminal.press(':w\r')
    body = DRAFT + b'new line\n'
    case.expect(wait_until(lambda: [one.body for one in place.stored()] ==
                           [crlf(body)], 20 * tap.PATIENCE), place.stored())
    terminal.press('Gonever saved\x1b:q!\r')
    terminal.ends()
    place.expect_edited(body, 'vim')


@tap.test
def test_vim_makes_a_new_message(case):
    place = Desk(case)
    place.write_source('new', message(7))
    place.shell(f"{vim()} -N -u NONE -i NONE -es -c 'r $S/new' "
                '-c wq INBOX/new.eml < /dev/null')
    place.settled([DRAFT, message(7)])
    place.expect_listed([place.listed, 'new.eml'])


# ---- others ----


@tap.test
def test_nano_with_lock_and_backup(case):
    need('nano')
    place = Desk(case)
    for number, options in enumerate(([], ['-G'], ['-B'], ['-G', '-B'])):
        terminal = Terminal(case, 'nano', '-I', *options, place.file)
        terminal.shows(b'Dear you')
        if '-G' in options:
            case.expect(f'.{place.listed}.swp' in place.names('INBOX'),
                        place.names('INBOX'))
        terminal.press(f'X-Turn: {number}\r\x13')
        terminal.shows(b'Wrote')
        terminal.press('\x18')
        terminal.ends()
        place.shell('rm -f INBOX/*~')
        lines = b''.join(b'X-Turn: %d\n' % i for i in range(number, -1, -1))
        place.expect_edited(lines + DRAFT, f'nano {options}')


@tap.test
def test_ed_ex_and_sed(case):
    need('ed', 'sed')
    place = Desk(case)
    place.shell(f"printf ',s/old/ed/\\nw\\nq\\n' | ed -s {place.file}")
    place.expect_edited(edited(b'ed'), 'ed')
    place.shell(f"{vim()} -e -s -u NONE -c '%s/^ed/ex/|wq' {place.file}")
    place.expect_edited(edited(b'ex'), 'ex')
    place.shell(f'sed -i -e "s/^ex/sed/" {place.file}')
    place.expect_edited(edited(b'sed'), 'sed -i')
    before = place.state()
    place.shell(f'sed -i -e "s/nothing/to do/" {place.file}')
    place.expect_state(before, 'sed -i that changes nothing')


@tap.test
def test_perl_in_place(case):
    need('perl')
    place = Desk(case)
    # Its file has a name at random; one in some hundreds looks like a word.
    place.shell('for i in 1 2 3; do perl -i -pe "s/^old/perl/" '
                f'{place.file} 2> $S/said; test -s $S/said || break; done')
    place.expect_edited(edited(b'perl'), 'perl -i')


@tap.test
def test_backups_by_renaming_stay_messages(case):
    """What was renamed is what the user may want back: it is not taken from
    the server, whatever it is called."""
    need('sed')
    place = Desk(case)
    place.shell(f'sed -i.bak -e "s/old/new/" {place.file}')
    stored = place.settled([DRAFT, edited(b'new')])
    case.expect([one.flags for one in stored] ==
                [{'\\Draft', '\\Flagged'}] * 2, stored)
    place.expect_listed([place.listed, place.listed + '.bak'])
    place.shell('rm INBOX/*.bak')
    place.expect_edited(edited(b'new'), 'sed -i.bak')


@tap.test
def test_emacs_by_what_it_does(case):
    """Lock, automatic save, backup by renaming, and by copying."""
    place = Desk(case)
    name, file = place.listed, place.file
    place.write_source('one', edited(b'one'))
    place.write_source('two', edited(b'two'))
    place.shell(f'ln -s me@host.1 "INBOX/.#{name}" 2> /dev/null ||'
                f' echo me@host.1 > "INBOX/.#{name}";'
                f'cat $S/one > "INBOX/#{name}#";'
                f'mv {file} {file}~ && cat $S/one > {file} &&'
                f'rm "INBOX/#{name}#" "INBOX/.#{name}" {file}~')
    place.expect_edited(edited(b'one'), 'backup by renaming')
    place.shell(f'echo me@host.1 > "INBOX/.#-emacsAb12Cd" &&'
                f'mv "INBOX/.#-emacsAb12Cd" "INBOX/.#{name}" &&'
                f'cp -p {file} {file}~ && cat $S/two > {file} &&'
                f'rm "INBOX/.#{name}"')
    place.expect_edited(edited(b'two'), 'backup by copying', [name + '~'])


@tap.test
def test_desktop_programs_by_what_they_do(case):
    """Locks and temporary files as of LibreOffice, GNOME and KDE."""
    place = Desk(case)
    name, file = place.listed, place.file
    place.write_source('new', edited(b'new'))
    place.shell(f'echo , > "INBOX/.~lock.{name}#";'
                f'cat $S/new > INBOX/.goutputstream-AB12CD &&'
                f'mv INBOX/.goutputstream-AB12CD {file} &&'
                f'echo k > INBOX/.{name}.kate-swp;'
                f'rm INBOX/.~* INBOX/.*kate-swp')
    place.expect_edited(edited(b'new'), 'GNOME')
    place.write_source('new', edited(b'newer'))
    place.shell(f'cat $S/new > INBOX/lu1234ab.tmp && '
                f'cp INBOX/lu1234ab.tmp {file} && rm INBOX/lu1234ab.tmp')
    place.expect_edited(edited(b'newer'), 'LibreOffice')


# ---- a mail program ----

MUTT = '''
set editor="sed -i s/^old/mutt/"
set folder={home}
set postponed={home}/postponed
set mbox_type=Maildir
set from=me@example.org
set sendmail=/bin/true
set copy=no
set edit_headers=yes
set autoedit=yes
set fast_reply=yes
set postpone=yes
'''


def mutt(case, place, *options, settings=''):
    need('mutt')
    home = case.path('mutt')
    os.makedirs(home, exist_ok=True)
    with open(home + '/rc', 'w') as file:
        file.write(MUTT.format(home=home) + settings)
    terminal = Terminal(case, 'mutt', '-n', '-F', home + '/rc', *options,
                        '-H', place.file, HOME=home)
    terminal.shows(b'Compose')
    terminal.press('q')
    # It asks, if what it has given to the editor is younger than it thought.
    while terminal.shows(b'Update encoding', b'postponed').startswith(b'Upd'):
        terminal.press('y')
    terminal.ends(status=1)  # as always when nothing was sent


@tap.test
def test_mutt_edits_a_draft(case):
    for draft in (DRAFT, DRAFT.replace(b'Message-ID: <draft@example.org>\n',
                                       b'')):
        place = Desk(case, draft)
        mutt(case, place, '-E')
        place.wait()
        stored = place.stored()
        case.expect(len(stored) == 1 and
                    stored[0].body.endswith(b'\r\nDear you,\r\nmutt\r\n') and
                    b'Subject: Lunch\r\n' in stored[0].body, stored)
        case.expect(stored[0].flags == {'\\Draft', '\\Flagged'}, stored)
        place.expect_listed([place.listed])
        case.expect(place.lost() == set(), place.lost())


@tap.test
def test_mutt_reads_a_draft_and_leaves_it(case):
    place = Desk(case)
    before = place.state()
    mutt(case, place, settings='set editor=true\n')
    place.expect_state(before, 'mutt -H')


# ---- emptied first ----


@tap.test
def test_emptied_and_written_is_one_edit(case):
    need('perl')
    place = Desk(case)
    for number, how in enumerate((
            f': > {place.file}', f'truncate -s 0 {place.file}',
            f'perl -e \'truncate("{place.file}", 0) or die\'')):
        word = b'turn%d' % number
        place.write_source('new', edited(word))
        place.shell(f'cat {place.file} > /dev/null; {how} &&'
                    f' test ! -s {place.file} && test -z "$(<{place.file})" &&'
                    f' cat $S/new >> {place.file}')
        place.expect_edited(edited(word), how)


@tap.test
def test_emptied_and_left_is_what_it_was(case):
    place = Desk(case)
    before = place.state()
    place.shell(f'cat {place.file} > /dev/null; : > {place.file} &&'
                f' test ! -s {place.file}')
    case.expect(wait_until(lambda: os.stat(place.file).st_size ==
                           len(crlf(DRAFT)), 20 * tap.PATIENCE),
                'it stays empty')
    place.expect_file(f'INBOX/{place.listed}', DRAFT)
    place.expect_state(before, 'it was only emptied')
    result = place.shell(f'perl -e \'truncate("{place.file}", 9) or die $!\'',
                         check=False)
    case.expect('not supported' in result.err, result)
    place.expect_state(before, 'truncated by its name')


@tap.test
def test_emptied_and_removed_or_moved(case):
    place = Desk(case)
    uid = place.append(message(2))
    second = place.name(uid)
    place.shell(f': > {place.file} && rm {place.file} && mkdir Other &&'
                f': > INBOX/{second} && mv INBOX/{second} Other/')
    place.settled([])
    place.settled([message(2)], 'Other')
    case.expect(wait_until(lambda: os.stat(place.path('Other', second)).st_size
                           == len(crlf(message(2))), 20 * tap.PATIENCE),
                'it stays empty')
    place.expect_file(f'Other/{second}', message(2))


if __name__ == '__main__':
    tap.main(jobs=4)
