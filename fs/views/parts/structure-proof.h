/* Whether what a server says of the parts of a message is what everybody would
 * make of it. Arithmetic alone.
 *
 * Broken messages are read in more than one way: a boundary with more behind
 * it, a parameter without its quotation marks. A structure does not show that.
 * But with the fields of each part at hand, and the ends of the message, each
 * octet of it can be accounted for: if the message is as long as its parts and
 * their boundaries, and the fields are as they should be, there is nothing to
 * be read in another way. */
#pragma once

#include "imap/structure.h"

#include <glib.h>

/* How much of the beginning and of the end of a message's body is looked at. */
#define FS_PROOF_ENDS 512u
/* With more parts, it is not worth it. */
#define FS_PROOF_PARTS_MAX 40u

/* Whether the fields in a header that say what it is of, are there once at the
 * most, and as the grammar has them (RFC 2045 section 5.1, RFC 2183). */
gboolean fs_mime_fields_are_plain(const char *header, gsize length);

/* Whether they say of it that it is a multipart. */
gboolean fs_mime_fields_say_multipart(const char *header, gsize length);

typedef struct FsStructureProof FsStructureProof;

/* Of a message of @size octets with @header (a reference is kept). NULL: there
 * is nothing to be proven, or it cannot be. */
FsStructureProof *fs_structure_proof_new(const ImapStructure *structure,
                                         GBytes *header, guint64 size);
void fs_structure_proof_free(FsStructureProof *proof); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsStructureProof, fs_structure_proof_free)

/* What it takes: pieces of the message, from 0 to that less one. Each is the
 * fields of a part, at *@section ("1.2.MIME", borrowed); or, if that is NULL, a
 * range of the message. */
guint fs_structure_proof_n_pieces(const FsStructureProof *proof);
void fs_structure_proof_piece(const FsStructureProof *proof, guint index,
                              const char **section, guint64 *offset,
                              guint32 *length);
void fs_structure_proof_set(FsStructureProof *proof, guint index,
                            const char *data, gsize length);

/* Whether all pieces were given. */
gboolean fs_structure_proof_is_complete(const FsStructureProof *proof);
/* Then: whether the structure is beyond doubt. */
gboolean fs_structure_proof_holds(const FsStructureProof *proof);
