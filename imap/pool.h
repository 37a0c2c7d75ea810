/* The connections of one account, opened on demand, and the turns on them.
 *
 * Who wants to talk about a mailbox takes a lease: a connection on which that
 * mailbox is selected, and stays so until the lease is released. Several leases
 * of one mailbox share a connection, and their commands are pipelined. */
#pragma once

#include "imap/changes.h"
#include "imap/connection.h"
#include "imap/servers.h"

#include <glib.h>

typedef struct ImapPool ImapPool;
typedef struct ImapLease ImapLease;

/* @settings must outlive the pool. @max_connections ≥ 1. */
ImapPool *imap_pool_new(const ImapSettings *settings, guint max_connections);
/* Hangs up; whoever waits is told, inside this call, and asks for nothing more.
 * Leases must have been released. Not from inside a callback of the pool's.
 * Accepts NULL. */
void imap_pool_free(ImapPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapPool, imap_pool_free)

/* @lease (takes ownership) or, when there is none to be had, NULL and @error:
 * the connection's, or why the mailbox cannot be selected. Runs once, from the
 * main loop, never inside the call that asked. */
typedef void (*ImapLeaseFunc)(ImapLease *lease, const GError *error,
                              gpointer user_data);

/* While the server asks to be left alone there is none to be had:
 * IMAP_ERROR_LIMIT.
 *
 * Asks for a lease on the mailbox of the wire name @mailbox, or on any
 * connection (NULL). Waits at most settings->timeout_ms beyond the last
 * progress of any connection. */
void imap_pool_acquire(ImapPool *pool, const char *mailbox, ImapLeaseFunc func,
                       gpointer user_data);

typedef enum {
    IMAP_LEASE_SINGLE,
    /* Much is going to be fetched, and nobody waits for its end: such a lease
     * does not share a connection with others if there can be two. While one is
     * held, another connection is kept ready, on the same mailbox, so that who
     * wants a single thing waits for no more than a round trip. */
    IMAP_LEASE_BULK,
    /* The same, but so little at a time that it passes in a moment: that may
     * share a connection with others, and has a second one opened. */
    IMAP_LEASE_BULK_LIGHT,
    /* Much is going to be sent (APPEND), on any connection: such a lease shares
     * one only for want of another, for nothing else is sent meanwhile. */
    IMAP_LEASE_UPLOAD,
    /* A command that the server may take long to answer (SEARCH): what is sent
     * behind it waits as long. Such a lease shares a connection only for want
     * of another, and there are never so many of them that none is left for
     * others: who wants one more waits, or shares with one of them. */
    IMAP_LEASE_SLOW,
} ImapLeaseKind;

/* What is going to be asked for, by imap_request_fetch_list, of all messages.
 */
typedef enum {
    IMAP_ROWS_NONE,
    IMAP_ROWS_PLAIN,
    IMAP_ROWS_WITH_HEADER,
} ImapRows;

/* What a lease is wanted for. */
typedef struct {
    const char *mailbox; /* wire name; NULL: any connection */
    ImapLeaseKind kind;
    /* The mailbox is going to be changed: it is selected, not examined; again,
     * if it was merely examined. IMAP_ERROR_READ_ONLY if the server lets it
     * only be read. */
    gboolean writable;
    /* What is known of the mailbox, so that its selection, if one is needed,
     * brings what has changed since (QRESYNC); NULL: nothing. Copied. */
    const ImapKnown *known;
    /* Sent with the selection, if one is needed. Who is given the lease asks
     * for it at once, inside the ImapLeaseFunc. */
    ImapRows rows;
    /* Wire name; NULL: none. That mailbox is going to be removed: as long as
     * the lease is held, or waited for, others wait for theirs on it, and it is
     * given when no connection has that mailbox selected. @mailbox is another
     * one. */
    const char *apart;
} ImapWish;

/* The same as imap_pool_acquire for a @wish (copied). */
void imap_pool_acquire_wish(ImapPool *pool, const ImapWish *wish,
                            ImapLeaseFunc func, gpointer user_data);

