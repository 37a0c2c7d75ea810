/* One URL without the user, in a file. Who may write there may write the
 * configuration, too; it is checked all the same. */
#include "fs/options/known-server.h"

#include "fs/account-directories.h"

#include <string.h>

#define NAME "server"
#define TEXT_BYTES 512

gboolean
fs_known_server_is_within(const char *host, const char *domain)
{
    gsize length = strlen(host);
    gsize outer = strlen(domain);

    if (length < outer ||
        g_ascii_strcasecmp(host + length - outer, domain) != 0)
        return FALSE;
    return length == outer || host[length - outer - 1] == '.';
}

void
fs_known_server_keep(const FsOptions *options, const char *directory)
{
    const ImapSettings *settings = options->settings;
    g_autofree char *text = NULL;
    g_autofree char *path = NULL;
    g_autofree char *old = NULL;
    g_autoptr(GError) error = NULL;

    if (options->discover == NULL || directory == NULL ||
        settings->tls == IMAP_TLS_OFF)
        return;
    text = g_strdup_printf(
        "%s://%s:%u/\n", settings->tls == IMAP_TLS_IMPLICIT ? "imaps" : "imap",
        settings->host, imap_settings_port(settings));
    path = g_build_filename(directory, NAME, NULL);
    if (g_file_get_contents(path, &old, NULL, NULL) && strcmp(old, text) == 0)
        return;
    if (!g_file_set_contents_full(path, text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        g_message("cannot keep which server the account is at: %s",
                  error->message);
}

static ImapSettings *
read_server(const FsOptions *options)
{
    g_autofree char *state = NULL;
    g_autofree char *cache = NULL;
    g_autofree char *path = NULL;
    g_autofree char *text = NULL;
    g_autoptr(ImapSettings) known = imap_settings_new();
    gsize length;

    if (options->no_state_dir)
        return NULL;
    fs_account_directories_paths(options, &state, &cache);
    path = g_build_filename(state, NAME, NULL);
    if (!g_file_get_contents(path, &text, &length, NULL) ||
        length > TEXT_BYTES || strlen(text) != length ||
        !imap_settings_parse_url(known, g_strchomp(text), NULL))
        return NULL;
    return g_steal_pointer(&known);
}

gboolean
fs_known_server_take(FsOptions *options)
{
    g_autoptr(ImapSettings) known = read_server(options);
    ImapSettings *settings = options->settings;

    if (known == NULL ||
        !fs_known_server_is_within(known->host, options->discover) ||
        (options->tls_is_chosen && known->tls != settings->tls))
        return FALSE;
    options->servers = imap_servers_new(settings);
    imap_servers_add(options->servers, known->host, imap_settings_port(known),
                     known->tls);
    options->server_is_known = TRUE;
    return TRUE;
}
