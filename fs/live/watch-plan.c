/* Scores that fade, computed when they are needed. */
#include "fs/live/watch-plan.h"

#define HALF_LIFE_US (10 * G_TIME_SPAN_SECOND)
#define USE_EVERY_US (1 * G_TIME_SPAN_SECOND)
/* No mailbox has a higher one, however long it was used. */
#define SCORE_MAX 5.0
/* By how much another one has to be used more. */
#define FACTOR 1.5
#define MARGIN 0.5

typedef struct {
    double score; /* at @counted_at */
    gint64 counted_at;
} Score;

struct FsWatchPlan {
    GHashTable *scores; /* mailbox -> Score, owned */
    guint32 chosen;
};

FsWatchPlan *
fs_watch_plan_new(void)
{
    FsWatchPlan *plan = g_new0(FsWatchPlan, 1);

    plan->scores = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return plan;
}

void
fs_watch_plan_free(FsWatchPlan *plan)
{
    if (plan == NULL)
        return;
    g_hash_table_unref(plan->scores);
    g_free(plan);
}

static double
score_now(const Score *score, gint64 now)
{
    gint64 age;
    double rest;

    if (score == NULL)
        return 0;
    age = now - score->counted_at;
    rest = score->score;
    for (; age >= HALF_LIFE_US && rest > 0.001; age -= HALF_LIFE_US)
        rest /= 2;
    return age >= HALF_LIFE_US ? 0 : rest * (1 - age / (2.0 * HALF_LIFE_US));
}

static Score *
score_of(const FsWatchPlan *plan, guint32 mailbox)
{
    return g_hash_table_lookup(plan->scores, GUINT_TO_POINTER(mailbox));
}

gboolean
fs_watch_plan_use(FsWatchPlan *plan, guint32 mailbox, gint64 now)
{
    Score *score = score_of(plan, mailbox);
    double chosen;

    if (score == NULL) {
        score = g_new0(Score, 1);
        g_hash_table_insert(plan->scores, GUINT_TO_POINTER(mailbox), score);
    } else if (now - score->counted_at < USE_EVERY_US) {
        return FALSE;
    }
    score->score = MIN(score_now(score, now) + 1, SCORE_MAX);
    score->counted_at = now;
    if (mailbox == plan->chosen)
        return FALSE;
    chosen = score_now(score_of(plan, plan->chosen), now);
    if (plan->chosen != 0 && score->score < FACTOR * chosen + MARGIN)
        return FALSE;
    plan->chosen = mailbox;
    return TRUE;
}

guint32
fs_watch_plan_chosen(const FsWatchPlan *plan)
{
    return plan->chosen;
}

typedef struct {
    guint32 mailbox;
    double score;
    gint64 counted_at;
} Ranked;

static int
compare(gconstpointer a, gconstpointer b)
{
    const Ranked *one = a, *other = b;

    if (one->score != other->score)
        return one->score > other->score ? -1 : 1;
    return (one->counted_at < other->counted_at) -
           (one->counted_at > other->counted_at);
}

GArray *
fs_watch_plan_ranked(const FsWatchPlan *plan, gint64 now)
{
    g_autoptr(GArray) ranked = g_array_new(FALSE, FALSE, sizeof(Ranked));
    GArray *mailboxes = g_array_new(FALSE, FALSE, sizeof(guint32));
    GHashTableIter iter;
    gpointer key, value;

    g_hash_table_iter_init(&iter, plan->scores);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        const Score *score = value;
        Ranked one = {GPOINTER_TO_UINT(key), score_now(score, now),
                      score->counted_at};

        g_array_append_val(ranked, one);
    }
    g_array_sort(ranked, compare);
    for (guint i = 0; i < ranked->len; i++)
        g_array_append_val(mailboxes, g_array_index(ranked, Ranked, i).mailbox);
    return mailboxes;
}

gboolean
fs_watch_plan_is_another(const ImapMailboxStatus *status,
                         const CacheMailbox *known)
{
    return (status->has & IMAP_MAILBOX_UIDVALIDITY) != 0 &&
           known->uidvalidity != 0 && status->uidvalidity != known->uidvalidity;
}

/* The mod-sequence counts every change there is; without it, flags may be
 * other ones. */
gboolean
fs_watch_plan_is_news(const ImapMailboxStatus *status,
                      const CacheMailbox *known, guint64 count)
{
    if (!known->complete || known->highestmodseq == 0 ||
        (status->has & IMAP_MAILBOX_HIGHESTMODSEQ) == 0 ||
        status->highestmodseq != known->highestmodseq)
        return TRUE;
    if ((status->has & IMAP_MAILBOX_UIDVALIDITY) != 0 &&
        status->uidvalidity != known->uidvalidity)
        return TRUE;
    if ((status->has & IMAP_MAILBOX_UIDNEXT) != 0 &&
        status->uidnext != known->uidnext)
        return TRUE;
    return (status->has & IMAP_MAILBOX_MESSAGES) != 0 &&
           status->messages != count;
}
