/* The list of mailboxes as it was last, in a small file of its own beside the
 * index: for a mount that begins while the server cannot be reached. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

typedef struct {
    const char *wire_name; /* verbatim */
    const char *name;      /* decoded */
    char delimiter;        /* 0: none */
    guint attributes;
} CacheListedMailbox;

/* The list as it is kept, to be compared with another one. */
GBytes *cache_mailbox_list_pack(const CacheListedMailbox *mailboxes, gsize n);

/* Writes @list into @directory, on the store thread. A failure is a message:
 * nothing but a mount without a server suffers. */
void cache_mailbox_list_save(const char *directory, GBytes *list,
                             CacheStoreThread *thread);

typedef void (*CacheMailboxListFunc)(const CacheListedMailbox *mailboxes,
                                     gsize n, gpointer user_data);

/* Calls @func with the list in @directory, which is valid during the call.
 * Fails with CACHE_ERROR_IO when there is none, or it is damaged. Blocks: for
 * the time before the mount. */
gboolean cache_mailbox_list_load(const char *directory,
                                 CacheMailboxListFunc func, gpointer user_data,
                                 GError **error);
