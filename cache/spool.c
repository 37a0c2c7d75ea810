/* Files that a program has written and no server has yet.
 *
 *     0         note, or nothing
 *     4096      note, or nothing
 *     8192      the octets
 *
 * A note is written over the older of the two. Each has a number, which goes
 * up, and a checksum. */
#include "cache/spool.h"

#include "cache/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define FOLDER "spool"
#define SUFFIX ".spool"
#define SLOT_SIZE 4096u
#define DATA_OFFSET (2 * SLOT_SIZE)
#define MAGIC 0x4c4f5053u /* "SPOL" */

typedef struct {
    guint32 magic;
    guint32 length;
    guint64 number;
    guint32 checksum; /* of the text and the two above */
    guint32 unused;
} SlotHead;
G_STATIC_ASSERT(sizeof(SlotHead) + CACHE_SPOOL_NOTE_MAX <= SLOT_SIZE);

/* Held by its user and by every job on it. What the store thread uses is its
 * alone, but for @fd, which is set when the first job is done. */
struct CacheSpoolFile {
    CacheSpool *spool; /* a reference */
    guint64 number;
    guint64 size;      /* this and the next two are the main loop's */
    guint n_changes;   /* of the octets, which are being made */
    gboolean has_less; /* than that size: something was not written */

    char *path;
    int fd;         /* -1: not made yet, or removed */
    gboolean gone;  /* removed: nothing is made any more */
    gboolean known; /* the directory has it for good */
    guint64 note_number;
};

struct CacheSpool {
    char *path;
    gboolean temporary;
    CacheStoreThread *thread;
    guint64 next_number;
};

static gboolean
set_error(GError **error, const char *what, const char *path)
{
    int number = errno;
    gboolean full = number == ENOSPC || number == EDQUOT;

    g_set_error(error, CACHE_ERROR,
                full ? CACHE_ERROR_NO_SPACE : CACHE_ERROR_IO,
                "cannot %s %s: %s", what, path, g_strerror(number));
    return FALSE;
}

/* ---- the directory ---- */

static void
spool_clear(gpointer data)
{
    CacheSpool *spool = data;

    if (spool->temporary)
        g_rmdir(spool->path);
    g_free(spool->path);
}

static gboolean
number_of(const char *name, guint64 *number)
{
    char *end;

    *number = g_ascii_strtoull(name, &end, 10);
    return g_ascii_isdigit(*name) && strcmp(end, SUFFIX) == 0 && *number > 0 &&
           *number < G_MAXUINT64;
}

/* The numbers of the files that are there, ascending; of guint64. NULL with
 * @error. */
static GArray *
list_numbers(const CacheSpool *spool, GError **error)
{
    GArray *numbers;
    const char *name;
    GDir *directory;
    guint64 number;

    errno = 0;
    directory = g_dir_open(spool->path, 0, NULL);
    if (directory == NULL) {
        set_error(error, "read", spool->path);
        return NULL;
    }
    numbers = g_array_new(FALSE, FALSE, sizeof(guint64));
    while ((name = g_dir_read_name(directory)) != NULL)
        if (number_of(name, &number))
            g_array_append_val(numbers, number);
    g_dir_close(directory);
    return numbers;
}

static gint
compare_numbers(gconstpointer a, gconstpointer b)
{
    guint64 one = *(const guint64 *)a;
    guint64 other = *(const guint64 *)b;

    return (one > other) - (one < other);
}

static gboolean
make_directory(CacheSpool *spool, const char *directory, GError **error)
{
    if (directory == NULL) {
        spool->temporary = TRUE;
        spool->path = g_dir_make_tmp("imapfs-XXXXXX", NULL);
        if (spool->path != NULL)
            return TRUE;
        return set_error(error, "make a directory in", g_get_tmp_dir());
    }
    spool->path = g_build_filename(directory, FOLDER, NULL);
    if (g_mkdir(spool->path, 0700) != 0 && errno != EEXIST)
        return set_error(error, "make", spool->path);
    return TRUE;
}

CacheSpool *
cache_spool_open(const char *directory, CacheStoreThread *thread,
                 GError **error)
{
    CacheSpool *spool = g_atomic_rc_box_new0(CacheSpool);
    g_autoptr(GArray) numbers = NULL;

    spool->thread = thread;
    spool->next_number = 1;
    if (make_directory(spool, directory, error))
        numbers = list_numbers(spool, error);
    if (numbers == NULL) {
        cache_spool_close(spool);
        return NULL;
    }
    for (guint i = 0; i < numbers->len; i++)
        spool->next_number =
            MAX(spool->next_number, g_array_index(numbers, guint64, i) + 1);
    return spool;
}

void
cache_spool_close(CacheSpool *spool)
{
    if (spool != NULL)
        g_atomic_rc_box_release_full(spool, spool_clear);
}

