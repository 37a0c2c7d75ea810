/* One search: what it found last, and how that is called.
 *
 * Whoever lists is given what the server found after he came; so a run that is
 * under way for somebody else is waited for, and another one begun. No table of
 * names is kept: a name says which UID it is about. */
#include "fs/views/search.h"

#include "fs/changes/overlay.h"
#include "fs/kernel/errno.h"
#include "fs/kernel/inode.h"
#include "fs/live/line.h"
#include "fs/names/message-name.h"
#include "fs/names/slug.h"
#include "fs/options/option-values.h"
#include "fs/sync/lister.h"
#include "imap/error.h"

#include <limits.h>
#include <string.h>

/* Of the path of a mailbox, in a name. */
#define PLACE_MAX 60u
#define SUFFIX ".eml"

struct FsSearch {
    FsAccount *account;
    FsNameSpace *names;
    guint32 mailbox; /* or FS_SEARCH_ALL */
    char *text;

    GArray *found;   /* of FsFound, by mailbox; NULL: nothing is known yet */
    gint64 asked_at; /* microseconds, monotonic: for that */
    gint64 found_at; /* seconds since the epoch */

    FsSearchRun *run; /* NULL: none is under way */
    FsNeed *need;     /* of those who wait for it */
    gint64 began_at;  /* microseconds, monotonic */
};

/* ---- running it ---- */

/* What cannot be asked for now was asked for before. */
static gboolean
is_of_the_line(const GError *error)
{
    return g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_TIMEOUT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CONNECT) ||
           g_error_matches(error, IMAP_ERROR, IMAP_ERROR_RESOLVE);
}

/* A FsSearchRunFunc. */
static void
on_done(GArray *found, const GError *error, gpointer user_data)
{
    FsSearch *search = user_data;
    g_autoptr(FsNeed) need = g_steal_pointer(&search->need);
    g_autofree char *shown = fs_option_printable(search->text);

    search->run = NULL;
    if (error != NULL)
        g_message("The search %s: %s", shown, error->message);
    if (found != NULL) {
        g_clear_pointer(&search->found, g_array_unref);
        search->found = found;
        search->found_at = g_get_real_time() / G_USEC_PER_SEC;
    }
    if (found != NULL || (search->found != NULL && is_of_the_line(error))) {
        search->asked_at = search->began_at;
        error = NULL;
    }
    fs_need_complete(need, error);
}

