/* All that there is here is known, so every request is answered at once. Names
 * stay as they are for the whole mount; attributes of an account's directory
 * are the account's to tell, so the kernel asks it at once for those. */
#include "fs/kernel/root-directory.h"

#include "fs/kernel/inode.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define HIDDEN ".imapfs"
#define STATUS "status"
#define HIDDEN_INODE FS_INODE_CONTROL
#define STATUS_INODE (FS_INODE_CONTROL + 1)
/* For as long as there is the mount, in seconds. */
#define FOR_GOOD 86400.0
/* "." and ".." come first. */
#define DOT_ENTRIES 2
#define PORTION_MAX (1024u * 1024)
/* Status files that are open at a time. */
#define OPEN_MAX 1000u
/* As that of an account without a quota. */
#define BLOCKS_BEYOND ((fsblkcnt_t)1 << 30)

typedef struct {
    char *name;
    guint64 number;
    int error_number; /* 0: it is served, or will be */
} Account;

struct FsRootDirectory {
    uid_t uid;
    gid_t gid;
    mode_t mode;
    struct timespec since;
    FsRootStatusFunc status;
    gpointer status_data;
    GPtrArray *accounts;    /* of Account, owned */
    GHashTable *open_files; /* set of text, owned */
};

static FsRootDirectory *
root_of(fuse_req_t request)
{
    return fuse_req_userdata(request);
}

static const Account *
account_by_name(const FsRootDirectory *root, const char *name)
{
    for (guint i = 0; i < root->accounts->len; i++) {
        const Account *account = g_ptr_array_index(root->accounts, i);

        if (strcmp(account->name, name) == 0)
            return account;
    }
    return NULL;
}

static Account *
account_by_number(const FsRootDirectory *root, guint64 number)
{
    for (guint i = 0; i < root->accounts->len; i++) {
        Account *account = g_ptr_array_index(root->accounts, i);

        if (account->number == number)
            return account;
    }
    return NULL;
}

/* ---- look-ups and attributes ---- */

static void
fill(const FsRootDirectory *root, guint64 inode, struct stat *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    attributes->st_ino = inode;
    attributes->st_uid = root->uid;
    attributes->st_gid = root->gid;
    attributes->st_nlink = 1;
    attributes->st_mode = S_IFDIR | root->mode;
    if (inode == HIDDEN_INODE)
        attributes->st_mode = S_IFDIR | S_IRUSR | S_IXUSR;
    else if (inode == STATUS_INODE)
        attributes->st_mode = S_IFREG | S_IRUSR;
    attributes->st_atim = attributes->st_mtim = attributes->st_ctim =
        root->since;
}

static void
fill_entry(const FsRootDirectory *root, guint64 inode, double attr_timeout,
           struct fuse_entry_param *entry)
{
    memset(entry, 0, sizeof *entry);
    entry->ino = inode;
    entry->entry_timeout = FOR_GOOD;
    entry->attr_timeout = attr_timeout;
    fill(root, inode, &entry->attr);
}

/* Of the attributes of @account's directory, or of another one of ours
 * (NULL). */
static double
timeout_of(const Account *account)
{
    return account == NULL || account->error_number != 0 ? FOR_GOOD : 0;
}

static void
fill_account(const FsRootDirectory *root, const Account *account,
             struct fuse_entry_param *entry)
{
    fill_entry(root, account->number, timeout_of(account), entry);
}

static void
reply_inode(fuse_req_t request, guint64 inode)
{
    struct fuse_entry_param entry;

    fill_entry(root_of(request), inode, FOR_GOOD, &entry);
    fuse_reply_entry(request, &entry);
}

static void
handle_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    const FsRootDirectory *root = root_of(request);
    const Account *account = account_by_number(root, parent);
    struct fuse_entry_param entry;

    if (account != NULL) {
        fuse_reply_err(request, account->error_number);
    } else if (parent == HIDDEN_INODE && strcmp(name, STATUS) == 0) {
        reply_inode(request, STATUS_INODE);
    } else if (parent == FS_INODE_ROOT && strcmp(name, HIDDEN) == 0) {
        reply_inode(request, HIDDEN_INODE);
    } else if (parent == FS_INODE_ROOT &&
               (account = account_by_name(root, name)) != NULL) {
        fill_account(root, account, &entry);
        fuse_reply_entry(request, &entry);
    } else {
        fuse_reply_err(request, ENOENT);
    }
}

