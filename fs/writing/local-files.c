/* All local files.
 *
 * There are few of them, so what a directory lists is found by looking at all;
 * but every look-up of a name asks for that of a local file first, and finds it
 * by its hash. */
#include "fs/writing/local-files.h"

#include "fs/kernel/inode.h"
#include "fs/writing/spool-note.h"

#include <string.h>

/* So long a message may be empty in the mount, and nowhere else. */
#define EMPTIED_US (5 * G_USEC_PER_SEC)
#define EMPTIED_CHECK_SECONDS 1u

struct FsLocalFiles {
    CacheSpool *spool;
    GHashTable *by_inode; /* &FsLocalFile.inode -> FsLocalFile, a reference */
    GSequence *in_order;  /* of FsLocalFile, borrowed, by inode: the listed */
    GHashTable *by_name;  /* set of the same, by directory and name */
    /* first_key -> FsLocalFile, borrowed: what was linked, and is not stored */
    GHashTable *by_first_name;
    guint64 next_inode;
    FsLocalEntryFunc entry;
    gpointer entry_data;
    guint emptied_timer; /* 0: none is empty */
};

static gint
compare_inodes(gconstpointer a, gconstpointer b, gpointer unused)
{
    const FsLocalFile *one = a;
    const FsLocalFile *other = b;

    return (one->inode > other->inode) - (one->inode < other->inode);
}

static guint
hash_name(gconstpointer data)
{
    const FsLocalFile *file = data;

    return g_str_hash(file->name) ^ file->directory;
}

static gboolean
has_same_name(gconstpointer a, gconstpointer b)
{
    const FsLocalFile *one = a;
    const FsLocalFile *other = b;

    return one->directory == other->directory &&
           strcmp(one->name, other->name) == 0;
}

FsLocalFiles *
fs_local_files_new(CacheSpool *spool)
{
    FsLocalFiles *files = g_new0(FsLocalFiles, 1);

    files->spool = spool;
    files->by_inode = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL,
                                            fs_local_file_unref);
    files->in_order = g_sequence_new(NULL);
    files->by_name = g_hash_table_new(hash_name, has_same_name);
    files->by_first_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    files->next_inode = FS_INODE_LOCAL;
    return files;
}

void
fs_local_files_free(FsLocalFiles *files)
{
    if (files == NULL)
        return;
    g_clear_handle_id(&files->emptied_timer, g_source_remove);
    g_hash_table_unref(files->by_name);
    g_hash_table_unref(files->by_first_name);
    g_sequence_free(files->in_order);
    g_hash_table_unref(files->by_inode);
    g_free(files);
}

gboolean
fs_local_files_own(guint64 inode)
{
    return inode >= FS_INODE_LOCAL && inode <= FS_INODE_LOCAL_LAST;
}

void
fs_local_files_set_entry_func(FsLocalFiles *files, FsLocalEntryFunc func,
                              gpointer user_data)
{
    files->entry = func;
    files->entry_data = user_data;
}

/* ---- finding ---- */

/* Caller frees. */
static char *
first_key(guint32 directory, const char *name)
{
    return g_strdup_printf("%u/%s", directory, name);
}

FsLocalFile *
fs_local_files_get(FsLocalFiles *files, guint64 inode)
{
    return g_hash_table_lookup(files->by_inode, &inode);
}

FsLocalFile *
fs_local_files_next(FsLocalFiles *files, guint32 directory, guint64 after)
{
    FsLocalFile key = {.inode = after};
    GSequenceIter *iter =
        g_sequence_search(files->in_order, &key, compare_inodes, NULL);

    for (; !g_sequence_iter_is_end(iter); iter = g_sequence_iter_next(iter)) {
        FsLocalFile *file = g_sequence_get(iter);

        if (file->inode > after && file->directory == directory)
            return file;
    }
    return NULL;
}

FsLocalFile *
fs_local_files_find(FsLocalFiles *files, guint32 directory, const char *name)
{
    const FsLocalFile key = {.directory = directory, .name = (char *)name};
    FsLocalFile *found = g_hash_table_lookup(files->by_name, &key);
    g_autofree char *first = NULL;

    if (found != NULL || g_hash_table_size(files->by_first_name) == 0)
        return found;
    first = first_key(directory, name);
    return g_hash_table_lookup(files->by_first_name, first);
}

