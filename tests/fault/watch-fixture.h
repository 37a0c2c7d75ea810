/* A watch on a pool whose connections lead to servers that follow scripts, and
 * what it tells, as words. */
#pragma once

#include "imap/pool-private.h"
#include "imap/watch.h"
#include "pool-fixture.h"

#define LOGIN_WITH(words)                                                      \
    "S:* PREAUTH in", "C:i1 CAPABILITY", "S:* CAPABILITY IMAP4rev1 " words,    \
        "S:i1 OK"
#define NOTIFY_LINE                                                            \
    " NOTIFY SET (personal (MailboxName SubscriptionChange MessageNew "        \
    "MessageExpunge FlagChange))"
#define NOTIFYING LOGIN_WITH("NOTIFY"), "C:i2" NOTIFY_LINE, "S:i2 OK"
#define IDLE_ON(n, m, mailbox) EXAMINE(n, mailbox), "C:i" #m " IDLE"

/* What happened, as words: "+INBOX", "+*", "-" when it was lost, and of what
 * was told, "status Name", "list Name", "INBOX:exists" and so on. */
typedef struct {
    Fixture f;
    Wish first; /* the connection by which the server becomes known */
    ImapWatch *watch;
    GString *log;
    GString *awaited;
    gboolean found;
} Scene;

static inline void
note(Scene *scene, const char *name, const char *mark, const char *what)
{
    g_string_append_printf(scene->log, "%s%s%s ", name, mark, what);
    if (scene->awaited->len > 0 &&
        strstr(scene->log->str, scene->awaited->str) != NULL)
        scene->found = TRUE;
}

static inline void
on_begun(const char *mailbox, gpointer user_data)
{
    note(user_data, "+", mailbox != NULL ? mailbox : "*", "");
}

static inline void
on_lost(const GError *error, gpointer user_data)
{
    note(user_data, "-", "", "");
}

static inline void
on_told(const char *mailbox, const ImapResponse *response, gpointer user_data)
{
    Scene *scene = user_data;

    switch ((int)response->type) {
    case IMAP_RESPONSE_MAILBOX_STATUS:
        note(scene, "status", " ", response->mailbox_status->name);
        break;
    case IMAP_RESPONSE_LIST:
        note(scene, "list", " ", response->list->name);
        break;
    case IMAP_RESPONSE_EXISTS:
        note(scene, mailbox, ":", "exists");
        break;
    case IMAP_RESPONSE_EXPUNGE:
        note(scene, mailbox, ":", "expunge");
        break;
    case IMAP_RESPONSE_FETCH:
        note(scene, mailbox, ":", "fetch");
        break;
    default:
        note(scene, mailbox, ":", "other");
        break;
    }
}

static const ImapWatchHandler watch_handler = {
    .begun = on_begun,
    .told = on_told,
    .lost = on_lost,
};

/* A pool that has one connection, and a watch, whose connection may be silent
 * for @timeout_ms. */
static inline void
begin(Scene *scene, const char *const *const *scripts, guint max_connections,
      guint timeout_ms)
{
    *scene = (Scene){0};
    scene->log = g_string_new(NULL);
    scene->awaited = g_string_new(NULL);
    start(&scene->f, scripts, max_connections, LONG_TIMEOUT_MS);
    ask(&scene->f, &scene->first, NULL);
    get(&scene->f, &scene->first);
    release(&scene->first);
    scene->f.settings->timeout_ms = timeout_ms;
    scene->watch = imap_watch_new(scene->f.pool, &watch_handler, 0, scene);
    assert_string_equal(scene->log->str, "");
}

static inline void
end(Scene *scene)
{
    imap_watch_free(scene->watch);
    stop(&scene->f);
    g_string_free(scene->log, TRUE);
    g_string_free(scene->awaited, TRUE);
}

static inline void
wait_log(Scene *scene, const char *words)
{
    g_string_assign(scene->awaited, words);
    scene->found = strstr(scene->log->str, words) != NULL;
    wait_for(&scene->found);
    g_string_truncate(scene->awaited, 0);
}

static inline void
assert_is_telling(Scene *scene, gboolean telling, const char *wanted)
{
    const char *mailbox;

    assert_int_equal(imap_watch_is_telling(scene->watch, &mailbox), telling);
    if (wanted == NULL)
        assert_null(mailbox);
    else
        assert_string_equal(mailbox, wanted);
}
