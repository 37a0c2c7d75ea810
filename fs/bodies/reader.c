/* Readers of messages.
 *
 * The kernel asks for less than a block at a time: the block that was asked for
 * last stays at hand. Of a large message, who reads on where he left off gets
 * what follows before he asks for it, and twice as much each time, or at once
 * much, if he asks for much; who jumps about gets what he asks for. */
#include "fs/bodies/reader.h"

#include "fs/bodies/part-fetch.h"
#include "fs/bodies/read-ahead.h"
#include "fs/kernel/errno.h"

#include <string.h>

/* How far ahead of a reader is fetched: what a line of 2 Gbit/s holds in
 * 100 ms. */
#define AHEAD_FIRST CACHE_BLOCK_SIZE
#define AHEAD_MAX (32u * 1024 * 1024)

/* The kernel asks for so much for a program that does so, too: it is going to
 * read the whole, and the beginning of a range is a round trip each time. For
 * one that looks at the beginning it asks for less. */
#define READ_BY_MUCH (128u * 1024)

/* Who has read so much wants more than the beginning. */
#define HEAD_ENOUGH (64u * 1024)

/* The kernel's requests overtake each other. */
#define JITTER (1024u * 1024)

struct FsReader {
    FsMessageBodies *bodies; /* a reference */
    guint32 mailbox;
    guint32 uid;
    guint64 size;
    char *key;
    GBytes *block; /* the last one; NULL: none */
    guint32 number;
    GBytes *head;   /* NULL: not at hand */
    guint64 next;   /* where the last read ended */
    guint64 whole;  /* octets from the beginning that were read */
    guint64 ahead;  /* octets; 0: not reading on */
    guint64 wanted; /* asked for up to here */
    GList link;     /* in bodies->readers */
};

FsReader *
fs_reader_new(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
              guint64 size)
{
    FsReader *reader = g_new0(FsReader, 1);
    CacheMessage message = {.uid = uid};

    cache_index_message(bodies->account->index, mailbox, uid, &message);
    message.size = size;
    reader->bodies = fs_message_bodies_ref(bodies);
    reader->mailbox = mailbox;
    reader->uid = uid;
    reader->size = size;
    reader->key = fs_message_key(mailbox, &message);
    reader->link.data = reader;
    g_queue_push_tail_link(&bodies->readers, &reader->link);
    return reader;
}

FsNeed *
fs_reader_open(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
               FsReader **reader)
{
    guint64 size;
    FsNeed *need;

    if (*reader != NULL)
        return NULL;
    need = fs_message_bodies_open(bodies, mailbox, uid, 0, &size);
    if (need == NULL)
        *reader = fs_reader_new(bodies, mailbox, uid, size);
    return need;
}

void
fs_reader_free(FsReader *reader)
{
    if (reader == NULL)
        return;
    g_queue_unlink(&reader->bodies->readers, &reader->link);
    g_clear_pointer(&reader->block, g_bytes_unref);
    g_clear_pointer(&reader->head, g_bytes_unref);
    fs_message_bodies_unref(reader->bodies);
    g_free(reader->key);
    g_free(reader);
}

guint64
fs_reader_size(const FsReader *reader)
{
    return reader->size;
}

gboolean
fs_reader_any(FsMessageBodies *bodies, guint32 mailbox, guint32 uid)
{
    for (GList *link = bodies->readers.head; link != NULL; link = link->next) {
        const FsReader *reader = link->data;

        if (reader->mailbox == mailbox && reader->uid == uid)
            return TRUE;
    }
    return FALSE;
}

static gboolean
is_large(const FsReader *reader)
{
    return reader->size > FS_WHOLE_MAX;
}

/* ---- what is missing ---- */

static FsNeed *
stale_need(void)
{
    g_autoptr(GError) error = g_error_new(
        FS_ERROR, FS_ERROR_STALE, "the message is no longer what was opened");
    FsNeed *need = fs_need_new();

    fs_need_complete(need, error);
    return need;
}

static gboolean
find_message(const FsReader *reader, CacheMessage *message)
{
    return cache_index_message(reader->bodies->account->index, reader->mailbox,
                               reader->uid, message) &&
           message->size_verified && message->size == reader->size;
}

/* The message under way in ranges, or, a whole one that is coming for whatever
 * reason, as it is. NULL: it is no longer what was opened. */
static FsBody *
body_of(const FsReader *reader)
{
    FsBody *body = fs_body_find(reader->bodies, reader->mailbox, reader->uid);
    CacheMessage message;

    if (body != NULL)
        return body;
    if (!find_message(reader, &message))
        return NULL;
    return fs_body_new(reader->bodies, reader->mailbox, &message);
}

/* What to wait for until the octets from @from up to @to are there; or their
 * blocks, or the message's beginning. */
