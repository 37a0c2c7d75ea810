/* The table of errors a program can see. What it does not list, or lists as 0,
 * is EIO; the log has the text. */
#include "fs/kernel/errno.h"

#include "cache/error.h"
#include "imap/error.h"

#include <errno.h>
#include <gio/gio.h>

G_DEFINE_QUARK(fs_error, fs_error)

/* EHOSTUNREACH: there is no getting through to the server. ENETDOWN: there was,
 * and the line is gone. */
static const int imap_errnos[] = {
    [IMAP_ERROR_RESOLVE] = EHOSTUNREACH,
    [IMAP_ERROR_CONNECT] = EHOSTUNREACH,
    [IMAP_ERROR_TLS] = EIO,
    [IMAP_ERROR_AUTHENTICATION] = EACCES,
    [IMAP_ERROR_PROTOCOL] = EIO,
    [IMAP_ERROR_TIMEOUT] = ETIMEDOUT,
    [IMAP_ERROR_CLOSED] = ENETDOWN,
    [IMAP_ERROR_ARGUMENT] = EINVAL,
    [IMAP_ERROR_UNSUPPORTED] = EOPNOTSUPP,
    [IMAP_ERROR_NO] = EIO,
    [IMAP_ERROR_BAD] = EIO,
    [IMAP_ERROR_NONEXISTENT] = ENOENT,
    [IMAP_ERROR_ALREADY_EXISTS] = EEXIST,
    [IMAP_ERROR_NO_PERMISSION] = EACCES,
    [IMAP_ERROR_OVER_QUOTA] = EDQUOT,
    [IMAP_ERROR_TOO_BIG] = EFBIG,
    [IMAP_ERROR_IN_USE] = EBUSY,
    [IMAP_ERROR_LIMIT] = EBUSY,
    [IMAP_ERROR_UNAVAILABLE] = EBUSY,
    [IMAP_ERROR_HAS_CHILDREN] = ENOTEMPTY,
    [IMAP_ERROR_READ_ONLY] = EROFS,
    [IMAP_ERROR_CANNOT] = EINVAL,
};

static const int cache_errnos[] = {
    [CACHE_ERROR_IO] = EIO,
    [CACHE_ERROR_NO_SPACE] = ENOSPC,
};

/* Those for the terminal never reach a program. */
static const int fs_errnos[] = {
    [FS_ERROR_GONE] = ENOENT,       [FS_ERROR_STALE] = ESTALE,
    [FS_ERROR_NO_MESSAGE] = EINVAL, [FS_ERROR_ANOTHER] = EEXIST,
    [FS_ERROR_QUERY] = EINVAL,      [FS_ERROR_INCOMPLETE] = EIO,
};

static const int io_errnos[] = {
    [G_IO_ERROR_NOT_FOUND] = ENOENT,
    [G_IO_ERROR_NO_SPACE] = ENOSPC,
    [G_IO_ERROR_CANCELLED] = EINTR,
    [G_IO_ERROR_TIMED_OUT] = ETIMEDOUT,
    [G_IO_ERROR_EXISTS] = EEXIST,
    [G_IO_ERROR_INVALID_ARGUMENT] = EINVAL,
    [G_IO_ERROR_PERMISSION_DENIED] = EACCES,
    [G_IO_ERROR_READ_ONLY] = EROFS,
    [G_IO_ERROR_BUSY] = EBUSY,
};

static int
look_up(const int *table, gsize length, int code)
{
    if (code < 0 || (gsize)code >= length || table[code] == 0)
        return EIO;
    return table[code];
}

int
fs_errno_from_error(const GError *error)
{
    if (error == NULL)
        return EIO;
    if (error->domain == IMAP_ERROR)
        return look_up(imap_errnos, G_N_ELEMENTS(imap_errnos), error->code);
    if (error->domain == CACHE_ERROR)
        return look_up(cache_errnos, G_N_ELEMENTS(cache_errnos), error->code);
    if (error->domain == FS_ERROR)
        return look_up(fs_errnos, G_N_ELEMENTS(fs_errnos), error->code);
    if (error->domain == G_IO_ERROR)
        return look_up(io_errnos, G_N_ELEMENTS(io_errnos), error->code);
    return EIO;
}
