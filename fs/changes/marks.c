/* Puts back the marks of others that were taken away (fs/changes/expunge.c),
 * after a crash or a line that was lost. */
#include "fs/changes/pending.h"

#include "fs/sync/lister.h"
#include "imap/change-requests.h"
#include "imap/error.h"

#include <string.h>

#define AGAIN_US (2 * G_USEC_PER_SEC)

static const char *const deleted[] = {"\\Deleted", NULL};

typedef struct {
    FsChanges *changes; /* a reference */
    char *key;          /* nothing else deletes there meanwhile */
    guint64 record;
    guint32 mailbox;
    ImapUidSet *uids;
    ImapLease *lease;
} Restore;

static void
restore_free(gpointer data)
{
    Restore *restored = data;

    fs_leases_release(restored->changes->leases, restored->lease);
    fs_changes_unref(restored->changes);
    imap_uid_set_free(restored->uids);
    g_free(restored->key);
    g_free(restored);
}

/* The line's, or that of a server that has no time for it. */
static gboolean
is_busy(const GError *error)
{
    return error->domain == IMAP_ERROR &&
           (error->code <= IMAP_ERROR_CLOSED ||
            error->code == IMAP_ERROR_IN_USE ||
            error->code == IMAP_ERROR_LIMIT ||
            error->code == IMAP_ERROR_UNAVAILABLE);
}

static void
keep(const Restore *restored)
{
    FsChanges *changes = restored->changes;

    g_ptr_array_add(changes->marks, GUINT_TO_POINTER((guint)restored->record));
    changes->marks_at = g_get_monotonic_time() + AGAIN_US;
    fs_sender_retry(changes->sender);
}

/* They are others': only with the mailbox they are gone, too. */
static void
end_restore(Restore *restored, const GError *error)
{
    FsChanges *changes = restored->changes;

    if (changes->account != NULL) {
        /* Before it waits again: the next one is tried at once. */
        fs_sender_batch_over(changes->sender, restored->key);
        if (error == NULL || error->domain == FS_ERROR)
            cache_journal_remove(changes->account->journal, restored->record);
        else if (is_busy(error))
            keep(restored);
        else
            fs_account_say(
                changes->account,
                "Messages that others had marked as deleted cannot be "
                "marked so again before the next mount: %s",
                error->message);
    }
    restore_free(restored);
}

static void
on_all_restored(const ImapUidSet *modified, const GError *error,
                gpointer user_data)
{
    end_restore(user_data, error);
}

static void
on_left_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Restore *restored = user_data;
    g_autoptr(ImapUidSet) left = NULL;

    if (error == NULL && restored->changes->account != NULL)
        left = imap_uid_set_intersection(found, restored->uids);
    if (left != NULL && imap_uid_set_count(left) > 0) {
        const ImapStore request = {left, IMAP_STORE_ADD, deleted, 0};

        imap_request_store(imap_lease_connection(restored->lease), &request,
                           on_all_restored, restored);
    } else {
        end_restore(restored, error);
    }
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Restore *restored = user_data;

    restored->lease = lease;
    if (lease == NULL)
        end_restore(restored, error);
    else
        imap_request_search(imap_lease_connection(lease), restored->uids,
                            on_left_found, restored);
}

static void
on_list(const GError *error, gpointer user_data)
{
    Restore *restored = user_data;
    FsChanges *changes = restored->changes;

    if (changes->account != NULL) {
        g_ptr_array_add(changes->marks,
                        GUINT_TO_POINTER((guint)restored->record));
        if (error == NULL)
            fs_sender_wake(changes->sender);
        else
            fs_sender_retry(changes->sender);
    }
    restore_free(restored);
}

/* Which mailboxes there are is not known before the server has said so. TRUE if
 * that is waited for; the record comes again then. */
static gboolean
waits_for_list(Restore *restored)
{
    const FsAccount *account = restored->changes->account;
    g_autoptr(GError) failed = NULL;
    FsNeed *need;

    if (fs_mailbox_tree_get(account->tree, restored->mailbox) != NULL)
        return FALSE;
    need = fs_lister_need(account->lister, FS_KNOWN);
    if (need == NULL)
        return FALSE;
    if (!fs_need_is_complete(need)) {
        fs_need_wait(need, on_list, restored);
        return TRUE;
    }
    failed = g_error_copy(fs_need_error(need));
    on_list(failed, restored);
    return TRUE;
}

static void
restore(Restore *restored)
{
    FsChanges *changes = restored->changes;

    if (waits_for_list(restored))
        return;
    if (!fs_sender_claim(changes->sender, restored->key)) {
        g_ptr_array_add(changes->marks,
                        GUINT_TO_POINTER((guint)restored->record));
        restore_free(restored);
    } else if (imap_uid_set_count(restored->uids) == 0) {
        end_restore(restored, NULL);
    } else {
        fs_leases_acquire_writable(changes->leases, restored->mailbox, on_lease,
                                   restored, restore_free);
    }
}

void
fs_marks_restore(FsChanges *changes, const CacheJournalRecord *record)
{
    const char *text = record->text != NULL ? record->text : "";
    Restore *restored = g_new0(Restore, 1);

    restored->changes = fs_changes_ref(changes);
    restored->record = record->id;
    restored->mailbox = record->mailbox;
    restored->uids = imap_uid_set_parse(text, strlen(text));
    if (restored->uids == NULL)
        restored->uids = imap_uid_set_new();
    restored->key = fs_sender_deletion_key(record->mailbox);
    restore(restored);
}
