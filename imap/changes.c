/* What has changed in a mailbox. A server that tells of more changes than are
 * kept here is asked anew, message by message, by who wants to know. */
#include "imap/changes.h"

#include <string.h>

#define MAX_FLAGS_CHANGES 200000u
#define MAX_FLAGS_OCTETS (16u * 1024 * 1024) /* of all of them */
#define MAX_VANISHED_RANGES (1024u * 1024)

/* Of one message; what is beyond is left out. */
#define MAX_FLAGS_LENGTH 8000u

/* What is counted beside the octets that are seen. */
typedef struct {
    ImapChanges public;
    gsize flags_octets;
} Changes;

static void
flags_change_clear(gpointer change)
{
    g_free(((ImapFlagsChange *)change)->flags);
}

ImapChanges *
imap_changes_new(const ImapKnown *since)
{
    Changes *changes = g_new0(Changes, 1);

    changes->public.since = *since;
    changes->public.vanished = imap_uid_set_new();
    changes->public.flags = g_array_new(FALSE, FALSE, sizeof(ImapFlagsChange));
    g_array_set_clear_func(changes->public.flags, flags_change_clear);
    return &changes->public;
}

void
imap_changes_free(ImapChanges *changes)
{
    if (changes == NULL)
        return;
    imap_uid_set_free(changes->vanished);
    g_array_unref(changes->flags);
    g_free((Changes *)changes);
}

gboolean
imap_changes_add_flags(ImapChanges *changes, guint32 uid,
                       const char *const *flags)
{
    Changes *all = (Changes *)changes;
    ImapFlagsChange change = {.uid = uid};

    if (changes->flags->len >= MAX_FLAGS_CHANGES ||
        all->flags_octets >= MAX_FLAGS_OCTETS)
        return FALSE;
    change.flags = imap_flags_to_string(flags);
    all->flags_octets += strlen(change.flags);
    g_array_append_val(changes->flags, change);
    return TRUE;
}

gboolean
imap_changes_add_vanished(ImapChanges *changes, const ImapUidSet *uids)
{
    guint n = imap_uid_set_n_ranges(uids);
    guint32 first;
    guint32 last;

    if (n > MAX_VANISHED_RANGES - MIN(imap_uid_set_n_ranges(changes->vanished),
                                      MAX_VANISHED_RANGES))
        return FALSE;
    for (guint i = 0; i < n; i++) {
        imap_uid_set_range(uids, i, &first, &last);
        if (!imap_uid_set_add(changes->vanished, first, last))
            return FALSE;
    }
    return TRUE;
}

static int
compare_flags(gconstpointer one, gconstpointer other)
{
    return strcmp(*(const char *const *)one, *(const char *const *)other);
}

char *
imap_flags_to_string(const char *const *flags)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    GString *text = g_string_new(NULL);
    const char *last = NULL;

    for (; flags != NULL && *flags != NULL; flags++)
        if (g_ascii_strcasecmp(*flags, "\\Recent") != 0)
            g_ptr_array_add(sorted, (gpointer)*flags);
    g_ptr_array_sort(sorted, compare_flags);
    for (guint i = 0; i < sorted->len; i++) {
        const char *flag = g_ptr_array_index(sorted, i);

        if (g_strcmp0(flag, last) == 0 ||
            text->len + strlen(flag) >= MAX_FLAGS_LENGTH)
            continue;
        if (text->len > 0)
            g_string_append_c(text, ' ');
        g_string_append(text, flag);
        last = flag;
    }
    return g_string_free(text, FALSE);
}

gboolean
imap_flag_may_be_given(const char *flag)
{
    static const char *const system_flags[] = {
        "\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft",
    };

    if (*flag != '\\')
        return TRUE;
    for (gsize i = 0; i < G_N_ELEMENTS(system_flags); i++)
        if (g_ascii_strcasecmp(flag, system_flags[i]) == 0)
            return TRUE;
    return FALSE;
}
