/* What is read is a file like any other: it is not believed to have the form
 * that ours has. */
#include "fs/commands/mount-status.h"

#include "fs/control/mount-around.h"
#include "fs/kernel/errno.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define STATUS_MAX (16u * 1024 * 1024)

static void
fail(GError **error, const char *mountpoint, int reason)
{
    if (reason == ENOENT || reason == ENOTDIR) {
        g_autofree char *none = fs_mount_around_sentence(mountpoint);

        g_set_error_literal(error, FS_ERROR, FS_ERROR_MOUNT, none);
    } else if (reason == EACCES) {
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                    "%s is no mount of imapfs, or not one of yours",
                    mountpoint);
    } else if (reason == ENOTCONN || reason == ECONNABORTED) {
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT,
                    "%s: the mount is dead; mount there again, or unmount it "
                    "with fusermount3 -u",
                    mountpoint);
    } else {
        g_set_error(error, FS_ERROR, FS_ERROR_MOUNT, "%s: %s", mountpoint,
                    g_strerror(reason));
    }
}

static char *
read_text(const char *mountpoint, GError **error)
{
    g_autofree char *path =
        g_build_filename(mountpoint, ".imapfs", "status", NULL);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    GString *text = g_string_new(NULL);
    char buffer[65536];
    ssize_t length = -1;

    if (fd >= 0)
        while ((length = read(fd, buffer, sizeof buffer)) > 0 &&
               text->len < STATUS_MAX)
            g_string_append_len(text, buffer, length);
    if (length < 0)
        fail(error, mountpoint, errno);
    if (fd >= 0)
        close(fd);
    if (length >= 0)
        return g_string_free(text, FALSE);
    g_string_free(text, TRUE);
    return NULL;
}

JsonObject *
fs_mount_status_read(const char *mountpoint, GError **error)
{
    g_autofree char *text = read_text(mountpoint, error);
    g_autoptr(JsonParser) parser = json_parser_new();
    JsonNode *root = NULL;

    if (text == NULL)
        return NULL;
    if (json_parser_load_from_data(parser, text, -1, NULL))
        root = json_parser_get_root(parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT(root) ||
        fs_mount_status_text(json_node_get_object(root), "version") == NULL) {
        fail(error, mountpoint, ENOENT);
        return NULL;
    }
    return json_node_dup_object(root);
}

/* NULL: there is none of that type. */
static JsonNode *
member_of(JsonObject *object, const char *name, JsonNodeType type)
{
    JsonNode *node =
        object != NULL ? json_object_get_member(object, name) : NULL;

    return node != NULL && json_node_get_node_type(node) == type ? node : NULL;
}

JsonObject *
fs_mount_status_object(JsonObject *object, const char *name)
{
    JsonNode *node = member_of(object, name, JSON_NODE_OBJECT);

    return node != NULL ? json_node_get_object(node) : NULL;
}

JsonArray *
fs_mount_status_array(JsonObject *object, const char *name)
{
    JsonNode *node = member_of(object, name, JSON_NODE_ARRAY);

    return node != NULL ? json_node_get_array(node) : NULL;
}

static JsonNode *
value_of(JsonObject *object, const char *name)
{
    return member_of(object, name, JSON_NODE_VALUE);
}

const char *
fs_mount_status_text(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);

    return node != NULL ? json_node_get_string(node) : NULL;
}

guint64
fs_mount_status_number(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);
    gint64 number = node != NULL ? json_node_get_int(node) : 0;

    return number > 0 ? (guint64)number : 0;
}

double
fs_mount_status_fraction(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);

    return node != NULL ? json_node_get_double(node) : 0;
}

gboolean
fs_mount_status_flag(JsonObject *object, const char *name)
{
    JsonNode *node = value_of(object, name);

    return node != NULL && json_node_get_boolean(node);
}

JsonObject *
fs_mount_status_element(JsonArray *array, guint index)
{
    JsonNode *node = json_array_get_element(array, index);

    return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

const char *
fs_mount_status_text_element(JsonArray *array, guint index)
{
    JsonNode *node = json_array_get_element(array, index);

    return JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;
}

gint64
fs_mount_status_time(JsonObject *object, const char *name)
{
    const char *text = fs_mount_status_text(object, name);
    g_autoptr(GDateTime) time =
        text != NULL ? g_date_time_new_from_iso8601(text, NULL) : NULL;

    return time != NULL ? g_date_time_to_unix(time) * G_USEC_PER_SEC +
                              g_date_time_get_microsecond(time)
                        : 0;
}
