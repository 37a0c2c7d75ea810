/* Keeps the messages of the mailboxes in use as the server has them: the
 * records of mailboxes, and what others may ask of them. A synchronisation
 * begins and ends in sync-attempt.c; what it asks for is decided in sync-plan.c
 * and done in first-sync.c and resync.c. */
#include "fs/sync/sync-mailbox.h"

#include "fs/kernel/errno.h"
#include "fs/live/line.h"
#include "imap/error.h"

/* How long listings fail after one has turned out to be wrong: longer than a
 * program that reads one rests between two portions. */
#define BROKEN_US (5 * G_USEC_PER_SEC)

/* ---- the mailboxes' records ---- */

static void
mailbox_clear(gpointer data)
{
    FsSyncMailbox *mailbox = data;

    fs_refresh_clear(&mailbox->refresh);
    fs_sync_stop_flags_pass(mailbox);
    fs_need_unref(mailbox->more);
    fs_need_unref(mailbox->broken);
    g_hash_table_unref(mailbox->look_ups);
    fs_need_unref(mailbox->failed_look_up);
    imap_uid_set_free(mailbox->looked_up);
}

FsSyncMailbox *
fs_sync_mailbox_ref(FsSyncMailbox *mailbox)
{
    return g_rc_box_acquire(mailbox);
}

void
fs_sync_mailbox_unref(gpointer mailbox)
{
    g_rc_box_release_full(mailbox, mailbox_clear);
}

gboolean
fs_sync_wants_header(FsSyncMailbox *mailbox)
{
    const FsOptions *options = mailbox->synchroniser->account->options;
    CacheMailbox known;

    return options->names == FS_NAMES_SUBJECT ||
           options->date == FS_DATE_SENT ||
           (fs_sync_known(mailbox, &known) && known.has_headers);
}

/* Of a mailbox that the index does not know (any more), the durable state may
 * still have the UIDVALIDITY: with that, its id stands for the same mailbox. */
gboolean
fs_sync_known(FsSyncMailbox *mailbox, CacheMailbox *known)
{
    const CacheState *state = mailbox->synchroniser->account->state;

    *known = (CacheMailbox){0};
    if (cache_index_mailbox(fs_sync_index(mailbox), mailbox->id, known))
        return TRUE;
    known->uidvalidity = cache_state_uidvalidity(state, mailbox->id);
    return known->uidvalidity != 0;
}

static gboolean
is_same(const CacheMailbox *a, const CacheMailbox *b)
{
    return a->uidvalidity == b->uidvalidity && a->uidnext == b->uidnext &&
           a->highestmodseq == b->highestmodseq && a->complete == b->complete &&
           a->has_headers == b->has_headers;
}

void
fs_sync_note(FsSyncMailbox *mailbox, const CacheMailbox *known)
{
    CacheState *state = mailbox->synchroniser->account->state;
    CacheMailbox old;

    mailbox->uidvalidity = known->uidvalidity;
    if (cache_state_uidvalidity(state, mailbox->id) != known->uidvalidity)
        cache_state_set_uidvalidity(state, mailbox->id, known->uidvalidity);
    if (!cache_index_mailbox(fs_sync_index(mailbox), mailbox->id, &old) ||
        !is_same(&old, known))
        cache_index_set_mailbox(fs_sync_index(mailbox), mailbox->id, known);
}

/* What an earlier mount knew is the best there is while the line is down. */
static FsSyncMailbox *
mailbox_new(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox = g_rc_box_new0(FsSyncMailbox);
    CacheMailbox known;

    mailbox->synchroniser = synchroniser;
    mailbox->id = id;
    mailbox->look_ups = g_hash_table_new(NULL, NULL);
    mailbox->highest = G_MAXUINT32;
    if (fs_sync_known(mailbox, &known) &&
        fs_sync_plan_is_known(&known, fs_sync_wants_header(mailbox))) {
        mailbox->refresh.known = TRUE;
        fs_refresh_mark_stale(&mailbox->refresh);
    }
    mailbox->next_uid = known.uidnext;
    return mailbox;
}

