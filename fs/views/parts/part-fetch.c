/* Fetches one part of a message, or the header of a message in it, and decodes
 * it while it comes. Text is decoded as a whole, for its character set may have
 * to be guessed; so it is bounded.
 *
 * A server with BINARY decodes by itself, which saves a quarter of what base64
 * costs; one that then says no is asked for the part as it was sent. */
#include "fs/views/parts/part-maker-private.h"

#include "fs/kernel/errno.h"
#include "fs/views/parts/base64-tail.h"
#include "fs/views/parts/tail-fetch.h"
#include "fs/views/parts/whole-message.h"
#include "fs/views/text-form.h"
#include "imap/error.h"
#include "imap/part-requests.h"
#include "imap/retry.h"

#include <string.h>

/* How much larger than it said a part may be. */
#define SURPLUS_MAX (16 * G_GUINT64_CONSTANT(1024) * 1024)
/* Who waits is told of progress each time so much has come. */
#define PROGRESS_OCTETS (256u * 1024)

typedef struct {
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    guint32 uid;
    char *key; /* of the job, and in the cache */
    gboolean is_header;
    char *section;
    char *encoding;
    char *charset; /* NULL: no text */
    guint64 octets;
    gboolean as_sent;  /* BINARY was refused, or would not do */
    gboolean decoded;  /* BINARY was asked for */
    gboolean is_known; /* how large it is then */
    guint64 size;
    guint n_requests; /* under way */
    GError *error;    /* of that for the part */
    ImapLease *lease;
    ImapConnection *connection; /* a reference */
    ImapRetry retry;
    gboolean made;

    /* What is coming. */
    FsPartDecoder *decoder;
    FsDecodedWriter *writer; /* of what is no text */
    GByteArray *text;        /* of text */
    guint64 since_progress;
    guint8 last; /* of its octets as they were sent */
} Fetch;

static void acquire(Fetch *fetch);

static void
clear_incoming(Fetch *fetch)
{
    g_clear_pointer(&fetch->decoder, fs_part_decoder_free);
    g_clear_pointer(&fetch->writer, fs_decoded_writer_free);
    g_clear_pointer(&fetch->text, g_byte_array_unref);
}

static void
release(Fetch *fetch)
{
    fs_leases_release(fetch->maker->leases, g_steal_pointer(&fetch->lease));
    g_clear_pointer(&fetch->connection, imap_connection_unref);
}

static void
fetch_free(gpointer data)
{
    Fetch *fetch = data;

    clear_incoming(fetch);
    release(fetch);
    fs_part_maker_unref(fetch->maker);
    g_clear_error(&fetch->error);
    g_free(fetch->key);
    g_free(fetch->section);
    g_free(fetch->encoding);
    g_free(fetch->charset);
    g_free(fetch);
}

static void
finish(Fetch *fetch, const GError *error)
{
    if (fetch->maker->account != NULL)
        fs_part_job_end(fetch->maker, fetch->key, error);
    fetch_free(fetch);
}

/* ---- what the server sends ---- */

static void
refuse_flood(Fetch *fetch, guint64 size)
{
    g_autoptr(GError) error =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                    "the server sends %" G_GUINT64_FORMAT
                    " octets for a part of %" G_GUINT64_FORMAT,
                    size, fetch->octets);

    imap_connection_close(fetch->connection, error);
}

/* Whether what comes can be the part. What is gone some servers replace, by
 * nothing or by a text of theirs. What was not decoded after all, or what each
 * decoder makes something else of, is not as large as it can only be. A message
 * that cannot be had as a whole is taken as it is. */
static gboolean
is_likely(const Fetch *fetch, guint64 size)
{
    CacheMessage message;

    if (fetch->decoded)
        return fetch->is_known && size == fetch->size;
    if (fetch->octets == 0)
        return TRUE;
    return size == fetch->octets ||
           (cache_index_message(fetch->maker->account->index, fetch->mailbox,
                                fetch->uid, &message) &&
            message.size > FS_WHOLE_MESSAGE_MAX);
}

