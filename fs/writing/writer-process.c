/* Who closes a file, as /proc tells. Processes that cannot be seen from here (a
 * container's) count as the writer: what they close would else never be
 * stored. */
#include "fs/writing/writer-process.h"

#include "fs/kernel/process.h"

#include <stdlib.h>
#include <string.h>

/* In /proc/PID/stat, counted from the one behind the name, which is the third.
 */
#define EXIT_CODE_FIELD 52
#define FIRST_FIELD 3

/* NULL: there is no such thread. Caller frees. */
static char *
read_stat(pid_t thread)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)thread);
    char *text = NULL;

    return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

gboolean
fs_writer_is_same(pid_t thread, pid_t opener)
{
    if (thread <= 0 || opener <= 0 || thread == opener)
        return TRUE;
    return fs_process_is_one(thread, opener);
}

gboolean
fs_writer_is_dying(pid_t thread)
{
    g_autofree char *text = thread > 0 ? read_stat(thread) : NULL;
    const char *at = text != NULL ? strrchr(text, ')') : NULL;

    /* A name may hold anything, also spaces and parentheses. */
    for (guint field = FIRST_FIELD - 1; at != NULL && field < EXIT_CODE_FIELD;
         field++)
        at = strchr(at + 1, ' ');
    /* The low seven bits are a signal; an exit of its own is above. */
    return at != NULL && (strtol(at + 1, NULL, 10) & 0x7f) != 0;
}
