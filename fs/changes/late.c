/* Copies of a message that the server may make when nobody counts on them any
 * more: which are expected, in memory and in the journal. */
#include "fs/changes/late-private.h"

#include <stdlib.h>
#include <string.h>

#define SETTLE_MS 3000u
/* From one look to the next: who waits, waits for the first; a server that was
 * given up for its silence may take long. */
static const guint waits_ms[FS_LATE_LOOKS] = {5000, 25000, 120000};
/* More are not looked for. */
#define LATE_MAX 1000u
#define NO_FLAGS "-"

static void wait_until_due(FsLate *late);

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
wait_ms(const FsLate *late)
{
    return milliseconds("IMAPFS_LATE_MS", waits_ms[late->n_looks]);
}

/* ---- life ---- */

static void
late_free(gpointer data)
{
    FsLate *late = data;

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
journal_of(const FsLate *late)
{
    return late->changes->account->journal;
}

/* Nothing is expected any more. */
void
fs_late_end(FsLate *late)
{
    cache_journal_remove(journal_of(late), late->record);
    g_ptr_array_remove(late->changes->late, late);
}

/* ---- the journal ---- */

/* "COUNT SIZE DATE DIGEST FLAG FLAG…"; its name: when. */
void
fs_late_note(FsLate *late)
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

/* Who waits for it is not to take it for silence. */
static gboolean
on_due(gpointer user_data)
{
    FsLate *late = user_data;

    late->timer = 0;
    if (g_get_monotonic_time() < late->due_at) {
        wait_until_due(late);
        fs_need_progress(late->looked);
        return G_SOURCE_REMOVE;
    }
    late->since = g_get_monotonic_time();
    late->attempts = 0;
    late->candidate = late->first_uid - 1;
    fs_late_look(late);
    return G_SOURCE_REMOVE;
}

static void
wait_until_due(FsLate *late)
{
    gint64 left_us = late->due_at - g_get_monotonic_time();

    late->timer = g_timeout_add(
        (guint)CLAMP(left_us / 1000 + 1, 1, FS_LATE_TICK_MS), on_due, late);
}

void
fs_late_look_later(FsLate *late)
{
    late->due_at = g_get_monotonic_time() + (gint64)wait_ms(late) * 1000;
    wait_until_due(late);
}

static FsLate *
late_new(FsChanges *changes)
{
    FsLate *late = g_new0(FsLate, 1);

    late->changes = changes;
    late->looked = fs_need_new();
    g_ptr_array_add(changes->late, late);
    return late;
}

void
fs_late_expect(FsChanges *changes, const FsLateCopy *copy)
{
    FsLate *late;

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
    fs_late_note(late);
    fs_late_look_later(late);
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
    FsLate *late;

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
    late->n_looks = MIN(record->step, FS_LATE_LOOKS - 1);
    if (late->n_looks > 0)
        fs_need_complete(late->looked, NULL);
    fs_late_look_later(late);
}

void
fs_late_note_away(FsChanges *changes, guint32 mailbox, guint32 uid,
                  guint32 target, guint32 target_uid)
{
    for (guint i = changes->late->len; i > 0; i--) {
        FsLate *late = g_ptr_array_index(changes->late, i - 1);

        if (late->home != mailbox || late->home_uid != uid)
            continue;
        late->home = target;
        late->home_uid = target_uid;
        if (target != 0 && target_uid == 0)
            fs_late_end(late);
        else
            fs_late_note(late);
    }
}

void
fs_late_note_deleted(FsChanges *changes, guint32 mailbox, guint32 uid)
{
    for (guint i = changes->late->len; i > 0; i--) {
        FsLate *late = g_ptr_array_index(changes->late, i - 1);

        if (late->home == mailbox && late->home_uid == uid)
            fs_late_end(late);
    }
}

gboolean
fs_late_is_expected(const FsChanges *changes, guint32 mailbox)
{
    for (guint i = 0; i < changes->late->len; i++)
        if (((FsLate *)g_ptr_array_index(changes->late, i))->mailbox == mailbox)
            return TRUE;
    return FALSE;
}

FsNeed *
fs_late_need_looked(const FsChanges *changes)
{
    if (fs_sender_is_away(changes->sender))
        return NULL;
    for (guint i = 0; i < changes->late->len; i++) {
        const FsLate *late = g_ptr_array_index(changes->late, i);

        if (!fs_need_is_complete(late->looked))
            return late->looked;
    }
    return NULL;
}