static FsNeed *
want(const FsReader *reader, guint64 from, guint64 to)
{
    guint32 first = (guint32)(from / CACHE_BLOCK_SIZE);
    guint32 last = (guint32)((to - 1) / CACHE_BLOCK_SIZE);
    FsBody *body = body_of(reader);
    FsNeed *need;

    if (body == NULL)
        return stale_need();
    need = fs_need_ref(fs_body_need(body));
    if (body->whole)
        return need;
    if (to <= FS_HEAD_SIZE)
        fs_part_fetch_head(body);
    else
        fs_part_fetch_blocks(body, first, last - first + 1);
    if (fs_part_fetch_is_idle(body->parts))
        fs_body_finish(body, NULL);
    return need;
}

static FsNeed *
want_small(const FsReader *reader)
{
    FsMessageBodies *bodies = reader->bodies;
    gboolean expected =
        fs_read_ahead_opened(bodies->ahead, reader->mailbox, reader->uid, 0);
    CacheMessage message;
    FsNeed *need;

    if (!find_message(reader, &message))
        return stale_need();
    need = fs_message_bodies_need_whole(bodies, reader->mailbox, &message,
                                        expected);
    fs_read_ahead_plan(bodies->ahead, reader->mailbox);
    return need;
}

/* No more than the cache keeps until it is read; there may be several readers.
 */
static guint64
ahead_max(const FsReader *reader)
{
    guint64 room = cache_blocks_room(reader->bodies->account->blocks);

    return CLAMP(room / 4, AHEAD_FIRST, AHEAD_MAX);
}

/* Who reads on is given more and more before he asks. */
static void
look_ahead(FsReader *reader, guint64 offset, guint64 end)
{
    guint64 from = MAX(offset, reader->wanted);

    if (offset > reader->next + JITTER || offset + JITTER < reader->next) {
        reader->ahead = 0;
        reader->wanted = 0;
        reader->next = end;
        return;
    }
    reader->next = MAX(reader->next, end);
    if (end <= HEAD_ENOUGH)
        return;
    if (reader->ahead == 0)
        reader->ahead = end - offset >= READ_BY_MUCH ? AHEAD_MAX : AHEAD_FIRST;
    else if (reader->wanted >= end + reader->ahead / 2)
        return;
    if (reader->wanted >= reader->size)
        return;
    reader->ahead = MIN(reader->ahead * 2, ahead_max(reader));
    reader->wanted = MIN(reader->size, end + reader->ahead);
    fs_need_unref(want(reader, from, reader->wanted));
}

/* ---- reading ---- */

static gboolean
load(FsReader *reader, guint32 number)
{
    if (reader->block != NULL && reader->number == number)
        return TRUE;
    g_clear_pointer(&reader->block, g_bytes_unref);
    reader->block =
        fs_block_get(reader->bodies, reader->key, reader->size, number);
    reader->number = number;
    return reader->block != NULL;
}

GBytes *
fs_reader_content(FsReader *reader)
{
    return reader->size > 0 && reader->size <= CACHE_BLOCK_SIZE &&
                   load(reader, 0)
               ? reader->block
               : NULL;
}

/* Whether the octets up to @end are to be had, though perhaps not their block.
 */
static gboolean
read_head(FsReader *reader, guint64 offset, guint8 *buffer, guint64 end)
{
    if (!is_large(reader) || end > FS_HEAD_SIZE ||
        (reader->block != NULL && reader->number == 0))
        return FALSE;
    if (reader->head == NULL)
        reader->head = fs_head_get(reader->bodies, reader->key);
    if (reader->head == NULL)
        return FALSE;
    memcpy(buffer,
           (const guint8 *)g_bytes_get_data(reader->head, NULL) + offset,
           end - offset);
    return TRUE;
}

gboolean
fs_reader_has_read_all(const FsReader *reader)
{
    return reader->whole >= reader->size;
}

static gssize
note_read(FsReader *reader, guint64 offset, guint64 end)
{
    if (offset <= reader->whole)
        reader->whole = MAX(reader->whole, end);
    return (gssize)(end - offset);
}

gssize
fs_reader_read(FsReader *reader, guint64 offset, void *buffer, gsize length,
               FsNeed **need)
{
    guint64 end = MIN(reader->size, offset + length);
    guint8 *to = buffer;

    if (offset >= reader->size)
        return 0;
    if (is_large(reader))
        look_ahead(reader, offset, end);
    if (read_head(reader, offset, buffer, end))
        return note_read(reader, offset, end);
    for (guint64 at = offset; at < end;) {
        guint32 number = (guint32)(at / CACHE_BLOCK_SIZE);
        gsize skip = at % CACHE_BLOCK_SIZE;
        gsize taken = MIN(CACHE_BLOCK_SIZE - skip, end - at);

        if (!load(reader, number)) {
            *need =
                is_large(reader) ? want(reader, at, end) : want_small(reader);
            return -1;
        }
        memcpy(to, (const guint8 *)g_bytes_get_data(reader->block, NULL) + skip,
               taken);
        to += taken;
        at += taken;
    }
    return note_read(reader, offset, end);
}
