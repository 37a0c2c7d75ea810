/* What the kernel believes.
 *
 * Listings: the kernel keeps one copy of a directory's listing, made while
 * programs read it. Every change of a directory gives it a new state number,
 * by which fs/kernel/listing-copy.h tells whether the copy may be used.
 *
 * Changes come in thousands, and few of them are known to the kernel. They are
 * gathered for a moment: of a directory, entries that are gone, and once that
 * its listing and times are others. What would wait for a program that itself
 * waits for the server is put off for a little longer, for nothing behind it in
 * the queue gets through meanwhile. */
#include "fs/kernel/kernel-cache.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/listing-copy.h"
#include "fs/kernel/notifier.h"
#include "fs/kernel/operation.h"
#include "fs/live/announcer.h"
#include "fs/live/line.h"
#include "fs/names/maildir-layout.h"
#include "fs/sync/lister.h"
#include "fs/sync/status-poll.h"
#include "fs/sync/synchroniser.h"
#include "fs/sync/upkeep.h"

#include <stdlib.h>
#include <string.h>

/* A mailbox is in use for so long after its last use; tests cannot wait so
 * long. */
#define KEEP_MS (15u * 60 * 1000)
#define KEEP_VARIABLE "IMAPFS_KEEP_MS"
/* What is kept up may be believed so long, in seconds: no longer than that, or
 * the kernel would answer by what nobody checks any more. */
#define VALIDITY (KEEP_MS / 1000.0)
/* Changes are gathered so long, and put off so long at the most. */
#define GATHER_MS 20
#define PUT_OFF_US (250 * 1000)
/* More entries than these are forgotten with their directory's own. */
#define MAX_ENTRIES 20000

/* An entry that the kernel must forget. */
typedef struct {
    guint64 inode; /* 0: another has taken its place, perhaps */
    char name[];
} Entry;

typedef struct {
    guint64 inode; /* the key */

    FsListingCopy copy;

    GPtrArray *entries;     /* of Entry; NULL for none */
    gboolean all_entries;   /* too many to name */
    gboolean listing;       /* it has changed */
    gint64 gathering_since; /* microseconds; 0: nothing to tell */
} Directory;

struct FsKernelCache {
    FsAccount *account;
    FsNameSpace *names;
    FsNotifier *notifier; /* NULL until attached */
    FsUpkeep *upkeep;
    FsStatusPoll *status_poll;
    FsKernelCacheUseFunc use_func;
    gpointer use_data;
    GHashTable *directories; /* &Directory.inode -> Directory, owned */
    GPtrArray *changed; /* of Directory, borrowed: with something to tell */
    GArray *mirrors;    /* of guint: fs_kernel_cache_mirror */
    /* mailbox -> gint64, owned: microseconds, monotonic: when it was used again
     * after a while, and what came meanwhile is perhaps not known yet */
    GHashTable *come_back;
    guint64 last_state;
    guint timer; /* 0 while there is nothing to tell */
    gboolean stopped;
};

static void
directory_free(gpointer data)
{
    Directory *directory = data;

    g_clear_pointer(&directory->entries, g_ptr_array_unref);
    fs_listing_copy_clear(&directory->copy);
    g_free(directory);
}

static Directory *
directory_of(FsKernelCache *cache, guint64 inode)
{
    Directory *directory = g_hash_table_lookup(cache->directories, &inode);

    if (directory == NULL) {
        directory = g_new0(Directory, 1);
        directory->inode = inode;
        fs_listing_copy_init(&directory->copy, ++cache->last_state);
        g_hash_table_insert(cache->directories, &directory->inode, directory);
    }
    return directory;
}

/* ---- telling the kernel ---- */

/* The directory's own entry in its parent, and with it all below. */
static void
forget_directory(FsKernelCache *cache, guint64 inode)
{
    const FsMailbox *mailbox =
        fs_mailbox_tree_get(cache->account->tree, fs_inode_mailbox(inode));

    if (mailbox != NULL && mailbox->id != FS_MAILBOX_TREE_ROOT)
        fs_notifier_forget_entry(
            cache->notifier,
            fs_name_space_directory_of(cache->names, mailbox->parent),
            mailbox->name, 0);
}

