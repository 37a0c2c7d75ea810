"""Mail programs that know Maildirs, set up to work in one: of the mount, or of
plain files."""

import os
import re

import tap
import terminal
from command import run
from tools import Terminal

MUTT = '''
set folder="{root}" spoolfile="+INBOX" mbox_type=Maildir
set postponed="+Drafts" record="" header_cache="" tmpdir="{home}"
set realname=Alice from=alice@example.org hostname=example.org
set confirmappend=no confirmcreate=no delete=yes quit=yes move=no
set mark_old=no wait_key=no autoedit=yes fast_reply=yes postpone=yes
set abort_unmodified=no editor="sh -c 'echo text >> $0'" timeout=1
set recall=no sort=date pager_index_lines=0 delete_untag=yes resolve=no
set status_format="--Mutt Msgs:%m Tag:%t Del:%d Flag:%F--"
'''

AERC = ('[ui]\nsort = {sort}\nindex-format = %s\nthreading-enabled = false\n'
        '[filters]\ntext/plain = cat\n')

MBSYNC = '''
MaildirStore mount
Path {root}/
Inbox {root}/INBOX
SubFolders Verbatim

MaildirStore plain
Path {plain}/
Inbox {plain}/INBOX
SubFolders Verbatim

Channel all
Far :mount:
Near :plain:
Patterns *
Create Both
Expunge Both
SyncState {state}/
'''


def shell(case, root, command, home, check=True, limit=60, **environment):
    result = run('bash', '-ec', command, cwd=root, limit=limit * tap.PATIENCE,
                 env={'HOME': home, 'R': root, 'XDG_RUNTIME_DIR': home,
                      'LC_ALL': 'C.UTF-8', **environment})
    if check:
        case.expect(result.ok, result, result.err)
    return result


def drafts(box):
    """Of what programs write themselves: flags, subject and text."""
    return sorted((tuple(sorted(one.flags)),
                   re.search(rb'(?im)^subject: (.*?)\r?$', one.body)[1],
                   one.body.partition(b'\r\n\r\n')[2].strip())
                  for one in box.stored('Drafts'))


def place(root):
    """Tells the two apart in names of files."""
    return '-m' if '.imapfs' in root else '-p'


class Mutt(Terminal):
    """mutt or neomutt; limit: seconds that each of its answers may take."""

    def __init__(self, case, program, root, limit=20):
        self.limit = limit
        home = case.path(program + place(root))
        os.makedirs(home)
        with open(home + '/rc', 'w') as file:
            file.write(MUTT.format(root=root, home=home))
        super().__init__(case, program, '-n', '-F', home + '/rc', HOME=home)
        self.shows(b'Mutt', b'mutt', b'--', limit=limit)

    def save_draft(self):
        self.press('m')
        self.shows(b'To:', limit=self.limit)
        self.press('bob@example.org\n')
        self.shows(b'Subject:', limit=self.limit)
        self.press('draft\n')
        self.shows(b'Compose', b'Send', limit=self.limit)
        self.press('q')
        self.shows(b'postponed', b'Postpone', limit=self.limit)

    def leave(self):
        self.press('$')
        self.press('q')
        self.ends(limit=max(self.limit, 30))


class Aerc(terminal.Terminal):
    """limit: seconds that each of its answers may take."""

    def __init__(self, case, root, limit=20, sort='-r date'):
        self.limit = limit
        home = case.path('aerc' + place(root))
        config = home + '/.config/aerc'
        os.makedirs(config)
        with open(config + '/aerc.conf', 'w') as file:
            file.write(AERC.format(sort=sort))
        with open(os.open(config + '/accounts.conf', os.O_WRONLY | os.O_CREAT,
                          0o600), 'w') as file:
            file.write(f'[mount]\nsource = maildir://{root}\ndefault = INBOX\n'
                       'from = Alice <alice@example.org>\npostpone = Drafts\n')
        with open(os.open(home + '/editor', os.O_WRONLY | os.O_CREAT, 0o755),
                  'w') as file:
            file.write('#!/bin/sh\necho text >>"$1"\n')
        super().__init__(case, ['aerc'], environment={
            'HOME': home, 'EDITOR': home + '/editor',
            'XDG_CONFIG_HOME': home + '/.config',
            'XDG_CACHE_HOME': home + '/.cache',
            'XDG_DATA_HOME': home + '/.local/share',
            'XDG_RUNTIME_DIR': home})

    def shows(self, *texts):
        return self.wait_for(lambda screen: any(text in screen
                                                for text in texts),
                             texts, self.limit)

    def command(self, text):
        """It drops keys while it is busy: so they are seen before Enter."""
        def prompt(screen):
            return screen.rstrip().splitlines()[-1].startswith(':')
        self.press(':')
        self.wait_for(prompt, 'the prompt', self.limit)
        self.press('-l', text)
        self.wait_for(':' + text, 'what was typed', self.limit)
        self.press('Enter')
        self.wait_for(lambda screen: not prompt(screen), 'no prompt',
                      self.limit)

    def compose(self):
        self.command('compose -H "To: b@c" -H "Subject: draft"')
        self.shows('Send', 'send', 'abort', 'Abort', 'review')

    def leave(self):
        self.command('quit')
        self.shows('after 0')
        self.close()


def notmuch_config(case, root, name):
    database = case.path(name)
    os.makedirs(database)
    config = case.path(name + '.conf')
    with open(config, 'w') as file:
        file.write(f'[database]\npath={database}\nmail_root={root}\n'
                   '[user]\nname=Alice\nprimary_email=alice@example.org\n'
                   '[new]\ntags=new\n[maildir]\nsynchronize_flags=true\n')
    return config


class Synced:
    """A Maildir of plain files that mbsync keeps beside that of root."""

    def __init__(self, case, root):
        self.case = case
        self.plain = case.path('plain')
        self.config = case.path('rc')
        state = case.path('state')
        os.mkdir(self.plain)
        os.mkdir(state)
        with open(self.config, 'w') as file:
            file.write(MBSYNC.format(root=root, plain=self.plain, state=state))

    def sync(self):
        result = run('mbsync', '-c', self.config, '-a',
                     limit=200 * tap.PATIENCE)
        self.case.expect(result.ok, result, result.err)


def dovecot_config(home, owner, group):
    """Of a doveadm that keeps its mail below home, and runs as owner."""
    path = home + '/dovecot.conf'
    with open(path, 'w') as file:
        file.write(f'''
base_dir = {home}/run
log_path = /dev/stderr
ssl = no
mail_location = maildir:{home}/mail:LAYOUT=fs
mail_fsync = never
mail_uid = {owner}
mail_gid = {group}
first_valid_uid = 1
stats_writer_socket_path =
''')
    return path
