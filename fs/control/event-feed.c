/* Makes events of what changes in the account.
 *
 * A message that was moved is seen to go in one mailbox and to come in another,
 * in any order. Where the server names what is the same content (EMAILID,
 * X-GM-MSGID), both are held back for a moment, to be told as one move if they
 * meet. Events keep their order, so those behind wait, too: never for longer
 * than that moment, and never many.
 *
 * Who has sent a message, and its subject, is in the header fields that come
 * with each new message where names are made of them; the index keeps less.
 * Where they are not, they are asked for, and waited for likewise: the header
 * is what makes an event of use to people, and one short command each is little
 * where somebody reads along. */
#include "fs/control/event-feed.h"

#include "fs/control/event-headers.h"
#include "fs/names/header-field.h"
#include "fs/sync/synchroniser.h"
#include "imap/pool-status.h"

#define HOLD_US (500 * 1000)
#define HEADER_US (5 * G_USEC_PER_SEC)
#define HELD_MAX 10000

/* An event that has not been told yet. */
typedef struct {
    FsEvent event; /* its strings are those below */
    char *mailbox;
    char *name;
    char *from;
    char *subject;
    char *flags;
    char *text;
    char *old_mailbox;
    char *old_name;
    char *key;            /* in held; NULL: it is told as soon as may be */
    gint64 held_until;    /* microseconds, monotonic; 0: no longer */
    gint64 awaited_until; /* the same: for its header; 0: not */
    guint64 message;      /* in awaited */
    gboolean absorbed;    /* it has become a part of another */
} Pending;

struct FsEventFeed {
    FsAccount *account;
    FsNameSpace *names;
    FsEvents *events;
    GQueue outbox;       /* of Pending, owned, in the order of what happened */
    GHashTable *held;    /* Pending.key -> Pending: those that may be half of a
                            move */
    GHashTable *awaited; /* &Pending.message -> Pending: those whose header is
                            asked for */
    FsEventHeaders *headers;
    guint timer;
};

static void
pending_free(gpointer data)
{
    Pending *pending = data;

    g_free(pending->mailbox);
    g_free(pending->name);
    g_free(pending->from);
    g_free(pending->subject);
    g_free(pending->flags);
    g_free(pending->text);
    g_free(pending->old_mailbox);
    g_free(pending->old_name);
    g_free(pending->key);
    g_free(pending);
}

static Pending *
pending_new(FsEventKind kind)
{
    Pending *pending = g_new0(Pending, 1);

    pending->event.kind = kind;
    pending->event.time = g_get_real_time();
    return pending;
}

/* ---- telling ---- */

static void
forget_key(FsEventFeed *feed, Pending *pending)
{
    if (pending->key != NULL &&
        g_hash_table_lookup(feed->held, pending->key) == pending)
        g_hash_table_remove(feed->held, pending->key);
}

static void
stop_awaiting(FsEventFeed *feed, Pending *pending)
{
    if (pending->awaited_until == 0)
        return;
    pending->awaited_until = 0;
    if (g_hash_table_lookup(feed->awaited, &pending->message) == pending)
        g_hash_table_remove(feed->awaited, &pending->message);
}

static void
publish(FsEventFeed *feed, Pending *pending)
{
    FsEvent *event = &pending->event;

    event->mailbox = pending->mailbox;
    event->name = pending->name;
    event->from = pending->from;
    event->subject = pending->subject;
    event->flags = pending->flags;
    event->text = pending->text;
    event->old_mailbox = pending->old_mailbox;
    event->old_name = pending->old_name;
    fs_events_publish(feed->events, event);
}

static gint64
due_at(const Pending *pending)
{
    return MAX(pending->held_until, pending->awaited_until);
}

static gboolean
is_due(const FsEventFeed *feed, const Pending *pending)
{
    return pending->absorbed || feed->outbox.length > HELD_MAX ||
           g_get_monotonic_time() >= due_at(pending);
}

static gboolean on_timer(gpointer user_data);

static void
tell_due(FsEventFeed *feed)
{
    Pending *pending;

    while ((pending = g_queue_peek_head(&feed->outbox)) != NULL &&
           is_due(feed, pending)) {
        g_queue_pop_head(&feed->outbox);
        forget_key(feed, pending);
        stop_awaiting(feed, pending);
        if (!pending->absorbed)
            publish(feed, pending);
        pending_free(pending);
    }
    g_clear_handle_id(&feed->timer, g_source_remove);
    if (pending != NULL)
        feed->timer = g_timeout_add(
            MAX(due_at(pending) - g_get_monotonic_time(), 0) / 1000 + 1,
            on_timer, feed);
}

