/* Asking for both services at once, on a main context of its own: the main loop
 * does not run yet. */
#include "fs/options/discovery.h"

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
    GList *targets; /* of GSrvTarget, the best first; NULL: none */
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

/* "." says that there is no such service. */
static const GSrvTarget *
best_of(const Answer *answer)
{
    const char *host;

    if (answer->targets == NULL)
        return NULL;
    host = g_srv_target_get_hostname(answer->targets->data);
    return strspn(host, ".") == strlen(host) ? NULL : answer->targets->data;
}

static char *
host_of(const GSrvTarget *target)
{
    char *host =
        g_ascii_strdown(g_srv_target_get_hostname((GSrvTarget *)target), -1);

    if (g_str_has_suffix(host, "."))
        host[strlen(host) - 1] = '\0';
    return host;
}

static gboolean
is_within(const char *host, const char *domain)
{
    gsize length = strlen(host);
    gsize outer = strlen(domain);

    if (length < outer ||
        g_ascii_strcasecmp(host + length - outer, domain) != 0)
        return FALSE;
    return length == outer || host[length - outer - 1] == '.';
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

static gboolean
take(FsOptions *options, guint service, const GSrvTarget *target,
     GError **error)
{
    ImapSettings *settings = options->settings;
    g_autofree char *host = host_of(target);
    guint16 port = g_srv_target_get_port((GSrvTarget *)target);
    g_autofree char *url = url_of(service, settings->username, host, port);

    if (!is_within(host, options->discover))
        return fs_usage_fail(
            error,
            "%s says that its mail is in another domain, which anybody "
            "on the way could say; if you know that it is right, write "
            "%s",
            options->discover, url);
    g_debug("%s has its mail at %s", options->discover, url);
    g_free(settings->host);
    settings->host = g_steal_pointer(&host);
    settings->port = port;
    settings->tls = services[service].tls;
    return TRUE;
}

static gboolean
refuse(const Look *look, const FsOptions *options, GError **error)
{
    const char *domain = options->discover;
    g_autofree char *guess = g_strconcat("imap.", domain, NULL);
    g_autofree char *url = url_of(0, options->settings->username, guess, 993);

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

/* Whether TLS of this kind is what the user wants. */
static gboolean
is_wanted(const FsOptions *options, guint service)
{
    return !options->tls_is_chosen ||
           options->settings->tls == services[service].tls;
}

static gboolean
judge(const Look *look, FsOptions *options, GError **error)
{
    for (guint i = 0; i < N_SERVICES; i++) {
        const GSrvTarget *target = best_of(&look->answers[i]);

        if (target != NULL && is_wanted(options, i))
            return take(options, i, target, error);
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
    if (!fs_discovery_run(asked, NULL) ||
        g_ascii_strcasecmp(asked->settings->host, settings->host) == 0)
        return NULL;
    return url_of(asked->settings->tls == IMAP_TLS_IMPLICIT ? 0 : 1, user,
                  asked->settings->host, imap_settings_port(asked->settings));
}
