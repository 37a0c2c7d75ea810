/* Scans in one mailbox: which there are, in which order each goes, and what
 * comes next in it. */
#include "fs/bodies/scans.h"

#include "fs/bodies/fetch-budget.h"
#include "fs/bodies/scan.h"
#include "fs/bodies/uids-below.h"
#include "fs/kernel/process.h"

#include <string.h>

/* Opening a connection takes some round trips. Where these are long, and a
 * directory is listed of which much is missing, one is opened in time. */
#define PREPARE_ROUND_TRIP_US 5000
#define PREPARE_MESSAGES 50

#define N_SCANS 3
#define END_MS 3000 /* without an opening */
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

/* Reference counted, for the order of names may come after the end. */
struct FsScans {
    FsAccount *account; /* NULL after the end */
    guint32 mailbox;
    const FsScansClient *client;
    gpointer user_data;
    FsScanWatch watch;
    pid_t listed_by; /* 0: not known */
    Stream streams[N_SCANS];
    GArray *names; /* UIDs in the order of names; NULL: not known */
    gint64 names_asked_at;
    guint32 recent[4]; /* opened last; what the order of names is compared to */
    gint64 opened_at;
    guint end_source;
};

/* ---- making and ending ---- */

static void
stream_clear(Stream *stream)
{
    g_clear_pointer(&stream->scan, fs_scan_free);
    g_clear_pointer(&stream->below, fs_uids_below_free);
    *stream = (Stream){0};
}

FsScans *
fs_scans_new(FsAccount *account, guint32 mailbox, const FsScansClient *client,
             gpointer user_data)
{
    FsScans *scans = g_rc_box_new0(FsScans);

    scans->account = account;
    scans->mailbox = mailbox;
    scans->client = client;
    scans->user_data = user_data;
    return scans;
}

void
fs_scans_stop(FsScans *scans)
{
    for (guint i = 0; i < N_SCANS; i++)
        stream_clear(&scans->streams[i]);
}

void
fs_scans_free(FsScans *scans)
{
    if (scans == NULL)
        return;
    scans->account = NULL;
    g_clear_handle_id(&scans->end_source, g_source_remove);
    fs_scans_stop(scans);
    g_clear_pointer(&scans->names, g_array_unref);
    g_rc_box_release(scans);
}

static gboolean
on_quiet(gpointer user_data)
{
    FsScans *scans = user_data;

    if (scans->client->is_busy(scans->user_data) ||
        g_get_monotonic_time() - scans->opened_at < END_MS * (gint64)1000)
        return G_SOURCE_CONTINUE;
    scans->end_source = 0;
    fs_scans_stop(scans);
    g_clear_pointer(&scans->names, g_array_unref);
    return G_SOURCE_REMOVE;
}

static void
watch_for_end(FsScans *scans)
{
    scans->opened_at = g_get_monotonic_time();
    if (scans->end_source == 0)
        scans->end_source = g_timeout_add(END_MS / 2, on_quiet, scans);
}

/* ---- the orders ---- */

