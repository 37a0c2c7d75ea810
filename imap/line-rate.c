/* How fast a line is. */
#include "imap/line-rate.h"

/* What a single measure spans: longer than what a kernel's buffers give at
 * once, and than a moment of another process on our core. */
#define MEASURE_OCTETS (256u * 1024)
/* So much must have come before a line is called slow. */
#define CERTAIN_OCTETS (1024u * 1024)
/* A pause is the server's, or a round trip, and says nothing of the line. */
#define PAUSE_US 300000
/* Mail shrinks to about a half, at some 40 MB of CPU time a second on both
 * sides: below this rate, 150 Mbit/s, the line gains. */
#define SLOW_OCTETS_PER_SECOND (150u * 1000 * 1000 / 8)

ImapLineRate *
imap_line_rate_new(void)
{
    return g_rc_box_new0(ImapLineRate);
}

ImapLineRate *
imap_line_rate_ref(ImapLineRate *rate)
{
    return g_rc_box_acquire(rate);
}

void
imap_line_rate_unref(ImapLineRate *rate)
{
    if (rate != NULL)
        g_rc_box_release(rate);
}

void
imap_line_measure_interrupt(ImapLineMeasure *measure)
{
    measure->begun = FALSE;
}

static void
begin(ImapLineMeasure *measure, gint64 waited, gint64 now)
{
    *measure = (ImapLineMeasure){TRUE, waited, waited, now, 0};
}

static guint64
per_second(guint64 octets, gint64 time_us)
{
    return octets * G_USEC_PER_SEC / MAX(time_us, 1);
}

void
imap_line_measure_received(ImapLineMeasure *measure, gsize octets,
                           gint64 waited, gint64 now, ImapLineRate *rate)
{
    /* The time before these octets came is not the line's alone. */
    if (!measure->begun || waited - measure->last > PAUSE_US) {
        begin(measure, waited, now);
        return;
    }
    measure->last = waited;
    measure->octets += octets;
    rate->octets += octets;
    if (measure->octets < MEASURE_OCTETS)
        return;
    rate->fastest = MAX(rate->fastest,
                        per_second(measure->octets, waited - measure->began));
    rate->taken =
        MAX(rate->taken, per_second(measure->octets, now - measure->clock));
    begin(measure, waited, now);
}

gboolean
imap_line_rate_is_slow(const ImapLineRate *rate)
{
    return rate->octets >= CERTAIN_OCTETS && rate->fastest > 0 &&
           rate->fastest < SLOW_OCTETS_PER_SECOND;
}