FsSyncMailbox *
fs_sync_mailbox_of(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox == NULL) {
        mailbox = mailbox_new(synchroniser, id);
        g_hash_table_insert(synchroniser->mailboxes, GUINT_TO_POINTER(id),
                            mailbox);
    }
    return mailbox;
}

/* The disk has not given back what it was given. What has changed since then is
 * not found by comparison any more. */
static void
lose(FsSyncMailbox *mailbox)
{
    fs_sync_tell_all(mailbox);
    mailbox->refresh.known = FALSE;
    fs_refresh_mark_stale(&mailbox->refresh);
    mailbox->shown_to = 0;
    fs_sync_forget_looked_up(mailbox);
}

gboolean
fs_sync_is_known(FsSyncMailbox *mailbox)
{
    CacheMailbox state;

    if (mailbox->refresh.known &&
        (!fs_sync_known(mailbox, &state) || !state.complete))
        lose(mailbox);
    return mailbox->refresh.known;
}

/* A mailbox that is deleted may be made again, with the same name, and so the
 * same id, and by some servers with the same UIDVALIDITY: then UIDNEXT tells
 * that it is another one. */
static void
forget_messages(FsSynchroniser *synchroniser, guint32 id)
{
    const FsAccount *account = synchroniser->account;
    CacheMailbox known = {0};
    gboolean may_return =
        cache_index_mailbox(account->index, id, &known) &&
        cache_state_uidvalidity(account->state, id) == known.uidvalidity;
    CacheMailbox left = {.uidvalidity = known.uidvalidity,
                         .uidnext = known.uidnext};

    cache_index_drop_mailbox(account->index, id);
    cache_fields_drop_mailbox(account->fields, id);
    if (may_return)
        cache_index_set_mailbox(account->index, id, &left);
}

void
fs_sync_forget(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");

    forget_messages(synchroniser, id);
    if (mailbox == NULL)
        return;
    fs_sync_stop_flags_pass(mailbox);
    fs_sync_fail_look_ups(mailbox, error);
    g_hash_table_remove(synchroniser->mailboxes, GUINT_TO_POINTER(id));
}

/* ---- what others ask ---- */

FsNeed *
fs_synchroniser_need_messages(FsSynchroniser *synchroniser, guint32 id,
                              gint64 since)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    gboolean start;
    FsNeed *need;

    fs_sync_is_known(mailbox);
    need = fs_refresh_ask(
        &mailbox->refresh, since, synchroniser->account->options->poll_seconds,
        imap_pool_opened_at(synchroniser->account->pool), &start);
    if (start) {
        imap_retry_begin(&mailbox->retry);
        fs_sync_begin(mailbox);
    }
    if (since != FS_NOW && mailbox->refresh.known &&
        fs_line_is_away(synchroniser->account->line))
        return NULL;
    return need;
}

/* A listing has turned out to be wrong a moment ago. */
static gboolean
is_broken(FsSyncMailbox *mailbox)
{
    if (mailbox->broken != NULL &&
        g_get_monotonic_time() - mailbox->broken_at >= BROKEN_US)
        g_clear_pointer(&mailbox->broken, fs_need_unref);
    return mailbox->broken != NULL;
}

static FsNeed *
need_more(FsSyncMailbox *mailbox)
{
    if (mailbox->more == NULL)
        mailbox->more = fs_need_new();
    return mailbox->more;
}

FsNeed *
fs_synchroniser_need_listing(FsSynchroniser *synchroniser, guint32 id,
                             gint64 since)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    FsNeed *need;

    if (is_broken(mailbox))
        return mailbox->broken;
    need = fs_synchroniser_need_messages(synchroniser, id, since);
    if (need == NULL || fs_need_is_complete(need) || mailbox->refresh.known)
        return need;
    if (mailbox->sync != NULL && mailbox->sync->streaming)
        return NULL;
    return need_more(mailbox);
}

guint32
fs_synchroniser_listed_to(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    guint32 uid;

    if (is_broken(mailbox))
        return 0;
    if (fs_sync_is_known(mailbox))
        return G_MAXUINT32;
    if (mailbox->sync == NULL || !mailbox->sync->streaming)
        return 0;
    uid = mailbox->sync->frontier.uid;
    mailbox->shown_to = MAX(mailbox->shown_to, uid);
    return uid;
}

