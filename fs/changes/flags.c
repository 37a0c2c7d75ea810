/* The flags of messages as the user has set them: those that the server is
 * known to have, with what is still to be sent. */
#include "fs/changes/pending.h"

#include "imap/changes.h"

char *
fs_changes_merge_flags(const char *flags, const char *add, const char *remove)
{
    g_auto(GStrv) present = g_strsplit(flags != NULL ? flags : "", " ", -1);
    g_auto(GStrv) added = g_strsplit(add, " ", -1);
    g_auto(GStrv) removed = g_strsplit(remove, " ", -1);
    g_autoptr(GPtrArray) result = g_ptr_array_new();

    for (char **flag = present; *flag != NULL; flag++) {
        gboolean keep = **flag != '\0';

        for (char **other = removed; keep && *other != NULL; other++)
            keep = g_ascii_strcasecmp(*flag, *other) != 0;
        for (char **other = added; keep && *other != NULL; other++)
            keep = g_ascii_strcasecmp(*flag, *other) != 0;
        if (keep)
            g_ptr_array_add(result, *flag);
    }
    for (char **flag = added; *flag != NULL; flag++)
        if (**flag != '\0')
            g_ptr_array_add(result, *flag);
    g_ptr_array_add(result, NULL);
    return imap_flags_to_string((const char *const *)result->pdata);
}

char *
fs_changes_flags(const FsChanges *changes, guint32 mailbox, guint32 uid,
                 const char *flags)
{
    char *result = g_strdup(flags);
    const GQueue *queue = NULL;

    if (changes != NULL)
        queue = fs_pending_queue(changes, mailbox, uid);
    for (GList *link = queue != NULL ? queue->head : NULL; link != NULL;
         link = link->next) {
        const FsPending *pending = link->data;
        g_auto(GStrv) words = NULL;
        char *merged;

        if (pending->kind != FS_PENDING_FLAGS)
            continue;
        words = g_strsplit(pending->text, "\n", 2);
        merged = fs_changes_merge_flags(result, words[0], words[1]);
        g_free(result);
        result = merged;
    }
    return result;
}
