/* Messages as text. Names and numbers are those of the mount, with ".txt" added
 * to the names of messages. */
#include "fs/views/text-view.h"

#include "fs/kernel/inode.h"
#include "fs/views/text-ahead.h"

#include <errno.h>
#include <string.h>

#define SUFFIX ".txt"

typedef struct {
    FsView parent;
    FsPartMaker *maker;
    FsTextAhead *ahead;
} TextView;

static TextView *
text_of(FsView *view)
{
    return (TextView *)view;
}

/* Makes of a message of the mount, which @entry has been filled with, its file.
 */
static void
disguise_message(FsView *view, FsViewEntry *entry, guint64 size)
{
    const FsEntry message = entry->entry;

    fs_view_fill(view, fs_inode_in_view(FS_VIEW_TEXT, message.inode), S_IFREG,
                 size, message.attributes.st_mtim.tv_sec, entry);
    entry->entry.cookie = message.cookie;
    entry->entry.mailbox = message.mailbox;
    entry->entry.uid = message.uid;
    memcpy(entry->entry.name, message.name, sizeof message.name);
}

static gboolean
is_directory(const FsViewEntry *entry)
{
    return S_ISDIR(entry->entry.attributes.st_mode);
}

/* Most names are those of messages, in folders that hold no others. */
static gboolean
may_be_directory(const FsView *view, guint64 shown, const char *name)
{
    guint32 mailbox = shown == FS_INODE_ROOT ? 0 : fs_inode_mailbox(shown);

    return !g_str_has_suffix(name, ".eml" SUFFIX) ||
           fs_mailbox_tree_count_children(view->account->tree, mailbox) > 0;
}

/* Whoever looks a message up wants its text, or its size. While that is on its
 * way it is waited for here: what has a size is believed, and need not be asked
 * for it once more. */
