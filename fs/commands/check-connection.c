/* From the name of the host to the login: which of the steps a connection has
 * taken, and at which it failed. The errors of imap/ say what to do. */
#include "fs/commands/check-private.h"

#include "fs/commands/words.h"
#include "fs/remedies.h"
#include "imap/error.h"

#include <gio/gio.h>
#include <string.h>

/* A certificate that ends so soon should have been renewed. */
#define SOON_DAYS 14

typedef enum {
    STEP_HOST,
    STEP_CONNECTION,
    STEP_TLS,
    STEP_GREETING,
    STEP_LOGIN,
    STEP_END,
} Step;

static const char *const step_names[] = {"Host", "Connection", "TLS",
                                         "Greeting", "Login"};

static gboolean
is_tls_done(const FsCheck *check)
{
    return check->options->settings->tls == IMAP_TLS_OFF ||
           imap_connection_peer(check->connection)->protocol != NULL;
}

static Step
failed_step(const FsCheck *check)
{
    const ImapPeer *peer = imap_connection_peer(check->connection);
    gboolean greeted = imap_connection_was_greeted(check->connection);
    ImapTls tls = check->options->settings->tls;

    if (check->error == NULL)
        return STEP_END;
    if (!peer->resolved)
        return STEP_HOST;
    if (peer->address == NULL)
        return STEP_CONNECTION;
    if (!is_tls_done(check) && (tls == IMAP_TLS_IMPLICIT || greeted))
        return STEP_TLS;
    return greeted ? STEP_LOGIN : STEP_GREETING;
}

static void
say_host(FsCheck *check)
{
    const ImapPeer *peer = imap_connection_peer(check->connection);
    const char *host = check->options->settings->host;

    if (peer->address == NULL && !g_hostname_is_ip_address(host))
        fs_check_say(check, FS_MARK_GOOD, "Host", "%s has an address", host);
    else if (peer->address == NULL || strcmp(peer->address, host) == 0)
        fs_check_say(check, FS_MARK_GOOD, "Host", "%s", host);
    else
        fs_check_say(check, FS_MARK_GOOD, "Host", "%s is %s", host,
                     peer->address);
}

static void
say_certificate(FsCheck *check)
{
    const ImapPeer *peer = imap_connection_peer(check->connection);
    g_autofree char *until = fs_words_date(peer->valid_until);
    gint64 days =
        (peer->valid_until - g_get_real_time() / G_USEC_PER_SEC) / 86400;
    gboolean ends_soon = days < SOON_DAYS && !peer->is_by_hand;

    fs_check_say(check, ends_soon ? FS_MARK_WARNING : FS_MARK_GOOD, "TLS",
                 "%s; certificate for %s, valid until %s (%" G_GINT64_FORMAT
                 " days), %s %s",
                 peer->protocol, peer->subject, until, days,
                 peer->is_by_hand ? "trusted for its fingerprint, issued by"
                                  : "issued by",
                 peer->issuer);
}

static void
say_tls(FsCheck *check)
{
    const ImapSettings *settings = check->options->settings;

    if (settings->tls != IMAP_TLS_OFF)
        say_certificate(check);
    else if (imap_settings_is_loopback(settings))
        fs_check_say(check, FS_MARK_LACKING, "TLS",
                     "off; the server is on this machine");
    else
        fs_check_say(check, FS_MARK_WARNING, "TLS",
                     "off: everybody on the way can read the mail; leave out "
                     "tls=off if the server can do better");
}

static void
say_login(FsCheck *check)
{
    const char *mechanism = imap_connection_mechanism(check->connection);
    const char *user = check->options->settings->username;

    if (mechanism == NULL)
        fs_check_say(check, FS_MARK_GOOD, "Login",
                     "the server lets us in without one");
    else
        fs_check_say(check, FS_MARK_GOOD, "Login", "%s, by %s",
                     user != NULL ? user : "the certificate", mechanism);
}

static void
say_good(FsCheck *check, Step step)
{
    if (step == STEP_HOST)
        say_host(check);
    else if (step == STEP_CONNECTION)
        fs_check_say(check, FS_MARK_GOOD, "Connection", "port %u answers",
                     imap_settings_port(check->options->settings));
    else if (step == STEP_TLS)
        say_tls(check);
    else if (step == STEP_LOGIN)
        say_login(check);
}

/* Of STARTTLS the greeting comes before TLS, but nobody needs to know that. */
static gboolean
was_taken(const FsCheck *check, Step step, Step failed)
{
    return step < failed && (step != STEP_TLS || is_tls_done(check));
}

static void
on_opened(ImapConnection *connection, const GError *error, gpointer user_data)
{
    fs_check_done(user_data, error);
}

gboolean
fs_check_connect(FsCheck *check)
{
    Step failed;

    check->connection = imap_connection_new(check->options->settings);
    imap_connection_open(check->connection, on_opened, check);
    fs_check_wait(check);
    failed = failed_step(check);
    if (check->error != NULL)
        fs_remedies_add(&check->error, check->options);
    for (Step step = STEP_HOST; step < STEP_END; step++) {
        if (was_taken(check, step, failed))
            say_good(check, step);
        else if (step == failed)
            fs_check_say(check, FS_MARK_BAD, step_names[step], "%s",
                         check->error->message);
        else if (step != STEP_GREETING)
            fs_check_say(check, FS_MARK_LACKING, step_names[step], "not tried");
    }
    return failed == STEP_END;
}
