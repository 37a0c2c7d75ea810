/* What the parts of the pool share: pool.c takes and ends requests,
 * pool-lease.c counts what is granted, pool-workers.c sees what becomes of
 * connections, pool-choice.c says which connection is whose, pool-line.c looks
 * after the line as a whole, pool-suspicion.c after connections that may be
 * dead, pool-reconnect.c after those that are to be made anew, pool-login.c
 * keeps them from trying a wrong password more than once, pool-apart.c keeps
 * mailboxes to those who remove them. */
#pragma once

#include "imap/allowance.h"
#include "imap/backoff.h"
#include "imap/line-rate.h"
#include "imap/pool-status.h"
#include "imap/worker.h"

typedef struct {
    char *mailbox; /* NULL: any */
    char *apart;   /* that nobody is to have selected; NULL: none */
    ImapLeaseKind kind;
    ImapRows rows;
    gboolean writable;
    ImapKnown known; /* without mod-sequence: nothing */
    gint64 since;    /* microseconds, monotonic */
    gint64 deadline; /* the same */
    gint64 due;      /* the same: its place in the queue */
    guint attempts;
    ImapLeaseFunc func;
    gpointer user_data;
} ImapPoolRequest;

struct ImapPool {
    const ImapSettings *settings;
    ImapServers *servers; /* that settings may name; borrowed; NULL: just one */
    ImapAllowance allowance;
    guint max_serving;       /* connections for requests, whatever is allowed */
    ImapLineRate *line_rate; /* of all connections */
    GPtrArray *workers; /* of ImapWorker, one reference each; none is gone */
    GQueue waiting;   /* of ImapPoolRequest, owned, by the time they are due */
    GPtrArray *apart; /* wire names, owned: once for each request and lease */
    guint dispatch_source;
    guint deadline_source;
    guint wake_source; /* when something is going to be due */
    gint64 idle_us;
    gint64 last_idle_us;
    GError *last_error; /* of opening; NULL: none lately */
    gint64 retry_at;    /* microseconds, monotonic */
    ImapPoolState state;
    gint64 state_since;  /* microseconds since the epoch */
    gint64 login_at;     /* microseconds, monotonic: while others are logged in,
                            none is tried before; 0: nothing was refused */
    gint64 login_pause;  /* microseconds: the last one; 0: none */
    gboolean lost;       /* all connections, since it was last online */
    gboolean held;       /* other credentials are on their way */
    gint64 opened_at;    /* microseconds, monotonic: the last connection */
    ImapBackoff backoff; /* of attempts that nobody asks for */
    guint reconnect_timer; /* of the next one; 0: none */
    gint64 suspect_at;     /* microseconds, monotonic: why all are, happened */
    guint suspect_ms;      /* how long those that are open may take to answer */
    gint64 probed_at;      /* microseconds, monotonic; 0: not yet */
    guint probe_timer;     /* of the next time; 0: none */
    gint64 renewed_at;     /* the same: when openings were begun anew */
    guint renew_timer;
    gint64 idle_probe_us; /* 0: idle connections are not probed */
    guint probe_ms;       /* how long those may take to answer */
    const ImapLineHandler *line_handler;
    gpointer line_data;
    gint64 spare_at; /* the same: no spare is made ready before */
    guint n_in_vain; /* that have ended without having served anybody, since one
                        has that had */
    gint64 ended_at; /* microseconds, monotonic: the last connection */
    gboolean may_be_down; /* likewise, until all have ended */
    gboolean may_be_line; /* the refusal noted then may have been none, */
    ImapAllowance allowance_before;      /* and this is from before it */
    gint64 last_progress;                /* microseconds, monotonic */
    const ImapListenerHandler *listener; /* NULL: nobody wants to listen */
    gpointer listener_data;
    gint64 listen_at; /* microseconds, monotonic: not before */
    gboolean listener_hurries;
    ImapWorker *listening; /* its connection, or NULL; borrowed from workers */
    gboolean pushes;       /* the server offers something to listen to */
    guint listener_failures; /* in a row, while the server talked to us */
    const ImapBesideHandler *beside; /* NULL: nobody wants to hear */
    gpointer beside_data;
    gint64 beside_at; /* microseconds, monotonic: no connection before */
    GHashTable *unselectable; /* wire name -> gint64, until when: both owned */
    ImapChangeFunc change_func;
    gpointer change_data;
    ImapPoolObserver observer;
    gpointer observer_data;
    ImapTraffic past_traffic; /* of connections that are gone */
    gboolean logging_out;
    GSourceFunc logged_out;
    gpointer logged_out_data;
};

