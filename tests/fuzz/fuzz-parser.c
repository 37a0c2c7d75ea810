/* The parser must give the same whatever way its input is cut. The sets,
 * copies, names and dates that the same octets may be are tried as well. */
#include "imap/copied.h"
#include "imap/date.h"
#include "imap/mailbox-encoding.h"
#include "imap/parser.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/response-dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gsize
cut_whole(gpointer cut_data)
{
    return 0;
}

/* Mostly short pieces, as they are where the states change. */
static gsize
cut_at_random(gpointer cut_data)
{
    guint32 *seed = cut_data;

    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 30 == 0 ? 1 + (*seed >> 16) % 97 : 1 + (*seed >> 20) % 3;
}

static void
check(gboolean condition, const char *what)
{
    if (condition)
        return;
    g_printerr("fuzz-parser: %s\n", what);
    abort();
}

static void
try_cuts(const uint8_t *data, size_t size)
{
    guint32 seed = (guint32)size;
    g_autofree char *whole = dump_parse(data, size, cut_whole, NULL);
    g_autofree char *pieces = NULL;

    for (size_t i = 0; i < size; i++)
        seed = seed * 31 + data[i];
    pieces = dump_parse(data, size, cut_at_random, &seed);
    if (strcmp(whole, pieces) != 0)
        g_printerr("whole:\n%s\nin pieces:\n%s\n", whole, pieces);
    check(strcmp(whole, pieces) == 0, "the cuts change the result");
}

static void
try_set(const char *text, size_t size)
{
    g_autoptr(ImapUidSet) set = imap_uid_set_parse(text, size);
    g_autoptr(ImapUidSet) again = NULL;
    g_autofree char *one = NULL;
    g_autofree char *other = NULL;

    if (set == NULL || imap_uid_set_count(set) == 0)
        return;
    one = imap_uid_set_to_string(set);
    again = imap_uid_set_parse(one, strlen(one));
    check(again != NULL, "a set's own text is no set");
    other = imap_uid_set_to_string(again);
    check(strcmp(one, other) == 0, "a set changes when written and read");
}

static void
try_name(const char *text)
{
    g_autofree char *name = imap_mailbox_decode(text, FALSE);
    g_autofree char *raw = imap_mailbox_decode(text, TRUE);
    g_autofree char *wire = NULL;
    g_autofree char *again = NULL;

    check(g_utf8_validate(name, -1, NULL) && g_utf8_validate(raw, -1, NULL),
          "a decoded name is no UTF-8");
    wire = imap_mailbox_encode(name, FALSE);
    check(g_str_is_ascii(wire), "an encoded name is no ASCII");
    again = imap_mailbox_decode(wire, FALSE);
    check(strcmp(name, again) == 0, "a name changes on its way");
}

/* What COPYUID says is whole and unambiguous, or not believed. */
static void
try_copied(char *text)
{
    static char name[] = "COPYUID";
    g_autoptr(GArray) codes =
        g_array_new(FALSE, FALSE, sizeof(ImapResponseCode));
    g_autoptr(ImapUidSet) asked = imap_uid_set_parse("1:20,100:120", 12);
    g_autoptr(ImapCopied) copied = imap_copied_new();
    ImapResponseCode code = {name, text};
    ImapStatus status = {.codes = codes};

    g_array_append_val(codes, code);
    if (imap_copied_take(copied, &status, asked) != IMAP_COPIED_TAKEN) {
        check(copied->pairs->len == 0, "something is told of copies");
        return;
    }
    check(copied->pairs->len > 0 && copied->uidvalidity > 0,
          "nothing is told of copies");
    for (guint i = 0; i < copied->pairs->len; i++) {
        ImapUidPair pair = g_array_index(copied->pairs, ImapUidPair, i);

        check(pair.to > 0 && imap_uid_set_contains(asked, pair.from) &&
                  imap_copied_find(copied, pair.from) == pair.to,
              "a copy is not what was asked for");
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    gint64 seconds;

    try_cuts(data, size);
    try_set((const char *)data, size);
    try_name(text);
    try_copied(text);
    imap_date_parse(text, &seconds);
    return 0;
}
