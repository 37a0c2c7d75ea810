/* Tables of mailboxes as files. A table's number is that of its mailbox's
 * directory, with the format in place of a UID. A mailbox's name that leaves no
 * room for the suffix is cut as in fs/names/mailbox-name.h. */
#include "fs/views/index/index-view.h"

#include "fs/kernel/inode.h"
#include "fs/names/mailbox-name.h"
#include "fs/sync/synchroniser.h"
#include "fs/views/index/index-file.h"

#include <errno.h>
#include <string.h>

/* In place of a UID, the format and this. */
#define FIRST_NUMBER 2u
/* Entries of one mailbox in a listing: its tables and its directory. */
#define PER_MAILBOX 3u

static const char *const suffixes[] = {
    [FS_INDEX_TSV] = ".tsv",
    [FS_INDEX_JSONL] = ".jsonl",
};

static guint64
inode_of(guint32 mailbox, guint format)
{
    return fs_inode_in_view(FS_VIEW_INDEX,
                            fs_inode_make(0, mailbox, FIRST_NUMBER + format));
}

/* FALSE: @inode is no table. */
static gboolean
find_table(guint64 inode, guint32 *mailbox, guint *format)
{
    guint64 shown = fs_view_shown(inode);

    *mailbox = fs_inode_mailbox(shown);
    *format = fs_inode_uid(shown) - FIRST_NUMBER;
    return *mailbox != 0 && fs_inode_uid(shown) >= FIRST_NUMBER &&
           *format < G_N_ELEMENTS(suffixes);
}

static guint32
mailbox_of(const FsView *view, guint64 directory)
{
    return fs_view_is_top(view, directory)
               ? FS_MAILBOX_TREE_ROOT
               : fs_inode_mailbox(fs_view_shown(directory));
}

/* ---- entries ---- */

static void
fill_table(const FsView *view, guint32 mailbox, guint format,
           FsViewEntry *entry)
{
    gint64 changed =
        fs_synchroniser_changed_at(view->account->synchroniser, mailbox);

    fs_view_fill(view, inode_of(mailbox, format), S_IFREG, 0,
                 changed / G_USEC_PER_SEC, entry);
}

/* The name of the table of @mailbox. Caller frees. */
static char *
table_name(const FsMailbox *mailbox, guint format)
{
    const char *suffix = suffixes[format];
    g_autofree char *stem = fs_mailbox_name_within(
        mailbox->name, FS_MAILBOX_NAME_MAX - strlen(suffix));

    return g_strconcat(stem, suffix, NULL);
}

/* The mailbox below @parent whose name was cut to @name; NULL: none. */
static const FsMailbox *
find_by_cut(const FsView *view, guint32 parent, const char *name, guint format)
{
    const FsMailbox *child = NULL;
    guint32 after = 0;

    while ((child = fs_mailbox_tree_next_child(view->account->tree, parent,
                                               after)) != NULL) {
        g_autofree char *listed = table_name(child, format);

        if (g_str_equal(listed, name))
            return child;
        after = child->id;
    }
    return NULL;
}

/* The mailbox below @parent that @name is a table of; NULL: none. */
static const FsMailbox *
find_by_table(const FsView *view, guint32 parent, const char *name,
              guint *format)
{
    for (guint i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *stem = NULL;
        const FsMailbox *found;

        if (!g_str_has_suffix(name, suffixes[i]))
            continue;
        stem = g_strndup(name, strlen(name) - strlen(suffixes[i]));
        found = fs_mailbox_tree_child(view->account->tree, parent, stem);
        if (found == NULL && fs_mailbox_name_may_be_cut(stem))
            found = find_by_cut(view, parent, name, i);
        *format = i;
        return found != NULL && found->selectable ? found : NULL;
    }
    return NULL;
}

static gboolean
has_children(const FsView *view, const FsMailbox *mailbox)
{
    return fs_mailbox_tree_count_children(view->account->tree, mailbox->id) > 0;
}

