/* The bare file system: what FUSE itself costs, without a mailbox behind it.
 *
 * One directory of files whose names and sizes a list gives and whose octets
 * are made up from a sample of text, served as imapfs serves its files: by the
 * same session and loop, with readdirplus, cached directories and pages, long
 * time-outs, no flush, no extended attributes. What imapfs is slower than this
 * is the doing of its operations.
 *
 *     bare-fs LIST TEXT MOUNTPOINT
 *
 * LIST holds a line "SIZE NAME" for each file; TEXT is at least as long as one
 * read, a megabyte. Stays in the foreground until it is unmounted. */
#include "fs/kernel/session.h"

#include <errno.h>
#include <glib-unix.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_S 3600.0
#define FIRST_INODE 2 /* after the root */

typedef struct {
    char *name;
    off_t size;
} File;

static GArray *files;       /* of File */
static GHashTable *by_name; /* name -> inode */
static char *text;          /* twice, so that any offset can be read through */
static gsize text_length;   /* once */

static const File *
file_of(fuse_ino_t inode)
{
    return &g_array_index(files, File, inode - FIRST_INODE);
}

static void
fill_attributes(fuse_ino_t inode, struct stat *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    attributes->st_ino = inode;
    attributes->st_uid = getuid();
    attributes->st_gid = getgid();
    attributes->st_mode =
        inode == FUSE_ROOT_ID ? S_IFDIR | 0500 : S_IFREG | 0400;
    attributes->st_nlink = 1;
    if (inode != FUSE_ROOT_ID) {
        attributes->st_size = file_of(inode)->size;
        attributes->st_blocks = (attributes->st_size + 511) / 512;
    }
}

static void
fill_entry(fuse_ino_t inode, struct fuse_entry_param *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->ino = inode;
    entry->attr_timeout = entry->entry_timeout = TIMEOUT_S;
    fill_attributes(inode, &entry->attr);
}

static void
bare_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry;
    fuse_ino_t inode = GPOINTER_TO_SIZE(g_hash_table_lookup(by_name, name));

    if (inode == 0) {
        fuse_reply_err(request, ENOENT);
        return;
    }
    fill_entry(inode, &entry);
    fuse_reply_entry(request, &entry);
}

static void
bare_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count)
{
    fuse_reply_none(request);
}

static void
bare_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    struct stat attributes;

    fill_attributes(inode, &attributes);
    fuse_reply_attr(request, &attributes, TIMEOUT_S);
}

static void
bare_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    info->keep_cache = 1;
    info->noflush = 1;
    fuse_reply_open(request, info);
}

static void
bare_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    info->keep_cache = 1;
    info->cache_readdir = 1;
    fuse_reply_open(request, info);
}

static void
bare_release(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
    fuse_reply_err(request, 0);
}

static void
bare_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
          struct fuse_file_info *info)
{
    off_t file_size = file_of(inode)->size;
    gsize start;

    if (offset >= file_size) {
        fuse_reply_buf(request, NULL, 0);
        return;
    }
    size = MIN(size, (size_t)(file_size - offset));
    /* Each file begins elsewhere in the sample. */
    start = (inode * 4099 + (gsize)offset) % text_length;
    fuse_reply_buf(request, text + start, MIN(size, text_length));
}

static void
bare_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name,
              size_t size)
{
    fuse_reply_err(request, ENOSYS);
}

static void
list(fuse_req_t request, size_t size, off_t offset, gboolean plus)
{
    g_autofree char *answer = g_malloc(size);
    size_t used = 0;

    for (off_t i = offset; i < (off_t)files->len; i++) {
        struct fuse_entry_param entry;
        const char *name = g_array_index(files, File, i).name;
        size_t length;

        fill_entry(FIRST_INODE + i, &entry);
        length = plus ? fuse_add_direntry_plus(request, answer + used,
                                               size - used, name, &entry, i + 1)
                      : fuse_add_direntry(request, answer + used, size - used,
                                          name, &entry.attr, i + 1);
        if (length > size - used)
            break;
        used += length;
    }
    fuse_reply_buf(request, answer, used);
}

static void
bare_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
             struct fuse_file_info *info)
{
    list(request, size, offset, FALSE);
}

static void
bare_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                 off_t offset, struct fuse_file_info *info)
{
    list(request, size, offset, TRUE);
}

static const struct fuse_lowlevel_ops operations = {
    .lookup = bare_lookup,
    .forget = bare_forget,
    .getattr = bare_getattr,
    .open = bare_open,
    .read = bare_read,
    .release = bare_release,
    .opendir = bare_opendir,
    .readdir = bare_readdir,
    .readdirplus = bare_readdirplus,
    .releasedir = bare_release,
    .getxattr = bare_getxattr,
};

static void
ended(gpointer user_data)
{
    g_main_loop_quit(user_data);
}

static gboolean
stop(gpointer user_data)
{
    g_main_loop_quit(user_data);
    return G_SOURCE_CONTINUE;
}

static void
read_list(const char *path)
{
    g_autofree char *content = NULL;
    g_auto(GStrv) lines = NULL;

    if (!g_file_get_contents(path, &content, NULL, NULL))
        g_error("%s cannot be read", path);
    files = g_array_new(FALSE, FALSE, sizeof(File));
    by_name = g_hash_table_new(g_str_hash, g_str_equal);
    lines = g_strsplit(content, "\n", -1);
    for (char **line = lines; *line != NULL && **line != '\0'; line++) {
        char *name;
        File file = {.size = g_ascii_strtoll(*line, &name, 10)};

        file.name = g_strdup(g_strchug(name));
        g_hash_table_insert(by_name, file.name,
                            GSIZE_TO_POINTER(FIRST_INODE + files->len));
        g_array_append_val(files, file);
    }
}

static void
read_text(const char *path)
{
    g_autofree char *once = NULL;

    if (!g_file_get_contents(path, &once, &text_length, NULL) ||
        text_length == 0)
        g_error("%s cannot be read", path);
    text = g_malloc(2 * text_length);
    memcpy(text, once, text_length);
    memcpy(text + text_length, once, text_length);
}

int
main(int argc, char **argv)
{
    char *words[] = {argv[0], "-ofsname=bare-fs"};
    struct fuse_args args = FUSE_ARGS_INIT(G_N_ELEMENTS(words), words);
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(FsSession) session = NULL;
    g_autoptr(GError) error = NULL;

    if (argc != 4) {
        fprintf(stderr, "bare-fs LIST TEXT MOUNTPOINT\n");
        return 2;
    }
    read_list(argv[1]);
    read_text(argv[2]);

    session = fs_session_new(&args, &operations, NULL, &error);
    if (session == NULL || !fs_session_mount(session, argv[3], &error)) {
        fprintf(stderr, "bare-fs: %s\n", error->message);
        return 1;
    }
    fs_session_set_ended(session, ended, loop);
    g_unix_signal_add(SIGTERM, stop, loop);
    g_unix_signal_add(SIGINT, stop, loop);
    g_main_loop_run(loop);
    return 0;
}
