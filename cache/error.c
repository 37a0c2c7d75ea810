/* The error domain of cache/. */
#include "cache/error.h"

G_DEFINE_QUARK(cache_error, cache_error)
