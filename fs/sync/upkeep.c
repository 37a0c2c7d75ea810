/* Rounds of checks. In a round each mailbox in use is checked once, few at a
 * time: programs that want something from the server have to get a turn, too.
 */
#include "fs/sync/upkeep.h"

/* So many checks are under way at a time. */
#define LANES 2

/* A check under way. */
typedef struct {
    FsUpkeep *upkeep;
    guint32 mailbox;
    FsNeed *need; /* NULL: the lane is free */
    FsNeedWaiter *waiter;
} Lane;

struct FsUpkeep {
    guint interval_ms;
    gint64 keep_us;
    FsUpkeepCheckFunc check;
    FsUpkeepPrepareFunc prepare; /* NULL: nothing */
    gpointer check_data;
    FsNeed *prepared; /* while the round waits for that; else NULL */
    FsNeedWaiter *prepared_waiter;

    GHashTable *last_uses; /* mailbox -> gint64, owned: microseconds */
    GArray *due;           /* of guint32: what is left of the round */
    Lane lanes[LANES];
    guint timer; /* 0 when nothing is in use */
};

static void start_checks(FsUpkeep *upkeep);

FsUpkeep *
fs_upkeep_new(guint interval_ms, guint keep_ms, FsUpkeepCheckFunc check,
              gpointer user_data)
{
    FsUpkeep *upkeep = g_new0(FsUpkeep, 1);

    upkeep->interval_ms = interval_ms;
    upkeep->keep_us = (gint64)keep_ms * 1000;
    upkeep->check = check;
    upkeep->check_data = user_data;
    upkeep->last_uses = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    upkeep->due = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (guint i = 0; i < LANES; i++)
        upkeep->lanes[i].upkeep = upkeep;
    return upkeep;
}

void
fs_upkeep_set_prepare(FsUpkeep *upkeep, FsUpkeepPrepareFunc prepare)
{
    upkeep->prepare = prepare;
}

static void
stop_preparing(FsUpkeep *upkeep)
{
    if (upkeep->prepared == NULL)
        return;
    fs_need_cancel(upkeep->prepared_waiter);
    g_clear_pointer(&upkeep->prepared, fs_need_unref);
}

void
fs_upkeep_free(FsUpkeep *upkeep)
{
    if (upkeep == NULL)
        return;
    for (guint i = 0; i < LANES; i++)
        if (upkeep->lanes[i].need != NULL) {
            fs_need_cancel(upkeep->lanes[i].waiter);
            fs_need_unref(upkeep->lanes[i].need);
        }
    stop_preparing(upkeep);
    g_clear_handle_id(&upkeep->timer, g_source_remove);
    g_array_unref(upkeep->due);
    g_hash_table_unref(upkeep->last_uses);
    g_free(upkeep);
}

/* ---- a round ---- */

static void
on_need(const GError *error, gpointer user_data)
{
    Lane *lane = user_data;

    if (!fs_need_is_complete(lane->need)) {
        lane->waiter = fs_need_wait(lane->need, on_need, lane);
        return;
    }
    /* A check that has failed leaves what was known; the next round tries
     * again. */
    g_clear_pointer(&lane->need, fs_need_unref);
    start_checks(lane->upkeep);
}

/* The next that is still in use; FALSE when the round is over. */
static gboolean
next_due(FsUpkeep *upkeep, guint32 *mailbox)
{
    while (upkeep->due->len > 0) {
        *mailbox = g_array_index(upkeep->due, guint32, upkeep->due->len - 1);
        g_array_set_size(upkeep->due, upkeep->due->len - 1);
        if (fs_upkeep_is_used(upkeep, *mailbox))
            return TRUE;
    }
    return FALSE;
}

static void
start_checks(FsUpkeep *upkeep)
{
    guint32 mailbox;

    if (upkeep->prepared != NULL)
        return;
    for (guint i = 0; i < LANES; i++) {
        Lane *lane = &upkeep->lanes[i];

        while (lane->need == NULL && next_due(upkeep, &mailbox)) {
            FsNeed *need = upkeep->check(mailbox, upkeep->check_data);

            if (need == NULL)
                continue;
            lane->mailbox = mailbox;
            lane->need = fs_need_ref(need);
            lane->waiter = fs_need_wait(need, on_need, lane);
        }
    }
}

static gboolean
is_unused(gpointer mailbox, gpointer last_use, gpointer user_data)
{
    const FsUpkeep *upkeep = user_data;

    return g_get_monotonic_time() - *(gint64 *)last_use > upkeep->keep_us;
}

