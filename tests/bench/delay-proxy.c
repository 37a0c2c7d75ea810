/* A line of a given latency and capacity between TCP clients and one server.
 *
 * What comes in on one side goes out on the other half a round trip later.
 * Opening a connection costs what it costs on a real line: the client's first
 * octets leave one round trip after it connected, the server's greeting half a
 * round trip later still. The capacity is shared by all connections, each
 * direction having its own; they take turns, so that one that has much to send
 * waits in its own buffers and not in front of the others.
 *
 * There are few connections, so every round of the loop looks at all of them:
 * sends what is due, then polls until the next piece is due or more comes in.
 * A second, local socket takes commands (see USAGE) and gives the counts.
 * Octets count when they are delivered, not while they are under way. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define USAGE                                                                  \
    "delay-proxy --to PORT [--listen PORT] [--rtt MS] [--rate MBIT]\n"         \
    "            [--control PATH]\n"                                           \
    "Prints the port it listens on. Both ends are at 127.0.0.1.\n"             \
    "Commands at the local socket PATH, one a line, each answered by a "       \
    "line:\n"                                                                  \
    "  stats      the counts, as JSON\n"                                       \
    "  reset      sets them to 0\n"                                            \
    "  rtt MS     from now on; what is under way is not touched\n"             \
    "  rate MBIT  likewise; 0: no limit\n"                                     \
    "  cut        resets every connection\n"                                   \
    "  hold       moves nothing more, and keeps the connections\n"             \
    "  resume     ends hold\n"

#define SECOND INT64_C(1000000000)
#define LINKS_MAX 256
#define CONTROLS_MAX 8
/* Memory of this size is kept when it has been used, for to get it from the
 * kernel anew costs more than to fill it. */
#define PIECE_MAX (64 * 1024)
#define PIECES_KEPT 1024
#define TURN_MAX                                                               \
    (16 * 1024) /* of one connection, while capacity is limited                \
                 */
#define CREDIT (SECOND / 50)
/* Under way on one connection in one direction; more than the fastest line
 * here delivers in a tenth of a second. */
#define UNDER_WAY_MAX (size_t)(256 * 1024 * 1024)

typedef struct Piece {
    STAILQ_ENTRY(Piece) next;
    int64_t due;
    size_t sent;
    size_t length; /* 0: the end of the stream */
    char data[PIECE_MAX];
} Piece;

/* One direction of a connection. */
typedef struct {
    int from, to;
    STAILQ_HEAD(, Piece) pieces;
    size_t under_way;
    int64_t opened; /* what comes in earlier counts as coming in then */
    bool ended;     /* nothing more comes in */
    bool closed;    /* and the other side was told */
    bool blocked;   /* the receiver takes no more */
} Flow;

typedef struct {
    int client, server;
    Flow up, down;
    bool answered; /* the server spoke since the client did */
} Link;

typedef struct {
    int fd;
    size_t length;
    char line[128];
} Control;

static struct {
    uint64_t connections, turns, to_server, to_client;
} counts;

static Link *links[LINKS_MAX];
static size_t link_count;
static size_t first_link; /* whose turn it is */
static Control controls[CONTROLS_MAX];
static size_t control_count;
static int server_port;
static int64_t delay;          /* one way */
static double octets_a_second; /* 0: no limit */
static int64_t free_at[2];     /* up, down: when the line can take more */
static bool held;
static STAILQ_HEAD(, Piece) unused = STAILQ_HEAD_INITIALIZER(unused);
static size_t unused_count;

static int64_t
now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

