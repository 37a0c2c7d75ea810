/* The key goes before the string into a digest that GLib has. Slower than
 * g_str_hash, a microsecond a name, which nobody notices. */
#include "fs/names/keyed-hash.h"

#include <string.h>

static const guint8 *
process_key(gsize *length)
{
    static guint32 key[4];
    static gsize made;

    if (g_once_init_enter(&made)) {
        for (guint i = 0; i < G_N_ELEMENTS(key); i++)
            key[i] = g_random_int();
        g_once_init_leave(&made, 1);
    }
    *length = sizeof key;
    return (const guint8 *)key;
}

guint
fs_keyed_hash(gconstpointer string)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize length = sizeof digest;
    gsize key_length;
    const guint8 *key = process_key(&key_length);
    guint hash;

    g_checksum_update(checksum, key, (gssize)key_length);
    g_checksum_update(checksum, string, (gssize)strlen(string));
    g_checksum_get_digest(checksum, digest, &length);
    memcpy(&hash, digest, sizeof hash);
    return hash;
}
