/* UID SEARCH. What is found is compared with what was sought, as far as it can
 * be: some servers take a UID that is too high for the last message's. */
#include "imap/requests.h"

#include "imap/error.h"
#include "imap/requests-private.h"

/* One is the rule; some servers send their answer in parts. */
#define MAX_SEARCH_RESPONSES 1000

typedef struct {
    ImapConnection *connection; /* borrowed: it outlives its commands */
    ImapUidSet *found;
    ImapUidSet *bounds; /* what may be among it */
    guint n_responses;
    guint arrivals;       /* of the mailbox, when it was sent, or answered */
    gboolean beside_noop; /* that was sent together with it */
    gboolean awaits_noop; /* which is not answered yet */
    gboolean answered;
    GError *error; /* of the answer, or of the line */
    ImapSearchFunc done;
    gpointer user_data;
} SearchRequest;

static void
refuse_search_flood(SearchRequest *request)
{
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                            "the server finds more messages than can be kept");

    imap_connection_close(request->connection, error);
}

static gboolean
on_search_untagged(const ImapResponse *response, gpointer user_data)
{
    SearchRequest *request = user_data;
    const ImapUidSet *uids;
    gboolean fits;
    guint32 first;
    guint32 last;

    if (response->type != IMAP_RESPONSE_SEARCH)
        return FALSE;
    request->arrivals = imap_connection_mailbox(request->connection)->arrivals;
    uids = response->search->uids;
    fits = ++request->n_responses <= MAX_SEARCH_RESPONSES;
    for (guint i = 0; fits && i < imap_uid_set_n_ranges(uids); i++) {
        imap_uid_set_range(uids, i, &first, &last);
        fits = imap_uid_set_add(request->found, first, last);
    }
    if (!fits)
        refuse_search_flood(request);
    return TRUE;
}

static gboolean search_again(SearchRequest *request, const ImapUidSet *found);

static void
end_search(SearchRequest *request)
{
    g_autoptr(ImapUidSet) found = NULL;

    if (!request->answered || request->awaits_noop)
        return;
    found = imap_uid_set_intersection(request->found, request->bounds);
    if (request->error == NULL && search_again(request, found))
        return;
    request->done(request->error == NULL ? found : NULL, request->error,
                  request->user_data);
    imap_uid_set_free(request->found);
    imap_uid_set_free(request->bounds);
    g_clear_error(&request->error);
    g_free(request);
}

static void
on_search_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    SearchRequest *request = user_data;

    request->answered = TRUE;
    if (request->error == NULL && error != NULL)
        request->error = g_error_copy(error);
    end_search(request);
}

static const ImapCommandHandler search_handler = {
    .untagged = on_search_untagged,
    .done = on_search_done,
};

static void
on_noop_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
}

static const ImapCommandHandler noop_handler = {.done = on_noop_done};

void
imap_request_noop(ImapConnection *connection)
{
    imap_connection_send(connection, imap_command_new("NOOP"), &noop_handler,
                         NULL);
}

typedef struct {
    ImapDoneFunc done;
    gpointer user_data;
} PingRequest;

static void
on_ping_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    g_autofree PingRequest *request = user_data;

    request->done(error, request->user_data);
}

static const ImapCommandHandler ping_handler = {.done = on_ping_done};

void
imap_request_ping(ImapConnection *connection, ImapDoneFunc done,
                  gpointer user_data)
{
    PingRequest *request = g_new(PingRequest, 1);

    *request = (PingRequest){done, user_data};
    imap_connection_send(connection, imap_command_new("NOOP"), &ping_handler,
                         request);
}

/* RFC 9051 section 6.4.4. */
static void
add_criteria(ImapCommand *command, const ImapSought *sought)
{
    g_autofree char *uids =
        sought->uids != NULL ? imap_uid_set_to_string(sought->uids) : NULL;

    if (uids == NULL && sought->from_uid <= 1 && !sought->is_deleted &&
        sought->field == NULL)
        imap_command_add_text(command, " ALL");
    if (uids != NULL)
        imap_command_add_format(command, " UID %s", uids);
    if (sought->from_uid > 1)
        imap_command_add_format(command, " UID %u:*", sought->from_uid);
    if (sought->is_deleted)
        imap_command_add_text(command, " DELETED");
    if (sought->field != NULL) {
        imap_command_add_text(command, " HEADER ");
        imap_command_add_string(command, sought->field);
        imap_command_add_text(command, " ");
        imap_command_add_string(command, sought->text);
    }
}

/* What may be found. */
static ImapUidSet *
bounds_of(const ImapSought *sought)
{
    g_autoptr(ImapUidSet) all = imap_uid_set_new();

    imap_uid_set_add(all, MAX(sought->from_uid, 1), G_MAXUINT32);
    return sought->uids != NULL ? imap_uid_set_intersection(all, sought->uids)
                                : g_steal_pointer(&all);
}

