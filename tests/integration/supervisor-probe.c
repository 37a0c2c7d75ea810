/* Daemons that are killed, beside mounts that come and go, to which the kernel
 * gives the numbers of those that went: their supervisors must end the mounts
 * of the killed, and no other.
 *
 *     supervisor-probe DIRECTORY ROUNDS
 *
 * DIRECTORY is empty and of the caller's mount namespace alone. Prints how many
 * daemons and other mounts there were; fails, and says why, at the first fault.
 * Nobody serves these mounts, nor looks at them. */
#include "fs/mount/mount-identity.h"
#include "fs/mount/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define DAEMONS 2
#define OTHERS 6
/* How long one of the others stands: some supervisor looks meanwhile. */
#define STANDS_MS 3
#define END_MS 60000

static struct {
    gint stop, n_killed, n_others;
} * shared;

static void G_GNUC_NORETURN
fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, g_strerror(errno));
    g_atomic_int_set(&shared->stop, TRUE);
    _exit(1);
}

static int
mount_at(const char *path)
{
    int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    g_autofree char *options = g_strdup_printf(
        "fd=%d,rootmode=40000,user_id=%u,group_id=%u", fd, getuid(), getgid());

    if (fd < 0 ||
        mount("probe", path, "fuse.probe", MS_NOSUID | MS_NODEV, options) != 0)
        fail("mount");
    return fd;
}

static gboolean
is_mounted(const char *path)
{
    FsMountIdentity mount;

    return fs_mount_identity_find(path, &mount);
}

/* ---- the others ---- */

/* Unmounts it, after so long; till then it must be there. */
static void
leave(const char *path, int fd, int milliseconds)
{
    struct pollfd end = {.fd = fd};

    if (poll(&end, 1, milliseconds) != 0)
        fail("somebody ended a connection that is not his");
    if (!is_mounted(path))
        fail("somebody unmounted what is not his");
    if (umount2(path, MNT_DETACH) != 0)
        fail("umount");
    close(fd);
    g_atomic_int_inc(&shared->n_others);
}

static void
come_and_go(const char *path)
{
    while (!g_atomic_int_get(&shared->stop))
        leave(path, mount_at(path), STANDS_MS);
}

/* ---- the daemons ---- */

static void G_GNUC_NORETURN
mount_and_die(const char *path, gboolean waits)
{
    FsSupervisor *supervisor = fs_supervisor_start();
    FsMountIdentity mount;
    int fuse;

    if (supervisor == NULL)
        fail("supervisor");
    fuse = mount_at(path);
    if (!fs_mount_identity_find(path, &mount))
        fail("a daemon's mount is not there");
    fs_supervisor_watch(supervisor, &mount, fuse);
    if (waits)
        raise(SIGSTOP);
    raise(SIGKILL);
    abort();
}

/* The supervisor becomes our child, and its end is waited for. */
static void
wait_for_all(void)
{
    while (waitpid(-1, NULL, 0) >= 0 || errno == EINTR)
        ;
}

static pid_t
start_daemon(const char *path, gboolean waits)
{
    pid_t daemon = fork();

    if (daemon == 0)
        mount_and_die(path, waits);
    if (daemon < 0)
        fail("fork");
    return daemon;
}

static void
be_killed_alone(const char *path)
{
    start_daemon(path, FALSE);
    wait_for_all();
}

/* Before the supervisor looks, perhaps. */
static void
be_killed_and_unmounted(const char *path)
{
    if (waitpid(start_daemon(path, FALSE), NULL, 0) > 0)
        umount2(path, MNT_DETACH);
    wait_for_all();
}

/* The other one is likely to have the same numbers. */
static void
be_killed_when_replaced(const char *path)
{
    g_autofree char *elsewhere = g_strdup_printf("%s-other", path);
    pid_t daemon = start_daemon(path, TRUE);
    int fd;

    if (waitpid(daemon, NULL, WUNTRACED) != daemon ||
        umount2(path, MNT_DETACH) != 0)
        fail("a daemon is not there, or its mount");
    fd = mount_at(elsewhere);
    kill(daemon, SIGKILL);
    wait_for_all();
    leave(elsewhere, fd, 0);
}

static void
be_killed(const char *path, guint rounds)
{
    static void (*const ways[])(const char *path) = {
        be_killed_alone,
        be_killed_and_unmounted,
        be_killed_when_replaced,
    };

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    for (guint i = 0; i < rounds && !g_atomic_int_get(&shared->stop); i++) {
        ways[i % G_N_ELEMENTS(ways)](path);
        if (is_mounted(path))
            fail("a killed daemon's mount stays");
        g_atomic_int_inc(&shared->n_killed);
    }
}

/* ---- all of them ---- */

static pid_t
start(const char *directory, int number, guint rounds)
{
    g_autofree char *path = g_strdup_printf("%s/%d", directory, number);
    g_autofree char *other = g_strdup_printf("%s-other", path);
    pid_t child;

    if (g_mkdir(path, 0700) != 0 || g_mkdir(other, 0700) != 0)
        fail(path);
    child = fork();
    if (child < 0)
        fail("fork");
    if (child > 0)
        return child;
    alarm(END_MS / 1000);
    if (rounds > 0)
        be_killed(path, rounds);
    else
        come_and_go(path);
    _exit(0);
}

static gboolean
ended_well(pid_t child)
{
    int status = -1;

    return waitpid(child, &status, 0) == child && status == 0;
}

int
main(int argc, char **argv)
{
    pid_t children[DAEMONS + OTHERS];
    gboolean well = TRUE;

    if (argc != 3)
        return 2;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    for (int i = 0; i < DAEMONS + OTHERS; i++)
        children[i] =
            start(argv[1], i,
                  i < DAEMONS ? (guint)g_ascii_strtoull(argv[2], NULL, 10) : 0);
    for (int i = 0; i < DAEMONS; i++)
        well &= ended_well(children[i]);
    g_atomic_int_set(&shared->stop, TRUE);
    for (int i = DAEMONS; i < DAEMONS + OTHERS; i++)
        well &= ended_well(children[i]);
    printf("%d daemons, %d other mounts\n", shared->n_killed, shared->n_others);
    return well ? 0 : 1;
}
