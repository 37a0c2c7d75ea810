/* The hidden directory "search": searches by their paths.
 *
 *     search/MAILBOX/…/QUERY/   what the server finds there
 *     search/all/QUERY/         and everywhere
 *
 * Nobody makes them: whoever looks has the query run. A mailbox below the one
 * that is searched wins over a query of its name. In a query, "%2F" stands for
 * "/", which no name can hold, and "%25" for "%". */
#pragma once

#include "fs/views/search/kept-results.h"
#include "fs/views/view.h"

/* All three must outlive the result. */
FsView *fs_search_view_new(FsAccount *account, FsNameSpace *names,
                           FsKeptResults *results);
