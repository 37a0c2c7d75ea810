/* A SQLite database of ours: opened, or made, with the owner's modes, the
 * schema that this version writes, and a write-ahead log.
 *
 * One connection writes, on the store thread; another reads, on the main loop.
 * A reader sees what was committed before it asked. No other process can use
 * the database meanwhile. */
#pragma once

#include <glib.h>
#include <sqlite3.h>

typedef struct {
    const char *name;   /* for messages: "index" */
    guint32 id;         /* PRAGMA application_id */
    guint32 version;    /* PRAGMA user_version */
    const char *tables; /* SQL that makes them in an empty database */
    gboolean durable;   /* a commit survives the loss of power */
} CacheSchema;

/* Opens @path for reading and writing, making it if it is not there. Fails with
 * CACHE_ERROR_FOREIGN (no database, or not one of @schema's, or of another
 * version), CACHE_ERROR_DAMAGED, CACHE_ERROR_NO_SPACE or CACHE_ERROR_IO; the
 * file is then as it was. Caller closes with cache_database_close. */
sqlite3 *cache_database_open(const char *path, const CacheSchema *schema,
                             GError **error);

/* A second connection to the database @path, which exists, for reading. */
sqlite3 *cache_database_open_reader(const char *path, const CacheSchema *schema,
                                    GError **error);

/* Opens it as cache_database_open does; one that is foreign or damaged is
 * renamed to "@path.damaged" first, in place of an older one, with a message in
 * the log. For what can be had again from the server. */
sqlite3 *cache_database_open_or_rebuild(const char *path,
                                        const CacheSchema *schema,
                                        GError **error);

/* All statements must have been finalised. Accepts NULL. */
void cache_database_close(sqlite3 *database);

/* Runs @sql, which brings no rows. */
gboolean cache_database_run(sqlite3 *database, const char *sql, GError **error);

/* A statement to be used many times. Caller finalises. */
sqlite3_stmt *cache_database_prepare(sqlite3 *database, const char *sql,
                                     GError **error);

/* Sets @error from what @database last failed with. Returns FALSE. */
gboolean cache_database_set_error(sqlite3 *database, GError **error);

/* Renames the database @path and its logs out of the way. It must be closed. */
void cache_database_set_aside(const char *path);
