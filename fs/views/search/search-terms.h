/* The keys of a search query, "from:" and so on: what they take, and what they
 * are in IMAP SEARCH. */
#pragma once

#include "fs/views/search/search-query.h"

/* @key (lower case; NULL: none) with the @value. Fails with FS_ERROR_QUERY. */
ImapSearchProgram *fs_search_term(const char *key, const char *value,
                                  const FsSearchContext *context,
                                  GError **error);

/* The header field @name, which has @value in it; "": which is there. */
ImapSearchProgram *fs_search_term_header(const char *name, const char *value);
