/* The command line: tables of what is written and what it must mean, or what
 * the complaint must name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/mount-options.h"
#include "fs/options/option-values.h"
#include "fs/options/options.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define URL "imaps://alice@mail.example.org/"
#define NOBODY 65534
#define HEX32 "0123456789abcdef0123456789ABCDEF"
#define HEX64 "0123456789abcdef0123456789abcdef"

static char *mountpoint; /* a directory of the test's own */

/* "imapfs" and @words; '|' separates them, "@" stands for the mountpoint. */
static FsOptionsResult
parse(const char *words, FsOptions **options, GError **error)
{
    g_autofree char *line = g_strconcat("imapfs|", words, NULL);
    g_auto(GStrv) argv = g_strsplit(line, "|", -1);

    for (guint i = 0; argv[i] != NULL; i++) {
        if (strcmp(argv[i], "@") == 0) {
            g_free(argv[i]);
            argv[i] = g_strdup(mountpoint);
        }
    }
    return fs_options_parse((int)g_strv_length(argv), argv, options, error);
}

static FsOptions *
parse_good(const char *words)
{
    g_autoptr(GError) error = NULL;
    FsOptions *options = NULL;

    if (parse(words, &options, &error) != FS_OPTIONS_MOUNT)
        fail_msg("%s: %s", words, error != NULL ? error->message : "?");
    assert_null(error);
    return options;
}

/* With one argument of -o. */
static FsOptions *
parse_option(const char *text)
{
    g_autofree char *words = g_strconcat(URL "|@|-o|", text, NULL);

    return parse_good(words);
}

static void
arguments_without_options_give_defaults(void **state)
{
    g_autoptr(FsOptions) options = parse_good(URL "|@");

    assert_string_equal(options->url, URL);
    assert_string_equal(options->mountpoint, mountpoint);
    assert_string_equal(options->settings->host, "mail.example.org");
    assert_string_equal(options->settings->username, "alice");
    assert_int_equal(options->settings->timeout_ms, 30000);
    assert_false(options->foreground || options->debug || options->trace);
    assert_int_equal(options->names, FS_NAMES_SUBJECT);
    assert_int_equal(options->date, FS_DATE_RECEIVED);
    assert_int_equal(options->connections, 3);
    assert_int_equal(options->poll_seconds, 60);
    assert_false(options->offline_ok);
    assert_null(options->cache_dir);
    assert_false(options->no_cache_dir || options->no_state_dir);
    assert_null(options->state_dir);
    assert_int_equal(options->uid, getuid());
    assert_int_equal(options->gid, getgid());
    assert_int_equal(options->umask, 077);
    assert_false(options->read_only);
    assert_null(options->fuse_options[0]);
}