/* Courier is wrong by an octet about the ends of some messages in messages: it
 * ends them amid the end of a line. */
static gboolean
is_cut(const Fetch *fetch)
{
    CacheMessage message;

    return !fetch->decoded && fetch->last == '\r' &&
           cache_index_message(fetch->maker->account->index, fetch->mailbox,
                               fetch->uid, &message) &&
           message.size <= FS_WHOLE_MESSAGE_MAX;
}

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Fetch *fetch = user_data;

    clear_incoming(fetch);
    if (fetch->maker->account == NULL)
        return;
    if (size > fetch->octets + SURPLUS_MAX) {
        refuse_flood(fetch, size);
        return;
    }
    if (!is_likely(fetch, size))
        return;
    fetch->last = 0;
    fetch->decoder = fs_part_decoder_new(fetch->decoded ? "" : fetch->encoding);
    if (fetch->charset != NULL)
        fetch->text = g_byte_array_new();
    else
        fetch->writer =
            fs_decoded_writer_new(fetch->maker->account->blocks, fetch->key);
}

/* Text that is too long to be decoded is passed on as the octets that it is. */
static void
spill(Fetch *fetch)
{
    fetch->writer =
        fs_decoded_writer_new(fetch->maker->account->blocks, fetch->key);
    fs_decoded_writer_append(fetch->writer, fetch->text->data,
                             fetch->text->len);
    g_clear_pointer(&fetch->text, g_byte_array_unref);
}

static void
take(Fetch *fetch, const guint8 *data, gsize length, gboolean last)
{
    gsize n = 0;
    const char *octets = fs_part_decoder_step(
        fetch->decoder, (const char *)data, length, last, &n);

    if (n == 0)
        return;
    if (fetch->text != NULL && fetch->text->len + n > FS_TEXT_MAX)
        spill(fetch);
    if (fetch->text != NULL)
        g_byte_array_append(fetch->text, (const guint8 *)octets, (guint)n);
    else
        fs_decoded_writer_append(fetch->writer, octets, n);
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    Fetch *fetch = user_data;
    FsNeed *need;

    if (fetch->maker->account == NULL || fetch->decoder == NULL)
        return;
    take(fetch, data, length, FALSE);
    fetch->last = data[length - 1];
    fs_message_bodies_pause_if_behind(fetch->maker->account->bodies,
                                      fetch->connection);
    fetch->since_progress += length;
    if (fetch->since_progress < PROGRESS_OCTETS)
        return;
    fetch->since_progress = 0;
    need = fs_part_job_find(fetch->maker, fetch->key);
    if (need != NULL)
        fs_need_progress(need);
}

static void
on_end(guint32 uid, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (fetch->maker->account == NULL || fetch->decoder == NULL)
        return;
    take(fetch, (const guint8 *)"", 0, TRUE);
    if (is_cut(fetch)) {
        clear_incoming(fetch);
        return;
    }
    fetch->made = TRUE;
    if (fetch->text != NULL) {
        g_autoptr(GBytes) content =
            fs_part_content_of(g_steal_pointer(&fetch->text), fetch->charset);

        fs_part_maker_keep(fetch->maker, fetch->key, content);
    } else {
        fs_part_maker_keep_size(fetch->maker, fetch->key,
                                fs_decoded_writer_finish(fetch->writer));
    }
    clear_incoming(fetch);
}

static void
on_discard(gpointer user_data)
{
    clear_incoming(user_data);
}

/* ---- the end ---- */

/* The server does not send what its structure speaks of. */
static void
give_up(Fetch *fetch)
{
    if (fetch->maker->account != NULL)
        fs_part_maker_distrust(fetch->maker, fetch->mailbox, fetch->uid);
    finish(fetch, NULL);
}