static void
tell(FsKernelCache *cache, Directory *directory)
{
    if (directory->all_entries)
        forget_directory(cache, directory->inode);
    for (guint i = 0; directory->entries && i < directory->entries->len; i++) {
        const Entry *entry = g_ptr_array_index(directory->entries, i);

        fs_notifier_forget_entry(cache->notifier, directory->inode, entry->name,
                                 entry->inode);
    }
    if (directory->listing)
        fs_notifier_forget_listing(
            cache->notifier, directory->inode,
            fs_listing_copy_is_outdated(&directory->copy));
    g_clear_pointer(&directory->entries, g_ptr_array_unref);
    directory->all_entries = directory->listing = FALSE;
    directory->gathering_since = 0;
}

/* But for those where a program waits for the loop, for a while. */
static void
tell_all(FsKernelCache *cache)
{
    gint64 now = g_get_monotonic_time();

    for (guint i = 0; i < cache->changed->len;) {
        Directory *directory = g_ptr_array_index(cache->changed, i);

        if (fs_operation_waits_at(directory->inode) &&
            now - directory->gathering_since < PUT_OFF_US) {
            i++;
            continue;
        }
        tell(cache, directory);
        g_ptr_array_remove_index_fast(cache->changed, i);
    }
}

static gboolean
on_timer(gpointer user_data)
{
    FsKernelCache *cache = user_data;

    tell_all(cache);
    if (cache->changed->len > 0)
        return G_SOURCE_CONTINUE;
    cache->timer = 0;
    return G_SOURCE_REMOVE;
}

FsNeed *
fs_kernel_cache_flush(FsKernelCache *cache)
{
    FsNeed *need = fs_need_new();

    if (cache->notifier == NULL || cache->stopped) {
        fs_need_complete(need, NULL);
    } else {
        tell_all(cache);
        fs_notifier_flush(cache->notifier, need);
    }
    return need;
}

/* NULL when nobody is to be told. */
static Directory *
gather(FsKernelCache *cache, guint64 inode)
{
    Directory *directory;

    if (cache->notifier == NULL || cache->stopped)
        return NULL;
    directory = directory_of(cache, inode);
    if (directory->gathering_since == 0) {
        directory->gathering_since = g_get_monotonic_time();
        g_ptr_array_add(cache->changed, directory);
    }
    if (cache->timer == 0)
        cache->timer = g_timeout_add(GATHER_MS, on_timer, cache);
    return directory;
}

static void
forget_listing(FsKernelCache *cache, guint64 inode)
{
    Directory *directory = gather(cache, inode);

    if (directory == NULL)
        return;
    directory->listing = TRUE;
    fs_listing_copy_change(&directory->copy, ++cache->last_state);
}

/* Names tell flags there: whatever changes in the mailbox may change one. */
static void
forget_maildir(FsKernelCache *cache, guint32 mailbox)
{
    static const guint numbers[] = {FS_INODE_MAILDIR_CUR, FS_INODE_MAILDIR_NEW};

    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
        guint64 inode = fs_inode_make(numbers[i], mailbox, 0);

        if (g_hash_table_contains(cache->directories, &inode))
            forget_listing(cache, inode);
    }
}

void
fs_kernel_cache_names_changed(FsKernelCache *cache, guint32 mailbox)
{
    forget_maildir(cache, mailbox);
}

static void
forget_entry(FsKernelCache *cache, guint64 inode, const char *name,
             guint64 gone)
{
    Directory *directory = gather(cache, inode);
    gsize length = strlen(name) + 1;
    Entry *entry;

    if (directory == NULL || directory->all_entries)
        return;
    if (directory->entries == NULL)
        directory->entries = g_ptr_array_new_with_free_func(g_free);
    if (directory->entries->len >= MAX_ENTRIES) {
        g_clear_pointer(&directory->entries, g_ptr_array_unref);
        directory->all_entries = TRUE;
        return;
    }
    entry = g_malloc(sizeof *entry + length);
    entry->inode = gone;
    memcpy(entry->name, name, length);
    g_ptr_array_add(directory->entries, entry);
}

/* ---- what changes ---- */

typedef struct {
    FsKernelCache *cache;
    guint64 inode;
    gboolean announced;
} GoneMessage;

/* A FsNameFunc. Watchers see the name that is listed, which comes first. */
static void
forget_name(guint64 directory, const char *name, gpointer user_data)
{
    GoneMessage *message = user_data;

    if (!message->announced)
        fs_announcer_add(message->cache->account->announcer,
                         FS_ANNOUNCE_GONE_FILE, directory, name,
                         message->inode);
    message->announced = TRUE;
    forget_entry(message->cache, directory, name, message->inode);
}

