/* How much room the server has for a mailbox (QUOTA, RFC 9208). */
#pragma once

#include "fs/account.h"
#include "fs/need.h"
#include "imap/mailbox-requests.h"

typedef struct FsQuota FsQuota;

/* @account must outlive the result. */
FsQuota *fs_quota_new(FsAccount *account);
/* Accepts NULL. */
void fs_quota_free(FsQuota *quota);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsQuota, fs_quota_free)

/* NULL when @quota holds what is known of @mailbox (0: the INBOX) for an
 * operation that began at @since (microseconds, monotonic); else what to wait
 * for (borrowed). It never fails: of what the server does not tell, nothing is
 * known. */
FsNeed *fs_quota_need(FsQuota *quota, guint32 mailbox, gint64 since,
                      ImapQuota *result);
