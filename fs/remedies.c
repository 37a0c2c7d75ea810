/* The remedies, by the kind of error. A sentence that has one already, behind a
 * semicolon, is left alone, unless the provider is known to want something out
 * of the ordinary. */
#include "fs/remedies.h"

#include "fs/options/discovery.h"
#include "fs/options/presets.h"
#include "imap/error.h"

#include <string.h>

static const struct {
    int code;
    const char *remedy;
} remedies[] = {
    {IMAP_ERROR_RESOLVE, "check the host's name, and the network"},
    {IMAP_ERROR_CONNECT, "check host and port, and the network"},
    {IMAP_ERROR_TIMEOUT, "check host and port, and the network, or wait longer "
                         "with -o timeout=SECONDS"},
    {IMAP_ERROR_PROTOCOL, "check host and port"},
    {IMAP_ERROR_CLOSED, "try again later, or check host and port"},
    {IMAP_ERROR_LIMIT, "try again later, or close other mail programs"},
    {IMAP_ERROR_IN_USE, "try again later, or close other mail programs"},
    {IMAP_ERROR_UNAVAILABLE, "try again later"},
    {IMAP_ERROR_TLS, "check host and port"},
};

static const char *
remedy_of(const GError *error)
{
    for (guint i = 0; i < G_N_ELEMENTS(remedies); i++)
        if (g_error_matches(error, IMAP_ERROR, remedies[i].code))
            return strstr(error->message, "; ") == NULL ? remedies[i].remedy
                                                        : NULL;
    return NULL;
}

/* Who has taken the domain of the address for the server is told of that. */
static char *
server_of_domain(const GError *error, const FsOptions *options)
{
    g_autofree char *url = NULL;

    if (!g_error_matches(error, IMAP_ERROR, IMAP_ERROR_RESOLVE) &&
        !g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CONNECT))
        return NULL;
    url = options->settings != NULL ? fs_discovery_suggest(options) : NULL;
    return url != NULL ? g_strdup_printf("by what %s says of itself, its mail "
                                         "is at %s",
                                         options->settings->host, url)
                       : NULL;
}

void
fs_remedies_add(GError **error, const FsOptions *options)
{
    const FsPreset *preset = options->preset;
    g_autofree char *suggested = server_of_domain(*error, options);
    const char *remedy = suggested != NULL ? suggested : remedy_of(*error);
    char *end = strstr((*error)->message, "; ");
    char *sentence;

    if (suggested != NULL && end != NULL)
        *end = '\0';
    if (preset != NULL && preset->login != NULL &&
        g_error_matches(*error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION)) {
        /* Instead of one that would do for others. */
        if (end != NULL)
            *end = '\0';
        remedy = preset->login;
    }
    if (remedy == NULL)
        return;
    sentence = g_strconcat((*error)->message, "; ", remedy, NULL);
    g_free((*error)->message);
    (*error)->message = sentence;
}
