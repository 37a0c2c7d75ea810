/* Hashing of names that a server chose.
 *
 * GLib's g_str_hash is the same everywhere: a server can send a hundred
 * thousand names that all fall into one bucket, and the loop stands still over
 * them. This one depends on a key that is made anew in each process. */
#pragma once

#include <glib.h>

/* A GHashFunc for strings. */
guint fs_keyed_hash(gconstpointer string);