FsNeed *
fs_synchroniser_need_more(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    FsNeed *need;

    if (is_broken(mailbox))
        return mailbox->broken;
    need = fs_synchroniser_need_messages(synchroniser, id, FS_KNOWN);
    if (need == NULL || fs_need_is_complete(need))
        return need;
    return need_more(mailbox);
}

/* Whether the index has the message, and what its name is made of. */
static gboolean
is_whole(FsSyncMailbox *mailbox, guint32 uid)
{
    gboolean with_header = fs_sync_wants_header(mailbox);
    CacheMessage message;

    return cache_index_message(fs_sync_index(mailbox), mailbox->id, uid,
                               &message) &&
           (message.stem != NULL || !with_header);
}

/* What is found may be old: then it is refreshed, and nobody waits for that, if
 * the mailbox was seen in this mount. Only who does not find waits for what is
 * fresh. */
static FsNeed *
need_known_message(FsSyncMailbox *mailbox, guint32 uid, gint64 since)
{
    FsNeed *need = fs_synchroniser_need_messages(mailbox->synchroniser,
                                                 mailbox->id, since);

    return mailbox->seen && is_whole(mailbox, uid) ? NULL : need;
}

FsNeed *
fs_synchroniser_need_message(FsSynchroniser *synchroniser, guint32 id,
                             guint32 uid, gint64 since)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    const FsSync *sync = mailbox->sync;

    if (fs_sync_is_known(mailbox))
        return need_known_message(mailbox, uid, since);
    if (sync != NULL && sync->streaming &&
        (uid <= sync->frontier.uid || is_whole(mailbox, uid)))
        return NULL;
    if (fs_sync_is_looked_up(mailbox, uid, since))
        return NULL;
    return fs_sync_look_up(mailbox, uid);
}

FsNeed *
fs_synchroniser_need_certainty(FsSynchroniser *synchroniser, guint32 id,
                               guint32 uid, gint64 since)
{
    FsSyncMailbox *mailbox = fs_sync_mailbox_of(synchroniser, id);
    CacheMessage message;

    if (cache_index_message(fs_sync_index(mailbox), id, uid, &message))
        return NULL;
    if (fs_sync_is_known(mailbox))
        return mailbox->seen_at >= since
                   ? NULL
                   : fs_synchroniser_need_messages(synchroniser, id, FS_NOW);
    if (fs_sync_is_looked_up(mailbox, uid, since))
        return NULL;
    return fs_sync_look_up(mailbox, uid);
}

void
fs_synchroniser_add_change_func(FsSynchroniser *synchroniser, FsChangeFunc func,
                                gpointer user_data)
{
    fs_listeners_add(&synchroniser->listeners, G_CALLBACK(func), user_data);
}

void
fs_synchroniser_remove_change_func(FsSynchroniser *synchroniser,
                                   FsChangeFunc func, gpointer user_data)
{
    fs_listeners_remove(&synchroniser->listeners, G_CALLBACK(func), user_data);
}

GBytes *
fs_synchroniser_new_header(const FsSynchroniser *synchroniser)
{
    return synchroniser->new_header;
}

void
fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox == NULL)
        return;
    fs_refresh_mark_stale(&mailbox->refresh);
    fs_sync_forget_looked_up(mailbox);
}

gboolean
fs_synchroniser_confirm(FsSynchroniser *synchroniser, guint32 id,
                        gint64 asked_at)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox == NULL || !mailbox->seen || !fs_sync_is_known(mailbox) ||
        !fs_refresh_confirm(&mailbox->refresh, asked_at))
        return FALSE;
    mailbox->synchronised_at = g_get_real_time();
    return TRUE;
}

FsNeed *
fs_synchroniser_freshen(FsSynchroniser *synchroniser, guint32 id, gint64 since,
                        gboolean *begun)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));
    gboolean under_way;

    if (mailbox == NULL)
        return NULL;
    under_way = fs_refresh_is_under_way(&mailbox->refresh);
    if (fs_refresh_covers(&mailbox->refresh, since)) {
        *begun = TRUE;
        return under_way ? mailbox->refresh.need : NULL;
    }
    fs_synchroniser_mark_stale(synchroniser, id);
    if (!fs_sync_is_known(mailbox) && !under_way)
        return NULL;
    *begun = !under_way;
    return fs_synchroniser_need_messages(synchroniser, id, FS_NOW);
}

