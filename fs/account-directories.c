/* Where an account's cache and state lie on disk, and what is in them.
 *
 * The state comes first, and decides: its ids are in the inode numbers that
 * users' backups have seen, so that a state which cannot be read ends the mount
 * before it has begun. The cache comes second: it can be had again, and without
 * the state whose ids it uses it means nothing. */
#include "fs/account-directories.h"

#include "cache/error.h"
#include "fs/home-directory.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/log.h"
#include "fs/names/message-name.h"

#include <string.h>

#define GIB (G_GUINT64_CONSTANT(1) << 30)
#define CACHE_SIZE_LEAST (2 * GIB)

/* Octets of a name, and those left of a longer one before its hash. */
#define NAME_MAX_OCTETS 120
#define NAME_CUT_OCTETS 80
#define HASH_DIGITS 16

/* ---- the name ---- */

/* Letters and digits of all scripts, and what is usual in addresses. Of the
 * rest, and of what means something here ("%", "_", "~"), the octets in hex. */
static void
append_readable(GString *name, const char *text, const char *allowed)
{
    g_autofree char *valid = g_utf8_validate(text, -1, NULL)
                                 ? g_strdup(text)
                                 : g_uri_escape_string(text, NULL, FALSE);

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);
        gsize length = (gsize)(g_utf8_next_char(at) - at);

        if (g_unichar_isalnum(character) ||
            (character < 0x80 && strchr(allowed, (int)character) != NULL)) {
            g_string_append_len(name, at, (gssize)length);
            continue;
        }
        for (gsize i = 0; i < length; i++)
            g_string_append_printf(name, "%%%02X", (guint8)at[i]);
    }
}

/* Also the hash's "~" is in no name that was not cut. */
static void
cut(GString *name)
{
    g_autofree char *hash = NULL;
    const char *end;

    if (name->len <= NAME_MAX_OCTETS)
        return;
    hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, name->str, -1);
    end = g_utf8_find_prev_char(name->str, name->str + NAME_CUT_OCTETS + 1);
    g_string_truncate(name, (gsize)(end - name->str));
    g_string_append_c(name, '~');
    g_string_append_len(name, hash, HASH_DIGITS);
}

char *
fs_account_directory_name(const ImapSettings *settings)
{
    ImapSettings without_port = {.tls = settings->tls};
    g_autofree char *host = g_ascii_strdown(settings->host, -1);
    GString *name = g_string_new(NULL);

    if (settings->username != NULL)
        append_readable(name, settings->username, "@.-+_=");
    g_string_append_c(name, '@');
    append_readable(name, host, ".-");
    if (imap_settings_port(settings) != imap_settings_port(&without_port))
        g_string_append_printf(name, "_%u", imap_settings_port(settings));
    if (*name->str == '.') {
        g_string_erase(name, 0, 1);
        g_string_prepend(name, "%2E");
    }
    cut(name);
    return g_string_free(name, FALSE);
}

const char *
fs_account_label(const FsOptions *options)
{
    return options->top != NULL ? options->account : NULL;
}

/* ---- the directories ---- */

/* What is not absolute is to be taken for unset: it would be another place for
 * each working directory. */
static char *
base_directory(const char *said, const char *below_home)
{
    g_autofree char *home = fs_home_directory();

    return g_path_is_absolute(said) ? g_strdup(said)
                                    : g_build_filename(home, below_home, NULL);
}

/* Absolute, for we leave the working directory. */
static char *
path_of(const char *chosen, const char *base, const char *name)
{
    g_autofree char *path = chosen != NULL
                                ? g_build_filename(chosen, name, NULL)
                                : g_build_filename(base, "imapfs", name, NULL);

    return g_canonicalize_filename(path, NULL);
}

/* The cache is there for speed alone: without it, mail is still right. */
void
fs_account_directories_say_without_cache(const FsOptions *options,
                                         const GError *error)
{
    fs_log_of(fs_account_label(options),
              "%s: what is read is kept in memory alone, and fetched again "
              "after the next mount",
              error->message);
}

