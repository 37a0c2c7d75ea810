/* What the server has: reads a message through the cache, to compare it with
 * what was written. */
#pragma once

#include "fs/account.h"

typedef struct {
    guint64 size;
    char *digest;     /* SHA-256 in hex; NULL: only the header was wanted */
    char *identity;   /* see fs_message_header_identity */
    char *message_id; /* NULL: none */
} FsStoredText;

typedef struct FsStoredReading FsStoredReading;

/* @stored is borrowed; NULL with @error (FS_ERROR_GONE: it is not there). Runs
 * once, from the main loop, unless it is cancelled. */
typedef void (*FsStoredFunc)(const FsStoredText *stored, const GError *error,
                             gpointer user_data);

/* Reads the message @uid of @mailbox, which must be known: of one whose size is
 * among the @n_sizes in @sizes everything, else its header. */
FsStoredReading *fs_stored_text_read(FsAccount *account, guint32 mailbox,
                                     guint32 uid, const guint64 *sizes,
                                     guint n_sizes, FsStoredFunc done,
                                     gpointer user_data);
/* @done is not called any more. Accepts NULL. */
void fs_stored_reading_cancel(FsStoredReading *reading);
