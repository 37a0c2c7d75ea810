/* Whether a mailbox that is going to be deleted holds messages. */
#pragma once

#include "imap/connection.h"

typedef enum {
    FS_MAILBOX_EMPTY,
    FS_MAILBOX_HOLDS_MAIL,
    FS_MAILBOX_UNTOLD, /* the server has not said, or has refused to */
} FsMailboxCount;

/* Runs once, from the main loop; @error is of the line. */
typedef void (*FsMailboxCountFunc)(FsMailboxCount count, const GError *error,
                                   gpointer user_data);

/* Asks for the mailbox of @wire_name, which @connection has not selected. */
void fs_mailbox_count(ImapConnection *connection, const char *wire_name,
                      FsMailboxCountFunc func, gpointer user_data);
