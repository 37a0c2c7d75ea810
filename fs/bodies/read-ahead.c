/* Fetching ahead of programs that read the files of a directory one after
 * another.
 *
 * For each mailbox there are the scans that go on in it (fs/bodies/scans.h),
 * and the batches that they ask for. Each window has a lease of its own, so
 * that where connections are few others get their turn between two windows.
 *
 * A server sends the messages of one command by ascending UID, whatever was
 * asked for. So a scan in another order is fetched in small commands. */
#include "fs/bodies/read-ahead.h"

#include "fs/bodies/body-fetch.h"
#include "fs/bodies/fetch-budget.h"
#include "fs/bodies/scans.h"
#include "imap/error.h"

/* Of one command. */
#define RANGES_MAX 200
#define OTHER_ORDER_COUNT_MAX 64
#define OTHER_ORDER_OCTETS_MAX (1024u * 1024)

/* A server that refuses batches is not asked for them again for so long. */
#define REFUSED_US (60 * G_USEC_PER_SEC)
#define FAILURES_MAX 3

typedef struct {
    FsReadAhead *ahead;
    guint32 id;
    FsScans *scans;
    FsBodyFetch *batch; /* being put together, one of those waiting; or NULL */
    guint64 batch_octets;
    gboolean asked; /* for a lease */
    GQueue waiting; /* batches, for the lease */
    GQueue windows; /* under way: of Window, owned */
    guint failures; /* in succession */
    gint64 refused_at;
} Mailbox;

/* Batches that share a lease. */
typedef struct {
    Mailbox *mailbox;
    ImapLease *lease;
    guint n_batches; /* under way */
    gboolean failed; /* one of them has */
} Window;

struct FsReadAhead {
    FsMessageBodies *bodies;
    GHashTable *mailboxes; /* by id: of Mailbox, owned */
};

/* ---- making and ending ---- */

static void
drop_waiting(Mailbox *mailbox, const GError *error)
{
    FsBodyFetch *batch;

    while ((batch = g_queue_pop_head(&mailbox->waiting)) != NULL)
        fs_body_fetch_drop(batch, error);
}

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    fs_scans_free(mailbox->scans);
    g_queue_clear(&mailbox->waiting);
    g_queue_clear_full(&mailbox->windows, g_free);
    g_free(mailbox);
}

FsReadAhead *
fs_read_ahead_new(FsMessageBodies *bodies)
{
    FsReadAhead *ahead = g_new0(FsReadAhead, 1);

    ahead->bodies = bodies;
    ahead->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    return ahead;
}

void
fs_read_ahead_free(FsReadAhead *ahead)
{
    GHashTableIter iter;
    gpointer value;

    if (ahead == NULL)
        return;
    g_hash_table_iter_init(&iter, ahead->mailboxes);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        drop_waiting(value, NULL);
    g_hash_table_unref(ahead->mailboxes);
    g_free(ahead);
}

/* ---- the line ---- */

static ImapPoolLine
line_of(const Mailbox *mailbox)
{
    ImapPoolLine line;

    imap_pool_line(mailbox->ahead->bodies->account->pool, &line);
    return line;
}

/* Whether a lease will be there at once. */
static gboolean
is_at_hand(const Mailbox *mailbox)
{
    const FsAccount *account = mailbox->ahead->bodies->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);

    return directory != NULL && directory->wire_name != NULL &&
           imap_pool_is_at_hand(account->pool, directory->wire_name);
}

/* ---- batches ---- */

typedef struct {
    FsMessageBodies *bodies; /* a reference */
    guint32 mailbox;
} Asking;

static Asking *
asking_new(Mailbox *mailbox)
{
    Asking *asking = g_new0(Asking, 1);

    asking->bodies = fs_message_bodies_ref(mailbox->ahead->bodies);
    asking->mailbox = mailbox->id;
    return asking;
}

static void
asking_free(gpointer data)
{
    Asking *asking = data;

    fs_message_bodies_unref(asking->bodies);
    g_free(asking);
}

static void
note_failure(Mailbox *mailbox, const GError *error)
{
    /* What they have planned has not come: they begin again. */
    fs_scans_stop(mailbox->scans);
    if (error->code < IMAP_ERROR_NO && ++mailbox->failures < FAILURES_MAX)
        return;
    fs_account_say(mailbox->ahead->bodies->account,
                   "messages are fetched one by one for a while: %s",
                   error->message);
    mailbox->failures = 0;
    mailbox->refused_at = g_get_monotonic_time();
}

static void
end_window(Window *window)
{
    Mailbox *mailbox = window->mailbox;

    fs_leases_release(mailbox->ahead->bodies->leases, window->lease);
    g_queue_remove(&mailbox->windows, window);
    g_free(window);
}

static void
on_batch_done(const GError *error, gpointer user_data)
{
    Window *window = user_data;
    Mailbox *mailbox = window->mailbox;

    if (error == NULL)
        mailbox->failures = 0;
    else if (!window->failed)
        note_failure(mailbox, error);
    window->failed = window->failed || error != NULL;
    if (--window->n_batches == 0)
        end_window(window);
}

