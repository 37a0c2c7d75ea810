/* Sending: APPEND or REPLACE, or COPY of what the server has already.
 *
 * Small messages go along one connection one behind another, without waiting
 * for the answers; how many are on their way is bounded. */
#include "fs/writing/upload-private.h"

#include "fs/day-limit.h"
#include "fs/kernel/errno.h"
#include "imap/append.h"
#include "imap/change-requests.h"
#include "imap/error.h"

#define MAX_SENDING 32u
#define MAX_OCTETS_SENDING (4u * 1024 * 1024)

/* ---- answers ---- */

static void
end_sending(FsUpload *upload)
{
    fs_upload_release_lease(upload);
    if (upload->uploads == NULL)
        return;
    upload->uploads->n_sending--;
    upload->uploads->octets_sending -= upload->text.size;
}

/* The server has answered OK, and perhaps said which message it is. That is
 * looked for if it says that it is one which was there before. */
static void
on_accepted(FsUpload *upload, guint64 uidvalidity, guint32 uid)
{
    if (uid != 0 && upload->uidvalidity != 0 &&
        uidvalidity != upload->uidvalidity) {
        /* It has replaced the mailbox: the number means nothing here. */
        fs_upload_stored(upload, 0);
    } else if (uid != 0 && uid >= upload->from_uid) {
        upload->is_told = upload->copy_uid == 0;
        fs_upload_stored(upload, uid);
    } else {
        upload->is_certain = TRUE;
        upload->step = FS_UPLOAD_STEP_SEARCH;
        fs_upload_go_on(upload);
    }
}

/* What the server refuses now it may have done before: then its mailbox was
 * filled by this, or the old message has gone. */
static void
on_failed(FsUpload *upload, const GError *error, gboolean is_uncertain)
{
    if (is_uncertain) {
        fs_upload_note_unanswered(upload);
    } else if (upload->n_unanswered > 0 && !fs_upload_is_of_the_line(error)) {
        upload->refusal = g_error_copy(error);
        upload->step = FS_UPLOAD_STEP_SEARCH;
        fs_upload_go_on(upload);
        return;
    }
    upload->step = is_uncertain ? FS_UPLOAD_STEP_SEARCH : FS_UPLOAD_STEP_SEND;
    fs_upload_fail(upload, error);
}

/* ---- APPEND ---- */

static gssize
read_octets(void *buffer, gsize size, gpointer user_data)
{
    FsUpload *upload = user_data;
    gssize got;

    if (upload->file == NULL)
        return -1;
    got =
        cache_spool_file_read(upload->file, upload->offset, buffer, size, NULL);
    if (got > 0) {
        upload->offset += (guint64)got;
        fs_need_progress(upload->need);
    }
    return got;
}

/* Courier refuses to add to what the same connection merely examines. */
static gboolean
was_only_examined(const FsUpload *upload)
{
    ImapConnection *connection =
        upload->lease != NULL ? imap_lease_connection(upload->lease) : NULL;
    const ImapMailbox *selected =
        connection != NULL ? imap_connection_mailbox(connection) : NULL;

    return upload->uploads != NULL && selected != NULL &&
           imap_connection_is_open(connection) && !upload->selects &&
           selected->name != NULL && selected->examined &&
           g_strcmp0(selected->name,
                     fs_upload_wire_name(upload, upload->mailbox)) == 0;
}

static void
send_again(FsUpload *upload)
{
    upload->step =
        upload->n_unanswered > 0 ? FS_UPLOAD_STEP_SEARCH : FS_UPLOAD_STEP_SEND;
    fs_upload_go_on(upload);
}

static void
on_appended(const ImapAppended *appended, const GError *error,
            gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    gboolean examined = error != NULL && was_only_examined(upload);

    end_sending(upload);
    if (!fs_upload_take_answer(upload))
        return;
    upload->selects |= examined;
    upload->has_replaced = error == NULL && upload->is_replacing;
    if (error == NULL)
        on_accepted(upload, appended->uidvalidity, appended->uid);
    else if (examined || fs_upload_replaces_no_more(upload, error))
        send_again(upload);
    else
        on_failed(upload, error, appended->is_uncertain);
}

static const ImapAppendHandler append_handler = {
    .read = read_octets,
    .done = on_appended,
};

static void
append(FsUpload *upload, const char *wire_name)
{
    g_auto(GStrv) flags =
        g_strsplit(upload->flags != NULL ? upload->flags : "", " ", -1);
    ImapAppend what = {
        .mailbox = wire_name,
        .size = upload->text.size,
        .flags = *flags != NULL ? (const char *const *)flags : NULL,
        .date = upload->date,
        .replaces = upload->is_replacing ? upload->replaces : 0,
    };

    upload->offset = 0;
    imap_request_append(imap_lease_connection(upload->lease), &what,
                        &append_handler, fs_upload_await(upload));
}

/* ---- COPY ---- */

static gboolean
may_have_copied(const GError *error)
{
    return error->domain == IMAP_ERROR && (error->code == IMAP_ERROR_CLOSED ||
                                           error->code == IMAP_ERROR_TIMEOUT ||
                                           error->code == IMAP_ERROR_PROTOCOL);
}