static gboolean
is_ours(const FsRootDirectory *root, guint64 inode)
{
    return inode == FS_INODE_ROOT || inode == HIDDEN_INODE ||
           inode == STATUS_INODE || account_by_number(root, inode) != NULL;
}

static void
handle_getattr(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    const FsRootDirectory *root = root_of(request);
    const Account *account = account_by_number(root, inode);
    struct stat attributes;

    if (!is_ours(root, inode)) {
        fuse_reply_err(request, ESTALE);
        return;
    }
    fill(root, inode, &attributes);
    fuse_reply_attr(request, &attributes, timeout_of(account));
}

/* ---- directories ---- */

static void
handle_opendir(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    const FsRootDirectory *root = root_of(request);
    const Account *account = account_by_number(root, inode);

    if (account != NULL)
        fuse_reply_err(request, account->error_number);
    else if (!is_ours(root, inode))
        fuse_reply_err(request, ESTALE);
    else
        fuse_reply_open(request, file);
}

/* The entry at @offset; NULL: there is none. */
static const char *
entry_at(const FsRootDirectory *root, guint64 inode, off_t offset,
         struct fuse_entry_param *entry)
{
    const Account *account;

    if (offset < DOT_ENTRIES) {
        fill_entry(root, inode, FOR_GOOD, entry);
        entry->ino = 0; /* the kernel keeps no count of these */
        return offset == 0 ? "." : "..";
    }
    if (inode == HIDDEN_INODE) {
        fill_entry(root, STATUS_INODE, FOR_GOOD, entry);
        return offset == DOT_ENTRIES ? STATUS : NULL;
    }
    if (inode != FS_INODE_ROOT || offset - DOT_ENTRIES >= root->accounts->len)
        return NULL;
    account = g_ptr_array_index(root->accounts, offset - DOT_ENTRIES);
    fill_account(root, account, entry);
    return account->name;
}

static void
read_directory(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
               gboolean plus)
{
    const FsRootDirectory *root = root_of(request);
    gsize room = MIN(size, PORTION_MAX);
    g_autofree char *buffer = g_malloc(room);
    struct fuse_entry_param entry;
    const char *name;
    gsize used = 0;

    for (offset = MAX(offset, 0);
         (name = entry_at(root, inode, offset, &entry)) != NULL; offset++) {
        gsize needed =
            plus ? fuse_add_direntry_plus(request, buffer + used, room - used,
                                          name, &entry, offset + 1)
                 : fuse_add_direntry(request, buffer + used, room - used, name,
                                     &entry.attr, offset + 1);

        if (needed > room - used)
            break;
        used += needed;
    }
    fuse_reply_buf(request, buffer, used);
}

static void
handle_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
               struct fuse_file_info *file)
{
    read_directory(request, inode, size, offset, FALSE);
}

static void
handle_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size,
                   off_t offset, struct fuse_file_info *file)
{
    read_directory(request, inode, size, offset, TRUE);
}

static void
handle_statfs(fuse_req_t request, fuse_ino_t inode)
{
    struct statvfs statfs = {0};

    statfs.f_bsize = statfs.f_frsize = 4096;
    statfs.f_blocks = statfs.f_bfree = statfs.f_bavail = BLOCKS_BEYOND;
    statfs.f_files = statfs.f_ffree = statfs.f_favail = BLOCKS_BEYOND;
    statfs.f_namemax = 255;
    fuse_reply_statfs(request, &statfs);
}

/* ---- the status ---- */

