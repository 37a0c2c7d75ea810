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
 * mounted at its death is a dead mount, if it is the same mount still. The file
 * by which its connection is aborted is open from the beginning, for a mount
 * that was detached and is in use cannot be found by then. */
#include "fs/mount/supervisor.h"

#include "fs/mount/helper-process.h"
#include "fs/mount/mount.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <signal.h>
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
    int abort;             /* see fs_mount_open_abort */
} Charge;

/* One that was detached (fusermount3 -uz) and is still in use is not in the
 * list of mounts any more, and is aborted all the same. */
static void
end_mount(Charge *charge)
{
    FsMountIdentity *mount = &charge->mount;

    if (mount->id == 0)
        return;
    fs_mount_abort_by(charge->abort);
    alarm(END_SECONDS);
    for (int i = 0; i < END_ATTEMPTS; i++) {
        FsMountPlace place = fs_mount_identity_locate(mount);

        if (place == FS_MOUNT_GONE)
            return;
        fs_mount_abort(mount);
        if (place == FS_MOUNT_COVERED)
            return;
        fs_mount_detach(mount->path);
    }
}

/* Anybody may send that signal; the kernel sends it in the daemon's name. */
static gboolean
is_of_daemon(int signals, pid_t daemon)
{
    struct signalfd_siginfo sent;

    return read(signals, &sent, sizeof sent) == (ssize_t)sizeof sent &&
           sent.ssi_pid == (guint32)daemon;
}

static void
take_charge(Charge *charge, const FsMountIdentity *mount)
{
    charge->mount = *mount;
    charge->abort = fs_mount_open_abort(mount);
}

/* Until the daemon is dead. */
static void
wait_for_death(int line, int signals, pid_t daemon, Charge *charge)
{
    struct pollfd events[] = {{.fd = line, .events = POLLIN},
                              {.fd = signals, .events = POLLIN}};

    for (;;) {
        FsMountIdentity told;
        ssize_t length;

        if (poll(events, G_N_ELEMENTS(events), -1) < 0) {
            if (errno == EINTR)
                continue;
            return;
        }
        if (events[1].revents != 0 && is_of_daemon(signals, daemon)) {
            /* Its last word may be still to be read. */
            if (recv(line, &told, sizeof told, MSG_DONTWAIT) ==
                (ssize_t)sizeof told)
                take_charge(charge, &told);
            return;
        }
        if (events[0].revents == 0)
            continue;
        length = recv(line, &told, sizeof told, 0);
        if (length == (ssize_t)sizeof told)
            take_charge(charge, &told);
        else if (length >= 0 || errno != EINTR)
            return;
    }
}

static void
supervise(int line, pid_t daemon)
{
    Charge charge = {.abort = -1};
    sigset_t death;
    int signals;

    sigemptyset(&death);
    sigaddset(&death, DEATH);
    sigprocmask(SIG_BLOCK, &death, NULL);
    signals = signalfd(-1, &death, SFD_CLOEXEC);
    prctl(PR_SET_PDEATHSIG, DEATH);
    if (getppid() == daemon)
        wait_for_death(line, signals, daemon, &charge);
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
fs_supervisor_watch(FsSupervisor *supervisor, const FsMountIdentity *mount)
{
    int line;

    if (supervisor == NULL)
        return;
    line = fs_helper_process_line(supervisor->process);
    /* If it is gone, the source will tell. */
    if (send(line, mount, sizeof *mount, MSG_NOSIGNAL) < 0)
        g_debug("supervisor: %s", g_strerror(errno));
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
