/* Which octets have been written: ranges, ascending, none touching another.
 *
 * Nearly every file is written from its beginning to its end, and is one range.
 * One that is written in very many pieces out of order counts as unfinished
 * until it is closed, and for good. */
#include "fs/writing/written-ranges.h"

#define MAX_RANGES 100000u

typedef struct {
    guint64 start;
    guint64 end;
} Range;

struct FsWrittenRanges {
    GArray *ranges; /* of Range */
    gboolean too_many;
};

FsWrittenRanges *
fs_written_ranges_new(void)
{
    FsWrittenRanges *ranges = g_new0(FsWrittenRanges, 1);

    ranges->ranges = g_array_new(FALSE, FALSE, sizeof(Range));
    return ranges;
}

void
fs_written_ranges_free(FsWrittenRanges *ranges)
{
    if (ranges == NULL)
        return;
    g_array_unref(ranges->ranges);
    g_free(ranges);
}

/* The first range that ends at @offset or later. */
static guint
find(const GArray *ranges, guint64 offset)
{
    guint low = 0;
    guint high = ranges->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (g_array_index(ranges, Range, middle).end < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void
fs_written_ranges_add(FsWrittenRanges *ranges, guint64 offset, guint64 length)
{
    guint first = find(ranges->ranges, offset);
    Range added = {offset, offset + length};
    guint end = first;

    if (length == 0)
        return;
    for (; end < ranges->ranges->len; end++) {
        const Range *range = &g_array_index(ranges->ranges, Range, end);

        if (range->start > added.end)
            break;
        added.start = MIN(added.start, range->start);
        added.end = MAX(added.end, range->end);
    }
    if (end > first) {
        g_array_remove_range(ranges->ranges, first + 1, end - first - 1);
        g_array_index(ranges->ranges, Range, first) = added;
    } else if (ranges->ranges->len < MAX_RANGES) {
        g_array_insert_val(ranges->ranges, first, added);
    } else {
        ranges->too_many = TRUE;
    }
}

void
fs_written_ranges_cut(FsWrittenRanges *ranges, guint64 size)
{
    GArray *all = ranges->ranges;

    while (all->len > 0 && g_array_index(all, Range, all->len - 1).end > size) {
        Range *last = &g_array_index(all, Range, all->len - 1);

        if (last->start < size) {
            last->end = size;
            return;
        }
        g_array_set_size(all, all->len - 1);
    }
    if (size == 0)
        ranges->too_many = FALSE;
}

gboolean
fs_written_ranges_is_whole(const FsWrittenRanges *ranges, guint64 size)
{
    const Range *first;

    if (size == 0)
        return TRUE;
    if (ranges->too_many || ranges->ranges->len == 0)
        return FALSE;
    first = &g_array_index(ranges->ranges, Range, 0);
    return first->start == 0 && first->end >= size;
}
