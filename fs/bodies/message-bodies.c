/* The octets of messages: which of them are under way, and for whom. */
#include "fs/bodies/message-bodies-private.h"

#include "fs/bodies/body-fetch.h"
#include "fs/bodies/part-fetch.h"
#include "fs/bodies/read-ahead.h"
#include "fs/bodies/reader.h"
#include "fs/bodies/stored-body.h"
#include "fs/changes/overlay.h"
#include "fs/kernel/errno.h"
#include "fs/sync/synchroniser.h"

/* The store may fall behind by so much before the network has to wait, and has
 * caught up when no more than that is left. */
#define UNWRITTEN_MAX (4u * 1024 * 1024)
#define UNWRITTEN_RESUME (1u * 1024 * 1024)

/* Who waits for nothing has it fall behind by so much at the most. */
#define AT_HAND_UNWRITTEN_MAX (64u * 1024 * 1024)

/* What Courier sends for a message that another client has expunged, and says
 * of its size: nothing of that size is believed without asking. */
#define STAND_IN_SIZE 129

/* ---- keys and the cache ---- */

/* A server whose sizes are wrong may have wrong identities, too: so the same
 * content is that of the same size. And whatever it says of one message's
 * identity, that is never the name of another that has none. */
static char *
key_of(guint32 mailbox, guint32 uid, const char *identity, guint64 size)
{
    if (identity == NULL || identity[0] == '\0')
        return g_strdup_printf("%u:%u", mailbox, uid);
    return g_strdup_printf("i:%s:%" G_GUINT64_FORMAT, identity, size);
}

char *
fs_message_key(guint32 mailbox, const CacheMessage *message)
{
    return key_of(mailbox, message->uid, message->identity, message->size);
}

char *
fs_body_key(const FsBody *body, guint64 size)
{
    return key_of(body->mailbox, body->uid, body->identity, size);
}

static guint32
n_blocks(guint64 size)
{
    return (guint32)((size + CACHE_BLOCK_SIZE - 1) / CACHE_BLOCK_SIZE);
}

static gboolean
has_blocks(FsMessageBodies *bodies, const char *key, guint64 size)
{
    for (guint32 i = 0; i < n_blocks(size); i++)
        if (!cache_blocks_has(bodies->account->blocks, key, i))
            return FALSE;
    return TRUE;
}

gboolean
fs_message_is_cached(FsMessageBodies *bodies, guint32 mailbox,
                     const CacheMessage *message)
{
    g_autofree char *key = fs_message_key(mailbox, message);

    if (message->size == 0)
        return message->size_verified;
    return has_blocks(bodies, key, message->size) ||
           fs_stored_body_has(bodies, mailbox, message);
}

GBytes *
fs_block_get(FsMessageBodies *bodies, const char *key, guint64 size,
             guint32 number)
{
    CacheBlocks *blocks = bodies->account->blocks;
    guint64 start = (guint64)number * CACHE_BLOCK_SIZE;
    g_autoptr(GBytes) bytes = cache_blocks_get(blocks, key, number);

    if (bytes != NULL &&
        g_bytes_get_size(bytes) == MIN(CACHE_BLOCK_SIZE, size - start))
        return g_steal_pointer(&bytes);
    /* Not ours, or damaged: it is not looked for again. */
    if (bytes != NULL || cache_blocks_has(blocks, key, number))
        cache_blocks_remove(blocks, key);
    return NULL;
}

/* What is copied at once, on the main loop. */
#define MOVED_BLOCKS_MAX 16u

/* Where messages have no identity, one that was moved in this mount is here
 * under the name that it had. */
static void
take_over_moved(FsMessageBodies *bodies, guint32 mailbox,
                const CacheMessage *message)
{
    FsAccount *account = bodies->account;
    const FsGuest *guest =
        fs_overlay_guest_by_uid(account->overlay, mailbox, message->uid);
    g_autofree char *key = fs_message_key(mailbox, message);
    g_autofree char *before = NULL;

    if (guest == NULL || guest->from_uid == 0 ||
        (message->identity != NULL && *message->identity != '\0') ||
        n_blocks(message->size) > MOVED_BLOCKS_MAX ||
        cache_blocks_has(account->blocks, key, 0))
        return;
    before = key_of(guest->from_mailbox, guest->from_uid, NULL, 0);
    if (!has_blocks(bodies, before, message->size))
        return;
    for (guint32 i = 0; i < n_blocks(message->size); i++) {
        g_autoptr(GBytes) block =
            fs_block_get(bodies, before, message->size, i);

        if (block == NULL)
            return;
        cache_blocks_put(account->blocks, key, i, block);
    }
    cache_blocks_remove(account->blocks, before);
}

