/* A terminal that has hung up cannot be opened by its processes any more. In
 * the background there is none, by our own doing, and that is no loss. */
#include "fs/service/terminal.h"

#include <fcntl.h>
#include <unistd.h>

static pid_t session; /* with a terminal, at the start; 0: none */

static gboolean
has_terminal(void)
{
    int terminal = open("/dev/tty", O_RDONLY | O_NOCTTY | O_CLOEXEC);

    if (terminal < 0)
        return FALSE;
    close(terminal);
    return TRUE;
}

void
fs_terminal_note(void)
{
    session = has_terminal() ? getsid(0) : 0;
}

gboolean
fs_terminal_is_lost(void)
{
    return session != 0 && session == getsid(0) && !has_terminal();
}
