/* Octets of a message as they come, cut into blocks of the cache. */
#pragma once

#include "cache/blocks.h"

typedef struct FsBodyWriter FsBodyWriter;

/* @size octets follow, the first of them the first of block @number. @key: each
 * block can be had as soon as it is full; NULL: all are held back until
 * fs_body_writer_finish. */
FsBodyWriter *fs_body_writer_new(CacheBlocks *blocks, const char *key,
                                 guint32 number, guint64 size);
/* What was held back is forgotten. Accepts NULL. */
void fs_body_writer_free(FsBodyWriter *writer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsBodyWriter, fs_body_writer_free)

guint64 fs_body_writer_size(const FsBodyWriter *writer);
/* Octets that have not come yet. */
guint64 fs_body_writer_left(const FsBodyWriter *writer);

/* TRUE when a block has become full and can be had. Octets beyond the size are
 * passed over. */
gboolean fs_body_writer_append(FsBodyWriter *writer, const guint8 *data,
                               gsize length);

/* All octets are there, and are those of @key: what was held back can be had
 * now. FALSE when they are not all there, or some have got lost. */
gboolean fs_body_writer_finish(FsBodyWriter *writer, const char *key);
