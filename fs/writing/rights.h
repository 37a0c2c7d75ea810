/* What the server lets us do in a mailbox (ACL, RFC 4314), asked for when
 * somebody uses it, and asked for again after a while. Where the server has no
 * such thing, all is allowed until it refuses. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

typedef struct FsRights FsRights;

/* @account must outlive the result. */
FsRights *fs_rights_new(FsAccount *account);
/* Accepts NULL. */
void fs_rights_free(FsRights *rights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsRights, fs_rights_free)

/* NULL when it is known what may be done in @mailbox, or does not matter; else
 * what to wait for (borrowed). It never fails: without an answer all is
 * allowed. */
FsNeed *fs_rights_need(FsRights *rights, guint32 mailbox);

/* As far as is known: whether messages can be stored there; and whether those
 * that are there can be replaced. */
gboolean fs_rights_may_insert(FsRights *rights, guint32 mailbox);
gboolean fs_rights_may_replace(FsRights *rights, guint32 mailbox);
