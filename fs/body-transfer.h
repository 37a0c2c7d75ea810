/* Bodies of messages on their way from the server into the store, one transfer
 * a message however many wait for it.
 *
 * A transfer's size is certain before its first octet can be read, so that open
 * can tell the kernel the real size: the size of the literal, which is right
 * even when RFC822.SIZE lied. If the two disagree, the body may be a stand-in
 * that the server makes for a message which another client has expunged: then
 * nothing is shown before the server has confirmed that the message exists. */
#pragma once

#include "cache/bodies.h"
#include "fs/account.h"
#include "fs/need.h"

typedef struct FsTransfer FsTransfer;

FsTransfers *fs_transfers_new(FsAccount *account);
void fs_transfers_free(FsTransfers *transfers); /* accepts NULL */

/* Told when a message turns out to have another size than the index said, and
 * so another than others may have been told. The index has the right one. */
typedef void (*FsResizedFunc)(guint32 mailbox, guint32 uid, gpointer user_data);
void fs_transfers_set_resized(FsTransfers *transfers, FsResizedFunc resized,
                              gpointer user_data);

/* The body of message @uid of @mailbox if it is in the store, else NULL. Caller
 * owns a reference. */
CacheBody *fs_transfers_find(FsTransfers *transfers, guint32 mailbox,
                             guint32 uid);

/* The transfer of that message: the one under way, or a new one. Caller owns a
 * reference. */
FsTransfer *fs_transfers_get(FsTransfers *transfers, guint32 mailbox,
                             guint32 uid);
FsTransfer *fs_transfer_ref(FsTransfer *transfer);
void fs_transfer_unref(FsTransfer *transfer); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsTransfer, fs_transfer_unref)

/* Moves on when the size becomes certain and as octets become readable; met
 * when all are. Fails with FS_ERROR_GONE when there is no such message (any
 * more), FS_ERROR_STALE when the mailbox is another one, or as the connection,
 * the server or the disk fails. Borrowed. */
FsNeed *fs_transfer_need(const FsTransfer *transfer);

/* The body, some of whose octets may be readable already. NULL until its size
 * is certain. Borrowed. */
CacheBody *fs_transfer_body(const FsTransfer *transfer);
