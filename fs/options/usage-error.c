/* Complaints about what the user has written. */
#include "fs/options/usage-error.h"

#include "fs/kernel/errno.h"

gboolean
fs_usage_fail(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(
        error, g_error_new_valist(FS_ERROR, FS_ERROR_USAGE, format, arguments));
    va_end(arguments);
    return FALSE;
}
