/* Finds out what has become of changes that were sent, and not answered: the
 * line was lost, or the process ended.
 *
 * Both mailboxes are read again. A message that is gone from where it was has
 * been moved, or deleted. One that is still there may have been copied: by us,
 * where the server cannot move, or by a server that ended in the middle of a
 * move. So what has come to the other mailbox since is compared with it, to the
 * last octet; one that is equal, and nobody else's, is the copy, and then the
 * original is deleted. Otherwise the change is sent once more.
 *
 * A server may still be busy with a command whose connection is gone: what was
 * sent is looked at after a while only. */
#include "fs/changes/comparison.h"
#include "fs/changes/late.h"
#include "fs/changes/pending.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "imap/error.h"

#include <string.h>

#define RETRY_MS 2000u
/* That a mailbox may take to be read, before all is put off; and how often it
 * may be. If the server does not refuse, but hangs up each time, that may be
 * the line's: then it takes so many times what a server is given to settle. */
#define ATTEMPTS_MAX 10u
#define PUT_OFF_MAX 5u
#define PUT_OFF_SETTLES 40

typedef struct {
    FsChanges *changes; /* a reference */
    guint32 mailbox;
    gint64 since; /* microseconds, monotonic: what is older tells nothing */
    guint attempts;
    gboolean refused;    /* something could not be read, and not for the line */
    GHashTable *used;    /* set of mailbox << 32 | UID: somebody's copies */
    FsPending *compared; /* a reference; NULL: none is */
    guint32 compared_uid;     /* with this one of the target */
    FsComparison *comparison; /* of them */
} Reconcile;

static void run(Reconcile *reconcile);

static void
reconcile_free(Reconcile *reconcile)
{
    fs_comparison_free(reconcile->comparison);
    fs_pending_unref(reconcile->compared);
    g_hash_table_unref(reconcile->used);
    fs_changes_unref(reconcile->changes);
    g_free(reconcile);
}

static gboolean
is_ours(const Reconcile *reconcile, const FsPending *pending)
{
    return pending->uncertain && pending->mailbox == reconcile->mailbox;
}

static void
end(Reconcile *reconcile)
{
    FsChanges *changes = reconcile->changes;

    g_hash_table_remove(changes->reconciling,
                        GUINT_TO_POINTER(reconcile->mailbox));
    reconcile_free(reconcile);
    fs_changes_moved(changes);
    fs_sender_wake(changes->sender);
}

/* It may be done, or not. */
static void
refuse_unseen(FsPending *pending)
{
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server does not let us see whether it is done "
                    "already");

    pending->uncertain = FALSE;
    fs_pending_refuse(pending, error);
}

/* ---- waiting ---- */

static gboolean
on_timer(gpointer user_data)
{
    run(user_data);
    return G_SOURCE_REMOVE;
}

static void
run_later(Reconcile *reconcile, guint wait_ms)
{
    g_timeout_add(wait_ms, on_timer, reconcile);
}

/* What was being compared may be gone, so it is looked for anew. If it goes on
 * not to be readable, nobody knows whether it is the copy. */
static void
give_up_comparison(Reconcile *reconcile)
{
    g_autoptr(FsPending) pending = g_steal_pointer(&reconcile->compared);

    g_clear_pointer(&reconcile->comparison, fs_comparison_free);
    if (pending != NULL && pending->changes != NULL &&
        ++pending->n_unread >= ATTEMPTS_MAX)
        refuse_unseen(pending);
}

static void
on_need(const GError *error, gpointer user_data)
{
    Reconcile *reconcile = user_data;

    if (error == NULL) {
        run(reconcile);
        return;
    }
    if (error->domain != IMAP_ERROR || error->code > IMAP_ERROR_CLOSED) {
        reconcile->refused = TRUE;
        give_up_comparison(reconcile);
    }
    run_later(reconcile, RETRY_MS);
}

