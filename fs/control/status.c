/* What the mount is doing, as JSON: gathered from the parts of the account,
 * none of which is changed by being asked. */
#include "fs/control/status.h"

#include "fs/changes/changes.h"
#include "fs/control/json.h"
#include "fs/day-limit.h"
#include "fs/kernel/operation.h"
#include "fs/live/watcher.h"
#include "fs/need.h"
#include "fs/sync/sync-status.h"
#include "fs/writing/writing.h"
#include "imap/pool-status.h"

#include <math.h>

#define TEXT_MAX 1000
#define PATH_MAX_BYTES 4096
/* Mailboxes that are told of; how many more there are is told, too. */
#define MAILBOXES_MAX 5000

typedef struct {
    JsonBuilder *builder;
    const FsAccount *account;
    const ImapConnection *ready; /* one that is logged in; NULL: none */
    guint n_mailboxes;
} Status;

static void
begin_object(JsonBuilder *builder, const char *name)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_object(builder);
}

static void
begin_array(JsonBuilder *builder, const char *name)
{
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
}

/* Not negative. Three places behind the point are enough for everybody; null
 * for NAN. */
static void
add_fraction(JsonBuilder *builder, const char *name, double value)
{
    json_builder_set_member_name(builder, name);
    if (isnan(value))
        json_builder_add_null_value(builder);
    else
        json_builder_add_double_value(
            builder, (double)(guint64)(value * 1000 + 0.5) / 1000);
}

/* ---- the account and its connections ---- */

static const char *
tls_name(ImapTls tls)
{
    switch (tls) {
    case IMAP_TLS_IMPLICIT:
        return "implicit";
    case IMAP_TLS_STARTTLS:
        return "starttls";
    case IMAP_TLS_OFF:
        break;
    }
    return "off";
}

static void
add_account(Status *status)
{
    JsonBuilder *builder = status->builder;
    const FsOptions *options = status->account->options;
    const ImapSettings *settings = options->settings;

    fs_json_add_text(builder, "version", IMAPFS_VERSION, TEXT_MAX);
    fs_json_add_text(builder, "mountpoint", options->mountpoint,
                     PATH_MAX_BYTES);
    begin_object(builder, "account");
    fs_json_add_text(builder, "user", settings->username, TEXT_MAX);
    fs_json_add_text(builder, "host", settings->host, TEXT_MAX);
    fs_json_add_number(builder, "port", imap_settings_port(settings));
    fs_json_add_text(builder, "tls", tls_name(settings->tls), TEXT_MAX);
    fs_json_add_text(builder, "domain", options->discover, TEXT_MAX);
    json_builder_end_object(builder);
    fs_json_add_time(builder, "since",
                     status->account->mounted_at * G_USEC_PER_SEC);
    fs_json_add_time(builder, "now", g_get_real_time());
}

static void
add_traffic(JsonBuilder *builder, const ImapTraffic *traffic)
{
    fs_json_add_number(builder, "bytes_received", traffic->bytes_received);
    fs_json_add_number(builder, "bytes_sent", traffic->bytes_sent);
    fs_json_add_number(builder, "commands", traffic->commands);
    fs_json_add_number(builder, "round_trips", traffic->round_trips);
}

static void
add_today(Status *status)
{
    JsonBuilder *builder = status->builder;
    const FsOptions *options = status->account->options;
    FsDayTraffic today;

    fs_account_note_traffic(status->account);
    fs_day_limit_get(status->account->day_limit, &today);
    begin_object(builder, "today");
    fs_json_add_number(builder, "received", today.received);
    fs_json_add_number(builder, "sent", today.sent);
    if (options->max_download > 0)
        fs_json_add_number(builder, "max_download", options->max_download);
    if (options->max_upload > 0)
        fs_json_add_number(builder, "max_upload", options->max_upload);
    json_builder_end_object(builder);
}

/* As the mount shows it; as the server calls it, if it shows none. */
static void
add_mailbox_of(Status *status, const char *wire_name)
{
    const FsMailbox *mailbox =
        wire_name != NULL
            ? fs_mailbox_tree_by_wire_name(status->account->tree, wire_name)
            : NULL;
    g_autofree char *path =
        mailbox != NULL
            ? fs_mailbox_tree_path(status->account->tree, mailbox->id)
            : g_strdup(wire_name);

    fs_json_add_text(status->builder, "mailbox", path, PATH_MAX_BYTES);
}

/* A ImapConnectionStatusFunc. */
static void
add_connection(const ImapConnectionStatus *state, gpointer user_data)
{
    Status *status = user_data;
    JsonBuilder *builder = status->builder;
    const ImapConnection *connection = state->connection;
    gint64 round_trip = imap_connection_round_trip(connection);
    ImapTraffic traffic;

    if (imap_connection_is_open(connection))
        status->ready = connection;
    imap_connection_traffic(connection, &traffic);
    json_builder_begin_object(builder);
    fs_json_add_number(builder, "number", imap_connection_number(connection));
    fs_json_add_text(builder, "state", state->state, TEXT_MAX);
    add_mailbox_of(status, state->mailbox);
    fs_json_add_number(builder, "users", state->n_leases);
    fs_json_add_bool(builder, "bulk", state->n_bulk > 0);
    fs_json_add_bool(builder, "listens", state->listens);
    fs_json_add_bool(builder, "encrypted",
                     imap_connection_is_encrypted(connection));
    fs_json_add_bool(builder, "compressed",
                     imap_connection_is_compressed(connection));
    add_fraction(builder, "round_trip_ms",
                 round_trip != 0 ? (double)round_trip / 1000 : NAN);
    add_traffic(builder, &traffic);
    json_builder_end_object(builder);
}

