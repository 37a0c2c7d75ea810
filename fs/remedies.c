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

/* Instead of one that would do for others; NULL: that does. */
static const char *
remedy_of_login(const FsOptions *options, const char *said)
{
    const FsPreset *preset = options->preset;

    if (options->token_command == NULL)
        return preset != NULL ? preset->login : NULL;
    /* It may be that no token is of any use. */
    if (said != NULL && strstr(said, "token_command=") != NULL)
        return NULL;
    return preset != NULL && preset->token != NULL
               ? preset->token
               : "see whether token_command gets a new one for this user";
}

/* @suggested: comes first; NULL: nothing. */
static void
add(GError **error, const FsOptions *options, const char *suggested)
{
    const char *remedy = suggested != NULL ? suggested : remedy_of(*error);
    char *end = strstr((*error)->message, "; ");
    const char *login = remedy_of_login(options, end);
    char *sentence;

    if (suggested != NULL && end != NULL)
        *end = '\0';
    if (login != NULL &&
        g_error_matches(*error, IMAP_ERROR, IMAP_ERROR_AUTHENTICATION)) {
        if (end != NULL)
            *end = '\0';
        remedy = login;
    }
    if (remedy == NULL)
        return;
    sentence = g_strconcat((*error)->message, "; ", remedy, NULL);
    g_free((*error)->message);
    (*error)->message = sentence;
}

void
fs_remedies_add(GError **error, const FsOptions *options)
{
    g_autofree char *suggested = server_of_domain(*error, options);

    add(error, options, suggested);
}

void
fs_remedies_add_known(GError **error, const FsOptions *options)
{
    add(error, options, NULL);
}
