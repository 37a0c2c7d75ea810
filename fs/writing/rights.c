/* What may be done where. One answer is kept for each mailbox that is used; a
 * server that has no ACL is asked once. */
#include "fs/writing/rights.h"

#include "fs/changes/overlay.h"
#include "imap/error.h"
#include "imap/mailbox-requests.h"

#include <errno.h>

#define KEEP_US (5 * G_TIME_SPAN_MINUTE)
/* Who is refused many things at once has it asked for once. */
#define RECENT_US G_TIME_SPAN_SECOND
#define ALL G_MAXUINT

/* Reference counted: the pool may call back after the end. */
struct FsRights {
    FsAccount *account;    /* NULL after the end */
    GHashTable *mailboxes; /* id -> Mailbox, owned */
    GQueue requests;       /* of Request, borrowed */
    gboolean unsupported;
};

typedef struct {
    guint rights; /* IMAP_RIGHT_…, or ALL */
    gint64 at;    /* microseconds, monotonic: when that was told; 0: never */
    FsNeed *need; /* of the answer; NULL: it is not being asked for */
    gint64 read_only_at; /* the same: when the server said so; 0: it has not */
} Mailbox;

typedef struct {
    FsRights *rights; /* a reference */
    guint32 mailbox;
    ImapLease *lease;
} Request;

static void
mailbox_free(gpointer data)
{
    Mailbox *mailbox = data;

    fs_need_unref(mailbox->need);
    g_free(mailbox);
}

FsRights *
fs_rights_new(FsAccount *account)
{
    FsRights *rights = g_rc_box_new0(FsRights);

    rights->account = account;
    rights->mailboxes = g_hash_table_new_full(NULL, NULL, NULL, mailbox_free);
    return rights;
}

static void
rights_clear(gpointer data)
{
    g_hash_table_unref(((FsRights *)data)->mailboxes);
}

void
fs_rights_free(FsRights *rights)
{
    if (rights == NULL)
        return;
    rights->account = NULL;
    for (GList *link = rights->requests.head; link != NULL; link = link->next)
        g_clear_pointer(&((Request *)link->data)->lease, imap_lease_release);
    g_rc_box_release_full(rights, rights_clear);
}

/* What the mode bits are made of. */
#define SHOWN (IMAP_RIGHT_INSERT | IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE)

/* They may have been shown before the answer was there. */
static void
note_rights(FsRights *rights, guint32 id, Mailbox *mailbox, guint found)
{
    gboolean changed = ((mailbox->rights ^ found) & SHOWN) != 0;

    mailbox->rights = found;
    if (changed && rights->account != NULL)
        fs_overlay_tell(rights->account->overlay, FS_OVERLAY_ALL, id, 0, NULL);
}

static void
end(Request *request, guint found, const GError *error)
{
    FsRights *rights = request->rights;
    guint32 id = request->mailbox;
    Mailbox *mailbox =
        g_hash_table_lookup(rights->mailboxes, GUINT_TO_POINTER(id));
    g_autoptr(FsNeed) need = NULL;

    g_queue_remove(&rights->requests, request);
    imap_lease_release(request->lease);
    if (g_error_matches(error, IMAP_ERROR, IMAP_ERROR_UNSUPPORTED))
        rights->unsupported = TRUE;
    if (mailbox != NULL) {
        need = g_steal_pointer(&mailbox->need);
        mailbox->at = g_get_monotonic_time();
        note_rights(rights, id, mailbox, error == NULL ? found : ALL);
    }
    if (need != NULL)
        fs_need_complete(need, NULL);
    g_rc_box_release_full(rights, rights_clear);
    g_free(request);
}

static void
on_rights(guint found, const GError *error, gpointer user_data)
{
    end(user_data, found, error);
}

static void
on_lease(ImapLease *lease, const GError *error, gpointer user_data)
{
    Request *request = user_data;
    const FsAccount *account = request->rights->account;
    const FsMailbox *mailbox =
        account != NULL ? fs_mailbox_tree_get(account->tree, request->mailbox)
                        : NULL;

    if (account == NULL)
        g_clear_pointer(&lease, imap_lease_release);
    request->lease = lease;
    if (lease == NULL || mailbox == NULL || mailbox->wire_name == NULL)
        end(request, ALL, error);
    else
        imap_request_rights(imap_lease_connection(lease), mailbox->wire_name,
                            on_rights, request);
}