guint
fs_local_files_count(FsLocalFiles *files, guint32 directory)
{
    const FsLocalFile *file;
    guint64 after = 0;
    guint count = 0;

    for (; (file = fs_local_files_next(files, directory, after)) != NULL;
         after = file->inode)
        count++;
    return count;
}

void
fs_local_files_foreach(FsLocalFiles *files,
                       void (*func)(FsLocalFile *file, gpointer user_data),
                       gpointer user_data)
{
    g_autoptr(GPtrArray) all =
        g_ptr_array_new_with_free_func(fs_local_file_unref);
    GHashTableIter iter;
    gpointer file;

    g_hash_table_iter_init(&iter, files->by_inode);
    while (g_hash_table_iter_next(&iter, NULL, &file))
        if (((FsLocalFile *)file)->listed || fs_local_file_is_unfinished(file))
            g_ptr_array_add(all, fs_local_file_ref(file));
    for (guint i = 0; i < all->len; i++)
        func(g_ptr_array_index(all, i), user_data);
}

/* ---- listing ---- */

static void
enlist(FsLocalFiles *files, FsLocalFile *file)
{
    if (!file->listed)
        g_sequence_insert_sorted(files->in_order, file, compare_inodes, NULL);
    file->listed = TRUE;
    g_hash_table_add(files->by_name, file);
}

static void
write_note(FsLocalFile *file, gboolean durable, CacheSpoolDoneFunc done,
           gpointer user_data)
{
    FsSpoolNote said = {.kind = FS_SPOOL_LOCAL, .name = file->name};
    g_autofree char *text = NULL;

    if (file->directory == FS_LOCAL_LOST)
        said.kind = FS_SPOOL_LOST;
    if (fs_local_is_kept(file->directory)) {
        said.kind = FS_SPOOL_KEPT;
        said.mailbox = file->directory & ~FS_LOCAL_FOLDER;
    }
    text = fs_spool_note_to_text(&said);
    cache_spool_file_set_note(file->spool, text, durable, done, user_data);
}

/* What is on the disk says what it is; an empty file is not worth one, unless
 * it is kept. */
static void
note(FsLocalFile *file)
{
    /* It was stored under another name, and written anew since. */
    if (file->linked && file->generation != file->stored)
        file->noted = FALSE;
    if ((file->size == 0 && !fs_local_is_kept(file->directory)) ||
        file->noted || (!file->listed && !fs_local_file_is_unfinished(file)))
        return;
    file->noted = TRUE;
    write_note(file, file->directory == FS_LOCAL_LOST, NULL, NULL);
}

void
fs_local_files_note_stored(FsLocalFile *file)
{
    const FsSpoolNote said = {.kind = FS_SPOOL_STORED, .name = file->name};
    g_autofree char *text = fs_spool_note_to_text(&said);

    file->noted = TRUE;
    cache_spool_file_set_note(file->spool, text, FALSE, NULL, NULL);
}

void
fs_local_files_sync(FsLocalFile *file, CacheSpoolDoneFunc done,
                    gpointer user_data)
{
    write_note(file, TRUE, done, user_data);
}

static void
forget_first(FsLocalFiles *files, FsLocalFile *file)
{
    g_autofree char *key = NULL;

    if (file->first_name == NULL)
        return;
    key = first_key(file->first_directory, file->first_name);
    g_hash_table_remove(files->by_first_name, key);
    g_clear_pointer(&file->first_name, g_free);
}

void
fs_local_files_unlist(FsLocalFiles *files, FsLocalFile *file)
{
    GSequenceIter *iter;

    forget_first(files, file);
    if (!file->listed)
        return;
    file->listed = FALSE;
    g_hash_table_remove(files->by_name, file);
    iter = g_sequence_lookup(files->in_order, file, compare_inodes, NULL);
    if (iter != NULL)
        g_sequence_remove(iter);
    fs_local_files_released(files, file);
}

