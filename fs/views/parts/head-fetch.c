/* Fetches the structures and headers of messages, many in one command; and then
 * their texts (fs/views/parts/head-texts.c).
 *
 * One message alone that cannot be had so is fetched whole. Of several, those
 * that somebody waits for are asked for alone.
 *
 * What is fetched ahead comes in batches. A server answers one command after
 * the other: if all structures were asked for first, no text would come before
 * the last of them. So those of a few batches are, and more each time that the
 * texts of one have been asked for. */
#include "fs/views/parts/head-fetch-private.h"

#include "fs/views/parts/structure-check.h"
#include "fs/views/text-form.h"
#include "imap/error.h"
#include "imap/part-requests.h"

/* Batches whose structures are awaited: enough for the line not to be idle, so
 * one more for what a server takes to answer one. */
#define ASKING_MIN 3u
#define ASKING_MAX 12u
#define BATCH_US 20000

/* What has so many parts that their structure is not proven is fetched whole,
 * up to this size: to ask for that many one by one takes longer. */
#define MANY_PARTS_MAX (1024u * 1024)

static void acquire(FsHeadBatch *batch);

static void
free_item(gpointer data)
{
    FsHeadItem *item = data;

    g_free(item->key);
    g_free(item->tree_key);
    fs_part_tree_unref(item->tree);
    fs_structure_proof_free(item->proof);
    if (item->contents != NULL)
        g_ptr_array_unref(item->contents);
    g_free(item);
}

static void
release(FsHeadBatch *batch)
{
    fs_leases_release(batch->maker->leases, g_steal_pointer(&batch->lease));
    g_clear_pointer(&batch->connection, imap_connection_unref);
}

void
fs_head_batch_free(gpointer data)
{
    FsHeadBatch *batch = data;

    release(batch);
    g_hash_table_unref(batch->items);
    g_clear_error(&batch->error);
    fs_part_maker_unref(batch->maker);
    g_free(batch);
}

FsHeadItem *
fs_head_batch_find(FsHeadBatch *batch, guint32 uid)
{
    return g_hash_table_lookup(batch->items, GUINT_TO_POINTER(uid));
}

void
fs_head_batch_end_item(FsHeadBatch *batch, FsHeadItem *item,
                       const GError *error)
{
    g_autofree char *key = g_steal_pointer(&item->key);

    if (key != NULL)
        fs_part_job_end(batch->maker, key, error);
}

/* ---- one batch after the other ---- */

static void
ask(FsHeadBatch *batch)
{
    batch->asking = TRUE;
    batch->maker->n_asking++;
    acquire(batch);
}

static guint
asking_max(const FsPartMaker *maker)
{
    ImapPoolLine line;

    imap_pool_line(maker->account->pool, &line);
    return (guint)CLAMP(ASKING_MIN + line.round_trip_us / BATCH_US, ASKING_MIN,
                        ASKING_MAX);
}

static void
ask_or_wait(FsHeadBatch *batch)
{
    if (!batch->ahead)
        acquire(batch);
    else if (batch->maker->n_asking < asking_max(batch->maker))
        ask(batch);
    else
        g_queue_push_tail(&batch->maker->to_ask, batch);
}

/* The structures of @batch have come, or are not going to. */
static void
end_asking(FsHeadBatch *batch)
{
    FsPartMaker *maker = batch->maker;
    FsHeadBatch *next;

    if (!batch->asking)
        return;
    batch->asking = FALSE;
    maker->n_asking--;
    next = g_queue_pop_head(&maker->to_ask);
    if (next != NULL)
        ask(next);
}

void
fs_view_heads_drop(FsPartMaker *maker)
{
    g_queue_clear_full(&maker->to_ask, fs_head_batch_free);
}

/* ---- the end ---- */

/* What failed on the line is not tried again and again. */
static void
end_following(FsPartMaker *maker, const GError *error)
{
    GQueue following = maker->to_ask;
    FsHeadBatch *batch;

    g_queue_init(&maker->to_ask);
    while ((batch = g_queue_pop_head(&following)) != NULL)
        fs_head_batch_end(batch, error);
}

