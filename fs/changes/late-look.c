/* Looking for late copies, and deleting what is one for certain.
 *
 * A look waits until all that it goes by was seen after it began, and begins
 * anew when that is not certain any more. */
#include "fs/changes/late-private.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/stored-text.h"

#define RETRY_MS 1000u
/* What was expected longer ago does not come any more; equal messages that came
 * since are others'. */
#define OLD_SECONDS (24 * 60 * 60)
/* What was seen longer ago is not certain. */
#define CERTAIN_US (30 * G_USEC_PER_SEC)
/* That a mailbox may take to be read, before it is looked at next time. */
#define ATTEMPTS_MAX 12u

static void look_on(FsLate *late);

/* ---- waiting ---- */

static gboolean
on_timer(gpointer user_data)
{
    FsLate *late = user_data;

    late->timer = 0;
    fs_late_look(late);
    return G_SOURCE_REMOVE;
}

static void
on_need(const GError *error, gpointer user_data)
{
    FsLate *late = user_data;

    late->waiter = NULL;
    g_clear_pointer(&late->need, fs_need_unref);
    if (error == NULL)
        fs_late_look(late);
    else
        late->timer = g_timeout_add(RETRY_MS, on_timer, late);
}

/* For @need (borrowed), or some time. */
static void
wait_for(FsLate *late, FsNeed *need)
{
    if (need == NULL || fs_need_is_complete(need)) {
        late->timer = g_timeout_add(RETRY_MS, on_timer, late);
        return;
    }
    late->need = fs_need_ref(need);
    late->waiter = fs_need_wait(need, on_need, late);
}

/* This look is over, and there may be another. */
static void
end_look(FsLate *late)
{
    late->n_looks++;
    fs_need_complete(late->looked, NULL);
    fs_changes_moved(late->changes);
    if (late->n_looks >= FS_LATE_LOOKS) {
        fs_late_end(late);
        return;
    }
    fs_late_note(late);
    fs_late_look_later(late);
}

/* FALSE: it waits, or is at an end. */
static gboolean
is_seen(FsLate *late, guint32 mailbox)
{
    const FsAccount *account = late->changes->account;
    const FsMailbox *found = fs_mailbox_tree_get(account->tree, mailbox);
    FsNeed *need = NULL;

    if (fs_sender_is_away(late->changes->sender)) {
        wait_for(late, NULL);
        return FALSE;
    }
    if (found == NULL || !found->selectable) {
        need = fs_lister_need(account->lister, FS_KNOWN);
        if (need != NULL)
            wait_for(late, need);
        else
            fs_late_end(late);
        return FALSE;
    }
    if (fs_synchroniser_has_seen(account->synchroniser, mailbox, late->since))
        return TRUE;
    if (++late->attempts > ATTEMPTS_MAX) {
        end_look(late);
        return FALSE;
    }
    if (late->attempts % 3 != 0)
        need = fs_synchroniser_need_messages(account->synchroniser, mailbox,
                                             FS_NOW);
    wait_for(late, need);
    return FALSE;
}

/* What is known by now tells nothing: all is seen anew, after @need (borrowed;
 * NULL: some time). A look that is given up leaves at worst a duplicate. */
static void
look_again(FsLate *late, FsNeed *need)
{
    if (++late->attempts > ATTEMPTS_MAX) {
        end_look(late);
        return;
    }
    late->since = g_get_monotonic_time();
    wait_for(late, need);
}

/* ---- deleting ---- */

static gboolean
find_candidate(const FsLate *late, CacheMessage *message)
{
    return cache_index_message(late->changes->account->index, late->mailbox,
                               late->candidate, message);
}

static FsLate *
find_by_deletion(const FsPending *pending)
{
    const GPtrArray *all = pending->changes->late;

    for (guint i = 0; i < all->len; i++)
        if (((FsLate *)g_ptr_array_index(all, i))->deletion == pending)
            return g_ptr_array_index(all, i);
    return NULL;
}

gboolean
fs_late_is_certain(const FsPending *pending)
{
    FsLate *late = find_by_deletion(pending);
    CacheMessage copy;

    return late != NULL && g_get_monotonic_time() - late->since <= CERTAIN_US &&
           !fs_sender_is_away(pending->changes->sender) &&
           !fs_late_is_in_motion(late) && fs_late_is_message_known(late) &&
           find_candidate(late, &copy) && copy.size == late->size &&
           fs_late_has_flags_of(copy.flags, late->flags);
}

/* It may be marked by us, and that not have been read yet. */
void
fs_late_take_back(FsPending *pending)
{
    FsChanges *changes = pending->changes;
    gboolean may_be_marked =
        (pending->uncertain || pending->step == FS_STEP_SENT) &&
        !pending->others_mark;
    FsPending *unmark;

    if (may_be_marked) {
        unmark =
            fs_pending_new(FS_PENDING_FLAGS, pending->mailbox, pending->uid);
        unmark->text = g_strdup("\n" FS_LATE_DELETED);
        unmark->unasked = TRUE;
        fs_pending_unref(fs_pending_accept(changes, unmark, 0));
    }
    fs_pending_take_back(pending);
}

/* Refused, it is told by who was refused. Taken back, it is there, and was not
 * certain any more to be a copy. */