/* The message that it was a new state of is again what it was. */
static void
tell_unchanged(FsLocalFiles *files, const FsLocalFile *file)
{
    if (files->entry != NULL)
        files->entry(file->directory, NULL, file->inode, files->entry_data);
}

/* TRUE and takes it out, if it has been empty for too long. */
static gboolean
restore_emptied(gpointer key, gpointer value, gpointer user_data)
{
    FsLocalFiles *files = user_data;
    g_autoptr(FsLocalFile) file = NULL;

    if (!fs_local_file_is_emptied(value))
        return FALSE;
    file = fs_local_file_ref(value);
    if (file->n_handles > 0 ||
        g_get_monotonic_time() - file->listed_at < EMPTIED_US)
        return FALSE;
    g_message("%s was emptied, and nothing was written since: it is what it "
              "was before",
              file->name);
    file->detached = TRUE;
    tell_unchanged(files, file);
    return TRUE;
}

static gboolean
is_emptied(gpointer key, gpointer value, gpointer user_data)
{
    return fs_local_file_is_emptied(value);
}

static gboolean
on_emptied_timer(gpointer user_data)
{
    FsLocalFiles *files = user_data;

    g_hash_table_foreach_remove(files->by_inode, restore_emptied, files);
    if (g_hash_table_find(files->by_inode, is_emptied, NULL) != NULL)
        return G_SOURCE_CONTINUE;
    files->emptied_timer = 0;
    return G_SOURCE_REMOVE;
}

void
fs_local_files_released(FsLocalFiles *files, FsLocalFile *file)
{
    note(file);
    if (fs_local_file_is_emptied(file)) {
        if (files->emptied_timer == 0)
            files->emptied_timer = g_timeout_add_seconds(
                EMPTIED_CHECK_SECONDS, on_emptied_timer, files);
        return;
    }
    if (file->n_handles == 0 && !file->listed && file->upload == NULL &&
        !fs_local_file_is_unfinished(file) &&
        fs_local_files_get(files, file->inode) == file)
        g_hash_table_remove(files->by_inode, &file->inode);
}

void
fs_local_files_move(FsLocalFiles *files, FsLocalFile *file, guint32 directory,
                    const char *name)
{
    FsLocalFile *before = fs_local_files_find(files, directory, name);
    char *old_name = file->name;

    forget_first(files, file);
    if (file->listed)
        g_hash_table_remove(files->by_name, file);
    file->name = g_strdup(name);
    file->directory = directory;
    file->noted = FALSE;
    file->listed_at = g_get_monotonic_time();
    if (before != NULL && before != file)
        fs_local_files_unlist(files, before);
    enlist(files, file);
    note(file);
    g_free(old_name);
    if (directory == FS_LOCAL_LOST && files->entry != NULL)
        files->entry(directory, name, 0, files->entry_data);
}

void
fs_local_files_link(FsLocalFiles *files, FsLocalFile *file, guint32 directory,
                    const char *name)
{
    guint32 first_directory = file->directory;
    g_autofree char *first_name = g_strdup(file->name);

    fs_local_files_move(files, file, directory, name);
    file->first_directory = first_directory;
    file->first_name = g_steal_pointer(&first_name);
    g_hash_table_replace(files->by_first_name,
                         first_key(first_directory, file->first_name), file);
}

gboolean
fs_local_files_unlink_first(FsLocalFiles *files, FsLocalFile *file,
                            guint32 directory, const char *name)
{
    if (file->first_name == NULL || file->first_directory != directory ||
        !g_str_equal(file->first_name, name))
        return FALSE;
    forget_first(files, file);
    file->linked = FALSE;
    return TRUE;
}

gboolean
fs_local_files_take_back(FsLocalFiles *files, FsLocalFile *file)
{
    g_autofree char *name = g_strdup(file->first_name);

    if (name != NULL)
        fs_local_files_move(files, file, file->first_directory, name);
    return name != NULL;
}

/* ---- making ---- */

