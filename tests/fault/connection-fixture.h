/* A connection to a server that follows a script, and what its requests bring,
 * written down in a log. */
#pragma once

#include "imap/connection-private.h"
#include "imap/error.h"
#include "imap/requests.h"
#include "script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define TIMEOUT_MS 100
/* For tests in which nothing is to time out. */
#define LONG_TIMEOUT_MS 10000

/* The steps up to the first command of a test, which is i3. */
#define LOGIN(capabilities)                                                    \
    "S:* OK hello", "C:i1 CAPABILITY",                                         \
        "S:* CAPABILITY IMAP4rev1 " capabilities, "S:i1 OK done",              \
        "C:i2 LOGIN me secret",                                                \
        "S:i2 OK [CAPABILITY IMAP4rev1 " capabilities "] in"

typedef struct {
    ImapSettings *settings;
    ImapConnection *connection;
    Script *script;
    gboolean opened;
    GError *open_error;
    gboolean closed;

    gboolean done; /* of the command of a test */
    guint n_done;
    GError *error;
    GString *log;
} Fixture;

/* For cmocka: *@state is a Fixture, of which nothing is opened yet. */
int set_up(void **state);
int tear_down(void **state);
/* As after set_up, but for the settings. */
void drop(Fixture *f);
#define connection_test(name)                                                  \
    cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* Opens a connection to a server with these steps, that hangs up after @cut
 * octets. */
void start_cut(Fixture *f, const char *const *steps, gsize cut);
void start(Fixture *f, const char *const *steps);
/* And waits until it is ready. */
void open_ready(Fixture *f, const char *const *steps);
/* From now on it may be silent for no longer than that; a test whose end is not
 * a time-out begins with more. */
void set_timeout(Fixture *f, guint timeout_ms);
/* Fails the test if the client did what the script does not expect. */
void check_script(Fixture *f);

/* @words are in its message. */
void assert_error(const GError *error, ImapError code, const char *words);

/* Sets done and error; counts. */
void on_done(const GError *error, gpointer user_data);
guint send_text(Fixture *f, const char *text);
/* Waits for done, and resets it. */
void wait_done(Fixture *f);

/* For requests. The log has names, "[1,3:4]" of a search, UIDs of a listing,
 * and of bodies "5!<text> ": the size, "!" if certain and "?" if not, and "#"
 * for ">" if it was discarded. */
void on_list(const GArray *mailboxes, const GError *error, gpointer user_data);
void on_found(const ImapUidSet *found, const GError *error, gpointer user_data);
extern const ImapFetchListHandler list_handler;
extern const ImapFetchBodyHandler body_handler;
/* Bodies as "7:5<text>7 ", the UID as told before and after. */
extern const ImapBodiesHandler bodies_handler;
/* Flags as "7=\\Seen a; ", what has vanished as "-3:5; ". */
extern const ImapFlagsHandler flags_handler;
