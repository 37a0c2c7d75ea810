/* NOTIFY (RFC 5465): the server tells at once what happens in any mailbox. */
#pragma once

#include "imap/connection.h"

#include <glib.h>

/* Asks to be told of all of the user's own mailboxes: STATUS when messages come
 * or go or flags change, LIST when a mailbox is made, renamed, deleted,
 * subscribed to or not. That comes to whoever hears what is unasked for
 * (imap_connection_set_unasked_func). Only where the server announced NOTIFY,
 * on a connection that has no mailbox selected, for of that one the server
 * would tell otherwise. @again: it tells so far, and is to begin anew; of what
 * happens meanwhile it tells nothing.
 *
 * @done runs once, from the main loop; @error is NULL when the server does
 * so. */
typedef void (*ImapNotifyFunc)(const GError *error, gpointer user_data);
void imap_request_notify(ImapConnection *connection, gboolean again,
                         ImapNotifyFunc done, gpointer user_data);

/* Whether the server says by @response that there is too much to tell, and that
 * it has stopped (NOTIFICATIONOVERFLOW). */
gboolean imap_notify_is_overflow(const ImapResponse *response);
