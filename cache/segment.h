/* A segment: a file of blocks one after another, only ever appended to. The
 * table of blocks knows where each lies and what its checksum is; the file has
 * nothing but their octets. */
#pragma once

#include <glib.h>

typedef enum {
    CACHE_BLOCK_UNREAD, /* put, and not read since */
    CACHE_BLOCK_READ,   /* read once */
    CACHE_BLOCK_HOT,    /* read again later */
} CacheBlockState;

/* Where a block lies. */
typedef struct {
    guint32 segment; /* from 1; 0: nowhere */
    guint32 offset;
    guint32 length;
    guint32 checksum; /* cache_block_checksum */
    CacheBlockState state;
} CacheBlockPlace;

typedef struct {
    const void *data;
    gsize length;
} CacheSpan;

/* Of the name and the octets: a block in the place of another is damage. */
guint32 cache_block_checksum(const char *key, guint32 number, const void *data,
                             gsize length);

/* The segments below @directory, in "segments", which is made if it is not
 * there. Of guint32, in no order: what has other names is not ours. */
GArray *cache_segment_list(const char *directory, GError **error);

/* Makes the segment @number, which must not exist. A descriptor for writing, or
 * -1; @exists is set if there is one. */
int cache_segment_create(const char *directory, guint32 number,
                         gboolean *exists, GError **error);
/* -1 and errno. */
int cache_segment_open(const char *directory, guint32 number,
                       gboolean for_writing);
void cache_segment_delete(const char *directory, guint32 number);

/* Writes all @spans, at @offset. What an error left is cut off again. */
gboolean cache_segment_append(int fd, guint64 offset, const CacheSpan *spans,
                              guint n_spans, GError **error);

/* Whether the file system that @fd lies on keeps its reserve with @octets more:
 * 64 MiB, and a hundredth. */
gboolean cache_segment_has_room(int fd, guint64 octets, GError **error);

/* FALSE if somebody deleted the file. */
gboolean cache_segment_is_there(int fd);

/* The block at @place, or NULL if it is not what was written. */
GBytes *cache_segment_read(int fd, const CacheBlockPlace *place,
                           const char *key, guint32 number);
