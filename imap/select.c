/* EXAMINE and SELECT: a mailbox is selected, and what its selection says is
 * kept.
 *
 * With QRESYNC (RFC 7162 section 3.2.5) the selection also tells what has
 * changed since the mailbox was last known. That is worth having only whole:
 * where there is any doubt it is dropped, and who wants to know asks by FETCH.
 */
#include "imap/requests.h"

#include "imap/connection-private.h"
#include "imap/error.h"

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    ImapMailbox mailbox;        /* owns what it points to */
    gboolean has_exists;
    gboolean has_parameters; /* and is sent again without if refused */
    ImapKnown known;
    ImapChanges *changes;  /* NULL: not asked for, or in doubt */
    gboolean needs_closed; /* another mailbox was selected, QRESYNC on */
    ImapExamineFunc done;
    gpointer user_data;
} SelectRequest;

static gboolean send_select(SelectRequest *request);

static void
forget_what_was_said(SelectRequest *request)
{
    ImapMailbox nothing = {
        .name = g_steal_pointer(&request->mailbox.name),
        .examined = request->mailbox.examined,
        .read_only = request->mailbox.examined,
    };

    imap_mailbox_clear(&request->mailbox);
    request->mailbox = nothing;
    request->has_exists = FALSE;
}

static void
drop_changes(SelectRequest *request)
{
    g_clear_pointer(&request->changes, imap_changes_free);
}

/* What comes before [CLOSED] is of the mailbox before. */
static void
on_mailbox_closed(SelectRequest *request)
{
    forget_what_was_said(request);
    request->needs_closed = FALSE;
    if (request->changes != NULL) {
        drop_changes(request);
        request->changes = imap_changes_new(&request->known);
    }
}

static void
take_vanished(SelectRequest *request, const ImapVanished *vanished)
{
    guint64 gone = imap_uid_set_count(vanished->uids);

    if (!vanished->earlier)
        request->mailbox.exists -= MIN(gone, request->mailbox.exists);
    if (request->changes != NULL && !request->needs_closed &&
        !imap_changes_add_vanished(request->changes, vanished->uids))
        drop_changes(request);
}

static void
take_flags(SelectRequest *request, const ImapFetch *fetch)
{
    if (request->changes == NULL || request->needs_closed)
        return;
    if (fetch->uid == 0 || fetch->flags == NULL ||
        !imap_changes_add_flags(request->changes, fetch->uid,
                                (const char *const *)fetch->flags))
        drop_changes(request);
}

/* Some servers send EXISTS several times while they select: the largest is
 * right (Zimbra). None of this counts as progress, the reply does; but changes,
 * which may be many, do. */
static gboolean
on_select_untagged(const ImapResponse *response, gpointer user_data)
{
    SelectRequest *request = user_data;
    ImapMailbox *mailbox = &request->mailbox;

    if (response->type == IMAP_RESPONSE_EXISTS) {
        mailbox->exists = MAX(mailbox->exists, response->number);
        request->has_exists = TRUE;
    } else if (response->type == IMAP_RESPONSE_STATUS) {
        if (imap_status_code(response->status, "CLOSED") != NULL)
            on_mailbox_closed(request);
        imap_mailbox_apply_codes(mailbox, response->status);
        return TRUE;
    } else if (response->type == IMAP_RESPONSE_VANISHED) {
        take_vanished(request, response->vanished);
        return request->changes != NULL;
    } else if (response->type == IMAP_RESPONSE_FETCH) {
        take_flags(request, response->fetch);
        return request->changes != NULL;
    }
    return FALSE;
}

/* Whether what was @known is a state from which @mailbox came. */
static gboolean
is_later(const ImapKnown *known, const ImapMailbox *mailbox)
{
    return mailbox->uidvalidity == known->uidvalidity && !mailbox->nomodseq &&
           mailbox->highestmodseq >= known->highestmodseq;
}

/* It announced what it does not understand. */
static gboolean
is_sent_again(SelectRequest *request, const GError *error)
{
    if (!request->has_parameters ||
        !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_BAD) ||
        !imap_connection_is_open(request->connection))
        return FALSE;
    imap_connection_session(request->connection)->plain_examine = TRUE;
    imap_connection_set_mailbox(request->connection, NULL);
    drop_changes(request);
    forget_what_was_said(request);
    send_select(request);
    return TRUE;
}

