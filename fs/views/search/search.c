/* One search: what it found last, and how that is called.
 *
 * Whoever lists is given what the server found after he came; so a run that is
 * under way for somebody else is waited for, and another one begun. No table of
 * names is kept: a name says which UID it is about. */
#include "fs/views/search/search.h"

#include "fs/kernel/errno.h"
#include "fs/live/line.h"
#include "fs/names/message-name.h"
#include "fs/names/slug.h"
#include "fs/options/option-values.h"
#include "fs/sync/lister.h"
#include "fs/views/shown.h"
#include "fs/writing/file-name.h"
#include "imap/error.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Of the path of a mailbox, in a name. */
#define PLACE_MAX 60u
#define SUFFIX ".eml"

struct FsSearch {
    FsAccount *account;
    FsNameSpace *names;
    guint32 mailbox;  /* or FS_SEARCH_ALL */
    gboolean several; /* mailboxes are searched */
    char *text;

    FsKeptResults *results;
    FsKeptResult kept;
    gint64 asked_at; /* microseconds, monotonic: for that */
    gint64 found_at; /* seconds since the epoch */

    FsSearchRun *run; /* NULL: none is under way */
    FsNeed *need;     /* of those who wait for it */
    gint64 began_at;  /* microseconds, monotonic */
};

char *
fs_search_query_of_name(const char *name)
{
    GString *text = g_string_new(name);

    g_string_replace(text, "%2F", "/", 0);
    g_string_replace(text, "%2f", "/", 0);
    g_string_replace(text, "%25", "%", 0);
    return g_string_free(text, FALSE);
}

void
fs_search_tell_why(const char *text, const GError *error)
{
    g_autofree char *shown = fs_option_printable(text);

    g_message("The search \"%s\" cannot be run: %s", shown, error->message);
}

/* ---- running it ---- */

/* A FsSearchWantedFunc. */
static gboolean
is_wanted(gpointer user_data)
{
    const FsSearch *search = user_data;

    return fs_need_n_waiters(search->need) > 0;
}

/* A FsSearchRunFunc. */
static void
on_done(GArray *found, const GError *error, gpointer user_data)
{
    FsSearch *search = user_data;
    g_autoptr(FsNeed) need = g_steal_pointer(&search->need);

    search->run = NULL;
    if (error != NULL && fs_need_n_waiters(need) > 0)
        fs_search_tell_why(search->text, error);
    if (found != NULL) {
        fs_kept_results_put(search->results, &search->kept, found);
        search->found_at = g_get_real_time() / G_USEC_PER_SEC;
    }
    /* Who has come after it was left asks anew. */
    if (found != NULL || (error != NULL && search->kept.found != NULL &&
                          imap_error_is_of_the_line(error))) {
        search->asked_at = search->began_at;
        error = NULL;
    }
    fs_need_complete(need, error);
}

FsAnswer
fs_search_ask(FsSearch *search, gint64 since, FsObstacle *obstacle)
{
    fs_kept_results_use(search->results, &search->kept);
    if (search->kept.found != NULL &&
        (search->asked_at >= since || fs_line_is_away(search->account->line)))
        return FS_ANSWER_FOUND;
    if (search->run == NULL) {
        obstacle->need = fs_lister_need(search->account->lister, since);
        if (obstacle->need != NULL)
            return FS_ANSWER_WAIT;
        search->need = fs_need_new();
        search->began_at = g_get_monotonic_time();
        search->run =
            fs_search_run_new(search->account, search->mailbox, search->text,
                              is_wanted, on_done, search);
    }
    obstacle->need = search->need;
    return FS_ANSWER_WAIT;
}

/* ---- what was found ---- */

static guint32
next_uid(const ImapUidSet *uids, guint32 after)
{
    guint low = 0;
    guint high = imap_uid_set_n_ranges(uids);
    guint32 first;
    guint32 last;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        imap_uid_set_range(uids, middle, &first, &last);
        if (last <= after)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == imap_uid_set_n_ranges(uids))
        return 0;
    imap_uid_set_range(uids, low, &first, &last);
    return MAX(first, after + 1);
}

/* Whether a mailbox before the @i-th shows a message as @name, or did until it
 * was removed: who goes through a list of names is not to find that one of them
 * means another message by now. Names that are made end in the UID; one that
 * was given may end in that of another message. */
