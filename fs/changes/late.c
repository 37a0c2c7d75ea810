/* Copies of a message that the server may make when nobody counts on them any
 * more. */
#include "fs/changes/late.h"

#include "fs/changes/pending.h"
#include "fs/names/given-name.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/stored-text.h"
#include "fs/writing/writing.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 3000u
/* From one look to the next: who waits, waits for the first; a server that was
 * given up for its silence may take long. */
static const guint waits_ms[] = {5000, 25000, 120000};
#define LOOKS G_N_ELEMENTS(waits_ms)
#define RETRY_MS 1000u
/* What was expected longer ago does not come any more; equal messages that came
 * since are others'. */
#define OLD_SECONDS (24 * 60 * 60)
/* What was seen longer ago is not certain. */
#define CERTAIN_US (30 * G_USEC_PER_SEC)
/* That a mailbox may take to be read, before it is looked at next time. */
#define ATTEMPTS_MAX 12u
/* More are not looked for. */
#define LATE_MAX 1000u
#define NO_FLAGS "-"
#define DELETED "\\Deleted"

typedef struct {
    FsChanges *changes; /* borrowed: it owns this */
    guint64 record;     /* of the journal */
    guint32 mailbox;
    guint32 uid;
    guint32 first_uid;
    guint64 size;
    char *digest;
    gint64 date;
    char *flags;
    guint count;
    gint64 noted_at; /* seconds since the epoch */
    guint32 home;    /* where the message is now; 0: we have deleted it */
    guint32 home_uid;

    guint n_looks;
    FsNeed *looked; /* once */
    gint64 due_at;  /* microseconds, monotonic: the next look */
    guint timer;
    FsNeed *need; /* waited for; a reference */
    FsNeedWaiter *waiter;
    FsStoredReading *reading;
    FsPending *deletion; /* of the candidate; a reference; NULL: none */
    gint64 since; /* microseconds, monotonic: what is older tells nothing */
    guint attempts;
    guint32 candidate; /* up to that, all were looked at */
} Late;

static void wait_until_due(Late *late);
static void run(Late *late);
static void look_on(Late *late);

/* For tests, which cannot wait so long. */
static guint
milliseconds(const char *variable, guint usual)
{
    const char *said = g_getenv(variable);

    return said != NULL ? (guint)MAX(atoi(said), 1) : usual;
}

guint
fs_late_settle_ms(void)
{
    return milliseconds("IMAPFS_SETTLE_MS", SETTLE_MS);
}

static guint
wait_ms(const Late *late)
{
    return milliseconds("IMAPFS_LATE_MS", waits_ms[late->n_looks]);
}

/* ---- life ---- */

static void
late_free(gpointer data)
{
    Late *late = data;

    g_clear_handle_id(&late->timer, g_source_remove);
    if (late->waiter != NULL)
        fs_need_cancel(late->waiter);
    fs_need_unref(late->need);
    fs_stored_reading_cancel(late->reading);
    fs_pending_unref(late->deletion);
    fs_need_complete(late->looked, NULL);
    fs_need_unref(late->looked);
    g_free(late->digest);
    g_free(late->flags);
    g_free(late);
}

GPtrArray *
fs_late_array_new(void)
{
    return g_ptr_array_new_with_free_func(late_free);
}

static CacheJournal *
journal_of(const Late *late)
{
    return late->changes->account->journal;
}

/* Nothing is expected any more. */
static void
end(Late *late)
{
    cache_journal_remove(journal_of(late), late->record);
    g_ptr_array_remove(late->changes->late, late);
}

/* ---- the journal ---- */

/* "COUNT SIZE DATE DIGEST FLAG FLAG…"; its name: when. */
static void
note(Late *late)
{
    g_autofree char *text = g_strdup_printf(
        "%u %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT " %s %s", late->count,
        late->size, late->date, late->digest != NULL ? late->digest : NO_FLAGS,
        late->flags);
    g_autofree char *when =
        g_strdup_printf("%" G_GINT64_FORMAT, late->noted_at);
    const CacheJournalRecord record = {
        .id = late->record,
        .kind = FS_PENDING_LATE,
        .step = late->n_looks,
        .mailbox = late->mailbox,
        .uid = late->uid,
        .target = late->home,
        .target_uid = late->home_uid,
        .number = late->first_uid,
        .name = when,
        .text = text,
    };

    if (late->record == 0)
        late->record = cache_journal_add(journal_of(late), &record);
    else
        cache_journal_set(journal_of(late), &record);
}

static gboolean
on_timer(gpointer user_data)
{
    Late *late = user_data;

    late->timer = 0;
    run(late);
    return G_SOURCE_REMOVE;
}

