/* Those who want to be told of something: functions, each with its data. What
 * the functions take is known to who calls them. */
#pragma once

#include <glib-object.h>

/* Zeroed: nobody. */
typedef struct {
    GArray *all; /* NULL: never anybody */
} FsListeners;

void fs_listeners_add(FsListeners *listeners, GCallback func,
                      gpointer user_data);
/* The one that was added with the same arguments; none, if there is none. */
void fs_listeners_remove(FsListeners *listeners, GCallback func,
                         gpointer user_data);
/* Frees what it holds, and is zeroed again. */
void fs_listeners_clear(FsListeners *listeners);

guint fs_listeners_count(const FsListeners *listeners);
/* In the order in which they were added; @i below the count. */
GCallback fs_listeners_get(const FsListeners *listeners, guint i,
                           gpointer *user_data);
