/* Which messages may be late copies, and which are somebody's. */
#include "fs/changes/late-private.h"
#include "fs/names/given-name.h"
#include "fs/writing/writing.h"

#include <string.h>

gboolean
fs_late_has_flags_of(const char *flags, const char *sent)
{
    g_autofree char *rest = NULL;

    if (flags == NULL)
        return FALSE;
    rest = fs_changes_merge_flags(flags, "", sent);
    return *rest == '\0';
}

static gboolean
is_anothers_copy(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    for (guint i = 0; i < changes->late->len; i++) {
        const FsLate *other = g_ptr_array_index(changes->late, i);

        if ((other->mailbox == mailbox && other->uid == uid) ||
            (other->home == mailbox && other->home_uid == uid))
            return TRUE;
    }
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->target == mailbox && pending->target_uid == uid)
            return TRUE;
    }
    return FALSE;
}

gboolean
fs_late_is_nobodys(const FsLate *late, guint32 uid)
{
    const FsChanges *changes = late->changes;
    const FsAccount *account = changes->account;
    FsUploads *uploads =
        account->writing != NULL ? fs_writing_uploads(account->writing) : NULL;

    if (fs_overlay_guest_by_uid(account->overlay, late->mailbox, uid) != NULL ||
        fs_given_name_is_other(account->aliases, late->mailbox, uid, NULL) ||
        fs_changes_concern(changes, late->mailbox, uid) ||
        is_anothers_copy(changes, late->mailbox, uid))
        return FALSE;
    return uploads == NULL ||
           (!fs_uploads_claim(uploads, late->mailbox, uid) &&
            fs_uploads_onto(uploads, late->mailbox, uid) == NULL &&
            fs_uploads_that_may_be(uploads, late->mailbox, uid, late->size) ==
                NULL);
}

gboolean
fs_late_is_in_motion(const FsLate *late)
{
    const FsChanges *changes = late->changes;
    FsWriting *writing = changes->account->writing;

    if (late->home != 0 &&
        fs_changes_concern(changes, late->home, late->home_uid))
        return TRUE;
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->kind == FS_PENDING_MOVE && pending->target_uid == 0 &&
            pending->target == late->mailbox)
            return TRUE;
    }
    return writing != NULL &&
           fs_uploads_pending(fs_writing_uploads(writing), late->mailbox) > 0;
}

gboolean
fs_late_is_message_known(FsLate *late)
{
    const FsChanges *changes = late->changes;
    CacheMessage message;

    if (late->home == 0)
        return TRUE;
    if (!cache_index_message(changes->account->index, late->home,
                             late->home_uid, &message) ||
        message.flags == NULL || strstr(message.flags, FS_LATE_DELETED) != NULL)
        return FALSE;
    /* As the server has it: some change what they are given. */
    if (message.size != late->size)
        g_clear_pointer(&late->digest, g_free);
    late->size = message.size;
    late->date = message.internal_date;
    return TRUE;
}

guint32
fs_late_next_candidate(const FsLate *late)
{
    CacheIndex *index = late->changes->account->index;
    guint32 after = late->candidate;
    CacheMessage message;

    while (cache_index_next(index, late->mailbox, after, &message)) {
        after = message.uid;
        if (message.size == late->size && message.internal_date == late->date &&
            fs_late_has_flags_of(message.flags, late->flags) &&
            fs_late_is_nobodys(late, after))
            return after;
    }
    return 0;
}
