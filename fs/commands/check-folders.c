/* The folders as the mount would show them, those with a special use first, and
 * what is in them.
 *
 * Some servers choke on many questions at a time, so that they are asked in
 * small groups; and of very many folders only the first are asked for. */
#include "fs/commands/check-private.h"

#include "fs/commands/words.h"
#include "imap/mailbox-encoding.h"
#include "imap/status-request.h"

#include <string.h>

#define ASKED_AT_ONCE 20u
#define ASKED_MAX 500u
#define SHOWN_MAX 40u

/* ---- the list ---- */

static void
on_list(const GArray *mailboxes, const GError *error, gpointer user_data)
{
    FsCheck *check = user_data;
    gboolean utf8 = imap_connection_is_utf8(check->connection);
    g_autoptr(GArray) listings =
        g_array_new(FALSE, TRUE, sizeof(FsMailboxListing));
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) reason = NULL;

    for (guint i = 0; error == NULL && i < mailboxes->len; i++) {
        const ImapListedMailbox *listed =
            &g_array_index(mailboxes, ImapListedMailbox, i);
        FsMailboxListing listing = {
            .wire_name = listed->name,
            .name = imap_mailbox_decode(listed->name, utf8),
            .delimiter = listed->delimiter,
            .attributes = listed->attributes,
        };

        g_ptr_array_add(names, (gpointer)listing.name);
        g_array_append_val(listings, listing);
    }
    if (error == NULL) {
        check->tree = fs_mailbox_tree_new();
        fs_mailbox_tree_update(check->tree,
                               (const FsMailboxListing *)listings->data,
                               listings->len, NULL, NULL, &reason);
    }
    fs_check_done(check, error != NULL ? error : reason);
}

static void
gather(FsCheck *check, guint32 parent)
{
    const FsMailbox *child;
    guint32 after = 0;

    while ((child = fs_mailbox_tree_next_child(check->tree, parent, after)) !=
           NULL) {
        FsCheckFolder folder = {
            .id = child->id,
            .path = fs_mailbox_tree_path(check->tree, child->id),
            .wire = child->selectable ? g_strdup(child->wire_name) : NULL,
        };

        after = child->id;
        g_array_append_val(check->folders, folder);
        gather(check, after);
    }
}

/* ---- what they are for ---- */

static const char *
use_of(const FsCheck *check, const FsCheckFolder *folder)
{
    static const struct {
        guint attribute;
        const char *name;
    } uses[] = {
        {IMAP_LIST_DRAFTS, "drafts"},   {IMAP_LIST_SENT, "sent"},
        {IMAP_LIST_TRASH, "trash"},     {IMAP_LIST_JUNK, "junk"},
        {IMAP_LIST_ARCHIVE, "archive"}, {IMAP_LIST_ALL, "all mail"},
        {IMAP_LIST_FLAGGED, "flagged"},
    };
    const FsMailbox *mailbox = fs_mailbox_tree_get(check->tree, folder->id);

    for (guint i = 0; mailbox != NULL && i < G_N_ELEMENTS(uses); i++)
        if ((mailbox->attributes & uses[i].attribute) != 0)
            return uses[i].name;
    return "";
}

const FsCheckFolder *
fs_check_trash(const FsCheck *check)
{
    for (guint i = 0; i < check->folders->len; i++) {
        const FsCheckFolder *folder =
            &g_array_index(check->folders, FsCheckFolder, i);

        if (folder->wire != NULL && strcmp(use_of(check, folder), "trash") == 0)
            return folder;
    }
    return NULL;
}

static int
rank_of(const FsCheck *check, const FsCheckFolder *folder)
{
    if (g_ascii_strcasecmp(folder->path, "INBOX") == 0)
        return 0;
    return use_of(check, folder)[0] != '\0' ? 1 : 2;
}

static int
compare(gconstpointer one, gconstpointer other, gpointer user_data)
{
    const FsCheckFolder *first = one;
    const FsCheckFolder *second = other;
    int difference = rank_of(user_data, first) - rank_of(user_data, second);

    return difference != 0 ? difference : strcmp(first->path, second->path);
}

/* ---- what is in them ---- */

static void
on_status(const ImapMailboxStatus *status, gpointer user_data)
{
    FsCheck *check = user_data;
    const FsMailbox *mailbox =
        fs_mailbox_tree_by_wire_name(check->tree, status->name);

    for (guint i = 0; mailbox != NULL && i < check->folders->len; i++) {
        FsCheckFolder *folder =
            &g_array_index(check->folders, FsCheckFolder, i);

        if (folder->id != mailbox->id)
            continue;
        folder->known = status->has;
        folder->messages = status->messages;
        folder->unseen = status->unseen;
        folder->size = status->size;
        return;
    }
}

