/* Whether two messages hold the same octets. */
#include "fs/changes/comparison.h"

#include "fs/bodies/message-bodies.h"

#include <string.h>

#define PIECE (64u * 1024)

typedef struct {
    guint32 mailbox;
    guint32 uid;
    FsReader *reader; /* NULL: not opened yet */
    guint64 size;
} Side;

struct FsComparison {
    FsAccount *account;
    Side sides[2];
    guint64 offset; /* up to which they are the same */
};

FsComparison *
fs_comparison_new(FsAccount *account, guint32 mailbox, guint32 uid,
                  guint32 other_mailbox, guint32 other_uid)
{
    FsComparison *comparison = g_new0(FsComparison, 1);

    comparison->account = account;
    comparison->sides[0].mailbox = mailbox;
    comparison->sides[0].uid = uid;
    comparison->sides[1].mailbox = other_mailbox;
    comparison->sides[1].uid = other_uid;
    return comparison;
}

void
fs_comparison_free(FsComparison *comparison)
{
    if (comparison == NULL)
        return;
    fs_reader_free(comparison->sides[0].reader);
    fs_reader_free(comparison->sides[1].reader);
    g_free(comparison);
}

static FsNeed *
open_side(FsComparison *comparison, Side *side)
{
    FsMessageBodies *bodies = comparison->account->bodies;
    FsNeed *need;

    if (side->reader != NULL)
        return NULL;
    need = fs_message_bodies_open(bodies, side->mailbox, side->uid, 0,
                                  &side->size);
    if (need == NULL)
        side->reader =
            fs_reader_new(bodies, side->mailbox, side->uid, side->size);
    return need;
}

/* How many octets are the same from the offset on; 0: none. */
static FsNeed *
compare_piece(FsComparison *comparison, gsize *n_same)
{
    g_autofree guint8 *one = g_malloc(PIECE);
    g_autofree guint8 *other = g_malloc(PIECE);
    g_autoptr(FsNeed) need = NULL;
    gssize n_one = fs_reader_read(comparison->sides[0].reader,
                                  comparison->offset, one, PIECE, &need);
    gssize n_other;

    if (n_one < 0)
        return g_steal_pointer(&need);
    n_other = fs_reader_read(comparison->sides[1].reader, comparison->offset,
                             other, PIECE, &need);
    if (n_other < 0)
        return g_steal_pointer(&need);
    *n_same = (gsize)MIN(n_one, n_other);
    if (memcmp(one, other, *n_same) != 0)
        *n_same = 0;
    return NULL;
}

FsNeed *
fs_comparison_run(FsComparison *comparison, gboolean *same)
{
    FsNeed *need;
    gsize n_same = 0;

    for (guint i = 0; i < 2; i++) {
        need = open_side(comparison, &comparison->sides[i]);
        if (need != NULL)
            return need;
    }
    *same = comparison->sides[0].size == comparison->sides[1].size;
    while (*same && comparison->offset < comparison->sides[0].size) {
        need = compare_piece(comparison, &n_same);
        if (need != NULL)
            return need;
        comparison->offset += n_same;
        *same = n_same > 0;
    }
    return NULL;
}
