/* Fetching ahead of programs that read the files of a directory one after
 * another.
 *
 * For each mailbox there are the scans that go on in it (fs/bodies/scan.h), and
 * the batches that they ask for. Each window has a lease of its own, so that
 * where connections are few others get their turn between two windows.
 *
 * A server sends the messages of one command by ascending UID, whatever was
 * asked for. So a scan in another order is fetched in small commands. */
#include "fs/bodies/read-ahead.h"

#include "fs/bodies/body-fetch.h"
#include "fs/bodies/fetch-budget.h"
#include "fs/bodies/scan.h"
#include "fs/bodies/uids-below.h"
#include "fs/kernel/process.h"
#include "imap/error.h"

#include <string.h>

/* Opening a connection takes some round trips. Where these are long, and a
 * directory is listed of which much is missing, one is opened in time. */
#define PREPARE_ROUND_TRIP_US 5000
#define PREPARE_MESSAGES 50

/* Of one command. */
#define RANGES_MAX 200
#define OTHER_ORDER_COUNT_MAX 64
#define OTHER_ORDER_OCTETS_MAX (1024u * 1024)

#define N_SCANS 3
#define END_MS 3000 /* without an opening */
/* A server that refuses batches is not asked for them again for so long. */
#define REFUSED_US (60 * G_USEC_PER_SEC)
#define FAILURES_MAX 3
/* Names are put in order at most so often. */
#define ORDER_US (10 * G_USEC_PER_SEC)

typedef enum { ORDER_UP, ORDER_DOWN, ORDER_NAMES } Order;

typedef struct {
    FsScan *scan; /* NULL: none */
    Order order;
    gint64 used_at;
    gboolean at_end;    /* all is planned */
    FsUidsBelow *below; /* of ORDER_DOWN; NULL: not yet */
} Stream;

