/* Filling a local file: pieces are read from the cache, or through it from the
 * server, and written to the spool one after another. Nobody else changes the
 * file meanwhile, for whoever wants to waits for this; but for who empties it:
 * then there is nothing more to be filled. */
#include "fs/writing/fill.h"

#include "fs/bodies/message-bodies.h"

#include <gio/gio.h>

#define PIECE (256u * 1024)

typedef struct {
    FsAccount *account;
    FsLocalFile *file; /* a reference */
    FsReader *reader;  /* NULL: not opened yet */
    FsNeed *need;      /* waited for; a reference */
    FsNeedWaiter *waiter;
    guint source;      /* begins; 0 */
    gboolean writes;   /* the disk has not answered yet */
    gboolean is_ended; /* and that is all that is left to come */
    guint64 offset;
} Filling;

/* Of Filling, borrowed: those that are not ended. */
static GQueue under_way = G_QUEUE_INIT;

static void go_on(Filling *filling);

static void
end(Filling *filling, const GError *error)
{
    FsLocalFile *file = filling->file;
    g_autoptr(FsNeed) need = g_steal_pointer(&file->filling);

    g_queue_remove(&under_way, filling);
    file->filled |= error == NULL;
    fs_need_complete(need, error);
    if (filling->waiter != NULL)
        fs_need_cancel(filling->waiter);
    g_clear_pointer(&filling->need, fs_need_unref);
    g_clear_handle_id(&filling->source, g_source_remove);
    fs_reader_free(filling->reader);
    fs_local_file_unref(file);
    filling->is_ended = TRUE;
    if (!filling->writes)
        g_free(filling);
}

void
fs_fill_abandon_all(void)
{
    g_autoptr(GError) error =
        g_error_new_literal(G_IO_ERROR, G_IO_ERROR_FAILED, "the mount is over");

    while (under_way.head != NULL)
        end(under_way.head->data, error);
}

static void
on_need(const GError *error, gpointer user_data)
{
    Filling *filling = user_data;

    filling->waiter = NULL;
    g_clear_pointer(&filling->need, fs_need_unref);
    if (error != NULL)
        end(filling, error);
    else
        go_on(filling);
}

/* Takes over @need. */
static void
wait_for(Filling *filling, FsNeed *need)
{
    filling->need = need;
    filling->waiter = fs_need_wait(need, on_need, filling);
}

static void
on_written(const GError *error, gpointer user_data)
{
    Filling *filling = user_data;

    filling->writes = FALSE;
    if (filling->is_ended) {
        g_free(filling);
    } else if (error != NULL) {
        end(filling, error);
    } else {
        fs_need_progress(filling->file->filling);
        go_on(filling);
    }
}

static gboolean
open_message(Filling *filling)
{
    const FsLocalFile *file = filling->file;
    FsNeed *need = fs_reader_open(filling->account->bodies, file->base_mailbox,
                                  file->base_uid, &filling->reader);

    if (need != NULL)
        wait_for(filling, need);
    return need == NULL;
}

static void
go_on(Filling *filling)
{
    FsLocalFile *file = filling->file;
    g_autoptr(GBytes) piece = NULL;
    g_autofree guint8 *buffer = NULL;
    FsNeed *need = NULL;
    gssize got;

    if (file->filled) {
        end(filling, NULL);
        return;
    }
    if (!open_message(filling))
        return;
    buffer = g_malloc(PIECE);
    got =
        fs_reader_read(filling->reader, filling->offset, buffer, PIECE, &need);
    if (got < 0) {
        wait_for(filling, need);
    } else if (got == 0) {
        file->size = filling->offset;
        fs_written_ranges_add(file->written, 0, file->size);
        end(filling, NULL);
    } else {
        piece = g_bytes_new(buffer, (gsize)got);
        filling->writes = TRUE;
        cache_spool_file_write(file->spool, filling->offset, piece, on_written,
                               filling);
        filling->offset += (guint64)got;
    }
}

static gboolean
on_start(gpointer user_data)
{
    Filling *filling = user_data;

    filling->source = 0;
    go_on(filling);
    return G_SOURCE_REMOVE;
}

FsNeed *
fs_fill_begin(FsAccount *account, FsLocalFile *file)
{
    Filling *filling = g_new0(Filling, 1);

    filling->account = account;
    filling->file = fs_local_file_ref(file);
    file->filling = fs_need_new();
    filling->source =
        g_idle_add_full(G_PRIORITY_DEFAULT, on_start, filling, NULL);
    g_queue_push_tail(&under_way, filling);
    return file->filling;
}
