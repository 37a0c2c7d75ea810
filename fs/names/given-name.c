/* Names that users give to messages. */
#include "fs/names/given-name.h"

#include "fs/names/maildir-name.h"

#include <string.h>

gboolean
fs_given_name_is_maildir(const char *name)
{
    return *name == '/';
}

/* @name, of a Maildir, as it is kept. Caller frees. */
static char *
kept_form(const char *name)
{
    char *given = g_strdup(name + 1);
    char *info = fs_maildir_name_info(given);

    if (info != NULL)
        *info = '\0';
    return given;
}

/* Of a name as it is kept. */
static const char *
base_of(const char *kept)
{
    const char *slash = strchr(kept, '/');

    return slash != NULL ? slash + 1 : kept;
}

gboolean
fs_given_name_is_other(const CacheAliases *aliases, guint32 mailbox,
                       guint32 uid, const char *name)
{
    const char *plain = cache_aliases_name(aliases, mailbox, uid);
    const char *in_maildir =
        cache_aliases_name(aliases, mailbox | FS_GIVEN_IN_MAILDIR, uid);
    g_autofree char *kept = NULL;

    if (plain == NULL && in_maildir == NULL)
        return FALSE;
    if (name == NULL || !fs_given_name_is_maildir(name))
        return g_strcmp0(plain, name) != 0;
    kept = kept_form(name);
    /* Which of the two directories it is in says nothing. */
    return in_maildir == NULL ||
           strcmp(base_of(in_maildir), base_of(kept)) != 0;
}

void
fs_given_name_set(CacheAliases *aliases, guint32 mailbox, guint32 uid,
                  const char *name)
{
    g_autofree char *given = NULL;

    if (!fs_given_name_is_maildir(name)) {
        cache_aliases_set(aliases, mailbox, uid, name);
        return;
    }
    given = kept_form(name);
    if (*given != '\0' && strlen(given) <= CACHE_ALIAS_MAX)
        cache_aliases_set(aliases, mailbox | FS_GIVEN_IN_MAILDIR, uid, given);
}

void
fs_given_name_forget(CacheAliases *aliases, guint32 mailbox, guint32 uid)
{
    cache_aliases_remove(aliases, mailbox, uid);
    cache_aliases_remove(aliases, mailbox | FS_GIVEN_IN_MAILDIR, uid);
}