/* Likewise. */
static void
announce_name(guint64 directory, const char *name, gpointer user_data)
{
    GoneMessage *message = user_data;

    if (!message->announced)
        fs_announcer_add(message->cache->account->announcer,
                         FS_ANNOUNCE_NEW_FILE, directory, name, message->inode);
    message->announced = TRUE;
}

/* What is in the directory, whatever that is. */
static void
forget_all(FsKernelCache *cache, guint64 inode)
{
    Directory *directory = gather(cache, inode);

    if (directory == NULL)
        return;
    g_clear_pointer(&directory->entries, g_ptr_array_unref);
    directory->all_entries = TRUE;
}

/* The number under which the kernel knows the message. */
static guint64
inode_of(FsKernelCache *cache, guint32 mailbox, guint32 uid)
{
    const FsGuest *guest =
        fs_overlay_guest_by_uid(cache->account->overlay, mailbox, uid);

    return guest != NULL ? guest->inode
                         : fs_inode_make(cache->account->number, mailbox, uid);
}

/* What comes or goes by the hand of the user, the kernel has done itself, and
 * told watchers. So it is with what is hidden, or is a guest that has come. */
static gboolean
is_known_to_kernel(FsKernelCache *cache, FsChange change, guint32 mailbox,
                   guint32 uid)
{
    const FsOverlay *overlay = cache->account->overlay;

    return fs_overlay_is_hidden(overlay, mailbox, uid) ||
           (change == FS_CHANGE_NEW &&
            fs_overlay_guest_by_uid(overlay, mailbox, uid) != NULL);
}

static void
change_message(FsKernelCache *cache, FsChange change, guint32 mailbox,
               const CacheMessage *message)
{
    GoneMessage changed = {.cache = cache};

    changed.inode = inode_of(cache, mailbox, message->uid);
    fs_name_space_names_of(
        cache->names, mailbox, message,
        change == FS_CHANGE_GONE ? forget_name : announce_name, &changed);
}

/* Likewise what changes in the message @uid of @mailbox, also where it shows in
 * another one, as it is on its way there. */
static void
forget_maildirs(FsKernelCache *cache, guint32 mailbox, guint32 uid)
{
    const FsGuest *guest = fs_overlay_guest_by_inode(
        cache->account->overlay, inode_of(cache, mailbox, uid));

    forget_maildir(cache, mailbox);
    if (guest != NULL && guest->mailbox != mailbox)
        forget_maildir(cache, guest->mailbox);
}

static void doubt_name(guint64 directory, const char *name, gpointer user_data);

/* A FsChangeFunc. Flags are in nothing that the kernel keeps, unless a mark
 * hides its message. */
static void
on_change(FsChange change, guint32 mailbox, const CacheMessage *message,
          gpointer user_data)
{
    FsKernelCache *cache = user_data;
    const FsOptions *options = cache->account->options;
    guint64 directory = fs_name_space_directory_of(cache->names, mailbox);

    forget_maildirs(cache, mailbox, message != NULL ? message->uid : 0);
    if (change == FS_CHANGE_FLAGS && options->remove != FS_REMOVE_MARK)
        return;
    forget_listing(cache, directory);
    if (change == FS_CHANGE_FLAGS) {
        fs_name_space_names_of(cache->names, mailbox, message, doubt_name,
                               cache);
        return;
    }
    if (change == FS_CHANGE_ALL)
        forget_all(cache, directory);
    else if (!is_known_to_kernel(cache, change, mailbox, message->uid))
        change_message(cache, change, mailbox, message);
}

/* A FsNameFunc: the entry is to be asked for again. */
static void
doubt_name(guint64 directory, const char *name, gpointer user_data)
{
    forget_entry(user_data, directory, name, 0);
}

/* A FsOverlayFunc. */
static void
on_overlay(FsOverlayChange change, guint32 mailbox, guint32 uid,
           const char *name, gpointer user_data)
{
    FsKernelCache *cache = user_data;
    guint64 directory = fs_name_space_directory_of(cache->names, mailbox);
    CacheMessage message;

    forget_maildirs(cache, mailbox, uid);
    if (change == FS_OVERLAY_FLAGS)
        return;
    forget_listing(cache, directory);
    if (change == FS_OVERLAY_LISTING)
        return;
    if (change == FS_OVERLAY_ALL)
        forget_all(cache, directory);
    else if (change == FS_OVERLAY_NAME)
        forget_entry(cache, directory, name, 0);
    else if (!cache_index_message(cache->account->index, mailbox, uid,
                                  &message))
        return;
    else if (change == FS_OVERLAY_AWAY)
        fs_name_space_names_of(cache->names, mailbox, &message, doubt_name,
                               cache);
    else
        change_message(cache, FS_CHANGE_NEW, mailbox, &message);
}

