/* Sets of UIDs, kept as sorted ranges: a mailbox of a million messages is a
 * few bytes as long as its UIDs are dense. RFC 9051, sequence-set. */
#pragma once

#include <glib.h>

/* A server can make us keep at most this many ranges; more is an error. */
#define IMAP_UID_SET_MAX_RANGES (4u * 1024 * 1024)

typedef struct ImapUidSet ImapUidSet;

ImapUidSet *imap_uid_set_new(void);
void imap_uid_set_free(ImapUidSet *set); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapUidSet, imap_uid_set_free)

/* Adds @first to @last, in either order, both included; 0 is left out.
 * Appending in ascending order is O(1). FALSE, and @set as before, if it would
 * hold more than IMAP_UID_SET_MAX_RANGES ranges. */
gboolean imap_uid_set_add(ImapUidSet *set, guint32 first, guint32 last);

gboolean imap_uid_set_contains(const ImapUidSet *set, guint32 uid);

/* How many UIDs, and how many ranges. */
guint64 imap_uid_set_count(const ImapUidSet *set);
guint imap_uid_set_n_ranges(const ImapUidSet *set);

/* The @index-th range, ascending. @index < n_ranges. */
void imap_uid_set_range(const ImapUidSet *set, guint index, guint32 *first,
                        guint32 *last);

/* Takes out of @set its first UIDs: at most @max_uids, and as many as are not
 * longer than @max_length octets on the wire, but one at least. Empty only if
 * @set is. */
ImapUidSet *imap_uid_set_take(ImapUidSet *set, guint max_uids,
                              gsize max_length);

/* The UIDs that are in both. Caller frees. */
ImapUidSet *imap_uid_set_intersection(const ImapUidSet *one,
                                      const ImapUidSet *other);

/* Parses "1:4,7,9:12" of @length octets; a range may be written backwards and
 * spaces around it are passed over. "*" is refused. NULL if the text is no set
 * or has too many ranges. */
ImapUidSet *imap_uid_set_parse(const char *text, gsize length);

/* The set as the wire writes it, "" when empty. Caller frees. */
char *imap_uid_set_to_string(const ImapUidSet *set);