/* The last block is put only when it is certain that it is the last; a full one
 * does not tell. */
static gboolean
cache_proves_size(FsMessageBodies *bodies, guint32 mailbox,
                  const CacheMessage *message)
{
    g_autofree char *key = fs_message_key(mailbox, message);
    g_autoptr(GBytes) last = NULL;

    if (message->size % CACHE_BLOCK_SIZE == 0 ||
        !cache_blocks_has(bodies->account->blocks, key,
                          n_blocks(message->size) - 1))
        return FALSE;
    last =
        fs_block_get(bodies, key, message->size, n_blocks(message->size) - 1);
    return last != NULL && has_blocks(bodies, key, message->size);
}

/* ---- messages under way ---- */

static gint64 *
table_key(guint32 mailbox, guint32 uid)
{
    gint64 *key = g_new(gint64, 1);

    *key = (gint64)((guint64)mailbox << 32 | uid);
    return key;
}

static void
body_clear(gpointer data)
{
    FsBody *body = data;

    fs_part_fetch_free(body->parts);
    g_free(body->identity);
    fs_need_unref(body->need);
}

FsBody *
fs_body_ref(FsBody *body)
{
    return g_rc_box_acquire(body);
}

void
fs_body_unref(FsBody *body)
{
    if (body != NULL)
        g_rc_box_release_full(body, body_clear);
}

static void
unref_body(gpointer body)
{
    fs_body_unref(body);
}

FsBody *
fs_body_find(FsMessageBodies *bodies, guint32 mailbox, guint32 uid)
{
    gint64 key = (gint64)((guint64)mailbox << 32 | uid);

    return g_hash_table_lookup(bodies->under_way, &key);
}

FsBody *
fs_body_new(FsMessageBodies *bodies, guint32 mailbox,
            const CacheMessage *message)
{
    FsBody *body = g_rc_box_new0(FsBody);

    body->bodies = fs_message_bodies_ref(bodies);
    body->mailbox = mailbox;
    body->uid = message->uid;
    body->announced = message->size;
    body->verified = message->size_verified;
    body->identity = g_strdup(message->identity);
    imap_retry_begin(&body->retry);
    g_hash_table_insert(bodies->under_way, table_key(mailbox, message->uid),
                        body);
    return body;
}

gboolean
fs_body_is_plausible(const FsBody *body, guint64 size)
{
    return size == body->announced && size != STAND_IN_SIZE;
}

gboolean
fs_body_is_awaited(const FsBody *body)
{
    return body->need != NULL && fs_need_n_waiters(body->need) > 0;
}

gboolean
fs_body_is_open(const FsBody *body)
{
    return fs_reader_any(body->bodies, body->mailbox, body->uid);
}

FsNeed *
fs_body_need(FsBody *body)
{
    if (body->need == NULL)
        body->need = fs_need_new();
    return body->need;
}

/* Notes in the index that the message has @size octets. */
static void
note_size(FsMessageBodies *bodies, guint32 mailbox, guint32 uid, guint64 size)
{
    CacheIndex *index = bodies->account->index;
    CacheMessage message;
    gboolean resized;

    if (!cache_index_message(index, mailbox, uid, &message) ||
        (message.size_verified && message.size == size))
        return;
    resized = message.size != size;
    message.size = size;
    message.size_verified = TRUE;
    cache_index_put(index, mailbox, &message);
    if (resized && bodies->resized != NULL)
        bodies->resized(mailbox, uid, bodies->resized_data);
}

gboolean
fs_body_settle(FsBody *body, guint64 size)
{
    gboolean changed = body->verified && body->announced != size;

    note_size(body->bodies, body->mailbox, body->uid, size);
    body->verified = TRUE;
    body->announced = size;
    if (changed)
        fs_body_finish_with(body, FS_ERROR_STALE,
                            "the message has changed its size");
    return !changed;
}

void
fs_body_finish(FsBody *body, const GError *error)
{
    FsMessageBodies *bodies = body->bodies;
    gint64 key = (gint64)((guint64)body->mailbox << 32 | body->uid);

    if (bodies == NULL)
        return;
    fs_body_ref(body);
    g_hash_table_remove(bodies->under_way, &key);
    body->bodies = NULL;
    body->fetch = NULL;
    g_clear_pointer(&body->parts, fs_part_fetch_free);
    if (error != NULL)
        fs_account_say(bodies->account, "message %u cannot be read: %s",
                       body->uid, error->message);
    if (body->need != NULL)
        fs_need_complete(body->need, error);
    fs_body_unref(body);
    fs_message_bodies_unref(bodies);
}

void
fs_body_finish_with(FsBody *body, int code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(FS_ERROR, code, message);

    fs_body_finish(body, error);
}

