/* What each option does to FsOptions, and what FsOptions has of it. */
#include "fs/options/option-setters.h"

#include "fs/kernel/crawlers.h"
#include "fs/kernel/errno.h"
#include "fs/options/option-values.h"
#include "imap/changes.h"

#include <string.h>

G_STATIC_ASSERT(sizeof(FsNames) == sizeof(guint));
G_STATIC_ASSERT(sizeof(FsDate) == sizeof(guint));
G_STATIC_ASSERT(sizeof(FsRemove) == sizeof(guint));
G_STATIC_ASSERT(sizeof(ImapTls) == sizeof(guint));
G_STATIC_ASSERT(IMAP_TLS_IMPLICIT == 0 && IMAP_TLS_STARTTLS == 1 &&
                IMAP_TLS_OFF == 2);
G_STATIC_ASSERT(sizeof(ImapCompress) == sizeof(guint));
G_STATIC_ASSERT(IMAP_COMPRESS_AUTO == 0 && IMAP_COMPRESS_ON == 1 &&
                IMAP_COMPRESS_OFF == 2);

static gpointer
field(const FsOptions *options, const FsMountOption *option)
{
    char *base = option->place == FS_PLACE_SETTINGS ? (char *)options->settings
                                                    : (char *)options;

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

/* ---- by kind ---- */

static gboolean
parse_flag(const FsMountOption *option, const char *value, gboolean *flag,
           GError **error)
{
    if (fs_option_parse_flag(value, flag))
        return TRUE;
    g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                "option '%s' takes no value but yes or no", option->name);
    return FALSE;
}

static gboolean
set_flag(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    gboolean flag;

    if (!parse_flag(option, value, &flag, error))
        return FALSE;
    if (option->place != FS_PLACE_NONE)
        *(gboolean *)field(options, option) = flag;
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
    if (option->place != FS_PLACE_NONE)
        *(guint *)field(options, option) = (guint)number;
    return TRUE;
}

