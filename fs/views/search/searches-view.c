/* Searches that are kept. The numbers of their directories, files and links are
 * those of the searches (cache/searches.h), which are never used again. */
#include "fs/views/search/searches-view.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/views/search/search-query.h"
#include "fs/views/search/search.h"

#include <errno.h>
#include <string.h>

#define QUERY_NAME "query"
#define COOKIE_QUERY 1u
/* Numbers of searches begin behind that of the view's own directory. */
#define FIRST_NUMBER 16u

/* In place of a mailbox. */
enum {
    KIND_DIRECTORY,
    KIND_QUERY,
    KIND_LINK,
};

typedef struct {
    FsView parent;
    FsKeptResults *results;
    GHashTable *searches; /* id -> FsSearch, owned; those that were used */
} SearchesView;

static CacheSearches *
kept_of(const FsView *view)
{
    return view->account->searches;
}

static guint64
inode_of(guint kind, guint32 id)
{
    return fs_inode_in_view(FS_VIEW_SEARCHES,
                            fs_inode_make(0, kind, id + FIRST_NUMBER));
}

/* The search that @inode is of; NULL: there is none (any more). */
static const CacheSearch *
find(const FsView *view, guint64 inode, guint *kind)
{
    guint32 number = fs_inode_uid(fs_view_shown(inode));

    *kind = fs_inode_mailbox(fs_view_shown(inode));
    return number >= FIRST_NUMBER
               ? cache_searches_get(kept_of(view), number - FIRST_NUMBER)
               : NULL;
}

/* The search of the directory @inode; NULL: it is none. */
static FsSearch *
find_search(FsView *view, guint64 inode)
{
    SearchesView *searches = (SearchesView *)view;
    const CacheSearch *kept;
    FsSearch *search;
    guint kind;

    kept = find(view, inode, &kind);
    if (kept == NULL || kind != KIND_DIRECTORY)
        return NULL;
    search =
        g_hash_table_lookup(searches->searches, GUINT_TO_POINTER(kept->id));
    if (search == NULL) {
        search = fs_search_new(view->account, view->names, searches->results,
                               FS_SEARCH_ALL, kept->query);
        g_hash_table_insert(searches->searches, GUINT_TO_POINTER(kept->id),
                            search);
    }
    return search;
}

static void
forget_search(FsView *view, guint32 id)
{
    g_hash_table_remove(((SearchesView *)view)->searches, GUINT_TO_POINTER(id));
}

/* ---- entries ---- */

static void
fill_directory(FsView *view, const CacheSearch *kept, FsViewEntry *entry)
{
    guint64 inode = inode_of(KIND_DIRECTORY, kept->id);

    fs_view_fill(view, inode, S_IFDIR, 0,
                 fs_search_found_at(find_search(view, inode)), entry);
    fs_view_make_writable(view, entry);
}

static void
fill_query(const FsView *view, const CacheSearch *kept, FsViewEntry *entry)
{
    fs_view_fill(view, inode_of(KIND_QUERY, kept->id), S_IFREG,
                 strlen(kept->query) + 1, 0, entry);
    fs_view_make_writable(view, entry);
}

static FsAnswer
searches_look_up(FsView *view, guint64 directory, const char *name,
                 const FsViewRequest *request, FsViewEntry *entry,
                 FsObstacle *obstacle)
{
    const CacheSearch *kept;
    guint kind;

    if (fs_view_is_top(view, directory)) {
        kept = cache_searches_find(kept_of(view), name);
        if (kept == NULL)
            return FS_ANSWER_NONE;
        fill_directory(view, kept, entry);
        return FS_ANSWER_FOUND;
    }
    kept = find(view, directory, &kind);
    if (kept == NULL || kind != KIND_DIRECTORY)
        return fs_answer_fail(ESTALE, obstacle);
    if (g_str_equal(name, QUERY_NAME)) {
        fill_query(view, kept, entry);
        return FS_ANSWER_FOUND;
    }
    return fs_search_look_up(find_search(view, directory), name, request->since,
                             &entry->entry, obstacle);
}

