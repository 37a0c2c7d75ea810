/* Attachments in a structure. */
#include "fs/views/parts/attachments.h"

#include "fs/views/parts/part-name.h"

#include <string.h>

static gboolean
has_name(const ImapPart *part)
{
    g_autofree char *name = fs_part_name_of_parameters(
        part->disposition_parameters, part->type_parameters);

    return name != NULL;
}

static gboolean
is_related(const ImapStructure *structure, const ImapPart *part)
{
    const ImapPart *parent = g_ptr_array_index(structure->parts, part->parent);

    return parent != part && g_str_equal(parent->type, "multipart/related");
}

static gboolean
is_attachment(const ImapStructure *structure, const ImapPart *part)
{
    if (part->kind == IMAP_PART_MULTIPART)
        return FALSE;
    if (g_str_equal(part->disposition, "attachment"))
        return TRUE;
    if (g_str_equal(part->disposition, "inline") || is_related(structure, part))
        return FALSE;
    return part->kind == IMAP_PART_MESSAGE || has_name(part);
}

gboolean
fs_has_attachments(const ImapStructure *structure)
{
    for (guint i = 0; i < structure->parts->len; i++)
        if (is_attachment(structure, g_ptr_array_index(structure->parts, i)))
            return TRUE;
    return FALSE;
}
