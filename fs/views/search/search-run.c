/* A search, mailbox by mailbox. Two are searched at a time, which leaves
 * connections for others. */
#include "fs/views/search/search-run.h"

#include "fs/kernel/errno.h"
#include "fs/names/mailbox-name.h"
#include "fs/options/option-values.h"
#include "fs/sync/mailbox-search.h"
#include "fs/views/search/search-query.h"
#include "imap/error.h"
#include "imap/pool-status.h"

#define AT_ONCE 2u

/* One mailbox that is being searched. */
typedef struct {
    FsSearchRun *run;
    guint32 mailbox;
    FsMailboxSearch *request; /* NULL once it is over */
} Part;

struct FsSearchRun {
    FsAccount *account;
    guint32 mailbox; /* or FS_SEARCH_ALL */
    char *text;
    FsSearchWantedFunc wanted;
    FsSearchRunFunc done;
    gpointer user_data;

    GArray *mailboxes; /* of guint32 */
    guint next;        /* of these, to be begun */
    GPtrArray *parts;  /* of Part, owned; those begun and not done */
    GArray *found;     /* of FsFound */
    guint source;      /* until it has begun */
    gboolean left;     /* nobody wanted it at one time: no more are begun */
    GError *error;
};

static void
found_clear(gpointer data)
{
    imap_uid_set_free(((FsFound *)data)->uids);
}

static void
part_free(gpointer data)
{
    Part *part = data;

    if (part->request != NULL)
        fs_mailbox_search_cancel(part->request);
    g_free(part);
}

/* ---- the query ---- */

static gboolean
parse(guint32 mailbox, const char *text, gboolean gmail, FsSearchQuery *query,
      GError **error)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    FsSearchContext context = {.gmail = gmail};

    g_date_clear(&context.today, 1);
    g_date_set_dmy(&context.today, (GDateDay)g_date_time_get_day_of_month(now),
                   (GDateMonth)g_date_time_get_month(now),
                   (GDateYear)g_date_time_get_year(now));
    if (!fs_search_query_parse(text, &context, query, error))
        return FALSE;
    if (query->mailbox == NULL || mailbox == FS_SEARCH_ALL)
        return TRUE;
    fs_search_query_clear(query);
    g_set_error(error, FS_ERROR, FS_ERROR_QUERY,
                "in: stands where all folders are searched");
    return FALSE;
}

gboolean
fs_search_check(guint32 mailbox, const char *text, GError **error)
{
    FsSearchQuery query;

    if (!parse(mailbox, text, FALSE, &query, error))
        return FALSE;
    fs_search_query_clear(&query);
    return TRUE;
}

gboolean
fs_search_is_of_several(guint32 mailbox, const char *text)
{
    FsSearchQuery query;
    gboolean several = mailbox == FS_SEARCH_ALL;

    if (several && parse(mailbox, text, FALSE, &query, NULL)) {
        several = query.mailbox == NULL;
        fs_search_query_clear(&query);
    }
    return several;
}

/* A FsSoughtFunc. */
static ImapSearchProgram *
make_program(gboolean gmail, gpointer user_data, GError **error)
{
    const FsSearchRun *run = ((Part *)user_data)->run;
    ImapSearchProgram *program;
    FsSearchQuery query;

    if (!parse(run->mailbox, run->text, gmail, &query, error))
        return NULL;
    program = g_steal_pointer(&query.program);
    fs_search_query_clear(&query);
    return program;
}

/* ---- which mailboxes ---- */

static const FsMailbox *
find_path(const FsMailboxTree *tree, const char *path)
{
    g_auto(GStrv) names = g_strsplit(path, "/", FS_MAILBOX_DEPTH_MAX + 1);
    const FsMailbox *mailbox = fs_mailbox_tree_get(tree, FS_MAILBOX_TREE_ROOT);

    for (char **name = names; *name != NULL && mailbox != NULL; name++)
        if (**name != '\0')
            mailbox = fs_mailbox_tree_child(tree, mailbox->id, *name);
    return mailbox;
}

/* A mailbox of all mail brings again what is in the others. On Gmail it is the
 * other way round: they are labels of what is in that, and only what is thrown
 * away is not. */
static gboolean
is_searched(const FsMailbox *mailbox, gboolean gmail)
{
    const guint all = gmail ? IMAP_LIST_ALL | IMAP_LIST_JUNK | IMAP_LIST_TRASH
                            : IMAP_LIST_ALL;

    return mailbox->selectable && ((mailbox->attributes & all) != 0) == gmail;
}

static void
add_below(FsSearchRun *run, guint32 parent, gboolean gmail)
{
    const FsMailbox *child;
    guint32 after = 0;

    while ((child = fs_mailbox_tree_next_child(run->account->tree, parent,
                                               after)) != NULL) {
        after = child->id;
        if (is_searched(child, gmail))
            g_array_append_val(run->mailboxes, after);
        add_below(run, after, gmail);
    }
}

static void
choose_all(FsSearchRun *run)
{
    if (imap_pool_has(run->account->pool, "X-GM-EXT-1"))
        add_below(run, FS_MAILBOX_TREE_ROOT, TRUE);
    /* Gmail can be told to hide its mailbox of all mail. */
    if (run->mailboxes->len == 0)
        add_below(run, FS_MAILBOX_TREE_ROOT, FALSE);
}

static void
choose_named(FsSearchRun *run, const char *path)
{
    const FsMailbox *mailbox = find_path(run->account->tree, path);
    g_autofree char *shown = NULL;

    if (mailbox != NULL && mailbox->selectable) {
        g_array_append_val(run->mailboxes, mailbox->id);
        return;
    }
    shown = fs_option_printable(path);
    g_set_error(&run->error, FS_ERROR, FS_ERROR_QUERY,
                "in: there is no folder %s", shown);
}

