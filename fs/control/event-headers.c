/* The header fields of new messages: the beginning of each, by a command of its
 * own. Few are under way at a time, and few wait: a flood of new mail is told
 * without them rather than slowed down by them. */
#include "fs/control/event-headers.h"

#include "fs/sync/mailbox-lease.h"
#include "imap/requests.h"

/* Octets in which From and Subject are, nearly always. */
#define BEGINNING (16u * 1024)
#define UNDER_WAY_MAX 8
#define WAITING_MAX 200

struct FsEventHeaders {
    FsLeases *leases;
    FsEventHeaderFunc func;
    gpointer user_data;
    GQueue waiting;   /* of Question, owned */
    GQueue under_way; /* of Question */
};

/* Lives until its command is done, which may be after all else. */
typedef struct {
    FsEventHeaders *headers; /* NULL once nobody wants to know */
    guint32 mailbox;
    guint32 uid;
    ImapLease *lease;
    GByteArray *octets;
    gboolean certain; /* that they are the message's */
} Question;

static void
question_free(gpointer data)
{
    Question *question = data;

    g_byte_array_unref(question->octets);
    g_free(question);
}

static void start_waiting(FsEventHeaders *headers);

static void
answer(Question *question)
{
    FsEventHeaders *headers = question->headers;
    g_autoptr(GBytes) header = NULL;

    if (headers != NULL) {
        if (question->certain)
            header = g_bytes_new(question->octets->data, question->octets->len);
        fs_leases_release(headers->leases, question->lease);
        g_queue_remove(&headers->under_way, question);
        headers->func(question->mailbox, question->uid, header,
                      headers->user_data);
        start_waiting(headers);
    }
    question_free(question);
}

/* ---- what the server sends ---- */

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Question *question = user_data;

    g_byte_array_set_size(question->octets, 0);
    question->certain = FALSE;
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    Question *question = user_data;
    gsize room = BEGINNING - question->octets->len;

    g_byte_array_append(question->octets, data, MIN(length, room));
}

static void
on_end(guint32 uid, gpointer user_data)
{
    Question *question = user_data;

    question->certain = uid == question->uid;
}

static void
on_discard(gpointer user_data)
{
    Question *question = user_data;

    g_byte_array_set_size(question->octets, 0);
}

static void
on_done(const GError *error, gpointer user_data)
{
    answer(user_data);
}

static const ImapBodiesHandler handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Question *question = user_data;

    question->lease = lease;
    if (lease == NULL)
        answer(question);
    else
        imap_request_fetch_part(imap_lease_connection(lease), question->uid, 0,
                                BEGINNING, &handler, question);
}

static void
start_waiting(FsEventHeaders *headers)
{
    while (headers->under_way.length < UNDER_WAY_MAX &&
           headers->waiting.length > 0) {
        Question *question = g_queue_pop_head(&headers->waiting);

        g_queue_push_tail(&headers->under_way, question);
        fs_leases_acquire(headers->leases, question->mailbox, FALSE, on_lease,
                          question, question_free);
    }
}

gboolean
fs_event_headers_ask(FsEventHeaders *headers, guint32 mailbox, guint32 uid)
{
    Question *question;

    if (headers->waiting.length >= WAITING_MAX)
        return FALSE;
    question = g_new0(Question, 1);
    question->headers = headers;
    question->mailbox = mailbox;
    question->uid = uid;
    question->octets = g_byte_array_new();
    g_queue_push_tail(&headers->waiting, question);
    start_waiting(headers);
    return TRUE;
}

/* ---- making and ending ---- */

FsEventHeaders *
fs_event_headers_new(FsAccount *account, FsEventHeaderFunc func,
                     gpointer user_data)
{
    FsEventHeaders *headers = g_new0(FsEventHeaders, 1);

    headers->leases = fs_leases_new(account);
    headers->func = func;
    headers->user_data = user_data;
    g_queue_init(&headers->waiting);
    g_queue_init(&headers->under_way);
    return headers;
}

void
fs_event_headers_free(FsEventHeaders *headers)
{
    if (headers == NULL)
        return;
    for (GList *link = headers->under_way.head; link; link = link->next)
        ((Question *)link->data)->headers = NULL;
    g_queue_clear(&headers->under_way);
    g_queue_clear_full(&headers->waiting, question_free);
    fs_leases_free(headers->leases);
    g_free(headers);
}
