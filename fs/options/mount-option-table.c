/* The table of options. */
#include "fs/options/mount-option-table.h"

#include "fs/options/option-setters.h"

#include <string.h>

const char *const fs_option_section_titles[FS_N_SECTIONS] = {
    [FS_SECTION_ACCOUNT] = "In the configuration file alone",
    [FS_SECTION_MAIL] = "Names and dates",
    [FS_SECTION_LOGIN] = "Logging in (or the password is asked for)",
    [FS_SECTION_TLS] = "Encryption",
    [FS_SECTION_NETWORK] = "Network",
    [FS_SECTION_CACHE] = "Cache",
    [FS_SECTION_FILES] = "Files",
    [FS_SECTION_FUSE] = "FUSE",
    [FS_SECTION_MOUNT] = "Passed on as mount(8) gives them",
    [FS_SECTION_IGNORED] = "Accepted, for fstab's sake, without effect",
};

#define IN_OPTIONS(member)                                                     \
    .place = FS_PLACE_OPTIONS, .offset = G_STRUCT_OFFSET(FsOptions, member)
#define IN_SETTINGS(member)                                                    \
    .place = FS_PLACE_SETTINGS, .offset = G_STRUCT_OFFSET(ImapSettings, member)
#define TO_LIBFUSE .passed_on = TRUE
#define SPECIAL(name) .set = fs_set_##name, .show = fs_show_##name

/* clang-format off */
#define GENERIC(option, shown, what)                                           \
    {option, shown, FS_SECTION_MOUNT, what, "as mount(8) has it", TO_LIBFUSE}
#define IGNORED(option, shown, what)                                           \
    {option, shown, FS_SECTION_IGNORED, what, "ignored", .place = FS_PLACE_NONE}

