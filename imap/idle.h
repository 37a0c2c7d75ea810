/* IDLE (RFC 2177): the server tells at once what happens in the selected
 * mailbox, until it is told to stop. What it tells comes to whoever hears what
 * is unasked for (imap_connection_set_unasked_func). */
#pragma once

#include "imap/connection.h"

#include <glib.h>

typedef struct {
    /* The server has said "+": from here on it tells. Not called if it never
     * does. */
    void (*begun)(gpointer user_data);
    /* It is over: @error NULL when a command behind it or, with @by_server, the
     * server has ended it. Runs once, last, from the main loop. */
    void (*done)(gboolean by_server, const GError *error, gpointer user_data);
} ImapIdleHandler;

/* Whether it tells of messages of the selected mailbox. */
gboolean imap_idle_is_news(const ImapResponse *response);

/* Only where the server announced IDLE, and a mailbox is selected. Any command
 * that is sent meanwhile ends it, another IDLE included. @handler must stay
 * valid. */
void imap_idle_start(ImapConnection *connection, const ImapIdleHandler *handler,
                     gpointer user_data);
