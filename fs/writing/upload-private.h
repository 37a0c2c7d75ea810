/* What the parts of uploading share: one record for each upload. Theirs alone.
 *
 *     made      the message is in a file of its own        uploads.c
 *     recorded  what is to be done is on the disk          uploads.c
 *     compared  with the message whose place it takes      upload-compare.c
 *     sent      by APPEND or COPY                          upload-send.c
 *               or REPLACE                                 upload-replace.c
 *     found     if nobody knows whether it was stored      upload-search.c
 *     settled   names and what it replaces                 upload-settle.c
 *     kept      in the cache                               upload-keep.c */
#pragma once

#include "fs/changes/changes.h"
#include "fs/changes/overlay.h"
#include "fs/writing/message-text.h"
#include "fs/writing/stored-text.h"
#include "fs/writing/uploads.h"
#include "imap/error.h"
#include "imap/pool.h"

struct FsUploads {
    FsAccount *account;
    CacheSpool *spool;
    GQueue all; /* of FsUpload, references: those that are not finished */
    guint n_sending;
    guint64 octets_sending;
    guint pump_source;
    guint retry_timer;
    guint retry_seconds;
    GPtrArray *refused;  /* of char *, owned: see fs_uploads_take_refused */
    GHashTable *claimed; /* mailbox << 32 | UID: messages that uploads are */
    FsUploadLostFunc lost;
    gpointer lost_data;
    gboolean cannot_replace; /* the server, although it says so */
    FsStoredReading *probe;  /* to see whether the server changes what it
                                stores; NULL: none */
    gpointer probe_data;     /* owned; NULL: none */
};

typedef enum {
    FS_UPLOAD_STEP_MAKE,
    FS_UPLOAD_STEP_RECORD,
    FS_UPLOAD_STEP_COMPARE,
    FS_UPLOAD_STEP_SEND,   /* waits for its turn */
    FS_UPLOAD_STEP_SENT,   /* it is being sent */
    FS_UPLOAD_STEP_SEARCH, /* it may be stored, or is and has to be found */
    FS_UPLOAD_STEP_SETTLE,
} FsUploadStep;

struct FsUpload {
    guint references;
    FsUploads *uploads; /* NULL after their end */
    FsUploadStep step;
    gboolean busy; /* an answer is awaited that the step goes on by */

    CacheSpoolFile *source; /* a reference; NULL: a copy, or resumed */
    CacheSpoolFile *file;   /* the message, and the note; owned */
    guint64 source_number;
    guint32 copy_mailbox;
    guint32 copy_uid;
    guint32 mailbox;
    char *name;
    char *flags;
    char *own_flags; /* see FsUploadRequest */
    gint64 date;
    guint64 inode;
    guint32 replaces;
    gboolean must_match;
    char *maildir;  /* owned: what that is called in its Maildir; NULL: that is
                       not known, or of no use */
    gboolean stays; /* the source, if this is refused */
    guint64 held;
    guint64 record; /* of the journal; 0: none */

    FsUpload *after;      /* a reference; NULL: none */
    gboolean is_namesake; /* of that, and made of another file */
    GPtrArray *followers; /* of FsUpload, references: those that wait for it */

    FsMessageText text;
    char *message_id;
    char *identity;
    guint64 uidvalidity; /* of the mailbox; 0: not known */
    guint32 from_uid;    /* it has no lower UID */
    gboolean is_bounded; /* and no message from there on was there before */

    FsUploadState state;
    FsNeed *need;
    GError *error;
    guint32 uid;
    gboolean is_safe;
    gboolean is_certain;     /* that it is stored; it has to be found */
    gboolean is_told;        /* the server has said its UID, of these octets */
    gboolean is_same;        /* as what it was to replace: nothing was sent */
    gboolean is_replacing;   /* it is being sent by REPLACE */
    gboolean cannot_replace; /* that was refused */
    gboolean has_replaced;   /* the server has: what it replaces is gone */
    FsUploadChangedFunc changed;
    gpointer changed_data;
    GDestroyNotify free_changed_data;

    ImapLease *lease; /* NULL: none */
    gboolean selects; /* the mailbox has to be selected to be changed */
    FsStoredReading *reading;
    guint64 offset;     /* octets that were sent */
    guint n_unanswered; /* that it was sent, and the server may store it yet */
    gboolean is_taken_up; /* one of those may be none: a mount has ended */
    gint64 unanswered_at; /* microseconds, monotonic: the last of those */
    gint64 looked_at;     /* the same: when it was last looked for */
    guint settle_timer;
    GError *refusal; /* the answer to it, unless an earlier attempt turns out to
                        have been carried out; NULL: none */
    guint n_unseen;  /* that the server did not let us look */
    gint64 looks_since; /* microseconds, monotonic: for what it replaces; 0: it
                           has not */
    guint n_looks;
    FsNeed *waited_for; /* a reference; NULL: none */
    GArray *candidates; /* of guint32: UIDs that may be it */
    guint n_compared;   /* of those */
    guint32 likely;     /* one that has its Message-ID alone; 0: none */
};

/* ---- uploads.c ---- */

/* Goes on with what is next; unless it is busy, or over. */
void fs_upload_go_on(FsUpload *upload);
/* Its end, or that it cannot go on for now. @error is borrowed. */
void fs_upload_refuse(FsUpload *upload, const GError *error);
void fs_upload_postpone(FsUpload *upload, const GError *error);
void fs_upload_stored(FsUpload *upload, guint32 uid);
/* @error, the line's or another's: postpones, or refuses. */
void fs_upload_fail(FsUpload *upload, const GError *error);
gboolean fs_upload_is_of_the_line(const GError *error);
/* The same, or the server is busy: it says nothing of the upload. */
gboolean fs_upload_passes(const GError *error);
/* How often the server may refuse, for other reasons, to let us look at what is
 * there. */
#define FS_UPLOAD_UNSEEN_MAX 5u
/* The next one may be sent. */
void fs_uploads_pump(FsUploads *uploads);
/* The server may have stored it, or do so yet. */
void fs_upload_note_unanswered(FsUpload *upload);
/* It is another message than that which was deleted for it. */
void fs_upload_take_own_flags(FsUpload *upload);
/* Whether the answer @user_data awaited is of use: takes back the reference
 * that was given along otherwise. */
gboolean fs_upload_take_answer(FsUpload *upload);
/* For an answer: a reference, to be taken back by the above. */
FsUpload *fs_upload_await(FsUpload *upload);
void fs_upload_release_lease(FsUpload *upload);
/* The wire name of @mailbox; NULL: there is no such mailbox any more. */
const char *fs_upload_wire_name(const FsUpload *upload, guint32 mailbox);

/* ---- the steps ---- */

void fs_upload_compare(FsUpload *upload);
void fs_upload_send(FsUpload *upload);
void fs_upload_search(FsUpload *upload);
/* Whether it is to be sent by REPLACE. */
gboolean fs_upload_can_replace(const FsUpload *upload);
/* Whether it is to be sent again, by APPEND, after REPLACE was answered with
 * @error. */
gboolean fs_upload_replaces_no_more(FsUpload *upload, const GError *error);
/* What it takes the place of, while that is there: the names that are to stay.
 */
void fs_upload_note_names(FsUpload *upload);
/* The message is there: its name, its inode, and what it replaces. */
void fs_upload_settle(FsUpload *upload);
void fs_upload_settled(FsUpload *upload);
/* The deletion that was held for it is made (@done), or is not. */
void fs_upload_let_go(FsUpload *upload, gboolean done);
/* Puts its octets into the cache. */
void fs_upload_keep(const FsUpload *upload);
