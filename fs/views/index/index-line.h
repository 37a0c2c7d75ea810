/* A message as one line of a table: with tabs, for awk and the like, or as
 * JSON. Pure text, whatever is in the fields. */
#pragma once

#include "cache/fields.h"
#include "fs/names/name-space.h"

typedef enum {
    FS_INDEX_TSV,
    FS_INDEX_JSONL,
} FsIndexFormat;

/* Appends to @text the line of the message @entry, as the mount shows it, with
 * its end. @flags: words with spaces between, may be NULL; @fields: what its
 * header says.
 *
 *     UID NAME SIZE DATE FLAGS FROM TO SUBJECT MESSAGE-ID ATTACHMENTS
 *
 * Dates are RFC 3339 in UTC; attachments are "yes", "no" or "" (not known). In
 * a value, tabs and control characters are spaces, and it is valid UTF-8 of
 * bounded length. In JSON, the members are uid, name, size, date, flags (an
 * array), from, to, subject, message_id, attachments (true, false, null). */
void fs_index_line_append(GString *text, FsIndexFormat format,
                          const FsEntry *entry, const char *flags,
                          const CacheFieldsRow *fields);

/* What the header fields of a message, @header, and its structure say, as text
 * of bounded length. */
typedef struct {
    char *from;
    char *to;
    char *subject;
    char *message_id;
} FsIndexFields;

void fs_index_fields_read(FsIndexFields *fields, const char *header,
                          gsize length);
void fs_index_fields_clear(FsIndexFields *fields);
