/* Which server is tried next.
 *
 * The one that was reached last stays until it fails; then the others are tried
 * in their order. As long as one is left, silence ends an attempt sooner:
 * whoever waits for the account, and waits no longer for there being several,
 * is to see the last one tried, too. */
#include "imap/servers.h"

#include "imap/error.h"

#include <string.h>

/* Unless their share of timeout is shorter still. */
#define OPENING_MS 10000u

typedef struct {
    char *host;
    guint16 port;
    ImapTls tls;
    gboolean tried;
} Server;

struct ImapServers {
    ImapSettings *settings;
    GArray *list; /* of Server */
    guint chosen;
    GError *first;   /* of this round; NULL: none has failed */
    GArray *renewed; /* of Server: what the list is to be; NULL: what it is */
    ImapServersFunc failed;
    gpointer user_data;
};

static void
server_clear(gpointer data)
{
    Server *server = data;

    g_free(server->host);
}

static GArray *
new_list(void)
{
    GArray *list = g_array_new(FALSE, TRUE, sizeof(Server));

    g_array_set_clear_func(list, server_clear);
    return list;
}

ImapServers *
imap_servers_new(ImapSettings *settings)
{
    ImapServers *servers = g_new0(ImapServers, 1);

    servers->settings = settings;
    servers->list = new_list();
    return servers;
}

void
imap_servers_free(ImapServers *servers)
{
    if (servers == NULL)
        return;
    g_array_unref(servers->list);
    g_clear_pointer(&servers->renewed, g_array_unref);
    g_clear_error(&servers->first);
    g_free(servers);
}

static Server *
server_at(const ImapServers *servers, guint index)
{
    return &g_array_index(servers->list, Server, index);
}

/* The first that is left; the number of servers: none is. */
static guint
best_left(const ImapServers *servers)
{
    guint index = 0;

    while (index < servers->list->len && server_at(servers, index)->tried)
        index++;
    return index;
}

static void
limit_opening(ImapServers *servers)
{
    ImapSettings *settings = servers->settings;

    settings->opening_ms =
        best_left(servers) < servers->list->len
            ? MIN(OPENING_MS, settings->timeout_ms / servers->list->len)
            : 0;
}

static void
choose(ImapServers *servers, guint index)
{
    ImapSettings *settings = servers->settings;
    Server *server = server_at(servers, index);

    servers->chosen = index;
    server->tried = TRUE;
    if (g_strcmp0(settings->host, server->host) != 0) {
        g_free(settings->host);
        settings->host = g_strdup(server->host);
    }
    settings->port = server->port;
    settings->tls = server->tls;
    limit_opening(servers);
}

static void
begin_round(ImapServers *servers, guint index)
{
    for (guint i = 0; i < servers->list->len; i++)
        server_at(servers, i)->tried = FALSE;
    g_clear_error(&servers->first);
    choose(servers, index);
}

static Server *
find(GArray *list, const char *host, guint16 port, ImapTls tls)
{
    for (guint i = 0; i < list->len; i++) {
        Server *other = &g_array_index(list, Server, i);

        if (g_ascii_strcasecmp(other->host, host) == 0 && other->port == port &&
            other->tls == tls)
            return other;
    }
    return NULL;
}

void
imap_servers_add(ImapServers *servers, const char *host, guint16 port,
                 ImapTls tls)
{
    Server server = {.port = port, .tls = tls};

    if (servers->list->len >= IMAP_SERVERS_MAX ||
        find(servers->list, host, port, tls) != NULL)
        return;
    server.host = g_strdup(host);
    g_array_append_val(servers->list, server);
    if (servers->list->len == 1)
        choose(servers, 0);
    else
        limit_opening(servers);
}

guint
imap_servers_count(const ImapServers *servers)
{
    return servers->list->len;
}

/* Whether another server may do better. */
static gboolean
is_of_server(const GError *error)
{
    static const int codes[] = {
        IMAP_ERROR_RESOLVE,     IMAP_ERROR_CONNECT, IMAP_ERROR_TLS,
        IMAP_ERROR_TIMEOUT,     IMAP_ERROR_CLOSED,  IMAP_ERROR_PROTOCOL,
        IMAP_ERROR_UNAVAILABLE,
    };

    for (guint i = 0; i < G_N_ELEMENTS(codes); i++)
        if (g_error_matches(error, IMAP_ERROR, codes[i]))
            return TRUE;
    return FALSE;
}

/* Before the remedy, which begins at the first semicolon. */
static GError *
add_others(const GError *error)
{
    const char *end = strstr(error->message, "; ");
    gsize length =
        end != NULL ? (gsize)(end - error->message) : strlen(error->message);

    return g_error_new(error->domain, error->code,
                       "%.*s, and no other server of the account does "
                       "better%s",
                       (int)length, error->message, error->message + length);
}

/* The one that has just failed need not be tried again. */
static void
take_renewed(ImapServers *servers)
{
    const Server *failed = server_at(servers, servers->chosen);
    Server *same;

    if (servers->renewed == NULL)
        return;
    same = find(servers->renewed, failed->host, failed->port, failed->tls);
    if (same != NULL)
        same->tried = TRUE;
    g_array_unref(servers->list);
    servers->list = g_steal_pointer(&servers->renewed);
    servers->chosen = 0;
    g_clear_error(&servers->first);
}

static void
tell_failed(const ImapServers *servers)
{
    if (servers->failed != NULL)
        servers->failed(servers->user_data);
}

gboolean
imap_servers_next(ImapServers *servers, const GError *error, GError **all)
{
    guint next;

    if (servers->list->len == 0)
        return FALSE;
    if (!is_of_server(error)) {
        imap_servers_reached(servers);
        return FALSE;
    }
    take_renewed(servers);
    if (servers->first == NULL)
        servers->first = g_error_copy(error);
    next = best_left(servers);
    if (next < servers->list->len) {
        choose(servers, next);
        g_info("%s; trying %s", error->message, servers->settings->host);
        return TRUE;
    }
    if (servers->list->len > 1)
        g_propagate_error(all, add_others(servers->first));
    begin_round(servers, 0);
    tell_failed(servers);
    return FALSE;
}

void
imap_servers_reached(ImapServers *servers)
{
    if (servers->list->len == 0)
        return;
    begin_round(servers, servers->chosen);
    /* It may be slow, and is the right one. */
    servers->settings->opening_ms = 0;
}

void
imap_servers_set_failed_func(ImapServers *servers, ImapServersFunc failed,
                             gpointer user_data)
{
    servers->failed = failed;
    servers->user_data = user_data;
}

static gboolean
are_same(GArray *list, GArray *others)
{
    if (list->len != others->len)
        return FALSE;
    for (guint i = 0; i < list->len; i++) {
        const Server *server = &g_array_index(list, Server, i);

        if (find(others, server->host, server->port, server->tls) == NULL)
            return FALSE;
    }
    return TRUE;
}

void
imap_servers_renew(ImapServers *servers, ImapServers *others)
{
    g_clear_pointer(&servers->renewed, g_array_unref);
    if (others->list->len > 0 && !are_same(servers->list, others->list)) {
        servers->renewed = g_steal_pointer(&others->list);
        others->list = new_list();
        for (guint i = 0; i < servers->renewed->len; i++)
            g_array_index(servers->renewed, Server, i).tried = FALSE;
    }
    imap_servers_free(others);
}
