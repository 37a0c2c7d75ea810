/* Copies of a message that the server may make when nobody counts on them any
 * more.
 *
 * A command whose line is cut before the answer is sent again when the message
 * is not found. But the server may carry out the first one after that: it had
 * all of it, and may have been busy. Nothing can call that off. So where it may
 * be, it is looked for again, after some seconds and until minutes later; what
 * has come so is deleted, and that is told. What is still to be looked at is in
 * the journal.
 *
 * Deleted is only what can be nobody else's: it is no older than the first
 * attempt, has the same octets and date, no flag that was not sent, no name
 * that somebody gave it, and is no other message that we know; and there are no
 * more of those than attempts that were not answered. And only as long as it is
 * certain where the message itself is, when the deletion is sent: if somebody
 * else has taken it away, what looks like its copy may be it. In doubt, both
 * stay. */
#pragma once

#include "fs/changes/changes.h"

typedef struct {
    guint32 mailbox;
    guint32 uid;        /* of the message, there */
    guint32 first_uid;  /* a copy has no lower one */
    guint64 size;       /* octets */
    const char *digest; /* SHA-256 in hex; NULL: not known */
    gint64 date;        /* seconds since the epoch */
    const char *flags;  /* that a copy can have, spaces between; NULL: none */
    guint count;        /* of copies that there may be */
} FsLateCopy;

/* Copied. */
void fs_late_expect(FsChanges *changes, const FsLateCopy *copy);
/* What we have done: the message @uid of @mailbox is @target_uid of @target
 * now; both 0: it is deleted, for another is in its place; only the last 0:
 * nobody knows which. */
void fs_late_note_away(FsChanges *changes, guint32 mailbox, guint32 uid,
                       guint32 target, guint32 target_uid);
/* The user has deleted the message @uid of @mailbox: what looks like its copy
 * may be the one that is to stay. */
void fs_late_note_deleted(FsChanges *changes, guint32 mailbox, guint32 uid);
/* Whether a copy of a message is expected in @mailbox. */
gboolean fs_late_is_expected(const FsChanges *changes, guint32 mailbox);
/* NULL when all was looked for once, or cannot be now; else what to wait for
 * (borrowed). */
FsNeed *fs_late_need_looked(const FsChanges *changes);

/* How long to wait, after a command whose line was cut, before it is sent
 * again: milliseconds. */
guint fs_late_settle_ms(void);
/* Who waits is told so often that it goes on. */
#define FS_LATE_TICK_MS 1000

/* ---- for fs/changes/changes.c and taken-up.c ---- */

/* FsChanges.late; and what an earlier mount has left. */
GPtrArray *fs_late_array_new(void);
void fs_late_take_up(FsChanges *changes, const CacheJournalRecord *record);

/* ---- for fs/changes/batch.c and reconcile.c ---- */

/* Whether @pending, the deletion of a late copy, may be sent at this moment. */
gboolean fs_late_is_certain(const FsPending *pending);
/* It may have been sent, and has not been made: it is not made now, and the
 * next look decides. */
void fs_late_take_back(FsPending *pending);

/* ---- for moves ---- */

/* The move @pending has brought the message to the target as @uid, and may do
 * so again: it was sent more than once. That is counted once. */
void fs_late_expect_move(FsPending *pending, guint32 uid);
