/* JSON by json-glib; text from servers is tamed on its way in, for it ends up
 * on terminals. */
#include "fs/control/json.h"

#include "fs/text.h"

void
fs_json_add_element(JsonBuilder *builder, const char *value, gsize max)
{
    g_autofree char *tamed = fs_text_tame(value, max);

    json_builder_add_string_value(builder, tamed);
}

void
fs_json_add_text(JsonBuilder *builder, const char *name, const char *value,
                 gsize max)
{
    if (value == NULL)
        return;
    json_builder_set_member_name(builder, name);
    fs_json_add_element(builder, value, max);
}

void
fs_json_add_number(JsonBuilder *builder, const char *name, guint64 value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, (gint64)MIN(value, G_MAXINT64));
}

void
fs_json_add_bool(JsonBuilder *builder, const char *name, gboolean value)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_boolean_value(builder, value);
}

#define WORD_MAX 1000

void
fs_json_add_words(JsonBuilder *builder, const char *name, const char *text)
{
    g_auto(GStrv) words = NULL;

    if (text == NULL)
        return;
    words = g_strsplit(text, " ", -1);
    json_builder_set_member_name(builder, name);
    json_builder_begin_array(builder);
    for (char **word = words; *word != NULL; word++)
        if (**word != '\0')
            fs_json_add_element(builder, *word, WORD_MAX);
    json_builder_end_array(builder);
}

void
fs_json_add_time(JsonBuilder *builder, const char *name, gint64 time)
{
    g_autoptr(GDateTime) date =
        time != 0 ? g_date_time_new_from_unix_utc(time / G_USEC_PER_SEC) : NULL;
    g_autofree char *seconds = NULL;
    g_autofree char *text = NULL;

    json_builder_set_member_name(builder, name);
    if (date == NULL) {
        json_builder_add_null_value(builder);
        return;
    }
    seconds = g_date_time_format(date, "%Y-%m-%dT%H:%M:%S");
    text = g_strdup_printf("%s.%03dZ", seconds,
                           (int)(time % G_USEC_PER_SEC / 1000));
    json_builder_add_string_value(builder, text);
}

char *
fs_json_to_text(JsonBuilder *builder, gboolean pretty)
{
    g_autoptr(JsonGenerator) generator = json_generator_new();
    g_autoptr(JsonNode) root = json_builder_get_root(builder);

    json_generator_set_root(generator, root);
    json_generator_set_pretty(generator, pretty);
    json_generator_set_indent(generator, 2);
    return json_generator_to_data(generator, NULL);
}
