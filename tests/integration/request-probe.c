/* The requests that change mailboxes, one line each, for test_requests.py.
 *
 *     request-probe HOST PORT USER PASSWORD [CA-FILE [compress]]
 *
 * Without a file of authorities the line is in clear. Commands come on the
 * standard input, their words apart by tabs and with escapes as in C; each is
 * answered by a line (mailboxes in modified UTF-7), "OK" and what is known, or
 * "ERROR" and the errno that a program would see, and why:
 *
 *     select|examine MAILBOX                 writable, or not
 *     store +|-|= UIDS FLAGS [MODSEQ]        UIDs that were left alone
 *     expunge UIDS, expunge-everything
 *     copy|move UIDS MAILBOX                 UIDVALIDITY, and old>new for each
 *     append MAILBOX FILE FLAGS SECONDS      UIDVALIDITY and UID; "-" for none
 *     create|delete|subscribe|unsubscribe MAILBOX, rename FROM TO
 *     list MAILBOX                           name, attributes; or "none"
 *     quota MAILBOX                          octets used and allowed; or "none"
 *     rights MAILBOX
 *     find-deleted, find FROM-UID FIELD TEXT UIDs */
#include "fs/kernel/errno.h"
#include "imap/append.h"
#include "imap/change-requests.h"
#include "imap/mailbox-encoding.h"
#include "imap/mailbox-requests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static GMainLoop *loop;
static ImapConnection *connection;
static int message_fd = -1;

/* As this connection has it, from modified UTF-7; and back. */
static char *
wire_name(const char *name)
{
    return imap_connection_is_utf8(connection)
               ? imap_mailbox_decode(name, FALSE)
               : g_strdup(name);
}

static char *
plain_name(const char *wire)
{
    return imap_connection_is_utf8(connection)
               ? imap_mailbox_encode(wire, FALSE)
               : g_strdup(wire);
}

static void
finish(const GError *error, const char *text)
{
    if (error != NULL)
        printf("ERROR %s %s\n", strerrorname_np(fs_errno_from_error(error)),
               error->message);
    else
        printf("OK %s\n", text);
    fflush(stdout);
    g_main_loop_quit(loop);
}

static void
on_done(const GError *error, gpointer user_data)
{
    finish(error, "");
}

static void
on_selected(const GError *error, gpointer user_data)
{
    finish(error,
           imap_connection_is_writable(connection) ? "writable" : "read-only");
}

static void
on_uids(const ImapUidSet *uids, const GError *error, gpointer user_data)
{
    g_autofree char *text = uids != NULL ? imap_uid_set_to_string(uids) : NULL;

    finish(error, text);
}

static void
on_copied(const ImapCopied *copied, const GError *error, gpointer user_data)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (copied == NULL)
        g_string_append(text, "untold");
    else
        g_string_append_printf(text, "%" G_GUINT64_FORMAT, copied->uidvalidity);
    for (guint i = 0; copied != NULL && i < copied->pairs->len; i++) {
        ImapUidPair pair = g_array_index(copied->pairs, ImapUidPair, i);

        g_string_append_printf(text, " %u>%u", pair.from, pair.to);
    }
    finish(error, text->str);
}

static void
on_listed(const ImapListedMailbox *mailbox, const GError *error,
          gpointer user_data)
{
    g_autofree char *name =
        mailbox != NULL ? plain_name(mailbox->name) : g_strdup("none");
    g_autofree char *text =
        mailbox != NULL ? g_strdup_printf("%s %#x", name, mailbox->attributes)
                        : g_strdup(name);

    finish(error, text);
}