void
fs_account_directories_say_in_use(const FsAccountDirectories *directories,
                                  const FsOptions *options)
{
    if (directories->in_use == NULL)
        return;
    fs_log_of(fs_account_label(options),
              "%s: this mount keeps nothing, neither mail nor inode numbers; "
              "to keep them, give it a cache_dir and a state_dir of its own",
              directories->in_use);
}

void
fs_account_directories_paths(const FsOptions *options, char **state,
                             char **cache)
{
    /* Of an address, the domain: whichever server is tried first today, the
     * account is the same. */
    ImapSettings asked = {.username = options->settings->username,
                          .host = options->discover};
    g_autofree char *name = fs_account_directory_name(
        options->discover != NULL ? &asked : options->settings);
    g_autofree char *state_base =
        base_directory(g_get_user_state_dir(), ".local/state");
    g_autofree char *cache_base =
        base_directory(g_get_user_cache_dir(), ".cache");

    *state = path_of(options->state_dir, state_base, name);
    *cache = path_of(options->cache_dir, cache_base, name);
}

/* ---- what is in them ---- */

static gboolean
open_state(FsAccountDirectories *directories, CacheStoreThread *thread,
           GError **error)
{
    const char *path = directories->state_directory != NULL
                           ? cache_directory_path(directories->state_directory)
                           : NULL;

    directories->state = cache_state_open(
        path, FS_INODE_MAX_MAILBOX, FS_MESSAGE_STEM_VERSION, thread, error);
    if (directories->state == NULL)
        return FALSE;
    if (cache_state_stem_version(directories->state) <= FS_MESSAGE_STEM_VERSION)
        return TRUE;
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_FOREIGN,
                "%s/state.db is from a newer version of imapfs, whose names "
                "for messages this one does not know; use that version, or "
                "another place with -o state_dir=DIR",
                path);
    return FALSE;
}

static void
note_ids(guint32 next_id, gpointer user_data)
{
    cache_directory_note_ids(user_data, next_id);
}

/* What the cache holds goes by the ids of the state: also by those given from
 * now on. */
static void
bind_cache(FsAccountDirectories *directories, const FsOptions *options)
{
    CacheDirectory *directory = directories->cache_directory;
    CacheState *state = directories->state;
    g_autoptr(GError) reason = NULL;

    if (directory == NULL)
        return;
    if (cache_directory_bind(directory, cache_state_identity(state),
                             cache_state_next_id(state), &reason)) {
        cache_state_set_written_func(state, note_ids, directory);
        return;
    }
    fs_account_directories_say_without_cache(options, reason);
    g_clear_pointer(&directories->cache_directory, cache_directory_close);
}

gboolean
fs_account_directories_open(FsAccountDirectories *directories,
                            const FsOptions *options, CacheStoreThread *thread,
                            GError **error)
{
    if (!open_state(directories, thread, error)) {
        fs_account_directories_close(directories);
        return FALSE;
    }
    bind_cache(directories, options);
    return TRUE;
}

void
fs_account_directories_announce_end(FsAccountDirectories *directories)
{
    if (directories->state_directory != NULL)
        cache_directory_announce_end(directories->state_directory);
    if (directories->cache_directory != NULL)
        cache_directory_announce_end(directories->cache_directory);
}

void
fs_account_directories_close(FsAccountDirectories *directories)
{
    g_clear_pointer(&directories->state, cache_state_close);
    g_clear_pointer(&directories->cache_directory, cache_directory_close);
    g_clear_pointer(&directories->state_directory, cache_directory_close);
    g_clear_pointer(&directories->in_use, g_free);
}

guint64
fs_account_cache_size(const FsOptions *options, const CacheDirectory *directory)
{
    guint64 space;

    if (options->cache_size > 0)
        return options->cache_size;
    space = cache_directory_space(directory);
    if (space == 0)
        return CACHE_SIZE_LEAST;
    return MIN(MAX(space / 10, CACHE_SIZE_LEAST), space);
}
