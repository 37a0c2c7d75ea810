/* Counting the day's traffic.
 *
 * It is noted when somebody wants more, and written when a megabyte has come
 * together: what a crash loses is little against a limit of a day. Octets are
 * counted as they were before compression, as providers do. */
#include "fs/day-limit.h"

#include "fs/options/option-values.h"
#include "imap/error.h"
#include "imap/pool-status.h"

#define FILE_NAME "traffic"
#define WRITE_EVERY (1024 * 1024)

struct FsDayLimit {
    char *path; /* NULL: nowhere */
    CacheStoreThread *thread;
    guint64 max_download, max_upload;
    char *day; /* "2026-11-28" */
    FsDayTraffic today;
    guint64 written;           /* of both together */
    guint64 noted_received;    /* of this mount */
    guint64 noted_sent;        /* likewise */
    gboolean told_of_download; /* today */
    gboolean told_of_upload;
};

/* ---- the file ---- */

static char *
day_of(gint64 now)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(now);

    return time != NULL ? g_date_time_format(time, "%F") : g_strdup("never");
}

static guint64
read_count(const FsDayLimit *limit, GKeyFile *file, const char *name)
{
    g_autofree char *text = g_key_file_get_value(file, limit->day, name, NULL);
    guint64 count;

    if (text == NULL || !fs_option_parse_number(text, 0, G_MAXINT64, &count))
        return 0;
    return count;
}

static void
read_file(FsDayLimit *limit)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autoptr(GError) error = NULL;

    if (limit->path == NULL)
        return;
    if (!g_key_file_load_from_file(file, limit->path, G_KEY_FILE_NONE,
                                   &error)) {
        if (!g_error_matches(error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            g_message("%s: %s; the day's traffic is counted from now on",
                      limit->path, error->message);
        return;
    }
    limit->today.received = read_count(limit, file, "received");
    limit->today.sent = read_count(limit, file, "sent");
    limit->written = limit->today.received + limit->today.sent;
}

typedef struct {
    char *path;
    char *text;
} Write;

static void
write_file(gpointer job)
{
    Write *write = job;
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents_full(write->path, write->text, -1,
                                  G_FILE_SET_CONTENTS_CONSISTENT, 0600, &error))
        g_debug("%s", error->message);
}

static void
free_write(gpointer job)
{
    Write *write = job;

    g_free(write->path);
    g_free(write->text);
    g_free(write);
}

static void
keep(FsDayLimit *limit)
{
    Write *write;

    limit->written = limit->today.received + limit->today.sent;
    if (limit->path == NULL)
        return;
    write = g_new0(Write, 1);
    write->path = g_strdup(limit->path);
    write->text = g_strdup_printf(
        "[%s]\nreceived=%" G_GUINT64_FORMAT "\nsent=%" G_GUINT64_FORMAT "\n",
        limit->day, limit->today.received, limit->today.sent);
    cache_store_thread_push(limit->thread, write_file, free_write, write);
}

/* ---- counting ---- */

FsDayLimit *
fs_day_limit_new(const char *directory, guint64 max_download,
                 guint64 max_upload, CacheStoreThread *thread, gint64 now)
{
    FsDayLimit *limit = g_new0(FsDayLimit, 1);

    limit->max_download = max_download;
    limit->max_upload = max_upload;
    limit->thread = thread;
    limit->day = day_of(now);
    if (directory != NULL)
        limit->path = g_build_filename(directory, FILE_NAME, NULL);
    read_file(limit);
    return limit;
}

void
fs_day_limit_free(FsDayLimit *limit)
{
    if (limit == NULL)
        return;
    if (limit->written != limit->today.received + limit->today.sent)
        keep(limit);
    g_free(limit->path);
    g_free(limit->day);
    g_free(limit);
}

static void
begin_day(FsDayLimit *limit, gint64 now)
{
    g_autofree char *day = day_of(now);

    if (g_str_equal(day, limit->day))
        return;
    g_free(limit->day);
    limit->day = g_steal_pointer(&day);
    limit->today = (FsDayTraffic){0, 0};
    limit->written = 0;
    limit->told_of_download = FALSE;
    limit->told_of_upload = FALSE;
}

void
fs_day_limit_note(FsDayLimit *limit, guint64 received, guint64 sent, gint64 now)
{
    begin_day(limit, now);
    limit->today.received += received - MIN(received, limit->noted_received);
    limit->today.sent += sent - MIN(sent, limit->noted_sent);
    limit->noted_received = received;
    limit->noted_sent = sent;
    if (limit->today.received + limit->today.sent - limit->written >=
        WRITE_EVERY)
        keep(limit);
}

void
fs_day_limit_get(const FsDayLimit *limit, FsDayTraffic *today)
{
    *today = limit->today;
}

/* ---- the limits ---- */

static gboolean
refuse(gboolean *told, const char *option, guint64 max, int code,
       const char *what, GError **error)
{
    g_autofree char *size = fs_option_show_size(max);

    if (!*told)
        g_message("The day's %s of %s is used up: until midnight, UTC, %s",
                  option, size, what);
    *told = TRUE;
    g_set_error(error, IMAP_ERROR, code,
                "the day's %s of %s is used up; wait until midnight, UTC, or "
                "mount with another %s",
                option, size, option);
    return FALSE;
}

gboolean
fs_day_limit_may_download(FsDayLimit *limit, GError **error)
{
    if (limit->max_download == 0 || limit->today.received < limit->max_download)
        return TRUE;
    return refuse(&limit->told_of_download, "max_download", limit->max_download,
                  IMAP_ERROR_LIMIT,
                  "what is in the cache can be read, and nothing else", error);
}

gboolean
fs_day_limit_may_upload(FsDayLimit *limit, guint64 octets, GError **error)
{
    if (limit->max_upload == 0 ||
        (limit->today.sent <= limit->max_upload &&
         octets <= limit->max_upload - limit->today.sent))
        return TRUE;
    if (octets > limit->max_upload) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_TOO_BIG,
                    "it is larger than max_upload");
        return FALSE;
    }
    return refuse(&limit->told_of_upload, "max_upload", limit->max_upload,
                  IMAP_ERROR_OVER_QUOTA,
                  "what is written and larger than what is left waits here",
                  error);
}

/* ---- of an account ---- */

void
fs_account_note_traffic(const FsAccount *account)
{
    ImapTraffic traffic;

    imap_pool_traffic(account->pool, &traffic);
    fs_day_limit_note(account->day_limit, traffic.text_received,
                      traffic.bytes_sent, g_get_real_time() / G_USEC_PER_SEC);
}

gboolean
fs_account_may_download(FsAccount *account, GError **error)
{
    fs_account_note_traffic(account);
    return fs_day_limit_may_download(account->day_limit, error);
}

gboolean
fs_account_may_upload(FsAccount *account, guint64 octets, GError **error)
{
    fs_account_note_traffic(account);
    return fs_day_limit_may_upload(account->day_limit, octets, error);
}
