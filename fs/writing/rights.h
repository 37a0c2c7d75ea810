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

/* The same for who is refused something that he has asked for at @since
 * (microseconds, monotonic): what was told much earlier may be so no longer,
 * and is asked for anew. */
FsNeed *fs_rights_need_newer(FsRights *rights, guint32 mailbox, gint64 since);

/* As far as is known: whether messages can be stored there; whether those that
 * are there can be replaced; and deleted, for good (@expunge) or by a mark. */
gboolean fs_rights_may_insert(FsRights *rights, guint32 mailbox);
gboolean fs_rights_may_replace(FsRights *rights, guint32 mailbox);
gboolean fs_rights_may_delete(FsRights *rights, guint32 mailbox,
                              gboolean expunge);
/* Likewise, whether messages can be given the flags of @add, and rid of those
 * of @remove (with spaces between). */
gboolean fs_rights_may_flag(FsRights *rights, guint32 mailbox, const char *add,
                            const char *remove);

/* The server has, or has not, let us select @mailbox to be changed. That it has
 * not is believed for a while. */
void fs_rights_note_read_only(FsRights *rights, guint32 mailbox,
                              gboolean read_only);

/* The errno of what may not be done in @mailbox: EROFS if the server lets it
 * only be read, else EACCES. */
int fs_rights_refusal(FsRights *rights, guint32 mailbox);
