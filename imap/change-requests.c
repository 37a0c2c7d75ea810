/* What changes the messages of the selected mailbox.
 *
 * What must hold before anything is sent is checked first, and a command that
 * fails the check is refused instead of sent: so whoever asks hears of it as of
 * everything else. Where UIDs cannot be trusted to mean themselves, the search
 * for them is a command before the command. */
#include "imap/change-requests.h"

#include "imap/copied.h"
#include "imap/error.h"
#include "imap/requests-private.h"

#include <string.h>

#define MAX_FLAGS_LENGTH 900u /* octets, of one command */

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    ImapUidSet *uids;
    const char *name; /* of the command */
    GString *rest;    /* what follows the UIDs */
    char *mailbox;    /* and then this; NULL: nothing */
    gboolean reads;   /* it changes nothing here */
    GError *refusal;  /* why nothing is sent; NULL: it is */
    ImapCopied *copied;
    gboolean is_doubtful; /* what the server says of the copies */
    ImapStoreFunc stored;
    ImapDoneFunc done;
    ImapCopyFunc copy_done;
    gpointer user_data;
} ChangeRequest;

static void
request_free(ChangeRequest *request)
{
    imap_uid_set_free(request->uids);
    g_string_free(request->rest, TRUE);
    g_free(request->mailbox);
    g_clear_error(&request->refusal);
    imap_copied_free(request->copied);
    g_free(request);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(ChangeRequest, request_free)

/* ---- what comes back ---- */

/* Those that MODIFIED names; NULL if it makes no sense. */
static ImapUidSet *
modified_of(const ImapStatus *status, const ImapUidSet *uids)
{
    const char *text =
        status != NULL ? imap_status_code(status, "MODIFIED") : NULL;
    g_autoptr(ImapUidSet) modified = NULL;

    if (text == NULL)
        return imap_uid_set_new();
    modified = imap_uid_set_parse(text, strlen(text));
    return modified != NULL ? imap_uid_set_intersection(modified, uids) : NULL;
}

static void
end_store(ChangeRequest *request, const ImapStatus *status, const GError *error)
{
    g_autoptr(ImapUidSet) modified = modified_of(status, request->uids);
    g_autoptr(GError) unclear = NULL;

    if (error == NULL && modified == NULL) {
        unclear = g_error_new_literal(
            IMAP_ERROR, IMAP_ERROR_PROTOCOL,
            "the server does not say clearly what it has not changed");
        error = unclear;
    }
    request->stored(error == NULL ? modified : NULL, error, request->user_data);
}

/* COPYUID of a move comes before its messages go (RFC 6851 section 4.3). One of
 * other messages is the next command's, if all of this one's are told; if they
 * are not, it may have been meant for this one. TRUE if it is this one's. */
static gboolean
take_copied(ChangeRequest *request, const ImapStatus *status)
{
    ImapCopiedResult result =
        imap_copied_take(request->copied, status, request->uids);

    if (result == IMAP_COPIED_UNLIKELY ||
        (result == IMAP_COPIED_OTHERS &&
         request->copied->pairs->len < imap_uid_set_count(request->uids)))
        request->is_doubtful = TRUE;
    return result == IMAP_COPIED_TAKEN;
}

static void
end_copy(ChangeRequest *request, const ImapStatus *status, const GError *error)
{
    gboolean is_told;

    if (status != NULL)
        take_copied(request, status);
    is_told = request->copied->pairs->len > 0 && !request->is_doubtful;
    request->copy_done(is_told ? request->copied : NULL, error,
                       request->user_data);
}

static void
end(ChangeRequest *request, const ImapStatus *status, const GError *error)
{
    if (request->stored != NULL)
        end_store(request, status, error);
    else if (request->copy_done != NULL)
        end_copy(request, status, error);
    else
        request->done(error, request->user_data);
    request_free(request);
}

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    end(user_data, status, error);
}

static gboolean
take_status(ChangeRequest *request, const ImapStatus *status)
{
    return request->copy_done != NULL &&
           status->condition == IMAP_CONDITION_OK &&
           take_copied(request, status);
}

