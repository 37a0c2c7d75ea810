/* Something that operations wait for: a mailbox being synchronised, a message
 * being fetched. Whoever works on it owns the need; any number of operations
 * wait on it and are woken, from the main loop, when there is progress and when
 * it has been met or has failed. */
#pragma once

#include <glib.h>

typedef struct FsNeed FsNeed;
typedef struct FsNeedWaiter FsNeedWaiter;

FsNeed *fs_need_new(void);
/* One that is there for good, for whoever wants to hear of progress: nobody is
 * at work on it, and it does not count as pending. */
FsNeed *fs_need_new_standing(void);
/* One that this machine meets by itself, by writing to its disk: whoever waits
 * for it does not wait for the server. */
FsNeed *fs_need_new_local(void);
gboolean fs_need_is_local(const FsNeed *need);
FsNeed *fs_need_ref(FsNeed *need);
/* Accepts NULL. If none but the waiters hold a reference any longer and the
 * need is not complete, it fails with G_IO_ERROR_FAILED: nobody waits for ever.
 */
void fs_need_unref(FsNeed *need);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsNeed, fs_need_unref)

/* Wakes every waiter that there is now, in their order, with no error unless
 * the need has failed before they get to run; a waiter that wants more waits
 * again. */
void fs_need_progress(FsNeed *need);

/* Ends the need: met (@error NULL) or failed (borrowed, copied). Wakes all
 * waiters. Later calls do nothing. */
void fs_need_complete(FsNeed *need, const GError *error);
gboolean fs_need_is_complete(const FsNeed *need);
/* Why it failed; NULL while it has not, or when it was met. Borrowed. */
const GError *fs_need_error(const FsNeed *need);

/* Runs once, from the main loop, never inside the call that registered it;
 * unlinked before it runs. On a need that is complete already, likewise. The
 * waiter holds a reference to the need. @error is the need's, or NULL. */
typedef void (*FsNeedFunc)(const GError *error, gpointer user_data);
FsNeedWaiter *fs_need_wait(FsNeed *need, FsNeedFunc func, gpointer user_data);
/* The function will not run. Only before it has. */
void fs_need_cancel(FsNeedWaiter *waiter);
/* How many wait. */
guint fs_need_n_waiters(const FsNeed *need);

/* How many needs there are that are not complete, without standing ones. */
guint fs_needs_pending(void);
