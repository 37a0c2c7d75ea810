/* What a message is called in the Maildir of its folder, and whether it is in
 * "cur" or in "new", as the mount shows it: with what the user has done and the
 * server does not know yet.
 *
 * In "new" is what has none of the flags that a name can tell, unless a program
 * has put it into "cur"; nothing on the server says of a message that no
 * program has seen it. Where nothing can be changed, none could put it there,
 * and some that have to (aerc) would show nothing: all is in "cur" then. */
#pragma once

#include "fs/account.h"
#include "fs/changes/overlay.h"

#include <glib.h>

/* The longest name, with its end. */
#define FS_MAILDIR_NAME_SIZE 256u

typedef struct {
    char *base;
    char *letters;
    char *flags; /* NULL: none */
    gboolean is_new;
    gboolean is_given; /* a program has called it so */
} FsMaildirMessage;

/* The message @uid of @mailbox, whose row is @row (borrowed strings are copied
 * before anything else is asked for). */
void fs_maildir_message_of_row(const FsAccount *account, guint32 mailbox,
                               const CacheMessage *row,
                               FsMaildirMessage *result);
/* That which shows in the folder @shown_in under the number @inode, and is
 * @uid of @mailbox, or is still to be moved from there. FALSE: it is not known
 * any more. */
gboolean fs_maildir_message_find(const FsAccount *account, guint32 shown_in,
                                 guint64 inode, guint32 mailbox, guint32 uid,
                                 FsMaildirMessage *result);
/* Before anybody sees @guest, which has no UID where it shows: its base tells
 * where it was, and is its own from then on, so that it stays when it gets a
 * UID. @row: what is known of it. Does nothing if it has one. */
void fs_maildir_message_name_guest(const FsAccount *account, FsGuest *guest,
                                   const CacheMessage *row);
void fs_maildir_message_clear(FsMaildirMessage *message);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FsMaildirMessage, fs_maildir_message_clear)

void fs_maildir_message_name(const FsMaildirMessage *message,
                             char name[FS_MAILDIR_NAME_SIZE]);

/* The message of the folder @mailbox that has @base: its UID there, or *@inode
 * (else 0) of a guest that has none yet. FALSE: there is none, as far as the
 * base tells. */
gboolean fs_maildir_message_by_base(const FsAccount *account, guint32 mailbox,
                                    const char *base, guint32 *uid,
                                    guint64 *inode);

/* Whether a message of the folder, other than that of the inode number @but (0:
 * none), shows with @base: names are by the base alone, whatever the
 * letters. */
gboolean fs_maildir_message_is_taken(const FsAccount *account, guint32 mailbox,
                                     const char *base, guint64 but);

/* The errno of why no new message of the folder can be called @name: its base
 * is another's, or its letters mean nothing there; 0: it can. */
int fs_maildir_message_refusal(const FsAccount *account, guint32 mailbox,
                               const char *name);

/* The name (fs/names/given-name.h) by which a message that takes the place of
 * @uid goes on being what that is called; NULL: that is not known. Caller
 * frees. */
char *fs_maildir_message_name_to_keep(const FsAccount *account, guint32 mailbox,
                                      guint32 uid);

/* The message that goes on being what @uid is called, which nobody has given a
 * name, for it was to take its place; 0: there is none. */
guint32 fs_maildir_message_heir(const FsAccount *account, guint32 mailbox,
                                guint32 uid);

/* The message is called @base from now on, and is in "new" or in "cur" while
 * both could be. Nothing is kept of what would be so anyway. */
void fs_maildir_message_give(const FsAccount *account, guint32 mailbox,
                             guint32 uid, const char *base, gboolean is_new);
