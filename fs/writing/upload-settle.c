/* What follows when a message is stored, or will not be.
 *
 * The message has the name that the user gave it, and in this mount the inode
 * number of the file that it was. What it takes the place of is deleted; the
 * record of the upload goes only when that is in the journal, and the name
 * beside it, for until then nobody else would know of either. */
#include "fs/writing/upload-private.h"

#include "fs/changes/late.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/names/given-name.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-message.h"
#include "fs/names/message-name.h"
#include "fs/sync/refresh.h"
#include "fs/sync/synchroniser.h"

#include <string.h>

/* That it takes to see whether a message is there, before it waits for the
 * line. */
#define LOOKS_MAX 10u

/* ---- the new message ---- */

/* "UID.eml" is the name of that message, and of no other. */
static gboolean
is_name_of_its_own(const FsAccount *account, const char *name)
{
    g_autofree char *stem = NULL;
    guint32 uid;

    return strlen(name) <= CACHE_ALIAS_MAX &&
           (!fs_message_name_parse(name, &stem, &uid) || stem != NULL);
}

/* Until the server has told of it. */
static void
show(const FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    CacheMessage row = {
        .uid = upload->uid,
        .size = upload->text.size,
        .internal_date = upload->date,
        .sent_date = G_MININT64,
        .flags = upload->flags,
    };
    CacheMessage source;

    if (upload->copy_uid != 0 &&
        cache_index_message(account->index, upload->copy_mailbox,
                            upload->copy_uid, &source)) {
        row = source;
        row.uid = upload->uid;
    }
    fs_overlay_add_guest(account->overlay, upload->inode, upload->mailbox,
                         upload->uid, NULL, &row);
}

void
fs_upload_note_names(FsUpload *upload)
{
    if (upload->maildir == NULL && upload->replaces != 0 &&
        (upload->name == NULL || !fs_given_name_is_maildir(upload->name)))
        upload->maildir = fs_maildir_message_name_to_keep(
            upload->uploads->account, upload->mailbox, upload->replaces);
}

/* Who has it open by its name in the Maildir goes on writing to that. Not if
 * the older one stays: of two, none could be told by it. */
static void
keep_maildir_name(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    CacheMessage old;

    fs_upload_note_names(upload);
    if (upload->maildir == NULL || upload->replaces == 0 ||
        (cache_index_message(account->index, upload->mailbox, upload->replaces,
                             &old) &&
         !fs_message_is_hidden(account, upload->mailbox, &old)))
        return;
    fs_given_name_set(account->aliases, upload->mailbox, upload->uid,
                      upload->maildir);
}

static void
name_message(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;

    if (upload->uid == 0 || upload->is_same)
        return;
    if (upload->name != NULL && is_name_of_its_own(account, upload->name))
        fs_given_name_set(account->aliases, upload->mailbox, upload->uid,
                          upload->name);
    keep_maildir_name(upload);
    if (upload->inode != 0)
        show(upload);
    fs_overlay_touch(account->overlay, upload->mailbox);
    fs_overlay_tell(account->overlay, FS_OVERLAY_LISTING, upload->mailbox,
                    upload->uid, NULL);
}

/* ---- the old one ---- */

static void
on_journal(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    if (fs_upload_take_answer(upload))
        fs_upload_settled(upload);
}

static void
on_aliases(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    if (fs_upload_take_answer(upload))
        cache_journal_flush(upload->uploads->account->journal, FALSE,
                            on_journal, fs_upload_await(upload));
}

void
fs_upload_let_go(FsUpload *upload, gboolean done)
{
    FsAccount *account = upload->uploads->account;

    if (upload->held != 0)
        fs_changes_release(account->changes, upload->held, done);
    if (upload->record != 0)
        cache_journal_remove(account->journal, upload->record);
    upload->held = upload->record = 0;
}

/* An attempt that was not answered may be carried out yet; if it was made. */
static void
expect_late(const FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    FsLateCopy copy = {
        .mailbox = upload->mailbox,
        .uid = upload->uid,
        .first_uid = upload->from_uid,
        .size = upload->text.size,
        .digest = *upload->text.digest != '\0' ? upload->text.digest : NULL,
        .date = upload->date,
        .flags = upload->flags,
        .count = upload->n_unanswered -
                 (upload->n_unanswered > 0 && upload->is_taken_up),
    };
    g_autofree char *flags = NULL;
    CacheMessage source;

    /* What was there before is not known; or it is another's message. */
    if (upload->n_unanswered == 0 || !upload->is_bounded || upload->is_same)
        return;
    if (upload->copy_uid != 0) {
        if (!cache_index_message(account->index, upload->copy_mailbox,
                                 upload->copy_uid, &source))
            return;
        flags = g_strdup(source.flags);
        copy.size = source.size;
        copy.date = source.internal_date;
        copy.flags = flags;
    }
    fs_late_expect(account->changes, &copy);
}

