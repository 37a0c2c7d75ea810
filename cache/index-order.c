/* Sorting by names that are not all in memory.
 *
 * First by the minute, which is what names show. What has no place of its own
 * yet is then sorted by the next eight octets of its stem, for which the
 * mailbox is read again: seldom more than a few times, and of a million names
 * there is never more in memory than those eight octets. */
#include "cache/index-order.h"

#include <string.h>

/* UIDs have no more. */
#define FIRST_OF_TEN_DIGITS G_GUINT64_CONSTANT(1000000000)

typedef struct {
    guint64 key;   /* the minute, or eight octets of the stem */
    guint32 group; /* the place of the first of those equal so far */
    guint32 uid;
} Entry;

typedef struct {
    GArray *entries; /* of Entry */
    gboolean by_sent_date;
    guint level;  /* which eight octets of the stem */
    guint next;   /* the first entry not yet seen in this scan */
    GArray *uids; /* of guint32: each at its place, once that is known */
} Order;

typedef gboolean (*LessFunc)(const Entry *a, const Entry *b);

static gboolean
less_by_uid(const Entry *a, const Entry *b)
{
    return a->uid < b->uid;
}

/* As it stands in a name, with a "." behind it: 10 comes before 9. */
static gboolean
less_by_decimal(guint32 a, guint32 b)
{
    guint64 one = a, other = b;

    while (one != 0 && one < FIRST_OF_TEN_DIGITS)
        one *= 10;
    while (other != 0 && other < FIRST_OF_TEN_DIGITS)
        other *= 10;
    return one != other ? one < other : a < b;
}

static gboolean
less_by_key(const Entry *a, const Entry *b)
{
    if (a->group != b->group)
        return a->group < b->group;
    return a->key != b->key ? a->key < b->key : less_by_decimal(a->uid, b->uid);
}

static void
sift_down(Entry *entries, guint root, guint n, LessFunc less)
{
    Entry entry = entries[root];
    guint child;

    while ((child = 2 * root + 1) < n) {
        if (child + 1 < n && less(&entries[child], &entries[child + 1]))
            child++;
        if (!less(&entry, &entries[child]))
            break;
        entries[root] = entries[child];
        root = child;
    }
    entries[root] = entry;
}

/* A heap: GLib's and the C library's take as much memory again. */
static void
sort(GArray *array, LessFunc less)
{
    Entry *entries = (Entry *)(gpointer)array->data;

    for (guint i = array->len / 2; i-- > 0;)
        sift_down(entries, i, array->len, less);
    for (guint n = array->len; n-- > 1;) {
        Entry last = entries[n];

        entries[n] = entries[0];
        entries[0] = last;
        sift_down(entries, 0, n, less);
    }
}

static guint64
key_of_date(const CacheMessage *message, gboolean by_sent_date)
{
    gint64 date = by_sent_date && message->sent_date != G_MININT64
                      ? message->sent_date
                      : message->internal_date;
    gint64 minute = date / 60 - (date % 60 < 0);

    return (guint64)minute ^ G_GUINT64_CONSTANT(1) << 63;
}

static void
add_entries(const CacheRecords *records, gpointer user_data)
{
    Order *order = user_data;

    for (guint i = 0; i < cache_records_length(records); i++) {
        CacheMessage message;
        Entry entry = {0};

        cache_records_show(records, i, &message);
        entry.uid = message.uid;
        entry.key = key_of_date(&message, order->by_sent_date);
        g_array_append_val(order->entries, entry);
    }
}

/* Of the stem and the "." that follows it in a name. Once that has ended, the
 * last octet is 0. */
static guint64
key_of_stem(const char *stem, guint level)
{
    gsize length = stem != NULL ? strlen(stem) : 0;
    guint64 key = 0;

    for (gsize i = 8u * level; i < 8u * (level + 1u); i++) {
        guint8 octet = i < length ? (guint8)stem[i] : i == length ? '.' : 0;

        key = key << 8 | octet;
    }
    return key;
}

static void
set_keys(const CacheRecords *records, gpointer user_data)
{
    Order *order = user_data;

    for (guint i = 0;
         i < cache_records_length(records) && order->next < order->entries->len;
         i++) {
        Entry *entry = &g_array_index(order->entries, Entry, order->next);
        CacheMessage message;

        if (entry->uid != cache_records_uid(records, i))
            continue;
        cache_records_show(records, i, &message);
        entry->key = key_of_stem(message.stem, order->level);
        order->next++;
    }
}

/* Puts the entries from @from to @to, which are equal so far, in their places;
 * or keeps them, at @kept, for sorting by what follows. Returns how many are
 * kept then. */
static guint
place(Order *order, guint from, guint to, guint32 at, gboolean ended,
      guint kept)
{
    for (guint i = from; i < to; i++) {
        Entry *entry = &g_array_index(order->entries, Entry, i);

        if (ended || to - from == 1) {
            g_array_index(order->uids, guint32, at + (i - from)) = entry->uid;
        } else {
            entry->group = at;
            g_array_index(order->entries, Entry, kept++) = *entry;
        }
    }
    return kept;
}

/* After sorting by key: what differs from its neighbours has its place. */
static void
place_all(Order *order, gboolean by_stem)
{
    guint kept = 0, n = order->entries->len;
    guint32 group = 0, group_from = 0;

    for (guint from = 0, to; from < n; from = to) {
        const Entry first = g_array_index(order->entries, Entry, from);
        const Entry *other;

        if (from == 0 || first.group != group) {
            group = first.group;
            group_from = from;
        }
        for (to = from + 1; to < n; to++) {
            other = &g_array_index(order->entries, Entry, to);
            if (other->group != first.group || other->key != first.key)
                break;
        }
        kept = place(order, from, to, group + (from - group_from),
                     by_stem && (first.key & 0xff) == 0, kept);
    }
    g_array_set_size(order->entries, kept);
}

GArray *
cache_index_order(gboolean by_sent_date, CacheScanFunc scan, gpointer user_data)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_autoptr(GArray) uids = g_array_new(FALSE, FALSE, sizeof(guint32));
    Order order = {
        .entries = entries, .by_sent_date = by_sent_date, .uids = uids};

    if (!scan(add_entries, &order, user_data))
        return NULL;
    g_array_set_size(uids, entries->len);
    sort(entries, less_by_key);
    place_all(&order, FALSE);
    for (; entries->len > 0; order.level++) {
        sort(entries, less_by_uid);
        order.next = 0;
        if (!scan(set_keys, &order, user_data) || order.next != entries->len)
            return NULL;
        sort(entries, less_by_key);
        place_all(&order, TRUE);
    }
    return g_steal_pointer(&uids);
}