/* Everything that shows the server at work counts as progress. Flags are told
 * to others, too: who asks for silence does not wait for them. */
static gboolean
on_untagged(const ImapResponse *response, gpointer user_data)
{
    ChangeRequest *request = user_data;

    if (response->type == IMAP_RESPONSE_STATUS)
        return take_status(request, response->status);
    if (response->type == IMAP_RESPONSE_FETCH)
        return response->fetch->flags == NULL &&
               response->fetch->body == IMAP_BODY_NONE &&
               imap_uid_set_contains(request->uids, response->fetch->uid);
    if (response->type == IMAP_RESPONSE_EXPUNGE ||
        response->type == IMAP_RESPONSE_VANISHED)
        return !request->reads && request->stored == NULL;
    return FALSE;
}

static const ImapCommandHandler change_handler = {
    .untagged = on_untagged,
    .done = on_done,
};

/* ---- sending ---- */

static void
refuse(ChangeRequest *request, ImapError code, const char *why)
{
    if (request->refusal == NULL)
        request->refusal = g_error_new(
            IMAP_ERROR, (int)code, "%s was not sent: %s", request->name, why);
}

static void
send_now(ChangeRequest *request)
{
    ImapCommand *command = imap_command_new(request->name);
    g_autofree char *uids = imap_uid_set_to_string(request->uids);

    if (!request->reads && !imap_connection_is_writable(request->connection))
        refuse(request, IMAP_ERROR_READ_ONLY,
               "the mailbox is not selected to be changed");
    if (*uids != '\0')
        imap_command_add_format(command, " %s%s", uids, request->rest->str);
    if (request->mailbox != NULL)
        imap_command_add_string(command, request->mailbox);
    if (request->refusal != NULL)
        imap_command_refuse(command, g_error_copy(request->refusal));
    imap_connection_send(request->connection, command, &change_handler,
                         request);
}

static void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    ChangeRequest *request = user_data;

    if (error != NULL || imap_uid_set_count(found) == 0) {
        end(request, NULL, error);
        return;
    }
    imap_uid_set_free(request->uids);
    request->uids = imap_uid_set_intersection(found, found);
    send_now(request);
}

static void
check_uids(ChangeRequest *request)
{
    guint64 n = imap_uid_set_count(request->uids);
    g_autofree char *uids = imap_uid_set_to_string(request->uids);

    if (n == 0 || n > IMAP_MAX_CHANGED || strlen(uids) > IMAP_MAX_SET_LENGTH)
        refuse(request, IMAP_ERROR_ARGUMENT,
               n == 0 ? "it names no message" : "it names too many messages");
}

static void
begin(ChangeRequest *request)
{
    check_uids(request);
    if (request->refusal == NULL &&
        !imap_can_expunge_uids(request->connection) &&
        (request->reads || imap_connection_is_writable(request->connection)))
        imap_request_search(request->connection, request->uids, on_found,
                            request);
    else
        send_now(request);
}

/* A copy of the set: what is in both of twice the same. */
static ChangeRequest *
request_new(ImapConnection *connection, const char *name,
            const ImapUidSet *uids, gpointer user_data)
{
    ChangeRequest *request = g_new0(ChangeRequest, 1);

    request->connection = connection;
    request->name = name;
    request->uids = imap_uid_set_intersection(uids, uids);
    request->rest = g_string_new(NULL);
    request->user_data = user_data;
    return request;
}

/* ---- flags ---- */

gboolean
imap_is_flag(const char *flag)
{
    const char *atom = flag[0] == '\\' ? flag + 1 : flag;

    if (*atom == '\0')
        return FALSE;
    for (; *atom != '\0'; atom++)
        if (!g_ascii_isgraph(*atom) || strchr("(){%*\"\\", *atom) != NULL)
            return FALSE;
    return TRUE;
}

/* What is not kept for good is still enough to be expunged by. */
static gboolean
is_kept(const ChangeRequest *request, const char *flag)
{
    return g_ascii_strcasecmp(flag, "\\Deleted") == 0 ||
           imap_mailbox_keeps_flag(imap_connection_mailbox(request->connection),
                                   flag);
}

