/* What the user asked for, checked: on the command line, and in the
 * configuration file where that names an account of it.
 *
 * Long options by GLib's parser, "-o a=b,c" as mount(8) gives them. Everything
 * is validated here, so that a mistake is one sentence on the terminal and
 * nothing was done yet. */
#pragma once

#include "imap/servers.h"
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

typedef enum {
    FS_LAYOUT_MAILBOX,
    FS_LAYOUT_MAILDIR,
} FsLayout;

/* How folders lie in each other in a Maildir. */
typedef enum {
    FS_MAILDIR_FS,        /* as directories */
    FS_MAILDIR_PLUS_PLUS, /* all at the top, which is INBOX */
} FsMaildirLayout;

/* What rm does to a message. */
typedef enum {
    FS_REMOVE_AS_SERVER, /* the next; or that behind it, where expunging would
                            archive */
    FS_REMOVE_EXPUNGE,
    FS_REMOVE_TRASH,
    FS_REMOVE_MARK,
} FsRemove;

typedef struct FsPreset FsPreset;

typedef struct {
    char *url;              /* or what else stands for the server */
    char *account;          /* its name in the configuration file; NULL: none */
    const FsPreset *preset; /* of its provider; NULL: none is known */
    char *discover;         /* the domain that knows the server; NULL: settings
                               has it */
    ImapServers *servers;   /* that the domain names; NULL: settings has the
                               only one */
    gboolean server_is_known; /* from an earlier login: it could not be asked */
    gboolean tls_is_chosen;   /* it was said apart from the URL */
    char *mountpoint;         /* absolute */
    char *top;                /* absolute: the mount that the mountpoint is a
                                 directory of, with other accounts beside it;
                                 NULL: it is the mount */
    char **arguments;         /* the command line; NULL-terminated */
    ImapSettings *settings;   /* no secrets yet */

    gboolean foreground;
    gboolean debug; /* implies foreground */
    gboolean trace; /* implies foreground */
    gboolean verbose;
    gboolean quiet;
    gboolean unannounced; /* what there is to be seen is not said */
    char **accounts;      /* of FS_OPTIONS_ALL: their names; NULL-terminated */
    gboolean watch;       /* of FS_OPTIONS_STATUS: again and again */
    char **folders; /* of FS_OPTIONS_FETCH: none means all; NULL-terminated */

    FsLayout layout;
    FsMaildirLayout maildir_layout;
    FsNames names;
    FsDate date;
    gboolean all_mail; /* show mailboxes that are views of others, too */
    guint connections;
    guint poll_seconds;
    gboolean offline_ok;   /* mount also without the server */
    char *cache_dir;       /* absolute; NULL: the default */
    gboolean no_cache_dir; /* cache_dir=none */
    char *state_dir;       /* absolute; NULL: the default */
    gboolean no_state_dir; /* state_dir=none */
    guint64 cache_size;    /* octets; 0: the default */
    guint64 max_download;  /* octets a day; 0: no limit */
    guint64 max_upload;    /* the same */

    char *password_file;    /* absolute */
    char *password_command; /* for /bin/sh -c */
    char *token_command;
    char *netrc;      /* absolute */
    char *credential; /* its name in $CREDENTIALS_DIRECTORY */

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
    gboolean nonempty;  /* the mountpoint may hold something */
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
    FS_OPTIONS_CONFIG,  /* --print-config: likewise */
    FS_OPTIONS_WAIT,    /* --wait: the mountpoint is set, and nothing else */
    FS_OPTIONS_CHECK,   /* --check: all is set but the mountpoint */
    FS_OPTIONS_FETCH,   /* --fetch: likewise; or only the mountpoint is */
    FS_OPTIONS_STATUS,  /* --status: as --wait */
    FS_OPTIONS_ALL,     /* --all: the mountpoint and the accounts are set */
    FS_OPTIONS_ERROR,
} FsOptionsResult;

/* Parses argv. On FS_OPTIONS_ERROR @error (FS_ERROR_USAGE) is one sentence:
 * what is wrong, why, what to write instead. */
FsOptionsResult fs_options_parse(int argc, char **argv, FsOptions **options,
                                 GError **error);
/* What the command line of @options, and the configuration file as it is now,
 * make of it; nothing is said of the mountpoint. NULL: there is a mistake,
 * FS_ERROR_USAGE. Caller frees. */
FsOptions *fs_options_read_again(const FsOptions *options, GError **error);

/* The same command line, which was one with --all for @top, for one of the
 * accounts. */
gboolean fs_options_parse_account(int argc, char **argv, const char *account,
                                  const char *top, FsOptions **options,
                                  GError **error);
void fs_options_free(FsOptions *options); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsOptions, fs_options_free)
