/* The URL, the secrets and what counts as this machine. */
#include "imap/error.h"
#include "imap/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
url_good_fills_settings(void **state)
{
    static const struct {
        const char *url;
        const char *host;
        guint16 port;
        ImapTls tls;
        const char *username;
        const char *mechanism;
    } cases[] = {
        {"imaps://h", "h", 993, IMAP_TLS_IMPLICIT, NULL, NULL},
        {"imaps://h/", "h", 993, IMAP_TLS_IMPLICIT, NULL, NULL},
        {"imap://h/", "h", 143, IMAP_TLS_STARTTLS, NULL, NULL},
        {"IMAPS://Mail.Example.org", "mail.example.org", 993, IMAP_TLS_IMPLICIT,
         NULL, NULL},
        {"imaps://me@h:1", "h", 1, IMAP_TLS_IMPLICIT, "me", NULL},
        {"imap://h:65535", "h", 65535, IMAP_TLS_STARTTLS, NULL, NULL},
        {"imaps://h:/", "h", 993, IMAP_TLS_IMPLICIT, NULL, NULL},
        {"imaps://me%40example.org@h:994/", "h", 994, IMAP_TLS_IMPLICIT,
         "me@example.org", NULL},
        {"imaps://a%3Ab%2Fc%25@h", "h", 993, IMAP_TLS_IMPLICIT, "a:b/c%", NULL},
        {"imaps://j%C3%BCrgen@h", "h", 993, IMAP_TLS_IMPLICIT, "jürgen", NULL},
        {"imaps://me;AUTH=plain@h", "h", 993, IMAP_TLS_IMPLICIT, "me", "PLAIN"},
        {"imaps://me;auth=*@h", "h", 993, IMAP_TLS_IMPLICIT, "me", NULL},
        {"imaps://;AUTH=EXTERNAL@h", "h", 993, IMAP_TLS_IMPLICIT, NULL,
         "EXTERNAL"},
        {"imaps://[::1]:99/", "::1", 99, IMAP_TLS_IMPLICIT, NULL, NULL},
        {"imap://me@[2001:db8::1]", "2001:db8::1", 143, IMAP_TLS_STARTTLS, "me",
         NULL},
        {"imaps://192.0.2.1/", "192.0.2.1", 993, IMAP_TLS_IMPLICIT, NULL, NULL},
        {"imaps://h.example./", "h.example", 993, IMAP_TLS_IMPLICIT, NULL,
         NULL},
        {"imaps://bücher.example/", "xn--bcher-kva.example", 993,
         IMAP_TLS_IMPLICIT, NULL, NULL},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapSettings) settings = imap_settings_new();
        g_autoptr(GError) error = NULL;

        assert_true(imap_settings_parse_url(settings, cases[i].url, &error));
        assert_null(error);
        assert_string_equal(settings->host, cases[i].host);
        assert_int_equal(imap_settings_port(settings), cases[i].port);
        assert_int_equal(settings->tls, cases[i].tls);
        assert_true(g_strcmp0(settings->username, cases[i].username) == 0);
        assert_true(g_strcmp0(settings->mechanism, cases[i].mechanism) == 0);
    }
}

static void
url_bad_is_refused_and_changes_nothing(void **state)
{
    static const struct {
        const char *url;
        const char *says;
    } cases[] = {
        {"", "imaps://USER@HOST/"},
        {"mail.example.org", "imaps://USER@HOST/"},
        {"http://h/", "imaps://USER@HOST/"},
        {"imaps:h", "imaps://USER@HOST/"},
        {"imaps://", "no host"},
        {"imaps:///", "no host"},
        {"imaps://@h/", "empty"},
        {"imaps://me@ex.org@h/", "%40"},
        {"imaps://me%zz@h/", "%25"},
        {"imaps://me%00@h/", "%25"},
        {"imaps://me%0d@h/", "control"},
        {"imaps://me%C2%85@h/", "control"},
        {"imaps://me%ff@h/", "UTF-8"},
        {"imaps://me;x@h/", "%3B"},
        {"imaps://me;AUTH=@h/", "SCRAM-SHA-256"},
        {"imaps://me;AUTH=A%20B@h/", "SCRAM-SHA-256"},
        {"imaps://h:0/", "65535"},
        {"imaps://h:65536/", "65535"},
        {"imaps://h:99999999999999999999/", "65535"},
        {"imaps://h:+1/", "65535"},
        {"imaps://h:9 9/", "65535"},
        {"imaps://h/INBOX", "whole account"},
        {"imaps://h//", "whole account"},
        {"imaps://h?x", "query"},
        {"imaps://h/?x", "query"},
        {"imaps://h/#x", "fragment"},
        {"imaps://::1/", "brackets"},
        {"imaps://[::1/", "IPv6"},
        {"imaps://[1.2.3.4]/", "IPv6"},
        {"imaps://[::1]x/", "end it after"},
        {"imaps://h h/", "host name"},
        {"imaps://h\r\nx/", "host name"},
        {"imaps://h%41/", "host name"},
        {"imaps://\xff/", "UTF-8"},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ImapSettings) settings = imap_settings_new();
        g_autoptr(GError) error = NULL;

        settings->host = g_strdup("before");
        settings->port = 7;
        assert_false(imap_settings_parse_url(settings, cases[i].url, &error));
        assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT));
        assert_non_null(strstr(error->message, cases[i].says));
        assert_string_equal(settings->host, "before");
        assert_int_equal(settings->port, 7);
        assert_null(settings->username);
        assert_null(settings->mechanism);
    }
}