/* All that is to be done is said. */
static void
end(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;

    expect_late(upload);
    fs_upload_keep(upload);
    fs_upload_let_go(upload, !upload->is_same);
    name_message(upload);
    fs_synchroniser_mark_stale(account->synchroniser, upload->mailbox);
    cache_aliases_flush(account->aliases, on_aliases, fs_upload_await(upload));
}

static void
on_earlier(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    if (fs_upload_take_answer(upload))
        fs_upload_settle(upload);
}

static gboolean
is_mailbox_gone(const FsUpload *upload, const GError *error)
{
    return error->domain == FS_ERROR ||
           fs_upload_wire_name(upload, upload->mailbox) == NULL;
}

/* If the mailbox is gone, there is nothing to be deleted. Else both are there,
 * and it is asked again some time. */
static void
on_old(const GError *error, gpointer user_data)
{
    g_autoptr(FsUpload) upload = user_data;

    if (!fs_upload_take_answer(upload))
        return;
    if (error == NULL) {
        fs_upload_settle(upload);
    } else if (is_mailbox_gone(upload, error)) {
        end(upload);
    } else if (fs_upload_passes(error) ||
               ++upload->n_unseen < FS_UPLOAD_UNSEEN_MAX) {
        fs_upload_postpone(upload, error);
    } else {
        fs_account_say(upload->uploads->account,
                       "The older message %u that %s replaces may still be "
                       "there: %s",
                       upload->replaces, upload->name, error->message);
        end(upload);
    }
}

/* Takes over @need. */
static void
wait_for(FsUpload *upload, FsNeed *need, FsNeedFunc func)
{
    g_clear_pointer(&upload->waited_for, fs_need_unref);
    upload->waited_for = need;
    fs_need_wait(need, func, fs_upload_await(upload));
}

/* Whether the index can tell of the old one: what was left by an earlier mount
 * may be gone on with before anybody has looked into the mailbox. */
static gboolean
is_old_known(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    g_autoptr(GError) error = NULL;
    FsNeed *need;

    if (fs_overlay_guest_by_uid(account->overlay, upload->mailbox,
                                upload->replaces) != NULL)
        return TRUE;
    if (upload->looks_since == 0)
        upload->looks_since = g_get_monotonic_time();
    need =
        fs_synchroniser_need_certainty(account->synchroniser, upload->mailbox,
                                       upload->replaces, upload->looks_since);
    if (need != NULL && upload->n_looks++ >= LOOKS_MAX) {
        upload->n_looks = 0;
        error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                            "what it replaces cannot be seen now");
        fs_upload_postpone(upload, error);
    } else if (need != NULL) {
        wait_for(upload, fs_need_ref(need), on_old);
    }
    return need == NULL;
}

/* FALSE: something is waited for, such as the server's being told of another
 * change of that message. */
static gboolean
delete_old(FsUpload *upload)
{
    FsAccount *account = upload->uploads->account;
    g_autoptr(GError) error = NULL;
    g_autoptr(FsPending) pending = NULL;
    FsNeed *need = NULL;

    if (!is_old_known(upload))
        return FALSE;
    pending = fs_changes_delete(
        account->changes,
        fs_changes_inode(account->changes, upload->mailbox, upload->replaces),
        upload->name, FS_DELETE_EXPUNGE, &need, &error);
    if (need != NULL) {
        wait_for(upload, need, on_earlier);
        return FALSE;
    }
    if (pending == NULL)
        fs_account_say(account,
                       "The older message %u that %s replaces stays: %s",
                       upload->replaces, upload->name, error->message);
    return TRUE;
}

void
fs_upload_settle(FsUpload *upload)
{
    gboolean replaces = upload->replaces != 0 && upload->held == 0 &&
                        !upload->is_same && upload->replaces != upload->uid;

    if (replaces && upload->has_replaced)
        fs_changes_note_replaced(upload->uploads->account->changes,
                                 upload->mailbox, upload->replaces);
    if (!replaces || upload->has_replaced || delete_old(upload))
        end(upload);
}
