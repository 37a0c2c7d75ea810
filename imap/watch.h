/* What the server tells on its own, on one connection that does nothing else.
 *
 * Where the server offers NOTIFY, it tells of all mailboxes of the user's own;
 * where it offers IDLE alone, of one, and which is for the caller to choose.
 * The connection is the pool's listener: while there may be none, nothing is
 * told. When its line is cut it is made again, after longer and longer waits.
 *
 * What is told is a hint. What happened before it began is never told. */
#pragma once

#include "imap/pool.h"

#include <glib.h>

typedef struct ImapWatch ImapWatch;

/* Run from the main loop, never inside a call of imap_watch_…; arguments are
 * borrowed. @mailbox is a wire name, NULL for all mailboxes. */
typedef struct {
    /* From here on the server tells of @mailbox. What was missed until now has
     * to be asked for. Also runs again each time that something may have been
     * missed. */
    void (*begun)(const char *mailbox, gpointer user_data);
    /* It tells something: of NOTIFY, STATUS and LIST; of IDLE, what concerns
     * the messages of @mailbox. */
    void (*told)(const char *mailbox, const ImapResponse *response,
                 gpointer user_data);
    /* It tells nothing for now. */
    void (*lost)(const GError *error, gpointer user_data);
} ImapWatchHandler;

/* Begins to try after @wait_ms. @handler stays valid; the pool outlives the
 * result. */
ImapWatch *imap_watch_new(ImapPool *pool, const ImapWatchHandler *handler,
                          guint wait_ms, gpointer user_data);
/* Its connection is logged out. Not from inside its handler. Accepts NULL. */
void imap_watch_free(ImapWatch *watch);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapWatch, imap_watch_free)

/* Where the server can tell of one mailbox only, this is the one, by its wire
 * name (copied); NULL, and until this is called: INBOX, as for one that cannot
 * be selected. */
void imap_watch_prefer(ImapWatch *watch, const char *mailbox);

/* Has the server tell how the @mailboxes (wire names, NULL-terminated; copied)
 * are, each by one STATUS as if it told on its own. Also from inside begun.
 * Does nothing while it does not tell of all. */
void imap_watch_look(ImapWatch *watch, const char *const *mailboxes);

/* How long after the server has told something by NOTIFY that is sent again, as
 * some stop to tell then. Without this call: 3 seconds. */
void imap_watch_set_again(ImapWatch *watch, guint milliseconds);

/* How often the server is shown that we are there; servers hang up after half
 * an hour (RFC 2177), and what lies between often sooner. Without this call: 9
 * minutes. */
void imap_watch_set_renewal(ImapWatch *watch, guint milliseconds);

/* Whether the server tells, and of which mailbox (borrowed; NULL: of all). */
gboolean imap_watch_is_telling(const ImapWatch *watch, const char **mailbox);
/* Why the server, which offers to tell, does not, when it was last asked to;
 * NULL: it was not asked, or does. Borrowed. */
const char *imap_watch_refusal(const ImapWatch *watch);