static void
commands_take_what_they_need(void **state)
{
    static const struct {
        const char *words;
        FsOptionsResult result;
        const char *mountpoint;
        const char *host;
        const char *folders; /* spaces between */
    } lines[] = {
        {"--check|" URL "|-o|poll=9", FS_OPTIONS_CHECK, NULL,
         "mail.example.org", NULL},
        {"-o|poll=9|--check=" URL "|-v", FS_OPTIONS_CHECK, NULL,
         "mail.example.org", NULL},
        {"--check|-o|poll=9|-v|" URL, FS_OPTIONS_CHECK, NULL,
         "mail.example.org", NULL},
        {"--check|-opoll=9|" URL "|--config|/nowhere", FS_OPTIONS_CHECK, NULL,
         "mail.example.org", NULL},
        {"--fetch|-o|poll=9|" URL "|INBOX", FS_OPTIONS_FETCH, NULL,
         "mail.example.org", "INBOX"},
        {"--status|--watch|/mnt", FS_OPTIONS_STATUS, "/mnt", NULL, NULL},
        {"--wait|-q|/mnt", FS_OPTIONS_WAIT, "/mnt", NULL, NULL},
        {"--fetch|" URL, FS_OPTIONS_FETCH, NULL, "mail.example.org", ""},
        {"--fetch|/mnt|INBOX|A/B", FS_OPTIONS_FETCH, "/mnt", NULL, "INBOX A/B"},
        {"--fetch|" URL "|INBOX|-o|poll=9", FS_OPTIONS_FETCH, NULL,
         "mail.example.org", "INBOX"},
        {"--status|/mnt", FS_OPTIONS_STATUS, "/mnt", NULL, NULL},
        {"--watch|--status|/mnt", FS_OPTIONS_STATUS, "/mnt", NULL, NULL},
        {"--wait|/mnt", FS_OPTIONS_WAIT, "/mnt", NULL, NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(FsOptions) options = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *folders = NULL;

        assert_int_equal(parse(lines[i].words, &options, &error),
                         lines[i].result);
        assert_null(error);
        assert_int_equal(g_strcmp0(options->mountpoint, lines[i].mountpoint),
                         0);
        assert_int_equal(g_strcmp0(options->settings->host, lines[i].host), 0);
        if (options->folders != NULL)
            folders = g_strjoinv(" ", options->folders);
        assert_int_equal(g_strcmp0(folders, lines[i].folders), 0);
        assert_int_equal(options->watch,
                         strstr(lines[i].words, "--watch") != NULL);
    }
}

static void
options_anywhere_are_collected(void **state)
{
    static const char *const lines[] = {
        URL "|@|-o|ro,names=uid|-o|timeout=7|-f",
        "-f|-oro|-o|names=uid,timeout=7|" URL "|@",
        "-o|ro|" URL "|-fo|names=uid|@|--options=timeout=7",
        "-f|-o|ro|" URL "|-o|names=uid,,timeout=9,timeout=7,|--|@",
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(FsOptions) options = parse_good(lines[i]);

        assert_true(options->read_only);
        assert_true(options->foreground);
        assert_int_equal(options->names, FS_NAMES_UID);
        assert_int_equal(options->settings->timeout_ms, 7000);
        assert_string_equal(options->mountpoint, mountpoint);
        assert_null(options->fuse_options[0]);
    }
}

static void
debug_and_trace_imply_foreground(void **state)
{
    g_autoptr(FsOptions) by_letter = parse_good("-d|" URL "|@");
    g_autoptr(FsOptions) by_name = parse_option("debug");
    g_autoptr(FsOptions) traced = parse_good("--trace|" URL "|@");

    assert_true(by_letter->foreground && by_letter->debug);
    assert_true(by_name->foreground && by_name->debug);
    assert_string_equal(by_name->fuse_options[0], "debug");
    assert_null(by_name->fuse_options[1]);
    assert_true(traced->foreground && traced->trace && !traced->debug);
}

static void
options_of_the_login_are_stored(void **state)
{
    g_autoptr(FsOptions) options =
        parse_option("username=me@example.org,auth=Scram-SHA-256,"
                     "password_command=pass a\\,b \\$x \\\\,"
                     "fingerprint=SHA256:" HEX32 HEX32 ","
                     "insecure_cleartext_password");

    assert_string_equal(options->settings->username, "me@example.org");
    assert_string_equal(options->settings->mechanism, "SCRAM-SHA-256");
    assert_string_equal(options->password_command, "pass a,b \\$x \\");
    assert_string_equal(options->settings->fingerprint, HEX64 HEX64);
    assert_true(options->settings->cleartext_password);
    assert_null(options->settings->password);
}

static void
options_of_the_files_are_stored(void **state)
{
    g_autoptr(FsOptions) options = parse_option(
        "uid=0,gid=root,umask=027,allow_other,default_permissions,"
        "date=sent,connections=32,poll=86400,offline_ok,cache_size=2g,ro,rw");

    assert_int_equal(options->uid, 0);
    assert_int_equal(options->gid, 0);
    assert_int_equal(options->umask, 027);
    assert_true(options->allow_other && options->default_permissions);
    assert_int_equal(options->date, FS_DATE_SENT);
    assert_int_equal(options->connections, 32);
    assert_int_equal(options->poll_seconds, 86400);
    assert_true(options->offline_ok);
    assert_int_equal(options->cache_size, G_GUINT64_CONSTANT(2) << 30);
    assert_false(options->read_only);
}

static void
tls_option_overrules_url_and_moves_port(void **state)
{
    static const struct {
        const char *words;
        ImapTls tls;
        guint16 port;
    } rows[] = {
        {"imaps://h/|@", IMAP_TLS_IMPLICIT, 993},
        {"imap://h/|@", IMAP_TLS_STARTTLS, 143},
        {"imap://h/|@|-o|tls=implicit", IMAP_TLS_IMPLICIT, 993},
        {"-o|tls=starttls|imaps://h/|@", IMAP_TLS_STARTTLS, 143},
        {"imap://h/|@|-o|tls=off", IMAP_TLS_OFF, 143},
        {"imap://h:1430/|@|-o|tls=implicit", IMAP_TLS_IMPLICIT, 1430},
        {"imaps://[::1]/|@|-o|tls=off", IMAP_TLS_OFF, 143},
        {"imaps://u@[::1]:993/|@|-o|tls=off", IMAP_TLS_OFF, 993},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(FsOptions) options = parse_good(rows[i].words);

        assert_int_equal(options->settings->tls, rows[i].tls);
        assert_int_equal(imap_settings_port(options->settings), rows[i].port);
    }
}

static void
generic_options_are_passed_on_or_ignored(void **state)
{
    g_autoptr(FsOptions) options = parse_option(
        "rw,nosuid,nodev,noexec,suid,dev,exec,noatime,atime,sync,async,user,"
        "users,noauto,auto,nofail,_netdev,x-systemd.automount,comment=a b,"
        "defaults,relatime,fsname=a\\,b,allow_root,auto_unmount,max_read=4096");
    g_autofree char *passed = g_strjoinv(" ", options->fuse_options);
    g_autofree char *user = g_strdup_printf("user=%s", g_get_user_name());
    g_autoptr(FsOptions) mounted_by_user = parse_option(user);

    assert_string_equal(passed, "nosuid nodev noexec suid dev exec noatime "
                                "atime sync async fsname=a\\,b allow_root "
                                "auto_unmount max_read=4096");
    assert_null(mounted_by_user->fuse_options[0]);
    assert_string_equal(mounted_by_user->settings->username, "alice");
}

static void
relative_paths_become_absolute(void **state)
{
    g_autofree char *here = g_get_current_dir();
    g_autofree char *secret = g_build_filename(here, "a/secret", NULL);
    g_autofree char *cache = g_build_filename(g_get_home_dir(), "c", NULL);
    g_autofree char *here_resolved = realpath(".", NULL);
    g_autoptr(FsOptions) options =
        parse_good(URL "|.|-o|nonempty,password_file=a/secret,cache_dir=~/c,"
                       "state_dir=/s");
    g_autoptr(FsOptions) none =
        parse_option("cache_dir=/x,cache_dir=none,state_dir=~user");

    assert_string_equal(options->mountpoint, here_resolved);
    assert_string_equal(options->password_file, secret);
    assert_string_equal(options->cache_dir, cache);
    assert_string_equal(options->state_dir, "/s");
    assert_true(none->no_cache_dir);
    assert_null(none->cache_dir);
    assert_true(g_str_has_suffix(none->state_dir, "/~user"));
    assert_false(none->no_state_dir);
    g_clear_pointer(&none, fs_options_free);

    none =
        parse_option("state_dir=/x,state_dir=none,cache_dir=none,cache_dir=y");
    assert_true(none->no_state_dir);
    assert_null(none->state_dir);
    assert_false(none->no_cache_dir);
    assert_true(g_str_has_suffix(none->cache_dir, "/y"));
}

static const struct {
    const char *words;
    const char *culprit; /* both stand in the message */
    const char *remedy;
} mistakes[] = {
    {"-f", "usage:", "URL|NAME MOUNTPOINT"},
    {URL, "MOUNTPOINT is missing", "usage:"},
    {"/tmp", "URL is missing", "usage:"},
    {URL "|@|more", "too many", "usage:"},
    {"@|" URL, "URL comes first", "usage:"},
    {"http://h/|@", "imap", "imap"},
    {"imaps://u:geheim@h/|@", "password", "password"},
    {URL "|@|-o", "-o", "write -o A,B=C"},
    {URL "|@|--forground", "'--forground'", "'--foreground'"},
    {URL "|@|--time-out=5", "'--time-out'", "-o timeout=..."},
    {URL "|@|--password=geheim", "'password'", "password_file="},
    {URL "|@|-pseCreT", "'-p'", "--help"},
    {URL "|@|-o|timout=5", "'timout'", "'timeout'"},
    {URL "|@|-o|nmaes=uid", "'nmaes'", "'names'"},
    {URL "|@|-o|cache-dir=/x", "'cache-dir'", "'cache_dir'"},
    {URL "|@|-o|kernel_cache", "'kernel_cache'", "--help"},
    {URL "|@|-o|password_command=a b,c d", "'c d'", "\\,"},
    {URL "|@|-o|geheimnis=geheim", "'geheimnis'", "--help"},
    {URL "|@|-o|password=geheim", "'password'", "password_file="},
    {URL "|@|-o|ro,pass=geheim", "'pass'", "password_command="},
    {URL "|@|-o|token=geheim", "'token'", "token_command="},
    {URL "|@|-o|user=geheim", "'user='", "username="},
    {URL "|@|-o|blkdev", "'blkdev'", "block device"},
    {URL "|@|-o|remount", "'remount'", "unmount"},
    {URL "|@|-o|ro=maybe", "'ro'", "no value"},
    {URL "|@|-o|timeout", "'timeout'", "timeout=SECONDS"},
    {URL "|@|-o|timeout=", "'timeout'", "timeout=SECONDS"},
    {URL "|@|-o|timeout=0", "timeout=0", "1 to 3600"},
    {URL "|@|-o|timeout=3601", "timeout=3601", "1 to 3600"},
    {URL "|@|-o|timeout=+5", "timeout=+5", "1 to 3600"},
    {URL "|@|-o|timeout= 5", "timeout= 5", "1 to 3600"},
    {URL "|@|-o|timeout=99999999999999999999", "timeout=9", "1 to 3600"},
    {URL "|@|-o|connections=33", "connections=33", "1 to 32"},
    {URL "|@|-o|poll=86401", "poll=86401", "1 to 86400"},
    {URL "|@|-o|max_read=x", "max_read=x", "number"},
    {URL "|@|-o|names=UID", "names=UID", "subject|uid"},
    {URL "|@|-o|date=now", "date=now", "received|sent"},
    {URL "|@|-o|tls=maybe", "tls=maybe", "implicit|starttls|off"},
    {URL "|@|-o|auth=cram-md5", "auth=cram-md5", "scram-sha-256"},
    {URL "|@|-o|auth=xoauth2", "auth=xoauth2", "token_command="},
    {URL "|@|-o|fingerprint=" HEX32, "fingerprint=", "64 hex"},
    {URL "|@|-o|cache_size=1023K", "cache_size=1023K", "at least 1M"},
    {URL "|@|-o|cache_size=99999999T", "cache_size=99999999T", "at least"},
    {URL "|@|-o|uid=no-such-user", "uid=no-such-user", "number"},
    {URL "|@|-o|gid=4294967295", "gid=4294967295", "number"},
    {URL "|@|-o|umask=8", "umask=8", "octal"},
    {URL "|@|-o|umask=1000", "umask=1000", "octal"},
    {URL "|@|-o|password_file=a,password_command=b", "password_file", "one"},
    {URL "|@|-o|token_command=a,password_file=b", "token_command", "one"},
    {URL "|@|-o|token_command=a,password_command=b", "token_command", "one"},
    {URL "|@|-o|token_command=a,auth=plain", "token_command", "auth=plain"},
    {URL "|@|-o|client_key=/etc/passwd", "client_key", "client_cert=FILE"},
    {URL "|@|-o|ca_file=/etc/passwd,fingerprint=" HEX64 HEX64, "ca_file",
     "choose one"},
    {URL "|@|-o|ca_file=/no/such", "ca_file", "/no/such"},
    {URL "|@|-o|allow_other,allow_root", "allow_root", "choose one"},
    {"--check|/no/url", "URL", "imaps://"},
    {"--check|" URL "|@", "--check", "no mountpoint"},
    {"--check|" URL "|-o|timout=3", "timout", "timeout"},
    {"--fetch|/mnt|-o|ro", "--fetch", "-o is of no use"},
    {"--fetch|" URL "|-o|auth=xoauth2", "xoauth2", "token_command"},
    {"--status|/mnt|/other", "--status", "nothing else"},
    {"--status|/mnt|-o|ro", "--status", "nothing else"},
    {"--wait|/mnt|/other", "--wait", "nothing else"},
    {"--status|/mnt|--wait|/mnt", "--status", "choose one"},
    {"--check|" URL "|--fetch|/mnt", "--check", "choose one"},
    {"--watch|" URL "|@", "--watch", "--status"},
    {"-q|-v|" URL "|@", "-q", "choose one"},
    {"-qd|" URL "|@", "-d", "choose one"},
    {URL "|/no/such/place", "/no/such/place", "mkdir"},
    {URL "|/etc/passwd", "/etc/passwd", "not a directory"},
    {URL "|/etc/passwd/x", "/etc/passwd/x", "Not a directory"},
    {URL "|@|-o|\xff\x1b[31m=1", "[31m", "--help"},
};

static void
mistakes_name_culprit_and_remedy(void **state)
{
    for (guint i = 0; i < G_N_ELEMENTS(mistakes); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FsOptions) options = NULL;

        if (parse(mistakes[i].words, &options, &error) != FS_OPTIONS_ERROR)
            fail_msg("accepted: %s", mistakes[i].words);
        assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_USAGE));
        if (strstr(error->message, mistakes[i].culprit) == NULL ||
            strstr(error->message, mistakes[i].remedy) == NULL)
            fail_msg("%s: %s", mistakes[i].words, error->message);
        assert_null(strchr(error->message, '\n'));
        assert_null(strchr(error->message, '\x1b'));
        assert_null(strstr(error->message, "geheim@"));
        assert_null(strstr(error->message, "=geheim"));
        assert_null(strstr(error->message, "seCreT"));
    }
}

