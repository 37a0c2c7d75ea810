/* Which octets of a file have been written: one with others between them is not
 * finished. */
#pragma once

#include <glib.h>

typedef struct FsWrittenRanges FsWrittenRanges;

FsWrittenRanges *fs_written_ranges_new(void);
void fs_written_ranges_free(FsWrittenRanges *ranges); /* accepts NULL */

void fs_written_ranges_add(FsWrittenRanges *ranges, guint64 offset,
                           guint64 length);
/* Nothing from @size on is written any more. */
void fs_written_ranges_cut(FsWrittenRanges *ranges, guint64 size);
/* Whether all octets below @size are written. */
gboolean fs_written_ranges_is_whole(const FsWrittenRanges *ranges,
                                    guint64 size);
