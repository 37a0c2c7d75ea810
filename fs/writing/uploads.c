/* The life of an upload: made, recorded, and then step by step to its end.
 *
 * Each step either goes on at once, or awaits an answer and is gone on with
 * when that has come. A pending upload begins again with the comparison, or, if
 * nobody knows whether the server has it, with the search for it. */
#include "fs/writing/upload-private.h"

#include "fs/kernel/errno.h"
#include "fs/writing/spool-note.h"

#include <string.h>

#define RETRY_SECONDS 2u
#define RETRY_SECONDS_MAX 60u
/* More than these are not told of one by one. */
#define MAX_REFUSED 1000u

/* ---- one upload ---- */

FsUpload *
fs_upload_ref(FsUpload *upload)
{
    upload->references++;
    return upload;
}

void
fs_upload_unref(gpointer data)
{
    FsUpload *upload = data;

    if (upload == NULL || --upload->references > 0)
        return;
    fs_stored_reading_cancel(upload->reading);
    cache_spool_file_free(upload->source);
    cache_spool_file_free(upload->file);
    fs_message_text_clear(&upload->text);
    g_clear_pointer(&upload->candidates, g_array_unref);
    g_clear_error(&upload->error);
    g_clear_error(&upload->refusal);
    fs_need_unref(upload->need);
    fs_need_unref(upload->waited_for);
    fs_upload_unref(upload->after);
    g_ptr_array_unref(upload->followers);
    g_free(upload->message_id);
    g_free(upload->identity);
    g_free(upload->name);
    g_free(upload->maildir);
    g_free(upload->flags);
    g_free(upload->own_flags);
    g_free(upload);
}

FsUploadState
fs_upload_state(const FsUpload *upload)
{
    return upload->state;
}

FsNeed *
fs_upload_need(const FsUpload *upload)
{
    return upload->need;
}

const GError *
fs_upload_error(const FsUpload *upload)
{
    return upload->error;
}

guint32
fs_upload_uid(const FsUpload *upload)
{
    return upload->uid;
}

/* It may yet turn out to be another message than that which it replaces. */
static gboolean
is_undecided(const FsUpload *upload)
{
    return upload->must_match && upload->replaces != 0 &&
           upload->step <= FS_UPLOAD_STEP_COMPARE &&
           upload->state == FS_UPLOAD_UNDER_WAY;
}

guint32
fs_upload_mailbox(const FsUpload *upload)
{
    return upload->mailbox;
}

const char *
fs_upload_name(const FsUpload *upload)
{
    return upload->name;
}

guint32
fs_upload_replaces(const FsUpload *upload)
{
    return upload->held == 0 ? upload->replaces : 0;
}

gboolean
fs_upload_is_safe(const FsUpload *upload)
{
    return upload->is_safe && upload->copy_uid == 0 && !is_undecided(upload);
}

void
fs_upload_set_changed_func(FsUpload *upload, FsUploadChangedFunc func,
                           gpointer user_data, GDestroyNotify free_data)
{
    GDestroyNotify free_before = upload->free_changed_data;
    gpointer before = upload->changed_data;

    upload->changed = func;
    upload->changed_data = user_data;
    upload->free_changed_data = free_data;
    if (free_before != NULL)
        free_before(before);
}

static void
tell(FsUpload *upload)
{
    if (upload->changed != NULL)
        upload->changed(upload, upload->changed_data);
}

const char *
fs_upload_wire_name(const FsUpload *upload, guint32 mailbox)
{
    const FsMailbox *found =
        fs_mailbox_tree_get(upload->uploads->account->tree, mailbox);

    return found != NULL && found->selectable ? found->wire_name : NULL;
}

FsUpload *
fs_upload_await(FsUpload *upload)
{
    upload->busy = TRUE;
    return fs_upload_ref(upload);
}

gboolean
fs_upload_take_answer(FsUpload *upload)
{
    upload->busy = FALSE;
    return upload->uploads != NULL && upload->state == FS_UPLOAD_UNDER_WAY;
}

