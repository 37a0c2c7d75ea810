/* Under which name a message shows at the place that it is being moved to,
 * until the server has answered.
 *
 * Mostly that is the name that it is to have. "UID.eml" is none that could be
 * given: it may be another message's there, and a name in a Maildir is none
 * here. Then it shows under the name that is made of its header, with the UID
 * that it had, as if none had been asked for; not under one that a user has
 * given it, which might be wanted for something else. Where names are UIDs, or
 * the header is not known, it is
 *
 *     moving-M12U1234.eml
 *
 * by the mailbox and the UID that it had: no other message is ever called so,
 * and the next mount calls it so, too. Who moves it by that name has not given
 * it one: it goes on being called so while it is on its way. */
#include "fs/changes/pending.h"

#include "fs/names/given-name.h"
#include "fs/names/message-name.h"

#include <stdio.h>
#include <string.h>

#define FORM "moving-M%uU%u.eml"

gboolean
fs_pending_is_made_up_name(const char *name)
{
    char again[sizeof FORM + 20];
    guint mailbox;
    guint uid;

    if (sscanf(name, FORM, &mailbox, &uid) != 2)
        return FALSE;
    g_snprintf(again, sizeof again, FORM, mailbox, uid);
    return strcmp(again, name) == 0;
}

/* Of what is known of the message; NULL: too little is. Caller frees. */
static char *
made_name(const FsAccount *account, const CacheMessage *row)
{
    gboolean sent =
        account->options->date == FS_DATE_SENT && row->sent_date != G_MININT64;

    if (account->options->names != FS_NAMES_SUBJECT || row->stem == NULL)
        return NULL;
    return fs_message_name(
        row->stem, sent ? row->sent_date : row->internal_date, row->uid);
}

/* Whether a message of the target is listed so because of its own header: the
 * same one, most likely, which is there twice then. It is not to give way. */
static gboolean
is_made_of_another(const FsAccount *account, const FsPending *pending,
                   const char *name)
{
    g_autofree char *stem = NULL;
    g_autofree char *made = NULL;
    CacheMessage there;
    guint32 uid;

    if (!fs_message_name_parse(name, &stem, &uid) ||
        !cache_index_message(account->index, pending->target, uid, &there))
        return FALSE;
    made = made_name(account, &there);
    return g_strcmp0(made, name) == 0;
}

gboolean
fs_pending_name_is_free(const FsAccount *account, guint32 mailbox,
                        const char *name)
{
    return fs_mailbox_tree_child(account->tree, mailbox, name) == NULL &&
           cache_aliases_uid(account->aliases, mailbox, name) == 0 &&
           fs_overlay_guest_by_name(account->overlay, mailbox, name) == NULL;
}

static gboolean
is_free(const FsAccount *account, const FsPending *pending, const char *name)
{
    return fs_pending_name_is_free(account, pending->target, name) &&
           !is_made_of_another(account, pending, name);
}

static gboolean
can_be_given(const char *name)
{
    g_autofree char *stem = NULL;
    guint32 uid;

    return !fs_given_name_is_maildir(name) &&
           (!fs_message_name_parse(name, &stem, &uid) || stem != NULL);
}

char *
fs_pending_name_on_the_way(FsChanges *changes, const FsPending *pending,
                           const CacheMessage *row)
{
    const FsAccount *account = changes->account;
    CacheMessage before = *row;
    char *name;

    if (can_be_given(pending->name))
        return g_strdup(pending->name);
    before.uid = pending->uid;
    name = made_name(account, &before);
    if (name == NULL || !is_free(account, pending, name)) {
        g_free(name);
        name = g_strdup_printf(FORM, pending->mailbox, pending->uid);
    }
    while (!is_free(account, pending, name)) {
        g_free(name);
        name = g_strdup_printf("moving-%u.eml", ++changes->n_moved);
    }
    return name;
}
