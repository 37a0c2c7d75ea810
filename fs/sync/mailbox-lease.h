/* Leases on the account's mailboxes, of which it is certain that they are still
 * what is known under their names. */
#pragma once

#include "fs/account.h"

typedef struct FsLeases FsLeases;

FsLeases *fs_leases_new(FsAccount *account);
/* Releases all leases; who still waits is not called. Accepts NULL. */
void fs_leases_free(FsLeases *leases);

/* @lease (takes ownership), or NULL and @error, why there is none:
 * FS_ERROR_GONE or FS_ERROR_STALE if the mailbox is gone or another one. */
typedef void (*FsLeaseFunc)(ImapLease *lease, const GError *error,
                            gpointer user_data);

/* Asks for a lease on @mailbox; @kind as in imap_pool_acquire_wish. @func runs
 * once, from the main loop, never inside this call; or, when the leases are
 * freed before that, @free_data alone. */
void fs_leases_acquire(FsLeases *leases, guint32 mailbox, ImapLeaseKind kind,
                       FsLeaseFunc func, gpointer user_data,
                       GDestroyNotify free_data);

/* The same for one by which messages are going to be fetched: IMAP_ERROR_LIMIT
 * if the day's max_download is used up. */
void fs_leases_acquire_to_fetch(FsLeases *leases, guint32 mailbox,
                                ImapLeaseKind kind, FsLeaseFunc func,
                                gpointer user_data, GDestroyNotify free_data);

/* The same for one on which the mailbox can be changed; IMAP_ERROR_READ_ONLY if
 * it cannot. */
void fs_leases_acquire_writable(FsLeases *leases, guint32 mailbox,
                                FsLeaseFunc func, gpointer user_data,
                                GDestroyNotify free_data);

/* Releases @lease (may be NULL). Does nothing when @leases is NULL: their end
 * has released it. */
void fs_leases_release(FsLeases *leases, ImapLease *lease);
