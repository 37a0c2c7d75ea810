/* The queue alone: what is written when, and who is told what. */
#include "imap/command-queue.h"
#include "imap/error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

typedef struct {
    ImapCommandQueue *queue;
    GString *wire;
    GString *log; /* who was done, and how: "a+ b- c!" */
} Fixture;

typedef struct {
    Fixture *fixture;
    const char *name;
    gboolean takes; /* untagged responses and bodies */
    void (*then)(Fixture *fixture);
} Waiter;

static void
write_wire(const char *data, gsize length, gboolean secret, gpointer user_data)
{
    g_string_append_len(((Fixture *)user_data)->wire, data, length);
}

static gboolean
on_untagged(const ImapResponse *response, gpointer user_data)
{
    Waiter *waiter = user_data;

    g_string_append_printf(waiter->fixture->log, "%s? ", waiter->name);
    return waiter->takes;
}

static gboolean
on_body_begin(const ImapBody *body, gpointer user_data)
{
    return ((Waiter *)user_data)->takes;
}

static void
on_body_data(const guint8 *data, gsize length, gpointer user_data)
{
    Waiter *waiter = user_data;

    g_string_append_printf(waiter->fixture->log, "%s=%.*s ", waiter->name,
                           (int)length, (const char *)data);
    if (waiter->then != NULL)
        waiter->then(waiter->fixture);
}

static void
on_body_end(gpointer user_data)
{
    Waiter *waiter = user_data;

    g_string_append_printf(waiter->fixture->log, "%s. ", waiter->name);
}

static void
on_done(const ImapStatus *status, const GError *error, gpointer user_data)
{
    Waiter *waiter = user_data;

    g_string_append_printf(waiter->fixture->log, "%s%c ", waiter->name,
                           status == NULL  ? '!'
                           : error == NULL ? '+'
                                           : '-');
    if (waiter->then != NULL)
        waiter->then(waiter->fixture);
}

static const ImapCommandHandler handler = {
    .untagged = on_untagged,
    .body_begin = on_body_begin,
    .body_data = on_body_data,
    .body_end = on_body_end,
    .done = on_done,
};

static int
set_up(void **state)
{
    Fixture *f = g_new0(Fixture, 1);

    f->wire = g_string_new(NULL);
    f->log = g_string_new(NULL);
    f->queue = imap_command_queue_new(write_wire, f);
    *state = f;
    return 0;
}

static int
tear_down(void **state)
{
    Fixture *f = *state;

    /* The waiters are gone with the test. */
    imap_command_queue_free(f->queue);
    g_string_free(f->wire, TRUE);
    g_string_free(f->log, TRUE);
    g_free(f);
    return 0;
}

static guint
push(Waiter *waiter, const char *text, const char *value, gboolean exclusive)
{
    ImapCommand *command = imap_command_new(text);

    if (value != NULL)
        imap_command_add_string(command, value);
    if (exclusive)
        imap_command_set_exclusive(command);
    return imap_command_queue_push(waiter->fixture->queue, command, &handler,
                                   waiter);
}

static gboolean
answer_unsent(Fixture *f, const char *tag, ImapCondition condition,
              gsize unsent, GError **error)
{
    char text[] = "text";
    g_autofree char *copy = g_strdup(tag);
    ImapStatus status = {.tag = copy, .condition = condition, .text = text};
    gboolean success =
        imap_command_queue_answer(f->queue, &status, unsent, error);

    imap_command_queue_flush(f->queue);
    return success;
}

static void
answer(Fixture *f, const char *tag, ImapCondition condition)
{
    assert_true(answer_unsent(f, tag, condition, 0, NULL));
}

static void
assert_wire(Fixture *f, const char *expected)
{
    assert_string_equal(f->wire->str, expected);
    g_string_truncate(f->wire, 0);
}

static void
assert_log(Fixture *f, const char *expected)
{
    assert_string_equal(f->log->str, expected);
    g_string_truncate(f->log, 0);
}

