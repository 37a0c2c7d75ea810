/* The other end for the tests of the transport: certificates of every kind, and
 * blocking servers with a script each, in a thread of their own, so that they
 * share no code with what is tested. Included once. */
#pragma once

#include "certificates.h"
#include "imap/error.h"
#include "imap/transport.h"

#include <glib/gstdio.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BULK_SIZE (20 * 1024 * 1024)
#define PATIENCE_S 30

static char *folder;
static Identity authority, other_authority;
static Identity good, expired, future, elsewhere, foreign, self_signed;
static Identity client, foreign_client;
static char *authority_file, *other_file, *client_file, *foreign_client_file;

static int
make_identities(void **state)
{
    const char *here = "DNS:localhost,IP:127.0.0.1";

    folder = g_dir_make_tmp("imapfs-transport-XXXXXX", NULL);
    authority = identity_new("Own CA", NULL, NULL, 0, A_DAY);
    other_authority = identity_new("Other CA", NULL, NULL, 0, A_DAY);
    good = identity_new("good", here, &authority, 0, A_DAY);
    expired = identity_new("old", here, &authority, -2 * A_DAY, -A_DAY);
    future = identity_new("new", here, &authority, A_DAY, 2 * A_DAY);
    elsewhere = identity_new("other", "DNS:other.example.org,DNS:\x1b.x",
                             &authority, 0, A_DAY);
    foreign = identity_new("foreign", here, &other_authority, 0, A_DAY);
    self_signed = identity_new("self", here, NULL, 0, A_DAY);
    client = identity_new("me", "email:me@example.org", &authority, 0, A_DAY);
    foreign_client =
        identity_new("me", "email:me@example.org", &other_authority, 0, A_DAY);
    authority_file = identity_write(&authority, folder, "ca.pem");
    other_file = identity_write(&other_authority, folder, "other-ca.pem");
    client_file = identity_write(&client, folder, "client.pem");
    foreign_client_file = identity_write(&foreign_client, folder, "f.pem");
    return 0;
}

static int
free_identities(void **state)
{
    Identity *identities[] = {
        &authority, &other_authority, &good,        &expired, &future,
        &elsewhere, &foreign,         &self_signed, &client,  &foreign_client};
    char *files[] = {authority_file, other_file, client_file,
                     foreign_client_file};

    for (gsize i = 0; i < G_N_ELEMENTS(identities); i++)
        identity_free(identities[i]);
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_unlink(files[i]);
        g_free(files[i]);
    }
    g_rmdir(folder);
    g_free(folder);
    return 0;
}

/* ---- the server ---- */

typedef struct Server Server;

struct Server {
    int listener;
    guint16 port;
    GThread *thread;
    void (*script)(Server *server, int fd);
    const Identity *identity;
    int max_version;       /* 0: any */
    gboolean wants_client; /* a certificate of our own authority */
    gboolean other_alpn;
};

static int
on_alpn(SSL *ssl, const unsigned char **out, unsigned char *length,
        const unsigned char *offered, unsigned int offered_length, void *data)
{
    *out = (const unsigned char *)"h2";
    *length = 2;
    return SSL_TLSEXT_ERR_OK;
}

static SSL *
server_accept_tls(Server *server, int fd)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    SSL *ssl;

    SSL_CTX_use_certificate(context, server->identity->certificate);
    SSL_CTX_use_PrivateKey(context, server->identity->key);
    if (server->max_version != 0) {
        SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
        SSL_CTX_set_min_proto_version(context, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(context, server->max_version);
    }
    if (server->wants_client) {
        SSL_CTX_set_verify(
            context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        SSL_CTX_load_verify_file(context, authority_file);
    }
    if (server->other_alpn)
        SSL_CTX_set_alpn_select_cb(context, on_alpn, NULL);
    ssl = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) != 1)
        g_clear_pointer(&ssl, SSL_free);
    ERR_clear_error();
    return ssl;
}

static void
wait_for_end(int fd)
{
    char buffer[4096];

    while (read(fd, buffer, sizeof buffer) > 0)
        continue;
}

static void
put(int fd, const char *text)
{
    (void)!write(fd, text, strlen(text));
}

/* Greets, echoes one message, hangs up without close_notify. */
static void
script_tls(Server *server, int fd)
{
    SSL *ssl = server_accept_tls(server, fd);
    char buffer[64];
    int length;

    if (ssl == NULL) {
        shutdown(fd, SHUT_WR);
        wait_for_end(fd);
        return;
    }
    SSL_write(ssl, "* OK\r\n", 6);
    length = SSL_read(ssl, buffer, sizeof buffer);
    if (length > 0)
        SSL_write(ssl, buffer, length);
    SSL_free(ssl);
}

static void
script_plain_greeting(Server *server, int fd)
{
    put(fd, "* OK IMAP4rev1 ready\r\n");
    wait_for_end(fd);
}

static void
script_hang_up(Server *server, int fd)
{
}

static void
script_reset(Server *server, int fd)
{
    struct linger linger = {1, 0};
    char octet;

    put(fd, "* OK\r\n");
    (void)!read(fd, &octet, 1);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void
script_half_close(Server *server, int fd)
{
    put(fd, "* BYE\r\n");
    shutdown(fd, SHUT_WR);
    wait_for_end(fd);
}

static void
script_starttls(Server *server, int fd)
{
    char buffer[64];

    put(fd, "* OK\r\n");
    (void)!read(fd, buffer, sizeof buffer);
    put(fd, "a OK\r\n");
    script_tls(server, fd);
}

static void
script_starttls_injected_late(Server *server, int fd)
{
    char octet;

    put(fd, "a OK\r\n");
    /* The client's hello: by now it has begun TLS. */
    (void)!recv(fd, &octet, 1, MSG_PEEK);
    put(fd, "* CAPABILITY AUTH=PLAIN injected\r\n");
    wait_for_end(fd);
}

static void
fill(guint8 *data, gsize length, gsize offset)
{
    for (gsize i = 0; i < length; i++)
        data[i] = (guint8)((offset + i) * 7 >> 3);
}

/* Sends and takes BULK_SIZE octets, then says what it got. */
static void
script_bulk(Server *server, int fd)
{
    SSL *ssl = server_accept_tls(server, fd);
    guint8 *data = g_malloc(BULK_SIZE);
    guint8 *expected = g_malloc(BULK_SIZE);
    gsize total = 0;
    gsize done;

    fill(expected, BULK_SIZE, 0);
    while (total < BULK_SIZE &&
           SSL_write_ex(ssl, expected + total, MIN(50000, BULK_SIZE - total),
                        &done))
        total += done;
    total = 0;
    while (total < BULK_SIZE &&
           SSL_read_ex(ssl, data + total, BULK_SIZE - total, &done))
        total += done;
    if (total == BULK_SIZE && memcmp(data, expected, BULK_SIZE) == 0)
        SSL_write(ssl, "same", 4);
    else
        SSL_write(ssl, "diff", 4);
    SSL_shutdown(ssl);
    SSL_free(ssl);
    g_free(data);
    g_free(expected);
}

static gpointer
run_server(gpointer data)
{
    Server *server = data;
    int fd = accept(server->listener, NULL, NULL);

    if (fd >= 0) {
        server->script(server, fd);
        close(fd);
    }
    return NULL;
}

static void
server_start(Server *server)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(server->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server->listener, 5), 0);
    getsockname(server->listener, (struct sockaddr *)&address, &length);
    server->port = ntohs(address.sin_port);
    server->thread = g_thread_new("server", run_server, server);
}

static void
server_stop(Server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    g_thread_join(server->thread);
    close(server->listener);
}
