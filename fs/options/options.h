/* The command line: what the user asked for, checked.
 *
 * Long options by GLib's parser, "-o a=b,c" as mount(8) gives them. Everything
 * is validated here, so that a mistake is one sentence on the terminal and
 * nothing was done yet. */
#pragma once

#include "imap/settings.h"

#include <glib.h>
#include <sys/types.h>

typedef enum {
    FS_NAMES_SUBJECT,
    FS_NAMES_UID,
} FsNames;

typedef enum {
    FS_DATE_RECEIVED,
    FS_DATE_SENT,
} FsDate;

/* What rm does to a message. */
typedef enum {
    FS_REMOVE_AS_SERVER, /* the next; or that behind it, where expunging would
                            archive */
    FS_REMOVE_EXPUNGE,
    FS_REMOVE_TRASH,
    FS_REMOVE_MARK,
} FsRemove;

typedef struct {
    char *url;
    char *mountpoint;       /* absolute */
    ImapSettings *settings; /* no secrets yet */

    gboolean foreground;
    gboolean debug; /* implies foreground */
    gboolean trace; /* implies foreground */

    FsNames names;
    FsDate date;
    guint connections;
    guint poll_seconds;
    gboolean offline_ok;   /* mount also without the server */
    char *cache_dir;       /* absolute; NULL: the default */
    gboolean no_cache_dir; /* cache_dir=none */
    char *state_dir;       /* absolute; NULL: the default */
    gboolean no_state_dir; /* state_dir=none */
    guint64 cache_size;    /* octets; 0: the default */

    char *password_file;    /* absolute */
    char *password_command; /* for /bin/sh -c */
    char *token_command;

    uid_t uid; /* of every file; default: the caller */
    gid_t gid;
    mode_t umask;       /* default 077 */
    gboolean read_only; /* ro was given */
    gboolean writeback; /* what is on the disk need not be on the server */
    char *new_flags;    /* of messages that are written; spaces between */
    gboolean sync;      /* every change waits for the server */
    FsRemove remove;
    gboolean mark_seen; /* who reads a message whole has read it */
    char *crawlers;     /* as fs_crawlers_new takes them */
    gboolean searches;  /* those that are kept show at the top */
    gboolean allow_other;
    gboolean default_permissions;
    gboolean xattr;      /* messages have extended attributes */
    char **fuse_options; /* passed on as they are, each behind a -o: all that
                            libfuse is to know, ro, allow_other, debug and so on
                            included; commas in values are escaped;
                            NULL-terminated */
} FsOptions;

/* What fs_options_parse found to do. */
typedef enum {
    FS_OPTIONS_MOUNT,
    FS_OPTIONS_HELP,    /* --help: the text was printed */
    FS_OPTIONS_VERSION, /* --version: likewise */
    FS_OPTIONS_WAIT,    /* --wait: the mountpoint is set, and nothing else */
    FS_OPTIONS_ERROR,
} FsOptionsResult;

/* Parses argv. On FS_OPTIONS_ERROR @error (FS_ERROR_USAGE) is one sentence:
 * what is wrong, why, what to write instead. */
FsOptionsResult fs_options_parse(int argc, char **argv, FsOptions **options,
                                 GError **error);
void fs_options_free(FsOptions *options); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsOptions, fs_options_free)
