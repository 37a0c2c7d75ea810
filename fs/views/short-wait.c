/* A need and a timer for each who waits; what comes first ends the wait. */
#include "fs/views/short-wait.h"

struct FsShortWaits {
    GHashTable *all; /* of Wait, owned */
};

typedef struct {
    FsShortWaits *waits;
    FsNeed *need;         /* a reference: of who waits here */
    FsNeedWaiter *waiter; /* NULL once it was called, as is the timer 0 */
    guint timer;
} Wait;

static void
wait_free(gpointer data)
{
    Wait *wait = data;

    if (wait->waiter != NULL)
        fs_need_cancel(wait->waiter);
    g_clear_handle_id(&wait->timer, g_source_remove);
    fs_need_unref(wait->need);
    g_free(wait);
}

static void
end(Wait *wait, const GError *error)
{
    fs_need_complete(wait->need, error);
    g_hash_table_remove(wait->waits->all, wait);
}

static void
on_need(const GError *error, gpointer user_data)
{
    Wait *wait = user_data;

    wait->waiter = NULL;
    end(wait, error);
}

static gboolean
on_timer(gpointer user_data)
{
    Wait *wait = user_data;

    wait->timer = 0;
    end(wait, NULL);
    return G_SOURCE_REMOVE;
}

FsNeed *
fs_short_waits_add(FsShortWaits *waits, FsNeed *need, gint64 until)
{
    gint64 left = until - g_get_monotonic_time();
    Wait *wait;

    if (left <= 0)
        return NULL;
    wait = g_new0(Wait, 1);
    wait->waits = waits;
    wait->need = fs_need_new();
    wait->waiter = fs_need_wait(need, on_need, wait);
    wait->timer = g_timeout_add((guint)MIN(left / 1000 + 1, (gint64)G_MAXINT),
                                on_timer, wait);
    g_hash_table_add(waits->all, wait);
    return wait->need;
}

FsShortWaits *
fs_short_waits_new(void)
{
    FsShortWaits *waits = g_new0(FsShortWaits, 1);

    waits->all = g_hash_table_new_full(NULL, NULL, wait_free, NULL);
    return waits;
}

void
fs_short_waits_free(FsShortWaits *waits)
{
    if (waits == NULL)
        return;
    g_hash_table_unref(waits->all);
    g_free(waits);
}
