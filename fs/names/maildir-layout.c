/* Folders as Maildirs.
 *
 * Listing "cur" or "new" means listing the folder behind and passing over what
 * is in the other of the two. In a long folder that may be nearly all: so it is
 * done in steps, between which the main loop comes round.
 *
 * A message is looked up by its base (fs/names/maildir-message.h) and is found
 * only under the letters that it has: a name with others is free, and renaming
 * to it changes them. */
#include "fs/names/maildir-layout.h"

#include "fs/changes/changes.h"
#include "fs/kernel/inode.h"
#include "fs/names/mailbox-layout.h"
#include "fs/names/maildir-folders.h"
#include "fs/names/maildir-message.h"
#include "fs/names/maildir-name.h"
#include "fs/names/maildir-times.h"
#include "fs/sync/lister.h"

#include <errno.h>
#include <string.h>

/* Cookies: of the three directories of a folder, of what is kept in one; below
 * them, of folders by their ids. Those of messages are the ones behind. */
#define INNER_COOKIE (G_GUINT64_CONSTANT(1) << 40)
#define LOCAL_COOKIE (G_GUINT64_CONSTANT(1) << 62)

/* So many messages are passed over at a time. */
#define STEP 4000u
/* So long one of the three may be not there. */
#define AWAY_US (10 * G_USEC_PER_SEC)

static const struct {
    const char *name;
    guint number;
    FsPlaceKind kind;
    guint32 files;
} inner[] = {
    {"cur", FS_INODE_MAILDIR_CUR, FS_PLACE_CUR, FS_LOCAL_CUR},
    {"new", FS_INODE_MAILDIR_NEW, FS_PLACE_NEW, FS_LOCAL_NEW},
    {"tmp", FS_INODE_MAILDIR_TMP, FS_PLACE_TMP, FS_LOCAL_TMP},
};

/* Which of the three are not there, and until when. */
typedef struct {
    guint mask;
    gint64 until; /* microseconds, monotonic */
} Away;

typedef struct {
    FsNameSpace parent;
    FsNameSpace *behind;
    FsWriting *writing; /* NULL: read-only */
    FsMaildirTimes *times;
    FsMaildirFolders folders;
    GHashTable *away;  /* mailbox -> Away, owned */
    FsNeed *step_need; /* a reference: of those that wait for the next step */
    guint step_source;
} Maildir;

static Maildir *
maildir_of(FsNameSpace *names)
{
    return (Maildir *)names;
}

FsNameSpace *
fs_maildir_layout_behind(FsNameSpace *names)
{
    return maildir_of(names)->behind;
}

/* ---- numbers ---- */

static gboolean
is_whole_mount(const FsNameSpace *names)
{
    return names->account->options->layout == FS_LAYOUT_MAILDIR;
}

guint64
fs_maildir_layout_top(FsNameSpace *names, mode_t *type)
{
    *type = is_whole_mount(names) ? S_IFLNK : S_IFDIR;
    return fs_inode_make(FS_INODE_MAILDIR_FOLDER, 0, 0);
}

guint64
fs_maildir_layout_directory(FsNameSpace *names, guint32 mailbox)
{
    if (fs_maildir_folders_is_top(&maildir_of(names)->folders, mailbox))
        mailbox = 0;
    return mailbox == 0 && is_whole_mount(names)
               ? FS_INODE_ROOT
               : fs_inode_make(FS_INODE_MAILDIR_FOLDER, mailbox, 0);
}

const char *
fs_maildir_layout_entry(FsNameSpace *names, const char *name)
{
    return fs_maildir_folders_untaken(name);
}

static FsPlace
maildir_place_of(FsNameSpace *names, guint64 directory)
{
    guint number = fs_inode_account(directory);
    guint32 mailbox = fs_inode_mailbox(directory);

    for (guint i = 0; i < G_N_ELEMENTS(inner); i++)
        if (inner[i].number == number)
            return (FsPlace){inner[i].kind, mailbox, mailbox | inner[i].files};
    if (number != FS_INODE_MAILDIR_FOLDER &&
        !(directory == FS_INODE_ROOT && is_whole_mount(names)))
        return fs_name_space_place_of(maildir_of(names)->behind, directory);
    if (number != FS_INODE_MAILDIR_FOLDER)
        mailbox = 0;
    if (mailbox == 0)
        mailbox = fs_maildir_folders_top(&maildir_of(names)->folders);
    return (FsPlace){FS_PLACE_FOLDER, mailbox, mailbox | FS_LOCAL_FOLDER};
}

