#!/usr/bin/env python3
"""--help, the manual pages and the completions say the same; the pages are good
roff, their examples are accepted, and the completions complete, in real
shells. Nothing is mounted."""

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE + '/../lib', HERE + '/../../examples']

import tap
from command import run
from mount import BINARY

FOLDER = os.environ.get('IMAPFS_DOCUMENTS', os.path.join(
    os.path.dirname(os.path.abspath(BINARY)), 'fs/manual'))
PAGES = ('imapfs.1', 'imapfs.conf.5')
# What --help merely names: mount(8)'s own.
ONLY_IN_FILE = 'In the configuration file alone'
NAMED = ('Passed on as mount(8) gives them', 'Accepted, for fstab')


def document(name):
    with open(os.path.join(FOLDER, name)) as file:
        return file.read()


def plain(name, width=400):
    """A page as text, in lines that are not broken."""
    result = run('man', '-l', os.path.join(FOLDER, name), check=True,
                 env={'MANWIDTH': str(width), 'MANROFFOPT': '-c'})
    return re.sub(r'.\x08', '', result.out.decode()).replace('‐', '-')


class Help:
    """What --help says."""

    def __init__(self):
        text = run(BINARY, '--help', check=True).out.decode()
        above, below = text.split('\nOptions to write behind -o', 1)
        self.commands = re.findall(r'^ +(?:-\w, )?(--[\w-]+)', above, re.M)
        self.short = re.findall(r'^ +(-\w), --', above, re.M)
        self.options, self.named, self.defaults = {}, set(), {}
        self.in_file = set()
        for title, section in re.findall(
                r'^(\S.*):\n((?:  .*\n?)*)', below, re.M):
            if title.startswith(NAMED):
                self.named |= {word.rstrip('=') for word in section.split()}
                continue
            for name, value, meaning in re.findall(
                    r'^  (\w+)(?:=(\S+))?((?: .*)?(?:\n {10,}.*)*)', section,
                    re.M):
                if title.startswith(ONLY_IN_FILE):
                    self.in_file.add(name)
                    continue
                self.options[name] = value
                default = re.search(r'\(default: (.*)\)\s*$',
                                    ' '.join(meaning.split()))
                if default:
                    self.defaults[name] = default[1]
        self.named.discard('x-*')


@tap.test
def test_help_is_understood(case):
    """Or the other tests would compare nothing."""
    told = Help()
    case.expect(len(told.options) > 35 and len(told.named) > 30,
                told.options, told.named)
    case.expect({'--foreground', '--wait', '--help'} <= set(told.commands),
                told.commands)
    case.expect(told.options['names'] == 'subject|uid' and
                told.options['xattr'] == '' and
                told.defaults['timeout'] == '30', told.options)


def entries(text, pattern):
    """{name: all that is indented below it} of a page."""
    found = {}
    for match in re.finditer(r'^ {7}' + pattern + r'.*\n((?:(?: {8,}.*)?\n)*)',
                             text, re.M):
        found[match[1]] = match[2]
    return found


@tap.test
def test_manual_has_every_option_with_default_and_example(case):
    told = Help()
    text = plain('imapfs.1')
    section = text[text.index('\nMOUNT OPTIONS'):text.index('\nSTORING MAIL')]
    found = entries(section, r'([a-z]\w*)(?==|\n| {2,})')
    case.expect(set(found) == set(told.options),
                set(found) ^ set(told.options))
    for name, said in found.items():
        case.expect('Default: ' in said and 'Example: -o ' in said, name, said)
        if name in told.defaults:
            default = re.search(r'Default: (.*)\.\n', said)[1]
            case.expect(default == told.defaults[name], name, default)
    named = ' '.join(section.split())
    for name in told.named:
        case.expect(re.search(r'\b' + re.escape(name) + r'\b', named), name)


@tap.test
def test_manual_of_the_file_has_every_key(case):
    told = Help()
    found = entries(plain('imapfs.conf.5'), r'(\w+) = ')
    wanted = set(told.options) | told.in_file
    case.expect(told.in_file and wanted == set(found), wanted ^ set(found))
    for name, said in found.items():
        case.expect(f'Example: {name} = ' in said and 'Default: ' in said,
                    name, said)


@tap.test
def test_manual_has_every_word_of_the_command_line(case):
    told = Help()
    text = plain('imapfs.1')
    section = text[text.index('\nOPTIONS\n'):text.index('\nMOUNT OPTIONS')]
    found = re.findall(r'^ {7}.*?(--[\w-]+)', section, re.M)
    case.expect(sorted(found) == sorted(told.commands), found, told.commands)


