/* The session with the kernel, served from the GLib main loop.
 *
 * The session's descriptor does not block. When it is readable, a batch of
 * requests is taken from it and handled; then the sockets get their turn.
 *
 * libfuse's input and output go through functions of ours for the sake of one
 * reply: that to INIT, which lacks FUSE_PARALLEL_DIROPS (see session.h). This
 * also does without splice, which gains nothing for us. libfuse hands those
 * functions, and the call for INIT, nothing but the caller's user data; so the
 * session whose request is being handled is known by a variable, to the thread
 * that handles it and to no other, for notifications pass through here, too.
 *
 * Waking up costs more than handling a request. A program that reads a
 * directory's entries sends the next request some microseconds after the answer
 * to the last: so the loop, when it is about to sleep and has just served one,
 * looks a few times more whether there is anything to do, sockets included.
 * Where that does not pay, it is tried rarely; and not while the server sends,
 * for then the line sets the pace, and the looks would only take a core from
 * whoever reads. */
#include "fs/kernel/session.h"

#include "fs/kernel/errno.h"
#include "fs/mount/fuse-connection.h"
#include "fs/mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

/* Requests until the sockets get their turn. */
#define BATCH 64
/* The kernel's first request is there when the mount is. */
#define INIT_TIMEOUT_MS 2000
/* How long to look before sleeping, and how long after a request. */
#define SPIN_US 40
#define RECENT_US 200
/* The server sends, if it has within so long. */
#define SENDS_US 2000
/* The part of the looks that found something, in units of 1/SCORE_MAX, as a
 * moving average over about SCORE_WEIGHT of them; below SCORE_MIN only one in
 * SPIN_RARELY times is looked at all. */
#define SCORE_MAX 1024
#define SCORE_WEIGHT 16
#define SCORE_MIN (SCORE_MAX / 2)
#define SPIN_RARELY 32

/* READs that read ahead may all wait for a server, and the kernel sends no more
 * of them than this: its own number is 12, and the thirteenth would wait
 * although it is cached. */
#define MAX_BACKGROUND 4096

struct FsSession {
    struct fuse_session *fuse;
    struct fuse_buf buffer; /* one for all requests; memory by libfuse */
    char *mountpoint;       /* absolute; NULL while not mounted */
    FsMountIdentity mount;  /* what is mounted there by us; id 0: not known */
    FsMountMark mark;
    guint source;

    void (*caller_init)(void *user_data, struct fuse_conn_info *connection);
    gboolean mend_reply; /* the next one, which is that to INIT */
    gboolean initialised;
    guint max_read; /* as the option says; libfuse wants it twice */

    GPollFunc wait;   /* the loop's own way; NULL while not mounted */
    gint64 served_at; /* microseconds, monotonic: the last request */
    gint64 others_at; /* the same: something else was ready */
    gint score;
    guint n_passed_over; /* looks that were not made since the last */

    void (*ended)(gpointer user_data);
    gpointer ended_data;
    gboolean (*divert)(struct fuse_buf *request, gpointer user_data);
    gpointer divert_data; /* of divert, which may be NULL */
};

static _Thread_local FsSession *handling;

/* Called by libfuse for INIT, which it answers as soon as this returns. */
static void
initialise(void *user_data, struct fuse_conn_info *connection)
{
    FsSession *session = handling;

    connection->want |=
        connection->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS);
    /* Attributes come with names: always, not by the kernel's guess. */
    connection->want &= ~FUSE_CAP_READDIRPLUS_AUTO;
    /* What changes is invalidated explicitly. */
    connection->want &= ~FUSE_CAP_AUTO_INVAL_DATA;

    connection->max_read = session->max_read;
    connection->max_background = MAX_BACKGROUND;
    session->initialised = TRUE;
    if (session->caller_init != NULL)
        session->caller_init(user_data, connection);
    session->mend_reply = (connection->want & FUSE_CAP_PARALLEL_DIROPS) != 0;
}

