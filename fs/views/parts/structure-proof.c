/* Accounts for each octet of a message.
 *
 *     header
 *     [preamble]
 *     --boundary CRLF fields content CRLF      for each part
 *     --boundary-- [epilogue]
 *
 * where the content of a part may be such a thing in itself. Its preamble and
 * epilogue are not looked at: a line each may be there. */
#include "fs/views/parts/structure-proof.h"

#include <string.h>

#define SLACK_OF_INNER 8u

typedef struct {
    guint parent;
    gboolean multipart;
    guint64 octets;
    gsize boundary; /* its length */
    char *section;  /* NULL: it is not in a multipart of the message's own */
    char *fields;   /* NULL: not given */
    gsize fields_length;
} Part;

struct FsStructureProof {
    GArray *parts; /* of Part; those in messages that are parts are left out */
    GBytes *header;
    guint64 size;
    char *boundary; /* "--" and that of the first part */
    GString *start; /* NULL: not given */
    GString *end;
};

/* ---- fields ---- */

static gboolean
is_token(char c)
{
    return c > ' ' && c != 0x7f && strchr("()<>@,;:\\\"/[]?=", c) == NULL;
}

/* Values are often tokens that are none, and everybody reads these alike. */
static gboolean
is_value(char c)
{
    return (guchar)c > ' ' && c != 0x7f && strchr("();\"", c) == NULL;
}

static const char *
skip_space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *
skip_tokens(const char *at)
{
    while (*at != '\0' && is_token(*at))
        at++;
    return at;
}

/* Behind the value at @at; NULL: it is none. */
static const char *
skip_value(const char *at)
{
    const char *begin = at;

    if (*at != '"') {
        while (*at != '\0' && is_value(*at))
            at++;
        return at > begin ? at : NULL;
    }
    for (at++; *at != '"'; at++) {
        if (*at == '\\' && at[1] != '\0')
            at++;
        if (*at == '\0' || *at == '\r' || *at == '\n')
            return NULL;
    }
    return at + 1;
}

/* *(";" attribute "=" value) [";"] */
static gboolean
are_parameters(const char *at)
{
    for (at = skip_space(at); *at == ';'; at = skip_space(at)) {
        const char *name = skip_space(at + 1);

        if (*name == '\0')
            return TRUE;
        at = skip_tokens(name);
        if (at == name || *skip_space(at) != '=')
            return FALSE;
        at = skip_value(skip_space(skip_space(at) + 1));
        if (at == NULL)
            return FALSE;
    }
    return *at == '\0';
}

static gboolean
is_type(const char *at)
{
    const char *type = skip_space(at);
    const char *slash = skip_tokens(type);
    const char *end;

    if (slash == type || *slash != '/')
        return FALSE;
    end = skip_tokens(slash + 1);
    return end > slash + 1 && are_parameters(end);
}

static gboolean
is_disposition(const char *at)
{
    const char *word = skip_space(at);
    const char *end = skip_tokens(word);

    return end > word && are_parameters(end);
}

static gboolean
is_encoding(const char *at)
{
    const char *word = skip_space(at);
    const char *end = skip_tokens(word);

    return end > word && *skip_space(end) == '\0';
}

static const struct {
    const char *name;
    gboolean (*is_plain)(const char *value);
} known[] = {
    {"Content-Type:", is_type},
    {"Content-Disposition:", is_disposition},
    {"Content-Transfer-Encoding:", is_encoding},
};

/* Behind the field that begins at @at. */
static const char *
end_of_field(const char *at, const char *end)
{
    do {
        const char *line = memchr(at, '\n', (gsize)(end - at));

        at = line != NULL ? line + 1 : end;
    } while (at < end && (*at == ' ' || *at == '\t'));
    return at;
}