static void
on_copied(const ImapCopied *copied, const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    guint32 uid =
        copied != NULL ? imap_copied_find(copied, upload->copy_uid) : 0;

    end_sending(upload);
    if (!fs_upload_take_answer(upload))
        return;
    if (error == NULL || uid != 0)
        on_accepted(upload, copied != NULL ? copied->uidvalidity : 0, uid);
    else
        on_failed(upload, error, may_have_copied(error));
}

static void
copy(FsUpload *upload, const char *wire_name)
{
    ImapUidSet *uids = imap_uid_set_new();

    imap_uid_set_add(uids, upload->copy_uid, upload->copy_uid);
    imap_request_copy(imap_lease_connection(upload->lease), uids, wire_name,
                      on_copied, fs_upload_await(upload));
    imap_uid_set_free(uids);
}

/* ---- taking turns ---- */

static void
refuse_gone(FsUpload *upload)
{
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_GONE, "the mailbox is gone");

    fs_upload_refuse(upload, error);
}

/* Whether the mailbox that is selected is that of the UIDs that are known of
 * @mailbox. */
static gboolean
is_selected(const FsUpload *upload, guint32 mailbox)
{
    const ImapMailbox *selected =
        imap_connection_mailbox(imap_lease_connection(upload->lease));
    CacheMailbox known;

    return cache_index_mailbox(upload->uploads->account->index, mailbox,
                               &known) &&
           known.uidvalidity == selected->uidvalidity;
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    const char *wire_name;

    upload->lease = lease;
    if (!fs_upload_take_answer(upload)) {
        end_sending(upload);
        return;
    }
    wire_name = fs_upload_wire_name(upload, upload->mailbox);
    if (lease != NULL && wire_name != NULL && upload->copy_uid == 0) {
        upload->is_replacing =
            upload->is_replacing && is_selected(upload, upload->mailbox);
        append(upload, wire_name);
        return;
    }
    if (lease != NULL && wire_name != NULL &&
        is_selected(upload, upload->copy_mailbox)) {
        copy(upload, wire_name);
        return;
    }
    end_sending(upload);
    upload->step = FS_UPLOAD_STEP_SEND;
    if (wire_name == NULL || lease != NULL)
        refuse_gone(upload);
    else if (fs_upload_replaces_no_more(upload, error))
        send_again(upload);
    else if (upload->copy_uid != 0 || upload->selects ||
             (upload->is_replacing &&
              !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_LIMIT)))
        fs_upload_fail(upload, error);
    else
        fs_upload_postpone(upload, error);
}

/* Beyond the day's max_upload a message waits, as it does for the line; one
 * that no day is enough for is refused. */
static gboolean
is_within_the_day(FsUpload *upload)
{
    g_autoptr(GError) error = NULL;

    if (fs_account_may_upload(upload->uploads->account, upload->text.size,
                              &error))
        return TRUE;
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TOO_BIG))
        fs_upload_refuse(upload, error);
    else
        fs_upload_postpone(upload, error);
    return FALSE;
}

void
fs_upload_send(FsUpload *upload)
{
    ImapWish wish = {.kind = IMAP_LEASE_SINGLE};

    if (upload->copy_uid == 0 && !is_within_the_day(upload))
        return;
    upload->step = FS_UPLOAD_STEP_SENT;
    upload->uploads->n_sending++;
    upload->uploads->octets_sending += upload->text.size;
    upload->is_replacing = fs_upload_can_replace(upload);
    if (upload->selects || upload->is_replacing) {
        wish.mailbox = fs_upload_wire_name(upload, upload->mailbox);
        wish.writable = wish.mailbox != NULL;
    }
    if (upload->copy_uid != 0)
        wish.mailbox = fs_upload_wire_name(upload, upload->copy_mailbox);
    else if (upload->text.size > IMAP_APPEND_PIPELINED)
        wish.kind = IMAP_LEASE_UPLOAD;
    if (upload->copy_uid != 0 && wish.mailbox == NULL) {
        end_sending(upload);
        refuse_gone(upload);
        return;
    }
    imap_pool_acquire_wish(upload->uploads->account->pool, &wish, on_lease,
                           fs_upload_await(upload));
}

static FsUpload *
next_to_send(FsUploads *uploads)
{
    if (uploads->n_sending >= MAX_SENDING ||
        (uploads->n_sending > 0 &&
         uploads->octets_sending >= MAX_OCTETS_SENDING))
        return NULL;
    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        FsUpload *upload = link->data;

        if (upload->step == FS_UPLOAD_STEP_SEND && !upload->busy &&
            upload->state == FS_UPLOAD_UNDER_WAY)
            return upload;
    }
    return NULL;
}

static gboolean
on_pump(gpointer user_data)
{
    FsUploads *uploads = user_data;
    FsUpload *upload;

    uploads->pump_source = 0;
    while ((upload = next_to_send(uploads)) != NULL)
        fs_upload_send(upload);
    return G_SOURCE_REMOVE;
}

void
fs_uploads_pump(FsUploads *uploads)
{
    if (uploads->pump_source == 0)
        uploads->pump_source =
            g_idle_add_full(G_PRIORITY_DEFAULT, on_pump, uploads, NULL);
}
