/* One line after the other, each with one command of ours at a time: NOTIFY,
 * now and then; or EXAMINE and IDLE, in turn. A line is counted by reference,
 * for the answers of its commands may come after its end.
 *
 * The time between two attempts is begun anew only when a line has told for a
 * while: a server that lets us in and hangs up is not asked more often for
 * that.
 *
 * NOTIFY is sent again after whatever it has told. Dovecot listens to the log
 * that all changes go through, by its file: when that has grown to 64 kB it
 * begins another, and hears nothing of that one but by a look every 30 seconds.
 * The change that made it too long is still told, so a NOTIFY behind that comes
 * in time. */
#include "imap/watch.h"

#include "imap/backoff.h"
#include "imap/error.h"
#include "imap/idle.h"
#include "imap/notify.h"
#include "imap/requests-private.h"
#include "imap/status-request.h"

#define RENEWAL_MS (9u * 60 * 1000)
/* A line that has told for so long was a good one. */
#define STEADY_US (30 * G_TIME_SPAN_SECOND)
/* An IDLE that the server ends sooner by itself is none. */
#define SHORT_IDLE_US (1 * G_TIME_SPAN_SECOND)

/* NOTIFY is sent again when nothing was told for so long after something was;
 * and in a stream without an end so long after its beginning. Not sooner, for
 * what Dovecot was about to tell it tells no more: that takes it half a second,
 * and of folders a second and a half. */
#define AGAIN_MS 3000u
#define AGAIN_LATEST 5 /* of those */

#define INBOX "INBOX"

typedef struct {
    ImapWatch *watch;           /* NULL once it is over */
    ImapConnection *connection; /* a reference */
    gboolean all;               /* by NOTIFY */
    gboolean telling;
    gint64 telling_since; /* microseconds, monotonic; 0: not told yet */
    guint n_pending;      /* commands of ours */
    char *selected;       /* NULL: no mailbox */
    char *refused;        /* could not be selected; NULL: none */
    gint64 idle_since;    /* microseconds, monotonic */
    gint64 told_since;    /* the same: the first news since NOTIFY; 0: none */
} Line;

struct ImapWatch {
    ImapPool *pool;
    const ImapWatchHandler *handler;
    gpointer user_data;
    char *preferred; /* NULL: INBOX */
    guint renewal_ms;
    guint again_ms;
    gboolean only_once; /* the server takes no second NOTIFY */
    ImapBackoff backoff;
    guint wait_ms;     /* the next wait is no shorter */
    gboolean given_up; /* that the server is there again changes nothing */
    char *refusal;     /* owned; NULL: it tells, or was not asked to */
    Line *line;        /* a reference; NULL: none is open */
    guint renewal;     /* a timer; 0 while nothing is told */
    guint overflow;    /* likewise, until NOTIFY is tried again */
    guint again;       /* likewise, until it is sent again */
};

static void next_step(Line *line);
static void listen_again(ImapWatch *watch);

/* ---- the life of a line ---- */

static void
line_clear(gpointer data)
{
    Line *line = data;

    imap_connection_unref(line->connection);
    g_free(line->selected);
    g_free(line->refused);
}

