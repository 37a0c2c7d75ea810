/* Three queues: what is to be announced if somebody watches, what is to be
 * announced, and the few of that which the process has been given and has not
 * answered yet.
 *
 * Whether a directory is watched is found by looking at all open files of the
 * machine, which the process does, and not often: once a second at the most,
 * and less often where a look costs much. Who was seen watching is told at
 * once. Where nobody was, somebody may have begun to: there a change waits for
 * a look that begins after it. So if nobody watches, a flood of changes costs a
 * look a second, and who watches misses nothing. */
#include "fs/live/announcer.h"

#include "fs/kernel/inode.h"

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>

#define NAME "imapfs-announce"
/* Announcements that the process has at a time. */
#define WINDOW 32
/* And that wait, at the most: a watcher's own queue holds 16384 events. */
#define MAX_WAITING 20000u
/* The process is stuck when it has not answered for so long. */
#define STUCK_US (10 * G_USEC_PER_SEC)
/* From one look to the next, and in terms of the processor time of one. */
#define LOOK_INTERVAL_US G_USEC_PER_SEC
#define LOOK_MAX_US (60 * G_USEC_PER_SEC)
#define LOOK_SHARE 20
/* For those who watch what nobody uses otherwise: well within the time for
 * which a use keeps a mailbox up. */
#define LOOK_AGAIN_SECONDS 240
/* Directories above one another. */
#define MAX_DEPTH 1000u
#define MAX_NAME 255u

typedef struct {
    FsAnnouncement public; /* first: one stands for the other */
    guint64 n_looks;       /* that had begun when it came to be */
    GQueue *queue;         /* one of the three */
    GList link;            /* in it */
    char name[];
} Announcement;

struct FsAnnouncer {
    FsHelperProcess *process; /* NULL: there is none, or it has ended */
    const FsMailboxTree *tree;
    FsMountIdentity mount; /* its id 0: not mounted */
    guint64 first;         /* see fs_announcer_set_first */
    guint source;

    GQueue undecided;     /* of Announcement, by their links */
    GQueue waiting;       /* likewise, in watched directories */
    GQueue sent;          /* likewise, in the order of the answers */
    GHashTable *arrivals; /* &public.inode -> Announcement, of what is new */
    gint64 answered_at;   /* microseconds: when the process last was well */

    GHashTable *watched; /* set of guint64, owned */
    gboolean all_watched;
    gboolean looking;
    guint64 n_looks;     /* begun */
    gint64 next_look_at; /* microseconds: not before that */
    guint look_soon, look_again;
    FsWatchedFunc watched_func;
    gpointer watched_data;
};

FsHelperProcess *
fs_announcer_fork(void)
{
    return fs_helper_process_start(NAME, fs_announcement_serve);
}

static gboolean
is_working(const FsAnnouncer *announcer)
{
    return announcer != NULL && announcer->process != NULL &&
           announcer->mount.id != 0;
}

static gboolean
is_new(const Announcement *announcement)
{
    return announcement->public.kind == FS_ANNOUNCE_NEW_FILE ||
           announcement->public.kind == FS_ANNOUNCE_NEW_DIRECTORY;
}

/* ---- the queues ---- */

static void
forget_arrival(FsAnnouncer *announcer, const Announcement *announcement)
{
    const guint64 *inode = &announcement->public.inode;

    if (g_hash_table_lookup(announcer->arrivals, inode) == announcement)
        g_hash_table_remove(announcer->arrivals, inode);
}

static void
move(Announcement *announcement, GQueue *queue)
{
    if (announcement->queue != NULL)
        g_queue_unlink(announcement->queue, &announcement->link);
    announcement->queue = queue;
    g_queue_push_tail_link(queue, &announcement->link);
}

static void
discard(FsAnnouncer *announcer, Announcement *announcement)
{
    g_queue_unlink(announcement->queue, &announcement->link);
    forget_arrival(announcer, announcement);
    g_free(announcement);
}

static void
clear(FsAnnouncer *announcer, GQueue *queue)
{
    while (queue->head != NULL)
        discard(announcer, queue->head->data);
}

static void
lose_process(FsAnnouncer *announcer)
{
    g_clear_handle_id(&announcer->source, g_source_remove);
    g_clear_handle_id(&announcer->look_soon, g_source_remove);
    g_clear_handle_id(&announcer->look_again, g_source_remove);
    g_clear_pointer(&announcer->process, fs_helper_process_free);
    clear(announcer, &announcer->undecided);
    clear(announcer, &announcer->waiting);
    clear(announcer, &announcer->sent);
}

