/* The table of options, and what each of them does to FsOptions.
 *
 * It holds every name that we know, what may follow it, where it goes and what
 * --help says of it; parsing, help and "did you mean" all read it. */
#include "fs/options/mount-option-table.h"

#include "fs/kernel/crawlers.h"
#include "fs/kernel/errno.h"
#include "fs/options/option-values.h"

#include <string.h>

#define CACHE_SIZE_MIN (G_GUINT64_CONSTANT(1) << 20)

static gpointer
field(FsOptions *options, const FsMountOption *option)
{
    char *base =
        option->in_settings ? (char *)options->settings : (char *)options;

    return base + option->offset;
}

static gboolean G_GNUC_PRINTF(4, 5)
    refuse_value(const FsMountOption *option, const char *value, GError **error,
                 const char *format, ...)
{
    g_autofree char *printable = fs_option_printable(value);
    g_autofree char *reason = NULL;
    va_list arguments;

    va_start(arguments, format);
    reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, FS_ERROR, FS_ERROR_USAGE, "option '%s=%s': %s",
                option->name, printable, reason);
    return FALSE;
}

static gboolean
set_flag(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    *(gboolean *)field(options, option) = TRUE;
    return TRUE;
}

static gboolean
set_read_write(FsOptions *options, const FsMountOption *option,
               const char *value, GError **error)
{
    options->read_only = FALSE;
    return TRUE;
}

static gboolean
set_text(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    char **text = field(options, option);

    g_free(*text);
    *text = g_strdup(value);
    return TRUE;
}

static gboolean
set_path(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    char **path = field(options, option);

    g_free(*path);
    *path = fs_option_absolute_path(value);
    return TRUE;
}

static gboolean
set_number(FsOptions *options, const FsMountOption *option, const char *value,
           GError **error)
{
    guint64 number;

    if (!fs_option_parse_number(value, option->min, option->max, &number))
        return refuse_value(option, value, error,
                            "a number from %" G_GUINT64_FORMAT
                            " to %" G_GUINT64_FORMAT " is needed",
                            option->min, option->max);
    *(guint *)field(options, option) = (guint)number;
    return TRUE;
}

static gboolean
set_timeout(FsOptions *options, const FsMountOption *option, const char *value,
            GError **error)
{
    if (!set_number(options, option, value, error))
        return FALSE;
    options->settings->timeout_ms *= 1000;
    return TRUE;
}

static gboolean
check_number(FsOptions *options, const FsMountOption *option, const char *value,
             GError **error)
{
    guint64 number;

    if (!fs_option_parse_number(value, option->min, option->max, &number))
        return refuse_value(option, value, error, "a number is needed");
    return TRUE;
}

static gboolean
set_choice(FsOptions *options, const FsMountOption *option, const char *value,
           GError **error)
{
    g_auto(GStrv) words = g_strsplit(option->value, "|", -1);

    for (guint i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0) {
            *(guint *)field(options, option) = i;
            return TRUE;
        }
    }
    return refuse_value(option, value, error, "write one of %s", option->value);
}
G_STATIC_ASSERT(sizeof(FsNames) == sizeof(guint));
G_STATIC_ASSERT(sizeof(FsDate) == sizeof(guint));
G_STATIC_ASSERT(sizeof(FsRemove) == sizeof(guint));
G_STATIC_ASSERT(sizeof(ImapTls) == sizeof(guint));
G_STATIC_ASSERT(IMAP_TLS_IMPLICIT == 0 && IMAP_TLS_STARTTLS == 1 &&
                IMAP_TLS_OFF == 2);
G_STATIC_ASSERT(sizeof(ImapCompress) == sizeof(guint));
G_STATIC_ASSERT(IMAP_COMPRESS_AUTO == 0 && IMAP_COMPRESS_ON == 1 &&
                IMAP_COMPRESS_OFF == 2);

static gboolean
set_mechanism(FsOptions *options, const FsMountOption *option,
              const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit(option->value, "|", -1);
    g_autofree char *lower = g_ascii_strdown(value, -1);

    if (!g_strv_contains((const char *const *)words, lower))
        return refuse_value(option, value, error, "write one of %s",
                            option->value);
    g_free(options->settings->mechanism);
    options->settings->mechanism = g_ascii_strup(value, -1);
    return TRUE;
}

