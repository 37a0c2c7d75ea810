/* How much to fetch ahead of a scan, by what is known of the line. Arithmetic
 * alone. */
#pragma once

#include "imap/pool.h"

/* Octets that may be under way, or have come and were not opened. Where there
 * is but one connection they are few: who wants a single thing waits for all of
 * them. */
guint64 fs_fetch_budget(const ImapPoolLine *line);
/* These few. */
guint64 fs_fetch_budget_shared(const ImapPoolLine *line);

/* How much larger than the one before each request is to be. */
guint fs_fetch_growth(const ImapPoolLine *line);
