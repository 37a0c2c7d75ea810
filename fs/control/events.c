/* What happens, as lines of JSON for whoever reads along.
 *
 * A line is made once and shared by the readers' queues. A queue that is full
 * takes nothing more until it is half empty, so that a reader who is too slow
 * for what happens gets long stretches without a gap, and not a gap between any
 * two lines. What was lost is told when the queue takes lines again. */
#include "fs/control/events.h"

#include "fs/control/json.h"

#include <string.h>

/* Octets of one member. */
#define TEXT_MAX 1000
#define PATH_MAX_BYTES 4096

/* From this size on a read may be a part of a larger one, for the kernel cuts
 * at pages; the next part is asked for if this one was filled. */
#define PART_MIN 4096

struct FsEvents {
    GPtrArray *readers; /* of FsEventReader, borrowed */
};

struct FsEventReader {
    FsEvents *events;
    FsEventReadyFunc ready;
    gpointer user_data;
    GQueue lines; /* of GBytes, a reference each; with the end of the line */
    gsize octets; /* of those */
    gsize read;   /* octets of the first that were read */
    guint lost;
    gboolean full; /* nothing is taken until there is room again */
    gboolean ended;
};

static const char *
kind_name(FsEventKind kind)
{
    static const char *const names[] = {
        [FS_EVENT_NEW] = "new",         [FS_EVENT_EXPUNGED] = "expunged",
        [FS_EVENT_FLAGS] = "flags",     [FS_EVENT_MOVED] = "moved",
        [FS_EVENT_MAILBOX] = "mailbox", [FS_EVENT_CONNECTION] = "connection",
        [FS_EVENT_ERROR] = "error",
    };

    return names[kind];
}

static void
add_number(JsonBuilder *builder, const char *name, guint64 value)
{
    if (value != 0)
        fs_json_add_number(builder, name, value);
}

char *
fs_event_to_json(const FsEvent *event)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();

    json_builder_begin_object(builder);
    fs_json_add_time(builder, "time",
                     event->time != 0 ? event->time : g_get_real_time());
    fs_json_add_text(builder, "kind", kind_name(event->kind), TEXT_MAX);
    fs_json_add_text(builder, "mailbox", event->mailbox, PATH_MAX_BYTES);
    add_number(builder, "uid", event->uid);
    fs_json_add_text(builder, "name", event->name, TEXT_MAX);
    fs_json_add_text(builder, "from", event->from, TEXT_MAX);
    fs_json_add_text(builder, "subject", event->subject, TEXT_MAX);
    fs_json_add_words(builder, "flags", event->flags);
    fs_json_add_text(builder, "action", event->action, TEXT_MAX);
    add_number(builder, "connection", event->connection);
    fs_json_add_text(builder, "old_mailbox", event->old_mailbox,
                     PATH_MAX_BYTES);
    add_number(builder, "old_uid", event->old_uid);
    fs_json_add_text(builder, "old_name", event->old_name, TEXT_MAX);
    add_number(builder, "lost", event->lost);
    fs_json_add_text(builder, "text", event->text, TEXT_MAX);
    json_builder_end_object(builder);
    return fs_json_to_text(builder, FALSE);
}

/* With the end of the line. */
static GBytes *
line_of(const FsEvent *event)
{
    g_autofree char *text = fs_event_to_json(event);
    char *line = g_strconcat(text, "\n", NULL);

    return g_bytes_new_take(line, strlen(line));
}

/* ---- publishing ---- */

FsEvents *
fs_events_new(void)
{
    FsEvents *events = g_new0(FsEvents, 1);

    events->readers = g_ptr_array_new();
    return events;
}

void
fs_events_free(FsEvents *events)
{
    if (events == NULL)
        return;
    g_ptr_array_unref(events->readers);
    g_free(events);
}

guint
fs_events_n_readers(const FsEvents *events)
{
    return events->readers->len;
}

static void
append(FsEventReader *reader, GBytes *line)
{
    g_queue_push_tail(&reader->lines, g_bytes_ref(line));
    reader->octets += g_bytes_get_size(line);
}

