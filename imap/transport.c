/* One line to a server: GIO connects it, then the bare file descriptor is ours.
 *
 * A GSource of our own drives everything. It asks for IN while we may read and
 * for OUT while something waits to be sent, and it is ready without the
 * descriptor's help when work is left: decrypted octets that poll cannot see, a
 * budget used up, a failure found outside the loop. So no handler ever runs
 * inside a call to the transport, and decrypted octets are never forgotten.
 *
 * Every handler may free the transport. The dispatcher holds a reference and
 * looks at the state after each of them: closed means hands off. */
#include "imap/transport.h"

#include "imap/deflate.h"
#include "imap/error.h"
#include "imap/line.h"
#include "imap/send-buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READ_BUFFER_SIZE (64 * 1024)
#define DISPATCH_BUDGET (256 * 1024) /* octets each way before others run */

typedef enum {
    STATE_NEW,
    STATE_CONNECTING,
    STATE_HANDSHAKE,
    STATE_OPEN,
    STATE_FAILED, /* the loop is about to say so; nothing moves any more */
    STATE_CLOSED, /* the handler has heard the end, or wants to hear no more */
} State;

typedef struct {
    GSource base;
    ImapTransport *transport; /* NULL once closed */
    gpointer tag;             /* NULL while the descriptor is not watched */
    GIOCondition watched;
} TransportSource;

struct ImapTransport {
    guint
        references; /* the owner's, the dispatcher's, GIO's while connecting */
    const ImapSettings *settings;
    const ImapTransportHandler *handler;
    gpointer user_data;

    State state;
    ImapLine *line; /* NULL before it is up */
    ImapPeer peer;
    GCancellable *cancellable;
    TransportSource *source;

    gboolean run_now;  /* dispatch without waiting for the descriptor */
    gboolean announce; /* ready() is due */
    gboolean paused;
    gboolean readable; /* the last read did not say that it would block */
    gboolean read_wants_write;
    gboolean write_wants_read;
    GError *failure; /* to be reported from the loop */
    GError *write_failure;

    ImapSendBuffer unsent;
    ImapDeflate *deflate; /* NULL: in clear */
    guint8 *packed;       /* what came of the line, while it is inflated */
    GQueue writes;        /* of Write, the oldest first; under compression */

    gint64 polling_since; /* microseconds, monotonic; 0: not polling */
    gint64 waited;        /* microseconds */
    guint64 bytes_received;
    guint64 bytes_sent;
    guint64 line_received;
    guint8 *buffer;
};

/* A write that has not left as a whole, in octets. */
typedef struct {
    gsize plain;
    gsize packed;
} Write;

/* ---- life ---- */

static ImapTransport *
transport_ref(ImapTransport *transport)
{
    transport->references++;
    return transport;
}

static void
transport_unref(ImapTransport *transport)
{
    if (--transport->references > 0)
        return;
    imap_peer_clear(&transport->peer);
    g_clear_error(&transport->failure);
    g_clear_error(&transport->write_failure);
    g_queue_clear_full(&transport->writes, g_free);
    imap_deflate_free(transport->deflate);
    g_free(transport->packed);
    g_free(transport->buffer);
    g_free(transport);
}

ImapTransport *
imap_transport_new(const ImapSettings *settings,
                   const ImapTransportHandler *handler, gpointer user_data)
{
    ImapTransport *transport = g_new0(ImapTransport, 1);

    /* OpenSSL write()s to the socket. Initialising GSocket's class is what
     * makes the process ignore SIGPIPE; adopting a descriptor would not. */
    g_type_class_unref(g_type_class_ref(G_TYPE_SOCKET));

    transport->references = 1;
    transport->settings = settings;
    transport->handler = handler;
    transport->user_data = user_data;
    transport->cancellable = g_cancellable_new();
    imap_send_buffer_init(&transport->unsent);
    g_queue_init(&transport->writes);
    return transport;
}

static void
drop_reference(gpointer transport, GClosure *closure)
{
    transport_unref(transport);
}

