/* From what the server tells to what has to be asked for. */
#include "fs/live/watcher.h"

#include "fs/live/recheck.h"
#include "fs/live/watch-plan.h"
#include "fs/sync/freshener.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"
#include "imap/mailbox-encoding.h"
#include "imap/watch.h"

#include <stdlib.h>

/* Who has just mounted is going to look at something, and comes first. */
#define START_MS 250u
/* Between two synchronisations of a mailbox: what comes in a burst, comes in
 * one. */
#define REST_MS 100
/* After news of the list it is asked for once more: of what follows so soon,
 * some servers tell nothing, as Dovecot of a folder that is renamed and then
 * deleted. */
#define LIST_AGAIN_MS 2000
/* So long, for each mailbox in it, the list is not asked for once more only
 * because something in it may have been missed: some kB a second at the most.
 */
#define LIST_REST_US (10 * 1000)
/* A mailbox that is not in the list has the list asked for so often. */
#define UNKNOWN_US (10 * G_TIME_SPAN_SECOND)

/* So many at most are told of by idle connections; and who these are is looked
 * at so long after a use. */
#define BESIDE_MAX 32
#define RANK_MS 1000

struct FsWatcher {
    FsAccount *account;
    FsKernelCache *kernel_cache;
    ImapWatch *watch;
    FsFreshener *freshener;
    FsWatchPlan *plan;
    GPtrArray *beside; /* of wire names: see beside_at */
    guint rank_timer;  /* 0: it is as it should be */
    gboolean missed;   /* things, while nothing was told */
    gboolean settled;  /* what was missed is in */
    guint list_again;  /* a timer, or 0 */
    gint64 listed_at;  /* microseconds, monotonic: when that last ran */
    gint64 unknown_at; /* microseconds, monotonic */
};

/* ---- what has to be asked for ---- */

/* A FsFreshenFunc. */
static FsNeed *
freshen(guint32 mailbox, gint64 since, gboolean *begun, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    FsAccount *account = watcher->account;

    if (mailbox == FS_MAILBOX_TREE_ROOT) {
        *begun = !fs_lister_is_under_way(account->lister);
        return fs_lister_need(account->lister, FS_NOW);
    }
    if (fs_mailbox_tree_get(account->tree, mailbox) == NULL)
        return NULL;
    return fs_synchroniser_freshen(account->synchroniser, mailbox, since,
                                   begun);
}

static void
hint(FsWatcher *watcher, guint32 mailbox)
{
    if (fs_kernel_cache_is_used(watcher->kernel_cache, mailbox))
        fs_freshener_hint(watcher->freshener, mailbox);
    else
        fs_synchroniser_mark_stale(watcher->account->synchroniser, mailbox);
}

static gboolean
on_list_again(gpointer user_data)
{
    FsWatcher *watcher = user_data;

    watcher->list_again = 0;
    watcher->listed_at = g_get_monotonic_time();
    fs_freshener_hint(watcher->freshener, FS_MAILBOX_TREE_ROOT);
    return G_SOURCE_REMOVE;
}

static void
hint_list(FsWatcher *watcher)
{
    fs_freshener_hint(watcher->freshener, FS_MAILBOX_TREE_ROOT);
    g_clear_handle_id(&watcher->list_again, g_source_remove);
    watcher->list_again = g_timeout_add(LIST_AGAIN_MS, on_list_again, watcher);
}

/* Dovecot tells of a folder that was renamed or deleted a second later, or not
 * at all when it is asked to begin anew before that. */
static void
recheck_list(FsWatcher *watcher)
{
    gint64 rest =
        LIST_REST_US * (gint64)fs_mailbox_tree_count(watcher->account->tree);
    gint64 wait = watcher->listed_at + rest - g_get_monotonic_time();

    if (watcher->list_again == 0)
        watcher->list_again = g_timeout_add(
            (guint)(CLAMP(wait, 0, rest) / 1000), on_list_again, watcher);
}

/* A FsMailboxEntryFunc. The list was found to be another one, before that was
 * told, or without that it will be: this is news of it, too. */
static void
on_entry(guint32 parent, const char *name, guint32 before, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const char *mailbox;

    if (watcher->list_again == 0 &&
        imap_watch_is_telling(watcher->watch, &mailbox) && mailbox == NULL)
        watcher->list_again =
            g_timeout_add(LIST_AGAIN_MS, on_list_again, watcher);
}

static void
hint_used(guint32 mailbox, gpointer user_data)
{
    FsWatcher *watcher = user_data;

    fs_freshener_hint(watcher->freshener, mailbox);
}

