/* Links at the top of the mount to the searches that are kept: a layer before
 * the layout. A folder's name wins over a search's. */
#include "fs/views/search/searches-view.h"

#include "fs/kernel/inode.h"

#include <string.h>

/* Cookies of the links; those of the layout are less. */
#define LINKS_COOKIE (G_GUINT64_CONSTANT(1) << 60)

typedef struct {
    FsNameSpace parent;
    FsNameSpace *behind; /* owned */
} RootSearches;

static FsNameSpace *
behind_of(FsNameSpace *names)
{
    return ((RootSearches *)names)->behind;
}

static FsAnswer
root_look_up(FsNameSpace *names, guint64 directory, const char *name,
             gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer = fs_name_space_look_up(behind_of(names), directory, name,
                                            since, entry, obstacle);
    const CacheSearch *kept;

    if (answer != FS_ANSWER_NONE || directory != FS_INODE_ROOT)
        return answer;
    kept = cache_searches_find(names->account->searches, name);
    if (kept == NULL)
        return FS_ANSWER_NONE;
    fs_root_searches_fill(names->account, kept->id, entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
root_describe(FsNameSpace *names, guint64 inode, FsEntry *entry,
              FsObstacle *obstacle)
{
    return fs_name_space_describe(behind_of(names), inode, entry, obstacle);
}

static FsAnswer
root_open_directory(FsNameSpace *names, guint64 directory, gint64 since,
                    FsObstacle *obstacle)
{
    return fs_name_space_open_directory(behind_of(names), directory, since,
                                        obstacle);
}

static gboolean
is_folder(const FsNameSpace *names, const char *name)
{
    return fs_mailbox_tree_child(names->account->tree, FS_MAILBOX_TREE_ROOT,
                                 name) != NULL;
}

static FsAnswer
next_link(FsNameSpace *names, guint32 after, FsEntry *entry)
{
    const CacheSearch *kept;

    while ((kept = cache_searches_next(names->account->searches, after)) !=
           NULL) {
        after = kept->id;
        if (is_folder(names, kept->name))
            continue;
        fs_root_searches_fill(names->account, kept->id, entry);
        g_strlcpy(entry->name, kept->name, sizeof entry->name);
        entry->cookie = LINKS_COOKIE | kept->id;
        return FS_ANSWER_FOUND;
    }
    return FS_ANSWER_NONE;
}

static FsAnswer
root_next(FsNameSpace *names, guint64 directory, guint64 cookie, FsEntry *entry,
          FsObstacle *obstacle)
{
    FsAnswer answer = FS_ANSWER_NONE;

    if ((cookie & LINKS_COOKIE) == 0)
        answer = fs_name_space_next(behind_of(names), directory, cookie, entry,
                                    obstacle);
    else
        return next_link(names, (guint32)cookie, entry);
    return answer == FS_ANSWER_NONE && directory == FS_INODE_ROOT
               ? next_link(names, 0, entry)
               : answer;
}

static guint64
root_directory_of(FsNameSpace *names, guint32 mailbox)
{
    return fs_name_space_directory_of(behind_of(names), mailbox);
}

static FsPlace
root_place_of(FsNameSpace *names, guint64 directory)
{
    return fs_name_space_place_of(behind_of(names), directory);
}

static void
root_names_of(FsNameSpace *names, guint32 mailbox, const CacheMessage *message,
              FsNameFunc func, gpointer user_data)
{
    fs_name_space_names_of(behind_of(names), mailbox, message, func, user_data);
}

static void
root_free(FsNameSpace *names)
{
    fs_name_space_free(behind_of(names));
    g_free(names);
}

static const FsNameSpaceClass root_class = {
    .look_up = root_look_up,
    .describe = root_describe,
    .open_directory = root_open_directory,
    .next = root_next,
    .directory_of = root_directory_of,
    .place_of = root_place_of,
    .names_of = root_names_of,
    .free = root_free,
};

FsNameSpace *
fs_root_searches_new(FsAccount *account, FsNameSpace *behind)
{
    RootSearches *names = g_new0(RootSearches, 1);

    names->parent.class = &root_class;
    names->parent.account = account;
    names->behind = behind;
    return &names->parent;
}
