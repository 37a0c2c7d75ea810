/* Fetches the texts of messages whose structures have come: for each section in
 * which some of them have text, one command for all of these. */
#include "fs/views/parts/head-fetch-private.h"

#include "fs/views/parts/whole-message.h"
#include "fs/views/text-form.h"
#include "imap/part-requests.h"

#include <string.h>

/* For what is announced to come. */
#define RESERVED_MAX (64u * 1024)
/* Of texts that are fetched ahead in one batch: all but the last of a message
 * wait for that in memory. What is beyond is fetched when it is asked for. */
#define AHEAD_MAX (32u * 1024 * 1024)

/* A section that is being fetched, of several messages. */
typedef struct {
    FsHeadBatch *batch;
    char *section;
    gboolean is_header;
    GByteArray *incoming; /* NULL: it is passed over */
} Section;

static void
finish_text(FsHeadBatch *batch, FsHeadItem *item)
{
    g_autoptr(GBytes) text =
        g_string_free_to_bytes(fs_part_text_of(item->tree, item->contents));

    fs_part_maker_keep(batch->maker, item->key, text);
    batch->maker->n_texts++;
    fs_head_batch_end_item(batch, item, NULL);
    g_clear_pointer(&item->contents, g_ptr_array_unref);
}

/* All parts of @item that are in @section. */
static void
set_content(FsHeadBatch *batch, FsHeadItem *item, const Section *section,
            GBytes *octets)
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
part_of(const FsHeadItem *item, const char *section)
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

static FsHeadItem *
item_in_want(Section *section, guint32 uid)
{
    FsHeadBatch *batch = section->batch;
    FsHeadItem *item =
        batch->maker->account != NULL ? fs_head_batch_find(batch, uid) : NULL;

    return item != NULL && item->key != NULL && item->contents != NULL ? item
                                                                       : NULL;
}

/* Whether what comes can be the text: not nothing, as some servers make of a
 * message that is gone; nor so much more than was said that its bound would be
 * none. */
static gboolean
is_likely(Section *section, guint32 uid, guint64 size)
{
    const FsHeadItem *item = uid != 0 ? item_in_want(section, uid) : NULL;
    const FsPart *part = item != NULL ? part_of(item, section->section) : NULL;

    return part == NULL || part->octets == 0 ||
           (size > 0 && size <= 2 * part->octets + RESERVED_MAX);
}

static void
on_section_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Section *section = user_data;

    g_clear_pointer(&section->incoming, g_byte_array_unref);
    if (size <= FS_TEXT_MAX && is_likely(section, uid, size))
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
    FsHeadItem *item = item_in_want(section, uid);
    g_autoptr(GByteArray) incoming = g_steal_pointer(&section->incoming);
    g_autoptr(GBytes) content = NULL;

    if (item == NULL || incoming == NULL)
        return;
    section->batch->maker->n_octets += incoming->len;
    /* Courier is wrong by an octet about the ends of some, as in
     * fs/views/parts/part-fetch.c. */
    if (incoming->len > 0 && incoming->data[incoming->len - 1] == '\r' &&
        item->size <= FS_WHOLE_MESSAGE_MAX) {
        item->useless = TRUE;
        return;
    }
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
    FsHeadItem *item = item_in_want(section, head->uid);
    g_autoptr(GBytes) content = NULL;
    const char *data;
    gsize length;

    if (item == NULL || head->header_is_cut)
        return;
    data = g_bytes_get_data(head->header, &length);
    content = g_string_free_to_bytes(fs_header_to_text(data, length));
    set_content(section->batch, item, section, content);
}

static void
on_section_done(const GError *error, gpointer user_data)
{
    Section *section = user_data;
    FsHeadBatch *batch = section->batch;

    g_clear_pointer(&section->incoming, g_byte_array_unref);
    g_free(section->section);
    g_free(section);
    if (error != NULL && batch->error == NULL)
        batch->error = g_error_copy(error);
    if (--batch->n_requests > 0)
        return;
    if (batch->maker->account == NULL)
        fs_head_batch_free(batch);
    else if (!fs_head_batch_begins_again(batch, batch->error))
        fs_head_batch_end(batch,
                          fs_head_batch_fault_of_line(batch, batch->error));
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
want(FsHeadItem *item, const FsPart *part, guint index, GHashTable *sections)
{
    g_autofree char *name = NULL;
    ImapUidSet *uids;

    if (part->kind == FS_PART_DIRECTORY ||
        (part->kind == FS_PART_CONTENT && part->charset == NULL) ||
        g_ptr_array_index(item->contents, index) != NULL)
        return;
    if (part->octets > FS_TEXT_MAX ||
        item->octets + part->octets > FS_TEXTS_MAX) {
        item->contents->pdata[index] =
            g_bytes_new_static(FS_TEXT_TOO_LONG, strlen(FS_TEXT_TOO_LONG));
        return;
    }
    item->octets += part->octets;
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

/* As is announced. */
static guint64
octets_of_texts(const FsHeadItem *item)
{
    guint64 octets = 0;

    for (guint i = 0; i < item->tree->parts->len; i++) {
        const FsPart *part = fs_part_tree_get(item->tree, i);

        if (part->charset != NULL && part->octets <= FS_TEXT_MAX)
            octets += part->octets;
    }
    return MIN(octets, FS_TEXTS_MAX);
}

/* *@octets: of those before @item. One alone has room. */
static gboolean
has_room(const FsHeadBatch *batch, const FsHeadItem *item, guint64 *octets)
{
    guint64 more = octets_of_texts(item);

    if (batch->ahead && *octets > 0 && *octets + more > AHEAD_MAX)
        return FALSE;
    *octets += more;
    return TRUE;
}

static void
send_section(FsHeadBatch *batch, const char *name, const ImapUidSet *uids)
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

gboolean
fs_head_texts_fetch(FsHeadBatch *batch)
{
    g_autoptr(GHashTable) sections =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_uids);
    GHashTableIter iter;
    guint64 octets = 0;
    gpointer key;
    gpointer value;

    g_hash_table_iter_init(&iter, batch->items);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsHeadItem *item = value;

        if (item->key == NULL || item->tree == NULL || item->useless)
            continue;
        if (!has_room(batch, item, &octets)) {
            fs_head_batch_end_item(batch, item, NULL);
            continue;
        }
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
