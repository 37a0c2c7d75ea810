/* An account on its way to be served: first the locks, then all the rest. */
#include "fs/opening.h"

#include "fs/account-locks.h"
#include "fs/log.h"
#include "fs/service/service-manager.h"

/* Who waits for longer than a logout may take is told for whom: it is one who
 * has announced his end, for others have been given up by then
 * (cache/directory-opening.c). */
#define SAY_MS 3000u

struct FsOpening {
    FsOptions *options;
    FsHelperProcess *announcing;
    FsAccountLocks *locks; /* NULL: they are taken */
    guint late;
    FsOpenedFunc opened;
    gpointer user_data;
};

static void
opening_free(FsOpening *opening)
{
    g_clear_handle_id(&opening->late, g_source_remove);
    fs_account_locks_cancel(opening->locks);
    fs_helper_process_free(opening->announcing);
    g_free(opening);
}

static gboolean
on_late(gpointer user_data)
{
    FsOpening *opening = user_data;
    g_autofree char *who = fs_opening_describe(opening);

    opening->late = 0;
    if (who != NULL) {
        fs_log_of(fs_account_label(opening->options), "%s; waiting for that",
                  who);
        fs_service_manager_status("Waiting: %s", who);
    }
    return G_SOURCE_REMOVE;
}

/* A FsAccountLockedFunc. */
static void
on_locked(const FsAccountDirectories *locked, const GError *error,
          gpointer user_data)
{
    FsOpening *opening = user_data;
    FsOpenedFunc opened = opening->opened;
    gpointer opened_data = opening->user_data;
    g_autoptr(GError) failure = NULL;
    FsServing *serving = NULL;
    const char *before;

    opening->locks = NULL;
    if (locked != NULL) {
        before = fs_log_set_present(fs_account_label(opening->options));
        serving =
            fs_serving_new(opening->options, locked,
                           g_steal_pointer(&opening->announcing), &failure);
        fs_log_set_present(before);
    }
    opening_free(opening);
    opened(serving, failure != NULL ? failure : error, opened_data);
}

FsOpening *
fs_opening_start(FsOptions *options, FsHelperProcess *announcing,
                 FsOpenedFunc opened, gpointer user_data)
{
    FsOpening *opening = g_new0(FsOpening, 1);

    opening->options = options;
    opening->announcing = announcing;
    opening->opened = opened;
    opening->user_data = user_data;
    opening->locks = fs_account_locks_take(options, on_locked, opening);
    opening->late = g_timeout_add(SAY_MS, on_late, opening);
    return opening;
}

void
fs_opening_cancel(FsOpening *opening)
{
    if (opening != NULL)
        opening_free(opening);
}

char *
fs_opening_describe(const FsOpening *opening)
{
    return fs_account_locks_describe(opening->locks);
}