void
fs_head_batch_end(FsHeadBatch *batch, const GError *error)
{
    gboolean alone = g_hash_table_size(batch->items) == 1;
    GHashTableIter iter;
    gpointer value;

    if (error != NULL && batch->ahead)
        end_following(batch->maker, error);
    end_asking(batch);
    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsHeadItem *item = value;

        if (item->key == NULL)
            continue;
        if (error == NULL && (alone || item->useless))
            fs_part_maker_distrust(batch->maker, batch->mailbox, item->uid);
        fs_head_batch_end_item(batch, item, batch->ahead ? NULL : error);
    }
    if (batch->done != NULL)
        batch->done(error, batch->user_data);
    fs_head_batch_free(batch);
}

const GError *
fs_head_batch_fault_of_line(const FsHeadBatch *batch, const GError *error)
{
    /* What is beyond a bound may be this one message. */
    if (fs_part_is_refusal(error) ||
        (g_hash_table_size(batch->items) == 1 &&
         g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL)))
        return NULL;
    return error;
}

gboolean
fs_head_batch_begins_again(FsHeadBatch *batch, const GError *error)
{
    if (!imap_retry_is_due(&batch->retry, batch->connection, error))
        return FALSE;
    release(batch);
    g_clear_error(&batch->error);
    acquire(batch);
    return TRUE;
}

/* ---- structures ---- */

static void
unref_bytes(gpointer bytes)
{
    if (bytes != NULL)
        g_bytes_unref(bytes);
}

static void
take_header(FsHeadBatch *batch, FsHeadItem *item, GBytes *header)
{
    GBytes *text;
    gsize length;
    const char *data = g_bytes_get_data(header, &length);

    text = g_string_free_to_bytes(fs_header_to_text(data, length));
    /* The header comes first in each tree. */
    item->contents = g_ptr_array_new_with_free_func(unref_bytes);
    g_ptr_array_set_size(item->contents, (int)item->tree->parts->len);
    item->contents->pdata[1] = text;
    batch->maker->n_octets += length;
}

/* What the server says of the parts holds. */
static void
believe(FsHeadBatch *batch, FsHeadItem *item)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    fs_part_maker_keep_tree(batch->maker, item->tree_key, item->tree);
    if (cache_index_message(batch->maker->account->index, batch->mailbox,
                            item->uid, &message)) {
        key = fs_part_content_key(batch->mailbox, &message, FALSE, 1);
        fs_part_maker_keep(batch->maker, key,
                           g_ptr_array_index(item->contents, 1));
    }
    fs_head_batch_end_item(batch, item, NULL);
}

/* Whether the header can be read in one way only, and says the same. */
static gboolean
agrees(GBytes *header, const ImapStructure *structure)
{
    gsize length;
    const char *data = g_bytes_get_data(header, &length);
    const ImapPart *first = g_ptr_array_index(structure->parts, 0);

    return fs_mime_fields_are_plain(data, length) &&
           fs_mime_fields_say_multipart(data, length) ==
               (first->kind == IMAP_PART_MULTIPART);
}

static gboolean
is_doubtful(const ImapFetch *fetch)
{
    /* Of what is too large to be fetched whole, anything is better. */
    if (fetch->has_size && fetch->size > FS_WHOLE_MESSAGE_MAX)
        return FALSE;
    if (fetch->structure->parts->len > FS_PROOF_PARTS_MAX && fetch->has_size &&
        fetch->size <= MANY_PARTS_MAX)
        return TRUE;
    return fs_structure_is_doubtful(fetch->structure) ||
           !agrees(fetch->header, fetch->structure);
}

static void
on_head(const ImapFetch *fetch, gpointer user_data)
{
    FsHeadBatch *batch = user_data;
    FsHeadItem *item = batch->maker->account != NULL
                           ? fs_head_batch_find(batch, fetch->uid)
                           : NULL;
    g_autoptr(GArray) parts = NULL;

    if (item == NULL || item->tree != NULL)
        return;
    /* It may be a stand-in that the server makes for what is gone. */
    item->useless =
        fetch->structure == NULL || fetch->header == NULL ||
        fetch->header_is_cut ||
        (item->size != 0 && fetch->has_size && fetch->size != item->size);
    item->useless = item->useless || is_doubtful(fetch);
    if (item->useless)
        return;
    parts = fs_mime_parts_of_structure(fetch->structure);
    item->tree = fs_part_tree_new(parts, FALSE);
    item->useless = item->tree == NULL;
    if (item->useless)
        return;
    take_header(batch, item, fetch->header);
    if (batch->with_text)
        return;
    /* Of what is too large to be fetched whole, anything is better. */
    if (fetch->has_size && fetch->size <= FS_WHOLE_MESSAGE_MAX)
        item->proof = fs_structure_proof_new(fetch->structure, fetch->header,
                                             fetch->size);
    if (item->proof == NULL)
        believe(batch, item);
}

