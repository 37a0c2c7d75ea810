/* Notes as key files: names and values that people can read, too. */
#include "fs/writing/spool-note.h"

#include "cache/spool.h"

#include <string.h>

#define GROUP "imapfs"
/* Octets of what has none without it being told. */
#define LONG 1200u

static const char *const kinds[] = {"",       "local", "lost",
                                    "upload", "kept",  "stored"};

typedef struct {
    const char *key;
    gsize offset;
} Field;

#define TEXT(member)                                                           \
    {                                                                          \
#member, G_STRUCT_OFFSET(FsSpoolNote, member)                          \
    }
static const Field texts[] = {
    TEXT(name), TEXT(flags), TEXT(own_flags), TEXT(message_id), TEXT(digest),
};
static const Field longs[] = {
    TEXT(uidvalidity),
    TEXT(held),
    TEXT(record),
    TEXT(source),
};
static const Field shorts[] = {
    TEXT(mailbox),    TEXT(copy_mailbox), TEXT(from_uid),   TEXT(replaces),
    TEXT(must_match), TEXT(copy_uid),     TEXT(unanswered),
};
#undef TEXT

static char *
compose(const FsSpoolNote *note, gboolean with_long)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    const char *base = (const char *)note;

    g_key_file_set_string(file, GROUP, "kind", kinds[note->kind]);
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        const char *text = *(char *const *)(base + texts[i].offset);

        if (text != NULL && (with_long || strlen(text) <= LONG))
            g_key_file_set_string(file, GROUP, texts[i].key, text);
    }
    for (guint i = 0; i < G_N_ELEMENTS(longs); i++)
        g_key_file_set_uint64(file, GROUP, longs[i].key,
                              *(const guint64 *)(base + longs[i].offset));
    for (guint i = 0; i < G_N_ELEMENTS(shorts); i++)
        g_key_file_set_uint64(file, GROUP, shorts[i].key,
                              *(const guint32 *)(base + shorts[i].offset));
    g_key_file_set_int64(file, GROUP, "date", note->date);
    return g_key_file_to_data(file, NULL, NULL);
}

char *
fs_spool_note_to_text(const FsSpoolNote *note)
{
    FsSpoolNote less = *note;
    char *text = compose(note, TRUE);

    if (strlen(text) <= CACHE_SPOOL_NOTE_MAX)
        return text;
    g_free(text);
    less.message_id = NULL;
    text = compose(&less, TRUE);
    if (strlen(text) <= CACHE_SPOOL_NOTE_MAX)
        return text;
    g_free(text);
    return compose(&less, FALSE);
}

void
fs_spool_note_from_text(const char *text, FsSpoolNote *note)
{
    g_autoptr(GKeyFile) file = g_key_file_new();
    g_autofree char *kind = NULL;
    char *base = (char *)note;

    memset(note, 0, sizeof *note);
    if (!g_key_file_load_from_data(file, text, strlen(text), G_KEY_FILE_NONE,
                                   NULL))
        return;
    kind = g_key_file_get_string(file, GROUP, "kind", NULL);
    for (guint i = 1; kind != NULL && i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(kind, kinds[i]))
            note->kind = (FsSpoolKind)i;
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        char *value = g_key_file_get_string(file, GROUP, texts[i].key, NULL);

        *(char **)(base + texts[i].offset) = value;
    }
    for (guint i = 0; i < G_N_ELEMENTS(longs); i++)
        *(guint64 *)(base + longs[i].offset) =
            g_key_file_get_uint64(file, GROUP, longs[i].key, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(shorts); i++)
        *(guint32 *)(base + shorts[i].offset) =
            (guint32)g_key_file_get_uint64(file, GROUP, shorts[i].key, NULL);
    note->date = g_key_file_get_int64(file, GROUP, "date", NULL);
}

void
fs_spool_note_clear(FsSpoolNote *note)
{
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        g_clear_pointer((char **)((char *)note + texts[i].offset), g_free);
}
