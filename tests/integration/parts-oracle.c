/* What GMime makes of a message, for tests to compare with: reads one on
 * standard input and writes each part that is neither a multipart nor a
 * message, in order:
 *
 *     MESSAGE TYPE CHARSET ATTACHMENT NAME LENGTH
 *     LENGTH octets, decoded
 *
 * MESSAGE: which message it is in, "/" or "/0/3/": the numbers, of all parts,
 * of the messages around it. CHARSET and NAME in hex, "-" for none. */
#include <gmime/gmime.h>
#include <stdio.h>
#include <string.h>

static guint count;

static void
print_hex(const char *text)
{
    printf(" ");
    if (text == NULL || text[0] == '\0')
        printf("-");
    for (; text != NULL && *text != '\0'; text++)
        printf("%02x", (guchar)*text);
}

static void
print_leaf(GMimePart *part, const char *message)
{
    GMimeObject *object = GMIME_OBJECT(part);
    g_autofree char *type = g_mime_content_type_get_mime_type(
        g_mime_object_get_content_type(object));
    const char *disposition = g_mime_object_get_disposition(object);
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *stream = g_mime_stream_mem_new();
    GByteArray *octets =
        g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));

    if (content != NULL)
        g_mime_data_wrapper_write_to_stream(content, stream);
    printf("%s %s", message, type);
    print_hex(g_mime_object_get_content_type_parameter(object, "charset"));
    printf(" %d", disposition != NULL &&
                      g_ascii_strcasecmp(disposition, "attachment") == 0);
    print_hex(g_mime_part_get_filename(part));
    printf(" %u\n", octets->len);
    fwrite(octets->data, 1, octets->len, stdout);
    g_object_unref(stream);
}

static void
print_object(GMimeObject *object, const char *message)
{
    guint number = count++;

    if (GMIME_IS_MULTIPART(object)) {
        for (int i = 0; i < g_mime_multipart_get_count(GMIME_MULTIPART(object));
             i++)
            print_object(g_mime_multipart_get_part(GMIME_MULTIPART(object), i),
                         message);
    } else if (GMIME_IS_MESSAGE_PART(object)) {
        g_autofree char *inner = g_strdup_printf("%s%u/", message, number);
        GMimeMessage *nested =
            g_mime_message_part_get_message(GMIME_MESSAGE_PART(object));

        if (nested != NULL && g_mime_message_get_mime_part(nested) != NULL)
            print_object(g_mime_message_get_mime_part(nested), inner);
    } else if (GMIME_IS_PART(object)) {
        print_leaf(GMIME_PART(object), message);
    }
}

int
main(void)
{
    GByteArray *input = g_byte_array_new();
    guint8 buffer[4096];
    gsize length;
    GMimeStream *stream;
    GMimeParser *parser;
    GMimeMessage *message;

    g_mime_init();
    while ((length = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        g_byte_array_append(input, buffer, (guint)length);
    stream = g_mime_stream_mem_new_with_byte_array(input);
    parser = g_mime_parser_new_with_stream(stream);
    message = g_mime_parser_construct_message(parser, NULL);
    if (message != NULL && g_mime_message_get_mime_part(message) != NULL)
        print_object(g_mime_message_get_mime_part(message), "/");
    g_clear_object(&message);
    g_object_unref(parser);
    g_object_unref(stream);
    return 0;
}
