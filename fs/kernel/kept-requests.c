/* Requests of the kernel, in a queue. */
#include "fs/kernel/kept-requests.h"

#include "fs/kernel/process.h"

#include <linux/fuse.h>

/* Each stands for a program that waits; some are long. */
#define REQUESTS_MAX 1000u
#define OCTETS_MAX ((gsize)4 * 1024 * 1024)

typedef struct {
    GBytes *request;
    GBytes *interrupt; /* NULL: it was not */
} Kept;

struct FsKeptRequests {
    GQueue queue; /* of Kept, owned */
    gsize octets;
};

static void
kept_free(gpointer data)
{
    Kept *each = data;

    g_bytes_unref(each->request);
    g_clear_pointer(&each->interrupt, g_bytes_unref);
    g_free(each);
}

FsKeptRequests *
fs_kept_requests_new(void)
{
    FsKeptRequests *kept = g_new0(FsKeptRequests, 1);

    g_queue_init(&kept->queue);
    return kept;
}

void
fs_kept_requests_free(FsKeptRequests *kept)
{
    if (kept == NULL)
        return;
    g_queue_clear_full(&kept->queue, kept_free);
    g_free(kept);
}

gboolean
fs_kept_requests_add(FsKeptRequests *kept, const struct fuse_buf *request)
{
    Kept *each;

    if (kept->queue.length >= REQUESTS_MAX || request->size > OCTETS_MAX ||
        kept->octets > OCTETS_MAX - request->size)
        return FALSE;
    each = g_new0(Kept, 1);
    each->request = g_bytes_new(request->mem, request->size);
    kept->octets += request->size;
    g_queue_push_tail(&kept->queue, each);
    return TRUE;
}

static const struct fuse_in_header *
header_of(const Kept *each)
{
    return g_bytes_get_data(each->request, NULL);
}

gboolean
fs_kept_requests_interrupt(FsKeptRequests *kept, guint64 unique,
                           const struct fuse_buf *interrupt)
{
    for (GList *link = kept->queue.head; link != NULL; link = link->next) {
        Kept *each = link->data;

        if (header_of(each)->unique != unique)
            continue;
        g_clear_pointer(&each->interrupt, g_bytes_unref);
        each->interrupt = g_bytes_new(interrupt->mem, interrupt->size);
        return TRUE;
    }
    return FALSE;
}

gboolean
fs_kept_requests_remove_ended(FsKeptRequests *kept, FsKeptEndedFunc func,
                              gpointer user_data)
{
    gboolean others = FALSE;
    GList *next;

    for (GList *link = kept->queue.head; link != NULL; link = next) {
        Kept *each = link->data;

        next = link->next;
        if (each->interrupt == NULL)
            continue;
        if (!fs_process_is_to_end((pid_t)header_of(each)->pid)) {
            others = TRUE;
            continue;
        }
        kept->octets -= g_bytes_get_size(each->request);
        g_queue_delete_link(&kept->queue, link);
        func(header_of(each)->unique, user_data);
        kept_free(each);
    }
    return others;
}

gpointer
fs_kept_requests_take(FsKeptRequests *kept, struct fuse_buf *request,
                      GBytes **interrupt)
{
    Kept *first = g_queue_pop_head(&kept->queue);

    if (first == NULL)
        return NULL;
    *request = (struct fuse_buf){0};
    *interrupt = g_steal_pointer(&first->interrupt);
    kept->octets -= g_bytes_get_size(first->request);
    request->mem = g_bytes_unref_to_data(first->request, &request->size);
    g_free(first);
    return request->mem;
}