/* Who waits for it is not to take it for silence. */
static gboolean
on_due(gpointer user_data)
{
    Late *late = user_data;

    late->timer = 0;
    if (g_get_monotonic_time() < late->due_at) {
        wait_until_due(late);
        fs_need_progress(late->looked);
        return G_SOURCE_REMOVE;
    }
    late->since = g_get_monotonic_time();
    late->attempts = 0;
    late->candidate = late->first_uid - 1;
    run(late);
    return G_SOURCE_REMOVE;
}

static void
wait_until_due(Late *late)
{
    gint64 left_us = late->due_at - g_get_monotonic_time();

    late->timer = g_timeout_add(
        (guint)CLAMP(left_us / 1000 + 1, 1, FS_LATE_TICK_MS), on_due, late);
}

static void
look_later(Late *late)
{
    late->due_at = g_get_monotonic_time() + (gint64)wait_ms(late) * 1000;
    wait_until_due(late);
}

static Late *
late_new(FsChanges *changes)
{
    Late *late = g_new0(Late, 1);

    late->changes = changes;
    late->looked = fs_need_new();
    g_ptr_array_add(changes->late, late);
    return late;
}

void
fs_late_expect(FsChanges *changes, const FsLateCopy *copy)
{
    Late *late;

    if (copy->count == 0 || copy->uid == 0 || copy->first_uid == 0 ||
        changes->late->len >= LATE_MAX)
        return;
    late = late_new(changes);
    late->mailbox = late->home = copy->mailbox;
    late->uid = late->home_uid = copy->uid;
    late->first_uid = copy->first_uid;
    late->size = copy->size;
    late->date = copy->date;
    late->digest = g_strdup(copy->digest);
    late->flags = g_strdup(copy->flags != NULL ? copy->flags : "");
    late->count = copy->count;
    late->noted_at = g_get_real_time() / G_USEC_PER_SEC;
    note(late);
    look_later(late);
}

/* As what is known of it where it is now, or was. */
static gboolean
find_row(const FsPending *pending, guint32 uid, CacheMessage *row)
{
    const FsAccount *account = pending->changes->account;
    const FsGuest *guest = NULL;

    if (cache_index_message(account->index, pending->target, uid, row) ||
        cache_index_message(account->index, pending->mailbox, pending->uid,
                            row))
        return TRUE;
    if (pending->inode != 0)
        guest = fs_overlay_guest_by_inode(account->overlay, pending->inode);
    if (guest == NULL || guest->row.size == 0)
        return FALSE;
    *row = guest->row;
    return TRUE;
}

void
fs_late_expect_move(FsPending *pending, guint32 uid)
{
    FsLateCopy copy = {
        .mailbox = pending->target,
        .uid = uid,
        .first_uid = (guint32)MIN(pending->number, G_MAXUINT32),
        .count = pending->n_unanswered,
    };
    g_autofree char *flags = NULL;
    CacheMessage row;

    if (copy.count == 0 || uid == 0 || !find_row(pending, uid, &row))
        return;
    flags = g_strdup(row.flags);
    copy.size = row.size;
    copy.date = row.internal_date;
    copy.flags = flags;
    pending->n_unanswered = 0;
    fs_late_expect(pending->changes, &copy);
}

void
fs_late_take_up(FsChanges *changes, const CacheJournalRecord *record)
{
    g_auto(GStrv) words =
        g_strsplit(record->text != NULL ? record->text : "", " ", 5);
    Late *late;

    if (g_strv_length(words) < 5 || record->mailbox == 0 || record->uid == 0 ||
        record->number == 0 || record->number > G_MAXUINT32)
        return;
    late = late_new(changes);
    late->record = record->id;
    late->mailbox = record->mailbox;
    late->uid = record->uid;
    late->first_uid = (guint32)record->number;
    late->home = record->target;
    late->home_uid = record->target_uid;
    late->count = (guint)strtoul(words[0], NULL, 10);
    late->size = g_ascii_strtoull(words[1], NULL, 10);
    late->date = g_ascii_strtoll(words[2], NULL, 10);
    if (!g_str_equal(words[3], NO_FLAGS))
        late->digest = g_strdup(words[3]);
    late->flags = g_strdup(words[4]);
    late->noted_at =
        record->name != NULL ? g_ascii_strtoll(record->name, NULL, 10) : 0;
    late->n_looks = MIN(record->step, LOOKS - 1);
    if (late->n_looks > 0)
        fs_need_complete(late->looked, NULL);
    look_later(late);
}

void
fs_late_note_away(FsChanges *changes, guint32 mailbox, guint32 uid,
                  guint32 target, guint32 target_uid)
{
    for (guint i = changes->late->len; i > 0; i--) {
        Late *late = g_ptr_array_index(changes->late, i - 1);

        if (late->home != mailbox || late->home_uid != uid)
            continue;
        late->home = target;
        late->home_uid = target_uid;
        if (target != 0 && target_uid == 0)
            end(late);
        else
            note(late);
    }
}

