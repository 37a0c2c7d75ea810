/* Mailboxes as folders of a Maildir. */
#include "fs/names/maildir-folders.h"

#include "fs/names/mailbox-name.h"

#include <string.h>

#define DOT "%2E"

/* Names that are taken, and what a mailbox of that name is called. */
static const char *const taken[][2] = {
    {"cur", "%63ur"},
    {"new", "%6Eew"},
    {"tmp", "%74mp"},
};

guint32
fs_maildir_folders_top(const FsMaildirFolders *folders)
{
    const FsMailbox *inbox = NULL;

    if (folders->plus_plus)
        inbox = fs_mailbox_tree_by_wire_name(folders->tree, "INBOX");
    return inbox != NULL ? inbox->id : 0;
}

gboolean
fs_maildir_folders_is_top(const FsMaildirFolders *folders, guint32 mailbox)
{
    return mailbox == 0 || mailbox == fs_maildir_folders_top(folders);
}

const FsMailbox *
fs_maildir_folders_next(const FsMaildirFolders *folders, guint32 mailbox,
                        guint32 after)
{
    guint32 end = cache_state_next_id(folders->state);
    guint32 top = fs_maildir_folders_top(folders);

    if (!folders->plus_plus)
        return fs_mailbox_tree_next_child(folders->tree, mailbox, after);
    if (!fs_maildir_folders_is_top(folders, mailbox))
        return NULL;
    for (guint32 id = after + 1; id < end; id++) {
        const FsMailbox *found = fs_mailbox_tree_get(folders->tree, id);

        if (found != NULL && id != top)
            return found;
    }
    return NULL;
}

/* Appends @component of a name of Maildir++. */
static void
append_component(GString *name, const char *component)
{
    g_string_append_c(name, '.');
    for (; *component != '\0'; component++)
        if (*component == '.')
            g_string_append(name, DOT);
        else
            g_string_append_c(name, *component);
}

const char *
fs_maildir_folders_untaken(const char *name)
{
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++)
        if (g_str_equal(name, taken[i][0]))
            return taken[i][1];
    return name;
}

/* The name of Maildir++ of the mailbox whose path that is. */
static char *
flat_name(const char *path)
{
    g_auto(GStrv) components = g_strsplit(path, "/", -1);
    g_autoptr(GString) flat = g_string_new(NULL);

    for (guint i = 0; components[i] != NULL; i++)
        append_component(flat, components[i]);
    return fs_mailbox_name_within(flat->str, FS_MAILBOX_NAME_MAX);
}

char *
fs_maildir_folders_path(const FsMaildirFolders *folders, guint32 id)
{
    g_autofree char *path = fs_mailbox_tree_path(folders->tree, id);
    g_auto(GStrv) components = g_strsplit(path != NULL ? path : "", "/", -1);
    g_autoptr(GString) result = g_string_new(NULL);

    if (path == NULL)
        return NULL;
    if (folders->plus_plus)
        return fs_maildir_folders_is_top(folders, id) ? g_strdup("")
                                                      : flat_name(path);
    for (guint i = 0; components[i] != NULL; i++)
        g_string_append_printf(result, "%s%s", i > 0 ? "/" : "",
                               fs_maildir_folders_untaken(components[i]));
    return g_string_free(g_steal_pointer(&result), FALSE);
}

char *
fs_maildir_folders_name(const FsMaildirFolders *folders, guint32 id)
{
    const FsMailbox *found = fs_mailbox_tree_get(folders->tree, id);
    g_autofree char *path = fs_mailbox_tree_path(folders->tree, id);

    if (folders->plus_plus)
        return flat_name(path != NULL ? path : "");
    return g_strdup(
        fs_maildir_folders_untaken(found != NULL ? found->name : ""));
}

/* ---- the other way ---- */

static char *
read_component(const char *text)
{
    GString *result = g_string_new(NULL);

    for (; *text != '\0'; text++)
        if (g_ascii_strncasecmp(text, DOT, strlen(DOT)) == 0) {
            g_string_append_c(result, '.');
            text += strlen(DOT) - 1;
        } else {
            g_string_append_c(result, *text);
        }
    return g_string_free(result, FALSE);
}

/* The folder below @parent whose name was cut to @name; NULL: none. */
static const FsMailbox *
find_cut(const FsMaildirFolders *folders, guint32 parent, const char *name)
{
    const FsMailbox *child;
    guint32 after = 0;

    while ((child = fs_mailbox_tree_next_child(folders->tree, parent, after)) !=
           NULL) {
        g_autofree char *listed = fs_maildir_folders_name(folders, child->id);
        const FsMailbox *found = child;

        after = child->id;
        if (!g_str_equal(listed, name))
            found = find_cut(folders, child->id, name);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* The child that @part of a name means. *@component is what it is called, or
 * would be: a mailbox's own name may have "%2E", too. The caller frees it. */
static const FsMailbox *
find_component(const FsMaildirFolders *folders, guint32 parent,
               const char *part, char **component)
{
    const FsMailbox *found = fs_mailbox_tree_child(folders->tree, parent, part);

    *component = found != NULL ? g_strdup(part) : read_component(part);
    return found != NULL
               ? found
               : fs_mailbox_tree_child(folders->tree, parent, *component);
}

static gboolean
parse_flat(const FsMaildirFolders *folders, const char *name, guint32 *parent,
           char **child)
{
    g_auto(GStrv) parts = g_strsplit(name, ".", -1);
    g_autoptr(GString) path = g_string_new(NULL);
    guint n = g_strv_length(parts);
    const FsMailbox *cut = NULL;

    if (fs_mailbox_name_may_be_cut(name))
        cut = find_cut(folders, FS_MAILBOX_TREE_ROOT, name);
    if (cut != NULL) {
        *parent = cut->parent;
        *child = g_strdup(cut->name);
        return TRUE;
    }
    *parent = FS_MAILBOX_TREE_ROOT;
    if (n < 2 || *parts[0] != '\0')
        return FALSE;
    for (guint i = 1; i < n; i++) {
        g_autofree char *component = NULL;
        const FsMailbox *found = NULL;

        if (path->len == 0)
            found = find_component(folders, *parent, parts[i], &component);
        else
            component = read_component(parts[i]);
        if (*component == '\0')
            return FALSE;
        if (found != NULL && i + 1 < n)
            *parent = found->id;
        else
            g_string_append_printf(path, "%s%s", path->len > 0 ? "/" : "",
                                   component);
    }
    *child = g_string_free(g_steal_pointer(&path), FALSE);
    return TRUE;
}

gboolean
fs_maildir_folders_parse(const FsMaildirFolders *folders, guint32 mailbox,
                         const char *name, guint32 *parent, char **child)
{
    *child = NULL;
    if (folders->plus_plus)
        return fs_maildir_folders_is_top(folders, mailbox) &&
               parse_flat(folders, name, parent, child);
    *parent = mailbox;
    for (guint i = 0; i < G_N_ELEMENTS(taken); i++) {
        if (g_str_equal(name, taken[i][0]))
            return FALSE;
        if (g_str_equal(name, taken[i][1]))
            name = taken[i][0];
    }
    *child = g_strdup(name);
    return TRUE;
}