/* A UID SEARCH whose keys are to follow. */
static ImapCommand *
begin_search(ImapConnection *connection)
{
    ImapCommand *command = imap_command_new("UID SEARCH");

    if (imap_connection_has(connection, "ESEARCH"))
        imap_command_add_text(command, " RETURN (ALL)");
    return command;
}

/* @bounds (takes ownership): what may be found. */
static SearchRequest *
request_new(ImapConnection *connection, ImapUidSet *bounds, ImapSearchFunc done,
            gpointer user_data)
{
    SearchRequest *request = g_new0(SearchRequest, 1);

    request->connection = connection;
    request->found = imap_uid_set_new();
    request->bounds = bounds;
    request->done = done;
    request->user_data = user_data;
    return request;
}

static void
send_request(SearchRequest *request, ImapCommand *command)
{
    request->arrivals = imap_connection_mailbox(request->connection)->arrivals;
    imap_connection_send(request->connection, command, &search_handler,
                         request);
}

static void
send_search(ImapConnection *connection, ImapCommand *command,
            ImapUidSet *bounds, ImapSearchFunc done, gpointer user_data)
{
    send_request(request_new(connection, bounds, done, user_data), command);
}

/* ---- by UIDs, together with a NOOP ---- */

/* Dovecot searches before it carries out the NOOP, and tells then of what has
 * come, perhaps behind the answer: what it did not find may be among that. Once
 * is enough, for the NOOP is answered now. */
static gboolean
search_again(SearchRequest *request, const ImapUidSet *found)
{
    const ImapSought sought = {.uids = request->bounds};
    ImapCommand *command;

    if (!request->beside_noop ||
        request->arrivals ==
            imap_connection_mailbox(request->connection)->arrivals ||
        imap_uid_set_count(found) == imap_uid_set_count(request->bounds))
        return FALSE;
    request->beside_noop = FALSE;
    request->answered = FALSE;
    imap_uid_set_free(request->found);
    request->found = imap_uid_set_new();
    request->n_responses = 0;
    command = begin_search(request->connection);
    add_criteria(command, &sought);
    send_request(request, command);
    return TRUE;
}

/* A search that is sent when NOOP was answered. */
typedef struct {
    ImapConnection *connection;
    ImapCommand *command;
    ImapUidSet *bounds;
    ImapSearchFunc done;
    gpointer user_data;
} Postponed;

static void
on_looked(const GError *error, gpointer user_data)
{
    g_autofree Postponed *search = user_data;

    if (error == NULL) {
        send_search(search->connection, search->command, search->bounds,
                    search->done, search->user_data);
        return;
    }
    imap_command_free(search->command);
    imap_uid_set_free(search->bounds);
    search->done(NULL, error, search->user_data);
}

void
imap_request_find(ImapConnection *connection, const ImapSought *sought,
                  ImapSearchFunc done, gpointer user_data)
{
    Postponed *search = g_new(Postponed, 1);

    *search = (Postponed){connection, begin_search(connection),
                          bounds_of(sought), done, user_data};
    add_criteria(search->command, sought);
    imap_request_ping(connection, on_looked, search);
}

void
imap_request_search_for(ImapConnection *connection,
                        const ImapSearchProgram *program, ImapSearchFunc done,
                        gpointer user_data)
{
    const char *required = imap_search_program_required(program);
    ImapCommand *command = begin_search(connection);
    const ImapSought anything = {0};

    imap_request_noop(connection);
    /* RFC 6855 section 3: with UTF8=ACCEPT, strings are UTF-8 anyway. */
    if (imap_search_program_needs_charset(program) &&
        !imap_connection_is_utf8(connection))
        imap_command_add_text(command, " CHARSET UTF-8");
    imap_search_program_append(program, command);
    if (required != NULL && !imap_connection_has(connection, required))
        imap_command_refuse(command,
                            g_error_new(IMAP_ERROR, IMAP_ERROR_UNSUPPORTED,
                                        "the server cannot search so: it does "
                                        "not announce %s",
                                        required));
    send_search(connection, command, bounds_of(&anything), done, user_data);
}

static void
on_beside_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    SearchRequest *request = user_data;

    request->awaits_noop = FALSE;
    if (request->error == NULL && imap_error_is_of_the_line(error))
        request->error = g_error_copy(error);
    end_search(request);
}

static const ImapCommandHandler beside_handler = {.done = on_beside_done};

void
imap_request_search(ImapConnection *connection, const ImapUidSet *uids,
                    ImapSearchFunc done, gpointer user_data)
{
    const ImapSought sought = {.uids = uids};
    ImapCommand *command = begin_search(connection);
    SearchRequest *request =
        request_new(connection, bounds_of(&sought), done, user_data);

    request->beside_noop = uids != NULL;
    request->awaits_noop = TRUE;
    imap_connection_send(connection, imap_command_new("NOOP"), &beside_handler,
                         request);
    add_criteria(command, &sought);
    send_request(request, command);
}
