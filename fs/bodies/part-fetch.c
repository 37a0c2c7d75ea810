/* Fetching large messages in ranges.
 *
 * Each range is a command of its own, and all that is wanted at one time goes
 * out at once. A range that comes shorter or longer than what was asked for
 * shows that the server's idea of the message is not ours: then the message is
 * fetched whole. */
#include "fs/bodies/part-fetch.h"

#include "fs/bodies/body-fetch.h"
#include "fs/bodies/body-writer.h"
#include "imap/error.h"
#include "imap/requests.h"

/* Blocks of one command. */
#define RANGE_MAX (8u * 1024 * 1024 / CACHE_BLOCK_SIZE)

typedef enum {
    PART_HEAD,   /* the first FS_HEAD_SIZE octets */
    PART_PROOF,  /* the last octet, and what is behind it */
    PART_BLOCKS, /* some blocks */
} PartKind;

/* A range. */
typedef struct {
    FsPartFetch *parts; /* a reference */
    PartKind kind;
    guint32 first; /* blocks */
    guint32 count;
    GBytes *head; /* of blocks from 0 on: what need not be asked for */
    guint64 offset;
    guint32 length; /* that must come */
    ImapRetry retry;
    guint64 arrived;
    GByteArray *octets;         /* of the head */
    FsBodyWriter *writer;       /* of blocks */
    gboolean ok;                /* it has come, and was as it must be */
    ImapConnection *connection; /* a reference */
} Part;

/* Reference counted, for replies may come after the end. */
struct FsPartFetch {
    FsBody *body; /* borrowed; NULL after the end */
    FsMessageBodies *bodies;
    char *key;
    ImapLease *lease;
    gboolean asked;     /* for a lease */
    GQueue waiting;     /* of Part, for the lease */
    GHashTable *coming; /* blocks, as pointers, of all parts */
    guint n_parts;      /* that wait, or are under way */
    gboolean proving;
    GBytes *head; /* held back until the size is proven */
};

/* The name of the block that the beginning is. Caller frees. */
static char *
head_key_of(const char *key)
{
    return g_strconcat(key, "/head", NULL);
}

GBytes *
fs_head_get(FsMessageBodies *bodies, const char *key)
{
    g_autofree char *head_key = head_key_of(key);
    g_autoptr(GBytes) head =
        cache_blocks_get(bodies->account->blocks, head_key, 0);

    if (head == NULL || g_bytes_get_size(head) != FS_HEAD_SIZE)
        return NULL;
    return g_steal_pointer(&head);
}

static void
parts_clear(gpointer data)
{
    FsPartFetch *parts = data;

    fs_leases_release(parts->bodies->leases, parts->lease);
    g_hash_table_unref(parts->coming);
    g_clear_pointer(&parts->head, g_bytes_unref);
    g_free(parts->key);
    fs_message_bodies_unref(parts->bodies);
}

static void
parts_unref(FsPartFetch *parts)
{
    g_rc_box_release_full(parts, parts_clear);
}

static void
part_free(Part *part)
{
    parts_unref(part->parts);
    g_clear_pointer(&part->head, g_bytes_unref);
    g_clear_pointer(&part->octets, g_byte_array_unref);
    fs_body_writer_free(part->writer);
    if (part->connection != NULL)
        imap_connection_unref(part->connection);
    g_free(part);
}

void
fs_part_fetch_free(FsPartFetch *parts)
{
    Part *part;

    if (parts == NULL)
        return;
    parts->body = NULL;
    fs_leases_release(parts->bodies->leases, g_steal_pointer(&parts->lease));
    while ((part = g_queue_pop_head(&parts->waiting)) != NULL)
        part_free(part);
    parts_unref(parts);
}

static FsPartFetch *
parts_of(FsBody *body)
{
    FsPartFetch *parts = body->parts;

    if (parts != NULL)
        return parts;
    parts = body->parts = g_rc_box_new0(FsPartFetch);
    parts->body = body;
    parts->bodies = fs_message_bodies_ref(body->bodies);
    parts->key = fs_body_key(body, body->announced);
    parts->coming = g_hash_table_new(NULL, NULL);
    g_queue_init(&parts->waiting);
    return parts;
}

gboolean
fs_part_fetch_is_idle(const FsPartFetch *parts)
{
    return parts->n_parts == 0;
}

/* ---- the end ---- */

