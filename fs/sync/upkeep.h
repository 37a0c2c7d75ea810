/* Which mailboxes are in use, and so have to be kept as the server has them.
 *
 * The kernel answers most uses itself, by what it was told. So whatever it may
 * answer for is checked at regular intervals for as long as there is a sign of
 * use; when nothing is in use, nothing happens, not even a timer. */
#pragma once

#include "fs/need.h"

#include <glib.h>

typedef struct FsUpkeep FsUpkeep;

/* Asks the server for what is newer than anything known of @mailbox (0: of the
 * list of mailboxes). What to wait for until that is there; NULL: nothing.
 * Borrowed. */
typedef FsNeed *(*FsUpkeepCheckFunc)(guint32 mailbox, gpointer user_data);

/* A round begins with these @mailboxes (not the list): what to wait for before
 * the first check; NULL: nothing. Borrowed. May call nothing here. */
typedef FsNeed *(*FsUpkeepPrepareFunc)(const guint32 *mailboxes, guint n,
                                       gpointer user_data);

/* Milliseconds from one check to the next, and from a mailbox's last use until
 * it is not in use any more. */
FsUpkeep *fs_upkeep_new(guint interval_ms, guint keep_ms,
                        FsUpkeepCheckFunc check, gpointer user_data);
/* Accepts NULL. */
void fs_upkeep_free(FsUpkeep *upkeep);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsUpkeep, fs_upkeep_free)

/* With the data of the check. */
void fs_upkeep_set_prepare(FsUpkeep *upkeep, FsUpkeepPrepareFunc prepare);

/* @mailbox, or the list (0), is being used. TRUE if it was not in use before:
 * what is known of it may be old. */
gboolean fs_upkeep_use(FsUpkeep *upkeep, guint32 mailbox);
gboolean fs_upkeep_is_used(const FsUpkeep *upkeep, guint32 mailbox);
/* Calls @func with all that are in use, the list (0) among them; @func changes
 * nothing here. */
void fs_upkeep_foreach(const FsUpkeep *upkeep,
                       void (*func)(guint32 mailbox, gpointer user_data),
                       gpointer user_data);
/* When anything was last used: microseconds, monotonic; 0: nothing is in use.
 */
gint64 fs_upkeep_last_use(const FsUpkeep *upkeep);
/* Begins a round now; what is being checked, or is left of another one, is part
 * of it. */
void fs_upkeep_check_now(FsUpkeep *upkeep);
/* It is gone. */
void fs_upkeep_drop(FsUpkeep *upkeep, guint32 mailbox);
