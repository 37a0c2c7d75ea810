/* How fast a line is, learnt from what comes in while much is coming. Shared by
 * the connections of an account: it is the same line. Arithmetic alone.
 *
 * A line is at least as fast as the fastest part of a download was: the
 * beginning of one is slowed by TCP, others by what we have to do besides. */
#pragma once

#include <glib.h>

/* Zeroed: nothing is known. */
typedef struct ImapLineRate {
    guint64 fastest; /* octets a second */
    guint64 octets;  /* measured in all */
} ImapLineRate;

ImapLineRate *imap_line_rate_new(void);
ImapLineRate *imap_line_rate_ref(ImapLineRate *rate);
void imap_line_rate_unref(ImapLineRate *rate); /* accepts NULL */

/* One download on one connection. Zeroed: between two. */
typedef struct {
    gint64 began; /* microseconds, monotonic; 0: not begun */
    gint64 last;  /* when octets last came */
    guint64 octets;
} ImapLineMeasure;

/* @octets came at @now (microseconds, monotonic), the server being asked for
 * more than that. */
void imap_line_measure_received(ImapLineMeasure *measure, gsize octets,
                                gint64 now, ImapLineRate *rate);
/* Nothing was awaited, or nothing read, for a while. */
void imap_line_measure_interrupt(ImapLineMeasure *measure);

/* Whether enough is known to say that the line is so slow that inflating costs
 * less time than it saves. */
gboolean imap_line_rate_is_slow(const ImapLineRate *rate);
