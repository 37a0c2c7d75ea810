/* The account's line to its server, as the file system sees it: whether it is
 * there, what is done when it goes and when it comes back, and for how long an
 * operation may wait. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/kernel-cache.h"

typedef struct FsLine FsLine;

/* Begins to look after the line of @account, which knows it as its line from
 * then on. @kernel_cache tells what is in use. Both must outlive the result. */
FsLine *fs_line_new(FsAccount *account, FsKernelCache *kernel_cache);
/* Accepts NULL. */
void fs_line_free(FsLine *line);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLine, fs_line_free)

/* The server cannot be reached, refuses us, or has been silent for so long that
 * this is to be feared: what is known is served as it is, and nobody waits for
 * anything newer. @line may be NULL: no. */
gboolean fs_line_is_away(const FsLine *line);

/* Somebody has done something about it: tries at once, also after a refused
 * login, with credentials that are obtained anew where that is possible. */
void fs_line_try_again(FsLine *line);
