/* Views: the messages of the account in other forms, each a hidden directory
 * ".imapfs/NAME". None is listed, so that whoever goes through all files of the
 * mount does not run into it; all can be reached, and ".imapfs/README" tells of
 * them.
 *
 * A view answers as a name space does (fs/names/name-space.h): nothing in it
 * waits; what does not know enough says what to wait for, and is called again.
 * Its inode numbers are its own, by the twelve bits where those of the mount
 * have the account: so an entry that stands for a message needs no object in
 * memory. An entry may also have a number of the mount: then it is that file.
 *
 * The kernel keeps no names of messages in a view, and attributes only where a
 * size is certain: what goes on the server is gone here as soon as it is in the
 * mount. */
#pragma once

#include "fs/account.h"
#include "fs/names/name-space.h"

#include <glib.h>

/* The numbers of the views in place of an account (fs/kernel/inode.h). */
enum {
    FS_VIEW_TEXT = 0x010,
    FS_VIEW_INDEX = 0x011,
    FS_VIEW_SEARCH = 0x012,
    FS_VIEW_SEARCHES = 0x013,
    FS_VIEW_SPECIAL = 0x014,
    FS_VIEW_PARTS = 0x100, /* and all above it */
    FS_VIEW_PARTS_LAST = 0x7ff,
    FS_VIEW_FLAGS = 0x800,
};

typedef struct FsView FsView;
typedef struct FsViewFile FsViewFile;

/* An entry as its view shows it. */
typedef struct {
    FsEntry entry; /* cookie, name and mailbox as in a name space */
    /* Of a file: its size is not known yet. The kernel asks for it when a
     * program does, by describe, which has to tell it. */
    gboolean unsized;
    /* Of a file: what was told of it holds as long as it is there. Of a
     * directory that stands for one of the mount: its name does, until the
     * kernel's cache hears of a change (fs_kernel_cache_mirror). */
    gboolean lasting;
} FsViewEntry;

/* Who asks. */
typedef struct {
    gint64 since; /* when it began: microseconds, monotonic */
    pid_t by;     /* a thread; 0: not known */
    guint runs;   /* how often it was asked, this time included */
} FsViewRequest;

typedef struct {
    const char *name;  /* of its directory */
    const char *about; /* for ".imapfs/README": one or more lines; NULL: it is
                          listed, and told of among the files there */
    const char *about_changes; /* the same of what can be changed in it; NULL:
                                  nothing */
    guint first;               /* its numbers: FS_VIEW_… */
    guint last;
    gboolean for_crawlers; /* who sees it, too: nothing is fetched for it */
    /* It shows files of the mount that are no messages, too
     * (fs/views/mirror.h). */
    gboolean of_files;
    /* What is written to one of its files changes the flags of what that
     * stands for. */
    gboolean holds_flags;

    /* As those of FsNameSpaceClass. The view's own directory is the number that
     * fs_view_root gives. */
    FsAnswer (*look_up)(FsView *view, guint64 directory, const char *name,
                        const FsViewRequest *request, FsViewEntry *entry,
                        FsObstacle *obstacle);
    FsAnswer (*describe)(FsView *view, guint64 inode,
                         const FsViewRequest *request, FsViewEntry *entry,
                         FsObstacle *obstacle);
    FsAnswer (*open_directory)(FsView *view, guint64 directory,
                               const FsViewRequest *request,
                               FsObstacle *obstacle);
    FsAnswer (*next)(FsView *view, guint64 directory, guint64 cookie,
                     FsViewEntry *entry, FsObstacle *obstacle);

    /* Each of these may be NULL: there are no such entries, or none that can be
     * changed (EACCES). */

    /* Opens a file to be read. @file: the caller owns it. */
    FsAnswer (*open)(FsView *view, guint64 inode, const FsViewRequest *request,
                     FsViewFile **file, FsObstacle *obstacle);
    /* A program writes @data to a file, from @offset on. The file is opened as
     * for reading. */
    FsAnswer (*write)(FsView *view, guint64 inode, const char *data,
                      gsize length, guint64 offset, FsObstacle *obstacle);
    /* Where a symbolic link leads. Caller frees @target. */
    FsAnswer (*read_link)(FsView *view, guint64 inode, char **target,
                          FsObstacle *obstacle);
    FsAnswer (*make_directory)(FsView *view, guint64 directory,
                               const char *name, const FsViewRequest *request,
                               FsViewEntry *entry, FsObstacle *obstacle);
    FsAnswer (*remove_directory)(FsView *view, guint64 directory,
                                 const char *name, const FsViewRequest *request,
                                 FsObstacle *obstacle);
    /* The entry of the mount that this one stands for: who removes or moves
     * this one, removes or moves that. FS_ANSWER_NONE: there is none, and it
     * cannot be changed. It does not wait. The caller frees @shown_name. */
    FsAnswer (*stands_for)(FsView *view, guint64 directory, const char *name,
                           guint64 *shown_directory, char **shown_name,
                           FsObstacle *obstacle);

    /* Frees what the view has besides what follows; may be NULL, too. */
    void (*clear)(FsView *view);
} FsViewClass;

