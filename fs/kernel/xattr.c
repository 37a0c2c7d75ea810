/* One table of names and of what makes their values. */
#include "fs/kernel/xattr.h"

#include <errno.h>
#include <string.h>

int
fs_xattr_errno(const FsOptions *options)
{
    return options->top != NULL ? EOPNOTSUPP : ENOSYS;
}

/* FALSE when there is none. */
typedef gboolean (*ValueFunc)(const CacheMailbox *mailbox,
                              const CacheMessage *message, GString *value);

static gboolean
add_flags(const CacheMailbox *mailbox, const CacheMessage *message,
          GString *value)
{
    if (message->flags == NULL)
        return FALSE;
    g_string_append(value, message->flags);
    return TRUE;
}

static gboolean
add_uid(const CacheMailbox *mailbox, const CacheMessage *message,
        GString *value)
{
    g_string_append_printf(value, "%" G_GUINT32_FORMAT, message->uid);
    return message->uid != 0;
}

static gboolean
add_uidvalidity(const CacheMailbox *mailbox, const CacheMessage *message,
                GString *value)
{
    g_string_append_printf(value, "%" G_GUINT64_FORMAT, mailbox->uidvalidity);
    return message->uid != 0;
}

static gboolean
add_email_id(const CacheMailbox *mailbox, const CacheMessage *message,
             GString *value)
{
    /* As imap_fetch_identity makes it; others are no EMAILID. */
    if (message->identity == NULL || !g_str_has_prefix(message->identity, "e:"))
        return FALSE;
    g_string_append(value, message->identity + strlen("e:"));
    return TRUE;
}

/* What is no system flag is a keyword (RFC 9051, section 2.3.2). */
static gboolean
add_keywords(const CacheMailbox *mailbox, const CacheMessage *message,
             GString *value)
{
    g_auto(GStrv) flags =
        g_strsplit(message->flags != NULL ? message->flags : "", " ", -1);

    for (char **flag = flags; *flag != NULL; flag++) {
        if (**flag == '\0' || **flag == '\\')
            continue;
        if (value->len > 0)
            g_string_append_c(value, ',');
        g_string_append(value, *flag);
    }
    return value->len > 0;
}

static const struct {
    const char *name;
    ValueFunc add;
    gboolean listed;
} attributes[] = {
    {FS_XATTR_FLAGS, add_flags, TRUE},
    {"user.imap.uid", add_uid, FALSE},
    {"user.imap.uidvalidity", add_uidvalidity, FALSE},
    {"user.imap.emailid", add_email_id, FALSE},
    {FS_XATTR_TAGS, add_keywords, TRUE},
};

gboolean
fs_xattr_is_ours(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++)
        if (strcmp(attributes[i].name, name) == 0)
            return TRUE;
    return FALSE;
}

GString *
fs_xattr_value(const CacheMailbox *mailbox, const CacheMessage *message,
               const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
        GString *value;

        if (strcmp(attributes[i].name, name) != 0)
            continue;
        value = g_string_new(NULL);
        if (attributes[i].add(mailbox, message, value))
            return value;
        g_string_free(value, TRUE);
    }
    return NULL;
}

GString *
fs_xattr_names(const CacheMessage *message)
{
    const CacheMailbox none = {0};
    GString *names = g_string_new(NULL);

    for (gsize i = 0; i < G_N_ELEMENTS(attributes); i++) {
        g_autoptr(GString) value = g_string_new(NULL);

        if (attributes[i].listed && attributes[i].add(&none, message, value))
            g_string_append_len(names, attributes[i].name,
                                strlen(attributes[i].name) + 1);
    }
    return names;
}
