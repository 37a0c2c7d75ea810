"""A terminal of a given size, and what a program shows in it (tmux)."""

import itertools
import os
import shutil
import subprocess

from command import run, wait_until
from tap import PATIENCE, Skip


# The server of a terminal that was closed may not have gone yet.
_numbers = itertools.count(1)


class Terminal:
    """Runs command, a list, with environment beside the test's own. What was
    on the screen before it is "before>", and behind it "after STATUS"."""

    def __init__(self, case, command, *, width=80, height=24,
                 environment=None):
        if shutil.which('tmux') is None:
            raise Skip('tmux is not installed')
        self.case = case
        number = next(_numbers)
        self.socket = case.path(f'tmux-{number}')
        script = case.path(f'terminal-{number}.sh')
        with open(script, 'w') as file:
            # Ctrl-C is for the command alone.
            file.write('trap : INT\necho "before>"\n')
            for name, value in (environment or {}).items():
                file.write(f"export {name}='{value}'\n")
            file.write(' '.join(f"'{word}'" for word in command)
                       + '\necho "after $?"\nexec sleep 600\n')
        case.defer(self.close)
        self._tmux('-f', '/dev/null', '-u', 'new-session', '-d',
                   '-x', str(width), '-y', str(height), 'sh ' + script)

    def _tmux(self, *arguments):
        return run('tmux', '-S', self.socket, *arguments, limit=20 * PATIENCE,
                   check=True).out.decode()

    def text(self):
        """What is on the screen."""
        return self._tmux('capture-pane', '-p').rstrip('\n') + '\n'

    def lines(self):
        return self.text().splitlines()

    def coloured(self):
        """The same with the sequences for colours."""
        return self._tmux('capture-pane', '-p', '-e')

    def format(self, text):
        """What tmux says of the pane: #{cursor_flag}, #{alternate_on} …"""
        return self._tmux('display-message', '-p', text).strip()

    def wait_for(self, condition, what, limit=20):
        """condition: a text that is to be on the screen, or a function of what
        is there. Returns that."""
        is_there = condition if callable(condition) else \
            lambda screen: condition in screen
        found = wait_until(lambda: (lambda screen: screen if is_there(screen)
                                    else None)(self.text()),
                           limit * PATIENCE, 0.1)
        self.case.expect(found, f'{what}: not on the screen:\n', self.text())
        return found or ''

    def press(self, *keys):
        self._tmux('send-keys', *keys)

    def resize(self, width, height):
        self._tmux('resize-window', '-x', str(width), '-y', str(height))

    def close(self):
        subprocess.run(['tmux', '-S', self.socket, 'kill-server'],
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL, check=False, timeout=60)
