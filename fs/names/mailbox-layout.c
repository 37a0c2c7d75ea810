/* The first layout: mailboxes are directories, messages are files in them.
 *
 *     INBOX/
 *       2026-11-22_0930_alice-example_quarterly-report.1234.eml
 *       Projects/
 *
 * No table of names is needed, however large the mailbox: looking a message up
 * means taking the UID from the name and comparing the rest. A directory lists
 * its children first, by mailbox id, then its guests (fs/changes/overlay.h) by
 * their numbers, then its messages by UID; a cookie is the last id, number or
 * UID seen, so that a listing goes on rightly while messages come and go. A
 * guest stays among the guests when it gets its UID: otherwise a listing might
 * pass it over, or show it twice.
 *
 * A name that the user gave wins over one that is made; "UID.eml" opens the
 * message all the same. So does, for a while, the name that a guest has lost,
 * unless anything else has that.
 *
 * A mailbox's name wins over a message's: a message whose name a child has is
 * listed as "message.UID.eml". */
#include "fs/names/mailbox-layout.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/inode.h"
#include "fs/names/message-name.h"
#include "fs/sync/lister.h"
#include "fs/sync/synchroniser.h"

#include <errno.h>
#include <string.h>

/* A cookie of guests; less is one of children. One of messages. */
#define GUESTS_COOKIE (G_GUINT64_CONSTANT(1) << 32)
#define MESSAGES_COOKIE (G_GUINT64_CONSTANT(2) << 32)
#define BLOCK_SIZE 4096
#define STAND_IN_STEM "message"

/* ---- attributes ---- */

static guint64
inode_of(const FsAccount *account, guint32 mailbox, guint32 uid)
{
    if (mailbox == 0)
        return FS_INODE_ROOT;
    return fs_inode_make(account->number, mailbox, uid);
}

static void
describe_common(const FsAccount *account, FsEntry *entry, mode_t type,
                const struct timespec *time)
{
    const FsOptions *options = account->options;
    struct stat *attributes = &entry->attributes;

    attributes->st_ino = entry->inode;
    attributes->st_mode =
        type | ((S_ISDIR(type) ? 0555 : 0444) & ~options->umask);
    attributes->st_uid = options->uid;
    attributes->st_gid = options->gid;
    attributes->st_nlink = 1; /* for a directory: tools must not count */
    attributes->st_blksize = BLOCK_SIZE;
    attributes->st_mtim = *time;
    attributes->st_ctim = *time;
    attributes->st_atim = *time;
}

static void
describe_directory(const FsAccount *account, guint32 mailbox, FsEntry *entry)
{
    const FsMailbox *directory = fs_mailbox_tree_get(account->tree, mailbox);
    gint64 changed = directory != NULL ? directory->changed_at : 0;
    struct timespec time = {.tv_sec = account->mounted_at};

    memset(entry, 0, sizeof *entry);
    entry->inode = inode_of(account, mailbox, 0);
    entry->mailbox = mailbox;
    if (mailbox != 0)
        changed = MAX(changed, fs_synchroniser_changed_at(account->synchroniser,
                                                          mailbox));
    changed = MAX(changed, fs_overlay_changed_at(account->overlay, mailbox));
    /* Programs pass over a directory whose time is what it was: the second is
     * not enough. */
    if (changed != 0) {
        time.tv_sec = changed / G_USEC_PER_SEC;
        time.tv_nsec = changed % G_USEC_PER_SEC * 1000;
    }
    describe_common(account, entry, S_IFDIR, &time);
}

/* What the user wants to see as the date of @message. */
static gint64
date_of(const FsAccount *account, const CacheMessage *message)
{
    if (account->options->date == FS_DATE_SENT &&
        message->sent_date != G_MININT64)
        return message->sent_date;
    return message->internal_date;
}

static void
describe_message(const FsAccount *account, guint32 mailbox,
                 const CacheMessage *message, FsEntry *entry)
{
    struct timespec time = {.tv_sec = date_of(account, message)};

    memset(entry, 0, sizeof *entry);
    entry->inode = inode_of(account, mailbox, message->uid);
    entry->mailbox = mailbox;
    entry->uid = message->uid;
    describe_common(account, entry, S_IFREG, &time);
    entry->attributes.st_size = message->size;
    entry->attributes.st_blocks = (message->size + 511) / 512;
}

