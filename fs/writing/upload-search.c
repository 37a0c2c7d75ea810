/* Finding out whether the server has a message, and which it is: when the line
 * was cut before the answer, or the answer did not tell.
 *
 * What may be it is no older than the upload, and has its Message-ID, if there
 * is one. It is it if its octets are the same. If no message has those, one
 * that has at least its Message-ID is taken for it, for some servers change
 * what they store; but not where that may well be another message: when what
 * has come since is not known, or when another of that Message-ID is being
 * stored. A message that another upload has become is not looked at.
 *
 * What is not there may come: the server may be busy with it still. So it is
 * sent again only if it is not there some seconds after the line was lost. */
#include "fs/writing/upload-private.h"

#include "fs/changes/late.h"
#include "fs/kernel/errno.h"
#include "fs/names/given-name.h"
#include "fs/sync/synchroniser.h"
#include "imap/requests.h"

#include <string.h>

/* Newer messages than these are not looked at. */
#define MAX_CANDIDATES 1000u

static void compare_next(FsUpload *upload);

/* A server says OK also to the copying of nothing. */
static void
refuse_gone(FsUpload *upload)
{
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_GONE, "what was to be copied is gone");

    fs_upload_refuse(upload, error);
}

/* ---- what comes of it ---- */

static void
found(FsUpload *upload, guint32 uid)
{
    /* One of the attempts is accounted for. */
    if (upload->n_unanswered > 0 && !upload->is_certain)
        upload->n_unanswered--;
    fs_upload_stored(upload, uid);
}

static void wait_to_settle(FsUpload *upload);

static gint64
settled_at(const FsUpload *upload)
{
    return upload->unanswered_at + (gint64)fs_late_settle_ms() * 1000;
}

/* Who waits for it is not to take it for silence. */
static gboolean
on_settling(gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    upload->settle_timer = 0;
    if (!fs_upload_take_answer(upload))
        return G_SOURCE_REMOVE;
    if (g_get_monotonic_time() < settled_at(upload)) {
        wait_to_settle(upload);
        fs_need_progress(upload->need);
    } else {
        fs_upload_search(upload);
    }
    return G_SOURCE_REMOVE;
}

static void
wait_to_settle(FsUpload *upload)
{
    gint64 left_us = settled_at(upload) - g_get_monotonic_time();

    upload->settle_timer =
        g_timeout_add((guint)CLAMP(left_us / 1000 + 1, 1, FS_LATE_TICK_MS),
                      on_settling, fs_upload_await(upload));
}

/* TRUE: it is looked for again. */
static gboolean
is_settling(FsUpload *upload)
{
    if (upload->n_unanswered == 0 || upload->looked_at >= settled_at(upload))
        return FALSE;
    wait_to_settle(upload);
    return TRUE;
}

/* The server does not have it. */
static void
end_unfound(FsUpload *upload)
{
    g_autoptr(GError) refusal = g_steal_pointer(&upload->refusal);

    if (refusal != NULL) {
        fs_upload_refuse(upload, refusal);
        return;
    }
    upload->step = FS_UPLOAD_STEP_COMPARE;
    fs_upload_go_on(upload);
}

/* Whether it is stored is not known, so it is neither sent again nor refused;
 * unless that goes on, or the mailbox is gone. */
static void
cannot_look(FsUpload *upload, const GError *error)
{
    gboolean gone = error->domain == FS_ERROR ||
                    g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NONEXISTENT);

    if (fs_upload_passes(error) ||
        (!gone && ++upload->n_unseen < FS_UPLOAD_UNSEEN_MAX))
        fs_upload_postpone(upload, error);
    else if (!gone && upload->is_certain)
        fs_upload_stored(upload, 0);
    else
        fs_upload_refuse(upload, error);
}

/* ---- comparing ---- */

static gboolean
has_same_octets(const FsUpload *upload, const FsStoredText *stored)
{
    return stored->digest != NULL &&
           strcmp(stored->digest, upload->text.digest) == 0;
}