static void
conclude(Fetch *fetch)
{
    g_autoptr(GError) error = g_steal_pointer(&fetch->error);

    clear_incoming(fetch);
    if (fetch->maker->account == NULL || fetch->made) {
        finish(fetch, NULL);
    } else if (fetch->decoded ||
               imap_retry_is_due(&fetch->retry, fetch->connection, error)) {
        /* Dovecot hangs up on what it cannot decode to the end. */
        fetch->as_sent = fetch->as_sent || fetch->decoded;
        release(fetch);
        acquire(fetch);
    } else if (!fs_part_is_refusal(error)) {
        finish(fetch, error);
    } else {
        give_up(fetch);
    }
}

static void
on_done(const GError *error, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (error != NULL)
        fetch->error = g_error_copy(error);
    if (--fetch->n_requests == 0)
        conclude(fetch);
}

static void
on_tail_size(guint64 size, gpointer user_data)
{
    Fetch *fetch = user_data;

    fetch->is_known = TRUE;
    fetch->size = size;
}

static void
on_tail_done(gpointer user_data)
{
    on_done(NULL, user_data);
}

static const FsTailHandler tail_handler = {
    .size = on_tail_size,
    .done = on_tail_done,
};

static const ImapBodiesHandler handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

static void
on_head(const ImapFetch *head, gpointer user_data)
{
    Fetch *fetch = user_data;
    g_autoptr(GBytes) text = NULL;
    const char *data;
    gsize length;

    if (fetch->maker->account == NULL || head->header == NULL ||
        head->header_is_cut)
        return;
    data = g_bytes_get_data(head->header, &length);
    text = g_string_free_to_bytes(fs_header_to_text(data, length));
    fs_part_maker_keep(fetch->maker, fetch->key, text);
    fetch->made = TRUE;
}

static const ImapHeadsHandler head_handler = {
    .head = on_head,
    .done = on_done,
};

/* ---- asking ---- */

/* Texts are decoded here: of what was sent the size is known. */
static gboolean
is_for_server(const Fetch *fetch)
{
    return !fetch->as_sent && fetch->charset == NULL &&
           fetch->octets >= FS_BASE64_MIN &&
           g_str_equal(fetch->encoding, "base64") &&
           imap_connection_has(fetch->connection, "BINARY");
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Fetch *fetch = user_data;
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();

    if (lease == NULL) {
        finish(fetch, error);
        return;
    }
    imap_uid_set_add(uids, fetch->uid, fetch->uid);
    fetch->lease = lease;
    fetch->connection = imap_connection_ref(imap_lease_connection(lease));
    fetch->decoded = is_for_server(fetch);
    fetch->is_known = FALSE;
    fetch->n_requests = fetch->decoded ? 2 : 1;
    if (fetch->decoded)
        fs_tail_fetch(fetch->connection, fetch->uid, fetch->section,
                      fetch->octets, &tail_handler, fetch);
    if (fetch->is_header)
        imap_request_heads(fetch->connection, uids,
                           fetch->section[0] != '\0' ? fetch->section : NULL,
                           &head_handler, fetch);
    else
        imap_request_fetch_section(fetch->connection, uids, fetch->section,
                                   fetch->decoded, &handler, fetch);
}

static void
acquire(Fetch *fetch)
{
    fs_leases_acquire(fetch->maker->leases, fetch->mailbox, IMAP_LEASE_SINGLE,
                      on_lease, fetch, fetch_free);
}

void
fs_view_part_fetch(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                   const FsPart *part, const char *key)
{
    Fetch *fetch = g_new0(Fetch, 1);

    fetch->maker = fs_part_maker_ref(maker);
    fetch->mailbox = mailbox;
    fetch->uid = uid;
    fetch->key = g_strdup(key);
    fetch->is_header = part->kind == FS_PART_HEADER;
    fetch->section = g_strdup(part->section);
    fetch->encoding = g_strdup(part->encoding);
    fetch->charset = g_strdup(part->charset);
    fetch->octets = part->octets;
    imap_retry_begin(&fetch->retry);
    acquire(fetch);
}
