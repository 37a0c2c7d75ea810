/* Names that users give to messages, in folders and in their Maildir.
 *
 * A name in a folder is one path component, as it stands. One in the Maildir of
 * the folder (fs/names/maildir-layout.h) is written "/cur/BASE" or "/new/BASE",
 * with or without the flags behind it, wherever names of messages are kept: in
 * the journal, in notes of the spool, in requests. No component holds a slash,
 * so none is taken for the other. A message may have one of each. */
#pragma once

#include "cache/aliases.h"

#include <glib.h>

/* Whether @name is one in a Maildir. */
gboolean fs_given_name_is_maildir(const char *name);

/* Added to the id of a mailbox: under which cache/aliases.h keeps the names of
 * its Maildir, as "cur/BASE" or "new/BASE", and the keywords that letters stand
 * for, by the number of the letter (fs/names/maildir-name.h). No mailbox has
 * these bits. */
#define FS_GIVEN_IN_MAILDIR (1u << 20)
#define FS_GIVEN_KEYWORDS (1u << 21)

/* The message is called @name from now on. Flags in it are passed over. */
void fs_given_name_set(CacheAliases *aliases, guint32 mailbox, guint32 uid,
                       const char *name);
/* Whether it was given a name, and none of its names is @name (NULL: none): it
 * is not what was to be called so. */
gboolean fs_given_name_is_other(const CacheAliases *aliases, guint32 mailbox,
                                guint32 uid, const char *name);
/* It has gone, and all its names with it. */
void fs_given_name_forget(CacheAliases *aliases, guint32 mailbox, guint32 uid);
