/* Reading the configuration file.
 *
 * GKeyFile takes it apart, but says of no key in which line it stands, and
 * takes the second of two for the first. So the lines are gone through first,
 * which also finds what is none of a key file's with its line. */
#include "fs/options/conf-file.h"

#include "fs/home-directory.h"
#include "fs/options/option-values.h"
#include "fs/options/usage-error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES (1024 * 1024)
#define NAME_BYTES 64
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct FsConfFile {
    char *path;
    GKeyFile *keys;
    char **accounts;
    GHashTable *lines; /* "account\nname" -> number of its line */
};

char *
fs_conf_file_default_path(void)
{
    g_autofree char *directory = fs_config_directory();

    return g_build_filename(directory, "imapfs", "imapfs.conf", NULL);
}

const char *
fs_conf_file_path(const FsConfFile *file)
{
    return file->path;
}

const char *const *
fs_conf_file_accounts(const FsConfFile *file)
{
    return (const char *const *)file->accounts;
}

gboolean
fs_conf_file_has(const FsConfFile *file, const char *account)
{
    return g_strv_contains(fs_conf_file_accounts(file), account);
}

void
fs_conf_file_free(FsConfFile *file)
{
    if (file == NULL)
        return;
    g_free(file->path);
    g_clear_pointer(&file->keys, g_key_file_free);
    g_strfreev(file->accounts);
    g_hash_table_unref(file->lines);
    g_free(file);
}

/* ---- its octets ---- */

/* Commands that it names are run with our rights. */
static gboolean
check_attributes(const char *path, const struct stat *attributes,
                 GError **error)
{
    g_autofree char *quoted = g_shell_quote(path);

    if (!S_ISREG(attributes->st_mode))
        return fs_usage_fail(error,
                             "%s is not a regular file; name another one with "
                             "--config FILE",
                             quoted);
    if (attributes->st_uid != getuid() && attributes->st_uid != 0)
        return fs_usage_fail(
            error,
            "%s belongs to another user, who could have any command "
            "run; run: chown %" G_GUINT32_FORMAT " %s",
            quoted, (guint32)getuid(), quoted);
    if ((attributes->st_mode & 022) != 0)
        return fs_usage_fail(
            error,
            "%s can be written by others (mode %04o), who could have "
            "any command run; run: chmod go-w %s",
            quoted, attributes->st_mode & 07777, quoted);
    if (attributes->st_size > FILE_BYTES)
        return fs_usage_fail(error,
                             "%s is longer than %d octets; it cannot be a "
                             "configuration file",
                             quoted, FILE_BYTES);
    return TRUE;
}

static char *
read_octets(int fd, gsize *length)
{
    char *text = g_malloc(FILE_BYTES + 1);

    *length = 0;
    while (*length < FILE_BYTES) {
        ssize_t count = read(fd, text + *length, FILE_BYTES - *length);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0) {
            g_free(text);
            return NULL;
        }
        if (count == 0)
            break;
        *length += (gsize)count;
    }
    text[*length] = '\0';
    return text;
}

/* Editors of other systems begin text with it. */
static void
pass_over_mark(char *text, gsize *length)
{
    gsize mark = strlen(BYTE_ORDER_MARK);

    if (!g_str_has_prefix(text, BYTE_ORDER_MARK))
        return;
    memmove(text, text + mark, *length + 1 - mark);
    *length -= mark;
}

static char *
read_file(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    g_autofree char *printable = fs_option_printable(path);
    struct stat attributes;
    char *text = NULL;
    gsize length = 0;

    if (fd < 0) {
        fs_usage_fail(
            error,
            "cannot read the configuration file '%s': %s; name another "
            "one with --config FILE",
            printable, g_strerror(errno));
        return NULL;
    }
    if (fstat(fd, &attributes) == 0 &&
        !check_attributes(path, &attributes, error)) {
        close(fd);
        return NULL;
    }
    text = read_octets(fd, &length);
    if (text == NULL)
        fs_usage_fail(error, "cannot read the configuration file '%s': %s",
                      printable, g_strerror(errno));
    close(fd);
    if (text != NULL)
        pass_over_mark(text, &length);
    if (text != NULL && (memchr(text, '\0', length) != NULL ||
                         !g_utf8_validate(text, (gssize)length, NULL))) {
        fs_usage_fail(error,
                      "%s is not UTF-8 text; write it anew with an editor",
                      printable);
        g_clear_pointer(&text, g_free);
    }
    return text;
}

/* ---- its lines ---- */

typedef struct {
    FsConfFile *file;
    const char *account; /* that of the lines that follow; NULL: none yet */
    GPtrArray *accounts; /* of char *, owned */
    guint number;
} Lines;

static gboolean G_GNUC_PRINTF(3, 4)
    refuse_line(const Lines *lines, GError **error, const char *format, ...)
{
    g_autofree char *reason = NULL;
    va_list arguments;

    va_start(arguments, format);
    reason = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return fs_usage_fail(error, "%s:%u: %s", lines->file->path, lines->number,
                         reason);
}

/* A name is a word on the command line and a directory of a mount of several
 * accounts, and is told from a URL and from "gmail:me". */
static gboolean
is_account_name(const char *name)
{
    if (*name == '\0' || *name == '-' || *name == '.' ||
        strlen(name) > NAME_BYTES)
        return FALSE;
    for (; *name != '\0'; name = g_utf8_next_char(name)) {
        gunichar character = g_utf8_get_char(name);

        if (!g_unichar_isgraph(character) ||
            (character < 0x80 &&
             strchr("/:\\\"'*?,[]", (int)character) != NULL))
            return FALSE;
    }
    return TRUE;
}

