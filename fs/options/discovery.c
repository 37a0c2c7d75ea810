/* Asking for both services at once, on a main context of its own: the main loop
 * does not run yet. */
#include "fs/options/discovery.h"

#include "fs/options/known-server.h"
#include "fs/options/option-values.h"
#include "fs/options/usage-error.h"

#include <gio/gio.h>
#include <string.h>

/* In the order in which they are preferred (RFC 8314). */
static const struct {
    const char *name;
    const char *scheme;
    ImapTls tls;
} services[] = {
    {"imaps", "imaps", IMAP_TLS_IMPLICIT},
    {"imap", "imap", IMAP_TLS_STARTTLS},
};
/* How long somebody waits who has a mistake to be told of. */
#define SUGGEST_MS 3000u

#define N_SERVICES G_N_ELEMENTS(services)

typedef struct {
    GList *targets; /* of GSrvTarget, in the order of RFC 2782; NULL: none */
    GError *error;
    gboolean done;
} Answer;

typedef struct {
    GMainContext *context;
    GCancellable *cancellable;
    Answer answers[N_SERVICES];
    gboolean late;
} Look;

/* ---- asking ---- */

static void
on_answer(GObject *resolver, GAsyncResult *result, gpointer user_data)
{
    Answer *answer = user_data;

    answer->targets = g_resolver_lookup_service_finish(G_RESOLVER(resolver),
                                                       result, &answer->error);
    answer->done = TRUE;
}

static gboolean
on_late(gpointer user_data)
{
    Look *look = user_data;

    look->late = TRUE;
    g_cancellable_cancel(look->cancellable);
    return G_SOURCE_REMOVE;
}

static gboolean
is_done(const Look *look)
{
    for (guint i = 0; i < N_SERVICES; i++)
        if (!look->answers[i].done)
            return FALSE;
    return TRUE;
}

static void
ask(Look *look, const char *domain, guint timeout_ms)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    GSource *timer = g_timeout_source_new(timeout_ms);

    g_main_context_push_thread_default(look->context);
    g_source_set_callback(timer, on_late, look, NULL);
    g_source_attach(timer, look->context);
    for (guint i = 0; i < N_SERVICES; i++) {
        g_resolver_lookup_service_async(resolver, services[i].name, "tcp",
                                        domain, look->cancellable, on_answer,
                                        &look->answers[i]);
    }
    while (!is_done(look))
        g_main_context_iteration(look->context, TRUE);
    g_source_destroy(timer);
    g_source_unref(timer);
    g_main_context_pop_thread_default(look->context);
}

/* ---- judging ---- */

static char *
host_of(const GSrvTarget *target)
{
    char *host =
        g_ascii_strdown(g_srv_target_get_hostname((GSrvTarget *)target), -1);

    if (g_str_has_suffix(host, "."))
        host[strlen(host) - 1] = '\0';
    return host;
}

static char *
url_of(guint service, const char *user, const char *host, guint16 port)
{
    ImapSettings usual = {.tls = services[service].tls};
    g_autofree char *escaped = g_uri_escape_string(user, NULL, FALSE);
    g_autofree char *printable = fs_option_printable(host);

    if (port == imap_settings_port(&usual))
        return g_strdup_printf("%s://%s@%s/", services[service].scheme, escaped,
                               printable);
    return g_strdup_printf("%s://%s@%s:%u/", services[service].scheme, escaped,
                           printable, port);
}

/* Whether TLS of this kind is what the user wants. */
static gboolean
is_wanted(const FsOptions *options, guint service)
{
    return !options->tls_is_chosen ||
           options->settings->tls == services[service].tls;
}

/* "." says that there is no such service. */
static gboolean
is_there(const GSrvTarget *target)
{
    const char *host = g_srv_target_get_hostname((GSrvTarget *)target);

    return strspn(host, ".") < strlen(host) &&
           g_srv_target_get_port((GSrvTarget *)target) != 0;
}

static guint16
priority_of(const GList *link)
{
    return g_srv_target_get_priority(link->data);
}

/* Both services in one order: a domain prefers one to the other by priority
 * (RFC 6186, section 3.4); if it does not, TLS from the start comes first.
 * Among equals the resolver has drawn lots by their weights. NULL: that was the
 * last; @service is that of the result. */
static const GSrvTarget *
next_target(const Look *look, const FsOptions *options, GList **left,
            guint *service)
{
    guint best = N_SERVICES;
    const GSrvTarget *target;

    for (guint i = 0; i < N_SERVICES; i++) {
        if (!is_wanted(options, i))
            continue;
        while (left[i] != NULL && !is_there(left[i]->data))
            left[i] = left[i]->next;
        if (left[i] != NULL && (best == N_SERVICES ||
                                priority_of(left[i]) < priority_of(left[best])))
            best = i;
    }
    if (best == N_SERVICES)
        return NULL;
    target = left[best]->data;
    left[best] = left[best]->next;
    *service = best;
    return target;
}

static gboolean
refuse_elsewhere(const FsOptions *options, const char *url, GError **error)
{
    return fs_usage_fail(
        error,
        "%s says that its mail is in another domain, which anybody "
        "on the way could say; if you know that it is right, write "
        "%s",
        options->discover, url);
}

/* All that are in the domain. @elsewhere becomes the URL of the first one that
 * is not. */