const char *
cache_spool_path(const CacheSpool *spool)
{
    return spool->path;
}

/* ---- files ---- */

static CacheSpoolFile *
new_file(CacheSpool *spool, guint64 number)
{
    CacheSpoolFile *file = g_atomic_rc_box_new0(CacheSpoolFile);

    file->spool = g_atomic_rc_box_acquire(spool);
    file->number = number;
    file->path =
        g_strdup_printf("%s/%010" G_GUINT64_FORMAT SUFFIX, spool->path, number);
    file->fd = -1;
    return file;
}

CacheSpoolFile *
cache_spool_file_new(CacheSpool *spool)
{
    return new_file(spool, spool->next_number++);
}

static void
file_clear(gpointer data)
{
    CacheSpoolFile *file = data;

    if (file->fd >= 0) {
        if (file->spool->temporary)
            g_unlink(file->path);
        close(file->fd);
    }
    g_free(file->path);
    cache_spool_close(file->spool);
}

CacheSpoolFile *
cache_spool_file_ref(CacheSpoolFile *file)
{
    return g_atomic_rc_box_acquire(file);
}

void
cache_spool_file_free(CacheSpoolFile *file)
{
    if (file != NULL)
        g_atomic_rc_box_release_full(file, file_clear);
}

guint64
cache_spool_file_number(const CacheSpoolFile *file)
{
    return file->number;
}

guint64
cache_spool_file_size(const CacheSpoolFile *file)
{
    return file->size;
}

/* ---- what the store thread does ---- */

static gboolean
open_file(CacheSpoolFile *file, GError **error)
{
    if (file->fd >= 0)
        return TRUE;
    if (file->gone) {
        errno = ENOENT;
        return set_error(error, "write", file->path);
    }
    file->fd = g_open(file->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return file->fd >= 0 || set_error(error, "make", file->path);
}

static gboolean
write_all(CacheSpoolFile *file, const void *data, gsize length, guint64 offset,
          GError **error)
{
    const guint8 *at = data;

    while (length > 0) {
        gssize written = pwrite(file->fd, at, length, (off_t)offset);

        if (written < 0 && errno == EINTR)
            continue;
        if (written == 0)
            errno = EIO;
        if (written <= 0)
            return set_error(error, "write", file->path);
        at += written;
        offset += (guint64)written;
        length -= (gsize)written;
    }
    return TRUE;
}

static gssize
read_some(const CacheSpoolFile *file, void *buffer, gsize length,
          guint64 offset, GError **error)
{
    gsize total = 0;

    if (file->fd < 0)
        return 0;
    while (total < length) {
        gssize got = pread(file->fd, (guint8 *)buffer + total, length - total,
                           (off_t)(offset + total));

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            set_error(error, "read", file->path);
            return -1;
        }
        if (got == 0)
            break;
        total += (gsize)got;
    }
    return (gssize)total;
}

