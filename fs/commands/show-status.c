/* Shows the status of a mount, once or for as long as one looks.
 *
 * Watching, events say when to look again; and since not all that changes is an
 * event, once a second. A terminal is drawn over from its top, on its other
 * screen, and is as it was afterwards; elsewhere, what is new is written below
 * what was. */
#include "fs/commands/show-status.h"

#include "fs/commands/mount-status.h"
#include "fs/commands/status-report.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVERY_MS 1000u
/* Events come in swarms. */
#define SOON_MS 150u

#define OTHER_SCREEN "\033[?1049h\033[?25l"
#define FIRST_SCREEN "\033[?25h\033[?1049l"

typedef struct {
    const char *mountpoint;
    FsOutput output;
    GMainLoop *loop;
    int events;    /* a descriptor; -1: none */
    guint soon;    /* a source; 0: none */
    char *shown;   /* not on a terminal; NULL: nothing yet */
    GError *error; /* why it is over; NULL: somebody wanted that */
} Watch;

/* ---- drawing ---- */

static guint
terminal_rows(void)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return 24;
}

static void
draw(const GString *report)
{
    g_auto(GStrv) lines = g_strsplit(report->str, "\n", -1);
    g_autoptr(GString) screen = g_string_new("\033[H");
    guint rows = terminal_rows();

    for (guint i = 0; lines[i] != NULL && i < rows; i++)
        g_string_append_printf(screen, "%s%s\033[K", i > 0 ? "\r\n" : "",
                               lines[i]);
    g_string_append(screen, "\033[J");
    fputs(screen->str, stdout);
    fflush(stdout);
}

static void
write_news(Watch *watch, GString *report)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%H:%M:%S");

    if (g_strcmp0(watch->shown, report->str) == 0)
        return;
    printf("%s[%s]\n%s", watch->shown != NULL ? "\n" : "", time, report->str);
    fflush(stdout);
    g_free(watch->shown);
    watch->shown = g_strdup(report->str);
}

static void
show(Watch *watch)
{
    g_autoptr(JsonObject) status = NULL;
    GString *report;

    if (watch->error != NULL)
        return;
    status = fs_mount_status_read(watch->mountpoint, &watch->error);
    if (status == NULL) {
        g_main_loop_quit(watch->loop);
        return;
    }
    fs_output_look_at_width(&watch->output, STDOUT_FILENO);
    report =
        fs_status_report(&watch->output, status, !watch->output.is_terminal);
    if (watch->output.is_terminal)
        draw(report);
    else
        write_news(watch, report);
    g_string_free(report, TRUE);
}

/* ---- what it is drawn for ---- */

static gboolean
on_soon(gpointer user_data)
{
    Watch *watch = user_data;

    watch->soon = 0;
    show(watch);
    return G_SOURCE_REMOVE;
}

static gboolean
on_second(gpointer user_data)
{
    show(user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_resized(gpointer user_data)
{
    show(user_data);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_end(gpointer user_data)
{
    Watch *watch = user_data;

    g_main_loop_quit(watch->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean
on_event(int fd, GIOCondition condition, gpointer user_data)
{
    Watch *watch = user_data;
    char buffer[65536];
    ssize_t length;

    do
        length = read(fd, buffer, sizeof buffer);
    while (length > 0);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (watch->soon == 0)
            watch->soon = g_timeout_add(SOON_MS, on_soon, watch);
        return G_SOURCE_CONTINUE;
    }
    /* The end of events is that of the mount, as the next look will tell. */
    show(watch);
    return G_SOURCE_REMOVE;
}

static void
watch_mount(Watch *watch)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP};
    g_autofree char *path =
        g_build_filename(watch->mountpoint, ".imapfs", "events", NULL);

    watch->events = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (watch->events >= 0)
        g_unix_fd_add(watch->events, G_IO_IN, on_event, watch);
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++)
        g_unix_signal_add(ends[i], on_end, watch);
    g_unix_signal_add(SIGWINCH, on_resized, watch);
    g_timeout_add(EVERY_MS, on_second, watch);
    g_main_loop_run(watch->loop);
    if (watch->events >= 0)
        close(watch->events);
}

static int
run_watch(Watch *watch)
{
    watch->loop = g_main_loop_new(NULL, FALSE);
    show(watch);
    if (watch->error == NULL)
        watch_mount(watch);
    g_main_loop_unref(watch->loop);
    return watch->error == NULL ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
show_once(Watch *watch)
{
    g_autoptr(JsonObject) status =
        fs_mount_status_read(watch->mountpoint, &watch->error);
    GString *report;

    if (status == NULL)
        return EXIT_FAILURE;
    report = fs_status_report(&watch->output, status, FALSE);
    fputs(report->str, stdout);
    g_string_free(report, TRUE);
    return EXIT_SUCCESS;
}

int
fs_show_status_run(const char *mountpoint, gboolean is_watch)
{
    Watch watch = {.mountpoint = mountpoint, .events = -1};
    gboolean is_drawn;
    int status;

    fs_output_look(&watch.output, STDOUT_FILENO);
    is_drawn = is_watch && watch.output.is_terminal;
    if (is_drawn)
        fputs(OTHER_SCREEN, stdout);
    status = is_watch ? run_watch(&watch) : show_once(&watch);
    if (is_drawn)
        fputs(FIRST_SCREEN, stdout);
    fflush(stdout);
    if (watch.error != NULL)
        fprintf(stderr, "imapfs: %s\n", watch.error->message);
    g_clear_error(&watch.error);
    g_free(watch.shown);
    return status;
}
