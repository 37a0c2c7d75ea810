/* What the parts of the write handlers share. Theirs alone. */
#pragma once

#include "fs/kernel/operation.h"
#include "fs/kernel/write-handlers.h"

struct FsWriteHandlers {
    FsAccount *account;
    FsNameSpace *names;
    FsWriting *writing;
    GHashTable *handles; /* of FsWriteHandle, owned */
};

/* What a program has open. */
typedef struct {
    FsWriteHandlers *handlers;
    FsLocalFile *file; /* a reference */
    gboolean writes;
    gboolean appends;
    pid_t opener; /* a thread */
} FsWriteHandle;

FsWriteHandlers *fs_write_handlers_of(const FsOperation *operation);
FsWriteHandle *fs_write_handle_of(const FsOperation *operation);
FsLocalFiles *fs_write_files_of(const FsWriteHandlers *handlers);

/* Whether the message @inode is just being moved to where it shows: what
 * replaced it now would come to where it was. The operation waits, or has
 * failed, then. */
gboolean fs_write_waits_for_arrival(FsOperation *operation, FsAccount *account,
                                    guint64 inode);

/* The program that has sent @operation opens @file. It is among
 * handlers->handles, and freed when it is taken out. */
FsWriteHandle *fs_write_handle_new(const FsOperation *operation,
                                   FsLocalFile *file);
/* The file that is behind the inode of @operation, or is to be, for who opens
 * it with the flags there; NULL: the operation waits or has failed. */
FsLocalFile *fs_write_find_file(FsOperation *operation);
/* What the kernel is told of it. */
void fs_write_handle_fill(struct fuse_file_info *file, FsWriteHandle *handle);
