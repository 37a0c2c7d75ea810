/* Decoded forms from the message as a whole: all of them at once. It is fetched
 * like any other that is read, and a large one is taken apart by another
 * thread. */
#include "fs/views/parts/part-maker-private.h"

#include "fs/bodies/reader.h"
#include "fs/views/parts/whole-message.h"
#include "imap/error.h"

#include <errno.h>
#include <gio/gio.h>

/* Larger ones are taken apart by another thread: it takes seconds for some of
 * no more than a megabyte. */
#define AT_ONCE_MAX (32u * 1024)

gboolean
fs_part_maker_has_whole(FsPartMaker *maker, guint32 mailbox,
                        const CacheMessage *message)
{
    return message->size_verified &&
           fs_message_is_cached(maker->account->bodies, mailbox, message);
}

/* Takes over @need: it is there until the next is told of. */
static FsAnswer
hold(FsPartMaker *maker, FsNeed *need, FsObstacle *obstacle)
{
    fs_need_unref(maker->held);
    maker->held = need;
    return fs_answer_wait(need, obstacle);
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
    if (!fs_part_maker_has_whole(maker, mailbox, message))
        return hold(
            maker,
            fs_message_bodies_need_whole(bodies, mailbox, message, FALSE),
            obstacle);
    need = fs_message_bodies_take_stored(bodies, mailbox, message);
    if (need != NULL)
        return hold(maker, need, obstacle);
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

FsAnswer
fs_part_maker_make_whole(FsPartMaker *maker, guint32 mailbox,
                         const CacheMessage *message, FsWholeMessage **whole,
                         FsObstacle *obstacle)
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
