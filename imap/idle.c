/* IDLE is a command like others whose continuation is the beginning of a rest.
 * DONE goes out only after the "+": some servers stall if both come in one
 * piece. What follows DONE waits for nothing. */
#include "imap/idle.h"

#include "imap/connection-private.h"

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    gboolean begun;
    gboolean ended; /* by us */
    const ImapIdleHandler *handler;
    gpointer user_data;
} Idle;

static void
send_done(gpointer user_data)
{
    Idle *idle = user_data;

    idle->ended = TRUE;
    imap_connection_end_rest(idle->connection, "DONE");
}

static void
on_continuation(const char *text, gpointer user_data)
{
    Idle *idle = user_data;

    /* A second one means nothing. */
    if (idle->begun)
        return;
    idle->begun = TRUE;
    imap_connection_rest(idle->connection, send_done, idle);
    idle->handler->begun(idle->user_data);
}

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    Idle *idle = user_data;

    imap_connection_forget_rest(idle->connection);
    idle->handler->done(!idle->ended, error, idle->user_data);
    g_free(idle);
}

static const ImapCommandHandler idle_handler = {
    .continuation = on_continuation,
    .done = on_done,
};

gboolean
imap_idle_is_news(const ImapResponse *response)
{
    return response->type == IMAP_RESPONSE_EXISTS ||
           response->type == IMAP_RESPONSE_EXPUNGE ||
           response->type == IMAP_RESPONSE_VANISHED ||
           response->type == IMAP_RESPONSE_FETCH;
}

void
imap_idle_start(ImapConnection *connection, const ImapIdleHandler *handler,
                gpointer user_data)
{
    Idle *idle = g_new0(Idle, 1);
    ImapCommand *command = imap_command_new("IDLE");

    idle->connection = connection;
    idle->handler = handler;
    idle->user_data = user_data;
    imap_command_set_exclusive(command);
    imap_connection_send(connection, command, &idle_handler, idle);
}