static void
handle_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    FsRootDirectory *root = root_of(request);
    char *text;

    if (inode != STATUS_INODE || (file->flags & O_ACCMODE) != O_RDONLY) {
        fuse_reply_err(request, inode != STATUS_INODE ? EISDIR : EACCES);
        return;
    }
    if (g_hash_table_size(root->open_files) >= OPEN_MAX) {
        fuse_reply_err(request, ENFILE);
        return;
    }
    text = root->status(root->status_data);
    g_hash_table_add(root->open_files, text);
    file->fh = (guintptr)text;
    file->direct_io = 1;
    file->noflush = 1;
    if (fuse_reply_open(request, file) != 0)
        g_hash_table_remove(root->open_files, text);
}

static void
handle_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
            struct fuse_file_info *file)
{
    const char *text = (const char *)(guintptr)file->fh;
    gsize length = strlen(text);

    if (offset < 0 || (guint64)offset >= length)
        fuse_reply_buf(request, NULL, 0);
    else
        fuse_reply_buf(request, text + offset,
                       MIN(size, length - (gsize)offset));
}

static void
handle_release(fuse_req_t request, fuse_ino_t inode,
               struct fuse_file_info *file)
{
    g_hash_table_remove(root_of(request)->open_files,
                        (gpointer)(guintptr)file->fh);
    fuse_reply_err(request, 0);
}

/* ---- what cannot be changed ---- */

/* In a directory that nobody serves, for that reason. */
static void
refuse(fuse_req_t request, fuse_ino_t directory)
{
    const Account *account = account_by_number(root_of(request), directory);

    fuse_reply_err(request, account != NULL ? account->error_number : EPERM);
}

static void
handle_mknod(fuse_req_t request, fuse_ino_t parent, const char *name,
             mode_t mode, dev_t device)
{
    refuse(request, parent);
}

static void
handle_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name,
             mode_t mode)
{
    refuse(request, parent);
}

static void
handle_create(fuse_req_t request, fuse_ino_t parent, const char *name,
              mode_t mode, struct fuse_file_info *file)
{
    refuse(request, parent);
}

static void
handle_symlink(fuse_req_t request, const char *target, fuse_ino_t parent,
               const char *name)
{
    refuse(request, parent);
}

static void
handle_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    refuse(request, parent);
}

static void
handle_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    refuse(request, parent);
}

/* From one account to another, programs copy. */
static void
handle_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
              fuse_ino_t new_parent, const char *new_name, unsigned flags)
{
    if (parent == new_parent)
        refuse(request, parent);
    else
        fuse_reply_err(request, EXDEV);
}

static void
handle_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t new_parent,
            const char *new_name)
{
    fuse_reply_err(request, EXDEV);
}

static void
handle_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *attributes,
               int which, struct fuse_file_info *file)
{
    refuse(request, inode);
}

/* ---- what is of no consequence here ----
 *
 * Still each has an answer: for what is not handled libfuse answers ENOSYS, and
 * the kernel remembers that for all accounts: it would ask none of them any
 * more, and say to a program that calls fsync that all is done. */

static void
handle_readlink(fuse_req_t request, fuse_ino_t inode)
{
    fuse_reply_err(request, EINVAL);
}

static void
handle_sync(fuse_req_t request, fuse_ino_t inode, int data_only,
            struct fuse_file_info *file)
{
    fuse_reply_err(request, 0);
}

static void
handle_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    fuse_reply_err(request, 0);
}

static void
handle_releasedir(fuse_req_t request, fuse_ino_t inode,
                  struct fuse_file_info *file)
{
    fuse_reply_err(request, 0);
}

static void
handle_access(fuse_req_t request, fuse_ino_t inode, int mask)
{
    fuse_reply_err(request, (mask & W_OK) != 0 ? EACCES : 0);
}

static void
handle_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name,
                size_t size)
{
    fuse_reply_err(request, ENODATA);
}

static void
handle_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    if (size == 0)
        fuse_reply_xattr(request, 0);
    else
        fuse_reply_buf(request, NULL, 0);
}

static void
handle_setxattr(fuse_req_t request, fuse_ino_t inode, const char *name,
                const char *value, size_t size, int flags)
{
    fuse_reply_err(request, EOPNOTSUPP);
}

