/* A queue of chunks. A chunk is never reallocated: that would leave a copy of a
 * password behind, and OpenSSL wants an interrupted write to be repeated with
 * the same octets. */
#include "imap/send-buffer.h"

#include <openssl/crypto.h>
#include <string.h>

#define CHUNK_SIZE (16 * 1024) /* one TLS record */

typedef struct {
    gsize start;
    gsize end;
    gsize capacity;
    guint8 data[];
} Chunk;

static void
chunk_free(gpointer data)
{
    Chunk *chunk = data;

    OPENSSL_cleanse(chunk->data, chunk->end);
    g_free(chunk);
}

void
imap_send_buffer_init(ImapSendBuffer *buffer)
{
    g_queue_init(&buffer->chunks);
    buffer->length = 0;
}

static void
add(ImapSendBuffer *buffer, Chunk *chunk, const guint8 *data, gsize length)
{
    memcpy(chunk->data + chunk->end, data, length);
    chunk->end += length;
    buffer->length += length;
}

void
imap_send_buffer_append(ImapSendBuffer *buffer, const guint8 *data,
                        gsize length)
{
    Chunk *tail = g_queue_peek_tail(&buffer->chunks);

    /* Small writes share a chunk, so that commands written together travel
     * together. */
    if (tail != NULL && length > 0) {
        gsize fits = MIN(tail->capacity - tail->end, length);

        add(buffer, tail, data, fits);
        data += fits;
        length -= fits;
    }
    if (length > 0) {
        gsize capacity = MAX(length, CHUNK_SIZE);

        tail = g_malloc(sizeof *tail + capacity);
        tail->start = tail->end = 0;
        tail->capacity = capacity;
        add(buffer, tail, data, length);
        g_queue_push_tail(&buffer->chunks, tail);
    }
}

const guint8 *
imap_send_buffer_peek(const ImapSendBuffer *buffer, gsize *length)
{
    Chunk *head =
        buffer->chunks.head != NULL ? buffer->chunks.head->data : NULL;

    *length = head != NULL ? head->end - head->start : 0;
    return head != NULL ? head->data + head->start : NULL;
}

void
imap_send_buffer_consume(ImapSendBuffer *buffer, gsize length)
{
    Chunk *head = g_queue_peek_head(&buffer->chunks);

    if (head == NULL)
        return;
    head->start += length;
    buffer->length -= length;
    if (head->start == head->end)
        chunk_free(g_queue_pop_head(&buffer->chunks));
}

void
imap_send_buffer_clear(ImapSendBuffer *buffer)
{
    g_queue_clear_full(&buffer->chunks, chunk_free);
    buffer->length = 0;
}
