/* The names of messages: a pure function of what never changes about them.
 *
 *     2026-11-22_0930_alice-example_quarterly-report.1234.eml
 *     date (UTC)      sender        subject          UID
 *
 * Names hold letters, digits and marks of every script, in lower case and NFC,
 * and of other characters "-", "_" and "." as separators alone: no white space,
 * no shell metacharacters, nothing invisible, no control or bidirectional
 * characters. At most FS_MESSAGE_NAME_MAX octets.
 *
 * Changing what a stem looks like renames users' files: FS_MESSAGE_STEM_VERSION
 * goes up, and the old function stays. */
#pragma once

#include <glib.h>

#define FS_MESSAGE_NAME_MAX 120
#define FS_MESSAGE_SENDER_MAX 24
#define FS_MESSAGE_SUBJECT_MAX 60
#define FS_MESSAGE_STEM_VERSION 1

/* "alice-example_quarterly-report" for a message whose header fields are
 * @header: lines From:, Subject: … as the server sends them, folded or not, in
 * any encoding or none, broken or hostile. A part that would be empty is left
 * out with its "_"; so the stem may be "". Never NULL; caller frees. */
char *fs_message_stem(const char *header, gsize length);

/* The time in the Date: field of @header, seconds since the epoch, UTC. FALSE
 * without a field that can be understood. */
gboolean fs_message_sent_date(const char *header, gsize length, gint64 *date);

/* "DATE_STEM.UID.eml" for a message of the time @date (seconds since the epoch,
 * UTC), "DATE.UID.eml" for an empty stem, or "UID.eml" when @stem is NULL. A
 * date that no calendar can show becomes 0000-00-00_0000. Caller frees. */
char *fs_message_name(const char *stem, gint64 date, guint32 uid);

/* Takes @name apart: FALSE unless it is "N.eml" (then *@stem is NULL) or
 * "STEM.N.eml", N a UID (1 to 4294967295, no leading zero); here the date is
 * part of the stem. The caller frees @stem. Whether the message bears that name
 * is for the caller to compare. */
gboolean fs_message_name_parse(const char *name, char **stem, guint32 *uid);