static gboolean
sync_file(CacheSpoolFile *file, GError **error)
{
    int directory;
    gboolean synced;

    if (file->spool->temporary)
        return TRUE;
    if (fsync(file->fd) != 0)
        return set_error(error, "write", file->path);
    if (file->known)
        return TRUE;
    directory =
        g_open(file->spool->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    synced = directory >= 0 && fsync(directory) == 0;
    if (!synced)
        set_error(error, "write", file->spool->path);
    if (directory >= 0)
        close(directory);
    file->known = synced;
    return synced;
}

/* ---- notes ---- */

static guint32
checksum_of(const SlotHead *head, const char *text)
{
    uLong checksum = crc32(0, (const Bytef *)&head->number, 8);

    return (guint32)crc32(checksum, (const Bytef *)text, head->length);
}

static gboolean
write_note(CacheSpoolFile *file, const char *note, GError **error)
{
    g_autofree guint8 *slot = g_malloc0(SLOT_SIZE);
    SlotHead head = {.magic = MAGIC, .length = (guint32)strlen(note)};

    head.number = file->note_number + 1;
    head.checksum = checksum_of(&head, note);
    memcpy(slot, &head, sizeof head);
    memcpy(slot + sizeof head, note, head.length);
    if (!write_all(file, slot, SLOT_SIZE, head.number % 2 * SLOT_SIZE, error))
        return FALSE;
    file->note_number = head.number;
    return TRUE;
}

/* The text of the slot @i; NULL if it has none that counts. Caller frees. */
static char *
read_slot(const CacheSpoolFile *file, guint i, guint64 *number)
{
    g_autofree guint8 *slot = g_malloc0(SLOT_SIZE);
    g_autofree char *text = NULL;
    SlotHead head;

    if (read_some(file, slot, SLOT_SIZE, i * SLOT_SIZE, NULL) != SLOT_SIZE)
        return NULL;
    memcpy(&head, slot, sizeof head);
    if (head.magic != MAGIC || head.length > CACHE_SPOOL_NOTE_MAX)
        return NULL;
    text = g_strndup((const char *)slot + sizeof head, head.length);
    if (strlen(text) != head.length ||
        head.checksum != checksum_of(&head, text))
        return NULL;
    *number = head.number;
    return g_steal_pointer(&text);
}

static char *
read_note(CacheSpoolFile *file)
{
    guint64 numbers[2] = {0, 0};
    g_autofree char *first = read_slot(file, 0, &numbers[0]);
    g_autofree char *second = read_slot(file, 1, &numbers[1]);

    file->note_number = MAX(numbers[0], numbers[1]);
    if (numbers[0] > numbers[1])
        return g_steal_pointer(&first);
    return second != NULL ? g_steal_pointer(&second) : g_strdup("");
}

/* ---- jobs ---- */

typedef enum {
    JOB_WRITE,
    JOB_TRUNCATE,
    JOB_NOTE,
    JOB_WORK,
    JOB_REMOVE,
} JobKind;

typedef struct {
    JobKind kind;
    CacheSpoolFile *file; /* a reference */
    CacheSpoolFile *to;   /* the same; of JOB_WORK */
    guint64 offset;
    GBytes *data;
    char *note;
    gboolean durable;
    CacheSpoolWorkFunc work;
    gpointer work_data;
    guint64 size_after; /* of @to */
    CacheSpoolDoneFunc done;
    gpointer user_data;
    GError *error;
} Job;

struct CacheSpoolAccess {
    CacheSpoolFile *file;
    guint64 size;
};

static guint64
size_on_disk(const CacheSpoolFile *file)
{
    struct stat stat;

    if (file->fd < 0 || fstat(file->fd, &stat) != 0 ||
        stat.st_size <= (off_t)DATA_OFFSET)
        return 0;
    return (guint64)stat.st_size - DATA_OFFSET;
}

static void
run_work(Job *job)
{
    CacheSpoolAccess from = {job->file, size_on_disk(job->file)};
    CacheSpoolAccess to = {job->to, 0};

    if (open_file(job->to, &job->error))
        job->work(&from, &to, job->work_data, &job->error);
    job->size_after = to.size;
}

static void
run_truncate(Job *job)
{
    if (open_file(job->file, &job->error) &&
        ftruncate(job->file->fd, (off_t)(DATA_OFFSET + job->offset)) != 0)
        set_error(&job->error, "write", job->file->path);
}

static void
run_job(gpointer data)
{
    Job *job = data;
    CacheSpoolFile *file = job->file;
    gsize length;
    const void *octets;

    switch (job->kind) {
    case JOB_WRITE:
        octets = g_bytes_get_data(job->data, &length);
        if (open_file(file, &job->error))
            write_all(file, octets, length, DATA_OFFSET + job->offset,
                      &job->error);
        break;
    case JOB_TRUNCATE:
        run_truncate(job);
        break;
    case JOB_NOTE:
        if (open_file(file, &job->error) &&
            write_note(file, job->note, &job->error) && job->durable)
            sync_file(file, &job->error);
        break;
    case JOB_WORK:
        run_work(job);
        break;
    case JOB_REMOVE:
        file->gone = TRUE;
        if (file->fd >= 0)
            g_unlink(file->path);
        break;
    }
}

/* Where there was no room, the file ends where the disk does: but only when
 * nothing else is on its way can it be told how long it is. */
static void
end_change(CacheSpoolFile *file, const GError *error)
{
    file->has_less = file->has_less || error != NULL;
    if (--file->n_changes > 0 || !file->has_less)
        return;
    file->has_less = FALSE;
    file->size = MIN(file->size, size_on_disk(file));
}

static void
finish_job(gpointer data)
{
    Job *job = data;

    if (job->kind == JOB_WRITE || job->kind == JOB_TRUNCATE)
        end_change(job->file, job->error);
    if (job->to != NULL)
        job->to->size = job->size_after;
    if (job->done != NULL)
        job->done(job->error, job->user_data);
    cache_spool_file_free(job->to);
    cache_spool_file_free(job->file);
    g_clear_pointer(&job->data, g_bytes_unref);
    g_clear_error(&job->error);
    g_free(job->note);
    g_free(job);
}

static Job *
new_job(CacheSpoolFile *file, JobKind kind, CacheSpoolDoneFunc done,
        gpointer user_data)
{
    Job *job = g_new0(Job, 1);

    job->kind = kind;
    job->file = g_atomic_rc_box_acquire(file);
    job->done = done;
    job->user_data = user_data;
    return job;
}

static void
push_job(Job *job)
{
    cache_store_thread_push(job->file->spool->thread, run_job, finish_job, job);
}

void
cache_spool_file_write(CacheSpoolFile *file, guint64 offset, GBytes *data,
                       CacheSpoolDoneFunc done, gpointer user_data)
{
    Job *job = new_job(file, JOB_WRITE, done, user_data);

    job->offset = offset;
    job->data = g_bytes_ref(data);
    file->size = MAX(file->size, offset + g_bytes_get_size(data));
    file->n_changes++;
    push_job(job);
}

void
cache_spool_file_truncate(CacheSpoolFile *file, guint64 size,
                          CacheSpoolDoneFunc done, gpointer user_data)
{
    Job *job = new_job(file, JOB_TRUNCATE, done, user_data);

    job->offset = size;
    file->size = size;
    file->n_changes++;
    push_job(job);
}

void
cache_spool_file_set_note(CacheSpoolFile *file, const char *note,
                          gboolean durable, CacheSpoolDoneFunc done,
                          gpointer user_data)
{
    Job *job = new_job(file, JOB_NOTE, done, user_data);

    job->note = g_strndup(note, CACHE_SPOOL_NOTE_MAX);
    job->durable = durable;
    push_job(job);
}

void
cache_spool_file_work(CacheSpoolFile *from, CacheSpoolFile *to,
                      CacheSpoolWorkFunc work, gpointer work_data,
                      CacheSpoolDoneFunc done, gpointer user_data)
{
    Job *job = new_job(from, JOB_WORK, done, user_data);

    job->to = g_atomic_rc_box_acquire(to);
    job->work = work;
    job->work_data = work_data;
    push_job(job);
}

void
cache_spool_file_remove(CacheSpoolFile *file)
{
    if (file == NULL)
        return;
    push_job(new_job(file, JOB_REMOVE, NULL, NULL));
    cache_spool_file_free(file);
}

/* ---- waiting for all ---- */

typedef struct {
    CacheSpool *spool; /* a reference */
    CacheSpoolDoneFunc done;
    gpointer user_data;
} Flush;

static void
run_flush(gpointer data)
{
}

static void
finish_flush(gpointer data)
{
    Flush *flush = data;

    flush->done(NULL, flush->user_data);
    cache_spool_close(flush->spool);
    g_free(flush);
}

void
cache_spool_flush(CacheSpool *spool, CacheSpoolDoneFunc done,
                  gpointer user_data)
{
    Flush *flush = g_new0(Flush, 1);

    flush->spool = g_atomic_rc_box_acquire(spool);
    flush->done = done;
    flush->user_data = user_data;
    cache_store_thread_push(spool->thread, run_flush, finish_flush, flush);
}

/* ---- reading ---- */

gssize
cache_spool_file_read(CacheSpoolFile *file, guint64 offset, void *buffer,
                      gsize length, GError **error)
{
    if (offset >= file->size)
        return 0;
    return read_some(file, buffer, MIN(length, file->size - offset),
                     DATA_OFFSET + offset, error);
}

gssize
cache_spool_access_read(CacheSpoolAccess *access, guint64 offset, void *buffer,
                        gsize length, GError **error)
{
    if (offset >= access->size)
        return 0;
    return read_some(access->file, buffer, MIN(length, access->size - offset),
                     DATA_OFFSET + offset, error);
}

gboolean
cache_spool_access_append(CacheSpoolAccess *access, const void *data,
                          gsize length, GError **error)
{
    if (!write_all(access->file, data, length, DATA_OFFSET + access->size,
                   error))
        return FALSE;
    access->size += length;
    return TRUE;
}

/* ---- what is left ---- */

/* FALSE if it is no file of ours. */
static gboolean
open_left(CacheSpoolFile *file)
{
    struct stat stat;

    file->fd =
        g_open(file->path, O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0);
    if (file->fd < 0)
        return FALSE;
    if (fstat(file->fd, &stat) != 0 || !S_ISREG(stat.st_mode)) {
        close(file->fd);
        file->fd = -1;
        return FALSE;
    }
    file->size = size_on_disk(file);
    file->known = TRUE;
    return TRUE;
}

void
cache_spool_foreach_left(CacheSpool *spool, CacheSpoolFunc func,
                         gpointer user_data)
{
    g_autoptr(GArray) numbers = list_numbers(spool, NULL);

    if (numbers == NULL)
        return;
    g_array_sort(numbers, compare_numbers);
    for (guint i = 0; i < numbers->len; i++) {
        CacheSpoolFile *file =
            new_file(spool, g_array_index(numbers, guint64, i));
        g_autofree char *note = NULL;

        if (!open_left(file)) {
            g_message("%s cannot be read: %s", file->path, g_strerror(errno));
            cache_spool_file_free(file);
            continue;
        }
        note = read_note(file);
        func(file, note, user_data);
    }
}