gboolean
fs_mime_fields_are_plain(const char *header, gsize length)
{
    const char *end = header + length;
    gboolean seen[G_N_ELEMENTS(known)] = {FALSE};

    for (const char *at = header, *next; at < end; at = next) {
        next = end_of_field(at, end);
        for (guint i = 0; i < G_N_ELEMENTS(known); i++) {
            gsize n = strlen(known[i].name);
            g_autofree char *value = NULL;

            if ((gsize)(next - at) < n ||
                g_ascii_strncasecmp(at, known[i].name, n) != 0)
                continue;
            value = g_strndup(at + n, (gsize)(next - at) - n);
            if (seen[i] || !known[i].is_plain(value))
                return FALSE;
            seen[i] = TRUE;
        }
    }
    return TRUE;
}

gboolean
fs_mime_fields_say_multipart(const char *header, gsize length)
{
    const char *end = header + length;

    for (const char *at = header, *next; at < end; at = next) {
        g_autofree char *field = NULL;
        const char *value;

        next = end_of_field(at, end);
        field = g_strndup(at, (gsize)(next - at));
        value = field + strlen("Content-Type:");
        if (g_ascii_strncasecmp(
                field, "Content-Type:", strlen("Content-Type:")) == 0 &&
            g_ascii_strncasecmp(skip_space(value), "multipart/",
                                strlen("multipart/")) == 0)
            return TRUE;
    }
    return FALSE;
}

/* ---- the parts ---- */

static void
clear_part(gpointer data)
{
    Part *part = data;

    g_free(part->section);
    g_free(part->fields);
}

static const char *
boundary_of(const ImapPart *part)
{
    for (guint i = 0; i < part->type_parameters->len; i++) {
        const ImapParameter *parameter =
            &g_array_index(part->type_parameters, ImapParameter, i);

        if (g_str_equal(parameter->name, "boundary"))
            return parameter->value;
    }
    return "";
}

/* The parts of multiparts of the message itself. */
static void
read_parts(FsStructureProof *proof, const ImapStructure *structure)
{
    g_autofree guint *places = g_new0(guint, structure->parts->len);

    for (guint i = 0; i < structure->parts->len; i++) {
        const ImapPart *from = g_ptr_array_index(structure->parts, i);
        gboolean inner = i > 0 && places[from->parent] == 0;
        Part part = {
            .parent = i == 0 || inner ? 0 : places[from->parent] - 1,
            .multipart = from->kind == IMAP_PART_MULTIPART,
            .octets = from->octets,
            .boundary = strlen(boundary_of(from)),
        };

        if (inner)
            continue;
        if (i > 0)
            part.section = g_strconcat(from->section, ".MIME", NULL);
        g_array_append_val(proof->parts, part);
        /* What is in a message has no place here. */
        if (part.multipart)
            places[i] = proof->parts->len;
    }
}

FsStructureProof *
fs_structure_proof_new(const ImapStructure *structure, GBytes *header,
                       guint64 size)
{
    g_autoptr(FsStructureProof) proof = NULL;
    const ImapPart *first;

    if (structure->parts->len == 0 || size < 2 * FS_PROOF_ENDS)
        return NULL;
    first = g_ptr_array_index(structure->parts, 0);
    if (first->kind != IMAP_PART_MULTIPART)
        return NULL;
    proof = g_new0(FsStructureProof, 1);
    proof->parts = g_array_new(FALSE, FALSE, sizeof(Part));
    g_array_set_clear_func(proof->parts, clear_part);
    proof->header = g_bytes_ref(header);
    proof->size = size;
    proof->boundary = g_strconcat("--", boundary_of(first), NULL);
    read_parts(proof, structure);
    return proof->parts->len <= FS_PROOF_PARTS_MAX ? g_steal_pointer(&proof)
                                                   : NULL;
}

void
fs_structure_proof_free(FsStructureProof *proof)
{
    if (proof == NULL)
        return;
    g_array_unref(proof->parts);
    g_bytes_unref(proof->header);
    g_free(proof->boundary);
    if (proof->start != NULL)
        g_string_free(proof->start, TRUE);
    if (proof->end != NULL)
        g_string_free(proof->end, TRUE);
    g_free(proof);
}

/* ---- the pieces: the fields of all parts but the first, then both ends ----
 */

static Part *
part_at(const FsStructureProof *proof, guint index)
{
    return &g_array_index(proof->parts, Part, index);
}