static const ImapStatusHandler status_handler = {
    .more = IMAP_MAILBOX_UNSEEN | IMAP_MAILBOX_SIZE,
    .status = on_status,
    .done = fs_check_on_done,
};

/* FALSE: the line is gone. */
static gboolean
ask_for_counts(FsCheck *check)
{
    guint n_asked = MIN(check->folders->len, ASKED_MAX);
    gboolean is_there = TRUE;

    for (guint at = 0; at < n_asked && is_there;) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (; at < n_asked && names->len < ASKED_AT_ONCE; at++) {
            const FsCheckFolder *folder =
                &g_array_index(check->folders, FsCheckFolder, at);

            if (folder->wire != NULL)
                g_ptr_array_add(names, folder->wire);
        }
        g_ptr_array_add(names, NULL);
        if (imap_request_statuses(check->connection,
                                  (const char *const *)names->pdata,
                                  &status_handler, check))
            is_there = fs_check_wait(check);
    }
    return is_there;
}

static guint64
count_messages(const FsCheck *check)
{
    guint64 count = 0;

    for (guint i = 0; i < check->folders->len; i++)
        count += g_array_index(check->folders, FsCheckFolder, i).messages;
    return count;
}

void
fs_check_folders(FsCheck *check)
{
    g_autofree char *folders = NULL;
    g_autofree char *messages = NULL;

    imap_request_list(check->connection, on_list, check);
    if (fs_check_wait(check)) {
        gather(check, FS_MAILBOX_TREE_ROOT);
        g_array_sort_with_data(check->folders, compare, check);
        ask_for_counts(check);
    }
    if (check->error != NULL) {
        fs_check_say(check, FS_MARK_BAD, "Folders",
                     "cannot be listed: %s; if that stays so, ask who runs "
                     "the server",
                     check->error->message);
        return;
    }
    folders = fs_words_count(check->folders->len);
    messages = fs_words_count(count_messages(check));
    fs_check_say(check, FS_MARK_GOOD, "Folders", "%s, with %s messages%s",
                 folders, messages,
                 check->folders->len > ASKED_MAX ? " in the first 500" : "");
}

/* ---- the table ---- */

static char *
cell(const FsCheckFolder *folder, guint item, guint64 value,
     char *(*words)(guint64 value))
{
    if (folder->wire == NULL)
        return g_strdup("");
    return (folder->known & item) != 0 ? words(value) : g_strdup("?");
}

static void
add_row(const FsCheck *check, GPtrArray *rows, const FsCheckFolder *folder)
{
    char **cells = g_new0(char *, 6);

    cells[0] = g_strdup(folder->path);
    cells[1] = g_strdup(use_of(check, folder));
    cells[2] =
        cell(folder, IMAP_MAILBOX_MESSAGES, folder->messages, fs_words_count);
    cells[3] =
        cell(folder, IMAP_MAILBOX_UNSEEN, folder->unseen, fs_words_count);
    cells[4] = cell(folder, IMAP_MAILBOX_SIZE, folder->size, fs_words_size);
    g_ptr_array_add(rows, cells);
}

static gboolean
has_sizes(const FsCheck *check)
{
    for (guint i = 0; i < check->folders->len; i++)
        if ((g_array_index(check->folders, FsCheckFolder, i).known &
             IMAP_MAILBOX_SIZE) != 0)
            return TRUE;
    return FALSE;
}

void
fs_check_print_folders(FsCheck *check)
{
    static const FsTableColumn columns[] = {
        {"Folder", FALSE, 9}, {"Use", FALSE, 2}, {"Messages", TRUE, 4},
        {"Unread", TRUE, 1},  {"Size", TRUE, 3},
    };
    guint n_columns = G_N_ELEMENTS(columns) - (has_sizes(check) ? 0 : 1);
    guint shown = MIN(check->folders->len, SHOWN_MAX);
    g_autoptr(GPtrArray) rows =
        g_ptr_array_new_with_free_func((GDestroyNotify)g_strfreev);
    g_autoptr(GString) report = g_string_new(NULL);

    if (shown == 0)
        return;
    for (guint i = 0; i < shown; i++)
        add_row(check, rows, &g_array_index(check->folders, FsCheckFolder, i));
    fs_report_heading(report, &check->output, "Folders");
    fs_report_table(report, &check->output, columns, n_columns, rows);
    if (shown < check->folders->len)
        g_string_append_printf(report, "  and %u more\n",
                               check->folders->len - shown);
    fs_check_print(report);
}
