/* Asking a server whether messages exist. Who asks while a lease is waited for
 * goes into the same command. */
#include "fs/sync/existence.h"

#include "imap/requests.h"
#include "imap/retry.h"

/* Of one command: servers take lines of some 8000 octets. */
#define QUESTIONS_MAX 500

typedef struct {
    guint32 uid;
    FsExistsFunc func;
    gpointer user_data;
    GDestroyNotify free_data;
} Question;

typedef struct {
    FsMessageBodies *bodies; /* a reference */
    guint32 mailbox;
    GArray *questions; /* of Question */
    ImapLease *lease;
    ImapRetry retry;
} Check;

static void
check_free(Check *check)
{
    fs_leases_release(check->bodies->leases, check->lease);
    g_array_unref(check->questions);
    fs_message_bodies_unref(check->bodies);
    g_free(check);
}

static void
abandon(gpointer user_data)
{
    Check *check = user_data;

    for (guint i = 0; i < check->questions->len; i++) {
        Question *question = &g_array_index(check->questions, Question, i);

        question->free_data(question->user_data);
    }
    check_free(check);
}

static void
answer(Check *check, const ImapUidSet *found, const GError *error)
{
    for (guint i = 0; i < check->questions->len; i++) {
        Question *question = &g_array_index(check->questions, Question, i);

        question->func(found != NULL &&
                           imap_uid_set_contains(found, question->uid),
                       error, question->user_data);
    }
    check_free(check);
}

static void on_lease(ImapLease *lease, const GError *error, gpointer user_data);

static void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Check *check = user_data;

    if (check->bodies->account == NULL) {
        abandon(check);
    } else if (imap_retry_is_due(&check->retry,
                                 imap_lease_connection(check->lease), error)) {
        fs_leases_release(check->bodies->leases,
                          g_steal_pointer(&check->lease));
        fs_leases_acquire(check->bodies->leases, check->mailbox,
                          IMAP_LEASE_SINGLE, on_lease, check, abandon);
    } else {
        answer(check, found, error);
    }
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Check *check = user_data;
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();

    if (g_hash_table_lookup(check->bodies->checks,
                            GUINT_TO_POINTER(check->mailbox)) == check)
        g_hash_table_remove(check->bodies->checks,
                            GUINT_TO_POINTER(check->mailbox));
    if (lease == NULL) {
        answer(check, NULL, error);
        return;
    }
    check->lease = lease;
    for (guint i = 0; i < check->questions->len; i++) {
        guint32 uid = g_array_index(check->questions, Question, i).uid;

        imap_uid_set_add(uids, uid, uid);
    }
    imap_request_search(imap_lease_connection(lease), uids, on_found, check);
}

void
fs_existence_ask(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                 FsExistsFunc func, gpointer user_data,
                 GDestroyNotify free_data)
{
    Check *check =
        g_hash_table_lookup(bodies->checks, GUINT_TO_POINTER(mailbox));
    Question question = {uid, func, user_data, free_data};

    if (check == NULL || check->questions->len >= QUESTIONS_MAX) {
        check = g_new0(Check, 1);
        check->bodies = fs_message_bodies_ref(bodies);
        check->mailbox = mailbox;
        imap_retry_begin(&check->retry);
        check->questions = g_array_new(FALSE, FALSE, sizeof(Question));
        g_hash_table_insert(bodies->checks, GUINT_TO_POINTER(mailbox), check);
        fs_leases_acquire(bodies->leases, mailbox, IMAP_LEASE_SINGLE, on_lease,
                          check, abandon);
    }
    g_array_append_val(check->questions, question);
}
