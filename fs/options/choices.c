/* What was chosen: mentions of options in the order in which they were added,
 * which within one origin is that of their weight. */
#include "fs/options/choices.h"

#include "fs/options/mount-options.h"
#include "fs/options/option-values.h"
#include "fs/options/usage-error.h"

#include <string.h>

typedef struct {
    FsOrigin origin;
    char *place; /* NULL: none */
    const FsMountOption *option;
    char *value; /* NULL: none */
} Mention;

struct FsChoices {
    GPtrArray *mentions; /* of Mention; by origin */
};

static void
mention_free(gpointer data)
{
    Mention *mention = data;

    g_free(mention->place);
    g_free(mention->value);
    g_free(mention);
}

FsChoices *
fs_choices_new(void)
{
    FsChoices *choices = g_new0(FsChoices, 1);

    choices->mentions = g_ptr_array_new_with_free_func(mention_free);
    return choices;
}

void
fs_choices_free(FsChoices *choices)
{
    if (choices == NULL)
        return;
    g_ptr_array_unref(choices->mentions);
    g_free(choices);
}

/* ---- names that are no options ---- */

/* Names that get an answer of their own; their values are never shown. */
static const struct {
    const char *name;
    const char *reason;
} refused_options[] = {
    {"blkdev", "imapfs is not on a block device"},
    {"port", "the port stands in the URL: imaps://HOST:PORT/"},
    {"reconnect", "imapfs always does"},
    {"remount", "to change options, unmount and mount again"},
};
static const char *const password_options[] = {
    "password", "pass", "passwd", "passphrase", "secret", NULL,
};

static gboolean
refuse_secret(FsOrigin origin, const char *name, const char *what,
              const char *instead, GError **error)
{
    if (origin == FS_ORIGIN_FILE)
        return fs_usage_fail(
            error, "'%s' is refused: no %s belongs in this file; use %s", name,
            what, instead);
    return fs_usage_fail(
        error,
        "option '%s' is refused: a %s given here would show in the "
        "list of processes; use %s",
        name, what, instead);
}

gboolean
fs_choices_check_refused(FsOrigin origin, const char *name, GError **error)
{
    if (g_strv_contains(password_options, name))
        return refuse_secret(origin, name, "password",
                             origin == FS_ORIGIN_FILE
                                 ? "password_file or password_command"
                                 : "password_file=FILE or "
                                   "password_command=COMMAND, or wait to be "
                                   "asked",
                             error);
    if (strcmp(name, "token") == 0)
        return refuse_secret(origin, name, "token",
                             origin == FS_ORIGIN_FILE ? "token_command"
                                                      : "token_command=COMMAND",
                             error);
    for (guint i = 0; i < G_N_ELEMENTS(refused_options); i++)
        if (strcmp(refused_options[i].name, name) == 0)
            return fs_usage_fail(error, "option '%s' is refused: %s", name,
                                 refused_options[i].reason);
    return TRUE;
}

static gboolean
refuse_unknown(FsOrigin origin, const char *name, GError **error)
{
    g_autofree char *printable = fs_option_printable(name);
    const char *nearest =
        fs_mount_options_nearest(name, origin == FS_ORIGIN_FILE);

    if (nearest != NULL)
        return fs_usage_fail(error, "unknown option '%s'; did you mean '%s'?",
                             printable, nearest);
    return fs_usage_fail(
        error, "unknown option '%s'; 'imapfs --help' lists them all%s",
        printable,
        origin == FS_ORIGIN_FILE
            ? ""
            : ", and a comma inside a value is written '\\,'");
}

/* ---- mentions ---- */

static const FsMountOption *
find(FsOrigin origin, const char *name, GError **error)
{
    const FsMountOption *option;

    if (!fs_choices_check_refused(origin, name, error))
        return NULL;
    option = fs_mount_option_find(name);
    if (option == NULL) {
        refuse_unknown(origin, name, error);
        return NULL;
    }
    if (option->only_in_file && origin == FS_ORIGIN_COMMAND_LINE) {
        fs_usage_fail(error, "option '%s' is for the configuration file alone",
                      name);
        return NULL;
    }
    return option;
}

static void
name_place(const char *place, GError **error)
{
    if (place != NULL)
        g_prefix_error(error, "%s: ", place);
}

gboolean
fs_choices_add(FsChoices *choices, FsOrigin origin, const char *place,
               const char *name, const char *value, GError **error)
{
    const FsMountOption *option = find(origin, name, error);
    Mention *mention;
    guint at = choices->mentions->len;

    if (option == NULL) {
        name_place(place, error);
        return FALSE;
    }
    mention = g_new0(Mention, 1);
    mention->origin = origin;
    mention->place = g_strdup(place);
    mention->option = option;
    mention->value = g_strdup(value);
    while (at > 0) {
        const Mention *before = choices->mentions->pdata[at - 1];

        if (before->origin <= origin)
            break;
        at--;
    }
    g_ptr_array_insert(choices->mentions, (gint)at, mention);
    return TRUE;
}

/* Whether there is an option that is instead of that of @mention, in a place
 * that counts more. */
static gboolean
is_void(const FsChoices *choices, const Mention *mention)
{
    if (mention->option->rivals == FS_RIVALS_NONE)
        return FALSE;
    for (guint i = choices->mentions->len; i > 0; i--) {
        const Mention *other = choices->mentions->pdata[i - 1];

        if (other->origin <= mention->origin)
            return FALSE;
        if (other->option->rivals == mention->option->rivals)
            return TRUE;
    }
    return FALSE;
}

static const Mention *
in_force(const FsChoices *choices, const FsMountOption *option)
{
    for (guint i = choices->mentions->len; i > 0; i--) {
        const Mention *mention = choices->mentions->pdata[i - 1];

        if (mention->option == option)
            return is_void(choices, mention) ? NULL : mention;
    }
    return NULL;
}

/* A flag that is "no" is one that libfuse is not told. */
static void
pass_on(FsOptions *options, const Mention *mention)
{
    gboolean said = TRUE;

    if (mention->option->kind == FS_VALUE_FLAG) {
        fs_option_parse_flag(mention->value, &said);
        if (said)
            fs_mount_options_pass_on(options, mention->option->name, NULL);
        return;
    }
    fs_mount_options_pass_on(options, mention->option->name, mention->value);
}

gboolean
fs_choices_apply(const FsChoices *choices, FsOptions *options, GError **error)
{
    for (guint i = 0; i < choices->mentions->len; i++) {
        const Mention *mention = choices->mentions->pdata[i];

        if (is_void(choices, mention))
            continue;
        if (!fs_mount_option_set(options, mention->option, mention->value,
                                 error)) {
            name_place(mention->place, error);
            return FALSE;
        }
        if (mention->option->passed_on &&
            in_force(choices, mention->option) == mention)
            pass_on(options, mention);
    }
    return TRUE;
}

gboolean
fs_choices_origin(const FsChoices *choices, const FsMountOption *option,
                  FsOrigin *origin)
{
    const Mention *mention = in_force(choices, option);

    if (mention == NULL)
        return FALSE;
    *origin = mention->origin;
    return TRUE;
}

const char *
fs_choices_value(const FsChoices *choices, const FsMountOption *option)
{
    const Mention *mention = in_force(choices, option);

    return mention != NULL ? mention->value : NULL;
}
