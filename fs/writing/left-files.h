/* What earlier mounts have left in the spool: uploads that were not done, files
 * that are kept, and files that are of no use any more. */
#pragma once

#include "fs/account.h"
#include "fs/writing/local-files.h"
#include "fs/writing/uploads.h"

typedef struct FsLeftFiles FsLeftFiles;

/* Looks through @spool. What is kept is listed, what can be no message goes to
 * what was lost, and so does what uploads give up; uploads wait until they are
 * resumed. All four must outlive the result, but for the end, when it is
 * stopped first. @records: of the journal, that those uploads have: a set of
 * guint64, which the caller owns. */
FsLeftFiles *fs_left_files_new(FsAccount *account, CacheSpool *spool,
                               FsLocalFiles *files, FsUploads *uploads,
                               GHashTable **records);
/* Nothing is resumed any more. */
void fs_left_files_stop(FsLeftFiles *left);
void fs_left_files_free(FsLeftFiles *left); /* accepts NULL */

/* Has the uploads go on as soon as the list of mailboxes is known: where they
 * belong is known by that alone. */
void fs_left_files_resume(FsLeftFiles *left);
/* What they wait for (borrowed); NULL: nothing. */
FsNeed *fs_left_files_need(const FsLeftFiles *left);
/* How many wait. */
guint fs_left_files_count(const FsLeftFiles *left);