typedef struct {
    FsReadAhead *ahead;
    guint32 id;
    FsScanWatch watch;
    pid_t listed_by; /* 0: not known */
    Stream streams[N_SCANS];
    GArray *names; /* UIDs in the order of names; NULL: not known */
    gint64 names_asked_at;
    guint32 recent[4]; /* opened last; what the order of names is compared to */
    gboolean asked;    /* for a lease */
    GQueue waiting;    /* batches, for the lease */
    GQueue windows;    /* under way: of Window, owned */
    guint failures;    /* in succession */
    gint64 refused_at;
    gint64 opened_at;
    guint end_source;
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
stream_clear(Stream *stream)
{
    g_clear_pointer(&stream->scan, fs_scan_free);
    g_clear_pointer(&stream->below, fs_uids_below_free);
    *stream = (Stream){0};
}

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

    g_clear_handle_id(&mailbox->end_source, g_source_remove);
    for (guint i = 0; i < N_SCANS; i++)
        stream_clear(&mailbox->streams[i]);
    g_clear_pointer(&mailbox->names, g_array_unref);
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
    g_queue_init(&mailbox->waiting);
    g_queue_init(&mailbox->windows);
    g_hash_table_insert(ahead->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

static CacheIndex *
index_of(const Mailbox *mailbox)
{
    return mailbox->ahead->bodies->account->index;
}

static gboolean
is_busy(const Mailbox *mailbox)
{
    return mailbox->windows.length > 0 || mailbox->waiting.length > 0;
}

static gboolean
on_quiet(gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (is_busy(mailbox) || mailbox->asked ||
        g_get_monotonic_time() - mailbox->opened_at < END_MS * (gint64)1000)
        return G_SOURCE_CONTINUE;
    mailbox->end_source = 0;
    for (guint i = 0; i < N_SCANS; i++)
        stream_clear(&mailbox->streams[i]);
    g_clear_pointer(&mailbox->names, g_array_unref);
    return G_SOURCE_REMOVE;
}

static void
watch_for_end(Mailbox *mailbox)
{
    mailbox->opened_at = g_get_monotonic_time();
    if (mailbox->end_source == 0)
        mailbox->end_source = g_timeout_add(END_MS / 2, on_quiet, mailbox);
}

/* ---- the orders ---- */

static guint32
next_uid(guint32 uid, gpointer user_data)
{
    Mailbox *mailbox = user_data;
    CacheMessage message;

    return cache_index_next(index_of(mailbox), mailbox->id, uid, &message)
               ? message.uid
               : 0;
}

static guint32
position_of_down(guint32 uid)
{
    return G_MAXUINT32 - uid;
}

/* What follows in the stream's order. */
static gboolean
next_in_order(Mailbox *mailbox, Stream *stream, guint32 *position,
              CacheMessage *message)
{
    CacheIndex *index = index_of(mailbox);
    guint32 planned = fs_scan_planned(stream->scan);
    guint32 uid;

    switch (stream->order) {
    case ORDER_UP:
        if (!cache_index_next(index, mailbox->id, planned, message))
            return FALSE;
        *position = message->uid;
        return TRUE;
    case ORDER_DOWN:
        if (stream->below == NULL)
            stream->below = fs_uids_below_new(index, mailbox->id);
        while ((uid = fs_uids_below_next(stream->below,
                                         position_of_down(planned))) != 0) {
            *position = position_of_down(uid);
            if (cache_index_message(index, mailbox->id, uid, message))
                return TRUE;
        }
        return FALSE;
    case ORDER_NAMES:
        while (mailbox->names != NULL && ++planned < mailbox->names->len) {
            *position = planned;
            if (cache_index_message(
                    index, mailbox->id,
                    g_array_index(mailbox->names, guint32, planned), message))
                return TRUE;
        }
        return FALSE;
    }
    return FALSE;
}

/* How far from the planned end a name is looked for. */
#define NAMES_NEAR 8192

/* FALSE when @uid has no place in the order, or is far away. */
static gboolean
locate(const Mailbox *mailbox, const Stream *stream, guint32 uid,
       guint32 *position)
{
    guint32 planned = fs_scan_planned(stream->scan);
    guint32 from = planned > NAMES_NEAR ? planned - NAMES_NEAR : 0;

    switch (stream->order) {
    case ORDER_UP:
        *position = uid;
        return TRUE;
    case ORDER_DOWN:
        *position = position_of_down(uid);
        return TRUE;
    case ORDER_NAMES:
        for (guint32 i = from; mailbox->names != NULL &&
                               i < MIN(mailbox->names->len, planned + 64);
             i++) {
            if (g_array_index(mailbox->names, guint32, i) == uid) {
                *position = i;
                return TRUE;
            }
        }
        return FALSE;
    }
    return FALSE;
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

static void
stop_scans(Mailbox *mailbox)
{
    for (guint i = 0; i < N_SCANS; i++)
        stream_clear(&mailbox->streams[i]);
}

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
    stop_scans(mailbox);
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
    Mailbox *mailbox = mailbox_of(asking->bodies->ahead, asking->mailbox);

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
    guint64 octets = 0;

    for (guint i = 0; i < N_SCANS; i++)
        if (mailbox->streams[i].scan != NULL)
            octets += fs_scan_octets(mailbox->streams[i].scan);
    return octets <= fs_fetch_budget_shared(&line) ? IMAP_LEASE_BULK_LIGHT
                                                   : IMAP_LEASE_BULK;
}

static void
send_soon(Mailbox *mailbox)
{
    if (mailbox->waiting.length == 0 || mailbox->asked)
        return;
    mailbox->asked = TRUE;
    fs_leases_acquire_to_fetch(mailbox->ahead->bodies->leases, mailbox->id,
                               kind_of(mailbox), on_lease, asking_new(mailbox),
                               asking_free);
}

static gboolean
is_full(const Stream *stream, const FsBodyFetch *batch, guint64 octets)
{
    if (fs_body_fetch_n_ranges(batch) >= RANGES_MAX)
        return TRUE;
    return stream->order != ORDER_UP &&
           (fs_body_fetch_count(batch) >= OTHER_ORDER_COUNT_MAX ||
            octets >= OTHER_ORDER_OCTETS_MAX);
}

/* Whether @message is to come in a batch. */
static gboolean
is_missing(Mailbox *mailbox, const CacheMessage *message)
{
    FsMessageBodies *bodies = mailbox->ahead->bodies;

    return message->size <= FS_WHOLE_MAX &&
           !fs_message_is_cached(bodies, mailbox->id, message) &&
           fs_body_find(bodies, mailbox->id, message->uid) == NULL;
}

/* No more than the cache keeps until it is opened: as much again comes and is
 * read meanwhile, and is newer then. */
static guint64
budget_of(const Mailbox *mailbox)
{
    const ImapPoolLine line = line_of(mailbox);

    return MIN(fs_fetch_budget(&line),
               cache_blocks_room(mailbox->ahead->bodies->account->blocks) / 3);
}

/* A window is what there is room for now: one command, or several. */
static void
plan(Mailbox *mailbox, Stream *stream)
{
    FsBodyFetch *batch = NULL;
    guint64 batch_octets = 0;
    guint64 room;
    guint count = fs_scan_room(stream->scan, budget_of(mailbox), &room);
    gboolean may_ask = count > 0;
    CacheMessage message;
    guint32 position;

    while (fs_scan_wants_plan(stream->scan) && !stream->at_end) {
        if (may_ask && (count == 0 || room == 0))
            break;
        if (!next_in_order(mailbox, stream, &position, &message)) {
            stream->at_end = TRUE;
            break;
        }
        if (!is_missing(mailbox, &message)) {
            fs_scan_pass_over(stream->scan, position);
            continue;
        }
        if (!may_ask) {
            if (stream->order == ORDER_DOWN)
                fs_uids_below_take_back(stream->below);
            break;
        }
        if (batch == NULL) {
            batch = fs_body_fetch_new_batch(mailbox->ahead->bodies, mailbox->id,
                                            is_at_hand(mailbox));
            g_queue_push_tail(&mailbox->waiting, batch);
            batch_octets = 0;
        }
        fs_body_fetch_add(batch, &message);
        fs_scan_request(stream->scan, position, message.size);
        batch_octets += message.size;
        room -= MIN(room, message.size);
        count--;
        if (is_full(stream, batch, batch_octets))
            batch = NULL;
    }
    fs_scan_end_window(stream->scan);
}

/* ---- scans ---- */

static void
begin(Mailbox *mailbox, Order order, guint32 position)
{
    const ImapPoolLine line = line_of(mailbox);
    Stream *stream = &mailbox->streams[0];

    for (guint i = 0; i < N_SCANS; i++) {
        Stream *other = &mailbox->streams[i];

        if (other->scan != NULL && other->order == order &&
            fs_scan_jump(other->scan, position)) {
            other->used_at = g_get_monotonic_time();
            return;
        }
        if (other->scan == NULL ||
            (stream->scan != NULL && other->used_at < stream->used_at))
            stream = other;
    }
    stream_clear(stream);
    stream->order = order;
    stream->scan = fs_scan_new(position, fs_fetch_growth(&line));
    stream->used_at = g_get_monotonic_time();
}

/* How near to each other in the order of names what was opened must be. */
#define NAMES_DISTANCE 8

/* The place of what was opened last if the others lie before it. */
static gboolean
is_by_name(const Mailbox *mailbox, guint32 *position)
{
    guint32 places[G_N_ELEMENTS(mailbox->recent)] = {0};
    guint found = 0;

    for (guint32 i = 0; i < mailbox->names->len; i++) {
        guint32 uid = g_array_index(mailbox->names, guint32, i);

        for (guint j = 0; j < G_N_ELEMENTS(places); j++) {
            if (mailbox->recent[j] == uid) {
                places[j] = i;
                found++;
            }
        }
    }
    *position = places[0];
    return found == G_N_ELEMENTS(places) &&
           places[0] - places[1] <= NAMES_DISTANCE &&
           places[1] - places[2] <= NAMES_DISTANCE &&
           places[2] - places[3] <= NAMES_DISTANCE;
}

static void
on_ordered(GArray *uids, gpointer user_data)
{
    Asking *asking = user_data;
    guint32 position;

    if (asking->bodies->account != NULL && uids->len > 0) {
        Mailbox *mailbox = mailbox_of(asking->bodies->ahead, asking->mailbox);

        g_clear_pointer(&mailbox->names, g_array_unref);
        mailbox->names = g_array_ref(uids);
        if (is_by_name(mailbox, &position)) {
            begin(mailbox, ORDER_NAMES, position);
            watch_for_end(mailbox);
            fs_read_ahead_plan(mailbox->ahead, mailbox->id);
        }
    }
    g_array_unref(uids);
    asking_free(asking);
}

/* "10.eml" comes before "9.eml". */
static gint
compare_decimal(gconstpointer a, gconstpointer b)
{
    char first[16];
    char second[16];

    g_snprintf(first, sizeof first, "%u.", *(const guint32 *)a);
    g_snprintf(second, sizeof second, "%u.", *(const guint32 *)b);
    return strcmp(first, second);
}

/* Beyond that it would keep the loop too long. */
#define DECIMAL_MAX 100000

static void
order_by_decimal(Mailbox *mailbox)
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    guint32 uid = 0;

    if (cache_index_count(index_of(mailbox), mailbox->id) <= DECIMAL_MAX)
        while ((uid = next_uid(uid, mailbox)) != 0)
            g_array_append_val(uids, uid);
    g_array_sort(uids, compare_decimal);
    on_ordered(uids, asking_new(mailbox));
}

static void
ask_for_names(Mailbox *mailbox, gint64 now)
{
    const FsOptions *options = mailbox->ahead->bodies->account->options;

    if (mailbox->names_asked_at != 0 &&
        now - mailbox->names_asked_at < ORDER_US)
        return;
    mailbox->names_asked_at = now;
    if (options->names == FS_NAMES_UID)
        order_by_decimal(mailbox);
    else
        cache_index_order_by_name(index_of(mailbox), mailbox->id,
                                  options->date == FS_DATE_SENT, on_ordered,
                                  asking_new(mailbox));
}

static gboolean
is_of_a_scan(Mailbox *mailbox, guint32 uid, gint64 now)
{
    for (guint i = 0; i < N_SCANS; i++) {
        Stream *stream = &mailbox->streams[i];
        guint32 position;

        if (stream->scan != NULL && locate(mailbox, stream, uid, &position) &&
            fs_scan_opened(stream->scan, position)) {
            stream->used_at = now;
            return TRUE;
        }
    }
    return FALSE;
}

static void
remember(Mailbox *mailbox, guint32 uid)
{
    if (mailbox->recent[0] == uid)
        return;
    memmove(&mailbox->recent[1], &mailbox->recent[0],
            sizeof mailbox->recent - sizeof mailbox->recent[0]);
    mailbox->recent[0] = uid;
}

/* Whether it is the last message, and its reader has listed the mailbox. */
static gboolean
is_lister(Mailbox *mailbox, guint32 uid, pid_t by)
{
    return next_uid(uid, mailbox) == 0 &&
           fs_process_is_one(mailbox->listed_by, by);
}

/* Whether it is likely that much of the mailbox would have to be fetched. */
static gboolean
lacks_much(Mailbox *mailbox)
{
    CacheIndex *index = index_of(mailbox);
    CacheMailbox known;
    CacheMessage first;

    if (!cache_index_mailbox(index, mailbox->id, &known) || !known.complete)
        return TRUE;
    return cache_index_count(index, mailbox->id) >= PREPARE_MESSAGES &&
           cache_index_next(index, mailbox->id, 0, &first) &&
           is_missing(mailbox, &first);
}

void
fs_read_ahead_listed(FsReadAhead *ahead, guint32 id, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    mailbox->listed_by = by;
    fs_scan_watch_listed(&mailbox->watch, g_get_monotonic_time());
}

void
fs_read_ahead_expect(FsReadAhead *ahead, guint32 id)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    if (line_of(mailbox).round_trip_us >= PREPARE_ROUND_TRIP_US &&
        lacks_much(mailbox))
        imap_pool_prepare(ahead->bodies->account->pool);
}