static void
on_quota(const ImapQuota *quota, const GError *error, gpointer user_data)
{
    g_autofree char *text =
        quota != NULL && quota->has_storage
            ? g_strdup_printf("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                              quota->storage_used, quota->storage_limit)
            : g_strdup("none");

    finish(error, text);
}

static void
on_rights(guint rights, const GError *error, gpointer user_data)
{
    g_autofree char *text = g_strdup_printf("%#x", rights);

    finish(error, text);
}

static gssize
on_read(void *buffer, gsize size, gpointer user_data)
{
    return read(message_fd, buffer, size);
}

static void
on_appended(const ImapAppended *appended, const GError *error,
            gpointer user_data)
{
    g_autofree char *text =
        appended->uid != 0
            ? g_strdup_printf("%" G_GUINT64_FORMAT " %u", appended->uidvalidity,
                              appended->uid)
            : g_strdup("untold");

    close(message_fd);
    finish(error, text);
}

static void
append(const char *mailbox, const char *file, const char *flags,
       const char *seconds)
{
    static const ImapAppendHandler handler = {on_read, on_appended};
    g_auto(GStrv) words =
        g_strsplit(strcmp(flags, "-") != 0 ? flags : "", " ", 0);
    struct stat about = {0};
    ImapAppend what = {
        .mailbox = mailbox,
        .flags = (const char *const *)words,
        .date = strcmp(seconds, "-") != 0 ? g_ascii_strtoll(seconds, NULL, 10)
                                          : IMAP_APPEND_NO_DATE,
    };

    message_fd = open(file, O_RDONLY | O_CLOEXEC);
    if (message_fd < 0 || fstat(message_fd, &about) != 0)
        g_error("%s: %s", file, g_strerror(errno));
    what.size = (guint64)about.st_size;
    imap_request_append(connection, &what, &handler, NULL);
}

static void
store(char **words)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_parse(words[2], strlen(words[2]));
    g_auto(GStrv) flags = g_strsplit(words[3], " ", 0);
    ImapStore what = {
        .uids = uids,
        .mode = words[1][0] == '+'   ? IMAP_STORE_ADD
                : words[1][0] == '-' ? IMAP_STORE_REMOVE
                                     : IMAP_STORE_REPLACE,
        .flags = (const char *const *)flags,
        .unchanged_since =
            words[4] != NULL ? g_ascii_strtoull(words[4], NULL, 10) : 0,
    };

    imap_request_store(connection, &what, on_uids, NULL);
}

/* Which of the words names a mailbox. */
static gboolean
is_mailbox(char **words, guint i)
{
    static const char *const without[] = {"store", "expunge", "find"};
    gboolean is_copy =
        strcmp(words[0], "copy") == 0 || strcmp(words[0], "move") == 0;

    for (guint j = 0; j < G_N_ELEMENTS(without); j++)
        if (g_str_has_prefix(words[0], without[j]))
            return FALSE;
    return is_copy ? i == 2
                   : i == 1 || (i == 2 && strcmp(words[0], "rename") == 0);
}

static gboolean
change_messages(char **words, guint n)
{
    g_autoptr(ImapUidSet) uids =
        n > 1 ? imap_uid_set_parse(words[1], strlen(words[1])) : NULL;

    if (n >= 4 && strcmp(words[0], "store") == 0)
        store(words);
    else if (n == 2 && uids != NULL && strcmp(words[0], "expunge") == 0)
        imap_request_expunge_uids(connection, uids, on_done, NULL);
    else if (strcmp(words[0], "expunge-everything") == 0)
        imap_request_expunge_everything_marked(connection, on_done, NULL);
    else if (n == 3 && uids != NULL && strcmp(words[0], "copy") == 0)
        imap_request_copy(connection, uids, words[2], on_copied, NULL);
    else if (n == 3 && uids != NULL && strcmp(words[0], "move") == 0)
        imap_request_move(connection, uids, words[2], on_copied, NULL);
    else if (n == 5 && strcmp(words[0], "append") == 0)
        append(words[1], words[2], words[3], words[4]);
    else
        return FALSE;
    return TRUE;
}

