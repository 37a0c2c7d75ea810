/* Making, renaming and deleting mailboxes, and what may be done there. */
#include "imap/mailbox-requests.h"

#include "imap/error.h"

#include <string.h>

/* ---- those that bring nothing but their end ---- */

typedef struct {
    ImapDoneFunc done;
    gpointer user_data;
} PlainRequest;

static void
on_plain_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    g_autofree PlainRequest *request = user_data;

    request->done(error, request->user_data);
}

static const ImapCommandHandler plain_handler = {.done = on_plain_done};

static void
send_plain(ImapConnection *connection, const char *name, const char *mailbox,
           const char *other, ImapDoneFunc done, gpointer user_data)
{
    PlainRequest *request = g_new0(PlainRequest, 1);
    ImapCommand *command = imap_command_new(name);

    request->done = done;
    request->user_data = user_data;
    imap_command_add_text(command, " ");
    imap_command_add_string(command, mailbox);
    if (other != NULL) {
        imap_command_add_text(command, " ");
        imap_command_add_string(command, other);
    }
    imap_connection_send(connection, command, &plain_handler, request);
}

void
imap_request_create(ImapConnection *connection, const char *mailbox,
                    ImapDoneFunc done, gpointer user_data)
{
    send_plain(connection, "CREATE", mailbox, NULL, done, user_data);
}

void
imap_request_delete(ImapConnection *connection, const char *mailbox,
                    ImapDoneFunc done, gpointer user_data)
{
    send_plain(connection, "DELETE", mailbox, NULL, done, user_data);
}

void
imap_request_rename(ImapConnection *connection, const char *from,
                    const char *to, ImapDoneFunc done, gpointer user_data)
{
    send_plain(connection, "RENAME", from, to, done, user_data);
}

void
imap_request_subscribe(ImapConnection *connection, const char *mailbox,
                       ImapDoneFunc done, gpointer user_data)
{
    send_plain(connection, "SUBSCRIBE", mailbox, NULL, done, user_data);
}

void
imap_request_unsubscribe(ImapConnection *connection, const char *mailbox,
                         ImapDoneFunc done, gpointer user_data)
{
    send_plain(connection, "UNSUBSCRIBE", mailbox, NULL, done, user_data);
}

/* ---- those that bring one thing about one mailbox ---- */

typedef struct {
    char *mailbox;
    ImapListedMailbox listed; /* its name NULL: it is not there */
    ImapQuota quota;
    guint rights;
    gboolean has_rights;
    ImapListOneFunc list_done;
    ImapQuotaFunc quota_done;
    ImapRightsFunc rights_done;
    gpointer user_data;
} OneRequest;

/* INBOX has one name in any case. */
static gboolean
is_same_name(const char *one, const char *other)
{
    return strcmp(one, other) == 0 || (g_ascii_strcasecmp(one, "INBOX") == 0 &&
                                       g_ascii_strcasecmp(other, "INBOX") == 0);
}

static void
send_one(ImapConnection *connection, OneRequest *request, const char *text,
         const ImapCommandHandler *handler, const char *capability)
{
    ImapCommand *command = imap_command_new(text);

    imap_command_add_string(command, request->mailbox);
    if (capability != NULL && !imap_connection_has(connection, capability))
        imap_command_refuse(command,
                            g_error_new(IMAP_ERROR, IMAP_ERROR_UNSUPPORTED,
                                        "the server has no %s", capability));
    imap_connection_send(connection, command, handler, request);
}

static OneRequest *
one_new(const char *mailbox, gpointer user_data)
{
    OneRequest *request = g_new0(OneRequest, 1);

    request->mailbox = g_strdup(mailbox);
    request->user_data = user_data;
    return request;
}

static void
one_free(OneRequest *request)
{
    g_free(request->mailbox);
    g_free(request->listed.name);
    g_free(request);
}

/* ---- LIST ---- */

/* The name is a pattern: "%" in it finds others, too. */
static gboolean
on_list_untagged(const ImapResponse *response, gpointer user_data)
{
    OneRequest *request = user_data;
    const ImapList *list = response->list;

    if (response->type != IMAP_RESPONSE_LIST)
        return FALSE;
    if (is_same_name(list->name, request->mailbox) &&
        !(list->attributes & IMAP_LIST_NONEXISTENT)) {
        g_free(request->listed.name);
        request->listed.name = g_strdup(list->name);
        request->listed.delimiter = list->delimiter;
        request->listed.attributes = list->attributes;
    }
    return TRUE;
}

static void
on_list_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    OneRequest *request = user_data;
    gboolean is_there = error == NULL && request->listed.name != NULL;

    request->list_done(is_there ? &request->listed : NULL, error,
                       request->user_data);
    one_free(request);
}

static const ImapCommandHandler list_handler = {
    .untagged = on_list_untagged,
    .done = on_list_done,
};

