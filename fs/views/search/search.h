/* One search, as a directory of the messages that the server finds: what it
 * found last, and their names.
 *
 * A message has the name and the inode number that it has in its mailbox, and
 * what is hidden or renamed there is so here. If a search through all mailboxes
 * finds two of the same name, the second says where it is; so does what is
 * called by its UID alone. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"
#include "fs/views/search/kept-results.h"

typedef struct FsSearch FsSearch;

/* Of the query @text in @mailbox (an id, or FS_SEARCH_ALL). The others must
 * outlive the result. Nothing is asked for yet. */
FsSearch *fs_search_new(FsAccount *account, FsNameSpace *names,
                        FsKeptResults *results, guint32 mailbox,
                        const char *text);
/* Accepts NULL. */
void fs_search_free(FsSearch *search);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsSearch, fs_search_free)

/* A query as part of a path: "%2F" stands for "/", which no name can hold, and
 * "%25" for "%". Caller frees. */
char *fs_search_query_of_name(const char *name);
/* The log says that the query @text is none, and why. */
void fs_search_tell_why(const char *text, const GError *error);

/* Seconds since the epoch: when it last found; 0: not yet. */
gint64 fs_search_found_at(const FsSearch *search);

/* FS_ANSWER_FOUND when it has found what there is as of @since (FS_KNOWN: what
 * there was at any time); the server is asked if it has not. While that cannot
 * be reached, what was found before is what there is. */
FsAnswer fs_search_ask(FsSearch *search, gint64 since, FsObstacle *obstacle);

/* As of a name space, of what was found; if that was dropped meanwhile, it is
 * searched for once more. A cookie is a mailbox and a UID. */
FsAnswer fs_search_look_up(FsSearch *search, const char *name, gint64 since,
                           FsEntry *entry, FsObstacle *obstacle);
FsAnswer fs_search_next(FsSearch *search, guint64 cookie, FsEntry *entry,
                        FsObstacle *obstacle);

/* As stands_for of FsViewClass. */
FsAnswer fs_search_stands_for(FsSearch *search, const char *name,
                              guint64 *directory, char **shown_name,
                              FsObstacle *obstacle);
