/* A change that was asked for, from the request to the server's answer, and
 * what the parts that make changes share. Theirs alone.
 *
 *     requests.c   takes requests, and shows them in the mount
 *     taken-up.c   and those that an earlier mount has left
 *     changes.c    says what is to be waited for
 *     sender.c     decides what is sent when
 *     batch.c      one command for many messages, and its answer
 *     copy.c       moving where the server cannot, by a copy
 *     undo.c       takes such a copy away again
 *     expunge.c    deleting where the server cannot expunge single messages
 *     marks.c      puts back what that has taken away from others
 *     reconcile.c  finds out what has become of what was sent and not answered
 *     late.c       and what becomes of it when it was sent again
 *                  (fs/changes/late-private.h)
 *     way.c        sends on its way again what was to be replaced there
 *     refusals.c   what the server did not want
 *     replaced.c   what it has done itself
 *     on-the-way.c under which name it shows meanwhile
 *     flags.c      what is to be seen of changed flags */
#pragma once

#include "fs/changes/changes.h"
#include "fs/kernel/errno.h"
#include "fs/sync/mailbox-lease.h"
#include "imap/copied.h"
#include "imap/uid-set.h"

/* Kinds of the journal's records. */
typedef enum {
    FS_PENDING_DELETE = 1, /* text: "expunge" or "mark" */
    FS_PENDING_MOVE = 2,   /* name NULL: it is deleted into the trash */
    FS_PENDING_FLAGS = 3,  /* text: what to add, a line feed, what to remove */
    FS_PENDING_MARKS = 4,  /* of fs/changes/expunge.c; text: a set of UIDs */
    FS_PENDING_LATE = 5,   /* of fs/changes/late.c */
    FS_PENDING_WAY = 6,    /* of fs/changes/way.c */
} FsPendingKind;

/* How far it is; in the journal. */
typedef enum {
    FS_STEP_WAITING, /* the server knows nothing of it */
    FS_STEP_SENT,    /* it may have been made, or be in the making */
    FS_STEP_COPIED,  /* of a move: the copy is there, the original, too */
    FS_STEP_HELD,    /* waits for what is being written in its place; number:
                        that */
} FsStep;

struct FsPending {
    guint references;
    FsChanges *changes; /* NULL once it is over */
    guint64 id;         /* in the journal */
    FsPendingKind kind;
    FsStep step;
    guint32 mailbox;
    guint32 uid;
    guint32 target;
    guint32 target_uid; /* once copied */
    guint64 number;     /* of a move: UIDs there that are lower are others'; of
                           a deletion: FS_PENDING_COPY, or 0 */
    char *name;         /* in the target */
    char *text;         /* by which changes go into one command */
    char *old_name;     /* of what is deleted; NULL: not known */
    guint32 shown_in;   /* likewise */
    guint64 inode;      /* of the guest; 0: there is none */

    gboolean unasked;     /* nobody waits for it, also with -o sync */
    gboolean is_replaced; /* it is deleted, for another is in its place */
    gboolean in_flight;
    gboolean uncertain; /* is found out before anything is sent */
    gboolean answered;  /* with OK, and not told what has become of it */
    gboolean untold;    /* although the server could */
    gboolean is_written;
    gboolean others_mark;  /* it had been marked as deleted before that was done
                              for us */
    gboolean mark_is_seen; /* whether it had is known */
    guint attempts;        /* that the server has not taken */
    guint n_unanswered;    /* of a move: that it may make yet, and that were
                              given up */
    guint n_put_off;       /* attempts to find out that have failed */
    guint n_unread;        /* times that it could not be compared */
    gint64 put_off_at;     /* microseconds, monotonic: the first of those */
    gint64 ready_at;       /* microseconds, monotonic: others have gathered */
    gint64 not_before;     /* the same: after an attempt that failed */

    GError *refusal;     /* of a move: why its copy is to go again, if the
                            original is there; NULL: it is not */
    FsPending *replaced; /* a deletion that waits for this; a reference */
    guint32 way_target;  /* of a deletion: see fs/changes/way.c; 0: none */
    char *way_name;      /* there; owned */
    guint64 way_record;  /* of the journal; 0 */
    FsNeed *written;     /* in the journal */
    FsNeed *done;
    GList link;         /* in changes->all */
    GList message_link; /* in the queue of its message */
};

typedef struct FsRefusals FsRefusals;
typedef struct FsSender FsSender;

struct FsChanges {
    FsAccount *account; /* NULL after the end */
    FsLeases *leases;
    GQueue all;              /* of FsPending, in the order of requests */
    GHashTable *by_message;  /* &key -> GQueue of FsPending, owned */
    GHashTable *by_inode;    /* of a guest without UID -> FsPending */
    GHashTable *per_mailbox; /* id -> how many are from or to it */
    FsNeed *moved;           /* moves on when something is over */
    FsRefusals *refusals;
    FsSender *sender;
    GArray *gone; /* of messages whose names are to be forgotten */
    guint gone_source;
    GHashTable *reconciling; /* set of mailboxes */
    GPtrArray *marks; /* ids of records that fs_marks_restore is to see */
    gint64 marks_at;  /* microseconds, monotonic: not before */
    GPtrArray *late;  /* of fs/changes/late.c */
    guint n_moved;
    gint64 moved_at;     /* microseconds, monotonic: when the last command that
                            moves was sent, or answered */
    gint64 move_took_us; /* that one, until the answer */
    guint32 trash;       /* when last looked for; 0: there was none */
    gboolean gmail;      /* the server has said that it is */
};

