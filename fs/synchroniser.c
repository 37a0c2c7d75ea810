/* Keeps the messages of the mailboxes in use as the server has them.
 *
 * Here a synchronisation begins and ends; what it asks for is decided in
 * sync-plan.c and done in first-sync.c and resync.c. An attempt belongs to one
 * lease: when that fails, another attempt goes on with the rows that are there,
 * for rows are kept as they come, with the HIGHESTMODSEQ of the selection that
 * they began with. Later values are noted only when all that they stand for has
 * come. */
#include "fs/sync-mailbox.h"

#include "fs/errno.h"
#include "fs/lister.h"
#include "imap/error.h"

/* After so many rows a cut line counts as the first again. */
#define ROWS_THAT_COUNT 1000
/* How long listings fail after one has turned out to be wrong: longer than a
 * program that reads one rests between two portions. */
#define BROKEN_US (5 * G_USEC_PER_SEC)

static void acquire(FsSyncMailbox *mailbox);

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

static void
sync_clear(gpointer data)
{
    FsSync *sync = data;

    imap_lease_release(sync->lease);
    g_clear_error(&sync->error);
    imap_uid_set_free(sync->vanished);
    imap_uid_set_free(sync->wanted);
    imap_uid_set_free(sync->found);
    imap_uid_set_free(sync->missing);
}

void
fs_sync_unref(gpointer sync)
{
    g_rc_box_release_full(sync, sync_clear);
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

static FsSyncMailbox *
mailbox_of(FsSynchroniser *synchroniser, guint32 id)
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

/* The disk has not given back what it was given. */
static void
lose(FsSyncMailbox *mailbox)
{
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

static void
forget(FsSynchroniser *synchroniser, guint32 id)
{
    FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");

    cache_index_drop_mailbox(synchroniser->account->index, id);
    if (mailbox == NULL)
        return;
    fs_sync_stop_flags_pass(mailbox);
    fs_sync_fail_look_ups(mailbox, error);
    g_hash_table_remove(synchroniser->mailboxes, GUINT_TO_POINTER(id));
}

/* ---- the end of an attempt, and of a synchronisation ---- */

/* What still comes is not for it any more. */
static void
end_attempt(FsSync *sync)
{
    fs_sync_stop_rows(sync);
    g_clear_handle_id(&sync->compare_source, g_source_remove);
    sync->mailbox = NULL;
    g_clear_pointer(&sync->lease, imap_lease_release);
}

static void
note_success(FsSync *sync)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    CacheMailbox state = sync->target;

    state.complete = TRUE;
    if (!sync->flags_in)
        state.highestmodseq = 0;
    fs_sync_note(mailbox, &state);
    mailbox->next_uid = MAX(mailbox->next_uid, sync->target.uidnext);
    mailbox->shown_to = 0;
    fs_sync_forget_looked_up(mailbox);
    if (sync->changed || !mailbox->refresh.known)
        mailbox->changed_at = g_get_real_time() / G_USEC_PER_SEC;
}

static void
tell_waiting(FsSyncMailbox *mailbox, const GError *error)
{
    g_autoptr(FsNeed) more = g_steal_pointer(&mailbox->more);

    mailbox->seen = TRUE;
    fs_refresh_end(&mailbox->refresh, error,
                   mailbox->synchroniser->account->options->poll_seconds);
    if (more != NULL)
        fs_need_complete(more, mailbox->refresh.known ? NULL : error);
}

void
fs_sync_finish(FsSync *sync, const GError *error)
{
    g_autoptr(FsSync) held = g_rc_box_acquire(sync);
    g_autoptr(FsSyncMailbox) mailbox = fs_sync_mailbox_ref(sync->mailbox);
    FsSynchroniser *synchroniser = mailbox->synchroniser;

    if (error == NULL)
        note_success(sync);
    else
        g_message("a mailbox cannot be listed: %s", error->message);
    /* Before the end: what changed meanwhile is in, and makes nothing stale. */
    end_attempt(sync);
    g_clear_pointer(&mailbox->sync, fs_sync_unref);
    tell_waiting(mailbox, error);
    if (fs_mailbox_tree_get(synchroniser->account->tree, mailbox->id) == NULL)
        forget(synchroniser, mailbox->id);
    else if (error == NULL && !sync->flags_in)
        fs_sync_start_flags_pass(mailbox, &sync->target);
}

void
fs_sync_finish_incomplete(FsSync *sync, const char *why)
{
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_INCOMPLETE,
                    "the server's listing is not complete: %s", why);

    fs_sync_finish(sync, error);
}

/* A cut line is tried once more, or whenever something has come of it; other
 * errors are final. */
void
fs_sync_fail(FsSync *sync, const GError *error)
{
    FsSyncMailbox *mailbox = sync->mailbox;

    if (sync->total_rows >= ROWS_THAT_COUNT)
        mailbox->attempts = 0;
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        mailbox->attempts++ == 0 && sync->lease != NULL) {
        end_attempt(sync);
        g_clear_pointer(&mailbox->sync, fs_sync_unref);
        acquire(mailbox);
        return;
    }
    fs_sync_finish(sync, error);
}

