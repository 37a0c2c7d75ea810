/* Messages with their header fields, in windows.
 *
 * A window is some neighbouring messages: what is kept of them is read from the
 * disk at once, and the rest asked for by one FETCH. One window is read while
 * the next ones are on their way, so that the line does not rest, and memory
 * holds no more than three. The first two are small, for those who want but the
 * first lines. */
#include "fs/views/index/index-source.h"

#include "fs/sync/mailbox-lease.h"
#include "fs/views/index/index-line.h"
#include "fs/views/parts/attachments.h"
#include "imap/error.h"
#include "imap/part-requests.h"
#include "imap/retry.h"

#include <string.h>

/* At once: in the beginning, and for who reads on. */
#define WINDOWS_FIRST 2u
#define WINDOWS 3u
#define WINDOW_FIRST 200u /* messages */
#define WINDOW_GROWTH 4u
#define WINDOW_MAX 4000u
/* Of the UIDs in one FETCH. */
#define SET_LENGTH 7000u /* octets */
/* Messages of a window whose structures cannot be read, one by one. */
#define BROKEN_MAX 4u
/* Rows after which the reader is woken. */
#define ROWS_PER_WAKE 64u
#define FIELDS "FROM TO SUBJECT MESSAGE-ID"

typedef struct {
    FsIndexFields text;
    int attachments;
} Fields;

typedef struct {
    guint32 last;        /* UID; above the window before */
    GHashTable *fields;  /* UID -> Fields, owned */
    ImapUidSet *missing; /* not yet asked for; NULL: none are */
    gboolean plain;      /* without structures */
    gboolean alone;      /* so is the next that is missing, by itself */
    guint n_broken;      /* of such, so far */
    gboolean fetching;
} Window;

struct FsIndexSource {
    FsAccount *account; /* NULL: nobody reads any more */
    guint32 mailbox;
    guint32 after; /* the last UID that was given */
    guint32 window_after;
    guint window_size;
    gboolean complete; /* no more windows */
    gboolean reads_on; /* one window was read */
    GQueue windows;    /* of Window, owned */
    FsNeed *need;      /* moves on with each that comes; NULL: nobody waits */
    GError *error;     /* nothing more can be had */
    FsLeases *leases;
    ImapLease *lease;
    gboolean acquiring;
    ImapRetry retry;
    guint unannounced; /* rows */
};

/* One FETCH. */
typedef struct {
    FsIndexSource *source; /* a reference */
    Window *window;        /* borrowed: valid as long as the source is read */
    ImapConnection *connection; /* a reference */
    ImapUidSet *uids;
    gboolean plain;
} Request;

static void fetch_windows(FsIndexSource *source);

static void
fields_free(gpointer data)
{
    Fields *fields = data;

    fs_index_fields_clear(&fields->text);
    g_free(fields);
}

static void
window_free(gpointer data)
{
    Window *window = data;

    g_hash_table_unref(window->fields);
    imap_uid_set_free(window->missing);
    g_free(window);
}

static void
source_unref(gpointer source)
{
    g_rc_box_release(source);
}

/* ---- waking the reader ---- */

static void
wake(FsIndexSource *source)
{
    source->unannounced = 0;
    if (source->need != NULL)
        fs_need_progress(source->need);
}

static void
fail(FsIndexSource *source, const GError *error)
{
    if (source->error == NULL)
        source->error = g_error_copy(error);
    if (source->need != NULL)
        fs_need_complete(source->need, source->error);
}

static FsNeed *
need_of(FsIndexSource *source)
{
    if (source->need == NULL)
        source->need = fs_need_new();
    if (source->error != NULL)
        fs_need_complete(source->need, source->error);
    return source->need;
}

/* ---- what the server tells ---- */

static void
put_fields(FsIndexSource *source, Window *window, guint32 uid, Fields *fields)
{
    const CacheFieldsRow row = {
        .uid = uid,
        .from = fields->text.from,
        .to = fields->text.to,
        .subject = fields->text.subject,
        .message_id = fields->text.message_id,
        .attachments = fields->attachments,
    };

    cache_fields_put(source->account->fields, source->mailbox, &row);
    g_hash_table_replace(window->fields, GUINT_TO_POINTER(uid), fields);
}

static void
on_head(const ImapFetch *fetch, gpointer user_data)
{
    Request *request = user_data;
    FsIndexSource *source = request->source;
    Fields *fields;
    const char *header = "";
    gsize length = 0;

    if (source->account == NULL)
        return;
    fields = g_new0(Fields, 1);
    if (fetch->header != NULL)
        header = g_bytes_get_data(fetch->header, &length);
    fs_index_fields_read(&fields->text, header, length);
    fields->attachments =
        fetch->structure != NULL ? fs_has_attachments(fetch->structure) : -1;
    put_fields(source, request->window, fetch->uid, fields);
    if (++source->unannounced >= ROWS_PER_WAKE)
        wake(source);
}