/* What has come of parts is not to be trusted. */
static void
fetch_whole(FsPartFetch *parts)
{
    FsBody *body = parts->body;

    fs_account_say(body->bodies->account,
                   "message %u is fetched whole: the server's size, or what it "
                   "sends of it in part, is not right",
                   body->uid);
    g_clear_pointer(&body->parts, fs_part_fetch_free);
    fs_body_fetch_alone(body);
}

static void
keep_head(FsPartFetch *parts)
{
    g_autofree char *key = head_key_of(parts->key);

    if (parts->head != NULL)
        cache_blocks_put(parts->bodies->account->blocks, key, 0, parts->head);
}

/* Once nothing is under way. */
static void
end(FsPartFetch *parts)
{
    FsBody *body = parts->body;

    if (parts->proving && !fs_body_settle(body, body->announced))
        return;
    keep_head(parts);
    fs_body_finish(body, NULL);
}

static void send_waiting(FsPartFetch *parts);

/* A refusal, too, may be of parts alone: the message is asked for once more. */
static void
part_failed(Part *part, const GError *error)
{
    FsPartFetch *parts = part->parts;

    if (imap_retry_is_due(&part->retry, part->connection, error)) {
        /* The first that is cut off; the others may find a new one here. */
        if (parts->lease != NULL &&
            imap_lease_connection(parts->lease) == part->connection)
            fs_leases_release(parts->bodies->leases,
                              g_steal_pointer(&parts->lease));
        g_queue_push_tail(&parts->waiting, part);
        send_waiting(parts);
        return;
    }
    if (error != NULL && error->code < IMAP_ERROR_NO &&
        !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL))
        fs_body_finish(parts->body, error);
    else
        fetch_whole(parts);
    part_free(part);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Part *part = user_data;
    FsPartFetch *parts = part->parts;

    if (parts->body == NULL) {
        part_free(part);
        return;
    }
    if (!part->ok) {
        part_failed(part, error);
        return;
    }
    for (guint32 i = 0; i < part->count; i++)
        g_hash_table_remove(parts->coming, GUINT_TO_POINTER(part->first + i));
    parts->n_parts--;
    if (parts->n_parts == 0)
        end(parts);
    part_free(part);
}

/* ---- what the server sends ---- */

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Part *part = user_data;
    FsPartFetch *parts = part->parts;

    if (parts->body == NULL)
        return;
    part->arrived = 0;
    g_clear_pointer(&part->octets, g_byte_array_unref);
    g_clear_pointer(&part->writer, fs_body_writer_free);
    if (size != part->length)
        return;
    if (part->kind == PART_HEAD) {
        part->octets = g_byte_array_sized_new(part->length);
    } else if (part->kind == PART_BLOCKS) {
        /* Whose they are is known at the end only, from some servers. */
        part->writer = fs_body_writer_new(
            parts->bodies->account->blocks, uid != 0 ? parts->key : NULL,
            part->first,
            size + (part->head != NULL ? g_bytes_get_size(part->head) : 0));
        if (part->head != NULL)
            fs_body_writer_append(part->writer,
                                  g_bytes_get_data(part->head, NULL),
                                  g_bytes_get_size(part->head));
    }
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    Part *part = user_data;
    FsPartFetch *parts = part->parts;

    part->arrived += length;
    if (parts->body == NULL)
        return;
    if (part->octets != NULL)
        g_byte_array_append(part->octets, data, (guint)length);
    if (part->writer != NULL &&
        fs_body_writer_append(part->writer, data, length))
        fs_need_progress(fs_body_need(parts->body));
    fs_message_bodies_pause_if_behind(parts->bodies, part->connection);
}

static void
on_end(guint32 uid, gpointer user_data)
{
    Part *part = user_data;
    FsPartFetch *parts = part->parts;

    if (parts->body == NULL || part->arrived != part->length)
        return;
    part->ok = part->kind != PART_BLOCKS ||
               fs_body_writer_finish(part->writer, parts->key);
    if (part->kind == PART_HEAD) {
        g_clear_pointer(&parts->head, g_bytes_unref);
        parts->head =
            g_byte_array_free_to_bytes(g_steal_pointer(&part->octets));
        if (!parts->proving)
            keep_head(parts);
    }
    /* Others may keep this from ending for long. */
    if (part->ok && !parts->proving)
        fs_need_progress(fs_body_need(parts->body));
}

static void
on_discard(gpointer user_data)
{
    Part *part = user_data;

    part->ok = FALSE;
    g_clear_pointer(&part->octets, g_byte_array_unref);
    g_clear_pointer(&part->writer, fs_body_writer_free);
}