static gboolean
has_same_id(const FsUpload *upload, const FsStoredText *stored)
{
    return upload->message_id != NULL &&
           g_strcmp0(stored->message_id, upload->message_id) == 0;
}

/* Whether the Message-ID tells the message from all others. */
static gboolean
is_told_by_id(const FsUpload *upload)
{
    const GList *link = upload->uploads->all.head;

    if ((upload->from_uid <= 1 && !upload->is_certain) ||
        fs_late_is_expected(upload->uploads->account->changes, upload->mailbox))
        return FALSE;
    for (; link != NULL; link = link->next) {
        const FsUpload *other = link->data;

        if (other != upload && other->mailbox == upload->mailbox &&
            g_strcmp0(other->message_id, upload->message_id) == 0)
            return FALSE;
    }
    return TRUE;
}

static void
on_candidate(const FsStoredText *stored, const GError *error,
             gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    guint32 uid;

    upload->reading = NULL;
    if (!fs_upload_take_answer(upload))
        return;
    uid = g_array_index(upload->candidates, guint32, upload->n_compared);
    upload->n_compared++;
    if (stored != NULL && upload->likely == 0 && has_same_id(upload, stored))
        upload->likely = uid;
    if (stored != NULL && has_same_octets(upload, stored))
        found(upload, uid);
    else if (error != NULL && !g_error_matches(error, FS_ERROR, FS_ERROR_GONE))
        cannot_look(upload, error);
    else
        compare_next(upload);
}

static void
compare_next(FsUpload *upload)
{
    guint32 uid;

    if (upload->n_compared < upload->candidates->len) {
        uid = g_array_index(upload->candidates, guint32, upload->n_compared);
        fs_upload_await(upload);
        upload->reading =
            fs_stored_text_read(upload->uploads->account, upload->mailbox, uid,
                                &upload->text.size, 1, on_candidate, upload);
        return;
    }
    if (upload->likely != 0 && is_told_by_id(upload)) {
        found(upload, upload->likely);
        return;
    }
    if (upload->is_certain && upload->copy_uid != 0) {
        refuse_gone(upload);
        return;
    }
    if (upload->is_certain) {
        fs_upload_stored(upload, 0);
        return;
    }
    if (!is_settling(upload))
        end_unfound(upload);
}

/* ---- searching ---- */

/* Whether it is known to be another's: what it has become, or, after a crash,
 * what its name says. */
static gboolean
is_anothers(const FsUpload *upload, guint32 uid)
{
    guint64 claim = (guint64)upload->mailbox << 32 | uid;

    return uid == upload->replaces ||
           g_hash_table_contains(upload->uploads->claimed, &claim) ||
           fs_given_name_is_other(upload->uploads->account->aliases,
                                  upload->mailbox, uid, upload->name);
}

static gboolean
may_be(const FsUpload *upload, guint32 uid, guint64 size)
{
    switch (upload->step) {
    case FS_UPLOAD_STEP_SETTLE:
        if (upload->uid != 0)
            return upload->uid == uid && !upload->is_same;
        break;
    case FS_UPLOAD_STEP_SENT:
    case FS_UPLOAD_STEP_SEARCH:
        break;
    case FS_UPLOAD_STEP_MAKE:
    case FS_UPLOAD_STEP_RECORD:
    case FS_UPLOAD_STEP_COMPARE:
    case FS_UPLOAD_STEP_SEND:
    default:
        return FALSE;
    }
    return upload->text.size == size && uid >= MAX(upload->from_uid, 1) &&
           !is_anothers(upload, uid);
}

FsUpload *
fs_uploads_that_may_be(const FsUploads *uploads, guint32 mailbox, guint32 uid,
                       guint64 size)
{
    for (GList *link = uploads->all.head; link != NULL; link = link->next) {
        FsUpload *upload = link->data;

        if (upload->mailbox == mailbox && may_be(upload, uid, size))
            return upload;
    }
    return NULL;
}

