/* The requests of the kernel, answered from the name space and the bodies. */
#pragma once

#include "fs/account.h"
#include "fs/name-space.h"

#include <fuse_lowlevel.h>

/* What the handlers work on: the user data of the FUSE session. */
typedef struct {
    FsAccount *account;
    FsNameSpace *names;
    struct fuse_session *fuse; /* for notifications */
} FsHandlers;

extern const struct fuse_lowlevel_ops fs_handlers_ops;

/* Before the first request: tells @handlers the session that they serve. */
void fs_handlers_attach(FsHandlers *handlers, struct fuse_session *fuse);