static void
mend_init_reply(const struct iovec *parts, int count)
{
    const struct fuse_out_header *header = parts[0].iov_base;
    struct fuse_init_out *reply;

    if (count != 2 || header->error != 0 ||
        parts[1].iov_len <
            G_STRUCT_OFFSET(struct fuse_init_out, flags) + sizeof reply->flags)
        return;
    reply = parts[1].iov_base;
    reply->flags |= FUSE_PARALLEL_DIROPS;
}

static ssize_t
write_parts(int fd, struct iovec *parts, int count, void *user_data)
{
    if (handling != NULL && handling->mend_reply) {
        handling->mend_reply = FALSE;
        mend_init_reply(parts, count);
    }
    return writev(fd, parts, count);
}

static ssize_t
read_request(int fd, void *buffer, size_t size, void *user_data)
{
    return read(fd, buffer, size);
}

FsSession *
fs_session_new(struct fuse_args *args, const struct fuse_lowlevel_ops *ops,
               gpointer user_data, GError **error)
{
    g_autoptr(FsSession) session = g_new0(FsSession, 1);
    struct fuse_lowlevel_ops our_ops = *ops;
    g_autofree char *complaint = NULL;

    const struct fuse_opt templates[] = {
        {"max_read=%u", G_STRUCT_OFFSET(FsSession, max_read), 0},
        FUSE_OPT_KEY("max_read=", FUSE_OPT_KEY_KEEP),
        FUSE_OPT_END,
    };

    session->mark = FS_MOUNT_MARK_INIT;
    session->caller_init = ops->init;
    our_ops.init = initialise;

    fs_mount_gather();
    if (fuse_opt_parse(args, session, templates, NULL) == 0)
        session->fuse =
            fuse_session_new(args, &our_ops, sizeof our_ops, user_data);
    complaint = fs_mount_gathered();
    if (session->fuse == NULL) {
        fs_mount_set_option_error(error, complaint);
        return NULL;
    }
    return g_steal_pointer(&session);
}

void
fs_session_set_divert(FsSession *session,
                      gboolean (*divert)(struct fuse_buf *request,
                                         gpointer user_data),
                      gpointer user_data)
{
    session->divert = divert;
    session->divert_data = user_data;
}

gboolean
fs_session_use_io(FsSession *session, const struct fuse_custom_io *io, int fd)
{
    return fuse_session_custom_io(session->fuse, io, fd) == 0;
}

void
fs_session_handle(FsSession *session, struct fuse_buf *request)
{
    if (session->divert != NULL &&
        session->divert(request, session->divert_data))
        return;
    handling = session;
    fuse_session_process_buf(session->fuse, request);
    handling = NULL;
}

/* As the last thing that a source does: @ended may free the session. */
static gboolean
end(FsSession *session)
{
    session->source = 0;
    fuse_session_exit(session->fuse);
    if (session->ended != NULL)
        session->ended(session->ended_data);
    return G_SOURCE_REMOVE;
}

/* The kernel asks at once; libfuse ends the session if it cannot agree. */
static gboolean
shake_hands(FsSession *session, const char *mountpoint, GError **error)
{
    struct pollfd wait = {.fd = fuse_session_fd(session->fuse),
                          .events = POLLIN};
    int result;

    poll(&wait, 1, INIT_TIMEOUT_MS);
    result = fuse_session_receive_buf(session->fuse, &session->buffer);
    if (result > 0)
        fs_session_handle(session, &session->buffer);
    /* Unmounted already, or while it was read: the loop will find that, too. */
    if (result == 0 || result == -ECONNABORTED) {
        fuse_session_exit(session->fuse);
        return TRUE;
    }
    if (session->initialised && !fuse_session_exited(session->fuse))
        return TRUE;
    fs_mount_set_error(error, mountpoint,
                       "the kernel and libfuse do not agree on the options");
    return FALSE;
}

