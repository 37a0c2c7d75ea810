/* What the daemon asks of the process that announces, and what that answers:
 * one message each, in order, over the line of fs/mount/helper-process.h. */
#pragma once

#include "fs/live/inotify-watches.h"

#include <glib.h>
#include <sys/types.h>

typedef enum {
    FS_ANNOUNCE_NEW_FILE,
    FS_ANNOUNCE_GONE_FILE,
    FS_ANNOUNCE_NEW_DIRECTORY,
    FS_ANNOUNCE_GONE_DIRECTORY,
    FS_ANNOUNCE_LOOK, /* who watches; no announcement */
} FsAnnouncementKind;

#define FS_ANNOUNCEMENT_TEXT_BYTES (4096 + 256)

typedef struct {
    guint32 kind; /* FsAnnouncementKind */
    guint32 device;
    guint64 mount;
    /* Absolute path of the directory, NUL, name, NUL; as long as that is. */
    char text[FS_ANNOUNCEMENT_TEXT_BYTES];
} FsAnnouncementRequest;

typedef struct {
    guint32 kind;       /* of the request */
    gint32 error;       /* an errno; 0: announced */
    gint32 took_us;     /* FS_ANNOUNCE_LOOK: of the processor */
    guint32 incomplete; /* the same: there are more than these */
    guint32 n_inodes;
    guint64 inodes[FS_INOTIFY_MAX]; /* as many as there are */
} FsAnnouncementReply;

/* A FsHelperFunc: the process. */
void fs_announcement_serve(int line, pid_t daemon);
