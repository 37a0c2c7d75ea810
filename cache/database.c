/* A SQLite database of ours.
 *
 * SQLite makes its logs with the mode of the database's own file, so that file
 * is made first, by us. What a file is, is told by its application id and its
 * version: one that is empty is ours to fill, any other that differs is not. */
#include "cache/database.h"

#include "cache/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

/* This one keeps the log's index in our memory, and other processes out. In a
 * file, it would be mapped: cutting that file would end the process, and so
 * would a full disk where a page that is changed needs a new place. */
#define VFS "unix-excl"

/* The writer's page cache, and the reader's: KiB. */
#define PAGE_CACHE_KIB 1024
/* A checkpoint each so many pages of 4 KiB keeps the log small. */
#define CHECKPOINT_PAGES 1000

static CacheError
code_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: /* ours always hold */
    case SQLITE_ERROR:      /* our statements are right: other tables */
        return CACHE_ERROR_DAMAGED;
    case SQLITE_NOTADB:
        return CACHE_ERROR_FOREIGN;
    case SQLITE_FULL:
        return CACHE_ERROR_NO_SPACE;
    default:
        return CACHE_ERROR_IO;
    }
}

gboolean
cache_database_set_error(sqlite3 *database, GError **error)
{
    int result = sqlite3_extended_errcode(database);
    /* An older one stays there when something else fails. */
    int cause =
        (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN
            ? sqlite3_system_errno(database)
            : 0;
    CacheError code = cause == ENOSPC || cause == EDQUOT ? CACHE_ERROR_NO_SPACE
                                                         : code_of(result);

    g_set_error(error, CACHE_ERROR, (gint)code, "%s: %s%s%s",
                sqlite3_db_filename(database, "main"), sqlite3_errmsg(database),
                cause != 0 ? ": " : "", cause != 0 ? g_strerror(cause) : "");
    return FALSE;
}

gboolean
cache_database_run(sqlite3 *database, const char *sql, GError **error)
{
    if (sqlite3_exec(database, sql, NULL, NULL, NULL) == SQLITE_OK)
        return TRUE;
    return cache_database_set_error(database, error);
}

sqlite3_stmt *
cache_database_prepare(sqlite3 *database, const char *sql, GError **error)
{
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v3(database, sql, -1, SQLITE_PREPARE_PERSISTENT,
                           &statement, NULL) != SQLITE_OK)
        cache_database_set_error(database, error);
    return statement;
}

void
cache_database_close(sqlite3 *database)
{
    if (database != NULL)
        sqlite3_close_v2(database);
}

static sqlite3 *
connect_to(const char *path, GError **error)
{
    sqlite3 *database = NULL;

    if (sqlite3_open_v2(path, &database,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        VFS) != SQLITE_OK) {
        if (database != NULL)
            cache_database_set_error(database, error);
        else
            g_set_error(error, CACHE_ERROR, CACHE_ERROR_IO, "%s: out of memory",
                        path);
        cache_database_close(database);
        return NULL;
    }
    sqlite3_busy_timeout(database, 1000);
    return database;
}

static gboolean
read_number(sqlite3 *database, const char *sql, gint64 *number, GError **error)
{
    sqlite3_stmt *statement = cache_database_prepare(database, sql, error);
    gboolean found;

    if (statement == NULL)
        return FALSE;
    found = sqlite3_step(statement) == SQLITE_ROW;
    if (found)
        *number = sqlite3_column_int64(statement, 0);
    else
        cache_database_set_error(database, error);
    sqlite3_finalize(statement);
    return found;
}

static gboolean
make_tables(sqlite3 *database, const CacheSchema *schema, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("BEGIN IMMEDIATE; %s PRAGMA application_id = %d; "
                        "PRAGMA user_version = %u; COMMIT;",
                        schema->tables, (gint32)schema->id, schema->version);

    return cache_database_run(database, "PRAGMA auto_vacuum = INCREMENTAL;",
                              error) &&
           cache_database_run(database, "PRAGMA journal_mode = WAL;", error) &&
           cache_database_run(database, sql, error);
}

