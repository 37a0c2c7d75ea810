/* The names of mailboxes as directories. The server's names are data from
 * outside: whatever it sends, what comes out is one safe path component. */
#pragma once

#include <glib.h>

#define FS_MAILBOX_NAME_MAX 255 /* octets of one component */
#define FS_MAILBOX_DEPTH_MAX 64 /* deeper mailboxes are not shown */

/* Splits the UTF-8 mailbox name @name (decoded) at @delimiter (0: does not
 * split) into directory names, outermost first. "INBOX" as the first component
 * is so written whatever its case. Empty components (leading, trailing or
 * doubled delimiters) are dropped.
 *
 * In a component, "/", control characters (also C1, and bidirectional and other
 * invisible format characters), "%" when two hex digits follow, the whole of
 * "." and "..", and the "." of a top-level ".imapfs" are percent-encoded octet
 * by octet with upper-case digits. A component longer than FS_MAILBOX_NAME_MAX
 * octets is cut at a character and ends in "~" and 16 hex digits of the SHA-256
 * of the whole.
 *
 * NULL if nothing is left, or it is deeper than FS_MAILBOX_DEPTH_MAX. Caller
 * frees with g_strfreev. */
char **fs_mailbox_name_split(const char *name, char delimiter);

/* @name, which is made of such components; if it is longer than @max octets
 * (at least 64), cut within them as above. Caller frees. */
char *fs_mailbox_name_within(const char *name, gsize max);
/* Whether @name may have been cut so: it ends in "~" and 16 hex digits. */
gboolean fs_mailbox_name_may_be_cut(const char *name);

/* @component with "~" and 8 hex digits of the SHA-256 of @wire_name, within
 * FS_MAILBOX_NAME_MAX: for a mailbox whose directory name another mailbox
 * already has. Caller frees. */
char *fs_mailbox_name_make_unique(const char *component, const char *wire_name);
