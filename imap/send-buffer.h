/* Octets waiting for the network, wiped as soon as they have left. Used by the
 * transport alone. */
#pragma once

#include <glib.h>

typedef struct {
    GQueue chunks;
    gsize length;
} ImapSendBuffer;

void imap_send_buffer_init(ImapSendBuffer *buffer);
void imap_send_buffer_append(ImapSendBuffer *buffer, const guint8 *data,
                             gsize length);

/* The next octets, as many as lie together; NULL when there are none. Stays
 * where it is until consumed, and only grows at its end. */
const guint8 *imap_send_buffer_peek(const ImapSendBuffer *buffer,
                                    gsize *length);

/* Drops and wipes @length octets of what imap_send_buffer_peek showed. */
void imap_send_buffer_consume(ImapSendBuffer *buffer, gsize length);
void imap_send_buffer_clear(ImapSendBuffer *buffer);