const FsMountOption fs_mount_option_table[] = {
    {"url", "URL", FS_SECTION_ACCOUNT, FS_VALUE_TEXT,
     "the server, as on the command line: imaps://USER@HOST/, PROVIDER:USER or "
     "USER@DOMAIN",
     .example = "imaps://alice@imap.example.org/",
     IN_OPTIONS(url), .only_in_file = TRUE},

    {"layout", "mailbox|maildir", FS_SECTION_MAIL, FS_VALUE_CHOICE,
     "folders hold messages, or each of them is a Maildir",
     .initial = "mailbox", IN_OPTIONS(layout)},
    {"maildir_layout", "fs|maildir++", FS_SECTION_MAIL, FS_VALUE_CHOICE,
     "folders of Maildirs lie in each other, or are called .A.B",
     .initial = "fs", IN_OPTIONS(maildir_layout)},
    {"names", "subject|uid", FS_SECTION_MAIL, FS_VALUE_CHOICE,
     "message files are named by date, sender and subject, or by UID",
     .initial = "subject", IN_OPTIONS(names)},
    {"date", "received|sent", FS_SECTION_MAIL, FS_VALUE_CHOICE,
     "a message's time: arrival at the server, or its Date field",
     .initial = "received", IN_OPTIONS(date)},
    {"all_mail", NULL, FS_SECTION_MAIL, FS_VALUE_FLAG,
     "show Gmail's folders All Mail, Important and Starred, whose messages are "
     "in others, too",
     IN_OPTIONS(all_mail)},

    {"username", "NAME", FS_SECTION_LOGIN, FS_VALUE_TEXT,
     "the user, where the URL does not say; may hold an @",
     .otherwise = "your own", .example = "alice@example.org",
     IN_SETTINGS(username)},
    {"password_file", "FILE", FS_SECTION_LOGIN, FS_VALUE_FILE,
     "the password is the first line of FILE, whose mode must be 0600",
     .example = "~/.mail-password",
     IN_OPTIONS(password_file), .rivals = FS_RIVALS_SECRET},
    {"password_command", "COMMAND", FS_SECTION_LOGIN, FS_VALUE_COMMAND,
     "the password is the first line that the shell command prints",
     .example = "pass show mail/alice",
     IN_OPTIONS(password_command), .rivals = FS_RIVALS_SECRET},
    {"token_command", "COMMAND", FS_SECTION_LOGIN, FS_VALUE_COMMAND,
     "likewise, an OAuth2 access token", .example = "oama access me@example.org",
     IN_OPTIONS(token_command), .rivals = FS_RIVALS_SECRET},
    {"netrc", "FILE", FS_SECTION_LOGIN, FS_VALUE_FILE,
     "the password is that of the server's host and the user in FILE, such as "
     "~/.netrc",
     .example = "~/.netrc", IN_OPTIONS(netrc), .rivals = FS_RIVALS_SECRET},
    {"credential", "NAME", FS_SECTION_LOGIN, FS_VALUE_TEXT,
     "the password is a credential of the service (LoadCredential= of systemd)",
     .otherwise = "the one of the account's name, or imapfs.password, if it is "
                  "there",
     .example = "work",
     IN_OPTIONS(credential), .rivals = FS_RIVALS_SECRET},
    {"auth",
     "scram-sha-256|scram-sha-1|plain|login|external|xoauth2|oauthbearer",
     FS_SECTION_LOGIN, FS_VALUE_CHOICE, "log in this way only",
     .otherwise = "the strongest that the server offers", SPECIAL(mechanism)},
    {"insecure_cleartext_password", NULL, FS_SECTION_LOGIN, FS_VALUE_FLAG,
     "DANGEROUS: let everybody on the network read the password (tls=off)",
     IN_SETTINGS(cleartext_password)},

    {"tls", "implicit|starttls|off", FS_SECTION_TLS, FS_VALUE_CHOICE,
     "how the line is encrypted; starttls is required then, not tried",
     .otherwise = "implicit for imaps://, starttls for imap://",
     IN_SETTINGS(tls)},
    {"ca_file", "FILE", FS_SECTION_TLS, FS_VALUE_FILE,
     "trust these certificate authorities (PEM) and no others",
     .otherwise = "the system's", .example = "~/ca.pem", IN_SETTINGS(ca_file),
     .rivals = FS_RIVALS_TRUST},
    {"fingerprint", "SHA256", FS_SECTION_TLS, FS_VALUE_TEXT,
     "trust the one certificate with this fingerprint, and no other",
     .example = "5a0cde4b93bd30ae1c3a1e38b52a4e3d"
                "61f2a97b0d5a0cde4b93bd30ae1c3af1",
     .set = fs_set_fingerprint, IN_SETTINGS(fingerprint),
     .rivals = FS_RIVALS_TRUST},
    {"client_cert", "FILE", FS_SECTION_TLS, FS_VALUE_FILE,
     "show this certificate (PEM) to the server", .example = "~/me.pem",
     IN_SETTINGS(client_cert)},
    {"client_key", "FILE", FS_SECTION_TLS, FS_VALUE_FILE,
     "its key (PEM), if it is not in the same file", .example = "~/me.key",
     IN_SETTINGS(client_key)},

    {"timeout", "SECONDS", FS_SECTION_NETWORK, FS_VALUE_NUMBER,
     "give up after so long a silence, 1 to 3600",
     .initial = "30", .example = "60",
     SPECIAL(timeout), IN_SETTINGS(timeout_ms), .min = 1, .max = 3600},
    {"connections", "N", FS_SECTION_NETWORK, FS_VALUE_NUMBER,
     "connections used at a time, 1 to 32",
     .initial = "3", .example = "5",
     IN_OPTIONS(connections), .min = 1, .max = 32},
    {"compress", "auto|on|off", FS_SECTION_NETWORK, FS_VALUE_CHOICE,
     "compress what goes over the line, if the server can; auto: where the "
     "line turns out to be slower than about 150 Mbit/s",
     .initial = "auto", IN_SETTINGS(compress)},
    {"offline_ok", NULL, FS_SECTION_NETWORK, FS_VALUE_FLAG,
     "mount also while the server cannot be reached; what an earlier mount "
     "left in the cache is there",
     IN_OPTIONS(offline_ok)},
    {"poll", "SECONDS", FS_SECTION_NETWORK, FS_VALUE_NUMBER,
     "how long a change elsewhere may go unseen, 1 to 86400",
     .initial = "60", .example = "300",
     IN_OPTIONS(poll_seconds), .min = 1, .max = 86400},

    {"max_download", "SIZE|none", FS_SECTION_NETWORK, FS_VALUE_SIZE,
     "how much may be fetched in a day (of UTC), at least 1M; beyond it, what "
     "is in the cache can be read and the rest fails (EBUSY)",
     .otherwise = "what the provider allows, if it is known", .example = "2G",
     IN_OPTIONS(max_download), .min = 1 << 20},
    {"max_upload", "SIZE|none", FS_SECTION_NETWORK, FS_VALUE_SIZE,
     "how much may be sent in a day, likewise; beyond it, what is written "
     "waits here (EDQUOT)",
     .otherwise = "what the provider allows, if it is known",
     .example = "500M", IN_OPTIONS(max_upload), .min = 1 << 20},

    {"cache_dir", "DIR|none", FS_SECTION_CACHE, FS_VALUE_DIRECTORY,
     "where mail is kept, in a directory for each account; none: in memory",
     .otherwise = "~/.cache/imapfs", .example = "/var/cache/mail",
     SPECIAL(cache_dir), IN_OPTIONS(cache_dir)},
    {"cache_size", "SIZE", FS_SECTION_CACHE, FS_VALUE_SIZE,
     "how much mail is kept, at least 1M",
     .otherwise = "a tenth of the free disk, at least 2G; in memory 64M",
     .example = "500M", IN_OPTIONS(cache_size), .min = 1 << 20},
    {"state_dir", "DIR|none", FS_SECTION_CACHE, FS_VALUE_DIRECTORY,
     "where inode numbers are kept, likewise; none: nowhere, and no cache on "
     "disk either",
     .otherwise = "~/.local/state/imapfs", .example = "/var/lib/mail",
     SPECIAL(state_dir), IN_OPTIONS(state_dir)},

    {"new_flags", "FLAGS|none", FS_SECTION_FILES, FS_VALUE_TEXT,
     "flags of messages that are written, with + between",
     .initial = "\\Seen", .example = "\\Seen+\\Flagged",
     SPECIAL(new_flags), IN_OPTIONS(new_flags)},
    {"writeback", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "a message that is written need only be on this disk when close returns",
     IN_OPTIONS(writeback)},
    {"ro", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "nothing can be written; then inotify sees nothing come or go, and what an "
     "earlier mount has left to be sent waits for one without it",
     IN_OPTIONS(read_only)},
    {"rw", NULL, FS_SECTION_FILES, FS_VALUE_FLAG, "the opposite",
     .set = fs_set_read_write},
    {"sync", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "every change waits until the server has it; so what a program removes "
     "before it writes it anew (tar x, mv -f) is gone, also if the new one is "
     "refused then",
     IN_OPTIONS(sync), TO_LIBFUSE},
    {"delete", "auto|expunge|trash|mark", FS_SECTION_FILES, FS_VALUE_CHOICE,
     "what rm does to a message: expunge it, move it to the trash, or mark it "
     "as deleted; auto: expunge, but trash where the server would archive it "
     "instead",
     .initial = "auto", .example = "trash", IN_OPTIONS(remove)},
    {"mark_seen", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "reading a message whole marks it as read", IN_OPTIONS(mark_seen)},
    {"crawlers", "NAME+...|allow", FS_SECTION_FILES, FS_VALUE_TEXT,
     "processes that make thumbnails or indexes, by their names; nothing is "
     "fetched for them; allow: nobody is one",
     .otherwise = "those that are common", .example = "tumblerd+baloo*",
     SPECIAL(crawlers)},
    {"searches", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "searches that are kept show at the top of the mount",
     IN_OPTIONS(searches)},
    {"uid", "USER", FS_SECTION_FILES, FS_VALUE_USER, "owner of the files",
     .otherwise = "you", .example = "alice", IN_OPTIONS(uid)},
    {"gid", "GROUP", FS_SECTION_FILES, FS_VALUE_GROUP, "group of the files",
     .otherwise = "yours", .example = "mail", IN_OPTIONS(gid)},
    {"umask", "OCTAL", FS_SECTION_FILES, FS_VALUE_NUMBER,
     "permissions that are taken away",
     .initial = "077", .example = "027", SPECIAL(umask), IN_OPTIONS(umask)},
    {"nonempty", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "mount also where there are files, which are hidden meanwhile",
     IN_OPTIONS(nonempty)},
    {"allow_other", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "let other users in, as far as umask lets them (needs user_allow_other "
     "in /etc/fuse.conf)",
     IN_OPTIONS(allow_other), TO_LIBFUSE},
    {"default_permissions", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "let the kernel check the permissions, as it does with allow_other",
     IN_OPTIONS(default_permissions), TO_LIBFUSE},
    {"xattr", NULL, FS_SECTION_FILES, FS_VALUE_FLAG,
     "flags, UID and keywords as extended attributes (slows ls -l down)",
     IN_OPTIONS(xattr)},

    {"allow_root", NULL, FS_SECTION_FUSE, FS_VALUE_FLAG,
     "let root in, and nobody else", TO_LIBFUSE},
    {"auto_unmount", NULL, FS_SECTION_FUSE, FS_VALUE_FLAG,
     "unmount also when imapfs is killed", TO_LIBFUSE},
    {"fsname", "NAME", FS_SECTION_FUSE, FS_VALUE_TEXT,
     "the source that mount(8) and df show",
     .otherwise = "imapfs#USER@HOST", .example = "mail", TO_LIBFUSE},
    {"subtype", "NAME", FS_SECTION_FUSE, FS_VALUE_TEXT,
     "the type that they show, after fuse.",
     .otherwise = "imapfs", .example = "mail", TO_LIBFUSE},
    {"max_read", "OCTETS", FS_SECTION_FUSE, FS_VALUE_NUMBER,
     "the largest single read",
     .otherwise = "as the kernel likes", .example = "131072", TO_LIBFUSE,
     .max = G_MAXUINT32},
    {"debug", NULL, FS_SECTION_FUSE, FS_VALUE_FLAG, "the same as -d",
     IN_OPTIONS(debug)},

    GENERIC("suid", NULL, FS_VALUE_FLAG),
    GENERIC("nosuid", NULL, FS_VALUE_FLAG),
    GENERIC("dev", NULL, FS_VALUE_FLAG),
    GENERIC("nodev", NULL, FS_VALUE_FLAG),
    GENERIC("exec", NULL, FS_VALUE_FLAG),
    GENERIC("noexec", NULL, FS_VALUE_FLAG),
    GENERIC("async", NULL, FS_VALUE_FLAG),
    GENERIC("dirsync", NULL, FS_VALUE_FLAG),
    GENERIC("atime", NULL, FS_VALUE_FLAG),
    GENERIC("noatime", NULL, FS_VALUE_FLAG),
    GENERIC("context", "LABEL", FS_VALUE_TEXT),
    GENERIC("fscontext", "LABEL", FS_VALUE_TEXT),
    GENERIC("defcontext", "LABEL", FS_VALUE_TEXT),
    GENERIC("rootcontext", "LABEL", FS_VALUE_TEXT),

    IGNORED("defaults", NULL, FS_VALUE_FLAG),
    IGNORED("auto", NULL, FS_VALUE_FLAG),
    IGNORED("noauto", NULL, FS_VALUE_FLAG),
    IGNORED("nofail", NULL, FS_VALUE_FLAG),
    IGNORED("_netdev", NULL, FS_VALUE_FLAG),
    IGNORED("user", NULL, FS_VALUE_FLAG),
    IGNORED("nouser", NULL, FS_VALUE_FLAG),
    IGNORED("users", NULL, FS_VALUE_FLAG),
    IGNORED("nousers", NULL, FS_VALUE_FLAG),
    IGNORED("owner", NULL, FS_VALUE_FLAG),
    IGNORED("group", NULL, FS_VALUE_FLAG),
    IGNORED("relatime", NULL, FS_VALUE_FLAG),
    IGNORED("norelatime", NULL, FS_VALUE_FLAG),
    IGNORED("strictatime", NULL, FS_VALUE_FLAG),
    IGNORED("nostrictatime", NULL, FS_VALUE_FLAG),
    IGNORED("diratime", NULL, FS_VALUE_FLAG),
    IGNORED("nodiratime", NULL, FS_VALUE_FLAG),
    IGNORED("lazytime", NULL, FS_VALUE_FLAG),
    IGNORED("nolazytime", NULL, FS_VALUE_FLAG),
    IGNORED("comment", "TEXT", FS_VALUE_TEXT),

    {NULL, .set = NULL},
};
/* clang-format on */

const FsMountOption *
fs_mount_option_find(const char *name)
{
    for (guint i = 0; fs_mount_option_table[i].name != NULL; i++) {
        if (strcmp(fs_mount_option_table[i].name, name) == 0)
            return &fs_mount_option_table[i];
    }
    return NULL;
}
