/* A process that sees to it that no dead mount is left when the daemon is
 * killed: programs would get ENOTCONN at its place for ever, or, if one of the
 * daemon's threads is caught inside the kernel, no answer at all. */
#pragma once

#include "fs/mount/mount-identity.h"

#include <glib.h>

typedef struct FsSupervisor FsSupervisor;

/* Before there is a thread or a secret. NULL if there is none to be had. */
FsSupervisor *fs_supervisor_start(void);

/* The daemon has mounted, and serves the mount by @fuse; from here on its death
 * is the end of the mount, and the main loop notices if it is the supervisor
 * that dies: that is said, and changes nothing. A mount that is gone already is
 * none to end. Accepts NULL. */
void fs_supervisor_watch(FsSupervisor *supervisor, const FsMountIdentity *mount,
                         int fuse);

/* The daemon has nothing mounted, or no longer: ends it. Accepts NULL. */
void fs_supervisor_free(FsSupervisor *supervisor);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsSupervisor, fs_supervisor_free)