static gboolean
is_taken(const FsSearch *search, guint i, const char *name)
{
    g_autofree char *stem = NULL;
    guint32 uid = 0;

    fs_message_name_parse(name, &stem, &uid);
    for (guint k = 0; k < i; k++) {
        const FsFound *other = &g_array_index(search->kept.found, FsFound, k);
        guint32 given =
            cache_aliases_uid(search->account->aliases, other->mailbox, name);
        guint32 same = given != 0 ? given : uid;
        g_autofree char *shown = NULL;

        if (same == 0 || !imap_uid_set_contains(other->uids, same))
            continue;
        shown =
            fs_shown_name(search->account, search->names, other->mailbox, same);
        if (g_strcmp0(shown, name) == 0)
            return TRUE;
    }
    return FALSE;
}

/* @name less what it ends in: ".UID.eml" or ".eml". */
static gsize
stem_length(const char *name, guint32 uid)
{
    g_autofree char *made = g_strdup_printf("%u" SUFFIX, uid);
    gsize length = strlen(name);

    if (g_str_equal(name, made))
        return 0;
    if (g_str_has_suffix(name, made) && name[length - strlen(made) - 1] == '.')
        return length - strlen(made) - 1;
    return g_str_has_suffix(name, SUFFIX) ? length - strlen(SUFFIX) : length;
}

/* "STEM_in-PLACE-ID.UID.eml" */
static char *
name_with_place(const FsSearch *search, guint32 mailbox, guint32 uid,
                const char *name)
{
    g_autofree char *path =
        fs_mailbox_tree_path(search->account->tree, mailbox);
    g_autofree char *place = fs_slug(path, PLACE_MAX);
    gsize stem = stem_length(name, uid);
    g_autofree char *rest = g_strdup_printf(
        "%sin-%s-%u.%u" SUFFIX, stem > 0 ? "_" : "", place, mailbox, uid);

    stem = MIN(stem, NAME_MAX - strlen(rest));
    while (stem > 0 && (name[stem] & 0xc0) == 0x80)
        stem--; /* not in the middle of a character */
    return g_strdup_printf("%.*s%s", (int)stem, name, rest);
}

/* A UID alone is that of one message after the other: in the first mailbox
 * today, in another one when that has gone from there. */
static gboolean
is_ambiguous(const FsSearch *search, guint i, guint32 uid, const char *name)
{
    return search->several &&
           (stem_length(name, uid) == 0 || is_taken(search, i, name));
}

/* Where the folder of what is found shows it. */
typedef struct {
    guint64 directory;
    char name[sizeof((FsEntry *)NULL)->name];
} Origin;

/* The entry of the message @uid of the @i-th mailbox; FALSE: it does not show.
 */
static gboolean
show(const FsSearch *search, guint i, guint32 uid, FsEntry *entry,
     Origin *origin)
{
    guint32 mailbox = g_array_index(search->kept.found, FsFound, i).mailbox;
    g_autofree char *name = NULL;

    if (!fs_shown_find(search->account, search->names, mailbox, uid, entry,
                       &origin->directory))
        return FALSE;
    g_strlcpy(origin->name, entry->name, sizeof origin->name);
    if (is_ambiguous(search, i, uid, origin->name)) {
        name = name_with_place(search, mailbox, uid, origin->name);
        g_strlcpy(entry->name, name, sizeof entry->name);
    }
    entry->cookie = (guint64)mailbox << 32 | uid;
    return TRUE;
}

FsAnswer
fs_search_next(FsSearch *search, guint64 cookie, FsEntry *entry,
               FsObstacle *obstacle)
{
    guint32 mailbox = (guint32)(cookie >> 32);
    guint32 after = (guint32)cookie;
    FsAnswer answer = fs_search_ask(search, FS_KNOWN, obstacle);
    Origin origin;

    if (answer != FS_ANSWER_FOUND)
        return answer;
    for (guint i = 0; i < search->kept.found->len; i++) {
        const FsFound *found = &g_array_index(search->kept.found, FsFound, i);
        guint32 uid = found->mailbox == mailbox ? after : 0;

        if (found->mailbox < mailbox)
            continue;
        while (uid < G_MAXUINT32 && (uid = next_uid(found->uids, uid)) != 0)
            if (show(search, i, uid, entry, &origin))
                return FS_ANSWER_FOUND;
    }
    return FS_ANSWER_NONE;
}

static gboolean
has_found(const FsSearch *search, guint i, guint32 uid)
{
    return uid != 0 &&
           imap_uid_set_contains(
               g_array_index(search->kept.found, FsFound, i).uids, uid);
}

/* Whether the message @uid of the @i-th mailbox was found, and is called @name.
 * With its place it is its name also when nothing else has the shorter one any
 * more. */
