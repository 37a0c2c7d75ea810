/* What is known of mailboxes and messages, less their bodies.
 *
 * Kept in memory for now. A change shows at once to whoever reads; it is
 * durable when the flush that follows it has called back. Mailboxes are numbers
 * here: what they mean is the caller's. */
#pragma once

#include <glib.h>

typedef struct CacheIndex CacheIndex;

typedef struct {
    guint64 uidvalidity;
    guint64 uidnext; /* 0: the server did not say */
} CacheMailbox;

typedef struct {
    guint32 uid;
    gboolean size_verified; /* @size is what the server really sends */
    guint64 size;           /* octets */
    gint64 internal_date;   /* seconds since the epoch, UTC */
    gint64 sent_date;       /* the same unit; G_MININT64: none */
    const char *stem;       /* the part of its name that comes from the header;
                               NULL: not known */
} CacheMessage;

CacheIndex *cache_index_new(void);
/* Answers the flushes that still wait. Accepts NULL. */
void cache_index_free(CacheIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheIndex, cache_index_free)

/* FALSE when nothing is known of @mailbox; until it is set, it has no
 * messages. */
gboolean cache_index_mailbox(const CacheIndex *index, guint32 mailbox,
                             CacheMailbox *result);
void cache_index_set_mailbox(CacheIndex *index, guint32 mailbox,
                             const CacheMailbox *state);
/* Forgets @mailbox and its messages. */
void cache_index_drop_mailbox(CacheIndex *index, guint32 mailbox);

/* Adds, or replaces those of the same UID (strings are copied). Ascending UIDs
 * are added in O(1). UID 0, which no message has, is passed over. @mailbox must
 * be set. */
void cache_index_put(CacheIndex *index, guint32 mailbox,
                     const CacheMessage *message);
void cache_index_remove(CacheIndex *index, guint32 mailbox, guint32 uid);

guint cache_index_count(const CacheIndex *index, guint32 mailbox);

/* The message @uid; FALSE when there is none. What @result points to is
 * borrowed until the index next changes. */
gboolean cache_index_message(const CacheIndex *index, guint32 mailbox,
                             guint32 uid, CacheMessage *result);

/* The message with the lowest UID above @after; FALSE when there is none. */
gboolean cache_index_next(const CacheIndex *index, guint32 mailbox,
                          guint32 after, CacheMessage *result);

/* Octets of all messages of all mailboxes, and how many there are. */
void cache_index_totals(const CacheIndex *index, guint64 *messages,
                        guint64 *octets);

/* Calls @done from the main loop once all changes so far are durable. */
void cache_index_flush(CacheIndex *index,
                       void (*done)(const GError *error, gpointer user_data),
                       gpointer user_data);
