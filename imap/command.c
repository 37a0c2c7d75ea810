/* Commands as they are written to the wire. The choice of a string's form is
 * made when it is sent, for only then is it known what the server takes. */
#include "imap/command.h"

#include "imap/error.h"

#include <openssl/crypto.h>
#include <string.h>

/* Longer strings, and those that quoting does not suit, become literals. */
#define MAX_QUOTED 512
#define MAX_LITERAL_MINUS 4096

typedef struct {
    gboolean is_string; /* an argument; else protocol text */
    GString *text;
} Part;

struct ImapCommand {
    GArray *parts; /* of Part */
    char *name;
    gboolean secret;
    gboolean exclusive;
    gboolean follower;
    GError *refusal; /* why it is not sent; NULL: it is */

    /* The message that is its last argument. */
    guint64 message_size; /* octets; 0: there is none */
    guint64 max_pipelined;
    ImapReadFunc read;
    gpointer read_data;
};

static void
wiped_string_free(gpointer string)
{
    GString *text = string;

    OPENSSL_cleanse(text->str, text->allocated_len);
    g_string_free(text, TRUE);
}

static void
part_clear(gpointer part)
{
    wiped_string_free(((Part *)part)->text);
}

static void
add_part(ImapCommand *command, gboolean is_string, const char *text)
{
    Part part = {is_string, g_string_new(text)};

    g_array_append_val(command->parts, part);
}

static char *
name_of(const char *text)
{
    const char *end = strchr(text, ' ');

    if (end != NULL && g_str_has_prefix(text, "UID "))
        end = strchr(end + 1, ' ');
    return end != NULL ? g_strndup(text, end - text) : g_strdup(text);
}

ImapCommand *
imap_command_new(const char *text)
{
    ImapCommand *command = g_new0(ImapCommand, 1);

    command->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(command->parts, part_clear);
    command->name = name_of(text);
    add_part(command, FALSE, text);
    return command;
}

void
imap_command_free(ImapCommand *command)
{
    if (command == NULL)
        return;
    g_array_unref(command->parts);
    g_free(command->name);
    g_clear_error(&command->refusal);
    g_free(command);
}

void
imap_command_add_text(ImapCommand *command, const char *text)
{
    add_part(command, FALSE, text);
}

void
imap_command_add_format(ImapCommand *command, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    add_part(command, FALSE, text);
}

void
imap_command_add_string(ImapCommand *command, const char *value)
{
    add_part(command, TRUE, value);
}

void
imap_command_add_message(ImapCommand *command, guint64 size,
                         guint64 max_pipelined, ImapReadFunc read,
                         gpointer user_data)
{
    command->message_size = size;
    command->max_pipelined = max_pipelined;
    command->read = read;
    command->read_data = user_data;
}

guint64
imap_command_message_size(const ImapCommand *command)
{
    return command->message_size;
}

gssize
imap_command_read_message(const ImapCommand *command, void *buffer, gsize size)
{
    return command->read(buffer, size, command->read_data);
}

static gboolean
literal_waits(guint64 size, ImapLiterals literals)
{
    return literals == IMAP_LITERALS_SYNCHRONISING ||
           (literals == IMAP_LITERALS_MINUS && size > MAX_LITERAL_MINUS);
}

gboolean
imap_command_message_waits(const ImapCommand *command, ImapLiterals literals)
{
    return command->message_size > command->max_pipelined ||
           literal_waits(command->message_size, literals);
}

void
imap_command_refuse(ImapCommand *command, GError *error)
{
    g_clear_error(&command->refusal);
    command->refusal = error;
}

void
imap_command_set_secret(ImapCommand *command)
{
    command->secret = TRUE;
}

gboolean
imap_command_is_secret(const ImapCommand *command)
{
    return command->secret;
}

void
imap_command_set_exclusive(ImapCommand *command)
{
    command->exclusive = TRUE;
}

gboolean
imap_command_is_exclusive(const ImapCommand *command)
{
    return command->exclusive;
}

void
imap_command_set_follower(ImapCommand *command)
{
    command->follower = TRUE;
}