gboolean
fs_read_ahead_opened(FsReadAhead *ahead, guint32 id, guint32 uid, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);
    gint64 now = g_get_monotonic_time();

    if (mailbox->refused_at != 0 && now - mailbox->refused_at < REFUSED_US)
        return FALSE;
    remember(mailbox, uid);
    if (is_of_a_scan(mailbox, uid, now)) {
        watch_for_end(mailbox);
        return TRUE;
    }
    switch (fs_scan_watch_opened(&mailbox->watch, uid, now,
                                 is_lister(mailbox, uid, by), next_uid,
                                 mailbox)) {
    case FS_SCAN_UP:
        begin(mailbox, ORDER_UP, uid);
        break;
    case FS_SCAN_DOWN:
        begin(mailbox, ORDER_DOWN, position_of_down(uid));
        break;
    case FS_SCAN_ELSE:
        ask_for_names(mailbox, now);
        return FALSE;
    case FS_SCAN_NONE:
        return FALSE;
    }
    watch_for_end(mailbox);
    return TRUE;
}

void
fs_read_ahead_plan(FsReadAhead *ahead, guint32 id)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    for (guint i = 0; i < N_SCANS; i++)
        if (mailbox->streams[i].scan != NULL)
            plan(mailbox, &mailbox->streams[i]);
    send_soon(mailbox);
}