/* Whether @mailbox has been read since; if not, that is waited for. */
static gboolean
is_read(Reconcile *reconcile, guint32 mailbox)
{
    FsSynchroniser *synchroniser = reconcile->changes->account->synchroniser;
    FsNeed *need;

    if (fs_synchroniser_has_seen(synchroniser, mailbox, reconcile->since))
        return TRUE;
    /* At once, or a little later if that has failed, or been overtaken by a
     * change. */
    if (reconcile->attempts % 3 == 0) {
        run_later(reconcile, RETRY_MS / 4);
        return FALSE;
    }
    need = fs_synchroniser_need_messages(synchroniser, mailbox, FS_NOW);
    if (need != NULL && !fs_need_is_complete(need))
        fs_need_wait(need, on_need, reconcile);
    else
        run_later(reconcile, RETRY_MS / 4);
    return FALSE;
}

/* ---- looking for copies ---- */

static void
note_used(Reconcile *reconcile, guint32 mailbox, guint32 uid)
{
    guint64 key = (guint64)mailbox << 32 | uid;

    g_hash_table_add(reconcile->used, g_memdup2(&key, sizeof key));
}

static gboolean
is_used(const Reconcile *reconcile, guint32 mailbox, guint32 uid)
{
    guint64 key = (guint64)mailbox << 32 | uid;

    return g_hash_table_contains(reconcile->used, &key);
}

static gboolean
find_row(const Reconcile *reconcile, const FsPending *pending,
         CacheMessage *row)
{
    const FsAccount *account = reconcile->changes->account;
    const FsGuest *guest = NULL;

    if (cache_index_message(account->index, pending->mailbox, pending->uid,
                            row))
        return TRUE;
    if (pending->inode != 0)
        guest = fs_overlay_guest_by_inode(account->overlay, pending->inode);
    if (guest == NULL || guest->row.size == 0)
        return FALSE;
    *row = guest->row;
    return TRUE;
}

/* The next message of the target above @after that may be the copy of @row: of
 * its size, and nobody else's that we know; and of its date, if the target had
 * not been read before, so that it may have been there already. */
static guint32
next_candidate(const Reconcile *reconcile, const FsPending *pending,
               const CacheMessage *row, guint32 after)
{
    const FsAccount *account = reconcile->changes->account;
    guint64 size = row->size;
    gint64 date = row->internal_date;
    CacheMessage message;

    while (cache_index_next(account->index, pending->target, after, &message)) {
        after = message.uid;
        if (message.size == size &&
            (pending->number != 0 || message.internal_date == date) &&
            fs_overlay_guest_by_uid(account->overlay, pending->target, after) ==
                NULL &&
            !is_used(reconcile, pending->target, after))
            return after;
    }
    return 0;
}

static guint32
first_candidate(const Reconcile *reconcile, const FsPending *pending,
                const CacheMessage *row)
{
    guint32 after = (guint32)MIN(pending->number, G_MAXUINT32);

    return next_candidate(reconcile, pending, row, after > 0 ? after - 1 : 0);
}

/* By what is known of it, for its octets cannot be had any more. */
static guint32
find_moved(const Reconcile *reconcile, const FsPending *pending)
{
    const FsAccount *account = reconcile->changes->account;
    g_autofree char *stem = NULL;
    CacheMessage message;
    CacheMessage row;
    guint32 uid;

    if (pending->target_uid != 0)
        return pending->target_uid;
    if (!find_row(reconcile, pending, &row))
        return 0;
    stem = g_strdup(row.stem);
    row.stem = row.flags = row.identity = NULL;
    for (uid = first_candidate(reconcile, pending, &row); uid != 0;
         uid = next_candidate(reconcile, pending, &row, uid))
        if (cache_index_message(account->index, pending->target, uid,
                                &message) &&
            (message.internal_date == row.internal_date || stem != NULL) &&
            (stem == NULL || message.stem == NULL ||
             g_str_equal(stem, message.stem)))
            return uid;
    return 0;
}

/* It may be another one. */
static void
forget_origin(const Reconcile *reconcile, const FsPending *pending)
{
    FsGuest *guest = fs_overlay_guest_by_inode(
        reconcile->changes->account->overlay, pending->inode);

    if (guest != NULL)
        guest->from_mailbox = guest->from_uid = 0;
}

/* ---- what has become of it ---- */

#define TIMES_MAX 4

/* A server that says OK each time, and does nothing, is asked a few times. */
static void
make_certain(FsPending *pending, FsStep step)
{
    g_autoptr(GError) error = NULL;

    if (pending->attempts >= (pending->unasked ? 2 * TIMES_MAX : TIMES_MAX)) {
        error = g_error_new(FS_ERROR, FS_ERROR_INCOMPLETE,
                            "the server says that it is done, and it is not");
        pending->uncertain = FALSE;
        fs_undo_copy(pending, error);
        return;
    }
    pending->uncertain = FALSE;
    pending->answered = pending->untold = FALSE;
    pending->step = step;
}

