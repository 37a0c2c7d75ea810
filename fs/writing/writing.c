/* The rules by which files become messages.
 *
 * A file that is refused goes to those that are lost, so that nothing is in a
 * mailbox that the server does not have. One that is pending stays where it
 * is: it will be stored as soon as there is a line. */
#include "fs/writing/writing.h"

#include "fs/changes/changes.h"
#include "fs/changes/overlay.h"
#include "fs/kernel/errno.h"
#include "fs/names/given-name.h"
#include "fs/writing/directories.h"
#include "fs/writing/file-name.h"
#include "fs/writing/fill.h"
#include "fs/writing/left-files.h"

#include <errno.h>
#include <string.h>

/* A temporary file that nobody has touched for so long is lost. */
#define SCRATCH_US G_TIME_SPAN_DAY
#define SCRATCH_CHECK_SECONDS (60u * 60)
/* Who makes a file and then opens it (mknod, as tar --xattrs) has that long for
 * it. */
#define UNOPENED_US (5 * G_USEC_PER_SEC)
#define UNOPENED_CHECK_SECONDS 2

struct FsWriting {
    FsAccount *account;
    CacheSpool *spool;
    FsLocalFiles *files;
    FsUploads *uploads;
    FsRights *rights;
    FsQuota *quota;
    FsFileFlags *flags;
    GHashTable *changed_inodes; /* of guint64 */
    FsLeftFiles *left;
    guint scratch_timer;
    guint unopened_timer; /* 0: none is waited for */
    FsWritingChangedFunc changed;
    gpointer changed_data;
};

FsAccount *
fs_writing_account(FsWriting *writing)
{
    return writing->account;
}

FsLocalFiles *
fs_writing_files(FsWriting *writing)
{
    return writing->files;
}

FsUploads *
fs_writing_uploads(FsWriting *writing)
{
    return writing->uploads;
}

FsRights *
fs_writing_rights(FsWriting *writing)
{
    return writing->rights;
}

FsQuota *
fs_writing_quota(FsWriting *writing)
{
    return writing->quota;
}

void
fs_writing_set_changed_func(FsWriting *writing, FsWritingChangedFunc func,
                            gpointer user_data)
{
    writing->changed = func;
    writing->changed_data = user_data;
}

FsFileFlags *
fs_writing_flags(FsWriting *writing)
{
    return writing->flags;
}

FsLocalFile *
fs_writing_file(FsWriting *writing, guint64 inode)
{
    return writing != NULL ? fs_local_files_get(writing->files, inode) : NULL;
}

static void
tell(FsWriting *writing, guint32 mailbox, const char *name, guint64 inode)
{
    if (writing->changed != NULL)
        writing->changed(mailbox, name, inode, writing->changed_data);
}

gboolean
fs_writing_has_changed(const FsWriting *writing, guint64 inode)
{
    return fs_local_files_own(inode) ||
           fs_local_files_get(writing->files, inode) != NULL ||
           g_hash_table_contains(writing->changed_inodes, &inode);
}

static void
note_changed(FsWriting *writing, guint64 inode)
{
    g_hash_table_add(writing->changed_inodes, g_memdup2(&inode, sizeof inode));
}

/* ---- what becomes of a file ---- */

typedef struct {
    FsWriting *writing;
    FsLocalFile *file; /* a reference */
    char *flags;       /* that it is stored with; owned; NULL: not known */
} Watch;

static void
watch_free(gpointer data)
{
    Watch *watch = data;

    fs_local_file_unref(watch->file);
    g_free(watch->flags);
    g_free(watch);
}

/* A temporary file was to become a message, had to wait for the line, and was
 * written anew meanwhile: it stays what it is. */
static gboolean
is_written_anew(const FsLocalFile *file)
{
    return file->listed && file->generation != file->uploading &&
           fs_local_file_is_scratch(file);
}

/* The message that it was goes by an inode of its own. */
static void
part_from_message(FsWriting *writing, FsLocalFile *file, const FsUpload *upload)
{
    FsOverlay *overlay = writing->account->overlay;
    FsGuest *guest = fs_overlay_guest_by_inode(overlay, file->inode);

    file->replaces = 0;
    file->must_match = FALSE;
    if (guest == NULL)
        return;
    fs_overlay_remove_guest(overlay, guest);
    fs_overlay_tell(overlay, FS_OVERLAY_NAME, fs_upload_mailbox(upload), 0,
                    fs_upload_name(upload));
}