static void
request_free(Request *request)
{
    imap_uid_set_free(request->uids);
    imap_connection_unref(request->connection);
    g_rc_box_release(request->source);
    g_free(request);
}

static void
note_missing(Window *window, guint32 uid)
{
    if (g_hash_table_contains(window->fields, GUINT_TO_POINTER(uid)))
        return;
    if (window->missing == NULL)
        window->missing = imap_uid_set_new();
    imap_uid_set_add(window->missing, uid, uid);
}

/* What was asked for and has not come is asked for again. */
static void
put_back(Window *window, ImapUidSet *uids)
{
    guint32 first;
    guint32 last;

    for (guint i = 0; i < imap_uid_set_n_ranges(uids); i++) {
        imap_uid_set_range(uids, i, &first, &last);
        for (guint64 uid = first; uid <= last; uid++)
            note_missing(window, (guint32)uid);
    }
}

static gboolean
is_unreadable(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL);
}

/* Of those that were cut together, the first has given up their connection, and
 * has said whether to go on. */
static gboolean
is_first_told(const Request *request)
{
    const FsIndexSource *source = request->source;

    return source->lease != NULL &&
           imap_lease_connection(source->lease) == request->connection;
}

/* Some servers refuse the structures of broken messages, and some, all that is
 * asked for together with them; and one structure may be too large to be read.
 * Then these are not told of. What was asked for behind that has no part in it,
 * though it ends with the same error. */
static gboolean
is_plain_of_use(const Request *request, const GError *error)
{
    return !request->plain &&
           (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO) ||
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_BAD) ||
            (is_unreadable(error) && is_first_told(request)));
}

/* One answer that cannot be read is that to the first message that has not
 * come; of a refusal nobody knows whose it is, nor of too many. */
static void
become_plain(Window *window, const GError *error)
{
    window->alone = is_unreadable(error) && window->n_broken++ < BROKEN_MAX;
    window->plain = !window->alone;
}

static void
drop_lease(FsIndexSource *source)
{
    if (source->lease != NULL)
        fs_leases_release(source->leases, g_steal_pointer(&source->lease));
}

static gboolean
is_asked_again(Request *request, const GError *error)
{
    FsIndexSource *source = request->source;

    if (!g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) &&
        !is_unreadable(error))
        return FALSE;
    if (!is_first_told(request))
        return source->error == NULL;
    if (!imap_retry_is_due(&source->retry, request->connection, error))
        return FALSE;
    drop_lease(source);
    return TRUE;
}

/* The connection of @request does not live on after such an @error. */
static void
drop_closed(const Request *request, const GError *error)
{
    if (is_unreadable(error) && is_first_told(request))
        drop_lease(request->source);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Request *request = user_data;
    FsIndexSource *source = request->source;
    Window *window = request->window;

    if (source->account == NULL) {
        request_free(request);
        return;
    }
    window->fetching = FALSE;
    if (error == NULL && request->plain)
        window->alone = FALSE;
    if (error != NULL && is_plain_of_use(request, error)) {
        become_plain(window, error);
        put_back(window, request->uids);
        drop_closed(request, error);
    } else if (error != NULL && is_asked_again(request, error)) {
        put_back(window, request->uids);
    } else if (error != NULL) {
        fail(source, error);
    }
    fetch_windows(source);
    wake(source);
    request_free(request);
}

static const ImapHeadsHandler heads_handler = {
    .head = on_head,
    .done = on_done,
};

/* ---- asking ---- */

static void
fetch_window(FsIndexSource *source, Window *window)
{
    Request *request = g_new0(Request, 1);

    request->source = g_rc_box_acquire(source);
    request->window = window;
    request->connection =
        imap_connection_ref(imap_lease_connection(source->lease));
    request->plain = window->plain || window->alone;
    request->uids = imap_uid_set_take(
        window->missing, window->alone ? 1 : WINDOW_MAX, SET_LENGTH);
    if (imap_uid_set_n_ranges(window->missing) == 0)
        g_clear_pointer(&window->missing, imap_uid_set_free);
    window->fetching = TRUE;
    imap_request_fields(imap_lease_connection(source->lease), request->uids,
                        FIELDS, !request->plain, &heads_handler, request);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsIndexSource *source = user_data;

    source->acquiring = FALSE;
    source->lease = lease;
    if (lease != NULL)
        fetch_windows(source);
    else
        fail(source, error);
    g_rc_box_release(source);
}

static Window *
find_missing(FsIndexSource *source)
{
    for (GList *link = source->windows.head; link != NULL; link = link->next) {
        Window *window = link->data;

        if (window->missing != NULL && !window->fetching)
            return window;
    }
    return NULL;
}

static gboolean
is_fetching(const FsIndexSource *source)
{
    for (GList *link = source->windows.head; link != NULL; link = link->next)
        if (((Window *)link->data)->fetching)
            return TRUE;
    return FALSE;
}

