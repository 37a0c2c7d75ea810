/* Which processes are crawlers, by their names.
 *
 * Every open asks, and most come from threads that have just asked: what was
 * found out holds for a moment. A number may then be another process's; in so
 * short a time it hardly is. But a shell that has expanded a pattern here may
 * be a crawler in the next instant, by exec: so a thread that has been silent
 * for as long as that takes is asked for its name, which costs less than its
 * silence did. */
#include "fs/kernel/crawlers.h"

#include "fs/kernel/process.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define KNOWN_US (1 * G_USEC_PER_SEC)
/* To run another program, and load it, takes longer; a scan asks more often. */
#define EXEC_US 400
/* Threads that are remembered, and processes that the log has told of. */
#define KNOWN_MAX 1000u
#define TOLD_MAX 1000u

/* File managers are not among them: who copies mail with one wants it. */
const char fs_crawlers_default[] =
    "tumblerd+*thumbnail*+*-thum*+*-thu+tracker-*+tracker3*+localsearch*+"
    "baloo*+recoll*+updatedb*+zeitgeist*+strigi*+nepomuk*";

/* The kernel cuts it. */
#define NAME_BYTES 32

/* Times are in microseconds, monotonic. */
typedef struct {
    gint64 at;             /* when it was found out */
    gint64 asked;          /* when somebody wanted to know it last */
    char name[NAME_BYTES]; /* of the thread, then */
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

/* Not as of its process, which takes longer to find out. Empty: it is gone. */
static void
name_thread(pid_t thread, char name[NAME_BYTES])
{
    char path[NAME_BYTES];
    ssize_t length = 0;
    int file;

    g_snprintf(path, sizeof path, "/proc/%d/comm", (int)thread);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
        length = read(file, name, NAME_BYTES - 1);
        close(file);
    }
    name[MAX(length, 0)] = '\0';
}

static gboolean
is_still(Known *known, pid_t thread, gint64 now)
{
    gint64 silence = now - known->asked;
    char name[NAME_BYTES];

    known->asked = now;
    if (now - known->at >= KNOWN_US)
        return FALSE;
    if (silence < EXEC_US)
        return TRUE;
    name_thread(thread, name);
    return strcmp(name, known->name) == 0;
}

gboolean
fs_crawlers_has(FsCrawlers *crawlers, pid_t thread)
{
    gint64 now = g_get_monotonic_time();
    Known *known;

    if (crawlers->patterns->len == 0 || thread <= 0)
        return FALSE;
    known = g_hash_table_lookup(crawlers->known, GINT_TO_POINTER(thread));
    if (known != NULL && is_still(known, thread, now))
        return known->crawls;
    if (known == NULL) {
        if (g_hash_table_size(crawlers->known) >= KNOWN_MAX)
            g_hash_table_remove_all(crawlers->known);
        known = g_new0(Known, 1);
        g_hash_table_insert(crawlers->known, GINT_TO_POINTER(thread), known);
    }
    known->at = known->asked = now;
    name_thread(thread, known->name);
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
