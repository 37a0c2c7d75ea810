/* The limit of the wire: a client that asks one question, or all of a file's at
 * once, and reads the answer as fast as it can, looking for nothing but the
 * last tagged OK.
 *
 * Prints JSON: seconds from sending the FETCH to its OK, seconds of what came
 * before (connecting, TLS, login, EXAMINE), and octets of the answer. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define USAGE                                                                  \
    "wire --port PORT --user NAME --password-file FILE --mailbox NAME\n"       \
    "     --fetch bodies|headers|plain|fields|UID|@FILE [--plain | --ca FILE]" \
    "\nWhat is fetched: every body; what a listing by subject needs; what one" \
    "\nby UID needs; what a table needs; one message; or what the commands of" \
    "\na file ask for, each a line that begins with its tag. The server is at" \
    "\n127.0.0.1.\n"

#define BUFFER_SIZE (256 * 1024)
#define TAG_MAX 32

typedef struct {
    int fd;
    SSL *ssl; /* NULL: plain */
    char buffer[TAG_MAX + BUFFER_SIZE];
} Wire;

static double
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
fail(const char *what)
{
    fprintf(stderr, "wire: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}

static size_t
wire_read(Wire *wire, char *into, size_t size)
{
    ssize_t got = wire->ssl != NULL ? SSL_read(wire->ssl, into, (int)size)
                                    : read(wire->fd, into, size);

    if (got <= 0)
        fail("the server closed the connection, refused, or fell silent");
    return got;
}

static void
wire_send(Wire *wire, const char *text)
{
    size_t length = strlen(text);
    ssize_t sent = wire->ssl != NULL ? SSL_write(wire->ssl, text, (int)length)
                                     : write(wire->fd, text, length);

    if (sent != (ssize_t)length)
        fail("sending");
}

/* Reads until @mark has come; returns the octets read. The end of what came
 * before stays in front of the buffer, for a mark in two pieces. */
static uint64_t
wire_await(Wire *wire, const char *mark)
{
    size_t mark_length = strlen(mark);
    size_t kept = 0;
    uint64_t octets = 0;

    for (;;) {
        size_t got = wire_read(wire, wire->buffer + kept, BUFFER_SIZE);
        size_t held = kept + got;

        octets += got;
        if (memmem(wire->buffer, held, mark, mark_length) != NULL)
            return octets;
        kept = held < mark_length - 1 ? held : mark_length - 1;
        memmove(wire->buffer, wire->buffer + held - kept, kept);
    }
}

/* Sends the lines of a file, and reads until the last one's answer. */
static uint64_t
commands(Wire *wire, const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL, tag[TAG_MAX / 2] = "", mark[TAG_MAX];
    size_t size = 0;

    if (file == NULL)
        fail(path);
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        snprintf(tag, sizeof tag, "%.*s", (int)strcspn(line, " "), line);
        wire_send(wire, line);
        wire_send(wire, "\r\n");
    }
    free(line);
    fclose(file);
    snprintf(mark, sizeof mark, "\r\n%s OK ", tag);
    return wire_await(wire, mark);
}

static uint64_t
command(Wire *wire, const char *tag, const char *text)
{
    char line[1024], mark[TAG_MAX];

    snprintf(line, sizeof line, "%s %s\r\n", tag, text);
    snprintf(mark, sizeof mark, "%s OK ", tag);
    wire_send(wire, line);
    return wire_await(wire, mark);
}

static void
wire_connect(Wire *wire, int port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    const struct timeval patience = {.tv_sec = 60};
    const int on = 1;

    wire->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(wire->fd, (const struct sockaddr *)&address, sizeof address) <
        0)
        fail("connecting");
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(wire->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void
wire_start_tls(Wire *wire, const char *ca_file)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1)
        fail(ca_file);
    wire->ssl = SSL_new(context);
    SSL_set_tlsext_host_name(wire->ssl, "localhost");
    SSL_set1_host(wire->ssl, "localhost");
    SSL_set_fd(wire->ssl, wire->fd);
    if (SSL_connect(wire->ssl) != 1)
        fail("TLS");
}

static void
log_in(Wire *wire, const char *user, const char *password_file)
{
    char password[256] = "", text[512];
    FILE *file = fopen(password_file, "r");

    if (file == NULL || fgets(password, sizeof password, file) == NULL)
        fail(password_file);
    fclose(file);
    password[strcspn(password, "\r\n")] = '\0';
    snprintf(text, sizeof text, "LOGIN \"%s\" \"%s\"", user, password);
    command(wire, "w1", text);
}

static void
fetch_command(char *text, size_t size, const char *what)
{
    if (strcmp(what, "bodies") == 0)
        snprintf(text, size, "UID FETCH 1:* (UID BODY.PEEK[])");
    else if (strcmp(what, "headers") == 0)
        snprintf(text, size,
                 "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE "
                 "BODY.PEEK[HEADER.FIELDS (DATE FROM SUBJECT)])");
    else if (strcmp(what, "fields") == 0)
        snprintf(text, size,
                 "UID FETCH 1:* (UID BODYSTRUCTURE BODY.PEEK[HEADER.FIELDS "
                 "(FROM TO SUBJECT MESSAGE-ID)])");
    else if (strcmp(what, "plain") == 0)
        snprintf(text, size,
                 "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)");
    else
        snprintf(text, size, "UID FETCH %d (UID BODY.PEEK[])", atoi(what));
}

int
main(int argc, char **argv)
{
    const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"user", required_argument, NULL, 'u'},
        {"password-file", required_argument, NULL, 'w'},
        {"mailbox", required_argument, NULL, 'm'},
        {"fetch", required_argument, NULL, 'f'},
        {"plain", no_argument, NULL, 'n'},
        {"ca", required_argument, NULL, 'c'},
        {0},
    };
    /* Indexed by the letters above. */
    const char *given['z' + 1] = {NULL};
    char text[512], tag[TAG_MAX / 2];
    double start, sent;
    uint64_t octets;
    Wire *wire = calloc(1, sizeof *wire);
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == '?')
            return fputs(USAGE, stderr), 2;
        given[option] = optarg != NULL ? optarg : "";
    }
    if (wire == NULL || !given['p'] || !given['u'] || !given['w'] ||
        !given['m'] || !given['f'] || (!given['n'] && !given['c']))
        return fputs(USAGE, stderr), 2;

    start = now();
    wire_connect(wire, atoi(given['p']));
    if (!given['n'])
        wire_start_tls(wire, given['c']);
    wire_await(wire, "* OK ");
    log_in(wire, given['u'], given['w']);
    snprintf(text, sizeof text, "EXAMINE \"%s\"", given['m']);
    command(wire, "w2", text);

    /* A tag that no message holds. */
    snprintf(tag, sizeof tag, "w%" PRIx32, (uint32_t)(start * 1e6));
    fetch_command(text, sizeof text, given['f']);
    sent = now();
    octets = given['f'][0] == '@' ? commands(wire, given['f'] + 1)
                                  : command(wire, tag, text);
    printf("{\"seconds\": %.6f, \"setup\": %.6f, \"octets\": %" PRIu64 "}\n",
           now() - sent, sent - start, octets);
    return 0;
}
