/* Storing what was written as messages on the server (APPEND).
 *
 * Before the first octet is sent, what is to be sent and where is on the disk
 * for good, and it stays there until the server's OK. When the line is lost in
 * between, nobody knows whether the message was stored: it is looked for, as
 * soon as the server can be asked, and sent again only if it is not there. So
 * nothing is lost and nothing is stored twice, whenever this process ends.
 *
 * If it replaces another message, that one is deleted after the OK. If it holds
 * the very octets of that one, nothing is sent. */
#pragma once

#include "cache/spool.h"
#include "fs/account.h"
#include "fs/need.h"
#include "imap/error.h"

typedef struct FsUploads FsUploads;
typedef struct FsUpload FsUpload;

/* @spool and @account must outlive the result. */
FsUploads *fs_uploads_new(FsAccount *account, CacheSpool *spool);
/* What is not finished goes on with the next mount. Accepts NULL. */
void fs_uploads_free(FsUploads *uploads);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsUploads, fs_uploads_free)

/* What is to be stored. Borrowed. */
typedef struct {
    CacheSpoolFile *source; /* as it was written; not changed */
    guint32 mailbox;        /* id */
    const char *name;       /* that the message is to have; NULL: none */
    const char *flags;      /* as IMAP has them, spaces between */
    gint64 date;         /* seconds since the epoch; G_MININT64: as its header
                            says */
    guint32 replaces;    /* UID; 0: none */
    gboolean must_match; /* only if @replaces is the same message */
} FsUploadRequest;

/* Begins. The result is a reference. */
FsUpload *fs_uploads_begin(FsUploads *uploads, const FsUploadRequest *request);
FsUpload *fs_upload_ref(FsUpload *upload);
void fs_upload_unref(FsUpload *upload); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsUpload, fs_upload_unref)

typedef enum {
    FS_UPLOAD_UNDER_WAY,
    FS_UPLOAD_STORED,  /* it is the message @uid now */
    FS_UPLOAD_PENDING, /* there is no line: it goes on when there is; the error
                          says why */
    FS_UPLOAD_REFUSED, /* it never will be; the error says why */
} FsUploadState;

FsUploadState fs_upload_state(const FsUpload *upload);
/* Complete when it is not under way any more; moves on with the octets that are
 * sent. Borrowed; another one when a pending upload goes on. */
FsNeed *fs_upload_need(const FsUpload *upload);
const GError *fs_upload_error(const FsUpload *upload);
/* Of the stored message; 0: it is stored, but not to be told from others. */
guint32 fs_upload_uid(const FsUpload *upload);
/* What it is to send is on the disk for good: the program need not wait. */
gboolean fs_upload_is_safe(const FsUpload *upload);

/* Told of each change of state, from the main loop. @upload is borrowed. */
typedef void (*FsUploadChangedFunc)(FsUpload *upload, gpointer user_data);
void fs_upload_set_changed_func(FsUpload *upload, FsUploadChangedFunc func,
                                gpointer user_data);

/* Goes on with what earlier mounts have left; those that are refused are told
 * to @lost with what was to be sent (taken over). Before the mount. */
typedef void (*FsUploadLostFunc)(CacheSpoolFile *file, const char *name,
                                 gpointer user_data);
void fs_uploads_resume(FsUploads *uploads, FsUploadLostFunc lost,
                       gpointer user_data);

/* How many are not finished. */
guint fs_uploads_pending(const FsUploads *uploads);