static FsLocalFile *
add(FsLocalFiles *files, guint64 inode, CacheSpoolFile *spool)
{
    FsLocalFile *file = fs_local_file_new(inode, spool);

    g_hash_table_insert(files->by_inode, &file->inode, file);
    return file;
}

static guint64
new_inode(FsLocalFiles *files)
{
    do {
        if (files->next_inode > FS_INODE_LOCAL_LAST)
            files->next_inode = FS_INODE_LOCAL;
        files->next_inode++;
    } while (fs_local_files_get(files, files->next_inode - 1) != NULL);
    return files->next_inode - 1;
}

FsLocalFile *
fs_local_files_make(FsLocalFiles *files, guint32 directory, const char *name)
{
    FsLocalFile *file =
        add(files, new_inode(files), cache_spool_file_new(files->spool));

    fs_local_files_move(files, file, directory, name);
    return file;
}

FsLocalFile *
fs_local_files_edit(FsLocalFiles *files, guint64 inode, guint32 mailbox,
                    guint32 uid, guint64 size, const char *name)
{
    FsLocalFile *file = add(files, inode, cache_spool_file_new(files->spool));

    file->directory = mailbox;
    file->name = g_strdup(name);
    file->replaces = file->base_uid = uid;
    file->base_mailbox = mailbox;
    file->in_place = TRUE;
    file->filled = FALSE;
    file->size = size;
    return file;
}

void
fs_local_files_take_kept(FsLocalFiles *files, CacheSpoolFile *spool,
                         guint32 directory, const char *name)
{
    if (name == NULL || *name == '\0') {
        cache_spool_file_remove(spool);
        return;
    }
    fs_local_files_move(files, add(files, new_inode(files), spool), directory,
                        name);
}

/* ---- what is lost ---- */

static char *
free_name(FsLocalFiles *files, const char *name)
{
    g_autofree char *wanted = g_strdup(name);

    for (guint i = 1; fs_local_files_find(files, FS_LOCAL_LOST, wanted) != NULL;
         i++) {
        g_free(wanted);
        wanted = g_strdup_printf("%.200s.%u", name, i);
    }
    return g_steal_pointer(&wanted);
}

FsLocalFile *
fs_local_files_found(FsLocalFiles *files, CacheSpoolFile *spool,
                     const char *name)
{
    FsLocalFile *file = add(files, new_inode(files), spool);
    g_autofree char *wanted = free_name(files, name);

    fs_local_files_move(files, file, FS_LOCAL_LOST, wanted);
    return file;
}

/* The octets of an edit leave it: its inode is the message's again. */
static void
detach(FsLocalFiles *files, FsLocalFile *file)
{
    FsLocalFile *lost =
        add(files, new_inode(files), g_steal_pointer(&file->spool));
    g_autofree char *wanted = free_name(files, file->name);

    lost->size = file->size;
    lost->generation = file->generation;
    lost->modified_at = file->modified_at;
    lost->flags = g_steal_pointer(&file->flags);
    fs_local_files_move(files, lost, FS_LOCAL_LOST, wanted);
    file->spool = cache_spool_file_new(files->spool);
    file->detached = TRUE;
    file->size = 0;
    tell_unchanged(files, file);
    if (fs_local_files_get(files, file->inode) == file)
        g_hash_table_remove(files->by_inode, &file->inode);
}

void
fs_local_files_lose(FsLocalFiles *files, FsLocalFile *file)
{
    g_autofree char *wanted = NULL;
    g_autofree char *name = g_strdup(file->name);
    guint32 directory = file->directory;

    if (directory == FS_LOCAL_LOST)
        return;
    if (!file->listed) {
        detach(files, file);
        return;
    }
    wanted = free_name(files, name);
    fs_local_files_move(files, file, FS_LOCAL_LOST, wanted);
    if (files->entry != NULL)
        files->entry(directory, name, 0, files->entry_data);
}

void
fs_local_files_lose_all(FsLocalFiles *files, guint32 directory)
{
    FsLocalFile *file;

    while ((file = fs_local_files_next(files, directory, 0)) != NULL)
        if (file->size == 0)
            fs_local_files_unlist(files, file);
        else
            fs_local_files_lose(files, file);
}
