/* How several mailboxes are, without selecting them. */
#pragma once

#include "imap/connection.h"

typedef struct {
    /* By one command each: LIST is told to others. */
    gboolean singly;
    /* IMAP_MAILBOX_UNSEEN, IMAP_MAILBOX_SIZE: to be told, too, where the server
     * can. */
    guint more;
    /* One of them; not those that the server says nothing of. Borrowed. */
    void (*status)(const ImapMailboxStatus *status, gpointer user_data);
    /* Runs once, last, from the main loop. That the server refuses to tell is
     * no error. */
    void (*done)(const GError *error, gpointer user_data);
} ImapStatusHandler;

/* Asks for the mailboxes of these wire names (NULL-terminated), but for the one
 * that is selected on @connection: by one command for many where the server can
 * (LIST-STATUS, RFC 5819), else by one each, side by side. FALSE: there is
 * nothing to ask for, and @handler, which must stay valid, does not run. */
gboolean imap_request_statuses(ImapConnection *connection,
                               const char *const *mailboxes,
                               const ImapStatusHandler *handler,
                               gpointer user_data);
