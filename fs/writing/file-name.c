/* What a file is, by its name.
 *
 * A name that looks temporary is temporary even if it ends in ".eml":
 * ".letter.eml.Xq31aB" of rsync and "~letter.eml" are not mail yet. What is
 * neither mail nor temporary is refused when it is made, so that nothing seems
 * to be stored that is not. */
#include "fs/writing/file-name.h"

#include "fs/names/maildir-name.h"

#include <string.h>

#define MAIL_SUFFIX ".eml"
#define MAILDIR_INFO ":2,"
#define SED_PREFIX "sed"
#define TMP_PREFIX "tmp"
#define PERL_LENGTH 8u

/* What programs put behind the name of a file that they are not done with. */
static const char *const scratch_suffixes[] = {
    "~",    ".part", ".partial", ".tmp",        ".temp",     ".swp",
    ".swo", ".swx",  ".lock",    ".crdownload", ".download",
};

static gboolean
is_alphanumeric(const char *text, gsize length)
{
    if (strlen(text) != length)
        return FALSE;
    for (; *text != '\0'; text++)
        if (!g_ascii_isalnum(*text) && *text != '_')
            return FALSE;
    return TRUE;
}

/* "letter", "Letter", "LETTER", each also with a number behind it. */
static gboolean
is_word(const char *name)
{
    const char *at = name;

    if (g_ascii_isalpha(*at))
        at++;
    if (g_ascii_isupper(*at))
        while (g_ascii_isupper(*at))
            at++;
    else
        while (g_ascii_islower(*at))
            at++;
    while (g_ascii_isdigit(*at))
        at++;
    return *at == '\0';
}

/* What perl -i writes to: letters and digits at random. What might be a word,
 * somebody has called so. */
static gboolean
is_of_perl(const char *name)
{
    return is_alphanumeric(name, PERL_LENGTH) && strchr(name, '_') == NULL &&
           !is_word(name);
}

static gboolean
is_scratch(const char *name)
{
    gsize length = strlen(name);

    if (*name == '.' || *name == '~' || g_str_equal(name, "4913"))
        return TRUE;
    if (length > 2 && *name == '#' && name[length - 1] == '#')
        return TRUE;
    for (guint i = 0; i < G_N_ELEMENTS(scratch_suffixes); i++)
        if (g_str_has_suffix(name, scratch_suffixes[i]))
            return TRUE;
    /* Of sed -i, and of Python's tempfile. */
    return is_of_perl(name) ||
           (g_str_has_prefix(name, SED_PREFIX) &&
            is_alphanumeric(name + strlen(SED_PREFIX), 6)) ||
           (g_str_has_prefix(name, TMP_PREFIX) &&
            is_alphanumeric(name + strlen(TMP_PREFIX), 8));
}

static gboolean
is_text(const char *name)
{
    if (!g_utf8_validate(name, -1, NULL))
        return FALSE;
    for (; *name != '\0'; name = g_utf8_next_char(name))
        if (g_unichar_iscntrl(g_utf8_get_char(name)))
            return FALSE;
    return TRUE;
}

FsFileKind
fs_file_name_kind(const char *name)
{
    if (!is_text(name))
        return FS_FILE_REFUSED;
    if (is_scratch(name))
        return FS_FILE_SCRATCH;
    if (fs_maildir_name_info(name) != NULL)
        return FS_FILE_MAILDIR;
    if (strlen(name) > strlen(MAIL_SUFFIX) &&
        g_str_has_suffix(name, MAIL_SUFFIX))
        return FS_FILE_MAIL;
    return FS_FILE_REFUSED;
}

char *
fs_file_name_flags(const char *name)
{
    const char *letters = fs_maildir_name_info(name);
    GString *result = g_string_new(NULL);

    if (letters != NULL)
        letters += strlen(MAILDIR_INFO);
    for (char letter = 'A'; letters != NULL && letter <= 'Z'; letter++)
        if (strchr(letters, letter) != NULL && fs_maildir_flag(letter) != NULL)
            g_string_append_printf(result, "%s%s", result->len > 0 ? " " : "",
                                   fs_maildir_flag(letter));
    return g_string_free(result, FALSE);
}

gboolean
fs_file_name_is_mailbox(const char *name)
{
    return *name != '.' && is_text(name);
}