static const FsMailbox *
mailbox_named(const FsWatcher *watcher, const char *wire_name)
{
    return fs_mailbox_tree_by_wire_name(watcher->account->tree, wire_name);
}

/* The mailbox that @name, of an event, stands for; NULL if there is none.
 * Dovecot (2.3) tells of mailboxes by their names in UTF-8, where everything
 * else that it says has them in modified UTF-7. */
static const FsMailbox *
mailbox_told_of(const FsWatcher *watcher, const char *name)
{
    const FsMailbox *mailbox = mailbox_named(watcher, name);
    g_autofree char *wire_name = NULL;

    if (mailbox != NULL || !g_utf8_validate(name, -1, NULL))
        return mailbox;
    wire_name = imap_mailbox_encode(name, FALSE);
    return mailbox_named(watcher, wire_name);
}

/* ---- what the server tells ---- */

static void
on_begun(const char *name, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const FsMailbox *mailbox =
        name != NULL ? mailbox_named(watcher, name) : NULL;

    /* All mailboxes are begun again now and then. */
    if (name == NULL && !watcher->missed) {
        fs_recheck(watcher->account, watcher->kernel_cache, watcher->watch);
        recheck_list(watcher);
        return;
    }
    g_info("the server tells of %s", name != NULL ? name : "all mailboxes");
    if (watcher->missed)
        fs_kernel_cache_foreach_used(watcher->kernel_cache, hint_used, watcher);
    if (mailbox != NULL)
        hint(watcher, mailbox->id);
    watcher->missed = FALSE;
    imap_pool_wanted_changed(watcher->account->pool);
}

static void
on_lost(const GError *error, gpointer user_data)
{
    FsWatcher *watcher = user_data;

    g_info("the server tells nothing by itself now: %s", error->message);
    watcher->missed = TRUE;
    watcher->settled = FALSE;
}

static void
on_unknown_mailbox(FsWatcher *watcher)
{
    gint64 now = g_get_monotonic_time();

    if (watcher->unknown_at != 0 && now - watcher->unknown_at < UNKNOWN_US)
        return;
    watcher->unknown_at = now;
    hint_list(watcher);
}

static void
on_status(FsWatcher *watcher, const ImapMailboxStatus *status)
{
    CacheIndex *index = watcher->account->index;
    const FsMailbox *mailbox = mailbox_told_of(watcher, status->name);
    CacheMailbox known;

    if (mailbox == NULL) {
        on_unknown_mailbox(watcher);
        return;
    }
    if (cache_index_mailbox(index, mailbox->id, &known)) {
        if (!fs_watch_plan_is_news(status, &known,
                                   cache_index_count(index, mailbox->id)))
            return;
        if (fs_watch_plan_is_another(status, &known))
            imap_pool_forget_selected(watcher->account->pool,
                                      mailbox->wire_name);
    }
    hint(watcher, mailbox->id);
}

static void
on_told(const char *name, const ImapResponse *response, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const FsMailbox *mailbox;

    if (response->type == IMAP_RESPONSE_LIST) {
        hint_list(watcher);
    } else if (response->type == IMAP_RESPONSE_MAILBOX_STATUS) {
        on_status(watcher, response->mailbox_status);
    } else if (name != NULL) {
        mailbox = mailbox_named(watcher, name);
        if (mailbox != NULL)
            hint(watcher, mailbox->id);
    }
}

static const ImapWatchHandler watch_handler = {
    .begun = on_begun,
    .told = on_told,
    .lost = on_lost,
};

/* ---- what idle connections are told of ---- */

static void
rank(FsWatcher *watcher)
{
    FsAccount *account = watcher->account;
    g_autoptr(GArray) ids =
        fs_watch_plan_ranked(watcher->plan, g_get_monotonic_time());

    g_ptr_array_set_size(watcher->beside, 0);
    for (guint i = 0; i < ids->len && watcher->beside->len < BESIDE_MAX; i++) {
        guint32 id = g_array_index(ids, guint32, i);
        const FsMailbox *mailbox = fs_mailbox_tree_get(account->tree, id);

        if (mailbox != NULL && mailbox->selectable &&
            mailbox->wire_name != NULL &&
            fs_kernel_cache_is_used(watcher->kernel_cache, id))
            g_ptr_array_add(watcher->beside, g_strdup(mailbox->wire_name));
    }
    imap_pool_wanted_changed(account->pool);
}

static gboolean
on_rank(gpointer user_data)
{
    FsWatcher *watcher = user_data;

    watcher->rank_timer = 0;
    rank(watcher);
    return G_SOURCE_REMOVE;
}

