/* What a mount needs of this machine: FUSE, and room for cache and state.
 *
 * Nothing is made here that was not there. A directory that exists is locked
 * for a moment, as a mount does; a mount that begins in that moment waits. */
#include "fs/commands/check-private.h"

#include "cache/directory-opening.h"
#include "cache/error.h"
#include "cache/state.h"
#include "fs/account-directories.h"
#include "fs/commands/words.h"
#include "fs/kernel/inode.h"
#include "fs/names/message-name.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define FUSE_CONF "/etc/fuse.conf"

/* ---- FUSE ---- */

static gboolean
others_may_be_let_in(void)
{
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (geteuid() == 0)
        return TRUE;
    if (!g_file_get_contents(FUSE_CONF, &text, NULL, NULL))
        return FALSE;
    lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line != NULL; line++)
        if (strcmp(g_strstrip(*line), "user_allow_other") == 0)
            return TRUE;
    return FALSE;
}

static void
check_fuse(FsCheck *check)
{
    g_autofree char *helper = g_find_program_in_path("fusermount3");
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    int reason = errno;

    if (device >= 0)
        close(device);
    if (device < 0 && (reason == ENOENT || reason == ENODEV))
        fs_check_say(check, FS_MARK_BAD, "FUSE",
                     "/dev/fuse is missing; load the kernel module (modprobe "
                     "fuse), or give the container that device");
    else if (device < 0)
        fs_check_say(check, FS_MARK_BAD, "FUSE",
                     "/dev/fuse cannot be opened: %s; it should be readable "
                     "and writable for you (mode 0666)",
                     g_strerror(reason));
    else if (helper == NULL && geteuid() != 0)
        fs_check_say(check, FS_MARK_BAD, "FUSE",
                     "fusermount3 cannot be run; install the package fuse3");
    else if (check->options->allow_other && !others_may_be_let_in())
        fs_check_say(check, FS_MARK_BAD, "FUSE",
                     "allow_other needs user_allow_other in " FUSE_CONF
                     "; add that line there, or leave the option out");
    else
        fs_check_say(check, FS_MARK_GOOD, "FUSE", "/dev/fuse can be used");
}

/* ---- cache and state ---- */

/* The nearest directory above @path that exists. */
static char *
existing_parent(const char *path)
{
    char *parent = g_path_get_dirname(path);

    while (!g_file_test(parent, G_FILE_TEST_EXISTS) &&
           strcmp(parent, "/") != 0 && strcmp(parent, ".") != 0) {
        char *above = g_path_get_dirname(parent);

        g_free(parent);
        parent = above;
    }
    return parent;
}

typedef struct {
    FsCheck *check;
    CacheDirectory *directory;
} Taking;

/* A CacheDirectoryOpenedFunc. */
static void
on_opened(CacheDirectory *directory, const GError *error, gpointer user_data)
{
    Taking *taking = user_data;

    taking->directory = directory;
    fs_check_done(taking->check, error);
}

/* As a mount would: one that has just been ended may not have let go yet. */
static CacheDirectory *
take(FsCheck *check, const char *path, GError **error)
{
    Taking taking = {.check = check};

    cache_directory_opening_start(path, on_opened, &taking);
    if (!fs_check_wait(check))
        g_propagate_error(error, g_steal_pointer(&check->error));
    return taking.directory;
}

/* Locked, so as to see whether it can be. NULL, and a line in the report: it is
 * not there yet, or somebody has it, or (@error) it cannot be used. */
static CacheDirectory *
open_existing(FsCheck *check, const char *name, const char *path,
              GError **error)
{
    g_autoptr(GError) reason = NULL;
    CacheDirectory *directory;

    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autofree char *parent = existing_parent(path);

        if (access(parent, W_OK | X_OK) == 0)
            fs_check_say(check, FS_MARK_GOOD, name, "%s, to be made", path);
        else
            g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO,
                        "%s cannot be made in %s: %s", path, parent,
                        g_strerror(errno));
        return NULL;
    }
    directory = take(check, path, &reason);
    if (g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_LOCKED))
        fs_check_say(check, FS_MARK_WARNING, name,
                     "%s: this account is mounted already, and a second mount "
                     "keeps nothing without a cache_dir and a state_dir of "
                     "its own",
                     reason->message);
    else if (reason != NULL)
        g_propagate_error(error, g_steal_pointer(&reason));
    return directory;
}

/* That what is there can be read. @error is not NULL. */
static gboolean
check_state_in(CacheDirectory *directory, GError **error)
{
    const char *path = cache_directory_path(directory);
    g_autofree char *file = g_build_filename(path, "state.db", NULL);
    CacheStoreThread *thread;
    CacheState *state;

    if (!g_file_test(file, G_FILE_TEST_EXISTS))
        return TRUE;
    thread = cache_store_thread_new();
    state = cache_state_open(path, FS_INODE_MAX_MAILBOX,
                             FS_MESSAGE_STEM_VERSION, thread, error);
    if (state != NULL &&
        cache_state_stem_version(state) > FS_MESSAGE_STEM_VERSION)
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_FOREIGN,
                    "%s is from a newer version of imapfs", file);
    g_clear_pointer(&state, cache_state_close);
    cache_store_thread_free(thread);
    return *error == NULL;
}

static void
check_state(FsCheck *check, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(CacheDirectory) directory = NULL;

    if (check->options->no_state_dir) {
        fs_check_say(check, FS_MARK_LACKING, "State",
                     "none is kept (state_dir=none)");
        return;
    }
    directory = open_existing(check, "State", path, &error);
    if (directory != NULL && check_state_in(directory, &error))
        fs_check_say(check, FS_MARK_GOOD, "State", "%s", path);
    if (error != NULL)
        fs_check_say(check, FS_MARK_BAD, "State",
                     "%s; name another place for what must be kept with "
                     "-o state_dir=DIR, or do without it with "
                     "-o state_dir=none",
                     error->message);
}

/* Without it, a mount works all the same. */
static void
check_cache(FsCheck *check, const char *path)
{
    const FsOptions *options = check->options;
    g_autoptr(GError) error = NULL;
    g_autoptr(CacheDirectory) directory = NULL;
    g_autofree char *used = NULL;
    g_autofree char *most = NULL;

    if (options->no_cache_dir || options->no_state_dir) {
        fs_check_say(check, FS_MARK_LACKING, "Cache",
                     "none is kept; mail is fetched again by the next mount");
        return;
    }
    directory = open_existing(check, "Cache", path, &error);
    if (error != NULL)
        fs_check_say(check, FS_MARK_WARNING, "Cache",
                     "%s: mail is fetched again by the next mount",
                     error->message);
    if (directory == NULL)
        return;
    used = fs_words_size(cache_directory_used(directory));
    most = fs_words_size(fs_account_cache_size(options, directory));
    fs_check_say(check, FS_MARK_GOOD, "Cache", "%s, %s of at most %s", path,
                 used, most);
}

void
fs_check_machine(FsCheck *check)
{
    g_autofree char *state = NULL;
    g_autofree char *cache = NULL;

    fs_account_directories_paths(check->options, &state, &cache);
    check_fuse(check);
    check_state(check, state);
    check_cache(check, cache);
}