static FsAnswer
look_up(FsView *view, guint64 directory, const char *name,
        const FsViewRequest *request, FsViewEntry *entry, FsObstacle *obstacle)
{
    guint64 shown = fs_view_shown(directory);
    TextView *text = text_of(view);
    g_autofree char *stem = NULL;
    guint64 size = 0;
    FsNeed *need;
    gboolean sized;
    FsAnswer answer = FS_ANSWER_NONE;

    if (may_be_directory(view, shown, name))
        answer = fs_name_space_look_up(view->names, shown, name, request->since,
                                       &entry->entry, obstacle);
    if (answer == FS_ANSWER_FOUND && is_directory(entry)) {
        fs_view_disguise_directory(view, entry);
        return FS_ANSWER_FOUND;
    }
    if (answer == FS_ANSWER_WAIT || answer == FS_ANSWER_FAILED)
        return answer;
    if (!g_str_has_suffix(name, SUFFIX))
        return FS_ANSWER_NONE;
    stem = g_strndup(name, strlen(name) - strlen(SUFFIX));
    answer = fs_name_space_look_up(view->names, shown, stem, request->since,
                                   &entry->entry, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (entry->entry.uid == 0)
        return FS_ANSWER_NONE;
    sized = fs_part_maker_text_size(text->maker, entry->entry.mailbox,
                                    entry->entry.uid, &size);
    need = sized ? NULL
                 : fs_part_maker_text_job(text->maker, entry->entry.mailbox,
                                          entry->entry.uid);
    if (sized || need != NULL)
        fs_text_ahead_passed(text->ahead, entry->entry.mailbox,
                             entry->entry.uid);
    if (need != NULL)
        return fs_answer_wait(need, obstacle);
    disguise_message(view, entry, size);
    entry->unsized = !sized;
    entry->lasting = sized;
    return FS_ANSWER_FOUND;
}

/* The text of the message that @entry is. */
static FsAnswer
find_text(FsView *view, const FsViewEntry *entry, const FsViewRequest *request,
          char **key, guint64 *size, FsObstacle *obstacle)
{
    TextView *text = text_of(view);

    fs_text_ahead_opened(text->ahead, entry->entry.mailbox, entry->entry.uid,
                         request->by);
    return fs_part_maker_text(text->maker, entry->entry.mailbox,
                              entry->entry.uid, key, size, obstacle);
}

static FsAnswer
describe(FsView *view, guint64 inode, const FsViewRequest *request,
         FsViewEntry *entry, FsObstacle *obstacle)
{
    g_autofree char *key = NULL;
    guint64 size = 0;
    FsAnswer answer = fs_name_space_describe(view->names, fs_view_shown(inode),
                                             &entry->entry, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (is_directory(entry)) {
        fs_view_disguise_directory(view, entry);
        return FS_ANSWER_FOUND;
    }
    answer = find_text(view, entry, request, &key, &size, obstacle);
    if (answer == FS_ANSWER_FOUND) {
        disguise_message(view, entry, size);
        entry->lasting = TRUE;
    }
    return answer;
}

static FsAnswer
open_directory(FsView *view, guint64 directory, const FsViewRequest *request,
               FsObstacle *obstacle)
{
    guint64 shown = fs_view_shown(directory);
    FsAnswer answer;

    if (shown != FS_INODE_ROOT && request->runs == 1)
        fs_text_ahead_expect(text_of(view)->ahead, fs_inode_mailbox(shown));
    answer = fs_name_space_open_directory(view->names, shown, request->since,
                                          obstacle);
    if (answer == FS_ANSWER_FOUND && shown != FS_INODE_ROOT)
        fs_text_ahead_listed(text_of(view)->ahead, fs_inode_mailbox(shown),
                             request->by);
    return answer;
}

/* A name that has no room for the suffix is replaced by that of the UID, which
 * finds the message, too. */
static void
add_suffix(FsEntry *entry)
{
    if (strlen(entry->name) + strlen(SUFFIX) >= sizeof entry->name)
        g_snprintf(entry->name, sizeof entry->name, "%u.eml", entry->uid);
    g_strlcat(entry->name, SUFFIX, sizeof entry->name);
}

static FsAnswer
next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
     FsObstacle *obstacle)
{
    guint64 shown = fs_view_shown(directory);
    FsAnswer answer;

    do {
        answer = fs_name_space_next(view->names, shown, cookie, &entry->entry,
                                    obstacle);
        cookie = entry->entry.cookie;
    } while (answer == FS_ANSWER_FOUND && !is_directory(entry) &&
             entry->entry.uid == 0);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (is_directory(entry)) {
        fs_view_disguise_directory(view, entry);
        return FS_ANSWER_FOUND;
    }
    disguise_message(view, entry, 0);
    add_suffix(&entry->entry);
    entry->unsized = TRUE;
    return FS_ANSWER_FOUND;
}

static FsAnswer
open_file(FsView *view, guint64 inode, const FsViewRequest *request,
          FsViewFile **file, FsObstacle *obstacle)
{
    g_autofree char *key = NULL;
    FsViewEntry entry = {0};
    guint64 size = 0;
    FsAnswer answer = fs_name_space_describe(view->names, fs_view_shown(inode),
                                             &entry.entry, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (is_directory(&entry)) {
        obstacle->error_number = EISDIR;
        return FS_ANSWER_FAILED;
    }
    answer = find_text(view, &entry, request, &key, &size, obstacle);
    if (answer == FS_ANSWER_FOUND) {
        *file = fs_part_file_new(text_of(view)->maker, entry.entry.mailbox,
                                 entry.entry.uid, FS_PART_TEXT, key, size);
        (*file)->lasting = TRUE;
    }
    return answer;
}

static void
text_view_free(FsView *view)
{
    fs_text_ahead_free(text_of(view)->ahead);
    g_free(view);
}

static const FsViewClass text_class = {
    .name = "text",
    .about =
        "  The folders once more, with a file NAME.txt for each message:\n"
        "  its headers and texts, decoded, as UTF-8 with LF at the ends of\n"
        "  lines. For grep -r, which finds nothing in base64.\n",
    .first = FS_VIEW_TEXT,
    .last = FS_VIEW_TEXT,
    .look_up = look_up,
    .describe = describe,
    .open_directory = open_directory,
    .next = next,
    .open = open_file,
    .free = text_view_free,
};

FsView *
fs_text_view_new(FsAccount *account, FsNameSpace *names, FsPartMaker *maker)
{
    TextView *text = g_new0(TextView, 1);

    text->parent.class = &text_class;
    text->parent.account = account;
    text->parent.names = names;
    text->maker = maker;
    text->ahead = fs_text_ahead_new(account, maker);
    return &text->parent;
}