/* Lets go of everything that the world can see. */
static void
transport_close(ImapTransport *transport)
{
    transport->state = STATE_CLOSED;
    g_cancellable_cancel(transport->cancellable);
    g_clear_object(&transport->cancellable);
    if (transport->source != NULL) {
        transport->source->transport = NULL;
        g_source_destroy(&transport->source->base);
        g_source_unref(&transport->source->base);
        transport->source = NULL;
    }
    imap_send_buffer_clear(&transport->unsent);
    g_clear_pointer(&transport->line, imap_line_free);
}

void
imap_transport_free(ImapTransport *transport)
{
    if (transport == NULL)
        return;
    if (transport->state != STATE_CLOSED)
        transport_close(transport);
    transport_unref(transport);
}

static void
report_closed(ImapTransport *transport, GError *error) /* takes ownership */
{
    g_autoptr(GError) owned = error;

    transport_close(transport);
    transport->handler->closed(owned, transport->user_data);
}

/* ---- when to run ---- */

static gboolean
is_runnable(const ImapTransport *transport)
{
    if (transport->run_now)
        return TRUE;
    return transport->state == STATE_OPEN && transport->readable &&
           !transport->paused;
}

static GIOCondition
wanted_condition(const ImapTransport *transport)
{
    GIOCondition condition = 0;

    if (transport->line == NULL)
        return 0;
    if (transport->state == STATE_HANDSHAKE)
        return transport->read_wants_write ? G_IO_OUT : G_IO_IN;
    if (transport->state != STATE_OPEN)
        return 0;
    if (transport->paused)
        condition |= transport->write_wants_read ? G_IO_IN : 0;
    else
        condition |= transport->read_wants_write ? G_IO_OUT : G_IO_IN;
    if (transport->unsent.length > 0 && !transport->write_wants_read)
        condition |= G_IO_OUT;
    return condition;
}

/* A descriptor of which nothing is wanted must not be watched at all: poll
 * reports a hang-up unasked, again and again. */
static void
update_watch(ImapTransport *transport)
{
    TransportSource *source = transport->source;
    GIOCondition wanted;

    if (source == NULL)
        return;
    wanted = wanted_condition(transport);
    if (wanted == source->watched)
        return;
    if (source->tag == NULL)
        source->tag = g_source_add_unix_fd(
            &source->base, imap_line_descriptor(transport->line), wanted);
    else if (wanted != 0)
        g_source_modify_unix_fd(&source->base, source->tag, wanted);
    else
        g_source_remove_unix_fd(&source->base, g_steal_pointer(&source->tag));
    source->watched = wanted;
}

/* A failure found inside a call: reported by the loop. */
static void
fail_later(ImapTransport *transport, GError *error) /* takes ownership */
{
    transport->failure = error;
    transport->state = STATE_FAILED;
    transport->run_now = TRUE;
}

/* ---- sending and receiving ---- */

/* @sent packed octets have left. */
static void
forget_writes(ImapTransport *transport, gsize sent)
{
    while (transport->writes.length > 0) {
        Write *write = g_queue_peek_head(&transport->writes);
        gsize part = MIN(write->packed, sent);

        write->packed -= part;
        sent -= part;
        if (write->packed > 0)
            return;
        g_free(g_queue_pop_head(&transport->writes));
    }
}

/* A line that cannot be written to may still hold the reason, such as a BYE:
 * what has arrived is read before the failure is reported. */
static void
flush(ImapTransport *transport)
{
    gsize total = 0;
    ImapIo io = IMAP_IO_DONE;

    while (io == IMAP_IO_DONE && total < DISPATCH_BUDGET &&
           transport->unsent.length > 0) {
        gsize length;
        gsize sent;
        const guint8 *data = imap_send_buffer_peek(&transport->unsent, &length);

        io = imap_line_send(transport->line, data, length, &sent,
                            &transport->write_failure);
        imap_send_buffer_consume(&transport->unsent, sent);
        total += sent;
    }
    transport->write_wants_read = io == IMAP_IO_WANTS_READ;
    if (io == IMAP_IO_FAILED) {
        imap_send_buffer_clear(&transport->unsent);
        transport->readable = TRUE;
    }
    transport->bytes_sent += total;
    forget_writes(transport, total);
    if (total > 0 && transport->handler->sent != NULL)
        transport->handler->sent(transport->user_data);
}

/* As imap_line_receive, less what is to be inflated first. Done with nothing
 * received: there was too little to inflate. */
