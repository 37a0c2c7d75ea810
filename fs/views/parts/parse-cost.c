/* GMime makes an object of each part and each field, of hundreds of octets,
 * however short they are in the message; and it makes all of them, before
 * anybody is asked whether there are too many. So they are counted first: from
 * lines alone, whatever the boundaries are. A line that begins with two hyphens
 * may begin a part. Behind it, as at the beginning, there are fields up to an
 * empty line; and behind that once more, if it may be a message in it. */
#include "fs/views/parts/parse-cost.h"

#include <string.h>

/* As measured, of GMime 3.2. */
#define COST_OF_PART 1400u
#define COST_OF_FIELD 550u
/* Of fields that may have parameters: of each octet, for "; a=b" is one. */
#define COST_OF_PARAMETER_OCTET 80u

typedef struct {
    gboolean in_fields;
    gboolean has_parameters; /* the field */
    gboolean may_be_message; /* what these fields are of */
    gboolean may_be_digest;  /* all of it: so may be parts without a type */
    guint64 cost;
} Count;

static gboolean
begins_with(const char *at, gsize length, const char *prefix)
{
    return length >= strlen(prefix) &&
           g_ascii_strncasecmp(at, prefix, strlen(prefix)) == 0;
}

static gboolean
contains(const char *at, gsize length, const char *word)
{
    gsize n = strlen(word);

    for (; length >= n; at++, length--)
        if (g_ascii_tolower(*at) == word[0] && begins_with(at, length, word))
            return TRUE;
    return FALSE;
}

static gboolean
is_empty(const char *at, gsize length)
{
    return *at == '\n' || (*at == '\r' && length > 1 && at[1] == '\n');
}

static void
begin_part(Count *count)
{
    count->cost += COST_OF_PART;
    count->in_fields = TRUE;
    count->has_parameters = FALSE;
    count->may_be_message = count->may_be_digest;
}

static void
end_fields(Count *count)
{
    count->in_fields = count->may_be_message;
    count->may_be_message = FALSE;
    count->has_parameters = FALSE;
}

static void
count_field(Count *count, const char *at, gsize length)
{
    if (*at != ' ' && *at != '\t') {
        count->has_parameters = begins_with(at, length, "Content-");
        if (memchr(at, ':', length) != NULL)
            count->cost += COST_OF_FIELD;
    }
    if (!count->has_parameters)
        return;
    count->cost += length * COST_OF_PARAMETER_OCTET;
    if (contains(at, length, "message"))
        count->may_be_message = TRUE;
    if (contains(at, length, "digest"))
        count->may_be_digest = TRUE;
}

guint64
fs_parse_cost(const char *octets, gsize length)
{
    const char *end = length > 0 ? octets + length : octets; /* or NULL */
    Count count = {.in_fields = TRUE};

    for (const char *at = octets, *next; at < end; at = next) {
        const char *newline = memchr(at, '\n', (gsize)(end - at));

        next = newline != NULL ? newline + 1 : end;
        if (begins_with(at, (gsize)(end - at), "--"))
            begin_part(&count);
        else if (count.in_fields && is_empty(at, (gsize)(end - at)))
            end_fields(&count);
        else if (count.in_fields)
            count_field(&count, at, (gsize)(next - at));
    }
    return count.cost;
}