static void
url_with_password_is_refused_without_repeating_it(void **state)
{
    static const char *const urls[] = {
        "imaps://me:s3cret@h/",
        "imaps://me:@h/",
        "imaps://me:s3cret/more@h/",
        "imaps://me:s3cret@more@h/",
        "imaps://me:s3cret#more@h/",
        "imaps://me:s3cret?x:y@h:993/",
        "imaps://me;AUTH=*:s3cret@h/",
        "imap://me%40example.org:s3cret@h",
        "imaps://me:s3cret@[2001:db8::1]",
    };

    for (gsize i = 0; i < G_N_ELEMENTS(urls); i++) {
        g_autoptr(ImapSettings) settings = imap_settings_new();
        g_autoptr(GError) error = NULL;

        assert_false(imap_settings_parse_url(settings, urls[i], &error));
        assert_true(g_error_matches(error, IMAP_ERROR, IMAP_ERROR_ARGUMENT));
        assert_non_null(strstr(error->message, "password"));
        assert_null(strstr(error->message, "s3cret"));
        assert_null(strstr(error->message, "more"));
    }
}

static void
port_zero_is_default_of_tls(void **state)
{
    ImapSettings settings = {.tls = IMAP_TLS_IMPLICIT};

    assert_int_equal(imap_settings_port(&settings), 993);
    settings.tls = IMAP_TLS_STARTTLS;
    assert_int_equal(imap_settings_port(&settings), 143);
    settings.tls = IMAP_TLS_OFF;
    assert_int_equal(imap_settings_port(&settings), 143);
    settings.port = 7;
    assert_int_equal(imap_settings_port(&settings), 7);
}

static void
loopback_is_this_machine_alone(void **state)
{
    static const struct {
        const char *host;
        gboolean loopback;
    } cases[] = {
        {"localhost", TRUE},
        {"LOCALHOST", TRUE},
        {"127.0.0.1", TRUE},
        {"127.255.3.4", TRUE},
        {"::1", TRUE},
        {"128.0.0.1", FALSE},
        {"::2", FALSE},
        {"localhost.example.org", FALSE},
        {"127.0.0.1.nip", FALSE},
        {"mail.example.org", FALSE},
        {"0.0.0.0", FALSE},
        {"", FALSE},
    };

    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        ImapSettings settings = {.host = (char *)cases[i].host};

        assert_int_equal(imap_settings_is_loopback(&settings),
                         cases[i].loopback);
    }
}

static void
secret_is_shared_until_last_reference(void **state)
{
    g_autoptr(ImapSecret) secret = imap_secret_new("pässword!!", 9);
    ImapSecret *shared = imap_secret_ref(secret);

    imap_secret_unref(shared);
    assert_string_equal(imap_secret_text(secret), "pässword");
    imap_secret_unref(NULL);
    imap_settings_free(NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(url_good_fills_settings),
        cmocka_unit_test(url_bad_is_refused_and_changes_nothing),
        cmocka_unit_test(url_with_password_is_refused_without_repeating_it),
        cmocka_unit_test(port_zero_is_default_of_tls),
        cmocka_unit_test(loopback_is_this_machine_alone),
        cmocka_unit_test(secret_is_shared_until_last_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
