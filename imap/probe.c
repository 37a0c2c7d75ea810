/* A NOOP, and a short deadline for anything to come.
 *
 * The server answers commands in turn: it may be busy with an earlier one for
 * longer than the deadline, but then it has most likely sent something of it.
 * If it has not, trying again on another connection costs a command that only
 * reads; waiting on a dead line costs the user the whole timeout. */
#include "imap/probe.h"

#include "imap/connection-private.h"
#include "imap/error.h"

typedef struct {
    ImapConnection *connection; /* a reference */
    guint64 bytes_received;     /* when it began */
    guint timer;                /* 0 once it is over */
} Probe;

static void
end(Probe *probe)
{
    g_clear_handle_id(&probe->timer, g_source_remove);
    imap_connection_unref(probe->connection);
    g_free(probe);
}

/* Whatever the answer is, it is one. */
static void
on_answer(const ImapStatus *status, const GError *error, gpointer user_data)
{
    end(user_data);
}

static const ImapCommandHandler handler = {.done = on_answer};

static gboolean
on_deadline(gpointer user_data)
{
    Probe *probe = user_data;
    const char *host = imap_connection_settings(probe->connection)->host;
    g_autoptr(GError) error = NULL;
    ImapTraffic traffic;

    probe->timer = 0;
    /* The NOOP ends with the connection, and the probe with the NOOP. */
    imap_connection_traffic(probe->connection, &traffic);
    if (traffic.bytes_received == probe->bytes_received &&
        imap_connection_silence(probe->connection) > 0) {
        error = g_error_new(IMAP_ERROR, IMAP_ERROR_CLOSED,
                            "the line to %s is dead: it does not answer", host);
        imap_connection_close(probe->connection, error);
    }
    return G_SOURCE_REMOVE;
}

void
imap_connection_probe(ImapConnection *connection, guint deadline_ms)
{
    ImapTraffic traffic;
    Probe *probe;

    if (!imap_connection_is_open(connection))
        return;
    probe = g_new0(Probe, 1);
    probe->connection = imap_connection_ref(connection);
    imap_connection_traffic(connection, &traffic);
    probe->bytes_received = traffic.bytes_received;
    probe->timer = g_timeout_add(deadline_ms, on_deadline, probe);
    imap_connection_send(connection, imap_command_new("NOOP"), &handler, probe);
}