static FsAnswer
index_look_up(FsView *view, guint64 directory, const char *name,
              const FsViewRequest *request, FsViewEntry *entry,
              FsObstacle *obstacle)
{
    FsAnswer answer = fs_view_know_folders(view, request->since, obstacle);
    guint32 parent = mailbox_of(view, directory);
    const FsMailbox *found;
    guint format = 0;

    if (answer != FS_ANSWER_FOUND)
        return answer;
    found = fs_mailbox_tree_child(view->account->tree, parent, name);
    if (found != NULL) {
        fs_view_fill_folder(view, found->id, entry);
        return FS_ANSWER_FOUND;
    }
    found = find_by_table(view, parent, name, &format);
    if (found == NULL)
        return FS_ANSWER_NONE;
    fill_table(view, found->id, format, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
index_describe(FsView *view, guint64 inode, const FsViewRequest *request,
               FsViewEntry *entry, FsObstacle *obstacle)
{
    guint32 mailbox;
    guint format;

    if (fs_view_is_top(view, inode)) {
        fs_view_fill_top(view, entry);
        return FS_ANSWER_FOUND;
    }
    if (fs_mailbox_tree_get(view->account->tree, mailbox_of(view, inode)) ==
        NULL)
        return FS_ANSWER_NONE;
    if (find_table(inode, &mailbox, &format))
        fill_table(view, mailbox, format, entry);
    else
        fs_view_fill_folder(view, mailbox_of(view, inode), entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
index_open_directory(FsView *view, guint64 directory,
                     const FsViewRequest *request, FsObstacle *obstacle)
{
    return fs_view_know_folders(view, request->since, obstacle);
}

/* The @kind-th entry of @mailbox: a table for each format, and its directory.
 * FALSE: it has none. */
static gboolean
fill_kind(const FsView *view, const FsMailbox *mailbox, guint kind,
          FsViewEntry *entry)
{
    g_autofree char *name = NULL;

    if (kind < G_N_ELEMENTS(suffixes)) {
        name = table_name(mailbox, kind);
        if (!mailbox->selectable ||
            fs_mailbox_tree_child(view->account->tree, mailbox->parent, name) !=
                NULL)
            return FALSE;
        fill_table(view, mailbox->id, kind, entry);
    } else {
        if (!has_children(view, mailbox))
            return FALSE;
        name = g_strdup(mailbox->name);
        fs_view_fill_folder(view, mailbox->id, entry);
    }
    g_strlcpy(entry->entry.name, name, sizeof entry->entry.name);
    return TRUE;
}

/* A cookie is the id of a mailbox and the next of its entries. */
static FsAnswer
index_next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
           FsObstacle *obstacle)
{
    const FsMailboxTree *tree = view->account->tree;
    guint32 id = (guint32)(cookie / (PER_MAILBOX + 1));
    guint kind = (guint)(cookie % (PER_MAILBOX + 1));
    const FsMailbox *child =
        id != 0 && kind < PER_MAILBOX ? fs_mailbox_tree_get(tree, id) : NULL;

    for (;;) {
        for (; child != NULL && kind < PER_MAILBOX; kind++) {
            if (!fill_kind(view, child, kind, entry))
                continue;
            entry->entry.cookie =
                (guint64)child->id * (PER_MAILBOX + 1) + kind + 1;
            return FS_ANSWER_FOUND;
        }
        child =
            fs_mailbox_tree_next_child(tree, mailbox_of(view, directory), id);
        if (child == NULL)
            return FS_ANSWER_NONE;
        id = child->id;
        kind = 0;
    }
}

static FsAnswer
index_open(FsView *view, guint64 inode, const FsViewRequest *request,
           FsViewFile **file, FsObstacle *obstacle)
{
    FsAccount *account = view->account;
    const FsMailbox *found;
    guint32 mailbox;
    guint format;
    FsNeed *need;

    if (!find_table(inode, &mailbox, &format))
        return fs_answer_fail(EISDIR, obstacle);
    found = fs_mailbox_tree_get(account->tree, mailbox);
    if (found == NULL || !found->selectable)
        return FS_ANSWER_NONE;
    need = fs_synchroniser_need_messages(account->synchroniser, mailbox,
                                         request->since);
    if (need != NULL)
        return fs_answer_wait(need, obstacle);
    *file = fs_index_file_new(account, view->names, mailbox, format);
    return FS_ANSWER_FOUND;
}

static const FsViewClass index_class = {
    .name = "index",
    .about = "  Each folder as a table, a line for each message:\n"
             "  index/INBOX.tsv has uid, name, size, date, flags, from, to,\n"
             "  subject, message_id, attachments (yes or no), with tabs\n"
             "  between; index/INBOX.jsonl the same as JSON.",
    .first = FS_VIEW_INDEX,
    .last = FS_VIEW_INDEX,
    .look_up = index_look_up,
    .describe = index_describe,
    .open_directory = index_open_directory,
    .next = index_next,
    .open = index_open,
};

FsView *
fs_index_view_new(FsAccount *account, FsNameSpace *names)
{
    return fs_view_new(&index_class, sizeof(FsView), account, names);
}
