/* Requests that wait for their answer are in a table: an answer says but which
 * request it is to, and both what is in it and who has to hear of an interrupt
 * depend on that.
 *
 * libfuse tells who writes an answer by a descriptor alone. So each branch has
 * one that is good for nothing else, of /dev/null: an answer goes out by the
 * mount's own, and when that is closed, nothing keeps the mount's connection.
 *
 * The first request, which is about the protocol, is for the mount's own
 * session; the others see it, too, and what they answer is dropped. They all
 * agree, for they are told the same.
 *
 * An account may come to be served after the mount is there. Its descriptor is
 * there from the beginning, for threads look at the table of those. What is
 * asked of it meanwhile is kept, but for what its directory is like, which the
 * mount's own session tells; and its session hears of the first request later.
 *
 * The kernel's counts of what it knows go nowhere: nobody keeps any
 * (fs/kernel/inode.h). Notifications come from threads of their own. */
#include "fs/kernel/branches.h"

#include "fs/kernel/branch-wire.h"
#include "fs/kernel/inode.h"
#include "fs/kernel/kept-requests.h"
#include "fs/log.h"
#include "fs/mount/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* So often it is looked whether who was interrupted, and went on waiting, is to
 * end by now. */
#define SIGNALS_MS 100
/* Of a notification before its name or content. */
#define NOTIFICATION_BYTES 64
/* Since Linux 6.6: what FUSE_GETATTR asks for, and when it was made. Nobody
 * answers that here, and the kernel then asks by the other. */
#define STATX_OPCODE 52u

typedef struct {
    guint account;
    char *name;
    int fd;               /* the session's, if there is one */
    FsSession *session;   /* NULL: nobody serves it */
    FsKeptRequests *kept; /* NULL: none are kept */
} Branch;

typedef struct {
    guint64 unique; /* the key */
    Branch *branch;
    guint32 opcode;
} Request;

struct FsBranches {
    FsSession *mount;
    FsNodeNumbers *numbers;
    GHashTable *by_account; /* number -> Branch, owned */
    GHashTable *by_fd;      /* descriptor -> Branch; not changed once mounted */
    GHashTable *requests;   /* &Request.unique -> Request, owned */
    GByteArray *body;       /* where an answer is translated */
    GBytes *first;          /* request; NULL: there was none yet */
    gboolean initialising;
    guint signals_source; /* 0: nobody whose request is kept was interrupted */
    gint ended;           /* atomic */
};

static FsBranches *serving; /* libfuse hands on no word of ours */

/* ---- from an account to the kernel ---- */

static gsize
length_of(const struct iovec *parts, int count)
{
    gsize length = 0;

    for (int i = 0; i < count; i++)
        length += parts[i].iov_len;
    return length;
}

static int
mount_fd(FsBranches *branches)
{
    return fuse_session_fd(fs_session_fuse(branches->mount));
}

static ssize_t
send_error(FsBranches *branches, guint64 unique, int error_number)
{
    const struct fuse_out_header header = {
        .len = sizeof header, .error = -error_number, .unique = unique};

    return write(mount_fd(branches), &header, sizeof header);
}

/* What libfuse is given to send is not ours to change. */
static ssize_t
send_translated(FsBranches *branches, const Request *request,
                struct iovec *parts, int count)
{
    const struct fuse_out_header *header = parts[0].iov_base;
    struct iovec whole[2] = {parts[0]};
    ssize_t sent;

    g_byte_array_set_size(branches->body, 0);
    for (int i = 1; i < count; i++)
        g_byte_array_append(branches->body, parts[i].iov_base,
                            (guint)parts[i].iov_len);
    if (!fs_branch_wire_reply(branches->numbers, request->branch->account,
                              request->opcode, branches->body->data,
                              branches->body->len)) {
        sent = send_error(branches, header->unique, EIO);
        return sent < 0 ? sent : (ssize_t)length_of(parts, count);
    }
    whole[1].iov_base = branches->body->data;
    whole[1].iov_len = branches->body->len;
    return writev(mount_fd(branches), whole, 2);
}

