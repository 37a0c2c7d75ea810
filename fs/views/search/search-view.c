/* Searches by their paths.
 *
 * An inode number is the mailbox and, for a search in it, a hash of the query:
 * so it is the same after the next mount. Of the searches that were looked at
 * last, what they found is kept. */
#include "fs/views/search/search-view.h"

#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/sync/refresh.h"
#include "fs/views/search/search.h"

#include <errno.h>
#include <string.h>

#define ALL_NAME "all"
/* In place of a UID. */
#define ALL_NUMBER 2u
#define FIRST_QUERY_NUMBER 16u
#define COOKIE_ALL ((guint64)FS_INODE_MAX_MAILBOX + 1)
/* Searches that are kept. */
#define KEPT_MAX 256u

typedef struct {
    guint64 inode; /* the key */
    guint32 mailbox;
    char *text; /* the query */
    FsSearch *search;
    GList link; /* in used */
} Query;

typedef struct {
    FsView parent;
    FsKeptResults *results;
    GHashTable *queries; /* &Query.inode -> Query, owned */
    GQueue used;         /* of Query, the least recently used first */
    char *refused;       /* the last that was told of; or NULL */
} SearchView;

static SearchView *
search_view_of(FsView *view)
{
    return (SearchView *)view;
}

/* ---- queries ---- */

static void
query_free(gpointer data)
{
    Query *query = data;

    fs_search_free(query->search);
    g_free(query->text);
    g_free(query);
}

static Query *
find_query(FsView *view, guint64 inode)
{
    SearchView *searches = search_view_of(view);
    Query *query = g_hash_table_lookup(searches->queries, &inode);

    if (query != NULL) {
        g_queue_unlink(&searches->used, &query->link);
        g_queue_push_tail_link(&searches->used, &query->link);
    }
    return query;
}

static guint64
inode_of(guint32 mailbox, guint32 number)
{
    return fs_inode_in_view(FS_VIEW_SEARCH, fs_inode_make(0, mailbox, number));
}

static guint32
hash(const char *text)
{
    g_autofree char *digits =
        g_compute_checksum_for_string(G_CHECKSUM_SHA256, text, -1);

    digits[8] = '\0';
    return MAX((guint32)g_ascii_strtoull(digits, NULL, 16), FIRST_QUERY_NUMBER);
}

static void
forget_oldest(SearchView *searches)
{
    GList *link = g_queue_pop_head_link(&searches->used);

    g_hash_table_remove(searches->queries, &((Query *)link->data)->inode);
}

/* Another query may have the number that the hash gives. */
static Query *
make_query(FsView *view, guint32 mailbox, const char *text)
{
    SearchView *searches = search_view_of(view);
    guint32 number = hash(text);
    guint64 inode = inode_of(mailbox, number);
    Query *query;

    while ((query = find_query(view, inode)) != NULL) {
        if (g_str_equal(query->text, text))
            return query;
        number = MAX(number + 1, FIRST_QUERY_NUMBER);
        inode = inode_of(mailbox, number);
    }
    if (searches->used.length >= KEPT_MAX)
        forget_oldest(searches);
    query = g_new0(Query, 1);
    query->inode = inode;
    query->mailbox = mailbox;
    query->text = g_strdup(text);
    query->search = fs_search_new(view->account, view->names, searches->results,
                                  mailbox, text);
    query->link.data = query;
    g_hash_table_insert(searches->queries, &query->inode, query);
    g_queue_push_tail_link(&searches->used, &query->link);
    return query;
}

/* Programs may ask for the same again and again. */
static FsAnswer
refuse(SearchView *searches, const char *text, const GError *error,
       FsObstacle *obstacle)
{
    if (g_strcmp0(searches->refused, text) != 0)
        fs_search_tell_why(text, error);
    g_free(searches->refused);
    searches->refused = g_strdup(text);
    obstacle->error_number = fs_errno_from_error(error);
    return FS_ANSWER_FAILED;
}

/* ---- directories ---- */

