/* The parts of one message as entries. */
#include "fs/views/parts/part-tree.h"

#include "fs/views/parts/part-name.h"

#include <string.h>

#define HEADER_NAME "header.txt"
#define BODY_NAME "body.txt"
#define HTML_NAME "body.html"
/* In the cache: whole, and of each part kind, parent, mime, octets, name,
 * section, encoding, charset (maybe). */
#define FORMAT "(ba(uuutsssms))"

/* ---- MIME parts ---- */

static void
clear_mime_part(gpointer data)
{
    FsMimePart *part = data;

    g_free(part->section);
    g_free(part->type);
    g_free(part->encoding);
    g_free(part->charset);
    g_free(part->name);
}

GArray *
fs_mime_parts_new(void)
{
    GArray *parts = g_array_new(FALSE, FALSE, sizeof(FsMimePart));

    g_array_set_clear_func(parts, clear_mime_part);
    return parts;
}

static const char *
find_parameter(const GArray *parameters, const char *name)
{
    for (guint i = 0; i < parameters->len; i++) {
        const ImapParameter *parameter =
            &g_array_index(parameters, ImapParameter, i);

        if (g_str_equal(parameter->name, name))
            return parameter->value;
    }
    return "";
}

GArray *
fs_mime_parts_of_structure(const ImapStructure *structure)
{
    GArray *parts = fs_mime_parts_new();

    for (guint i = 0; i < structure->parts->len; i++) {
        const ImapPart *from = g_ptr_array_index(structure->parts, i);
        FsMimePart part = {
            .kind = from->kind,
            .parent = from->parent,
            .section = g_strdup(from->section),
            .type = g_strdup(from->type),
            .encoding = g_strdup(from->encoding),
            .charset =
                g_strdup(find_parameter(from->type_parameters, "charset")),
            .name = fs_part_name_of_parameters(from->disposition_parameters,
                                               from->type_parameters),
            .attachment = g_str_equal(from->disposition, "attachment"),
            .octets = from->octets,
        };

        g_array_append_val(parts, part);
    }
    return parts;
}

/* RFC 2046 section 5.1.1. */
#define BOUNDARY_MAX 70u

/* Servers say of a multipart in which they find no part that it has an empty
 * one, or is one. */
static gboolean
is_stand_in(const ImapPart *part)
{
    return part->kind == IMAP_PART_LEAF && part->octets == 0 &&
           g_str_equal(part->type, "text/plain");
}

static gboolean
has_good_boundary(const ImapPart *part)
{
    const char *boundary = find_parameter(part->type_parameters, "boundary");

    return boundary[0] != '\0' && strlen(boundary) <= BOUNDARY_MAX;
}

static gboolean
is_encoded(const ImapPart *part)
{
    return g_str_equal(part->encoding, "base64") ||
           g_str_equal(part->encoding, "quoted-printable") ||
           strstr(part->encoding, "uu") != NULL;
}

/* Of the body of a message in the message, no header tells. */
static gboolean
is_empty_body(const GPtrArray *parts, guint index)
{
    const ImapPart *part = g_ptr_array_index(parts, index);
    const ImapPart *parent = g_ptr_array_index(parts, part->parent);

    return parent->kind == IMAP_PART_MESSAGE && is_stand_in(part);
}

gboolean
fs_structure_is_doubtful(const ImapStructure *structure)
{
    const GPtrArray *parts = structure->parts;
    g_autofree guint *n_children = g_new0(guint, parts->len);

    for (guint i = 1; i < parts->len; i++)
        n_children[((ImapPart *)g_ptr_array_index(parts, i))->parent]++;
    for (guint i = 0; i < parts->len; i++) {
        const ImapPart *part = g_ptr_array_index(parts, i);

        if (part->kind == IMAP_PART_MULTIPART && !has_good_boundary(part))
            return TRUE;
        if (part->kind == IMAP_PART_MULTIPART && n_children[i] == 1 &&
            is_stand_in(g_ptr_array_index(parts, i + 1)))
            return TRUE;
        if (g_str_has_prefix(part->type, "message/") && is_encoded(part))
            return TRUE;
        if (is_empty_body(parts, i) ||
            (part->kind == IMAP_PART_LEAF &&
             g_str_has_prefix(part->type, "multipart/")))
            return TRUE;
        if (fs_part_name_has_gap(part->disposition_parameters, "filename") ||
            fs_part_name_has_gap(part->type_parameters, "name"))
            return TRUE;
    }
    return FALSE;
}

