/* Makes decoded forms of messages: what parts a message has, what is in each,
 * its text. From the cache; from the message, if that is there as a whole, or
 * is so small that its structure would cost as much; else from the server, by
 * its structure, and part by part. Where the structure is of no use, the
 * message is fetched whole.
 *
 * The functions that answer do so as those of a name space: nothing waits.
 * Whoever waits for the same thing waits for one and the same need. */
#pragma once

#include "fs/names/name-space.h"
#include "fs/views/parts/part-tree.h"
#include "fs/views/view.h"

typedef struct FsPartMaker FsPartMaker;

/* @account must outlive it. */
FsPartMaker *fs_part_maker_new(FsAccount *account);
void fs_part_maker_free(FsPartMaker *maker); /* accepts NULL */

/* The parts of the message @uid of @mailbox. The caller owns a reference to
 * @tree. FS_ANSWER_NONE: there is no such message; EFBIG: it has more parts
 * than can be shown. */
FsAnswer fs_part_maker_tree(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                            FsPartTree **tree, FsObstacle *obstacle);

/* Of these parts, that at @index, which is no directory: under which name its
 * form is in the cache (caller frees), and how large it is. */
FsAnswer fs_part_maker_content(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                               const FsPartTree *tree, guint index, char **key,
                               guint64 *size, FsObstacle *obstacle);

/* How large that part is, which the server may be able to tell without sending
 * it. Only fs_part_maker_content tells it for certain. */
FsAnswer fs_part_maker_size(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                            const FsPartTree *tree, guint index, guint64 *size,
                            FsObstacle *obstacle);

/* As fs_part_maker_content, for its text: headers and text parts, lines ending
 * in LF. */
FsAnswer fs_part_maker_text(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                            char **key, guint64 *size, FsObstacle *obstacle);
/* How large that is, if it is known without making it. */
gboolean fs_part_maker_text_size(FsPartMaker *maker, guint32 mailbox,
                                 guint32 uid, guint64 *size);
/* Not yet, but it is being made: what to wait for (borrowed); else NULL. */
FsNeed *fs_part_maker_text_job(FsPartMaker *maker, guint32 mailbox,
                               guint32 uid);
/* Whether that would be there at once. */
gboolean fs_part_maker_has_text(FsPartMaker *maker, guint32 mailbox,
                                const CacheMessage *message);
/* Begins to make those of @uids (an array of guint32), by a few commands for
 * all; whoever then wants one of them waits for that. @done runs from the main
 * loop at the end, with an error if none could be had; unless the maker is
 * freed before. */
typedef void (*FsTextsFunc)(const GError *error, gpointer user_data);
void fs_part_maker_texts_ahead(FsPartMaker *maker, guint32 mailbox,
                               const GArray *uids, FsTextsFunc done,
                               gpointer user_data);
/* How many octets it takes to fetch one of these, in the mean; 0: not known. */
guint64 fs_part_maker_mean_text(const FsPartMaker *maker);

/* What text is: for @index. */
#define FS_PART_TEXT G_MAXUINT

/* A file of the form @index (or FS_PART_TEXT) of a message, which lies in the
 * cache as @key and has @size octets; if it is lost there, it is made again. */
FsViewFile *fs_part_file_new(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                             guint index, const char *key, guint64 size);
