/* Sets of UIDs: ranges that are sorted, apart and never adjacent, followed by
 * those that came out of order and wait to be merged.
 *
 * Servers list UIDs in ascending order, nearly always; some list them downwards
 * and a hostile one as it likes. Inserting each where it belongs would make a
 * million of those quadratic, so they gather at the end and are sorted in at
 * once, when somebody looks or when there are as many as there are sorted ones.
 * The functions that only look may therefore tidy up behind their const. */
#include "imap/uid-set.h"

#include <string.h>

typedef struct {
    guint32 first;
    guint32 last;
} Range;

struct ImapUidSet {
    GArray *ranges; /* of Range */
    guint n_sorted; /* those before it are in order, the others pending */
};

#define PENDING_MIN 1024u

ImapUidSet *
imap_uid_set_new(void)
{
    ImapUidSet *set = g_new0(ImapUidSet, 1);

    set->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    return set;
}

void
imap_uid_set_free(ImapUidSet *set)
{
    if (set == NULL)
        return;
    g_array_unref(set->ranges);
    g_free(set);
}

static Range *
range_at(const ImapUidSet *set, guint index)
{
    return &g_array_index(set->ranges, Range, index);
}

static int
compare_ranges(gconstpointer a, gconstpointer b)
{
    const Range *one = a;
    const Range *other = b;

    return (one->first > other->first) - (one->first < other->first);
}

/* Joins @range to @into if they overlap or touch; @into begins no later. */
static gboolean
join(Range *into, Range range)
{
    if (range.first > into->last && range.first - into->last > 1)
        return FALSE;
    into->last = MAX(into->last, range.last);
    return TRUE;
}

static void
tidy(ImapUidSet *set)
{
    guint kept = 0;

    if (set->n_sorted == set->ranges->len)
        return;

    g_array_sort(set->ranges, compare_ranges);
    for (guint i = 1; i < set->ranges->len; i++) {
        Range range = *range_at(set, i);

        if (!join(range_at(set, kept), range))
            *range_at(set, ++kept) = range;
    }
    g_array_set_size(set->ranges, kept + 1);
    set->n_sorted = kept + 1;
}