static void
send_waiting(Mailbox *mailbox, ImapLease *lease)
{
    Window *window = g_new0(Window, 1);
    FsBodyFetch *batch;

    window->mailbox = mailbox;
    window->lease = lease;
    g_queue_push_tail(&mailbox->windows, window);
    while ((batch = g_queue_pop_head(&mailbox->waiting)) != NULL)
        if (fs_body_fetch_send(batch, imap_lease_connection(lease),
                               on_batch_done, window))
            window->n_batches++;
    if (window->n_batches == 0)
        end_window(window);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Asking *asking = user_data;
    Mailbox *mailbox = g_hash_table_lookup(asking->bodies->ahead->mailboxes,
                                           GUINT_TO_POINTER(asking->mailbox));

    mailbox->asked = FALSE;
    if (lease != NULL) {
        send_waiting(mailbox, lease);
    } else {
        drop_waiting(mailbox, error);
        note_failure(mailbox, error);
    }
    asking_free(asking);
}

/* So little that others can wait for it, or more. */
static ImapLeaseKind
kind_of(const Mailbox *mailbox)
{
    const ImapPoolLine line = line_of(mailbox);

    return fs_scans_octets(mailbox->scans) <= fs_fetch_budget_shared(&line)
               ? IMAP_LEASE_BULK_LIGHT
               : IMAP_LEASE_BULK;
}

/* ---- what the scans want ---- */

static gboolean
is_missing(const CacheMessage *message, guint64 *octets, gpointer user_data)
{
    const Mailbox *mailbox = user_data;
    FsMessageBodies *bodies = mailbox->ahead->bodies;

    *octets = message->size;
    return message->size <= FS_WHOLE_MAX &&
           !fs_message_is_cached(bodies, mailbox->id, message) &&
           fs_body_find(bodies, mailbox->id, message->uid) == NULL;
}

/* No more than the cache keeps until it is opened: as much again comes and is
 * read meanwhile, and is newer then. */
static guint64
budget(gpointer user_data)
{
    const Mailbox *mailbox = user_data;
    const ImapPoolLine line = line_of(mailbox);

    return MIN(fs_fetch_budget(&line),
               cache_blocks_room(mailbox->ahead->bodies->account->blocks) / 3);
}

static gboolean
is_full(const Mailbox *mailbox, gboolean upwards)
{
    const FsBodyFetch *batch = mailbox->batch;

    if (fs_body_fetch_n_ranges(batch) >= RANGES_MAX)
        return TRUE;
    return !upwards && (fs_body_fetch_count(batch) >= OTHER_ORDER_COUNT_MAX ||
                        mailbox->batch_octets >= OTHER_ORDER_OCTETS_MAX);
}

/* A window is one command, or several. */
static void
request(const CacheMessage *message, gboolean upwards, gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (mailbox->batch == NULL) {
        mailbox->batch = fs_body_fetch_new_batch(
            mailbox->ahead->bodies, mailbox->id, is_at_hand(mailbox));
        g_queue_push_tail(&mailbox->waiting, mailbox->batch);
        mailbox->batch_octets = 0;
    }
    fs_body_fetch_add(mailbox->batch, message);
    mailbox->batch_octets += message->size;
    if (is_full(mailbox, upwards))
        mailbox->batch = NULL;
}

static void
end_window_of_scan(gpointer user_data)
{
    ((Mailbox *)user_data)->batch = NULL;
}

static void
send_soon(gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (mailbox->waiting.length == 0 || mailbox->asked)
        return;
    mailbox->asked = TRUE;
    fs_leases_acquire_to_fetch(mailbox->ahead->bodies->leases, mailbox->id,
                               kind_of(mailbox), on_lease, asking_new(mailbox),
                               asking_free);
}

static gboolean
is_busy(gpointer user_data)
{
    const Mailbox *mailbox = user_data;

    return mailbox->windows.length > 0 || mailbox->waiting.length > 0 ||
           mailbox->asked;
}

static const FsScansClient scans_client = {
    .is_missing = is_missing,
    .budget = budget,
    .request = request,
    .end_window = end_window_of_scan,
    .end_plan = send_soon,
    .is_busy = is_busy,
};

static Mailbox *
mailbox_of(FsReadAhead *ahead, guint32 id)
{
    Mailbox *mailbox =
        g_hash_table_lookup(ahead->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox != NULL)
        return mailbox;
    mailbox = g_new0(Mailbox, 1);
    mailbox->ahead = ahead;
    mailbox->id = id;
    mailbox->scans =
        fs_scans_new(ahead->bodies->account, id, &scans_client, mailbox);
    g_queue_init(&mailbox->waiting);
    g_queue_init(&mailbox->windows);
    g_hash_table_insert(ahead->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

/* ---- what is opened ---- */

void
fs_read_ahead_listed(FsReadAhead *ahead, guint32 id, pid_t by)
{
    fs_scans_listed(mailbox_of(ahead, id)->scans, by);
}

void
fs_read_ahead_expect(FsReadAhead *ahead, guint32 id)
{
    fs_scans_expect(mailbox_of(ahead, id)->scans);
}

gboolean
fs_read_ahead_opened(FsReadAhead *ahead, guint32 id, guint32 uid, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    if (mailbox->refused_at != 0 &&
        g_get_monotonic_time() - mailbox->refused_at < REFUSED_US)
        return FALSE;
    return fs_scans_opened(mailbox->scans, uid, by);
}

void
fs_read_ahead_plan(FsReadAhead *ahead, guint32 id)
{
    fs_scans_plan(mailbox_of(ahead, id)->scans);
}
