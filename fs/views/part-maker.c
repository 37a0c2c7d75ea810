/* Makes decoded forms of messages: answers from what is there, and decides how
 * to make what is not. */
#include "fs/views/part-maker-private.h"

#include "fs/bodies/reader.h"
#include "fs/kernel/errno.h"
#include "fs/views/text-form.h"
#include "fs/views/whole-message.h"
#include "imap/error.h"

#include <errno.h>
#include <gio/gio.h>

/* A message is fetched whole, up to this size, to be taken apart: that is
 * quicker than to ask what is in it. Not for its text: of many texts each octet
 * counts. */
#define SMALL_MAX (32u * 1024)
/* Larger ones are taken apart by another thread. */
#define AT_ONCE_MAX (256u * 1024)

/* Of a smaller part its size costs as much as it does. */
#define ASK_MIN (8u * 1024)

/* So many texts say how large they are in the mean. */
#define MEAN_OF 20u

#define TREES_MAX 64u
#define SIZES_MAX 16384u
#define DISTRUSTED_MAX 10000u

/* ---- keys, and what is remembered ---- */

char *
fs_part_tree_key(guint32 mailbox, const CacheMessage *message)
{
    return fs_decoded_key(mailbox, message, "parts");
}

char *
fs_part_text_key(guint32 mailbox, const CacheMessage *message)
{
    return fs_decoded_key(mailbox, message, "text");
}

char *
fs_part_content_key(guint32 mailbox, const CacheMessage *message,
                    gboolean whole, guint index)
{
    char name[16];

    g_snprintf(name, sizeof name, "%s%u", whole ? "whole" : "part", index);
    return fs_decoded_key(mailbox, message, name);
}

gboolean
fs_part_is_refusal(const GError *error)
{
    return error == NULL ||
           (error->domain == IMAP_ERROR && error->code >= IMAP_ERROR_NO);
}

static void
keep_bounded(GHashTable *table, guint max)
{
    if (g_hash_table_size(table) >= max)
        g_hash_table_remove_all(table);
}

void
fs_part_maker_keep_size(FsPartMaker *maker, const char *key, guint64 size)
{
    keep_bounded(maker->sizes, SIZES_MAX);
    g_hash_table_replace(maker->sizes, g_strdup(key),
                         g_memdup2(&size, sizeof size));
}

void
fs_part_maker_keep_told(FsPartMaker *maker, const char *key, guint64 size)
{
    keep_bounded(maker->told, SIZES_MAX);
    g_hash_table_replace(maker->told, g_strdup(key),
                         g_memdup2(&size, sizeof size));
}

void
fs_part_maker_keep(FsPartMaker *maker, const char *key, GBytes *content)
{
    gsize length;
    const void *data = g_bytes_get_data(content, &length);

    fs_decoded_put(maker->account->blocks, key, data, length);
    fs_part_maker_keep_size(maker, key, length);
}

void
fs_part_maker_keep_tree(FsPartMaker *maker, const char *key, FsPartTree *tree)
{
    g_autoptr(GBytes) bytes = fs_part_tree_to_bytes(tree);
    gsize length;
    const void *data = g_bytes_get_data(bytes, &length);

    fs_decoded_put(maker->account->blocks, key, data, length);
    keep_bounded(maker->trees, TREES_MAX);
    g_hash_table_replace(maker->trees, g_strdup(key), fs_part_tree_ref(tree));
}

void
fs_part_maker_distrust(FsPartMaker *maker, guint32 mailbox, guint32 uid)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return;
    key = fs_part_tree_key(mailbox, &message);
    cache_blocks_remove(maker->account->blocks, key);
    g_hash_table_remove(maker->trees, key);
    keep_bounded(maker->distrusted, DISTRUSTED_MAX);
    g_hash_table_add(maker->distrusted, g_steal_pointer(&key));
}

static gboolean
find_size(FsPartMaker *maker, const char *key, guint64 *size)
{
    const guint64 *known = g_hash_table_lookup(maker->sizes, key);

    if (known != NULL) {
        *size = *known;
        return TRUE;
    }
    if (!fs_decoded_size(maker->account->blocks, key, size))
        return FALSE;
    fs_part_maker_keep_size(maker, key, *size);
    return TRUE;
}

