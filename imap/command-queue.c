/* The commands of one connection. A command is in one of three lists: waiting,
 * in flight, or unsendable; the one being sent is the last in flight, and has
 * segments left.
 *
 * An entry is reference-counted, so that its handler may do anything, closing
 * the connection included, while we are in it. */
#include "imap/command-queue.h"

#include "imap/error.h"

#include <string.h>

typedef struct {
    guint id;
    ImapCommand *command;
    char *tag;                         /* NULL until sent */
    const ImapCommandHandler *handler; /* NULL once cancelled */
    gpointer user_data;
    GPtrArray *segments; /* of GString; NULL until sent */
    guint next_segment;
    guint64 written_to;   /* the queue's octets written, its last among them */
    guint64 asked_to;     /* the same, less its message: a refusal may come */
    guint64 message_left; /* octets that are not written */
    gboolean message_waits;  /* for the server's "+" */
    gboolean message_is_due; /* it, or the CRLF behind it */
    GError *failure;         /* why it cannot be sent; NULL: it can */
    gboolean ended;          /* it does not have the line to itself any more */
} Entry;

struct ImapCommandQueue {
    ImapWriteFunc write;
    gpointer user_data;
    ImapLiterals literals;
    guint64 written;   /* octets, of all commands */
    GQueue waiting;    /* of Entry, one reference each */
    GQueue in_flight;  /* of Entry, likewise, in the order sent */
    GQueue unsendable; /* of Entry, likewise */
    Entry *body;       /* takes the body under way; a reference, or NULL */
    guint last_id;
    guint last_tag;
};

static void
entry_clear(gpointer data)
{
    Entry *entry = data;

    imap_command_free(entry->command);
    g_free(entry->tag);
    g_clear_pointer(&entry->segments, g_ptr_array_unref);
    g_clear_error(&entry->failure);
}

static void
entry_unref(gpointer entry)
{
    g_rc_box_release_full(entry, entry_clear);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Entry, entry_unref)

static gboolean
entry_is_being_sent(const Entry *entry)
{
    return entry->next_segment < entry->segments->len || entry->message_is_due;
}

ImapCommandQueue *
imap_command_queue_new(ImapWriteFunc write, gpointer user_data)
{
    ImapCommandQueue *queue = g_new0(ImapCommandQueue, 1);

    queue->write = write;
    queue->user_data = user_data;
    g_queue_init(&queue->waiting);
    g_queue_init(&queue->in_flight);
    g_queue_init(&queue->unsendable);
    return queue;
}

void
imap_command_queue_free(ImapCommandQueue *queue)
{
    if (queue == NULL)
        return;
    g_queue_clear_full(&queue->waiting, entry_unref);
    g_queue_clear_full(&queue->in_flight, entry_unref);
    g_queue_clear_full(&queue->unsendable, entry_unref);
    g_clear_pointer(&queue->body, entry_unref);
    g_free(queue);
}

void
imap_command_queue_set_literals(ImapCommandQueue *queue, ImapLiterals literals)
{
    queue->literals = literals;
}

guint
imap_command_queue_push(ImapCommandQueue *queue, ImapCommand *command,
                        const ImapCommandHandler *handler, gpointer user_data)
{
    Entry *entry = g_rc_box_new0(Entry);

    entry->id = ++queue->last_id;
    entry->command = command;
    entry->handler = handler;
    entry->user_data = user_data;
    g_queue_push_tail(&queue->waiting, entry);
    return entry->id;
}

static void
finish(Entry *entry, const ImapStatus *status, const GError *error)
{
    const ImapCommandHandler *handler = g_steal_pointer(&entry->handler);

    if (handler != NULL)
        handler->done(status, error, entry->user_data);
}

static void
write_segment(ImapCommandQueue *queue, Entry *entry)
{
    GString *segment =
        g_ptr_array_index(entry->segments, entry->next_segment++);

    queue->written += segment->len;
    entry->written_to = entry->asked_to = queue->written;
    queue->write(segment->str, segment->len,
                 imap_command_is_secret(entry->command), queue->user_data);
}