gboolean
fs_message_is_hidden(const FsAccount *account, guint32 mailbox,
                     const CacheMessage *message)
{
    return fs_overlay_is_hidden(account->overlay, mailbox, message->uid) ||
           (account->options->remove == FS_REMOVE_MARK &&
            message->flags != NULL &&
            strstr(message->flags, "\\Deleted") != NULL);
}

/* A message that shows under another inode number, or has not come yet. What
 * the index has of it is newer than what it was when it was moved. FALSE: it is
 * gone. */
static gboolean
describe_guest(const FsAccount *account, const FsGuest *guest, FsEntry *entry)
{
    gboolean landed = guest->uid != 0;
    guint32 mailbox = landed ? guest->mailbox : guest->from_mailbox;
    guint32 uid = landed ? guest->uid : guest->from_uid;
    CacheMessage message;

    if (uid == 0 ||
        !cache_index_message(account->index, mailbox, uid, &message)) {
        if (landed && fs_synchroniser_has_seen(account->synchroniser, mailbox,
                                               guest->landed_at))
            return FALSE;
        message = guest->row;
    }
    describe_message(account, mailbox, &message, entry);
    entry->inode = entry->attributes.st_ino = guest->inode;
    entry->mailbox = mailbox;
    entry->uid = uid;
    return TRUE;
}

FsNeed *
fs_message_need(const FsAccount *account, const FsEntry *entry)
{
    const FsGuest *guest =
        fs_overlay_guest_by_inode(account->overlay, entry->inode);
    CacheMessage message;

    if (guest == NULL || cache_index_message(account->index, entry->mailbox,
                                             entry->uid, &message))
        return NULL;
    if (guest->under_way != NULL)
        return guest->under_way;
    if (guest->uid == 0 ||
        fs_synchroniser_has_seen(account->synchroniser, guest->mailbox,
                                 guest->landed_at))
        return NULL;
    return fs_synchroniser_need_message(account->synchroniser, guest->mailbox,
                                        guest->uid, FS_NOW);
}

/* The message @message of @mailbox, under the number by which it is known. */
static void
describe_shown(const FsAccount *account, guint32 mailbox,
               const CacheMessage *message, FsEntry *entry)
{
    const FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, mailbox, message->uid);

    describe_message(account, mailbox, message, entry);
    if (guest != NULL)
        entry->inode = entry->attributes.st_ino = guest->inode;
}

/* ---- names ---- */

/* Whether something else than the message @uid of @mailbox has the name @name.
 * Most mailboxes have no children, nor names that were given, and are long. */
static gboolean
is_taken(const FsAccount *account, guint32 mailbox, guint32 uid,
         const char *name)
{
    guint32 other;

    if (fs_mailbox_tree_count_children(account->tree, mailbox) > 0 &&
        fs_mailbox_tree_child(account->tree, mailbox, name) != NULL)
        return TRUE;
    other = cache_aliases_uid(account->aliases, mailbox, name);
    if (other != 0 && other != uid)
        return TRUE;
    return fs_overlay_guest_by_name(account->overlay, mailbox, name) != NULL;
}

/* The name that @message is listed under. */
static void
name_message(const FsAccount *account, guint32 mailbox,
             const CacheMessage *message, char *name, gsize size)
{
    const char *given =
        cache_aliases_name(account->aliases, mailbox, message->uid);
    g_autofree char *listed =
        given != NULL
            ? g_strdup(given)
            : fs_message_name(account->options->names == FS_NAMES_SUBJECT
                                  ? message->stem
                                  : NULL,
                              date_of(account, message), message->uid);
    g_autoptr(GString) stand_in = NULL;

    while (is_taken(account, mailbox, message->uid, listed)) {
        if (stand_in == NULL)
            stand_in = g_string_new(STAND_IN_STEM);
        else
            g_string_append_c(stand_in, '-');
        g_free(listed);
        listed = g_strdup_printf("%s.%u.eml", stand_in->str, message->uid);
    }
    g_strlcpy(name, listed, size);
}

/* ---- the list of mailboxes, and what stands for a directory in it ---- */

