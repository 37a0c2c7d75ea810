/* Messages as a Maildir has them. */
#include "fs/names/maildir-message.h"

#include "fs/changes/changes.h"
#include "fs/names/given-name.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-name.h"

#include <errno.h>
#include <string.h>

#define CUR "cur/"
#define NEW "new/"
#define PREFIX_LENGTH 4u

void
fs_maildir_message_clear(FsMaildirMessage *message)
{
    g_clear_pointer(&message->base, g_free);
    g_clear_pointer(&message->letters, g_free);
    g_clear_pointer(&message->flags, g_free);
}

/* @given: "cur/BASE", "new/BASE"; NULL: it was given none. @flags are its
 * flags, taken over. */
static void
fill(const FsAccount *account, guint32 shown_in, const char *given, char *flags,
     char *made, FsMaildirMessage *result)
{
    result->is_given = given != NULL;
    if (given == NULL) {
        result->base = made;
    } else {
        result->base = g_strdup(given + PREFIX_LENGTH);
        g_free(made);
    }
    result->flags = flags;
    result->letters = fs_maildir_letters(account->aliases, shown_in, flags);
    result->is_new = !account->options->read_only && *result->letters == '\0' &&
                     (given == NULL || g_str_has_prefix(given, NEW));
}

/* A base that ends as a name with flags does would be listed, and not be found
 * by what is listed: such a one counts for nothing. */
static const char *
given_to(const FsAccount *account, guint32 mailbox, guint32 uid)
{
    const char *given = cache_aliases_name(account->aliases,
                                           mailbox | FS_GIVEN_IN_MAILDIR, uid);

    return given != NULL && strlen(given) > PREFIX_LENGTH &&
                   fs_maildir_name_info(given + PREFIX_LENGTH) == NULL
               ? given
               : NULL;
}

void
fs_maildir_message_of_row(const FsAccount *account, guint32 mailbox,
                          const CacheMessage *row, FsMaildirMessage *result)
{
    guint32 uid = row->uid;
    char *made = fs_maildir_base(row->internal_date, mailbox, uid, row->size);
    char *flags = fs_changes_flags(account->changes, mailbox, uid, row->flags);

    memset(result, 0, sizeof *result);
    fill(account, mailbox, given_to(account, mailbox, uid), flags, made,
         result);
}

void
fs_maildir_message_name_guest(const FsAccount *account, FsGuest *guest,
                              const CacheMessage *row)
{
    g_autofree char *made = fs_maildir_base(
        row->internal_date, guest->from_mailbox, guest->from_uid, row->size);
    g_autofree char *given = g_strconcat("/", NEW, made, NULL);

    if (guest->maildir == NULL)
        fs_overlay_name_in_maildir(account->overlay, guest, given);
}

/* One that has no UID where it shows. */
static void
of_guest(const FsAccount *account, FsGuest *guest, const CacheMessage *row,
         FsMaildirMessage *result)
{
    char *flags = fs_changes_flags(account->changes, guest->from_mailbox,
                                   guest->from_uid, row->flags);

    fs_maildir_message_name_guest(account, guest, row);
    fill(account, guest->mailbox, guest->maildir + 1, flags, NULL, result);
}

gboolean
fs_maildir_message_find(const FsAccount *account, guint32 shown_in,
                        guint64 inode, guint32 mailbox, guint32 uid,
                        FsMaildirMessage *result)
{
    FsGuest *guest = fs_overlay_guest_by_inode(account->overlay, inode);
    CacheMessage row;

    memset(result, 0, sizeof *result);
    if (!cache_index_message(account->index, mailbox, uid, &row)) {
        if (guest == NULL)
            return FALSE;
        row = guest->row;
    }
    if (guest != NULL && guest->uid == 0)
        of_guest(account, guest, &row, result);
    else
        fs_maildir_message_of_row(account, shown_in, &row, result);
    return TRUE;
}

void
fs_maildir_message_name(const FsMaildirMessage *message,
                        char name[FS_MAILDIR_NAME_SIZE])
{
    if (message->is_new)
        g_strlcpy(name, message->base, FS_MAILDIR_NAME_SIZE);
    else
        g_snprintf(name, FS_MAILDIR_NAME_SIZE, "%s:2,%s", message->base,
                   message->letters);
}

/* ---- by the base ---- */

static gboolean
find_given(const FsAccount *account, guint32 mailbox, const char *prefix,
           const char *base, guint32 *uid, guint64 *inode)
{
    g_autofree char *given = g_strconcat("/", prefix, base, NULL);
    const FsGuest *guest =
        fs_overlay_guest_by_name(account->overlay, mailbox, given);

    if (guest != NULL)
        *inode = guest->inode;
    else
        *uid = cache_aliases_uid(account->aliases,
                                 mailbox | FS_GIVEN_IN_MAILDIR, given + 1);
    return *inode != 0 || *uid != 0;
}

