/* When the directories of Maildirs last changed.
 *
 * Where a message was before a change, nobody tells: it was in "new" if it has
 * been shown there. What never was, nobody has seen there, and nobody misses.
 */
#include "fs/names/maildir-times.h"

#include "fs/changes/changes.h"
#include "fs/changes/overlay.h"
#include "fs/names/maildir-message.h"
#include "fs/sync/synchroniser.h"

/* Flags of more messages than these, set here and not confirmed yet, are not
 * remembered: then the time moves once more. */
#define MAX_TOLD 100000u

typedef struct {
    gint64 cur;
    gint64 new_mail;
    GHashTable *shown_new; /* of UIDs */
} Folder;

struct FsMaildirTimes {
    FsAccount *account;
    GHashTable *folders; /* id -> Folder, owned */
    /* mailbox << 32 | UID -> letters that the user has given it and the server
     * has not confirmed */
    GHashTable *told;
};

static void
folder_free(gpointer data)
{
    Folder *folder = data;

    g_hash_table_unref(folder->shown_new);
    g_free(folder);
}

static Folder *
folder_of(FsMaildirTimes *times, guint32 mailbox)
{
    Folder *folder =
        g_hash_table_lookup(times->folders, GUINT_TO_POINTER(mailbox));

    if (folder == NULL) {
        folder = g_new0(Folder, 1);
        folder->shown_new = g_hash_table_new(NULL, NULL);
        g_hash_table_insert(times->folders, GUINT_TO_POINTER(mailbox), folder);
    }
    return folder;
}

/* Nobody has seen the times of others. */
static gboolean
is_used(const FsMaildirTimes *times, guint32 mailbox)
{
    return g_hash_table_contains(times->folders, GUINT_TO_POINTER(mailbox));
}

static void
touch(Folder *folder, gboolean cur, gboolean new_mail)
{
    gint64 now = g_get_real_time();

    if (cur)
        folder->cur = now;
    if (new_mail)
        folder->new_mail = now;
}

static guint64 *
key_of(guint32 mailbox, guint32 uid)
{
    guint64 key = (guint64)mailbox << 32 | uid;

    return g_memdup2(&key, sizeof key);
}

/* As it shows in its folder; FALSE: it is not known any more. */
static gboolean
find_message(const FsMaildirTimes *times, guint32 mailbox, guint32 uid,
             FsMaildirMessage *message)
{
    const FsAccount *account = times->account;

    return fs_maildir_message_find(
        account, mailbox, fs_changes_inode(account->changes, mailbox, uid),
        mailbox, uid, message);
}

/* ---- what has happened ---- */

static void
has_gone(Folder *folder, guint32 uid)
{
    gboolean was_new =
        g_hash_table_remove(folder->shown_new, GUINT_TO_POINTER(uid));

    touch(folder, !was_new, was_new);
}

static void
has_moved(Folder *folder, const FsMaildirMessage *message, guint32 uid)
{
    gboolean was_new =
        g_hash_table_contains(folder->shown_new, GUINT_TO_POINTER(uid));

    if (was_new && message->is_new)
        return;
    if (was_new)
        g_hash_table_remove(folder->shown_new, GUINT_TO_POINTER(uid));
    touch(folder, TRUE, was_new || message->is_new);
}

/* The server says so. */
static void
on_flags(FsMaildirTimes *times, guint32 mailbox, const CacheMessage *row)
{
    g_autofree guint64 *key = key_of(mailbox, row->uid);
    g_auto(FsMaildirMessage) message = {0};
    guint32 uid = row->uid;
    const char *told = g_hash_table_lookup(times->told, key);
    gboolean known;

    fs_maildir_message_of_row(times->account, mailbox, row, &message);
    known = told != NULL && g_str_equal(told, message.letters);
    g_hash_table_remove(times->told, key);
    if (!known)
        has_moved(folder_of(times, mailbox), &message, uid);
}

static void
has_come(FsMaildirTimes *times, guint32 mailbox, const CacheMessage *row)
{
    g_auto(FsMaildirMessage) message = {0};
    gboolean is_guest = fs_overlay_guest_by_uid(times->account->overlay,
                                                mailbox, row->uid) != NULL;

    fs_maildir_message_of_row(times->account, mailbox, row, &message);
    /* A guest with a name of its own shows as it did before. */
    if (!is_guest || !message.is_given)
        touch(folder_of(times, mailbox), !message.is_new, message.is_new);
}

/* A FsChangeFunc. */
static void
on_change(FsChange change, guint32 mailbox, const CacheMessage *row,
          gpointer user_data)
{
    FsMaildirTimes *times = user_data;

    if (!is_used(times, mailbox))
        return;
    if (change == FS_CHANGE_ALL)
        touch(folder_of(times, mailbox), TRUE, TRUE);
    else if (fs_overlay_is_hidden(times->account->overlay, mailbox, row->uid))
        return;
    else if (change == FS_CHANGE_FLAGS)
        on_flags(times, mailbox, row);
    else if (change == FS_CHANGE_NEW)
        has_come(times, mailbox, row);
    else
        has_gone(folder_of(times, mailbox), row->uid);
}

