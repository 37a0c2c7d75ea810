/* QUOTA and MYRIGHTS: what may be done in a mailbox, and how much of it. */
#include "imap/response-private.h"

#include <string.h>

/* Units of 1024 octets; more would not be a number of octets. */
#define MAX_STORAGE (G_MAXUINT64 / 1024)

static gboolean
read_resource(ImapQuotaRoot *quota, const ImapValues *values,
              const ImapValue *name, ImapCursor *members)
{
    const ImapValue *used = imap_cursor_next(members);
    const ImapValue *limit = imap_cursor_next(members);
    guint64 used_number;
    guint64 limit_number;

    if (used == NULL || limit == NULL)
        return FALSE;
    /* A server that does not count what others have says so by "-1". */
    if (!imap_value_number(values, used, &used_number) ||
        !imap_value_number(values, limit, &limit_number))
        return imap_value_is(values, used, "-1") ||
               imap_value_is(values, limit, "-1");
    if (imap_value_is(values, name, "STORAGE")) {
        quota->has_storage = TRUE;
        quota->storage_used = MIN(used_number, MAX_STORAGE);
        quota->storage_limit = MIN(limit_number, MAX_STORAGE);
    } else if (imap_value_is(values, name, "MESSAGE")) {
        quota->has_messages = TRUE;
        quota->messages_used = used_number;
        quota->messages_limit = limit_number;
    }
    return TRUE;
}

/* QUOTA root (resource used limit …); Courier leaves out a list of nothing. */
gboolean
imap_quota_read(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *root = imap_cursor_next(&cursor);
    const ImapValue *resources = imap_cursor_next(&cursor);
    const ImapValue *name;
    ImapCursor members = {0};
    ImapQuotaRoot *quota = &reading->quota;

    memset(quota, 0, sizeof *quota);
    if (root == NULL || imap_cursor_next(&cursor) != NULL ||
        (resources != NULL && !imap_value_members(values, resources, &members)))
        return imap_reading_fail(error, "QUOTA is not a name and a list");
    while (resources != NULL && (name = imap_cursor_next(&members)) != NULL)
        if (!read_resource(quota, values, name, &members))
            return imap_reading_fail(error, "QUOTA without a number");
    quota->name = imap_value_string(values, root);
    if (quota->name == NULL)
        return imap_reading_fail(error, "QUOTA without a name");
    reading->response.quota = quota;
    return TRUE;
}

/* MYRIGHTS mailbox rights */
gboolean
imap_rights_read(ImapReading *reading, GError **error)
{
    const ImapValues *values = &reading->values;
    ImapCursor cursor = imap_values_cursor(values);
    const ImapValue *mailbox = imap_cursor_next(&cursor);
    const ImapValue *letters = imap_cursor_next(&cursor);
    ImapRights *rights = &reading->rights;

    memset(rights, 0, sizeof *rights);
    if (letters == NULL || imap_cursor_next(&cursor) != NULL)
        return imap_reading_fail(error, "MYRIGHTS is not two words");
    rights->mailbox = imap_value_string(values, mailbox);
    rights->letters = imap_value_string(values, letters);
    if (rights->mailbox == NULL || rights->letters == NULL)
        return imap_reading_fail(error, "MYRIGHTS with a list");
    reading->response.rights = rights;
    return TRUE;
}
