/* Flags of files that are to be messages.
 *
 * They go along when a message is sent. Only where nothing is sent, for the
 * server has that very message, or copies one that it has, they are set
 * afterwards, like all flags are that a program sets. */
#include "fs/writing/file-flags.h"

#include "fs/changes/changes.h"
#include "fs/kernel/flag-values.h"
#include "fs/names/given-name.h"
#include "fs/names/maildir-name.h"
#include "fs/sync/refresh.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/file-name.h"
#include "fs/writing/local-files.h"

#include <string.h>

#define INFO_LENGTH 3u /* of ":2," */
/* So many messages that editors have renamed are remembered. */
#define MAX_BACKUPS 1000u

struct FsFileFlags {
    FsAccount *account;
    GQueue following;    /* of Follower, owned, by their links */
    GHashTable *backups; /* "MAILBOX/NAME" -> UID that had that name before */
};

/* Flags that are to be set on a message of which the index does not tell yet,
 * or that is just being changed. */
typedef struct {
    FsFileFlags *owner;
    guint32 mailbox;
    guint32 uid;
    char *wanted;
    gint64 since;
    FsNeed *need; /* a reference */
    FsNeedWaiter *waiter;
    GList link;
} Follower;

FsFileFlags *
fs_file_flags_new(FsAccount *account)
{
    FsFileFlags *flags = g_new0(FsFileFlags, 1);

    flags->account = account;
    g_queue_init(&flags->following);
    flags->backups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return flags;
}

static void
follower_free(Follower *follower)
{
    g_queue_unlink(&follower->owner->following, &follower->link);
    if (follower->waiter != NULL)
        fs_need_cancel(follower->waiter);
    fs_need_unref(follower->need);
    g_free(follower->wanted);
    g_free(follower);
}

void
fs_file_flags_free(FsFileFlags *flags)
{
    if (flags == NULL)
        return;
    while (flags->following.head != NULL)
        follower_free(flags->following.head->data);
    g_hash_table_unref(flags->backups);
    g_free(flags);
}

/* ---- before it is stored ---- */

gboolean
fs_file_flags_is_own(const FsLocalFile *file)
{
    if (file == NULL || file->detached)
        return FALSE;
    return fs_local_file_is_ahead(file) || (fs_local_files_own(file->inode) &&
                                            file->generation != file->stored);
}

static char *
key_of(guint32 mailbox, const char *name)
{
    return g_strdup_printf("%" G_GUINT32_FORMAT "/%s", mailbox, name);
}

void
fs_file_flags_renamed(FsFileFlags *flags, guint32 mailbox, const char *name,
                      const char *new_name, guint32 uid)
{
    if (!g_str_has_prefix(new_name, name))
        return;
    if (g_hash_table_size(flags->backups) >= MAX_BACKUPS)
        g_hash_table_remove_all(flags->backups);
    g_hash_table_insert(flags->backups, key_of(mailbox, name),
                        GUINT_TO_POINTER(uid));
}

/* The UID of the message that a file is a new state of; 0: of none. */
static guint32
older_of(const FsFileFlags *flags, const FsLocalFile *file, guint32 mailbox,
         const char *name)
{
    g_autofree char *key = key_of(mailbox, name);

    return file->replaces != 0
               ? file->replaces
               : GPOINTER_TO_UINT(g_hash_table_lookup(flags->backups, key));
}

/* NULL: the index does not tell. Caller frees. */
static char *
flags_of_message(const FsFileFlags *flags, guint32 mailbox, guint32 uid)
{
    const FsAccount *account = flags->account;
    CacheMessage message;

    return cache_index_message(account->index, mailbox, uid, &message) &&
                   message.flags != NULL
               ? fs_changes_flags(account->changes, mailbox, uid, message.flags)
               : NULL;
}

/* Of one that is delivered to a Maildir: those that its name tells. */
static char *
flags_of_letters(const FsFileFlags *flags, guint32 mailbox, const char *name)
{
    const CacheAliases *aliases = flags->account->aliases;
    const char *info = fs_maildir_name_info(name);
    g_autofree char *letters = NULL;
    g_autofree char *found = NULL;

    if (info != NULL) {
        letters =
            fs_maildir_without_foreign(aliases, mailbox, info + INFO_LENGTH);
        fs_maildir_flags(aliases, mailbox, letters, &found);
    }
    return found != NULL ? g_steal_pointer(&found) : g_strdup("");
}