/* Which message of @mailbox is called @base because nobody has called it
 * anything else. In another account, ids and UIDs are the same, and dates are
 * not. TRUE also if it is not known whether there is one. */
static gboolean
find_made(const FsAccount *account, guint32 mailbox, const char *base,
          guint32 *uid)
{
    g_autofree char *made = NULL;
    CacheMessage row;
    guint32 from;

    if (!fs_maildir_base_parse(base, &from, uid) || from != mailbox)
        return FALSE;
    if (!cache_index_message(account->index, mailbox, *uid, &row))
        return TRUE;
    made = fs_maildir_base(row.internal_date, mailbox, *uid, row.size);
    return fs_maildir_same_base(made, base);
}

gboolean
fs_maildir_message_by_base(const FsAccount *account, guint32 mailbox,
                           const char *base, guint32 *uid, guint64 *inode)
{
    *uid = 0;
    *inode = 0;
    return find_given(account, mailbox, CUR, base, uid, inode) ||
           find_given(account, mailbox, NEW, base, uid, inode) ||
           find_made(account, mailbox, base, uid);
}

gboolean
fs_maildir_message_is_taken(const FsAccount *account, guint32 mailbox,
                            const char *base, guint64 but)
{
    CacheMessage row;
    guint64 inode;
    guint32 uid;

    if (!fs_maildir_message_by_base(account, mailbox, base, &uid, &inode))
        return FALSE;
    if (inode != 0)
        return inode != but;
    if (cache_index_message(account->index, mailbox, uid, &row)) {
        if (fs_message_is_hidden(account, mailbox, &row))
            return FALSE;
    } else if (fs_overlay_guest_by_uid(account->overlay, mailbox, uid) ==
                   NULL /* one that was stored just now */
               || fs_overlay_is_hidden(account->overlay, mailbox, uid)) {
        return FALSE;
    }
    return fs_changes_inode(account->changes, mailbox, uid) != but;
}

int
fs_maildir_message_refusal(const FsAccount *account, guint32 mailbox,
                           const char *name)
{
    g_autofree char *base = NULL;
    g_autofree char *letters = NULL;
    g_autofree char *known = NULL;
    g_autofree char *flags = NULL;

    if (!fs_maildir_name_parse(name, &base, &letters))
        return strlen(name) > FS_MAILDIR_BASE_MAX ? ENAMETOOLONG : EINVAL;
    known = fs_maildir_without_foreign(account->aliases, mailbox, letters);
    if (!fs_maildir_flags(account->aliases, mailbox, known, &flags))
        return EINVAL;
    return fs_maildir_message_is_taken(account, mailbox, base, 0) ? EEXIST : 0;
}

char *
fs_maildir_message_name_to_keep(const FsAccount *account, guint32 mailbox,
                                guint32 uid)
{
    const char *given = given_to(account, mailbox, uid);
    g_autofree char *made = NULL;
    CacheMessage row;

    if (given != NULL)
        return g_strconcat("/", given, NULL);
    if (!cache_index_message(account->index, mailbox, uid, &row))
        return NULL;
    made = fs_maildir_base(row.internal_date, mailbox, uid, row.size);
    return g_strconcat("/", NEW, made, NULL);
}

guint32
fs_maildir_message_heir(const FsAccount *account, guint32 mailbox, guint32 uid)
{
    static const char *const prefixes[] = {CUR, NEW};
    g_autofree char *made = NULL;
    CacheMessage row;

    if (given_to(account, mailbox, uid) != NULL ||
        !cache_index_message(account->index, mailbox, uid, &row))
        return 0;
    made = fs_maildir_base(row.internal_date, mailbox, uid, row.size);
    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        g_autofree char *given = g_strconcat(prefixes[i], made, NULL);
        guint32 heir = cache_aliases_uid(account->aliases,
                                         mailbox | FS_GIVEN_IN_MAILDIR, given);

        if (heir != 0 && heir != uid)
            return heir;
    }
    return 0;
}

void
fs_maildir_message_give(const FsAccount *account, guint32 mailbox, guint32 uid,
                        const char *base, gboolean is_new)
{
    g_autofree char *given = g_strconcat("/", is_new ? NEW : CUR, base, NULL);
    g_auto(FsMaildirMessage) before = {0};
    CacheMessage row;

    cache_aliases_remove(account->aliases, mailbox | FS_GIVEN_IN_MAILDIR, uid);
    if (cache_index_message(account->index, mailbox, uid, &row)) {
        fs_maildir_message_of_row(account, mailbox, &row, &before);
        if (g_str_equal(before.base, base) && before.is_new == is_new)
            return;
    }
    fs_given_name_set(account->aliases, mailbox, uid, given);
}
