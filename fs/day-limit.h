/* How much goes over the line in a day, and whether more may: for providers
 * that lock out who fetches or sends too much (max_download, max_upload).
 *
 * A day is one of UTC. What was counted is kept beside the account's state, so
 * that another mount goes on counting; what goes over the line outside of a
 * mount of ours is not seen. */
#pragma once

#include "fs/account.h"

typedef struct {
    guint64 received; /* octets, today */
    guint64 sent;
} FsDayTraffic;

/* @directory: where the counts are kept; NULL: nowhere. @max_download and
 * @max_upload: octets; 0: no limit. @thread must outlive the result. */
FsDayLimit *fs_day_limit_new(const char *directory, guint64 max_download,
                             guint64 max_upload, CacheStoreThread *thread,
                             gint64 now);
/* What was counted is on its way to the disk, by the thread. Accepts NULL. */
void fs_day_limit_free(FsDayLimit *limit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDayLimit, fs_day_limit_free)

/* @received and @sent: octets since the mount. @now: seconds since the epoch.
 */
void fs_day_limit_note(FsDayLimit *limit, guint64 received, guint64 sent,
                       gint64 now);
void fs_day_limit_get(const FsDayLimit *limit, FsDayTraffic *today);

/* Whether anything may be fetched that is large. FALSE: IMAP_ERROR_LIMIT. */
gboolean fs_day_limit_may_download(FsDayLimit *limit, GError **error);
/* Whether @octets more may be sent. FALSE: IMAP_ERROR_OVER_QUOTA, or
 * IMAP_ERROR_TOO_BIG if no day is enough for them. */
gboolean fs_day_limit_may_upload(FsDayLimit *limit, guint64 octets,
                                 GError **error);

/* The same of @account, with what has gone over its line until now. */
gboolean fs_account_may_download(FsAccount *account, GError **error);
gboolean fs_account_may_upload(FsAccount *account, guint64 octets,
                               GError **error);
/* Counts what has gone over the line until now. */
void fs_account_note_traffic(const FsAccount *account);