/* Whether @database is one of @schema's, making it so if it is empty. */
static gboolean
identify(sqlite3 *database, const CacheSchema *schema, GError **error)
{
    gint64 id, version, n_tables;

    if (!read_number(database, "PRAGMA application_id;", &id, error) ||
        !read_number(database, "PRAGMA user_version;", &version, error) ||
        !read_number(database, "SELECT count(*) FROM sqlite_master;", &n_tables,
                     error))
        return FALSE;
    if (id == 0 && version == 0 && n_tables == 0)
        return make_tables(database, schema, error);
    if (id != (gint32)schema->id) {
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_FOREIGN,
                    "%s is another program's database",
                    sqlite3_db_filename(database, "main"));
        return FALSE;
    }
    if (version != schema->version) {
        g_set_error(error, CACHE_ERROR, CACHE_ERROR_FOREIGN,
                    "%s was written by another version of imapfs (%s %u here, "
                    "%" G_GINT64_FORMAT " there)",
                    sqlite3_db_filename(database, "main"), schema->name,
                    schema->version, version);
        return FALSE;
    }
    return TRUE;
}

static gboolean
set_up(sqlite3 *database, const CacheSchema *schema, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; "
        "PRAGMA cache_size = -%d; PRAGMA wal_autocheckpoint = %d; "
        "PRAGMA secure_delete = FAST; PRAGMA trusted_schema = OFF;",
        schema->durable ? "FULL" : "NORMAL", PAGE_CACHE_KIB, CHECKPOINT_PAGES);

    return identify(database, schema, error) &&
           cache_database_run(database, sql, error);
}

static gboolean
make_file(const char *path, GError **error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd >= 0) {
        fchmod(fd, 0600);
        close(fd);
        return TRUE;
    }
    g_set_error(error, CACHE_ERROR,
                errno == ENOSPC || errno == EDQUOT ? CACHE_ERROR_NO_SPACE
                                                   : CACHE_ERROR_IO,
                "%s: %s", path, g_strerror(errno));
    return FALSE;
}

sqlite3 *
cache_database_open(const char *path, const CacheSchema *schema, GError **error)
{
    sqlite3 *database;

    if (!make_file(path, error))
        return NULL;
    database = connect_to(path, error);
    if (database != NULL && !set_up(database, schema, error))
        g_clear_pointer(&database, cache_database_close);
    return database;
}

sqlite3 *
cache_database_open_reader(const char *path, const CacheSchema *schema,
                           GError **error)
{
    sqlite3 *database = connect_to(path, error);
    g_autofree char *sql =
        g_strdup_printf("PRAGMA query_only = ON; PRAGMA cache_size = -%d; "
                        "PRAGMA trusted_schema = OFF;",
                        PAGE_CACHE_KIB);

    if (database != NULL && !(identify(database, schema, error) &&
                              cache_database_run(database, sql, error)))
        g_clear_pointer(&database, cache_database_close);
    return database;
}

void
cache_database_set_aside(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (gsize i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        g_autofree char *from = g_strconcat(path, suffixes[i], NULL);
        g_autofree char *to = g_strconcat(path, ".damaged", suffixes[i], NULL);

        /* An older log must not stay beside a newer database. */
        if (g_rename(from, to) != 0) {
            g_unlink(to);
            g_unlink(from);
        }
    }
}

sqlite3 *
cache_database_open_or_rebuild(const char *path, const CacheSchema *schema,
                               GError **error)
{
    g_autoptr(GError) reason = NULL;
    sqlite3 *database = cache_database_open(path, schema, &reason);

    if (database == NULL &&
        (g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_FOREIGN) ||
         g_error_matches(reason, CACHE_ERROR, CACHE_ERROR_DAMAGED))) {
        g_message("The %s of the cache is made anew, the old one kept as "
                  "%s.damaged: %s",
                  schema->name, path, reason->message);
        cache_database_set_aside(path);
        return cache_database_open(path, schema, error);
    }
    if (database == NULL)
        g_propagate_error(error, g_steal_pointer(&reason));
    return database;
}
