/* A change of mailboxes under way, for those who make it: directories.c begins
 * it, directory-remove.c and directory-rename.c are what it consists of, and
 * directory-change.c sees to its end. Theirs alone. */
#pragma once

#include "fs/writing/directories.h"
#include "imap/error.h"
#include "imap/pool.h"

/* What a connection has selected while another mailbox is renamed or deleted:
 * some servers refuse that to who has it open. */
#define FS_DIRECTORY_ELSEWHERE "INBOX"

typedef enum {
    FS_DIRECTORY_MAKE,
    FS_DIRECTORY_REMOVE,
    FS_DIRECTORY_RENAME,
} FsDirectoryChangeKind;

struct FsDirectoryChange {
    guint references;
    FsDirectoryChangeKind kind;
    FsAccount *account;
    FsNeed *need;
    char *from;        /* wire name; NULL: of FS_DIRECTORY_MAKE */
    guint32 parent;    /* id, of what it is to be in */
    char *parent_wire; /* NULL: the top */
    char *name;        /* there, or a path; NULL: of FS_DIRECTORY_REMOVE */
    char *to;          /* wire name; NULL: not known yet */
    char delimiter;
    gboolean abandoned;   /* answers are passed over */
    gboolean sent;        /* RENAME, and no list has shown it yet */
    GPtrArray *old_names; /* of RENAME: wire names of it and its children */
    ImapLease *lease;
    gboolean counted; /* it was seen to hold nothing */
    guint n_removals; /* DELETEs that were answered by OK */
    guint n_tries;    /* beyond the first */
    guint n_lists;    /* that were asked for, since the last of them */
    gboolean joined;  /* the last was under way before */
    FsNeed *list;     /* waited for; a reference */
    GError *error;    /* of the line, while the list is asked for */
};
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDirectoryChange, fs_directory_change_unref)

/* ---- directory-change.c ---- */

FsDirectoryChange *fs_directory_change_new(FsAccount *account,
                                           FsDirectoryChangeKind kind);
/* All that are not over; borrowed. */
const GQueue *fs_directory_changes_under_way(void);
/* @change, with a reference for who will be called back. */
FsDirectoryChange *fs_directory_change_await(FsDirectoryChange *change);
/* The change has @lease (NULL: none could be had) from now on. FALSE: it is
 * abandoned, and the lease given back. */
gboolean fs_directory_change_take(FsDirectoryChange *change, ImapLease *lease);
ImapConnection *fs_directory_change_connection(const FsDirectoryChange *change);
void fs_directory_change_end(FsDirectoryChange *change, const GError *error);
void fs_directory_change_end_with(FsDirectoryChange *change, ImapError code,
                                  const char *text);
/* All was sent: asks for the list, which says whether it is done. */
void fs_directory_change_ask_for_list(FsDirectoryChange *change);
/* The same, as the answer to the last request. @user_data: a reference. */
void fs_directory_change_on_subscribed(const GError *error, gpointer user_data);
/* Whether @error (NULL: none) is the end of it, or only the list can tell,
 * which is then asked for. */
gboolean fs_directory_change_has_failed(FsDirectoryChange *change,
                                        const GError *error);

/* ---- directory-remove.c ---- */

/* Removes it if it is empty. */
void fs_directory_remove_empty(FsDirectoryChange *change);
/* The same for one that holds no messages, ever. */
void fs_directory_remove_now(FsDirectoryChange *change);
/* The server has said OK, but it is there. */
void fs_directory_remove_again(FsDirectoryChange *change);

/* ---- directory-rename.c ---- */

/* From the lease that it has. */
void fs_directory_send_rename(FsDirectoryChange *change);
