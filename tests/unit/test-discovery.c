/* Finding the server of a domain, by a resolver that answers from a table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/kernel/errno.h"
#include "fs/options/discovery.h"
#include "fs/options/known-server.h"
#include "imap/error.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define PATIENCE_MS 20000

/* What the records say: "HOST:PORT:PRIORITY" of each, blanks between; "": there
 * are none; NULL: the answer never comes; "!": the server fails. */
static const char *imaps_records, *imap_records;

typedef GResolver TableResolver;
typedef GResolverClass TableResolverClass;
GType table_resolver_get_type(void);
G_DEFINE_TYPE(TableResolver, table_resolver, G_TYPE_RESOLVER)

static void
free_targets(gpointer targets)
{
    g_resolver_free_targets(targets);
}

static GList *
targets_of(const char *records)
{
    g_auto(GStrv) all = g_strsplit(records, " ", -1);
    GList *targets = NULL;

    for (guint i = 0; all[i] != NULL && *all[i] != '\0'; i++) {
        g_auto(GStrv) parts = g_strsplit(all[i], ":", 3);

        targets = g_list_append(
            targets, g_srv_target_new(parts[0], (guint16)atoi(parts[1]),
                                      (guint16)atoi(parts[2]), 1));
    }
    return g_srv_target_list_sort(targets);
}

static void
on_cancelled(GCancellable *cancellable, gpointer user_data)
{
    GTask *task = user_data;

    g_task_return_error_if_cancelled(task);
    g_object_unref(task);
}

static void
look_up(GResolver *resolver, const char *name, GCancellable *cancellable,
        GAsyncReadyCallback func, gpointer user_data)
{
    GTask *task = g_task_new(resolver, cancellable, func, user_data);
    gboolean is_imaps = strcmp(name, "_imaps._tcp.example.org") == 0;
    const char *records = is_imaps ? imaps_records : imap_records;

    if (!is_imaps)
        assert_string_equal(name, "_imap._tcp.example.org");
    if (records == NULL) {
        g_signal_connect(cancellable, "cancelled", G_CALLBACK(on_cancelled),
                         task);
        return;
    }
    if (*records == '!')
        g_task_return_new_error(task, G_RESOLVER_ERROR,
                                G_RESOLVER_ERROR_TEMPORARY_FAILURE, "no way");
    else if (*records == '\0')
        g_task_return_new_error(task, G_RESOLVER_ERROR,
                                G_RESOLVER_ERROR_NOT_FOUND, "none");
    else
        g_task_return_pointer(task, targets_of(records), free_targets);
    g_object_unref(task);
}

static GList *
look_up_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
table_resolver_init(TableResolver *resolver)
{
}

static void
table_resolver_class_init(TableResolverClass *class)
{
    class->lookup_service_async = look_up;
    class->lookup_service_finish = look_up_finish;
}

static FsOptions *
make_options(const char *imaps, const char *imap)
{
    FsOptions *options = g_new0(FsOptions, 1);

    imaps_records = imaps;
    imap_records = imap;
    options->settings = imap_settings_new();
    options->settings->username = g_strdup("me@example.org");
    /* What answers at all does so at once, if the machine lets it. */
    options->settings->timeout_ms =
        imaps == NULL || imap == NULL ? 200 : PATIENCE_MS;
    options->discover = g_strdup("example.org");
    return options;
}

static void
assert_found(FsOptions *options, const char *host, guint16 port, ImapTls tls)
{
    g_autoptr(GError) error = NULL;

    if (!fs_discovery_run(options, &error))
        fail_msg("%s", error->message);
    assert_string_equal(options->settings->host, host);
    assert_int_equal(imap_settings_port(options->settings), port);
    assert_int_equal(options->settings->tls, tls);
    fs_options_free(options);
}

static void
assert_refused(FsOptions *options, const char *expected)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) pieces = g_strsplit(expected, "|", -1);

    assert_false(fs_discovery_run(options, &error));
    assert_true(g_error_matches(error, FS_ERROR, FS_ERROR_USAGE));
    for (guint i = 0; pieces[i] != NULL; i++)
        if (strstr(error->message, pieces[i]) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", error->message, pieces[i]);
    assert_null(options->settings->host);
    fs_options_free(options);
}

static void
tls_from_the_start_is_preferred(void **state)
{
    assert_found(
        make_options("Mail.Example.ORG.:9993:5", "a.example.org:143:5"),
        "mail.example.org", 9993, IMAP_TLS_IMPLICIT);
    assert_found(make_options("b.example.org:993:20 a.example.org:993:10", ""),
                 "a.example.org", 993, IMAP_TLS_IMPLICIT);
    assert_found(make_options("example.org:993:0", "!"), "example.org", 993,
                 IMAP_TLS_IMPLICIT);
}

/* All are kept, and which comes after which shows by what is tried next. */
static void
assert_order(FsOptions *options, const char *expected)
{
    g_autoptr(GError) failure =
        g_error_new_literal(IMAP_ERROR, IMAP_ERROR_CONNECT, "refused");
    g_auto(GStrv) servers = g_strsplit(expected, " ", -1);

    assert_true(fs_discovery_run(options, NULL));
    assert_int_equal(imap_servers_count(options->servers),
                     g_strv_length(servers));
    for (guint i = 0; servers[i] != NULL; i++) {
        g_autofree char *found =
            g_strdup_printf("%s:%u", options->settings->host,
                            imap_settings_port(options->settings));

        assert_string_equal(found, servers[i]);
        assert_int_equal(imap_servers_next(options->servers, failure, NULL),
                         servers[i + 1] != NULL);
    }
    fs_options_free(options);
}

