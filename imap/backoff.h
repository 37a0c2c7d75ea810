/* How long to wait before the next attempt at something that keeps failing: a
 * second at first, then twice as long each time, five minutes at the most; a
 * random part of it, so that many clients of a server that comes back do not
 * all come at once. Arithmetic alone; the waiting is the caller's. */
#pragma once

#include <glib.h>

#define IMAP_BACKOFF_FIRST_MS 1000u
#define IMAP_BACKOFF_MAX_MS (5u * 60 * 1000)

/* Zeroed: nothing has failed. */
typedef struct {
    guint base_ms; /* the last wait, less its random part; 0: none */
} ImapBackoff;

/* Milliseconds until the next attempt, after one more failure: between half of
 * what is due and all of it. @random: 0 to 1, as g_random_double gives it. */
guint imap_backoff_next(ImapBackoff *backoff, double random);

/* The server asks for @hint_ms (0: for nothing): the next wait, and those after
 * it, are no shorter, up to the bound. */
void imap_backoff_hint(ImapBackoff *backoff, guint hint_ms);

/* Trying again soon makes no sense: the next wait is the longest. */
void imap_backoff_exhaust(ImapBackoff *backoff);

/* It has worked. */
void imap_backoff_reset(ImapBackoff *backoff);