static void
url_in_the_wrong_place_is_not_repeated(void **state)
{
    static const char *const lines[] = {
        "@|imaps://u:geheim@h/",
        "a|b|imaps://u:geheim@h/",
        "imaps://u:geheim@h/",
        URL "|imaps://u:geheim@h/|x",
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(FsOptions) options = NULL;

        assert_int_equal(parse(lines[i], &options, &error), FS_OPTIONS_ERROR);
        assert_null(strstr(error->message, "geheim"));
    }
}

static void
mountpoint_not_accessible_says_so(void **state)
{
    g_autofree char *inner = g_build_filename(mountpoint, "inner", NULL);
    g_autofree char *line = g_strdup_printf(URL "|%s/x", inner);
    g_autoptr(GError) error = NULL;
    g_autoptr(FsOptions) options = NULL;
    uid_t caller = geteuid();
    FsOptionsResult result;

    assert_int_equal(g_mkdir(inner, 0), 0);
    assert_int_equal(seteuid(caller == 0 ? NOBODY : caller), 0);
    result = parse(line, &options, &error);
    assert_int_equal(seteuid(caller), 0);
    g_rmdir(inner);
    assert_int_equal(result, FS_OPTIONS_ERROR);
    assert_non_null(strstr(error->message, "Permission denied"));
}

