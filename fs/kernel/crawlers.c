/* Which processes are crawlers, by their names.
 *
 * Every open asks, and most come from threads that have just asked: what was
 * found out holds for a moment. A number may then be another process's; in so
 * short a time it hardly is. */
#include "fs/kernel/crawlers.h"

#include "fs/kernel/process.h"

#include <string.h>

#define KNOWN_US (1 * G_USEC_PER_SEC)
/* Threads that are remembered, and processes that the log has told of. */
#define KNOWN_MAX 1000u
#define TOLD_MAX 1000u

/* File managers are not among them: who copies mail with one wants it. */
const char fs_crawlers_default[] =
    "tumblerd+*thumbnail*+*-thum*+*-thu+tracker-*+tracker3*+localsearch*+"
    "baloo*+recoll*+updatedb*+zeitgeist*+strigi*+nepomuk*";

typedef struct {
    gint64 at; /* microseconds, monotonic: when it was found out */
    gboolean crawls;
} Known;

struct FsCrawlers {
    GPtrArray *patterns; /* of GPatternSpec, owned */
    GHashTable *known;   /* thread -> Known, owned */
    GHashTable *told;    /* processes */
};

static void
pattern_free(gpointer pattern)
{
    g_pattern_spec_free(pattern);
}

FsCrawlers *
fs_crawlers_new(const char *names)
{
    g_auto(GStrv) words = g_strsplit(names, "+", -1);
    FsCrawlers *crawlers = g_new0(FsCrawlers, 1);

    crawlers->patterns = g_ptr_array_new_with_free_func(pattern_free);
    crawlers->known = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    crawlers->told = g_hash_table_new(NULL, NULL);
    if (g_str_equal(names, FS_CRAWLERS_ALLOW))
        return crawlers;
    for (char **word = words; *word != NULL; word++)
        if (**word != '\0')
            g_ptr_array_add(crawlers->patterns, g_pattern_spec_new(*word));
    return crawlers;
}

void
fs_crawlers_free(FsCrawlers *crawlers)
{
    if (crawlers == NULL)
        return;
    g_ptr_array_unref(crawlers->patterns);
    g_hash_table_unref(crawlers->known);
    g_hash_table_unref(crawlers->told);
    g_free(crawlers);
}

static gboolean
is_one(const FsCrawlers *crawlers, pid_t thread)
{
    g_autofree char *name = fs_process_name(thread);

    for (guint i = 0; name != NULL && i < crawlers->patterns->len; i++)
        if (g_pattern_spec_match_string(
                g_ptr_array_index(crawlers->patterns, i), name))
            return TRUE;
    return FALSE;
}

gboolean
fs_crawlers_has(FsCrawlers *crawlers, pid_t thread)
{
    gint64 now = g_get_monotonic_time();
    Known *known;

    if (crawlers->patterns->len == 0 || thread <= 0)
        return FALSE;
    known = g_hash_table_lookup(crawlers->known, GINT_TO_POINTER(thread));
    if (known != NULL && now - known->at < KNOWN_US)
        return known->crawls;
    if (known == NULL) {
        if (g_hash_table_size(crawlers->known) >= KNOWN_MAX)
            g_hash_table_remove_all(crawlers->known);
        known = g_new0(Known, 1);
        g_hash_table_insert(crawlers->known, GINT_TO_POINTER(thread), known);
    }
    known->at = now;
    known->crawls = is_one(crawlers, thread);
    return known->crawls;
}

void
fs_crawlers_note(FsCrawlers *crawlers, pid_t thread)
{
    g_autofree char *name = NULL;
    pid_t process = fs_process_of(thread);

    if (process == 0 ||
        g_hash_table_contains(crawlers->told, GINT_TO_POINTER(process)))
        return;
    if (g_hash_table_size(crawlers->told) >= TOLD_MAX)
        g_hash_table_remove_all(crawlers->told);
    g_hash_table_add(crawlers->told, GINT_TO_POINTER(process));
    name = fs_process_name(thread);
    g_message("%s (process %d) goes through all files: it is refused mail "
              "that would have to be fetched (see the option crawlers)",
              name != NULL ? name : "a process", (int)process);
}
