/* Who sent a request. */
#include "fs/kernel/process.h"

#include <stdlib.h>
#include <string.h>

#define GROUP_LINE "\nTgid:"

pid_t
fs_process_of(pid_t thread)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)thread);
    g_autofree char *text = NULL;
    const char *line;

    if (!g_file_get_contents(path, &text, NULL, NULL))
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