static void
nearest_name_is_near_or_none(void **state)
{
    assert_string_equal(fs_mount_options_nearest("timout", FALSE), "timeout");
    assert_string_equal(fs_mount_options_nearest("user_name", FALSE),
                        "username");
    assert_string_equal(fs_mount_options_nearest("pasword_file", FALSE),
                        "password_file");
    assert_null(fs_mount_options_nearest("nonsense", FALSE));
    assert_null(fs_mount_options_nearest("nope", FALSE));
    assert_null(fs_mount_options_nearest("", FALSE));
    assert_null(fs_mount_options_nearest("b", FALSE));
    assert_null(fs_mount_options_nearest("entry_timeout", FALSE));
    assert_null(fs_mount_options_nearest(
        "a_name_that_is_much_longer_than_any_option_there_is", FALSE));
}

static void
fingerprint_forms_become_one(void **state)
{
    g_autoptr(GString) colons = g_string_new(NULL);
    g_autofree char *from_colons = NULL;
    g_autofree char *from_digits = fs_option_parse_fingerprint(HEX32 HEX32);

    for (guint i = 0; i < 32; i++)
        g_string_append_printf(colons, "%s%.2s", i > 0 ? ":" : "",
                               (HEX32 HEX32) + 2 * i);
    from_colons = fs_option_parse_fingerprint(colons->str);
    assert_string_equal(from_digits, HEX64 HEX64);
    assert_string_equal(from_colons, HEX64 HEX64);

    g_string_append_c(colons, ':');
    assert_null(fs_option_parse_fingerprint(colons->str));
    g_string_assign(colons, HEX32 ":" HEX32);
    assert_null(fs_option_parse_fingerprint(colons->str));
    assert_null(fs_option_parse_fingerprint("sha256:"));
    assert_null(fs_option_parse_fingerprint(HEX32 HEX32 "0"));
}