/* Whether messages can be in the directory @mailbox. */
static gboolean
is_selectable(const FsAccount *account, guint32 mailbox)
{
    const FsMailbox *directory = fs_mailbox_tree_get(account->tree, mailbox);

    return directory != NULL && directory->selectable;
}

/* FS_ANSWER_FOUND when the tree is known and has the directory @inode. */
static FsAnswer
find_directory(const FsAccount *account, guint64 inode, gint64 since,
               guint32 *mailbox, FsObstacle *obstacle)
{
    FsNeed *need = fs_lister_need(account->lister, since);

    if (need != NULL)
        return fs_answer_wait(need, obstacle);
    *mailbox = inode == FS_INODE_ROOT ? 0 : fs_inode_mailbox(inode);
    if (*mailbox != 0 && fs_mailbox_tree_get(account->tree, *mailbox) == NULL)
        return fs_answer_fail(ESTALE, obstacle);
    return FS_ANSWER_FOUND;
}

/* ---- the interface ---- */

/* @name: that which it must be listed under; NULL: it is meant by its UID. */
static FsAnswer
look_up_message(FsAccount *account, guint32 mailbox, guint32 uid,
                const char *name, gint64 since, FsEntry *entry,
                FsObstacle *obstacle)
{
    const FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, mailbox, uid);
    char listed[sizeof entry->name];
    CacheMessage message;
    FsNeed *need;

    if (fs_overlay_is_hidden(account->overlay, mailbox, uid))
        return FS_ANSWER_NONE;
    if (guest == NULL ||
        cache_index_message(account->index, mailbox, uid, &message)) {
        need = fs_synchroniser_need_message(account->synchroniser, mailbox, uid,
                                            since);
        if (need != NULL)
            return fs_answer_wait(need, obstacle);
        if (!cache_index_message(account->index, mailbox, uid, &message))
            return FS_ANSWER_NONE;
    } else if (describe_guest(account, guest, entry)) {
        message = guest->row;
    } else {
        return FS_ANSWER_NONE;
    }
    if (fs_message_is_hidden(account, mailbox, &message))
        return FS_ANSWER_NONE;
    describe_shown(account, mailbox, &message, entry);
    if (name != NULL) {
        name_message(account, mailbox, &message, listed, sizeof listed);
        if (!g_str_equal(listed, name))
            return FS_ANSWER_NONE;
    }
    return FS_ANSWER_FOUND;
}

/* What the user has put there, or given a name. FS_ANSWER_NONE: nothing. */
static FsAnswer
look_up_given(FsAccount *account, guint32 mailbox, const char *name,
              gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    FsGuest *guest = fs_overlay_guest_by_name(account->overlay, mailbox, name);
    guint32 uid;

    if (guest != NULL) {
        guest->is_seen = TRUE;
        return describe_guest(account, guest, entry) ? FS_ANSWER_FOUND
                                                     : FS_ANSWER_NONE;
    }
    uid = cache_aliases_uid(account->aliases, mailbox, name);
    if (uid == 0)
        return FS_ANSWER_NONE;
    return look_up_message(account, mailbox, uid, name, since, entry, obstacle);
}

/* Whether a message of the mailbox is listed as @name, made of its header. */
static gboolean
is_made_name(const FsAccount *account, guint32 mailbox, const char *name)
{
    char listed[sizeof((FsEntry *)NULL)->name];
    g_autofree char *stem = NULL;
    CacheMessage message;
    guint32 uid;

    if (!fs_message_name_parse(name, &stem, &uid) ||
        !cache_index_message(account->index, mailbox, uid, &message))
        return FALSE;
    name_message(account, mailbox, &message, listed, sizeof listed);
    return g_str_equal(listed, name);
}

/* What was called @name when somebody looked, if nothing is by now. */
static FsAnswer
look_up_former(FsAccount *account, guint32 mailbox, const char *name,
               gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    const FsGuest *guest =
        fs_overlay_guest_by_former_name(account->overlay, mailbox, name);
    FsAnswer answer;

    if (guest == NULL)
        return FS_ANSWER_NONE;
    if (is_made_name(account, mailbox, name)) {
        fs_overlay_forget_former_name(account->overlay, mailbox, name);
        return FS_ANSWER_NONE;
    }
    answer = look_up_message(account, mailbox, guest->uid, NULL, since, entry,
                             obstacle);
    if (answer == FS_ANSWER_FOUND)
        entry->former = TRUE;
    return answer;
}

