/* The hidden views that there are: each is made here, and found by its name or
 * by a number of its own. What the kernel asks of them is answered in
 * fs/views/view-requests.c. */
#include "fs/views/views-private.h"

#include "fs/kernel/inode.h"
#include "fs/views/flags-view.h"
#include "fs/views/index/index-view.h"
#include "fs/views/parts/parts-view.h"
#include "fs/views/search/search-view.h"
#include "fs/views/search/searches-view.h"
#include "fs/views/special-view.h"
#include "fs/views/text/text-view.h"

/* Of UIDs that searches have found: eight megabytes; and while they are being
 * listed, 32. */
#define RANGES_MAX 1000000u
#define FRESH_RANGES_MAX 4000000u

/* ---- which view ---- */

gboolean
fs_views_own(guint64 inode)
{
    guint number = fs_inode_account(inode);

    return number >= FS_INODE_VIEW_FIRST && number <= FS_INODE_VIEW_LAST;
}

FsView *
fs_views_find(FsViews *views, guint64 inode)
{
    guint number = fs_inode_account(inode);

    for (guint i = 0; i < views->views->len; i++) {
        FsView *view = g_ptr_array_index(views->views, i);

        if (number >= view->class->first && number <= view->class->last)
            return view;
    }
    return NULL;
}

guint64
fs_views_root(FsViews *views, const char *name)
{
    for (guint i = 0; i < views->views->len; i++) {
        FsView *view = g_ptr_array_index(views->views, i);

        if (g_str_equal(view->class->name, name))
            return fs_view_root(view);
    }
    return 0;
}

FsAnswer
fs_views_stands_for(FsViews *views, guint64 parent, const char *name,
                    guint64 *shown_parent, char **shown_name,
                    FsObstacle *obstacle)
{
    FsView *view = fs_views_find(views, parent);

    return view != NULL && view->class->stands_for != NULL
               ? view->class->stands_for(view, parent, name, shown_parent,
                                         shown_name, obstacle)
               : FS_ANSWER_NONE;
}

/* ---- for people ---- */

char *
fs_views_names(FsViews *views)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < views->views->len; i++) {
        const FsView *view = g_ptr_array_index(views->views, i);

        if (view->class->about != NULL)
            g_string_append_printf(text, "%s%s", text->len > 0 ? ", " : "",
                                   view->class->name);
    }
    return g_string_free(text, FALSE);
}

char *
fs_views_about(FsViews *views, gboolean writes)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < views->views->len; i++) {
        const FsViewClass *class =
            ((const FsView *)g_ptr_array_index(views->views, i))->class;

        if (class->about != NULL)
            g_string_append_printf(text, "\n%s/\n%s\n", class->name,
                                   class->about);
        if (writes && class->about_changes != NULL)
            g_string_append_printf(text, "%s\n", class->about_changes);
    }
    return g_string_free(text, FALSE);
}

/* ---- making and ending ---- */

static void
free_file(gpointer file)
{
    fs_view_file_free(file);
}

static void
free_view(gpointer view)
{
    fs_view_free(view);
}

FsViews *
fs_views_new(FsAccount *account, FsNameSpace *names,
             FsKernelCache *kernel_cache)
{
    FsViews *views = g_new0(FsViews, 1);

    views->kernel_cache = kernel_cache;
    fs_kernel_cache_mirror(kernel_cache, FS_VIEW_TEXT);
    fs_kernel_cache_mirror(kernel_cache, FS_VIEW_PARTS);
    views->views = g_ptr_array_new_with_free_func(free_view);
    views->page_fill = fs_page_fill_new();
    views->open_files = g_hash_table_new_full(NULL, NULL, free_file, NULL);
    views->results = fs_kept_results_new(RANGES_MAX, FRESH_RANGES_MAX);
    views->maker = fs_part_maker_new(account);
    g_ptr_array_add(views->views, fs_flags_view_new(account, names));
    g_ptr_array_add(views->views, fs_index_view_new(account, names));
    g_ptr_array_add(views->views,
                    fs_search_view_new(account, names, views->results));
    g_ptr_array_add(views->views,
                    fs_searches_view_new(account, names, views->results));
    g_ptr_array_add(views->views, fs_special_view_new(account, names));
    g_ptr_array_add(views->views,
                    fs_parts_view_new(account, names, views->maker));
    g_ptr_array_add(views->views,
                    fs_text_view_new(account, names, views->maker));
    return views;
}

void
fs_views_attach(FsViews *views, struct fuse_session *fuse)
{
    views->fuse = fuse;
    fs_page_fill_attach(views->page_fill, fuse);
}

void
fs_views_free(FsViews *views)
{
    if (views == NULL)
        return;
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(views->open_files);
    fs_page_fill_free(views->page_fill);
    fs_part_maker_free(views->maker);
    g_ptr_array_unref(views->views);
    fs_kept_results_free(views->results);
    g_free(views);
}
