/* The names that users gave to messages.
 *
 * A listing asks for every message of a mailbox, and most have no such name: a
 * mailbox without any costs one look-up. */
#include "cache/aliases.h"

#include "cache/error.h"
#include "cache/record-writer.h"

#include <string.h>

#define COST_OF_LOSS                                                           \
    "messages that were given a name then have the one that they "             \
    "had before"

typedef struct {
    GHashTable *by_uid;  /* UID -> name, owned by by_name */
    GHashTable *by_name; /* name, owned -> UID */
} Mailbox;

struct CacheAliases {
    CacheRecordWriter *writer;
    GHashTable *mailboxes; /* id -> Mailbox, owned */
    guint count;
};

enum {
    STATEMENT_PUT,
    STATEMENT_REMOVE,
};

/* A row is replaced by its UID and by its name, whichever is found. */
static const char *const statements[] = {
    "INSERT OR REPLACE INTO aliases VALUES (?1, ?2, ?3);",
    "DELETE FROM aliases WHERE mailbox = ?1 AND uid = ?2;",
    NULL,
};

static const CacheSchema schema = {
    .name = "aliases",
    .id = 0x494d414c, /* "IMAL" */
    .version = 1,
    .tables = "CREATE TABLE aliases (mailbox INTEGER NOT NULL, "
              "uid INTEGER NOT NULL, name TEXT NOT NULL, "
              "PRIMARY KEY (mailbox, uid), UNIQUE (mailbox, name)) "
              "WITHOUT ROWID;",
    .durable = TRUE,
};

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    g_hash_table_unref(mailbox->by_uid);
    g_hash_table_unref(mailbox->by_name);
    g_free(mailbox);
}

static Mailbox *
find(const CacheAliases *aliases, guint32 id)
{
    return g_hash_table_lookup(aliases->mailboxes, GUINT_TO_POINTER(id));
}

static Mailbox *
find_or_make(CacheAliases *aliases, guint32 id)
{
    Mailbox *mailbox = find(aliases, id);

    if (mailbox != NULL)
        return mailbox;
    mailbox = g_new(Mailbox, 1);
    mailbox->by_uid = g_hash_table_new(NULL, NULL);
    mailbox->by_name =
        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_insert(aliases->mailboxes, GUINT_TO_POINTER(id), mailbox);
    return mailbox;
}

/* ---- in memory ---- */

static void
forget(CacheAliases *aliases, Mailbox *mailbox, guint32 uid)
{
    const char *name =
        g_hash_table_lookup(mailbox->by_uid, GUINT_TO_POINTER(uid));

    if (name == NULL)
        return;
    g_hash_table_remove(mailbox->by_uid, GUINT_TO_POINTER(uid));
    g_hash_table_remove(mailbox->by_name, name);
    aliases->count--;
}

static void
keep(CacheAliases *aliases, guint32 id, guint32 uid, const char *name)
{
    Mailbox *mailbox = find_or_make(aliases, id);
    char *copy = g_strdup(name);

    forget(aliases, mailbox,
           GPOINTER_TO_UINT(g_hash_table_lookup(mailbox->by_name, name)));
    forget(aliases, mailbox, uid);
    g_hash_table_insert(mailbox->by_name, copy, GUINT_TO_POINTER(uid));
    g_hash_table_insert(mailbox->by_uid, GUINT_TO_POINTER(uid), copy);
    aliases->count++;
}

/* ---- reading ---- */

static gboolean
read_all(CacheAliases *aliases, GError **error)
{
    sqlite3 *database = cache_record_writer_database(aliases->writer);
    sqlite3_stmt *rows = cache_database_prepare(
        database, "SELECT mailbox, uid, name FROM aliases;", error);
    int result = SQLITE_ERROR;

    if (rows == NULL)
        return FALSE;
    while ((result = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(rows, 2);

        if (name != NULL && *name != '\0' && strlen(name) <= CACHE_ALIAS_MAX)
            keep(aliases, (guint32)sqlite3_column_int64(rows, 0),
                 (guint32)sqlite3_column_int64(rows, 1), name);
    }
    if (result != SQLITE_DONE)
        cache_database_set_error(database, error);
    sqlite3_finalize(rows);
    return result == SQLITE_DONE;
}

CacheAliases *
cache_aliases_open(const char *directory, CacheStoreThread *thread,
                   GError **error)
{
    g_autoptr(CacheAliases) aliases = g_new0(CacheAliases, 1);
    g_autofree char *path = NULL;
    GError *reason = NULL;

    aliases->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    if (directory != NULL)
        path = g_build_filename(directory, "aliases.db", NULL);
    aliases->writer =
        cache_record_writer_open(path, &schema, statements, thread, &reason);
    if (aliases->writer == NULL ||
        (path != NULL && !read_all(aliases, &reason))) {
        cache_error_explain(error, reason, COST_OF_LOSS);
        return NULL;
    }
    return g_steal_pointer(&aliases);
}

void
cache_aliases_close(CacheAliases *aliases)
{
    if (aliases == NULL)
        return;
    cache_record_writer_close(aliases->writer);
    g_hash_table_unref(aliases->mailboxes);
    g_free(aliases);
}

/* ---- names ---- */

void
cache_aliases_set(CacheAliases *aliases, guint32 mailbox, guint32 uid,
                  const char *name)
{
    CacheRecord *record;

    g_return_if_fail(uid != 0 && *name != '\0' &&
                     strlen(name) <= CACHE_ALIAS_MAX);
    if (g_strcmp0(cache_aliases_name(aliases, mailbox, uid), name) == 0)
        return;
    keep(aliases, mailbox, uid, name);
    record = cache_record_new(STATEMENT_PUT);
    cache_record_add_number(record, mailbox);
    cache_record_add_number(record, uid);
    /* What was given may have been the name of another, which is gone. */
    cache_record_add_text(record, cache_aliases_name(aliases, mailbox, uid));
    cache_record_writer_push(aliases->writer, record);
}

void
cache_aliases_remove(CacheAliases *aliases, guint32 mailbox, guint32 uid)
{
    CacheRecord *record;

    if (cache_aliases_name(aliases, mailbox, uid) == NULL)
        return;
    forget(aliases, find(aliases, mailbox), uid);
    record = cache_record_new(STATEMENT_REMOVE);
    cache_record_add_number(record, mailbox);
    cache_record_add_number(record, uid);
    cache_record_writer_push(aliases->writer, record);
}

const char *
cache_aliases_name(const CacheAliases *aliases, guint32 mailbox, guint32 uid)
{
    const Mailbox *found = find(aliases, mailbox);

    if (found == NULL)
        return NULL;
    return g_hash_table_lookup(found->by_uid, GUINT_TO_POINTER(uid));
}

guint32
cache_aliases_uid(const CacheAliases *aliases, guint32 mailbox,
                  const char *name)
{
    const Mailbox *found = find(aliases, mailbox);

    if (found == NULL)
        return 0;
    return GPOINTER_TO_UINT(g_hash_table_lookup(found->by_name, name));
}

guint
cache_aliases_count(const CacheAliases *aliases)
{
    return aliases->count;
}

void
cache_aliases_flush(CacheAliases *aliases, CacheAliasesDoneFunc done,
                    gpointer user_data)
{
    cache_record_writer_flush(aliases->writer, FALSE, done, user_data);
}
