/* Fetches what it takes to prove a structure, by commands that do not wait for
 * one another: one round trip, and a few hundred octets a part. */
#include "fs/views/parts/structure-check.h"

#include "imap/part-requests.h"

typedef struct {
    FsStructureProof *proof;
    FsStructureCheckFunc done;
    gpointer user_data;
    guint n_requests; /* under way */
} Check;

typedef struct {
    Check *check;
    guint index;          /* of the piece */
    GByteArray *incoming; /* NULL: it is passed over */
} Piece;

/* Fields that are longer prove nothing. */
#define PIECE_MAX (16u * 1024)

static void
on_begin(guint32 uid, guint64 size, gpointer user_data)
{
    Piece *piece = user_data;

    g_clear_pointer(&piece->incoming, g_byte_array_unref);
    if (size <= PIECE_MAX)
        piece->incoming = g_byte_array_new();
}

static void
on_data(const guint8 *data, gsize length, gpointer user_data)
{
    Piece *piece = user_data;

    if (piece->incoming != NULL)
        g_byte_array_append(piece->incoming, data, (guint)length);
}

static void
on_end(guint32 uid, gpointer user_data)
{
    Piece *piece = user_data;
    const GByteArray *incoming = piece->incoming;

    if (incoming != NULL)
        fs_structure_proof_set(piece->check->proof, piece->index,
                               incoming->len > 0 ? (const char *)incoming->data
                                                 : "",
                               incoming->len);
}

static void
on_discard(gpointer user_data)
{
    g_clear_pointer(&((Piece *)user_data)->incoming, g_byte_array_unref);
}

static void
on_done(const GError *error, gpointer user_data)
{
    Piece *piece = user_data;
    Check *check = piece->check;
    gboolean complete;

    g_clear_pointer(&piece->incoming, g_byte_array_unref);
    g_free(piece);
    if (--check->n_requests > 0)
        return;
    complete = fs_structure_proof_is_complete(check->proof);
    check->done(complete && !fs_structure_proof_holds(check->proof),
                check->user_data);
    fs_structure_proof_free(check->proof);
    g_free(check);
}

static const ImapBodiesHandler handler = {
    .begin = on_begin,
    .data = on_data,
    .end = on_end,
    .discard = on_discard,
    .done = on_done,
};

static void
ask(Check *check, ImapConnection *connection, guint32 uid, guint index)
{
    g_autoptr(ImapUidSet) uids = imap_uid_set_new();
    Piece *piece = g_new0(Piece, 1);
    const char *section;
    guint64 offset;
    guint32 length;

    piece->check = check;
    piece->index = index;
    imap_uid_set_add(uids, uid, uid);
    fs_structure_proof_piece(check->proof, index, &section, &offset, &length);
    if (section != NULL)
        imap_request_fetch_section(connection, uids, section, FALSE, &handler,
                                   piece);
    else
        imap_request_fetch_part(connection, uid, offset, length, &handler,
                                piece);
}

void
fs_structure_check(ImapConnection *connection, guint32 uid,
                   FsStructureProof *proof, FsStructureCheckFunc done,
                   gpointer user_data)
{
    Check *check = g_new0(Check, 1);
    guint n = fs_structure_proof_n_pieces(proof);

    check->proof = proof;
    check->done = done;
    check->user_data = user_data;
    check->n_requests = n;
    for (guint i = 0; i < n; i++)
        ask(check, connection, uid, i);
}