guint
fs_structure_proof_n_pieces(const FsStructureProof *proof)
{
    return proof->parts->len + 1;
}

void
fs_structure_proof_piece(const FsStructureProof *proof, guint index,
                         const char **section, guint64 *offset, guint32 *length)
{
    guint n_fields = proof->parts->len - 1;

    *section = index < n_fields ? part_at(proof, index + 1)->section : NULL;
    *offset = index == n_fields ? g_bytes_get_size(proof->header)
                                : proof->size - FS_PROOF_ENDS;
    *length = FS_PROOF_ENDS;
}

void
fs_structure_proof_set(FsStructureProof *proof, guint index, const char *data,
                       gsize length)
{
    guint n_fields = proof->parts->len - 1;
    GString **piece = index == n_fields ? &proof->start : &proof->end;

    if (index < n_fields) {
        Part *part = part_at(proof, index + 1);

        g_free(part->fields);
        part->fields = g_strndup(data, length);
        part->fields_length = length;
        return;
    }
    if (*piece != NULL)
        g_string_free(*piece, TRUE);
    *piece = g_string_new_len(data, (gssize)length);
}

gboolean
fs_structure_proof_is_complete(const FsStructureProof *proof)
{
    for (guint i = 1; i < proof->parts->len; i++)
        if (part_at(proof, i)->fields == NULL)
            return FALSE;
    return proof->start != NULL && proof->end != NULL;
}

/* ---- the account ---- */

/* Octets up to the first boundary. */
static gboolean
measure_preamble(const FsStructureProof *proof, guint64 *octets)
{
    const GString *start = proof->start;

    for (gsize at = 0; at + strlen(proof->boundary) <= start->len; at++) {
        if ((at == 0 || start->str[at - 1] == '\n') &&
            g_str_has_prefix(start->str + at, proof->boundary)) {
            *octets = at;
            return TRUE;
        }
    }
    return FALSE;
}

/* Octets behind the last boundary, which has nothing else in its line. */
static gboolean
measure_epilogue(const FsStructureProof *proof, guint64 *octets)
{
    g_autofree char *mark = g_strconcat("\n", proof->boundary, "--", NULL);
    const char *last =
        g_strrstr_len(proof->end->str, (gssize)proof->end->len, mark);
    const char *rest;

    if (last == NULL)
        return FALSE;
    rest = last + strlen(mark);
    *octets = proof->end->len - (gsize)(rest - proof->end->str);
    rest += strspn(rest, " \t");
    return *rest == '\0' || *rest == '\r' || *rest == '\n';
}

static gboolean
are_fields_plain(const FsStructureProof *proof)
{
    gsize length;
    const char *data = g_bytes_get_data(proof->header, &length);

    if (!fs_mime_fields_are_plain(data, length))
        return FALSE;
    for (guint i = 1; i < proof->parts->len; i++) {
        const Part *part = part_at(proof, i);

        if (!fs_mime_fields_are_plain(part->fields, part->fields_length) ||
            fs_mime_fields_say_multipart(part->fields, part->fields_length) !=
                part->multipart)
            return FALSE;
    }
    return TRUE;
}

gboolean
fs_structure_proof_holds(const FsStructureProof *proof)
{
    guint64 account = g_bytes_get_size(proof->header);
    guint64 slack = 0;
    guint64 preamble;
    guint64 epilogue;

    if (!are_fields_plain(proof) || !measure_preamble(proof, &preamble) ||
        !measure_epilogue(proof, &epilogue))
        return FALSE;
    account += preamble + epilogue;
    for (guint i = 0; i < proof->parts->len; i++) {
        const Part *part = part_at(proof, i);
        /* "--boundary" CRLF before it, and CRLF behind it. */
        guint64 around =
            i == 0 ? 0 : part_at(proof, part->parent)->boundary + 6;

        account += around + part->fields_length;
        account += part->multipart ? part->boundary + 4 : part->octets;
        slack += part->multipart && i > 0 ? SLACK_OF_INNER : 0;
    }
    return account <= proof->size && proof->size <= account + slack;
}