static void
flush_sends_up_to_the_depth(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};

    for (guint i = 0; i < IMAP_COMMAND_QUEUE_DEPTH + 2; i++)
        push(&a, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_int_equal(imap_command_queue_n_in_flight(f->queue),
                     IMAP_COMMAND_QUEUE_DEPTH);
    assert_null(strstr(f->wire->str, "i21 "));
    answer(f, "i7", IMAP_CONDITION_OK);
    assert_non_null(strstr(f->wire->str, "i21 NOOP\r\n"));
    assert_null(strstr(f->wire->str, "i22 "));
}

static void
exclusive_command_has_the_line_to_itself(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"},
           c = {.fixture = f, .name = "c"};

    push(&a, "NOOP", NULL, FALSE);
    push(&b, "STARTTLS", NULL, TRUE);
    push(&c, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i1 NOOP\r\n");
    answer(f, "i1", IMAP_CONDITION_OK);
    assert_wire(f, "i2 STARTTLS\r\n");
    answer(f, "i2", IMAP_CONDITION_NO);
    assert_wire(f, "i3 NOOP\r\n");
    answer(f, "i3", IMAP_CONDITION_BAD);
    assert_log(f, "a+ b- c- ");
}

/* IDLE: what follows DONE does not wait for its reply; another IDLE does. */
static void
end_of_exclusive_command_lets_others_follow(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"},
           c = {.fixture = f, .name = "c"};
    g_autoptr(GError) error = NULL;

    push(&a, "IDLE", NULL, TRUE);
    push(&b, "NOOP", NULL, FALSE);
    push(&c, "EXAMINE", NULL, TRUE);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i1 IDLE\r\n");
    imap_command_queue_end_exclusive(f->queue, "DONE");
    assert_wire(f, "DONE\r\ni2 NOOP\r\n");
    /* The server may end it by itself before DONE has left. */
    assert_true(answer_unsent(f, "i1", IMAP_CONDITION_OK, 15, &error));
    assert_wire(f, "");
    answer(f, "i2", IMAP_CONDITION_OK);
    assert_wire(f, "i3 EXAMINE\r\n");
    answer(f, "i3", IMAP_CONDITION_OK);
    assert_log(f, "a+ b+ c+ ");
}

static void
literal_holds_back_what_follows(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};

    push(&a, "EXAMINE ", "\xc3\xa9", FALSE);
    push(&b, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i1 EXAMINE {2}\r\n");
    assert_true(imap_command_queue_continue(f->queue, "", NULL));
    assert_wire(f, "\xc3\xa9\r\ni2 NOOP\r\n");
}

static void
literal_refused_is_never_sent(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    g_autoptr(GError) error = NULL;

    push(&a, "EXAMINE ", "\xc3\xa9", FALSE);
    push(&b, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    g_string_truncate(f->wire, 0);
    answer(f, "i1", IMAP_CONDITION_NO);
    assert_wire(f, "i2 NOOP\r\n");
    assert_log(f, "a- ");
    assert_false(imap_command_queue_continue(f->queue, "", &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
}

static void
literal_cancelled_is_still_sent(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    guint id = push(&a, "EXAMINE ", "\xc3\xa9", FALSE);

    imap_command_queue_flush(f->queue);
    g_string_truncate(f->wire, 0);
    imap_command_queue_cancel(f->queue, id);
    assert_true(imap_command_queue_continue(f->queue, "", NULL));
    assert_wire(f, "\xc3\xa9\r\n");
    answer(f, "i1", IMAP_CONDITION_OK);
    assert_log(f, "");
}

/* Ten octets, "0123456789", of which *@left are left. */
static gssize
read_digits(void *buffer, gsize size, gpointer left)
{
    gsize *n = left;

    size = MIN(size, *n);
    for (gsize i = 0; i < size; i++)
        ((char *)buffer)[i] = (char)('0' + 10 - (int)(*n - i));
    *n -= size;
    return (gssize)size;
}

static void
push_message(Waiter *waiter, guint64 max_pipelined, gsize *left)
{
    ImapCommand *command = imap_command_new("APPEND x");

    imap_command_add_message(command, 10, max_pipelined, read_digits, left);
    imap_command_queue_push(waiter->fixture->queue, command, &handler, waiter);
}

static void
message_goes_as_there_is_room(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    gsize left = 10;

    imap_command_queue_set_literals(f->queue, IMAP_LITERALS_PLUS);
    push_message(&a, 10, &left);
    push(&b, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i1 APPEND x {10+}\r\n");
    assert_true(imap_command_queue_has_message(f->queue));
    assert_true(imap_command_queue_send_message(f->queue, 0, NULL));
    assert_wire(f, "");
    assert_true(imap_command_queue_send_message(f->queue, 7, NULL));
    assert_wire(f, "0123456");
    imap_command_queue_flush(f->queue);
    assert_wire(f, "");
    assert_true(imap_command_queue_send_message(f->queue, 100, NULL));
    assert_wire(f, "789\r\ni2 NOOP\r\n");
    assert_false(imap_command_queue_has_message(f->queue));
    answer(f, "i1", IMAP_CONDITION_OK);
    answer(f, "i2", IMAP_CONDITION_OK);
    assert_log(f, "a+ b+ ");
}

static void
message_waits_for_its_plus(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    gsize left = 10;
    g_autoptr(GError) error = NULL;

    imap_command_queue_set_literals(f->queue, IMAP_LITERALS_PLUS);
    push_message(&a, 9, &left);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i1 APPEND x {10}\r\n");
    assert_false(imap_command_queue_has_message(f->queue));
    assert_true(imap_command_queue_send_message(f->queue, 100, NULL));
    assert_wire(f, "");
    assert_true(imap_command_queue_continue(f->queue, "", NULL));
    assert_true(imap_command_queue_send_message(f->queue, 100, NULL));
    assert_wire(f, "0123456789\r\n");
    assert_false(imap_command_queue_continue(f->queue, "", &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
}

/* Before it, a refusal is one like others; in it, nothing can follow. */
static void
message_refused_is_sent_no_further(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    gsize left = 10;
    g_autoptr(GError) error = NULL;

    push_message(&a, 0, &left);
    imap_command_queue_flush(f->queue);
    answer(f, "i1", IMAP_CONDITION_NO);
    push_message(&b, 0, &left);
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_continue(f->queue, "", NULL));
    assert_true(imap_command_queue_send_message(f->queue, 7, NULL));
    assert_wire(f, "i1 APPEND x {10}\r\ni2 APPEND x {10}\r\n0123456");
    assert_false(answer_unsent(f, "i2", IMAP_CONDITION_NO, 7, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED));
    assert_log(f, "a- b- ");
}

static void
message_refused_while_it_leaves_is_refused(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    gsize left = 10;

    push_message(&a, 0, &left);
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_continue(f->queue, "", NULL));
    assert_true(imap_command_queue_send_message(f->queue, 100, NULL));
    assert_true(answer_unsent(f, "i1", IMAP_CONDITION_NO, 5, NULL));
    assert_log(f, "a- ");
}

static void
message_ok_before_it_has_left_is_protocol_error(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    gsize left = 10;
    g_autoptr(GError) error = NULL;

    imap_command_queue_set_literals(f->queue, IMAP_LITERALS_PLUS);
    push_message(&a, 10, &left);
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_send_message(f->queue, 100, NULL));
    assert_false(answer_unsent(f, "i1", IMAP_CONDITION_OK, 5, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
    assert_log(f, "a! ");
}

static void
message_that_ends_early_is_an_error(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    gsize left = 4;
    g_autoptr(GError) error = NULL;

    imap_command_queue_set_literals(f->queue, IMAP_LITERALS_PLUS);
    push_message(&a, 10, &left);
    imap_command_queue_flush(f->queue);
    assert_false(imap_command_queue_send_message(f->queue, 100, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_CLOSED));
    imap_command_queue_fail_all(f->queue, error);
    assert_log(f, "a! ");
}

static void
refused_command_is_told_like_an_unsendable_one(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    ImapCommand *command = imap_command_new("NOOP");

    imap_command_refuse(
        command,
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_READ_ONLY, "not here"));
    imap_command_queue_push(f->queue, command, &handler, &a);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "");
    assert_log(f, "");
    imap_command_queue_fail_unsendable(f->queue);
    assert_log(f, "a! ");
}

static void
answer_ok_to_half_a_command_is_protocol_error(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"};
    g_autoptr(GError) error = NULL;

    push(&a, "EXAMINE ", "\xc3\xa9", FALSE);
    imap_command_queue_flush(f->queue);
    assert_false(answer_unsent(f, "i1", IMAP_CONDITION_OK, 0, &error));
    assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
    assert_log(f, "a! ");
}

static void
answer_unknown_tag_is_protocol_error(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    static const char *const tags[] = {"i2", "x", "", "I1", "i01"};

    push(&a, "STARTTLS", NULL, TRUE);
    push(&b, "NOOP", NULL, FALSE); /* waits */
    imap_command_queue_flush(f->queue);
    for (gsize i = 0; i < G_N_ELEMENTS(tags); i++) {
        g_autoptr(GError) error = NULL;

        assert_false(answer_unsent(f, tags[i], IMAP_CONDITION_OK, 0, &error));
        assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_PROTOCOL));
    }
    answer(f, "i1", IMAP_CONDITION_OK);
    assert_false(answer_unsent(f, "i1", IMAP_CONDITION_OK, 0, NULL));
}

static void
answer_before_the_command_has_left_is_protocol_error(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    gsize second;

    push(&a, "NOOP", NULL, FALSE);
    push(&b, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    second = strlen("i2 NOOP\r\n");
    assert_false(answer_unsent(f, "i2", IMAP_CONDITION_OK, 1, NULL));
    assert_false(answer_unsent(f, "i1", IMAP_CONDITION_OK, second + 1, NULL));
    assert_true(answer_unsent(f, "i1", IMAP_CONDITION_OK, second, NULL));
    assert_true(answer_unsent(f, "i2", IMAP_CONDITION_OK, 0, NULL));
    assert_log(f, "a+ b+ ");
}

static void
cancelled_command_keeps_its_tag(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"};
    guint id = push(&a, "NOOP", NULL, FALSE);

    push(&b, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    imap_command_queue_cancel(f->queue, id);
    imap_command_queue_cancel(f->queue, 12345);
    answer(f, "i1", IMAP_CONDITION_OK);
    answer(f, "i2", IMAP_CONDITION_OK);
    assert_log(f, "b+ ");
}

static void
cancelled_before_sending_is_never_sent(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"},
           c = {.fixture = f, .name = "c"};
    guint id;

    push(&a, "STARTTLS", NULL, TRUE);
    id = push(&b, "DELETE x", NULL, FALSE);
    push(&c, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    imap_command_queue_cancel(f->queue, id);
    g_string_truncate(f->wire, 0);
    answer(f, "i1", IMAP_CONDITION_OK);
    assert_wire(f, "i2 NOOP\r\n");
}

static void
unsendable_command_is_told_later_and_holds_up_nobody(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"}, b = {.fixture = f, .name = "b"},
           c = {.fixture = f, .name = "c"};
    guint id;

    push(&a, "EXAMINE ", "x\r\ny", TRUE);
    id = push(&b, "EXAMINE ", "\n", FALSE);
    push(&c, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_wire(f, "i3 NOOP\r\n");
    assert_log(f, "");
    assert_true(imap_command_queue_has_unsendable(f->queue));
    imap_command_queue_cancel(f->queue, id);
    imap_command_queue_fail_unsendable(f->queue);
    assert_log(f, "a! ");
    assert_false(imap_command_queue_has_unsendable(f->queue));
}

static void
offer_asks_oldest_first_until_taken(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"},
           b = {.fixture = f, .name = "b", .takes = TRUE},
           c = {.fixture = f, .name = "c", .takes = TRUE};
    ImapResponse response = {.type = IMAP_RESPONSE_EXISTS, .number = 1};

    assert_false(imap_command_queue_offer(f->queue, &response));
    push(&a, "NOOP", NULL, FALSE);
    push(&b, "NOOP", NULL, FALSE);
    push(&c, "NOOP", NULL, FALSE);
    assert_false(imap_command_queue_offer(f->queue, &response));
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_offer(f->queue, &response));
    assert_log(f, "a? b? ");
}

static void
offer_of_tagged_search_goes_to_its_command(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a", .takes = TRUE},
           b = {.fixture = f, .name = "b", .takes = TRUE};
    char tag[] = "i2";
    char other[] = "i9";
    ImapSearch search = {.tag = tag};
    ImapResponse response = {.type = IMAP_RESPONSE_SEARCH, .search = &search};

    push(&a, "UID SEARCH", NULL, FALSE);
    push(&b, "UID SEARCH", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_offer(f->queue, &response));
    assert_log(f, "b? ");
    search.tag = other;
    assert_false(imap_command_queue_offer(f->queue, &response));
    assert_log(f, "");
}

static void
fail_all_now(Fixture *f)
{
    g_autoptr(GError) error = g_error_new_literal(IMAP_ERROR, 0, "cut");

    imap_command_queue_fail_all(f->queue, error);
}

static void
body_goes_to_its_taker_until_all_ends(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"},
           b = {.fixture = f, .name = "b", .takes = TRUE};
    ImapBody body = {.section = ""};

    push(&a, "UID FETCH", NULL, FALSE);
    push(&b, "UID FETCH", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    assert_true(imap_command_queue_body_begin(f->queue, &body));
    imap_command_queue_body_data(f->queue, (const guint8 *)"xy", 2);
    imap_command_queue_body_end(f->queue);
    assert_log(f, "b=xy b. ");
    assert_false(
        imap_command_queue_body_data(f->queue, (const guint8 *)"z", 1));

    b.then = fail_all_now;
    imap_command_queue_body_begin(f->queue, &body);
    imap_command_queue_body_data(f->queue, (const guint8 *)"xy", 2);
    imap_command_queue_body_data(f->queue, (const guint8 *)"z", 1);
    imap_command_queue_body_end(f->queue);
    assert_log(f, "b=xy a! b! ");
}

static void
push_one_more(Fixture *f)
{
    static Waiter late;

    late = (Waiter){.fixture = f, .name = "late"};
    push(&late, "NOOP", NULL, FALSE);
}

static void
fail_all_ends_what_handlers_push_meanwhile(void **state)
{
    Fixture *f = *state;
    Waiter a = {.fixture = f, .name = "a"},
           b = {.fixture = f, .name = "b", .then = push_one_more};
    Waiter c = {.fixture = f, .name = "c"}, d = {.fixture = f, .name = "d"};

    push(&a, "NOOP", NULL, FALSE);
    push(&b, "NOOP", NULL, FALSE);
    push(&c, "EXAMINE x", NULL, TRUE);
    push(&d, "NOOP", NULL, FALSE);
    imap_command_queue_flush(f->queue);
    fail_all_now(f);
    assert_log(f, "a! b! c! d! late! ");
    assert_int_equal(imap_command_queue_n_pending(f->queue), 0);
}

#define queue_test(name)                                                       \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        queue_test(flush_sends_up_to_the_depth),
        queue_test(exclusive_command_has_the_line_to_itself),
        queue_test(end_of_exclusive_command_lets_others_follow),
        queue_test(literal_holds_back_what_follows),
        queue_test(literal_refused_is_never_sent),
        queue_test(literal_cancelled_is_still_sent),
        queue_test(message_goes_as_there_is_room),
        queue_test(message_waits_for_its_plus),
        queue_test(message_refused_is_sent_no_further),
        queue_test(message_refused_while_it_leaves_is_refused),
        queue_test(message_ok_before_it_has_left_is_protocol_error),
        queue_test(message_that_ends_early_is_an_error),
        queue_test(refused_command_is_told_like_an_unsendable_one),
        queue_test(answer_ok_to_half_a_command_is_protocol_error),
        queue_test(answer_unknown_tag_is_protocol_error),
        queue_test(answer_before_the_command_has_left_is_protocol_error),
        queue_test(cancelled_command_keeps_its_tag),
        queue_test(cancelled_before_sending_is_never_sent),
        queue_test(unsendable_command_is_told_later_and_holds_up_nobody),
        queue_test(offer_asks_oldest_first_until_taken),
        queue_test(offer_of_tagged_search_goes_to_its_command),
        queue_test(body_goes_to_its_taker_until_all_ends),
        queue_test(fail_all_ends_what_handlers_push_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