/* ---- entries ---- */

static void
free_part(gpointer data)
{
    FsPart *part = data;

    g_free(part->name);
    g_free(part->section);
    g_free(part->encoding);
    g_free(part->charset);
    g_free(part);
}

static void
clear_tree(gpointer data)
{
    g_ptr_array_unref(((FsPartTree *)data)->parts);
}

static FsPartTree *
tree_new(gboolean whole)
{
    FsPartTree *tree = g_rc_box_new0(FsPartTree);

    tree->parts = g_ptr_array_new_with_free_func(free_part);
    tree->whole = whole;
    return tree;
}

FsPartTree *
fs_part_tree_ref(FsPartTree *tree)
{
    return g_rc_box_acquire(tree);
}

void
fs_part_tree_unref(FsPartTree *tree)
{
    if (tree != NULL)
        g_rc_box_release_full(tree, clear_tree);
}

typedef struct {
    FsPartTree *tree;
    GHashTable *names;   /* "directory/name" of what is there */
    GHashTable *numbers; /* the number that such a name was given last */
} Builder;

/* Takes over @name, and makes it unique. */
static char *
unique_name(Builder *builder, guint parent, char *name)
{
    g_autofree char *wanted = name;
    g_autofree char *place = g_strdup_printf("%u/%s", parent, wanted);
    guint number =
        GPOINTER_TO_UINT(g_hash_table_lookup(builder->numbers, place));

    for (number++;; number++) {
        char *tried = number == 1 ? g_strdup(wanted)
                                  : fs_part_name_number(wanted, number);

        if (g_hash_table_add(builder->names,
                             g_strdup_printf("%u/%s", parent, tried))) {
            g_hash_table_insert(builder->numbers, g_steal_pointer(&place),
                                GUINT_TO_POINTER(number));
            return tried;
        }
        g_free(tried);
    }
}

/* Takes over @name. */
static FsPart *
add(Builder *builder, FsPartKind kind, guint parent, guint mime, char *name,
    const char *section)
{
    FsPart *part = g_new0(FsPart, 1);

    part->kind = kind;
    part->parent = parent;
    part->mime = mime;
    part->name = name;
    part->section = g_strdup(section);
    part->encoding = g_strdup("");
    g_ptr_array_add(builder->tree->parts, part);
    return part;
}

static gboolean
is_there(const Builder *builder, guint parent, const char *name)
{
    return fs_part_tree_find(builder->tree, parent, name) != 0;
}

/* A directory with its header. The names of its bodies are kept for them. */
static guint
add_message(Builder *builder, guint parent, guint mime, char *name,
            const char *section)
{
    static const char *const kept[] = {HEADER_NAME, BODY_NAME, HTML_NAME};
    guint index = builder->tree->parts->len;

    add(builder, FS_PART_DIRECTORY, parent, mime, name, section);
    for (guint i = 0; i < G_N_ELEMENTS(kept); i++)
        g_hash_table_add(builder->names,
                         g_strdup_printf("%u/%s", index, kept[i]));
    add(builder, FS_PART_HEADER, index, mime, g_strdup(HEADER_NAME), section);
    return index;
}

/* The name of the body that @part is; NULL: it is none. */
static const char *
body_name(const Builder *builder, guint directory, const FsMimePart *part)
{
    const char *name = g_str_equal(part->type, "text/plain")  ? BODY_NAME
                       : g_str_equal(part->type, "text/html") ? HTML_NAME
                                                              : NULL;

    if (name == NULL || part->attachment || is_there(builder, directory, name))
        return NULL;
    return name;
}

