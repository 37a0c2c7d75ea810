/* An open file of a decoded form. Its size is certain; should the cache have
 * lost some of it, it is made once more. */
#include "fs/views/parts/part-maker-private.h"

#include "fs/kernel/errno.h"

/* What is lost again each time it was made cannot be read. */
#define ATTEMPTS_MAX 3u

typedef struct {
    FsViewFile parent;
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    guint32 uid;
    guint index;
    char *key;
    guint attempts; /* in succession */
} PartFile;

static FsAnswer
make_again(PartFile *file, guint64 *size, FsObstacle *obstacle)
{
    g_autofree char *key = NULL;
    g_autoptr(FsPartTree) tree = NULL;
    FsAnswer answer;

    if (file->index == FS_PART_TEXT)
        return fs_part_maker_text(file->maker, file->mailbox, file->uid, &key,
                                  size, obstacle);
    answer = fs_part_maker_tree(file->maker, file->mailbox, file->uid, &tree,
                                obstacle);
    if (answer == FS_ANSWER_FOUND && file->index >= tree->parts->len)
        return FS_ANSWER_NONE;
    if (answer == FS_ANSWER_FOUND)
        answer = fs_part_maker_content(file->maker, file->mailbox, file->uid,
                                       tree, file->index, &key, size, obstacle);
    /* The message has other parts by now. */
    if (answer == FS_ANSWER_FOUND && !g_str_equal(key, file->key))
        return FS_ANSWER_NONE;
    return answer;
}

static gssize
read_again(PartFile *file, FsNeed **need)
{
    FsObstacle obstacle = {0};
    guint64 size = 0;
    FsAnswer answer;

    if (file->maker->account == NULL || ++file->attempts > ATTEMPTS_MAX) {
        *need = fs_view_failed_need(FS_ERROR_INCOMPLETE,
                                    "the cache does not keep what was read");
        return -1;
    }
    cache_blocks_remove(file->maker->account->blocks, file->key);
    g_hash_table_remove(file->maker->sizes, file->key);
    answer = make_again(file, &size, &obstacle);
    if (answer == FS_ANSWER_WAIT) {
        *need = fs_need_ref(obstacle.need);
        return -1;
    }
    if (answer == FS_ANSWER_FOUND && size == file->parent.size)
        return 0;
    *need = fs_view_failed_need(FS_ERROR_STALE,
                                "the message is no longer what was opened");
    return -1;
}

static gssize
read_part(FsViewFile *parent, guint64 offset, void *buffer, gsize length,
          FsNeed **need)
{
    PartFile *file = (PartFile *)parent;
    gssize got = -1;

    while (file->maker->account != NULL) {
        got = fs_decoded_read(file->maker->account->blocks, file->key,
                              parent->size, offset, buffer, length);
        if (got >= 0) {
            file->attempts = 0;
            return got;
        }
        if (fs_part_job_find(file->maker, file->key) != NULL) {
            *need = fs_need_ref(fs_part_job_find(file->maker, file->key));
            return -1;
        }
        if (read_again(file, need) < 0)
            return -1;
    }
    *need = fs_view_failed_need(FS_ERROR_STALE, "the mount has ended");
    return -1;
}

/* A file whose size is not what the form has now is no longer that form. */
static GBytes *
content_of_part(FsViewFile *parent)
{
    PartFile *file = (PartFile *)parent;
    GBytes *content =
        file->maker->account != NULL
            ? fs_decoded_get_small(file->maker->account->blocks, file->key)
            : NULL;

    if (content != NULL && g_bytes_get_size(content) != parent->size)
        g_clear_pointer(&content, g_bytes_unref);
    return content;
}

static void
free_part_file(FsViewFile *parent)
{
    PartFile *file = (PartFile *)parent;

    fs_part_maker_unref(file->maker);
    g_free(file->key);
    g_free(file);
}

static const FsViewFileClass part_file_class = {
    .read = read_part, .content = content_of_part, .free = free_part_file};

FsViewFile *
fs_part_file_new(FsPartMaker *maker, guint32 mailbox, guint32 uid, guint index,
                 const char *key, guint64 size)
{
    PartFile *file = g_new0(PartFile, 1);

    file->parent.class = &part_file_class;
    file->parent.size = size;
    file->maker = fs_part_maker_ref(maker);
    file->mailbox = mailbox;
    file->uid = uid;
    file->index = index;
    file->key = g_strdup(key);
    return &file->parent;
}
