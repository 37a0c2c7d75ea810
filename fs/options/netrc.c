/* Taking the file apart: words with white space between, or in quotes. No copy
 * of a password is made but the one that is asked for. */
#include "fs/options/netrc.h"

#include <openssl/crypto.h>
#include <string.h>

/* A word of the text, as it stands there. */
typedef struct {
    const char *text;
    gsize length;
    gboolean quoted;
} Word;

typedef struct {
    gboolean fits; /* the host, so far */
    Word login, password;
} Entry;

static gboolean
next_word(const char **text, Word *word)
{
    const char *at = *text + strspn(*text, " \t\r\n");

    word->quoted = *at == '"';
    if (word->quoted)
        at++;
    word->text = at;
    if (word->quoted)
        for (; *at != '\0' && *at != '"'; at++)
            at += at[0] == '\\' && at[1] != '\0';
    else
        at += strcspn(at, " \t\r\n");
    word->length = (gsize)(at - word->text);
    *text = at + (word->quoted && *at == '"');
    return word->length > 0 || word->quoted;
}

static gboolean
is_word(const Word *word, const char *text)
{
    return !word->quoted && strlen(text) == word->length &&
           memcmp(word->text, text, word->length) == 0;
}

/* Without the backslashes of a word in quotes. */
static char *
text_of(const Word *word)
{
    char *text = g_malloc(word->length + 1);
    gsize length = 0;

    for (gsize i = 0; i < word->length; i++) {
        if (word->quoted && word->text[i] == '\\' && i + 1 < word->length)
            i++;
        text[length++] = word->text[i];
    }
    text[length] = '\0';
    return text;
}

static gboolean
is_text(const Word *word, const char *text)
{
    g_autofree char *own = text_of(word);

    return strcmp(own, text) == 0;
}

static gboolean
is_host(const Word *word, const char *host)
{
    g_autofree char *own = text_of(word);

    return g_ascii_strcasecmp(own, host) == 0;
}

static ImapSecret *
secret_of(const Word *word)
{
    char *text = text_of(word);
    ImapSecret *secret = imap_secret_new(text, strlen(text));

    OPENSSL_cleanse(text, word->length + 1);
    g_free(text);
    return secret;
}

/* A macro ends with an empty line. */
static void
skip_macro(const char **text)
{
    const char *end = strstr(*text, "\n\n");

    *text = end != NULL ? end + 2 : *text + strlen(*text);
}

static ImapSecret *
judge(const Entry *entry, const char *user, char **login)
{
    if (!entry->fits || entry->password.text == NULL)
        return NULL;
    if (user != NULL && entry->login.text != NULL &&
        !is_text(&entry->login, user))
        return NULL;
    if (user == NULL && entry->login.text != NULL)
        *login = text_of(&entry->login);
    return secret_of(&entry->password);
}

ImapSecret *
fs_netrc_find(const char *text, const char *host, const char *user,
              char **login)
{
    Entry entry = {.fits = FALSE};
    Word word, value;

    while (next_word(&text, &word)) {
        if (!word.quoted && *word.text == '#') {
            text = word.text + strcspn(word.text, "\n");
        } else if (is_word(&word, "macdef")) {
            skip_macro(&text);
        } else if (is_word(&word, "machine") || is_word(&word, "default")) {
            ImapSecret *secret = judge(&entry, user, login);

            if (secret != NULL)
                return secret;
            entry = (Entry){.fits = is_word(&word, "default")};
            if (!entry.fits && next_word(&text, &value))
                entry.fits = is_host(&value, host);
        } else if (is_word(&word, "login") && next_word(&text, &value)) {
            entry.login = value;
        } else if (is_word(&word, "password") && next_word(&text, &value)) {
            entry.password = value;
        } else if (is_word(&word, "account")) {
            next_word(&text, &value);
        }
    }
    return judge(&entry, user, login);
}