/* Where another has taken the place of one, its name has neither come nor
 * gone. */
static void
announce_directory(FsKernelCache *cache, guint32 parent, const char *name,
                   guint32 before)
{
    const FsMailbox *now =
        fs_mailbox_tree_child(cache->account->tree, parent, name);

    if ((now == NULL) == (before == 0))
        return;
    fs_announcer_add(
        cache->account->announcer,
        now != NULL ? FS_ANNOUNCE_NEW_DIRECTORY : FS_ANNOUNCE_GONE_DIRECTORY,
        fs_name_space_directory_of(cache->names, parent), name,
        fs_name_space_directory_of(cache->names,
                                   now != NULL ? now->id : before));
}

/* The messages of a mailbox show, or do so no longer, all at once. */
static void
forget_messages(FsKernelCache *cache, guint32 mailbox)
{
    guint64 directory = fs_name_space_directory_of(cache->names, mailbox);

    forget_maildir(cache, mailbox);
    forget_listing(cache, directory);
    forget_all(cache, directory);
}

/* A FsMailboxEntryFunc. */
static void
on_mailbox_entry(guint32 parent, const char *name, guint32 before,
                 gpointer user_data)
{
    FsKernelCache *cache = user_data;
    guint64 inode = fs_name_space_directory_of(cache->names, parent);
    const FsMailbox *now =
        fs_mailbox_tree_child(cache->account->tree, parent, name);

    if (now != NULL && now->id == before)
        forget_messages(cache, before);
    announce_directory(cache, parent, name, before);
    forget_listing(cache, inode);
    forget_entry(cache, inode, name, 0);
    for (guint i = 0; i < cache->mirrors->len; i++)
        forget_entry(
            cache,
            fs_inode_in_view(g_array_index(cache->mirrors, guint, i), inode),
            name, 0);
}

void
fs_kernel_cache_mirror(FsKernelCache *cache, guint number)
{
    g_array_append_val(cache->mirrors, number);
}

void
fs_kernel_cache_entry_changed(FsKernelCache *cache, guint64 directory,
                              const char *name)
{
    forget_listing(cache, directory);
    forget_entry(cache, directory, name, 0);
}

/* ---- what is in use ---- */

static gboolean
is_all_known(const FsKernelCache *cache, guint32 mailbox)
{
    return fs_synchroniser_listed_to(cache->account->synchroniser, mailbox) ==
           G_MAXUINT32;
}

/* A FsUpkeepCheckFunc. A mailbox that nobody has listed is not listed for this:
 * what the kernel knows of it, it will ask for again soon. */
static FsNeed *
check(guint32 mailbox, gpointer user_data)
{
    FsKernelCache *cache = user_data;

    /* All of it is due when the line is there again. */
    if (fs_line_is_away(cache->account->line))
        return NULL;
    if (mailbox == FS_MAILBOX_TREE_ROOT)
        return fs_lister_need(cache->account->lister, FS_NOW);
    if (fs_mailbox_tree_get(cache->account->tree, mailbox) == NULL) {
        fs_upkeep_drop(cache->upkeep, mailbox);
        return NULL;
    }
    if (!is_all_known(cache, mailbox) ||
        fs_status_poll_is_settled(cache->status_poll, mailbox))
        return NULL;
    return fs_synchroniser_need_messages(cache->account->synchroniser, mailbox,
                                         FS_NOW);
}

/* A FsUpkeepPrepareFunc. */
static FsNeed *
prepare(const guint32 *mailboxes, guint n, gpointer user_data)
{
    FsKernelCache *cache = user_data;

    if (fs_line_is_away(cache->account->line))
        return NULL;
    return fs_status_poll_begin(cache->status_poll, mailboxes, n);
}

