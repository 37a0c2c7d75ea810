/* An IMAP server that follows a script, on the main loop of the test.
 *
 * A step is one of
 *   "S:text"   sends text and CRLF
 *   "R:text"   sends text as it is
 *   "C:line"   awaits this line; "?" and "*" are wild
 *   "D:n"      awaits n octets, whatever they are
 *   "QUIET"    makes sure that nothing comes for a moment
 *   "WAIT"     lets some time pass: WAIT_MS
 *   "HOLD"     goes on when it is told to, by script_go_on()
 *   "CHATTER"  says "* OK still here" for ever, often
 *   "DRIP"     sends an octet of an endless line, for ever, often
 *   "HANG"     does nothing more
 *   "DEAF"     does not even read any more
 *   "SIP"      from here on reads slowly: SIP_OCTETS, and not for SIP_MS
 *   "CLOSE"    hangs up
 * Sends that follow each other travel together. At the end it keeps the
 * connection and takes no notice of what comes. */
#pragma once

#include <glib.h>

#define WAIT_MS 60
#define SIP_OCTETS (32 * 1024)
#define SIP_MS 10

typedef struct Script Script;

/* Takes ownership of @fd; @steps, NULL-terminated, must outlive the script.
 * After @cut octets sent it hangs up. */
Script *script_new(int fd, const char *const *steps, gsize cut);
void script_free(Script *script); /* accepts NULL */

/* What went wrong; NULL if nothing. */
const char *script_failure(const Script *script);
gboolean script_is_done(const Script *script);
/* It is at a "HOLD". */
gboolean script_is_held(const Script *script);
void script_go_on(Script *script);
/* The other side has hung up. */
gboolean script_is_hung_up(const Script *script);

/* A listener on loopback. The n-th connection gets the n-th of @scripts, or
 * the last; with none, it is accepted and closed. */
typedef struct {
    int fd;
    guint16 port;
    guint n_accepted;
    const char *const *const *scripts; /* NULL-terminated */
    GPtrArray *running;                /* of Script */
    guint source;
} Listener;

void listener_start(Listener *listener, const char *const *const *scripts);
/* Fails the test if a script failed. */
void listener_check(const Listener *listener);
void listener_stop(Listener *listener);

/* The script of the @n-th connection, from 0, when there is one. */
Script *listener_script(const Listener *listener, guint n);
/* Waits until that has come to its end. */
void listener_wait(const Listener *listener, guint n);

/* Runs the main loop until *@flag; fails the test when that takes long. */
void wait_for(const gboolean *flag);
/* The same until @condition holds, which is looked at after every turn. */
#define WAIT_UNTIL(condition)                                                  \
    for (gint64 wait_until_ = wait_limit(); !(condition);)                     \
    wait_step(wait_until_, #condition)
gint64 wait_limit(void);
void wait_step(gint64 until, const char *what);
/* Runs it for so long, and until nothing is left to be done at once: a machine
 * that is slow has then done all that no timer is waited for. */
void run_for(guint milliseconds);
