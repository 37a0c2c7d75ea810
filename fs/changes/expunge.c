/* Deleting where the server has no UIDPLUS, and expunges whatever is marked.
 *
 * What others have marked is unmarked meanwhile, and marked again afterwards;
 * which that was is in the journal, durable, before it is touched. If there is
 * more of it than one command may name, that goes in parts, each with a record
 * of its own. EXPUNGE is sent only when a search shows that nothing but our
 * messages is marked. If somebody marks another in that moment, it goes by his
 * own will. */
#include "fs/changes/late.h"
#include "fs/changes/pending.h"

#include "imap/change-requests.h"
#include "imap/error.h"

#define ROUNDS_MAX 5
/* Of others, more are not unmarked to delete some of ours. */
#define OTHERS_MAX 100000u

/* Messages whose marks were taken away, as many as go into one command. */
typedef struct {
    ImapUidSet *uids;
    guint64 record; /* of the journal, that says so */
} Part;

typedef struct {
    FsBatch *batch;
    ImapUidSet *ours; /* those that are there; NULL: not known yet */
    GArray *others;   /* of Part */
    guint64 n_others; /* messages in all of those */
    guint next;       /* of the parts: that which is next */
    guint rounds;
    GError *error; /* why it is being undone */
} Expunge;

static const char *const deleted[] = {"\\Deleted", NULL};

static void
clear_part(gpointer part)
{
    imap_uid_set_free(((Part *)part)->uids);
}

static void
expunge_free(Expunge *expunge)
{
    imap_uid_set_free(expunge->ours);
    g_array_unref(expunge->others);
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

static Part *
next_part(Expunge *expunge)
{
    return expunge->next < expunge->others->len
               ? &g_array_index(expunge->others, Part, expunge->next)
               : NULL;
}

/* Those that are left are marked again when that is possible. */
static void
put_off_restoring(Expunge *expunge)
{
    FsChanges *changes = expunge->batch->changes;
    const Part *part;

    changes->marks_at =
        g_get_monotonic_time() + (gint64)fs_late_settle_ms() * 1000;
    for (; (part = next_part(expunge)) != NULL; expunge->next++)
        g_ptr_array_add(changes->marks, GUINT_TO_POINTER((guint)part->record));
}

static void restore_next(Expunge *expunge);

static void
on_restored(const ImapUidSet *modified, const GError *error, gpointer user_data)
{
    Expunge *expunge = user_data;
    FsChanges *changes = expunge->batch->changes;

    if (is_over(expunge))
        return;
    if (error != NULL) {
        put_off_restoring(expunge);
    } else {
        cache_journal_remove(changes->account->journal,
                             next_part(expunge)->record);
        expunge->next++;
    }
    restore_next(expunge);
}

static void
restore_next(Expunge *expunge)
{
    const Part *part = next_part(expunge);

    if (part == NULL)
        end(expunge);
    else
        store(expunge, IMAP_STORE_ADD, part->uids, on_restored);
}

static void
restore(Expunge *expunge)
{
    expunge->next = 0;
    restore_next(expunge);
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
    expunge->error = g_error_copy(error);
    if (is_of_the_line(error)) {
        expunge->next = 0;
        put_off_restoring(expunge);
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

static void unmark_next(Expunge *expunge);

static void
on_others_unmarked(const ImapUidSet *modified, const GError *error,
                   gpointer user_data)
{
    Expunge *expunge = user_data;

    if (is_over(expunge))
        return;
    expunge->next++;
    if (error != NULL)
        undo(expunge, error);
    else
        unmark_next(expunge);
}

static void
unmark_next(Expunge *expunge)
{
    const Part *part = next_part(expunge);

    if (part == NULL)
        mark(expunge);
    else
        store(expunge, IMAP_STORE_REMOVE, part->uids, on_others_unmarked);
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
        unmark_next(expunge);
}

static void
add_part(Expunge *expunge, ImapUidSet *uids)
{
    g_autofree char *text = imap_uid_set_to_string(uids);
    const CacheJournalRecord record = {
        .kind = FS_PENDING_MARKS,
        .mailbox = expunge->batch->mailbox,
        .text = text,
    };
    const Part part = {
        uids,
        cache_journal_add(expunge->batch->changes->account->journal, &record)};

    g_array_append_val(expunge->others, part);
}

/* Takes what is in @others. */
static void
note_others(Expunge *expunge, ImapUidSet *others)
{
    FsBatch *batch = expunge->batch;
    CacheJournal *journal = batch->changes->account->journal;
    g_autoptr(GError) many = NULL;

    expunge->n_others += imap_uid_set_count(others);
    if (expunge->n_others > OTHERS_MAX) {
        many = g_error_new(IMAP_ERROR, IMAP_ERROR_LIMIT,
                           "others have marked more messages as deleted than "
                           "can be marked so again");
        undo(expunge, many);
        return;
    }
    expunge->next = expunge->others->len;
    while (imap_uid_set_n_ranges(others) > 0)
        add_part(expunge, imap_uid_set_take(others, IMAP_MAX_CHANGED,
                                            IMAP_MAX_SET_LENGTH));
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
    expunge->others = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(expunge->others, clear_part);
    find_marked(expunge, on_others_found);
}
