/* Three times through the folders: to know how much there is to do, before any
 * of it is done; to read what is missing; and to see whether it has stayed. The
 * daemon says what is missing (fs/control/cached-query.h), so that nothing is
 * read that is there: that would cost time, and look like use.
 *
 * The daemon sees a program that reads file after file, and fetches ahead of
 * it. O_NOATIME says that this is nobody reading mail, so that nothing is
 * marked as read. The kernel is told to forget what was read: it is for the
 * disk. */
#include "fs/commands/fetch-work.h"

#include "fs/commands/words.h"
#include "fs/control/cached-query.h"
#include "fs/kernel/errno.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_OCTETS (256u * 1024)

typedef struct {
    char name[NAME_MAX + 1];
    guint64 inode;
} Entry;

/* One that was missing at first. */
typedef struct {
    guint64 inode;
    guint64 size;
} Missing;

struct FsFetchWork {
    char *mountpoint;
    char **folders;
    guint64 room;
    GSourceFunc ended;
    gpointer user_data;
    int status; /* the file of which is asked what is missing */
    GThread *thread;
    char *buffer;
    Entry *entries;   /* FS_CACHED_QUERY_MAX of them */
    GArray *missing;  /* of Missing; once complete, by inode */
    GError *error;    /* the first; the thread's until it has ended */
    gboolean is_over; /* there is no point in going on */
    GMutex lock;
    FsFetchState state; /* under the lock */
};

/* ---- what went wrong ---- */

/* Those after which nothing else would do better. */
static gboolean
is_of_the_line(int reason)
{
    return reason == ENETDOWN || reason == ENETUNREACH ||
           reason == EHOSTUNREACH || reason == ETIMEDOUT ||
           reason == ENOTCONN || reason == ECONNABORTED || reason == EDQUOT ||
           reason == EBUSY || reason == EACCES;
}

static void
note_failure(FsFetchWork *work, const char *path, int reason)
{
    if (work->error == NULL)
        g_set_error(&work->error, FS_ERROR, FS_ERROR_MOUNT, "%s: %s%s", path,
                    g_strerror(reason),
                    is_of_the_line(reason)
                        ? "; what has come stays: run this again when that is "
                          "over (--status tells more)"
                        : "");
    work->is_over |= is_of_the_line(reason);
}

static void
note_folder(FsFetchWork *work, const char *path)
{
    const char *shown = path + strlen(work->mountpoint);

    g_mutex_lock(&work->lock);
    g_free(work->state.folder);
    work->state.folder = g_strdup(*shown == '/' ? shown + 1 : shown);
    g_mutex_unlock(&work->lock);
}

/* ---- a folder, some entries at a time ---- */

/* @missing: one each, whether it is. */
typedef void (*VisitFunc)(FsFetchWork *work, int folder, const char *path,
                          const Entry *entry, gboolean missing);

static gboolean
visit_entries(FsFetchWork *work, int folder, const char *path, guint count,
              VisitFunc visit)
{
    FsCachedQuery query = {{0}};

    for (guint i = 0; i < count; i++)
        query.inodes[i] = work->entries[i].inode;
    if (count > 0 && ioctl(work->status, FS_CACHED_QUERY_IOCTL, &query) != 0) {
        note_failure(work, path, errno);
        return FALSE;
    }
    for (guint i = 0; i < count && !work->is_over; i++)
        visit(work, folder, path, &work->entries[i], query.inodes[i] != 0);
    return TRUE;
}

static void
take_entry(Entry *entry, const struct dirent *found)
{
    g_strlcpy(entry->name, found->d_name, sizeof entry->name);
    entry->inode = found->d_ino;
}

static gboolean
is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The messages of the directory @stream, and to @below the names of those in
 * it. */
