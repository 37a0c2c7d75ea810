/* Where messages go. A server's text is in some of them, so control characters
 * never reach the terminal. */
#include "fs/log.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

static gboolean show_debug;
static gboolean show_info;
static gboolean hide_messages;
static gboolean use_syslog;
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
text_of(const GLogField *fields, gsize n_fields)
{
    for (gsize i = 0; i < n_fields; i++)
        if (strcmp(fields[i].key, "MESSAGE") == 0)
            return fields[i].value;
    return "";
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
    g_autofree char *text = NULL;

    if (is_left_out(level))
        return G_LOG_WRITER_HANDLED;
    text = g_utf8_make_valid(text_of(fields, n_fields), -1);
    for (char *c = text; *c != '\0'; c++)
        if (g_ascii_iscntrl(*c))
            *c = ' ';
    if (hide_messages && (level & G_LOG_LEVEL_MESSAGE) != 0)
        ; /* but those who observe are told */
    else if (use_syslog)
        syslog(priority_of(level), "%s", text);
    else
        fprintf(stderr, "imapfs: %s\n", text);
    if (told != NULL && !(level & (G_LOG_LEVEL_DEBUG | G_LOG_LEVEL_INFO)))
        told(text);
    return G_LOG_WRITER_HANDLED;
}

void
fs_log_start(gboolean debug)
{
    show_debug = debug;
    g_log_set_writer_func(write_log, NULL, NULL);
}

void
fs_log_set_verbosity(gboolean verbose, gboolean quiet)
{
    show_info = verbose;
    hide_messages = quiet;
}

void
fs_log_use_syslog(void)
{
    openlog("imapfs", LOG_PID, LOG_USER);
    use_syslog = TRUE;
}

void
fs_log_set_observer(FsLogObserver new_observer)
{
    g_atomic_pointer_set(&observer, new_observer);
}
