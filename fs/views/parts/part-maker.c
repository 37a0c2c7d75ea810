/* Makes decoded forms of messages: answers from what is there, and decides how
 * to make what is not. What it remembers is in fs/views/parts/part-memory.c;
 * what makes the forms, in fs/views/parts/part-whole.c, head-fetch.c,
 * part-fetch.c. */
#include "fs/views/parts/part-maker-private.h"

#include "fs/views/parts/base64-tail.h"
#include "fs/views/parts/whole-message.h"

/* A message is fetched whole, up to this size, to be taken apart: that is
 * quicker than to ask what is in it. Not for its text: of many texts each octet
 * counts. */
#define SMALL_MAX (32u * 1024)

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
    *tree = fs_part_maker_find_tree(maker, key);
    if (*tree != NULL)
        return FS_ANSWER_FOUND;
    if (fs_part_job_find(maker, key) != NULL)
        return fs_answer_wait(fs_part_job_find(maker, key), obstacle);
    cache_index_message(maker->account->index, mailbox, uid, &message);
    if (message.size <= SMALL_MAX ||
        fs_part_maker_is_distrusted(maker, mailbox, &message) ||
        fs_part_maker_has_whole(maker, mailbox, &message)) {
        answer = fs_part_maker_make_whole(maker, mailbox, &message, &whole,
                                          obstacle);
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
    if (tree->whole && !fs_part_maker_find_size(maker, name, size)) {
        answer = fs_part_maker_make_whole(maker, mailbox, &message, &whole,
                                          obstacle);
        if (answer != FS_ANSWER_FOUND)
            return answer;
        if (index >= whole->contents->len ||
            g_ptr_array_index(whole->contents, index) == NULL)
            return FS_ANSWER_NONE;
        *size = g_bytes_get_size(g_ptr_array_index(whole->contents, index));
    } else if (!tree->whole && !fs_part_maker_find_size(maker, name, size)) {
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
           part->octets >= FS_BASE64_MIN &&
           g_str_equal(part->encoding, "base64");
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
        fs_part_maker_find_size(maker, key, size)) {
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
