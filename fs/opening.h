/* An account on its way to be served: another mount may have it, and be about
 * to let go of it, which is waited for. */
#pragma once

#include "fs/mount/helper-process.h"
#include "fs/options/options.h"
#include "fs/serving.h"

typedef struct FsOpening FsOpening;

/* @serving (the callee's), or NULL with why not. Runs once, from the main loop,
 * unless cancelled; the opening is gone then. */
typedef void (*FsOpenedFunc)(FsServing *serving, const GError *error,
                             gpointer user_data);

/* As fs_serving_new, when its directories are locked (fs/account-locks.h).
 * @announcing is taken. If that takes time, a message says why. */
FsOpening *fs_opening_start(FsOptions *options, FsHelperProcess *announcing,
                            FsOpenedFunc opened, gpointer user_data);
/* Nobody waits any more. Accepts NULL. */
void fs_opening_cancel(FsOpening *opening);

/* Who has what is waited for, as a part of a sentence; NULL: nobody has. Caller
 * frees. */
char *fs_opening_describe(const FsOpening *opening);
