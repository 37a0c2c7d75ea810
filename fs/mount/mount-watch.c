/* Notices that a mount point is not one any more: /proc/self/mountinfo shows
 * POLLERR or POLLPRI when a mount came or went. */
#include "fs/mount/mount-watch.h"

#include <fcntl.h>
#include <glib-unix.h>
#include <stdlib.h>
#include <unistd.h>

#define TABLE "/proc/self/mountinfo"
/* The field of a line that is the mount point, from 0. */
#define FIELD 4

struct FsMountWatch {
    char *mountpoint;
    int fd;
    guint source;
    gboolean seen; /* it was mounted */
    void (*gone)(gpointer user_data);
    gpointer user_data;
};

static gboolean
is_mounted(const char *mountpoint)
{
    g_autofree char *table = NULL;
    g_auto(GStrv) lines = NULL;

    /* Who cannot tell says nothing. */
    if (!g_file_get_contents(TABLE, &table, NULL, NULL))
        return TRUE;
    lines = g_strsplit(table, "\n", -1);
    for (char **line = lines; *line != NULL; line++) {
        g_auto(GStrv) fields = g_strsplit(*line, " ", FIELD + 2);
        g_autofree char *path = NULL;

        if (g_strv_length(fields) <= FIELD)
            continue;
        path = g_strcompress(fields[FIELD]);
        if (g_str_equal(path, mountpoint))
            return TRUE;
    }
    return FALSE;
}

static gboolean
on_change(int fd, GIOCondition condition, gpointer user_data)
{
    FsMountWatch *watch = user_data;

    if (is_mounted(watch->mountpoint)) {
        watch->seen = TRUE;
        return G_SOURCE_CONTINUE;
    }
    if (!watch->seen)
        return G_SOURCE_CONTINUE;
    watch->source = 0;
    watch->gone(watch->user_data);
    return G_SOURCE_REMOVE;
}

FsMountWatch *
fs_mount_watch_new(const char *mountpoint, void (*gone)(gpointer user_data),
                   gpointer user_data)
{
    int fd = open(TABLE, O_RDONLY | O_CLOEXEC);
    char *real = realpath(mountpoint, NULL);
    FsMountWatch *watch;

    if (fd < 0 || real == NULL) {
        if (fd >= 0)
            close(fd);
        free(real);
        return NULL;
    }
    watch = g_new0(FsMountWatch, 1);
    watch->mountpoint = g_strdup(real);
    free(real);
    watch->fd = fd;
    watch->gone = gone;
    watch->user_data = user_data;
    watch->source = g_unix_fd_add(fd, G_IO_PRI | G_IO_ERR, on_change, watch);
    return watch;
}

void
fs_mount_watch_free(FsMountWatch *watch)
{
    if (watch == NULL)
        return;
    g_clear_handle_id(&watch->source, g_source_remove);
    close(watch->fd);
    g_free(watch->mountpoint);
    g_free(watch);
}
