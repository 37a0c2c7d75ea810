/* The socket is connected at the first message, for the processes that are
 * forked before are to have none of it.
 *
 * The manager reads one socket for all of its services: it may be slow, and the
 * loop must not wait for it. So the socket does not block, and messages queue
 * here meanwhile. They are few. */
#include "fs/service/service-manager.h"

#include "fs/text.h"

#include <errno.h>
#include <glib-unix.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define STATUS_BYTES 500
/* Of a manager that does not read, the newest is lost. */
#define QUEUE_MAX 16

static struct {
    char *path; /* NULL: nobody wants to hear */
    int fd;     /* -1: not connected */
    GQueue waiting;
    guint source; /* while something waits */
    char *status; /* the last that was said */
} manager = {.fd = -1, .waiting = G_QUEUE_INIT};

void
fs_service_manager_find(void)
{
    const char *path = g_getenv("NOTIFY_SOCKET");

    if (path != NULL && (path[0] == '/' || path[0] == '@') && path[1] != '\0' &&
        strlen(path) < sizeof((struct sockaddr_un *)NULL)->sun_path)
        manager.path = g_strdup(path);
    g_unsetenv("NOTIFY_SOCKET");
}

void
fs_service_manager_forget(void)
{
    g_clear_handle_id(&manager.source, g_source_remove);
    g_queue_clear_full(&manager.waiting, g_free);
    g_clear_pointer(&manager.path, g_free);
    g_clear_pointer(&manager.status, g_free);
    if (manager.fd >= 0)
        close(manager.fd);
    manager.fd = -1;
}

/* A name that begins with an @ is abstract: a NUL stands there instead, and its
 * length says where it ends. */
static gboolean
connect_to_manager(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    gsize length = strlen(manager.path);

    if (manager.fd >= 0)
        return TRUE;
    memcpy(address.sun_path, manager.path, length);
    if (manager.path[0] == '@')
        address.sun_path[0] = '\0';
    manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return manager.fd >= 0 &&
           connect(manager.fd, (struct sockaddr *)&address,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
                               length)) == 0;
}

/* FALSE: the manager does not take it now. */
static gboolean
send_now(const char *text)
{
    ssize_t sent;

    do
        sent = send(manager.fd, text, strlen(text), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return TRUE;
    if (errno == EAGAIN || errno == ENOBUFS)
        return FALSE;
    g_debug("service manager: %s", g_strerror(errno));
    return TRUE;
}

static gboolean
on_writable(gint fd, GIOCondition condition, gpointer user_data)
{
    while (manager.waiting.length > 0) {
        if (!send_now(manager.waiting.head->data))
            return G_SOURCE_CONTINUE;
        g_free(g_queue_pop_head(&manager.waiting));
    }
    manager.source = 0;
    return G_SOURCE_REMOVE;
}

static void
tell(const char *text)
{
    if (manager.path == NULL)
        return;
    if (!connect_to_manager()) {
        g_debug("service manager: %s", g_strerror(errno));
        fs_service_manager_forget();
        return;
    }
    if (manager.waiting.length == 0 && send_now(text))
        return;
    if (manager.waiting.length >= QUEUE_MAX)
        return;
    g_queue_push_tail(&manager.waiting, g_strdup(text));
    if (manager.source == 0)
        manager.source =
            g_unix_fd_add(manager.fd, G_IO_OUT | G_IO_ERR, on_writable, NULL);
}

void
fs_service_manager_ready(void)
{
    tell("READY=1");
}

void
fs_service_manager_reloading(void)
{
    g_autofree char *text =
        g_strdup_printf("RELOADING=1\nMONOTONIC_USEC=%" G_GINT64_FORMAT,
                        g_get_monotonic_time());

    tell(text);
}

void
fs_service_manager_stopping(void)
{
    tell("STOPPING=1");
}

void
fs_service_manager_status(const char *format, ...)
{
    g_autofree char *words = NULL;
    g_autofree char *line = NULL;
    g_autofree char *text = NULL;
    va_list arguments;

    if (manager.path == NULL)
        return;
    va_start(arguments, format);
    words = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    line = fs_text_tame(words, STATUS_BYTES);
    if (g_strcmp0(line, manager.status) == 0)
        return;
    text = g_strconcat("STATUS=", line, NULL);
    tell(text);
    g_free(manager.status);
    manager.status = g_steal_pointer(&line);
}
