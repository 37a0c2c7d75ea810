/* What searches have found, kept within a bound.
 *
 * A result is as large as the gaps between the messages that were found: in a
 * mailbox of a million, four million octets at worst. There may be hundreds of
 * searches; so what was used least recently is dropped, and searched for again
 * when somebody asks. */
#pragma once

#include "fs/views/search-run.h"

typedef struct FsKeptResults FsKeptResults;

/* Of one search; all zero in the beginning. */
typedef struct {
    GArray *found; /* of FsFound, by mailbox; NULL: nothing is known */
    guint64 n_ranges;
    GList link; /* in its FsKeptResults, while something is known */
} FsKeptResult;

/* Keeps @max_ranges ranges of UIDs in all; or one result, if that has more. */
FsKeptResults *fs_kept_results_new(guint64 max_ranges);
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
