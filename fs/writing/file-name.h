/* What a file that a program makes is, by its name: a message, a file that is
 * on the way to being one, or nothing that a mailbox can hold. */
#pragma once

#include <glib.h>

typedef enum {
    FS_FILE_MAIL,    /* "x.eml": a message once it is closed */
    FS_FILE_MAILDIR, /* "x:2,FS": likewise, with those flags */
    FS_FILE_SCRATCH, /* a program's temporary file: stays here */
    FS_FILE_REFUSED, /* nothing that is kept anywhere */
} FsFileKind;

/* The kind of the file name @name, one path component. */
FsFileKind fs_file_name_kind(const char *name);

/* The flags that the Maildir name @name ends in, as IMAP has them, spaces
 * between; "" for none. Caller frees. */
char *fs_file_name_flags(const char *name);

/* Whether a directory may be made by that name: not one that begins with a dot,
 * which programs make for themselves. */
gboolean fs_file_name_is_mailbox(const char *name);
