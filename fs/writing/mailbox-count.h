/* Whether a mailbox that is going to be deleted holds messages. */
#pragma once

#include "imap/connection.h"

/* Runs once, from the main loop; @error is of the line. A server that does not
 * tell is taken to have none. */
typedef void (*FsMailboxCountFunc)(gboolean holds, const GError *error,
                                   gpointer user_data);

/* Asks for the mailbox of @wire_name, which @connection has not selected. */
void fs_mailbox_count(ImapConnection *connection, const char *wire_name,
                      FsMailboxCountFunc func, gpointer user_data);
