/* What matters to people first: whether the server is there, whether all that
 * was done has arrived; then what is in use; and what went wrong last. */
#include "fs/commands/status-report.h"

#include "fs/commands/mount-status.h"
#include "fs/commands/report.h"
#include "fs/commands/words.h"

#include <string.h>

#define FOLDERS_SHOWN 20u
#define ERRORS_SHOWN 5u
#define REFUSED_SHOWN 10u

typedef struct {
    const FsOutput *output;
    JsonObject *status;
    GString *report;
    gboolean steady;
    gint64 now; /* microseconds since the epoch */
} Report;

static void say(Report *report, FsMark mark, const char *name,
                const char *format, ...) G_GNUC_PRINTF(4, 5);

static void
say(Report *report, FsMark mark, const char *name, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    fs_report_line(report->report, report->output, mark, name, text);
}

/* The time of day here; of another day, the date. Caller frees. */
static char *
clock_time(const Report *report, gint64 time)
{
    g_autoptr(GDateTime) when =
        g_date_time_new_from_unix_local(time / G_USEC_PER_SEC);
    gboolean is_old = report->now - time > 20 * G_TIME_SPAN_HOUR;

    if (when == NULL)
        return g_strdup("?");
    return g_date_time_format(when, is_old ? "%Y-%m-%d %H:%M" : "%H:%M:%S");
}

/* How long since; caller frees. */
static char *
age(const Report *report, gint64 time)
{
    return fs_words_span((guint64)MAX(report->now - time, 0) / G_USEC_PER_SEC);
}

/* ---- the account and its line ---- */

static void
say_title(Report *report)
{
    gint64 since = fs_mount_status_time(report->status, "since");
    const char *version = fs_mount_status_text(report->status, "version");
    const char *mountpoint = fs_mount_status_text(report->status, "mountpoint");
    g_autofree char *title =
        g_strdup_printf("imapfs %s at %s", version != NULL ? version : "?",
                        mountpoint != NULL ? mountpoint : "?");
    g_autofree char *begun = clock_time(report, since);
    g_autofree char *span = age(report, since);

    fs_report_title(report->report, report->output, title);
    if (report->steady)
        say(report, FS_MARK_NONE, "Mounted", "since %s", begun);
    else
        say(report, FS_MARK_NONE, "Mounted", "since %s (%s)", begun, span);
}

static void
say_account(Report *report)
{
    JsonObject *account = fs_mount_status_object(report->status, "account");
    const char *user = fs_mount_status_text(account, "user");
    const char *host = fs_mount_status_text(account, "host");
    const char *tls = fs_mount_status_text(account, "tls");
    gboolean is_clear = g_strcmp0(tls, "off") == 0;

    say(report, FS_MARK_NONE, "Account", "%s at %s, port %u, %s",
        user != NULL ? user : "?", host != NULL ? host : "?",
        (guint)fs_mount_status_number(account, "port"),
        is_clear ? "not encrypted" : "TLS");
}

static guint
length_of(JsonArray *array)
{
    return array != NULL ? json_array_get_length(array) : 0;
}

/* The shortest of all connections; 0: not known. */
static gint64
round_trip_us(const Report *report)
{
    JsonArray *all = fs_mount_status_array(report->status, "connections");
    gint64 shortest = 0;

    for (guint i = 0; i < length_of(all); i++) {
        JsonObject *each = fs_mount_status_element(all, i);
        gint64 one =
            (gint64)(fs_mount_status_fraction(each, "round_trip_ms") * 1000);

        if (one > 0 && (shortest == 0 || one < shortest))
            shortest = one;
    }
    return shortest;
}

static void
say_online(Report *report, const char *since)
{
    guint n_open =
        length_of(fs_mount_status_array(report->status, "connections"));
    gint64 shortest = round_trip_us(report);
    g_autofree char *round_trip = fs_words_time(shortest);

    say(report, FS_MARK_GOOD, "Line",
        "there since %s; %u of %u connections%s%s", since, n_open,
        (guint)fs_mount_status_number(report->status, "connections_allowed"),
        shortest > 0 && !report->steady ? ", round trip " : "",
        shortest > 0 && !report->steady ? round_trip : "");
}

static void
say_line(Report *report)
{
    const char *line = fs_mount_status_text(report->status, "line");
    const char *error =
        fs_mount_status_text(report->status, "connection_error");
    gint64 since = fs_mount_status_time(report->status, "line_since");
    g_autofree char *begun = clock_time(report, since);

    if (error == NULL)
        error = "no reason is known";
    if (g_strcmp0(line, "online") == 0)
        say_online(report, begun);
    else if (g_strcmp0(line, "refused") == 0)
        say(report, FS_MARK_BAD, "Line", "login refused since %s: %s", begun,
            error);
    else if (g_strcmp0(line, "offline") == 0)
        say(report, FS_MARK_BAD, "Line", "away since %s: %s", begun, error);
    else
        say(report, FS_MARK_LACKING, "Line", "not tried yet");
}