/* It is not there, and is sent again. */
static void
send_again(FsPending *pending)
{
    pending->n_unanswered += !pending->answered;
    make_certain(pending, FS_STEP_WAITING);
}

static void
finish(const Reconcile *reconcile, FsPending *pending, guint32 uid)
{
    fs_late_expect_move(pending, uid);
    if (pending->target_uid == 0)
        forget_origin(reconcile, pending);
    fs_pending_finish(pending, uid);
}

static void
resolve_gone(Reconcile *reconcile, FsPending *pending)
{
    gboolean may_be_ours = pending->step != FS_STEP_WAITING ||
                           pending->n_unanswered > 0 ||
                           pending->kind == FS_PENDING_DELETE;
    guint32 uid = 0;
    CacheMessage row;

    if (pending->kind == FS_PENDING_MOVE && may_be_ours)
        uid = find_moved(reconcile, pending);
    if (uid != 0)
        note_used(reconcile, pending->target, uid);
    pending->uncertain = FALSE;
    if (may_be_ours && pending->kind != FS_PENDING_FLAGS &&
        (uid != 0 || (pending->answered && !pending->untold) ||
         pending->name == NULL || !find_row(reconcile, pending, &row)))
        finish(reconcile, pending, uid);
    else
        fs_pending_drop(pending);
}

static void
forget_comparison(Reconcile *reconcile)
{
    g_clear_pointer(&reconcile->comparison, fs_comparison_free);
    g_clear_pointer(&reconcile->compared, fs_pending_unref);
    reconcile->compared_uid = 0;
}

static void
begin_comparison(Reconcile *reconcile, FsPending *pending, guint32 uid)
{
    forget_comparison(reconcile);
    reconcile->compared = fs_pending_ref(pending);
    reconcile->compared_uid = uid;
    if (uid != 0)
        reconcile->comparison =
            fs_comparison_new(reconcile->changes->account, pending->mailbox,
                              pending->uid, pending->target, uid);
}

/* FALSE: it is waited for. */
static gboolean
find_copy(Reconcile *reconcile, FsPending *pending, guint32 *uid)
{
    CacheMessage row;
    gboolean same = FALSE;

    find_row(reconcile, pending, &row);
    if (reconcile->compared != pending)
        begin_comparison(reconcile, pending,
                         first_candidate(reconcile, pending, &row));
    while (reconcile->compared_uid != 0) {
        g_autoptr(FsNeed) need =
            fs_comparison_run(reconcile->comparison, &same);

        if (need != NULL) {
            fs_need_wait(need, on_need, reconcile);
            return FALSE;
        }
        if (same)
            break;
        find_row(reconcile, pending, &row);
        begin_comparison(
            reconcile, pending,
            next_candidate(reconcile, pending, &row, reconcile->compared_uid));
    }
    *uid = reconcile->compared_uid;
    forget_comparison(reconcile);
    return TRUE;
}

/* FALSE: something is waited for. */
static gboolean
resolve(Reconcile *reconcile, FsPending *pending)
{
    const FsAccount *account = reconcile->changes->account;
    CacheMessage row;
    guint32 uid = 0;

    if (!cache_index_message(account->index, pending->mailbox, pending->uid,
                             &row)) {
        resolve_gone(reconcile, pending);
    } else if (pending->refusal != NULL) {
        pending->uncertain = FALSE;
        /* Marked, it may go any moment: then the copy is what stays. */
        if (row.flags != NULL && strstr(row.flags, "\\Deleted") != NULL)
            fs_pending_refuse(pending, pending->refusal);
        else
            fs_undo_copy(pending, pending->refusal);
    } else if (fs_pending_is_of_copy(pending)) {
        fs_late_take_back(pending);
    } else if (pending->kind != FS_PENDING_MOVE) {
        make_certain(pending, pending->step == FS_STEP_HELD ? FS_STEP_HELD
                                                            : FS_STEP_WAITING);
    } else if (pending->step != FS_STEP_SENT) {
        make_certain(pending, pending->step);
    } else {
        if (!find_copy(reconcile, pending, &uid))
            return FALSE;
        if (uid != 0) {
            note_used(reconcile, pending->target, uid);
            pending->target_uid = uid;
            fs_late_expect_move(pending, uid);
            fs_pending_copied(pending);
            make_certain(pending, FS_STEP_COPIED);
        } else {
            send_again(pending);
        }
    }
    return TRUE;
}

