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

#include <glib.h>

/* Those that can be set. */
#define FS_XATTR_FLAGS "user.imap.flags"
#define FS_XATTR_TAGS "user.xdg.tags"

/* Whether there can be an attribute @name. */
gboolean fs_xattr_is_ours(const char *name);

/* The value of @name; NULL when @message has no such attribute, or it is not
 * known. Free with g_string_free. */
GString *fs_xattr_value(const CacheMailbox *mailbox,
                        const CacheMessage *message, const char *name);

/* The names that a program is told of, each with a terminating zero: those
 * which it makes sense to restore from a backup. Free with g_string_free. */
GString *fs_xattr_names(const CacheMessage *message);