void
fs_upload_release_lease(FsUpload *upload)
{
    g_clear_pointer(&upload->lease, imap_lease_release);
}

/* ---- ends ---- */

static void
become(FsUpload *upload, FsUploadState state, const GError *error)
{
    fs_upload_release_lease(upload);
    upload->state = state;
    g_clear_error(&upload->error);
    upload->error = error != NULL ? g_error_copy(error) : NULL;
    fs_need_complete(upload->need, error);
    tell(upload);
}

static void
begin_again(FsUpload *upload)
{
    if (upload->state == FS_UPLOAD_UNDER_WAY)
        return;
    upload->state = FS_UPLOAD_UNDER_WAY;
    fs_need_unref(upload->need);
    upload->need = fs_need_new();
}

/* Those that come after it go on, by what has become of it. */
static void
let_followers_go(FsUpload *upload)
{
    g_autoptr(GPtrArray) followers = g_steal_pointer(&upload->followers);

    upload->followers = g_ptr_array_new_with_free_func(fs_upload_unref);
    for (guint i = 0; i < followers->len; i++) {
        FsUpload *follower = g_ptr_array_index(followers, i);

        if (follower->uploads != NULL) {
            begin_again(follower);
            fs_upload_go_on(follower);
        }
    }
}

static void
finish(FsUpload *upload, FsUploadState state, const GError *error)
{
    FsUploads *uploads = upload->uploads;
    gboolean listed = g_queue_remove(&uploads->all, upload);

    become(upload, state, error);
    let_followers_go(upload);
    fs_uploads_pump(uploads);
    if (listed)
        fs_upload_unref(upload);
}

/* Where the octets are now. */
static const char *
whereabouts(const FsUpload *upload)
{
    if (upload->copy_uid != 0)
        return "";
    return upload->stays ? "; the file has its old name"
                         : "; what was written is in .imapfs/lost+found";
}

void
fs_upload_refuse(FsUpload *upload, const GError *error)
{
    FsUploads *uploads = upload->uploads;
    g_autofree char *path =
        fs_mailbox_tree_path(uploads->account->tree, upload->mailbox);

    char *text = g_strdup_printf("%s/%s cannot be stored: %s%s",
                                 path != NULL ? path : "?",
                                 upload->name != NULL ? upload->name : "?",
                                 error->message, whereabouts(upload));

    fs_account_say(uploads->account, "%s", text);
    fs_upload_let_go(upload, FALSE);
    if (uploads->refused->len < MAX_REFUSED)
        g_ptr_array_add(uploads->refused, text);
    else
        g_free(text);
    if (upload->source == NULL && upload->copy_uid == 0 &&
        uploads->lost != NULL)
        uploads->lost(g_steal_pointer(&upload->file), upload->name,
                      uploads->lost_data);
    else
        cache_spool_file_remove(g_steal_pointer(&upload->file));
    finish(upload, FS_UPLOAD_REFUSED, error);
}

static gboolean
can_be_given_up(const FsUpload *upload)
{
    return upload->state == FS_UPLOAD_PENDING && !upload->busy &&
           upload->step <= FS_UPLOAD_STEP_SEND && upload->n_unanswered == 0 &&
           upload->after == NULL && upload->followers->len == 0;
}

gboolean
fs_upload_give_up(FsUpload *upload)
{
    g_autoptr(GError) error = NULL;

    if (!can_be_given_up(upload))
        return FALSE;
    error = g_error_new(FS_ERROR, FS_ERROR_GONE,
                        "it was removed before it could be stored");
    fs_upload_set_changed_func(upload, NULL, NULL, NULL);
    fs_upload_let_go(upload, TRUE); /* what is deleted stays so */
    cache_spool_file_remove(g_steal_pointer(&upload->file));
    finish(upload, FS_UPLOAD_REFUSED, error);
    return TRUE;
}

