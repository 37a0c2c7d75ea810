/* Bounds silence. The timer is not moved at each progress: when it runs out, it
 * is set for what is left. */
#include "imap/watchdog.h"

/* A response that is longer counts as progress each time that so much of it has
 * come: one of many megabytes takes its time on a slow line. */
#define PROGRESS_OCTETS (16 * 1024)

/* A process that was not let run for a while finds its time over, and octets
 * that have come meanwhile: it reads them first. */
#define SECOND_LOOK_MS 20

void
imap_watchdog_init(ImapWatchdog *watchdog, guint limit_ms,
                   gboolean (*is_awaiting)(gpointer user_data),
                   void (*silent)(gpointer user_data), gpointer user_data)
{
    *watchdog = (ImapWatchdog){
        .limit_ms = limit_ms,
        .is_awaiting = is_awaiting,
        .silent = silent,
        .user_data = user_data,
    };
}

void
imap_watchdog_stop(ImapWatchdog *watchdog)
{
    g_clear_handle_id(&watchdog->source, g_source_remove);
}

gint64
imap_watchdog_silence(const ImapWatchdog *watchdog)
{
    return g_get_monotonic_time() -
           MAX(watchdog->last_progress, watchdog->wait_began);
}

static gboolean on_time(gpointer user_data);

/* Microseconds that are left; and sets the timer for them. */
static gint64
wait_on(ImapWatchdog *watchdog)
{
    gint64 left_us =
        watchdog->limit_ms * (gint64)1000 - imap_watchdog_silence(watchdog);

    if (left_us > 0)
        watchdog->source =
            g_timeout_add((guint)(left_us / 1000) + 1, on_time, watchdog);
    return left_us;
}

/* What had come by then has been read by now. */
static gboolean
on_second_look(gpointer user_data)
{
    ImapWatchdog *watchdog = user_data;

    watchdog->source = 0;
    if (watchdog->is_awaiting(watchdog->user_data) && wait_on(watchdog) <= 0)
        watchdog->silent(watchdog->user_data);
    return G_SOURCE_REMOVE;
}

static gboolean
on_time(gpointer user_data)
{
    ImapWatchdog *watchdog = user_data;

    watchdog->source = 0;
    if (watchdog->is_awaiting(watchdog->user_data) && wait_on(watchdog) <= 0)
        watchdog->source =
            g_timeout_add(SECOND_LOOK_MS, on_second_look, watchdog);
    return G_SOURCE_REMOVE;
}

void
imap_watchdog_watch(ImapWatchdog *watchdog)
{
    if (watchdog->source != 0 || !watchdog->is_awaiting(watchdog->user_data))
        return;
    imap_watchdog_begin_wait(watchdog);
    watchdog->source = g_timeout_add(watchdog->limit_ms, on_time, watchdog);
}

void
imap_watchdog_begin_wait(ImapWatchdog *watchdog)
{
    watchdog->wait_began = g_get_monotonic_time();
}

void
imap_watchdog_note_progress(ImapWatchdog *watchdog)
{
    watchdog->last_progress = g_get_monotonic_time();
    watchdog->inside_octets = 0;
    watchdog->percent = 0;
}

void
imap_watchdog_note_percent(ImapWatchdog *watchdog, guint percent)
{
    if (percent <= watchdog->percent || percent > 100)
        return;
    watchdog->percent = percent;
    watchdog->last_progress = g_get_monotonic_time();
}

void
imap_watchdog_note_part(ImapWatchdog *watchdog, gsize length)
{
    watchdog->inside_octets += length;
    if (watchdog->inside_octets >= PROGRESS_OCTETS)
        imap_watchdog_note_progress(watchdog);
}

void
imap_watchdog_end_part(ImapWatchdog *watchdog)
{
    watchdog->inside_octets = 0;
}
