/* What a server says of a mailbox that is not selected tells all only with
 * mod-sequences: without them, flags may be other ones. So nothing is asked
 * for there. Nor is it of the mailbox that is selected on the connection that
 * asks (RFC 9051, section 6.3.11): that one is synchronised there at once,
 * before the connection is taken for another. */
#include "fs/sync/status-poll.h"

#include "fs/live/watch-plan.h"
#include "fs/sync/synchroniser.h"
#include "imap/status-request.h"

/* What is asked for by a single STATUS may as well be asked for directly. */
#define MIN_MAILBOXES 2

/* Counted by reference, for answers may come after the end. */
typedef struct {
    FsStatusPoll *poll; /* NULL once it is not wanted any more */
    GPtrArray *names;   /* of wire names; NULL-terminated */
    gint64 asked_at;    /* microseconds, monotonic */
    ImapLease *lease;
    FsNeed *need;
} Question;

struct FsStatusPoll {
    FsAccount *account;
    GHashTable *settled; /* mailboxes: unchanged, or being synchronised */
    Question *question;  /* a reference; NULL: none yet */
};

static void
question_clear(gpointer data)
{
    Question *question = data;

    imap_lease_release(question->lease);
    g_ptr_array_unref(question->names);
    fs_need_unref(question->need);
}

static void
question_unref(gpointer question)
{
    g_rc_box_release_full(question, question_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Question, question_unref)

static void
forget_question(FsStatusPoll *poll)
{
    Question *question = g_steal_pointer(&poll->question);

    if (question == NULL)
        return;
    question->poll = NULL;
    g_clear_pointer(&question->lease, imap_lease_release);
    fs_need_complete(question->need, NULL);
    question_unref(question);
}

FsStatusPoll *
fs_status_poll_new(FsAccount *account)
{
    FsStatusPoll *poll = g_new0(FsStatusPoll, 1);

    poll->account = account;
    poll->settled = g_hash_table_new(NULL, NULL);
    return poll;
}

void
fs_status_poll_free(FsStatusPoll *poll)
{
    if (poll == NULL)
        return;
    forget_question(poll);
    g_hash_table_unref(poll->settled);
    g_free(poll);
}

/* ---- the answer ---- */

static void
on_status(const ImapMailboxStatus *status, gpointer user_data)
{
    Question *question = user_data;
    const FsAccount *account;
    const FsMailbox *mailbox;
    CacheMailbox known;

    if (question->poll == NULL)
        return;
    account = question->poll->account;
    mailbox = fs_mailbox_tree_by_wire_name(account->tree, status->name);
    if (mailbox == NULL ||
        !cache_index_mailbox(account->index, mailbox->id, &known))
        return;
    if (fs_watch_plan_is_another(status, &known)) {
        imap_pool_forget_selected(account->pool, status->name);
        return;
    }
    if (fs_watch_plan_is_news(status, &known,
                              cache_index_count(account->index, mailbox->id)))
        return;
    if (fs_synchroniser_confirm(account->synchroniser, mailbox->id,
                                question->asked_at))
        g_hash_table_add(question->poll->settled,
                         GUINT_TO_POINTER(mailbox->id));
}

static void
end(Question *question)
{
    g_clear_pointer(&question->lease, imap_lease_release);
    fs_need_complete(question->need, NULL);
}

/* Who was not told of is synchronised: there, errors are told, too. */
static void
on_done(const GError *error, gpointer user_data)
{
    g_autoptr(Question) question = user_data;

    end(question);
}

static const ImapStatusHandler handler = {.status = on_status, .done = on_done};

/* Of what is asked for, the mailbox that the connection has selected. What is
 * being synchronised since before may come out as it was then. */
static void
synchronise_selected(Question *question)
{
    const FsAccount *account = question->poll->account;
    const char *selected =
        imap_connection_mailbox(imap_lease_connection(question->lease))->name;
    const FsMailbox *mailbox;
    gboolean begun = FALSE;

    for (guint i = 0; i < question->names->len - 1; i++) {
        if (g_strcmp0(g_ptr_array_index(question->names, i), selected) != 0)
            continue;
        mailbox = fs_mailbox_tree_by_wire_name(account->tree, selected);
        if (mailbox == NULL)
            return;
        fs_synchroniser_freshen(account->synchroniser, mailbox->id,
                                question->asked_at, &begun);
        if (begun)
            g_hash_table_add(question->poll->settled,
                             GUINT_TO_POINTER(mailbox->id));
        return;
    }
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(Question) question = user_data;

    if (question->poll == NULL) {
        imap_lease_release(lease);
        return;
    }
    question->lease = lease;
    if (lease == NULL ||
        !imap_connection_has_condstore(imap_lease_connection(lease))) {
        end(question);
        return;
    }
    synchronise_selected(question);
    if (!imap_request_statuses(imap_lease_connection(lease),
                               (const char *const *)question->names->pdata,
                               &handler, g_rc_box_acquire(question)))
        end(question);
}

/* ---- the question ---- */

static void
add(const FsStatusPoll *poll, guint32 id, GPtrArray *names)
{
    const FsMailbox *mailbox = fs_mailbox_tree_get(poll->account->tree, id);
    CacheMailbox known;

    if (mailbox != NULL && mailbox->selectable && mailbox->wire_name != NULL &&
        cache_index_mailbox(poll->account->index, id, &known) &&
        known.complete && known.highestmodseq != 0)
        g_ptr_array_add(names, g_strdup(mailbox->wire_name));
}

FsNeed *
fs_status_poll_begin(FsStatusPoll *poll, const guint32 *mailboxes, guint n)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Question *question;

    forget_question(poll);
    g_hash_table_remove_all(poll->settled);
    for (guint i = 0; i < n; i++)
        add(poll, mailboxes[i], names);
    if (names->len < MIN_MAILBOXES)
        return NULL;
    g_ptr_array_add(names, NULL);
    question = poll->question = g_rc_box_new0(Question);
    question->poll = poll;
    question->names = g_steal_pointer(&names);
    question->asked_at = g_get_monotonic_time();
    question->need = fs_need_new();
    imap_pool_acquire(poll->account->pool, NULL, on_lease,
                      g_rc_box_acquire(question));
    return question->need;
}

gboolean
fs_status_poll_is_settled(const FsStatusPoll *poll, guint32 mailbox)
{
    return g_hash_table_contains(poll->settled, GUINT_TO_POINTER(mailbox));
}