gboolean
imap_command_is_follower(const ImapCommand *command)
{
    return command->follower;
}

const char *
imap_command_name(const ImapCommand *command)
{
    return command->name;
}

typedef enum {
    FORM_ATOM,
    FORM_QUOTED,
    FORM_LITERAL,
} Form;

static Form
form_of(const GString *value)
{
    Form form = FORM_ATOM;

    if (value->len == 0)
        return FORM_QUOTED;
    if (value->len > MAX_QUOTED)
        return FORM_LITERAL;
    /* Some servers take a quoted string that ends in "{5}" for a literal. */
    if (strchr(value->str, '}') != NULL)
        return FORM_LITERAL;
    for (gsize i = 0; i < value->len; i++) {
        guchar c = value->str[i];

        if (c >= 0x80 || c < 0x20 || c == 0x7f)
            return FORM_LITERAL;
        if (strchr(" (){%*\"\\]&~/", c) != NULL)
            form = FORM_QUOTED;
    }
    return g_ascii_strcasecmp(value->str, "NIL") == 0 ? FORM_QUOTED : form;
}

static void
append_quoted(GString *line, const GString *value)
{
    g_string_append_c(line, '"');
    for (gsize i = 0; i < value->len; i++) {
        if (value->str[i] == '"' || value->str[i] == '\\')
            g_string_append_c(line, '\\');
        g_string_append_c(line, value->str[i]);
    }
    g_string_append_c(line, '"');
}

/* Returns the string that what follows goes to: @line, or a new one behind a
 * synchronising literal. */
static GString *
append_string(GPtrArray *segments, GString *line, const GString *value,
              ImapLiterals literals)
{
    gboolean waits;

    switch (form_of(value)) {
    case FORM_ATOM:
        g_string_append_len(line, value->str, value->len);
        break;
    case FORM_QUOTED:
        append_quoted(line, value);
        break;
    case FORM_LITERAL:
        waits = literal_waits(value->len, literals);
        g_string_append_printf(line, "{%" G_GSIZE_FORMAT "%s}\r\n", value->len,
                               waits ? "" : "+");
        if (waits) {
            line = g_string_sized_new(line->allocated_len);
            g_ptr_array_add(segments, line);
        }
        g_string_append_len(line, value->str, value->len);
        break;
    }
    return line;
}

/* An upper bound, so that a line never grows: that would leave copies of a
 * password behind. */
static gsize
encoded_length(const ImapCommand *command, const char *tag)
{
    gsize length =
        strlen(tag) + sizeof " {18446744073709551615+}" + sizeof " \r\n";

    for (guint i = 0; i < command->parts->len; i++)
        length += 2 * g_array_index(command->parts, Part, i).text->len +
                  sizeof "{18446744073709551615+}\r\n";
    return length;
}

GPtrArray *
imap_command_encode(const ImapCommand *command, const char *tag,
                    ImapLiterals literals, GError **error)
{
    g_autoptr(GPtrArray) segments =
        g_ptr_array_new_with_free_func(wiped_string_free);
    GString *line;

    if (command->refusal != NULL) {
        g_propagate_error(error, g_error_copy(command->refusal));
        return NULL;
    }
    line = g_string_sized_new(encoded_length(command, tag));
    g_ptr_array_add(segments, line);
    g_string_append(line, tag);
    g_string_append_c(line, ' ');
    for (guint i = 0; i < command->parts->len; i++) {
        const Part *part = &g_array_index(command->parts, Part, i);

        if (!part->is_string) {
            g_string_append_len(line, part->text->str, part->text->len);
            continue;
        }
        if (strpbrk(part->text->str, "\r\n") != NULL) {
            g_set_error(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT,
                        "%s was not sent: a name in it holds a line break",
                        command->name);
            return NULL;
        }
        line = append_string(segments, line, part->text, literals);
    }
    if (command->message_size > 0)
        g_string_append_printf(
            line, " {%" G_GUINT64_FORMAT "%s}", command->message_size,
            imap_command_message_waits(command, literals) ? "" : "+");
    g_string_append(line, "\r\n");
    return g_steal_pointer(&segments);
}