void
fs_kernel_cache_use(FsKernelCache *cache, guint32 mailbox)
{
    FsSynchroniser *synchroniser = cache->account->synchroniser;

    if (cache->stopped)
        return;
    /* Who comes back after a while is not made to wait, but what the kernel
     * has kept since then is put right at once. */
    if (fs_upkeep_use(cache->upkeep, mailbox)) {
        if (mailbox != FS_MAILBOX_TREE_ROOT && is_all_known(cache, mailbox)) {
            gint64 now = g_get_monotonic_time();

            fs_synchroniser_need_messages(synchroniser, mailbox, now);
            g_hash_table_replace(cache->come_back, GUINT_TO_POINTER(mailbox),
                                 g_memdup2(&now, sizeof now));
        }
        fs_announcer_look(cache->account->announcer);
    }
    if (mailbox == FS_MAILBOX_TREE_ROOT)
        return;
    fs_upkeep_use(cache->upkeep, FS_MAILBOX_TREE_ROOT);
    if (cache->use_func != NULL)
        cache->use_func(mailbox, cache->use_data);
}

FsNeed *
fs_kernel_cache_need_after_pause(FsKernelCache *cache, guint32 mailbox)
{
    gpointer key = GUINT_TO_POINTER(mailbox);
    const gint64 *since;
    FsNeed *need = NULL;

    fs_kernel_cache_use(cache, mailbox);
    since = g_hash_table_lookup(cache->come_back, key);
    if (since != NULL)
        need = fs_synchroniser_need_messages(cache->account->synchroniser,
                                             mailbox, *since);
    if (need != NULL && !fs_need_is_complete(need))
        return need;
    g_hash_table_remove(cache->come_back, key);
    return NULL;
}

gboolean
fs_kernel_cache_is_used(const FsKernelCache *cache, guint32 mailbox)
{
    return !cache->stopped && fs_upkeep_is_used(cache->upkeep, mailbox);
}

void
fs_kernel_cache_foreach_used(const FsKernelCache *cache,
                             FsKernelCacheUseFunc func, gpointer user_data)
{
    if (!cache->stopped)
        fs_upkeep_foreach(cache->upkeep, func, user_data);
}

void
fs_kernel_cache_set_use_func(FsKernelCache *cache, FsKernelCacheUseFunc func,
                             gpointer user_data)
{
    cache->use_func = func;
    cache->use_data = user_data;
}

gint64
fs_kernel_cache_last_use(FsKernelCache *cache)
{
    return cache->stopped ? 0 : fs_upkeep_last_use(cache->upkeep);
}

void
fs_kernel_cache_check_now(FsKernelCache *cache)
{
    if (!cache->stopped)
        fs_upkeep_check_now(cache->upkeep);
}

/* A FsWatchedFunc. Who watches wants to hear of what comes, and asks for
 * nothing: so it is kept up, and listed if it never was. */
static void
on_watched(guint64 directory, gpointer user_data)
{
    FsKernelCache *cache = user_data;
    guint32 id = directory == FS_INODE_ROOT ? FS_MAILBOX_TREE_ROOT
                                            : fs_inode_mailbox(directory);
    const FsMailbox *mailbox = fs_mailbox_tree_get(cache->account->tree, id);

    if (mailbox == NULL)
        return;
    fs_kernel_cache_use(cache, id);
    if (mailbox->selectable && !is_all_known(cache, id))
        fs_synchroniser_need_messages(cache->account->synchroniser, id,
                                      FS_KNOWN);
}

double
fs_kernel_cache_validity(FsKernelCache *cache, const FsEntry *entry)
{
    if (entry->fleeting)
        return 0;
    if (entry->uid != 0 && !cache->stopped &&
        fs_upkeep_is_used(cache->upkeep, entry->mailbox) &&
        is_all_known(cache, entry->mailbox)) {
        /* A listing may be read for long after it was opened. */
        fs_upkeep_use(cache->upkeep, entry->mailbox);
        return VALIDITY;
    }
    return cache->account->options->poll_seconds;
}

/* ---- listings ---- */

void
fs_kernel_cache_open(FsKernelCache *cache, guint64 inode,
                     struct fuse_file_info *file)
{
    guint64 handle;
    FsListingUse use =
        fs_listing_copy_open(&directory_of(cache, inode)->copy, &handle);

    file->cache_readdir = use != FS_LISTING_APART;
    file->keep_cache = use != FS_LISTING_ANEW;
    file->fh = handle;
}

static void
forget_outdated(FsKernelCache *cache, Directory *directory)
{
    if (fs_listing_copy_is_outdated(&directory->copy) &&
        gather(cache, directory->inode) != NULL)
        directory->listing = TRUE;
}

