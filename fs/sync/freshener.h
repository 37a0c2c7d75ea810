/* Has asked again for what is said to have changed: at once, few at a time, and
 * however often it is said, only one at a time of the same mailbox, with a rest
 * in between. What is said while a mailbox is being asked for is asked for once
 * more afterwards, for the answer under way may have been given before. */
#pragma once

#include "fs/need.h"

#include <glib.h>

typedef struct FsFreshener FsFreshener;

/* Asks the server for what is newer than anything known of @mailbox (0: of the
 * list of mailboxes). What to wait for until that is there (borrowed); NULL:
 * nothing. @since is when it was last said that it has changed (microseconds,
 * monotonic). *@begun is TRUE: FALSE is to be set if somebody had begun to ask
 * before that. */
typedef FsNeed *(*FsFreshenFunc)(guint32 mailbox, gint64 since, gboolean *begun,
                                 gpointer user_data);

/* @rest_ms: between two askings for the same mailbox. */
FsFreshener *fs_freshener_new(guint rest_ms, FsFreshenFunc freshen,
                              gpointer user_data);
/* Accepts NULL. */
void fs_freshener_free(FsFreshener *freshener);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsFreshener, fs_freshener_free)

/* Something has changed in @mailbox (0: in the list of mailboxes). */
void fs_freshener_hint(FsFreshener *freshener, guint32 mailbox);

/* Whether all that was said is in, or has failed. */
gboolean fs_freshener_is_quiet(const FsFreshener *freshener);
