/* Texts ahead of a program that goes through a directory, by UID up or down. A
 * shell's "*", which goes by names, is one by UID nearly always: names begin
 * with the date. */
#include "fs/views/text-ahead.h"

#include "fs/bodies/fetch-budget.h"
#include "fs/bodies/scan.h"
#include "fs/bodies/uids-below.h"
#include "fs/kernel/process.h"

#include <string.h>

/* Of one batch; and what a text is taken to cost while that is not known. */
#define BATCH_MAX 300u
#define TEXT_OCTETS (16u * 1024)
#define TEXT_OCTETS_MIN (2u * 1024)
/* A second connection is opened for what may come, where that takes long. */
#define PREPARE_ROUND_TRIP_US 5000
#define PREPARE_MESSAGES 50
#define END_US (3 * G_USEC_PER_SEC)
/* After a failure, none is begun for so long. */
#define REFUSED_US (60 * G_USEC_PER_SEC)

typedef struct {
    FsTextAhead *ahead;
    guint32 id;
    FsScanWatch watch;
    pid_t listed_by;
    FsScan *scan; /* NULL: none */
    gboolean down;
    FsUidsBelow *below; /* of such a one */
    guint32 last_uid;
    gint64 opened_at;
    gint64 refused_at; /* 0: never */
} Mailbox;

struct FsTextAhead {
    FsAccount *account;
    FsPartMaker *maker;
    GHashTable *mailboxes; /* by id: of Mailbox, owned */
};

/* ---- making and ending ---- */

static void
stop_scan(Mailbox *mailbox)
{
    g_clear_pointer(&mailbox->scan, fs_scan_free);
    g_clear_pointer(&mailbox->below, fs_uids_below_free);
}

static void
mailbox_free(gpointer data)
{
    stop_scan(data);
    g_free(data);
}

FsTextAhead *
fs_text_ahead_new(FsAccount *account, FsPartMaker *maker)
{
    FsTextAhead *ahead = g_new0(FsTextAhead, 1);

    ahead->account = account;
    ahead->maker = maker;
    ahead->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    return ahead;
}

void
fs_text_ahead_free(FsTextAhead *ahead)
{
    if (ahead == NULL)
        return;
    g_hash_table_unref(ahead->mailboxes);
    g_free(ahead);
}

