/* COPYUID, by which others decide what may be deleted: it is believed whole or
 * not at all.
 *
 * Its two sets stand in an order that matters, so they are no ImapUidSet. A
 * range that is written backwards means the same as forwards (RFC 4315 section
 * 4). */
#include "imap/copied.h"

#include <string.h>

ImapCopied *
imap_copied_new(void)
{
    ImapCopied *copied = g_new0(ImapCopied, 1);

    copied->pairs = g_array_new(FALSE, FALSE, sizeof(ImapUidPair));
    return copied;
}

void
imap_copied_free(ImapCopied *copied)
{
    if (copied == NULL)
        return;
    g_array_unref(copied->pairs);
    g_free(copied);
}

static const ImapUidPair *
pair_at(const GArray *pairs, guint index)
{
    return &g_array_index(pairs, ImapUidPair, index);
}

guint32
imap_copied_find(const ImapCopied *copied, guint32 uid)
{
    guint low = 0;
    guint high = copied->pairs->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (pair_at(copied->pairs, middle)->from < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < copied->pairs->len && pair_at(copied->pairs, low)->from == uid
               ? pair_at(copied->pairs, low)->to
               : 0;
}

/* ---- reading ---- */

static gboolean
read_number(const char **at, guint64 *number)
{
    char *end;

    if (!g_ascii_isdigit(**at))
        return FALSE;
    *number = g_ascii_strtoull(*at, &end, 10);
    *at = end;
    return *number > 0;
}

static gboolean
read_uid(const char **at, guint32 *uid)
{
    guint64 number;

    if (!read_number(at, &number) || number > G_MAXUINT32)
        return FALSE;
    *uid = (guint32)number;
    return TRUE;
}

/* One set as UIDs in its order; FALSE if it is none, or has more than @max. */
static gboolean
read_uids(const char **at, guint max, GArray *uids)
{
    for (;;) {
        guint32 first;
        guint32 last;

        if (!read_uid(at, &first))
            return FALSE;
        last = first;
        if (**at == ':') {
            (*at)++;
            if (!read_uid(at, &last))
                return FALSE;
        }
        if (first > last) {
            guint32 swapped = first;

            first = last;
            last = swapped;
        }
        if (last - first >= max - MIN(uids->len, max))
            return FALSE;
        for (guint32 i = 0; i <= last - first; i++) {
            guint32 uid = first + i;

            g_array_append_val(uids, uid);
        }
        if (**at != ',')
            return TRUE;
        (*at)++;
    }
}

static gboolean
read_spaces(const char **at)
{
    const char *start = *at;

    while (**at == ' ')
        (*at)++;
    return *at > start;
}

static gboolean
read_pairs(const char *text, guint max, guint64 *uidvalidity, GArray *pairs)
{
    g_autoptr(GArray) from = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_autoptr(GArray) to = g_array_new(FALSE, FALSE, sizeof(guint32));

    if (!read_number(&text, uidvalidity) || !read_spaces(&text) ||
        !read_uids(&text, max, from) || !read_spaces(&text) ||
        !read_uids(&text, max, to) || from->len != to->len)
        return FALSE;
    read_spaces(&text);
    if (*text != '\0')
        return FALSE;
    for (guint i = 0; i < from->len; i++) {
        ImapUidPair pair = {g_array_index(from, guint32, i),
                            g_array_index(to, guint32, i)};

        g_array_append_val(pairs, pair);
    }
    return TRUE;
}

/* ---- checking ---- */

static int
compare_from(gconstpointer one, gconstpointer other)
{
    guint32 a = ((const ImapUidPair *)one)->from;
    guint32 b = ((const ImapUidPair *)other)->from;

    return (a > b) - (a < b);
}

static gboolean
are_among(const GArray *pairs, const ImapUidSet *asked)
{
    for (guint i = 0; i < pairs->len; i++)
        if (!imap_uid_set_contains(asked, pair_at(pairs, i)->from))
            return FALSE;
    return TRUE;
}

/* Sorts @pairs and leaves out what stands there twice; FALSE if a UID, old or
 * new, stands in two that differ. */
static gboolean
make_unique(GArray *pairs)
{
    g_autoptr(GHashTable) new_uids = g_hash_table_new(NULL, NULL);
    guint kept = 0;

    g_array_sort(pairs, compare_from);
    for (guint i = 0; i < pairs->len; i++) {
        ImapUidPair pair = *pair_at(pairs, i);

        if (kept > 0 && pair_at(pairs, kept - 1)->from == pair.from) {
            if (pair_at(pairs, kept - 1)->to != pair.to)
                return FALSE;
            continue;
        }
        if (!g_hash_table_add(new_uids, GUINT_TO_POINTER(pair.to)))
            return FALSE;
        g_array_index(pairs, ImapUidPair, kept++) = pair;
    }
    g_array_set_size(pairs, kept);
    return TRUE;
}

static gboolean
is_empty(const char *text)
{
    const char *at = text;
    guint64 uidvalidity;

    if (!read_number(&at, &uidvalidity))
        return FALSE;
    read_spaces(&at);
    return *at == '\0';
}

static gboolean
is_about_others(const char *text, const ImapUidSet *asked)
{
    g_autoptr(GArray) pairs = g_array_new(FALSE, FALSE, sizeof(ImapUidPair));
    guint64 uidvalidity;

    if (!read_pairs(text, IMAP_MAX_CHANGED, &uidvalidity, pairs))
        return FALSE;
    for (guint i = 0; i < pairs->len; i++)
        if (imap_uid_set_contains(asked,
                                  g_array_index(pairs, ImapUidPair, i).from))
            return FALSE;
    return TRUE;
}

ImapCopiedResult
imap_copied_take(ImapCopied *copied, const ImapStatus *status,
                 const ImapUidSet *asked)
{
    const char *text = imap_status_code(status, "COPYUID");
    g_autoptr(GArray) pairs = NULL;
    guint max = (guint)MIN(imap_uid_set_count(asked), IMAP_MAX_CHANGED);
    guint64 uidvalidity;

    if (text == NULL || is_empty(text))
        return IMAP_COPIED_NONE;
    pairs = g_array_copy(copied->pairs);
    g_array_set_size(pairs, 0);
    if (is_about_others(text, asked))
        return IMAP_COPIED_OTHERS;
    if (!read_pairs(text, max, &uidvalidity, pairs) ||
        !are_among(pairs, asked) ||
        (copied->pairs->len > 0 && copied->uidvalidity != uidvalidity))
        return IMAP_COPIED_UNLIKELY;
    g_array_append_vals(pairs, copied->pairs->data, copied->pairs->len);
    if (!make_unique(pairs))
        return IMAP_COPIED_UNLIKELY;
    copied->uidvalidity = uidvalidity;
    g_array_unref(copied->pairs);
    copied->pairs = g_steal_pointer(&pairs);
    return IMAP_COPIED_TAKEN;
}
