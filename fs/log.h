/* Where messages go while the mount is served: to the terminal while there is
 * one, then to the system's log. */
#pragma once

#include <glib.h>

/* From now on GLib's log goes to stderr, debug messages only when @debug. Call
 * once. */
void fs_log_start(gboolean debug);

/* @verbose: what is only of interest (connections that come and go), too.
 * @quiet: nothing of what is said; observers are told all the same. */
void fs_log_set_verbosity(gboolean verbose, gboolean quiet);

/* From now on it goes to syslog, which is the journal where there is one. */
void fs_log_use_syslog(void);

/* Told of each message, debug messages left out, as it is written: on the
 * thread that writes it, which may be any. It must not log. NULL: nobody. */
typedef void (*FsLogObserver)(const char *text);
void fs_log_set_observer(FsLogObserver observer);