/* Whether it is a directory of ours, and what it is. */
static gboolean
find_place(FsNameSpace *names, guint64 directory, FsPlace *place)
{
    *place = maildir_place_of(names, directory);
    return place->kind != FS_PLACE_MAILBOX && place->kind != FS_PLACE_LOST;
}

/* ---- the three directories ---- */

static gboolean
is_selectable(const FsNameSpace *names, guint32 mailbox)
{
    const FsMailbox *found = fs_mailbox_tree_get(names->account->tree, mailbox);

    return found != NULL && found->selectable;
}

/* Of a folder that is no mailbox the three are not there. The kernel may
 * believe in one for a while: an empty one would then say, to who mirrors it,
 * that all messages are gone. */
static gboolean
is_none(const FsNameSpace *names, const FsPlace *place)
{
    return place->kind != FS_PLACE_FOLDER &&
           !is_selectable(names, place->mailbox);
}

static gboolean
is_there(FsNameSpace *names, guint32 mailbox, guint i)
{
    GHashTable *table = maildir_of(names)->away;
    const Away *away = g_hash_table_lookup(table, GUINT_TO_POINTER(mailbox));

    if (away != NULL && away->until < g_get_monotonic_time()) {
        g_hash_table_remove(table, GUINT_TO_POINTER(mailbox));
        away = NULL;
    }
    return is_selectable(names, mailbox) &&
           (away == NULL || (away->mask & 1u << i) == 0);
}

gboolean
fs_maildir_layout_is_inner(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(inner); i++)
        if (g_str_equal(inner[i].name, name))
            return TRUE;
    return FALSE;
}

static void
set_away(FsNameSpace *names, guint32 mailbox, guint mask)
{
    Away *away = g_new0(Away, 1);

    away->mask = mask;
    away->until = g_get_monotonic_time() + AWAY_US;
    g_hash_table_insert(maildir_of(names)->away, GUINT_TO_POINTER(mailbox),
                        away);
}

void
fs_maildir_layout_made(FsNameSpace *names, guint32 mailbox)
{
    set_away(names, mailbox, (1u << G_N_ELEMENTS(inner)) - 1);
}

gboolean
fs_maildir_layout_set_there(FsNameSpace *names, guint32 mailbox,
                            const char *name, gboolean there)
{
    const Away *away =
        g_hash_table_lookup(maildir_of(names)->away, GUINT_TO_POINTER(mailbox));
    guint mask = away != NULL ? away->mask : 0;

    for (guint i = 0; i < G_N_ELEMENTS(inner); i++) {
        if (!g_str_equal(inner[i].name, name))
            continue;
        if (is_there(names, mailbox, i) == there)
            return FALSE;
        set_away(names, mailbox, there ? mask & ~(1u << i) : mask | 1u << i);
        return TRUE;
    }
    return FALSE;
}

/* ---- attributes ---- */

static void
set_inode(FsEntry *entry, guint64 inode)
{
    entry->inode = entry->attributes.st_ino = inode;
}

/* Of a directory of which the mount's own says all but the time. */
static void
set_time(const FsNameSpace *names, FsEntry *entry, gint64 microseconds)
{
    struct timespec time = {.tv_sec = names->account->mounted_at};

    if (microseconds != 0) {
        time.tv_sec = microseconds / G_USEC_PER_SEC;
        time.tv_nsec = microseconds % G_USEC_PER_SEC * 1000;
    }
    entry->attributes.st_mtim = entry->attributes.st_ctim = time;
    entry->attributes.st_atim = time;
}

static gint64
time_of(FsNameSpace *names, const FsPlace *place)
{
    FsMaildirTimes *times = maildir_of(names)->times;
    const FsMailbox *folder =
        fs_mailbox_tree_get(names->account->tree, place->mailbox);

    switch (place->kind) {
    case FS_PLACE_CUR:
        return fs_maildir_times_cur(times, place->mailbox);
    case FS_PLACE_NEW:
        return fs_maildir_times_new_mail(times, place->mailbox);
    case FS_PLACE_FOLDER:
        return folder != NULL ? folder->changed_at : 0;
    case FS_PLACE_TMP:
    case FS_PLACE_MAILBOX:
    case FS_PLACE_LOST:
        break;
    }
    return 0;
}

