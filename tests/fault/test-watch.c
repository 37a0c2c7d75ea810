/* What is listened to, and that a server which refuses, stalls or hangs up is
 * not asked again and again. */
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

static void
note(Scene *scene, const char *name, const char *mark, const char *what)
{
    g_string_append_printf(scene->log, "%s%s%s ", name, mark, what);
    if (scene->awaited->len > 0 &&
        strstr(scene->log->str, scene->awaited->str) != NULL)
        scene->found = TRUE;
}

static void
on_begun(const char *mailbox, gpointer user_data)
{
    note(user_data, "+", mailbox != NULL ? mailbox : "*", "");
}

static void
on_lost(const GError *error, gpointer user_data)
{
    note(user_data, "-", "", "");
}

static void
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
static void
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

static void
end(Scene *scene)
{
    imap_watch_free(scene->watch);
    stop(&scene->f);
    g_string_free(scene->log, TRUE);
    g_string_free(scene->awaited, TRUE);
}

static void
wait_log(Scene *scene, const char *words)
{
    g_string_assign(scene->awaited, words);
    scene->found = strstr(scene->log->str, words) != NULL;
    wait_for(&scene->found);
    g_string_truncate(scene->awaited, 0);
}

static void
assert_is_telling(Scene *scene, gboolean telling, const char *wanted)
{
    const char *mailbox;

    assert_int_equal(imap_watch_is_telling(scene->watch, &mailbox), telling);
    if (wanted == NULL)
        assert_null(mailbox);
    else
        assert_string_equal(mailbox, wanted);
}

static const char *const with_notify[] = {LOGIN_WITH("IDLE NOTIFY"), NULL};
static const char *const with_idle[] = {LOGIN_WITH("IDLE"), NULL};

/* ---- NOTIFY ---- */

static void
notify_tells_of_all_mailboxes(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE NOTIFY"),
                                         "C:i2" NOTIFY_LINE,
                                         "S:i2 OK",
                                         "QUIET",
                                         "S:* STATUS Box (MESSAGES 3)",
                                         "S:* LIST () \"/\" New",
                                         "S:* 4 EXISTS",
                                         "S:* OK still here",
                                         NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "list New");
    assert_string_equal(scene.log->str, "+* status Box list New ");
    assert_is_telling(&scene, TRUE, NULL);
    imap_watch_prefer(scene.watch, "Box");
    run_for(20);
    end(&scene);
}

/* What Dovecot tells no more of, it tells of after that. */
#define NOTIFY_AGAIN(l, n, m)                                                  \
    "C:i" #l " NOOP", "C:i" #n " NOTIFY NONE", "C:i" #m NOTIFY_LINE,           \
        "S:i" #l " OK", "S:i" #n " OK", "S:i" #m " OK"

