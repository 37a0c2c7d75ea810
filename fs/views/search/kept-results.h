/* What searches have found, kept within a bound.
 *
 * A result is as large as the gaps between the messages that were found: in a
 * mailbox of a million, four million octets at worst. There may be hundreds of
 * searches; so what was used least recently is dropped, and searched for again
 * when somebody asks. Two large ones that are listed by turns are both kept:
 * else each would drop the other with every portion. */
#pragma once

#include "fs/views/search/search-run.h"

typedef struct FsKeptResults FsKeptResults;

/* Of one search; all zero in the beginning. */
typedef struct {
    GArray *found; /* of FsFound, by mailbox; NULL: nothing is known */
    guint64 n_ranges;
    gint64 used_at; /* microseconds, monotonic: the last time */
    GList link;     /* in its FsKeptResults, while something is known */
} FsKeptResult;

/* What was used for as long as this ago may be being listed. */
#define FS_KEPT_RESULT_FRESH_US (60 * G_USEC_PER_SEC)

/* Keeps @max_ranges ranges of UIDs in all, of results that are being listed
 * @max_fresh (not less); or one result, if that has more. */
FsKeptResults *fs_kept_results_new(guint64 max_ranges, guint64 max_fresh);
/* When nothing is kept any more. Accepts NULL. */
void fs_kept_results_free(FsKeptResults *results);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsKeptResults, fs_kept_results_free)

/* @result is @found from now on (takes ownership), and others may be dropped.
 */
void fs_kept_results_put(FsKeptResults *results, FsKeptResult *result,
                         GArray *found);
/* It is being used, if something is known. */
void fs_kept_results_use(FsKeptResults *results, FsKeptResult *result);
/* Nothing is known any more. */
void fs_kept_results_drop(FsKeptResults *results, FsKeptResult *result);
