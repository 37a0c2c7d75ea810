/* Fetches the structures and headers of messages, and then their texts, many in
 * one command: first what the messages hold; then, for each section in which
 * some of them have text, one command for all of these.
 *
 * One message alone that cannot be had so is fetched whole. Of several, those
 * that somebody waits for are asked for alone.
 *
 * What is fetched ahead comes in batches. A server answers one command after
 * the other: if all structures were asked for first, no text would come before
 * the last of them. So those of a few batches are, and more each time that the
 * texts of one have been asked for. */
#include "fs/views/part-maker-private.h"

#include "fs/views/structure-check.h"
#include "fs/views/text-form.h"
#include "fs/views/whole-message.h"
#include "imap/error.h"
#include "imap/part-requests.h"
#include "imap/retry.h"

#include <string.h>

/* Batches whose structures are awaited: enough for the line not to be idle, so
 * one more for what a server takes to answer one. */
#define ASKING_MIN 3u
#define ASKING_MAX 12u
#define BATCH_US 20000
/* For what is announced to come. */
#define RESERVED_MAX (64u * 1024)

typedef struct {
    guint32 uid;
    char *key; /* of the job; NULL: it is over */
    char *tree_key;
    guint64 size; /* of the message, as it is known; 0: not to be compared */
    FsPartTree *tree;        /* NULL: it has not come */
    GPtrArray *contents;     /* of GBytes, as in FsWholeMessage; or NULL */
    guint missing;           /* of these */
    gboolean useless;        /* its structure */
    FsStructureProof *proof; /* of that; NULL: it is believed */
} Item;

typedef struct {
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    gboolean with_text;
    gboolean ahead;
    gboolean asking;   /* counted in n_asking */
    GHashTable *items; /* by UID: of Item, owned */
    ImapLease *lease;
    ImapConnection *connection; /* a reference */
    ImapRetry retry;
    Item *checked;    /* its structure is being proven */
    guint n_requests; /* under way */
    GError *error;    /* the first that one of them had */
    FsTextsFunc done;
    gpointer user_data;
} Batch;

/* A section that is being fetched, of several messages. */
typedef struct {
    Batch *batch;
    char *section;
    gboolean is_header;
    GByteArray *incoming; /* NULL: it is passed over */
} Section;

static void acquire(Batch *batch);

static void
free_item(gpointer data)
{
    Item *item = data;

    g_free(item->key);
    g_free(item->tree_key);
    fs_part_tree_unref(item->tree);
    fs_structure_proof_free(item->proof);
    if (item->contents != NULL)
        g_ptr_array_unref(item->contents);
    g_free(item);
}

static void
release(Batch *batch)
{
    fs_leases_release(batch->maker->leases, g_steal_pointer(&batch->lease));
    g_clear_pointer(&batch->connection, imap_connection_unref);
}

static void
batch_free(gpointer data)
{
    Batch *batch = data;

    release(batch);
    g_hash_table_unref(batch->items);
    g_clear_error(&batch->error);
    fs_part_maker_unref(batch->maker);
    g_free(batch);
}

static Item *
find_item(Batch *batch, guint32 uid)
{
    return g_hash_table_lookup(batch->items, GUINT_TO_POINTER(uid));
}

static void
end_item(Batch *batch, Item *item, const GError *error)
{
    g_autofree char *key = g_steal_pointer(&item->key);

    if (key != NULL)
        fs_part_job_end(batch->maker, key, error);
}

/* ---- one batch after the other ---- */

static void
ask(Batch *batch)
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
ask_or_wait(Batch *batch)
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
end_asking(Batch *batch)
{
    FsPartMaker *maker = batch->maker;
    Batch *next;

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
    g_queue_clear_full(&maker->to_ask, batch_free);
}

/* ---- the end ---- */

static void end_batch(Batch *batch, const GError *error);

/* What failed on the line is not tried again and again. */
static void
end_following(FsPartMaker *maker, const GError *error)
{
    GQueue following = maker->to_ask;
    Batch *batch;

    g_queue_init(&maker->to_ask);
    while ((batch = g_queue_pop_head(&following)) != NULL)
        end_batch(batch, error);
}

