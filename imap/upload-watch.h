/* Whether a message that was given to the network moves on: the other side
 * takes it, and acknowledges. Part of a connection, and used by it alone.
 *
 * The kernel takes some megabytes at once, which on a slow line are minutes: by
 * what leaves our own buffer alone, such a line would look dead. */
#pragma once

#include <glib.h>

typedef struct {
    /* Octets that the other side has acknowledged, about. */
    guint64 (*delivered)(gpointer user_data);
    gboolean (*is_due)(gpointer user_data); /* a message is not answered yet */
    void (*moved)(gpointer user_data);
    gpointer user_data;

    guint source;
    guint64 last;
} ImapUploadWatch;

/* Octets of a message have been given to the network: looks every now and then,
 * several times in @limit_ms, until none is due. */
void imap_upload_watch_begin(ImapUploadWatch *watch, guint limit_ms);
void imap_upload_watch_stop(ImapUploadWatch *watch);
