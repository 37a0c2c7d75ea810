/* One account as it is served in a mount: with the files that it shows, what
 * answers the kernel for it, and what goes on beside. Its life is that of
 * fs/run.h, of which these are the steps; where a mount has several accounts,
 * they take each step together. */
#pragma once

#include "fs/account.h"
#include "fs/kernel/handlers.h"
#include "fs/mount/helper-process.h"
#include "fs/mount/mount-identity.h"

typedef struct FsServing FsServing;

/* Opens what is kept of the account; nothing is connected yet. @options must
 * outlive the result, and may be changed by a reload. @locked and @announcing
 * are taken; the second may be NULL. Fails as fs_account_new and fs_writing_new
 * do. fs/opening.h does it once the account may be opened. */
FsServing *fs_serving_new(FsOptions *options,
                          const FsAccountDirectories *locked,
                          FsHelperProcess *announcing, GError **error);
void fs_serving_free(FsServing *serving); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsServing, fs_serving_free)

FsAccount *fs_serving_account(FsServing *serving);
FsHandlers *fs_serving_handlers(FsServing *serving);

/* ---- the login ---- */

/* Logs in, and lists the mailboxes, which may last a little longer. @done runs
 * once, from the main loop, with why it failed, or NULL. @patience_ms: after so
 * long without an answer it has failed; 0: when the connection gives up. */
typedef void (*FsServingFunc)(FsServing *serving, const GError *error,
                              gpointer user_data);
void fs_serving_log_in(FsServing *serving, guint patience_ms,
                       FsServingFunc done, gpointer user_data);
/* For that, with offline_ok. */
guint fs_serving_patience_ms(const FsServing *serving);
/* Whether the error of the login may be over later, by itself: not a wrong
 * password, nor a wrong certificate. */
gboolean fs_serving_may_pass(const GError *error);
/* There was no login: what is in the cache is shown. FALSE if nothing is. */
gboolean fs_serving_go_offline(FsServing *serving);

/* ---- the mount ---- */

/* Before the first request: tells the session that it is served by, and
 * first_inode of the account. */
void fs_serving_attach(FsServing *serving, struct fuse_session *fuse,
                       guint64 first_inode);
/* The login is over, one way or the other: looks after the line to the server
 * from now on. */
void fs_serving_begin(FsServing *serving);
/* It is mounted: says so if another mount has the directories of the account.
 */
void fs_serving_say_in_use(const FsServing *serving);
/* It is mounted: takes up what was left, and watches for changes. @identity:
 * with the path of its directory; NULL: not known. */
void fs_serving_mounted(FsServing *serving, const FsMountIdentity *identity);
/* SIGHUP. FALSE: it is not served yet, or no longer. */
gboolean fs_serving_reload(FsServing *serving);

/* ---- the end ---- */

/* No more reloads. Sends what was changed. @done runs once, from the main loop,
 * when that has gone as far as it can, or has lasted too long. FALSE, and it
 * does not run, if there is nothing. */
gboolean fs_serving_drain(FsServing *serving, FsServingFunc done,
                          gpointer user_data);
/* That is over, or nobody waits for it any longer; says what is left. */
void fs_serving_end_drain(FsServing *serving);
/* What waits fails. @done runs once, from the main loop, when the session may
 * be unmounted. */
void fs_serving_stop(FsServing *serving, FsServingFunc done,
                     gpointer user_data);
/* The session is gone. */
void fs_serving_unmounted(FsServing *serving);
/* @done runs once, from the main loop. */
void fs_serving_log_out(FsServing *serving, FsServingFunc done,
                        gpointer user_data);
