/* What the set of the views (fs/views/views.c) and the requests on them
 * (fs/views/view-requests.c) share. Theirs alone. */
#pragma once

#include "fs/kernel/page-fill.h"
#include "fs/views/parts/part-maker.h"
#include "fs/views/search/kept-results.h"
#include "fs/views/views.h"

struct FsViews {
    FsKernelCache *kernel_cache;
    struct fuse_session *fuse; /* NULL until attached */
    FsPartMaker *maker;
    FsKeptResults *results; /* of searches */
    GPtrArray *views;       /* of FsView, owned */
    GHashTable *open_files; /* of FsViewFile, owned */
    FsPageFill *page_fill;
};

/* The view that @inode is of; NULL: none. */
FsView *fs_views_find(FsViews *views, guint64 inode);
