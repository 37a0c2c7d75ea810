/* Deleting where the server has no UIDPLUS, and expunges whatever is marked.
 *
 * What others have marked is unmarked meanwhile, and marked again afterwards;
 * which that was is in the journal, durable, before it is touched. EXPUNGE is
 * sent only when a search shows that nothing but our messages is marked. If
 * somebody marks another in that moment, it goes by his own will. */
#include "fs/changes/pending.h"

#include "imap/change-requests.h"
#include "imap/error.h"

#include <string.h>

#define ROUNDS_MAX 5

typedef struct {
    FsBatch *batch;
    ImapUidSet *ours;   /* those that are there; NULL: not known yet */
    ImapUidSet *others; /* whose marks were taken away */
    guint64 record;     /* of the journal, that says so; 0 */
    guint rounds;
    GError *error; /* why it is being undone */
} Expunge;

static const char *const deleted[] = {"\\Deleted", NULL};

static void
expunge_free(Expunge *expunge)
{
    imap_uid_set_free(expunge->ours);
    imap_uid_set_free(expunge->others);
    g_clear_error(&expunge->error);
    g_free(expunge);
}

/* TRUE if it is all over, and @expunge is freed. */
static gboolean
is_over(Expunge *expunge)
{
    expunge->batch->n_waiting--;
    if (!fs_batch_is_over(expunge->batch))
        return FALSE;
    expunge_free(expunge);
    return TRUE;
}

static void
end(Expunge *expunge)
{
    FsBatch *batch = expunge->batch;
    g_autoptr(GError) error = g_steal_pointer(&expunge->error);

    expunge_free(expunge);
    fs_batch_end(batch, error);
}

/* A range may be of all UIDs that there can be. */
static ImapUidSet *
without(const ImapUidSet *set, const ImapUidSet *less)
{
    ImapUidSet *result = imap_uid_set_new();
    guint n_less = imap_uid_set_n_ranges(less);
    guint next = 0; /* of those of @less that are not behind us */

    for (guint i = 0; i < imap_uid_set_n_ranges(set); i++) {
        guint32 first, last, less_first, less_last;
        guint64 from;

        imap_uid_set_range(set, i, &first, &last);
        for (from = first; next < n_less && from <= last; next++) {
            imap_uid_set_range(less, next, &less_first, &less_last);
            if (less_first > last)
                break;
            if (less_first > from)
                imap_uid_set_add(result, (guint32)from, less_first - 1);
            from = MAX(from, (guint64)less_last + 1);
            if (less_last > last)
                break;
        }
        if (from <= last)
            imap_uid_set_add(result, (guint32)from, last);
    }
    return result;
}

static void
store(Expunge *expunge, ImapStoreMode mode, const ImapUidSet *uids,
      ImapStoreFunc done)
{
    const ImapStore request = {uids, mode, deleted, 0};

    expunge->batch->n_waiting++;
    imap_request_store(fs_batch_connection(expunge->batch), &request, done,
                       expunge);
}

static void
find_marked(Expunge *expunge, ImapSearchFunc done)
{
    const ImapSought sought = {.is_deleted = TRUE};

    expunge->batch->n_waiting++;
    imap_request_find(fs_batch_connection(expunge->batch), &sought, done,
                      expunge);
}

/* ---- the end, good or bad ---- */

static gboolean
is_of_the_line(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL);
}

static void
on_restored(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;
    FsChanges *changes = expunge->batch->changes;

    if (is_over(expunge))
        return;
    if (error == NULL)
        cache_journal_remove(changes->account->journal, expunge->record);
    else
        g_ptr_array_add(changes->marks,
                        GUINT_TO_POINTER((guint)expunge->record));
    end(expunge);
}

static void
restore(Expunge *expunge)
{
    if (expunge->record == 0)
        end(expunge);
    else
        store(expunge, IMAP_STORE_ADD, expunge->others, on_restored);
}

static void
on_unmarked(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;

    if (!is_over(expunge))
        restore(expunge);
}

/* Takes @error as the reason why nothing is deleted. */
static void
undo(Expunge *expunge, const GError *error)
{
    FsChanges *changes = expunge->batch->changes;

    expunge->error = g_error_copy(error);
    if (is_of_the_line(error)) {
        if (expunge->record != 0)
            g_ptr_array_add(changes->marks,
                            GUINT_TO_POINTER((guint)expunge->record));
        end(expunge);
    } else if (expunge->ours != NULL && imap_uid_set_count(expunge->ours) > 0) {
        store(expunge, IMAP_STORE_REMOVE, expunge->ours, on_unmarked);
    } else {
        restore(expunge);
    }
}

/* ---- step by step ---- */

static void mark(Expunge *expunge);

static void
on_expunged(const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    if (error != NULL)
        undo(expunge, error);
    else
        restore(expunge);
}

static void
on_others_unmarked(const ImapUidSet *modified, const GError *error,
                   gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    if (error != NULL)
        undo(expunge, error);
    else
        mark(expunge);
}

static void
on_noted(const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    if (error != NULL)
        undo(expunge, error);
    else
        store(expunge, IMAP_STORE_REMOVE, expunge->others, on_others_unmarked);
}

