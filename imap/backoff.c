/* Waits that double. The number that is kept is the last wait less its random
 * part, so that chance does not add up. */
#include "imap/backoff.h"

guint
imap_backoff_next(ImapBackoff *backoff, double random)
{
    guint half;

    if (backoff->base_ms == 0)
        backoff->base_ms = IMAP_BACKOFF_FIRST_MS;
    else
        backoff->base_ms = MIN(2 * backoff->base_ms, IMAP_BACKOFF_MAX_MS);
    half = backoff->base_ms / 2;
    return half + (guint)(CLAMP(random, 0, 1) * (backoff->base_ms - half));
}

/* A wait is at least half of what is due. */
void
imap_backoff_hint(ImapBackoff *backoff, guint hint_ms)
{
    backoff->base_ms = MAX(backoff->base_ms, MIN(hint_ms, IMAP_BACKOFF_MAX_MS));
}

void
imap_backoff_exhaust(ImapBackoff *backoff)
{
    backoff->base_ms = IMAP_BACKOFF_MAX_MS;
}

void
imap_backoff_reset(ImapBackoff *backoff)
{
    *backoff = (ImapBackoff){0};
}
