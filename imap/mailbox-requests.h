/* What concerns mailboxes as a whole: making, renaming and deleting them, and
 * what may be done there. Any connection will do. All names are wire names; one
 * with CR or LF is not sent (IMAP_ERROR_ARGUMENT).
 *
 * Every done function runs once, from the main loop. OK is not always true:
 * Courier says so to the renaming of nothing. Who must know asks by
 * imap_request_list_one. */
#pragma once

#include "imap/connection.h"
#include "imap/requests.h"

#include <glib.h>

void imap_request_create(ImapConnection *connection, const char *mailbox,
                         ImapDoneFunc done, gpointer user_data);
/* With all its messages. */
void imap_request_delete(ImapConnection *connection, const char *mailbox,
                         ImapDoneFunc done, gpointer user_data);
/* Servers rename the children, too (RFC 9051 section 6.3.6). */
void imap_request_rename(ImapConnection *connection, const char *from,
                         const char *to, ImapDoneFunc done, gpointer user_data);
void imap_request_subscribe(ImapConnection *connection, const char *mailbox,
                            ImapDoneFunc done, gpointer user_data);
void imap_request_unsubscribe(ImapConnection *connection, const char *mailbox,
                              ImapDoneFunc done, gpointer user_data);

/* LIST of the one @mailbox: as it is, or NULL, also on error, if it is not
 * there (or \NonExistent); borrowed. */
typedef void (*ImapListOneFunc)(const ImapListedMailbox *mailbox,
                                const GError *error, gpointer user_data);
void imap_request_list_one(ImapConnection *connection, const char *mailbox,
                           ImapListOneFunc done, gpointer user_data);

/* GETQUOTAROOT (RFC 9208): of all the limits for @mailbox, the one of which the
 * least is left. */
typedef struct {
    gboolean has_storage;
    guint64 storage_used;  /* octets */
    guint64 storage_limit; /* the same */
    gboolean has_messages;
    guint64 messages_used;
    guint64 messages_limit;
} ImapQuota;

/* @quota is borrowed, NULL on error. IMAP_ERROR_UNSUPPORTED without QUOTA. */
typedef void (*ImapQuotaFunc)(const ImapQuota *quota, const GError *error,
                              gpointer user_data);
void imap_request_quota(ImapConnection *connection, const char *mailbox,
                        ImapQuotaFunc done, gpointer user_data);

/* MYRIGHTS (RFC 4314 section 2.1). What older servers write as "c" and "d" is
 * in what it means now. */
enum {
    IMAP_RIGHT_LOOK_UP = 1 << 0,     /* l */
    IMAP_RIGHT_READ = 1 << 1,        /* r */
    IMAP_RIGHT_SEEN = 1 << 2,        /* s: keeps \Seen */
    IMAP_RIGHT_WRITE_FLAGS = 1 << 3, /* w: all but \Seen and \Deleted */
    IMAP_RIGHT_INSERT = 1 << 4,      /* i: APPEND, COPY into it */
    IMAP_RIGHT_POST = 1 << 5,        /* p */
    IMAP_RIGHT_CREATE = 1 << 6,      /* k: mailboxes below it */
    IMAP_RIGHT_DELETE_MAILBOX = 1 << 7 /* x: itself, and renaming it */,
    IMAP_RIGHT_DELETE = 1 << 8,      /* t: \Deleted */
    IMAP_RIGHT_EXPUNGE = 1 << 9,     /* e */
    IMAP_RIGHT_ADMINISTER = 1 << 10, /* a */
};

/* @rights: IMAP_RIGHT_…, 0 on error. IMAP_ERROR_UNSUPPORTED without ACL. */
typedef void (*ImapRightsFunc)(guint rights, const GError *error,
                               gpointer user_data);
void imap_request_rights(ImapConnection *connection, const char *mailbox,
                         ImapRightsFunc done, gpointer user_data);