static void
on_select_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    SelectRequest *request = user_data;
    g_autoptr(GError) incomplete = NULL;

    if (is_sent_again(request, error))
        return;
    if (error == NULL && !request->has_exists) {
        incomplete = g_error_new_literal(
            IMAP_ERROR, IMAP_ERROR_PROTOCOL,
            "the server does not say how many messages there are");
        error = incomplete;
    }
    if (error == NULL)
        imap_mailbox_apply_codes(&request->mailbox, status);
    if (error != NULL || request->needs_closed ||
        !is_later(&request->known, &request->mailbox))
        drop_changes(request);
    imap_connection_set_mailbox(request->connection,
                                error == NULL ? &request->mailbox : NULL);
    request->done(g_steal_pointer(&request->changes), error,
                  request->user_data);
    imap_mailbox_clear(&request->mailbox);
    g_free(request);
}

static const ImapCommandHandler select_handler = {
    .untagged = on_select_untagged,
    .done = on_select_done,
};

static gboolean
can_tell_changes(ImapConnection *connection, const ImapKnown *known)
{
    return known != NULL && known->highestmodseq > 0 &&
           known->highestmodseq <= G_MAXINT64 && known->uidvalidity > 0 &&
           known->uidvalidity <= G_MAXUINT32 &&
           imap_connection_has_qresync(connection);
}

/* Where CONDSTORE is enabled, a plain selection tells the mod-sequence, too.
 * Returns whether it is plain. */
static gboolean
send_select(SelectRequest *request)
{
    ImapConnection *connection = request->connection;
    const ImapSession *session = imap_connection_session(connection);
    ImapCommand *command =
        imap_command_new(request->mailbox.examined ? "EXAMINE " : "SELECT ");
    gboolean asks_condstore = request->changes == NULL && !session->condstore &&
                              !session->qresync && !session->plain_examine &&
                              imap_connection_has(connection, "CONDSTORE");
    gboolean plain;

    imap_command_add_string(command, request->mailbox.name);
    if (request->changes != NULL)
        imap_command_add_format(
            command, " (QRESYNC (%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "))",
            request->known.uidvalidity, request->known.highestmodseq);
    else if (asks_condstore)
        imap_command_add_text(command, " (CONDSTORE)");
    request->has_parameters = request->changes != NULL || asks_condstore;
    imap_command_set_exclusive(command);
    plain = !request->has_parameters;
    imap_connection_send(connection, command, &select_handler, request);
    return plain;
}

static gboolean
begin(ImapConnection *connection, gboolean examined, const char *mailbox,
      const ImapKnown *known, ImapExamineFunc done, gpointer user_data)
{
    SelectRequest *request = g_new0(SelectRequest, 1);

    request->connection = connection;
    request->mailbox.name = g_strdup(mailbox);
    request->mailbox.examined = examined;
    forget_what_was_said(request);
    if (can_tell_changes(connection, known) &&
        !imap_connection_session(connection)->plain_examine) {
        request->known = *known;
        request->changes = imap_changes_new(known);
        request->needs_closed =
            imap_connection_mailbox(connection)->name != NULL;
    }
    request->done = done;
    request->user_data = user_data;
    return send_select(request);
}

gboolean
imap_request_examine_since(ImapConnection *connection, const char *mailbox,
                           const ImapKnown *known, ImapExamineFunc done,
                           gpointer user_data)
{
    return begin(connection, TRUE, mailbox, known, done, user_data);
}

gboolean
imap_request_select_since(ImapConnection *connection, const char *mailbox,
                          const ImapKnown *known, ImapExamineFunc done,
                          gpointer user_data)
{
    return begin(connection, FALSE, mailbox, known, done, user_data);
}

typedef struct {
    ImapDoneFunc done;
    gpointer user_data;
} PlainSelect;

static void
on_plain_done(ImapChanges *changes, const GError *error, gpointer user_data)
{
    g_autofree PlainSelect *request = user_data;

    imap_changes_free(changes);
    request->done(error, request->user_data);
}

static void
begin_plain(ImapConnection *connection, gboolean examined, const char *mailbox,
            ImapDoneFunc done, gpointer user_data)
{
    PlainSelect *request = g_new0(PlainSelect, 1);

    request->done = done;
    request->user_data = user_data;
    begin(connection, examined, mailbox, NULL, on_plain_done, request);
}

void
imap_request_examine(ImapConnection *connection, const char *mailbox,
                     ImapDoneFunc done, gpointer user_data)
{
    begin_plain(connection, TRUE, mailbox, done, user_data);
}

void
imap_request_select(ImapConnection *connection, const char *mailbox,
                    ImapDoneFunc done, gpointer user_data)
{
    begin_plain(connection, FALSE, mailbox, done, user_data);
}

void
imap_request_reselect(ImapConnection *connection, const char *mailbox,
                      ImapDoneFunc done, gpointer user_data)
{
    const ImapMailbox *selected = imap_connection_mailbox(connection);
    gboolean was_selected =
        g_strcmp0(selected->name, mailbox) == 0 && !selected->examined;

    begin_plain(connection, !was_selected, mailbox, done, user_data);
}