/* From now on its inode means the message. */
static void
take_stored(FsWriting *writing, FsLocalFile *file, const FsUpload *upload,
            const char *flags)
{
    guint32 uid = fs_upload_uid(upload);

    /* Of a message that was there already, nothing was sent. */
    fs_file_flags_stored(writing->flags, file, fs_upload_mailbox(upload),
                         fs_upload_name(upload), uid,
                         uid != file->replaces ? flags : NULL);
    file->stored = file->uploading;
    if (is_written_anew(file)) {
        part_from_message(writing, file, upload);
        return;
    }
    file->replaces = uid;
    file->in_place = TRUE;
    file->must_match = FALSE;
    note_changed(writing, file->inode);
    tell(writing, file->directory, file->listed ? file->name : NULL,
         file->inode);
    if (file->linked) {
        fs_local_files_take_back(writing->files, file);
        fs_local_files_note_stored(file);
    } else {
        fs_local_files_unlist(writing->files, file);
    }
}

static void
take_refused(FsWriting *writing, FsLocalFile *file, const FsUpload *upload)
{
    file->refused = file->uploading;
    if (!file->in_place)
        file->replaces = 0;
    g_clear_error(&file->refusal);
    file->refusal = g_error_copy(fs_upload_error(upload));
    /* What was renamed to be a message is what it was before. */
    if (fs_local_file_is_scratch(file))
        return;
    note_changed(writing, file->inode);
    tell(writing, file->directory, NULL, file->inode);
    fs_local_files_lose(writing->files, file);
}

static void
on_upload(FsUpload *upload, gpointer user_data)
{
    Watch *watch = user_data;
    FsUploadState state = fs_upload_state(upload);
    FsUpload *ours = NULL;
    g_autoptr(FsLocalFile) file = fs_local_file_ref(watch->file);

    if (state != FS_UPLOAD_STORED && state != FS_UPLOAD_REFUSED)
        return;
    if (file->upload == upload) {
        ours = g_steal_pointer(&file->upload);
        if (state == FS_UPLOAD_STORED)
            take_stored(watch->writing, file, upload, watch->flags);
        else
            take_refused(watch->writing, file, upload);
        fs_local_files_released(watch->writing->files, file);
    }
    fs_upload_set_changed_func(upload, NULL, NULL, NULL);
    fs_upload_unref(ours);
}

/* ---- deletions that wait ---- */

/* Of the journal: beside those of fs/changes/pending.h. */
#define RECORD_KIND 100u

void
fs_writing_hold(FsWriting *writing, FsLocalFile *file, guint32 mailbox,
                const char *name)
{
    FsAccount *account = writing->account;
    CacheJournalRecord record = {
        .kind = RECORD_KIND, .mailbox = mailbox, .name = name};
    guint32 uid;

    if (file->held != 0 || file->replaces != 0 ||
        fs_file_name_kind(name) == FS_FILE_SCRATCH)
        return;
    file->record = cache_journal_add(account->journal, &record);
    file->held = fs_changes_hold_deleted(account->changes, mailbox, name,
                                         file->record, &uid);
    if (file->held != 0) {
        file->replaces = uid;
    } else {
        cache_journal_remove(account->journal, file->record);
        file->record = 0;
    }
}

void
fs_writing_let_go(FsWriting *writing, FsLocalFile *file, gboolean done)
{
    FsAccount *account = writing->account;

    if (file->held == 0)
        return;
    fs_changes_release(account->changes, file->held, done);
    cache_journal_remove(account->journal, file->record);
    file->held = file->record = 0;
    file->replaces = 0;
}

typedef struct {
    const GHashTable *used; /* set of guint64 */
    GArray *unused;         /* of guint64 */
} Records;

/* A CacheJournalFunc. */
static void
look_at_record(const CacheJournalRecord *record, gpointer user_data)
{
    Records *records = user_data;

    if (record->kind == RECORD_KIND &&
        !g_hash_table_contains((GHashTable *)records->used, &record->id))
        g_array_append_val(records->unused, record->id);
}

/* Of files that were not finished when an earlier mount ended: what was deleted
 * for them shows again. */
