/* COPYUID (RFC 4315 section 3): which message became which. Used by the
 * requests alone. */
#pragma once

#include "imap/change-requests.h"
#include "imap/response.h"

/* With no pairs yet. */
ImapCopied *imap_copied_new(void);
void imap_copied_free(ImapCopied *copied); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapCopied, imap_copied_free)

typedef enum {
    IMAP_COPIED_NONE,     /* no COPYUID, or an empty one */
    IMAP_COPIED_TAKEN,    /* its pairs are in @copied now */
    IMAP_COPIED_OTHERS,   /* it is about other messages, and none of these */
    IMAP_COPIED_UNLIKELY, /* it cannot be right, or not be of these messages */
} ImapCopiedResult;

/* Takes over the COPYUID of @status, if it has one. @asked: what it may be
 * about. @copied is as before unless it is taken. */
ImapCopiedResult imap_copied_take(ImapCopied *copied, const ImapStatus *status,
                                  const ImapUidSet *asked);
