/* Keeps the messages of the mailboxes in use as the server has them.
 *
 * A mailbox counts as known only after a listing that was complete: as many
 * messages as the server says there are (EXISTS). Until then, and when that
 * cannot be had, there is an error and never a short list. What an earlier
 * mount knew is known, but not fresh.
 *
 * Known means which messages there are. Of flags, a server that can tell which
 * have changed (CONDSTORE) brings them in the same go; another has them read
 * after that, and nobody waits. */
#pragma once

#include "fs/account.h"
#include "fs/sync/refresh.h"

FsSynchroniser *fs_synchroniser_new(FsAccount *account);
void fs_synchroniser_free(FsSynchroniser *synchroniser); /* accepts NULL */

/* NULL when the messages of @mailbox, an id of the account's tree whose mailbox
 * can be selected, are known well enough for an operation that began at
 * @since (see fs/sync/refresh.h), as all that is known is while the line is
 * down; else what to wait for. Borrowed. */
FsNeed *fs_synchroniser_need_messages(FsSynchroniser *synchroniser,
                                      guint32 mailbox, gint64 since);

/* Whether the mailbox that is @selected is another one than was @known under
 * its name. @fresh: it was selected just now; then a UIDNEXT that went back
 * tells, too, for some servers keep UIDVALIDITY when a mailbox is deleted and
 * made again. */
gboolean fs_synchroniser_is_another(const CacheMailbox *known,
                                    const ImapMailbox *selected,
                                    gboolean fresh);

/* The server was asked at @asked_at how @mailbox is, and it is as it is known.
 * TRUE if that is as good as a synchronisation. */
gboolean fs_synchroniser_confirm(FsSynchroniser *synchroniser, guint32 mailbox,
                                 gint64 asked_at);

/* Something has changed in @mailbox: who wants it fresh asks again. */
void fs_synchroniser_mark_stale(FsSynchroniser *synchroniser, guint32 mailbox);

/* The same of what was so at @since (microseconds, monotonic), and asks for it
 * now if the messages of @mailbox are known, or being asked for. What has been
 * asked for since then is new enough: were it called stale, whoever goes on
 * asking would be told so again and again. What to wait for (borrowed); NULL:
 * nothing is being asked for. *@begun: asking has begun after @since, and so
 * misses nothing. */
FsNeed *fs_synchroniser_freshen(FsSynchroniser *synchroniser, guint32 mailbox,
                                gint64 since, gboolean *begun);
/* Every mailbox may have changed: see fs_refresh_mark_old. */
void fs_synchroniser_mark_all_old(FsSynchroniser *synchroniser);

/* A FsMailboxGoneFunc: the tree holds @mailbox no longer. @user_data is the
 * synchroniser. */
void fs_synchroniser_mailbox_gone(const FsMailbox *mailbox, gpointer user_data);

/* Microseconds since the epoch: when messages of @mailbox last came or went, as
 * far as this mount has seen; 0 if none did since they are known. */
gint64 fs_synchroniser_changed_at(FsSynchroniser *synchroniser,
                                  guint32 mailbox);

/* Whether what is known of @mailbox has come, and was asked for after @when
 * (microseconds, monotonic): a message that came before, and is not there, is
 * gone. */
gboolean fs_synchroniser_has_seen(FsSynchroniser *synchroniser, guint32 mailbox,
                                  gint64 when);

/* All UIDs that are known in @mailbox are below; 0: nothing is known. */
guint64 fs_synchroniser_next_uid(FsSynchroniser *synchroniser, guint32 mailbox);

/* The server has said that the message has these flags now: as
 * imap_flags_to_string writes them. */
void fs_synchroniser_set_flags(FsSynchroniser *synchroniser, guint32 mailbox,
                               guint32 uid, const char *flags);

/* While a first synchronisation runs: the messages with UIDs up to this one are
 * all there, so that a listing may show them already. G_MAXUINT32 when all
 * are known. */
guint32 fs_synchroniser_listed_to(FsSynchroniser *synchroniser,
                                  guint32 mailbox);

/* NULL when a listing for an operation that began at @since can begin: the
 * messages are known well enough, or the first synchronisation has begun to
 * bring them; else what to wait for. Borrowed. */
FsNeed *fs_synchroniser_need_listing(FsSynchroniser *synchroniser,
                                     guint32 mailbox, gint64 since);

/* What to wait for until more can be listed; begins the first synchronisation
 * if it has not begun. NULL when all is known. Moves on as more becomes known,
 * and fails if a listing that was begun cannot be completed. Borrowed. */
FsNeed *fs_synchroniser_need_more(FsSynchroniser *synchroniser,
                                  guint32 mailbox);

/* NULL when the index tells rightly, as of @since, whether there is a message
 * @uid in @mailbox; else what to wait for. In a mailbox that was never listed,
 * that message alone is asked for. Borrowed. */
FsNeed *fs_synchroniser_need_message(FsSynchroniser *synchroniser,
                                     guint32 mailbox, guint32 uid,
                                     gint64 since);

/* NULL when the index has the message @uid of @mailbox, or it is certain that
 * there is none, for the server was asked after @since; else what to wait for.
 * That may be met and it is not certain all the same, when the line was lost
 * meanwhile: who asks again and again has to stop some time. Borrowed. */
FsNeed *fs_synchroniser_need_certainty(FsSynchroniser *synchroniser,
                                       guint32 mailbox, guint32 uid,
                                       gint64 since);

/* Told what has changed in a mailbox that was known before: a message is new,
 * or has other flags; and of any message that is gone. When what was shown of a
 * mailbox has turned out to be wrong, or is not known any more, that is one
 * change, without a message. */
typedef enum {
    FS_CHANGE_NEW,
    FS_CHANGE_GONE,
    FS_CHANGE_FLAGS,
    FS_CHANGE_ALL, /* @message is NULL */
} FsChange;
typedef void (*FsChangeFunc)(FsChange change, guint32 mailbox,
                             const CacheMessage *message, gpointer user_data);
/* Several may be told, in the order in which they were added. None is added or
 * removed while they are. */
void fs_synchroniser_add_change_func(FsSynchroniser *synchroniser,
                                     FsChangeFunc func, gpointer user_data);
void fs_synchroniser_remove_change_func(FsSynchroniser *synchroniser,
                                        FsChangeFunc func, gpointer user_data);
/* While FS_CHANGE_NEW is told: the header fields that the server has sent with
 * the message (From, Subject, Date); NULL when it was not asked for them.
 * Borrowed. */
GBytes *fs_synchroniser_new_header(const FsSynchroniser *synchroniser);

/* The server has said that the message @uid of @mailbox is gone: the index
 * loses it, the change is told, and the mailbox is stale. */
void fs_synchroniser_message_gone(FsSynchroniser *synchroniser, guint32 mailbox,
                                  guint32 uid);
