/* The ways in which keeping data fails. */
#pragma once

#include <glib.h>

#define CACHE_ERROR cache_error_quark()
GQuark cache_error_quark(void);

typedef enum {
    CACHE_ERROR_IO,       /* the disk refuses; the message says how */
    CACHE_ERROR_NO_SPACE, /* the disk is full */
    CACHE_ERROR_FOREIGN,  /* a file is not ours, or of another version */
    CACHE_ERROR_DAMAGED,  /* a file is not as we wrote it */
    CACHE_ERROR_LOCKED,   /* another process uses the directory */
} CacheError;

/* Gives @reason (takes ownership) to @error: why a database that nobody else
 * has a copy of cannot be opened. With what can be done, if it is damaged or
 * foreign, or the disk is full; and what that costs: "changes are then not
 * made". */
void cache_error_explain(GError **error, GError *reason, const char *cost);