static Mailbox *
mailbox_of(FsTextAhead *ahead, guint32 id)
{
    Mailbox *mailbox =
        g_hash_table_lookup(ahead->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox != NULL)
        return mailbox;
    mailbox = g_new0(Mailbox, 1);
    mailbox->ahead = ahead;
    mailbox->id = id;
    g_hash_table_insert(ahead->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

/* ---- orders ---- */

static guint32
position_of(const Mailbox *mailbox, guint32 uid)
{
    return mailbox->down ? G_MAXUINT32 - uid : uid;
}

static guint32
next_uid(guint32 uid, gpointer user_data)
{
    const Mailbox *mailbox = user_data;
    CacheMessage message;

    return cache_index_next(mailbox->ahead->account->index, mailbox->id, uid,
                            &message)
               ? message.uid
               : 0;
}

/* What comes after all that is planned; 0: nothing. */
static guint32
uid_after_planned(Mailbox *mailbox)
{
    guint32 planned = fs_scan_planned(mailbox->scan);

    if (!mailbox->down)
        return next_uid(planned, mailbox);
    if (mailbox->below == NULL)
        mailbox->below =
            fs_uids_below_new(mailbox->ahead->account->index, mailbox->id);
    return fs_uids_below_next(mailbox->below, G_MAXUINT32 - planned);
}

/* ---- planning ---- */

static void
on_texts(const GError *error, gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (error == NULL)
        return;
    stop_scan(mailbox);
    mailbox->refused_at = g_get_monotonic_time();
}

static void
send(Mailbox *mailbox, GArray *uids)
{
    if (uids->len == 0)
        return;
    fs_part_maker_texts_ahead(mailbox->ahead->maker, mailbox->id, uids,
                              on_texts, mailbox);
    fs_scan_end_window(mailbox->scan);
    g_array_set_size(uids, 0);
}

/* No more than the cache keeps until it is read. */
static guint64
budget_of(const Mailbox *mailbox)
{
    const FsAccount *account = mailbox->ahead->account;
    ImapPoolLine line;

    imap_pool_line(account->pool, &line);
    return MIN(fs_fetch_budget(&line), cache_blocks_room(account->blocks) / 3);
}

/* What a text is taken to cost until it has come. */
static guint64
cost_of_text(const Mailbox *mailbox)
{
    guint64 mean = fs_part_maker_mean_text(mailbox->ahead->maker);

    return mean != 0 ? MAX(mean, TEXT_OCTETS_MIN) : TEXT_OCTETS;
}

static void
plan(Mailbox *mailbox)
{
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    CacheIndex *index = mailbox->ahead->account->index;
    guint64 room;
    guint count = fs_scan_room(mailbox->scan, budget_of(mailbox), &room);
    guint64 text_octets = cost_of_text(mailbox);
    CacheMessage message;
    guint32 uid;

    while (count > 0 && room > 0 && fs_scan_wants_plan(mailbox->scan) &&
           (uid = uid_after_planned(mailbox)) != 0) {
        guint32 position = position_of(mailbox, uid);
        guint64 octets;

        if (!cache_index_message(index, mailbox->id, uid, &message) ||
            fs_part_maker_has_text(mailbox->ahead->maker, mailbox->id,
                                   &message)) {
            fs_scan_pass_over(mailbox->scan, position);
            continue;
        }
        octets = MIN(message.size, text_octets);
        fs_scan_request(mailbox->scan, position, octets);
        g_array_append_val(uids, uid);
        room -= MIN(room, octets);
        count--;
        if (uids->len == BATCH_MAX)
            send(mailbox, uids);
    }
    send(mailbox, uids);
}

/* ---- what is opened ---- */

/* Whether the texts of a mailbox that is worth it are not there. */
static gboolean
lacks_much(Mailbox *mailbox)
{
    CacheIndex *index = mailbox->ahead->account->index;
    CacheMessage first;

    return cache_index_count(index, mailbox->id) >= PREPARE_MESSAGES &&
           cache_index_next(index, mailbox->id, 0, &first) &&
           !fs_part_maker_has_text(mailbox->ahead->maker, mailbox->id, &first);
}

void
fs_text_ahead_expect(FsTextAhead *ahead, guint32 id)
{
    CacheIndex *index = ahead->account->index;
    CacheMailbox known;
    ImapPoolLine line;

    imap_pool_line(ahead->account->pool, &line);
    if (line.round_trip_us >= PREPARE_ROUND_TRIP_US &&
        (!cache_index_mailbox(index, id, &known) || !known.complete ||
         lacks_much(mailbox_of(ahead, id))))
        imap_pool_prepare(ahead->account->pool);
}

void
fs_text_ahead_listed(FsTextAhead *ahead, guint32 id, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    mailbox->listed_by = by;
    fs_scan_watch_listed(&mailbox->watch, g_get_monotonic_time());
}

static void
begin(Mailbox *mailbox, gboolean down, guint32 uid)
{
    ImapPoolLine line;

    stop_scan(mailbox);
    imap_pool_line(mailbox->ahead->account->pool, &line);
    mailbox->down = down;
    mailbox->scan =
        fs_scan_new(position_of(mailbox, uid), fs_fetch_growth(&line));
}

static gboolean
goes_on(Mailbox *mailbox, guint32 uid, gint64 now)
{
    return mailbox->scan != NULL && now - mailbox->opened_at < END_US &&
           fs_scan_opened(mailbox->scan, position_of(mailbox, uid));
}

/* Whether a scan goes on, or begins. */
static gboolean
is_scanned(Mailbox *mailbox, guint32 uid, pid_t by, gint64 now)
{
    gboolean by_lister = next_uid(uid, mailbox) == 0 &&
                         fs_process_is_one(mailbox->listed_by, by);

    if (goes_on(mailbox, uid, now))
        return TRUE;
    switch (fs_scan_watch_opened(&mailbox->watch, uid, now, by_lister, next_uid,
                                 mailbox)) {
    case FS_SCAN_UP:
        begin(mailbox, FALSE, uid);
        return TRUE;
    case FS_SCAN_DOWN:
        begin(mailbox, TRUE, uid);
        return TRUE;
    case FS_SCAN_ELSE:
    case FS_SCAN_NONE:
        return FALSE;
    }
    return FALSE;
}

void
fs_text_ahead_passed(FsTextAhead *ahead, guint32 id, guint32 uid)
{
    Mailbox *mailbox = mailbox_of(ahead, id);
    gint64 now = g_get_monotonic_time();

    if (mailbox->last_uid == uid || !goes_on(mailbox, uid, now))
        return;
    mailbox->last_uid = uid;
    plan(mailbox);
    mailbox->opened_at = now;
}

void
fs_text_ahead_opened(FsTextAhead *ahead, guint32 id, guint32 uid, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);
    gint64 now = g_get_monotonic_time();

    if (mailbox->last_uid == uid ||
        (mailbox->refused_at != 0 && now - mailbox->refused_at < REFUSED_US))
        return;
    mailbox->last_uid = uid;
    if (is_scanned(mailbox, uid, by, now))
        plan(mailbox);
    mailbox->opened_at = now;
}
