/* One command on its way to the wire: protocol text, and strings whose form
 * (atom, quoted, literal) depends on what they hold and what the server takes
 * (RFC 9051 section 4.3, RFC 7888). */
#pragma once

#include <glib.h>

typedef struct ImapCommand ImapCommand;

typedef enum {
    IMAP_LITERALS_SYNCHRONISING, /* each waits for the server's "+" */
    IMAP_LITERALS_MINUS,         /* {n+} up to 4096 octets */
    IMAP_LITERALS_PLUS,          /* {n+} */
} ImapLiterals;

/* @text: protocol text of ours, never anything from a user or a server. */
ImapCommand *imap_command_new(const char *text);
void imap_command_free(ImapCommand *command); /* accepts NULL; wipes */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapCommand, imap_command_free)

/* More protocol text of ours. */
void imap_command_add_text(ImapCommand *command, const char *text);
void imap_command_add_format(ImapCommand *command, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* A string argument (astring), a mailbox's wire name among them. One with CR or
 * LF is not sent: imap_command_encode then fails. */
void imap_command_add_string(ImapCommand *command, const char *value);

/* The command shows a secret: traces leave out what follows its name. */
void imap_command_set_secret(ImapCommand *command);
gboolean imap_command_is_secret(const ImapCommand *command);

/* Nothing may be sent between this command and its reply. */
void imap_command_set_exclusive(ImapCommand *command);
gboolean imap_command_is_exclusive(const ImapCommand *command);
/* But this one may be sent behind an exclusive one, before its reply. */
void imap_command_set_follower(ImapCommand *command);
gboolean imap_command_is_follower(const ImapCommand *command);

/* The first word or two, "UID FETCH", for messages. Borrowed. */
const char *imap_command_name(const ImapCommand *command);

/* The octets to send, CRLF included, cut where the server's "+" has to be
 * awaited: an array of GString, owned by the caller. Fails with
 * IMAP_ERROR_ARGUMENT. */
GPtrArray *imap_command_encode(const ImapCommand *command, const char *tag,
                               ImapLiterals literals, GError **error);