/* @error: of the line; NULL: the server has not sent what was asked for. */
static void
end_batch(Batch *batch, const GError *error)
{
    gboolean alone = g_hash_table_size(batch->items) == 1;
    GHashTableIter iter;
    gpointer value;

    if (error != NULL && batch->ahead)
        end_following(batch->maker, error);
    end_asking(batch);
    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Item *item = value;

        if (item->key == NULL)
            continue;
        if (error == NULL && (alone || item->useless))
            fs_part_maker_distrust(batch->maker, batch->mailbox, item->uid);
        end_item(batch, item, batch->ahead ? NULL : error);
    }
    if (batch->done != NULL)
        batch->done(error, batch->user_data);
    batch_free(batch);
}

/* Whether the line is to blame, and not the message. */
static const GError *
fault_of_line(const Batch *batch, const GError *error)
{
    /* What is beyond a bound may be this one message. */
    if (fs_part_is_refusal(error) ||
        (g_hash_table_size(batch->items) == 1 &&
         g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL)))
        return NULL;
    return error;
}

static gboolean
begins_again(Batch *batch, const GError *error)
{
    if (!imap_retry_is_due(&batch->retry, batch->connection, error))
        return FALSE;
    release(batch);
    g_clear_error(&batch->error);
    acquire(batch);
    return TRUE;
}

/* ---- texts ---- */

static void
finish_text(Batch *batch, Item *item)
{
    g_autoptr(GBytes) text =
        g_string_free_to_bytes(fs_part_text_of(item->tree, item->contents));

    fs_part_maker_keep(batch->maker, item->key, text);
    batch->maker->n_texts++;
    end_item(batch, item, NULL);
    g_clear_pointer(&item->contents, g_ptr_array_unref);
}

/* All parts of @item that are in @section. */
static void
set_content(Batch *batch, Item *item, const Section *section, GBytes *octets)
{
    for (guint i = 0; item->missing > 0 && i < item->tree->parts->len; i++) {
        const FsPart *part = fs_part_tree_get(item->tree, i);

        if (g_ptr_array_index(item->contents, i) != NULL ||
            (part->kind == FS_PART_HEADER) != section->is_header ||
            part->kind == FS_PART_DIRECTORY ||
            (part->kind == FS_PART_CONTENT && part->charset == NULL) ||
            !g_str_equal(part->section, section->section))
            continue;
        item->contents->pdata[i] = g_bytes_ref(octets);
        item->missing--;
    }
    if (item->missing == 0)
        finish_text(batch, item);
}

static const FsPart *
part_of(const Item *item, const char *section)
{
    for (guint i = 0; i < item->tree->parts->len; i++) {
        const FsPart *part = fs_part_tree_get(item->tree, i);

        if (part->kind == FS_PART_CONTENT &&
            g_str_equal(part->section, section))
            return part;
    }
    return NULL;
}

static GBytes *
decode(const FsPart *part, const GByteArray *octets)
{
    FsPartDecoder *decoder = fs_part_decoder_new(part->encoding);
    GByteArray *decoded = g_byte_array_new();
    const char *encoded = octets->len > 0 ? (const char *)octets->data : "";
    gsize length = 0;
    const char *data =
        fs_part_decoder_step(decoder, encoded, octets->len, TRUE, &length);

    if (length > 0)
        g_byte_array_append(decoded, (const guint8 *)data, (guint)length);
    fs_part_decoder_free(decoder);
    return fs_part_content_of(decoded, part->charset);
}

static Item *
item_in_want(Section *section, guint32 uid)
{
    Batch *batch = section->batch;
    Item *item = batch->maker->account != NULL ? find_item(batch, uid) : NULL;

    return item != NULL && item->key != NULL && item->contents != NULL ? item
                                                                       : NULL;
}

static void
on_section_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Section *section = user_data;

    g_clear_pointer(&section->incoming, g_byte_array_unref);
    if (size <= FS_TEXT_MAX)
        section->incoming =
            g_byte_array_sized_new((guint)MIN(size, RESERVED_MAX));
}