static FsAnswer
layout_look_up(FsNameSpace *names, guint64 directory, const char *name,
               gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    FsAccount *account = names->account;
    g_autofree char *stem = NULL;
    const FsMailbox *child;
    guint32 mailbox;
    guint32 uid;
    FsNeed *need;
    FsAnswer answer =
        find_directory(account, directory, FS_KNOWN, &mailbox, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    need = fs_lister_need(account->lister, since);
    child = fs_mailbox_tree_child(account->tree, mailbox, name);
    if (child != NULL) {
        describe_directory(account, child->id, entry);
        return FS_ANSWER_FOUND;
    }
    answer = look_up_given(account, mailbox, name, since, entry, obstacle);
    if (answer == FS_ANSWER_NONE)
        answer = look_up_former(account, mailbox, name, since, entry, obstacle);
    if (answer != FS_ANSWER_NONE)
        return answer;
    if (is_selectable(account, mailbox) &&
        fs_message_name_parse(name, &stem, &uid))
        return look_up_message(account, mailbox, uid,
                               stem != NULL ? name : NULL, since, entry,
                               obstacle);
    return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_NONE;
}

static FsAnswer
layout_describe(FsNameSpace *names, guint64 inode, FsEntry *entry,
                FsObstacle *obstacle)
{
    FsAccount *account = names->account;
    guint32 uid = inode == FS_INODE_ROOT ? 0 : fs_inode_uid(inode);
    const FsGuest *guest = fs_overlay_guest_by_inode(account->overlay, inode);
    CacheMessage message;
    guint32 mailbox;
    FsAnswer answer;
    FsNeed *need;

    if (guest != NULL)
        return describe_guest(account, guest, entry) ? FS_ANSWER_FOUND
                                                     : FS_ANSWER_NONE;
    if (inode == FS_INODE_ROOT) {
        describe_directory(account, 0, entry);
        return FS_ANSWER_FOUND;
    }
    answer = find_directory(account, inode, FS_KNOWN, &mailbox, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (uid == 0) {
        describe_directory(account, mailbox, entry);
        return FS_ANSWER_FOUND;
    }
    if (!cache_index_message(account->index, mailbox, uid, &message)) {
        /* The index may have lost it. */
        need = fs_synchroniser_need_message(account->synchroniser, mailbox, uid,
                                            FS_KNOWN);
        return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_NONE;
    }
    describe_shown(account, mailbox, &message, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
layout_open_directory(FsNameSpace *names, guint64 directory, gint64 since,
                      FsObstacle *obstacle)
{
    FsAccount *account = names->account;
    guint32 mailbox;
    FsNeed *need;
    FsAnswer answer =
        find_directory(account, directory, since, &mailbox, obstacle);

    if (answer != FS_ANSWER_FOUND || !is_selectable(account, mailbox))
        return answer;
    need = fs_synchroniser_need_listing(account->synchroniser, mailbox, since);
    return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_FOUND;
}

/* The next message after @after that shows as one of its mailbox's own. */
static gboolean
next_shown(const FsAccount *account, guint32 mailbox, guint32 after,
           CacheMessage *message)
{
    do {
        if (!cache_index_next(account->index, mailbox, after, message))
            return FALSE;
        after = message->uid;
    } while (fs_message_is_hidden(account, mailbox, message) ||
             fs_overlay_guest_by_uid(account->overlay, mailbox, after) != NULL);
    return TRUE;
}

static FsAnswer
next_message(FsAccount *account, guint32 mailbox, guint32 after, FsEntry *entry,
             FsObstacle *obstacle)
{
    CacheMessage message;
    guint32 listed_to;
    FsNeed *need;

    if (!is_selectable(account, mailbox))
        return FS_ANSWER_NONE;
    /* Before the message: what is borrowed from the index is so until its next
     * call. */
    listed_to = fs_synchroniser_listed_to(account->synchroniser, mailbox);
    if (after >= listed_to || !next_shown(account, mailbox, after, &message) ||
        message.uid > listed_to) {
        /* The end; unless there is more to come, or the index has lost what
         * it had. */
        need = fs_synchroniser_need_more(account->synchroniser, mailbox);
        return need != NULL ? fs_answer_wait(need, obstacle) : FS_ANSWER_NONE;
    }
    describe_message(account, mailbox, &message, entry);
    name_message(account, mailbox, &message, entry->name, sizeof entry->name);
    entry->cookie = MESSAGES_COOKIE | message.uid;
    return FS_ANSWER_FOUND;
}

/* The name that @guest is listed under. */
static void
name_guest(const FsAccount *account, const FsGuest *guest, char *name,
           gsize size)
{
    CacheMessage message;

    if (guest->uid == 0) {
        g_strlcpy(name, guest->name, size);
        return;
    }
    if (!cache_index_message(account->index, guest->mailbox, guest->uid,
                             &message))
        message = guest->row;
    name_message(account, guest->mailbox, &message, name, size);
}

static gboolean
next_guest(FsAccount *account, guint32 mailbox, guint32 after, FsEntry *entry)
{
    FsGuest *guest;

    while ((guest = fs_overlay_next_guest(account->overlay, mailbox, after)) !=
           NULL) {
        after = guest->number;
        if ((guest->uid != 0 &&
             fs_overlay_is_hidden(account->overlay, mailbox, guest->uid)) ||
            !describe_guest(account, guest, entry))
            continue;
        name_guest(account, guest, entry->name, sizeof entry->name);
        guest->is_seen = TRUE;
        entry->cookie = GUESTS_COOKIE | guest->number;
        return TRUE;
    }
    return FALSE;
}

static FsAnswer
layout_next(FsNameSpace *names, guint64 directory, guint64 cookie,
            FsEntry *entry, FsObstacle *obstacle)
{
    FsAccount *account = names->account;
    const FsMailbox *child;
    guint32 mailbox;
    FsAnswer answer =
        find_directory(account, directory, FS_KNOWN, &mailbox, obstacle);

    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (cookie < GUESTS_COOKIE) {
        child = fs_mailbox_tree_next_child(account->tree, mailbox, cookie);
        if (child != NULL) {
            describe_directory(account, child->id, entry);
            g_strlcpy(entry->name, child->name, sizeof entry->name);
            entry->cookie = child->id;
            return FS_ANSWER_FOUND;
        }
        cookie = GUESTS_COOKIE;
    }
    if (cookie < MESSAGES_COOKIE) {
        if (next_guest(account, mailbox, (guint32)cookie, entry))
            return FS_ANSWER_FOUND;
        cookie = MESSAGES_COOKIE;
    }
    return next_message(account, mailbox, (guint32)cookie, entry, obstacle);
}

static guint64
layout_directory_of(FsNameSpace *names, guint32 mailbox)
{
    return inode_of(names->account, mailbox, 0);
}

static FsPlace
layout_place_of(FsNameSpace *names, guint64 directory)
{
    guint32 mailbox =
        directory == FS_INODE_ROOT ? 0 : fs_inode_mailbox(directory);

    return (FsPlace){FS_PLACE_MAILBOX, mailbox, mailbox};
}

static void
layout_names_of(FsNameSpace *names, guint32 mailbox,
                const CacheMessage *message, FsNameFunc func,
                gpointer user_data)
{
    guint64 directory = layout_directory_of(names, mailbox);
    g_autofree char *by_uid = fs_message_name(NULL, 0, message->uid);
    char listed[sizeof((FsEntry *)NULL)->name];

    name_message(names->account, mailbox, message, listed, sizeof listed);
    func(directory, listed, user_data);
    if (!g_str_equal(listed, by_uid))
        func(directory, by_uid, user_data);
}

static void
layout_free(FsNameSpace *names)
{
    g_free(names);
}

static const FsNameSpaceClass layout_class = {
    .look_up = layout_look_up,
    .describe = layout_describe,
    .open_directory = layout_open_directory,
    .next = layout_next,
    .directory_of = layout_directory_of,
    .place_of = layout_place_of,
    .names_of = layout_names_of,
    .free = layout_free,
};

FsNameSpace *
fs_mailbox_layout_new(FsAccount *account)
{
    FsNameSpace *names = g_new0(FsNameSpace, 1);

    names->class = &layout_class;
    names->account = account;
    return names;
}
