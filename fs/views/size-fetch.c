/* Asks how large parts of a message are when they are decoded, so that a
 * listing does not have to fetch them. Whatever goes wrong, the parts
 * themselves tell.
 *
 * Dovecot 2.3 is wrong about every part but the last: a size is believed only
 * if it fits the encoded one, as lines of usual lengths give it. */
#include "fs/views/part-maker-private.h"

#include "imap/part-requests.h"

/* At a time. */
#define SECTIONS_MAX 100u

typedef struct {
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    guint32 uid;
    FsPartTree *tree; /* likewise */
    char *key;        /* of the job */
    GArray *asked;    /* guint: indices in the tree */
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

/* Base64 makes four octets of three, and breaks lines after @width of them (0:
 * it does not). The last line need not end. */
static gboolean
fits(guint64 octets, guint width, guint64 size)
{
    guint64 lines = width == 0 ? 0 : octets / (width + 2);
    guint64 rest = octets - lines * (width + 2);
    guint64 most = lines * width + rest;
    guint64 least = lines * width + (rest > 2 ? rest - 2 : 0);

    /* One or two of the last three may be padding. */
    return size <= most / 4 * 3 && size + 2 >= least / 4 * 3;
}

static gboolean
is_plausible(const FsPart *part, guint64 size)
{
    static const guint widths[] = {76, 72, 64, 60, 0};

    for (guint i = 0; i < G_N_ELEMENTS(widths); i++)
        if (fits(part->octets, widths[i], size))
            return TRUE;
    return FALSE;
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
            guint index = g_array_index(fetch->asked, guint, j);
            const FsPart *part = fs_part_tree_get(fetch->tree, index);

            if (g_str_equal(part->section, size->section) &&
                is_plausible(part, size->size))
                keep_told(fetch, index, size->size);
        }
    }
}

static void
finish(Fetch *fetch, const GError *error)
{
    FsPartMaker *maker = fetch->maker;
    gboolean asked = fetch->lease != NULL;

    for (guint i = 0; maker->account != NULL && i < fetch->asked->len; i++) {
        guint index = g_array_index(fetch->asked, guint, i);

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

static const ImapHeadsHandler handler = {.head = on_sizes, .done = on_done};

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
    fetch->n_requests = fetch->asked->len;
    for (guint i = 0; i < fetch->asked->len; i++) {
        const FsPart *part = fs_part_tree_get(
            fetch->tree, g_array_index(fetch->asked, guint, i));

        imap_request_binary_size(imap_lease_connection(lease), fetch->uid,
                                 part->section, &handler, fetch);
    }
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
    fetch->asked = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < tree->parts->len && fetch->asked->len < SECTIONS_MAX;
         i++)
        if (fs_part_is_askable(fs_part_tree_get(tree, i)) &&
            find_told(maker, mailbox, uid, i) == NULL)
            g_array_append_val(fetch->asked, i);
    fs_leases_acquire(maker->leases, mailbox, IMAP_LEASE_SINGLE, on_lease,
                      fetch, fetch_free);
}
