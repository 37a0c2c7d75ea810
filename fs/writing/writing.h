/* All that turns what programs write into messages: owned together, for the
 * account. Without it (the mount is read-only) nothing can be written. */
#pragma once

#include "fs/account.h"
#include "fs/writing/local-files.h"
#include "fs/writing/uploads.h"

typedef struct FsWriting FsWriting;

/* Finds what earlier mounts have left: uploads go on, the rest is listed in
 * lost+found. Fails with CACHE_ERROR when nothing can be kept on the disk. */
FsWriting *fs_writing_new(FsAccount *account, GError **error);
/* Before the account's end. Accepts NULL. */
void fs_writing_free(FsWriting *writing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsWriting, fs_writing_free)

FsLocalFiles *fs_writing_files(FsWriting *writing);
FsUploads *fs_writing_uploads(FsWriting *writing);

typedef enum {
    FS_COMMIT_DONE, /* nothing is to be stored, or it is stored */
    FS_COMMIT_WAIT, /* for *@need (borrowed) */
    FS_COMMIT_FAILED,
} FsCommit;

/* Has @file, as it is now, stored if it is a message by its name and place and
 * complete; begun once, however often this is asked. *@error_number: why it
 * failed. */
FsCommit fs_writing_commit(FsWriting *writing, FsLocalFile *file, FsNeed **need,
                           int *error_number);
