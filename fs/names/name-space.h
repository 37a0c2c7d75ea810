/* The names that the mount shows, behind one interface: which entry has which
 * name, what a directory holds, what an inode number means. The FUSE handlers
 * know nothing else of mailboxes, so that other layouts of the same account can
 * stand beside the first.
 *
 * Nothing here waits. A function that does not know enough yet says what to
 * wait for, and is called again when that is there. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

#include <glib.h>
#include <sys/stat.h>

typedef enum {
    FS_ANSWER_FOUND,  /* the entry is filled */
    FS_ANSWER_NONE,   /* there is no such entry, or none any more */
    FS_ANSWER_WAIT,   /* for the obstacle's need */
    FS_ANSWER_FAILED, /* the obstacle's error_number says why */
} FsAnswer;

typedef struct {
    guint64 inode;
    char name[256]; /* of a directory's entry; else empty */
    guint64 cookie; /* where the next entry of the directory is looked for */
    struct stat attributes;
    guint32 mailbox;   /* 0: none */
    guint32 uid;       /* of a message; 0: a directory, or what is no message */
    gboolean fleeting; /* the kernel is to ask again each time */
    gboolean restless; /* and so it is for the attributes alone */
    gboolean renamed;  /* it is so for the name alone */
    gboolean former;   /* and it is found by one that it had: see
                          fs_name_space_gives_way */
} FsEntry;

/* Why an answer is not FS_ANSWER_FOUND. */
typedef struct {
    FsNeed *need;     /* of FS_ANSWER_WAIT; borrowed */
    int error_number; /* of FS_ANSWER_FAILED: an errno */
    guint64 cookie;   /* of FS_ANSWER_WAIT in a listing: where it goes on, for
                         all before that was passed over; 0: where it was */
} FsObstacle;

/* What a directory is for. */
typedef enum {
    FS_PLACE_MAILBOX, /* messages, and files that are to be some */
    FS_PLACE_LOST,    /* what was lost */
    FS_PLACE_FOLDER,  /* of a Maildir: directories, and files that are kept */
    FS_PLACE_CUR,     /* and in it: messages that have been seen */
    FS_PLACE_NEW,     /* those that have not */
    FS_PLACE_TMP,     /* files that are to be some */
} FsPlaceKind;

typedef struct {
    FsPlaceKind kind;
    guint32 mailbox; /* id; 0: no message can be there */
    guint32 files;   /* where its local files are (fs/writing/local-files.h) */
} FsPlace;

/* Whether files of any name can be there, and stay files. */
gboolean fs_place_takes_files(const FsPlace *place);

/* FS_ANSWER_WAIT and FS_ANSWER_FAILED, with their @obstacle. */
FsAnswer fs_answer_wait(FsNeed *need, FsObstacle *obstacle);
FsAnswer fs_answer_fail(int error_number, FsObstacle *obstacle);

typedef struct FsNameSpace FsNameSpace;

/* Told a name under which something is to be found, and in which directory. */
typedef void (*FsNameFunc)(guint64 directory, const char *name,
                           gpointer user_data);

typedef struct {
    FsAnswer (*look_up)(FsNameSpace *names, guint64 directory, const char *name,
                        gint64 since, FsEntry *entry, FsObstacle *obstacle);
    FsAnswer (*describe)(FsNameSpace *names, guint64 inode, FsEntry *entry,
                         FsObstacle *obstacle);
    FsAnswer (*open_directory)(FsNameSpace *names, guint64 directory,
                               gint64 since, FsObstacle *obstacle);
    FsAnswer (*next)(FsNameSpace *names, guint64 directory, guint64 cookie,
                     FsEntry *entry, FsObstacle *obstacle);
    guint64 (*directory_of)(FsNameSpace *names, guint32 mailbox);
    FsPlace (*place_of)(FsNameSpace *names, guint64 directory);
    void (*names_of)(FsNameSpace *names, guint32 mailbox,
                     const CacheMessage *message, FsNameFunc func,
                     gpointer user_data);
    void (*free)(FsNameSpace *names);
} FsNameSpaceClass;

/* What every layout begins with. */
struct FsNameSpace {
    const FsNameSpaceClass *class;
    FsAccount *account; /* borrowed; outlives the name space */
};

/* The entry @name of the directory @directory, for an operation that began at
 * @since (microseconds, monotonic). What is not there is not there now. */
FsAnswer fs_name_space_look_up(FsNameSpace *names, guint64 directory,
                               const char *name, gint64 since, FsEntry *entry,
                               FsObstacle *obstacle);

/* Whether @entry, found as @name by the above, is not in the way of what is to
 * be called so: it was called so before, and from now on is found by its own
 * name alone. */
gboolean fs_name_space_gives_way(const FsNameSpace *names, const FsEntry *entry,
                                 const char *name);

/* What @inode is. FS_ANSWER_NONE: nothing any more. */
FsAnswer fs_name_space_describe(FsNameSpace *names, guint64 inode,
                                FsEntry *entry, FsObstacle *obstacle);

/* Makes sure that @directory can be listed completely, and is fresh for an
 * operation that began at @since (microseconds, monotonic). Never
 * FS_ANSWER_FOUND without that. */
FsAnswer fs_name_space_open_directory(FsNameSpace *names, guint64 directory,
                                      gint64 since, FsObstacle *obstacle);

/* The entry of @directory at @cookie (0: the first), "." and ".." left out.
 * FS_ANSWER_NONE: the end of a complete listing. Cookies stay good while the
 * directory changes. */
FsAnswer fs_name_space_next(FsNameSpace *names, guint64 directory,
                            guint64 cookie, FsEntry *entry,
                            FsObstacle *obstacle);

/* The inode number of the directory that shows @mailbox (0: the top). */
guint64 fs_name_space_directory_of(FsNameSpace *names, guint32 mailbox);

/* What the directory @directory is; as it was, if it is not there any more. */
FsPlace fs_name_space_place_of(FsNameSpace *names, guint64 directory);

/* Calls @func with every name that @message of @mailbox can be looked up by,
 * that under which it is listed first; also if it is not there any more. */
void fs_name_space_names_of(FsNameSpace *names, guint32 mailbox,
                            const CacheMessage *message, FsNameFunc func,
                            gpointer user_data);

void fs_name_space_free(FsNameSpace *names); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsNameSpace, fs_name_space_free)
