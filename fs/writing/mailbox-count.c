/* Whether a mailbox that is going to be deleted holds messages: asked from
 * outside, for some servers do not delete what somebody has selected. */
#include "fs/writing/mailbox-count.h"

#include "imap/status-request.h"

typedef struct {
    char *wire_name;
    FsMailboxCount told;
    FsMailboxCountFunc func;
    gpointer user_data;
} Count;

static void
on_status(const ImapMailboxStatus *status, gpointer user_data)
{
    Count *count = user_data;

    if ((status->has & IMAP_MAILBOX_MESSAGES) == 0 ||
        !g_str_equal(status->name, count->wire_name))
        return;
    if (status->messages > 0)
        count->told = FS_MAILBOX_HOLDS_MAIL;
    else if (count->told == FS_MAILBOX_UNTOLD)
        count->told = FS_MAILBOX_EMPTY;
}

static void
on_done(const GError *error, gpointer user_data)
{
    Count *count = user_data;

    count->func(count->told, error, count->user_data);
    g_free(count->wire_name);
    g_free(count);
}

static gboolean
on_nothing_to_ask(gpointer user_data)
{
    on_done(NULL, user_data);
    return G_SOURCE_REMOVE;
}

void
fs_mailbox_count(ImapConnection *connection, const char *wire_name,
                 FsMailboxCountFunc func, gpointer user_data)
{
    static const ImapStatusHandler handler = {.status = on_status,
                                              .done = on_done};
    const char *const names[] = {wire_name, NULL};
    Count *count = g_new0(Count, 1);

    count->wire_name = g_strdup(wire_name);
    count->told = FS_MAILBOX_UNTOLD;
    count->func = func;
    count->user_data = user_data;
    if (!imap_request_statuses(connection, names, &handler, count))
        g_idle_add(on_nothing_to_ask, count);
}
