/* The end of a mount: what is pending is sent, as far as that goes. */
#include "fs/changes/pending.h"
#include "fs/writing/writing.h"

#define LOOK_MS 100u

struct FsDrain {
    FsChanges *changes;
    gint64 until; /* microseconds, monotonic */
    void (*done)(gpointer user_data);
    gpointer user_data;
    guint timer;
};

gboolean
fs_drain_is_needed(FsChanges *changes)
{
    FsWriting *writing = changes->account->writing;

    if (writing != NULL &&
        fs_uploads_need_settled(fs_writing_uploads(writing)) != NULL)
        return TRUE;
    return fs_changes_go_on(changes, 0) && !fs_changes_are_stuck(changes);
}

static gboolean
on_look(gpointer user_data)
{
    FsDrain *drain = user_data;
    FsChanges *changes = drain->changes;

    if (fs_drain_is_needed(changes) && g_get_monotonic_time() < drain->until)
        return G_SOURCE_CONTINUE;
    drain->timer = 0;
    drain->done(drain->user_data);
    return G_SOURCE_REMOVE;
}

FsDrain *
fs_drain_new(FsChanges *changes, guint limit_ms,
             void (*done)(gpointer user_data), gpointer user_data)
{
    FsDrain *drain = g_new0(FsDrain, 1);

    drain->changes = changes;
    drain->until = g_get_monotonic_time() + (gint64)limit_ms * 1000;
    drain->done = done;
    drain->user_data = user_data;
    drain->timer = g_timeout_add(fs_drain_is_needed(changes) ? LOOK_MS : 0,
                                 on_look, drain);
    fs_sender_hurry(changes->sender);
    return drain;
}

void
fs_drain_free(FsDrain *drain)
{
    if (drain == NULL)
        return;
    g_clear_handle_id(&drain->timer, g_source_remove);
    g_free(drain);
}
