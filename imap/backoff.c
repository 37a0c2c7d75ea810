#include "imap/backoff.h"

/* From here on the bound is reached. */
#define MAX_DOUBLINGS 9

guint
imap_backoff_next(ImapBackoff *backoff, guint hint_ms)
{
    guint doublings = MIN(backoff->n_failures, MAX_DOUBLINGS);
    guint wait_ms = MIN(IMAP_BACKOFF_MIN_MS << doublings, IMAP_BACKOFF_MAX_MS);
    guint jitter_ms = (guint)g_random_int_range(0, (gint32)(wait_ms / 2) + 1);

    if (backoff->n_failures < MAX_DOUBLINGS)
        backoff->n_failures++;
    /* A hint is a least: only later is as good. */
    if (hint_ms >= wait_ms)
        return hint_ms <= G_MAXUINT - jitter_ms ? hint_ms + jitter_ms : hint_ms;
    return MAX(hint_ms, MIN(wait_ms + jitter_ms, IMAP_BACKOFF_MAX_MS));
}

void
imap_backoff_reset(ImapBackoff *backoff)
{
    backoff->n_failures = 0;
}