static ssize_t
send_answer(FsBranches *branches, struct iovec *parts, int count)
{
    const struct fuse_out_header *header = parts[0].iov_base;
    Request *request = g_hash_table_lookup(branches->requests, &header->unique);
    ssize_t sent;

    if (request != NULL && header->error == 0 && count > 1 &&
        fs_branch_wire_has_numbers(request->opcode))
        sent = send_translated(branches, request, parts, count);
    else
        sent = writev(mount_fd(branches), parts, count);
    g_hash_table_remove(branches->requests, &header->unique);
    return sent;
}

/* On any thread. */
static ssize_t
send_notification(FsBranches *branches, const Branch *branch,
                  struct iovec *parts, int count)
{
    const struct fuse_out_header *header = parts[0].iov_base;
    guint64 body[NOTIFICATION_BYTES / sizeof(guint64)];
    gsize length = count > 1 ? parts[1].iov_len : 0;

    if (length == 0 || length > sizeof body) {
        errno = EINVAL;
        return -1;
    }
    memcpy(body, parts[1].iov_base, length);
    if (!fs_branch_wire_notification(branches->numbers, branch->account,
                                     header->error, body, length)) {
        errno = ENOENT;
        return -1;
    }
    parts[1].iov_base = body;
    return writev(mount_fd(branches), parts, count);
}

static ssize_t
write_parts(int fd, struct iovec *parts, int count, void *user_data)
{
    FsBranches *branches = serving;
    const struct fuse_out_header *header = parts[0].iov_base;
    const Branch *branch =
        branches != NULL
            ? g_hash_table_lookup(branches->by_fd, GINT_TO_POINTER(fd))
            : NULL;

    if (branch == NULL || g_atomic_int_get(&branches->ended)) {
        errno = ENODEV;
        return -1;
    }
    if (header->unique == 0)
        return send_notification(branches, branch, parts, count);
    if (branches->initialising)
        return (ssize_t)length_of(parts, count);
    return send_answer(branches, parts, count);
}

/* Nobody reads by a branch. */
static ssize_t
read_nothing(int fd, void *buffer, size_t size, void *user_data)
{
    errno = EAGAIN;
    return -1;
}

/* ---- from the kernel to an account ---- */

static gboolean
is_answered(guint32 opcode)
{
    return opcode != FUSE_FORGET && opcode != FUSE_INTERRUPT &&
           opcode != FUSE_NOTIFY_REPLY;
}

static void
note_request(FsBranches *branches, Branch *branch,
             const struct fuse_in_header *header)
{
    Request *request = g_new0(Request, 1);

    request->unique = header->unique;
    request->branch = branch;
    request->opcode = header->opcode;
    g_hash_table_insert(branches->requests, &request->unique, request);
}

/* It looks at it, and it is the mount's own session that answers. */
static void
initialise(FsBranches *branches, const Branch *branch)
{
    struct fuse_buf message = {.size = g_bytes_get_size(branches->first)};
    g_autofree gpointer copy =
        g_memdup2(g_bytes_get_data(branches->first, NULL), message.size);

    message.mem = copy;
    branches->initialising = TRUE;
    fs_session_handle(branch->session, &message);
    branches->initialising = FALSE;
}

static void
initialise_all(FsBranches *branches, const struct fuse_buf *message)
{
    GHashTableIter iter;
    gpointer branch;

    g_clear_pointer(&branches->first, g_bytes_unref);
    branches->first = g_bytes_new(message->mem, message->size);
    g_hash_table_iter_init(&iter, branches->by_account);
    while (g_hash_table_iter_next(&iter, NULL, &branch))
        if (((Branch *)branch)->session != NULL)
            initialise(branches, branch);
}

/* A FsKeptEndedFunc. */
static void
answer_ended(guint64 unique, gpointer user_data)
{
    send_error(user_data, unique, EINTR);
}

static gboolean
on_signals(gpointer user_data)
{
    FsBranches *branches = user_data;
    gboolean others = FALSE;
    GHashTableIter iter;
    gpointer each;

    g_hash_table_iter_init(&iter, branches->by_account);
    while (g_hash_table_iter_next(&iter, NULL, &each)) {
        FsKeptRequests *kept = ((const Branch *)each)->kept;

        if (kept != NULL)
            others |=
                fs_kept_requests_remove_ended(kept, answer_ended, branches);
    }
    branches->signals_source =
        others ? g_timeout_add(SIGNALS_MS, on_signals, branches) : 0;
    return G_SOURCE_REMOVE;
}

