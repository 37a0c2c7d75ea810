/* What the note of a spool file says: what the file is, and what is to become
 * of it. */
#pragma once

#include <glib.h>

typedef enum {
    FS_SPOOL_UNKNOWN,
    FS_SPOOL_LOCAL,  /* a file that a program was writing */
    FS_SPOOL_LOST,   /* one in lost+found */
    FS_SPOOL_UPLOAD, /* a message that the server may or may not have */
    FS_SPOOL_KEPT,   /* a file that stays beside the messages of a Maildir */
    FS_SPOOL_STORED, /* the server has it; its name was not removed yet */
} FsSpoolKind;

/* Strings may be NULL. */
typedef struct {
    FsSpoolKind kind;
    char *name; /* of the file */

    guint32 mailbox; /* id, of an upload and of what is kept */

    /* Of an upload. */
    guint64 uidvalidity; /* 0: not known */
    guint32 from_uid;    /* below that are older messages */
    char *flags;
    char *own_flags; /* instead of those, if it is another message than that
                        whose place it takes; NULL: the same */
    gint64 date;     /* seconds since the epoch */
    char *message_id;
    char *digest;
    guint32 replaces;   /* UID of the message whose place it takes; 0: none */
    guint32 must_match; /* only if it is the same message */
    guint64 held;       /* whose deletion waits; 0: no */
    guint64 record;     /* of the journal, for that */
    guint32 unanswered; /* times that it was sent, and the line was lost */
    guint64 source;     /* spool file that it was made of, and that is of no use
                           any more; 0: none */
    guint32 copy_uid;   /* it is a copy of that message; 0: it has octets */
    guint32 copy_mailbox; /* in that mailbox */
} FsSpoolNote;

/* At most CACHE_SPOOL_NOTE_MAX octets; what is too long for that is left out.
 * Caller frees. */
char *fs_spool_note_to_text(const FsSpoolNote *note);
/* What @text says; what it does not say is 0. The strings are the caller's,
 * who frees them with fs_spool_note_clear. */
void fs_spool_note_from_text(const char *text, FsSpoolNote *note);
void fs_spool_note_clear(FsSpoolNote *note);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FsSpoolNote, fs_spool_note_clear)