static void
fill_query(FsView *view, const Query *query, FsViewEntry *entry)
{
    fs_view_fill(view, query->inode, S_IFDIR, 0,
                 fs_search_found_at(query->search), entry);
    fs_view_make_writable(view, entry);
}

/* Whether @inode is a directory that holds searches, or others such; not a
 * search that was forgotten. */
static gboolean
is_place(const FsView *view, guint64 inode)
{
    guint32 mailbox = fs_inode_mailbox(fs_view_shown(inode));

    return fs_view_is_top(view, inode) || inode == inode_of(0, ALL_NUMBER) ||
           (inode == fs_view_directory(view, mailbox) &&
            fs_mailbox_tree_get(view->account->tree, mailbox) != NULL);
}

/* The mailbox that is searched in the directory @inode; FALSE: none can be. */
static gboolean
find_scope(FsView *view, guint64 inode, guint32 *mailbox)
{
    const FsMailbox *found;

    *mailbox = FS_SEARCH_ALL;
    if (inode == inode_of(0, ALL_NUMBER))
        return TRUE;
    *mailbox = fs_inode_mailbox(fs_view_shown(inode));
    found = fs_mailbox_tree_get(view->account->tree, *mailbox);
    return found != NULL && found->selectable;
}

/* The mailbox @name below that of the directory @inode; NULL: none. */
static const FsMailbox *
find_child(FsView *view, guint64 inode, const char *name)
{
    const FsMailboxTree *tree = view->account->tree;

    if (fs_view_is_top(view, inode))
        return fs_mailbox_tree_child(tree, FS_MAILBOX_TREE_ROOT, name);
    return inode == inode_of(0, ALL_NUMBER)
               ? NULL
               : fs_mailbox_tree_child(
                     tree, fs_inode_mailbox(fs_view_shown(inode)), name);
}

static FsAnswer
look_up_query(FsView *view, guint64 directory, const char *name,
              FsViewEntry *entry, FsObstacle *obstacle)
{
    g_autofree char *text = fs_search_query_of_name(name);
    g_autoptr(GError) error = NULL;
    guint32 mailbox;

    /* What programs look for in every directory is not what people seek. */
    if (*name == '.' || !find_scope(view, directory, &mailbox))
        return FS_ANSWER_NONE;
    if (!fs_search_check(mailbox, text, &error))
        return refuse(search_view_of(view), text, error, obstacle);
    fill_query(view, make_query(view, mailbox, text), entry);
    return FS_ANSWER_FOUND;
}