static void
forget_records(FsWriting *writing, const GHashTable *used)
{
    FsAccount *account = writing->account;
    Records records = {used, g_array_new(FALSE, FALSE, sizeof(guint64))};

    cache_journal_foreach(account->journal, look_at_record, &records);
    for (guint i = 0; i < records.unused->len; i++)
        cache_journal_remove(account->journal,
                             g_array_index(records.unused, guint64, i));
    g_array_unref(records.unused);
    fs_changes_release_orphans(account->changes);
}

/* ---- committing ---- */

/* What an earlier mount has left may have become a message of that name since
 * the file was made: that is not written over, but for the same. */
static void
note_namesake(const FsWriting *writing, FsLocalFile *file, guint32 mailbox,
              const char *name)
{
    const FsAccount *account = writing->account;
    guint32 uid = cache_aliases_uid(account->aliases, mailbox, name);
    CacheMessage message;

    if (file->replaces != 0 || uid == 0 ||
        fs_overlay_is_taken_away(account->overlay, mailbox, uid))
        return;
    /* One that is removed by a mark has kept the name. */
    if (account->options->remove == FS_REMOVE_MARK &&
        cache_index_message(account->index, mailbox, uid, &message) &&
        message.flags != NULL && strstr(message.flags, "\\Deleted") != NULL)
        return;
    file->replaces = uid;
    file->must_match = TRUE;
}

static void
begin_upload(FsWriting *writing, FsLocalFile *file, guint32 mailbox,
             const char *name)
{
    g_autofree char *flags = NULL;
    g_autofree char *own_flags = NULL;
    FsUpload *before = file->upload;
    Watch *watch = g_new0(Watch, 1);
    FsUploadRequest request;

    note_namesake(writing, file, mailbox, name);
    flags = fs_file_flags_of(writing->flags, file, mailbox, name);
    if (file->held != 0)
        own_flags = fs_file_flags_own(writing->flags, file, mailbox, name);
    request = (FsUploadRequest){
        .source = file->spool,
        .mailbox = mailbox,
        .name = name,
        .flags = flags,
        .stays = fs_local_file_is_scratch(file),
        .own_flags = own_flags,
        .date = file->dated ? file->modified_at / G_USEC_PER_SEC : G_MININT64,
        .inode = file->inode,
        .replaces = file->replaces,
        .must_match = file->must_match,
        .held = file->held,
        .record = file->record,
        .after = before,
    };

    /* It may be one of those. */
    fs_writing_resume(writing);
    if (!file->filled) {
        request.source = NULL;
        request.copy_mailbox = file->base_mailbox;
        request.copy_uid = file->base_uid;
    }
    file->held = file->record = 0;
    file->upload = fs_uploads_begin(writing->uploads, &request);
    file->uploading = file->generation;
    fs_upload_unref(before);
    watch->writing = writing;
    watch->flags = fs_file_flags_sent(writing->flags, file, mailbox, name);
    watch->file = fs_local_file_ref(file);
    fs_upload_set_changed_func(file->upload, on_upload, watch, watch_free);
    /* Of a copy, its end may be known at once. */
    on_upload(file->upload, watch);
}

static FsCommit
fail(const GError *error, int *error_number)
{
    *error_number = fs_errno_from_error(error);
    return FS_COMMIT_FAILED;
}

static FsCommit
outcome(const FsWriting *writing, const FsLocalFile *file, FsNeed **need,
        int *error_number)
{
    const FsUpload *upload = file->upload;

    if (writing->account->options->writeback && fs_upload_is_safe(upload))
        return FS_COMMIT_DONE;
    if (fs_upload_state(upload) == FS_UPLOAD_PENDING)
        return fail(fs_upload_error(upload), error_number);
    *need = fs_upload_need(upload);
    return FS_COMMIT_WAIT;
}

/* Without it, the message that it goes by the name of would show again, and be
 * there after it was removed. */
static gboolean
stands_for_another(const FsLocalFile *file)
{
    return !fs_local_file_is_scratch(file) &&
           fs_upload_replaces(file->upload) != 0;
}

gboolean
fs_writing_give_up(FsLocalFile *file)
{
    if (stands_for_another(file) || !fs_upload_give_up(file->upload))
        return FALSE;
    g_clear_pointer(&file->upload, fs_upload_unref);
    return TRUE;
}

