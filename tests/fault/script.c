/* Nothing here blocks: the client runs in the same loop. */
#include "script.h"

#include <glib-unix.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define OFTEN_MS 10
#define QUIET_MS 40
#define PATIENCE_MS 60000
#define MAX_TURNS 1000 /* for servers that never cease */

struct Script {
    int fd; /* -1: closed */
    const char *const *step;
    gsize left; /* octets until the cut */
    GString *input;
    GString *output;
    char *failure;
    gboolean hung_up;
    gboolean quiet;   /* nothing may come */
    gboolean waiting; /* on purpose */
    gboolean held;    /* until it is told to go on */
    gboolean sips;
    gboolean deaf;
    guint in_source;
    guint out_source;
    guint timer;
};

static void run(Script *script);

static void
hang_up(Script *script)
{
    g_clear_handle_id(&script->in_source, g_source_remove);
    g_clear_handle_id(&script->out_source, g_source_remove);
    g_clear_handle_id(&script->timer, g_source_remove);
    if (script->fd >= 0)
        close(script->fd);
    script->fd = -1;
}

static void go_wrong(Script *script, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

static void
go_wrong(Script *script, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    if (script->failure == NULL)
        script->failure = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    hang_up(script);
}

static gboolean
on_writable(int fd, GIOCondition condition, gpointer user_data)
{
    Script *script = user_data;
    gssize sent =
        send(fd, script->output->str, script->output->len, MSG_NOSIGNAL);

    if (sent > 0)
        g_string_erase(script->output, 0, sent);
    if (script->output->len > 0 && sent > 0)
        return G_SOURCE_CONTINUE;
    script->out_source = 0;
    if (script->left == 0)
        hang_up(script);
    return G_SOURCE_REMOVE;
}

static void
put(Script *script, const char *text)
{
    gsize length = MIN(strlen(text), script->left);

    g_string_append_len(script->output, text, length);
    script->left -= length;
    if (script->out_source == 0)
        script->out_source =
            g_unix_fd_add(script->fd, G_IO_OUT, on_writable, script);
}

static gboolean
on_chatter(gpointer user_data)
{
    put(user_data, "* OK still here\r\n");
    return G_SOURCE_CONTINUE;
}

static gboolean
on_drip(gpointer user_data)
{
    put(user_data, "*");
    return G_SOURCE_CONTINUE;
}

static gboolean
on_waited(gpointer user_data)
{
    Script *script = user_data;

    script->timer = 0;
    script->quiet = script->waiting = FALSE;
    run(script);
    return G_SOURCE_REMOVE;
}

/* FALSE: the line is not here yet. */
static gboolean
take_line(Script *script, const char *pattern)
{
    const char *end = strstr(script->input->str, "\r\n");
    g_autofree char *line = NULL;

    if (end == NULL)
        return FALSE;
    line = g_strndup(script->input->str, end - script->input->str);
    g_string_erase(script->input, 0, strlen(line) + 2);
    if (!g_pattern_match_simple(pattern, line))
        go_wrong(script, "expected \"%s\", got \"%s\"", pattern, line);
    return TRUE;
}

static void
run(Script *script)
{
    while (script->fd >= 0 && *script->step != NULL && !script->quiet &&
           !script->waiting && !script->held) {
        const char *step = *script->step;

        if (g_str_has_prefix(step, "S:")) {
            g_autofree char *line = g_strconcat(step + 2, "\r\n", NULL);

            put(script, line);
        } else if (g_str_has_prefix(step, "R:")) {
            put(script, step + 2);
        } else if (g_str_has_prefix(step, "C:")) {
            if (!take_line(script, step + 2))
                return;
        } else if (g_str_has_prefix(step, "D:")) {
            gsize wanted = g_ascii_strtoull(step + 2, NULL, 10);

            if (script->input->len < wanted)
                return;
            g_string_erase(script->input, 0, wanted);
        } else if (strcmp(step, "DEAF") == 0) {
            g_clear_handle_id(&script->in_source, g_source_remove);
            script->deaf = TRUE;
            return;
        } else if (strcmp(step, "SIP") == 0) {
            script->sips = TRUE;
        } else if (strcmp(step, "QUIET") == 0) {
            script->quiet = TRUE;
            script->timer = g_timeout_add(QUIET_MS, on_waited, script);
            if (script->input->len > 0)
                go_wrong(script, "not quiet: \"%s\"", script->input->str);
        } else if (strcmp(step, "WAIT") == 0) {
            script->waiting = TRUE;
            script->timer = g_timeout_add(WAIT_MS, on_waited, script);
        } else if (strcmp(step, "HOLD") == 0) {
            script->held = TRUE;
        } else if (strcmp(step, "CHATTER") == 0) {
            if (script->timer == 0)
                script->timer = g_timeout_add(OFTEN_MS, on_chatter, script);
            return;
        } else if (strcmp(step, "DRIP") == 0) {
            if (script->timer == 0)
                script->timer = g_timeout_add(OFTEN_MS, on_drip, script);
            return;
        } else if (strcmp(step, "HANG") == 0) {
            return;
        } else if (strcmp(step, "CLOSE") == 0) {
            script->left = 0;
            if (script->output->len == 0)
                hang_up(script);
        }
        script->step++;
    }
}

static gboolean on_thirsty(gpointer user_data);

static gboolean
on_readable(int fd, GIOCondition condition, gpointer user_data)
{
    Script *script = user_data;
    char buffer[SIP_OCTETS];
    gssize length = read(fd, buffer, sizeof buffer);

    if (length <= 0) {
        script->hung_up = TRUE;
        script->in_source = 0;
        hang_up(script);
        return G_SOURCE_REMOVE;
    }
    g_string_append_len(script->input, buffer, length);
    if (script->quiet)
        go_wrong(script, "not quiet: \"%s\"", script->input->str);
    run(script);
    if (script->fd < 0 || script->deaf)
        return G_SOURCE_REMOVE;
    if (!script->sips)
        return G_SOURCE_CONTINUE;
    script->in_source = g_timeout_add(SIP_MS, on_thirsty, script);
    return G_SOURCE_REMOVE;
}

static gboolean
on_thirsty(gpointer user_data)
{
    Script *script = user_data;

    script->in_source =
        g_unix_fd_add(script->fd, G_IO_IN | G_IO_HUP, on_readable, script);
    return G_SOURCE_REMOVE;
}

Script *
script_new(int fd, const char *const *steps, gsize cut)
{
    Script *script = g_new0(Script, 1);

    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    script->fd = fd;
    script->step = steps;
    script->left = cut;
    script->input = g_string_new(NULL);
    script->output = g_string_new(NULL);
    script->in_source =
        g_unix_fd_add(fd, G_IO_IN | G_IO_HUP, on_readable, script);
    if (cut == 0)
        hang_up(script);
    run(script);
    return script;
}

void
script_free(Script *script)
{
    if (script == NULL)
        return;
    hang_up(script);
    g_string_free(script->input, TRUE);
    g_string_free(script->output, TRUE);
    g_free(script->failure);
    g_free(script);
}

const char *
script_failure(const Script *script)
{
    return script->failure;
}

gboolean
script_is_done(const Script *script)
{
    return *script->step == NULL;
}

gboolean
script_is_held(const Script *script)
{
    return script->held;
}

void
script_go_on(Script *script)
{
    assert_true(script->held);
    script->held = FALSE;
    run(script);
}

gboolean
script_is_hung_up(const Script *script)
{
    return script->hung_up;
}

/* ---- the listener ---- */

static gboolean
on_connection(int fd, GIOCondition condition, gpointer user_data)
{
    Listener *listener = user_data;
    int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
    guint n = 0;

    assert_true(accepted >= 0);
    while (listener->scripts[n] != NULL && n <= listener->n_accepted)
        n++;
    listener->n_accepted++;
    if (n == 0)
        close(accepted);
    else
        g_ptr_array_add(
            listener->running,
            script_new(accepted, listener->scripts[n - 1], G_MAXSIZE));
    return G_SOURCE_CONTINUE;
}

void
listener_start(Listener *listener, const char *const *const *scripts)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof address;
    int small = 64 * 1024;

    memset(listener, 0, sizeof *listener);
    listener->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    /* What a slow reader has not read is not to be taken by the kernel. */
    setsockopt(listener->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    assert_int_equal(
        bind(listener->fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener->fd, 16), 0);
    getsockname(listener->fd, (struct sockaddr *)&address, &length);
    listener->port = ntohs(address.sin_port);
    listener->scripts = scripts;
    listener->running =
        g_ptr_array_new_with_free_func((GDestroyNotify)script_free);
    listener->source =
        g_unix_fd_add(listener->fd, G_IO_IN, on_connection, listener);
}

void
listener_check(const Listener *listener)
{
    for (guint i = 0; i < listener->running->len; i++) {
        const char *failure =
            script_failure(g_ptr_array_index(listener->running, i));

        if (failure != NULL)
            fail_msg("connection %u: %s", i + 1, failure);
    }
}

void
listener_stop(Listener *listener)
{
    g_source_remove(listener->source);
    close(listener->fd);
    g_ptr_array_unref(listener->running);
}

/* ---- waiting ---- */

static gboolean
set_flag(gpointer flag)
{
    *(gboolean *)flag = TRUE;
    return G_SOURCE_REMOVE;
}

void
wait_for(const gboolean *flag)
{
    gboolean late = FALSE;
    guint source = g_timeout_add(PATIENCE_MS, set_flag, &late);

    while (!*flag && !late)
        g_main_context_iteration(NULL, TRUE);
    if (late)
        fail_msg("nothing happened for %d ms", PATIENCE_MS);
    g_source_remove(source);
}

gint64
wait_limit(void)
{
    return g_get_monotonic_time() + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
}

void
wait_step(gint64 until, const char *what)
{
    gint64 left = (until - g_get_monotonic_time()) / G_TIME_SPAN_MILLISECOND;
    gboolean late = FALSE;
    guint source;

    if (left < 0)
        fail_msg("not within %d ms: %s", PATIENCE_MS, what);
    source = g_timeout_add((guint)left + 1, set_flag, &late);
    g_main_context_iteration(NULL, TRUE);
    if (!late)
        g_source_remove(source);
}

void
run_for(guint milliseconds)
{
    gboolean over = FALSE;

    g_timeout_add(milliseconds, set_flag, &over);
    while (!over)
        g_main_context_iteration(NULL, TRUE);
    for (guint i = 0; i < MAX_TURNS; i++)
        if (!g_main_context_iteration(NULL, FALSE))
            return;
}

Script *
listener_script(const Listener *listener, guint n)
{
    WAIT_UNTIL(listener->running->len > n);
    return g_ptr_array_index(listener->running, n);
}

void
listener_wait(const Listener *listener, guint n)
{
    const Script *script = listener_script(listener, n);

    WAIT_UNTIL(script_failure(script) != NULL || script_is_done(script));
    listener_check(listener);
}
