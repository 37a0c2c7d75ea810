/* The beginning and the end of a synchronisation.
 *
 * An attempt belongs to one lease: when that fails, another attempt goes on
 * with the rows that are there, for rows are kept as they come, with the
 * HIGHESTMODSEQ of the selection that they began with. Later values are noted
 * only when all that they stand for has come. */
#include "fs/sync/sync-mailbox.h"

#include "fs/day-limit.h"
#include "fs/kernel/errno.h"
#include "fs/sync/lister.h"
#include "imap/error.h"

#include <string.h>

/* After so many rows a cut line counts as the first again. */
#define ROWS_THAT_COUNT 1000

static void
sync_clear(gpointer data)
{
    FsSync *sync = data;

    g_free(sync->wire_name);
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

/* ---- the end of an attempt, and of a synchronisation ---- */

/* What still comes is not for it any more. */
void
fs_sync_end_attempt(FsSync *sync)
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
    state.highestmodseq = MAX(state.highestmodseq, sync->complete_to);
    if (!sync->flags_in)
        state.highestmodseq = 0;
    fs_sync_note(mailbox, &state);
    mailbox->next_uid = MAX(mailbox->next_uid, sync->target.uidnext);
    mailbox->shown_to = 0;
    mailbox->synchronised_at = g_get_real_time();
    /* Whatever has been said of it since: that is not in, perhaps, but all that
     * was so before is. */
    mailbox->seen_at = sync->asked_at;
    fs_sync_forget_looked_up(mailbox);
}

/* A server may send messages in any order: what has come does not tell that all
 * before it has. */
static void
doubt_rows(FsSync *sync)
{
    if (sync->total_rows > 0)
        sync->mailbox->next_uid = 0;
}

static void
tell_waiting(FsSyncMailbox *mailbox, const GError *error)
{
    g_autoptr(FsNeed) more = g_steal_pointer(&mailbox->more);
    const char *before;

    mailbox->seen = TRUE;
    before = fs_log_set_present(mailbox->synchroniser->account->label);
    fs_refresh_end(&mailbox->refresh, error);
    fs_log_set_present(before);
    if (more != NULL)
        fs_need_complete(more, mailbox->refresh.known ? NULL : error);
}

/* One that was replaced has another id already, under the same name. */
static char *
path_of(const FsSync *sync)
{
    const FsMailboxTree *tree = sync->mailbox->synchroniser->account->tree;
    char *path = fs_mailbox_tree_path(tree, sync->mailbox->id);
    const FsMailbox *other;

    if (path != NULL || sync->wire_name == NULL)
        return path;
    other = fs_mailbox_tree_by_wire_name(tree, sync->wire_name);
    return other != NULL ? fs_mailbox_tree_path(tree, other->id) : NULL;
}

static void
tell_failure(const FsSync *sync, const GError *error)
{
    g_autofree char *path = path_of(sync);

    fs_account_say(
        sync->mailbox->synchroniser->account, "%s cannot be listed: %s",
        path != NULL ? path : "a mailbox that is gone", error->message);
}

