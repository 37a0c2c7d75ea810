/* The status of a mount in words. */
#pragma once

#include "fs/commands/output.h"

#include <glib.h>
#include <json-glib/json-glib.h>

/* @steady: without what changes all the time, so that the report is another one
 * only if something has happened. Caller frees. */
GString *fs_status_report(const FsOutput *output, JsonObject *status,
                          gboolean steady);
