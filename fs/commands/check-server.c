/* What the server lets us do, and what will come of it. */
#include "fs/commands/check-private.h"

#include "fs/commands/words.h"
#include "imap/idle.h"
#include "imap/mailbox-requests.h"
#include "imap/notify.h"

static gboolean
has(const FsCheck *check, const char *capability)
{
    return imap_connection_has(check->connection, capability);
}

/* ---- writing ---- */

typedef struct {
    FsCheck *check;
    guint rights;
} Rights;

static void
on_rights(guint rights, const GError *error, gpointer user_data)
{
    Rights *asked = user_data;

    asked->rights = rights;
    fs_check_done(asked->check, error);
}

static void
say_rights(FsCheck *check, guint rights)
{
    static const struct {
        guint right;
        const char *what;
    } needed[] = {
        {IMAP_RIGHT_INSERT, "storing"},
        {IMAP_RIGHT_WRITE_FLAGS, "flagging"},
        {IMAP_RIGHT_DELETE, "deleting"},
        {IMAP_RIGHT_EXPUNGE, "expunging"},
    };
    g_autoptr(GString) missing = g_string_new(NULL);

    for (guint i = 0; i < G_N_ELEMENTS(needed); i++)
        if ((rights & needed[i].right) == 0)
            g_string_append_printf(
                missing, "%s%s", missing->len > 0 ? ", " : "", needed[i].what);
    if (missing->len == 0)
        fs_check_say(check, FS_MARK_GOOD, "Writing", "INBOX may be changed");
    else
        fs_check_say(check, FS_MARK_WARNING, "Writing",
                     "in INBOX the server does not permit: %s", missing->str);
}

/* Without ACL, only selecting it shows whether it may be changed. */
static void
say_selected(FsCheck *check)
{
    if (imap_connection_is_writable(check->connection))
        fs_check_say(check, FS_MARK_GOOD, "Writing", "INBOX may be changed");
    else
        fs_check_say(check, FS_MARK_WARNING, "Writing",
                     "the server lets INBOX only be read");
}

void
fs_check_writing(FsCheck *check)
{
    Rights asked = {check, 0};

    if (!imap_connection_is_open(check->connection))
        return;
    if (check->options->read_only) {
        fs_check_say(check, FS_MARK_LACKING, "Writing", "not asked for (ro)");
        return;
    }
    if (has(check, "ACL")) {
        imap_request_rights(check->connection, "INBOX", on_rights, &asked);
        if (fs_check_wait(check))
            say_rights(check, asked.rights);
    } else {
        imap_request_select(check->connection, "INBOX", fs_check_on_done,
                            check);
        if (fs_check_wait(check))
            say_selected(check);
    }
    if (check->error != NULL)
        fs_check_say(check, FS_MARK_WARNING, "Writing", "%s",
                     check->error->message);
}

/* ---- push ---- */

static void
on_idle_begun(gpointer user_data)
{
    FsCheck *check = user_data;

    check->idles = TRUE;
    fs_check_done(check, NULL);
}

static void
on_idle_done(gboolean by_server, const GError *error, gpointer user_data)
{
    FsCheck *check = user_data;

    if (!check->idles)
        fs_check_done(check, error);
}

static const ImapIdleHandler idle_handler = {
    .begun = on_idle_begun,
    .done = on_idle_done,
};

/* On a selected mailbox; what is sent next ends it. */
static gboolean
try_idle(FsCheck *check)
{
    imap_request_examine(check->connection, "INBOX", fs_check_on_done, check);
    if (!fs_check_wait(check))
        return FALSE;
    imap_idle_start(check->connection, &idle_handler, check);
    if (!fs_check_wait(check) || !check->idles)
        return FALSE;
    imap_request_ping(check->connection, fs_check_on_done, check);
    return fs_check_wait(check);
}

static gboolean
try_notify(FsCheck *check)
{
    imap_request_notify(check->connection, FALSE, fs_check_on_done, check);
    if (!fs_check_wait(check))
        fs_check_say(check, FS_MARK_WARNING, "Push",
                     "the server announces NOTIFY, but refuses it: %s",
                     check->error->message);
    return check->error == NULL;
}

static void
say_polling(FsCheck *check, const char *why)
{
    fs_check_say(check, FS_MARK_WARNING, "Push",
                 "%s; changes made elsewhere show within %u seconds, in "
                 "folders in use (the option poll)",
                 why, check->options->poll_seconds);
}

void
fs_check_push(FsCheck *check)
{
    const FsOptions *options = check->options;

    if (!imap_connection_is_open(check->connection))
        return;
    if (options->connections < 2)
        say_polling(check, "with connections=1 nobody listens");
    else if (has(check, "NOTIFY") && try_notify(check))
        fs_check_say(check, FS_MARK_GOOD, "Push",
                     "NOTIFY: changes in all folders show at once");
    else if (has(check, "IDLE") && try_idle(check))
        fs_check_say(check, FS_MARK_GOOD, "Push",
                     "IDLE: changes show at once in the %u folders most in "
                     "use, and within %u seconds in others that are in use",
                     options->connections, options->poll_seconds);
    else if (imap_connection_is_open(check->connection))
        say_polling(check, has(check, "IDLE")
                               ? "the server refuses IDLE"
                               : "the server does not tell (no IDLE)");
    else
        fs_check_say(check, FS_MARK_BAD, "Push", "%s", check->error->message);
}