static void
add_leaf(Builder *builder, guint directory, guint index, const FsMimePart *from)
{
    const char *body = body_name(builder, directory, from);
    char *name = body != NULL
                     ? g_strdup(body)
                     : unique_name(builder, directory,
                                   fs_part_name_make(from->name, from->section,
                                                     from->type, FALSE));
    FsPart *part =
        add(builder, FS_PART_CONTENT, directory, index, name, from->section);

    g_free(part->encoding);
    part->encoding = g_strdup(from->encoding);
    if (g_str_has_prefix(from->type, "text/"))
        part->charset = g_strdup(from->charset);
    part->octets = from->octets;
}

FsPartTree *
fs_part_tree_new(const GArray *mime_parts, gboolean whole)
{
    g_autoptr(FsPartTree) tree = tree_new(whole);
    g_autoptr(GHashTable) names =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) numbers =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autofree guint *directories = g_new0(guint, mime_parts->len + 1);
    Builder builder = {tree, names, numbers};

    add_message(&builder, 0, 0, g_strdup(""), "");
    for (guint i = 0; i < mime_parts->len; i++) {
        const FsMimePart *part = &g_array_index(mime_parts, FsMimePart, i);
        guint directory = directories[part->parent];

        if (tree->parts->len + 2 > FS_PART_TREE_MAX)
            return NULL;
        directories[i] = directory;
        if (part->kind == IMAP_PART_LEAF)
            add_leaf(&builder, directory, i, part);
        else if (part->kind == IMAP_PART_MESSAGE)
            directories[i] = add_message(
                &builder, directory, i,
                unique_name(&builder, directory,
                            fs_part_name_make(part->name, part->section,
                                              part->type, TRUE)),
                part->section);
    }
    return g_steal_pointer(&tree);
}

const FsPart *
fs_part_tree_get(const FsPartTree *tree, guint index)
{
    return index < tree->parts->len ? g_ptr_array_index(tree->parts, index)
                                    : NULL;
}

guint
fs_part_tree_find(const FsPartTree *tree, guint parent, const char *name)
{
    for (guint i = 1; i < tree->parts->len; i++) {
        const FsPart *part = g_ptr_array_index(tree->parts, i);

        if (part->parent == parent && g_str_equal(part->name, name))
            return i;
    }
    return 0;
}

/* ---- for the cache ---- */

GBytes *
fs_part_tree_to_bytes(const FsPartTree *tree)
{
    GVariantBuilder list;
    g_autoptr(GVariant) variant = NULL;

    g_variant_builder_init(&list, G_VARIANT_TYPE("a(uuutsssms)"));
    for (guint i = 0; i < tree->parts->len; i++) {
        const FsPart *part = g_ptr_array_index(tree->parts, i);

        g_variant_builder_add(&list, "(uuutsssms)", part->kind, part->parent,
                              part->mime, part->octets, part->name,
                              part->section, part->encoding, part->charset);
    }
    variant = g_variant_ref_sink(
        g_variant_new("(ba(uuutsssms))", tree->whole, &list));
    return g_variant_get_data_as_bytes(variant);
}

static gboolean
is_sound(const FsPart *part, guint index)
{
    return part->kind <= FS_PART_CONTENT &&
           (index == 0 ? part->kind == FS_PART_DIRECTORY && part->parent == 0
                       : part->parent < index);
}

FsPartTree *
fs_part_tree_from_bytes(GBytes *bytes)
{
    g_autoptr(GVariant) variant = g_variant_ref_sink(
        g_variant_new_from_bytes(G_VARIANT_TYPE(FORMAT), bytes, FALSE));
    g_autoptr(GVariantIter) list = NULL;
    g_autoptr(FsPartTree) tree = NULL;
    FsPart part = {0};
    gboolean whole;

    if (!g_variant_is_normal_form(variant))
        return NULL;
    g_variant_get(variant, FORMAT, &whole, &list);
    tree = tree_new(whole);
    while (g_variant_iter_next(list, "(uuutsssms)", &part.kind, &part.parent,
                               &part.mime, &part.octets, &part.name,
                               &part.section, &part.encoding, &part.charset)) {
        g_ptr_array_add(tree->parts, g_memdup2(&part, sizeof part));
        if (!is_sound(&part, tree->parts->len - 1))
            return NULL;
    }
    return tree->parts->len > 0 && tree->parts->len <= FS_PART_TREE_MAX
               ? g_steal_pointer(&tree)
               : NULL;
}