static FsAnswer
search_look_up(FsView *view, guint64 directory, const char *name,
               const FsViewRequest *request, FsViewEntry *entry,
               FsObstacle *obstacle)
{
    Query *query = find_query(view, directory);
    const FsMailbox *child;
    FsAnswer answer;

    if (query != NULL)
        return fs_search_look_up(query->search, name, request->since,
                                 &entry->entry, obstacle);
    answer = fs_view_know_folders(view, FS_KNOWN, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (!is_place(view, directory))
        return fs_answer_fail(ESTALE, obstacle);
    child = find_child(view, directory, name);
    if (fs_view_is_top(view, directory) && g_str_equal(name, ALL_NAME))
        fs_view_fill(view, inode_of(0, ALL_NUMBER), S_IFDIR, 0, 0, entry);
    else if (child != NULL)
        fs_view_fill_folder(view, child->id, entry);
    else if (fs_view_is_top(view, directory))
        return FS_ANSWER_NONE;
    else
        return look_up_query(view, directory, name, entry, obstacle);
    return FS_ANSWER_FOUND;
}

static FsAnswer
search_describe(FsView *view, guint64 inode, const FsViewRequest *request,
                FsViewEntry *entry, FsObstacle *obstacle)
{
    Query *query = find_query(view, inode);

    if (query != NULL)
        fill_query(view, query, entry);
    else if (is_place(view, inode))
        fs_view_fill(view, inode, S_IFDIR, 0, 0, entry);
    else
        return FS_ANSWER_NONE;
    return FS_ANSWER_FOUND;
}

static FsAnswer
search_open_directory(FsView *view, guint64 directory,
                      const FsViewRequest *request, FsObstacle *obstacle)
{
    Query *query = find_query(view, directory);
    FsAnswer answer;

    if (query != NULL)
        return fs_search_ask(query->search, request->since, obstacle);
    answer = fs_view_know_folders(view, request->since, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    return is_place(view, directory) ? FS_ANSWER_FOUND
                                     : fs_answer_fail(ESTALE, obstacle);
}

/* The folder that is listed behind @cookie; NULL: none. At the top, "all" is
 * not that of a folder. */
static const FsMailbox *
next_folder(FsView *view, guint64 directory, guint64 cookie)
{
    gboolean is_top = fs_view_is_top(view, directory);
    guint32 parent = is_top ? 0 : fs_inode_mailbox(fs_view_shown(directory));
    const FsMailbox *child;

    do {
        child = fs_mailbox_tree_next_child(view->account->tree, parent,
                                           (guint32)cookie);
        cookie = child != NULL ? child->id : 0;
    } while (child != NULL && is_top && g_str_equal(child->name, ALL_NAME));
    return child;
}

static FsAnswer
search_next(FsView *view, guint64 directory, guint64 cookie, FsViewEntry *entry,
            FsObstacle *obstacle)
{
    Query *query = find_query(view, directory);
    const FsMailbox *child;

    if (query != NULL)
        return fs_search_next(query->search, cookie, &entry->entry, obstacle);
    if (!is_place(view, directory))
        return fs_answer_fail(ESTALE, obstacle);
    if (cookie >= COOKIE_ALL || directory == inode_of(0, ALL_NUMBER))
        return FS_ANSWER_NONE;
    child = next_folder(view, directory, cookie);
    if (child != NULL) {
        fs_view_fill_folder(view, child->id, entry);
        g_strlcpy(entry->entry.name, child->name, sizeof entry->entry.name);
        entry->entry.cookie = child->id;
        return FS_ANSWER_FOUND;
    }
    if (!fs_view_is_top(view, directory))
        return FS_ANSWER_NONE;
    fs_view_fill(view, inode_of(0, ALL_NUMBER), S_IFDIR, 0, 0, entry);
    g_strlcpy(entry->entry.name, ALL_NAME, sizeof entry->entry.name);
    entry->entry.cookie = COOKIE_ALL;
    return FS_ANSWER_FOUND;
}

static FsAnswer
search_stands_for(FsView *view, guint64 directory, const char *name,
                  guint64 *shown_directory, char **shown_name,
                  FsObstacle *obstacle)
{
    Query *query = find_query(view, directory);

    if (query != NULL)
        return fs_search_stands_for(query->search, name, shown_directory,
                                    shown_name, obstacle);
    return is_place(view, directory) ? FS_ANSWER_NONE
                                     : fs_answer_fail(ESTALE, obstacle);
}

static void
search_clear(FsView *view)
{
    SearchView *searches = search_view_of(view);

    g_hash_table_unref(searches->queries);
    g_free(searches->refused);
}

static const FsViewClass search_class = {
    .name = "search",
    .about =
        "  What the server finds: search/INBOX/from:alice is:unread/,\n"
        "  search/all/subject:\"q3 report\" since:2024-01-01/. Words with\n"
        "  from: to: cc: subject: body: since: before: on: larger:\n"
        "  smaller: is: has: tag: header:, with - before and OR between\n"
        "  them; raw: and IMAP SEARCH keys. Listing it again searches\n"
        "  again. %2F stands for a slash.",
    .first = FS_VIEW_SEARCH,
    .last = FS_VIEW_SEARCH,
    .look_up = search_look_up,
    .describe = search_describe,
    .open_directory = search_open_directory,
    .next = search_next,
    .stands_for = search_stands_for,
    .clear = search_clear,
};

FsView *
fs_search_view_new(FsAccount *account, FsNameSpace *names,
                   FsKeptResults *results)
{
    FsView *view =
        fs_view_new(&search_class, sizeof(SearchView), account, names);

    search_view_of(view)->results = results;
    search_view_of(view)->queries =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, query_free);
    return view;
}
