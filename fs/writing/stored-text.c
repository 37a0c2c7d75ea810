/* Reads a stored message, in turns: each waits for a need, or gives the main
 * loop back after some octets. */
#include "fs/writing/stored-text.h"

#include "fs/bodies/message-bodies.h"
#include "fs/kernel/errno.h"
#include "fs/live/line.h"
#include "fs/sync/refresh.h"
#include "fs/sync/synchroniser.h"
#include "fs/writing/message-text.h"
#include "imap/error.h"

#include <string.h>

#define PIECE (64u * 1024)
#define PIECES_AT_ONCE 16
#define MAX_SIZES 2
/* That it takes to see whether a message is there. */
#define LOOKS_MAX 10u

struct FsStoredReading {
    FsAccount *account;
    guint32 mailbox;
    guint32 uid;
    guint64 sizes[MAX_SIZES];
    guint n_sizes;
    FsStoredFunc done;
    gpointer user_data;

    gint64 since; /* microseconds, monotonic */
    guint n_looks;
    FsReader *reader; /* NULL: not opened yet */
    FsNeed *need;     /* waited for; a reference; NULL: none */
    FsNeedWaiter *waiter;
    guint source; /* the next turn; 0: none */
    guint64 offset;
    GString *header;
    gboolean has_header;
    GChecksum *checksum; /* NULL: only the header is wanted */
};

static void go_on(FsStoredReading *reading);

void
fs_stored_reading_cancel(FsStoredReading *reading)
{
    if (reading == NULL)
        return;
    if (reading->waiter != NULL)
        fs_need_cancel(reading->waiter);
    g_clear_handle_id(&reading->source, g_source_remove);
    g_clear_pointer(&reading->need, fs_need_unref);
    fs_reader_free(reading->reader);
    g_string_free(reading->header, TRUE);
    g_clear_pointer(&reading->checksum, g_checksum_free);
    g_free(reading);
}

static void
finish(FsStoredReading *reading, const GError *error)
{
    FsStoredText stored = {0};

    if (error == NULL) {
        stored.size = fs_reader_size(reading->reader);
        if (reading->checksum != NULL)
            stored.digest = g_strdup(g_checksum_get_string(reading->checksum));
        stored.identity = fs_message_header_identity(reading->header->str,
                                                     reading->header->len);
        stored.message_id =
            fs_message_header_id(reading->header->str, reading->header->len);
    }
    reading->done(error == NULL ? &stored : NULL, error, reading->user_data);
    g_free(stored.digest);
    g_free(stored.identity);
    g_free(stored.message_id);
    fs_stored_reading_cancel(reading);
}

static void
on_need(const GError *error, gpointer user_data)
{
    FsStoredReading *reading = user_data;

    /* The waiter has a reference of its own. */
    g_clear_pointer(&reading->need, fs_need_unref);
    reading->waiter = NULL;
    if (error != NULL)
        finish(reading, error);
    else
        go_on(reading);
}

/* Takes over @need. */
static void
wait_for(FsStoredReading *reading, FsNeed *need)
{
    reading->need = need;
    reading->waiter = fs_need_wait(need, on_need, reading);
}

static gboolean
on_turn(gpointer user_data)
{
    FsStoredReading *reading = user_data;

    reading->source = 0;
    go_on(reading);
    return G_SOURCE_REMOVE;
}

/* It may have come just before the line was lost: so it is gone only when the
 * server has said so since. */
static void
finish_without(FsStoredReading *reading, gboolean gone)
{
    g_autoptr(GError) error =
        gone ? g_error_new(FS_ERROR, FS_ERROR_GONE, "the message is gone")
             : g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                           "what is to be replaced cannot be seen now");

    finish(reading, error);
}

/* FALSE: it waits, or is over. */
static gboolean
find_message(FsStoredReading *reading)
{
    FsAccount *account = reading->account;
    CacheMessage message;
    FsNeed *need = fs_synchroniser_need_certainty(
        account->synchroniser, reading->mailbox, reading->uid, reading->since);

    if (need != NULL &&
        (fs_line_is_away(account->line) || reading->n_looks++ >= LOOKS_MAX)) {
        finish_without(reading, FALSE);
        return FALSE;
    }
    if (need != NULL) {
        wait_for(reading, fs_need_ref(need));
        return FALSE;
    }
    if (cache_index_message(account->index, reading->mailbox, reading->uid,
                            &message))
        return TRUE;
    finish_without(reading, TRUE);
    return FALSE;
}

/* FALSE: it waits, or is over. */
static gboolean
open_message(FsStoredReading *reading)
{
    guint64 size;
    FsNeed *need;

    if (!find_message(reading))
        return FALSE;
    need = fs_reader_open(reading->account->bodies, reading->mailbox,
                          reading->uid, &reading->reader);
    if (need != NULL) {
        wait_for(reading, need);
        return FALSE;
    }
    size = fs_reader_size(reading->reader);
    for (guint i = 0; i < reading->n_sizes; i++)
        if (reading->sizes[i] == size && reading->checksum == NULL)
            reading->checksum = g_checksum_new(G_CHECKSUM_SHA256);
    return TRUE;
}

static void
take(FsStoredReading *reading, const char *data, gsize length)
{
    if (reading->checksum != NULL)
        g_checksum_update(reading->checksum, (const guchar *)data,
                          (gssize)length);
    if (reading->has_header)
        return;
    g_string_append_len(reading->header, data, (gssize)length);
    reading->has_header = reading->header->len >= FS_MESSAGE_HEADER_MAX ||
                          strstr(reading->header->str, "\r\n\r\n") != NULL;
}

static void
go_on(FsStoredReading *reading)
{
    g_autofree char *buffer = NULL;

    if (reading->reader == NULL && !open_message(reading))
        return;
    buffer = g_malloc(PIECE);
    for (guint i = 0; i < PIECES_AT_ONCE; i++) {
        FsNeed *need = NULL;
        gssize got;

        if (reading->has_header && reading->checksum == NULL) {
            finish(reading, NULL);
            return;
        }
        got = fs_reader_read(reading->reader, reading->offset, buffer, PIECE,
                             &need);
        if (got < 0) {
            wait_for(reading, need);
            return;
        }
        if (got == 0) {
            finish(reading, NULL);
            return;
        }
        take(reading, buffer, (gsize)got);
        reading->offset += (guint64)got;
    }
    reading->source =
        g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, reading, NULL);
}

FsStoredReading *
fs_stored_text_read(FsAccount *account, guint32 mailbox, guint32 uid,
                    const guint64 *sizes, guint n_sizes, FsStoredFunc done,
                    gpointer user_data)
{
    FsStoredReading *reading = g_new0(FsStoredReading, 1);

    reading->account = account;
    reading->mailbox = mailbox;
    reading->uid = uid;
    reading->n_sizes = MIN(n_sizes, MAX_SIZES);
    for (guint i = 0; i < reading->n_sizes; i++)
        reading->sizes[i] = sizes[i];
    reading->done = done;
    reading->user_data = user_data;
    reading->header = g_string_new(NULL);
    reading->since = g_get_monotonic_time();
    reading->source =
        g_idle_add_full(G_PRIORITY_DEFAULT, on_turn, reading, NULL);
    return reading;
}