typedef struct {
    FsNeed *need; /* a reference */
    guint n_waiting;
} Forgetting;

static void
on_forgotten(const GError *error, gpointer user_data)
{
    Forgetting *forgetting = user_data;

    if (error != NULL)
        fs_need_complete(forgetting->need, error);
    if (--forgetting->n_waiting > 0)
        return;
    fs_need_complete(forgetting->need, NULL);
    fs_need_unref(forgetting->need);
    g_free(forgetting);
}

FsNeed *
fs_writing_forget(FsWriting *writing)
{
    Forgetting *forgetting = g_new0(Forgetting, 1);
    FsNeed *need = fs_need_new();

    forgetting->need = fs_need_ref(need);
    forgetting->n_waiting = 2;
    cache_spool_flush(writing->spool, on_forgotten, forgetting);
    cache_journal_flush(writing->account->journal, FALSE, on_forgotten,
                        forgetting);
    return need;
}

/* Whether there is a message to be made of it. */
static gboolean
is_message(const FsLocalFile *file, const char *name)
{
    FsFileKind kind = fs_file_name_kind(name);

    return file->size > 0 &&
           (kind == FS_FILE_MAIL || kind == FS_FILE_MAILDIR ||
            fs_given_name_is_maildir(name) || fs_local_file_is_edit(file)) &&
           (!file->filled ||
            fs_written_ranges_is_whole(file->written, file->size));
}

static FsCommit
commit_as(FsWriting *writing, FsLocalFile *file, guint32 mailbox,
          const char *name, FsNeed **need, int *error_number)
{
    if (file->error != NULL)
        return fail(file->error, error_number);
    if (file->detached && file->refusal != NULL)
        return fail(file->refusal, error_number);
    if (file->detached ||
        (file->generation != 0 && file->generation == file->stored))
        return FS_COMMIT_DONE;
    if (file->generation != 0 && file->generation == file->refused)
        return fail(file->refusal, error_number);
    if (mailbox == FS_LOCAL_LOST && file->refusal != NULL &&
        file->n_writers > 0)
        return fail(file->refusal, error_number);
    if (mailbox == FS_LOCAL_LOST || fs_local_is_kept(mailbox) ||
        fs_local_is_tmp(mailbox) || file->generation == 0 ||
        !is_message(file, name))
        return FS_COMMIT_DONE;
    if (file->upload == NULL || file->uploading != file->generation)
        begin_upload(writing, file, mailbox, name);
    if (file->upload == NULL)
        return fail(file->refusal, error_number);
    return outcome(writing, file, need, error_number);
}

FsCommit
fs_writing_commit(FsWriting *writing, FsLocalFile *file, guint32 directory,
                  const char *name, FsNeed **need, int *error_number)
{
    guint32 mailbox;
    g_autofree char *given = fs_local_message_name(directory, name, &mailbox);

    return commit_as(writing, file, mailbox, given, need, error_number);
}

FsNeed *
fs_writing_fill(FsWriting *writing, FsLocalFile *file)
{
    if (file->filled)
        return NULL;
    if (file->filling != NULL)
        return file->filling;
    return fs_fill_begin(writing->account, file);
}

/* ---- what earlier mounts have left ---- */

void
fs_writing_resume(FsWriting *writing)
{
    if (writing != NULL)
        fs_left_files_resume(writing->left);
}

FsNeed *
fs_writing_need_settled(FsWriting *writing)
{
    FsNeed *need;

    fs_left_files_resume(writing->left);
    need = fs_left_files_need(writing->left);
    return need != NULL ? need : fs_uploads_need_settled(writing->uploads);
}

guint
fs_writing_pending(const FsWriting *writing)
{
    if (writing == NULL)
        return 0;
    return fs_left_files_count(writing->left) +
           fs_uploads_pending(writing->uploads, 0);
}

/* ---- files that were forgotten ---- */

