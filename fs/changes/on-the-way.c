/* Under which name a message shows at the place that it is being moved to,
 * until the server has answered.
 *
 * Mostly that is the name that it is to have. "UID.eml" is none that could be
 * given: it may be another message's there, and a name in a Maildir is none
 * here. Then it shows under the name that it has, as if none had been asked
 * for. */
#include "fs/changes/pending.h"

#include "fs/names/given-name.h"
#include "fs/names/message-name.h"

/* Of the message as it is listed now. Caller frees. */
static char *
name_before(const FsAccount *account, const FsPending *pending,
            const CacheMessage *row)
{
    const char *given =
        cache_aliases_name(account->aliases, pending->mailbox, pending->uid);
    gboolean sent =
        account->options->date == FS_DATE_SENT && row->sent_date != G_MININT64;

    if (given != NULL)
        return g_strdup(given);
    return fs_message_name(
        row->stem, sent ? row->sent_date : row->internal_date, pending->uid);
}

/* The index is not asked: @row is borrowed from it. A message that would be
 * listed so gives way (fs/names/mailbox-layout.c). */
static gboolean
is_free(const FsAccount *account, const FsPending *pending, const char *name)
{
    return fs_mailbox_tree_child(account->tree, pending->target, name) ==
               NULL &&
           cache_aliases_uid(account->aliases, pending->target, name) == 0 &&
           fs_overlay_guest_by_name(account->overlay, pending->target, name) ==
               NULL;
}

char *
fs_pending_name_on_the_way(FsChanges *changes, const FsPending *pending,
                           const CacheMessage *row)
{
    const FsAccount *account = changes->account;
    g_autofree char *before = NULL;
    g_autofree char *stem = NULL;
    guint32 uid;

    if (!fs_given_name_is_maildir(pending->name) &&
        (!fs_message_name_parse(pending->name, &stem, &uid) || stem != NULL))
        return g_strdup(pending->name);
    before = name_before(account, pending, row);
    if (account->options->names == FS_NAMES_SUBJECT && row->stem != NULL &&
        is_free(account, pending, before))
        return g_steal_pointer(&before);
    return g_strdup_printf("moving-%u.eml", ++changes->n_moved);
}
