/* How long to wait before something that failed is tried again although nobody
 * asks for it: twice as long each time, 1 second to 5 minutes, and never quite
 * the same, so that clients which lost a server together do not come back
 * together. */
#pragma once

#include <glib.h>

#define IMAP_BACKOFF_MIN_MS 1000u
#define IMAP_BACKOFF_MAX_MS (5u * 60 * 1000)

typedef struct {
    guint n_failures;
} ImapBackoff; /* zeroed: none */

/* Milliseconds to wait after one more failure: at least @hint_ms, what the
 * server asked for (0: nothing). */
guint imap_backoff_next(ImapBackoff *backoff, guint hint_ms);

void imap_backoff_reset(ImapBackoff *backoff);