static gboolean
is_called(const FsSearch *search, guint i, guint32 uid, const char *name,
          FsEntry *entry, Origin *origin)
{
    guint32 mailbox = g_array_index(search->kept.found, FsFound, i).mailbox;
    g_autofree char *longer = NULL;

    if (!has_found(search, i, uid) || !show(search, i, uid, entry, origin))
        return FALSE;
    if (g_str_equal(entry->name, name))
        return TRUE;
    longer = name_with_place(search, mailbox, uid, origin->name);
    return search->several && g_str_equal(longer, name);
}

/* Whether @uid is that of one of the messages which were found, and of no
 * other. */
static gboolean
find_uid(const FsSearch *search, guint32 uid, FsEntry *entry, Origin *origin)
{
    guint n = search->kept.found->len;
    guint only = n;

    for (guint i = 0; i < n; i++) {
        if (!has_found(search, i, uid))
            continue;
        if (only < n)
            return FALSE;
        only = i;
    }
    return only < n && show(search, only, uid, entry, origin);
}

/* A name that was given, one that is made, or a UID. */
static gboolean
find_name(const FsSearch *search, const char *name, FsEntry *entry,
          Origin *origin)
{
    const CacheAliases *aliases = search->account->aliases;
    g_autofree char *stem = NULL;
    guint n = search->kept.found != NULL ? search->kept.found->len : 0;
    guint32 uid = 0;

    fs_message_name_parse(name, &stem, &uid);
    for (guint i = 0; i < n; i++) {
        guint32 mailbox = g_array_index(search->kept.found, FsFound, i).mailbox;
        guint32 given = cache_aliases_uid(aliases, mailbox, name);

        if (is_called(search, i, given, name, entry, origin) ||
            is_called(search, i, uid, name, entry, origin))
            return TRUE;
    }
    return n > 0 && uid != 0 && stem == NULL &&
           find_uid(search, uid, entry, origin);
}

/* Whether a message may have the name @name: programs look for all kinds of
 * files, and the server is not asked for those. */
static gboolean
may_be_message(const char *name)
{
    FsFileKind kind = fs_file_name_kind(name);

    return *name != '.' && (kind == FS_FILE_MAIL || kind == FS_FILE_MAILDIR);
}

FsAnswer
fs_search_look_up(FsSearch *search, const char *name, gint64 since,
                  FsEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer;
    Origin origin;

    if (!may_be_message(name))
        return FS_ANSWER_NONE;
    answer = fs_search_ask(search, FS_KNOWN, obstacle);
    if (answer == FS_ANSWER_FOUND && find_name(search, name, entry, &origin))
        return FS_ANSWER_FOUND;
    if (answer == FS_ANSWER_FOUND)
        answer = fs_search_ask(search, since, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    return find_name(search, name, entry, &origin) ? FS_ANSWER_FOUND
                                                   : FS_ANSWER_NONE;
}

FsAnswer
fs_search_stands_for(FsSearch *search, const char *name, guint64 *directory,
                     char **shown_name, FsObstacle *obstacle)
{
    FsEntry entry;
    Origin origin;

    /* It was looked up a moment ago. Told so, the kernel does that again. */
    if (!find_name(search, name, &entry, &origin))
        return fs_answer_fail(ESTALE, obstacle);
    *directory = origin.directory;
    *shown_name = g_strdup(origin.name);
    return FS_ANSWER_FOUND;
}

gint64
fs_search_found_at(const FsSearch *search)
{
    return search->found_at;
}

/* ---- making and ending ---- */

FsSearch *
fs_search_new(FsAccount *account, FsNameSpace *names, FsKeptResults *results,
              guint32 mailbox, const char *text)
{
    FsSearch *search = g_new0(FsSearch, 1);

    search->account = account;
    search->names = names;
    search->results = results;
    search->mailbox = mailbox;
    search->several = fs_search_is_of_several(mailbox, text);
    search->text = g_strdup(text);
    return search;
}

void
fs_search_free(FsSearch *search)
{
    g_autoptr(GError) error = NULL;

    if (search == NULL)
        return;
    if (search->run != NULL) {
        error = g_error_new(FS_ERROR, FS_ERROR_STALE, "the search is over");
        fs_search_run_cancel(search->run);
        fs_need_complete(search->need, error);
        fs_need_unref(search->need);
    }
    fs_kept_results_drop(search->results, &search->kept);
    g_free(search->text);
    g_free(search);
}
