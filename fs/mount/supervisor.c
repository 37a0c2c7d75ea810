/* The supervisor waits for the daemon's death.
 *
 * That is not the end of the line alone. A thread of the daemon's that waits in
 * the kernel for the lock of a directory (fs/kernel/notifier.c) cannot be
 * killed, and keeps all that the daemon had open: the line, and the connection
 * to the kernel's FUSE, which so goes on waiting for answers, as does the
 * program that has the lock. Therefore the kernel is asked for a signal at the
 * death of the thread that forked us, which is the daemon's first; the
 * connection is then aborted, and all that waits comes free.
 *
 * A daemon that has unmounted kills its supervisor: so whatever is found
 * mounted at its death is a dead mount, if it is the same mount still. That its
 * numbers do not tell, for the kernel gives them to the next mount at once. So
 * the daemon takes the mount's mark while it serves it, and sends it: later
 * nobody could know whose it is, nor find the connection of a mount that was
 * detached and is in use. */
#include "fs/mount/supervisor.h"

#include "fs/log.h"
#include "fs/mount/fuse-connection.h"
#include "fs/mount/helper-process.h"
#include "fs/mount/mount.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME "imapfs-guard"
#define DEATH SIGUSR1
/* Nothing that is done at the end may take longer. */
#define END_SECONDS 30
#define END_ATTEMPTS 3

struct FsSupervisor {
    FsHelperProcess *process; /* NULL: it has ended */
    guint source;
};

/* What it supervises. */
typedef struct {
    FsMountIdentity mount; /* its id is 0 until it is told */
    FsMountMark mark;      /* its connection is sent beside it */
} Charge;

/* ---- the line ---- */

/* Room for one descriptor. */
typedef union {
    struct cmsghdr header;
    char octets[CMSG_SPACE(sizeof(int))];
} Beside;

static gboolean
tell(int line, const Charge *charge)
{
    struct iovec part = {(void *)charge, sizeof *charge};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    Beside beside = {.octets = ""};

    if (charge->mark.connection >= 0) {
        message.msg_control = &beside;
        message.msg_controllen = sizeof beside;
        beside.header =
            (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&beside.header), &charge->mark.connection,
               sizeof(int));
    }
    return sendmsg(line, &message, MSG_NOSIGNAL) >= 0;
}

/* FALSE: there is nothing to be told any more, or with MSG_DONTWAIT just now.
 */
static gboolean
hear(int line, Charge *charge, int flags)
{
    Charge told;
    struct iovec part = {&told, sizeof told};
    Beside beside = {.octets = ""};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &beside,
                             .msg_controllen = sizeof beside};
    ssize_t length;

    do
        length = recvmsg(line, &message, flags | MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length != (ssize_t)sizeof told)
        return FALSE;
    *charge = told;
    charge->mark.connection = -1;
    if (CMSG_FIRSTHDR(&message) != NULL)
        memcpy(&charge->mark.connection, CMSG_DATA(CMSG_FIRSTHDR(&message)),
               sizeof(int));
    return TRUE;
}

/* ---- the end of the mount ---- */

/* Without a mark, what has the numbers elsewhere is likely to be another. */
static gboolean
may_be_ours(const Charge *charge, const FsMountIdentity *found)
{
    return charge->mark.number != 0 || charge->mark.connection >= 0 ||
           strcmp(found->path, charge->mount.path) == 0;
}

/* What is mounted over it is somebody else's, and there is no way to what lies
 * below. */
static void
say_covered(const char *path)
{
    fs_log_start(FALSE);
    fs_log_use_system();
    g_message("imapfs was killed, and its mount at %s stays, dead, for another "
              "one is mounted over it; unmount that, and then this one with "
              "fusermount3 -uz",
              path);
}

/* One that was detached (fusermount3 -uz) and is still in use is not in the
 * list of mounts any more, and is aborted all the same. */
static void
end_mount(Charge *charge)
{
    if (charge->mount.id == 0)
        return;
    fs_fuse_connection_abort(charge->mark.connection);
    alarm(END_SECONDS);
    /* Again, for it may be moved meanwhile. */
    for (int i = 0; i < END_ATTEMPTS; i++) {
        FsMountIdentity found = charge->mount;
        FsMountPlace place = fs_mount_identity_locate(&found);

        if (place == FS_MOUNT_COVERED &&
            strcmp(found.path, charge->mount.path) == 0)
            say_covered(found.path);
        if (place != FS_MOUNT_ON_TOP || !may_be_ours(charge, &found) ||
            fs_mount_detach(&found, &charge->mark))
            return;
    }
}

/* ---- the daemon's death ---- */

/* Anybody may send that signal; the kernel sends it in the daemon's name. */
static gboolean
is_of_daemon(int signals, pid_t daemon)
{
    struct signalfd_siginfo sent;

    return read(signals, &sent, sizeof sent) == (ssize_t)sizeof sent &&
           sent.ssi_pid == (guint32)daemon;
}

/* What it said last may be still to be heard. */
static void
wait_for_death(int line, int signals, pid_t daemon, Charge *charge)
{
    struct pollfd events[] = {{.fd = line, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};

    for (;;) {
        if (poll(events, G_N_ELEMENTS(events), -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (events[1].revents != 0 && is_of_daemon(signals, daemon))
            return;
        if (events[0].revents != 0 && !hear(line, charge, 0))
            return;
    }
}

static void
supervise(int line, pid_t daemon)
{
    Charge charge = {.mark = FS_MOUNT_MARK_INIT};
    sigset_t death;
    int signals;

    sigemptyset(&death);
    sigaddset(&death, DEATH);
    sigprocmask(SIG_BLOCK, &death, NULL);
    signals = signalfd(-1, &death, SFD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, DEATH);
    /* It may have died before we were as far as this. */
    if (getppid() == daemon)
        wait_for_death(line, signals, daemon, &charge);
    hear(line, &charge, MSG_DONTWAIT);
    end_mount(&charge);
}

FsSupervisor *
fs_supervisor_start(void)
{
    FsHelperProcess *process = fs_helper_process_start(NAME, supervise);
    FsSupervisor *supervisor;

    if (process == NULL)
        return NULL;
    supervisor = g_new0(FsSupervisor, 1);
    supervisor->process = process;
    return supervisor;
}

/* It says nothing: what can be read is the end. */
static gboolean
on_end(int line, GIOCondition condition, gpointer user_data)
{
    FsSupervisor *supervisor = user_data;

    supervisor->source = 0;
    g_clear_pointer(&supervisor->process, fs_helper_process_free);
    g_message("The supervisor has ended: if imapfs is killed, its mount stays");
    return G_SOURCE_REMOVE;
}

void
fs_supervisor_watch(FsSupervisor *supervisor, const FsMountIdentity *mount,
                    int fuse)
{
    Charge charge;
    int line;

    if (supervisor == NULL)
        return;
    line = fs_helper_process_line(supervisor->process);
    charge = (Charge){*mount, fs_mount_mark_take(mount)};
    /* If it is not cut, it was ours. If the supervisor is gone, the source will
     * tell. */
    if (!fs_fuse_connection_is_cut(fuse) && !tell(line, &charge))
        g_debug("supervisor: %s", g_strerror(errno));
    fs_mount_mark_clear(&charge.mark);
    supervisor->source =
        g_unix_fd_add(line, G_IO_IN | G_IO_HUP, on_end, supervisor);
}

void
fs_supervisor_free(FsSupervisor *supervisor)
{
    if (supervisor == NULL)
        return;
    g_clear_handle_id(&supervisor->source, g_source_remove);
    fs_helper_process_free(supervisor->process);
    g_free(supervisor);
}
