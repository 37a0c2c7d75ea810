/* The distance of names: how many letters must be put in, left out or replaced.
 */
#include "fs/options/nearest-name.h"

#include <string.h>

#define NAME_BYTES 40

/* Levenshtein's distance, in one row. */
static guint
edit_distance(const char *a, const char *b)
{
    guint row[NAME_BYTES + 1];
    gsize length = strlen(b);

    g_return_val_if_fail(length <= NAME_BYTES, G_MAXUINT);

    for (guint j = 0; j <= length; j++)
        row[j] = j;
    for (; *a != '\0'; a++) {
        guint diagonal = row[0]++;

        for (guint j = 1; j <= length; j++) {
            guint substituted = diagonal + (*a != b[j - 1]);

            diagonal = row[j];
            row[j] = MIN(MIN(row[j], row[j - 1]) + 1, substituted);
        }
    }
    return row[length];
}

const char *
fs_nearest_name(const char *name, const char *const *names)
{
    const char *nearest = NULL;
    gsize length = strlen(name);
    guint least = length < 4 ? 2 : length < 8 ? 3 : 4; /* too far */

    if (length > NAME_BYTES)
        return NULL;
    for (; *names != NULL; names++) {
        guint distance = edit_distance(*names, name);

        if (distance < least) {
            least = distance;
            nearest = *names;
        }
    }
    return nearest;
}
