/* APPEND and REPLACE: a message goes to the server.
 *
 * The octets are pulled from a reader as fast as the line takes them, so no
 * message need be in memory. While they go, nothing else is sent on that
 * connection: who sends much asks for IMAP_LEASE_UPLOAD. Each piece that the
 * line takes is a sign of life, so a long upload runs into no deadline as long
 * as it moves.
 *
 * Up to IMAP_APPEND_PIPELINED octets go along with the command, if the server
 * takes that (LITERAL+; LITERAL- up to 4096). More wait for the server's "+",
 * so that a refusal comes before the octets (RFC 7888). */
#pragma once

#include "imap/connection.h"
#include "imap/requests.h"

#include <glib.h>

#define IMAP_APPEND_PIPELINED (64u * 1024)

#define IMAP_APPEND_NO_DATE G_MININT64

typedef struct {
    const char *mailbox; /* wire name */
    guint64 size;        /* octets; > 0, for servers disagree on nothing */
    /* NULL-terminated, "\\Seen" or keywords; NULL: none. "\\Recent" is left
     * out. One that is no atom is IMAP_ERROR_ARGUMENT. */
    const char *const *flags;
    gint64 date; /* seconds since the epoch; IMAP_APPEND_NO_DATE: now */
    /* UID REPLACE (RFC 8508): a message of the selected mailbox, which must be
     * writable, that goes when the new one is there; 0: none. */
    guint32 replaces;
} ImapAppend;

/* What is known afterwards. */
typedef struct {
    guint64 uidvalidity; /* the mailbox's; 0 when @uid is */
    guint32 uid;         /* 0: the server has not told, or has refused */
    /* With an error: the server may have the message all the same, for it had
     * all of it, and the line was cut before its answer. It has to be looked
     * for before it is sent again. FALSE: it certainly has not. */
    gboolean is_uncertain;
} ImapAppended;

typedef struct {
    /* The next octets of the message, up to @size of them, into @buffer: how
     * many. 0 or less: there are no more; before ImapAppend.size that ends the
     * connection, for nothing else ends a literal. Runs from the main loop or
     * inside the call that sends; not after done. Must neither block for long
     * nor call back into the connection. */
    gssize (*read)(void *buffer, gsize size, gpointer user_data);
    /* Runs once, from the main loop. @appended is borrowed, never NULL. */
    void (*done)(const ImapAppended *appended, const GError *error,
                 gpointer user_data);
} ImapAppendHandler;

/* IMAP_ERROR_TOO_BIG, and nothing is sent, if the server has announced a limit
 * that is lower; IMAP_ERROR_UNSUPPORTED with @replaces and without REPLACE.
 * @handler must stay valid. */
gboolean imap_can_replace(const ImapConnection *connection);
void imap_request_append(ImapConnection *connection, const ImapAppend *append,
                         const ImapAppendHandler *handler, gpointer user_data);

/* The most octets that a message may have (APPENDLIMIT, RFC 7889); FALSE if the
 * server has not announced it for all mailboxes. */
gboolean imap_append_limit(ImapConnection *connection, guint64 *octets);
