/* Secrets, and the list of all of them: the main thread's alone. */
#include "imap/secret.h"

#include <openssl/crypto.h>
#include <string.h>

/* What is shorter says nothing where it is found. */
#define HIDDEN_OCTETS 4
#define INSTEAD "***"

struct ImapSecret {
    guint references;
    gsize length;
    char *text;
};

static GSList *all; /* of ImapSecret; there are but a few */

ImapSecret *
imap_secret_new(const char *text, gsize length)
{
    ImapSecret *secret = g_new0(ImapSecret, 1);

    secret->references = 1;
    secret->length = length;
    secret->text = g_malloc(length + 1);
    if (length > 0)
        memcpy(secret->text, text, length);
    secret->text[length] = '\0';
    all = g_slist_prepend(all, secret);
    return secret;
}

ImapSecret *
imap_secret_ref(ImapSecret *secret)
{
    secret->references++;
    return secret;
}

void
imap_secret_unref(ImapSecret *secret)
{
    if (secret == NULL || --secret->references > 0)
        return;
    all = g_slist_remove(all, secret);
    OPENSSL_cleanse(secret->text, secret->length);
    g_free(secret->text);
    g_free(secret);
}

const char *
imap_secret_text(const ImapSecret *secret)
{
    return secret->text;
}

void
imap_secrets_hide(GString *text)
{
    for (const GSList *link = all; link != NULL; link = link->next) {
        const ImapSecret *secret = link->data;

        if (strlen(secret->text) >= HIDDEN_OCTETS)
            g_string_replace(text, secret->text, INSTEAD, 0);
    }
}
