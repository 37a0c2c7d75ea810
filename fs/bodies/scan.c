/* Whether a program is reading the files of a directory one after another. */
#include "fs/bodies/scan.h"

#include <string.h>

/* Two openings begin a scan when they are so near to each other: there may be
 * some threads. */
#define BEGIN_DISTANCE 8
/* And in this time. */
#define BEGIN_US (5 * G_USEC_PER_SEC)
/* After a listing the first message's opening is the beginning of a scan; and
 * that of the last, if it comes at once. */
#define LISTED_US (10 * G_USEC_PER_SEC)
#define LISTED_NOW_US (1 * G_USEC_PER_SEC)

/* How far from the front an opening may be. */
#define JITTER 32

/* The first request is for so many, or for as many as requests grow by. */
#define WINDOW_FIRST 16
#define WINDOW_MAX 4096
#define REQUEST_MAX 1000
/* More is asked for when this part of what may be under way is not: a small
 * one, so that the server is never done before it is asked again. */
#define REFILL_SHARE 8
/* What need not be fetched is passed over so far ahead. */
#define PLANNED_MAX 2048

/* ---- whether there is a scan ---- */

void
fs_scan_watch_listed(FsScanWatch *watch, gint64 now)
{
    watch->listed_at = now;
}

/* Whether @to is one of the next messages after @from. */
static gboolean
follows(guint32 from, guint32 to, FsScanNextFunc next, gpointer user_data)
{
    for (guint i = 0; i < BEGIN_DISTANCE && from != 0 && from < to; i++) {
        from = next(from, user_data);
        if (from == to)
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_recent(const FsScanWatch *watch, guint index, gint64 now)
{
    return watch->recent[index].uid != 0 &&
           now - watch->recent[index].at < BEGIN_US;
}

static gboolean
was_listed(const FsScanWatch *watch, gint64 now, gint64 within_us)
{
    return watch->listed_at != 0 && now - watch->listed_at < within_us;
}

static void
remember(FsScanWatch *watch, guint32 uid, gint64 now)
{
    memmove(&watch->recent[1], &watch->recent[0],
            sizeof watch->recent - sizeof watch->recent[0]);
    watch->recent[0].uid = uid;
    watch->recent[0].at = now;
}

FsScanGuess
fs_scan_watch_opened(FsScanWatch *watch, guint32 uid, gint64 now,
                     gboolean by_lister, FsScanNextFunc next,
                     gpointer user_data)
{
    gboolean all_recent = TRUE;

    for (guint i = 0; i < G_N_ELEMENTS(watch->recent); i++) {
        if (!is_recent(watch, i, now)) {
            all_recent = FALSE;
            continue;
        }
        if (watch->recent[i].uid == uid)
            return FS_SCAN_NONE;
        if (follows(watch->recent[i].uid, uid, next, user_data))
            return FS_SCAN_UP;
        if (follows(uid, watch->recent[i].uid, next, user_data))
            return FS_SCAN_DOWN;
    }
    remember(watch, uid, now);
    if (was_listed(watch, now, LISTED_US) && next(0, user_data) == uid)
        return FS_SCAN_UP;
    if (by_lister && was_listed(watch, now, LISTED_NOW_US) &&
        next(uid, user_data) == 0)
        return FS_SCAN_DOWN;
    return all_recent ? FS_SCAN_ELSE : FS_SCAN_NONE;
}

/* ---- one scan ---- */

typedef struct {
    guint32 position;
    guint64 octets;
    gboolean requested;
} Planned;

struct FsScan {
    guint32 front;          /* opened last, of those in order */
    guint32 behind[JITTER]; /* passed by the front: a ring */
    guint n_behind;         /* ever */
    GArray *planned;        /* of Planned, ascending; from first_planned */
    guint first_planned;    /* those before it are passed */
    guint32 end;            /* planned up to here */
    guint outstanding;      /* requested, in planned */
    guint64 octets;         /* of these */
    guint window;           /* how many may be outstanding */
    guint growth;
    guint32 window_start;    /* where the last request begins */
    gboolean window_is_used; /* one of it was opened */
    gboolean in_window;      /* one is being put together */
};

FsScan *
fs_scan_new(guint32 position, guint growth)
{
    FsScan *scan = g_new0(FsScan, 1);

    scan->front = position;
    scan->end = position;
    scan->planned = g_array_new(FALSE, FALSE, sizeof(Planned));
    scan->window = MAX(WINDOW_FIRST, growth);
    scan->growth = growth;
    return scan;
}

void
fs_scan_free(FsScan *scan)
{
    if (scan == NULL)
        return;
    g_array_unref(scan->planned);
    g_free(scan);
}

static guint
n_planned(const FsScan *scan)
{
    return scan->planned->len - scan->first_planned;
}

static const Planned *
planned_at(const FsScan *scan, guint index)
{
    return &g_array_index(scan->planned, Planned, scan->first_planned + index);
}

static gboolean
was_passed(const FsScan *scan, guint32 position)
{
    for (guint i = 0; i < MIN(scan->n_behind, JITTER); i++)
        if (scan->behind[i] == position)
            return TRUE;
    return FALSE;
}

static void
drop_passed(FsScan *scan)
{
    /* Moved only once in a while. */
    if (scan->first_planned < PLANNED_MAX)
        return;
    g_array_remove_range(scan->planned, 0, scan->first_planned);
    scan->first_planned = 0;
}

static void
pass_one(FsScan *scan)
{
    const Planned *first = planned_at(scan, 0);

    if (first->requested) {
        scan->outstanding--;
        scan->octets -= first->octets;
    }
    scan->front = first->position;
    scan->behind[scan->n_behind++ % JITTER] = first->position;
    scan->first_planned++;
}

static void
move_front(FsScan *scan, guint32 position)
{
    while (n_planned(scan) > 0 && planned_at(scan, 0)->position <= position)
        pass_one(scan);
    drop_passed(scan);
    if (!scan->window_is_used && !scan->in_window &&
        scan->front >= scan->window_start) {
        scan->window_is_used = TRUE;
        scan->window = MIN(scan->window * scan->growth, WINDOW_MAX);
    }
}

gboolean
fs_scan_opened(FsScan *scan, guint32 position)
{
    guint near;

    if (position <= scan->front &&
        (scan->front - position <= JITTER || was_passed(scan, position)))
        return TRUE;
    near = MIN(n_planned(scan), JITTER);
    if (near == 0 || position < planned_at(scan, 0)->position ||
        position > planned_at(scan, near - 1)->position)
        return FALSE;
    move_front(scan, position);
    return TRUE;
}

gboolean
fs_scan_jump(FsScan *scan, guint32 position)
{
    if (position <= scan->front || position > scan->end)
        return FALSE;
    move_front(scan, position);
    return TRUE;
}

guint
fs_scan_room(const FsScan *scan, guint64 budget, guint64 *octets)
{
    /* Windows that still grow are whole ones. */
    guint full = scan->window < WINDOW_MAX
                     ? scan->window / 2
                     : WINDOW_MAX - WINDOW_MAX / REFILL_SHARE;

    *octets = 0;
    if (scan->outstanding > full ||
        scan->octets > budget - budget / REFILL_SHARE)
        return 0;
    *octets = budget - scan->octets;
    return MIN(scan->window - scan->outstanding, REQUEST_MAX);
}

guint32
fs_scan_planned(const FsScan *scan)
{
    return scan->end;
}

gboolean
fs_scan_wants_plan(const FsScan *scan)
{
    return n_planned(scan) < PLANNED_MAX + scan->outstanding;
}

static void
add(FsScan *scan, guint32 position, guint64 octets, gboolean requested)
{
    Planned planned = {position, octets, requested};

    g_array_append_val(scan->planned, planned);
    scan->end = position;
}

void
fs_scan_request(FsScan *scan, guint32 position, guint64 octets)
{
    if (!scan->in_window) {
        scan->in_window = TRUE;
        scan->window_start = position;
        scan->window_is_used = FALSE;
    }
    add(scan, position, octets, TRUE);
    scan->outstanding++;
    scan->octets += octets;
}

void
fs_scan_pass_over(FsScan *scan, guint32 position)
{
    add(scan, position, 0, FALSE);
}

void
fs_scan_end_window(FsScan *scan)
{
    scan->in_window = FALSE;
}

guint
fs_scan_outstanding(const FsScan *scan)
{
    return scan->outstanding;
}

guint64
fs_scan_octets(const FsScan *scan)
{
    return scan->octets;
}