static void
visit_messages(FsFetchWork *work, DIR *stream, const char *path,
               GPtrArray *below, VisitFunc visit)
{
    const struct dirent *found;
    guint count = 0;

    for (errno = 0; !work->is_over && (found = readdir(stream)) != NULL;
         errno = 0) {
        if (found->d_type == DT_DIR && !is_dots(found->d_name))
            g_ptr_array_add(below, g_build_filename(path, found->d_name, NULL));
        if (found->d_type != DT_REG)
            continue;
        take_entry(&work->entries[count++], found);
        if (count < FS_CACHED_QUERY_MAX)
            continue;
        if (!visit_entries(work, dirfd(stream), path, count, visit))
            return;
        count = 0;
    }
    if (!work->is_over && errno != 0)
        note_failure(work, path, errno);
    visit_entries(work, dirfd(stream), path, count, visit);
}

static void
walk(FsFetchWork *work, const char *path, VisitFunc visit)
{
    g_autoptr(GPtrArray) below = g_ptr_array_new_with_free_func(g_free);
    DIR *stream;

    if (work->is_over)
        return;
    note_folder(work, path);
    stream = opendir(path);
    if (stream == NULL) {
        note_failure(work, path, errno);
        return;
    }
    visit_messages(work, stream, path, below, visit);
    closedir(stream);
    for (guint i = 0; i < below->len; i++)
        walk(work, g_ptr_array_index(below, i), visit);
}

static void
walk_all(FsFetchWork *work, FsFetchPhase phase, VisitFunc visit)
{
    g_mutex_lock(&work->lock);
    work->state.phase = phase;
    g_mutex_unlock(&work->lock);
    if (work->folders[0] == NULL)
        walk(work, work->mountpoint, visit);
    for (char **folder = work->folders; *folder != NULL; folder++) {
        g_autofree char *path =
            g_build_filename(work->mountpoint, *folder, NULL);

        walk(work, path, visit);
    }
}

/* ---- the three times ---- */

static void
count_message(FsFetchWork *work, int folder, const char *path,
              const Entry *entry, gboolean missing)
{
    struct stat attributes;

    if (fstatat(folder, entry->name, &attributes, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT)
            note_failure(work, path, errno);
        return;
    }
    g_mutex_lock(&work->lock);
    work->state.n_all++;
    work->state.octets_all += (guint64)attributes.st_size;
    if (missing) {
        Missing one = {entry->inode, (guint64)attributes.st_size};

        work->state.n_missing++;
        work->state.octets_missing += one.size;
        g_array_append_val(work->missing, one);
    }
    g_mutex_unlock(&work->lock);
}

static int
compare_missing(gconstpointer one, gconstpointer other)
{
    guint64 first = ((const Missing *)one)->inode;
    guint64 second = ((const Missing *)other)->inode;

    return (first > second) - (first < second);
}

/* NULL: it came later, or was never missing. */
static const Missing *
find_missing(const FsFetchWork *work, guint64 inode)
{
    Missing wanted = {inode, 0};
    guint index;

    return g_array_binary_search(work->missing, &wanted, compare_missing,
                                 &index)
               ? &g_array_index(work->missing, Missing, index)
               : NULL;
}

/* @octets: those that were not counted while they came. */
static void
note_done(FsFetchWork *work, guint64 octets)
{
    g_mutex_lock(&work->lock);
    work->state.n_done++;
    work->state.octets_done += octets;
    g_mutex_unlock(&work->lock);
}

/* 0, or an errno. */
static int
read_all(FsFetchWork *work, int file)
{
    ssize_t length;

    while ((length = read(file, work->buffer, READ_OCTETS)) != 0) {
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return errno;
        g_mutex_lock(&work->lock);
        work->state.octets_done += (guint64)length;
        g_mutex_unlock(&work->lock);
    }
    return 0;
}

static void
read_message(FsFetchWork *work, int folder, const char *path,
             const Entry *entry, gboolean missing)
{
    const Missing *known = find_missing(work, entry->inode);
    int file;
    int reason;

    /* The daemon was ahead. */
    if (!missing) {
        if (known != NULL)
            note_done(work, known->size);
        return;
    }
    file = openat(folder, entry->name,
                  O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOATIME);
    reason = file >= 0 ? read_all(work, file) : errno;
    if (file >= 0) {
        posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        close(file);
    }
    /* It went meanwhile: then it is not missing any more. */
    if (reason != 0 && reason != ENOENT && reason != ESTALE) {
        g_autofree char *name = g_build_filename(path, entry->name, NULL);

        note_failure(work, name, reason);
        return;
    }
    if (known != NULL)
        note_done(work, 0);
}