static void
lose_if_old(FsLocalFile *file, gpointer user_data)
{
    FsWriting *writing = user_data;

    if (file->directory == FS_LOCAL_LOST || fs_local_is_kept(file->directory) ||
        file->upload != NULL || file->n_handles > 0 ||
        g_get_monotonic_time() - file->listed_at < SCRATCH_US)
        return;
    if (file->generation != 0 && file->generation == file->stored) {
        fs_local_files_unlist(writing->files, file); /* it was linked */
        return;
    }
    fs_account_say(writing->account,
                   "%s was not touched for a day; it is in lost+found now",
                   file->name);
    fs_writing_let_go(writing, file, FALSE);
    fs_local_files_lose(writing->files, file);
}

static gboolean
on_scratch_timer(gpointer user_data)
{
    FsWriting *writing = user_data;

    fs_local_files_foreach(writing->files, lose_if_old, writing);
    return G_SOURCE_CONTINUE;
}

/* ---- files that were made, and not opened ---- */

typedef struct {
    FsWriting *writing;
    gboolean waits;
} Unopened;

static void
let_go_if_unopened(FsLocalFile *file, gpointer user_data)
{
    Unopened *unopened = user_data;

    if (file->held == 0 || file->n_handles > 0 || file->upload != NULL ||
        file->generation != 0)
        return;
    if (g_get_monotonic_time() - file->listed_at < UNOPENED_US)
        unopened->waits = TRUE;
    else
        fs_writing_let_go(unopened->writing, file, TRUE);
}

static gboolean
on_unopened_timer(gpointer user_data)
{
    FsWriting *writing = user_data;
    Unopened unopened = {writing, FALSE};

    fs_local_files_foreach(writing->files, let_go_if_unopened, &unopened);
    if (unopened.waits)
        return G_SOURCE_CONTINUE;
    writing->unopened_timer = 0;
    return G_SOURCE_REMOVE;
}

void
fs_writing_await_opening(FsWriting *writing, const FsLocalFile *file)
{
    if (file->held != 0 && writing->unopened_timer == 0)
        writing->unopened_timer = g_timeout_add_seconds(
            UNOPENED_CHECK_SECONDS, on_unopened_timer, writing);
}

/* A FsLocalEntryFunc. */
static void
on_entry(guint32 directory, const char *name, guint64 inode, gpointer user_data)
{
    if (inode != 0)
        note_changed(user_data, inode);
    tell(user_data, directory, name, inode);
}

/* ---- making and ending ---- */

FsWriting *
fs_writing_new(FsAccount *account, GError **error)
{
    FsWriting *writing;
    GHashTable *records;
    const CacheDirectory *directory = account->directories.state_directory;
    CacheSpool *spool = cache_spool_open(
        directory != NULL ? cache_directory_path(directory) : NULL,
        account->store_thread, error);

    if (spool == NULL)
        return NULL;
    writing = g_new0(FsWriting, 1);
    writing->account = account;
    writing->spool = spool;
    writing->files = fs_local_files_new(spool);
    writing->uploads = fs_uploads_new(account, spool);
    writing->rights = fs_rights_new(account);
    writing->quota = fs_quota_new(account);
    writing->flags = fs_file_flags_new(account);
    writing->changed_inodes =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    fs_local_files_set_entry_func(writing->files, on_entry, writing);
    writing->scratch_timer =
        g_timeout_add_seconds(SCRATCH_CHECK_SECONDS, on_scratch_timer, writing);
    writing->left = fs_left_files_new(account, spool, writing->files,
                                      writing->uploads, &records);
    forget_records(writing, records);
    g_hash_table_unref(records);
    return writing;
}

void
fs_writing_stop(FsWriting *writing)
{
    if (writing == NULL)
        return;
    fs_left_files_stop(writing->left);
    g_clear_handle_id(&writing->scratch_timer, g_source_remove);
    g_clear_handle_id(&writing->unopened_timer, g_source_remove);
    g_clear_pointer(&writing->uploads, fs_uploads_free);
    g_clear_pointer(&writing->flags, fs_file_flags_free);
    fs_directory_changes_abandon();
    fs_fill_abandon_all();
}

void
fs_writing_free(FsWriting *writing)
{
    if (writing == NULL)
        return;
    fs_writing_stop(writing);
    fs_left_files_free(writing->left);
    fs_rights_free(writing->rights);
    fs_quota_free(writing->quota);
    fs_local_files_free(writing->files);
    g_hash_table_unref(writing->changed_inodes);
    cache_spool_close(writing->spool);
    g_free(writing);
}
