/* Lines of /proc/self/mountinfo (proc(5)):
 *
 *     36 35 0:31 / /mnt/mail rw,nosuid shared:1 - fuse.imapfs imapfs#me rw
 *
 * Of several mounts at the same path, the last one is on top. */
#include "fs/mount/mount-identity.h"

#include <string.h>

typedef struct {
    guint64 id;
    guint32 major, minor;
    char path[FS_MOUNT_PATH_BYTES];
    gboolean fuse;
} Line;

static gboolean
is_octal(char octet)
{
    return octet >= '0' && octet <= '7';
}

/* Blanks and the like are "\040" there. FALSE if it is too long for @path. */
static gboolean
unescape(const char *word, gsize length, char *path)
{
    gsize used = 0;

    for (gsize i = 0; i < length; i++) {
        char octet = word[i];

        if (octet == '\\' && i + 3 < length && is_octal(word[i + 1]) &&
            is_octal(word[i + 2]) && is_octal(word[i + 3])) {
            octet = (char)((word[i + 1] - '0') * 64 + (word[i + 2] - '0') * 8 +
                           (word[i + 3] - '0'));
            i += 3;
        }
        if (used + 1 >= FS_MOUNT_PATH_BYTES)
            return FALSE;
        path[used++] = octet;
    }
    path[used] = '\0';
    return TRUE;
}

static gboolean
is_fuse(const char *rest)
{
    const char *type = strstr(rest, " - ");

    return type != NULL && g_str_has_prefix(type + 3, "fuse");
}

static gboolean
parse_number(const char **at, char end, guint64 *number)
{
    char *stop;

    *number = g_ascii_strtoull(*at, &stop, 10);
    if (stop == *at || *stop != end)
        return FALSE;
    *at = stop + 1;
    return TRUE;
}

static gboolean
parse_line(const char *at, Line *line)
{
    guint64 parent, major, minor;
    const char *root, *end;

    if (!parse_number(&at, ' ', &line->id) ||
        !parse_number(&at, ' ', &parent) || !parse_number(&at, ':', &major) ||
        !parse_number(&at, ' ', &minor))
        return FALSE;
    root = strchr(at, ' ');
    end = root != NULL ? strchr(root + 1, ' ') : NULL;
    if (end == NULL || !unescape(root + 1, (gsize)(end - root - 1), line->path))
        return FALSE;
    line->major = (guint32)major;
    line->minor = (guint32)minor;
    line->fuse = is_fuse(end);
    return TRUE;
}

static void
take(const Line *line, FsMountIdentity *identity)
{
    identity->id = line->id;
    identity->device = line->minor;
    memcpy(identity->path, line->path, sizeof identity->path);
}

gboolean
fs_mount_identity_find_in(const char *mountinfo, const char *path,
                          FsMountIdentity *identity)
{
    g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
    gboolean found = FALSE;
    Line line;

    for (guint i = 0; lines[i] != NULL; i++) {
        if (!parse_line(lines[i], &line) || strcmp(line.path, path) != 0)
            continue;
        found = line.fuse && line.major == 0;
        take(&line, identity);
    }
    return found;
}

FsMountPlace
fs_mount_identity_locate_in(const char *mountinfo, FsMountIdentity *identity)
{
    g_auto(GStrv) lines = g_strsplit(mountinfo, "\n", -1);
    FsMountPlace place = FS_MOUNT_GONE;
    Line line;

    for (guint i = 0; lines[i] != NULL; i++) {
        if (!parse_line(lines[i], &line))
            continue;
        if (line.id == identity->id && line.fuse && line.major == 0 &&
            line.minor == identity->device) {
            take(&line, identity);
            place = FS_MOUNT_ON_TOP;
        } else if (place == FS_MOUNT_ON_TOP &&
                   strcmp(line.path, identity->path) == 0) {
            place = FS_MOUNT_COVERED;
        }
    }
    return place;
}

static char *
read_mountinfo(void)
{
    char *text = NULL;

    g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL);
    return text;
}

gboolean
fs_mount_identity_find(const char *path, FsMountIdentity *identity)
{
    g_autofree char *text = read_mountinfo();

    return text != NULL && fs_mount_identity_find_in(text, path, identity);
}

FsMountPlace
fs_mount_identity_locate(FsMountIdentity *identity)
{
    g_autofree char *text = read_mountinfo();

    return text != NULL ? fs_mount_identity_locate_in(text, identity)
                        : FS_MOUNT_GONE;
}
