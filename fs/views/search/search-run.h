/* One run of a search through one mailbox or all: what the server finds. */
#pragma once

#include "fs/account.h"
#include "imap/uid-set.h"

#define FS_SEARCH_ALL 0u /* in place of a mailbox: all of them */

/* Whether @text can be searched for in @mailbox; fails with FS_ERROR_QUERY. */
gboolean fs_search_check(guint32 mailbox, const char *text, GError **error);

/* Whether several mailboxes are searched for @text (which may be no query), or
 * there may be. */
gboolean fs_search_is_of_several(guint32 mailbox, const char *text);

/* What was found in one mailbox. */
typedef struct {
    guint32 mailbox;
    ImapUidSet *uids; /* owned; not empty */
} FsFound;

typedef struct FsSearchRun FsSearchRun;

/* @found: of FsFound, by mailbox (takes ownership); NULL on error, and, without
 * one, if it was left undone for want of anybody who waits. */
typedef void (*FsSearchRunFunc)(GArray *found, const GError *error,
                                gpointer user_data);

/* Whether somebody still waits for the end. */
typedef gboolean (*FsSearchWantedFunc)(gpointer user_data);

/* Searches for the query @text in @mailbox (an id, or FS_SEARCH_ALL) of the
 * tree, which must be known. If it is @wanted no more before another mailbox is
 * searched, it ends with those that are. @done runs once, from the main loop,
 * never inside this call, and after it the result must not be used. */
FsSearchRun *fs_search_run_new(FsAccount *account, guint32 mailbox,
                               const char *text, FsSearchWantedFunc wanted,
                               FsSearchRunFunc done, gpointer user_data);
/* @done does not run. */
void fs_search_run_cancel(FsSearchRun *run);
