/* What a connection consists of. Included by connection.c, which moves it,
 * connection-input.c, which hears what the server says, and connection-state.c,
 * which tells of it, alone. */
#pragma once

#include "imap/compression.h"
#include "imap/connection-private.h"
#include "imap/error.h"
#include "imap/login.h"
#include "imap/parser.h"
#include "imap/transport.h"
#include "imap/upload-watch.h"
#include "imap/watchdog.h"

typedef enum {
    STATE_NEW,
    STATE_CONNECTING,
    STATE_GREETING,
    STATE_LOGIN,
    STATE_READY,
    STATE_CLOSED,
} State;

struct ImapConnection {
    guint number; /* for traces, and for users */
    const ImapSettings *settings;
    State state;
    ImapTransport *transport; /* NULL before opening and once closed */
    ImapParser *parser;       /* likewise */
    ImapCommandQueue *queue;
    ImapLogin *login; /* NULL once ready */
    ImapSession session;
    ImapPeer peer;    /* once closed */
    gboolean greeted; /* the server has said its first line */
    ImapMailbox mailbox;
    ImapListFetch *rows_ahead; /* borrowed: it outlives its command */
    ImapCompression compression;
    gint64 asked_at; /* microseconds, monotonic: the only command; 0: several */
    gint64 round_trip; /* microseconds; 0: not known */
    gint64 ready_at;   /* microseconds, monotonic; 0: not yet */
    gboolean compressed;
    gboolean tls_starting; /* between STARTTLS and the handshake's end */
    gboolean logging_out;
    gboolean paused;
    gboolean parsing;      /* inside imap_parser_feed */
    gboolean is_backlog;   /* the network does not take what we send */
    gboolean body_unasked; /* the body under way is nobody's */
    void (*end_rest)(gpointer user_data); /* NULL: it does not rest */
    gpointer end_rest_data;
    ImapUnaskedFunc unasked;
    gpointer unasked_data;

    ImapLoginGate login_gate; /* NULL: open */
    gpointer login_gate_data;

    ImapOpenFunc opened;
    gpointer opened_data;
    ImapOpenFunc closed;
    gpointer closed_data;

    GError *reason; /* why it is closed */
    guint settle_source;
    ImapWatchdog watchdog;
    ImapUploadWatch upload_watch;
    guint logout_source;
    gint64 throttled_until; /* the same */
    ImapTraffic traffic;    /* octets: of a transport that is gone */
};

/* Whether the server is to say something; @user_data is the connection. */
gboolean imap_connection_is_awaiting(gpointer user_data);

/* ---- connection.c ---- */

/* Closes it with @message, behind the name of the host. */
void imap_connection_close_with(ImapConnection *connection, ImapError code,
                                const char *message);
/* Sends of a message what the line is likely to take soon. */
void imap_connection_send_message(ImapConnection *connection);
/* Sends what the queue may send now. */
void imap_connection_flush(ImapConnection *connection);

/* ---- connection-input.c ---- */

/* Its data is the connection. */
extern const ImapParserHandler imap_connection_input;
