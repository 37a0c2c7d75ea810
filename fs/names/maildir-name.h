/* The names of messages in a Maildir: "BASE:2,FS".
 *
 * What is behind ":2," are letters, in their order: D (\Draft), F (\Flagged), P
 * ($Forwarded), R (\Answered), S (\Seen), T (\Deleted), and, as Dovecot has
 * them, a to z for keywords. Which letter is which keyword is for each mailbox
 * to say, and kept for good; a keyword gets the next letter when it is first
 * seen, and those beyond the twenty-sixth have none.
 *
 * BASE is what a program has called the message, or
 *
 *     1763803800.M12U1234.imapfs,S=4711
 *
 * its date, the id of its mailbox, its UID, and its size: so it is the
 * message's own among all mailboxes. */
#pragma once

#include "cache/aliases.h"

#include <glib.h>

/* Octets of a base that is given; letters and names of directories go with it,
 * and a file name has 255. */
#define FS_MAILDIR_BASE_MAX 200u

/* The flag that @letter stands for in every mailbox; NULL: none. */
const char *fs_maildir_flag(char letter);

/* Where ":2," and letters begin at the end of @name; NULL: nowhere. */
char *fs_maildir_name_info(const char *name);

/* Takes @name apart; the caller frees both. *@letters is "" if there are none,
 * and as they stand otherwise. FALSE: no message can be called so; a base that
 * itself ends in ":2," and letters is none. */
gboolean fs_maildir_name_parse(const char *name, char **base, char **letters);

/* The letters of @flags (as the index has them; NULL: none) in @mailbox, in
 * their order; a keyword that has none yet is given one. Caller frees. */
char *fs_maildir_letters(CacheAliases *aliases, guint32 mailbox,
                         const char *flags);
/* The flags that @letters stand for in @mailbox, spaces between, which the
 * caller frees; FALSE if one of them stands for nothing. */
gboolean fs_maildir_flags(const CacheAliases *aliases, guint32 mailbox,
                          const char *letters, char **flags);
/* @letters without those of keywords that mean nothing in @mailbox: what is
 * delivered from another Maildir has the letters of that one, whose meaning
 * does not come with it. Caller frees. */
char *fs_maildir_without_foreign(const CacheAliases *aliases, guint32 mailbox,
                                 const char *letters);
/* Whether both are the same letters, whatever their order. */
gboolean fs_maildir_same_letters(const char *one, const char *other);

/* What is to be added to, and taken from @flags (NULL: none) of a message of
 * @mailbox so that its name has @letters. Flags that have no letter stay. The
 * caller frees both. FALSE as above. */
gboolean fs_maildir_change(CacheAliases *aliases, guint32 mailbox,
                           const char *flags, const char *letters, char **add,
                           char **remove);

/* A base as above. @date: seconds since the epoch. Caller frees. */
char *fs_maildir_base(gint64 date, guint32 mailbox, guint32 uid, guint64 size);
/* What such a one says; FALSE if it is none. */
gboolean fs_maildir_base_parse(const char *base, guint32 *mailbox,
                               guint32 *uid);
/* Whether they are the same, but for a size, of which the server may have been
 * wrong. */
gboolean fs_maildir_same_base(const char *one, const char *other);
