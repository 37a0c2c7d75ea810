/* The rest of a word with the name of such an option in it becomes stars: where
 * its value ends, with commas behind backslashes, need not be known. */
#include "fs/options/arguments.h"

#include "fs/options/mount-option-table.h"

#include <string.h>

static int n_arguments;
static char **arguments;

void
fs_arguments_note(int argc, char **argv)
{
    n_arguments = argc;
    arguments = argv;
}

static void
hide(char *word, const char *name)
{
    g_autofree char *begin = g_strconcat(name, "=", NULL);
    char *found = strstr(word, begin);
    gsize length;

    if (found == NULL)
        return;
    found += strlen(begin);
    length = strlen(found);
    /* Not even how long it was: behind a NUL, the kernel shows nothing. */
    memset(found, '\0', length);
    memset(found, '*', MIN(length, 3));
}

void
fs_arguments_hide(void)
{
    for (const FsMountOption *option = fs_mount_option_table;
         option->name != NULL; option++) {
        for (int i = 1; i < n_arguments; i++)
            if (option->kind == FS_VALUE_COMMAND)
                hide(arguments[i], option->name);
    }
}
