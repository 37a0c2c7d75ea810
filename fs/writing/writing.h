/* All that turns what programs write into messages, for one account: the spool,
 * the files that are here, and the uploads; and the rules by which a file
 * becomes a message. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"
#include "fs/writing/file-flags.h"
#include "fs/writing/local-files.h"
#include "fs/writing/quota.h"
#include "fs/writing/rights.h"
#include "fs/writing/uploads.h"

typedef struct FsWriting FsWriting;

/* Fails with CACHE_ERROR when nothing can be kept on the disk. */
FsWriting *fs_writing_new(FsAccount *account, GError **error);
/* The mount is over: nothing is sent any more. Accepts NULL. */
void fs_writing_stop(FsWriting *writing);
/* Before the parts of the account that uploads use. Accepts NULL. */
void fs_writing_free(FsWriting *writing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsWriting, fs_writing_free)

/* Goes on with what earlier mounts have left: uploads go on, once the list of
 * mailboxes is known; the rest is listed with what was lost. Accepts NULL. */
void fs_writing_resume(FsWriting *writing);
/* NULL when nothing is being stored: what is left waits for the line. Else what
 * to wait for (borrowed). */
FsNeed *fs_writing_need_settled(FsWriting *writing);
/* How many messages are still to be stored. Accepts NULL. */
guint fs_writing_pending(const FsWriting *writing);

FsAccount *fs_writing_account(FsWriting *writing);
FsLocalFiles *fs_writing_files(FsWriting *writing);
FsUploads *fs_writing_uploads(FsWriting *writing);
FsRights *fs_writing_rights(FsWriting *writing);
FsQuota *fs_writing_quota(FsWriting *writing);
FsFileFlags *fs_writing_flags(FsWriting *writing);

/* The file behind @inode; NULL: there is none, or @writing is NULL. Borrowed.
 */
FsLocalFile *fs_writing_file(FsWriting *writing, guint64 inode);

typedef enum {
    FS_COMMIT_DONE, /* nothing is to be stored, or it is stored */
    FS_COMMIT_WAIT, /* for *@need (borrowed) */
    FS_COMMIT_FAILED,
} FsCommit;

/* Has @file, as it is now, stored as the message @name of @directory (see
 * fs/writing/local-file.h), if that is the name of one there and the file is
 * complete. It is begun once, however often
 * this is asked. *@error_number: why it failed. */
FsCommit fs_writing_commit(FsWriting *writing, FsLocalFile *file,
                           guint32 directory, const char *name, FsNeed **need,
                           int *error_number);

/* @file, whose upload is not finished, is to be removed: TRUE if that is not
 * made either. FALSE: the server may have been sent it, or it has taken the
 * place of a message that would show again. */
gboolean fs_writing_give_up(FsLocalFile *file);
/* Complete when it is certain that no later mount stores what was given up so
 * far, whatever becomes of this process. The caller owns it. */
FsNeed *fs_writing_forget(FsWriting *writing);

/* If a message of that name has just been deleted, @file is written in its
 * place: the server is not told of that before it has this one. Unless the name
 * is that of a temporary file, which it never has. */
void fs_writing_hold(FsWriting *writing, FsLocalFile *file, guint32 mailbox,
                     const char *name);
/* @file will not be stored, or not now: the deletion is made (@done), or taken
 * back. */
void fs_writing_let_go(FsWriting *writing, FsLocalFile *file, gboolean done);
/* @file was made, and may be opened next or never: in the latter case the
 * deletion is made after some seconds. */
void fs_writing_await_opening(FsWriting *writing, const FsLocalFile *file);

/* NULL when @file has all its octets; else what to wait for (borrowed). */
FsNeed *fs_writing_fill(FsWriting *writing, FsLocalFile *file);

/* Whether the octets behind @inode have changed since they were first shown, or
 * are about to: the kernel is not to keep its copy, nor to be given one, for
 * the pages that are being written are locked. */
gboolean fs_writing_has_changed(const FsWriting *writing, guint64 inode);

/* Told that the entry @name of the directory of @mailbox (FS_LOCAL_LOST) is not
 * what it was, though no program has changed it; and that what is behind @inode
 * (0: none) is other octets. */
typedef void (*FsWritingChangedFunc)(guint32 mailbox, const char *name,
                                     guint64 inode, gpointer user_data);
void fs_writing_set_changed_func(FsWriting *writing, FsWritingChangedFunc func,
                                 gpointer user_data);