static ImapIo
receive(ImapTransport *transport, gsize *received, GError **error)
{
    ImapDeflate *deflate = transport->deflate;
    ImapIo io;

    if (deflate == NULL) {
        io = imap_line_receive(transport->line, transport->buffer,
                               READ_BUFFER_SIZE, received, error);
        transport->line_received += io == IMAP_IO_DONE ? *received : 0;
        return io;
    }
    if (!imap_deflate_is_pending(deflate)) {
        gsize packed;

        io = imap_line_receive(transport->line, transport->packed,
                               READ_BUFFER_SIZE, &packed, error);
        if (io != IMAP_IO_DONE)
            return io;
        transport->line_received += packed;
        imap_deflate_feed(deflate, transport->packed, packed);
    }
    if (!imap_deflate_inflate(deflate, transport->buffer, READ_BUFFER_SIZE,
                              received, error))
        return IMAP_IO_FAILED;
    return IMAP_IO_DONE;
}

/* Reads until it would block, the budget is used up, or a handler has changed
 * what may be read. */
static void
drain(ImapTransport *transport)
{
    gsize total = 0;

    if (transport->buffer == NULL)
        transport->buffer = g_malloc(READ_BUFFER_SIZE);
    transport->readable = TRUE;
    transport->read_wants_write = FALSE;
    while (transport->state == STATE_OPEN && !transport->paused &&
           total < DISPATCH_BUDGET) {
        g_autoptr(GError) error = NULL;
        gsize received;
        ImapIo io = receive(transport, &received, &error);

        if (io == IMAP_IO_FAILED) {
            report_closed(transport, g_steal_pointer(&error));
            return;
        }
        if (io != IMAP_IO_DONE) {
            transport->readable = FALSE;
            transport->read_wants_write = io == IMAP_IO_WANTS_WRITE;
            break;
        }
        if (received == 0) {
            total += READ_BUFFER_SIZE; /* a stream of nothing has its end */
            continue;
        }
        total += received;
        transport->bytes_received += received;
        transport->handler->received(transport->buffer, received,
                                     transport->user_data);
    }
    if (transport->state == STATE_OPEN && transport->write_failure != NULL &&
        !transport->readable)
        report_closed(transport, g_steal_pointer(&transport->write_failure));
}

/* ---- the loop ---- */

static void
shake_hands(ImapTransport *transport)
{
    GError *error = NULL;
    ImapIo io = imap_line_handshake(transport->line, &error);

    transport->read_wants_write = io == IMAP_IO_WANTS_WRITE;
    if (io == IMAP_IO_FAILED) {
        report_closed(transport, error);
    } else if (io == IMAP_IO_DONE) {
        imap_line_describe(transport->line, &transport->peer);
        transport->state = STATE_OPEN;
        transport->announce = TRUE;
    }
}

static void
run(ImapTransport *transport)
{
    transport->run_now = FALSE;
    if (transport->state == STATE_FAILED) {
        report_closed(transport, g_steal_pointer(&transport->failure));
        return;
    }
    if (transport->state == STATE_HANDSHAKE)
        shake_hands(transport);
    if (transport->state == STATE_OPEN && transport->announce) {
        transport->announce = FALSE;
        transport->handler->ready(transport->user_data);
    }
    /* Each of these may close it or begin TLS. */
    if (transport->state == STATE_OPEN && transport->unsent.length > 0)
        flush(transport);
    if (transport->state == STATE_OPEN && !transport->paused)
        drain(transport);
    if (transport->state != STATE_CLOSED)
        update_watch(transport);
}

static gboolean
source_prepare(GSource *base, gint *timeout_ms)
{
    TransportSource *source = (TransportSource *)base;

    *timeout_ms = -1;
    if (source->transport == NULL)
        return FALSE;
    source->transport->polling_since = g_get_monotonic_time();
    return is_runnable(source->transport);
}

/* A poll that other sources did not let sleep takes no time. */
static void
note_waited(ImapTransport *transport, gint64 now)
{
    if (transport->polling_since != 0 && now > transport->polling_since)
        transport->waited += now - transport->polling_since;
    transport->polling_since = 0;
}

