/* What the maker of decoded forms remembers, and what it has under way: under
 * which names forms lie in the cache, how large they are, which structures are
 * not to be believed; and the jobs, for which all that want the same thing
 * wait. */
#include "fs/views/parts/part-maker-private.h"

#include "imap/error.h"

#define TREES_MAX 64u
#define SIZES_MAX 16384u
#define DISTRUSTED_MAX 10000u

/* ---- keys ---- */

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

/* ---- what is remembered ---- */

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

gboolean
fs_part_maker_is_distrusted(FsPartMaker *maker, guint32 mailbox,
                            const CacheMessage *message)
{
    g_autofree char *key = fs_part_tree_key(mailbox, message);

    return g_hash_table_contains(maker->distrusted, key);
}

gboolean
fs_part_maker_find_size(FsPartMaker *maker, const char *key, guint64 *size)
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

FsPartTree *
fs_part_maker_find_tree(FsPartMaker *maker, const char *key)
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

gboolean
fs_part_is_refusal(const GError *error)
{
    return error == NULL ||
           (error->domain == IMAP_ERROR && error->code >= IMAP_ERROR_NO);
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
