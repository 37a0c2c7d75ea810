/* Header fields of messages that were fetched once, in fields.db: what a table
 * of a mailbox shows beyond the index. As disposable as the index, and by the
 * same ids of mailboxes; what is missing is fetched again.
 *
 * What is put can be read once the store thread has written it. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

typedef struct CacheFields CacheFields;

typedef struct {
    guint32 uid;
    /* As text; "" if there is none. */
    const char *from;
    const char *to;
    const char *subject;
    const char *message_id;
    int attachments; /* 1: there are some; 0: none; -1: it cannot be told */
} CacheFieldsRow;

/* @directory: an existing one of the owner's; NULL: nothing is kept. Never
 * fails: a database that is damaged or foreign is set aside and made anew, and
 * without a usable disk nothing is kept; the log says so. @thread must outlive
 * the result. */
CacheFields *cache_fields_new(const char *directory, CacheStoreThread *thread);
/* What was put is written before this returns. Accepts NULL. */
void cache_fields_free(CacheFields *fields);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheFields, cache_fields_free)

/* Keeps @row (copied) of @mailbox; or does not, while the disk is behind. */
void cache_fields_put(CacheFields *fields, guint32 mailbox,
                      const CacheFieldsRow *row);
/* Nothing is kept of the message any more; of all of the mailbox. */
void cache_fields_remove(CacheFields *fields, guint32 mailbox, guint32 uid);
void cache_fields_drop_mailbox(CacheFields *fields, guint32 mailbox);

/* Calls @func, before it returns, with what is kept of the messages with the
 * UIDs from @first to @last, ascending; the row is borrowed. */
typedef void (*CacheFieldsFunc)(const CacheFieldsRow *row, gpointer user_data);
void cache_fields_read(CacheFields *fields, guint32 mailbox, guint32 first,
                       guint32 last, CacheFieldsFunc func, gpointer user_data);