static const char *
line_name(const ImapPool *pool)
{
    switch (imap_pool_state(pool)) {
    case IMAP_POOL_UNTRIED:
        return "untried";
    case IMAP_POOL_ONLINE:
        return "online";
    case IMAP_POOL_OFFLINE:
        return "offline";
    case IMAP_POOL_REFUSED:
        break;
    }
    return "refused";
}

static const char *
push_name(FsWatcher *watcher)
{
    switch (watcher != NULL ? fs_watcher_mode(watcher) : FS_WATCHER_POLLS) {
    case FS_WATCHER_ALL:
        return "all";
    case FS_WATCHER_ONE:
        return "one";
    case FS_WATCHER_POLLS:
        break;
    }
    return "none";
}

static void
add_connections(Status *status)
{
    JsonBuilder *builder = status->builder;
    const ImapPool *pool = status->account->pool;
    const GError *error = imap_pool_error(pool);
    const FsWatcher *watcher = status->account->watcher;
    const char *refusal = watcher != NULL ? fs_watcher_refusal(watcher) : NULL;
    ImapTraffic traffic;

    fs_json_add_text(builder, "line", line_name(pool), TEXT_MAX);
    fs_json_add_time(builder, "line_since", imap_pool_state_since(pool));
    fs_json_add_text(builder, "push", push_name(status->account->watcher),
                     TEXT_MAX);
    if (refusal != NULL)
        fs_json_add_text(builder, "push_error", refusal, TEXT_MAX);
    fs_json_add_number(builder, "connections_allowed", imap_pool_limit(pool));
    begin_array(builder, "connections");
    imap_pool_describe(pool, add_connection, status);
    json_builder_end_array(builder);
    if (error != NULL)
        fs_json_add_text(builder, "connection_error", error->message, TEXT_MAX);
    imap_pool_traffic(pool, &traffic);
    begin_object(builder, "traffic");
    add_traffic(builder, &traffic);
    json_builder_end_object(builder);
    add_today(status);
}

static gboolean
has_announced(const ImapConnection *connection, const char *name)
{
    return imap_connection_has(connection, name);
}

/* Those that make a difference to what this program does. */
static gboolean
is_in_use(const ImapConnection *connection, const char *name)
{
    static const char *const when_announced[] = {
        "ENABLE",    "ID",       "LITERAL+", "LITERAL-",
        "NAMESPACE", "OBJECTID", "SASL-IR",  "X-GM-EXT-1",
    };

    if (g_str_equal(name, "CONDSTORE"))
        return imap_connection_has_condstore(connection);
    if (g_str_equal(name, "QRESYNC"))
        return imap_connection_has_qresync(connection);
    if (g_str_equal(name, "UTF8=ACCEPT"))
        return imap_connection_is_utf8(connection);
    if (g_str_equal(name, "COMPRESS=DEFLATE"))
        return imap_connection_is_compressed(connection);
    for (guint i = 0; i < G_N_ELEMENTS(when_announced); i++)
        if (g_str_equal(name, when_announced[i]))
            return TRUE;
    return FALSE;
}

static void
add_capabilities(Status *status, const char *name,
                 gboolean (*is_meant)(const ImapConnection *connection,
                                      const char *capability))
{
    const ImapConnection *connection = status->ready;
    g_autofree const char **names = imap_capabilities_list(
        connection != NULL ? imap_connection_capabilities(connection) : NULL);

    begin_array(status->builder, name);
    for (const char **each = names; *each != NULL; each++)
        if (is_meant(connection, *each))
            fs_json_add_element(status->builder, *each, TEXT_MAX);
    json_builder_end_array(status->builder);
}

/* ---- what is known, kept and waited for ---- */

/* A FsSyncStatusFunc. */
static void
add_mailbox(const FsSyncStatus *mailbox, gpointer user_data)
{
    Status *status = user_data;
    JsonBuilder *builder = status->builder;
    const FsMailbox *found =
        fs_mailbox_tree_get(status->account->tree, mailbox->mailbox);
    g_autofree char *path =
        fs_mailbox_tree_path(status->account->tree, mailbox->mailbox);

    /* Of a directory that is no mailbox, there is nothing to tell. */
    if (path == NULL || found == NULL || !found->selectable ||
        status->n_mailboxes++ >= MAILBOXES_MAX)
        return;
    json_builder_begin_object(builder);
    fs_json_add_text(builder, "name", path, PATH_MAX_BYTES);
    fs_json_add_number(builder, "uidvalidity", mailbox->uidvalidity);
    fs_json_add_number(builder, "messages", mailbox->messages);
    fs_json_add_time(builder, "synchronised", mailbox->synchronised_at);
    fs_json_add_bool(builder, "complete", mailbox->complete);
    fs_json_add_bool(builder, "stale", mailbox->stale);
    fs_json_add_bool(builder, "failing", mailbox->failing);
    fs_json_add_bool(builder, "under_way", mailbox->under_way);
    json_builder_end_object(builder);
}

