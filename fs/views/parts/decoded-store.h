/* Decoded forms of messages in the cache: a part, the text, what parts there
 * are. They lie among the bodies (cache/blocks.h), are named after them, and
 * can be made again like these. */
#pragma once

#include "cache/blocks.h"
#include "cache/index.h"

/* The name of the form @what ("text", "3") of @message. Caller frees. */
char *fs_decoded_key(guint32 mailbox, const CacheMessage *message,
                     const char *what);

/* Whether the form @key is there, as far as its beginning tells, and how many
 * octets it has. */
gboolean fs_decoded_size(CacheBlocks *blocks, const char *key, guint64 *size);
/* Copies @length octets from @offset, less at the end of its @size octets, and
 * returns how many; -1 if they are not there any more. */
gssize fs_decoded_read(CacheBlocks *blocks, const char *key, guint64 size,
                       guint64 offset, void *buffer, gsize length);
/* All of it, if it is in one block, and not empty; else NULL. Caller owns. */
GBytes *fs_decoded_get_small(CacheBlocks *blocks, const char *key);
/* All of it; NULL if it is not there. Caller owns. */
GBytes *fs_decoded_get(CacheBlocks *blocks, const char *key);
void fs_decoded_put(CacheBlocks *blocks, const char *key, const void *data,
                    gsize length);

/* Puts what comes in pieces; it can be had only when all of it is there. */
typedef struct FsDecodedWriter FsDecodedWriter;
FsDecodedWriter *fs_decoded_writer_new(CacheBlocks *blocks, const char *key);
/* What is not finished is forgotten. Accepts NULL. */
void fs_decoded_writer_free(FsDecodedWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsDecodedWriter, fs_decoded_writer_free)
void fs_decoded_writer_append(FsDecodedWriter *writer, const void *data,
                              gsize length);
/* That was all: returns how many octets it was. */
guint64 fs_decoded_writer_finish(FsDecodedWriter *writer);