/* ---- pool-apart.c; mailboxes may be NULL ---- */

/* Until as many times ended, nobody is given a lease on @mailbox. */
void imap_pool_set_apart(ImapPool *pool, const char *mailbox);
void imap_pool_end_apart(ImapPool *pool, const char *mailbox);
gboolean imap_pool_is_apart(const ImapPool *pool, const char *mailbox);

/* ---- pool-workers.c ---- */

extern const ImapWorkerHandler imap_pool_worker_handler;
/* Notes what the connection of @worker tells of the server as a whole. */
void imap_pool_note_server(ImapPool *pool, const ImapWorker *worker);

/* ---- pool.c ---- */

/* Looks at the requests, when the loop comes round. */
void imap_pool_wake(ImapPool *pool);
/* Ends all that wait. */
void imap_pool_fail_all(ImapPool *pool, const GError *error);
/* Ends those for @mailbox. */
void imap_pool_fail_mailbox(ImapPool *pool, const char *mailbox,
                            const GError *error);
/* @worker has ended before it served those for @mailbox (NULL: all): those that
 * have seen enough of that end, too. */
void imap_pool_count_attempt(ImapPool *pool, const ImapWorker *worker,
                             const char *mailbox, const GError *error);
/* Gives the request that the rows were sent ahead for its lease on @worker,
 * before anything else that the server has sent is looked at. */
void imap_pool_grant_rows(ImapPool *pool, ImapWorker *worker);
/* Ends those that want to change @mailbox. */
void imap_pool_fail_changes(ImapPool *pool, const char *mailbox,
                            const GError *error);
/* FALSE if the server lets us have no more. */
gboolean imap_pool_open_another(ImapPool *pool);

/* ---- pool-lease.c ---- */

/* On @worker, for @request. */
ImapLease *imap_lease_new(ImapPool *pool, ImapWorker *worker,
                          const ImapPoolRequest *request);

/* ---- pool-line.c ---- */

/* A connection is ready. */
void imap_pool_line_opened(ImapPool *pool);
/* The only connection could not be opened. */
void imap_pool_line_failed(ImapPool *pool, const GError *error);
/* For a moment requests fail with @error, if there is no connection then. */
void imap_pool_put_off(ImapPool *pool, const GError *error);
/* A connection that was ready has ended, and not because we wanted it to. */
void imap_pool_line_lost(ImapPool *pool);
/* Somebody asked in vain: then another attempt is due some time. */
void imap_pool_line_wanted(ImapPool *pool);
/* Whether it is not known if connections can be made: none is logged in, or
 * none with what we log in with now. */
gboolean imap_pool_line_is_in_doubt(const ImapPool *pool);
/* Whether there is a connection, or one is coming, that is not outdated. */
gboolean imap_pool_has_present(const ImapPool *pool);
/* Whether requests are refused for now, with pool->last_error. */
gboolean imap_pool_line_is_put_off(const ImapPool *pool);

/* ---- pool-limit.c ---- */

/* There may be no more than there are. */
void imap_pool_shrink(ImapPool *pool, const GError *error);
/* The same, unless it turns out that it is the line or the server. */
void imap_pool_shrink_for_now(ImapPool *pool, const GError *error);
/* A connection could not be opened while there are others. */
void imap_pool_note_one_too_many(ImapPool *pool, const GError *error);
/* A connection has ended that was ready, and not because we wanted it to.
 * Whether it was cut together with another one. */
gboolean imap_pool_note_end(ImapPool *pool);
/* Whether @worker, which could not be opened, was cut while it was being
 * opened, and one that was ready has ended meanwhile. */
gboolean imap_pool_was_cut_along(const ImapPool *pool, const ImapWorker *worker,
                                 const GError *error);
/* One could be opened. */
void imap_pool_note_room(ImapPool *pool);

/* ---- pool-login.c ---- */

/* Whether @worker may send its credentials. */
gboolean imap_pool_may_log_in(ImapPool *pool, ImapWorker *worker);
/* Has those that wait for that send theirs, if they may now. */
void imap_pool_let_log_in(ImapPool *pool);
/* Whether @error is that the credentials were refused. */
gboolean imap_pool_is_refusal(const GError *error);
/* One has ended, and is none of the workers any more, by the refusal @error. */
void imap_pool_note_refusal(ImapPool *pool, const GError *error);
/* One is logged in. */
void imap_pool_note_login(ImapPool *pool);
/* The credentials may be others now. */
void imap_pool_forget_refusal(ImapPool *pool);
/* Microseconds, monotonic: until when there are to be no more connections, for
 * the last one was refused; 0: there may be. */