static void
on_section_data(const guint8 *data, gsize length, gpointer user_data)
{
    Section *section = user_data;

    if (section->incoming != NULL)
        g_byte_array_append(section->incoming, data, (guint)length);
}

static void
on_section_end(guint32 uid, gpointer user_data)
{
    Section *section = user_data;
    Item *item = item_in_want(section, uid);
    g_autoptr(GByteArray) incoming = g_steal_pointer(&section->incoming);
    g_autoptr(GBytes) content = NULL;

    if (item == NULL || incoming == NULL)
        return;
    section->batch->maker->n_octets += incoming->len;
    content = decode(part_of(item, section->section), incoming);
    set_content(section->batch, item, section, content);
}

static void
on_section_discard(gpointer user_data)
{
    Section *section = user_data;

    g_clear_pointer(&section->incoming, g_byte_array_unref);
}

static void
on_section_head(const ImapFetch *head, gpointer user_data)
{
    Section *section = user_data;
    Item *item = item_in_want(section, head->uid);
    g_autoptr(GBytes) content = NULL;
    const char *data;
    gsize length;

    if (item == NULL)
        return;
    data = g_bytes_get_data(head->header, &length);
    content = g_string_free_to_bytes(fs_header_to_text(data, length));
    set_content(section->batch, item, section, content);
}

static void
on_section_done(const GError *error, gpointer user_data)
{
    Section *section = user_data;
    Batch *batch = section->batch;

    g_clear_pointer(&section->incoming, g_byte_array_unref);
    g_free(section->section);
    g_free(section);
    if (error != NULL && batch->error == NULL)
        batch->error = g_error_copy(error);
    if (--batch->n_requests > 0)
        return;
    if (batch->maker->account == NULL)
        batch_free(batch);
    else if (!begins_again(batch, batch->error))
        end_batch(batch, fault_of_line(batch, batch->error));
}

static const ImapBodiesHandler section_handler = {
    .begin = on_section_begin,
    .data = on_section_data,
    .end = on_section_end,
    .discard = on_section_discard,
    .done = on_section_done,
};

static const ImapHeadsHandler section_head_handler = {
    .head = on_section_head,
    .done = on_section_done,
};

/* Notes that @item wants the text of @part, and which command is to bring it:
 * sections by whether they are headers ("h") or not ("b"). */
static void
want(Item *item, const FsPart *part, guint index, GHashTable *sections)
{
    g_autofree char *name = NULL;
    ImapUidSet *uids;

    if (part->kind == FS_PART_DIRECTORY ||
        (part->kind == FS_PART_CONTENT && part->charset == NULL) ||
        g_ptr_array_index(item->contents, index) != NULL)
        return;
    if (part->octets > FS_TEXT_MAX) {
        item->contents->pdata[index] =
            g_bytes_new_static("[a text that is too long]\n",
                               strlen("[a text that is too long]\n"));
        return;
    }
    name = g_strconcat(part->kind == FS_PART_HEADER ? "h" : "b", part->section,
                       NULL);
    uids = g_hash_table_lookup(sections, name);
    if (uids == NULL) {
        uids = imap_uid_set_new();
        g_hash_table_insert(sections, g_steal_pointer(&name), uids);
    }
    imap_uid_set_add(uids, item->uid, item->uid);
    item->missing++;
}

static void
send_section(Batch *batch, const char *name, const ImapUidSet *uids)
{
    Section *section = g_new0(Section, 1);

    section->batch = batch;
    section->is_header = name[0] == 'h';
    section->section = g_strdup(name + 1);
    batch->n_requests++;
    if (section->is_header)
        imap_request_heads(batch->connection, uids, section->section,
                           &section_head_handler, section);
    else
        imap_request_fetch_section(batch->connection, uids, section->section,
                                   FALSE, &section_handler, section);
}

static void
free_uids(gpointer uids)
{
    imap_uid_set_free(uids);
}

