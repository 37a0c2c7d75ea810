/* The file .imapfs/status has all of it (fs/control/status.h), but can be read
 * by the owner of the mount alone, and through the mount; who looks after the
 * machine has signals and the log. */
#include "fs/service/mount-report.h"

#include "fs/changes/changes.h"
#include "fs/kernel/operation.h"
#include "fs/log.h"
#include "fs/service/service-manager.h"
#include "fs/writing/writing.h"
#include "imap/pool-status.h"

#define WHEN "%Y-%m-%d %H:%M:%S"

static char *
describe_line(const FsAccount *account)
{
    const ImapSettings *settings = account->options->settings;
    const char *user = settings->username != NULL ? settings->username : "";
    const GError *error = imap_pool_error(account->pool);
    const char *why = error != NULL ? error->message : "no connection";

    switch (imap_pool_state(account->pool)) {
    case IMAP_POOL_UNTRIED:
        return g_strdup_printf("Not connected to %s yet", settings->host);
    case IMAP_POOL_ONLINE:
        return g_strdup_printf("Online: %s at %s", user, settings->host);
    case IMAP_POOL_OFFLINE:
        return g_strdup_printf("Offline: %s", why);
    case IMAP_POOL_REFUSED:
        break;
    }
    return g_strdup_printf("Login refused: %s", why);
}

void
fs_mount_report_line(const FsAccount *account)
{
    g_autofree char *line = describe_line(account);

    fs_service_manager_status("%s", line);
}

/* An ImapConnectionStatusFunc. */
static void
count_connection(const ImapConnectionStatus *connection, gpointer user_data)
{
    ++*(guint *)user_data;
}

static guint
count_uploads(const FsAccount *account)
{
    return account->writing != NULL
               ? fs_uploads_pending(fs_writing_uploads(account->writing), 0)
               : 0;
}

static void
log_connections(const FsAccount *account)
{
    g_autofree char *received = NULL;
    g_autofree char *sent = NULL;
    ImapTraffic traffic;
    guint count = 0;

    imap_pool_describe(account->pool, count_connection, &count);
    imap_pool_traffic(account->pool, &traffic);
    received = g_format_size(traffic.bytes_received);
    sent = g_format_size(traffic.bytes_sent);
    fs_log_answer("Status: connections: %u of %u; received %s, sent %s", count,
                  imap_pool_limit(account->pool), received, sent);
}

static void
log_cache(const FsAccount *account)
{
    g_autofree char *kept = NULL;
    CacheBlocksUse use;
    guint64 messages;
    guint64 octets;

    cache_blocks_use(account->blocks, &use);
    cache_index_totals(account->index, &messages, &octets);
    kept = g_format_size(use.disk_octets + use.memory_octets);
    fs_log_answer("Status: messages known: %" G_GUINT64_FORMAT
                  "; kept of them: %s",
                  messages, kept);
}

void
fs_mount_report_log(const FsAccount *account)
{
    g_autoptr(GDateTime) since =
        g_date_time_new_from_unix_local(account->mounted_at);
    g_autofree char *when =
        since != NULL ? g_date_time_format(since, WHEN) : NULL;
    g_autofree char *line = describe_line(account);

    fs_log_answer("Status: %s", line);
    fs_log_answer("Status: mounted at %s since %s",
                  account->options->mountpoint, when != NULL ? when : "?");
    log_connections(account);
    fs_log_answer("Status: not on the server yet: %u changes, %u uploads; "
                  "programs waiting: %u",
                  fs_changes_count(account->changes), count_uploads(account),
                  fs_operation_n_waiting());
    log_cache(account);
}