/* The first sorted range that ends at @uid or later. */
static guint
find(const ImapUidSet *set, guint32 uid)
{
    guint low = 0;
    guint high = set->n_sorted;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (range_at(set, middle)->last < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Whether adding @range to the tidy @set leaves it no more ranges. */
static gboolean
touches(const ImapUidSet *set, Range range)
{
    guint at = find(set, range.first - 1);

    return at < set->n_sorted && (range.last == G_MAXUINT32 ||
                                  range_at(set, at)->first <= range.last + 1);
}

static gboolean
add_range(ImapUidSet *set, Range range)
{
    guint n = set->ranges->len;

    if (n > 0) {
        Range *end = range_at(set, n - 1);

        if (range.first >= end->first && join(end, range))
            return TRUE;
        /* Dense UIDs that come downwards stay one pending range. */
        if (n > set->n_sorted && range.first < end->first &&
            range.last >= end->first - 1) {
            end->first = range.first;
            end->last = MAX(end->last, range.last);
            return TRUE;
        }
    }

    if (n - set->n_sorted > MAX(PENDING_MIN, set->n_sorted) ||
        n >= IMAP_UID_SET_MAX_RANGES)
        tidy(set);
    n = set->ranges->len;
    if (n >= IMAP_UID_SET_MAX_RANGES && !touches(set, range))
        return FALSE;

    if (n == set->n_sorted &&
        (n == 0 || range.first > range_at(set, n - 1)->last))
        set->n_sorted++;
    g_array_append_val(set->ranges, range);
    return TRUE;
}

gboolean
imap_uid_set_add(ImapUidSet *set, guint32 first, guint32 last)
{
    Range range = {MIN(first, last), MAX(first, last)};

    if (range.last == 0)
        return TRUE;
    range.first = MAX(range.first, 1);
    return add_range(set, range);
}

gboolean
imap_uid_set_contains(const ImapUidSet *set, guint32 uid)
{
    guint at;

    tidy((ImapUidSet *)set);
    at = find(set, uid);
    return at < set->n_sorted && range_at(set, at)->first <= uid;
}

guint64
imap_uid_set_count(const ImapUidSet *set)
{
    guint64 count = 0;

    tidy((ImapUidSet *)set);
    for (guint i = 0; i < set->n_sorted; i++) {
        const Range *range = range_at(set, i);

        count += (guint64)range->last - range->first + 1;
    }
    return count;
}

guint
imap_uid_set_n_ranges(const ImapUidSet *set)
{
    tidy((ImapUidSet *)set);
    return set->n_sorted;
}

void
imap_uid_set_range(const ImapUidSet *set, guint index, guint32 *first,
                   guint32 *last)
{
    tidy((ImapUidSet *)set);
    g_return_if_fail(index < set->n_sorted);
    *first = range_at(set, index)->first;
    *last = range_at(set, index)->last;
}

ImapUidSet *
imap_uid_set_intersection(const ImapUidSet *one, const ImapUidSet *other)
{
    ImapUidSet *both = imap_uid_set_new();
    guint at = 0;

    tidy((ImapUidSet *)one);
    tidy((ImapUidSet *)other);
    for (guint i = 0; i < one->n_sorted; i++) {
        const Range *range = range_at(one, i);

        while (at < other->n_sorted && range_at(other, at)->last < range->first)
            at++;
        /* The last that reaches into @range may reach into the next, too. */
        for (;
             at < other->n_sorted && range_at(other, at)->first <= range->last;
             at++) {
            imap_uid_set_add(both,
                             MAX(range->first, range_at(other, at)->first),
                             MIN(range->last, range_at(other, at)->last));
            if (range_at(other, at)->last > range->last)
                break;
        }
    }
    return both;
}

/* How many octets @range takes on the wire. */
static gsize
range_length(Range range)
{
    char text[sizeof "4294967295:4294967295"];
    int length =
        range.first == range.last
            ? g_snprintf(text, sizeof text, "%u", range.first)
            : g_snprintf(text, sizeof text, "%u:%u", range.first, range.last);

    return (gsize)length;
}

ImapUidSet *
imap_uid_set_take(ImapUidSet *set, guint max_uids, gsize max_length)
{
    ImapUidSet *taken = imap_uid_set_new();
    gsize length = 0;
    guint n_gone = 0;

    tidy(set);
    max_uids = MAX(max_uids, 1);
    for (guint i = 0; i < set->n_sorted && max_uids > 0; i++) {
        Range *range = range_at(set, i);
        Range part = *range;

        if (part.last - part.first >= max_uids)
            part.last = part.first + max_uids - 1;
        length += range_length(part) + (i > 0);
        if (i > 0 && length > max_length)
            break;
        imap_uid_set_add(taken, part.first, part.last);
        max_uids -= part.last - part.first + 1;
        if (part.last < range->last)
            range->first = part.last + 1;
        else
            n_gone++;
    }
    if (n_gone > 0)
        g_array_remove_range(set->ranges, 0, n_gone);
    set->n_sorted = set->ranges->len;
    return taken;
}

static void
skip_spaces(const char **at, const char *end)
{
    while (*at < end && **at == ' ')
        (*at)++;
}

static gboolean
read_uid(const char **at, const char *end, guint32 *uid)
{
    guint64 number = 0;
    const char *start = *at;

    while (*at < end && g_ascii_isdigit(**at)) {
        number = number * 10 + (guint64)(**at - '0');
        if (number > G_MAXUINT32)
            return FALSE;
        (*at)++;
    }
    *uid = (guint32)number;
    return *at > start;
}

ImapUidSet *
imap_uid_set_parse(const char *text, gsize length)
{
    g_autoptr(ImapUidSet) set = imap_uid_set_new();
    const char *at = text;
    const char *end = text + length;

    for (;;) {
        guint32 first;
        guint32 last;

        skip_spaces(&at, end);
        if (!read_uid(&at, end, &first))
            return NULL;
        last = first;
        if (at < end && *at == ':') {
            at++;
            if (!read_uid(&at, end, &last))
                return NULL;
        }
        if (!imap_uid_set_add(set, first, last))
            return NULL;
        skip_spaces(&at, end);
        if (at == end)
            break;
        if (*at++ != ',')
            return NULL;
    }
    return g_steal_pointer(&set);
}

char *
imap_uid_set_to_string(const ImapUidSet *set)
{
    GString *text = g_string_new(NULL);

    tidy((ImapUidSet *)set);
    for (guint i = 0; i < set->n_sorted; i++) {
        const Range *range = range_at(set, i);

        if (i > 0)
            g_string_append_c(text, ',');
        g_string_append_printf(text, "%u", range->first);
        if (range->last > range->first)
            g_string_append_printf(text, ":%u", range->last);
    }
    return g_string_free(text, FALSE);
}