/* Whether it can be expected to tell of changes, once it has been asked to and
 * what was missed before is in. */
static gboolean
is_going_to_tell(const Report *report)
{
    JsonArray *all = fs_mount_status_array(report->status, "capabilities");

    for (guint i = 0; i < length_of(all); i++) {
        const char *name = fs_mount_status_text_element(all, i);

        if (g_strcmp0(name, "IDLE") == 0 || g_strcmp0(name, "NOTIFY") == 0)
            return fs_mount_status_number(report->status,
                                          "connections_allowed") > 1;
    }
    return FALSE;
}

static void
say_push(Report *report)
{
    const char *push = fs_mount_status_text(report->status, "push");
    const char *line = fs_mount_status_text(report->status, "line");
    const char *refusal = fs_mount_status_text(report->status, "push_error");

    if (g_strcmp0(push, "all") == 0)
        say(report, FS_MARK_GOOD, "Push",
            "live: the server tells of all "
            "folders");
    else if (g_strcmp0(push, "one") == 0)
        say(report, FS_MARK_GOOD, "Push",
            "live: the server tells of the folders most in use; others are "
            "polled");
    else if (g_strcmp0(line, "online") != 0)
        say(report, FS_MARK_LACKING, "Push",
            "nothing is told of without the line");
    else if (refusal != NULL)
        say(report, FS_MARK_WARNING, "Push",
            "the server offers to tell of changes, and does not (%s); folders "
            "in use are polled",
            refusal);
    else if (is_going_to_tell(report))
        say(report, FS_MARK_LACKING, "Push",
            "not yet: until the server tells of changes, folders in use are "
            "polled");
    else
        say(report, FS_MARK_WARNING, "Push",
            "the server tells nothing by itself; folders in use are polled");
}

/* ---- what is to be done, and what could not be ---- */

static void
append_count(GString *text, guint64 count, const char *one, const char *many)
{
    if (count > 0)
        g_string_append_printf(text, "%s%" G_GUINT64_FORMAT " %s",
                               text->len > 0 ? ", " : "", count,
                               count == 1 ? one : many);
}

static void
say_pending(Report *report)
{
    JsonObject *pending = fs_mount_status_object(report->status, "pending");
    g_autoptr(GString) text = g_string_new(NULL);

    append_count(text, fs_mount_status_number(pending, "changes"),
                 "change to send", "changes to send");
    append_count(text, fs_mount_status_number(pending, "uploads"),
                 "message to store", "messages to store");
    append_count(text, fs_mount_status_number(pending, "operations"),
                 "program waits", "programs wait");
    if (text->len > 0)
        say(report, FS_MARK_WARNING, "Pending", "%s", text->str);
    else
        say(report, FS_MARK_GOOD, "Pending",
            "nothing: the server has all that was done here");
}

static void
say_refused(Report *report)
{
    JsonArray *refused = fs_mount_status_array(report->status, "refused");
    guint n_refused = length_of(refused);

    for (guint i = 0; i < MIN(n_refused, REFUSED_SHOWN); i++) {
        const char *text = fs_mount_status_text_element(refused, i);

        say(report, FS_MARK_BAD, "Refused", "%s", text != NULL ? text : "?");
    }
    if (n_refused > REFUSED_SHOWN)
        say(report, FS_MARK_BAD, "Refused", "and %u more",
            n_refused - REFUSED_SHOWN);
}

/* ---- what is kept ---- */

static void
say_cache(Report *report)
{
    JsonObject *cache = fs_mount_status_object(report->status, "cache");
    guint64 limit = fs_mount_status_number(cache, "disk_limit_bytes");
    g_autofree char *known =
        fs_words_count(fs_mount_status_number(cache, "messages_known"));
    g_autofree char *size =
        fs_words_size(fs_mount_status_number(cache, "message_bytes_known"));
    g_autofree char *used = fs_words_size(fs_mount_status_number(
        cache, limit > 0 ? "disk_bytes" : "memory_bytes"));
    g_autofree char *most = fs_words_size(limit);

    say(report, FS_MARK_NONE, "Known", "%s messages, of %s", known, size);
    if (limit > 0)
        say(report, FS_MARK_NONE, "Cache", "%s of at most %s on disk", used,
            most);
    else
        say(report, FS_MARK_WARNING, "Cache",
            "%s in memory; nothing is kept on disk", used);
}

static void
say_traffic(Report *report)
{
    JsonObject *traffic = fs_mount_status_object(report->status, "traffic");
    g_autofree char *received =
        fs_words_size(fs_mount_status_number(traffic, "bytes_received"));
    g_autofree char *sent =
        fs_words_size(fs_mount_status_number(traffic, "bytes_sent"));
    g_autofree char *commands =
        fs_words_count(fs_mount_status_number(traffic, "commands"));

    if (!report->steady)
        say(report, FS_MARK_NONE, "Traffic",
            "%s received, %s sent, with %s commands", received, sent, commands);
}