/* It may have gone, or fallen out of use, since it was ranked. */
static gboolean
is_used(const FsWatcher *watcher, const char *name)
{
    const FsMailbox *mailbox = mailbox_named(watcher, name);

    return mailbox != NULL && mailbox->selectable &&
           fs_kernel_cache_is_used(watcher->kernel_cache, mailbox->id);
}

/* As long as the watcher is told of one mailbox by IDLE, which so is known to
 * work, the others that are in use are worth the same. */
static const char *
beside_at(guint place, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const char *watched;

    if (!imap_watch_is_telling(watcher->watch, &watched) || watched == NULL)
        return NULL;
    for (guint i = 0; i < watcher->beside->len; i++) {
        const char *name = g_ptr_array_index(watcher->beside, i);

        if (!g_str_equal(name, watched) && is_used(watcher, name) &&
            place-- == 0)
            return name;
    }
    return NULL;
}

static void
on_told_beside(const char *name, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const FsMailbox *mailbox = mailbox_named(watcher, name);

    if (mailbox != NULL)
        hint(watcher, mailbox->id);
}

static const ImapBesideHandler beside_handler = {
    .wanted = beside_at,
    .told = on_told_beside,
};

/* ---- what is in use ---- */

/* A FsKernelCacheUseFunc. */
static void
on_use(guint32 id, gpointer user_data)
{
    FsWatcher *watcher = user_data;
    const FsMailbox *mailbox;

    if (watcher->rank_timer == 0)
        watcher->rank_timer = g_timeout_add(RANK_MS, on_rank, watcher);
    /* The one that was chosen before may have been renamed since. */
    if (!fs_watch_plan_use(watcher->plan, id, g_get_monotonic_time()) &&
        id != fs_watch_plan_chosen(watcher->plan))
        return;
    mailbox = fs_mailbox_tree_get(watcher->account->tree, id);
    if (mailbox != NULL && mailbox->selectable)
        imap_watch_prefer(watcher->watch, mailbox->wire_name);
}

/* ---- making and ending ---- */

FsWatcher *
fs_watcher_new(FsAccount *account, FsKernelCache *kernel_cache)
{
    FsWatcher *watcher = g_new0(FsWatcher, 1);
    /* For tests, which cannot wait for minutes. */
    const char *renewal = g_getenv("IMAPFS_RENEWAL_MS");

    watcher->account = account;
    watcher->kernel_cache = kernel_cache;
    watcher->missed = TRUE;
    watcher->freshener = fs_freshener_new(REST_MS, freshen, watcher);
    watcher->plan = fs_watch_plan_new();
    watcher->beside = g_ptr_array_new_with_free_func(g_free);
    watcher->watch =
        imap_watch_new(account->pool, &watch_handler, START_MS, watcher);
    if (renewal != NULL)
        imap_watch_set_renewal(watcher->watch, (guint)MAX(atoi(renewal), 1));
    imap_pool_set_beside(account->pool, &beside_handler, watcher);
    fs_kernel_cache_set_use_func(kernel_cache, on_use, watcher);
    fs_mailbox_tree_add_entry_func(account->tree, on_entry, watcher);
    return watcher;
}

void
fs_watcher_free(FsWatcher *watcher)
{
    if (watcher == NULL)
        return;
    fs_kernel_cache_set_use_func(watcher->kernel_cache, NULL, NULL);
    fs_mailbox_tree_remove_entry_func(watcher->account->tree, on_entry,
                                      watcher);
    imap_pool_set_beside(watcher->account->pool, NULL, NULL);
    imap_watch_free(watcher->watch);
    g_clear_handle_id(&watcher->rank_timer, g_source_remove);
    g_ptr_array_unref(watcher->beside);
    g_clear_handle_id(&watcher->list_again, g_source_remove);
    fs_freshener_free(watcher->freshener);
    fs_watch_plan_free(watcher->plan);
    g_free(watcher);
}

FsWatcherMode
fs_watcher_mode(FsWatcher *watcher)
{
    const char *mailbox;

    if (!imap_watch_is_telling(watcher->watch, &mailbox))
        return FS_WATCHER_POLLS;
    watcher->settled =
        watcher->settled || fs_freshener_is_quiet(watcher->freshener);
    if (!watcher->settled)
        return FS_WATCHER_POLLS;
    return mailbox != NULL ? FS_WATCHER_ONE : FS_WATCHER_ALL;
}

const char *
fs_watcher_refusal(const FsWatcher *watcher)
{
    return imap_watch_refusal(watcher->watch);
}