/* The user says so. */
static void
on_own_flags(FsMaildirTimes *times, guint32 mailbox, guint32 uid)
{
    Folder *folder = folder_of(times, mailbox);
    g_auto(FsMaildirMessage) message = {0};

    if (!find_message(times, mailbox, uid, &message)) {
        touch(folder, TRUE, TRUE);
        return;
    }
    if (g_hash_table_size(times->told) < MAX_TOLD)
        g_hash_table_replace(times->told, key_of(mailbox, uid),
                             g_strdup(message.letters));
    has_moved(folder, &message, uid);
}

/* @name: of a guest that has no UID; or NULL. */
static gboolean
find_own(const FsMaildirTimes *times, guint32 mailbox, guint32 uid,
         const char *name, FsMaildirMessage *message)
{
    const FsAccount *account = times->account;
    const FsGuest *guest = NULL;

    if (uid != 0)
        return find_message(times, mailbox, uid, message);
    if (name != NULL)
        guest = fs_overlay_guest_by_name(account->overlay, mailbox, name);
    /* One that nobody has seen there yet is not to be given a name by this. */
    return guest != NULL && guest->maildir != NULL &&
           fs_maildir_message_find(account, mailbox, guest->inode,
                                   guest->from_mailbox, guest->from_uid,
                                   message);
}

static void
on_own_new(FsMaildirTimes *times, guint32 mailbox, guint32 uid,
           const char *name)
{
    g_auto(FsMaildirMessage) message = {0};

    if (find_own(times, mailbox, uid, name, &message))
        touch(folder_of(times, mailbox), !message.is_new, message.is_new);
    else
        touch(folder_of(times, mailbox), TRUE, TRUE);
}

/* A FsOverlayFunc. */
static void
on_overlay(FsOverlayChange change, guint32 mailbox, guint32 uid,
           const char *name, gpointer user_data)
{
    FsMaildirTimes *times = user_data;

    if (!is_used(times, mailbox))
        return;
    switch (change) {
    case FS_OVERLAY_FLAGS:
        if (uid != 0)
            on_own_flags(times, mailbox, uid);
        else
            touch(folder_of(times, mailbox), TRUE, TRUE);
        break;
    case FS_OVERLAY_AWAY:
        has_gone(folder_of(times, mailbox), uid);
        break;
    case FS_OVERLAY_LISTING:
    case FS_OVERLAY_NEW:
        on_own_new(times, mailbox, uid, name);
        break;
    case FS_OVERLAY_NAME: /* of the folder alone */
    case FS_OVERLAY_ALL:  /* not of names */
        break;
    }
}

/* ---- the interface ---- */

gint64
fs_maildir_times_cur(FsMaildirTimes *times, guint32 mailbox)
{
    return folder_of(times, mailbox)->cur;
}

gint64
fs_maildir_times_new_mail(FsMaildirTimes *times, guint32 mailbox)
{
    return folder_of(times, mailbox)->new_mail;
}

void
fs_maildir_times_shown_new(FsMaildirTimes *times, guint32 mailbox, guint32 uid)
{
    g_hash_table_add(folder_of(times, mailbox)->shown_new,
                     GUINT_TO_POINTER(uid));
}

void
fs_maildir_times_named(FsMaildirTimes *times, guint32 mailbox, guint32 uid,
                       gboolean cur, gboolean new_mail)
{
    Folder *folder = folder_of(times, mailbox);
    g_auto(FsMaildirMessage) message = {0};

    touch(folder, cur, new_mail);
    if (!find_message(times, mailbox, uid, &message))
        return;
    /* Who has given it the name knows that. */
    if (message.is_new)
        g_hash_table_add(folder->shown_new, GUINT_TO_POINTER(uid));
    else
        g_hash_table_remove(folder->shown_new, GUINT_TO_POINTER(uid));
}

FsMaildirTimes *
fs_maildir_times_new(FsAccount *account)
{
    FsMaildirTimes *times = g_new0(FsMaildirTimes, 1);

    times->account = account;
    times->folders = g_hash_table_new_full(NULL, NULL, NULL, folder_free);
    times->told =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    fs_synchroniser_add_change_func(account->synchroniser, on_change, times);
    fs_overlay_add_func(account->overlay, on_overlay, times);
    return times;
}

void
fs_maildir_times_free(FsMaildirTimes *times)
{
    if (times == NULL)
        return;
    fs_synchroniser_remove_change_func(times->account->synchroniser, on_change,
                                       times);
    fs_overlay_remove_func(times->account->overlay, on_overlay, times);
    g_hash_table_unref(times->folders);
    g_hash_table_unref(times->told);
    g_free(times);
}