void
fs_sync_finish(FsSync *sync, const GError *error)
{
    g_autoptr(FsSync) held G_GNUC_UNUSED = g_rc_box_acquire(sync);
    g_autoptr(FsSyncMailbox) mailbox = fs_sync_mailbox_ref(sync->mailbox);
    FsSynchroniser *synchroniser = mailbox->synchroniser;

    if (error == NULL) {
        note_success(sync);
    } else {
        doubt_rows(sync);
        if (fs_refresh_is_news(&mailbox->refresh))
            tell_failure(sync, error);
    }
    /* Before the end: what changed meanwhile is in, and makes nothing stale. */
    fs_sync_end_attempt(sync);
    g_clear_pointer(&mailbox->sync, fs_sync_unref);
    tell_waiting(mailbox, error);
    if (fs_mailbox_tree_get(synchroniser->account->tree, mailbox->id) == NULL)
        fs_sync_forget(synchroniser, mailbox->id);
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

static void
begin_again(FsSync *sync)
{
    FsSyncMailbox *mailbox = sync->mailbox;

    fs_sync_end_attempt(sync);
    g_clear_pointer(&mailbox->sync, fs_sync_unref);
    fs_sync_begin(mailbox);
}

/* After a line that was cut it is tried again, as imap/retry.h says, and
 * whenever something has come of it; other errors are final. */
void
fs_sync_fail(FsSync *sync, const GError *error)
{
    FsSyncMailbox *mailbox = sync->mailbox;

    if (sync->total_rows >= ROWS_THAT_COUNT)
        imap_retry_begin(&mailbox->retry);
    if (sync->lease != NULL &&
        imap_retry_is_due(&mailbox->retry, imap_lease_connection(sync->lease),
                          error)) {
        doubt_rows(sync);
        begin_again(sync);
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
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    g_autoptr(FsSyncMailbox) held G_GNUC_UNUSED = fs_sync_mailbox_ref(mailbox);
    g_autoptr(GError) error = NULL;
    g_autoptr(GError) others =
        g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED, "the mailbox was replaced");

    /* What others have asked for on this line was meant for the old one. */
    imap_connection_close(connection, others);
    if (directory != NULL && directory->wire_name != NULL)
        imap_pool_forget_selected(account->pool, directory->wire_name);
    mailbox->refresh.known = FALSE;
    fs_sync_stop_flags_pass(mailbox);
    if (fs_mailbox_tree_get(account->tree, mailbox->id) == NULL) {
        /* The list does not have the new one yet. When it does, that will come
         * under this id, and has to be found out once more: so what is left of
         * the old one stays (forget_messages). */
        error = g_error_new(FS_ERROR, FS_ERROR_STALE, "the mailbox is gone");
    } else {
        if (fs_mailbox_tree_new_id(account->tree, mailbox->id, &error) != 0)
            error = g_error_new(FS_ERROR, FS_ERROR_STALE,
                                "the server has replaced the mailbox "
                                "(UIDVALIDITY)");
        else
            mailbox->unusable = TRUE;
        cache_index_drop_mailbox(account->index, mailbox->id);
        cache_fields_drop_mailbox(account->fields, mailbox->id);
    }
    fs_sync_fail_look_ups(mailbox, error);
    if (mailbox->sync != NULL)
        fs_sync_finish(mailbox->sync, error);
    else if (!mailbox->unusable)
        fs_sync_forget(mailbox->synchroniser, mailbox->id);
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

/* It was made before something that is known; or the mailbox is another one,
 * which a new selection will tell. */
static gboolean
is_behind(const CacheMailbox *known, const ImapMailbox *selected)
{
    return known->uidnext != 0 && selected->uidnext != 0 &&
           selected->uidnext < known->uidnext;
}

gboolean
fs_sync_seems_emptied(const FsSync *sync)
{
    const ImapMailbox *selected =
        imap_connection_mailbox(imap_lease_connection(sync->lease));

    return selected->exists == 0 && selected->emptied;
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
    if (!fresh && (fs_sync_seems_emptied(sync) ||
                   is_behind(&sync->known, situation.selected))) {
        sync->begins_anew = TRUE;
        fs_sync_reselect(sync);
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
    /* Of an old selection they do not tell all. */
    situation.applied = apply_changes(sync) && fresh;
    sync->flags_in |= situation.applied;
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

/* Whether the mailbox was asked for by a name that it no longer has. */
static gboolean
was_renamed(const FsSync *sync)
{
    const FsSyncMailbox *mailbox = sync->mailbox;
    const FsMailbox *directory =
        fs_mailbox_tree_get(mailbox->synchroniser->account->tree, mailbox->id);

    return directory != NULL && directory->wire_name != NULL &&
           strcmp(directory->wire_name, sync->wire_name) != 0;
}

static void
on_explained(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    if (was_renamed(sync))
        begin_again(sync);
    else
        fs_sync_finish(sync, error);
}

/* The mailbox cannot be selected. */
static void
explain(FsSync *sync, const GError *error)
{
    const FsSyncMailbox *mailbox = sync->mailbox;

    fs_lister_explain(mailbox->synchroniser->account->lister, mailbox->id,
                      error, on_explained, g_rc_box_acquire(sync));
}

static void
on_reselected(const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL)
        return;
    if (error == NULL && sync->begins_anew) {
        sync->begins_anew = FALSE;
        begin(sync, TRUE);
        return;
    }
    if (error == NULL) {
        begin_selected(sync, TRUE);
        return;
    }
    /* Now it has no mailbox selected, whatever its other leases believe. */
    imap_connection_close(imap_lease_connection(sync->lease), error);
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED))
        fs_sync_fail(sync, error);
    else
        explain(sync, error);
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
    if (was_renamed(sync)) {
        begin_again(sync);
        return;
    }
    imap_request_reselect(imap_lease_connection(sync->lease),
                          directory->wire_name, on_reselected,
                          g_rc_box_acquire(sync));
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsSync) sync = user_data;

    if (sync->mailbox == NULL) {
        imap_lease_release(lease);
        return;
    }
    if (was_renamed(sync)) {
        imap_lease_release(lease);
        begin_again(sync);
        return;
    }
    if (lease == NULL) {
        explain(sync, error);
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

/* The day's max_download is used up: no new folder is fetched. */
static gboolean
on_limited(gpointer user_data)
{
    FsSync *sync = user_data;

    if (sync->mailbox != NULL)
        fs_sync_finish(sync, sync->error);
    return G_SOURCE_REMOVE;
}

void
fs_sync_begin(FsSyncMailbox *mailbox)
{
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    FsSync *sync = g_rc_box_new0(FsSync);
    CacheMailbox state;
    ImapKnown known;
    ImapWish wish = {0};
    gboolean is_known;

    sync->mailbox = mailbox;
    sync->asked_at = g_get_monotonic_time();
    mailbox->sync = sync;
    if (directory == NULL || directory->wire_name == NULL ||
        mailbox->unusable) {
        g_idle_add_full(G_PRIORITY_DEFAULT, on_refused, g_rc_box_acquire(sync),
                        fs_sync_unref);
        return;
    }
    is_known =
        fs_sync_known(mailbox, &state) &&
        (state.complete || cache_index_count(account->index, mailbox->id) > 0);
    if (!is_known && !fs_account_may_download(account, &sync->error)) {
        g_idle_add_full(G_PRIORITY_DEFAULT, on_limited, g_rc_box_acquire(sync),
                        fs_sync_unref);
        return;
    }
    known = (ImapKnown){state.uidvalidity, state.highestmodseq};
    sync->wire_name = g_strdup(directory->wire_name);
    wish.mailbox = directory->wire_name;
    wish.kind = mailbox->refresh.known ? IMAP_LEASE_SINGLE : IMAP_LEASE_BULK;
    if (known.highestmodseq != 0)
        wish.known = &known;
    if (!is_known)
        wish.rows = fs_sync_wants_header(mailbox) ? IMAP_ROWS_WITH_HEADER
                                                  : IMAP_ROWS_PLAIN;
    imap_pool_acquire_wish(account->pool, &wish, on_lease,
                           g_rc_box_acquire(sync));
}