static FsAnswer
searches_describe(FsView *view, guint64 inode, const FsViewRequest *request,
                  FsViewEntry *entry, FsObstacle *obstacle)
{
    const CacheSearch *kept;
    guint kind;

    if (fs_view_is_top(view, inode)) {
        fs_view_fill_top(view, entry);
        fs_view_make_writable(view, entry);
        return FS_ANSWER_FOUND;
    }
    kept = find(view, inode, &kind);
    if (kept == NULL)
        return FS_ANSWER_NONE;
    if (kind == KIND_DIRECTORY)
        fill_directory(view, kept, entry);
    else if (kind == KIND_QUERY)
        fill_query(view, kept, entry);
    else
        fs_root_searches_fill(view->account, kept->id, &entry->entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
searches_open_directory(FsView *view, guint64 directory,
                        const FsViewRequest *request, FsObstacle *obstacle)
{
    FsSearch *search = find_search(view, directory);

    if (fs_view_is_top(view, directory))
        return FS_ANSWER_FOUND;
    return search != NULL ? fs_search_ask(search, request->since, obstacle)
                          : fs_answer_fail(ESTALE, obstacle);
}

static FsAnswer
next_search(FsView *view, guint64 cookie, FsViewEntry *entry)
{
    const CacheSearch *kept =
        cache_searches_next(kept_of(view), (guint32)cookie);

    if (kept == NULL)
        return FS_ANSWER_NONE;
    fill_directory(view, kept, entry);
    g_strlcpy(entry->entry.name, kept->name, sizeof entry->entry.name);
    entry->entry.cookie = kept->id;
    return FS_ANSWER_FOUND;
}

static FsAnswer
searches_next(FsView *view, guint64 directory, guint64 cookie,
              FsViewEntry *entry, FsObstacle *obstacle)
{
    FsSearch *search;
    guint kind;

    if (fs_view_is_top(view, directory))
        return next_search(view, cookie, entry);
    search = find_search(view, directory);
    if (search == NULL)
        return fs_answer_fail(ESTALE, obstacle);
    if (cookie >= COOKIE_QUERY)
        return fs_search_next(search, cookie, &entry->entry, obstacle);
    fill_query(view, find(view, directory, &kind), entry);
    g_strlcpy(entry->entry.name, QUERY_NAME, sizeof entry->entry.name);
    entry->entry.cookie = COOKIE_QUERY;
    return FS_ANSWER_FOUND;
}

static FsAnswer
searches_stands_for(FsView *view, guint64 directory, const char *name,
                    guint64 *shown_directory, char **shown_name,
                    FsObstacle *obstacle)
{
    FsSearch *search = find_search(view, directory);

    if (search == NULL || g_str_equal(name, QUERY_NAME))
        return FS_ANSWER_NONE;
    return fs_search_stands_for(search, name, shown_directory, shown_name,
                                obstacle);
}

/* ---- the query ---- */

static FsAnswer
searches_open(FsView *view, guint64 inode, const FsViewRequest *request,
              FsViewFile **file, FsObstacle *obstacle)
{
    const CacheSearch *kept;
    char *text;
    guint kind;

    kept = find(view, inode, &kind);
    if (kept == NULL || kind != KIND_QUERY)
        return FS_ANSWER_NONE;
    text = g_strconcat(kept->query, "\n", NULL);
    *file = fs_view_file_of_text(text, strlen(text));
    return FS_ANSWER_FOUND;
}

/* What is shown at the top has changed. */
static void
tell_top(FsView *view, const char *name)
{
    FsOverlay *overlay = view->account->overlay;

    if (!view->account->options->searches)
        return;
    fs_overlay_touch(overlay, FS_MAILBOX_TREE_ROOT);
    fs_overlay_tell(overlay, FS_OVERLAY_NAME, FS_MAILBOX_TREE_ROOT, 0, name);
}

static FsAnswer
keep(FsView *view, const char *name, const char *query, FsObstacle *obstacle)
{
    g_autoptr(GError) error = NULL;
    const CacheSearch *kept;

    if (!fs_search_check(FS_SEARCH_ALL, query, &error)) {
        fs_search_tell_why(query, error);
        return fs_answer_fail(fs_errno_from_error(error), obstacle);
    }
    kept = cache_searches_put(kept_of(view), name, query);
    if (kept == NULL)
        return fs_answer_fail(ENOSPC, obstacle);
    forget_search(view, kept->id);
    return FS_ANSWER_FOUND;
}

/* One line, or several, which then are one. */
static FsAnswer
searches_write(FsView *view, guint64 inode, const char *data, gsize length,
               guint64 offset, FsObstacle *obstacle)
{
    g_autofree char *query = g_strndup(data, length);
    g_autofree char *name = NULL;
    const CacheSearch *kept;
    guint kind;

    kept = find(view, inode, &kind);
    if (kept == NULL || kind != KIND_QUERY)
        return FS_ANSWER_NONE;
    if (offset != 0 || length > FS_SEARCH_QUERY_MAX ||
        memchr(data, '\0', length) != NULL)
        return fs_answer_fail(length > FS_SEARCH_QUERY_MAX ? EFBIG : EINVAL,
                              obstacle);
    g_strdelimit(query, "\r\n\t", ' ');
    g_strstrip(query);
    name = g_strdup(kept->name);
    return keep(view, name, query, obstacle);
}

/* ---- making and forgetting ---- */

static FsAnswer
searches_make_directory(FsView *view, guint64 directory, const char *name,
                        const FsViewRequest *request, FsViewEntry *entry,
                        FsObstacle *obstacle)
{
    g_autofree char *query = fs_search_query_of_name(name);
    FsAnswer answer;

    if (!fs_view_is_top(view, directory))
        return fs_answer_fail(EACCES, obstacle);
    if (*name == '.')
        return fs_answer_fail(EPERM, obstacle);
    if (strlen(name) > CACHE_SEARCH_NAME_MAX)
        return fs_answer_fail(ENAMETOOLONG, obstacle);
    if (cache_searches_find(kept_of(view), name) != NULL)
        return fs_answer_fail(EEXIST, obstacle);
    answer = keep(view, name, query, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    fill_directory(view, cache_searches_find(kept_of(view), name), entry);
    tell_top(view, name);
    return FS_ANSWER_FOUND;
}

/* What it finds is not touched. */
static FsAnswer
searches_remove_directory(FsView *view, guint64 directory, const char *name,
                          const FsViewRequest *request, FsObstacle *obstacle)
{
    const CacheSearch *kept;

    if (!fs_view_is_top(view, directory))
        return fs_answer_fail(EACCES, obstacle);
    kept = cache_searches_find(kept_of(view), name);
    if (kept == NULL)
        return FS_ANSWER_NONE;
    forget_search(view, kept->id);
    cache_searches_remove(kept_of(view), kept->id);
    tell_top(view, name);
    return FS_ANSWER_FOUND;
}

static FsAnswer
searches_read_link(FsView *view, guint64 inode, char **target,
                   FsObstacle *obstacle)
{
    const CacheSearch *kept;
    guint kind;

    kept = find(view, inode, &kind);
    if (kept == NULL || kind != KIND_LINK)
        return FS_ANSWER_NONE;
    *target = g_strconcat(FS_SEARCHES_PATH, kept->name, NULL);
    return FS_ANSWER_FOUND;
}

static void
searches_clear(FsView *view)
{
    g_hash_table_unref(((SearchesView *)view)->searches);
}

static const FsViewClass searches_class = {
    .name = "searches",
    .about = "  Searches that are kept, each a directory of what it finds.",
    .about_changes =
        "  mkdir 'searches/is:unread from:alice' makes one; echo\n"
        "  'tag:work in:INBOX' > searches/NAME/query changes what\n"
        "  it searches for; rmdir forgets it.",
    .first = FS_VIEW_SEARCHES,
    .last = FS_VIEW_SEARCHES,
    .look_up = searches_look_up,
    .describe = searches_describe,
    .open_directory = searches_open_directory,
    .next = searches_next,
    .open = searches_open,
    .write = searches_write,
    .read_link = searches_read_link,
    .make_directory = searches_make_directory,
    .remove_directory = searches_remove_directory,
    .stands_for = searches_stands_for,
    .clear = searches_clear,
};

static void
free_search(gpointer search)
{
    fs_search_free(search);
}

FsView *
fs_searches_view_new(FsAccount *account, FsNameSpace *names,
                     FsKeptResults *results)
{
    FsView *view =
        fs_view_new(&searches_class, sizeof(SearchesView), account, names);
    SearchesView *searches = (SearchesView *)view;

    searches->results = results;
    searches->searches = g_hash_table_new_full(NULL, NULL, NULL, free_search);
    return view;
}

/* ---- at the top of the mount ---- */

void
fs_root_searches_fill(const FsAccount *account, guint32 id, FsEntry *entry)
{
    const CacheSearch *kept = cache_searches_get(account->searches, id);
    struct stat *stat = &entry->attributes;

    memset(entry, 0, sizeof *entry);
    entry->inode = stat->st_ino = inode_of(KIND_LINK, id);
    entry->fleeting = TRUE;
    stat->st_mode = S_IFLNK | 0777;
    stat->st_nlink = 1;
    stat->st_uid = account->options->uid;
    stat->st_gid = account->options->gid;
    stat->st_size = (off_t)(strlen(FS_SEARCHES_PATH) + strlen(kept->name));
    stat->st_mtim.tv_sec = account->mounted_at;
    stat->st_ctim = stat->st_atim = stat->st_mtim;
}