static gboolean
on_retry(gpointer user_data)
{
    FsUploads *uploads = user_data;

    uploads->retry_timer = 0;
    uploads->retry_seconds = MIN(2 * uploads->retry_seconds, RETRY_SECONDS_MAX);
    fs_uploads_retry(uploads);
    return G_SOURCE_REMOVE;
}

void
fs_upload_postpone(FsUpload *upload, const GError *error)
{
    FsUploads *uploads = upload->uploads;

    become(upload, FS_UPLOAD_PENDING, error);
    for (guint i = 0; i < upload->followers->len; i++)
        become(g_ptr_array_index(upload->followers, i), FS_UPLOAD_PENDING,
               error);
    if (uploads->retry_timer == 0)
        uploads->retry_timer =
            g_timeout_add_seconds(uploads->retry_seconds, on_retry, uploads);
    fs_uploads_pump(uploads);
}

/* Those of the line come first (imap/error.h). */
gboolean
fs_upload_is_of_the_line(const GError *error)
{
    return error->domain == IMAP_ERROR && error->code <= IMAP_ERROR_CLOSED;
}

gboolean
fs_upload_passes(const GError *error)
{
    return fs_upload_is_of_the_line(error) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_LIMIT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_IN_USE) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_UNAVAILABLE);
}

void
fs_upload_fail(FsUpload *upload, const GError *error)
{
    if (fs_upload_is_of_the_line(error))
        fs_upload_postpone(upload, error);
    else
        fs_upload_refuse(upload, error);
}

void
fs_upload_stored(FsUpload *upload, guint32 uid)
{
    guint64 claim = (guint64)upload->mailbox << 32 | uid;

    upload->uid = uid;
    upload->step = FS_UPLOAD_STEP_SETTLE;
    upload->uploads->retry_seconds = RETRY_SECONDS;
    if (uid != 0 && !upload->is_same)
        g_hash_table_add(upload->uploads->claimed,
                         g_memdup2(&claim, sizeof claim));
    fs_upload_settle(upload);
}

void
fs_upload_settled(FsUpload *upload)
{
    cache_spool_file_remove(g_steal_pointer(&upload->file));
    finish(upload, FS_UPLOAD_STORED, NULL);
}

/* ---- making and recording ---- */

static void
on_made(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    g_autoptr(GError) reason = NULL;
    const GString *header = upload->text.header;

    if (!fs_upload_take_answer(upload))
        return;
    if (error != NULL) {
        fs_upload_refuse(upload, error);
        return;
    }
    if (!fs_message_text_is_message(&upload->text)) {
        reason = g_error_new(
            FS_ERROR, FS_ERROR_NO_MESSAGE, "it is no message: %s",
            upload->text.has_nul ? "it has octets that are 0"
                                 : "it does not begin with a header");
        fs_upload_refuse(upload, reason);
        return;
    }
    upload->message_id = fs_message_header_id(header->str, header->len);
    upload->identity = fs_message_header_identity(header->str, header->len);
    if (upload->date == G_MININT64 &&
        !fs_message_header_date(header->str, header->len, &upload->date))
        upload->date = g_get_real_time() / G_USEC_PER_SEC;
    upload->step = FS_UPLOAD_STEP_RECORD;
    fs_upload_go_on(upload);
}

/* TRUE when what was to go first has said all there is to say. */
static gboolean
is_answered_by_another(FsUpload *upload)
{
    FsUpload *after = upload->after;
    g_autoptr(FsUpload) held = NULL;

    if (after == NULL)
        return FALSE;
    if (after->state == FS_UPLOAD_UNDER_WAY ||
        after->state == FS_UPLOAD_PENDING) {
        g_ptr_array_add(after->followers, fs_upload_ref(upload));
        fs_uploads_retry(upload->uploads);
        return TRUE;
    }
    held = g_steal_pointer(&upload->after);
    if (after->state == FS_UPLOAD_REFUSED || after->uid == 0)
        return FALSE;
    if (strcmp(after->text.digest, upload->text.digest) != 0) {
        upload->replaces = after->uid;
        upload->must_match = upload->is_namesake;
        return FALSE;
    }
    upload->replaces = after->uid;
    upload->is_same = TRUE;
    fs_upload_stored(upload, after->uid);
    return TRUE;
}

