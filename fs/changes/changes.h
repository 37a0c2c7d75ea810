/* Messages deleted, moved and flagged: what the user asks for shows at once, is
 * written to the journal, and sent to the server soon, many messages in one
 * command.
 *
 * A change is asked for with one of the functions below, which put it into
 * effect in the mount (fs/changes/overlay.h) before they return, and then
 * waited for with fs_changes_need. What the server refuses later is taken back
 * in the mount, and told in the log, as an event and in the status.
 *
 * Of one message, changes are made in the order in which they were asked for.
 * Only a message that the index has can be changed. */
#pragma once

#include "cache/journal.h"
#include "fs/account.h"
#include "fs/changes/overlay.h"
#include "fs/need.h"

typedef struct FsChanges FsChanges;
/* A change that was asked for. */
typedef struct FsPending FsPending;

/* Takes up what the journal has. @account must outlive the result. */
FsChanges *fs_changes_new(FsAccount *account);
/* What is not done stays in the journal. Accepts NULL. */
void fs_changes_free(FsChanges *changes);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsChanges, fs_changes_free)

FsPending *fs_pending_ref(FsPending *pending);
void fs_pending_unref(gpointer pending); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsPending, fs_pending_unref)

/* ---- asking ---- */

typedef enum {
    FS_DELETE_AS_OPTION, /* what -o delete= says */
    FS_DELETE_EXPUNGE,   /* for good: another message is in its place */
    FS_DELETE_COPY,      /* likewise: it is a late copy (fs/changes/late.h) */
} FsDelete;

/* Something that only we know of the message @uid, such as its name, has been
 * set: over when it is on the disk. Returns a reference. */
FsPending *fs_changes_named(FsChanges *changes, guint32 mailbox, guint32 uid);

/* Each gives a reference to the change, which the caller owns. NULL with what
 * is to be waited for first in @need (the caller owns it): the server is just
 * being told of an earlier change of the message, or of so many others that no
 * more are taken. NULL and no @need: @error.
 *
 * The message is meant by the inode number that it shows under. @name: the one
 * that it is deleted by. */
FsPending *fs_changes_delete(FsChanges *changes, guint64 inode,
                             const char *name, FsDelete how, FsNeed **need,
                             GError **error);
/* To @mailbox, under @name, which nothing there has. */
FsPending *fs_changes_move(FsChanges *changes, guint64 inode, guint32 mailbox,
                           const char *name, FsNeed **need, GError **error);
/* @deletion, just asked for, is of what is in the place that a move is for,
 * which is asked for next: it is not sent before one of the two below says so.
 * After a crash, it is as if the second had. */
void fs_changes_hold(FsPending *deletion);
/* It is sent when the server has made @move; if it refuses that, it is not
 * sent. */
void fs_changes_delete_after(FsPending *deletion, FsPending *move);
/* There will be no move: the message shows again. */
void fs_changes_give_up(FsPending *deletion);
/* @add and @remove: flags with spaces between, as imap_flags_to_string writes
 * them; "" for none. */
FsPending *fs_changes_set_flags(FsChanges *changes, guint64 inode,
                                const char *add, const char *remove,
                                FsNeed **need, GError **error);

/* ---- waiting ---- */

/* NULL when the user may be told that it is done: it is in the journal; with
 * -o sync, the server has it. Else what to wait for, borrowed; it fails with
 * the reason why it is not to be. */
FsNeed *fs_changes_need(FsChanges *changes, FsPending *pending);
/* The same until the server has it. */
FsNeed *fs_changes_need_done(FsChanges *changes, FsPending *pending);
/* NULL when no change from or to @mailbox (0: any) is pending, but for
 * deletions of what is being written anew; else what to wait for, borrowed.
 * What there is, is sent at once. Moves on when something is done or refused.
 * Before a mailbox is deleted or renamed. */
FsNeed *fs_changes_need_settled(FsChanges *changes, guint32 mailbox);

/* NULL when the message that shows as @inode is where it shows. Else what to
 * wait for until it may be, borrowed, while it is being moved there; or, with
 * *@stuck, it cannot be said when that will be. */
FsNeed *fs_changes_need_arrival(FsChanges *changes, guint64 inode,
                                gboolean *stuck);

/* Whether the message that shows as @inode is being moved there, and the server
 * has not been told yet: what is asked for now is asked for instead, and waits
 * for nobody. */
gboolean fs_changes_can_redirect(const FsChanges *changes, guint64 inode);

/* Of changes from or to @mailbox (0: any): the first that was refused since
 * this was last asked for that mailbox, as an error; NULL: none. Caller
 * frees. */
GError *fs_changes_take_error(FsChanges *changes, guint32 mailbox);
/* What was refused since this was last asked, as sentences; NULL-terminated.
 * Caller frees with g_strfreev. */
char **fs_changes_take_refused(FsChanges *changes);
/* The same, without being told. */
char **fs_changes_refused(FsChanges *changes);

/* How many are pending. @changes may be NULL: none. */
guint fs_changes_count(const FsChanges *changes);
/* Some are, and the server cannot be reached. */
gboolean fs_changes_are_stuck(const FsChanges *changes);

/* The server can be reached again. */
void fs_changes_line_is_back(FsChanges *changes);

/* ---- for who writes (fs/writing/) ---- */

/* A message of which the mount has said that it is deleted, and which was
 * called @name in @mailbox, is now being written again: it is not deleted on
 * the server until fs_changes_release says so. 0: there is none of which the
 * server has not been told. @upload: the id of the journal's record of what is
 * being written; if that is not there any more after a crash, the message shows
 * again. */
guint64 fs_changes_hold_deleted(FsChanges *changes, guint32 mailbox,
                                const char *name, guint64 upload, guint32 *uid);
/* The server has what is to be in its place (@done); or it will not be, and the
 * message shows again. */
void fs_changes_release(FsChanges *changes, guint64 held, gboolean done);
/* After a crash: the same for those whose record is not in the journal. */
void fs_changes_release_orphans(FsChanges *changes);

/* Whether any change of the message @uid of @mailbox is pending. */
gboolean fs_changes_concern(const FsChanges *changes, guint32 mailbox,
                            guint32 uid);
/* The server has put another message in its place: it shows no more. */
void fs_changes_note_replaced(FsChanges *changes, guint32 mailbox, guint32 uid);

/* ---- what is seen ---- */

/* The flags of the message @uid of @mailbox as the user has set them: @flags
 * (of the index; NULL: none known) with what is pending. Caller frees. */
char *fs_changes_flags(const FsChanges *changes, guint32 mailbox, guint32 uid,
                       const char *flags);

/* The inode number that the message @uid of @mailbox shows under. */
guint64 fs_changes_inode(const FsChanges *changes, guint32 mailbox,
                         guint32 uid);

/* @flags (NULL: none known) with those of @add, and without those of @remove.
 * Caller frees. */
char *fs_changes_merge_flags(const char *flags, const char *add,
                             const char *remove);

/* ---- the end ---- */

/* Whether something is pending, a message that is being stored included, that
 * the server can be told of now. */
gboolean fs_drain_is_needed(FsChanges *changes);
/* Sends what is pending. @done runs from the main loop once nothing is, the
 * server cannot be reached, or @limit_ms have passed. */
typedef struct FsDrain FsDrain;
FsDrain *fs_drain_new(FsChanges *changes, guint limit_ms,
                      void (*done)(gpointer user_data), gpointer user_data);
void fs_drain_free(FsDrain *drain); /* accepts NULL */
