/* What earlier mounts have left in the spool.
 *
 * A file of the spool says what it is in a note (fs/writing/spool-note.h). One
 * that an upload was made of is there for nothing, for the upload has a copy.
 */
#include "fs/writing/left-files.h"

#include "fs/sync/lister.h"
#include "fs/writing/spool-note.h"

#include <string.h>

#define NAMELESS "unnamed"
/* The list of mailboxes could not be had: when it is tried again. */
#define AGAIN_SECONDS 2

struct FsLeftFiles {
    FsAccount *account;
    FsLocalFiles *files;
    FsUploads *uploads;
    GPtrArray *waiting; /* of Left, owned: uploads that are to go on */
    FsNeed *list_need;  /* waited for; a reference */
    FsNeedWaiter *list_waiter;
    guint list_timer;
};

typedef struct {
    CacheSpoolFile *file;
    char *note;
} Left;

static void
left_free(gpointer data)
{
    Left *left = data;

    cache_spool_file_free(left->file);
    g_free(left->note);
    g_free(left);
}

/* ---- what each of them is ---- */

/* A FsUploadLostFunc. */
static void
on_lost(CacheSpoolFile *file, const char *name, gpointer user_data)
{
    const FsLeftFiles *left = user_data;
    const char *base = name != NULL ? strrchr(name, '/') : NULL;

    if (base != NULL)
        name = base + 1;
    fs_local_files_found(left->files, file, name != NULL ? name : NAMELESS);
}

static void
take_up(FsLeftFiles *files, Left *left)
{
    g_auto(FsSpoolNote) note;

    fs_spool_note_from_text(left->note, &note);
    if (note.kind == FS_SPOOL_UPLOAD) {
        g_ptr_array_add(files->waiting, left);
        return;
    }
    if (note.kind == FS_SPOOL_KEPT)
        fs_local_files_take_kept(files->files, g_steal_pointer(&left->file),
                                 note.mailbox | FS_LOCAL_FOLDER, note.name);
    else if (note.kind == FS_SPOOL_STORED ||
             cache_spool_file_size(left->file) == 0)
        cache_spool_file_remove(g_steal_pointer(&left->file));
    else
        on_lost(g_steal_pointer(&left->file), note.name, files);
    left_free(left);
}

typedef struct {
    GPtrArray *found;    /* of Left */
    GHashTable *sources; /* of guint64: numbers of files that uploads are made
                            of, and which are there for nothing any more */
    GHashTable *records; /* the same: of the journal, that uploads have */
} Found;

static GHashTable *
new_set(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static void
note_number(GHashTable *set, guint64 number)
{
    if (number != 0)
        g_hash_table_add(set, g_memdup2(&number, sizeof number));
}

static void
on_left(CacheSpoolFile *file, const char *text, gpointer user_data)
{
    Found *found = user_data;
    g_auto(FsSpoolNote) note;
    Left *left = g_new0(Left, 1);

    left->file = file;
    left->note = g_strdup(text);
    g_ptr_array_add(found->found, left);
    fs_spool_note_from_text(text, &note);
    note_number(found->records, note.record);
    note_number(found->sources, note.source);
}

static GHashTable *
find_left(FsLeftFiles *files, CacheSpool *spool)
{
    Found found = {
        .found = g_ptr_array_new(),
        .sources = new_set(),
        .records = new_set(),
    };

    cache_spool_foreach_left(spool, on_left, &found);
    for (guint i = 0; i < found.found->len; i++) {
        Left *left = g_ptr_array_index(found.found, i);
        guint64 number = cache_spool_file_number(left->file);

        if (g_hash_table_contains(found.sources, &number)) {
            cache_spool_file_remove(g_steal_pointer(&left->file));
            left_free(left);
        } else {
            take_up(files, left);
        }
    }
    g_ptr_array_unref(found.found);
    g_hash_table_unref(found.sources);
    return found.records;
}

/* ---- uploads that go on ---- */

static void
on_list(const GError *error, gpointer user_data)
{
    FsLeftFiles *left = user_data;

    g_clear_pointer(&left->list_need, fs_need_unref);
    left->list_waiter = NULL;
    fs_left_files_resume(left);
}

static gboolean
on_list_timer(gpointer user_data)
{
    FsLeftFiles *left = user_data;

    left->list_timer = 0;
    fs_left_files_resume(left);
    return G_SOURCE_REMOVE;
}

static void
resume_all(FsLeftFiles *files)
{
    for (guint i = 0; i < files->waiting->len; i++) {
        Left *left = g_ptr_array_index(files->waiting, i);

        fs_uploads_resume(files->uploads, g_steal_pointer(&left->file),
                          left->note);
    }
    g_ptr_array_set_size(files->waiting, 0);
}

void
fs_left_files_resume(FsLeftFiles *left)
{
    FsNeed *need;

    if (left->waiting->len == 0)
        return;
    need = fs_lister_need(left->account->lister, FS_KNOWN);
    if (need == NULL) {
        resume_all(left);
    } else if (left->list_waiter != NULL || left->list_timer != 0) {
        return;
    } else if (fs_need_is_complete(need)) {
        left->list_timer =
            g_timeout_add_seconds(AGAIN_SECONDS, on_list_timer, left);
    } else {
        left->list_need = fs_need_ref(need);
        left->list_waiter = fs_need_wait(need, on_list, left);
    }
}

FsNeed *
fs_left_files_need(const FsLeftFiles *left)
{
    return left->list_need;
}

guint
fs_left_files_count(const FsLeftFiles *left)
{
    return left->waiting->len;
}

/* ---- making and ending ---- */

FsLeftFiles *
fs_left_files_new(FsAccount *account, CacheSpool *spool, FsLocalFiles *files,
                  FsUploads *uploads, GHashTable **records)
{
    FsLeftFiles *left = g_new0(FsLeftFiles, 1);

    left->account = account;
    left->files = files;
    left->uploads = uploads;
    left->waiting = g_ptr_array_new_with_free_func(left_free);
    fs_uploads_set_lost_func(uploads, on_lost, left);
    *records = find_left(left, spool);
    return left;
}

void
fs_left_files_stop(FsLeftFiles *left)
{
    if (left->list_waiter != NULL)
        fs_need_cancel(g_steal_pointer(&left->list_waiter));
    g_clear_pointer(&left->list_need, fs_need_unref);
    g_clear_handle_id(&left->list_timer, g_source_remove);
}

void
fs_left_files_free(FsLeftFiles *left)
{
    if (left == NULL)
        return;
    g_ptr_array_unref(left->waiting);
    g_free(left);
}
