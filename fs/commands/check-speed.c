/* Round trips, and how much mail comes in a second.
 *
 * What is fetched is mail that is there, by BODY.PEEK: nothing is marked as
 * read, nothing is stored. A few megabytes show what the line does; where there
 * are none, what there is has to do. */
#include "fs/commands/check-private.h"

#include "fs/commands/words.h"

#include <stdlib.h>

#define N_PINGS 9u
#define FETCHED_MAX (4u * 1000 * 1000) /* octets */
#define LOOKED_AT 300u                 /* the newest messages */
#define UIDS_BACK 3000u                /* from UIDNEXT, to find those */
/* What takes less time than that says little. */
#define TOO_QUICK_US 20000

typedef struct {
    FsCheck *check;
    GArray *messages; /* of Message, by UID */
    guint64 received; /* octets */
    guint n_received;
} Speed;

typedef struct {
    guint32 uid;
    guint64 size;
} Message;

/* ---- round trips ---- */

static int
compare_times(const void *one, const void *other)
{
    const gint64 *first = one;
    const gint64 *second = other;

    return (*first > *second) - (*first < *second);
}

static void
say_round_trip(FsCheck *check)
{
    gint64 times[N_PINGS];
    g_autofree char *median = NULL;
    g_autofree char *worst = NULL;

    for (guint i = 0; i < N_PINGS; i++) {
        gint64 asked_at = g_get_monotonic_time();

        imap_request_ping(check->connection, fs_check_on_done, check);
        if (!fs_check_wait(check)) {
            fs_check_say(check, FS_MARK_BAD, "Round trip", "%s",
                         check->error->message);
            return;
        }
        times[i] = g_get_monotonic_time() - asked_at;
    }
    qsort(times, N_PINGS, sizeof *times, compare_times);
    median = fs_words_time(times[N_PINGS / 2]);
    worst = fs_words_time(times[N_PINGS - 1]);
    fs_check_say(check, FS_MARK_NONE, "Round trip", "%s (at worst %s, of %u)",
                 median, worst, N_PINGS);
}

/* ---- which messages ---- */

static const FsCheckFolder *
folder_to_read(const FsCheck *check)
{
    const FsCheckFolder *best = NULL;

    for (guint i = 0; i < check->folders->len; i++) {
        const FsCheckFolder *folder =
            &g_array_index(check->folders, FsCheckFolder, i);

        if (folder->wire == NULL || folder->messages == 0)
            continue;
        if (best == NULL ||
            (best->messages < LOOKED_AT && folder->messages > best->messages))
            best = folder;
    }
    return best;
}

static void
on_found(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    Speed *speed = user_data;
    guint n_ranges = error == NULL ? imap_uid_set_n_ranges(found) : 0;

    for (guint i = n_ranges; i > 0 && speed->messages->len < LOOKED_AT; i--) {
        guint32 first;
        guint32 last;

        imap_uid_set_range(found, i - 1, &first, &last);
        for (guint32 uid = last; speed->messages->len < LOOKED_AT; uid--) {
            Message message = {uid, 0};

            g_array_append_val(speed->messages, message);
            if (uid == first)
                break;
        }
    }
    fs_check_done(speed->check, error);
}

static gboolean
find(Speed *speed, guint32 from_uid)
{
    ImapSought sought = {.from_uid = from_uid};

    imap_request_find(speed->check->connection, &sought, on_found, speed);
    return fs_check_wait(speed->check);
}

static gboolean
find_newest(Speed *speed)
{
    guint64 next = imap_connection_mailbox(speed->check->connection)->uidnext;

    if (next > UIDS_BACK && next <= G_MAXUINT32 &&
        !find(speed, (guint32)next - UIDS_BACK))
        return FALSE;
    return speed->messages->len > 0 || find(speed, 0);
}

static void
on_row(const ImapFetch *fetch, gpointer user_data)
{
    Speed *speed = user_data;

    for (guint i = 0; i < speed->messages->len; i++) {
        Message *message = &g_array_index(speed->messages, Message, i);

        if (message->uid == fetch->uid && fetch->has_size)
            message->size = fetch->size;
    }
}

static void
on_rows_done(const GError *error, gpointer user_data)
{
    fs_check_done(((Speed *)user_data)->check, error);
}

static const ImapFetchListHandler rows_handler = {
    .message = on_row,
    .done = on_rows_done,
};