/* ---- the beginning ---- */

/* What we knew under this id is gone, and what is there now gets an id of its
 * own. Without one it cannot be shown: its messages would pass for the old
 * ones. */
void
fs_sync_replaced(FsSyncMailbox *mailbox, ImapConnection *connection)
{
    FsAccount *account = mailbox->synchroniser->account;
    g_autoptr(FsSyncMailbox) held = fs_sync_mailbox_ref(mailbox);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) others =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");

    /* What others have asked for on this line was meant for the old one. */
    imap_connection_close(connection, others);
    if (fs_mailbox_tree_new_id(account->tree, mailbox->id, &error) != 0)
        error = g_error_new(FS_ERROR, FS_ERROR_STALE,
                            "the server has replaced the mailbox "
                            "(UIDVALIDITY)");
    else
        mailbox->unusable = TRUE;
    mailbox->refresh.known = FALSE;
    fs_sync_stop_flags_pass(mailbox);
    cache_index_drop_mailbox(account->index, mailbox->id);
    fs_sync_fail_look_ups(mailbox, error);
    if (mailbox->sync != NULL)
        fs_sync_finish(mailbox->sync, error);
    else if (!mailbox->unusable)
        forget(mailbox->synchroniser, mailbox->id);
}

gboolean
fs_synchroniser_is_another(const CacheMailbox *known,
                           const ImapMailbox *selected, gboolean fresh)
{
    return known->uidvalidity != selected->uidvalidity ||
           (fresh && known->uidnext != 0 && selected->uidnext != 0 &&
            selected->uidnext < known->uidnext);
}

/* What the mailbox will be when all is in that the selection promises. */
static void
set_target(FsSync *sync, const FsSyncSituation *situation)
{
    const ImapMailbox *selected = situation->selected;
    guint64 known_modseq = sync->known.highestmodseq;

    sync->target = (CacheMailbox){
        .uidvalidity = selected->uidvalidity,
        .uidnext = selected->uidnext,
        .has_headers = sync->with_header,
    };
    if (!situation->fresh)
        sync->target.uidnext = MAX(selected->uidnext, sync->known.uidnext);
    if (!situation->condstore)
        return;
    sync->target.highestmodseq = selected->highestmodseq;
    /* An old selection was made before what is known since. */
    if (!situation->fresh && selected->highestmodseq != 0)
        sync->target.highestmodseq = MAX(selected->highestmodseq, known_modseq);
}

/* Notes what is so from the first row on, so that another attempt, perhaps in
 * another mount, can go on with what there is. */
static void
note_beginning(FsSync *sync, const FsSyncSituation *situation)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    CacheMailbox state = sync->target;

    if (fs_sync_plan_is_known(&sync->known, sync->with_header))
        return;
    if (situation->count > 0)
        state.highestmodseq = sync->known.highestmodseq;
    else
        mailbox->highest = 0;
    fs_sync_note(mailbox, &state);
    mailbox->refresh.known = FALSE;
}

/* The changes that the selection brought, if they are what is needed. */
static gboolean
apply_changes(FsSync *sync)
{
    g_autoptr(ImapChanges) changes = imap_lease_take_changes(sync->lease);

    if (changes == NULL ||
        changes->since.uidvalidity != sync->known.uidvalidity ||
        changes->since.highestmodseq == 0 ||
        changes->since.highestmodseq > sync->known.highestmodseq)
        return FALSE;
    fs_sync_apply(sync, changes);
    return TRUE;
}

static void
take_step(FsSync *sync, const FsSyncSituation *situation)
{
    switch (fs_sync_plan(situation)) {
    case FS_SYNC_NOTHING:
        sync->flags_in = TRUE;
        fs_sync_finish(sync, NULL);
        break;
    case FS_SYNC_ALL:
        fs_sync_fetch_all(sync);
        break;
    case FS_SYNC_NEW:
        fs_sync_fetch_from(sync,
                           (guint32)CLAMP(situation->next_uid, 1, G_MAXUINT32));
        break;
    case FS_SYNC_CHANGES:
        fs_sync_fetch_changes(sync, fs_sync_plan_may_be_new(situation));
        break;
    case FS_SYNC_SEARCH:
        fs_sync_start_round(sync);
        break;
    }
}

