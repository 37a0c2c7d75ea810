/* A timer that runs only while a message is on its way. */
#include "imap/upload-watch.h"

#define MAX_INTERVAL_MS 1000u

/* Of the silence that is allowed. */
#define LOOKS 8

static gboolean
on_time(gpointer user_data)
{
    ImapUploadWatch *watch = user_data;
    guint64 delivered;

    if (!watch->is_due(watch->user_data)) {
        watch->source = 0;
        return G_SOURCE_REMOVE;
    }
    delivered = watch->delivered(watch->user_data);
    if (delivered > watch->last) {
        watch->last = delivered;
        watch->moved(watch->user_data);
    }
    return G_SOURCE_CONTINUE;
}

void
imap_upload_watch_begin(ImapUploadWatch *watch, guint limit_ms)
{
    if (watch->source != 0)
        return;
    watch->last = watch->delivered(watch->user_data);
    watch->source = g_timeout_add(CLAMP(limit_ms / LOOKS, 1, MAX_INTERVAL_MS),
                                  on_time, watch);
}

void
imap_upload_watch_stop(ImapUploadWatch *watch)
{
    g_clear_handle_id(&watch->source, g_source_remove);
}
