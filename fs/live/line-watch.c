/* Two descriptors of the kernel's.
 *
 * A timer of the wall clock that never runs out, but is cancelled when that
 * clock jumps: it does so when the computer wakes up, for the monotonic clock
 * stood still meanwhile. No timer of ours needs to tick for that, and it is
 * known at once.
 *
 * A netlink socket for links, addresses and routes. Much that comes there is
 * chatter: a wireless card tells of each scan, a router advertises every few
 * minutes what is known already. So of a link only its flags count, and of an
 * address or a route that it was added or went. GNetworkMonitor is not used: it
 * may connect to D-Bus, with a thread of its own. */
#include "fs/live/line-watch.h"

#include <errno.h>
#include <glib-unix.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* What makes up one change of network comes within so long. */
#define GATHER_MS 200
#define NEVER_S ((time_t)1 << 40)
#define LINK_FLAGS (IFF_UP | IFF_RUNNING)

struct FsLineWatch {
    FsSuspectFunc func;
    gpointer user_data;
    int clock_fd; /* -1: not watched */
    guint clock_source;
    int network_fd; /* likewise */
    guint network_source;
    guint gather_timer; /* 0: nothing has changed */
    GHashTable *links;  /* index -> LINK_FLAGS, as last heard */
};

/* ---- the clock ---- */

static gboolean
set_timer(const FsLineWatch *watch)
{
    const struct itimerspec never = {.it_value.tv_sec = NEVER_S};

    return timerfd_settime(watch->clock_fd,
                           TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never,
                           NULL) == 0;
}

static gboolean
on_clock(gint fd, GIOCondition condition, gpointer user_data)
{
    FsLineWatch *watch = user_data;
    guint64 count;

    if (read(fd, &count, sizeof count) < 0 && errno == EAGAIN)
        return G_SOURCE_CONTINUE;
    if (!set_timer(watch)) {
        watch->clock_source = 0;
        return G_SOURCE_REMOVE;
    }
    watch->func("the clock has jumped", watch->user_data);
    return G_SOURCE_CONTINUE;
}

static void
watch_clock(FsLineWatch *watch)
{
    watch->clock_fd =
        timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (watch->clock_fd < 0 || !set_timer(watch)) {
        g_message("it will not be noticed that the computer was asleep: %s",
                  g_strerror(errno));
        return;
    }
    watch->clock_source =
        g_unix_fd_add(watch->clock_fd, G_IO_IN, on_clock, watch);
}

/* ---- the network ---- */

static gboolean
on_gathered(gpointer user_data)
{
    FsLineWatch *watch = user_data;

    watch->gather_timer = 0;
    watch->func("the network has changed", watch->user_data);
    return G_SOURCE_REMOVE;
}

static gboolean
link_has_changed(FsLineWatch *watch, const struct ifinfomsg *link)
{
    gpointer key = GINT_TO_POINTER(link->ifi_index);
    guint flags = link->ifi_flags & LINK_FLAGS;
    gpointer before;

    if (g_hash_table_lookup_extended(watch->links, key, NULL, &before) &&
        GPOINTER_TO_UINT(before) == flags)
        return FALSE;
    g_hash_table_insert(watch->links, key, GUINT_TO_POINTER(flags));
    return TRUE;
}

static gboolean
is_change(FsLineWatch *watch, const struct nlmsghdr *header)
{
    const struct rtmsg *route;

    switch (header->nlmsg_type) {
    case RTM_NEWLINK:
        return header->nlmsg_len >= NLMSG_LENGTH(sizeof(struct ifinfomsg)) &&
               link_has_changed(watch, NLMSG_DATA(header));
    case RTM_DELLINK:
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return TRUE;
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        if (header->nlmsg_len < NLMSG_LENGTH(sizeof *route))
            return FALSE;
        route = NLMSG_DATA(header);
        return (route->rtm_flags & RTM_F_CLONED) == 0 &&
               route->rtm_table == RT_TABLE_MAIN;
    default:
        return FALSE;
    }
}

/* Whether one of the messages in @buffer, @length octets, is a change. */
static gboolean
has_change(FsLineWatch *watch, const char *buffer, gsize length)
{
    gsize at = 0;

    while (at + sizeof(struct nlmsghdr) <= length) {
        const struct nlmsghdr *header =
            (const struct nlmsghdr *)(gconstpointer)(buffer + at);

        if (header->nlmsg_len < sizeof *header ||
            header->nlmsg_len > length - at)
            return FALSE;
        if (is_change(watch, header))
            return TRUE;
        at += NLMSG_ALIGN((gsize)header->nlmsg_len);
    }
    return FALSE;
}

static gboolean
on_network(gint fd, GIOCondition condition, gpointer user_data)
{
    FsLineWatch *watch = user_data;
    char buffer[16 * 1024] __attribute__((aligned(NLMSG_ALIGNTO)));
    ssize_t received = recv(fd, buffer, sizeof buffer, MSG_TRUNC);
    gboolean changed;

    /* More than could be kept or read: something has changed, whatever. */
    if (received < 0)
        changed = errno == ENOBUFS;
    else if ((gsize)received > sizeof buffer)
        changed = TRUE;
    else
        changed = has_change(watch, buffer, (gsize)received);
    if (changed && watch->gather_timer == 0)
        watch->gather_timer = g_timeout_add(GATHER_MS, on_gathered, watch);
    return G_SOURCE_CONTINUE;
}

static void
watch_network(FsLineWatch *watch)
{
    const struct sockaddr_nl address = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE |
                     RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE,
    };

    watch->network_fd = socket(
        AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (watch->network_fd < 0 ||
        bind(watch->network_fd, (const struct sockaddr *)&address,
             sizeof address) != 0) {
        g_message("it will not be noticed when the network changes: %s",
                  g_strerror(errno));
        return;
    }
    watch->network_source =
        g_unix_fd_add(watch->network_fd, G_IO_IN, on_network, watch);
}

/* ---- making and ending ---- */

FsLineWatch *
fs_line_watch_new(FsSuspectFunc func, gpointer user_data)
{
    FsLineWatch *watch = g_new0(FsLineWatch, 1);

    watch->func = func;
    watch->user_data = user_data;
    watch->links = g_hash_table_new(NULL, NULL);
    watch_clock(watch);
    watch_network(watch);
    return watch;
}

void
fs_line_watch_free(FsLineWatch *watch)
{
    if (watch == NULL)
        return;
    g_clear_handle_id(&watch->clock_source, g_source_remove);
    g_clear_handle_id(&watch->network_source, g_source_remove);
    g_clear_handle_id(&watch->gather_timer, g_source_remove);
    if (watch->clock_fd >= 0)
        close(watch->clock_fd);
    if (watch->network_fd >= 0)
        close(watch->network_fd);
    g_hash_table_unref(watch->links);
    g_free(watch);
}