/* It was given something long ago, and has not answered. */
static gboolean
is_stuck(const FsAnnouncer *announcer)
{
    return (announcer->sent.length > 0 || announcer->looking) &&
           g_get_monotonic_time() - announcer->answered_at > STUCK_US;
}

static gboolean
is_watched(const FsAnnouncer *announcer, guint64 directory)
{
    return announcer->all_watched ||
           g_hash_table_contains(announcer->watched, &directory);
}

/* ---- asking the process ---- */

/* FALSE if it takes no more now. */
static gboolean
ask(FsAnnouncer *announcer, FsAnnouncementKind kind, const char *directory,
    const char *name)
{
    static FsAnnouncementRequest request;
    gsize length = strlen(directory) + 1;
    gsize name_length = strlen(name) + 1;

    if (announcer->sent.length == 0 && !announcer->looking)
        announcer->answered_at = g_get_monotonic_time();
    request.kind = kind;
    request.device = announcer->mount.device;
    request.mount = announcer->mount.id;
    memcpy(request.text, directory, length);
    memcpy(request.text + length, name, name_length);
    /* Should it be gone, the source tells. */
    return send(fs_helper_process_line(announcer->process), &request,
                G_STRUCT_OFFSET(FsAnnouncementRequest, text) + length +
                    name_length,
                MSG_NOSIGNAL) >= 0;
}

static void
look(FsAnnouncer *announcer)
{
    g_clear_handle_id(&announcer->look_soon, g_source_remove);
    if (!announcer->looking && ask(announcer, FS_ANNOUNCE_LOOK, "", "")) {
        announcer->looking = TRUE;
        announcer->n_looks++;
    }
}

static gboolean
on_look_soon(gpointer user_data)
{
    FsAnnouncer *announcer = user_data;

    announcer->look_soon = 0;
    look(announcer);
    return G_SOURCE_REMOVE;
}

static gboolean
on_look_again(gpointer user_data)
{
    look(user_data);
    return G_SOURCE_CONTINUE;
}

static void
look_in(FsAnnouncer *announcer, gint64 wait_us)
{
    gint64 now = g_get_monotonic_time();

    wait_us = MAX(wait_us, announcer->next_look_at - now);
    if (announcer->look_soon != 0)
        return;
    if (wait_us <= 0)
        look(announcer);
    else
        announcer->look_soon = g_timeout_add(
            (guint)(MIN(wait_us, LOOK_MAX_US) / 1000), on_look_soon, announcer);
}

void
fs_announcer_look(FsAnnouncer *announcer)
{
    if (is_working(announcer))
        look_in(announcer, LOOK_INTERVAL_US);
}

/* NULL if it is gone, or too long for the kernel. */
static char *
path_of(const FsAnnouncer *announcer, guint64 directory)
{
    guint32 id = directory == FS_INODE_ROOT ? FS_MAILBOX_TREE_ROOT
                                            : fs_inode_mailbox(directory);
    g_autoptr(GString) path = g_string_new(NULL);

    for (guint i = 0; id != FS_MAILBOX_TREE_ROOT; i++) {
        const FsMailbox *mailbox = fs_mailbox_tree_get(announcer->tree, id);

        if (mailbox == NULL || i >= MAX_DEPTH)
            return NULL;
        g_string_prepend(path, mailbox->name);
        g_string_prepend_c(path, '/');
        id = mailbox->parent;
    }
    g_string_prepend(path, announcer->mount.path);
    if (path->len >= FS_MOUNT_PATH_BYTES)
        return NULL;
    return g_strdup(path->str);
}

static gboolean
send_one(FsAnnouncer *announcer, Announcement *announcement)
{
    g_autofree char *path = path_of(announcer, announcement->public.directory);

    if (path == NULL) {
        discard(announcer, announcement);
        return TRUE;
    }
    if (!ask(announcer, announcement->public.kind, path, announcement->name))
        return FALSE;
    move(announcement, &announcer->sent);
    return TRUE;
}

/* One of each entry at a time: by that, requests are told apart. */
static void
send_waiting(FsAnnouncer *announcer)
{
    while (announcer->sent.length < WINDOW && announcer->waiting.head != NULL) {
        Announcement *announcement = announcer->waiting.head->data;

        if (fs_announcer_find(announcer, announcement->public.directory,
                              announcement->name) != NULL ||
            !send_one(announcer, announcement))
            return;
    }
}

