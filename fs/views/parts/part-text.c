/* The text of a message: its headers and its text parts, one after the other.
 */
#include "fs/views/parts/part-maker-private.h"

#include "fs/views/parts/whole-message.h"
#include "fs/views/text-form.h"

/* So many texts say how large they are in the mean. */
#define MEAN_OF 20u

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
    if (!fs_part_maker_find_size(maker, name, size)) {
        if (!fs_part_maker_is_distrusted(maker, mailbox, &message) &&
            !fs_part_maker_has_whole(maker, mailbox, &message)) {
            uids = g_array_new(FALSE, FALSE, sizeof uid);
            g_array_append_val(uids, uid);
            fs_view_heads_fetch(maker, mailbox, uids, TRUE, FALSE, NULL, NULL);
            return fs_answer_wait(fs_part_job_find(maker, name), obstacle);
        }
        answer = fs_part_maker_make_whole(maker, mailbox, &message, &whole,
                                          obstacle);
        if (answer != FS_ANSWER_FOUND)
            return answer;
        if (!fs_part_maker_find_size(maker, name, size))
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
    return fs_part_job_find(maker, key) == NULL &&
           fs_part_maker_find_size(maker, key, size);
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
           fs_part_maker_has_whole(maker, mailbox, message);
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