static void
take_targets(const Look *look, FsOptions *options, char **elsewhere)
{
    g_autoptr(ImapServers) servers = imap_servers_new(options->settings);
    g_autofree char *user = g_strdup(options->settings->username);
    GList *left[N_SERVICES];
    const GSrvTarget *target;
    guint service;

    for (guint i = 0; i < N_SERVICES; i++)
        left[i] = look->answers[i].targets;
    while ((target = next_target(look, options, left, &service)) != NULL) {
        g_autofree char *host = host_of(target);
        guint16 port = g_srv_target_get_port((GSrvTarget *)target);
        g_autofree char *url = url_of(service, user, host, port);

        g_debug("%s has its mail at %s", options->discover, url);
        if (fs_known_server_is_within(host, options->discover))
            imap_servers_add(servers, host, port, services[service].tls);
        else if (*elsewhere == NULL)
            *elsewhere = g_steal_pointer(&url);
    }
    if (imap_servers_count(servers) > 0)
        options->servers = g_steal_pointer(&servers);
}

/* What was meant, perhaps: who writes an address and a host behind it has named
 * the server already. */
static char *
guess_url(const FsOptions *options)
{
    const char *domain = options->discover;
    const char *username = options->settings->username;
    const char *last = strrchr(username, '@');
    g_autofree char *host = g_strconcat("imap.", domain, NULL);

    if (last != NULL && g_str_equal(last + 1, domain)) {
        g_autofree char *before = g_strndup(username, (gsize)(last - username));

        if (strchr(before, '@') != NULL)
            return url_of(0, before, domain, 993);
    }
    return url_of(0, username, host, 993);
}

static gboolean
refuse(const Look *look, const FsOptions *options, GError **error)
{
    const char *domain = options->discover;
    g_autofree char *url = guess_url(options);

    if (look->late)
        return fs_usage_fail(
            error,
            "the name servers do not say in time where the mail of %s "
            "is; try again later, or write the server's URL, such as "
            "%s",
            domain, url);
    for (guint i = 0; i < N_SERVICES; i++)
        if (look->answers[i].error != NULL &&
            !g_error_matches(look->answers[i].error, G_RESOLVER_ERROR,
                             G_RESOLVER_ERROR_NOT_FOUND))
            return fs_usage_fail(
                error,
                "cannot ask where the mail of %s is (%s); try again "
                "later, or write the server's URL, such as %s",
                domain, look->answers[i].error->message, url);
    return fs_usage_fail(
        error,
        "%s does not say where its mail is (it has no SRV record "
        "_imaps._tcp or _imap._tcp); write the server's URL, such as "
        "%s",
        domain, url);
}

/* The domain may have a server, and we were not told. */
static gboolean
is_in_doubt(const Look *look)
{
    for (guint i = 0; i < N_SERVICES; i++)
        if (look->answers[i].error != NULL &&
            !g_error_matches(look->answers[i].error, G_RESOLVER_ERROR,
                             G_RESOLVER_ERROR_NOT_FOUND))
            return TRUE;
    return FALSE;
}

static gboolean
judge(const Look *look, FsOptions *options, GError **error)
{
    g_autofree char *elsewhere = NULL;

    take_targets(look, options, &elsewhere);
    if (options->servers != NULL)
        return TRUE;
    if (elsewhere != NULL)
        return refuse_elsewhere(options, elsewhere, error);
    if (is_in_doubt(look) && fs_known_server_take(options)) {
        g_info("the name servers do not say where the mail of %s is; it was "
               "at %s",
               options->discover, options->settings->host);
        return TRUE;
    }
    return refuse(look, options, error);
}

gboolean
fs_discovery_run(FsOptions *options, GError **error)
{
    Look look = {.late = FALSE};
    gboolean found;

    if (options->discover == NULL)
        return TRUE;
    look.context = g_main_context_new();
    look.cancellable = g_cancellable_new();
    ask(&look, options->discover, options->settings->timeout_ms);
    found = judge(&look, options, error);
    for (guint i = 0; i < N_SERVICES; i++) {
        g_resolver_free_targets(look.answers[i].targets);
        g_clear_error(&look.answers[i].error);
    }
    g_object_unref(look.cancellable);
    g_main_context_unref(look.context);
    return found;
}

char *
fs_discovery_suggest(const FsOptions *options)
{
    const ImapSettings *settings = options->settings;
    const char *user =
        settings->username != NULL ? settings->username : g_get_user_name();
    g_autoptr(FsOptions) asked = NULL;

    if (options->discover != NULL || imap_settings_is_loopback(settings) ||
        g_hostname_is_ip_address(settings->host))
        return NULL;
    asked = g_new0(FsOptions, 1);
    asked->settings = imap_settings_new();
    asked->settings->username = g_strdup(user);
    asked->settings->timeout_ms = MIN(settings->timeout_ms, SUGGEST_MS);
    asked->discover = g_strdup(settings->host);
    asked->no_state_dir = TRUE;
    if (!fs_discovery_run(asked, NULL) ||
        g_ascii_strcasecmp(asked->settings->host, settings->host) == 0)
        return NULL;
    return url_of(asked->settings->tls == IMAP_TLS_IMPLICIT ? 0 : 1, user,
                  asked->settings->host, imap_settings_port(asked->settings));
}
