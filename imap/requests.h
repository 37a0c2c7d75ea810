/* What is asked of a server, one function a command, with the reply as values.
 *
 * Every done function runs once, from the main loop, with @error NULL for OK,
 * also when the connection ends first. Requests are not cancelled: whoever has
 * lost interest passes over the result. What these functions take is copied,
 * but handlers must stay valid. */
#pragma once

#include "imap/connection.h"
#include "imap/uid-set.h"

#include <glib.h>

/* A LIST response, kept. */
typedef struct {
    char *name;       /* wire name */
    char delimiter;   /* 0 for NIL */
    guint attributes; /* IMAP_LIST_… */
} ImapListedMailbox;

/* All mailboxes: the user's own and, by the prefixes of the other namespaces,
 * those of others. @mailboxes: an array of ImapListedMailbox, borrowed; NULL on
 * error. If the server refuses one of the lists, all fail: a part would look
 * like the whole. Only another namespace of which it says that we may not list
 * it (NOPERM, NONEXISTENT) is left out. A list that lacks INBOX is an error:
 * INBOX always exists, so the list was cut short (RFC 9051 section 5.1). */
typedef void (*ImapListFunc)(const GArray *mailboxes, const GError *error,
                             gpointer user_data);
void imap_request_list(ImapConnection *connection, ImapListFunc done,
                       gpointer user_data);

/* EXAMINE: selects the mailbox of the wire name @mailbox, never to change
 * anything. What it brings is in imap_connection_mailbox. */
typedef void (*ImapDoneFunc)(const GError *error, gpointer user_data);
void imap_request_examine(ImapConnection *connection, const char *mailbox,
                          ImapDoneFunc done, gpointer user_data);

/* The UIDs of the selected mailbox, all (@uids NULL) or those in @uids that
 * exist. Sends NOOP first, so that a server which keeps showing what another
 * client has expunged has the chance to stop. @found is borrowed, NULL on
 * error. */
typedef void (*ImapSearchFunc)(const ImapUidSet *found, const GError *error,
                               gpointer user_data);
void imap_request_search(ImapConnection *connection, const ImapUidSet *uids,
                         ImapSearchFunc done, gpointer user_data);

/* UID FETCH of what a listing shows. @uids: a sequence set of ours, "1:*".
 * @message runs for every FETCH response that lists a message, while the
 * command is in flight; borrowed. */
typedef struct {
    void (*message)(const ImapFetch *fetch, gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapFetchListHandler;
void imap_request_fetch_list(ImapConnection *connection, const char *uids,
                             gboolean with_header,
                             const ImapFetchListHandler *handler,
                             gpointer user_data);

/* UID FETCH of one message, whole, by BODY.PEEK[] (marks nothing as read).
 *
 * begin: octets follow, @size of them. @certain: the server has told that they
 * are the message @uid's; otherwise that is known only at the end, and they are
 * void if it turns out to be another's. data: more of them; end: that was all
 * and it is certain. A message that is gone brings done without begin, or an
 * error; done comes last in any case. */
typedef struct {
    void (*begin)(guint64 size, gboolean certain, gpointer user_data);
    void (*data)(const guint8 *data, gsize length, gpointer user_data);
    void (*end)(gpointer user_data);
    /* What was begun is not the message's. */
    void (*discard)(gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapFetchBodyHandler;
void imap_request_fetch_body(ImapConnection *connection, guint32 uid,
                             const ImapFetchBodyHandler *handler,
                             gpointer user_data);
