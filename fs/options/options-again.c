/* What a mount is made of (names, directories, the account itself) cannot
 * change under the programs that use it. Passwords, tokens and certificates
 * can, and are what does change. */
#include "fs/options/options-again.h"

#include "fs/options/credentials-private.h"
#include "fs/options/mount-option-table.h"

#include <string.h>

static gboolean
is_taken(const FsMountOption *option)
{
    return option->section == FS_SECTION_TLS ||
           (option->section == FS_SECTION_LOGIN &&
            strcmp(option->name, "username") != 0);
}

static void
take_text(char **mine, char **theirs)
{
    char *text = *mine;

    *mine = *theirs;
    *theirs = text;
}

static void
take(FsOptions *options, FsOptions *again)
{
    ImapSettings *settings = options->settings;
    ImapSettings *read = again->settings;

    take_text(&options->password_file, &again->password_file);
    take_text(&options->password_command, &again->password_command);
    take_text(&options->token_command, &again->token_command);
    take_text(&options->netrc, &again->netrc);
    take_text(&options->credential, &again->credential);
    take_text(&settings->mechanism, &read->mechanism);
    take_text(&settings->ca_file, &read->ca_file);
    take_text(&settings->fingerprint, &read->fingerprint);
    take_text(&settings->client_cert, &read->client_cert);
    take_text(&settings->client_key, &read->client_key);
    settings->cleartext_password = read->cleartext_password;
    if (options->discover == NULL)
        settings->tls = read->tls;
}

static char *
names_of_others(const FsOptions *options, const FsOptions *again)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const FsMountOption *option = fs_mount_option_table;
         option->name != NULL; option++) {
        g_autofree char *old = fs_mount_option_show(options, option);
        g_autofree char *new = fs_mount_option_show(again, option);

        if (!is_taken(option) && g_strcmp0(old, new) != 0)
            g_ptr_array_add(names, (char *)option->name);
    }
    if (names->len == 0)
        return NULL;
    g_ptr_array_add(names, NULL);
    return g_strjoinv(", ", (char **)names->pdata);
}

gboolean
fs_options_take_again(FsOptions *options, char **left, GError **error)
{
    g_autoptr(FsOptions) again = fs_options_read_again(options, error);

    *left = NULL;
    if (again == NULL)
        return FALSE;
    /* Who was not named is who runs this; and a password file may have told. */
    if (again->settings->username == NULL)
        again->settings->username = g_strdup(options->settings->username);
    *left = names_of_others(options, again);
    take(options, again);
    fs_credentials_find_stored(options);
    return TRUE;
}
