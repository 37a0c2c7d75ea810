/* While the line is down.
 *
 * What is known is served at once. That the line is down is certain only after
 * the timeout; but who waits for the newest of something that is known anyway
 * is not made to wait for that: after a few seconds of silence the line counts
 * as away until something comes.
 *
 * Nothing waits for much longer than the timeout without an octet having moved.
 * Every step of an operation has its own deadline, which is as long; but one
 * that is cut short of it is tried again, and so deadlines may add up. Hence
 * the last word is here.
 *
 * A login that is refused may be one with an old password, or with a token that
 * has expired. So the command that gave it is run again, once, and the next
 * attempt after that is a quarter of an hour later: many servers lock accounts
 * after some refusals.
 *
 * When the line is there again, whatever was known may have changed unnoticed:
 * all of it is stale, and what is in use is asked for at once. */
#include "fs/live/line.h"

#include "fs/changes/changes.h"
#include "fs/kernel/operation.h"
#include "fs/live/line-watch.h"
#include "fs/options/credentials-again.h"
#include "fs/service/mount-report.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/writing.h"
#include "imap/backoff.h"

#include <errno.h>

/* A silence that looks like a dead line, and half of the timeout at most. */
#define SILENCE_MS 5000u
/* How long a connection that is suspect may take to answer. */
#define PROBE_MS 5000u
/* A connection that was idle for so many timeouts is asked for a sign. */
#define IDLE_TIMEOUTS 4u
/* Beyond the timeout: whatever knows better why it waits has said so then. */
#define GRACE_MS 1000u
/* What was used within this time is to be live again soon after the line is: so
 * attempts follow one another so quickly at least. */
#define RECENT_US (2 * G_TIME_SPAN_MINUTE)
#define RECENT_PATIENCE_MS 2000u
/* A line that held so long after what is in use was asked for is a good one. */
#define LASTED_US (30 * G_TIME_SPAN_SECOND)
/* From a refused login to the next attempt. */
#define REFUSED_MS (15u * 60 * 1000)

struct FsLine {
    FsAccount *account;
    FsKernelCache *kernel_cache;
    FsLineWatch *watch;
    FsCredentialsAgain *credentials;
    guint timeout_ms;
    gboolean suspect; /* silence was noticed; it may be over */
    gboolean away;    /* it was said that the server cannot be reached */
    gboolean asked;   /* for other credentials, since the last login */
    guint refused_timer;
    ImapBackoff checks; /* of what is in use, since a line that lasted */
    gint64 checked_at;  /* microseconds, monotonic: the last one; 0: none */
    guint check_timer;  /* the next; 0: none */
};

static guint
silence_ms(const FsLine *line)
{
    return MIN(SILENCE_MS, line->timeout_ms / 2);
}

gboolean
fs_line_is_away(const FsLine *line)
{
    ImapPoolState state;

    if (line == NULL)
        return FALSE;
    state = imap_pool_state(line->account->pool);
    if (state == IMAP_POOL_OFFLINE || state == IMAP_POOL_REFUSED)
        return TRUE;
    return line->suspect &&
           imap_pool_is_silent(line->account->pool, silence_ms(line));
}

/* ---- changes ---- */

/* ---- what is in use, when the line is there again ---- */

static guint
patience(gpointer user_data)
{
    const FsLine *line = user_data;
    gint64 last_use = fs_kernel_cache_last_use(line->kernel_cache);

    if (last_use == 0)
        return fs_changes_count(line->account->changes) > 0 ? G_MAXUINT : 0;
    if (g_get_monotonic_time() - last_use < RECENT_US)
        return RECENT_PATIENCE_MS;
    return G_MAXUINT;
}

static gboolean
on_check(gpointer user_data)
{
    FsLine *line = user_data;

    line->check_timer = 0;
    line->checked_at = g_get_monotonic_time();
    fs_kernel_cache_check_now(line->kernel_cache);
    return G_SOURCE_REMOVE;
}

/* At once; but if the line is lost by that again and again, more and more
 * rarely. */
static void
schedule_check(FsLine *line)
{
    guint patience_ms = patience(line);
    guint wait_ms;

    if (line->check_timer != 0 || patience_ms == 0)
        return;
    if (line->checked_at == 0 ||
        g_get_monotonic_time() - line->checked_at > LASTED_US) {
        imap_backoff_reset(&line->checks);
        on_check(line);
        return;
    }
    wait_ms = imap_backoff_next(&line->checks, 0);
    line->check_timer =
        g_timeout_add(MIN(wait_ms, patience_ms), on_check, line);
}

static void
note_online(FsLine *line)
{
    FsAccount *account = line->account;

    if (line->away)
        g_message("%s can be reached again", account->options->settings->host);
    line->away = line->asked = line->suspect = FALSE;
    g_clear_handle_id(&line->refused_timer, g_source_remove);
    fs_lister_mark_old(account->lister);
    fs_synchroniser_mark_all_old(account->synchroniser);
    fs_changes_line_is_back(account->changes);
    if (account->writing != NULL)
        fs_uploads_retry(fs_writing_uploads(account->writing));
    schedule_check(line);
}

static void
note_offline(FsLine *line, const GError *error)
{
    if (!line->away)
        g_message("%s; what was read before is shown as it was, and the "
                  "connection is made again as soon as that is possible",
                  error->message);
    line->away = TRUE;
    fs_operation_run_all_again();
}

