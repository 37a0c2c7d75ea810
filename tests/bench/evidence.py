"""What a soak leaves when something was wrong: the logs, databases and spools
of that round, for moments at random do not come again."""

import os
import shutil


def add_argument(parser):
    parser.add_argument('--keep', metavar='DIR',
                        help='what a round that failed has written is copied '
                             'there')


def keep(case, directory, name):
    """case: of the round, before it is closed. directory: None: not wanted."""
    if directory is None:
        return
    target = os.path.join(directory, name)
    os.makedirs(directory, exist_ok=True)

    def what_is_mounted(_parent, names):
        return [one for one in names if one.endswith('-mnt')]

    try:
        shutil.copytree(case.directory, target, symlinks=True,
                        ignore=what_is_mounted, dirs_exist_ok=True)
    except shutil.Error as error:  # the rest is there
        case.note(f'not kept: {error}')
    case.note(f'kept in {target}')
