/* What the watcher decides: which mailbox is watched where only one can be, and
 * whether what a server tells of a mailbox is news. Arithmetic alone.
 *
 * The mailbox most in use is watched. A use counts a second after the last one
 * at the earliest, and counts half after ten seconds; another mailbox takes the
 * place only if it is used clearly more, so that a scan over all mailboxes
 * moves nothing, and who goes on working elsewhere is followed after some
 * seconds. */
#pragma once

#include "cache/index.h"
#include "imap/response.h"

#include <glib.h>

typedef struct FsWatchPlan FsWatchPlan;

FsWatchPlan *fs_watch_plan_new(void);
void fs_watch_plan_free(FsWatchPlan *plan); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsWatchPlan, fs_watch_plan_free)

/* @mailbox is being used at @now (microseconds, monotonic). TRUE if it is the
 * one to be watched now, and was not before. */
gboolean fs_watch_plan_use(FsWatchPlan *plan, guint32 mailbox, gint64 now);
/* The one to be watched; 0: none was used yet. */
guint32 fs_watch_plan_chosen(const FsWatchPlan *plan);

/* The mailboxes that were used, those most in use at @now first. Caller owns
 * the array (of guint32). */
GArray *fs_watch_plan_ranked(const FsWatchPlan *plan, gint64 now);

/* Whether @status is of another mailbox than @known, of the same name: then
 * what is selected under that name is not what it says, either. */
gboolean fs_watch_plan_is_another(const ImapMailboxStatus *status,
                                  const CacheMailbox *known);

/* Whether @status says anything that is not @known of its mailbox, of which
 * @count messages are there. */
gboolean fs_watch_plan_is_news(const ImapMailboxStatus *status,
                               const CacheMailbox *known, guint64 count);
