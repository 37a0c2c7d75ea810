#include "cache/error.h"

G_DEFINE_QUARK(cache-error-quark, cache_error)