void
fs_body_finish_gone(FsBody *body)
{
    FsAccount *account = body->bodies->account;

    fs_synchroniser_message_gone(account->synchroniser, body->mailbox,
                                 body->uid);
    fs_body_finish_with(body, body->verified ? FS_ERROR_STALE : FS_ERROR_GONE,
                        "the message is no longer on the server");
}

/* ---- opening ---- */

static FsNeed *
failed_need(int code, const char *message)
{
    g_autoptr(GError) error = g_error_new_literal(FS_ERROR, code, message);
    FsNeed *need = fs_need_new();

    fs_need_complete(need, error);
    return need;
}

/* A batch with no more octets to come is waited for by whoever wants one of its
 * messages. */
#define SOON (64u * 1024)

/* What is in a batch is waited for if it will come soon; and if there is but
 * one connection, for another command would come after the batch. */
static gboolean
is_worth_waiting(FsMessageBodies *bodies, const FsBody *body, gboolean expected)
{
    if (body->fetch == NULL || !fs_body_fetch_is_batch(body->fetch))
        return TRUE;
    return fs_body_fetch_is_sent(body->fetch) &&
           (expected || imap_pool_limit(bodies->account->pool) == 1 ||
            fs_body_fetch_octets(body->fetch) <= SOON);
}

FsNeed *
fs_message_bodies_need_whole(FsMessageBodies *bodies, guint32 mailbox,
                             const CacheMessage *message, gboolean expected)
{
    FsBody *body = fs_body_find(bodies, mailbox, message->uid);

    if (body == NULL) {
        body = fs_body_new(bodies, mailbox, message);
        fs_body_fetch_alone(body);
    } else if (!is_worth_waiting(bodies, body, expected)) {
        fs_body_fetch_alone(body);
    }
    return fs_need_ref(fs_body_need(body));
}

static FsNeed *
need_proof(FsMessageBodies *bodies, guint32 mailbox,
           const CacheMessage *message)
{
    FsBody *body = fs_body_find(bodies, mailbox, message->uid);

    if (body == NULL) {
        body = fs_body_new(bodies, mailbox, message);
        fs_part_fetch_prove(body);
    }
    return fs_need_ref(fs_body_need(body));
}

static FsNeed *
need_size(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
          gboolean expected, guint64 *size)
{
    CacheMessage message;

    if (!cache_index_message(bodies->account->index, mailbox, uid, &message))
        return failed_need(FS_ERROR_GONE, "there is no such message");
    *size = message.size;
    if (message.size_verified)
        return NULL;
    if (cache_proves_size(bodies, mailbox, &message)) {
        note_size(bodies, mailbox, uid, message.size);
        return NULL;
    }
    if (message.size > FS_WHOLE_MAX)
        return need_proof(bodies, mailbox, &message);
    return fs_message_bodies_need_whole(bodies, mailbox, &message, expected);
}

FsNeed *
fs_message_bodies_take_stored(FsMessageBodies *bodies, guint32 mailbox,
                              const CacheMessage *message)
{
    g_autofree char *key = NULL;

    if (!fs_stored_body_has(bodies, mailbox, message))
        return NULL;
    key = fs_message_key(mailbox, message);
    if (has_blocks(bodies, key, message->size)) {
        /* What has come from the server counts. */
        fs_stored_body_drop(bodies, mailbox, message->uid, message->size);
        return NULL;
    }
    if (cache_blocks_unwritten(bodies->account->blocks) < UNWRITTEN_MAX) {
        fs_stored_body_take(bodies, mailbox, message);
        return NULL;
    }
    if (bodies->caught_up == NULL)
        bodies->caught_up = fs_need_new();
    return fs_need_ref(bodies->caught_up);
}

FsNeed *
fs_message_bodies_open(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                       pid_t by, guint64 *size)
{
    gboolean expected = fs_read_ahead_opened(bodies->ahead, mailbox, uid, by);
    CacheMessage message;
    FsNeed *need = NULL;

    if (cache_index_message(bodies->account->index, mailbox, uid, &message)) {
        need = fs_message_bodies_take_stored(bodies, mailbox, &message);
        if (need != NULL)
            return need;
        take_over_moved(bodies, mailbox, &message);
    }
    need = need_size(bodies, mailbox, uid, expected, size);
    fs_read_ahead_plan(bodies->ahead, mailbox);
    return need;
}