/* What @words print on standard output. */
static char *
printed(const char *words, FsOptionsResult expected)
{
    g_autoptr(FsOptions) options = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *name = NULL;
    int file = g_file_open_tmp("imapfs-options-XXXXXX", &name, NULL);
    int output = dup(STDOUT_FILENO);
    FsOptionsResult result;
    char *text = NULL;

    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    result = parse(words, &options, &error);
    dup2(output, STDOUT_FILENO);
    close(output);
    close(file);
    assert_int_equal(result, expected);
    assert_true(g_file_get_contents(name, &text, NULL, NULL));
    g_unlink(name);
    return text;
}

static void
help_names_every_option_within_the_line(void **state)
{
    static const char *const names[] = {
        "ro",
        "names=",
        "date=",
        "timeout=",
        "connections=",
        "tls=",
        "ca_file=",
        "fingerprint=",
        "client_cert=",
        "client_key=",
        "password_file=",
        "password_command=",
        "token_command=",
        "auth=",
        "username=",
        "cache_dir=",
        "state_dir=",
        "cache_size=",
        "poll=",
        "uid=",
        "gid=",
        "umask=",
        "allow_other",
        "_netdev",
        "default_permissions",
        "xattr",
        "noexec",
        "--trace",
    };
    g_autofree char *help = printed("--help", FS_OPTIONS_HELP);
    g_auto(GStrv) lines = g_strsplit(help, "\n", -1);

    for (guint i = 0; i < G_N_ELEMENTS(names); i++)
        assert_non_null(strstr(help, names[i]));
    for (guint i = 0; lines[i] != NULL; i++)
        assert_true(strlen(lines[i]) < 80);
}