@tap.test
def test_examples_of_the_manual_are_accepted(case):
    """As a shell takes them: what is wrong is only that there is no such
    mount point, or no such file."""
    examples = re.findall(r'Example: (-o .*)', plain('imapfs.1'))
    case.expect(len(examples) > 35, examples)
    for example in examples:
        result = run('sh', '-c', f'"$0" {example} imaps://alice@127.0.0.1/ '
                     f'{case.path("nowhere")}', BINARY)
        case.expect("does not exist; create it with mkdir" in result.err or
                    re.search("(ca_file|client_cert|client_key|auth|"
                              "no such (user|group))", result.err), example, result)


@tap.test
def test_pages_are_good_roff(case):
    for page in PAGES:
        path = os.path.join(FOLDER, page)
        for width in ('80', '100', '132'):
            warned = run('man', '--warnings', '-l', path,
                         env={'MANWIDTH': width, 'LC_ALL': 'C.UTF-8'})
            case.expect(warned.clean, page, width, warned.err)
        if not shutil.which('mandoc'):
            raise tap.Skip('mandoc is not installed')
        linted = run('mandoc', '-Tlint', path)
        problems = [line for line in linted.out.decode().splitlines()
                    # A word that must not be broken in the source.
                    if 'longer than 80 bytes: Example' not in line]
        case.expect(not problems, *problems)


@tap.test
def test_nothing_is_left_of_the_templates(case):
    for name in (*PAGES, 'imapfs', '_imapfs', 'imapfs.fish'):
        left = re.findall(r'^@\w.*@$', document(name), re.M)
        case.expect(not left, name, left)


# ---- completions

MOUNTS = ('fake /mnt/with\\040space fuse.imapfs rw 0 0\n'
          'fake /mnt/plain fuse.imapfs rw 0 0\nother /mnt/other ext4 rw 0 0\n')


class Shell:
    """A real shell at a terminal, where TAB is pressed."""

    def __init__(self, case, name, words, prepare):
        if not shutil.which(name):
            raise tap.Skip(f'{name} is not installed')
        self.home = case.path(name + '-home')
        os.makedirs(self.home + '/imapfs')
        with open(self.home + '/imapfs/imapfs.conf', 'w') as file:
            file.write('# a comment\n[home]\nurl = imaps://a@b/\n[work]\n'
                       'url = imaps://c@d/\n')
        self.case, self.text = case, ''
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(self.home)
            os.execvpe(words[0], words, {
                'PATH': os.environ['PATH'], 'HOME': self.home, 'TERM': 'dumb',
                'XDG_CONFIG_HOME': self.home, 'LC_ALL': 'C.UTF-8',
                'COLUMNS': '500'})
        case.defer(self.end)
        for line in (*prepare, 'echo rea""dy'):
            self.write(line + '\n')
        self.until('\nready')

    def end(self):
        os.close(self.terminal)
        os.waitpid(self.pid, 0)

    def write(self, text):
        os.write(self.terminal, text.encode())

    def shown(self):
        return re.sub(r'\x1b[\[\]][?0-9;]*[a-zA-Z]|\r', '', self.text)

    def until(self, words, limit=20):
        end = time.monotonic() + limit * tap.PATIENCE
        while words not in self.shown():
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [],
                                              left)[0]:
                raise AssertionError(f'{words!r} is not in {self.text!r}')
            self.text += os.read(self.terminal, 65536).decode(errors='replace')


BASH = ('set +o history', 'PS1=', 'bind "set bell-style none"',
        'imapfs() { printf "[%s]\\n" "$*"; }')
ZSH = ('PS1=', 'unsetopt zle_bracketed_paste prompt_cr prompt_sp 2>/dev/null',
       'imapfs() { printf "[%s]\\n" "$*" }')


def check_shell(case, shell):
    for typed, wanted in (
            ('imapfs -o nam', '[-o names= end]'),
            ('imapfs -o ro,nam', '[-o ro,names= end]'),
            ('imapfs -o names=su', '[-o names=subject end]'),
            ('imapfs -o xattr,delete=tr', '[-o xattr,delete=trash end]'),
            ('imapfs --fore', '[--foreground end]'),
            ('imapfs hom', '[home end]'),
            ('imapfs imaps', '[imaps:// end]')):
        shell.text = ''
        shell.write(typed + '\t')
        shell.write(' end\n')
        shell.until(' end]')
        got = shell.shown()
        got = re.sub(r'\s+end\]', ' end]', got[got.rindex('['):]).strip()
        case.expect(got.startswith(wanted), typed, '→', repr(got))


