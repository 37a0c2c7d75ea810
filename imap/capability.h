/* The capabilities that a server announces (RFC 9051 section 7.2.2). */
#pragma once

#include <glib.h>

typedef struct ImapCapabilities ImapCapabilities;

/* From the words of a CAPABILITY response or response code, in any case. */
ImapCapabilities *imap_capabilities_new(const char *const *words);
/* The same from the text of a response code: words between spaces. */
ImapCapabilities *imap_capabilities_parse(const char *text);
void imap_capabilities_free(ImapCapabilities *capabilities); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapCapabilities, imap_capabilities_free)

/* Whether @name (upper case) is among them; FALSE when @capabilities is NULL.
 */
gboolean imap_capabilities_has(const ImapCapabilities *capabilities,
                               const char *name);

/* The N of "@name=N" (@name in upper case); FALSE if there is none. */
gboolean imap_capabilities_number(const ImapCapabilities *capabilities,
                                  const char *name, guint64 *number);

/* The mechanisms X of AUTH=X, NULL-terminated. Caller frees with g_strfreev. */
char **imap_capabilities_mechanisms(const ImapCapabilities *capabilities);

/* All of them in upper case, sorted, NULL-terminated; empty when @capabilities
 * is NULL. The strings are borrowed; caller frees the array with g_free. */
const char **imap_capabilities_list(const ImapCapabilities *capabilities);