static gboolean
may_send(ImapCommandQueue *queue)
{
    const Entry *last = g_queue_peek_tail(&queue->in_flight);
    const Entry *next = g_queue_peek_head(&queue->waiting);

    if (next == NULL)
        return FALSE;
    if (last == NULL)
        return TRUE;
    return !entry_is_being_sent(last) &&
           (last->ended || !imap_command_is_exclusive(last->command) ||
            imap_command_is_follower(next->command)) &&
           !imap_command_is_exclusive(next->command) &&
           queue->in_flight.length < IMAP_COMMAND_QUEUE_DEPTH;
}

void
imap_command_queue_flush(ImapCommandQueue *queue)
{
    while (may_send(queue)) {
        Entry *entry = g_queue_pop_head(&queue->waiting);

        entry->tag = g_strdup_printf("i%u", ++queue->last_tag);
        entry->segments = imap_command_encode(entry->command, entry->tag,
                                              queue->literals, &entry->failure);
        if (entry->segments == NULL) {
            g_queue_push_tail(&queue->unsendable, entry);
            continue;
        }
        entry->message_left = imap_command_message_size(entry->command);
        entry->message_is_due = entry->message_left > 0;
        entry->message_waits =
            entry->message_is_due &&
            imap_command_message_waits(entry->command, queue->literals);
        g_queue_push_tail(&queue->in_flight, entry);
        write_segment(queue, entry);
    }
}

void
imap_command_queue_end_exclusive(ImapCommandQueue *queue, const char *line)
{
    g_autofree char *text = g_strconcat(line, "\r\n", NULL);
    Entry *last = g_queue_peek_tail(&queue->in_flight);

    if (last != NULL)
        last->ended = TRUE;
    queue->written += strlen(text);
    queue->write(text, strlen(text), FALSE, queue->user_data);
    imap_command_queue_flush(queue);
}

static Entry *
entry_with_message(const ImapCommandQueue *queue)
{
    Entry *entry = g_queue_peek_tail((GQueue *)&queue->in_flight);

    return entry != NULL && entry->message_is_due && !entry->message_waits &&
                   entry->next_segment == entry->segments->len
               ? entry
               : NULL;
}

gboolean
imap_command_queue_has_message(const ImapCommandQueue *queue)
{
    return entry_with_message(queue) != NULL;
}

gboolean
imap_command_queue_has_upload(const ImapCommandQueue *queue)
{
    for (const GList *link = queue->in_flight.head; link != NULL;
         link = link->next) {
        const Entry *entry = link->data;

        if (imap_command_message_size(entry->command) > 0)
            return TRUE;
    }
    return FALSE;
}

static void
write_message(ImapCommandQueue *queue, Entry *entry, const char *data,
              gsize length)
{
    queue->written += length;
    entry->written_to = queue->written;
    queue->write(data, length, FALSE, queue->user_data);
}

gboolean
imap_command_queue_send_message(ImapCommandQueue *queue, gsize room,
                                GError **error)
{
    char piece[IMAP_COMMAND_QUEUE_PIECE];
    Entry *entry;

    while (room > 0 && (entry = entry_with_message(queue)) != NULL) {
        gsize wanted = MIN(MIN(room, sizeof piece), entry->message_left);
        gssize length =
            entry->handler == NULL
                ? -1
                : imap_command_read_message(entry->command, piece, wanted);

        if (length <= 0 || (gsize)length > wanted) {
            g_set_error(error, IMAP_ERROR, IMAP_ERROR_CLOSED,
                        "%s was given up: the message could not be read to "
                        "its end",
                        imap_command_name(entry->command));
            return FALSE;
        }
        write_message(queue, entry, piece, (gsize)length);
        room -= (gsize)length;
        entry->message_left -= (guint64)length;
        if (entry->message_left > 0)
            continue;
        write_message(queue, entry, "\r\n", 2);
        entry->message_is_due = FALSE;
        imap_command_queue_flush(queue);
    }
    return TRUE;
}