static gboolean
on_refused_timer(gpointer user_data)
{
    FsLine *line = user_data;

    line->refused_timer = 0;
    fs_line_try_again(line);
    return G_SOURCE_REMOVE;
}

static void
note_refused(FsLine *line, const GError *error)
{
    g_message("%s; what was read before is shown as it was; the next attempt "
              "to log in is in %u minutes, or at the next mount",
              error->message, REFUSED_MS / 60 / 1000);
    line->away = TRUE;
    g_clear_handle_id(&line->refused_timer, g_source_remove);
    line->refused_timer = g_timeout_add(REFUSED_MS, on_refused_timer, line);
    fs_operation_run_all_again();
}

static void
on_changed(ImapPoolState state, gpointer user_data)
{
    FsLine *line = user_data;
    const GError *error = imap_pool_error(line->account->pool);

    if (state == IMAP_POOL_ONLINE)
        note_online(line);
    else if (state == IMAP_POOL_OFFLINE)
        note_offline(line, error);
    else if (state == IMAP_POOL_REFUSED)
        note_refused(line, error);
    fs_mount_report_line(line->account);
}

/* ---- credentials ---- */

static void
on_credentials(const GError *error, gboolean same, gpointer user_data)
{
    FsLine *line = user_data;
    ImapPool *pool = line->account->pool;
    const GError *refusal = imap_pool_error(pool);
    g_autoptr(GError) reason = NULL;

    if (error == NULL && !same) {
        imap_pool_retry(pool);
        return;
    }
    /* Another attempt has succeeded meanwhile. */
    if (refusal == NULL)
        return;
    reason = g_error_copy(refusal);
    g_prefix_error(&reason, "%s; ",
                   error != NULL ? error->message
                                 : "the password or token is still the same");
    imap_pool_give_up(pool, reason);
}

static gboolean
on_refused(const GError *error, gpointer user_data)
{
    FsLine *line = user_data;

    if (line->asked || !fs_credentials_again_is_possible(line->credentials))
        return FALSE;
    line->asked = TRUE;
    g_message("%s; trying once more with what is obtained anew",
              error->message);
    fs_credentials_again_start(line->credentials, on_credentials, line);
    fs_operation_run_all_again();
    return TRUE;
}

/* The pause is over: what was refused then is tried once more, whether or not
 * there is anything else to try. */
static void
on_later_credentials(const GError *error, gboolean same, gpointer user_data)
{
    FsLine *line = user_data;

    imap_pool_retry(line->account->pool);
}

void
fs_line_try_again(FsLine *line)
{
    ImapPool *pool = line->account->pool;

    if (imap_pool_state(pool) != IMAP_POOL_REFUSED ||
        !fs_credentials_again_is_possible(line->credentials)) {
        imap_pool_retry(pool);
        return;
    }
    line->asked = TRUE;
    fs_credentials_again_start(line->credentials, on_later_credentials, line);
}

static const ImapLineHandler handler = {
    .changed = on_changed,
    .refused = on_refused,
    .patience = patience,
};

/* ---- suspicion ---- */

static void
on_suspect(const char *reason, gpointer user_data)
{
    FsLine *line = user_data;

    g_debug("%s: the connections are probed", reason);
    imap_pool_probe(line->account->pool, MIN(PROBE_MS, line->timeout_ms));
}

/* A few times a second while operations wait. */
static void
on_waiting(gpointer user_data)
{
    FsLine *line = user_data;
    ImapPool *pool = line->account->pool;
    gint64 patience_us =
        (line->timeout_ms + GRACE_MS) * (gint64)G_TIME_SPAN_MILLISECOND;
    gint64 limit = g_get_monotonic_time() - patience_us;

    if (!imap_pool_is_silent(pool, silence_ms(line))) {
        line->suspect = FALSE;
    } else if (!line->suspect) {
        line->suspect = TRUE;
        fs_operation_run_all_again();
    }
    if (imap_pool_last_progress(pool) < limit)
        fs_operation_fail_older(limit, ETIMEDOUT);
}

/* ---- making and ending ---- */

FsLine *
fs_line_new(FsAccount *account, FsKernelCache *kernel_cache)
{
    FsLine *line = g_new0(FsLine, 1);

    line->account = account;
    line->kernel_cache = kernel_cache;
    line->timeout_ms = account->options->settings->timeout_ms;
    line->credentials = fs_credentials_again_new(account->options);
    line->watch = fs_line_watch_new(on_suspect, line);
    line->away = imap_pool_state(account->pool) == IMAP_POOL_OFFLINE;
    account->line = line;
    imap_pool_set_line_handler(account->pool, &handler, line);
    imap_pool_set_idle_probe(account->pool, IDLE_TIMEOUTS * line->timeout_ms,
                             line->timeout_ms);
    fs_operation_set_watch(on_waiting, line);
    return line;
}

void
fs_line_free(FsLine *line)
{
    if (line == NULL)
        return;
    fs_operation_set_watch(NULL, NULL);
    imap_pool_set_line_handler(line->account->pool, NULL, NULL);
    line->account->line = NULL;
    g_clear_handle_id(&line->refused_timer, g_source_remove);
    g_clear_handle_id(&line->check_timer, g_source_remove);
    fs_line_watch_free(line->watch);
    fs_credentials_again_free(line->credentials);
    g_free(line);
}
