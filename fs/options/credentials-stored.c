/* Passwords that lie in files: password_file, netrc, and the credentials of a
 * service (systemd.exec(5)).
 *
 * A file of the user's own is refused if others can read it. A credential is
 * not: its directory is closed to others, and the bits of its mode may stand
 * for an access list. */
#include "fs/options/credentials-private.h"

#include "fs/options/netrc.h"
#include "fs/options/option-values.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES 4096
#define NETRC_BYTES (256 * 1024)
#define DIRECTORY_VARIABLE "CREDENTIALS_DIRECTORY"
#define USUAL_CREDENTIAL "imapfs.password"

/* A file that is being read; @option names it for messages. */
typedef struct {
    const char *option;
    const char *path;
    gsize max;
    gboolean closed; /* others must not be able to read it */
    char *text;      /* NUL-terminated */
    gsize length;
} Stored;
#define STORED(option, path, max, closed)                                      \
    {                                                                          \
        option, path, max, closed, NULL, 0                                     \
    }

static void
stored_clear(Stored *stored)
{
    if (stored->text != NULL)
        OPENSSL_cleanse(stored->text, stored->max + 1);
    g_clear_pointer(&stored->text, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Stored, stored_clear)

static gboolean
check_file(int fd, const Stored *stored, GError **error)
{
    g_autofree char *quoted = g_shell_quote(stored->path);
    struct stat attributes;

    if (fstat(fd, &attributes) != 0)
        return fs_credentials_fail(error, "%s %s: %s", stored->option, quoted,
                                   g_strerror(errno));
    if (!S_ISREG(attributes.st_mode))
        return fs_credentials_fail(
            error, "%s %s is not a regular file; name another one",
            stored->option, quoted);
    if (!stored->closed)
        return TRUE;
    if (attributes.st_uid != getuid() && attributes.st_uid != 0)
        return fs_credentials_fail(error,
                                   "%s %s belongs to another user; run: chown "
                                   "%" G_GUINT32_FORMAT " %s",
                                   stored->option, quoted, (guint32)getuid(),
                                   quoted);
    if ((attributes.st_mode & 077) != 0)
        return fs_credentials_fail(error,
                                   "%s %s is open to others (mode %04o); run: "
                                   "chmod 600 %s",
                                   stored->option, quoted,
                                   attributes.st_mode & 07777, quoted);
    return TRUE;
}

static gboolean
read_open(int fd, Stored *stored, GError **error)
{
    gssize length;

    if (!check_file(fd, stored, error))
        return FALSE;
    stored->text = g_malloc0(stored->max + 1);
    length = fs_credentials_read_all(fd, stored->text, stored->max + 1);
    if (length < 0)
        return fs_credentials_fail(error, "%s '%s': %s", stored->option,
                                   stored->path, g_strerror(errno));
    if ((gsize)length > stored->max)
        return fs_credentials_fail(error,
                                   "%s '%s' is longer than %" G_GSIZE_FORMAT
                                   " octets; "
                                   "name another one",
                                   stored->option, stored->path, stored->max);
    stored->length = (gsize)length;
    return TRUE;
}

/* O_NONBLOCK: a FIFO must not make the open wait. */
static gboolean
read_stored(Stored *stored, GError **error)
{
    int fd = open(stored->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    gboolean good;

    if (fd < 0)
        return fs_credentials_fail(
            error,
            "%s '%s': %s; check the path, or use password_command=COMMAND",
            stored->option, stored->path, g_strerror(errno));
    good = read_open(fd, stored, error);
    close(fd);
    return good;
}

static gboolean
take_password(Stored *stored, ImapSecret **secret, GError **error)
{
    return read_stored(stored, error) &&
           fs_credentials_take_line(stored->text, stored->length,
                                    stored->option, secret, error);
}

static gboolean
take_netrc(const FsOptions *options, ImapSecret **secret, GError **error)
{
    ImapSettings *settings = options->settings;
    g_auto(Stored) stored = STORED("netrc", options->netrc, NETRC_BYTES, TRUE);
    g_autofree char *login = NULL;
    ImapSecret *found;

    if (!read_stored(&stored, error))
        return FALSE;
    found =
        fs_netrc_find(stored.text, settings->host, settings->username, &login);
    if (found == NULL)
        return fs_credentials_fail(
            error,
            "netrc '%s' has no password of %s at %s; add: machine %s login "
            "NAME password SECRET",
            options->netrc,
            settings->username != NULL ? settings->username : "anybody",
            settings->host, settings->host);
    if (settings->username == NULL)
        settings->username = g_steal_pointer(&login);
    imap_secret_unref(*secret);
    *secret = found;
    return TRUE;
}

/* ---- credentials of a service ---- */

/* NULL: there is no directory, or the name is none. */
static char *
path_of_credential(const char *name)
{
    const char *directory = g_getenv(DIRECTORY_VARIABLE);

    if (directory == NULL || !g_path_is_absolute(directory) ||
        strchr(name, '/') != NULL || *name == '.')
        return NULL;
    return g_build_filename(directory, name, NULL);
}

void
fs_credentials_find_stored(FsOptions *options)
{
    const char *names[] = {options->account, USUAL_CREDENTIAL};

    if (fs_credentials_is_stored(options) ||
        options->password_command != NULL || options->token_command != NULL)
        return;
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path =
            names[i] != NULL ? path_of_credential(names[i]) : NULL;

        if (path != NULL && g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
            options->credential = g_strdup(names[i]);
            return;
        }
    }
}

static gboolean
take_credential(const FsOptions *options, ImapSecret **secret, GError **error)
{
    g_autofree char *path = path_of_credential(options->credential);
    g_autofree char *printable = fs_option_printable(options->credential);
    g_auto(Stored) stored = STORED("credential", path, FILE_BYTES, FALSE);

    if (strchr(options->credential, '/') != NULL || *options->credential == '.')
        return fs_credentials_fail(error,
                                   "credential '%s' is no name; write "
                                   "the one that is before the colon of "
                                   "LoadCredential=",
                                   printable);
    if (path == NULL)
        return fs_credentials_fail(
            error,
            "credential '%s' cannot be had, for $" DIRECTORY_VARIABLE
            " is not set, as in a systemd unit with LoadCredential=; use "
            "password_file=FILE elsewhere",
            printable);
    if (access(path, F_OK) != 0)
        return fs_credentials_fail(
            error,
            "credential '%s' is not in '%s'; add LoadCredential=%s:FILE to the "
            "unit",
            printable, g_getenv(DIRECTORY_VARIABLE), printable);
    return take_password(&stored, secret, error);
}

/* ---- any of them ---- */

gboolean
fs_credentials_is_stored(const FsOptions *options)
{
    return options->password_file != NULL || options->netrc != NULL ||
           options->credential != NULL;
}

gboolean
fs_credentials_read_stored(const FsOptions *options, ImapSecret **secret,
                           GError **error)
{
    if (options->password_file != NULL) {
        g_auto(Stored) stored =
            STORED("password_file", options->password_file, FILE_BYTES, TRUE);

        return take_password(&stored, secret, error);
    }
    if (options->netrc != NULL)
        return take_netrc(options, secret, error);
    return take_credential(options, secret, error);
}