static void
fail(const char *what)
{
    fprintf(stderr, "delay-proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- pieces ---- */

static Piece *
piece_new(void)
{
    Piece *piece = STAILQ_FIRST(&unused);

    if (piece != NULL) {
        STAILQ_REMOVE_HEAD(&unused, next);
        unused_count--;
        return piece;
    }
    piece = malloc(sizeof *piece);
    if (piece == NULL)
        fail("memory");
    return piece;
}

static void
piece_free(Piece *piece)
{
    if (unused_count == PIECES_KEPT) {
        free(piece);
        return;
    }
    STAILQ_INSERT_HEAD(&unused, piece, next);
    unused_count++;
}

/* ---- connections ---- */

static void
flow_init(Flow *flow, int from, int to, int64_t opened)
{
    *flow = (Flow){.from = from, .to = to, .opened = opened};
    STAILQ_INIT(&flow->pieces);
}

static void
flow_clear(Flow *flow)
{
    Piece *piece;

    while ((piece = STAILQ_FIRST(&flow->pieces)) != NULL) {
        STAILQ_REMOVE_HEAD(&flow->pieces, next);
        piece_free(piece);
    }
}

static void
link_free(Link *link, bool reset)
{
    const struct linger at_once = {.l_onoff = 1};

    if (reset) {
        setsockopt(link->client, SOL_SOCKET, SO_LINGER, &at_once,
                   sizeof at_once);
        setsockopt(link->server, SOL_SOCKET, SO_LINGER, &at_once,
                   sizeof at_once);
    }
    flow_clear(&link->up);
    flow_clear(&link->down);
    close(link->client);
    close(link->server);
    free(link);
}

static void
set_up_socket(int fd)
{
    const int on = 1;

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
accept_client(int listener)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(server_port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    int server;
    Link *link;

    if (client < 0)
        return;
    server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (link_count == LINKS_MAX || server < 0 ||
        connect(server, (const struct sockaddr *)&address, sizeof address) <
            0) {
        close(client);
        if (server >= 0)
            close(server);
        return;
    }

    set_up_socket(client);
    set_up_socket(server);
    link = calloc(1, sizeof *link);
    if (link == NULL)
        fail("memory");
    link->client = client;
    link->server = server;
    link->answered = true;
    flow_init(&link->up, client, server, now() + 2 * delay);
    flow_init(&link->down, server, client, now() + 3 * delay);
    links[link_count++] = link;
    counts.connections++;
}

/* ---- moving octets ---- */

static int64_t
departure(bool down, size_t length, int64_t time)
{
    int64_t *line = &free_at[down];

    if (octets_a_second == 0)
        return time;
    /* A timer may wake us late; what the line could have carried meanwhile is
     * not lost. */
    if (*line < time - CREDIT)
        *line = time - CREDIT;
    *line += (int64_t)((double)length / octets_a_second * SECOND);
    return *line > time ? *line : time;
}

static bool
line_is_free(bool down, int64_t time)
{
    return octets_a_second == 0 || free_at[down] <= time;
}

static void
flow_read(Link *link, Flow *flow)
{
    bool down = flow == &link->down;
    Piece *piece = piece_new();
    ssize_t got = read(flow->from, piece->data,
                       octets_a_second == 0 ? sizeof piece->data : TURN_MAX);
    int64_t time = now();

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        piece_free(piece);
        return;
    }
    if (got <= 0) {
        flow->ended = true;
        got = 0;
    } else if (!down && link->answered) {
        link->answered = false;
        counts.turns++;
    }
    if (time < flow->opened)
        time = flow->opened;
    piece->due = departure(down, got, time) + delay;
    piece->sent = 0;
    piece->length = got;
    STAILQ_INSERT_TAIL(&flow->pieces, piece, next);
    flow->under_way += got;
}

/* Returns false when the receiver is gone. */
static bool
flow_deliver(Link *link, Flow *flow, int64_t time)
{
    bool down = flow == &link->down;
    Piece *piece;

    while (!flow->blocked && (piece = STAILQ_FIRST(&flow->pieces)) != NULL &&
           piece->due <= time) {
        ssize_t sent;

        if (piece->length == 0) {
            shutdown(flow->to, SHUT_WR);
            flow->closed = true;
        } else {
            sent = send(flow->to, piece->data + piece->sent,
                        piece->length - piece->sent, MSG_NOSIGNAL);
            if (sent < 0) {
                flow->blocked = errno == EAGAIN;
                return errno == EAGAIN || errno == EINTR;
            }
            piece->sent += sent;
            flow->under_way -= sent;
            *(down ? &counts.to_client : &counts.to_server) += sent;
            link->answered |= down;
            if (piece->sent < piece->length)
                continue;
        }
        STAILQ_REMOVE_HEAD(&flow->pieces, next);
        piece_free(piece);
    }
    return true;
}

static bool
link_deliver(Link *link, int64_t time)
{
    return flow_deliver(link, &link->up, time) &&
           flow_deliver(link, &link->down, time) &&
           !(link->up.closed && link->down.closed);
}

static void
deliver_all(void)
{
    int64_t time = now();

    for (size_t i = 0; i < link_count;) {
        if (link_deliver(links[i], time)) {
            i++;
        } else {
            link_free(links[i], false);
            links[i] = links[--link_count];
        }
    }
}

/* ---- commands ---- */

static void
cut_all(void)
{
    while (link_count > 0)
        link_free(links[--link_count], true);
}

static const char *
obey(const char *line)
{
    double number;

    if (strcmp(line, "reset") == 0)
        memset(&counts, 0, sizeof counts);
    else if (strcmp(line, "cut") == 0)
        cut_all();
    else if (strcmp(line, "hold") == 0)
        held = true;
    else if (strcmp(line, "resume") == 0)
        held = false;
    else if (sscanf(line, "rtt %lf", &number) == 1 && number >= 0)
        delay = (int64_t)(number * SECOND / 1000 / 2);
    else if (sscanf(line, "rate %lf", &number) == 1 && number >= 0)
        octets_a_second = number * 1e6 / 8;
    else
        return "unknown command\n";
    return "ok\n";
}

static void
answer(int fd, const char *line)
{
    char text[256];

    if (strcmp(line, "stats") == 0)
        snprintf(text, sizeof text,
                 "{\"connections\": %" PRIu64 ", \"open\": %zu, "
                 "\"turns\": %" PRIu64 ", \"to_server\": %" PRIu64 ", "
                 "\"to_client\": %" PRIu64 "}\n",
                 counts.connections, link_count, counts.turns, counts.to_server,
                 counts.to_client);
    else
        snprintf(text, sizeof text, "%s", obey(line));
    send(fd, text, strlen(text), MSG_NOSIGNAL);
}

/* Returns false when the other side is done. */
static bool
control_read(Control *control)
{
    char *end;
    ssize_t got = recv(control->fd, control->line + control->length,
                       sizeof control->line - control->length, MSG_DONTWAIT);

    if (got <= 0)
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    control->length += got;
    while ((end = memchr(control->line, '\n', control->length)) != NULL) {
        size_t used = end + 1 - control->line;

        *end = '\0';
        answer(control->fd, control->line);
        control->length -= used;
        memmove(control->line, control->line + used, control->length);
    }
    return control->length < sizeof control->line;
}

static void
accept_control(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0 && control_count == CONTROLS_MAX)
        close(fd);
    else if (fd >= 0)
        controls[control_count++] = (Control){.fd = fd};
}

/* ---- the loop ---- */

static struct pollfd
watch(const Flow *in, const Flow *out, bool line_free)
{
    struct pollfd poll = {.fd = in->from};

    if (!in->ended && line_free && in->under_way < UNDER_WAY_MAX)
        poll.events |= POLLIN;
    if (out->blocked)
        poll.events |= POLLOUT;
    /* Without this a peer that is gone would wake us again and again. */
    if (poll.events == 0 || held)
        poll.fd = -1;
    return poll;
}

static int64_t
earliest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When there is something to do though nothing comes in. */
static int64_t
next_wake(int64_t time)
{
    int64_t wake = INT64_MAX;

    if (held)
        return wake;
    for (size_t i = 0; i < link_count; i++) {
        const Flow *flows[] = {&links[i]->up, &links[i]->down};

        for (size_t j = 0; j < 2; j++) {
            const Piece *piece = STAILQ_FIRST(&flows[j]->pieces);

            if (piece != NULL && !flows[j]->blocked)
                wake = earliest(wake, piece->due);
            if (!line_is_free(j, time))
                wake = earliest(wake, free_at[j]);
        }
    }
    return wake;
}

static void
serve_links(const struct pollfd *polls)
{
    size_t count = link_count;

    for (size_t i = 0; i < count; i++) {
        size_t at = (first_link + i) % count;
        Link *link = links[at];
        const struct pollfd *client = &polls[2 * at], *server = client + 1;
        int64_t time = now();

        if (client->revents & POLLOUT)
            link->down.blocked = false;
        if (server->revents & POLLOUT)
            link->up.blocked = false;
        if ((client->events & POLLIN) && client->revents & ~POLLOUT &&
            line_is_free(false, time))
            flow_read(link, &link->up);
        if ((server->events & POLLIN) && server->revents & ~POLLOUT &&
            line_is_free(true, time))
            flow_read(link, &link->down);
    }
    first_link++;
}

static void
serve(int listener, int control_listener)
{
    static struct pollfd polls[2 * LINKS_MAX + CONTROLS_MAX + 2];
    size_t links_end, controls_end;
    int64_t time = now(), wake, wait;
    struct timespec timeout;

    for (size_t i = 0; i < link_count; i++) {
        Link *link = links[i];

        polls[2 * i] = watch(&link->up, &link->down, line_is_free(false, time));
        polls[2 * i + 1] =
            watch(&link->down, &link->up, line_is_free(true, time));
    }
    links_end = 2 * link_count;
    controls_end = links_end + control_count;
    for (size_t i = 0; i < control_count; i++)
        polls[links_end + i] =
            (struct pollfd){.fd = controls[i].fd, .events = POLLIN};
    polls[controls_end] =
        (struct pollfd){.fd = held ? -1 : listener, .events = POLLIN};
    polls[controls_end + 1] =
        (struct pollfd){.fd = control_listener, .events = POLLIN};

    wake = next_wake(time);
    wait = wake < time ? 0 : wake - time;
    timeout = (struct timespec){wait / SECOND, wait % SECOND};
    if (ppoll(polls, controls_end + 2, wake == INT64_MAX ? NULL : &timeout,
              NULL) < 0)
        return;

    serve_links(polls);
    if (polls[controls_end].revents != 0)
        accept_client(listener);
    for (size_t i = control_count; i-- > 0;) {
        if (polls[links_end + i].revents == 0 || control_read(&controls[i]))
            continue;
        close(controls[i].fd);
        controls[i] = controls[--control_count];
    }
    if (polls[controls_end + 1].revents != 0)
        accept_control(control_listener);
    if (!held)
        deliver_all();
}

/* ---- start ---- */

static int
listen_tcp(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons(port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    socklen_t length = sizeof address;
    const int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(fd, (struct sockaddr *)&address, length) < 0 ||
        listen(fd, 128) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) < 0)
        fail("listening");
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static int
listen_control(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    unlink(path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
        listen(fd, CONTROLS_MAX) < 0)
        fail(path);
    return fd;
}

int
main(int argc, char **argv)
{
    const struct option options[] = {
        {"to", required_argument, NULL, 't'},
        {"listen", required_argument, NULL, 'l'},
        {"rtt", required_argument, NULL, 'r'},
        {"rate", required_argument, NULL, 'c'},
        {"control", required_argument, NULL, 's'},
        {0},
    };
    int port = 0, control = -1, listener, option;
    const char *control_path = NULL;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 't')
            server_port = atoi(optarg);
        else if (option == 'l')
            port = atoi(optarg);
        else if (option == 'r')
            delay = (int64_t)(atof(optarg) * SECOND / 1000 / 2);
        else if (option == 'c')
            octets_a_second = atof(optarg) * 1e6 / 8;
        else if (option == 's')
            control_path = optarg;
        else
            return fputs(USAGE, stderr), 2;
    }
    if (server_port == 0 || optind != argc)
        return fputs(USAGE, stderr), 2;

    /* Whoever started us may be killed. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    /* A timer of 50 microseconds' slack would be a tenth of a short delay. */
    prctl(PR_SET_TIMERSLACK, 1000);
    if (control_path != NULL)
        control = listen_control(control_path);
    listener = listen_tcp(port);
    for (;;)
        serve(listener, control);
}
