/* A file whose octets are here and not, or not yet, on the server: one that a
 * program is writing, a temporary one, a message that is being edited, or one
 * that the server has refused.
 *
 * It belongs to those who have it open and to the place where it is listed. */
#pragma once

#include "cache/spool.h"
#include "fs/need.h"
#include "fs/writing/written-ranges.h"

#include <glib.h>
#include <sys/types.h>

typedef struct FsUpload FsUpload;

/* The directory of what could not be stored; the others are mailbox ids. */
#define FS_LOCAL_LOST G_MAXUINT32

typedef struct {
    guint references;
    guint64 inode;
    guint32 directory; /* a mailbox id, 0: the top directory; FS_LOCAL_LOST */
    char *name;        /* owned; NULL: it is in no directory any more */

    /* The message that it is to stand for when it is stored; 0: none. */
    guint32 replaces;
    gboolean in_place;   /* it was opened, and not made: the inode is its */
    gboolean must_match; /* only if it is the same message (Message-ID) */
    gboolean reclaimed;  /* a deletion of @replaces waits for our word */
    gboolean filled;     /* has the octets of @replaces, or needs none */

    CacheSpoolFile *spool; /* owned */
    guint64 size;          /* octets; what is being written included */
    FsWrittenRanges *written;
    guint64 generation; /* goes up with each change of the octets */
    GError *error;      /* the first failure to write; NULL: none */
    mode_t mode;
    gint64 modified_at; /* microseconds since the epoch */
    gboolean dated;     /* a program has set that */
    guint n_writers;    /* handles that can write */
    pid_t opener;       /* thread, of the last */

    /* What has become of the octets of a generation; 0: of none. */
    guint64 stored;
    guint64 refused;
    GError *refusal;
    FsUpload *upload; /* under way; a reference; NULL: none */
} FsLocalFile;

/* @spool: (takes ownership) where its octets are. */
FsLocalFile *fs_local_file_new(guint64 inode, CacheSpoolFile *spool);
FsLocalFile *fs_local_file_ref(FsLocalFile *file);
/* With the last reference, what nobody has stored or listed is removed from the
 * disk. Accepts NULL. */
void fs_local_file_unref(FsLocalFile *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLocalFile, fs_local_file_unref)

/* Changes the octets. @done as for the spool; the first failure is kept. */
void fs_local_file_write(FsLocalFile *file, guint64 offset, GBytes *data,
                         CacheSpoolDoneFunc done, gpointer user_data);
void fs_local_file_truncate(FsLocalFile *file, guint64 size,
                            CacheSpoolDoneFunc done, gpointer user_data);
/* The time that it was last changed, @microseconds since the epoch, as a
 * program says. */
void fs_local_file_set_time(FsLocalFile *file, gint64 microseconds);