static void
on_recorded(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    if (!fs_upload_take_answer(upload))
        return;
    if (error != NULL) {
        fs_upload_refuse(upload, error);
        return;
    }
    upload->is_safe = TRUE;
    upload->step = FS_UPLOAD_STEP_COMPARE;
    tell(upload);
    fs_need_progress(upload->need);
    fs_upload_go_on(upload);
}

static void
write_note(FsUpload *upload, gboolean durable, CacheSpoolDoneFunc done,
           gpointer user_data)
{
    const FsSpoolNote note = {
        .kind = FS_SPOOL_UPLOAD,
        .name = upload->name,
        .mailbox = upload->mailbox,
        .uidvalidity = upload->uidvalidity,
        .from_uid = upload->from_uid,
        .flags = upload->flags,
        .own_flags = upload->own_flags,
        .date = upload->date,
        .message_id = upload->message_id,
        .digest = upload->text.digest,
        .replaces = upload->replaces,
        .must_match = upload->must_match,
        .held = upload->held,
        .record = upload->record,
        .unanswered = upload->n_unanswered,
        .source = upload->source_number,
        .copy_uid = upload->copy_uid,
        .copy_mailbox = upload->copy_mailbox,
    };
    g_autofree char *text = fs_spool_note_to_text(&note);

    cache_spool_file_set_note(upload->file, text, durable, done, user_data);
}

void
fs_upload_note_unanswered(FsUpload *upload)
{
    upload->n_unanswered++;
    upload->unanswered_at = g_get_monotonic_time();
    write_note(upload, FALSE, NULL, NULL);
}

void
fs_upload_take_own_flags(FsUpload *upload)
{
    if (upload->own_flags == NULL)
        return;
    g_free(upload->flags);
    upload->flags = g_steal_pointer(&upload->own_flags);
    write_note(upload, FALSE, NULL, NULL);
}

static void
record(FsUpload *upload)
{
    CacheMailbox known;
    g_autoptr(GError) gone = NULL;

    if (fs_upload_wire_name(upload, upload->mailbox) == NULL) {
        gone = g_error_new(FS_ERROR, FS_ERROR_GONE, "the mailbox is gone");
        fs_upload_refuse(upload, gone);
        return;
    }
    upload->from_uid = 1;
    if (cache_index_mailbox(upload->uploads->account->index, upload->mailbox,
                            &known)) {
        upload->uidvalidity = known.uidvalidity;
        upload->from_uid = (guint32)CLAMP(known.uidnext, 1, G_MAXUINT32);
        upload->is_bounded = known.uidnext > 0;
    }
    write_note(upload, TRUE, on_recorded, fs_upload_await(upload));
}

void
fs_upload_go_on(FsUpload *upload)
{
    if (upload->busy || upload->state != FS_UPLOAD_UNDER_WAY)
        return;
    switch (upload->step) {
    case FS_UPLOAD_STEP_MAKE:
        cache_spool_file_work(upload->source, upload->file,
                              fs_message_text_make, &upload->text, on_made,
                              fs_upload_await(upload));
        break;
    case FS_UPLOAD_STEP_RECORD:
        if (!is_answered_by_another(upload))
            record(upload);
        break;
    case FS_UPLOAD_STEP_COMPARE:
        fs_upload_compare(upload);
        break;
    case FS_UPLOAD_STEP_SEND:
        fs_uploads_pump(upload->uploads);
        break;
    case FS_UPLOAD_STEP_SEARCH:
        fs_upload_search(upload);
        break;
    case FS_UPLOAD_STEP_SETTLE:
        fs_upload_settle(upload);
        break;
    case FS_UPLOAD_STEP_SENT:
        break;
    }
}

/* ---- all uploads ---- */

