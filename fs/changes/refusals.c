/* What the server did not want, until it was told: each directory, and who
 * waits for all, is told of each once. */
#include "fs/changes/pending.h"

/* Older ones are forgotten: the log has them. */
#define REFUSALS_MAX 1000

typedef struct {
    guint64 number;
    guint32 mailbox;
    guint32 target;
    GError *error;
    char *text;
} Refusal;

struct FsRefusals {
    GQueue all; /* of Refusal, the oldest first */
    guint64 last_number;
    guint64 told;        /* of all */
    GHashTable *told_of; /* mailbox -> number that it was told up to */
};

static void
refusal_free(gpointer data)
{
    Refusal *refusal = data;

    g_error_free(refusal->error);
    g_free(refusal->text);
    g_free(refusal);
}

FsRefusals *
fs_refusals_new(void)
{
    FsRefusals *refusals = g_new0(FsRefusals, 1);

    refusals->told_of = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return refusals;
}

void
fs_refusals_free(FsRefusals *refusals)
{
    g_queue_clear_full(&refusals->all, refusal_free);
    g_hash_table_unref(refusals->told_of);
    g_free(refusals);
}

void
fs_refusals_add(FsRefusals *refusals, guint32 mailbox, guint32 target,
                const GError *error, const char *text)
{
    Refusal *refusal = g_new0(Refusal, 1);

    refusal->number = ++refusals->last_number;
    refusal->mailbox = mailbox;
    refusal->target = target;
    refusal->error = g_error_copy(error);
    refusal->text = g_strdup(text);
    g_queue_push_tail(&refusals->all, refusal);
    if (refusals->all.length > REFUSALS_MAX)
        refusal_free(g_queue_pop_head(&refusals->all));
}

static guint64 *
told_of(FsRefusals *refusals, guint32 mailbox)
{
    gpointer key = GUINT_TO_POINTER(mailbox);
    guint64 *told = g_hash_table_lookup(refusals->told_of, key);

    if (told == NULL) {
        told = g_new0(guint64, 1);
        g_hash_table_insert(refusals->told_of, key, told);
    }
    return told;
}

GError *
fs_refusals_take_error(FsRefusals *refusals, guint32 mailbox)
{
    guint64 *told = told_of(refusals, mailbox);
    GError *error = NULL;

    for (GList *link = refusals->all.head; link != NULL && error == NULL;
         link = link->next) {
        const Refusal *refusal = link->data;

        if (refusal->number > *told &&
            (mailbox == 0 || refusal->mailbox == mailbox ||
             refusal->target == mailbox))
            error = g_error_copy(refusal->error);
    }
    *told = refusals->last_number;
    return error;
}

char **
fs_refusals_untold(const FsRefusals *refusals)
{
    GPtrArray *texts = g_ptr_array_new();

    for (GList *link = refusals->all.head; link != NULL; link = link->next) {
        const Refusal *refusal = link->data;

        if (refusal->number > refusals->told)
            g_ptr_array_add(texts, g_strdup(refusal->text));
    }
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

char **
fs_refusals_take_all(FsRefusals *refusals)
{
    char **texts = fs_refusals_untold(refusals);

    refusals->told = refusals->last_number;
    return texts;
}