/* ---- its answers ---- */

/* What nobody watches is not announced; but what has come since the look began
 * has to wait for another. */
static void
decide(FsAnnouncer *announcer)
{
    for (GList *link = announcer->undecided.head, *next; link; link = next) {
        Announcement *announcement = link->data;

        next = link->next;
        if (is_watched(announcer, announcement->public.directory)) {
            move(announcement, &announcer->waiting);
        } else if (announcement->n_looks < announcer->n_looks) {
            discard(announcer, announcement);
        }
    }
    if (announcer->undecided.length > 0)
        look_in(announcer, 0);
}

/* From the kernel's to the account's. FALSE if it is of another account. Those
 * that have something of their own in the first bits are no directories of
 * mail, and nobody is told of changes there. */
static gboolean
take_number(const FsAnnouncer *announcer, guint64 *inode)
{
    guint64 of_account = *inode - announcer->first;

    if (announcer->first != 0 && fs_inode_account(of_account) != 0)
        return FALSE;
    *inode = of_account;
    return TRUE;
}

static void
take_watched(FsAnnouncer *announcer, const FsAnnouncementReply *reply)
{
    announcer->looking = FALSE;
    announcer->next_look_at =
        g_get_monotonic_time() +
        MAX(LOOK_INTERVAL_US, (gint64)reply->took_us * LOOK_SHARE);
    g_debug("%u inodes are watched; to find out took %d ms", reply->n_inodes,
            reply->took_us / 1000);
    announcer->all_watched = reply->incomplete != 0;
    g_hash_table_remove_all(announcer->watched);
    for (guint i = 0; i < reply->n_inodes; i++) {
        guint64 inode = reply->inodes[i];

        if (take_number(announcer, &inode))
            g_hash_table_add(announcer->watched,
                             g_memdup2(&inode, sizeof inode));
    }
    decide(announcer);
}

static void
tell_watched(FsAnnouncer *announcer, const FsAnnouncementReply *reply)
{
    for (guint i = 0; i < reply->n_inodes; i++) {
        guint64 inode = reply->inodes[i];

        if (announcer->watched_func != NULL && take_number(announcer, &inode) &&
            (inode == FS_INODE_ROOT || fs_inode_uid(inode) == 0))
            announcer->watched_func(inode, announcer->watched_data);
    }
}

static void
take_announced(FsAnnouncer *announcer, const FsAnnouncementReply *reply)
{
    Announcement *announcement = g_queue_peek_head(&announcer->sent);

    if (announcement == NULL)
        return;
    if (reply->error != 0)
        g_debug("%s could not be announced: %s", announcement->name,
                g_strerror(reply->error));
    discard(announcer, announcement);
}

