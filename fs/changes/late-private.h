/* A late copy that is expected: what late.c keeps, late-candidate.c compares
 * with, and late-look.c looks for. Theirs alone. */
#pragma once

#include "fs/changes/late.h"
#include "fs/changes/pending.h"
#include "fs/writing/stored-text.h"

/* How often it is looked for. */
#define FS_LATE_LOOKS 3u
#define FS_LATE_DELETED "\\Deleted"

typedef struct {
    FsChanges *changes; /* borrowed: it owns this */
    guint64 record;     /* of the journal */
    guint32 mailbox;
    guint32 uid;
    guint32 first_uid;
    guint64 size;
    char *digest;
    gint64 date;
    char *flags;
    guint count;
    gint64 noted_at; /* seconds since the epoch */
    guint32 home;    /* where the message is now; 0: we have deleted it */
    guint32 home_uid;

    guint n_looks;
    FsNeed *looked; /* once */
    gint64 due_at;  /* microseconds, monotonic: the next look */
    guint timer;
    FsNeed *need; /* waited for; a reference */
    FsNeedWaiter *waiter;
    FsStoredReading *reading;
    FsPending *deletion; /* of the candidate; a reference; NULL: none */
    gint64 since; /* microseconds, monotonic: what is older tells nothing */
    guint attempts;
    guint32 candidate; /* up to that, all were looked at */
} FsLate;

/* ---- late.c ---- */

/* Nothing is expected any more. Frees it. */
void fs_late_end(FsLate *late);
/* The journal has it as it is. */
void fs_late_note(FsLate *late);
/* Looks for it when that is due next. */
void fs_late_look_later(FsLate *late);

/* ---- late-candidate.c ---- */

/* Whether @flags (NULL: not known) are none but those of @sent. */
gboolean fs_late_has_flags_of(const char *flags, const char *sent);
/* Whether the message @uid is not one that the user, or a part of this program,
 * takes for a message. */
gboolean fs_late_is_nobodys(const FsLate *late, guint32 uid);
/* The message may be on its way, perhaps to here; or another one of ours may,
 * which we would take for a copy, for nobody knows yet which it is. */
gboolean fs_late_is_in_motion(const FsLate *late);
/* Whether the message is where we know it to be, and stays there; or we have
 * deleted it. */
gboolean fs_late_is_message_known(FsLate *late);
/* The first message behind late->candidate that may be the copy; 0: none. */
guint32 fs_late_next_candidate(const FsLate *late);

/* ---- late-look.c ---- */

/* Looks for it, or goes on looking. It may be freed before this returns. */
void fs_late_look(FsLate *late);
