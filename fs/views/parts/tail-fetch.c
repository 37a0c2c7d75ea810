/* Fetches the end of a part. Whatever goes wrong, it is not known. */
#include "fs/views/parts/tail-fetch.h"

#include "fs/views/parts/base64-tail.h"
#include "imap/part-requests.h"

typedef struct {
    guint64 octets;
    GByteArray *incoming;
    const FsTailHandler *handler;
    gpointer user_data;
} Tail;

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    g_byte_array_set_size(((Tail *)user_data)->incoming, 0);
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    g_byte_array_append(((Tail *)user_data)->incoming, data, (guint)length);
}

static void
on_end(guint32 uid, gpointer user_data)
{
    Tail *tail = user_data;
    const GByteArray *incoming = tail->incoming;
    guint64 size;

    if (incoming->len == FS_BASE64_TAIL &&
        fs_base64_size(tail->octets, (const char *)incoming->data,
                       incoming->len, &size))
        tail->handler->size(size, tail->user_data);
}

static void
on_discard(gpointer user_data)
{
    g_byte_array_set_size(((Tail *)user_data)->incoming, 0);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Tail *tail = user_data;

    tail->handler->done(tail->user_data);
    g_byte_array_unref(tail->incoming);
    g_free(tail);
}

static const ImapBodiesHandler bodies_handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

void
fs_tail_fetch(ImapConnection *connection, guint32 uid, const char *section,
              guint64 octets, const FsTailHandler *handler, gpointer user_data)
{
    Tail *tail = g_new0(Tail, 1);

    tail->octets = octets;
    tail->incoming = g_byte_array_sized_new(FS_BASE64_TAIL);
    tail->handler = handler;
    tail->user_data = user_data;
    imap_request_fetch_section_part(
        connection, uid, section,
        octets > FS_BASE64_TAIL ? octets - FS_BASE64_TAIL : 0, FS_BASE64_TAIL,
        &bodies_handler, tail);
}