static guint32
next_uid(guint32 uid, gpointer user_data)
{
    FsScans *scans = user_data;
    CacheMessage message;

    return cache_index_next(scans->account->index, scans->mailbox, uid,
                            &message)
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
next_in_order(FsScans *scans, Stream *stream, guint32 *position,
              CacheMessage *message)
{
    CacheIndex *index = scans->account->index;
    guint32 planned = fs_scan_planned(stream->scan);
    guint32 uid;

    switch (stream->order) {
    case ORDER_UP:
        if (!cache_index_next(index, scans->mailbox, planned, message))
            return FALSE;
        *position = message->uid;
        return TRUE;
    case ORDER_DOWN:
        if (stream->below == NULL)
            stream->below = fs_uids_below_new(index, scans->mailbox);
        while ((uid = fs_uids_below_next(stream->below,
                                         position_of_down(planned))) != 0) {
            *position = position_of_down(uid);
            if (cache_index_message(index, scans->mailbox, uid, message))
                return TRUE;
        }
        return FALSE;
    case ORDER_NAMES:
        while (scans->names != NULL && ++planned < scans->names->len) {
            *position = planned;
            if (cache_index_message(
                    index, scans->mailbox,
                    g_array_index(scans->names, guint32, planned), message))
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
locate(const FsScans *scans, const Stream *stream, guint32 uid,
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
        for (guint32 i = from;
             scans->names != NULL && i < MIN(scans->names->len, planned + 64);
             i++) {
            if (g_array_index(scans->names, guint32, i) == uid) {
                *position = i;
                return TRUE;
            }
        }
        return FALSE;
    }
    return FALSE;
}

/* ---- planning ---- */

static ImapPoolLine
line_of(const FsScans *scans)
{
    ImapPoolLine line;

    imap_pool_line(scans->account->pool, &line);
    return line;
}

static void
plan(FsScans *scans, Stream *stream)
{
    const FsScansClient *client = scans->client;
    guint64 room;
    guint count =
        fs_scan_room(stream->scan, client->budget(scans->user_data), &room);
    gboolean may_ask = count > 0;
    CacheMessage message;
    guint32 position;
    guint64 octets;

    while (fs_scan_wants_plan(stream->scan) && !stream->at_end) {
        if (may_ask && (count == 0 || room == 0))
            break;
        if (!next_in_order(scans, stream, &position, &message)) {
            stream->at_end = TRUE;
            break;
        }
        if (!client->is_missing(&message, &octets, scans->user_data)) {
            fs_scan_pass_over(stream->scan, position);
            continue;
        }
        if (!may_ask) {
            if (stream->order == ORDER_DOWN)
                fs_uids_below_take_back(stream->below);
            break;
        }
        fs_scan_request(stream->scan, position, octets);
        client->request(&message, stream->order == ORDER_UP, scans->user_data);
        room -= MIN(room, octets);
        count--;
    }
    fs_scan_end_window(stream->scan);
    client->end_window(scans->user_data);
}

void
fs_scans_plan(FsScans *scans)
{
    for (guint i = 0; i < N_SCANS; i++)
        if (scans->streams[i].scan != NULL)
            plan(scans, &scans->streams[i]);
    scans->client->end_plan(scans->user_data);
}

guint64
fs_scans_octets(const FsScans *scans)
{
    guint64 octets = 0;

    for (guint i = 0; i < N_SCANS; i++)
        if (scans->streams[i].scan != NULL)
            octets += fs_scan_octets(scans->streams[i].scan);
    return octets;
}

/* ---- scans ---- */

static void
begin(FsScans *scans, Order order, guint32 position)
{
    const ImapPoolLine line = line_of(scans);
    Stream *stream = &scans->streams[0];

    for (guint i = 0; i < N_SCANS; i++) {
        Stream *other = &scans->streams[i];

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
is_by_name(const FsScans *scans, guint32 *position)
{
    guint32 places[G_N_ELEMENTS(scans->recent)] = {0};
    guint found = 0;

    for (guint32 i = 0; i < scans->names->len; i++) {
        guint32 uid = g_array_index(scans->names, guint32, i);

        for (guint j = 0; j < G_N_ELEMENTS(places); j++) {
            if (scans->recent[j] == uid) {
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

/* Takes over references to both. */
static void
on_ordered(GArray *uids, gpointer user_data)
{
    FsScans *scans = user_data;
    guint32 position;

    if (scans->account != NULL && uids->len > 0) {
        g_clear_pointer(&scans->names, g_array_unref);
        scans->names = g_array_ref(uids);
        if (is_by_name(scans, &position)) {
            begin(scans, ORDER_NAMES, position);
            watch_for_end(scans);
            fs_scans_plan(scans);
        }
    }
    g_array_unref(uids);
    g_rc_box_release(scans);
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
order_by_decimal(FsScans *scans)
{
    GArray *uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    guint32 uid = 0;

    if (cache_index_count(scans->account->index, scans->mailbox) <= DECIMAL_MAX)
        while ((uid = next_uid(uid, scans)) != 0)
            g_array_append_val(uids, uid);
    g_array_sort(uids, compare_decimal);
    on_ordered(uids, g_rc_box_acquire(scans));
}

static void
ask_for_names(FsScans *scans, gint64 now)
{
    const FsOptions *options = scans->account->options;

    if (scans->names_asked_at != 0 && now - scans->names_asked_at < ORDER_US)
        return;
    scans->names_asked_at = now;
    if (options->names == FS_NAMES_UID)
        order_by_decimal(scans);
    else
        cache_index_order_by_name(scans->account->index, scans->mailbox,
                                  options->date == FS_DATE_SENT, on_ordered,
                                  g_rc_box_acquire(scans));
}

static gboolean
is_of_a_scan(FsScans *scans, guint32 uid, gint64 now)
{
    for (guint i = 0; i < N_SCANS; i++) {
        Stream *stream = &scans->streams[i];
        guint32 position;

        if (stream->scan != NULL && locate(scans, stream, uid, &position) &&
            fs_scan_opened(stream->scan, position)) {
            stream->used_at = now;
            return TRUE;
        }
    }
    return FALSE;
}

static void
remember(FsScans *scans, guint32 uid)
{
    if (scans->recent[0] == uid)
        return;
    memmove(&scans->recent[1], &scans->recent[0],
            sizeof scans->recent - sizeof scans->recent[0]);
    scans->recent[0] = uid;
}

/* Whether it is the last message, and its reader has listed the mailbox. */
static gboolean
is_lister(FsScans *scans, guint32 uid, pid_t by)
{
    return next_uid(uid, scans) == 0 && fs_process_is_one(scans->listed_by, by);
}

/* Whether it is likely that much of the mailbox would have to be fetched. */
static gboolean
lacks_much(FsScans *scans)
{
    CacheIndex *index = scans->account->index;
    CacheMailbox known;
    CacheMessage first;
    guint64 octets;

    if (!cache_index_mailbox(index, scans->mailbox, &known) || !known.complete)
        return TRUE;
    return cache_index_count(index, scans->mailbox) >= PREPARE_MESSAGES &&
           cache_index_next(index, scans->mailbox, 0, &first) &&
           scans->client->is_missing(&first, &octets, scans->user_data);
}

void
fs_scans_listed(FsScans *scans, pid_t by)
{
    scans->listed_by = by;
    fs_scan_watch_listed(&scans->watch, g_get_monotonic_time());
}

void
fs_scans_expect(FsScans *scans)
{
    if (line_of(scans).round_trip_us >= PREPARE_ROUND_TRIP_US &&
        lacks_much(scans))
        imap_pool_prepare(scans->account->pool);
}

gboolean
fs_scans_passed(FsScans *scans, guint32 uid)
{
    if (!is_of_a_scan(scans, uid, g_get_monotonic_time()))
        return FALSE;
    watch_for_end(scans);
    return TRUE;
}

gboolean
fs_scans_opened(FsScans *scans, guint32 uid, pid_t by)
{
    gint64 now = g_get_monotonic_time();

    remember(scans, uid);
    if (fs_scans_passed(scans, uid))
        return TRUE;
    switch (fs_scan_watch_opened(&scans->watch, uid, now,
                                 is_lister(scans, uid, by), next_uid, scans)) {
    case FS_SCAN_UP:
        begin(scans, ORDER_UP, uid);
        break;
    case FS_SCAN_DOWN:
        begin(scans, ORDER_DOWN, position_of_down(uid));
        break;
    case FS_SCAN_ELSE:
        ask_for_names(scans, now);
        return FALSE;
    case FS_SCAN_NONE:
        return FALSE;
    }
    watch_for_end(scans);
    return TRUE;
}