static gboolean
source_check(GSource *base)
{
    TransportSource *source = (TransportSource *)base;

    if (source->transport == NULL)
        return FALSE;
    note_waited(source->transport, g_source_get_time(base));
    return is_runnable(source->transport) ||
           (source->tag != NULL &&
            g_source_query_unix_fd(base, source->tag) != 0);
}

static gboolean
source_dispatch(GSource *base, GSourceFunc callback, gpointer user_data)
{
    TransportSource *source = (TransportSource *)base;
    ImapTransport *transport;

    if (source->transport == NULL)
        return G_SOURCE_REMOVE;
    transport = transport_ref(source->transport);
    run(transport);
    transport_unref(transport);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_functions = {
    .prepare = source_prepare,
    .check = source_check,
    .dispatch = source_dispatch,
};

static void
attach_source(ImapTransport *transport)
{
    g_autoptr(GMainContext) main_context = g_main_context_ref_thread_default();
    GSource *base = g_source_new(&source_functions, sizeof(TransportSource));

    g_source_set_static_name(base, "ImapTransport");
    /* It never does; but without this GLib takes the descriptor out of its set
     * and puts it back, and wakes itself up, each time. */
    g_source_set_can_recurse(base, TRUE);
    transport->source = (TransportSource *)base;
    transport->source->transport = transport;
    g_source_attach(base, main_context);
}

/* ---- beginning ---- */

static void
begin_tls(ImapTransport *transport)
{
    GError *error = NULL;

    if (imap_line_begin_tls(transport->line, &error)) {
        transport->state = STATE_HANDSHAKE;
        transport->readable = FALSE;
        transport->run_now = TRUE;
    } else {
        fail_later(transport, error);
    }
}

/* @fd is ours from here on. */
static void
open_line(ImapTransport *transport, int fd)
{
    GError *error = NULL;

    transport->line = imap_line_new(transport->settings, fd, &error);
    if (transport->line != NULL)
        imap_line_describe(transport->line, &transport->peer);
    if (transport->line == NULL) {
        fail_later(transport, error);
    } else if (transport->settings->tls == IMAP_TLS_IMPLICIT) {
        begin_tls(transport);
    } else {
        transport->state = STATE_OPEN;
        transport->announce = TRUE;
        transport->run_now = TRUE;
    }
    update_watch(transport);
}

/* The reason alone, without the address that GIO puts before it. */
static const char *
connect_reason(const GError *error)
{
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CONNECTION_REFUSED))
        return g_strerror(ECONNREFUSED);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_HOST_UNREACHABLE))
        return g_strerror(EHOSTUNREACH);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NETWORK_UNREACHABLE))
        return g_strerror(ENETUNREACH);
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT))
        return g_strerror(ETIMEDOUT);
    return error->message;
}

static GError *
connect_error(const ImapTransport *transport, const GError *error)
{
    const char *host = transport->settings->host;

    if (g_error_matches(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND))
        return g_error_new(IMAP_ERROR, IMAP_ERROR_RESOLVE,
                           "no such host: %s; check its spelling", host);
    if (error->domain == G_RESOLVER_ERROR)
        return g_error_new(IMAP_ERROR, IMAP_ERROR_RESOLVE,
                           "cannot look up the host %s: %s; check the network "
                           "and the name server",
                           host, error->message);
    return g_error_new(IMAP_ERROR, IMAP_ERROR_CONNECT,
                       "cannot connect to %s port %u: %s; check host and port",
                       host, imap_settings_port(transport->settings),
                       connect_reason(error));
}

static int
steal_descriptor(GSocketConnection *connection, GError **error)
{
    int fd;

    /* Behind some proxies the octets are not the socket's. */
    if (G_IS_TCP_WRAPPER_CONNECTION(connection)) {
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                            "a proxy of this kind is not supported");
        return -1;
    }
    /* GIO closes its own descriptor with the connection. */
    fd = fcntl(g_socket_get_fd(g_socket_connection_get_socket(connection)),
               F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        int code = errno;

        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(code),
                            g_strerror(code));
    }
    return fd;
}

static void
on_event(GSocketClient *client, GSocketClientEvent event,
         GSocketConnectable *connectable, GIOStream *stream, gpointer user_data)
{
    ImapTransport *transport = user_data;

    if (event == G_SOCKET_CLIENT_RESOLVED)
        transport->peer.resolved = TRUE;
}

