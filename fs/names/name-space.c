/* The interface of the layouts: calls go through the class. */
#include "fs/names/name-space.h"

#include "fs/changes/overlay.h"

gboolean
fs_place_takes_files(const FsPlace *place)
{
    return place->kind == FS_PLACE_FOLDER || place->kind == FS_PLACE_TMP;
}

FsAnswer
fs_answer_wait(FsNeed *need, FsObstacle *obstacle)
{
    obstacle->need = need;
    return FS_ANSWER_WAIT;
}

FsAnswer
fs_answer_fail(int error_number, FsObstacle *obstacle)
{
    obstacle->error_number = error_number;
    return FS_ANSWER_FAILED;
}

FsAnswer
fs_name_space_look_up(FsNameSpace *names, guint64 directory, const char *name,
                      gint64 since, FsEntry *entry, FsObstacle *obstacle)
{
    return names->class->look_up(names, directory, name, since, entry,
                                 obstacle);
}

gboolean
fs_name_space_gives_way(const FsNameSpace *names, const FsEntry *entry,
                        const char *name)
{
    if (entry->former)
        fs_overlay_forget_former_name(names->account->overlay, entry->mailbox,
                                      name);
    return entry->former;
}

FsAnswer
fs_name_space_describe(FsNameSpace *names, guint64 inode, FsEntry *entry,
                       FsObstacle *obstacle)
{
    return names->class->describe(names, inode, entry, obstacle);
}

FsAnswer
fs_name_space_open_directory(FsNameSpace *names, guint64 directory,
                             gint64 since, FsObstacle *obstacle)
{
    return names->class->open_directory(names, directory, since, obstacle);
}

FsAnswer
fs_name_space_next(FsNameSpace *names, guint64 directory, guint64 cookie,
                   FsEntry *entry, FsObstacle *obstacle)
{
    return names->class->next(names, directory, cookie, entry, obstacle);
}

guint64
fs_name_space_directory_of(FsNameSpace *names, guint32 mailbox)
{
    return names->class->directory_of(names, mailbox);
}

FsPlace
fs_name_space_place_of(FsNameSpace *names, guint64 directory)
{
    return names->class->place_of(names, directory);
}

void
fs_name_space_names_of(FsNameSpace *names, guint32 mailbox,
                       const CacheMessage *message, FsNameFunc func,
                       gpointer user_data)
{
    names->class->names_of(names, mailbox, message, func, user_data);
}

void
fs_name_space_free(FsNameSpace *names)
{
    if (names != NULL)
        names->class->free(names);
}
