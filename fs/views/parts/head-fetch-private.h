/* What the two share that fetch structures, headers and texts of several
 * messages at once (fs/views/parts/head-fetch.c, head-texts.c). Theirs alone.
 */
#pragma once

#include "fs/views/parts/part-maker-private.h"
#include "fs/views/parts/structure-proof.h"
#include "imap/retry.h"

typedef struct {
    guint32 uid;
    char *key; /* of the job; NULL: it is over */
    char *tree_key;
    guint64 size; /* of the message, as it is known; 0: not to be compared */
    FsPartTree *tree;        /* NULL: it has not come */
    GPtrArray *contents;     /* of GBytes, as in FsWholeMessage; or NULL */
    guint missing;           /* of these */
    guint64 octets;          /* of all texts among them, as is announced */
    gboolean useless;        /* its structure */
    FsStructureProof *proof; /* of that; NULL: it is believed */
} FsHeadItem;

typedef struct {
    FsPartMaker *maker; /* a reference */
    guint32 mailbox;
    gboolean with_text;
    gboolean ahead;
    gboolean asking;   /* counted in n_asking */
    GHashTable *items; /* by UID: of FsHeadItem, owned */
    ImapLease *lease;
    ImapConnection *connection; /* a reference */
    ImapRetry retry;
    FsHeadItem *checked; /* its structure is being proven */
    guint n_requests;    /* under way */
    GError *error;       /* the first that one of them had */
    FsTextsFunc done;
    gpointer user_data;
} FsHeadBatch;

FsHeadItem *fs_head_batch_find(FsHeadBatch *batch, guint32 uid);
/* The text or the parts of @item are there, or cannot be had. */
void fs_head_batch_end_item(FsHeadBatch *batch, FsHeadItem *item,
                            const GError *error);

/* The end of all: frees @batch. @error: of the line; NULL: the server has not
 * sent what was asked for. */
void fs_head_batch_end(FsHeadBatch *batch, const GError *error);
/* Without telling anybody. */
void fs_head_batch_free(gpointer batch);
/* Whether the line is to blame, and not the message: @error, or NULL. */
const GError *fs_head_batch_fault_of_line(const FsHeadBatch *batch,
                                          const GError *error);
/* Asks once more, if that may help. */
gboolean fs_head_batch_begins_again(FsHeadBatch *batch, const GError *error);

/* fs/views/parts/head-texts.c: fetches the texts of those whose structures have
 * come, and ends @batch. FALSE: there is nothing to be fetched. */
gboolean fs_head_texts_fetch(FsHeadBatch *batch);
