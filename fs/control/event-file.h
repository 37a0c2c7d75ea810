/* One open file of events: whoever reads it waits, or polls.
 *
 * A read waits as an operation (fs/kernel/operation.h) on a need of the file,
 * which moves on when there is something, and is interrupted as others are. At
 * the end of the mount it is answered with the end of the file. */
#pragma once

#include "fs/control/events.h"

#include <fuse_lowlevel.h>

typedef struct FsEventFile FsEventFile;

/* Of what happens from now on. NULL when there are too many readers. */
FsEventFile *fs_event_file_new(FsEvents *events);
/* Nobody waits in it any more. Accepts NULL. */
void fs_event_file_free(FsEventFile *file);

/* Answers @request, now or later. @opened is copied. */
void fs_event_file_read(FsEventFile *file, fuse_req_t request, fuse_ino_t inode,
                        gsize size, const struct fuse_file_info *opened);

/* What can be done now: events of poll(2). @handle: NULL unless the kernel
 * wants to be told of the next change; taken over. */
unsigned fs_event_file_poll(FsEventFile *file, struct fuse_pollhandle *handle);

/* Nothing more comes: reads that wait are answered inside this call. */
void fs_event_file_end(FsEventFile *file);

/* How many reads of it wait. */
guint fs_event_file_n_waiting(const FsEventFile *file);
