/* What people write to search for mail, as the keys of IMAP SEARCH:
 *
 *     from:alice subject:"q3 report" since:2024-01-01 -is:read
 *
 * Words side by side must all hold; OR stands between two of which one must,
 * and binds closer; "-" or NOT before what must not; parentheses group. A word
 * without a key is looked for in the whole message. "raw:" takes IMAP SEARCH
 * keys, to the end. */
#pragma once

#include "imap/search-program.h"

#include <glib.h>

#define FS_SEARCH_QUERY_MAX 4000u /* octets */

/* What a query means depends on this. */
typedef struct {
    GDate today;    /* "since:7d" is seven days before; valid */
    gboolean gmail; /* the server understands X-GM-RAW */
} FsSearchContext;

typedef struct {
    ImapSearchProgram *program; /* owned */
    char *mailbox;              /* the path behind "in:", owned; NULL: none */
} FsSearchQuery;

void fs_search_query_clear(FsSearchQuery *query);

/* Reads @text into @query, which the caller clears. Fails with FS_ERROR_QUERY
 * and a message for people that says what is wrong with it; @query is all zero
 * then. */
gboolean fs_search_query_parse(const char *text, const FsSearchContext *context,
                               FsSearchQuery *query, GError **error);
