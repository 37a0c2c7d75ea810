/* Where messages go while the mount is served: to the terminal while there is
 * one, then to the system's log. Where that is systemd's journal, they come
 * there with fields: IMAPFS_ACCOUNT and IMAPFS_MOUNTPOINT beside the usual
 * ones. */
#pragma once

#include <glib.h>

/* From now on GLib's log goes to stderr, debug messages only when @debug; if
 * stderr leads to the journal, there with its fields. Call once. */
void fs_log_start(gboolean debug);

/* @verbose: what is only of interest (connections that come and go), too.
 * @quiet: nothing of what is said; observers are told all the same. */
void fs_log_set_verbosity(gboolean verbose, gboolean quiet);

/* From now on it goes to the journal, or to syslog where there is none. */
void fs_log_use_system(void);

/* What the mount is of, and where; copied. */
void fs_log_set_mount(const char *account, const char *mountpoint);

/* Told of each message, debug messages left out, as it is written: on the
 * thread that writes it, which may be any. It must not log. NULL: nobody. */
typedef void (*FsLogObserver)(const char *text);
void fs_log_set_observer(FsLogObserver observer);

/* An answer to who has asked, and not word of anything that has happened: the
 * observer is not told. */
void fs_log_answer(const char *format, ...) G_GNUC_PRINTF(1, 2);
