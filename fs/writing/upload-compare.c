/* Whether what was written may take the place of another message, and whether
 * that is needed at all. */
#include "fs/writing/upload-private.h"

#include "fs/kernel/errno.h"

#include <string.h>

static void
refuse_another(FsUpload *upload)
{
    g_autoptr(GError) error = g_error_new(
        FS_ERROR, FS_ERROR_ANOTHER,
        "another message has that name, and is not replaced by one with "
        "another Message-ID");

    fs_upload_refuse(upload, error);
}

static gboolean
is_same(const FsUpload *upload, const FsStoredText *stored)
{
    return stored->digest != NULL &&
           (strcmp(stored->digest, upload->text.digest) == 0 ||
            strcmp(stored->digest, upload->text.raw_digest) == 0);
}

static gboolean
is_another(const FsUpload *upload, const FsStoredText *stored)
{
    return *stored->identity == '\0' ||
           g_strcmp0(stored->identity, upload->identity) != 0;
}

static void
on_stored_text(const FsStoredText *stored, const GError *error,
               gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    upload->reading = NULL;
    if (!fs_upload_take_answer(upload))
        return;
    if (g_error_matches(error, FS_ERROR, FS_ERROR_GONE) ||
        g_error_matches(error, FS_ERROR, FS_ERROR_STALE)) {
        upload->replaces = 0;
    } else if (error != NULL) {
        fs_upload_fail(upload, error);
        return;
    } else if (is_same(upload, stored)) {
        upload->is_same = TRUE;
        fs_upload_stored(upload, upload->replaces);
        return;
    } else if (upload->must_match && upload->copy_uid == 0 &&
               is_another(upload, stored)) {
        refuse_another(upload);
        return;
    } else if (upload->held != 0 && is_another(upload, stored)) {
        fs_upload_take_own_flags(upload);
    }
    upload->step = FS_UPLOAD_STEP_SEND;
    fs_need_progress(upload->need);
    fs_upload_go_on(upload);
}

void
fs_upload_compare(FsUpload *upload)
{
    const guint64 sizes[] = {
        upload->text.size,
        upload->source != NULL ? cache_spool_file_size(upload->source) : 0};

    if (upload->replaces == 0) {
        upload->step = FS_UPLOAD_STEP_SEND;
        fs_upload_go_on(upload);
        return;
    }
    fs_upload_note_names(upload);
    /* A copy would have to be fetched to tell; it was asked for as a whole. */
    if (upload->copy_uid != 0 && upload->must_match) {
        refuse_another(upload);
        return;
    }
    fs_upload_await(upload);
    upload->reading = fs_stored_text_read(
        upload->uploads->account, upload->mailbox, upload->replaces, sizes,
        G_N_ELEMENTS(sizes), on_stored_text, upload);
}