@tap.test
def test_completion_completes_in_bash(case):
    shell = Shell(case, 'bash', ['bash', '--norc', '--noprofile', '-i'],
                  [*BASH, f'. {FOLDER}/imapfs'])
    check_shell(case, shell)


@tap.test
def test_completion_completes_in_zsh(case):
    shell = Shell(case, 'zsh', ['zsh', '-f', '-i'], [
        *ZSH, f'fpath=({FOLDER} $fpath)', 'autoload -Uz compinit',
        'compinit -D -u', 'zstyle ":completion:*" list-prompt ""'])
    check_shell(case, shell)


@tap.test
def test_completion_completes_in_fish(case):
    """Which can be asked without a terminal."""
    if not shutil.which('fish'):
        raise tap.Skip('fish is not installed')
    home = case.path('fish')
    os.makedirs(home + '/imapfs')
    with open(home + '/imapfs/imapfs.conf', 'w') as file:
        file.write('[home]\nurl = imaps://a@b/\n')
    for typed, wanted in (
            ('imapfs -o nam', 'names='), ('imapfs -o ro,nam', 'ro,names='),
            ('imapfs -o names=su', 'names=subject'),
            ('imapfs -o xattr,delete=tr', 'xattr,delete=trash'),
            ('imapfs --fore', '--foreground'), ('imapfs hom', 'home'),
            ('imapfs imaps', 'imaps://')):
        result = run('fish', '--no-config', '-c',
                     f'source {FOLDER}/imapfs.fish; complete -C "{typed}"',
                     env={'XDG_CONFIG_HOME': home, 'HOME': home},
                     limit=60 * tap.PATIENCE)
        offered = [line.split('\t')[0]
                   for line in result.out.decode().splitlines()]
        case.expect(offered == [wanted], typed, offered, result)


def bash_offers(line, **environment):
    """All that bash is offered for a line, without a terminal."""
    script = '''
    . "$1"; COMP_LINE=$2; COMP_POINT=${#2}
    read -ra COMP_WORDS <<<"$2"
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    compopt() { :; }
    _imapfs
    printf '%s\\n' "${COMPREPLY[@]}"
    '''
    result = run('bash', '-c', script, 'bash', FOLDER + '/imapfs', line,
                 env=environment)
    return result.out.decode().splitlines()


@tap.test
def test_completions_offer_all_that_help_knows(case):
    told = Help()
    wanted = {name + '=' * bool(value)
              for name, value in told.options.items()}
    offered = set(bash_offers('imapfs -o '))
    named = {name.rstrip('=') for name in offered}
    case.expect(wanted <= offered, wanted - offered)
    case.expect(named == set(told.options) | told.named,
                named ^ (set(told.options) | told.named))
    commands = set(bash_offers('imapfs -'))
    case.expect(commands == set(told.commands) | set(told.short), commands)
    for script in ('_imapfs', 'imapfs.fish'):
        text = document(script)
        for name in named:
            case.expect(re.search(rf"^ +'{name}=?:", text, re.M), script, name)
        for word in (*told.commands, *told.short):
            case.expect(f"'{word}:" in text, script, word)


@tap.test
def test_values_are_offered(case):
    told = Help()
    for name, value in told.options.items():
        words = [word for word in value.split('|') if word.islower()]
        if words and '|' in value:
            offered = bash_offers(f'imapfs -o {name}=')
            case.expect(set(words) <= set(offered), name, offered)
    os.makedirs(case.path('certificates'))
    offered = bash_offers(f'imapfs -o ca_file={case.directory}/cert')
    case.expect(offered == [case.path('certificates')], offered)


@tap.test
def test_mount_points_are_offered_as_they_are(case):
    """Those of ours alone, with the spaces that /proc writes as numbers."""
    script = document('imapfs').replace('/proc/self/mounts',
                                        case.path('mounts'))
    with open(case.path('mounts'), 'w') as file:
        file.write(MOUNTS)
    with open(case.path('imapfs'), 'w') as file:
        file.write(script)
    result = run('bash', '-c', '. "$0"; _imapfs_mounts', case.path('imapfs'))
    case.expect(result.out.decode() == '/mnt/with space\n/mnt/plain\n', result)


@tap.test
def test_scripts_are_read_without_a_word(case):
    for shell, name in (('bash', 'imapfs'), ('zsh', '_imapfs'),
                        ('fish', 'imapfs.fish')):
        if not shutil.which(shell):
            raise tap.Skip(f'{shell} is not installed')
        result = run(shell, '-n', os.path.join(FOLDER, name))
        case.expect(result.clean, result)


if __name__ == '__main__':
    tap.main(jobs=2)
