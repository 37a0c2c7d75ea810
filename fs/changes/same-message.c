/* Whether two messages are the same one. */
#include "fs/changes/same-message.h"

#include "fs/names/header-field.h"

#include <string.h>

/* A header is looked at no further than that. */
#define HEADER_MAX (64u * 1024)

typedef struct {
    guint32 mailbox;
    guint32 uid;
    FsReader *reader; /* NULL: not opened yet */
    gboolean is_read;
    char *id; /* owned; NULL: it has none */
} Side;

struct FsSameMessage {
    FsMessageBodies *bodies;
    Side sides[2];
};

FsSameMessage *
fs_same_message_new(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                    guint32 other_mailbox, guint32 other_uid)
{
    FsSameMessage *same = g_new0(FsSameMessage, 1);

    same->bodies = bodies;
    same->sides[0].mailbox = mailbox;
    same->sides[0].uid = uid;
    same->sides[1].mailbox = other_mailbox;
    same->sides[1].uid = other_uid;
    return same;
}

void
fs_same_message_free(FsSameMessage *same)
{
    if (same == NULL)
        return;
    for (guint i = 0; i < 2; i++) {
        fs_reader_free(same->sides[i].reader);
        g_free(same->sides[i].id);
    }
    g_free(same);
}

static char *
find_id(const char *text, gsize length)
{
    g_autofree char *id = NULL;
    const char *end = g_strstr_len(text, (gssize)length, "\r\n\r\n");

    if (end != NULL)
        length = (gsize)(end - text) + 2;
    id = fs_header_field(text, length, "Message-ID");
    if (id == NULL || *g_strstrip(id) == '\0')
        return NULL;
    return g_steal_pointer(&id);
}

static FsNeed *
read_side(FsSameMessage *same, Side *side)
{
    g_autofree char *header = NULL;
    FsNeed *need = NULL;
    gssize length;

    if (side->is_read)
        return NULL;
    need =
        fs_reader_open(same->bodies, side->mailbox, side->uid, &side->reader);
    if (need != NULL)
        return need;
    header = g_malloc(HEADER_MAX);
    length = fs_reader_read(side->reader, 0, header, HEADER_MAX, &need);
    if (length < 0)
        return need;
    side->id = find_id(header, (gsize)length);
    side->is_read = TRUE;
    return NULL;
}

FsNeed *
fs_same_message_run(FsSameMessage *same, gboolean *result)
{
    for (guint i = 0; i < 2; i++) {
        FsNeed *need = read_side(same, &same->sides[i]);

        if (need != NULL)
            return need;
    }
    *result = same->sides[0].id != NULL &&
              g_strcmp0(same->sides[0].id, same->sides[1].id) == 0;
    return NULL;
}
