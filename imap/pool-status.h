/* What a pool shows of itself: its connections as they are, what has gone over
 * the line, and word of every connection that comes or goes. */
#pragma once

#include "imap/pool.h"

typedef struct {
    const ImapConnection *connection;
    const char *state;   /* "opening", "ready", "selecting" or "closing" */
    const char *mailbox; /* wire name: selected, or being selected; or NULL */
    guint n_leases;      /* who use it now */
    guint n_bulk;        /* of them, those who fetch much */
    gboolean listens; /* to what the server tells on its own; serves nobody */
} ImapConnectionStatus;

/* Calls @func for each connection, before it returns; all is borrowed. */
typedef void (*ImapConnectionStatusFunc)(const ImapConnectionStatus *status,
                                         gpointer user_data);
void imap_pool_describe(const ImapPool *pool, ImapConnectionStatusFunc func,
                        gpointer user_data);

/* Whether the server has announced @capability (upper case) on a connection
 * that is open. */
gboolean imap_pool_has(const ImapPool *pool, const char *capability);

/* What has gone over all connections that there ever were. */
void imap_pool_traffic(const ImapPool *pool, ImapTraffic *traffic);

/* Who waits for a lease. */
guint imap_pool_n_waiting(const ImapPool *pool);

typedef enum {
    IMAP_POOL_CHANGE_OPENED,
    IMAP_POOL_CHANGE_REFUSED, /* it could not be opened: the error says why */
    IMAP_POOL_CHANGE_LOST,    /* it ended, and nobody here had asked for that */
    IMAP_POOL_CHANGE_CLOSED,  /* it was not needed any more */
} ImapPoolChange;

/* Told of connections that come and go; @error is NULL for
 * IMAP_POOL_CHANGE_OPENED. May not call the pool. At most one; NULL removes it.
 */
typedef void (*ImapPoolObserver)(ImapPoolChange change,
                                 const ImapConnection *connection,
                                 const GError *error, gpointer user_data);
void imap_pool_set_observer(ImapPool *pool, ImapPoolObserver observer,
                            gpointer user_data);