void
fs_late_note_deleted(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    for (guint i = changes->late->len; i > 0; i--) {
        Late *late = g_ptr_array_index(changes->late, i - 1);

        if (late->home == mailbox && late->home_uid == uid)
            end(late);
    }
}

gboolean
fs_late_is_expected(const FsChanges *changes, guint32 mailbox)
{
    for (guint i = 0; i < changes->late->len; i++)
        if (((Late *)g_ptr_array_index(changes->late, i))->mailbox == mailbox)
            return TRUE;
    return FALSE;
}

FsNeed *
fs_late_need_looked(const FsChanges *changes)
{
    if (fs_sender_is_away(changes->sender))
        return NULL;
    for (guint i = 0; i < changes->late->len; i++) {
        const Late *late = g_ptr_array_index(changes->late, i);

        if (!fs_need_is_complete(late->looked))
            return late->looked;
    }
    return NULL;
}

/* ---- waiting ---- */

static void
on_need(const GError *error, gpointer user_data)
{
    Late *late = user_data;

    late->waiter = NULL;
    g_clear_pointer(&late->need, fs_need_unref);
    if (error == NULL)
        run(late);
    else
        late->timer = g_timeout_add(RETRY_MS, on_timer, late);
}

/* For @need (borrowed), or some time. */
static void
wait_for(Late *late, FsNeed *need)
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
end_look(Late *late)
{
    late->n_looks++;
    fs_need_complete(late->looked, NULL);
    fs_changes_moved(late->changes);
    if (late->n_looks >= LOOKS) {
        end(late);
        return;
    }
    note(late);
    look_later(late);
}

/* FALSE: it waits, or is at an end. */
static gboolean
is_seen(Late *late, guint32 mailbox)
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
            end(late);
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
look_again(Late *late, FsNeed *need)
{
    if (++late->attempts > ATTEMPTS_MAX) {
        end_look(late);
        return;
    }
    late->since = g_get_monotonic_time();
    wait_for(late, need);
}

/* ---- whose is it? ---- */

static gboolean
has_no_other_flags(const char *flags, const char *sent)
{
    g_autofree char *rest = NULL;

    if (flags == NULL)
        return FALSE;
    rest = fs_changes_merge_flags(flags, "", sent);
    return *rest == '\0';
}

static gboolean
is_anothers_copy(const FsChanges *changes, guint32 mailbox, guint32 uid)
{
    for (guint i = 0; i < changes->late->len; i++) {
        const Late *other = g_ptr_array_index(changes->late, i);

        if ((other->mailbox == mailbox && other->uid == uid) ||
            (other->home == mailbox && other->home_uid == uid))
            return TRUE;
    }
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->target == mailbox && pending->target_uid == uid)
            return TRUE;
    }
    return FALSE;
}

/* Not one that the user, or a part of this program, takes for a message. */
static gboolean
is_nobodys(const Late *late, guint32 uid)
{
    const FsChanges *changes = late->changes;
    const FsAccount *account = changes->account;
    FsUploads *uploads =
        account->writing != NULL ? fs_writing_uploads(account->writing) : NULL;

    if (fs_overlay_guest_by_uid(account->overlay, late->mailbox, uid) != NULL ||
        fs_given_name_is_other(account->aliases, late->mailbox, uid, NULL) ||
        fs_changes_concern(changes, late->mailbox, uid) ||
        is_anothers_copy(changes, late->mailbox, uid))
        return FALSE;
    return uploads == NULL ||
           (!fs_uploads_claim(uploads, late->mailbox, uid) &&
            fs_uploads_onto(uploads, late->mailbox, uid) == NULL &&
            fs_uploads_that_may_be(uploads, late->mailbox, uid, late->size) ==
                NULL);
}

/* The message may be on its way, perhaps to here; or another one of ours may,
 * which we would take for a copy, for nobody knows yet which it is. */
static gboolean
is_in_motion(const Late *late)
{
    const FsChanges *changes = late->changes;
    FsWriting *writing = changes->account->writing;

    if (late->home != 0 &&
        fs_changes_concern(changes, late->home, late->home_uid))
        return TRUE;
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->kind == FS_PENDING_MOVE && pending->target_uid == 0 &&
            pending->target == late->mailbox)
            return TRUE;
    }
    return writing != NULL &&
           fs_uploads_pending(fs_writing_uploads(writing), late->mailbox) > 0;
}

/* Whether the message is where we know it to be, and stays there; or we have
 * deleted it. */
