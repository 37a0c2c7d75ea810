/* From errors to errno: the one table. */
#pragma once

#include <glib.h>

/* The errno that tells a program what @error (of any domain) means; EIO for
 * what the table does not know. Never ENOTCONN, which looks like a dead mount,
 * nor EAGAIN, which readers take for a short read. G_IO_ERROR and FS_ERROR
 * count, too. */
int fs_errno_from_error(const GError *error);

#define FS_ERROR fs_error_quark()
GQuark fs_error_quark(void);

typedef enum {
    FS_ERROR_GONE,  /* the message left before it was opened: ENOENT */
    FS_ERROR_STALE, /* it left, or UIDVALIDITY changed, while open: ESTALE */
    FS_ERROR_NO_MESSAGE,  /* what was written is none: EINVAL */
    FS_ERROR_ANOTHER,     /* it is another message than that which it is to
                              replace: EEXIST */
    FS_ERROR_QUERY,       /* what is to be searched for is none: EINVAL */
    FS_ERROR_INCOMPLETE,  /* the server's listing contradicts itself: EIO */
    FS_ERROR_USAGE,       /* a wrong option or argument; for the terminal */
    FS_ERROR_MOUNT,       /* the kernel or fusermount3 refuses; likewise */
    FS_ERROR_CREDENTIALS, /* no password to be had; likewise */
} FsError;
