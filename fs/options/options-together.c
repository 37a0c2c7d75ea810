/* ro is for libfuse, too; but an account may be read-only beside one that is
 * not. */
#include "fs/options/options-together.h"

#include "fs/options/mountpoint.h"
#include "fs/options/usage-error.h"

#include <string.h>

static gboolean
is_of_account(const char *option)
{
    return strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0;
}

/* The first that one has and the other has not; NULL: none. */
static const char *
difference(const FsOptions *one, const FsOptions *other)
{
    for (char **option = one->fuse_options; *option != NULL; option++)
        if (!is_of_account(*option) &&
            !g_strv_contains((const char *const *)other->fuse_options, *option))
            return *option;
    return NULL;
}

static gboolean
check_same(const FsOptions *one, const FsOptions *other, GError **error)
{
    const char *option = difference(one, other);
    const FsOptions *has = one;

    if (option == NULL) {
        option = difference(other, one);
        has = other;
    }
    if (option == NULL && one->nonempty != other->nonempty) {
        option = "nonempty";
        has = one->nonempty ? one : other;
    }
    if (option == NULL)
        return TRUE;
    return fs_usage_fail(
        error,
        "%s has the option %.*s and %s has not, or another value, but they "
        "have one mount together; give it to all of them with -o",
        has->account, (int)strcspn(option, "="), option,
        has == one ? other->account : one->account);
}

gboolean
fs_options_join(FsOptions *mount, const GPtrArray *accounts, GError **error)
{
    const FsOptions *first = g_ptr_array_index(accounts, 0);
    g_autofree char *mountpoint = g_steal_pointer(&mount->mountpoint);
    g_autoptr(GPtrArray) passed_on = g_ptr_array_new();

    mount->read_only = TRUE;
    for (guint i = 0; i < accounts->len; i++) {
        const FsOptions *other = g_ptr_array_index(accounts, i);

        mount->read_only &= other->read_only;
        if (!check_same(first, other, error))
            return FALSE;
    }
    for (char **option = first->fuse_options; *option != NULL; option++)
        if (!is_of_account(*option))
            g_ptr_array_add(passed_on, g_strdup(*option));
    g_ptr_array_add(passed_on, NULL);
    g_strfreev(mount->fuse_options);
    mount->fuse_options = (char **)g_ptr_array_steal(passed_on, NULL);
    mount->uid = first->uid;
    mount->gid = first->gid;
    mount->allow_other = first->allow_other;
    mount->nonempty = first->nonempty;
    return fs_options_take_mountpoint(mount, mountpoint, error);
}
