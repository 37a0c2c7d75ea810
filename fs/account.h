/* One account: its connections, what is known of it, and who keeps that true.
 *
 * This is the place where imap/ and cache/ meet. It owns the parts; each part
 * reaches the others through it. */
#pragma once

#include "cache/aliases.h"
#include "cache/blocks.h"
#include "cache/fields.h"
#include "cache/index.h"
#include "cache/journal.h"
#include "cache/searches.h"
#include "fs/account-directories.h"
#include "fs/log.h"
#include "fs/names/mailbox-tree.h"
#include "fs/options/options.h"
#include "imap/pool.h"

typedef struct FsAnnouncer FsAnnouncer;
typedef struct FsChanges FsChanges;
typedef struct FsDayLimit FsDayLimit;
typedef struct FsLine FsLine;
typedef struct FsLister FsLister;
typedef struct FsMessageBodies FsMessageBodies;
typedef struct FsOverlay FsOverlay;
typedef struct FsSynchroniser FsSynchroniser;
typedef struct FsWatcher FsWatcher;
typedef struct FsWriting FsWriting;

typedef struct {
    const FsOptions *options; /* borrowed */
    const char *label;        /* what messages call it: where it is one of
                                 several in a mount, its name; NULL: nothing */
    guint number;             /* in inode numbers */
    guint64 first_inode;      /* what is added to its own numbers where the
                                 kernel has others, for there are other accounts;
                                 0: it has the same */
    gconstpointer served_by;  /* owner of the requests of the kernel on it
                                 (fs/kernel/operation.h) */
    gint64 mounted_at;        /* seconds since the epoch */
    ImapPool *pool;
    CacheStoreThread *store_thread;
    FsAccountDirectories directories;
    FsDayLimit *day_limit;   /* what has gone over the line today */
    CacheState *state;       /* of directories */
    CacheJournal *journal;   /* beside it */
    CacheAliases *aliases;   /* likewise */
    CacheSearches *searches; /* likewise */
    CacheIndex *index;
    CacheFields *fields;
    CacheBlocks *blocks;
    FsMailboxTree *tree;
    FsSynchroniser *synchroniser;
    FsLister *lister;
    FsMessageBodies *bodies;
    FsOverlay *overlay; /* what shows otherwise than the index has it */
    FsChanges *changes;
    FsWriting *writing;     /* NULL: nothing can be written. Borrowed */
    FsLine *line;           /* borrowed; NULL before and after the mount */
    FsAnnouncer *announcer; /* NULL: nothing is announced. Borrowed */
    FsWatcher *watcher;     /* NULL: nobody watches. Borrowed */
} FsAccount;

/* As g_message, about @account. */
#define fs_account_say(account, ...) fs_log_of((account)->label, __VA_ARGS__)

/* @options must outlive the account. @locked: its directories
 * (fs/account-locks.h), which are taken; NULL: nothing is kept. Nothing is
 * connected yet. Fails as fs_account_directories_open does. */
FsAccount *fs_account_new(const FsOptions *options,
                          const FsAccountDirectories *locked, GError **error);
/* The mount is over, and the account will be freed soon. */
void fs_account_announce_end(FsAccount *account);
void fs_account_free(FsAccount *account); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsAccount, fs_account_free)
