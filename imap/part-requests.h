/* What is asked of a server about the parts of messages. The rules of
 * imap/requests.h hold. */
#pragma once

#include "imap/requests.h"
#include "imap/structure.h"

/* UID FETCH of the structure and the header of messages, with RFC822.SIZE; or,
 * with a @section, of the header of that message in it alone. Marks nothing as
 * read. @head runs for each message that comes, with what has come of it;
 * borrowed. */
typedef struct {
    void (*head)(const ImapFetch *fetch, gpointer user_data);
    void (*done)(const GError *error, gpointer user_data);
} ImapHeadsHandler;
void imap_request_heads(ImapConnection *connection, const ImapUidSet *uids,
                        const char *section, const ImapHeadsHandler *handler,
                        gpointer user_data);

/* BINARY.SIZE of the part @section of one message, in the same way; only for a
 * server with BINARY. */
void imap_request_binary_size(ImapConnection *connection, guint32 uid,
                              const char *section,
                              const ImapHeadsHandler *handler,
                              gpointer user_data);

/* UID FETCH of the part @section ("1.2") of messages, as
 * imap_request_fetch_bodies does of whole ones: by BODY.PEEK, as it was sent,
 * or, with @decoded, by BINARY.PEEK, which only a server with BINARY knows (RFC
 * 3516), and which it refuses where it cannot decode. */
void imap_request_fetch_section(ImapConnection *connection,
                                const ImapUidSet *uids, const char *section,
                                gboolean decoded,
                                const ImapBodiesHandler *handler,
                                gpointer user_data);

/* Of the part @section of one message, as it was sent, the @length octets from
 * @offset, or as many of them as there are. Marks nothing as read. */
void imap_request_fetch_section_part(ImapConnection *connection, guint32 uid,
                                     const char *section, guint64 offset,
                                     guint32 length,
                                     const ImapBodiesHandler *handler,
                                     gpointer user_data);

/* UID FETCH of the header fields @fields ("FROM TO", protocol text of ours) of
 * messages, and, @with_structure, of their structures: some servers refuse
 * those of broken messages. As imap_request_heads. */
void imap_request_fields(ImapConnection *connection, const ImapUidSet *uids,
                         const char *fields, gboolean with_structure,
                         const ImapHeadsHandler *handler, gpointer user_data);