static void
note_others(Expunge *expunge, const ImapUidSet *others)
{
    FsBatch *batch = expunge->batch;
    CacheJournal *journal = batch->changes->account->journal;
    g_autofree char *text = NULL;
    CacheJournalRecord record = {
        .kind = FS_PENDING_MARKS,
        .mailbox = batch->mailbox,
    };
    g_autoptr(GError) many = NULL;
    guint32 first;
    guint32 last;

    if (imap_uid_set_count(expunge->others) + imap_uid_set_count(others) >
        IMAP_MAX_CHANGED) {
        many = g_error_new(IMAP_ERROR, IMAP_ERROR_LIMIT,
                           "others have marked more messages as deleted than "
                           "can be marked so again");
        undo(expunge, many);
        return;
    }
    for (guint i = 0; i < imap_uid_set_n_ranges(others); i++) {
        imap_uid_set_range(others, i, &first, &last);
        imap_uid_set_add(expunge->others, first, last);
    }
    text = imap_uid_set_to_string(expunge->others);
    record.text = text;
    record.id = expunge->record;
    if (record.id == 0)
        expunge->record = cache_journal_add(journal, &record);
    else
        cache_journal_set(journal, &record);
    batch->n_waiting++;
    cache_journal_flush(journal, TRUE, on_noted, expunge);
}

static void
on_marked_found(const ImapUidSet *found, const GError *error,
                gpointer user_data)
{
    Expunge *expunge = user_data;
    g_autoptr(ImapUidSet) others = NULL;
    g_autoptr(ImapUidSet) ours = NULL;
    g_autoptr(GError) busy = NULL;

    if (is_over(expunge))
        return;
    if (error != NULL) {
        undo(expunge, error);
        return;
    }
    others = without(found, expunge->batch->uids);
    ours = imap_uid_set_intersection(found, expunge->ours);
    if (imap_uid_set_count(others) == 0 &&
        imap_uid_set_count(ours) == imap_uid_set_count(expunge->ours)) {
        expunge->batch->n_waiting++;
        imap_request_expunge_everything_marked(
            fs_batch_connection(expunge->batch), on_expunged, expunge);
    } else if (++expunge->rounds >= ROUNDS_MAX) {
        busy = g_error_new(IMAP_ERROR, IMAP_ERROR_IN_USE,
                           "others go on marking messages as deleted");
        undo(expunge, busy);
    } else if (imap_uid_set_count(others) > 0) {
        note_others(expunge, others);
    } else {
        mark(expunge); /* somebody has taken a mark of ours away */
    }
}

static void
on_ours_marked(const ImapUidSet *modified, const GError *error,
               gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    if (error != NULL)
        undo(expunge, error);
    else
        find_marked(expunge, on_marked_found);
}

static void
on_ours_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    if (error != NULL) {
        undo(expunge, error);
        return;
    }
    imap_uid_set_free(expunge->ours);
    expunge->ours = imap_uid_set_intersection(found, expunge->batch->uids);
    if (imap_uid_set_count(expunge->ours) == 0)
        restore(expunge);
    else
        store(expunge, IMAP_STORE_ADD, expunge->ours, on_ours_marked);
}

/* Only what was just seen to be there: some servers take a UID that is too high
 * for the last message's. */
static void
mark(Expunge *expunge)
{
    expunge->batch->n_waiting++;
    imap_request_search(fs_batch_connection(expunge->batch),
                        expunge->batch->uids, on_ours_found, expunge);
}

static void
on_others_found(const ImapUidSet *found, const GError *error,
                gpointer user_data)
{
    Expunge *expunge = user_data;
    g_autoptr(ImapUidSet) others = NULL;

    if (is_over(expunge))
        return;
    if (error != NULL) {
        undo(expunge, error);
        return;
    }
    others = without(found, expunge->batch->uids);
    if (imap_uid_set_count(others) > 0)
        note_others(expunge, others);
    else
        mark(expunge);
}

void
fs_expunge_start(FsBatch *batch)
{
    Expunge *expunge = g_new0(Expunge, 1);

    expunge->batch = batch;
    expunge->others = imap_uid_set_new();
    find_marked(expunge, on_others_found);
}

/* ---- after a crash, or a line that was lost ---- */

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

static void
end_restore(Restore *restored, const GError *error)
{
    FsChanges *changes = restored->changes;

    if (changes->account != NULL) {
        if (error == NULL) {
            cache_journal_remove(changes->account->journal, restored->record);
        } else if (error->domain == IMAP_ERROR &&
                   (is_of_the_line(error) ||
                    error->code <= IMAP_ERROR_CLOSED)) {
            g_ptr_array_add(changes->marks,
                            GUINT_TO_POINTER((guint)restored->record));
            fs_sender_retry(changes->sender);
        } else {
            g_message("Messages that others had marked as deleted cannot be "
                      "marked so again: %s",
                      error->message);
            cache_journal_remove(changes->account->journal, restored->record);
        }
        fs_sender_batch_over(changes->sender, restored->key);
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

void
fs_expunge_restore(FsChanges *changes, const CacheJournalRecord *record)
{
    Restore *restored = g_new0(Restore, 1);

    restored->changes = fs_changes_ref(changes);
    restored->record = record->id;
    restored->mailbox = record->mailbox;
    restored->uids =
        imap_uid_set_parse(record->text != NULL ? record->text : "",
                           record->text != NULL ? strlen(record->text) : 0);
    if (restored->uids == NULL)
        restored->uids = imap_uid_set_new();
    restored->key = fs_sender_deletion_key(record->mailbox);
    if (!fs_sender_claim(changes->sender, restored->key)) {
        g_ptr_array_add(changes->marks, GUINT_TO_POINTER((guint)record->id));
        restore_free(restored);
        return;
    }
    if (imap_uid_set_count(restored->uids) == 0)
        end_restore(restored, NULL);
    else
        fs_leases_acquire_writable(changes->leases, record->mailbox, on_lease,
                                   restored, restore_free);
}
