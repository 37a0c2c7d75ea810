/* EXAMINE: a mailbox is selected, and what its selection says is kept. */
#include "imap/requests.h"

#include "imap/connection-private.h"
#include "imap/error.h"

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    ImapMailbox mailbox;        /* owns its name */
    gboolean has_exists;
    ImapDoneFunc done;
    gpointer user_data;
} ExamineRequest;

static void
forget_what_was_said(ExamineRequest *request)
{
    request->mailbox =
        (ImapMailbox){.name = request->mailbox.name, .read_only = TRUE};
    request->has_exists = FALSE;
}

/* Some servers send EXISTS several times while they select: the largest is
 * right (Zimbra). What comes before [CLOSED] is of the mailbox before. None of
 * this counts as progress: the reply does. */
static gboolean
on_examine_untagged(const ImapResponse *response, gpointer user_data)
{
    ExamineRequest *request = user_data;
    ImapMailbox *mailbox = &request->mailbox;

    if (response->type == IMAP_RESPONSE_EXISTS) {
        mailbox->exists = MAX(mailbox->exists, response->number);
        request->has_exists = TRUE;
    } else if (response->type == IMAP_RESPONSE_STATUS) {
        if (imap_status_code(response->status, "CLOSED") != NULL)
            forget_what_was_said(request);
        imap_mailbox_apply_codes(mailbox, response->status);
        return TRUE;
    }
    return FALSE;
}

static void
on_examine_done(const ImapStatus *status, const GError *error,
                gpointer user_data)
{
    ExamineRequest *request = user_data;
    g_autoptr(GError) incomplete = NULL;

    if (error == NULL && !request->has_exists) {
        incomplete = g_error_new_literal(
            IMAP_ERROR, IMAP_ERROR_PROTOCOL,
            "the server does not say how many messages there are");
        error = incomplete;
    }
    if (error == NULL)
        imap_mailbox_apply_codes(&request->mailbox, status);
    imap_connection_set_mailbox(request->connection,
                                error == NULL ? &request->mailbox : NULL);
    request->done(error, request->user_data);
    g_free(request->mailbox.name);
    g_free(request);
}

static const ImapCommandHandler examine_handler = {
    .untagged = on_examine_untagged,
    .done = on_examine_done,
};

void
imap_request_examine(ImapConnection *connection, const char *mailbox,
                     ImapDoneFunc done, gpointer user_data)
{
    ExamineRequest *request = g_new0(ExamineRequest, 1);
    ImapCommand *command = imap_command_new("EXAMINE ");

    request->connection = connection;
    request->mailbox.name = g_strdup(mailbox);
    forget_what_was_said(request);
    request->done = done;
    request->user_data = user_data;
    imap_command_add_string(command, mailbox);
    imap_command_set_exclusive(command);
    imap_connection_send(connection, command, &examine_handler, request);
}