static void
fetch_windows(FsIndexSource *source)
{
    Window *window;

    if (source->error != NULL)
        return;
    while ((window = find_missing(source)) != NULL) {
        if (source->lease == NULL) {
            if (!source->acquiring)
                fs_leases_acquire(source->leases, source->mailbox,
                                  IMAP_LEASE_BULK, on_lease,
                                  g_rc_box_acquire(source), source_unref);
            source->acquiring = TRUE;
            return;
        }
        fetch_window(source, window);
    }
    /* It is not kept from others by a reader who rests. */
    if (!is_fetching(source))
        drop_lease(source);
}

/* ---- windows ---- */

/* A CacheFieldsFunc. */
static void
take_kept(const CacheFieldsRow *row, gpointer user_data)
{
    Window *window = user_data;
    Fields *fields = g_new0(Fields, 1);

    fields->text.from = g_strdup(row->from);
    fields->text.to = g_strdup(row->to);
    fields->text.subject = g_strdup(row->subject);
    fields->text.message_id = g_strdup(row->message_id);
    fields->attachments = row->attachments;
    g_hash_table_replace(window->fields, GUINT_TO_POINTER(row->uid), fields);
}

static void
add_window(FsIndexSource *source)
{
    CacheIndex *index = source->account->index;
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    guint32 after = source->window_after;
    CacheMessage message;
    Window *window;

    while (uids->len < source->window_size &&
           cache_index_next(index, source->mailbox, after, &message)) {
        after = message.uid;
        g_array_append_val(uids, after);
    }
    source->complete = uids->len < source->window_size;
    if (uids->len == 0)
        return;
    window = g_new0(Window, 1);
    window->last = after;
    window->fields = g_hash_table_new_full(NULL, NULL, NULL, fields_free);
    cache_fields_read(source->account->fields, source->mailbox,
                      source->window_after + 1, after, take_kept, window);
    for (guint i = 0; i < uids->len; i++)
        note_missing(window, g_array_index(uids, guint32, i));
    source->window_after = after;
    source->window_size = MIN(source->window_size * WINDOW_GROWTH, WINDOW_MAX);
    g_queue_push_tail(&source->windows, window);
}

/* A window whose FETCH is under way stays until it is over. */
static Window *
current_window(FsIndexSource *source)
{
    Window *window = g_queue_peek_head(&source->windows);

    while (window != NULL && source->after >= window->last &&
           !window->fetching) {
        window_free(g_queue_pop_head(&source->windows));
        source->reads_on = TRUE;
        window = g_queue_peek_head(&source->windows);
    }
    while (source->windows.length <
               (source->reads_on ? WINDOWS : WINDOWS_FIRST) &&
           !source->complete)
        add_window(source);
    fetch_windows(source);
    for (GList *link = source->windows.head; link != NULL; link = link->next)
        if (source->after < ((Window *)link->data)->last)
            return link->data;
    return NULL;
}

static void
fill(CacheFieldsRow *row, guint32 uid, const Fields *fields)
{
    row->uid = uid;
    row->from = fields != NULL ? fields->text.from : "";
    row->to = fields != NULL ? fields->text.to : "";
    row->subject = fields != NULL ? fields->text.subject : "";
    row->message_id = fields != NULL ? fields->text.message_id : "";
    row->attachments = fields != NULL ? fields->attachments : -1;
}

gboolean
fs_index_source_next(FsIndexSource *source, CacheFieldsRow *row, FsNeed **need)
{
    CacheIndex *index = source->account->index;
    const Fields *fields;
    CacheMessage message;
    Window *window;

    *need = NULL;
    while ((window = current_window(source)) != NULL) {
        if (!cache_index_next(index, source->mailbox, source->after,
                              &message) ||
            message.uid > window->last) {
            source->after = window->last;
            continue;
        }
        fields =
            g_hash_table_lookup(window->fields, GUINT_TO_POINTER(message.uid));
        if (fields == NULL && (window->fetching || window->missing != NULL)) {
            *need = need_of(source);
            return FALSE;
        }
        source->after = message.uid;
        fill(row, message.uid, fields);
        return TRUE;
    }
    /* Others come when there is room for them. */
    if (!source->complete)
        *need = need_of(source);
    return FALSE;
}

/* ---- making and ending ---- */

FsIndexSource *
fs_index_source_new(FsAccount *account, guint32 mailbox, guint32 after)
{
    FsIndexSource *source = g_rc_box_new0(FsIndexSource);

    source->account = account;
    source->mailbox = mailbox;
    source->after = source->window_after = after;
    source->window_size = WINDOW_FIRST;
    source->leases = fs_leases_new(account);
    g_queue_init(&source->windows);
    imap_retry_begin(&source->retry);
    return source;
}

void
fs_index_source_free(FsIndexSource *source)
{
    if (source == NULL)
        return;
    source->account = NULL;
    fs_leases_free(source->leases);
    source->leases = NULL;
    source->lease = NULL;
    g_queue_clear_full(&source->windows, window_free);
    g_clear_pointer(&source->need, fs_need_unref);
    g_clear_error(&source->error);
    g_rc_box_release(source);
}
