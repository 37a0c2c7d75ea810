/* What is asked of a server, one function a command, with the reply as values.
 *
 * Every done function runs once, from the main loop, with @error NULL for OK,
 * also when the connection ends first. Requests are not cancelled: whoever has
 * lost interest passes over the result. What these functions take is copied,
 * but handlers must stay valid. */
#pragma once

#include "imap/changes.h"
#include "imap/connection.h"
#include "imap/search-program.h"
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

/* The same, and what has changed since the mailbox was as it is @known (NULL:
 * it is not). @changes (takes ownership) is NULL on error, and when the server
 * cannot tell, or not reliably, or has more to tell than can be kept. */
typedef void (*ImapExamineFunc)(ImapChanges *changes, const GError *error,
                                gpointer user_data);
/* FALSE: if the server does not understand it, it is sent once more. */
gboolean imap_request_examine_since(ImapConnection *connection,
                                    const char *mailbox, const ImapKnown *known,
                                    ImapExamineFunc done, gpointer user_data);

/* SELECT: the same as the two above, so that the mailbox can be changed. That
 * the server lets it only be read is no error: see imap_connection_is_writable.
 */
void imap_request_select(ImapConnection *connection, const char *mailbox,
                         ImapDoneFunc done, gpointer user_data);
gboolean imap_request_select_since(ImapConnection *connection,
                                   const char *mailbox, const ImapKnown *known,
                                   ImapExamineFunc done, gpointer user_data);
/* SELECT if @mailbox is what was selected so that it could be changed, else
 * EXAMINE. */
void imap_request_reselect(ImapConnection *connection, const char *mailbox,
                           ImapDoneFunc done, gpointer user_data);

/* NOOP: a server which keeps showing what another client has expunged has the
 * chance to stop, and one that does not know yet what another connection has
 * brought to the mailbox, to see it. What is sent behind it finds that. */
void imap_request_noop(ImapConnection *connection);
/* The same, to see how long it takes. */
void imap_request_ping(ImapConnection *connection, ImapDoneFunc done,
                       gpointer user_data);

/* The UIDs of the selected mailbox, all (@uids NULL) or those in @uids that
 * exist. Sends NOOP first, so that a server which keeps showing what another
 * client has expunged has the chance to stop; Dovecot, which answers the two
 * together, may do so behind the answer. What has come it tells behind it, too:
 * so this is done when both are answered, and those in @uids that were not
 * found are sought once more then. Who asks for all has to look himself whether
 * anything has come (ImapMailbox). @found is borrowed, NULL on error. */
typedef void (*ImapSearchFunc)(const ImapUidSet *found, const GError *error,
                               gpointer user_data);
void imap_request_search(ImapConnection *connection, const ImapUidSet *uids,
                         ImapSearchFunc done, gpointer user_data);

/* The same by what messages are like. Everything that is given must hold. It is
 * sent when NOOP was answered: what other connections had done by then is in.
 */
typedef struct {
    const ImapUidSet *uids; /* NULL: any */
    guint32 from_uid;       /* this one or higher */
    gboolean is_deleted;    /* marked \\Deleted */
    /* In the field of this name, the text somewhere: by the server's idea of
     * it, so what is found has to be compared. NULL: any. */
    const char *field;
    const char *text;
} ImapSought;
void imap_request_find(ImapConnection *connection, const ImapSought *sought,
                       ImapSearchFunc done, gpointer user_data);

/* The same by any search keys. Fails with IMAP_ERROR_UNSUPPORTED if the server
 * lacks what @program requires, or cannot search in UTF-8 (BADCHARSET). */
void imap_request_search_for(ImapConnection *connection,
                             const ImapSearchProgram *program,
                             ImapSearchFunc done, gpointer user_data);

/* UID FETCH of what a listing shows. @uids: a sequence set of ours, "1:*".
 * @message runs for every FETCH response that lists a message, while the
 * command is in flight; borrowed. Where the server has an identity of the
 * content (EMAILID, X-GM-MSGID), it comes along. */
typedef struct {
    void (*message)(const ImapFetch *fetch, gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapFetchListHandler;
void imap_request_fetch_list(ImapConnection *connection, const char *uids,
                             gboolean with_header,
                             const ImapFetchListHandler *handler,
                             gpointer user_data);

/* UID FETCH of flags: of those messages of @uids ("1:*", a sequence set of
 * ours) that changed since @modseq, or of all (0; the only value for a server
 * without CONDSTORE). With QRESYNC enabled and a @modseq, the messages that
 * have vanished since are told as well. Sends NOOP first, and is done when both
 * are answered, as imap_request_search is. @flags: as imap_flags_to_string
 * writes them; borrowed. complete (may be NULL): right before done, all that
 * happened to @uids since then and up to @modseq has been told; at most once,
 * and only if that is certain. */
typedef struct {
    void (*flags)(guint32 uid, const char *flags, gpointer user_data);
    void (*vanished)(const ImapUidSet *uids, gpointer user_data);
    void (*complete)(guint64 modseq, gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapFlagsHandler;
void imap_request_flags(ImapConnection *connection, const char *uids,
                        guint64 modseq, const ImapFlagsHandler *handler,
                        gpointer user_data);

/* UID FETCH of messages, whole or in part, by BODY.PEEK[] (marks nothing as
 * read).
 *
 * begin: octets follow, @size of them, of the message @uid; or, @uid 0, of one
 * that the server names only at the end. data: more of them; end: that was all,
 * and it is certain that they were the message @uid's. discard: what was begun
 * is no message's that was asked for. The messages come in any order, each once
 * or not at all: one that is gone is passed over by the server, or makes it
 * refuse. done comes last in any case. */
typedef struct {
    void (*begin)(guint32 uid, guint64 size, gpointer user_data);
    void (*data)(const guint8 *data, gsize length, gpointer user_data);
    void (*end)(guint32 uid, gpointer user_data);
    void (*discard)(gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapBodiesHandler;

/* @uids: of which at most some hundred ranges, for the sake of the line. */
void imap_request_fetch_bodies(ImapConnection *connection,
                               const ImapUidSet *uids,
                               const ImapBodiesHandler *handler,
                               gpointer user_data);

/* Of one message, the @length octets from @offset, or as many of them as there
 * are. */
void imap_request_fetch_part(ImapConnection *connection, guint32 uid,
                             guint64 offset, guint32 length,
                             const ImapBodiesHandler *handler,
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