void
fs_kernel_cache_close(FsKernelCache *cache, guint64 inode,
                      const struct fuse_file_info *file)
{
    Directory *directory = directory_of(cache, inode);

    fs_listing_copy_close(&directory->copy, file->fh);
    forget_outdated(cache, directory);
}

/* The kernel makes a new directory of it, whose copy is another. */
static void
forget_stuck(FsKernelCache *cache, guint64 inode)
{
    FsPlace place = fs_name_space_place_of(cache->names, inode);

    if (cache->notifier == NULL || cache->stopped)
        return;
    if (place.kind == FS_PLACE_CUR || place.kind == FS_PLACE_NEW)
        fs_notifier_forget_entry(
            cache->notifier,
            fs_maildir_layout_directory(cache->names, place.mailbox),
            place.kind == FS_PLACE_CUR ? "cur" : "new", 0);
    else
        forget_directory(cache, inode);
}

void
fs_kernel_cache_read(FsKernelCache *cache, guint64 inode,
                     const struct fuse_file_info *file)
{
    Directory *directory = directory_of(cache, inode);

    fs_listing_copy_begin(&directory->copy, file->fh);
    if (fs_listing_copy_is_stuck(&directory->copy))
        forget_stuck(cache, inode);
}

void
fs_kernel_cache_read_to_its_end(FsKernelCache *cache, guint64 inode,
                                const struct fuse_file_info *file)
{
    Directory *directory = directory_of(cache, inode);

    fs_listing_copy_end(&directory->copy, file->fh);
    forget_outdated(cache, directory);
}

/* ---- making and ending ---- */

FsKernelCache *
fs_kernel_cache_new(FsAccount *account, FsNameSpace *names)
{
    FsKernelCache *cache = g_new0(FsKernelCache, 1);
    guint poll_ms = account->options->poll_seconds * 1000;
    const char *said = g_getenv(KEEP_VARIABLE);
    guint keep_ms =
        said != NULL ? (guint)MAX(atoi(said), 1) : MAX(KEEP_MS, 2 * poll_ms);

    cache->account = account;
    cache->names = names;
    cache->directories = g_hash_table_new_full(g_int64_hash, g_int64_equal,
                                               NULL, directory_free);
    cache->changed = g_ptr_array_new();
    cache->come_back = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    cache->mirrors = g_array_new(FALSE, FALSE, sizeof(guint));
    /* What was used is checked once at the least. */
    cache->upkeep = fs_upkeep_new(poll_ms, keep_ms, check, cache);
    fs_upkeep_set_prepare(cache->upkeep, prepare);
    cache->status_poll = fs_status_poll_new(account);
    return cache;
}

void
fs_kernel_cache_attach(FsKernelCache *cache, struct fuse_session *fuse)
{
    cache->notifier = fs_notifier_new(fuse);
    fs_synchroniser_add_change_func(cache->account->synchroniser, on_change,
                                    cache);
    fs_mailbox_tree_add_entry_func(cache->account->tree, on_mailbox_entry,
                                   cache);
    fs_overlay_add_func(cache->account->overlay, on_overlay, cache);
    fs_announcer_set_watched_func(cache->account->announcer, on_watched, cache);
}

static void
stop(FsKernelCache *cache)
{
    cache->stopped = TRUE;
    g_clear_handle_id(&cache->timer, g_source_remove);
    g_clear_pointer(&cache->upkeep, fs_upkeep_free);
    g_clear_pointer(&cache->status_poll, fs_status_poll_free);
    if (cache->notifier == NULL)
        return;
    fs_synchroniser_remove_change_func(cache->account->synchroniser, on_change,
                                       cache);
    fs_mailbox_tree_remove_entry_func(cache->account->tree, on_mailbox_entry,
                                      cache);
    fs_overlay_remove_func(cache->account->overlay, on_overlay, cache);
    fs_announcer_set_watched_func(cache->account->announcer, NULL, NULL);
}

void
fs_kernel_cache_stop(FsKernelCache *cache, void (*stopped)(gpointer user_data),
                     gpointer user_data)
{
    stop(cache);
    fs_notifier_stop(cache->notifier, stopped, user_data);
}

void
fs_kernel_cache_free(FsKernelCache *cache)
{
    if (cache == NULL)
        return;
    if (!cache->stopped)
        stop(cache);
    fs_notifier_free(cache->notifier);
    g_ptr_array_unref(cache->changed);
    g_array_unref(cache->mirrors);
    g_hash_table_unref(cache->come_back);
    g_hash_table_unref(cache->directories);
    g_free(cache);
}
