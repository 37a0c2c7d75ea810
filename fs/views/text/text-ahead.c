/* Texts ahead of programs that go through a directory (fs/bodies/scans.h): in
 * batches, which the maker asks for one after another. */
#include "fs/views/text/text-ahead.h"

#include "fs/bodies/fetch-budget.h"
#include "fs/bodies/scans.h"

/* Of one batch; and what a text is taken to cost while that is not known. */
#define BATCH_MAX 300u
#define TEXT_OCTETS (16u * 1024)
#define TEXT_OCTETS_MIN (2u * 1024)
/* After a failure, none is begun for so long. */
#define REFUSED_US (60 * G_USEC_PER_SEC)

typedef struct {
    FsTextAhead *ahead;
    guint32 id;
    FsScans *scans;
    GArray *uids;    /* of the batch that is being put together */
    guint n_batches; /* under way */
    guint32 last_uid;
    gint64 refused_at; /* 0: never */
} Mailbox;

struct FsTextAhead {
    FsAccount *account;
    FsPartMaker *maker;
    GHashTable *mailboxes; /* by id: of Mailbox, owned */
};

/* ---- what the scans want ---- */

/* What a text is taken to cost until it has come. */
static guint64
cost_of_text(const Mailbox *mailbox)
{
    guint64 mean = fs_part_maker_mean_text(mailbox->ahead->maker);

    return mean != 0 ? MAX(mean, TEXT_OCTETS_MIN) : TEXT_OCTETS;
}

static gboolean
is_missing(const CacheMessage *message, guint64 *octets, gpointer user_data)
{
    const Mailbox *mailbox = user_data;

    *octets = MIN(message->size, cost_of_text(mailbox));
    return !fs_part_maker_has_text(mailbox->ahead->maker, mailbox->id, message);
}

/* No more than the cache keeps until it is read. */
static guint64
budget(gpointer user_data)
{
    const FsAccount *account = ((Mailbox *)user_data)->ahead->account;
    ImapPoolLine line;

    imap_pool_line(account->pool, &line);
    return MIN(fs_fetch_budget(&line), cache_blocks_room(account->blocks) / 3);
}

static void
on_texts(const GError *error, gpointer user_data)
{
    Mailbox *mailbox = user_data;

    mailbox->n_batches--;
    if (error == NULL)
        return;
    fs_scans_stop(mailbox->scans);
    mailbox->refused_at = g_get_monotonic_time();
}

static void
send(gpointer user_data)
{
    Mailbox *mailbox = user_data;

    if (mailbox->uids->len == 0)
        return;
    mailbox->n_batches++;
    fs_part_maker_texts_ahead(mailbox->ahead->maker, mailbox->id, mailbox->uids,
                              on_texts, mailbox);
    g_array_set_size(mailbox->uids, 0);
}

static void
request(const CacheMessage *message, gboolean upwards, gpointer user_data)
{
    Mailbox *mailbox = user_data;

    g_array_append_val(mailbox->uids, message->uid);
    if (mailbox->uids->len == BATCH_MAX)
        send(mailbox);
}

static void
end_plan(gpointer user_data)
{
}

static gboolean
is_busy(gpointer user_data)
{
    return ((Mailbox *)user_data)->n_batches > 0;
}

static const FsScansClient scans_client = {
    .is_missing = is_missing,
    .budget = budget,
    .request = request,
    .end_window = send,
    .end_plan = end_plan,
    .is_busy = is_busy,
};

/* ---- making and ending ---- */

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    fs_scans_free(mailbox->scans);
    g_array_unref(mailbox->uids);
    g_free(mailbox);
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
    mailbox->scans = fs_scans_new(ahead->account, id, &scans_client, mailbox);
    mailbox->uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_hash_table_insert(ahead->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

/* ---- what is opened ---- */

void
fs_text_ahead_expect(FsTextAhead *ahead, guint32 id)
{
    fs_scans_expect(mailbox_of(ahead, id)->scans);
}

void
fs_text_ahead_listed(FsTextAhead *ahead, guint32 id, pid_t by)
{
    fs_scans_listed(mailbox_of(ahead, id)->scans, by);
}

void
fs_text_ahead_passed(FsTextAhead *ahead, guint32 id, guint32 uid)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    if (mailbox->last_uid == uid || !fs_scans_passed(mailbox->scans, uid))
        return;
    mailbox->last_uid = uid;
    fs_scans_plan(mailbox->scans);
}

void
fs_text_ahead_opened(FsTextAhead *ahead, guint32 id, guint32 uid, pid_t by)
{
    Mailbox *mailbox = mailbox_of(ahead, id);

    if (mailbox->last_uid == uid ||
        (mailbox->refused_at != 0 &&
         g_get_monotonic_time() - mailbox->refused_at < REFUSED_US))
        return;
    mailbox->last_uid = uid;
    if (fs_scans_opened(mailbox->scans, uid, by))
        fs_scans_plan(mailbox->scans);
}
