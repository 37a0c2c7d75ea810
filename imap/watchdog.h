/* Bounds silence: whoever awaits something hears when nothing that belongs to
 * it has come for too long. Part of a connection, and used by it alone. */
#pragma once

#include <glib.h>

typedef struct {
    guint limit_ms;
    gboolean (*is_awaiting)(gpointer user_data);
    /* The silence has become too long. Runs from the main loop. */
    void (*silent)(gpointer user_data);
    gpointer user_data;

    guint source;
    gint64 wait_began;    /* microseconds, monotonic */
    gint64 last_progress; /* the same */
    gsize inside_octets;  /* of an unfinished response, since progress */
    guint percent;        /* done, as the server says; since the same */
} ImapWatchdog;

void imap_watchdog_init(ImapWatchdog *watchdog, guint limit_ms,
                        gboolean (*is_awaiting)(gpointer user_data),
                        void (*silent)(gpointer user_data), gpointer user_data);
/* It says nothing any more. */
void imap_watchdog_stop(ImapWatchdog *watchdog);

/* Call after whatever may begin to wait. */
void imap_watchdog_watch(ImapWatchdog *watchdog);

/* Something new is awaited. */
void imap_watchdog_begin_wait(ImapWatchdog *watchdog);

/* Microseconds since something new was awaited, or has last come nearer. */
gint64 imap_watchdog_silence(const ImapWatchdog *watchdog);

/* What is awaited has come, or come nearer. */
void imap_watchdog_note_progress(ImapWatchdog *watchdog);

/* The server says how far it has got. That is progress if it is farther than
 * before. */
void imap_watchdog_note_percent(ImapWatchdog *watchdog, guint percent);

/* @length octets more of a response that is not at its end. */
void imap_watchdog_note_part(ImapWatchdog *watchdog, gsize length);
/* And now it is. */
void imap_watchdog_end_part(ImapWatchdog *watchdog);
