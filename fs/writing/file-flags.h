/* The flags of a file that is to be a message: those that a program has given
 * to it, as backup programs do that restore extended attributes before they
 * close a file, or else those that it is given by its name, by the message
 * whose place it takes, or by the option. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"
#include "fs/writing/local-file.h"

typedef struct FsFileFlags FsFileFlags;

/* @account must outlive the result. */
FsFileFlags *fs_file_flags_new(FsAccount *account);
/* What is still to be set is not. Accepts NULL. */
void fs_file_flags_free(FsFileFlags *flags);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsFileFlags, fs_file_flags_free)

/* Whether what is set on the inode of @file (NULL: there is none) is the
 * file's, and not yet that of a message. */
gboolean fs_file_flags_is_own(const FsLocalFile *file);

/* With which @file is stored as @name in @mailbox, as IMAP has them, spaces
 * between. Caller frees. */
char *fs_file_flags_of(const FsFileFlags *flags, const FsLocalFile *file,
                       guint32 mailbox, const char *name);

/* The same, without those of a message whose place it takes. */
char *fs_file_flags_own(const FsFileFlags *flags, const FsLocalFile *file,
                        guint32 mailbox, const char *name);

/* As fs_file_flags_of, before a program has had its say of those that a copy
 * takes over from what it is a copy of; NULL: they are not known. */
char *fs_file_flags_sent(const FsFileFlags *flags, const FsLocalFile *file,
                         guint32 mailbox, const char *name);

/* A program adds and removes some, as for fs_changes_set_flags. */
void fs_file_flags_change(const FsFileFlags *flags, FsLocalFile *file,
                          const char *add, const char *remove);

/* @file is the message @name, @uid of @mailbox from now on, which is known to
 * have @present (NULL: it is not known which): if a program has given it
 * others, the server is told so. */
void fs_file_flags_stored(FsFileFlags *flags, const FsLocalFile *file,
                          guint32 mailbox, const char *name, guint32 uid,
                          const char *present);

/* The message @uid, which was @name in @mailbox, is @new_name there now. If
 * that is how editors call their backups, what is written as @name next is the
 * message as it was edited, and has its flags. */
void fs_file_flags_renamed(FsFileFlags *flags, guint32 mailbox,
                           const char *name, const char *new_name, guint32 uid);