/* Of one direction, if there is a limit to it. */
static void
say_limit(Report *report, const char *count, const char *limit,
          const char *what, const char *then)
{
    JsonObject *today = fs_mount_status_object(report->status, "today");
    guint64 octets = fs_mount_status_number(today, count);
    guint64 most = fs_mount_status_number(today, limit);
    g_autofree char *used = fs_words_size(octets);
    g_autofree char *allowed = fs_words_size(most);

    if (most > 0 && octets >= most)
        say(report, FS_MARK_WARNING, "Today",
            "all of the %s that may be %s in a day; until midnight (UTC) %s",
            allowed, what, then);
    else if (most > 0 && !report->steady)
        say(report, FS_MARK_NONE, "Today", "%s of at most %s %s", used, allowed,
            what);
}

static void
say_today(Report *report)
{
    say_limit(report, "received", "max_download", "fetched",
              "what is not in the cache cannot be read");
    say_limit(report, "sent", "max_upload", "sent", "what is written waits");
}

/* ---- folders ---- */

static char *
state_of(const Report *report, JsonObject *folder)
{
    gint64 time = fs_mount_status_time(folder, "synchronised");
    g_autofree char *span = age(report, time);

    if (fs_mount_status_flag(folder, "failing"))
        return g_strdup("failing");
    if (fs_mount_status_flag(folder, "under_way"))
        return g_strdup("being read");
    if (time == 0)
        return g_strdup("from the cache");
    if (fs_mount_status_flag(folder, "stale"))
        return report->steady ? g_strdup("old")
                              : g_strdup_printf("as of %s ago", span);
    return g_strdup("up to date");
}

/* A GCompareFunc of rows. */
static int
compare_rows(gconstpointer one, gconstpointer other)
{
    const char *const *first = *(const char *const *const *)one;
    const char *const *second = *(const char *const *const *)other;

    return strcmp(first[0], second[0]);
}

static void
say_folders(Report *report)
{
    static const FsTableColumn columns[] = {
        {"Folder", FALSE, 9},
        {"Messages", TRUE, 1},
        {"State", FALSE, 2},
    };
    JsonArray *all = fs_mount_status_array(report->status, "mailboxes");
    guint n_folders = length_of(all);
    g_autoptr(GPtrArray) rows =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);

    for (guint i = 0; i < n_folders; i++) {
        JsonObject *folder = fs_mount_status_element(all, i);
        const char *name = fs_mount_status_text(folder, "name");
        char **cells = g_new0(char *, 4);

        cells[0] = g_strdup(name != NULL ? name : "?");
        cells[1] = fs_words_count(fs_mount_status_number(folder, "messages"));
        cells[2] = state_of(report, folder);
        g_ptr_array_add(rows, cells);
    }
    if (n_folders == 0)
        return;
    g_ptr_array_sort(rows, compare_rows);
    if (n_folders > FOLDERS_SHOWN)
        g_ptr_array_set_size(rows, (int)FOLDERS_SHOWN);
    fs_report_heading(report->report, report->output, "Folders that were used");
    fs_report_table(report->report, report->output, columns,
                    G_N_ELEMENTS(columns), rows);
    if (n_folders > FOLDERS_SHOWN)
        g_string_append_printf(report->report, "  and %u more\n",
                               n_folders - FOLDERS_SHOWN);
}

static void
say_errors(Report *report)
{
    JsonArray *errors = fs_mount_status_array(report->status, "last_errors");
    guint n_errors = length_of(errors);

    if (n_errors == 0)
        return;
    fs_report_heading(report->report, report->output, "Last messages");
    for (guint i = n_errors - MIN(n_errors, ERRORS_SHOWN); i < n_errors; i++) {
        JsonObject *error = fs_mount_status_element(errors, i);
        const char *text = fs_mount_status_text(error, "text");
        g_autofree char *when =
            clock_time(report, fs_mount_status_time(error, "time"));

        say(report, FS_MARK_NONE, when, "%s", text != NULL ? text : "?");
    }
}

GString *
fs_status_report(const FsOutput *output, JsonObject *status, gboolean steady)
{
    Report report = {
        .output = output,
        .status = status,
        .report = g_string_new(NULL),
        .steady = steady,
        .now = fs_mount_status_time(status, "now"),
    };

    say_title(&report);
    say_account(&report);
    say_line(&report);
    say_push(&report);
    say_pending(&report);
    say_refused(&report);
    say_cache(&report);
    say_traffic(&report);
    say_today(&report);
    say_folders(&report);
    say_errors(&report);
    return report.report;
}