/* Whether some of @mailbox (0: any) are pending that wait for nobody. */
gboolean fs_changes_go_on(const FsChanges *changes, guint32 mailbox);

FsChanges *fs_changes_ref(FsChanges *changes);
void fs_changes_unref(gpointer changes);

/* ---- requests.c ---- */

/* All that is to be seen of it is: it takes its place among the others, is
 * noted, and is sent when others have had @gather_us to go with it. Returns it;
 * the caller's reference stays the caller's. */
FsPending *fs_pending_accept(FsChanges *changes, FsPending *pending,
                             gint64 gather_us);

/* Where a message is. */
typedef struct {
    guint32 mailbox; /* where the server has it */
    guint32 uid;
    guint32 shown_in;
    FsGuest *guest;   /* NULL: it shows where it is */
    FsPending *first; /* the move that brings it there; NULL: none */
    CacheMessage row; /* borrowed from the index or the guest */
} FsMessagePlace;

/* It shows in @mailbox from now on, as a guest. */
void fs_changes_make_guest(FsChanges *changes, FsMessagePlace *place,
                           const FsPending *pending);

/* ---- taken-up.c ---- */

/* Takes up what the journal has. */
void fs_changes_take_up(FsChanges *changes);

/* ---- pending.c ---- */

/* The texts of FS_PENDING_DELETE; the second is that of a change of flags. */
#define FS_PENDING_EXPUNGE "expunge"
#define FS_PENDING_MARK "\\Deleted\n"

/* The number of one of a late copy: it is made only as long as that is certain
 * to be one. */
#define FS_PENDING_COPY G_MAXUINT32
gboolean fs_pending_is_of_copy(const FsPending *pending);

/* It belongs to nobody yet; the caller owns the reference. */
FsPending *fs_pending_new(FsPendingKind kind, guint32 mailbox, guint32 uid);
/* Under which name @pending, a move that has one, shows until it is done; @row
 * is what is known of the message. The index is asked then, so that what is
 * borrowed from it is not @row's any more. Caller frees. */
char *fs_pending_name_on_the_way(FsChanges *changes, const FsPending *pending,
                                 const CacheMessage *row);
/* Whether @name is one that the above has made up of mailbox and UID. */
gboolean fs_pending_is_made_up_name(const char *name);
/* Whether nothing was given @name in @mailbox: no folder, and no message. */
gboolean fs_pending_name_is_free(const FsAccount *account, guint32 mailbox,
                                 const char *name);
FsPending *fs_pending_from_record(const CacheJournalRecord *record);
/* Takes its place among the others, which keep a reference. */
void fs_pending_enter(FsChanges *changes, FsPending *pending);

/* Of FsChanges.by_message; and that of one message, NULL: none is pending. */
GHashTable *fs_pending_queues_new(void);
GQueue *fs_pending_queue(const FsChanges *changes, guint32 mailbox,
                         guint32 uid);

/* Whether a message can go by @name when it has a UID. */
gboolean fs_pending_keeps_name(const char *name);

/* The pending's place in the journal is as it is. */
void fs_pending_note(FsPending *pending);
/* It is being sent, and UIDs that are lower than @next are others' in the
 * target. What may still come of an earlier attempt has no lower one, either.
 */
void fs_pending_set_number(FsPending *pending, guint64 next);
/* The server is being told of it, may know, or may yet carry out what was given
 * up: it can only be waited for. */
gboolean fs_pending_is_under_way(const FsPending *pending);
/* The first of its message. */
gboolean fs_pending_is_first(const FsPending *pending);

/* Of a move: the copy is there, as pending->target_uid; only the original is
 * still to be deleted. The message shows as the copy from now on, and whatever
 * is asked for next is asked for of that. */
void fs_pending_copied(FsPending *pending);

/* The ends of a change. The server has it as asked for; @uid: where a message
 * that was moved is now, 0: not known. */
void fs_pending_finish(FsPending *pending, guint32 uid);
/* It is not to be: the mount shows what was before. */
void fs_pending_refuse(FsPending *pending, const GError *error);
/* The message is gone by somebody else's hand. */
void fs_pending_drop(FsPending *pending);
/* The user has thought better of it: the mount shows what was before. */
void fs_pending_take_back(FsPending *pending);
/* Something else was asked for instead: it leaves without a trace, and the
 * caller sees to what the mount shows. */
void fs_pending_retract(FsPending *pending);
/* What is over, is over: those who wait for progress are woken. */
void fs_changes_moved(FsChanges *changes);
/* A sentence on what it would have done. Caller frees. */
char *fs_pending_describe(const FsPending *pending);

