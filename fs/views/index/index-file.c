/* A table as a file without a size, whose lines are made when they are read.
 *
 * Memory holds the lines of one read. Who goes back reads them anew, from the
 * last of some noted places before that: what has changed since may then be so
 * in the text. */
#include "fs/views/index/index-file.h"

#include "fs/changes/changes.h"
#include "fs/views/index/index-source.h"
#include "fs/views/shown.h"

#include <string.h>

/* Octets between two places that are noted. */
#define PLACE_DISTANCE (64u * 1024)
/* Lines that are made, at most, before others get their turn. */
#define ROWS_AT_ONCE 2000u

/* The text at @offset is the line of the message after @uid. */
typedef struct {
    guint64 offset;
    guint32 uid;
} Place;

typedef struct {
    FsViewFile parent;
    FsAccount *account;
    FsNameSpace *names;
    guint32 mailbox;
    FsIndexFormat format;
    FsIndexSource *source;
    GString *text;  /* the lines that were made last */
    guint64 offset; /* of the text */
    gboolean ended; /* the text is the last */
    GArray *places; /* of Place, ascending */
} IndexFile;

static guint64
end_of_text(const IndexFile *file)
{
    return file->offset + file->text->len;
}

static void
note_place(IndexFile *file, guint32 uid)
{
    const Place *last =
        &g_array_index(file->places, Place, file->places->len - 1);
    const Place place = {end_of_text(file), uid};

    if (place.offset >= last->offset + PLACE_DISTANCE)
        g_array_append_val(file->places, place);
}

static void
go_back_to(IndexFile *file, guint64 offset)
{
    guint i = file->places->len - 1;
    const Place *place;

    while (i > 0 && g_array_index(file->places, Place, i).offset > offset)
        i--;
    place = &g_array_index(file->places, Place, i);
    fs_index_source_free(file->source);
    file->source =
        fs_index_source_new(file->account, file->mailbox, place->uid);
    file->offset = place->offset;
    file->ended = FALSE;
    g_string_truncate(file->text, 0);
}

static void
append_line(IndexFile *file, const CacheFieldsRow *row)
{
    CacheIndex *index = file->account->index;
    g_autofree char *flags = NULL;
    CacheMessage message;
    FsEntry entry;

    if (!fs_shown_find(file->account, file->names, file->mailbox, row->uid,
                       &entry, NULL))
        return;
    if (cache_index_message(index, file->mailbox, row->uid, &message))
        flags = fs_changes_flags(file->account->changes, file->mailbox,
                                 row->uid, message.flags);
    fs_index_line_append(file->text, file->format, &entry, flags, row);
}

/* Makes lines until the text reaches @end, or others are to get their turn.
 * What to wait for when they are not there yet: the caller owns it; else NULL.
 */
static FsNeed *
make_text(IndexFile *file, guint64 end)
{
    CacheFieldsRow row;
    FsNeed *missing;

    for (guint n = 0;
         n < ROWS_AT_ONCE && !file->ended && end_of_text(file) < end; n++) {
        if (fs_index_source_next(file->source, &row, &missing)) {
            append_line(file, &row);
            note_place(file, row.uid);
        } else if (missing != NULL) {
            return fs_need_ref(missing);
        } else {
            file->ended = TRUE;
        }
    }
    return NULL;
}

/* Is met at once: what waits for it runs again when others have had their turn.
 */
static FsNeed *
next_turn(void)
{
    FsNeed *need = fs_need_new();

    fs_need_complete(need, NULL);
    return need;
}

/* What is before @offset is not needed any more. */
static void
drop_text(IndexFile *file, guint64 offset)
{
    gsize passed = MIN(offset - file->offset, file->text->len);

    g_string_erase(file->text, 0, (gssize)passed);
    file->offset += passed;
}

static gssize
index_read(FsViewFile *view_file, guint64 offset, void *buffer, gsize length,
           FsNeed **need)
{
    IndexFile *file = (IndexFile *)view_file;
    g_autoptr(FsNeed) missing = NULL;
    gsize taken;

    if (offset < file->offset)
        go_back_to(file, offset);
    drop_text(file, offset);
    missing = make_text(file, offset + length);
    drop_text(file, offset);
    if (file->offset < offset || file->text->len == 0) {
        if (file->ended)
            return 0;
        *need = missing != NULL ? g_steal_pointer(&missing) : next_turn();
        return -1;
    }
    taken = MIN(length, file->text->len);
    memcpy(buffer, file->text->str, taken);
    return (gssize)taken;
}

static void
index_free(FsViewFile *view_file)
{
    IndexFile *file = (IndexFile *)view_file;

    fs_index_source_free(file->source);
    g_string_free(file->text, TRUE);
    g_array_unref(file->places);
    g_free(file);
}

static const FsViewFileClass index_class = {
    .read = index_read,
    .free = index_free,
};

FsViewFile *
fs_index_file_new(FsAccount *account, FsNameSpace *names, guint32 mailbox,
                  FsIndexFormat format)
{
    IndexFile *file = g_new0(IndexFile, 1);
    const Place beginning = {0, 0};

    file->parent.class = &index_class;
    file->parent.streams = TRUE;
    file->account = account;
    file->names = names;
    file->mailbox = mailbox;
    file->format = format;
    file->source = fs_index_source_new(account, mailbox, 0);
    file->text = g_string_new(NULL);
    file->places = g_array_new(FALSE, FALSE, sizeof(Place));
    g_array_append_val(file->places, beginning);
    return &file->parent;
}