gboolean
fs_message_bodies_at_hand(FsMessageBodies *bodies, guint32 mailbox, guint32 uid,
                          guint64 *size)
{
    g_autofree char *key = NULL;
    CacheMessage message;

    if (!cache_index_message(bodies->account->index, mailbox, uid, &message))
        return FALSE;
    key = fs_message_key(mailbox, &message);
    if (cache_blocks_unwritten(bodies->account->blocks) <
            AT_HAND_UNWRITTEN_MAX &&
        !has_blocks(bodies, key, message.size))
        fs_stored_body_take(bodies, mailbox, &message);
    if ((message.size > 0 ? !has_blocks(bodies, key, message.size)
                          : !message.size_verified) ||
        (!message.size_verified &&
         !cache_proves_size(bodies, mailbox, &message)))
        return FALSE;
    *size = message.size;
    return TRUE;
}

void
fs_message_bodies_expect(FsMessageBodies *bodies, guint32 mailbox)
{
    fs_read_ahead_expect(bodies->ahead, mailbox);
}

void
fs_message_bodies_listed(FsMessageBodies *bodies, guint32 mailbox, pid_t by)
{
    fs_read_ahead_listed(bodies->ahead, mailbox, by);
}

/* ---- the store's pace ---- */

void
fs_message_bodies_pause_if_behind(FsMessageBodies *bodies,
                                  ImapConnection *connection)
{
    if (cache_blocks_unwritten(bodies->account->blocks) < UNWRITTEN_MAX ||
        g_ptr_array_find(bodies->paused, connection, NULL))
        return;
    g_ptr_array_add(bodies->paused, imap_connection_ref(connection));
    imap_connection_set_paused(connection, TRUE);
}

static void
resume_all(FsMessageBodies *bodies)
{
    for (guint i = 0; i < bodies->paused->len; i++)
        imap_connection_set_paused(g_ptr_array_index(bodies->paused, i), FALSE);
    g_ptr_array_set_size(bodies->paused, 0);
}

static void
on_written(gpointer user_data)
{
    FsMessageBodies *bodies = user_data;
    g_autoptr(FsNeed) caught_up = NULL;

    if (cache_blocks_unwritten(bodies->account->blocks) > UNWRITTEN_RESUME)
        return;
    resume_all(bodies);
    caught_up = g_steal_pointer(&bodies->caught_up);
    if (caught_up != NULL)
        fs_need_complete(caught_up, NULL);
}

/* ---- making and ending ---- */

static void
unref_connection(gpointer connection)
{
    imap_connection_unref(connection);
}

static void
bodies_clear(gpointer data)
{
    FsMessageBodies *bodies = data;

    g_hash_table_unref(bodies->under_way);
    g_hash_table_unref(bodies->checks);
    g_hash_table_unref(bodies->stored_in);
    g_ptr_array_unref(bodies->paused);
}

FsMessageBodies *
fs_message_bodies_ref(FsMessageBodies *bodies)
{
    return g_rc_box_acquire(bodies);
}

void
fs_message_bodies_unref(FsMessageBodies *bodies)
{
    if (bodies != NULL)
        g_rc_box_release_full(bodies, bodies_clear);
}

FsMessageBodies *
fs_message_bodies_new(FsAccount *account)
{
    FsMessageBodies *bodies = g_rc_box_new0(FsMessageBodies);

    bodies->account = account;
    bodies->leases = fs_leases_new(account);
    bodies->under_way =
        g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, unref_body);
    bodies->checks = g_hash_table_new(NULL, NULL);
    bodies->stored_in = g_hash_table_new(NULL, NULL);
    bodies->paused = g_ptr_array_new_with_free_func(unref_connection);
    g_queue_init(&bodies->readers);
    bodies->ahead = fs_read_ahead_new(bodies);
    cache_blocks_set_written_func(account->blocks, on_written, bodies);
    return bodies;
}

static void
forget_under_way(FsMessageBodies *bodies)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, bodies->under_way);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        FsBody *body = value;

        g_clear_pointer(&body->parts, fs_part_fetch_free);
        body->bodies = NULL;
        fs_message_bodies_unref(bodies);
    }
    g_hash_table_remove_all(bodies->under_way);
}

void
fs_message_bodies_free(FsMessageBodies *bodies)
{
    if (bodies == NULL)
        return;
    cache_blocks_set_written_func(bodies->account->blocks, NULL, NULL);
    resume_all(bodies);
    g_clear_pointer(&bodies->caught_up, fs_need_unref);
    bodies->account = NULL;
    g_clear_pointer(&bodies->leases, fs_leases_free);
    g_clear_pointer(&bodies->ahead, fs_read_ahead_free);
    forget_under_way(bodies);
    fs_message_bodies_unref(bodies);
}

void
fs_message_bodies_set_resized(FsMessageBodies *bodies, FsResizedFunc resized,
                              gpointer user_data)
{
    bodies->resized = resized;
    bodies->resized_data = user_data;
}
