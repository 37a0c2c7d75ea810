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

/* Gives the next octets of a message, up to @size of them; 0 or less: there are
 * no more. */
typedef gssize (*ImapReadFunc)(void *buffer, gsize size, gpointer user_data);

/* A message, the last argument: a literal of @size octets that are not kept,
 * but read when the line takes them. It waits for the server's "+" if it is
 * longer than @max_pipelined, or than what the server takes without. */
void imap_command_add_message(ImapCommand *command, guint64 size,
                              guint64 max_pipelined, ImapReadFunc read,
                              gpointer user_data);
/* How long it is; 0: there is none. */
guint64 imap_command_message_size(const ImapCommand *command);
gssize imap_command_read_message(const ImapCommand *command, void *buffer,
                                 gsize size);
/* Whether it waits for the server's "+". */
gboolean imap_command_message_waits(const ImapCommand *command,
                                    ImapLiterals literals);

/* It is not going to be sent, for @error (takes ownership): so what is wrong
 * with a command is told in the same way as what a server does not like. */
void imap_command_refuse(ImapCommand *command, GError *error);

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
 * awaited: an array of GString, owned by the caller. A message is not among
 * them, nor the CRLF behind it. Fails with IMAP_ERROR_ARGUMENT, or what the
 * command was refused for. */
GPtrArray *imap_command_encode(const ImapCommand *command, const char *tag,
                               ImapLiterals literals, GError **error);
