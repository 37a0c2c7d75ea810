/* What the tests of connections share. */
#include "connection-fixture.h"

#include "imap/connection-struct.h"

#include <sys/socket.h>

int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->settings = imap_settings_new();
    g_free(f->settings->host);
    f->settings->host = g_strdup("127.0.0.1");
    f->settings->tls = IMAP_TLS_OFF;
    g_free(f->settings->username);
    f->settings->username = g_strdup("me");
    f->settings->password = imap_secret_new("secret", 6);
    f->settings->timeout_ms = LONG_TIMEOUT_MS;
    f->log = g_string_new(NULL);
    *state = f;
    return 0;
}

void
drop(Fixture *f)
{
    g_clear_pointer(&f->connection, imap_connection_unref);
    g_clear_pointer(&f->script, script_free);
    g_clear_error(&f->open_error);
    g_clear_error(&f->error);
    g_string_truncate(f->log, 0);
    f->opened = f->closed = f->done = FALSE;
    f->n_done = 0;
}

int
tear_down(void **state)
{
    Fixture *f = *state;

    drop(f);
    imap_settings_free(f->settings);
    g_string_free(f->log, TRUE);
    g_free(f);
    return 0;
}

static void
on_opened(ImapConnection *connection, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_false(f->opened);
    f->opened = TRUE;
    f->open_error = error != NULL ? g_error_copy(error) : NULL;
}

static void
on_closed(ImapConnection *connection, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_non_null(error);
    assert_false(f->closed);
    f->closed = TRUE;
}

void
start_cut(Fixture *f, const char *const *steps, gsize cut)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair),
                     0);
    f->script = script_new(pair[1], steps, cut);
    f->connection = imap_connection_new(f->settings);
    imap_connection_set_closed(f->connection, on_closed, f);
    imap_connection_open_fd(f->connection, pair[0], on_opened, f);
    assert_false(f->opened);
}

void
start(Fixture *f, const char *const *steps)
{
    start_cut(f, steps, G_MAXSIZE);
}

void
check_script(Fixture *f)
{
    if (script_failure(f->script) != NULL)
        fail_msg("%s", script_failure(f->script));
}

void
open_ready(Fixture *f, const char *const *steps)
{
    start(f, steps);
    wait_for(&f->opened);
    check_script(f);
    if (f->open_error != NULL)
        fail_msg("%s", f->open_error->message);
}

void
set_timeout(Fixture *f, guint timeout_ms)
{
    f->settings->timeout_ms = timeout_ms;
    f->connection->watchdog.limit_ms = timeout_ms;
    /* It may still run for what was awaited before. */
    imap_watchdog_stop(&f->connection->watchdog);
}

void
assert_error(const GError *error, ImapError code, const char *words)
{
    if (error == NULL)
        fail_msg("no error, but \"%s\" was expected", words);
    if (!g_error_matches(error, IMAP_ERROR, code) ||
        strstr(error->message, words) == NULL)
        fail_msg("\"%s\" expected; error %d: %s", words, error->code,
                 error->message);
}

void
on_done(const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    f->done = TRUE;
    f->n_done++;
    g_clear_error(&f->error);
    f->error = error != NULL ? g_error_copy(error) : NULL;
}

static void
on_command_done(const ImapStatus *status, const GError *error,
                gpointer user_data)
{
    on_done(error, user_data);
}

static const ImapCommandHandler command_handler = {.done = on_command_done};

guint
send_text(Fixture *f, const char *text)
{
    return imap_connection_send(f->connection, imap_command_new(text),
                                &command_handler, f);
}

void
wait_done(Fixture *f)
{
    wait_for(&f->done);
    check_script(f);
    f->done = FALSE;
}

void
on_list(const GArray *mailboxes, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((mailboxes == NULL) == (error != NULL));
    for (guint i = 0; mailboxes != NULL && i < mailboxes->len; i++)
        g_string_append_printf(
            f->log, "%s ", g_array_index(mailboxes, ImapListedMailbox, i).name);
    on_done(error, f);
}

void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Fixture *f = user_data;

    assert_true((found == NULL) == (error != NULL));
    if (found != NULL) {
        g_autofree char *text = imap_uid_set_to_string(found);

        g_string_append_printf(f->log, "[%s] ", text);
    }
    on_done(error, f);
}

static void
on_message(const ImapFetch *fetch, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u ", fetch->uid);
}

const ImapFetchListHandler list_handler = {on_message, on_done};

static void
on_begin(guint64 size, gboolean certain, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u%s<", (guint)size,
                           certain ? "!" : "?");
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    g_string_append_len(((Fixture *)user_data)->log, (const char *)data,
                        length);
}

static void
on_end(gpointer user_data)
{
    g_string_append(((Fixture *)user_data)->log, "> ");
}

static void
on_discard(gpointer user_data)
{
    g_string_append(((Fixture *)user_data)->log, "# ");
}

const ImapFetchBodyHandler body_handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

static void
on_bodies_begin(guint32 uid, guint64 size, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u:%u<", uid,
                           (guint)size);
}

static void
on_bodies_end(guint32 uid, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, ">%u ", uid);
}

const ImapBodiesHandler bodies_handler = {
    .begin = on_bodies_begin,
    .data = on_data,
    .end = on_bodies_end,
    .discard = on_discard,
    .done = on_done,
};

static void
on_flags(guint32 uid, const char *flags, gpointer user_data)
{
    g_string_append_printf(((Fixture *)user_data)->log, "%u=%s; ", uid, flags);
}

static void
on_vanished(const ImapUidSet *uids, gpointer user_data)
{
    g_autofree char *text = imap_uid_set_to_string(uids);

    g_string_append_printf(((Fixture *)user_data)->log, "-%s; ", text);
}

const ImapFlagsHandler flags_handler = {
    .flags = on_flags,
    .vanished = on_vanished,
    .done = on_done,
};
