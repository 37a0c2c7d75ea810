/* Waiting for a lock that another process has.
 *
 * Nothing tells when flock's lock is free but trying it, so a timer does. It is
 * tried often, for a mount that ends has mostly ended in a moment, and it costs
 * a few calls of the system. */
#include "cache/directory-opening.h"

#include "cache/error.h"

/* A mount that was ended just now may not know it yet. */
#define PATIENCE_US G_USEC_PER_SEC
/* One that is ending writes what it still has, and logs out. */
#define ENDING_PATIENCE_US (20 * G_USEC_PER_SEC)
#define RETRY_MS 20u

struct CacheDirectoryOpening {
    char *path;
    GError *refusal; /* of the last attempt; NULL: there was none */
    gboolean ending; /* who has it says so */
    gint64 started;  /* microseconds, monotonic */
    guint source;
    CacheDirectoryOpenedFunc opened;
    gpointer user_data;
};

static void
opening_free(CacheDirectoryOpening *opening)
{
    g_clear_handle_id(&opening->source, g_source_remove);
    g_clear_error(&opening->refusal);
    g_free(opening->path);
    g_free(opening);
}

static gboolean
is_patient(const CacheDirectoryOpening *opening)
{
    gint64 waited = g_get_monotonic_time() - opening->started;

    return g_error_matches(opening->refusal, CACHE_ERROR, CACHE_ERROR_LOCKED) &&
           waited < (opening->ending ? ENDING_PATIENCE_US : PATIENCE_US);
}

static gboolean
on_time(gpointer user_data)
{
    CacheDirectoryOpening *opening = user_data;
    CacheDirectory *directory;
    g_autoptr(GError) error = NULL;
    CacheDirectoryOpenedFunc opened = opening->opened;
    gpointer opened_data = opening->user_data;

    opening->source = 0;
    g_clear_error(&opening->refusal);
    directory = cache_directory_open(opening->path, &opening->ending,
                                     &opening->refusal);
    if (directory == NULL && is_patient(opening)) {
        opening->source = g_timeout_add(RETRY_MS, on_time, opening);
        return G_SOURCE_REMOVE;
    }
    error = g_steal_pointer(&opening->refusal);
    opening_free(opening);
    opened(directory, error, opened_data);
    return G_SOURCE_REMOVE;
}

CacheDirectoryOpening *
cache_directory_opening_start(const char *path, CacheDirectoryOpenedFunc opened,
                              gpointer user_data)
{
    CacheDirectoryOpening *opening = g_new0(CacheDirectoryOpening, 1);

    opening->path = g_strdup(path);
    opening->started = g_get_monotonic_time();
    opening->opened = opened;
    opening->user_data = user_data;
    opening->source = g_idle_add(on_time, opening);
    return opening;
}

void
cache_directory_opening_cancel(CacheDirectoryOpening *opening)
{
    if (opening != NULL)
        opening_free(opening);
}

char *
cache_directory_opening_describe(const CacheDirectoryOpening *opening)
{
    if (opening->refusal == NULL)
        return NULL;
    return g_strdup_printf("%s%s", opening->refusal->message,
                           opening->ending ? ", which is ending" : "");
}