void
fs_synchroniser_mark_all_old(FsSynchroniser *synchroniser)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, synchroniser->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsSyncMailbox *mailbox = value;

        fs_refresh_mark_old(&mailbox->refresh);
    }
}

void
fs_synchroniser_message_gone(FsSynchroniser *synchroniser, guint32 id,
                             guint32 uid)
{
    fs_sync_remove(fs_sync_mailbox_of(synchroniser, id), uid);
    fs_synchroniser_mark_stale(synchroniser, id);
}

gint64
fs_synchroniser_changed_at(FsSynchroniser *synchroniser, guint32 id)
{
    const FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL ? mailbox->changed_at : 0;
}

gboolean
fs_synchroniser_has_seen(FsSynchroniser *synchroniser, guint32 id, gint64 when)
{
    const FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL && mailbox->refresh.known && mailbox->seen_at > when;
}

guint64
fs_synchroniser_next_uid(FsSynchroniser *synchroniser, guint32 id)
{
    CacheMailbox known = {0};
    const FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    cache_index_mailbox(synchroniser->account->index, id, &known);
    return MAX(known.uidnext, mailbox != NULL ? mailbox->next_uid : 0);
}

void
fs_synchroniser_set_flags(FsSynchroniser *synchroniser, guint32 id, guint32 uid,
                          const char *flags)
{
    fs_sync_set_flags(fs_sync_mailbox_of(synchroniser, id), uid, flags);
}

/* ---- what others tell ---- */

void
fs_synchroniser_mailbox_gone(const FsMailbox *mailbox, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    FsSyncMailbox *known = g_hash_table_lookup(synchroniser->mailboxes,
                                               GUINT_TO_POINTER(mailbox->id));

    /* What is under way ends by itself, and forgets it then. */
    if (known == NULL || known->sync == NULL)
        fs_sync_forget(synchroniser, mailbox->id);
}

static void
on_pool_change(const char *wire_name, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    const FsMailbox *directory =
        fs_mailbox_tree_by_wire_name(synchroniser->account->tree, wire_name);

    if (directory != NULL)
        fs_synchroniser_mark_stale(synchroniser, directory->id);
}

static void
on_lost(guint32 id, gpointer user_data)
{
    FsSynchroniser *synchroniser = user_data;
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox != NULL)
        lose(mailbox);
}

/* ---- making and ending ---- */

FsSynchroniser *
fs_synchroniser_new(FsAccount *account)
{
    FsSynchroniser *synchroniser = g_new0(FsSynchroniser, 1);

    synchroniser->account = account;
    synchroniser->mailboxes =
        g_hash_table_new_full(NULL, NULL, NULL, fs_sync_mailbox_unref);
    imap_pool_set_change_func(account->pool, on_pool_change, synchroniser);
    cache_index_set_lost_func(account->index, on_lost, synchroniser);
    return synchroniser;
}

static void
end_mailbox(FsSyncMailbox *mailbox)
{
    g_autoptr(GError) error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                                          "the account is being logged out");

    if (mailbox->sync != NULL)
        fs_sync_end_attempt(mailbox->sync);
    g_clear_pointer(&mailbox->sync, fs_sync_unref);
    fs_sync_stop_flags_pass(mailbox);
    fs_sync_fail_look_ups(mailbox, error);
    mailbox->synchroniser = NULL;
}

void
fs_synchroniser_free(FsSynchroniser *synchroniser)
{
    GHashTableIter iter;
    gpointer value;

    if (synchroniser == NULL)
        return;
    imap_pool_set_change_func(synchroniser->account->pool, NULL, NULL);
    cache_index_set_lost_func(synchroniser->account->index, NULL, NULL);
    g_hash_table_iter_init(&iter, synchroniser->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        end_mailbox(value);
    g_hash_table_unref(synchroniser->mailboxes);
    fs_listeners_clear(&synchroniser->listeners);
    g_free(synchroniser);
}