/* Caller owns a reference. */
static FsPartTree *
find_tree(FsPartMaker *maker, const char *key)
{
    FsPartTree *tree = g_hash_table_lookup(maker->trees, key);
    g_autoptr(GBytes) bytes = NULL;

    if (tree != NULL)
        return fs_part_tree_ref(tree);
    bytes = fs_decoded_get(maker->account->blocks, key);
    if (bytes == NULL)
        return NULL;
    tree = fs_part_tree_from_bytes(bytes);
    if (tree == NULL) {
        cache_blocks_remove(maker->account->blocks, key);
        return NULL;
    }
    keep_bounded(maker->trees, TREES_MAX);
    g_hash_table_replace(maker->trees, g_strdup(key), fs_part_tree_ref(tree));
    return tree;
}

/* ---- what is under way ---- */

FsNeed *
fs_part_job_find(FsPartMaker *maker, const char *key)
{
    return g_hash_table_lookup(maker->jobs, key);
}

FsNeed *
fs_part_job_begin(FsPartMaker *maker, const char *key)
{
    FsNeed *need = fs_need_new();

    g_hash_table_insert(maker->jobs, g_strdup(key), need);
    return need;
}

void
fs_part_job_end(FsPartMaker *maker, const char *key, const GError *error)
{
    FsNeed *need = fs_part_job_find(maker, key);

    if (need == NULL)
        return;
    fs_need_ref(need);
    g_hash_table_remove(maker->jobs, key);
    if (error != NULL && fs_need_n_waiters(need) > 0)
        g_message("parts of a message cannot be had: %s", error->message);
    fs_need_complete(need, error);
    fs_need_unref(need);
}

/* Takes over @need: it is there until the next is told of. */
static FsAnswer
hold(FsPartMaker *maker, FsNeed *need, FsObstacle *obstacle)
{
    fs_need_unref(maker->held);
    maker->held = need;
    return fs_answer_wait(need, obstacle);
}

/* ---- from the whole message ---- */

static gboolean
is_whole(FsPartMaker *maker, guint32 mailbox, const CacheMessage *message)
{
    return message->size_verified &&
           fs_message_is_cached(maker->account->bodies, mailbox, message);
}

static gboolean
is_distrusted(FsPartMaker *maker, guint32 mailbox, const CacheMessage *message)
{
    g_autofree char *key = fs_part_tree_key(mailbox, message);

    return g_hash_table_contains(maker->distrusted, key);
}

static FsAnswer
load_whole(FsPartMaker *maker, guint32 mailbox, const CacheMessage *message,
           GBytes **octets, FsObstacle *obstacle)
{
    FsMessageBodies *bodies = maker->account->bodies;
    g_autofree guint8 *data = NULL;
    guint64 size = message->size;
    guint64 at = 0;
    FsReader *reader;
    FsNeed *need = NULL;

    if (size > FS_WHOLE_MESSAGE_MAX)
        return fs_answer_fail(EFBIG, obstacle);
    if (!is_whole(maker, mailbox, message))
        return hold(
            maker,
            fs_message_bodies_need_whole(bodies, mailbox, message, FALSE),
            obstacle);
    data = g_malloc(size + 1);
    reader = fs_reader_new(bodies, mailbox, message->uid, size);
    while (need == NULL && at < size) {
        gssize got = fs_reader_read(reader, at, data + at,
                                    MIN(size - at, CACHE_BLOCK_SIZE), &need);

        at += (guint64)MAX(got, 0);
    }
    fs_reader_free(reader);
    if (need != NULL)
        return hold(maker, need, obstacle);
    *octets = g_bytes_new_take(g_steal_pointer(&data), size);
    return FS_ANSWER_FOUND;
}

static void
keep_whole(FsPartMaker *maker, guint32 mailbox, const CacheMessage *message,
           const FsWholeMessage *whole)
{
    g_autofree char *tree_key = fs_part_tree_key(mailbox, message);
    g_autofree char *text_key = fs_part_text_key(mailbox, message);
    GString *text = fs_part_text_of(whole->tree, whole->contents);
    g_autoptr(GBytes) bytes = g_string_free_to_bytes(text);

    for (guint i = 0; i < whole->contents->len; i++) {
        g_autofree char *key = fs_part_content_key(mailbox, message, TRUE, i);
        GBytes *content = g_ptr_array_index(whole->contents, i);

        if (content != NULL)
            fs_part_maker_keep(maker, key, content);
    }
    fs_part_maker_keep(maker, text_key, bytes);
    fs_part_maker_keep_tree(maker, tree_key, whole->tree);
}