/* The session whose requests the loop serves; it gets no word of itself where
 * the loop sleeps. */
static FsSession *serving;

static gboolean
is_worth_looking(FsSession *session, gint64 now)
{
    if (now - session->served_at > RECENT_US ||
        now - session->others_at < SENDS_US)
        return FALSE;
    if (session->score >= SCORE_MIN ||
        ++session->n_passed_over >= SPIN_RARELY) {
        session->n_passed_over = 0;
        return TRUE;
    }
    return FALSE;
}

static gint
wait_for_any(FsSession *session, GPollFD *fds, guint n_fds, gint timeout_ms)
{
    gint result = session->wait(fds, n_fds, timeout_ms);

    for (guint i = 0; result > 0 && i < n_fds; i++)
        if (fds[i].revents != 0 &&
            fds[i].fd != fuse_session_fd(session->fuse)) {
            session->others_at = g_get_monotonic_time();
            break;
        }
    return result;
}

/* A GPollFunc. */
static gint
look_then_sleep(GPollFD *fds, guint n_fds, gint timeout_ms)
{
    FsSession *session = serving;
    gint64 now = timeout_ms != 0 ? g_get_monotonic_time() : 0;
    gint64 end = now + SPIN_US;
    gint result = 0;

    if (timeout_ms == 0 || !is_worth_looking(session, now))
        return wait_for_any(session, fds, n_fds, timeout_ms);
    do
        result = wait_for_any(session, fds, n_fds, 0);
    while (result == 0 && g_get_monotonic_time() < end);
    session->score +=
        ((result != 0 ? SCORE_MAX : 0) - session->score) / SCORE_WEIGHT;
    return result != 0 ? result : wait_for_any(session, fds, n_fds, timeout_ms);
}

static void
set_sleep(FsSession *session, gboolean ours)
{
    GMainContext *context = g_main_context_default();

    if (ours) {
        serving = session;
        session->score = SCORE_MAX;
        session->wait = g_main_context_get_poll_func(context);
        g_main_context_set_poll_func(context, look_then_sleep);
    } else if (session->wait != NULL) {
        g_main_context_set_poll_func(context, session->wait);
        session->wait = NULL;
        serving = NULL;
    }
}

static gboolean
serve(int fd, GIOCondition condition, gpointer user_data)
{
    FsSession *session = user_data;

    for (int i = 0; i < BATCH; i++) {
        int result = fuse_session_receive_buf(session->fuse, &session->buffer);

        if (result == -EAGAIN || result == -EINTR)
            break;
        if (result < 0)
            g_message("The kernel's requests cannot be read: %s",
                      g_strerror(-result));
        if (result <= 0)
            return end(session);

        fs_session_handle(session, &session->buffer);
        if (fuse_session_exited(session->fuse))
            return end(session);
    }
    session->served_at = g_get_monotonic_time();
    return G_SOURCE_CONTINUE;
}

/* After the mount, for libfuse takes the descriptor from both. */
static gboolean
take_over(FsSession *session)
{
    const struct fuse_custom_io io = {.read = read_request,
                                      .writev = write_parts};
    int fd = fuse_session_fd(session->fuse);
    int flags = fcntl(fd, F_GETFL);
    g_autoptr(GSource) source = NULL;

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
        fuse_session_custom_io(session->fuse, &io, fd) != 0)
        return FALSE;
    source = g_unix_fd_source_new(fd, G_IO_IN);
    g_source_set_callback(source, G_SOURCE_FUNC(serve), session, NULL);
    /* It never does; but without this GLib takes the descriptor out of its set
     * and puts it back, and wakes itself up, at each request. */
    g_source_set_can_recurse(source, TRUE);
    session->source = g_source_attach(source, NULL);
    set_sleep(session, TRUE);
    return TRUE;
}

/* Not before the kernel is answered: whoever sees the mount may wait for that.
 * If it has been unmounted already, what was found may be another's. */
