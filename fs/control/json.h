/* What all JSON of ours has in common: how text from servers, times and numbers
 * are written. */
#pragma once

#include <glib.h>
#include <json-glib/json-glib.h>

/* The member @name; @value is made valid UTF-8 without control characters, and
 * cut at @max octets. NULL: the member is left out. */
void fs_json_add_text(JsonBuilder *builder, const char *name, const char *value,
                      gsize max);
/* The same text as an element of an array. */
void fs_json_add_element(JsonBuilder *builder, const char *value, gsize max);
/* Larger numbers than JSON's readers take for exact are written as they are. */
void fs_json_add_number(JsonBuilder *builder, const char *name, guint64 value);
void fs_json_add_bool(JsonBuilder *builder, const char *name, gboolean value);
/* The words of @text, spaces between, as an array. NULL: it is left out. */
void fs_json_add_words(JsonBuilder *builder, const char *name,
                       const char *text);
/* RFC 3339 in UTC, with milliseconds. @time: microseconds since the epoch; 0:
 * null is written. */
void fs_json_add_time(JsonBuilder *builder, const char *name, gint64 time);

/* What was built, on one line or many. Caller frees. */
char *fs_json_to_text(JsonBuilder *builder, gboolean pretty);
