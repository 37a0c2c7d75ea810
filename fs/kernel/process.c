/* Who sent a request. */
#include "fs/kernel/process.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define GROUP_LINE "\nTgid:"

/* NULL: there is no such thread any more. Caller frees. */
static char *
status_of(pid_t thread)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)thread);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

pid_t
fs_process_of(pid_t thread)
{
    g_autofree char *text = status_of(thread);
    const char *line;

    if (text == NULL)
        return 0;
    line = strstr(text, GROUP_LINE);
    return line != NULL ? (pid_t)strtol(line + strlen(GROUP_LINE), NULL, 10)
                        : 0;
}

gboolean
fs_process_is_one(pid_t thread, pid_t other)
{
    pid_t process;

    if (thread <= 0 || other <= 0)
        return FALSE;
    process = fs_process_of(thread);
    return process != 0 && (thread == other || process == fs_process_of(other));
}

char *
fs_process_name(pid_t thread)
{
    g_autofree char *path =
        g_strdup_printf("/proc/%d/comm", (int)fs_process_of(thread));
    char *name = NULL;

    if (g_file_get_contents(path, &name, NULL, NULL))
        g_strchomp(name);
    return name;
}

/* ---- signals ---- */

static guint64
bit(int number)
{
    return G_GUINT64_CONSTANT(1) << (number - 1);
}

/* The signals of a line of /proc/PID/status; none if there is no such line. */
static guint64
signals_of(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line != NULL ? g_ascii_strtoull(line + strlen(name), NULL, 16) : 0;
}

gboolean
fs_process_is_to_end(pid_t thread)
{
    g_autofree char *text = thread > 0 ? status_of(thread) : NULL;
    guint64 asked = bit(SIGINT) | bit(SIGTERM) | bit(SIGHUP) | bit(SIGQUIT);
    guint64 harmless = bit(SIGCHLD) | bit(SIGURG) | bit(SIGWINCH) |
                       bit(SIGCONT) | bit(SIGSTOP) | bit(SIGTSTP) |
                       bit(SIGTTIN) | bit(SIGTTOU);
    guint64 pending;
    guint64 caught;

    if (text == NULL)
        return TRUE;
    caught = signals_of(text, "\nSigCgt:");
    pending = signals_of(text, "\nSigPnd:") | signals_of(text, "\nShdPnd:");
    pending &= ~signals_of(text, "\nSigBlk:") & ~signals_of(text, "\nSigIgn:") &
               ~harmless;
    return (pending & ~caught) != 0 || (pending & asked) != 0;
}
