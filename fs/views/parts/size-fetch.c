/* Asks how large parts of a message are when they are decoded, so that a
 * listing does not have to fetch them. Whatever goes wrong, the parts
 * themselves tell.
 *
 * Dovecot 2.3 is wrong about every part but the last, and of broken base64 each
 * decoder makes something else: a size is believed only if it is the one that
 * the encoded part can have. */
#include "fs/views/parts/part-maker-private.h"

#include "fs/views/parts/tail-fetch.h"
#include "imap/part-requests.h"

/* At a time. */
#define SECTIONS_MAX 100u

typedef struct {
    guint index;    /* in the tree */
    guint64 likely; /* the size that it can only have; 0: it is not known */
} Asked;

typedef struct {
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    guint32 uid;
    FsPartTree *tree; /* likewise */
    char *key;        /* of the job */
    GArray *asked;    /* of Asked */
    ImapLease *lease;
    guint n_requests; /* under way */
} Fetch;

static void
fetch_free(gpointer data)
{
    Fetch *fetch = data;

    fs_leases_release(fetch->maker->leases, fetch->lease);
    fs_part_maker_unref(fetch->maker);
    fs_part_tree_unref(fetch->tree);
    g_array_unref(fetch->asked);
    g_free(fetch->key);
    g_free(fetch);
}

/* What is told of the part at @index already; NULL: nothing. */
static const guint64 *
find_told(FsPartMaker *maker, guint32 mailbox, guint32 uid, guint index)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(maker->account->index, mailbox, uid, &message))
        return NULL;
    key = fs_part_content_key(mailbox, &message, FALSE, index);
    return g_hash_table_lookup(maker->told, key);
}

static void
keep_told(Fetch *fetch, guint index, guint64 size)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(fetch->maker->account->index, fetch->mailbox,
                             fetch->uid, &message))
        return;
    key = fs_part_content_key(fetch->mailbox, &message, FALSE, index);
    fs_part_maker_keep_told(fetch->maker, key, size);
}

static void
on_sizes(const ImapFetch *head, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (fetch->maker->account == NULL)
        return;
    for (guint i = 0; i < head->binary_sizes->len; i++) {
        const ImapBinarySize *size =
            &g_array_index(head->binary_sizes, ImapBinarySize, i);

        for (guint j = 0; j < fetch->asked->len; j++) {
            const Asked *asked = &g_array_index(fetch->asked, Asked, j);
            const FsPart *part = fs_part_tree_get(fetch->tree, asked->index);

            if (g_str_equal(part->section, size->section) &&
                size->size == asked->likely && asked->likely != 0)
                keep_told(fetch, asked->index, size->size);
        }
    }
}

static void
finish(Fetch *fetch, const GError *error)
{
    FsPartMaker *maker = fetch->maker;
    gboolean asked = fetch->lease != NULL;

    for (guint i = 0; maker->account != NULL && i < fetch->asked->len; i++) {
        guint index = g_array_index(fetch->asked, Asked, i).index;

        if (asked &&
            find_told(maker, fetch->mailbox, fetch->uid, index) == NULL)
            keep_told(fetch, index, FS_PART_UNTOLD);
    }
    if (maker->account != NULL)
        fs_part_job_end(maker, fetch->key, asked ? NULL : error);
    fetch_free(fetch);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Fetch *fetch = user_data;

    if (--fetch->n_requests == 0)
        finish(fetch, error);
}

typedef struct {
    Fetch *fetch;
    guint number; /* of what was asked */
} Tail;

static void
on_tail_size(guint64 size, gpointer user_data)
{
    const Tail *tail = user_data;

    g_array_index(tail->fetch->asked, Asked, tail->number).likely = size;
}

static void
on_tail_done(gpointer user_data)
{
    g_autofree Tail *tail = user_data;

    on_done(NULL, tail->fetch);
}

static const FsTailHandler tail_handler = {
    .size = on_tail_size,
    .done = on_tail_done,
};

static const ImapHeadsHandler handler = {.head = on_sizes, .done = on_done};

static void
ask(Fetch *fetch, ImapConnection *connection, guint number)
{
    const FsPart *part = fs_part_tree_get(
        fetch->tree, g_array_index(fetch->asked, Asked, number).index);
    Tail *tail = g_new0(Tail, 1);

    tail->fetch = fetch;
    tail->number = number;
    fs_tail_fetch(connection, fetch->uid, part->section, part->octets,
                  &tail_handler, tail);
    imap_request_binary_size(connection, fetch->uid, part->section, &handler,
                             fetch);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Fetch *fetch = user_data;

    fetch->lease = lease;
    if (lease == NULL || fetch->asked->len == 0 ||
        !imap_connection_has(imap_lease_connection(lease), "BINARY")) {
        finish(fetch, error);
        return;
    }
    fetch->n_requests = 2 * fetch->asked->len;
    for (guint i = 0; i < fetch->asked->len; i++)
        ask(fetch, imap_lease_connection(lease), i);
}

void
fs_view_sizes_fetch(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                    const FsPartTree *tree, const char *key)
{
    Fetch *fetch = g_new0(Fetch, 1);

    fetch->maker = fs_part_maker_ref(maker);
    fetch->mailbox = mailbox;
    fetch->uid = uid;
    fetch->tree = fs_part_tree_ref((FsPartTree *)tree);
    fetch->key = g_strdup(key);
    fetch->asked = g_array_new(FALSE, FALSE, sizeof(Asked));
    for (guint i = 0; i < tree->parts->len && fetch->asked->len < SECTIONS_MAX;
         i++) {
        Asked asked = {.index = i};

        if (fs_part_is_askable(fs_part_tree_get(tree, i)) &&
            find_told(maker, mailbox, uid, i) == NULL)
            g_array_append_val(fetch->asked, asked);
    }
    fs_leases_acquire(maker->leases, mailbox, IMAP_LEASE_SINGLE, on_lease,
                      fetch, fetch_free);
}
