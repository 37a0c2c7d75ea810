/* A record for each mailbox that waits for its turn, is being asked for, or
 * rests after that. */
#include "fs/sync/freshener.h"

/* So many are asked for at a time: programs that want something from the server
 * have to get a turn, too. */
#define LANES 2

typedef enum {
    WAITING, /* in the queue */
    ASKING,
    RESTING,
} State;

typedef struct {
    FsFreshener *freshener;
    guint32 mailbox;
    State state;
    gboolean again;   /* there was a hint since asking began */
    gint64 hinted_at; /* microseconds, monotonic: the last one */
    FsNeed *need;     /* while asking */
    FsNeedWaiter *waiter;
    guint timer; /* while resting */
} Mailbox;

struct FsFreshener {
    guint rest_ms;
    FsFreshenFunc freshen;
    gpointer user_data;
    GHashTable *mailboxes; /* id -> Mailbox, owned */
    GQueue waiting;        /* of Mailbox, borrowed */
    guint n_asking;
    guint n_busy; /* waiting, asking, or to be asked for after the rest */
    gboolean starting;
};

static void start(FsFreshener *freshener);

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    if (mailbox->need != NULL) {
        fs_need_cancel(mailbox->waiter);
        fs_need_unref(mailbox->need);
    }
    g_clear_handle_id(&mailbox->timer, g_source_remove);
    g_free(mailbox);
}

FsFreshener *
fs_freshener_new(guint rest_ms, FsFreshenFunc freshen, gpointer user_data)
{
    FsFreshener *freshener = g_new0(FsFreshener, 1);

    freshener->rest_ms = rest_ms;
    freshener->freshen = freshen;
    freshener->user_data = user_data;
    freshener->mailboxes =
        g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    g_queue_init(&freshener->waiting);
    return freshener;
}

void
fs_freshener_free(FsFreshener *freshener)
{
    if (freshener == NULL)
        return;
    g_queue_clear(&freshener->waiting);
    g_hash_table_unref(freshener->mailboxes);
    g_free(freshener);
}

static void
enqueue(Mailbox *mailbox)
{
    mailbox->state = WAITING;
    mailbox->again = FALSE;
    g_queue_push_tail(&mailbox->freshener->waiting, mailbox);
}

/* ---- asking, and the rest after it ---- */

static gboolean
on_rested(gpointer user_data)
{
    Mailbox *mailbox = user_data;
    FsFreshener *freshener = mailbox->freshener;

    mailbox->timer = 0;
    if (!mailbox->again) {
        g_hash_table_remove(freshener->mailboxes,
                            GUINT_TO_POINTER(mailbox->mailbox));
        return G_SOURCE_REMOVE;
    }
    enqueue(mailbox);
    start(freshener);
    return G_SOURCE_REMOVE;
}

static void
rest(Mailbox *mailbox)
{
    mailbox->state = RESTING;
    mailbox->timer =
        g_timeout_add(mailbox->freshener->rest_ms, on_rested, mailbox);
    mailbox->freshener->n_busy -= !mailbox->again;
}

static void
on_need(const GError *error, gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (!fs_need_is_complete(mailbox->need)) {
        mailbox->waiter = fs_need_wait(mailbox->need, on_need, mailbox);
        return;
    }
    /* What could not be asked for is asked for by the next who needs it. */
    g_clear_pointer(&mailbox->need, fs_need_unref);
    mailbox->freshener->n_asking--;
    rest(mailbox);
    start(mailbox->freshener);
}

static void
ask(Mailbox *mailbox)
{
    FsFreshener *freshener = mailbox->freshener;
    gboolean begun = TRUE;
    FsNeed *need;

    mailbox->state = ASKING;
    need = freshener->freshen(mailbox->mailbox, mailbox->hinted_at, &begun,
                              freshener->user_data);
    if (need == NULL) {
        rest(mailbox);
        return;
    }
    mailbox->again = mailbox->again || !begun;
    mailbox->need = fs_need_ref(need);
    mailbox->waiter = fs_need_wait(need, on_need, mailbox);
    freshener->n_asking++;
}

/* Asking may bring hints. */
static void
start(FsFreshener *freshener)
{
    if (freshener->starting)
        return;
    freshener->starting = TRUE;
    while (freshener->n_asking < LANES && freshener->waiting.length > 0)
        ask(g_queue_pop_head(&freshener->waiting));
    freshener->starting = FALSE;
}

void
fs_freshener_hint(FsFreshener *freshener, guint32 id)
{
    gpointer key = GUINT_TO_POINTER(id);
    Mailbox *mailbox = g_hash_table_lookup(freshener->mailboxes, key);

    if (mailbox == NULL) {
        mailbox = g_new0(Mailbox, 1);
        mailbox->freshener = freshener;
        mailbox->mailbox = id;
        mailbox->hinted_at = g_get_monotonic_time();
        g_hash_table_insert(freshener->mailboxes, key, mailbox);
        freshener->n_busy++;
        enqueue(mailbox);
        start(freshener);
        return;
    }
    mailbox->hinted_at = g_get_monotonic_time();
    if (mailbox->state != WAITING && !mailbox->again) {
        mailbox->again = TRUE;
        freshener->n_busy += mailbox->state == RESTING;
    }
}

gboolean
fs_freshener_is_quiet(const FsFreshener *freshener)
{
    return freshener->n_busy == 0;
}