typedef struct {
    FsPartMaker *maker; /* a reference */
    char *key;
    guint32 mailbox;
    guint32 uid;
    GBytes *octets;
} Apart;

static void
free_apart(gpointer data)
{
    Apart *apart = data;

    fs_part_maker_unref(apart->maker);
    g_bytes_unref(apart->octets);
    g_free(apart->key);
    g_free(apart);
}

static void
take_apart(GTask *task, gpointer source, gpointer data, GCancellable *cancel)
{
    const Apart *apart = data;

    g_task_return_pointer(task, fs_whole_message_new(apart->octets), NULL);
}

static GError *
too_many_error(void)
{
    return g_error_new_literal(IMAP_ERROR, IMAP_ERROR_TOO_BIG,
                               "the message has more parts than can be shown");
}

static void
on_apart(GObject *source, GAsyncResult *result, gpointer user_data)
{
    Apart *apart = g_task_get_task_data(G_TASK(result));
    FsPartMaker *maker = apart->maker;
    g_autoptr(FsWholeMessage) whole =
        g_task_propagate_pointer(G_TASK(result), NULL);
    g_autoptr(GError) error = whole == NULL ? too_many_error() : NULL;
    CacheMessage message;

    if (maker->account == NULL)
        return;
    if (whole != NULL &&
        cache_index_message(maker->account->index, apart->mailbox, apart->uid,
                            &message))
        keep_whole(maker, apart->mailbox, &message, whole);
    fs_part_job_end(maker, apart->key, error);
}

/* Begins to take @octets apart; takes over @key. */
static FsNeed *
take_apart_elsewhere(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                     GBytes *octets, char *key)
{
    Apart *apart = g_new0(Apart, 1);
    GTask *task = g_task_new(NULL, NULL, on_apart, NULL);
    FsNeed *need = fs_part_job_begin(maker, key);

    apart->maker = fs_part_maker_ref(maker);
    apart->key = key;
    apart->mailbox = mailbox;
    apart->uid = uid;
    apart->octets = g_bytes_ref(octets);
    g_task_set_task_data(task, apart, free_apart);
    g_task_run_in_thread(task, take_apart);
    g_object_unref(task);
    return need;
}

/* FS_ANSWER_FOUND: all forms of @message are there, and @whole (caller owns)
 * has them, too. */
