/* Requests of the kernel, in a queue. */
#include "fs/kernel/kept-requests.h"

#include <linux/fuse.h>

/* Each stands for a program that waits; some are long. */
#define REQUESTS_MAX 1000u
#define OCTETS_MAX ((gsize)4 * 1024 * 1024)

struct FsKeptRequests {
    GQueue queue; /* of GBytes */
    gsize octets;
};

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
    g_queue_clear_full(&kept->queue, (GDestroyNotify)g_bytes_unref);
    g_free(kept);
}

gboolean
fs_kept_requests_add(FsKeptRequests *kept, const struct fuse_buf *request)
{
    if (kept->queue.length >= REQUESTS_MAX || request->size > OCTETS_MAX ||
        kept->octets > OCTETS_MAX - request->size)
        return FALSE;
    kept->octets += request->size;
    g_queue_push_tail(&kept->queue, g_bytes_new(request->mem, request->size));
    return TRUE;
}

static guint64
unique_of(GBytes *request)
{
    const struct fuse_in_header *header = g_bytes_get_data(request, NULL);

    return header->unique;
}

gboolean
fs_kept_requests_remove(FsKeptRequests *kept, guint64 unique)
{
    for (GList *link = kept->queue.head; link != NULL; link = link->next) {
        if (unique_of(link->data) != unique)
            continue;
        kept->octets -= g_bytes_get_size(link->data);
        g_bytes_unref(link->data);
        g_queue_delete_link(&kept->queue, link);
        return TRUE;
    }
    return FALSE;
}

gpointer
fs_kept_requests_take(FsKeptRequests *kept, struct fuse_buf *request)
{
    GBytes *first = g_queue_pop_head(&kept->queue);

    if (first == NULL)
        return NULL;
    *request = (struct fuse_buf){0};
    kept->octets -= g_bytes_get_size(first);
    request->mem = g_bytes_unref_to_data(first, &request->size);
    return request->mem;
}