/* The newest first. */
static void
take_candidates(FsUpload *upload, const ImapUidSet *found)
{
    g_clear_pointer(&upload->candidates, g_array_unref);
    upload->candidates = g_array_new(FALSE, FALSE, sizeof(guint32));
    upload->n_compared = upload->likely = 0;
    for (guint i = imap_uid_set_n_ranges(found); i > 0; i--) {
        guint32 first, last;

        imap_uid_set_range(found, i - 1, &first, &last);
        for (guint64 uid = last; uid >= MAX(first, upload->from_uid) &&
                                 upload->candidates->len < MAX_CANDIDATES;
             uid--) {
            guint32 candidate = (guint32)uid;

            if (!is_anothers(upload, candidate))
                g_array_append_val(upload->candidates, candidate);
        }
    }
}

static void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    fs_upload_release_lease(upload);
    if (!fs_upload_take_answer(upload))
        return;
    if (error != NULL) {
        cannot_look(upload, error);
        return;
    }
    take_candidates(upload, found);
    /* What came meanwhile may not be known yet. */
    fs_synchroniser_mark_stale(upload->uploads->account->synchroniser,
                               upload->mailbox);
    compare_next(upload);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;
    const ImapMailbox *selected;
    ImapSought sought = {.from_uid = upload->from_uid};

    upload->lease = lease;
    if (!fs_upload_take_answer(upload)) {
        fs_upload_release_lease(upload);
        return;
    }
    if (lease == NULL) {
        cannot_look(upload, error);
        return;
    }
    selected = imap_connection_mailbox(imap_lease_connection(lease));
    if (upload->uidvalidity != 0 && selected->uidvalidity != 0 &&
        selected->uidvalidity != upload->uidvalidity) {
        /* Another mailbox: it has none of what the old one had. */
        upload->uidvalidity = selected->uidvalidity;
        sought.from_uid = upload->from_uid = 1;
        upload->is_bounded = FALSE;
    }
    if (upload->message_id != NULL) {
        sought.field = "Message-ID";
        sought.text = upload->message_id;
    }
    imap_request_find(imap_lease_connection(lease), &sought, on_found,
                      fs_upload_await(upload));
}

/* Of a copy, nothing is known but where it comes from. */
static void
on_source(const FsStoredText *stored, const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    upload->reading = NULL;
    if (!fs_upload_take_answer(upload))
        return;
    if (error != NULL) {
        cannot_look(upload, error);
        return;
    }
    upload->text.size = stored->size;
    upload->message_id = g_strdup(stored->message_id);
    upload->identity = g_strdup(stored->identity);
    if (stored->digest != NULL)
        g_strlcpy(upload->text.digest, stored->digest,
                  sizeof upload->text.digest);
    fs_upload_search(upload);
}

/* TRUE while the message that is copied is looked at. */
static gboolean
look_at_source(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    CacheMessage message;

    if (upload->copy_uid == 0 || upload->identity != NULL)
        return FALSE;
    if (!cache_index_message(account->index, upload->copy_mailbox,
                             upload->copy_uid, &message))
        message.size = 0;
    fs_upload_await(upload);
    upload->reading =
        fs_stored_text_read(account, upload->copy_mailbox, upload->copy_uid,
                            &message.size, 1, on_source, upload);
    return TRUE;
}

void
fs_upload_search(FsUpload *upload)
{
    ImapWish wish = {.kind = IMAP_LEASE_SINGLE};
    g_autoptr(GError) error = NULL;

    if (look_at_source(upload))
        return;
    wish.mailbox = fs_upload_wire_name(upload, upload->mailbox);
    if (wish.mailbox == NULL) {
        error = g_error_new(FS_ERROR, FS_ERROR_GONE, "the mailbox is gone");
        fs_upload_refuse(upload, error);
        return;
    }
    upload->looked_at = g_get_monotonic_time();
    imap_pool_acquire_wish(upload->uploads->account->pool, &wish, on_lease,
                           fs_upload_await(upload));
}
