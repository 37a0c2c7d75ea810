/* Listings that find nothing for long: what answers the kernel is this
 * program's. */
#include "fs/kernel/answer.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Far more than an operation may be woken without getting any further. */
#define STEPS 20000u
/* Where a listing goes on that has had its first entry. */
#define BEHIND_DOTS 4

static int answered; /* an errno; 0: the end of the listing; -1: not yet */
static FsNeed *step;
static guint n_runs;
static gboolean goes_on;

/* ---- in place of libfuse ---- */

void *
fuse_req_userdata(fuse_req_t request)
{
    return &answered;
}

const struct fuse_ctx *
fuse_req_ctx(fuse_req_t request)
{
    static const struct fuse_ctx ctx = {0};

    return &ctx;
}

void
fuse_req_interrupt_func(fuse_req_t request, fuse_interrupt_func_t func,
                        void *data)
{
}

int
fuse_reply_err(fuse_req_t request, int error_number)
{
    answered = error_number;
    return 0;
}

int
fuse_reply_buf(fuse_req_t request, const char *buffer, size_t size)
{
    assert_int_equal(size, 0);
    answered = 0;
    return 0;
}

/* ---- a directory in which nothing is to be listed ---- */

/* A FsListingFunc. */
static FsAnswer
next_entry(FsOperation *operation, guint64 cookie, FsEntry *entry,
           struct fuse_entry_param *param, FsObstacle *obstacle)
{
    if (cookie >= STEPS)
        return FS_ANSWER_NONE;
    obstacle->cookie = goes_on ? cookie + 1 : cookie;
    step = fs_need_new();
    return fs_answer_wait(step, obstacle);
}

static void
run_listing(FsOperation *operation)
{
    char buffer[16];

    n_runs++;
    fs_answer_listing(operation, FALSE, buffer, next_entry);
}

/* Returns how it was answered. */
static int
list(gboolean gets_further)
{
    answered = -1;
    n_runs = 0;
    goes_on = gets_further;
    fs_operation_start(NULL, run_listing, 7, NULL, 16, BEHIND_DOTS, NULL);
    while (answered == -1) {
        g_autoptr(FsNeed) need = g_steal_pointer(&step);

        fs_need_complete(need, NULL);
        while (step == NULL && answered == -1)
            g_main_context_iteration(NULL, TRUE);
    }
    fs_operation_forget_owner(&answered);
    return answered;
}

static void
listing_that_gets_further_ends_however_many_steps_it_takes(void **state)
{
    assert_int_equal(list(TRUE), 0);
    assert_int_equal(n_runs, STEPS);
}

static void
listing_that_stays_where_it_is_fails(void **state)
{
    assert_int_equal(list(FALSE), EIO);
    assert_true(n_runs < STEPS);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            listing_that_gets_further_ends_however_many_steps_it_takes),
        cmocka_unit_test(listing_that_stays_where_it_is_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
