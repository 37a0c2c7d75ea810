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
    GError *first; /* of this round; NULL: none has failed */
};

static void
server_clear(gpointer data)
{
    Server *server = data;

    g_free(server->host);
}

ImapServers *
imap_servers_new(ImapSettings *settings)
{
    ImapServers *servers = g_new0(ImapServers, 1);

    servers->settings = settings;
    servers->list = g_array_new(FALSE, TRUE, sizeof(Server));
    g_array_set_clear_func(servers->list, server_clear);
    return servers;
}

void
imap_servers_free(ImapServers *servers)
{
    if (servers == NULL)
        return;
    g_array_unref(servers->list);
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

void
imap_servers_add(ImapServers *servers, const char *host, guint16 port,
                 ImapTls tls)
{
    Server server = {.port = port, .tls = tls};

    if (servers->list->len >= IMAP_SERVERS_MAX)
        return;
    for (guint i = 0; i < servers->list->len; i++) {
        const Server *other = server_at(servers, i);

        if (g_ascii_strcasecmp(other->host, host) == 0 && other->port == port &&
            other->tls == tls)
            return;
    }
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

gboolean
imap_servers_next(ImapServers *servers, const GError *error, GError **all)
{
    guint next;

    if (servers->list->len < 2)
        return FALSE;
    if (!is_of_server(error)) {
        imap_servers_reached(servers);
        return FALSE;
    }
    if (servers->first == NULL)
        servers->first = g_error_copy(error);
    next = best_left(servers);
    if (next < servers->list->len) {
        choose(servers, next);
        g_info("%s; trying %s", error->message, servers->settings->host);
        return TRUE;
    }
    g_propagate_error(all, add_others(servers->first));
    begin_round(servers, 0);
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