static void
offer(FsEventReader *reader, GBytes *line)
{
    gboolean was_empty = reader->lines.length == 0;

    if (reader->ended)
        return;
    if (reader->lines.length >= FS_EVENTS_MAX ||
        reader->octets >= FS_EVENTS_MAX_BYTES)
        reader->full = TRUE;
    if (reader->full) {
        reader->lost += reader->lost < G_MAXUINT;
        return;
    }
    append(reader, line);
    if (was_empty && reader->ready != NULL)
        reader->ready(reader->user_data);
}

void
fs_events_publish(FsEvents *events, const FsEvent *event)
{
    g_autoptr(GBytes) line = NULL;

    if (events->readers->len == 0)
        return;
    line = line_of(event);
    for (guint i = 0; i < events->readers->len; i++)
        offer(g_ptr_array_index(events->readers, i), line);
}

/* ---- reading ---- */

FsEventReader *
fs_event_reader_new(FsEvents *events, FsEventReadyFunc ready,
                    gpointer user_data)
{
    FsEventReader *reader;

    if (events->readers->len >= FS_EVENT_READERS_MAX)
        return NULL;
    reader = g_new0(FsEventReader, 1);
    reader->events = events;
    reader->ready = ready;
    reader->user_data = user_data;
    g_queue_init(&reader->lines);
    g_ptr_array_add(events->readers, reader);
    return reader;
}

static void
free_line(gpointer line)
{
    g_bytes_unref(line);
}

void
fs_event_reader_free(FsEventReader *reader)
{
    if (reader == NULL)
        return;
    g_ptr_array_remove(reader->events->readers, reader);
    g_queue_clear_full(&reader->lines, free_line);
    g_free(reader);
}

void
fs_event_reader_end(FsEventReader *reader)
{
    if (reader->ended)
        return;
    reader->ended = TRUE;
    if (reader->ready != NULL)
        reader->ready(reader->user_data);
}

gboolean
fs_event_reader_has_ended(const FsEventReader *reader)
{
    return reader->ended;
}

gboolean
fs_event_reader_is_ready(const FsEventReader *reader)
{
    return reader->ended || reader->lines.length > 0;
}

static void
tell_lost(FsEventReader *reader)
{
    g_autofree char *text = g_strdup_printf(
        "%u events were lost, for they were not read in time", reader->lost);
    const FsEvent event = {
        .kind = FS_EVENT_ERROR, .lost = reader->lost, .text = text};
    g_autoptr(GBytes) line = line_of(&event);

    append(reader, line);
    reader->full = FALSE;
    reader->lost = 0;
}

static void
drop_first(FsEventReader *reader)
{
    GBytes *line = g_queue_pop_head(&reader->lines);

    reader->octets -= g_bytes_get_size(line);
    reader->read = 0;
    g_bytes_unref(line);
    if (reader->full && reader->lines.length <= FS_EVENTS_MAX / 2 &&
        reader->octets <= FS_EVENTS_MAX_BYTES / 2)
        tell_lost(reader);
}

/* Copies what is left of the first line, or a part of it. */
static gsize
take(FsEventReader *reader, char *buffer, gsize size)
{
    gsize length;
    const char *data =
        g_bytes_get_data(g_queue_peek_head(&reader->lines), &length);
    gsize rest = length - reader->read;
    gsize taken = MIN(rest, size);

    memcpy(buffer, data + reader->read, taken);
    reader->read += taken;
    if (reader->read == length)
        drop_first(reader);
    return taken;
}

static gsize
rest_of_first(const FsEventReader *reader)
{
    return g_bytes_get_size(g_queue_peek_head((GQueue *)&reader->lines)) -
           reader->read;
}

gsize
fs_event_reader_read(FsEventReader *reader, char *buffer, gsize size)
{
    gsize room = size >= PART_MIN ? size - 1 : size;
    gsize length = 0;

    while (reader->lines.length > 0 && length < room &&
           (length == 0 || rest_of_first(reader) <= room - length))
        length += take(reader, buffer + length, room - length);
    return length;
}
