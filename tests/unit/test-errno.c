/* The table, row by row, and what must hold beyond it. */
#include "fs/kernel/errno.h"

#include "cache/error.h"
#include "imap/error.h"

#include <errno.h>
#include <gio/gio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int
errno_of(GQuark domain, int code)
{
    g_autoptr(GError) error = g_error_new_literal(domain, code, "a message");

    return fs_errno_from_error(error);
}

static void
imap_error_has_its_errno(void **state)
{
    static const int rows[][2] = {
        {IMAP_ERROR_RESOLVE, EHOSTUNREACH},
        {IMAP_ERROR_CONNECT, EHOSTUNREACH},
        {IMAP_ERROR_TLS, EIO},
        {IMAP_ERROR_AUTHENTICATION, EACCES},
        {IMAP_ERROR_PROTOCOL, EIO},
        {IMAP_ERROR_TIMEOUT, ETIMEDOUT},
        {IMAP_ERROR_CLOSED, ENETDOWN},
        {IMAP_ERROR_ARGUMENT, EINVAL},
        {IMAP_ERROR_UNSUPPORTED, EOPNOTSUPP},
        {IMAP_ERROR_NO, EIO},
        {IMAP_ERROR_BAD, EIO},
        {IMAP_ERROR_NONEXISTENT, ENOENT},
        {IMAP_ERROR_ALREADY_EXISTS, EEXIST},
        {IMAP_ERROR_NO_PERMISSION, EACCES},
        {IMAP_ERROR_OVER_QUOTA, EDQUOT},
        {IMAP_ERROR_TOO_BIG, EFBIG},
        {IMAP_ERROR_IN_USE, EBUSY},
        {IMAP_ERROR_LIMIT, EBUSY},
        {IMAP_ERROR_UNAVAILABLE, EBUSY},
        {IMAP_ERROR_HAS_CHILDREN, ENOTEMPTY},
        {IMAP_ERROR_READ_ONLY, EROFS},
        {IMAP_ERROR_CANNOT, EINVAL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
        assert_int_equal(errno_of(IMAP_ERROR, rows[i][0]), rows[i][1]);
}

static void
other_domains_have_their_errno(void **state)
{
    assert_int_equal(errno_of(CACHE_ERROR, CACHE_ERROR_NO_SPACE), ENOSPC);
    assert_int_equal(errno_of(CACHE_ERROR, CACHE_ERROR_IO), EIO);
    assert_int_equal(errno_of(FS_ERROR, FS_ERROR_GONE), ENOENT);
    assert_int_equal(errno_of(FS_ERROR, FS_ERROR_STALE), ESTALE);
    assert_int_equal(errno_of(FS_ERROR, FS_ERROR_INCOMPLETE), EIO);
    assert_int_equal(errno_of(G_IO_ERROR, G_IO_ERROR_TIMED_OUT), ETIMEDOUT);
    assert_int_equal(errno_of(G_IO_ERROR, G_IO_ERROR_CANCELLED), EINTR);
    assert_int_equal(errno_of(G_IO_ERROR, G_IO_ERROR_NO_SPACE), ENOSPC);
    assert_int_equal(errno_of(G_IO_ERROR, G_IO_ERROR_NOT_FOUND), ENOENT);
    assert_int_equal(errno_of(G_IO_ERROR, G_IO_ERROR_FAILED), EIO);
}

static void
unknown_error_is_eio(void **state)
{
    assert_int_equal(fs_errno_from_error(NULL), EIO);
    assert_int_equal(errno_of(g_quark_from_static_string("nobody's"), 3), EIO);
    assert_int_equal(errno_of(IMAP_ERROR, -1), EIO);
    assert_int_equal(errno_of(IMAP_ERROR, 9999), EIO);
}

static void
no_error_looks_like_a_dead_mount_or_a_short_read(void **state)
{
    const GQuark domains[] = {IMAP_ERROR, CACHE_ERROR, FS_ERROR, G_IO_ERROR};

    for (gsize d = 0; d < G_N_ELEMENTS(domains); d++) {
        for (int code = 0; code < 100; code++) {
            int number = errno_of(domains[d], code);

            assert_int_not_equal(number, ENOTCONN);
            assert_int_not_equal(number, EAGAIN);
            assert_true(number > 0);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(imap_error_has_its_errno),
        cmocka_unit_test(other_domains_have_their_errno),
        cmocka_unit_test(unknown_error_is_eio),
        cmocka_unit_test(no_error_looks_like_a_dead_mount_or_a_short_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
