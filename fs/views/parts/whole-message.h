/* The parts of a message that is there as a whole. Any thread may do this. */
#pragma once

#include "fs/views/parts/part-tree.h"

/* Larger messages are not taken apart. */
#define FS_WHOLE_MESSAGE_MAX (64u * 1024 * 1024)

typedef struct {
    FsPartTree *tree;
    GPtrArray
        *contents; /* of GBytes, by index in the tree; NULL: a directory */
} FsWholeMessage;

/* @octets: all of it. Text is decoded to UTF-8, headers are, too. NULL: there
 * are too many parts or fields. */
FsWholeMessage *fs_whole_message_new(GBytes *octets);
void fs_whole_message_free(FsWholeMessage *message); /* accepts NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsWholeMessage, fs_whole_message_free)

/* @octets of a part as it is shown: text, of @charset, as UTF-8. Takes over
 * @octets. */
GBytes *fs_part_content_of(GByteArray *octets, const char *charset);

/* Decodes what comes in pieces. */
typedef struct FsPartDecoder FsPartDecoder;
/* @encoding: as in FsPart. */
FsPartDecoder *fs_part_decoder_new(const char *encoding);
void fs_part_decoder_free(FsPartDecoder *decoder); /* accepts NULL */
/* Returns what has come of @length octets, of which there are @result_length;
 * borrowed until the next call. @last: these were all. */
const char *fs_part_decoder_step(FsPartDecoder *decoder, const char *octets,
                                 gsize length, gboolean last,
                                 gsize *result_length);
