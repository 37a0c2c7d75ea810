/* What has changed in a mailbox since it was last known (RFC 7162). */
#pragma once

#include "imap/uid-set.h"

#include <glib.h>

/* A mailbox as it was known. */
typedef struct {
    guint64 uidvalidity;
    guint64 highestmodseq; /* 0: none */
} ImapKnown;

typedef struct {
    guint32 uid;
    char *flags; /* as imap_flags_to_string writes them */
} ImapFlagsChange;

typedef struct {
    ImapKnown since;
    ImapUidSet *vanished; /* of which some may never have been known */
    GArray *flags;        /* of ImapFlagsChange, in any order */
} ImapChanges;

ImapChanges *imap_changes_new(const ImapKnown *since);
void imap_changes_free(ImapChanges *changes); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapChanges, imap_changes_free)

/* FALSE when there are too many to be kept. */
gboolean imap_changes_add_flags(ImapChanges *changes, guint32 uid,
                                const char *const *flags);
gboolean imap_changes_add_vanished(ImapChanges *changes,
                                   const ImapUidSet *uids);

/* The flags of a message as one string: sorted, once each, spaces between,
 * \\Recent left out. "" for none. Caller frees. */
char *imap_flags_to_string(const char *const *flags);

/* Whether @flag is a keyword, or one of the five system flags that a client may
 * give to a message. Others that begin with "\\" are for servers to have (RFC
 * 3501, section 9, flag-extension). */
gboolean imap_flag_may_be_given(const char *flag);
