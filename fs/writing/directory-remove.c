/* Removing a mailbox: only if it holds nothing, and until it is gone. */
#include "fs/writing/directory-change.h"
#include "fs/writing/mailbox-count.h"
#include "imap/mailbox-requests.h"
#include "imap/requests.h"

static void
on_removed(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned || fs_directory_change_has_failed(change, error))
        return;
    change->n_removals++;
    imap_request_unsubscribe(fs_directory_change_connection(change),
                             change->from, fs_directory_change_on_subscribed,
                             fs_directory_change_await(change));
}

/* Before it is sent. */
static void
give_up(FsDirectoryChange *change, const GError *error)
{
    /* What has been removed before may be gone by now. */
    if (change->n_removals > 0)
        fs_directory_change_has_failed(change, error);
    else
        fs_directory_change_end(change, error);
}

/* Of a directory that is no mailbox, it is not told. */
static void
give_up_uncounted(FsDirectoryChange *change)
{
    g_autoptr(GError) error =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_UNAVAILABLE,
                            "the server does not say whether it holds "
                            "messages");

    give_up(change, error);
}

/* Until all of ours had left it, some may have come, or another client have
 * made one of that name anew. */
static void
on_counted_again(FsMailboxCount count, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL)
        give_up(change, error);
    else if (count == FS_MAILBOX_UNTOLD && change->counted)
        give_up_uncounted(change);
    else if (count == FS_MAILBOX_HOLDS_MAIL)
        fs_directory_change_end_with(change, IMAP_ERROR_HAS_CHILDREN,
                                     "it holds messages");
    else
        imap_request_delete(fs_directory_change_connection(change),
                            change->from, on_removed,
                            fs_directory_change_await(change));
}

static void
on_lease_to_remove(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (!fs_directory_change_take(change, lease))
        return;
    if (lease == NULL)
        give_up(change, error);
    else
        fs_mailbox_count(fs_directory_change_connection(change), change->from,
                         on_counted_again, fs_directory_change_await(change));
}

/* Nobody of ours looks at it meanwhile. */
void
fs_directory_remove_now(FsDirectoryChange *change)
{
    ImapWish wish = {.mailbox = FS_DIRECTORY_ELSEWHERE, .apart = change->from};

    g_clear_pointer(&change->lease, imap_lease_release);
    imap_pool_acquire_wish(change->account->pool, &wish, on_lease_to_remove,
                           fs_directory_change_await(change));
}

/* Deleting a mailbox deletes what is in it. */
static void
on_counted(const ImapUidSet *found, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    if (error != NULL) {
        give_up(change, error);
        return;
    }
    if (imap_uid_set_n_ranges(found) > 0 ||
        imap_connection_mailbox(fs_directory_change_connection(change))
                ->exists > 0) {
        fs_directory_change_end_with(change, IMAP_ERROR_HAS_CHILDREN,
                                     "it holds messages");
        return;
    }
    change->counted = TRUE;
    fs_directory_remove_now(change);
}

static void
on_lease_to_count(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;
    const ImapSought anything = {0};

    if (!fs_directory_change_take(change, lease))
        return;
    if (lease == NULL)
        give_up(change, error);
    else
        imap_request_find(fs_directory_change_connection(change), &anything,
                          on_counted, fs_directory_change_await(change));
}

void
fs_directory_remove_empty(FsDirectoryChange *change)
{
    imap_pool_acquire(change->account->pool, change->from, on_lease_to_count,
                      fs_directory_change_await(change));
}

/* Whatever the answer: Dovecot says that it exists, and repairs it. */
static void
on_made_again(const GError *error, gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (change->abandoned)
        return;
    g_clear_pointer(&change->lease, imap_lease_release);
    fs_directory_remove_empty(change);
}

static void
on_lease_to_make_again(ImapLease *lease, const GError *error,
                       gpointer user_data)
{
    g_autoptr(FsDirectoryChange) change = user_data;

    if (!fs_directory_change_take(change, lease))
        return;
    if (lease == NULL)
        give_up(change, error);
    else
        imap_request_create(fs_directory_change_connection(change),
                            change->from, on_made_again,
                            fs_directory_change_await(change));
}

/* Dovecot removes the directories of a mailbox one by one. A session that looks
 * at it meanwhile makes some of them again (also one that only tells how many
 * messages there are), and DELETE says OK all the same. What is left may be a
 * mailbox, or none that it would delete: so it is made one first. */
void
fs_directory_remove_again(FsDirectoryChange *change)
{
    change->n_tries++;
    change->n_lists = 0;
    g_clear_error(&change->error);
    imap_pool_forget_selected(change->account->pool, change->from);
    imap_pool_acquire(change->account->pool, NULL, on_lease_to_make_again,
                      fs_directory_change_await(change));
}