static FsAnswer
make_whole(FsPartMaker *maker, guint32 mailbox, const CacheMessage *message,
           FsWholeMessage **whole, FsObstacle *obstacle)
{
    g_autofree char *key = fs_decoded_key(mailbox, message, "whole");
    g_autoptr(GBytes) octets = NULL;
    guint32 uid = message->uid;
    CacheMessage known;
    FsAnswer answer;

    if (fs_part_job_find(maker, key) != NULL)
        return fs_answer_wait(fs_part_job_find(maker, key), obstacle);
    answer = load_whole(maker, mailbox, message, &octets, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (g_bytes_get_size(octets) > AT_ONCE_MAX)
        return fs_answer_wait(take_apart_elsewhere(maker, mailbox, uid, octets,
                                                   g_steal_pointer(&key)),
                              obstacle);
    *whole = fs_whole_message_new(octets);
    if (*whole == NULL)
        return fs_answer_fail(EFBIG, obstacle);
    /* What was borrowed from the index may be gone. */
    if (cache_index_message(maker->account->index, mailbox, uid, &known))
        keep_whole(maker, mailbox, &known, *whole);
    return FS_ANSWER_FOUND;
}

/* ---- the answers ---- */

FsAnswer
fs_part_maker_tree(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                   FsPartTree **tree, FsObstacle *obstacle)
{
    g_autoptr(FsWholeMessage) whole = NULL;
    g_autoptr(GArray) uids = NULL;
    g_autofree char *key = NULL;
    CacheMessage message;
    FsAnswer answer;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return FS_ANSWER_NONE;
    key = fs_part_tree_key(mailbox, &message);
    *tree = find_tree(maker, key);
    if (*tree != NULL)
        return FS_ANSWER_FOUND;
    if (fs_part_job_find(maker, key) != NULL)
        return fs_answer_wait(fs_part_job_find(maker, key), obstacle);
    cache_index_message(maker->account->index, mailbox, uid, &message);
    if (message.size <= SMALL_MAX || is_distrusted(maker, mailbox, &message) ||
        is_whole(maker, mailbox, &message)) {
        answer = make_whole(maker, mailbox, &message, &whole, obstacle);
        if (answer == FS_ANSWER_FOUND)
            *tree = fs_part_tree_ref(whole->tree);
        return answer;
    }
    uids = g_array_new(FALSE, FALSE, sizeof uid);
    g_array_append_val(uids, uid);
    fs_view_heads_fetch(maker, mailbox, uids, FALSE, FALSE, NULL, NULL);
    return fs_answer_wait(fs_part_job_find(maker, key), obstacle);
}

FsAnswer
fs_part_maker_content(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                      const FsPartTree *tree, guint index, char **key,
                      guint64 *size, FsObstacle *obstacle)
{
    g_autoptr(FsWholeMessage) whole = NULL;
    g_autofree char *name = NULL;
    CacheMessage message;
    FsAnswer answer;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return FS_ANSWER_NONE;
    name = fs_part_content_key(mailbox, &message, tree->whole, index);
    if (tree->whole && !find_size(maker, name, size)) {
        answer = make_whole(maker, mailbox, &message, &whole, obstacle);
        if (answer != FS_ANSWER_FOUND)
            return answer;
        if (index >= whole->contents->len ||
            g_ptr_array_index(whole->contents, index) == NULL)
            return FS_ANSWER_NONE;
        *size = g_bytes_get_size(g_ptr_array_index(whole->contents, index));
    } else if (!tree->whole && !find_size(maker, name, size)) {
        if (fs_part_job_find(maker, name) == NULL) {
            fs_part_job_begin(maker, name);
            fs_view_part_fetch(maker, mailbox, uid,
                               fs_part_tree_get(tree, index), name);
        }
        return fs_answer_wait(fs_part_job_find(maker, name), obstacle);
    }
    *key = g_steal_pointer(&name);
    return FS_ANSWER_FOUND;
}

gboolean
fs_part_is_askable(const FsPart *part)
{
    return part->kind == FS_PART_CONTENT && part->charset == NULL &&
           part->octets >= ASK_MIN && g_str_equal(part->encoding, "base64");
}

FsAnswer
fs_part_maker_size(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                   const FsPartTree *tree, guint index, guint64 *size,
                   FsObstacle *obstacle)
{
    g_autofree char *key = NULL;
    g_autofree char *job = NULL;
    const guint64 *told;
    CacheMessage message;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return FS_ANSWER_NONE;
    key = fs_part_content_key(mailbox, &message, tree->whole, index);
    job = fs_decoded_key(mailbox, &message, "sizes");
    if (tree->whole || !fs_part_is_askable(fs_part_tree_get(tree, index)) ||
        find_size(maker, key, size)) {
        g_clear_pointer(&key, g_free);
        return fs_part_maker_content(maker, mailbox, uid, tree, index, &key,
                                     size, obstacle);
    }
    told = g_hash_table_lookup(maker->told, key);
    if (told != NULL && *told != FS_PART_UNTOLD) {
        *size = *told;
        return FS_ANSWER_FOUND;
    }
    if (told != NULL) {
        g_clear_pointer(&key, g_free);
        return fs_part_maker_content(maker, mailbox, uid, tree, index, &key,
                                     size, obstacle);
    }
    if (fs_part_job_find(maker, job) == NULL) {
        fs_part_job_begin(maker, job);
        fs_view_sizes_fetch(maker, mailbox, uid, tree, job);
    }
    return fs_answer_wait(fs_part_job_find(maker, job), obstacle);
}

FsAnswer
fs_part_maker_text(FsPartMaker *maker, guint32 mailbox, guint32 uid, char **key,
                   guint64 *size, FsObstacle *obstacle)
{
    g_autoptr(FsWholeMessage) whole = NULL;
    g_autoptr(GArray) uids = NULL;
    g_autofree char *name = NULL;
    CacheMessage message;
    FsAnswer answer;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return FS_ANSWER_NONE;
    name = fs_part_text_key(mailbox, &message);
    if (fs_part_job_find(maker, name) != NULL)
        return fs_answer_wait(fs_part_job_find(maker, name), obstacle);
    if (!find_size(maker, name, size)) {
        if (!is_distrusted(maker, mailbox, &message) &&
            !is_whole(maker, mailbox, &message)) {
            uids = g_array_new(FALSE, FALSE, sizeof uid);
            g_array_append_val(uids, uid);
            fs_view_heads_fetch(maker, mailbox, uids, TRUE, FALSE, NULL, NULL);
            return fs_answer_wait(fs_part_job_find(maker, name), obstacle);
        }
        answer = make_whole(maker, mailbox, &message, &whole, obstacle);
        if (answer != FS_ANSWER_FOUND)
            return answer;
        if (!find_size(maker, name, size))
            return FS_ANSWER_NONE;
    }
    *key = g_steal_pointer(&name);
    return FS_ANSWER_FOUND;
}

gboolean
fs_part_maker_text_size(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                        guint64 *size)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return FALSE;
    key = fs_part_text_key(mailbox, &message);
    return fs_part_job_find(maker, key) == NULL && find_size(maker, key, size);
}