/* What the selection of the mailbox has brought of changes since what the wish
 * said was known. NULL when it did not: the connection had it selected already,
 * or the server cannot, or there were too many, or another lease has taken
 * them. Once only; caller owns the result. */
ImapChanges *imap_lease_take_changes(ImapLease *lease);

/* How many connections the server lets us have, as far as is known. */
guint imap_pool_limit(const ImapPool *pool);

/* Of the connections that there may be, requests use at most @n. Without this
 * call: all. */
void imap_pool_set_max_serving(ImapPool *pool, guint n);

/* The settings may name any of @servers (borrowed; NULL: just the one that they
 * name): where no connection can be made, and there is none, the next is tried
 * at once. It must outlive the pool. */
void imap_pool_set_servers(ImapPool *pool, ImapServers *servers);

/* Much is likely to be fetched soon: opens a second connection, if there is but
 * one and there may be more. */
void imap_pool_prepare(ImapPool *pool);

/* What is known of the line, and of what can be had over it at once. */
typedef struct {
    gint64 round_trip_us;      /* 0: not known */
    guint64 octets_per_second; /* the fastest that came; 0: not known */
    guint64 line_per_second;   /* the same, had we done nothing but wait */
    guint n_open;              /* connections that are logged in */
} ImapPoolLine;
void imap_pool_line(const ImapPool *pool, ImapPoolLine *line);

/* Whether an IMAP_LEASE_BULK_LIGHT on @mailbox would be granted at once. */
gboolean imap_pool_is_at_hand(const ImapPool *pool, const char *mailbox);

/* Connections that nobody has used for @idle_ms are logged out, but for one,
 * which is kept for @last_idle_ms. Without this call: 5 and 29 minutes. */
void imap_pool_set_idle(ImapPool *pool, guint idle_ms, guint last_idle_ms);

/* The connection may be used for other mailboxes again. Accepts NULL. */
void imap_lease_release(ImapLease *lease);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapLease, imap_lease_release)

ImapConnection *imap_lease_connection(const ImapLease *lease);

/* Whether the mailbox was selected since this lease was asked for: what its
 * selection said is what the server has had since then. */
gboolean imap_lease_is_fresh(const ImapLease *lease);

/* Runs when a selected mailbox changes by what the server says on its own:
 * @mailbox is its wire name. May be NULL. */
typedef void (*ImapChangeFunc)(const char *mailbox, gpointer user_data);
void imap_pool_set_change_func(ImapPool *pool, ImapChangeFunc func,
                               gpointer user_data);

/* One connection that serves no requests: who has it listens to what the server
 * says on its own. It counts as one of the pool's, so there is none while the
 * server lets us have but one; it is the first to be given up when a request
 * finds no other; and it keeps no other open. */
typedef struct {
    /* @connection (borrowed) is ready, nothing is selected. */
    void (*opened)(ImapConnection *connection, gpointer user_data);
    /* It could not be opened, or has ended; or it has been given up:
     * IMAP_ERROR_LIMIT. Nobody listens now. */
    void (*ended)(const GError *error, gpointer user_data);
} ImapListenerHandler;

/* Opens one as soon as there may be one, and a server is known that offers
 * anything to listen to (NOTIFY, IDLE); not before @wait_ms have passed, or,
 * with @hurries, another connection could be opened, which shows that the
 * server is there. Nobody listens yet. The functions of @handler run from the
 * main loop, never inside this call. */
void imap_pool_listen(ImapPool *pool, guint wait_ms, gboolean hurries,
                      const ImapListenerHandler *handler, gpointer user_data);
/* @handler is not called any more, and its connection is logged out. Does
 * nothing when nobody listens. */
void imap_pool_stop_listening(ImapPool *pool);
/* The connections that serve requests may hear what the server tells, too,
 * while nobody uses them (IDLE): each of one mailbox. */
typedef struct {
    /* Of which one wants to be told, by wire names, most wanted first: the one
     * at @rank, from 0; NULL: no more. Borrowed until the next call. May not
     * call the pool. */
    const char *(*wanted)(guint rank, gpointer user_data);
    /* Something has, or may have, changed in @mailbox. */
    void (*told)(const char *mailbox, gpointer user_data);
} ImapBesideHandler;

