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

/* As g_message, about one of several accounts of a mount: its name comes first.
 * NULL: there is but one. */
void fs_log_of(const char *account, const char *format, ...)
    G_GNUC_PRINTF(2, 3);

/* What this thread is at work for until told otherwise: what is logged without
 * a name is about that account. Borrowed; NULL: none, or all. Returns what it
 * was before. */
const char *fs_log_set_present(const char *account);

/* Told of each message, debug messages left out, as it is written: on the
 * thread that writes it, which may be any. It must not log. @account: as with
 * fs_log_of; its name is not in @text. NULL: nobody. */
typedef void (*FsLogObserver)(const char *text, const char *account);
void fs_log_set_observer(FsLogObserver observer);

/* An answer to who has asked, and not word of anything that has happened: the
 * observer is not told. @account: as with fs_log_of. */
void fs_log_answer(const char *account, const char *format, ...)
    G_GNUC_PRINTF(2, 3);