/* The directory's path; caller frees. */
char *fs_changes_path(const FsChanges *changes, guint32 mailbox);

/* ---- sender.c ---- */

FsSender *fs_sender_new(FsChanges *changes);
void fs_sender_free(FsSender *sender);
/* There is something to be sent once it is ready. */
void fs_sender_wake(FsSender *sender);
/* All that is pending is ready. */
void fs_sender_hurry(FsSender *sender);
/* That of what deletes from @mailbox, which the caller frees. */
char *fs_sender_deletion_key(guint32 mailbox);
/* Nothing with @key (borrowed until it is over) is sent meanwhile; FALSE:
 * something just is. */
gboolean fs_sender_claim(FsSender *sender, char *key);
/* A batch is over; its key is free again. */
void fs_sender_batch_over(FsSender *sender, const char *key);
/* What could not be sent is tried again a little later. */
void fs_sender_retry(FsSender *sender);
/* The line is there again. */
void fs_sender_retry_now(FsSender *sender);
/* Whether the server is out of reach. */
gboolean fs_sender_is_away(const FsSender *sender);

/* All that is left of it is to delete the message where it is. */
gboolean fs_pending_is_deletion(const FsPending *pending);

/* ---- batch.c ---- */

/* Takes over @key and @pendings, which go into one command. */
void fs_batch_start(FsChanges *changes, char *key, GPtrArray *pendings);

typedef struct FsBatch FsBatch;
struct FsBatch {
    FsChanges *changes; /* a reference */
    char *key;
    FsPendingKind kind;
    guint32 mailbox;
    guint32 target;
    GPtrArray *pendings; /* of FsPending, references; all alike */
    ImapUidSet *uids;
    ImapLease *lease;
    gint64 began;    /* microseconds, monotonic */
    guint n_waiting; /* requests */
    GError *error;   /* the first of theirs */
    gboolean holds;  /* new messages of the target */
    guint32 held;
};

/* The connection; NULL if it is all over, and the batch has been freed. */
ImapConnection *fs_batch_connection(FsBatch *batch);
gboolean fs_batch_is_over(FsBatch *batch);
/* What the server says that the message @from has become in the target; FALSE:
 * it does not tell of it. *@uid is 0 if it tells of another mailbox of that
 * name (UIDVALIDITY) than the one we know. */
gboolean fs_batch_find_copied(const FsBatch *batch, const ImapCopied *copied,
                              guint32 from, guint32 *uid);
/* The server has said OK to a copy or move, and not told of this message. */
void fs_batch_note_untold(FsBatch *batch, FsPending *pending);
/* Ends it: what it did is done, or @error says why not. */
void fs_batch_end(FsBatch *batch, const GError *error);
/* Deletes the batch's messages where they were. */
void fs_batch_delete(FsBatch *batch);

/* ---- expunge.c ---- */

/* Deletes @batch's messages, and no others, with EXPUNGE. */
void fs_expunge_start(FsBatch *batch);

/* ---- marks.c ---- */

/* An earlier process has taken away marks of others, as @record of the journal
 * says, and not put them back. */
void fs_marks_restore(FsChanges *changes, const CacheJournalRecord *record);

/* ---- undo.c ---- */

/* The server has said which message is the copy of @pending, a move: ours. */
void fs_undo_note_told(FsPending *pending);
/* The original of @pending may have gone, or be about to: its copy stays. */
void fs_undo_forbid(FsPending *pending);
/* Whether the original of @pending cannot but stay, and its copy is ours to
 * take away. */
gboolean fs_undo_is_possible(const FsPending *pending);
/* The original is there, and stays, for the server refuses with @error to
 * delete it: @pending is refused, and its copy deleted if that is possible. */
void fs_undo_copy(FsPending *pending, const GError *error);

/* ---- reconcile.c ---- */

/* Finds out about all that is uncertain, now or when that is possible. */
void fs_reconcile_start(FsChanges *changes);

/* ---- way.c ---- */

/* @deletion, which is not asked for yet, is of a message that @move was to
 * bring somewhere, and that shows there. */
void fs_way_note(FsChanges *changes, FsPending *deletion,
                 const FsPending *move);
/* It is not to be put there again. */
void fs_way_forget(FsPending *deletion);
/* The message shows again, where it did: the deletion is not to be. */
void fs_way_give_up(FsPending *deletion);
/* What the journal has for the deletions that were taken up. */
void fs_way_take_up(FsChanges *changes);

/* ---- refusals.c ---- */

FsRefusals *fs_refusals_new(void);
void fs_refusals_free(FsRefusals *refusals);
void fs_refusals_add(FsRefusals *refusals, guint32 mailbox, guint32 target,
                     const GError *error, const char *text);
GError *fs_refusals_take_error(FsRefusals *refusals, guint32 mailbox);
char **fs_refusals_take_all(FsRefusals *refusals);
/* The same, and they stay untold. */
char **fs_refusals_untold(const FsRefusals *refusals);
