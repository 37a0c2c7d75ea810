/* Complaints about what the user has written. */
#pragma once

#include <glib.h>

/* FS_ERROR_USAGE; returns FALSE. */
gboolean fs_usage_fail(GError **error, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