static void
handle_removexattr(fuse_req_t request, fuse_ino_t inode, const char *name)
{
    fuse_reply_err(request, ENODATA);
}

static void
handle_poll(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file,
            struct fuse_pollhandle *handle)
{
    if (handle != NULL)
        fuse_pollhandle_destroy(handle);
    fuse_reply_poll(request, POLLIN | POLLRDNORM);
}

static void
handle_ioctl(fuse_req_t request, fuse_ino_t inode, unsigned command,
             void *argument, struct fuse_file_info *file, unsigned flags,
             const void *data, size_t length, size_t answer_length)
{
    fuse_reply_err(request, ENOTTY);
}

static void
handle_write(fuse_req_t request, fuse_ino_t inode, const char *data,
             size_t size, off_t offset, struct fuse_file_info *file)
{
    fuse_reply_err(request, EBADF);
}

static void
handle_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset,
                 off_t length, struct fuse_file_info *file)
{
    fuse_reply_err(request, EOPNOTSUPP);
}

static void
handle_copy_file_range(fuse_req_t request, fuse_ino_t source,
                       off_t source_offset, struct fuse_file_info *source_file,
                       fuse_ino_t target, off_t target_offset,
                       struct fuse_file_info *target_file, size_t length,
                       int flags)
{
    fuse_reply_err(request, EOPNOTSUPP);
}

/* ---- making and ending ---- */

static void
account_free(gpointer data)
{
    Account *account = data;

    g_free(account->name);
    g_free(account);
}

FsRootDirectory *
fs_root_directory_new(uid_t uid, gid_t gid, mode_t mode,
                      FsRootStatusFunc status, gpointer user_data)
{
    FsRootDirectory *root = g_new0(FsRootDirectory, 1);

    root->uid = uid;
    root->gid = gid;
    root->mode = mode;
    root->status = status;
    root->status_data = user_data;
    clock_gettime(CLOCK_REALTIME, &root->since);
    root->accounts = g_ptr_array_new_with_free_func(account_free);
    root->open_files = g_hash_table_new_full(NULL, NULL, g_free, NULL);
    return root;
}

void
fs_root_directory_free(FsRootDirectory *root)
{
    if (root == NULL)
        return;
    g_ptr_array_unref(root->accounts);
    /* The kernel does not release what is open when the mount ends. */
    g_hash_table_unref(root->open_files);
    g_free(root);
}

void
fs_root_directory_add(FsRootDirectory *root, const char *name, guint64 number)
{
    Account *account = g_new0(Account, 1);

    account->name = g_strdup(name);
    account->number = number;
    g_ptr_array_add(root->accounts, account);
}

void
fs_root_directory_set_broken(FsRootDirectory *root, guint64 number,
                             int error_number)
{
    Account *account = account_by_number(root, number);

    if (account != NULL)
        account->error_number = error_number;
}

const struct fuse_lowlevel_ops fs_root_directory_ops = {
    .lookup = handle_lookup,
    .getattr = handle_getattr,
    .opendir = handle_opendir,
    .readdir = handle_readdir,
    .readdirplus = handle_readdirplus,
    .statfs = handle_statfs,
    .open = handle_open,
    .read = handle_read,
    .release = handle_release,
    .mknod = handle_mknod,
    .mkdir = handle_mkdir,
    .create = handle_create,
    .symlink = handle_symlink,
    .unlink = handle_unlink,
    .rmdir = handle_rmdir,
    .rename = handle_rename,
    .link = handle_link,
    .setattr = handle_setattr,
    .readlink = handle_readlink,
    .fsync = handle_sync,
    .fsyncdir = handle_sync,
    .flush = handle_flush,
    .releasedir = handle_releasedir,
    .access = handle_access,
    .getxattr = handle_getxattr,
    .listxattr = handle_listxattr,
    .setxattr = handle_setxattr,
    .removexattr = handle_removexattr,
    .poll = handle_poll,
    .ioctl = handle_ioctl,
    .write = handle_write,
    .fallocate = handle_fallocate,
    .copy_file_range = handle_copy_file_range,
};
