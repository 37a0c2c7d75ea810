/* The kernel's side: the FUSE session as a source of the GLib main loop.
 *
 * libfuse 3.14 asks for FUSE_PARALLEL_DIROPS and never tells the kernel so,
 * which lets one unanswered look-up block every other in its directory: the
 * reply to INIT is mended on its way out. */
#pragma once

#include <fuse_lowlevel.h>
#include <glib.h>

typedef struct FsSession FsSession;

/* @args: program name and the options for libfuse and fusermount3. @ops is
 * copied. Fails with FS_ERROR_USAGE on an option that libfuse does not know,
 * naming it.
 *
 * Readdirplus is always on where @ops has it, and cached data is invalidated by
 * notifications alone; an init of @ops sees these settings and may change
 * them. libfuse's messages go to GLib's log from here on. */
FsSession *fs_session_new(struct fuse_args *args,
                          const struct fuse_lowlevel_ops *ops,
                          gpointer user_data, GError **error);

/* Each request of the kernel goes by @divert first, which may change it. If
 * that returns TRUE, it has been taken, and somebody else answers it. To be
 * called before the session is mounted. */
void fs_session_set_divert(FsSession *session,
                           gboolean (*divert)(struct fuse_buf *request,
                                              gpointer user_data),
                           gpointer user_data);

/* Instead of being mounted: @session answers requests that somebody gives to
 * it, by @io; see fuse_session_custom_io. @fd (takes ownership) is handed to
 * @io. */
gboolean fs_session_use_io(FsSession *session, const struct fuse_custom_io *io,
                           int fd);
void fs_session_handle(FsSession *session, struct fuse_buf *request);

/* Mounts at @mountpoint, once, and attaches to the default main context. May
 * wait for fusermount3. Fails with FS_ERROR_MOUNT: not a directory, no
 * permission, /dev/fuse missing … with the remedy. A dead mount that is already
 * there (ENOTCONN) is unmounted first. To have been unmounted again before the
 * kernel's first request is no failure, but an end like a later one. */
gboolean fs_session_mount(FsSession *session, const char *mountpoint,
                          GError **error);

/* @ended runs, from the main loop, when the file system was unmounted from
 * outside or the kernel cut the connection. */
void fs_session_set_ended(FsSession *session, void (*ended)(gpointer user_data),
                          gpointer user_data);

/* Already before @ended hears of it. */
gboolean fs_session_has_ended(FsSession *session);

/* Unmounts if mounted, lazily if it is in use. Neither this nor freeing from
 * within a handler; who notifies from another thread stops that first, and
 * operations that wait are failed first (fs_operation_fail_all). */
void fs_session_unmount(FsSession *session);
/* Unmounts, then frees. Accepts NULL. */
void fs_session_free(FsSession *session);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsSession, fs_session_free)

/* Absolute, without symbolic links; NULL while nothing is mounted. Borrowed. */
const char *fs_session_mountpoint(const FsSession *session);
/* For fuse_lowlevel_notify_*. */
struct fuse_session *fs_session_fuse(FsSession *session);
