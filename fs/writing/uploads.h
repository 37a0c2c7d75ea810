/* Storing what was written as messages on the server (APPEND).
 *
 * Before the first octet is sent, what is to be sent and where is on the disk
 * for good, and it stays there until the server's OK. When the line is lost in
 * between, nobody knows whether the message was stored: it is looked for, as
 * soon as the server can be asked, and sent again only if it is not there, and
 * the server has had some seconds for it. If it comes later all the same, one
 * of the two is deleted (fs/changes/late.h). So nothing is lost and nothing is
 * stored twice, whenever this process ends.
 *
 * If it takes the place of another message, that one is deleted after the OK.
 * If it holds the very octets of that one, nothing is sent. */
#pragma once

#include "cache/spool.h"
#include "fs/account.h"
#include "fs/need.h"

typedef struct FsUploads FsUploads;
typedef struct FsUpload FsUpload;

/* @account and @spool must outlive the result. */
FsUploads *fs_uploads_new(FsAccount *account, CacheSpool *spool);
/* What is not finished goes on with the next mount. Accepts NULL. */
void fs_uploads_free(FsUploads *uploads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsUploads, fs_uploads_free)

/* What is to be stored. Borrowed. */
typedef struct {
    CacheSpoolFile *source; /* as it was written; not changed meanwhile */
    guint32 copy_mailbox;   /* or the message that it is a copy of: COPY */
    guint32 copy_uid;       /* 0: there is a source */

    guint32 mailbox;       /* id */
    const char *name;      /* that the message is to have; NULL: none */
    const char *flags;     /* as IMAP has them, spaces between */
    const char *own_flags; /* instead, if @replaces, whose deletion is held, was
                              another message; NULL: the same */
    gboolean stays;        /* the source is what it was if this is refused; else
                              it goes to what was lost */
    gint64 date;           /* seconds since the epoch; G_MININT64: as its header
                              says */
    guint64 inode;         /* that it is to have in this mount; 0: its own */
    guint32 replaces;      /* UID; 0: none */
    gboolean must_match;   /* only if that is the same message; else EEXIST */
    guint64 held;          /* of fs_changes_hold_deleted: the deletion of
                              @replaces; 0: none */
    guint64 record;        /* of the journal, for that; taken over */
    FsUpload *after; /* not finished: it goes first; and if it has the same
                        octets, it is all there is to be done. NULL: that
                        of the same name, if there is one */
} FsUploadRequest;

/* Begins. The caller owns the reference. */
FsUpload *fs_uploads_begin(FsUploads *uploads, const FsUploadRequest *request);
FsUpload *fs_upload_ref(FsUpload *upload);
void fs_upload_unref(gpointer upload); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsUpload, fs_upload_unref)

typedef enum {
    FS_UPLOAD_UNDER_WAY,
    FS_UPLOAD_PENDING, /* there is no line: it goes on when there is; the error
                          says why */
    FS_UPLOAD_STORED,
    FS_UPLOAD_REFUSED, /* it never will be; the error says why */
} FsUploadState;

FsUploadState fs_upload_state(const FsUpload *upload);
/* Moves on with what is sent, and is complete when the upload is not under way
 * any more. Borrowed; there is another one when a pending upload goes on. */
FsNeed *fs_upload_need(const FsUpload *upload);
const GError *fs_upload_error(const FsUpload *upload);
/* The message that it will have deleted when it is stored; 0: none, or one that
 * is deleted already. */
guint32 fs_upload_replaces(const FsUpload *upload);
/* It is not to be stored after all. FALSE: the server may have been sent it, or
 * is being asked; it goes on. Else it is over, as one that was refused, but
 * nobody is told. */
gboolean fs_upload_give_up(FsUpload *upload);
/* Of the message in its mailbox; 0: it is there, but the server does not tell
 * which it is. */
guint32 fs_upload_uid(const FsUpload *upload);
guint32 fs_upload_mailbox(const FsUpload *upload);
const char *fs_upload_name(const FsUpload *upload);
/* What it is to send is on the disk for good, and is no other message than that
 * whose place it is to take, as far as that can be known without the line.
 * Never of a copy, whose octets the server alone has: the message that it is
 * made of may be removed next. */
gboolean fs_upload_is_safe(const FsUpload *upload);

/* Told of each change of state, and when it is safe, from the main loop. At
 * most one; NULL removes it. @free_data is called when it is removed. */
typedef void (*FsUploadChangedFunc)(FsUpload *upload, gpointer user_data);
void fs_upload_set_changed_func(FsUpload *upload, FsUploadChangedFunc func,
                                gpointer user_data, GDestroyNotify free_data);

/* @file was left by an earlier mount with @note (FS_SPOOL_UPLOAD): takes both,
 * and goes on. */
void fs_uploads_resume(FsUploads *uploads, CacheSpoolFile *file,
                       const char *note);
/* What such a one was to send, if it is refused, is told to @lost (taken over).
 */
typedef void (*FsUploadLostFunc)(CacheSpoolFile *file, const char *name,
                                 gpointer user_data);
void fs_uploads_set_lost_func(FsUploads *uploads, FsUploadLostFunc lost,
                              gpointer user_data);

/* The line may be good again: those that are pending are tried at once. */
void fs_uploads_retry(FsUploads *uploads);
/* NULL when none is being sent: those that are left wait for the line. Else
 * what to wait for (borrowed). */
FsNeed *fs_uploads_need_settled(const FsUploads *uploads);
/* What was refused since this was last asked, as sentences, though a program
 * may have been told: shells say nothing when a close fails. NULL-terminated.
 * Caller frees with g_strfreev. */
char **fs_uploads_take_refused(FsUploads *uploads);
/* The same, without being told: of char *. Borrowed. */
const GPtrArray *fs_uploads_refused(const FsUploads *uploads);
/* What is to take the place of the message @uid of @mailbox, and is not
 * finished; NULL: nothing is. Borrowed. */
FsUpload *fs_uploads_onto(const FsUploads *uploads, guint32 mailbox,
                          guint32 uid);
/* What has been sent to @mailbox, is not finished, and is or may be the message
 * @uid of @size octets there; NULL: nothing may. Borrowed. */
FsUpload *fs_uploads_that_may_be(const FsUploads *uploads, guint32 mailbox,
                                 guint32 uid, guint64 size);
/* Whether the message @uid of @mailbox is what one has become in this mount. */
gboolean fs_uploads_claim(const FsUploads *uploads, guint32 mailbox,
                          guint32 uid);
/* How many are not finished; of @mailbox, or of all (0). */
guint fs_uploads_pending(const FsUploads *uploads, guint32 mailbox);