gint64 imap_pool_login_paused_until(const ImapPool *pool);

/* ---- pool-suspicion.c ---- */

/* Gives up those that are being opened, and were begun before
 * pool->suspect_at: who waits gets another. */
void imap_pool_drop_openings(ImapPool *pool);
/* No connection is suspect any more. */
void imap_pool_stop_probing(ImapPool *pool);

/* ---- pool-reconnect.c ---- */

/* Logs out those that are outdated and not in use. */
void imap_pool_retire_outdated(ImapPool *pool);

/* ---- pool-choice.c ---- */

typedef enum {
    IMAP_CHOICE_GRANTED,
    IMAP_CHOICE_COMING, /* a connection is on its way */
    IMAP_CHOICE_STUCK,  /* everything is in use */
} ImapChoice;

/* Has all requests looked at soon. */
void imap_pool_wake(ImapPool *pool);

/* One look at all requests, in their order. */
typedef struct {
    ImapPool *pool;
    gint64 now;
    guint n_opening;  /* connections that nobody waits for yet */
    gboolean is_slow; /* they take long */
    gint64 wake_at;   /* when to look again; G_MAXINT64: no need */
} ImapPoolRound;

/* Reservations are made anew each time: who they were for may have been
 * served otherwise. */
void imap_pool_begin_round(ImapPool *pool, ImapPoolRound *round);
/* pool-apart.c: whether no connection has selected what @request is to be apart
 * from; those that are free to leave it are made to. */
gboolean imap_pool_make_apart(ImapPoolRound *round,
                              const ImapPoolRequest *request);
/* Which connection @request gets, *@granted; or what is done so that it will
 * get one. */
ImapChoice imap_pool_choose(ImapPoolRound *round,
                            const ImapPoolRequest *request,
                            ImapWorker **granted);
/* When all requests have been looked at: has a connection ready beside each
 * that is held for much, and gives up those that nobody has used for long. */
void imap_pool_keep_spares(ImapPoolRound *round);
void imap_pool_retire_idle(ImapPoolRound *round);

/* Whether it is what somebody who fetches much has beside him. */
gboolean imap_pool_is_spare(const ImapPool *pool, const ImapWorker *worker);

/* ---- pool-idle.c ---- */

/* When all requests have been looked at: has those that nobody uses hear what
 * is wanted. */
void imap_pool_listen_beside(ImapPoolRound *round);
/* @mailbox has changed: told if that is wanted. */
void imap_pool_tell_beside(ImapPool *pool, const char *mailbox);
/* An idle connection has heard of @mailbox. */
void imap_pool_tell_heard(ImapPool *pool, const char *mailbox);
/* @mailbox was selected, or could not be. */
void imap_pool_note_selected(ImapPool *pool, const char *mailbox,
                             gboolean refused);
/* Whether @worker does, or will as soon as nobody uses it. */
gboolean imap_pool_is_heard(const ImapPool *pool, const ImapWorker *worker);

/* ---- pool-listener.c ---- */

/* How many connections that serve requests there may be, and are. */
guint imap_pool_room(const ImapPool *pool);
guint imap_pool_n_serving(const ImapPool *pool);

/* When all requests have been looked at: opens the listener's connection, or
 * makes room for it, if somebody wants to listen and there may be one. */
void imap_pool_open_listener(ImapPoolRound *round);
/* @worker, the listener's, is open. */
void imap_pool_listener_opened(ImapPool *pool, ImapWorker *worker);
/* Whether @error, by which @worker, the listener's, could not be opened, means
 * that it was one too many. It is none of the workers any more. */
gboolean imap_pool_is_listener_refused(ImapPool *pool, const ImapWorker *worker,
                                       const GError *error);
/* It has ended, or could not be opened, and is none of the workers any more. */
void imap_pool_listener_ended(ImapPool *pool, const GError *error);
/* Gives the listener's connection up, for @reason, so that a request can have
 * it. FALSE: there is none. */
gboolean imap_pool_give_up_listener(ImapPool *pool, const GError *reason);
/* And asks those that were idle for some time whether they are still there. */
void imap_pool_probe_idle(ImapPoolRound *round);
/* ---- pool-status.c ---- */

/* @connection leaves the pool: what has gone over it counts on. */
void imap_pool_keep_traffic(ImapPool *pool, const ImapConnection *connection);
void imap_pool_tell(const ImapPool *pool, ImapPoolChange change,
                    const ImapConnection *connection, const GError *error);
