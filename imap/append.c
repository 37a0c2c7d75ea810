/* APPEND and REPLACE: what is said around the message, and what is known of it
 * afterwards. The octets go through the command queue, which knows when they
 * may. */
#include "imap/append.h"

#include "imap/changes.h"
#include "imap/date.h"
#include "imap/error.h"
#include "imap/requests-private.h"

#include <string.h>

#define MAX_FLAGS_LENGTH 4000u /* octets; a line may have 8000 */

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    guint64 size;               /* octets; 1 for none */
    guint64 left;               /* those that were not read yet */
    ImapAppended appended;
    const ImapAppendHandler *handler;
    gpointer user_data;
} AppendRequest;

/* ---- what comes back ---- */

/* APPENDUID (RFC 4315 section 3), of one message. What makes no sense is as
 * good as nothing. */
static void
take_status(AppendRequest *request, const ImapStatus *status)
{
    const char *text = imap_status_code(status, "APPENDUID");
    guint64 uidvalidity;
    guint64 uid;
    char *end;

    if (text == NULL || !g_ascii_isdigit(*text))
        return;
    uidvalidity = g_ascii_strtoull(text, &end, 10);
    while (*end == ' ')
        end++;
    if (!g_ascii_isdigit(*end))
        return;
    uid = g_ascii_strtoull(end, &end, 10);
    while (*end == ' ')
        end++;
    if (*end != '\0' || uidvalidity == 0 || uid == 0 || uid > G_MAXUINT32)
        return;
    request->appended.uidvalidity = uidvalidity;
    request->appended.uid = (guint32)uid;
}

/* REPLACE tells the new UID before the old message goes (RFC 8508 section 3.1).
 */
static gboolean
on_untagged(const ImapResponse *response, gpointer user_data)
{
    AppendRequest *request = user_data;

    if (response->type != IMAP_RESPONSE_STATUS ||
        response->status->condition != IMAP_CONDITION_OK ||
        imap_status_code(response->status, "APPENDUID") == NULL)
        return FALSE;
    take_status(request, response->status);
    return TRUE;
}

/* A server that has answered too early is as good as one that has not. */
static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    g_autofree AppendRequest *request = user_data;
    ImapAppended *appended = &request->appended;

    if (error == NULL)
        take_status(request, status);
    else
        *appended = (ImapAppended){
            .is_uncertain =
                status == NULL &&
                (request->left == 0 ||
                 (request->left < request->size &&
                  g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL)))};
    request->handler->done(appended, error, request->user_data);
}

static const ImapCommandHandler append_handler = {
    .untagged = on_untagged,
    .done = on_done,
};

/* ---- sending ---- */

static gssize
on_read(void *buffer, gsize size, gpointer user_data)
{
    AppendRequest *request = user_data;
    gssize length = request->handler->read(buffer, size, request->user_data);

    if (length > 0)
        request->left -= MIN((guint64)length, request->left);
    return length;
}

/* " (\Seen work)". Of system flags, only those that every server has: to
 * another, Dovecot says BAD when it reads its name, and does not read over the
 * message that is on its way, whose lines it then takes for commands. */
static gboolean
add_flags(ImapCommand *command, const char *const *flags)
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; flags != NULL && flags[i] != NULL; i++) {
        if (!imap_is_flag(flags[i]))
            return FALSE;
        if (!imap_flag_may_be_given(flags[i]))
            continue;
        if (text->len > 0)
            g_string_append_c(text, ' ');
        g_string_append(text, flags[i]);
    }
    if (text->len > 0)
        imap_command_add_format(command, " (%s)", text->str);
    return text->len <= MAX_FLAGS_LENGTH;
}

static GError *
refusal_of(ImapConnection *connection, const ImapAppend *append)
{
    guint64 limit;

    if (append->size == 0)
        return g_error_new_literal(IMAP_ERROR, IMAP_ERROR_ARGUMENT,
                                   "an empty message was not sent");
    if (imap_append_limit(connection, &limit) && append->size > limit)
        return g_error_new(IMAP_ERROR, IMAP_ERROR_TOO_BIG,
                           "the server takes messages of at most "
                           "%" G_GUINT64_FORMAT " octets",
                           limit);
    if (append->replaces == 0)
        return NULL;
    if (!imap_can_replace(connection))
        return g_error_new_literal(IMAP_ERROR, IMAP_ERROR_UNSUPPORTED,
                                   "the server has no REPLACE");
    if (!imap_connection_is_writable(connection))
        return g_error_new_literal(IMAP_ERROR, IMAP_ERROR_READ_ONLY,
                                   "the mailbox is not selected to be changed");
    return NULL;
}

gboolean
imap_can_replace(const ImapConnection *connection)
{
    return imap_connection_has(connection, "REPLACE");
}

gboolean
imap_append_limit(ImapConnection *connection, guint64 *octets)
{
    return imap_capabilities_number(imap_connection_capabilities(connection),
                                    "APPENDLIMIT", octets);
}

void
imap_request_append(ImapConnection *connection, const ImapAppend *append,
                    const ImapAppendHandler *handler, gpointer user_data)
{
    AppendRequest *request = g_new0(AppendRequest, 1);
    ImapCommand *command =
        imap_command_new(append->replaces != 0 ? "UID REPLACE" : "APPEND");
    GError *refusal = refusal_of(connection, append);

    request->connection = connection;
    request->size = request->left = MAX(append->size, 1);
    request->handler = handler;
    request->user_data = user_data;
    if (append->replaces != 0)
        imap_command_add_format(command, " %u", append->replaces);
    imap_command_add_text(command, " ");
    imap_command_add_string(command, append->mailbox);
    if (!add_flags(command, append->flags) && refusal == NULL)
        refusal = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_ARGUMENT,
                                      "the flags of a message make no sense");
    if (append->date != IMAP_APPEND_NO_DATE) {
        g_autofree char *date = imap_date_format(append->date);

        imap_command_add_format(command, " \"%s\"", date);
    }
    imap_command_add_message(command, append->size, IMAP_APPEND_PIPELINED,
                             on_read, request);
    if (refusal != NULL)
        imap_command_refuse(command, refusal);
    imap_connection_send(connection, command, &append_handler, request);
}
