/* The extended attributes of a message: what the server knows of it that a file
 * has no place for.
 *
 *     user.imap.flags        as the wire writes them, spaces between
 *     user.imap.uid          decimal
 *     user.imap.uidvalidity  decimal
 *     user.imap.emailid      the same for the same content in other mailboxes
 *     user.xdg.tags          the keywords, commas between
 *
 * Values have no terminating zero. */
#pragma once

#include "cache/index.h"
#include "fs/options/options.h"

#include <glib.h>

/* Those that can be set. */
#define FS_XATTR_FLAGS "user.imap.flags"
#define FS_XATTR_TAGS "user.xdg.tags"

/* The answer where there are none, for @options has no xattr. ENOSYS is
 * remembered by the kernel, for who lists with ls -l asks for two of them for
 * every file; but for the whole connection, which others may share. */
int fs_xattr_errno(const FsOptions *options);

/* Whether there can be an attribute @name. */
gboolean fs_xattr_is_ours(const char *name);

/* The value of @name; NULL when @message has no such attribute, or it is not
 * known. Free with g_string_free. */
GString *fs_xattr_value(const CacheMailbox *mailbox,
                        const CacheMessage *message, const char *name);

/* The names that a program is told of, each with a terminating zero: those
 * which it makes sense to restore from a backup. Free with g_string_free. */
GString *fs_xattr_names(const CacheMessage *message);