/* ---- all of a mailbox ---- */

static FsPending *
next_uncertain(const Reconcile *reconcile)
{
    for (GList *link = reconcile->changes->all.head; link != NULL;
         link = link->next)
        if (is_ours(reconcile, link->data))
            return link->data;
    return NULL;
}

/* Those that the server has told to be elsewhere, and the sender knows. */
static void
note_all_used(Reconcile *reconcile)
{
    for (GList *link = reconcile->changes->all.head; link != NULL;
         link = link->next) {
        const FsPending *pending = link->data;

        if (pending->target_uid != 0)
            note_used(reconcile, pending->target, pending->target_uid);
    }
}

static void
refuse_all(Reconcile *reconcile, const char *reason)
{
    g_autoptr(GError) error =
        g_error_new_literal(FS_ERROR, FS_ERROR_GONE, reason);
    FsPending *pending;

    while ((pending = next_uncertain(reconcile)) != NULL) {
        pending->uncertain = FALSE;
        fs_pending_refuse(pending, error);
    }
}

/* Whether the tree is there, and what is uncertain of it can be told. FALSE:
 * waiting, or at an end. */
static gboolean
has_mailbox(Reconcile *reconcile)
{
    const FsAccount *account = reconcile->changes->account;
    FsNeed *need;

    if (fs_mailbox_tree_get(account->tree, reconcile->mailbox) != NULL)
        return TRUE;
    need = fs_lister_need(account->lister, reconcile->since);
    if (need != NULL && !fs_need_is_complete(need)) {
        fs_need_wait(need, on_need, reconcile);
    } else if (need != NULL) {
        run_later(reconcile, RETRY_MS);
    } else {
        refuse_all(reconcile, "the folder is gone");
        end(reconcile);
    }
    return FALSE;
}

/* Whether the target of @pending has to be read before it can be told what has
 * become of it. */
static gboolean
needs_target(const Reconcile *reconcile, const FsPending *pending)
{
    const FsMailbox *target;

    if (!is_ours(reconcile, pending) || pending->target == 0 ||
        (pending->step != FS_STEP_SENT && pending->n_unanswered == 0))
        return FALSE;
    target =
        fs_mailbox_tree_get(reconcile->changes->account->tree, pending->target);
    return target != NULL && target->selectable;
}

static gboolean
has_unread_target(const Reconcile *reconcile, const FsPending *pending)
{
    return needs_target(reconcile, pending) &&
           !fs_synchroniser_has_seen(reconcile->changes->account->synchroniser,
                                     pending->target, reconcile->since);
}

/* Whether what has become of @pending cannot be told for want of a mailbox. */
static gboolean
is_unread(const Reconcile *reconcile, const FsPending *pending)
{
    return is_ours(reconcile, pending) &&
           (!fs_synchroniser_has_seen(reconcile->changes->account->synchroniser,
                                      reconcile->mailbox, reconcile->since) ||
            has_unread_target(reconcile, pending));
}

static gboolean
has_waited_long(const FsPending *pending)
{
    gint64 limit_us = (gint64)fs_late_settle_ms() * 1000 * PUT_OFF_SETTLES;

    return g_get_monotonic_time() - pending->put_off_at >= limit_us;
}

/* It could not be found out once more. */
static void
count_put_off(FsPending *pending)
{
    if (pending->n_put_off++ == 0)
        pending->put_off_at = g_get_monotonic_time();
}

/* One that was put off too often; NULL: there is none. */
static FsPending *
next_hopeless(const Reconcile *reconcile)
{
    for (GList *link = reconcile->changes->all.head; link != NULL;
         link = link->next) {
        FsPending *pending = link->data;

        if (pending->n_put_off >= PUT_OFF_MAX &&
            (reconcile->refused || has_waited_long(pending)) &&
            is_unread(reconcile, pending))
            return pending;
    }
    return NULL;
}

