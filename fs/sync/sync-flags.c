/* All flags of a mailbox, a window after the other, for servers that cannot
 * tell which have changed. Nobody waits for that: the listing is known before.
 */
#include "fs/sync/sync-mailbox.h"

#include "imap/error.h"

/* Messages whose flags are read by one command. */
#define FLAGS_WINDOW 1000
/* How often the flags of a mailbox with more messages than that are read. */
#define FLAGS_EVERY_US (300 * G_USEC_PER_SEC)
/* Flags that changed while they were read. */
#define SURPLUS_MAX 10000

struct FsFlagsPass {
    FsSyncMailbox *mailbox; /* NULL once it is over */
    ImapLease *lease;
    CacheMailbox target;
    guint32 last;  /* UID of the window under way */
    guint64 flags; /* that it has brought */
};

static void
pass_clear(gpointer data)
{
    imap_lease_release(((FsFlagsPass *)data)->lease);
}

static void
pass_unref(gpointer pass)
{
    g_rc_box_release_full(pass, pass_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(FsFlagsPass, pass_unref)

void
fs_sync_stop_flags_pass(FsSyncMailbox *mailbox)
{
    FsFlagsPass *pass = g_steal_pointer(&mailbox->flags_pass);

    if (pass == NULL)
        return;
    pass->mailbox = NULL;
    g_clear_pointer(&pass->lease, imap_lease_release);
    pass_unref(pass);
}

static void
end_pass(FsFlagsPass *pass)
{
    FsSyncMailbox *mailbox = pass->mailbox;
    CacheMailbox state;

    mailbox->flags_at = g_get_monotonic_time();
    if (cache_index_mailbox(fs_sync_index(mailbox), mailbox->id, &state) &&
        state.complete && state.highestmodseq == 0 &&
        state.uidvalidity == pass->target.uidvalidity) {
        state.highestmodseq = pass->target.highestmodseq;
        fs_sync_note(mailbox, &state);
    }
    fs_sync_stop_flags_pass(mailbox);
}

static void
on_pass_flags(guint32 uid, const char *flags, gpointer user_data)
{
    FsFlagsPass *pass = user_data;
    g_autoptr(GError) error = NULL;

    if (pass->mailbox == NULL)
        return;
    if (++pass->flags > FLAGS_WINDOW + SURPLUS_MAX) {
        error = g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                            "the server tells of flags without end");
        imap_connection_close(imap_lease_connection(pass->lease), error);
        return;
    }
    fs_sync_set_flags(pass->mailbox, uid, flags);
}

static void next_window(FsFlagsPass *pass);

static void
on_pass_done(const GError *error, gpointer user_data)
{
    g_autoptr(FsFlagsPass) pass = user_data;

    if (pass->mailbox == NULL)
        return;
    if (error == NULL)
        next_window(pass);
    else
        fs_sync_stop_flags_pass(pass->mailbox);
}

/* The next synchronisation finds out. */
static void
on_pass_vanished(const ImapUidSet *uids, gpointer user_data)
{
}

static const ImapFlagsHandler pass_handler = {
    .flags = on_pass_flags,
    .vanished = on_pass_vanished,
    .done = on_pass_done,
};

static void
next_window(FsFlagsPass *pass)
{
    FsSyncMailbox *mailbox = pass->mailbox;
    g_autofree char *uids = NULL;
    CacheMessage message;
    guint32 first = 0;

    for (guint i = 0; i < FLAGS_WINDOW; i++) {
        if (!cache_index_next(fs_sync_index(mailbox), mailbox->id, pass->last,
                              &message))
            break;
        first = first == 0 ? message.uid : first;
        pass->last = message.uid;
    }
    if (first == 0) {
        end_pass(pass);
        return;
    }
    pass->flags = 0;
    uids = g_strdup_printf("%u:%u", first, pass->last);
    imap_request_flags(imap_lease_connection(pass->lease), uids, 0,
                       &pass_handler, g_rc_box_acquire(pass));
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    g_autoptr(FsFlagsPass) pass = user_data;

    if (pass->mailbox == NULL) {
        imap_lease_release(lease);
        return;
    }
    pass->lease = lease;
    /* Another mailbox's flags are for the next synchronisation to find. */
    if (lease == NULL ||
        fs_synchroniser_is_another(
            &pass->target,
            imap_connection_mailbox(imap_lease_connection(lease)), FALSE))
        fs_sync_stop_flags_pass(pass->mailbox);
    else
        next_window(pass);
}

/* Small mailboxes always. Of a server that counts changes, once: then it can
 * tell which. */
static gboolean
is_pass_due(const FsSyncMailbox *mailbox, const CacheMailbox *target)
{
    return mailbox->flags_pass == NULL &&
           (target->highestmodseq != 0 || mailbox->flags_at == 0 ||
            cache_index_count(fs_sync_index(mailbox), mailbox->id) <=
                FLAGS_WINDOW ||
            g_get_monotonic_time() - mailbox->flags_at > FLAGS_EVERY_US);
}

void
fs_sync_start_flags_pass(FsSyncMailbox *mailbox, const CacheMailbox *target)
{
    FsAccount *account = mailbox->synchroniser->account;
    const FsMailbox *directory =
        fs_mailbox_tree_get(account->tree, mailbox->id);
    ImapWish wish = {0};
    FsFlagsPass *pass;

    if (directory == NULL || directory->wire_name == NULL ||
        !is_pass_due(mailbox, target))
        return;
    pass = g_rc_box_new0(FsFlagsPass);
    pass->mailbox = mailbox;
    pass->target = *target;
    mailbox->flags_pass = pass;
    wish.mailbox = directory->wire_name;
    imap_pool_acquire_wish(account->pool, &wish, on_lease,
                           g_rc_box_acquire(pass));
}
