/* Whether two messages hold the same octets. */
#include "fs/changes/comparison.h"

#include "fs/bodies/message-bodies.h"

#include <string.h>

#define PIECE (64u * 1024)

typedef struct {
    guint32 mailbox;
    guint32 uid;
    FsReader *reader; /* NULL: not opened yet */
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
    guint64 size;

    for (guint i = 0; i < 2; i++) {
        Side *side = &comparison->sides[i];

        need = fs_reader_open(comparison->account->bodies, side->mailbox,
                              side->uid, &side->reader);
        if (need != NULL)
            return need;
    }
    size = fs_reader_size(comparison->sides[0].reader);
    *same = size == fs_reader_size(comparison->sides[1].reader);
    while (*same && comparison->offset < size) {
        need = compare_piece(comparison, &n_same);
        if (need != NULL)
            return need;
        comparison->offset += n_same;
        *same = n_same > 0;
    }
    return NULL;
}