static gboolean check_one(FsHeadBatch *batch);

/* A FsStructureCheckFunc. */
static void
on_checked(gboolean doubtful, gpointer user_data)
{
    FsHeadBatch *batch = user_data;
    FsHeadItem *item = batch->checked;

    batch->checked = NULL;
    if (batch->maker->account == NULL) {
        fs_head_batch_free(batch);
        return;
    }
    item->useless = doubtful;
    if (!doubtful)
        believe(batch, item);
    if (!check_one(batch))
        fs_head_batch_end(batch, NULL);
}

/* FALSE: there is nothing to be checked. */
static gboolean
check_one(FsHeadBatch *batch)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsHeadItem *item = value;

        if (item->proof == NULL)
            continue;
        batch->checked = item;
        fs_structure_check(batch->connection, item->uid,
                           g_steal_pointer(&item->proof), on_checked, batch);
        return TRUE;
    }
    return FALSE;
}

static void
on_heads_done(const GError *error, gpointer user_data)
{
    FsHeadBatch *batch = user_data;

    if (batch->maker->account == NULL)
        fs_head_batch_free(batch);
    else if (error != NULL && fs_head_batch_begins_again(batch, error))
        return;
    else if (error == NULL && !batch->with_text && check_one(batch))
        return;
    else if (error != NULL || !batch->with_text || !fs_head_texts_fetch(batch))
        fs_head_batch_end(batch, fs_head_batch_fault_of_line(batch, error));
    else
        end_asking(batch);
}

static const ImapHeadsHandler heads_handler = {
    .head = on_head,
    .done = on_heads_done,
};

/* ---- asking ---- */

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsHeadBatch *batch = user_data;
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();
    GHashTableIter iter;
    gpointer value;

    if (lease == NULL) {
        fs_head_batch_end(batch, error);
        return;
    }
    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsHeadItem *item = value;

        if (item->key == NULL)
            continue;
        g_clear_pointer(&item->tree, fs_part_tree_unref);
        g_clear_pointer(&item->contents, g_ptr_array_unref);
        g_clear_pointer(&item->proof, fs_structure_proof_free);
        item->missing = 0;
        item->octets = 0;
        imap_uid_set_add(uids, item->uid, item->uid);
    }
    batch->lease = lease;
    batch->connection = imap_connection_ref(imap_lease_connection(lease));
    if (imap_uid_set_n_ranges(uids) == 0) {
        fs_head_batch_end(batch, NULL);
        return;
    }
    imap_request_heads(batch->connection, uids, NULL, &heads_handler, batch);
}

static void
acquire(FsHeadBatch *batch)
{
    fs_leases_acquire(batch->maker->leases, batch->mailbox,
                      batch->ahead ? IMAP_LEASE_BULK_LIGHT : IMAP_LEASE_SINGLE,
                      on_lease, batch, fs_head_batch_free);
}

static void
add_item(FsHeadBatch *batch, guint32 uid)
{
    CacheMessage message;
    FsHeadItem *item;

    if (!cache_index_message(batch->maker->account->index, batch->mailbox, uid,
                             &message))
        return;
    item = g_new0(FsHeadItem, 1);
    item->uid = uid;
    item->tree_key = fs_part_tree_key(batch->mailbox, &message);
    item->key = batch->with_text ? fs_part_text_key(batch->mailbox, &message)
                                 : g_strdup(item->tree_key);
    item->size = message.size_verified ? 0 : message.size;
    fs_part_job_begin(batch->maker, item->key);
    g_hash_table_insert(batch->items, GUINT_TO_POINTER(uid), item);
}

void
fs_view_heads_fetch(FsPartMaker *maker, guint32 mailbox, const GArray *uids,
                    gboolean with_text, gboolean ahead, FsTextsFunc done,
                    gpointer user_data)
{
    FsHeadBatch *batch = g_new0(FsHeadBatch, 1);

    batch->maker = fs_part_maker_ref(maker);
    batch->mailbox = mailbox;
    batch->with_text = with_text;
    batch->ahead = ahead;
    batch->items = g_hash_table_new_full(NULL, NULL, NULL, free_item);
    batch->done = done;
    batch->user_data = user_data;
    imap_retry_begin(&batch->retry);
    for (guint i = 0; i < uids->len; i++)
        add_item(batch, g_array_index(uids, guint32, i));
    ask_or_wait(batch);
}