/* What every view begins with. */
struct FsView {
    const FsViewClass *class;
    FsAccount *account; /* borrowed; outlives the view, as does the next */
    FsNameSpace *names;
};

typedef struct {
    /* Copies @length octets from @offset, less at the end, and returns how
     * many; or -1 with what to wait for, which the caller owns and whose
     * failure is the reader's. */
    gssize (*read)(FsViewFile *file, guint64 offset, void *buffer, gsize length,
                   FsNeed **need);
    /* All of a lasting file, if it is small, not empty, and at hand; else NULL.
     * Caller owns. NULL: there are no such files. */
    GBytes *(*content)(FsViewFile *file);
    void (*free)(FsViewFile *file);
} FsViewFileClass;

/* What every open file begins with. */
struct FsViewFile {
    const FsViewFileClass *class;
    /* Not known before all is read: then it has none for others (as files of
     * /proc), and the kernel keeps nothing of it. Otherwise it is @size, for
     * certain and for good. */
    gboolean streams;
    guint64 size;
    /* Nobody was ever told of another size. */
    gboolean lasting;
};

/* A view of @class, of @size octets, which begin with a FsView. Both others
 * must outlive it. */
FsView *fs_view_new(const FsViewClass *class, gsize size, FsAccount *account,
                    FsNameSpace *names);
void fs_view_free(FsView *view); /* accepts NULL */

/* ---- numbers ---- */

/* The number of the view's own directory, and whether @inode is that. */
guint64 fs_view_root(const FsView *view);
gboolean fs_view_is_top(const FsView *view, guint64 inode);
/* That of the directory of @mailbox (0: the view's own) in views that have the
 * same directories as the mount; and the number in the mount that an inode of
 * such a view has been made of (by fs_inode_in_view). */
guint64 fs_view_directory(const FsView *view, guint32 mailbox);
guint64 fs_view_shown(guint64 inode);

/* ---- entries ---- */

/* Fills @entry: a directory or file of the view that belongs to the owner of
 * the mount alone and cannot be written to; its time is @time (seconds since
 * the epoch; 0: that of the mount). */
void fs_view_fill(const FsView *view, guint64 inode, mode_t type, guint64 size,
                  gint64 time, FsViewEntry *entry);
/* The same for the view's own directory, and for that of @mailbox. */
void fs_view_fill_top(const FsView *view, FsViewEntry *entry);
void fs_view_fill_folder(const FsView *view, guint32 mailbox,
                         FsViewEntry *entry);
/* What @entry was filled with can be written to, unless the mount cannot. */
void fs_view_make_writable(const FsView *view, FsViewEntry *entry);

/* FS_ANSWER_FOUND when it is known which folders there are as of @since. */
FsAnswer fs_view_know_folders(const FsView *view, gint64 since,
                              FsObstacle *obstacle);

/* ---- files ---- */

/* A file that holds @text (takes ownership). */
FsViewFile *fs_view_file_of_text(char *text, gsize length);
void fs_view_file_free(FsViewFile *file); /* accepts NULL */
/* For a file that cannot be read: a need that has failed, with a FsError. The
 * caller owns it. */
FsNeed *fs_view_failed_need(int code, const char *message);
