/* Takes a message apart, by GMime. */
#include "fs/views/parts/whole-message.h"

#include "fs/names/header-field.h"
#include "fs/views/parts/parse-cost.h"
#include "fs/views/text-form.h"

#include <gmime/gmime.h>
#include <string.h>

/* What a message may be taken apart into, in memory. */
#define COST_MAX (256u * 1024 * 1024)

/* ---- decoding ---- */

struct FsPartDecoder {
    GMimeFilter *filter; /* NULL: nothing to decode */
};

FsPartDecoder *
fs_part_decoder_new(const char *encoding)
{
    FsPartDecoder *decoder = g_new0(FsPartDecoder, 1);
    GMimeContentEncoding known;

    fs_header_field_init();
    known = g_mime_content_encoding_from_string(encoding);
    switch (known) {
    case GMIME_CONTENT_ENCODING_BASE64:
    case GMIME_CONTENT_ENCODING_QUOTEDPRINTABLE:
    case GMIME_CONTENT_ENCODING_UUENCODE:
        decoder->filter = g_mime_filter_basic_new(known, FALSE);
        break;
    case GMIME_CONTENT_ENCODING_DEFAULT:
    case GMIME_CONTENT_ENCODING_7BIT:
    case GMIME_CONTENT_ENCODING_8BIT:
    case GMIME_CONTENT_ENCODING_BINARY:
    default:
        break;
    }
    return decoder;
}

void
fs_part_decoder_free(FsPartDecoder *decoder)
{
    if (decoder == NULL)
        return;
    g_clear_object(&decoder->filter);
    g_free(decoder);
}

const char *
fs_part_decoder_step(FsPartDecoder *decoder, const char *octets, gsize length,
                     gboolean last, gsize *result_length)
{
    char *result = NULL;
    gsize room;

    if (decoder->filter == NULL) {
        *result_length = length;
        return octets;
    }
    if (last)
        g_mime_filter_complete(decoder->filter, (char *)octets, length, 0,
                               &result, result_length, &room);
    else
        g_mime_filter_filter(decoder->filter, (char *)octets, length, 0,
                             &result, result_length, &room);
    return result;
}

GBytes *
fs_part_content_of(GByteArray *octets, const char *charset)
{
    GString *text;

    if (charset == NULL || octets->len > FS_TEXT_MAX || octets->len == 0)
        return g_byte_array_free_to_bytes(octets);
    text = fs_text_to_utf8((const char *)octets->data, octets->len, charset);
    g_byte_array_unref(octets);
    return g_string_free_to_bytes(text);
}

/* ---- the parts ---- */

typedef struct {
    GArray *parts;      /* of FsMimePart */
    GPtrArray *objects; /* of GMimeObject or GMimeMessage, borrowed */
} Walk;

static char *
section_of_child(const char *section, guint number)
{
    return section[0] == '\0' ? g_strdup_printf("%u", number)
                              : g_strdup_printf("%s.%u", section, number);
}

static guint
add(Walk *walk, GMimeObject *object, ImapPartKind kind, guint parent,
    const char *section)
{
    GMimeContentType *type = g_mime_object_get_content_type(object);
    g_autofree char *name = type != NULL
                                ? g_mime_content_type_get_mime_type(type)
                                : g_strdup("text/plain");
    const char *charset =
        g_mime_object_get_content_type_parameter(object, "charset");
    const char *disposition = g_mime_object_get_disposition(object);
    FsMimePart part = {
        .kind = kind,
        .parent = parent,
        .section = g_strdup(section),
        .type = g_ascii_strdown(name, -1),
        .encoding = g_strdup(""),
        .charset = g_strdup(charset != NULL ? charset : ""),
        .attachment = disposition != NULL &&
                      g_ascii_strcasecmp(disposition, "attachment") == 0,
    };

    if (GMIME_IS_PART(object))
        part.name = g_strdup(g_mime_part_get_filename(GMIME_PART(object)));
    else if (GMIME_IS_MESSAGE_PART(object))
        part.name = g_strdup(g_mime_object_get_content_disposition_parameter(
            object, "filename"));
    if (part.name == NULL && GMIME_IS_MESSAGE_PART(object))
        part.name =
            g_strdup(g_mime_object_get_content_type_parameter(object, "name"));
    g_array_append_val(walk->parts, part);
    g_ptr_array_add(walk->objects, object);
    return walk->parts->len - 1;
}

static void walk_part(Walk *walk, GMimeObject *object, guint parent,
                      const char *section);

/* The body of a message; NULL: it has none. */
static void
walk_body(Walk *walk, GMimeObject *body, guint parent, const char *section)
{
    g_autofree char *only = section_of_child(section, 1);

    if (body != NULL)
        walk_part(walk, body, parent,
                  GMIME_IS_MULTIPART(body) ? section : only);
}

static void
walk_part(Walk *walk, GMimeObject *object, guint parent, const char *section)
{
    guint index;

    if (walk->parts->len > IMAP_STRUCTURE_MAX_PARTS)
        return;
    if (GMIME_IS_MULTIPART(object)) {
        GMimeMultipart *multipart = GMIME_MULTIPART(object);

        index = add(walk, object, IMAP_PART_MULTIPART, parent, section);
        for (int i = 0; i < g_mime_multipart_get_count(multipart); i++) {
            g_autofree char *child = section_of_child(section, (guint)i + 1);

            walk_part(walk, g_mime_multipart_get_part(multipart, i), index,
                      child);
        }
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        GMimeMessage *message =
            g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));

        index = add(walk, object, IMAP_PART_MESSAGE, parent, section);
        if (message != NULL)
            walk_body(walk, g_mime_message_get_mime_part(message), index,
                      section);
    } else {
        add(walk, object, IMAP_PART_LEAF, parent, section);
    }
}

