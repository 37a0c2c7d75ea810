/* REPLACE (RFC 8508), where the server has it: what was written comes and the
 * message that it takes the place of goes, by one command. Whoever looks, sees
 * one of them, and never both.
 *
 * It is used where nothing else is to be done with the old message: not where
 * that was deleted before, nor while the server is still to be told of other
 * changes of it. What a server does not take so, it gets the long way, by
 * APPEND and then a deletion. */
#include "fs/writing/upload-private.h"

#include "fs/sync/synchroniser.h"
#include "imap/append.h"
#include "imap/pool-status.h"

static void
note_replace(const ImapConnectionStatus *status, gpointer user_data)
{
    *(gboolean *)user_data |= imap_can_replace(status->connection);
}

/* Any connection tells what the others offer. */
static gboolean
server_can(const FsUploads *uploads)
{
    gboolean can = FALSE;

    if (!uploads->cannot_replace)
        imap_pool_describe(uploads->account->pool, note_replace, &can);
    return can;
}

gboolean
fs_upload_can_replace(const FsUpload *upload)
{
    const FsUploads *uploads = upload->uploads;

    return upload->replaces != 0 && upload->held == 0 &&
           upload->copy_uid == 0 && !upload->cannot_replace &&
           server_can(uploads) &&
           !fs_changes_concern(uploads->account->changes, upload->mailbox,
                               upload->replaces);
}

/* The codes that say that there is no room, or no permission, hold for APPEND
 * as well; and that would leave both messages. */
gboolean
fs_upload_replaces_no_more(FsUpload *upload, const GError *error)
{
    if (!upload->is_replacing || error->domain != IMAP_ERROR ||
        upload->uploads == NULL)
        return FALSE;
    switch ((ImapError)error->code) {
    case IMAP_ERROR_BAD:
    case IMAP_ERROR_UNSUPPORTED:
        upload->uploads->cannot_replace = TRUE;
        break;
    case IMAP_ERROR_NO:
    case IMAP_ERROR_NONEXISTENT:
    case IMAP_ERROR_CANNOT:
        break;
    case IMAP_ERROR_RESOLVE:
    case IMAP_ERROR_CONNECT:
    case IMAP_ERROR_TLS:
    case IMAP_ERROR_AUTHENTICATION:
    case IMAP_ERROR_PROTOCOL:
    case IMAP_ERROR_TIMEOUT:
    case IMAP_ERROR_CLOSED:
    case IMAP_ERROR_ARGUMENT:
    case IMAP_ERROR_ALREADY_EXISTS:
    case IMAP_ERROR_NO_PERMISSION:
    case IMAP_ERROR_OVER_QUOTA:
    case IMAP_ERROR_TOO_BIG:
    case IMAP_ERROR_IN_USE:
    case IMAP_ERROR_LIMIT:
    case IMAP_ERROR_UNAVAILABLE:
    case IMAP_ERROR_HAS_CHILDREN:
    case IMAP_ERROR_READ_ONLY:
        return FALSE;
    }
    g_message("%s is stored without REPLACE: %s",
              upload->name != NULL ? upload->name : "a message",
              error->message);
    upload->cannot_replace = TRUE;
    return TRUE;
}
