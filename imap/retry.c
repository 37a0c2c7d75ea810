/* Two comparisons. */
#include "imap/retry.h"

#include "imap/error.h"

void
imap_retry_begin(ImapRetry *retry)
{
    *retry = (ImapRetry){.since = g_get_monotonic_time()};
}

gboolean
imap_retry_is_due(ImapRetry *retry, const ImapConnection *connection,
                  const GError *error)
{
    if (!g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED))
        return FALSE;
    return retry->attempts++ == 0 ||
           imap_connection_ready_at(connection) < retry->since;
}