static gboolean
is_message_known(Late *late)
{
    const FsChanges *changes = late->changes;
    CacheMessage message;

    if (late->home == 0)
        return TRUE;
    if (!cache_index_message(changes->account->index, late->home,
                             late->home_uid, &message) ||
        message.flags == NULL || strstr(message.flags, DELETED) != NULL)
        return FALSE;
    /* As the server has it: some change what they are given. */
    if (message.size != late->size)
        g_clear_pointer(&late->digest, g_free);
    late->size = message.size;
    late->date = message.internal_date;
    return TRUE;
}

static guint32
next_candidate(const Late *late)
{
    CacheIndex *index = late->changes->account->index;
    guint32 after = late->candidate;
    CacheMessage message;

    while (cache_index_next(index, late->mailbox, after, &message)) {
        after = message.uid;
        if (message.size == late->size && message.internal_date == late->date &&
            has_no_other_flags(message.flags, late->flags) &&
            is_nobodys(late, after))
            return after;
    }
    return 0;
}

/* ---- deleting ---- */

static gboolean
find_candidate(const Late *late, CacheMessage *message)
{
    return cache_index_message(late->changes->account->index, late->mailbox,
                               late->candidate, message);
}

static Late *
find_by_deletion(const FsPending *pending)
{
    const GPtrArray *all = pending->changes->late;

    for (guint i = 0; i < all->len; i++)
        if (((Late *)g_ptr_array_index(all, i))->deletion == pending)
            return g_ptr_array_index(all, i);
    return NULL;
}

gboolean
fs_late_is_certain(const FsPending *pending)
{
    Late *late = find_by_deletion(pending);
    CacheMessage copy;

    return late != NULL && g_get_monotonic_time() - late->since <= CERTAIN_US &&
           !fs_sender_is_away(pending->changes->sender) &&
           !is_in_motion(late) && is_message_known(late) &&
           find_candidate(late, &copy) && copy.size == late->size &&
           has_no_other_flags(copy.flags, late->flags);
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
        unmark->text = g_strdup("\n" DELETED);
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
    Late *late = user_data;
    g_autofree char *path = fs_changes_path(late->changes, late->mailbox);
    CacheMessage copy;

    late->waiter = NULL;
    g_clear_pointer(&late->need, fs_need_unref);
    g_clear_pointer(&late->deletion, fs_pending_unref);
    if (error == NULL && find_candidate(late, &copy)) {
        late->count++;
        note(late);
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
may_be_counted_on(const Late *late)
{
    return late->home == late->mailbox && late->candidate < late->home_uid;
}

static void
leave_copy(Late *late)
{
    g_autofree char *path = fs_changes_path(late->changes, late->mailbox);

    late->count--;
    note(late);
    fs_account_say(late->changes->account,
                   "Message %u of %s is there twice, for a line that was cut "
                   "or by another client, and %u stays",
                   late->uid, path, late->candidate);
    look_on(late);
}

/* Whatever becomes of it, it counts as one of those that there may be. */
static void
delete_copy(Late *late)
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
    note(late);
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
    Late *late = user_data;

    late->reading = NULL;
    if (is_in_motion(late) || !is_message_known(late) ||
        (error != NULL && !g_error_matches(error, FS_ERROR, FS_ERROR_GONE))) {
        late->candidate--;
        look_again(late, NULL);
        return;
    }
    /* Meanwhile somebody may have done something with it. */
    if (stored == NULL || stored->digest == NULL ||
        g_strcmp0(stored->digest, late->digest) != 0 ||
        !is_nobodys(late, late->candidate))
        look_on(late);
    else if (may_be_counted_on(late))
        leave_copy(late);
    else
        delete_copy(late);
}

static void
on_message(const FsStoredText *stored, const GError *error, gpointer user_data)
{
    Late *late = user_data;

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
read_text(Late *late, guint32 mailbox, guint32 uid, FsStoredFunc done)
{
    late->reading = fs_stored_text_read(late->changes->account, mailbox, uid,
                                        &late->size, 1, done, late);
}

/* Also if the clock has been set back since. */
static gboolean
is_old(const Late *late)
{
    gint64 age = g_get_real_time() / G_USEC_PER_SEC - late->noted_at;

    return age < -OLD_SECONDS || age > OLD_SECONDS;
}

/* Its octets are read only if there is something to be compared with them. */
static void
look_on(Late *late)
{
    guint32 candidate = late->count > 0 ? next_candidate(late) : 0;

    if (late->count == 0)
        late->n_looks = LOOKS;
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

static void
run(Late *late)
{
    if (!is_seen(late, late->mailbox))
        return;
    if (late->home != 0 && late->home != late->mailbox &&
        !is_seen(late, late->home))
        return;
    if (is_in_motion(late))
        look_again(late, NULL);
    else if (is_message_known(late))
        look_on(late);
    else
        end(late);
}