/* @handler must outlive the pool; NULL: nobody wants to hear. */
void imap_pool_set_beside(ImapPool *pool, const ImapBesideHandler *handler,
                          gpointer user_data);
/* What is wanted may be something else now. */
void imap_pool_wanted_changed(ImapPool *pool);

/* ---- the line as a whole ---- */

typedef enum {
    IMAP_POOL_UNTRIED, /* nothing was asked for yet */
    IMAP_POOL_ONLINE,  /* the last attempt to open a connection succeeded */
    IMAP_POOL_OFFLINE, /* it failed, and there is no other connection */
    IMAP_POOL_REFUSED, /* the same: the server refuses the login. There are no
                          attempts, and requests fail, until imap_pool_retry;
                          without an ImapRefusedFunc, for a while */
} ImapPoolState;

ImapPoolState imap_pool_state(const ImapPool *pool);
/* Microseconds since the epoch: since when it is so; 0: from the beginning. */
gint64 imap_pool_state_since(const ImapPool *pool);
/* Why there is no connection; NULL while there is one, or none was tried.
 * Borrowed. */
const GError *imap_pool_error(const ImapPool *pool);
/* Microseconds, monotonic: when a connection last became ready; 0: none has. */
gint64 imap_pool_opened_at(const ImapPool *pool);

/* Something is awaited, and nothing has come nearer on any connection for
 * longer than @limit_ms: most likely the line is dead, and it will be some time
 * until that is certain. */
gboolean imap_pool_is_silent(const ImapPool *pool, guint limit_ms);
/* Microseconds, monotonic: when any connection was last brought any further;
 * now, while one is kept from it by us. */
gint64 imap_pool_last_progress(const ImapPool *pool);

/* What the owner of the pool wants to hear and has to say of the line. Each may
 * be NULL; all run from the main loop, and may ask for leases. */
typedef struct {
    /* The state has changed, or it is online again after all connections were
     * lost: what was known before may have changed unnoticed. */
    void (*changed)(ImapPoolState state, gpointer user_data);
    /* The server refuses the login. TRUE: other credentials are on their way,
     * and imap_pool_retry or imap_pool_give_up will be called; who waits goes
     * on waiting. */
    gboolean (*refused)(const GError *error, gpointer user_data);
    /* There is no connection. Milliseconds after which, at the latest, one is
     * to be tried although nobody asks for it; 0: never. */
    guint (*patience)(gpointer user_data);
} ImapLineHandler;

/* @handler must outlive the pool; NULL: none. */
void imap_pool_set_line_handler(ImapPool *pool, const ImapLineHandler *handler,
                                gpointer user_data);

/* The settings have changed: connections are made anew, those in use as soon as
 * they are not. */
void imap_pool_reconnect(ImapPool *pool);
/* Tries at once, whatever happened before. */
void imap_pool_retry(ImapPool *pool);
/* After ImapLineHandler's refused: there are no other credentials. */
void imap_pool_give_up(ImapPool *pool, const GError *error);

/* Every connection is suspect: the computer was asleep, or the network is
 * another one. Those that do not answer within @deadline_ms are closed, and
 * what waits goes on over new ones. Without a connection, one is tried. */
void imap_pool_probe(ImapPool *pool, guint deadline_ms);
/* From now on the same is done with each connection that was idle for
 * @idle_ms. */
void imap_pool_set_idle_probe(ImapPool *pool, guint idle_ms, guint deadline_ms);

/* The mailbox of the wire name @mailbox is not the one that is selected under
 * that name: whoever asks for it has it selected anew. Leases on it are over,
 * and what they have asked for ends with IMAP_ERROR_CLOSED. */
void imap_pool_forget_selected(ImapPool *pool, const char *mailbox);

/* Logs every connection out; @done runs from the main loop when they have
 * ended. Nothing may be acquired any more. */
void imap_pool_log_out(ImapPool *pool, GSourceFunc done, gpointer user_data);