static void
all_servers_are_kept_in_their_order(void **state)
{
    assert_order(make_options("b.example.org:993:20 a.example.org:993:10", ""),
                 "a.example.org:993 b.example.org:993");
    /* Of equal standing, TLS from the start comes first. */
    assert_order(make_options("a.example.org:993:10 b.example.org:993:20",
                              "c.example.org:143:10 d.example.org:143:5"),
                 "d.example.org:143 a.example.org:993 c.example.org:143 "
                 "b.example.org:993");
    /* What is no server, or elsewhere, or there twice, is left out. */
    assert_order(make_options("x.evil.example:993:0 a.example.org:993:1 "
                              "A.example.org.:993:2 z.example.org:0:2",
                              ".:0:0"),
                 "a.example.org:993");
}

static void
server_of_the_last_login_will_do_when_nobody_can_be_asked(void **state)
{
    g_autofree char *base = g_dir_make_tmp("imapfs-server-XXXXXX", NULL);
    g_autofree char *directory = NULL;
    g_autofree char *path = NULL;
    FsOptions *options = make_options("mail.example.org:9993:5", "");

    directory = g_build_filename(base, "me@example.org@example.org", NULL);
    path = g_build_filename(directory, "server", NULL);
    assert_int_equal(g_mkdir(directory, 0700), 0);
    assert_true(fs_discovery_run(options, NULL));
    fs_known_server_keep(options, directory);
    fs_options_free(options);

    options = make_options("!", "!");
    options->state_dir = g_strdup(base);
    assert_found(options, "mail.example.org", 9993, IMAP_TLS_IMPLICIT);
    options = make_options(NULL, NULL);
    options->state_dir = g_strdup(base);
    assert_found(options, "mail.example.org", 9993, IMAP_TLS_IMPLICIT);
    /* But who is told that there is none, believes it. */
    options = make_options("", "");
    options->state_dir = g_strdup(base);
    assert_refused(options, "no SRV record");
    /* Nor is anything believed that the name servers would not be. */
    for (guint i = 0; i < 3; i++) {
        static const char *const bad[] = {"imaps://mail.evil.example:993/\n",
                                          "http://mail.example.org/\n", ""};

        assert_true(g_file_set_contents(path, bad[i], -1, NULL));
        options = make_options("!", "!");
        options->state_dir = g_strdup(base);
        assert_refused(options, "no way|later");
    }
    g_unlink(path);
    g_rmdir(directory);
    g_rmdir(base);
}

static void
imap_means_starttls(void **state)
{
    assert_found(make_options("", "mail.example.org:143:0"), "mail.example.org",
                 143, IMAP_TLS_STARTTLS);
    assert_found(make_options(".:0:0", "mail.example.org:143:0"),
                 "mail.example.org", 143, IMAP_TLS_STARTTLS);
}

static void
tls_that_was_chosen_is_looked_for(void **state)
{
    FsOptions *options =
        make_options("a.example.org:993:0", "b.example.org:143:0");

    options->tls_is_chosen = TRUE;
    options->settings->tls = IMAP_TLS_STARTTLS;
    assert_found(options, "b.example.org", 143, IMAP_TLS_STARTTLS);

    options = make_options("", "b.example.org:143:0");
    options->tls_is_chosen = TRUE;
    assert_refused(options, "does not say|imaps://");
}

static void
host_of_another_domain_is_refused_with_its_url(void **state)
{
    assert_refused(
        make_options("imap.hoster.example:993:0", ""),
        "another domain|imaps://me%40example.org@imap.hoster.example/");
    assert_refused(
        make_options("", "badexample.org:1430:0"),
        "another domain|imap://me%40example.org@badexample.org:1430/");
    assert_refused(make_options("example.org.evil.example:993:0", ""),
                   "another domain");
    assert_refused(make_options("org:993:0", ""), "another domain");
}

static void
nothing_found_says_what_to_write(void **state)
{
    assert_refused(make_options("", ""),
                   "no SRV record|imaps://me%40example.org@imap.example.org/");
    assert_refused(make_options(".:0:0", ".:0:0"), "does not say|imaps://");
    assert_refused(make_options("!", ""), "no way|later|imaps://");
    assert_refused(make_options(NULL, ""), "in time|later");
    /* Less is known, but what is known is good. */
    assert_found(make_options(NULL, "x.example.org:143:0"), "x.example.org",
                 143, IMAP_TLS_STARTTLS);
}

static void
without_a_domain_nothing_is_asked(void **state)
{
    FsOptions *options = make_options(NULL, NULL);

    g_clear_pointer(&options->discover, g_free);
    assert_true(fs_discovery_run(options, NULL));
    assert_null(options->settings->host);
    fs_options_free(options);
}

static int
use_table(void **state)
{
    g_autoptr(GResolver) resolver =
        g_object_new(table_resolver_get_type(), NULL);

    g_resolver_set_default(resolver);
    return 0;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tls_from_the_start_is_preferred),
        cmocka_unit_test(all_servers_are_kept_in_their_order),
        cmocka_unit_test(
            server_of_the_last_login_will_do_when_nobody_can_be_asked),
        cmocka_unit_test(imap_means_starttls),
        cmocka_unit_test(tls_that_was_chosen_is_looked_for),
        cmocka_unit_test(host_of_another_domain_is_refused_with_its_url),
        cmocka_unit_test(nothing_found_says_what_to_write),
        cmocka_unit_test(without_a_domain_nothing_is_asked),
    };

    return cmocka_run_group_tests(tests, use_table, NULL);
}
