/* Makes events of what changes in the account: messages, mailboxes, connections
 * and what the log says.
 *
 * Changes to what was known, and nothing else: that a mailbox is listed for the
 * first time is no news. As long as nobody reads events, nothing is made. */
#pragma once

#include "fs/account.h"
#include "fs/control/events.h"
#include "fs/names/name-space.h"

typedef struct FsEventFeed FsEventFeed;

/* All three must outlive the result. Takes the pool's observer. */
FsEventFeed *fs_event_feed_new(FsAccount *account, FsNameSpace *names,
                               FsEvents *events);
void fs_event_feed_free(FsEventFeed *feed); /* accepts NULL */

/* The log has said @text. */
void fs_event_feed_error(FsEventFeed *feed, const char *text);
