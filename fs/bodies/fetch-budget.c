/* How much to fetch ahead of a scan. */
#include "fs/bodies/fetch-budget.h"

/* On a short line what memory holds, so that nothing is read back from the
 * disk; on a long one what is on its way for two round trips, at 200 octets a
 * microsecond. */
#define NEAR_OCTETS (6u * 1024 * 1024)
#define MAX_OCTETS (24u * 1024 * 1024)
#define OCTETS_PER_US (2 * 200)

/* Of the only connection: who wants a single thing may have to wait for a round
 * trip more than its own, and a moment. So it is what the line brings in half
 * that time, for the fastest that was seen is more than the usual. */
#define SHARED_UNKNOWN (1u * 1024 * 1024)
#define SHARED_MIN (256u * 1024)
#define MOMENT_US (50 * 1000)

/* Requests grow fourfold; but where the line carries more in a round trip than
 * has been asked for by then, it would be idle: so there they grow faster, by
 * one for so many octets. */
#define GROWTH 4
#define GROWTH_MAX 64
#define GROWTH_OCTETS (128u * 1024)

static guint64
carried(guint64 per_second, gint64 time_us)
{
    return (guint64)((double)per_second * (double)time_us / G_USEC_PER_SEC);
}

guint64
fs_fetch_budget_shared(const ImapPoolLine *line)
{
    if (line->octets_per_second == 0)
        return SHARED_UNKNOWN;
    return CLAMP(
        carried(line->octets_per_second, (line->round_trip_us + MOMENT_US) / 2),
        SHARED_MIN, MAX_OCTETS);
}

guint64
fs_fetch_budget(const ImapPoolLine *line)
{
    guint64 under_way = (guint64)line->round_trip_us * OCTETS_PER_US;

    return line->n_open > 1 ? MIN(NEAR_OCTETS + under_way, MAX_OCTETS)
                            : fs_fetch_budget_shared(line);
}

guint
fs_fetch_growth(const ImapPoolLine *line)
{
    return (guint)CLAMP(carried(line->line_per_second, line->round_trip_us) /
                            GROWTH_OCTETS,
                        GROWTH, GROWTH_MAX);
}
