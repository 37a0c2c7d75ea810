/* The ways in which keeping data fails. */
#pragma once

#include <glib.h>

#define CACHE_ERROR cache_error_quark()
GQuark cache_error_quark(void);

typedef enum {
    CACHE_ERROR_IO,       /* the disk refuses; the message says how */
    CACHE_ERROR_NO_SPACE, /* the disk is full */
} CacheError;