static void
add_mailboxes(Status *status)
{
    begin_array(status->builder, "mailboxes");
    fs_synchroniser_describe(status->account->synchroniser, add_mailbox,
                             status);
    json_builder_end_array(status->builder);
    if (status->n_mailboxes > MAILBOXES_MAX)
        fs_json_add_number(status->builder, "mailboxes_left_out",
                           status->n_mailboxes - MAILBOXES_MAX);
}

static void
add_cache(Status *status)
{
    JsonBuilder *builder = status->builder;
    const FsAccount *account = status->account;
    CacheBlocksUse use;
    guint64 messages;
    guint64 octets;
    guint64 asked;

    cache_blocks_use(account->blocks, &use);
    cache_index_totals(account->index, &messages, &octets);
    asked = use.hits + use.misses;
    begin_object(builder, "cache");
    fs_json_add_number(builder, "messages_known", messages);
    fs_json_add_number(builder, "message_bytes_known", octets);
    fs_json_add_number(builder, "disk_bytes", use.disk_octets);
    fs_json_add_number(builder, "disk_limit_bytes", use.disk_limit);
    fs_json_add_number(builder, "memory_bytes", use.memory_octets);
    fs_json_add_number(builder, "hits", use.hits);
    fs_json_add_number(builder, "misses", use.misses);
    add_fraction(builder, "hit_rate",
                 asked > 0 ? (double)use.hits / (double)asked : NAN);
    json_builder_end_object(builder);
}

static void
add_pending(Status *status, const FsEventUse *events)
{
    JsonBuilder *builder = status->builder;
    const FsAccount *account = status->account;
    guint n_operations = fs_operation_n_waiting(account->served_by);

    begin_object(builder, "pending");
    fs_json_add_number(builder, "changes", fs_changes_count(account->changes));
    fs_json_add_number(builder, "uploads",
                       fs_writing_pending(account->writing));
    fs_json_add_number(builder, "operations",
                       n_operations - MIN(n_operations, events->n_waiting));
    fs_json_add_number(builder, "needs", fs_needs_pending());
    fs_json_add_number(builder, "requests_for_connections",
                       imap_pool_n_waiting(account->pool));
    fs_json_add_number(builder, "unwritten_bytes",
                       cache_blocks_unwritten(account->blocks));
    fs_json_add_number(builder, "unwritten_messages",
                       cache_index_unwritten(account->index));
    fs_json_add_number(builder, "event_readers", events->n_readers);
    json_builder_end_object(builder);
}

/* What --wait is going to tell. */
static void
add_refused(Status *status)
{
    JsonBuilder *builder = status->builder;
    const FsAccount *account = status->account;
    g_auto(GStrv) changes = fs_changes_refused(account->changes);
    const GPtrArray *uploads =
        account->writing != NULL
            ? fs_uploads_refused(fs_writing_uploads(account->writing))
            : NULL;

    begin_array(builder, "refused");
    for (char **text = changes; *text != NULL; text++)
        fs_json_add_element(builder, *text, TEXT_MAX);
    for (guint i = 0; uploads != NULL && i < uploads->len; i++)
        fs_json_add_element(builder, g_ptr_array_index(uploads, i), TEXT_MAX);
    json_builder_end_array(builder);
}

static void
add_errors(Status *status, const FsRecentErrors *errors)
{
    JsonBuilder *builder = status->builder;

    begin_array(builder, "last_errors");
    for (guint i = 0; i < fs_recent_errors_count(errors); i++) {
        const FsRecentError *error = fs_recent_errors_get(errors, i);

        json_builder_begin_object(builder);
        fs_json_add_time(builder, "time", error->time);
        fs_json_add_text(builder, "text", error->text, TEXT_MAX);
        json_builder_end_object(builder);
    }
    json_builder_end_array(builder);
}

char *
fs_status_to_json(const FsAccount *account, const FsRecentErrors *errors,
                  const FsEventUse *events)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    Status status = {.builder = builder, .account = account};
    g_autofree char *text = NULL;

    json_builder_begin_object(builder);
    add_account(&status);
    add_connections(&status);
    add_capabilities(&status, "capabilities", has_announced);
    add_capabilities(&status, "capabilities_in_use", is_in_use);
    add_mailboxes(&status);
    add_cache(&status);
    add_pending(&status, events);
    add_refused(&status);
    add_errors(&status, errors);
    json_builder_end_object(builder);
    text = fs_json_to_text(builder, TRUE);
    return g_strconcat(text, "\n", NULL);
}
