/* What was stored is put into the cache: its octets are here.
 *
 * Only if the server has said which message it is, by a number, of a mailbox
 * that is known; what was found by its octets has been fetched for that. And
 * only from a server that keeps what it is given, octet by octet: the first
 * message stored, if it is small, is read back to see. What was put aside until
 * then counts if it is the same, and for later mounts with the same cache. If
 * it is not, these know that, too: nothing is put aside any more, nor believed.
 *
 * That one message does not stand for those with a header that is not ASCII:
 * Cyrus keeps all others, and writes an X for each such octet, which leaves the
 * size as it was. So these are fetched. */
#include "fs/writing/upload-private.h"

#include "fs/bodies/stored-body.h"

#include <string.h>

/* A larger message is not read back. */
#define PROBE_MAX (64u * 1024)

typedef struct {
    FsUploads *uploads;
    guint32 mailbox;
    guint32 uid;
    guint64 size;
    char digest[65];
} Probe;

static void
end_probe(Probe *probe)
{
    probe->uploads->probe = NULL;
    probe->uploads->probe_data = NULL;
    g_free(probe);
}

/* The size was another one, or the octets. */
static gboolean
is_changed(const Probe *probe, const FsStoredText *stored)
{
    return g_strcmp0(stored->digest, probe->digest) != 0;
}

static void
on_probed(const FsStoredText *stored, const GError *error, gpointer user_data)
{
    Probe *probe = user_data;
    FsMessageBodies *bodies = probe->uploads->account->bodies;

    if (stored != NULL)
        fs_stored_body_trust(bodies, !is_changed(probe, stored));
    if (stored != NULL && is_changed(probe, stored))
        fs_stored_body_drop(bodies, probe->mailbox, probe->uid, probe->size);
    end_probe(probe);
}

static void
read_back(const FsUpload *upload)
{
    FsUploads *uploads = upload->uploads;
    Probe *probe;

    if (uploads->probe != NULL || upload->text.size > PROBE_MAX ||
        fs_stored_body_is_trusted(uploads->account->bodies) ||
        fs_stored_body_is_distrusted(uploads->account->bodies))
        return;
    probe = g_new0(Probe, 1);
    probe->uploads = uploads;
    probe->mailbox = upload->mailbox;
    probe->uid = upload->uid;
    probe->size = upload->text.size;
    g_strlcpy(probe->digest, upload->text.digest, sizeof probe->digest);
    uploads->probe_data = probe;
    uploads->probe =
        fs_stored_text_read(uploads->account, upload->mailbox, upload->uid,
                            &upload->text.size, 1, on_probed, probe);
}

/* Not while another has been seen to stand in its place, of which the index
 * does not know. */
static gboolean
is_mailbox_known(const FsUpload *upload)
{
    CacheMailbox known;

    return upload->uidvalidity != 0 &&
           cache_index_mailbox(upload->uploads->account->index, upload->mailbox,
                               &known) &&
           known.uidvalidity == upload->uidvalidity;
}

/* All of the header has been looked at. One that an earlier mount has left is
 * not at hand. */
static gboolean
has_plain_header(const FsMessageText *text)
{
    const GString *header = text->header;

    return header->len > 0 &&
           (header->len == text->size ||
            g_str_has_suffix(header->str, "\r\n\r\n")) &&
           g_str_is_ascii(header->str);
}

void
fs_upload_keep(const FsUpload *upload)
{
    FsUploads *uploads = upload->uploads;

    if (!upload->is_told || upload->file == NULL || !is_mailbox_known(upload) ||
        !has_plain_header(&upload->text))
        return;
    fs_stored_body_keep(uploads->account->bodies, upload->mailbox, upload->uid,
                        upload->file);
    read_back(upload);
}
