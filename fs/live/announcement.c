/* The process that announces: it makes and removes entries of the mount by
 * ordinary system calls, for these are what the kernel tells watchers of. The
 * daemon knows who asks, and lets the entry be what it already is.
 *
 * A path may lead elsewhere by the time that it is used: to the directory below
 * a mount that has ended, or into one mounted over ours. Nothing must be made
 * or removed there. So the directory is opened first, its mount compared, and
 * what is done is done in what was opened. */
#include "fs/live/announcement.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Without a question to the file system: the mount is not its affair. */
static gboolean
is_of_mount(int directory, guint64 mount)
{
    struct statx attributes;

    return statx(directory, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC,
                 STATX_MNT_ID, &attributes) == 0 &&
           (attributes.stx_mask & STATX_MNT_ID) != 0 &&
           attributes.stx_mnt_id == mount;
}

static int
create(int directory, const char *name)
{
    int file = openat(directory, name,
                      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                      S_IRUSR | S_IWUSR);

    if (file < 0)
        return -1;
    return close(file);
}

static int
announce_in(int directory, guint32 kind, const char *name)
{
    switch (kind) {
    case FS_ANNOUNCE_NEW_FILE:
        return create(directory, name);
    case FS_ANNOUNCE_GONE_FILE:
        return unlinkat(directory, name, 0);
    case FS_ANNOUNCE_NEW_DIRECTORY:
        return mkdirat(directory, name, S_IRWXU);
    case FS_ANNOUNCE_GONE_DIRECTORY:
        return unlinkat(directory, name, AT_REMOVEDIR);
    default:
        errno = EINVAL;
        return -1;
    }
}

static int
announce(const FsAnnouncementRequest *request)
{
    const char *name = request->text + strlen(request->text) + 1;
    int directory =
        open(request->text, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int error = 0;

    if (directory < 0)
        return errno;
    if (!is_of_mount(directory, request->mount))
        error = EXDEV;
    else if (announce_in(directory, request->kind, name) != 0)
        error = errno;
    close(directory);
    return error;
}

/* What was taken of the processor, in microseconds: how long others had it in
 * between says nothing of what a look costs. */
static gint64
processor_time_us(void)
{
    struct timespec used;

    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return 0;
    return (gint64)used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

static void
look(guint32 device, FsAnnouncementReply *reply)
{
    g_autoptr(GArray) inodes = g_array_new(FALSE, FALSE, sizeof(guint64));
    gint64 begin = processor_time_us();

    reply->incomplete = !fs_inotify_watches_find(device, inodes);
    reply->n_inodes = MIN(inodes->len, FS_INOTIFY_MAX);
    if (reply->n_inodes > 0)
        memcpy(reply->inodes, inodes->data, reply->n_inodes * sizeof(guint64));
    reply->took_us = (gint32)MIN(processor_time_us() - begin, G_MAXINT32);
}

void
fs_announcement_serve(int line, pid_t daemon)
{
    static FsAnnouncementRequest request;
    static FsAnnouncementReply reply;

    /* Its work ends with the daemon's, in whatever state. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != daemon)
        return;
    for (;;) {
        ssize_t length = recv(line, &request, sizeof request, 0);

        if (length < 0 && errno == EINTR)
            continue;
        if (length <= (ssize_t)G_STRUCT_OFFSET(FsAnnouncementRequest, text))
            return;
        memset(&reply, 0, G_STRUCT_OFFSET(FsAnnouncementReply, inodes));
        reply.kind = request.kind;
        if (request.kind == FS_ANNOUNCE_LOOK)
            look(request.device, &reply);
        else
            reply.error = announce(&request);
        if (send(line, &reply,
                 G_STRUCT_OFFSET(FsAnnouncementReply, inodes) +
                     reply.n_inodes * sizeof(guint64),
                 MSG_NOSIGNAL) < 0)
            return;
    }
}