static gboolean
set_fingerprint(FsOptions *options, const FsMountOption *option,
                const char *value, GError **error)
{
    char *fingerprint = fs_option_parse_fingerprint(value);

    if (fingerprint == NULL)
        return refuse_value(option, value, error,
                            "the certificate's SHA-256 is needed, 64 hex "
                            "digits with or without colons, as 'openssl x509 "
                            "-fingerprint -sha256' prints it");
    g_free(options->settings->fingerprint);
    options->settings->fingerprint = fingerprint;
    return TRUE;
}

/* A directory, or "none", which sets @none instead. */
static gboolean
set_directory(FsOptions *options, const FsMountOption *option,
              const char *value, gboolean *none, GError **error)
{
    char **path = field(options, option);

    *none = strcmp(value, "none") == 0;
    if (!*none)
        return set_path(options, option, value, error);
    g_clear_pointer(path, g_free);
    return TRUE;
}

static gboolean
set_cache_dir(FsOptions *options, const FsMountOption *option,
              const char *value, GError **error)
{
    return set_directory(options, option, value, &options->no_cache_dir, error);
}

static gboolean
set_state_dir(FsOptions *options, const FsMountOption *option,
              const char *value, GError **error)
{
    return set_directory(options, option, value, &options->no_state_dir, error);
}

static gboolean
set_cache_size(FsOptions *options, const FsMountOption *option,
               const char *value, GError **error)
{
    guint64 size;

    if (!fs_option_parse_size(value, &size) || size < CACHE_SIZE_MIN)
        return refuse_value(option, value, error,
                            "a number of octets is needed, such as 500M or 2G, "
                            "at least 1M");
    options->cache_size = size;
    return TRUE;
}

/* A flag is one word, a system flag behind a backslash. */
static gboolean
set_new_flags(FsOptions *options, const FsMountOption *option,
              const char *value, GError **error)
{
    g_auto(GStrv) words = g_strsplit_set(value, "+ ", -1);

    g_clear_pointer(&options->new_flags, g_free);
    if (strcmp(value, "none") == 0) {
        options->new_flags = g_strdup("");
        return TRUE;
    }
    for (guint i = 0; words[i] != NULL; i++) {
        const char *at = words[i] + (words[i][0] == '\\');

        for (; *at > ' ' && *at < 0x7f && strchr("(){%*\"\\]", *at) == NULL;
             at++)
            continue;
        if (*words[i] == '\0' || *at != '\0' || at[-1] == '\\')
            return refuse_value(option, value, error,
                                "write flags with + between, such as "
                                "\\Seen+\\Flagged, or none");
    }
    options->new_flags = g_strjoinv(" ", words);
    return TRUE;
}

static gboolean
set_crawlers(FsOptions *options, const FsMountOption *option, const char *value,
             GError **error)
{
    if (*value == '\0')
        return refuse_value(option, value, error,
                            "names of processes with + between are needed, "
                            "or " FS_CRAWLERS_ALLOW);
    g_free(options->crawlers);
    options->crawlers = g_strdup(value);
    return TRUE;
}

static gboolean
set_uid(FsOptions *options, const FsMountOption *option, const char *value,
        GError **error)
{
    if (!fs_option_parse_user(value, &options->uid))
        return refuse_value(option, value, error,
                            "no such user; write a name or a number");
    return TRUE;
}

static gboolean
set_gid(FsOptions *options, const FsMountOption *option, const char *value,
        GError **error)
{
    if (!fs_option_parse_group(value, &options->gid))
        return refuse_value(option, value, error,
                            "no such group; write a name or a number");
    return TRUE;
}

static gboolean
set_umask(FsOptions *options, const FsMountOption *option, const char *value,
          GError **error)
{
    if (!fs_option_parse_umask(value, &options->umask))
        return refuse_value(option, value, error,
                            "an octal number up to 777 is needed");
    return TRUE;
}

#define IN_OPTIONS(member) .offset = G_STRUCT_OFFSET(FsOptions, member)
#define IN_SETTINGS(member)                                                    \
    .in_settings = TRUE, .offset = G_STRUCT_OFFSET(ImapSettings, member)
#define TO_LIBFUSE .passed_on = TRUE

/* clang-format off */
#define GENERIC(option, shown) {option, shown, FS_SECTION_MOUNT, TO_LIBFUSE}
#define IGNORED(option, shown) {option, shown, FS_SECTION_IGNORED, .set = NULL}

