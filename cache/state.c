/* What must not be lost and no server has. */
#include "cache/state.h"

struct CacheState {
    guint32 max_id;
};

CacheState *
cache_state_open(const char *directory, guint32 max_id, guint stem_version,
                 CacheStoreThread *thread, GError **error)
{
    CacheState *state = g_new0(CacheState, 1);

    state->max_id = max_id;
    return state;
}

void
cache_state_close(CacheState *state)
{
    g_free(state);
}
