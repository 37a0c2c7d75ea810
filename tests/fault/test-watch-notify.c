/* What is told by NOTIFY, which some servers have to be asked for again, and
 * one that refuses it. */
#include "watch-fixture.h"

static const char *const with_notify[] = {LOGIN_WITH("IDLE NOTIFY"), NULL};

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
        NOTIFYING, "S:* STATUS Box (MESSAGES 4)",
        "QUIET",   "QUIET",
        "HOLD",    "C:i3 NOOP",
        "S:i3 OK", "S:* LIST () NIL Last",
        "HANG",    NULL};
    static const char *const *const scripts[] = {with_notify, second, third,
                                                 NULL};
    Scene scene;
    Script *script;

    begin(&scene, scripts, 2, LONG_TIMEOUT_MS);
    imap_watch_set_again(scene.watch, 10);
    wait_log(&scene, "- +* status Box ");
    script = listener_script(&scene.f.listener, 2);
    WAIT_UNTIL(script_is_held(script));
    script_go_on(script);
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
