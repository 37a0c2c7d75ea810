/* A file whose octets are here. */
#include "fs/writing/local-file.h"

#include "fs/writing/file-name.h"
#include "fs/writing/uploads.h"

gboolean
fs_local_is_kept(guint32 directory)
{
    return directory != FS_LOCAL_LOST && (directory & FS_LOCAL_FOLDER) != 0;
}

gboolean
fs_local_is_tmp(guint32 directory)
{
    return directory != FS_LOCAL_LOST && (directory & FS_LOCAL_TMP) != 0;
}

char *
fs_local_message_name(guint32 directory, const char *name, guint32 *mailbox)
{
    const char *prefix = "";

    *mailbox = directory;
    if (directory == FS_LOCAL_LOST)
        return g_strdup(name);
    if ((directory & FS_LOCAL_CUR) != 0)
        prefix = "/cur/";
    else if ((directory & FS_LOCAL_NEW) != 0)
        prefix = "/new/";
    *mailbox &= ~(FS_LOCAL_CUR | FS_LOCAL_NEW);
    return g_strconcat(prefix, name, NULL);
}

FsLocalFile *
fs_local_file_new(guint64 inode, CacheSpoolFile *spool)
{
    FsLocalFile *file = g_new0(FsLocalFile, 1);

    file->references = 1;
    file->inode = inode;
    file->spool = spool;
    file->size = cache_spool_file_size(spool);
    file->filled = TRUE;
    file->written = fs_written_ranges_new();
    fs_written_ranges_add(file->written, 0, file->size);
    file->modified_at = g_get_real_time();
    file->mode = 0600;
    return file;
}

FsLocalFile *
fs_local_file_ref(FsLocalFile *file)
{
    file->references++;
    return file;
}

void
fs_local_file_unref(gpointer data)
{
    FsLocalFile *file = data;

    if (file == NULL || --file->references > 0)
        return;
    if ((file->listed &&
         (file->size > 0 || fs_local_is_kept(file->directory))) ||
        fs_local_file_is_unfinished(file))
        cache_spool_file_free(file->spool);
    else
        cache_spool_file_remove(file->spool);
    fs_written_ranges_free(file->written);
    fs_need_unref(file->filling);
    fs_upload_unref(file->upload);
    g_clear_error(&file->error);
    g_clear_error(&file->refusal);
    g_free(file->flags);
    g_free(file->name);
    g_free(file->first_name);
    g_free(file);
}

/* ---- changing the octets ---- */

typedef struct {
    FsLocalFile *file; /* a reference */
    CacheSpoolDoneFunc done;
    gpointer user_data;
} Change;

static void
on_changed(const GError *error, gpointer user_data)
{
    Change *change = user_data;

    if (error != NULL && change->file->error == NULL)
        change->file->error = g_error_copy(error);
    /* What there is of it, and no more, is to be seen. */
    if (change->file->error != NULL)
        change->file->size =
            MIN(change->file->size, cache_spool_file_size(change->file->spool));
    if (change->done != NULL)
        change->done(error, change->user_data);
    fs_local_file_unref(change->file);
    g_free(change);
}

static Change *
begin_change(FsLocalFile *file, CacheSpoolDoneFunc done, gpointer user_data)
{
    Change *change = g_new0(Change, 1);

    change->file = fs_local_file_ref(file);
    change->done = done;
    change->user_data = user_data;
    file->generation++;
    file->dated = FALSE;
    file->modified_at = g_get_real_time();
    return change;
}

void
fs_local_file_write(FsLocalFile *file, guint64 offset, GBytes *data,
                    CacheSpoolDoneFunc done, gpointer user_data)
{
    gsize length = g_bytes_get_size(data);

    fs_written_ranges_add(file->written, offset, length);
    file->size = MAX(file->size, offset + length);
    cache_spool_file_write(file->spool, offset, data, on_changed,
                           begin_change(file, done, user_data));
}

void
fs_local_file_truncate(FsLocalFile *file, guint64 size, CacheSpoolDoneFunc done,
                       gpointer user_data)
{
    fs_written_ranges_cut(file->written, size);
    file->size = size;
    cache_spool_file_truncate(file->spool, size, on_changed,
                              begin_change(file, done, user_data));
}

void
fs_local_file_set_time(FsLocalFile *file, gint64 microseconds)
{
    file->modified_at = microseconds;
    file->dated = TRUE;
}

gboolean
fs_local_file_is_dirty(const FsLocalFile *file)
{
    return file->in_place && !file->listed && !file->detached &&
           file->generation != 0 && file->generation != file->stored &&
           file->generation != file->refused;
}

gboolean
fs_local_file_is_unfinished(const FsLocalFile *file)
{
    return fs_local_file_is_dirty(file) && file->upload == NULL &&
           file->error == NULL && file->filled && file->size > 0;
}

gboolean
fs_local_file_is_emptied(const FsLocalFile *file)
{
    return file->in_place && !file->listed && !file->detached &&
           file->size == 0 && file->generation != file->stored &&
           file->upload == NULL && file->error == NULL;
}

gboolean
fs_local_file_is_edit(const FsLocalFile *file)
{
    return file->in_place && !file->listed;
}

gboolean
fs_local_file_is_scratch(const FsLocalFile *file)
{
    return fs_local_is_kept(file->directory) ||
           fs_local_is_tmp(file->directory) ||
           (fs_file_name_kind(file->name) == FS_FILE_SCRATCH &&
            !fs_local_file_is_edit(file));
}

gboolean
fs_local_file_is_ahead(const FsLocalFile *file)
{
    if (file->listed || fs_local_file_is_unfinished(file))
        return TRUE;
    if (file->generation == 0 || file->detached)
        return FALSE;
    if (file->generation == file->stored)
        return file->n_appenders > 0;
    return file->n_writers > 0 || file->upload != NULL ||
           fs_local_file_is_emptied(file);
}
