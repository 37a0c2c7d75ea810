/* When to ask the server again for something that we keep a copy of. All of it
 * is arithmetic on a few times; the asking is the caller's. */
#include "fs/sync/refresh.h"

#include "imap/error.h"

/* How long a failure stands for what would happen if it were tried again. */
#define FAILURE_US (1 * G_USEC_PER_SEC)
/* How long a copy is served as it is after it could not be refreshed. */
#define PUT_OFF_US (5 * G_USEC_PER_SEC)
/* So that it can be computed with. */
#define LONG_AGO (G_MININT64 / 2)

static gboolean
is_put_off(const FsRefresh *refresh, gint64 line_at)
{
    return line_at <= refresh->tried_at &&
           g_get_monotonic_time() < refresh->put_off;
}

static gboolean
is_good_enough(const FsRefresh *refresh, gint64 since, guint poll_seconds,
               gint64 line_at)
{
    gint64 oldest =
        g_get_monotonic_time() - (gint64)poll_seconds * G_USEC_PER_SEC;

    if (!refresh->known)
        return FALSE;
    return refresh->tried_at >= since ||
           (since != FS_NOW &&
            (refresh->known_at >= oldest || is_put_off(refresh, line_at)));
}

/* Whether the failure that @refresh remembers stands for a new attempt. */
static gboolean
has_just_failed(const FsRefresh *refresh, gint64 since, gint64 line_at)
{
    if (line_at > refresh->tried_at &&
        imap_error_is_of_the_line(fs_need_error(refresh->need)))
        return FALSE;
    return fs_need_is_complete(refresh->need) && since != FS_NOW &&
           g_get_monotonic_time() - refresh->tried_at < FAILURE_US;
}

FsNeed *
fs_refresh_ask(FsRefresh *refresh, gint64 since, guint poll_seconds,
               gint64 line_at, gboolean *start)
{
    *start = FALSE;
    if (is_good_enough(refresh, since, poll_seconds, line_at))
        return NULL;
    if (refresh->need != NULL && fs_need_is_complete(refresh->need) &&
        !has_just_failed(refresh, since, line_at))
        g_clear_pointer(&refresh->need, fs_need_unref);
    if (refresh->need == NULL) {
        refresh->need = fs_need_new();
        refresh->asked_at = g_get_monotonic_time();
        *start = TRUE;
    }
    return refresh->need;
}

void
fs_refresh_end(FsRefresh *refresh, const GError *error)
{
    g_autoptr(FsNeed) need = g_steal_pointer(&refresh->need);
    gboolean is_news = fs_refresh_is_news(refresh);

    refresh->failing = error != NULL;
    refresh->tried_at = g_get_monotonic_time();
    if (error == NULL) {
        refresh->known = TRUE;
        refresh->known_at = refresh->asked_at;
    } else if (refresh->known && imap_error_is_of_the_line(error)) {
        if (is_news)
            g_message("showing what was known before: %s", error->message);
        refresh->known_at = LONG_AGO;
        refresh->put_off = refresh->tried_at + PUT_OFF_US;
        error = NULL;
    } else {
        refresh->need = fs_need_ref(need);
    }
    fs_need_complete(need, error);
}

gboolean
fs_refresh_confirm(FsRefresh *refresh, gint64 asked_at)
{
    if (!refresh->known || fs_refresh_is_under_way(refresh) ||
        asked_at <= refresh->stale_at)
        return FALSE;
    refresh->failing = FALSE;
    refresh->known_at = MAX(refresh->known_at, asked_at);
    refresh->tried_at = MAX(refresh->tried_at, asked_at);
    return TRUE;
}

gboolean
fs_refresh_is_under_way(const FsRefresh *refresh)
{
    return refresh->need != NULL && !fs_need_is_complete(refresh->need);
}

gboolean
fs_refresh_covers(const FsRefresh *refresh, gint64 when)
{
    return refresh->asked_at > when &&
           (fs_refresh_is_under_way(refresh) || refresh->known_at > when);
}

void
fs_refresh_mark_stale(FsRefresh *refresh)
{
    /* Also when an answer is on its way: it may have been given before. */
    refresh->stale_at = g_get_monotonic_time();
    refresh->asked_at = LONG_AGO;
    refresh->known_at = refresh->tried_at = LONG_AGO;
    refresh->put_off = 0;
}

void
fs_refresh_mark_old(FsRefresh *refresh)
{
    if (fs_refresh_is_under_way(refresh))
        return;
    refresh->stale_at = g_get_monotonic_time();
    refresh->known_at = LONG_AGO;
    refresh->put_off = 0;
}

void
fs_refresh_clear(FsRefresh *refresh)
{
    g_clear_pointer(&refresh->need, fs_need_unref);
}

gboolean
fs_refresh_is_news(const FsRefresh *refresh)
{
    return !refresh->known || !refresh->failing;
}