void
imap_request_list_one(ImapConnection *connection, const char *mailbox,
                      ImapListOneFunc done, gpointer user_data)
{
    OneRequest *request = one_new(mailbox, user_data);

    request->list_done = done;
    send_one(connection, request, "LIST \"\" ", &list_handler, NULL);
}

/* ---- GETQUOTAROOT ---- */

/* Of two limits the one that leaves less. */
static void
take_lower(gboolean *has, guint64 *used, guint64 *limit, guint64 new_used,
           guint64 new_limit)
{
    guint64 left = *limit - MIN(*used, *limit);
    guint64 new_left = new_limit - MIN(new_used, new_limit);

    if (*has && left <= new_left)
        return;
    *has = TRUE;
    *used = new_used;
    *limit = new_limit;
}

static gboolean
on_quota_untagged(const ImapResponse *response, gpointer user_data)
{
    OneRequest *request = user_data;
    const ImapQuotaRoot *root = response->quota;
    ImapQuota *quota = &request->quota;

    if (response->type != IMAP_RESPONSE_QUOTA)
        return FALSE;
    if (root->has_storage)
        take_lower(&quota->has_storage, &quota->storage_used,
                   &quota->storage_limit, root->storage_used * 1024,
                   root->storage_limit * 1024);
    if (root->has_messages)
        take_lower(&quota->has_messages, &quota->messages_used,
                   &quota->messages_limit, root->messages_used,
                   root->messages_limit);
    return TRUE;
}

static void
on_quota_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    OneRequest *request = user_data;

    request->quota_done(error == NULL ? &request->quota : NULL, error,
                        request->user_data);
    one_free(request);
}

static const ImapCommandHandler quota_handler = {
    .untagged = on_quota_untagged,
    .done = on_quota_done,
};

void
imap_request_quota(ImapConnection *connection, const char *mailbox,
                   ImapQuotaFunc done, gpointer user_data)
{
    OneRequest *request = one_new(mailbox, user_data);

    request->quota_done = done;
    send_one(connection, request, "GETQUOTAROOT ", &quota_handler, "QUOTA");
}

/* ---- MYRIGHTS ---- */

/* RFC 4314 section 2.1.1: "c" and "d" are what RFC 2086 had. */
static guint
rights_of(const char *letters)
{
    static const struct {
        char letter;
        guint rights;
    } table[] = {
        {'l', IMAP_RIGHT_LOOK_UP},
        {'r', IMAP_RIGHT_READ},
        {'s', IMAP_RIGHT_SEEN},
        {'w', IMAP_RIGHT_WRITE_FLAGS},
        {'i', IMAP_RIGHT_INSERT},
        {'p', IMAP_RIGHT_POST},
        {'k', IMAP_RIGHT_CREATE},
        {'x', IMAP_RIGHT_DELETE_MAILBOX},
        {'t', IMAP_RIGHT_DELETE},
        {'e', IMAP_RIGHT_EXPUNGE},
        {'a', IMAP_RIGHT_ADMINISTER},
        {'c', IMAP_RIGHT_CREATE | IMAP_RIGHT_DELETE_MAILBOX},
        {'d', IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE},
    };
    gboolean is_new = strpbrk(letters, "kxte") != NULL;
    guint rights = 0;

    for (guint i = 0; i < G_N_ELEMENTS(table); i++)
        if (strchr(letters, table[i].letter) != NULL &&
            !(is_new && strchr("cd", table[i].letter) != NULL))
            rights |= table[i].rights;
    return rights;
}

static gboolean
on_rights_untagged(const ImapResponse *response, gpointer user_data)
{
    OneRequest *request = user_data;

    if (response->type != IMAP_RESPONSE_MYRIGHTS ||
        !is_same_name(response->rights->mailbox, request->mailbox))
        return FALSE;
    request->rights = rights_of(response->rights->letters);
    request->has_rights = TRUE;
    return TRUE;
}

static void
on_rights_done(const ImapStatus *status, const GError *error,
               gpointer user_data)
{
    OneRequest *request = user_data;
    g_autoptr(GError) untold = NULL;

    if (error == NULL && !request->has_rights) {
        untold = g_error_new_literal(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                                     "the server does not tell the rights");
        error = untold;
    }
    request->rights_done(error == NULL ? request->rights : 0, error,
                         request->user_data);
    one_free(request);
}

static const ImapCommandHandler rights_handler = {
    .untagged = on_rights_untagged,
    .done = on_rights_done,
};

void
imap_request_rights(ImapConnection *connection, const char *mailbox,
                    ImapRightsFunc done, gpointer user_data)
{
    OneRequest *request = one_new(mailbox, user_data);

    request->rights_done = done;
    send_one(connection, request, "MYRIGHTS ", &rights_handler, "ACL");
}
