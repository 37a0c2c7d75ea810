/* How much room there is. Programs that ask do so rarely, and want to know how
 * it is now; but not one after the other for each file. */
#include "fs/writing/quota.h"

#include "imap/error.h"

#include <string.h>

#define KEEP_US (2 * G_TIME_SPAN_SECOND)

/* Reference counted: the pool may call back after the end. */
struct FsQuota {
    FsAccount *account; /* NULL after the end */
    gboolean unsupported;
    guint32 mailbox; /* of which the following tells */
    ImapQuota known;
    gint64 asked_at; /* microseconds, monotonic; 0: never */
    gboolean is_known;
    FsNeed *need;     /* of the answer; NULL: it is not being asked for */
    ImapLease *lease; /* the same */
};

static void
quota_clear(gpointer data)
{
    fs_need_unref(((FsQuota *)data)->need);
}

FsQuota *
fs_quota_new(FsAccount *account)
{
    FsQuota *quota = g_rc_box_new0(FsQuota);

    quota->account = account;
    return quota;
}

void
fs_quota_free(FsQuota *quota)
{
    if (quota == NULL)
        return;
    quota->account = NULL;
    g_clear_pointer(&quota->lease, imap_lease_release);
    g_rc_box_release_full(quota, quota_clear);
}

static void
end(FsQuota *quota, const ImapQuota *found, const GError *error)
{
    g_autoptr(FsNeed) need = g_steal_pointer(&quota->need);

    g_clear_pointer(&quota->lease, imap_lease_release);
    memset(&quota->known, 0, sizeof quota->known);
    if (found != NULL)
        quota->known = *found;
    quota->is_known = TRUE;
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_UNSUPPORTED))
        quota->unsupported = TRUE;
    fs_need_complete(need, NULL);
    g_rc_box_release_full(quota, quota_clear);
}

static void
on_quota(const ImapQuota *found, const GError *error, gpointer user_data)
{
    end(user_data, found, error);
}

static const char *
wire_name_of(const FsQuota *quota)
{
    const FsMailbox *mailbox =
        fs_mailbox_tree_get(quota->account->tree, quota->mailbox);

    return mailbox != NULL && mailbox->wire_name != NULL ? mailbox->wire_name
                                                         : "INBOX";
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    FsQuota *quota = user_data;

    if (lease == NULL || quota->account == NULL) {
        imap_lease_release(lease);
        end(quota, NULL, error);
        return;
    }
    quota->lease = lease;
    imap_request_quota(imap_lease_connection(lease), wire_name_of(quota),
                       on_quota, quota);
}

FsNeed *
fs_quota_need(FsQuota *quota, guint32 mailbox, gint64 since, ImapQuota *result)
{
    gboolean fresh = quota->is_known && quota->mailbox == mailbox &&
                     quota->asked_at >= since - KEEP_US;

    if (quota->unsupported || (fresh && quota->need == NULL)) {
        *result = quota->known;
        return NULL;
    }
    if (quota->need == NULL) {
        quota->mailbox = mailbox;
        quota->is_known = FALSE;
        quota->asked_at = g_get_monotonic_time();
        quota->need = fs_need_new();
        imap_pool_acquire(quota->account->pool, NULL, on_lease,
                          g_rc_box_acquire(quota));
    }
    return quota->need;
}
