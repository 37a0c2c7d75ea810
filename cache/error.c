/* The error domain of cache/. */
#include "cache/error.h"

G_DEFINE_QUARK(cache_error, cache_error)

void
cache_error_explain(GError **error, GError *reason, const char *cost)
{
    if (g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_NO_SPACE)) {
        g_set_error(error, CACHE_ERROR, reason->code,
                    "%s; make room on that disk", reason->message);
        g_error_free(reason);
        return;
    }
    if (!g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_DAMAGED) &&
        !g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_FOREIGN)) {
        g_propagate_error(error, reason);
        return;
    }
    g_set_error(error, CACHE_ERROR, reason->code,
                "%s; move it and what begins with its name away to go on "
                "without it (%s)",
                reason->message, cost);
    g_error_free(reason);
}