static void
on_connected(GObject *client, GAsyncResult *result, gpointer user_data)
{
    ImapTransport *transport = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocketConnection) connection =
        g_socket_client_connect_finish(G_SOCKET_CLIENT(client), result, &error);
    int fd = -1;

    if (transport->state == STATE_CONNECTING) {
        if (connection != NULL)
            fd = steal_descriptor(connection, &error);
        if (fd >= 0)
            open_line(transport, fd);
        else
            fail_later(transport, connect_error(transport, error));
    }
    transport_unref(transport);
}

void
imap_transport_connect(ImapTransport *transport)
{
    g_autoptr(GSocketClient) client = g_socket_client_new();
    g_autoptr(GSocketConnectable) address = NULL;

    if (transport->state != STATE_NEW)
        return;
    address = g_network_address_new(transport->settings->host,
                                    imap_settings_port(transport->settings));
    transport->state = STATE_CONNECTING;
    attach_source(transport);
    g_signal_connect_data(client, "event", G_CALLBACK(on_event),
                          transport_ref(transport), drop_reference, 0);
    g_socket_client_connect_async(client, address, transport->cancellable,
                                  on_connected, transport_ref(transport));
}

void
imap_transport_adopt(ImapTransport *transport, int fd)
{
    if (transport->state != STATE_NEW) {
        close(fd);
        return;
    }
    attach_source(transport);
    open_line(transport, fd);
}

void
imap_transport_start_tls(ImapTransport *transport)
{
    if (transport->state != STATE_OPEN || imap_line_is_tls(transport->line))
        return;
    begin_tls(transport);
    update_watch(transport);
}

void
imap_transport_start_compression(ImapTransport *transport)
{
    if (transport->state != STATE_OPEN || transport->deflate != NULL)
        return;
    transport->deflate = imap_deflate_new();
    transport->packed = g_malloc(READ_BUFFER_SIZE);
}

/* ---- using it ---- */

static void
append_packed(ImapTransport *transport, const void *data, gsize length)
{
    g_autoptr(GByteArray) packed =
        imap_deflate_compress(transport->deflate, data, length);
    Write *write = g_new(Write, 1);

    *write = (Write){length, packed->len};
    g_queue_push_tail(&transport->writes, write);
    imap_send_buffer_append(&transport->unsent, packed->data, packed->len);
}

void
imap_transport_write(ImapTransport *transport, const void *data, gsize length)
{
    if (transport->state == STATE_CLOSED || transport->state == STATE_FAILED ||
        transport->write_failure != NULL)
        return;
    if (transport->deflate != NULL)
        append_packed(transport, data, length);
    else
        imap_send_buffer_append(&transport->unsent, data, length);
    update_watch(transport);
}

gsize
imap_transport_unsent(const ImapTransport *transport)
{
    gsize unsent = 0;

    if (transport->deflate == NULL)
        return transport->unsent.length;
    for (const GList *link = transport->writes.head; link != NULL;
         link = link->next)
        unsent += ((const Write *)link->data)->plain;
    return unsent;
}

gsize
imap_transport_queued(const ImapTransport *transport)
{
    return transport->line != NULL ? imap_line_queued(transport->line) : 0;
}

void
imap_transport_set_paused(ImapTransport *transport, gboolean paused)
{
    transport->paused = paused;
    update_watch(transport);
}

gboolean
imap_transport_is_encrypted(const ImapTransport *transport)
{
    return transport->state == STATE_OPEN && imap_line_is_tls(transport->line);
}

const ImapPeer *
imap_transport_peer(const ImapTransport *transport)
{
    return &transport->peer;
}

ImapPeer
imap_transport_take_peer(ImapTransport *transport)
{
    ImapPeer peer = transport->peer;

    transport->peer = (ImapPeer){0};
    return peer;
}

gint64
imap_transport_waited(const ImapTransport *transport)
{
    return transport->waited;
}

guint64
imap_transport_bytes_received(const ImapTransport *transport)
{
    return transport->bytes_received;
}

guint64
imap_transport_bytes_sent(const ImapTransport *transport)
{
    return transport->bytes_sent;
}

guint64
imap_transport_line_received(const ImapTransport *transport)
{
    return transport->line_received;
}