static gboolean
is_being_checked(const FsUpkeep *upkeep, guint32 mailbox)
{
    for (guint i = 0; i < LANES; i++)
        if (upkeep->lanes[i].need != NULL &&
            upkeep->lanes[i].mailbox == mailbox)
            return TRUE;
    return FALSE;
}

static void
on_prepared(const GError *error, gpointer user_data)
{
    FsUpkeep *upkeep = user_data;

    if (!fs_need_is_complete(upkeep->prepared)) {
        upkeep->prepared_waiter =
            fs_need_wait(upkeep->prepared, on_prepared, upkeep);
        return;
    }
    g_clear_pointer(&upkeep->prepared, fs_need_unref);
    start_checks(upkeep);
}

static void
prepare(FsUpkeep *upkeep)
{
    g_autoptr(GArray) mailboxes = g_array_new(FALSE, FALSE, sizeof(guint32));
    FsNeed *need;

    stop_preparing(upkeep);
    for (guint i = 0; i < upkeep->due->len; i++) {
        guint32 id = g_array_index(upkeep->due, guint32, i);

        if (id != 0)
            g_array_append_val(mailboxes, id);
    }
    need = upkeep->prepare((const guint32 *)mailboxes->data, mailboxes->len,
                           upkeep->check_data);
    if (need == NULL)
        return;
    upkeep->prepared = fs_need_ref(need);
    upkeep->prepared_waiter = fs_need_wait(need, on_prepared, upkeep);
}

static void
begin_round(FsUpkeep *upkeep)
{
    GHashTableIter iter;
    gpointer mailbox;

    g_array_set_size(upkeep->due, 0);
    g_hash_table_iter_init(&iter, upkeep->last_uses);
    while (g_hash_table_iter_next(&iter, &mailbox, NULL)) {
        guint32 id = GPOINTER_TO_UINT(mailbox);

        if (!is_being_checked(upkeep, id))
            g_array_append_val(upkeep->due, id);
    }
    if (upkeep->prepare != NULL)
        prepare(upkeep);
    start_checks(upkeep);
}

void
fs_upkeep_check_now(FsUpkeep *upkeep)
{
    g_hash_table_foreach_remove(upkeep->last_uses, is_unused, upkeep);
    begin_round(upkeep);
}

static gboolean
on_timer(gpointer user_data)
{
    FsUpkeep *upkeep = user_data;

    g_hash_table_foreach_remove(upkeep->last_uses, is_unused, upkeep);
    if (g_hash_table_size(upkeep->last_uses) == 0) {
        upkeep->timer = 0;
        return G_SOURCE_REMOVE;
    }
    /* A round that takes longer than the interval is not begun anew. */
    if (upkeep->due->len > 0)
        return G_SOURCE_CONTINUE;
    begin_round(upkeep);
    return G_SOURCE_CONTINUE;
}

/* ---- uses ---- */

gboolean
fs_upkeep_use(FsUpkeep *upkeep, guint32 mailbox)
{
    gpointer key = GUINT_TO_POINTER(mailbox);
    gint64 *last_use = g_hash_table_lookup(upkeep->last_uses, key);
    gboolean is_new = last_use == NULL;

    if (is_new) {
        last_use = g_new(gint64, 1);
        g_hash_table_insert(upkeep->last_uses, key, last_use);
    }
    *last_use = g_get_monotonic_time();
    if (upkeep->timer == 0)
        upkeep->timer = g_timeout_add(upkeep->interval_ms, on_timer, upkeep);
    return is_new;
}

gint64
fs_upkeep_last_use(const FsUpkeep *upkeep)
{
    GHashTableIter iter;
    gpointer use;
    gint64 last = 0;

    g_hash_table_iter_init(&iter, upkeep->last_uses);
    while (g_hash_table_iter_next(&iter, NULL, &use))
        last = MAX(last, *(gint64 *)use);
    return last;
}

gboolean
fs_upkeep_is_used(const FsUpkeep *upkeep, guint32 mailbox)
{
    return g_hash_table_contains(upkeep->last_uses, GUINT_TO_POINTER(mailbox));
}

void
fs_upkeep_foreach(const FsUpkeep *upkeep,
                  void (*func)(guint32 mailbox, gpointer user_data),
                  gpointer user_data)
{
    GHashTableIter iter;
    gpointer mailbox;

    g_hash_table_iter_init(&iter, upkeep->last_uses);
    while (g_hash_table_iter_next(&iter, &mailbox, NULL))
        func(GPOINTER_TO_UINT(mailbox), user_data);
}

void
fs_upkeep_drop(FsUpkeep *upkeep, guint32 mailbox)
{
    g_hash_table_remove(upkeep->last_uses, GUINT_TO_POINTER(mailbox));
}