/* FALSE when there is nothing to be fetched. */
static gboolean
send_sections(Batch *batch)
{
    g_autoptr(GHashTable) sections =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_uids);
    GHashTableIter iter;
    gpointer key;
    gpointer value;

    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Item *item = value;

        if (item->key == NULL || item->tree == NULL || item->useless)
            continue;
        for (guint i = 0; i < item->tree->parts->len; i++)
            want(item, fs_part_tree_get(item->tree, i), i, sections);
        if (item->missing == 0)
            finish_text(batch, item);
    }
    g_hash_table_iter_init(&iter, sections);
    while (g_hash_table_iter_next(&iter, &key, &value))
        send_section(batch, key, value);
    return batch->n_requests > 0;
}

/* ---- structures ---- */

static void
unref_bytes(gpointer bytes)
{
    if (bytes != NULL)
        g_bytes_unref(bytes);
}

static void
take_header(Batch *batch, Item *item, GBytes *header)
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
believe(Batch *batch, Item *item)
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
    end_item(batch, item, NULL);
}

static gboolean
has_plain_fields(GBytes *header)
{
    gsize length;
    const char *data = g_bytes_get_data(header, &length);

    return fs_mime_fields_are_plain(data, length);
}

static void
on_head(const ImapFetch *fetch, gpointer user_data)
{
    Batch *batch = user_data;
    Item *item =
        batch->maker->account != NULL ? find_item(batch, fetch->uid) : NULL;
    g_autoptr(GArray) parts = NULL;

    if (item == NULL || item->tree != NULL)
        return;
    /* It may be a stand-in that the server makes for what is gone. */
    item->useless =
        fetch->structure == NULL || fetch->header == NULL ||
        (item->size != 0 && fetch->has_size && fetch->size != item->size);
    item->useless = item->useless ||
                    fs_structure_is_doubtful(fetch->structure) ||
                    !has_plain_fields(fetch->header);
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

static gboolean check_one(Batch *batch);

/* A FsStructureCheckFunc. */
static void
on_checked(gboolean doubtful, gpointer user_data)
{
    Batch *batch = user_data;
    Item *item = batch->checked;

    batch->checked = NULL;
    if (batch->maker->account == NULL) {
        batch_free(batch);
        return;
    }
    item->useless = doubtful;
    if (!doubtful)
        believe(batch, item);
    if (!check_one(batch))
        end_batch(batch, NULL);
}

/* FALSE: there is nothing to be checked. */
static gboolean
check_one(Batch *batch)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Item *item = value;

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
    Batch *batch = user_data;

    if (batch->maker->account == NULL)
        batch_free(batch);
    else if (error != NULL && begins_again(batch, error))
        return;
    else if (error == NULL && !batch->with_text && check_one(batch))
        return;
    else if (error != NULL || !batch->with_text || !send_sections(batch))
        end_batch(batch, fault_of_line(batch, error));
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
    Batch *batch = user_data;
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();
    GHashTableIter iter;
    gpointer value;

    if (lease == NULL) {
        end_batch(batch, error);
        return;
    }
    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Item *item = value;

        if (item->key == NULL)
            continue;
        g_clear_pointer(&item->tree, fs_part_tree_unref);
        g_clear_pointer(&item->contents, g_ptr_array_unref);
        g_clear_pointer(&item->proof, fs_structure_proof_free);
        item->missing = 0;
        imap_uid_set_add(uids, item->uid, item->uid);
    }
    batch->lease = lease;
    batch->connection = imap_connection_ref(imap_lease_connection(lease));
    if (imap_uid_set_n_ranges(uids) == 0) {
        end_batch(batch, NULL);
        return;
    }
    imap_request_heads(batch->connection, uids, NULL, &heads_handler, batch);
}

static void
acquire(Batch *batch)
{
    fs_leases_acquire(batch->maker->leases, batch->mailbox,
                      batch->ahead ? IMAP_LEASE_BULK_LIGHT : IMAP_LEASE_SINGLE,
                      on_lease, batch, batch_free);
}

static void
add_item(Batch *batch, guint32 uid)
{
    CacheMessage message;
    Item *item;

    if (!cache_index_message(batch->maker->account->index, batch->mailbox, uid,
                             &message))
        return;
    item = g_new0(Item, 1);
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
    Batch *batch = g_new0(Batch, 1);

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
