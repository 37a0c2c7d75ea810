/* The status of a mount, as its daemon tells it in .imapfs/status. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* Caller unrefs. Fails with FS_ERROR_MOUNT, one sentence, if nothing of ours is
 * mounted at @mountpoint, or it does not answer. */
JsonObject *fs_mount_status_read(const char *mountpoint, GError **error);

/* Members; what is missing, or of another type, is NULL, 0 or FALSE. Borrowed.
 */
JsonObject *fs_mount_status_object(JsonObject *object, const char *name);
JsonArray *fs_mount_status_array(JsonObject *object, const char *name);
const char *fs_mount_status_text(JsonObject *object, const char *name);
guint64 fs_mount_status_number(JsonObject *object, const char *name);
double fs_mount_status_fraction(JsonObject *object, const char *name);
gboolean fs_mount_status_flag(JsonObject *object, const char *name);
/* Elements; likewise. */
JsonObject *fs_mount_status_element(JsonArray *array, guint index);
const char *fs_mount_status_text_element(JsonArray *array, guint index);
/* Microseconds since the epoch. */
gint64 fs_mount_status_time(JsonObject *object, const char *name);