static void
line_unref(gpointer line)
{
    g_rc_box_release_full(line, line_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Line, line_unref)

static void
note_end_of_telling(Line *line)
{
    if (line->telling_since != 0 &&
        g_get_monotonic_time() - line->telling_since >= STEADY_US)
        imap_backoff_reset(&line->watch->backoff);
    line->telling_since = 0;
}

static void
end_line(ImapWatch *watch)
{
    Line *line = g_steal_pointer(&watch->line);

    g_clear_handle_id(&watch->renewal, g_source_remove);
    g_clear_handle_id(&watch->overflow, g_source_remove);
    g_clear_handle_id(&watch->again, g_source_remove);
    if (line == NULL)
        return;
    note_end_of_telling(line);
    imap_connection_set_unasked_func(line->connection, NULL, NULL);
    line->watch = NULL;
    line_unref(line);
}

/* The server does not tell; not soon, either. Its connection is of no use. */
static void
give_up_line(Line *line, const GError *error)
{
    ImapWatch *watch = line->watch;

    g_debug("the server tells nothing by itself: %s", error->message);
    watch->wait_ms = IMAP_BACKOFF_MAX_MS;
    watch->given_up = TRUE;
    g_free(watch->refusal);
    watch->refusal = g_strdup(error->message);
    imap_connection_close(line->connection, error);
}

static void
begin_telling(Line *line)
{
    ImapWatch *watch = line->watch;

    line->telling = TRUE;
    g_clear_pointer(&watch->refusal, g_free);
    if (line->telling_since == 0)
        line->telling_since = g_get_monotonic_time();
    watch->handler->begun(line->all ? NULL : line->selected, watch->user_data);
}

/* ---- NOTIFY ---- */

static void
on_notify_done(const GError *error, gpointer user_data)
{
    g_autoptr(Line) line = user_data;

    line->n_pending--;
    if (line->watch == NULL)
        return;
    if (error != NULL && line->telling) {
        /* Not again: now it tells nothing at all. */
        if (imap_connection_is_open(line->connection)) {
            line->watch->only_once = TRUE;
            imap_connection_close(line->connection, error);
        }
        return;
    }
    line->all = error == NULL;
    if (line->all)
        begin_telling(line);
    else if (!imap_connection_is_open(line->connection))
        return;
    else if (imap_connection_has(line->connection, "IDLE"))
        next_step(line);
    else
        give_up_line(line, error);
}

static void
notify(Line *line)
{
    g_clear_handle_id(&line->watch->again, g_source_remove);
    line->told_since = 0;
    line->n_pending++;
    imap_request_notify(line->connection, line->telling, on_notify_done,
                        g_rc_box_acquire(line));
}

static gboolean
on_overflow_over(gpointer user_data)
{
    ImapWatch *watch = user_data;

    watch->overflow = 0;
    notify(watch->line);
    return G_SOURCE_REMOVE;
}

/* Behind what was asked for after the last one: a server that is slow to answer
 * that, and tells on, is not sent more and more. */
static gboolean
on_again(gpointer user_data)
{
    ImapWatch *watch = user_data;

    if (watch->line->n_pending > 0) {
        watch->again = g_timeout_add(watch->again_ms, on_again, watch);
        return G_SOURCE_REMOVE;
    }
    watch->again = 0;
    notify(watch->line);
    return G_SOURCE_REMOVE;
}

static void
notify_again_soon(Line *line)
{
    ImapWatch *watch = line->watch;
    gint64 now = g_get_monotonic_time();
    gint64 latest;

    if (watch->only_once)
        return;
    if (line->told_since == 0)
        line->told_since = now;
    latest = line->told_since +
             AGAIN_LATEST * (gint64)watch->again_ms * G_TIME_SPAN_MILLISECOND;
    if (watch->again != 0 && now >= latest)
        return;
    g_clear_handle_id(&watch->again, g_source_remove);
    watch->again =
        g_timeout_add((guint)CLAMP((latest - now) / G_TIME_SPAN_MILLISECOND, 0,
                                   (gint64)watch->again_ms),
                      on_again, watch);
}

/* What is told unasked meanwhile comes here, too: it is not as complete. */
static void
on_looked_at(const ImapMailboxStatus *status, gpointer user_data)
{
    Line *line = user_data;
    const ImapResponse response = {.type = IMAP_RESPONSE_MAILBOX_STATUS,
                                   .mailbox_status = status};

    if (line->watch == NULL || !line->telling)
        return;
    if ((status->has & IMAP_MAILBOX_UIDVALIDITY) == 0)
        notify_again_soon(line);
    line->watch->handler->told(NULL, &response, line->watch->user_data);
}

static void
on_look_done(const GError *error, gpointer user_data)
{
    Line *line = user_data;

    line->n_pending--;
    line_unref(line);
}

static const ImapStatusHandler look_handler = {
    .singly = TRUE,
    .status = on_looked_at,
    .done = on_look_done,
};

void
imap_watch_look(ImapWatch *watch, const char *const *mailboxes)
{
    Line *line = watch->line;

    if (line == NULL || !line->telling || !line->all)
        return;
    line->n_pending++;
    if (!imap_request_statuses(line->connection, mailboxes, &look_handler,
                               g_rc_box_acquire(line)))
        on_look_done(NULL, line);
}

/* It has stopped to tell (RFC 5465, section 5.8). */
static void
on_overflow(Line *line)
{
    ImapWatch *watch = line->watch;
    g_autoptr(GError) error = g_error_new_literal(
        IMAP_ERROR, IMAP_ERROR_LIMIT, "the server has too much to tell");

    if (watch->overflow != 0)
        return;
    note_end_of_telling(line);
    g_clear_handle_id(&watch->again, g_source_remove);
    watch->overflow =
        g_timeout_add(imap_backoff_next(&watch->backoff, g_random_double()),
                      on_overflow_over, watch);
    if (line->telling) {
        line->telling = FALSE;
        watch->handler->lost(error, watch->user_data);
    }
}

/* ---- IDLE ---- */

static void
on_idle_begun(gpointer user_data)
{
    Line *line = user_data;

    if (line->watch == NULL)
        return;
    line->idle_since = g_get_monotonic_time();
    begin_telling(line);
    /* Who chooses may have chosen another meanwhile. */
    if (line->watch != NULL && line->n_pending == 1)
        next_step(line);
}

static void
on_idle_done(gboolean by_server, const GError *error, gpointer user_data)
{
    g_autoptr(Line) line = user_data;
    g_autoptr(GError) ended = NULL;

    line->n_pending--;
    if (line->watch == NULL || !imap_connection_is_open(line->connection))
        return;
    if (error == NULL && line->n_pending == 0) {
        /* Somebody may have asked something on this line. */
        if (!by_server ||
            (line->idle_since != 0 &&
             g_get_monotonic_time() - line->idle_since >= SHORT_IDLE_US)) {
            next_step(line);
            return;
        }
        ended = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_NO,
                                    "the server ends IDLE at once");
        error = ended;
    }
    if (error != NULL)
        give_up_line(line, error);
}