/* Begins with what the selection says; @fresh: it has just been made. */
static void
begin(FsSync *sync, gboolean fresh)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    ImapConnection *connection = imap_lease_connection(sync->lease);
    FsSyncSituation situation = {
        .selected = imap_connection_mailbox(connection),
        .fresh = fresh,
        .condstore = imap_connection_has_condstore(connection),
    };

    if (fs_sync_known(mailbox, &sync->known) &&
        fs_synchroniser_is_another(&sync->known, situation.selected, fresh)) {
        fs_sync_replaced(mailbox, connection);
        return;
    }
    mailbox->uidvalidity = situation.selected->uidvalidity;
    situation.count = cache_index_count(fs_sync_index(mailbox), mailbox->id);
    sync->with_header = fs_sync_wants_header(mailbox);
    situation.with_header = sync->with_header;
    fs_sync_note_changes(sync);
    situation.known = sync->known;
    set_target(sync, &situation);
    note_beginning(sync, &situation);
    sync->flags_in = situation.count == 0;
    situation.applied = apply_changes(sync);
    situation.count = cache_index_count(fs_sync_index(mailbox), mailbox->id);
    situation.next_uid = mailbox->next_uid;
    sync->can_tell = fs_sync_plan_can_tell(&situation);
    take_step(sync, &situation);
}

/* The rows that are there already stand for the first selection. */
static void
begin_selected(FsSync *sync, gboolean fresh)
{
    const ImapMailbox *selected =
        imap_connection_mailbox(imap_lease_connection(sync->lease));

    if (fs_synchroniser_is_another(&sync->target, selected, fresh)) {
        fs_sync_replaced(sync->mailbox, imap_lease_connection(sync->lease));
        return;
    }
    fs_sync_start_round(sync);
}

static void
on_reselected(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    if (error == NULL) {
        begin_selected(sync, TRUE);
        return;
    }
    /* Now it has no mailbox selected, whatever its other leases believe. */
    imap_connection_close(imap_lease_connection(sync->lease), error);
    fs_sync_finish(sync, error);
}

void
fs_sync_reselect(FsSync *sync)
{
    FsSyncMailbox *mailbox = sync->mailbox;
    const FsMailbox *directory =
        fs_mailbox_tree_get(mailbox->synchroniser->account->tree, mailbox->id);

    if (directory == NULL || directory->wire_name == NULL) {
        fs_sync_finish_incomplete(sync, "the mailbox is gone");
        return;
    }
    imap_request_examine(imap_lease_connection(sync->lease),
                         directory->wire_name, on_reselected,
                         g_rc_box_acquire(sync));
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox != NULL)
        fs_sync_finish(sync, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (lease == NULL) {
        fs_lister_explain(sync->mailbox->synchroniser->account->lister,
                          sync->mailbox->id, error, on_explained,
                          g_rc_box_acquire(sync));
        return;
    }
    sync->lease = lease;
    begin(sync, imap_lease_is_fresh(lease));
}

static gboolean
on_refused(gpointer user_data)
{
    FsSync *sync = user_data;
    g_autoptr(GError) error =
        g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");

    if (sync->mailbox != NULL)
        fs_sync_finish(sync, error);
    return G_SOURCE_REMOVE;
}

static void
acquire(FsSyncMailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    FsSync *sync = g_rc_box_new0(FsSync);
    CacheMailbox state;
    ImapKnown known;
    ImapWish wish = {0};

    sync->mailbox = mailbox;
    mailbox->sync = sync;
    if (directory == NULL || directory->wire_name == NULL ||
        mailbox->unusable) {
        g_idle_add_full(G_PRIORITY_DEFAULT, on_refused, g_rc_box_acquire(sync),
                        fs_sync_unref);
        return;
    }
    fs_sync_known(mailbox, &state);
    known = (ImapKnown){state.uidvalidity, state.highestmodseq};
    wish.mailbox = directory->wire_name;
    wish.bulk = !mailbox->refresh.known;
    if (known.highestmodseq != 0)
        wish.known = &known;
    imap_pool_acquire_wish(account->pool, &wish, on_lease,
                           g_rc_box_acquire(sync));
}

/* ---- what others ask ---- */

FsNeed *
fs_synchroniser_need_messages(FsSynchroniser *synchroniser, guint32 id,
                              gint64 since)
{
    FsSyncMailbox *mailbox = mailbox_of(synchroniser, id);
    gboolean start;
    FsNeed *need;

    fs_sync_is_known(mailbox);
    need = fs_refresh_ask(&mailbox->refresh, since,
                          synchroniser->account->options->poll_seconds, &start);
    if (start) {
        mailbox->attempts = 0;
        acquire(mailbox);
    }
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
    FsSyncMailbox *mailbox = mailbox_of(synchroniser, id);
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
    FsSyncMailbox *mailbox = mailbox_of(synchroniser, id);
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
    FsSyncMailbox *mailbox = mailbox_of(synchroniser, id);
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
    FsSyncMailbox *mailbox = mailbox_of(synchroniser, id);
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

void
fs_synchroniser_set_change_func(FsSynchroniser *synchroniser, FsChangeFunc func,
                                gpointer user_data)
{
    synchroniser->change_func = func;
    synchroniser->change_data = user_data;
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

gint64
fs_synchroniser_changed_at(FsSynchroniser *synchroniser, guint32 id)
{
    const FsSyncMailbox *mailbox =
        g_hash_table_lookup(synchroniser->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL ? mailbox->changed_at : 0;
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
        forget(synchroniser, mailbox->id);
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
        end_attempt(mailbox->sync);
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
    g_free(synchroniser);
}