static void
version_names_us_and_libfuse(void **state)
{
    g_autofree char *version =
        printed("--version|--unknown", FS_OPTIONS_VERSION);

    assert_true(g_str_has_prefix(version, "imapfs " IMAPFS_VERSION "\n"));
    assert_non_null(strstr(version, "libfuse 3."));
}

static int
make_mountpoint(void **state)
{
    g_autofree char *directory = g_dir_make_tmp("imapfs-options-XXXXXX", NULL);

    /* No configuration file of whoever runs this. */
    g_setenv("XDG_CONFIG_HOME", "/nonexistent", TRUE);
    mountpoint = realpath(directory, NULL);
    return mountpoint != NULL ? 0 : -1;
}

static int
remove_mountpoint(void **state)
{
    g_rmdir(mountpoint);
    free(mountpoint);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arguments_without_options_give_defaults),
        cmocka_unit_test(commands_take_what_they_need),
        cmocka_unit_test(options_anywhere_are_collected),
        cmocka_unit_test(debug_and_trace_imply_foreground),
        cmocka_unit_test(options_of_the_login_are_stored),
        cmocka_unit_test(options_of_the_files_are_stored),
        cmocka_unit_test(tls_option_overrules_url_and_moves_port),
        cmocka_unit_test(generic_options_are_passed_on_or_ignored),
        cmocka_unit_test(relative_paths_become_absolute),
        cmocka_unit_test(mistakes_name_culprit_and_remedy),
        cmocka_unit_test(url_in_the_wrong_place_is_not_repeated),
        cmocka_unit_test(mountpoint_not_accessible_says_so),
        cmocka_unit_test(nearest_name_is_near_or_none),
        cmocka_unit_test(fingerprint_forms_become_one),
        cmocka_unit_test(help_names_every_option_within_the_line),
        cmocka_unit_test(version_names_us_and_libfuse),
    };

    return cmocka_run_group_tests(tests, make_mountpoint, remove_mountpoint);
}