static const ImapBodiesHandler handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

/* ---- the beginning ---- */

static void
send_part(FsPartFetch *parts, Part *part)
{
    /* Of the proof one octet must come, and two might. */
    guint32 length = part->kind == PART_PROOF ? 2 : part->length;

    if (part->connection != NULL)
        imap_connection_unref(part->connection);
    part->connection = imap_connection_ref(imap_lease_connection(parts->lease));
    imap_request_fetch_part(part->connection, parts->body->uid, part->offset,
                            length, &handler, part);
}

static void
unref_parts(gpointer parts)
{
    parts_unref(parts);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsPartFetch *parts = user_data;

    parts->asked = FALSE;
    if (parts->body == NULL) {
        fs_leases_release(parts->bodies->leases, lease);
    } else if (lease == NULL) {
        fs_body_finish(parts->body, error);
    } else {
        parts->lease = lease;
        send_waiting(parts);
    }
    parts_unref(parts);
}

static void
send_waiting(FsPartFetch *parts)
{
    Part *part;

    if (parts->lease == NULL) {
        if (!parts->asked)
            fs_leases_acquire_to_fetch(
                parts->bodies->leases, parts->body->mailbox, IMAP_LEASE_SINGLE,
                on_lease, g_rc_box_acquire(parts), unref_parts);
        parts->asked = TRUE;
        return;
    }
    while ((part = g_queue_pop_head(&parts->waiting)) != NULL)
        send_part(parts, part);
}

static Part *
add_part(FsPartFetch *parts, PartKind kind, guint64 offset, guint64 length)
{
    Part *part = g_new0(Part, 1);

    part->parts = g_rc_box_acquire(parts);
    part->kind = kind;
    part->offset = offset;
    part->length = (guint32)length;
    imap_retry_begin(&part->retry);
    g_queue_push_tail(&parts->waiting, part);
    parts->n_parts++;
    return part;
}

static void
want_head(FsPartFetch *parts)
{
    g_autoptr(GBytes) head = fs_head_get(parts->bodies, parts->key);
    Part *part;

    if (head != NULL ||
        g_hash_table_contains(parts->coming, GUINT_TO_POINTER(0)))
        return;
    part = add_part(parts, PART_HEAD, 0, FS_HEAD_SIZE);
    part->count = 1;
    g_hash_table_add(parts->coming, GUINT_TO_POINTER(0));
}

void
fs_part_fetch_prove(FsBody *body)
{
    FsPartFetch *parts = parts_of(body);

    parts->proving = TRUE;
    want_head(parts);
    add_part(parts, PART_PROOF, body->announced - 1, 1);
    send_waiting(parts);
}

void
fs_part_fetch_head(FsBody *body)
{
    FsPartFetch *parts = parts_of(body);

    want_head(parts);
    send_waiting(parts);
}

static void
want_range(FsPartFetch *parts, guint32 first, guint32 count)
{
    guint64 start = (guint64)first * CACHE_BLOCK_SIZE;
    guint64 stop =
        MIN(parts->body->announced, start + (guint64)count * CACHE_BLOCK_SIZE);
    GBytes *head = first == 0 ? fs_head_get(parts->bodies, parts->key) : NULL;
    Part *part;

    if (head != NULL)
        start += FS_HEAD_SIZE;
    part = add_part(parts, PART_BLOCKS, start, stop - start);
    part->head = head;
    part->first = first;
    part->count = count;
    for (guint32 i = first; i < first + count; i++)
        g_hash_table_add(parts->coming, GUINT_TO_POINTER(i));
}

void
fs_part_fetch_blocks(FsBody *body, guint32 first, guint32 count)
{
    FsPartFetch *parts = parts_of(body);
    CacheBlocks *blocks = parts->bodies->account->blocks;
    guint32 run = 0; /* blocks before this one that are missing */

    for (guint32 i = first; i < first + count; i++) {
        gboolean missing =
            !g_hash_table_contains(parts->coming, GUINT_TO_POINTER(i)) &&
            !cache_blocks_has(blocks, parts->key, i);

        run += missing;
        if (run > 0 && (!missing || run == RANGE_MAX)) {
            want_range(parts, missing ? i + 1 - run : i - run, run);
            run = 0;
        }
    }
    if (run > 0)
        want_range(parts, first + count - run, run);
    if (parts->waiting.length > 0)
        send_waiting(parts);
}