static const ImapIdleHandler idle_handler = {
    .begun = on_idle_begun,
    .done = on_idle_done,
};

static void
idle(Line *line)
{
    line->idle_since = 0; /* not begun */
    line->n_pending++;
    imap_idle_start(line->connection, &idle_handler, g_rc_box_acquire(line));
}

static void
on_selected(const GError *error, gpointer user_data)
{
    g_autoptr(Line) line = user_data;

    line->n_pending--;
    if (line->watch == NULL || !imap_connection_is_open(line->connection))
        return;
    if (error != NULL) {
        if (g_str_equal(line->selected, INBOX)) {
            give_up_line(line, error);
            return;
        }
        g_free(line->refused);
        line->refused = g_steal_pointer(&line->selected);
    }
    next_step(line);
}

static const char *
wanted(const Line *line)
{
    const char *preferred = line->watch->preferred;

    if (preferred == NULL || g_strcmp0(preferred, line->refused) == 0)
        return INBOX;
    return preferred;
}

/* What comes while another mailbox is being selected may be of either, and the
 * new one is looked at anyway. */
static void
select_wanted(Line *line)
{
    line->telling = FALSE;
    g_free(line->selected);
    line->selected = g_strdup(wanted(line));
    line->n_pending++;
    imap_request_examine(line->connection, line->selected, on_selected,
                         g_rc_box_acquire(line));
}

/* The mailbox that is wanted is selected, and then listened to. An IDLE under
 * way ends by itself when another command is sent. */
static void
next_step(Line *line)
{
    if (g_strcmp0(line->selected, wanted(line)) != 0)
        select_wanted(line);
    else if (line->n_pending == 0)
        idle(line);
}

/* ---- what is told ---- */

static gboolean
is_of_a_mailbox(const ImapResponse *response)
{
    return response->type == IMAP_RESPONSE_LIST ||
           response->type == IMAP_RESPONSE_MAILBOX_STATUS;
}

/* An ImapUnaskedFunc. */
static void
on_unasked(const ImapResponse *response, gpointer user_data)
{
    ImapWatch *watch = user_data;
    Line *line = watch->line;

    if (line->all && imap_notify_is_overflow(response)) {
        on_overflow(line);
    } else if (line->telling && (line->all ? is_of_a_mailbox(response)
                                           : imap_idle_is_news(response))) {
        if (line->all)
            notify_again_soon(line);
        watch->handler->told(line->all ? NULL : line->selected, response,
                             watch->user_data);
    }
}

