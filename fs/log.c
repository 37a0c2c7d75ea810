/* Where messages go. A server's text is in some of them, so control characters
 * never reach the terminal. */
#include "fs/log.h"

#include "fs/text.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define TEXT_MAX 8000
#define ANSWER "IMAPFS_ANSWER"

static gboolean show_debug;
static gboolean show_info;
static gboolean hide_messages;
static gboolean use_system;
static gboolean use_journal; /* stderr leads there */
static char *account;        /* NULL: not known yet; set once, before threads */
static char *mountpoint;
static FsLogObserver observer; /* atomic */

static int
priority_of(GLogLevelFlags level)
{
    if (level & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL))
        return LOG_ERR;
    if (level & G_LOG_LEVEL_WARNING)
        return LOG_WARNING;
    if (level & G_LOG_LEVEL_MESSAGE)
        return LOG_NOTICE;
    return LOG_DEBUG;
}

static const char *
field(const GLogField *fields, gsize n_fields, const char *name)
{
    for (gsize i = 0; i < n_fields; i++)
        if (strcmp(fields[i].key, name) == 0)
            return fields[i].value;
    return NULL;
}

static gboolean
send_to_journal(GLogLevelFlags level, const char *text)
{
    const char priority[] = {(char)('0' + priority_of(level)), '\0'};
    const GLogField fields[] = {
        {"MESSAGE", text, -1},
        {"PRIORITY", priority, -1},
        {"SYSLOG_IDENTIFIER", "imapfs", -1},
        {"IMAPFS_ACCOUNT", account, -1},
        {"IMAPFS_MOUNTPOINT", mountpoint, -1},
    };
    gsize n_fields = G_N_ELEMENTS(fields) - (account == NULL ? 2 : 0);

    return g_log_writer_journald(level, fields, n_fields, NULL) ==
           G_LOG_WRITER_HANDLED;
}

static void
write_text(GLogLevelFlags level, const char *text)
{
    if ((use_system || use_journal) && send_to_journal(level, text))
        return;
    if (use_system)
        syslog(priority_of(level), "%s", text);
    else
        fprintf(stderr, "imapfs: %s\n", text);
}

static gboolean
is_left_out(GLogLevelFlags level)
{
    if (show_debug)
        return FALSE;
    return (level & G_LOG_LEVEL_DEBUG) != 0 ||
           ((level & G_LOG_LEVEL_INFO) != 0 && !show_info);
}

static GLogWriterOutput
write_log(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
          gpointer user_data)
{
    FsLogObserver told = g_atomic_pointer_get(&observer);
    const char *message = field(fields, n_fields, "MESSAGE");
    g_autofree char *text = NULL;
    gboolean is_answer;

    if (is_left_out(level))
        return G_LOG_WRITER_HANDLED;
    text = fs_text_tame(message != NULL ? message : "", TEXT_MAX);
    is_answer = field(fields, n_fields, ANSWER) != NULL;
    /* Those who observe are told all the same. */
    if (!hide_messages || is_answer || (level & G_LOG_LEVEL_MESSAGE) == 0)
        write_text(level, text);
    if (told != NULL && !is_answer &&
        !(level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)))
        told(text);
    return G_LOG_WRITER_HANDLED;
}

void
fs_log_start(gboolean debug)
{
    show_debug = debug;
    use_journal = g_log_writer_is_journald(STDERR_FILENO);
    g_log_set_writer_func(write_log, NULL, NULL);
}

void
fs_log_set_verbosity(gboolean verbose, gboolean quiet)
{
    show_info = verbose;
    hide_messages = quiet;
}

void
fs_log_use_system(void)
{
    openlog("imapfs", LOG_PID, LOG_USER);
    use_system = TRUE;
}

void
fs_log_set_mount(const char *new_account, const char *new_mountpoint)
{
    g_free(account);
    g_free(mountpoint);
    account = g_strdup(new_account);
    mountpoint = g_strdup(new_mountpoint);
}

void
fs_log_set_observer(FsLogObserver new_observer)
{
    g_atomic_pointer_set(&observer, new_observer);
}

void
fs_log_answer(const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_log_structured(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, ANSWER, "1", "MESSAGE",
                     "%s", text);
}