static gboolean
on_line(int line, GIOCondition condition, gpointer user_data)
{
    static FsAnnouncementReply reply;
    FsAnnouncer *announcer = user_data;
    ssize_t length = recv(line, &reply, sizeof reply, 0);

    if (length < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (length < (ssize_t)G_STRUCT_OFFSET(FsAnnouncementReply, inodes)) {
        announcer->source = 0;
        lose_process(announcer);
        g_message("The process that announces changes has ended: inotify "
                  "sees none any more");
        return G_SOURCE_REMOVE;
    }
    announcer->answered_at = g_get_monotonic_time();
    if (reply.kind == FS_ANNOUNCE_LOOK) {
        take_watched(announcer, &reply);
        tell_watched(announcer, &reply);
    } else {
        take_announced(announcer, &reply);
    }
    send_waiting(announcer);
    return G_SOURCE_CONTINUE;
}

/* ---- what is to be announced ---- */

/* Whether nothing is to be said of what came and went while nobody was told. */
static gboolean
cancels_out(FsAnnouncer *announcer, FsAnnouncementKind kind, guint64 inode)
{
    Announcement *new = g_hash_table_lookup(announcer->arrivals, &inode);

    if (new == NULL || kind == FS_ANNOUNCE_NEW_FILE ||
        kind == FS_ANNOUNCE_NEW_DIRECTORY || new->queue == &announcer->sent)
        return FALSE;
    discard(announcer, new);
    return TRUE;
}

static void
enqueue(FsAnnouncer *announcer, FsAnnouncementKind kind, guint64 directory,
        const char *name, guint64 inode)
{
    gsize length = strlen(name) + 1;
    Announcement *announcement = g_malloc0(sizeof *announcement + length);

    memcpy(announcement->name, name, length);
    announcement->public = (FsAnnouncement){.kind = kind,
                                            .directory = directory,
                                            .inode = inode,
                                            .name = announcement->name};
    announcement->n_looks = announcer->n_looks;
    announcement->link.data = announcement;
    move(announcement, is_watched(announcer, directory)
                           ? &announcer->waiting
                           : &announcer->undecided);
    if (is_new(announcement))
        g_hash_table_replace(announcer->arrivals, &announcement->public.inode,
                             announcement);
}

void
fs_announcer_add(FsAnnouncer *announcer, FsAnnouncementKind kind,
                 guint64 directory, const char *name, guint64 inode)
{
    if (!is_working(announcer) || strlen(name) > MAX_NAME)
        return;
    if (is_stuck(announcer)) {
        clear(announcer, &announcer->undecided);
        clear(announcer, &announcer->waiting);
        return;
    }
    if (cancels_out(announcer, kind, inode) ||
        announcer->waiting.length + announcer->undecided.length >= MAX_WAITING)
        return;
    enqueue(announcer, kind, directory, name, inode);
    if (announcer->undecided.length > 0)
        look_in(announcer, 0);
    send_waiting(announcer);
}

gboolean
fs_announcer_is_ours(const FsAnnouncer *announcer, pid_t process)
{
    return is_working(announcer) &&
           process == fs_helper_process_id(announcer->process);
}

const FsAnnouncement *
fs_announcer_find(const FsAnnouncer *announcer, guint64 directory,
                  const char *name)
{
    for (const GList *link = announcer->sent.head; link; link = link->next) {
        const FsAnnouncement *announcement = link->data;

        if (announcement->directory == directory &&
            strcmp(announcement->name, name) == 0)
            return announcement;
    }
    return NULL;
}

/* ---- making and ending ---- */

FsAnnouncer *
fs_announcer_new(FsHelperProcess *process, const FsMailboxTree *tree)
{
    FsAnnouncer *announcer = g_new0(FsAnnouncer, 1);

    announcer->process = process;
    announcer->tree = tree;
    announcer->arrivals = g_hash_table_new(g_int64_hash, g_int64_equal);
    announcer->watched =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    g_queue_init(&announcer->undecided);
    g_queue_init(&announcer->waiting);
    g_queue_init(&announcer->sent);
    return announcer;
}

void
fs_announcer_set_first(FsAnnouncer *announcer, guint64 first)
{
    if (announcer != NULL)
        announcer->first = first;
}

void
fs_announcer_start(FsAnnouncer *announcer, const FsMountIdentity *mount)
{
    if (announcer == NULL || announcer->process == NULL)
        return;
    announcer->mount = *mount;
    announcer->source =
        g_unix_fd_add(fs_helper_process_line(announcer->process),
                      G_IO_IN | G_IO_HUP, on_line, announcer);
    announcer->look_again =
        g_timeout_add_seconds(LOOK_AGAIN_SECONDS, on_look_again, announcer);
}

/* The mount is about to go, or has gone: under its number may be another one
 * soon. The end is not waited for, for it may be waiting for us. */
void
fs_announcer_retire(FsAnnouncer *announcer)
{
    if (announcer == NULL)
        return;
    announcer->watched_func = NULL;
    announcer->mount.id = 0;
    g_clear_handle_id(&announcer->source, g_source_remove);
    g_clear_handle_id(&announcer->look_soon, g_source_remove);
    g_clear_handle_id(&announcer->look_again, g_source_remove);
    if (announcer->process != NULL)
        kill(fs_helper_process_id(announcer->process), SIGKILL);
}

void
fs_announcer_stop(FsAnnouncer *announcer)
{
    if (announcer == NULL)
        return;
    announcer->watched_func = NULL;
    announcer->mount.id = 0;
    lose_process(announcer);
}

void
fs_announcer_free(FsAnnouncer *announcer)
{
    if (announcer == NULL)
        return;
    fs_announcer_stop(announcer);
    g_hash_table_unref(announcer->arrivals);
    g_hash_table_unref(announcer->watched);
    g_free(announcer);
}

void
fs_announcer_set_watched_func(FsAnnouncer *announcer, FsWatchedFunc func,
                              gpointer user_data)
{
    if (announcer == NULL)
        return;
    announcer->watched_func = func;
    announcer->watched_data = user_data;
}