static ImapUidSet *
all_of(const Speed *speed)
{
    ImapUidSet *uids = imap_uid_set_new();

    for (guint i = 0; i < speed->messages->len; i++) {
        guint32 uid = g_array_index(speed->messages, Message, i).uid;

        imap_uid_set_add(uids, uid, uid);
    }
    return uids;
}

static gboolean
ask_for_sizes(Speed *speed)
{
    g_autoptr(ImapUidSet) uids = all_of(speed);
    g_autofree char *text = imap_uid_set_to_string(uids);

    imap_request_fetch_list(speed->check->connection, text, FALSE,
                            &rows_handler, speed);
    return fs_check_wait(speed->check);
}

/* The newest that are not too much; NULL: each is, or there is none. */
static ImapUidSet *
choose(const Speed *speed)
{
    ImapUidSet *chosen = imap_uid_set_new();
    guint64 sum = 0;

    for (guint i = 0; i < speed->messages->len; i++) {
        const Message *message = &g_array_index(speed->messages, Message, i);

        if (message->size == 0 || sum + message->size > FETCHED_MAX)
            continue;
        sum += message->size;
        imap_uid_set_add(chosen, message->uid, message->uid);
    }
    if (sum == 0)
        g_clear_pointer(&chosen, imap_uid_set_free);
    return chosen;
}

/* ---- fetching them ---- */

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    ((Speed *)user_data)->received += length;
}

static void
on_end(guint32 uid, gpointer user_data)
{
    ((Speed *)user_data)->n_received++;
}

static void
on_discard(gpointer user_data)
{
}

static const ImapBodiesHandler bodies_handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_rows_done,
};

static void
fetch(Speed *speed)
{
    ImapConnection *connection = speed->check->connection;
    g_autoptr(ImapUidSet) chosen = choose(speed);

    if (chosen != NULL) {
        imap_request_fetch_bodies(connection, chosen, &bodies_handler, speed);
    } else {
        guint32 newest = g_array_index(speed->messages, Message, 0).uid;

        imap_request_fetch_part(connection, newest, 0, FETCHED_MAX,
                                &bodies_handler, speed);
    }
}

static void
say_rate(const Speed *speed, gint64 took_us)
{
    guint64 rate = (guint64)((double)speed->received * G_USEC_PER_SEC /
                             (double)MAX(took_us, 1));
    g_autofree char *size = fs_words_size(speed->received);
    g_autofree char *per_second = fs_words_size(rate);
    g_autofree char *took = fs_words_time(took_us);

    fs_check_say(speed->check, FS_MARK_NONE, "Throughput",
                 "%s%s/s (%u messages, %s in %s)",
                 took_us < TOO_QUICK_US ? "at least " : "", per_second,
                 speed->n_received, size, took);
}

static void
say_throughput(Speed *speed)
{
    const FsCheckFolder *folder = folder_to_read(speed->check);
    FsCheck *check = speed->check;
    gboolean is_well;
    gint64 asked_at;

    if (folder == NULL) {
        fs_check_say(check, FS_MARK_NONE, "Throughput",
                     "not measured: there is no mail to fetch");
        return;
    }
    imap_request_examine(check->connection, folder->wire, fs_check_on_done,
                         check);
    is_well = fs_check_wait(check) && find_newest(speed) &&
              (speed->messages->len == 0 || ask_for_sizes(speed));
    if (is_well && speed->messages->len == 0) {
        fs_check_say(check, FS_MARK_NONE, "Throughput",
                     "not measured: no mail is found in %s", folder->path);
        return;
    }
    asked_at = g_get_monotonic_time();
    if (is_well) {
        fetch(speed);
        is_well = fs_check_wait(check);
    }
    if (is_well)
        say_rate(speed, g_get_monotonic_time() - asked_at);
    else
        fs_check_say(check, FS_MARK_BAD, "Throughput",
                     "no mail can be fetched from %s: %s", folder->path,
                     check->error->message);
}

void
fs_check_speed(FsCheck *check)
{
    Speed speed = {.check = check};

    speed.messages = g_array_new(FALSE, FALSE, sizeof(Message));
    say_round_trip(check);
    if (imap_connection_is_open(check->connection))
        say_throughput(&speed);
    g_array_unref(speed.messages);
}