gboolean
imap_command_queue_has_unsendable(const ImapCommandQueue *queue)
{
    return queue->unsendable.length > 0;
}

void
imap_command_queue_fail_unsendable(ImapCommandQueue *queue)
{
    while (queue->unsendable.length > 0) {
        g_autoptr(Entry) entry = g_queue_pop_head(&queue->unsendable);

        finish(entry, NULL, entry->failure);
    }
}

static gboolean
forget_unsent(GQueue *entries, guint id)
{
    for (GList *link = entries->head; link != NULL; link = link->next) {
        Entry *entry = link->data;

        if (entry->id == id) {
            g_queue_delete_link(entries, link);
            entry_unref(entry);
            return TRUE;
        }
    }
    return FALSE;
}

void
imap_command_queue_cancel(ImapCommandQueue *queue, guint id)
{
    for (GList *link = queue->in_flight.head; link != NULL; link = link->next) {
        Entry *entry = link->data;

        if (entry->id == id) {
            entry->handler = NULL;
            return;
        }
    }
    if (!forget_unsent(&queue->waiting, id))
        forget_unsent(&queue->unsendable, id);
}

gboolean
imap_command_queue_continue(ImapCommandQueue *queue, const char *text,
                            GError **error)
{
    g_autoptr(Entry) entry = g_queue_peek_tail(&queue->in_flight);

    if (entry != NULL)
        g_rc_box_acquire(entry);
    if (entry != NULL && entry->next_segment < entry->segments->len) {
        write_segment(queue, entry);
        imap_command_queue_flush(queue);
        return TRUE;
    }
    if (entry != NULL && entry->message_waits) {
        entry->message_waits = FALSE;
        return TRUE;
    }
    if (entry != NULL && imap_command_is_exclusive(entry->command)) {
        /* After a cancelled AUTHENTICATE the reply still comes. */
        if (entry->handler != NULL && entry->handler->continuation != NULL) {
            entry->handler->continuation(text, entry->user_data);
            return TRUE;
        }
        if (entry->handler == NULL)
            return TRUE;
    }
    g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                "the server asks for more (\"+\") when there is no more");
    return FALSE;
}

/* @sent: how many of the octets written have left for the server. */
static Entry *
steal_by_tag(ImapCommandQueue *queue, const char *tag, guint64 sent)
{
    for (GList *link = queue->in_flight.head; link != NULL; link = link->next) {
        Entry *entry = link->data;

        if (entry->asked_to <= sent && g_str_equal(entry->tag, tag)) {
            g_queue_delete_link(&queue->in_flight, link);
            return entry;
        }
    }
    return NULL;
}

gboolean
imap_command_queue_answer(ImapCommandQueue *queue, const ImapStatus *status,
                          gsize unsent, GError **error)
{
    /* Lines that are no commands may be among the unsent, but only behind one
     * that has the line to itself: that which ends it is counted. */
    guint64 sent = queue->written - MIN(unsent, queue->written);
    g_autoptr(Entry) entry = steal_by_tag(queue, status->tag, sent);
    g_autoptr(GError) refusal = NULL;
    gboolean is_sent;

    if (entry == NULL) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                    "the server replies to a command that was not sent: %s %s",
                    status->tag, status->text);
        return FALSE;
    }
    is_sent = !entry_is_being_sent(entry) && entry->written_to <= sent;
    if (!is_sent && status->condition == IMAP_CONDITION_OK) {
        refusal = g_error_new(IMAP_ERROR, IMAP_ERROR_PROTOCOL,
                              "the server says OK to a %s that is only half "
                              "sent",
                              imap_command_name(entry->command));
        finish(entry, NULL, refusal);
        g_propagate_error(error, g_steal_pointer(&refusal));
        return FALSE;
    }
    refusal = imap_error_from_status(status);
    finish(entry, status, refusal);
    if (entry->message_is_due && !entry->message_waits &&
        entry->next_segment == entry->segments->len) {
        g_set_error(error, IMAP_ERROR, IMAP_ERROR_CLOSED,
                    "the server refuses a message in its middle: %s",
                    status->text);
        return FALSE;
    }
    return TRUE;
}