static FsAnswer
describe_place(FsNameSpace *names, guint64 inode, const FsPlace *place,
               FsEntry *entry, FsObstacle *obstacle)
{
    FsNameSpace *behind = maildir_of(names)->behind;
    FsAnswer answer = fs_name_space_describe(
        behind, fs_name_space_directory_of(behind, place->mailbox), entry,
        obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (is_none(names, place))
        return FS_ANSWER_NONE;
    set_inode(entry, inode);
    set_time(names, entry, time_of(names, place));
    /* Programs take 2 to mean that there are no directories in it, and 1 that
     * they cannot tell. */
    entry->attributes.st_nlink = place->kind == FS_PLACE_FOLDER ? 1 : 2;
    if (place->kind == FS_PLACE_FOLDER && maildir_of(names)->writing != NULL)
        entry->attributes.st_mode |= 0222 & ~names->account->options->umask;
    /* Names of folders stay, and the kernel is told when one goes; but with
     * Maildir++ it would have to be told of all that were below it. */
    if (place->kind == FS_PLACE_FOLDER && maildir_of(names)->folders.plus_plus)
        entry->fleeting = TRUE;
    else
        entry->restless = TRUE;
    return FS_ANSWER_FOUND;
}

static void
describe_link(FsNameSpace *names, guint64 inode, FsEntry *entry)
{
    memset(entry, 0, sizeof *entry);
    set_inode(entry, inode);
    set_time(names, entry, 0);
    entry->attributes.st_mode = S_IFLNK | 0777;
    entry->attributes.st_nlink = 1;
    entry->attributes.st_uid = names->account->options->uid;
    entry->attributes.st_gid = names->account->options->gid;
}

static FsAnswer
maildir_describe(FsNameSpace *names, guint64 inode, FsEntry *entry,
                 FsObstacle *obstacle)
{
    mode_t type;
    FsPlace place;

    if (inode == fs_maildir_layout_top(names, &type) && S_ISLNK(type)) {
        describe_link(names, inode, entry);
        return FS_ANSWER_FOUND;
    }
    if (find_place(names, inode, &place))
        return describe_place(names, inode, &place, entry, obstacle);
    return fs_name_space_describe(maildir_of(names)->behind, inode, entry,
                                  obstacle);
}

/* ---- messages ---- */

/* What the message @entry of the folder @mailbox is called; FALSE if it is not
 * in @kind. */
static gboolean
name_message(FsNameSpace *names, guint32 mailbox, FsPlaceKind kind,
             FsEntry *entry, FsMaildirMessage *message)
{
    if (!S_ISREG(entry->attributes.st_mode) || entry->uid == 0 ||
        !fs_maildir_message_find(names->account, mailbox, entry->inode,
                                 entry->mailbox, entry->uid, message) ||
        message->is_new != (kind == FS_PLACE_NEW))
        return FALSE;
    if (message->is_new)
        fs_maildir_times_shown_new(maildir_of(names)->times, mailbox,
                                   entry->uid);
    entry->renamed = TRUE;
    return TRUE;
}

/* The message @uid, by the name that it always has; unless that is another's: a
 * folder's, a file's that is to be a message, a message's that was called so.
 */
static FsAnswer
find_by_uid(FsNameSpace *names, guint32 mailbox, guint32 uid, gint64 since,
            FsEntry *entry, FsObstacle *obstacle)
{
    FsNameSpace *behind = maildir_of(names)->behind;
    const FsAccount *account = names->account;
    g_autofree char *name = g_strdup_printf("%u.eml", uid);
    FsAnswer answer = fs_name_space_look_up(
        behind, fs_name_space_directory_of(behind, mailbox), name, since, entry,
        obstacle);
    CacheMessage row;

    if (answer != FS_ANSWER_FOUND ||
        (entry->mailbox == mailbox && entry->uid == uid))
        return answer;
    if (cache_index_message(account->index, mailbox, uid, &row)
            ? fs_message_is_hidden(account, mailbox, &row)
            : fs_overlay_is_hidden(account->overlay, mailbox, uid))
        return FS_ANSWER_NONE;
    return fs_name_space_describe(
        behind, fs_changes_inode(account->changes, mailbox, uid), entry,
        obstacle);
}

static FsAnswer
find_by_base(FsNameSpace *names, guint32 mailbox, const char *base,
             gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    guint64 inode;
    guint32 uid;

    if (!fs_maildir_message_by_base(names->account, mailbox, base, &uid,
                                    &inode))
        return FS_ANSWER_NONE;
    if (inode != 0)
        return fs_name_space_describe(maildir_of(names)->behind, inode, entry,
                                      obstacle);
    return find_by_uid(names, mailbox, uid, since, entry, obstacle);
}

static FsAnswer
look_up_message(FsNameSpace *names, const FsPlace *place, const char *name,
                gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    g_auto(FsMaildirMessage) message = {0};
    g_autofree char *base = NULL;
    g_autofree char *letters = NULL;
    FsAnswer answer;

    if (!fs_maildir_name_parse(name, &base, &letters))
        return FS_ANSWER_NONE;
    answer = find_by_base(names, place->mailbox, base, since, entry, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (!name_message(names, place->mailbox, place->kind, entry, &message) ||
        !fs_maildir_same_base(message.base, base) ||
        !fs_maildir_same_letters(message.letters, letters))
        return FS_ANSWER_NONE;
    return FS_ANSWER_FOUND;
}

/* ---- listing messages ---- */

static gboolean
on_step(gpointer user_data)
{
    Maildir *maildir = user_data;
    g_autoptr(FsNeed) need = g_steal_pointer(&maildir->step_need);

    maildir->step_source = 0;
    fs_need_complete(need, NULL);
    return G_SOURCE_REMOVE;
}

/* The listing goes on at @cookie, later. */
static FsAnswer
pause_listing(Maildir *maildir, guint64 cookie, FsObstacle *obstacle)
{
    if (maildir->step_need == NULL) {
        maildir->step_need = fs_need_new();
        maildir->step_source = g_idle_add(on_step, maildir);
    }
    obstacle->cookie = cookie;
    return fs_answer_wait(maildir->step_need, obstacle);
}

static FsAnswer
next_message(FsNameSpace *names, const FsPlace *place, guint64 cookie,
             FsEntry *entry, FsObstacle *obstacle)
{
    FsNameSpace *behind = maildir_of(names)->behind;
    guint64 folder = fs_name_space_directory_of(behind, place->mailbox);

    for (guint i = 0; i < STEP; i++) {
        g_auto(FsMaildirMessage) message = {0};
        FsAnswer answer =
            fs_name_space_next(behind, folder, cookie, entry, obstacle);

        if (answer == FS_ANSWER_WAIT && obstacle->cookie == 0)
            obstacle->cookie = cookie;
        if (answer != FS_ANSWER_FOUND)
            return answer;
        cookie = entry->cookie;
        if (!name_message(names, place->mailbox, place->kind, entry, &message))
            continue;
        fs_maildir_message_name(&message, entry->name);
        return FS_ANSWER_FOUND;
    }
    return pause_listing(maildir_of(names), cookie, obstacle);
}

/* ---- what is kept, and what is on its way ---- */

static FsAnswer
look_up_local(FsNameSpace *names, const FsPlace *place, const char *name,
              FsEntry *entry, FsObstacle *obstacle)
{
    Maildir *maildir = maildir_of(names);
    const FsLocalFile *file = NULL;

    if (maildir->writing != NULL)
        file = fs_local_files_find(fs_writing_files(maildir->writing),
                                   place->files, name);
    return file != NULL ? fs_name_space_describe(maildir->behind, file->inode,
                                                 entry, obstacle)
                        : FS_ANSWER_NONE;
}

static FsAnswer
next_local(FsNameSpace *names, const FsPlace *place, guint64 after,
           FsEntry *entry, FsObstacle *obstacle)
{
    Maildir *maildir = maildir_of(names);
    const FsLocalFile *file = NULL;
    FsAnswer answer;

    if (maildir->writing != NULL)
        file = fs_local_files_next(fs_writing_files(maildir->writing),
                                   place->files, after);
    if (file == NULL)
        return FS_ANSWER_NONE;
    answer =
        fs_name_space_describe(maildir->behind, file->inode, entry, obstacle);
    g_strlcpy(entry->name, file->name, sizeof entry->name);
    entry->cookie = LOCAL_COOKIE | file->inode;
    return answer;
}

/* ---- folders ---- */

gboolean
fs_maildir_layout_folder(FsNameSpace *names, guint64 directory,
                         const char *name, guint32 *parent, char **child)
{
    FsPlace place;

    *child = NULL;
    return find_place(names, directory, &place) &&
           place.kind == FS_PLACE_FOLDER &&
           fs_maildir_folders_parse(&maildir_of(names)->folders, place.mailbox,
                                    name, parent, child);
}

static FsAnswer
look_up_folder(FsNameSpace *names, guint64 directory, const FsPlace *place,
               const char *name, gint64 since, FsEntry *entry,
               FsObstacle *obstacle)
{
    FsAccount *account = names->account;
    g_autofree char *child = NULL;
    const FsMailbox *found = NULL;
    guint32 parent;
    FsNeed *need;

    for (guint i = 0; i < G_N_ELEMENTS(inner); i++)
        if (g_str_equal(inner[i].name, name)) {
            FsPlace within = {inner[i].kind, place->mailbox,
                              place->mailbox | inner[i].files};

            if (!is_there(names, place->mailbox, i))
                return FS_ANSWER_NONE;
            return describe_place(
                names, fs_inode_make(inner[i].number, place->mailbox, 0),
                &within, entry, obstacle);
        }
    if (fs_maildir_layout_folder(names, directory, name, &parent, &child))
        found = fs_mailbox_tree_child(account->tree, parent, child);
    if (found != NULL) {
        FsPlace within = {FS_PLACE_FOLDER, found->id,
                          found->id | FS_LOCAL_FOLDER};

        return describe_place(names,
                              fs_maildir_layout_directory(names, found->id),
                              &within, entry, obstacle);
    }
    if (look_up_local(names, place, name, entry, obstacle) == FS_ANSWER_FOUND)
        return FS_ANSWER_FOUND;
    need = fs_lister_need(account->lister, since);
    return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_NONE;
}

static FsAnswer
next_in_folder(FsNameSpace *names, const FsPlace *place, guint64 cookie,
               FsEntry *entry, FsObstacle *obstacle)
{
    Maildir *maildir = maildir_of(names);
    const FsMailbox *found = NULL;
    FsPlace within;
    FsAnswer answer;

    if (cookie < INNER_COOKIE)
        found = fs_maildir_folders_next(&maildir->folders, place->mailbox,
                                        (guint32)cookie);
    if (found != NULL) {
        guint32 id = found->id;
        g_autofree char *name = fs_maildir_folders_name(&maildir->folders, id);

        within = (FsPlace){FS_PLACE_FOLDER, id, 0};
        answer = describe_place(names, fs_maildir_layout_directory(names, id),
                                &within, entry, obstacle);
        g_strlcpy(entry->name, name, sizeof entry->name);
        entry->cookie = id;
        return answer;
    }
    for (guint i = cookie > INNER_COOKIE ? (guint)(cookie - INNER_COOKIE) : 0;
         (cookie & LOCAL_COOKIE) == 0 && i < G_N_ELEMENTS(inner); i++) {
        if (!is_there(names, place->mailbox, i))
            continue;
        within = (FsPlace){inner[i].kind, place->mailbox, 0};
        answer = describe_place(
            names, fs_inode_make(inner[i].number, place->mailbox, 0), &within,
            entry, obstacle);
        g_strlcpy(entry->name, inner[i].name, sizeof entry->name);
        entry->cookie = INNER_COOKIE + i + 1;
        return answer;
    }
    return next_local(names, place,
                      (cookie & LOCAL_COOKIE) != 0 ? cookie & ~LOCAL_COOKIE : 0,
                      entry, obstacle);
}

/* ---- the interface ---- */

static FsAnswer
maildir_look_up(FsNameSpace *names, guint64 directory, const char *name,
                gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer;
    FsPlace place;
    FsNeed *need;

    if (!find_place(names, directory, &place))
        return fs_name_space_look_up(maildir_of(names)->behind, directory, name,
                                     since, entry, obstacle);
    need = fs_lister_need(names->account->lister, FS_KNOWN);
    if (need != NULL)
        return fs_answer_wait(need, obstacle);
    if (place.kind == FS_PLACE_FOLDER)
        return look_up_folder(names, directory, &place, name, since, entry,
                              obstacle);
    /* The kernel then asks for the directory itself once more: with Maildir++
     * the top may be another INBOX by now, under the same name. */
    if (is_none(names, &place))
        return fs_answer_fail(ESTALE, obstacle);
    answer = look_up_local(names, &place, name, entry, obstacle);
    if (answer != FS_ANSWER_NONE || place.kind == FS_PLACE_TMP)
        return answer;
    return look_up_message(names, &place, name, since, entry, obstacle);
}

static FsAnswer
maildir_open_directory(FsNameSpace *names, guint64 directory, gint64 since,
                       FsObstacle *obstacle)
{
    FsNameSpace *behind = maildir_of(names)->behind;
    FsAnswer answer;
    FsPlace place;
    FsEntry entry;
    FsNeed *need;

    if (!find_place(names, directory, &place))
        return fs_name_space_open_directory(behind, directory, since, obstacle);
    if (place.kind == FS_PLACE_CUR || place.kind == FS_PLACE_NEW)
        answer = fs_name_space_open_directory(
            behind, fs_name_space_directory_of(behind, place.mailbox), since,
            obstacle);
    else if ((need = fs_lister_need(names->account->lister, since)) != NULL)
        answer = fs_answer_wait(need, obstacle);
    else
        answer = describe_place(names, directory, &place, &entry, obstacle);
    return answer == FS_ANSWER_FOUND && is_none(names, &place)
               ? fs_answer_fail(ESTALE, obstacle)
               : answer;
}

static FsAnswer
maildir_next(FsNameSpace *names, guint64 directory, guint64 cookie,
             FsEntry *entry, FsObstacle *obstacle)
{
    FsPlace place;

    if (!find_place(names, directory, &place))
        return fs_name_space_next(maildir_of(names)->behind, directory, cookie,
                                  entry, obstacle);
    if (place.kind == FS_PLACE_FOLDER)
        return next_in_folder(names, &place, cookie, entry, obstacle);
    if (is_none(names, &place))
        return fs_answer_fail(ESTALE, obstacle);
    if (place.kind != FS_PLACE_TMP && (cookie & LOCAL_COOKIE) == 0) {
        FsAnswer answer = next_message(names, &place, cookie, entry, obstacle);

        if (answer != FS_ANSWER_NONE)
            return answer;
        cookie = 0;
    }
    return next_local(names, &place, cookie & ~LOCAL_COOKIE, entry, obstacle);
}

static guint64
maildir_directory_of(FsNameSpace *names, guint32 mailbox)
{
    return fs_name_space_directory_of(maildir_of(names)->behind, mailbox);
}

static void
maildir_names_of(FsNameSpace *names, guint32 mailbox,
                 const CacheMessage *message, FsNameFunc func,
                 gpointer user_data)
{
    fs_name_space_names_of(maildir_of(names)->behind, mailbox, message, func,
                           user_data);
}

void
fs_maildir_layout_touch(FsNameSpace *names, guint32 mailbox, guint32 uid,
                        gboolean cur, gboolean new_mail)
{
    fs_maildir_times_named(maildir_of(names)->times, mailbox, uid, cur,
                           new_mail);
}

static void
maildir_free(FsNameSpace *names)
{
    Maildir *maildir = maildir_of(names);

    g_clear_handle_id(&maildir->step_source, g_source_remove);
    fs_need_unref(maildir->step_need);
    fs_maildir_times_free(maildir->times);
    g_hash_table_unref(maildir->away);
    fs_name_space_free(maildir->behind);
    g_free(names);
}

static const FsNameSpaceClass maildir_class = {
    .look_up = maildir_look_up,
    .describe = maildir_describe,
    .open_directory = maildir_open_directory,
    .next = maildir_next,
    .directory_of = maildir_directory_of,
    .place_of = maildir_place_of,
    .names_of = maildir_names_of,
    .free = maildir_free,
};

FsNameSpace *
fs_maildir_layout_new(FsAccount *account, FsNameSpace *behind,
                      FsWriting *writing)
{
    Maildir *maildir = g_new0(Maildir, 1);

    maildir->parent.class = &maildir_class;
    maildir->parent.account = account;
    maildir->behind = behind;
    maildir->writing = writing;
    maildir->folders = (FsMaildirFolders){account->tree, account->state,
                                          account->options->maildir_layout ==
                                              FS_MAILDIR_PLUS_PLUS};
    maildir->times = fs_maildir_times_new(account);
    maildir->away = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    return &maildir->parent;
}
