/* The error domain of imap/. */
#include "imap/error.h"

G_DEFINE_QUARK(imap_error, imap_error)

gboolean
imap_error_is_of_the_line(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CONNECT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_RESOLVE);
}
