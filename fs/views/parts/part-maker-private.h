/* What those share who make decoded forms. Theirs alone. */
#pragma once

#include "fs/bodies/message-bodies-private.h"
#include "fs/views/parts/decoded-store.h"
#include "fs/views/parts/part-maker.h"
#include "fs/views/parts/whole-message.h"

/* Reference counted, for replies may come after the end. */
struct FsPartMaker {
    FsAccount *account; /* NULL after the end */
    FsLeases *leases;
    GHashTable *jobs;  /* what is under way: FsNeed, references, by key */
    GHashTable *trees; /* some that were used of late: by key */
    GHashTable *sizes; /* likewise, of forms: guint64, by key */
    /* Likewise, what the server says without sending them; FS_PART_UNTOLD: it
     * does not say. */
    GHashTable *told;
    GHashTable *distrusted; /* keys of trees: messages to be fetched whole */
    FsNeed *held; /* the last that was told of; a reference, or NULL */

    /* Of fs/views/parts/head-fetch.c: what is fetched ahead. */
    guint n_asking;   /* batches whose structures are awaited */
    GQueue to_ask;    /* those that are to follow */
    guint64 n_texts;  /* that have come */
    guint64 n_octets; /* of these, as they were sent */
};

FsPartMaker *fs_part_maker_ref(FsPartMaker *maker);
void fs_part_maker_unref(FsPartMaker *maker); /* accepts NULL */

/* Something is being made: its need, borrowed; NULL: it is not. */
FsNeed *fs_part_job_find(FsPartMaker *maker, const char *key);
/* It is from now on. */
FsNeed *fs_part_job_begin(FsPartMaker *maker, const char *key);
/* It is there, or cannot be had; or, without an error, has to be looked for in
 * another way. Does nothing after the maker's end. */
void fs_part_job_end(FsPartMaker *maker, const char *key, const GError *error);

/* What the server says of the message's structure is of no use. */
void fs_part_maker_distrust(FsPartMaker *maker, guint32 mailbox, guint32 uid);
gboolean fs_part_maker_is_distrusted(FsPartMaker *maker, guint32 mailbox,
                                     const CacheMessage *message);

/* How large the form @key is, and the tree @key (the caller owns a reference),
 * if they are there. */
gboolean fs_part_maker_find_size(FsPartMaker *maker, const char *key,
                                 guint64 *size);
FsPartTree *fs_part_maker_find_tree(FsPartMaker *maker, const char *key);

/* Keeps what was made. */
void fs_part_maker_keep_tree(FsPartMaker *maker, const char *key,
                             FsPartTree *tree);
void fs_part_maker_keep_size(FsPartMaker *maker, const char *key, guint64 size);
void fs_part_maker_keep(FsPartMaker *maker, const char *key, GBytes *content);

/* Keys of @message; caller frees. Those of contents say whether @index is of a
 * tree of the @whole message, or of the server's: of a broken message the two
 * may differ, and the cache may lose either, and keep its contents. */
char *fs_part_tree_key(guint32 mailbox, const CacheMessage *message);
char *fs_part_content_key(guint32 mailbox, const CacheMessage *message,
                          gboolean whole, guint index);
char *fs_part_text_key(guint32 mailbox, const CacheMessage *message);

#define FS_PART_UNTOLD G_MAXUINT64
/* Whether the server is worth being asked how large @part is. */
gboolean fs_part_is_askable(const FsPart *part);
void fs_part_maker_keep_told(FsPartMaker *maker, const char *key, guint64 size);
/* fs/views/parts/size-fetch.c: asks for the sizes of all such parts of @tree,
 * under the job @key, which has begun. */
void fs_view_sizes_fetch(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                         const FsPartTree *tree, const char *key);

/* Whether neither the server nor the line is to blame for what has not come. */
gboolean fs_part_is_refusal(const GError *error);

/* fs/views/parts/part-whole.c: whether all of @message is there. */
gboolean fs_part_maker_has_whole(FsPartMaker *maker, guint32 mailbox,
                                 const CacheMessage *message);
/* Makes all forms of @message. FS_ANSWER_FOUND: they are there, and @whole
 * (caller owns) has them, too. */
FsAnswer fs_part_maker_make_whole(FsPartMaker *maker, guint32 mailbox,
                                  const CacheMessage *message,
                                  FsWholeMessage **whole, FsObstacle *obstacle);

/* fs/views/parts/part-fetch.c: fetches one part, under the job @key, which has
 * begun.
 */
void fs_view_part_fetch(FsPartMaker *maker, guint32 mailbox, guint32 uid,
                        const FsPart *part, const char *key);

/* fs/views/parts/head-fetch.c: fetches the structure and the header of @uids;
 * and, with_text, the texts: under the jobs of their trees or texts, which
 * begin. */
void fs_view_heads_fetch(FsPartMaker *maker, guint32 mailbox,
                         const GArray *uids, gboolean with_text, gboolean ahead,
                         FsTextsFunc done, gpointer user_data);
/* At the end of the maker: drops what is to follow. */
void fs_view_heads_drop(FsPartMaker *maker);

/* Octets of one text of several parts, at the most; and what stands in place of
 * a part that is beyond that. */
#define FS_TEXTS_MAX (64u * 1024 * 1024)
#define FS_TEXT_TOO_LONG "[a text that is too long]\n"

/* fs/views/parts/part-text.c: the text of a message; @contents: of GBytes, as
 * in FsWholeMessage, of which those are used that are headers and texts. */
GString *fs_part_text_of(const FsPartTree *tree, const GPtrArray *contents);