static gboolean
set_size(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    gboolean may_be_none = g_str_has_suffix(option->value, "|none");
    guint64 size = 0;

    if (!(may_be_none && strcmp(value, "none") == 0) &&
        (!fs_option_parse_size(value, &size) || size < option->min)) {
        g_autofree char *least = fs_option_show_size(option->min);

        return refuse_value(option, value, error,
                            "a number of octets is needed, such as 500M or 2G, "
                            "at least %s%s",
                            least, may_be_none ? ", or none" : "");
    }
    *(guint64 *)field(options, option) = size;
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

static gboolean
set_user(FsOptions *options, const FsMountOption *option, const char *value,
         GError **error)
{
    if (!fs_option_parse_user(value, field(options, option)))
        return refuse_value(option, value, error,
                            "no such user; write a name or a number");
    return TRUE;
}

static gboolean
set_group(FsOptions *options, const FsMountOption *option, const char *value,
          GError **error)
{
    if (!fs_option_parse_group(value, field(options, option)))
        return refuse_value(option, value, error,
                            "no such group; write a name or a number");
    return TRUE;
}

/* Whatever the kind: a place is not needed for a flag or a number. */
static FsOptionSetFunc
usual_setter(const FsMountOption *option)
{
    switch (option->kind) {
    case FS_VALUE_FLAG:
        return set_flag;
    case FS_VALUE_NUMBER:
        return set_number;
    case FS_VALUE_TEXT:
    case FS_VALUE_COMMAND:
        return option->place != FS_PLACE_NONE ? set_text : NULL;
    case FS_VALUE_FILE:
    case FS_VALUE_DIRECTORY:
        return set_path;
    case FS_VALUE_SIZE:
        return set_size;
    case FS_VALUE_CHOICE:
        return set_choice;
    case FS_VALUE_USER:
        return set_user;
    case FS_VALUE_GROUP:
        return set_group;
    }
    g_assert_not_reached();
}

gboolean
fs_mount_option_set(FsOptions *options, const FsMountOption *option,
                    const char *value, GError **error)
{
    FsOptionSetFunc set =
        option->set != NULL ? option->set : usual_setter(option);

    if (option->kind != FS_VALUE_FLAG && (value == NULL || *value == '\0')) {
        g_set_error(error, FS_ERROR, FS_ERROR_USAGE,
                    "option '%s' needs a value: %s=%s", option->name,
                    option->name, option->value);
        return FALSE;
    }
    return set == NULL || set(options, option, value, error);
}

static char *
show_choice(const FsMountOption *option, guint place)
{
    g_auto(GStrv) words = g_strsplit(option->value, "|", -1);

    return g_strdup(words[place]);
}

char *
fs_mount_option_show(const FsOptions *options, const FsMountOption *option)
{
    gpointer place = field(options, option);

    if (option->show != NULL)
        return option->show(options, option);
    if (option->place == FS_PLACE_NONE)
        return NULL;
    switch (option->kind) {
    case FS_VALUE_FLAG:
        return g_strdup(*(gboolean *)place ? "yes" : "no");
    case FS_VALUE_TEXT:
    case FS_VALUE_COMMAND:
    case FS_VALUE_FILE:
    case FS_VALUE_DIRECTORY:
        return g_strdup(*(char **)place);
    case FS_VALUE_NUMBER:
        return g_strdup_printf("%u", *(guint *)place);
    case FS_VALUE_SIZE:
        return *(guint64 *)place > 0 ? fs_option_show_size(*(guint64 *)place)
                                     : NULL;
    case FS_VALUE_CHOICE:
        return show_choice(option, *(guint *)place);
    case FS_VALUE_USER:
    case FS_VALUE_GROUP:
        return g_strdup_printf("%" G_GUINT32_FORMAT, *(guint32 *)place);
    }
    g_assert_not_reached();
}
G_STATIC_ASSERT(sizeof(uid_t) == sizeof(guint32));
G_STATIC_ASSERT(sizeof(gid_t) == sizeof(guint32));

/* ---- what is unlike others of its kind ---- */

gboolean
fs_set_read_write(FsOptions *options, const FsMountOption *option,
                  const char *value, GError **error)
{
    gboolean writable;

    if (!parse_flag(option, value, &writable, error))
        return FALSE;
    options->read_only = !writable;
    return TRUE;
}

gboolean
fs_set_timeout(FsOptions *options, const FsMountOption *option,
               const char *value, GError **error)
{
    if (!set_number(options, option, value, error))
        return FALSE;
    options->settings->timeout_ms *= 1000;
    return TRUE;
}

char *
fs_show_timeout(const FsOptions *options, const FsMountOption *option)
{
    return g_strdup_printf("%u", options->settings->timeout_ms / 1000);
}

gboolean
fs_set_mechanism(FsOptions *options, const FsMountOption *option,
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

char *
fs_show_mechanism(const FsOptions *options, const FsMountOption *option)
{
    const char *mechanism = options->settings->mechanism;

    return mechanism != NULL ? g_ascii_strdown(mechanism, -1) : NULL;
}

gboolean
fs_set_fingerprint(FsOptions *options, const FsMountOption *option,
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

gboolean
fs_set_cache_dir(FsOptions *options, const FsMountOption *option,
                 const char *value, GError **error)
{
    return set_directory(options, option, value, &options->no_cache_dir, error);
}

char *
fs_show_cache_dir(const FsOptions *options, const FsMountOption *option)
{
    return g_strdup(options->no_cache_dir ? "none" : options->cache_dir);
}

gboolean
fs_set_state_dir(FsOptions *options, const FsMountOption *option,
                 const char *value, GError **error)
{
    return set_directory(options, option, value, &options->no_state_dir, error);
}

char *
fs_show_state_dir(const FsOptions *options, const FsMountOption *option)
{
    return g_strdup(options->no_state_dir ? "none" : options->state_dir);
}

/* A flag is one word, a system flag behind a backslash. */
gboolean
fs_set_new_flags(FsOptions *options, const FsMountOption *option,
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
        if (*words[i] == '\0' || *at != '\0' || at[-1] == '\\' ||
            !imap_flag_may_be_given(words[i]))
            return refuse_value(option, value, error,
                                "write flags with + between, such as "
                                "\\Seen+\\Flagged, or none");
    }
    options->new_flags = g_strjoinv(" ", words);
    return TRUE;
}

char *
fs_show_new_flags(const FsOptions *options, const FsMountOption *option)
{
    if (*options->new_flags == '\0')
        return g_strdup("none");
    return g_strdelimit(g_strdup(options->new_flags), " ", '+');
}

gboolean
fs_set_crawlers(FsOptions *options, const FsMountOption *option,
                const char *value, GError **error)
{
    if (*value == '\0')
        return refuse_value(option, value, error,
                            "names of processes with + between are needed, "
                            "or " FS_CRAWLERS_ALLOW);
    g_free(options->crawlers);
    options->crawlers = g_strdup(value);
    return TRUE;
}

char *
fs_show_crawlers(const FsOptions *options, const FsMountOption *option)
{
    return g_strdup(options->crawlers);
}

gboolean
fs_set_umask(FsOptions *options, const FsMountOption *option, const char *value,
             GError **error)
{
    if (!fs_option_parse_umask(value, &options->umask))
        return refuse_value(option, value, error,
                            "an octal number up to 777 is needed");
    return TRUE;
}

char *
fs_show_umask(const FsOptions *options, const FsMountOption *option)
{
    return g_strdup_printf("%03o", (guint)options->umask);
}
