/* Whether two messages hold the same octets: read, both, to the end. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

typedef struct FsComparison FsComparison;

/* @account must outlive the result. */
FsComparison *fs_comparison_new(FsAccount *account, guint32 mailbox,
                                guint32 uid, guint32 other_mailbox,
                                guint32 other_uid);
void fs_comparison_free(FsComparison *comparison); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsComparison, fs_comparison_free)

/* NULL when it is known, and *@same tells; else what to wait for until this is
 * called again (the caller owns it). That fails if one of them cannot be read.
 */
FsNeed *fs_comparison_run(FsComparison *comparison, gboolean *same);
