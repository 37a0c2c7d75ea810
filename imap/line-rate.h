/* How fast a line is, learnt from what comes in while much is coming. Shared by
 * the connections of an account: it is the same line. Arithmetic alone.
 *
 * A line is at least as fast as the fastest part of a download was: the
 * beginning of one is slowed by TCP. Of the line itself, only the time counts
 * that we had nothing to do but wait for it: what we do besides makes no line
 * slow. But who waits for what comes waits for us, too. */
#pragma once

#include <glib.h>

/* Zeroed: nothing is known. */
typedef struct ImapLineRate {
    guint64 fastest; /* octets a second that we waited */
    guint64 taken;   /* octets a second by the clock, the fastest */
    guint64 octets;  /* measured in all */
} ImapLineRate;

ImapLineRate *imap_line_rate_new(void);
ImapLineRate *imap_line_rate_ref(ImapLineRate *rate);
void imap_line_rate_unref(ImapLineRate *rate); /* accepts NULL */

/* One download on one connection. Zeroed: between two. */
typedef struct {
    gboolean begun;
    gint64 began; /* microseconds waited, when it began */
    gint64 last;  /* the same, when octets last came */
    gint64 clock; /* microseconds, monotonic, when it began */
    guint64 octets;
} ImapLineMeasure;

/* @octets came, the server being asked for more than that. @waited: the time
 * spent waiting for this line so far, microseconds. @now: monotonic. */
void imap_line_measure_received(ImapLineMeasure *measure, gsize octets,
                                gint64 waited, gint64 now, ImapLineRate *rate);
/* Nothing was awaited, or nothing read, for a while. */
void imap_line_measure_interrupt(ImapLineMeasure *measure);

/* Whether enough is known to say that the line is so slow that inflating costs
 * less time than it saves. */
gboolean imap_line_rate_is_slow(const ImapLineRate *rate);