/* NULL: neither a program nor the name tells. Caller frees. */
static char *
told_flags(const FsFileFlags *flags, const FsLocalFile *file, guint32 mailbox,
           const char *name)
{
    if (file->flags != NULL)
        return g_strdup(file->flags);
    if (fs_given_name_is_maildir(name))
        return flags_of_letters(flags, mailbox, name);
    if (fs_file_name_kind(name) == FS_FILE_MAILDIR)
        return fs_file_name_flags(name);
    return NULL;
}

char *
fs_file_flags_own(const FsFileFlags *flags, const FsLocalFile *file,
                  guint32 mailbox, const char *name)
{
    char *told = told_flags(flags, file, mailbox, name);

    return told != NULL ? told : g_strdup(flags->account->options->new_flags);
}

char *
fs_file_flags_of(const FsFileFlags *flags, const FsLocalFile *file,
                 guint32 mailbox, const char *name)
{
    guint32 older = older_of(flags, file, mailbox, name);
    char *found = told_flags(flags, file, mailbox, name);

    if (found == NULL && older != 0)
        found = flags_of_message(flags, mailbox, older);
    return found != NULL ? found : g_strdup(flags->account->options->new_flags);
}

char *
fs_file_flags_sent(const FsFileFlags *flags, const FsLocalFile *file,
                   guint32 mailbox, const char *name)
{
    return file->filled
               ? fs_file_flags_of(flags, file, mailbox, name)
               : flags_of_message(flags, file->base_mailbox, file->base_uid);
}

void
fs_file_flags_change(const FsFileFlags *flags, FsLocalFile *file,
                     const char *add, const char *remove)
{
    g_autofree char *before =
        fs_file_flags_of(flags, file, file->directory, file->name);

    g_free(file->flags);
    file->flags = fs_changes_merge_flags(before, add, remove);
}

/* ---- afterwards ---- */

static void go_on(Follower *follower);

/* A FsNeedFunc. */
static void
on_need(const GError *error, gpointer user_data)
{
    Follower *follower = user_data;

    follower->waiter = NULL;
    if (error != NULL)
        follower_free(follower);
    else
        go_on(follower);
}

/* @need is taken over. */
static void
wait_for(Follower *follower, FsNeed *need)
{
    fs_need_unref(follower->need);
    follower->need = need;
    follower->waiter = fs_need_wait(need, on_need, follower);
}

/* FALSE: it has been dealt with. */
static gboolean
differ(const char *wanted, const char *present, char **add, char **remove)
{
    return fs_flag_values_parse(wanted, strlen(wanted), FS_FLAGS_ALL, present,
                                add, remove) &&
           (**add != '\0' || **remove != '\0');
}

static void
go_on(Follower *follower)
{
    FsAccount *account = follower->owner->account;
    g_autoptr(FsPending) pending = NULL;
    g_autofree char *present = NULL;
    g_autofree char *remove = NULL;
    g_autofree char *add = NULL;
    CacheMessage message;
    FsNeed *need;

    if (!cache_index_message(account->index, follower->mailbox, follower->uid,
                             &message)) {
        need = fs_synchroniser_need_message(account->synchroniser,
                                            follower->mailbox, follower->uid,
                                            follower->since);
        if (need != NULL)
            wait_for(follower, fs_need_ref(need));
        else
            follower_free(follower); /* it is gone */
        return;
    }
    need = NULL;
    present = fs_changes_flags(account->changes, follower->mailbox,
                               follower->uid, message.flags);
    if (differ(follower->wanted, present, &add, &remove))
        pending = fs_changes_set_flags(account->changes,
                                       fs_changes_inode(account->changes,
                                                        follower->mailbox,
                                                        follower->uid),
                                       add, remove, &need, NULL);
    if (need != NULL)
        wait_for(follower, need);
    else
        follower_free(follower);
}

void
fs_file_flags_stored(FsFileFlags *flags, const FsLocalFile *file,
                     guint32 mailbox, const char *name, guint32 uid,
                     const char *present)
{
    g_autofree char *key = key_of(mailbox, name);
    g_autofree char *remove = NULL;
    g_autofree char *add = NULL;
    Follower *follower;

    g_hash_table_remove(flags->backups, key);
    if (uid == 0 || file->flags == NULL ||
        (present != NULL && !differ(file->flags, present, &add, &remove)))
        return;
    follower = g_new0(Follower, 1);
    follower->owner = flags;
    follower->mailbox = mailbox;
    follower->uid = uid;
    follower->wanted = g_strdup(file->flags);
    follower->since = g_get_monotonic_time();
    follower->link.data = follower;
    g_queue_push_tail_link(&flags->following, &follower->link);
    go_on(follower);
}
