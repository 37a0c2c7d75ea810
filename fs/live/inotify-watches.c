/* Looks through /proc. A descriptor of inotify is a link to a certain name, and
 * its fdinfo has a line for each watch (proc(5)), numbers in hexadecimal:
 *
 *     inotify wd:1 ino:100000000 sdev:2f mask:fce ignored_mask:0 fhandle-... */
#include "fs/live/inotify-watches.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES 512
/* Somebody who watches this much watches something else. */
#define MAX_LINES 200000

/* The hexadecimal number behind @name, a word of @line. */
static gboolean
field(const char *line, const char *name, guint64 *number)
{
    const char *at = strstr(line, name);
    char *end;

    if (at == NULL)
        return FALSE;
    at += strlen(name);
    *number = g_ascii_strtoull(at, &end, 16);
    return end != at;
}

static gboolean
parse_line(const char *line, guint32 device, GArray *inodes)
{
    guint64 found, inode;

    if (!g_str_has_prefix(line, "inotify ") || !field(line, " sdev:", &found) ||
        found != device || !field(line, " ino:", &inode))
        return TRUE;
    if (inodes->len >= FS_INOTIFY_MAX)
        return FALSE;
    g_array_append_val(inodes, inode);
    return TRUE;
}

gboolean
fs_inotify_watches_parse(const char *text, guint32 device, GArray *inodes)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    for (guint i = 0; lines[i] != NULL; i++)
        if (!parse_line(lines[i], device, inodes))
            return FALSE;
    return TRUE;
}

static gint
compare(gconstpointer a, gconstpointer b)
{
    guint64 one = *(const guint64 *)a, other = *(const guint64 *)b;

    return one < other ? -1 : one > other;
}

static void
make_unique(GArray *inodes)
{
    guint kept = 0;

    g_array_sort(inodes, compare);
    for (guint i = 0; i < inodes->len; i++) {
        guint64 inode = g_array_index(inodes, guint64, i);

        if (kept == 0 || g_array_index(inodes, guint64, kept - 1) != inode)
            g_array_index(inodes, guint64, kept++) = inode;
    }
    g_array_set_size(inodes, kept);
}

static gboolean
read_descriptor(int process, const char *name, guint32 device, GArray *inodes)
{
    char line[LINE_BYTES];
    gboolean complete = TRUE;
    int file;
    FILE *info;

    snprintf(line, sizeof line, "fdinfo/%s", name);
    file = openat(process, line, O_RDONLY | O_CLOEXEC);
    info = file >= 0 ? fdopen(file, "r") : NULL;
    if (info == NULL) {
        if (file >= 0)
            close(file);
        return TRUE;
    }
    for (guint i = 0; complete && i < MAX_LINES; i++) {
        if (fgets(line, sizeof line, info) == NULL)
            break;
        complete = parse_line(line, device, inodes);
        if (!complete) {
            make_unique(inodes);
            complete = parse_line(line, device, inodes);
        }
    }
    fclose(info);
    return complete;
}

static gboolean
is_inotify(int descriptors, const char *name)
{
    static const char wanted[] = "anon_inode:inotify";
    char target[sizeof wanted];

    return readlinkat(descriptors, name, target, sizeof target) ==
               (ssize_t)(sizeof wanted - 1) &&
           memcmp(target, wanted, sizeof wanted - 1) == 0;
}

/* The numbers below @parent/@name; NULL if they are not for us to see. */
static DIR *
open_directory(int parent, const char *name)
{
    int file = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = file >= 0 ? fdopendir(file) : NULL;

    if (directory == NULL && file >= 0)
        close(file);
    return directory;
}

static gboolean
read_process(int process, guint32 device, GArray *inodes)
{
    DIR *descriptors = open_directory(process, "fd");
    gboolean complete = TRUE;
    const struct dirent *entry;

    if (descriptors == NULL)
        return TRUE;
    while (complete && (entry = readdir(descriptors)) != NULL)
        if (g_ascii_isdigit(entry->d_name[0]) &&
            is_inotify(dirfd(descriptors), entry->d_name))
            complete = read_descriptor(process, entry->d_name, device, inodes);
    closedir(descriptors);
    return complete;
}

gboolean
fs_inotify_watches_find(guint32 device, GArray *inodes)
{
    DIR *processes = open_directory(AT_FDCWD, "/proc");
    gboolean complete = TRUE;
    const struct dirent *entry;

    if (processes == NULL)
        return TRUE;
    while (complete && (entry = readdir(processes)) != NULL) {
        int process;

        if (!g_ascii_isdigit(entry->d_name[0]))
            continue;
        process = openat(dirfd(processes), entry->d_name,
                         O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0)
            continue;
        complete = read_process(process, device, inodes);
        close(process);
    }
    closedir(processes);
    make_unique(inodes);
    return complete;
}
