/* Decides which changes are sent when.
 *
 * Changes of the same kind, from the same mailbox to the same other, go into
 * one command. One such command is on its way at a time; what is asked for
 * meanwhile gathers, and goes with the next: so many changes need few round
 * trips, however quickly or slowly they are asked for. Of one message, the
 * first change is made before the next is sent.
 *
 * While the server cannot be reached, nothing is sent; when it can be again, or
 * an attempt is due, all goes on. */
#include "fs/changes/pending.h"

#include "fs/live/line.h"
#include "imap/change-requests.h"

/* Commands on their way at a time. */
#define BATCHES_MAX 8u
/* Between commands that move messages, unless somebody waits for them. Who
 * looks up a name where they go waits until it is known what has come there,
 * which takes some round trips: were the next sent meanwhile, whatever is moved
 * after that would wait, one by one. */
#define BETWEEN_MOVES_MIN_US (500 * 1000)
#define BETWEEN_MOVES_MAX_US (4000 * 1000)
#define BETWEEN_MOVES_ROUND_TRIPS 10
#define RETRY_MS 2000u
#define RETRY_MAX_MS 60000u

struct FsSender {
    FsChanges *changes;
    GHashTable *keys; /* of the commands on their way; owned by their batches */
    guint timer;      /* when the next change is ready; 0 */
    gint64 timer_at;  /* microseconds, monotonic */
    guint retry_timer; /* 0 */
    guint retry_ms;    /* the last wait */
};

FsSender *
fs_sender_new(FsChanges *changes)
{
    FsSender *sender = g_new0(FsSender, 1);

    sender->changes = changes;
    sender->keys = g_hash_table_new(g_str_hash, g_str_equal);
    changes->sender = sender;
    if (changes->all.length > 0 || changes->marks->len > 0)
        fs_sender_wake(sender);
    return sender;
}

void
fs_sender_free(FsSender *sender)
{
    g_clear_handle_id(&sender->timer, g_source_remove);
    g_clear_handle_id(&sender->retry_timer, g_source_remove);
    g_hash_table_unref(sender->keys);
    g_free(sender);
}

gboolean
fs_sender_is_away(const FsSender *sender)
{
    const FsAccount *account = sender->changes->account;
    ImapPoolState state = imap_pool_state(account->pool);

    return state == IMAP_POOL_OFFLINE || state == IMAP_POOL_REFUSED ||
           fs_line_is_away(account->line);
}

/* ---- gathering ---- */

/* 0: at once. */
static gint64
next_move_at(const FsChanges *changes)
{
    if (changes->moved_at == 0)
        return 0;
    return changes->moved_at +
           CLAMP(BETWEEN_MOVES_ROUND_TRIPS * changes->move_took_us,
                 BETWEEN_MOVES_MIN_US, BETWEEN_MOVES_MAX_US);
}

static gint64
due_at(const FsPending *pending)
{
    gint64 due = MAX(pending->ready_at, pending->not_before);

    if (pending->kind == FS_PENDING_MOVE && pending->ready_at > 0)
        due = MAX(due, next_move_at(pending->changes));
    return due;
}

static gboolean
is_due(const FsPending *pending, gint64 now, gint64 *next)
{
    if (pending->in_flight || pending->uncertain || !pending->is_written ||
        pending->step == FS_STEP_HELD || !fs_pending_is_first(pending))
        return FALSE;
    if (due_at(pending) <= now)
        return TRUE;
    *next = MIN(*next, due_at(pending));
    return FALSE;
}

gboolean
fs_pending_is_deletion(const FsPending *pending)
{
    return pending->step == FS_STEP_COPIED ||
           (pending->kind == FS_PENDING_DELETE &&
            g_str_equal(pending->text, FS_PENDING_EXPUNGE));
}

char *
fs_sender_deletion_key(guint32 mailbox)
{
    return g_strdup_printf("delete %u", mailbox);
}

/* What deletes from a mailbox is one command, whatever for: where the server
 * expunges all that is marked, two would disturb each other. */
static char *
key_of(const FsPending *pending)
{
    if (fs_pending_is_deletion(pending))
        return fs_sender_deletion_key(pending->mailbox);
    return g_strdup_printf("%u %u %u %s", pending->kind, pending->mailbox,
                           pending->target,
                           pending->text != NULL ? pending->text : "");
}

gboolean
fs_sender_claim(FsSender *sender, char *key)
{
    return !g_hash_table_contains(sender->keys, key) &&
           g_hash_table_add(sender->keys, key);
}

static void
free_group(gpointer group)
{
    g_ptr_array_unref(group);
}

/* Whether they have the same key, without making it: there may be many. */
static gboolean
are_alike(const FsPending *one, const FsPending *other)
{
    if (one->mailbox != other->mailbox ||
        fs_pending_is_deletion(one) != fs_pending_is_deletion(other))
        return FALSE;
    return fs_pending_is_deletion(one) ||
           (one->kind == other->kind && one->target == other->target &&
            g_strcmp0(one->text, other->text) == 0);
}

/* That of @pending; NULL: it is not its turn. */
static GPtrArray *
group_of(FsSender *sender, GHashTable *groups, const FsPending *pending)
{
    g_autofree char *key = key_of(pending);
    GPtrArray *group;

    if (g_hash_table_contains(sender->keys, key))
        return NULL;
    group = g_hash_table_lookup(groups, key);
    if (group == NULL &&
        g_hash_table_size(groups) + g_hash_table_size(sender->keys) <
            BATCHES_MAX) {
        group = g_ptr_array_new_with_free_func(fs_pending_unref);
        g_hash_table_insert(groups, g_steal_pointer(&key), group);
    }
    return group;
}

