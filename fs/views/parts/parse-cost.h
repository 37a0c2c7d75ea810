/* What it takes to take a message apart. */
#pragma once

#include <glib.h>

/* Octets of memory that GMime fills, about, with what it makes of the @length
 * octets of a message, besides what its parts hold. */
guint64 fs_parse_cost(const char *octets, gsize length);
