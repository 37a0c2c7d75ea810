/* What a server allows us: how many connections at a time, as far as its
 * refusals have told, and whether anything at all for now.
 *
 * Times are microseconds of g_get_monotonic_time. */
#pragma once

#include <glib.h>

/* After a refusal, how long no more connections are tried: twice as long each
 * time, up to a bound. */
#define IMAP_ALLOWANCE_PAUSE_US (60 * G_TIME_SPAN_SECOND)
#define IMAP_ALLOWANCE_PAUSE_MAX_US (30 * G_TIME_SPAN_MINUTE)

typedef struct {
    guint max;   /* as configured */
    guint limit; /* as the server lets us, 1 to max */
    gint64 grow_at;
    gint64 pause;         /* the next */
    gboolean is_trying;   /* the limit is one more than has ever worked */
    gint64 silence_until; /* it wants to be left alone until then */
} ImapAllowance;

/* @max ≥ 1. */
void imap_allowance_init(ImapAllowance *allowance, guint max);

/* A connection was refused while @n_others exist. */
void imap_allowance_refused(ImapAllowance *allowance, guint n_others,
                            gint64 now);
/* A connection, which makes @n, is ready. */
void imap_allowance_opened(ImapAllowance *allowance, guint n, gint64 now);
/* Lets the limit grow if it is time. */
void imap_allowance_update(ImapAllowance *allowance, gint64 now);
