/* A queue, and a thread that empties it.
 *
 * A notification about an entry takes the lock of its directory, which a
 * program holds while it waits for a look-up or for a part of the listing. The
 * main loop answers those while the thread waits, so all goes on in the end.
 * Hence the one rule: the loop never waits for the thread while a program may
 * be waiting for the loop. */
#include "fs/kernel/notifier.h"

#include <string.h>

typedef enum {
    FORGET_ENTRY,
    FORGET_LISTING,
    FORGET_COPY,
    FLUSH,
    END,
} What;

typedef struct {
    What what;
    guint64 inode; /* 0 for END, and for an entry that is not gone */
    guint64 directory;
    FsNeed *need; /* of FLUSH; a reference, the main loop's */
    char name[];  /* of FORGET_ENTRY */
} Notification;

static void
notification_free(gpointer data)
{
    Notification *notification = data;

    fs_need_unref(notification->need);
    g_free(notification);
}

struct FsNotifier {
    struct fuse_session *fuse;
    GThread *thread;
    GAsyncQueue *queue; /* of Notification */
    gint stopping;      /* atomic: what is queued is dropped */
    GAsyncQueue *told;  /* of FsNeed, references: what can be completed */
    GSource *flushed;   /* made due by each of those */

    GSource *ended; /* made due by the thread's end */
    void (*stopped)(gpointer user_data);
    gpointer stopped_data;
};

static void
send_one(FsNotifier *notifier, const Notification *notification)
{
    struct fuse_session *fuse = notifier->fuse;
    guint64 inode = notification->inode;

    /* What comes back tells nothing: most often the kernel did not know the
     * name or the inode, which is as good. */
    switch (notification->what) {
    case FORGET_ENTRY:
        if (inode != 0)
            fuse_lowlevel_notify_delete(fuse, notification->directory, inode,
                                        notification->name,
                                        strlen(notification->name));
        else
            fuse_lowlevel_notify_inval_entry(fuse, notification->directory,
                                             notification->name,
                                             strlen(notification->name));
        break;
    case FORGET_LISTING:
        /* Its attributes alone. */
        fuse_lowlevel_notify_inval_inode(fuse, inode, -1, 0);
        break;
    case FORGET_COPY:
        fuse_lowlevel_notify_inval_inode(fuse, inode, 0, 0);
        break;
    case FLUSH:
    case END:
        break;
    }
}

static gpointer
run(gpointer user_data)
{
    FsNotifier *notifier = user_data;
    gboolean end = FALSE;

    while (!end) {
        Notification *notification = g_async_queue_pop(notifier->queue);

        end = notification->what == END;
        if (!g_atomic_int_get(&notifier->stopping))
            send_one(notifier, notification);
        if (notification->what == FLUSH) {
            g_async_queue_push(notifier->told, notification->need);
            g_source_set_ready_time(notifier->flushed, 0);
        }
        g_free(notification);
    }
    g_source_set_ready_time(notifier->ended, 0);
    return NULL;
}

static gboolean
dispatch(GSource *source, GSourceFunc callback, gpointer user_data)
{
    FsNotifier *notifier = user_data;

    g_source_set_ready_time(source, -1);
    if (notifier->stopped != NULL)
        notifier->stopped(notifier->stopped_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
dispatch_flushed(GSource *source, GSourceFunc callback, gpointer user_data)
{
    FsNotifier *notifier = user_data;
    FsNeed *need;

    g_source_set_ready_time(source, -1);
    while ((need = g_async_queue_try_pop(notifier->told)) != NULL) {
        fs_need_complete(need, NULL);
        fs_need_unref(need);
    }
    return G_SOURCE_CONTINUE;
}

static gboolean
no_callback(gpointer user_data)
{
    return G_SOURCE_CONTINUE;
}

static GSource *
add_source(FsNotifier *notifier, GSourceFuncs *funcs)
{
    GSource *source = g_source_new(funcs, sizeof(GSource));

    g_source_set_callback(source, no_callback, notifier, NULL);
    g_source_attach(source, NULL);
    return source;
}

FsNotifier *
fs_notifier_new(struct fuse_session *fuse)
{
    static GSourceFuncs ended_funcs = {.dispatch = dispatch};
    static GSourceFuncs flushed_funcs = {.dispatch = dispatch_flushed};
    FsNotifier *notifier = g_new0(FsNotifier, 1);

    notifier->fuse = fuse;
    notifier->queue = g_async_queue_new_full(notification_free);
    notifier->told = g_async_queue_new_full((GDestroyNotify)fs_need_unref);
    notifier->ended = add_source(notifier, &ended_funcs);
    notifier->flushed = add_source(notifier, &flushed_funcs);
    notifier->thread = g_thread_new("imapfs-notifier", run, notifier);
    return notifier;
}

static void
push(FsNotifier *notifier, What what, guint64 directory, const char *name,
     guint64 inode)
{
    gsize length = strlen(name) + 1;
    Notification *notification = g_malloc0(sizeof *notification + length);

    notification->what = what;
    notification->directory = directory;
    notification->inode = inode;
    memcpy(notification->name, name, length);
    g_async_queue_push(notifier->queue, notification);
}

void
fs_notifier_flush(FsNotifier *notifier, FsNeed *need)
{
    Notification *notification = g_malloc0(sizeof *notification + 1);

    notification->what = FLUSH;
    notification->need = fs_need_ref(need);
    g_async_queue_push(notifier->queue, notification);
}

static void
end(FsNotifier *notifier)
{
    if (!g_atomic_int_get(&notifier->stopping)) {
        g_atomic_int_set(&notifier->stopping, TRUE);
        push(notifier, END, 0, "", 0);
    }
}

void
fs_notifier_stop(FsNotifier *notifier, void (*stopped)(gpointer user_data),
                 gpointer user_data)
{
    notifier->stopped = stopped;
    notifier->stopped_data = user_data;
    end(notifier);
}

void
fs_notifier_free(FsNotifier *notifier)
{
    if (notifier == NULL)
        return;
    end(notifier);
    g_thread_join(notifier->thread);
    g_source_destroy(notifier->ended);
    g_source_unref(notifier->ended);
    g_source_destroy(notifier->flushed);
    g_source_unref(notifier->flushed);
    g_async_queue_unref(notifier->queue);
    g_async_queue_unref(notifier->told);
    g_free(notifier);
}

void
fs_notifier_forget_entry(FsNotifier *notifier, guint64 directory,
                         const char *name, guint64 inode)
{
    push(notifier, FORGET_ENTRY, directory, name, inode);
}

void
fs_notifier_forget_listing(FsNotifier *notifier, guint64 directory,
                           gboolean with_copy)
{
    push(notifier, with_copy ? FORGET_COPY : FORGET_LISTING, 0, "", directory);
}