const FsMountOption fs_mount_option_table[] = {
    {"names", "subject|uid", FS_SECTION_MAIL,
     "message files are named by date, sender, subject (default) or by UID",
     set_choice, IN_OPTIONS(names)},
    {"date", "received|sent", FS_SECTION_MAIL,
     "a message's time: arrival at the server (default) or its Date field",
     set_choice, IN_OPTIONS(date)},

    {"username", "NAME", FS_SECTION_LOGIN,
     "the user, where the URL does not say; may hold an @ (default: your own)",
     set_text, IN_SETTINGS(username)},
    {"password_file", "FILE", FS_SECTION_LOGIN,
     "the password is the first line of FILE, whose mode must be 0600",
     set_path, IN_OPTIONS(password_file)},
    {"password_command", "COMMAND", FS_SECTION_LOGIN,
     "the password is the first line that the shell command prints",
     set_text, IN_OPTIONS(password_command)},
    {"token_command", "COMMAND", FS_SECTION_LOGIN,
     "likewise, an OAuth2 access token",
     set_text, IN_OPTIONS(token_command)},
    {"auth",
     "scram-sha-256|scram-sha-1|plain|login|external|xoauth2|oauthbearer",
     FS_SECTION_LOGIN,
     "log in this way only (default: the strongest that the server offers)",
     .set = set_mechanism},
    {"insecure_cleartext_password", NULL, FS_SECTION_LOGIN,
     "DANGEROUS: let everybody on the network read the password (tls=off)",
     set_flag, IN_SETTINGS(cleartext_password)},

    {"tls", "implicit|starttls|off", FS_SECTION_TLS,
     "default: implicit for imaps://, starttls (required) for imap://",
     set_choice, IN_SETTINGS(tls)},
    {"ca_file", "FILE", FS_SECTION_TLS,
     "trust these certificate authorities (PEM) instead of the system's",
     set_path, IN_SETTINGS(ca_file)},
    {"fingerprint", "SHA256", FS_SECTION_TLS,
     "trust the one certificate with this fingerprint, and no other",
     .set = set_fingerprint},
    {"client_cert", "FILE", FS_SECTION_TLS,
     "show this certificate (PEM) to the server",
     set_path, IN_SETTINGS(client_cert)},
    {"client_key", "FILE", FS_SECTION_TLS,
     "its key (PEM), if it is not in the same file",
     set_path, IN_SETTINGS(client_key)},

    {"timeout", "SECONDS", FS_SECTION_NETWORK,
     "give up after so long a silence, 1 to 3600 (default 30)",
     set_timeout, IN_SETTINGS(timeout_ms), .min = 1, .max = 3600},
    {"connections", "N", FS_SECTION_NETWORK,
     "connections used at a time, 1 to 32 (default 3)",
     set_number, IN_OPTIONS(connections), .min = 1, .max = 32},
    {"compress", "auto|on|off", FS_SECTION_NETWORK,
     "compress what goes over the line; auto (the default): where the line "
     "turns out to be slower than about 150 Mbit/s, and the server can",
     set_choice, IN_SETTINGS(compress)},
    {"offline_ok", NULL, FS_SECTION_NETWORK,
     "mount also while the server cannot be reached; what an earlier mount "
     "left in the cache is there",
     set_flag, IN_OPTIONS(offline_ok)},
    {"poll", "SECONDS", FS_SECTION_NETWORK,
     "how long a change elsewhere may go unseen, 1 to 86400 (default 60)",
     set_number, IN_OPTIONS(poll_seconds), .min = 1, .max = 86400},

    {"cache_dir", "DIR|none", FS_SECTION_CACHE,
     "where mail is kept, in a directory for each account (default "
     "~/.cache/imapfs; none: in memory)",
     set_cache_dir, IN_OPTIONS(cache_dir)},
    {"cache_size", "SIZE", FS_SECTION_CACHE,
     "how much mail is kept, e.g. 500M, at least 1M (default: a tenth of the "
     "free disk, at least 2G; in memory 64M)",
     .set = set_cache_size},
    {"state_dir", "DIR|none", FS_SECTION_CACHE,
     "where inode numbers are kept, likewise (default ~/.local/state/imapfs; "
     "none: nowhere, and no cache on disk either)",
     set_state_dir, IN_OPTIONS(state_dir)},

    {"new_flags", "FLAGS|none", FS_SECTION_FILES,
     "flags of messages that are written, with + between (default \\Seen)",
     .set = set_new_flags},
    {"writeback", NULL, FS_SECTION_FILES,
     "a message that is written need only be on this disk when close returns",
     set_flag, IN_OPTIONS(writeback)},
    {"ro", NULL, FS_SECTION_FILES,
     "nothing can be written; then inotify sees nothing come or go",
     set_flag, IN_OPTIONS(read_only)},
    {"rw", NULL, FS_SECTION_FILES, "the opposite", .set = set_read_write},
    {"sync", NULL, FS_SECTION_FILES,
     "every change waits until the server has it",
     set_flag, IN_OPTIONS(sync), TO_LIBFUSE},
    {"delete", "auto|expunge|trash|mark", FS_SECTION_FILES,
     "what rm does to a message: expunge it, move it to the trash, or mark it "
     "as deleted; auto (the default): expunge, but trash where the server would "
     "archive it instead",
     set_choice, IN_OPTIONS(remove)},
    {"mark_seen", NULL, FS_SECTION_FILES,
     "reading a message whole marks it as read",
     set_flag, IN_OPTIONS(mark_seen)},
    {"crawlers", "NAME+...|allow", FS_SECTION_FILES,
     "processes that make thumbnails or indexes, by their names; nothing is "
     "fetched for them (default: those that are common; allow: nobody is one)",
     .set = set_crawlers},
    {"searches", NULL, FS_SECTION_FILES,
     "searches that are kept show at the top of the mount",
     set_flag, IN_OPTIONS(searches)},
    {"uid", "USER", FS_SECTION_FILES, "owner of the files (default: you)",
     .set = set_uid},
    {"gid", "GROUP", FS_SECTION_FILES, "group of the files (default: yours)",
     .set = set_gid},
    {"umask", "OCTAL", FS_SECTION_FILES,
     "permissions that are taken away (default 077)", .set = set_umask},
    {"allow_other", NULL, FS_SECTION_FILES,
     "let other users in, as far as umask lets them (needs user_allow_other "
     "in /etc/fuse.conf)",
     set_flag, IN_OPTIONS(allow_other), TO_LIBFUSE},
    {"default_permissions", NULL, FS_SECTION_FILES,
     "let the kernel check the permissions, as it does with allow_other",
     set_flag, IN_OPTIONS(default_permissions), TO_LIBFUSE},
    {"xattr", NULL, FS_SECTION_FILES,
     "flags, UID and keywords as extended attributes (slows ls -l down)",
     set_flag, IN_OPTIONS(xattr)},

    {"allow_root", NULL, FS_SECTION_FUSE, "let root in, and nobody else",
     NULL, TO_LIBFUSE},
    {"auto_unmount", NULL, FS_SECTION_FUSE,
     "unmount also when imapfs is killed", NULL, TO_LIBFUSE},
    {"fsname", "NAME", FS_SECTION_FUSE, "the source that mount(8) and df show",
     NULL, TO_LIBFUSE},
    {"subtype", "NAME", FS_SECTION_FUSE, "the type that they show, after fuse.",
     NULL, TO_LIBFUSE},
    {"max_read", "OCTETS", FS_SECTION_FUSE, "the largest single read",
     check_number, TO_LIBFUSE, .max = G_MAXUINT32},
    {"debug", NULL, FS_SECTION_FUSE, "the same as -d",
     set_flag, IN_OPTIONS(debug)},

    GENERIC("suid", NULL),
    GENERIC("nosuid", NULL),
    GENERIC("dev", NULL),
    GENERIC("nodev", NULL),
    GENERIC("exec", NULL),
    GENERIC("noexec", NULL),
    GENERIC("async", NULL),
    GENERIC("dirsync", NULL),
    GENERIC("atime", NULL),
    GENERIC("noatime", NULL),
    GENERIC("context", "LABEL"),
    GENERIC("fscontext", "LABEL"),
    GENERIC("defcontext", "LABEL"),
    GENERIC("rootcontext", "LABEL"),

    IGNORED("defaults", NULL),
    IGNORED("auto", NULL),
    IGNORED("noauto", NULL),
    IGNORED("nofail", NULL),
    IGNORED("_netdev", NULL),
    IGNORED("user", NULL),
    IGNORED("nouser", NULL),
    IGNORED("users", NULL),
    IGNORED("nousers", NULL),
    IGNORED("owner", NULL),
    IGNORED("group", NULL),
    IGNORED("relatime", NULL),
    IGNORED("norelatime", NULL),
    IGNORED("strictatime", NULL),
    IGNORED("nostrictatime", NULL),
    IGNORED("diratime", NULL),
    IGNORED("nodiratime", NULL),
    IGNORED("lazytime", NULL),
    IGNORED("nolazytime", NULL),
    IGNORED("comment", "TEXT"),

    {NULL, .set = NULL},
};
/* clang-format on */