/* Whether it is made nobody knows, so it is not made again: all waits for
 * another attempt; or, when the server goes on not to let us read the folder,
 * is refused some time. */
static void
put_off(Reconcile *reconcile)
{
    FsChanges *changes = reconcile->changes;
    FsPending *pending;

    for (GList *link = changes->all.head; link != NULL; link = link->next)
        if (is_unread(reconcile, link->data))
            count_put_off(link->data);
    while ((pending = next_hopeless(reconcile)) != NULL)
        refuse_unseen(pending);
    g_hash_table_remove(changes->reconciling,
                        GUINT_TO_POINTER(reconcile->mailbox));
    reconcile_free(reconcile);
    fs_sender_retry(changes->sender);
}

/* FALSE: waiting, or put off. */
static gboolean
has_read_all(Reconcile *reconcile)
{
    FsChanges *changes = reconcile->changes;

    if (reconcile->attempts >= ATTEMPTS_MAX &&
        !fs_synchroniser_has_seen(changes->account->synchroniser,
                                  reconcile->mailbox, reconcile->since)) {
        put_off(reconcile);
        return FALSE;
    }
    if (!is_read(reconcile, reconcile->mailbox))
        return FALSE;
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (!has_unread_target(reconcile, pending))
            continue;
        if (reconcile->attempts >= ATTEMPTS_MAX)
            put_off(reconcile);
        else
            is_read(reconcile, pending->target);
        return FALSE;
    }
    return TRUE;
}

/* Whether their originals are there cannot be seen: their copies stay. */
static void
refuse_unread(Reconcile *reconcile)
{
    GList *next;

    for (GList *link = reconcile->changes->all.head; link != NULL;
         link = next) {
        FsPending *pending = link->data;

        next = link->next;
        if (!is_ours(reconcile, pending) || pending->refusal == NULL)
            continue;
        pending->uncertain = FALSE;
        fs_pending_refuse(pending, pending->refusal);
    }
}

static void
run(Reconcile *reconcile)
{
    FsChanges *changes = reconcile->changes;
    FsPending *pending;

    if (changes->account == NULL) {
        reconcile_free(reconcile);
        return;
    }
    if (fs_sender_is_away(changes->sender)) {
        g_hash_table_remove(changes->reconciling,
                            GUINT_TO_POINTER(reconcile->mailbox));
        reconcile_free(reconcile);
        fs_sender_retry(changes->sender);
        return;
    }
    reconcile->attempts++;
    if (reconcile->refused && reconcile->attempts >= ATTEMPTS_MAX)
        refuse_unread(reconcile);
    if (next_uncertain(reconcile) == NULL) {
        end(reconcile);
        return;
    }
    if (!has_mailbox(reconcile) || !has_read_all(reconcile))
        return;
    note_all_used(reconcile);
    while ((pending = next_uncertain(reconcile)) != NULL)
        if (!resolve(reconcile, pending))
            return;
    end(reconcile);
}

static gboolean
may_be_in_the_making(const FsChanges *changes, guint32 mailbox)
{
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;

        if (pending->uncertain && pending->mailbox == mailbox &&
            pending->kind == FS_PENDING_MOVE && pending->step == FS_STEP_SENT &&
            !pending->answered)
            return TRUE;
    }
    return FALSE;
}

static gboolean
begin(gpointer user_data)
{
    Reconcile *reconcile = user_data;

    reconcile->since = g_get_monotonic_time();
    run(reconcile);
    return G_SOURCE_REMOVE;
}

void
fs_reconcile_start(FsChanges *changes)
{
    for (GList *link = changes->all.head; link != NULL; link = link->next) {
        const FsPending *pending = link->data;
        gpointer key = GUINT_TO_POINTER(pending->mailbox);
        Reconcile *reconcile;

        if (!pending->uncertain ||
            g_hash_table_contains(changes->reconciling, key))
            continue;
        reconcile = g_new0(Reconcile, 1);
        reconcile->changes = fs_changes_ref(changes);
        reconcile->mailbox = pending->mailbox;
        reconcile->used =
            g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
        g_hash_table_add(changes->reconciling, key);
        g_timeout_add(may_be_in_the_making(changes, pending->mailbox)
                          ? fs_late_settle_ms()
                          : 0,
                      begin, reconcile);
    }
}
