/* One connection of a pool: how far it has come, and what it is busy with. The
 * pool decides; this carries out. Used by the pool alone. */
#pragma once

#include "imap/changes.h"
#include "imap/connection.h"
#include "imap/pool.h"

#include <glib.h>

typedef struct ImapWorker ImapWorker;

typedef enum {
    IMAP_WORKER_OPENING,
    IMAP_WORKER_READY,
    IMAP_WORKER_SWITCHING, /* EXAMINE or SELECT is under way */
    IMAP_WORKER_GONE,
} ImapWorkerState;

/* All run from the main loop; each but the first may drop the worker. */
typedef struct {
    /* Whether it may send the credentials now; if not, it waits until
     * imap_connection_log_in. */
    gboolean (*may_log_in)(ImapWorker *worker, gpointer user_data);
    /* Ready, or (with @error) gone. */
    void (*opened)(ImapWorker *worker, const GError *error, gpointer user_data);
    /* With @error no mailbox is selected, and the connection may be about to
     * end. */
    void (*switched)(ImapWorker *worker, const char *mailbox,
                     const GError *error, gpointer user_data);
    /* While nobody uses it: something has changed in the selected mailbox. */
    void (*told)(ImapWorker *worker, const char *mailbox, gpointer user_data);
    /* It idles no longer. */
    void (*idled)(ImapWorker *worker, gpointer user_data);
    /* The connection has ended after it was ready. */
    void (*gone)(ImapWorker *worker, const GError *error, gpointer user_data);
} ImapWorkerHandler;

struct ImapWorker {
    ImapConnection *connection;
    ImapWorkerState state;
    char *mailbox;     /* selected, or being selected; NULL: none */
    gboolean writable; /* it was, or is, to be changed */

    /* What the selection brought; NULL: nothing, or taken. */
    ImapChanges *changes;
    gint64 since; /* microseconds, monotonic: opening; later, without leases */

    /* The pool's. */
    guint n_leases;
    guint n_bulk;       /* of them, those for more than one thing */
    guint n_light;      /* of these, those that are kept light */
    guint n_uploads;    /* and those that send */
    guint n_slow;       /* and those whose answer may take long */
    gint64 bulk_since;  /* microseconds, monotonic: when that began */
    gint64 bulk_ended;  /* the same: when it was last 0 */
    gboolean reserved;  /* takes no new leases */
    gboolean served;    /* a lease was given, or who waited has been told */
    gboolean fresh;     /* no lease was given since the mailbox was selected */
    gint64 told_of;     /* a switched_at: that it was made has been told */
    gint64 switched_at; /* microseconds, monotonic: when that was asked for */
    gboolean borrowed;  /* was a spare, and was switched for who had no other */
    gboolean leaving;   /* is being logged out */
    gboolean outdated;  /* is to be, as soon as nobody uses it */
    gboolean listens;   /* is the listener's, and nobody else's */
    ImapRows rows;      /* sent ahead, for whoever had it switched */
    gboolean logs_in;   /* the credentials may have been sent */
    gboolean given_up;  /* so that a request can have its place */
    guint changes_seen;
    gint64 probed_at; /* microseconds, monotonic: while it was idle */

    /* Its own. */
    const ImapWorkerHandler *handler; /* NULL once dropped */
    gpointer user_data;
    struct ImapSwitch *change;   /* under way; NULL: none */
    struct ImapWorkerIdle *idle; /* the same */
    gboolean cannot_idle;        /* it has turned out */
};

/* Opens a connection on the line of @rate. */
ImapWorker *imap_worker_new(const ImapSettings *settings, ImapLineRate *rate,
                            const ImapWorkerHandler *handler,
                            gpointer user_data);
ImapWorker *imap_worker_ref(ImapWorker *worker);
/* The last one hangs up. Accepts NULL. */
void imap_worker_unref(ImapWorker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapWorker, imap_worker_unref)
/* Calls nothing back any more, and lets go of a reference. */
void imap_worker_drop(ImapWorker *worker);

/* Ready, and the line has not been cut since. */
gboolean imap_worker_is_usable(const ImapWorker *worker);

/* Rows are on their way that were asked for ahead, and nobody wants them now.
 */
gboolean imap_worker_is_burdened(const ImapWorker *worker);

/* Usable, nobody has a lease, and nothing is on its way. */
gboolean imap_worker_is_unused(const ImapWorker *worker);

/* Has the server tell what happens in the selected mailbox, as long as nobody
 * uses the connection (IDLE). It is unused, and not idle. */
void imap_worker_idle(ImapWorker *worker);
/* Whether it could. */
gboolean imap_worker_can_idle(const ImapWorker *worker);
/* What comes while nobody uses it is told from now on, or, as it is being
 * freed, not any more. */
void imap_worker_hear(ImapWorker *worker);
void imap_worker_hear_no_more(ImapWorker *worker);

/* Selects @mailbox, @writable to change it, and asks for what has changed since
 * it was @known (NULL: it is not), or for @rows. The worker is usable and has
 * no leases. */
void imap_worker_switch(ImapWorker *worker, const char *mailbox,
                        gboolean writable, const ImapKnown *known,
                        ImapRows rows);

/* Whether its mailbox may be changed, or will be when it is selected. */
gboolean imap_worker_is_writable(const ImapWorker *worker);

/* How often the server has told on its own that something changed. */
guint imap_worker_changes(const ImapWorker *worker);
