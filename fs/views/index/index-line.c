/* Lines of the table of a mailbox. */
#include "fs/views/index/index-line.h"

#include "fs/control/json.h"
#include "fs/names/header-field.h"

#include <string.h>

/* Octets of a value. */
#define VALUE_MAX 1000u
#define FLAGS_MAX 4096u

/* ---- what the header says ---- */

/* One space for several, as folded lines leave them, and none at the ends; cut
 * at a character. */
static char *
tidy(char *text)
{
    gsize length = 0;

    for (const char *at = text; *at != '\0'; at++)
        if (*at != ' ' || (length > 0 && text[length - 1] != ' '))
            text[length++] = *at;
    length = MIN(length, VALUE_MAX);
    text[length] = '\0';
    if (!g_utf8_validate(text, (gssize)length, NULL))
        text[g_utf8_prev_char(text + length) - text] = '\0';
    return g_strchomp(text);
}

static char *
read_field(const char *header, gsize length, const char *name)
{
    g_autofree char *value = fs_header_field(header, length, name);

    return value != NULL ? tidy(fs_header_field_decode(value)) : g_strdup("");
}

void
fs_index_fields_read(FsIndexFields *fields, const char *header, gsize length)
{
    fields->from = read_field(header, length, "From");
    fields->to = read_field(header, length, "To");
    fields->subject = read_field(header, length, "Subject");
    fields->message_id = read_field(header, length, "Message-ID");
}

void
fs_index_fields_clear(FsIndexFields *fields)
{
    g_clear_pointer(&fields->from, g_free);
    g_clear_pointer(&fields->to, g_free);
    g_clear_pointer(&fields->subject, g_free);
    g_clear_pointer(&fields->message_id, g_free);
}

/* ---- lines ---- */

static char *
format_date(gint64 seconds)
{
    g_autoptr(GDateTime) date = g_date_time_new_from_unix_utc(seconds);

    return date != NULL ? g_date_time_format(date, "%Y-%m-%dT%H:%M:%SZ")
                        : g_strdup("");
}

static gboolean
is_plain(const char *value)
{
    for (; *value != '\0'; value++)
        if (!g_ascii_isprint(*value))
            return FALSE;
    return TRUE;
}

/* One value, behind a tab. */
static void
append_value(GString *text, const char *value)
{
    g_autofree char *valid = NULL;

    g_string_append_c(text, '\t');
    if (is_plain(value)) {
        g_string_append(text, value);
        return;
    }
    valid = g_utf8_make_valid(value, -1);
    for (const char *at = valid; *at != '\0'; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        if (g_unichar_iscntrl(character) || character == 0x2028 ||
            character == 0x2029)
            g_string_append_c(text, ' ');
        else
            g_string_append_unichar(text, character);
    }
}

static const char *
describe_attachments(int attachments)
{
    return attachments > 0 ? "yes" : attachments == 0 ? "no" : "";
}

static void
append_tsv(GString *text, const FsEntry *entry, const char *date,
           const char *flags, const CacheFieldsRow *fields)
{
    g_string_append_printf(text, "%u", entry->uid);
    append_value(text, entry->name);
    g_string_append_printf(text, "\t%" G_GINT64_FORMAT,
                           (gint64)entry->attributes.st_size);
    append_value(text, date);
    append_value(text, flags);
    append_value(text, fields->from);
    append_value(text, fields->to);
    append_value(text, fields->subject);
    append_value(text, fields->message_id);
    append_value(text, describe_attachments(fields->attachments));
}

static void
append_json(GString *text, const FsEntry *entry, const char *date,
            const char *flags, const CacheFieldsRow *fields)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autofree char *line = NULL;

    json_builder_begin_object(builder);
    fs_json_add_number(builder, "uid", entry->uid);
    fs_json_add_text(builder, "name", entry->name, VALUE_MAX);
    fs_json_add_number(builder, "size", (guint64)entry->attributes.st_size);
    fs_json_add_text(builder, "date", date, VALUE_MAX);
    fs_json_add_words(builder, "flags", flags);
    fs_json_add_text(builder, "from", fields->from, VALUE_MAX);
    fs_json_add_text(builder, "to", fields->to, VALUE_MAX);
    fs_json_add_text(builder, "subject", fields->subject, VALUE_MAX);
    fs_json_add_text(builder, "message_id", fields->message_id, VALUE_MAX);
    if (fields->attachments >= 0) {
        fs_json_add_bool(builder, "attachments", fields->attachments > 0);
    } else {
        json_builder_set_member_name(builder, "attachments");
        json_builder_add_null_value(builder);
    }
    json_builder_end_object(builder);
    line = fs_json_to_text(builder, FALSE);
    g_string_append(text, line);
}

void
fs_index_line_append(GString *text, FsIndexFormat format, const FsEntry *entry,
                     const char *flags, const CacheFieldsRow *fields)
{
    g_autofree char *date = format_date(entry->attributes.st_mtim.tv_sec);
    g_autofree char *shown = g_strndup(flags != NULL ? flags : "", FLAGS_MAX);

    if (format == FS_INDEX_TSV)
        append_tsv(text, entry, date, shown, fields);
    else
        append_json(text, entry, date, shown, fields);
    g_string_append_c(text, '\n');
}
