/* Finding the server of an account.
 *
 * A name of the file counts before an address: "me@example.org" may be one. A
 * URL is never looked for in the file, and does not need it to be right. */
#include "fs/options/account-source.h"

#include "fs/options/nearest-name.h"
#include "fs/options/option-values.h"
#include "fs/options/presets.h"
#include "fs/options/usage-error.h"

#include <string.h>

#define DOMAIN_BYTES 253

FsConfFile *
fs_account_source_file(const char *config, GError **error)
{
    g_autofree char *usual = fs_conf_file_default_path();

    if (config != NULL)
        return fs_conf_file_read(config, error);
    if (!g_file_test(usual, G_FILE_TEST_EXISTS))
        return NULL;
    return fs_conf_file_read(usual, error);
}

static void
take_user(ImapSettings *settings, const char *user)
{
    g_free(settings->username);
    settings->username = g_strdup(user);
}

static gboolean
choose_url(const char *url, FsOptions *options, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (!imap_settings_parse_url(options->settings, url, &cause))
        return fs_usage_fail(error, "%s", cause->message);
    return TRUE;
}

/* ---- providers ---- */

static gboolean
choose_preset(const FsPreset *preset, const char *user, FsChoices *choices,
              FsOptions *options, GError **error)
{
    g_auto(GStrv) items =
        g_strsplit(preset->options != NULL ? preset->options : "", ",", -1);

    if (!choose_url(preset->url, options, error))
        return FALSE;
    if (*user != '\0')
        take_user(options->settings, user);
    options->preset = preset;
    for (guint i = 0; items[i] != NULL; i++) {
        char *value = strchr(items[i], '=');

        *value++ = '\0';
        if (!fs_choices_add(choices, FS_ORIGIN_PRESET, NULL, items[i], value,
                            error))
            return FALSE;
    }
    return TRUE;
}

/* "gmail:me@gmail.com". What is before the colon may be anybody's guess; what
 * is behind it may hold a password. */
static gboolean
choose_provider(const char *word, const char *colon, FsChoices *choices,
                FsOptions *options, GError **error)
{
    g_autofree char *name = g_strndup(word, (gsize)(colon - word));
    const FsPreset *preset = fs_preset_find(name);
    const char *nearest;
    g_autofree char *printable = fs_option_printable(name);

    if (strchr(colon + 1, ':') != NULL)
        return fs_usage_fail(error,
                             "an account is written URL, PROVIDER:USER or "
                             "USER@DOMAIN, and holds no password; use "
                             "password_file=FILE, or wait to be asked");
    if (preset != NULL && colon[1] == '\0')
        return fs_usage_fail(error, "the user is missing; write %s:USER",
                             preset->name);
    if (preset != NULL)
        return choose_preset(preset, colon + 1, choices, options, error);
    nearest = fs_nearest_name(name, fs_preset_names());
    if (nearest != NULL)
        return fs_usage_fail(error,
                             "no provider '%s' is known; did you mean '%s'?",
                             printable, nearest);
    return fs_usage_fail(error,
                         "no provider '%s' is known; write the server's URL, "
                         "imaps://USER@HOST/",
                         printable);
}

/* ---- addresses ---- */

static char *
domain_of(const char *address)
{
    const char *at = strrchr(address, '@');
    g_autofree char *domain =
        at != NULL && at > address ? g_hostname_to_ascii(at + 1) : NULL;

    if (domain == NULL || *domain == '\0' || strlen(domain) > DOMAIN_BYTES ||
        strchr(domain, '.') == NULL ||
        strspn(domain,
               "abcdefghijklmnopqrstuvwxyz"
               "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") != strlen(domain))
        return NULL;
    return g_steal_pointer(&domain);
}

static gboolean
choose_address(const char *address, FsChoices *choices, FsOptions *options,
               GError **error)
{
    g_autofree char *domain = domain_of(address);
    const FsPreset *preset;

    if (domain == NULL)
        return fs_usage_fail(error,
                             "what stands before the mountpoint ends in no "
                             "domain; write imaps://USER@HOST/ or USER@DOMAIN");
    preset = fs_preset_of_domain(domain);
    if (preset != NULL)
        return choose_preset(preset, address, choices, options, error);
    take_user(options->settings, address);
    g_free(options->discover);
    options->discover = g_steal_pointer(&domain);
    return TRUE;
}

static gboolean
is_address(const char *word)
{
    return strchr(word, '@') != NULL && strpbrk(word, ":/ ") == NULL;
}

/* ---- all of them ---- */

/* What needs no file. @word: behind url in the file, or on the command line. */
static gboolean
choose_server(const char *word, FsChoices *choices, FsOptions *options,
              GError **error)
{
    const char *colon = strchr(word, ':');

    if (strstr(word, "://") != NULL)
        return choose_url(word, options, error);
    if (colon != NULL)
        return choose_provider(word, colon, choices, options, error);
    if (is_address(word))
        return choose_address(word, choices, options, error);
    return fs_usage_fail(error,
                         "the URL names no server; write imaps://USER@HOST/, "
                         "PROVIDER:USER or USER@DOMAIN");
}

static gboolean
choose_account(const FsConfFile *file, const char *name, FsChoices *choices,
               FsOptions *options, GError **error)
{
    g_autofree char *place = NULL;
    const char *url;

    if (!fs_conf_file_choose(file, name, choices, &url, &place, error))
        return FALSE;
    options->account = g_strdup(name);
    if (choose_server(url, choices, options, error))
        return TRUE;
    g_prefix_error(error, "%s: ", place);
    return FALSE;
}

static gboolean
refuse_name(const FsConfFile *file, const char *word, GError **error)
{
    g_autofree char *usual = fs_conf_file_default_path();
    g_autofree char *printable = fs_option_printable(word);
    const char *nearest;

    if (file == NULL)
        return fs_usage_fail(
            error,
            "'%s' is no URL, and there is no file %s that could have "
            "an account of that name; write imaps://USER@HOST/",
            printable, usual);
    nearest = fs_nearest_name(word, fs_conf_file_accounts(file));
    if (nearest != NULL)
        return fs_usage_fail(error,
                             "%s has no account '%s'; did you mean '%s'?",
                             fs_conf_file_path(file), printable, nearest);
    return fs_usage_fail(
        error,
        "%s has no account '%s'; add a group [NAME] with a url, or "
        "write imaps://USER@HOST/",
        fs_conf_file_path(file), printable);
}

gboolean
fs_account_source_choose(const char *word, const char *config,
                         FsChoices *choices, FsOptions *options, GError **error)
{
    g_autoptr(FsConfFile) file = NULL;
    g_autoptr(GError) cause = NULL;

    if (strchr(word, ':') != NULL)
        return choose_server(word, choices, options, error);
    file = fs_account_source_file(config, &cause);
    if (cause != NULL) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return FALSE;
    }
    if (file != NULL && fs_conf_file_has(file, word))
        return choose_account(file, word, choices, options, error);
    if (is_address(word))
        return choose_server(word, choices, options, error);
    return refuse_name(file, word, error);
}