static gboolean
find(char **words, guint n)
{
    ImapSought sought = {0};

    if (strcmp(words[0], "find-deleted") == 0) {
        sought.is_deleted = TRUE;
    } else if (n == 4 && strcmp(words[0], "find") == 0) {
        sought.from_uid = (guint32)g_ascii_strtoull(words[1], NULL, 10);
        sought.field = words[2];
        sought.text = words[3];
    } else {
        return FALSE;
    }
    imap_request_find(connection, &sought, on_uids, NULL);
    return TRUE;
}

static const struct {
    const char *name;
    void (*request)(ImapConnection *connection, const char *mailbox,
                    ImapDoneFunc done, gpointer user_data);
    ImapDoneFunc done;
} plain_requests[] = {
    {"select", imap_request_select, on_selected},
    {"examine", imap_request_examine, on_selected},
    {"create", imap_request_create, on_done},
    {"delete", imap_request_delete, on_done},
    {"subscribe", imap_request_subscribe, on_done},
    {"unsubscribe", imap_request_unsubscribe, on_done},
};

static gboolean
ask_of_mailbox(char **words, guint n)
{
    for (guint i = 0; n == 2 && i < G_N_ELEMENTS(plain_requests); i++) {
        if (strcmp(words[0], plain_requests[i].name) == 0) {
            plain_requests[i].request(connection, words[1],
                                      plain_requests[i].done, NULL);
            return TRUE;
        }
    }
    if (n == 3 && strcmp(words[0], "rename") == 0)
        imap_request_rename(connection, words[1], words[2], on_done, NULL);
    else if (n == 2 && strcmp(words[0], "list") == 0)
        imap_request_list_one(connection, words[1], on_listed, NULL);
    else if (n == 2 && strcmp(words[0], "quota") == 0)
        imap_request_quota(connection, words[1], on_quota, NULL);
    else if (n == 2 && strcmp(words[0], "rights") == 0)
        imap_request_rights(connection, words[1], on_rights, NULL);
    else
        return FALSE;
    return TRUE;
}

static gboolean
obey(char *line)
{
    g_auto(GStrv) words = g_strsplit(g_strchomp(line), "\t", 0);
    guint n = g_strv_length(words);

    for (guint i = 0; i < n; i++) {
        char *plain = g_strcompress(words[i]);

        g_free(words[i]);
        words[i] =
            i > 0 && is_mailbox(words, i) ? wire_name(plain) : g_strdup(plain);
        g_free(plain);
    }
    return n > 0 && (change_messages(words, n) || find(words, n) ||
                     ask_of_mailbox(words, n));
}

static void
on_opened(ImapConnection *opened, const GError *error, gpointer user_data)
{
    finish(error, "open");
}

int
main(int argc, char **argv)
{
    g_autoptr(ImapSettings) settings = imap_settings_new();
    char line[8192];

    if (argc < 5)
        return 2;
    g_free(settings->host);
    settings->host = g_strdup(argv[1]);
    settings->port = (guint16)g_ascii_strtoull(argv[2], NULL, 10);
    g_free(settings->username);
    settings->username = g_strdup(argv[3]);
    settings->password = imap_secret_new(argv[4], strlen(argv[4]));
    settings->tls = argc > 5 ? IMAP_TLS_IMPLICIT : IMAP_TLS_OFF;
    settings->ca_file = argc > 5 ? g_strdup(argv[5]) : NULL;
    settings->compress = argc > 6 ? IMAP_COMPRESS_ON : IMAP_COMPRESS_OFF;
    loop = g_main_loop_new(NULL, FALSE);
    connection = imap_connection_new(settings);
    imap_connection_open(connection, on_opened, NULL);
    g_main_loop_run(loop);
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (!obey(line)) {
            fprintf(stderr, "not understood: %s\n", line);
            return 2;
        }
        g_main_loop_run(loop);
    }
    imap_connection_unref(connection);
    g_main_loop_unref(loop);
    return 0;
}