static gboolean
on_timer(gpointer user_data)
{
    FsEventFeed *feed = user_data;

    feed->timer = 0;
    tell_due(feed);
    return G_SOURCE_REMOVE;
}

/* Takes ownership. */
static void
push(FsEventFeed *feed, Pending *pending)
{
    g_queue_push_tail(&feed->outbox, pending);
    tell_due(feed);
}

/* ---- moves ---- */

static char *
key_of(FsEventKind kind, const char *identity)
{
    return g_strconcat(kind == FS_EVENT_NEW ? "+" : "-", identity, NULL);
}

/* The other half of @pending becomes a part of it: it is told as a move where
 * its later half is. */
static void
join(FsEventFeed *feed, Pending *pending, Pending *other)
{
    Pending *gone = pending->event.kind == FS_EVENT_NEW ? other : pending;

    forget_key(feed, other);
    stop_awaiting(feed, other);
    other->held_until = pending->held_until = 0;
    pending->event.kind = FS_EVENT_MOVED;
    pending->old_mailbox = g_steal_pointer(&gone->mailbox);
    pending->old_name = g_steal_pointer(&gone->name);
    pending->event.old_uid = gone->event.uid;
    if (gone == pending) {
        pending->mailbox = g_steal_pointer(&other->mailbox);
        pending->name = g_steal_pointer(&other->name);
        pending->event.uid = other->event.uid;
        pending->from = g_steal_pointer(&other->from);
        pending->subject = g_steal_pointer(&other->subject);
        g_free(pending->flags);
        pending->flags = g_steal_pointer(&other->flags);
    }
    other->absorbed = TRUE;
}

static void
hold(FsEventFeed *feed, Pending *pending, const char *identity)
{
    FsEventKind kind = pending->event.kind;
    g_autofree char *wanted = key_of(
        kind == FS_EVENT_NEW ? FS_EVENT_EXPUNGED : FS_EVENT_NEW, identity);
    Pending *other = g_hash_table_lookup(feed->held, wanted);

    if (other != NULL) {
        join(feed, pending, other);
        return;
    }
    pending->key = key_of(kind, identity);
    pending->held_until = g_get_monotonic_time() + HOLD_US;
    g_hash_table_replace(feed->held, pending->key, pending);
}

/* ---- messages ---- */

static void
take_first_name(guint64 directory, const char *name, gpointer user_data)
{
    Pending *pending = user_data;

    if (pending->name == NULL)
        pending->name = g_strdup(name);
}

static char *
decoded_field(GBytes *header, const char *name)
{
    gsize length;
    const char *text = g_bytes_get_data(header, &length);
    g_autofree char *value = fs_header_field(text, length, name);

    return value != NULL ? g_strstrip(fs_header_field_decode(value)) : NULL;
}

static void
set_header(Pending *pending, GBytes *header)
{
    pending->from = decoded_field(header, "From");
    pending->subject = decoded_field(header, "Subject");
}

static void
take_header(FsEventFeed *feed, Pending *pending, guint32 mailbox)
{
    GBytes *header = fs_synchroniser_new_header(feed->account->synchroniser);

    if (header != NULL) {
        set_header(pending, header);
        return;
    }
    pending->message = (guint64)mailbox << 32 | pending->event.uid;
    if (!fs_event_headers_ask(feed->headers, mailbox, pending->event.uid))
        return;
    pending->awaited_until = g_get_monotonic_time() + HEADER_US;
    g_hash_table_replace(feed->awaited, &pending->message, pending);
}

/* A FsEventHeaderFunc. */
static void
on_header(guint32 mailbox, guint32 uid, GBytes *header, gpointer user_data)
{
    FsEventFeed *feed = user_data;
    guint64 message = (guint64)mailbox << 32 | uid;
    Pending *pending = g_hash_table_lookup(feed->awaited, &message);

    if (pending == NULL)
        return;
    stop_awaiting(feed, pending);
    if (header != NULL)
        set_header(pending, header);
    tell_due(feed);
}

static FsEventKind
kind_of(FsChange change)
{
    switch (change) {
    case FS_CHANGE_NEW:
        return FS_EVENT_NEW;
    case FS_CHANGE_GONE:
        return FS_EVENT_EXPUNGED;
    case FS_CHANGE_FLAGS:
        return FS_EVENT_FLAGS;
    case FS_CHANGE_ALL:
        break;
    }
    return FS_EVENT_MAILBOX;
}