/* key -> GPtrArray of FsPending, of what can be sent now. */
static GHashTable *
gather(FsSender *sender, gint64 *next)
{
    GHashTable *groups =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_group);
    gint64 now = g_get_monotonic_time();
    const FsPending *last = NULL;
    GPtrArray *group = NULL; /* that of the last */

    for (GList *link = sender->changes->all.head; link != NULL;
         link = link->next) {
        FsPending *pending = link->data;

        if (!is_due(pending, now, next))
            continue;
        if (last == NULL || !are_alike(pending, last))
            group = group_of(sender, groups, pending);
        last = pending;
        if (group != NULL && group->len < IMAP_MAX_CHANGED)
            g_ptr_array_add(group, fs_pending_ref(pending));
    }
    return groups;
}

/* ---- sending ---- */

static void send_due(FsSender *sender);

static gboolean
on_timer(gpointer user_data)
{
    FsSender *sender = user_data;

    sender->timer = 0;
    send_due(sender);
    return G_SOURCE_REMOVE;
}

static void
send_at(FsSender *sender, gint64 when)
{
    gint64 wait_us = MAX(when - g_get_monotonic_time(), 0);

    if (sender->timer != 0 && sender->timer_at <= when)
        return;
    g_clear_handle_id(&sender->timer, g_source_remove);
    sender->timer_at = when;
    sender->timer =
        g_timeout_add((guint)((wait_us + 999) / 1000), on_timer, sender);
}

/* Not as long as an EXPUNGE whose line was cut may still be carried out: it
 * would take what is marked then. */
static void
restore_marks(FsChanges *changes)
{
    g_autoptr(GPtrArray) marks = NULL;

    if (changes->marks->len > 0 && g_get_monotonic_time() < changes->marks_at) {
        send_at(changes->sender, changes->marks_at);
        return;
    }
    marks = g_steal_pointer(&changes->marks);
    changes->marks = g_ptr_array_new();
    for (guint i = 0; i < marks->len; i++) {
        const CacheJournalRecord *record =
            cache_journal_get(changes->account->journal,
                              GPOINTER_TO_UINT(g_ptr_array_index(marks, i)));

        if (record != NULL)
            fs_marks_restore(changes, record);
    }
}

static void
send_due(FsSender *sender)
{
    g_autoptr(GHashTable) groups = NULL;
    gint64 next = G_MAXINT64;
    GHashTableIter iter;
    gpointer group;
    gpointer key;

    if (fs_sender_is_away(sender)) {
        fs_sender_retry(sender);
        return;
    }
    restore_marks(sender->changes);
    fs_reconcile_start(sender->changes);
    groups = gather(sender, &next);
    if (next != G_MAXINT64)
        send_at(sender, next);
    g_hash_table_iter_init(&iter, groups);
    while (g_hash_table_iter_next(&iter, &key, &group)) {
        g_hash_table_iter_steal(&iter);
        g_hash_table_add(sender->keys, key);
        fs_batch_start(sender->changes, key, group);
    }
}

void
fs_sender_wake(FsSender *sender)
{
    gint64 next = G_MAXINT64;

    for (GList *link = sender->changes->all.tail; link != NULL;
         link = link->prev) {
        const FsPending *pending = link->data;

        if (!pending->in_flight)
            next = MIN(next, due_at(pending));
        /* Those before it have been seen to. */
        if (sender->timer != 0)
            break;
    }
    if (next == G_MAXINT64 && sender->changes->marks->len > 0)
        next = 0;
    if (next != G_MAXINT64)
        send_at(sender, next);
}

void
fs_sender_hurry(FsSender *sender)
{
    gboolean any = FALSE;

    for (GList *link = sender->changes->all.tail; link != NULL;
         link = link->prev) {
        FsPending *pending = link->data;

        any |= !pending->in_flight && pending->ready_at > 0;
        pending->ready_at = MIN(pending->ready_at, 0);
    }
    if (any)
        send_at(sender, 0);
}

void
fs_sender_batch_over(FsSender *sender, const char *key)
{
    g_hash_table_remove(sender->keys, key);
    fs_changes_moved(sender->changes);
    if (sender->changes->all.length > 0 || sender->changes->marks->len > 0)
        send_at(sender, 0);
}

/* ---- trying again ---- */

static gboolean
on_retry(gpointer user_data)
{
    FsSender *sender = user_data;

    sender->retry_timer = 0;
    send_due(sender);
    return G_SOURCE_REMOVE;
}

void
fs_sender_retry(FsSender *sender)
{
    if (sender->retry_timer != 0)
        return;
    sender->retry_ms = CLAMP(2 * sender->retry_ms, RETRY_MS, RETRY_MAX_MS);
    sender->retry_timer = g_timeout_add(sender->retry_ms, on_retry, sender);
}

void
fs_sender_retry_now(FsSender *sender)
{
    sender->retry_ms = 0;
    g_clear_handle_id(&sender->retry_timer, g_source_remove);
    for (GList *link = sender->changes->all.head; link != NULL;
         link = link->next)
        ((FsPending *)link->data)->not_before = 0;
    if (sender->changes->all.length > 0 || sender->changes->marks->len > 0)
        send_at(sender, 0);
}
