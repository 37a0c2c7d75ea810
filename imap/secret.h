/* A password or a token: wiped when freed, reference-counted, so that it is
 * never copied, and taken out of what others say. */
#pragma once

#include <glib.h>

typedef struct ImapSecret ImapSecret;
ImapSecret *imap_secret_new(const char *text, gsize length);
ImapSecret *imap_secret_ref(ImapSecret *secret);
void imap_secret_unref(ImapSecret *secret);             /* accepts NULL */
const char *imap_secret_text(const ImapSecret *secret); /* NUL-terminated */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapSecret, imap_secret_unref)

/* Replaces every secret that there is in @text, which is going to be shown or
 * logged, by "***": a server may repeat what it was told. Very short ones stay,
 * for they are in everything. */
void imap_secrets_hide(GString *text);
