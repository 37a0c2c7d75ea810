/* What is different in the mount from what the index has: messages that are
 * hidden because they are being deleted or moved away, and messages that show
 * at another place, or under another inode number, than their UID says.
 *
 * The index stays what the server has, as far as that is known; this is what
 * the user has done since. The layout (fs/names/mailbox-layout.c) asks here,
 * and so all else sees it.
 *
 * A guest is a message with an inode number that is not made of its mailbox and
 * UID: one that was moved keeps the number that it had, and a file that was
 * written the one that it was made with, until it is unmounted. As long as the
 * message has no UID in the mailbox where it is shown, because the server has
 * not been told or has not answered, its attributes are those the guest says,
 * and its octets are to be had where it comes from.
 *
 * The name that it has meanwhile may be one that it does not keep. Who has seen
 * that goes by it a moment later: so it is found by it for a while longer. Only
 * if somebody has seen it, for a name is in nobody's way that nobody knows. */
#pragma once

#include "cache/index.h"
#include "fs/need.h"

#include <glib.h>

typedef struct FsOverlay FsOverlay;

typedef struct {
    guint64 inode;
    guint32 number;  /* by which guests of a mailbox are listed; from 1 */
    guint32 mailbox; /* that shows it */
    guint32 uid;     /* there; 0: it has none yet */
    char *name;      /* owned; under which it shows while it has no UID */
    char *maildir;   /* owned; the same in its Maildir, as "/cur/BASE" or
                        "/new/BASE"; NULL: it was given none */
    /* Where its octets are while it has no UID: 0: not in a mailbox. And where
     * it was before, when it has one; 0: that is not certain. */
    guint32 from_mailbox;
    guint32 from_uid;
    CacheMessage row;  /* what is known of it; its strings are owned */
    gint64 landed_at;  /* microseconds, monotonic: when it got its UID */
    FsNeed *under_way; /* a reference: the server has been asked, and has not
                          answered; NULL: it has not been asked, or has */
    gboolean is_seen;  /* somebody has been told its name */
    GList former;      /* among those that are found by a name which is theirs
                          no more; data NULL: it is not */
} FsGuest;

/* Told what the mount shows otherwise than a moment ago. */
typedef enum {
    FS_OVERLAY_LISTING, /* what @mailbox lists; @uid: what has come, or 0, and
                           @name: that of the guest which comes or goes, if it
                           is but one */
    FS_OVERLAY_NAME,    /* and what @name is in it */
    FS_OVERLAY_AWAY,    /* the message @uid does not show any more */
    FS_OVERLAY_NEW,     /* the message @uid shows, and did not before */
    FS_OVERLAY_ALL,     /* what may be done with all that is in @mailbox */
    FS_OVERLAY_FLAGS,   /* the message @uid (0: one) has other flags */
} FsOverlayChange;
typedef void (*FsOverlayFunc)(FsOverlayChange change, guint32 mailbox,
                              guint32 uid, const char *name,
                              gpointer user_data);

FsOverlay *fs_overlay_new(void);
void fs_overlay_free(FsOverlay *overlay); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsOverlay, fs_overlay_free)

/* Several may be told, in the order in which they were added. None is added or
 * removed while they are. */
void fs_overlay_add_func(FsOverlay *overlay, FsOverlayFunc func,
                         gpointer user_data);
void fs_overlay_remove_func(FsOverlay *overlay, FsOverlayFunc func,
                            gpointer user_data);
/* Tells those functions. */
void fs_overlay_tell(FsOverlay *overlay, FsOverlayChange change,
                     guint32 mailbox, guint32 uid, const char *name);

/* ---- hidden messages ---- */

/* The message @uid of @mailbox does not show until as many calls of
 * fs_overlay_show have been made. */