static gboolean
read_account(Lines *lines, char *line, GError **error)
{
    char *end = strchr(line, ']');

    if (end == NULL || end[1 + strspn(end + 1, " \t")] != '\0')
        return refuse_line(lines, error,
                           "an account's line is its name in "
                           "brackets alone: [NAME]");
    *end = '\0';
    if (!is_account_name(line + 1))
        return refuse_line(lines, error,
                           "the account's name is none; write letters, digits "
                           "and any of - _ . + @, without blanks, at most %d "
                           "octets",
                           NAME_BYTES);
    for (guint i = 0; i < lines->accounts->len; i++)
        if (strcmp(lines->accounts->pdata[i], line + 1) == 0)
            return refuse_line(lines, error,
                               "the account '%s' is there already; give each "
                               "one a name of its own",
                               line + 1);
    g_ptr_array_add(lines->accounts, g_strdup(line + 1));
    lines->account = lines->accounts->pdata[lines->accounts->len - 1];
    return TRUE;
}

static gboolean
check_name(const Lines *lines, const char *name, GError **error)
{
    g_autoptr(FsChoices) nowhere = fs_choices_new();
    g_autofree char *place =
        g_strdup_printf("%s:%u", lines->file->path, lines->number);

    return fs_choices_add(nowhere, FS_ORIGIN_FILE, place, name, NULL, error);
}

/* No message shows the line: it may hold a password. */
static gboolean
read_key(Lines *lines, char *line, GError **error)
{
    char *value = strchr(line, '=');
    g_autofree char *id = NULL;
    guint before;

    if (value == NULL)
        return refuse_line(lines, error,
                           "this line is neither [ACCOUNT], nor "
                           "NAME = VALUE, nor a comment after #");
    *value = '\0';
    g_strchomp(line);
    if (lines->account == NULL)
        return refuse_line(lines, error,
                           "an option before any account; write "
                           "[NAME] above it");
    if (!check_name(lines, line, error))
        return FALSE;
    id = g_strconcat(lines->account, "\n", line, NULL);
    before = GPOINTER_TO_UINT(g_hash_table_lookup(lines->file->lines, id));
    if (before != 0)
        return refuse_line(lines, error,
                           "'%s' was given in line %u already; leave out one "
                           "of the two",
                           line, before);
    g_hash_table_insert(lines->file->lines, g_steal_pointer(&id),
                        GUINT_TO_POINTER(lines->number));
    return TRUE;
}

static gboolean
read_lines(FsConfFile *file, const char *text, GError **error)
{
    g_auto(GStrv) all = g_strsplit(text, "\n", -1);
    Lines lines = {.file = file};
    gboolean good = TRUE;

    lines.accounts = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; good && all[i] != NULL; i++) {
        char *line = g_strstrip(all[i]);

        lines.number = i + 1;
        if (*line == '\0' || *line == '#')
            continue;
        good = *line == '[' ? read_account(&lines, line, error)
                            : read_key(&lines, line, error);
    }
    g_ptr_array_add(lines.accounts, NULL);
    file->accounts = (char **)g_ptr_array_steal(lines.accounts, NULL);
    g_ptr_array_unref(lines.accounts);
    return good;
}

FsConfFile *
fs_conf_file_read(const char *path, GError **error)
{
    g_autoptr(FsConfFile) file = g_new0(FsConfFile, 1);
    g_autoptr(GError) reason = NULL;
    g_autofree char *text = NULL;

    file->path = fs_option_absolute_path(path);
    file->lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    text = read_file(file->path, error);
    if (text == NULL || !read_lines(file, text, error))
        return NULL;
    file->keys = g_key_file_new();
    if (!g_key_file_load_from_data(file->keys, text, strlen(text),
                                   G_KEY_FILE_NONE, &reason)) {
        fs_usage_fail(error, "%s: %s", file->path, reason->message);
        return NULL;
    }
    return g_steal_pointer(&file);
}

/* ---- one account ---- */

static char *
place_of(const FsConfFile *file, const char *account, const char *name)
{
    g_autofree char *id = g_strconcat(account, "\n", name, NULL);

    return g_strdup_printf(
        "%s:%u", file->path,
        GPOINTER_TO_UINT(g_hash_table_lookup(file->lines, id)));
}

gboolean
fs_conf_file_choose(const FsConfFile *file, const char *account,
                    FsChoices *choices, const char **url, char **url_place,
                    GError **error)
{
    g_auto(GStrv) names = g_key_file_get_keys(file->keys, account, NULL, NULL);

    for (guint i = 0; names != NULL && names[i] != NULL; i++) {
        g_autofree char *place = place_of(file, account, names[i]);
        g_autofree char *value =
            g_key_file_get_value(file->keys, account, names[i], NULL);

        g_strchomp(value);
        if (!fs_choices_add(choices, FS_ORIGIN_FILE, place, names[i], value,
                            error))
            return FALSE;
    }
    *url = fs_choices_value(choices, fs_mount_option_find("url"));
    if (*url == NULL || **url == '\0')
        return fs_usage_fail(error,
                             "%s: the account '%s' has no url; write url = "
                             "imaps://USER@HOST/ below [%s]",
                             file->path, account, account);
    *url_place = place_of(file, account, "url");
    return TRUE;
}
