/* Fetching large messages in ranges. */
#pragma once

#include "fs/bodies/message-bodies-private.h"

/* The beginning of a message is kept apart: whoever looks at that alone shall
 * not have to wait for a whole block. */
#define FS_HEAD_SIZE (128u * 1024)

/* The beginning of the message whose blocks have the name @key, or NULL. Caller
 * owns. */
GBytes *fs_head_get(FsMessageBodies *bodies, const char *key);

/* Fetches the beginning of @body and the proof that its size is right: from the
 * last octet on there is one, and no more. If it is not so, the message is
 * fetched whole. */
void fs_part_fetch_prove(FsBody *body);

/* Of @body, whose size is verified, fetches the beginning. */
void fs_part_fetch_head(FsBody *body);
/* Likewise @count blocks from @first, those that are there, or are coming, left
 * out. Its need moves on with each block. */
void fs_part_fetch_blocks(FsBody *body, guint32 first, guint32 count);
/* Nothing is under way. */
gboolean fs_part_fetch_is_idle(const FsPartFetch *parts);

void fs_part_fetch_free(FsPartFetch *parts); /* accepts NULL */
