/* A short list of functions. */
#include "fs/listeners.h"

typedef struct {
    GCallback func;
    gpointer user_data;
} Listener;

static const Listener *
at(const FsListeners *listeners, guint i)
{
    return &g_array_index(listeners->all, Listener, i);
}

void
fs_listeners_add(FsListeners *listeners, GCallback func, gpointer user_data)
{
    const Listener listener = {func, user_data};

    if (listeners->all == NULL)
        listeners->all = g_array_new(FALSE, FALSE, sizeof(Listener));
    g_array_append_val(listeners->all, listener);
}

void
fs_listeners_remove(FsListeners *listeners, GCallback func, gpointer user_data)
{
    for (guint i = 0; i < fs_listeners_count(listeners); i++) {
        if (at(listeners, i)->func != func ||
            at(listeners, i)->user_data != user_data)
            continue;
        g_array_remove_index(listeners->all, i);
        return;
    }
}

void
fs_listeners_clear(FsListeners *listeners)
{
    g_clear_pointer(&listeners->all, g_array_unref);
}

guint
fs_listeners_count(const FsListeners *listeners)
{
    return listeners->all != NULL ? listeners->all->len : 0;
}

GCallback
fs_listeners_get(const FsListeners *listeners, guint i, gpointer *user_data)
{
    *user_data = at(listeners, i)->user_data;
    return at(listeners, i)->func;
}