static Mailbox *
mailbox_of(FsRights *rights, guint32 id)
{
    Mailbox *mailbox =
        g_hash_table_lookup(rights->mailboxes, GUINT_TO_POINTER(id));

    if (mailbox == NULL) {
        mailbox = g_new0(Mailbox, 1);
        mailbox->rights = ALL;
        g_hash_table_insert(rights->mailboxes, GUINT_TO_POINTER(id), mailbox);
    }
    return mailbox;
}

/* NULL: there is nothing to ask for, or there has been an answer since @since.
 */
static Mailbox *
ask(FsRights *rights, guint32 id, gint64 since)
{
    Mailbox *mailbox;
    Request *request;

    if (rights->unsupported || rights->account == NULL || id == 0)
        return NULL;
    mailbox = mailbox_of(rights, id);
    if (mailbox->at != 0 && mailbox->at > since)
        return NULL;
    if (mailbox->need == NULL) {
        request = g_new0(Request, 1);
        request->rights = g_rc_box_acquire(rights);
        request->mailbox = id;
        g_queue_push_tail(&rights->requests, request);
        mailbox->need = fs_need_new();
        imap_pool_acquire(rights->account->pool, NULL, on_lease, request);
    }
    return mailbox;
}

FsNeed *
fs_rights_need(FsRights *rights, guint32 id)
{
    const Mailbox *mailbox = ask(rights, id, g_get_monotonic_time() - KEEP_US);

    /* What was so a while ago is good enough meanwhile. */
    return mailbox != NULL && mailbox->at == 0 ? mailbox->need : NULL;
}

FsNeed *
fs_rights_need_newer(FsRights *rights, guint32 id, gint64 since)
{
    const Mailbox *mailbox = ask(rights, id, since - RECENT_US);

    return mailbox != NULL ? mailbox->need : NULL;
}

static gboolean
is_read_only(FsRights *rights, guint32 id)
{
    const Mailbox *mailbox =
        g_hash_table_lookup(rights->mailboxes, GUINT_TO_POINTER(id));

    return mailbox != NULL && mailbox->read_only_at != 0 &&
           g_get_monotonic_time() - mailbox->read_only_at < KEEP_US;
}

int
fs_rights_refusal(FsRights *rights, guint32 mailbox)
{
    return is_read_only(rights, mailbox) ? EROFS : EACCES;
}

void
fs_rights_note_read_only(FsRights *rights, guint32 id, gboolean read_only)
{
    gboolean was_so = is_read_only(rights, id);

    if (rights->account == NULL || (!read_only && !was_so))
        return;
    mailbox_of(rights, id)->read_only_at =
        read_only ? g_get_monotonic_time() : 0;
    if (was_so != read_only)
        fs_overlay_tell(rights->account->overlay, FS_OVERLAY_ALL, id, 0, NULL);
}

static gboolean
has(FsRights *rights, guint32 id, guint wanted)
{
    const Mailbox *mailbox =
        g_hash_table_lookup(rights->mailboxes, GUINT_TO_POINTER(id));

    return mailbox == NULL ||
           ((mailbox->rights & wanted) == wanted && !is_read_only(rights, id));
}

gboolean
fs_rights_may_insert(FsRights *rights, guint32 mailbox)
{
    return has(rights, mailbox, IMAP_RIGHT_INSERT);
}

gboolean
fs_rights_may_replace(FsRights *rights, guint32 mailbox)
{
    return has(rights, mailbox,
               IMAP_RIGHT_INSERT | IMAP_RIGHT_DELETE | IMAP_RIGHT_EXPUNGE);
}

gboolean
fs_rights_may_delete(FsRights *rights, guint32 mailbox, gboolean expunge)
{
    return has(rights, mailbox,
               IMAP_RIGHT_DELETE | (expunge ? IMAP_RIGHT_EXPUNGE : 0));
}

/* RFC 4314, section 4: two flags have a right of their own. */
static guint
rights_to_flag(const char *flags)
{
    g_auto(GStrv) words = g_strsplit(flags, " ", -1);
    guint wanted = 0;

    for (char **word = words; *word != NULL; word++)
        if (g_ascii_strcasecmp(*word, "\\Seen") == 0)
            wanted |= IMAP_RIGHT_SEEN;
        else if (g_ascii_strcasecmp(*word, "\\Deleted") == 0)
            wanted |= IMAP_RIGHT_DELETE;
        else if (**word != '\0')
            wanted |= IMAP_RIGHT_WRITE_FLAGS;
    return wanted;
}

gboolean
fs_rights_may_flag(FsRights *rights, guint32 mailbox, const char *add,
                   const char *remove)
{
    return has(rights, mailbox, rights_to_flag(add) | rights_to_flag(remove));
}
