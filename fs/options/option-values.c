/* The values of options.
 *
 * GLib's number parsers take signs, white space and overflow in their stride;
 * these take nothing that is not plainly meant. */
#include "fs/options/option-values.h"

#include "fs/home-directory.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>

#define FINGERPRINT_PREFIX "sha256:"
#define FINGERPRINT_PAIRS 32
#define PRINTABLE_BYTES 200

static char *directory; /* of relative paths; NULL: the present one */

static gboolean
is_digits(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

gboolean
fs_option_parse_number(const char *text, guint64 min, guint64 max,
                       guint64 *number)
{
    return is_digits(text) &&
           g_ascii_string_to_unsigned(text, 10, min, max, number, NULL);
}

gboolean
fs_option_parse_size(const char *text, guint64 *size)
{
    static const char suffixes[] = "KMGT";
    g_autofree char *digits = g_strdup(text);
    gsize length = strlen(digits);
    const char *suffix = NULL;
    guint shift = 0;

    if (length > 0)
        suffix = strchr(suffixes, g_ascii_toupper(digits[length - 1]));
    if (suffix != NULL) {
        shift = 10 * (guint)(suffix - suffixes + 1);
        digits[length - 1] = '\0';
    }
    if (!fs_option_parse_number(digits, 0, G_MAXUINT64 >> shift, size))
        return FALSE;
    *size <<= shift;
    return TRUE;
}

char *
fs_option_show_size(guint64 size)
{
    static const char *const suffixes[] = {"", "K", "M", "G", "T"};
    guint i = 0;

    while (size > 0 && size % 1024 == 0 && i + 1 < G_N_ELEMENTS(suffixes)) {
        size /= 1024;
        i++;
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT "%s", size, suffixes[i]);
}

gboolean
fs_option_parse_flag(const char *text, gboolean *flag)
{
    static const char *const words[][2] = {
        {"no", "yes"}, {"false", "true"}, {"off", "on"}, {"0", "1"}};

    *flag = TRUE;
    if (text == NULL)
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
        for (guint j = 0; j < 2; j++) {
            if (strcmp(words[i][j], text) == 0) {
                *flag = j == 1;
                return TRUE;
            }
        }
    }
    return FALSE;
}

gboolean
fs_option_parse_umask(const char *text, mode_t *umask)
{
    guint64 number;

    if (!is_digits(text) ||
        !g_ascii_string_to_unsigned(text, 8, 0, 0777, &number, NULL))
        return FALSE;
    *umask = (mode_t)number;
    return TRUE;
}

/* The last number is the kernel's "none". */
static gboolean
parse_id(const char *text, guint32 *id)
{
    guint64 number;

    if (!fs_option_parse_number(text, 0, G_MAXUINT32 - 1, &number))
        return FALSE;
    *id = (guint32)number;
    return TRUE;
}

gboolean
fs_option_parse_user(const char *text, uid_t *uid)
{
    const struct passwd *entry = getpwnam(text);

    if (entry == NULL)
        return parse_id(text, uid);
    *uid = entry->pw_uid;
    return TRUE;
}

gboolean
fs_option_parse_group(const char *text, gid_t *gid)
{
    const struct group *entry = getgrnam(text);

    if (entry == NULL)
        return parse_id(text, gid);
    *gid = entry->gr_gid;
    return TRUE;
}

char *
fs_option_parse_fingerprint(const char *text)
{
    g_autoptr(GString) digits = g_string_new(NULL);
    gboolean colons;

    if (g_ascii_strncasecmp(text, FINGERPRINT_PREFIX,
                            strlen(FINGERPRINT_PREFIX)) == 0)
        text += strlen(FINGERPRINT_PREFIX);
    colons = strchr(text, ':') != NULL;

    for (guint i = 0; i < FINGERPRINT_PAIRS; i++) {
        if (colons && i > 0 && *text++ != ':')
            return NULL;
        if (!g_ascii_isxdigit(text[0]) || !g_ascii_isxdigit(text[1]))
            return NULL;
        g_string_append_c(digits, g_ascii_tolower(text[0]));
        g_string_append_c(digits, g_ascii_tolower(text[1]));
        text += 2;
    }
    if (*text != '\0')
        return NULL;
    return g_string_free(g_steal_pointer(&digits), FALSE);
}

void
fs_option_note_directory(void)
{
    g_free(directory);
    directory = g_get_current_dir();
}

char *
fs_option_absolute_path(const char *path)
{
    g_autofree char *here = NULL;

    if (g_path_is_absolute(path))
        return g_strdup(path);
    if (strcmp(path, "~") == 0)
        return fs_home_directory();
    if (g_str_has_prefix(path, "~/")) {
        here = fs_home_directory();
        return g_build_filename(here, path + 2, NULL);
    }
    here = directory == NULL ? g_get_current_dir() : g_strdup(directory);
    return g_build_filename(here, path, NULL);
}

char *
fs_option_printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *printable = g_string_new(NULL);

    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (printable->len >= PRINTABLE_BYTES) {
            g_string_append(printable, "...");
            break;
        }
        if (g_unichar_isprint(character))
            g_string_append_unichar(printable, character);
        else
            g_string_append_c(printable, '?');
    }
    return g_string_free(printable, FALSE);
}
