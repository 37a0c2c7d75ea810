/* What is known of mailboxes and messages, less their bodies: in a database, of
 * which memory holds what is in use.
 *
 * A change shows at once to whoever reads, and is written by the store thread;
 * changes are written in their order, so that what the disk holds was true at
 * one moment. Mailboxes are numbers here: what they mean is the caller's. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

typedef struct CacheIndex CacheIndex;

typedef struct {
    guint64 uidvalidity;
    guint64 uidnext;       /* 0: the server did not say */
    guint64 highestmodseq; /* all changes up to it are in; 0: none known */
    gboolean complete;     /* all messages are listed */
    gboolean has_headers;  /* each with what its header says */
} CacheMailbox;

typedef struct {
    guint32 uid;
    gboolean size_verified; /* @size is what the server really sends */
    guint64 size;           /* octets */
    gint64 internal_date;   /* seconds since the epoch, UTC */
    gint64 sent_date;       /* the same unit; G_MININT64: none */
    const char *stem;       /* the part of its name that comes from the header,
                               less the date; NULL: not known */
    const char *flags;    /* as the wire writes them, spaces between; NULL: none
                             known */
    const char *identity; /* the same for the same content in another mailbox;
                             NULL: the server has none */
} CacheMessage;

/* @directory: an existing one of the owner's, for index.db; NULL: all stays in
 * memory. Never fails: a database that is damaged or foreign is set aside and
 * made anew, and without a usable disk it goes on in memory; the log says so.
 * @thread must outlive the result. */
CacheIndex *cache_index_new(const char *directory, CacheStoreThread *thread);
/* What changed is written before this returns; flushes that still wait are
 * answered. Accepts NULL. */
void cache_index_free(CacheIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheIndex, cache_index_free)

/* FALSE when nothing is known of @mailbox; until it is set, it has no
 * messages. */
gboolean cache_index_mailbox(CacheIndex *index, guint32 mailbox,
                             CacheMailbox *result);
void cache_index_set_mailbox(CacheIndex *index, guint32 mailbox,
                             const CacheMailbox *state);
/* Forgets @mailbox and its messages. */
void cache_index_drop_mailbox(CacheIndex *index, guint32 mailbox);

/* Runs, from the main loop and never inside a call, when the disk does not give
 * back what it was given: @mailbox is not known any more, and has to be listed
 * again. Whoever finds a message missing asks cache_index_mailbox whether this
 * is why. Until it has run, @mailbox can be dropped, but not set: who is half
 * through a listing must not make it seem complete. At most one; NULL removes
 * it. */
typedef void (*CacheLostFunc)(guint32 mailbox, gpointer user_data);
void cache_index_set_lost_func(CacheIndex *index, CacheLostFunc func,
                               gpointer user_data);

/* Adds, or replaces those of the same UID (strings are copied). Ascending UIDs
 * are added in O(1). UID 0, which no message has, is passed over, and so is a
 * message of a mailbox that is not set, or is lost meanwhile. */
void cache_index_put(CacheIndex *index, guint32 mailbox,
                     const CacheMessage *message);
void cache_index_remove(CacheIndex *index, guint32 mailbox, guint32 uid);

guint cache_index_count(CacheIndex *index, guint32 mailbox);

/* The message @uid; FALSE when there is none. What @result points to is
 * borrowed until the index is next called. */
gboolean cache_index_message(CacheIndex *index, guint32 mailbox, guint32 uid,
                             CacheMessage *result);

/* The message with the lowest UID above @after; FALSE when there is none.
 * Borrowed likewise. */
gboolean cache_index_next(CacheIndex *index, guint32 mailbox, guint32 after,
                          CacheMessage *result);

/* The UIDs of @mailbox in the order of date (sent or internal; a message
 * without the former has the latter; to the minute), then stem, then UID as
 * text ("10." before "9."): that of the names that are made of them. @done runs
 * later, from the main loop, with an array of guint32 that it takes over; empty
 * when it cannot be had. */
typedef void (*CacheOrderFunc)(GArray *uids, gpointer user_data);
void cache_index_order_by_name(CacheIndex *index, guint32 mailbox,
                               gboolean by_sent_date, CacheOrderFunc done,
                               gpointer user_data);

/* Octets of all messages of all mailboxes, and how many there are. */
void cache_index_totals(const CacheIndex *index, guint64 *messages,
                        guint64 *octets);

/* Messages in memory until they are written, for they or their neighbours have
 * changed: who lists faster than the disk takes it waits while there are very
 * many. */
guint cache_index_unwritten(const CacheIndex *index);

/* Calls @done from the main loop once all changes so far are written, or cannot
 * be (CACHE_ERROR). */
void cache_index_flush(CacheIndex *index,
                       void (*done)(const GError *error, gpointer user_data),
                       gpointer user_data);