FsAnswer
fs_search_ask(FsSearch *search, gint64 since, FsObstacle *obstacle)
{
    if (search->found != NULL &&
        (search->asked_at >= since || fs_line_is_away(search->account->line)))
        return FS_ANSWER_FOUND;
    if (search->run == NULL) {
        obstacle->need = fs_lister_need(search->account->lister, since);
        if (obstacle->need != NULL)
            return FS_ANSWER_WAIT;
        search->need = fs_need_new();
        search->began_at = g_get_monotonic_time();
        search->run = fs_search_run_new(search->account, search->mailbox,
                                        search->text, on_done, search);
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

typedef struct {
    guint64 directory;
    char *name; /* owned; NULL: not yet */
} Listed;

/* A FsNameFunc: the first name is that which is listed. */
static void
keep_first(guint64 directory, const char *name, gpointer user_data)
{
    Listed *listed = user_data;

    if (listed->name != NULL)
        return;
    listed->directory = directory;
    listed->name = g_strdup(name);
}

/* FALSE: it does not show. */
static gboolean
find_listed(const FsSearch *search, guint32 mailbox, guint32 uid,
            Listed *listed)
{
    const FsAccount *account = search->account;
    CacheMessage message;

    *listed = (Listed){0};
    if (fs_mailbox_tree_get(account->tree, mailbox) == NULL ||
        fs_overlay_is_hidden(account->overlay, mailbox, uid) ||
        !cache_index_message(account->index, mailbox, uid, &message) ||
        (account->options->remove == FS_REMOVE_MARK && message.flags != NULL &&
         strstr(message.flags, "\\Deleted") != NULL))
        return FALSE;
    fs_name_space_names_of(search->names, mailbox, &message, keep_first,
                           listed);
    return listed->name != NULL;
}

/* Whether a mailbox before the @i-th shows a message as @name. Names that are
 * made end in the UID. */
static gboolean
is_taken(const FsSearch *search, guint i, guint32 uid, const char *name)
{
    for (guint k = 0; k < i; k++) {
        const FsFound *other = &g_array_index(search->found, FsFound, k);
        guint32 given =
            cache_aliases_uid(search->account->aliases, other->mailbox, name);
        guint32 same = given != 0 ? given : uid;
        g_autofree char *shown = NULL;
        Listed listed;

        if (!imap_uid_set_contains(other->uids, same) ||
            !find_listed(search, other->mailbox, same, &listed))
            continue;
        shown = listed.name;
        if (g_str_equal(shown, name))
            return TRUE;
    }
    return FALSE;
}

/* "NAME_in-PLACE-ID.UID.eml" */
static char *
name_with_place(const FsSearch *search, guint32 mailbox, guint32 uid,
                const char *name)
{
    g_autofree char *path =
        fs_mailbox_tree_path(search->account->tree, mailbox);
    g_autofree char *place = fs_slug(path, PLACE_MAX);
    g_autofree char *tail = g_strdup_printf(".%u" SUFFIX, uid);
    g_autofree char *stem = NULL;
    g_autofree char *parsed = NULL;
    g_autoptr(GString) result = g_string_new(NULL);
    guint32 parsed_uid;
    gsize room;

    if (!fs_message_name_parse(name, &parsed, &parsed_uid))
        stem = g_str_has_suffix(name, SUFFIX)
                   ? g_strndup(name, strlen(name) - strlen(SUFFIX))
                   : g_strdup(name);
    else if (parsed_uid == uid)
        stem = g_steal_pointer(&parsed);
    else
        stem = g_strndup(name, strlen(name) - strlen(SUFFIX));
    g_string_printf(result, "%sin-%s-%u%s",
                    stem != NULL && *stem != '\0' ? "_" : "", place, mailbox,
                    tail);
    room = NAME_MAX - result->len;
    if (stem != NULL) {
        g_autofree char *cut = g_utf8_make_valid(stem, -1);
        const char *end = cut + MIN(strlen(cut), room);

        while (end > cut && (*end & 0xc0) == 0x80)
            end--;
        g_string_prepend_len(result, cut, end - cut);
    }
    return g_string_free(g_steal_pointer(&result), FALSE);
}

/* The entry of the message @uid of the @i-th mailbox; FALSE: it does not show.
 * @listed: what it is there; to be freed. */
static gboolean
show(const FsSearch *search, guint i, guint32 uid, FsEntry *entry,
     Listed *listed)
{
    guint32 mailbox = g_array_index(search->found, FsFound, i).mailbox;
    g_autofree char *name = NULL;
    FsObstacle obstacle = {0};

    if (!find_listed(search, mailbox, uid, listed))
        return FALSE;
    if (fs_name_space_describe(
            search->names, fs_inode_make(search->account->number, mailbox, uid),
            entry, &obstacle) != FS_ANSWER_FOUND) {
        g_clear_pointer(&listed->name, g_free);
        return FALSE;
    }
    name = is_taken(search, i, uid, listed->name)
               ? name_with_place(search, mailbox, uid, listed->name)
               : g_strdup(listed->name);
    g_strlcpy(entry->name, name, sizeof entry->name);
    entry->cookie = (guint64)mailbox << 32 | uid;
    return TRUE;
}

FsAnswer
fs_search_next(FsSearch *search, guint64 cookie, FsEntry *entry)
{
    guint32 mailbox = (guint32)(cookie >> 32);
    guint32 after = (guint32)cookie;

    for (guint i = 0; search->found != NULL && i < search->found->len; i++) {
        const FsFound *found = &g_array_index(search->found, FsFound, i);
        guint32 uid = found->mailbox == mailbox ? after : 0;

        if (found->mailbox < mailbox)
            continue;
        while (uid < G_MAXUINT32 && (uid = next_uid(found->uids, uid)) != 0) {
            g_autofree char *name = NULL;
            Listed listed;

            if (!show(search, i, uid, entry, &listed))
                continue;
            name = listed.name;
            return FS_ANSWER_FOUND;
        }
    }
    return FS_ANSWER_NONE;
}

/* Whether the message @uid of the @i-th mailbox was found, and is called
 * @name; NULL: it is meant by its UID. */
static gboolean
is_called(const FsSearch *search, guint i, guint32 uid, const char *name,
          FsEntry *entry, Listed *listed)
{
    const FsFound *found = &g_array_index(search->found, FsFound, i);

    if (uid == 0 || !imap_uid_set_contains(found->uids, uid) ||
        !show(search, i, uid, entry, listed))
        return FALSE;
    if (name == NULL || g_str_equal(entry->name, name))
        return TRUE;
    g_clear_pointer(&listed->name, g_free);
    return FALSE;
}

/* A name that was given, one that is made, or a UID. */
static gboolean
find_name(const FsSearch *search, const char *name, FsEntry *entry,
          Listed *listed)
{
    const CacheAliases *aliases = search->account->aliases;
    g_autofree char *stem = NULL;
    guint n = search->found != NULL ? search->found->len : 0;
    guint32 uid = 0;

    fs_message_name_parse(name, &stem, &uid);
    for (guint i = 0; i < n; i++) {
        guint32 mailbox = g_array_index(search->found, FsFound, i).mailbox;
        guint32 given = cache_aliases_uid(aliases, mailbox, name);

        if (is_called(search, i, given, name, entry, listed) ||
            is_called(search, i, uid, name, entry, listed))
            return TRUE;
    }
    for (guint i = 0; stem == NULL && i < n; i++)
        if (is_called(search, i, uid, NULL, entry, listed))
            return TRUE;
    return FALSE;
}

FsAnswer
fs_search_look_up(FsSearch *search, const char *name, gint64 since,
                  FsEntry *entry, FsObstacle *obstacle)
{
    FsAnswer answer;
    Listed listed = {0};

    /* No message is called otherwise; programs look for all kinds of files. */
    if (!g_str_has_suffix(name, SUFFIX))
        return FS_ANSWER_NONE;
    answer = fs_search_ask(search, FS_KNOWN, obstacle);
    if (answer != FS_ANSWER_FOUND)
        return answer;
    if (!find_name(search, name, entry, &listed)) {
        answer = fs_search_ask(search, since, obstacle);
        if (answer != FS_ANSWER_FOUND)
            return answer;
        if (!find_name(search, name, entry, &listed))
            return FS_ANSWER_NONE;
    }
    g_free(listed.name);
    return FS_ANSWER_FOUND;
}

gboolean
fs_search_stands_for(FsSearch *search, const char *name, guint64 *directory,
                     char **shown_name)
{
    Listed listed = {0};
    FsEntry entry;

    if (!find_name(search, name, &entry, &listed))
        return FALSE;
    *directory = listed.directory;
    *shown_name = listed.name;
    return TRUE;
}

gint64
fs_search_found_at(const FsSearch *search)
{
    return search->found_at;
}

/* ---- making and ending ---- */

FsSearch *
fs_search_new(FsAccount *account, FsNameSpace *names, guint32 mailbox,
              const char *text)
{
    FsSearch *search = g_new0(FsSearch, 1);

    search->account = account;
    search->names = names;
    search->mailbox = mailbox;
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
    g_clear_pointer(&search->found, g_array_unref);
    g_free(search->text);
    g_free(search);
}
