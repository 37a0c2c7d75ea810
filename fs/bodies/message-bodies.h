/* The octets of messages: from the cache, or from the server into it.
 *
 * Who opens a message needs its size to be certain; who reads, some octets of
 * it. What is missing is fetched: small messages whole, many in one command
 * when a program reads a directory's files one after another
 * (fs/bodies/scan.h), large ones in ranges ahead of the reader.
 *
 * The size of a message is certain when its body has come whole, and then for
 * good; of a large one also when the server, asked for the octet behind the
 * last but one, has sent exactly one. If a body's size is not what was
 * announced, it may be a stand-in that the server makes for a message which
 * another client has expunged: it is shown only after the server has confirmed
 * that the message exists. */
#pragma once

#include "fs/account.h"
#include "fs/need.h"

#include <sys/types.h>

typedef struct FsMessageBodies FsMessageBodies;

FsMessageBodies *fs_message_bodies_new(FsAccount *account);
void fs_message_bodies_free(FsMessageBodies *bodies); /* accepts NULL */

/* Told when a message turns out to have another size than the index said, and
 * so another than others may have been told. The index has the right one. */
typedef void (*FsResizedFunc)(guint32 mailbox, guint32 uid, gpointer user_data);
void fs_message_bodies_set_resized(FsMessageBodies *bodies,
                                   FsResizedFunc resized, gpointer user_data);

/* Told that the directory @mailbox is going to be listed; and that it was, by a
 * thread: whoever opens its first message now is likely to want them all. */
void fs_message_bodies_expect(FsMessageBodies *bodies, guint32 mailbox);
void fs_message_bodies_listed(FsMessageBodies *bodies, guint32 mailbox,
                              pid_t by);

/* The name that the blocks of @message have in the cache: that of its content,
 * if the server has one, so that a message which is in several mailboxes is
 * kept once; else that of the mailbox and UID. Caller frees. */
char *fs_message_key(guint32 mailbox, const CacheMessage *message);

/* NULL when the message @uid of @mailbox, which the index has, can be opened by
 * the thread @by: its size is @size and certain. Else what to wait for: it
 * fails with FS_ERROR_GONE when there is no such message (any more),
 * FS_ERROR_STALE when the mailbox is another one, or as the connection or the
 * server fails. The caller owns the need: as long as it holds it, what is
 * fetched for it stays.
 */
FsNeed *fs_message_bodies_open(FsMessageBodies *bodies, guint32 mailbox,
                               guint32 uid, pid_t by, guint64 *size);

/* Whether all octets of @message, as of its size, are in the cache; perhaps as
 * those of one that was stored by this machine, and not read since. */
gboolean fs_message_is_cached(FsMessageBodies *bodies, guint32 mailbox,
                              const CacheMessage *message);
/* Makes those the body of @message, as fs_message_bodies_open does. NULL: it is
 * done, or there are none. Else, for the disk is behind, what to wait for; the
 * caller owns it. */
FsNeed *fs_message_bodies_take_stored(FsMessageBodies *bodies, guint32 mailbox,
                                      const CacheMessage *message);
/* Whether all of the message is at hand, and so can be opened and read without
 * asking the server; then its size is @size. */
gboolean fs_message_bodies_at_hand(FsMessageBodies *bodies, guint32 mailbox,
                                   guint32 uid, guint64 *size);

/* One reader of a message that could be opened. It tells how far ahead to
 * fetch. */
typedef struct FsReader FsReader;

FsReader *fs_reader_new(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                        guint64 size);
/* Opens a message and makes *@reader, which is NULL until then, a reader of it:
 * NULL when it is there; else as fs_message_bodies_open. */
FsNeed *fs_reader_open(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                       FsReader **reader);
void fs_reader_free(FsReader *reader); /* accepts NULL */

guint64 fs_reader_size(const FsReader *reader);

/* All of a message of at most CACHE_BLOCK_SIZE octets, if it is at hand and not
 * empty; else NULL. Borrowed, until the reader is next used. */
GBytes *fs_reader_content(FsReader *reader);
/* Copies @length octets from @offset, less beyond the end, to @buffer and
 * returns how many; or -1 with what to wait for, which the caller owns, and
 * which fails as that of fs_message_bodies_open does, FS_ERROR_STALE instead of
 * FS_ERROR_GONE. */
gssize fs_reader_read(FsReader *reader, guint64 offset, void *buffer,
                      gsize length, FsNeed **need);

/* Whether every octet was read, from the beginning on. */
gboolean fs_reader_has_read_all(const FsReader *reader);