/* TRUE: it was kept. */
static gboolean
interrupt_kept(FsBranches *branches, guint64 unique,
               const struct fuse_buf *message)
{
    GHashTableIter iter;
    gpointer each;

    g_hash_table_iter_init(&iter, branches->by_account);
    while (g_hash_table_iter_next(&iter, NULL, &each)) {
        const Branch *branch = each;

        if (branch->kept == NULL ||
            !fs_kept_requests_interrupt(branch->kept, unique, message))
            continue;
        if (branches->signals_source == 0)
            branches->signals_source =
                g_idle_add_full(G_PRIORITY_HIGH, on_signals, branches, NULL);
        return TRUE;
    }
    return FALSE;
}

/* Of a request that is answered already, nobody needs to know. */
static void
interrupt(FsBranches *branches, struct fuse_buf *message)
{
    const struct fuse_interrupt_in *interrupt =
        (const void *)((char *)message->mem + sizeof(struct fuse_in_header));
    const Request *request;

    if (message->size < sizeof(struct fuse_in_header) + sizeof *interrupt ||
        interrupt_kept(branches, interrupt->unique, message))
        return;
    request = g_hash_table_lookup(branches->requests, &interrupt->unique);
    if (request != NULL)
        fs_session_handle(request->branch->session, message);
}

static void
hand_on(FsBranches *branches, Branch *branch, struct fuse_buf *message)
{
    struct fuse_in_header *header = message->mem;

    if (!fs_branch_wire_request(branches->numbers, branch->account, header,
                                message->size)) {
        if (is_answered(header->opcode))
            send_error(branches, header->unique, EXDEV);
        return;
    }
    if (is_answered(header->opcode))
        note_request(branches, branch, header);
    fs_log_set_present(branch->name);
    fs_session_handle(branch->session, message);
    fs_log_set_present(NULL);
}

/* What ls -l asks about a directory that it does not look into. */
static gboolean
is_about_attributes(guint32 opcode)
{
    return opcode == FUSE_GETATTR || opcode == STATX_OPCODE ||
           opcode == FUSE_STATFS || opcode == FUSE_GETXATTR ||
           opcode == FUSE_LISTXATTR;
}

/* For a branch that has no session. FALSE: the mount's own answers it. */
static gboolean
keep(FsBranches *branches, Branch *branch, const struct fuse_buf *message)
{
    const struct fuse_in_header *header = message->mem;

    if (branch->kept == NULL || is_about_attributes(header->opcode))
        return FALSE;
    if (is_answered(header->opcode) &&
        !fs_kept_requests_add(branch->kept, message))
        send_error(branches, header->unique, EBUSY);
    return TRUE;
}

/* Of the account whose inode that is; NULL: none. */
static Branch *
branch_of(FsBranches *branches, guint64 number)
{
    guint64 inode;
    guint account = fs_node_numbers_find(branches->numbers, number, &inode);

    return g_hash_table_lookup(branches->by_account, GUINT_TO_POINTER(account));
}

/* For fs_session_set_divert. */
static gboolean
divert(struct fuse_buf *message, gpointer user_data)
{
    FsBranches *branches = user_data;
    const struct fuse_in_header *header = message->mem;
    Branch *branch;

    if (message->size < sizeof *header)
        return FALSE;
    switch (header->opcode) {
    case FUSE_INIT:
        initialise_all(branches, message);
        return FALSE;
    case FUSE_INTERRUPT:
        interrupt(branches, message);
        return TRUE;
    case FUSE_BATCH_FORGET:
        return TRUE;
    default:
        branch = branch_of(branches, header->nodeid);
        if (branch == NULL)
            return FALSE;
        if (branch->session == NULL)
            return keep(branches, branch, message);
        hand_on(branches, branch, message);
        return TRUE;
    }
}

/* ---- making and ending ---- */

static void
branch_free(gpointer data)
{
    Branch *branch = data;

    if (branch->session == NULL)
        close(branch->fd);
    fs_session_free(branch->session);
    fs_kept_requests_free(branch->kept);
    g_free(branch->name);
    g_free(branch);
}

FsBranches *
fs_branches_new(FsSession *mount)
{
    FsBranches *branches = g_new0(FsBranches, 1);

    g_assert(serving == NULL);
    branches->mount = mount;
    branches->numbers = fs_node_numbers_new();
    branches->by_account = g_hash_table_new_full(NULL, NULL, NULL, branch_free);
    branches->by_fd = g_hash_table_new(NULL, NULL);
    branches->requests =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    branches->body = g_byte_array_new();
    fs_session_set_divert(mount, divert, branches);
    serving = branches;
    return branches;
}