static FsUpload *
new_upload(FsUploads *uploads)
{
    FsUpload *upload = g_new0(FsUpload, 1);

    upload->references = 1;
    upload->uploads = uploads;
    upload->need = fs_need_new();
    upload->followers = g_ptr_array_new_with_free_func(fs_upload_unref);
    fs_message_text_init(&upload->text);
    g_queue_push_tail(&uploads->all, fs_upload_ref(upload));
    return upload;
}

/* The last of that name which is not finished: what an earlier mount has left
 * may be just what a program now writes again. */
static FsUpload *
find_earlier(const FsUploads *uploads, const FsUploadRequest *request)
{
    for (GList *link = uploads->all.tail; link != NULL; link = link->prev) {
        FsUpload *upload = link->data;

        if (upload->mailbox == request->mailbox && request->name != NULL &&
            g_strcmp0(upload->name, request->name) == 0)
            return upload;
    }
    return NULL;
}

FsUpload *
fs_uploads_begin(FsUploads *uploads, const FsUploadRequest *request)
{
    FsUpload *after = request->after != NULL ? request->after
                                             : find_earlier(uploads, request);
    FsUpload *upload = new_upload(uploads);

    upload->file = cache_spool_file_new(uploads->spool);
    if (request->source != NULL) {
        upload->source = cache_spool_file_ref(request->source);
        upload->source_number = cache_spool_file_number(request->source);
    } else {
        upload->step = FS_UPLOAD_STEP_RECORD;
        upload->copy_mailbox = request->copy_mailbox;
        upload->copy_uid = request->copy_uid;
    }
    upload->mailbox = request->mailbox;
    upload->name = g_strdup(request->name);
    upload->flags = g_strdup(request->flags);
    upload->own_flags = g_strdup(request->own_flags);
    upload->date = request->date;
    upload->inode = request->inode;
    upload->replaces = request->replaces;
    upload->must_match = request->must_match;
    upload->stays = request->stays;
    upload->held = request->held;
    upload->record = request->record;
    if (after != NULL)
        upload->after = fs_upload_ref(after);
    upload->is_namesake = request->after == NULL;
    fs_upload_go_on(upload);
    return upload;
}

void
fs_uploads_retry(FsUploads *uploads)
{
    g_autoptr(GPtrArray) pending =
        g_ptr_array_new_with_free_func(fs_upload_unref);

    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        FsUpload *upload = link->data;

        if (upload->state == FS_UPLOAD_PENDING && upload->after == NULL)
            g_ptr_array_add(pending, fs_upload_ref(upload));
    }
    for (guint i = 0; i < pending->len; i++) {
        FsUpload *upload = g_ptr_array_index(pending, i);

        begin_again(upload);
        fs_upload_go_on(upload);
    }
}

FsNeed *
fs_uploads_need_settled(const FsUploads *uploads)
{
    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        const FsUpload *upload = link->data;

        if (upload->state == FS_UPLOAD_UNDER_WAY)
            return upload->need;
    }
    return NULL;
}

char **
fs_uploads_take_refused(FsUploads *uploads)
{
    GPtrArray *refused = uploads->refused;

    uploads->refused = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(refused, NULL);
    return (char **)g_ptr_array_free(refused, FALSE);
}

const GPtrArray *
fs_uploads_refused(const FsUploads *uploads)
{
    return uploads->refused;
}

FsUpload *
fs_uploads_onto(const FsUploads *uploads, guint32 mailbox, guint32 uid)
{
    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        FsUpload *upload = link->data;

        if (upload->mailbox == mailbox && upload->replaces == uid)
            return upload;
    }
    return NULL;
}

gboolean
fs_uploads_claim(const FsUploads *uploads, guint32 mailbox, guint32 uid)
{
    guint64 claim = (guint64)mailbox << 32 | uid;

    return g_hash_table_contains(uploads->claimed, &claim);
}

guint
fs_uploads_pending(const FsUploads *uploads, guint32 mailbox)
{
    guint count = 0;

    for (GList *link = uploads->all.head; link != NULL; link = link->next)
        count +=
            mailbox == 0 || ((const FsUpload *)link->data)->mailbox == mailbox;
    return count;
}

