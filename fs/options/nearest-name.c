/* The distance of names: how many letters must be put in, left out, replaced,
 * or exchanged with the next. */
#include "fs/options/nearest-name.h"

#include <string.h>

#define NAME_BYTES 40

/* Levenshtein's distance with Damerau's exchange, in three rows. */
static guint
edit_distance(const char *a, const char *b)
{
    guint rows[3][NAME_BYTES + 1];
    gsize length = strlen(b);
    gsize i;

    g_return_val_if_fail(length <= NAME_BYTES, G_MAXUINT);

    for (guint j = 0; j <= length; j++)
        rows[0][j] = j;
    for (i = 1; a[i - 1] != '\0'; i++) {
        guint *row = rows[i % 3];
        const guint *above = rows[(i + 2) % 3];
        const guint *second = rows[(i + 1) % 3]; /* of the row above that */

        row[0] = (guint)i;
        for (guint j = 1; j <= length; j++) {
            row[j] = MIN(MIN(row[j - 1], above[j]) + 1,
                         above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = MIN(row[j], second[j - 2] + 1);
        }
    }
    return rows[(i - 1) % 3][length];
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
