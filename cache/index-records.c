/* Records and their strings.
 *
 * A string is an offset into the strings; 0 is none. What a replaced or removed
 * record had stays behind as garbage until the strings have to grow. Most
 * messages have the flags of the one before, and share them with it.
 *
 * On disk everything is as it is in memory, in this machine's order of octets:
 * the cache does not travel, and another machine's fails the checksum. */
#include "cache/index-records.h"

#include <string.h>
#include <zlib.h>

typedef struct {
    guint32 uid;
    guint32 stem;
    guint32 flags;
    guint32 identity;
    guint64 size : 63;
    guint64 size_verified : 1;
    gint64 internal_date;
    gint64 sent_date;
} Record;

struct CacheRecords {
    Record *records;
    guint length;
    guint allocated;
    char *strings; /* the first octet is of no string */
    guint32 strings_length;
    guint32 strings_allocated;
    guint32 garbage; /* about so many octets of the strings */
};

typedef struct {
    guint32 checksum; /* of all that follows */
    guint32 mailbox;
    guint64 number;
    guint32 length;
    guint32 strings_length;
} Header;

G_STATIC_ASSERT(sizeof(Record) == 40);
G_STATIC_ASSERT(sizeof(Header) == 24);

CacheRecords *
cache_records_new(void)
{
    CacheRecords *records = g_new0(CacheRecords, 1);

    records->strings = g_malloc0(1);
    records->strings_length = records->strings_allocated = 1;
    return records;
}

void
cache_records_free(CacheRecords *records)
{
    if (records == NULL)
        return;
    g_free(records->records);
    g_free(records->strings);
    g_free(records);
}

guint
cache_records_length(const CacheRecords *records)
{
    return records->length;
}

gsize
cache_records_bytes(const CacheRecords *records)
{
    return sizeof *records + records->allocated * sizeof(Record) +
           records->strings_allocated;
}

guint32
cache_records_uid(const CacheRecords *records, guint i)
{
    return records->records[i].uid;
}

