/* Results of searches by their use. */
#include "fs/views/search/kept-results.h"

struct FsKeptResults {
    guint64 max_ranges;
    guint64 max_fresh;
    guint64 n_ranges; /* of all that is kept */
    GQueue used;      /* of FsKeptResult, the least recently used first */
};

FsKeptResults *
fs_kept_results_new(guint64 max_ranges, guint64 max_fresh)
{
    FsKeptResults *results = g_new0(FsKeptResults, 1);

    results->max_ranges = max_ranges;
    results->max_fresh = max_fresh;
    g_queue_init(&results->used);
    return results;
}

void
fs_kept_results_free(FsKeptResults *results)
{
    g_free(results);
}

static guint64
count_ranges(const GArray *found)
{
    guint64 n = 0;

    for (guint i = 0; i < found->len; i++)
        n += imap_uid_set_n_ranges(g_array_index(found, FsFound, i).uids);
    return n;
}

void
fs_kept_results_drop(FsKeptResults *results, FsKeptResult *result)
{
    if (result->found == NULL)
        return;
    g_queue_unlink(&results->used, &result->link);
    results->n_ranges -= result->n_ranges;
    g_array_unref(result->found);
    *result = (FsKeptResult){0};
}

/* Whether @oldest, of all that is kept, is to make room. */
static gboolean
is_due(const FsKeptResults *results, const FsKeptResult *oldest)
{
    gint64 age = g_get_monotonic_time() - oldest->used_at;

    return results->n_ranges > (age > FS_KEPT_RESULT_FRESH_US
                                    ? results->max_ranges
                                    : results->max_fresh);
}

void
fs_kept_results_put(FsKeptResults *results, FsKeptResult *result, GArray *found)
{
    fs_kept_results_drop(results, result);
    result->found = found;
    result->n_ranges = count_ranges(found);
    result->used_at = g_get_monotonic_time();
    result->link.data = result;
    results->n_ranges += result->n_ranges;
    g_queue_push_tail_link(&results->used, &result->link);
    while (results->used.length > 1 &&
           is_due(results, g_queue_peek_head(&results->used)))
        fs_kept_results_drop(results, g_queue_peek_head(&results->used));
}

void
fs_kept_results_use(FsKeptResults *results, FsKeptResult *result)
{
    if (result->found == NULL)
        return;
    result->used_at = g_get_monotonic_time();
    g_queue_unlink(&results->used, &result->link);
    g_queue_push_tail_link(&results->used, &result->link);
}