/* A FsChangeFunc. */
static void
on_change(FsChange change, guint32 mailbox, const CacheMessage *message,
          gpointer user_data)
{
    FsEventFeed *feed = user_data;
    Pending *pending;

    if (fs_events_n_readers(feed->events) == 0)
        return;
    pending = pending_new(kind_of(change));
    pending->mailbox = fs_mailbox_tree_path(feed->account->tree, mailbox);
    if (message == NULL) {
        pending->event.action = "reset";
        push(feed, pending);
        return;
    }
    pending->event.uid = message->uid;
    pending->flags = g_strdup(message->flags);
    fs_name_space_names_of(feed->names, mailbox, message, take_first_name,
                           pending);
    if (change == FS_CHANGE_NEW)
        take_header(feed, pending, mailbox);
    if (change != FS_CHANGE_FLAGS && message->identity != NULL)
        hold(feed, pending, message->identity);
    push(feed, pending);
}

/* ---- mailboxes, connections, errors ---- */

/* A FsMailboxEntryFunc. */
static void
on_mailbox_entry(guint32 parent, const char *name, guint32 before,
                 gpointer user_data)
{
    FsEventFeed *feed = user_data;
    const FsMailboxTree *tree = feed->account->tree;
    const FsMailbox *now = fs_mailbox_tree_child(tree, parent, name);
    g_autofree char *path = NULL;
    Pending *pending;

    if (fs_events_n_readers(feed->events) == 0 ||
        (now != NULL && now->id == before))
        return;
    /* The parent may be gone as well. */
    path = fs_mailbox_tree_path(tree, parent);
    pending = pending_new(FS_EVENT_MAILBOX);
    pending->mailbox = path != NULL && *path != '\0'
                           ? g_strconcat(path, "/", name, NULL)
                           : g_strdup(name);
    pending->event.action = now != NULL ? "created" : "deleted";
    push(feed, pending);
}

/* A ImapPoolObserver. */
static void
on_pool(ImapPoolChange change, const ImapConnection *connection,
        const GError *error, gpointer user_data)
{
    static const char *const actions[] = {
        [IMAP_POOL_CHANGE_OPENED] = "opened",
        [IMAP_POOL_CHANGE_REFUSED] = "refused",
        [IMAP_POOL_CHANGE_LOST] = "lost",
        [IMAP_POOL_CHANGE_CLOSED] = "closed",
    };
    FsEventFeed *feed = user_data;
    Pending *pending;

    if (fs_events_n_readers(feed->events) == 0)
        return;
    pending = pending_new(FS_EVENT_CONNECTION);
    pending->event.action = actions[change];
    pending->event.connection = imap_connection_number(connection);
    pending->text = error != NULL ? g_strdup(error->message) : NULL;
    push(feed, pending);
}

void
fs_event_feed_error(FsEventFeed *feed, const char *text)
{
    Pending *pending;

    if (fs_events_n_readers(feed->events) == 0)
        return;
    pending = pending_new(FS_EVENT_ERROR);
    pending->text = g_strdup(text);
    push(feed, pending);
}

/* ---- making and ending ---- */

FsEventFeed *
fs_event_feed_new(FsAccount *account, FsNameSpace *names, FsEvents *events)
{
    FsEventFeed *feed = g_new0(FsEventFeed, 1);

    feed->account = account;
    feed->names = names;
    feed->events = events;
    g_queue_init(&feed->outbox);
    feed->held = g_hash_table_new(g_str_hash, g_str_equal);
    feed->awaited = g_hash_table_new(g_int64_hash, g_int64_equal);
    feed->headers = fs_event_headers_new(account, on_header, feed);
    fs_synchroniser_add_change_func(account->synchroniser, on_change, feed);
    fs_mailbox_tree_add_entry_func(account->tree, on_mailbox_entry, feed);
    imap_pool_set_observer(account->pool, on_pool, feed);
    return feed;
}

void
fs_event_feed_free(FsEventFeed *feed)
{
    if (feed == NULL)
        return;
    imap_pool_set_observer(feed->account->pool, NULL, NULL);
    fs_mailbox_tree_remove_entry_func(feed->account->tree, on_mailbox_entry,
                                      feed);
    fs_synchroniser_remove_change_func(feed->account->synchroniser, on_change,
                                       feed);
    g_clear_handle_id(&feed->timer, g_source_remove);
    fs_event_headers_free(feed->headers);
    g_hash_table_unref(feed->held);
    g_hash_table_unref(feed->awaited);
    g_queue_clear_full(&feed->outbox, pending_free);
    g_free(feed);
}
