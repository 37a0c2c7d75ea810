/* Keeps the list of mailboxes, and so the account's tree, as the server has
 * them. A list that was refused, cut or lacks INBOX is an error: the tree then
 * stays what it was. */
#pragma once

#include "fs/account.h"
#include "fs/sync/refresh.h"

/* @gone (may be NULL) is called for every mailbox that the tree holds no
 * longer. */
FsLister *fs_lister_new(FsAccount *account, FsMailboxGoneFunc gone,
                        gpointer user_data);
void fs_lister_free(FsLister *lister); /* accepts NULL */

/* Runs with each list of the server, before the tree is made of it: who has
 * renamed mailboxes gives what is known by the old name to the new one. At most
 * one. */
typedef void (*FsListedFunc)(const FsMailboxListing *listings, gsize n,
                             gpointer user_data);
void fs_lister_set_listed_func(FsLister *lister, FsListedFunc func,
                               gpointer user_data);

/* NULL when there is a list good enough for an operation that began at @since
 * (see fs/sync/refresh.h), which any is while the line is down; else what to
 * wait for. Borrowed. */
FsNeed *fs_lister_need(FsLister *lister, gint64 since);
/* See fs_refresh_mark_old. */
void fs_lister_mark_old(FsLister *lister);

/* The list of an earlier mount, from the cache, is what is known, if not fresh;
 * FALSE: there is none. Before anything is asked for. */
gboolean fs_lister_restore(FsLister *lister);

/* Whether the server could not be asked for it last time. */
gboolean fs_lister_is_failing(const FsLister *lister);

/* Whether the server is being asked for the list. */
gboolean fs_lister_is_under_way(const FsLister *lister);

/* The error to report for @mailbox, whose selection failed with @error: many
 * servers refuse a mailbox that is no longer there without saying that this is
 * the reason. Asks for the list again if that may be so, and calls @func from
 * the main loop with @error, or FS_ERROR_GONE if the mailbox is gone. */
void fs_lister_explain(FsLister *lister, guint32 mailbox, const GError *error,
                       FsNeedFunc func, gpointer user_data);
