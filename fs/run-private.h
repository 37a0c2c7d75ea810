/* The life of a mount from when it is there to when it has gone: the same for
 * one account (fs/run.c) and for several (fs/run-all.c). */
#pragma once

#include "fs/kernel/branches.h"
#include "fs/kernel/session.h"
#include "fs/mount/supervisor.h"
#include "fs/options/options.h"
#include "fs/serving.h"

#define FS_RUN_SIGNALS 4

typedef struct {
    GMainLoop *loop;
    GPtrArray *servings;  /* of FsServing, owned: the accounts */
    FsSession *session;   /* NULL: nothing is mounted */
    FsBranches *branches; /* NULL: there is but one account, and no others */
    FsSupervisor *supervisor;
    gboolean ended;       /* somebody wants the end, or has unmounted */
    gboolean interrupted; /* what is waited for at the end is not to be */
    int killed_by;        /* a signal, before anything was mounted; 0: none */
    guint n_awaited;      /* answers of accounts */
    guint signals[FS_RUN_SIGNALS];
} FsMountRun;

void fs_mount_run_init(FsMountRun *run, FsSupervisor *supervisor);
/* All that is left. */
void fs_mount_run_finish(FsMountRun *run);

/* Until it is mounted, or they are ignored again, SIGINT and SIGTERM leave the
 * loop, with run->killed_by. */
void fs_mount_run_heed_interrupts(FsMountRun *run);
void fs_mount_run_ignore_interrupts(FsMountRun *run);
/* Who was waited for then (NULL: not known), as an error. */
GError *fs_mount_run_interrupted(const char *whom);
/* The exit status of who has failed; does not return to who was killed by a
 * signal, for whoever has started us is to see that. */
int fs_mount_run_fail(const FsMountRun *run, const GError *error);

/* Mounts what @session is. From before it is mounted, signals are seen to, so
 * that none leaves a dead mount; if it fails, no longer. It fails, too, if it
 * was unmounted before the kernel's first request; but in the foreground that
 * is an end like any other, for who sees the mount may unmount it at once. */
gboolean fs_mount_run_mount(FsMountRun *run, const FsOptions *options,
                            GError **error);
/* The mount is there: from here on somebody sees to it if we are killed. FALSE
 * if it cannot be found. */
gboolean fs_mount_run_find(FsMountRun *run, FsMountIdentity *identity);

/* All accounts have begun, and know that they are mounted: tells who started
 * us. Returns when nothing is mounted any more, and all are logged out. */
void fs_mount_run_serve(FsMountRun *run);

/* Says on standard output, for somebody who reads it, that there are views of
 * the mail of @serving in @directory. Nothing else tells of them: they are in
 * no listing. */
void fs_mount_run_announce_views(const FsOptions *options,
                                 const char *directory, FsServing *serving);

/* Options for libfuse. */
void fs_mount_run_add_option(struct fuse_args *args, const char *option);
/* @name: of what is mounted. */
void fs_mount_run_add_options(struct fuse_args *args, const FsOptions *options,
                              const char *name);