FsUploads *
fs_uploads_new(FsAccount *account, CacheSpool *spool)
{
    FsUploads *uploads = g_new0(FsUploads, 1);

    uploads->account = account;
    uploads->spool = spool;
    uploads->retry_seconds = RETRY_SECONDS;
    uploads->refused = g_ptr_array_new_with_free_func(g_free);
    uploads->claimed =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    return uploads;
}

void
fs_uploads_set_lost_func(FsUploads *uploads, FsUploadLostFunc lost,
                         gpointer user_data)
{
    uploads->lost = lost;
    uploads->lost_data = user_data;
}

void
fs_uploads_free(FsUploads *uploads)
{
    FsUpload *upload;

    if (uploads == NULL)
        return;
    g_clear_handle_id(&uploads->retry_timer, g_source_remove);
    g_clear_handle_id(&uploads->pump_source, g_source_remove);
    while ((upload = g_queue_pop_head(&uploads->all)) != NULL) {
        fs_upload_release_lease(upload);
        if (upload->settle_timer != 0) {
            g_clear_handle_id(&upload->settle_timer, g_source_remove);
            fs_upload_unref(upload);
        }
        g_clear_pointer(&upload->reading, fs_stored_reading_cancel);
        g_ptr_array_set_size(upload->followers, 0);
        upload->uploads = NULL;
        fs_upload_set_changed_func(upload, NULL, NULL, NULL);
        fs_upload_unref(upload);
    }
    fs_stored_reading_cancel(uploads->probe);
    g_free(uploads->probe_data);
    g_hash_table_unref(uploads->claimed);
    g_ptr_array_unref(uploads->refused);
    g_free(uploads);
}

/* ---- what an earlier mount has left ---- */

/* What is told of a message by its header, which the note does not hold. */
static void
read_header(FsUpload *upload)
{
    g_autofree char *header = g_malloc(FS_MESSAGE_HEADER_MAX);
    gssize got = cache_spool_file_read(upload->file, 0, header,
                                       FS_MESSAGE_HEADER_MAX, NULL);
    const char *end = g_strstr_len(header, MAX(got, 0), "\r\n\r\n");
    gsize length = end != NULL ? (gsize)(end + 4 - header) : (gsize)MAX(got, 0);

    upload->identity = fs_message_header_identity(header, length);
    if (upload->message_id == NULL)
        upload->message_id = fs_message_header_id(header, length);
}

void
fs_uploads_resume(FsUploads *uploads, CacheSpoolFile *file, const char *text)
{
    FsUpload *upload = new_upload(uploads);
    g_auto(FsSpoolNote) note;

    fs_spool_note_from_text(text, &note);
    upload->file = file;
    upload->mailbox = note.mailbox;
    upload->name = g_steal_pointer(&note.name);
    upload->flags = g_steal_pointer(&note.flags);
    upload->own_flags = g_steal_pointer(&note.own_flags);
    upload->date = note.date;
    upload->message_id = g_steal_pointer(&note.message_id);
    upload->uidvalidity = note.uidvalidity;
    upload->from_uid = MAX(note.from_uid, 1);
    upload->is_bounded = note.from_uid > 1;
    upload->replaces = note.replaces;
    upload->must_match = note.must_match;
    upload->held = note.held;
    upload->record = note.record;
    upload->copy_uid = note.copy_uid;
    upload->copy_mailbox = note.copy_mailbox;
    /* It may have been sent once more before the end. */
    upload->n_unanswered = note.unanswered + 1;
    upload->is_taken_up = TRUE;
    upload->unanswered_at = g_get_monotonic_time();
    upload->text.size = cache_spool_file_size(file);
    if (note.digest != NULL)
        g_strlcpy(upload->text.digest, note.digest, sizeof upload->text.digest);
    if (upload->copy_uid == 0)
        read_header(upload);
    upload->is_safe = TRUE;
    upload->step = FS_UPLOAD_STEP_SEARCH;
    fs_upload_go_on(upload);
    fs_upload_unref(upload);
}
