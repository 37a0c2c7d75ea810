/* Wakes those who watch a directory with inotify when something has come or
 * gone on the server.
 *
 * The kernel tells watchers of what is done through the mount, and of nothing
 * that it hears from us. So a process of ours makes the new entry, and removes
 * the old one, through the mount (fs/live/announcement.c); the requests that
 * come of it are known by its process id and by what is being announced, and
 * are answered by what is so already (fs/kernel/change-handlers.h).
 *
 * Nobody waits for that. A change shows at once, as it would without watchers:
 * an entry that somebody has looked up meanwhile can still be made, for the
 * kernel asks anew about a name that is to be made, and we then say that it is
 * not there. If the process is stuck, announcements are given up; if it ends,
 * there are no more: a new one could not be forked from a daemon that has
 * threads and the mount open. */
#pragma once

#include "fs/live/announcement.h"
#include "fs/mount/helper-process.h"
#include "fs/mount/mount-identity.h"
#include "fs/names/mailbox-tree.h"

#include <glib.h>

typedef struct FsAnnouncer FsAnnouncer;

/* Forks the process, before there is a thread or a secret. NULL if there is
 * none to be had. */
FsHelperProcess *fs_announcer_fork(void);

/* @process (takes ownership; NULL: nothing is ever announced). @tree outlives
 * the result. The functions below accept NULL for the announcer. */
FsAnnouncer *fs_announcer_new(FsHelperProcess *process,
                              const FsMailboxTree *tree);
/* After the mount's end, or fs_announcer_stop. */
void fs_announcer_free(FsAnnouncer *announcer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsAnnouncer, fs_announcer_free)

/* Told of each directory that somebody watches, whenever that was found out. */
typedef void (*FsWatchedFunc)(guint64 directory, gpointer user_data);
/* NULL removes it. */
void fs_announcer_set_watched_func(FsAnnouncer *announcer, FsWatchedFunc func,
                                   gpointer user_data);

/* It is mounted: announcements begin. */
/* Before that, where the kernel has other inode numbers than the account, for
 * there are others in the mount: it adds @first to all of them. */
void fs_announcer_set_first(FsAnnouncer *announcer, guint64 first);
void fs_announcer_start(FsAnnouncer *announcer, const FsMountIdentity *mount);
/* It is not going to be mounted much longer: nothing more is announced. */
void fs_announcer_retire(FsAnnouncer *announcer);
/* It is mounted no longer: ends the process. */
void fs_announcer_stop(FsAnnouncer *announcer);

/* Something has come into use, and may be watched: looks, a little later. */
void fs_announcer_look(FsAnnouncer *announcer);

/* The entry @name of @directory (an inode), which is @inode, has come or gone:
 * announced if somebody watches. */
void fs_announcer_add(FsAnnouncer *announcer, FsAnnouncementKind kind,
                      guint64 directory, const char *name, guint64 inode);

/* What is being announced, as its requests tell: see above. */
typedef struct {
    FsAnnouncementKind kind;
    guint64 directory;
    guint64 inode;
    const char *name;
} FsAnnouncement;

/* Whether @process, which makes a request, is ours. */
gboolean fs_announcer_is_ours(const FsAnnouncer *announcer, pid_t process);
/* What is now being announced of that entry; NULL: nothing. Borrowed; good
 * until the main loop goes on. */
const FsAnnouncement *fs_announcer_find(const FsAnnouncer *announcer,
                                        guint64 directory, const char *name);