static void
note_mount(FsSession *session)
{
    gboolean found =
        fs_mount_identity_find(session->mountpoint, &session->mount);

    if (found)
        session->mark = fs_mount_mark_take(&session->mount);
    if (!found || fs_fuse_connection_is_cut(fuse_session_fd(session->fuse))) {
        fs_mount_mark_clear(&session->mark);
        session->mount.id = 0;
    }
}

gboolean
fs_session_mount(FsSession *session, const char *mountpoint, GError **error)
{
    g_autofree char *complaint = NULL;
    char *absolute = NULL;
    gboolean mounted;

    if (!fs_mount_prepare(mountpoint, error))
        return FALSE;
    absolute = realpath(mountpoint, NULL);
    if (absolute == NULL) {
        fs_mount_set_error(error, mountpoint, g_strerror(errno));
        return FALSE;
    }
    session->mountpoint = g_strdup(absolute);
    free(absolute);

    fs_mount_gather();
    mounted = fuse_session_mount(session->fuse, session->mountpoint) == 0;
    complaint = fs_mount_gathered();
    if (!mounted) {
        g_clear_pointer(&session->mountpoint, g_free);
        fs_mount_set_error(error, mountpoint, complaint);
        return FALSE;
    }
    if (*complaint != '\0')
        g_message("%s", g_strchomp(complaint));

    if (!take_over(session)) {
        fs_mount_set_error(error, mountpoint, g_strerror(errno));
        fs_session_unmount(session);
        return FALSE;
    }
    if (!shake_hands(session, mountpoint, error)) {
        fs_session_unmount(session);
        return FALSE;
    }
    note_mount(session);
    return TRUE;
}

void
fs_session_set_ended(FsSession *session, void (*ended)(gpointer user_data),
                     gpointer user_data)
{
    session->ended = ended;
    session->ended_data = user_data;
}

/* libfuse unmounts whatever its path leads to; unless the connection is cut, as
 * it then looks. */
static void
keep_from_unmounting(const FsSession *session)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0)
        return;
    close(ends[0]);
    dup3(ends[1], fuse_session_fd(session->fuse), O_CLOEXEC);
    close(ends[1]);
}

/* Another one may be mounted there now: over ours, or after somebody has
 * unmounted that. */
static void
unmount_ours(FsSession *session)
{
    FsMountIdentity found = session->mount;
    gboolean on_top =
        found.id == 0 || (fs_mount_identity_locate(&found) == FS_MOUNT_ON_TOP &&
                          g_str_equal(found.path, session->mountpoint));

    if (!on_top)
        keep_from_unmounting(session);
    fuse_session_unmount(session->fuse);
    /* libfuse leaves a mount whose connection the kernel has cut. */
    if (found.id != 0 && fs_mount_identity_locate(&found) == FS_MOUNT_ON_TOP)
        fs_mount_detach(&found, &session->mark);
    fs_mount_mark_clear(&session->mark);
}

void
fs_session_unmount(FsSession *session)
{
    if (session->mountpoint == NULL)
        return;

    set_sleep(session, FALSE);
    g_clear_handle_id(&session->source, g_source_remove);
    /* Answers that come later have nowhere to go; libfuse need not say so. */
    fuse_session_exit(session->fuse);
    unmount_ours(session);
    g_clear_pointer(&session->mountpoint, g_free);
}

void
fs_session_free(FsSession *session)
{
    if (session == NULL)
        return;

    fs_session_unmount(session);
    if (session->fuse != NULL)
        fuse_session_destroy(session->fuse);
    free(session->buffer.mem);
    g_free(session);
}

struct fuse_session *
fs_session_fuse(FsSession *session)
{
    return session->fuse;
}

gboolean
fs_session_has_ended(FsSession *session)
{
    return fuse_session_exited(session->fuse);
}

const char *
fs_session_mountpoint(const FsSession *session)
{
    return session->mountpoint;
}
