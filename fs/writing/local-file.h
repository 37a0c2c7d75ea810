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

/* The directory of what could not be stored; the others are mailbox ids, or
 * with one of these added, the directories of a Maildir: of the folder, whose
 * files are kept; that for what is to be delivered, whose files are on their
 * way whatever they are called; and those of messages. */
#define FS_LOCAL_LOST G_MAXUINT32
#define FS_LOCAL_FOLDER (1u << 20)
#define FS_LOCAL_TMP (1u << 21)
#define FS_LOCAL_CUR (1u << 22)
#define FS_LOCAL_NEW (1u << 23)

gboolean fs_local_is_kept(guint32 directory);
gboolean fs_local_is_tmp(guint32 directory);
/* The mailbox whose messages files there become, and the name that one of them
 * has then, if it is @name here (see fs/names/given-name.h). Caller frees. */
char *fs_local_message_name(guint32 directory, const char *name,
                            guint32 *mailbox);

typedef struct {
    guint references;
    guint64 inode;
    guint32 directory; /* a mailbox id, 0: the top directory; FS_LOCAL_LOST */
    char *name;        /* owned; NULL: it has none. Of an edit: under which the
                          message is listed */
    gboolean listed;   /* in that directory, by us */
    gboolean linked;   /* stays there also when it is stored under another */
    /* What else it is called until it is stored: as what it was linked to that
     * name from; owned; NULL: nothing. */
    guint32 first_directory;
    char *first_name;
    gboolean noted;   /* its name is on the disk */
    gint64 listed_at; /* microseconds, monotonic: when it was last used */

    /* The message whose place it takes when it is stored; 0: none. */
    guint32 replaces;
    gboolean in_place;   /* it shows under our inode */
    gboolean must_match; /* only if it is the same message */
    guint64 held;        /* its deletion waits for our word; 0: none does */
    guint64 record;      /* of the journal, for that */

    /* The message whose octets it begins with, all of them; 0: none. */
    guint32 base_mailbox;
    guint32 base_uid;
    gboolean filled; /* they are here, or are not needed any more */
    FsNeed *filling; /* a reference; NULL: nobody fills it */

    CacheSpoolFile *spool; /* owned */
    guint64 size;          /* octets; what is being written included */
    FsWrittenRanges *written;
    guint64 generation; /* goes up with each change of the octets */
    gboolean detached;  /* its octets are lost, and it has none any more */
    GError *error;      /* the first failure to write; NULL: none */
    mode_t mode;
    char *flags;        /* that a program has given it; owned; NULL: none has */
    gint64 modified_at; /* microseconds since the epoch */
    gboolean dated;     /* a program has set that */
    guint n_handles;
    guint n_writers;   /* of those, that can write */
    guint n_appenders; /* of those, that write at the end */

    /* What has become of the octets of a generation; 0: of none. */
    guint64 stored;
    guint64 refused;
    GError *refusal;
    FsUpload *upload;  /* not finished; a reference; NULL: none */
    guint64 uploading; /* the generation that it is of */
} FsLocalFile;

/* @spool: (takes ownership) where its octets are. */
FsLocalFile *fs_local_file_new(guint64 inode, CacheSpoolFile *spool);
FsLocalFile *fs_local_file_ref(FsLocalFile *file);
/* With the last reference, what is not listed is removed from the disk. Accepts
 * NULL. */
void fs_local_file_unref(gpointer file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsLocalFile, fs_local_file_unref)

/* Changes the octets; it must be filled. @done as for the spool; the first
 * failure is kept. */
void fs_local_file_write(FsLocalFile *file, guint64 offset, GBytes *data,
                         CacheSpoolDoneFunc done, gpointer user_data);
void fs_local_file_truncate(FsLocalFile *file, guint64 size,
                            CacheSpoolDoneFunc done, gpointer user_data);
/* When it was last changed, @microseconds since the epoch, as a program says.
 */
void fs_local_file_set_time(FsLocalFile *file, gint64 microseconds);

/* Whether it is a new state of a message that nothing has been made of, and
 * that is in no directory: it lives as long as that is so. */
gboolean fs_local_file_is_unfinished(const FsLocalFile *file);
/* Whether it is a message that a program has changed here, and that nothing has
 * become of yet. */
gboolean fs_local_file_is_dirty(const FsLocalFile *file);
/* Whether it is a message that a program has emptied, and nothing was written
 * since: what is next may come with another open. */
gboolean fs_local_file_is_emptied(const FsLocalFile *file);
/* Whether it is a new state of a message, whatever that is called. */
gboolean fs_local_file_is_edit(const FsLocalFile *file);
/* Whether it is a file on its way, or one that is kept, and no message before
 * it is called otherwise, or is elsewhere. */
gboolean fs_local_file_is_scratch(const FsLocalFile *file);
/* Whether it shows what it holds itself, and not what was made of it. */
gboolean fs_local_file_is_ahead(const FsLocalFile *file);