static void
on_deleted(const GError *error, gpointer user_data)
{
    FsLate *late = user_data;
    g_autofree char *path = fs_changes_path(late->changes, late->mailbox);
    CacheMessage copy;

    late->waiter = NULL;
    g_clear_pointer(&late->need, fs_need_unref);
    g_clear_pointer(&late->deletion, fs_pending_unref);
    if (error == NULL && find_candidate(late, &copy)) {
        late->count++;
        fs_late_note(late);
        late->candidate--;
        look_again(late, NULL);
        return;
    }
    if (error == NULL)
        fs_account_say(late->changes->account,
                       "Message %u of %s was there twice, for a line that was "
                       "cut: %u is deleted",
                       late->uid, path, late->candidate);
    look_on(late);
}

/* Who mounts the account as well, and has sent the same message, takes ours for
 * its copy: of two, only the newer is deleted. */
static gboolean
may_be_counted_on(const FsLate *late)
{
    return late->home == late->mailbox && late->candidate < late->home_uid;
}

static void
leave_copy(FsLate *late)
{
    g_autofree char *path = fs_changes_path(late->changes, late->mailbox);

    late->count--;
    fs_late_note(late);
    fs_account_say(late->changes->account,
                   "Message %u of %s is there twice, for a line that was cut "
                   "or by another client, and %u stays",
                   late->uid, path, late->candidate);
    look_on(late);
}

/* Whatever becomes of it, it counts as one of those that there may be. */
static void
delete_copy(FsLate *late)
{
    FsChanges *changes = late->changes;
    g_autoptr(GError) error = NULL;
    g_autoptr(FsNeed) need = NULL;
    g_autofree char *path = fs_changes_path(changes, late->mailbox);

    late->deletion = fs_changes_delete(
        changes, fs_changes_inode(changes, late->mailbox, late->candidate),
        NULL, FS_DELETE_COPY, &need, &error);
    if (need != NULL) {
        late->candidate--;
        look_again(late, need);
        return;
    }
    late->count--;
    fs_late_note(late);
    if (late->deletion != NULL) {
        late->need = fs_need_ref(late->deletion->done);
        late->waiter = fs_need_wait(late->need, on_deleted, late);
        return;
    }
    fs_account_say(changes->account,
                   "Message %u of %s is there twice, for a line that was "
                   "cut, and %u cannot be deleted: %s",
                   late->uid, path, late->candidate, error->message);
    look_on(late);
}

/* ---- looking ---- */

static void
on_candidate(const FsStoredText *stored, const GError *error,
             gpointer user_data)
{
    FsLate *late = user_data;

    late->reading = NULL;
    if (fs_late_is_in_motion(late) || !fs_late_is_message_known(late) ||
        (error != NULL && !g_error_matches(error, FS_ERROR, FS_ERROR_GONE))) {
        late->candidate--;
        look_again(late, NULL);
        return;
    }
    /* Meanwhile somebody may have done something with it. */
    if (stored == NULL || stored->digest == NULL ||
        g_strcmp0(stored->digest, late->digest) != 0 ||
        !fs_late_is_nobodys(late, late->candidate))
        look_on(late);
    else if (may_be_counted_on(late))
        leave_copy(late);
    else
        delete_copy(late);
}

static void
on_message(const FsStoredText *stored, const GError *error, gpointer user_data)
{
    FsLate *late = user_data;

    late->reading = NULL;
    if (stored != NULL)
        late->digest = g_strdup(stored->digest);
    if (late->digest != NULL)
        look_on(late);
    else if (g_error_matches(error, FS_ERROR, FS_ERROR_GONE))
        end_look(late);
    else
        look_again(late, NULL);
}

static void
read_text(FsLate *late, guint32 mailbox, guint32 uid, FsStoredFunc done)
{
    late->reading = fs_stored_text_read(late->changes->account, mailbox, uid,
                                        &late->size, 1, done, late);
}

/* Also if the clock has been set back since. */
static gboolean
is_old(const FsLate *late)
{
    gint64 age = g_get_real_time() / G_USEC_PER_SEC - late->noted_at;

    return age < -OLD_SECONDS || age > OLD_SECONDS;
}

/* Its octets are read only if there is something to be compared with them. */
static void
look_on(FsLate *late)
{
    guint32 candidate = late->count > 0 ? fs_late_next_candidate(late) : 0;

    if (late->count == 0)
        late->n_looks = FS_LATE_LOOKS;
    if (candidate == 0 || is_old(late)) {
        end_look(late);
    } else if (late->digest != NULL) {
        late->candidate = candidate;
        read_text(late, late->mailbox, candidate, on_candidate);
    } else if (late->home != 0) {
        read_text(late, late->home, late->home_uid, on_message);
    } else {
        end_look(late);
    }
}

void
fs_late_look(FsLate *late)
{
    if (!is_seen(late, late->mailbox))
        return;
    if (late->home != 0 && late->home != late->mailbox &&
        !is_seen(late, late->home))
        return;
    if (fs_late_is_in_motion(late))
        look_again(late, NULL);
    else if (fs_late_is_message_known(late))
        look_on(late);
    else
        fs_late_end(late);
}