FsNeed *
fs_part_maker_text_job(FsPartMaker *maker, guint32 mailbox, guint32 uid)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return NULL;
    key = fs_part_text_key(mailbox, &message);
    return fs_part_job_find(maker, key);
}

gboolean
fs_part_maker_has_text(FsPartMaker *maker, guint32 mailbox,
                       const CacheMessage *message)
{
    g_autofree char *key = fs_part_text_key(mailbox, message);

    return fs_part_job_find(maker, key) != NULL ||
           g_hash_table_contains(maker->sizes, key) ||
           cache_blocks_has(maker->account->blocks, key, 0) ||
           is_whole(maker, mailbox, message);
}

void
fs_part_maker_texts_ahead(FsPartMaker *maker, guint32 mailbox,
                          const GArray *uids, FsTextsFunc done,
                          gpointer user_data)
{
    fs_view_heads_fetch(maker, mailbox, uids, TRUE, TRUE, done, user_data);
}

guint64
fs_part_maker_mean_text(const FsPartMaker *maker)
{
    return maker->n_texts >= MEAN_OF ? maker->n_octets / maker->n_texts : 0;
}

/* ---- the text ---- */

GString *
fs_part_text_of(const FsPartTree *tree, const GPtrArray *contents)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < tree->parts->len; i++) {
        const FsPart *part = fs_part_tree_get(tree, i);
        GBytes *content = g_ptr_array_index(contents, i);
        const char *data;
        gsize length;

        if (content == NULL ||
            (part->kind != FS_PART_HEADER && part->charset == NULL))
            continue;
        data = g_bytes_get_data(content, &length);
        if (text->len > 0)
            g_string_append_c(text, '\n');
        if (length > 0)
            fs_text_append_lines(text, data, length);
        if (text->len > 0 && text->str[text->len - 1] != '\n')
            g_string_append_c(text, '\n');
    }
    return text;
}

/* ---- making and ending ---- */

static void
unref_need(gpointer need)
{
    fs_need_unref(need);
}

static void
unref_tree(gpointer tree)
{
    fs_part_tree_unref(tree);
}

FsPartMaker *
fs_part_maker_new(FsAccount *account)
{
    FsPartMaker *maker = g_rc_box_new0(FsPartMaker);

    maker->account = account;
    maker->leases = fs_leases_new(account);
    g_queue_init(&maker->to_ask);
    maker->jobs =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_need);
    maker->trees =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, unref_tree);
    maker->sizes =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    maker->told =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    maker->distrusted =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return maker;
}

static void
clear(gpointer data)
{
    FsPartMaker *maker = data;

    g_hash_table_unref(maker->jobs);
    g_hash_table_unref(maker->trees);
    g_hash_table_unref(maker->sizes);
    g_hash_table_unref(maker->told);
    g_hash_table_unref(maker->distrusted);
}

FsPartMaker *
fs_part_maker_ref(FsPartMaker *maker)
{
    return g_rc_box_acquire(maker);
}

void
fs_part_maker_unref(FsPartMaker *maker)
{
    if (maker != NULL)
        g_rc_box_release_full(maker, clear);
}

void
fs_part_maker_free(FsPartMaker *maker)
{
    if (maker == NULL)
        return;
    maker->account = NULL;
    fs_view_heads_drop(maker);
    g_clear_pointer(&maker->held, fs_need_unref);
    g_clear_pointer(&maker->leases, fs_leases_free);
    g_hash_table_remove_all(maker->jobs);
    fs_part_maker_unref(maker);
}
