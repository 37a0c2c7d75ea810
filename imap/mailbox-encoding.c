/* Modified UTF-7: printable ASCII stands for itself, "&-" for '&', and anything
 * else is UTF-16 in base64, with ',' for '/', between '&' and '-'.
 *
 * What breaks those rules (also printable ASCII in base64, and bits left over)
 * is kept as it stands rather than guessed at, so that names that differ on the
 * wire hardly ever look alike. */
#include "imap/mailbox-encoding.h"

#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

static int
digit_value(char digit)
{
    const char *found = digit == '\0' ? NULL : strchr(digits, digit);

    return found == NULL ? -1 : (int)(found - digits);
}

/* Appends a UTF-16 unit; *@high holds the first half of a surrogate pair. */
static gboolean
append_unit(GString *out, guint32 *high, guint32 unit)
{
    if (*high != 0) {
        if (unit < 0xdc00 || unit > 0xdfff)
            return FALSE;
        g_string_append_unichar(out, 0x10000 + ((*high - 0xd800) << 10) +
                                         (unit - 0xdc00));
        *high = 0;
        return TRUE;
    }
    if (unit >= 0xd800 && unit <= 0xdbff) {
        *high = unit;
        return TRUE;
    }
    if (unit == 0 || (unit >= 0x20 && unit <= 0x7e) ||
        (unit >= 0xdc00 && unit <= 0xdfff))
        return FALSE;
    g_string_append_unichar(out, unit);
    return TRUE;
}

/* Decodes what stands between '&' and '-'. On FALSE @out has junk at its end.
 */
static gboolean
decode_run(GString *out, const char *run, gsize length)
{
    guint32 bits = 0;
    guint n_bits = 0;
    guint32 high = 0;

    for (gsize i = 0; i < length; i++) {
        int value = digit_value(run[i]);

        if (value < 0)
            return FALSE;
        bits = bits << 6 | (guint32)value;
        n_bits += 6;
        if (n_bits >= 16) {
            n_bits -= 16;
            if (!append_unit(out, &high, bits >> n_bits & 0xffff))
                return FALSE;
            bits &= (1u << n_bits) - 1;
        }
    }
    return high == 0 && n_bits < 6 && bits == 0;
}

char *
imap_mailbox_decode(const char *wire, gboolean utf8)
{
    g_autoptr(GString) out = g_string_new(NULL);
    const char *at = wire;

    if (utf8)
        return g_utf8_make_valid(wire, -1);

    while (*at != '\0') {
        gsize plain = strcspn(at, "&");
        const char *end;
        gsize before;

        g_string_append_len(out, at, (gssize)plain);
        at += plain;
        if (*at == '\0')
            break;

        /* A run that has no end must not be searched again from each '&'. */
        end = at + 1 + strspn(at + 1, digits);
        before = out->len;
        if (*end == '-' && end == at + 1) {
            g_string_append_c(out, '&');
        } else if (*end != '-' ||
                   !decode_run(out, at + 1, (gsize)(end - at - 1))) {
            g_string_truncate(out, before);
            g_string_append_len(out, at, (gssize)(end - at));
            at = end;
            continue;
        }
        at = end + 1;
    }
    return g_utf8_make_valid(out->str, (gssize)out->len);
}

static void
append_digits(GString *out, guint32 *bits, guint *n_bits, guint32 unit)
{
    *bits = *bits << 16 | unit;
    *n_bits += 16;
    while (*n_bits >= 6) {
        *n_bits -= 6;
        g_string_append_c(out, digits[*bits >> *n_bits & 63]);
    }
    *bits &= (1u << *n_bits) - 1;
}

static gboolean
stands_for_itself(char octet)
{
    return octet >= 0x20 && octet <= 0x7e;
}

/* Encodes from @at up to the next printable ASCII, which it returns. */
static const char *
encode_run(GString *out, const char *at)
{
    guint32 bits = 0;
    guint n_bits = 0;

    g_string_append_c(out, '&');
    for (; *at != '\0' && !stands_for_itself(*at); at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);

        if (c >= 0x10000) {
            append_digits(out, &bits, &n_bits, 0xd800 + ((c - 0x10000) >> 10));
            append_digits(out, &bits, &n_bits,
                          0xdc00 + ((c - 0x10000) & 0x3ff));
        } else {
            append_digits(out, &bits, &n_bits, c);
        }
    }
    if (n_bits > 0)
        g_string_append_c(out, digits[bits << (6 - n_bits) & 63]);
    g_string_append_c(out, '-');
    return at;
}

char *
imap_mailbox_encode(const char *name, gboolean utf8)
{
    GString *out;
    const char *at = name;

    if (utf8)
        return g_strdup(name);

    out = g_string_new(NULL);
    while (*at != '\0') {
        if (!stands_for_itself(*at)) {
            at = encode_run(out, at);
        } else {
            g_string_append_c(out, *at);
            if (*at++ == '&')
                g_string_append_c(out, '-');
        }
    }
    return g_string_free(out, FALSE);
}