static int
compare_ids(gconstpointer a, gconstpointer b)
{
    guint32 one = *(const guint32 *)a;
    guint32 other = *(const guint32 *)b;

    return one < other ? -1 : one > other;
}

static int
compare_found(gconstpointer a, gconstpointer b)
{
    return compare_ids(&((const FsFound *)a)->mailbox,
                       &((const FsFound *)b)->mailbox);
}

/* If there are none, the error says why. */
static void
choose_mailboxes(FsSearchRun *run)
{
    FsSearchQuery query;

    if (!parse(run->mailbox, run->text, FALSE, &query, &run->error))
        return;
    if (run->mailbox != FS_SEARCH_ALL)
        g_array_append_val(run->mailboxes, run->mailbox);
    else if (query.mailbox != NULL)
        choose_named(run, query.mailbox);
    else
        choose_all(run);
    fs_search_query_clear(&query);
}

/* ---- the run ---- */

static void
run_free(FsSearchRun *run)
{
    g_clear_handle_id(&run->source, g_source_remove);
    g_ptr_array_unref(run->parts);
    g_array_unref(run->mailboxes);
    g_clear_pointer(&run->found, g_array_unref);
    g_clear_error(&run->error);
    g_free(run->text);
    g_free(run);
}

static void
finish(FsSearchRun *run)
{
    g_array_sort(run->found, compare_found);
    run->done(run->error == NULL && !run->left ? g_steal_pointer(&run->found)
                                               : NULL,
              run->error, run->user_data);
    run_free(run);
}

/* In one mailbox of many, that it is gone, or may not be looked into, is no
 * reason to find nothing. */
static gboolean
is_passed_over(const FsSearchRun *run, const GError *error)
{
    return run->mailboxes->len > 1 &&
           (g_error_matches(error, FS_ERROR, FS_ERROR_GONE) ||
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NO_PERMISSION) ||
            g_error_matches(error, IMAP_ERROR, IMAP_ERROR_NONEXISTENT));
}

/* What the server does not understand is what somebody has written. Else, in
 * one mailbox of many, it matters which. */
static void
note_error(FsSearchRun *run, guint32 mailbox, const GError *error)
{
    g_autofree char *path = NULL;
    g_autofree char *shown = NULL;

    if (run->error != NULL)
        return;
    run->error =
        g_error_matches(error, IMAP_ERROR, IMAP_ERROR_BAD)
            ? g_error_new_literal(FS_ERROR, FS_ERROR_QUERY, error->message)
            : g_error_copy(error);
    path = fs_mailbox_tree_path(run->account->tree, mailbox);
    if (run->mailboxes->len == 1 || path == NULL ||
        g_error_matches(run->error, FS_ERROR, FS_ERROR_QUERY))
        return;
    shown = fs_option_printable(path);
    g_prefix_error(&run->error, "in %s: ", shown);
}

static void go_on(FsSearchRun *run);

/* A FsFoundFunc. */
static void
on_found(const ImapUidSet *uids, const GError *error, gpointer user_data)
{
    Part *part = user_data;
    FsSearchRun *run = part->run;
    FsFound found = {.mailbox = part->mailbox};

    part->request = NULL;
    g_ptr_array_remove_fast(run->parts, part); /* which frees it */
    if (error == NULL && imap_uid_set_n_ranges(uids) > 0) {
        found.uids = imap_uid_set_intersection(uids, uids);
        g_array_append_val(run->found, found);
    } else if (error != NULL && !run->left && !is_passed_over(run, error)) {
        note_error(run, found.mailbox, error);
    }
    go_on(run);
}

static void
begin_part(FsSearchRun *run)
{
    Part *part = g_new0(Part, 1);

    part->run = run;
    part->mailbox = g_array_index(run->mailboxes, guint32, run->next++);
    g_ptr_array_add(run->parts, part);
    part->request =
        fs_mailbox_search_new(run->account->synchroniser, part->mailbox,
                              make_program, on_found, part);
}

/* What the server has begun, it carries out: its connection is not free before
 * that, so the end of it is awaited although nobody wants it, or there is
 * nothing to be had any more. */
static void
go_on(FsSearchRun *run)
{
    run->left = run->left || (run->next < run->mailboxes->len &&
                              !run->wanted(run->user_data));
    while (run->error == NULL && !run->left && run->parts->len < AT_ONCE &&
           run->next < run->mailboxes->len)
        begin_part(run);
    if (run->parts->len == 0)
        finish(run);
}

static gboolean
on_begin(gpointer user_data)
{
    FsSearchRun *run = user_data;

    run->source = 0;
    go_on(run);
    return G_SOURCE_REMOVE;
}

FsSearchRun *
fs_search_run_new(FsAccount *account, guint32 mailbox, const char *text,
                  FsSearchWantedFunc wanted, FsSearchRunFunc done,
                  gpointer user_data)
{
    FsSearchRun *run = g_new0(FsSearchRun, 1);

    run->account = account;
    run->mailbox = mailbox;
    run->text = g_strdup(text);
    run->wanted = wanted;
    run->done = done;
    run->user_data = user_data;
    run->mailboxes = g_array_new(FALSE, FALSE, sizeof(guint32));
    run->parts = g_ptr_array_new_with_free_func(part_free);
    run->found = g_array_new(FALSE, FALSE, sizeof(FsFound));
    g_array_set_clear_func(run->found, found_clear);
    choose_mailboxes(run);
    run->source = g_idle_add_full(G_PRIORITY_DEFAULT, on_begin, run, NULL);
    return run;
}

void
fs_search_run_cancel(FsSearchRun *run)
{
    run_free(run);
}
