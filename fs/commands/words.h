/* Numbers as people read them. Each caller frees. */
#pragma once

#include <glib.h>

char *fs_words_count(guint64 number);     /* "11,002" */
char *fs_words_size(guint64 octets);      /* "3.9 MB"; powers of 1000 */
char *fs_words_time(gint64 microseconds); /* how long: "0.42 ms", "12 ms" */
char *fs_words_span(guint64 seconds);     /* "45 s", "2:05 min", "1:02 h",
                                             "3 days" */
char *fs_words_date(gint64 seconds);      /* "2026-11-28", in UTC */
