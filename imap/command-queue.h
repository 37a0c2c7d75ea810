/* The commands of one connection: waiting to be sent, being sent (a literal
 * waits for the server's "+"), or sent and not yet answered.
 *
 * Commands are pipelined (RFC 9051 section 5.5) up to a depth, and nothing is
 * sent behind a pending literal or a command that wants the line to itself.
 * Knows neither sockets nor timers, so that tests can drive it. */
#pragma once

#include "imap/command.h"
#include "imap/response.h"

#include <glib.h>

#define IMAP_COMMAND_QUEUE_DEPTH 20

/* So many octets of a message are read at once. */
#define IMAP_COMMAND_QUEUE_PIECE (16 * 1024)

typedef struct ImapCommandQueue ImapCommandQueue;

/* What a command does with what it brings. Every function may be NULL but done;
 * arguments are borrowed; any of them may send and cancel commands or close the
 * connection. */
typedef struct {
    /* An untagged response while the command is in flight. TRUE if it is this
     * command's; else the next command is asked. */
    gboolean (*untagged)(const ImapResponse *response, gpointer user_data);
    /* The same for the body of a message: TRUE if this command takes it. The
     * other two follow only then. */
    gboolean (*body_begin)(const ImapBody *body, gpointer user_data);
    void (*body_data)(const guint8 *data, gsize length, gpointer user_data);
    void (*body_end)(gpointer user_data);
    /* "+" when no literal waits for it. */
    void (*continuation)(const char *text, gpointer user_data);
    /* Runs once unless the command is cancelled, never inside the call that
     * sent it. @status is NULL when the connection closed, or the command could
     * not be sent. @error is NULL for OK. */
    void (*done)(const ImapStatus *status, const GError *error,
                 gpointer user_data);
} ImapCommandHandler;

/* @write sends octets; @secret: they must not be traced. */
typedef void (*ImapWriteFunc)(const char *data, gsize length, gboolean secret,
                              gpointer user_data);

ImapCommandQueue *imap_command_queue_new(ImapWriteFunc write,
                                         gpointer user_data);
/* The queue must be empty of waiters: see imap_command_queue_fail_all. */
void imap_command_queue_free(ImapCommandQueue *queue); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImapCommandQueue, imap_command_queue_free)

void imap_command_queue_set_literals(ImapCommandQueue *queue,
                                     ImapLiterals literals);

/* Queues @command (takes ownership) for imap_command_queue_flush to send.
 * @handler must stay valid. The result names it for cancelling; never 0. */
guint imap_command_queue_push(ImapCommandQueue *queue, ImapCommand *command,
                              const ImapCommandHandler *handler,
                              gpointer user_data);

/* Sends what may be sent. Runs no handler: a command that cannot be encoded is
 * put aside. */
void imap_command_queue_flush(ImapCommandQueue *queue);

/* Writes @line, CRLF added, which ends the command that has the line to itself:
 * from here on others are sent without waiting for its reply. */
void imap_command_queue_end_exclusive(ImapCommandQueue *queue,
                                      const char *line);

/* The message of a command can be sent now, or more of it. */
gboolean imap_command_queue_has_message(const ImapCommandQueue *queue);
/* A command with a message is in flight. */
gboolean imap_command_queue_has_upload(const ImapCommandQueue *queue);

/* Sends at most @room octets of that message, and when it is at its end, what
 * waits behind it. To be called whenever there is room, and something was sent
 * or answered. Fails with IMAP_ERROR_CLOSED when there is less to read than was
 * promised: then nothing more can be sent, and the connection must be closed.
 */
gboolean imap_command_queue_send_message(ImapCommandQueue *queue, gsize room,
                                         GError **error);

/* The commands put aside, and their end, each with its error. */
gboolean imap_command_queue_has_unsendable(const ImapCommandQueue *queue);
void imap_command_queue_fail_unsendable(ImapCommandQueue *queue);

/* The handler of @id is not called any more. What is not sent yet never will
 * be; what is sent keeps its tag, for the reply still comes. An unknown @id is
 * passed over. Not for commands with a message. */
void imap_command_queue_cancel(ImapCommandQueue *queue, guint id);

/* A line that begins with "+". IMAP_ERROR_PROTOCOL if nobody waits for it. */
gboolean imap_command_queue_continue(ImapCommandQueue *queue, const char *text,
                                     GError **error);

/* Gives the tagged @status to the command it answers, which leaves the queue
 * before its done function runs. @unsent: how many of the octets written last
 * have not left for the server yet. IMAP_ERROR_PROTOCOL if no command that was
 * sent has that tag, for a server that knows the answer before the question
 * must not be believed (CVE-2026-42246); IMAP_ERROR_CLOSED if a message was
 * refused in its middle, for it would have to be sent to its end. The
 * connection must be closed. */
gboolean imap_command_queue_answer(ImapCommandQueue *queue,
                                   const ImapStatus *status, gsize unsent,
                                   GError **error);

/* Offers an untagged response to the commands in flight, oldest first; one that
 * names a command, only to that. FALSE if none takes it. The same for bodies;
 * the pieces go to who took it. */
gboolean imap_command_queue_offer(ImapCommandQueue *queue,
                                  const ImapResponse *response);
gboolean imap_command_queue_body_begin(ImapCommandQueue *queue,
                                       const ImapBody *body);
/* TRUE if a command has taken the body. */
gboolean imap_command_queue_body_data(ImapCommandQueue *queue,
                                      const guint8 *data, gsize length);
void imap_command_queue_body_end(ImapCommandQueue *queue);

/* Ends every command with @error, in the order they were pushed. What handlers
 * push meanwhile ends so, too. */
void imap_command_queue_fail_all(ImapCommandQueue *queue, const GError *error);

/* Sent and unanswered; and all, those waiting included. */
guint imap_command_queue_n_in_flight(const ImapCommandQueue *queue);
guint imap_command_queue_n_pending(const ImapCommandQueue *queue);

/* Whether a command of that name was sent and is not yet answered. */
gboolean imap_command_queue_awaits(const ImapCommandQueue *queue,
                                   const char *name);

/* The name of the oldest unanswered command, for messages; NULL if none. */
const char *imap_command_queue_head(const ImapCommandQueue *queue);