/* ---- renewing ---- */

static gboolean
on_renewal(gpointer user_data)
{
    ImapWatch *watch = user_data;
    Line *line = watch->line;

    /* What is under way shows that we are there. */
    if (line->all && line->n_pending == 0 && watch->only_once)
        imap_request_noop(line->connection);
    else if (line->all && line->n_pending == 0)
        notify(line);
    else if (line->telling && line->n_pending == 1)
        idle(line);
    return G_SOURCE_CONTINUE;
}

static void
start_renewal(ImapWatch *watch)
{
    g_clear_handle_id(&watch->renewal, g_source_remove);
    watch->renewal = g_timeout_add(watch->renewal_ms, on_renewal, watch);
}

/* ---- the listener ---- */

static void
on_opened(ImapConnection *connection, gpointer user_data)
{
    ImapWatch *watch = user_data;
    Line *line = g_rc_box_new0(Line);
    g_autoptr(GError) error = NULL;

    watch->line = line;
    line->watch = watch;
    line->connection = imap_connection_ref(connection);
    imap_connection_set_unasked_func(connection, on_unasked, watch);
    start_renewal(watch);
    if (imap_connection_has(connection, "NOTIFY")) {
        notify(line);
    } else if (imap_connection_has(connection, "IDLE")) {
        next_step(line);
    } else {
        error = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_NO,
                                    "it offers nothing of the kind any more");
        give_up_line(line, error);
    }
}

static void
on_ended(const GError *error, gpointer user_data)
{
    ImapWatch *watch = user_data;
    gboolean was_telling = watch->line != NULL && watch->line->telling;

    end_line(watch);
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION))
        watch->wait_ms = IMAP_BACKOFF_MAX_MS;
    if (was_telling)
        watch->handler->lost(error, watch->user_data);
    listen_again(watch);
}

static const ImapListenerHandler listener_handler = {
    .opened = on_opened,
    .ended = on_ended,
};

static void
listen_again(ImapWatch *watch)
{
    guint wait_ms = imap_backoff_next(&watch->backoff, watch->wait_ms);

    imap_pool_listen(watch->pool, wait_ms, !watch->given_up, &listener_handler,
                     watch);
    watch->given_up = FALSE;
    watch->wait_ms = 0;
}

/* ---- the public side ---- */

ImapWatch *
imap_watch_new(ImapPool *pool, const ImapWatchHandler *handler, guint wait_ms,
               gpointer user_data)
{
    ImapWatch *watch = g_new0(ImapWatch, 1);

    watch->pool = pool;
    watch->handler = handler;
    watch->user_data = user_data;
    watch->renewal_ms = RENEWAL_MS;
    watch->again_ms = AGAIN_MS;
    imap_pool_listen(pool, wait_ms, TRUE, &listener_handler, watch);
    return watch;
}

void
imap_watch_free(ImapWatch *watch)
{
    if (watch == NULL)
        return;
    end_line(watch);
    imap_pool_stop_listening(watch->pool);
    g_free(watch->preferred);
    g_free(watch->refusal);
    g_free(watch);
}

void
imap_watch_prefer(ImapWatch *watch, const char *mailbox)
{
    Line *line = watch->line;

    if (g_strcmp0(mailbox, watch->preferred) == 0)
        return;
    g_free(watch->preferred);
    watch->preferred = g_strdup(mailbox);
    if (line == NULL)
        return;
    g_clear_pointer(&line->refused, g_free);
    if (line->telling && !line->all && line->n_pending == 1)
        next_step(line);
}

void
imap_watch_set_renewal(ImapWatch *watch, guint milliseconds)
{
    watch->renewal_ms = MAX(milliseconds, 1);
    if (watch->renewal != 0)
        start_renewal(watch);
}

void
imap_watch_set_again(ImapWatch *watch, guint milliseconds)
{
    watch->again_ms = milliseconds;
}

gboolean
imap_watch_is_telling(const ImapWatch *watch, const char **mailbox)
{
    const Line *line = watch->line;

    *mailbox = NULL;
    if (line == NULL || !line->telling)
        return FALSE;
    if (!line->all)
        *mailbox = line->selected;
    return TRUE;
}

const char *
imap_watch_refusal(const ImapWatch *watch)
{
    return watch->refusal;
}
