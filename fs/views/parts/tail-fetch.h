/* Fetches the end of a part in base64, as it was sent: a few hundred octets,
 * which say whether what a server decodes can be believed
 * (fs/views/parts/base64-tail.h). */
#pragma once

#include "imap/connection.h"

/* @size runs when the end has come, if it tells what the part has when it is
 * decoded; @done once, when the server has answered, which may be after its
 * answers to later commands. Both run from the main loop. */
typedef struct {
    void (*size)(guint64 size, gpointer user_data);
    void (*done)(gpointer user_data);
} FsTailHandler;

/* Of the part @section, of @octets as it was sent, of the message @uid of the
 * mailbox that is selected. */
void fs_tail_fetch(ImapConnection *connection, guint32 uid, const char *section,
                   guint64 octets, const FsTailHandler *handler,
                   gpointer user_data);
