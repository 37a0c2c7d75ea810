/* A serialised GVariant, which GLib checks as it reads it, behind a checksum:
 * a list that was cut off must not pass for a shorter one. It is written to
 * another file, which then takes the place of the old one. */
#include "cache/mailbox-list.h"

#include "cache/error.h"

#include <gio/gio.h>
#include <string.h>

#define FILE_NAME "mailboxes"
/* Version, and wire name, name, delimiter, attributes of each. */
#define FORMAT "(ua(ayayyu))"
#define VERSION 1u
#define FILE_BYTES (64u * 1024 * 1024)
#define DIGEST G_CHECKSUM_SHA256
#define DIGEST_BYTES 32

static void
digest(const guint8 *data, gsize length, guint8 *result)
{
    g_autoptr(GChecksum) checksum = g_checksum_new(DIGEST);
    gsize size = DIGEST_BYTES;

    g_checksum_update(checksum, data, (gssize)length);
    g_checksum_get_digest(checksum, result, &size);
}

GBytes *
cache_mailbox_list_pack(const CacheListedMailbox *mailboxes, gsize n)
{
    g_autoptr(GVariant) list = NULL;
    GVariantBuilder builder;
    guint8 *data;
    gsize length;

    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(ayayyu)"));
    for (gsize i = 0; i < n; i++)
        g_variant_builder_add(&builder, "(^ay^ayyu)", mailboxes[i].wire_name,
                              mailboxes[i].name, (guchar)mailboxes[i].delimiter,
                              mailboxes[i].attributes);
    list = g_variant_ref_sink(
        g_variant_new("(ua(ayayyu))", (guint32)VERSION, &builder));
    length = DIGEST_BYTES + g_variant_get_size(list);
    data = g_malloc(length);
    g_variant_store(list, data + DIGEST_BYTES);
    digest(data + DIGEST_BYTES, length - DIGEST_BYTES, data);
    return g_bytes_new_take(data, length);
}

/* ---- writing ---- */

typedef struct {
    char *path;
    GBytes *list;
    GError *error;
} Job;

static void
write_list(gpointer user_data)
{
    Job *job = user_data;
    gsize length;
    const char *data = g_bytes_get_data(job->list, &length);

    g_file_set_contents_full(job->path, data, (gssize)length,
                             G_FILE_SET_CONTENTS_CONSISTENT, 0600, &job->error);
}

static void
written(gpointer user_data)
{
    Job *job = user_data;

    if (job->error != NULL)
        g_message("the list of mailboxes cannot be kept: %s",
                  job->error->message);
    g_clear_error(&job->error);
    g_bytes_unref(job->list);
    g_free(job->path);
    g_free(job);
}

void
cache_mailbox_list_save(const char *directory, GBytes *list,
                        CacheStoreThread *thread)
{
    Job *job = g_new0(Job, 1);

    job->path = g_build_filename(directory, FILE_NAME, NULL);
    job->list = g_bytes_ref(list);
    cache_store_thread_push(thread, write_list, written, job);
}

/* ---- reading ---- */

static gboolean
fail(GError **error, const char *path, const char *why)
{
    g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO, "'%s': %s", path, why);
    return FALSE;
}

static GVariant *
check(const char *data, gsize length)
{
    guint8 found[DIGEST_BYTES];
    g_autoptr(GBytes) bytes = NULL;
    g_autoptr(GVariant) list = NULL;

    if (length < DIGEST_BYTES || length > FILE_BYTES)
        return NULL;
    digest((const guint8 *)data + DIGEST_BYTES, length - DIGEST_BYTES, found);
    if (memcmp(data, found, DIGEST_BYTES) != 0)
        return NULL;
    bytes = g_bytes_new(data + DIGEST_BYTES, length - DIGEST_BYTES);
    list = g_variant_ref_sink(
        g_variant_new_from_bytes(G_VARIANT_TYPE(FORMAT), bytes, FALSE));
    return g_variant_is_normal_form(list) ? g_steal_pointer(&list) : NULL;
}

static void
hand_over(GVariant *list, CacheMailboxListFunc func, gpointer user_data)
{
    g_autoptr(GArray) mailboxes =
        g_array_new(FALSE, FALSE, sizeof(CacheListedMailbox));
    CacheListedMailbox mailbox;
    GVariantIter iter;
    guchar delimiter;

    g_variant_iter_init(&iter, list);
    while (g_variant_iter_next(&iter, "(^&ay^&ayyu)", &mailbox.wire_name,
                               &mailbox.name, &delimiter,
                               &mailbox.attributes)) {
        mailbox.delimiter = (char)delimiter;
        g_array_append_val(mailboxes, mailbox);
    }
    func((const CacheListedMailbox *)mailboxes->data, mailboxes->len,
         user_data);
}

gboolean
cache_mailbox_list_load(const char *directory, CacheMailboxListFunc func,
                        gpointer user_data, GError **error)
{
    g_autofree char *path = g_build_filename(directory, FILE_NAME, NULL);
    g_autofree char *data = NULL;
    g_autoptr(GVariant) list = NULL;
    g_autoptr(GVariant) mailboxes = NULL;
    g_autoptr(GError) reason = NULL;
    guint32 version;
    gsize length;

    if (!g_file_get_contents(path, &data, &length, &reason))
        return fail(error, path, reason->message);
    list = check(data, length);
    if (list == NULL)
        return fail(error, path, "it is damaged");
    g_variant_get(list, "(u@a(ayayyu))", &version, &mailboxes);
    if (version != VERSION)
        return fail(error, path, "it is of another version");
    hand_over(mailboxes, func, user_data);
    return TRUE;
}
