/* The parts of one message as files and directories: pure arithmetic on what is
 * known of them, whoever has told it.
 *
 *     header.txt      the header, decoded
 *     body.txt        the first text, unless it is an attachment
 *     body.html       the first HTML, likewise
 *     report.pdf      everything else, as the sender has named it
 *     part-2.3.png    or, without a name, by its place
 *     forwarded.eml/  a message in the message: the same again
 */
#pragma once

#include "imap/structure.h"

#include <glib.h>

/* What is known of a MIME part. */
typedef struct {
    ImapPartKind kind;
    guint parent;        /* index; that of the first is 0 */
    char *section;       /* as in ImapPart */
    char *type;          /* "text/plain", in lower case */
    char *encoding;      /* "base64", likewise; "" */
    char *charset;       /* as it is named; "" */
    char *name;          /* decoded; NULL: none */
    gboolean attachment; /* not to be shown with the text */
    guint64 octets;      /* encoded */
} FsMimePart;

/* An array of FsMimePart that frees what they own. */
GArray *fs_mime_parts_new(void);
/* What a server's structure says. Caller owns. */
GArray *fs_mime_parts_of_structure(const ImapStructure *structure);

/* Whether it looks like that of a broken message, of which others may make
 * something else. */
gboolean fs_structure_is_doubtful(const ImapStructure *structure);

typedef enum {
    FS_PART_DIRECTORY, /* the message, or a message in it */
    FS_PART_HEADER,    /* of the message that its directory is */
    FS_PART_CONTENT,
} FsPartKind;

/* An entry. */
typedef struct {
    FsPartKind kind;
    guint parent;   /* index of its directory; that of the first is 0 */
    guint mime;     /* index among the FsMimeParts; of a header: of its message,
                       0 for the outermost */
    char *name;     /* unique in its directory; of the first: "" */
    char *section;  /* content: what to ask for; else that of the message, ""
                       for the outermost */
    char *encoding; /* of content */
    char *charset;  /* of text: its name or ""; NULL: no text */
    guint64 octets; /* of content, encoded, as far as is known */
} FsPart;

/* Entries of one message, at most. */
#define FS_PART_TREE_MAX 1790u

/* Reference counted. */
typedef struct {
    GPtrArray *parts; /* of FsPart; the first is the message itself */
    gboolean whole;   /* made from the message as a whole: sections mean nothing
                         to the server */
} FsPartTree;

/* NULL: there are too many. */
FsPartTree *fs_part_tree_new(const GArray *mime_parts, gboolean whole);
FsPartTree *fs_part_tree_ref(FsPartTree *tree);
void fs_part_tree_unref(FsPartTree *tree); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsPartTree, fs_part_tree_unref)

/* The part at @index; NULL: there is none. */
const FsPart *fs_part_tree_get(const FsPartTree *tree, guint index);
/* The index of @name in the directory @parent; 0: there is none. */
guint fs_part_tree_find(const FsPartTree *tree, guint parent, const char *name);

/* For the cache. The second gives NULL for what the first has not made. */
GBytes *fs_part_tree_to_bytes(const FsPartTree *tree);
FsPartTree *fs_part_tree_from_bytes(GBytes *bytes);