/* ESEARCH names the command whose result it is. */
static gboolean
may_be_for(const ImapResponse *response, const Entry *entry)
{
    return response->type != IMAP_RESPONSE_SEARCH ||
           response->search->tag == NULL ||
           g_str_equal(response->search->tag, entry->tag);
}

gboolean
imap_command_queue_offer(ImapCommandQueue *queue, const ImapResponse *response)
{
    GList *link = queue->in_flight.head;

    while (link != NULL) {
        g_autoptr(Entry) entry = g_rc_box_acquire(link->data);

        if (entry->handler != NULL && entry->handler->untagged != NULL &&
            may_be_for(response, entry) &&
            entry->handler->untagged(response, entry->user_data))
            return TRUE;
        /* The handler may have ended any command, this one included. */
        link = g_queue_find(&queue->in_flight, entry);
        if (link != NULL)
            link = link->next;
    }
    return FALSE;
}

gboolean
imap_command_queue_body_begin(ImapCommandQueue *queue, const ImapBody *body)
{
    g_clear_pointer(&queue->body, entry_unref);
    for (GList *link = queue->in_flight.head; link != NULL; link = link->next) {
        Entry *entry = link->data;

        if (entry->handler == NULL || entry->handler->body_begin == NULL)
            continue;
        queue->body = g_rc_box_acquire(entry);
        if (entry->handler->body_begin(body, entry->user_data))
            return TRUE;
        g_clear_pointer(&queue->body, entry_unref);
        if (g_queue_find(&queue->in_flight, entry) == NULL)
            break;
    }
    return FALSE;
}

gboolean
imap_command_queue_body_data(ImapCommandQueue *queue, const guint8 *data,
                             gsize length)
{
    g_autoptr(Entry) entry = NULL;

    if (queue->body == NULL)
        return FALSE;
    entry = g_rc_box_acquire(queue->body);
    if (entry->handler != NULL)
        entry->handler->body_data(data, length, entry->user_data);
    return TRUE;
}

void
imap_command_queue_body_end(ImapCommandQueue *queue)
{
    g_autoptr(Entry) entry = g_steal_pointer(&queue->body);

    if (entry != NULL && entry->handler != NULL)
        entry->handler->body_end(entry->user_data);
}

void
imap_command_queue_fail_all(ImapCommandQueue *queue, const GError *error)
{
    imap_command_queue_fail_unsendable(queue);
    for (;;) {
        g_autoptr(Entry) entry = g_queue_pop_head(&queue->in_flight);

        if (entry == NULL)
            entry = g_queue_pop_head(&queue->waiting);
        if (entry == NULL)
            break;
        finish(entry, NULL, error);
    }
    g_clear_pointer(&queue->body, entry_unref);
}

guint
imap_command_queue_n_in_flight(const ImapCommandQueue *queue)
{
    return queue->in_flight.length;
}

guint
imap_command_queue_n_pending(const ImapCommandQueue *queue)
{
    return queue->in_flight.length + queue->waiting.length;
}

const char *
imap_command_queue_head(const ImapCommandQueue *queue)
{
    const Entry *entry = g_queue_peek_head((GQueue *)&queue->in_flight);

    return entry != NULL ? imap_command_name(entry->command) : NULL;
}

gboolean
imap_command_queue_awaits(const ImapCommandQueue *queue, const char *name)
{
    for (const GList *link = queue->in_flight.head; link != NULL;
         link = link->next) {
        const Entry *entry = link->data;

        if (g_str_equal(imap_command_name(entry->command), name))
            return TRUE;
    }
    return FALSE;
}