static void
verify_message(FsFetchWork *work, int folder, const char *path,
               const Entry *entry, gboolean missing)
{
    g_mutex_lock(&work->lock);
    work->state.n_left += missing;
    g_mutex_unlock(&work->lock);
}

/* What does not fit would be fetched for nothing, or at the cost of what was
 * fetched just before. */
static gboolean
check_room(FsFetchWork *work)
{
    guint64 needed = work->state.octets_all;
    g_autofree char *all = fs_words_size(needed);
    g_autofree char *room = fs_words_size(work->room);

    if (work->state.n_missing == 0 || needed <= work->room)
        return TRUE;
    if (work->error == NULL)
        g_set_error(&work->error, FS_ERROR, FS_ERROR_MOUNT,
                    "the cache holds %s, and these folders are %s: nothing was "
                    "fetched; mount with a larger cache_size, or name folders "
                    "that are smaller",
                    room, all);
    return FALSE;
}

static void
check_left(FsFetchWork *work)
{
    if (work->error == NULL && work->state.n_left > 0)
        g_set_error(&work->error, FS_ERROR, FS_ERROR_MOUNT,
                    "%" G_GUINT64_FORMAT " messages did not stay in the cache, "
                    "or came meanwhile; run this again, and if that does not "
                    "help, mount with a larger cache_size",
                    work->state.n_left);
}

static gpointer
run(gpointer user_data)
{
    FsFetchWork *work = user_data;

    walk_all(work, FS_FETCH_LOOKS, count_message);
    g_array_sort(work->missing, compare_missing);
    if (!work->is_over && check_room(work)) {
        walk_all(work, FS_FETCH_READS, read_message);
        walk_all(work, FS_FETCH_VERIFIES, verify_message);
        check_left(work);
    }
    g_mutex_lock(&work->lock);
    work->state.phase = FS_FETCH_ENDED;
    g_mutex_unlock(&work->lock);
    g_idle_add(work->ended, work->user_data);
    return NULL;
}

/* ---- life ---- */

FsFetchWork *
fs_fetch_work_new(const char *mountpoint, const char *const *folders,
                  guint64 room, GSourceFunc ended, gpointer user_data)
{
    FsFetchWork *work = g_new0(FsFetchWork, 1);
    g_autofree char *status =
        g_build_filename(mountpoint, ".imapfs", "status", NULL);

    work->mountpoint = g_strdup(mountpoint);
    work->folders = g_strdupv((char **)folders);
    work->room = room;
    work->ended = ended;
    work->user_data = user_data;
    work->missing = g_array_new(FALSE, FALSE, sizeof(Missing));
    work->buffer = g_malloc(READ_OCTETS);
    work->entries = g_new(Entry, FS_CACHED_QUERY_MAX);
    g_mutex_init(&work->lock);
    /* If it cannot be opened, asking it fails. */
    work->status = open(status, O_RDONLY | O_CLOEXEC);
    work->thread = g_thread_new("fetch", run, work);
    return work;
}

void
fs_fetch_work_free(FsFetchWork *work)
{
    if (work == NULL)
        return;
    g_thread_join(work->thread);
    if (work->status >= 0)
        close(work->status);
    g_mutex_clear(&work->lock);
    g_clear_error(&work->error);
    g_strfreev(work->folders);
    g_free(work->state.folder);
    g_free(work->mountpoint);
    g_array_unref(work->missing);
    g_free(work->entries);
    g_free(work->buffer);
    g_free(work);
}

void
fs_fetch_work_look(FsFetchWork *work, FsFetchState *state)
{
    g_mutex_lock(&work->lock);
    *state = work->state;
    state->folder = g_strdup(work->state.folder);
    g_mutex_unlock(&work->lock);
}

const GError *
fs_fetch_work_error(const FsFetchWork *work)
{
    return work->error;
}
