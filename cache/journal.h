/* The changes that were accepted and that the server does not have yet, as
 * records in journal.db: what a crash must not make forgotten.
 *
 * All of it is in memory, too. What changes shows at once and is written by the
 * store thread in the order in which it was asked for; cache_journal_flush
 * tells when. What records mean is known to their owners: each kind has one. */
#pragma once

#include "cache/store-thread.h"

#include <glib.h>

typedef struct CacheJournal CacheJournal;

/* Strings may be NULL. */
typedef struct {
    guint64 id; /* given by cache_journal_add; never given again */
    guint kind; /* not 0 */
    guint step; /* how far it has come */
    guint32 mailbox;
    guint32 uid;
    guint32 target; /* another mailbox */
    guint32 target_uid;
    guint64 number;
    const char *name;
    const char *text;
} CacheJournalRecord;

/* @directory: an existing one of the owner's, for journal.db; NULL: nothing is
 * kept. @thread must outlive the result. Fails, with a sentence that says what
 * to do, when the file is damaged, foreign or cannot be written. */
CacheJournal *cache_journal_open(const char *directory,
                                 CacheStoreThread *thread, GError **error);
/* What changed is durable before this returns; flushes that still wait are
 * answered. Accepts NULL. */
void cache_journal_close(CacheJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CacheJournal, cache_journal_close)

/* Whether anything is on disk after a crash. */
gboolean cache_journal_is_kept(const CacheJournal *journal);

/* @record is copied, its id passed over. Returns the id it gets. */
guint64 cache_journal_add(CacheJournal *journal,
                          const CacheJournalRecord *record);
/* In place of the one with the same id, which must exist. */
void cache_journal_set(CacheJournal *journal, const CacheJournalRecord *record);
/* Does nothing if there is none. */
void cache_journal_remove(CacheJournal *journal, guint64 id);

/* NULL if there is none. Borrowed until it is set or removed. */
const CacheJournalRecord *cache_journal_get(const CacheJournal *journal,
                                            guint64 id);
/* Calls @func with every record, by id. It must not change the journal. */
typedef void (*CacheJournalFunc)(const CacheJournalRecord *record,
                                 gpointer user_data);
void cache_journal_foreach(const CacheJournal *journal, CacheJournalFunc func,
                           gpointer user_data);
guint cache_journal_count(const CacheJournal *journal);

/* Calls @done from the main loop, never inside this call, once all that was
 * changed so far is written: it survives the end of the process; and, if
 * @durable, the loss of power. Without @durable that comes within a second,
 * too, and nobody is told. @error: it cannot be written, and what was added
 * should be removed again. */
typedef void (*CacheJournalDoneFunc)(const GError *error, gpointer user_data);
void cache_journal_flush(CacheJournal *journal, gboolean durable,
                         CacheJournalDoneFunc done, gpointer user_data);