static void
notify_is_renewed(void **state)
{
    static const char *const second[] = {NOTIFYING, NOTIFY_AGAIN(3, 4, 5),
                                         NOTIFY_AGAIN(6, 7, 8), "HANG", NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_renewal(scene.watch, 20);
    wait_log(&scene, "+* +* +* ");
    end(&scene);
}

static void
notify_is_sent_again_after_news(void **state)
{
    static const char *const second[] = {NOTIFYING,
                                         "QUIET",
                                         "S:* STATUS Box (MESSAGES 3)",
                                         NOTIFY_AGAIN(3, 4, 5),
                                         "QUIET",
                                         "S:* LIST () NIL New",
                                         "S:* STATUS Box (MESSAGES 4)",
                                         NOTIFY_AGAIN(6, 7, 8),
                                         "QUIET",
                                         "S:* LIST () NIL Last",
                                         "HANG",
                                         NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_again(scene.watch, 10);
    wait_log(&scene, "Last");
    assert_string_equal(scene.log->str,
                        "+* status Box +* list New status Box +* list Last ");
    end(&scene);
}

#define NEWS "S:* STATUS Box (MESSAGES 3)", "WAIT"
#define FIVE_NEWS NEWS, NEWS, NEWS, NEWS, NEWS
#define FIVE_TOLD "status Box status Box status Box status Box status Box "

static guint64
octets_sent(const Scene *scene)
{
    ImapTraffic traffic;

    imap_connection_traffic(scene->f.pool->listening->connection, &traffic);
    return traffic.bytes_sent;
}

/* News without an end put it off for a while, not for ever. */
static void
notify_is_sent_again_amid_news(void **state)
{
    static const char *const second[] = {NOTIFYING, FIVE_NEWS, FIVE_NEWS,
                                         FIVE_NEWS, "HANG",    NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    guint64 before;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_again(scene.watch, 2 * WAIT_MS);
    wait_log(&scene, "+* ");
    before = octets_sent(&scene);
    wait_log(&scene, FIVE_TOLD FIVE_TOLD FIVE_TOLD);
    assert_true(octets_sent(&scene) > before);
    end(&scene);
}

/* What it tells by itself meanwhile is told, too, and NOTIFY sent again for it;
 * not for what was asked. */
static void
look_is_told_like_all_else(void **state)
{
    static const char *const second[] = {
        LOGIN_WITH("NOTIFY LIST-EXTENDED LIST-STATUS"),
        "C:i2" NOTIFY_LINE,
        "S:i2 OK",
        "C:i3 STATUS A (MESSAGES UIDNEXT UIDVALIDITY)",
        "C:i4 STATUS B (MESSAGES UIDNEXT UIDVALIDITY)",
        "S:* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)",
        "S:i3 OK",
        "S:i4 NO it is gone",
        "QUIET",
        "C:i5 STATUS A (MESSAGES UIDNEXT UIDVALIDITY)",
        "S:* LIST () NIL New",
        "S:* STATUS C (MESSAGES 4)",
        "S:i5 OK",
        NOTIFY_AGAIN(6, 7, 8),
        "HANG",
        NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    static const char *const both[] = {"A", "B", NULL};
    static const char *const one[] = {"A", NULL};
    static const char *const none[] = {NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_look(scene.watch, both);
    imap_watch_set_again(scene.watch, 10);
    wait_log(&scene, "+* ");
    imap_watch_look(scene.watch, none);
    imap_watch_look(scene.watch, both);
    wait_log(&scene, "status A ");
    run_for(2 * WAIT_MS);
    imap_watch_look(scene.watch, one);
    wait_log(&scene, "+* status A list New status C +* ");
    end(&scene);
}

/* A server that is slow to answer, and tells on, is not sent more and more. */
static void
notify_waits_for_what_was_asked_before(void **state)
{
    static const char *const second[] = {
        LOGIN_WITH("NOTIFY"),
        "C:i2" NOTIFY_LINE,
        "S:i2 OK",
        "C:i3 STATUS A (MESSAGES UIDNEXT UIDVALIDITY)",
        "S:* LIST () NIL New",
        "QUIET",
        "S:* LIST () NIL Newer",
        "QUIET",
        "S:* STATUS A (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 3)",
        "S:i3 OK",
        NOTIFY_AGAIN(4, 5, 6),
        "HANG",
        NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    static const char *const one[] = {"A", NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_again(scene.watch, 5);
    wait_log(&scene, "+* ");
    imap_watch_look(scene.watch, one);
    wait_log(&scene, "+* list New list Newer status A +* ");
    end(&scene);
}

/* Then the server tells nothing: a new line is as good as the first. */
static void
refused_second_notify_is_the_last(void **state)
{
    static const char *const second[] = {NOTIFYING,
                                         "S:* STATUS Box (MESSAGES 3)",
                                         "C:i3 NOOP",
                                         "C:i4 NOTIFY NONE",
                                         "C:i5" NOTIFY_LINE,
                                         "S:i3 OK",
                                         "S:i4 OK",
                                         "S:i5 BAD once is enough",
                                         "HANG",
                                         NULL};
    static const char *const third[] = {
        NOTIFYING, "S:* STATUS Box (MESSAGES 4)", "QUIET", "QUIET", "C:i3 NOOP",
        "S:i3 OK", "S:* LIST () NIL Last",        "HANG",  NULL};
    static const char *const *const scripts[] = {with_notify, second, third,
                                                 NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_again(scene.watch, 10);
    wait_log(&scene, "- +* status Box ");
    run_for(4 * WAIT_MS);
    imap_watch_set_renewal(scene.watch, 20);
    wait_log(&scene, "Last");
    assert_string_equal(scene.log->str,
                        "+* status Box - +* status Box list Last ");
    end(&scene);
}

static void
refused_notify_is_idle(void **state)
{
    static const char *const refused[] = {LOGIN_WITH("IDLE NOTIFY"),
                                          "C:i2" NOTIFY_LINE,
                                          "S:i2 NO [BADEVENT (MailboxName)] no",
                                          IDLE_ON(3, 4, "INBOX"),
                                          "S:+ go on",
                                          "S:* 2 EXISTS",
                                          NULL};
    static const char *const bad[] = {LOGIN_WITH("IDLE NOTIFY"),
                                      "C:i2" NOTIFY_LINE,
                                      "S:i2 BAD what",
                                      IDLE_ON(3, 4, "INBOX"),
                                      "S:+ go on",
                                      "S:* 2 EXISTS",
                                      NULL};
    static const char *const *const all[][3] = {{with_notify, refused, NULL},
                                                {with_notify, bad, NULL}};

    for (gsize i = 0; i < G_N_ELEMENTS(all); i++) {
        Scene scene;

        begin(&scene, all[i], 2, LONG_TIMEOUT_MS);
        wait_log(&scene, "INBOX:exists");
        assert_string_equal(scene.log->str, "+INBOX INBOX:exists ");
        end(&scene);
    }
}

static void
overflow_asks_again_later(void **state)
{
    static const char *const second[] = {NOTIFYING,
                                         "S:* OK [NOTIFICATIONOVERFLOW] much",
                                         "S:* STATUS Box (MESSAGES 3)",
                                         "S:* OK [NOTIFICATIONOVERFLOW] much",
                                         "QUIET",
                                         "C:i3" NOTIFY_LINE,
                                         "S:i3 OK",
                                         NULL};
    static const char *const *const scripts[] = {with_notify, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+* - +*");
    assert_string_equal(scene.log->str, "+* - +* ");
    end(&scene);
}

static void
flood_of_names_is_told_and_kept_nowhere(void **state)
{
    g_autoptr(GPtrArray) steps = g_ptr_array_new_with_free_func(g_free);
    static const char *const beginning[] = {NOTIFYING, NULL};
    const char *const *scripts[3] = {with_notify, NULL, NULL};
    Scene scene;

    for (guint i = 0; beginning[i] != NULL; i++)
        g_ptr_array_add(steps, g_strdup(beginning[i]));
    for (guint i = 0; i < 5000; i++)
        g_ptr_array_add(steps,
                        g_strdup_printf("S:* STATUS Unknown%u (UIDNEXT 9)", i));
    g_ptr_array_add(steps, NULL);
    scripts[1] = (const char *const *)steps->pdata;
    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "status Unknown4999");
    assert_is_telling(&scene, TRUE, NULL);
    end(&scene);
}

/* ---- IDLE ---- */

static void
idle_rests_beyond_the_timeout(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ idling",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "WAIT",
                                         "S:* 2 EXISTS",
                                         "S:* 1 EXPUNGE",
                                         "S:* 1 FETCH (FLAGS (\\Seen))",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, 2 * TIMEOUT_MS);
    wait_log(&scene, "fetch");
    assert_string_equal(scene.log->str,
                        "+INBOX INBOX:exists INBOX:expunge INBOX:fetch ");
    assert_is_telling(&scene, TRUE, "INBOX");
    end(&scene);
}

static void
done_waits_for_the_plus(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "QUIET",
                                         "S:+ idling",
                                         "C:DONE",
                                         "QUIET",
                                         "S:i3 OK",
                                         IDLE_ON(4, 5, "Box"),
                                         "S:+ idling",
                                         "S:* 7 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    /* While IDLE waits for its "+". */
    run_for(WAIT_MS / 4);
    imap_watch_prefer(scene.watch, "Box");
    wait_log(&scene, "Box:exists");
    assert_string_equal(scene.log->str, "+INBOX +Box Box:exists ");
    end(&scene);
}

static void
idle_moves_and_comes_back(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:i3 OK",
                                         IDLE_ON(4, 5, "Box"),
                                         "S:+ b",
                                         "C:DONE",
                                         "S:i5 OK",
                                         "C:i6 EXAMINE Gone",
                                         "S:i6 NO no such",
                                         IDLE_ON(7, 8, "INBOX"),
                                         "S:+ c",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    imap_watch_prefer(scene.watch, "Box");
    wait_log(&scene, "+Box");
    imap_watch_prefer(scene.watch, "Gone");
    wait_log(&scene, "+INBOX +Box +INBOX");
    assert_is_telling(&scene, TRUE, "INBOX");
    end(&scene);
}

static void
idle_is_renewed(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:* 3 EXISTS",
                                         "S:i3 OK",
                                         "C:i4 IDLE",
                                         "S:+ b",
                                         "C:DONE",
                                         "S:i4 OK",
                                         "C:i5 IDLE",
                                         "S:+ c",
                                         "HANG",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_renewal(scene.watch, 30);
    wait_log(&scene, "+INBOX INBOX:exists +INBOX +INBOX ");
    end(&scene);
}

static void
on_asked(const ImapStatus *status, const GError *error, gpointer user_data)
{
}

static const ImapCommandHandler asked_handler = {.done = on_asked};

static void
idle_goes_on_after_what_others_ask(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "C:DONE",
                                         "S:i3 OK",
                                         "C:i4 NOOP",
                                         "S:i4 OK",
                                         "C:i5 IDLE",
                                         "S:+ b",
                                         "S:* 4 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {with_idle, second, NULL};
    ImapPool *pool;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    pool = scene.f.pool;
    wait_log(&scene, "+INBOX");
    imap_connection_send(pool->listening->connection, imap_command_new("NOOP"),
                         &asked_handler, NULL);
    wait_log(&scene, "INBOX:exists");
    assert_string_equal(scene.log->str, "+INBOX +INBOX INBOX:exists ");
    end(&scene);
}

/* Asks no sooner than in half of the longest wait. */
static void
assert_left_alone(const char *const *second, guint timeout_ms, guint wait_ms)
{
    const char *const *const scripts[] = {with_idle, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, timeout_ms);
    run_for(wait_ms);
    listener_check(&scene.f.listener);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    assert_is_telling(&scene, FALSE, NULL);
    /* The others go on. */
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    release(&scene.first);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    end(&scene);
}

static void
refused_idle_leaves_the_server_alone(void **state)
{
    static const char *const no[] = {LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"),
                                     "S:i3 NO no", NULL};
    static const char *const bad[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:i3 BAD no", NULL};
    static const char *const ended[] = {LOGIN_WITH("IDLE"),
                                        IDLE_ON(2, 3, "INBOX"), "S:+ a",
                                        "S:i3 OK that was it", NULL};
    static const char *const inbox[] = {
        LOGIN_WITH("IDLE"), "C:i2 EXAMINE INBOX", "S:i2 NO no", NULL};

    assert_left_alone(no, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(bad, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(ended, LONG_TIMEOUT_MS, 1500);
    assert_left_alone(inbox, LONG_TIMEOUT_MS, 1500);
}

/* The line is given up for its silence, and another tried later, not at once;
 * those that serve requests are no worse for it. */
static void
idle_without_plus_ends_by_its_silence(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"), "HANG", NULL};

    assert_left_alone(second, TIMEOUT_MS, 400);
}

/* ---- the line ---- */

static void
goodbye_is_lost_and_begun_again(void **state)
{
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "S:* BYE restarting",
                                         "CLOSE",
                                         NULL};
    static const char *const third[] = {LOGIN_WITH("IDLE"),
                                        IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const *const scripts[] = {with_idle, second, third,
                                                 NULL};
    Scene scene;
    gint64 begun;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "-");
    begun = g_get_monotonic_time();
    wait_log(&scene, "+INBOX - +INBOX");
    assert_true(g_get_monotonic_time() - begun >= 400 * 1000);
    assert_int_equal(scene.f.listener.n_accepted, 3);
    end(&scene);
}

static void
new_connection_shows_that_it_is_time(void **state)
{
    static const char *const hangs_up[] = {LOGIN_WITH("IDLE"), "CLOSE", NULL};
    static const char *const listens[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                        "CLOSE", NULL};
    static const char *const *const scripts[] = {first, hangs_up, with_idle,
                                                 listens, NULL};
    gboolean done = FALSE;
    Scene scene;
    gint64 begun;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    begun = g_get_monotonic_time();
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    wait_log(&scene, "+INBOX");
    /* It was not to be before a second was over. */
    assert_true(g_get_monotonic_time() - begun < 800 * 1000);
    release(&scene.first);
    end(&scene);
}

/* ---- the pool ---- */

static void
nothing_is_opened_for_a_server_that_tells_nothing(void **state)
{
    static const char *const first[] = {LOGIN_WITH("UIDPLUS"), NULL};
    static const char *const *const scripts[] = {first, NULL};
    Scene scene;

    begin(&scene, scripts, 3, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 1);
    end(&scene);
}

static void
only_connection_is_for_requests(void **state)
{
    static const char *const *const scripts[] = {with_idle, NULL};
    Scene scene;

    begin(&scene, scripts, 1, LONG_TIMEOUT_MS);
    run_for(100);
    assert_int_equal(scene.f.listener.n_accepted, 1);
    assert_is_telling(&scene, FALSE, NULL);
    end(&scene);
}

static void
refused_connection_is_not_tried_again_soon(void **state)
{
    static const char *const refused[] = {"S:* PREAUTH in", "C:i1 CAPABILITY",
                                          "S:i1 NO [LIMIT] too many", NULL};
    static const char *const *const scripts[] = {with_idle, refused, NULL};
    Scene scene;

    begin(&scene, scripts, 3, LONG_TIMEOUT_MS);
    run_for(1500);
    assert_int_equal(scene.f.listener.n_accepted, 2);
    assert_int_equal(imap_pool_limit(scene.f.pool), 1);
    ask(&scene.f, &scene.first, NULL);
    get(&scene.f, &scene.first);
    release(&scene.first);
    end(&scene);
}

/* When the listener has the only connection that there may be. */
static void
request_has_the_connection_of_the_listener(void **state)
{
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                        "CLOSE", NULL};
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"), "S:+ a", NULL};
    static const char *const refused[] = {"S:* PREAUTH in", "C:i1 CAPABILITY",
                                          "S:i1 NO [LIMIT] too many", NULL};
    static const char *const serves[] = {LOGIN_WITH("IDLE"), "C:i2 NOOP",
                                         "S:i2 OK", NULL};
    static const char *const *const scripts[] = {first,  second,  refused,
                                                 serves, refused, NULL};
    gboolean done = FALSE;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    ask(&scene.f, &scene.first, NULL);
    send_noop(get(&scene.f, &scene.first), &done);
    wait_for(&done);
    release(&scene.first);
    wait_log(&scene, "-");
    assert_is_telling(&scene, FALSE, NULL);
    end(&scene);
}

static void
listener_keeps_no_connection_open(void **state)
{
    static const char *const first[] = {
        LOGIN_WITH("IDLE"), "C:i2 LOGOUT", "S:* BYE", "S:i2 OK", "CLOSE", NULL};
    static const char *const second[] = {LOGIN_WITH("IDLE"),
                                         IDLE_ON(2, 3, "INBOX"),
                                         "S:+ a",
                                         "WAIT",
                                         "WAIT",
                                         "S:* 9 EXISTS",
                                         NULL};
    static const char *const *const scripts[] = {first, second, NULL};
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    imap_pool_set_idle(scene.f.pool, 10, 20);
    wait_log(&scene, "exists");
    listener_wait(&scene.f.listener, 0);
    end(&scene);
}

static gboolean
on_logged_out(gpointer user_data)
{
    *(gboolean *)user_data = TRUE;
    return G_SOURCE_REMOVE;
}

static void
logout_ends_idle_and_is_quick(void **state)
{
    static const char *const first[] = {LOGIN_WITH("IDLE"), "C:i2 LOGOUT",
                                        "S:i2 OK", NULL};
    static const char *const second[] = {
        LOGIN_WITH("IDLE"), IDLE_ON(2, 3, "INBOX"), "S:+ a",   "C:DONE",
        "S:i3 OK",          "C:i4 LOGOUT",          "S:i4 OK", NULL};
    static const char *const *const scripts[] = {first, second, NULL};
    gboolean done = FALSE;
    gint64 begun;
    Scene scene;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    wait_log(&scene, "+INBOX");
    g_clear_pointer(&scene.watch, imap_watch_free);
    begun = g_get_monotonic_time();
    imap_pool_log_out(scene.f.pool, on_logged_out, &done);
    wait_for(&done);
    /* Nothing was waited for in vain, which takes two seconds. */
    assert_true(g_get_monotonic_time() - begun < 1500 * 1000);
    end(&scene);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(notify_tells_of_all_mailboxes),
        cmocka_unit_test(notify_is_renewed),
        cmocka_unit_test(notify_is_sent_again_after_news),
        cmocka_unit_test(notify_is_sent_again_amid_news),
        cmocka_unit_test(look_is_told_like_all_else),
        cmocka_unit_test(notify_waits_for_what_was_asked_before),
        cmocka_unit_test(refused_second_notify_is_the_last),
        cmocka_unit_test(refused_notify_is_idle),
        cmocka_unit_test(overflow_asks_again_later),
        cmocka_unit_test(flood_of_names_is_told_and_kept_nowhere),
        cmocka_unit_test(idle_rests_beyond_the_timeout),
        cmocka_unit_test(done_waits_for_the_plus),
        cmocka_unit_test(idle_moves_and_comes_back),
        cmocka_unit_test(idle_is_renewed),
        cmocka_unit_test(idle_goes_on_after_what_others_ask),
        cmocka_unit_test(refused_idle_leaves_the_server_alone),
        cmocka_unit_test(idle_without_plus_ends_by_its_silence),
        cmocka_unit_test(goodbye_is_lost_and_begun_again),
        cmocka_unit_test(new_connection_shows_that_it_is_time),
        cmocka_unit_test(nothing_is_opened_for_a_server_that_tells_nothing),
        cmocka_unit_test(only_connection_is_for_requests),
        cmocka_unit_test(refused_connection_is_not_tried_again_soon),
        cmocka_unit_test(request_has_the_connection_of_the_listener),
        cmocka_unit_test(listener_keeps_no_connection_open),
        cmocka_unit_test(logout_ends_idle_and_is_quick),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