guint
cache_records_find(const CacheRecords *records, guint32 uid, gboolean *found)
{
    guint low = 0, high = records->length;

    /* Ascending UIDs: behind the last of all. */
    if (high > 0 && records->records[high - 1].uid < uid)
        low = high;
    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (records->records[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < records->length && records->records[low].uid == uid;
    return low;
}

static const char *
string_at(const CacheRecords *records, guint32 offset)
{
    return offset != 0 ? records->strings + offset : NULL;
}

void
cache_records_show(const CacheRecords *records, guint i, CacheMessage *result)
{
    const Record *record = &records->records[i];

    *result = (CacheMessage){
        .uid = record->uid,
        .size_verified = record->size_verified,
        .size = record->size,
        .internal_date = record->internal_date,
        .sent_date = record->sent_date,
        .stem = string_at(records, record->stem),
        .flags = string_at(records, record->flags),
        .identity = string_at(records, record->identity),
    };
}

/* Copies what @offset has in @from to the end of the strings, which have room
 * for it. */
static guint32
move_string(CacheRecords *records, const char *from, guint32 offset)
{
    guint32 to = records->strings_length;
    guint32 size;

    if (offset == 0)
        return 0;
    size = (guint32)strlen(from + offset) + 1;
    memcpy(records->strings + to, from + offset, size);
    records->strings_length += size;
    return to;
}

/* Of the strings when they are moved. */
static guint32
octets_in_use(const CacheRecords *records, const char *strings)
{
    guint32 octets = 1, flags = 0;

    for (guint i = 0; i < records->length; i++) {
        const Record *record = &records->records[i];

        if (record->stem != 0)
            octets += (guint32)strlen(strings + record->stem) + 1;
        if (record->identity != 0)
            octets += (guint32)strlen(strings + record->identity) + 1;
        if (record->flags != 0 && record->flags != flags)
            octets += (guint32)strlen(strings + record->flags) + 1;
        flags = record->flags;
    }
    return octets;
}

/* Moves what is in use of the strings @from to new ones, with room for @spare
 * octets more. */
static void
move_strings(CacheRecords *records, const char *from, guint32 spare)
{
    guint32 old_flags = 0, new_flags = 0;

    records->strings_allocated = octets_in_use(records, from) + spare;
    records->strings = g_malloc(records->strings_allocated);
    records->strings[0] = '\0';
    records->strings_length = 1;
    records->garbage = 0;
    for (guint i = 0; i < records->length; i++) {
        Record *record = &records->records[i];

        record->stem = move_string(records, from, record->stem);
        record->identity = move_string(records, from, record->identity);
        if (record->flags != old_flags) {
            old_flags = record->flags;
            new_flags = move_string(records, from, old_flags);
        }
        record->flags = new_flags;
    }
}

/* Makes room for @octets. The former strings, if they moved: the caller frees
 * them when it has copied what may lie in them. */
static char *
make_room(CacheRecords *records, guint32 octets)
{
    char *old = records->strings;

    if (records->strings_allocated - records->strings_length >= octets)
        return NULL;

    if (records->garbage > records->strings_length / 2) {
        move_strings(records, old, octets + records->strings_length / 4);
    } else {
        guint32 needed = records->strings_length + octets;

        records->strings_allocated = MAX(needed + needed / 2, 512);
        records->strings = g_malloc(records->strings_allocated);
        memcpy(records->strings, old, records->strings_length);
    }
    return old;
}

typedef struct {
    const char *text; /* NULL: none */
    guint32 length;
} Text;

static Text
text_of(const char *string, gsize max)
{
    Text text = {string, 0};

    if (string != NULL)
        text.length = (guint32)strnlen(string, max);
    return text;
}

static Text
flags_of(const CacheMessage *message)
{
    Text flags = text_of(message->flags, CACHE_FLAGS_MAX + 1);

    if (flags.length > CACHE_FLAGS_MAX) {
        flags.length = CACHE_FLAGS_MAX;
        while (flags.length > 0 && flags.text[flags.length] != ' ')
            flags.length--;
    }
    return flags;
}

static Text
identity_of(const CacheMessage *message)
{
    Text identity = text_of(message->identity, CACHE_IDENTITY_MAX + 1);

    return identity.length > CACHE_IDENTITY_MAX ? (Text){NULL, 0} : identity;
}

static gboolean
same_text(const CacheRecords *records, guint32 offset, Text text)
{
    const char *there = string_at(records, offset);

    if (there == NULL || text.text == NULL)
        return there == text.text;
    return strncmp(there, text.text, text.length) == 0 &&
           there[text.length] == '\0';
}

/* @like: where the same text may be already. */
static guint32
add_text(CacheRecords *records, Text text, guint32 like)
{
    guint32 offset = records->strings_length;

    if (text.text == NULL)
        return 0;
    if (like != 0 && same_text(records, like, text))
        return like;
    memcpy(records->strings + offset, text.text, text.length);
    records->strings[offset + text.length] = '\0';
    records->strings_length += text.length + 1;
    return offset;
}

static void
count_garbage(CacheRecords *records, guint32 offset)
{
    if (offset != 0)
        records->garbage += strlen(records->strings + offset) + 1;
}

/* The record @i becomes @message. Its strings may be shared with what it had,
 * and its flags with those of the record @neighbour. */
static void
fill(CacheRecords *records, guint i, guint neighbour,
     const CacheMessage *message)
{
    Text stem = text_of(message->stem, CACHE_STEM_MAX);
    Text flags = flags_of(message);
    Text identity = identity_of(message);
    g_autofree char *former =
        make_room(records, stem.length + flags.length + identity.length + 3);
    const Record old = records->records[i];
    Record *record = &records->records[i];

    *record = (Record){
        .uid = message->uid,
        .size = MIN(message->size, CACHE_SIZE_MAX),
        .size_verified = message->size_verified != FALSE,
        .internal_date = message->internal_date,
        .sent_date = message->sent_date,
        .stem = add_text(records, stem, old.stem),
        .identity = add_text(records, identity, old.identity),
    };
    record->flags =
        old.flags != 0 && same_text(records, old.flags, flags)
            ? old.flags
            : add_text(records, flags, records->records[neighbour].flags);
    if (record->stem != old.stem)
        count_garbage(records, old.stem);
    if (record->flags != old.flags)
        count_garbage(records, old.flags);
    if (record->identity != old.identity)
        count_garbage(records, old.identity);
}

void
cache_records_insert(CacheRecords *records, guint i,
                     const CacheMessage *message)
{
    if (records->length == records->allocated) {
        records->allocated = MAX(2 * records->allocated, 4);
        records->records =
            g_renew(Record, records->records, records->allocated);
    }
    memmove(&records->records[i + 1], &records->records[i],
            (records->length - i) * sizeof(Record));
    records->records[i] = (Record){0};
    records->length++;
    fill(records, i, i > 0 ? i - 1 : MIN(1, records->length - 1), message);
}

void
cache_records_replace(CacheRecords *records, guint i,
                      const CacheMessage *message)
{
    fill(records, i, i > 0 ? i - 1 : MIN(1, records->length - 1), message);
}

void
cache_records_remove(CacheRecords *records, guint i)
{
    const Record *record = &records->records[i];

    count_garbage(records, record->stem);
    count_garbage(records, record->flags);
    count_garbage(records, record->identity);
    records->length--;
    memmove(&records->records[i], &records->records[i + 1],
            (records->length - i) * sizeof(Record));
}

CacheRecords *
cache_records_split(CacheRecords *records, guint i)
{
    CacheRecords *upper = g_new0(CacheRecords, 1);
    char *old = records->strings;

    upper->length = upper->allocated = records->length - i;
    upper->records =
        g_memdup2(&records->records[i], upper->length * sizeof(Record));
    records->length = i;
    move_strings(upper, old, 0);
    move_strings(records, old, 0);
    g_free(old);
    return upper;
}

guint8 *
cache_records_encode(const CacheRecords *records, guint32 mailbox,
                     guint64 number, gsize *length)
{
    gsize records_size = records->length * sizeof(Record);
    Header header = {
        .mailbox = mailbox,
        .number = number,
        .length = records->length,
        .strings_length = records->strings_length,
    };
    guint8 *data;

    *length = sizeof header + records_size + records->strings_length;
    data = g_malloc(*length);
    memcpy(data, &header, sizeof header);
    memcpy(data + sizeof header, records->records, records_size);
    memcpy(data + sizeof header + records_size, records->strings,
           records->strings_length);
    return data;
}

static guint32
checksum_of(const guint8 *data, gsize length)
{
    const gsize skip = sizeof(guint32);

    return (guint32)crc32_z(0, data + skip, length - skip);
}

void
cache_records_seal(guint8 *data, gsize length)
{
    guint32 checksum = checksum_of(data, length);

    memcpy(data + offsetof(Header, checksum), &checksum, sizeof checksum);
}

static gboolean
is_whole(const CacheRecords *records, const CacheChunkStub *stub)
{
    const guint32 end = records->strings_length;
    guint64 octets = 0;
    guint32 before = 0;

    if (records->strings[0] != '\0' || records->strings[end - 1] != '\0')
        return FALSE;
    for (guint i = 0; i < records->length; i++) {
        const Record *record = &records->records[i];

        if (record->uid <= before || record->stem >= end ||
            record->flags >= end || record->identity >= end)
            return FALSE;
        before = record->uid;
        octets += record->size;
    }
    return records->records[0].uid == stub->first && before == stub->last &&
           octets == stub->octets;
}

CacheRecords *
cache_records_decode(const guint8 *data, gsize length, guint32 mailbox,
                     const CacheChunkStub *stub)
{
    g_autoptr(CacheRecords) records = NULL;
    gsize records_size;
    Header header;

    if (length < sizeof header)
        return NULL;
    memcpy(&header, data, sizeof header);
    records_size = (gsize)header.length * sizeof(Record);
    if (header.mailbox != mailbox || header.number != stub->number ||
        header.length != stub->length || header.length == 0 ||
        header.strings_length == 0 ||
        length != sizeof header + records_size + header.strings_length ||
        header.checksum != checksum_of(data, length))
        return NULL;

    records = g_new0(CacheRecords, 1);
    records->records = g_memdup2(data + sizeof header, records_size);
    records->length = records->allocated = header.length;
    records->strings =
        g_memdup2(data + sizeof header + records_size, header.strings_length);
    records->strings_length = records->strings_allocated =
        header.strings_length;
    return is_whole(records, stub) ? g_steal_pointer(&records) : NULL;
}