/* ---- what they hold ---- */

static GBytes *
content_of_leaf(GMimeObject *object, const FsPart *part)
{
    GMimeDataWrapper *content =
        GMIME_IS_PART(object) ? g_mime_part_get_content(GMIME_PART(object))
                              : NULL;
    GByteArray *octets = g_byte_array_new();
    GMimeStream *stream;

    if (content != NULL) {
        stream = g_mime_stream_mem_new_with_byte_array(octets);
        g_mime_stream_mem_set_owner(GMIME_STREAM_MEM(stream), FALSE);
        g_mime_data_wrapper_write_to_stream(content, stream);
        g_object_unref(stream);
    }
    return fs_part_content_of(octets, part->charset);
}

static GBytes *
text_of_header(const char *header)
{
    return g_string_free_to_bytes(fs_header_to_text(header, strlen(header)));
}

static GBytes *
content_of_header(const Walk *walk, const FsPart *part)
{
    GMimeObject *object = g_ptr_array_index(walk->objects, part->mime);
    GMimeMessage *message =
        GMIME_IS_MESSAGE_PART(object)
            ? g_mime_message_part_get_message(GMIME_MESSAGE_PART(object))
            : NULL;
    g_autofree char *header =
        message != NULL ? g_mime_object_get_headers(GMIME_OBJECT(message), NULL)
                        : g_strdup("");

    return text_of_header(header);
}

/* Up to the first empty line. */
static GBytes *
content_of_outer_header(GBytes *octets)
{
    gsize length;
    const char *data = g_bytes_get_data(octets, &length);

    return g_string_free_to_bytes(fs_header_to_text(data, length));
}

static void
unref_bytes(gpointer bytes)
{
    if (bytes != NULL)
        g_bytes_unref(bytes);
}

static void
fill_contents(FsWholeMessage *whole, const Walk *walk, GBytes *octets)
{
    whole->contents = g_ptr_array_new_with_free_func(unref_bytes);
    for (guint i = 0; i < whole->tree->parts->len; i++) {
        const FsPart *part = g_ptr_array_index(whole->tree->parts, i);
        GBytes *content = NULL;

        if (part->kind == FS_PART_CONTENT)
            content = content_of_leaf(
                g_ptr_array_index(walk->objects, part->mime), part);
        else if (part->kind == FS_PART_HEADER && part->section[0] == '\0')
            content = content_of_outer_header(octets);
        else if (part->kind == FS_PART_HEADER)
            content = content_of_header(walk, part);
        g_ptr_array_add(whole->contents, content);
    }
}

/* GMime takes apart each field of a header that it knows, whoever asks for it:
 * addresses by recursion, a level for each group in a group, and all of them
 * anew for each field "To". Nobody asks here, and senders would choose how deep
 * the stack gets. So only the fields that say what a part is are looked at. */
static void
leave_fields_alone(void)
{
    static gsize done = 0;
    GMimeObjectClass *message;
    const GMimeObjectClass *object;

    if (!g_once_init_enter(&done))
        return;
    message = g_type_class_ref(GMIME_TYPE_MESSAGE);
    object = g_type_class_peek_parent(message);
    message->header_added = object->header_added;
    g_once_init_leave(&done, 1);
}

static GMimeMessage *
parse(GBytes *octets)
{
    gsize length;
    const char *data = g_bytes_get_data(octets, &length);
    GMimeStream *stream =
        g_mime_stream_mem_new_with_buffer(length > 0 ? data : "", length);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message;

    g_mime_parser_set_format(parser, GMIME_FORMAT_MESSAGE);
    g_mime_parser_set_persist_stream(parser, TRUE);
    message = g_mime_parser_construct_message(parser, NULL);
    g_object_unref(parser);
    g_object_unref(stream);
    return message;
}

static gboolean
is_bearable(GBytes *octets)
{
    gsize length;
    const char *data = g_bytes_get_data(octets, &length);

    return fs_parse_cost(data, length) <= COST_MAX;
}

FsWholeMessage *
fs_whole_message_new(GBytes *octets)
{
    g_autoptr(FsWholeMessage) whole = NULL;
    Walk walk;
    GMimeMessage *message;

    if (!is_bearable(octets))
        return NULL;
    whole = g_new0(FsWholeMessage, 1);
    walk = (Walk){fs_mime_parts_new(), g_ptr_array_new()};
    fs_header_field_init();
    leave_fields_alone();
    message = parse(octets);
    if (message != NULL)
        walk_body(&walk, g_mime_message_get_mime_part(message), 0, "");
    whole->tree = fs_part_tree_new(walk.parts, TRUE);
    if (whole->tree != NULL)
        fill_contents(whole, &walk, octets);
    g_clear_object(&message);
    g_array_unref(walk.parts);
    g_ptr_array_unref(walk.objects);
    return whole->tree != NULL ? g_steal_pointer(&whole) : NULL;
}

void
fs_whole_message_free(FsWholeMessage *message)
{
    if (message == NULL)
        return;
    fs_part_tree_unref(message->tree);
    if (message->contents != NULL)
        g_ptr_array_unref(message->contents);
    g_free(message);
}