void
fs_branches_free(FsBranches *branches)
{
    if (branches == NULL)
        return;
    fs_session_set_divert(branches->mount, NULL, NULL);
    g_clear_handle_id(&branches->signals_source, g_source_remove);
    g_hash_table_unref(branches->by_account);
    g_hash_table_unref(branches->by_fd);
    g_hash_table_unref(branches->requests);
    g_byte_array_unref(branches->body);
    g_clear_pointer(&branches->first, g_bytes_unref);
    fs_node_numbers_free(branches->numbers);
    g_free(branches);
    serving = NULL;
}

static Branch *
add(FsBranches *branches, guint account, const char *name, GError **error)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    Branch *branch;

    if (fd < 0) {
        fs_mount_set_error(error, "/dev/null", g_strerror(errno));
        return NULL;
    }
    branch = g_new0(Branch, 1);
    branch->account = account;
    branch->name = g_strdup(name);
    branch->fd = fd;
    g_hash_table_insert(branches->by_account, GUINT_TO_POINTER(account),
                        branch);
    g_hash_table_insert(branches->by_fd, GINT_TO_POINTER(fd), branch);
    return branch;
}

gboolean
fs_branches_expect(FsBranches *branches, guint account, const char *name,
                   GError **error)
{
    Branch *branch = add(branches, account, name, error);

    if (branch != NULL)
        branch->kept = fs_kept_requests_new();
    return branch != NULL;
}

struct fuse_session *
fs_branches_add(FsBranches *branches, guint account, const char *name,
                struct fuse_args *args, const struct fuse_lowlevel_ops *ops,
                gpointer user_data, GError **error)
{
    const struct fuse_custom_io io = {.read = read_nothing,
                                      .writev = write_parts};
    Branch *branch =
        g_hash_table_lookup(branches->by_account, GUINT_TO_POINTER(account));
    g_autoptr(FsSession) session = NULL;

    if (branch == NULL)
        branch = add(branches, account, name, error);
    if (branch == NULL)
        return NULL;
    session = fs_session_new(args, ops, user_data, error);
    if (session == NULL)
        return NULL;
    if (!fs_session_use_io(session, &io, branch->fd)) {
        fs_mount_set_error(error, "/dev/null", g_strerror(errno));
        return NULL;
    }
    branch->session = g_steal_pointer(&session);
    if (branches->first != NULL)
        initialise(branches, branch);
    return fs_session_fuse(branch->session);
}

/* Who serves it now is to look after a sender who goes on waiting. */
static void
hand_on_interrupt(FsBranches *branches, GBytes *interrupt)
{
    struct fuse_buf message = {0};

    message.mem = g_bytes_unref_to_data(interrupt, &message.size);
    fs_session_handle(branches->mount, &message);
    g_free(message.mem);
}

void
fs_branches_serve_kept(FsBranches *branches, guint account)
{
    Branch *branch =
        g_hash_table_lookup(branches->by_account, GUINT_TO_POINTER(account));
    g_autoptr(FsKeptRequests) kept = NULL;
    struct fuse_buf message;
    GBytes *interrupt;
    gpointer memory;

    if (branch != NULL)
        kept = g_steal_pointer(&branch->kept);
    while (kept != NULL && (memory = fs_kept_requests_take(
                                kept, &message, &interrupt)) != NULL) {
        fs_session_handle(branches->mount, &message);
        g_free(memory);
        if (interrupt != NULL)
            hand_on_interrupt(branches, interrupt);
    }
}

guint64
fs_branches_root(FsBranches *branches, guint account)
{
    return fs_node_numbers_tell(branches->numbers, account, FS_INODE_ROOT);
}

void
fs_branches_end(FsBranches *branches)
{
    GHashTableIter iter;
    gpointer branch;

    g_atomic_int_set(&branches->ended, TRUE);
    /* libfuse is not to say that nothing can be written. */
    g_hash_table_iter_init(&iter, branches->by_account);
    while (g_hash_table_iter_next(&iter, NULL, &branch))
        if (((Branch *)branch)->session != NULL)
            fuse_session_exit(fs_session_fuse(((Branch *)branch)->session));
}
