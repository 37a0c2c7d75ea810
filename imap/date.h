/* INTERNALDATE (RFC 9051, date-time). */
#pragma once

#include <glib.h>

/* Parses " 7-Feb-1994 21:52:25 -0800", also with a single-digit day and
 * without the zone (then UTC). @seconds: since the epoch, UTC. FALSE if it is
 * no date; @seconds is then untouched. */
gboolean imap_date_parse(const char *text, gint64 *seconds);

/* The same the other way, in UTC; what is before the year 1 or after 9999 is
 * brought nearer. Caller frees. */
char *imap_date_format(gint64 seconds);