static void
add_flags(ChangeRequest *request, const ImapStore *store)
{
    gsize start = request->rest->len;

    for (guint i = 0; store->flags[i] != NULL; i++) {
        const char *flag = store->flags[i];

        if (!imap_is_flag(flag)) {
            refuse(request, IMAP_ERROR_ARGUMENT, "a flag is no word");
            return;
        }
        if (store->mode != IMAP_STORE_REMOVE && !is_kept(request, flag))
            refuse(request, IMAP_ERROR_CANNOT,
                   "the mailbox does not keep such a flag");
        if (i > 0)
            g_string_append_c(request->rest, ' ');
        g_string_append(request->rest, flag);
    }
    if (request->rest->len - start > MAX_FLAGS_LENGTH)
        refuse(request, IMAP_ERROR_ARGUMENT, "it has too many flags");
}

void
imap_request_store(ImapConnection *connection, const ImapStore *store,
                   ImapStoreFunc done, gpointer user_data)
{
    static const char *const signs[] = {
        [IMAP_STORE_ADD] = "+",
        [IMAP_STORE_REMOVE] = "-",
        [IMAP_STORE_REPLACE] = "",
    };
    ChangeRequest *request =
        request_new(connection, "UID STORE", store->uids, user_data);
    const ImapMailbox *mailbox = imap_connection_mailbox(connection);

    request->stored = done;
    if (store->unchanged_since > 0 && mailbox->highestmodseq > 0 &&
        imap_connection_has_condstore(connection))
        g_string_append_printf(request->rest,
                               " (UNCHANGEDSINCE %" G_GUINT64_FORMAT ")",
                               store->unchanged_since);
    g_string_append_printf(request->rest, " %sFLAGS.SILENT (",
                           signs[store->mode]);
    add_flags(request, store);
    g_string_append_c(request->rest, ')');
    begin(request);
}

/* ---- expunging ---- */

gboolean
imap_can_expunge_uids(ImapConnection *connection)
{
    return imap_connection_has(connection, "UIDPLUS");
}

void
imap_request_expunge_uids(ImapConnection *connection, const ImapUidSet *uids,
                          ImapDoneFunc done, gpointer user_data)
{
    ChangeRequest *request =
        request_new(connection, "UID EXPUNGE", uids, user_data);

    request->done = done;
    if (!imap_can_expunge_uids(connection))
        refuse(request, IMAP_ERROR_UNSUPPORTED, "the server has no UIDPLUS");
    begin(request);
}

void
imap_request_expunge_everything_marked(ImapConnection *connection,
                                       ImapDoneFunc done, gpointer user_data)
{
    g_autoptr(ImapUidSet) none = imap_uid_set_new();
    ChangeRequest *request =
        request_new(connection, "EXPUNGE", none, user_data);

    request->done = done;
    send_now(request);
}

/* ---- copying and moving ---- */

static void
begin_copy(ChangeRequest *request, const char *mailbox, ImapCopyFunc done)
{
    request->copied = imap_copied_new();
    request->copy_done = done;
    g_string_append_c(request->rest, ' ');
    request->mailbox = g_strdup(mailbox);
    begin(request);
}

void
imap_request_copy(ImapConnection *connection, const ImapUidSet *uids,
                  const char *mailbox, ImapCopyFunc done, gpointer user_data)
{
    ChangeRequest *request =
        request_new(connection, "UID COPY", uids, user_data);

    request->reads = TRUE;
    begin_copy(request, mailbox, done);
}

gboolean
imap_can_move(ImapConnection *connection)
{
    return imap_connection_has(connection, "MOVE");
}

void
imap_request_move(ImapConnection *connection, const ImapUidSet *uids,
                  const char *mailbox, ImapCopyFunc done, gpointer user_data)
{
    ChangeRequest *request =
        request_new(connection, "UID MOVE", uids, user_data);

    if (!imap_can_move(connection))
        refuse(request, IMAP_ERROR_UNSUPPORTED, "the server has no MOVE");
    begin_copy(request, mailbox, done);
}
