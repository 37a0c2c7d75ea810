/* How far the fetching is: a bar on a terminal, lines elsewhere. */
#pragma once

#include "fs/commands/fetch-work.h"
#include "fs/commands/output.h"

typedef struct FsProgress FsProgress;

FsProgress *fs_progress_new(const FsOutput *output);
void fs_progress_free(FsProgress *progress); /* accepts NULL */

/* Writes to the standard output how it is @now (microseconds, monotonic). Each
 * line is as wide as the terminal at most. To be called some times a second. */
void fs_progress_show(FsProgress *progress, const FsFetchState *state,
                      gint64 now);
/* Takes the bar away, so that something else can be written. */
void fs_progress_clear(FsProgress *progress);

/* What it shows, without what moves the cursor: one line, or two with a line
 * break between on a narrow terminal. Caller frees. */
char *fs_progress_text(FsProgress *progress, const FsFetchState *state,
                       gint64 now);
