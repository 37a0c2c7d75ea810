/* What changes the messages of the selected mailbox, one function a command.
 *
 * As in imap/requests.h, every done function runs once, from the main loop, and
 * what is passed in is copied. The mailbox must have been selected to be
 * changed (ImapWish.writable, or imap_request_select): otherwise nothing is
 * sent, for some servers do change what was merely examined, and done gets
 * IMAP_ERROR_READ_ONLY. What a server cannot do is not sent either:
 * IMAP_ERROR_UNSUPPORTED.
 *
 * A set of UIDs must hold some, at most IMAP_MAX_CHANGED of them, and not be
 * longer than IMAP_MAX_SET_LENGTH octets (imap_uid_set_take cuts one up);
 * otherwise IMAP_ERROR_ARGUMENT. UIDs that are gone are passed over, as the
 * server does; but one takes a UID that is too high for the last message's.
 * Therefore, where a server has no UIDPLUS, a UID SEARCH comes first, and only
 * what it finds is named. With an error of the line (_CLOSED, _TIMEOUT,
 * _PROTOCOL) it is not known what has become of the command. */
#pragma once

#include "imap/connection.h"
#include "imap/requests.h"
#include "imap/uid-set.h"

#include <glib.h>

#define IMAP_MAX_CHANGED 1000u
#define IMAP_MAX_SET_LENGTH 7000u /* octets; a line may have 8000 */

/* ---- flags ---- */

typedef enum {
    IMAP_STORE_ADD,
    IMAP_STORE_REMOVE,
    IMAP_STORE_REPLACE, /* of all the message's flags */
} ImapStoreMode;

typedef struct {
    const ImapUidSet *uids;
    ImapStoreMode mode;
    /* NULL-terminated, "\\Seen" or keywords. One that is no atom is
     * IMAP_ERROR_ARGUMENT; one that the mailbox cannot keep (PERMANENTFLAGS)
     * and that is to be set is IMAP_ERROR_CANNOT, and nothing is sent. */
    const char *const *flags;
    /* Only those whose mod-sequence is no higher; 0: all. Passed over for a
     * server without CONDSTORE. */
    guint64 unchanged_since;
} ImapStore;

/* @modified: those of the UIDs that were left as they are, for they had been
 * changed meanwhile; empty if none; borrowed, NULL on error. */
typedef void (*ImapStoreFunc)(const ImapUidSet *modified, const GError *error,
                              gpointer user_data);
/* UID STORE, silent. */
void imap_request_store(ImapConnection *connection, const ImapStore *store,
                        ImapStoreFunc done, gpointer user_data);

/* ---- expunging ---- */

/* UID EXPUNGE: of @uids those that are marked \Deleted, and no others.
 * IMAP_ERROR_UNSUPPORTED without UIDPLUS. May be sent right behind the store
 * that marks them. */
gboolean imap_can_expunge_uids(ImapConnection *connection);
void imap_request_expunge_uids(ImapConnection *connection,
                               const ImapUidSet *uids, ImapDoneFunc done,
                               gpointer user_data);

/* EXPUNGE: all that is marked \Deleted, by whomever. Only for who has made sure
 * that nothing else is. */
void imap_request_expunge_everything_marked(ImapConnection *connection,
                                            ImapDoneFunc done,
                                            gpointer user_data);

/* ---- copying and moving ---- */

typedef struct {
    guint32 from; /* UID in the selected mailbox */
    guint32 to;   /* UID in the other */
} ImapUidPair;

/* What COPYUID tells. */
typedef struct {
    guint64 uidvalidity; /* the other mailbox's */
    GArray *pairs;       /* of ImapUidPair, by @from, ascending; never empty */
} ImapCopied;

/* The new UID of @uid; 0: none is told. */
guint32 imap_copied_find(const ImapCopied *copied, guint32 uid);

/* @copied (borrowed): what has come of the messages, as far as the server tells
 * and it can be right: each UID was asked for and stands there once, and there
 * are as many old as new. NULL when it does not: the copies have to be looked
 * for. UIDs that are missing in it were gone, or could not be moved. It may
 * come along with an error: a server can fail in the middle of a move. */
typedef void (*ImapCopyFunc)(const ImapCopied *copied, const GError *error,
                             gpointer user_data);

/* UID COPY to the wire name @mailbox. The mailbox that is selected may be
 * merely examined. */
void imap_request_copy(ImapConnection *connection, const ImapUidSet *uids,
                       const char *mailbox, ImapCopyFunc done,
                       gpointer user_data);

/* UID MOVE. IMAP_ERROR_UNSUPPORTED without MOVE: then it is copy, store and
 * expunge, each only after the one before has been seen to succeed. */
gboolean imap_can_move(ImapConnection *connection);
void imap_request_move(ImapConnection *connection, const ImapUidSet *uids,
                       const char *mailbox, ImapCopyFunc done,
                       gpointer user_data);
