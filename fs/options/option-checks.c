/* Options that exclude, or need, one another, and files that must be there. */
#include "fs/options/option-checks.h"

#include "fs/options/usage-error.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static gboolean
is_token_mechanism(const char *mechanism)
{
    return g_strcmp0(mechanism, "XOAUTH2") == 0 ||
           g_strcmp0(mechanism, "OAUTHBEARER") == 0;
}

static gboolean
check_one_source(const FsOptions *options, GError **error)
{
    const struct {
        const char *name, *value;
    } sources[] = {
        {"token_command", options->token_command},
        {"password_command", options->password_command},
        {"password_file", options->password_file},
        {"netrc", options->netrc},
        {"credential", options->credential},
    };
    const char *first = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        if (sources[i].value == NULL)
            continue;
        if (first != NULL)
            return fs_usage_fail(error, "%s and %s are both given; choose one",
                                 first, sources[i].name);
        first = sources[i].name;
    }
    return TRUE;
}

static gboolean
check_login(const FsOptions *options, GError **error)
{
    const char *mechanism = options->settings->mechanism;
    g_autofree char *lower =
        mechanism != NULL ? g_ascii_strdown(mechanism, -1) : NULL;

    if (!check_one_source(options, error))
        return FALSE;
    if (options->token_command == NULL && is_token_mechanism(mechanism))
        return fs_usage_fail(error,
                             "auth=%s needs an access token; give "
                             "token_command=COMMAND",
                             lower);
    if (options->token_command != NULL && mechanism != NULL &&
        !is_token_mechanism(mechanism))
        return fs_usage_fail(
            error,
            "token_command is of no use to auth=%s; leave out one of "
            "the two",
            lower);
    return TRUE;
}

static gboolean
check_readable(const char *name, const char *path, GError **error)
{
    if (path == NULL || access(path, R_OK) == 0)
        return TRUE;
    return fs_usage_fail(error, "%s: cannot read '%s': %s; check the path",
                         name, path, g_strerror(errno));
}

static gboolean
check_tls(const FsOptions *options, GError **error)
{
    const ImapSettings *settings = options->settings;

    if (options->discover != NULL && settings->tls == IMAP_TLS_OFF)
        return fs_usage_fail(
            error, "tls=off is only for a server that you name yourself; "
                   "write imap://USER@HOST/ instead of the address");
    if (settings->client_key != NULL && settings->client_cert == NULL)
        return fs_usage_fail(error,
                             "client_key is of no use without its certificate; "
                             "add client_cert=FILE");
    if (settings->fingerprint != NULL && settings->ca_file != NULL)
        return fs_usage_fail(
            error, "fingerprint and ca_file are both given; choose one: "
                   "a fingerprint trusts one certificate, whoever "
                   "signed it");
    return check_readable("ca_file", settings->ca_file, error) &&
           check_readable("client_cert", settings->client_cert, error) &&
           check_readable("client_key", settings->client_key, error);
}

static gboolean
check_fuse(const FsOptions *options, GError **error)
{
    if (options->allow_other &&
        g_strv_contains((const char *const *)options->fuse_options,
                        "allow_root"))
        return fs_usage_fail(
            error, "allow_other and allow_root are both given; choose "
                   "one: allow_other lets root in, too");
    return TRUE;
}

gboolean
fs_options_check(const FsOptions *options, GError **error)
{
    return check_login(options, error) && check_tls(options, error) &&
           check_fuse(options, error);
}