/* ---- deleting ---- */

static void
say_expunging(FsCheck *check, const char *why)
{
    if (has(check, "UIDPLUS"))
        fs_check_say(check, FS_MARK_NONE, "rm",
                     "removes the message for good%s; delete=trash would "
                     "move it to the trash",
                     why);
    else
        fs_check_say(check, FS_MARK_NONE, "rm",
                     "removes the message for good%s; the server has no "
                     "UIDPLUS, so that what others have marked as deleted is "
                     "put aside meanwhile",
                     why);
}

static void
say_trash(FsCheck *check, const char *why)
{
    const FsCheckFolder *trash = fs_check_trash(check);

    if (trash != NULL)
        fs_check_say(check, FS_MARK_NONE, "rm",
                     "moves the message to %s%s; there, it removes it for "
                     "good",
                     trash->path, why);
    else
        fs_check_say(check, FS_MARK_WARNING, "rm",
                     "fails: the server marks no folder as the trash; use "
                     "delete=expunge or delete=mark");
}

static void
say_deleting(FsCheck *check)
{
    if (check->options->read_only) {
        fs_check_say(check, FS_MARK_NONE, "rm", "is refused (ro)");
        return;
    }
    switch (check->options->remove) {
    case FS_REMOVE_AS_SERVER:
        if (has(check, "X-GM-EXT-1"))
            say_trash(check, ", for expunging would archive it (Gmail)");
        else
            say_expunging(check, "");
        break;
    case FS_REMOVE_EXPUNGE:
        if (has(check, "X-GM-EXT-1"))
            fs_check_say(check, FS_MARK_WARNING, "rm",
                         "takes the message out of its folder, and Gmail "
                         "keeps it in All Mail (delete=expunge)");
        else
            say_expunging(check, " (delete=expunge)");
        break;
    case FS_REMOVE_TRASH:
        say_trash(check, " (delete=trash)");
        break;
    case FS_REMOVE_MARK:
        fs_check_say(check, FS_MARK_NONE, "rm",
                     "marks the message as deleted, and hides it "
                     "(delete=mark)");
        break;
    }
}

/* ---- limits ---- */

typedef struct {
    FsCheck *check;
    ImapQuota quota;
} Quota;

static void
on_quota(const ImapQuota *quota, const GError *error, gpointer user_data)
{
    Quota *asked = user_data;

    if (quota != NULL)
        asked->quota = *quota;
    fs_check_done(asked->check, error);
}

static void
say_storage(FsCheck *check, const ImapQuota *quota)
{
    g_autofree char *used = fs_words_size(quota->storage_used);
    g_autofree char *limit = fs_words_size(quota->storage_limit);
    gboolean is_full = quota->storage_used >= quota->storage_limit;

    fs_check_say(check, is_full ? FS_MARK_WARNING : FS_MARK_NONE, "Quota",
                 "%s of %s are used%s", used, limit,
                 is_full ? ": nothing more can be stored" : "");
}

static void
say_quota(FsCheck *check)
{
    Quota asked = {check, {0}};

    if (!has(check, "QUOTA")) {
        fs_check_say(check, FS_MARK_NONE, "Quota",
                     "the server does not tell of one");
        return;
    }
    imap_request_quota(check->connection, "INBOX", on_quota, &asked);
    if (!fs_check_wait(check))
        fs_check_say(check, FS_MARK_WARNING, "Quota", "%s",
                     check->error->message);
    else if (asked.quota.has_storage)
        say_storage(check, &asked.quota);
    if (asked.quota.has_messages)
        fs_check_say(check, FS_MARK_NONE, "Quota",
                     "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " messages",
                     asked.quota.messages_used, asked.quota.messages_limit);
    if (check->error == NULL && !asked.quota.has_storage &&
        !asked.quota.has_messages)
        fs_check_say(check, FS_MARK_NONE, "Quota", "none");
}

static void
say_message_size(FsCheck *check)
{
    g_autofree char *size = NULL;
    guint64 limit;

    if (!imap_capabilities_number(
            imap_connection_capabilities(check->connection), "APPENDLIMIT",
            &limit)) {
        fs_check_say(check, FS_MARK_NONE, "Message size",
                     "the server does not tell a limit");
        return;
    }
    size = fs_words_size(limit);
    fs_check_say(check, FS_MARK_NONE, "Message size",
                 "at most %s can be stored as one message", size);
}

/* Of the options, or the provider. */
static void
say_day_limits(FsCheck *check)
{
    const FsOptions *options = check->options;
    g_autofree char *down = fs_words_size(options->max_download);
    g_autofree char *up = fs_words_size(options->max_upload);

    if (options->max_download > 0)
        fs_check_say(check, FS_MARK_NONE, "Fetching",
                     "at most %s a day (max_download); beyond it, what is in "
                     "the cache can be read",
                     down);
    if (options->max_upload > 0)
        fs_check_say(check, FS_MARK_NONE, "Sending",
                     "at most %s a day (max_upload); beyond it, what is "
                     "written waits",
                     up);
}

void
fs_check_server(FsCheck *check)
{
    if (!imap_connection_is_open(check->connection))
        return;
    say_deleting(check);
    say_quota(check);
    say_message_size(check);
    say_day_limits(check);
}