void fs_overlay_hide(FsOverlay *overlay, guint32 mailbox, guint32 uid);
void fs_overlay_show(FsOverlay *overlay, guint32 mailbox, guint32 uid);
/* Messages of @mailbox with UIDs above @uid do not show, for they may be some
 * of which the server has yet to say that they are ours; until the second is
 * called with the same @uid. Guests do show. */
void fs_overlay_hold_new(FsOverlay *overlay, guint32 mailbox, guint32 uid);
void fs_overlay_release_new(FsOverlay *overlay, guint32 mailbox, guint32 uid);
/* The lowest of those; G_MAXUINT32: there is none. */
guint32 fs_overlay_held_above(const FsOverlay *overlay, guint32 mailbox);
/* Whether it has been hidden, and not only held. */
gboolean fs_overlay_is_taken_away(const FsOverlay *overlay, guint32 mailbox,
                                  guint32 uid);
/* Whether it shows neither under its UID nor at all. */
gboolean fs_overlay_is_hidden(const FsOverlay *overlay, guint32 mailbox,
                              guint32 uid);

/* ---- guests ---- */

/* @row is copied. @name may be NULL if @uid is not 0. Borrowed until it is
 * removed. A guest with the same inode number is removed before. */
FsGuest *fs_overlay_add_guest(FsOverlay *overlay, guint64 inode,
                              guint32 mailbox, guint32 uid, const char *name,
                              const CacheMessage *row);
/* It shows in @mailbox as @name from now on. */
void fs_overlay_move_guest(FsOverlay *overlay, FsGuest *guest, guint32 mailbox,
                           const char *name);
/* It shows as @name ("/cur/BASE", "/new/BASE"; flags behind it are passed over)
 * in the Maildir of that, until it has a UID. */
void fs_overlay_name_in_maildir(FsOverlay *overlay, FsGuest *guest,
                                const char *name);
/* What is known of its flags; copied. */
void fs_overlay_set_guest_flags(FsGuest *guest, const char *flags);
/* The server has the message as @uid of the mailbox that shows it. */
void fs_overlay_land_guest(FsOverlay *overlay, FsGuest *guest, guint32 uid);
/* It has landed, and is not called guest->name any more: it is found by that
 * for a while, if somebody has seen it. */
void fs_overlay_keep_former_name(FsOverlay *overlay, FsGuest *guest);
/* Something else is called @name, or is going to be: when that is gone, nobody
 * is to find by it what was called so before. Or that is given another name. */
void fs_overlay_forget_former_name(FsOverlay *overlay, guint32 mailbox,
                                   const char *name);
void fs_overlay_remove_guest(FsOverlay *overlay, FsGuest *guest);

/* Each NULL if there is none. Borrowed likewise. */
FsGuest *fs_overlay_guest_by_inode(const FsOverlay *overlay, guint64 inode);
/* Which is the message @uid of @mailbox. */
FsGuest *fs_overlay_guest_by_uid(const FsOverlay *overlay, guint32 mailbox,
                                 guint32 uid);
/* Which has no UID yet, and shows as @name, of either kind. */
FsGuest *fs_overlay_guest_by_name(const FsOverlay *overlay, guint32 mailbox,
                                  const char *name);
/* Which has got a UID, and was called @name until then: not for longer than the
 * first, nor more guests than the second. */
#define FS_OVERLAY_FORMER_US (60 * G_USEC_PER_SEC)
#define FS_OVERLAY_FORMER_MAX 100000u
FsGuest *fs_overlay_guest_by_former_name(const FsOverlay *overlay,
                                         guint32 mailbox, const char *name);
/* That with the lowest number above @after. */
FsGuest *fs_overlay_next_guest(const FsOverlay *overlay, guint32 mailbox,
                               guint32 after);

/* ---- times ---- */

/* The user has changed the directory that shows @mailbox. */
void fs_overlay_touch(FsOverlay *overlay, guint32 mailbox);
/* When: microseconds since the epoch; 0: not in this mount. */
gint64 fs_overlay_changed_at(const FsOverlay *overlay, guint32 mailbox);
